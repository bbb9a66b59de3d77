# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Rows of an MSR's database that no API gives: what they mean, and how they are made for another installation.

Ids belong to one installation: a row that is written has those of the installation that it goes to. What is not known here is kept as
it is. Moments stay moments: a service that finds a text in their place may refuse the row.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.model import Token
from ansible_collections.registryops.migration.plugins.module_utils._msr.interface import Row

#: database, table: the accounts (their primary key is the name), and the access tokens (their primary key is the hash of the token)
ACCOUNTS = ("enzi", "accounts")
TOKENS = ("dtr2", "client_tokens")
#: what is wanted of an account's row
ACCOUNT_FIELDS = ("name", "id", "passwordHash", "ldapDN")

#: `bcrypt$<...>` with what bcrypt itself writes, and `pbkdf2_sha256$<iterations>$<salt>$<hash>`
_HASHES = re.compile(r"bcrypt\$\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|pbkdf2_sha256\$\d{1,9}\$[^$\s]+\$[A-Za-z0-9+/]{20,}={0,2}")
_TOKEN_HASH = re.compile(r"[0-9a-f]{64}")
#: fields of a token that have a place of their own in the model; the account is named there, not identified
_OF_TOKEN = frozenset({"token", "accountID", "tokenLabel", "isActive", "createdAt", "lastUsed", "generatedBy"})
#: what Go writes for no moment at all
_NO_YEAR = "0001-"


def is_password_hash(text: str) -> bool:
    """Whether MSR knows the form of a password's hash."""
    return bool(_HASHES.fullmatch(text))


def is_token_hash(text: str) -> bool:
    """Whether this is a token as it is kept: the SHA-256 of its text, in hexadecimal digits."""
    return bool(_TOKEN_HASH.fullmatch(text))


def moment_of(value: t.Any) -> str:
    """A moment of a row, or of an API's answer, in ISO 8601 with the offset of UTC; empty where there is none, or none that is readable."""
    try:
        if isinstance(value, dict) and value.get("$reql_type$") == "TIME":
            moment = datetime.datetime.fromtimestamp(round(float(value["epoch_time"]), 3), datetime.timezone.utc)
        elif isinstance(value, str) and value and not value.startswith(_NO_YEAR):
            moment = datetime.datetime.fromisoformat(_readable(value))
        else:
            return ""
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        if moment.year <= 1:
            return ""
        moment = moment.astimezone(datetime.timezone.utc)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return ""
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def time_of(moment: str) -> Row:
    """The form in which the database takes a moment; ValueError for a text that is none."""
    seconds = datetime.datetime.fromisoformat(_readable(moment)).timestamp()
    return {"$reql_type$": "TIME", "epoch_time": round(seconds, 3), "timezone": "+00:00"}


def _readable(text: str) -> str:
    """A moment of RFC 3339 in the form that Python 3.9 reads: an offset in place of Z, three or six digits after the point."""
    text = re.sub(r"[zZ]$", "+00:00", text.strip())
    return re.sub(r"\.(\d+)", lambda found: "." + (found.group(1) + "000000")[:6], text)


def token_of(row: Row, owner: str) -> Token:
    """A token by its row; ValueError for one that is none."""
    token_hash = row.get("token")
    if not isinstance(token_hash, str) or not token_hash:
        raise ValueError("a token without its hash")
    label, is_active = row.get("tokenLabel"), row.get("isActive")
    return Token(
        owner,
        token_hash,
        label=label if isinstance(label, str) else "",
        is_active=is_active if isinstance(is_active, bool) else True,
        created=moment_of(row.get("createdAt")),
        last_used=moment_of(row.get("lastUsed")),
        generated_by=str(row.get("generatedBy") or ""),
        further={name: value for name, value in row.items() if name not in _OF_TOKEN},
    )


def row_of(token: Token, account: str) -> Row:
    """The row of a token that belongs to the account with this id."""
    row: Row = {
        **token.further,
        "token": token.token_hash,
        "accountID": account,
        "tokenLabel": token.label or "",
        "isActive": token.is_active is not False,
    }
    for name, moment in (("createdAt", token.created), ("lastUsed", token.last_used)):
        if moment:
            row[name] = time_of(moment)
    if token.generated_by:
        row["generatedBy"] = token.generated_by
    return row


@dataclasses.dataclass(frozen=True, repr=False)
class AccountSecrets:
    """What only the database tells of an account."""

    password_hash: str = ""
    directory_name: str = ""


def secrets_of(rows: t.Iterable[Row]) -> dict[str, AccountSecrets]:
    """The same, by the accounts' names."""
    return {
        str(row["name"]): AccountSecrets(str(row.get("passwordHash") or ""), str(row.get("ldapDN") or ""))
        for row in rows
        if row.get("name")
    }

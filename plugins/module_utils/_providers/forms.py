# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The forms in which products write numbers, moments and tags, and people write settings: a wrong one is said, not guessed."""

from __future__ import annotations

import base64
import contextlib
import datetime
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer, InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import TagRecord

_YES = frozenset({"yes", "true", "on", "1"})
_NO = frozenset({"no", "false", "off", "0"})


@contextlib.contextmanager
def readable(what: str) -> t.Iterator[None]:
    """Turn what goes wrong while the fields of an answer are read into InvalidAnswer about `what`."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InvalidAnswer(
            "answered in another form than is known of this product.",
            subject=what,
            hint="Is this the address of that product's API? If it is, set provider to generic, and report it.",
        ) from error


def basic(credential: Credential | None, on_secret: t.Callable[[str], None]) -> dict[str, str]:
    """The header with a user name and a password (RFC 7617); none where there are none. `on_secret` is told of what stands in it."""
    if credential is None or not credential.password:
        return {}
    pair = base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()
    on_secret(pair)
    return {"Authorization": f"Basic {pair}"}


def amount(value: t.Any) -> int:
    """A count or a size, written as a number or as text; -1 where there is none. ValueError for anything else."""
    return -1 if value in (None, "") else int(value)


def moment(milliseconds: t.Any) -> str:
    """A moment in ISO 8601 for milliseconds since 1970, written as a number or as text; empty where there is none."""
    passed = amount(milliseconds)
    if passed <= 0:
        return ""
    return datetime.datetime.fromtimestamp(passed / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_true(value: t.Any, name: str) -> bool:
    """A setting that is yes or no, as YAML or a template has it; InvalidOption, naming it, for anything else."""
    text = str(value).lower()
    if text not in _YES | _NO:
        raise InvalidOption("is neither yes nor no.", subject=name, hint="Write true or false.")
    return text in _YES


def whole(value: t.Any, name: str) -> int:
    """A setting that is a number, as YAML or a template has it; InvalidOption, naming it, for anything else."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise InvalidOption("is no number.", subject=name, hint="Write a whole number.") from None


def several(value: t.Any, name: str) -> list[str]:
    """A setting that is a list of texts; InvalidOption, naming it, for anything else."""
    if not isinstance(value, (list, tuple)):
        raise InvalidOption("is no list.", subject=name, hint="Write a list, such as [a, b].")
    return [str(one) for one in value]


_READ: t.Mapping[type, t.Callable[[t.Any, str], t.Any]] = {
    bool: is_true,
    int: whole,
    list: several,
    str: lambda value, name: str(value),
}


def typed(wanted: t.Mapping[str, t.Any], kinds: t.Mapping[str, type]) -> dict[str, t.Any]:
    """The settings that are given, each as what it is (bool, int, list or str), however YAML or a template has it."""
    return {name: _READ[kind](wanted[name], name) for name, kind in kinds.items() if wanted.get(name) is not None}


def completed(records: t.Sequence[TagRecord], names: t.Iterable[str]) -> list[TagRecord]:
    """The tags of a product's own list, and those that only the registry lists: some products leave signatures out of theirs."""
    known = {record.name for record in records}
    return [*records, *(TagRecord(name) for name in names if name not in known)]

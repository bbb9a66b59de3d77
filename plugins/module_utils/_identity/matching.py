# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Who is who on both sides: accounts of a directory by their entry there, whatever they are called, and names as somebody wishes them."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    Account,
    Estate,
    Grant,
    Item,
    Membership,
    Repository,
    Team,
    TeamMembership,
    Token,
    Webhook,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, NameCollision

_ESCAPED = re.compile(r"\\([0-9a-fA-F]{2}|.)", re.DOTALL)
_SPACES = re.compile(r"\s+")


def normalized_name(distinguished: str) -> str:
    """A distinguished name in a form in which two that name one entry are equal (RFC 4514, and what directories do not tell apart: case,
    spaces around separators, the order of the parts of one component).
    """
    components = []
    for component in _split(distinguished, ","):
        parts = []
        for part in _split(component, "+"):
            attribute, _equals, value = part.partition("=")
            parts.append(f"{attribute.strip().casefold()}={_value(value)}")
        components.append("+".join(sorted(parts)))
    return ",".join(components)


def same_entry(one: str | None, other: str | None) -> bool:
    """Whether two distinguished names are those of one entry; an empty one is that of none."""
    return bool(one) and bool(other) and normalized_name(one or "") == normalized_name(other or "")


def _split(text: str, separator: str) -> list[str]:
    """Parts between separators that are not escaped."""
    parts, start, position = [], 0, 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == separator:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    return [*parts, text[start:]]


def _value(text: str) -> str:
    """A value without its escapes, but for those of what would be a separator; spaces count once, and at the ends not at all."""
    raw = bytearray()
    position = 0
    stripped = text.strip()
    if text.endswith(" ") and stripped.endswith("\\"):
        # the escaped space at the end belongs to the value
        stripped += " "
    for match in _ESCAPED.finditer(stripped):
        raw += stripped[position : match.start()].encode()
        code = match[1]
        raw += bytes([int(code, 16)]) if len(code) == 2 else code.encode()
        position = match.end()
    raw += stripped[position:].encode()
    value = _SPACES.sub(" ", raw.decode(errors="replace")).strip().casefold()
    return re.sub(r"([,+\\=])", r"\\\1", value)


def names_by_directory(source: Estate, existing: Estate) -> dict[str, str]:
    """Users of the source whose entry in the directory has another name at the destination: `{name there: name here}`."""
    by_entry: dict[str, str] = {}
    for account in existing.of(Account).values():
        if account.directory_name and not account.is_organization:
            by_entry[normalized_name(account.directory_name)] = account.name
    found = {}
    for account in source.of(Account).values():
        if account.directory_name and not account.is_organization:
            name = by_entry.get(normalized_name(account.directory_name))
            if name is not None and name != account.name:
                found[account.name] = name
    return found


def renaming(source: Estate, existing: Estate, wished: t.Mapping[str, t.Any], by_directory: bool) -> dict[str, str]:
    """All accounts that are to be called otherwise, `{name at the source: name at the destination}`: as wished, else as the directory says.

    Raises InvalidOption about `rename` for one that the source does not have, where all of it is known, and NameCollision where two
    become one.
    """
    accounts = {name for (name,) in source.of(Account)}
    if source.is_part:
        # it says nothing of whom it leaves out
        wished = {name: new for name, new in wished.items() if name in accounts}
    for name, new in wished.items():
        if name not in accounts:
            raise InvalidOption(
                f"{name} is no account of the source.", subject="rename", hint="Its keys are names of the source, its values new ones."
            )
        if not isinstance(new, str) or not new:
            raise InvalidOption(f"{name} has no new name.", subject="rename", hint="Give a name, or leave it out.")
    names = {**(names_by_directory(source, existing) if by_directory else {}), **wished}
    takers: dict[str, list[str]] = {}
    for name in accounts:
        takers.setdefault(names.get(name, name), []).append(name)
    for new, olds in sorted(takers.items()):
        if len(olds) > 1:
            raise NameCollision(
                f"{' and '.join(sorted(olds))} would both become {new}.",
                subject="rename",
                hint="Give one of them another name with rename; one who is to keep the own name is named there too.",
            )
    return {name: new for name, new in names.items() if name != new}


def renamed(estate: Estate, names: t.Mapping[str, str]) -> Estate:
    """The same estate with other names of accounts, wherever they stand: in memberships, grants, repositories, webhooks, policies."""
    if not names:
        return estate
    result = estate.without_items()
    for item in estate:
        result.add(_with_names(item, names))
    return result


def _with_names(item: Item, names: t.Mapping[str, str]) -> Item:
    def new(name: str) -> str:
        return names.get(name, name)

    def new_path(path: str) -> str:
        namespace, slash, rest = path.partition("/")
        return f"{new(namespace)}{slash}{rest}"

    if isinstance(item, Account):
        return dataclasses.replace(item, name=new(item.name))
    if isinstance(item, Membership):
        return dataclasses.replace(item, organization=new(item.organization), user=new(item.user))
    if isinstance(item, Team):
        return dataclasses.replace(item, organization=new(item.organization))
    if isinstance(item, TeamMembership):
        return dataclasses.replace(item, organization=new(item.organization), user=new(item.user))
    if isinstance(item, Repository):
        return dataclasses.replace(item, namespace=new(item.namespace))
    if isinstance(item, Grant):
        return dataclasses.replace(item, organization=new(item.organization), namespace=new(item.namespace))
    if isinstance(item, Token):
        return dataclasses.replace(item, owner=new(item.owner))
    if isinstance(item, Webhook):
        return dataclasses.replace(item, scope=new_path(item.scope))
    # the target of a promotion is a repository of the same installation, any other one is elsewhere
    target = new_path(item.target) if item.does == "promotion" else item.target
    return dataclasses.replace(item, repository=new_path(item.repository), target=target)

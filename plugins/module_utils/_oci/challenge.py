# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""`WWW-Authenticate` challenges (RFC 9110, 11.6.1) and the scopes of tokens (distribution "Token Scope Documentation")."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import shown

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SEPARATORS = re.compile(r"[ \t,]*")
_SCHEME = re.compile(rf"({_NAME})(?=[ \t,]|$)")
#: the value without quotes is read generously (URLs are sent so), but a second = makes it the padding of a token68
_PARAMETER = re.compile(rf'({_NAME})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"=][^\s,"]*))', re.DOTALL)
_TOKEN68 = re.compile(r"([A-Za-z0-9._~+/-]+=*)[ \t]*(?=,|$)")
_NEXT = re.compile(r"[^,]*")


@dataclasses.dataclass(frozen=True)
class Challenge:
    """One challenge: scheme in lower case, parameters by name in lower case (of two equal names the first counts), or a token68."""

    scheme: str
    parameters: dict[str, str]
    token68: str = ""


def parse_challenges(values: str | t.Iterable[str]) -> list[Challenge]:
    """All challenges of one header value, or of several lines of the header, in their order.

    What cannot be read is skipped: a client may only use what it understands, and 401 without a challenge is an answer too.
    """
    result: list[Challenge] = []
    for value in [values] if isinstance(values, str) else values:
        result.extend(_parse_line(value))
    return result


def _parse_line(line: str) -> t.Iterator[Challenge]:
    position = _skip(_SEPARATORS, line, 0)
    while position < len(line):
        match = _SCHEME.match(line, position)
        if match is None:
            # neither a scheme nor, since those are read below, a parameter of one: go on behind the next comma
            position = _skip(_SEPARATORS, line, _skip(_NEXT, line, position))
            continue
        scheme = match.group(1).lower()
        position = match.end()
        token68 = ""
        parameters: dict[str, str] = {}
        start = _skip(_SEPARATORS, line, position)
        if _PARAMETER.match(line, start) is None and "," not in line[position:start]:
            plain = _TOKEN68.match(line, start)
            if plain:
                token68, start = plain.group(1), plain.end()
        parameter = _PARAMETER.match(line, start)
        while parameter is not None and not token68:
            quoted = parameter.group(2)
            text = parameter.group(3) if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
            parameters.setdefault(parameter.group(1).lower(), text)
            start = _skip(_SEPARATORS, line, parameter.end())
            parameter = _PARAMETER.match(line, start)
        position = _skip(_SEPARATORS, line, start)
        yield Challenge(scheme, parameters, token68)


def _skip(pattern: re.Pattern[str], line: str, position: int) -> int:
    match = pattern.match(line, position)
    return position if match is None else match.end()


@dataclasses.dataclass(frozen=True)
class Scope:
    """What a token lets its bearer do to one thing: `kind` (repository, registry, repository(plugin)), its name, the actions."""

    kind: str
    name: str
    actions: frozenset[str]

    def __str__(self) -> str:
        """`repository:team/app:pull,push`, actions in alphabetical order."""
        return f"{self.kind}:{self.name}:{','.join(sorted(self.actions))}"

    def covers(self, other: Scope) -> bool:
        """Whether this allows all that the other does; the action `*` stands for all."""
        same = (self.kind, self.name) == (other.kind, other.name)
        return same and ("*" in self.actions or other.actions <= self.actions)


def parse_scope(text: str) -> Scope:
    """Read `kind:name:action,action`; the name may hold colons (`repository:host:5000/team/app:pull`).

    Raises InvalidAnswer if it is no scope of this form: scopes are only ever read from a server's answer.
    """
    kind, first, rest = text.partition(":")
    name, last, actions = rest.rpartition(":")
    if not (kind and first and name and last) or not text.isprintable() or " " in text:
        raise InvalidAnswer("is no scope (kind:name:actions).", subject=shown(text), hint="The registry or its token service is at fault.")
    return Scope(kind, name, frozenset(action for action in actions.split(",") if action))


def parse_scopes(text: str) -> list[Scope]:
    """The scopes of a list separated by spaces, in their order; those of another form (OAuth2 allows any text) are left out."""
    result: list[Scope] = []
    for one in text.split():
        try:
            result.append(parse_scope(one))
        except InvalidAnswer:
            continue
    return result

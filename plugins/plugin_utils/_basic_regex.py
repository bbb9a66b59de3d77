# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Basic regular expressions (POSIX, with the extensions of GNU grep) in the syntax of Python's re."""

from __future__ import annotations

import re

_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "xdigit": "0-9A-Fa-f",
    "space": r" \t\n\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "print": r"\x20-\x7e",
    "graph": r"\x21-\x7e",
    "cntrl": r"\x00-\x1f\x7f",
}
#: behind a backslash
_ASSERTIONS = {"<": r"\b(?=\w)", ">": r"\b(?<=\w)", "b": r"\b", "B": r"\B", "`": r"\A", "'": r"\Z"}
_SETS = frozenset("wWsS")
_INTERVAL = re.compile(r"([0-9]*)(,?)([0-9]*)\\}")
_LARGEST = 32767


class InvalidExpression(ValueError):
    """No basic regular expression. The message says why, without a full stop."""


def translate(expression: str) -> str:
    """An expression that Python's re.search takes the way grep takes this one. Raises InvalidExpression."""
    translated = _Translation(expression).run()
    try:
        re.compile(translated)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidExpression(str(error)) from error
    return translated


class _Translation:
    """One expression, from left to right. What a `*` would repeat is the last atom of the innermost open group."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[list[str]] = [[]]
        self._groups = 0
        self._closed: set[int] = set()
        self._numbers: list[int] = []

    def run(self) -> str:
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character == "\\":
                self._escaped()
            elif character == "[":
                self._add(self._bracket())
            elif character == "*":
                self._repeat("*", r"\*")
            elif character == "^" and self._begins():
                self._add(r"\A")
            elif character == "$" and self._ends():
                self._add(r"\Z")
            else:
                self._add("." if character == "." else re.escape(character))
        if len(self._open) > 1:
            raise InvalidExpression(r"\( without \)")
        return "".join(self._open[0])

    def _add(self, atom: str) -> None:
        self._open[-1].append(atom)

    def _begins(self) -> bool:
        """Whether an expression, or an alternative, begins here: an anchor may stand here."""
        return not self._open[-1] or self._open[-1][-1] == "|"

    def _ends(self) -> bool:
        return self._at == len(self._text) or self._text.startswith((r"\)", r"\|"), self._at)

    def _repeat(self, quantifier: str, otherwise: str) -> None:
        """Repeat the last atom; where there is none, the character stands for itself."""
        atoms = self._open[-1]
        if self._begins() or atoms[-1] == r"\A":
            atoms.append(otherwise)
        else:
            atoms[-1] = f"(?:{atoms[-1]}{quantifier})"

    def _escaped(self) -> None:
        if self._at == len(self._text):
            raise InvalidExpression("a backslash at the end")
        character = self._text[self._at]
        self._at += 1
        if character == "(":
            self._groups += 1
            self._numbers.append(self._groups)
            self._open.append([])
        elif character == ")":
            if len(self._open) == 1:
                raise InvalidExpression(r"\) without \(")
            content = "".join(self._open.pop())
            self._closed.add(self._numbers.pop())
            self._add(f"({content})")
        elif character == "|":
            self._add("|")
        elif character in "+?":
            self._repeat(character, re.escape(character))
        elif character == "{":
            self._interval()
        elif character in _ASSERTIONS:
            self._add(_ASSERTIONS[character])
        elif character in _SETS:
            self._add(f"\\{character}")
        elif character in "123456789":
            if int(character) not in self._closed:
                raise InvalidExpression(f"\\{character} without a group before it")
            self._add(f"(?:\\{character})")
        else:
            self._add(re.escape(character))

    def _interval(self) -> None:
        match = _INTERVAL.match(self._text, self._at)
        if match is None or not (match[1] or match[2]):
            raise InvalidExpression(r"\{ without numbers and \}")
        self._at = match.end()
        least = int(match[1] or 0)
        most = int(match[3]) if match[3] else None if match[2] else least
        if max(least, most or 0) > _LARGEST or (most is not None and least > most):
            raise InvalidExpression(r"wrong numbers in \{\}")
        if self._begins():
            raise InvalidExpression(r"\{\} with nothing before it")
        self._repeat(f"{{{least},{'' if most is None else most}}}" if most != least else f"{{{least}}}", "")

    def _bracket(self) -> str:
        negated = self._text.startswith("^", self._at)
        self._at += int(negated)
        parts: list[str] = []
        first = True
        while first or not self._text.startswith("]", self._at):
            first = False
            name = self._named(":")
            if name:
                if name not in _CLASSES:
                    raise InvalidExpression(f"no such class: [:{name}:]")
                parts.append(_CLASSES[name])
                continue
            low = self._member()
            if self._text.startswith("-", self._at) and not self._text.startswith("-]", self._at):
                self._at += 1
                high = self._member()
                if high < low:
                    raise InvalidExpression(f"a range from {low} to {high}")
                parts.append(f"{re.escape(low)}-{re.escape(high)}")
            else:
                parts.append(_in_set(low))
        self._at += 1
        return f"[{'^' if negated else ''}{''.join(parts)}]"

    def _named(self, mark: str) -> str:
        """The name in `[:name:]`; empty if there is none here."""
        if not self._text.startswith(f"[{mark}", self._at):
            return ""
        end = self._text.find(f"{mark}]", self._at + 2)
        if end < 0:
            raise InvalidExpression(f"[{mark} without {mark}]")
        name = self._text[self._at + 2 : end]
        self._at = end + 2
        return name

    def _member(self) -> str:
        """One character of a set; a backslash is one as well."""
        for mark in ".=":
            name = self._named(mark)
            if name:
                if len(name) > 1:
                    raise InvalidExpression(f"no such character: [{mark}{name}{mark}]")
                return name
        if self._at >= len(self._text):
            raise InvalidExpression("[ without ]")
        self._at += 1
        return self._text[self._at - 1]


def _in_set(character: str) -> str:
    # re.escape leaves alone what has no meaning outside of a set
    return f"\\{character}" if character in "^]" else re.escape(character)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""Versions and version constraints of tags (semver.org 2.0.0), as lenient as the tools that people bring constraints from.

What counts as a version, and what a constraint means, follows Masterminds/semver (used by Helm, skopeo and regsync), so that
a constraint moved here from one of them selects the same tags:

- `v1.2.3`, `1.2` and `1` are versions (1.2.3, 1.2.0 and 1.0.0); `1.2.3.4`, `latest` and `1.2.3_4` are not;
- comparisons: `=`, `!=`, `>`, `>=`, `<`, `<=`, `~` (same minor), `^` (same major; below 1.0.0 same minor);
  no operator means `=`; `*`, `1.x` and `1.2.*` are ranges, and so are `1` and `1.2`; `1.2 - 1.4` means `>=1.2 <=1.4`;
- a space or a comma means "and", `||` means "or";
- a prerelease (`1.2.3-rc1`, and therefore also `1.25-alpine`) matches only where one comparison of the same "and" group names
  a prerelease itself, such as `>=1.2-0`.
"""

from __future__ import annotations

import dataclasses
import functools
import re

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption

_PRERELEASE = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(
    r"v?(?P<major>[0-9]{1,20})(?:\.(?P<minor>[0-9]{1,20}))?(?:\.(?P<patch>[0-9]{1,20}))?"
    rf"(?:-(?P<prerelease>{_PRERELEASE}))?(?:\+(?P<build>{_PRERELEASE}))?",
    re.ASCII,
)
_PART = r"[0-9]{1,20}|[xX*]"
_RANGE = (
    rf"v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?(?:\.(?P<patch>{_PART}))?"
    rf"(?:-(?P<prerelease>{_PRERELEASE}))?(?:\+(?:{_PRERELEASE}))?"
)
_COMPARISON = re.compile(rf"(?P<operator>=|==|!=|>=|=>|<=|=<|>|<|~>|~|\^)?\s*{_RANGE}(?P<separator>\s*,\s*|\s+|$)", re.ASCII)
_HYPHEN_RANGE = re.compile(r"(?<!\S)(?P<lowest>[^\s,]+)\s+-\s+(?P<highest>[^\s,]+)(?=[\s,]|$)")
_LARGEST = 2**64

#: how a prerelease is compared: numbers before words, numbers by value (without leading zeros: by length, then by digits),
#: words by ASCII (semver.org 2.0.0, item 11)
_Identifier = tuple[int, int, str]
_Precedence = tuple[int, int, int, int, tuple[_Identifier, ...]]


@functools.total_ordering
@dataclasses.dataclass(frozen=True, eq=False)
class Version:
    """A version; compared by precedence, so `1.2`, `v1.2.0` and `1.2.0+build` are equal.

    `parts` is how many of major, minor and patch were written (1 to 3).
    """

    major: int
    minor: int = 0
    patch: int = 0
    prerelease: str = ""
    build: str = ""
    parts: int = 3

    @classmethod
    def find(cls, text: str) -> Version | None:
        """The version that `text` is as a whole, or None."""
        match = _VERSION.fullmatch(text)
        if match is None:
            return None
        numbers = [int(number) for number in match.group("major", "minor", "patch") if number is not None]
        prerelease = match.group("prerelease") or ""
        if max(numbers) >= _LARGEST or not _is_prerelease(prerelease):
            return None
        major, minor, patch = numbers + [0] * (3 - len(numbers))
        return cls(major, minor, patch, prerelease, match.group("build") or "", len(numbers))

    @classmethod
    def parse(cls, text: str, option: str = "version") -> Version:
        """The version that `text` is as a whole; else InvalidOption, whose subject is `option`."""
        version = cls.find(text)
        if version is None:
            raise InvalidOption(f"{text[:120]!r} is not a version.", subject=option, hint="A version looks like 1.2.3, v1.2 or 1.2.3-rc.1.")
        return version

    @functools.cached_property
    def precedence(self) -> _Precedence:
        """What decides which of two versions is newer (build metadata does not)."""
        identifiers = tuple(_identifier(identifier) for identifier in self.prerelease.split(".")) if self.prerelease else ()
        return self.major, self.minor, self.patch, 0 if self.prerelease else 1, identifiers

    def __eq__(self, other: object) -> bool:
        return self.precedence == other.precedence if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version) -> bool:
        return self.precedence < other.precedence

    def __hash__(self) -> int:
        return hash(self.precedence)

    def __str__(self) -> str:
        prerelease = f"-{self.prerelease}" if self.prerelease else ""
        build = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.patch}{prerelease}{build}"


def _identifier(text: str) -> _Identifier:
    return (0, len(text), text) if text.isdigit() else (1, 0, text)


def _is_prerelease(text: str) -> bool:
    """Numbers in a prerelease have no leading zeros (semver.org 2.0.0, item 9)."""
    return not any(len(identifier) > 1 and identifier[0] == "0" and identifier.isdigit() for identifier in text.split("."))


@dataclasses.dataclass(frozen=True)
class _Interval:
    """`lowest <= version < below`, or with `outside` every version that is not in there."""

    lowest: Version | None = None
    below: Version | None = None
    outside: bool = False

    def contains(self, version: Version) -> bool:
        inside = (self.lowest is None or version >= self.lowest) and (self.below is None or version < self.below)
        return inside is not self.outside


@dataclasses.dataclass(frozen=True)
class _Group:
    """Intervals that must all contain the version."""

    intervals: tuple[_Interval, ...]
    prereleases: bool

    def contains(self, version: Version) -> bool:
        if version.prerelease and not self.prereleases:
            return False
        return all(interval.contains(version) for interval in self.intervals)


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A set of versions; `text` is what it was parsed from."""

    text: str
    groups: tuple[_Group, ...]

    @classmethod
    def parse(cls, text: str, option: str = "semver") -> Constraint:
        """Understand a constraint; InvalidOption, whose subject is `option`, where it cannot be understood."""
        return cls(text, tuple(_parse_group(group, text, option) for group in text.split("||")))

    def contains(self, version: Version) -> bool:
        """Whether the version is in the set."""
        return any(group.contains(version) for group in self.groups)


def _invalid(text: str, option: str, reason: str) -> InvalidOption:
    return InvalidOption(
        f"{text[:120]!r} is not a version constraint: {reason}.",
        subject=option,
        hint="Write comparisons such as '>=1.2 <2', '^1.4', '~1.4.2', '1.x', '1.2 - 1.4', with '||' between alternatives.",
    )


def _parse_group(group: str, text: str, option: str) -> _Group:
    comparisons = _HYPHEN_RANGE.sub(r">=\g<lowest> <=\g<highest>", group.strip())
    if not comparisons:
        raise _invalid(text, option, "there is nothing in it" if text == group else "there is nothing beside one of its '||'")
    intervals: list[_Interval] = []
    prereleases = False
    position = 0
    while True:
        match = _COMPARISON.match(comparisons, position)
        if match is None:
            raise _invalid(text, option, f"{comparisons[position : position + 60]!r} is no comparison")
        intervals.append(_interval(match, text, option))
        prereleases = prereleases or match.group("prerelease") is not None
        position = match.end()
        if position == len(comparisons):
            if match.group("separator"):
                raise _invalid(text, option, "there is nothing behind its last comma")
            return _Group(tuple(intervals), prereleases)


def _interval(match: re.Match[str], text: str, option: str) -> _Interval:
    """One comparison as an interval. `1`, `1.x` and `1.2` stand for all versions that begin so."""
    written = match.group().strip(" ,")
    numbers: list[int] = []
    wildcard = False
    for part in match.group("major", "minor", "patch"):
        if part is None:
            continue
        if part in "xX*":
            wildcard = True
        elif wildcard:
            raise _invalid(text, option, f"{written!r} has a number after a wildcard")
        elif int(part) >= _LARGEST:
            raise _invalid(text, option, f"{written!r} has a number above 64 bits")
        else:
            numbers.append(int(part))
    prerelease = match.group("prerelease") or ""
    if not _is_prerelease(prerelease):
        raise _invalid(text, option, f"{written!r} has a prerelease number with a leading zero")
    operator = match.group("operator") or "="
    if not numbers:
        return _Interval(outside=operator in {"!=", ">", "<"})
    major, minor, patch = numbers + [0] * (3 - len(numbers))
    first = Version(major, minor, patch, prerelease)
    # where the prefix ends: just before the next version's lowest prerelease
    exact = len(numbers) == 3
    minor_end = _lowest(major + 1) if len(numbers) == 1 else _lowest(major, minor + 1)
    after = _successor(first) if exact else minor_end
    if operator in {"=", "=="}:
        return _Interval(first, after)
    if operator == "!=":
        return _Interval(first if exact else _lowest(major, minor), after, outside=True)
    if operator == ">":
        return _Interval(lowest=after)
    if operator in {">=", "=>"}:
        return _Interval(lowest=first)
    if operator == "<":
        return _Interval(below=first)
    if operator in {"<=", "=<"}:
        return _Interval(below=after)
    if operator in {"~", "~>"}:
        return _Interval(first, minor_end)
    return _Interval(first, _caret_end(numbers))


def _lowest(major: int, minor: int = 0, patch: int = 0) -> Version:
    """The lowest of all versions of this number: `1.2.0-0` comes before every other prerelease of 1.2.0."""
    return Version(major, minor, patch, "0")


def _successor(version: Version) -> Version:
    """The version right behind this one: nothing lies between them (`1.2.3-rc` < `1.2.3-rc.0`; `1.2.3` < `1.2.4-0`)."""
    if version.prerelease:
        return dataclasses.replace(version, prerelease=f"{version.prerelease}.0")
    return _lowest(version.major, version.minor, version.patch + 1)


def _caret_end(numbers: list[int]) -> Version:
    """`^` holds the leftmost number that is not 0: ^1.2 < 2, ^0.2.3 < 0.3, ^0.0.3 < 0.0.4, ^0.0 < 0.1, ^0 < 1."""
    if numbers[0] > 0 or len(numbers) == 1:
        return _lowest(numbers[0] + 1)
    if numbers[1] > 0 or len(numbers) == 2:
        return _lowest(0, numbers[1] + 1)
    return _lowest(0, 0, numbers[2] + 1)

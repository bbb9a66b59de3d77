# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying.semver import Constraint, Version
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2.3", (1, 2, 3, "", "", 3)),
        ("v1.2.3", (1, 2, 3, "", "", 3)),
        ("1.2", (1, 2, 0, "", "", 2)),
        ("v1", (1, 0, 0, "", "", 1)),
        ("0.0.0", (0, 0, 0, "", "", 3)),
        ("01.002.3", (1, 2, 3, "", "", 3)),
        ("20240131", (20240131, 0, 0, "", "", 1)),
        ("18446744073709551615", (2**64 - 1, 0, 0, "", "", 1)),
        ("1.2.3-rc.1", (1, 2, 3, "rc.1", "", 3)),
        ("1.25-alpine3.19", (1, 25, 0, "alpine3.19", "", 2)),
        ("3-slim", (3, 0, 0, "slim", "", 1)),
        ("1.2.3--", (1, 2, 3, "-", "", 3)),
        ("1.2.3-0", (1, 2, 3, "0", "", 3)),
        ("1.2.3-0a", (1, 2, 3, "0a", "", 3)),
        ("1.2.3+build.05", (1, 2, 3, "", "build.05", 3)),
        ("1.2.3-rc+b", (1, 2, 3, "rc", "b", 3)),
    ],
)
def test_a_version_is_read_leniently(text, expected):
    version = Version.parse(text)
    assert (version.major, version.minor, version.patch, version.prerelease, version.build, version.parts) == expected
    assert Version.find(text) == version


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v",
        "latest",
        "V1.2.3",
        "1.2.3.4",
        "1.",
        "1..2",
        ".1",
        "-1",
        "1.2.3-",
        "1.2.3+",
        "1.2.3-a..b",
        "1.2.3-01",
        "1.2.3-rc.00",
        "1.2.3_4",
        " 1.2.3",
        "1.2.3\n",
        "1.x",
        "١.2.3",
        "18446744073709551616",
        "9" * 5000,
    ],
)
def test_what_is_no_version_is_not_found_and_not_parsed(text):
    assert Version.find(text) is None
    with pytest.raises(InvalidOption) as caught:
        Version.parse(text, "tags.semver")
    assert caught.value.subject == "tags.semver"
    assert repr(text[:120]) in caught.value.message


# the example of semver.org 2.0.0, item 11, and some more
ORDERED = [
    "0.0.1-0",
    "0.0.1",
    "0.1.0",
    "1.0.0-0",
    "1.0.0-1",
    "1.0.0-9",
    "1.0.0-10",
    "1.0.0-99999999999999999999999999",
    "1.0.0--",
    "1.0.0-RC",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.1.0",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0",
    "10.0.0",
]


@pytest.mark.parametrize(("lower", "higher"), list(itertools.combinations(ORDERED, 2)))
def test_versions_are_ordered(lower, higher):
    assert Version.parse(lower) < Version.parse(higher)
    assert Version.parse(higher) > Version.parse(lower)
    assert Version.parse(lower) != Version.parse(higher)


@pytest.mark.parametrize("other", ["v1.2.0", "1.2", "1.2.0+build", "v1.2+other"])
def test_versions_of_one_precedence_are_equal(other):
    assert Version.parse("1.2.0") == Version.parse(other)
    assert hash(Version.parse("1.2.0")) == hash(Version.parse(other))
    assert (Version.parse("1.2.0") < Version.parse(other)) is False


def test_a_version_is_not_equal_to_text():
    assert Version.parse("1.2.0") != "1.2.0"


@pytest.mark.parametrize(("text", "written"), [("v1.2", "1.2.0"), ("1.2.3-rc.1+b.2", "1.2.3-rc.1+b.2")])
def test_a_version_is_written_in_full(text, written):
    assert str(Version.parse(text)) == written


@pytest.mark.parametrize(
    ("constraint", "inside", "outside"),
    [
        # comparisons
        ("1.2.3", "1.2.3 v1.2.3 1.2.3+b", "1.2.2 1.2.4 1.2.3-rc 1.3.0"),
        ("=1.2.3", "1.2.3", "1.2.4"),
        ("= 1.2.3", "1.2.3", "1.2.4"),
        ("==1.2.3", "1.2.3", "1.2.4"),
        ("=v1.2.3+b", "1.2.3", "1.2.4"),
        ("!=1.2.3", "1.2.2 1.2.4 2.0.0", "1.2.3 1.2.2-rc"),
        ("!=1.2", "1.1.9 1.3.0", "1.2.0 1.2.9"),
        ("!=1.x", "0.9.0 2.0.0", "1.0.0 1.9.9"),
        (">1.2.3", "1.2.4 1.3 2", "1.2.3 1.2.2 1.2.4-rc"),
        (">1.2", "1.3.0 2", "1.2.0 1.2.9"),
        (">1", "2.0.0", "1.0.0 1.9.9"),
        (">=1.2.3", "1.2.3 1.2.4 2", "1.2.2 1.2.3-rc"),
        ("=>1.2.3", "1.2.3 1.2.4", "1.2.2"),
        (">=1.2", "1.2.0 1.2.1 3", "1.1.9"),
        ("<1.2.3", "1.2.2 0.0.1", "1.2.3 1.2.4"),
        ("<1.2", "1.1.9", "1.2.0 1.2.1"),
        ("<1", "0.9.9", "1.0.0"),
        ("<=1.2.3", "1.2.3 1.2.2", "1.2.4"),
        ("=<1.2.3", "1.2.3 1.2.2", "1.2.4"),
        ("<=1.2", "1.2.0 1.2.9 0.1", "1.3.0"),
        ("<=1", "1.9.9 0.1", "2.0.0"),
        # ranges
        ("*", "0.0.0 1.2.3 99", "1.2.3-rc"),
        ("x", "0.0.0 1.2.3", "1.2.3-rc"),
        ("*.*.*", "0.0.0 1.2.3", "1.2.3-rc"),
        (">=*", "0.0.0 1.2.3", "1.2.3-rc"),
        (">*", "", "0.0.0 1.2.3"),
        ("<*", "", "0.0.0 1.2.3"),
        ("!=*", "", "0.0.0 1.2.3"),
        ("1", "1.0.0 1.9.9", "0.9.9 2.0.0 1.1.0-rc"),
        ("1.x", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("1.X.X", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("1.2", "1.2.0 1.2.9", "1.1.9 1.3.0"),
        ("1.2.*", "1.2.0 1.2.9", "1.1.9 1.3.0"),
        ("1.2.x", "1.2.0 1.2.9", "1.1.9 1.3.0"),
        # tilde
        ("~1", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("~1.2", "1.2.0 1.2.9", "1.1.9 1.3.0"),
        ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
        ("~>1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
        ("~0", "0.0.0 0.9.9", "1.0.0"),
        ("~1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.4 1.2.3 1.2.9", "1.2.3-beta.1 1.3.0 1.3.0-0"),
        # caret
        ("^1.2.3", "1.2.3 1.9.9", "1.2.2 2.0.0"),
        ("^1.2", "1.2.0 1.9.9", "1.1.9 2.0.0"),
        ("^1", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
        ("^0.2", "0.2.0 0.2.9", "0.1.9 0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.2 0.0.4"),
        ("^0.0", "0.0.0 0.0.9", "0.1.0"),
        ("^0", "0.0.0 0.9.9", "1.0.0"),
        ("^1.2.3-beta.2", "1.2.3-beta.4 1.2.3 1.3.0-rc", "1.2.3-beta.1 2.0.0-alpha 2.0.0"),
        # hyphen ranges
        ("1.2 - 1.4.5", "1.2.0 1.4.5", "1.1.9 1.4.6"),
        ("1.2 - 1.4", "1.2.0 1.4.9", "1.1.9 1.5.0"),
        ("1 - 2", "1.0.0 2.9.9", "0.9.9 3.0.0"),
        ("1.2.3-alpha - 1.4", "1.2.3-alpha 1.2.3-beta 1.4.0", "1.2.2 1.5.0"),
        ("1.2 - 1.4 !=1.3.1", "1.2.0 1.3.0", "1.3.1 1.5.0"),
        ("1 - 2 || 4 - 5", "1.5.0 4.5.0", "3.0.0 6.0.0"),
        # and, or
        (">=1.2 <2", "1.2.0 1.9.9", "1.1.9 2.0.0"),
        (">=1.2, <2", "1.2.0 1.9.9", "1.1.9 2.0.0"),
        (">=1.2,<2", "1.2.0 1.9.9", "1.1.9 2.0.0"),
        ("  >= 1.2  ,  < 2  ", "1.2.0 1.9.9", "1.1.9 2.0.0"),
        ("^1.2 !=1.3.x || ~3.1", "1.2.0 1.4.0 3.1.5", "1.3.5 2.0.0 3.2.0"),
        ("<1||>=3", "0.5.0 3.0.0", "1.0.0 2.9.9"),
        (">2 <1", "", "0.5.0 1.5.0 2.5.0"),
        # prereleases: one that names a prerelease is enough for its own group only
        (">=1.2.0-0 <2", "1.2.0-0 1.2.0-rc 1.5.0-rc 1.5.0 2.0.0-rc", "1.1.9 1.1.9-rc 2.0.0"),
        (">=1.2.0 <2.0.0-0", "1.2.0 1.5.0-rc", "1.2.0-rc 2.0.0-rc"),
        (">=1.2-0 <2 || >=3", "1.5.0-rc 3.0.0 4.0.0", "3.0.1-rc 2.5.0"),
        (">1.2.3-rc", "1.2.3-rc.0 1.2.3-rd 1.2.3 1.2.4-0", "1.2.3-rc 1.2.3-a"),
        ("<=1.2.3-rc", "1.2.3-rc 1.2.3-a 1.2.2", "1.2.3-rc.0 1.2.3"),
        ("1.2.3-rc.1", "1.2.3-rc.1 1.2.3-rc.1+b", "1.2.3-rc.1.0 1.2.3-rc.2 1.2.3"),
        ("!=1.2.3-rc.1", "1.2.3-rc.2 1.2.3", "1.2.3-rc.1"),
        ("1.x-0", "1.0.0 1.9.9-rc", "2.0.0-rc 2.0.0"),
    ],
)
def test_a_constraint_contains(constraint, inside, outside):
    parsed = Constraint.parse(constraint)
    assert parsed.text == constraint
    assert [text for text in inside.split() if not parsed.contains(Version.parse(text))] == []
    assert [text for text in outside.split() if parsed.contains(Version.parse(text))] == []


@pytest.mark.parametrize(
    ("constraint", "reason"),
    [
        ("", "nothing in it"),
        ("   ", "nothing in it"),
        ("||", "nothing beside"),
        (">=1 ||", "nothing beside"),
        ("|| >=1", "nothing beside"),
        (">=1 || || 2", "nothing beside"),
        (">=1,", "behind its last comma"),
        (",>=1", "',>=1' is no comparison"),
        (">=1,,<2", "',<2' is no comparison"),
        (">=", "'>=' is no comparison"),
        (">>1", "'>>1' is no comparison"),
        (">=1<2", "'>=1<2' is no comparison"),
        (">=1 | <2", "'| <2' is no comparison"),
        (">=1 latest", "'latest' is no comparison"),
        ("1.2.3.4", "'1.2.3.4' is no comparison"),
        ("1.x.3", "'1.x.3' has a number after a wildcard"),
        ("*.1, 2", "'*.1' has a number after a wildcard"),
        ("1.2.3-01", "leading zero"),
        ("18446744073709551616", "above 64 bits"),
        (">=1 - 2", "no comparison"),
        ("1 -2", "'-2' is no comparison"),
        ("1.2.3-", "no comparison"),
    ],
)
def test_a_wrong_constraint_names_option_value_and_reason(constraint, reason):
    with pytest.raises(InvalidOption) as caught:
        Constraint.parse(constraint, "rules[0].tags.semver")
    assert caught.value.subject == "rules[0].tags.semver"
    assert repr(constraint) in caught.value.message
    assert reason in caught.value.message
    assert ">=1.2 <2" in caught.value.hint


@pytest.mark.parametrize("operator", ["=", "!=", ">", ">=", "<", "<=", "~", "^"])
@pytest.mark.parametrize("bound", ["0.0.1", "0.1.0", "1.0.0", "1.0.0-alpha.1", "1.0.0-rc.1", "1.2.0"])
def test_comparisons_agree_with_the_order(operator, bound):
    """The intervals say the same as comparing one by one, also for prereleases (the last comparison lets all of them in)."""
    limit = Version.parse(bound)

    def same_minor(version):
        return (version.major, version.minor) == (limit.major, limit.minor)

    def same_caret(version):
        if limit.major:
            return version.major == limit.major
        return same_minor(version) and (limit.minor > 0 or version.patch == limit.patch)

    expected = {
        "=": lambda version: version == limit,
        "!=": lambda version: version != limit,
        ">": lambda version: version > limit,
        ">=": lambda version: version >= limit,
        "<": lambda version: version < limit,
        "<=": lambda version: version <= limit,
        "~": lambda version: version >= limit and same_minor(version),
        "^": lambda version: version >= limit and same_caret(version),
    }[operator]
    constraint = Constraint.parse(f"{operator}{bound} >=0.0.0-0")
    for text in ORDERED:
        version = Version.parse(text)
        assert constraint.contains(version) is expected(version), text

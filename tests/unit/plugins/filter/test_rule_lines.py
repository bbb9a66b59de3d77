# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.filter.rule_lines import FilterModule


@pytest.fixture
def lines():
    return FilterModule().filters()["rule_lines"]


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ({}, "all repositories; under the same name"),
        ({"repositories": None, "tags": None, "mapping": None}, "all repositories; under the same name"),
        ({"repositories": {"include": ["team/**", "base"]}}, "repositories team/**, base; under the same name"),
        ({"repositories": {"exclude": ["a", "b"]}}, "all repositories, but not a, b; under the same name"),
        (
            {"repositories": {"include": "team/**"}, "tags": {"include": ["v*"], "newest": 5, "semver": None}, "mapping": {"prefix": "p"}},
            "repositories team/**; tags v*, newest 5; mapping: prefix p",
        ),
        (
            {"tags": {"semver": ">=3"}, "mapping": {"flatten": 1, "library": None}},
            "all repositories; all tags, semver >=3; mapping: flatten 1",
        ),
    ],
)
def test_a_rule(lines, rule, line):
    assert lines([rule]) == [f"rules[0]: {line}"]


def test_it_stays_short(lines):
    names = [f"team/app{number}" for number in range(1000)]
    found = lines([{"repositories": {"include": names}, "mapping": {"regex": [{"pattern": "x" * 9999}]}}] * 40)
    assert len(found) == 11
    assert found[-1] == "and 30 more"
    assert all(len(line) <= 420 for line in found)


@pytest.mark.parametrize("rules", [None, "team/**", {}, ["team/**"]])
def test_rules_that_are_none(lines, rules):
    with pytest.raises(AnsibleFilterError, match="list of dictionaries"):
        lines(rules)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules and patterns that match nothing are named."""

from __future__ import annotations

from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Rule
from ansible_collections.registryops.migration.plugins.module_utils._copying.unmatched import MOST_WARNINGS, Unmatched

CATALOGUE = ["base/os", "team/app", "team/old"]


def warnings_of(*options, tags=(), of_tags=True):
    rules = [Rule.from_options(option, f"rules[{number}]") for number, option in enumerate(options)]
    unmatched = Unmatched(rules)
    for number, rule in enumerate(rules):
        names = [name for name in CATALOGUE if rule.repositories.match(name)]
        unmatched.repositories(number, len(names), CATALOGUE)
        for _name in names:
            unmatched.tags(rule, list(tags), sum(rule.tags.include.match(tag) or not rule.tags.include for tag in tags))
    return unmatched.warnings(of_tags)


def repositories(*include, exclude=()):
    return {"repositories": {"include": list(include), "exclude": list(exclude)}}


def test_what_matches_is_no_matter():
    options = {**repositories("team/*", "regex:base/.+", exclude=["team/old", "*/o*"]), "tags": {"include": ["v*", "1"]}}
    assert warnings_of({}, options, tags=["v1", "1"]) == []


def test_each_pattern_that_matches_nothing_is_named():
    options = repositories("team/*", "taem/**", "regex:bass/.+", "{base,bass}/*", exclude=["team/olld", "team/old", "*/cache"])
    assert warnings_of(options, tags=["1"]) == [
        "rules[0].repositories.include: taem/** matches no repository.",
        "rules[0].repositories.include: regex:bass/.+ matches no repository.",
        "rules[0].repositories.exclude: team/olld matches no repository.",
        "rules[0].repositories.exclude: */cache matches no repository.",
    ]


def test_a_rule_that_selects_nothing_is_named_though_another_one_matches():
    assert warnings_of(repositories("team/*"), repositories("taem/*"), tags=["1"]) == [
        "rules[1] selects no repository: nothing matches taem/*."
    ]


def test_names_that_do_not_exist_fail_by_themselves():
    assert warnings_of(repositories("team/*", "no/such"), tags=["1"]) == []


def test_tags():
    some = {"tags": {"include": ["v*", "release-*", "12"]}}
    none = {"tags": {"include": ["release-*"]}}
    assert warnings_of(some, none, tags=["v1", "latest"]) == [
        "rules[0].tags.include: release-* matches no tag.",
        "rules[1] selects no tag: nothing matches release-*.",
    ]
    # one of several workers sees a part of the repositories
    assert warnings_of(some, none, tags=["v1", "latest"], of_tags=False) == []


def test_there_is_an_end_to_it():
    found = warnings_of(repositories("team/*", *(f"x{number}*" for number in range(50))), tags=["1"])
    assert len(found) == MOST_WARNINGS + 1
    assert found[-1] == "30 more patterns match nothing."

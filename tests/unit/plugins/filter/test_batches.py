# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.filter.batches import FilterModule

REPOSITORIES = [
    {"name": "team/app", "tags": [{"name": "1.0"}, {"name": "1.1"}, {"name": "2.0"}]},
    {"name": "team/web", "tags": [{"name": "1.0"}, {"name": "latest"}]},
    {"name": "other", "tags": [{"name": "x"}]},
]


@pytest.fixture
def batches():
    return FilterModule().filters()["batches"]


def rule(repository, *tags, **more):
    return {"repositories": {"include": [repository]}, "tags": {"include": list(tags)}, **more}


def test_batches_are_full_but_for_the_last_one(batches):
    assert batches(REPOSITORIES, [{}], 2) == [
        [rule("team/app", "1.0", "1.1")],
        [rule("team/app", "2.0"), rule("team/web", "1.0")],
        [rule("team/web", "latest"), rule("other", "x")],
    ]
    assert len(batches(REPOSITORIES, [{}], "4")) == 2
    assert len(batches(REPOSITORIES, [{}], 100)) == 1


def test_rules_select_as_in_a_copy_and_keep_their_mapping(batches):
    rules = [
        {
            "repositories": {"include": ["team/*"], "exclude": ["team/web"]},
            "tags": {"semver": "<2", "newest": 1},
            "mapping": {"prefix": "p"},
        },
        {"repositories": {"include": ["other"]}},
    ]
    assert batches(REPOSITORIES, rules, 10) == [[rule("team/app", "1.1", mapping={"prefix": "p"}), rule("other", "x")]]


def test_what_could_not_be_listed_is_in_the_first_batch_with_the_rule_that_selects_it(batches):
    rules = [{"repositories": {"exclude": ["secret"]}, "tags": {"include": ["1.0"]}}]
    found = batches(REPOSITORIES, rules, 1, unreadable=["late", "secret"])
    assert found[0][0] == {"repositories": {"include": ["late"]}, "tags": {"include": ["1.0"]}}
    assert found == [[found[0][0], rule("team/app", "1.0")], [rule("team/web", "1.0")]]


def test_without_a_tag_the_rules_are_left_as_they_are(batches):
    rules = [{"repositories": {"include": ["nobody/*"]}}]
    assert batches(REPOSITORIES, rules, 5) == [rules]
    assert batches([], [{}], 5, unreadable=["late"]) == [[{"repositories": {"include": ["late"]}}]]


@pytest.mark.parametrize(
    ("repositories", "rules", "size", "words"),
    [
        (REPOSITORIES, [{}], 0, "size is 0"),
        (REPOSITORIES, [{}], True, "size is True"),
        (REPOSITORIES, [{}], "few", "size is 'few'"),
        (REPOSITORIES, [{"tags": {"since": "90d"}}], 5, "needs the dates of images"),
        (REPOSITORIES, [{"tags": {"include": ["regex:("]}}], 5, "rules[0].tags.include"),
        ([{"name": "team/app", "tag_count": 3}], [{}], 5, "with their tags"),
        (REPOSITORIES, None, 5, "a list of rules"),
    ],
)
def test_what_cannot_be_is_said(batches, repositories, rules, size, words):
    with pytest.raises(AnsibleFilterError) as caught:
        batches(repositories, rules, size)
    assert words in str(caught.value)

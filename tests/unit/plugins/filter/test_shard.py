# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.filter.shard import FilterModule
from ansible_collections.registryops.migration.plugins.module_utils._copying.shards import assign

REPOSITORIES = [
    {"name": "team/large", "size": 8_000},
    {"name": "team/medium", "size": 5_000, "tags": 3},
    {"name": "team/small", "size": 2_000},
    {"name": "team/unknown"},
]


@pytest.fixture
def shard():
    return FilterModule().filters()["shard"]


def test_each_worker_gets_its_part(shard):
    assert shard(REPOSITORIES, 0, 2) == ["team/large"]
    assert shard(REPOSITORIES, 1, 2) == ["team/medium", "team/small", "team/unknown"]
    assert shard(REPOSITORIES, 0, 1) == ["team/large", "team/medium", "team/small", "team/unknown"]
    assert shard(REPOSITORIES, 9, 10) == []


@pytest.mark.parametrize("by", ["size", "name"])
def test_parts_are_those_of_assign(shard, by):
    sizes = {repository["name"]: repository.get("size", 0) for repository in REPOSITORIES}
    assert [shard(REPOSITORIES, index, 3, by=by) for index in range(3)] == assign(sizes, 3, by)


def test_variables_that_are_strings_are_numbers_all_the_same(shard):
    assert shard([{"name": "a", "size": "10"}, {"name": "b", "size": "9"}], "1", " 2 ") == ["b"]


def test_plain_names_and_null_sizes_are_of_unknown_size(shard):
    assert shard(["b", {"name": "a", "size": None}, "c"], 0, 2) == ["a", "c"]
    assert shard((), 0, 2) == []


def test_a_repository_named_twice_counts_once_with_its_greater_size(shard):
    repositories = [{"name": "a", "size": 1}, {"name": "b", "size": 5}, {"name": "a", "size": 7}, {"name": "c", "size": 6}, "a"]
    assert shard(repositories, 0, 2) == ["a"]
    assert shard(repositories, 1, 2) == ["b", "c"]


@pytest.mark.parametrize(
    ("repositories", "index", "count", "by", "message"),
    [
        (REPOSITORIES, 2, 2, "size", "index is 2; with a count of 2 it has to be from 0 to 1"),
        (REPOSITORIES, -1, 2, "size", "index is -1; with a count of 2 it has to be from 0 to 1"),
        (REPOSITORIES, 0, 0, "size", "count is 0; give a number of workers, at least 1"),
        (REPOSITORIES, 0, -3, "name", "count is -3"),
        (REPOSITORIES, "one", 2, "size", "index is 'one'; give a whole number"),
        (REPOSITORIES, "", 2, "size", "index is ''; give a whole number"),
        (REPOSITORIES, None, 2, "size", "index is None; give a whole number"),
        (REPOSITORIES, True, 2, "size", "index is True; give a whole number"),
        (REPOSITORIES, 0, 1.5, "size", "count is 1.5; give a whole number"),
        (REPOSITORIES, 0, [2], "size", "count is [2]; give a whole number"),
        (REPOSITORIES, 0, 2, "date", "by: 'date' is not known. Give one of size, name."),
        ("team/app", 0, 2, "size", "the input is of type str; give a list"),
        ({"team/app": 1}, 0, 2, "size", "the input is of type dict; give a list"),
        (None, 0, 2, "size", "the input is of type NoneType; give a list"),
        (["a", {"size": 1}], 0, 2, "size", "item 1 of the input has no name"),
        ([{"name": ""}], 0, 2, "size", "item 0 of the input has no name"),
        ([{"name": 1}], 0, 2, "size", "item 0 of the input has no name"),
        ([None], 0, 2, "size", "item 0 of the input has no name"),
        ([{"name": "a", "size": -1}], 0, 2, "size", "-1 is not the size of a"),
        ([{"name": "a", "size": "large"}], 0, 2, "size", "the size of a is 'large'; give a whole number"),
    ],
)
def test_a_wrong_argument_is_named(shard, repositories, index, count, by, message):
    with pytest.raises(AnsibleFilterError) as caught:
        shard(repositories, index, count, by=by)
    assert str(caught.value).startswith("registryops.migration.shard: ")
    assert message in str(caught.value)

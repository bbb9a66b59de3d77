# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying.shards import assign
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption

SIZES = {f"team-{number % 7}/app-{number}": number * number * 1000 for number in range(200)}


@pytest.mark.parametrize("by", ["size", "name"])
@pytest.mark.parametrize("count", [1, 2, 3, 16, 500])
def test_every_repository_is_in_one_part(by, count):
    parts = assign(SIZES, count, by)
    assert len(parts) == count
    assert sorted(itertools.chain.from_iterable(parts)) == sorted(SIZES)
    assert all(part == sorted(part) for part in parts)


@pytest.mark.parametrize("by", ["size", "name"])
def test_the_order_of_the_input_does_not_matter(by):
    assert assign(SIZES, 5, by) == assign(dict(reversed(list(SIZES.items()))), 5, by)


@pytest.mark.parametrize("by", ["size", "name"])
def test_nothing_to_divide(by):
    assert assign({}, 3, by) == [[], [], []]


@pytest.mark.parametrize("count", [2, 3, 7, 16])
def test_parts_by_size_are_balanced(count):
    loads = [sum(SIZES[name] for name in part) for part in assign(SIZES, count)]
    least = max(sum(SIZES.values()) / count, *SIZES.values())
    assert max(loads) <= least * (4 / 3 - 1 / (3 * count))


def test_the_largest_goes_first_and_ties_go_by_name():
    assert assign({"a": 5, "b": 8, "c": 5, "d": 2}, 2) == [["b", "d"], ["a", "c"]]
    assert assign({"b": 1, "a": 1, "d": 1, "c": 1}, 2) == [["a", "c"], ["b", "d"]]


def test_repositories_of_unknown_size_are_spread_by_number():
    assert assign(dict.fromkeys("abcdef", 0), 3) == [["a", "d"], ["b", "e"], ["c", "f"]]
    # one that is known to be large does not keep the others away from the rest
    assert [len(part) for part in assign({"large": 10**12, **dict.fromkeys("abcdef", 0)}, 4)] == [1, 2, 2, 2]


def test_parts_by_name_do_not_look_at_sizes():
    assert assign(SIZES, 4, "name") == assign(dict.fromkeys(SIZES, 0), 4, "name")


def test_parts_by_name_are_disjoint_even_where_lists_differ():
    names = list(SIZES)
    whole = assign(SIZES, 4, "name")
    for missing in range(0, len(names), 17):
        seen = {name: 0 for name in names if name != names[missing]}
        for index, part in enumerate(assign(seen, 4, "name")):
            assert part == [name for name in whole[index] if name != names[missing]]


def test_one_more_worker_takes_repositories_but_moves_none_between_the_others():
    before, after = assign(SIZES, 4, "name"), assign(SIZES, 5, "name")
    for index in range(4):
        assert set(after[index]) <= set(before[index])
    # about a fifth; at least one and far from all
    assert 0 < len(after[4]) < len(SIZES) / 2


def test_parts_by_name_are_of_similar_number():
    counts = [len(part) for part in assign({f"repository-{number}": 0 for number in range(4000)}, 4, "name")]
    assert all(850 < count < 1150 for count in counts)


def test_a_name_keeps_its_part_from_release_to_release():
    """A change here would send a repository to another worker in the middle of a migration.

    The expected parts were made with `printf '%s:%s' INDEX NAME | sha256sum`: the greatest of the three wins.
    """
    names = ["team/app", "team/web", "library/nginx", "a", "b", "c"]
    assert assign(dict.fromkeys(names, 0), 3, "name") == [["c"], ["team/web"], ["a", "b", "library/nginx", "team/app"]]


@pytest.mark.parametrize(
    ("sizes", "count", "by", "subject"),
    [
        ({"a": 1}, 0, "size", "count"),
        ({"a": 1}, -1, "name", "count"),
        ({"a": 1}, 1, "date", "by"),
        ({"a": -1}, 1, "size", "size"),
    ],
)
def test_what_cannot_be_is_named(sizes, count, by, subject):
    with pytest.raises(InvalidOption) as caught:
        assign(sizes, count, by)
    assert caught.value.subject == subject
    assert caught.value.hint

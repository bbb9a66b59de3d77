# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists that come in pages: all of them, each once, in order; and what must not be taken for a whole list."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci import paging
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, next_link, numbered, walk

WHAT = "the tags of team/app"
HERE = "https://registry.example.com/v2/_catalog?n=2"


def pages_of(pages):
    """What reads pages by their names: `{name: Page}`; and the names that were read."""
    read = []

    def get(name):
        read.append(name)
        return pages[name]

    return get, read


def test_all_pages_in_their_order():
    get, read = pages_of({"": Page(["a", "b"], "b"), "b": Page(["c", "d"], "d"), "d": Page(["e"], None)})
    assert list(walk("", get, WHAT)) == ["a", "b", "c", "d", "e"]
    assert read == ["", "b", "d"]


def test_a_page_is_read_when_it_is_wanted():
    get, read = pages_of({1: Page(["a"], 2), 2: Page(["b"], None)})
    items = walk(1, get, WHAT)
    assert next(items) == "a"
    assert read == [1]


@pytest.mark.parametrize("back_to", ["", "b", "d"])
def test_a_circle(back_to):
    get, read = pages_of({"": Page(["a", "b"], "b"), "b": Page(["c", "d"], "d"), "d": Page(["e"], back_to)})
    with pytest.raises(InvalidAnswer, match="round in a circle") as caught:
        list(walk("", get, WHAT))
    assert caught.value.subject == WHAT
    assert read == ["", "b", "d"]


def test_pages_that_bring_nothing():
    numbers = itertools.count()

    def get(_cursor):
        return Page([], next(numbers))

    with pytest.raises(InvalidAnswer, match="circle"):
        list(walk(-1, get, WHAT))
    assert next(numbers) == paging.MOST_BARREN_PAGES + 1


def test_some_empty_pages_do_no_harm():
    last = paging.MOST_BARREN_PAGES
    pages = {number: Page([], number + 1) for number in range(last)}
    get, _read = pages_of({**pages, last: Page(["late"], None)})
    assert list(walk(0, get, WHAT)) == ["late"]


def test_a_list_without_end(monkeypatch):
    monkeypatch.setattr(paging, "MOST_PAGES", 7)
    with pytest.raises(InvalidAnswer, match="circle"):
        list(walk(0, lambda number: Page([number], number + 1), WHAT))


def test_a_list_that_is_cut_short():
    get, _read = pages_of({1: Page(["a", "b"], 2, 5), 2: Page(["c"], None, 5)})
    items = walk(1, get, WHAT)
    assert list(itertools.islice(items, 3)) == ["a", "b", "c"]
    with pytest.raises(InvalidAnswer, match="only 3 of the 5 items"):
        next(items)


def test_an_empty_page_at_the_end_does_not_hide_what_is_missing():
    get, _read = pages_of({1: Page(["a", "b"], 2, 5), 2: Page([], None)})
    with pytest.raises(InvalidAnswer, match="only 2 of the 5 items"):
        list(walk(1, get, WHAT))


def test_the_last_word_on_the_number_of_items_counts():
    """Somebody deletes one while the list is read."""
    get, _read = pages_of({1: Page(["a", "b"], 2, 4), 2: Page(["c"], None, 3)})
    assert list(walk(1, get, WHAT)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("count", "number", "total", "before", "following"),
    [
        (3, 1, -1, -1, 2),
        (2, 4, -1, -1, None),
        (0, 5, -1, -1, None),
        (3, 1, 6, -1, 2),
        (3, 2, 6, -1, None),
        (3, 1, 3, -1, None),
        # the product gives two where three were asked for
        (2, 1, 5, 0, 2),
        (2, 2, 5, 2, 3),
        (1, 3, 5, 4, None),
        # an empty page ends any list: whether something is missing is seen by the count
        (0, 2, 5, 2, None),
        (0, 1, 0, 0, None),
    ],
)
def test_pages_by_number(count, number, total, before, following):
    page = numbered(list(range(count)), number, 3, total, before)
    assert page.following == following
    assert page.total == total


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (['</v2/_catalog?last=b&n=2>; rel="next"'], "https://registry.example.com/v2/_catalog?last=b&n=2"),
        (["</v2/_catalog?last=b>; rel=next"], "https://registry.example.com/v2/_catalog?last=b"),
        (['<?last=b>; rel="next"'], "https://registry.example.com/v2/_catalog?last=b"),
        (['<https://other.example.com/x>; rel="next"'], "https://other.example.com/x"),
        (['<https://a.example.com/1>; rel="prev", <https://a.example.com/3>; rel="next"'], "https://a.example.com/3"),
        (['<https://a.example.com/1>; rel="prev"', '<https://a.example.com/3>; title="on"; rel="next"'], "https://a.example.com/3"),
        (['<https://a.example.com/?q=1,2>; rel = "next"'], "https://a.example.com/?q=1,2"),
        (['<https://a.example.com/9>; rel="last"'], None),
        (["nonsense"], None),
        ([""], None),
        ([], None),
    ],
)
def test_the_link_to_the_next_page(lines, address):
    assert next_link(HERE, lines) == address

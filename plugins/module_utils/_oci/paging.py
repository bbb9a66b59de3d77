# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Lists that come in pages, whatever the style: links, numbers, names to go on from, opaque marks.

The dangers are the same for all of them: a list that goes round in a circle, and one that is cut short without a word.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import joined

MOST_PAGES = 100_000
#: pages of a list, one after the other, that bring nothing new
MOST_BARREN_PAGES = 100

Item = t.TypeVar("Item")
_REPORT = "Report it to the registry's operator."


@dataclasses.dataclass(frozen=True)
class Page(t.Generic[Item]):
    """Some items, and what the next page is asked for by (an address, a number, a mark); None for the last page.

    `total`: how many items there are on all pages, -1 where the product does not tell.
    """

    items: t.Sequence[Item]
    following: t.Hashable | None
    total: int = -1


def walk(first: t.Hashable, read: t.Callable[[t.Any], Page[Item]], what: str) -> t.Iterator[Item]:
    """All items of a list. `read` gets a page; `what` is the list, for messages.

    Raises InvalidAnswer for a list that goes round in a circle, never ends, or has fewer items than it says.
    """
    cursor: t.Hashable | None = first
    seen: set[t.Hashable] = set()
    count = barren = 0
    total = -1
    while cursor is not None:
        if cursor in seen or len(seen) >= MOST_PAGES or barren > MOST_BARREN_PAGES:
            raise InvalidAnswer("its pages of a list go round in a circle.", subject=what, hint=_REPORT)
        seen.add(cursor)
        page = read(cursor)
        yield from page.items
        count += len(page.items)
        barren = 0 if page.items else barren + 1
        # a last page that is empty need not say it again
        total = page.total if page.total >= 0 else total
        cursor = page.following
    if count < total:
        raise InvalidAnswer(
            f"lists only {count} of the {total} items that it says to have.",
            subject=what,
            hint="Run again; if it persists, " + _REPORT.lower(),
        )


def numbered(items: t.Sequence[Item], number: int, size: int, total: int = -1, count_before: int = -1) -> Page[Item]:
    """A page of a list by number, from 1, with `size` items each but for the last one.

    `count_before`: items on the pages before, where that is not `(number - 1) * size`, because the product has made pages smaller.
    """
    before = (number - 1) * size if count_before < 0 else count_before
    whole = before + len(items) >= total if total >= 0 else len(items) < size
    return Page(items, None if whole or not items else number + 1, total)


def check_gone_on(names: t.Sequence[str], seen: t.Collection[str], what: str) -> None:
    """Raise InvalidAnswer where a catalogue that was asked to go on gives the names again that it has given so far.

    To be asked where it ended with a page of a usual size: then it may have been cut, and nobody knows whether these are all.
    """
    if seen and seen == set(names):
        raise InvalidAnswer(
            f"lists {len(seen)} repositories without a word of more, and the same ones again where it is asked to go on: "
            "it may keep others back.",
            subject=what,
            hint="Name the repositories in the rule (repositories: include: [team/app, ...]), or set provider to the product.",
        )


def next_link(url: str, lines: t.Sequence[str]) -> str | None:
    """The address in `Link: <...>; rel="next"` (RFC 5988), with and without quotes, relative to `url` or absolute; None for none."""
    for line in lines:
        for link in line.split(", <"):
            target, _bracket, parameters = link.strip().lstrip("<").partition(">")
            relation = parameters.replace('"', "").replace(" ", "").lower()
            if "rel=next" in relation.split(";"):
                return joined(url, target)
    return None

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages of lists, as the APIs of products give them."""

from __future__ import annotations

import typing as t
import urllib.parse

from estate.product import Answer, Asked

Row = t.TypeVar("Row")


def size_of(asked: Asked, name: str, usual: int, largest: int) -> int:
    """How many items a page has: what the query asks for, as far as the product goes along."""
    return min(max(1, int(asked.query.get(name, usual))), largest)


def window(rows: t.Sequence[Row], number: int, size: int) -> t.Sequence[Row]:
    """The items of a page; the first one has the number 1."""
    return rows[(number - 1) * size : number * size]


def linked(url: str, asked: Asked, rows: t.Sequence[Row], size: int, describe: t.Callable[[Row], t.Any], **headers: str) -> Answer:
    """A page whose header Link names the next one and the last one, as GitHub, GitLab and Gitea do. `url`: that of the double."""
    number, last = int(asked.query.get("page", 1)), max(1, -(-len(rows) // size))

    def link(page: int, relation: str) -> str:
        return f'<{url}{asked.path}?{urllib.parse.urlencode({**asked.query, "page": page})}>; rel="{relation}"'

    if number < last:
        headers["Link"] = f"{link(number + 1, 'next')}, {link(last, 'last')}"
    return Answer(200, [describe(row) for row in window(rows, number, size)], headers)

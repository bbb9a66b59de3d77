# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""Dividing repositories among workers, so that no two workers ever copy the same repository."""

from __future__ import annotations

import hashlib
import heapq
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption

AssignBy = t.Literal["size", "name"]


def assign(sizes: t.Mapping[str, int], count: int, by: str = "size") -> list[list[str]]:
    """Divide repositories into `count` parts, some perhaps empty; each part in the order of names.

    `sizes`: repository -> bytes (or any other measure of the work in it); 0 where unknown.
    `by` is one of:

    - `size`: parts of about the same size, with the largest repositories given out first, each to the part that is smallest by
      then (longest processing time first; at worst 4/3 of the best possible). The same input gives the same parts, another
      input may move any repository: all workers have to start from one list.
    - `name`: a repository's part depends on its name and `count` alone (rendezvous hashing), so parts are disjoint even where
      workers have seen different lists; sizes are not looked at.

    InvalidOption where `count`, `by` or a size cannot be.
    """
    if count < 1:
        raise InvalidOption(f"{count!r} is not a number of parts.", subject="count", hint="Give a whole number from 1.")
    if by not in t.get_args(AssignBy):
        raise InvalidOption(f"{by!r} is not known.", subject="by", hint=f"Give one of {', '.join(t.get_args(AssignBy))}.")
    for name, size in sizes.items():
        if size < 0:
            raise InvalidOption(
                f"{size!r} is not the size of {name}.", subject="size", hint="Give a number of bytes, or 0 where it is unknown."
            )
    parts = _by_size(sizes, count) if by == "size" else _by_name(sizes, count)
    return [sorted(part) for part in parts]


def _by_size(sizes: t.Mapping[str, int], count: int) -> list[list[str]]:
    parts: list[list[str]] = [[] for _index in range(count)]
    # size, then number of repositories (which spreads those of unknown size), then index
    smallest_first = [(0, 0, index) for index in range(count)]
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        size, repositories, index = smallest_first[0]
        parts[index].append(name)
        heapq.heapreplace(smallest_first, (size + sizes[name], repositories + 1, index))
    return parts


def _by_name(names: t.Iterable[str], count: int) -> list[list[str]]:
    parts: list[list[str]] = [[] for _index in range(count)]
    for name in names:
        parts[_part_of(name, count)].append(name)
    return parts


def _part_of(name: str, count: int) -> int:
    return max(range(count), key=lambda index: _weight(name, index))


def _weight(name: str, index: int) -> bytes:
    """How much a part wants a repository: the part with the greatest weight gets it."""
    return hashlib.sha256(f"{index}:{name}".encode("utf-8", "surrogatepass")).digest()

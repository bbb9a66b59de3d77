# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Carrying out a plan: kinds in their order, many at a time, and nothing that needs what could not be written."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import Change, People

OnError = t.Literal["skip", "abort"]
#: threads, where nobody says how many
WORKERS = 16


@dataclasses.dataclass
class Applied:
    """What a run did: items by kind and state, and what went wrong, in the order of the plan."""

    counts: dict[str, collections.Counter[str]] = dataclasses.field(default_factory=dict)
    failures: list[Change] = dataclasses.field(default_factory=list)
    refused: list[Change] = dataclasses.field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether something was written, or in a plan is to be."""
        raise NotImplementedError


def apply(
    people: People,
    changes: t.Sequence[Change],
    *,
    workers: int = 0,
    on_error: OnError = "skip",
    progress: t.Callable[[Change], None] | None = None,
) -> Applied:
    """Carry out what is due of a plan; the states and problems of the changes say afterwards what became of each.

    `on_error`: with `abort` nothing more is begun after the first failure. An error that ends a run does that in any case.
    `progress` is told of each change that is done, from any thread, one at a time.
    """
    raise NotImplementedError


def summed(changes: t.Iterable[Change]) -> Applied:
    """The counts of a plan that was not carried out."""
    raise NotImplementedError

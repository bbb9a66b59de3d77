# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Carrying out a plan: kinds in their order, many at a time, and nothing that needs what could not be written."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import (
    FAILED,
    NOT_ATTEMPTED,
    REFUSED,
    REMOVED,
    STATES,
    Change,
    People,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import KINDS, Key
from ansible_collections.registryops.migration.plugins.module_utils._identity.planning import Unwanted, needs
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ENDS_A_RUN, MigrationError

OnError = t.Literal["skip", "abort"]
#: threads, where nobody says how many
WORKERS = 16


@dataclasses.dataclass
class Applied:
    """What a run did, or a plan is about to do: items by kind and state, and what went wrong, in the order of the plan."""

    counts: dict[str, collections.Counter[str]] = dataclasses.field(default_factory=dict)
    failures: list[Change] = dataclasses.field(default_factory=list)
    refused: list[Change] = dataclasses.field(default_factory=list)
    #: why nothing more was begun
    ended_by: MigrationError | None = None
    _due: int = 0

    @property
    def changed(self) -> bool:
        """Whether something was written, or in a plan is to be."""
        return self._due > 0

    @property
    def totals(self) -> dict[str, int]:
        """How many items came to each state, over all kinds."""
        return {state: sum(counts[state] for counts in self.counts.values()) for state in STATES}

    def count(self, change: Change) -> None:
        """Take in a change."""
        self.counts.setdefault(change.item.kind, collections.Counter())[change.state] += 1
        self._due += change.is_due
        if change.state == FAILED:
            self.failures.append(change)
        elif change.state == REFUSED:
            self.refused.append(change)


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
    run = _Run(people, on_error, progress)
    with concurrent.futures.ThreadPoolExecutor(workers or WORKERS) as pool:
        for batches in _waves(changes, people):
            # all of a kind are there before anything that needs them is begun
            for future in [pool.submit(run.write, batch) for batch in batches]:
                future.result()
    done = summed(changes)
    done.ended_by = run.ended_by
    return done


def summed(changes: t.Iterable[Change]) -> Applied:
    """The counts of changes, carried out or not."""
    done = Applied()
    for change in changes:
        done.count(change)
    return done


def _waves(changes: t.Sequence[Change], people: People) -> t.Iterator[list[list[Change]]]:
    """What can be written at the same time, wave after wave: each kind that comes to be, then each that goes, the other way round."""
    order = [cls.kind for cls in KINDS]
    for removing in (False, True):
        for kind in reversed(order) if removing else order:
            due = [change for change in changes if change.is_due and change.item.kind == kind and (change.state == REMOVED) is removing]
            size = max(1, people.batch(kind))
            yield [due[start : start + size] for start in range(0, len(due), size)]


class _Run:
    """Writes batches, from many threads."""

    def __init__(self, people: People, on_error: OnError, progress: t.Callable[[Change], None] | None) -> None:
        self._people = people
        self._on_error = on_error
        self._progress = progress
        self._lock = threading.Lock()
        self._not_there: set[tuple[str, Key]] = set()
        self.ended_by: MigrationError | None = None

    def write(self, batch: t.Sequence[Change]) -> None:
        """Write a batch; what becomes of each change is noted in it."""
        possible = []
        for change in batch:
            if self.ended_by is not None:
                self._done(change, NOT_ATTEMPTED, None)
                continue
            missing = self._missing(change)
            if missing is None:
                possible.append(change)
            else:
                self._done(change, FAILED, missing)
        if not possible:
            return
        try:
            problems: t.Sequence[MigrationError | None] = self._people.write(possible)
        except MigrationError as error:
            problems = [error] * len(possible)
        for change, problem in zip(possible, problems):
            self._done(change, FAILED if problem is not None else change.state, problem)

    def _missing(self, change: Change) -> MigrationError | None:
        """What a change would need, and could not be written."""
        if change.state == REMOVED:
            return None
        for cls, key in needs(change.item):
            if (cls.kind, key) in self._not_there:
                name = "/".join(key)
                return Unwanted(
                    f"needs the {cls.kind} {name}, which could not be written.",
                    subject=change.item.title,
                    hint="Mend that, and run again.",
                )
        return None

    def _done(self, change: Change, state: str, problem: MigrationError | None) -> None:
        with self._lock:
            if state == FAILED and change.existing is None:
                self._not_there.add((change.item.kind, change.item.key))
            if problem is not None:
                change.problem = problem
                if self._on_error == "abort" or isinstance(problem, ENDS_A_RUN):
                    self.ended_by = self.ended_by or problem
            if state == NOT_ATTEMPTED and change.existing is None:
                self._not_there.add((change.item.kind, change.item.key))
            change.state = state
            if self._progress is not None:
                self._progress(change)

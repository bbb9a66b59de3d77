# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Carrying out a plan: kinds in their order, many at a time, and nothing that needs what could not be written.

A team that follows a directory takes no members from anybody else, so it begins to follow when it has them.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import (
    CHANGED,
    FAILED,
    NOT_ATTEMPTED,
    REFUSED,
    REMOVED,
    STATES,
    Change,
    People,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import KINDS, Key, Team, TeamMembership
from ansible_collections.registryops.migration.plugins.module_utils._identity.planning import needs
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ENDS_A_RUN, ItemRefused, MigrationError

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
    steps = [step for change in changes if change.is_due for step in _steps(change)]
    with concurrent.futures.ThreadPoolExecutor(workers or WORKERS) as pool:
        for batches in _waves(steps, people):
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


@dataclasses.dataclass(frozen=True)
class _Step:
    """Something to write: a change, or one of two parts of it. `is_last`: with it the whole change is done."""

    whole: Change
    change: Change
    wave: tuple[int, int]
    is_last: bool = True


#: when a kind is written
_PLACES = {cls.kind: place for place, cls in enumerate(KINDS)}


def _steps(change: Change) -> t.Iterator[_Step]:
    """What it takes to carry out a change."""
    place = _PLACES[change.item.kind]
    if change.state == REMOVED:
        # what needs others goes before them, and after all that comes
        yield _Step(change, change, (1, -place))
        return
    wanted, existing = change.wanted, change.existing
    if not isinstance(wanted, Team) or not wanted.directory_sync or ("directory_sync" not in change.differences and existing is not None):
        yield _Step(change, change, (0, place))
        return
    others = {name: values for name, values in change.differences.items() if name != "directory_sync"}
    if existing is None or others:
        first = dataclasses.replace(change, wanted=dataclasses.replace(wanted, directory_sync=None), differences=others)
        yield _Step(change, first, (0, place), is_last=False)
    before = dataclasses.replace(wanted, directory_sync={})
    then = Change(CHANGED, wanted, before, {"directory_sync": ({}, wanted.directory_sync)})
    yield _Step(change, then, (0, _PLACES[TeamMembership.kind] + 1))


def _waves(steps: t.Sequence[_Step], people: People) -> t.Iterator[list[list[_Step]]]:
    """What can be written at the same time, as batches of one kind, wave after wave."""
    by_wave: dict[tuple[int, int], dict[str, list[_Step]]] = collections.defaultdict(lambda: collections.defaultdict(list))
    for step in steps:
        by_wave[step.wave][step.change.item.kind].append(step)
    for wave in sorted(by_wave):
        batches = []
        for kind, due in by_wave[wave].items():
            size = max(1, people.batch(kind))
            batches += [due[start : start + size] for start in range(0, len(due), size)]
        yield batches


class _Run:
    """Writes batches, from many threads."""

    def __init__(self, people: People, on_error: OnError, progress: t.Callable[[Change], None] | None) -> None:
        self._people = people
        self._on_error = on_error
        self._progress = progress
        self._lock = threading.Lock()
        self._not_there: set[tuple[str, Key]] = set()
        self.ended_by: MigrationError | None = None

    def write(self, batch: t.Sequence[_Step]) -> None:
        """Write a batch; what becomes of each change is noted in it."""
        possible = []
        for step in batch:
            if not step.whole.is_due:
                # its first part has failed
                continue
            if self.ended_by is not None:
                self._done(step, NOT_ATTEMPTED, None)
                continue
            missing = self._missing(step.change)
            if missing is None:
                possible.append(step)
            else:
                self._done(step, FAILED, missing)
        if not possible:
            return
        try:
            problems: t.Sequence[MigrationError | None] = self._people.write([step.change for step in possible])
        except MigrationError as error:
            problems = [error] * len(possible)
        for step, problem in zip(possible, problems):
            if problem is not None:
                self._done(step, FAILED, problem)
            elif step.is_last:
                self._done(step, step.whole.state, None)

    def _missing(self, change: Change) -> MigrationError | None:
        """What a change would need, and could not be written."""
        if change.state == REMOVED:
            return None
        for cls, key in needs(change.item):
            if (cls.kind, key) in self._not_there:
                name = "/".join(key)
                return ItemRefused(
                    f"needs the {cls.kind} {name}, which could not be written.",
                    subject=change.item.title,
                    hint="Mend that, and run again.",
                )
        return None

    def _done(self, step: _Step, state: str, problem: MigrationError | None) -> None:
        change = step.whole
        with self._lock:
            if state in (FAILED, NOT_ATTEMPTED) and step.change.existing is None:
                self._not_there.add((change.item.kind, change.item.key))
            if problem is not None:
                change.problem = problem
                if self._on_error == "abort" or isinstance(problem, ENDS_A_RUN):
                    self.ended_by = self.ended_by or problem
            change.state = state
            if self._progress is not None:
                self._progress(change)

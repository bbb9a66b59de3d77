# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""One run from beginning to end: plan, carry out, write down, count."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import tempfile
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.blobs import Holders
from ansible_collections.registryops.migration.plugins.module_utils._copying.engine import Engine
from ansible_collections.registryops.migration.plugins.module_utils._copying.journal import Journal
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger, TagRow, look_at_ledger
from ansible_collections.registryops.migration.plugins.module_utils._copying.measuring import measure
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan import MOVING, PlanRow, PlanWriter, read_plan
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan_text import (
    PlanText,
    measured_lines,
    moved_lines,
    pull_lines,
)
from ansible_collections.registryops.migration.plugins.module_utils._copying.planning import Planner
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import MOST_FAILURES, IndexForm, Policy, Rule
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AlreadyRunning,
    InvalidOption,
    MigrationError,
    PullsUsedUp,
    Stopped,
    TagConflict,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import parse_platform
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store

#: seconds that what is under way has to come to its end when a run is asked to stop
PATIENCE = 6.0
_BATCH = 500


@dataclasses.dataclass
class Outcome:
    """What a run did. `counts`: tags by state; `failures`: the first of them; all of them are in the ledger."""

    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    failures: list[dict[str, str]] = dataclasses.field(default_factory=list)
    repositories: int = 0
    bytes: int = 0
    blobs: dict[str, int] = dataclasses.field(default_factory=dict)
    requests: dict[str, int] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    plan_file: str = ""
    ledger: str = ""
    #: where manifests that are read at the source count: `limit` and `remaining` (None where there is no limit), `window` in seconds,
    #: `used`; for a plan `needed`, and whether that is only the least (`at_least`)
    pulls: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    complete: bool = True
    #: something was written, whatever became of the tags
    wrote: bool = False
    #: it was asked to stop
    stopped: bool = False
    warnings: list[str] = dataclasses.field(default_factory=list)
    #: what was done with each tag, or would be, as far as it is shown; and lines about what moves
    text: PlanText = dataclasses.field(default_factory=PlanText)
    totals: list[str] = dataclasses.field(default_factory=list)
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock, repr=False)

    @property
    def failed(self) -> int:
        """Tags and repositories that are not as they should be."""
        known = self.counts["failed"] + self.counts["conflict"] + self.counts["not_attempted"]
        # a run that was broken off is never a success
        return known or int(not self.complete)

    @property
    def changed(self) -> bool:
        """Whether anything was, or in a plan would be, written to the destination."""
        return self.wrote or self.counts["copied"] > 0

    def take(self, row: TagRow) -> None:
        """Count a tag that is done, one way or another. Threads may call it."""
        self.text.did(row)
        with self._lock:
            self.counts[row.state] += 1
            if row.error is not None:
                self.add_failure(row.repository, row.tag, row.error)

    def add_failure(self, repository: str, tag: str, error: MigrationError) -> None:
        """Keep a failure for the result, while there is room."""
        if len(self.failures) < MOST_FAILURES:
            self.failures.append({"repository": repository, "tag": tag, **error.as_row()})


class _Counting:
    """Counts finished tags. A failure counts in the end, unless another attempt has made up for it."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._lock = threading.Lock()
        self._failed: dict[tuple[str, str], TagRow] = {}

    def finished(self, row: TagRow) -> None:
        with self._lock:
            self._failed.pop((row.repository, row.tag), None)
            if row.error is not None:
                self._failed[row.repository, row.tag] = row
        if row.error is None:
            self._outcome.take(row)

    def close(self) -> None:
        """Count what has failed for good."""
        with self._lock:
            failed, self._failed = self._failed, {}
        for row in failed.values():
            self._outcome.take(row)

    @property
    def failed(self) -> int:
        """Tags that have failed so far, and may yet be made up for."""
        return len(self._failed)


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to be run: rules, or the plan of an earlier check. `state_dir` holds the ledger."""

    source: Store
    destination: Store
    rules: t.Sequence[Rule]
    policy: Policy
    state_dir: str
    plan_file: str = ""
    #: state folders of other workers on this machine
    neighbours: t.Sequence[str] = ()
    #: this is one more part of the last run, as far as reports are concerned
    continues: bool = False


class _Watch:
    """How far a run is, for its journal, and the way to stop it. The run puts in what there is as it goes along."""

    def __init__(self, job: Job, outcome: Outcome) -> None:
        self._job = job
        self._outcome = outcome
        self._lock = threading.Lock()
        self._planner: Planner | None = None
        self._writer: PlanWriter | None = None
        self._engines: list[Engine] = []
        self.counting = _Counting(outcome)
        #: rows of the plan, and what could not be planned, as soon as that is known
        self.planned: int | None = None
        self.stopped = False

    def planning(self, planner: Planner, writer: PlanWriter) -> None:
        """A plan is about to be made."""
        with self._lock:
            self._planner, self._writer = planner, writer
            if self.stopped:
                planner.stop(PATIENCE, _stopped())

    def copying(self, engine: Engine) -> None:
        """An engine is about to run."""
        with self._lock:
            self._engines.append(engine)
            if self.stopped:
                engine.stop(PATIENCE)

    def stop(self) -> None:
        """End as soon as possible, in order."""
        for store in (self._job.source, self._job.destination):
            if store.pulls is not None:
                store.pulls.give_up()
        with self._lock:
            self.stopped = True
            if self._engines:
                self._engines[-1].stop(PATIENCE)
            elif self._planner is not None:
                self._planner.stop(PATIENCE, _stopped())

    def progress(self) -> dict[str, t.Any]:
        """One record: `phase`, tags, bytes and requests so far. Totals are None where they are not known."""
        counts, writer = self._outcome.counts, self._writer
        engines = [engine.progress() for engine in list(self._engines)]
        failed = self.counting.failed
        planned = sum(list(writer.counts.values())) if writer is not None else 0
        return {
            "phase": "planning" if self.planned is None else "copying",
            "repositories": self._planner.repositories if self._planner is not None else self._outcome.repositories,
            "tags_planned": planned if self.planned is None else self.planned,
            "tags_done": sum(list(counts.values())) - counts["not_attempted"] + failed,
            "tags_total": None if self.planned is None else self.planned + sum(engine["followers"] for engine in engines),
            "failed": counts["failed"] + counts["conflict"] + failed,
            "bytes_done": sum(engine["bytes_done"] for engine in engines),
            "bytes_total": sum(engine["bytes_total"] for engine in engines),
            "bytes_total_known": bool(engines) and engines[-1]["bytes_total_known"],
            "blobs_moving": sum(engine["blobs_moving"] for engine in engines),
            "requests": sum(_requests(self._job).values()),
            "waiting_for_pulls": any(
                store.pulls.is_waiting for store in (self._job.source, self._job.destination) if store.pulls is not None
            ),
        }


def _stopped() -> Stopped:
    return Stopped("was asked to stop.", subject="this run", hint="Run it again, and it goes on.")


def make_plan(job: Job) -> Outcome:
    """Plan only: nothing is written but the plan. What would be copied is counted as copied."""
    started = time.monotonic()
    job.source.check(writing=False)
    job.destination.check(writing=False, new=True)
    job = fitted(job)
    outcome = Outcome()
    with contextlib.ExitStack() as stack:
        # a run may be at work with this ledger
        ledger, problem = look_at_ledger(job.state_dir)
        if ledger:
            stack.enter_context(contextlib.closing(ledger))
            ledger.look(job.source.name, job.destination.name)
            ledger.look_up_blobs()
            _remember(job, ledger)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="registryops-"))
        planner = Planner(job.source, job.destination, job.rules, job.policy, ledger, only_plans=True)
        rough = PlanWriter(os.path.join(folder, "plan.jsonl"), job.source.name, job.destination.name)
        with rough:
            planner.plan(rough)
        final = PlanWriter(job.plan_file or os.path.join(folder, "measured.jsonl"), job.source.name, job.destination.name)
        with final:

            def write(rows: list[PlanRow]) -> None:
                final.add(rows)
                outcome.text.plan(rows)
                for row in rows:
                    if row.action == "conflict":
                        with outcome._lock:
                            outcome.add_failure(row.repository, row.key, _conflict(job, row))

            planned = read_plan(rough.path, job.source.name, job.destination.name)
            measured = measure(job.source, job.destination, planned, job.policy, ledger, write)
    _take_plan(outcome, planner)
    outcome.warnings += [problem] if problem else []
    for action, state in _STATES.items():
        outcome.counts[state] += final.counts[action]
    outcome.plan_file = job.plan_file
    outcome.bytes = measured.moving.bytes
    outcome.blobs = {"missing": measured.moving.count, "known": measured.known.count, "present": measured.present.count}
    outcome.totals = measured_lines(measured)
    if job.source.pulls is not None:
        outcome.pulls = job.source.pulls.as_dict()
        if job.source.pulls.is_limited:
            outcome.pulls |= {"needed": len(measured.pulls), "at_least": bool(measured.uncounted or measured.referrers or measured.unread)}
        outcome.totals += pull_lines(outcome.pulls, job.source.pulls.on_quota)
    return _close(job, outcome, started)


def carry_out(job: Job, journal: Journal | None = None) -> Outcome:
    """Plan, or take the plan that is given, and carry it out. The caller ends the journal, with what it makes of the outcome.

    AlreadyRunning where another run has the state folder; if that one does the same, the journal's announcement leads to its journal.
    """
    started = time.monotonic()
    job.source.check(writing=False)
    outcome = Outcome()
    try:
        opened = Ledger(job.state_dir, job.neighbours)
    except AlreadyRunning as error:
        if journal is not None:
            journal.join(error)
        raise
    with contextlib.closing(opened) as ledger:
        outcome.ledger = ledger.path
        watch = _Watch(job, outcome)
        if journal is not None:
            journal.open(ledger.folder, job.source.name, job.destination.name, watch)
        if job.plan_file:
            outcome.repositories, watch.planned = _read_through(job)
        job.destination.check(writing=True)
        job = fitted(job)
        _remember(job, ledger)
        ledger.start(job.source.name, job.destination.name, go_on=job.continues)
        finished = False
        try:
            path = job.plan_file or _plan(job, ledger, outcome, watch)
            _copy(job, ledger, path, outcome, watch)
            job.destination.finish()
            outcome.stopped = watch.stopped and not outcome.complete
            finished = not outcome.stopped
        finally:
            _learn(job, ledger)
            outcome.requests = _requests(job)
            state = "ok" if not outcome.failed else "failed"
            ledger.finish(state if finished else "aborted", _summary(outcome))
    outcome.totals = moved_lines(outcome.bytes, outcome.blobs)
    if job.source.pulls is not None:
        outcome.pulls = job.source.pulls.as_dict()
        outcome.totals += pull_lines(outcome.pulls, job.source.pulls.on_quota)
    return _close(job, outcome, started)


def fitted(job: Job) -> Job:
    """The job without what its destination, which has been checked, cannot hold: other platforms than its own, and referrers.

    Raises InvalidOption where several platforms are wanted of a store that holds one.
    """
    policy = job.policy
    only = job.destination.holds_platform
    if only and len(policy.platforms) > 1:
        raise InvalidOption(
            f"{', '.join(map(str, policy.platforms))}: {job.destination.name} holds an image of one platform only.",
            subject="platforms",
            hint=f"Name one, or leave it out for {only}.",
        )
    if only:
        index: IndexForm = "sparse" if policy.index == "whole" else policy.index
        policy = dataclasses.replace(policy, platforms=policy.platforms or (parse_platform(only),), index=index)
    if not job.destination.holds_referrers:
        policy = dataclasses.replace(policy, referrers=False)
    return dataclasses.replace(job, policy=policy)


def _read_through(job: Job) -> tuple[int, int]:
    """Look at a saved plan as a whole before anything of it is carried out; returns how many repositories take part, and how many rows."""
    rows = 0
    sources: dict[str, None] = {}
    destinations: dict[str, None] = {}
    for row in read_plan(job.plan_file, job.source.name, job.destination.name):
        sources[row.source_repository] = None
        destinations[row.repository] = None
        rows += 1
    job.source.expect(list(sources))
    job.destination.expect(list(destinations))
    return len(sources), rows


def _plan(job: Job, ledger: Ledger, outcome: Outcome, watch: _Watch) -> str:
    planner = Planner(job.source, job.destination, job.rules, job.policy, ledger)
    writer = PlanWriter(os.path.join(ledger.folder, "plan.jsonl"), job.source.name, job.destination.name)
    watch.planning(planner, writer)
    with writer:
        planner.plan(writer)
    _take_plan(outcome, planner)
    watch.planned = sum(writer.counts.values()) + len(planner.failures)
    if job.continues:
        ledger.make_up({row.source_repository for row in read_plan(writer.path, job.source.name, job.destination.name)})
    ledger.record(
        TagRow(failure.repository, failure.tag, failure.repository, failure.tag, "plan", "failed", error=failure.error)
        for failure in planner.failures
        # who had no pull left was not attempted
        if not isinstance(failure.error, PullsUsedUp)
    )
    return writer.path


def _take_plan(outcome: Outcome, planner: Planner) -> None:
    outcome.repositories = planner.repositories
    outcome.warnings = planner.warnings
    for failure in planner.failures:
        outcome.counts["not_attempted" if isinstance(failure.error, PullsUsedUp) else "failed"] += 1
        outcome.add_failure(failure.repository, failure.tag, failure.error)
        outcome.text.failed(failure.repository, failure.tag, failure.error.message)


def _copy(job: Job, ledger: Ledger, path: str, outcome: Outcome, watch: _Watch) -> None:
    policy, pinned = job.policy, bool(job.plan_file)
    names = (job.source.name, job.destination.name)
    moving = 0

    def noted() -> t.Iterator[PlanRow]:
        """The plan's rows; those that need nothing done are written down in passing."""
        nonlocal moving
        batch: list[TagRow] = []
        for row in read_plan(path, *names):
            if row.action in MOVING:
                moving += 1
                yield row
                continue
            batch.append(_settled(job, row, policy.form))
            outcome.take(batch[-1])
            if len(batch) >= _BATCH:
                ledger.record(batch)
                batch = []
        ledger.record(batch)

    rounds = policy.retries if policy.on_error == "retry" else 0
    rows: t.Iterable[PlanRow] = noted()
    planned = rows
    done = 0
    counting, holders = watch.counting, Holders()
    for number in range(rounds + 1):
        engine = Engine(job.source, job.destination, policy, ledger, counting, pinned, holders)
        watch.copying(engine)
        outcome.complete = engine.run(rows)
        done = done if number else engine.ended
        outcome.bytes += engine.totals.bytes
        outcome.wrote = outcome.wrote or engine.wrote or bool(engine.totals.uploaded or engine.totals.mounted)
        for how in ("uploaded", "mounted", "present"):
            outcome.blobs[how] = outcome.blobs.get(how, 0) + getattr(engine.totals, how)
        if not outcome.complete or not engine.failed:
            break
        # what an earlier attempt has brought is there
        rows = [dataclasses.replace(row, fresh=False) for row in engine.failed]
    counting.close()
    if not outcome.complete:
        # what was not come to is read all the same: for the rows that need nothing done, and for the number of the others
        collections.deque(planned, maxlen=0)
        outcome.counts["not_attempted"] += moving - done
        if engine.without_pulls is not None:
            row, error = engine.without_pulls
            outcome.add_failure(row.repository, row.key, error)


def _settled(job: Job, row: PlanRow, form: str) -> TagRow:
    """A row that moves nothing, as the ledger has it."""
    return TagRow(
        repository=row.repository,
        tag=row.key,
        source_repository=row.source_repository,
        source_tag=row.source_reference,
        action=row.action,
        state=_STATES[row.action],
        source_digest=row.digest,
        digest=row.existing,
        media_type=row.media_type,
        form=form,
        error=_conflict(job, row) if row.action == "conflict" else None,
        existing=row.existing,
    )


def _conflict(job: Job, row: PlanRow) -> TagConflict:
    return TagConflict(
        f"has the digest {row.existing} at the destination and {row.digest} at the source.",
        subject=f"{job.destination.name}/{row.repository}:{row.tag}",
        hint="Set existing_tags to overwrite or keep, or map it to another name.",
    )


def _remember(job: Job, ledger: Ledger) -> None:
    for store in (job.source, job.destination):
        store.remember(ledger.features(_key(store)))
        store.keep_notes(ledger.notes(_key(store)))


def _learn(job: Job, ledger: Ledger) -> None:
    for store in (job.source, job.destination):
        features = store.features()
        if features:
            ledger.learn(_key(store), features)


def _key(store: Store) -> str:
    """What a store is known by in a ledger: two of one name, at different places, have nothing in common."""
    return f"{store.name} at {store.connect_to}" if store.connect_to else store.name


def _summary(outcome: Outcome) -> dict[str, t.Any]:
    return {
        "counts": dict(outcome.counts),
        "bytes": outcome.bytes,
        "blobs": outcome.blobs,
        "requests": outcome.requests,
        "repositories": outcome.repositories,
    }


def _requests(job: Job) -> dict[str, int]:
    return {"source": job.source.requests, "destination": job.destination.requests}


def _close(job: Job, outcome: Outcome, started: float) -> Outcome:
    job.destination.close()
    outcome.requests = _requests(job)
    outcome.seconds = round(time.monotonic() - started, 3)
    return outcome


_STATES = {"copy": "copied", "update": "copied", "unchanged": "unchanged", "keep": "kept", "conflict": "conflict"}

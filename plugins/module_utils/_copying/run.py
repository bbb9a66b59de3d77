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

from ansible_collections.registryops.migration.plugins.module_utils._copying.engine import Engine
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import LEDGER_FILE, Ledger, TagRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan import MOVING, PlanRow, PlanWriter, read_plan
from ansible_collections.registryops.migration.plugins.module_utils._copying.planning import Measure, Planner, measure
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Policy, Rule
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import MigrationError, TagConflict
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store

#: failures that are returned; all of them are in the ledger
MOST_FAILURES = 100
#: repositories that a diff shows one by one
MOST_SHOWN = 500
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
    complete: bool = True
    before: list[str] = dataclasses.field(default_factory=list)
    after: list[str] = dataclasses.field(default_factory=list)

    @property
    def failed(self) -> int:
        """Tags and repositories that are not as they should be."""
        return self.counts["failed"] + self.counts["conflict"] + self.counts["not_attempted"]

    @property
    def changed(self) -> bool:
        """Whether anything was, or in a plan would be, written to the destination."""
        return self.counts["copied"] > 0

    def add_failure(self, repository: str, tag: str, error: MigrationError) -> None:
        """Keep a failure for the result, while there is room."""
        if len(self.failures) < MOST_FAILURES:
            self.failures.append({"repository": repository, "tag": tag, **error.as_row()})


class _Counting:
    """Counts finished tags and hands them on."""

    def __init__(self, outcome: Outcome, last_round: bool) -> None:
        self._outcome = outcome
        self._last_round = last_round
        self._lock = threading.Lock()

    def finished(self, row: TagRow) -> None:
        if row.error is not None and not self._last_round:
            return
        with self._lock:
            self._outcome.counts[row.state] += 1
            if row.error is not None:
                self._outcome.add_failure(row.repository, row.tag, row.error)


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to be run: rules, or the plan of an earlier check. `state_dir` holds the ledger."""

    source: Store
    destination: Store
    rules: t.Sequence[Rule]
    policy: Policy
    state_dir: str
    plan_file: str = ""


def make_plan(job: Job) -> Outcome:
    """Plan only: nothing is written but the plan. What would be copied is counted as copied."""
    started = time.monotonic()
    job.source.check(writing=False)
    job.destination.check(writing=False)
    outcome = Outcome()
    with contextlib.ExitStack() as stack:
        exists = os.path.exists(os.path.join(os.path.expanduser(job.state_dir), LEDGER_FILE))
        ledger = stack.enter_context(contextlib.closing(Ledger(job.state_dir))) if exists else None
        if ledger:
            _remember(job, ledger)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="registryops-"))
        planner = Planner(job.source, job.destination, job.rules, job.policy, ledger)
        rough = PlanWriter(os.path.join(folder, "plan.jsonl"), job.source.name, job.destination.name)
        with contextlib.closing(rough):
            planner.plan(rough)
        final = PlanWriter(job.plan_file or os.path.join(folder, "measured.jsonl"), job.source.name, job.destination.name)
        with contextlib.closing(final):
            measured = measure(job.source, read_plan(rough.path, job.source.name, job.destination.name), job.policy, final.add)
    _take_plan(outcome, planner, final)
    outcome.counts["copied"] = final.counts["copy"] + final.counts["update"]
    outcome.plan_file = job.plan_file
    outcome.bytes = measured.bytes
    outcome.blobs = {"unique": measured.blobs}
    outcome.before, outcome.after = _as_lines(job, final, measured)
    return _close(job, outcome, started)


def carry_out(job: Job) -> Outcome:
    """Plan, or take the plan that is given, and carry it out."""
    started = time.monotonic()
    job.source.check(writing=False)
    job.destination.check(writing=True)
    outcome = Outcome()
    with contextlib.closing(Ledger(job.state_dir)) as ledger:
        outcome.ledger = ledger.path
        _remember(job, ledger)
        ledger.start(job.source.name, job.destination.name)
        finished = False
        try:
            path = job.plan_file or _plan(job, ledger, outcome)
            _copy(job, ledger, path, outcome)
            finished = True
        finally:
            _learn(job, ledger)
            state = "ok" if not outcome.failed else "failed"
            ledger.finish(state if finished else "aborted", _summary(outcome))
    return _close(job, outcome, started)


def _plan(job: Job, ledger: Ledger, outcome: Outcome) -> str:
    planner = Planner(job.source, job.destination, job.rules, job.policy, ledger)
    writer = PlanWriter(os.path.join(ledger.folder, "plan.jsonl"), job.source.name, job.destination.name)
    with contextlib.closing(writer):
        planner.plan(writer)
    _take_plan(outcome, planner, writer)
    ledger.record(
        TagRow(failure.repository, failure.tag, failure.repository, failure.tag, "plan", "failed", error=failure.error)
        for failure in planner.failures
    )
    return writer.path


def _take_plan(outcome: Outcome, planner: Planner, writer: PlanWriter) -> None:
    outcome.repositories = planner.repositories
    for action, state in (("unchanged", "unchanged"), ("keep", "kept")):
        outcome.counts[state] = writer.counts[action]
    for failure in planner.failures:
        outcome.counts["failed"] += 1
        outcome.add_failure(failure.repository, failure.tag, failure.error)


def _copy(job: Job, ledger: Ledger, path: str, outcome: Outcome) -> None:
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
            batch.append(_settled(job, row, outcome, pinned))
            if len(batch) >= _BATCH:
                ledger.record(batch)
                batch = []
        ledger.record(batch)

    rounds = policy.retries if policy.on_error == "retry" else 0
    rows: t.Iterable[PlanRow] = noted()
    for number in range(rounds + 1):
        engine = Engine(job.source, job.destination, policy, ledger, _Counting(outcome, number == rounds), pinned)
        outcome.complete = engine.run(rows) and outcome.complete
        outcome.bytes += engine.totals.bytes
        for how in ("uploaded", "mounted", "present"):
            outcome.blobs[how] = outcome.blobs.get(how, 0) + getattr(engine.totals, how)
        rows = engine.failed
        if not rows or number == rounds:
            break
    if not outcome.complete:
        planned = sum(1 for row in read_plan(path, *names) if row.action in MOVING)
        done = outcome.counts["copied"] + outcome.counts["failed"]
        outcome.counts["not_attempted"] = max(0, planned - done)


def _settled(job: Job, row: PlanRow, outcome: Outcome, pinned: bool) -> TagRow:
    """A row that moves nothing, as the ledger has it."""
    error = None
    if row.action == "conflict":
        error = TagConflict(
            f"has the digest {row.existing} at the destination and {row.digest} at the source.",
            subject=f"{job.destination.name}/{row.repository}:{row.tag}",
            hint="Set existing_tags to overwrite or keep, or map it to another name.",
        )
        outcome.counts["conflict"] += 1
        outcome.add_failure(row.repository, row.tag, error)
    elif pinned:
        outcome.counts["kept" if row.action == "keep" else "unchanged"] += 1
    state = {"keep": "kept", "conflict": "conflict"}.get(row.action, "unchanged")
    return TagRow(
        repository=row.repository,
        tag=row.key,
        source_repository=row.source_repository,
        source_tag=row.source_reference,
        action=row.action,
        state=state,
        source_digest=row.digest,
        digest=row.existing,
        media_type=row.media_type,
        error=error,
    )


def _remember(job: Job, ledger: Ledger) -> None:
    for store in (job.source, job.destination):
        store.remember(ledger.features(store.name))


def _learn(job: Job, ledger: Ledger) -> None:
    for store in (job.source, job.destination):
        features = store.features()
        if features:
            ledger.learn(store.name, features)


def _summary(outcome: Outcome) -> dict[str, t.Any]:
    return {"counts": dict(outcome.counts), "bytes": outcome.bytes, "blobs": outcome.blobs, "repositories": outcome.repositories}


def _close(job: Job, outcome: Outcome, started: float) -> Outcome:
    job.destination.close()
    outcome.requests = {"source": job.source.requests, "destination": job.destination.requests}
    outcome.seconds = round(time.monotonic() - started, 3)
    return outcome


def _as_lines(job: Job, plan: PlanWriter, measured: Measure) -> tuple[list[str], list[str]]:
    """The plan as a diff: a line for each repository, as it is and as it would be."""
    before, after = [], []
    for repository in sorted(plan.by_repository)[:MOST_SHOWN]:
        counts = plan.by_repository[repository]
        there = counts["unchanged"] + counts["update"] + counts["keep"] + counts["conflict"]
        before.append(f"{repository}: {there} of these tags")
        words = [f"{counts[action]} {word}" for action, word in _WORDS if counts[action]]
        after.append(f"{repository}: {', '.join(words)}")
    hidden = len(plan.by_repository) - len(before)
    if hidden > 0:
        after.append(f"and {hidden} more repositories")
    if measured.blobs:
        after.append(f"at most {measured.bytes} bytes in {measured.blobs} unique blobs to move")
    if measured.unknown:
        after.append(f"{measured.unknown} manifests could not be read")
    return before, after


_WORDS = (
    ("copy", "added"),
    ("update", "overwritten"),
    ("unchanged", "unchanged"),
    ("keep", "kept as they are"),
    ("conflict", "in conflict"),
)

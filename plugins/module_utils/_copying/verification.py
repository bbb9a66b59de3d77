# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Proof: what the destination has, read back and compared with the source.

A verification is a plan with nothing to do. Light compares digests; deep also walks every manifest of the destination and asks for
every blob, so that an image with a hole in it is found.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import os
import tempfile
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.images import check_nesting, chosen_children
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger, look_at_ledger
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan import PlanRow, PlanWriter, read_plan
from ansible_collections.registryops.migration.plugins.module_utils._copying.planning import WAITING, Planner
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import MOST_FAILURES, Policy
from ansible_collections.registryops.migration.plugins.module_utils._copying.run import Job, fitted
from ansible_collections.registryops.migration.plugins.module_utils._copying.scheduler import Scheduler, threads
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    ENDS_A_RUN,
    BlobUnknown,
    DigestMismatch,
    MigrationError,
)
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store

Mode = t.Literal["light", "deep"]


@dataclasses.dataclass
class Verified:
    """What a verification found. `differences`: the first of them, each with the reason; `different` counts all."""

    checked: int = 0
    equal: int = 0
    different: int = 0
    differences: list[dict[str, str]] = dataclasses.field(default_factory=list)
    manifests: int = 0
    blobs: int = 0
    #: tags `(repository, tag)` that have the right digest and a hole all the same
    broken: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    repositories: int = 0
    warnings: list[str] = dataclasses.field(default_factory=list)
    requests: dict[str, int] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def differs(self, repository: str, tag: str, kind: str, message: str, subject: str = "") -> None:
        """Count a difference, and keep it while there is room. `subject`: what it is about, where that is not the tag itself."""
        with self._lock:
            self.different += 1
            if len(self.differences) < MOST_FAILURES:
                about = {"subject": subject} if subject else {}
                self.differences.append({"repository": repository, "tag": tag, "kind": kind, "message": message, **about})

    def is_equal(self) -> None:
        """Count a tag that is as it should be."""
        with self._lock:
            self.equal += 1


def verify(job: Job, mode: Mode, record: bool = True) -> Verified:
    """Compare all that the rules select. With a `state_dir` that has a ledger, the result is written down there if it is to `record`."""
    started = time.monotonic()
    for store in (job.source, job.destination):
        store.check(writing=False)
    job = fitted(job)
    result = Verified()
    with contextlib.ExitStack() as stack:
        known = bool(job.state_dir) and os.path.isdir(os.path.expanduser(job.state_dir))
        problem = ""
        if record:
            ledger = Ledger(job.state_dir) if known else None
        else:
            ledger, problem = look_at_ledger(job.state_dir) if known else (None, "")
        if ledger:
            stack.enter_context(contextlib.closing(ledger))
            if record:
                ledger.start(job.source.name, job.destination.name, purpose="verify")
            ledger.look(job.source.name, job.destination.name)
            for store in (job.source, job.destination):
                store.remember(ledger.features(store.name, doubting=True))
                store.keep_notes(ledger.notes(store.name))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="registryops-"))
        # what differs is not to be overwritten, so a row that says "update" is of a tag that is not whole
        planner = Planner(job.source, job.destination, job.rules, dataclasses.replace(job.policy, existing_tags="keep"), ledger)
        writer = PlanWriter(os.path.join(folder, "plan.jsonl"), job.source.name, job.destination.name)
        with writer:
            planner.plan(writer)
        for failure in planner.failures:
            result.differs(failure.repository, failure.tag, failure.error.kind, failure.error.message, failure.error.subject)
        result.repositories = planner.repositories
        result.warnings = [*planner.warnings, *([problem] if problem else [])]
        _compare(job, mode, read_plan(writer.path, job.source.name, job.destination.name), result)
        result.checked = result.equal + result.different
        result.requests = {"source": job.source.requests, "destination": job.destination.requests}
        result.seconds = round(time.monotonic() - started, 3)
        if ledger and record:
            for store in (job.source, job.destination):
                ledger.learn(store.name, store.features())
            ledger.distrust(result.broken)
            summary = {"differences": result.differences, "manifests": result.manifests, "blobs": result.blobs, "seconds": result.seconds}
            ledger.verified(job.source.name, job.destination.name, mode, result.checked, result.equal, summary)
            ledger.finish("ok" if not result.different else "failed", {"checked": result.checked, "equal": result.equal})
    return result


def _compare(job: Job, mode: Mode, rows: t.Iterable[PlanRow], result: Verified) -> None:
    walk = _Walk(job.destination, job.policy, result)
    scheduler = Scheduler(threads(job.policy.workers, job.source, job.destination))
    try:
        for row in rows:
            if row.action == "copy":
                what = "repository" if row.fresh else "manifest" if row.note else "tag"
                result.differs(row.repository, row.key, "missing", f"the destination does not have this {what}.")
            elif row.action == "update":
                message = f"the destination has {row.existing}, but not all that belongs to it."
                result.differs(row.repository, row.key, "different", message)
            elif row.action != "unchanged":
                message = f"the source has {row.digest}, the destination {row.existing}."
                result.differs(row.repository, row.key, "different", message)
            elif mode == "deep":
                scheduler.wait_for_room(WAITING)
                scheduler.submit((0, 0), functools.partial(walk.check, row))
            else:
                result.is_equal()
        scheduler.wait()
    finally:
        scheduler.close()


class _Walk:
    """Goes through the manifests and blobs of the destination, each once in a repository."""

    def __init__(self, destination: Store, policy: Policy, result: Verified) -> None:
        self._destination = destination
        self._policy = policy
        self._result = result
        self._lock = threading.Lock()
        self._seen: dict[str, dict[str, MigrationError | concurrent.futures.Future[None] | None]] = {}

    def check(self, row: PlanRow) -> None:
        """Check one tag; what is wrong with it is a difference."""
        try:
            self._once(row.repository, row.existing, functools.partial(self._manifest, row.repository, row.existing, 0))
        except ENDS_A_RUN:
            raise
        except MigrationError as error:
            self._result.differs(row.repository, row.key, error.kind, error.message, error.subject)
            self._result.broken.append((row.repository, row.key))
        else:
            self._result.is_equal()

    def _once(self, repository: str, digest: str, check: t.Callable[[], None]) -> None:
        """Run a check, or wait for whoever runs it, or find again what it found."""
        mine: concurrent.futures.Future[None] = concurrent.futures.Future()
        with self._lock:
            seen = self._seen.setdefault(repository, {})
            known = seen.setdefault(digest, mine)
        if known is not mine:
            if isinstance(known, concurrent.futures.Future):
                known.result()
            elif known is not None:
                raise known
            return
        try:
            check()
        except BaseException as error:
            # whoever waits gets it as well
            mine.set_exception(error)
            if isinstance(error, MigrationError):
                seen[digest] = error
            raise
        mine.set_result(None)
        seen[digest] = None

    def _manifest(self, repository: str, digest: str, depth: int) -> None:
        check_nesting(depth, f"{self._destination.name}/{repository}@{digest}")
        with self._result._lock:
            self._result.manifests += 1
        manifest = self._destination.manifest(repository, digest)
        for blob in manifest.blobs:
            if blob.is_foreign and self._policy.foreign_layers == "skip":
                continue
            self._once(repository, blob.digest, functools.partial(self._blob, repository, blob.digest, blob.size))
        for child in chosen_children(manifest, self._policy):
            self._once(repository, child.digest, functools.partial(self._manifest, repository, child.digest, depth + 1))

    def _blob(self, repository: str, digest: str, size: int) -> None:
        with self._result._lock:
            self._result.blobs += 1
        found = self._destination.blob_size(repository, digest)
        subject = f"{self._destination.name}/{repository}@{digest}"
        if found is None:
            raise BlobUnknown(
                "the destination does not have this blob, though a manifest names it.", subject=subject, hint="Copy it again."
            )
        if size >= 0 and found >= 0 and found != size:
            raise DigestMismatch(f"the destination's blob has {found} bytes instead of {size}.", subject=subject, hint="Copy it again.")

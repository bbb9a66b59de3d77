# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What a plan would move: reads the manifests, and finds out which of their blobs the destination does not have.

Requests: a manifest (and its children) for each tag that moves; for each blob in a repository that the destination has already, one
HEAD, unless the ledger knows the blob. What is new at the destination is not asked for.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.images import check_nesting, chosen_children, wanted_form
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan import MOVING, PlanRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.planning import WAITING
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Policy
from ansible_collections.registryops.migration.plugins.module_utils._copying.scheduler import Scheduler, threads
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ENDS_A_RUN, MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, Manifest
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store

_MEASURE = (0, 0)


@dataclasses.dataclass
class Blobs:
    """Unique blobs: how many, and the bytes of those whose size is known."""

    count: int = 0
    bytes: int = 0

    def add(self, size: int, sign: int = 1) -> None:
        """Count a blob of this size (-1: unknown), or with `sign` -1 take it out again."""
        self.count += sign
        self.bytes += sign * max(0, size)


@dataclasses.dataclass
class Measure:
    """What a plan comes to. Each unique blob counts once, and in one of three.

    `moving`: bytes have to come from the source, as far as is known; `present`: a repository of the destination that needs it has it;
    `known`: the ledger says that an earlier run has left it at the destination, where nobody has looked for it.
    `pulls`: digests of manifests that have to be read where that counts; `uncounted`: images of which it is not known how many those are;
    `unmeasured`: images whose manifests were not read for that reason, so that nothing of their blobs is known.
    `unsized`: blobs of `moving` whose size no manifest says; `unread`: manifests that could not be read; `unasked`: blobs after which the
    destination could not be asked, which count as moving; `referrers`: what refers to images is only listed when these are copied.
    """

    moving: Blobs = dataclasses.field(default_factory=Blobs)
    present: Blobs = dataclasses.field(default_factory=Blobs)
    known: Blobs = dataclasses.field(default_factory=Blobs)
    unsized: int = 0
    unread: int = 0
    unasked: int = 0
    referrers: bool = False
    pulls: set[str] = dataclasses.field(default_factory=set)
    uncounted: int = 0
    unmeasured: int = 0


def measure(
    source: Store,
    destination: Store,
    rows: t.Iterable[PlanRow],
    policy: Policy,
    ledger: Ledger | None,
    write: t.Callable[[list[PlanRow]], None],
) -> Measure:
    """Read the manifests of what a plan moves, and write the rows again with the digests filled in.

    A row whose manifest cannot be read is written with the reason as its note: whether that lasts, the copy shows. Where there is a limit
    to how many manifests may be read, none is: they are counted, and the pulls are left for the copy.
    """
    measuring = _Measuring(source, destination, policy, ledger, write)
    scheduler = Scheduler(threads(policy.workers, source))
    try:
        for row in rows:
            if row.action in MOVING:
                scheduler.wait_for_room(WAITING)
                scheduler.submit(_MEASURE, functools.partial(measuring.row, row))
            else:
                write([row])
        scheduler.wait()
    finally:
        scheduler.close()
    return measuring.result


class _Measuring:
    """The state of `measure`, which its threads share."""

    def __init__(
        self, source: Store, destination: Store, policy: Policy, ledger: Ledger | None, write: t.Callable[[list[PlanRow]], None]
    ) -> None:
        self._source = source
        self._destination = destination
        self._policy = policy
        self._ledger = ledger
        self._write = write
        self._lock = threading.Lock()
        #: digests that have been come across, and those of them that count as moving; see _short
        self._seen: set[int] = set()
        self._moving: set[int] = set()
        #: a repository of the destination and a digest that it was asked for
        self._asked: set[int] = set()
        self._asked_for_referrers = not policy.referrers
        self.result = Measure()

    def row(self, row: PlanRow) -> None:
        """Measure what one row moves, and write it."""
        try:
            if self._source.pulls is not None:
                found = self._source.resolve(row.source_repository, row.source_reference)
                if found is not None and self._source.pulls.is_limited:
                    self._count_pulls(row, found)
                    self._write([dataclasses.replace(row, digest=found.digest, media_type=found.media_type)])
                    return
            manifest = self._source.sketch(row.source_repository, row.source_reference)
            self._walk(row, wanted_form(manifest, self._policy), 0)
            self._learn_of_referrers(row, manifest.digest)
        except ENDS_A_RUN:
            raise
        except MigrationError as error:
            with self._lock:
                self.result.unread += 1
            self._write([dataclasses.replace(row, note=str(error.message))])
        else:
            # of one that is made on the way, the source's own type is that of the row, if it is known
            media_type = (row.media_type if manifest.made_from else "") or manifest.media_type
            self._write([dataclasses.replace(row, digest=manifest.source_digest, media_type=media_type)])

    def _count_pulls(self, row: PlanRow, found: Descriptor) -> None:
        unread = self._source.unread(row.source_repository, row.source_reference, found)
        with self._lock:
            self.result.pulls |= unread.digests
            self.result.uncounted += not unread.all_known
            self.result.unmeasured += 1
        self._learn_of_referrers(row, found.digest)

    def _learn_of_referrers(self, row: PlanRow, digest: str) -> None:
        with self._lock:
            asked, self._asked_for_referrers = self._asked_for_referrers, True
        if not asked and self._source.referrers(row.source_repository, digest) is not None:
            self.result.referrers = True

    def _walk(self, row: PlanRow, manifest: Manifest, depth: int) -> None:
        check_nesting(depth, f"{self._source.name}/{row.source_repository}@{manifest.digest}")
        for blob in manifest.blobs:
            if not (blob.is_foreign and self._policy.foreign_layers == "skip"):
                self._blob(row, blob)
        for child in chosen_children(manifest, self._policy):
            if self._is_first(child.digest):
                self._walk(row, self._source.manifest(row.source_repository, child.digest), depth + 1)

    def _is_first(self, digest: str) -> bool:
        short = _short(digest)
        with self._lock:
            if short in self._seen:
                return False
            self._seen.add(short)
            return True

    def _blob(self, row: PlanRow, blob: Descriptor) -> None:
        short = _short(blob.digest)
        place = hash((row.repository, short))
        first = self._is_first(blob.digest)
        with self._lock:
            if first:
                self._moving.add(short)
                self.result.moving.add(blob.size)
                self.result.unsized += blob.size < 0
            elif short not in self._moving or row.fresh or place in self._asked:
                return
            if not row.fresh:
                self._asked.add(place)
        if first and self._ledger and self._destination.mounts and self._ledger.holder(blob.digest):
            self._is_there(short, blob, self.result.known)
        elif not row.fresh and self._has(row.repository, blob.digest):
            self._is_there(short, blob, self.result.present)

    def _has(self, repository: str, digest: str) -> bool:
        try:
            return self._destination.blob_size(repository, digest) is not None
        except ENDS_A_RUN:
            raise
        except MigrationError:
            with self._lock:
                self.result.unasked += 1
            return False

    def _is_there(self, short: int, blob: Descriptor, where: Blobs) -> None:
        with self._lock:
            if short in self._moving:
                self._moving.remove(short)
                self.result.moving.add(blob.size, -1)
                self.result.unsized -= blob.size < 0
                where.add(blob.size)


def _short(digest: str) -> int:
    """64 bits of a digest: enough to tell the blobs of any registry apart, and an eighth of the memory."""
    return int(digest.partition(":")[2][:16], 16)

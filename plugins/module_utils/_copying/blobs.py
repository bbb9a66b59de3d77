# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The blob plan of a run: every unique blob moves once, every other repository that needs it gets it mounted.

Whoever needs a blob that is already on its way waits for it; if that way fails, one of those who wait takes over, with its own
source repository.

Some products mount a blob only from where a manifest names it already. There a repository waits for the manifest of another one, but
only for that of a repository that was needed before itself: so no two can wait for each other.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger
from ansible_collections.registryops.migration.plugins.module_utils._copying.scheduler import Scheduler
from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobSource
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, Manifest
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Received, Store

if t.TYPE_CHECKING:
    import threading

#: what a waiter is told: None when the blob is there, else why it is not
Done = t.Callable[[t.Optional[MigrationError]], None]

#: blobs whose holder is kept in memory; those before them are looked up in the ledger
REMEMBERED = 20_000
MOUNT = (1, 0)
_TRANSFER = 3


@dataclasses.dataclass
class Need:
    """A repository of the destination that needs a blob, and where to get it."""

    repository: str
    source_repository: str
    descriptor: Descriptor
    fresh: bool
    waiters: list[Done]


@dataclasses.dataclass
class Totals:
    """What moved: `bytes` between the stores; `present` blobs were found at the destination."""

    bytes: int = 0
    uploaded: int = 0
    mounted: int = 0
    present: int = 0


class Holders(collections.OrderedDict[str, str]):
    """{digest: a repository of the destination that has got the blob in this run}, the last ones that were asked for at the end."""


class BlobPlan:
    """Decides, for each need of a blob, between waiting, mounting and moving. All its state is guarded by the engine's lock."""

    def __init__(
        self, source: Store, destination: Store, ledger: Ledger, scheduler: Scheduler, lock: threading.RLock, holders: Holders
    ) -> None:
        self._source = source
        self._destination = destination
        self._ledger = ledger
        self._scheduler = scheduler
        self._lock = lock
        self._holders = holders
        self._moving: dict[str, collections.deque[Need]] = {}
        self._teacher: Need | None = None
        self._taught = False
        self._held: list[Need] = []
        #: when each repository was first needed; blobs that came to a repository before a manifest that names them, and who waits for that
        self._order: dict[str, int] = {}
        self._unnamed: dict[str, dict[str, list[Need]]] = {}
        self.totals = Totals()
        #: bytes that have moved, are moving or have yet to, as far as manifests have been read
        self.expected = 0
        #: blobs that are moving
        self._moving_now: dict[int, BlobSource] = {}

    @property
    def moving(self) -> tuple[int, int]:
        """How many blobs are moving, and the bytes of them that have come so far."""
        with self._lock:
            sources = list(self._moving_now.values())
        return len(sources), sum(source.received for source in sources)

    def need(self, need: Need) -> None:
        """Have the blob brought into the repository; its waiters are told in the end. To be called once per repository and blob."""
        with self._lock:
            self._order.setdefault(need.repository, len(self._order))
            self._decide(need)

    def _decide(self, need: Need) -> None:
        digest = need.descriptor.digest
        if digest in self._moving:
            self._moving[digest].append(need)
            return
        holder = self._holders.get(digest, "")
        if holder:
            # what many images share is asked for again and again, and must not be what is forgotten
            self._holders.move_to_end(digest)
        unnamed = self._unnamed.get(holder, {})
        if holder == need.repository:
            # for a tag that is done since: nothing of it is under way any more
            for waiter in need.waiters:
                waiter(None)
        elif holder and (digest not in unnamed or not self._destination.mounts):
            self._mount(need, holder)
        elif holder and self._order[holder] < self._order[need.repository]:
            unnamed[digest].append(need)
        else:
            self._moving[digest] = collections.deque()
            self.expected += max(0, need.descriptor.size)
            self._move(need)

    def named(self, repository: str, manifest: Manifest) -> None:
        """A manifest has been put: what it names can be mounted from its repository."""
        with self._lock:
            unnamed = self._unnamed.get(repository, {})
            for blob in manifest.blobs:
                for need in unnamed.pop(blob.digest, ()):
                    self._mount(need, repository)

    def leave(self, repository: str) -> None:
        """Nobody is to wait for manifests of this repository any more."""
        with self._lock:
            for needs in self._unnamed.pop(repository, {}).values():
                for need in needs:
                    self._mount(need, repository)

    def _mount(self, need: Need, holder: str) -> None:
        self._scheduler.submit(MOUNT, lambda: self._receive(need, holder))

    def _move(self, need: Need) -> None:
        if self._teacher is not None:
            self._held.append(need)
            return
        urgency = (_TRANSFER, -need.descriptor.size)
        if not self._taught and self._destination.learns_from(need.descriptor):
            # one small blob goes alone, once in a run: what the destination says to it saves a request for each of the others
            self._teacher = need
            urgency = MOUNT
        # the largest first: a long one that starts last keeps everybody waiting
        self._scheduler.submit(urgency, lambda: self._receive(need, ""))

    def _receive(self, need: Need, holder: str) -> None:
        digest = need.descriptor.digest
        known = holder or (self._ledger.holder(digest) if self._destination.mounts else "")

        def open_one() -> BlobSource:
            source = open_source(self._source, need)
            with self._lock:
                self._moving_now[id(need)] = source
            return source

        try:
            received = self._destination.receive_blob(
                need.repository,
                need.descriptor,
                open_one,
                holder=known if known != need.repository else "",
                remembered=not holder,
                fresh=need.fresh,
            )
        except MigrationError as error:
            with self._lock:
                self._moving_now.pop(id(need), None)
            self._settle(need, holder, error)
        else:
            self._count(need, received, holder)
            if received.how == "uploaded" and known and not holder:
                self._ledger.moved(digest, need.repository)
            self._settle(need, holder, None)

    def _count(self, need: Need, received: Received, holder: str) -> None:
        with self._lock:
            self._moving_now.pop(id(need), None)
            # what was there already did not have to move after all, and of some blobs the size is known only now
            self.expected += received.size - (0 if holder else max(0, need.descriptor.size))
            self.totals.bytes += received.size
            self.totals.uploaded += received.how == "uploaded"
            self.totals.mounted += received.how == "mounted"
            self.totals.present += received.how == "present"

    def _settle(self, need: Need, holder: str, error: MigrationError | None) -> None:
        digest = need.descriptor.digest
        with self._lock:
            if not holder:
                waiting = self._moving.pop(digest)
                if error is None:
                    self._remember(digest, need.repository)
                    if self._destination.profile.mount_after_manifest:
                        self._unnamed.setdefault(need.repository, {}).setdefault(digest, [])
                    for other in waiting:
                        self._decide(other)
                elif not waiting:
                    self.expected -= max(0, need.descriptor.size)
                else:
                    following = waiting.popleft()
                    self._moving[digest] = waiting
                    self._move(following)
            if need is self._teacher:
                self._teacher, self._taught = None, True
                held, self._held = self._held, []
                for other in held:
                    self._move(other)
            for waiter in need.waiters:
                waiter(error)

    def _remember(self, digest: str, repository: str) -> None:
        self._holders[digest] = repository
        if len(self._holders) > REMEMBERED:
            self._holders.popitem(last=False)
            # what is forgotten here is written down there
            self._ledger.look_up_blobs()


def open_source(source: Store, need: Need) -> BlobSource:
    """The blob at the source."""
    return source.open_blob(need.source_repository, need.descriptor)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Blobs on disk for a while, within a bound: some make room for others. Whoever misses one gets it from where it came from."""

from __future__ import annotations

import collections
import dataclasses
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import checked
from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import PIECE
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import StateError
from ansible_collections.registryops.migration.plugins.module_utils._stores.spool import BLOCK, Blocks


@dataclasses.dataclass
class _Held:
    """A blob that lies in these blocks. `users` are reading it: its blocks stay as they are. `read`: somebody has, to the end."""

    digest: str
    blocks: list[int]
    size: int
    users: int = 0
    gone: bool = False
    read: bool = False


class BlobSpool:
    """Blobs by their digests, in one file without a name. Threads share it. What was used longest ago makes room first.

    All methods that write or read raise StateError where the disk fails.
    """

    def __init__(self, folder: str, capacity: int, *, read_once: bool = False) -> None:
        """`capacity` in bytes, of which whole blocks are used. `read_once`: what has been read to the end makes room before all others."""
        self._folder = folder
        self._blocks = Blocks(folder, capacity)
        self._read_once = read_once
        self._lock = threading.Lock()
        #: why nothing could be written, if so
        self.problem = ""
        #: what was used last is at the end
        self._held: collections.OrderedDict[str, _Held] = collections.OrderedDict()

    @property
    def capacity(self) -> int:
        """Bytes that fit in at the most."""
        return self._blocks.total * BLOCK

    def holds(self, digest: str) -> bool:
        """Whether a blob is here; asking for it counts as using it."""
        with self._lock:
            if digest not in self._held:
                return False
            self._held.move_to_end(digest)
            return True

    def begin(self) -> Incoming:
        """A blob that is going to be written, of which the digest may not be known yet."""
        return Incoming(self)

    def open(self, digest: str, subject: str = "") -> SpooledBlob | None:
        """A blob for reading; None where it is not here. `subject`: how errors call it, if not by its digest."""
        with self._lock:
            held = self._held.get(digest)
            if held is None:
                return None
            self._held.move_to_end(digest)
            held.users += 1
        return SpooledBlob(self, held, subject or digest)

    def close(self) -> None:
        """Give all of it back to the disk."""
        with self._lock:
            self._held.clear()
            self._blocks.close()

    # -- for Incoming and SpooledBlob
    def take_blocks(self, count: int) -> list[int] | None:
        """Room for more; None where it cannot be made."""
        with self._lock:
            while True:
                blocks = self._blocks.take(count)
                if blocks is not None:
                    return blocks
                idle = [one for one in self._held.values() if not one.users]
                going = next((one for one in idle if one.read and self._read_once), idle[0] if idle else None)
                if going is None:
                    return None
                self._forget(going)

    def give_back(self, blocks: list[int]) -> None:
        """Take room back."""
        with self._lock:
            self._blocks.give_back(blocks)

    def keep(self, digest: str, blocks: list[int], size: int) -> None:
        """Have a blob that has been written."""
        with self._lock:
            before = self._held.get(digest)
            if before is not None:
                self._forget(before)
            self._held[digest] = _Held(digest, blocks, size)

    def release(self, held: _Held, whole: bool) -> None:
        """A blob is not read any more by one who did; `whole`: to the end."""
        with self._lock:
            held.users -= 1
            held.read = held.read or whole
            if held.gone and not held.users:
                self._blocks.give_back(held.blocks)

    def _forget(self, held: _Held) -> None:
        held.gone = True
        del self._held[held.digest]
        if not held.users:
            self._blocks.give_back(held.blocks)

    def write(self, blocks: list[int], start: int, data: bytes) -> None:
        """Write into blocks that were taken."""
        try:
            self._blocks.write(blocks, start, data)
        except OSError as error:
            self.problem = error.strerror or str(error)
            raise StateError(
                f"cannot be written to: {self.problem}.", subject=self._folder, hint="Make room, or choose another spool_dir."
            ) from error

    def read(self, blocks: list[int], start: int, length: int) -> bytes:
        """Read from blocks that were written."""
        try:
            return self._blocks.read(blocks, start, length)
        except OSError as error:
            raise StateError(f"cannot be read: {error.strerror or error}.", subject=self._folder, hint="Look at the disk.") from error


class Incoming:
    """A blob while it is being written. It ends with `keep` or `drop`."""

    def __init__(self, spool: BlobSpool) -> None:
        self._spool = spool
        self._blocks: list[int] = []
        self.size = 0
        #: whether all of it has had room so far
        self.fits = True

    def append(self, data: bytes) -> bool:
        """Write a piece; False from the first one on for which there is no room."""
        if not self.fits:
            return False
        missing = -(-(self.size + len(data)) // BLOCK) - len(self._blocks)
        if missing > 0:
            more = self._spool.take_blocks(missing)
            if more is None:
                self.drop()
                return False
            self._blocks += more
        self._spool.write(self._blocks, self.size, data)
        self.size += len(data)
        return True

    def keep(self, digest: str) -> bool:
        """Have it, under its digest; False where it had no room."""
        if self.fits:
            self._spool.keep(digest, self._blocks, self.size)
            self._blocks = []
        return self.fits

    def drop(self) -> None:
        """Forget it. What has been kept stays."""
        self.fits = False
        blocks, self._blocks = self._blocks, []
        self._spool.give_back(blocks)


class SpooledBlob:
    """A blob of a spool, for reading (a BlobSource)."""

    def __init__(self, spool: BlobSpool, held: _Held, subject: str) -> None:
        self._spool = spool
        self._held: _Held | None = held
        self._digest = held.digest
        self._subject = subject
        self.size = held.size
        self.received = 0

    def __iter__(self) -> t.Iterator[bytes]:
        return checked(self._pieces(), self._digest, self._subject)

    def _pieces(self) -> t.Iterator[bytes]:
        while self._held is not None and self.received < self.size:
            data = self._spool.read(self._held.blocks, self.received, min(PIECE, self.size - self.received))
            self.received += len(data)
            yield data

    def close(self) -> None:
        """Let go of it."""
        held, self._held = self._held, None
        if held is not None:
            self._spool.release(held, self.received == self.size)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What has been read from a source once and is wanted by several readers: in memory while it is little, else in one file on disk.

Readers are numbered; a set of them is an int with a bit for each. What all of them have is dropped at once. Where there is no
room for the rest, what was used longest ago goes, and is read again by whoever wants it after all.

Nobody who brings contents ever waits for somebody who reads them: a reader may be as slow as it likes.
"""

from __future__ import annotations

import collections
import copy
import heapq
import os
import tempfile
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobSource
from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import PIECE
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import MigrationError

#: bytes; the unit in which room on disk is given out
BLOCK = 256 << 10
#: bytes that a spool takes on disk where nobody says otherwise
SPOOL_BYTES = 10 << 30
#: bytes of small contents that are held in memory, all together
MEMORY = 8 << 20
#: contents that are held, and digests that are remembered without their contents: what bounds the memory for keeping track
MOST_CONTENTS = 20_000
#: seconds that the end waits for those who still bring something that nobody wants any more
_LONGEST_END = 5.0

Key = t.Hashable
Meta = tuple[str, ...]


class NoRoom(Exception):
    """The spool cannot hold this: it has to be read from where it is."""


class _Unwanted(Exception):
    """Nobody wants this any more."""


class Blocks:
    """Room on disk, given out in blocks of one file that has no name, so that nothing is left of it however the process ends.

    `take` and `give_back` are called one at a time; whoever has blocks may write and read them at any time.
    """

    def __init__(self, folder: str, capacity: int) -> None:
        self.total = capacity // BLOCK
        self.used = 0
        #: the most blocks that were in use at once
        self.peak = 0
        self._folder = folder
        self._free: list[int] = []
        self._beyond = 0
        self._file: t.IO[bytes] | None = None
        self._closed = False
        self._opening = threading.Lock()

    def take(self, count: int) -> list[int] | None:
        """So many blocks, the first ones of the file that are free; None where there are not enough."""
        if self.total - self.used < count:
            return None
        taken = [heapq.heappop(self._free) for _unused in range(min(count, len(self._free)))]
        more = count - len(taken)
        taken += range(self._beyond, self._beyond + more)
        self._beyond += more
        self.used += count
        self.peak = max(self.peak, self.used)
        return taken

    def give_back(self, blocks: t.Iterable[int]) -> None:
        """Have the blocks used for something else; the disk gets its room back when none is in use."""
        for block in blocks:
            heapq.heappush(self._free, block)
            self.used -= 1
        if not self.used and self._beyond:
            self._free.clear()
            self._beyond = 0
            if self._file is not None:
                os.ftruncate(self._file.fileno(), 0)

    def write(self, blocks: t.Sequence[int], start: int, data: bytes) -> None:
        """Write at a place in these blocks; OSError where the disk does not take it."""
        left = memoryview(data)
        for offset, size in _runs(blocks, start, len(data)):
            end = offset + size
            while offset < end:
                written = os.pwrite(self._descriptor(), left[: end - offset], offset)
                offset, left = offset + written, left[written:]

    def read(self, blocks: t.Sequence[int], start: int, length: int) -> bytes:
        """Read what has been written; OSError where it cannot be read."""
        pieces = []
        for offset, size in _runs(blocks, start, length):
            while size:
                data = os.pread(self._descriptor(), size, offset)
                if not data:
                    raise OSError(f"the file of the spool ends {size} bytes early")
                pieces.append(data)
                offset, size = offset + len(data), size - len(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _descriptor(self) -> int:
        with self._opening:
            if self._closed:
                raise OSError("the spool has been closed")
            if self._file is None:
                os.makedirs(self._folder, mode=0o700, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=self._folder, prefix="spool-", buffering=0)  # noqa: SIM115 - closed by close()
            return self._file.fileno()

    def close(self) -> None:
        """Give all of it back to the disk."""
        with self._opening:
            self._closed = True
            file, self._file = self._file, None
        if file is not None:
            file.close()


def _runs(blocks: t.Sequence[int], start: int, length: int) -> t.Iterator[tuple[int, int]]:
    """(offset in the file, bytes) of a part of what lies in these blocks; blocks that follow each other are one run."""
    while length:
        number, within = divmod(start, BLOCK)
        last = number
        size = BLOCK - within
        while size < length and blocks[last + 1] == blocks[last] + 1:
            last += 1
            size += BLOCK
        size = min(size, length)
        yield blocks[number] * BLOCK + within, size
        start, length = start + size, length - size


class Content:
    """Something that is held, or on its way.

    `origin`: the repository that it is read from; `had_by`: the readers that have it; `lingers`: they may want it again, so it stays
    while there is room. There may be thousands of them, so each is small.
    """

    __slots__ = (
        *("blocks", "changed", "complete", "data", "error", "gone", "had_by", "key", "length", "lingers", "meta", "opened", "origin"),
        *("size", "users"),
    )

    def __init__(self, key: Key, origin: str, had_by: int, lingers: bool, lock: threading.Lock) -> None:
        self.key = key
        self.origin = origin
        self.had_by = had_by
        self.lingers = lingers
        #: bytes; -1 while it is not known
        self.size = -1
        #: bytes that are here
        self.length = 0
        #: who reads it, or brings it, right now: it stays as long
        self.users = 0
        self.data: bytes | None = None
        self.meta: Meta = ()
        self.blocks: list[int] = []
        self.opened = False
        self.complete = False
        #: it is not given to anybody else any more
        self.gone = False
        self.error: BaseException | None = None
        #: None as soon as nothing of it changes any more
        self.changed: threading.Condition | None = threading.Condition(lock)


class Spool:
    """Contents for so many readers. `capacity`: bytes on disk at the most, in a file in `folder`."""

    def __init__(self, folder: str, capacity: int, readers: int, memory: int = MEMORY) -> None:
        self.blocks = Blocks(folder, capacity)
        #: contents that were read once more because they had to go in between, or never had room
        self.read_again = 0
        #: why the disk is not used, if it is not
        self.problem = ""
        self._memory = memory
        self._in_memory = 0
        self._everybody = (1 << readers) - 1
        self._finished = 0
        self._lock = threading.Lock()
        self._contents: dict[Key, Content] = {}
        #: complete ones by where they lie, those that were used longest ago first
        self._small: collections.OrderedDict[Key, Content] = collections.OrderedDict()
        self._large: collections.OrderedDict[Key, Content] = collections.OrderedDict()
        #: who has something that is not held here; and what has been read without being held now
        self._had: collections.OrderedDict[Key, int] = collections.OrderedDict()
        self._read: collections.OrderedDict[Key, None] = collections.OrderedDict()
        self._bringing: set[threading.Thread] = set()

    # -- who has what
    def has(self, reader: int, key: Key) -> None:
        """A reader has this now, wherever it came from."""
        with self._lock:
            content = self._contents.get(key)
            if content is not None:
                content.had_by |= 1 << reader
                self._drop_if_done(content)
                return
            had_by = self._had.get(key, 0) | 1 << reader
            if self._is_all(had_by):
                self._had.pop(key, None)
                self._read.pop(key, None)
            else:
                self._had[key] = had_by
                _limit(self._had)

    def finished(self, reader: int) -> None:
        """A reader wants nothing any more."""
        with self._lock:
            self._finished |= 1 << reader
            for content in list(self._contents.values()):
                self._drop_if_done(content)

    def is_alone(self, reader: int) -> bool:
        """Whether all the others have finished."""
        with self._lock:
            return self._is_all(1 << reader)

    def _is_all(self, had_by: int) -> bool:
        return had_by | self._finished == self._everybody

    # -- what is read as a whole
    def whole(
        self, reader: int, key: Key, origin: str, read: t.Callable[[], tuple[bytes, Meta]], lingers: bool = False
    ) -> tuple[bytes, Meta]:
        """What `read` brings; whoever comes first calls it, in its own thread, and the others get the same.

        `lingers`: whoever has got it has it, though it may ask again. If reading fails, those who wait fail as well, unless they would
        have read from elsewhere (`origin`): they try for themselves.
        """
        while True:
            with self._lock:
                content = self._contents.get(key)
                mine = content is None
                if content is None:
                    content = self._start(key, origin, lingers)
                content.users += 1
            try:
                if mine:
                    self._bring_whole(content, read)
                with self._lock:
                    while not content.complete and content.error is None and content.changed:
                        content.changed.wait()
                    if content.error is None:
                        content.had_by |= lingers << reader
                if content.error is None:
                    return self._data(content), content.meta
                if content.origin == origin or not isinstance(content.error, MigrationError):
                    raise _for_another(content.error)
            except NoRoom:
                # it cannot be read from the disk any more: it is read anew
                continue
            finally:
                self.release(content)

    def put(self, key: Key, origin: str, data: bytes, meta: Meta) -> None:
        """Take over something that lingers and has been read already, if it is not here."""
        with self._lock:
            content = None if key in self._contents else self._start(key, origin, True)
            if content is not None:
                content.users += 1
        if content is not None:
            self._bring_whole(content, lambda: (data, meta))
            self.release(content)

    def holds(self, key: Key) -> bool:
        """Whether it is here, or on its way."""
        with self._lock:
            return key in self._contents

    def _bring_whole(self, content: Content, read: t.Callable[[], tuple[bytes, Meta]]) -> None:
        try:
            data, meta = read()
        except BaseException as error:
            self._end(content, error)
            raise
        with self._lock:
            content.data, content.meta = data, meta
            content.length = content.size = len(data)
            self._in_memory += len(data)
        self._end(content)
        self._relieve_memory()

    def _data(self, content: Content) -> bytes:
        with self._lock:
            if content.data is not None:
                return content.data
        return self._from_disk(content, 0, content.length)

    def _from_disk(self, content: Content, start: int, length: int) -> bytes:
        try:
            return self.blocks.read(content.blocks, start, length)
        except OSError as error:
            self._give_up_disk(error)
            with self._lock:
                self._forget(content)
            raise NoRoom from error

    def _relieve_memory(self) -> None:
        """Take small contents to the disk until the others fit into memory."""
        while True:
            with self._lock:
                if self._in_memory <= self._memory:
                    return
                content = next((one for one in self._small.values() if not one.users), None)
                if content is None:
                    # all of it is being read
                    return
                blocks = None if self._is_all(content.had_by) else self._make_room(_blocks_for(content.length))
                if blocks is None:
                    # nobody needs it any more, or it has to go
                    self._evict(content)
                    continue
                content.users += 1
                data = content.data or b""
            try:
                self.blocks.write(blocks, 0, data)
            except OSError as error:
                self._give_up_disk(error)
                with self._lock:
                    self.blocks.give_back(blocks)
                    self._evict(content)
            else:
                with self._lock:
                    content.blocks, content.data = blocks, None
                    self._in_memory -= len(data)
                    if self._small.pop(content.key, None) is not None:
                        self._large[content.key] = content
            self.release(content)

    # -- what is read while it comes
    def join(self, key: Key, origin: str, size: int, open_source: t.Callable[[], BlobSource]) -> Content | None:
        """Something for `read`, to be given to `release` afterwards; None where there is no room for it.

        Whoever comes first has it brought by a thread of its own, so that its pace is that of the source.
        """
        with self._lock:
            content = self._contents.get(key)
            if content is None:
                blocks = self._make_room(_blocks_for(max(0, size)))
                if blocks is None:
                    return None
                content = self._start(key, origin, False)
                content.blocks = blocks
                # for the thread
                content.users += 1
                thread = threading.Thread(target=self._bring, args=(content, open_source), name="spool", daemon=True)
                self._bringing.add(thread)
                try:
                    thread.start()
                except RuntimeError:
                    # the system lets us have no more of them
                    self._bringing.discard(thread)
                    content.users = 0
                    self._forget(content)
                    return None
            elif content.key in self._large:
                self._large.move_to_end(content.key)
            content.users += 1
            return content

    def wait_until_open(self, content: Content) -> None:
        """Wait until it is known that it can be read, and its size; raises what reading raised."""
        with self._lock:
            while not content.opened and content.error is None and content.changed:
                content.changed.wait()
        self._check(content)

    def read(self, content: Content, start: int) -> bytes:
        """Bytes from `start` on, as soon as there are any, PIECE at the most; empty at the end. Raises what reading raised."""
        with self._lock:
            while content.length <= start and not content.complete and content.error is None and content.changed:
                content.changed.wait()
            length = min(PIECE, content.length - start)
            data = content.data
        self._check(content)
        if length <= 0:
            return b""
        return data[start : start + length] if data is not None else self._from_disk(content, start, length)

    def release(self, content: Content) -> None:
        """It is not read any more by one who did."""
        with self._lock:
            content.users -= 1
            if content.gone:
                self._clear(content)
            else:
                self._drop_if_done(content)

    @staticmethod
    def _check(content: Content) -> None:
        if content.error is not None:
            raise _for_another(content.error)

    def _bring(self, content: Content, open_source: t.Callable[[], BlobSource]) -> None:
        source: BlobSource | None = None
        try:
            source = open_source()
            with self._lock:
                content.opened, content.size = True, source.size
                self._tell(content)
            for data in source:
                self._append(content, data)
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait for the bytes have to know
            self._end(content, error)
        else:
            self._end(content)
        finally:
            if source is not None:
                source.close()
            self.release(content)
            with self._lock:
                self._bringing.discard(threading.current_thread())

    def _append(self, content: Content, data: bytes) -> None:
        with self._lock:
            if content.users == 1 and self._is_all(content.had_by):
                self._forget(content)
                raise _Unwanted
            missing = _blocks_for(content.length + len(data)) - len(content.blocks)
            if missing > 0:
                more = self._make_room(missing)
                if more is None:
                    raise NoRoom
                content.blocks += more
        try:
            self.blocks.write(content.blocks, content.length, data)
        except OSError as error:
            self._give_up_disk(error)
            raise NoRoom from error
        with self._lock:
            content.length += len(data)
            self._tell(content)

    # -- keeping track; the lock is held in all of these but _end and _give_up_disk
    def _start(self, key: Key, origin: str, lingers: bool) -> Content:
        self.count_read(key)
        content = Content(key, origin, self._had.pop(key, 0), lingers, self._lock)
        self._contents[key] = content
        while len(self._contents) > MOST_CONTENTS:
            oldest = next((one for shelf in (self._large, self._small) for one in shelf.values() if not one.users), None)
            if oldest is None:
                break
            self._evict(oldest)
        return content

    def count_read(self, key: Key) -> None:
        """The source is asked for this now. The lock is held, or nobody else is asking."""
        self.read_again += key in self._read
        self._read[key] = None
        _limit(self._read)

    def read_directly(self, key: Key) -> None:
        """The source is asked for something that there is no room for."""
        with self._lock:
            self.count_read(key)

    def _end(self, content: Content, error: BaseException | None = None) -> None:
        with self._lock:
            content.error = error
            content.complete = error is None
            if error is not None:
                self._forget(content)
            elif not content.gone:
                (self._small if content.data is not None else self._large)[content.key] = content
            self._tell(content)
            content.changed = None

    @staticmethod
    def _tell(content: Content) -> None:
        if content.changed is not None:
            content.changed.notify_all()

    def _drop_if_done(self, content: Content) -> None:
        if content.complete and not content.users and not content.lingers and self._is_all(content.had_by):
            self._read.pop(content.key, None)
            self._forget(content)

    def _evict(self, content: Content) -> None:
        if self._is_all(content.had_by):
            # whoever reads it again has read it before
            self._read.pop(content.key, None)
        elif not content.gone:
            self._had[content.key] = content.had_by
            _limit(self._had)
        self._forget(content)

    def _forget(self, content: Content) -> None:
        """Give it to nobody else; its room is free as soon as nobody reads it."""
        if not content.gone:
            content.gone = True
            del self._contents[content.key]
            self._small.pop(content.key, None)
            self._large.pop(content.key, None)
        if not content.users:
            self._clear(content)

    def _clear(self, content: Content) -> None:
        if content.users:
            return
        blocks, content.blocks = content.blocks, []
        self.blocks.give_back(blocks)
        if content.data is not None:
            self._in_memory -= len(content.data)
            content.data = None

    def _make_room(self, count: int) -> list[int] | None:
        if count > self.blocks.total or self.problem:
            return [] if not count else None
        while True:
            blocks = self.blocks.take(count)
            if blocks is not None:
                return blocks
            oldest = next((one for one in self._large.values() if not one.users), None)
            if oldest is None:
                return None
            self._evict(oldest)

    def _give_up_disk(self, error: OSError) -> None:
        self.problem = self.problem or error.strerror or str(error)

    def close(self) -> None:
        """Give everything back. All readers have finished: what is still being brought ends with its next piece."""
        until = time.monotonic() + _LONGEST_END
        with self._lock:
            self._finished = self._everybody
            bringing = list(self._bringing)
        for thread in bringing:
            thread.join(max(0.0, until - time.monotonic()))
        self.blocks.close()


def _blocks_for(size: int) -> int:
    return -(-size // BLOCK)


def _limit(table: collections.OrderedDict[Key, t.Any]) -> None:
    if len(table) > MOST_CONTENTS:
        table.popitem(last=False)


def _for_another(error: BaseException) -> BaseException:
    """An error for one of several threads: whoever catches it may change it."""
    return copy.copy(error) if isinstance(error, MigrationError) else error

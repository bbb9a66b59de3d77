# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The spool: what several readers share is brought once, kept as long as somebody needs it, and no reader waits for another one."""

from __future__ import annotations

import os
import random
import threading

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import BlobUnknown, ConnectionFailed, MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._stores import spool as spool_module
from ansible_collections.registryops.migration.plugins.module_utils._stores.spool import BLOCK, Blocks, NoRoom, Spool

PATIENCE = 30.0


class Source:
    """A blob whose bytes come when they are let go; `opened` counts how often it was read."""

    def __init__(
        self, data: bytes, *, piece: int = BLOCK, held: bool = False, error: Exception | None = None, size: int | None = None
    ) -> None:
        self.data = data
        self.piece = piece
        self.error = error
        self.size = len(data) if size is None else size
        self.received = 0
        self.opened = 0
        self.closed = 0
        self.go = threading.Semaphore(0 if held else 1_000_000)

    def open(self) -> Source:
        self.opened += 1
        return self

    def __iter__(self):
        for start in range(0, len(self.data), self.piece):
            assert self.go.acquire(timeout=PATIENCE)
            yield self.data[start : start + self.piece]
        if self.error is not None:
            assert self.go.acquire(timeout=PATIENCE)
            raise self.error

    def close(self) -> None:
        self.closed += 1


def random_bytes(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def read_all(spool: Spool, content) -> bytes:
    found = b""
    while True:
        data = spool.read(content, len(found))
        if not data:
            spool.release(content)
            return found
        found += data


@pytest.fixture
def spool(tmp_path):
    made = Spool(str(tmp_path / "spool"), 64 * BLOCK, 2)
    yield made
    made.close()


def in_thread(work):
    """Run it in a thread; returns what waits for it and gives its result, or raises its error."""
    results, errors = [], []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait():
        thread.join(PATIENCE)
        assert not thread.is_alive()
        if errors:
            raise errors[0]
        return results[0]

    return wait


# -- room on disk --------------------------------------------------------------------------------------------------------------


def test_blocks_hold_what_is_written_wherever_they_lie(tmp_path):
    blocks = Blocks(str(tmp_path), 16 * BLOCK)
    first, second, third = blocks.take(3), blocks.take(2), blocks.take(3)
    blocks.give_back(first)
    blocks.give_back(third)
    # not one after the other
    scattered = blocks.take(6)
    assert scattered != list(range(scattered[0], scattered[0] + 6))
    data = random_bytes(5 * BLOCK + 100)
    position = 0
    for size in (1, BLOCK - 1, BLOCK + 7, 3 * BLOCK, 93):
        blocks.write(scattered, position, data[position : position + size])
        position += size
    assert position == len(data)
    assert blocks.read(scattered, 0, len(data)) == data
    assert blocks.read(scattered, BLOCK - 3, 2 * BLOCK) == data[BLOCK - 3 : 3 * BLOCK - 3]
    assert blocks.take(9) is None
    assert len(blocks.take(8)) == 8
    assert not set(scattered) & set(second)
    blocks.close()


def test_the_file_has_no_name_and_shrinks(tmp_path):
    blocks = Blocks(str(tmp_path / "new"), 4 * BLOCK)
    taken = blocks.take(4)
    blocks.write(taken, 0, bytes(4 * BLOCK))
    assert list((tmp_path / "new").iterdir()) == []
    descriptor = blocks._descriptor()
    assert os.fstat(descriptor).st_size == 4 * BLOCK
    blocks.give_back(taken)
    assert os.fstat(descriptor).st_size == 0
    blocks.close()
    with pytest.raises(OSError, match="closed"):
        blocks.read(taken, 0, 1)


def test_nothing_is_made_while_nothing_is_written(tmp_path):
    made = Spool(str(tmp_path / "spool"), 1 << 30, 2)
    assert made.whole(0, "small", "a", lambda: (b"small", ())) == (b"small", ())
    made.close()
    assert not (tmp_path / "spool").exists()


# -- while it comes ------------------------------------------------------------------------------------------------------------


def test_readers_get_the_bytes_as_they_come(spool):
    source = Source(random_bytes(4 * BLOCK), held=True)
    contents = [spool.join("blob", "a", source.size, source.open) for _unused in range(2)]
    assert contents[0] is contents[1]
    source.go.release()
    assert spool.read(contents[0], 0) == source.data[:BLOCK]
    # the other one has read nothing so far, and that holds nobody up
    source.go.release(3)
    assert read_all(spool, contents[0]) == source.data
    assert read_all(spool, contents[1]) == source.data
    assert (source.opened, source.closed) == (1, 1)


def test_it_goes_when_all_have_it(spool):
    source = Source(random_bytes(3 * BLOCK))
    assert read_all(spool, spool.join("blob", "a", source.size, source.open)) == source.data
    spool.has(0, "blob")
    assert spool.holds("blob")
    assert spool.blocks.used == 3
    assert read_all(spool, spool.join("blob", "b", source.size, source.open)) == source.data
    spool.has(1, "blob")
    assert not spool.holds("blob")
    assert spool.blocks.used == 0
    assert source.opened == 1
    assert spool.read_again == 0


def test_it_is_not_kept_for_one_that_has_it_or_has_finished(tmp_path):
    made = Spool(str(tmp_path), 64 * BLOCK, 3)
    source = Source(random_bytes(2 * BLOCK))
    made.has(2, "blob")
    made.finished(1)
    read_all(made, made.join("blob", "a", source.size, source.open))
    assert made.holds("blob")
    made.has(0, "blob")
    assert not made.holds("blob")
    made.close()


def test_what_only_the_finished_would_need_goes(spool):
    source = Source(random_bytes(2 * BLOCK))
    read_all(spool, spool.join("blob", "a", source.size, source.open))
    spool.has(0, "blob")
    spool.finished(1)
    assert spool.blocks.used == 0
    assert spool.is_alone(0)


def test_a_reader_keeps_it_until_it_is_through(spool):
    source = Source(random_bytes(2 * BLOCK))
    slow = spool.join("blob", "a", source.size, source.open)
    read_all(spool, spool.join("blob", "a", source.size, source.open))
    spool.has(0, "blob")
    spool.has(1, "blob")
    assert read_all(spool, slow) == source.data
    assert spool.blocks.used == 0


def test_what_nobody_wants_any_more_is_not_brought_to_the_end(spool):
    source = Source(random_bytes(8 * BLOCK), held=True)
    content = spool.join("blob", "a", source.size, source.open)
    source.go.release()
    spool.read(content, 0)
    spool.release(content)
    spool.finished(0)
    spool.finished(1)
    source.go.release()
    spool.close()
    assert source.closed == 1
    assert source.go.acquire(blocking=False) is False
    assert spool.blocks.used == 0


def test_of_unknown_size(spool):
    source = Source(random_bytes(3 * BLOCK + 5), size=-1)
    content = spool.join("blob", "a", -1, source.open)
    spool.wait_until_open(content)
    assert read_all(spool, content) == source.data
    assert spool.blocks.used == 4


def test_of_no_bytes(spool):
    source = Source(b"")
    assert read_all(spool, spool.join("blob", "a", 0, source.open)) == b""


def test_a_failure_reaches_all_who_wait_each_with_an_error_of_its_own(spool):
    source = Source(random_bytes(BLOCK), held=True, error=ConnectionFailed("broke off.", subject="old"))
    contents = [spool.join("blob", "a", 5 * BLOCK, source.open) for _unused in range(2)]
    source.go.release()
    assert spool.read(contents[0], 0) == source.data
    waiting = [in_thread(lambda content=content: spool.read(content, BLOCK)) for content in contents]
    source.go.release()
    errors = []
    for wait in waiting:
        with pytest.raises(ConnectionFailed) as raised:
            wait()
        errors.append(raised.value)
    assert errors[0] is not errors[1]
    assert str(errors[0]) == str(errors[1])
    for content in contents:
        spool.release(content)
    assert spool.blocks.used == 0
    # whoever comes next has it brought anew
    again = Source(random_bytes(BLOCK))
    assert read_all(spool, spool.join("blob", "a", BLOCK, again.open)) == again.data
    assert spool.read_again == 1


def test_a_source_that_cannot_be_opened(spool):
    def refuse():
        raise BlobUnknown("is not there.", subject="old")

    content = spool.join("blob", "a", BLOCK, refuse)
    with pytest.raises(BlobUnknown):
        spool.wait_until_open(content)
    spool.release(content)
    assert not spool.holds("blob")


# -- no room -------------------------------------------------------------------------------------------------------------------


def test_what_was_used_longest_ago_makes_room(tmp_path):
    made = Spool(str(tmp_path), 4 * BLOCK, 2)
    sources = {name: Source(random_bytes(2 * BLOCK, seed)) for seed, name in enumerate("abc")}
    for name in "ab":
        read_all(made, made.join(name, name, 2 * BLOCK, sources[name].open))
    read_all(made, made.join("a", "a", 2 * BLOCK, sources["a"].open))
    read_all(made, made.join("c", "c", 2 * BLOCK, sources["c"].open))
    assert [made.holds(name) for name in "abc"] == [True, False, True]
    assert made.read_again == 0
    assert read_all(made, made.join("b", "b", 2 * BLOCK, sources["b"].open)) == sources["b"].data
    assert made.read_again == 1
    assert made.blocks.peak == 4
    made.close()


def test_what_is_being_read_is_not_thrown_out(tmp_path):
    made = Spool(str(tmp_path), 2 * BLOCK, 2)
    source = Source(random_bytes(2 * BLOCK))
    content = made.join("a", "a", 2 * BLOCK, source.open)
    assert made.join("b", "b", BLOCK, source.open) is None
    assert read_all(made, content) == source.data
    assert made.join("large", "a", 3 * BLOCK, source.open) is None
    made.close()


def test_room_that_ends_in_the_middle(tmp_path):
    """Nobody knew how large it would be."""
    made = Spool(str(tmp_path), 2 * BLOCK, 2)
    source = Source(random_bytes(5 * BLOCK), size=-1)
    content = made.join("a", "a", -1, source.open)
    with pytest.raises(NoRoom):
        read_all(made, content)
    made.release(content)
    assert made.blocks.used == 0
    made.close()


def test_a_disk_that_is_full(spool, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool_module.os, "pwrite", full)
    source = Source(random_bytes(2 * BLOCK))
    content = spool.join("a", "a", 2 * BLOCK, source.open)
    with pytest.raises(NoRoom):
        read_all(spool, content)
    spool.release(content)
    assert spool.problem == "No space left on device"
    # it is not tried again
    assert spool.join("b", "a", BLOCK, source.open) is None
    assert spool.whole(0, "small", "a", lambda: (b"small", ())) == (b"small", ())


def test_a_disk_that_cannot_be_read(spool, monkeypatch):
    source = Source(random_bytes(2 * BLOCK))
    read_all(spool, spool.join("a", "a", 2 * BLOCK, source.open))

    def broken(*_arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(spool_module.os, "pread", broken)
    content = spool.join("a", "a", 2 * BLOCK, source.open)
    with pytest.raises(NoRoom):
        spool.read(content, 0)
    spool.release(content)
    assert not spool.holds("a")


# -- as a whole ----------------------------------------------------------------------------------------------------------------


def test_small_ones_are_read_once(spool):
    reads = []

    def read():
        reads.append(1)
        return b"data", ("meta",)

    waiting = [in_thread(lambda reader=reader: spool.whole(reader, "key", "a", read)) for reader in (0, 1, 0, 1)]
    assert [wait() for wait in waiting] == [(b"data", ("meta",))] * 4
    assert len(reads) == 1


def test_those_who_wait_try_for_themselves_where_they_would_have_read_elsewhere(spool):
    entered, leave = threading.Event(), threading.Event()

    def lost():
        entered.set()
        assert leave.wait(PATIENCE)
        raise BlobUnknown("is not there.", subject="old/a")

    first = in_thread(lambda: spool.whole(0, "key", "a", lost))
    assert entered.wait(PATIENCE)
    same = in_thread(lambda: spool.whole(1, "key", "a", lambda: (b"never", ())))
    other = in_thread(lambda: spool.whole(1, "key", "b", lambda: (b"data", ())))
    content = spool._contents["key"]
    deadline = threading.Event()
    while content.users < 3:
        assert not deadline.wait(0.001)
    leave.set()
    assert other() == (b"data", ())
    for wait in (first, same):
        with pytest.raises(BlobUnknown):
            wait()


def test_an_error_that_nobody_expected_reaches_all(spool):
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spool.whole(0, "key", "a", broken)
    assert not spool.holds("key")


def test_small_ones_go_to_the_disk_when_there_are_many(tmp_path):
    made = Spool(str(tmp_path), 64 * BLOCK, 2, memory=10_000)
    data = {number: random_bytes(3_000, number) for number in range(20)}
    for number, content in data.items():
        made.whole(0, number, "a", lambda content=content: (content, (str(len(content)),)))
    assert made._in_memory <= 10_000
    assert made.blocks.used == 17

    def never():
        raise AssertionError("it has been read already")

    for number, content in data.items():
        assert made.whole(1, number, "a", never) == (content, ("3000",))
    for number in data:
        made.has(0, number)
        made.has(1, number)
    assert made.blocks.used == 0
    assert made._in_memory == 0
    made.close()


def test_what_lingers_stays_for_a_second_question_but_not_on_disk(tmp_path):
    made = Spool(str(tmp_path), 64 * BLOCK, 2, memory=10_000)
    reads = []

    def read():
        reads.append(1)
        return bytes(6_000), ()

    for reader in (0, 1, 0, 1):
        made.whole(reader, "manifest", "a", read, lingers=True)
    assert len(reads) == 1
    made.whole(0, "another", "a", read, lingers=True)
    assert not made.holds("manifest")
    assert made.blocks.used == 0
    made.whole(0, "manifest", "a", read, lingers=True)
    # all had it: that is no lack of room
    assert made.read_again == 0
    made.close()


def test_there_are_never_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_module, "MOST_CONTENTS", 50)
    made = Spool(str(tmp_path), 64 * BLOCK, 2)
    for number in range(200):
        made.whole(0, number, "a", lambda: (b"data", ()))
        made.has(0, number)
    assert len(made._contents) == 50
    assert len(made._had) <= 50
    assert len(made._read) <= 50
    made.close()


def test_many_readers_of_many_contents(tmp_path):
    """All of them at once, with too little room for all: everybody gets the right bytes, and in the end nothing is left."""
    readers, names = 4, range(12)
    made = Spool(str(tmp_path), 12 * BLOCK, readers, memory=20_000)
    data = {name: random_bytes(2 * BLOCK + 1000 * name if name % 2 else 5_000 + name, name) for name in names}

    def read(reader: int) -> int:
        order = list(names)
        random.Random(reader).shuffle(order)
        for name in order:
            if name % 2:
                source = Source(data[name], piece=50_000)
                content = made.join(name, "a", source.size, source.open)
                try:
                    found = read_all(made, content) if content is not None else data[name]
                except MigrationError as error:
                    raise AssertionError from error
            else:
                found = made.whole(reader, name, "a", lambda name=name: (data[name], ()))[0]
            assert found == data[name]
            made.has(reader, name)
        made.finished(reader)
        return reader

    waiting = [in_thread(lambda reader=reader: read(reader)) for reader in range(readers)]
    assert [wait() for wait in waiting] == list(range(readers))
    made.close()
    assert made.blocks.used == 0
    assert made._in_memory == 0
    assert made._contents == {}
    assert made.blocks.peak <= 12

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs on disk for a while: what has no room goes, and what is being read stays."""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import digest_of
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import StateError
from ansible_collections.registryops.migration.plugins.module_utils._stores.blob_spool import BlobSpool
from ansible_collections.registryops.migration.plugins.module_utils._stores.spool import BLOCK


@pytest.fixture
def spool(tmp_path: Path) -> t.Iterator[BlobSpool]:
    spool = BlobSpool(str(tmp_path / "spool"), 4 * BLOCK)
    yield spool
    spool.close()


def put(spool: BlobSpool, data: bytes) -> str:
    incoming = spool.begin()
    for start in range(0, len(data), 100_000):
        incoming.append(data[start : start + 100_000])
    digest = digest_of(data)
    assert incoming.keep(digest)
    return digest


def get(spool: BlobSpool, digest: str) -> bytes | None:
    source = spool.open(digest)
    if source is None:
        return None
    try:
        return b"".join(source)
    finally:
        source.close()


def blob(letter: str, blocks: int = 2) -> bytes:
    return letter.encode() * (blocks * BLOCK)


def test_what_is_kept_can_be_read_as_often_as_one_likes(spool: BlobSpool, tmp_path: Path) -> None:
    digest = put(spool, b"content" * 50_000)
    assert get(spool, digest) == get(spool, digest) == b"content" * 50_000
    assert spool.holds(digest)
    assert get(spool, digest_of(b"other")) is None
    # its file has no name
    assert list((tmp_path / "spool").iterdir()) == []


def test_an_empty_blob(spool: BlobSpool) -> None:
    assert get(spool, put(spool, b"")) == b""


def test_what_was_used_longest_ago_goes(spool: BlobSpool) -> None:
    first, second = put(spool, blob("a")), put(spool, blob("b"))
    assert get(spool, first)
    third = put(spool, blob("c"))
    assert not spool.holds(second)
    assert get(spool, first) == blob("a")
    assert get(spool, third) == blob("c")


def test_what_is_being_read_stays(spool: BlobSpool) -> None:
    first = put(spool, blob("a"))
    source = spool.open(first)
    assert source is not None
    put(spool, blob("b"))
    assert get(spool, put(spool, blob("c"))) == blob("c")
    assert b"".join(source) == blob("a")
    source.close()
    assert spool.holds(first)


def test_what_is_read_once_makes_room_first_then_what_has_waited_longest(tmp_path: Path) -> None:
    with contextlib.closing(BlobSpool(str(tmp_path), 3 * BLOCK, read_once=True)) as spool:
        first, second, third = (put(spool, blob(letter, 1)) for letter in "abc")
        assert get(spool, second) == blob("b", 1)
        fourth = put(spool, blob("d", 1))
        assert get(spool, second) is None
        # who stops before the end has not read it
        started = spool.open(fourth)
        assert started is not None
        started.close()
        fifth = put(spool, blob("e", 1))
        assert get(spool, first) is None
        # nobody takes away what is being read
        reading = spool.open(third)
        assert reading is not None
        pieces = iter(reading)
        put(spool, blob("f", 1))
        assert b"".join(pieces) == blob("c", 1)
        reading.close()
        assert [spool.holds(one) for one in (third, fourth, fifth)] == [True, False, True]


def test_what_is_larger_than_all_of_it_has_no_room(spool: BlobSpool) -> None:
    assert spool.capacity == 4 * BLOCK
    small = put(spool, blob("s", 1))
    incoming = spool.begin()
    assert [incoming.append(blob("x", 1)) for _number in range(6)] == [True] * 4 + [False] * 2
    assert not incoming.keep(digest_of(blob("x", 6)))
    assert not spool.holds(small)
    # and all the room is there again
    assert get(spool, put(spool, blob("y", 4))) == blob("y", 4)


def test_what_is_dropped_gives_its_room_back(spool: BlobSpool) -> None:
    incoming = spool.begin()
    assert incoming.append(blob("x", 4))
    incoming.drop()
    assert get(spool, put(spool, blob("y", 4))) == blob("y", 4)


def test_the_same_blob_twice_takes_the_room_of_one(spool: BlobSpool) -> None:
    first = put(spool, blob("a"))
    source = spool.open(first)
    assert source is not None
    assert put(spool, blob("a")) == first
    assert b"".join(source) == blob("a")
    source.close()
    assert get(spool, put(spool, blob("b"))) == blob("b")
    assert get(spool, first) == blob("a")


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    spool = BlobSpool(str(tmp_path / "file"), BLOCK)
    with pytest.raises(StateError) as caught:
        spool.begin().append(b"x")
    assert caught.value.subject == str(tmp_path / "file")
    assert "spool_dir" in caught.value.hint

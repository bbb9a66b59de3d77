# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading blobs whose bytes break off, are wrong, too few or too many: against a server that plays a script."""

from __future__ import annotations

import gzip
import hashlib
import random

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci import blobs
from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobReader, HeldBlob, checked
from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import Answer
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import BlobUnknown, ConnectionFailed, DigestMismatch
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import Response
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor
from ansible_collections.registryops.migration.tests.unit.plugins.module_utils._oci.made_answers import made_answer

DATA = random.Random("blob").randbytes(10_000)
TYPE = "application/octet-stream"


def descriptor(data: bytes = DATA, size: int | None = None, algorithm: str = "sha256") -> Descriptor:
    return Descriptor(TYPE, f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}", len(data) if size is None else size)


class Naps:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> Naps:
    naps = Naps()
    monkeypatch.setattr(blobs, "time", naps)
    # small pieces, so that a blob of a few kilobytes has several
    monkeypatch.setattr(Answer.read, "__defaults__", (1000,))
    return naps


class Server:
    """Answers GETs of one blob; `script` holds, for each, how many bytes of the body arrive (None: all)."""

    def __init__(self, data: bytes = DATA, script: list[int | None] | None = None, ranges: bool = True, length: bool = True) -> None:
        self.data = data
        self.script = script or []
        self.ranges = ranges
        self.length = length
        self.starts: list[int] = []
        self.released = 0
        #: sent instead of the place that was asked for
        self.content_range: str | None = None

    def fetch(self, start: int) -> Response:
        self.starts.append(start)
        arriving = self.script.pop(0) if self.script else None
        body = self.data[start:] if self.ranges else self.data
        headers = {"Content-Length": str(len(body))} if self.length else {}
        if start and self.ranges:
            headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
            if self.content_range is not None:
                headers["Content-Range"] = self.content_range
        return self.answer(206 if start and self.ranges else 200, body[:arriving], headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> Response:
        raw = made_answer(status, body, headers)
        return Response(raw, "https://registry.example.com/v2/app/blobs/x", self._release)

    def _release(self) -> None:
        self.released += 1


def reader(server: Server, of: Descriptor | None = None, attempts: int = 3, bandwidth: Rate | None = None) -> BlobReader:
    return BlobReader(server.fetch, of or descriptor(server.data), "registry.example.com/app@x", attempts, bandwidth)


def read(source: BlobReader) -> bytes:
    return b"".join(source)


# -- the digest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_the_right_bytes_pass(algorithm):
    pieces = [DATA[:1], DATA[1:5000], b"", DATA[5000:]]
    assert b"".join(checked(pieces, descriptor(algorithm=algorithm).digest, "x")) == DATA


def test_no_bytes_are_a_blob_too():
    assert list(checked([], descriptor(b"").digest, "x")) == []


def test_the_last_piece_is_kept_back_from_a_wrong_blob():
    passed: list[bytes] = []
    with pytest.raises(DigestMismatch) as caught:
        passed.extend(checked([b"one", b"two", b"three"], descriptor(b"other").digest, "where"))
    assert passed == [b"one", b"two"]
    assert caught.value.subject == "where"


def test_a_wrong_blob_of_one_piece_is_kept_back_whole():
    with pytest.raises(DigestMismatch):
        next(checked([b"wrong"], descriptor(b"other").digest, "x"))


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_blob_is_read_in_pieces():
    server = Server()
    source = reader(server)
    assert source.size == 10_000
    pieces = list(source)
    assert b"".join(pieces) == DATA
    assert len(pieces) == 10
    assert source.received == 10_000
    assert server.starts == [0]
    source.close()
    assert server.released == 1
    source.close()
    assert server.released == 1


def test_an_empty_blob():
    assert read(reader(Server(b""))) == b""


def test_a_size_that_nobody_has_told_comes_from_the_server():
    source = reader(Server(), descriptor(size=-1))
    assert source.size == 10_000
    assert read(source) == DATA


def test_a_size_that_even_the_server_does_not_tell():
    source = reader(Server(length=False), descriptor(size=-1))
    assert source.size == -1
    assert read(source) == DATA
    assert source.received == 10_000


def test_the_bandwidth_is_shared_by_whoever_reads():
    taken = []

    class Counted(Rate):
        def take(self, units: float) -> None:
            taken.append(units)

    assert read(reader(Server(), bandwidth=Counted(0))) == DATA
    assert taken == [1000] * 10


# -- what breaks off ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 999, 1000, 1001, 5000, 9999])
def test_reading_goes_on_where_it_broke_off(cut, naps):
    server = Server(script=[cut])
    source = reader(server)
    assert read(source) == DATA
    assert server.starts == [0, cut]
    assert source.received == 10_000
    assert len(naps.slept) == 1
    source.close()
    assert server.released == 2


def test_what_breaks_off_before_the_first_byte_is_asked_for_again():
    server = Server(script=[0, 0])
    assert read(reader(server)) == DATA
    assert server.starts == [0, 0, 0]


def test_attempts_count_only_while_nothing_comes():
    server = Server(script=[1000] * 9)
    assert read(reader(server, attempts=2)) == DATA
    assert server.starts == list(range(0, 10_000, 1000))


def test_in_the_end_it_is_given_up():
    server = Server(script=[4000, 0, 0, 0])
    source = reader(server, attempts=3)
    with pytest.raises(ConnectionFailed):
        read(source)
    assert server.starts == [0, 4000, 4000]
    source.close()
    assert server.released == len(server.starts)


def test_the_pauses_between_attempts_grow(naps, monkeypatch):
    monkeypatch.setattr(blobs, "backoff", lambda attempt: attempt)
    with pytest.raises(ConnectionFailed):
        read(reader(Server(script=[0] * 5), attempts=5))
    assert naps.slept == [1, 2, 3, 4]


@pytest.mark.parametrize("cut", [1, 1500, 9999])
def test_a_server_without_ranges_sends_everything_again(cut):
    server = Server(script=[cut], ranges=False)
    source = reader(server)
    assert read(source) == DATA
    assert server.starts == [0, cut]
    assert source.received == 10_000


def test_a_server_without_ranges_that_breaks_off_again():
    server = Server(script=[3000, 1500, 7000], ranges=False)
    assert read(reader(server)) == DATA
    assert server.starts == [0, 3000, 3000, 7000]


@pytest.mark.parametrize("content_range", ["bytes 0-9999/10000", "bytes 4001-9999/10000", "", "nonsense"])
def test_a_server_that_goes_on_elsewhere(content_range):
    server = Server(script=[4000])
    server.content_range = content_range
    with pytest.raises(ConnectionFailed) as caught:
        read(reader(server))
    assert "another place" in caught.value.message


def test_what_breaks_off_without_a_known_size_cannot_be_resumed():
    server = Server(script=[4000], length=False)
    with pytest.raises(DigestMismatch):
        read(reader(server, descriptor(size=-1)))
    assert server.starts == [0]


def test_an_error_while_going_on_is_passed_on():
    server = Server(script=[4000])

    def fetch(start: int) -> Response:
        if start:
            raise BlobUnknown("is gone.")
        return server.fetch(start)

    with pytest.raises(BlobUnknown):
        read(BlobReader(fetch, descriptor(), "x", 3))


# -- what is wrong -----------------------------------------------------------------------------------------------------


def test_wrong_bytes_never_make_a_whole_blob():
    wrong = DATA[:-1] + b"\0"
    passed: list[bytes] = []
    with pytest.raises(DigestMismatch):
        passed.extend(reader(Server(wrong), descriptor()))
    assert b"".join(passed) == DATA[:9000]


def test_more_bytes_than_the_manifest_says():
    source = reader(Server(DATA + b"!"), descriptor())
    with pytest.raises(DigestMismatch) as caught:
        read(source)
    assert "more than the 10000 bytes" in caught.value.message


def test_a_compressed_answer_is_undone():
    class Compressing(Server):
        def fetch(self, start: int) -> Response:
            packed = gzip.compress(self.data)
            return self.answer(200, packed, {"Content-Encoding": "gzip", "Content-Length": str(len(packed))})

    assert read(reader(Compressing())) == DATA
    # the length that is announced is that of the compressed bytes
    unknown = reader(Compressing(), descriptor(size=-1))
    assert unknown.size == -1
    assert read(unknown) == DATA


def test_without_a_digest_the_bytes_are_passed_on_unchecked_and_gone_on_with():
    server = Server(script=[3000])
    reader = BlobReader(server.fetch, Descriptor("", "", len(DATA)), "old.example.com/v1/team/app")
    assert b"".join(reader) == DATA
    assert server.starts == [0, 3000]


def test_a_place_without_its_unit_is_understood():
    """Registries of v1 leave out the word bytes."""
    server = Server(script=[3000])
    server.content_range = f"3000-{len(DATA) - 1}/{len(DATA)}"
    assert b"".join(BlobReader(server.fetch, descriptor(), "old.example.com/v1/team/app")) == DATA


def test_a_blob_in_memory_is_read_like_any_other():
    source = HeldBlob(DATA)
    assert (source.size, source.received, b"".join(source), source.received) == (len(DATA), 0, DATA, len(DATA))
    source.close()
    assert list(HeldBlob(b"")) == []

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A v1 source as a store: each layer is read once, kept while there is room, noted, and never believed when it has changed."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import random
import threading
import time

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import HeldBlob
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    BlobUnknown,
    DigestMismatch,
    InvalidOption,
    ManifestUnknown,
    StateError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor
from ansible_collections.registryops.migration.plugins.module_utils._stores.notes import MemoryNotes
from ansible_collections.registryops.migration.plugins.module_utils._stores.v1 import V1Store, _side_by_side
from ansible_collections.registryops.migration.plugins.module_utils._v1.reader import V1Image

REPOSITORY = "team/app"


def image_id(number: int) -> str:
    return f"{number:064x}"


class Reader:
    """A v1 source in memory: images 1 and 2 on top of 1, and so on; `opened` are the layers that were read."""

    name = "old.example.com/v1"
    is_local = False
    places = 4
    requests = 0
    warnings = ()

    def __init__(self, layers: int = 3, checksum: bool = True, size: int = 1000) -> None:
        self.layers = {image_id(number): gzip.compress(random.Random(number).randbytes(size), mtime=0) for number in range(1, layers + 1)}
        self.checksum = checksum
        self.opened: list[str] = []
        self.asked: list[str] = []
        self.hold: threading.Event | None = None
        self.closed = False

    def check(self) -> None:
        self.asked.append("check")

    def repositories(self):
        return iter([REPOSITORY])

    def description(self, repository: str) -> str:
        return "the app" if repository == REPOSITORY else ""

    def tags(self, repository: str) -> dict[str, str]:
        self.asked.append("tags")
        return {f"v{number}": image_id(number) for number in range(1, len(self.layers) + 1)}

    def pushed(self, repository: str, tag: str):
        return None

    def ancestry(self, repository: str, one: str) -> list[str]:
        if one not in self.layers:
            raise ManifestUnknown("there is none.", subject=one, hint="Look.")
        return [image_id(number) for number in range(int(one, 16), 0, -1)]

    def image(self, repository: str, one: str) -> V1Image:
        self.asked.append(f"image {int(one, 16)}")
        number = int(one, 16)
        data = json.dumps(
            {"id": one, "created": "2014-06-01T10:00:00Z", **({"parent": image_id(number - 1)} if number > 1 else {})}
        ).encode()
        payload = hashlib.sha256(data + b"\n" + self.layers[one]).hexdigest()
        return V1Image(data, len(self.layers[one]), f"sha256:{payload}" if self.checksum else "tarsum+sha256:x")

    def open_layer(self, repository: str, one: str, size: int):
        self.opened.append(one)
        if self.hold is not None:
            assert self.hold.wait(30)
        return HeldBlob(self.layers[one])

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def store_of(tmp_path):
    """Makes stores, which are closed in the end."""
    with contextlib.ExitStack() as opened:

        def make(reader: Reader, notes: MemoryNotes | None = None, **more) -> V1Store:
            store = opened.enter_context(contextlib.closing(V1Store(reader, **{"spool_dir": str(tmp_path), **more})))
            if notes is not None:
                store.keep_notes(notes)
            return store

        yield make


def blobs_of(store: V1Store, reference: str) -> list[bytes]:
    read = []
    for blob in store.manifest(REPOSITORY, reference).blobs:
        source = store.open_blob(REPOSITORY, blob)
        assert source.size == blob.size
        read.append(b"".join(source))
        assert source.received == blob.size
        source.close()
    return read


def test_a_layer_is_read_once_whoever_needs_it(store_of, tmp_path):
    reader = Reader()
    store = store_of(reader)
    for reference in ("v3", "v2", "v1"):
        config, *layers = blobs_of(store, reference)
        assert layers == [reader.layers[image_id(number)] for number in range(1, int(reference[1]) + 1)]
        assert len(json.loads(config)["history"]) == len(layers)
    assert sorted(reader.opened) == sorted(reader.layers)
    # of the file that they were in nothing is seen
    assert os.listdir(tmp_path) == []


def test_those_who_need_it_at_the_same_time_wait_for_one(store_of):
    reader = Reader(1)
    reader.hold = threading.Event()
    store = store_of(reader)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(store.manifest(REPOSITORY, "v1").digest)) for _unused in range(6)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 30
    while not reader.opened and time.monotonic() < until:
        time.sleep(0.001)
    reader.hold.set()
    for thread in threads:
        thread.join(30)
    assert len(found) == 6
    assert len(set(found)) == 1
    assert reader.opened == [image_id(1)]


def test_a_failure_is_told_to_all_and_tried_again_later(store_of):
    reader = Reader(1)
    good = reader.layers[image_id(1)]
    store = store_of(reader)
    reader.layers[image_id(1)] = good[:-9]
    image = reader.image(REPOSITORY, image_id(1))
    reader.layers[image_id(1)] = good
    store._images.put(image_id(1), image, 1)
    with pytest.raises(DigestMismatch):
        store.manifest(REPOSITORY, "v1")
    store._images.put(image_id(1), reader.image(REPOSITORY, image_id(1)), 1)
    assert blobs_of(store, "v1")[1] == good


def test_without_room_a_layer_is_read_again(store_of):
    reader = Reader()
    store = store_of(reader, spool_bytes=0)
    assert blobs_of(store, "v3")[1:] == [reader.layers[image_id(number)] for number in (1, 2, 3)]
    assert sorted(reader.opened) == sorted([*reader.layers, *reader.layers])
    assert store.warnings == []


def test_without_a_disk_it_is_read_again_and_told(store_of, tmp_path):
    reader = Reader(1)
    (tmp_path / "file").touch()
    store = store_of(reader, spool_dir=str(tmp_path / "file" / "below"))
    assert blobs_of(store, "v1")[1] == reader.layers[image_id(1)]
    assert len(reader.opened) == 2
    assert any("layers were read twice" in one for one in store.warnings)


def test_notes_spare_the_layers(store_of):
    notes = MemoryNotes()
    first, second = Reader(), Reader()
    one, other = store_of(first, notes=notes), store_of(second, notes=notes)
    assert one.manifest(REPOSITORY, "v3").digest == other.manifest(REPOSITORY, "v3").digest
    assert (len(first.opened), second.opened) == (3, [])
    # they are read if they have to be moved, each once
    assert blobs_of(other, "v3") == blobs_of(one, "v3")
    assert sorted(second.opened) == sorted(second.layers)


def test_a_noted_layer_that_has_changed_is_refused_and_forgotten(store_of):
    notes = MemoryNotes()
    store_of(Reader(1), notes=notes).manifest(REPOSITORY, "v1")
    changed = Reader(1)
    changed.layers[image_id(1)] = gzip.compress(b"another one", mtime=0)
    store = store_of(changed, notes=notes)
    layer = store.manifest(REPOSITORY, "v1").layers[0]
    with pytest.raises(DigestMismatch, match="has changed at the source"):
        b"".join(store.open_blob(REPOSITORY, layer))
    assert blobs_of(store, "v1")[1] == changed.layers[image_id(1)]


def test_several_ledgers_are_all_written_and_a_broken_one_is_left_alone(store_of):
    class Broken(MemoryNotes):
        def get(self, key):
            raise StateError("is closed.", subject="ledger", hint="Open it.")

        def put(self, key, value):
            raise StateError("is closed.", subject="ledger", hint="Open it.")

    good, also = MemoryNotes(), MemoryNotes()
    store = store_of(Reader(1))
    for notes in (good, Broken(), also):
        store.keep_notes(notes)
    store.manifest(REPOSITORY, "v1")
    assert good.get(f"layer:{image_id(1)}") is not None
    assert good.get(f"layer:{image_id(1)}") == also.get(f"layer:{image_id(1)}")


def test_with_no_ledger_left_it_still_remembers_for_itself(store_of):
    reader = Reader(1)

    class Closed:
        def get(self, key):
            raise StateError("is closed.", subject="ledger", hint="Open it.")

        put = None

    store = store_of(reader)
    store.keep_notes(Closed())
    for _unused in range(2):
        store.manifest(REPOSITORY, "v1")
    assert len(reader.opened) == 1


def test_a_sketch_needs_no_layer_and_has_their_sizes(store_of):
    reader = Reader()
    store = store_of(reader)
    sketch = store.sketch(REPOSITORY, "v3")
    assert reader.opened == []
    assert [layer.size for layer in sketch.layers] == [len(reader.layers[image_id(number)]) for number in (1, 2, 3)]
    made = store.manifest(REPOSITORY, "v3")
    assert sketch.source_digest == made.source_digest == f"sha256:{image_id(3)}"
    assert store.sketch(REPOSITORY, "v3").digest == made.digest != sketch.digest


def test_tags_are_known_with_what_they_stand_for(store_of):
    reader = Reader()
    store = store_of(reader)
    listing = store.listing(REPOSITORY)
    assert listing.tags == store.tags(REPOSITORY) == ["v1", "v2", "v3"]
    for reference in ("v2", f"sha256:{image_id(2)}"):
        found = store.resolve(REPOSITORY, reference)
        assert found is not None
        assert (found.digest, found.media_type) == (listing.records["v2"].digest, listing.records["v2"].media_type)
        assert store.converts(found.media_type)
    assert store.resolve(REPOSITORY, "v9") is None
    assert store.resolve(REPOSITORY, f"sha256:{image_id(9)}") is None
    with pytest.raises(ManifestUnknown):
        store.manifest(REPOSITORY, "v9")
    # asked for once
    assert reader.asked.count("tags") == 1


def test_a_configuration_that_is_no_longer_held_is_made_again(store_of):
    reader = Reader(1)
    store = store_of(reader)
    manifest = store.manifest(REPOSITORY, "v1")
    store._configs._held.clear()
    assert hashlib.sha256(b"".join(store.open_blob(REPOSITORY, manifest.config))).hexdigest() == manifest.config.digest[7:]
    assert len(reader.opened) == 1


def test_what_is_known_of_blobs(store_of):
    reader = Reader(1)
    store = store_of(reader)
    manifest = store.manifest(REPOSITORY, "v1")
    assert [store.blob_size(REPOSITORY, blob.digest) for blob in manifest.blobs] == [blob.size for blob in manifest.blobs]
    unknown = Descriptor("", "sha256:" + "9" * 64, 5)
    assert store.blob_size(REPOSITORY, unknown.digest) is None
    with pytest.raises(BlobUnknown):
        store.open_blob(REPOSITORY, unknown)


def test_what_cannot_be_verified_is_told_in_one_sentence(store_of):
    store = store_of(Reader(checksum=False))
    store.manifest(REPOSITORY, "v3")
    assert len(store.warnings) == 1
    assert f"team/app@{image_id(1)}, and 2 more:" in store.warnings[0]


def test_dates_and_descriptions(store_of):
    store = store_of(Reader())
    assert store.created(REPOSITORY, "v1") == "2014-06-01T10:00:00Z"
    assert store.created(REPOSITORY, "v9") == ""
    assert store.record(REPOSITORY).description == "the app"
    assert store.record("team/other") is None


def test_nothing_is_written_to_it(store_of):
    reader = Reader(1)
    store = store_of(reader)
    manifest = store.manifest(REPOSITORY, "v1")
    store.check(writing=False)
    for write in (
        lambda: store.check(writing=True),
        lambda: store.put_manifest(REPOSITORY, manifest),
        lambda: store.receive_blob(REPOSITORY, manifest.layers[0], lambda: HeldBlob(b"")),
        lambda: store.delete_manifest(REPOSITORY, "v1"),
    ):
        with pytest.raises(InvalidOption, match="only read from"):
            write()
    store.close()
    assert reader.closed


# -- side by side


def test_results_come_in_the_order_of_the_tasks():
    assert _side_by_side([lambda number=number: number * number for number in range(50)]) == [number * number for number in range(50)]
    assert _side_by_side([]) == []


def test_a_failure_of_one_is_raised():
    def fail() -> None:
        raise StateError("no.", subject="it", hint="Look.")

    with pytest.raises(StateError):
        _side_by_side([lambda: None, fail, lambda: None])


def test_without_threads_all_is_done_in_this_one(monkeypatch):
    def refuse(self) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert _side_by_side([lambda number=number: number for number in range(5)]) == list(range(5))

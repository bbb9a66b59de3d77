# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A source that several runs share: who asks what, and what becomes of the answers."""

from __future__ import annotations

import hashlib
import threading

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import DigestMismatch, ManifestUnknown, RepositoryUnknown
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, parse_manifest
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC
from ansible_collections.registryops.migration.plugins.module_utils._stores import shared as shared_module
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Received, Store
from ansible_collections.registryops.migration.plugins.module_utils._stores.shared import SharedSource, View, Wrapped

PATIENCE = 30.0
IMAGE = "application/vnd.oci.image.manifest.v1+json"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def manifest_of(name: str):
    config = f'{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{digest_of(name.encode())}","size":{len(name)}}}'
    data = f'{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{config},"layers":[]}}'.encode()
    return parse_manifest(data, IMAGE)


class Blob:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.received = 0

    def __iter__(self):
        for start in range(0, len(self.data), 300_000):
            self.received = min(start + 300_000, len(self.data))
            yield self.data[start : start + 300_000]

    def close(self) -> None:
        pass


class Source(Store):
    """A store in memory that writes down what it is asked."""

    def __init__(self) -> None:
        self.name = "old.example.com"
        self.profile = GENERIC
        self.asked = []
        self.tagged = {("app", "1"): manifest_of("one")}
        self.blobs = {}

    def check(self, writing, new=False):
        self.asked.append("check")

    def expect(self, repositories):
        self.asked.append(("expect", *repositories))

    def repositories(self):
        self.asked.append("repositories")
        return iter(["app"])

    def tags(self, repository):
        self.asked.append(("tags", repository))
        if repository != "app":
            raise RepositoryUnknown("is not there.", subject=repository)
        return ["1"]

    def resolve(self, repository, reference):
        self.asked.append(("resolve", reference))
        manifest = self.tagged.get((repository, reference))
        return manifest and Descriptor(manifest.media_type, manifest.digest, manifest.size)

    def manifest(self, repository, reference):
        self.asked.append(("manifest", reference))
        for (name, tag), manifest in self.tagged.items():
            if name == repository and reference in (tag, manifest.digest):
                return manifest
        raise ManifestUnknown("is not there.", subject=reference)

    def referrers(self, repository, digest):
        self.asked.append(("referrers", digest))
        return

    def blob_size(self, repository, digest):
        return None

    def open_blob(self, repository, descriptor):
        self.asked.append(("blob", descriptor.digest))
        return Blob(self.blobs[descriptor.digest])

    def receive_blob(self, repository, descriptor, open_source, **_more):
        source = open_source()
        data = b"".join(source)
        source.close()
        return Received("uploaded", len(data))

    def put_manifest(self, repository, manifest, tags=()):
        raise NotImplementedError

    def delete_manifest(self, repository, reference):
        raise NotImplementedError

    def remember(self, features):
        self.asked.append(("remember", *features))


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def shared(source, tmp_path):
    made = SharedSource(source, 2, str(tmp_path / "spool"), 100 << 20)
    yield made
    made.close()


def test_a_wrapped_store_hands_everything_on():
    """What a store can do that is not handed on would be done by nobody."""
    public = {name for name in vars(Store) if not name.startswith("_")}
    attributes = {"mounts", "keeps_manifests", "is_local", "brings_blobs", "connect_to"}
    assert public - attributes <= vars(Wrapped).keys()
    made = Wrapped(source := Source())
    assert all(getattr(made, name) == getattr(source, name) for name in (*attributes, "name", "profile"))


def test_questions_are_asked_once_and_answers_forgotten_when_all_have_them(shared, source):
    for view in shared.views:
        assert list(view.repositories()) == ["app"]
        assert view.tags("app") == ["1"]
        assert view.resolve("app", "1").digest == manifest_of("one").digest
        assert view.resolve("app", "2") is None
        assert view.referrers("app", "sha256:0") is None
    assert source.asked == ["repositories", ("tags", "app"), ("resolve", "1"), ("resolve", "2"), ("referrers", "sha256:0")]
    assert shared.questions._asked == {}
    # asking again is asking anew
    shared.views[0].tags("app")
    assert source.asked[-1] == ("tags", "app")


def test_nothing_is_kept_for_one_that_has_finished(shared):
    shared.views[0].tags("app")
    assert len(shared.questions._asked) == 1
    shared.finished(1)
    assert shared.questions._asked == {}
    shared.views[0].resolve("app", "1")
    assert shared.questions._asked == {}


def test_a_failure_is_nobody_elses(shared, source):
    for view in shared.views:
        with pytest.raises(RepositoryUnknown):
            view.tags("lib")
    # one after the other: the second one may have more luck
    assert source.asked == [("tags", "lib")] * 2


def test_those_who_ask_at_the_same_time_get_the_same(shared, source):
    entered, leave = threading.Event(), threading.Event()
    plain = source.tags

    def slow(repository):
        entered.set()
        assert leave.wait(PATIENCE)
        return plain(repository)

    source.tags = slow
    found, errors = [], []

    def ask(view, repository):
        try:
            found.append(view.tags(repository))
        except RepositoryUnknown as error:
            errors.append(error)

    for repository in ("app", "lib"):
        threads = [threading.Thread(target=ask, args=(view, repository)) for view in shared.views]
        for thread in threads:
            thread.start()
        assert entered.wait(PATIENCE)
        leave.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert found == [["1"], ["1"]]
    assert len({id(error) for error in errors}) == len(errors) == 2
    assert source.asked.count(("tags", "app")) == 1


def test_answers_are_bounded(shared, monkeypatch):
    monkeypatch.setattr(shared_module, "MOST_ANSWERS", 100)
    for number in range(500):
        shared.views[0].resolve("app", str(number))
    assert shared.questions._weight <= 100
    assert len(shared.questions._asked) <= 25


def test_a_manifest_is_one_under_its_tag_and_under_its_digest(shared, source):
    one = manifest_of("one")
    assert shared.views[0].manifest("app", "1").data == one.data
    assert shared.views[1].manifest("app", one.digest).data == one.data
    assert shared.views[1].manifest("app", "1").digest == one.digest
    assert [what for what in source.asked if what[0] == "manifest"] == [("manifest", "1")]


def test_a_manifest_that_one_has_resolved_is_read_by_its_digest(shared, source):
    one = manifest_of("one")
    shared.views[0].resolve("app", "1")
    assert shared.views[1].manifest("app", "1").data == one.data
    assert shared.views[0].manifest("app", one.digest).data == one.data
    assert source.asked == [("resolve", "1"), ("manifest", one.digest)]


def test_whoever_resolves_a_tag_that_is_being_read_waits_for_it(shared, source):
    """So it is not read by its digest at the same time."""
    entered, leave = threading.Event(), threading.Event()
    plain = source.manifest

    def slow(repository, reference):
        if reference == "1":
            entered.set()
            assert leave.wait(PATIENCE)
        return plain(repository, reference)

    def resolve_and_read():
        digest = shared.views[1].resolve("app", "1").digest
        found.append(shared.views[1].manifest("app", digest))

    source.manifest = slow
    found = []
    reader = threading.Thread(target=lambda: found.append(shared.views[0].manifest("app", "1")))
    reader.start()
    assert entered.wait(PATIENCE)
    resolver = threading.Thread(target=resolve_and_read)
    resolver.start()
    pause = threading.Event()
    while ("resolve", "1") not in source.asked:
        assert not pause.wait(0.001)
    leave.set()
    for thread in (reader, resolver):
        thread.join(PATIENCE)
    assert len(found) == 2
    assert [what for what in source.asked if what[0] == "manifest"] == [("manifest", "1")]


def test_a_tag_that_moves_between_two_runs_is_what_it_was_for_both(shared, source):
    assert shared.views[0].manifest("app", "1").digest == manifest_of("one").digest
    source.tagged["app", "1"] = manifest_of("two")
    assert shared.views[1].manifest("app", "1").digest == manifest_of("one").digest


def test_a_tag_that_has_moved_since_it_was_resolved_and_is_gone(shared, source):
    shared.views[0].resolve("app", "1")
    source.tagged["app", "1"] = manifest_of("two")
    assert shared.views[1].manifest("app", "1").digest == manifest_of("two").digest


def test_names_are_expected_when_they_are_new(shared, source):
    shared.views[0].expect(["a", "b"])
    shared.views[1].expect(["b"])
    shared.views[1].expect(["b", "c"])
    assert source.asked == [("expect", "a", "b"), ("expect", "b", "c")]


def test_the_first_ledger_that_knows_anything_is_believed(shared, source):
    shared.views[0].remember({})
    shared.views[1].remember({"referrers": True})
    shared.views[0].remember({"referrers": False})
    assert source.asked == [("remember",), ("remember", "referrers")]


def test_the_source_stays_open_and_is_not_checked_again(shared, source):
    for view in shared.views:
        view.check(writing=False)
        view.close()
    assert source.asked == []


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_bytes_that_are_not_those_of_the_digest(shared, source, size):
    """Also where the source does not look: each reader does."""
    digest = digest_of(b"something else")
    source.blobs[digest] = bytes(size)
    for view in shared.views:
        blob = view.open_blob("app", Descriptor("application/octet-stream", digest, size))
        with pytest.raises(DigestMismatch):
            list(blob)
        blob.close()


@pytest.mark.parametrize("size", [0, 10, 1 << 20, (1 << 20) + 1, 5_000_000])
def test_a_blob_is_read_once_and_goes_when_all_have_got_it(shared, source, size):
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    descriptor = Descriptor("application/octet-stream", digest_of(data), size)
    source.blobs[descriptor.digest] = data
    for number, view in enumerate(shared.views):
        destination = shared.served(number, Source())

        def open_source(view: View = view):
            return view.open_blob("app", descriptor)

        assert destination.receive_blob("app", descriptor, open_source) == Received("uploaded", size)
    assert source.asked == [("blob", descriptor.digest)]
    assert not shared.spool.holds((descriptor.digest, size))
    assert shared.read_again == 0


def test_the_last_one_reads_past_the_spool(shared, source):
    data = bytes(3_000_000)
    descriptor = Descriptor("application/octet-stream", digest_of(data), len(data))
    source.blobs[descriptor.digest] = data
    shared.finished(1)
    assert b"".join(shared.views[0].open_blob("app", descriptor)) == data
    assert shared.spool.blocks.peak == 0


def test_where_the_spool_breaks_off_the_rest_comes_from_the_source(shared, source, monkeypatch):
    data = bytes(range(250)) * 20_000
    descriptor = Descriptor("application/octet-stream", digest_of(data), len(data))
    source.blobs[descriptor.digest] = data
    blob = shared.views[0].open_blob("app", descriptor)
    pieces = iter(blob)
    found = next(pieces)
    shared.spool._give_up_disk(OSError(5, "Input/output error"))

    def broken(*_arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shared.spool.blocks, "read", broken)
    found += b"".join(pieces)
    blob.close()
    assert found == data
    assert blob.received == len(data)
    assert shared.read_again == 1

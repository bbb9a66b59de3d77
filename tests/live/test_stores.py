# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two stores: how a registry gets its blobs in all circumstances, and folders that other tools read and write as well."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
import typing as t
from pathlib import Path

import pytest
from estate import compare, images
from estate.behaviour import Behaviour, Rule
from estate.counting import CountingRegistry
from estate.images import digest_of
from estate.push import push
from runs.engine import Run, states
from runs.wire import blob, connect, credential_of, manifest_of, noise

from ansible_collections.registryops.migration.plugins.module_utils._oci import blobs as our_blobs, http as our_http
from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobSource
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    BlobUnknown,
    ConnectionFailed,
    DigestMismatch,
    InvalidOption,
    ManifestTooLarge,
    ManifestUnknown,
    RegistryReadOnly,
    RepositoryUnknown,
    ServerFailed,
    StateError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC, PROFILES
from ansible_collections.registryops.migration.plugins.module_utils._stores import oci_layout, registry as registry_store
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Received, Store
from ansible_collections.registryops.migration.plugins.module_utils._stores.oci_layout import OCILayoutStore
from ansible_collections.registryops.migration.plugins.module_utils._stores.registry import RegistryStore

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.registry import RegistryFactory

NAME = "small/image"
SMALL = images.small_set()
HELD = SMALL.repositories[NAME]
DIGEST = HELD.tags["one"]
IMAGE = manifest_of(HELD.manifests[DIGEST])
INDEX = manifest_of(HELD.manifests[HELD.tags["index"]])
TINY, MIDDLE, LARGE = noise("tiny", 5_000), noise("middle", 200_000), noise("large", 3 << 20)
PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (our_http, our_blobs, registry_store):
        monkeypatch.setattr(module, "backoff", lambda attempt: 0.001 * attempt)


class Bytes:
    """A source in memory that tells how often it was opened."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.opened = 0

    def __call__(self) -> BlobSource:
        self.opened += 1
        return _Reading(self.data)

    @property
    def descriptor(self) -> Descriptor:
        return blob(self.data)


class _Reading:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)
        self.received = 0

    def __iter__(self) -> t.Iterator[bytes]:
        for start in range(0, self.size, 64 << 10):
            piece = self._data[start : start + (64 << 10)]
            self.received += len(piece)
            yield piece

    def close(self) -> None:
        """Nothing is held."""


def requests_of(registry: CountingRegistry) -> list[str]:
    """What was asked of the registry, without the challenge at the start."""
    return [f"{one.method} {one.kind}" for one in registry.log]


def in_threads(count: int, work: t.Callable[[int], t.Any]) -> list[t.Any]:
    """The work of so many threads that start together; none may take for ever."""
    together = threading.Barrier(count)

    def one(number: int) -> t.Any:
        together.wait(PATIENCE)
        return work(number)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return [future.result(PATIENCE) for future in [pool.submit(one, number) for number in range(count)]]


# == registries ========================================================================================================


@pytest.fixture
def registry(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    return counting_registry()


def store_of(registry: t.Any, provider: str = "generic", **http: t.Any) -> RegistryStore:
    credential = credential_of(registry) if registry.access.user else None
    return RegistryStore(connect(registry, credential, **{"attempts": 3, **http}), PROFILES[provider])


def taught(registry: CountingRegistry, single_post: bool = False, **http: t.Any) -> RegistryStore:
    """A store that need not find out any more whether a blob may come in one POST."""
    store = store_of(registry, **http)
    store.remember({"single_post": single_post})
    return store


def receive(store: Store, source: Bytes, repository: str = "app", **more: t.Any) -> Received:
    return store.receive_blob(repository, source.descriptor, source, **more)


def holds(registry: CountingRegistry, data: bytes, repository: str = "app") -> bool:
    held = registry.snapshot().get(repository)
    return held is not None and digest_of(data) in held.blobs and registry.blob(repository, digest_of(data)) == data


# -- the usual ways ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [TINY, MIDDLE, LARGE, b""])
def test_a_new_blob_costs_two_requests(data, registry):
    source = Bytes(data)
    assert receive(taught(registry), source) == Received("uploaded", len(data))
    assert holds(registry, data)
    assert requests_of(registry) == ["POST mount", "PUT upload"]
    assert source.opened == 1


@pytest.mark.parametrize("data", [TINY, LARGE])
def test_a_blob_that_is_there_costs_one_request(data, registry):
    store, source = taught(registry), Bytes(data)
    receive(store, source)
    registry.reset_log()
    assert receive(store, source) == Received("present")
    assert requests_of(registry) == ["POST mount"]
    assert source.opened == 1


@pytest.mark.parametrize("data", [TINY, LARGE])
def test_a_blob_that_another_repository_holds_is_mounted(data, registry):
    store, source = taught(registry), Bytes(data)
    receive(store, source, "from")
    registry.reset_log()
    assert receive(store, source, holder="from") == Received("mounted")
    assert requests_of(registry) == ["POST mount"]
    assert holds(registry, data)
    assert source.opened == 1


def test_a_blob_is_moved_anew_whatever_the_registry_says(registry):
    store, source = taught(registry), Bytes(TINY)
    receive(store, source)
    registry.reset_log()
    assert receive(store, source, anew=True, holder="from") == Received("uploaded", len(TINY))
    assert requests_of(registry) == ["POST upload", "PUT upload"]


def test_a_blob_whose_size_nobody_knows(registry):
    """As those of schema 1: it goes in chunks."""
    source = Bytes(LARGE)
    received = taught(registry).receive_blob("app", Descriptor("", digest_of(LARGE), -1), source)
    assert received == Received("uploaded", len(LARGE))
    assert holds(registry, LARGE)
    assert requests_of(registry) == ["POST mount", "PATCH upload", "PUT upload"]


def test_docker_registry_receives_blobs(registries: RegistryFactory):
    registry = registries.start("receives")
    store = store_of(registry)
    store.check(writing=True)
    for data in (TINY, MIDDLE, LARGE, b""):
        assert receive(store, Bytes(data), "first") == Received("uploaded", len(data))
        assert receive(store, Bytes(data), "first").how in ("present", "uploaded")
        assert receive(store, Bytes(data), "second", holder="first") == Received("mounted")
        assert receive(store, Bytes(data), "third", holder="nowhere") == Received("uploaded", len(data))
    assert store.features()["single_post"] is False
    for name in ("first", "second", "third"):
        for data in (TINY, MIDDLE, LARGE, b""):
            assert store.blob_size(name, digest_of(data)) == len(data)


# -- a blob in one POST ------------------------------------------------------------------------------------------------


def test_a_small_blob_teaches_that_one_post_does_not_do(registry):
    store = store_of(registry)
    assert store.learns_from(blob(TINY))
    assert not store.learns_from(blob(LARGE))
    receive(store, Bytes(TINY))
    assert requests_of(registry) == ["POST upload", "PUT upload"]
    assert holds(registry, TINY)
    assert not store.learns_from(blob(TINY))
    registry.reset_log()
    receive(store, Bytes(noise("other", 100)))
    assert requests_of(registry) == ["POST mount", "PUT upload"]


def test_a_small_blob_teaches_that_one_post_does(registry):
    registry.behaviour.single_post = True
    store = store_of(registry)
    for name in ("first", "second"):
        receive(store, Bytes(noise(name, 100)))
    assert requests_of(registry) == ["POST upload", "POST upload"]


def test_a_large_blob_teaches_nothing(registry):
    registry.behaviour.single_post = True
    store = store_of(registry)
    receive(store, Bytes(LARGE))
    assert requests_of(registry) == ["POST mount", "PUT upload"]
    assert store.client.features.single_post is None


@pytest.mark.parametrize(("fresh", "requests"), [(True, ["POST upload"]), (False, ["POST mount", "PUT upload"])])
def test_a_large_blob_in_one_post_where_it_cannot_be_there_yet(fresh, requests, registry):
    registry.behaviour.single_post = True
    source = Bytes(LARGE)
    assert receive(taught(registry, single_post=True), source, fresh=fresh) == Received("uploaded", len(LARGE))
    assert requests_of(registry) == requests
    assert holds(registry, LARGE)


def test_a_registry_that_forgot_how_to_take_one_post(registry):
    """As after going back to an older version: the session that it opens instead is used."""
    store, source = taught(registry, single_post=True), Bytes(LARGE)
    assert receive(store, source, fresh=True) == Received("uploaded", len(LARGE))
    assert requests_of(registry) == ["POST upload", "PUT upload"]
    assert source.opened == 2
    assert store.client.features.single_post is False
    assert holds(registry, LARGE)


def test_many_workers_teach_once(registry):
    registry.behaviour.latency = 0.01
    store = store_of(registry)
    data = [noise(f"blob {number}", 100) for number in range(8)]
    in_threads(8, lambda number: receive(store, Bytes(data[number])))
    assert sum(one.method == "POST" and "?digest=" in one.path for one in registry.log) == 1
    assert all(holds(registry, one) for one in data)


def test_what_was_learnt_is_remembered(registry):
    store = store_of(registry)
    receive(store, Bytes(TINY))
    later = store_of(registry)
    later.remember(json.loads(json.dumps(store.features())))
    registry.reset_log()
    receive(later, Bytes(noise("later", 100)))
    assert requests_of(registry) == ["POST mount", "PUT upload"]


# -- mounts that fail --------------------------------------------------------------------------------------------------


def test_the_session_of_a_mount_that_was_not_granted_is_used(registry):
    registry.behaviour.mount = "off"
    receive(taught(registry), Bytes(MIDDLE), holder="from")
    assert requests_of(registry) == ["POST mount", "PUT upload"]
    assert holds(registry, MIDDLE)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ""),
        (401, ""),
        (403, "DENIED"),
        (404, "NAME_UNKNOWN"),
        (404, "BLOB_UNKNOWN"),
        (405, "UNSUPPORTED"),
        (409, ""),
        (500, ""),
        (502, ""),
    ],
)
def test_a_refused_mount_is_no_refused_upload(status, code, registry):
    body = json.dumps({"errors": [{"code": code}]}).encode() if code else b""
    registry.behaviour.rules.append(Rule(path="from=elsewhere", status=status, body=body, times=None))
    source = Bytes(MIDDLE)
    assert receive(taught(registry), source, holder="elsewhere") == Received("uploaded", len(MIDDLE))
    assert holds(registry, MIDDLE)
    assert source.opened == 1
    # asked twice at the most, where the answer might have passed
    assert registry.count("POST", "mount") <= 2


def test_a_mount_that_the_token_service_refuses(registry):
    registry.behaviour = Behaviour(authentication="bearer", users={"alice": "canary"}, mount="deny")
    assert receive(taught(registry), Bytes(MIDDLE), holder="elsewhere") == Received("uploaded", len(MIDDLE))
    assert holds(registry, MIDDLE)


def test_a_registry_without_mounts_is_not_asked_for_ever(registry):
    registry.behaviour.mount = "off"
    store = taught(registry)
    for number in range(6):
        receive(store, Bytes(noise(f"blob {number}", 100_000)), holder="from")
    assert sum("from=from" in one.path for one in registry.log) == 3
    assert store.client.features.mount is False


def test_a_registry_that_has_granted_one_mount_is_asked_again(registry):
    store = taught(registry)
    receive(store, Bytes(TINY), "from")
    receive(store, Bytes(TINY), holder="from")
    registry.behaviour.mount = "off"
    for number in range(6):
        receive(store, Bytes(noise(f"blob {number}", 100_000)), holder="from")
    assert sum("from=from" in one.path for one in registry.log if one.kind == "mount") == 8
    assert store.client.features.mount is True


def test_where_a_blob_was_in_an_earlier_run_says_nothing_of_the_registry(registry):
    """It may have been deleted meanwhile: mounts from where this run has put blobs are still asked for."""
    store = taught(registry)
    for number in range(6):
        receive(store, Bytes(noise(f"blob {number}", 100_000)), holder="gone", remembered=True)
    assert sum("from=gone" in one.path for one in registry.log) == 6
    receive(store, Bytes(MIDDLE), "from")
    assert receive(store, Bytes(MIDDLE), holder="from") == Received("mounted")


def test_harbor_is_asked_whether_a_mounted_blob_is_really_there(registry):
    store, source = store_of(registry, "harbor"), Bytes(MIDDLE)
    receive(store, source, "from")
    registry.reset_log()
    assert receive(store, source, holder="from") == Received("mounted")
    assert requests_of(registry) == ["POST mount", "HEAD blob"]
    registry.reset_log()
    registry.behaviour.rules.append(Rule(method="HEAD", status=404))
    assert receive(store, source, "other", holder="from") == Received("uploaded", len(MIDDLE))
    assert requests_of(registry) == ["POST mount", "HEAD blob", "POST upload", "PUT upload"]


@pytest.mark.parametrize(("status", "code"), [(400, ""), (400, "DIGEST_INVALID"), (404, "BLOB_UNKNOWN"), (405, "UNSUPPORTED"), (500, "")])
def test_a_registry_that_cannot_be_asked_by_a_mount_from_itself(status, code, registry):
    body = json.dumps({"errors": [{"code": code}]}).encode() if code else b""
    registry.behaviour.rules.append(Rule(path="mount=", status=status, body=body, times=None))
    store, source = taught(registry), Bytes(MIDDLE)
    assert receive(store, source) == Received("uploaded", len(MIDDLE))
    registry.reset_log()
    assert receive(store, source) == Received("present")
    assert requests_of(registry) == ["HEAD blob"]
    assert store.features()["self_mount"] is False


# -- too large for one request -----------------------------------------------------------------------------------------


def test_the_size_of_chunks_is_learnt(registry):
    """A proxy in front takes requests of a mebibyte, as nginx does unless it is told otherwise."""
    registry.behaviour.max_body = 1 << 20
    store = taught(registry)
    assert receive(store, Bytes(LARGE)) == Received("uploaded", len(LARGE))
    assert holds(registry, LARGE)
    assert store.features()["chunk_size"] == 1 << 20
    registry.reset_log()
    receive(store, Bytes(noise("second", 3 << 20)))
    assert requests_of(registry) == ["POST mount", "PATCH upload", "PATCH upload", "PATCH upload", "PUT upload"]
    # what is smaller than that goes as ever
    registry.reset_log()
    receive(store, Bytes(MIDDLE))
    assert requests_of(registry) == ["POST mount", "PUT upload"]


def test_learning_the_size_is_no_failed_attempt(registry):
    registry.behaviour.max_body = 300 << 10
    assert receive(taught(registry, attempts=1), Bytes(LARGE)) == Received("uploaded", len(LARGE))


def test_the_size_is_learnt_from_a_single_post_as_well(registry):
    registry.behaviour.max_body, registry.behaviour.single_post = 1 << 20, True
    assert receive(taught(registry, single_post=True), Bytes(LARGE), fresh=True) == Received("uploaded", len(LARGE))
    assert holds(registry, LARGE)


def test_many_workers_learn_one_size(registry):
    registry.behaviour.max_body, registry.behaviour.latency = 1 << 20, 0.01
    store = taught(registry)
    data = [noise(f"large {number}", 2 << 20) for number in range(4)]
    in_threads(4, lambda number: receive(store, Bytes(data[number])))
    assert store.features()["chunk_size"] == 1 << 20
    assert all(holds(registry, one) for one in data)


def test_in_the_end_it_is_too_large(registry):
    registry.behaviour.max_body = 1000
    with pytest.raises(ManifestTooLarge):
        receive(taught(registry), Bytes(LARGE))
    with pytest.raises(ManifestTooLarge):
        receive(taught(registry), Bytes(TINY))
    assert "app" not in registry.snapshot()


@pytest.mark.parametrize("chunk_size", [1000, 100_000])
def test_chunks_of_a_size_that_the_user_chose(chunk_size, registry):
    store = RegistryStore(connect(registry), PROFILES["generic"], chunk_size)
    # nobody has learnt it, so nobody is to remember it
    assert "chunk_size" not in store.features()
    for data in (TINY, MIDDLE):
        receive(store, Bytes(data))
        assert holds(registry, data)
    assert max(one.bytes_in for one in registry.log) == chunk_size


def test_what_was_learnt_does_not_replace_what_the_user_chose(registry):
    store = RegistryStore(connect(registry), PROFILES["generic"], 100_000)
    store.remember({"chunk_size": 16 << 20})
    receive(store, Bytes(MIDDLE))
    assert registry.count("PATCH") == 2
    assert "chunk_size" not in store.features()


def test_what_is_learnt_though_the_user_chose_is_remembered(registry):
    registry.behaviour.max_body = 1 << 20
    store = RegistryStore(connect(registry), PROFILES["generic"], 2 << 20)
    receive(store, Bytes(LARGE))
    assert holds(registry, LARGE)
    assert store.features()["chunk_size"] == 1 << 20


def test_a_registry_that_wants_larger_chunks(registry):
    registry.behaviour.chunk_min_length = 150_000
    store = taught(registry)
    store.client.features.chunk_size = 50_000
    receive(store, Bytes(MIDDLE))
    assert [one.bytes_in for one in registry.log if one.method == "PATCH"] == [150_000, 50_000]
    assert holds(registry, MIDDLE)


# -- what goes wrong on the way ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [MIDDLE, LARGE])
def test_a_lost_answer_to_the_last_request(data, registry):
    """The blob has arrived: asking first saves sending it again."""
    registry.behaviour.rules.append(Rule(method="PUT", action="lose_answer"))
    source = Bytes(data)
    assert receive(taught(registry), source) == Received("present")
    assert holds(registry, data)
    assert source.opened == 1


def test_a_lost_answer_in_chunks(registry):
    store, source = taught(registry), Bytes(LARGE)
    store.client.features.chunk_size = 1 << 20
    registry.behaviour.rules.append(Rule(method="PATCH", action="lose_answer", skip=1))
    assert receive(store, source) == Received("uploaded", len(LARGE))
    assert holds(registry, LARGE)
    assert source.opened == 2


@pytest.mark.parametrize("action", ["reset", "close"])
@pytest.mark.parametrize("data", [MIDDLE, LARGE])
def test_a_connection_that_breaks_in_the_middle_of_an_upload(data, action, registry):
    registry.behaviour.rules.append(Rule(method="PUT", action=action))
    assert receive(taught(registry), Bytes(data)) == Received("uploaded", len(data))
    assert holds(registry, data)


@pytest.mark.parametrize(
    ("status", "code"), [(404, "BLOB_UPLOAD_UNKNOWN"), (400, "BLOB_UPLOAD_INVALID"), (416, "BLOB_UPLOAD_INVALID"), (404, "")]
)
def test_a_session_that_is_lost(status, code, registry):
    body = json.dumps({"errors": [{"code": code}]}).encode() if code else b""
    registry.behaviour.rules.append(Rule(method="PUT", status=status, body=body))
    assert receive(taught(registry), Bytes(LARGE)) == Received("uploaded", len(LARGE))
    assert holds(registry, LARGE)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_registry_that_is_unwell_for_a_moment(status, registry):
    registry.behaviour.rules.append(Rule(method="PUT", status=status))
    assert receive(taught(registry), Bytes(LARGE)) == Received("uploaded", len(LARGE))
    assert holds(registry, LARGE)


def test_a_registry_that_stays_unwell(registry):
    registry.behaviour.rules.append(Rule(method="PUT", status=500, times=None))
    source = Bytes(LARGE)
    with pytest.raises(ServerFailed):
        receive(taught(registry), source)
    assert source.opened == 3


def test_a_token_that_ends_in_the_middle_of_an_upload(registry):
    """The body that streams cannot be sent twice: it is opened again."""
    registry.behaviour = Behaviour(authentication="bearer", users={"alice": "canary"})
    store, source = taught(registry), Bytes(LARGE)
    store.client.start_upload("app")

    def open_source() -> BlobSource:
        if not source.opened:
            registry.expire_tokens()
        return source()

    # the token of the POST is good for the PUT, as far as the client knows
    assert store.receive_blob("app", source.descriptor, open_source) == Received("uploaded", len(LARGE))
    assert holds(registry, LARGE)
    assert source.opened == 2


def test_a_session_whose_token_was_revoked(registry):
    registry.behaviour = Behaviour(authentication="bearer", users={"alice": "canary"})
    store, source = taught(registry), Bytes(LARGE)
    refusal = {"WWW-Authenticate": f'Bearer realm="{registry.url}/token",service="x",error="invalid_token"'}
    registry.behaviour.rules.append(Rule(method="PUT", status=401, headers=refusal))
    assert receive(store, source) == Received("uploaded", len(LARGE))
    assert source.opened == 2
    assert holds(registry, LARGE)


def test_a_registry_that_takes_no_writes_is_not_asked_twice(registry):
    registry.behaviour.read_only = True
    store, source = store_of(registry), Bytes(TINY)
    for holder in ("", "from"):
        registry.reset_log()
        with pytest.raises(RegistryReadOnly):
            receive(store, source, holder=holder)
        assert registry.count() == 1


# -- from one registry to another --------------------------------------------------------------------------------------


@pytest.fixture
def origin(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    """Where the blobs come from."""
    registry = counting_registry()
    client = connect(registry)
    for data in (TINY, MIDDLE, LARGE):
        client.put_blob("app", client.start_upload("app"), digest_of(data), data, len(data))
    registry.reset_log()
    return registry


def transfer(source: RegistryStore, destination: RegistryStore, data: bytes, repository: str = "app") -> Received:
    return destination.receive_blob(repository, blob(data), lambda: source.open_blob("app", blob(data)))


@pytest.mark.parametrize("data", [TINY, MIDDLE, LARGE])
def test_a_source_that_breaks_off_goes_on_within_the_upload(data, origin, registry):
    origin.behaviour.rules += [Rule(method="GET", action="cut", keep=4000), Rule(method="GET", action="cut", keep=500)]
    assert transfer(store_of(origin), taught(registry), data) == Received("uploaded", len(data))
    assert [one.headers.get("range") for one in origin.log] == [None, "bytes=4000-", "bytes=4500-"]
    assert requests_of(registry) == ["POST mount", "PUT upload"]
    assert holds(registry, data)


@pytest.mark.parametrize("data", [TINY, MIDDLE, LARGE])
def test_a_corrupt_blob_is_read_twice_and_never_arrives(data, origin, registry):
    origin.behaviour.corrupt = {digest_of(data)}
    with pytest.raises(DigestMismatch):
        transfer(store_of(origin), taught(registry), data)
    assert origin.count("GET", "blob") == 2
    assert registry.snapshot() == {}


def test_a_bit_that_flipped_on_the_way_is_mended(origin, registry):
    flipped = LARGE[:-1] + bytes([LARGE[-1] ^ 1])
    origin.behaviour.rules.append(Rule(method="GET", status=200, body=flipped))
    assert transfer(store_of(origin), taught(registry), LARGE) == Received("uploaded", len(LARGE))
    assert holds(registry, LARGE)


def test_a_blob_that_the_source_does_not_have(origin, registry):
    with pytest.raises(BlobUnknown):
        transfer(store_of(origin), taught(registry), noise("absent", 100_000))
    assert registry.snapshot() == {}


def test_a_source_that_is_gone_fails_after_a_while(origin, registry):
    origin.behaviour.rules.append(Rule(action="reset", times=None))
    with pytest.raises(ConnectionFailed) as caught:
        transfer(store_of(origin, attempts=2), taught(registry, attempts=2), LARGE)
    assert caught.value.subject == origin.host


@pytest.mark.parametrize("broken", [False, True])
def test_nobody_waits_for_another_for_ever(broken, origin, registry):
    """One place on each side and eight workers, with sources that break off in the middle and have to take a place again."""
    if broken:
        origin.behaviour.rules.append(Rule(method="GET", action="cut", keep=100_000, times=8))
    source, destination = store_of(origin, concurrency=1, attempts=20), taught(registry, concurrency=1, attempts=20)
    destination.client.features.chunk_size = 2 << 20
    found = in_threads(8, lambda number: transfer(source, destination, LARGE, f"app{number}"))
    assert [one.how for one in found] == ["uploaded"] * 8
    assert all(holds(registry, LARGE, f"app{number}") for number in range(8))


def test_nobody_waits_for_ever_while_both_sides_are_overloaded(origin, registry):
    origin.behaviour.rules.append(Rule(method="GET", status=503, times=6))
    registry.behaviour.rules += [Rule(method="PUT", status=503, times=6), Rule(method="POST", status=503, times=6)]
    source, destination = store_of(origin, attempts=20), taught(registry, attempts=20)
    in_threads(8, lambda number: transfer(source, destination, LARGE, f"app{number}"))
    assert all(holds(registry, LARGE, f"app{number}") for number in range(8))


class Counted(Rate):
    """No limit, but it counts."""

    def __init__(self) -> None:
        super().__init__(0)
        self.taken = 0.0

    def take(self, units: float) -> None:
        self.taken += units


@pytest.mark.parametrize("data", [TINY, LARGE])
def test_bytes_are_paid_for_once_wherever_they_come_from(data, origin, registry):
    """The cap is the run's: reading from a registry costs, sending that on does not; from a folder, sending does."""
    cap = Counted()
    source = RegistryStore(connect(origin, bandwidth=cap), GENERIC)
    destination = RegistryStore(connect(registry, bandwidth=cap), GENERIC)
    assert transfer(source, destination, data).how == "uploaded"
    assert cap.taken == len(data)
    assert receive(destination, Bytes(data), "from/elsewhere").how == "uploaded"
    assert cap.taken == 2 * len(data)


# -- the rest of the interface -----------------------------------------------------------------------------------------


def test_whether_there_are_referrers_is_asked_once(registry):
    registry.load(SMALL)
    registry.behaviour.referrers, registry.behaviour.latency = False, 0.01
    store = store_of(registry)
    assert in_threads(8, lambda number: store.referrers(NAME, DIGEST)) == [None] * 8
    assert registry.count(kind="referrers") == 1
    assert store.features()["referrers"] is False


def test_a_registry_as_a_store(registry):
    registry.load(SMALL)
    registry.behaviour.warning, registry.behaviour.delete_tags = "soon over", True
    store = store_of(registry)
    store.check(writing=False)
    store.expect([NAME])
    assert list(store.repositories()) == [NAME]
    assert sorted(store.tags(NAME)) == sorted(HELD.tags)
    assert store.resolve(NAME, "one").digest == DIGEST
    assert store.manifest(NAME, DIGEST).data == IMAGE.data
    assert store.put_manifest(NAME, IMAGE, ["three"]).tags == ("three",)
    assert store.delete_manifest(NAME, "three")
    assert store.blob_size(NAME, digest_of(b"absent")) is None
    assert store.warnings == [f"{registry.host}: soon over"]
    assert store.requests == registry.count()
    store.close()


# == folders ===========================================================================================================


def layout(path: Path, writing: bool = True) -> OCILayoutStore:
    store = OCILayoutStore(str(path), GENERIC)
    store.check(writing=writing)
    return store


def fill(store: Store, one: images.ImageSet) -> None:
    """Put a set into a store."""
    for name, held in one.repositories.items():
        for data in held.blobs.values():
            receive(store, Bytes(data), name)
        for digest, manifest in held.manifests.items():
            store.put_manifest(name, manifest_of(manifest), [tag for tag, target in held.tags.items() if target == digest])


def index_of(path: Path) -> dict[str, t.Any]:
    document: dict[str, t.Any] = json.loads((path / "index.json").read_bytes())
    return document


def names_in(path: Path) -> list[str]:
    return [entry["annotations"][oci_layout.REF_NAME] for entry in index_of(path)["manifests"]]


def blob_file(path: Path, digest: str) -> Path:
    algorithm, _unused, encoded = digest.partition(":")
    return path / "blobs" / algorithm / encoded


def leftovers(path: Path) -> list[str]:
    return [one.name for one in path.rglob(".*") if one.name != ".registryops.lock"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A layout with the small set."""
    path = tmp_path / "layout"
    with contextlib.closing(layout(path)) as store:
        fill(store, SMALL)
    return path


# -- there and back ----------------------------------------------------------------------------------------------------


def test_from_a_registry_into_a_folder_and_back(tmp_path, counting_registry):
    source, destination = counting_registry(), counting_registry()
    for one in (images.demo_set(), images.schema1_set(), SMALL):
        source.load(one)
    path = tmp_path / "layout"
    assert set(states(Run(source, path, tmp_path / "out").copy())) == {"copied"}
    assert set(states(Run(path, destination, tmp_path / "in").copy())) == {"copied"}
    assert {name: held.tags for name, held in destination.snapshot().items()} == {
        name: held.tags for name, held in source.snapshot().items()
    }
    assert compare.assert_complete(destination) > 20
    # a second run of either changes nothing
    before = (path / "index.json").stat().st_mtime_ns
    assert "copied" not in states(Run(source, path, tmp_path / "out").copy())
    assert "copied" not in states(Run(path, destination, tmp_path / "in").copy())
    assert (path / "index.json").stat().st_mtime_ns == before


def test_between_real_registries_with_a_folder_in_between(tmp_path, registries, skopeo):
    source, destination = registries.start("source", tls=True), registries.start("destination", users={"alice": "canary"})
    push(source.url, images.demo_set(), ca_file=source.ca_file)
    path = tmp_path / "layout"
    Run(source, path, tmp_path / "out").copy()
    Run(path, destination, tmp_path / "in").copy()
    assert compare.assert_same(source, destination) == len(images.demo_set().tags())


def test_a_layout_has_what_the_specification_wants(folder):
    assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = index_of(folder)
    assert (index["schemaVersion"], index["mediaType"]) == (2, images.OCI_INDEX)
    assert sorted(names_in(folder)) == [f"{NAME}:{tag}" for tag in ("index", "one", "two")]
    for entry in index["manifests"]:
        data = blob_file(folder, entry["digest"]).read_bytes()
        assert (digest_of(data), len(data)) == (entry["digest"], entry["size"])
        assert json.loads(data)["mediaType"] == entry["mediaType"]
    assert leftovers(folder) == []


def test_a_blob_lies_there_once_for_all_repositories(folder):
    with contextlib.closing(layout(folder)) as store:
        source = Bytes(next(iter(HELD.blobs.values())))
        assert receive(store, source, "another/repository") == Received("present")
        assert source.opened == 0
    assert not store.mounts


def test_what_a_folder_holds(folder):
    store = layout(folder, writing=False)
    assert list(store.repositories()) == [NAME]
    assert sorted(store.tags(NAME)) == ["index", "one", "two"]
    found = store.resolve(NAME, "one")
    assert (found.digest, found.media_type, found.size) == (DIGEST, IMAGE.media_type, len(IMAGE.data))
    assert store.resolve(NAME, DIGEST).digest == DIGEST
    assert store.manifest(NAME, "one").data == store.manifest(NAME, DIGEST).data == IMAGE.data
    assert store.referrers(NAME, DIGEST) is None
    for digest, data in HELD.blobs.items():
        assert store.blob_size(NAME, digest) == len(data)
        with contextlib.closing(store.open_blob(NAME, blob(data))) as reader:
            assert b"".join(reader) == data
            assert (reader.size, reader.received) == (len(data), len(data))
    assert (store.requests, store.features(), store.warnings) == (0, {}, [])


def test_what_a_folder_does_not_hold(folder):
    store, absent = layout(folder, writing=False), digest_of(b"absent")
    assert store.resolve(NAME, "absent") is None
    assert store.resolve(NAME, absent) is None
    assert store.resolve("absent", "one") is None
    assert store.blob_size(NAME, absent) is None
    with pytest.raises(RepositoryUnknown):
        store.tags("absent")
    for reference in ("absent", absent):
        with pytest.raises(ManifestUnknown):
            store.manifest(NAME, reference)
    with pytest.raises(BlobUnknown):
        store.open_blob(NAME, Descriptor("", absent, 6))


# -- with skopeo -------------------------------------------------------------------------------------------------------


def run_skopeo(*arguments: str) -> bytes:
    done = subprocess.run(["skopeo", *arguments], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_skopeo_reads_what_was_written(tmp_path, skopeo):
    path, demo = tmp_path / "layout", images.demo_set()
    with contextlib.closing(layout(path)) as store:
        fill(store, demo)
    read = 0
    for (name, tag), digest in demo.tags().items():
        manifest = demo.repositories[name].manifests[digest]
        # it finds no manifest of docker's types in a layout, whoever has written it
        if manifest.media_type in (images.OCI_MANIFEST, images.OCI_INDEX):
            assert run_skopeo("inspect", "--raw", f"oci:{path}:{name}:{tag}") == manifest.data
            read += 1
    assert read > 5


def test_skopeo_copies_what_was_written(folder, registries, skopeo):
    registry = registries.start("from-skopeo")
    run_skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{folder}:{NAME}:index", f"docker://{registry.host}/copied:index")
    assert compare.tags_of(registry) == {("copied", "index"): HELD.tags["index"]}


@pytest.mark.parametrize(("name", "repository"), [("v1", "app_layout"), ("team/app:v1", "team/app")])
def test_what_skopeo_has_written_is_read(name, repository, tmp_path, registries, skopeo):
    source, path = registries.start("to-skopeo"), tmp_path / "App_Layout"
    push(source.url, SMALL)
    run_skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{source.host}/{NAME}:index", f"oci:{path}:{name}")
    store = layout(path, writing=False)
    assert list(store.repositories()) == [repository]
    assert store.tags(repository) == ["v1"]
    assert store.manifest(repository, "v1").digest == HELD.tags["index"]
    destination = registries.start("from-folder")
    Run(path, destination, tmp_path / "state").copy()
    assert compare.tags_of(destination) == {(repository, "v1"): HELD.tags["index"]}
    compare.assert_complete(destination)


def test_skopeo_still_finds_what_was_replaced(tmp_path, registries, skopeo):
    """A tag keeps the form of name that it has in the folder."""
    source, path = registries.start("replaced"), tmp_path / "app"
    push(source.url, SMALL)
    run_skopeo("copy", "--src-tls-verify=false", f"docker://{source.host}/{NAME}:one", f"oci:{path}:v1")
    with contextlib.closing(layout(path)) as store:
        store.put_manifest("app", INDEX, ["v1"])
        store.put_manifest("app", IMAGE, ["v2"])
    assert names_in(path) == ["v1", "app:v2"]
    assert run_skopeo("inspect", "--raw", f"oci:{path}:v1") == INDEX.data
    assert sorted(layout(path, writing=False).tags("app")) == ["v1", "v2"]


# -- changing ----------------------------------------------------------------------------------------------------------


def test_a_tag_is_overwritten(folder):
    with contextlib.closing(layout(folder)) as store:
        assert store.put_manifest(NAME, INDEX, ["one"]).tags == ("one",)
        assert store.resolve(NAME, "one").digest == INDEX.digest
    assert sorted(names_in(folder)) == [f"{NAME}:{tag}" for tag in ("index", "one", "two")]
    assert layout(folder, writing=False).resolve(NAME, "one").digest == INDEX.digest
    assert layout(folder, writing=False).resolve(NAME, "two").digest == DIGEST


def test_a_tag_is_deleted(folder):
    with contextlib.closing(layout(folder)) as store:
        assert store.delete_manifest(NAME, "one") is True
        assert store.delete_manifest(NAME, "one") is False
        assert store.resolve(NAME, "one") is None
        assert store.delete_manifest("absent", "one") is False
    store = layout(folder, writing=False)
    assert sorted(store.tags(NAME)) == ["index", "two"]
    assert store.manifest(NAME, DIGEST).data == IMAGE.data


def test_a_digest_is_deleted_with_its_tags(folder):
    with contextlib.closing(layout(folder)) as store:
        assert store.delete_manifest(NAME, DIGEST) is True
        assert store.delete_manifest(NAME, DIGEST) is False
        assert store.delete_manifest(NAME, digest_of(b"absent")) is False
    assert layout(folder, writing=False).tags(NAME) == ["index"]


def test_with_its_last_tag_a_repository_is_gone(folder):
    with contextlib.closing(layout(folder)) as store:
        for tag in ("one", "two", "index"):
            store.delete_manifest(NAME, tag)
    assert list(layout(folder, writing=False).repositories()) == []
    assert index_of(folder)["manifests"] == []


def test_a_manifest_without_a_tag_has_no_entry(folder):
    before = names_in(folder)
    extra = images.ImageSet()
    manifest = manifest_of(images.add_image(extra.repository("x"), "untagged", [images.layer("untagged", 10)]))
    with contextlib.closing(layout(folder)) as store:
        assert store.put_manifest(NAME, manifest).tags == ()
        assert store.resolve(NAME, manifest.digest).digest == manifest.digest
    assert names_in(folder) == before
    assert layout(folder, writing=False).manifest(NAME, manifest.digest).data == manifest.data


def test_what_others_have_written_is_kept(folder):
    document = index_of(folder)
    unnamed = {**document["manifests"][0], "annotations": {"com.example": "no name"}}
    strange = {**document["manifests"][0], "annotations": {oci_layout.REF_NAME: "Not A Reference"}}
    bare = {key: document["manifests"][0][key] for key in ("digest", "size", "mediaType")}
    document["manifests"] += [unnamed, strange, bare]
    document["annotations"] = {"com.example": "kept"}
    (folder / "index.json").write_text(json.dumps(document))
    with contextlib.closing(layout(folder)) as store:
        store.put_manifest(NAME, IMAGE, ["three"])
    after = index_of(folder)
    assert after["annotations"] == {"com.example": "kept"}
    assert all(one in after["manifests"] for one in (unnamed, strange, bare))
    assert sorted(layout(folder, writing=False).tags(NAME)) == ["index", "one", "three", "two"]


def test_of_two_entries_with_one_name_the_last_counts(folder):
    document = index_of(folder)
    entry = next(one for one in document["manifests"] if one["digest"] == INDEX.digest)
    document["manifests"].append({**entry, "annotations": {oci_layout.REF_NAME: f"{NAME}:one"}})
    (folder / "index.json").write_text(json.dumps(document))
    assert layout(folder, writing=False).resolve(NAME, "one").digest == INDEX.digest
    with contextlib.closing(layout(folder)) as store:
        store.delete_manifest(NAME, "one")
    assert "one" not in layout(folder, writing=False).tags(NAME)


def test_many_threads_write_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(oci_layout, "FLUSH_EVERY", 0.0)
    path = tmp_path / "layout"
    with contextlib.closing(layout(path)) as store:
        fill(store, SMALL)
        in_threads(8, lambda number: [store.put_manifest(f"app{number}", IMAGE, [f"v{tag}"]) for tag in range(20)])
    reader = layout(path, writing=False)
    assert len(list(reader.repositories())) == 9
    assert all(len(reader.tags(f"app{number}")) == 20 for number in range(8))


def test_a_blob_with_the_wrong_size_is_replaced(folder):
    digest, data = next(iter(HELD.blobs.items()))
    blob_file(folder, digest).write_bytes(data[:-1])
    with contextlib.closing(layout(folder)) as store:
        assert receive(store, Bytes(data), NAME) == Received("uploaded", len(data))
        assert receive(store, Bytes(data), NAME, anew=True) == Received("uploaded", len(data))
    assert blob_file(folder, digest).read_bytes() == data


def test_files_have_the_permissions_that_the_user_wants(tmp_path):
    mask = os.umask(0o027)
    try:
        with contextlib.closing(layout(tmp_path / "layout")) as store:
            fill(store, SMALL)
    finally:
        os.umask(mask)
    files = [one for one in (tmp_path / "layout").rglob("*") if one.is_file() and not one.name.startswith(".")]
    assert len(files) >= 6
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o640}


def test_nothing_is_written_where_nothing_changes(folder):
    before = {one: one.stat().st_mtime_ns for one in folder.rglob("*") if one.is_file() and not one.name.startswith(".")}
    with contextlib.closing(layout(folder)) as store:
        for data in HELD.blobs.values():
            receive(store, Bytes(data), NAME)
    assert {one: one.stat().st_mtime_ns for one in before} == before


def test_an_empty_layout_is_one_too(tmp_path):
    layout(tmp_path / "new").close()
    assert index_of(tmp_path / "new")["manifests"] == []
    assert list(layout(tmp_path / "new", writing=False).repositories()) == []


def test_a_folder_that_is_yet_to_be_made(tmp_path):
    """A plan for it can be made, and makes nothing."""
    store = OCILayoutStore(str(tmp_path / "new"), GENERIC)
    store.check(writing=False, new=True)
    assert store.resolve(NAME, "one") is None
    assert list(store.repositories()) == []
    store.close()
    assert not (tmp_path / "new").exists()
    store.check(writing=True)
    fill(store, SMALL)
    store.close()
    assert sorted(layout(tmp_path / "new", writing=False).tags(NAME)) == ["index", "one", "two"]


# -- one writer --------------------------------------------------------------------------------------------------------


def test_a_second_writer_is_refused(folder):
    first, second = layout(folder), OCILayoutStore(str(folder), GENERIC)
    for _unused in range(2):
        with pytest.raises(StateError) as caught:
            second.check(writing=True)
        assert caught.value.subject == str(folder)
        assert "another run" in caught.value.message
    with pytest.raises(StateError):
        second.put_manifest(NAME, IMAGE, ["second"])
    second.close()
    # reading does not disturb anybody
    assert layout(folder, writing=False).tags(NAME)
    first.close()
    second.check(writing=True)
    second.close()


def test_a_writer_in_another_process_is_refused(folder):
    first = layout(folder)
    code = """
        import sys
        from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import StateError
        from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC
        from ansible_collections.registryops.migration.plugins.module_utils._stores.oci_layout import OCILayoutStore
        try:
            OCILayoutStore(sys.argv[1], GENERIC).check(writing=True)
        except StateError as error:
            print(error.message)
    """
    assert (
        "another run"
        in subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), str(folder)], env=_with_our_path(), capture_output=True, text=True, check=True
        ).stdout
    )
    first.close()


def _with_our_path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}


def test_what_was_written_since_the_plan_is_not_lost(folder):
    """A run reads the folder for its plan; before it writes, another run does."""
    planned = OCILayoutStore(str(folder), GENERIC)
    planned.check(writing=False)
    with contextlib.closing(layout(folder)) as other:
        other.put_manifest(NAME, IMAGE, ["other"])
    planned.check(writing=True)
    planned.put_manifest(NAME, IMAGE, ["planned"])
    planned.close()
    assert {"other", "planned"} <= set(layout(folder, writing=False).tags(NAME))


def test_a_folder_is_written_to_again_after_it_was_closed(folder):
    store = layout(folder)
    store.close()
    store.put_manifest(NAME, IMAGE, ["again"])
    store.close()
    store.close()
    assert "again" in layout(folder, writing=False).tags(NAME)


# -- what goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
def test_the_index_is_never_half_written(moment, folder, monkeypatch):
    def fail(*arguments: t.Any, **options: t.Any) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    store = layout(folder)
    monkeypatch.setattr(oci_layout, "FLUSH_EVERY", 1000.0)
    store.put_manifest(NAME, IMAGE, ["new"])
    flushed = (folder / "index.json").read_bytes()
    store.put_manifest(NAME, IMAGE, ["newer"])
    with monkeypatch.context() as broken:
        broken.setattr(os, {"write": "fdopen", "fsync": "fsync", "replace": "replace"}[moment], fail)
        with pytest.raises(StateError) as caught:
            store.close()
    assert "No space left" in caught.value.message
    assert (folder / "index.json").read_bytes() == flushed
    assert leftovers(folder) == []
    assert json.loads(flushed)
    # the lock is gone all the same
    layout(folder).close()


def test_what_the_index_names_is_on_the_disk_before_it(tmp_path, monkeypatch):
    """Each file is synced once, then its folders, then the index is put in its place, then the folder of that is synced."""
    done: list[tuple[str, str]] = []
    really_sync, really_replace = os.fsync, os.replace

    def syncing(handle: int) -> None:
        done.append(("fsync", os.path.relpath(os.readlink(f"/proc/self/fd/{handle}"), tmp_path)))
        really_sync(handle)

    def replacing(source: str, target: str) -> None:
        done.append(("replace", os.path.relpath(target, tmp_path)))
        really_replace(source, target)

    monkeypatch.setattr(oci_layout, "FLUSH_EVERY", 1000.0)
    store = layout(tmp_path)
    store.put_manifest("app", IMAGE, ["first"])
    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "replace", replacing)
    for data in (TINY, MIDDLE):
        receive(store, Bytes(data))
    store.put_manifest("app", INDEX, ["second"])
    files = [f"blobs/sha256/{digest.partition(':')[2]}" for digest in (digest_of(TINY), digest_of(MIDDLE), INDEX.digest)]
    # nothing is waited for while blobs come
    assert done == [("replace", path) for path in files]
    done.clear()
    store.close()
    (index,) = [name for how, name in done if how == "fsync" and name.startswith(".incoming-")]
    assert {name for _how, name in done[:3]} == set(files)
    assert done[3:] == [
        ("fsync", "blobs"),
        ("fsync", "blobs/sha256"),
        ("fsync", index),
        ("replace", "index.json"),
        ("fsync", "."),
    ]


def test_what_could_not_be_synced_is_synced_the_next_time(tmp_path, monkeypatch):
    store = layout(tmp_path)
    monkeypatch.setattr(oci_layout, "FLUSH_EVERY", 1000.0)
    store.put_manifest("app", IMAGE, ["first"])
    receive(store, Bytes(TINY))
    store.put_manifest("app", INDEX, ["second"])

    def fail(handle: int) -> t.NoReturn:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(StateError, match="Input/output error"):
            store._flush()
    synced = []
    really_sync = os.fsync

    def syncing(handle: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{handle}")))
        really_sync(handle)

    monkeypatch.setattr(os, "fsync", syncing)
    store.close()
    assert {digest_of(TINY).partition(":")[2], INDEX.digest.partition(":")[2]} <= set(synced)


def test_a_blob_is_never_half_written(folder, registry):
    client = connect(registry)
    client.put_blob("app", client.start_upload("app"), digest_of(LARGE), LARGE, len(LARGE))
    registry.behaviour.corrupt = {digest_of(LARGE)}
    with contextlib.closing(layout(folder)) as store:
        with pytest.raises(DigestMismatch):
            store.receive_blob("app", blob(LARGE), lambda: client.open_blob("app", blob(LARGE)))
        assert store.blob_size("app", digest_of(LARGE)) is None
    assert leftovers(folder) == []


def test_a_full_disk(folder, monkeypatch):
    def fail(**arguments: t.Any) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    with contextlib.closing(layout(folder)) as store:
        with monkeypatch.context() as broken:
            broken.setattr(oci_layout.tempfile, "mkstemp", fail)
            for write in (lambda: receive(store, Bytes(LARGE)), lambda: store.put_manifest("new", INDEX, ["new"])):
                with pytest.raises(StateError) as caught:
                    write()
                assert "No space left" in caught.value.message
        assert list(store.repositories()) == [NAME]


def test_what_a_killed_run_left_behind_is_removed(folder):
    for name in (".incoming-abc", "blobs/sha256/.incoming-def"):
        (folder / name).write_bytes(b"half")
    (folder / ".keep").write_bytes(b"somebody's")
    layout(folder, writing=False)
    assert len(leftovers(folder)) == 3
    layout(folder).close()
    assert leftovers(folder) == [".keep"]


WRITER = """
    import itertools, sys
    from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import parse_manifest
    from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC
    from ansible_collections.registryops.migration.plugins.module_utils._stores import oci_layout
    oci_layout.FLUSH_EVERY = 0.0
    store = oci_layout.OCILayoutStore(sys.argv[1], GENERIC)
    store.check(writing=True)
    for number in itertools.count():
        data = b'{"schemaVersion": 2, "manifests": [], "annotations": {"number": "%d %s"}}' % (number, sys.argv[2].encode())
        manifest = parse_manifest(data, "application/vnd.oci.image.index.v1+json")
        store.put_manifest("killed", manifest, [f"v{sys.argv[2]}-{number}", "latest"])
        print(number, flush=True)
"""


def test_a_run_that_is_killed_leaves_a_sound_folder(tmp_path):
    path = tmp_path / "layout"
    for attempt in range(3):
        command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), str(attempt)]
        with subprocess.Popen(command, env=_with_our_path(), stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if int(line) == 30 + attempt:
                    break
            process.send_signal(signal.SIGKILL)
        store = layout(path, writing=False)
        tags = store.tags("killed")
        # every tag that was reported is there, and whatever is there is whole
        assert {f"v{attempt}-{number}" for number in range(31 + attempt)} <= set(tags)
        assert all(store.manifest("killed", tag) for tag in tags)
    # nobody holds the lock any more
    layout(path).close()
    assert leftovers(path) == []


def test_the_index_is_written_now_and_then(folder, monkeypatch):
    """A run of hours that is killed loses the tags of its last seconds, which the next one makes again."""
    clock = [1000.0]
    monkeypatch.setattr(oci_layout, "time", type("Clock", (), {"monotonic": staticmethod(lambda: clock[0])}))
    store = layout(folder)
    for number, expected in enumerate([True, False, False, True, False]):
        if number == 3:
            clock[0] += oci_layout.FLUSH_EVERY + 0.1
        store.put_manifest(NAME, IMAGE, [f"v{number}"])
        assert (f"{NAME}:v{number}" in names_in(folder)) is expected
    store.close()
    assert {f"{NAME}:v{number}" for number in range(5)} <= set(names_in(folder))


def test_corrupt_bytes_in_a_folder(folder):
    store = layout(folder, writing=False)
    digest, data = next(iter(HELD.blobs.items()))
    blob_file(folder, digest).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with contextlib.closing(store.open_blob(NAME, blob(data))) as reader, pytest.raises(DigestMismatch):
        b"".join(reader)
    blob_file(folder, DIGEST).write_bytes(IMAGE.data + b" ")
    with pytest.raises(DigestMismatch):
        store.manifest(NAME, "one")


def test_files_that_are_missing(folder):
    store = layout(folder, writing=False)
    digest, data = next(iter(HELD.blobs.items()))
    blob_file(folder, digest).unlink()
    blob_file(folder, DIGEST).unlink()
    with pytest.raises(BlobUnknown):
        store.open_blob(NAME, blob(data))
    with pytest.raises(ManifestUnknown):
        store.manifest(NAME, "one")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "7",
        "{}",
        '{"manifests": null}',
        '{"manifests": {"a": 1}}',
        '{"manifests": ["x"]}',
        '{"manifests": [{}]}',
        '{"manifests": [{"digest": 7}]}',
        '{"manifests": [{"digest": "sha256:abc"}]}',
        '{"manifests": [{"digest": "../../etc/passwd"}]}',
        '{"manifests": [{"digest": "%(digest)s", "annotations": ["x"]}]}',
        '{"manifests": [{"digest": "%(digest)s", "size": "large"}]}',
        '{"manifests": [{"digest": "%(digest)s", "mediaType": 7}]}',
        "[" * 100_000,
    ],
)
@pytest.mark.parametrize("writing", [True, False])
def test_an_index_that_is_none(content, writing, folder):
    text = content % {"digest": DIGEST} if "%(" in content else content
    (folder / "index.json").write_text(text)
    store = OCILayoutStore(str(folder), GENERIC)
    with pytest.raises(InvalidOption) as caught:
        store.check(writing=writing)
    assert caught.value.subject == str(folder / "index.json")
    # what is broken is not overwritten
    store.close()
    assert (folder / "index.json").read_text() == text


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(InvalidOption):
        layout(tmp_path / "missing", writing=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidOption):
        layout(tmp_path / "empty", writing=False)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidOption):
        layout(tmp_path / "file", writing=False)
    with pytest.raises(StateError):
        layout(tmp_path / "file")


def test_a_folder_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    store = OCILayoutStore("~/layout", GENERIC)
    assert store.path == store.name == str(tmp_path / "layout")


def test_names_that_lead_elsewhere_are_no_names(folder):
    document = index_of(folder)
    entry = document["manifests"][0]
    for name in ("../../etc:passwd", "Upper:v1", "a:b:c", ":v1", "a:", "", "a//b:v1"):
        document["manifests"].append({**entry, "annotations": {oci_layout.REF_NAME: name}})
    (folder / "index.json").write_text(json.dumps(document))
    store = layout(folder, writing=False)
    # a name without a repository belongs to that of the folder
    assert {name: sorted(store.tags(name)) for name in store.repositories()} == {NAME: ["index", "one", "two"], "layout": ["v1"]}


def test_a_large_folder_is_quick(tmp_path):
    """Looking up and deleting tags does not walk through all of them."""
    path = tmp_path / "layout"
    entry = {"mediaType": IMAGE.media_type, "digest": DIGEST, "size": len(IMAGE.data)}
    with contextlib.closing(layout(path)) as store:
        fill(store, SMALL)
    document = index_of(path)
    document["manifests"] += [{**entry, "annotations": {oci_layout.REF_NAME: f"many:v{number}"}} for number in range(20_000)]
    (path / "index.json").write_text(json.dumps(document))
    started = time.process_time()
    with contextlib.closing(layout(path)) as store:
        for number in range(2000):
            assert store.resolve("many", f"v{number}").digest == DIGEST
            assert store.resolve("many", DIGEST)
            assert store.delete_manifest("many", f"v{number}")
    # it takes a tenth of that; with a walk for each it would be a minute
    assert time.process_time() - started < 5
    assert len(layout(path, writing=False).tags("many")) == 18_000

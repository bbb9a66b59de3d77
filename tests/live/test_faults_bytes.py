# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults, from registry to registry: bytes that change on the way, and headers that are wrong about them."""

from __future__ import annotations

import typing as t

import pytest
from estate.compare import tags_of
from estate.fault_proxy import Fault, flip
from estate.push import push
from runs.faults import LARGE_BLOB, LARGE_SIZE, SMALL_BLOB, TAGS, Migration, fault_set

if t.TYPE_CHECKING:
    from pathlib import Path

    from estate.registry import Registry, RegistryFactory

GROUP = "Bytes are wrong"

WRONG_DIGEST = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def filled(module_registries: RegistryFactory) -> Registry:
    registry = module_registries.start("source")
    push(registry.url, fault_set())
    return registry


@pytest.fixture
def migration(filled: Registry, registries: RegistryFactory, tmp_path: Path) -> t.Iterator[Migration]:
    with Migration(filled, registries.start("destination"), tmp_path) as migration:
        yield migration


def put_of(digest: str) -> str:
    """The pattern of the PUT that ends a blob's upload: its query says whose it is."""
    return f"PUT .*/uploads/.*{digest.removeprefix('sha256:')}"


def reworded(data: bytes) -> bytes:
    """A manifest with a blank in another place: as good as before, but another digest."""
    return data.replace(b": ", b" :", 1)


@pytest.mark.fault(GROUP, "A byte of a layer changes once on its way from the source")
@pytest.mark.parametrize(("digest", "offset"), [(LARGE_BLOB, 0), (LARGE_BLOB, LARGE_SIZE // 2), (LARGE_BLOB, -1), (SMALL_BLOB, 10)])
def test_a_byte_changes_on_the_way_down(digest: str, offset: int, migration: Migration) -> None:
    """The layer is read again, and everything is copied; the wrong bytes never became a layer of the destination."""
    migration.set("source", Fault(f"GET .*{digest}", change_answer=flip(offset)))
    migration.finishes()
    assert len(migration.requests("source", f"GET .*{digest}")) == 2


@pytest.mark.fault(GROUP, "A layer is corrupt at the source")
def test_a_corrupt_layer(migration: Migration) -> None:
    """After a second look the tags that need it fail and are not to be seen; the others are copied."""
    migration.set("source", Fault(f"GET .*{LARGE_BLOB}", times=None, change_answer=flip(700_000)))
    migration.fails("digest_mismatch", tags=("team/app:1", "team/app:latest"))


@pytest.mark.fault(GROUP, "A byte of a layer changes once on its way to the destination")
@pytest.mark.parametrize(("digest", "offset"), [(LARGE_BLOB, 700_000), (SMALL_BLOB, 10)])
def test_a_byte_changes_on_the_way_up(digest: str, offset: int, migration: Migration) -> None:
    """The destination refuses it, the layer is sent again, and everything is copied."""
    migration.set("destination", Fault(put_of(digest), change_request=flip(offset)))
    migration.finishes()
    assert [one.status for one in migration.requests("destination", put_of(digest))] == [400, 201]


@pytest.mark.fault(GROUP, "Whatever is sent of a layer arrives with a byte changed")
def test_every_upload_is_spoilt(migration: Migration) -> None:
    """The tags that need it fail and are not to be seen; the others are copied, and the next run brings the rest."""
    migration.set("destination", Fault(put_of(LARGE_BLOB), times=None, change_request=flip(700_000)))
    migration.fails("digest_mismatch", tags=("team/app:1", "team/app:latest"))


@pytest.mark.fault(GROUP, "A manifest changes once on its way from the source, and is a manifest still")
def test_a_manifest_changes_on_the_way_down(migration: Migration) -> None:
    """It is read again, and what the destination gets is what the source has."""
    migration.set("source", Fault(r"GET /v2/team/app/manifests/", each=True, change_answer=reworded))
    migration.finishes()
    assert len(migration.met("source")) == 3


@pytest.mark.fault(GROUP, "A child of an index changes once on its way from the source")
def test_a_child_changes_on_the_way_down(migration: Migration) -> None:
    """It is read again, and what the destination gets is what the source has."""
    migration.set("source", Fault(r"GET /v2/team/web/manifests/sha256:", each=True, change_answer=flip(-2)))
    migration.finishes()


@pytest.mark.fault(GROUP, "A manifest changes once on its way to the destination, and is a manifest still")
def test_a_manifest_changes_on_the_way_up(migration: Migration) -> None:
    """The destination's answer gives it away, the manifest is put again, and everything is copied."""
    migration.set("destination", Fault(r"PUT /v2/team/app/manifests/", each=True, change_request=reworded))
    migration.finishes()
    assert len(migration.met("destination")) >= 3


@pytest.mark.fault(GROUP, "No answer has a Docker-Content-Digest, on either side")
def test_no_digest_header(migration: Migration) -> None:
    """Digests are those of the bytes: everything is copied, and a second run finds nothing to do."""
    for side in ("source", "destination"):
        migration.set(side, Fault("", times=None, set_headers={"Docker-Content-Digest": None, "Etag": None}))
    migration.finishes()


@pytest.mark.fault(GROUP, "The source's Docker-Content-Digest is that of something else")
def test_a_wrong_digest_header_at_the_source(migration: Migration) -> None:
    """Only the bytes count: what the destination gets is what the source has."""
    migration.set("source", Fault("GET .*/(manifests|blobs)/", times=None, set_headers={"Docker-Content-Digest": WRONG_DIGEST}))
    migration.finishes()


@pytest.mark.fault(GROUP, "The destination says that it has stored another manifest than was sent")
def test_a_wrong_digest_header_at_the_destination(migration: Migration) -> None:
    """The run does not believe in a copy that the destination denies: these tags fail, and the next run looks again."""
    migration.set("destination", Fault(r"PUT /v2/team/web/", times=None, set_headers={"Docker-Content-Digest": WRONG_DIGEST}))
    result = migration.copy().result
    assert {failure["kind"] for failure in result["failures"]} == {"digest_mismatch"}
    assert {f"{failure['repository']}:{failure['tag']}" for failure in result["failures"]} == {"team/web:1", "team/web:multi"}
    migration.set("destination")
    migration.finishes()
    assert len(tags_of(migration.destination)) == TAGS


@pytest.mark.fault(GROUP, "Answers of the source are gzip-encoded, though nobody asked for that")
def test_gzip(migration: Migration) -> None:
    """They are unpacked before digests are compared, and everything is copied."""
    migration.set("source", Fault(r"GET /v2/team/.*/(manifests|blobs|tags)/", times=None, gzip=True))
    migration.finishes()
    assert {one.headers["accept-encoding"] for one in migration.requests("source")} == {"identity"}


@pytest.mark.fault(GROUP, "A gzip-encoded layer breaks off")
def test_gzip_that_breaks_off(migration: Migration) -> None:
    """What has come of it cannot be gone on with: the layer is read again, and everything is copied."""
    migration.set("source", Fault(f"GET .*{LARGE_BLOB}", gzip=True, keep=500_000))
    migration.finishes()

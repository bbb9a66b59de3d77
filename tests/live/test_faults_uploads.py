# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults, from registry to registry: mounts, uploads that get lost, and a destination that has lost blobs."""

from __future__ import annotations

import json
import shutil
import typing as t

import pytest
from estate import images
from estate.compare import tags_of
from estate.fault_proxy import Fault
from estate.push import push
from runs.faults import LARGE_BLOB, SHARED_BLOB, SMALL_BLOB, TAGS, Migration, fault_set
from runs.modules import endpoint, run_module

if t.TYPE_CHECKING:
    from pathlib import Path

    from estate.registry import Registry, RegistryFactory

GROUP = "Uploads and mounts"

#: a mount from one repository in another; the engine also asks in this form whether a repository has a blob itself
MOUNT = r"POST /v2/team/(?:app/blobs/uploads/\?.*from=team%2Fweb|web/blobs/uploads/\?.*from=team%2Fapp)"
#: the same, and the question
ANY_MOUNT = r"POST .*/blobs/uploads/\?mount="
STORAGE = "docker/registry/v2"


@pytest.fixture(scope="module")
def filled(module_registries: RegistryFactory) -> Registry:
    registry = module_registries.start("source")
    push(registry.url, fault_set())
    return registry


@pytest.fixture
def destination(registries: RegistryFactory) -> Registry:
    """It looks at its storage each time: what is taken away there is gone."""
    return registries.start("destination", cached=False)


@pytest.fixture
def migration(filled: Registry, destination: Registry, tmp_path: Path) -> t.Iterator[Migration]:
    with Migration(filled, destination, tmp_path) as migration:
        yield migration


def error(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()


def put_of(digest: str) -> str:
    """The pattern of the PUT that ends a blob's upload: its query says whose it is."""
    return f"PUT .*/uploads/.*{digest.removeprefix('sha256:')}"


def collect_garbage(registry: Registry, *digests: str) -> None:
    """What docker-registry's garbage collection does to blobs: their bytes go, the links in the repositories stay."""
    for digest in digests:
        encoded = digest.removeprefix("sha256:")
        shutil.rmtree(registry.data / STORAGE / "blobs" / "sha256" / encoded[:2] / encoded)


# -- mounts --------------------------------------------------------------------------------------------------------------------


@pytest.mark.fault(GROUP, "A mount is answered 202, 400, 401, 403, 404 or 500")
@pytest.mark.parametrize(
    ("status", "code", "pattern"),
    [
        (202, "", MOUNT),
        (400, "UNSUPPORTED", MOUNT),
        (401, "UNAUTHORIZED", MOUNT),
        (403, "DENIED", MOUNT),
        (404, "NAME_UNKNOWN", MOUNT),
        (500, "UNKNOWN", MOUNT),
        (403, "DENIED", ANY_MOUNT),
        (500, "UNKNOWN", ANY_MOUNT),
    ],
)
def test_a_refused_mount(status: int, code: str, pattern: str, migration: Migration) -> None:
    """The blob is uploaded instead, and everything is copied."""
    if status == 202:
        migration.set("destination", Fault(pattern, times=None, path=lambda path: path.partition("?")[0]))
    else:
        headers = {"Content-Type": "application/json"}
        migration.set("destination", Fault(pattern, times=None, status=status, headers=headers, body=error(code)))
    result = migration.finishes()
    assert result["blobs"]["mounted"] == 0
    assert len(migration.requests("destination", put_of(SHARED_BLOB))) == 2


# -- uploads -------------------------------------------------------------------------------------------------------------------


@pytest.mark.fault(GROUP, "The destination loses the session of an upload before its last request")
@pytest.mark.parametrize("digest", [LARGE_BLOB, SMALL_BLOB], ids=["large", "small"])
def test_a_lost_session(digest: str, migration: Migration, destination: Registry) -> None:
    """The blob is sent again in another session, and everything is copied."""

    def lose() -> None:
        shutil.rmtree(destination.data / STORAGE / "repositories/team/app/_uploads")

    migration.set("destination", Fault(put_of(digest), before=lose))
    migration.finishes()
    assert [one.status for one in migration.requests("destination", put_of(digest))][-1] == 201


@pytest.mark.fault(GROUP, "The destination loses the session of an upload between two of its pieces")
def test_a_lost_session_in_chunks(migration: Migration, destination: Registry) -> None:
    """The blob is sent again from its first byte, and everything is copied."""

    def lose() -> None:
        shutil.rmtree(destination.data / STORAGE / "repositories/team/app/_uploads")

    migration.set("destination", Fault(r"PATCH /v2/team/app/", after=1, before=lose))
    migration.finishes(both={"chunk_size": 500_000}, workers=1)
    assert len(migration.requests("destination", "PATCH /v2/team/app/")) > 4


@pytest.mark.fault(GROUP, "The connection breaks in the middle of a piece of an upload, and after it")
@pytest.mark.parametrize("reset", ["request", "lost"])
def test_a_piece_that_breaks_off(reset: t.Literal["request", "lost"], migration: Migration) -> None:
    """No piece is ever appended twice: the blob is sent again from its first byte, and everything is copied."""
    migration.set("destination", Fault(r"PATCH /v2/team/app/", after=1, reset=reset, at=100_000))
    migration.finishes(both={"chunk_size": 500_000}, workers=1)


@pytest.mark.fault(GROUP, "The answer to the PUT of a blob is lost: the destination has it, and the run does not know")
@pytest.mark.parametrize("digest", [LARGE_BLOB, SMALL_BLOB], ids=["large", "small"])
def test_a_lost_answer(digest: str, migration: Migration) -> None:
    """The blob is found in its place, its bytes are not read again from the source, and everything is copied."""
    migration.set("destination", Fault(put_of(digest), reset="lost"))
    migration.finishes()
    assert len(migration.requests("source", f"GET .*{digest}")) == 1


@pytest.mark.fault(GROUP, "The answer to the PUT of a manifest, or to a mount or the start of an upload, is lost")
def test_more_lost_answers(migration: Migration) -> None:
    """They are asked for again, and everything is copied."""
    migration.set("destination", Fault(r"PUT .*/manifests/|POST ", each=True, reset="lost"))
    migration.finishes()
    assert len(migration.met("destination")) > TAGS


@pytest.mark.fault(GROUP, "Lost answers to every PUT, however often it is repeated")
def test_answers_that_are_always_lost(migration: Migration) -> None:
    """What the run does not know to be there fails; the tags that are there all the same are whole, and the next run finds them."""
    migration.set("destination", Fault(r"PUT /v2/team/web/manifests/", times=None, reset="lost"))
    result = migration.copy().result
    assert {failure["kind"] for failure in result["failures"]} == {"connection_failed"}
    assert result["counts"] == {"copied": 3, "failed": 2, "unchanged": 0, "kept": 0, "conflict": 0, "not_attempted": 0}
    wanted = tags_of(migration.source)
    assert {wanted[key] == digest for key, digest in tags_of(migration.destination).items()} == {True}
    migration.set("destination")
    migration.finishes()


@pytest.mark.fault(GROUP, "The destination knows the form with several tags, or a blob in one POST, but loses the answer")
def test_lost_answers_of_single_requests(filled: Registry, counting: t.Any, tmp_path: Path) -> None:
    """They are asked for again, and everything is copied."""
    with Migration(filled, counting, tmp_path) as migration:
        migration.set("destination", Fault(r"POST .*[?&]digest=|PUT .*[?&]tag=", each=True, reset="lost"))
        migration.finishes()
        assert {one.method for one in migration.met("destination")} == {"POST", "PUT"}


@pytest.fixture
def counting(counting_registry: t.Any) -> t.Any:
    """A registry that takes a blob in one POST, and several tags in one PUT, which docker-registry does not."""
    from estate.behaviour import Behaviour

    return counting_registry(Behaviour(single_post=True, multi_tag=True, referrers=False))


# -- a destination that has lost blobs -----------------------------------------------------------------------------------------


@pytest.mark.fault(GROUP, "Garbage collection at the destination takes blobs between their upload and the manifest")
def test_garbage_collection_in_the_middle_of_a_run(migration: Migration, destination: Registry) -> None:
    """MANIFEST_BLOB_UNKNOWN names them, they are sent again without shortcuts, and everything is copied."""
    migration.set(
        "destination", Fault(r"PUT /v2/team/app/manifests/", before=lambda: collect_garbage(destination, SHARED_BLOB, SMALL_BLOB))
    )
    migration.finishes(workers=1, rules=[{"repositories": {"include": ["team/app"]}, "tags": {"include": ["2"]}}, {}])
    refused = [one for one in migration.requests("destination", "PUT .*/manifests/") if one.status == 400]
    assert len(refused) == 1


@pytest.mark.fault(
    GROUP, "Between two runs the destination's tags were deleted and their blobs collected; the ledger believes they are there"
)
def test_garbage_collection_between_runs(migration: Migration, destination: Registry) -> None:
    """Mounts from where the blobs were are refused, their bytes are sent again, and everything is copied."""
    migration.finishes()
    # the tags and manifests, and the bytes of every blob; where the blobs were is still written down, at the destination and in the ledger
    for repository in ("team/app", "team/web"):
        shutil.rmtree(destination.data / STORAGE / "repositories" / repository / "_manifests")
    shutil.rmtree(destination.data / STORAGE / "blobs")
    result = migration.finishes()
    assert result["counts"]["copied"] == TAGS
    assert result["blobs"]["uploaded"] == len(fault_set().unique_blobs())


@pytest.mark.fault(GROUP, "Garbage collection at the destination has taken a blob from under tags that stay")
def test_a_hole_under_a_tag(migration: Migration, destination: Registry) -> None:
    """A deep verification finds the tags that are not whole, and the run after it brings what is missing."""
    migration.finishes()
    collect_garbage(destination, SHARED_BLOB)
    options = {
        "source": endpoint(migration.at_source),
        "destination": endpoint(migration.at_destination),
        "state_dir": str(migration.folder / "state"),
        "mode": "deep",
    }
    verified = run_module("registry_image_verify", options).result
    assert verified["failed"]
    assert verified["different"] == TAGS
    result = migration.finishes()
    assert result["counts"]["copied"] == TAGS
    assert not run_module("registry_image_verify", options).result.get("failed")


@pytest.mark.fault(GROUP, "The destination refuses every manifest with MANIFEST_BLOB_UNKNOWN, whatever is sent")
def test_blobs_that_do_not_stay(migration: Migration, destination: Registry) -> None:
    """After one repair the tags fail, and name the storage as the reason; the others are copied, and the next run brings the rest."""
    digest = images.layer("web", 5_000).digest
    migration.set("destination", Fault(r"PUT /v2/team/web/manifests/1$", times=None, before=lambda: collect_garbage(destination, digest)))
    result = migration.fails("manifest_blob_unknown", tags=("team/web:1",))
    assert "storage" in result["failures"][0]["hint"]

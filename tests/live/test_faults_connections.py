# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults, from registry to registry: connections that break, fall silent or are slow."""

from __future__ import annotations

import typing as t

import pytest
from estate.fault_proxy import FOR_GOOD, Fault
from estate.push import push
from runs.faults import LARGE_BLOB, LARGE_SIZE, SHARED_BLOB, TAGS, Migration, Side, fault_set

if t.TYPE_CHECKING:
    from pathlib import Path

    from estate.registry import Registry, RegistryFactory

GROUP = "The connection breaks"

#: seconds of silence after which a test's client gives up
PATIENCE = 0.8
#: with more attempts than the faults need: a machine that is busy may be silent as well
IMPATIENT = {"read_timeout": PATIENCE, "attempts": 4}


@pytest.fixture(scope="module")
def filled(module_registries: RegistryFactory) -> Registry:
    registry = module_registries.start("source")
    push(registry.url, fault_set())
    return registry


@pytest.fixture
def migration(filled: Registry, registries: RegistryFactory, tmp_path: Path) -> t.Iterator[Migration]:
    with Migration(filled, registries.start("destination"), tmp_path) as migration:
        yield migration


def starts_of_downloads(migration: Migration, digest: str) -> list[int]:
    """At which bytes the downloads of a blob began."""
    ranges = [one.headers.get("range", "bytes=0-") for one in migration.requests("source", f"GET .*{digest}")]
    return [int(text.removeprefix("bytes=").rstrip("-")) for text in ranges]


@pytest.mark.fault(GROUP, "Connection reset before the answer, once for every request, at the source or at the destination")
@pytest.mark.parametrize("side", ["source", "destination"])
def test_reset_before_the_answer(side: Side, migration: Migration) -> None:
    """Every request is sent again, and everything is copied."""
    migration.set(side, Fault(r" /v2/team/[a-z/]+(manifests|tags|sha256|uploads/\?|/blobs/sha)", each=True, reset="before"))
    migration.finishes()
    assert len(migration.met(side)) > 8


@pytest.mark.fault(GROUP, "Connection reset after every answer, on both sides")
def test_reset_after_the_answer(migration: Migration) -> None:
    """Connections that were kept are replaced, and everything is copied."""
    for side in ("source", "destination"):
        migration.set(side, Fault(r" /v2/team/", each=True, reset="after"))
    migration.finishes()
    assert len(migration.met("source")) + len(migration.met("destination")) > 20


@pytest.mark.fault(GROUP, "Connection reset in the middle of a download: at the first, at a middle and at the last byte of a layer")
@pytest.mark.parametrize("at", [0, 1, 700_000, LARGE_SIZE - 1])
def test_reset_in_a_download(at: int, migration: Migration) -> None:
    """The download goes on where it broke off, and everything is copied."""
    migration.set("source", Fault(f"GET .*{LARGE_BLOB}", reset="answer", at=at))
    migration.finishes()
    first, second = starts_of_downloads(migration, LARGE_BLOB)
    assert first == 0
    assert second <= at


@pytest.mark.fault(GROUP, "Connection reset in the middle of a manifest")
def test_reset_in_a_manifest(migration: Migration) -> None:
    """The manifest is read again, and everything is copied."""
    migration.set("source", Fault(r"GET .*/manifests/", each=True, reset="answer", at=100))
    migration.finishes()
    assert len(migration.met("source")) == len(fault_set().manifest_pairs()) + 1


@pytest.mark.fault(
    GROUP, "Connection reset in the middle of an upload: before, at the first, at a middle and after the last byte of a layer"
)
@pytest.mark.parametrize("at", [0, 1, 700_000, LARGE_SIZE])
def test_reset_in_an_upload(at: int, migration: Migration) -> None:
    """The layer is sent again in another session, and everything is copied; what was cut off is nowhere."""
    # whose PUT it is, its query says
    migration.set("destination", Fault(f"PUT .*/uploads/.*{LARGE_BLOB.removeprefix('sha256:')}", reset="request", at=at))
    migration.finishes()
    sessions = [one.path.partition("?")[0] for one in migration.requests("destination", f"PUT .*{LARGE_BLOB.removeprefix('sha256:')}")]
    assert len(set(sessions)) == len(sessions)


@pytest.mark.fault(GROUP, "Connection reset in the middle of a manifest that is being put")
def test_reset_in_a_put_of_a_manifest(migration: Migration) -> None:
    """The manifest is put again, and everything is copied."""
    migration.set("destination", Fault(r"PUT .*/manifests/", each=True, reset="request", at=100))
    migration.finishes()
    assert len(migration.met("destination")) >= TAGS


@pytest.mark.fault(GROUP, "Connection reset whenever a repository is written to")
def test_reset_for_good(migration: Migration) -> None:
    """Its tags fail and are not to be seen; the others are copied, and the next run brings the rest."""
    migration.set("destination", Fault(r"(POST|PUT) /v2/team/web/", times=None, reset="before"))
    migration.fails("connection_failed", tags=("team/web:1", "team/web:multi"), both={"attempts": 1})


@pytest.mark.fault(GROUP, "The registry falls silent: before an answer, and in the middle of a layer")
@pytest.mark.parametrize("stall_at", [None, 500_000])
def test_a_stall(stall_at: int | None, migration: Migration) -> None:
    """After read_timeout the request is sent again, for what is missing of a layer, and everything is copied."""
    migration.set("source", Fault(f"GET .*{LARGE_BLOB}", stall=FOR_GOOD, stall_at=stall_at))
    migration.finishes(both=IMPATIENT)
    assert starts_of_downloads(migration, LARGE_BLOB)[-1] <= (stall_at or 0)


@pytest.mark.fault(GROUP, "The destination falls silent when a manifest is put")
def test_a_stalled_put(migration: Migration) -> None:
    """After read_timeout the manifest is put again, and everything is copied."""
    migration.set("destination", Fault(r"PUT .*/manifests/", stall=FOR_GOOD))
    migration.finishes(both=IMPATIENT)


@pytest.mark.fault(GROUP, "The source falls silent for good for one repository")
def test_a_stall_for_good(migration: Migration) -> None:
    """Its tags fail and name read_timeout as a way out; the others are copied, and the next run brings the rest."""
    migration.set("source", Fault(r"GET /v2/team/web/manifests/", times=None, stall=FOR_GOOD))
    result = migration.fails("connection_failed", tags=("team/web:1", "team/web:multi"), both={**IMPATIENT, "attempts": 2})
    assert "read_timeout" in result["failures"][0]["hint"]


@pytest.mark.fault(GROUP, "A slow trickle: a layer takes longer than read_timeout, but never stops")
def test_a_trickle(migration: Migration) -> None:
    """Slow is not silent: the layer is read once, and everything is copied."""
    migration.set("source", Fault(f"GET .*{SHARED_BLOB}", piece=1_500, pause=PATIENCE / 8))
    migration.finishes(both=IMPATIENT)
    (slow,) = migration.requests("source", f"GET .*{SHARED_BLOB}")
    assert slow.ended - slow.began > PATIENCE


@pytest.mark.fault(GROUP, "A short body under the right length: the connection ends in order, in the middle of layers and manifests")
def test_a_short_body(migration: Migration) -> None:
    """A download goes on where it ended, a manifest is read again, and everything is copied."""
    migration.set("source", Fault(r"GET .*/manifests/", each=True, keep=50), Fault(f"GET .*{LARGE_BLOB}", times=2, keep=500_000))
    migration.finishes()
    assert starts_of_downloads(migration, LARGE_BLOB) == [0, 500_000, 1_000_000]


@pytest.mark.fault(GROUP, "A layer whose bytes never come")
def test_a_body_that_never_comes(migration: Migration) -> None:
    """The tags that need it fail and are not to be seen; the others are copied, and the next run brings the rest."""
    migration.set("source", Fault(f"GET .*{LARGE_BLOB}", times=None, keep=0))
    migration.fails("connection_failed", tags=("team/app:1", "team/app:latest"))

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks that are full, registries that become read-only, ledgers that cannot be read, and clocks that are wrong."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour
from estate.push import push
from runs.modules import endpoint, run_module
from runs.scene import COPY, Scene, rich_set

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry, MakeSmallDisk
    from estate.registry import Registry, RegistryFactory

DISKS = "Disks and ledgers"
CLOCKS = "Clocks"
HOURS = 3600.0


@pytest.fixture(scope="module")
def held() -> images.ImageSet:
    return rich_set()


@pytest.fixture(scope="module")
def source(module_registries: RegistryFactory, held: images.ImageSet) -> Registry:
    """Holds the set; tests only read it."""
    registry = module_registries.start("source")
    push(registry.url, held)
    return registry


@pytest.fixture
def destination(registries: RegistryFactory) -> Registry:
    return registries.start("destination")


@pytest.fixture
def scene(source: Registry, destination: Registry, held: images.ImageSet, tmp_path: Path) -> t.Iterator[Scene]:
    with contextlib.closing(Scene(source, destination, held, tmp_path)) as scene:
        yield scene


# -- disks ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.fault(DISKS, "the disk of the destination's registry is full")
@pytest.mark.parametrize("size", [300, 600])
def test_destination_full(registries: RegistryFactory, small_disk: MakeSmallDisk, tmp_path: Path, size: int) -> None:
    """Some tags fail, none can be read that is not whole; with more room the next run brings them, and mends what the registry broke."""
    held, source, disk = rich_set(indexes=False), registries.start("origin"), small_disk(size)
    push(source.url, held)
    destination = registries.start("destination", data=disk.folder / "data")
    with contextlib.closing(Scene(source, destination, held, tmp_path)) as scene:
        # a disk does not become larger by asking again
        run = scene.copy(workers=2, destination={**scene.options["destination"], "attempts": 1})
        failures = scene.failed(run, "server_failed", "registry_error", "manifest_blob_unknown", ghosts=True)
        failed = {(failure["repository"], failure["tag"]) for failure in failures}
        # what was said to be copied can be read
        assert held.tags().keys() - failed <= scene.visible(ghosts=True).keys()
        disk.resize(20_000)
        again = scene.copy()
        if again.result.get("failed"):
            # the registry may have kept empty files where manifests were to be, and does not write those a second time
            for failure in scene.failed(again, "server_failed", ghosts=True):
                assert "broken copy" in failure["hint"]
            assert _remove_empty_blobs(disk.folder / "data")
            # it remembers in memory what it has
            destination.restart()
            again = scene.copy()
        scene.completed(again)


def _remove_empty_blobs(data: Path) -> int:
    """What an administrator does about files that a full disk has left; returns how many there were."""
    empty = [blob for blob in (data / "docker/registry/v2/blobs/sha256").glob("*/*/data") if not blob.stat().st_size]
    for blob in empty:
        shutil.rmtree(blob.parent)
    return len(empty)


@pytest.mark.fault(DISKS, "a full disk or a crash has left a manifest without bytes, which the registry keeps for good")
@pytest.mark.parametrize("knows", [True, False], ids=["ledger", "no ledger"])
def test_empty_manifest(source: Registry, registries: RegistryFactory, held: images.ImageSet, tmp_path: Path, knows: bool) -> None:
    """The registry says that it has stored the manifest, and gives nothing back: the tag fails, with the way out, until that was gone."""
    data = tmp_path / "data"
    destination = registries.start("destination", data=data)
    with contextlib.closing(Scene(source, destination, held, tmp_path)) as scene:
        scene.completed(scene.copy())
        digest = held.tags()["team/app1", "1"]
        algorithm, value = digest.split(":")
        (data / "docker/registry/v2/blobs" / algorithm / value[:2] / value / "data").write_bytes(b"")
        if not knows:
            scene.options["state_dir"] = str(tmp_path / "another")
        for _run in range(2):
            run = scene.copy()
            [failure] = scene.failed(run, "server_failed", ghosts=True)
            assert failure["subject"].endswith(f"/team/app1@{digest}")
            assert "broken copy" in failure["hint"]
            assert run.result["counts"]["unchanged"] == len(held.tags()) - 1
        assert _remove_empty_blobs(data) == 1
        destination.restart()
        scene.completed(scene.copy())


@pytest.mark.fault(DISKS, "a full disk or a crash has left a tag that is written in part")
@pytest.mark.parametrize("part", ["tags/latest/current/link", "revisions/{digest}/link"])
def test_tag_in_part(source: Registry, registries: RegistryFactory, held: images.ImageSet, tmp_path: Path, part: str) -> None:
    """The registry fails to say what the tag is; the next run puts it again, and sees that it is whole."""
    data = tmp_path / "data"
    destination = registries.start("destination", data=data)
    with contextlib.closing(Scene(source, destination, held, tmp_path)) as scene:
        scene.completed(scene.copy())
        digest = held.tags()["team/app1", "latest"]
        file = data / "docker/registry/v2/repositories/team/app1/_manifests" / part.format(digest=digest.replace(":", "/"))
        assert file.read_text() == digest
        file.write_bytes(b"")
        run = scene.copy()
        scene.completed(run)
        assert run.result["changed"]
        assert not scene.copy().result["changed"]


@pytest.mark.fault(DISKS, "the disk of a destination that is a folder is full")
def test_folder_full(source: Registry, held: images.ImageSet, small_disk: MakeSmallDisk, tmp_path: Path) -> None:
    """The run fails and names the folder, what is in it stays sound; with more room the next run completes it."""
    disk = small_disk(900)
    options = {"source": endpoint(source), "destination": endpoint(disk.folder / "images"), "state_dir": str(tmp_path / "state")}
    run = run_module(COPY, options).result
    assert run["failed"]
    failures = run["failures"] if "failures" in run else [run["error"]]
    assert {failure["kind"] for failure in failures} == {"state_error"}
    assert all("space" in failure["message"] + failure["hint"] for failure in failures)
    for blob in (disk.folder / "images" / "blobs" / "sha256").iterdir():
        assert images.digest_of(blob.read_bytes()) == f"sha256:{blob.name}"
    disk.resize(20_000)
    again = run_module(COPY, options).result
    assert not again.get("failed"), again
    verified = run_module("registry_image_verify", {**options, "mode": "deep"}).result
    assert verified["equal"] == len(held.tags())


@pytest.mark.fault(DISKS, "the registry turns read-only in the middle of a run")
def test_read_only(scene: Scene, destination: Registry) -> None:
    """The tags that are left fail and the reason is told; when it takes writes again, the next run brings them."""
    scene.act_at("put a tag", 4, lambda: destination.restart(read_only=True))
    run = scene.copy(workers=4)
    assert scene.watch.kept
    failures = scene.failed(run, "registry_read_only")
    assert all("read-only" in failure["message"] for failure in failures)
    there = scene.visible()
    assert 1 <= len(there) < len(scene.held.tags())
    destination.restart(read_only=False)
    again = scene.copy()
    scene.completed(again)
    assert again.result["counts"]["unchanged"] == len(there)


# -- the ledger ----------------------------------------------------------------------------------------------------------------


@pytest.mark.fault(DISKS, "the disk of the ledger is full, from the beginning or in the middle of a run")
@pytest.mark.parametrize("size", [8, 72, 96])
def test_ledger_full(scene: Scene, small_disk: MakeSmallDisk, size: int) -> None:
    """The run ends and says that the ledger cannot be written; what arrived is whole; with more room the next run completes."""
    disk = small_disk(size)
    run = scene.copy(state_dir=str(disk.folder / "state"))
    for failure in scene.failed(run, "state_error"):
        assert str(disk.folder) in failure["subject"]
        assert "space" in failure["hint"]
    there = scene.visible()
    assert len(there) < len(scene.held.tags())
    disk.resize(20_000)
    scene.completed(scene.copy(state_dir=str(disk.folder / "state")))


def _overwrite(ledger: Path, start: float, data: bytes) -> None:
    size = ledger.stat().st_size
    with ledger.open("r+b") as file:
        file.seek(int(size * start))
        file.write(data[: size - int(size * start)])


def _newer(ledger: Path) -> None:
    with contextlib.closing(sqlite3.connect(ledger)) as database:
        database.execute("PRAGMA user_version = 99")


SPOILERS: dict[str, t.Callable[[Path], object]] = {
    "garbage": lambda ledger: ledger.write_bytes(b"neither a database nor anything else. " * 500),
    "garbage but for the header": lambda ledger: _overwrite(ledger, 0.01, b"\xff" * 1_000_000),
    "truncated": lambda ledger: ledger.write_bytes(ledger.read_bytes()[: ledger.stat().st_size // 2]),
    "cut within the header": lambda ledger: ledger.write_bytes(ledger.read_bytes()[:50]),
    "of a newer version": _newer,
}


@pytest.mark.fault(DISKS, "the ledger is corrupt, cut off, or of a newer version")
@pytest.mark.parametrize("spoiler", SPOILERS)
def test_ledger_spoilt(scene: Scene, spoiler: str) -> None:
    """The run is refused before a write, and the file is named; once it is removed, the next run finds all that is there."""
    scene.completed(scene.copy())
    ledger = scene.state / "ledger.sqlite3"
    SPOILERS[spoiler](ledger)
    scene.watch.reset()
    (failure,) = scene.failed(scene.copy(), "state_error")
    assert failure["subject"] == str(ledger)
    assert not [one for one in scene.watch.log if one.method not in ("GET", "HEAD")]
    ledger.unlink()
    again = scene.copy()
    scene.completed(again)
    assert again.result["counts"]["unchanged"] == len(scene.held.tags())


@pytest.mark.fault(DISKS, "the ledger is empty, or the files beside it are gone or of another run")
@pytest.mark.parametrize("spoiler", ["empty", "no log beside it", "another log beside it"])
def test_ledger_lost(scene: Scene, spoiler: str) -> None:
    """Nothing is lost but time: the run finds all that is there, and changes nothing."""
    scene.completed(scene.copy())
    ledger = scene.state / "ledger.sqlite3"
    if spoiler == "empty":
        ledger.write_bytes(b"")
    elif spoiler == "another log beside it":
        Path(f"{ledger}-wal").write_bytes(b"what another program has written here. " * 400)
    for beside in ("-wal", "-shm") if spoiler == "no log beside it" else ():
        Path(f"{ledger}{beside}").unlink(missing_ok=True)
    again = scene.copy()
    scene.completed(again)
    assert not again.result["changed"]


# -- clocks --------------------------------------------------------------------------------------------------------------------


@pytest.mark.fault(CLOCKS, "the servers' clocks are hours off ours: tokens and moments to come again")
@pytest.mark.parametrize(("off", "form"), [(-5 * HOURS, "date"), (5 * HOURS, "date"), (5 * HOURS, "unix")])
def test_server_clock(
    counting_registry: MakeCountingRegistry, held: images.ImageSet, tmp_path: Path, off: float, form: t.Literal["date", "unix"]
) -> None:
    """Tokens are used for as long as they live, a pause is as long as the server meant it; the run completes in seconds."""
    behaviour = Behaviour(clock=off, authentication="bearer", referrers=False, throttle_every=60, retry_after=form, retry_after_seconds=1)
    registries = [counting_registry(behaviour), counting_registry(behaviour)]
    registries[0].load(held)
    with contextlib.closing(Scene(*registries, held, tmp_path)) as scene:
        started = time.monotonic()
        run = scene.copy()
        took = time.monotonic() - started
        throttled = [one for one in scene.watch.log if one.status == 429]
        tokens = [one for one in scene.watch.log if one.path.startswith("/token")]
        behaviour.throttle_every = 0
        scene.completed(run)
    assert throttled
    assert took < 40
    # about ten repositories share a token: asking for another at each request would show
    assert len(tokens) < 15


@pytest.mark.fault(CLOCKS, "the ledger is dated in the future")
def test_ledger_of_tomorrow(counting_registry: MakeCountingRegistry, held: images.ImageSet, tmp_path: Path) -> None:
    """What it says is not believed for longer than what is dated today: what the registry has learnt since is found."""
    source, destination = (counting_registry(Behaviour(referrers=False)) for _unused in range(2))
    source.load(held)
    with contextlib.closing(Scene(source, destination, held, tmp_path)) as scene:
        scene.completed(scene.copy())
        with contextlib.closing(sqlite3.connect(scene.state / "ledger.sqlite3", isolation_level=None)) as ledger:
            for table, columns in (("hosts", ["learned"]), ("tags", ["finished"]), ("runs", ["started", "ended"])):
                for column in columns:
                    ledger.execute(f"UPDATE {table} SET {column} = {column} + {30 * 24 * HOURS}")
        # the source gets an update, and one of its images a signature that has no tag
        source.behaviour.referrers = True
        app = held.repositories["team/app0"]
        signature = images.add_referrer(app, app.manifests[app.tags["1"]], "application/vnd.example.signature", b"signed", fallback=False)
        source.load(held)
        run = scene.copy()
        assert not run.result.get("failed"), run.result
        assert signature.digest in destination.snapshot()["team/app0"].manifests

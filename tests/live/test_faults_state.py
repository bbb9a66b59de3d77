# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process or its host dies, and runs that meet: whatever is left, the next run completes it."""

from __future__ import annotations

import collections
import concurrent.futures
import random
import re
import shutil
import typing as t

import pytest
from estate import images
from estate.push import push
from runs.modules import ModuleRun, StartedModule, endpoint
from runs.scene import KINDS, Scene, kind_of, rich_set

from ansible_collections.registryops.migration.plugins.module_utils._stores.registry import SMALL_BLOB

if t.TYPE_CHECKING:
    from pathlib import Path

    from estate.registry import Registry, RegistryFactory
    from estate.turnstile import Moment

DIES = "The process or the host dies"
_DIGEST = re.compile(r"digest=([^&]+)")


@pytest.fixture(scope="module")
def held() -> images.ImageSet:
    return rich_set(repositories=2)


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
    scene = Scene(source, destination, held, tmp_path)
    yield scene
    scene.close()


class Points:
    """20 points of a run, the same at every call: some of each kind of request, at any number and moment."""

    MOMENTS: tuple[Moment, ...] = ("before", "amid", "after")

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        kinds = [*KINDS, *KINDS, *list(KINDS)[1:]]
        self.all = [(kind, chance.random(), chance.choice(self.MOMENTS)) for kind in kinds]


POINTS = Points(2026).all


@pytest.fixture(scope="module")
def requests(
    source: Registry, held: images.ImageSet, module_registries: RegistryFactory, tmp_path_factory: pytest.TempPathFactory
) -> collections.Counter[str]:
    """How many requests of each kind a whole run takes."""
    scene = Scene(source, module_registries.start("measured"), held, tmp_path_factory.mktemp("measured"))
    scene.completed(scene.copy(workers=4))
    scene.close()
    counts = collections.Counter(kind_of(one.side, one.method, one.path) for one in scene.watch.log)
    assert counts.keys() >= KINDS.keys()
    return counts


def kill_at(scene: Scene, kind: str, number: int, moment: Moment, **options: t.Any) -> None:
    """Run the module until the n-th request of a kind, which is its last."""
    begun: concurrent.futures.Future[StartedModule] = concurrent.futures.Future()

    def kill() -> bool:
        begun.result(60).kill()
        return False

    scene.stop_at(kind, number, moment, kill)
    process = scene.start(**options)
    begun.set_result(process)
    assert process.wait() is None, f"it ended before request {number} to {kind}"
    assert scene.watch.kept
    scene.watch.settle()


def sent_again(scene: Scene, blobs: set[tuple[str, str]], tags: t.Collection[tuple[str, str]]) -> list[str]:
    """Blobs (by digest) and tags (by name) that were there, and that the last run has sent again."""
    found = []
    for one in scene.watch.log:
        match = re.fullmatch(r"/v2/(.+)/(?:blobs/uploads|manifests)/([^?]+).*", one.path)
        if one.side != "destination" or one.method != "PUT" or match is None:
            continue
        digest = _DIGEST.search(one.path)
        name = digest[1].replace("%3A", ":") if digest else match[2]
        if (match[1], name) in (blobs if digest else tags):
            found.append(name)
    return found


@pytest.mark.fault(DIES, "kill -9 at 20 points of a run, each followed by another run")
@pytest.mark.parametrize(("kind", "where", "moment"), POINTS, ids=[f"{kind} {where:.2f} {moment}" for kind, where, moment in POINTS])
def test_killed(scene: Scene, destination: Registry, requests: collections.Counter[str], kind: str, where: float, moment: Moment) -> None:
    """No tag is half there; the next run completes the work and sends no tag and no layer again that had arrived."""
    kill_at(scene, kind, 1 + int(where * requests[kind]), moment, workers=4)
    there = scene.visible()
    blobs = destination.linked_blobs()

    scene.watch.reset()
    run = scene.copy(workers=4)
    scene.completed(run)
    assert run.result["counts"]["unchanged"] >= len(there)
    assert run.result["counts"]["copied"] + run.result["counts"]["unchanged"] == len(scene.held.tags())
    # one small blob may have been sent to learn whether the registry takes blobs in one request
    small = {digest for digest, data in scene.held.unique_blobs().items() if len(data) <= SMALL_BLOB}
    again = sent_again(scene, blobs, there)
    assert len(again) <= 1
    assert set(again) <= small


@pytest.mark.fault(DIES, "a worker is lost for good, with its ledger")
@pytest.mark.parametrize("takeover", ["the share of the lost worker", "everything"])
def test_worker_lost(scene: Scene, destination: Registry, tmp_path: Path, takeover: str) -> None:
    """Another worker takes over the share of the lost one, or all there is, and sends no layer again that had arrived."""
    shares = (["team/app0"], ["team/app1"])
    lost, other = ({"only_repositories": share, "state_dir": str(tmp_path / f"worker{n}")} for n, share in enumerate(shares))
    kill_at(scene, "put a tag", 2, "after", **lost)
    shutil.rmtree(lost["state_dir"])
    there = scene.visible()
    assert there

    run = scene.copy(**other)
    assert not run.result.get("failed"), run.result
    assert scene.visible().keys() >= {key for key in scene.held.tags() if key[0] in shares[1]}

    there, blobs = scene.visible(), destination.linked_blobs()
    scene.watch.reset()
    run = scene.copy(**{**other, "only_repositories": shares[0] if takeover.startswith("the share") else None})
    scene.completed(run)
    again = set(sent_again(scene, blobs, there))
    assert all(len(scene.held.unique_blobs()[digest]) <= SMALL_BLOB for digest in again)


@pytest.mark.fault(DIES, "two runs at once on one destination, each with a ledger of its own")
def test_two_runs(scene: Scene, tmp_path: Path) -> None:
    """Both succeed, and what they leave is what one would have left."""
    runs = [scene.start(state_dir=str(tmp_path / f"state{number}")) for number in range(2)]
    for run in [one.wait() for one in runs]:
        assert run is not None
        scene.completed(run)
    assert not scene.copy().result["changed"]


def _writes(registry: Registry) -> list[str]:
    return [one.path for one in registry.requests() if one.method not in ("GET", "HEAD")]


@pytest.mark.fault(DIES, "two runs at once with one state folder")
def test_two_runs_with_one_ledger(scene: Scene, destination: Registry) -> None:
    """The second is refused before it sends anything to the destination, in words that say so; the first is not disturbed."""
    second: list[ModuleRun] = []

    def run_another() -> None:
        # straight to the registries: the turnstiles are closed while this runs
        options = {"source": endpoint(scene.source), "destination": endpoint(scene.destination)}
        writes = len(_writes(destination))
        second.append(scene.copy(**options))
        assert len(_writes(destination)) == writes

    scene.act_at("put a tag", 2, run_another)
    first = scene.copy()
    assert scene.watch.kept
    scene.completed(first)
    (failure,) = scene.failed(second[0], "already_running")
    assert "another run uses this state folder" in failure["message"]
    assert failure["subject"] == str(scene.state)
    # after the first has ended, the same folder is free
    scene.completed(scene.copy())

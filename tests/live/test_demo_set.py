# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo's images from one docker-registry to another, and what verification says of a destination that was damaged afterwards."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
from estate import compare, images
from estate.client import Client
from estate.push import push
from runs.engine import Run, states

if t.TYPE_CHECKING:
    from estate.registry import Registry, RegistryFactory

SOURCE_USER = {"reader": "reads all"}
DESTINATION_USER = {"writer": "writes: much"}


@pytest.fixture(scope="module")
def demo() -> images.ImageSet:
    return images.demo_set()


@pytest.fixture(scope="module")
def source(module_registries: RegistryFactory, demo: images.ImageSet) -> Registry:
    """Holds the set; tests only read it."""
    registry = module_registries.start("source", tls=True, users=SOURCE_USER)
    push(registry.url, demo, "reader", SOURCE_USER["reader"], registry.ca_file)
    return registry


@pytest.fixture
def copied(source: Registry, registries: RegistryFactory, demo: images.ImageSet, tmp_path: Path) -> Run:
    """The set has been copied."""
    destination = registries.start("destination", tls=True, users=DESTINATION_USER)
    run = Run(source, destination, tmp_path / "state")
    outcome = run.copy()
    assert states(outcome) == {"copied": len(demo.tags())}
    assert outcome.failures == []
    return run


def blob_file(registry: Registry, digest: str) -> Path:
    """Where docker-registry keeps the bytes of a blob or manifest."""
    algorithm, encoded = digest.split(":")
    return registry.data / "docker" / "registry" / "v2" / "blobs" / algorithm / encoded[:2] / encoded / "data"


def link_file(registry: Registry, repository: str, digest: str) -> Path:
    """What says that a repository has a blob."""
    algorithm, encoded = digest.split(":")
    return registry.data / "docker" / "registry" / "v2" / "repositories" / repository / "_layers" / algorithm / encoded / "link"


def tag_folder(registry: Registry, repository: str, tag: str) -> Path:
    return registry.data / "docker" / "registry" / "v2" / "repositories" / repository / "_manifests" / "tags" / tag


def put(registry: Registry, repository: str, tag: str, manifest: images.Manifest) -> None:
    """Have a tag point to a manifest whose parts are there."""
    with Client(registry.access) as client:
        path = f"/v2/{repository}/manifests/{tag}"
        client.request("PUT", path, manifest.data, {"Content-Type": manifest.media_type}, expect=(201,))


def test_every_tag_arrives_and_a_second_run_changes_nothing(copied: Run, demo: images.ImageSet, skopeo: None) -> None:
    assert compare.assert_same(copied.source, copied.destination) == len(demo.tags())
    assert compare.tags_of(copied.destination) == demo.tags()
    assert compare.assert_complete(copied.destination) == len(demo.blob_pairs())

    written = [one for one in copied.destination.requests() if one.method not in ("GET", "HEAD")]
    outcome = copied.copy()
    assert states(outcome) == {"unchanged": len(demo.tags())}
    assert not outcome.changed
    assert outcome.bytes == 0
    assert [one for one in copied.destination.requests() if one.method not in ("GET", "HEAD")] == written


def test_verification_finds_nothing_wrong(copied: Run, demo: images.ImageSet) -> None:
    light = copied.verify()
    assert (light.checked, light.equal, light.different) == (len(demo.tags()), len(demo.tags()), 0)
    assert light.repositories == len(demo.repositories)

    deep = copied.verify(mode="deep")
    assert (deep.checked, deep.equal, deep.different) == (len(demo.tags()), len(demo.tags()), 0)
    # every blob and manifest of every repository has been asked for, once
    assert deep.blobs == len(demo.blob_pairs())
    assert deep.manifests == len(demo.manifest_pairs())


def test_what_is_missing_or_different_is_found_and_mended(copied: Run, demo: images.ImageSet, skopeo: None) -> None:
    destination = copied.destination
    web = demo.repositories["app/web"]

    tag_folder(destination, "tools/cli", "0.9").rename(destination.folder / "taken away")
    put(destination, "app/web", "2.0.0", web.manifests[web.tags["1.0.0"]])
    for mode in ("light", "deep"):
        found = copied.verify(mode=mode)
        assert (found.checked, found.equal, found.different) == (len(demo.tags()), len(demo.tags()) - 2, 2)
        told = {(one["repository"], one["tag"]): one for one in found.differences}
        assert told["tools/cli", "0.9"]["kind"] == "missing"
        assert told["app/web", "2.0.0"]["kind"] == "different"
        assert web.tags["2.0.0"] in told["app/web", "2.0.0"]["message"]
        assert web.tags["1.0.0"] in told["app/web", "2.0.0"]["message"]

    outcome = copied.copy()
    assert states(outcome) == {"copied": 2, "unchanged": len(demo.tags()) - 2}
    # all their blobs are there
    assert outcome.blobs["uploaded"] == outcome.bytes == 0
    assert copied.verify(mode="deep").different == 0
    assert compare.assert_same(copied.source, destination) == len(demo.tags())


def test_a_hole_in_an_image_is_found_by_a_deep_look_and_mended(copied: Run, demo: images.ImageSet) -> None:
    destination = copied.destination
    proxy = demo.repositories["platform/edge/proxy/sidecar"]
    layer = max(proxy.blobs, key=lambda digest: len(proxy.blobs[digest]))
    agent = demo.repositories["tools/agent"]
    child = sorted(agent.children())[0]

    destination.stop()
    # the repository has lost a layer, the storage one platform's manifest
    link_file(destination, "platform/edge/proxy/sidecar", layer).unlink()
    blob_file(destination, child).unlink()
    destination.restart()

    assert copied.verify().different == 0
    found = copied.verify(mode="deep")
    broken = {(one["repository"], one["tag"]) for one in found.differences}
    assert broken == {("platform/edge/proxy/sidecar", "2026.11"), ("tools/agent", "5")}
    told = {one["repository"]: one for one in found.differences}
    assert told["platform/edge/proxy/sidecar"]["kind"] == "blob_unknown"
    assert layer in told["platform/edge/proxy/sidecar"]["subject"]
    assert child in told["tools/agent"]["subject"]

    # the ledger remembers what was found, so that the next run copies both tags again
    outcome = copied.copy()
    assert states(outcome) == {"copied": 2, "unchanged": len(demo.tags()) - 2}
    assert outcome.blobs["uploaded"] == 1
    assert outcome.bytes == len(proxy.blobs[layer])
    assert copied.verify(mode="deep").different == 0
    assert compare.assert_complete(destination) == len(demo.blob_pairs())


def test_a_hole_is_mended_when_the_tag_is_copied_again(copied: Run, demo: images.ImageSet, skopeo: None) -> None:
    """As garbage collection leaves it: a blob that a manifest needs is gone, and so is the tag."""
    destination = copied.destination
    agent = demo.repositories["tools/agent"]
    own = sorted(agent.blobs, key=lambda digest: -len(agent.blobs[digest]))[:2]
    destination.stop()
    for digest in own:
        link_file(destination, "tools/agent", digest).unlink()
        blob_file(destination, digest).unlink()
    tag_folder(destination, "tools/agent", "5").rename(destination.folder / "taken away")
    destination.restart()

    assert copied.verify(mode="deep").different == 1
    outcome = copied.copy()
    assert states(outcome) == {"copied": 1, "unchanged": len(demo.tags()) - 1}
    assert outcome.blobs["uploaded"] == 2
    assert outcome.bytes == sum(len(agent.blobs[digest]) for digest in own)
    assert copied.verify(mode="deep").different == 0
    assert compare.assert_same(copied.source, destination) == len(demo.tags())


@pytest.mark.parametrize("ledger", [True, False], ids=["with the ledger", "without the ledger"])
def test_a_run_that_was_interrupted_goes_on(copied: Run, demo: images.ImageSet, tmp_path: Path, ledger: bool) -> None:
    """Blobs without manifests, as a run leaves them that ends in the middle: they do not move again."""
    destination = copied.destination
    for tag in demo.tags():
        tag_folder(destination, *tag).rename(destination.folder / "-".join(tag).replace("/", "-"))
    destination.restart()
    assert compare.tags_of(destination) == {}
    outcome = copied.copy() if ledger else dataclasses.replace(copied, state=tmp_path / "new state").copy()
    assert states(outcome) == {"copied": len(demo.tags())}
    # without a ledger, one small blob shows whether the registry takes blobs in one request
    assert outcome.blobs["uploaded"] == (0 if ledger else 1)
    assert outcome.bytes <= (0 if ledger else 64 << 10)
    assert compare.tags_of(destination) == demo.tags()

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine between counting registries, whose logs and knobs show and provoke what real ones do; and a few real ones."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import sqlite3
import threading
import typing as t
import urllib.parse
from pathlib import Path

import pytest
from estate import compare, images
from estate.behaviour import Behaviour, Rule
from estate.push import push
from runs.engine import Run, open_store, states

from ansible_collections.registryops.migration.plugins.module_utils._copying import (
    blobs as blobs_module,
    engine as engine_module,
    planning as planning_module,
)
from ansible_collections.registryops.migration.plugins.module_utils._copying.engine import Engine, Progress
from ansible_collections.registryops.migration.plugins.module_utils._copying.images import MOST_NESTING
from ansible_collections.registryops.migration.plugins.module_utils._copying.inventory import take_inventory
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger, TagRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan import PlanRow, make_row
from ansible_collections.registryops.migration.plugins.module_utils._copying.report import write_report
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Policy
from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import RepositorySelection, TagSelection
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import PutManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AuthenticationFailed,
    InvalidName,
    InvalidOption,
    MigrationError,
    NameCollision,
    StateError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Manifest
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store
from ansible_collections.registryops.migration.plugins.module_utils._stores.shared import Wrapped

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.counting import CountingRegistry
    from estate.registry import RegistryFactory

AMD64 = {"architecture": "amd64", "os": "linux"}
ARM64 = {"architecture": "arm64", "os": "linux"}
S390X = {"architecture": "s390x", "os": "linux"}


@pytest.fixture
def source(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    """docker-registry has no interface for referrers; tests that want one switch it on."""
    return counting_registry(Behaviour(referrers=False))


@pytest.fixture
def destination(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    return counting_registry(Behaviour(referrers=False))


@pytest.fixture
def run(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> Run:
    return Run(source, destination, tmp_path / "state")


def tags(registry: CountingRegistry) -> dict[tuple[str, str], str]:
    return {(name, tag): digest for name, held in registry.snapshot().items() for tag, digest in held.tags.items()}


def writes(registry: CountingRegistry) -> int:
    return sum(one.method not in ("GET", "HEAD") for one in registry.log)


def check_nothing_left_to_do(run: Run, expected: t.Mapping[str, int], *rules: t.Mapping[str, t.Any], **policy: t.Any) -> None:
    """Once more, with the ledger and without: nothing is written."""
    for again in (run, dataclasses.replace(run, state=run.state.with_name("another state"))):
        before = again.destination.snapshot()
        again.destination.reset_log()
        outcome = again.copy(*rules, **policy)
        assert states(outcome) == expected
        assert not outcome.changed
        assert outcome.failures == []
        assert writes(again.destination) == 0
        assert again.destination.snapshot() == before


def one_image(repository: str, *names: str, size: int = 4_000, shared: t.Sequence[images.Layer] = ()) -> images.ImageSet:
    """An image with a layer of its own under some tags."""
    held = images.ImageSet()
    images.add_image(held.repository(repository), repository, [*shared, images.layer(repository, size)], names or ["1"])
    return held


def several(count: int) -> images.ImageSet:
    """Repositories `team/app0` and so on, with one image each."""
    held = images.ImageSet()
    for number in range(count):
        held.update(one_image(f"team/app{number}"))
    return held


def own_layer(repository: str, size: int = 4_000) -> str:
    return images.layer(repository, size).digest


class Unheard:
    """Nobody wants to know how far a run is."""

    def finished(self, row: TagRow) -> None:
        """Ignore it."""


def carry_out(run: Run, rows: t.Iterable[PlanRow], policy: Policy, progress: Progress | None = None) -> None:
    """Have the engine carry out rows of the test's own."""
    source, destination = open_store(run.source), open_store(run.destination)
    ledger = Ledger(str(run.state))
    try:
        ledger.start(source.name, destination.name)
        assert Engine(source, destination, policy, ledger, progress or Unheard()).run(rows)
    finally:
        for opened in (source, destination, ledger):
            opened.close()


# -- blobs ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("remembered", [200_000, 20])
def test_each_blob_moves_once_and_is_mounted_everywhere_else(run: Run, monkeypatch: pytest.MonkeyPatch, remembered: int) -> None:
    """Also where there are more blobs than are kept in memory."""
    monkeypatch.setattr(blobs_module, "REMEMBERED", remembered)
    base, runtime = images.layer("base", 60_000), images.layer("runtime", 90_000)
    held = images.ImageSet()
    for number in range(30):
        held.update(one_image(f"team{number % 3}/app{number}", "1", "stable", shared=[base, runtime]))
    run.source.load(held)
    outcome = run.copy(workers=16)
    assert states(outcome) == {"copied": 60}

    moved = collections.Counter(one.path.rpartition("/")[2] for one in run.source.log if one.kind == "blob")
    assert moved == dict.fromkeys(held.unique_blobs(), 1)
    assert outcome.bytes == held.blob_bytes()
    # one small blob may have been sent twice, to see whether one request does
    assert held.blob_bytes() <= run.destination.bytes_in("upload") <= held.blob_bytes() + (64 << 10)

    mounts = collections.Counter()
    for one in run.destination.log:
        if one.kind == "mount":
            address = urllib.parse.urlsplit(one.path)
            query = urllib.parse.parse_qs(address.query)
            repository = address.path.removeprefix("/v2/").removesuffix("/blobs/uploads/")
            if query["from"] != [repository]:
                assert one.status == 201
                mounts[repository, query["mount"][0]] += 1
    assert len(mounts) == outcome.blobs["mounted"] == len(held.blob_pairs()) - len(held.unique_blobs())
    assert set(mounts.values()) == {1}
    assert run.destination.snapshot() == run.source.snapshot()


def test_a_transfer_that_fails_is_taken_over_by_another_repository(run: Run) -> None:
    shared = images.layer("shared", 5_000)
    for name in ("a/app", "b/app", "c/app"):
        run.source.load(one_image(name, shared=[shared]))
    run.source.behaviour.rules.append(Rule("GET", f"/v2/a/app/blobs/{shared.digest}", times=None, status=404))
    outcome = run.copy(workers=1)
    assert states(outcome) == {"copied": 2, "failed": 1}
    (failure,) = outcome.failures
    assert (failure["repository"], failure["tag"], failure["kind"]) == ("a/app", "1", "blob_unknown")
    assert set(tags(run.destination)) == {("b/app", "1"), ("c/app", "1")}
    # one of the two has moved it, the other one has got it from there
    assert sum(one.status == 200 and shared.digest in one.path for one in run.source.log if one.kind == "blob") == 1

    # the destination has the blob now: what its source has lost does not matter any more
    outcome = run.copy()
    assert states(outcome) == {"copied": 1, "unchanged": 2}
    assert outcome.bytes == 0


def test_mounts_that_are_refused_cost_bytes_only(run: Run) -> None:
    base = images.layer("base", 70_000)
    held = images.ImageSet()
    for number in range(8):
        held.update(one_image(f"team/app{number}", shared=[base]))
    run.source.load(held)
    run.destination.behaviour.mount = "deny"
    run.destination.behaviour.authentication = "bearer"
    outcome = run.copy(workers=4)
    assert states(outcome) == {"copied": 8}
    assert outcome.blobs["mounted"] == 0
    assert tags(run.destination) == held.tags()
    check_nothing_left_to_do(run, {"unchanged": 8})


def test_layers_of_no_files_and_of_no_bytes(run: Run) -> None:
    held = images.ImageSet()
    layers = [images.EMPTY_LAYER, images.ZERO_BYTE_LAYER, images.EMPTY_LAYER, images.layer("files", 2_000)]
    images.add_image(held.repository("odd/layers"), "odd", layers, ["1"])
    run.source.load(held)
    assert states(run.copy()) == {"copied": 1}
    assert run.destination.blob("odd/layers", images.ZERO_BYTE_LAYER.digest) == b""
    assert run.destination.snapshot() == run.source.snapshot()


def test_a_repository_that_was_left_is_not_new_any_more(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan may come back to a repository when all of it so far is done: what it has is not sent again, whatever its size."""
    monkeypatch.setattr(engine_module, "OPEN_TAGS", 1)
    held = images.ImageSet()
    shared = {name: [images.layer(f"{name} small", 3_000), images.layer(f"{name} large", 100_000)] for name in ("a/app", "b/app")}
    for tag in ("1", "2", "3"):
        for name, layers in shared.items():
            images.add_image(held.repository(name), f"{name} {tag}", layers, [tag])
    run.source.load(held)
    run.destination.behaviour.single_post = True
    rows = [make_row((name, tag), (name, tag), "copy", fresh=True) for tag in ("1", "2", "3") for name in shared]
    carry_out(run, rows, Policy(workers=4))
    assert tags(run.destination) == held.tags()
    assert run.destination.bytes_in("upload") == held.blob_bytes()


def test_what_garbage_collection_took_is_sent_again(run: Run) -> None:
    """The ledger knows a repository that had the blobs; none has them any more."""
    held = one_image("team/app", "1")
    run.source.load(held)
    run.copy()
    for digest in held.repositories["team/app"].blobs:
        run.destination.forget_blob("team/app", digest)
    run.destination.forget_tag("team/app", "1")
    outcome = run.copy()
    assert states(outcome) == {"copied": 1}
    assert outcome.bytes == held.blob_bytes()
    assert run.destination.snapshot() == run.source.snapshot()


def unknown_blobs(*digests: str) -> bytes:
    details = [{"digest": one} for one in digests] or [None]
    return json.dumps({"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "detail": detail} for detail in details]}).encode()


@pytest.mark.parametrize("named", [True, False], ids=["named", "not named"])
def test_a_manifest_that_misses_blobs_is_repaired_once(run: Run, named: bool) -> None:
    held = one_image("team/app", "1")
    run.source.load(held)
    layer = own_layer("team/app")
    refusal = Rule("PUT", "/manifests/1$", status=400, body=unknown_blobs(*([layer] if named else [])))
    run.destination.behaviour.rules.append(refusal)
    outcome = run.copy()
    assert states(outcome) == {"copied": 1}
    sent = [one for one in run.destination.log if one.method == "PUT" and one.kind == "upload" and one.status == 201]
    # one more time the blob that was named, or all of them where none was
    assert len(sent) == (3 if named else 4)
    assert run.destination.count("PUT", "manifest") == 2


def test_a_manifest_that_misses_blobs_for_ever_fails(run: Run) -> None:
    run.source.load(one_image("team/app", "1"))
    refusal = Rule("PUT", "/manifests/1$", times=None, status=400, body=unknown_blobs(own_layer("team/app")))
    run.destination.behaviour.rules.append(refusal)
    outcome = run.copy()
    assert states(outcome) == {"failed": 1}
    assert outcome.failures[0]["kind"] == "manifest_blob_unknown"
    assert run.destination.count("PUT", "manifest") == 2


# -- order ---------------------------------------------------------------------------------------------------------------------


def check_order(destination: CountingRegistry) -> int:
    """Out of the log: nothing was put before all that it names had been put. Returns how many manifests that was checked of."""
    there: set[tuple[str, str]] = set()
    checked = 0
    for one in destination.log:
        address = urllib.parse.urlsplit(one.path)
        query = urllib.parse.parse_qs(address.query)
        if one.status != 201:
            continue
        if one.kind in ("upload", "mount"):
            repository = address.path.removeprefix("/v2/").partition("/blobs/uploads/")[0]
            there.add((repository, query["mount" if one.kind == "mount" else "digest"][0]))
        elif one.kind == "manifest":
            repository, _unused, reference = address.path.removeprefix("/v2/").partition("/manifests/")
            manifest = destination.manifest(repository, reference)
            document = json.loads(manifest.data)
            parts = document.get("manifests", []) + document.get("layers", []) + [document[key] for key in ("config",) if key in document]
            missing = [part["digest"] for part in parts if (repository, part["digest"]) not in there and not part.get("urls")]
            assert not missing, f"{one.path} came before {missing}"
            there.add((repository, manifest.digest))
            checked += 1
    return checked


@pytest.mark.parametrize("workers", [1, 16])
def test_a_tag_comes_after_all_that_it_names(run: Run, workers: int) -> None:
    """At a destination that takes anything in any order, so that the order is the engine's own."""
    held = images.demo_set()
    run.source.load(held)
    run.destination.behaviour.sparse = True
    assert states(run.copy(workers=workers)) == {"copied": len(held.tags())}
    assert check_order(run.destination) >= len(held.manifest_pairs())


def test_no_tag_of_a_run_that_breaks_off_is_incomplete(run: Run) -> None:
    held = images.demo_set()
    run.source.load(held)
    run.destination.behaviour.sparse = True
    # in the middle of it the registry dies
    run.destination.behaviour.rules.append(Rule("PUT|POST", "", times=None, skip=90, status=500))
    outcome = run.copy(on_error="abort", workers=1)
    assert not outcome.complete
    assert 0 < check_order(run.destination) < len(held.manifest_pairs())
    run.destination.behaviour.rules.clear()
    assert run.copy().counts["failed"] == 0
    assert tags(run.destination) == held.tags()
    assert compare.assert_complete(run.destination) == len(held.blob_pairs())


class Attentive(Wrapped):
    """A destination that notes which manifests are put at the same time, and gives an index every opportunity while a platform's own tag
    is being put."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.together: set[frozenset[str]] = set()
        self._under_way: list[str] = []
        self._index = threading.Event()

    def put_manifest(self, repository: str, manifest: Manifest, tags: t.Sequence[str] = ()) -> PutManifest:
        self.together.update(frozenset((manifest.digest, other)) for other in self._under_way)
        self._under_way.append(manifest.digest)
        if manifest.kind == "index":
            self._index.set()
        elif tags:
            self._index.wait(1)
        try:
            return super().put_manifest(repository, manifest, tags)
        finally:
            self._under_way.remove(manifest.digest)


def test_no_manifest_is_put_while_an_index_that_names_it_is(run: Run) -> None:
    """docker-registry writes it anew, and answers that the index names something that is not there."""
    held = images.ImageSet()
    repository = held.repository("team/app")
    index = images.add_multi_platform(repository, "app", [AMD64, ARM64], [], 100, ["both"])
    for number, child in enumerate(json.loads(index.data)["manifests"]):
        repository.tags[f"platform{number}"] = child["digest"]
    run.source.load(held)
    source, destination = open_store(run.source), Attentive(open_store(run.destination))
    ledger = Ledger(str(run.state))
    with contextlib.closing(source), contextlib.closing(destination), contextlib.closing(ledger):
        ledger.start(source.name, destination.name)
        rows = [make_row(("team/app", tag), ("team/app", tag), "copy") for tag in ("platform0", "platform1", "both")]
        assert Engine(source, destination, Policy(workers=8), ledger, Unheard()).run(rows)
    assert tags(run.destination) == held.tags()
    assert not [pair for pair in destination.together if index.digest in pair or len(pair) == 1]


@pytest.mark.parametrize("multi_tag", [True, False])
def test_tags_of_one_digest(run: Run, multi_tag: bool) -> None:
    held = one_image("team/app", *(f"v{number}" for number in range(12)))
    run.source.load(held)
    run.destination.behaviour.multi_tag = multi_tag
    assert states(run.copy(workers=1)) == {"copied": 12}
    assert tags(run.destination) == held.tags()
    # those that the plan had when the image was there go together; where that form is refused, it has been tried once
    count = run.destination.count("PUT", "manifest")
    assert count < 12 if multi_tag else 12 <= count <= 13


def test_a_registry_that_makes_some_of_several_tags(run: Run) -> None:
    held = one_image("team/app", *(f"v{number}" for number in range(12)))
    run.source.load(held)
    run.destination.behaviour.multi_tag = True
    run.destination.behaviour.multi_tag_cap = 5
    assert states(run.copy(workers=1)) == {"copied": 12}
    assert tags(run.destination) == held.tags()


# -- errors --------------------------------------------------------------------------------------------------------------------


def test_skip_goes_on_with_the_others(run: Run) -> None:
    run.source.load(several(10))
    run.source.behaviour.missing.add(own_layer("team/app3"))
    outcome = run.copy(on_error="skip", workers=1)
    assert states(outcome) == {"copied": 9, "failed": 1}
    assert [failure["repository"] for failure in outcome.failures] == ["team/app3"]
    assert outcome.complete
    # and again: what is there stays, what fails fails
    assert states(run.copy()) == {"unchanged": 9, "failed": 1}


@pytest.mark.parametrize("workers", [1, 4])
def test_abort_stops_at_the_first(run: Run, workers: int, tmp_path: Path) -> None:
    run.source.load(several(30))
    run.source.load(one_image("team/app0", "same"))
    run.source.behaviour.missing.update(own_layer(f"team/app{number}") for number in range(30))
    outcome = run.copy(on_error="abort", workers=workers)
    assert not outcome.complete
    assert outcome.counts["copied"] == 0
    assert 1 <= outcome.counts["failed"] <= workers
    assert outcome.counts["not_attempted"] == 31 - outcome.counts["failed"]
    assert outcome.failed == 31
    assert run.destination.count("PUT", "manifest") == 0
    report = write_report({"worker": str(run.state / "ledger.sqlite3")}, str(tmp_path / "report"))
    assert report.counts == {state: count for state, count in outcome.counts.items() if count}
    assert sum(report.counts.values()) == 31


def test_abort_counts_what_was_unchanged_all_the_same(run: Run) -> None:
    run.source.load(several(20))
    run.copy({"repositories": {"include": [f"team/app{number}" for number in range(5, 20)]}})
    run.source.behaviour.missing.add(own_layer("team/app0"))
    run.source.load(one_image("team/app1", "2"))
    outcome = run.copy(on_error="abort", workers=1)
    assert outcome.counts["unchanged"] == 15
    assert outcome.counts["copied"] + outcome.counts["failed"] + outcome.counts["not_attempted"] == 6


def test_retry_tries_again_in_the_end(run: Run) -> None:
    run.source.load(several(6))
    for number in (1, 4):
        run.source.behaviour.rules.append(Rule("GET", own_layer(f"team/app{number}"), times=2, status=404))
    outcome = run.copy(on_error="retry", retries=2)
    assert states(outcome) == {"copied": 6}
    assert outcome.failures == []
    assert outcome.complete


def test_retry_gives_up(run: Run) -> None:
    run.source.load(several(4))
    layer = own_layer("team/app2")
    run.source.behaviour.missing.add(layer)
    outcome = run.copy(on_error="retry", retries=3)
    assert states(outcome) == {"copied": 3, "failed": 1}
    assert len(outcome.failures) == 1
    assert sum(layer in one.path for one in run.source.log) == 4


def test_a_password_that_expires_ends_the_run(run: Run) -> None:
    """What fails for one fails for all: it is no failure of a thousand tags."""
    run.source.load(several(5))
    run.source.behaviour.rules.append(Rule("GET", "/tags/list", times=None, status=401, headers={"WWW-Authenticate": 'Basic realm="gone"'}))
    with pytest.raises(MigrationError) as caught:
        run.copy()
    assert caught.value.kind == "authentication_failed"
    assert writes(run.destination) == 0


def refuse_password(registry: CountingRegistry, method: str, path: str) -> None:
    registry.behaviour.rules.append(Rule(method, path, times=None, status=401, headers={"WWW-Authenticate": 'Basic realm="gone"'}))


def test_a_password_that_expires_ends_what_was_begun(run: Run) -> None:
    """Wherever it happens, it is told once, and not tried again for every tag."""
    run.source.load(several(30))
    run.copy()
    refuse_password(run.destination, "HEAD", "/manifests/")
    run.destination.reset_log()
    with pytest.raises(AuthenticationFailed):
        run.copy(workers=1)
    assert run.destination.count("HEAD", "manifest") <= 2
    run.destination.behaviour.rules.clear()

    refuse_password(run.destination, "GET", "/manifests/")
    run.destination.reset_log()
    with pytest.raises(AuthenticationFailed):
        run.verify(mode="deep", workers=1)
    assert run.destination.count("GET", "manifest") <= 2

    run.destination.wipe()
    refuse_password(run.source, "GET|HEAD", "/manifests/")
    run.source.reset_log()
    with pytest.raises(AuthenticationFailed):
        run.plan(workers=1)
    assert run.source.count("GET", "manifest") <= 2

    run.source.reset_log()
    with contextlib.closing(open_store(run.source)) as store, pytest.raises(AuthenticationFailed):
        take_inventory(store, RepositorySelection(), TagSelection(), "digests", 1)
    assert run.source.count("HEAD", "manifest") <= 2


def test_one_run_at_a_time_in_a_state_folder(run: Run) -> None:
    run.source.load(several(1))
    ledger = Ledger(str(run.state))
    try:
        with pytest.raises(StateError, match="another run uses this state folder"):
            run.copy()
    finally:
        ledger.close()
    assert writes(run.destination) == 0
    assert states(run.copy()) == {"copied": 1}


def test_a_hole_that_verification_finds_is_mended(run: Run) -> None:
    """The tag has the right digest, so only a deep look finds that a blob is gone; after it, the next run copies the tag again."""
    run.source.load(several(3))
    run.source.load(images.demo_set())
    count = len(tags(run.source))
    run.copy()
    run.destination.forget_blob("team/app1", own_layer("team/app1"))
    child = sorted(images.demo_set().repositories["tools/agent"].children())[0]
    run.destination.forget_manifest("tools/agent", child)
    assert states(run.copy()) == {"unchanged": count}
    assert run.verify().different == 0
    found = run.verify(mode="deep")
    assert {(one["repository"], one["tag"]) for one in found.differences} == {("team/app1", "1"), ("tools/agent", "5")}
    assert states(run.plan()) == {"copied": 2, "unchanged": count - 2}
    outcome = run.copy(existing_tags="fail", backup_tag="{tag}-before")
    assert states(outcome) == {"copied": 2, "unchanged": count - 2}
    assert outcome.blobs["uploaded"] == 1
    assert run.destination.snapshot() == run.source.snapshot()
    assert run.verify(mode="deep").different == 0
    check_nothing_left_to_do(run, {"unchanged": count})


# -- tags that exist -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def moved(run: Run) -> Run:
    """Copied; then the tag 1 was moved at the source, and the tag 2 stayed."""
    run.source.load(one_image("team/app", "1", "2"))
    run.copy()
    held = images.ImageSet()
    images.add_image(held.repository("team/app"), "rebuilt", [images.layer("rebuilt", 4_000)], ["1"])
    run.source.load(held)
    run.source.reset_log()
    run.destination.reset_log()
    return run


def test_a_tag_that_moved_is_overwritten(moved: Run) -> None:
    outcome = moved.copy()
    assert states(outcome) == {"copied": 1, "unchanged": 1}
    assert tags(moved.destination) == tags(moved.source)
    check_nothing_left_to_do(moved, {"unchanged": 2})


def test_a_tag_that_moved_is_kept(moved: Run) -> None:
    before = moved.destination.snapshot()
    check_nothing_left_to_do(moved, {"kept": 1, "unchanged": 1}, existing_tags="keep")
    assert moved.destination.snapshot() == before


def test_a_tag_that_moved_is_a_conflict(moved: Run) -> None:
    before = moved.destination.snapshot()
    outcome = moved.copy(existing_tags="fail")
    assert states(outcome) == {"conflict": 1, "unchanged": 1}
    (failure,) = outcome.failures
    assert (failure["repository"], failure["tag"], failure["kind"]) == ("team/app", "1", "tag_conflict")
    assert before["team/app"].tags["1"] in failure["message"]
    assert moved.source.snapshot()["team/app"].tags["1"] in failure["message"]
    assert writes(moved.destination) == 0


def test_the_manifest_that_loses_its_tag_gets_another_one(moved: Run) -> None:
    old = moved.destination.snapshot()["team/app"].tags["1"]
    moved.destination.reset_log()
    outcome = moved.copy(backup_tag="{tag}-before-{digest}")
    assert states(outcome) == {"copied": 1, "unchanged": 1}
    backup = f"1-before-{old.removeprefix('sha256:')[:12]}"
    held = moved.destination.snapshot()["team/app"].tags
    assert held == {**moved.source.snapshot()["team/app"].tags, backup: old}
    # the old name is safe before it is given away
    puts = [one.path.rpartition("/")[2] for one in moved.destination.log if one.method == "PUT" and one.kind == "manifest"]
    assert puts == [backup, "1"]


def test_no_tag_is_overwritten_whose_backup_fails(moved: Run) -> None:
    """Both tags of the new digest are put together; the old manifest of one of them cannot be kept."""
    held = images.ImageSet()
    images.add_image(held.repository("team/app"), "rebuilt", [images.layer("rebuilt", 4_000)], ["1", "2"])
    moved.source.load(held)
    before = moved.destination.snapshot()["team/app"].tags
    moved.destination.behaviour.rules.append(Rule("PUT", "/manifests/2-old$", times=None, status=403))
    outcome = moved.copy(backup_tag="{tag}-old", workers=1)
    assert states(outcome) == {"copied": 1, "failed": 1}
    assert outcome.failures[0]["tag"] == "2"
    now = moved.destination.snapshot()["team/app"].tags
    assert now == {"1": moved.source.snapshot()["team/app"].tags["1"], "1-old": before["1"], "2": before["2"]}


@pytest.mark.parametrize("name", ["{old}", "before the run", "{tag}:{digest}", "{tag.real}"])
def test_a_backup_tag_that_cannot_be(moved: Run, name: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        moved.copy(backup_tag=name)
    assert caught.value.subject == "backup_tag"
    assert "{tag}" in caught.value.hint


def test_what_the_destination_has_beside_stays(moved: Run) -> None:
    moved.destination.load(one_image("team/app", "own"))
    moved.destination.load(one_image("other/app", "own"))
    moved.copy()
    held = tags(moved.destination)
    assert {("team/app", "own"), ("other/app", "own")} < set(held)


def test_an_immutable_tag_that_has_the_digest_already_is_no_failure(run: Run) -> None:
    """The first answer is lost; to the second request the registry says that the tag cannot be changed (to what it is)."""
    run.source.load(one_image("team/app", "1"))
    refusal = json.dumps({"errors": [{"code": "TAG_INVALID", "message": "the tag is immutable"}]}).encode()
    run.destination.behaviour.rules += [
        Rule("PUT", "/manifests/1$", action="lose_answer"),
        Rule("PUT", "/manifests/1$", times=None, status=400, body=refusal),
    ]
    assert states(run.copy()) == {"copied": 1}
    assert tags(run.destination) == tags(run.source)


def test_one_of_several_tags_is_immutable(moved: Run) -> None:
    moved.source.load(one_image("team/other", "1"))
    digest = moved.source.snapshot()["team/app"].tags["1"]
    held = images.ImageSet()
    images.add_image(held.repository("team/app"), "rebuilt", [images.layer("rebuilt", 4_000)], ["3", "4"])
    moved.source.load(held)
    moved.destination.behaviour.immutable_tags = True
    outcome = moved.copy(workers=1)
    assert states(outcome) == {"copied": 3, "unchanged": 1, "failed": 1}
    assert (outcome.failures[0]["tag"], outcome.failures[0]["kind"]) == ("1", "tag_immutable")
    now = moved.destination.snapshot()["team/app"].tags
    assert now["3"] == now["4"] == digest != now["1"]


# -- platforms -----------------------------------------------------------------------------------------------------------------


def platforms_of(registry: CountingRegistry, repository: str, tag: str) -> list[str]:
    """The architectures that an index names."""
    document = json.loads(registry.manifest(repository, tag).data)
    return [child["platform"]["architecture"] for child in document["manifests"]]


@pytest.fixture
def multi(run: Run) -> Run:
    """An index of three platforms under two tags, Docker's manifest list, and an image of one platform."""
    held = images.ImageSet()
    cli = held.repository("tools/cli")
    images.add_multi_platform(cli, "cli", [AMD64, ARM64, S390X], [images.layer("cli", 3_000)], 2_000, ["1", "latest"])
    images.add_image(cli, "single", [images.layer("single", 2_000)], ["single"], platform=S390X)
    images.add_multi_platform(held.repository("tools/agent"), "agent", [AMD64, ARM64], [], 2_000, ["5"], docker=True)
    run.source.load(held)
    return run


def test_indexes_come_whole(multi: Run) -> None:
    assert states(multi.copy(platforms=["linux/amd64"])) == {"copied": 4}
    assert multi.destination.snapshot() == multi.source.snapshot()
    check_nothing_left_to_do(multi, {"unchanged": 4}, platforms=["linux/amd64"])


def test_a_part_of_an_index_has_a_digest_of_its_own(multi: Run) -> None:
    policy: dict[str, t.Any] = {"platforms": ["linux/amd64", "linux/s390x"], "index": "subset"}
    outcome = multi.copy(**policy)
    assert states(outcome) == {"copied": 4}
    for repository, tag, architectures in (("tools/cli", "1", ["amd64", "s390x"]), ("tools/agent", "5", ["amd64"])):
        assert platforms_of(multi.destination, repository, tag) == architectures
        here, there = multi.source.manifest(repository, tag), multi.destination.manifest(repository, tag)
        assert there.media_type == here.media_type
        assert there.digest != here.digest
    # an image of one platform is none of its business
    assert multi.destination.manifest("tools/cli", "single") == multi.source.manifest("tools/cli", "single")
    held = multi.destination.snapshot()
    assert held["tools/cli"].tags["1"] == held["tools/cli"].tags["latest"]
    assert len(held["tools/cli"].manifests) == 1 + 2 + 1
    # the third platform's own blobs have not moved
    assert len(held["tools/cli"].blobs) == len(multi.source.snapshot()["tools/cli"].blobs) - 2

    check_nothing_left_to_do(multi, {"unchanged": 4}, **policy)
    assert multi.verify(mode="deep", **policy).different == 0
    assert multi.verify().different == 3


def test_with_the_ledger_a_part_is_not_made_again_to_compare(multi: Run) -> None:
    policy: dict[str, t.Any] = {"platforms": ["linux/amd64"], "index": "subset"}
    multi.copy(**policy)
    multi.source.reset_log()
    assert states(multi.copy(**policy)) == {"unchanged": 4}
    assert multi.source.count("GET", "manifest") == 0
    # other platforms than before are not what the ledger knows
    assert states(multi.copy(platforms=["linux/arm64"], index="subset")) == {"copied": 3, "unchanged": 1}


def test_a_sparse_index_keeps_its_digest(multi: Run) -> None:
    policy: dict[str, t.Any] = {"platforms": ["linux/amd64"], "index": "sparse"}
    multi.destination.behaviour.sparse = True
    assert states(multi.copy(**policy)) == {"copied": 4}
    assert tags(multi.destination) == tags(multi.source)
    held = multi.destination.snapshot()["tools/cli"]
    assert len(held.manifests) == 1 + 1 + 1
    check_nothing_left_to_do(multi, {"unchanged": 4}, **policy)
    assert multi.verify(mode="deep", **policy).different == 0
    assert multi.verify(mode="deep").different == 3


def test_a_sparse_index_is_completed_when_more_is_wanted(multi: Run) -> None:
    multi.destination.behaviour.sparse = True
    multi.copy(platforms=["linux/amd64"], index="sparse")
    more: dict[str, t.Any] = {"platforms": ["linux/amd64", "linux/arm64"], "index": "sparse"}
    assert states(multi.copy(**more)) == {"copied": 3, "unchanged": 1}
    assert multi.verify(mode="deep", **more).different == 0
    check_nothing_left_to_do(multi, {"unchanged": 4}, **more)
    # the other copy of the ledger does not know of it, so this one is asked
    assert states(multi.copy()) == {"copied": 2, "unchanged": 2}
    assert multi.verify(mode="deep").different == 0
    assert multi.destination.snapshot() == multi.source.snapshot()


@pytest.mark.parametrize("more", [{}, {"platforms": ["linux/amd64", "linux/arm64"], "index": "sparse"}], ids=["whole", "sparse"])
def test_a_sparse_index_is_not_taken_for_a_whole_one_without_the_ledger(multi: Run, more: dict[str, t.Any]) -> None:
    multi.destination.behaviour.sparse = True
    multi.copy(platforms=["linux/amd64"], index="sparse")
    other = dataclasses.replace(multi, state=multi.state.with_name("other"))
    found = other.verify(**more)
    assert (found.equal, found.different) == (1, 3)
    assert {one["kind"] for one in found.differences} == {"different"}
    assert "not all that belongs to it" in found.differences[0]["message"]
    assert states(other.plan(**more)) == {"copied": 3, "unchanged": 1}
    assert states(other.copy(**more)) == {"copied": 3, "unchanged": 1}
    assert other.verify(mode="deep", **more).different == 0
    check_nothing_left_to_do(other, {"unchanged": 4}, **more)


def test_an_index_below_an_index_may_be_sparse(run: Run) -> None:
    held = images.ImageSet()
    bundle = held.repository("platform/bundle")
    server = images.add_multi_platform(bundle, "server", [AMD64, ARM64], [], 2_000)
    images.add_index(bundle, [server.descriptor(platform=AMD64)], ["1"])
    run.source.load(held)
    run.destination.load(held)
    assert states(run.plan()) == {"unchanged": 1}
    run.destination.forget_manifest("platform/bundle", json.loads(server.data)["manifests"][1]["digest"])
    assert states(run.plan()) == {"copied": 1}
    assert states(run.copy()) == {"copied": 1}
    assert run.destination.snapshot() == run.source.snapshot()


def test_a_registry_that_takes_no_sparse_index(multi: Run) -> None:
    outcome = multi.copy(platforms=["linux/amd64"], index="sparse")
    assert states(outcome) == {"copied": 1, "failed": 3}
    for failure in outcome.failures:
        assert failure["kind"] == "manifest_blob_unknown"
        assert "platform_index" in failure["hint"]
    assert set(tags(multi.destination)) == {("tools/cli", "single")}


@pytest.mark.parametrize("form", ["subset", "sparse"])
def test_an_index_without_the_wanted_platform(multi: Run, form: str) -> None:
    multi.destination.behaviour.sparse = True
    outcome = multi.copy(platforms=["windows/amd64"], index=form)
    assert states(outcome) == {"copied": 1, "failed": 3}
    for failure in outcome.failures:
        assert failure["kind"] == "invalid_option"
        assert "windows/amd64" in failure["message"]
        assert "linux/arm64" in failure["hint"]


@pytest.mark.parametrize(("policy", "copied"), [({}, 3), ({"platforms": ["linux/amd64"], "index": "subset"}, 2)], ids=["whole", "subset"])
def test_an_index_of_indexes(run: Run, policy: dict[str, t.Any], copied: int) -> None:
    held = images.ImageSet()
    bundle = held.repository("platform/bundle")
    server = images.add_multi_platform(bundle, "server", [AMD64, ARM64], [], 2_000)
    client = images.add_image(bundle, "client", [images.layer("client", 2_000)])
    images.add_index(bundle, [server.descriptor(platform=AMD64), client.descriptor(platform=ARM64)], ["1"])
    run.source.load(held)
    assert states(run.copy(**policy)) == {"copied": 1}
    assert len(json.loads(run.destination.manifest("platform/bundle", "1").data)["manifests"]) == copied - 1
    # an index below an index is never cut
    assert server.digest in run.destination.snapshot()["platform/bundle"].manifests
    assert compare.assert_complete(run.destination) > 0
    check_nothing_left_to_do(run, {"unchanged": 1}, **policy)


def test_an_index_that_is_nested_without_end(run: Run) -> None:
    held = images.ImageSet()
    deep = held.repository("deep/index")
    inner = images.add_image(deep, "inner", [images.layer("inner", 2_000)])
    for _unused in range(20):
        inner = images.add_index(deep, [inner.descriptor()])
    images.add_index(deep, [inner.descriptor()], ["1"])
    run.source.load(held)
    outcome = run.copy()
    assert states(outcome) == {"failed": 1}
    assert "nested" in outcome.failures[0]["message"]


def nested(run: Run, levels: int) -> None:
    """The same index of indexes on both sides."""
    held = images.ImageSet()
    deep = held.repository("deep/index")
    inner = images.add_image(deep, "inner", [images.layer("inner", 2_000)])
    for _unused in range(levels - 1):
        inner = images.add_index(deep, [inner.descriptor()])
    images.add_index(deep, [inner.descriptor()], ["1"])
    run.source.load(held)
    run.destination.load(held)


@pytest.mark.parametrize(("levels", "different"), [(MOST_NESTING, 0), (MOST_NESTING + 1, 1)])
@pytest.mark.parametrize("known", [True, False])
def test_nesting_is_bounded_wherever_it_is_followed(run: Run, levels: int, different: int, known: bool) -> None:
    nested(run, levels)
    if known:
        digest = tags(run.source)["deep/index", "1"]
        source, destination = open_store(run.source), open_store(run.destination)
        ledger = Ledger(str(run.state))
        try:
            ledger.start(source.name, destination.name)
            ledger.record([TagRow("deep/index", "1", "deep/index", "1", "copy", "copied", digest, digest, images.OCI_INDEX)])
        finally:
            for opened in (source, destination, ledger):
                opened.close()
    found = run.verify(mode="deep")
    assert found.different == different
    assert {one["kind"] for one in found.differences} <= {"invalid_manifest"}
    run.destination.wipe()
    measured = run.plan()
    assert states(measured) == {"copied": 1}
    unread = "not known: 1 manifest could not be read, and nothing of it is counted"
    assert (unread in measured.totals) == bool(different)


# -- referrers -----------------------------------------------------------------------------------------------------------------


def signed_image(fallback: bool) -> images.ImageSet:
    """An index with a bill of materials, which is signed in turn, and a signature of one of its platforms."""
    held = images.ImageSet()
    app = held.repository("team/app")
    index = images.add_multi_platform(app, "app", [AMD64, ARM64], [images.layer("app", 3_000)], 2_000, ["1", "latest"])
    bill = images.add_referrer(app, index, images.SPDX, b"a bill of materials", fallback=fallback)
    images.add_referrer(app, bill, "application/vnd.example.signature", b"a signature of the bill", fallback=fallback)
    child = app.manifests[json.loads(index.data)["manifests"][1]["digest"]]
    images.add_referrer(app, child, "application/vnd.example.signature", b"a signature of arm64", fallback=fallback)
    images.add_image(app, "plain", [images.layer("plain", 2_000)], ["plain"])
    return held


@pytest.fixture
def signed(run: Run) -> Run:
    """The source has the interface, and no fall-back tags."""
    run.source.behaviour.referrers = True
    run.source.load(signed_image(fallback=False))
    return run


def test_referrers_go_with_their_image(signed: Run) -> None:
    signed.destination.behaviour.referrers = True
    outcome = signed.copy()
    assert states(outcome) == {"copied": 3 + 3}
    assert signed.destination.snapshot() == signed.source.snapshot()
    before = signed.destination.snapshot()
    signed.destination.reset_log()
    assert states(signed.copy()) == {"unchanged": 3 + 3}
    assert states(dataclasses.replace(signed, state=signed.state.with_name("another")).copy()) == {"unchanged": 3 + 3}
    assert writes(signed.destination) == 0
    assert signed.destination.snapshot() == before
    deep = signed.verify(mode="deep")
    assert (deep.different, deep.equal) == (0, 3 + 3)


def test_referrers_that_came_later(signed: Run) -> None:
    signed.destination.behaviour.referrers = True
    signed.copy()
    held = images.ImageSet()
    app = held.repository("team/app")
    image = signed.source.manifest("team/app", "plain")
    images.add_referrer(app, image, "application/vnd.example.signature", b"signed at last", fallback=False)
    signed.source.load(held)
    assert signed.verify().different == 1
    outcome = signed.copy()
    assert outcome.counts["copied"] == 1
    assert signed.destination.snapshot() == signed.source.snapshot()
    assert signed.verify().different == 0


def test_a_platform_that_is_signed_later(signed: Run) -> None:
    signed.destination.behaviour.referrers = True
    signed.copy()
    held = images.ImageSet()
    app = held.repository("team/app")
    index = json.loads(signed.source.manifest("team/app", "1").data)
    child = signed.source.manifest("team/app", index["manifests"][0]["digest"])
    images.add_referrer(app, child, "application/vnd.example.signature", b"amd64, at last", fallback=False)
    signed.source.load(held)
    assert signed.verify().different == 1
    assert states(signed.copy()) == {"copied": 1, "unchanged": 3 + 3}
    assert signed.destination.snapshot() == signed.source.snapshot()
    assert signed.verify().different == 0


def test_fallback_tags_are_made_where_the_destination_needs_them(signed: Run) -> None:
    outcome = signed.copy()
    assert outcome.counts["copied"] == 3 + 3
    held = signed.destination.snapshot()["team/app"]
    documents = [json.loads(signed.destination.manifest("team/app", digest).data) for digest in held.manifests]
    subjects = {document["subject"]["digest"] for document in documents if "subject" in document}
    made = {tag for tag in held.tags if tag.startswith("sha256-")}
    assert made == {images.fallback_tag(subject) for subject in subjects}
    for tag in made:
        (entry,) = json.loads(signed.destination.manifest("team/app", tag).data)["manifests"]
        referrer = json.loads(signed.destination.manifest("team/app", entry["digest"]).data)
        assert images.fallback_tag(referrer["subject"]["digest"]) == tag
        assert entry["artifactType"] == referrer["artifactType"]
        assert entry["annotations"] == referrer["annotations"]
    before = signed.destination.snapshot()
    outcome = signed.copy()
    assert not outcome.changed
    assert signed.destination.snapshot() == before
    assert signed.verify(mode="deep").different == 0


def test_a_fallback_tag_that_exists_is_added_to(signed: Run) -> None:
    """Somebody has signed the image at the destination, with a client that keeps fall-back tags."""
    signed.copy(referrers=False)
    app = signed.source.snapshot()["team/app"]
    index = signed.source.manifest("team/app", app.tags["1"])
    own = images.ImageSet()
    there = own.repository("team/app")
    mine = images.add_referrer(there, index, "application/vnd.example.signature", b"signed over there")
    signed.destination.load(own)
    assert signed.verify().different > 0
    outcome = signed.copy()
    assert outcome.failures == []
    entries = json.loads(signed.destination.manifest("team/app", images.fallback_tag(index.digest)).data)["manifests"]
    assert len(entries) == 2
    assert mine.digest in {entry["digest"] for entry in entries}
    assert not signed.copy().changed


@pytest.mark.parametrize("interface", [True, False])
def test_a_source_that_keeps_fallback_tags(run: Run, interface: bool) -> None:
    run.source.load(signed_image(fallback=True))
    run.destination.behaviour.referrers = interface
    count = len(tags(run.source))
    assert states(run.copy()) == {"copied": count}
    assert run.destination.snapshot() == run.source.snapshot()
    check_nothing_left_to_do(run, {"unchanged": count})


def test_referrers_stay_behind_if_they_are_not_wanted(signed: Run) -> None:
    signed.destination.behaviour.referrers = True
    assert states(signed.copy(referrers=False)) == {"copied": 3}
    assert signed.source.count(kind="referrers") == 0
    assert len(signed.destination.snapshot()["team/app"].manifests) == 3 + 1
    assert states(signed.copy(referrers=False)) == {"unchanged": 3}
    # and come when they are
    outcome = signed.copy()
    assert outcome.counts["copied"] == 3
    assert signed.destination.snapshot() == signed.source.snapshot()


def test_a_signature_of_one_platform_is_not_forgotten(signed: Run) -> None:
    """It could not be copied with its image; the image itself is unchanged from then on."""
    signed.destination.behaviour.referrers = True
    signature = images.digest_of(b"a signature of arm64")
    signed.source.behaviour.missing.add(signature)
    assert states(signed.copy()) == {"copied": 3 + 2, "failed": 1}
    signed.source.behaviour.missing.clear()
    assert signed.verify(mode="deep").different == 1
    assert states(signed.copy()) == {"copied": 1, "unchanged": 3 + 2}
    assert signed.destination.snapshot() == signed.source.snapshot()


def test_a_referrer_that_fails_is_told(signed: Run) -> None:
    signed.destination.behaviour.referrers = True
    bill = images.digest_of(b"a bill of materials")
    signed.source.behaviour.missing.add(bill)
    outcome = signed.copy()
    assert outcome.counts["failed"] == 1
    assert outcome.failures[0]["kind"] == "blob_unknown"
    signed.source.behaviour.missing.clear()
    outcome = signed.copy()
    assert outcome.counts["failed"] == 0
    assert outcome.counts["copied"] == 2
    assert signed.destination.snapshot() == signed.source.snapshot()


def cosigned() -> images.ImageSet:
    """Three versions, each signed in cosign's way, the signature of one attested in turn."""
    held = images.ImageSet()
    app = held.repository("team/app")
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        image = images.add_image(app, version, [images.layer(version, 2_000)], [version])
        signature = images.add_cosign_signature(app, "registry.example/team/app", image)
    images.add_cosign_signature(app, "registry.example/team/app", signature)
    return held


def test_signatures_follow_the_tags_that_are_selected(run: Run) -> None:
    held = cosigned()
    run.source.load(held)
    rule = {"tags": {"semver": ">=2"}}
    assert states(run.copy(rule)) == {"copied": 3}
    there = tags(run.destination)
    digest = held.tags()["team/app", "2.0.0"]
    signature = held.tags()["team/app", images.fallback_tag(digest, ".sig")]
    assert there == {
        ("team/app", "2.0.0"): digest,
        ("team/app", images.fallback_tag(digest, ".sig")): signature,
        ("team/app", images.fallback_tag(signature, ".sig")): held.tags()["team/app", images.fallback_tag(signature, ".sig")],
    }
    check_nothing_left_to_do(run, {"unchanged": 3}, rule)
    assert states(run.copy()) == {"copied": 4, "unchanged": 3}


def test_a_signature_of_one_platform_follows_as_well(run: Run) -> None:
    held = images.ImageSet()
    app = held.repository("team/app")
    index = images.add_multi_platform(app, "app", [AMD64, ARM64], [], 2_000, ["1"])
    child = app.manifests[json.loads(index.data)["manifests"][0]["digest"]]
    images.add_cosign_signature(app, "registry.example/team/app", child)
    images.add_image(app, "other", [images.layer("other", 2_000)], ["2"])
    run.source.load(held)
    assert states(run.copy({"tags": {"include": ["1"]}})) == {"copied": 2}
    assert set(tags(run.destination)) == {("team/app", "1"), ("team/app", images.fallback_tag(child.digest, ".sig"))}


def test_signatures_stay_behind_if_they_are_not_wanted(run: Run) -> None:
    run.source.load(cosigned())
    assert states(run.copy({"tags": {"include": ["2.0.0"]}}, referrers=False)) == {"copied": 1}


# -- odd images ----------------------------------------------------------------------------------------------------------------


def test_foreign_layers_stay_where_they_are(run: Run) -> None:
    held = images.foreign_set()
    run.source.load(held)
    assert states(run.copy()) == {"copied": 1}
    assert run.destination.snapshot() == run.source.snapshot()
    assert run.verify(mode="deep").different == 0
    check_nothing_left_to_do(run, {"unchanged": 1})


def test_foreign_layers_are_copied_where_that_is_wanted(run: Run) -> None:
    held = images.foreign_set()
    foreign = images.foreign_layer("windows-base", 50_000)
    held.repositories["windows/service"].blobs[foreign.digest] = foreign.data
    run.source.load(held)
    assert states(run.copy(foreign_layers="copy")) == {"copied": 1}
    assert run.destination.blob("windows/service", foreign.digest) == foreign.data
    # a source that does not have it cannot give it
    run.destination.wipe()
    run.source.forget_blob("windows/service", foreign.digest)
    outcome = run.copy(foreign_layers="copy")
    assert states(outcome) == {"failed": 1}
    assert outcome.failures[0]["kind"] == "blob_unknown"


@pytest.mark.parametrize("known", [True, False])
def test_foreign_layers_that_are_wanted_later(run: Run, known: bool) -> None:
    held = images.foreign_set()
    foreign = images.foreign_layer("windows-base", 50_000)
    held.repositories["windows/service"].blobs[foreign.digest] = foreign.data
    run.source.load(held)
    run.copy()
    later = run if known else dataclasses.replace(run, state=run.state.with_name("later"))
    assert states(later.plan(foreign_layers="copy")) == {"copied": 1}
    assert later.verify(foreign_layers="copy").different == 1
    outcome = later.copy(foreign_layers="copy")
    assert states(outcome) == {"copied": 1}
    # without the ledger, one small blob shows anew whether one request does
    assert outcome.bytes >= len(foreign.data)
    assert outcome.blobs["uploaded"] == (1 if known else 2)
    assert run.destination.blob("windows/service", foreign.digest) == foreign.data
    assert later.verify(mode="deep", foreign_layers="copy").different == 0
    check_nothing_left_to_do(later, {"unchanged": 1}, foreign_layers="copy")
    check_nothing_left_to_do(later, {"unchanged": 1})
    # with the ledger, what is there is not looked for again
    later.copy(foreign_layers="copy")
    later.source.reset_log()
    assert states(later.copy(foreign_layers="copy")) == {"unchanged": 1}
    assert later.source.count("GET", "manifest") == 0


def test_schema_1_is_copied_as_it_is(registries: RegistryFactory, tmp_path: Path) -> None:
    source, destination = (registries.start(name, schema1=True) for name in ("source", "destination"))
    held = images.schema1_set()
    push(source.url, held)
    run = Run(source, destination, tmp_path / "state")
    assert states(run.copy()) == {"copied": 1}
    # docker-registry signs such a manifest itself when it is read: the digest is that of what is signed
    assert compare.tags_of(source) == compare.tags_of(destination) == held.tags()
    assert states(run.copy()) == {"unchanged": 1}
    assert run.verify(mode="deep").different == 0


def test_schema_1_is_reported_where_the_destination_refuses_it(registries: RegistryFactory, tmp_path: Path) -> None:
    source, destination = registries.start("source", schema1=True), registries.start("destination")
    push(source.url, images.schema1_set())
    push(source.url, one_image("new/image"))
    outcome = Run(source, destination, tmp_path / "state").copy()
    assert states(outcome) == {"copied": 1, "failed": 1}
    (failure,) = outcome.failures
    assert (failure["repository"], failure["tag"], failure["kind"]) == ("old/image", "2015", "unsupported_manifest")
    assert "old/image:2015" in failure["subject"]


def test_digests_can_be_selected(run: Run) -> None:
    held = one_image("team/app", "1")
    images.add_image(held.repository("team/app"), "untagged", [images.layer("untagged", 2_000)])
    run.source.load(held)
    (digest,) = set(held.repositories["team/app"].manifests) - set(held.tags().values())
    rule = {"repositories": {"include": ["team/app"]}, "tags": {"include": [digest]}}
    assert states(run.copy(rule)) == {"copied": 1}
    assert set(run.destination.snapshot()["team/app"].manifests) == {digest}
    assert tags(run.destination) == {}
    check_nothing_left_to_do(run, {"unchanged": 1}, rule)


# -- selection and names -------------------------------------------------------------------------------------------------------


def dated(repository: images.Repository, created: str, tag: str) -> None:
    """An image whose configuration says when it was made."""
    layer = images.layer(tag, 1_000)
    config = {"created": created, **AMD64, "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]}}
    document = {
        "schemaVersion": 2,
        "mediaType": images.OCI_MANIFEST,
        "config": images.add_blob(repository, images.compact(config), images.OCI_CONFIG),
        "layers": [images.add_blob(repository, layer.data, images.OCI_LAYER)],
    }
    images.add_manifest(repository, document, images.OCI_MANIFEST, [tag])


DATES = {
    "1.0.0": "2024-03-01",
    "1.1.0": "2025-03-01",
    "1.10.0": "2025-01-01",
    "2.0.0-rc.1": "2025-06-01",
    "2.0.0": "2025-07-01",
    "nightly": "2025-12-01",
}


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        ({"semver": ">=1.1 <2"}, {"1.1.0", "1.10.0"}),
        ({"newest": 2}, {"2.0.0", "2.0.0-rc.1"}),
        ({"semver": "1.x", "newest": 1}, {"1.10.0"}),
        ({"newest": 2, "newest_by": "date"}, {"2.0.0", "nightly"}),
        ({"since": "2025-03-01", "exclude": ["nightly"]}, {"1.1.0", "2.0.0-rc.1", "2.0.0"}),
        ({"include": ["*.0"], "since": "2025-06-30T12:00:00Z"}, {"2.0.0"}),
        ({"include": ["regex:[0-9]+[.][0-9]+[.]0"], "exclude": ["2.*"]}, {"1.0.0", "1.1.0", "1.10.0"}),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_tags_are_selected(run: Run, selection: dict[str, t.Any], selected: set[str]) -> None:
    held = images.ImageSet()
    for tag, created in DATES.items():
        dated(held.repository("team/app"), f"{created}T00:00:00Z", tag)
    run.source.load(held)
    rule = {"tags": selection}
    assert states(run.copy(rule)) == {"copied": len(selected)}
    assert set(run.destination.snapshot()["team/app"].tags) == selected
    check_nothing_left_to_do(run, {"unchanged": len(selected)}, rule)


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        ({"since": "2025-06-30"}, {"2.0.0", "nightly"}),
        ({"newest": 2, "newest_by": "date"}, {"2.0.0", "nightly"}),
    ],
    ids=["since", "newest"],
)
def test_a_tag_without_a_manifest_is_the_only_one_that_dates_fail_for(run: Run, selection: dict[str, t.Any], selected: set[str]) -> None:
    held = images.ImageSet()
    for tag, created in DATES.items():
        dated(held.repository("team/app"), f"{created}T00:00:00Z", tag)
    run.source.load(held)
    run.source.forget_manifest("team/app", held.tags()["team/app", "1.1.0"])
    outcome = run.copy({"tags": selection})
    assert states(outcome) == {"copied": len(selected), "failed": 1}
    assert [(one["tag"], one["kind"]) for one in outcome.failures] == [("1.1.0", "manifest_unknown")]
    assert set(run.destination.snapshot()["team/app"].tags) == selected


def test_a_password_that_is_refused_for_dates_ends_the_run(run: Run) -> None:
    run.source.load(several(1))
    refuse_password(run.source, "GET", "/manifests/")
    with pytest.raises(AuthenticationFailed):
        run.copy({"tags": {"since": "2025-06-30"}})


FLAT = {"mapping": {"flatten": -1}}


def lists(registry: CountingRegistry) -> collections.Counter[str]:
    return collections.Counter(one.path for one in registry.log if one.path.partition("?")[0].endswith("/tags/list"))


def test_a_forbidden_repository_does_not_end_a_run_that_shares_its_destination(run: Run) -> None:
    for repository, tag in (("a/app", "1"), ("b/app", "2"), ("c/app", "3")):
        run.source.load(one_image(repository, tag))
    run.source.behaviour.rules.append(Rule("GET", "/v2/b/app/tags/list", times=None, status=403))
    outcome = run.copy(FLAT)
    assert states(outcome) == {"copied": 2, "failed": 1}
    assert [(one["repository"], one["kind"]) for one in outcome.failures] == [("b/app", "access_denied")]
    assert set(run.destination.snapshot()["app"].tags) == {"1", "3"}
    # looking for collisions costs no second list of what can be listed
    assert {path.partition("?")[0]: count for path, count in lists(run.source).items()} == {
        "/v2/a/app/tags/list": 1,
        "/v2/b/app/tags/list": 2,
        "/v2/c/app/tags/list": 1,
    }


def test_tags_that_are_many_are_listed_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning_module, "_KEPT_TAGS", 1)
    run.source.load(one_image("a/app", "1"))
    run.source.load(one_image("b/app", "2", "3"))
    assert states(run.copy(FLAT)) == {"copied": 3}
    assert sorted(lists(run.source).values()) == [1, 2]


def test_a_worker_looks_for_tags_that_differ_in_case_in_its_own_share_only(run: Run) -> None:
    folding = dataclasses.replace(run, provider="gitea")
    run.source.load(several(3))
    images_of_one = one_image("team/app0", "Latest", "latest")
    run.source.load(images_of_one)
    run.source.reset_log()
    assert states(folding.copy(only=frozenset(["team/app1"]))) == {"copied": 1}
    assert {path.partition("?")[0] for path in lists(run.source)} == {"/v2/team/app1/tags/list"}
    with pytest.raises(NameCollision):
        folding.copy(only=frozenset(["team/app0"]))


@pytest.mark.parametrize(
    ("mapping", "name"),
    [
        ({"prefix": "mirror/old"}, "mirror/old/library/team/app"),
        ({"strip_prefix": "library"}, "team/app"),
        ({"library": "strip", "prefix": "hub"}, "hub/team/app"),
        ({"flatten": 1}, "team/app"),
        ({"flatten": -1}, "app"),
        ({"flatten": -1, "library": "add"}, "library/app"),
        ({"regex": [{"pattern": "library/(.+)/(.+)", "replacement": "\\2/\\1"}]}, "app/team"),
        ({"join_deep": "-", "max_components": 2}, "library/team-app"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_are_mapped(run: Run, mapping: dict[str, t.Any], name: str) -> None:
    held = one_image("library/team/app", "1", "2")
    run.source.load(held)
    rule = {"mapping": mapping}
    assert states(run.copy(rule)) == {"copied": 2}
    assert tags(run.destination) == {(name, tag): digest for (_unused, tag), digest in held.tags().items()}
    check_nothing_left_to_do(run, {"unchanged": 2}, rule)


def test_a_repository_goes_where_each_rule_sends_it(run: Run) -> None:
    run.source.load(one_image("team/app", "1", "2"))
    rules = ({"mapping": {"prefix": "all"}}, {"tags": {"include": ["2"]}, "mapping": {"prefix": "new"}})
    outcome = run.copy(*rules)
    assert states(outcome) == {"copied": 3}
    assert set(tags(run.destination)) == {("all/team/app", "1"), ("all/team/app", "2"), ("new/team/app", "2")}
    # the blobs moved once all the same
    assert outcome.bytes == sum(map(len, (run.source.blob("team/app", digest) for digest in run.source.snapshot()["team/app"].blobs)))
    check_nothing_left_to_do(run, {"unchanged": 3}, *rules)


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"mapping": {"flatten": -1}}, NameCollision),
        ({"mapping": {"regex": [{"pattern": ".*", "replacement": "one"}]}}, NameCollision),
        ({"mapping": {"flatten": 2}}, InvalidName),
        ({"mapping": {"max_components": 1}}, InvalidName),
    ],
)
def test_names_that_cannot_be_are_found_before_a_write(run: Run, rule: dict[str, t.Any], error: type[MigrationError]) -> None:
    run.source.load(one_image("a/app", "1"))
    run.source.load(one_image("b/app", "1"))
    with pytest.raises(error):
        run.copy(rule)
    assert writes(run.destination) == 0
    assert run.destination.snapshot() == {}


def test_rules_that_agree_on_the_name_add_up(run: Run) -> None:
    run.source.load(one_image("team/app", "1.0", "1.1", "2.0", "odd"))
    rules = ({"tags": {"semver": ">=2"}}, {"tags": {"include": ["odd", "2.0"]}})
    assert states(run.copy(*rules)) == {"copied": 2}
    assert set(tags(run.destination)) == {("team/app", "2.0"), ("team/app", "odd")}


def test_a_worker_takes_its_share_only(run: Run) -> None:
    run.source.load(several(4))
    outcome = run.copy(only=frozenset({"team/app1", "team/app3", "team/gone"}))
    assert outcome.repositories == 2
    assert {name for name, _unused in tags(run.destination)} == {"team/app1", "team/app3"}


def test_from_one_repository_to_another_of_the_same_registry(source: CountingRegistry, tmp_path: Path) -> None:
    source.load(one_image("team/app", "1"))
    run = Run(source, source, tmp_path / "state")
    rule = {"repositories": {"include": ["team/app"]}, "mapping": {"prefix": "mirror"}}
    with pytest.raises(InvalidOption, match="copied onto itself"):
        run.copy({"repositories": {"include": ["team/app"]}})
    assert states(run.copy(rule)) == {"copied": 1}
    held = source.snapshot()
    assert held["mirror/team/app"] == held["team/app"]
    check_nothing_left_to_do(run, {"unchanged": 1}, rule)


# -- plans ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def planned(run: Run, tmp_path: Path) -> tuple[Run, Path]:
    """A plan was made: of three tags of the source, one is there, and one is different."""
    for name in ("team/same", "team/new", "team/old"):
        run.source.load(one_image(name))
    run.destination.load(one_image("team/same"))
    run.destination.load(one_image("team/old", size=5_000))
    run.destination.reset_log()
    path = tmp_path / "plan.jsonl"
    outcome = run.plan(plan_file=path)
    assert states(outcome) == {"copied": 2, "unchanged": 1}
    assert outcome.changed
    assert outcome.plan_file == str(path)
    assert writes(run.destination) == 0
    return run, path


def test_a_plan_is_rows_in_a_file(planned: tuple[Run, Path]) -> None:
    run, path = planned
    header, *rows, end = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert (header["source"], header["destination"]) == (run.source.host, run.destination.host)
    assert end == {"rows": len(rows)}
    found = {row["repository"]: row for row in rows}
    assert {name: row["action"] for name, row in found.items()} == {"team/same": "unchanged", "team/new": "copy", "team/old": "update"}
    here, there = run.source.snapshot(), run.destination.snapshot()
    assert {name: row["digest"] for name, row in found.items()} == {name: held.tags["1"] for name, held in here.items()}
    assert found["team/old"]["existing"] == there["team/old"].tags["1"]


def test_a_plan_says_how_much_would_move(planned: tuple[Run, Path]) -> None:
    run, _unused = planned
    outcome = run.plan()
    here, there = run.source.snapshot(), run.destination.snapshot()
    blobs = {digest: run.source.blob(name, digest) for name in ("team/new", "team/old") for digest in here[name].blobs}
    missing = [digest for digest in blobs if digest not in there["team/old"].blobs]
    assert outcome.blobs == {"missing": len(missing), "known": 0, "present": len(blobs) - len(missing)}
    assert outcome.bytes == sum(len(blobs[digest]) for digest in missing)
    new, old = (here[name].tags["1"][:19] for name in ("team/new", "team/old"))
    assert outcome.text.lines() == [
        "team/new: 1 added",
        f"  + 1: {new}",
        "team/old: 1 changed",
        f"  ~ 1: {there['team/old'].tags['1'][:19]} -> {old}",
        "1 repository with nothing to do: 1 unchanged",
    ]
    assert outcome.totals[0] == f"to move: at most {outcome.bytes / 1024:.1f} KiB in {len(missing)} blobs, each of them once"


def test_what_is_there_already_is_no_part_of_what_would_move(run: Run) -> None:
    shared = images.layer("shared", 7_000)
    run.source.load(one_image("team/a", shared=[shared]))
    run.copy()
    # one image in a new repository, another one in the repository that has the layer
    run.source.load(one_image("team/b", shared=[shared]))
    run.source.load(one_image("team/a", "2", size=3_000, shared=[shared]))
    held = run.destination.snapshot()["team/a"].blobs
    needed = {(name, digest) for name, repository in run.source.snapshot().items() for digest in repository.blobs}
    missing = {digest: len(run.source.blob(name, digest)) for name, digest in needed if digest not in held}
    run.destination.reset_log()
    outcome = run.plan()
    # whether the ledger is asked for the layer or the repository that has it depends on which image is looked at first
    assert outcome.blobs["missing"] == len(missing)
    assert outcome.blobs["known"] + outcome.blobs["present"] == 1
    assert outcome.bytes == sum(missing.values())

    # without its ledger, a run can only ask the repositories that it would write to
    (run.state / "ledger.sqlite3").unlink()
    outcome = run.plan()
    assert outcome.blobs == {"missing": len(missing), "known": 0, "present": 1}
    assert outcome.bytes == sum(missing.values())
    assert writes(run.destination) == 0


def test_a_plan_can_be_made_while_a_run_is_at_work(run: Run) -> None:
    run.source.load(several(2))
    run.copy({"repositories": {"include": ["team/app0"]}})
    with contextlib.closing(Ledger(str(run.state))) as ledger:
        ledger.start(run.source.host, run.destination.host)
        outcome = run.plan()
        assert states(outcome) == {"copied": 1, "unchanged": 1}
        assert outcome.warnings == []
    assert sorted(path.name for path in run.state.iterdir()) == ["ledger.sqlite3", "lock", "plan.jsonl"]
    # a ledger that is none is left alone, and said
    (run.state / "ledger.sqlite3").write_bytes(b"no ledger" * 1000)
    outcome = run.plan()
    assert states(outcome) == {"copied": 1, "unchanged": 1}
    assert [warning.partition(".")[0] for warning in outcome.warnings] == ["The ledger of earlier runs is not looked at"]
    assert (run.state / "ledger.sqlite3").read_bytes() == b"no ledger" * 1000


def test_a_verification_that_is_not_to_be_recorded_writes_nothing(run: Run) -> None:
    run.source.load(several(1))
    run.copy()
    path = run.state / "ledger.sqlite3"
    before = path.read_bytes()
    assert run.verify(record=False).equal == 1
    assert path.read_bytes() == before
    with contextlib.closing(Ledger(str(run.state))):
        # not even a run that is at work is in its way
        assert run.verify(record=False).equal == 1
    assert run.verify().equal == 1
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT COUNT(*) FROM verifications").fetchone() == (1,)


def test_a_verification_tells_a_missing_repository_from_a_missing_tag(run: Run) -> None:
    run.source.load(one_image("team/a", "1", "2"))
    run.source.load(one_image("team/b"))
    run.destination.load(one_image("team/a", "1"))
    found = run.verify()
    assert {(one["repository"], one["tag"]): one["message"] for one in found.differences} == {
        ("team/a", "2"): "the destination does not have this tag.",
        ("team/b", "1"): "the destination does not have this repository.",
    }


def test_repositories_are_counted_in_the_same_way_everywhere(run: Run, tmp_path: Path) -> None:
    run.source.load(several(3))
    run.source.load(one_image("team/other", "old"))
    rule = {"repositories": {"include": ["team/**", "no/such"]}, "tags": {"include": ["1"]}}
    two = {**rule, "mapping": {"prefix": "copy"}}
    # one has no such tag, one does not exist; that all go to two places makes no more of them
    counted = [run.plan(rule, two, plan_file=tmp_path / "plan").repositories, run.copy(rule, two).repositories]
    counted.append(run.verify(rule, two).repositories)
    counted.append(write_report({"worker": str(run.state / "ledger.sqlite3")}, str(tmp_path / "report")).repositories)
    assert counted == [5, 5, 5, 5]
    rule = {"repositories": {"include": ["team/*"]}, "tags": {"include": ["1*"]}}
    counted = [run.plan(rule).repositories, run.copy(rule).repositories, run.verify(rule).repositories]
    counted.append(write_report({"worker": str(run.state / "ledger.sqlite3")}, str(tmp_path / "report")).repositories)
    assert counted == [3, 3, 3, 3]


def test_what_a_plan_cannot_know_is_said(run: Run) -> None:
    run.source.load(one_image("team/app"))
    run.source.load(one_image("team/gone"))
    run.source.behaviour.referrers = True
    run.source.behaviour.rules.append(Rule("GET", "/team/gone/manifests/1$", times=None, status=404))
    run.destination.load(one_image("team/app", "0"))
    run.destination.behaviour.rules.append(Rule("HEAD", own_layer("team/app"), times=None, status=403))
    outcome = run.plan()
    assert states(outcome) == {"copied": 2}
    assert outcome.totals[-3:] == [
        "not known: 1 manifest could not be read, and nothing of it is counted",
        "not known: whether the destination has 1 blob: it could not be asked, and it counts as missing",
        "not known: signatures and other referrers of what is added or changed: they are listed when it is copied",
    ]


def test_a_plan_is_carried_out_as_it_is(planned: tuple[Run, Path]) -> None:
    run, path = planned
    # what came since is not in the plan
    run.source.load(one_image("team/later"))
    run.source.reset_log()
    outcome = run.copy(plan_file=path)
    assert states(outcome) == {"copied": 2, "unchanged": 1}
    assert outcome.repositories == 3
    assert set(tags(run.destination)) == {("team/same", "1"), ("team/new", "1"), ("team/old", "1")}
    assert run.source.count(kind="catalog") == run.source.count(kind="tags") == 0
    before = run.destination.snapshot()
    run.destination.reset_log()
    outcome = run.copy(plan_file=path)
    assert states(outcome) == {"unchanged": 3}
    assert writes(run.destination) == 0
    assert run.destination.snapshot() == before


def test_a_plan_whose_source_has_moved(planned: tuple[Run, Path]) -> None:
    run, path = planned
    run.source.load(one_image("team/new", size=6_000))
    outcome = run.copy(plan_file=path)
    assert states(outcome) == {"copied": 1, "unchanged": 1, "failed": 1}
    (failure,) = outcome.failures
    assert (failure["repository"], failure["kind"]) == ("team/new", "source_moved")
    assert run.source.snapshot()["team/new"].tags["1"] in failure["message"]
    assert "team/new" not in run.destination.snapshot()


def test_a_plan_whose_destination_has_changed(planned: tuple[Run, Path]) -> None:
    run, path = planned
    run.destination.load(one_image("team/new", size=7_000))
    run.destination.load(one_image("team/old", size=7_000))
    before = run.destination.snapshot()
    outcome = run.copy(plan_file=path)
    assert states(outcome) == {"unchanged": 1, "failed": 2}
    assert {(failure["repository"], failure["kind"]) for failure in outcome.failures} == {
        ("team/new", "tag_conflict"),
        ("team/old", "tag_conflict"),
    }
    assert run.destination.snapshot() == before


def test_a_plan_with_parts_of_indexes(multi: Run, tmp_path: Path) -> None:
    policy: dict[str, t.Any] = {"platforms": ["linux/amd64"], "index": "subset"}
    path = tmp_path / "plan.jsonl"
    assert states(multi.plan(plan_file=path, **policy)) == {"copied": 4}
    assert states(multi.copy(plan_file=path, **policy)) == {"copied": 4}
    assert platforms_of(multi.destination, "tools/cli", "1") == ["amd64"]
    assert states(multi.copy(plan_file=path, **policy)) == {"unchanged": 4}
    check_nothing_left_to_do(multi, {"unchanged": 4}, **policy)


def test_check_mode_writes_nothing_anywhere(run: Run, tmp_path: Path) -> None:
    run.source.load(several(2))
    outcome = run.plan()
    assert states(outcome) == {"copied": 2}
    assert writes(run.destination) == 0
    assert not run.state.exists()
    # nor does it where the destination is a folder that is yet to be made
    folder = tmp_path / "layout"
    outcome = dataclasses.replace(run, destination=folder).plan()
    assert states(outcome) == {"copied": 2}
    assert not folder.exists()


def test_rows_are_read_as_they_are_needed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan is never held whole: no more of its rows are read ahead than may be under way."""
    held = one_image("team/app", *(f"v{number}" for number in range(200)))
    run.source.load(held)
    monkeypatch.setattr(engine_module, "OPEN_TAGS", 20)
    lock = threading.Lock()
    ahead = most = 0

    def rows() -> t.Iterator[PlanRow]:
        nonlocal ahead, most
        for number in range(200):
            with lock:
                ahead += 1
                most = max(most, ahead)
            yield make_row(("team/app", f"v{number}"), ("team/app", f"v{number}"), "copy", fresh=True)

    class Counting:
        def finished(self, row: TagRow) -> None:
            nonlocal ahead
            with lock:
                ahead -= 1

    carry_out(run, rows(), Policy(workers=4), Counting())
    assert ahead == 0
    assert 1 < most <= 20 + 1
    assert tags(run.destination) == held.tags()


# -- other stores, the ledger, size --------------------------------------------------------------------------------------------


def test_through_a_folder_to_another_registry(registries: RegistryFactory, tmp_path: Path, skopeo: None) -> None:
    """An air gap: from a registry into a folder, from the folder into another registry, to the letter."""
    source, destination = registries.start("source"), registries.start("destination")
    held = images.demo_set()
    push(source.url, held)
    folder = tmp_path / "transfer" / "images"
    out, into = Run(source, folder, tmp_path / "state out"), Run(folder, destination, tmp_path / "state in")
    outcome = out.copy()
    assert states(outcome) == {"copied": len(held.tags())}
    assert outcome.bytes == held.blob_bytes()
    assert states(out.copy()) == {"unchanged": len(held.tags())}
    assert out.verify(mode="deep").different == 0
    outcome = into.copy()
    assert states(outcome) == {"copied": len(held.tags())}
    assert outcome.bytes == held.blob_bytes()
    assert compare.assert_same(source, destination) == len(held.tags())
    assert states(into.copy()) == {"unchanged": len(held.tags())}
    assert into.verify(mode="deep").different == 0
    assert compare.tags_of(destination) == held.tags()


def test_the_ledger_knows_what_became_of_each_tag(run: Run) -> None:
    run.source.load(several(3))
    run.source.load(one_image("team/shared", "1", "2"))
    run.source.behaviour.missing.add(own_layer("team/app1"))
    outcome = run.copy()
    assert states(outcome) == {"copied": 4, "failed": 1}
    first = {(row["repository"], row["tag"]): row for row in ledger_rows(outcome.ledger)}
    assert first["team/app1", "1"]["state"] == "failed"
    assert first["team/app1", "1"]["kind"] == "blob_unknown"
    sizes = {}
    for name in ("team/app0", "team/app2", "team/shared"):
        row = first[name, "1"]
        held = run.source.snapshot()[name]
        manifest = run.source.manifest(name, "1")
        sizes[name] = len(manifest.data) + sum(len(run.source.blob(name, digest)) for digest in held.blobs)
        assert (row["state"], row["digest"], row["source_digest"]) == ("copied", manifest.digest, manifest.digest)
        assert row["size"] == sizes[name]
        assert row["media_type"] == manifest.media_type

    outcome = run.copy()
    second = {(row["repository"], row["tag"]): row for row in ledger_rows(outcome.ledger)}
    for name, size in sizes.items():
        # an image that was only looked at has not lost its size
        assert (second[name, "1"]["state"], second[name, "1"]["size"]) == ("unchanged", size)


def ledger_rows(path: str) -> list[sqlite3.Row]:
    database = sqlite3.connect(path)
    try:
        database.row_factory = sqlite3.Row
        return database.execute("SELECT * FROM tags").fetchall()
    finally:
        database.close()


def test_two_thousand_small_tags(run: Run) -> None:
    held = images.ImageSet()
    base = images.layer("base", 2_000)
    for number in range(20):
        repository = held.repository(f"many/app{number}")
        for version in range(10):
            images.add_image(repository, f"{number} {version}", [base], [f"{version}.{patch}" for patch in range(10)])
    assert len(held.tags()) == 2_000
    run.source.load(held)
    run.destination.behaviour.single_post = run.destination.behaviour.multi_tag = True
    outcome = run.copy()
    assert states(outcome) == {"copied": 2_000}
    assert outcome.bytes == held.blob_bytes()
    assert tags(run.destination) == held.tags()
    assert states(run.copy()) == {"unchanged": 2_000}

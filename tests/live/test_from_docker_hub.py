# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From Docker Hub: pulls that count and run out, official images, accounts with a second factor."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.client import Client
from estate.compare import tags_of
from estate.docker_hub import DockerHubDouble
from estate.images import ImageSet
from estate.product import Answer, Asked
from estate.push import push
from estate.team_set import paged_set
from runs.modules import Options, endpoint, run_module, start_module
from runs.providers import Product, assert_copied, assert_nothing_to_do, digests_of
from runs.unequal import Unequal

from ansible_collections.registryops.migration.plugins.module_utils._oci.pulls import window_in_words

if t.TYPE_CHECKING:
    from estate.registry import Registry, RegistryFactory

SECRET = "dckr_pat_of-the-mover"
#: manifests of the team's images: what several tags share counts once, an index counts with its platforms
MANIFESTS = 10


class _Shared(DockerHubDouble):
    """Others pull with the same account, as much as there is, unseen until the next answer."""

    others_begin_after = -1

    def after(self, asked: Asked, answer: Answer) -> Answer:
        """What is told is true when it is told."""
        found = super().after(asked, answer)
        if len(self.pulled) == self.others_begin_after:
            self.others_begin_after = -1
            self.pulled += [("mover", time.time(), "others")] * (self.pull_limit or 0)
        return found


@pytest.fixture
def hub(registries: RegistryFactory) -> t.Iterator[Product]:
    """Docker Hub with the images of the team."""
    with _Shared(registries.start("behind", delete=True), {"mover": SECRET}, ["mover", "team", "library"]) as double:
        push(double.behind.url, paged_set())
        yield Product(double, "mover", SECRET, {"provider": "docker_hub", "api_url": double.url, "namespaces": ["team"]})


def double_of(product: Product) -> _Shared:
    assert isinstance(product.double, _Shared)
    return product.double


@pytest.fixture
def plain(registries: RegistryFactory) -> Registry:
    """Where the images go."""
    return registries.start("plain")


def plan(product: Product, other: Registry, folder: Path, **more: t.Any) -> Options:
    """The plan of a copy, with its lines for people."""
    options = {"source": product.endpoint(**more), "destination": endpoint(other), "state_dir": str(folder / "state")}
    return product.run("registry_image_copy", options, check=True, diff=True).result


def pulled(double: DockerHubDouble) -> list[str]:
    """Manifests that were given to us, in the order of their digests or tags."""
    return sorted(path for who, _moment, path in double.pulled if path != "others" and who == "mover")


def test_a_plan_counts_pulls_and_takes_none(hub: Product, plain: Registry, tmp_path: Path) -> None:
    double = double_of(hub)
    double.pull_limit = 100
    result = plan(hub, plain, tmp_path)
    assert result["counts"]["copied"] == len(paged_set().tags())
    assert result["pulls"] == {"limit": 100, "window": 21600, "remaining": 100, "used": 0, "needed": MANIFESTS, "at_least": False}
    assert double.pulled == []
    assert double.count("GET", "/manifests/") == 0
    assert "pulls: 10 needed, 100 of 100 in 6 hours are left\n" in result["diff"]["prepared"]
    assert "not known: how many bytes 10 images would move" in result["diff"]["prepared"]
    run = hub.copy(plain, tmp_path, to=False)
    assert_copied(run, plain, paged_set().tags())
    assert run.result["pulls"] == {"limit": 100, "window": 21600, "remaining": 100 - MANIFESTS, "used": MANIFESTS}
    assert len(double.pulled) == MANIFESTS
    # what is there is not read again
    double.pulled.clear()
    assert plan(hub, plain, tmp_path)["pulls"]["needed"] == 0
    again = hub.copy(plain, tmp_path, to=False)
    assert_nothing_to_do(again, len(paged_set().tags()))
    assert double.pulled == []


@pytest.mark.parametrize(("on_quota", "word"), [("wait", "waits for more"), ("stop", "stops")])
def test_a_plan_says_what_happens_when_pulls_run_out(hub: Product, plain: Registry, tmp_path: Path, on_quota: str, word: str) -> None:
    double_of(hub).pull_limit = 4
    result = plan(hub, plain, tmp_path, on_quota=on_quota)
    assert (result["pulls"]["needed"], result["pulls"]["remaining"]) == (MANIFESTS, 4)
    assert f"pulls: when they are used up, the copy {word} (on_quota: {on_quota})\n" in result["diff"]["prepared"]


def test_a_plan_whose_lists_are_closed_says_the_least(hub: Product, plain: Registry, tmp_path: Path) -> None:
    double = double_of(hub)
    double.pull_limit, double.closed = 100, True
    options = {
        "source": hub.endpoint(),
        "destination": endpoint(plain),
        "state_dir": str(tmp_path / "state"),
        "rules": [{"repositories": {"include": sorted(paged_set().repositories)}}],
    }
    result = hub.run("registry_image_copy", options, check=True, diff=True).result
    # the platforms of the index are not known
    assert (result["pulls"]["needed"], result["pulls"]["at_least"]) == (MANIFESTS - 2, True)
    assert f"pulls: at least {MANIFESTS - 2} needed, 100 of 100" in result["diff"]["prepared"]
    assert double.pulled == []


def test_without_a_limit_nothing_is_counted(hub: Product, plain: Registry, tmp_path: Path) -> None:
    result = plan(hub, plain, tmp_path)
    assert result["pulls"]["limit"] is None
    assert "needed" not in result["pulls"]
    assert "pulls:" not in result["diff"]["prepared"]
    assert result["bytes_copied"] > 20_000
    run = hub.copy(plain, tmp_path, to=False)
    assert_copied(run, plain, paged_set().tags())


def test_stop_asks_for_no_manifest_beyond_the_limit(hub: Product, plain: Registry, tmp_path: Path) -> None:
    double = double_of(hub)
    double.pull_limit = 6
    run = hub.copy(plain, tmp_path, to=False, on_quota="stop")
    assert run.result["failed"]
    counts = run.result["counts"]
    assert counts["failed"] == 0
    assert counts["not_attempted"] >= 2
    assert counts["copied"] + counts["not_attempted"] == len(paged_set().tags())
    assert len(double.pulled) == 6
    assert double.refused_pulls == 0
    assert [row["kind"] for row in run.result["failures"]] == ["pulls_used_up"]
    assert "all 6 pulls of 6 hours are used up" in run.result["msg"]
    assert run.result["pulls"]["remaining"] == 0
    assert len(tags_of(plain)) == counts["copied"]
    # nothing has been pulled in vain
    double.pull_limit = 100
    assert plan(hub, plain, tmp_path)["pulls"]["needed"] == MANIFESTS - 6
    rest = hub.copy(plain, tmp_path, to=False, on_quota="stop")
    assert not rest.result.get("failed"), rest.result
    assert tags_of(plain) == paged_set().tags()
    assert len(double.pulled) == MANIFESTS


def test_what_cannot_be_planned_for_want_of_pulls_is_no_failure_in_the_report_either(hub: Product, plain: Registry, tmp_path: Path) -> None:
    """Whether a tag of the destination is what a conversion would make, nobody knows without its manifest."""
    double = double_of(hub)
    options = {"source": hub.endpoint(on_quota="stop"), "destination": endpoint(plain), "convert": {"oci": "docker"}}
    first = hub.run("registry_image_copy", {**options, "state_dir": str(tmp_path / "first")}).result
    assert first["counts"]["copied"] == len(paged_set().tags())
    double.pull_limit = 4
    result = hub.run("registry_image_copy", {**options, "state_dir": str(tmp_path / "state")}).result
    counts = result["counts"]
    assert counts["failed"] == 0
    assert counts["unchanged"] + counts["not_attempted"] == len(paged_set().tags())
    assert counts["not_attempted"] >= 2
    report = run_module("registry_report", {"ledgers": {"mover": result["ledger"]}, "output_dir": str(tmp_path / "report")}).result
    told = json.loads(Path(report["json_file"]).read_text(encoding="utf-8"))["counts"]
    assert {state: told.get(state, 0) for state in ("failed", "not_attempted")} == {
        state: counts[state] for state in ("failed", "not_attempted")
    }


def test_an_image_of_more_platforms_than_pulls_arrives_in_several_runs(hub: Product, registries: RegistryFactory, tmp_path: Path) -> None:
    double = double_of(hub)
    many = ImageSet()
    platforms = [{"architecture": f"made-up-{number}", "os": "linux"} for number in range(5)]
    images.add_multi_platform(many.repository("library/many"), "many", platforms, [images.layer("many", 2_000)], 1_000, ["1"])
    push(double.behind.url, many)
    plain = registries.start("many")
    double.pull_limit = 2
    rules: list[Options] = [{"repositories": {"include": ["many"]}}]
    seen: list[str] = []
    for number in range(3):
        run = hub.copy(plain, tmp_path, to=False, rules=rules, on_quota="stop")
        assert run.result["counts"]["not_attempted"] == int(number < 2), run.result
        seen += pulled(double)
        double.pulled.clear()
    assert not run.result.get("failed")
    assert tags_of(plain) == many.tags()
    # the index and its five platforms, each once
    assert len(seen) == len(set(seen)) == 6


def test_what_was_read_earlier_and_is_gone_is_missed(hub: Product, plain: Registry, registries: RegistryFactory, tmp_path: Path) -> None:
    """That a manifest is kept does not make up for one that the registry has lost."""
    double = double_of(hub)
    double.pull_limit = 100
    assert_copied(hub.copy(plain, tmp_path, to=False), plain, paged_set().tags())
    child = sorted(paged_set().repositories["team/tool"].children())[0]
    with Client(double.behind.access) as client:
        client.request("DELETE", f"/v2/team/tool/manifests/{child}", expect=(202,))
    run = hub.copy(registries.start("another"), tmp_path, to=False)
    assert run.result["counts"]["failed"] == 2
    assert {(row["repository"], row["kind"]) for row in run.result["failures"]} == {("team/tool", "manifest_unknown")}
    # the others came from what was kept
    assert len(double.pulled) == MANIFESTS
    assert run.result["pulls"]["used"] == 0


def test_wait_goes_on_when_there_are_pulls_again(hub: Product, plain: Registry, tmp_path: Path) -> None:
    double = double_of(hub)
    double.pull_limit, double.pull_window = 6, 3
    run = hub.copy(plain, tmp_path, to=False)
    assert_copied(run, plain, paged_set().tags())
    assert double.refused_pulls == 0
    assert len(double.pulled) == MANIFESTS
    moments = sorted(moment for _who, moment, _path in double.pulled)
    assert moments[6] - moments[0] >= double.pull_window
    assert run.result["pulls"]["used"] == MANIFESTS


def test_who_waits_says_so_and_can_be_stopped(hub: Product, plain: Registry, tmp_path: Path) -> None:
    double = double_of(hub)
    double.pull_limit = 6
    state = tmp_path / "state"
    started = start_module("registry_image_copy", {"source": hub.endpoint(), "destination": endpoint(plain), "state_dir": str(state)})
    journal = state / "progress.jsonl"
    deadline = time.monotonic() + 60
    while not journal.exists() or '"waiting_for_pulls":true' not in journal.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (state / "stop").touch()
    run = started.wait()
    assert run is not None
    assert "asked to stop" in run.result["msg"]
    assert run.result["counts"]["failed"] == 0
    assert run.result["counts"]["copied"] + run.result["counts"]["not_attempted"] == len(paged_set().tags())
    assert len(tags_of(plain)) == run.result["counts"]["copied"]
    assert (len(double.pulled), double.refused_pulls) == (6, 0)


def test_others_take_the_last_pulls(hub: Product, plain: Registry, tmp_path: Path) -> None:
    double = double_of(hub)
    double.pull_limit, double.others_begin_after = 100, 3
    run = hub.copy(plain, tmp_path, to=False, on_quota="stop", concurrency=1)
    assert run.result["failed"]
    assert [row["kind"] for row in run.result["failures"]] == ["pulls_used_up"]
    assert len(pulled(double)) == 3
    # it was told until when it has to wait
    double.pull_window = 1
    double.others_begin_after = 105
    run = hub.copy(plain, tmp_path, to=False, concurrency=1)
    assert not run.result.get("failed"), run.result
    assert tags_of(plain) == paged_set().tags()
    assert len(pulled(double)) == MANIFESTS


def test_one_source_for_two_destinations_is_pulled_once(hub: Product, registries: RegistryFactory, tmp_path: Path) -> None:
    double = double_of(hub)
    double.pull_limit = 100
    first, second = registries.start("first"), registries.start("second")
    options = {
        "source": hub.endpoint(),
        "destination": endpoint(first),
        "further_destinations": [endpoint(second)],
        "state_dir": str(tmp_path / "state"),
    }
    planned = hub.run("registry_image_copy", options, check=True).result
    assert (planned["pulls"]["needed"], planned["pulls"]["at_least"]) == (MANIFESTS, True)
    result = hub.run("registry_image_copy", options).result
    assert not result.get("failed"), result
    assert tags_of(first) == tags_of(second) == paged_set().tags()
    assert len(double.pulled) == result["pulls"]["used"] == MANIFESTS


def test_a_destination_that_has_everything_takes_nothing_from_the_other_one(
    hub: Product, registries: RegistryFactory, tmp_path: Path
) -> None:
    """Its run ends, and its ledger is closed, while the other one has everything still to read."""
    double = double_of(hub)
    double.pull_limit = 100
    first, second = registries.start("first"), registries.start("second")
    assert_copied(hub.copy(first, tmp_path / "before", to=False), first, paged_set().tags())
    before = len(double.pulled)
    with Unequal(first, second, tmp_path / "state") as ends:
        options = {
            "source": hub.endpoint(),
            "destination": endpoint(ends.first),
            "further_destinations": [endpoint(ends.second)],
            "state_dir": str(tmp_path / "state"),
        }
        result = hub.run("registry_image_copy", options).result
    assert ends.in_turn
    assert (result["failures"], result["counts"]["copied"], result["counts"]["unchanged"]) == ([], *[len(paged_set().tags())] * 2)
    assert tags_of(first) == tags_of(second) == paged_set().tags()
    assert len(double.pulled) - before == MANIFESTS


def test_a_name_of_one_component_is_an_official_image(hub: Product, plain: Registry, tmp_path: Path) -> None:
    double = double_of(hub)
    official = ImageSet()
    for name in ("alpine", "busybox", "python"):
        images.add_image(official.repository(f"library/{name}"), name, [images.layer(name, 2_000)], ["1"])
    push(double.behind.url, official)
    anonymous: Options = {"username": None, "password": None, "namespaces": None}
    found = hub.list(repositories={"include": ["alpine", "team/web"]}, **anonymous)
    assert {name for name, _tag in digests_of(found)} == {"library/alpine", "team/web"}
    assert double.sign_ins == 0
    stripped = hub.copy(plain, tmp_path, to=False, rules=[{"repositories": {"include": ["alpine"]}, "mapping": {"library": "strip"}}])
    assert stripped.result["counts"]["copied"] == 1
    assert {name for name, _tag in tags_of(plain)} == {"alpine"}
    rules = [{"repositories": {"include": ["library/*"], "exclude": ["alpine"]}, "mapping": {"prefix": "hub"}}]
    kept = hub.copy(plain, tmp_path, to=False, rules=rules, namespaces=["library"])
    assert kept.result["counts"]["copied"] == 2
    assert {name for name, _tag in tags_of(plain)} == {"alpine", "hub/library/busybox", "hub/library/python"}


def test_a_password_with_a_second_factor_is_told_the_way_out(hub: Product) -> None:
    double = double_of(hub)
    double.users["mover"] = "a plain password"
    double.two_factor.add("mover")
    run = hub.list(password="a plain password")
    assert run.error["kind"] == "authentication_failed"
    assert "personal access token" in run.error["hint"]
    # each attempt counts towards the account's lock
    assert double.sign_ins == 1
    double.users["mover"] = SECRET
    assert digests_of(hub.list()) == paged_set().tags()


def test_the_api_is_left_alone_until_the_moment_that_it_names(hub: Product) -> None:
    double = double_of(hub)
    double.refusals = 1
    assert digests_of(hub.list()) == paged_set().tags()
    assert double.statuses.count(429) == 1


def test_a_listing_that_reads_manifests_stops_as_well(hub: Product) -> None:
    double = double_of(hub)
    double.pull_limit = 3
    run = run_module("registry_repo_info", {"source": hub.endpoint(on_quota="stop"), "details": "platforms"})
    assert {row["kind"] for row in run.result["failures"]} == {"pulls_used_up"}
    assert len(double.pulled) == 3
    assert double.refused_pulls == 0


@pytest.mark.parametrize(
    ("seconds", "words"), [(21600, "6 hours"), (3600, "1 hour"), (5400, "90 minutes"), (60, "1 minute"), (45, "45 seconds")]
)
def test_windows_in_words(seconds: float, words: str) -> None:
    assert window_in_words(seconds) == words

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One source to several destinations: everything is read once, and what happens to one destination does not happen to the others."""

from __future__ import annotations

import collections
import contextlib
import json
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour, Rule
from estate.compare import assert_complete, assert_same, tags_of
from estate.ports import free_port
from runs.engine import open_store
from runs.modules import PLUGINS, ModuleRun, Options, endpoint, environment, run_module

from ansible_collections.registryops.migration.plugins.module_utils._copying.fan_out import fan_out
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Policy, Rule as Select
from ansible_collections.registryops.migration.plugins.module_utils._copying.run import Job, carry_out

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.counting import CountingRegistry
    from estate.registry import Registry, RegistryFactory

PATIENCE = 60.0
COPY = "registry_image_copy"


@pytest.fixture
def source(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    """A registry with images of several repositories; their two shared layers, of 2 MB, are larger than what is held in memory."""
    registry = counting_registry(Behaviour(referrers=False))
    registry.load(images.lab_set())
    return registry


@pytest.fixture
def make(counting_registry: MakeCountingRegistry) -> t.Callable[..., CountingRegistry]:
    """Makes destinations; `latency` in seconds."""
    return lambda latency=0.0: counting_registry(Behaviour(referrers=False, latency=latency))


def options_of(source: t.Any, destinations: t.Sequence[t.Any], folder: Path, **more: t.Any) -> Options:
    first, *further = [one if isinstance(one, dict) else endpoint(one) for one in destinations]
    return {
        "source": endpoint(source),
        "destination": first,
        "further_destinations": further,
        "state_dir": str(folder / "state"),
        **more,
    }


def copy(source: t.Any, destinations: t.Sequence[t.Any], folder: Path, **more: t.Any) -> Options:
    return run_module(COPY, options_of(source, destinations, folder, **more)).result


def reads(source: CountingRegistry) -> dict[str, int]:
    """How often each manifest (of a repository) and each blob (of any) was read."""
    found: collections.Counter[str] = collections.Counter()
    for one in source.log:
        if one.method == "GET" and one.kind in ("manifest", "blob"):
            found[one.path if one.kind == "manifest" else one.path.rpartition("/")[2]] += 1
    return found


def assert_read_once(source: CountingRegistry) -> None:
    found = reads(source)
    paths = [path.split("/manifests/") for path in found if path.startswith("/v2/")]
    read = {(path[0].removeprefix("/v2/"), source.manifest(path[0].removeprefix("/v2/"), path[1]).digest) for path in paths}
    assert read == images.lab_set().manifest_pairs()
    # those that have two tags may be read under both, if nobody knows of it
    assert len(paths) <= len(images.lab_set().tags()) + len(images.lab_set().child_pairs())
    assert {name for name in found if not name.startswith("/")} == set(images.lab_set().unique_blobs())
    assert set(found.values()) == {1}


def refused() -> Options:
    """A destination at a port where nobody listens."""
    return {"url": f"http://127.0.0.1:{free_port()}", "attempts": 1, "certs_dirs": []}


def by_name(result: Options) -> dict[str, Options]:
    return {one["name"]: one for one in result["destinations"]}


def blocks_on_disk(process: subprocess.Popen[bytes]) -> int:
    """Bytes of the nameless files that a process holds open: the spool."""
    found = 0
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if "(deleted)" in str(link.readlink()) and "/state/" in str(link.readlink()):
                found += link.stat().st_blocks * 512
    return found


@contextlib.contextmanager
def running(options: Options, folder: Path) -> t.Iterator[subprocess.Popen[bytes]]:
    """The module in a process of its own; it is killed in the end if it still runs."""
    arguments = folder / "arguments.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}), encoding="utf-8")
    command = [sys.executable, "-m", f"{PLUGINS}.modules.{COPY}", str(arguments)]
    with subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition: t.Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None
        time.sleep(0.005)


# -- reading once --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3])
def test_everything_is_read_once(source: CountingRegistry, registries: RegistryFactory, tmp_path: Path, count: int) -> None:
    """Into real registries."""
    destinations = [registries.start(f"new{number}") for number in range(count)]
    result = copy(source, destinations, tmp_path)
    assert not result.get("failed")
    assert_read_once(source)
    wanted = tags_of(source)
    for one in destinations:
        assert tags_of(one) == wanted
        assert_complete(one)
        assert_same(source, one)
    tags, size = len(images.lab_set().tags()), images.lab_set().blob_bytes()
    assert result["changed"]
    assert result["counts"]["copied"] == count * tags
    assert result["bytes_copied"] == count * size
    assert result["repositories"] == 5
    assert result["read_again"] == 0
    assert [one["name"] for one in result["destinations"]] == [one.host for one in destinations]
    for one in result["destinations"]:
        assert (one["counts"]["copied"], one["bytes_copied"], one["failures"], one["repositories"]) == (tags, size, [], 5)
    assert result["requests"]["destination"] == sum(one["requests"] for one in result["destinations"])

    again = copy(source, destinations, tmp_path)
    assert not again["changed"]
    assert again["counts"]["unchanged"] == count * tags


def test_questions_are_asked_once(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    one, two, three = make(), make(), make()
    alone = copy(source, [one], tmp_path / "alone")
    assert "destinations" not in alone
    counts = source.counts()
    source.reset_log()
    together = copy(source, [two, three], tmp_path / "together")
    assert source.counts() == counts
    assert together["requests"]["source"] == alone["requests"]["source"] == source.count()
    # what is there already costs one HEAD for each tag, too
    source.reset_log()
    copy(source, [one], tmp_path / "alone")
    counts = source.counts()
    source.reset_log()
    copy(source, [two, three], tmp_path / "together")
    assert source.counts() == counts


def test_signatures_go_everywhere(counting_registry: MakeCountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    source = counting_registry()
    source.load(images.demo_set())
    destinations = [make(), counting_registry(), make()]
    result = copy(source, destinations, tmp_path)
    assert not result.get("failed")
    assert {name: count for name, count in reads(source).items() if count > 1} == {}
    for one in destinations:
        assert set(tags_of(one).items()) >= set(tags_of(source).items())
        assert_complete(one)


@pytest.mark.parametrize("room", [1 << 30, 3 << 20, 0])
def test_one_place_at_each_registry(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path, room: int) -> None:
    """Whoever waits for bytes holds a place at its destination: that must never keep the bytes from coming."""
    narrow = {"concurrency": 1}
    destinations = [make(), make(), make(latency=0.002)]
    options = options_of(source, [endpoint(one, **narrow) for one in destinations], tmp_path, workers=6, spool_bytes=room)
    result = run_module(COPY, {**options, "source": endpoint(source, **narrow)}).result
    assert not result.get("failed")
    for one in destinations:
        assert one.snapshot() == source.snapshot()


def test_blobs_of_unknown_size(counting_registry: MakeCountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    source = counting_registry(Behaviour(referrers=False))
    held = images.ImageSet()
    images.add_schema1(held.repository("old/app"), "old/app", "1", [images.layer("of schema 1", 1_500_000)])
    source.load(held)
    destinations = [make(), make()]
    result = copy(source, destinations, tmp_path)
    assert result["counts"]["copied"] == 2
    assert set(reads(source).values()) == {1}
    for one in destinations:
        assert one.snapshot() == source.snapshot()


def test_folders_are_destinations_too(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    folder, registry = tmp_path / "images", make()
    result = copy(source, [registry, folder], tmp_path)
    assert not result.get("failed")
    assert_read_once(source)
    # and from the folder on to others
    others = [make(), make()]
    result = copy(folder, others, tmp_path / "onward")
    assert result["counts"]["copied"] == 2 * len(images.lab_set().tags())
    assert tags_of(others[0]) == tags_of(others[1]) == tags_of(source)


# -- one of them is not like the others ----------------------------------------------------------------------------------------


def test_a_slow_destination_holds_nobody_up(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    """The fast one is done long before; what the slow one still needs has been kept."""
    slow, fast = make(latency=0.05), make()
    result = copy(source, [slow, fast], tmp_path, workers=4)
    assert not result.get("failed")
    assert_read_once(source)
    assert result["read_again"] == 0
    assert slow.snapshot() == fast.snapshot()
    fast_done, slow_done = (max(one.at for one in registry.log) for registry in (fast, slow))
    begun = min(one.at for one in source.log)
    assert fast_done - begun < (slow_done - begun) / 2


def test_one_that_cannot_be_reached(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    for position in range(3):
        source.reset_log()
        destinations: list[t.Any] = [make(), make()]
        destinations.insert(position, refused())
        result = copy(source, destinations, tmp_path / str(position))
        assert result["failed"]
        assert result["changed"]
        assert_read_once(source)
        dead = destinations.pop(position)["url"].removeprefix("http://")
        for one in destinations:
            assert tags_of(one) == tags_of(source)
        (failure,) = result["failures"]
        assert (failure["destination"], failure["kind"]) == (dead, "connection_failed")
        assert result["counts"]["failed"] == 1
        assert dead in result["msg"]
        assert Path(result["ledger"]).is_file()
        assert "error" not in result
        assert {name: one["counts"]["failed"] for name, one in by_name(result).items() if one["failures"]} == {dead: 1}


def test_none_can_be_reached(source: CountingRegistry, tmp_path: Path) -> None:
    result = copy(source, [refused(), refused()], tmp_path)
    assert result["failed"]
    assert not result["changed"]
    assert result["error"]["kind"] == "connection_failed"
    assert len(result["failures"]) == 2


def test_a_source_that_cannot_be_reached(make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    options = {**options_of(make(), [make(), make()], tmp_path), "source": refused()}
    error = run_module(COPY, options).error
    assert error["kind"] == "connection_failed"
    assert error["subject"] == options["source"]["url"].removeprefix("http://")


def test_one_that_has_everything(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    full, empty, half = make(), make(), make()
    full.load(images.lab_set())
    half.load(images.ImageSet({"lab/repo0": images.lab_set().repositories["lab/repo0"]}))
    result = copy(source, [full, empty, half], tmp_path)
    assert_read_once(source)
    assert full.snapshot() == empty.snapshot() == half.snapshot()
    counts = {name: one["counts"] for name, one in by_name(result).items()}
    assert (counts[full.host]["copied"], counts[full.host]["unchanged"]) == (0, 20)
    assert (counts[empty.host]["copied"], counts[empty.host]["unchanged"]) == (20, 0)
    assert (counts[half.host]["copied"], counts[half.host]["unchanged"]) == (16, 4)
    assert by_name(result)[full.host]["bytes_copied"] == 0
    assert not by_name(result)[full.host]["changed"]


@pytest.mark.parametrize("action", ["reset", "close", "answer", "lose_answer"])
def test_an_upload_that_breaks_off_is_made_up_for_from_the_spool(
    source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path, action: t.Any
) -> None:
    good, bad = make(), make()
    bad.behaviour.rules.append(Rule("PUT", "/blobs/uploads/", times=3, action=action))
    result = copy(source, [bad, good], tmp_path)
    assert not result.get("failed")
    assert bad.behaviour.rules[0].done == 3
    assert_read_once(source)
    assert bad.snapshot() == good.snapshot()


def test_a_destination_that_dies_in_the_middle(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    good, dies = make(), make(latency=0.02)
    with running(options_of(source, [endpoint(dies, attempts=1), good], tmp_path, workers=6), tmp_path) as process:
        wait_for(lambda: dies.count("PUT", "upload") >= 3, process)
        dies.stop()
        result = json.loads(process.communicate(timeout=PATIENCE)[0])
    assert result["failed"]
    assert tags_of(good) == tags_of(source)
    assert_complete(good)
    assert {failure["destination"] for failure in result["failures"]} == {dies.host}
    assert by_name(result)[good.host]["counts"]["copied"] == 20
    assert by_name(result)[dies.host]["counts"]["failed"] > 0


# -- the source ----------------------------------------------------------------------------------------------------------------


def test_a_blob_that_breaks_off_at_the_source(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    """It is read on from there, for all of them."""
    source.behaviour.cut = 1_200_000
    destinations = [make(), make()]
    result = copy(source, destinations, tmp_path)
    assert not result.get("failed")
    assert destinations[0].snapshot() == destinations[1].snapshot()
    # two of 2 MB are cut; what is read is all of them once, and the rest of those two
    assert source.bytes_out("blob") == images.lab_set().blob_bytes()
    assert result["read_again"] == 0


def test_a_corrupt_blob_arrives_nowhere(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    shared = images.layer("lab shared 0", 2_000_000).digest
    own = images.layer("lab 0 v1", 200_000).digest
    source.behaviour.corrupt = {shared, own}
    destinations = [make(), make()]
    result = copy(source, destinations, tmp_path)
    assert result["failed"]
    assert result["counts"]["failed"] == 2 * 20
    assert {failure["kind"] for failure in result["failures"]} == {"digest_mismatch"}
    assert {failure["destination"] for failure in result["failures"]} == {one.host for one in destinations}
    for one in destinations:
        held = one.snapshot()
        assert not any(repository.tags for repository in held.values())
        assert not any({shared, own} & repository.blobs for repository in held.values())


def test_a_blob_that_one_repository_has_lost(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    """Whoever waits for it tries their own repository."""
    shared = images.layer("lab shared 0", 2_000_000).digest
    source.forget_blob("lab/repo3", shared)
    destinations = [make(), make()]
    result = copy(source, destinations, tmp_path, only_repositories=["lab/repo3", "lab/repo1"], workers=1)
    assert not result.get("failed")
    for one in destinations:
        assert set(one.snapshot()) == {"lab/repo1", "lab/repo3"}
        assert_complete(one)


def test_a_manifest_that_is_lost_fails_everywhere(
    source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path
) -> None:
    source.forget_manifest("lab/repo2", tags_of(source)["lab/repo2", "v1"])
    destinations = [make(), make()]
    result = copy(source, destinations, tmp_path)
    assert result["counts"]["failed"] == 2
    assert result["counts"]["copied"] == 2 * 19
    assert {failure["destination"]: failure["tag"] for failure in result["failures"]} == {one.host: "v1" for one in destinations}


# -- the spool -----------------------------------------------------------------------------------------------------------------


def test_what_waits_lies_on_disk_and_leaves_nothing(
    source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path
) -> None:
    slow, fast = make(), make()
    slow.behaviour.rules.append(Rule("POST", times=None, action="delay", delay=0.3))
    with running(options_of(source, [fast, slow], tmp_path, workers=2), tmp_path) as process:
        seen = 0

        def is_there() -> bool:
            nonlocal seen
            seen = max(seen, blocks_on_disk(process))
            return seen > 2_000_000

        wait_for(is_there, process)
        slow.behaviour.rules.clear()
        result = json.loads(process.communicate(timeout=PATIENCE)[0])
    assert not result.get("failed")
    assert result["read_again"] == 0
    assert_read_once(source)
    names = {path.name for path in (tmp_path / "state").rglob("*") if path.is_file()}
    assert not [name for name in names if name.startswith("spool")]


@pytest.mark.parametrize("room", [0, 1 << 20])
def test_a_spool_that_is_too_small(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path, room: int) -> None:
    """What does not fit is read again, and nothing else."""
    destinations = [make(), make()]
    result = copy(source, destinations, tmp_path, spool_bytes=room)
    assert not result.get("failed")
    assert destinations[0].snapshot() == destinations[1].snapshot()
    twice = {name for name, count in reads(source).items() if count > 1}
    assert twice <= {images.layer(f"lab shared {number}", 2_000_000).digest for number in range(2)}
    assert result["read_again"] == len(twice) == 2


def test_a_spool_that_cannot_be_written(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    destinations = [make(), make()]
    result = copy(source, destinations, tmp_path, spool_dir=str(tmp_path / "file"))
    assert not result.get("failed")
    assert destinations[0].snapshot() == destinations[1].snapshot()
    (warning,) = result["warnings"]
    assert str(tmp_path / "file") in (warning if isinstance(warning, str) else warning["event"]["msg"])


# -- runs ----------------------------------------------------------------------------------------------------------------------


def test_a_run_that_is_killed_goes_on(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    one, two = make(latency=0.01), make(latency=0.02)
    options = options_of(source, [one, two], tmp_path, workers=2)
    with running(options, tmp_path) as process:
        wait_for(lambda: two.count("PUT", "manifest") >= 5, process)
        process.kill()
    for registry in (one, two):
        assert_complete(registry)
        registry.behaviour.latency = 0
    result = run_module(COPY, options).result
    assert not result.get("failed")
    assert one.snapshot() == two.snapshot() == source.snapshot()
    assert {entry["counts"]["copied"] + entry["counts"]["unchanged"] for entry in result["destinations"]} == {20}


def test_each_destination_has_its_own_ledger(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    one, two = make(), make()
    result = copy(source, [one, two], tmp_path)
    first, second = (Path(entry["ledger"]) for entry in result["destinations"])
    assert result["ledger"] == str(first) == str(tmp_path / "state" / "ledger.sqlite3")
    assert second == tmp_path / "state" / two.host.replace(":", "_") / "ledger.sqlite3"
    # the report takes them as those of two workers
    report = {"ledgers": {"one": str(first), "two": str(second)}, "output_dir": str(tmp_path / "report")}
    written = run_module("registry_report", report).result
    assert written["counts"]["copied"] == 2 * 20
    # each can be verified, and copied to, alone
    alone = {"source": endpoint(source), "destination": endpoint(two), "state_dir": str(second.parent)}
    assert run_module("registry_image_verify", alone).result["equal"] == 20
    # by default each has the folder that it would have without the others
    options = {key: value for key, value in options_of(source, [one, two], tmp_path).items() if key != "state_dir"}
    ledgers = [
        run_module(COPY, {**options, **changed}, variables={"XDG_STATE_HOME": str(tmp_path / "home")}).result
        for changed in ({}, {"destination": endpoint(two), "further_destinations": []})
    ]
    assert ledgers[0]["destinations"][1]["ledger"] == ledgers[1]["ledger"]


def test_check_mode_plans_for_all(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    one, two = make(), make()
    two.load(images.ImageSet({"lab/repo0": images.lab_set().repositories["lab/repo0"]}))
    before = two.snapshot()
    options = options_of(source, [one, two], tmp_path, plan_file=str(tmp_path / "plan.jsonl"))
    plan = run_module(COPY, options, check=True, diff=True).result
    assert plan["changed"]
    assert plan["counts"]["copied"] == 20 + 16
    assert one.snapshot() == {}
    assert two.snapshot() == before
    assert not (tmp_path / "state").exists()
    assert set(reads(source).values()) == {1}
    assert [diff["prepared"].partition("\n")[0] for diff in plan["diff"]] == [f"-- {one.host} --", f"-- {two.host} --"]
    assert "lab/repo0: 4 added" in plan["diff"][0]["prepared"]
    assert "1 repository with nothing to do: 4 unchanged" in plan["diff"][1]["prepared"]
    files = [Path(entry["plan_file"]) for entry in plan["destinations"]]
    assert files == [tmp_path / "plan.jsonl", tmp_path / f"plan.{two.host.replace(':', '_')}.jsonl"]
    assert all(file.is_file() for file in files)

    done = run_module(COPY, options, diff=True).result
    assert done["counts"] == plan["counts"]
    assert one.snapshot() == two.snapshot() == source.snapshot()


def test_failures_name_their_destination(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    good, bad = make(), make()
    bad.behaviour.rules.append(Rule("PUT", "/lab/repo1/manifests/v1$", times=None, status=400))
    result = copy(source, [good, bad], tmp_path)
    (failure,) = result["failures"]
    assert (failure["destination"], failure["repository"], failure["tag"]) == (bad.host, "lab/repo1", "v1")
    assert bad.host in result["msg"]
    assert good.host not in result["msg"]
    assert result["counts"] == {**dict.fromkeys(result["counts"], 0), "copied": 39, "failed": 1}


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        ({"url": "http://new.example.com/with/path"}, "further_destinations[0].url"),
        ({"requests_per_second": -1}, "further_destinations[0].requests_per_second"),
    ],
)
def test_options_that_cannot_work(
    source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path, changed: Options, subject: str
) -> None:
    further = {**endpoint(make()), **changed}
    first = make()
    error = run_module(COPY, options_of(source, [first, further], tmp_path)).error
    assert (error["kind"], error["subject"]) == ("invalid_option", subject)
    assert first.log == []


def test_the_same_destination_twice(source: CountingRegistry, make: t.Callable[..., CountingRegistry], tmp_path: Path) -> None:
    one = make()
    error = run_module(COPY, options_of(source, [one, make(), one], tmp_path)).error
    assert (error["kind"], error["subject"]) == ("invalid_option", "further_destinations[1]")


def test_no_secret_is_shown(counting_registry: MakeCountingRegistry, source: CountingRegistry, tmp_path: Path) -> None:
    """Not that of a further destination either, whether it is let in or not."""
    behaviour = Behaviour(authentication="basic", users={"mover": "rather secret"})
    first, further = counting_registry(Behaviour()), counting_registry(behaviour)
    for password in ("rather secret", "wrong but secret"):
        options = options_of(source, [first, endpoint(further, username="mover", password=password)], tmp_path)
        run = run_module(COPY, options, diff=True)
        assert password not in run.text
        assert bool(run.result.get("failed")) == (password != "rather secret")
    proxied = endpoint(further, proxy="http://mover:of-the-proxy@127.0.0.1:9", attempts=1)
    run: ModuleRun = run_module(COPY, options_of(source, [first, proxied], tmp_path))
    assert run.result["failed"]
    assert "of-the-proxy" not in run.text


def test_threads_end(source: CountingRegistry, registries: RegistryFactory, tmp_path: Path) -> None:
    """Into registries that ask for tokens of nobody, in this process: nothing of the run stays behind."""
    before = set(threading.enumerate())
    store = open_store(source)
    places: list[Registry] = [registries.start("one"), registries.start("two")]
    rules = [Select.from_options({}, "rules[0]")]
    jobs = [Job(store, open_store(place), rules, Policy(), str(tmp_path / str(number))) for number, place in enumerate(places)]
    done = fan_out(jobs, carry_out, str(tmp_path / "spool"))
    store.close()
    assert done.outcome.counts["copied"] == 40
    ours = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith(("spool", "destination", "copy"))]
    assert ours == []
    assert [tags_of(place) for place in places] == [tags_of(source)] * 2

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules as Ansible runs them: what they return, that check mode changes nothing, and that no secret is ever shown."""

from __future__ import annotations

import base64
import csv
import json
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour, Rule
from estate.compare import assert_complete, tags_of
from estate.images import SPDX
from estate.push import push
from runs.modules import COLLECTIONS, PLUGINS, ModuleRun, Options, endpoint, environment, run_module

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.counting import CountingRegistry
    from estate.registry import Registry, RegistryFactory

COUNTS = {"copied": 0, "unchanged": 0, "kept": 0, "conflict": 0, "failed": 0, "not_attempted": 0}


@pytest.fixture
def source(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    registry = counting_registry(Behaviour(referrers=False))
    registry.load(images.small_set())
    return registry


@pytest.fixture
def destination(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    return counting_registry(Behaviour(referrers=False))


def both(source: t.Any, destination: t.Any, folder: Path, **more: t.Any) -> Options:
    return {"source": endpoint(source), "destination": endpoint(destination), "state_dir": str(folder / "state"), **more}


def broken(count: int) -> images.ImageSet:
    """So many tags of which the configuration is nowhere."""
    held = images.ImageSet()
    repository = held.repository("broken/images")
    for number in range(count):
        manifest = images.add_image(repository, f"broken {number}", [], [f"v{number}"])
        del repository.blobs[json.loads(manifest.data)["config"]["digest"]]
    return held


def warnings_of(result: Options) -> list[str]:
    """As text; newer versions of Ansible wrap it."""
    return [warning if isinstance(warning, str) else warning["event"]["msg"] for warning in result["warnings"]]


def test_nothing_begins_with_a_catalogue_that_may_be_cut(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    """A hundred names, no word of more, and the same hundred again: half a registry would look like the whole."""
    for number in range(99):
        source.load(images.ImageSet({f"app{number:02}": images.small_set().repositories["small/image"]}))
    names = json.dumps({"repositories": sorted([f"app{number:02}" for number in range(99)] + ["small/image"])})
    source.behaviour.rules.append(Rule(path="_catalog", status=200, body=names.encode(), times=None))
    for module in ("registry_image_copy", "registry_repo_info"):
        options = both(source, destination, tmp_path) if module == "registry_image_copy" else {"source": endpoint(source)}
        run = run_module(module, options)
        assert run.error["kind"] == "invalid_answer"
        assert run.error["subject"] == f"the catalogue of {source.host}"
        assert "lists 100 repositories" in run.error["message"]
        assert "repositories: include:" in run.error["hint"]
    assert tags_of(destination) == {}


# -- registry_image_copy -------------------------------------------------------------------------------------------------------


def test_copy_says_what_it_did(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    options = both(source, destination, tmp_path)
    result = run_module("registry_image_copy", options).result
    assert result["changed"]
    assert result["counts"] == {**COUNTS, "copied": 3}
    assert result["failures"] == []
    assert result["repositories"] == 1
    assert result["bytes_copied"] == images.small_set().blob_bytes()
    assert result["blobs"] == {"uploaded": 2, "mounted": 0, "present": 0}
    assert result["requests"] == {"source": source.count(), "destination": destination.count()}
    assert result["ledger"] == str(tmp_path / "state" / "ledger.sqlite3")
    assert "diff" not in result
    assert "msg" not in result
    assert "warnings" not in result
    assert destination.snapshot() == source.snapshot()

    again = run_module("registry_image_copy", options).result
    assert not again["changed"]
    assert again["counts"] == {**COUNTS, "unchanged": 3}
    assert again["bytes_copied"] == 0


def test_check_mode_gives_the_plan_and_writes_nothing(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    options = both(source, destination, tmp_path, plan_file=str(tmp_path / "plan.jsonl"))
    plan = run_module("registry_image_copy", options, check=True, diff=True).result
    assert plan["changed"]
    assert plan["counts"] == {**COUNTS, "copied": 3}
    assert plan["bytes_copied"] == images.small_set().blob_bytes()
    assert plan["plan_file"] == str(tmp_path / "plan.jsonl")
    assert plan["ledger"] == ""
    tags = "".join(f"  + {tag}: {digest[:19]}\n" for tag, digest in sorted(source.snapshot()["small/image"].tags.items()))
    assert plan["diff"]["prepared"].startswith(f"small/image: 3 added\n{tags}to move: at most ")
    assert destination.snapshot() == {}
    assert {one.method for one in destination.log} == {"GET"}
    assert not (tmp_path / "state").exists()

    # the plan is carried out, with the diff that was announced
    done = run_module("registry_image_copy", options, diff=True).result
    assert done["changed"]
    assert done["counts"] == plan["counts"]
    assert done["diff"]["prepared"].startswith(f"small/image: 3 added\n{tags}moved: ")
    assert destination.snapshot() == source.snapshot()

    del options["plan_file"]
    for check in (True, False):
        again = run_module("registry_image_copy", options, check=check, diff=True).result
        assert not again["changed"]
        assert again["diff"]["prepared"] == "1 repository with nothing to do: 3 unchanged\n"


def test_patterns_that_match_nothing_are_named(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    rules = [{"repositories": {"include": ["small/*", "smal/*"]}}, {"repositories": {"include": ["other/**"]}}]
    wanted = ["rules[0].repositories.include: smal/* matches no repository.", "rules[1] selects no repository: nothing matches other/**."]
    options = both(source, destination, tmp_path, rules=rules)
    for check in (True, False):
        run = run_module("registry_image_copy", options, check=check)
        assert len(run.result["warnings"]) == 2
        assert all(warning in run.text for warning in wanted)
    run = run_module("registry_image_verify", options)
    assert all(warning in run.text for warning in wanted)
    assert run.result["equal"] == 3


def test_the_diff_of_a_run_tells_what_failed(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    source.load(broken(2))
    result = run_module("registry_image_copy", both(source, destination, tmp_path), diff=True).result
    assert result["failed"]
    assert result["changed"]
    lines = result["diff"]["prepared"].splitlines()
    assert lines[0] == "broken/images: 2 failed"
    assert all(line.startswith("  ! ") for line in lines[1:3])
    assert lines[3] == "small/image: 3 added"
    assert result["counts"] == {**COUNTS, "copied": 3, "failed": 2}


def test_a_failed_run_that_did_nothing_has_changed_nothing(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    source.wipe()
    source.load(broken(1))
    result = run_module("registry_image_copy", both(source, destination, tmp_path)).result
    assert result["failed"]
    assert not result["changed"]
    assert "broken/images" in result["msg"]


def test_results_stay_small(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    source.load(broken(130))
    options = both(source, destination, tmp_path)
    run = run_module("registry_image_copy", options)
    assert run.result["counts"] == {**COUNTS, "copied": 3, "failed": 130}
    assert len(run.result["failures"]) == 100
    assert run.result["msg"].startswith("130 of 133 could not be copied.")
    assert run.result["ledger"] in run.result["msg"]

    verified = run_module("registry_image_verify", options).result
    assert verified["failed"]
    assert (verified["checked"], verified["equal"], verified["different"]) == (133, 3, 130)
    assert len(verified["differences"]) == 100


def test_a_run_that_is_killed_goes_on(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    """In the middle, without a chance to tidy up: all tags that can be seen are complete, and the next run does the rest."""
    for number in range(40):
        images.add_image(held := images.ImageSet().repository("x"), f"app {number}", [images.layer(f"app {number}", 2_000)], ["1"])
        source.load(images.ImageSet({f"team/app{number}": held}))
    options = both(source, destination, tmp_path, workers=2)
    destination.behaviour.latency = 0.01
    (tmp_path / "arguments.json").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}), encoding="utf-8")
    command = [sys.executable, "-m", f"{PLUGINS}.modules.registry_image_copy", str(tmp_path / "arguments.json")]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while destination.count("PUT", "manifest") < 12:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
    seen = {name for name, held in destination.snapshot().items() if held.tags}
    assert 1 < len(seen) < 41
    assert assert_complete(destination) >= 2 * len(seen)

    destination.behaviour.latency = 0
    result = run_module("registry_image_copy", options).result
    assert result["counts"]["failed"] == 0
    assert result["counts"]["unchanged"] >= len(seen)
    assert result["counts"]["copied"] + result["counts"]["unchanged"] == 40 + 3
    assert destination.snapshot() == source.snapshot()


def test_a_warning_of_the_registry_is_passed_on(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    source.behaviour.warning = "this registry closes at the end of the year"
    result = run_module("registry_image_copy", both(source, destination, tmp_path)).result
    assert warnings_of(result) == [f"{source.host}: this registry closes at the end of the year"]


def test_a_connection_that_is_not_checked_is_warned_of(
    counting_registry: MakeCountingRegistry, source: CountingRegistry, certificate_authority: t.Any, tmp_path: Path
) -> None:
    with_tls = counting_registry(authority=certificate_authority)
    options = {**both(source, with_tls, tmp_path), "destination": endpoint(with_tls, ca_path=None, validate_certs=False)}
    result = run_module("registry_image_copy", options).result
    assert result["counts"]["copied"] == 3
    (warning,) = warnings_of(result)
    assert with_tls.host in warning


def test_the_ledger_lies_with_the_user_unless_told_otherwise(
    source: CountingRegistry, destination: CountingRegistry, tmp_path: Path
) -> None:
    options = {"source": endpoint(source), "destination": endpoint(destination)}
    result = run_module("registry_image_copy", options, variables={"XDG_STATE_HOME": str(tmp_path)}).result
    ledger = Path(result["ledger"])
    assert ledger.is_file()
    assert ledger.parent.parent == tmp_path / "registryops.migration"
    assert ledger.parent.stat().st_mode & 0o077 == 0


def test_credentials_come_from_files_where_none_are_given(
    counting_registry: MakeCountingRegistry, destination: CountingRegistry, tmp_path: Path
) -> None:
    registry = counting_registry(Behaviour(authentication="basic", users={"mover": "from a file"}))
    registry.load(images.small_set())
    pair = base64.b64encode(b"mover:from a file").decode()
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {registry.host: {"auth": pair}}}), encoding="utf-8")
    options = both(registry, destination, tmp_path)
    anonymous = endpoint(registry, username=None, password=None)
    for given in ({**anonymous, "auth_file": str(tmp_path / "auth.json")}, anonymous):
        variables = {} if "auth_file" in given else {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
        run = run_module("registry_repo_info", {"source": given}, variables=variables)
        assert run.result["tag_count"] == 3
        assert "from a file" not in run.text
        assert pair not in run.text
    # and are not looked for where that is not wanted
    run = run_module("registry_image_copy", {**options, "source": {**anonymous, "search_auth_files": False}},
                     variables={"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")})  # fmt: skip
    assert run.error["kind"] == "authentication_failed"


# -- registry_image_verify -----------------------------------------------------------------------------------------------------


def test_verify_tells_what_differs(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    options = both(source, destination, tmp_path)
    run_module("registry_image_copy", options)
    for mode, more in (("light", {"manifests": 0, "blobs": 0}), ("deep", {"manifests": 2, "blobs": 2})):
        result = run_module("registry_image_verify", {**options, "mode": mode}).result
        assert not result["changed"]
        assert (result["checked"], result["equal"], result["different"], result["differences"]) == (3, 3, 0, [])
        assert {key: result[key] for key in more} == more
        assert result["repositories"] == 1

    destination.forget_tag("small/image", "one")
    before = destination.snapshot()
    result = run_module("registry_image_verify", options).result
    assert result["failed"]
    assert not result["changed"]
    assert result["different"] == 1
    (difference,) = result["differences"]
    assert (difference["repository"], difference["tag"], difference["kind"]) == ("small/image", "one", "missing")
    assert "small/image:one" in result["msg"]
    assert destination.snapshot() == before


def test_verify_of_a_registry_that_is_empty(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    result = run_module("registry_image_verify", both(source, destination, tmp_path), check=True).result
    assert result["failed"]
    assert result["different"] == 3
    assert not (tmp_path / "state").exists()


# -- registry_repo_info --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo_registry(module_registries: RegistryFactory) -> Registry:
    """The demo's images; tests only read them."""
    registry = module_registries.start("demo")
    push(registry.url, images.demo_set())
    return registry


def test_info_names(demo_registry: Registry) -> None:
    demo = images.demo_set()
    result = run_module("registry_repo_info", {"source": endpoint(demo_registry)}).result
    assert not result["changed"]
    assert result["registry"] == demo_registry.host
    assert [row["name"] for row in result["repositories"]] == sorted(demo.repositories)
    assert result["tag_count"] == len(demo.tags())
    for row in result["repositories"]:
        assert {tag["name"] for tag in row["tags"]} == set(demo.repositories[row["name"]].tags)
        assert all(set(tag) == {"name"} for tag in row["tags"])
        assert row["tag_count"] == row["size"] == len(row["tags"])
    assert result["failures"] == []
    assert result["failure_count"] == 0


def test_info_digests(demo_registry: Registry) -> None:
    demo = images.demo_set()
    options = {"destination": endpoint(demo_registry), "side": "destination", "details": "digests"}
    result = run_module("registry_repo_info", options).result
    found = {(row["name"], tag["name"]): tag for row in result["repositories"] for tag in row["tags"]}
    assert {key: tag["digest"] for key, tag in found.items()} == demo.tags()
    for (name, _unused), tag in found.items():
        assert tag["media_type"] == demo.repositories[name].manifests[tag["digest"]].media_type


def test_info_platforms(demo_registry: Registry) -> None:
    demo = images.demo_set()
    result = run_module("registry_repo_info", {"source": endpoint(demo_registry), "details": "platforms"}).result
    found = {(row["name"], tag["name"]): tag for row in result["repositories"] for tag in row["tags"]}
    assert found["tools/cli", "0.9"]["platforms"] == ["linux/amd64", "linux/arm64/v8"]
    # the attestation beside the images is for no platform
    assert found["tools/cli", "1.0"]["platforms"] == ["linux/amd64", "linux/arm64/v8", "linux/arm/v7"]
    assert found["tools/agent", "5"]["platforms"] == ["linux/amd64", "linux/arm64/v8", "linux/s390x"]
    assert found["base/os", "12"]["platforms"] == []
    agent = demo.repositories["tools/agent"]
    whole = sum(map(len, agent.blobs.values())) + sum(len(manifest.data) for manifest in agent.manifests.values())
    assert found["tools/agent", "5"]["size"] == whole
    sizes = {row["name"]: row["size"] for row in result["repositories"]}
    assert sizes["tools/agent"] == whole


def test_info_selects(demo_registry: Registry) -> None:
    options = {
        "source": endpoint(demo_registry),
        "repositories": {"include": ["app/*", "tools/cli"], "exclude": ["app/api"]},
        "tags": {"semver": ">=1", "newest": 1},
    }
    result = run_module("registry_repo_info", options).result
    assert {row["name"]: [tag["name"] for tag in row["tags"]] for row in result["repositories"]} == {
        "app/web": ["2.0.0"],
        "tools/cli": ["1.0"],
    }


def test_info_in_a_file(demo_registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "lists" / "inventory.json"
    result = run_module("registry_repo_info", {"source": endpoint(demo_registry), "details": "digests", "output_file": str(path)}).result
    assert result["output_file"] == str(path)
    assert not result["changed"]
    assert all("tags" not in row for row in result["repositories"])
    document = json.loads(path.read_text(encoding="utf-8"))
    found = {(row["name"], tag["name"]): tag["digest"] for row in document["repositories"] for tag in row["tags"]}
    assert found == images.demo_set().tags()
    assert result["tag_count"] == len(found)


def test_info_in_check_mode_writes_no_file(demo_registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "lists" / "inventory.json"
    options = {"source": endpoint(demo_registry), "output_file": str(path)}
    result = run_module("registry_repo_info", options, check=True).result
    assert not path.parent.exists()
    assert result["output_file"] == ""
    assert {row["name"]: {tag["name"] for tag in row["tags"]} for row in result["repositories"]} == {
        name: set(held.tags) for name, held in images.demo_set().repositories.items()
    }


def test_info_of_a_registry_that_is_partly_broken(source: CountingRegistry) -> None:
    source.load(broken(1))
    source.forget_manifest("small/image", source.snapshot()["small/image"].tags["one"])
    result = run_module("registry_repo_info", {"source": endpoint(source), "details": "platforms"}).result
    assert not result.get("failed")
    assert result["failure_count"] == 3
    assert {failure["tag"] for failure in result["failures"]} == {"one", "two", "index"}
    assert {failure["kind"] for failure in result["failures"]} == {"manifest_unknown"}
    assert {row["name"] for row in result["repositories"]} == {"small/image", "broken/images"}


def test_info_of_a_folder(source: CountingRegistry, tmp_path: Path) -> None:
    run_module("registry_image_copy", both(source, tmp_path / "layout", tmp_path))
    result = run_module("registry_repo_info", {"source": endpoint(tmp_path / "layout"), "details": "digests"}).result
    found = {(row["name"], tag["name"]): tag["digest"] for row in result["repositories"] for tag in row["tags"]}
    assert found == images.small_set().tags()


# -- registry_image_delete -----------------------------------------------------------------------------------------------------


@pytest.fixture
def deletable(registries: RegistryFactory) -> Registry:
    """one and two share a digest; index is an index of it; three is another image."""
    registry = registries.start("deletable")
    held = images.small_set()
    images.add_image(held.repository("small/image"), "three", [images.layer("three", 3_000)], ["three"])
    push(registry.url, held)
    return registry


def delete(registry: Registry, *references: str, check: bool = False, **more: t.Any) -> ModuleRun:
    options = {"destination": endpoint(registry), "repository": "small/image", "references": list(references), **more}
    return run_module("registry_image_delete", options, check=check)


def names_left(registry: Registry) -> set[str]:
    return {tag for _unused, tag in tags_of(registry)}


def test_delete_by_tag(deletable: Registry) -> None:
    announced = delete(deletable, "three", "four", check=True).result
    assert names_left(deletable) == {"one", "two", "three", "index"}
    done = delete(deletable, "three", "four").result
    for result in (announced, done):
        assert result["changed"]
        assert (result["deleted"], result["absent"], result["taken_along"]) == (["three"], ["four"], [])
        assert result["diff"] == {"before": "three\n", "after": ""}
    assert names_left(deletable) == {"one", "two", "index"}
    again = delete(deletable, "three", "four").result
    assert not again["changed"]
    assert (again["deleted"], again["absent"]) == ([], ["three", "four"])


def test_delete_protects_tags_that_were_not_named(deletable: Registry) -> None:
    before = tags_of(deletable)
    for check in (True, False):
        run = delete(deletable, "three", "one", check=check)
        assert run.result["failed"]
        assert run.error["kind"] == "digest_shared"
        assert "with two, which" in run.error["message"]
        assert "is part of the index of tag index" in run.error["message"]
        assert "shared_digests" in run.error["hint"]
        # three could have been deleted, but then it would be half of what was asked for
        assert tags_of(deletable) == before
    digest = before["small/image", "one"]
    assert delete(deletable, digest).error["kind"] == "digest_shared"
    assert tags_of(deletable) == before


def test_delete_takes_tags_along_where_that_is_allowed(deletable: Registry) -> None:
    for check in (True, False):
        result = delete(deletable, "one", check=check, shared_digests="delete").result
        assert result["changed"]
        assert (result["deleted"], result["taken_along"]) == (["one"], ["two", "index"])
        assert result["diff"] == {"before": "index\none\ntwo\n", "after": "index (its index is not whole any more)\n"}
    assert names_left(deletable) == {"three", "index"}


def test_delete_of_all_tags_of_a_digest(deletable: Registry) -> None:
    digest = tags_of(deletable)["small/image", "one"]
    result = delete(deletable, "two", digest, "one", "index").result
    assert result["changed"]
    assert sorted(result["deleted"]) == sorted(["one", "two", "index", digest])
    assert result["taken_along"] == []
    assert names_left(deletable) == {"three"}


@pytest.mark.parametrize("nested", [False, True])
def test_delete_protects_what_an_index_lists(counting_registry: MakeCountingRegistry, nested: bool) -> None:
    """1-amd64 is a child of 1, by its tag or its digest; other is of no index."""
    registry, held = counting_registry(Behaviour()), images.ImageSet()
    repository = held.repository("small/image")
    child = images.add_image(repository, "child", [images.layer("child", 1_000)], ["1-amd64"])
    images.add_image(repository, "other", [images.layer("other", 1_000)], ["other"])
    index = images.add_index(repository, [child.descriptor()], [] if nested else ["1"])
    if nested:
        images.add_index(repository, [index.descriptor()], ["1"])
    registry.load(held)
    before = registry.snapshot()
    options = {"repository": "small/image", "destination": endpoint(registry)}
    digest = repository.tags["1-amd64"]
    for reference in ("1-amd64", digest):
        for check in (True, False):
            run = run_module("registry_image_delete", {**options, "references": [reference]}, check=check)
            assert run.error["kind"] == "digest_shared"
            assert "is part of the index of tag 1" in run.error["message"]
    assert registry.snapshot() == before
    # images are looked at, and not read
    reads = [one.path.rpartition("/")[2] for one in registry.log if one.method == "GET" and one.kind == "manifest"]
    assert not {"1-amd64", "other", digest, repository.tags["other"]} & set(reads)

    assert run_module("registry_image_delete", {**options, "references": ["other"]}).result["deleted"] == ["other"]
    result = run_module("registry_image_delete", {**options, "references": ["1-amd64", "1"]}).result
    assert (result["deleted"], result["taken_along"]) == (["1-amd64", "1"], [])
    assert registry.snapshot()["small/image"].tags == {}


def test_delete_from_a_folder(source: CountingRegistry, tmp_path: Path) -> None:
    """A folder removes just the tag; a digest stands for its tags, and is not there when it has none, though its blob is."""
    folder = tmp_path / "layout"
    run_module("registry_image_copy", both(source, folder, tmp_path))
    options = {"repository": "small/image", "destination": endpoint(folder)}
    digest = images.small_set().repositories["small/image"].tags["one"]

    def delete_there(reference: str, check: bool = False) -> ModuleRun:
        return run_module("registry_image_delete", {**options, "references": [reference]}, check=check)

    for check in (True, False):
        result = delete_there("one", check).result
        assert (result["deleted"], result["taken_along"]) == (["one"], [])
    for check in (True, False):
        assert "with two, which" in delete_there(digest, check).error["message"]
    assert delete_there("two").result["deleted"] == ["two"]
    for check in (True, False):
        result = delete_there(digest, check).result
        assert not result["changed"]
        assert (result["deleted"], result["absent"]) == ([], [digest])
    result = run_module("registry_repo_info", {"source": endpoint(folder)}).result
    assert [tag["name"] for row in result["repositories"] for tag in row["tags"]] == ["index"]
    result = delete_there(images.small_set().repositories["small/image"].tags["index"]).error
    assert "with index, which" in result["message"]


def test_delete_in_a_repository_that_is_not_there(deletable: Registry) -> None:
    result = delete(deletable, "one", repository="other/image").result
    assert not result["changed"]
    assert result["absent"] == ["one"]


def test_delete_where_the_registry_removes_tags_alone(counting_registry: MakeCountingRegistry) -> None:
    registry = counting_registry(Behaviour(delete_tags=True))
    registry.load(images.small_set())
    options = {"repository": "small/image", "references": ["one"], "destination": endpoint(registry, provider="zot")}
    result = run_module("registry_image_delete", options).result
    assert (result["deleted"], result["taken_along"]) == (["one"], [])
    assert set(registry.snapshot()["small/image"].tags) == {"two", "index"}


def test_delete_that_is_switched_off(registries: RegistryFactory) -> None:
    registry = registries.start("fixed", delete=False)
    push(registry.url, images.small_set())
    before = tags_of(registry)
    run = delete(registry, "index")
    assert run.result["failed"]
    assert "index" in run.error["subject"]
    assert "storage.delete.enabled" in run.error["hint"]
    assert tags_of(registry) == before


# -- registry_report -----------------------------------------------------------------------------------------------------------


def test_report(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    source.load(broken(1))
    options = both(source, destination, tmp_path)
    copied = run_module("registry_image_copy", options).result
    run_module("registry_image_verify", options)
    wanted = {"ledgers": {"first": copied["ledger"]}, "output_dir": str(tmp_path / "report")}
    assert not run_module("registry_report", wanted, check=True).result["changed"]
    assert not (tmp_path / "report").exists()
    result = run_module("registry_report", wanted).result
    assert not result["changed"]
    assert result["counts"] == {"copied": 3, "failed": 1}
    assert result["repositories"] == 2
    assert not result["verified"]

    document = json.loads(Path(result["json_file"]).read_text(encoding="utf-8"))
    assert document["counts"] == result["counts"]
    (worker,) = document["workers"]
    assert (worker["worker"], worker["source"], worker["destination"]) == ("first", source.host, destination.host)
    assert worker["outcome"] == "failed"
    assert worker["verification"]["different"] == 1
    (failure,) = document["failures"]
    assert (failure["repository"], failure["tag"], failure["kind"]) == ("broken/images", "v0", "blob_unknown")
    with open(result["csv_file"], encoding="utf-8", newline="") as file:
        rows = {(row["repository"], row["tag"]): row for row in csv.DictReader(file)}
    assert set(rows) == {("broken/images", "v0"), *(("small/image", tag) for tag in ("one", "two", "index"))}
    assert {row["state"] for row in rows.values()} == {"copied", "failed"}
    assert {(name, tag): row["digest"] for (name, tag), row in rows.items() if row["state"] == "copied"} == images.small_set().tags()


def test_report_of_a_run_that_went_well(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> None:
    options = both(source, destination, tmp_path)
    copied = run_module("registry_image_copy", options).result
    wanted = {"ledgers": {"first": copied["ledger"]}, "output_dir": str(tmp_path / "report")}
    assert not run_module("registry_report", wanted).result["verified"]
    run_module("registry_image_verify", options)
    assert run_module("registry_report", wanted).result["verified"]


# -- in a playbook -------------------------------------------------------------------------------------------------------------

PLAY = """
- name: All modules with one connection
  hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  module_defaults:
    group/registryops.migration.registry:
      source: "{{ old }}"
      destination: "{{ new }}"
  tasks:
    - name: List
      registryops.migration.registry_repo_info:
        details: digests
      register: listed

    - name: Plan
      registryops.migration.registry_image_copy:
        state_dir: "{{ folder }}/state"
      check_mode: true
      diff: true
      register: planned

    - name: Copy
      registryops.migration.registry_image_copy:
        state_dir: "{{ folder }}/state"
      register: copied

    - name: Copy again
      registryops.migration.registry_image_copy:
        state_dir: "{{ folder }}/state"
      register: again

    - name: Verify
      registryops.migration.registry_image_verify:
        mode: deep
        state_dir: "{{ folder }}/state"
      register: verified

    - name: Delete
      registryops.migration.registry_image_delete:
        repository: app/api
        references: [3.1.4, "3.1"]
      register: deleted

    - name: Report
      registryops.migration.registry_report:
        ledgers:
          localhost: "{{ copied.ledger }}"
        output_dir: "{{ folder }}/report"
      register: reported

    - name: Fail with a wrong password
      registryops.migration.registry_image_copy:
        source: "{{ old | combine({'password': wrong}) }}"
      register: refused
      failed_when: refused.error.kind != "authentication_failed"

    - name: Fail with a password in the address
      registryops.migration.registry_repo_info:
        source:
          url: "https://mover:{{ wrong }}@{{ old.url }}"
      register: misplaced
      failed_when: misplaced.error.kind != "invalid_option"

    - name: Keep the results
      ansible.builtin.copy:
        content: "{{ results | to_json }}"
        dest: "{{ folder }}/results.json"
        mode: "0600"
      vars:
        results:
          listed: "{{ listed }}"
          planned: "{{ planned }}"
          copied: "{{ copied }}"
          again: "{{ again }}"
          verified: "{{ verified }}"
          deleted: "{{ deleted }}"
          reported: "{{ reported }}"
          refused: "{{ refused }}"
"""


def test_module_defaults_and_no_secret_in_any_output(
    counting_registry: MakeCountingRegistry, certificate_authority: t.Any, tmp_path: Path
) -> None:
    """A whole play with -vvv: Basic at one side, tokens at the other, the connections given once for all modules."""
    users = {"mover": "very-secret-5b1f"}
    source = counting_registry(Behaviour(authentication="basic", users=users), authority=certificate_authority)
    destination = counting_registry(
        Behaviour(authentication="bearer", users={"pusher": "more-secret-77aa"}), authority=certificate_authority
    )
    demo = images.demo_set()
    source.load(demo)
    variables = {
        "old": endpoint(source),
        "new": endpoint(destination),
        "folder": str(tmp_path),
        "wrong": "a-wrong-one-90cc",
    }
    (tmp_path / "play.yml").write_text(PLAY, encoding="utf-8")
    (tmp_path / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
    (tmp_path / "ansible.cfg").touch()
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
    }
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    done = subprocess.run(
        [program, "-vvv", "-i", "localhost,", "-c", "local", "-e", "@variables.json", "play.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=environment(tmp_path, **settings),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))

    count = len(demo.tags())
    assert results["listed"]["tag_count"] == count
    assert results["planned"]["changed"]
    assert results["planned"]["counts"] == {**COUNTS, "copied": count}
    # the bill of materials is untagged at a registry that keeps track of referrers itself, and counts as well
    assert results["copied"]["counts"]["failed"] == 0
    assert results["copied"]["counts"]["copied"] >= count
    assert not results["again"]["changed"]
    assert results["verified"]["different"] == 0
    assert sorted(results["deleted"]["deleted"]) == ["3.1", "3.1.4"]
    assert results["reported"]["verified"]
    assert results["refused"]["error"]["hint"]
    assert SPDX in {json.loads(manifest.data).get("artifactType") for manifest in demo.repositories["app/api"].manifests.values()}

    shown = done.stdout + done.stderr + json.dumps(results)
    kept = "".join(path.read_text(encoding="utf-8", errors="replace") for path in (tmp_path / "report").iterdir())
    kept += (tmp_path / "state" / "ledger.sqlite3").read_bytes().decode("latin-1")
    pairs = ("mover:very-secret-5b1f", "pusher:more-secret-77aa", "mover:a-wrong-one-90cc")
    secrets = ["very-secret-5b1f", "more-secret-77aa", "a-wrong-one-90cc", *(base64.b64encode(pair.encode()).decode() for pair in pairs)]
    sent = {one.headers["authorization"].partition(" ")[2] for one in destination.log if "authorization" in one.headers}
    assert len(sent) > 1
    for secret in [*secrets, *sent]:
        assert secret not in shown
        assert secret not in kept

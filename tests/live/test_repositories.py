# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""registry_repositories as Ansible runs it: what a push needs is there afterwards, and nothing else happens."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour
from estate.compare import tags_of
from estate.projects import Projects
from runs.modules import Options, endpoint, run_module

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.counting import CountingRegistry
    from estate.registry import RegistryFactory

MODULE = "registry_repositories"
USER, PASSWORD = "robot", "canary-password"
NONE = {"existing": 0, "created": 0, "changed": 0, "drift": 0, "failed": 0}


def held_set() -> images.ImageSet:
    held = images.ImageSet()
    for name, tags in {"team/app": ["1.0", "2.0"], "team/deep/er": ["2.1"], "base/os": ["12"], "open-site/web": ["1.1"]}.items():
        for tag in tags:
            images.add_image(held.repository(name), f"{name} {tag}", [images.layer(name, 2_000)], [tag])
    return held


@pytest.fixture
def source(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    registry = counting_registry(Behaviour(referrers=False))
    registry.load(held_set())
    return registry


@pytest.fixture
def projects(registries: RegistryFactory) -> t.Iterator[Projects]:
    with Projects(registries.start("behind"), USER, PASSWORD) as double:
        yield double


def destination(projects: Projects, **more: t.Any) -> Options:
    options = {"url": projects.url, "provider": "harbor", "username": USER, "password": PASSWORD, "attempts": 2, "certs_dirs": []}
    return {**options, **more}


def options_of(source: CountingRegistry, projects: Projects, **more: t.Any) -> Options:
    return {"source": endpoint(source), "destination": destination(projects), **more}


def warnings_of(result: Options) -> list[str]:
    """As text; newer versions of Ansible wrap it."""
    return [warning if isinstance(warning, str) else warning["event"]["msg"] for warning in result.get("warnings", [])]


def test_what_a_push_needs_is_created_once(source: CountingRegistry, projects: Projects) -> None:
    options = options_of(source, projects, settings={"public": False}, overrides=[{"match": "open-*", "settings": {"public": True}}])
    planned = run_module(MODULE, options, check=True, diff=True)
    assert planned.result["changed"]
    assert planned.result["counts"] == {**NONE, "created": 3}
    assert planned.result["diff"]["prepared"] == "+ base: public false\n+ open-site: public true\n+ team: public false\n"
    assert projects.projects == {}
    assert source.count(kind="tags") == 4
    assert source.count(kind="manifest") == 0

    done = run_module(MODULE, options)
    assert done.result["changed"]
    assert done.result["kind"] == "project"
    assert done.result["msg"] == f"{projects.host}, project: 3 created."
    assert [(row["name"], row["state"]) for row in done.result["rows"]] == [
        ("base", "created"),
        ("open-site", "created"),
        ("team", "created"),
    ]
    assert {name: project["public"] for name, project in projects.projects.items()} == {
        "base": "false",
        "open-site": "true",
        "team": "false",
    }

    projects.reset_log()
    again = run_module(MODULE, options)
    assert not again.result["changed"]
    assert again.result["counts"] == {**NONE, "existing": 3}
    assert projects.created == projects.count("PUT", ".") == 0
    # who is there, and each project once
    assert len(projects.log) <= 3 + 2
    for run in (planned, done, again):
        assert PASSWORD not in run.text


def test_a_setting_that_differs_is_changed_and_others_stay(source: CountingRegistry, projects: Projects) -> None:
    projects.projects = {"team": {"public": "true", "auto_scan": "true"}, "base": {"public": "false"}, "open-site": {"public": "false"}}
    options = options_of(source, projects, settings={"public": False})
    result = run_module(MODULE, options, diff=True).result
    assert result["counts"] == {**NONE, "existing": 2, "changed": 1}
    assert result["rows"][0] == {
        "kind": "project", "name": "team", "state": "changed", "differences": {"public": {"before": "true", "after": "false"}},
    }  # fmt: skip
    assert result["diff"]["prepared"] == "~ team: public true -> false\n"
    assert projects.projects["team"] == {"public": "false", "auto_scan": "true"}
    assert not run_module(MODULE, options).result["changed"]


def test_only_what_selected_tags_go_to_is_created(source: CountingRegistry, projects: Projects) -> None:
    rules = [
        {"repositories": {"include": ["team/**"]}, "tags": {"semver": ">=2"}},
        {"repositories": {"include": ["base/os"]}, "tags": {"semver": ">=99"}},
        {"repositories": {"include": ["open-site/web"]}, "mapping": {"strip_prefix": "open-site", "prefix": "sites"}},
    ]
    assert run_module(MODULE, options_of(source, projects, rules=rules)).result["counts"] == {**NONE, "created": 2}
    assert set(projects.projects) == {"team", "sites"}


def test_a_worker_s_share(source: CountingRegistry, projects: Projects) -> None:
    options = options_of(source, projects, only_repositories=["base/os", "team/app"])
    assert run_module(MODULE, options).result["counts"] == {**NONE, "created": 2}
    assert set(projects.projects) == {"base", "team"}
    empty = run_module(MODULE, {**options, "only_repositories": []}).result
    assert (empty["changed"], empty["counts"]) == (False, NONE)
    assert "none is needed" in empty["msg"]


def test_names_alone_ask_nothing_of_the_source(projects: Projects) -> None:
    options: Options = {"destination": destination(projects), "repositories": ["one/app", "two/app", "one/other"]}
    assert run_module(MODULE, options).result["counts"] == {**NONE, "created": 2}
    assert set(projects.projects) == {"one", "two"}
    wrong = run_module(MODULE, {**options, "repositories": ["alone"]})
    assert wrong.error["kind"] == "invalid_name"
    assert "repositories: alone" in wrong.error["subject"]
    without = run_module(MODULE, {"destination": destination(projects)})
    assert without.error["subject"] == "source"
    both = run_module(MODULE, {**options, "plan_file": "/nowhere"}).result
    assert both["failed"]
    assert "mutually exclusive" in both["msg"]


def test_a_saved_plan_says_what_has_to_exist(source: CountingRegistry, projects: Projects, tmp_path: Path) -> None:
    plan_file = str(tmp_path / "plan.jsonl")
    options = options_of(source, projects, plan_file=plan_file)
    rules = [{"repositories": {"include": ["base/*"]}, "mapping": {"prefix": "from-plan"}}]
    copy = {**options, "rules": rules, "state_dir": str(tmp_path / "state")}
    # projects that are not there yet are no reason for a plan to fail
    planned = run_module("registry_image_copy", copy, check=True).result
    assert planned["counts"]["copied"] == 1
    assert any("does not show from-plan/base/os" in warning for warning in warnings_of(planned))

    assert run_module(MODULE, options).result["counts"] == {**NONE, "created": 1}
    assert set(projects.projects) == {"from-plan"}
    copied = run_module("registry_image_copy", copy).result
    assert copied["counts"]["copied"] == 1
    assert tags_of(projects).keys() == {("from-plan/base/os", "12")}


def test_without_it_a_push_is_refused_and_with_it_everything_arrives(source: CountingRegistry, projects: Projects, tmp_path: Path) -> None:
    options = options_of(source, projects)
    copy = {**options, "state_dir": str(tmp_path / "state")}
    refused = run_module("registry_image_copy", copy).result
    assert refused["failed"]
    assert refused["counts"]["copied"] == 0
    assert {failure["kind"] for failure in refused["failures"]} == {"access_denied"}

    assert run_module(MODULE, options).result["changed"]
    assert run_module("registry_image_copy", copy).result["counts"]["copied"] == 5
    assert tags_of(projects) == held_set().tags()

    projects.reset_log()
    again = run_module("registry_image_copy", copy).result
    assert (again["changed"], again["counts"]["unchanged"]) == (False, 5)
    # the first digests of each repository are compared with those of the registry
    assert projects.count("HEAD", "/manifests/") <= 2 * 4
    assert projects.count("GET", "/manifests/") == 0


def test_one_that_cannot_be_created_fails_in_the_end(source: CountingRegistry, projects: Projects) -> None:
    projects.refused = {"base"}
    result = run_module(MODULE, options_of(source, projects), diff=True).result
    assert result["failed"]
    assert result["changed"]
    assert result["counts"] == {**NONE, "created": 2, "failed": 1}
    (failure,) = result["failures"]
    assert (failure["name"], failure["kind"], failure["subject"]) == ("base", "access_denied", "the project base")
    assert failure["message"]
    assert failure["hint"]
    assert result["msg"].startswith("1 of 3 could not be made ready. The first: project base: ")
    assert set(projects.projects) == {"team", "open-site"}


def test_a_wrong_password_ends_it(source: CountingRegistry, projects: Projects) -> None:
    run = run_module(MODULE, {"source": endpoint(source), "destination": destination(projects, password="canary-wrong")})
    assert run.error["kind"] == "authentication_failed"
    assert "canary-wrong" not in run.text
    assert projects.created == 0


@pytest.mark.parametrize(
    ("option", "subject"),
    [
        ({"settings": {"visibility": "private"}}, "settings"),
        ({"overrides": [{"match": "a", "settings": {"visibility": "private"}}]}, "overrides[0].settings"),
    ],
)
def test_settings_of_another_product(source: CountingRegistry, projects: Projects, option: Options, subject: str) -> None:
    run = run_module(MODULE, options_of(source, projects, **option))
    assert (run.error["kind"], run.error["subject"]) == ("invalid_option", subject)
    assert "public, auto_scan" in run.error["hint"]
    assert projects.created == source.count() == 0


def test_an_override_for_nothing_is_warned_about(source: CountingRegistry, projects: Projects) -> None:
    result = run_module(MODULE, options_of(source, projects, overrides=[{"match": ["teem"], "settings": {"public": True}}])).result
    assert warnings_of(result) == ["overrides[0].match: teem matches nothing."]


def test_what_cannot_be_listed_is_left_to_the_copy(source: CountingRegistry, projects: Projects) -> None:
    rules = [{"repositories": {"include": ["base/os", "no/such"]}}]
    result = run_module(MODULE, options_of(source, projects, rules=rules)).result
    assert result["counts"] == {**NONE, "created": 1}
    (warning,) = warnings_of(result)
    assert warning.startswith("Nothing is created for no/such, which cannot be listed at the source: ")


def test_everything_is_in_the_file(source: CountingRegistry, projects: Projects, tmp_path: Path) -> None:
    file = tmp_path / "lists" / "projects.json"
    result = run_module(MODULE, options_of(source, projects, output_file=str(file)), check=True).result
    assert result["output_file"] == str(file)
    document = json.loads(file.read_text(encoding="utf-8"))
    assert (document["registry"], document["kind"]) == (projects.host, "project")
    assert [row["name"] for row in document["rows"]] == ["base", "open-site", "team"]
    assert document["counts"] == result["counts"]


def test_a_registry_that_needs_nothing_is_not_even_asked(source: CountingRegistry, counting_registry: MakeCountingRegistry) -> None:
    there = counting_registry()
    result = run_module(MODULE, {"source": endpoint(source), "destination": endpoint(there, provider="generic")}).result
    assert not result["changed"]
    assert result["msg"] == f"{there.host} (a registry of the distribution specification) needs nothing to be created before a push."
    assert result["counts"] == NONE
    assert there.count() == source.count() == 0
    assert warnings_of(result) == []

    # a product that has to be recognised is asked who it is
    options = {"source": endpoint(source), "destination": endpoint(there), "settings": {"public": True}}
    recognised = run_module(MODULE, options).result
    assert not recognised["changed"]
    assert there.counts() == {"GET ping": 1}
    assert source.count() == 0
    assert any("have no effect" in warning for warning in warnings_of(recognised))


def test_a_folder_needs_nothing(source: CountingRegistry, tmp_path: Path) -> None:
    result = run_module(MODULE, {"source": endpoint(source), "destination": endpoint(tmp_path / "layout")}).result
    assert not result["changed"]
    assert "needs nothing" in result["msg"]
    assert not (tmp_path / "layout").exists()


def test_the_inventory_tells_what_the_product_tells(projects: Projects, source: CountingRegistry, tmp_path: Path) -> None:
    run_module(MODULE, options_of(source, projects, settings={"public": True}))
    run_module("registry_image_copy", options_of(source, projects, state_dir=str(tmp_path / "state")))
    projects.reset_log()
    result = run_module("registry_repo_info", {"source": destination(projects), "details": "digests"}).result
    team = next(one for one in result["repositories"] if one["name"] == "team/app")
    assert (team["visibility"], team["description"], team["tag_count"]) == ("public", "about team/app", 2)
    assert {(tag["name"], tag["digest"]) for tag in team["tags"]} == set(held_set().repositories["team/app"].tags.items())
    assert {tag["pushed"] for tag in team["tags"]} == {"2026-01-02T03:04:05.000Z"}
    assert projects.count("HEAD", "/manifests/") <= 2 * 4

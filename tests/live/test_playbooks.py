# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks and roles as users run them: ansible-playbook between two registries with TLS and passwords."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from estate import compare, images
from estate.client import Client
from estate.projects import Projects
from estate.push import push
from runs.control import Control, connection

from ansible_collections.registryops.migration.plugins.module_utils._copying.shards import assign

if t.TYPE_CHECKING:
    from estate.registry import Registry, RegistryFactory

ROOT = Path(__file__).absolute().parents[2]
SOURCE_USER = {"reader": "read-me-not"}
DESTINATION_USER = {"writer": "write-me-not"}


class MakeControl(t.Protocol):
    """What `control` gives: a controller with these workers, or with no group of workers at all."""

    def __call__(self, hosts: t.Mapping[str, t.Any] | None = None, source: Registry | None = None) -> Control: ...


@pytest.fixture(scope="module")
def held() -> images.ImageSet:
    return images.demo_set()


@pytest.fixture(scope="module")
def source(module_registries: RegistryFactory, held: images.ImageSet) -> Registry:
    """Holds the set; tests only read it."""
    registry = module_registries.start("source", tls=True, users=SOURCE_USER)
    push(registry.url, held, "reader", SOURCE_USER["reader"], registry.ca_file)
    return registry


@pytest.fixture
def destination(registries: RegistryFactory) -> Registry:
    """Empty."""
    return registries.start("destination", tls=True, users=DESTINATION_USER)


@pytest.fixture
def control(source: Registry, destination: Registry, tmp_path: Path) -> MakeControl:
    def make(hosts: t.Mapping[str, t.Any] | None = None, source: Registry = source) -> Control:
        return Control(tmp_path, connection(source), connection(destination), hosts or {})

    return make


def test_a_whole_registry_and_nothing_the_second_time(control: MakeControl, destination: Registry, held: images.ImageSet) -> None:
    here = control()
    first = here.play("migrate")
    assert first.recap.keys() == {"localhost"}
    assert first.changed == 1
    assert compare.tags_of(destination) == held.tags()
    assert compare.assert_complete(destination)
    report = here.report()
    assert report["counts"] == {"copied": len(held.tags())}
    assert report["verified"]
    assert {(row["repository"], row["tag"]) for row in here.table()} == held.tags().keys()
    assert str(here.report_folder / "report.json") in first.output

    second = here.play("migrate", "-vvv")
    assert second.changed == 0
    assert here.report()["counts"] == {"unchanged": len(held.tags())}


def test_without_folders_of_ones_own_everything_lies_below_the_home_folder(
    control: MakeControl, source: Registry, destination: Registry
) -> None:
    here = control()
    del here.variables["registry_state_dir"], here.variables["registry_report_dir"]
    here.write("group_vars/all/registries.yml", {**here.variables, "registry_rules": [{"repositories": {"include": ["base/os"]}}]})
    here.play("migrate", "--tags", "copy,report")
    pair = "-to-".join(registry.host.replace(":", "_") for registry in (source, destination))
    folder = here.folder / "home" / ".local" / "state" / "registryops.migration" / pair
    assert (folder / "workers" / "localhost" / "ledger.sqlite3").is_file()
    assert json.loads((folder / "report" / "report.json").read_text())["counts"] == {"copied": 2}


def test_a_bad_tag_fails_the_run_and_is_in_the_report(
    control: MakeControl, registries: RegistryFactory, destination: Registry, held: images.ImageSet
) -> None:
    damaged = images.ImageSet({name: held.repositories[name] for name in ("base/os", "platform/edge/proxy/sidecar")})
    source = registries.start("damaged", tls=True, users=SOURCE_USER)
    push(source.url, damaged, "reader", SOURCE_USER["reader"], source.ca_file)
    layer = images.layer("sidecar", 200_000).digest
    with Client(source.access) as client:
        client.request("DELETE", f"/v2/platform/edge/proxy/sidecar/blobs/{layer}", expect=(202,))

    here = control(source=source)
    played = here.play("migrate", expect=2)
    assert played.recap["localhost"]["failed"] == 1
    assert compare.tags_of(destination).keys() == {("base/os", "12"), ("base/os", "stable")}
    report = here.report()
    assert report["counts"] == {"copied": 2, "failed": 1}
    assert [(one["repository"], one["tag"]) for one in report["failures"]] == [("platform/edge/proxy/sidecar", "2026.11")]
    assert not report["verified"]
    assert [worker["verification"]["different"] for worker in report["workers"]] == [1]
    assert "Failed: platform/edge/proxy/sidecar:2026.11: " in played.output


def test_several_destinations(control: MakeControl, registries: RegistryFactory, destination: Registry, held: images.ImageSet) -> None:
    here = control()
    second = registries.start("second", tls=True, users=DESTINATION_USER)
    variables: dict[str, t.Any] = {
        "registry_further_destinations": [{**connection(second), "attempts": 1}],
        "copy_images_limits_by_time": [{"from": "00:00", "to": "24:00", "bytes_per_second": 100_000_000}],
    }
    planned = here.play("plan", **variables)
    assert f"-- {destination.host} --" in planned.output
    assert f"-- {second.host} --" in planned.output
    assert compare.repositories_of(second) == []
    here.play("migrate", "-vvv", **variables)
    assert compare.tags_of(destination) == compare.tags_of(second) == held.tags()
    assert here.report()["verified"]

    second.stop()
    failed = here.play("migrate", expect=2, **variables)
    assert f"Destinations with failures: {second.host}." in failed.output
    assert here.report()["counts"] == {"unchanged": len(held.tags())}


def test_a_run_that_cannot_begin_is_not_reported_as_the_one_before(control: MakeControl, held: images.ImageSet) -> None:
    here = control()
    here.play("migrate", "--tags", "copy")
    wrong = {**here.variables["registry_source"], "password": "wrong"}
    played = here.play("migrate", expect=2, registry_source=wrong)
    report = here.report()
    assert [worker["outcome"] for worker in report["workers"]] == ["not run"]
    assert report["counts"] == {}
    assert not report["verified"]
    assert "localhost did not run: " in played.output
    assert played.output.count(report["workers"][0]["message"]) > 1  # the failed task says it, and so does the end


def test_workers_of_one_job_share_the_work(control: MakeControl, destination: Registry, held: images.ImageSet) -> None:
    here = control({"first": {}, "second": {}})
    # what does not exist is somebody's part, too: it must not get lost between the workers
    rules = [{"repositories": {"include": ["**", "no/such"]}}]
    here.play("migrate", expect=2, registry_rules=rules)
    assert compare.tags_of(destination) == held.tags()
    shares = here.shares()
    assert shares.keys() == {"first", "second"}
    assert not shares["first"] & shares["second"]
    assert shares["first"] | shares["second"] == {*held.repositories, "no/such"}
    assert [one["repository"] for one in here.report()["failures"]] == ["no/such"]


def test_a_worker_that_is_out_of_reach_does_not_stop_the_others(control: MakeControl, destination: Registry, held: images.ImageSet) -> None:
    # a host on which no folder for modules can be made counts as unreachable
    here = control({"first": {}, "second": {"ansible_remote_tmp": "/proc/nowhere"}})
    played = here.play("migrate", "--tags", "copy,report", expect=2)
    assert "UNREACHABLE" in played.output
    report = here.report()
    assert {worker["worker"]: worker["outcome"] for worker in report["workers"]} == {"first": "ok", "second": "not run"}
    assert set(compare.repositories_of(destination)) == here.shares()["first"] < held.repositories.keys()


def test_the_last_tags_of_a_killed_worker_are_in_the_report(control: MakeControl, destination: Registry) -> None:
    here = control()
    rules = [{"repositories": {"include": ["base/os"]}}]
    here.play("migrate", "--tags", "copy", registry_rules=rules)
    ledger = here.folder / "state" / "workers" / "localhost" / "ledger.sqlite3"
    closed = ledger.read_bytes()
    journal = ledger.with_name(f"{ledger.name}-wal")
    # a process that is killed closes nothing: what it wrote last lies beside the ledger
    with contextlib.closing(sqlite3.connect(ledger)) as database:
        database.execute("UPDATE tags SET state = 'failed', kind = 'blob_unknown', message = 'gone.' WHERE tag = 'stable'")
        database.commit()
        left = ledger.read_bytes(), journal.read_bytes()
    ledger.write_bytes(left[0])
    journal.write_bytes(left[1])
    here.play("migrate", "--tags", "report")
    assert here.report()["counts"] == {"copied": 1, "failed": 1}
    # what was fetched with one ledger is no part of the next
    journal.unlink()
    ledger.write_bytes(closed)
    here.play("migrate", "--tags", "report")
    assert here.report()["counts"] == {"copied": 2}


def test_slices_divide_by_name_and_one_report_tells_of_all(control: MakeControl, destination: Registry, held: images.ImageSet) -> None:
    hosts = {f"worker{index}": {"registry_worker_index": index, "registry_worker_count": 3} for index in range(3)}
    here = control(hosts)
    parts = assign(dict.fromkeys(held.repositories, 0), 3, "name")
    here.play("migrate", "--limit", "worker0", "--tags", "copy")
    assert set(compare.repositories_of(destination)) == set(parts[0])
    here.play("migrate", "--limit", "worker1,worker2", "--tags", "copy")
    assert compare.tags_of(destination) == held.tags()
    here.play("migrate", "--tags", "report")
    assert here.shares() == {f"worker{index}": set(part) for index, part in enumerate(parts) if part}
    assert {worker["worker"]: worker["outcome"] for worker in here.report()["workers"]} == dict.fromkeys(hosts, "ok")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"registry_worker_index": 0, "registry_worker_count": 2}, {"registry_worker_index": 0, "registry_worker_count": 2}),
        ({"registry_worker_index": 0, "registry_worker_count": 2}, {}),
        ({"registry_worker_index": 0}, {"registry_worker_index": 1}),
    ],
    ids=["same number", "one without", "no count"],
)
def test_workers_that_could_do_the_same_work_do_none(
    control: MakeControl, destination: Registry, first: dict[str, int], second: dict[str, int]
) -> None:
    played = control({"first": first, "second": second}).play("migrate", "--tags", "copy", expect=2)
    assert "registry_worker_index of its own" in played.output
    assert compare.repositories_of(destination) == []


def test_a_plan_writes_nothing_to_the_destination_and_is_carried_out_later(
    control: MakeControl, destination: Registry, held: images.ImageSet
) -> None:
    here = control()
    plan_file = str(here.folder / "plan.jsonl")
    rules = [{"repositories": {"include": ["tools/*"]}, "mapping": {"prefix": "moved"}}]
    planned = here.play("plan", copy_images_plan_file=plan_file, registry_rules=rules)
    assert "To copy: 4 tags" in planned.output
    assert "moved/tools/cli: 3 added" in planned.output
    assert planned.changed == 1
    assert compare.repositories_of(destination) == []
    assert not (here.folder / "state").exists()

    checked = here.play("migrate", "--check", registry_rules=rules)
    assert "To copy: 4 tags" in checked.output
    assert compare.repositories_of(destination) == []

    here.play("migrate", copy_images_plan_file=plan_file, registry_rules=rules)
    wanted = {(f"moved/{name}", tag): digest for (name, tag), digest in held.tags().items() if name.startswith("tools/")}
    assert compare.tags_of(destination) == wanted


def test_a_plan_with_conflicts_is_shown_though_it_fails(control: MakeControl, destination: Registry) -> None:
    other = images.ImageSet()
    images.add_image(other.repository("base/os"), "other", [images.layer("other", 1_000)], ["12"])
    push(destination.url, other, "writer", DESTINATION_USER["writer"], destination.ca_file)
    rules = [{"repositories": {"include": ["base/os"]}}]
    for playbook, more in (("plan", []), ("migrate", ["--check", "--diff"])):
        played = control().play(playbook, *more, expect=2, registry_rules=rules, copy_images_existing_tags="fail")
        assert "base/os: 1 in conflict, 1 added" in played.output
        assert re.search(r"  ! 12: the destination has sha256:[0-9a-f]{12}, the source sha256:[0-9a-f]{12}\b", played.output)
        assert "Set existing_tags to overwrite or keep" in played.output


def test_each_step_runs_alone(control: MakeControl, destination: Registry, held: images.ImageSet) -> None:
    here = control()
    early = here.play("migrate", "--tags", "report", expect=2)
    assert "nothing has been copied yet, there is no ledger" in early.output

    here.play("migrate", "--tags", "inventory")
    listed = json.loads((here.folder / "state" / "inventory.json").read_text(encoding="utf-8"))
    assert {repository["name"] for repository in listed["repositories"]} == held.repositories.keys()
    assert compare.repositories_of(destination) == []

    here.play("migrate", "--tags", "copy")
    assert compare.tags_of(destination) == held.tags()
    assert here.report()["counts"] == {}  # still the early one

    verified = here.play("migrate", "--tags", "verify")
    assert f"{len(held.tags())} of {len(held.tags())} tags" in verified.output

    here.play("migrate", "--tags", "report")
    assert here.report()["counts"] == {"copied": len(held.tags())}
    assert here.report()["verified"]


def test_several_workers_need_the_inventory(control: MakeControl, destination: Registry) -> None:
    played = control({"first": {}, "second": {}}).play("migrate", "--skip-tags", "inventory", expect=2)
    assert "the step inventory cannot be left out" in played.output
    assert compare.repositories_of(destination) == []


def test_a_step_that_is_left_out_takes_nothing_else_along(control: MakeControl, destination: Registry, held: images.ImageSet) -> None:
    here = control({"first": {}, "second": {}})
    # the step still knows whose is what
    here.play("migrate", "--skip-tags", "verify")
    assert here.report()["counts"] == {"copied": len(held.tags())}
    # nor is a failure lost with the steps that would have told of it
    rules = [{"repositories": {"include": ["nobody/has-this"]}}]
    played = here.play("migrate", "--skip-tags", "verify,report", expect=2, registry_rules=rules)
    assert "nobody/has-this" in played.output


def test_deep_verification_finds_a_hole(control: MakeControl, destination: Registry) -> None:
    here = control()
    rules = [{"repositories": {"include": ["tools/agent"]}}]
    here.play("migrate", "--tags", "copy", registry_rules=rules)
    layer = images.layer("agent 5 linux s390x", 500_000).digest
    with Client(destination.access) as client:
        client.request("DELETE", f"/v2/tools/agent/blobs/{layer}", expect=(202,))
    played = here.play("verify", expect=2, registry_rules=rules, verify_mode="deep")
    assert layer in played.output


@pytest.mark.parametrize("playbook", ["migrate", "plan", "verify"])
def test_a_misspelt_variable_ends_the_run(control: MakeControl, destination: Registry, playbook: str) -> None:
    here = control()
    rules = [{"repositories": {"include": ["base/os"]}}]
    played = here.play(playbook, expect=2, registry_rule=rules, verify_mod="deep", registry_url="mine", report_of_mine=1)
    assert "registry_rule (registry_rules?)" in played.output
    assert "verify_mod (verify_mode?)" in played.output
    assert "registry_url" in played.output
    assert "report_of_mine" not in played.output
    assert compare.repositories_of(destination) == []


def test_rules_are_said_and_variables_of_ones_own_may_be(control: MakeControl) -> None:
    here = control()
    rules = [{"repositories": {"include": ["tools/*"], "exclude": ["tools/agent"]}, "mapping": {"prefix": "moved"}}]
    played = here.play("plan", registry_rules=rules, registry_url="mine", registry_other_variables=["registry_url"])
    assert "rules[0]: repositories tools/*, but not tools/agent; mapping: prefix moved" in played.output
    assert "rules[0]: all repositories; under the same name" in here.play("plan").output


def test_the_names_of_all_variables_are_known() -> None:
    known = yaml.safe_load((ROOT / "playbooks" / "vars" / "migration.yml").read_text(encoding="utf-8"))["__registry_variables"]
    assert len(set(known)) == len(known)
    readme = (ROOT / "playbooks" / "README.md").read_text(encoding="utf-8")
    table = {
        name for row in re.findall(r"^\| (`(?:registry|msr)_.+?`) \|", readme, re.MULTILINE) for name in re.findall("`([a-z_]+)`", row)
    }
    roles = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in ROOT.glob("roles/*/meta/argument_specs.yml")]
    options = {name for role in roles for name in role["argument_specs"]["main"]["options"]}
    sources = "".join(path.read_text(encoding="utf-8") for folder in ("playbooks", "roles") for path in (ROOT / folder).rglob("*.yml"))
    left = set(
        re.findall(
            r"(?:register|set_fact):\s+#?.*?\b((?:registry|repositories|copy_images|inventory|verify|report|msr|accounts|organizations)_[a-z_]+)",
            sources,
        )
    )
    ansible = {"inventory_dir", "inventory_file", "inventory_hostname", "inventory_hostname_short"}
    assert left >= {"copy_images_result", "verify_result", "inventory_result", "report_result"}
    # what set_stats hands on is a variable of the next job in a workflow of AWX
    assert set(known) == table | options | left | ansible | {"inventory_share", "registry_migration", "registry_cutover"}


@pytest.fixture
def projects(registries: RegistryFactory) -> t.Iterator[Projects]:
    """A destination that takes a push only into projects that exist; there are none."""
    ((user, password),) = list(DESTINATION_USER.items())
    with Projects(registries.start("behind"), user, password) as double:
        yield double


def to_projects(projects: Projects, **more: t.Any) -> dict[str, t.Any]:
    connection = {"url": projects.url, "provider": "harbor", "username": projects.user, "password": projects.password}
    return {"registry_destination": connection, "registry_rules": [{"mapping": {"prefix": "all"}}], **more}


def test_what_the_destination_needs_is_created_before_the_copy(control: MakeControl, projects: Projects, held: images.ImageSet) -> None:
    here = control({"first": {}, "second": {}})
    variables = to_projects(
        projects,
        registry_rules=[
            {"repositories": {"include": ["tools/*"]}},
            {"repositories": {"exclude": ["tools/*"]}, "mapping": {"prefix": "all"}},
        ],
        registry_repository_settings={"public": False},
        registry_repository_overrides=[{"match": "all", "settings": {"public": True}}],
    )
    for playbook, arguments in (("plan", []), ("migrate", ["--check", "--diff"])):
        planned = here.play(playbook, *arguments, **variables)
        assert f"{projects.host}, project: 2 to create." in planned.output
        assert "+ tools: public false" in planned.output
        assert "To copy: " in planned.output
        assert projects.projects == {}

    first = here.play("migrate", **variables)
    assert f"{projects.host}, project: 2 created." in first.output
    assert {name: project["public"] for name, project in projects.projects.items()} == {"all": "true", "tools": "false"}
    wanted = {(name if name.startswith("tools/") else f"all/{name}", tag): digest for (name, tag), digest in held.tags().items()}
    assert compare.tags_of(projects) == wanted
    # one of the workers creates for both
    assert projects.created == 2
    second = here.play("migrate", "-v", **variables)
    assert second.changed == 0
    assert f"{projects.host}, project: 2 as wanted." in second.output


def test_nobody_has_to_create_anything(control: MakeControl, projects: Projects) -> None:
    played = control().play("migrate", expect=2, **to_projects(projects, registry_create_repositories=False))
    assert projects.created == 0
    assert "no access to this project" in played.output


def test_what_cannot_be_created_ends_the_run_before_the_copy(control: MakeControl, projects: Projects) -> None:
    projects.refused = {"all"}
    here = control({"first": {}, "second": {}})
    played = here.play("migrate", expect=2, **to_projects(projects))
    assert "1 of 1 could not be made ready. The first: project all: " in played.output
    assert projects.count("POST|PUT|PATCH", "^/v2/") == 0
    report = here.report()
    assert [worker["outcome"] for worker in report["workers"]] == ["not run", "not run"]


def test_a_slice_creates_what_its_own_part_needs(control: MakeControl, projects: Projects, held: images.ImageSet) -> None:
    hosts = {f"worker{index}": {"registry_worker_index": index, "registry_worker_count": 3} for index in range(3)}
    here = control(hosts)
    parts = assign(dict.fromkeys(held.repositories, 0), 3, "name")
    # each repository in a project of its own
    rules = [{"mapping": {"regex": [{"pattern": "([^/]+)/(.+)", "replacement": r"\1-project/\2"}]}}]
    for index, part in enumerate(parts):
        projects.projects.clear()
        here.play("migrate", "--limit", f"worker{index}", "--tags", "repositories", **to_projects(projects, registry_rules=rules))
        assert set(projects.projects) == {f"{name.partition('/')[0]}-project" for name in part}
    assert compare.repositories_of(projects) == []


def test_each_worker_s_plan_says_what_has_to_exist(control: MakeControl, projects: Projects, held: images.ImageSet) -> None:
    here = control({"first": {}, "second": {}})
    plan_file = str(here.folder / "plan-{{ inventory_hostname }}.jsonl")
    here.play("plan", **to_projects(projects, copy_images_plan_file=plan_file))
    assert len(list(here.folder.glob("plan-*.jsonl"))) == 2
    # other rules do not matter for a plan that is carried out
    here.play(
        "migrate", "--tags", "inventory,repositories,copy", **to_projects(projects, copy_images_plan_file=plan_file, registry_rules=[{}])
    )
    assert set(projects.projects) == {"all"}
    assert compare.tags_of(projects) == {(f"all/{name}", tag): digest for (name, tag), digest in held.tags().items()}


def test_further_destinations_get_what_they_need(
    control: MakeControl, destination: Registry, projects: Projects, held: images.ImageSet
) -> None:
    here = control()
    variables = to_projects(projects)
    further = {"registry_further_destinations": [variables.pop("registry_destination")], "registry_rules": variables["registry_rules"]}
    played = here.play("migrate", "-vvv", **further)
    assert f"{projects.host}, project: 1 created." in played.output
    wanted = {(f"all/{name}", tag): digest for (name, tag), digest in held.tags().items()}
    assert compare.tags_of(destination) == compare.tags_of(projects) == wanted

    # the copy has everything in its place, and yet what was asked for is not there
    played = here.play("migrate", expect=2, registry_repository_settings={"publik": True}, **further)
    assert "publik" in played.output.rpartition("End with a failure")[2]
    assert here.report()["counts"] == {"unchanged": len(held.tags())}


def test_missing_connections_are_named(control: MakeControl) -> None:
    here = control()
    here.write("group_vars/all/registries.yml", {"registry_destination": "new.example.com"})
    played = here.play("migrate", expect=2)
    assert "Set registry_source and registry_destination to dictionaries" in played.output


def test_the_tarball_installs_elsewhere_and_runs(
    control: MakeControl, destination: Registry, held: images.ImageSet, tmp_path: Path
) -> None:
    here = control()
    sys.path.insert(0, str(ROOT / "tests" / "tools"))
    try:
        from collection_copy import copy_collection
    finally:
        sys.path.pop(0)
    clean = copy_collection(ROOT, tmp_path / "clean")
    here.collections = tmp_path / "installed"
    built = here.command("ansible-galaxy", "collection", "build", str(clean), "--output-path", str(tmp_path / "built"))
    assert built.status == 0, built.output
    (tarball,) = (tmp_path / "built").glob("registryops-migration-*.tar.gz")
    installed = here.command("ansible-galaxy", "collection", "install", "--offline", "-p", str(here.collections), str(tarball))
    assert installed.status == 0, installed.output

    played = here.play("migrate", "-vv")
    assert f"{here.collections}/ansible_collections/registryops/migration/playbooks/migrate.yml" in played.output
    assert compare.tags_of(destination) == held.tags()
    assert here.report()["verified"]


@pytest.mark.parametrize("role", sorted(path.name for path in (ROOT / "roles").iterdir()))
def test_roles_say_the_same_everywhere(role: str) -> None:
    folder = ROOT / "roles" / role
    options = yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((folder / "defaults" / "main.yml").read_text(encoding="utf-8"))
    table = re.findall(r"^\| `([a-z0-9_]+)` \|", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(options)
    assert defaults.keys() <= options.keys()
    assert {name: option["default"] for name, option in options.items() if "default" in option} == {
        name: value for name, value in defaults.items() if "{{" not in str(value)
    }
    assert all(name.startswith(f"{role}_") for name in options)

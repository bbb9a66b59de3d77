# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook from_v1 with a real v1 registry: to another name, to the same one, to Amazon ECR; and the table of variables."""

from __future__ import annotations

import ast
import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from estate import images
from estate.compare import tags_of as tags_of_registry
from estate.fault_proxy import Fault, FaultProxy
from estate.v1_double import V1Double
from estate.v1_images import push_all
from estate.v1_registry import NotAvailable, V1Registry, installed
from runs.control import Control
from runs.migrator import Environment, alone_in, covers, held_images, tags_of

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.counting import CountingRegistry
    from estate.registry import RegistryFactory

ROOT = Path(__file__).absolute().parents[2]


@pytest.fixture
def held() -> images.ImageSet:
    return held_images()


@pytest.fixture
def source(counting_registry: MakeCountingRegistry, held: images.ImageSet) -> CountingRegistry:
    registry = counting_registry()
    registry.load(held)
    return registry


@pytest.fixture
def destination(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    return counting_registry()


@pytest.fixture
def alone(tmp_path: Path) -> Control:
    return alone_in(tmp_path)


def test_with_an_address_for_each_nothing_has_to_be_cut_over(
    alone: Control, source: CountingRegistry, destination: CountingRegistry, held: images.ImageSet
) -> None:
    environment = Environment(alone, "registry.example.com", "registry.example.com")
    environment.play(USE_HTTP="true", variables={"migrator_v1_connect_to": source.host, "migrator_v2_connect_to": destination.host})
    assert tags_of(destination) == held.tags()
    assert {one.headers["host"] for server in (source, destination) for one in server.log} == {"registry.example.com"}


@pytest.fixture
def old(tmp_path: Path) -> t.Iterator[V1Registry | V1Double]:
    """A v1 registry with some images, the real one where that can run."""
    try:
        installed()
    except NotAvailable:
        registry: V1Registry | V1Double = V1Double(tmp_path / "old")
    else:
        registry = V1Registry(tmp_path / "old")
    with registry:
        push_all(registry.url)
        yield registry


@pytest.fixture
def name(old: V1Registry | V1Double) -> t.Iterator[FaultProxy]:
    """The name and port that both registries have, one after the other."""
    with FaultProxy(old.url) as proxy:
        yield proxy


V1_TAGS = {("library/web", "1.0"), ("library/web", "latest"), ("team/api", "2.1"), ("team/plain", "v1"), ("team/xz", "v1")}


@pytest.fixture
def renewal(alone: Control, name: FaultProxy) -> Environment:
    """The name of the old registry becomes that of the new one."""
    del alone.variables["migrator_source"]
    alone.write("group_vars/all/registries.yml", {**alone.variables, "migrator_cutover_interval": 1})
    made = Environment(alone, name.host, name.host)
    made.always["USE_HTTP"] = "true"
    return made


@covers("V1_REGISTRY", "V2_REGISTRY")
def test_a_v1_registry_to_another_name(renewal: Environment, old: V1Registry | V1Double, destination: CountingRegistry) -> None:
    renewal.always.update(V1_REGISTRY=old.host, V2_REGISTRY=destination.host)
    renewal.play()
    first = tags_of(destination)
    assert first.keys() == V1_TAGS
    assert first["library/web", "1.0"] == first["library/web", "latest"]
    assert renewal.control.report()["counts"] == {"copied": 5}
    assert renewal.control.report()["verified"]
    destination.reset_log()
    renewal.play(SKIP_EXISTING_TAGS="true")
    renewal.play()
    assert tags_of(destination) == first
    assert renewal.control.report()["counts"] == {"unchanged": 5}
    assert destination.count("PUT") == 0


def test_the_storage_of_a_v1_registry_has_no_name_to_share(
    renewal: Environment, old: V1Registry | V1Double, destination: CountingRegistry
) -> None:
    old.stop()
    renewal.always.update(V1_REGISTRY=destination.host, V2_REGISTRY=destination.host)
    renewal.play(variables={"migrator_source": {"type": "v1_storage", "path": str(old.data)}})
    assert tags_of(destination).keys() == V1_TAGS
    assert renewal.control.report()["verified"]


@covers("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
def test_a_v1_registry_to_amazon_ecr(renewal: Environment, registries: RegistryFactory, old: V1Registry | V1Double) -> None:
    pytest.importorskip("moto", reason="moto is not installed: pip install moto flask flask-cors")
    from estate.ecr import ECRDouble

    with ECRDouble(registries.start("ecr")) as ecr:
        keys = ecr.aws()
        renewal.always.update(V1_REGISTRY=old.host, V2_REGISTRY=ecr.url.partition("://")[2])
        double = {"migrator_destination": {"provider": "ecr", "aws": {"endpoint_url": keys["endpoint_url"]}}}
        signed = {"AWS_ACCESS_KEY_ID": keys["access_key"], "AWS_SECRET_ACCESS_KEY": keys["secret_key"], "AWS_SESSION_TOKEN": "a-session"}
        assert "region" in renewal.play(expect=2, variables=double, **signed)
        renewal.play(variables=double, AWS_REGION=keys["region"], **signed)
        assert tags_of_registry(ecr.behind).keys() == V1_TAGS
        # the repositories have been created as well
        assert ecr.repositories.keys() == {repository for repository, _tag in V1_TAGS}
        assert renewal.control.report()["verified"]


def test_v1_and_v2_of_one_name_at_once(renewal: Environment, old: V1Registry | V1Double, destination: CountingRegistry) -> None:
    renewal.always.update(V1_REGISTRY="registry.example.com", V2_REGISTRY="registry.example.com")
    renewal.play(variables={"migrator_v1_connect_to": old.host, "migrator_v2_connect_to": destination.host})
    assert tags_of(destination).keys() == V1_TAGS


def test_the_user_s_tasks_cut_over(renewal: Environment, name: FaultProxy, destination: CountingRegistry) -> None:
    def switch() -> None:
        # nothing was there before everything had been read
        assert tags_of(destination) == {}
        name.target = destination.host

    name.faults.append(Fault("^POST /cut-over$", before=switch, status=204))
    task = {"name": "Cut over", "ansible.builtin.uri": {"url": f"{name.url}/cut-over", "method": "POST", "status_code": 204}}
    tasks = renewal.control.folder / "cut-over.yml"
    tasks.write_text(json.dumps([task]), encoding="utf-8")
    renewal.play(variables={"migrator_cutover": str(tasks)}, LIBRARY_NAMESPACE="false")
    assert tags_of(destination).keys() == {(repository.removeprefix("library/"), tag) for repository, tag in V1_TAGS}
    assert renewal.control.report()["counts"] == {"copied": 5}
    assert renewal.control.report()["verified"]
    # run again, it knows that all that is over
    name.clear()
    renewal.play(variables={"migrator_cutover": str(tasks)}, LIBRARY_NAMESPACE="false")
    assert renewal.control.report()["counts"] == {"unchanged": 5}
    assert name.requests("/v1/(?!_ping)") == name.requests("cut-over") == []


def test_a_name_that_was_moved_before_the_export_was_whole(
    renewal: Environment, name: FaultProxy, old: V1Registry | V1Double, destination: CountingRegistry
) -> None:
    name.faults.append(Fault("^GET /v1/repositories/team/xz/tags", times=None, status=403))
    renewal.play(expect=2)
    assert (renewal.control.folder / "state" / "export" / "localhost" / "images" / "index.json").exists()
    # somebody does it nevertheless
    name.clear()
    name.target = destination.host
    output = renewal.play(expect=2, variables={"migrator_cutover_timeout": 1})
    assert "has no export that was made to its end" in output
    assert tags_of(destination) == {}
    name.target = old.host
    renewal.play(expect=2, variables={"migrator_cutover_timeout": 1})
    name.target = destination.host
    renewal.play()
    assert tags_of(destination).keys() == V1_TAGS


def test_what_was_skipped_before_the_cut_over_is_still_missing_after_it(
    renewal: Environment, name: FaultProxy, destination: CountingRegistry
) -> None:
    name.faults.append(Fault("^GET /v1/repositories/team/xz/tags", times=None, status=403))
    renewal.play(expect=2, variables={"migrator_cutover_timeout": 1}, ERROR_ACTION="skip")
    name.clear()
    name.target = destination.host
    output = renewal.play(expect=2)
    assert "team/xz" in output
    assert tags_of(destination).keys() == V1_TAGS - {("team/xz", "v1")}


@pytest.mark.parametrize(
    "variables",
    [{"migrator_source": {"type": "registry"}}, {"registry_worker_count": 2, "registry_worker_index": 0}],
    ids=["a registry of today", "several workers"],
)
def test_one_name_for_what_cannot_wait_in_a_folder(
    renewal: Environment, destination: CountingRegistry, variables: t.Mapping[str, t.Any]
) -> None:
    output = renewal.play(expect=2, variables=variables)
    assert "is the name of both registries" in output
    assert tags_of(destination) == {}


def test_rules_that_this_playbook_does_not_read_are_refused(renewal: Environment, destination: CountingRegistry) -> None:
    output = renewal.play(expect=2, variables={"registry_rules": [{"repositories": {"include": ["team/api"]}}]})
    assert "set migrator_rules to the rules" in output
    assert tags_of(destination) == {}


def test_a_cut_over_that_takes_too_long_is_waited_for_in_another_run(
    renewal: Environment, name: FaultProxy, destination: CountingRegistry
) -> None:
    # nobody presses a key where there is no terminal
    output = renewal.play(expect=2, variables={"migrator_cutover_timeout": 1})
    assert f"{name.host} still leads to the old registry" in output
    name.clear()
    # somebody else does it, after two more looks
    name.faults.append(Fault("^GET /v2/$", times=1, after=3, before=lambda: setattr(name, "target", destination.host)))
    renewal.play(variables={"migrator_cutover": "wait", "migrator_cutover_timeout": 60})
    assert tags_of(destination).keys() == V1_TAGS
    # what had been exported was not read again
    assert name.requests("/v1/images/.*/layer") == []


def test_an_incomplete_export_is_not_followed_by_a_cut_over(renewal: Environment, name: FaultProxy, destination: CountingRegistry) -> None:
    name.faults.append(Fault("^GET /v1/repositories/team/xz/tags", times=None, status=403))
    tasks = renewal.control.folder / "cut-over.yml"
    tasks.write_text(json.dumps([{"name": "Fail", "ansible.builtin.fail": {"msg": "too early"}}]), encoding="utf-8")
    output = renewal.play(expect=2, variables={"migrator_cutover": str(tasks)}, ERROR_ACTION="retry")
    assert "too early" not in output
    assert "team/xz" in output
    assert name.target != destination.host
    # unless that was decided
    output = renewal.play(expect=2, variables={"migrator_cutover": str(tasks)}, ERROR_ACTION="skip")
    assert "too early" in output


# -- the table


def covered() -> dict[str, list[str]]:
    """`{row: tests that say to cover it}`, where the row's name occurs in the test itself."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(__file__).parent.glob("test_migrator*.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            text = ast.get_source_segment(source, node) or ""
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "covers":
                    for row in map(ast.literal_eval, decorator.args):
                        assert row.removeprefix("volume ") in text, (row, node.name)
                        found.setdefault(row, []).append(node.name)
    return found


def test_every_row_of_the_table_has_a_test() -> None:
    text = (ROOT / "docs" / "from-docker-migrator.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[A-Z0-9_]+`|volume `[^`]+`) \| `(migrator_[a-z0-9_]+)` \| (?:.* )?\|$", text, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^\| (?:`[A-Z]|volume)", text, re.MULTILINE)) > 25
    assert {name.replace("`", "") for name, _variable in rows} == covered().keys()
    specs = yaml.safe_load((ROOT / "roles" / "migrator" / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    assert {variable for _name, variable in rows} <= specs["argument_specs"]["main"]["options"].keys()

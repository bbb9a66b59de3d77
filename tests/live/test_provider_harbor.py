# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Harbor: projects, lists with digests, and what its API description says of every request and answer."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

import pytest
from estate.harbor import API, HarborDouble
from estate.product import Answer
from estate.push import push
from estate.team_set import team_set
from runs.modules import endpoint
from runs.providers import assert_copied, assert_nothing_to_do, copy, digests_of, listed, reach, secrets_in, warnings_of
from runs.stores import opened, refusal

if t.TYPE_CHECKING:
    from estate.product import Asked
    from estate.registry import RegistryFactory

USERS = {"admin": "Harbor 12345", "robot$team+mover": "the robot's secret"}
ROBOT = {"username": "robot$team+mover", "password": USERS["robot$team+mover"]}
ADMIN = {"username": "admin", "password": USERS["admin"]}
NAMES = ("team/app", "team/tools/build", "other/app")


@pytest.fixture
def harbor(registries: RegistryFactory) -> t.Iterator[HarborDouble]:
    with HarborDouble(registries.start("harbor"), USERS, ["team", "other"]) as double:
        yield double


def test_lists_come_with_digests_and_in_pages(harbor: HarborDouble) -> None:
    held = team_set(*NAMES, versions=6)
    push(harbor.behind.url, held)
    harbor.most = 2
    harbor.projects["other"]["metadata"]["public"] = "true"
    run = listed(reach(harbor, **ROBOT))
    assert digests_of(run) == held.tags()
    assert secrets_in(run, *USERS.values()) == []
    rows = {row["name"]: row for row in run.result["repositories"]}
    assert rows["other/app"]["visibility"] == "public"
    assert rows["team/app"]["visibility"] == "private"
    assert rows["team/app"]["description"] == "what team/app is for"
    # 7 artifacts on pages of 2, for each repository
    assert harbor.count("GET", "artifacts") == 4 * len(NAMES)
    known = {tag["name"]: tag for tag in rows["team/tools/build"]["tags"]}
    assert known["multi"]["media_type"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    assert known["1"]["size"] > 5_000
    assert known["1"]["pushed"].startswith("2026-01-01")


def test_only_the_projects_that_are_asked_for_are_listed(harbor: HarborDouble) -> None:
    push(harbor.behind.url, team_set(*NAMES, versions=1))
    run = listed(reach(harbor, **ROBOT, namespaces=["other"]))
    assert [row["name"] for row in run.result["repositories"]] == ["other/app"]
    assert harbor.count("GET", f"{API}/repositories") == 0


def test_a_copy_from_harbor_and_what_a_second_one_costs(harbor: HarborDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    held = team_set(*NAMES)
    push(harbor.behind.url, held)
    to = registries.start("to")
    source, destination = reach(harbor, **ROBOT), endpoint(to)
    assert_copied(copy(source, destination, tmp_path), to, held.tags())
    harbor.reset_log()
    assert_nothing_to_do(copy(source, destination, tmp_path), len(held.tags()))
    assert harbor.count("GET", "/manifests/") == 0
    # the first two of each repository are compared, and the signature is in the list of tags alone
    assert harbor.count("HEAD", "/manifests/") == 3 * len(NAMES)
    assert harbor.count("GET", "artifacts|/tags/list") == 2 * len(NAMES)


def test_a_copy_to_harbor_and_what_a_second_one_costs(harbor: HarborDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    held = team_set(*NAMES)
    source = registries.start("from")
    push(source.url, held)
    ends = endpoint(source), reach(harbor, **ROBOT)
    assert_copied(copy(*ends, tmp_path), harbor, held.tags())
    harbor.reset_log()
    assert_nothing_to_do(copy(*ends, tmp_path), len(held.tags()))
    assert harbor.count("GET", "/manifests/") == 0
    assert harbor.count("HEAD", "/manifests/") <= 3 * len(NAMES)


def test_it_is_recognised_by_its_token_service(harbor: HarborDouble) -> None:
    with opened(reach(harbor, **ROBOT)) as it:
        assert it.store.profile.name == "harbor"
        assert it.provider.containers(["team/app", "team/tools/build", "other/app"]) == ["team", "other"]


def test_a_project_is_created_changed_and_then_left_alone(harbor: HarborDouble) -> None:
    wanted = {"public": "yes", "auto_scan": True, "storage_limit": "1073741824"}
    with opened(reach(harbor, **ADMIN), writing=True) as it:
        planned = it.provider.ensure("new", wanted, False)
        assert planned.state == "created"
        assert "new" not in harbor.projects
        assert it.provider.ensure("new", wanted, True) == planned
        assert harbor.projects["new"]["metadata"] == {"public": "true", "auto_scan": "true"}
        assert it.provider.ensure("new", wanted, True).state == "existing"
        changed = it.provider.ensure("new", {"public": False}, True)
        assert (changed.state, changed.differences) == ("changed", {"public": ("true", "false")})
        assert harbor.projects["new"]["metadata"] == {"public": "false", "auto_scan": "true"}
    assert harbor.count("PUT", "projects") == 1
    assert harbor.count("POST", "projects") == 1


def test_a_project_whose_name_is_a_number_is_no_id(harbor: HarborDouble) -> None:
    with opened(reach(harbor, **ADMIN)) as it:
        assert it.provider.ensure("2", {}, True).state == "created"
        assert it.provider.ensure("2", {}, True).state == "existing"


def test_what_cannot_be_created_is_said(harbor: HarborDouble) -> None:
    harbor.hidden.add("secret")
    harbor.add_project("secret", {})
    harbor.add_project("cache", {}, registry_id=7)
    with opened(reach(harbor, **ROBOT)) as it:
        hidden = refusal(lambda: it.provider.ensure("secret", {}, False))
        assert (hidden.kind, hidden.subject) == ("access_denied", "the project secret")
        denied = refusal(lambda: it.provider.ensure("new", {}, True))
        assert (denied.kind, denied.subject) == ("access_denied", "the project new")
        assert it.provider.ensure("cache", {}, True).differences == {"proxy cache": ("yes", "no")}
        assert it.provider.ensure("cache", {}, True).state == "drift"
        wrong = refusal(lambda: it.provider.ensure("team", {"public": "perhaps"}, True))
        assert (wrong.kind, wrong.subject) == ("invalid_option", "public")


def test_a_push_into_a_project_that_is_not_there_says_so(harbor: HarborDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    source = registries.start("from")
    push(source.url, team_set("absent/app", versions=1))
    run = copy(endpoint(source), reach(harbor, **ROBOT), tmp_path)
    assert run.result["failed"]
    assert all("project absent not found" in failure["message"] for failure in run.result["failures"])


def test_without_the_right_to_the_api_each_tag_is_asked_for(harbor: HarborDouble) -> None:
    held = team_set("team/app")
    push(harbor.behind.url, held)
    harbor.closed.add(ROBOT["username"])
    run = listed(reach(harbor, **ROBOT), repositories={"include": ["team/app"]})
    assert digests_of(run) == held.tags()
    assert any("Harbor's own lists cannot be read" in warning for warning in warnings_of(run))
    assert harbor.count("HEAD", "/manifests/") == len(held.tags())


def test_a_wrong_password_ends_the_run(harbor: HarborDouble) -> None:
    push(harbor.behind.url, team_set("team/app", versions=1))
    run = listed(reach(harbor, username="admin", password="not that one"), repositories={"include": ["team/app"]})
    assert run.result["failed"]
    assert run.error["kind"] == "authentication_failed"
    assert secrets_in(run, "not that one") == []


def test_a_list_that_is_cut_short_is_no_list(harbor: HarborDouble) -> None:
    push(harbor.behind.url, team_set("team/app"))
    harbor.lost = 1
    run = listed(reach(harbor, **ROBOT), repositories={"include": ["team/app"]})
    (failure,) = run.result["failures"]
    assert failure["kind"] == "invalid_answer"
    assert "lists only 5 of the 6 items" in failure["message"]


def test_a_list_of_something_else_is_no_list(harbor: HarborDouble) -> None:
    push(harbor.behind.url, team_set("team/app", versions=1))
    harbor._page = lambda asked, rows: Answer(200, [{"tags": [{"name": "1"}]}])  # type: ignore[method-assign]
    run = listed(reach(harbor, **ROBOT), repositories={"include": ["team/app"]})
    (failure,) = run.result["failures"]
    assert (failure["kind"], failure["subject"]) == ("invalid_answer", f"{harbor.host}/team/app")


def test_what_is_not_there_is_named(harbor: HarborDouble) -> None:
    run = listed(reach(harbor, **ROBOT), repositories={"include": ["team/absent"]})
    assert run.result["unreadable"] == ["team/absent"]
    assert run.result["failures"][0]["kind"] == "repository_unknown"


# -- the API description ---------------------------------------------------------------------------------------------------------


class _Contract:
    """Harbor's own description of its API, which has to know every request that is sent and every answer of the double."""

    def __init__(self, file: Path) -> None:
        yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: pip install PyYAML")
        self._jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: pip install jsonschema")
        self._document = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert self._document["basePath"] == API
        for definition in self._document["definitions"].values():
            if "properties" in definition:
                # the double says nothing that Harbor does not know
                definition.setdefault("additionalProperties", False)

    def check(self, asked: Asked, answer: Answer) -> str:
        """Raises where a request or its answer is another than described; returns the operation."""
        path, item = self._find(asked.path.removeprefix(API))
        operation = item[asked.method.lower()]
        parameters = [self._resolve(one) for one in [*item.get("parameters", []), *operation.get("parameters", [])]]
        allowed = {one["name"] for one in parameters if one["in"] == "query"}
        assert set(asked.query) <= allowed, f"{path} knows only {sorted(allowed)}"
        for one in parameters:
            if one["in"] == "query" and one["name"] in asked.query and "maximum" in one:
                assert int(asked.query[one["name"]]) <= one["maximum"]
            if one["in"] == "body":
                self._validate(asked.document, one["schema"])
        described = self._resolve(operation["responses"][str(answer.status)])
        if "schema" in described and asked.method != "HEAD":
            self._validate(answer.document, described["schema"])
        return f"{asked.method} {path}"

    def _find(self, path: str) -> tuple[str, t.Mapping[str, t.Any]]:
        # the one with the fewest variables
        for template in sorted(self._document["paths"], key=lambda one: one.count("{")):
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
                return template, self._document["paths"][template]
        raise AssertionError(f"Harbor has no {path}")

    def _resolve(self, one: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
        if "$ref" not in one:
            return one
        _hash, kind, name = one["$ref"].split("/")
        found: t.Mapping[str, t.Any] = self._document[kind][name]
        return found

    def _validate(self, document: t.Any, schema: t.Mapping[str, t.Any]) -> None:
        whole = {"allOf": [schema], "definitions": self._document["definitions"]}
        self._jsonschema.Draft4Validator(whole).validate(document)


def test_requests_and_answers_are_those_of_the_api_description(harbor: HarborDouble) -> None:
    folder = os.environ.get("REGISTRY_CONTRACTS", "")
    file = Path(folder) / "harbor-v2.0-swagger.yaml"
    if not folder or not file.is_file():
        pytest.skip("REGISTRY_CONTRACTS names no folder with harbor-v2.0-swagger.yaml")
    contract = _Contract(file)
    push(harbor.behind.url, team_set(*NAMES, versions=2))
    harbor.hidden.add("secret")
    harbor.add_project("secret", {})
    exchanges: list[tuple[Asked, Answer]] = []
    answer = harbor._answer

    def remember(asked: Asked) -> Answer:
        found = answer(asked)
        exchanges.append((asked, found))
        return found

    harbor._answer = remember  # type: ignore[method-assign]
    with opened(reach(harbor, **ADMIN)) as it:
        names = list(it.store.repositories())
        assert sorted(names) == sorted(NAMES)
        assert all(it.store.listing(name).records for name in names)
        assert refusal(lambda: it.store.listing("team/absent")).kind == "repository_unknown"
        it.provider.ensure("new", {"public": True, "storage_limit": -1}, True)
        it.provider.ensure("new", {"public": False, "auto_scan": True, "prevent_vulnerable": True}, True)
    with opened(reach(harbor, **ROBOT)) as it:
        refusal(lambda: it.provider.ensure("secret", {}, True))
    with opened(reach(harbor, username="admin", password="wrong")) as it:
        refusal(lambda: it.provider.ensure("new", {}, True))
    seen = {contract.check(asked, found) for asked, found in exchanges if asked.path.startswith(API)}
    assert seen == {
        "GET /projects",
        "HEAD /projects",
        "POST /projects",
        "GET /projects/{project_name_or_id}",
        "PUT /projects/{project_name_or_id}",
        "GET /repositories",
        "GET /projects/{project_name}/repositories/{repository_name}/artifacts",
    }

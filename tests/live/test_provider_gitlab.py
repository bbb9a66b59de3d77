# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GitLab: a double of its registry and of its API, through the modules."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.gitlab import JOB_USER, GitLabDouble
from estate.product import Answer, Asked
from estate.push import push
from estate.team_set import paged_set
from runs.providers import Product, assert_copied, assert_nothing_to_do, both_ways, digests_of, warnings_of

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AccessDenied, InvalidName

if t.TYPE_CHECKING:
    from estate.registry import RegistryFactory

TOKEN = "glpat-token-of-the-mover"
JOB_TOKEN = "glcbt-token-of-a-job"


@pytest.fixture
def gitlab(registries: RegistryFactory) -> t.Iterator[Product]:
    """GitLab with the projects of the team, and no images."""
    with GitLabDouble(registries.start("behind"), {"mover": TOKEN, JOB_USER: JOB_TOKEN}) as double:
        double.add_group("team")
        for name in paged_set().repositories:
            double.add_project(name)
        yield Product(double, "mover", TOKEN, {"namespaces": ["team"]})


def double_of(product: Product) -> GitLabDouble:
    assert isinstance(product.double, GitLabDouble)
    return product.double


@pytest.fixture
def filled(gitlab: Product) -> Product:
    """GitLab with the images of the team."""
    push(gitlab.double.behind.url, paged_set())
    return gitlab


def test_is_recognised(gitlab: Product) -> None:
    with gitlab.provider() as provider:
        assert provider.profile.name == "gitlab"


def test_lists_a_group_over_several_pages(filled: Product) -> None:
    double = double_of(filled)
    double.largest_page = 2
    run = filled.list()
    assert digests_of(run) == paged_set().tags()
    assert double.count("GET", "/api/v4/groups/team/registry/repositories") == 3
    assert double.count("GET", "_catalog") == 0
    assert all(row["created"].startswith("2026-01-02T") for row in run.result["repositories"])


def test_lists_projects(filled: Product) -> None:
    double = double_of(filled)
    run = filled.list(namespaces=["team/app", "team/web"])
    assert {name for name, _tag in digests_of(run)} == {"team/app", "team/web"}
    double.projects["team/web"]["container_registry_access_level"] = "disabled"
    double.largest_page = 2
    # without a namespace: those that the user is a member of
    run = filled.list(namespaces=None)
    assert {name for name, _tag in digests_of(run)} == set(paged_set().repositories) - {"team/web"}
    assert double.count("GET", r"/api/v4/projects\?") == 3


def test_copies_both_ways_and_finds_nothing_to_do(gitlab: Product, registries: RegistryFactory, tmp_path: Path) -> None:
    plain, empty = registries.start("plain"), registries.start("empty")
    push(plain.url, paged_set())
    both_ways(gitlab, plain, empty, tmp_path, paged_set())


def test_a_job_lists_projects_with_its_token(filled: Product) -> None:
    run = filled.list(username=JOB_USER, password=JOB_TOKEN, namespaces=["team/app"])
    assert {name for name, _tag in digests_of(run)} == {"team/app"}
    assert 401 not in [status for (_method, path), status in zip(filled.double.log, filled.double.statuses, strict=True) if "/api/" in path]


def test_the_api_may_be_elsewhere(filled: Product, registries: RegistryFactory) -> None:
    with GitLabDouble(registries.start("other"), {"mover": "glpat-of-the-other"}) as other:
        other.add_group("team")
        run = filled.list(api_url=f"{other.url}/", api_token="glpat-of-the-other")
        assert digests_of(run) == {}
        assert other.count("GET", "/api/v4/groups/team/registry/repositories") == 1
    assert filled.double.count("GET", "/api/") == 0


@pytest.mark.parametrize(("token", "closed"), [("glpat-wrong", False), (TOKEN, True)])
def test_closed_lists_are_done_without(filled: Product, token: str, closed: bool) -> None:
    double_of(filled).closed = closed
    run = filled.list(api_token=token)
    assert digests_of(run) == paged_set().tags()
    assert len([text for text in warnings_of(run) if "GitLab Container Registry's own lists" in text]) == 1


def test_groups_that_are_not_there(filled: Product) -> None:
    run = filled.list(namespaces=["taem"])
    assert run.error["kind"] == "invalid_option"
    assert run.error["subject"] == "source.namespaces"
    assert "taem" in run.error["message"]


def test_a_gitlab_that_cannot_be_found(registries: RegistryFactory) -> None:
    with _WithoutSigningIn(registries.start("behind"), {"mover": TOKEN}) as double:
        product = Product(double, "mover", TOKEN, {"provider": "gitlab"})
        run = product.list()
        assert run.error["kind"] == "invalid_option"
        assert run.error["subject"] == "source.api_url"
        # what is named can be read all the same
        push(double.behind.url, paged_set())
        assert len(digests_of(product.list(repositories={"include": ["team/app"]}))) == 5


class _WithoutSigningIn(GitLabDouble):
    """Its registry names no token service."""

    def registry(self, asked: Asked) -> None:
        """Let everybody through."""


def test_finds_the_projects_of_repositories(gitlab: Product) -> None:
    double = double_of(gitlab)
    double.add_group("team/backend")
    double.add_project("team/backend/api")
    with gitlab.provider() as provider:
        assert provider.containers(["team/app", "team/app/cache", "team/app/cache/old", "team/backend/api/v2", "team/backend/new"]) == [
            "team/app",
            "team/backend/api",
            "team/backend/new",
        ]
        # nothing of it is there: as deep as it has to be
        assert provider.containers(["fresh/a/b/c/d"]) == ["fresh/a/b"]
        with pytest.raises(InvalidName, match="below the project team/app"):
            provider.containers(["team/app/a/b/c"])
        with pytest.raises(InvalidName, match="no project"):
            provider.containers(["team/backend"])
        assert double.count("GET", "/api/v4/groups/team%2Fbackend$|/api/v4/groups/team%2Fbackend[?]") == 1


def test_creates_projects_with_their_groups(gitlab: Product, registries: RegistryFactory, tmp_path: Path) -> None:
    double = double_of(gitlab)
    wanted = {"visibility": "internal"}
    with gitlab.provider() as provider:
        planned = provider.ensure("fresh/sub/app", wanted, False)
        assert (planned.kind, planned.state) == ("project", "created")
        assert "fresh" not in double.groups
        assert provider.ensure("fresh/sub/app", wanted, True) == planned
        assert {"fresh", "fresh/sub"} <= set(double.groups)
        assert double.projects["fresh/sub/app"]["visibility"] == "internal"
        double.reset_log()
        assert provider.ensure("fresh/sub/app", wanted, True).state == "existing"
        assert [method for method, _path in gitlab.requests()] == ["GET"]
        changed = provider.ensure("fresh/sub/app", {"visibility": "public"}, True)
        assert (changed.state, changed.differences) == ("changed", {"visibility": ("internal", "public")})
        assert double.projects["fresh/sub/app"]["visibility"] == "public"
        # a user is a namespace, too
        assert provider.ensure("mover/own", {}, True).state == "created"
        assert "mover/own" in double.projects

    # what has been created can be pushed to, and nothing else
    plain = registries.start("plain")
    held = images.ImageSet()
    images.add_image(held.repository("fresh/sub/app/cache"), "cache", [images.layer("cache", 1_000)], ["1"])
    push(plain.url, held)
    assert_copied(gitlab.copy(plain, tmp_path, to=True), double, held.tags())
    assert_nothing_to_do(gitlab.copy(plain, tmp_path, to=True), 1)
    refused = gitlab.copy(plain, tmp_path / "refused", to=True, rules=[{"mapping": {"prefix": "nowhere"}}])
    assert refused.result["failed"]


def test_projects_that_are_created_side_by_side_share_their_group(gitlab: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    double, both = double_of(gitlab), threading.Barrier(2)
    answer = double._answer

    def late(asked: Asked) -> Answer:
        if asked.method == "GET" and asked.path.endswith("/namespaces/fresh"):
            # whoever asks waits for the other one to ask as well, but not for ever
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(0.3)
        return answer(asked)

    monkeypatch.setattr(double, "_answer", late)
    with gitlab.provider() as provider, concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda name: provider.ensure(name, {}, True).state, ["fresh/app", "fresh/web"]))
    assert made == ["created", "created"]
    assert {"fresh/app", "fresh/web"} <= set(double.projects)


def test_another_worker_may_make_the_group_first(gitlab: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    double = double_of(gitlab)
    answer = double._answer

    def late(asked: Asked) -> Answer:
        found = answer(asked)
        if asked.path.endswith("/namespaces/fresh") and "fresh" not in double.groups:
            double.add_group("fresh")
        return found

    monkeypatch.setattr(double, "_answer", late)
    with gitlab.provider() as provider:
        assert provider.ensure("fresh/app", {}, True).state == "created"
    assert "fresh/app" in double.projects


def test_a_project_without_a_registry_gets_one(gitlab: Product) -> None:
    double_of(gitlab).projects["team/app"]["container_registry_access_level"] = "disabled"
    with gitlab.provider() as provider:
        changed = provider.ensure("team/app", {}, True)
        assert (changed.state, changed.differences) == ("changed", {"container_registry_access_level": ("disabled", "enabled")})
        assert provider.ensure("team/app", {}, True).state == "existing"


def test_creating_needs_the_right_to_it(gitlab: Product) -> None:
    double_of(gitlab).closed = True
    with gitlab.provider() as provider, pytest.raises(AccessDenied, match="fresh/app"):
        provider.ensure("fresh/app", {}, True)

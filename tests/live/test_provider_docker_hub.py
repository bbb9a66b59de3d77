# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker Hub: a double of its registry and of its API, through the modules."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

import pytest
from estate.docker_hub import DockerHubDouble
from estate.push import push
from estate.team_set import paged_set
from runs.providers import Product, assert_copied, both_ways, digests_of, warnings_of

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AccessDenied, AuthenticationFailed, InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._providers import docker_hub

if t.TYPE_CHECKING:
    from estate.registry import RegistryFactory

SECRET = "dckr_pat_of-the-mover"
ORGANIZATION_TOKEN = "dckr_oat_of-the-team"


@pytest.fixture
def hub(registries: RegistryFactory) -> t.Iterator[Product]:
    """Docker Hub with nothing in it."""
    users = {"mover": SECRET, "team": ORGANIZATION_TOKEN}
    with DockerHubDouble(registries.start("behind"), users, ["mover", "team"]) as double:
        yield Product(double, "mover", SECRET, {"provider": "docker_hub", "api_url": double.url, "namespaces": ["team"]})


def double_of(product: Product) -> DockerHubDouble:
    assert isinstance(product.double, DockerHubDouble)
    return product.double


@pytest.fixture
def filled(hub: Product) -> Product:
    """Docker Hub with the images of the team."""
    push(hub.double.behind.url, paged_set())
    return hub


def test_lists_over_several_pages(filled: Product) -> None:
    double = double_of(filled)
    double.largest_page = 2
    run = filled.list()
    assert digests_of(run) == paged_set().tags()
    # three pages of repositories, three of the tags of one of them, and no question for digests beside the checks
    assert double.count("GET", r"/repositories\?") == 3
    assert double.count("GET", r"/app/tags\?") == 3
    assert double.count("HEAD", "/manifests/") == 7
    assert double.count("GET", "/manifests/|/tags/list|_catalog") == 0
    assert double.sign_ins == 1
    row = next(row for row in run.result["repositories"] if row["name"] == "team/app")
    assert row["visibility"] == "public"
    assert row["created"].startswith("2026-01-02T")
    tag = row["tags"][0]
    assert tag["size"] > 20_000
    assert tag["pushed"].startswith("2026-02-03T")
    assert tag["media_type"] == "application/vnd.oci.image.manifest.v1+json"


def test_pages_are_as_large_as_they_may_be(filled: Product) -> None:
    assert digests_of(filled.list()) == paged_set().tags()
    pages = [path for _method, path in double_of(filled).log if "/v2/namespaces/" in path]
    assert len(pages) == 1 + 5
    assert all("page_size=100" in path for path in pages)


def test_copies_both_ways_and_finds_nothing_to_do(hub: Product, registries: RegistryFactory, tmp_path: Path) -> None:
    plain, empty = registries.start("plain"), registries.start("empty")
    push(plain.url, paged_set())
    both_ways(hub, plain, empty, tmp_path, paged_set())


def test_an_organization_signs_in_with_its_token(filled: Product) -> None:
    run = filled.list(username="team", password=ORGANIZATION_TOKEN, namespaces=None)
    assert digests_of(run) == paged_set().tags()


def test_what_is_public_is_listed_for_everybody(filled: Product) -> None:
    double = double_of(filled)
    double.made["team/web"] = {**double._record("team/web"), "is_private": True}
    anonymous: dict[str, t.Any] = {"username": None, "password": None}
    assert {name for name, _tag in digests_of(filled.list(**anonymous))} == {"team/app", "team/base", "team/proxy", "team/tool"}
    assert double.sign_ins == 0
    run = filled.list(**anonymous, namespaces=None)
    assert run.error["kind"] == "invalid_option"
    assert run.error["subject"] == "source.namespaces"


def test_a_token_is_renewed_before_it_ends(filled: Product) -> None:
    double = double_of(filled)
    double.token_life = 4
    with filled.provider() as provider:
        assert len(list(provider.repositories())) == 5
        assert len(provider.tags("team/app") or []) == 5
        assert double.sign_ins == 1
        deadline = time.monotonic() + 30
        while double.sign_ins == 1:
            assert time.monotonic() < deadline
            assert len(provider.tags("team/web") or []) == 1
            time.sleep(0.05)
    assert 401 not in [status for (_method, path), status in zip(double.log, double.statuses, strict=True) if "namespaces" in path]


@pytest.mark.parametrize(
    ("token", "life"),
    [
        ("e30.eyJpYXQiOjEwMCwiZXhwIjo3MDB9.x", 600.0),
        ("e30.eyJleHAiOjcwMH0.x", 540.0),
        ("e30.eyJpYXQiOjcwMCwiZXhwIjoxMDB9.x", 540.0),
        ("e30.bm90IGpzb24.x", 540.0),
        ("opaque", 540.0),
    ],
)
def test_the_life_of_a_token(token: str, life: float) -> None:
    assert docker_hub.life_of(token) == life


def test_a_refused_secret_is_shown_once(filled: Product) -> None:
    double = double_of(filled)
    run = filled.list(password="dckr_pat_wrong", repositories={"include": ["team/app", "team/web", "team/tool"]})
    assert run.error["kind"] == "authentication_failed"
    assert double.sign_ins == 1
    with filled.provider(password="dckr_pat_wrong") as provider:
        for _attempt in range(3):
            with pytest.raises(AuthenticationFailed, match="mover"):
                provider.tags("team/app")
    assert double.sign_ins == 2


def test_closed_lists_are_done_without(filled: Product) -> None:
    double_of(filled).closed = True
    names = sorted(paged_set().repositories)
    run = filled.list(repositories={"include": names})
    assert digests_of(run) == paged_set().tags()
    assert len([text for text in warnings_of(run) if "Docker Hub's own lists" in text]) == 1
    # and where nothing else lists repositories, the way out is said
    run = filled.list()
    assert run.error["kind"] == "catalog_forbidden"
    assert "include" in run.error["hint"]


def test_lists_that_are_cut_short_or_lead_away_are_refused(filled: Product) -> None:
    double = double_of(filled)
    double.largest_page = 2
    double.last_page = 1
    run = filled.list()
    assert run.error["kind"] == "invalid_answer"
    assert "2 of the 5" in run.error["message"]
    double.last_page = 0
    double.next_base = "http://hub.example.com"
    run = filled.list()
    assert run.error["kind"] == "invalid_answer"
    assert "another host" in run.error["message"]


def test_namespaces_that_are_not_there(filled: Product) -> None:
    run = filled.list(namespaces=["team", "taem"])
    assert run.error["kind"] == "invalid_option"
    assert run.error["subject"] == "source.namespaces"
    assert "taem" in run.error["message"]


def test_names_have_two_components(hub: Product, registries: RegistryFactory, tmp_path: Path) -> None:
    plain = registries.start("plain")
    push(plain.url, paged_set("group/team"))
    run = hub.copy(plain, tmp_path, to=True)
    assert run.result["failed"]
    assert "invalid_name" in {row["kind"] for row in run.result.get("failures", [run.result.get("error", {})])}
    joined = hub.copy(plain, tmp_path, to=True, rules=[{"mapping": {"flatten": 1}}])
    assert_copied(joined, hub.double, paged_set().tags())


def test_creates_repositories(hub: Product) -> None:
    double = double_of(hub)
    wanted = {"private": True, "description": "moved here", "immutable_tags": ["v.*"]}
    with hub.provider() as provider:
        assert provider.containers(["team/app", "team/web", "team/app"]) == ["team/app", "team/web"]
        planned = provider.ensure("team/app", wanted, False)
        assert planned.state == "created"
        assert double.made == {}
        made = provider.ensure("team/app", wanted, True)
        assert made == planned
        assert double.made["team/app"]["is_private"] is True
        assert double.made["team/app"]["description"] == "moved here"
        assert double.made["team/app"]["immutable_tags_settings"] == {"enabled": True, "rules": ["v.*"]}
        double.reset_log()
        assert provider.ensure("team/app", wanted, True).state == "existing"
        assert [method for method, _path in hub.requests()] == ["GET"]

        changed = provider.ensure("team/app", {**wanted, "immutable_tags": []}, True)
        assert (changed.state, changed.differences) == ("changed", {"immutable_tags": (["v.*"], [])})
        assert double.made["team/app"]["immutable_tags_settings"]["enabled"] is False
        drift = provider.ensure("team/app", {"private": False}, True)
        assert (drift.state, drift.differences) == ("drift", {"private": (True, False)})
        assert double.made["team/app"]["is_private"] is True


def test_what_nobody_says_to_be_public_is_private(hub: Product) -> None:
    double = double_of(hub)
    with hub.provider() as provider:
        assert provider.ensure("team/app", {}, True).differences == {}
        assert provider.ensure("team/web", {"private": "no"}, True).differences == {"private": (None, False)}
        assert provider.ensure("team/web", {"private": "no"}, True).state == "existing"
    assert {name: made["is_private"] for name, made in double.made.items()} == {"team/app": True, "team/web": False}


@pytest.mark.parametrize(("setting", "value"), [("private", "perhaps"), ("immutable_tags", "v.*")])
def test_settings_that_are_none_are_refused_first(hub: Product, setting: str, value: str) -> None:
    with hub.provider() as provider, pytest.raises(InvalidOption) as caught:
        provider.ensure("team/app", {setting: value}, True)
    assert caught.value.subject == setting
    assert double_of(hub).made == {}


def test_creating_needs_the_right_to_it(hub: Product) -> None:
    double_of(hub).readers.add("mover")
    with hub.provider() as provider, pytest.raises(AccessDenied, match="team/app"):
        provider.ensure("team/app", {}, True)
    assert double_of(hub).made == {}


def test_an_api_token_needs_a_name(hub: Product) -> None:
    with hub.provider(username=None, password=None, api_token=SECRET) as provider:
        with pytest.raises(InvalidOption) as caught:
            provider.tags("team/app")
    assert caught.value.subject == "source.username"

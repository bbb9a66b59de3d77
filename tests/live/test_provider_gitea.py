# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gitea and Forgejo: a double of their registry and of their API, through the modules."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.compare import tags_of
from estate.gitea import GiteaDouble
from estate.push import push
from estate.team_set import paged_set
from runs.providers import Product, assert_nothing_to_do, both_ways, digests_of, warnings_of

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AuthenticationFailed

if t.TYPE_CHECKING:
    from estate.registry import RegistryFactory

PASSWORD = "password-of-the-mover"
TOKEN = "token-for-the-api-alone"


@pytest.fixture
def gitea(registries: RegistryFactory) -> t.Iterator[Product]:
    """Gitea with an empty organization."""
    with GiteaDouble(registries.start("behind"), {"mover": PASSWORD}, [TOKEN]) as double:
        double.organizations["team"] = "limited"
        yield Product(double, "mover", PASSWORD, {"namespaces": ["team"]})


def double_of(product: Product) -> GiteaDouble:
    assert isinstance(product.double, GiteaDouble)
    return product.double


@pytest.fixture
def filled(gitea: Product) -> Product:
    """Gitea with the images of the team."""
    push(gitea.double.behind.url, paged_set())
    return gitea


def test_is_recognised(gitea: Product) -> None:
    with gitea.provider() as provider:
        assert provider.profile.name == "gitea"


@pytest.mark.parametrize(("size", "pages"), [(3, 4), (50, 1)])
def test_lists_over_several_pages(filled: Product, size: int, pages: int) -> None:
    double = double_of(filled)
    double.largest_page = size
    run = filled.list()
    assert digests_of(run) == paged_set().tags()
    # ten tags, and the two platforms of an index
    assert double.count("GET", "/api/v1/packages/team") == pages
    rows = {row["name"]: row for row in run.result["repositories"]}
    assert rows["team/app"]["visibility"] == "limited"
    assert {name: row["tag_count"] for name, row in rows.items()} == {
        "team/app": 5, "team/base": 1, "team/proxy": 1, "team/tool": 2, "team/web": 1,
    }  # fmt: skip


def test_without_namespaces_there_is_the_catalogue(filled: Product) -> None:
    run = filled.list(namespaces=None)
    assert digests_of(run) == paged_set().tags()
    assert warnings_of(run) == []
    assert filled.double.count("GET", "/api/") == 0


def test_a_token_for_the_api(filled: Product) -> None:
    run = filled.list(api_token=TOKEN)
    assert digests_of(run) == paged_set().tags()
    assert warnings_of(run) == []


def test_copies_both_ways_and_finds_nothing_to_do(gitea: Product, registries: RegistryFactory, tmp_path: Path) -> None:
    plain, empty = registries.start("plain"), registries.start("empty")
    push(plain.url, paged_set())
    both_ways(gitea, plain, empty, tmp_path, paged_set())


def test_tags_that_differ_in_case_alone_collide(gitea: Product, registries: RegistryFactory, tmp_path: Path) -> None:
    plain = registries.start("plain")
    held = images.ImageSet()
    app = held.repository("team/app")
    images.add_image(app, "first", [images.layer("first", 1_000)], ["Release"])
    images.add_image(app, "second", [images.layer("second", 1_000)], ["release"])
    push(plain.url, held)
    run = gitea.copy(plain, tmp_path, to=True)
    assert run.error["kind"] == "name_collision"
    assert "team/app:release" in str(run.error)
    assert tags_of(gitea.double) == {}


def test_a_tag_in_capital_letters_is_found_again(gitea: Product, registries: RegistryFactory, tmp_path: Path) -> None:
    plain = registries.start("plain")
    held = images.ImageSet()
    image = images.add_image(held.repository("team/app"), "first", [images.layer("first", 1_000)], ["Release"])
    push(plain.url, held)
    run = gitea.copy(plain, tmp_path, to=True)
    assert run.result["counts"]["copied"] == 1, run.result
    assert tags_of(gitea.double) == {("team/app", "release"): image.digest}
    assert_nothing_to_do(gitea.copy(plain, tmp_path, to=True), 1)


@pytest.mark.parametrize(("token", "closed"), [("wrong-token-for-the-api", False), (TOKEN, True)])
def test_closed_lists_are_done_without(filled: Product, token: str, closed: bool) -> None:
    double_of(filled).closed = closed
    run = filled.list(api_token=token)
    assert digests_of(run) == paged_set().tags()
    assert len([text for text in warnings_of(run) if "Gitea or Forgejo's own lists" in text]) == 1


def test_owners_that_are_not_there(filled: Product) -> None:
    run = filled.list(namespaces=["taem"])
    assert run.error["kind"] == "invalid_option"
    assert run.error["subject"] == "source.namespaces"


def test_a_list_with_fewer_items_than_it_says(filled: Product) -> None:
    double = double_of(filled)
    double.largest_page = 4
    double.last_page = 1
    run = filled.list()
    assert run.error["kind"] == "invalid_answer"
    assert "4 of the 12" in run.error["message"]


def test_creates_organizations(gitea: Product) -> None:
    double = double_of(gitea)
    wanted = {"visibility": "private"}
    with gitea.provider() as provider:
        assert provider.containers(["new/app", "team/app", "new/web"]) == ["new", "team"]
        planned = provider.ensure("new", wanted, False)
        assert (planned.state, planned.kind) == ("created", "organization")
        assert "new" not in double.organizations
        assert provider.ensure("new", wanted, True) == planned
        assert double.organizations["new"] == "private"
        double.reset_log()
        assert provider.ensure("new", wanted, True).state == "existing"
        assert provider.ensure("team", {}, True).state == "existing"
        assert provider.ensure("mover", wanted, True).state == "existing"
        assert {method for method, _path in gitea.requests()} == {"GET"}
        changed = provider.ensure("new", {"visibility": "public"}, True)
        assert (changed.state, changed.differences) == ("changed", {"visibility": ("private", "public")})
        assert double.organizations["new"] == "public"


def test_what_nobody_says_to_be_public_is_private(gitea: Product) -> None:
    with gitea.provider() as provider:
        assert provider.ensure("new", {}, True).differences == {}
    assert double_of(gitea).organizations["new"] == "private"


def test_creating_needs_a_token(gitea: Product) -> None:
    with gitea.provider(api_token="wrong-token-for-the-api") as provider, pytest.raises(AuthenticationFailed):
        provider.ensure("new", {}, True)
    assert "new" not in double_of(gitea).organizations

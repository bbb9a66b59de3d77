# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quay: a double of its registry and of its API, through the modules."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from estate.push import push
from estate.quay import QuayDouble
from estate.team_set import paged_set
from runs.providers import Product, both_ways, digests_of, warnings_of

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AccessDenied, InvalidOption

if t.TYPE_CHECKING:
    from estate.registry import RegistryFactory

PASSWORD = "password-of-the-robot"
TOKEN = "oauth2-application-token"


@pytest.fixture
def quay(registries: RegistryFactory) -> t.Iterator[Product]:
    """Quay with an empty organization."""
    with QuayDouble(registries.start("behind"), {"team+robot": PASSWORD, "$oauthtoken": TOKEN}, {TOKEN: "mover"}) as double:
        double.organizations["team"] = "team@example.com"
        yield Product(double, "team+robot", PASSWORD, {"api_token": TOKEN, "namespaces": ["team"]})


def double_of(product: Product) -> QuayDouble:
    assert isinstance(product.double, QuayDouble)
    return product.double


@pytest.fixture
def filled(quay: Product) -> Product:
    """Quay with the images of the team."""
    push(quay.double.behind.url, paged_set())
    return quay


def test_is_recognised(quay: Product) -> None:
    with quay.provider() as provider:
        assert provider.profile.name == "quay"


def test_lists_over_several_pages(filled: Product) -> None:
    double = double_of(filled)
    double.largest_page = 2
    run = filled.list()
    assert digests_of(run) == paged_set().tags()
    assert double.count("GET", r"/api/v1/repository\?") == 3
    assert double.count("GET", r"/api/v1/repository/team/app/tag/\?") == 3
    assert double.count("HEAD", "/manifests/") == 7
    row = next(row for row in run.result["repositories"] if row["name"] == "team/app")
    assert row["visibility"] == "private"
    assert row["tags"][0]["size"] > 20_000
    assert row["tags"][0]["pushed"] == "2026-05-28T20:26:40+00:00"


def test_lists_the_namespaces_of_the_user(filled: Product) -> None:
    assert digests_of(filled.list(namespaces=None)) == paged_set().tags()
    assert filled.double.count("GET", "/api/v1/user/") == 1


def test_copies_both_ways_and_finds_nothing_to_do(quay: Product, registries: RegistryFactory, tmp_path: Path) -> None:
    plain, empty = registries.start("plain"), registries.start("empty")
    push(plain.url, paged_set())
    both_ways(quay, plain, empty, tmp_path, paged_set())


def test_without_a_token_there_is_the_catalogue(filled: Product) -> None:
    run = filled.list(api_token=None)
    assert digests_of(run) == paged_set().tags()
    assert warnings_of(run) == []
    assert filled.double.count(".*", "/api/v1/") == 0
    assert filled.double.count("GET", "/v2/_catalog") >= 1


def test_a_token_that_the_registry_takes_opens_the_api(filled: Product) -> None:
    run = filled.list(username="$oauthtoken", password=TOKEN, api_token=None)
    assert digests_of(run) == paged_set().tags()
    assert filled.double.count("GET", "/v2/_catalog|/tags/list") == 0


@pytest.mark.parametrize(("token", "closed"), [("wrong-application-token", False), (TOKEN, True)])
def test_closed_lists_are_done_without(filled: Product, token: str, closed: bool) -> None:
    double_of(filled).closed = closed
    run = filled.list(api_token=token)
    assert digests_of(run) == paged_set().tags()
    assert len([text for text in warnings_of(run) if "Quay's own lists" in text]) == 1


def test_creates_organizations_and_repositories(quay: Product) -> None:
    double = double_of(quay)
    with quay.provider() as provider:
        assert provider.containers(["new/app", "team/app", "new/web"]) == ["new", "team", "new/app", "team/app", "new/web"]
        assert provider.ensure("new", {"email": "new@example.com"}, False).state == "created"
        assert "new" not in double.organizations
        assert provider.ensure("new", {"email": "new@example.com"}, True).state == "created"
        assert double.organizations["new"] == "new@example.com"
        assert [provider.ensure(name, {}, True).state for name in ("new", "team", "mover")] == ["existing"] * 3

        wanted = {"visibility": "public", "description": "moved here"}
        assert provider.ensure("new/app", wanted, False).state == "created"
        assert double.made == {}
        assert provider.ensure("new/app", wanted, True).state == "created"
        assert double.made["new/app"]["is_public"] is True
        double.reset_log()
        assert provider.ensure("new/app", wanted, True).state == "existing"
        assert provider.ensure("new/app", {}, True).state == "existing"
        assert [method for method, _path in quay.requests()] == ["GET", "GET"]
        other = {"visibility": "private", "description": "and changed"}
        planned = provider.ensure("new/app", other, False)
        assert (planned.state, planned.differences["visibility"]) == ("changed", ("public", "private"))
        assert provider.ensure("new/app", other, True) == planned
        assert (double.made["new/app"]["is_public"], double.made["new/app"]["description"]) == (False, "and changed")


def test_creating_needs_a_token_with_the_right_to_it(quay: Product) -> None:
    with quay.provider(api_token=None, provider="quay") as provider, pytest.raises(InvalidOption) as caught:
        provider.ensure("new", {}, True)
    assert caught.value.subject == "source.api_token"
    double_of(quay).closed = True
    with quay.provider() as provider, pytest.raises(AccessDenied):
        provider.ensure("new", {}, True)
    assert set(double_of(quay).organizations) == {"team"}

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GitHub's container registry: a double of it and of GitHub's API for packages, through the modules."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.ghcr import GHCRDouble
from estate.push import push
from estate.team_set import paged_set
from runs.providers import Product, both_ways, digests_of, warnings_of

if t.TYPE_CHECKING:
    from estate.registry import RegistryFactory

TOKEN = "ghp_token-of-the-mover"


@pytest.fixture
def github(registries: RegistryFactory) -> t.Iterator[Product]:
    """GitHub with no package."""
    with GHCRDouble(registries.start("behind"), {"mover": TOKEN}, ["team"]) as double:
        yield Product(double, "mover", TOKEN, {"provider": "ghcr", "api_url": double.url, "namespaces": ["team"]})


def double_of(product: Product) -> GHCRDouble:
    assert isinstance(product.double, GHCRDouble)
    return product.double


@pytest.fixture
def filled(github: Product) -> Product:
    """GitHub with the packages of the team."""
    push(github.double.behind.url, paged_set())
    return github


def test_lists_over_several_pages(filled: Product) -> None:
    double = double_of(filled)
    double.largest_page = 2
    run = filled.list()
    assert digests_of(run) == paged_set().tags()
    assert double.count("GET", r"/orgs/team/packages\?") == 3
    # four versions have the tags of one, and three have those of the other with an index of two platforms
    assert double.count("GET", r"/container/app/versions\?") == 2
    assert double.count("GET", r"/container/tool/versions\?") == 2
    assert double.count("GET", "^/users/team$") == 1
    assert double.count("HEAD", "/manifests/") == 7
    row = next(row for row in run.result["repositories"] if row["name"] == "team/app")
    assert (row["visibility"], row["description"]) == ("private", "made of team/app")
    assert row["size"] == len(row["tags"]) == 5
    assert row["tags"][0]["pushed"] == "2026-02-03T04:05:06Z"


def test_lists_what_the_user_has(filled: Product) -> None:
    held = images.ImageSet()
    images.add_image(held.repository("mover/deep/er"), "deeper", [images.layer("deeper", 1_000)], ["1"])
    push(filled.double.behind.url, held)
    assert digests_of(filled.list(namespaces=None)) == held.tags()
    assert digests_of(filled.list(namespaces=["mover", "team"])) == {**held.tags(), **paged_set().tags()}
    assert filled.double.count("GET", "/users/mover/packages/container/deep%2Fer/versions") == 2


def test_copies_both_ways_and_finds_nothing_to_do(github: Product, registries: RegistryFactory, tmp_path: Path) -> None:
    plain, empty = registries.start("plain"), registries.start("empty")
    push(plain.url, paged_set())
    both_ways(github, plain, empty, tmp_path, paged_set())


def test_a_token_for_the_api_alone(filled: Product) -> None:
    double_of(filled).users["reader"] = "ghp_token-of-a-reader"
    assert digests_of(filled.list(api_token="ghp_token-of-a-reader")) == paged_set().tags()


def test_closed_lists_are_done_without(filled: Product) -> None:
    double_of(filled).closed = True
    run = filled.list(repositories={"include": sorted(paged_set().repositories)})
    assert digests_of(run) == paged_set().tags()
    assert len([text for text in warnings_of(run) if "GitHub Container Registry's own lists" in text]) == 1
    run = filled.list()
    assert run.error["kind"] == "catalog_forbidden"


def test_a_refused_token(filled: Product) -> None:
    run = filled.list(api_token="ghp_wrong", repositories={"include": ["team/app"]})
    assert digests_of(run) == {key: digest for key, digest in paged_set().tags().items() if key[0] == "team/app"}
    assert any("refused" in text for text in warnings_of(run))
    run = filled.list(password="ghp_wrong", repositories={"include": ["team/app"]})
    assert run.error["kind"] == "authentication_failed"


def test_without_a_token_nothing_is_listed(filled: Product) -> None:
    run = filled.list(username=None, password=None)
    assert run.error["kind"] == "catalog_forbidden"
    assert "api_token" in run.error["hint"]


def test_owners_that_are_not_there(filled: Product) -> None:
    run = filled.list(namespaces=["taem"])
    assert run.error["kind"] == "invalid_option"
    assert run.error["subject"] == "source.namespaces"
    assert "taem" in run.error["message"]


@pytest.mark.parametrize(
    ("host", "address"),
    [("ghcr.io", "https://api.github.com"), ("containers.github.example.com", "https://github.example.com/api/v3"), ("r.example.com", "")],
)
def test_where_the_api_is(host: str, address: str) -> None:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.ghcr import _api_of

    assert _api_of(host) == address

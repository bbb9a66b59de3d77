# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure Container Registry: the token exchange, the rights that its lists take, and what is locked."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from estate.acr import AzureDouble
from estate.push import push
from estate.team_set import team_set
from runs.modules import endpoint
from runs.providers import assert_copied, assert_nothing_to_do, copy, digests_of, listed, reach, secrets_in
from runs.stores import opened, refusal

if t.TYPE_CHECKING:
    from estate.registry import RegistryFactory

USERS = {"puller": "the scope map's password"}
BASIC = {"username": "puller", "password": USERS["puller"]}
ENTRA = "an access token of Entra ID"
NAMES = ("app", "team/deep/app", "team/tool")


@pytest.fixture
def azure(registries: RegistryFactory) -> t.Iterator[AzureDouble]:
    with AzureDouble(registries.start("azure"), USERS, [ENTRA]) as double:
        yield double


def test_lists_come_with_digests_and_in_pages(azure: AzureDouble) -> None:
    held = team_set(*NAMES, versions=6)
    push(azure.behind.url, held)
    azure.most = 2
    run = listed(reach(azure, **BASIC))
    assert digests_of(run) == held.tags()
    assert azure.count("GET", "/acr/v1/_catalog") == 2
    # 8 manifests with tags, and the two of an index, on pages of 2
    assert azure.count("GET", "/_manifests") == 5 * len(NAMES)
    rows = {row["name"]: row for row in run.result["repositories"]}
    known = {tag["name"]: tag for tag in rows["team/deep/app"]["tags"]}
    assert known["multi"]["media_type"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    assert known["1"]["size"] > 5_000
    assert known["1"]["pushed"].startswith("2026-01-01")


@pytest.mark.parametrize("options", [BASIC, {"api_token": ENTRA}])
def test_a_copy_from_azure_and_what_a_second_one_costs(
    azure: AzureDouble, registries: RegistryFactory, tmp_path: Path, options: dict[str, str]
) -> None:
    held = team_set(*NAMES)
    push(azure.behind.url, held)
    to = registries.start("to")
    source, destination = reach(azure, **options), endpoint(to)
    assert_copied(copy(source, destination, tmp_path), to, held.tags())
    azure.reset_log()
    again = copy(source, destination, tmp_path)
    assert_nothing_to_do(again, len(held.tags()))
    assert secrets_in(again, ENTRA, *USERS.values(), *azure.refresh_tokens) == []
    assert azure.count("GET", "/manifests/") == 0
    assert azure.count("HEAD", "/manifests/") == 2 * len(NAMES)
    assert azure.count("GET", "/_manifests") == len(NAMES)


def test_a_copy_to_azure_and_what_a_second_one_costs(azure: AzureDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    held = team_set(*NAMES)
    source = registries.start("from")
    push(source.url, held)
    ends = endpoint(source), reach(azure, api_token=ENTRA)
    assert_copied(copy(*ends, tmp_path), azure, held.tags())
    azure.reset_log()
    assert_nothing_to_do(copy(*ends, tmp_path), len(held.tags()))
    assert azure.count("GET", "/manifests/") == 0
    assert azure.count("HEAD", "/manifests/") == 2 * len(NAMES)
    assert azure.count("POST", "/oauth2/exchange") == 1


def test_a_refresh_token_that_has_expired_is_exchanged_anew(azure: AzureDouble) -> None:
    held = team_set("app")
    push(azure.behind.url, held)
    with opened(reach(azure, api_token=ENTRA)) as it:
        assert it.store.profile.name == "acr"
        assert len(it.store.listing("app").records) == len(held.tags())
        first = set(azure.refresh_tokens)
        azure.refresh_tokens.clear()
        azure.tokens.forget()
        assert len(it.store.listing("app").records) == len(held.tags())
        assert it.warnings == []
        assert first | azure.refresh_tokens <= it.secrets
    assert azure.count("POST", "/oauth2/exchange") == 2


def test_a_refused_access_token_names_the_option(azure: AzureDouble) -> None:
    push(azure.behind.url, team_set("app", versions=1))
    run = listed(reach(azure, api_token="another token"), repositories={"include": ["app"]})
    assert run.result["failed"]
    assert (run.error["kind"], run.error["subject"]) == ("authentication_failed", "source.api_token")
    assert "az account get-access-token" in run.error["hint"]
    assert secrets_in(run, "another token") == []


def test_an_access_token_that_is_refused_later_ends_the_run(azure: AzureDouble) -> None:
    push(azure.behind.url, team_set("app", versions=1))
    with opened(reach(azure, api_token=ENTRA)) as it:
        assert it.store.listing("app").records
        azure.refresh_tokens.clear()
        azure.tokens.forget()
        azure.entra.clear()
        assert refusal(lambda: it.store.resolve("app", "1")).subject == "source.api_token"


def test_without_the_right_to_metadata_the_way_out_is_named(azure: AzureDouble) -> None:
    """The registry's own list of tags takes that right as well: what remains is to name tags."""
    push(azure.behind.url, team_set("app", versions=2))
    azure.no_metadata.add("puller")
    with opened(reach(azure, **BASIC)) as it:
        error = refusal(lambda: it.store.listing("app"))
        assert error.kind == "access_denied"
        assert "metadata_read" in error.message
        assert any("own lists cannot be read" in warning for warning in it.warnings)
        # pulling is another right
        assert it.store.resolve("app", "1") is not None


def test_a_locked_repository_says_that_it_is_locked(azure: AzureDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    source = registries.start("from")
    push(source.url, team_set("app", "team/tool", versions=1))
    azure.locked.add("app")
    run = copy(endpoint(source), reach(azure, **BASIC), tmp_path)
    assert run.result["failed"]
    assert run.result["counts"]["copied"] == 4
    assert {failure["repository"] for failure in run.result["failures"]} == {"app"}
    assert {failure["kind"] for failure in run.result["failures"]} == {"access_denied"}
    assert all("is locked" in failure["message"] and "--write-enabled" in failure["hint"] for failure in run.result["failures"])


def test_a_wrong_password_ends_the_run(azure: AzureDouble) -> None:
    push(azure.behind.url, team_set("app", versions=1))
    run = listed(reach(azure, username="puller", password="not that one"), repositories={"include": ["app"]})
    assert run.result["failed"]
    assert run.error["kind"] == "authentication_failed"
    assert secrets_in(run, "not that one") == []


def test_a_list_that_goes_round_in_a_circle_is_no_list(azure: AzureDouble) -> None:
    push(azure.behind.url, team_set("app"))
    azure.most, azure.circle = 2, True
    with opened(reach(azure, **BASIC)) as it:
        error = refusal(lambda: it.store.listing("app"))
        assert error.kind == "invalid_answer"
        assert "in a circle" in error.message


def test_what_is_not_there_is_named(azure: AzureDouble) -> None:
    run = listed(reach(azure, **BASIC), repositories={"include": ["absent"]})
    assert run.result["unreadable"] == ["absent"]
    assert run.result["failures"][0]["kind"] == "repository_unknown"


def test_nothing_has_to_be_created(azure: AzureDouble) -> None:
    with opened(reach(azure, **BASIC)) as it:
        assert it.provider.containers(["team/app"]) == []
        assert refusal(lambda: it.provider.ensure("team", {}, True)).kind == "invalid_option"

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Google Artifact Registry: lists of tags with digests and children, and the API that lists and creates repositories."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from estate.google import GoogleDouble
from estate.product import Answer, error
from estate.push import push
from estate.team_set import team_set
from runs.modules import Options, endpoint
from runs.providers import assert_copied, assert_nothing_to_do, copy, digests_of, listed, reach, secrets_in, warnings_of
from runs.stores import opened, refusal

if t.TYPE_CHECKING:
    from estate.registry import RegistryFactory

HOST = "europe-west1-docker.pkg.dev"
TOKEN = "ya29.an-access-token"
LOGIN = {"username": "oauth2accesstoken", "password": TOKEN}
NAMES = ("plant/images/app", "plant/images/deep/app", "plant/tools/build")
REST = "^/v1/"


@pytest.fixture
def google(registries: RegistryFactory) -> t.Iterator[GoogleDouble]:
    with GoogleDouble(registries.start("google"), "europe-west1", TOKEN, ["plant/images", "plant/tools"]) as double:
        yield double


def at(google: GoogleDouble, host: str = HOST, **more: t.Any) -> Options:
    """The registry by its own name; the API is the same double."""
    return {**reach(google, api_url=google.url, **more), "url": f"http://{host}", "connect_to": google.host}


def test_a_project_is_listed_through_the_api_in_pages(google: GoogleDouble) -> None:
    held = team_set(*NAMES, "plant/images/web", "plant/images/zoo", versions=2)
    push(google.behind.url, held)
    google.repositories["plant/images"].update(description="what runs", labels={"team": "a"}, dockerConfig={"immutableTags": True})
    google.repositories["plant/maven"] = {**google.repositories["plant/tools"], "name": "projects/plant/x/maven", "format": "MAVEN"}
    google.most = 2
    run = listed(at(google, **LOGIN, namespaces=["plant"]))
    assert digests_of(run) == held.tags()
    # three repositories on pages of 2, then the packages of two of them: 4 and 1
    assert google.count("GET", "repositories(\\?|$)") == 2
    assert google.count("GET", "/packages") == 3
    rows = {row["name"]: row for row in run.result["repositories"]}
    assert rows["plant/images/app"]["description"] == "what runs"
    assert rows["plant/images/app"]["labels"] == {"team": "a"}
    assert rows["plant/images/app"]["immutable"] is True
    known = {tag["name"]: tag for tag in rows["plant/images/deep/app"]["tags"]}
    assert known["multi"]["media_type"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    assert known["1"]["size"] > 5_000
    assert known["1"]["pushed"] == "2026-01-01T00:00:00Z"
    assert google.count("HEAD", "/manifests/") == 2 * len(rows)


def test_one_repository_is_listed_without_the_others(google: GoogleDouble) -> None:
    held = team_set(*NAMES, versions=1)
    push(google.behind.url, held)
    run = listed(at(google, api_token=TOKEN, namespaces=["plant/images"]))
    assert {row["name"] for row in run.result["repositories"]} == {"plant/images/app", "plant/images/deep/app"}
    assert secrets_in(run, TOKEN) == []


def test_where_the_api_is_closed_the_names_below_are_followed(google: GoogleDouble) -> None:
    held = team_set(*NAMES, versions=1)
    push(google.behind.url, held)
    google.closed = True
    run = listed(at(google, **LOGIN, namespaces=["plant/images", "plant/tools"]))
    assert digests_of(run) == held.tags()
    assert any("The Artifact Registry API is not used for plant/images" in warning for warning in warnings_of(run))


def test_gcr_is_listed_by_the_names_below(google: GoogleDouble) -> None:
    """Whoever signs in with a key, and not with a token, has no API."""
    held = team_set("plant/app", "plant/team/deep/app", versions=1)
    push(google.behind.url, held)
    with opened(at(google, "gcr.io", **LOGIN, namespaces=["plant"])) as it:
        assert it.store.profile.name == "gcr"
        assert it.provider.containers(["plant/app", "plant/team/deep/app", "example.com/plant/app"]) == ["plant", "example.com/plant"]
        google.closed = True
        assert sorted(it.store.repositories()) == ["plant/app", "plant/team/deep/app"]


def test_names_that_lie_below_themselves_are_no_list(google: GoogleDouble) -> None:
    def endless(asked: t.Any, name: str) -> t.Any:
        return google._refused(asked) or Answer(200, {"child": [".."], "manifest": {}, "name": name, "tags": []})

    google._routes.insert(0, ("GET", re.compile(r"/v2/(plant/.+)/tags/list"), endless))
    google.closed = True
    run = listed(at(google, **LOGIN, namespaces=["plant/images"]))
    assert run.result["failed"]
    assert (run.error["kind"], run.error["message"]) == ("invalid_answer", "lists names below names without an end.")


def test_without_namespaces_the_way_out_is_named(google: GoogleDouble) -> None:
    google.registry = lambda asked: None if asked.path != "/v2/_catalog" else _denied()  # type: ignore[method-assign]
    run = listed(at(google, **LOGIN))
    assert run.result["failed"]
    assert run.error["kind"] == "catalog_forbidden"
    assert "Set namespaces" in run.error["hint"]


def test_a_copy_from_google_and_what_a_second_one_costs(google: GoogleDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    held = team_set(*NAMES)
    push(google.behind.url, held)
    to = registries.start("to")
    source, destination = at(google, api_token=TOKEN, namespaces=["plant"]), endpoint(to)
    assert_copied(copy(source, destination, tmp_path), to, held.tags())
    google.reset_log()
    again = copy(source, destination, tmp_path)
    assert_nothing_to_do(again, len(held.tags()))
    assert secrets_in(again, TOKEN) == []
    assert google.count("GET", "/manifests/") == 0
    assert google.count("HEAD", "/manifests/") == 2 * len(NAMES)
    # the first request of each worker may be the one that finds out how to sign in
    answered = [path for (_method, path), status in zip(google.log, google.statuses, strict=True) if status == 200]
    assert sum("/tags/list" in path for path in answered) == len(NAMES)


def test_a_copy_to_google_and_what_a_second_one_costs(google: GoogleDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    held = team_set(*NAMES)
    source = registries.start("from")
    push(source.url, held)
    ends = endpoint(source), at(google, **LOGIN)
    assert_copied(copy(*ends, tmp_path), google, held.tags())
    google.reset_log()
    assert_nothing_to_do(copy(*ends, tmp_path), len(held.tags()))
    assert google.count("GET", "/manifests/") == 0
    assert google.count("HEAD", "/manifests/") == 2 * len(NAMES)


def test_a_push_into_a_repository_that_is_not_there_says_so(google: GoogleDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    source = registries.start("from")
    push(source.url, team_set("plant/absent/app", versions=1))
    run = copy(endpoint(source), at(google, **LOGIN), tmp_path)
    assert run.result["failed"]
    assert {failure["kind"] for failure in run.result["failures"]} == {"repository_unknown"}
    assert "created first" in run.result["failures"][0]["hint"]


def test_a_repository_is_created_changed_and_then_left_alone(google: GoogleDouble) -> None:
    wanted = {"description": "moved here", "labels": {"from": "old"}, "immutable_tags": "no"}
    google.slow = 2
    with opened(at(google, api_token=TOKEN), writing=True) as it:
        assert it.provider.containers(NAMES) == ["plant/images", "plant/tools"]
        assert it.provider.ensure("plant/images", {}, True).state == "existing"
        planned = it.provider.ensure("plant/new", wanted, False)
        assert planned.state == "created"
        assert "plant/new" not in google.repositories
        assert it.provider.ensure("plant/new", wanted, True) == planned
        assert google.count("GET", "/operations/") == 2
        assert google.repositories["plant/new"]["format"] == "DOCKER"
        assert it.provider.ensure("plant/new", wanted, True).state == "existing"
        changed = it.provider.ensure("plant/new", {**wanted, "immutable_tags": True, "description": "here"}, True)
        assert changed.differences == {"description": ("moved here", "here"), "immutable_tags": (False, True)}
        assert google.repositories["plant/new"]["dockerConfig"] == {"immutableTags": True}
        assert google.repositories["plant/new"]["description"] == "here"
        assert google.repositories["plant/new"]["labels"] == {"from": "old"}
    assert google.count("POST", REST) == 1


def test_on_gcr_the_repository_has_the_hosts_name(google: GoogleDouble) -> None:
    google.location = "us"
    with opened(at(google, "gcr.io", api_token=TOKEN)) as it:
        assert it.provider.ensure("plant", {}, True).state == "created"
        assert it.provider.ensure("plant", {}, True).state == "existing"
    assert "plant/gcr.io" in google.repositories


def test_what_cannot_be_created_is_said(google: GoogleDouble) -> None:
    google.repositories["plant/maven"] = {**google.repositories["plant/tools"], "format": "MAVEN"}
    with opened(at(google, api_token=TOKEN)) as it:
        maven = it.provider.ensure("plant/maven", {}, True)
        assert (maven.state, maven.differences["kind"][0]) == ("drift", "MAVEN STANDARD_REPOSITORY")
        google.failure = "the project has no billing account"
        failed = refusal(lambda: it.provider.ensure("plant/new", {}, True))
        assert "no billing account" in failed.message
        google.closed = True
        denied = refusal(lambda: it.provider.ensure("plant/new", {}, True))
        assert (denied.kind, denied.subject) == ("access_denied", "the repository plant/new")
    with opened(at(google)) as it:
        missing = refusal(lambda: it.provider.ensure("plant/new", {}, True))
        assert (missing.kind, missing.subject) == ("invalid_option", "source.api_token")
    with opened(reach(google, provider="gar", api_url=google.url, api_token=TOKEN)) as it:
        nowhere = refusal(lambda: it.provider.ensure("plant/new", {}, True))
        assert (nowhere.kind, nowhere.subject) == ("invalid_option", "source.url")


def test_a_refused_token_ends_the_run(google: GoogleDouble) -> None:
    run = listed(at(google, api_token="ya29.another-token"), repositories={"include": ["plant/images/app"]})
    assert run.result["failed"]
    assert run.error["kind"] == "authentication_failed"
    assert secrets_in(run, "ya29.another-token") == []


def test_what_is_not_there_is_named(google: GoogleDouble) -> None:
    run = listed(at(google, **LOGIN), repositories={"include": ["plant/images/absent"]})
    assert run.result["unreadable"] == ["plant/images/absent"]
    assert run.result["failures"][0]["kind"] == "repository_unknown"


def _denied() -> Answer:
    return error(403, "DENIED", "no catalogue here")

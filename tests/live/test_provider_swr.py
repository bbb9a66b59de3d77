# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SWR: the login that follows from access keys, its lists, and organizations."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from estate.push import push
from estate.swr import SoftwareRepositoryDouble
from estate.team_set import team_set
from runs.modules import endpoint
from runs.providers import assert_copied, assert_nothing_to_do, copy, digests_of, listed, reach, secrets_in, warnings_of
from runs.stores import opened, refusal

if t.TYPE_CHECKING:
    from estate.registry import RegistryFactory

PROJECT = "eu-de_team"
KEYS = {"AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG"}
SWR = {"project": PROJECT, "access_key": "AKIDEXAMPLE", "secret_key": KEYS["AKIDEXAMPLE"]}
#: printf AKIDEXAMPLE | openssl dgst -binary -sha256 -hmac wJalrXUtnFEMI/K7MDENG | od -An -vtx1
LOGIN = "73b35ce422c6b1624812914e5e7acd2375ecf9c49c32a8ed0850d136eea471b3"
NAMES = ("team/app", "team/tool", "other/app", "team/web", "other/web")


@pytest.fixture
def swr(registries: RegistryFactory) -> t.Iterator[SoftwareRepositoryDouble]:
    with SoftwareRepositoryDouble(registries.start("swr"), PROJECT, KEYS, ["team", "other"]) as double:
        yield double


def test_the_login_is_that_of_the_documented_command(swr: SoftwareRepositoryDouble) -> None:
    with opened(reach(swr, swr=SWR)) as it:
        assert it.store.profile.name == "swr"
        credential = it.provider.credential()
        assert credential is not None
        assert (credential.username, credential.password) == (f"{PROJECT}@AKIDEXAMPLE", LOGIN)
        assert {LOGIN, SWR["secret_key"]} & it.secrets == {LOGIN}


def test_lists_come_in_pages(swr: SoftwareRepositoryDouble) -> None:
    held = team_set(*NAMES, versions=1)
    push(swr.behind.url, held)
    swr.most = 2
    run = listed(reach(swr, swr=SWR))
    assert digests_of(run) == held.tags()
    assert secrets_in(run, LOGIN, SWR["secret_key"]) == []
    assert swr.count("GET", "/dockyard/v2/repositories") == 3
    row = run.result["repositories"][0]
    assert (row["name"], row["visibility"], row["description"]) == ("other/app", "private", "what other/app is for")


def test_only_the_organizations_that_are_asked_for_are_listed(swr: SoftwareRepositoryDouble) -> None:
    push(swr.behind.url, team_set(*NAMES, versions=1))
    run = listed(reach(swr, swr=SWR, namespaces=["other"]))
    assert [row["name"] for row in run.result["repositories"]] == ["other/app", "other/web"]


def test_pages_that_are_always_the_first_one_are_no_list(swr: SoftwareRepositoryDouble) -> None:
    push(swr.behind.url, team_set(*NAMES, versions=1))
    swr.most, swr.pages = 2, False
    run = listed(reach(swr, swr=SWR))
    assert run.result["failed"]
    assert run.error["kind"] == "invalid_answer"
    assert "the same repositories again" in run.error["message"]


def test_a_copy_from_swr_and_a_second_one(swr: SoftwareRepositoryDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    held = team_set("team/app", "other/app")
    push(swr.behind.url, held)
    to = registries.start("to")
    source, destination = reach(swr, swr=SWR), endpoint(to)
    assert_copied(copy(source, destination, tmp_path), to, held.tags())
    swr.reset_log()
    assert_nothing_to_do(copy(source, destination, tmp_path), len(held.tags()))
    # it lists no digests
    assert swr.count("GET", "/manifests/") == 0
    assert swr.count("HEAD", "/manifests/") == len(held.tags())


def test_a_copy_to_swr_and_a_second_one(swr: SoftwareRepositoryDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    held = team_set("team/app", "other/app")
    source = registries.start("from")
    push(source.url, held)
    ends = endpoint(source), reach(swr, provider="swr", swr=SWR)
    assert_copied(copy(*ends, tmp_path), swr, held.tags())
    again = copy(*ends, tmp_path)
    assert_nothing_to_do(again, len(held.tags()))
    assert secrets_in(again, LOGIN, SWR["secret_key"]) == []


def test_a_user_and_a_password_do_as_well(swr: SoftwareRepositoryDouble) -> None:
    held = team_set("team/app", versions=1)
    push(swr.behind.url, held)
    assert digests_of(listed(reach(swr, username=f"{PROJECT}@AKIDEXAMPLE", password=LOGIN))) == held.tags()


def test_names_have_two_levels_at_least(swr: SoftwareRepositoryDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    source = registries.start("from")
    push(source.url, team_set("app", versions=1))
    run = copy(endpoint(source), reach(swr, provider="swr", swr=SWR), tmp_path)
    assert run.result["failed"]
    assert run.error["kind"] == "invalid_name"
    assert "at least 2 are needed" in run.error["message"]


def test_an_organization_is_created_once(swr: SoftwareRepositoryDouble) -> None:
    with opened(reach(swr, swr=SWR), writing=True) as it:
        assert it.provider.containers(NAMES) == ["team", "other"]
        assert it.provider.ensure("team", {}, True).state == "existing"
        assert it.provider.ensure("new", {}, False).state == "created"
        assert "new" not in swr.organizations
        assert it.provider.ensure("new", {}, True).state == "created"
        assert it.provider.ensure("new", {}, True).state == "existing"
    assert swr.organizations == ["team", "other", "new"]
    assert swr.count("POST", "namespaces") == 1


def test_a_quota_that_is_used_up_and_a_name_that_is_taken_are_said(swr: SoftwareRepositoryDouble) -> None:
    swr.quota = 2
    swr.taken.add("library")
    with opened(reach(swr, swr=SWR), writing=True) as it:
        quota = refusal(lambda: it.provider.ensure("new", {}, True))
        assert (quota.kind, quota.subject) == ("quota_exceeded", "the organization new")
        assert "the quota of organizations is used up (namespace quota exceeded)" in quota.message
        assert "mapping.prefix" in quota.hint
        taken = refusal(lambda: it.provider.ensure("library", {}, True))
        assert taken.kind == "access_denied"
        assert "namespace already exists" in taken.message
        assert "unique" in taken.hint
    assert swr.organizations == ["team", "other"]


def test_a_push_creates_its_organization_while_the_quota_lasts(
    swr: SoftwareRepositoryDouble, registries: RegistryFactory, tmp_path: Path
) -> None:
    source = registries.start("from")
    held = team_set("new/app", versions=1)
    push(source.url, held)
    assert_copied(copy(endpoint(source), reach(swr, provider="swr", swr=SWR), tmp_path), swr, held.tags())
    assert swr.organizations == ["team", "other", "new"]


@pytest.mark.parametrize(
    ("organizations", "image", "closed", "kind"),
    [
        (["a", "b", "c", "d", "e"], "new/app", False, "quota_exceeded"),
        # whoever may not list them hears what SWR says
        (["a", "b", "c", "d", "e"], "new/app", True, "access_denied"),
        (["a", "b"], "library/app", False, "access_denied"),
    ],
)
def test_an_upload_that_is_refused_for_the_quota_says_so(
    swr: SoftwareRepositoryDouble,
    registries: RegistryFactory,
    tmp_path: Path,
    organizations: list[str],
    image: str,
    closed: bool,
    kind: str,
) -> None:
    swr.organizations, swr.closed = list(organizations), closed
    swr.taken.add("library")
    source = registries.start("from")
    push(source.url, team_set(image, versions=1))
    run = copy(endpoint(source), reach(swr, provider="swr", swr=SWR), tmp_path)
    failures = run.result["failures"]
    assert {failure["kind"] for failure in failures} == {kind}
    for failure in failures:
        assert "you do not have the permission" in failure["message"]
        assert ("The organization new does not exist" in failure["message"]) == (kind == "quota_exceeded")
        assert ("mapping.prefix" in failure["hint"]) == (kind == "quota_exceeded")
    assert swr.organizations == organizations


def test_without_the_right_to_list_the_catalogue_is_asked(swr: SoftwareRepositoryDouble) -> None:
    held = team_set("team/app", versions=1)
    push(swr.behind.url, held)
    swr.closed = True
    run = listed(reach(swr, swr=SWR))
    assert digests_of(run) == held.tags()
    assert any("own lists cannot be read" in warning for warning in warnings_of(run))


def test_a_wrong_key_ends_the_run(swr: SoftwareRepositoryDouble) -> None:
    push(swr.behind.url, team_set("team/app", versions=1))
    run = listed(reach(swr, swr={**SWR, "secret_key": "another key"}), repositories={"include": ["team/app"]})
    assert run.result["failed"]
    assert run.error["kind"] == "authentication_failed"
    assert secrets_in(run, "another key") == []


def test_what_is_not_there_is_named(swr: SoftwareRepositoryDouble) -> None:
    run = listed(reach(swr, swr=SWR), repositories={"include": ["team/absent"]})
    assert run.result["unreadable"] == ["team/absent"]

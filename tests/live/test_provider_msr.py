# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of an MSR: listed with digests and dates, repositories created before a push, tokens as the product hands them out."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from estate.compare import tags_of
from estate.fault_proxy import Fault
from estate.msr.double import ADMINISTRATOR, ADMINISTRATORS_PASSWORD, Installation
from estate.msr.images import DAMAGED, TOMBSTONE, small_images
from estate.msr.seeding import People
from estate.push import push
from estate.team_set import team_set
from runs.modules import Options, endpoint, run_module
from runs.msr import people as people_of
from runs.providers import assert_copied, assert_nothing_to_do, copy, digests_of, listed, secrets_in, warnings_of
from runs.stores import opened, refusal

if t.TYPE_CHECKING:
    from conftest import MakeMSR
    from estate.registry import RegistryFactory

NAMES = ("blue/app", "blue/tool", "ana/own")
TOKENLESS = {"search_auth_files": False, "certs_dirs": []}


def at(installation: Installation, username: str = ADMINISTRATOR, password: str = ADMINISTRATORS_PASSWORD, **more: t.Any) -> Options:
    """The option `source` or `destination` for an MSR."""
    access = installation.msr.access
    return {"url": access.url, "username": username, "password": password, "ca_path": str(access.ca_file), **TOKENLESS, **more}


def company(installation: Installation, *paths: str) -> People:
    """A user with an access token, an organization with a team that may write, and repositories."""
    people = People(installation.tables)
    people.user("ana", "password of ana")
    people.user("ben", "password of ben")
    people.organization("blue")
    people.member("blue", "ana")
    people.team("blue", "ops", "ana")
    for path in paths:
        people.repository(path, shortDescription=f"what {path} is for", visibility="public" if path == "blue/tool" else "private")
    if paths:
        people.grant("blue", "ops", "read-write", "blue/app")
    people.token("ana", "CI")
    people.write()
    return people


@pytest.fixture(scope="module")
def full(make_shared_msr: MakeMSR) -> tuple[Installation, People, t.Any]:
    """An MSR 2.9 with images, which nobody changes."""
    installation = make_shared_msr("2.9.16")
    people = company(installation, *NAMES)
    return installation, people, small_images(installation, *NAMES)


@pytest.fixture
def new(make_msr: MakeMSR) -> Installation:
    return make_msr("3.1.5")


def test_lists_come_with_digests_and_dates(full: tuple[Installation, People, t.Any]) -> None:
    installation, _people, held = full
    run = listed(at(installation))
    found = digests_of(run)
    # what has been deleted is not there; what is damaged is: a copy will say so
    assert ("blue/app", TOMBSTONE) not in found
    assert found.pop(("blue/app", DAMAGED))
    assert found == held.tags()
    assert secrets_in(run, ADMINISTRATORS_PASSWORD) == []
    rows = {row["name"]: row for row in run.result["repositories"]}
    assert (rows["blue/tool"]["visibility"], rows["ana/own"]["visibility"]) == ("public", "private")
    assert rows["blue/app"]["description"] == "what blue/app is for"
    assert all(tag["pushed"].endswith("Z") for tag in rows["blue/app"]["tags"])
    assert warnings_of(run) == []


def test_pages_and_namespaces(full: tuple[Installation, People, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    installation, _people, held = full
    monkeypatch.setattr("ansible_collections.registryops.migration.plugins.module_utils._providers.msr._PAGE", 2)
    with opened(at(installation, namespaces=["blue"])) as it:
        assert it.store.profile.name == "msr"
        assert sorted(record.name for record in it.provider.repositories()) == ["blue/app", "blue/tool"]
        records = it.provider.tags("blue/tool")
        assert records is not None
        assert {("blue/tool", one.name): one.digest for one in records} == {
            key: digest for key, digest in held.tags().items() if key[0] == "blue/tool"
        }
    with opened(at(installation, namespaces=["nobody"])) as it:
        wrong = refusal(lambda: list(it.provider.repositories()))
        assert (wrong.kind, wrong.subject) == ("invalid_option", "source.namespaces")


def test_somebody_sees_what_they_may_see(full: tuple[Installation, People, t.Any]) -> None:
    installation, people, _held = full
    token = next(token for token, user in people.tokens.items() if user == "ana")
    with opened(at(installation, "ana", token)) as it:
        assert sorted(record.name for record in it.provider.repositories()) == ["ana/own", "blue/app", "blue/tool"]
    with opened(at(installation, "ben", "password of ben")) as it:
        assert [record.name for record in it.provider.repositories()] == ["blue/tool"]
        absent = refusal(lambda: it.provider.tags("blue/app"))
        assert absent.kind == "repository_unknown"


def test_a_copy_away_and_what_a_second_one_costs(
    full: tuple[Installation, People, t.Any], registries: RegistryFactory, tmp_path: Path
) -> None:
    installation, _people, held = full
    plain = registries.start("plain")
    run = copy(at(installation), endpoint(plain), tmp_path)
    (failure,) = run.result["failures"]
    # what the source has lost is said, and everything else is there
    assert DAMAGED in str(failure)
    assert failure["kind"] == "blob_unknown"
    assert tags_of(plain) == held.tags()
    rules = [{"tags": {"exclude": [DAMAGED]}}]
    copy(at(installation), endpoint(plain), tmp_path, rules=rules)
    installation.msr.reset_log()
    assert_nothing_to_do(copy(at(installation), endpoint(plain), tmp_path, rules=rules), len(held.tags()))
    assert installation.msr.count("GET", "/manifests/") == 0
    assert installation.msr.count("HEAD", "/manifests/") <= 2 * len(NAMES)
    assert installation.msr.count("GET", "/api/v0/repositories/[^/]+/[^/]+/tags") == len(NAMES)


def test_a_copy_there_by_somebody_who_may(new: Installation, registries: RegistryFactory, tmp_path: Path) -> None:
    people = company(new, "blue/app")
    token = next(token for token, user in people.tokens.items() if user == "ana")
    held = team_set("blue/app", versions=2)
    plain = registries.start("plain")
    push(plain.url, held)
    destination = at(new, "ana", token)
    assert_copied(copy(endpoint(plain), destination, tmp_path), new.msr, held.tags())
    assert_nothing_to_do(copy(endpoint(plain), destination, tmp_path), len(held.tags()))
    denied = copy(endpoint(plain), at(new, "ben", "password of ben"), tmp_path / "ben", existing_tags="overwrite")
    assert denied.result["failed"]


def test_repositories_are_created_changed_and_then_left_alone(new: Installation) -> None:
    company(new)
    wanted = {"visibility": "public", "description": 'it\'s "quoted" $HOME', "immutable_tags": "yes", "tag_limit": "5"}
    with opened(at(new), writing=True) as it:
        provider = it.provider
        assert provider.containers(["blue/app", "blue/tool", "blue/app"]) == ["blue/app", "blue/tool"]
        planned = provider.ensure("blue/app", wanted, False)
        assert planned.state == "created"
        assert new.msr.repository("blue/app") is None
        assert provider.ensure("blue/app", wanted, True) == planned
        assert provider.ensure("blue/app", wanted, True).state == "existing"
        row = new.msr.repository("blue/app")
        assert row is not None
        assert (row["visibility"], row["immutableTags"], row["tagLimit"], row["scanOnPush"]) == ("public", True, 5, False)
        changed = provider.ensure("blue/app", {"long_description": "# more"}, True)
        assert (changed.state, changed.differences) == ("changed", {"long_description": ("", "# more")})
        row = new.msr.repository("blue/app")
        assert row is not None
        # what was not spoken of is as before
        assert (row["longDescription"], row["immutableTags"], row["visibility"]) == ("# more", True, "public")
        nobody = refusal(lambda: provider.ensure("nobody/app", {}, True))
        assert "NO_SUCH_ACCOUNT" in nobody.message
        assert "organization" in nobody.hint
        assert refusal(lambda: provider.ensure("blue/app", {"visibility": "internal"}, True)).kind == "invalid_option"
        assert refusal(lambda: provider.ensure("app", {}, True)).kind == "invalid_reference"
        # somebody else, or an answer that got lost
        new.msr.faults.append(Fault("POST /api/v0/repositories/blue", reset="lost"))
        assert provider.ensure("blue/lost", {}, True).state == "created"


def test_the_module_creates_what_a_copy_needs(new: Installation, registries: RegistryFactory, tmp_path: Path) -> None:
    company(new)
    held = team_set("blue/app", "blue/tool", versions=1)
    plain = registries.start("plain")
    push(plain.url, held)
    ends = {"source": endpoint(plain), "destination": at(new)}
    assert copy(*ends.values(), tmp_path / "without").result["failed"]
    for changed in (True, False):
        run = run_module("registry_repositories", {**ends, "settings": {"visibility": "private"}})
        assert (run.result.get("failed", False), run.result["changed"]) == (False, changed), run.result
    assert_copied(copy(*ends.values(), tmp_path), new.msr, held.tags())


def test_an_immutable_tag_is_said_to_be_one(new: Installation, registries: RegistryFactory, tmp_path: Path) -> None:
    people = People(new.tables)
    people.organization("blue")
    people.repository("blue/app", immutableTags=True)
    people.write()
    plain, other = registries.start("plain"), registries.start("other")
    push(plain.url, team_set("blue/app", versions=1))
    push(other.url, team_set("blue/app", versions=2))
    assert not copy(endpoint(plain), at(new), tmp_path / "first").result.get("failed")
    # other images under the same tags
    run = copy(endpoint(other), at(new), tmp_path / "second", existing_tags="overwrite", rules=[{"tags": {"include": ["latest"]}}])
    assert [failure["kind"] for failure in run.result["failures"]] == ["tag_immutable"]


def test_a_registry_that_is_read_only_is_said_to_be(new: Installation, registries: RegistryFactory, tmp_path: Path) -> None:
    company(new, "blue/app")
    plain = registries.start("plain")
    push(plain.url, team_set("blue/app", versions=1))
    with people_of(new) as found:
        found.api.change_settings({"readOnlyRegistry": True})
        run = copy(endpoint(plain), at(new), tmp_path)
        assert {failure["kind"] for failure in run.result["failures"]} == {"registry_read_only"}
        found.api.change_settings({"readOnlyRegistry": False})
    assert not copy(endpoint(plain), at(new), tmp_path).result.get("failed")


def test_another_name_than_its_own(full: tuple[Installation, People, t.Any]) -> None:
    """Tokens are handed out at the domain that it is set up with, whatever it is called here."""
    installation, _people, held = full
    url = installation.msr.url.replace("127.0.0.1", "localhost")
    with opened(at(installation, url=url)) as it:
        assert it.store.profile.name == "msr"
        records = it.provider.tags("blue/tool")
        assert records is not None
        assert {record.digest for record in records} == {digest for key, digest in held.tags().items() if key[0] == "blue/tool"}
    run = listed(at(installation, url=url), repositories={"include": ["ana/own"]})
    assert digests_of(run) == {key: digest for key, digest in held.tags().items() if key[0] == "ana/own"}

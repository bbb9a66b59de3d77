# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules about people, as Ansible runs them, from the double of an MSR 2.9 with MKE to that of an MSR 3."""

from __future__ import annotations

import dataclasses
import json
import threading
import typing as t
from pathlib import Path

import pytest
from estate import ports
from estate.fault_proxy import Fault
from estate.msr.passwords import token_hash
from estate.msr.rows import ACCOUNTS, NAMESPACE_GRANTS, REPOSITORIES, REPOSITORY_GRANTS, TEAM_MEMBERS, TEAMS, TOKENS
from estate.msr.seeding import People, small_set
from runs.identity import endpoint, logins, rows, run, sides
from runs.modules import start_module
from runs.msr import driver

if t.TYPE_CHECKING:
    from conftest import MakeMSR
    from estate.msr.double import Installation


#: the one from a directory cannot be made through the API of an installation that knows of no directory
NOBODY_OF_LDAP = {"users": {"exclude": ["erin"]}}


@pytest.fixture(scope="module")
def old(make_shared_msr: MakeMSR) -> tuple[Installation, People]:
    installation = make_shared_msr("2.9.16")
    return installation, small_set(installation.tables)


@pytest.fixture
def new(make_msr: MakeMSR) -> Installation:
    return make_msr("3.1.5")


def test_everybody_may_do_afterwards_what_they_could_do(old: tuple[Installation, People], new: Installation, tmp_path: Path) -> None:
    source, people = old
    people_file, plan_file = str(tmp_path / "people.json"), str(tmp_path / "plan.json")
    options = sides(source, new, people_file=people_file, plan_file=plan_file)
    before = rows(new)

    planned = run("identity_import", options, check=True)
    assert planned["changed"], planned
    assert rows(new) == before
    assert not Path(people_file).exists()
    assert "  + organization engineering\n" in planned["diff"]["prepared"]
    assert "  + grant for team engineering/developers on all of engineering\n" in planned["diff"]["prepared"]
    plan = json.loads(Path(plan_file).read_text(encoding="utf-8"))
    assert len(plan["rows"]) == sum(planned["totals"].values())

    done = run("identity_import", options)
    assert done["changed"], done
    assert not done["failures"]
    assert not done["refused"]
    assert done["totals"]["created"] == planned["totals"]["created"]
    assert done["counts"]["token"]["created"] == len(people.tokens)
    assert not new.problems()

    again = run("identity_import", options)
    assert not again["changed"], again["diff"]

    verified = run("identity_verify", sides(source, new, people_file=people_file, sample=-1, logins=logins(people)))
    assert not verified.get("failed"), verified["msg"]
    assert verified["different"] == 0
    assert verified["access"]["compared"] == 7 * 8
    # all pairs but those of one who is not active
    assert verified["sample"]["asked"] == 6 * 8
    assert verified["logins"] == {"tried": len(logins(people)), "differences": []}

    report = run("registry_report", {"ledgers": {}, "people_file": people_file, "output_dir": str(tmp_path / "report")})
    assert report["verified"]
    assert report["people"]["different"] == 0
    assert "Everybody may do what they could do" in Path(report["html_file"]).read_text(encoding="utf-8")


def test_an_msr_2_takes_people_as_well(old: tuple[Installation, People], make_msr: MakeMSR) -> None:
    """Its accounts are those of an MKE, in a database of its own."""
    source, people = old
    destination = make_msr("2.9.16")
    assert destination.mke is not None
    assert destination.accounts is not destination.store
    options = sides(source, destination)
    done = run("identity_import", options)
    assert not done.get("failed"), done["msg"]
    assert not done["refused"]
    assert not destination.problems()
    assert len(destination.store.rows("dtr2", "client_tokens")) == len(people.tokens)
    hashes = {row["name"]: row["passwordHash"] for row in source.accounts.rows("enzi", "accounts") if row.get("passwordHash")}
    moved = {row["name"]: row["passwordHash"] for row in destination.accounts.rows("enzi", "accounts") if row.get("passwordHash")}
    # the administrators are those of each
    assert {name for name, password_hash in moved.items() if hashes.get(name) != password_hash} == {"admin"}
    assert moved.keys() == hashes.keys()
    again = run("identity_import", options)
    assert not again["changed"], again["diff"]
    verified = run("identity_verify", {**options, "sample": -1, "logins": logins(people)})
    assert not verified.get("failed"), verified["msg"]
    assert verified["different"] == 0


def test_ids_are_those_of_the_destination(old: tuple[Installation, People], new: Installation) -> None:
    source, _people = old
    theirs = People(new.tables)
    theirs.user("bob", "another password", fullName="Bob")
    theirs.organization("engineering")
    theirs.write()
    with new.tables.moment():
        ids = {row["name"]: row["id"] for row in new.tables.all(ACCOUNTS)}
    done = run("identity_import", sides(source, new))
    assert not done.get("failed"), done["msg"]
    assert done["counts"]["account"]["changed"] == 2
    with new.tables.moment():
        after = {row["name"]: row["id"] for row in new.tables.all(ACCOUNTS)}
        namespaces = {row["namespaceName"]: row["namespaceAccountID"] for row in new.tables.all(REPOSITORIES)}
        grants = [row["namespaceID"] for row in new.tables.all(NAMESPACE_GRANTS)]
        owners = {row["accountID"] for row in new.tables.all(TOKENS)}
    assert {name: after[name] for name in ids} == ids
    assert namespaces["engineering"] == ids["engineering"]
    assert ids["engineering"] in grants
    assert ids["bob"] in owners
    with source.tables.moment():
        assert not {row["id"] for row in source.tables.all(ACCOUNTS)} & set(after.values())
    assert not new.problems()
    # the password is that of the source now, and the administrator's is the own one as before
    verified = run("identity_verify", sides(source, new, logins=[{"username": "bob", "secret": "bob's password"}]))
    assert not verified.get("failed"), verified["msg"]


def test_each_part_works_for_itself_and_can_be_repeated(old: tuple[Installation, People], new: Installation, tmp_path: Path) -> None:
    source, _people = old
    people_file = str(tmp_path / "people.json")
    for part in ("accounts", "organizations", "repositories"):
        options = sides(source, new, parts=[part], people_file=people_file)
        done = run("identity_import", options)
        assert done["changed"], done["msg"]
        assert not run("identity_import", options)["changed"]
    assert list(json.loads(Path(people_file).read_text(encoding="utf-8"))["imports"]) == ["accounts", "organizations", "repositories"]
    assert not run("identity_verify", sides(source, new)).get("failed")
    whole = run("identity_import", sides(source, new))
    assert not whole["changed"], whole["diff"]


def test_a_part_before_its_time_is_refused_and_nothing_is_written(old: tuple[Installation, People], new: Installation) -> None:
    before = rows(new)
    done = run("identity_import", sides(old[0], new, parts=["repositories"]))
    assert done["failed"]
    assert "needs the account alice, which the destination does not have" in done["msg"]
    assert not done["changed"]
    assert rows(new) == before


def test_without_a_database_it_goes_on_only_where_it_is_told_to(old: tuple[Installation, People], new: Installation) -> None:
    source, _people = old
    options = {"source": endpoint(source, databases=False), "destination": endpoint(new, databases=False)}
    before = rows(new)
    stopped = run("identity_import", options)
    assert stopped["failed"]
    assert stopped["error"]["subject"] == "go_on_without"
    assert "password_hash" in stopped["msg"]
    assert rows(new) == before
    allowed = {**options, "go_on_without": ["password_hash", "token"]}
    done = run("identity_import", allowed)
    assert not done.get("failed"), done["msg"]
    assert {row["what"] for row in done["not_migrated"]} == {"password_hash", "token"}
    assert all(row["reason"] and row["count"] for row in done["not_migrated"])
    again = run("identity_import", allowed)
    assert not again["changed"], again["diff"]
    verified = run("identity_verify", allowed)
    assert not verified.get("failed"), verified["msg"]
    assert verified["counts"]["token"]["kept"] > 0


def test_a_file_does_for_the_source(old: tuple[Installation, People], new: Installation, tmp_path: Path) -> None:
    source, people = old
    path = tmp_path / "export" / "people.json"
    options = {"source": endpoint(source), "path": str(path)}
    planned = run("identity_export", options, check=True)
    assert planned["changed"]
    assert not path.exists()
    exported = run("identity_export", options)
    assert exported["changed"]
    assert exported["counts"]["token"] == len(people.tokens)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not run("identity_export", options)["changed"]
    imported = run("identity_import", {"source_file": str(path), "destination": endpoint(new)})
    assert not imported.get("failed"), imported["msg"]
    verified = run("identity_verify", {"source_file": str(path), "destination": endpoint(new), "logins": logins(people)[:3]})
    # a file cannot be asked whether it lets somebody in: it is taken for granted, and the inactive one is not in the first three
    assert not verified.get("failed"), verified["msg"]
    assert not run("identity_import", sides(source, new))["changed"]


def test_one_organization_comes_with_its_people_alone(old: tuple[Installation, People], new: Installation) -> None:
    source, _people = old
    chosen = {"organizations": {"include": ["operations"]}, "tokens": {"newest": 1}}
    done = run("identity_import", sides(source, new, **chosen))
    assert not done.get("failed"), done["msg"]
    with new.tables.moment():
        names = {row["name"] for row in new.tables.all(ACCOUNTS)}
        tokens = len(new.tables.all(TOKENS))
    assert names == {"admin", "docker-datacenter", "operations", "bob", "dave", "grace"}
    # one of bob, one of dave
    assert tokens == 2
    assert not run("identity_verify", sides(source, new, **chosen)).get("failed")
    assert not run("identity_import", sides(source, new, **chosen))["changed"]


def test_a_right_that_is_lost_or_added_makes_the_proof_fail_and_stands_first(
    old: tuple[Installation, People], new: Installation, tmp_path: Path
) -> None:
    source, _people = old
    assert not run("identity_import", sides(source, new)).get("failed")
    with new.tables.moment():
        team = next(row for row in new.tables.all(TEAMS) if row["name"] == "readers")
        grant = next(row for row in new.tables.all(REPOSITORY_GRANTS) if row["teamID"] == team["id"])
    new.tables.update(REPOSITORY_GRANTS, grant["pk"], accessLevel="admin")
    people_file = str(tmp_path / "people.json")
    verified = run("identity_verify", sides(source, new, people_file=people_file))
    assert verified["failed"]
    assert {(row["user"], row["before"], row["after"]) for row in verified["access"]["differences"]} >= {
        ("frank.o-1@example.com", "read", "admin")
    }
    assert [row["name"] for row in verified["differences"]] == ["grant for team engineering/readers on engineering/tools"]
    report = run("registry_report", {"ledgers": {}, "people_file": people_file, "output_dir": str(tmp_path / "report")})
    assert not report["verified"]
    page = Path(report["html_file"]).read_text(encoding="utf-8")
    assert page.index("rights of users differ") < page.index("<main")
    # another run of the import mends it
    assert run("identity_import", sides(source, new))["counts"]["grant"]["changed"] == 1
    assert not run("identity_verify", sides(source, new)).get("failed")


def test_what_only_the_destination_has_is_listed_and_goes_where_that_is_wanted(old: tuple[Installation, People], new: Installation) -> None:
    source, _people = old
    assert not run("identity_import", sides(source, new)).get("failed")
    more = People(new.tables)
    more.user("mallory", "mallory's own password")
    more.member("engineering", "mallory", is_admin=True)
    token = more.token("alice", "made since")
    more.write()
    listed = run("identity_import", sides(source, new))
    assert not listed["changed"]
    assert {kind: counts["surplus"] for kind, counts in listed["counts"].items() if counts["surplus"]} == {
        "account": 1,
        "membership": 1,
        "token": 1,
    }
    assert run("identity_verify", sides(source, new, surplus="fail"))["failed"]
    removed = run("identity_import", sides(source, new, surplus="remove"))
    assert removed["totals"]["removed"] == 2, removed["diff"]
    with new.tables.moment():
        assert new.tables.get(TOKENS, token_hash(token)) is None
        assert new.tables.get(ACCOUNTS, "mallory") is not None
    assert not run("identity_import", sides(source, new, surplus="remove"))["changed"]
    named = run("identity_import", sides(source, new, surplus="remove", surplus_kinds=["account"]))
    assert named["counts"]["account"]["removed"] == 1
    assert not named.get("failed"), named["msg"]
    with new.tables.moment():
        assert new.tables.get(ACCOUNTS, "mallory") is None
        assert {row["name"] for row in new.tables.all(ACCOUNTS)} >= {"admin", "docker-datacenter", "alice", "engineering"}


def test_a_user_of_a_directory_is_the_same_under_another_name(old: tuple[Installation, People], new: Installation) -> None:
    source, people = old
    theirs = People(new.tables)
    theirs.user("erin.example", dn="CN=Erin Example, OU=people,DC=example,DC=com", fullName="Erin Example")
    theirs.write()
    done = run("identity_import", sides(source, new, rename={"operations": "ops"}))
    assert not done.get("failed"), done["msg"]
    assert done["renamed"] == {"erin": "erin.example", "operations": "ops"}
    with new.tables.moment():
        names = {row["name"] for row in new.tables.all(ACCOUNTS)}
        paths = {f"{row['namespaceName']}/{row['name']}" for row in new.tables.all(REPOSITORIES)}
    assert not {"erin", "operations"} & names
    assert "ops/monitor" in paths
    token = next(token for token, user in people.tokens.items() if user == "erin")
    options = sides(source, new, rename={"operations": "ops"}, sample=-1, logins=[{"username": "erin", "secret": token}])
    verified = run("identity_verify", options)
    assert not verified.get("failed"), verified["msg"]
    assert not run("identity_import", sides(source, new, rename={"operations": "ops"}))["changed"]


def test_what_the_destination_would_refuse_is_found_before_anything_is_written(make_msr: MakeMSR, new: Installation) -> None:
    source = make_msr("3.1.5")
    people = People(source.tables)
    people.user("kim", "kim's password")
    people.user("Kim", "the other Kim's password")
    people.user("sound", "sound's password", hashed="md5$1$" + "0" * 32)
    people.user("fine", "fine's password")
    people.organization("team")
    people.member("team", "Kim")
    people.member("team", "fine")
    people.write()
    before = rows(new)
    options = sides(source, new)
    stopped = run("identity_import", options)
    assert stopped["failed"]
    assert rows(new) == before
    refused = {row["name"]: row["error"]["message"] for row in stopped["refused"]}
    assert set(refused) == {"user kim", "user Kim", "user sound", "member Kim of team"}
    assert "differs only in case" in refused["user kim"]
    assert "md5" in refused["user sound"]
    assert "0" * 32 not in str(refused)
    skipped = run("identity_import", {**options, "on_refusal": "skip"})
    assert not skipped.get("failed"), skipped["msg"]
    with new.tables.moment():
        assert {row["name"] for row in new.tables.all(ACCOUNTS)} == {"admin", "docker-datacenter", "fine", "team"}
    # with other names, and without the hash, all of them come
    renamed = run("identity_import", {**options, "rename": {"Kim": "kim2"}, "users": {"exclude": ["sound"]}})
    assert not renamed.get("failed"), renamed["msg"]
    assert renamed["counts"]["account"]["created"] == 2


def test_a_database_that_cannot_be_reached_is_told_of_before_anything_is_written(
    old: tuple[Installation, People], new: Installation
) -> None:
    source, _people = old
    options = sides(source, new)
    nobody = driver(ports.free_port())
    options["source"].update(database=nobody, accounts_database=nobody)
    before = rows(new)
    stopped = run("identity_import", options)
    assert stopped["failed"]
    assert stopped["error"]["subject"] == "go_on_without"
    assert "password_hash" in stopped["msg"]
    assert str(nobody["driver"]["port"]) in stopped["msg"]
    assert rows(new) == before
    done = run("identity_import", {**options, "go_on_without": ["password_hash"]})
    assert not done.get("failed"), done["msg"]
    assert [row["what"] for row in done["not_migrated"]] == ["password_hash"]
    assert any("random password" in note for note in done["notes"])


@pytest.mark.parametrize(
    ("place", "held"),
    [
        (ACCOUNTS, Fault("POST /enzi/v0/accounts/", after=3)),
        (TEAMS, Fault("PUT /enzi/v0/accounts/[^/]+/members/")),
        (TOKENS, Fault("POST /api/v0/webhooks")),
    ],
    ids=["accounts", "teams", "tokens"],
)
def test_a_run_that_is_killed_is_gone_on_with_by_the_next(
    old: tuple[Installation, People], new: Installation, place: t.Any, held: Fault
) -> None:
    """It is killed while a request waits for its answer: with some accounts, or when these tables are full and what comes next is not."""
    source, people = old
    options = sides(source, new, existing_passwords="keep")
    # then an account and its hash are two steps
    new.msr.imports_accounts = False
    come, go = threading.Event(), threading.Event()

    def wait() -> None:
        come.set()
        assert go.wait(60)

    with new.tables.moment():
        there = len(new.tables.all(place))
    new.msr.faults.append(dataclasses.replace(held, before=wait, times=None))
    running = start_module("identity_import", options)
    try:
        assert come.wait(60)
        running.kill()
    finally:
        new.msr.faults.clear()
        go.set()
    assert running.wait() is None
    with new.tables.moment():
        assert len(new.tables.all(place)) > there
    done = run("identity_import", options)
    assert not done.get("failed"), done["msg"]
    assert done["changed"]
    assert not new.problems()
    verified = run("identity_verify", sides(source, new, logins=logins(people)))
    assert not verified.get("failed"), verified["msg"]
    assert not run("identity_import", sides(source, new))["changed"]


@pytest.mark.parametrize("imports", [True, False], ids=["imported", "not imported"])
def test_passwords_without_the_destinations_database_are_imported_or_asked_about(
    old: tuple[Installation, People], new: Installation, imports: bool
) -> None:
    source, people = old
    new.msr.imports_accounts = imports
    options = {"source": endpoint(source), "destination": endpoint(new, databases=False), "go_on_without": ["token"], **NOBODY_OF_LDAP}
    before = rows(new)
    done = run("identity_import", options)
    mine = [{"username": "bob", "secret": people.passwords["bob"]}]
    if imports:
        assert not done.get("failed"), done["msg"]
        assert not run("identity_import", {**options, "existing_passwords": "keep"})["changed"]
        # whether the passwords are the same now is not known, and nothing that counts as equal
        doubtful = run("identity_verify", {**options, "logins": mine})
        assert doubtful["failed"]
        assert doubtful["different"] == 1
        assert "password_hash" in doubtful["msg"]
        options["go_on_without"] += ["password_hash"]
        verified = run("identity_verify", {**options, "logins": mine})
        assert not verified.get("failed"), verified["msg"]
        assert "password_hash" in verified["uncompared"]
        return
    assert done["failed"]
    assert done["error"]["subject"] == "go_on_without"
    assert rows(new) == before
    allowed = {**options, "go_on_without": ["token", "password_hash"]}
    done = run("identity_import", allowed)
    assert not done.get("failed"), done["msg"]
    assert {row["what"]: row["count"] for row in done["not_migrated"]} == {"token": len(people.tokens) - 1, "password_hash": 6}
    assert any("random password" in note for note in done["notes"])
    assert not run("identity_import", allowed)["changed"]
    assert run("identity_verify", {**allowed, "logins": mine})["logins"]["differences"] == [
        {"user": "bob", "source": True, "destination": False}
    ]


@pytest.mark.parametrize("imports", [True, False], ids=["imports", "does not import"])
def test_a_destinations_database_that_cannot_be_reached_is_told_of_too(
    old: tuple[Installation, People], new: Installation, imports: bool
) -> None:
    source, people = old
    new.msr.imports_accounts = imports
    options = sides(source, new, **NOBODY_OF_LDAP)
    options["destination"]["database"] = driver(ports.free_port())
    before = rows(new)
    stopped = run("identity_import", options)
    assert stopped["failed"]
    # passwords of new users come through the API where there is a way
    denied = ["token"] if imports else ["token", "password_hash"]
    assert stopped["error"]["message"].startswith(f"does not name {', '.join(denied)},")
    assert rows(new) == before
    done = run("identity_import", {**options, "go_on_without": denied})
    assert not done.get("failed"), done["msg"]
    assert any("neither read nor written" in note for note in done["notes"])
    before = rows(new)
    again = run("identity_import", {**options, "go_on_without": ["token"]})
    assert again["failed"]
    assert again["error"]["message"].startswith("does not name password_hash,")
    assert rows(new) == before
    allowed = {**options, "go_on_without": ["token", "password_hash"]}
    assert not run("identity_import", allowed)["changed"]
    assert run("identity_verify", {**options, "go_on_without": ["token"]})["different"] == 1
    bob = {"username": "bob", "secret": people.passwords["bob"]}
    assert run("identity_verify", {**allowed, "logins": [bob]}).get("failed", False) is not imports


def test_a_file_with_a_part_says_nothing_of_the_rest(old: tuple[Installation, People], new: Installation, tmp_path: Path) -> None:
    source, _people = old
    assert not run("identity_import", sides(source, new)).get("failed")
    path = str(tmp_path / "part.json")
    exported = run("identity_export", {"source": endpoint(source), "path": path, "organizations": {"include": ["operations"]}})
    assert exported["counts"]["team"] == 1
    options = {"source_file": path, "destination": endpoint(new)}
    before = rows(new)
    assert run("identity_import", {**options, "surplus": "remove"})["error"]["subject"] == "surplus"
    assert rows(new) == before
    done = run("identity_import", options)
    assert not done["changed"], done["diff"]
    assert not done["totals"]["surplus"]
    # one that has no more than the accounts cannot do for all
    run("identity_export", {"source": endpoint(source), "path": path, "parts": ["accounts"]})
    refused = run("identity_import", options)
    assert refused["error"]["subject"] == "go_on_without"
    assert "in none of the parts that were exported" in refused["msg"]
    assert not run("identity_import", {**options, "parts": ["accounts"], "surplus": "remove"})["changed"]


def test_the_rights_are_computed_of_everything_whatever_the_parts_are(old: tuple[Installation, People], new: Installation) -> None:
    source, _people = old
    assert not run("identity_import", sides(source, new)).get("failed")
    with new.tables.moment():
        team = next(row for row in new.tables.all(TEAMS) if row["name"] == "on call")
        bob = new.tables.get(ACCOUNTS, "bob")
        member = next(row for row in new.tables.all(TEAM_MEMBERS) if (row["teamID"], row["userID"]) == (team["id"], bob["id"]))
    new.tables.delete(TEAM_MEMBERS, member["pk"])
    verified = run("identity_verify", sides(source, new, parts=["repositories"], sample=-1))
    assert verified["failed"]
    assert not verified["differences"]
    assert verified["access"]["differences"] == [{"user": "bob", "repository": "operations/monitor", "before": "admin", "after": None}]

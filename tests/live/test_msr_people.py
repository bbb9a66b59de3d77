# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The people of an MSR, read and written: what was lost with scripts before comes across, and the product itself says so."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from estate.fault_proxy import Fault
from estate.msr.double import Installation
from estate.msr.passwords import token_hash
from estate.msr.rows import ACCOUNTS, ENZI_PROPERTIES, TOKENS
from estate.msr.seeding import People, small_set
from estate.ports import free_port
from runs.identity import run, sides
from runs.msr import completed, people, reach

from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import CHANGED, CREATED, REMOVED, Change
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    CLASSES,
    KINDS,
    Account,
    Estate,
    Grant,
    Item,
    Membership,
    Policy,
    Repository,
    Rule,
    Team,
    TeamMembership,
    Token,
    Webhook,
)
from ansible_collections.registryops.migration.plugins.module_utils._module.msr import people_of
from ansible_collections.registryops.migration.plugins.module_utils._msr.people import MSRPeople
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConnectionFailed,
    InvalidAnswer,
    InvalidOption,
    MigrationError,
    RegistryError,
)

if t.TYPE_CHECKING:
    from conftest import MakeMSR

Old = tuple[Installation, People]
#: what each installation has from its beginning: two accounts, and that one belongs to the other
OWN = {("admin",), ("docker-datacenter",), ("docker-datacenter", "admin")}


@pytest.fixture(scope="module")
def old(make_shared_msr: MakeMSR) -> Old:
    """An MSR 2.9 with a small company; nobody changes anything there."""
    installation = make_shared_msr("2.9.16")
    return installation, small_set(installation.tables)


@pytest.fixture
def new(make_msr: MakeMSR) -> Installation:
    """An MSR 3.1 with nobody but its administrator."""
    return make_msr("3.1.5")


def everything(of: MSRPeople) -> Estate:
    return of.read(list(CLASSES))


def compared(estate: Estate) -> dict[str, t.Any]:
    """What counts, without what each installation has."""
    return {item.title: item for item in estate if item.key not in OWN}


def create(at: MSRPeople, items: t.Iterable[Item]) -> list[MigrationError]:
    """Create all of these, in batches as large as they may be; what went wrong."""
    problems: list[MigrationError | None] = []
    by_kind: dict[str, list[Item]] = {}
    for item in items:
        by_kind.setdefault(item.kind, []).append(item)
    for cls in KINDS:
        of_kind, size = by_kind.get(cls.kind, []), at.batch(cls.kind)
        for start in range(0, len(of_kind), size):
            problems += at.write([Change(CREATED, item) for item in of_kind[start : start + size]])
    return [problem for problem in problems if problem is not None]


def one(at: MSRPeople, state: str, wanted: Item | None, existing: Item | None = None) -> None:
    """Write one change; raises what went wrong."""
    (problem,) = at.write([Change(state, wanted, existing)])
    if problem is not None:
        raise problem


def rights_of(at: Installation, user: str) -> tuple[bool, bool]:
    """Whether a user is an administrator, and whether they get in."""
    row = at.tables.get(ACCOUNTS, user)
    return row["isAdmin"], row["isActive"]


def without_directory(estate: Estate) -> list[Item]:
    """All but what each installation has, and the members that come to a team with its directory."""
    synchronized = {team.key for team in estate.of(Team).values() if team.directory_sync}
    return [
        item
        for item in estate
        if item.key not in OWN and not (isinstance(item, TeamMembership) and (item.organization, item.team) in synchronized)
    ]


# -- reading


@pytest.mark.parametrize("page", [2, 500])
def test_reads_a_whole_company_page_by_page(old: Old, page: int) -> None:
    installation, company = old
    with people(installation) as found:
        found.api.accounts.page_size = found.api.registry.page_size = page
        estate = everything(found)
    assert estate.unread == {}
    assert estate.counts() == {
        "account": 12, "team": 6, "membership": 9, "team_membership": 7, "repository": 8, "grant": 8, "token": 125, "webhook": 3,
        "policy": 4,
    }  # fmt: skip
    alice = estate.of(Account)["alice",]
    assert alice.full_name == 'Alice "the $HOME" O\'Neil `id`'
    assert alice.password_hash.startswith("bcrypt$")
    assert estate.of(Account)["bob",].password_hash.startswith("pbkdf2_sha256$")
    assert estate.of(Account)["erin",].directory_name == "cn=Erin Example,ou=people,dc=example,dc=com"
    assert estate.of(Account)["dave",].is_active is False
    assert estate.of(Team)["engineering", "release"].directory_sync["groupDN"] == "cn=release,ou=groups,dc=example,dc=com"
    assert estate.of(Team)["engineering", "single sign-on"].group_link == "devs"
    assert estate.of(Team)["empty", "orphans"].directory_sync == {}
    assert estate.of(Membership)["engineering", "alice"].is_admin is True
    assert estate.of(TeamMembership)["engineering", "developers", "grace"].is_admin is True
    assert estate.of(Repository)["engineering", "app"].long_description == "# App\n\n$HOME\n"
    grants = {(grant.team, grant.repository): grant.level for grant in estate.of(Grant).values()}
    assert grants["developers", ""] == "read"
    assert grants["developers", "app"] == "write"
    assert {policy.does for policy in estate.of(Policy).values()} == {"promotion", "pruning", "push_mirroring", "poll_mirroring"}
    assert {token.owner for token in estate.of(Token).values()} == {"alice", "bob", "dave", "erin"}
    assert all(token_hash(token) in {key[0] for key in estate.of(Token)} for token in company.tokens)
    assert "bcrypt$" not in repr(list(estate))


@pytest.mark.parametrize("login", ["basic", "session"])
def test_accounts_at_mke_and_at_msr_are_the_same(old: Old, login: str) -> None:
    installation, _company = old
    assert installation.mke is not None
    with people(installation, login=login, accounts_url=installation.mke.url) as at_mke, people(installation, login=login) as at_msr:
        assert compared(at_mke.read(["team", "membership"])) == compared(at_msr.read(["team", "membership"]))
        assert len(at_mke.read(["repository"]).of(Repository)) == 8


def test_without_a_database_it_is_said_what_is_missing(old: Old) -> None:
    with people(old[0]) as whole, people(old[0], database=False) as half:
        estate, without = everything(whole), everything(half)
    assert set(without.unread) == {"password_hash", "directory_name"}
    assert without.of(Account)["erin",].directory_name is None
    assert without.of(Account)["alice",].password_hash == ""
    # tokens have their dates all the same
    assert without.of(Token) == estate.of(Token)
    assert without.of(Grant) == estate.of(Grant)


def test_a_database_that_is_not_there_is_said_to_be_missing(old: Old) -> None:
    nowhere = {"driver": {"host": "127.0.0.1", "port": free_port(), "tls": False}}
    with people(old[0], database=False) as usual, people(old[0], database=False, accounts_database=nowhere) as half:
        estate = half.read(["account"])
        assert "127.0.0.1" in estate.unread["password_hash"]
        assert set(estate.of(Account)) == set(usual.read(["account"]).of(Account))


def test_reads_some_organizations(old: Old) -> None:
    with people(old[0]) as found:
        old[0].msr.reset_log()
        estate = found.read(["team", "membership", "grant", "repository"], ["operations"])
        assert {key[0] for cls in (Team, Membership, Grant, Repository) for key in estate.of(cls)} == {"operations"}
        assert len(estate.of(Account)) == 12
        assert old[0].msr.count("GET", "/engineering") == 0


def test_looks_at_one_item_as_at_all_of_them(old: Old) -> None:
    with people(old[0]) as found:
        estate = everything(found)
        for kind in CLASSES.values():
            for item in list(estate.of(kind).values())[:6]:
                assert found.look(item) == item
        nobody = [
            Account("nobody"),
            Team("engineering", "nobody"),
            Team("nobody", "nobody"),
            Membership("engineering", "carol"),
            TeamMembership("engineering", "readers", "grace"),
            Repository("engineering", "nothing"),
            Grant("operations", "on call", "operations", "", "read"),
            Grant("operations", "on call", "operations", "archive", "read"),
            Token("alice", "0f" * 32),
            Webhook("TAG_PULL", "engineering/app", "https://hooks.example.com/"),
            Policy("pruning", "engineering/app"),
        ]
        assert [found.look(item) for item in nobody] == [None] * len(nobody)


# -- writing


def test_a_company_moves_and_its_members_notice_nothing(old: Old, new: Installation) -> None:
    installation, company = old
    with people(installation) as source, people(new) as destination:
        estate = everything(source)
        items = without_directory(estate)
        assert [refusal for item in items if (refusal := destination.refusal(item))] == []
        assert create(destination, items) == []
        moved = everything(destination)
        wanted = {item.title: item for item in items}
        assert compared(moved) == wanted
        # what only the database has
        for name, account in estate.of(Account).items():
            if name not in OWN:
                assert moved.of(Account)[name].password_hash == account.password_hash, name
        for key, token in estate.of(Token).items():
            there = moved.of(Token)[key]
            assert (there.last_used, there.generated_by, there.further) == (token.last_used, token.generated_by, token.further)
        # nothing has the ids of the source, and what the product could not live with is not there
        assert new.problems() == []
        # passwords in both forms, and tokens, of those who may get in
        for user, password in company.passwords.items():
            assert destination.lets_in(user, password) is (user != "dave")
            assert destination.lets_in(user, "another password") is False
        chosen = [token for token in company.tokens if company.tokens[token] != "alice"] + list(company.tokens)[:2]
        assert [destination.lets_in(company.tokens[token], token) for token in chosen] == [
            source.lets_in(company.tokens[token], token) for token in chosen
        ]
        # whatever they may do, they may do there
        users = [name for (name,), account in estate.of(Account).items() if not account.is_organization and name != "erin"]
        matrix = [(user, *repository) for user in users for repository in estate.of(Repository)]
        assert {cell: destination.level(*cell) for cell in matrix} == {cell: source.level(*cell) for cell in matrix}
        assert destination.level("bob", "engineering", "app") == "write"
        assert destination.level("frank.o-1@example.com", "engineering", "app") is None
        assert any("mirroring policies sign in" in note for note in destination.notes())


def test_written_twice_it_is_as_written_once(old: Old, new: Installation) -> None:
    with people(old[0]) as source, people(new) as destination:
        items = [item for item in without_directory(everything(source)) if not isinstance(item, Webhook | Policy)]
        assert create(destination, items) == []
        before = compared(everything(destination))
        # as after a run that was cut off, and did not know how far it came
        assert create(destination, items) == []
        assert compared(everything(destination)) == before
        assert new.problems() == []


def test_ids_are_those_of_the_destination(old: Old, new: Installation) -> None:
    installation, company = old
    mine = People(new.tables)
    identifier = mine.user("alice", "already here")["id"]
    mine.organization("engineering")
    mine.write()
    with people(installation) as source, people(new) as destination:
        estate = everything(source)
        alice = estate.of(Account)["alice",]
        existing = destination.look(alice)
        assert existing is not None
        one(destination, CHANGED, alice, existing)
        rest = [item for item in without_directory(estate) if item.key not in (("alice",), ("engineering",))]
        assert create(destination, rest) == []
        assert new.problems() == []
        assert new.tables.get(ACCOUNTS, "alice")["id"] == identifier
        assert destination.lets_in("alice", company.passwords["alice"])
        assert not destination.lets_in("alice", "already here")


@pytest.mark.parametrize("imports", [True, False])
def test_without_a_database_hashes_are_imported_where_that_is_possible(old: Old, new: Installation, imports: bool) -> None:
    installation, company = old
    new.msr.imports_accounts = imports
    with people(installation) as source, people(new, database=False) as destination:
        accounts = [account for account in source.read(["account"]).of(Account).values() if account.key not in OWN | {("erin",)}]
        assert create(destination, accounts) == []
        found = destination.read(["account"]).of(Account)
        for account in accounts:
            there = found[account.key]
            assert (there.full_name, there.is_admin, there.is_active) == (account.full_name, account.is_admin, account.is_active)
        # written again, those are there
        assert create(destination, accounts) == []
        assert {user: destination.lets_in(user, password) for user, password in company.passwords.items() if user != "dave"} == {
            user: imports for user in company.passwords if user != "dave"
        }
        assert any("random password" in note and "alice" in note for note in destination.notes()) is not imports
        assert new.msr.count("POST", "importAccounts") <= 2


def test_one_hash_that_the_server_does_not_know_keeps_nobody_else_from_coming(new: Installation) -> None:
    with people(new, database=False) as destination:
        accounts = [Account("ana", password_hash="bcrypt$$2a$10$" + "a" * 53), Account("ben", password_hash="scrypt$what")]
        problems = destination.write([Change(CREATED, account) for account in accounts])
        assert problems[0] is None
        assert isinstance(problems[1], RegistryError)
        assert "INVALID_FORM_FIELD" in problems[1].codes
        assert destination.look(accounts[0]) is not None


def test_users_of_a_directory(new: Installation) -> None:
    erin = Account("erin", full_name="Erin", directory_name="cn=erin", is_admin=True, is_active=True)
    with people(new, database=False) as destination, pytest.raises(RegistryError, match="directory") as caught:
        one(destination, CREATED, erin)
    assert caught.value.codes == ("CANNOT_CREATE_USER",)
    with people(new) as destination:
        # the database can have them known as what they are
        one(destination, CREATED, erin)
        assert destination.look(erin) == erin
        assert new.tables.get(ACCOUNTS, "erin")["passwordHash"] == ""
    new.tables.insert(ENZI_PROPERTIES, {"key": "config.auth", "jsonValue": {"backend": "ldap"}}, replace=True)
    new.msr.directory["frank"] = "cn=frank"
    with people(new) as destination:
        frank = dataclasses.replace(erin, name="frank", directory_name="cn=frank")
        one(destination, CREATED, frank)
        assert destination.look(frank) == frank
        with pytest.raises(RegistryError, match="takes its users from a directory"):
            one(destination, CREATED, Account("local"))


def test_a_user_of_a_directory_who_is_somebody_else_there(new: Installation) -> None:
    new.tables.insert(ENZI_PROPERTIES, {"key": "config.auth", "jsonValue": {"backend": "ldap"}}, replace=True)
    new.msr.directory.update(erin="cn=Erin Other,dc=example", frank="CN=Frank, DC=example")
    users = [Account(name, is_admin=True, directory_name=f"cn={name},dc=example") for name in ("erin", "frank")]
    with people(new) as destination:
        problems = destination.write([Change(CREATED, user) for user in users])
        assert "is cn=Erin Other,dc=example in the directory here, and cn=erin,dc=example at the source" in str(problems[0])
        assert problems[1] is None
    assert rights_of(new, "erin") == (False, False)
    assert rights_of(new, "frank") == (True, True)


def test_who_could_not_be_looked_at_is_nobody_until_the_next_run(new: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    new.tables.insert(ENZI_PROPERTIES, {"key": "config.auth", "jsonValue": {"backend": "ldap"}}, replace=True)
    new.msr.directory["erin"] = "cn=erin"
    erin = Account("erin", full_name="Erin", is_admin=True, is_active=True, directory_name="cn=erin")

    def broken(*_anything: object, **_more: object) -> t.NoReturn:
        raise ConnectionFailed("has gone.", subject="the database")

    with people(new) as destination:
        assert destination.accounts_database is not None
        monkeypatch.setattr(destination.accounts_database, "rows", broken)
        with pytest.raises(ConnectionFailed):
            one(destination, CREATED, erin)
    assert rights_of(new, "erin") == (False, False)
    with people(new) as destination:
        one(destination, CHANGED, erin, destination.look(erin))
        assert destination.look(erin) == erin


def test_a_user_whose_entry_is_written_otherwise_is_changed(new: Installation) -> None:
    mine = People(new.tables)
    mine.user("bob", dn="cn=bob,dc=example")
    mine.write()
    bob = Account("bob", full_name="Robert", directory_name="CN=Bob, DC=example")
    with people(new) as destination:
        one(destination, CHANGED, bob, destination.look(bob))
        with pytest.raises(InvalidOption, match=r"is cn=bob,dc=example in the directory here, and cn=bob,dc=other at the source"):
            one(destination, CHANGED, dataclasses.replace(bob, directory_name="cn=bob,dc=other"), destination.look(bob))
    row = new.tables.get(ACCOUNTS, "bob")
    assert (row["fullName"], row["ldapDN"]) == ("Robert", "cn=bob,dc=example")


def test_a_directory_that_has_moved(make_msr: MakeMSR) -> None:
    """Whom the destination's own directory finds is the user, and what the source's had of them is not written."""
    source, destination = make_msr("3.1.5"), make_msr("3.1.5")
    company = People(source.tables)
    company.user("erin", dn="cn=erin,dc=before")
    company.user("frank", dn="cn=frank,dc=before")
    company.write()
    destination.tables.insert(ENZI_PROPERTIES, {"key": "config.auth", "jsonValue": {"backend": "ldap"}}, replace=True)
    destination.msr.directory["erin"] = "cn=erin,dc=now"
    options = sides(source, destination, parts=["accounts"], match_directory=False)
    done = run("identity_import", options)
    # the other one is in no directory here, and whatever there was before is not there
    assert [row["name"] for row in done["failures"]] == ["user frank"]
    assert "CANNOT_CREATE_USER" in str(done["failures"])
    assert destination.tables.get(ACCOUNTS, "frank") is None
    assert destination.tables.get(ACCOUNTS, "erin")["ldapDN"] == "cn=erin,dc=now"
    assert rights_of(destination, "erin") == (False, True)
    destination.msr.directory["frank"] = "cn=frank,dc=now"
    done = run("identity_import", options)
    assert not done.get("failed"), done["msg"]
    assert done["totals"]["created"] == 1
    assert not run("identity_import", options)["changed"]


def test_a_directory_that_has_gone(make_msr: MakeMSR) -> None:
    """The entries of the source would be those of no directory."""
    source, destination = make_msr("3.1.5"), make_msr("3.1.5")
    company = People(source.tables)
    company.user("erin", dn="cn=erin,dc=before")
    company.write()
    done = run("identity_import", sides(source, destination, parts=["accounts"], match_directory=False))
    assert done["failed"]
    assert [row["name"] for row in done["refused"]] == ["user erin"]
    assert "there is none here" in str(done["refused"])
    with people(destination) as found:
        # also where nobody knew beforehand
        found.match_directory = False
        with pytest.raises(RegistryError, match="directory"):
            one(found, CREATED, Account("erin", directory_name="cn=erin,dc=before"))
    assert destination.tables.get(ACCOUNTS, "erin") is None


def test_where_users_come_from_is_known_beforehand(new: Installation) -> None:
    erin, local = Account("erin", directory_name="cn=erin"), Account("local", is_active=True)
    with people(new) as whole, people(new, database=False) as half:
        for destination in (whole, half):
            destination.read(["account"])
            assert destination.refusal(local) is None
        assert whole.refusal(erin) is None
        assert "there is none here" in str(half.refusal(erin))
        one(whole, CREATED, local)
    new.tables.insert(ENZI_PROPERTIES, {"key": "config.auth", "jsonValue": {"backend": "ldap"}}, replace=True)
    with people(new) as destination:
        destination.read(["account"])
        assert destination.refusal(erin) is None
        assert "users here come from a directory" in str(destination.refusal(Account("another")))
        # who is there already need not be created
        assert destination.refusal(local) is None
        assert destination.refusal(Account("blue", True)) is None


@pytest.mark.parametrize("imports", [True, False])
def test_a_user_is_nobody_until_the_hash_is_written(old: Old, new: Installation, imports: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends between the user and the hash: nobody gets in, and the next run does not take the user for one who was there."""
    installation, company = old
    new.msr.imports_accounts = imports
    with people(installation) as source:
        estate = source.read(["account"]).of(Account)
    users = [estate["alice",], estate["dave",], estate["erin",]]

    def broken(*_anything: object, **_more: object) -> None:
        raise ConnectionFailed("has gone.", subject="the database")

    with people(new) as destination:
        assert destination.accounts_database is not None
        monkeypatch.setattr(destination.accounts_database, "update", broken)
        problems = destination.write([Change(CREATED, user) for user in users])
        # with an import the users of this product have their passwords at once
        assert [problem is None for problem in problems] == [imports, imports, False]
        unfinished = ["erin"] if imports else ["alice", "dave", "erin"]
        assert [name for name in ("alice", "dave", "erin") if (name,) not in destination.read(["account"]).of(Account)] == unfinished
        for name in unfinished:
            row = new.tables.get(ACCOUNTS, name)
            assert (row["isActive"], row["ldapDN"]) == (False, "")
    with people(new) as destination:
        assert create(destination, users) == []
        found = destination.read(["account"]).of(Account)
        for user in users:
            assert found[user.key] == user
            assert found[user.key].password_hash == user.password_hash
        assert destination.lets_in("alice", company.passwords["alice"])
        assert not destination.lets_in("dave", company.passwords["dave"])
        assert destination.notes() == []


HASH = "bcrypt$$2a$10$" + "a" * 53


def leave_half_made(new: Installation, *users: Account) -> None:
    """As a run leaves them that was ended before the database had what it was to get."""

    def broken(*_anything: object, **_more: object) -> t.NoReturn:
        raise ConnectionFailed("has gone.", subject="the database")

    imports, new.msr.imports_accounts = new.msr.imports_accounts, False
    with people(new) as destination, pytest.MonkeyPatch.context() as patching:
        assert destination.accounts_database is not None
        patching.setattr(destination.accounts_database, "update", broken)
        problems = destination.write([Change(CREATED, user) for user in users])
        assert all(isinstance(problem, ConnectionFailed) for problem in problems)
    new.msr.imports_accounts = imports


@pytest.mark.parametrize("imports", [True, False])
def test_who_is_half_made_is_not_taken_for_created_without_the_database(new: Installation, imports: bool) -> None:
    ana, ben = Account("ana", password_hash=HASH, is_active=True), Account("ben", password_hash=HASH, is_active=True)
    erin = Account("erin", directory_name="cn=erin", is_active=True)
    leave_half_made(new, ana, erin)
    new.msr.imports_accounts = imports
    with people(new, database=False) as destination:
        problems = destination.write([Change(CREATED, user) for user in (ana, ben)])
        assert "half made" in str(problems[0])
        assert "delete the user" in str(problems[0])
        assert problems[1] is None
        assert {("ana",), ("ben",)} & set(destination.read(["account"]).of(Account)) == {("ben",)}
        if imports:
            assert destination.notes() == []
    new.tables.insert(ENZI_PROPERTIES, {"key": "config.auth", "jsonValue": {"backend": "ldap"}}, replace=True)
    new.msr.directory["erin"] = "cn=erin"
    with people(new, database=False) as destination, pytest.raises(InvalidOption, match="half made"):
        one(destination, CREATED, erin)
    with people(new) as destination:
        # the entry here may be another one
        destination.match_directory = False
        with pytest.raises(InvalidOption, match="half made"):
            one(destination, CREATED, erin)
    assert new.tables.get(ACCOUNTS, "erin")["ldapDN"] == ""
    assert rights_of(new, "ana") == rights_of(new, "erin") == (False, False)
    with people(new) as destination:
        assert create(destination, [erin]) == []
        assert destination.look(erin) == dataclasses.replace(erin, full_name="", is_admin=False)


def test_who_is_half_made_and_waits_for_no_hash_is_finished_without_the_database(new: Installation) -> None:
    ana = Account("ana", password_hash=HASH, full_name="Ana", is_admin=True, is_active=True)
    leave_half_made(new, ana)
    with people(new, database=False) as destination:
        one(destination, CREATED, Account("ana"))
        assert destination.look(Account("ana")) == Account("ana", full_name="", is_admin=True, is_active=True)
        assert any("random password" in note and "ana" in note for note in destination.notes())


def test_a_user_whose_answer_was_lost_is_one_who_was_created(new: Installation) -> None:
    new.msr.imports_accounts = False
    new.msr.faults.append(Fault("POST /enzi/v0/accounts/", reset="lost"))
    with people(new, database=False) as destination:
        one(destination, CREATED, Account("ana", full_name="Ana", password_hash="bcrypt$$2a$10$" + "a" * 53))
        assert any("random password" in note and "ana" in note for note in destination.notes())
    # the first one is about a directory, which there is none of
    new.msr.faults[:] = [Fault("POST /enzi/v0/accounts/", reset="lost", after=1)]
    with people(new) as destination:
        erin = Account("erin", full_name="Erin", directory_name="cn=erin", is_admin=False, is_active=True)
        one(destination, CREATED, erin)
        assert destination.look(erin) == erin


def test_changes_and_removes(new: Installation) -> None:
    """Each kind, once changed and once removed."""
    token = Token("ana", "0f" * 32, label="CI", is_active=True, created="2024-07-03T09:46:40.250+00:00")
    rules = (Rule("tag", "sw", ("v",)),)
    group = {
        "selectGroupMembers": True, "groupDN": "cn=ops", "groupMemberAttr": "member", "searchBaseDN": "", "searchScopeSubtree": False,
        "searchFilter": "",
    }  # fmt: skip
    to = "https://hooks.example.com/"
    pairs: list[tuple[t.Any, dict[str, t.Any]]] = [
        (Account("ana", False, "Ana", False, True), {"full_name": 'A "quoted" $name', "is_admin": True, "is_active": False}),
        (Account("blue", True, "Blue"), {"full_name": "Bleu"}),
        (Account("green", True, ""), {"full_name": "Vert"}),
        (Team("blue", "on call", "", {}, ""), {"description": "it's $HOME", "directory_sync": group, "group_link": "ops"}),
        (Membership("blue", "ana", False), {"is_admin": True}),
        (TeamMembership("blue", "on call", "ana", False), {"is_admin": True}),
        (
            Repository("blue", "app", "", "", "private", False, True, 0),
            {"long_description": "# more", "visibility": "public", "tag_limit": 3},
        ),
        (Grant("blue", "on call", "blue", "", "read"), {"level": "admin"}),
        (Grant("blue", "on call", "blue", "app", "write"), {"level": "read"}),
        (token, {"label": "another", "is_active": False, "created": "2023-01-01T00:00:00+00:00"}),
        (
            Webhook("TAG_PUSH", "blue/app", "https://hooks.example.com/", "", False, False),
            {"is_active": True, "skip_tls_verification": True},
        ),
        (Webhook("REPO_EVENT", "blue", to, "", False, True), {"is_active": False}),
        (Policy("pruning", "blue/app", rules, is_enabled=True), {"is_enabled": False}),
        (Policy("promotion", "blue/app", rules, "blue/app", "%n-again", True), {"is_enabled": False}),
        (Policy("push_mirroring", "blue/app", rules, "other.example.com/a/b", "%n", True, "mover", "", False), {"username": "another"}),
        (Policy("poll_mirroring", "blue/app", (), "other.example.com/a/b", "", True, "", "", False), {"skip_tls_verification": True}),
    ]
    with people(new) as found:
        assert create(found, [item for item, _more in pairs]) == []
        for item, more in pairs:
            existing = found.look(item)
            assert existing == item, item.title
            wanted = dataclasses.replace(item, **more)
            one(found, CHANGED, wanted, existing)
            assert found.look(wanted) == wanted, item.title
        # what is not said stays as it is
        one(found, CHANGED, Repository("blue", "app", "in short"), found.look(Repository("blue", "app")))
        assert found.look(Repository("blue", "app")) == Repository("blue", "app", "in short", "# more", "public", False, True, 3)
        for item, _more in reversed(pairs):
            existing = found.look(item)
            one(found, REMOVED, None, existing)
            assert found.look(item) is None, item.title
            # gone is gone
            one(found, REMOVED, None, existing)
        assert set(found.read(["account"]).of(Account)) <= OWN
        assert new.problems() == []


def test_an_account_that_is_something_else(new: Installation) -> None:
    with people(new) as found:
        one(found, CREATED, Account("blue", True))
        with pytest.raises(MigrationError, match="is taken: there is organization blue"):
            one(found, CREATED, Account("blue"))


def test_members_that_a_directory_decides_about(new: Installation) -> None:
    mine = People(new.tables)
    mine.organization("blue")
    mine.user("erin", dn="cn=erin")
    mine.team("blue", "ops", memberSyncConfig={"enableSync": True, "selectGroupMembers": True, "groupDN": "cn=ops"})
    mine.write()
    with people(new) as found, pytest.raises(RegistryError, match="A directory says who belongs here"):
        one(found, CREATED, TeamMembership("blue", "ops", "erin"))


def test_a_token_of_somebody_who_is_not_there(new: Installation) -> None:
    with people(new) as found:
        one(found, CREATED, Account("ana"))
        tokens = [Token("nobody", "0e" * 32), Token("ana", "0f" * 32)]
        problems = found.write([Change(CREATED, token) for token in tokens])
        assert "has no account here" in str(problems[0])
        assert problems[1] is None
        assert set(found.read(["token"]).of(Token)) == {("0f" * 32,)}


def test_what_is_not_migrated_is_told(new: Installation) -> None:
    company = People(new.tables)
    company.organization("blue", adminSyncConfig={"enableSync": True, "selectGroupMembers": True, "groupDN": "cn=blue"})
    company.organization("green")
    company.user("ana", "password of ana", otpEnabled=True)
    company.write()
    with people(new) as found:
        found.read(["account", "membership"])
        assert [note.partition(" of ")[0].partition(" sign ")[0] for note in found.notes()] == ["ana", "blue"]


def test_tokens_of_accounts_that_have_been_deleted_are_told_of(new: Installation) -> None:
    new.tables.insert(TOKENS, {"token": "0f" * 32, "accountID": "gone", "tokenLabel": ""})
    with people(new) as found:
        assert found.read(["token"]).of(Token) == {}
        assert any("1 access tokens" in note for note in found.notes())


# -- faults


def test_a_session_that_ends_in_the_middle_is_renewed(old: Old, new: Installation) -> None:
    new.msr.session_requests = 3
    with people(new, login="session") as found:
        for number in range(12):
            one(found, CREATED, Account(f"organization{number}", True))
        assert len(found.read(["account"]).of(Account).keys() - OWN) == 12
        assert new.msr.count("POST", "/enzi/v0/id/login") > 3
    with people(new, login="session", password="another password") as found, pytest.raises(AuthenticationFailed):
        found.read(["account"])


@pytest.mark.parametrize("login", ["basic", "session"])
def test_a_wrong_password_is_said_without_showing_it(new: Installation, login: str) -> None:
    with people(new, login=login, password="very secret") as found, pytest.raises(AuthenticationFailed) as caught:
        found.read(["account"])
    assert "very secret" not in str(caught.value)


def test_passing_errors_pass(old: Old, new: Installation) -> None:
    company = People(new.tables)
    company.organization("blue")
    company.repository("blue/app")
    company.write()
    new.msr.faults += [
        Fault("GET /api/v0/repositories", status=503, headers={"Retry-After": "1"}),
        Fault("GET /enzi/v0/accounts/blue/teams", status=429, headers={"Retry-After": "1"}),
        Fault("GET /api/v0/webhooks", reset="before"),
        Fault("GET /enzi/v0/accounts/blue/members", status=502),
    ]
    with people(new) as found:
        assert everything(found).counts()["repository"] == 1


def test_an_answer_that_gets_lost_does_nothing_twice(new: Installation) -> None:
    rules = (Rule("tag", "sw", ("v",)),)
    items = [
        Account("ana", full_name="Ana"),
        Account("blue", True),
        Team("blue", "ops", "those who"),
        Membership("blue", "ana"),
        Repository("blue", "app", "in short"),
        Grant("blue", "ops", "blue", "app", "read"),
        Webhook("TAG_PUSH", "blue/app", "https://hooks.example.com/", "", False, False),
        Policy("pruning", "blue/app", rules, is_enabled=True),
    ]
    new.msr.faults += [Fault(f"{method} /", reset="lost", each=True) for method in ("POST", "PUT")]
    with people(new) as found:
        assert create(found, items) == []
        estate = everything(found)
        assert [row["key"] for row in new.tables.all(("dtr2", "webhooks"))] == ["blue/app"]
        assert len(new.tables.all(("dtr2", "pruning_policies"))) == 1
        assert estate.of(Webhook)["TAG_PUSH", "blue/app", "https://hooks.example.com/"].is_active is False
        assert estate.of(Repository)["blue", "app"].short_description == "in short"
        assert estate.of(Team)["blue", "ops"].description == "those who"


def test_a_list_that_changes_while_it_is_read(new: Installation) -> None:
    company = People(new.tables)
    for number in range(30):
        company.organization(f"organization{number:02}")
    company.write()

    def change() -> None:
        new.tables.delete(ACCOUNTS, "organization05")
        more = People(new.tables)
        more.organization("organization00a")
        more.organization("organization29a")
        more.write()

    new.msr.faults.append(Fault(r"GET /enzi/v0/accounts/\?.*start=organization1", before=change))
    with people(new) as found:
        found.api.accounts.page_size = 4
        names = [account.name for account in found.read(["account"]).of(Account).values()]
    assert len(names) == len(set(names))
    assert {f"organization{number:02}" for number in range(30) if number != 5} <= set(names)
    assert "organization29a" in names


def test_names_of_other_scripts_lead_to_the_next_page(new: Installation) -> None:
    company = People(new.tables)
    for name in ("änne", "øyvind", "格蕾丝", "зоя"):
        company.user(name, "a password")
    company.organization("ünïon")
    for name in ("änne", "øyvind", "格蕾丝", "зоя"):
        company.member("ünïon", name)
    company.team("ünïon", "日本 & co/".rstrip("/"), "änne", "зоя")
    company.write()
    with people(new) as found:
        found.api.accounts.page_size = 1
        estate = found.read(["account", "team", "membership", "team_membership"])
        assert len(estate.of(Account).keys() - OWN) == 5
        assert len(estate.of(Membership).keys() - OWN) == 4
        assert len(estate.of(TeamMembership)) == 2


def test_something_that_is_no_msr(registries: t.Any) -> None:
    registry = registries.start("plain")
    found = people_of(completed({"url": registry.url, "username": "admin", "password": "a password"}))
    try:
        with pytest.raises((RegistryError, InvalidAnswer), match="address of an MSR"):
            found.read(["account"])
    finally:
        found.close()


# -- settings


def test_settings(new: Installation) -> None:
    with people(new) as found:
        assert found.api.settings()["readOnlyRegistry"] is False
        found.api.change_settings({"readOnlyRegistry": True})
        assert found.api.settings()["readOnlyRegistry"] is True


# -- options


def test_what_must_not_be_seen_is_told(new: Installation) -> None:
    secrets: list[str] = []
    options = completed(reach(new, login="session", proxy="http://user:of%20the%20proxy@127.0.0.1:1"))
    people_of(options, on_secret=secrets.append).close()
    assert {"of%20the%20proxy", "of the proxy", options["password"]} <= set(secrets)
    found = people_of(completed(reach(new, login="session")), on_secret=secrets.append)
    found.api.settings()
    found.close()
    # the session as well
    assert any(len(secret) == 36 for secret in secrets)


def test_a_certificate_that_is_not_checked_is_warned_of(new: Installation) -> None:
    warnings: list[str] = []
    found = people_of(completed(reach(new, validate_certs=False, ca_path=None)), "source.", warn=warnings.append)
    assert set(found.read(["account"]).of(Account)) <= OWN
    found.close()
    assert "is not checked" in warnings[0]
    with people(new, ca_path=None) as untrusting, pytest.raises(CertificateUntrusted):
        untrusting.read(["account"])


def test_options_that_cannot_work(new: Installation) -> None:
    for name, value in (
        ("url", "https://user@host/path"),
        ("accounts_url", "https://host/enzi/v0"),
        ("attempts", 0),
        ("concurrency", -1),
        ("connect_timeout", 0.0),
    ):
        with pytest.raises(MigrationError) as caught, people(new, **{name: value}):
            pytest.fail("it is made")
        assert caught.value.subject == name

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules for single things of an MSR, each as Ansible runs it: what they write is looked at in the database of the double."""

from __future__ import annotations

import typing as t

import pytest
from estate.msr.double import ADMINISTRATORS_PASSWORD
from estate.msr.passwords import bcrypt_hash, fits, pbkdf2_hash, token_hash
from estate.msr.rows import ACCOUNTS, REPOSITORIES, TEAMS, TOKENS, WEBHOOKS
from runs.modules import ModuleRun, Options, run_module
from runs.msr import people, reach, rows_of

from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import CREATED, Change
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import Account
from ansible_collections.registryops.migration.plugins.module_utils._msr.forms import UNFINISHED

if t.TYPE_CHECKING:
    from conftest import MakeMSR
    from estate.msr.double import Installation


@pytest.fixture(scope="module")
def msr(make_shared_msr: MakeMSR) -> Installation:
    return make_shared_msr()


class Ensure:
    """Tasks against the MSR. Each is run in check mode first, then twice: a plan writes nothing, and a second run changes nothing."""

    def __init__(self, msr: Installation) -> None:
        self.msr = msr
        self.connection = reach(msr)

    def once(self, module: str, check: bool = False, **options: t.Any) -> ModuleRun:
        """One run."""
        run = run_module(module, {**self.connection, **options}, check=check, diff=True)
        assert ADMINISTRATORS_PASSWORD not in run.text
        return run

    def __call__(self, module: str, changed: bool = True, again: bool = False, **options: t.Any) -> Options:
        """All runs of one task; the result of the one that writes. `again`: whether the second one is a change, too."""
        before = self.rows()
        planned = self.once(module, True, **options).result
        assert not planned.get("failed"), planned
        assert self.rows() == before
        done = self.once(module, **options).result
        assert not done.get("failed"), done
        assert (planned["changed"], done["changed"]) == (changed, changed)
        for name in ("state", "differences", "diff", "further"):
            assert planned.get(name) == done.get(name)
        second = self.once(module, **options).result
        assert not second.get("failed"), second
        assert second["changed"] == again
        return done

    def rows(self) -> t.Any:
        """All of the database, for comparisons."""
        return rows_of(self.msr)

    def info(self, name: str) -> Options:
        """An account with all that belongs to it."""
        found = self.once("msr_account_info", names=[name], gather=["members", "teams", "tokens"]).result
        (row,) = found["accounts"]
        return t.cast("Options", row)


@pytest.fixture
def ensure(msr: Installation) -> Ensure:
    return Ensure(msr)


def row_of(msr: Installation, place: t.Any, **fields: t.Any) -> t.Any:
    """The only row of a table with these fields; None without one."""
    with msr.tables.moment():
        found = [row for row in msr.tables.all(place) if all(row.get(name) == value for name, value in fields.items())]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_user_comes_changes_and_goes(msr: Installation, ensure: Ensure) -> None:
    made = ensure("msr_account", name="ann", full_name='Ann "$HOME" O\'Neil', new_password="the first one")
    assert made["state"] == "created"
    assert made["account"]["full_name"] == 'Ann "$HOME" O\'Neil'
    assert fits("the first one", row_of(msr, ACCOUNTS, name="ann")["passwordHash"])
    changed = ensure("msr_account", name="ann", active=False)
    assert changed["differences"] == {"is_active": {"before": True, "after": False}}
    assert row_of(msr, ACCOUNTS, name="ann")["fullName"] == 'Ann "$HOME" O\'Neil'
    assert ensure("msr_account", name="ann", state="absent")["state"] == "removed"
    assert row_of(msr, ACCOUNTS, name="ann") is None
    assert ensure("msr_account", changed=False, name="ann", state="absent")["state"] == "absent"


def test_a_password_is_changed_where_it_does_not_let_in(msr: Installation, ensure: Ensure) -> None:
    ensure("msr_account", name="pat", new_password="the first one")
    ensure("msr_account", changed=False, name="pat", new_password="another-xyz-one", update_password="on_create")
    changed = ensure("msr_account", name="pat", new_password="another-xyz-one")
    assert changed["further"]
    assert "xyz" not in str(changed)
    assert fits("another-xyz-one", row_of(msr, ACCOUNTS, name="pat")["passwordHash"])


def test_a_password_of_one_who_may_not_sign_in_stays(msr: Installation, ensure: Ensure) -> None:
    ensure("msr_account", name="ina", active=False, new_password="the first one")
    ensure("msr_account", changed=False, name="ina", new_password="another one")
    assert fits("the first one", row_of(msr, ACCOUNTS, name="ina")["passwordHash"])
    ensure("msr_account", name="ina", active=True, new_password="another one")
    assert fits("another one", row_of(msr, ACCOUNTS, name="ina")["passwordHash"])


def test_a_password_as_another_registry_keeps_it(msr: Installation, ensure: Ensure) -> None:
    first, second = bcrypt_hash("the first one"), pbkdf2_hash("the second one")
    made = ensure("msr_account", name="hana", password_hash=first)
    assert row_of(msr, ACCOUNTS, name="hana")["passwordHash"] == first
    changed = ensure("msr_account", name="hana", password_hash=second)
    assert row_of(msr, ACCOUNTS, name="hana")["passwordHash"] == second
    for done, password_hash in ((made, first), (changed, second)):
        assert "password_hash" in done["differences"]
        assert password_hash not in str({name: value for name, value in done.items() if name != "invocation"})
    ensure("msr_account", changed=False, name="hana", full_name=None)


@pytest.mark.parametrize("imports", [True, False])
def test_a_password_hash_without_the_database(msr: Installation, ensure: Ensure, imports: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user is created with it, or not at all."""
    monkeypatch.setattr(msr.msr, "imports_accounts", imports)
    del ensure.connection["database"]
    name, before = f"hugo-{imports}".lower(), ensure.rows()
    for check in (True, False):
        done = ensure.once("msr_account", check, name=name, password_hash=bcrypt_hash("a password")).result
        if imports:
            assert done["state"] == "created"
        else:
            assert done["failed"]
            assert done["error"]["subject"] == "password_hash"
        if check or not imports:
            assert ensure.rows() == before
    if imports:
        assert fits("a password", row_of(msr, ACCOUNTS, name=name)["passwordHash"])
        # whether it is the one that is there, only the database can tell
        again = ensure.once("msr_account", name=name, password_hash=bcrypt_hash("a password")).result
        assert again["error"]["subject"] == "password_hash"


def test_a_user_whom_a_migration_has_left_half_made(msr: Installation, ensure: Ensure) -> None:
    """Without the database the hash that it waited for cannot be given, and anything else can."""
    del ensure.connection["database"]
    with people(msr, database=False) as found:
        found.write([Change(CREATED, Account("hal", full_name=UNFINISHED, is_active=False))])
    for check in (True, False):
        done = ensure.once("msr_account", check, name="hal", password_hash=bcrypt_hash("a password")).result
        assert done["failed"]
        assert "half made" in done["msg"]
    ensure("msr_account", name="hal", new_password="a password")
    row = row_of(msr, ACCOUNTS, name="hal")
    assert (row["isActive"], row["fullName"]) == (True, "")
    assert fits("a password", row["passwordHash"])


def test_what_cannot_be_read_anywhere_is_warned_of(ensure: Ensure) -> None:
    made = ensure.once("msr_account", name="wanda")
    assert "wanda" in str(made.result["warnings"])
    given = ensure.once("msr_account", name="wim", new_password="a password")
    assert "wim" not in str(given.result.get("warnings"))
    ensure.once("msr_account", name="wine", type="organization")
    ensure.once("msr_repository", namespace="wine", name="app")
    policy = {"does": "poll_mirroring", "repository": "wine/app", "target": "hub.example.com/library/base"}
    without = ensure.once("msr_policy", **policy, remote_username="mirror")
    assert "cannot be read anywhere" in str(without.result["warnings"])


def test_an_organization_and_its_members(ensure: Ensure) -> None:
    for name in ("olga", "otto", "oskar"):
        ensure("msr_account", name=name, new_password="a password")
    ensure("msr_account", name="orange", type="organization", members=[{"name": "olga", "admin": True}, {"name": "otto"}])
    assert ensure.info("orange")["members"] == [{"name": "olga", "admin": True}, {"name": "otto", "admin": False}]
    ensure("msr_account", name="orange", type="organization", members=[{"name": "oskar"}], purge_members=True)
    assert ensure.info("orange")["members"] == [{"name": "oskar", "admin": False}]
    assert ensure.info("oskar")["organizations"] == [{"name": "orange", "admin": False}]
    refused = ensure.once("msr_account", name="orange", full_name="?").result
    assert refused["failed"]
    assert refused["error"]["subject"] == "type"


def test_a_team_with_members(msr: Installation, ensure: Ensure) -> None:
    for name in ("tess", "theo"):
        ensure("msr_account", name=name, new_password="a password")
    ensure("msr_account", name="teal", type="organization")
    made = ensure(
        "msr_team",
        organization="teal",
        name="builders",
        description="$PATH & `id`",
        members=[{"name": "tess", "admin": True}, {"name": "theo"}],
    )
    assert made["team"]["description"] == "$PATH & `id`"
    (team,) = ensure.info("teal")["teams"]
    assert team["members"] == [{"name": "tess", "admin": True}, {"name": "theo", "admin": False}]
    purged = ensure("msr_team", organization="teal", name="builders", members=[{"name": "theo"}], purge_members=True)
    assert [(row["name"], row["state"]) for row in purged["further"]] == [("member tess of team teal/builders", "removed")]
    assert ensure.info("tess")["organizations"] == [{"name": "teal", "admin": False}]
    assert ensure.info("tess")["teams"] == []
    ensure("msr_team", organization="teal", name="builders", state="absent")
    assert row_of(msr, TEAMS, name="builders") is None


def test_a_team_that_follows_a_directory_or_a_single_sign_on(ensure: Ensure) -> None:
    ensure("msr_account", name="taupe", type="organization")
    sync = {"select_group_members": True, "group_dn": "cn=readers,dc=example,dc=com", "group_member_attr": "member"}
    ensure("msr_team", organization="taupe", name="readers", directory_sync=sync)
    ensure("msr_team", organization="taupe", name="readers", directory_sync={"enable_sync": False})
    ensure("msr_team", organization="taupe", name="linked", group_link="devs")
    ensure("msr_team", organization="taupe", name="linked", group_link="")


def test_a_repository_and_its_settings(msr: Installation, ensure: Ensure) -> None:
    ensure("msr_account", name="red", type="organization")
    ensure("msr_repository", namespace="red", name="app", visibility="public", tag_limit=5, short_description='the "app": $5')
    changed = ensure("msr_repository", namespace="red", name="app", immutable_tags=True, long_description="# App")
    assert changed["differences"]["immutable_tags"] == {"before": False, "after": True}
    row = row_of(msr, REPOSITORIES, name="app", namespaceName="red")
    assert (row["visibility"], row["tagLimit"], row["immutableTags"], row["shortDescription"]) == ("public", 5, True, 'the "app": $5')
    ensure("msr_repository", namespace="red", name="app", state="absent")
    assert row_of(msr, REPOSITORIES, name="app", namespaceName="red") is None


def test_access_to_a_repository_and_to_a_namespace(ensure: Ensure) -> None:
    ensure("msr_account", name="rose", type="organization")
    ensure("msr_account", name="rita", new_password="a password")
    ensure("msr_team", organization="rose", name="readers", members=[{"name": "rita"}])
    ensure("msr_repository", namespace="rose", name="app")
    for repository in ("app", None):
        grant = {"organization": "rose", "team": "readers", "repository": repository}
        made = ensure("msr_repository_access", **grant, level="read")
        assert made["grant"]["level"] == "read"
        changed = ensure("msr_repository_access", **grant, level="write")
        assert changed["differences"] == {"level": {"before": "read", "after": "write"}}
        ensure("msr_repository_access", **grant, state="absent")


def test_a_new_token_is_shown_once_and_lets_in(msr: Installation, ensure: Ensure) -> None:
    ensure("msr_account", name="tina", new_password="a password")
    planned = ensure.once("msr_token", True, owner="tina", label="ci").result
    assert planned["changed"]
    assert "token" not in planned
    made = ensure.once("msr_token", owner="tina", label="ci").result
    assert token_hash(made["token"]) == row_of(msr, TOKENS, tokenLabel="ci")["token"]
    again = ensure.once("msr_token", owner="tina", label="ci").result
    assert not again["changed"]
    assert "token" not in again
    ensure("msr_token", owner="tina", label="ci", active=False)
    assert [token["is_active"] for token in ensure.info("tina")["tokens"]] == [False]
    ensure("msr_token", owner="tina", label="ci", state="absent")
    assert row_of(msr, TOKENS, tokenLabel="ci") is None


def test_a_token_that_is_taken_over(msr: Installation, ensure: Ensure) -> None:
    for name in ("tara", "tom"):
        ensure.once("msr_account", name=name, new_password="a password")
    kept = token_hash("the token itself")
    token = {"owner": "tara", "token_hash": kept, "label": "taken over"}
    assert ensure("msr_token", **token, created="2024-07-03T09:46:40Z")["state"] == "created"
    row = row_of(msr, TOKENS, token=kept)
    assert row["createdAt"]["epoch_time"] == 1_720_000_000
    with people(msr) as found:
        assert found.lets_in("tara", "the token itself")
    # when it was made stays
    ensure("msr_token", changed=False, **token, created="2025-01-01T00:00:00+01:00")
    assert row_of(msr, TOKENS, tokenLabel="taken over") == row
    refused = ensure.once("msr_token", **token, created="yesterday").result
    assert refused["error"]["subject"] == "created"
    # whose it is has to be said
    for state in ("present", "absent"):
        refused = ensure.once("msr_token", **{**token, "owner": "tom"}, state=state).result
        assert refused["error"]["subject"] == "token_hash"
    assert row_of(msr, TOKENS, tokenLabel="taken over") == row
    ensure("msr_token", **token, state="absent")
    with people(msr) as found:
        assert not found.lets_in("tara", "the token itself")


def test_a_webhook_whose_address_is_a_secret(msr: Installation, ensure: Ensure) -> None:
    ensure("msr_account", name="white", type="organization")
    ensure("msr_repository", namespace="white", name="app")
    hook = {"event": "TAG_PUSH", "scope": "white/app", "endpoint": "https://hooks.example.com/push?key=hidden"}
    made = ensure.once("msr_webhook", **hook)
    assert made.result["changed"]
    assert "hidden" not in made.text
    assert row_of(msr, WEBHOOKS, key="white/app")["endpoint"] == hook["endpoint"]
    ensure("msr_webhook", changed=False, **hook)
    ensure("msr_webhook", **hook, active=False)
    ensure("msr_webhook", **hook, state="absent")
    assert row_of(msr, WEBHOOKS, key="white/app") is None


@pytest.mark.parametrize(
    ("does", "more"),
    [
        ("promotion", {"target": "pink/other", "tag_template": "%n-done", "rules": [{"field": "tag", "operator": "sw", "values": ["v"]}]}),
        ("pruning", {"rules": [{"field": "tag", "operator": "ew", "values": ["-snapshot"]}]}),
        ("push_mirroring", {"target": "registry.example.com/mirror/base", "remote_username": "mirror", "remote_password": "hidden"}),
        ("poll_mirroring", {"target": "hub.example.com/library/base", "remote_username": "mirror", "remote_password": "hidden"}),
    ],
)
def test_a_policy(ensure: Ensure, does: str, more: Options) -> None:
    ensure.once("msr_account", name="pink", type="organization")
    for name in ("app", "other"):
        ensure.once("msr_repository", namespace="pink", name=name)
    policy = {"does": does, "repository": "pink/app", **more}
    made = ensure("msr_policy", **policy, enabled=True)
    assert "hidden" not in str(made)
    changed = ensure("msr_policy", **policy, enabled=False)
    assert changed["differences"] == {"is_enabled": {"before": True, "after": False}}
    if "remote_password" in more:
        ensure("msr_policy", again=True, **policy, update_secrets="always")
    ensure("msr_policy", **policy, state="absent")


def test_a_policy_that_cannot_be(ensure: Ensure) -> None:
    for options, subject in (
        ({"does": "promotion"}, "target"),
        ({"does": "pruning", "remote_password": "hidden"}, "remote_password"),
    ):
        result = ensure.once("msr_policy", repository="pink/app", **options).result
        assert result["failed"]
        assert result["error"]["subject"] == subject


def test_settings(msr: Installation, ensure: Ensure) -> None:
    now = ensure.once("msr_settings").result
    assert not now["changed"]
    assert now["settings"]["read_only"] is False
    changed = ensure("msr_settings", read_only=True)
    assert changed["differences"] == {"read_only": {"before": False, "after": True}}
    assert msr.msr.settings()["readOnlyRegistry"] is True
    ensure("msr_settings", read_only=False)


def test_who_is_no_administrator_is_told_so(ensure: Ensure) -> None:
    ensure.once("msr_account", name="nina", new_password="nina's password")
    ensure.connection.update(username="nina", password="nina's password")
    result = ensure.once("msr_account", name="new", new_password="a password").result
    assert result["failed"]
    assert result["error"]["kind"] == "access_denied"


def test_nothing_has_broken_the_contract(msr: Installation) -> None:
    assert not msr.problems()

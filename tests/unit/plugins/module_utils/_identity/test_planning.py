# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._identity.applying import apply, summed
from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import PARTS, Change
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    Account,
    Grant,
    Membership,
    Policy,
    Repository,
    Team,
    TeamMembership,
    Token,
    Webhook,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.plan_text import plan_lines
from ansible_collections.registryops.migration.plugins.module_utils._identity.planning import REMOVABLE, PlanOptions, plan
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AuthenticationFailed, RegistryError
from ansible_collections.registryops.migration.tests.unit.plugins.module_utils._identity.memory_people import (
    MemoryPeople,
    by_key,
    estate_of,
    example,
    organization,
    user,
)

ADMIN = user("admin", is_admin=True, password_hash="memory$its own")


def planned(people: MemoryPeople, *items: t.Any, **options: t.Any) -> list[Change]:
    return plan(estate_of(*items), people.estate, people, PlanOptions(**options))


def of_state(changes: t.Iterable[Change], state: str) -> list[str]:
    return [change.item.title for change in changes if change.state == state]


def test_everything_is_created_in_an_order_in_which_nothing_is_missing_and_then_unchanged() -> None:
    people = MemoryPeople(ADMIN, batches={"token": 2, "account": 3})
    done = apply(people, planned(people, *example()))
    assert not done.failures
    assert not done.refused
    assert done.changed
    assert done.totals["created"] == len(example()) - 1
    assert done.totals["kept"] == 1
    again = summed(planned(people, *example()))
    assert not again.changed
    assert again.totals["unchanged"] == len(example()) - 1
    assert sorted(size for kind, size in people.calls if kind == "token") == [1, 2]


def test_what_an_installation_has_from_its_beginning_stays_unless_it_is_asked_for() -> None:
    theirs = [user("admin", is_admin=True, full_name="Root", password_hash="memory$root"), Token("admin", "hash of r1")]
    kept = MemoryPeople(ADMIN)
    changes = planned(kept, *theirs)
    assert of_state(changes, "kept") == ["user admin", "token without a label of admin"]
    apply(kept, changes)
    assert kept.lets_in("admin", "its own")
    assert not kept.lets_in("admin", "root")
    replaced = MemoryPeople(ADMIN)
    apply(replaced, planned(replaced, *theirs, built_in="replace"))
    assert replaced.lets_in("admin", "root")
    assert replaced.lets_in("admin", "r1")


def test_a_changed_password_follows_without_standing_in_the_plan() -> None:
    people = MemoryPeople(user("alice", password_hash="memory$old"))
    wanted = user("alice", password_hash="memory$new")
    assert of_state(planned(people, wanted, passwords="keep"), "unchanged") == ["user alice"]
    changes = planned(people, wanted)
    assert of_state(changes, "changed") == ["user alice"]
    assert "memory$" not in f"{plan_lines(changes)} {[change.as_row() for change in changes]}"
    apply(people, changes)
    assert people.lets_in("alice", "new")


def test_a_password_that_is_not_known_there_is_left_alone() -> None:
    people = MemoryPeople(user("alice"))
    people.estate.unread["password_hash"] = "there is no way to the database."
    assert of_state(planned(people, user("alice", password_hash="memory$new")), "unchanged") == ["user alice"]
    del people.estate.unread["password_hash"]
    assert of_state(planned(people, user("alice", password_hash="memory$new")), "changed") == ["user alice"]


def test_what_is_none_on_either_side_is_no_difference() -> None:
    people = MemoryPeople(organization("research"), Team("research", "dev", description="builds", directory_sync=None))
    changes = planned(people, organization("research"), Team("research", "dev", description=None, directory_sync={"a": 1}))
    assert of_state(changes, "unchanged") == ["organization research", "team research/dev"]


@pytest.mark.parametrize(
    ("there", "wanted", "words"),
    [
        ([], [user("al ice")], "has a space"),
        ([], [user("alice"), user("Alice")], "differs only in case"),
        ([user("alice")], [user("ALICE")], "differs only in case"),
        ([organization("alice")], [user("alice")], "is a user at the source, and an organization"),
        ([user("alice", directory_name="uid=other,dc=x")], [user("alice", directory_name="uid=alice,dc=x")], "source's directory"),
        ([], [Team("lost", "dev")], "needs the account lost, which the destination does not have"),
        ([], [organization("research"), Membership("research", "nobody")], "needs the account nobody"),
        ([organization("research"), Team("research", "dev")], [Grant("research", "dev", "research", "app", "read")], "research/app"),
        ([], [Webhook("TAG_PUSH", "research/app", "https://hook.example.com")], "needs the repository research/app"),
        (
            [organization("research"), Repository("research", "app")],
            [Policy("promotion", "research/app", target="research/stable")],
            "needs the repository research/stable",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(there: list[t.Any], wanted: list[t.Any], words: str) -> None:
    people = MemoryPeople(*there)
    changes = planned(people, *wanted)
    refused = [change for change in changes if change.state == "refused"]
    assert refused
    assert words in str(refused[-1].problem)
    assert refused[-1].problem is not None
    assert refused[-1].problem.hint


def test_what_needs_something_refused_is_refused_and_says_why() -> None:
    people = MemoryPeople()
    changes = planned(people, user("al ice"), organization("research"), Membership("research", "al ice"), Token("al ice", "hash of x"))
    assert of_state(changes, "refused") == ["user al ice", "member al ice of research", "token without a label of al ice"]
    assert "has a space" in str(changes[-1].problem)
    assert of_state(changes, "created") == ["organization research"]


def test_an_account_that_is_in_no_part_of_the_run_does_not_come() -> None:
    people = MemoryPeople()
    changes = planned(people, user("alice"), Repository("alice", "own"), parts=["repositories"])
    assert of_state(changes, "refused") == ["repository alice/own"]
    assert [change.item.kind for change in changes] == ["repository"]


def test_what_an_earlier_step_brings_can_be_relied_on_but_not_what_it_cannot() -> None:
    people = MemoryPeople()
    items = [user("al ice"), user("bob"), organization("research"), Membership("research", "al ice"), Membership("research", "bob")]
    changes = planned(people, *items, parts=["organizations"], coming=["accounts"])
    assert of_state(changes, "created") == ["organization research", "member bob of research"]
    assert of_state(changes, "refused") == ["member al ice of research"]
    assert len(changes) == 3


def test_every_kind_belongs_to_one_part() -> None:
    items = [
        *example(),
        Webhook("TAG_PUSH", "", "https://hook.example.com"),
        Policy("pruning", "research/app"),
    ]
    people = MemoryPeople()
    by_part = {part: planned(people, *items, parts=[part]) for part in PARTS}
    assert sum(map(len, by_part.values())) == len(items)
    assert {change.item.kind for change in by_part["accounts"]} == {"account", "token"}
    assert of_state(by_part["organizations"], "created")[:2] == ["organization research", "organization sales"]


def test_steps_one_after_the_other_come_to_the_same_as_all_at_once() -> None:
    at_once, in_steps = MemoryPeople(), MemoryPeople()
    apply(at_once, planned(at_once, *example()))
    for part in PARTS:
        assert not apply(in_steps, planned(in_steps, *example(), parts=[part])).failures
    assert by_key(at_once.estate) == by_key(in_steps.estate)


def test_members_of_a_team_that_follows_a_directory_come_from_there() -> None:
    team = Team("research", "dev", directory_sync={"enabled": True})
    follows = MemoryPeople(organization("research"), team, user("bob", directory_name="uid=bob"), user("carol"))
    members = [TeamMembership("research", "dev", "bob"), TeamMembership("research", "dev", "carol")]
    changes = planned(follows, team, *members)
    assert of_state(changes, "kept") == ["member bob of team research/dev"]
    assert of_state(changes, "created") == ["member carol of team research/dev"]


@pytest.mark.parametrize("there", [[], [Team("research", "dev", description="old", directory_sync={}, group_link="")]])
def test_a_team_follows_a_directory_when_it_has_its_members(there: list[t.Any]) -> None:
    team = Team("research", "dev", description="new", directory_sync={"enabled": True}, group_link="")
    people = MemoryPeople(organization("research"), *there, user("bob", directory_name="uid=bob"))
    member = TeamMembership("research", "dev", "bob")
    told: list[Change] = []
    changes = planned(people, team, member)
    done = apply(people, changes, progress=told.append)
    assert not done.failures
    assert [kind for kind, _size in people.calls] == ["team", "team_membership", "team"]
    assert people.estate.like(team) == team
    assert [change.item.kind for change in told] == ["team_membership", "team"]
    assert done.counts["team"] == {"changed" if there else "created": 1}
    assert not summed(planned(people, team, member)).changed


def test_a_team_that_does_not_come_to_be_does_not_follow_anything() -> None:
    team = Team("research", "dev", directory_sync={"enabled": True})
    people = MemoryPeople(organization("research"))
    people.broken[team.title] = RegistryError("fell over.", subject=team.title, status=500)
    done = apply(people, planned(people, team))
    assert [change.item.title for change in done.failures] == [team.title]
    assert people.calls == [("team", 1)]


def test_the_same_entry_written_otherwise_is_no_difference() -> None:
    people = MemoryPeople(user("alice", directory_name="UID=Alice, OU=People,DC=example"))
    wanted = user("alice", directory_name="uid=alice,ou=people,dc=example")
    assert of_state(planned(people, wanted), "unchanged") == ["user alice"]


def test_a_directory_that_has_moved_is_not_compared_where_that_is_said() -> None:
    people = MemoryPeople(user("alice", directory_name="uid=alice,ou=old"))
    wanted = user("alice", directory_name="uid=alice,ou=new", full_name="Alice")
    assert of_state(planned(people, wanted), "refused") == ["user alice"]
    changes = planned(people, wanted, match_directory=False)
    assert of_state(changes, "changed") == ["user alice"]
    assert list(changes[0].differences) == ["full_name"]


def test_what_needs_something_that_failed_is_not_tried() -> None:
    people = MemoryPeople()
    people.broken["organization research"] = RegistryError("fell over.", subject="organization research", status=500)
    done = apply(people, planned(people, *example()))
    failed = {change.item.title: str(change.problem) for change in done.failures}
    assert "fell over" in failed["organization research"]
    assert "needs the account research" in failed["team research/dev"]
    assert "needs the team research/dev" in failed["member bob of team research/dev"]
    assert "needs the account research" in failed["repository research/app"]
    assert people.estate.find(Account, ("sales",)) is not None
    assert people.lets_in("carol", "c1")
    assert not done.totals["not_attempted"]


def test_a_second_run_does_what_the_first_could_not() -> None:
    people = MemoryPeople()
    people.broken["organization research"] = RegistryError("fell over.", subject="organization research", status=500)
    apply(people, planned(people, *example()))
    people.broken.clear()
    done = apply(people, planned(people, *example()))
    assert done.changed
    assert not done.failures
    assert by_key(people.estate) == by_key(example())


@pytest.mark.parametrize(
    ("error", "on_error"),
    [(RegistryError("fell over.", status=500), "abort"), (AuthenticationFailed("are not taken."), "skip")],
)
def test_a_run_ends_early_where_it_is_told_to_or_has_to(error: RegistryError | AuthenticationFailed, on_error: t.Any) -> None:
    people = MemoryPeople()
    people.broken["user alice"] = error
    done = apply(people, planned(people, *example()), workers=1, on_error=on_error)
    assert done.ended_by is error
    assert [change.item.title for change in done.failures] == ["user alice"]
    assert done.totals["not_attempted"] == len(example()) - 2
    assert people.written == [("created", "user admin")]


def test_progress_is_told_of_each_that_is_done() -> None:
    people = MemoryPeople()
    seen: list[str] = []
    apply(people, planned(people, *example()), progress=lambda change: seen.append(change.item.title))
    assert len(seen) == len(example())


def test_the_text_of_a_plan_is_bounded_and_has_what_is_wrong_first() -> None:
    people = MemoryPeople(user("bob", full_name="B"))
    many = [user(f"user{number:03}") for number in range(150)]
    lines = plan_lines(planned(people, *many, user("al ice"), user("bob", full_name="Bob")))
    assert lines[0] == "users and organizations: 1 refused, 1 changed, 150 created"
    assert lines[1] == "  ! user al ice: has a space."
    assert lines[2] == "  ~ user bob: full_name B -> Bob"
    assert lines[3] == "  + user user000"
    assert lines[-1] == "    and 52 more"


@pytest.mark.parametrize(("surplus", "removed"), [("keep", []), ("report", []), ("remove", ["grant", "team_membership"])])
def test_what_only_the_destination_has_is_kept_reported_or_removed(surplus: t.Any, removed: list[str]) -> None:
    beyond = [ADMIN, user("bob"), TeamMembership("research", "dev", "bob"), Grant("research", "dev", "research", "app", "write")]
    people = MemoryPeople(ADMIN, *example()[1:])
    changes = plan(estate_of(), people.estate, people, PlanOptions(surplus=surplus), beyond)
    assert [change.item.kind for change in changes if change.state == "removed"] == removed
    assert len(changes) == (0 if surplus == "keep" else len(beyond))
    apply(people, changes)
    assert (people.estate.find(TeamMembership, ("research", "dev", "bob")) is None) == bool(removed)


def test_accounts_are_removed_only_by_name_of_their_kind_and_the_built_in_never() -> None:
    options = PlanOptions(surplus="remove", removed=["account"])
    changes = plan(estate_of(), estate_of(), MemoryPeople(), options, [ADMIN, user("bob")])
    assert of_state(changes, "removed") == ["user bob"]
    assert of_state(changes, "surplus") == ["user admin"]


def test_an_item_is_replaced_with_its_differences_only() -> None:
    people = MemoryPeople(user("alice", full_name="Alice", is_admin=False))
    changes = planned(people, user("alice", full_name="Alice B", is_admin=True))
    assert changes[0].differences == {"full_name": ("Alice", "Alice B"), "is_admin": (False, True)}


def test_the_account_that_a_run_signs_in_with_is_neither_changed_nor_removed() -> None:
    mine = user("migrator", is_admin=True, password_hash="memory$here")
    people = MemoryPeople(mine, Token("migrator", "hash of m1"), Token("migrator", "hash of m2", label="run"), batches={"token": 5})
    people.own_account = "migrator"
    theirs = [user("migrator", password_hash="memory$there"), Token("migrator", "hash of m2", label="old"), Token("migrator", "hash of m3")]
    surplus = [mine, Token("migrator", "hash of m1")]
    options = PlanOptions(built_in="replace", surplus="remove", removed=["account", "token"])
    changes = plan(estate_of(*theirs), people.estate, people, options, surplus)
    assert of_state(changes, "kept") == ["user migrator", "token old of migrator", "token without a label of migrator"]
    assert sorted(of_state(changes, "surplus")) == ["token without a label of migrator", "user migrator"]
    before = by_key(people.estate)
    apply(people, changes)
    assert not people.written
    assert by_key(people.estate) == before
    assert people.lets_in("migrator", "here")


OF_BUILT_IN = [
    Membership("research", "admin", is_admin=True),
    TeamMembership("research", "dev", "admin"),
    Membership("base", "bob", is_admin=True),
    Team("base", "ops", description="all may"),
    TeamMembership("base", "ops", "bob"),
    Grant("base", "ops", "base", "", "admin"),
]


class WithOrganization(MemoryPeople):
    built_in = frozenset({"admin", "base"})


def test_rights_and_members_of_what_an_installation_has_stay_too_unless_it_is_asked_for() -> None:
    around = [ADMIN, organization("base"), organization("research"), user("bob"), Team("research", "dev")]
    wanted = [*around, *OF_BUILT_IN, Repository("base", "tool"), Membership("research", "bob")]
    people = WithOrganization(*around, Membership("base", "bob", is_admin=False))
    changes = planned(people, *wanted)
    assert sorted(of_state(changes, "kept")) == sorted(item.title for item in OF_BUILT_IN)
    # a repository gives nobody a right
    assert of_state(changes, "created") == ["member bob of research", "repository base/tool"]
    apply(people, changes)
    assert people.look(Membership("base", "bob")) == Membership("base", "bob", is_admin=False)
    asked = summed(planned(people, *wanted, built_in="replace"))
    assert (asked.totals["created"], asked.totals["changed"]) == (len(OF_BUILT_IN) - 1, 1)
    # where it is not there from the beginning, it is one like all others
    assert not of_state(planned(WithOrganization(*around[:1], *around[2:]), *around[1:], *OF_BUILT_IN[2:]), "kept")


def test_nothing_of_what_an_installation_has_is_removed() -> None:
    webhook = Webhook("TAG_PUSH", "base/tool", "https://hooks.example.com/1")
    there = [ADMIN, organization("base"), organization("research"), user("bob"), *OF_BUILT_IN, Repository("base", "tool"), webhook]
    people = WithOrganization(*there, Membership("research", "bob"))
    options = PlanOptions(built_in="replace", surplus="remove", removed=["account", *REMOVABLE, "team", "repository"])
    changes = plan(estate_of(), people.estate, people, options, people.estate)
    assert sorted(of_state(changes, "removed")) == ["member bob of research", "organization research", "user bob"]
    assert len(of_state(changes, "surplus")) == len(there) - 2


@pytest.mark.parametrize(("here", "there"), [("", "uid=bob,dc=x"), ("uid=bob,dc=x", "")], ids=["from a directory here", "there"])
def test_one_who_comes_from_a_directory_on_one_side_only_is_another_unless_somebody_says_so(here: str, there: str) -> None:
    wanted = [
        user("bob", directory_name=here, password_hash="" if here else "memory$there", full_name="Bob"),
        organization("research"),
        Membership("research", "bob", is_admin=True),
        Token("bob", "hash of b1"),
    ]
    people = MemoryPeople(user("bob", directory_name=there, password_hash="" if there else "memory$here"))
    before = by_key(people.estate)
    changes = planned(people, *wanted)
    assert of_state(changes, "refused") == ["user bob", "member bob of research", "token without a label of bob"]
    assert "rename: {bob: bob}" in str(changes[0].problem)
    apply(people, [change for change in changes if change.item != organization("research")])
    assert by_key(people.estate) == before
    said = planned(people, *wanted, same={"bob"})
    assert of_state(said, "changed") == ["user bob"]
    assert said[0].differences.keys() == ({"full_name"} if there else {"full_name", "directory_name"})
    apply(people, said)
    bob = people.estate.of(Account)["bob",]
    # who comes from a directory gets no password of the product's own
    assert (bob.directory_name, bob.password_hash) == (here or there, "" if there else "memory$here")
    assert people.lets_in("bob", "b1")
    assert not summed(planned(people, *wanted, same={"bob"})).changed


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (user("bob", directory_name=""), user("bob", directory_name="uid=bob,dc=x")),
        (user("bob", directory_name="uid=bob,dc=x"), user("bob", directory_name="uid=another,dc=x")),
        (user("bob"), organization("bob")),
    ],
    ids=["one from a directory", "two entries", "a user and an organization"],
)
def test_somebody_else_of_the_same_name_gets_nothing_by_any_part(here: Account, there: Account) -> None:
    """Each part is a step of its own in a playbook: what the accounts' step refuses, those after it must not take for there."""
    hook = Webhook("TAG_PUSH", "bob/app", "https://hooks.example.com/1")
    wanted = [here, organization("o"), Team("o", "t"), Membership("o", "bob", is_admin=True), TeamMembership("o", "t", "bob")]
    wanted += [Repository("bob", "app"), Repository("bob", "new"), hook]
    # somebody else has a repository of that name, and one cannot tell the two by looking at them
    people = MemoryPeople(there, organization("o"), Team("o", "t"), Repository("bob", "app"))
    before = by_key(people.estate)
    organizations = planned(people, *wanted, parts=["organizations"])
    assert of_state(organizations, "refused") == ["member bob of o", "member bob of team o/t"]
    repositories = planned(people, *wanted, parts=["repositories"])
    assert of_state(repositories, "refused") == ["repository bob/app", "repository bob/new", hook.title]
    together = planned(people, *wanted)
    refused = [change for change in (*organizations, *repositories) if change.state == "refused"]
    assert set(of_state(together, "refused")) == {here.title, *(change.item.title for change in refused)}
    assert all(f"Of that: {together[0].problem}" in str(change.problem) or "bob/app" in str(change.problem) for change in refused)
    apply(people, [*organizations, *repositories])
    assert by_key(people.estate) == before


def test_one_who_is_refused_for_something_else_is_still_the_same() -> None:
    """A password of an unknown form is no reason to leave the images behind of a user whom the destination has."""
    wanted = [user("bob", password_hash="unknown$x"), Repository("bob", "app"), organization("o"), Membership("o", "bob")]
    people = MemoryPeople(user("bob"), Repository("bob", "app"))
    assert of_state(planned(people, *wanted), "unchanged") == ["repository bob/app"]
    for coming in ((), ("accounts",)):
        changes = planned(people, *wanted, parts=["organizations", "repositories"], coming=coming)
        assert not of_state(changes, "refused")


def test_one_who_was_left_inactive_is_not_made_active_by_a_name_alone() -> None:
    wanted = [user("bob", directory_name="uid=bob,dc=x", is_admin=True), organization("o"), Membership("o", "bob")]
    people = MemoryPeople(user("bob", directory_name=None, is_active=False), organization("o"))
    changes = planned(people, *wanted)
    assert of_state(changes, "refused") == ["user bob", "member bob of o"]
    assert "nobody can tell" in str(changes[0].problem)
    for known in ({"same": {"bob"}}, {"match_directory": False}):
        assert not of_state(planned(people, *wanted, **known), "refused")


def test_tokens_of_the_own_account_are_told_why_they_stay() -> None:
    people = MemoryPeople(ADMIN)
    people.own_account = "admin"
    (change,) = [one for one in planned(people, ADMIN, Token("admin", "hash of r1")) if one.item.kind == "token"]
    assert change.state == "kept"
    assert "signed in to with" in str(change.problem)


def test_what_is_not_taken_along_does_not_have_to_be_possible_in_any_part() -> None:
    theirs = [organization("base"), Team("base", "ops"), Repository("base", "app"), Grant("base", "ops", "base", "app", "read")]
    people = WithOrganization(ADMIN, organization("base"), Repository("base", "app"))
    for parts in (["repositories"], list(PARTS)):
        changes = planned(people, *theirs, parts=parts)
        assert not of_state(changes, "refused")
        assert "grant for team base/ops on base/app" in of_state(changes, "kept")


def test_whether_one_comes_from_a_directory_does_not_count_where_it_is_not_known_or_not_to_be_looked_at() -> None:
    people = MemoryPeople(user("bob", directory_name=None), user("carol", directory_name="uid=carol"))
    assert of_state(planned(people, user("bob", directory_name="uid=bob")), "unchanged") == ["user bob"]
    wanted = user("carol", directory_name="", password_hash="memory$there")
    assert of_state(planned(people, wanted, match_directory=False), "unchanged") == ["user carol"]

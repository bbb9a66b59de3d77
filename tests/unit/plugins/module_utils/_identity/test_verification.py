# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._identity.access import AccessMatrix, compare_access
from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import PARTS
from ansible_collections.registryops.migration.plugins.module_utils._identity.matching import renamed
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    Grant,
    Item,
    Membership,
    Repository,
    TeamMembership,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.verification import (
    Verified,
    VerifyOptions,
    ask_sample,
    compare,
    try_logins,
)
from ansible_collections.registryops.migration.tests.unit.plugins.module_utils._identity.memory_people import (
    MemoryPeople,
    estate_of,
    example,
    user,
)

OPTIONS = VerifyOptions(tuple(PARTS), sample=1000)


def without(*titles: str) -> list[Item]:
    items = [item for item in example() if item.title not in titles]
    assert len(items) == len(example()) - len(titles)
    return items


def rights(verified: Verified) -> list[tuple[str, str, str | None, str | None]]:
    assert verified.access is not None
    return [(one.user, one.repository, one.before, one.after) for one in verified.access.differences]


def matrix(*more: Item) -> AccessMatrix:
    return AccessMatrix(estate_of(*example(), *more))


@pytest.mark.parametrize(
    ("who", "where", "level"),
    [
        ("bob", "research/app", "write"),  # of a team
        ("bob", "research/open", "read"),  # public
        ("carol", "sales/site", "write"),  # of a team, in all of the organization
        ("carol", "research/app", None),
        ("alice", "research/app", "admin"),  # admin of the organization
        ("alice", "sales/site", None),
        ("erin", "erin/own", "admin"),  # the own one
        ("bob", "erin/own", None),
        ("admin", "erin/own", "admin"),  # of everything
        ("dave", "research/app", None),  # may read, but is not active
        ("dave", "research/open", None),
        ("nobody", "research/open", None),
        ("admin", "research/none", None),  # there is no such repository
    ],
)
def test_what_somebody_may_do_is_all_rights_together(who: str, where: str, level: str | None) -> None:
    assert matrix().level(who, *where.split("/")) == level


def test_grants_of_several_teams_add_up_and_the_highest_counts() -> None:
    more = [TeamMembership("research", "ops", "bob"), Grant("research", "ops", "research", "open", "admin")]
    assert matrix(*more).level("bob", "research", "open") == "admin"
    assert matrix(*more).level("bob", "research", "app") == "write"


def test_the_comparison_says_of_each_pair_what_a_look_at_every_pair_says() -> None:
    changed = [
        dataclasses.replace(item, visibility="public") if isinstance(item, Repository) and item.name == "app" else item
        for item in without("user erin", "member bob of team research/dev")
    ]
    changed += [user("erin", is_active=False), Grant("research", "dev", "research", "open", "write"), Membership("sales", "bob", True)]
    before, after = matrix(), AccessMatrix(estate_of(*changed))
    compared = compare_access(before, after, before.users, before.repositories)
    expected = {
        (name, f"{namespace}/{repository}", one, other)
        for name in before.users
        for namespace, repository in before.repositories
        if (one := before.level(name, namespace, repository)) != (other := after.level(name, namespace, repository))
    }
    assert {(one.user, one.repository, one.before, one.after) for one in compared.differences} == expected
    assert {("erin", "erin/own", "admin", None), ("bob", "sales/site", None, "admin"), ("carol", "research/app", None, "read")} <= expected
    assert compared.cells == len(before.users) * len(before.repositories)


def test_equal_sides_are_equal() -> None:
    found = compare(estate_of(*example()), estate_of(*example()), OPTIONS)
    assert not found.different
    assert found.access is not None
    assert found.access.cells == 6 * 4
    assert sum(counts["equal"] for counts in found.counts.values()) == len(example())


@pytest.mark.parametrize(
    ("lost", "kind", "right"),
    [
        ("grant for team research/dev on research/app", "grant", ("bob", "research/app", "write", None)),
        ("grant for team sales/desk on all of sales", "grant", ("carol", "sales/site", "write", None)),
        ("member carol of team sales/desk", "team_membership", ("carol", "sales/site", "write", None)),
        ("member alice of research", "membership", ("alice", "research/app", "admin", None)),
    ],
)
def test_whatever_is_lost_is_seen_in_the_items_and_in_the_rights(lost: str, kind: str, right: tuple[t.Any, ...]) -> None:
    found = compare(estate_of(*example()), estate_of(*without(lost)), OPTIONS)
    assert [(one.outcome, one.item.kind) for one in found.items] == [("missing", kind)]
    assert right in rights(found)
    assert found.different == 1 + len(rights(found))


def test_more_rights_than_at_the_source_are_a_difference_too() -> None:
    beyond = Grant("sales", "desk", "sales", "site", "admin")
    found = compare(estate_of(*example()), estate_of(*example(), beyond), OPTIONS, [beyond])
    assert rights(found) == [("carol", "sales/site", "write", "admin")]
    assert [one.item for one in found.surplus] == [beyond]
    assert not found.items


@pytest.mark.parametrize(("surplus", "listed", "different"), [("ignore", 0, 0), ("report", 1, 0), ("fail", 1, 1)])
def test_a_surplus_is_ignored_listed_or_a_difference(surplus: t.Any, listed: int, different: int) -> None:
    beyond = user("zoe")
    options = dataclasses.replace(OPTIONS, surplus=surplus)
    found = compare(estate_of(*example()), estate_of(*example(), beyond), options, [beyond])
    assert len(found.surplus) == listed
    assert found.different == different


def test_another_password_is_a_difference_where_both_are_known() -> None:
    there = [item for item in example() if item.title != "user alice"]
    found = compare(estate_of(*example()), estate_of(*there, user("alice", password_hash="memory$other")), OPTIONS)
    assert [one.item.title for one in found.items] == ["user alice"]
    assert "memory$" not in str(found.as_document())
    unknown = estate_of(*there, user("alice"))
    unknown.unread["password_hash"] = "there is no database."
    unknowable = compare(estate_of(*example()), unknown, OPTIONS)
    assert (unknowable.items, unknowable.unproven, unknowable.different) == ([], ["password_hash"], 1)
    allowed = compare(estate_of(*example()), unknown, dataclasses.replace(OPTIONS, without=["password_hash"]))
    assert not allowed.different
    assert allowed.uncompared == {"password_hash": "there is no database."}
    # nobody is asked for passwords of accounts that are not compared
    assert not compare(estate_of(*example()), unknown, dataclasses.replace(OPTIONS, parts=["organizations", "repositories"])).uncompared


def test_what_one_side_cannot_tell_is_never_called_equal() -> None:
    silent = estate_of(*without("grant for team research/dev on research/app"))
    silent.unread["grant"] = "may not be listed."
    found = compare(estate_of(*example()), silent, OPTIONS)
    assert "grant" not in found.counts
    assert found.access is None
    assert found.uncompared.keys() == {"grant", "access"}
    assert "may not be listed." in found.uncompared["access"]
    assert found.unproven == ["grant", "access"]
    assert found.different == 2
    allowed = compare(estate_of(*example()), silent, dataclasses.replace(OPTIONS, without=["grant"]))
    assert not allowed.different
    assert allowed.uncompared.keys() == {"grant", "access"}


def test_accounts_that_are_kept_do_not_count() -> None:
    there = [item for item in example() if item.title != "user admin"]
    other = user("admin", is_admin=True, full_name="Root", password_hash="memory$its own")
    found = compare(estate_of(*example()), estate_of(*there, other), dataclasses.replace(OPTIONS, kept=["admin"]))
    assert not found.different
    assert found.counts["account"]["kept"] == 1


def test_products_are_asked_for_a_sample_that_stays_the_same() -> None:
    source, destination = MemoryPeople(*example()), MemoryPeople(*example())
    wanted = source.estate
    asked: list[tuple[str, str, str]] = []
    usual = destination.level
    destination.level = lambda *pair: (asked.append(pair), usual(*pair))[1]  # type: ignore[method-assign]
    options = dataclasses.replace(OPTIONS, sample=8)
    first, second = Verified(), Verified()
    ask_sample(first, wanted, source, destination, {}, options)
    pairs = sorted(asked)
    ask_sample(second, wanted, source, destination, {}, options)
    assert first.sampled == len(set(pairs)) == 8
    assert sorted(asked) == sorted(pairs * 2)
    assert sum(usual(*pair) is not None for pair in pairs) >= 4
    every = Verified()
    ask_sample(every, wanted, None, destination, {}, dataclasses.replace(OPTIONS, sample=-1))
    assert every.sampled == 5 * 4
    assert not first.different
    assert not every.different


def test_a_product_that_says_something_else_is_a_difference() -> None:
    source = MemoryPeople(*example())
    destination = MemoryPeople(*without("grant for team research/dev on research/app"))
    found = Verified()
    ask_sample(found, source.estate, source, destination, {}, dataclasses.replace(OPTIONS, sample=-1))
    assert [one.as_row() for one in found.sample] == [
        {"user": "bob", "repository": "research/app", "computed": "write", "source": "write", "destination": None}
    ]
    assert found.different == 1


def test_who_is_called_otherwise_is_asked_for_by_the_name_of_each_side() -> None:
    names = {"bob": "robert", "research": "lab"}
    source = MemoryPeople(*example())
    wanted = renamed(source.estate, names)
    destination = MemoryPeople(*wanted)
    found = Verified()
    ask_sample(found, wanted, source, destination, names, dataclasses.replace(OPTIONS, sample=-1))
    assert found.sampled
    assert not found.different


def test_logins_are_tried_on_both_sides() -> None:
    source = MemoryPeople(*example())
    destination = MemoryPeople(*[item for item in example() if item.title != "token laptop of alice"])
    found = Verified()
    try_logins(found, [("alice", "wonder"), ("alice", "a1"), ("alice", "a2"), ("alice", "wrong")], source, destination, {})
    assert found.logins_tried == 4
    assert [one.as_row() for one in found.logins] == [{"user": "alice", "source": True, "destination": False}]
    from_file = Verified()
    try_logins(from_file, [("alice", "wrong")], None, destination, {})
    assert from_file.different == 1


def test_rights_and_members_that_are_kept_do_not_count_either() -> None:
    wanted = estate_of(*example(), Membership("research", "admin", is_admin=True), Membership("sales", "bob", is_admin=True))
    existing = estate_of(*example())
    found = compare(wanted, existing, dataclasses.replace(OPTIONS, kept=["admin", "sales"]))
    assert not found.items
    assert found.counts["membership"]["kept"] == 2
    # it is said, and counts for nothing: only built_in: replace could change it
    assert not rights(found)
    assert [(one.user, one.repository, one.before, one.after) for one in found.kept_access] == [("bob", "sales/site", "admin", None)]


def test_products_are_not_asked_for_rights_that_stay_the_destinations_own() -> None:
    wanted = estate_of(*example(), Membership("research", "bob", is_admin=True))
    options = dataclasses.replace(OPTIONS, kept={"research"}, sample=-1)
    verified = compare(wanted, estate_of(*example()), options)
    ask_sample(verified, wanted, None, MemoryPeople(*example()), {}, options)
    assert verified.sampled
    assert verified.different == 0
    # one that is not there is brought, and its rights count
    gone = [item for item in example() if "research" not in item.title]
    assert compare(wanted, estate_of(*gone), options).different


def test_the_own_account_of_a_run_does_not_count_but_its_memberships_do() -> None:
    other = user("bob", is_admin=True, password_hash="memory$its own")
    there = [item for item in example() if item.title not in ("user bob", "member bob of research")]
    found = compare(estate_of(*example()), estate_of(*there, other), dataclasses.replace(OPTIONS, own_account="bob"))
    assert [one.item.title for one in found.items] == ["member bob of research"]
    assert not rights(found)


def test_one_who_comes_from_a_directory_at_the_destination_only_is_a_difference_unless_it_is_known() -> None:
    there = [item for item in example() if item.title != "user alice"]
    wanted = estate_of(*there, user("alice", directory_name="", password_hash="memory$wonder"))
    existing = estate_of(*there, user("alice", directory_name="uid=alice"))
    found = compare(wanted, existing, OPTIONS)
    assert [(one.item.title, *one.differences) for one in found.items] == [("user alice", "directory_name")]
    assert not compare(wanted, existing, dataclasses.replace(OPTIONS, same={"alice"})).different

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    Account,
    Estate,
    Grant,
    Repository,
    Team,
    TeamMembership,
    Token,
    Webhook,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.planning import PlanOptions, plan
from ansible_collections.registryops.migration.plugins.module_utils._identity.selection import Selection, select
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption
from ansible_collections.registryops.migration.tests.unit.plugins.module_utils._identity.memory_people import (
    MemoryPeople,
    by_key,
    estate_of,
    example,
)

NOW = datetime.datetime(2026, 3, 31, tzinfo=datetime.UTC)


def selected(*more: t.Any, **options: t.Any) -> Estate:
    return select(estate_of(*example(), *more), Selection.from_options(options), NOW)


def names(estate: Estate, cls: type[t.Any]) -> set[str]:
    return {"/".join(key) for key in estate.of(cls)}


def only(*patterns: str) -> dict[str, list[str]]:
    return {"include": list(patterns)}


def test_without_a_selection_everything_is_taken_also_what_belongs_nowhere() -> None:
    lost = Team("gone", "dev")
    assert by_key(selected(lost)) == by_key([*example(), lost])


def test_an_organization_comes_with_its_people_and_repositories_and_nothing_else() -> None:
    estate = selected(organizations=only("research"))
    assert names(estate, Account) == {"research", "alice", "bob", "dave"}
    assert names(estate, Team) == {"research/dev", "research/ops"}
    assert names(estate, Repository) == {"research/app", "research/open"}
    assert names(estate, Grant) == {"research/dev/research/app", "research/ops/research/"}
    assert {token.owner for token in estate.of(Token).values()} == {"alice"}


def test_a_repository_comes_with_those_who_may_do_something_with_it() -> None:
    estate = selected(repositories=only("research/app"))
    assert names(estate, Repository) == {"research/app"}
    assert names(estate, Account) == {"research", "alice", "bob", "dave"}
    site = selected(repositories=only("sales/*"))
    assert names(site, Account) == {"sales", "carol"}
    assert names(site, Grant) == {"sales/desk/sales/"}
    own = selected(repositories=only("erin/own"))
    assert names(own, Account) == {"erin"}


def test_a_user_comes_with_what_the_user_belongs_to() -> None:
    estate = selected(users=only("bob", "erin"))
    assert names(estate, Account) == {"bob", "erin", "research"}
    assert names(estate, TeamMembership) == {"research/dev/bob"}
    assert names(estate, Team) == {"research/dev"}
    assert names(estate, Repository) == {"erin/own"}


def test_selections_narrow_each_other() -> None:
    estate = selected(organizations=only("research"), repositories=only("**/app"), users={"include": ["*"], "exclude": ["d*"]})
    assert names(estate, Repository) == {"research/app"}
    assert "dave" not in names(estate, Account)
    nothing = selected(organizations=only("research"), repositories=only("sales/*"))
    assert not nothing.of(Repository)


def test_what_is_excluded_takes_along_what_belongs_to_it_and_nothing_else() -> None:
    estate = selected(organizations={"exclude": ["sales"]}, users={"exclude": ["erin"]})
    assert names(estate, Account) == {"admin", "alice", "bob", "carol", "dave", "research"}
    assert names(estate, Repository) == {"research/app", "research/open"}
    assert not [key for key in estate.of(Team) if key[0] == "sales"]


@pytest.mark.parametrize(
    "options",
    [
        {"organizations": only("research")},
        {"repositories": only("research/app")},
        {"repositories": only("erin/*", "sales/*")},
        {"users": only("bob", "carol")},
        {"organizations": only("sales"), "users": {"exclude": ["carol"]}},
    ],
)
def test_whatever_is_selected_can_be_brought_over_for_itself(options: dict[str, t.Any]) -> None:
    changes = plan(selected(**options), estate_of(), MemoryPeople(), PlanOptions())
    assert changes
    assert {change.state for change in changes} == {"created"}


def test_webhooks_go_with_what_they_are_about() -> None:
    hooks = [Webhook("TAG_PUSH", scope, "https://hook.example.com") for scope in ("", "research", "research/app", "sales")]
    assert {hook.scope for hook in selected(*hooks, organizations=only("research")).of(Webhook).values()} == {"research", "research/app"}
    assert len(selected(*hooks).of(Webhook)) == 4


def test_tokens_are_counted_for_each_user_by_their_last_use() -> None:
    assert {token.token_hash for token in selected(tokens={"newest": 1}).of(Token).values()} == {"hash of a2", "hash of c1"}
    assert not selected(tokens={"newest": 0}).of(Token)
    assert {token.token_hash for token in selected(tokens={"used_since": "90d"}).of(Token).values()} == {"hash of a1"}
    assert not selected(tokens={"used_since": "2026-02-01"}).of(Token)


def test_patterns_that_match_nothing_are_warned_about() -> None:
    selection = Selection.from_options({"organizations": only("research", "reserch"), "users": only("x*")})
    assert selection.unmatched(estate_of(*example())) == [
        "organizations.include: reserch matches nothing at the source.",
        "users.include: x* matches nothing at the source.",
    ]


def test_names_alone_say_which_namespaces_matter() -> None:
    assert Selection.from_options({"organizations": only("research", "sales")}).namespaces == ["research", "sales"]
    assert Selection.from_options({"organizations": {"include": ["research", "sales"], "exclude": ["sales"]}}).namespaces == ["research"]
    for options in ({}, {"organizations": only("re*")}, {"organizations": only("research"), "users": only("bob")}):
        assert Selection.from_options(options).namespaces is None


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"organizations": {"include": ["a["]}}, "organizations.include"),
        ({"tokens": {"newest": -1}}, "tokens.newest"),
        ({"tokens": {"used_since": "lately"}}, "tokens.used_since"),
    ],
)
def test_what_makes_no_sense_is_an_error_that_names_the_option(options: dict[str, t.Any], subject: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        Selection.from_options(options)
    assert caught.value.subject == subject

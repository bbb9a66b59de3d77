# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._identity.matching import (
    normalized_name,
    renamed,
    renaming,
    same_entry,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import Policy, Webhook
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, NameCollision
from ansible_collections.registryops.migration.tests.unit.plugins.module_utils._identity.memory_people import (
    estate_of,
    example,
    organization,
    user,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("uid=alice,ou=People,dc=example", "UID = Alice , OU=people,DC=EXAMPLE"),
        ("cn=Doe\\, Jane,dc=example", "CN=doe\\2C jane,DC=example"),
        ("cn=J+uid=1,dc=example", "UID=1+CN=j,dc=example"),
        ("cn=M\u00fcller,dc=x", "cn=m\\C3\\BCller,dc=x"),
        ("cn=two  spaces,dc=x", "cn=two spaces,dc=x"),
    ],
)
def test_names_of_one_entry_are_equal_however_they_are_written(one: str, other: str) -> None:
    assert normalized_name(one) == normalized_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("uid=alice,dc=x", "uid=alicia,dc=x"),
        ("cn=a\\,b,dc=x", "cn=a,b,dc=x"),
        ("cn=a\\+uid\\=b", "cn=a+uid=b"),
        ("", ""),
        (None, "uid=alice"),
    ],
)
def test_names_of_two_entries_or_none_are_not(one: str | None, other: str | None) -> None:
    assert not same_entry(one, other)


def test_users_of_a_directory_are_found_under_another_name() -> None:
    source = estate_of(user("jdoe", directory_name="uid=7,dc=x"), user("local"), user("same", directory_name="uid=8,dc=x"))
    existing = estate_of(user("john.doe", directory_name="UID=7, DC=x"), user("same", directory_name="uid=8,dc=x"), user("jdoe"))
    assert renaming(source, existing, {}, by_directory=True) == {"jdoe": "john.doe"}
    assert renaming(source, existing, {}, by_directory=False) == {}
    assert renaming(source, existing, {"jdoe": "jane"}, by_directory=True) == {"jdoe": "jane"}
    assert renaming(source, existing, {"jdoe": "jdoe"}, by_directory=True) == {}


def test_two_cannot_become_one() -> None:
    with pytest.raises(NameCollision, match=r"Bob and bob would both become bob\.") as caught:
        renaming(estate_of(user("Bob"), user("bob")), estate_of(), {"Bob": "bob"}, by_directory=True)
    assert caught.value.subject == "rename"
    assert caught.value.hint


@pytest.mark.parametrize("wished", [{"nobody": "x"}, {"alice": ""}, {"alice": 7}])
def test_a_wish_that_makes_no_sense_is_an_error(wished: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidOption) as caught:
        renaming(estate_of(user("alice")), estate_of(), wished, by_directory=True)
    assert caught.value.subject == "rename"


def test_a_wish_about_somebody_who_was_left_out_of_a_file_is_for_another_run() -> None:
    source = estate_of(user("alice"))
    source.is_part = True
    assert renaming(source, estate_of(), {"alice": "al", "bob": "rob"}, by_directory=True) == {"alice": "al"}


def test_a_name_is_replaced_wherever_it_stands_and_two_can_be_exchanged() -> None:
    estate = estate_of(
        *example(),
        Webhook("TAG_PUSH", "research/app", "https://hook.example.com/research"),
        Policy("promotion", "research/app", target="research/open"),
        Policy("push_mirroring", "research/app", target="mirror.example.com/research/app"),
    )
    other = renamed(estate, {"research": "lab", "bob": "carol", "carol": "bob"})
    texts = " ".join(repr(item) for item in other)
    assert "'research" not in texts.replace("mirror.example.com/research", "").replace("hook.example.com/research", "")
    assert other.counts() == estate.counts()
    titles = {item.title for item in other}
    assert {"member carol of team lab/dev", "member bob of team sales/desk", "grant for team lab/dev on lab/app"} <= titles
    assert "promotion policy of lab/app to lab/open" in titles
    assert "push mirroring policy of lab/app to mirror.example.com/research/app" in titles


def test_nothing_to_rename_is_the_same_estate() -> None:
    estate = estate_of(organization("research"))
    assert renamed(estate, {}) is estate


def test_what_was_not_read_stays_known() -> None:
    estate = estate_of(user("alice"))
    estate.unread["token"] = "there is no database."
    assert renamed(estate, {"alice": "bob"}).unread == estate.unread

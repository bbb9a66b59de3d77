# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an MSR would never take is found before it is asked."""

from __future__ import annotations

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._identity.model import Account, Grant, Repository, Team, Token
from ansible_collections.registryops.migration.plugins.module_utils._msr.api import MSRAPI, Login, in_path
from ansible_collections.registryops.migration.plugins.module_utils._msr.people import MSRPeople
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidName
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import HTTPOptions


@pytest.fixture
def people():
    found = MSRPeople(MSRAPI("https://msr.example.com", Login("admin", "a password"), HTTPOptions()))
    yield found
    found.close()


@pytest.mark.parametrize("name", ["ana", "ana.b-c_d", "ana@example.com", "ärger", "a", "a" * 50, "42", "-edge-", "a..b"])
def test_names_of_accounts(people, name):
    assert people.refusal(Account(name)) is None


@pytest.mark.parametrize("name", ["", ".", "..", "a" * 51, "a b", "a/b", 'a"b', "a$b", "a:b", "a\n"])
def test_names_that_no_account_can_have(people, name):
    assert isinstance(people.refusal(Account(name)), InvalidName)


def test_a_name_that_would_become_another_one(people):
    assert "would become ana here" in str(people.refusal(Account("Ana")))
    # two code points for one letter
    assert "would become" in str(people.refusal(Account("a\u0308rger")))


@pytest.mark.parametrize(("name", "fits"), [("app", True), ("a.b-c_d", True), ("App", False), ("a..b", False), ("a/b", False), ("", False)])
def test_names_of_repositories(people, name, fits):
    assert (people.refusal(Repository("blue", name)) is None) is fits


def test_long_texts(people):
    assert people.refusal(Team("blue", "ops", "d" * 140)) is None
    assert "140" in str(people.refusal(Team("blue", "ops", "d" * 141)))
    assert "140" in str(people.refusal(Repository("blue", "app", "d" * 141)))
    assert "255" in str(people.refusal(Repository("blue", "a" * 251)))


def test_a_hash_of_an_unknown_form_is_not_shown(people):
    refusal = str(people.refusal(Account("ana", password_hash="scrypt$16384$secret")))
    assert "the form scrypt" in refusal
    assert "secret" not in refusal
    assert "secret" not in str(people.refusal(Account("ana", password_hash="secret-text-without-a-form")))
    assert people.refusal(Account("ana", password_hash="bcrypt$$2a$10$" + "a" * 53)) is None


def test_a_team_has_rights_in_its_own_organization_alone(people):
    assert people.refusal(Grant("blue", "ops", "blue", "app", "read")) is None
    assert isinstance(people.refusal(Grant("blue", "ops", "green", "app", "read")), InvalidName)


def test_a_token_takes_the_database(people):
    token = Token("ana", "0f" * 32, label="CI")
    assert "database" in str(people.refusal(token))
    assert token.token_hash not in str(people.refusal(token))


def test_a_token_that_is_none(people):
    assert "SHA-256" in str(people.refusal(Token("ana", "in the clear")))
    assert "in the clear" not in str(people.refusal(Token("ana", "in the clear")))
    assert "moment" in str(people.refusal(Token("ana", "0f" * 32, created="yesterday")))


def test_names_are_quoted_in_paths():
    assert in_path("accounts", "a@b ä/$", "teams") == "/accounts/a%40b%20%C3%A4%2F%24/teams"
    for name in ("", ".", ".."):
        with pytest.raises(InvalidName):
            in_path("accounts", name)


def test_the_account_that_signs_in_is_known_by_the_name_that_the_product_has_for_it() -> None:
    people = MSRPeople(MSRAPI("https://msr.example.com", Login("Migrator", "a password"), HTTPOptions()))
    assert people.own_account == "migrator"

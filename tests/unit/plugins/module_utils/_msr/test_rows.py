# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of the database: moments stay moments, ids are the destination's, what is not known stays."""

from __future__ import annotations

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._identity.model import Token
from ansible_collections.registryops.migration.plugins.module_utils._msr.rows import (
    AccountSecrets,
    is_password_hash,
    is_token_hash,
    moment_of,
    row_of,
    secrets_of,
    time_of,
    token_of,
)

HASH = "0f" * 32


def time(epoch, timezone="+00:00"):
    return {"$reql_type$": "TIME", "epoch_time": epoch, "timezone": timezone}


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (time(1720000000), "2024-07-03T09:46:40+00:00"),
        (time(1720000000.25, "+02:00"), "2024-07-03T09:46:40.250+00:00"),
        (time(1720000000.1234), "2024-07-03T09:46:40.123+00:00"),
        ("2024-07-03T09:46:40Z", "2024-07-03T09:46:40+00:00"),
        ("2024-07-03T11:46:40.25+02:00", "2024-07-03T09:46:40.250+00:00"),
        ("2024-07-03T09:46:40.123456789Z", "2024-07-03T09:46:40.123+00:00"),
        ("2024-07-03T09:46:40", "2024-07-03T09:46:40+00:00"),
        ("0001-01-01T00:00:00Z", ""),
        ("", ""),
        (None, ""),
        ("yesterday", ""),
        (time("soon"), ""),
        (time(1e30), ""),
        ({"$reql_type$": "TIME"}, ""),
        ({"$reql_type$": "BINARY", "data": ""}, ""),
    ],
)
def test_moments_of_rows_and_of_answers_are_the_same(value, moment):
    assert moment_of(value) == moment


@pytest.mark.parametrize("epoch", [0, 1720000000, 1720000000.25, 1720000000.999])
def test_a_moment_goes_there_and_back(epoch):
    assert time_of(moment_of(time(epoch))) == time(epoch)


def test_a_token_keeps_what_is_not_known_and_gets_the_id_of_its_owner_here():
    row = {
        "token": HASH,
        "accountID": "there",
        "clientID": "a client",
        "lastFour": "5ac0",
        "creatorIP": "192.0.2.7",
        "creatorUA": 'docker/20.10 "quoted" $HOME',
        "createdAt": time(1720000000.25),
        "lastUsed": time(1730000000),
        "tokenLabel": "CI",
        "isActive": False,
        "generatedBy": "auto",
        "addedLater": {"at": time(1), "several": [1, None]},
    }
    token = token_of(row, "ana")
    assert (token.owner, token.label, token.is_active, token.generated_by) == ("ana", "CI", False, "auto")
    assert HASH not in repr(token)
    assert row_of(token, "here") == {**row, "accountID": "here"}


def test_a_token_without_dates_gets_none():
    token = token_of({"token": HASH, "accountID": "there", "lastUsed": None}, "ana")
    assert token == Token("ana", HASH, label="", is_active=True, created="")
    assert row_of(token, "here") == {"token": HASH, "accountID": "here", "tokenLabel": "", "isActive": True}


@pytest.mark.parametrize("row", [{}, {"token": ""}, {"token": 7}])
def test_a_row_without_its_key_is_no_token(row):
    with pytest.raises(ValueError, match="hash"):
        token_of(row, "ana")


@pytest.mark.parametrize(
    ("text", "is_known"),
    [
        ("bcrypt$$2a$10$" + "a" * 53, True),
        ("bcrypt$$2y$12$" + "./09AZaz" * 6 + "abcde", True),
        ("pbkdf2_sha256$55296$some-salt$" + "A" * 43 + "=", True),
        ("bcrypt$$2a$10$" + "a" * 52, False),
        ("$2a$10$" + "a" * 53, False),
        ("scrypt$" + "a" * 60, False),
        ("pbkdf2_sha256$many$salt$" + "A" * 43 + "=", False),
        ("pbkdf2_sha256$55296$$" + "A" * 43 + "=", False),
        ("bcrypt$$2a$10$" + "a" * 53 + "\n", False),
        ("", False),
    ],
)
def test_the_forms_of_password_hashes(text, is_known):
    assert is_password_hash(text) is is_known


@pytest.mark.parametrize(("text", "is_one"), [(HASH, True), (HASH.upper(), False), (HASH[1:], False), (HASH + "\n", False), ("", False)])
def test_the_form_of_a_token(text, is_one):
    assert is_token_hash(text) is is_one


def test_the_secrets_of_accounts():
    rows = [{"name": "ana", "passwordHash": "a hash"}, {"name": "ben", "ldapDN": "cn=ben,dc=example", "passwordHash": None}, {"id": "1"}]
    assert secrets_of(rows) == {"ana": AccountSecrets("a hash"), "ben": AccountSecrets("", "cn=ben,dc=example")}

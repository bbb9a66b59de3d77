# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the APIs answer as items, and items as what they are sent."""

from __future__ import annotations

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._identity.model import Policy, Repository, Rule, Webhook
from ansible_collections.registryops.migration.plugins.module_utils._msr.forms import (
    account_of,
    changed_repository,
    changed_webhook,
    level_of,
    new_repository,
    policy_document,
    policy_of,
    repository_of,
    sync_document,
    team_of,
    webhook_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._msr.rows import AccountSecrets
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer, InvalidOption

WHAT = "the list"
RULES = [{"field": "tag", "operator": "sw", "values": ["release"]}, {"field": "updated_at_duration", "operator": "bf", "values": ["90d"]}]


def test_users_and_organizations():
    user = {"name": "ana", "id": "1", "fullName": "Ana", "isOrg": False, "isAdmin": True, "isActive": False}
    found = account_of(user, AccountSecrets("a hash", "cn=ana"), WHAT)
    assert (found.is_admin, found.is_active, found.password_hash, found.directory_name) == (True, False, "a hash", "cn=ana")
    organization = account_of({"name": "blue", "id": "2", "fullName": "", "isOrg": True}, None, WHAT)
    assert (organization.is_organization, organization.is_admin, organization.is_active) == (True, None, None)
    # not known, which is not the same as none
    assert organization.directory_name is None
    with pytest.raises(InvalidAnswer):
        account_of({"id": "3"}, None, WHAT)


def test_what_a_team_follows():
    document = {"name": "ops", "id": "1", "description": 'says "$HOME"'}
    unknown = team_of("blue", document, None, None, WHAT)
    assert (unknown.directory_sync, unknown.group_link) == (None, None)
    off = team_of("blue", document, {"enableSync": False, "groupDN": "cn=old"}, {"enableLink": False, "groupName": "old"}, WHAT)
    assert (off.directory_sync, off.group_link) == ({}, "")
    sync = {"enableSync": True, "selectGroupMembers": True, "groupDN": "cn=ops", "groupMemberAttr": "member"}
    on = team_of("blue", document, sync, {"enableLink": True, "groupName": "ops"}, WHAT)
    assert on.group_link == "ops"
    assert sync_document(on.directory_sync) == {**sync, "searchBaseDN": "", "searchScopeSubtree": False, "searchFilter": ""}
    assert sync_document({})["enableSync"] is False


def test_a_repository_there_and_back():
    document = {
        "id": "1",
        "namespace": "blue",
        "name": "app",
        "shortDescription": "in short",
        "longDescription": "at length",
        "visibility": "public",
        "scanOnPush": True,
        "immutableTags": True,
        "tagLimit": 7,
    }
    found = repository_of(document, WHAT)
    sent = new_repository(found)
    assert sent == {name: value for name, value in document.items() if name not in ("id", "namespace")}
    # a list does not say it
    assert repository_of({"namespace": "blue", "name": "app"}, WHAT).long_description is None
    assert new_repository(Repository("blue", "app"))["visibility"] == "private"


def test_a_change_of_a_repository_says_again_that_its_tags_are_immutable():
    existing = Repository("blue", "app", "before", "", "public", False, True, 0)
    assert changed_repository(Repository("blue", "app", "after"), existing) == {"shortDescription": "after", "immutableTags": True}
    assert changed_repository(Repository("blue", "app", immutable_tags=False), existing) == {"immutableTags": False}
    assert changed_repository(Repository("blue", "app", "before", visibility="public"), existing) == {}


@pytest.mark.parametrize(
    ("theirs", "ours"), [("read-only", "read"), ("read-write", "write"), ("admin", "admin"), ("", None), ("none", None)]
)
def test_levels(theirs, ours):
    assert level_of({"accessLevel": theirs}, WHAT) == ours


@pytest.mark.parametrize("theirs", ["owner", "READ-ONLY", "read", 7, ["admin"], {"level": "admin"}, True])
def test_a_level_that_is_not_known_is_never_no_right(theirs):
    with pytest.raises(InvalidAnswer, match="access level"):
        level_of({"accessLevel": theirs}, WHAT)


def test_who_has_no_level_has_none():
    assert level_of({}, WHAT) is None
    assert level_of(None, WHAT) is None


def test_a_webhook_that_does_not_say_something_keeps_it():
    document = {"id": "1", "type": "TAG_PUSH", "key": "blue/app", "endpoint": "https://hooks.example.com/secret", "inactive": True}
    found = webhook_of({**document, "tlsCert": "PEM", "skipTLSVerification": True}, WHAT)
    assert found.is_active is False
    assert "secret" not in found.title
    wanted = Webhook("TAG_PUSH", "blue/app", "https://hooks.example.com/secret", is_active=True)
    assert changed_webhook(wanted, found) == {"id": "1", "inactive": False, "tlsCert": "PEM", "skipTLSVerification": True}


@pytest.mark.parametrize(
    ("does", "more"),
    [
        ("pruning", {"rules": RULES}),
        ("promotion", {"rules": RULES, "targetRepository": "green/app", "tagTemplate": "%n-%Y"}),
        ("push_mirroring", {"rules": RULES, "tagTemplate": "%n", "remoteHost": "https://other.example.com"}),
        ("poll_mirroring", {"remoteHost": "other.example.com:8443"}),
    ],
)
def test_policies_there_and_back(does, more):
    mirrors = does.endswith("mirroring")
    remote = {"remoteRepository": "a/b", "remoteCA": "PEM", "skipTLSVerification": True, "username": "mover"}
    document = {"enabled": False, **more, **(remote if mirrors else {})}
    policy = policy_of(does, "blue/app", {"id": "1", **document}, WHAT)
    assert policy_document(policy) == {**document, **({"password": "", "authToken": ""} if mirrors else {})}
    # what is not known is not sent: it would be forgotten there
    assert policy_document(policy, policy) == document


def test_secrets_of_policies_are_sent_and_not_shown():
    policy = Policy("poll_mirroring", "blue/app", target="other.example.com/a/b", username="mover", password="a password", token="a token")
    assert policy_document(policy, policy)["password"] == "a password"
    assert policy_document(policy)["authToken"] == "a token"
    assert "a password" not in repr(policy)
    assert "a token" not in repr(policy)


@pytest.mark.parametrize("target", ["", "host", "https://host", "https:///a/b"])
def test_a_mirror_of_nowhere(target):
    with pytest.raises(InvalidOption, match="another registry"):
        policy_document(Policy("poll_mirroring", "blue/app", target=target))


def test_rules_are_the_policys_key_whatever_their_order():
    rules = [Rule("tag", "eq", ("a",)), Rule("tag", "ew", ("b",))]
    assert Policy("pruning", "blue/app", tuple(rules)).key == Policy("pruning", "blue/app", tuple(rules[::-1])).key

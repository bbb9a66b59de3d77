# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The double of MSR: its API and its database are two views of the same, and what it lets people do is what its rows say."""

from __future__ import annotations

import dataclasses
import os
import time
import typing as t

import pytest
from estate import images
from estate.client import Client, UnexpectedAnswer
from estate.fault_proxy import Fault
from estate.msr.images import DAMAGED, TOMBSTONE, large_images, small_images
from estate.msr.passwords import bcrypt_hash, fits, pbkdf2_hash, token_hash
from estate.msr.rows import ACCOUNTS, MEMBERS, TAGS, TEAMS, TOKENS
from estate.msr.seeding import People, Size, small_set
from estate.msr.store import key_of
from estate.push import push
from estate.team_set import team_set

requests = pytest.importorskip("requests")

if t.TYPE_CHECKING:
    from conftest import MakeMSR
    from estate.msr.double import Front, Installation


class Api:
    """Requests to a front, as a user."""

    def __init__(self, front: Front, user: str = "admin", password: str = "the administrator's own", prefix: str = "") -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(front.authority.certificate)
        self._session.auth = (user, password) if user else None
        self._base = front.url + prefix

    def __call__(self, method: str, path: str, body: t.Any = None, status: int = 200, **query: t.Any) -> t.Any:
        answer = self._session.request(method, self._base + path, json=body, params=query)
        assert answer.status_code == status, answer.text
        self.headers = answer.headers
        return answer.json() if answer.content else None

    def code(self, method: str, path: str, body: t.Any = None, **query: t.Any) -> tuple[int, str]:
        """Status and code of an error."""
        answer = self._session.request(method, self._base + path, json=body, params=query)
        return answer.status_code, answer.json()["errors"][0]["code"]

    def pages(
        self, path: str, start: str, size: str, rows: t.Callable[[t.Any], list[t.Any]], number: int = 2, **query: t.Any
    ) -> list[t.Any]:
        """All rows of a list, page by page."""
        found, following = [], {}
        while True:
            found += rows(self("GET", path, **query, **{size: number}, **following))
            if not self.headers.get("X-Next-Page-Start"):
                return found
            following = {start: self.headers["X-Next-Page-Start"]}


@pytest.fixture(scope="module")
def old(make_shared_msr: MakeMSR) -> tuple[Installation, People]:
    installation = make_shared_msr("2.9.16")
    return installation, small_set(installation.tables)


@pytest.fixture
def new(make_msr: MakeMSR) -> Installation:
    return make_msr("3.1.5")


def repository(name: str, **fields: t.Any) -> dict[str, t.Any]:
    usual = {"shortDescription": "", "longDescription": "", "scanOnPush": False, "immutableTags": False, "tagLimit": 0}
    return {"name": name, "visibility": "private", **usual, **fields}


def test_accounts_of_the_old_shape_belong_to_mke(old: tuple[Installation, People]) -> None:
    installation, people = old
    assert installation.mke is not None
    assert installation.accounts is not installation.store
    session = Api(installation.mke, "")("POST", "/auth/login", {"username": "alice", "password": "alice's password"})["auth_token"]
    for prefix in ("", "/enzi/v0"):
        url = f"{installation.mke.url}{prefix}/id/"
        answer = requests.get(url, headers={"Authorization": f"Bearer {session}"}, verify=str(installation.mke.authority.certificate))
        assert answer.json()["name"] == "alice"
    names = {row["name"] for row in Api(installation.mke)("GET", "/accounts/", limit=100)["accounts"]}
    assert {row["name"] for row in Api(installation.msr)("GET", "/enzi/v0/accounts/", limit=100)["accounts"]} == names
    assert {"admin", "alice", "engineering"} <= names
    # access tokens are MSR's
    token = next(token for token, user in people.tokens.items() if user == "bob")
    Api(installation.msr, "bob", token)("GET", "/enzi/v0/id/")
    assert Api(installation.mke, "bob", token).code("GET", "/id/") == (401, "INVALID_AUTHENTICATION_CREDENTIALS")


def test_lists_come_in_pages_of_both_kinds(old: tuple[Installation, People]) -> None:
    api = Api(old[0].msr)
    names = [row["name"] for row in api.pages("/enzi/v0/accounts/", "start", "limit", lambda page: page["accounts"])]
    whole = api("GET", "/enzi/v0/accounts/", limit=1000)
    assert names == sorted(row["name"] for row in whole["accounts"])
    assert whole["resourceCount"] == whole["usersCount"] + whole["orgsCount"] == len(names)
    assert whole["nextPageStart"] == ""
    members = api.pages("/enzi/v0/accounts/engineering/members", "start", "limit", lambda page: page["members"])
    assert [one["member"]["id"] for one in members] == sorted(one["member"]["id"] for one in members)
    assert {one["member"]["name"] for one in members if one["isAdmin"]} == {"alice"}
    found = api.pages("/api/v0/repositories", "pageStart", "pageSize", lambda page: page["repositories"], count="true")
    assert api.headers["X-Resource-Count"] == str(len(found)) == "8"
    assert len({row["id"] for row in found}) == 8
    # without a size a page has ten
    assert len(api("GET", "/api/v0/api_tokens", username="alice")) == 10
    assert len(api.pages("/api/v0/api_tokens", "pageStart", "pageSize", list, 50, username="alice")) == 121
    # the parameters of one API are none of the other
    with pytest.raises(AssertionError):
        api("GET", "/enzi/v0/accounts/", limit=0)


def test_errors_are_told_by_their_codes(old: tuple[Installation, People]) -> None:
    api = Api(old[0].msr)
    identifier = api("GET", "/enzi/v0/accounts/alice")["id"]
    assert api("GET", f"/enzi/v0/accounts/id:{identifier}")["name"] == "alice"
    assert api("GET", "/enzi/v0/accounts/ALICE")["id"] == identifier
    assert api.code("GET", f"/enzi/v0/accounts/{identifier}") == (404, "NO_SUCH_ACCOUNT")
    assert api.code("POST", "/enzi/v0/accounts/", {"name": "Alice", "password": "long enough"}) == (400, "ACCOUNT_EXISTS")
    assert api.code("POST", "/enzi/v0/accounts/", {"name": "no space", "password": "long enough"}) == (400, "INVALID_FORM_FIELD")
    assert api.code("POST", "/enzi/v0/accounts/engineering/teams", {"name": "readers"}) == (400, "TEAM_EXISTS")
    assert api.code("GET", "/enzi/v0/accounts/engineering/members/carol") == (404, "NO_SUCH_MEMBER")
    assert api.code("PUT", "/enzi/v0/accounts/engineering/teams/release/members/erin", {}) == (409, "LDAP_PRECLUDES")
    assert api.code("POST", "/enzi/v0/accounts/erin/changePassword", {"newPassword": "long enough"}) == (400, "CANNOT_CHANGE_PASSWORD")
    assert api.code("POST", "/api/v0/repositories/engineering", repository("app")) == (400, "REPOSITORY_EXISTS")
    assert api.code("POST", "/api/v0/repositories/engineering", repository("Not_A_Name_")) == (400, "INVALID_REPOSITORY_NAME")
    assert api.code("POST", "/api/v0/repositories/nobody", repository("app")) == (404, "NO_SUCH_ACCOUNT")
    assert api.code("GET", "/api/v0/repositories/engineering/absent") == (404, "NO_SUCH_REPOSITORY")
    assert api.code("PUT", "/api/v0/repositories/engineering/app/teamAccess/nobody", {"accessLevel": "admin"}) == (404, "NO_SUCH_TEAM")
    assert api.code("GET", "/enzi/v0/nothing") == (404, "HANDLER_NOT_FOUND")
    assert Api(old[0].msr, "").code("GET", "/enzi/v0/accounts/") == (401, "AUTHENTICATION_REQUIRED")
    assert Api(old[0].msr, "alice", "wrong").code("GET", "/enzi/v0/accounts/") == (401, "INVALID_AUTHENTICATION_CREDENTIALS")
    assert Api(old[0].msr, "alice", "wrong").code("GET", "/api/v0/repositories") == (401, "NOT_AUTHENTICATED")
    assert Api(old[0].msr, "dave", "dave's password").code("GET", "/enzi/v0/accounts/") == (401, "INACTIVE_ACCOUNT")
    bob = Api(old[0].msr, "bob", "bob's password")
    assert bob.code("POST", "/enzi/v0/accounts/", {"name": "mallory", "password": "long enough"}) == (403, "NOT_AUTHORIZED")
    # what somebody may not see does not exist for them
    assert bob.code("GET", "/api/v0/repositories/alice/own") == (404, "NO_SUCH_REPOSITORY")
    assert bob.code("PATCH", "/api/v0/repositories/engineering/app", {"immutableTags": True}) == (403, "NOT_AUTHORIZED")


def test_api_and_database_are_two_views_of_the_same(new: Installation) -> None:
    api = Api(new.msr)
    user = api("POST", "/enzi/v0/accounts/", {"name": "zoe", "fullName": "Zoë", "password": "long enough"}, 201)
    team_org = api("POST", "/enzi/v0/accounts/", {"name": "science", "isOrg": True}, 201)
    api("POST", "/enzi/v0/accounts/science/teams", {"name": "lab", "description": '"$HOME"'}, 201)
    api("PUT", "/enzi/v0/accounts/science/teams/lab/members/zoe", {"isAdmin": True})
    made = api("POST", "/api/v0/repositories/science", repository("data", shortDescription="`id`"), 201)
    api("PUT", "/api/v0/repositories/science/data/teamAccess/lab", {"accessLevel": "read-write"})
    api("PUT", "/api/v0/repositoryNamespaces/science/teamAccess/lab", {"accessLevel": "read-only"})
    api("POST", "/api/v0/api_tokens", {"tokenLabel": "of the lab"}, username="zoe")
    assert new.problems() == []
    row = new.store.get("enzi", "accounts", "zoe")
    assert row is not None
    assert (row["id"], row["fullName"]) == (user["id"], "Zoë")
    assert fits("long enough", row["passwordHash"])
    assert new.store.get("dtr2", "repositories", key_of(team_org["id"], "data"))["id"] == made["id"]  # type: ignore[index]
    # somebody writes to the database, past the double
    new.store.update("enzi", "accounts", "zoe", fullName="Zoë the second")
    assert api("GET", "/enzi/v0/accounts/zoe")["fullName"] == "Zoë the second"
    new.store.insert("enzi", "org_membership", {"orgID": team_org["id"], "userID": "of nobody", "isAdmin": True})
    assert "leads nowhere" in "".join(new.problems())
    new.store.delete("enzi", "org_membership", key_of(team_org["id"], "of nobody"))
    new.store.delete("enzi", "team_membership", *(row["pk"] for row in new.store.rows("enzi", "team_membership")))
    assert api("GET", "/enzi/v0/accounts/science/teams/lab")["membersCount"] == 0
    # a row under a key that is not the hash is not found by its names, and is complained of
    with new.tables.moment():
        new.tables.insert_as_is(TEAMS, {"pk": "0" * 64, "orgID": team_org["id"], "name": "odd", "id": "1"})
    assert api.code("GET", "/enzi/v0/accounts/science/teams/odd") == (404, "NO_SUCH_TEAM")
    assert any("is not the SHA-256" in problem for problem in new.problems())


@pytest.mark.parametrize(
    ("user", "path", "level"),
    [
        ("alice", "engineering/app", "admin"),
        ("alice", "operations/monitor", None),
        ("alice", "engineering/base", "admin"),
        ("bob", "engineering/app", "read-write"),
        ("bob", "engineering/tools", "read-only"),
        ("bob", "operations/monitor", "admin"),
        ("bob", "operations/archive", None),
        ("bob", "engineering/base", "read-only"),
        ("carol", "alice/own", "admin"),
        ("dave", "operations/monitor", None),
        ("erin", "engineering/app", "admin"),
        ("erin", "engineering/tools", None),
        ("grace", "operations/archive", "admin"),
        ("frank.o-1@example.com", "engineering/base", "read-only"),
        ("frank.o-1@example.com", "bob/public", "read-only"),
    ],
)
def test_what_a_user_may_do_follows_from_rows(old: tuple[Installation, People], user: str, path: str, level: str | None) -> None:
    api = Api(old[0].msr)
    address = f"/api/v0/accounts/{user}/repositoryAccess/{path}"
    if level is None:
        assert api.code("GET", address) == (404, "NO_SUCH_REPOSITORY")
    else:
        assert api("GET", address)["accessLevel"] == level


def test_images_can_be_had_by_those_who_may(old: tuple[Installation, People]) -> None:
    installation, people = old
    held = small_images(installation, "engineering/app", "bob/public", versions=1)
    api = Api(installation.msr)
    listed = api("GET", "/api/v0/repositories/engineering/app/tags", pageSize=100, includeManifests="true")
    wanted = {tag: digest for (path, tag), digest in held.tags().items() if path == "engineering/app"}
    digests = {row["name"]: row["digest"] for row in listed}
    assert DAMAGED in digests
    assert digests == {**wanted, DAMAGED: digests[DAMAGED]}
    by_name = {row["name"]: row["manifest"] for row in listed}
    assert by_name["1"]["architecture"] == "amd64"
    assert by_name["multi"]["mediaType"].endswith("manifest.list.v2+json")
    assert api.code("GET", f"/api/v0/repositories/engineering/app/tags/{TOMBSTONE}") == (404, "NO_SUCH_TAG")

    def attempt(user: str, password: str, path: str, reference: str = "1") -> int:
        with Client(dataclasses.replace(installation.msr.access, user=user, password=password)) as client:
            accept = {"Accept": ", ".join(images.ALL_MANIFESTS)}
            return client.request("GET", f"/v2/{path}/manifests/{reference}", headers=accept, expect=(200, 401, 404)).status

    assert attempt("bob", "bob's password", "engineering/app") == 200
    assert attempt("bob", "bob's password", "engineering/app", TOMBSTONE) == 404
    assert attempt("grace", people.passwords["grace"], "engineering/app") == 200
    assert attempt("carol", "carol's password", "engineering/app") == 200
    assert attempt("", "", "bob/public") == 200
    assert attempt("", "", "engineering/app") == 401
    assert attempt("frank.o-1@example.com", "frank's password", "engineering/app") == 401
    # access tokens let in, unless they are not active, or their owner is not
    token = {label: token for token, label in _labels(installation, people).items()}
    assert attempt("erin", token["from the directory"], "engineering/app") == 200
    assert attempt("bob", token["laptop"], "engineering/app") == 200
    assert attempt("bob", token["from the directory"], "engineering/app") == 401
    assert attempt("bob", token["lost laptop"], "engineering/app") == 401
    assert attempt("dave", token["of one who has gone"], "operations/monitor") == 401
    # to read is not to write
    access = dataclasses.replace(installation.msr.access, user="bob", password="bob's password")
    for path, may in (("engineering/app", True), ("engineering/tools", False), ("operations/archive", False)):
        if may:
            push(access.url, team_set(path, versions=1), access.user, access.password, access.ca_file)
        else:
            with pytest.raises(UnexpectedAnswer):
                push(access.url, team_set(path, versions=1), access.user, access.password, access.ca_file)


def _labels(installation: Installation, people: People) -> dict[str, str]:
    with installation.tables.moment():
        rows = {row["token"]: row["tokenLabel"] for row in installation.tables.all(TOKENS)}
    return {token: rows[token_hash(token)] for token in people.tokens}


def test_settings_of_a_registry_hold_for_pushes(new: Installation) -> None:
    api, access = Api(new.msr), new.msr.access
    api("POST", "/enzi/v0/accounts/", {"name": "science", "isOrg": True}, 201)
    held = images.ImageSet()
    images.add_image(held.repository("science/data"), "first", [images.layer("first", 100)], ["1"])
    other = images.ImageSet()
    images.add_image(other.repository("science/data"), "second", [images.layer("second", 100)], ["1"])

    def pushed(one: images.ImageSet) -> str:
        try:
            push(access.url, one, access.user, access.password, access.ca_file)
        except UnexpectedAnswer as refused:
            return str(refused)
        return ""

    assert "401" in pushed(held)
    assert api.code("GET", "/api/v0/repositories/science/data") == (404, "NO_SUCH_REPOSITORY")
    api("POST", "/api/v0/meta/settings", {"createRepositoryOnPush": True}, 202)
    assert pushed(held) == ""
    assert api("GET", "/api/v0/repositories/science/data/tags")[0]["author"] == "admin"
    api("PATCH", "/api/v0/repositories/science/data", {"immutableTags": True})
    assert "cannot be overwritten" in pushed(other)
    assert pushed(held) == ""
    # what leaves the field out makes tags that can change
    new.msr.violations.clear()
    api("PATCH", "/api/v0/repositories/science/data", {"shortDescription": "said on the way"})
    new.msr.violations.clear()
    assert api("GET", "/api/v0/repositories/science/data")["immutableTags"] is False
    api("POST", "/api/v0/meta/settings", {"readOnlyRegistry": True}, 202)
    assert "405" in pushed(other)
    assert api("GET", "/api/v0/meta/settings")["readOnlyRegistry"] is True
    api("POST", "/api/v0/meta/settings", {"readOnlyRegistry": False}, 202)
    assert pushed(other) == ""


def test_rows_of_one_installation_let_in_at_another(old: tuple[Installation, People], new: Installation) -> None:
    installation, people = old
    with installation.tables.moment():
        names = [name for name in people.passwords if name != "admin"]
        accounts = [row for row in installation.tables.all(ACCOUNTS) if row["name"] in (*names, "erin")]
        tokens = installation.tables.all(TOKENS)
    new.tables.insert(ACCOUNTS, *accounts)
    new.tables.insert(TOKENS, *tokens)
    for name in names:
        if name != "dave":
            assert Api(new.msr, name, people.passwords[name])("GET", "/enzi/v0/id/")["name"] == name
    old_rows = Api(installation.msr)("GET", "/api/v0/api_tokens", username="bob")
    assert Api(new.msr)("GET", "/api/v0/api_tokens", username="bob") == old_rows
    token = next(token for token, user in people.tokens.items() if user == "erin")
    Api(new.msr, "erin", token)("GET", "/api/v0/repositories")
    assert new.problems() == []
    # a date that has become a text is a problem
    new.store.update("dtr2", "client_tokens", token_hash(token), createdAt="2024-07-04T12:01:02Z")
    assert any("is a text instead of a moment" in problem for problem in new.problems())


def test_accounts_are_imported_with_their_hashes_where_that_is_known(new: Installation) -> None:
    api = Api(new.msr)
    wanted = [
        {"name": "ann", "fullName": "", "passwordHash": bcrypt_hash("ann's password")},
        {"name": "ben", "fullName": "", "passwordHash": pbkdf2_hash("ben's password")},
    ]
    api("POST", "/enzi/v0/admin/importAccounts", {"accounts": wanted[:1]}, 201)
    assert api.code("POST", "/enzi/v0/admin/importAccounts", {"accounts": wanted}) == (400, "ACCOUNTS_EXIST")
    for name in ("ann", "ben"):
        Api(new.msr, name, f"{name}'s password")("GET", "/enzi/v0/id/")
    odd = [{"name": "odd", "fullName": "", "passwordHash": "scrypt$1$2"}]
    assert api.code("POST", "/enzi/v0/admin/importAccounts", {"accounts": odd}) == (400, "INVALID_FORM_FIELD")
    new.msr.imports_accounts = False
    assert api.code("POST", "/enzi/v0/admin/importAccounts", {"accounts": wanted}) == (404, "HANDLER_NOT_FOUND")


def test_images_are_known_by_the_name_of_the_configuration(make_msr: MakeMSR) -> None:
    msr = make_msr("3.1.5", domain="localhost").msr
    answer = requests.get(f"{msr.url}/v2/", verify=str(msr.authority.certificate))
    realm = f"https://localhost:{msr.url.rpartition(':')[2]}"
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="{realm}/auth/token",service="{realm.partition("://")[2]}"'
    with Client(msr.access) as client:
        assert client.request("GET", "/v2/_catalog").json() == {"repositories": []}


def test_tokens_for_images_end_when_they_say(make_msr: MakeMSR) -> None:
    msr = make_msr("3.1.5", lifetime=4).msr
    ask = {"scope": "registry:catalog:*", "service": msr.service}
    began = time.monotonic()
    given = Api(msr)("GET", "/auth/token", **ask)
    assert given["expires_in"] == 4

    def status() -> int:
        headers = {"Authorization": f"Bearer {given['token']}"}
        answer = requests.get(f"{msr.url}/v2/_catalog", headers=headers, verify=str(msr.authority.certificate))
        return int(answer.status_code)

    # on a machine that is very slow it has ended before it could be shown
    assert status() == 200 or time.monotonic() - began > 3
    while status() == 200 and time.monotonic() < began + 20:
        time.sleep(0.1)
    assert status() == 401
    assert time.monotonic() - began >= 1


def test_webhooks_and_policies_keep_their_secrets(old: tuple[Installation, People]) -> None:
    api = Api(old[0].msr)
    hook = {"type": "TAG_DELETE", "key": "operations", "endpoint": "https://hooks.example.com", "tlsCert": "", "skipTLSVerification": True}
    [made] = api("POST", "/api/v0/webhooks", hook)
    assert [row["id"] for row in api("GET", "/api/v0/accounts/operations/webhooks")] == [made["id"]]
    api("POST", "/api/v0/webhooks/update", {"id": made["id"], "inactive": True, "tlsCert": "", "skipTLSVerification": False})
    assert api("GET", "/api/v0/webhooks", webhookType="TAG_DELETE")[0]["inactive"] is True
    api("DELETE", f"/api/v0/webhooks/{made['id']}")
    base = "/api/v0/repositories/operations/archive"
    remote = {"remoteHost": "registry.example.com", "remoteRepository": "a/b", "remoteCA": "", "skipTLSVerification": False}
    more = {"enabled": True, "username": "mirror", "password": "a secret", "authToken": ""}
    rules = [{"field": "tag", "operator": "sw", "values": ["v"]}]
    policy = api("POST", f"{base}/pushMirroringPolicies", {**remote, **more, "rules": rules, "tagTemplate": "%n"}, 201)
    assert "password" not in policy
    assert policy["username"] == "mirror"
    api("POST", f"{base}/pollMirroringPolicies", {**remote, **more}, 201)
    assert {row["mirroringType"] for row in api("GET", f"{base}/mirroringPolicies")} == {"push", "poll"}
    changed = api("PUT", f"{base}/pushMirroringPolicies/{policy['id']}", {"enabled": False})
    assert changed == {**policy, "enabled": False}
    promotion = {"rules": rules, "targetRepository": "operations/absent", "tagTemplate": "%n", "enabled": True}
    assert api.code("POST", f"{base}/promotionPolicies", promotion) == (400, "INVALID_PROMOTION_POLICY")
    odd = [{"field": "tag", "operator": "gt", "values": ["1"]}]
    assert api.code("POST", f"{base}/pruningPolicies", {"rules": odd, "enabled": True}) == (400, "INVALID_PRUNING_POLICY")
    assert [row["targetRepository"] for row in api("GET", f"{base}/promotionPolicies", source="false")] == ["operations/archive"]


def test_faults_happen_when_they_are_asked_for(new: Installation) -> None:
    api = Api(new.msr)
    for name in ("aa", "cc", "dd"):
        api("POST", "/enzi/v0/accounts/", {"name": name, "isOrg": True}, 201)
    new.msr.faults = [Fault("GET /api/v0/", status=429, headers={"Retry-After": "1"}), Fault("DELETE /enzi", reset="before")]
    api("GET", "/api/v0/repositories", status=429)
    assert api.headers["Retry-After"] == "1"
    api("GET", "/api/v0/repositories")
    with pytest.raises(requests.ConnectionError):
        api("DELETE", "/enzi/v0/accounts/cc")
    api("GET", "/enzi/v0/accounts/cc")
    new.msr.faults = [Fault("DELETE /enzi", reset="lost")]
    with pytest.raises(requests.ConnectionError):
        api("DELETE", "/enzi/v0/accounts/cc")
    assert api.code("GET", "/enzi/v0/accounts/cc") == (404, "NO_SUCH_ACCOUNT")
    # the list changes between two of its pages
    second = Fault("start=", before=lambda: new.store.insert("enzi", "accounts", {"name": "bb", "id": "b", "isOrg": True}))
    new.msr.faults = [second]
    names = [row["name"] for row in api.pages("/enzi/v0/accounts/", "start", "limit", lambda page: page["accounts"])]
    assert names == ["aa", "admin", "dd", "docker-datacenter"]
    assert second.met == 1
    # a session ends while it is used
    new.msr.session_requests = 1
    session = Api(new.msr, "")("POST", "/enzi/v0/id/login", {"username": "admin", "password": "the administrator's own"})["sessionToken"]
    asked = [
        requests.get(
            f"{new.msr.url}/enzi/v0/accounts/", headers={"Authorization": f"Bearer {session}"}, verify=str(new.msr.authority.certificate)
        ).status_code
        for _attempt in range(2)
    ]
    assert asked == [200, 401]
    assert new.msr.count("GET", "accounts/\\?") >= 2


def test_what_is_not_in_the_descriptions_is_found(new: Installation) -> None:
    if not os.environ.get("REGISTRY_CONTRACTS"):
        pytest.skip("REGISTRY_CONTRACTS names no folder with the API descriptions")
    api = Api(new.msr)
    api("GET", "/enzi/v0/accounts/", pageSize=10)
    api("POST", "/enzi/v0/accounts/", {"name": "science", "isOrg": True, "email": "science@example.com"}, 201)
    api("POST", "/api/v0/repositories/science", {"name": "data"}, 201)
    found = "\n".join(new.msr.violations)
    new.msr.violations.clear()
    assert "GET /accounts/: the query has pageSize" in found
    assert "POST /accounts/: body has email" in found
    assert "POST /api/v0/repositories/science: body has no longDescription" in found
    api("GET", "/enzi/v0/accounts/", limit=10)
    assert new.msr.violations == []


def test_a_large_set_is_there_with_images(new: Installation) -> None:
    size = Size(users=60, organizations=6, teams=18, repositories=40, tags=100, grants=60, tokens=150)
    large_images(new, size)
    assert new.problems() == []
    counts = {name: len(new.store.rows("dtr2", name)) for name in ("repositories", "tags", "client_tokens")}
    assert counts == {"repositories": 40, "tags": 100, "client_tokens": 150}
    grants = len(new.store.rows("dtr2", "repository_team_access")) + len(new.store.rows("dtr2", "namespace_team_access"))
    assert grants == 60
    assert len(new.store.rows("enzi", "teams")) == 18
    with new.tables.moment():
        tag = new.tables.all(TAGS)[-1]
        assert new.tables.all(MEMBERS)
    with Client(new.msr.access) as client:
        answer = client.request("GET", f"/v2/{tag['repository']}/manifests/{tag['name']}", headers={"Accept": images.OCI_MANIFEST})
        assert answer.header("Docker-Content-Digest") == tag["digest"]
        layer = answer.json()["layers"][0]["digest"]
        assert images.digest_of(client.request("GET", f"/v2/{tag['repository']}/blobs/{layer}").body) == layer

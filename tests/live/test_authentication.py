# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signing in to registries and token services that really check: docker-registry with signed tokens, and one that plays the others."""

from __future__ import annotations

import base64
import concurrent.futures
import dataclasses
import json
import threading
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour, Rule
from estate.client import Client
from estate.counting import CountingRegistry
from estate.push import push
from estate.token_server import TokenServer
from runs.wire import blob, connect, noise

from ansible_collections.registryops.migration.plugins.module_utils._oci import http as our_http
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import RegistryClient
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential, CredentialFinder
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    CatalogForbidden,
    ConnectionFailed,
    MigrationError,
    ServerFailed,
    TooManyRequests,
)

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.registry import Registry, RegistryFactory

ALICE = Credential("alice", "canary of alice")
USERS = {"alice": "canary of alice", "bob": "canary of bob"}
NAME, TAG = "small/image", "one"
SMALL = images.small_set()
DIGEST = SMALL.tags()[NAME, TAG]
TEN = [f"team/app{number}" for number in range(10)]
PATIENCE = 20.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(our_http, "backoff", lambda attempt: 0.001 * attempt)


def ten_repositories() -> images.ImageSet:
    made = images.ImageSet()
    for name in TEN:
        images.add_image(made.repository(name), name, [images.layer(name, 500)], ["1.0"])
    return made


@pytest.fixture
def registry(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    """A counting registry with the small set and ten repositories, that wants tokens."""
    registry = counting_registry(Behaviour(authentication="bearer", users=dict(USERS)))
    registry.load(SMALL)
    registry.load(ten_repositories())
    return registry


@pytest.fixture(scope="module")
def htpasswd(module_registries: RegistryFactory) -> Registry:
    """docker-registry with users."""
    registry = module_registries.start("htpasswd", tls=True, users=USERS)
    push(registry.url, SMALL, *dataclasses.astuple(ALICE)[:2], registry.ca_file)
    return registry


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[TokenServer]:
    """A token service that signs. Bob may read only, and nothing of team/; nobody may read what is public."""
    grants = {
        "alice": {"*": ["pull", "push", "delete"], "registry:catalog": ["*"]},
        "bob": {"small/*": ["pull"], "public/*": ["pull"]},
        "anonymous": {"public/*": ["pull"]},
    }
    with TokenServer(tmp_path_factory.mktemp("tokens"), USERS, grants) as server:
        yield server


@pytest.fixture(scope="module")
def signed(module_registries: RegistryFactory, tokens: TokenServer) -> Registry:
    """docker-registry that takes that service's tokens."""
    registry = module_registries.start("signed", token_server=tokens)
    public = images.ImageSet()
    images.add_image(public.repository("public/app"), "public", [images.layer("public", 500)], ["1.0"])
    for one in (SMALL, ten_repositories(), public):
        push(registry.url, one, *dataclasses.astuple(ALICE)[:2])
    return registry


@pytest.fixture(autouse=True)
def _fresh_log(request: pytest.FixtureRequest) -> None:
    if "signed" in request.fixturenames:
        request.getfixturevalue("signed")
        request.getfixturevalue("tokens").reset_log()


def upload(client: RegistryClient, name: str, data: bytes) -> None:
    client.put_blob(name, client.start_upload(name), blob(data).digest, data, len(data))


def scopes_asked(registry: CountingRegistry) -> list[int]:
    """How many scopes each request for a token named."""
    return [one.path.count("scope=") for one in registry.log if one.kind == "token"]


# -- Basic -------------------------------------------------------------------------------------------------------------


def test_basic(htpasswd):
    client = connect(htpasswd, ALICE)
    client.ping()
    assert client.get_manifest(NAME, TAG).digest == DIGEST
    upload(client, NAME, noise("basic", 1000))
    assert NAME in list(client.repositories())


def test_basic_is_shown_from_the_second_request_on(registry):
    registry.behaviour.authentication = "basic"
    client = connect(registry, ALICE)
    client.head_manifest(NAME, TAG)
    client.head_manifest(NAME, TAG)
    client.tags(NAME)
    assert [one.status for one in registry.log] == [401, 200, 200, 200]


@pytest.mark.parametrize("credential", [Credential("alice", "wrong"), Credential("mallory", "wrong")])
def test_basic_with_a_wrong_password(credential, htpasswd):
    client = connect(htpasswd, credential)
    with pytest.raises(AuthenticationFailed) as caught:
        client.ping()
    assert caught.value.subject == htpasswd.host
    assert credential.username in caught.value.message
    assert "password" in caught.value.hint


def test_basic_without_a_password(htpasswd):
    client = connect(htpasswd)
    # there might be credentials for parts of the registry
    client.ping()
    with pytest.raises(AuthenticationFailed) as caught:
        client.tags(NAME)
    assert "wants a user name and a password" in caught.value.message


def test_a_wrong_password_is_not_tried_over_and_over(registry):
    registry.behaviour.authentication = "basic"
    client = connect(registry, Credential("alice", "wrong"))
    for _unused in range(3):
        with pytest.raises(AuthenticationFailed):
            client.tags(NAME)
    assert registry.count() == 4


def sign_in(client: RegistryClient) -> None:
    """Ask what needs a password."""
    client.ping()
    client.tags(NAME)


@pytest.mark.parametrize("authentication", ["basic", "bearer"])
def test_refusals_do_not_use_up_the_places(authentication, registry):
    """What is refused gives its connection and its place back: otherwise the next request would wait for ever."""
    registry.behaviour.authentication = authentication
    client = connect(registry, Credential("alice", "wrong"), concurrency=1)
    for _unused in range(3):
        with pytest.raises(AuthenticationFailed):
            sign_in(client)
    assert registry.connections() <= 2


def test_basic_and_a_catalogue_that_is_not_for_everybody(registry):
    registry.behaviour.authentication, registry.behaviour.catalog = "basic", 401
    client = connect(registry, ALICE)
    client.ping()
    with pytest.raises(CatalogForbidden) as caught:
        list(client.repositories())
    assert "include" in caught.value.hint
    # the same answer, before anything is known of the password
    with pytest.raises(AuthenticationFailed):
        list(connect(registry, ALICE).repositories())


# -- Bearer, with docker-registry and signed tokens --------------------------------------------------------------------


def test_a_token_for_a_password(signed, tokens):
    client = connect(signed, ALICE)
    client.ping()
    assert tokens.log == []
    assert client.get_manifest(NAME, TAG).digest == DIGEST
    assert [(one.method, one.user, one.granted) for one in tokens.log] == [("GET", "alice", (f"repository:{NAME}:pull",))]


def test_a_token_for_nobody(signed, tokens):
    client = connect(signed)
    client.ping()
    assert client.tags("public/app") == ["1.0"]
    assert [(one.user, one.granted) for one in tokens.log] == [("anonymous", ("repository:public/app:pull",))]


def test_nobody_may_not_read_everything(signed):
    with pytest.raises(AccessDenied) as caught:
        connect(signed).tags(NAME)
    assert "anonymous users" in caught.value.message
    assert f"pull on {NAME}" in caught.value.message


def test_a_token_for_an_identity_token(signed, tokens):
    client = connect(signed, Credential(identity_token=tokens.refresh_token("alice")))
    assert client.get_manifest(NAME, TAG).digest == DIGEST
    assert [(one.method, one.grant_type, one.user) for one in tokens.log] == [("POST", "refresh_token", "alice")]


def test_an_identity_token_that_nobody_knows(signed):
    with pytest.raises(AuthenticationFailed):
        connect(signed, Credential(identity_token="canary")).tags(NAME)


@pytest.mark.parametrize("status", [404, 405])
def test_a_token_service_without_the_oauth2_form(status, registries, token_server):
    tokens = token_server(USERS, refuse_post=status)
    # such a service knows the identity token as the password of a user without a name
    secret = tokens.refresh_token("alice")
    tokens.users["<token>"] = secret
    registry = registries.start("no-post", token_server=tokens)
    client = connect(registry, Credential(identity_token=secret))
    upload(client, "one", noise("one", 100))
    upload(client, "two", noise("two", 100))
    assert [(one.method, one.status) for one in tokens.log] == [("POST", status), ("GET", 200), ("GET", 200)]


def test_a_wrong_password_at_the_token_service(signed, tokens):
    client = connect(signed, Credential("alice", "wrong"))
    client.ping()
    with pytest.raises(AuthenticationFailed) as caught:
        client.tags(NAME)
    assert "token service" in caught.value.subject
    assert "alice" in caught.value.message
    assert len(tokens.log) == 1


def test_reading_is_not_writing(signed):
    client = connect(signed, Credential("bob", USERS["bob"]))
    assert client.tags(NAME)
    with pytest.raises(AccessDenied) as caught:
        client.start_upload(NAME)
    assert "bob" in caught.value.message
    assert f"pull and push on {NAME}" in caught.value.message


def test_the_right_to_push_may_be_asked_for_from_the_start(signed, tokens):
    client = connect(signed, ALICE)
    client.will_write()
    assert client.head_manifest(NAME, TAG)
    upload(client, NAME, noise("push from the start", 100))
    assert len(tokens.log) == 1


def test_the_catalogue(signed):
    assert {NAME, *TEN} <= set(connect(signed, ALICE).repositories())


@pytest.mark.parametrize("credential", [Credential("bob", USERS["bob"]), None])
def test_a_catalogue_that_is_forbidden(credential, signed):
    with pytest.raises(CatalogForbidden) as caught:
        list(connect(signed, credential).repositories())
    assert "include" in caught.value.hint


def test_a_mount_has_a_token_with_two_scopes(signed, tokens):
    client = connect(signed, ALICE)
    digest = next(iter(SMALL.repositories[NAME].blobs))
    assert client.mount("mounted/here", digest, NAME) is None
    assert client.head_blob("mounted/here", digest)
    assert set(tokens.log[0].scopes) == {"repository:mounted/here:pull,push", f"repository:{NAME}:pull"}


def test_a_mount_from_where_one_may_not_read(signed):
    client = connect(signed, Credential("bob", USERS["bob"]))
    with pytest.raises(AccessDenied):
        client.mount("small/other", DIGEST, "team/app0")


def test_ten_repositories_with_one_token(signed, tokens):
    client = connect(signed, ALICE)
    client.expect(TEN)
    assert all(client.tags(name) == ["1.0"] for name in TEN)
    assert [len(one.scopes) for one in tokens.log] == [10]


def test_a_token_that_is_too_narrow_is_no_failure(signed, tokens):
    """Of the ten only one is Bob's: the token that names all of them is given without the others, and serves for that one."""
    client = connect(signed, Credential("bob", USERS["bob"]))
    client.expect([*TEN[:9], NAME])
    assert client.tags(NAME)
    with pytest.raises(AccessDenied):
        client.tags(TEN[0])
    assert client.tags(NAME)
    assert client.one_scope_a_token
    assert len(tokens.log[0].scopes) == 10
    assert all(len(one.scopes) == 1 for one in tokens.log[1:])


@pytest.mark.parametrize("over_cap", ["refuse", "first"])
def test_a_token_service_with_a_cap(over_cap, registries, token_server):
    tokens = token_server(USERS, scope_cap=1, over_cap=over_cap)
    registry = registries.start("cap", token_server=tokens)
    push(registry.url, ten_repositories(), *dataclasses.astuple(ALICE)[:2])
    tokens.reset_log()
    client = connect(registry, ALICE)
    client.expect(TEN)
    assert all(client.tags(name) == ["1.0"] for name in TEN)
    assert client.one_scope_a_token
    # the one for all ten is lost, each repository has one then
    assert [len(one.scopes) for one in tokens.log][:2] == [10, 1]
    assert len(tokens.log) <= 12


def test_tokens_that_run_out(registries, token_server):
    """docker-registry refuses the token before the client believes that it is over."""
    tokens = token_server(USERS, lifetime=60, leeway=3600)
    registry = registries.start("expired", token_server=tokens)
    client = connect(registry, ALICE)
    with pytest.raises(AccessDenied):
        client.start_upload("app")
    tokens.leeway = 0
    upload(client, "app", noise("after all", 1000))
    upload(client, "app", noise("and again", 1000))
    assert len({one.status for one in tokens.log}) == 1


# -- Bearer, where nobody signs ----------------------------------------------------------------------------------------


def test_a_token_in_its_life_is_used_again(registry):
    client = connect(registry, ALICE)
    for _unused in range(5):
        client.head_manifest(NAME, TAG)
    assert registry.counts() == {"HEAD manifest": 6, "GET token": 1}


def test_the_challenge_is_learnt_once_for_all_repositories(registry):
    client = connect(registry, ALICE)
    client.ping()
    for name in TEN:
        client.tags(name)
    assert [one.status for one in registry.log if one.kind == "tags"] == [200] * 10
    assert registry.count(kind="token") == 10


def test_a_token_that_was_revoked_is_replaced(registry):
    client = connect(registry, ALICE)
    client.expect(TEN)
    client.tags(TEN[0])
    registry.expire_tokens()
    for name in TEN:
        client.tags(name)
    # an end is no refusal: tokens are still for ten
    assert scopes_asked(registry) == [10, 10]
    assert not client.one_scope_a_token


def test_many_workers_replace_a_revoked_token_once(registry):
    client = connect(registry, ALICE)
    client.tags(NAME)
    registry.expire_tokens()
    registry.behaviour.latency = 0.01
    together = threading.Barrier(8)

    def work(number: int) -> list[str]:
        together.wait(PATIENCE)
        return client.tags(NAME)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert registry.count(kind="token") <= 3


def test_tokens_are_renewed_before_they_end(registry):
    registry.behaviour.token_ttl = 1
    client = connect(registry, ALICE)
    client.tags(NAME)
    # half of so short a life is the most that is used of it
    deadline = threading.Event()
    deadline.wait(0.6)
    client.tags(NAME)
    assert registry.count(kind="token") == 2
    assert [one.status for one in registry.log if one.kind == "tags"] == [401, 200, 200]


@pytest.mark.parametrize("names_expiry", [True, False])
def test_a_token_that_does_not_say_how_long_it_lives(names_expiry, registry):
    registry.behaviour.token_names_expiry = names_expiry
    client = connect(registry, ALICE)
    for _unused in range(3):
        client.tags(NAME)
    assert registry.count(kind="token") == 1


def test_a_token_that_ends_in_the_middle_of_an_upload_in_chunks(registry):
    client = connect(registry, ALICE)
    data = noise("renewed", 40_000)

    def pieces() -> t.Iterator[bytes]:
        for start in range(0, len(data), 10_000):
            yield data[start : start + 10_000]
            registry.expire_tokens()

    client.put_blob_in_chunks(NAME, client.start_upload(NAME), blob(data).digest, pieces(), 10_000)
    assert registry.blob(NAME, blob(data).digest) == data
    # refused once and sent again: all but the first, and the PUT at the end
    assert (registry.count("PATCH"), registry.count("PUT")) == (7, 2)


def test_a_token_that_ends_before_the_last_put(registry):
    client = connect(registry, ALICE)
    data = noise("last put", 1000)
    session = client.start_upload(NAME)
    registry.expire_tokens()
    client.put_blob(NAME, session, blob(data).digest, data, len(data))
    assert registry.blob(NAME, blob(data).digest) == data


def test_401_to_a_body_that_streams_is_left_to_who_has_the_body(registry):
    client = connect(registry, ALICE)
    data = noise("streams", 1000)
    session = client.start_upload(NAME)
    registry.expire_tokens()
    with pytest.raises(ConnectionFailed) as caught:
        client.put_blob(NAME, session, blob(data).digest, iter([data]), len(data))
    assert caught.value.transient
    # it has been understood, though: the next one goes through
    client.put_blob(NAME, client.start_upload(NAME), blob(data).digest, iter([data]), len(data))


@pytest.mark.parametrize("knob", [{"scope_cap": 1}, {"first_scope_only": True}])
def test_services_that_give_one_scope_only(knob, registry):
    for name, value in knob.items():
        setattr(registry.behaviour, name, value)
    client = connect(registry, ALICE)
    client.expect(TEN)
    assert all(client.tags(name) == ["1.0"] for name in TEN)
    asked = scopes_asked(registry)
    assert asked[0] == 10
    assert set(asked[1:]) == {1}
    assert len(asked) <= 11


def test_what_was_learnt_of_scopes_is_remembered(registry):
    registry.behaviour.scope_cap = 1
    client = connect(registry, lambda repository: ALICE if repository else None)
    client.remember({"one_scope_a_token": True})
    client.expect(TEN)
    client.tags(TEN[0])
    assert scopes_asked(registry) == [1]
    assert client.one_scope_a_token


def test_a_mount_that_the_service_does_not_allow(registry):
    registry.behaviour.first_scope_only = True
    client = connect(registry, ALICE)
    with pytest.raises(AccessDenied):
        client.mount(TEN[0], next(iter(SMALL.repositories[NAME].blobs)), NAME)
    # nothing goes round in circles
    assert registry.count("POST", "mount") <= 5
    assert client.start_upload(TEN[0])


def test_401_without_a_challenge(registry):
    client = connect(registry, ALICE)
    client.ping()
    registry.behaviour.rules.append(Rule(status=401, path="/tags/", times=1))
    assert client.tags(NAME)
    registry.behaviour.rules.append(Rule(status=401, path="/tags/", times=None))
    with pytest.raises(AccessDenied):
        client.tags(NAME)


def test_several_challenges_in_one_header(registry):
    challenge = (
        f'Negotiate, Basic realm="a, b", Bearer realm="{registry.url}/token",service="counting registry",scope="repository:{NAME}:pull"'
    )
    registry.behaviour.rules.append(Rule(status=401, path="/tags/", headers={"WWW-Authenticate": challenge}))
    assert connect(registry, ALICE).tags(NAME)
    assert next(one.path for one in registry.log if one.kind == "token").count("scope=") == 1


def test_a_challenge_that_leads_to_plain_http(counting_registry, certificate_authority, registry):
    secure = counting_registry(authority=certificate_authority)
    challenge = f'Bearer realm="{registry.url}/token",service="x"'
    secure.behaviour.rules.append(Rule(status=401, headers={"WWW-Authenticate": challenge}, times=None))
    client = connect(secure, ALICE)
    for call in (client.ping, lambda: client.tags(NAME)):
        with pytest.raises(AuthenticationFailed) as caught:
            call()
        assert "plain http" in caught.value.message
    assert registry.log == []


def test_a_token_service_elsewhere(registry, counting_registry):
    """Its requests are counted with the registry's, its failures are its own."""
    service = counting_registry(Behaviour(users=dict(USERS), rules=[Rule(action="reset", times=1), Rule(status=503, times=1)]))
    challenge = f'Bearer realm="http://localhost:{service.port}/token",service="x"'
    registry.behaviour.rules.append(Rule(status=401, headers={"WWW-Authenticate": challenge}, path="/tags/", times=2))
    client = connect(registry, ALICE)
    # its token means nothing to this registry, which sends us to its own service in the end
    assert client.tags(NAME)
    assert service.count() >= 3
    assert client.transport.requests == service.count() + registry.count()


@pytest.mark.parametrize(("status", "kind"), [(500, ServerFailed), (429, TooManyRequests), (403, AuthenticationFailed)])
def test_a_token_service_that_is_unwell(status, kind, registry):
    registry.behaviour.rules.append(Rule(status=status, path="^/token", times=None))
    with pytest.raises(kind) as caught:
        connect(registry, ALICE, attempts=2).tags(NAME)
    assert "token service" in caught.value.message


def test_a_tokens_answer_that_breaks_off_is_asked_for_again(registry):
    registry.behaviour.rules.append(Rule(action="cut", keep=10, path="^/token"))
    assert connect(registry, ALICE).tags(NAME)
    assert registry.count(kind="token") == 2


def test_tokens_do_not_wait_for_places(registry):
    """One worker holds the only place and wants a token; another asks for the same one: neither may wait for the other."""
    client = connect(registry, ALICE, concurrency=1)
    client.will_write()
    data = noise("places", 30_000)
    session = client.start_upload(NAME)
    others: list[list[str]] = []
    other = threading.Thread(target=lambda: others.append(client.tags(NAME)), daemon=True)

    def pieces() -> t.Iterator[bytes]:
        yield data[:10_000]
        registry.expire_tokens()
        other.start()
        yield data[10_000:]

    client.put_blob_in_chunks(NAME, session, blob(data).digest, pieces(), 10_000)
    other.join(PATIENCE)
    assert others


# -- a registry token --------------------------------------------------------------------------------------------------


def token_from(registry: CountingRegistry, scope: str) -> str:
    with Client(registry.access) as client:
        answer = client.request("GET", f"/token?service=x&scope={scope}", headers={"Authorization": _basic(ALICE)})
    token: str = answer.json()["token"]
    registry.reset_log()
    return token


def _basic(credential: Credential) -> str:
    return "Basic " + base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()


def test_a_registry_token_is_shown_as_it_is(registry):
    token = token_from(registry, f"repository:{NAME}:pull")
    client = connect(registry, Credential(registry_token=token))
    client.ping()
    assert client.tags(NAME)
    assert registry.count(kind="token") == 0
    assert {one.headers.get("authorization") for one in registry.log if one.status == 200} == {f"Bearer {token}"}


def test_a_registry_token_that_does_not_do(registry):
    client = connect(registry, Credential(registry_token="canary"))
    with pytest.raises(AuthenticationFailed) as caught:
        client.tags(NAME)
    assert "the given token" in caught.value.message
    assert "canary" not in str(caught.value)
    assert registry.count() == 1


# -- credentials for parts of a registry -------------------------------------------------------------------------------


def finder(tmp_path: Path, registry: CountingRegistry, entries: dict[str, Credential]) -> t.Callable[[str], Credential | None]:
    """The search in a file of podman's: `entries` by path within the registry; the empty one is the whole registry."""
    auths = {}
    for path, credential in entries.items():
        auths[f"{registry.host}/{path}".rstrip("/")] = {"auth": _basic(credential).removeprefix("Basic ")}
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": auths}))
    found = CredentialFinder(authfile=str(file), environment={}, home=str(tmp_path), run_helper=lambda command, text: (1, "", ""))
    return lambda repository: found.find(registry.host, repository)


@pytest.mark.parametrize("authentication", ["basic", "bearer"])
def test_credentials_for_parts_of_a_registry(authentication, registry, tmp_path):
    registry.behaviour.authentication = authentication
    credentials = finder(tmp_path, registry, {"team": Credential("bob", USERS["bob"]), "": ALICE})
    client = connect(registry, credentials)
    client.ping()
    client.expect([NAME, *TEN])
    assert client.tags(NAME)
    assert client.tags(TEN[0])
    who = "tags" if authentication == "basic" else "token"
    shown = [one.headers.get("authorization") for one in registry.log if one.kind == who and one.status == 200]
    assert shown == [_basic(ALICE), _basic(Credential("bob", USERS["bob"]))]


@pytest.mark.parametrize("authentication", ["basic", "bearer"])
def test_credentials_for_one_part_alone(authentication, registry, tmp_path):
    registry.behaviour.authentication = authentication
    client = connect(registry, finder(tmp_path, registry, {"team": ALICE}))
    client.ping()
    assert client.tags(TEN[0]) == ["1.0"]
    with pytest.raises(MigrationError):
        client.tags(NAME)


def test_a_mount_shows_the_credential_of_where_it_goes(registry, tmp_path):
    client = connect(registry, finder(tmp_path, registry, {"team": Credential("bob", USERS["bob"]), "": ALICE}))
    client.mount(TEN[0], next(iter(SMALL.repositories[NAME].blobs)), NAME)
    shown = {one.headers.get("authorization") for one in registry.log if one.kind == "token"}
    assert shown == {_basic(Credential("bob", USERS["bob"]))}


def test_every_secret_is_told(registry):
    told: set[str] = set()
    client = connect(registry, ALICE, on_secret=told.add)
    client.tags(NAME)
    shown = {one.headers["authorization"].partition(" ")[2] for one in registry.log if "authorization" in one.headers}
    assert shown <= told

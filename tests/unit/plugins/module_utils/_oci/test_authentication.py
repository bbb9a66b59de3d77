# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who we are to a registry: what is learnt from challenges, which tokens are asked for, how long they are used."""

from __future__ import annotations

import base64
import json
import threading
import traceback
import typing as t
from urllib.parse import parse_qsl, urlsplit

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci import authentication, errors
from ansible_collections.registryops.migration.plugins.module_utils._oci.authentication import (
    CATALOG_SCOPE,
    MOST_TOKENS,
    PULL,
    PULL_PUSH,
    Authenticator,
    Token,
    repository_scope,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.challenge import Scope
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import Response, origin_of
from ansible_collections.registryops.migration.tests.unit.plugins.module_utils._oci.made_answers import made_answer

REALM = "https://auth.example.com/token"
BEARER = f'Bearer realm="{REALM}",service="registry.example.com"'
PASSWORD = Credential("alice", "canary-password")
IDENTITY = Credential(identity_token="canary-identity")
REGISTRY = Credential(registry_token="canary-registry")
PATIENCE = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(authentication, "time", clock)
    return clock


def response(status: int, body: bytes = b"", challenges: t.Sequence[str] = ()) -> Response:
    fields = [("Content-Length", str(len(body))), *(("WWW-Authenticate", challenge) for challenge in challenges)]
    raw = made_answer(status, body, fields)
    return Response(raw, REALM, lambda: None)


class Asked(t.NamedTuple):
    """A request to the token service."""

    method: str
    address: str
    parameters: list[tuple[str, str]]
    headers: dict[str, str]

    @property
    def scopes(self) -> list[str]:
        return [part for name, value in self.parameters if name == "scope" for part in value.split()]


class TokenService:
    """Stands in for the transport. It gives every token that is asked for, unless told otherwise."""

    def __init__(self, origin: str = "https://registry.example.com/") -> None:
        self.origin = origin_of(origin)
        self.asked: list[Asked] = []
        self.life: t.Any = 300
        self.field = "token"
        #: statuses for the next requests, before tokens are given again
        self.refusals: list[int] = []
        self.post = 200
        self.most_scopes = 1000
        self.document: bytes | None = None
        self.lock = threading.Lock()
        #: called with each request
        self.on_request: t.Callable[[], None] = lambda: None

    def request(self, method: str, url: str, headers: dict[str, str], body: bytes | None = None, **more: t.Any) -> Response:
        # a token is what others, who hold places, are waiting for
        assert more["at_once"]
        assert more["read_whole"]
        parts = urlsplit(url)
        form = body.decode() if body is not None else parts.query
        with self.lock:
            asked = Asked(method, url.partition("?")[0], parse_qsl(form, keep_blank_values=True), dict(headers))
            self.asked.append(asked)
        self.on_request()
        if self.refusals:
            return response(self.refusals.pop(0))
        if method == "POST" and self.post != 200:
            return response(self.post)
        if len(asked.scopes) > self.most_scopes:
            return response(400)
        document = {self.field: f"token-{len(self.asked)}", "expires_in": self.life}
        return response(200, json.dumps(document).encode() if self.document is None else self.document)


def scope(repository: str, actions: frozenset[str] = PULL) -> Scope:
    return repository_scope(repository, actions)


def challenge(who: Authenticator, *challenges: str, sent: str = "", scopes: t.Sequence[Scope] = ()) -> t.Sequence[Scope]:
    headers = {"Authorization": sent} if sent else {}
    return who.challenged(response(401, b"", challenges), headers, scopes)


def bearer(credential: Credential | None = PASSWORD, **service: t.Any) -> tuple[Authenticator, TokenService]:
    """Someone who has learnt that tokens are wanted, and the service that gives them."""
    tokens = TokenService()
    for name, value in service.items():
        setattr(tokens, name, list(value) if isinstance(value, list) else value)
    who = Authenticator(tokens, credential)
    challenge(who, BEARER)
    return who, tokens


def token_of(who: Authenticator, *scopes: Scope) -> str:
    scheme, _unused, value = who.header(scopes)["Authorization"].partition(" ")
    assert scheme == "Bearer"
    return value


# -- what is learnt ----------------------------------------------------------------------------------------------------


def test_nothing_is_shown_before_it_is_asked_for():
    assert Authenticator(TokenService(), PASSWORD).header([scope("app")]) == {}


@pytest.mark.parametrize("line", ['Basic realm="registry"', "Basic", 'basic realm="a, b", charset="UTF-8"'])
def test_basic(line):
    who = Authenticator(TokenService(), Credential("alice", "päss:word"))
    challenge(who, line)
    value = who.header(())["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(value).decode() == "alice:päss:word"
    assert not who.uses_tokens


def test_basic_without_a_credential():
    with pytest.raises(errors.AuthenticationFailed) as caught:
        challenge(Authenticator(TokenService(), None), "Basic")
    assert "wants a user name and a password" in str(caught.value)
    assert caught.value.subject == "registry.example.com"


def test_basic_with_an_identity_token_alone():
    with pytest.raises(errors.AuthenticationFailed):
        challenge(Authenticator(TokenService(), IDENTITY), "Basic")


def test_basic_that_is_refused():
    who = Authenticator(TokenService(), PASSWORD)
    challenge(who, "Basic")
    with pytest.raises(errors.AuthenticationFailed) as caught:
        challenge(who, "Basic", sent=who.header(())["Authorization"])
    assert "alice" in str(caught.value)


def test_basic_where_tokens_turn_out_to_be_wanted():
    who = Authenticator(TokenService(), PASSWORD)
    challenge(who, "Basic")
    challenge(who, BEARER, sent=who.header(())["Authorization"])
    assert who.uses_tokens


@pytest.mark.parametrize(
    "lines",
    [
        [BEARER],
        [f'Basic realm="x", {BEARER}'],
        [f'{BEARER}, Basic realm="x"'],
        ['Basic realm="x"', BEARER],
        ["Negotiate", "NTLM abc==", BEARER],
        [BEARER, 'Bearer realm="https://elsewhere.example.com/"'],
        [f'bearer   realm="{REALM}" , service=registry.example.com'],
    ],
)
def test_of_several_challenges_a_token_is_chosen(lines):
    tokens = TokenService()
    who = Authenticator(tokens, PASSWORD)
    challenge(who, *lines)
    assert who.uses_tokens
    assert token_of(who, scope("app")) == "token-1"
    assert tokens.asked[0].address == REALM
    assert ("service", "registry.example.com") in tokens.asked[0].parameters


@pytest.mark.parametrize("lines", [[], ["Negotiate"], ["Digest realm=x, nonce=y"]])
def test_challenges_that_nobody_can_meet(lines):
    with pytest.raises(errors.AuthenticationFailed):
        challenge(Authenticator(TokenService(), PASSWORD), *lines)


def test_a_relative_realm():
    tokens = TokenService()
    who = Authenticator(tokens, None)
    challenge(who, 'Bearer realm="/auth?client=x"')
    token_of(who, scope("app"))
    assert tokens.asked[0].address == "https://registry.example.com/auth"
    assert ("client", "x") in tokens.asked[0].parameters


@pytest.mark.parametrize(
    "line", ["Bearer", 'Bearer realm=""', 'Bearer service="x"', 'Bearer realm="ftp://x/"', 'Bearer realm="https://x:y/"']
)
def test_a_realm_that_is_none(line):
    with pytest.raises(errors.InvalidAnswer):
        challenge(Authenticator(TokenService(), PASSWORD), line)


def test_credentials_are_not_sent_over_plain_http():
    tokens = TokenService()
    who = Authenticator(tokens, PASSWORD)
    with pytest.raises(errors.AuthenticationFailed) as caught:
        challenge(who, 'Bearer realm="http://auth.example.com/token"')
    assert "plain http" in str(caught.value)
    assert who.header(()) == {}
    assert tokens.asked == []


def test_plain_http_may_lead_to_plain_http():
    who = Authenticator(TokenService("http://registry.example.com/"), PASSWORD)
    challenge(who, 'Bearer realm="http://auth.example.com/token"')
    assert who.uses_tokens


def test_401_without_a_challenge_is_met_as_the_first_one_was():
    who, tokens = bearer()
    assert challenge(who, scopes=[scope("app")]) == [scope("app")]
    assert token_of(who, scope("app")) == "token-1"
    # also for a token that has been refused
    challenge(who, sent="Bearer token-1", scopes=[scope("app")])
    assert token_of(who, scope("app")) == "token-2"
    assert {one.address for one in tokens.asked} == {REALM}


# -- a registry token --------------------------------------------------------------------------------------------------


def test_a_registry_token_is_shown_as_it_is_from_the_start():
    tokens = TokenService()
    who = Authenticator(tokens, REGISTRY)
    assert who.header([scope("app")]) == {"Authorization": "Bearer canary-registry"}
    assert tokens.asked == []


def test_a_registry_token_survives_a_challenge_that_did_not_see_it():
    who = Authenticator(TokenService(), REGISTRY)
    challenge(who, BEARER)
    assert token_of(who) == "canary-registry"


def test_a_registry_token_that_is_refused():
    who = Authenticator(TokenService(), REGISTRY)
    with pytest.raises(errors.AuthenticationFailed) as caught:
        challenge(who, BEARER, sent="Bearer canary-registry")
    assert "the given token" in str(caught.value)


# -- asking for tokens -------------------------------------------------------------------------------------------------


def test_nobody_asks_without_a_credential():
    who, tokens = bearer(None)
    token_of(who, scope("app"))
    (asked,) = tokens.asked
    assert (asked.method, asked.address) == ("GET", REALM)
    assert asked.parameters == [("service", "registry.example.com"), ("scope", "repository:app:pull")]
    assert "Authorization" not in asked.headers
    assert who.identity == "anonymous"


def test_a_password_is_shown_to_the_token_service():
    who, tokens = bearer()
    token_of(who, scope("app", PULL_PUSH))
    (asked,) = tokens.asked
    assert asked.headers["Authorization"] == "Basic " + base64.b64encode(b"alice:canary-password").decode()
    assert ("account", "alice") in asked.parameters
    assert asked.scopes == ["repository:app:pull,push"]


def test_an_identity_token_is_posted():
    who, tokens = bearer(IDENTITY, field="access_token")
    assert token_of(who, scope("a"), scope("b", PULL_PUSH)) == "token-1"
    (asked,) = tokens.asked
    assert (asked.method, asked.address) == ("POST", REALM)
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in asked.headers
    assert dict(asked.parameters) == {
        "grant_type": "refresh_token",
        "service": "registry.example.com",
        "client_id": "registryops.migration",
        "scope": "repository:a:pull repository:b:pull,push",
        "refresh_token": "canary-identity",
    }


@pytest.mark.parametrize("status", [400, 401, 404, 405])
def test_a_service_that_knows_no_post_is_asked_with_get_and_that_is_remembered(status):
    who, tokens = bearer(IDENTITY, post=status)
    token_of(who, scope("a"))
    token_of(who, scope("b"))
    assert [asked.method for asked in tokens.asked] == ["POST", "GET", "GET"]
    assert tokens.asked[1].headers["Authorization"] == "Basic " + base64.b64encode(b"<token>:canary-identity").decode()


def test_an_identity_token_that_is_refused_either_way():
    who, tokens = bearer(IDENTITY, refusals=[401, 401])
    with pytest.raises(errors.AuthenticationFailed):
        token_of(who, scope("a"))
    assert [asked.method for asked in tokens.asked] == ["POST", "GET"]
    # nothing has been learnt from that
    token_of(who, scope("a"))
    assert tokens.asked[2].method == "POST"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AuthenticationFailed),
        (403, errors.AuthenticationFailed),
        (400, errors.AuthenticationFailed),
        (404, errors.AuthenticationFailed),
        (302, errors.AuthenticationFailed),
        (429, errors.TooManyRequests),
        (500, errors.ServerFailed),
        (503, errors.ServerFailed),
    ],
)
def test_a_token_service_that_refuses(status, kind):
    who, _tokens = bearer(refusals=[status])
    with pytest.raises(kind) as caught:
        token_of(who, scope("app"))
    assert "auth.example.com" in caught.value.subject
    assert caught.value.__class__ is kind or status in (302, 400, 403, 404)


@pytest.mark.parametrize(
    "document",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"token": null}',
        b'{"token": ""}',
        b'{"token": 7}',
        b'{"token": "a\\r\\nX: b"}',
        b'{"token": "t\xc3\xb6ken"}',
        b'{"access_token": ["x"]}',
    ],
)
def test_answers_without_a_token(document):
    who, _tokens = bearer(document=document)
    with pytest.raises(errors.InvalidAnswer):
        token_of(who, scope("app"))


@pytest.mark.parametrize(
    "document", [b'{"token": "x"}', b'{"access_token": "x"}', b'{"token": "x", "access_token": "y"}', b'{"token": "", "access_token": "x"}']
)
def test_either_field_holds_the_token(document):
    who, _tokens = bearer(document=document)
    assert token_of(who, scope("app")) == "x"


def test_what_the_registry_asks_for_is_asked_for_as_well():
    who, tokens = bearer()
    wanted = challenge(who, BEARER + ',scope="repository:app:pull,push registry:catalog:* nonsense"', scopes=[scope("app")])
    assert [str(one) for one in wanted] == ["repository:app:pull", "repository:app:pull,push", "registry:catalog:*"]
    token_of(who, *wanted)
    assert tokens.asked[0].scopes == [str(one) for one in wanted]


def test_what_is_wanted_already_is_not_asked_for_twice():
    who, _tokens = bearer()
    wanted = challenge(who, BEARER + ',scope="repository:app:pull"', scopes=[scope("app", PULL_PUSH)])
    assert wanted == [scope("app", PULL_PUSH)]


# -- using tokens ------------------------------------------------------------------------------------------------------


def test_a_token_is_used_for_all_that_it_covers():
    who, tokens = bearer()
    assert token_of(who, scope("app", PULL_PUSH)) == token_of(who, scope("app")) == token_of(who, scope("app", PULL_PUSH))
    assert len(tokens.asked) == 1
    token_of(who, scope("other"))
    token_of(who, CATALOG_SCOPE)
    token_of(who, scope("app", PULL_PUSH), scope("other"))
    assert [asked.scopes for asked in tokens.asked[1:]] == [
        ["repository:other:pull"],
        ["registry:catalog:*"],
        ["repository:app:pull,push", "repository:other:pull"],
    ]


def test_the_right_to_pull_is_not_the_right_to_push():
    who, tokens = bearer()
    token_of(who, scope("app"))
    token_of(who, scope("app", PULL_PUSH))
    assert len(tokens.asked) == 2


@pytest.mark.parametrize(
    ("life", "used_for"),
    [
        (300, 290),
        (60, 50),
        (20, 10),
        (10, 5),
        (1, 0.5),
        (0.5, 0.25),
        # nothing, or nothing sensible, said: a minute
        (None, 50),
        (0, 50),
        (-5, 50),
        ("300", 50),
        ([], 50),
        # more than anybody needs
        (10**400, 86390),
        (float("inf"), 86390),
    ],
)
def test_a_token_is_renewed_before_it_ends(life, used_for, clock):
    who, tokens = bearer(life=life)
    token_of(who, scope("app"))
    clock.now += used_for - 0.01
    token_of(who, scope("app"))
    assert len(tokens.asked) == 1
    clock.now += 0.02
    token_of(who, scope("app"))
    assert len(tokens.asked) == 2


def test_a_refused_token_is_not_shown_again():
    who, tokens = bearer()
    first = token_of(who, scope("app"))
    challenge(who, BEARER + ',error="invalid_token"', sent=f"Bearer {first}", scopes=[scope("app")])
    assert token_of(who, scope("app")) == "token-2"
    # the news of the first reaches another worker late: that does not cost the second
    challenge(who, BEARER + ',error="invalid_token"', sent=f"Bearer {first}", scopes=[scope("app")])
    assert token_of(who, scope("app")) == "token-2"
    assert len(tokens.asked) == 2


def test_many_workers_ask_once():
    who, tokens = bearer()
    together = threading.Barrier(16)
    found = []

    def work() -> None:
        together.wait(PATIENCE)
        found.append(token_of(who, scope("app")))

    threads = [threading.Thread(target=work) for _unused in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert found == ["token-1"] * 16
    assert len(tokens.asked) == 1


def test_tokens_for_different_repositories_are_fetched_side_by_side():
    who, tokens = bearer()
    together = threading.Barrier(4)
    # broken if one of them had to wait for another
    tokens.on_request = lambda: together.wait(PATIENCE)
    threads = [threading.Thread(target=token_of, args=(who, scope(f"app{number}"))) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not together.broken
    assert len(tokens.asked) == 4


def test_of_very_many_tokens_the_newest_are_kept():
    who, tokens = bearer()
    for number in range(MOST_TOKENS + 50):
        token_of(who, scope(f"app{number}"))
    asked = len(tokens.asked)
    for number in range(60, MOST_TOKENS + 50):
        token_of(who, scope(f"app{number}"))
    assert len(tokens.asked) == asked


# -- several repositories in one token ---------------------------------------------------------------------------------

TWELVE = [f"team/app{number:02}" for number in range(12)]


def test_ten_repositories_share_a_token():
    who, tokens = bearer()
    who.expect(TWELVE)
    values = [token_of(who, scope(name)) for name in TWELVE]
    assert values == ["token-1"] * 10 + ["token-2"] * 2
    assert [len(asked.scopes) for asked in tokens.asked] == [10, 2]


def test_what_is_needed_comes_first():
    who, tokens = bearer()
    who.expect(TWELVE)
    token_of(who, scope(TWELVE[7], PULL_PUSH))
    assert tokens.asked[0].scopes[0] == f"repository:{TWELVE[7]}:pull,push"
    assert all(one.endswith(":pull,push") for one in tokens.asked[0].scopes)


def test_a_mount_asks_for_both_repositories_first():
    who, tokens = bearer()
    who.expect(TWELVE)
    token_of(who, scope(TWELVE[11], PULL_PUSH), scope("elsewhere"))
    assert tokens.asked[0].scopes == [
        f"repository:{TWELVE[11]}:pull,push",
        "repository:elsewhere:pull",
        f"repository:{TWELVE[10]}:pull,push",
    ]


def test_a_mount_within_a_block_needs_no_other_token():
    who, tokens = bearer()
    who.expect(TWELVE)
    token_of(who, scope(TWELVE[0], PULL_PUSH))
    token_of(who, scope(TWELVE[1], PULL_PUSH), scope(TWELVE[2]))
    assert len(tokens.asked) == 1


def test_the_catalogue_has_a_token_of_its_own():
    who, tokens = bearer()
    who.expect(TWELVE)
    token_of(who, CATALOG_SCOPE)
    assert tokens.asked[0].scopes == ["registry:catalog:*"]


@pytest.mark.parametrize("error", ['error="insufficient_scope"', ""])
def test_after_a_refusal_each_repository_has_its_own_token(error):
    who, tokens = bearer()
    who.expect(TWELVE)
    value = token_of(who, scope(TWELVE[0]))
    challenge(who, f"{BEARER},{error}", sent=f"Bearer {value}", scopes=[scope(TWELVE[0])])
    assert who.one_scope_a_token
    for name in TWELVE[:3]:
        token_of(who, scope(name))
    assert [asked.scopes for asked in tokens.asked[1:]] == [[f"repository:{name}:pull"] for name in TWELVE[:3]]


def test_a_token_that_ran_out_is_no_reason_for_that():
    who, tokens = bearer()
    who.expect(TWELVE)
    value = token_of(who, scope(TWELVE[0]))
    challenge(who, BEARER + ',error="invalid_token"', sent=f"Bearer {value}", scopes=[scope(TWELVE[0])])
    assert not who.one_scope_a_token
    token_of(who, scope(TWELVE[0]))
    assert len(tokens.asked[1].scopes) == 10


def test_a_refused_token_of_one_repository_is_no_reason_either():
    who, _tokens = bearer()
    value = token_of(who, scope("app"))
    challenge(who, BEARER + ',error="insufficient_scope"', sent=f"Bearer {value}", scopes=[scope("app")])
    assert not who.one_scope_a_token


@pytest.mark.parametrize("credential", [PASSWORD, None])
def test_a_token_service_that_refuses_many_scopes_is_asked_for_one(credential):
    who, tokens = bearer(credential, most_scopes=1)
    who.expect(TWELVE)
    for name in TWELVE[:3]:
        token_of(who, scope(name))
    assert [len(asked.scopes) for asked in tokens.asked] == [10, 1, 1, 1]
    assert who.one_scope_a_token


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_service_that_refuses_all_for_one_is_asked_for_each(status):
    who, tokens = bearer(refusals=[status])
    who.expect(TWELVE)
    assert token_of(who, scope(TWELVE[0])) == "token-2"
    assert [len(asked.scopes) for asked in tokens.asked] == [10, 1]


def test_a_token_service_that_refuses_many_scopes_and_knows_no_post():
    who, tokens = bearer(IDENTITY, post=404, refusals=[400, 401])
    who.expect(TWELVE)
    assert token_of(who, scope(TWELVE[0]))
    assert [(asked.method, len(asked.scopes)) for asked in tokens.asked] == [("POST", 10), ("GET", 10), ("POST", 1), ("GET", 1)]


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_every_secret_is_told():
    told: list[str] = []
    tokens = TokenService()
    who = Authenticator(tokens, PASSWORD, told.append)
    challenge(who, BEARER)
    token_of(who, scope("app"))
    pair = base64.b64encode(b"alice:canary-password").decode()
    assert told == [pair, "token-1"]
    assert who.secrets() >= {"canary-password", pair, "token-1"}


@pytest.mark.parametrize("credential", [PASSWORD, IDENTITY, REGISTRY])
def test_secrets_in_all_their_forms_are_known(credential):
    secrets = Authenticator(TokenService(), credential).secrets()
    assert {credential.password, credential.identity_token, credential.registry_token} <= secrets
    assert base64.b64encode(b"<token>:canary-identity").decode() in secrets or credential is not IDENTITY


@pytest.mark.parametrize("credential", [PASSWORD, IDENTITY])
@pytest.mark.parametrize("refusals", [[401, 401], [403, 403], [400, 400], [500, 500]])
def test_no_secret_gets_into_an_error(credential, refusals):
    who, _tokens = bearer(credential, refusals=refusals)
    with pytest.raises(errors.MigrationError) as caught:
        token_of(who, scope("app"))
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.as_row())
    assert "canary" not in text
    assert base64.b64encode(b"alice:canary-password").decode() not in text


def test_a_tokens_text_form_has_no_token():
    assert "canary" not in repr(Token("canary", frozenset({scope("app")}), 1.0))


# -- passwords that run out ----------------------------------------------------------------------------------------------------


def basic(credential: Credential) -> str:
    return "Basic " + base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()


def signed_in(credential: Credential, renew: t.Callable[[Credential], Credential | None]) -> Authenticator:
    """An authenticator of a registry that asks for Basic."""
    made = Authenticator(TokenService(), credential, renew=renew)  # type: ignore[arg-type]
    made.challenged(response(401, challenges=['Basic realm="registry"']), {}, ())
    return made


def test_a_password_is_renewed_before_it_ends(clock: Clock) -> None:
    first, second = Credential("AWS", "one", use_until=100.0), Credential("AWS", "two", use_until=200.0)
    asked: list[Credential] = []
    authenticator = signed_in(first, lambda refused: asked.append(refused) or second)  # type: ignore[func-returns-value]
    assert authenticator.header(()) == {"Authorization": basic(first)}
    clock.now = 100.0
    assert authenticator.header(()) == {"Authorization": basic(second)}
    assert authenticator.header(()) == {"Authorization": basic(second)}
    assert asked == [first]


def test_a_password_that_is_refused_is_renewed_once_for_all_who_sent_it() -> None:
    first, second = Credential("AWS", "one"), Credential("AWS", "two")
    asked: list[Credential] = []
    authenticator = signed_in(first, lambda refused: asked.append(refused) or second)  # type: ignore[func-returns-value]
    challenge = ['Basic realm="registry"']
    for _worker in range(3):
        authenticator.challenged(response(401, challenges=challenge), {"Authorization": basic(first)}, ())
    assert authenticator.header(()) == {"Authorization": basic(second)}
    assert asked == [first]
    # and the second one is worth no more
    with pytest.raises(errors.AuthenticationFailed):
        authenticator.challenged(response(401, challenges=challenge), {"Authorization": basic(second)}, ())


def test_a_password_without_another_one_is_refused() -> None:
    authenticator = signed_in(PASSWORD, lambda refused: None)
    with pytest.raises(errors.AuthenticationFailed):
        authenticator.challenged(response(401, challenges=['Basic realm="registry"']), {"Authorization": basic(PASSWORD)}, ())


# -- credentials that are handed out anew ------------------------------------------------------------------------------------


class Desk:
    """Hands out credentials. It takes its time, so that others come while it is at work."""

    def __init__(self, *credentials: Credential | None) -> None:
        self.credentials = list(credentials)
        self.refused: list[Credential] = []
        self.busy = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def renew(self, refused: Credential) -> Credential | None:
        self.refused.append(refused)
        self.busy.set()
        assert self.go_on.wait(PATIENCE)
        return self.credentials.pop(0) if self.credentials else None


EXPIRED, FRESH = Credential("AWS", "canary-expired"), Credential("AWS", "canary-fresh")


def basic_with(desk: Desk, credential: Credential = EXPIRED, on_secret: t.Callable[[str], None] = lambda secret: None) -> Authenticator:
    who = Authenticator(TokenService(), credential, on_secret, desk.renew)
    challenge(who, "Basic")
    return who


def pair_of(credential: Credential) -> str:
    return "Basic " + base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()


def test_an_expired_credential_is_replaced():
    desk = Desk(FRESH)
    secrets: set[str] = set()
    who = basic_with(desk, on_secret=secrets.add)
    sent = who.header(())["Authorization"]
    assert sent == pair_of(EXPIRED)
    wanted = [scope("app")]
    assert challenge(who, "Basic", sent=sent, scopes=wanted) == wanted
    assert who.header(())["Authorization"] == pair_of(FRESH)
    assert desk.refused == [EXPIRED]
    # what is sent must not be seen in any output
    assert pair_of(FRESH).removeprefix("Basic ") in secrets | who.secrets()
    assert FRESH.password in who.secrets()


def test_a_credential_is_renewed_once_however_many_were_refused():
    desk = Desk(FRESH)
    desk.go_on.clear()
    who = basic_with(desk)
    sent = who.header(())["Authorization"]
    ended: list[t.Any] = []

    def refused() -> None:
        try:
            challenge(who, "Basic", sent=sent)
            ended.append(who.header(())["Authorization"])
        except errors.MigrationError as error:
            ended.append(error)

    threads = [threading.Thread(target=refused) for _number in range(16)]
    for thread in threads:
        thread.start()
    # the first is at the desk, the others are on their way to it or wait
    assert desk.busy.wait(PATIENCE)
    desk.go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert ended == [pair_of(FRESH)] * 16
    assert desk.refused == [EXPIRED]


def test_who_was_refused_with_the_old_one_takes_the_new_one():
    desk = Desk(FRESH)
    who = basic_with(desk)
    old = who.header(())["Authorization"]
    challenge(who, "Basic", sent=old)
    # an answer to a request that was sent before
    challenge(who, "Basic", sent=old)
    assert len(desk.refused) == 1


def test_a_new_credential_that_is_refused_as_well():
    desk = Desk(FRESH)
    who = basic_with(desk)
    challenge(who, "Basic", sent=who.header(())["Authorization"])
    with pytest.raises(errors.AuthenticationFailed) as caught:
        challenge(who, "Basic", sent=who.header(())["Authorization"])
    assert desk.refused == [EXPIRED, FRESH]
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("handed_out", [None, EXPIRED], ids=["none", "the same"])
def test_there_may_be_no_other_credential(handed_out):
    desk = Desk(handed_out)
    who = basic_with(desk)
    with pytest.raises(errors.AuthenticationFailed):
        challenge(who, "Basic", sent=who.header(())["Authorization"])
    assert len(desk.refused) == 1


def test_a_desk_that_fails_says_why():
    def renew(refused: Credential) -> Credential | None:
        raise errors.AccessDenied("may not have a token.", subject="ecr:GetAuthorizationToken", hint="Grant the right.")

    who = Authenticator(TokenService(), EXPIRED, renew=renew)
    challenge(who, "Basic")
    with pytest.raises(errors.AccessDenied, match="GetAuthorizationToken"):
        challenge(who, "Basic", sent=who.header(())["Authorization"])


def test_renewal_goes_on_twelve_hours_later():
    later = Credential("AWS", "canary-later")
    desk = Desk(FRESH, later)
    who = basic_with(desk)
    for wanted in (FRESH, later):
        challenge(who, "Basic", sent=who.header(())["Authorization"])
        assert who.header(())["Authorization"] == pair_of(wanted)
    assert desk.refused == [EXPIRED, FRESH]

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Who we are to a registry: anonymous, Basic, or Bearer tokens (distribution's token and OAuth2 specifications).

A token may cover several repositories. Where the token service grants all that is asked for, about ten repositories that are
going to be used share a token; from the first refusal on, this registry gets a token for each.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import threading
import time
import typing as t
from urllib.parse import urlencode, urlsplit

from ansible_collections.registryops.migration.plugins.module_utils._oci.challenge import Challenge, Scope, parse_challenges, parse_scopes
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AuthenticationFailed,
    InvalidAnswer,
    ServerFailed,
    TooManyRequests,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import SMALL_BODY, Response, Transport, joined, origin_of

CLIENT_ID = "registryops.migration"
#: what the token specification says where expires_in is missing
DEFAULT_LIFE = 60.0
#: a token is asked for anew after this time (seconds), however long it is said to live
LONGEST_LIFE = 86400.0
#: a token is renewed when it has less life left than this (seconds), or half of its life if that is less
RENEW_BEFORE = 10.0
#: more scopes make the header too large for some servers
MOST_SCOPES = 10
#: tokens that are kept; one that is needed again is asked for again
MOST_TOKENS = 200
#: answers to the OAuth2 POST that mean "not here": then the older GET is tried
NO_POST = frozenset({400, 401, 404, 405})

PULL = frozenset({"pull"})
PULL_PUSH = frozenset({"pull", "push"})


@functools.lru_cache(maxsize=4096)
def repository_scope(repository: str, actions: frozenset[str]) -> Scope:
    """The scope for a repository, such as `repository:team/app:pull,push`."""
    return Scope("repository", repository, frozenset(actions))


CATALOG_SCOPE = Scope("registry", "catalog", frozenset({"*"}))
#: the user name that says that the password is an identity token
_IDENTITY_USER = "<token>"


def _pair(username: str, secret: str) -> str:
    """What follows `Basic` (RFC 7617)."""
    return base64.b64encode(f"{username}:{secret}".encode()).decode()


def _basic_header(credential: Credential) -> str:
    return f"Basic {_pair(credential.username, credential.password)}"


@dataclasses.dataclass(frozen=True)
class Token:
    """A bearer token as it came, and when (monotonic seconds) it should not be used any more."""

    value: str = dataclasses.field(repr=False)
    scopes: frozenset[Scope]
    use_until: float

    def covers(self, wanted: t.Iterable[Scope]) -> bool:
        """Whether it was asked for everything that is wanted now."""
        return all(any(scope.covers(one) for scope in self.scopes) for one in wanted)


class TokenRefused(AuthenticationFailed):
    """The token service knows who asks, but does not give what was asked for."""


class Authenticator:
    """Authorization headers for one registry. Threads share it.

    `on_secret` is told of each token, so that it can be kept out of all output. `renew` is asked for a user name and a password in place
    of those that a registry does not take any more; None: there are no others.
    """

    def __init__(
        self,
        transport: Transport,
        credential: Credential | None,
        on_secret: t.Callable[[str], None] = lambda secret: None,
        renew: t.Callable[[Credential], Credential | None] = lambda refused: None,
    ) -> None:
        self._transport = transport
        self._renew = renew
        self._renewing = threading.Lock()
        self._credential = credential
        self._on_secret = on_secret
        self._lock = threading.Lock()
        self._mode = ""
        self._realm = ""
        self._service = ""
        self._tokens: list[Token] = []
        self._key_locks: dict[str, threading.Lock] = {}
        self._blocks: dict[str, tuple[str, ...]] = {}
        self._get_only = False
        self.one_scope_a_token = False
        self.token_requests = 0
        if credential is not None and credential.registry_token:
            self._mode = "given"

    @property
    def identity(self) -> str:
        """Who asks, for messages."""
        if self._credential is None:
            return "anonymous"
        return self._credential.username or "the given token"

    @property
    def uses_tokens(self) -> bool:
        """Whether the registry wants tokens of a token service."""
        return self._mode == "bearer"

    def expect(self, repositories: t.Sequence[str]) -> None:
        """Say which repositories are going to be used, so that tokens can be asked for in blocks."""
        for start in range(0, len(repositories), MOST_SCOPES):
            block = tuple(repositories[start : start + MOST_SCOPES])
            for repository in block:
                self._blocks[repository] = block

    def secrets(self) -> set[str]:
        """What must not be seen in any text: the credential in all its forms, and the tokens that are in use."""
        with self._lock:
            found = {token.value for token in self._tokens}
        credential = self._credential
        if credential is not None:
            secret = credential.password or credential.identity_token
            found |= {credential.password, credential.identity_token, credential.registry_token}
            found.add(_pair(credential.username or _IDENTITY_USER, secret))
        return found

    # -- headers
    def header(self, scopes: t.Sequence[Scope]) -> dict[str, str]:
        """The Authorization header for a request that needs these scopes; empty for none."""
        if self._mode == "basic":
            return self._basic()
        if self._mode == "given":
            return {"Authorization": f"Bearer {self._require().registry_token}"}
        if self._mode == "bearer":
            return {"Authorization": f"Bearer {self._token(scopes).value}"}
        return {}

    def challenged(self, response: Response, sent: t.Mapping[str, str], scopes: t.Sequence[Scope]) -> t.Sequence[Scope]:
        """Learn from a 401 how to do better; returns the scopes to try with.

        Raises AuthenticationFailed when there is nothing better to try.
        """
        challenges = parse_challenges(response.header_lines("WWW-Authenticate"))
        where = str(self._transport.origin)
        by_scheme = {challenge.scheme: challenge for challenge in reversed(challenges)}
        rejected = sent.get("Authorization", "")
        if self._mode == "given" and not rejected:
            # it has not been shown yet
            return scopes
        if self._mode == "given" or (rejected.startswith("Basic ") and "bearer" not in by_scheme):
            if self._mode == "basic" and self._has_renewed(rejected):
                return scopes
            raise self._refused(where)
        if "bearer" in by_scheme:
            return self._learn_bearer(by_scheme["bearer"], rejected, scopes)
        if "basic" in by_scheme:
            if self._credential is None or not self._credential.username:
                raise self._refused(where)
            self._mode = "basic"
            return scopes
        if not challenges and self._realm:
            # some registries send no challenge on some paths: the one of the first answer holds everywhere
            parameters = {"realm": self._realm, "service": self._service}
            return self._learn_bearer(Challenge("bearer", parameters), rejected, scopes)
        raise self._refused(where)

    def _has_renewed(self, rejected: str) -> bool:
        """Whether there is another credential than the one that was refused."""
        credential = self._require()
        return _basic_header(credential) != rejected or self._renewed(credential) != credential

    def _renewed(self, old: Credential) -> Credential:
        """Another credential in place of this one, or the same where there is none; asked for once, however many workers want it."""
        with self._renewing:
            if self._credential is old:
                self._credential = self._renew(old) or old
            return self._require()

    def _refused(self, where: str) -> AuthenticationFailed:
        if self._credential is None:
            return AuthenticationFailed(
                "wants a user name and a password.",
                subject=where,
                hint="Give username and password, or log in so that docker's or podman's file has them.",
            )
        return AuthenticationFailed(
            f"refused the credentials of {self.identity}.",
            subject=where,
            hint="Check username and password, or the token, and whether it has expired.",
        )

    def _require(self) -> Credential:
        if self._credential is None:
            raise RuntimeError("the mode is only set when there is a credential")
        return self._credential

    def _basic(self) -> dict[str, str]:
        credential = self._require()
        if credential.use_until and time.time() >= credential.use_until:
            # there are registries that answer 403 to one that has run out
            credential = self._renewed(credential)
        header = _basic_header(credential)
        self._on_secret(header[len("Basic ") :])
        return {"Authorization": header}

    # -- tokens
    def _learn_bearer(self, challenge: Challenge, rejected: str, scopes: t.Sequence[Scope]) -> t.Sequence[Scope]:
        realm = challenge.parameters.get("realm", "")
        base = f"{self._transport.origin.scheme}://{self._transport.origin}/v2/"
        realm = joined(base, realm)
        if not challenge.parameters.get("realm"):
            raise InvalidAnswer("asks for a token, but does not say where to get one (no realm).", subject=str(self._transport.origin))
        if self._transport.origin.scheme == "https" and origin_of(realm).scheme != "https":
            raise AuthenticationFailed(
                f"wants its credentials sent over plain http to {origin_of(realm)}.",
                subject=str(self._transport.origin),
                hint="Have the registry's operator give its token service an https address.",
            )
        with self._lock:
            self._realm, self._service = realm, challenge.parameters.get("service", "")
            self._mode = "bearer"
            if rejected.startswith("Bearer "):
                value = rejected[len("Bearer ") :]
                refused = [token for token in self._tokens if token.value == value]
                self._tokens = [token for token in self._tokens if token.value != value]
                if any(len(token.scopes) > len(scopes) for token in refused) and challenge.parameters.get("error") != "invalid_token":
                    # it was asked for several repositories and does not do for this one
                    self.one_scope_a_token = True
                    self._tokens = []
        asked = parse_scopes(challenge.parameters.get("scope", ""))
        wanted = list(scopes)
        for scope in asked:
            if not any(one.covers(scope) for one in wanted):
                wanted.append(scope)
        return wanted

    def _token(self, scopes: t.Sequence[Scope]) -> Token:
        found = self._find(scopes)
        if found is not None:
            return found
        wanted = self._fill(scopes)
        key = " ".join(sorted(str(scope) for scope in wanted))
        with self._lock:
            key_lock = self._key_locks.setdefault(key, threading.Lock())
        # one request for a token, however many workers need it
        with key_lock:
            found = self._find(scopes)
            if found is None:
                found = self._fetch_most(scopes)
                with self._lock:
                    now = time.monotonic()
                    # the newest first
                    self._tokens = [found, *(token for token in self._tokens if token.use_until > now)][:MOST_TOKENS]
            return found

    def _find(self, scopes: t.Sequence[Scope]) -> Token | None:
        now = time.monotonic()
        with self._lock:
            for token in self._tokens:
                if token.use_until > now and token.covers(scopes):
                    return token
        return None

    def _fill(self, scopes: t.Sequence[Scope]) -> list[Scope]:
        """What is needed comes first: some services look at the first scope only."""
        wanted = list(scopes)
        if self.one_scope_a_token:
            return wanted
        for scope in scopes:
            for neighbour in self._blocks.get(scope.name, ()) if scope.kind == "repository" else ():
                if len(wanted) >= MOST_SCOPES:
                    return wanted
                if all(neighbour != one.name for one in wanted):
                    wanted.append(repository_scope(neighbour, scope.actions))
        return wanted

    def _fetch_most(self, scopes: t.Sequence[Scope]) -> Token:
        """A token for these scopes and, where the service gives that, for their neighbours."""
        wanted = self._fill(scopes)
        if len(wanted) > len(scopes):
            try:
                return self._fetch(wanted)
            except AuthenticationFailed:
                # too many for it, or one among them that this user may not have: each on its own from now on
                self.one_scope_a_token = True
        return self._fetch(scopes)

    def _fetch(self, scopes: t.Sequence[Scope]) -> Token:
        shown = self._credential
        try:
            return self._fetch_as(shown, scopes)
        except TokenRefused:
            raise
        except AuthenticationFailed:
            if shown is None:
                raise
            other = self._renewed(shown)
            if other == shown:
                raise
        return self._fetch_as(other, scopes)

    def _fetch_as(self, credential: Credential | None, scopes: t.Sequence[Scope]) -> Token:
        response = None
        self.token_requests += 1
        if credential is not None and credential.identity_token and not self._get_only:
            response = self._post(credential, scopes)
            if response.status in NO_POST:
                response.drain()
                response = None
        if response is not None:
            return self._read(response, scopes)
        token = self._read(self._get(credential, scopes), scopes)
        # known now, where a token was to be had in either way
        self._get_only = True
        return token

    def _post(self, credential: Credential, scopes: t.Sequence[Scope]) -> Response:
        form = {
            "grant_type": "refresh_token",
            "service": self._service,
            "client_id": CLIENT_ID,
            "scope": " ".join(str(scope) for scope in scopes),
            "refresh_token": credential.identity_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return self._ask("POST", self._realm, headers, urlencode(form).encode())

    def _get(self, credential: Credential | None, scopes: t.Sequence[Scope]) -> Response:
        query = [("service", self._service)] if self._service else []
        query += [("scope", str(scope)) for scope in scopes]
        headers = {"Accept": "application/json"}
        if credential is not None:
            secret = credential.password or credential.identity_token
            pair = _pair(credential.username or _IDENTITY_USER, secret)
            self._on_secret(pair)
            headers["Authorization"] = f"Basic {pair}"
            if credential.username:
                query.append(("account", credential.username))
        separator = "&" if urlsplit(self._realm).query else "?"
        return self._ask("GET", self._realm + separator + urlencode(query), headers)

    def _ask(self, method: str, url: str, headers: t.Mapping[str, str], body: bytes | None = None) -> Response:
        # at once: whoever waits for the token may hold the place that this request would wait for
        return self._transport.request(method, url, headers, body, read_whole=SMALL_BODY, at_once=True)

    def _read(self, response: Response, scopes: t.Sequence[Scope]) -> Token:
        where = str(origin_of(self._realm))
        if response.status == 401:
            response.drain()
            raise self._refused(f"the token service {where}")
        if response.status == 429:
            response.drain()
            raise TooManyRequests(
                "the token service asks for fewer requests, and still did at the last attempt.",
                subject=where,
                hint="Run again later: what is done stays done.",
            )
        if response.status >= 500:
            response.drain()
            raise ServerFailed(
                f"the token service answered {response.status}.", subject=where, hint="Try again when it is well.", status=response.status
            )
        if response.status != 200:
            response.drain()
            raise TokenRefused(f"the token service answered {response.status}.", subject=where, hint="Check the user and its rights.")
        started = time.monotonic()
        answer = response.json()
        value = (answer.get("token") or answer.get("access_token")) if isinstance(answer, dict) else None
        if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
            raise InvalidAnswer("the token service's answer holds no token.", subject=where)
        life = answer.get("expires_in")
        seconds = float(min(life, LONGEST_LIFE)) if isinstance(life, (int, float)) and life > 0 else DEFAULT_LIFE
        self._on_secret(value)
        return Token(value, frozenset(scopes), started + seconds - min(RENEW_BEFORE, seconds / 2))

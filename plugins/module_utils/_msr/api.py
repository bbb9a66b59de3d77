# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The two APIs of an MSR: that of its accounts (eNZi, `/enzi/v0`) and its own (`/api/v0`).

They look alike and differ where it hurts: names of the parameters for pages, forms of lists, who knows which name. What has been refused
is told by the code in the answer, never by its status: a name that is taken answers 400, as does a name that is none.
"""

from __future__ import annotations

import base64
import dataclasses
import threading
import time
import typing as t
from urllib.parse import quote, urlsplit

from ansible_collections.registryops.migration.plugins.module_utils._oci.challenge import parse_challenges
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AuthenticationFailed,
    InvalidAnswer,
    InvalidName,
    MigrationError,
    RegistryError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import HTTPOptions, Transport, origin_of
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import backoff
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, walk
from ansible_collections.registryops.migration.plugins.module_utils._providers.api import API, Query, Reply
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import field, listed, text

#: statuses that come with an error code that says what they mean
_WITH_CODES = (400, 404, 405, 409)
#: the code of a server that does not have such an address at all
NO_HANDLER = "HANDLER_NOT_FOUND"
#: where the next page starts
_NEXT_PAGE = "X-Next-Page-Start"
#: how often a request is sent again with a new session before a refusal is taken for an answer
_RENEWALS = 3

#: the way out, by error code
_HINTS: t.Mapping[str, str] = {
    "LDAP_PRECLUDES": "A directory says who belongs here: change it there, or switch the synchronization of this team off.",
    "CANNOT_CREATE_USER": "The destination takes its users from a directory: have them there, or let it manage accounts by itself.",
    "CANNOT_CHANGE_PASSWORD": "The password of this user is the directory's.",
    "REMOTE_REGISTRY_INVALID_PERMISSIONS": "The other registry does not take what the policy signs in with: give its password.",
    "TAG_IN_NOTARY": "The tag is signed: delete its signature first.",
}


@dataclasses.dataclass(frozen=True, repr=False)
class Login:
    """Who asks. `session`: the password is shown once, and then what was given for it."""

    username: str
    password: str
    session: bool = False

    def basic(self) -> str:
        return basic_authorization(self.username, self.password)


def basic_authorization(username: str, password: str) -> str:
    """The value of the header Authorization for a name and a password (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def in_path(*segments: str) -> str:
    """Names as a path: quoted, each in its place. Raises InvalidName for one that cannot stand in an address."""
    for segment in segments:
        if segment in ("", ".", ".."):
            raise InvalidName("cannot stand in an address.", subject=repr(segment), hint="Leave it out, or rename it at its source.")
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


class Service:
    """One of the two: requests with its errors and pages. Threads share it.

    `authorization()` gives the header for the next request; `renew(header)` gives a new one in place of a refused one, empty where there
    is none. `paging`: how the parameters for the start and the size of a page are called, and how many items are asked for.
    """

    def __init__(
        self,
        api: API,
        authorization: t.Callable[[], str],
        renew: t.Callable[[str], str],
        paging: tuple[str, str, int],
    ) -> None:
        self._api = api
        self._authorization = authorization
        self._renew = renew
        self._start, self._limit, self.page_size = paging
        self.host = str(api.origin)

    def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        document: t.Any = None,
        *,
        what: str,
        absent: t.Collection[str] = (),
        authorization: str = "",
        attempts: int | None = None,
    ) -> Reply | None:
        """Send a request; None where it was answered with one of the error codes `absent`, or with another that begins like one of them.

        Other refusals are raised: RegistryError with their codes, about `what`. `authorization`: as somebody else, who is not renewed.
        `attempts`: see `API.ask`.
        """
        reply = self._ask(method, path, query, document, what, authorization, attempts)
        if reply.status not in _WITH_CODES:
            return reply
        rows = listed(reply.document, "errors")
        codes = tuple(dict.fromkeys(text(row, "code").upper() for row in rows))
        if any(code.startswith(tuple(absent)) for code in codes):
            return None
        said = "; ".join(filter(None, (text(row, "message") for row in rows)))[:300]
        named = ", ".join(filter(None, codes)) or str(reply.status)
        hint = next((_HINTS[code] for code in codes if code in _HINTS), "Look at what is said in brackets; the server's log may say more.")
        if NO_HANDLER in codes or not rows:
            hint = "Is this the address of an MSR, and is it of a version that has this?"
        message = f"is refused with {named}{f' ({_clean(said)})' if said else ''}."
        raise RegistryError(message, subject=what, hint=hint, status=reply.status, codes=codes)

    def _ask(
        self, method: str, path: str, query: Query | None, document: t.Any, what: str, authorization: str, attempts: int | None
    ) -> Reply:
        mine = authorization or self._authorization()

        def once(header: str) -> Reply:
            return self._api.ask(
                method,
                path,
                query,
                document,
                accept=(200, 201, 202, 204, *_WITH_CODES),
                what=what,
                headers={"Authorization": header},
                attempts=attempts,
            )

        for _renewal in range(_RENEWALS):
            try:
                return once(mine)
            except AuthenticationFailed:
                # a session ends when it wants to, the next one as well; for a password there is nothing new
                again = "" if authorization else self._renew(mine)
                if not again:
                    raise
                mine = again
        return once(mine)

    def get(self, path: str, *, what: str, query: Query | None = None, absent: t.Collection[str] = ()) -> t.Any:
        """The document at a path; None for one that is not there, see `ask`."""
        reply = self.ask("GET", path, query, what=what, absent=absent)
        return None if reply is None else reply.document

    def pages(self, path: str, key: str, *, what: str, query: Query | None = None, absent: t.Collection[str] = ()) -> t.Iterator[t.Any]:
        """All items of a list, page by page. `key`: what they stand under; lists without one, or with a document without it, work too."""

        def read(cursor: str) -> Page[t.Any]:
            asked: dict[str, t.Any] = {**(query or {}), self._limit: self.page_size}
            if cursor:
                asked[self._start] = cursor
            reply = self.ask("GET", path, asked, what=what, absent=absent)
            if reply is None:
                return Page((), None)
            found = field(reply.document, key) if isinstance(reply.document, dict) and key else reply.document
            if found is not None and not isinstance(found, list):
                raise InvalidAnswer("answered with something that is no list.", subject=what, hint="Is this the address of an MSR?")
            following = text(reply.document, "nextPageStart") or _in_utf8(reply.header(_NEXT_PAGE))
            return Page(found or [], following or None)

        return walk("", read, what)

    def create_once(
        self,
        path: str,
        document: t.Any,
        *,
        what: str,
        is_there: t.Callable[[], bool],
        attempts: int,
        absent: t.Collection[str] = (),
    ) -> Reply | None:
        """POST what must not be asked for a second time blindly: after an answer that got lost, it is looked for.

        None where `is_there` has found it then, and where it was answered with one of the codes `absent`, see `ask`.
        """
        for attempt in range(1, attempts + 1):
            try:
                return self.ask("POST", path, None, document, what=what, absent=absent, attempts=1)
            except MigrationError as error:
                if not error.transient or attempt == attempts:
                    raise
                time.sleep(backoff(attempt))
                if is_there():
                    return None
        raise AssertionError("the last attempt returns or raises")


class MSRAPI:
    """Both APIs of one MSR. `base` is `https://host[:port]`; `accounts` is where its accounts are, if that is not there: the MKE of an
    MSR 2.9, whose sessions are another kind. Raises InvalidOption for options that cannot work together.
    """

    def __init__(
        self, base: str, login: Login, http: HTTPOptions, accounts: str = "", on_secret: t.Callable[[str], None] = lambda secret: None
    ) -> None:
        self.login = login
        self.attempts = http.attempts
        self._on_secret = on_secret
        on_secret(login.basic().partition(" ")[2])
        self._transports = [Transport(origin_of(base), http)]
        self._root = API(self._transports[0], base, dict)
        self.host = str(self._root.origin)
        self._accounts_root = self._root
        #: whether the accounts are at another address
        self.at_mke = bool(accounts) and origin_of(accounts) != self._root.origin
        if self.at_mke:
            self._transports.append(Transport(origin_of(accounts), dataclasses.replace(http, connect_to="")))
            self._accounts_root = API(self._transports[1], accounts, dict)
        self._lock = threading.Lock()
        self._session = ""
        self._realm: tuple[str, str] | None = None
        transport = self._transports[-1]
        self.accounts = Service(
            API(transport, self._accounts_root.base + "/enzi/v0", dict), self._authorization, self._renew, ("start", "limit", 500)
        )
        own = API(self._transports[0], self._root.base + "/api/v0", dict)
        paging = ("pageStart", "pageSize", 100)
        if self.at_mke:
            # sessions of MKE are for MKE: an MSR 2.9 takes names and passwords, whatever its accounts take
            self.registry = Service(own, login.basic, lambda refused: "", paging)
        else:
            self.registry = Service(own, self._authorization, self._renew, paging)

    # -- sessions
    def _authorization(self) -> str:
        if not self.login.session:
            return self.login.basic()
        with self._lock:
            if not self._session:
                self._session = self._sign_in()
            return self._session

    def _renew(self, refused: str) -> str:
        if not self.login.session:
            return ""
        with self._lock:
            # another thread may have been here before
            if self._session == refused:
                self._session = self._sign_in()
            return self._session

    def _sign_in(self) -> str:
        document = {"username": self.login.username, "password": self.login.password}
        path, name = ("/auth/login", "auth_token") if self.at_mke else ("/enzi/v0/id/login", "sessionToken")
        what = f"the session of {self.login.username} at {self._accounts_root.origin}"
        token = text(self._accounts_root.ask("POST", path, document=document, what=what).document, name)
        if not token:
            raise InvalidAnswer(f"answered without {name}.", subject=what, hint="Use login: basic, or look at the address.")
        self._on_secret(token)
        return f"Bearer {token}"

    # -- settings of the whole
    def settings(self) -> dict[str, t.Any]:
        """All settings of the registry, such as `readOnlyRegistry`."""
        found = self.registry.get("/meta/settings", what=f"the settings of {self.host}")
        if not isinstance(found, dict):
            raise InvalidAnswer("answered with no settings.", subject=self.host, hint="Is this the address of an MSR?")
        return found

    def change_settings(self, settings: t.Mapping[str, t.Any]) -> None:
        """Set some of the settings."""
        self.registry.ask("POST", "/meta/settings", document=dict(settings), what=f"the settings of {self.host}")

    # -- the token service
    def lets_in(self, username: str, secret: str) -> bool:
        """Whether the token service takes a password or an access token, as it does when somebody logs in with docker."""
        path, service = self._token_service()
        what = f"the login of {username} at {self.host}"
        header = {"Authorization": basic_authorization(username, secret)}
        query = {"service": service, "account": username, "client_id": "registryops.migration"}
        try:
            reply = self._root.ask("GET", path, query, accept=(200,), what=what, headers=header)
        except AuthenticationFailed:
            return False
        return bool(text(reply.document, "token") or text(reply.document, "access_token"))

    def _token_service(self) -> tuple[str, str]:
        """Path and service of what hands out tokens: always at the address that is reached, whatever name the product knows itself by."""
        with self._lock:
            if self._realm is None:
                response = self._root.ask("GET", "/v2/", accept=(200, 401), what=f"{self.host}/v2/")
                for challenge in parse_challenges(response.header_lines("WWW-Authenticate")):
                    if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                        path = urlsplit(challenge.parameters["realm"]).path
                        self._realm = (path, challenge.parameters.get("service", ""))
                        break
                else:
                    raise InvalidAnswer("has no token service.", subject=f"{self.host}/v2/", hint="Is this the address of an MSR?")
            return self._realm

    def close(self) -> None:
        """Give the connections back."""
        for transport in self._transports:
            transport.close()


def _in_utf8(header: str) -> str:
    """A name in a header, whose bytes are read as those of Latin-1 (RFC 9110, 5.5), and are those of UTF-8."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _clean(said: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in said).split()).rstrip(".")

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small registry client on `http.client`: what the estate needs to fill registries and to look at them. No model for an engine."""

from __future__ import annotations

import base64
import dataclasses
import http.client
import json
import re
import ssl
import threading
import typing as t
import urllib.parse
from pathlib import Path

from estate.images import ALL_MANIFESTS

if t.TYPE_CHECKING:
    from estate.certificates import KeyPair

#: every manifest type, as a reader must ask for it
ACCEPT = ", ".join(ALL_MANIFESTS)


class UnexpectedAnswer(RuntimeError):
    """A registry answered something else than was expected of it."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """Status, headers (any case) and body of an answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> t.Any:
        """The body's document."""
        return json.loads(self.body)

    def header(self, name: str) -> str:
        """A header's value; empty when there is none."""
        return self.headers.get(name, "")


@dataclasses.dataclass(frozen=True)
class Access:
    """How to reach a registry: `url` is `http(s)://host:port`."""

    url: str
    user: str = ""
    password: str = ""
    ca_file: Path | None = None
    client_certificate: KeyPair | None = None


class Client:
    """Requests to one registry: a connection for each thread, Basic or Bearer as the registry asks for it. Redirects are not followed."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._url = urllib.parse.urlsplit(access.url)
        self._context = _context(access) if self._url.scheme == "https" else None
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self._authorization: dict[str, str] = {}

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: t.Mapping[str, str] | None = None, expect: t.Sequence[int] = ()
    ) -> Answer:
        """The answer to a request; `path` may be a whole URL of the same host. UnexpectedAnswer when its status is not in `expect`.

        A 401 that names a way to authenticate is answered with the user's credentials (or an anonymous token), once; a request that
        brings its own Authorization is left as it is.
        """
        headers = headers or {}
        target = urllib.parse.urlsplit(path)
        path = urllib.parse.urlunsplit(("", "", target.path, target.query, ""))
        realm = _repository_of(target.path) + ("" if method in ("GET", "HEAD") else " write")
        known = self._authorization.get(realm)
        answer = self._send(method, path, body, {**({"Authorization": known} if known else {}), **headers})
        if answer.status == 401 and answer.header("WWW-Authenticate") and "Authorization" not in headers:
            authorization = self._answer_challenge(answer.header("WWW-Authenticate"))
            if authorization:
                answer = self._send(method, path, body, {**headers, "Authorization": authorization})
                if answer.status != 401:
                    self._authorization[realm] = authorization
        if expect and answer.status not in expect:
            raise UnexpectedAnswer(f"{method} {self.access.url}{path}: {answer.status} {answer.body[:500]!r}")
        return answer

    def blob(self, repository: str, digest: str) -> bytes:
        """The bytes of a blob; a redirect to storage is followed, without credentials."""
        answer = self.request("GET", f"/v2/{repository}/blobs/{digest}", expect=(200, 307))
        if answer.status == 200:
            return answer.body
        there = urllib.parse.urlsplit(urllib.parse.urljoin(self.access.url, answer.header("Location")))
        connection = self._connect(there)
        try:
            answer = _exchange(connection, "GET", f"{there.path}?{there.query}", None, {})
        finally:
            connection.close()
        if answer.status != 200:
            raise UnexpectedAnswer(f"GET {urllib.parse.urlunsplit(there)}: {answer.status} {answer.body[:500]!r}")
        return answer.body

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._connections:
            connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _send(self, method: str, path: str, body: bytes | None, headers: t.Mapping[str, str]) -> Answer:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            try:
                return _exchange(connection, method, path, body, headers)
            except (ConnectionError, http.client.BadStatusLine):
                connection.close()  # the server may end an idle connection at any time
        connection = self._connect(self._url)
        self._local.connection = connection
        return _exchange(connection, method, path, body, headers)

    def _connect(self, url: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        if url.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(url.netloc, timeout=60, context=self._context)
        else:
            connection = http.client.HTTPConnection(url.netloc, timeout=60)
        self._connections.append(connection)
        return connection

    def _answer_challenge(self, challenge: str) -> str:
        """The Authorization header for a challenge; empty when there is nothing to answer with."""
        scheme, _separator, rest = challenge.partition(" ")
        access = self.access
        basic = "Basic " + base64.b64encode(f"{access.user}:{access.password}".encode()).decode() if access.user else ""
        if scheme.lower() != "bearer":
            return basic
        fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        query = urllib.parse.urlencode({key: fields[key] for key in ("service", "scope") if key in fields})
        realm = urllib.parse.urlsplit(fields["realm"])
        connection = self._connect(realm)
        try:
            answer = _exchange(connection, "GET", f"{realm.path}?{query}", None, {"Authorization": basic} if basic else {})
        finally:
            connection.close()
        return "Bearer " + answer.json()["token"] if answer.status == 200 else ""


def _repository_of(path: str) -> str:
    match = re.match(r"/v2/(.+)/(?:manifests|blobs|tags|referrers)/", path)
    return match[1] if match else path


def _exchange(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None, headers: t.Mapping[str, str]) -> Answer:
    connection.request(method, path, body, dict(headers))
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def _context(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None if access.ca_file is None else str(access.ca_file))
    if access.client_certificate:
        context.load_cert_chain(access.client_certificate.certificate, access.client_certificate.key)
    return context

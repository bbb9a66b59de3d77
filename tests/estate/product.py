# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Doubles of products: an API of the product's own in front of a real docker-registry, which keeps and serves all images.

A product is a subclass of `ProductDouble` with routes, and with what it does differently below /v2/. Everything below /v2/ that it does
not answer itself goes to the registry behind it as it came, and the answer comes back as it is.
"""

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

from estate.client import Access
from estate.registry import Registry
from estate.serving import Handler, LoopbackServer

#: headers that concern a single connection
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection"})


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request. `path` has its escapes, `query` is parsed, header names are in lower case.

    `parameters`: the query with all values of a parameter that comes several times.
    """

    method: str
    path: str
    query: t.Mapping[str, str]
    headers: t.Mapping[str, str]
    body: bytes
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def document(self) -> t.Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(urllib.parse.parse_qsl(self.body.decode()))

    @property
    def basic(self) -> tuple[str, str]:
        """User name and password of a Basic authorization; empty texts without one."""
        scheme, _space, pair = self.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return "", ""
        user, _colon, password = base64.b64decode(pair).decode().partition(":")
        return user, password

    @property
    def bearer(self) -> str:
        """The token of a Bearer authorization; empty without one."""
        scheme, _space, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is answered: a JSON document, or bytes as they are."""

    status: int = 200
    document: t.Any = None
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes | None = None

    @property
    def data(self) -> bytes:
        """The body."""
        if self.body is not None:
            return self.body
        return b"" if self.document is None else json.dumps(self.document).encode()


def error(status: int, code: str, message: str = "", **headers: str) -> Answer:
    """An error in the form of the distribution specification."""
    return Answer(status, {"errors": [{"code": code, "message": message}]}, headers)


class ProductDouble:
    """One product on a port of its own. Subclasses add routes with `route`, and override `registry` for what is below /v2/.

    `log` has every request that came, as `(method, path)`; `statuses` what was answered to it.
    """

    def __init__(
        self,
        behind: Registry | t.Callable[[str], Registry],
        ssl_context: ssl.SSLContext | None = None,
        handler: type[Handler] | None = None,
    ) -> None:
        """`behind`: the registry, or what makes it when the address of the double is known; with an `ssl_context` it speaks TLS."""
        self.log: list[tuple[str, str]] = []
        self.statuses: list[int] = []
        self._routes: list[tuple[str, re.Pattern[str], t.Callable[..., Answer]]] = []
        self._lock = threading.Lock()
        self._server = LoopbackServer(handler or ProductHandler, self, ssl_context)
        self.behind = behind(self._server.url) if callable(behind) else behind
        self._server.start()

    # -- what subclasses use
    def route(self, method: str, pattern: str, answer: t.Callable[..., Answer]) -> None:
        """Have `answer(asked, *groups)` answer what matches as a whole. The groups come without escapes."""
        self._routes.append((method, re.compile(pattern), answer))

    def registry(self, asked: Asked) -> Answer | None:
        """What is done with a request below /v2/ before the registry behind gets it; None lets it through."""
        return None

    def after(self, asked: Asked, answer: Answer) -> Answer:
        """What becomes of an answer of the registry behind."""
        return answer

    def rewritten(self, path: str) -> str:
        """The path at the registry behind."""
        return path

    # -- what tests use
    @property
    def host(self) -> str:
        """Where it listens, as host:port."""
        return self._server.url.partition("://")[2]

    @property
    def url(self) -> str:
        """Its address."""
        return self._server.url

    @property
    def access(self) -> Access:
        """How the estate's own client reaches the images: behind the double."""
        return self.behind.access

    def count(self, method: str, pattern: str) -> int:
        """How many requests have come whose method and path (with its query) match."""
        with self._lock:
            return sum(bool(re.fullmatch(method, one)) and bool(re.search(pattern, path)) for one, path in self.log)

    def reset_log(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self.log.clear()
            self.statuses.clear()

    def stop(self) -> None:
        """Stop listening; the registry behind goes on."""
        self._server.stop()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()

    # -- how it is done
    def answer(self, asked: Asked, target: str) -> Answer:
        """The answer to a request."""
        found = self._answer(asked)
        with self._lock:
            self.log.append((asked.method, target))
            self.statuses.append(found.status)
        return found

    def _answer(self, asked: Asked) -> Answer:
        for method, pattern, make in self._routes:
            match = pattern.fullmatch(asked.path)
            if match and asked.method == method:
                return make(asked, *map(urllib.parse.unquote, match.groups()))
        if asked.path.startswith("/v2/"):
            own = self.registry(asked)
            return own if own is not None else self.after(asked, self._pass_on(asked))
        return Answer(404, {"message": "no such page"})

    def _pass_on(self, asked: Asked) -> Answer:
        parts = urllib.parse.urlsplit(self.behind.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        path = self.rewritten(asked.path)
        if asked.query:
            path += "?" + urllib.parse.urlencode(asked.query)
        headers = {name: value for name, value in asked.headers.items() if name not in {*_HOP_BY_HOP, "host", "authorization"}}
        try:
            connection.request(
                asked.method,
                path,
                asked.body or None,
                {**headers, "Host": asked.headers.get("host", self.host), **self._authorization(asked)},
            )
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        back = {name: value for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP}
        return Answer(response.status, headers=back, body=body)

    def _authorization(self, asked: Asked) -> dict[str, str]:
        """What the registry behind is shown instead of what the client has shown."""
        return {}


class ProductHandler(Handler):
    """Has the double that it belongs to answer."""

    def asked(self) -> Asked:
        """The request, read to its end."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else b""
        path, _mark, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        parameters = tuple(urllib.parse.parse_qsl(query, keep_blank_values=True))
        return Asked(self.command, path, dict(parameters), headers, body, parameters)

    def _chunk(self) -> bytes:
        """The next piece of a body that comes in pieces; empty after the last one."""
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def send(self, found: Answer) -> None:
        """Answer."""
        data = found.data
        self.send_response_only(found.status)
        given = {name.lower() for name in found.headers}
        for name, value in found.headers.items():
            if name.lower() not in ("content-length", "date") or self.command == "HEAD":
                self.send_header(name, value)
        if "content-type" not in given and data:
            self.send_header("Content-Type", "application/json")
        if not (self.command == "HEAD" and "content-length" in given):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _serve(self) -> None:
        owner: ProductDouble = self.server.owner
        self.send(owner.answer(self.asked(), self.path))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

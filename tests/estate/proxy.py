# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A forward proxy: CONNECT for TLS, whole addresses for plain http, with or without a password, itself with or without TLS."""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import http.client
import socket
import ssl
import threading
import typing as t
import urllib.parse

from estate.serving import Handler, LoopbackServer

_PIECE = 1 << 16
_TIMEOUT = 30.0
#: headers that concern one connection only (RFC 9110, 7.6.1)
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


@dataclasses.dataclass(frozen=True)
class ProxiedRequest:
    """What a client asked the proxy for: `CONNECT host:port`, or `GET http://host:port/…`; and what it was told."""

    method: str
    target: str
    status: int
    headers: t.Mapping[str, str]


class Proxy:
    """Answers when the constructor returns, until `stop`. `url` is its address, `log` every request so far."""

    def __init__(
        self,
        users: t.Mapping[str, str] | None = None,
        *,
        names: t.Mapping[str, str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """`users`: `{name: password}`, asked for with Basic; `names`: `{host name: address}` of what only the proxy can find."""
        self.users = dict(users or {})
        self.names = dict(names or {})
        self.log: list[ProxiedRequest] = []
        self._server = LoopbackServer(_Handler, self, ssl_context)
        self.port = self._server.port
        self.url = self._server.url
        self._server.start()

    def stop(self) -> None:
        """End it. Stopping twice is fine."""
        self._server.stop()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def lets_in(self, authorization: str) -> bool:
        """Whether a Proxy-Authorization header names a user and its password; nobody is asked when there are no users."""
        if not self.users:
            return True
        scheme, _unused, value = authorization.partition(" ")
        try:
            user, _unused, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return scheme.lower() == "basic" and self.users.get(user) == password


class _Handler(Handler):
    def do_CONNECT(self) -> None:
        """A tunnel: bytes go to and fro until one side has enough."""
        host, _unused, port = self.path.rpartition(":")
        if not self._is_let_in():
            return
        try:
            upstream = socket.create_connection((self._address(host.strip("[]")), int(port)), _TIMEOUT)
        except OSError:
            self._refuse(502)
            return
        self._log(200)
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.wfile.flush()
        self.close_connection = True
        with upstream:
            back = threading.Thread(target=_pass_on, args=(upstream, self.connection), daemon=True)
            back.start()
            _pass_on(self.connection, upstream)
            back.join(_TIMEOUT)

    def forward(self) -> None:
        """A request with the whole address."""
        if not self._is_let_in():
            return
        url = urllib.parse.urlsplit(self.path)
        if url.scheme != "http" or not url.hostname:
            self._refuse(400)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        upstream = http.client.HTTPConnection(self._address(url.hostname), url.port or 80, timeout=_TIMEOUT)
        with contextlib.closing(upstream):
            try:
                target = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
                upstream.request(self.command, target, body, headers)
                response = upstream.getresponse()
                data = response.read()
            except (OSError, http.client.HTTPException):
                self._refuse(502)
                return
        self._log(response.status)
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = forward

    def _address(self, host: str) -> str:
        return self.server.owner.names.get(host, host)

    def _is_let_in(self) -> bool:
        proxy: Proxy = self.server.owner
        if proxy.lets_in(self.headers.get("Proxy-Authorization", "")):
            return True
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._refuse(407, "Proxy-Authenticate", 'Basic realm="estate proxy"')
        return False

    def _refuse(self, status: int, *header: str) -> None:
        self._log(status)
        self.send_response(status)
        if header:
            self.send_header(*header)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _log(self, status: int) -> None:
        proxy: Proxy = self.server.owner
        headers = {name.lower(): value for name, value in self.headers.items()}
        proxy.log.append(ProxiedRequest(self.command, self.path, status, headers))


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    """All bytes of one direction; its end is the end of the other direction, too."""
    with contextlib.suppress(OSError):
        while data := source.recv(_PIECE):
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)

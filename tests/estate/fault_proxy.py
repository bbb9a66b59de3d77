# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reverse proxy that does harm on purpose: it stands in front of a real server, and what it does to which request is said by rules.

The client's Host goes on to the server, so that the addresses in its answers lead back to the proxy.
"""

from __future__ import annotations

import dataclasses
import gzip
import http.client
import re
import socket
import ssl
import threading
import time
import typing as t
import urllib.parse

from estate.client import Access
from estate.serving import Handler, LoopbackServer

if t.TYPE_CHECKING:
    from estate.compare import Reachable

_PIECE = 64 << 10
_TIMEOUT = 30.0
#: longer than any client of a test has patience
FOR_GOOD = 120.0
#: headers that concern one connection only (RFC 9110, 7.6.1), and those that the proxy writes itself
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})
_FRAMING = frozenset({"content-length"})

Bytes = t.Callable[[bytes], bytes]
Text = t.Callable[[str], str]


@dataclasses.dataclass
class Fault:
    """What happens to the requests of which `METHOD path?query` matches the pattern, anywhere in it.

    Of those, the first `after` go through, then `times` of them meet the fault (None: all that follow). With `each` both numbers
    count for every request line by itself: `times=1` then is "the first attempt at each".

    The fields are steps on a request's way, and can be combined:

    1. `before` is called; then the request waits for `stall` seconds (unless `stall_at` says that it is the answer that waits);
    2. `status`: this is the answer, with `headers` and `body`; the server sees nothing of the request;
    3. `reset="before"`: RST, and the server sees nothing of the request;
    4. `path` makes another path (with its query) of the request's, `change_request` other bytes of its body;
    5. `reset="request"`: the server gets `at` bytes of the body, then it sees the connection end, and the client a RST;
    6. `reset="lost"`: the server has done what was asked for, and the client sees a RST instead of the answer;
    7. `change_answer` makes other bytes of the answer's body, `gzip` compresses it and says so, `set_headers` replaces headers of the
       answer (None: takes them away), `location` makes another address of its Location;
    8. `keep`: so many bytes of the body are sent under the full Content-Length, then the connection ends in order;
       `reset="answer"`: the same, but with a RST after `at` bytes;
       `stall_at`: after so many bytes nothing comes for `stall` seconds; `pause`: seconds between pieces of `piece` bytes;
    9. `reset="after"`: RST when the answer has been sent.
    """

    pattern: str
    times: int | None = 1
    after: int = 0
    each: bool = False
    before: t.Callable[[], None] | None = None
    stall: float = 0.0
    stall_at: int | None = None
    status: int = 0
    #: a value that is a function is asked for when the answer is sent
    headers: t.Mapping[str, str | t.Callable[[], str]] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    reset: t.Literal["", "before", "request", "lost", "answer", "after"] = ""
    at: int = 0
    path: Text | None = None
    change_request: Bytes | None = None
    change_answer: Bytes | None = None
    gzip: bool = False
    set_headers: t.Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    location: Text | None = None
    keep: int | None = None
    piece: int = _PIECE
    pause: float = 0.0
    #: how many requests met it
    met: int = dataclasses.field(default=0, init=False)
    _seen: dict[str, int] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def meets(self, line: str) -> bool:
        """Whether the request `METHOD path?query` meets the fault; counts it."""
        if not re.search(self.pattern, line):
            return False
        key = line if self.each else ""
        seen = self._seen[key] = self._seen.get(key, 0) + 1
        if seen <= self.after or (self.times is not None and seen > self.after + self.times):
            return False
        self.met += 1
        return True


@dataclasses.dataclass(frozen=True)
class PassedRequest:
    """A request that came to the proxy. `status`: what its client was told, 0 where that was nothing. `began`, `ended`: seconds."""

    method: str
    path: str
    headers: t.Mapping[str, str]
    status: int
    fault: Fault | None
    began: float
    ended: float

    @property
    def line(self) -> str:
        """`METHOD path?query`."""
        return f"{self.method} {self.path}"


def flip(offset: int) -> Bytes:
    """Changes all bits of the byte at `offset` (negative: from the end)."""

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[offset] ^= 0xFF
        return bytes(changed)

    return change


class FaultProxy:
    """Answers when the constructor returns, until `stop`; `url` is its address, `access` that of the server behind, through it.

    `faults`: the first one that a request meets is what happens to it. `adds`: headers that every request to the server gets.
    With an `ssl_context` its clients speak TLS to it; the server behind it speaks plain http.
    """

    def __init__(
        self,
        server: Reachable | str,
        *faults: Fault,
        ssl_context: ssl.SSLContext | None = None,
        adds: t.Mapping[str, str] | None = None,
    ) -> None:
        """`server`: a registry, or any `http://host:port`."""
        self._access = Access(server) if isinstance(server, str) else server if isinstance(server, Access) else server.access
        target = urllib.parse.urlsplit(self._access.url)
        if target.scheme != "http":
            raise ValueError(f"the server behind a fault proxy speaks plain http, not {target.scheme}")
        self.target = target.netloc
        self.faults = list(faults)
        self.adds = dict(adds or {})
        #: every request that has come to its end, in that order
        self.log: list[PassedRequest] = []
        self._lock = threading.Lock()
        self._server = LoopbackServer(_Handler, self, ssl_context)
        self.secure = ssl_context is not None
        self.port = self._server.port
        self.url = self._server.url
        self.host = f"127.0.0.1:{self.port}"
        self._server.start()

    @property
    def access(self) -> Access:
        """How to reach the server through the proxy, as the user that it has."""
        return dataclasses.replace(self._access, url=self.url)

    def requests(self, pattern: str) -> list[PassedRequest]:
        """Those of the log whose `METHOD path?query` matches the pattern, anywhere in it."""
        with self._lock:
            return [one for one in self.log if re.search(pattern, one.line)]

    def clear(self) -> None:
        """No faults any more, and an empty log."""
        with self._lock:
            self.faults, self.log = [], []

    def stop(self) -> None:
        """End it. Stopping twice is fine."""
        self._server.stop()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _find(self, line: str) -> Fault | None:
        with self._lock:
            return next((fault for fault in self.faults if fault.meets(line)), None)

    def _write_log(self, entry: PassedRequest) -> None:
        with self._lock:
            self.log.append(entry)


class _HungUp(Exception):
    """The connection to the client is to end here; `reset` says how."""

    def __init__(self, reset: bool) -> None:
        super().__init__(reset)
        self.reset = reset


@dataclasses.dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Handler(Handler):
    def serve(self) -> None:
        """One request, from its first byte to its entry in the log."""
        proxy: FaultProxy = self.server.owner
        self.began = time.monotonic()
        self.fault = fault = proxy._find(f"{self.command} {self.path}")
        self.sent = 0
        self.is_logged = False
        try:
            self._pass_on(proxy, fault or Fault(""))
        except _HungUp as end:
            self.close_connection = True
            if end.reset:
                self.server.reset(self.connection)
            self.wfile.flush()
        except (OSError, http.client.HTTPException):
            # what a proxy has to say when the server behind it is away, or the client is gone
            self.close_connection = True
            self.server.reset(self.connection)
        finally:
            self._log()

    def _log(self) -> None:
        """Write the request down, once: before its client can know that the answer is complete, and look here."""
        if not self.is_logged:
            self.is_logged = True
            headers = {name.lower(): value for name, value in self.headers.items()}
            entry = PassedRequest(self.command, self.path, headers, self.sent, self.fault, self.began, time.monotonic())
            self.server.owner._write_log(entry)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = serve

    def _pass_on(self, proxy: FaultProxy, fault: Fault) -> None:
        if fault.before:
            fault.before()
        if fault.stall and fault.stall_at is None:
            self.server.wait(fault.stall)
        if fault.reset == "before":
            raise _HungUp(reset=True)
        if fault.status:
            self._read_body()
            headers = [(name, value if isinstance(value, str) else value()) for name, value in fault.headers.items()]
            self._send(_Answer(fault.status, headers, fault.body), fault)
            return
        if fault.reset == "request":
            self._break_off_upload(proxy, fault)
        body = self._read_body()
        if fault.change_request:
            body = fault.change_request(body)
        answer = self._ask(proxy, fault, body)
        if fault.reset == "lost":
            raise _HungUp(reset=True)
        self._send(_changed(answer, fault), fault)

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raise http.client.HTTPException("no client of a registry ought to send a body without its length")
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _request_head(self, proxy: FaultProxy, fault: Fault, upstream: http.client.HTTPConnection) -> None:
        path = fault.path(self.path) if fault.path else self.path
        upstream.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
        added = {**({"X-Forwarded-Proto": "https"} if proxy.secure else {}), **proxy.adds}
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP and name not in added:
                upstream.putheader(name, value)
        for name, value in added.items():
            upstream.putheader(name, value)
        upstream.endheaders()

    def _ask(self, proxy: FaultProxy, fault: Fault, body: bytes) -> _Answer:
        upstream = _connection(proxy.target)
        try:
            self._request_head(proxy, fault, upstream)
            if body:
                upstream.send(body)
            response = upstream.getresponse()
            # the answer to a HEAD announces the length of a body that does not come
            return _Answer(response.status, response.getheaders(), response.read())
        finally:
            upstream.close()

    def _break_off_upload(self, proxy: FaultProxy, fault: Fault) -> t.NoReturn:
        """The server sees the first bytes of a body and then the end of the connection, as it does when a client's host goes down."""
        upstream = _connection(proxy.target)
        try:
            self._request_head(proxy, fault, upstream)
            left = min(fault.at, int(self.headers.get("Content-Length") or 0))
            while left:
                data = self.rfile.read(min(_PIECE, left))
                upstream.send(data)
                left -= len(data)
        finally:
            upstream.close()
        raise _HungUp(reset=True)

    def _send(self, answer: _Answer, fault: Fault) -> None:
        self.send_response_only(answer.status)
        bodiless = self.command == "HEAD" or answer.status in (204, 304)
        announced = any(name.lower() in _FRAMING for name, _value in answer.headers)
        for name, value in answer.headers:
            self.send_header(name, value)
        if not announced and not bodiless:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.sent = answer.status
        if not bodiless:
            self._send_body(answer.body, fault)
        self._log()
        self.wfile.flush()
        if fault.reset == "after":
            raise _HungUp(reset=True)

    def _send_body(self, body: bytes, fault: Fault) -> None:
        end = fault.at if fault.reset == "answer" else len(body) if fault.keep is None else fault.keep
        stall_at = fault.stall_at if fault.stall_at is not None else -1
        position = 0
        while position < min(end, len(body)):
            if position == stall_at:
                self.wfile.flush()
                self.server.wait(fault.stall)
            following = min(position + fault.piece, end, len(body))
            if position < stall_at < following:
                following = stall_at
            if following == len(body):
                self._log()
            self.wfile.write(body[position:following])
            position = following
            if fault.pause:
                self.wfile.flush()
                self.server.wait(fault.pause)
        if end < len(body) or fault.reset == "answer":
            self.wfile.flush()
            raise _HungUp(reset=fault.reset == "answer")


def _connection(target: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(target, timeout=_TIMEOUT)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _changed(answer: _Answer, fault: Fault) -> _Answer:
    """The server's answer as the client is to see it."""
    body = fault.change_answer(answer.body) if fault.change_answer else answer.body
    replaced = {name.lower(): value for name, value in fault.set_headers.items()}
    headers = []
    for name, value in answer.headers:
        low = name.lower()
        if low in _HOP_BY_HOP or low in replaced or (fault.gzip and low in _FRAMING):
            continue
        headers.append((name, fault.location(value) if fault.location and low == "location" else value))
    headers += [(name, value) for name, value in fault.set_headers.items() if value is not None]
    if fault.gzip:
        body = gzip.compress(body, mtime=0)
        headers += [("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))]
    return _Answer(answer.status, headers, body)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A turnstile before a registry: it passes requests on, counts them, and lets a test act at a certain one.

Several turnstiles may share a `Watch`, so that the requests of a run are counted over all its registries. While a test acts, no other
request passes: a registry that is restarted meanwhile is not missed by anybody.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import threading
import typing as t
import urllib.parse

from estate.client import Access
from estate.serving import Handler, LoopbackServer

#: before the request is passed on; in the middle of its body; after it was carried out, before the answer is passed on
Moment = t.Literal["before", "amid", "after"]
#: what a test does; the request goes on if it says so, else its connection ends without an answer
Act = t.Callable[[], bool]

_TIMEOUT = 60.0
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "expect"})


class UpstreamGone(Exception):
    """The registry behind the turnstile does not answer."""


@dataclasses.dataclass(frozen=True)
class Passed:
    """A request that came through. `status` is 0 when nobody got an answer; `bytes_in` are those of its body."""

    side: str
    method: str
    path: str
    bytes_in: int
    status: int


class Watch:
    """Counts requests from 1 on, and keeps one appointment: `when(the 12th upload, "before", act)`."""

    def __init__(self) -> None:
        self.log: list[Passed] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closed = False
        self._calm = False
        self._seen = 0
        self._under_way = 0
        self._waiting = 0
        self._wanted: t.Callable[[int, str, str, str], bool] = lambda *_unused: False
        self._moment: Moment = "before"
        self._act: Act | None = None

    def when(self, wanted: t.Callable[[int, str, str, str], bool], moment: Moment, act: Act, *, calm: bool = False) -> None:
        """Act once, at the first request from now on of which `wanted(number, side, method, path)` is true.

        `calm`: when all other requests that have passed are answered, so that none of them is in the registry meanwhile.
        """
        with self._lock:
            self.log, self._seen = [], 0
            self._wanted, self._moment, self._act, self._calm = wanted, moment, act, calm

    def reset(self) -> None:
        """Count from 1 again, without an appointment."""
        self.when(lambda *_unused: False, "before", lambda: True)

    def settle(self) -> None:
        """Wait until no request is under way: what a client that is dead has sent in full is carried out all the same."""
        with self._lock:
            assert self._changed.wait_for(lambda: not self._under_way, _TIMEOUT)

    @property
    def kept(self) -> bool:
        """Whether the appointment was kept."""
        return self._act is None

    def wait(self) -> None:
        """Wait while a test acts."""
        with self._lock:
            self._waiting += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._closed, _TIMEOUT)
            self._waiting -= 1

    def _enter(self, side: str, method: str, path: str) -> tuple[Moment, Act] | None:
        """Count a request; gives what is to be done with it."""
        with self._lock:
            self._under_way += 1
        self.wait()
        with self._lock:
            self._seen += 1
            if self._act is None or not self._wanted(self._seen, side, method, path):
                return None
            act, self._act = self._act, None
            return self._moment, act

    def _do(self, act: Act) -> bool:
        with self._lock:
            self._closed = True
            if self._calm:
                assert self._changed.wait_for(lambda: self._under_way - self._waiting == 1, _TIMEOUT)
        try:
            return act()
        finally:
            with self._lock:
                self._closed = False
                self._changed.notify_all()

    def _note(self, passed: Passed) -> None:
        with self._lock:
            self.log.append(passed)
            self._under_way -= 1
            self._changed.notify_all()


class Turnstile:
    """Answers when the constructor returns, until `stop`. `access` is that of the registry, with the turnstile's own address."""

    def __init__(self, registry: Access, watch: Watch, side: str) -> None:
        """`registry` speaks plain http; `side` is its name in the log."""
        self.watch = watch
        self.side = side
        self._upstream = urllib.parse.urlsplit(registry.url)
        self._server = LoopbackServer(_Handler, self)
        self.access = dataclasses.replace(registry, url=self._server.url)
        self._server.start()

    def stop(self) -> None:
        """End it. Stopping twice is fine."""
        self._server.stop()

    def __enter__(self) -> Turnstile:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def connect(self) -> http.client.HTTPConnection:
        """To the registry."""
        return http.client.HTTPConnection(self._upstream.netloc, timeout=_TIMEOUT)


class _Handler(Handler):
    server: LoopbackServer
    upstream: http.client.HTTPConnection | None = None

    def pass_on(self) -> None:
        """A request from its first to its last byte."""
        owner: Turnstile = self.server.owner
        watch = owner.watch
        self.wfile.flush()  # the "100 Continue" that a client may be waiting for
        body = self._read_body()
        if body is None:
            self.close_connection = True
            return
        todo = watch._enter(owner.side, self.command, self.path)
        status = 0
        try:
            if todo and todo[0] == "amid":
                self._send(body[: len(body) // 2], len(body))
                self._hang_up_upstream()
                watch._do(todo[1])
                self.close_connection = True
                return
            if todo and todo[0] == "before" and not watch._do(todo[1]):
                self.close_connection = True
                return
            answer, data = self._exchange(body)
            status = answer.status
            if todo and todo[0] == "after" and not watch._do(todo[1]):
                self.close_connection = True
                return
            self._answer(answer, data)
        except UpstreamGone:
            self.close_connection = True
        finally:
            watch._note(Passed(owner.side, self.command, self.path, len(body), status))

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = pass_on

    def finish(self) -> None:
        """The client has gone."""
        self._hang_up_upstream()
        with contextlib.suppress(ConnectionError):
            super().finish()

    def _read_body(self) -> bytes | None:
        """The request's body; None when the client hung up in the middle of it."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            data = self.rfile.read(length) if length else b""
            return data if len(data) == length else None
        parts: list[bytes] = []
        while True:
            line = self.rfile.readline().split(b";")[0].strip()
            if not line:
                return None
            size = int(line, 16)
            part = self.rfile.read(size)
            if len(part) < size or not self.rfile.readline():
                return None
            if not size:
                return b"".join(parts)
            parts.append(part)

    def _send(self, body: bytes, length: int) -> http.client.HTTPConnection:
        """Send the request, or the first part of it, on a connection that may be a used one."""
        if self.upstream is None:
            self.upstream = self.server.owner.connect()
        connection = self.upstream
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP and name.lower() != "content-length":
                connection.putheader(name, value)
        if length or self.command not in ("GET", "HEAD"):
            connection.putheader("Content-Length", str(length))
        connection.endheaders(body or None)
        return connection

    def _exchange(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        used = self.upstream is not None
        for again in (used, False):
            try:
                answer = self._send(body, len(body)).getresponse()
                return answer, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._hang_up_upstream()
                if not again:
                    raise UpstreamGone from error
                # it may have been restarted by what the test does at this moment
                self.server.owner.watch.wait()
        raise AssertionError("the loop above returns or raises")

    def _hang_up_upstream(self) -> None:
        if self.upstream is not None:
            self.upstream.close()
            self.upstream = None

    def _answer(self, answer: http.client.HTTPResponse, data: bytes) -> None:
        self.send_response_only(answer.status)
        length = ""
        for name, value in answer.getheaders():
            if name.lower() == "content-length":
                length = value
            elif name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if self.command == "HEAD":
            if length:
                self.send_header("Content-Length", length)
        elif answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

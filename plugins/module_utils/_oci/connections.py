# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""HTTP/1.1 on sockets (RFC 9112): connections that are kept, one request at a time on each.

A migration is hundreds of thousands of small requests, and what a client library does for each of them is most of what the client
costs. So this does what a registry needs and no more: bodies with a known length, answers of any framing, proxies, TLS. It knows
nothing of retries, redirects, rates or authorization.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import re
import select
import socket
import ssl
import struct
import time
import typing as t
from urllib.parse import quote, unquote

#: bytes that are asked of a socket at a time
PIECE = 256 << 10
#: the head of an answer is no longer than this, nor is a line of a body in chunks
MOST_HEAD = 256 << 10
MOST_LINE = 16 << 10
#: an answer with 1xx announces another one; so many of them are waited through
MOST_INTERIM = 20
#: a body up to this size travels with its head
JOINED = 64 << 10
#: bytes that a server has to take within the time in which it may be silent
SENT_AT_ONCE = 256 << 10
#: how waits end that are too long: by Python's count, and by the kernel's
TIMEOUTS = (socket.timeout, BlockingIOError)
#: digits of a number of bytes in a header: more than that is no number that anything could have
MOST_DIGITS = 18
#: seconds after which a connection is looked at before it is used again
UNSEEN = 1.0
#: everything that may stand in a request's target (RFC 3986), "%" included: what is escaped already stays as it is
_TARGET_CHARACTERS = "!#$%&'()*+,/:;=?@[]~-._"
_CLEAN_TARGET = re.compile(r"[A-Za-z0-9!#$%&'()*+,/:;=?@\[\]~._-]+")
#: in place of a number of bytes: the body comes in chunks, or ends with the connection
_IN_CHUNKS, _TO_THE_END = -2, -1
_STATUS_LINE = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9][0-9])(?: |$)")
#: an empty line; servers that end their lines with a mere line feed are understood as well (RFC 9112, 2.2)
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")

Body = t.Union[bytes, t.Iterable[bytes], None]


class NameUnknown(OSError):
    """The host's name cannot be resolved."""


class NoConnection(OSError):
    """Nobody answers at the address."""


class ConnectTimeout(OSError):
    """The connection was not there in time."""


class ReadTimeout(OSError):
    """The server has sent, or taken, nothing for too long."""


class ConnectionBroke(OSError):
    """The connection ended in the middle of something."""


class NotHTTP(OSError):
    """What came is no answer of HTTP/1."""


class ProxyRefused(OSError):
    """A proxy did not let the connection through; `status` is its answer, 0 where it gave none."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the proxy answered {status}")
        self.status = status


class Headers(t.Mapping[str, str]):
    """Header fields by name, whatever its case. Fields on several lines are joined with a comma (RFC 9110, 5.3)."""

    def __init__(self, fields: t.Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in fields:
            self._values.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def get_list(self, name: str) -> list[str]:
        """The values of a field, one for each line that it came on."""
        return list(self._values.get(name.lower(), ()))


@dataclasses.dataclass(frozen=True)
class Proxy:
    """A proxy to go through. `context` is for its own TLS, None where it is spoken to in the clear."""

    host: str
    port: int
    username: str | None = None
    password: str = dataclasses.field(default="", repr=False)
    context: ssl.SSLContext | None = None

    @property
    def authorization(self) -> str:
        """What the proxy is to be told of who we are; empty for nothing."""
        if self.username is None:
            return ""
        pair = f"{unquote(self.username)}:{unquote(self.password)}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


@dataclasses.dataclass(frozen=True)
class Route:
    """The way to a server: `host` and `port` to connect to, the name that its certificate is for, what is between. Times in seconds."""

    host: str
    port: int
    server_name: str
    server_port: int
    context: ssl.SSLContext | None = None
    proxy: Proxy | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 60.0


class Answer:
    """An answer whose body is read piece by piece. It keeps its connection until it is closed."""

    __slots__ = ("_chunked", "_connection", "_give_back", "_keep", "_left", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: Headers,
        connection: Connection | None,
        give_back: t.Callable[[Connection], None],
        *,
        keep: bool,
        left: int,
    ) -> None:
        self.status = status
        self.headers = headers
        self._connection = connection
        self._give_back = give_back
        self._keep = keep
        self._chunked = left == _IN_CHUNKS
        #: bytes of the body (or of its present chunk) that are still to come, or _TO_THE_END
        self._left = 0 if self._chunked else left

    def read(self, most: int = PIECE) -> bytes:
        """The next bytes of the body, at most so many; none at its end. ConnectionBroke where it breaks off."""
        connection = self._connection
        if connection is None:
            return b""
        if self._chunked and not self._left:
            self._left = connection.next_chunk()
            if not self._left:
                self._chunked = False
        if not self._left:
            return b""
        data = connection.receive(most if self._left < 0 else min(most, self._left))
        if self._left < 0:
            if not data:
                self._left = 0
            return data
        if not data:
            raise ConnectionBroke("the answer broke off")
        self._left -= len(data)
        if self._chunked and not self._left:
            connection.end_chunk()
        return data

    @property
    def at_end(self) -> bool:
        """Whether there is nothing left to read."""
        return not self._left and not self._chunked

    def close(self) -> None:
        """Give the connection back if the next request can have it, else end it. May be called again."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._keep and self.at_end:
            self._give_back(connection)
        else:
            connection.close()


class Connection:
    """One connection. `used` says whether it has carried a request before."""

    def __init__(self, sock: t.Any) -> None:
        self._sock = sock
        self._rest = b""
        self.used = False
        self.since = time.monotonic()

    def close(self) -> None:
        """End it. Twice is fine."""
        try:
            self._sock.close()
        except OSError:
            # it is gone, which is what was wanted
            return

    @property
    def has_more(self) -> bool:
        """Whether bytes have come that nobody has read yet."""
        return bool(self._rest)

    def is_dead(self) -> bool:
        """Whether the server has ended the connection, or said something that nobody has asked for."""
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    # -- the request
    def send(self, head: bytes, body: Body) -> None:
        """Send a request. A server that ends the connection in the middle may have answered nevertheless: then this returns."""
        sock = self._sock
        try:
            if body is None or isinstance(body, bytes):
                if body and len(body) > JOINED:
                    sock.sendall(head)
                    # the time limit of sendall is for all that it is given, and is meant for a server that takes nothing
                    with memoryview(body) as view:
                        for start in range(0, len(view), SENT_AT_ONCE):
                            sock.sendall(view[start : start + SENT_AT_ONCE])
                else:
                    sock.sendall(head + body if body else head)
                return
            sock.sendall(head)
        except OSError as error:
            self._refused(error)
            return
        for piece in body:
            try:
                if len(piece) > SENT_AT_ONCE:
                    for start in range(0, len(piece), SENT_AT_ONCE):
                        sock.sendall(piece[start : start + SENT_AT_ONCE])
                else:
                    sock.sendall(piece)
            except OSError as error:
                self._refused(error)
                return

    def _refused(self, error: OSError) -> None:
        """Sending failed: the answer that may have come before says more than the error."""
        if isinstance(error, TIMEOUTS):
            raise ReadTimeout("the server takes no more") from error
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            raise error
        try:
            self._rest += self._receive(PIECE)
        except ssl.SSLError:
            # it says why
            raise
        except OSError as nothing:
            raise ConnectionBroke(_name(error)) from nothing
        if not self._rest:
            raise ConnectionBroke(_name(error)) from error

    # -- the answer
    def answer(self, method: str, give_back: t.Callable[[Connection], None]) -> Answer:
        """Read the head of the answer to a request; `give_back` gets the connection when the answer has been read to its end."""
        version, status, fields = self.read_head()
        self.used = True
        headers = Headers(fields)
        left = _framing(method, status, headers)
        return Answer(status, headers, self, give_back, keep=_is_kept(version, headers, left), left=left)

    def read_head(self) -> tuple[int, int, list[tuple[str, str]]]:
        """The minor version of HTTP, the status and the header fields of the next answer."""
        for _number in range(MOST_INTERIM):
            version, status, fields = self._read_one_head()
            if status >= 200 or status == 101:
                return version, status, fields
        raise NotHTTP("it announces an answer again and again")

    def _read_one_head(self) -> tuple[int, int, list[tuple[str, str]]]:
        data = self._rest
        while not (match := _END_OF_HEAD.search(data)):
            if len(data) > MOST_HEAD:
                raise NotHTTP("the head of the answer does not end")
            if not data.startswith(b"HTTP/"[: len(data)]):
                raise NotHTTP("it does not begin as one")
            more = self._receive(PIECE)
            if not more:
                raise ConnectionBroke("no answer")
            data += more
        head, self._rest = data[: match.start()], data[match.end() :]
        lines = head.decode("latin-1").split("\n")
        status_line = _STATUS_LINE.match(lines[0].rstrip("\r"))
        if not status_line:
            raise NotHTTP("it does not begin as one")
        fields: list[tuple[str, str]] = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon and name and name[0] not in " \t":
                fields.append((name.rstrip(), value.strip()))
            elif fields and line[:1] in (" ", "\t"):
                # a long line, folded
                fields[-1] = (fields[-1][0], f"{fields[-1][1]} {line.strip()}")
            elif line.strip():
                raise NotHTTP("a line of its head is no header field")
        return int(status_line.group(1)), int(status_line.group(2)), fields

    def receive(self, most: int) -> bytes:
        """At most so many bytes of the body; none where the connection has ended."""
        rest = self._rest
        if rest:
            if len(rest) <= most:
                self._rest = b""
                return rest
            self._rest = rest[most:]
            return rest[:most]
        return self._receive(min(most, PIECE))

    def _receive(self, most: int) -> bytes:
        try:
            received: bytes = self._sock.recv(most)
        except TIMEOUTS as error:
            raise ReadTimeout("nothing came") from error
        except ssl.SSLError:
            raise
        except OSError as error:
            raise ConnectionBroke(_name(error)) from error
        return received

    def _line(self) -> bytes:
        while (end := self._rest.find(b"\n")) < 0:
            if len(self._rest) > MOST_LINE:
                raise NotHTTP("a line of its body does not end")
            more = self._receive(PIECE)
            if not more:
                raise ConnectionBroke("the answer broke off")
            self._rest += more
        line, self._rest = self._rest[:end], self._rest[end + 1 :]
        return line.rstrip(b"\r")

    def next_chunk(self) -> int:
        """The length of the next chunk of a body; 0 after the last, whose trailers have been read then."""
        size = self._line().partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,15}", size):
            raise NotHTTP("the length of a chunk is no number")
        length = int(size, 16)
        if not length:
            for _number in range(MOST_HEAD // 16):
                if not self._line():
                    return 0
            raise NotHTTP("its trailers do not end")
        return length

    def end_chunk(self) -> None:
        """Read the end of a chunk."""
        if self._line():
            raise NotHTTP("a chunk is longer than it was said to be")


class Pool:
    """The connections to one server. Threads share it; the connection that was used last is taken first."""

    def __init__(self, route: Route, host: str) -> None:
        """`host`: what the server is told in the field Host."""
        self.route = route
        self._host = host
        self._idle: collections.deque[Connection] = collections.deque()
        self._closed = False
        proxy = route.proxy
        #: how targets begin, and what else is said, where a proxy passes requests in the clear
        self._prefix = f"http://{_netloc(route.server_name, route.server_port)}" if proxy and route.context is None else ""
        authorization = proxy.authorization if proxy and self._prefix else ""
        self._proxy_header = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""

    def request(self, method: str, target: str, headers: t.Mapping[str, str], body: Body = None, once: bool = False) -> Answer:
        """Send a request and read the head of its answer.

        `target` is path and query; `headers` hold Content-Length for a body that is not bytes. `once`: it must not come twice. Raises
        the exceptions above, or ssl.SSLError.
        """
        head = self._head(method, target, headers, body)
        # a PATCH that had arrived would append its bytes twice
        repeatable = not once and method != "PATCH" and (body is None or isinstance(body, bytes))
        while True:
            connection = self._connection(careful=not repeatable)
            was_used = connection.used
            try:
                connection.send(head, body)
                return connection.answer(method, self._give_back)
            except ConnectionBroke:
                connection.close()
                if was_used and repeatable:
                    # the server had ended it while nobody looked: that is no failure
                    continue
                raise
            except BaseException:
                connection.close()
                raise

    def _head(self, method: str, target: str, headers: t.Mapping[str, str], body: Body) -> bytes:
        if not _CLEAN_TARGET.fullmatch(target):
            target = quote(target, safe=_TARGET_CHARACTERS)
        lines = [
            f"{method} {self._prefix}{target} HTTP/1.1",
            f"Host: {self._host}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if body is not None and "Content-Length" not in headers:
            if not isinstance(body, bytes):
                raise ValueError("a body that is not bytes needs its length said")
            lines.append(f"Content-Length: {len(body)}")
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
            raise ValueError("a header holds a line break")
        return f"{text}\r\n{self._proxy_header}\r\n".encode("latin-1")

    def _connection(self, careful: bool) -> Connection:
        now = time.monotonic()
        while True:
            try:
                found = self._idle.pop()
            except IndexError:
                return Connection(connect(self.route))
            if (careful or now - found.since > UNSEEN) and found.is_dead():
                found.close()
                continue
            return found

    def _give_back(self, connection: Connection) -> None:
        if connection.has_more:
            # what nobody has asked for must not be taken for the next answer
            connection.close()
            return
        connection.since = time.monotonic()
        self._idle.append(connection)
        if self._closed:
            self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connections that are idle; those in use follow when they are given back."""
        self._closed = True
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return


def _framing(method: str, status: int, headers: Headers) -> int:
    """The bytes of an answer's body, or how its end is known (RFC 9112, 6.3)."""
    if method == "HEAD" or status in (204, 304):
        return 0
    if "transfer-encoding" in headers:
        return _IN_CHUNKS if headers["transfer-encoding"].lower().rpartition(",")[2].strip() == "chunked" else _TO_THE_END
    lengths = set(headers.get_list("content-length"))
    if not lengths:
        return _TO_THE_END
    length = lengths.pop()
    if lengths or not length.isdecimal() or not length.isascii() or len(length) > MOST_DIGITS:
        raise NotHTTP("it says its length in two ways, or not as a number")
    return int(length)


def _is_kept(version: int, headers: Headers, left: int) -> bool:
    """Whether the connection can carry another request after this answer."""
    if left == _TO_THE_END:
        return False
    said = headers.get("connection", "").lower()
    return "close" not in said if version >= 1 else "keep-alive" in said


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _name(error: BaseException) -> str:
    return type(error).__name__


# -- making connections
def connect(route: Route) -> t.Any:
    """A connected socket, TLS included, that waits `read_timeout` at the most."""
    proxy = route.proxy
    host, port = (proxy.host, proxy.port) if proxy else (route.host, route.port)
    try:
        sock: t.Any = _open(host, port, route.connect_timeout)
    except (NoConnection, NameUnknown, ConnectTimeout) as error:
        if proxy:
            raise ProxyRefused(0) from error
        raise
    try:
        if proxy and proxy.context:
            sock = _start_tls(sock, proxy.context, proxy.host)
        if route.context is not None:
            if proxy:
                _tunnel(sock, route, proxy)
            sock = _start_tls(sock, route.context, route.server_name)
        _limit_waits(sock, route.read_timeout)
    except (socket.timeout, ReadTimeout) as error:
        sock.close()
        raise ConnectTimeout("TLS took too long") from error
    except BaseException:
        sock.close()
        raise
    return sock


def _limit_waits(sock: t.Any, seconds: float) -> None:
    """Have a wait for the other end be over after so many seconds.

    Where it can, the kernel counts them: a limit of Python's costs a system call and two changes between threads more, each time.
    """
    sock.settimeout(seconds)
    if isinstance(sock, ssl.SSLSocket) or not isinstance(sock, socket.socket):
        # TLS asks the socket first, and waits only then
        return
    limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    except OSError:
        # a system whose times have another form
        return
    sock.settimeout(None)


def _open(host: str, port: int, seconds: float) -> socket.socket:
    try:
        sock = socket.create_connection((host, port), seconds)
    except socket.timeout as error:
        raise ConnectTimeout("no connection in time") from error
    except (socket.gaierror, UnicodeError) as error:
        raise NameUnknown(host) from error
    except OSError as error:
        raise NoConnection(_name(error)) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _start_tls(sock: t.Any, context: ssl.SSLContext, name: str) -> t.Any:
    try:
        if isinstance(sock, ssl.SSLSocket):
            return _TLSInside(sock, context, name)
        return context.wrap_socket(sock, server_hostname=name)
    except (ssl.SSLError, socket.timeout):
        raise
    except OSError as error:
        raise ConnectionBroke(_name(error)) from error


def _tunnel(sock: t.Any, route: Route, proxy: Proxy) -> None:
    """Have a proxy connect to the server (RFC 9110, 9.3.6)."""
    target = _netloc(route.server_name, route.server_port)
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    connection = Connection(sock)
    connection.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), None)
    try:
        status = connection.read_head()[1]
    except (NotHTTP, ConnectionBroke) as error:
        raise ProxyRefused(0) from error
    if status != 200:
        raise ProxyRefused(status)


class _TLSInside:
    """TLS to a server inside of TLS to a proxy, which the standard library's sockets cannot do."""

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, name: str) -> None:
        self._outer = outer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._inner = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._carry(self._inner.do_handshake)

    def _carry(self, step: t.Callable[..., t.Any], *arguments: t.Any) -> t.Any:
        """Run a step of the inner TLS, moving bytes between it and the outer one until it is done."""
        while True:
            try:
                result = step(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                data = self._outer.recv(MOST_LINE)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
                continue
            self._flush()
            return result

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._outer.sendall(data)

    def recv(self, most: int) -> bytes:
        """As of a socket."""
        try:
            data: bytes = self._carry(self._inner.read, most)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        return data

    def sendall(self, data: bytes) -> None:
        """As of a socket."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._carry(self._inner.write, rest[:JOINED]) :]

    def settimeout(self, seconds: float) -> None:
        """As of a socket."""
        self._outer.settimeout(seconds)

    def fileno(self) -> int:
        """As of a socket."""
        return self._outer.fileno()

    def close(self) -> None:
        """As of a socket."""
        self._outer.close()

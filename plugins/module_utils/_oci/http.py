# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""HTTP for registries: retries, pauses, redirects, proxies, certificates; no knowledge of registries.

A redirect must not carry credentials along, a pause concerns all workers of a host, and a body that streams from another registry
cannot be sent twice: what a general client does by itself is decided here.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import socket
import ssl
import threading
import time
import typing as t
import zlib
from urllib.parse import urljoin, urlsplit

from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import (
    MOST_DIGITS,
    PIECE,
    Answer,
    Body,
    ConnectTimeout,
    NameUnknown,
    NoConnection,
    NotHTTP,
    Pool,
    Proxy,
    ProxyRefused,
    ReadTimeout,
    Route,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConnectionFailed,
    InvalidAnswer,
    InvalidOption,
    MigrationError,
    RedirectRefused,
    SchemeMismatch,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Gate, HostLimits, Rate, backoff, retry_after
from ansible_collections.registryops.migration.plugins.module_utils._oci.timetable import Figure, make_rate
from ansible_collections.registryops.migration.plugins.module_utils._oci.tls import TLSOptions, make_context, untrusted

#: answers that are read whole (errors, tokens, lists) are bounded: what a server sends is hostile until proved otherwise
SMALL_BODY = 1 << 20
LIST_BODY = 64 << 20
MOST_REDIRECTS = 8
#: hosts with connections that are kept: a registry may send us to a new one for each blob
MOST_HOSTS = 32
REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: answers after which the same request may well succeed
RETRIED = frozenset({408, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524})
OVERLOADED = frozenset({429, 503, 504})
#: waiting for a rate limit is no failure: it gets this many times the attempts
PATIENCE_WITH_429 = 4
USER_AGENT = "registryops.migration"
MOST_WARNINGS = 50
#: the text of each `299 - "text"` in a Warning header (distribution-spec "Warnings")
_WARNING = re.compile(r'299 - "((?:[^"\\]|\\.)*)"')


@dataclasses.dataclass(frozen=True)
class HTTPOptions:
    """How to talk to one registry. Times are seconds; 0 as a rate means no limit."""

    tls: TLSOptions = dataclasses.field(default_factory=TLSOptions)
    proxy: str = ""
    no_proxy: str = ""
    connect_to: str = ""
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    attempts: int = 5
    #: 0: as many as the host can take, see Gate
    concurrency: int = 0
    requests_per_second: float | Figure = 0.0


@dataclasses.dataclass(frozen=True)
class Origin:
    """Scheme, host and port: what decides whether credentials may travel along (RFC 6454)."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"


def origin_of(url: str) -> Origin:
    """The origin of an absolute http(s) URL; raises InvalidAnswer for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidAnswer("a server sent an address that is none.", hint="Report it to the registry's operator.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidAnswer(f"a server sent an address with the scheme {parts.scheme!r}.", hint="Only http and https can be followed.")
    return Origin(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))


def joined(base: str, location: str) -> str:
    """An address that a server has sent, relative to `base` or absolute; InvalidAnswer if it is none."""
    try:
        return urljoin(base, location)
    except ValueError:
        raise InvalidAnswer("a server sent an address that is none.", hint="Report it to the registry's operator.") from None


class AnswerTooLarge(InvalidAnswer):
    """A body that is read whole has more bytes than it may have."""


class Response:
    """An answer. One whose body is streamed must be closed; it keeps its connection and its place at the host until then."""

    def __init__(self, answer: Answer, url: str, release: t.Callable[[], None]) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.url = url
        #: whether an earlier attempt at this request got lost, or was answered with a failure that is not about too much work
        self.failed_before = False
        self._answer = answer
        self._release: t.Callable[[], None] | None = release
        self._body: bytes | None = None

    def header_lines(self, name: str) -> list[str]:
        """All values of a header that may come on several lines."""
        return self.headers.get_list(name)

    @property
    def length(self) -> int:
        """The announced bytes of the body; -1 where there is no word, or one about its compressed form."""
        length = self.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() and len(length) <= MOST_DIGITS and not self._encoding else -1

    def body(self, limit: int = SMALL_BODY) -> bytes:
        """The whole body, at most `limit` bytes (else AnswerTooLarge), read once. ConnectionFailed if it breaks off."""
        if self._body is None:
            pieces, length = [], 0
            try:
                for data in self.chunks():
                    pieces.append(data)
                    length += len(data)
                    if length > limit:
                        raise AnswerTooLarge(f"answered with more than {limit} bytes.", subject=str(origin_of(self.url)))
            finally:
                self.close()
            self._body = b"".join(pieces)
        return self._body

    def json(self, limit: int = SMALL_BODY) -> t.Any:
        """The body as JSON; InvalidAnswer if it is none."""
        data = self.body(limit)
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise InvalidAnswer(
                f"answered {self.status} with something that is not JSON.",
                subject=str(origin_of(self.url)),
                hint="Is this the registry's address, and not that of a web page or a proxy in front of it?",
            ) from None

    @property
    def _encoding(self) -> str:
        # identity is asked for; a server that compresses nevertheless has to be undone before digests are compared
        return self.headers.get("Content-Encoding", "").strip().lower() if "Content-Encoding" in self.headers else ""

    def chunks(self) -> t.Iterator[bytes]:
        """The body piece by piece, up to 256 KiB each; ConnectionFailed if it breaks off."""
        read = self._answer.read
        try:
            if self._encoding not in ("", "identity"):
                yield from self._decoded()
                return
            while True:
                data = read()
                if not data:
                    return
                yield data
        except OSError as error:
            raise _translate(error, origin_of(self.url)) from error

    def _decoded(self) -> t.Iterator[bytes]:
        where = str(origin_of(self.url))
        if self._encoding not in ("gzip", "x-gzip", "deflate"):
            raise InvalidAnswer(f"answers in the encoding {self._encoding!r}, which was not asked for.", subject=where)
        # both formats, told apart by how they begin
        decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            while True:
                data = self._answer.read()
                if not data:
                    break
                while data:
                    # a little that becomes very much is taken in pieces, too
                    piece = decoder.decompress(data, PIECE)
                    data = decoder.unconsumed_tail
                    if piece:
                        yield piece
            if not decoder.eof:
                raise ConnectionFailed("an answer broke off.", subject=where, hint="It has been tried again as often as allowed.")
        except zlib.error:
            raise InvalidAnswer(f"says that its answer is in {self._encoding}, but it is not.", subject=where) from None

    def drain(self) -> None:
        """Read what is left, if it is little, so that the connection can be used again; and close."""
        try:
            self.body()
        except MigrationError:
            # the answer is not wanted any more; closing has dropped the connection
            self.close()

    def close(self) -> None:
        """Give connection and place back; may be called again."""
        release, self._release = self._release, None
        if release is not None:
            self._answer.close()
            release()


class Transport:
    """Connections to one registry and to the hosts that it sends us to. Threads share it."""

    def __init__(self, origin: Origin, options: HTTPOptions, bandwidth: Rate | None = None) -> None:
        self.origin = origin
        self.options = options
        self.bandwidth = bandwidth or Rate(0)
        self.warnings: list[str] = []
        #: answers that would come again, whatever their status says
        self.is_final: t.Callable[[Response], bool] = lambda response: False
        self._lock = threading.Lock()
        #: for the registry's own host, and for others
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._base = f"{origin.scheme}://{origin}"
        self._pools: dict[Origin, Pool] = {}
        self._limits: dict[Origin, HostLimits] = {}
        if options.connect_to and options.proxy:
            raise InvalidOption("cannot be combined with proxy.", subject="connect_to", hint="Leave out one of them.")

    # -- one request
    def request(
        self,
        method: str,
        url: str,
        headers: t.Mapping[str, str],
        body: Body = None,
        *,
        attempts: int | None = None,
        read_whole: int = 0,
        at_once: bool = False,
        once: bool = False,
    ) -> Response:
        """Send a request until it is answered with something other than "try again", and return the answer unread.

        A body that is not bytes can be sent once only: its failures are the caller's to repeat. Redirects are returned.
        With `read_whole` an answer with 200 has been read, up to so many bytes (else AnswerTooLarge), and one that breaks off is
        no answer. `at_once`: do not wait for a place (see Gate). `once`: like a body that is not bytes. `url` may be a path at the
        registry itself. Raises ConnectionFailed and its like when no answer came to the last attempt.
        """
        origin, target = self.parse(url)
        limits = self.limits(origin)
        tries = attempts or self.options.attempts
        can_repeat = not once and (body is None or isinstance(body, bytes))
        attempt = 0
        failed = False
        while True:
            try:
                response = self._send(method, target, origin, limits, headers, body, at_once, once)
                response.failed_before = failed
                if read_whole and response.status == 200:
                    response.body(read_whole)
            except ConnectionFailed:
                attempt += 1
                failed = True
                if not can_repeat or attempt >= tries:
                    raise
                time.sleep(backoff(attempt))
                continue
            if response.status not in RETRIED or self.is_final(response):
                return response
            attempt += 1
            failed = failed or response.status not in OVERLOADED
            wait = response.headers.get("Retry-After") or response.headers.get("X-Retry-After")
            asked = retry_after(wait, date=response.headers.get("Date"))
            last = attempt >= tries * (PATIENCE_WITH_429 if response.status == 429 else 1)
            # "0" and moments in the past ask for nothing: without a wait of our own all attempts would be gone at once
            pause = asked or backoff(attempt)
            if response.status in OVERLOADED or asked:
                limits.pause(pause)
            if not can_repeat or last:
                return response
            response.drain()
            if response.status not in OVERLOADED and not asked:
                # this request failed, the host as a whole may be well: nobody else waits
                time.sleep(pause)

    def follow(
        self, method: str, url: str, headers: t.Mapping[str, str], *, secret_headers: t.Mapping[str, str], read_whole: int = 0
    ) -> Response:
        """Send a request without body and follow redirects; `secret_headers` go to the registry's own origin only."""
        seen = set()
        while True:
            origin = self.parse(url)[0]
            everything = {**headers, **secret_headers} if origin == self.origin else dict(headers)
            response = self.request(method, url, everything, read_whole=read_whole)
            if response.status not in REDIRECTS or "location" not in response.headers:
                return response
            response.drain()
            seen.add(response.url)
            target = joined(response.url, response.headers["location"])
            if origin.scheme == "https" and origin_of(target).scheme != "https":
                raise RedirectRefused(
                    f"redirects from https to plain http on {origin_of(target)}.",
                    subject=str(origin),
                    hint="Have the registry's storage or proxy answer with https addresses.",
                )
            if target in seen or len(seen) >= MOST_REDIRECTS:
                raise RedirectRefused("redirects in a loop.", subject=str(origin), hint="Report it to the registry's operator.")
            url = target

    def parse(self, url: str) -> tuple[Origin, str]:
        """Where a request goes, and the target that it names there: path and query. A path alone is one of the registry's own."""
        if url.startswith("/"):
            return self.origin, url
        origin = origin_of(url)
        parts = urlsplit(url)
        return origin, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _send(
        self,
        method: str,
        target: str,
        origin: Origin,
        limits: HostLimits,
        headers: t.Mapping[str, str],
        body: Body,
        at_once: bool,
        once: bool,
    ) -> Response:
        gate = limits.gate
        gate.acquire(at_once)
        overloaded = False
        released = False

        def release() -> None:
            gate.release(overloaded)

        try:
            # only now, for the host may have asked for a pause while this request waited for its place
            limits.wait()
            everything = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
            began = time.monotonic()
            answer = self._pool(origin).request(method, target, everything, body, once)
            if not body:
                gate.answered(time.monotonic() - began)
            overloaded = answer.status in OVERLOADED
            if "warning" in answer.headers:
                for line in answer.headers.get_list("warning"):
                    self._warn(origin, line)
            base = self._base if origin is self.origin else f"{origin.scheme}://{origin}"
            response = Response(answer, base + target, release)
            released = True
            if method == "HEAD":
                response.close()
            return response
        except OSError as error:
            overloaded = isinstance(error, (ReadTimeout, ConnectTimeout))
            raise _translate(error, origin, timeouts=self.options) from error
        finally:
            if not released:
                release()

    # -- what is shared
    def limits(self, origin: Origin) -> HostLimits:
        """The limits of a host, made when it is first talked to."""
        found = self._limits.get(origin)
        if found is None:
            with self._lock:
                rate = make_rate(self.options.requests_per_second)
                found = self._limits.setdefault(origin, HostLimits(Gate(self.options.concurrency), rate))
        return found

    @property
    def requests(self) -> int:
        """Requests sent so far, to the registry and to the hosts that it sent us to."""
        return sum(limits.requests for limits in list(self._limits.values()))

    def _pool(self, origin: Origin) -> Pool:
        found = self._pools.get(origin)
        if found is None:
            with self._lock:
                if origin not in self._pools:
                    self._drop_a_stranger()
                    self._pools[origin] = Pool(self._route(origin), str(origin))
                found = self._pools[origin]
        return found

    def _drop_a_stranger(self) -> None:
        """Give up the connections to the host that was met first, where there are very many. The lock is held."""
        if len(self._pools) >= MOST_HOSTS:
            oldest = next(one for one in self._pools if one != self.origin)
            self._pools.pop(oldest).close()

    def _route(self, origin: Origin) -> Route:
        options = self.options
        # who we are is for the registry's own host to know
        own = origin.host == self.origin.host
        if origin.scheme == "https" and own not in self._contexts:
            self._contexts[own] = make_context(str(self.origin), options.tls, introduces=own)
        host, port = origin.host, origin.port
        if options.connect_to and origin == self.origin:
            host, port = _split_address(options.connect_to, origin.port)
        return Route(
            host,
            port,
            origin.host,
            origin.port,
            self._contexts[own] if origin.scheme == "https" else None,
            self._make_proxy(self._proxy(origin)),
            options.connect_timeout,
            options.read_timeout,
        )

    def own_proxy(self, address: str) -> str:
        """The proxy of the options on the way to another address; empty where they name none, or the address is reached without it."""
        return self._proxy(origin_of(address)) if self.options.proxy else ""

    def _proxy(self, origin: Origin) -> str:
        if self.options.connect_to and origin == self.origin:
            return ""
        proxies = _proxies_of(os.environ)
        if self.options.proxy:
            proxies = {"http": self.options.proxy, "https": self.options.proxy, "no": self.options.no_proxy or proxies.get("no", "")}
        elif self.options.no_proxy:
            proxies["no"] = self.options.no_proxy
        proxy = proxies.get(origin.scheme) or proxies.get("all", "")
        if not proxy or _bypasses(origin, proxies.get("no", "")):
            return ""
        return proxy if "://" in proxy else f"http://{proxy}"

    def _make_proxy(self, proxy: str) -> Proxy | None:
        if not proxy:
            return None
        try:
            parts = urlsplit(proxy)
            where = Origin(parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        except ValueError:
            # without its cause: that quotes the address, which may hold a password
            where = Origin("", "", 0)
        if where.scheme not in ("http", "https") or not where.host:
            raise InvalidOption(
                "is no http or https address of a proxy.",
                subject="proxy",
                hint="Write it as http://host:port, with %-escapes for special characters in user name and password.",
            )
        context = None
        if where.scheme == "https":
            # who we are is for the registry to know
            context = make_context(str(where), self.options.tls, introduces=False)
        return Proxy(where.host, where.port, parts.username, parts.password or "", context)

    def _warn(self, origin: Origin, line: str) -> None:
        for said in _WARNING.findall(line) or [line]:
            # a server's words end up on terminals
            shown = "".join(char if char.isprintable() else " " for char in re.sub(r"\\(.)", r"\1", said))
            text = f"{origin}: {shown[:500]}"
            with self._lock:
                if text not in self.warnings and len(self.warnings) < MOST_WARNINGS:
                    self.warnings.append(text)

    def close(self) -> None:
        """Drop all connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()


def _proxies_of(environment: t.Mapping[str, str]) -> dict[str, str]:
    """The proxies that variables name: {"http": ..., "https": ..., "all": ..., "no": ...}; names in small letters win.

    (As urllib.request does it, which takes longer to import than all of this collection.)
    """
    found = {}
    for name, value in environment.items():
        if value and name.upper().endswith("_PROXY") and (name, "REQUEST_METHOD" in environment) != ("HTTP_PROXY", True):
            # in a CGI script HTTP_PROXY is a header that anybody can send
            found[name[:-6].lower()] = value
    for name, value in environment.items():
        if name.endswith("_proxy"):
            found[name[:-6].lower()] = value
    return {name: value for name, value in found.items() if value}


def _bypasses(origin: Origin, no_proxy: str) -> bool:
    """Whether `no_proxy` names a host: itself or a domain that it is in, with or without a port; "*" is all."""
    if no_proxy.strip() == "*":
        return True
    host = origin.host.lower()
    for entry in no_proxy.split(","):
        name = entry.strip().lstrip(".").lower()
        for written in (host, f"{host}:{origin.port}"):
            if name and (written == name or written.endswith(f".{name}")):
                return True
    return False


def _split_address(address: str, default_port: int) -> tuple[str, int]:
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]/\s@]+)(?::([0-9]{1,5}))?", address)
    if not match or not 0 < int(match.group(2) or default_port) < 65536:
        raise InvalidOption("is no host or host:port.", subject="connect_to", hint="Write it as 10.0.0.5:5000 or registry-1.internal.")
    return match.group(1).strip("[]"), int(match.group(2) or default_port)


def _translate(error: OSError, origin: Origin, timeouts: HTTPOptions | None = None) -> MigrationError:
    """What went wrong with a connection, in our words. No URL is quoted: its query may hold a signature."""
    where = str(origin)
    if isinstance(error, ssl.SSLCertVerificationError):
        return untrusted(where, error.verify_message, timeouts.tls if timeouts else TLSOptions())
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).lower().replace("_", " ")
        if "wrong version number" in reason or "http request" in reason or "record layer failure" in reason:
            return SchemeMismatch(
                "speaks plain http on this port, not TLS.",
                subject=where,
                hint="Check the port, or set plain_http: true if the registry really has no TLS.",
            )
        if "certificate required" in reason or "handshake failure" in reason or "bad certificate" in reason:
            return CertificateUntrusted(
                "wants a client certificate, or another one.", subject=where, hint="Give client_cert and client_key."
            )
        return ConnectionFailed(f"TLS failed: {reason}.", subject=where, hint="Check the server's TLS versions and certificate.")
    if isinstance(error, ProxyRefused):
        if error.status == 407:
            return proxy_refusal()
        return ConnectionFailed("the proxy did not let the connection through.", subject=where, hint="Check proxy and no_proxy.")
    if isinstance(error, NameUnknown):
        return ConnectionFailed("the host name cannot be resolved.", subject=where, hint="Check the name and the DNS of this machine.")
    if isinstance(error, NoConnection):
        return ConnectionFailed("the connection was refused or has no route.", subject=where, hint="Check host, port and firewalls.")
    if isinstance(error, ConnectTimeout):
        seconds = f" within {timeouts.connect_timeout:g} s" if timeouts else ""
        return ConnectionFailed(f"no connection{seconds}.", subject=where, hint="Check the address, the port and firewalls.")
    if isinstance(error, (ReadTimeout, socket.timeout)):
        seconds = f" for {timeouts.read_timeout:g} s" if timeouts else ""
        return ConnectionFailed(f"sent nothing{seconds}.", subject=where, hint="Raise read_timeout if the registry is that slow.")
    if isinstance(error, NotHTTP):
        if origin.scheme == "https":
            return ConnectionFailed("answered with something that is not HTTP.", subject=where, hint="Check host and port.")
        return SchemeMismatch("does not speak plain http on this port.", subject=where, hint="Set plain_http: false if it has TLS.")
    return ConnectionFailed(f"the connection broke ({error}).", subject=where, hint="It has been tried again as often as allowed.")


def proxy_refusal() -> MigrationError:
    """What 407 means."""
    return AuthenticationFailed(
        "wants a user name and a password, or others.",
        subject="proxy",
        hint="Write them into its address: http://user:password@host:port, with %-escapes for special characters.",
    )

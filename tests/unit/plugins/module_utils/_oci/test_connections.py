# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes over the wire and how what comes is read: heads, framings, hostile answers, connections that are used again."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci import connections
from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import (
    Answer,
    Body,
    Connection,
    ConnectionBroke,
    Headers,
    NotHTTP,
    Pool,
    Proxy,
    Route,
)
from ansible_collections.registryops.migration.tests.unit.plugins.module_utils._oci.made_answers import Socket, wire

HOST = "registry.example.com"
ROUTE = Route(HOST, 5000, HOST, 5000)
OK = wire(200, b"text", {"Content-Length": "4"})


class Sockets:
    """The sockets that a pool gets, one after the other, and those that it has got."""

    def __init__(self, *arriving: bytes) -> None:
        self.made = [Socket(data) for data in arriving]
        self.given: list[Socket] = []

    def connect(self, route: Route) -> Socket:
        self.given.append(self.made.pop(0))
        return self.given[-1]


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., Sockets]:
    def play(*arriving: bytes) -> Sockets:
        sockets = Sockets(*arriving)
        monkeypatch.setattr(connections, "connect", sockets.connect)
        return sockets

    return play


def whole(answer: Answer) -> bytes:
    pieces = []
    while data := answer.read():
        pieces.append(data)
    return b"".join(pieces)


def answer_to(data: bytes, method: str = "GET", piece: int = 1 << 16) -> Answer:
    return Connection(Socket(data, piece)).answer(method, lambda connection: None)


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "headers", "body", "sent"),
    [
        ("GET", {"Accept": "a/b"}, None, b"GET /v2/?a=b HTTP/1.1\r\nHost: registry.example.com:5000\r\nAccept: a/b\r\n\r\n"),
        ("POST", {}, b"", b"POST /v2/?a=b HTTP/1.1\r\nHost: registry.example.com:5000\r\nContent-Length: 0\r\n\r\n"),
        ("PUT", {}, b"xyz", b"PUT /v2/?a=b HTTP/1.1\r\nHost: registry.example.com:5000\r\nContent-Length: 3\r\n\r\nxyz"),
        (
            "PUT",
            {"Content-Length": "4"},
            [b"ab", b"cd"],
            b"PUT /v2/?a=b HTTP/1.1\r\nHost: registry.example.com:5000\r\nContent-Length: 4\r\n\r\nabcd",
        ),
    ],
)
def test_a_request_as_it_travels(method: str, headers: dict[str, str], body: Body, sent: bytes, plays):
    sockets = plays(OK)
    Pool(ROUTE, f"{HOST}:5000").request(method, "/v2/?a=b", headers, body)
    assert sockets.given[0].sent == sent


def test_a_large_body_travels_too(plays):
    sockets = plays(OK)
    body = b"x" * 1_000_000
    Pool(ROUTE, HOST).request("PUT", "/", {}, body)
    assert sockets.given[0].sent.endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("/a b", "/a%20b"),
        ("/ü?ä=1", "/%C3%BC?%C3%A4=1"),
        ("/a%20b", "/a%20b"),
        ("/x\r\nEvil: 1", "/x%0D%0AEvil:%201"),
        ("/{x}", "/%7Bx%7D"),
    ],
)
def test_a_target_is_one_word(target, line, plays):
    sockets = plays(OK)
    Pool(ROUTE, HOST).request("GET", target, {})
    assert sockets.given[0].sent.startswith(f"GET {line} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize("headers", [{"X": "a\r\nEvil: 1"}, {"X": "a\nb"}, {"X\r\nY": "a"}, {"X": "a\r"}])
def test_a_header_that_breaks_its_line_is_never_sent(headers, plays):
    sockets = plays(OK)
    with pytest.raises(ValueError, match="line break"):
        Pool(ROUTE, HOST).request("GET", "/", headers)
    assert not sockets.given


def test_a_body_of_unknown_length_is_a_mistake_of_ours(plays):
    plays(OK)
    with pytest.raises(ValueError, match="length"):
        Pool(ROUTE, HOST).request("PUT", "/", {}, iter([b"x"]))


def test_plain_http_through_a_proxy_names_the_server(plays):
    sockets = plays(OK)
    route = Route(HOST, 5000, HOST, 5000, proxy=Proxy("proxy", 3128, "me", "secret"))
    Pool(route, f"{HOST}:5000").request("GET", "/v2/", {})
    lines = sockets.given[0].sent.decode().split("\r\n")
    assert lines[0] == f"GET http://{HOST}:5000/v2/ HTTP/1.1"
    assert "Proxy-Authorization: Basic bWU6c2VjcmV0" in lines


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [1, 2, 7, 1 << 16])
@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        b"HTTP/1.1 200\r\ncontent-length:11\r\n\r\nhello world",
        b"HTTP/1.1 200 OK\nContent-Length: 11\n\nhello world",
        b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nContent-Length: 11\r\n\r\nhello world",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        b"HTTP/1.1 200 OK\r\n\r\nhello world",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nb\r\nhello world\r\n0\r\n\r\n",
    ],
)
def test_framings(data, piece):
    answer = answer_to(data, piece=piece)
    assert answer.status == 200
    assert whole(answer) == b"hello world"
    assert answer.at_end


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 404)])
def test_answers_without_a_body(method, status):
    answer = answer_to(wire(status, b"", {"Content-Length": "100"}), method)
    assert answer.at_end
    assert answer.read() == b""


@pytest.mark.parametrize(
    "data",
    [
        b"\x15\x03\x01\x00\x02\x02",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: ²\r\n\r\n".encode("latin-1"),
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * (connections.MOST_HEAD + 10),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 30,
    ],
)
def test_what_is_no_answer(data):
    with pytest.raises(NotHTTP):
        answer_to(data)


@pytest.mark.parametrize("length", [b"", b"x", b"-1", b"0x10", b"1" * 16, b"5 5", b"1" * (connections.MOST_LINE + 10)])
def test_lengths_of_chunks_that_are_none(length):
    answer = answer_to(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + length + b"\r\nhello\r\n0\r\n\r\n")
    with pytest.raises(NotHTTP):
        whole(answer)


def test_a_chunk_that_is_longer_than_it_says():
    answer = answer_to(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n")
    with pytest.raises(NotHTTP):
        whole(answer)


def test_trailers_without_end():
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 20_000
    with pytest.raises(NotHTTP):
        whole(answer_to(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ],
)
def test_answers_that_break_off(data):
    with pytest.raises(ConnectionBroke):
        whole(answer_to(data))


def test_header_fields():
    data = b"HTTP/1.1 200 OK\r\nWWW-Authenticate: Basic\r\nwww-authenticate: Bearer\r\nX: long\r\n  line\r\nEmpty:\r\n\r\n"
    headers = answer_to(data).headers
    assert headers["WWW-Authenticate"] == "Basic, Bearer"
    assert headers.get_list("Www-Authenticate") == ["Basic", "Bearer"]
    assert headers["x"] == "long line"
    assert headers.get("Empty") == ""
    assert "missing" not in headers
    assert sorted(headers) == ["empty", "www-authenticate", "x"]
    assert len(Headers()) == 0


# -- connections that are kept -----------------------------------------------------------------------------------------


def read(pool: Pool, method: str = "GET", body: Body = None) -> bytes:
    answer = pool.request(method, "/", {"Content-Length": "1"} if body else {}, body)
    try:
        return whole(answer)
    finally:
        answer.close()


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "is_dead", lambda self: False)


def test_a_connection_is_used_again(alive, plays):
    sockets = plays(OK * 3)
    # each answer comes when it has been asked for
    sockets.made[0].piece = len(OK)
    pool = Pool(ROUTE, HOST)
    assert [read(pool) for _unused in range(3)] == [b"text"] * 3
    assert len(sockets.given) == 1


@pytest.mark.parametrize(
    "first",
    [
        wire(200, b"text", {"Content-Length": "4", "Connection": "close"}),
        wire(200, b"text", {"Content-Length": "4", "Connection": "Close, x"}),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        wire(200, b"text", {}),
        # more than was asked for: it must not be taken for the next answer
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ],
)
def test_a_connection_that_is_not_used_again(first, alive, plays):
    sockets = plays(first, OK)
    pool = Pool(ROUTE, HOST)
    read(pool)
    assert sockets.given[0].closed
    assert read(pool) == b"text"


def test_a_connection_that_was_closed_meanwhile_costs_nothing(alive, plays):
    sockets = plays(OK, OK)
    pool = Pool(ROUTE, HOST)
    assert [read(pool), read(pool)] == [b"text"] * 2
    assert sockets.given[0].closed


def test_a_new_connection_that_breaks_is_a_failure(plays):
    plays(b"", OK)
    with pytest.raises(ConnectionBroke):
        read(Pool(ROUTE, HOST))


@pytest.mark.parametrize(("method", "body"), [("PATCH", b"x"), ("PUT", iter([b"x"]))])
def test_what_must_not_be_sent_twice_is_not(method, body, alive, plays):
    plays(OK, OK)
    pool = Pool(ROUTE, HOST)
    read(pool)
    with pytest.raises(ConnectionBroke):
        read(pool, method, body)


def test_what_may_come_once_is_sent_once(alive, plays):
    sockets = plays(OK, OK)
    pool = Pool(ROUTE, HOST)
    read(pool)
    with pytest.raises(ConnectionBroke):
        pool.request("POST", "/", {}, b"x", once=True)
    assert len(sockets.given) == 1


def test_a_dead_connection_is_not_used_for_what_must_not_be_sent_twice(monkeypatch, plays):
    monkeypatch.setattr(Connection, "is_dead", lambda self: True)
    sockets = plays(OK, OK)
    pool = Pool(ROUTE, HOST)
    read(pool)
    assert read(pool, "PATCH", b"x") == b"text"
    assert len(sockets.given) == 2


def test_closing_drops_what_is_idle_now_and_what_becomes_idle_later(alive, plays):
    sockets = plays(OK, OK)
    pool = Pool(ROUTE, HOST)
    busy = pool.request("GET", "/", {})
    read(pool)
    pool.close()
    assert [one.closed for one in sockets.given] == [False, True]
    whole(busy)
    busy.close()
    assert sockets.given[0].closed


class Refusing(Socket):
    """A server that answers before it has read everything, and hangs up."""

    def sendall(self, data: bytes) -> None:
        super().sendall(data)
        if len(self.sent) > 100_000:
            raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("body", [b"x" * 200_000, [b"x" * 60_000] * 4])
def test_an_answer_that_comes_before_the_end_of_the_request_is_heard(body, monkeypatch):
    monkeypatch.setattr(connections, "connect", lambda route: Refusing(wire(413, b"", {"Content-Length": "0"})))
    answer = Pool(ROUTE, HOST).request("PUT", "/", {"Content-Length": "240000"}, body)
    assert answer.status == 413


def test_a_refusal_without_an_answer_is_a_broken_connection(monkeypatch):
    monkeypatch.setattr(connections, "connect", lambda route: Refusing(b""))
    with pytest.raises(ConnectionBroke):
        Pool(ROUTE, HOST).request("PUT", "/", {}, b"x" * 200_000)


def test_what_the_body_raises_ends_the_connection(monkeypatch):
    def body() -> t.Iterator[bytes]:
        yield b"half"
        raise RuntimeError("the source failed")

    sock = Socket(OK)
    monkeypatch.setattr(connections, "connect", lambda route: sock)
    with pytest.raises(RuntimeError):
        Pool(ROUTE, HOST).request("PUT", "/", {"Content-Length": "8"}, body())
    assert sock.closed

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault proxy: each fault has to be the one that it is said to be, or the tests with it show nothing."""

from __future__ import annotations

import gzip
import http.client
import ssl
import time
import typing as t

import pytest
from estate import images
from estate.client import Access, Client
from estate.fault_proxy import FOR_GOOD, Fault, FaultProxy, flip
from estate.push import push_blob

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.certificates import CertificateAuthority
    from estate.counting import CountingRegistry

SET = images.small_set()
NAME, HELD = next(iter(SET.repositories.items()))
DIGEST, DATA = max(HELD.blobs.items(), key=lambda item: len(item[1]))
BLOB = f"/v2/{NAME}/blobs/{DIGEST}"
NEW = b"a blob that the registry does not have yet" * 1000


@pytest.fixture
def registry(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    registry = counting_registry()
    registry.load(SET)
    return registry


@pytest.fixture
def proxy(registry: CountingRegistry) -> t.Iterator[FaultProxy]:
    with FaultProxy(registry) as proxy:
        yield proxy


def ask(proxy: FaultProxy, method: str = "GET", path: str = BLOB, body: bytes | None = None, timeout: float = 10) -> t.Any:
    """Status, headers and body, on a connection of its own."""
    connection = http.client.HTTPConnection(proxy.host, timeout=timeout)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_without_a_fault_it_is_not_there(registry, proxy):
    status, headers, body = ask(proxy)
    assert (status, body) == (200, DATA)
    assert headers["Docker-Content-Digest"] == DIGEST
    with Client(proxy.access) as client:
        # the address of the upload in between leads back to the proxy
        digest = push_blob(client, NAME, NEW)
        assert client.request("HEAD", f"/v2/{NAME}/blobs/{digest}").header("Content-Length") == str(len(NEW))
    assert registry.blob(NAME, digest) == NEW
    assert [one.method for one in proxy.log] == ["GET", "POST", "PUT", "HEAD"]
    assert [one.method for one in registry.log] == ["GET", "POST", "PUT", "HEAD"]


def test_which_requests_meet_a_fault(proxy):
    proxy.faults = [Fault("GET .*blobs", after=1, times=2, status=503)]
    assert [ask(proxy)[0] for _unused in range(5)] == [200, 503, 503, 200, 200]
    proxy.faults = [Fault("GET", each=True, status=503)]
    paths = [BLOB, BLOB, "/v2/", "/v2/", BLOB]
    assert [ask(proxy, path=path)[0] for path in paths] == [503, 200, 503, 200, 200]
    assert proxy.faults[0].met == 2
    assert [one.fault is not None for one in proxy.requests("GET")][5:] == [True, False, True, False, False]


def test_an_answer_of_its_own(registry, proxy):
    proxy.faults = [Fault("", status=429, headers={"Retry-After": lambda: "7", "X-Other": "a"}, body=b"slowly")]
    status, headers, body = ask(proxy, "PUT", BLOB, b"body")
    assert (status, headers["Retry-After"], headers["X-Other"], body) == (429, "7", "a", b"slowly")
    assert registry.log == []


@pytest.mark.parametrize(("reset", "carried_out"), [("before", 0), ("lost", 1)])
def test_a_reset_in_place_of_an_answer(reset, carried_out, registry, proxy):
    proxy.faults = [Fault("", reset=reset)]
    with pytest.raises(ConnectionResetError):
        ask(proxy)
    assert registry.count() == carried_out


def test_a_reset_in_an_answer(proxy):
    proxy.faults = [Fault("", reset="answer", at=1)]
    connection = http.client.HTTPConnection(proxy.host, timeout=10)
    connection.request("GET", BLOB)
    response = connection.getresponse()
    assert response.read(1) == DATA[:1]
    with pytest.raises(ConnectionResetError):
        response.read(1)
    connection.close()


def test_a_reset_after_an_answer(proxy):
    proxy.faults = [Fault("", reset="after")]
    connection = http.client.HTTPConnection(proxy.host, timeout=10)
    connection.request("GET", BLOB)
    assert connection.getresponse().read() == DATA
    # what comes after the answer is the RST
    with pytest.raises(ConnectionResetError):
        connection.sock.recv(1)
    connection.close()


def test_a_reset_in_a_request(registry, proxy):
    with Client(Access(proxy.url)) as client:
        location = client.request("POST", f"/v2/{NAME}/blobs/uploads/", b"").header("Location")
    proxy.faults = [Fault("PUT", reset="request", at=5_000)]
    path = location.removeprefix(proxy.url)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        ask(proxy, "PUT", f"{path}&digest={images.digest_of(NEW)}", NEW)
    assert {one.status for one in registry.log if one.method == "PUT"} <= {0}
    assert images.digest_of(NEW) not in registry.snapshot()[NAME].blobs


def test_a_short_body(proxy):
    proxy.faults = [Fault("", keep=2)]
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(proxy)
    assert caught.value.partial == DATA[:2]
    assert caught.value.expected == len(DATA) - 2


@pytest.mark.parametrize("stall_at", [None, 0, 3])
def test_a_stall(stall_at, proxy):
    proxy.faults = [Fault("", stall=FOR_GOOD, stall_at=stall_at)]
    with pytest.raises(TimeoutError):
        ask(proxy, timeout=0.2)
    proxy.faults = [Fault("", stall=0.3, stall_at=stall_at)]
    started = time.monotonic()
    assert ask(proxy)[2] == DATA
    assert time.monotonic() - started >= 0.3


def test_a_trickle(proxy):
    proxy.faults = [Fault("", piece=-(-len(DATA) // 2), pause=0.1)]
    started = time.monotonic()
    assert ask(proxy)[2] == DATA
    assert time.monotonic() - started >= 0.1


def test_bytes_that_change(registry, proxy):
    proxy.faults = [Fault("GET", change_answer=flip(1)), Fault("PUT", change_request=flip(-1))]
    body = ask(proxy)[2]
    assert body != DATA
    assert flip(1)(body) == DATA
    with Client(Access(proxy.url)) as client:
        location = client.request("POST", f"/v2/{NAME}/blobs/uploads/", b"").header("Location")
        path = f"{location.removeprefix(proxy.url)}&digest={images.digest_of(NEW)}"
        assert client.request("PUT", path, NEW).json()["errors"][0]["code"] == "DIGEST_INVALID"
    assert images.digest_of(NEW) not in registry.snapshot()[NAME].blobs


def test_headers_that_change(proxy):
    changed = Fault("GET", set_headers={"docker-content-digest": None, "X-New": "1"})
    moved = Fault("POST", location=lambda location: f"{location}&more", path=lambda path: path.partition("?")[0])
    proxy.faults = [changed, moved]
    headers = ask(proxy)[1]
    assert (headers["Docker-Content-Digest"], headers["X-New"]) == (None, "1")
    status, headers, _unused = ask(proxy, "POST", f"/v2/{NAME}/blobs/uploads/?mount={DIGEST}&from={NAME}", b"")
    assert status == 202
    assert headers["Location"].endswith("&more")


def test_gzip(proxy):
    proxy.faults = [Fault("", gzip=True)]
    _unused, headers, body = ask(proxy)
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == DATA


def test_tls_and_headers_for_the_server(registry: CountingRegistry, certificate_authority: CertificateAuthority) -> None:
    context = certificate_authority.server_context()
    with FaultProxy(registry, ssl_context=context, adds={"Authorization": "Basic YTpi"}) as proxy:
        trust = ssl.create_default_context(cafile=str(certificate_authority.certificate))
        connection = http.client.HTTPSConnection(proxy.host, timeout=10, context=trust)
        connection.request("GET", BLOB)
        assert connection.getresponse().read() == DATA
        connection.close()
        assert "authorization" not in proxy.log[0].headers
    (arrived,) = registry.log
    sent = {name.lower(): value for name, value in arrived.headers.items()}
    assert (sent["authorization"], sent["x-forwarded-proto"], sent["host"]) == ("Basic YTpi", "https", proxy.host)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections, TLS, proxies, retries, pauses and redirects against servers that really answer, or really do not."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import gzip
import itertools
import json
import shutil
import socket
import threading
import time
import traceback
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour, Rule
from estate.certificates import CertificateAuthority, KeyPair
from estate.counting import CountingRegistry
from estate.proxy import Proxy
from estate.push import push
from runs.wire import blob, connect, credential_of, noise

from ansible_collections.registryops.migration.plugins.module_utils._oci import http as our_http
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import RegistryClient
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConnectionFailed,
    InvalidAnswer,
    MigrationError,
    RedirectRefused,
    SchemeMismatch,
    ServerFailed,
    TooManyRequests,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import HostLimits, Rate
from ansible_collections.registryops.migration.plugins.module_utils._oci.tls import TLSOptions

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.registry import Registry, RegistryFactory

NAME, TAG = "small/image", "one"
SMALL = images.small_set()
DIGEST = SMALL.tags()[NAME, TAG]
CANARY = "canary-4711-secret"
PATIENCE = 20.0
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's proxies, home folder or patience."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(our_http, "backoff", lambda attempt: 0.001 * attempt)


@pytest.fixture
def registry(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    """A counting registry that holds the small set."""
    registry = counting_registry()
    registry.load(SMALL)
    return registry


@pytest.fixture
def secure(counting_registry: MakeCountingRegistry, certificate_authority: CertificateAuthority) -> CountingRegistry:
    """The same with TLS."""
    registry = counting_registry(authority=certificate_authority)
    registry.load(SMALL)
    return registry


@pytest.fixture(scope="module")
def plain_registry(module_registries: RegistryFactory) -> Registry:
    """docker-registry without TLS."""
    registry = module_registries.start("plain")
    push(registry.url, SMALL)
    return registry


@pytest.fixture(scope="module")
def tls_registry(module_registries: RegistryFactory) -> Registry:
    """docker-registry with TLS."""
    registry = module_registries.start("tls", tls=True)
    push(registry.url, SMALL, ca_file=registry.ca_file)
    return registry


@pytest.fixture(scope="module")
def mutual_registry(module_registries: RegistryFactory) -> Registry:
    """docker-registry that wants a certificate of its clients."""
    return module_registries.start("mutual", client_certificates=True)


def reads(client: RegistryClient) -> bool:
    """Whether the tag of the small set can be read."""
    return client.get_manifest(NAME, TAG).digest == DIGEST


def in_threads(count: int, work: t.Callable[[int], t.Any]) -> list[t.Any]:
    """The work of so many threads that start together."""
    together = threading.Barrier(count)

    def one(number: int) -> t.Any:
        together.wait(PATIENCE)
        return work(number)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


class RawServer:
    """Speaks as the test tells it: `talk` is called with each connection, in a thread of its own."""

    def __init__(self, talk: t.Callable[[socket.socket, int], None], family: socket.AddressFamily = socket.AF_INET) -> None:
        self._talk = talk
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family)
        self.port = self._listener.getsockname()[1]
        self.host = f"{'[::1]' if family == socket.AF_INET6 else '127.0.0.1'}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            for number in itertools.count():
                connection, _address = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            self._talk(connection, number)

    def __enter__(self) -> RawServer:
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def client(self) -> RegistryClient:
        """A client that expects plain http."""
        return RegistryClient(self.host, plain_http=True, options=our_http.HTTPOptions(attempts=2, read_timeout=5))


def next_request(connection: socket.socket) -> bytes:
    """Head of the next request; empty at the end."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(4096)
        if not data:
            return b""
        head += data
    return head


# -- connections -------------------------------------------------------------------------------------------------------


def test_one_worker_needs_one_connection(registry):
    registry.behaviour.delete_tags = True
    client = connect(registry)
    data = noise("one connection", 300_000)
    client.ping()
    assert client.head_manifest(NAME, TAG).digest == DIGEST
    assert reads(client)
    assert client.head_manifest(NAME, "absent") is None
    with pytest.raises(MigrationError):
        client.get_manifest(NAME, "absent")
    assert list(client.repositories()) == [NAME]
    assert client.tags(NAME)
    client.put_blob(NAME, client.start_upload(NAME), blob(data).digest, data, len(data))
    client.put_blob(NAME, client.start_upload(NAME), blob(data).digest, iter([data[:9], data[9:]]), len(data))
    reader = client.open_blob(NAME, blob(data))
    assert b"".join(reader) == data
    reader.close()
    assert client.delete_manifest(NAME, TAG)
    assert registry.connections() == 1


@pytest.mark.parametrize(
    ("method", "rule"), [("HEAD", None), ("GET", Rule(status=200)), ("POST", Rule(status=204)), ("DELETE", Rule(status=404))]
)
def test_answers_without_a_body_leave_their_connection_in_order(method, rule, registry):
    """Also while the answer is still looked at: the next request must not find its connection busy, and be sent twice."""
    client = connect(registry, attempts=1)
    registry.behaviour.rules += [dataclasses.replace(rule)] if rule else []
    answer = client.transport.request(method, f"{registry.url}/v2/{NAME}/manifests/{TAG}", {"Accept": "*/*"})
    answer.close()
    client.transport.request("PUT", f"{registry.url}/v2/", {"Content-Length": "1"}, iter([b"x"])).close()
    assert answer.status
    assert registry.connections() == 1


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_no_more_connections_than_places(workers, registry):
    client = connect(registry, concurrency=workers)
    registry.behaviour.latency = 0.002
    in_threads(16, lambda number: [reads(client) for _unused in range(5)])
    assert registry.count() == 80
    assert registry.connections() <= workers


def test_connections_over_tls_are_kept_as_well(secure):
    client = connect(secure, concurrency=4)
    in_threads(8, lambda number: [reads(client) for _unused in range(5)])
    assert secure.connections() <= 4


def test_a_connection_that_the_server_has_closed_meanwhile_costs_nothing(registry):
    client = connect(registry, attempts=1)
    assert reads(client)
    registry.behaviour.rules.append(Rule(action="answer", status=200, headers={"Connection": "close"}, body=b"{}"))
    client.ping()
    assert reads(client)


def test_closing_drops_the_connections(registry):
    client = connect(registry)
    assert reads(client)
    client.close()
    assert reads(client)
    assert registry.connections() == 2


def test_an_answer_in_chunks_keeps_its_connection(registry):
    parts = (b'{"tags": ["a", "b', b'"]}', b"")
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)

    def talk(connection: socket.socket, number: int) -> None:
        assert number == 0
        while next_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)

    with RawServer(talk) as server:
        client = server.client
        assert client.tags("app") == ["a", "b"]
        assert client.tags("app") == ["a", "b"]


def test_what_is_left_of_an_answer_is_never_taken_for_the_next_one(registry):
    """An error's body that does not end: its connection is dropped, also when its rest is still on the way."""
    half_sent = threading.Event()

    def talk(connection: socket.socket, number: int) -> None:
        if next_request(connection) and number == 0:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n" + b"x" * (2 << 20))
            half_sent.wait(PATIENCE)
            connection.sendall(b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + b'{"tags": ["no"]}')
        while number:
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"tags": ["yes"]}')
            if not next_request(connection):
                return

    with RawServer(talk) as server:
        client = server.client
        with pytest.raises(MigrationError):
            client.tags("app")
        half_sent.set()
        assert client.tags("app") == ["yes"]


def test_ipv6():
    def talk(connection: socket.socket, number: int) -> None:
        while head := next_request(connection):
            assert f"Host: {server.host}\r\n".encode() in head
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"tags": ["a"]}')

    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with RawServer(talk, socket.AF_INET6) as server:
        assert server.client.tags("app") == ["a"]


# -- TLS ---------------------------------------------------------------------------------------------------------------


def test_an_authority_of_ones_own(tls_registry):
    assert reads(connect(tls_registry))


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("value", ["/does/not/exist", "/etc/hostname"])
def test_variables_of_other_programs_do_not_matter(variable, value, tls_registry, monkeypatch):
    monkeypatch.setenv(variable, value)
    assert reads(connect(tls_registry))


def test_a_variable_does_not_make_trusted_what_the_options_do_not(tls_registry, monkeypatch):
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(variable, str(tls_registry.ca_file))
    with pytest.raises(CertificateUntrusted):
        connect(tls_registry, tls=TLSOptions(certs_dirs=())).ping()


@pytest.mark.parametrize("ca", ["none", "other"])
def test_a_certificate_that_nobody_trusts(ca, tls_registry, untrusted_authority):
    path = str(untrusted_authority.certificate) if ca == "other" else ""
    with pytest.raises(CertificateUntrusted) as caught:
        connect(tls_registry, tls=TLSOptions(ca_path=path, certs_dirs=())).ping()
    assert caught.value.subject == tls_registry.host
    assert "ca_path" in caught.value.hint
    assert not caught.value.transient


def test_a_certificate_that_nobody_trusts_is_not_asked_for_again(secure):
    started = time.monotonic()
    with pytest.raises(CertificateUntrusted):
        connect(secure, tls=TLSOptions(certs_dirs=()), attempts=50).ping()
    assert time.monotonic() - started < PATIENCE
    assert secure.log == []


def test_validation_can_be_switched_off(tls_registry):
    assert reads(connect(tls_registry, tls=TLSOptions(validate_certs=False, certs_dirs=())))
    # the name does not matter any more, either
    host = f"registry.test:{tls_registry.port}"
    assert reads(connect(tls_registry, host=host, tls=TLSOptions(validate_certs=False, certs_dirs=()), connect_to="127.0.0.1"))


def test_the_folders_of_docker_and_podman(tls_registry, tmp_path):
    folder = tmp_path / "certs.d" / tls_registry.host
    folder.mkdir(parents=True)
    shutil.copy(tls_registry.ca_file, folder / "ca.crt")
    assert reads(connect(tls_registry, tls=TLSOptions(certs_dirs=("~/missing", "~/certs.d"))))


def test_the_folder_of_another_host_does_not_help(tls_registry, tmp_path):
    folder = tmp_path / "certs.d" / "localhost:1"
    folder.mkdir(parents=True)
    shutil.copy(tls_registry.ca_file, folder / "ca.crt")
    with pytest.raises(CertificateUntrusted):
        connect(tls_registry, tls=TLSOptions(certs_dirs=("~/certs.d",))).ping()


def test_a_client_certificate(mutual_registry):
    pair, ca = mutual_registry.client_certificate, str(mutual_registry.ca_file)
    connect(mutual_registry, tls=TLSOptions(ca_path=ca, client_cert=str(pair.certificate), client_key=str(pair.key), certs_dirs=())).ping()


def test_a_client_certificate_of_certs_d(mutual_registry, tmp_path):
    folder = tmp_path / "certs.d" / mutual_registry.host
    folder.mkdir(parents=True)
    shutil.copy(mutual_registry.ca_file, folder / "ca.crt")
    shutil.copy(mutual_registry.client_certificate.certificate, folder / "client.cert")
    shutil.copy(mutual_registry.client_certificate.key, folder / "client.key")
    connect(mutual_registry, tls=TLSOptions(certs_dirs=(str(tmp_path / "certs.d"),))).ping()


def test_a_missing_client_certificate(mutual_registry):
    with pytest.raises(CertificateUntrusted) as caught:
        connect(mutual_registry).ping()
    assert "client_cert" in caught.value.hint


def test_another_authoritys_client_certificate(mutual_registry, untrusted_authority):
    pair: KeyPair = untrusted_authority.client()
    tls = TLSOptions(ca_path=str(mutual_registry.ca_file), client_cert=str(pair.certificate), client_key=str(pair.key), certs_dirs=())
    with pytest.raises(MigrationError) as caught:
        connect(mutual_registry, tls=tls).ping()
    assert type(caught.value) in (CertificateUntrusted, ConnectionFailed)
    assert "certificate" in str(caught.value)


# -- the wrong scheme --------------------------------------------------------------------------------------------------


def test_plain_http_to_a_tls_port(tls_registry):
    with pytest.raises(SchemeMismatch) as caught:
        connect(tls_registry, plain_http=True).ping()
    assert caught.value.subject == tls_registry.host
    assert "speaks TLS" in caught.value.message
    assert "plain_http" in caught.value.hint
    assert "false" in caught.value.hint


def test_tls_to_a_plain_http_port(plain_registry):
    with pytest.raises(SchemeMismatch) as caught:
        connect(plain_registry, plain_http=False).ping()
    assert caught.value.subject == plain_registry.host
    assert "speaks plain http" in caught.value.message
    assert "plain_http: true" in caught.value.hint


def test_plain_http_to_a_port_that_answers_with_an_alert():
    def talk(connection: socket.socket, number: int) -> None:
        next_request(connection)
        connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46\n")

    with RawServer(talk) as server:
        with pytest.raises(SchemeMismatch) as caught:
            server.client.ping()
    assert "plain_http: false" in caught.value.hint


# -- another address ---------------------------------------------------------------------------------------------------


class NamedAuthority(CertificateAuthority):
    """Its servers are `registry.test`, whatever they are asked to be."""

    def server(self, name: str = "named", names: t.Sequence[str] = (), addresses: t.Sequence[str] = ()) -> KeyPair:
        return super().server(name, ("registry.test",), ())


@pytest.fixture
def named(counting_registry: MakeCountingRegistry, tmp_path: Path) -> CountingRegistry:
    """A registry that no DNS knows, with a certificate for its name alone."""
    registry = counting_registry(authority=NamedAuthority(tmp_path / "named"))
    registry.load(SMALL)
    return registry


def test_connect_to_another_address_under_the_registrys_name(named):
    client = connect(named, host="registry.test", connect_to=named.host)
    assert reads(client)
    assert named.log[0].headers["host"] == "registry.test"
    assert client.get_manifest(NAME, DIGEST).digest == DIGEST


def test_connect_to_keeps_the_port_of_the_name(named):
    assert reads(connect(named, host=f"registry.test:{named.port}", connect_to="127.0.0.1"))


def test_the_name_is_still_checked(named):
    with pytest.raises(CertificateUntrusted) as caught:
        connect(named, host="other.test", connect_to=named.host, attempts=50).ping()
    assert caught.value.subject == "other.test"
    assert "other.test" in caught.value.message
    with pytest.raises(CertificateUntrusted):
        connect(named).ping()


def test_plain_http_to_another_address(registry):
    client = connect(registry, host="registry.test", connect_to=registry.host)
    assert reads(client)
    assert registry.log[0].headers["host"] == "registry.test"


def test_uploads_go_to_the_other_address_as_well(named):
    client = connect(named, host="registry.test", connect_to=named.host)
    data = noise("connect_to", 5000)
    client.put_blob("new", client.start_upload("new"), blob(data).digest, data, len(data))
    assert named.blob("new", blob(data).digest) == data


# -- proxies -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def make_proxy() -> t.Iterator[t.Callable[..., Proxy]]:
    with contextlib.ExitStack() as started:
        yield lambda *arguments, **options: started.enter_context(Proxy(*arguments, **options))


def test_plain_http_through_a_proxy(registry, make_proxy):
    proxy = make_proxy()
    client = connect(registry, proxy=proxy.url)
    assert reads(client)
    data = noise("through a proxy", 200_000)
    client.put_blob("new", client.start_upload("new"), blob(data).digest, iter([data[:100], data[100:]]), len(data))
    assert registry.blob("new", blob(data).digest) == data
    assert proxy.log[0].method == "GET"
    assert proxy.log[0].target == f"{registry.url}/v2/{NAME}/manifests/{TAG}"
    assert len(proxy.log) == registry.count()


def test_tls_through_a_proxy(tls_registry, make_proxy):
    proxy = make_proxy()
    client = connect(tls_registry, proxy=proxy.url)
    assert reads(client)
    assert client.head_manifest(NAME, TAG).digest == DIGEST
    # a tunnel is kept like any connection
    assert [(one.method, one.target, one.status) for one in proxy.log] == [("CONNECT", tls_registry.host, 200)]


def test_the_proxy_finds_names_that_nobody_else_knows(named, make_proxy):
    proxy = make_proxy(names={"registry.test": "127.0.0.1"})
    assert reads(connect(named, host=f"registry.test:{named.port}", proxy=proxy.url))


def test_a_certificate_is_checked_through_a_proxy_too(tls_registry, make_proxy):
    with pytest.raises(CertificateUntrusted):
        connect(tls_registry, proxy=make_proxy().url, tls=TLSOptions(certs_dirs=())).ping()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_with_a_password(scheme, registry, tls_registry, make_proxy):
    proxy = make_proxy({"me@home": f"{CANARY}/%"})
    address = proxy.url.replace("//", f"//me%40home:{CANARY}%2F%25@")
    where = registry if scheme == "http" else tls_registry
    assert reads(connect(where, proxy=address))
    assert {one.status for one in proxy.log} == {200}


@pytest.mark.parametrize("user", ["", f"me:{CANARY}@"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses(scheme, user, registry, tls_registry, make_proxy):
    proxy = make_proxy({"me": "another"})
    where = registry if scheme == "http" else tls_registry
    with pytest.raises(AuthenticationFailed) as caught:
        connect(where, proxy=proxy.url.replace("//", f"//{user}")).ping()
    assert caught.value.subject == "proxy"
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert len(proxy.log) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxys_password_goes_no_further(scheme, registry, secure, make_proxy):
    proxy = make_proxy({"me": CANARY})
    where = registry if scheme == "http" else secure
    assert reads(connect(where, proxy=proxy.url.replace("//", f"//me:{CANARY}@")))
    assert not any("proxy-authorization" in one.headers for one in where.log)


def test_a_proxy_never_sees_the_registrys_password_over_tls(secure, make_proxy):
    secure.behaviour = Behaviour(authentication="basic", users={"alice": CANARY})
    proxy = make_proxy()
    assert reads(connect(secure, credential_of(secure), proxy=proxy.url))
    assert not any("authorization" in one.headers for one in proxy.log)


def test_a_proxy_with_tls_of_its_own(tls_registry, certificate_authority, make_proxy):
    proxy = make_proxy(ssl_context=certificate_authority.server_context())
    assert proxy.url.startswith("https://")
    assert reads(connect(tls_registry, proxy=proxy.url))
    assert proxy.log[0].method == "CONNECT"


def test_no_proxy(registry, make_proxy):
    proxy = make_proxy()
    assert reads(connect(registry, proxy=proxy.url, no_proxy="somewhere,127.0.0.1"))
    assert proxy.log == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("variable", ["{scheme}_proxy", "{SCHEME}_PROXY", "all_proxy"])
def test_variables_name_proxies(scheme, variable, registry, tls_registry, make_proxy, monkeypatch):
    proxy = make_proxy()
    monkeypatch.setenv(variable.format(scheme=scheme, SCHEME=scheme.upper()), proxy.url)
    where = registry if scheme == "http" else tls_registry
    assert reads(connect(where))
    assert proxy.log
    proxy.log.clear()
    monkeypatch.setenv("no_proxy", where.host)
    assert reads(connect(where))
    assert proxy.log == []


def test_storage_elsewhere_is_fetched_through_the_proxy_as_well(registry, make_proxy):
    registry.behaviour.storage_host = "localhost"
    proxy = make_proxy()
    digest, data = next(iter(SMALL.repositories[NAME].blobs.items()))
    reader = connect(registry, proxy=proxy.url).open_blob(NAME, blob(data))
    assert b"".join(reader) == data
    assert blob(data).digest == digest
    assert [one.target.split("/")[2].split(":")[0] for one in proxy.log] == ["127.0.0.1", "localhost"]


def test_a_proxy_that_is_not_there(registry):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(ConnectionFailed) as caught:
        connect(registry, proxy=address, attempts=2).ping()
    assert "proxy" in str(caught.value)


def test_a_registry_that_the_proxy_cannot_reach(make_proxy, tls_registry):
    with pytest.raises(ConnectionFailed) as caught:
        connect(tls_registry, host="localhost:1", proxy=make_proxy().url, attempts=2).ping()
    assert "proxy" in str(caught.value)


# -- timeouts and hosts that are not there -----------------------------------------------------------------------------


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        host = f"127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(ConnectionFailed) as caught:
        RegistryClient(host, plain_http=True).ping()
    assert caught.value.subject == host
    assert "refused" in caught.value.message
    assert caught.value.transient


def test_a_name_that_does_not_exist():
    with pytest.raises(ConnectionFailed) as caught:
        RegistryClient("registry.invalid").ping()
    assert "cannot be resolved" in caught.value.message


def test_a_host_that_takes_no_connection():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with contextlib.ExitStack() as full:
            # connections that nobody takes out of the queue: with it full, the next ones stay without an answer
            for _unused in range(4):
                waiting = full.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(address)
            options = our_http.HTTPOptions(connect_timeout=0.2, attempts=1)
            client = RegistryClient(":".join(map(str, address)), plain_http=True, options=options)
            with pytest.raises(ConnectionFailed) as caught:
                client.head_manifest(NAME, TAG)
    assert "no connection within 0.2 s" in caught.value.message


def test_a_server_that_is_silent(registry):
    registry.behaviour.rules.append(Rule(action="delay", delay=60, times=None))
    with pytest.raises(ConnectionFailed) as caught:
        connect(registry, read_timeout=0.1, attempts=2).ping()
    assert "sent nothing for 0.1 s" in caught.value.message
    assert "read_timeout" in caught.value.hint


def test_a_server_that_is_silent_once(registry):
    registry.behaviour.rules.append(Rule(action="delay", delay=60))
    assert reads(connect(registry, read_timeout=0.2))


def test_an_answer_that_falls_silent_is_asked_for_again():
    over = threading.Event()

    def talk(connection: socket.socket, number: int) -> None:
        next_request(connection)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"tags": ')
        if number == 0:
            over.wait(PATIENCE)
        else:
            connection.sendall(b'["a"]}')

    with RawServer(talk) as server:
        options = our_http.HTTPOptions(attempts=2, read_timeout=0.2)
        assert RegistryClient(server.host, plain_http=True, options=options).tags("app") == ["a"]
        over.set()


# -- retries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["reset", "close", "lose_answer"])
def test_broken_connections_are_tried_again(action, registry):
    registry.behaviour.rules.append(Rule(action=action, times=2))
    assert reads(connect(registry))
    assert registry.count() == 3


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_errors_are_tried_again(status, registry):
    registry.behaviour.rules.append(Rule(status=status, times=2))
    assert reads(connect(registry))
    assert registry.count() == 3


@pytest.mark.parametrize(("status", "kind"), [(500, ServerFailed), (503, ServerFailed), (429, TooManyRequests)])
def test_errors_that_do_not_pass_are_given_up(status, kind, registry):
    registry.behaviour.rules.append(Rule(status=status, times=None))
    with pytest.raises(kind):
        reads(connect(registry, attempts=2))
    assert registry.count() == (8 if status == 429 else 2)


def test_an_answer_that_breaks_off_is_asked_for_again(registry):
    registry.behaviour.rules.append(Rule(action="cut", keep=20, times=2, path="/manifests/"))
    assert reads(connect(registry))
    assert registry.count() == 3


def test_a_head_an_upload_and_a_deletion_are_tried_again(registry):
    client = connect(registry)
    registry.behaviour.rules = [Rule(method=method, action="reset") for method in ("HEAD", "POST", "PUT", "DELETE")]
    assert client.head_manifest(NAME, TAG).digest == DIGEST
    data = noise("tried again", 500)
    client.put_blob(NAME, client.start_upload(NAME), blob(data).digest, data, len(data))
    assert client.delete_manifest(NAME, DIGEST)
    assert all(rule.done == 1 for rule in registry.behaviour.rules)


def test_a_body_that_streams_is_not_sent_twice(registry):
    client = connect(registry)
    upload = client.start_upload(NAME)
    registry.behaviour.rules.append(Rule(method="PUT", status=503))
    data = noise("streams", 500)
    with pytest.raises(ServerFailed):
        client.put_blob(NAME, upload, blob(data).digest, iter([data]), len(data))
    assert registry.count("PUT") == 1


# -- pauses and limits -------------------------------------------------------------------------------------------------


def pause_everybody(client: RegistryClient, registry: CountingRegistry, retry_after: str) -> float:
    """One request is told to come again later (and is not repeated); returns when that was."""
    registry.behaviour.rules.append(Rule(method="PUT", status=429, headers={"Retry-After": retry_after}))
    with pytest.raises(TooManyRequests):
        client.put_blob(NAME, client.start_upload(NAME), DIGEST, iter([b"x"]), 1)
    return registry.log[-1].at


def test_a_pause_holds_for_all_workers(registry):
    client = connect(registry)
    told = pause_everybody(client, registry, "1")
    registry.reset_log()
    assert all(in_threads(8, lambda number: reads(client)))
    assert len(registry.log) == 8
    assert min(one.at for one in registry.log) >= told + 0.99


@pytest.mark.parametrize("form", ["seconds", "date", "unix"])
def test_forms_of_retry_after(form, registry, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(HostLimits, "pause", lambda self, seconds: pauses.append(seconds))
    registry.behaviour.throttle_every, registry.behaviour.retry_after, registry.behaviour.retry_after_seconds = 2, form, 30
    client = connect(registry)
    assert reads(client)
    assert reads(client)
    (pause,) = pauses
    assert 28 < pause <= 30


def test_no_retry_after_is_a_pause_too(registry):
    registry.behaviour.throttle_every, registry.behaviour.retry_after = 2, "none"
    client = connect(registry)
    assert all(reads(client) for _unused in range(10))


def test_storage_is_another_host_with_a_pause_of_its_own(registry):
    registry.behaviour.storage_host = "localhost"
    client = connect(registry)
    registry.behaviour.rules.append(Rule(path="^/storage/", status=429, headers={"Retry-After": "600"}))
    client.transport.request("GET", f"http://localhost:{registry.port}/storage/x", {"Content-Length": "0"}, iter([])).close()
    assert reads(client)


def test_places_shrink_and_grow(registry):
    client = connect(registry, concurrency=8)
    gate = client.transport.limits(client.origin).gate
    registry.behaviour.rules.append(Rule(status=503))
    assert reads(client)
    assert 4 <= gate.limit < 5
    in_threads(8, lambda number: [reads(client) for _unused in range(8)])
    assert gate.limit == 8


def test_requests_a_second(registry):
    client = connect(registry, requests_per_second=50)
    started = time.monotonic()
    in_threads(4, lambda number: [reads(client) for _unused in range(3)])
    assert registry.count() == 12
    assert time.monotonic() - started >= 11 / 50


def test_bytes_a_second_over_all_readers(registry):
    client = connect(registry, bandwidth=Rate(8 << 20))
    data = noise("a mebibyte", 1 << 20)
    client.put_blob(NAME, client.start_upload(NAME), blob(data).digest, data, len(data))

    def read(number: int) -> bytes:
        with contextlib.closing(client.open_blob(NAME, blob(data))) as reader:
            return b"".join(reader)

    started = time.monotonic()
    assert in_threads(4, read) == [data] * 4
    # the first mebibyte is free, each further one has to wait for those before it
    assert time.monotonic() - started >= 3 / 8


# -- redirects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authentication", ["basic", "bearer"])
def test_storage_on_another_host_never_sees_who_we_are(authentication, registry):
    registry.behaviour = Behaviour(authentication=authentication, users={"alice": CANARY}, storage_host="localhost")
    client = connect(registry, credential_of(registry))
    for data in SMALL.repositories[NAME].blobs.values():
        with contextlib.closing(client.open_blob(NAME, blob(data))) as reader:
            assert b"".join(reader) == data
    storage = [one for one in registry.log if one.kind == "storage"]
    assert len(storage) == len(SMALL.repositories[NAME].blobs)
    assert all("authorization" not in one.headers and one.status == 200 for one in storage)
    assert all(one.headers["host"].startswith("localhost:") for one in storage)


def test_a_download_goes_on_at_the_storage(registry):
    registry.behaviour.storage_host, registry.behaviour.cut = "localhost", 1000
    data = noise("storage", 5000)
    client = connect(registry)
    client.put_blob(NAME, client.start_upload(NAME), blob(data).digest, data, len(data))
    with contextlib.closing(client.open_blob(NAME, blob(data))) as reader:
        assert b"".join(reader) == data
    assert [one.headers.get("range") for one in registry.log if one.kind == "storage"] == [None, "bytes=1000-"]


def test_a_redirect_in_a_circle(registry):
    registry.behaviour.rules.append(Rule(path="/blobs/", status=307, headers={"Location": f"/v2/{NAME}/blobs/{DIGEST}"}, times=None))
    with pytest.raises(RedirectRefused):
        connect(registry).head_blob(NAME, DIGEST)
    assert registry.count() == 1


def test_no_redirect_from_https_to_http(secure, registry):
    secure.behaviour.rules.append(Rule(path="/blobs/", status=307, headers={"Location": f"{registry.url}/storage/x"}, times=None))
    with pytest.raises(RedirectRefused):
        connect(secure).head_blob(NAME, DIGEST)
    assert registry.log == []


def test_no_upload_from_https_to_http(secure, registry):
    location = f"http://localhost:{registry.port}/v2/{NAME}/blobs/uploads/x"
    secure.behaviour.rules.append(Rule(method="POST", status=202, headers={"Location": location}))
    with pytest.raises(RedirectRefused):
        connect(secure).start_upload(NAME)
    assert registry.log == []


@pytest.mark.parametrize("method", ["get", "head"])
def test_manifests_and_lists_may_be_elsewhere(method, registry, counting_registry):
    """As at registries that only know where to send people."""
    front = counting_registry()
    elsewhere = f"http://localhost:{registry.port}"
    front.behaviour.rules += [
        Rule(path="/manifests/", status=307, headers={"Location": f"{elsewhere}/v2/{NAME}/manifests/{TAG}"}),
        Rule(path="/tags/", status=307, headers={"Location": f"{elsewhere}/v2/{NAME}/tags/list"}),
    ]
    client = connect(front)
    assert (client.get_manifest if method == "get" else client.head_manifest)(NAME, TAG).digest == DIGEST
    assert client.tags(NAME) == sorted(SMALL.repositories[NAME].tags)


# -- what else servers send --------------------------------------------------------------------------------------------


def test_warnings_are_kept_once(registry):
    registry.behaviour.warning = "this registry will be switched off"
    client = connect(registry)
    in_threads(4, lambda number: reads(client))
    assert client.transport.warnings == [f"{registry.host}: this registry will be switched off"]


def test_a_server_that_compresses_unasked(registry):
    manifest = registry.manifest(NAME, TAG)
    rule = Rule(
        path="/manifests/",
        status=200,
        headers={"Content-Encoding": "gzip", "Content-Type": manifest.media_type},
        body=gzip.compress(manifest.data),
    )
    registry.behaviour.rules.append(rule)
    assert reads(connect(registry))
    assert registry.log[0].headers["accept-encoding"] == "identity"


def test_a_list_that_does_not_end(registry, monkeypatch):
    monkeypatch.setattr("ansible_collections.registryops.migration.plugins.module_utils._oci.client.LIST_BODY", 1000)
    registry.behaviour.rules.append(Rule(path="/tags/", status=200, body=b'{"tags": [' + b'"x",' * 1000))
    with pytest.raises(InvalidAnswer):
        connect(registry).tags(NAME)


def test_a_web_page_in_place_of_a_registry(registry):
    registry.behaviour.rules.append(Rule(path="/tags/", status=200, headers={"Content-Type": "text/html"}, body=b"<html>Welcome</html>"))
    with pytest.raises(InvalidAnswer) as caught:
        connect(registry).tags(NAME)
    assert "web page" in caught.value.hint


def test_netrc_is_never_read(registry, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login alice password {CANARY}\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    registry.behaviour = Behaviour(authentication="basic", users={"alice": CANARY})
    with pytest.raises(AuthenticationFailed):
        connect(registry).tags(NAME)
    assert not any("authorization" in one.headers for one in registry.log)


# -- secrets -----------------------------------------------------------------------------------------------------------

FAULTS = {
    "reset": Rule(action="reset", times=None, path="/v2/.+"),
    "close": Rule(action="close", times=None, path="/v2/.+"),
    "500": Rule(status=500, times=None, path="/v2/.+"),
    "429": Rule(status=429, times=None, path="/v2/.+"),
    "page": Rule(status=200, body=b"<html>", times=None, path="/v2/.+"),
    "circle": Rule(status=307, headers={"Location": "/v2/x"}, times=None, path="/v2/.+"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("authentication", ["basic", "bearer"])
def test_no_secret_gets_into_an_error(authentication, fault, registry):
    registry.behaviour = Behaviour(authentication=authentication, users={"alice": CANARY}, rules=[dataclasses.replace(FAULTS[fault])])
    told: set[str] = {CANARY}
    client = connect(registry, Credential("alice", CANARY), on_secret=told.add, attempts=2)
    calls: list[t.Callable[[], t.Any]] = [
        lambda: client.tags(NAME),
        lambda: client.get_manifest(NAME, TAG),
        lambda: client.head_blob(NAME, DIGEST),
        lambda: client.start_upload(NAME),
        lambda: client.open_blob(NAME, blob(b"x")).close(),
        lambda: list(client.repositories()),
    ]
    failed = 0
    for call in calls:
        try:
            call()
        except MigrationError as error:
            failed += 1
            text = "".join(traceback.format_exception(error)) + repr(error) + repr(error.as_row())
            assert not any(secret in text for secret in told)
    assert failed >= 2


@pytest.mark.parametrize("authentication", ["basic", "bearer"])
def test_a_server_that_quotes_what_it_was_sent(authentication, registry):
    registry.behaviour = Behaviour(authentication=authentication, users={"alice": CANARY})
    told: set[str] = {CANARY}
    client = connect(registry, Credential("alice", CANARY), on_secret=told.add)
    assert reads(client)
    for secret in sorted(told):
        for body in (secret.encode(), json.dumps({"errors": [{"code": "DENIED", "message": f"who is {secret}?"}]}).encode()):
            registry.behaviour.rules.append(Rule(status=403, body=body))
            with pytest.raises(MigrationError) as caught:
                client.get_manifest(NAME, TAG)
            assert secret not in str(caught.value)
            assert "***" in str(caught.value)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The counting registry: it answers as docker-registry does, and each of its knobs does what its name says."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import email.utils
import gzip
import http.client
import json
import socket
import ssl
import time
import typing as t
import urllib.parse

import pytest
from estate import compare, images
from estate.behaviour import Behaviour, Rule
from estate.client import ACCEPT, Access, Answer, Client, UnexpectedAnswer
from estate.counting import CountingRegistry
from estate.push import push, push_blob

if t.TYPE_CHECKING:
    from estate.certificates import CertificateAuthority
    from estate.registry import RegistryFactory

USERS = {"alice": "in chains"}
NAME = "small/image"
LAYER = images.layer("small", 5_000)
IMAGE_DIGEST = images.small_set().tags()[NAME, "one"]
IMAGE = images.small_set().repositories[NAME].manifests[IMAGE_DIGEST]
ZEROS = "sha256:" + "0" * 64
OCI = {"Content-Type": images.OCI_MANIFEST}
UPLOADS = f"/v2/{NAME}/blobs/uploads/"


@pytest.fixture
def small(counting_registry: t.Any) -> CountingRegistry:
    """A counting registry that holds the small set."""
    registry: CountingRegistry = counting_registry()
    registry.load(images.small_set())
    return registry


@pytest.fixture
def client(small: CountingRegistry) -> t.Iterator[Client]:
    with Client(small.access) as client:
        yield client


def codes(answer: Answer) -> list[str]:
    return [one["code"] for one in answer.json()["errors"]]


def begin_upload(client: Client, name: str = NAME) -> str:
    return client.request("POST", f"/v2/{name}/blobs/uploads/", b"", expect=(202,)).header("Location")


def put_manifest(client: Client, reference: str, manifest: images.Manifest, name: str = NAME) -> Answer:
    return client.request("PUT", f"/v2/{name}/manifests/{reference}", manifest.data, {"Content-Type": manifest.media_type})


# -- beside the real one -----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Probe:
    """A request that both registries must answer alike; `{upload}` is the Location of an upload that has begun.

    `ours`: the status of the counting registry where it goes by the specification and docker-registry does not.
    """

    method: str
    path: str
    body: bytes = b""
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    ours: int = 0


def _manifest_of(media_type: str, **parts: t.Any) -> bytes:
    return images.compact({"schemaVersion": 2, "mediaType": media_type, **parts})


WITHOUT_CONFIG = _manifest_of(images.OCI_MANIFEST, config={"mediaType": images.OCI_CONFIG, "size": 1, "digest": ZEROS}, layers=[])
SPARSE = _manifest_of(images.OCI_INDEX, manifests=[{"mediaType": images.OCI_MANIFEST, "size": 1, "digest": ZEROS}])
READ = {"Accept": ACCEPT}
PROBES = {
    "ping": Probe("GET", "/v2/"),
    "catalogue": Probe("GET", "/v2/_catalog"),
    "catalogue, a page": Probe("GET", "/v2/_catalog?n=1"),
    "tags": Probe("GET", f"/v2/{NAME}/tags/list"),
    "tags of an unknown repository": Probe("GET", "/v2/no/such/tags/list"),
    "tags of a repository of blobs": Probe("GET", "/v2/only/blobs/tags/list"),
    "manifest": Probe("GET", f"/v2/{NAME}/manifests/one", headers=READ),
    "manifest, HEAD": Probe("HEAD", f"/v2/{NAME}/manifests/one", headers=READ),
    "manifest by digest": Probe("GET", f"/v2/{NAME}/manifests/{IMAGE_DIGEST}", headers=READ),
    "manifest without Accept": Probe("HEAD", f"/v2/{NAME}/manifests/one"),
    "manifest with any Accept": Probe("GET", f"/v2/{NAME}/manifests/index", headers={"Accept": "*/*"}),
    "manifest with another Accept": Probe("GET", f"/v2/{NAME}/manifests/one", headers={"Accept": images.DOCKER_MANIFEST}),
    "manifest not modified": Probe("GET", f"/v2/{NAME}/manifests/one", headers={**READ, "If-None-Match": f'"{IMAGE_DIGEST}"'}),
    "unknown tag": Probe("GET", f"/v2/{NAME}/manifests/nine", headers=READ),
    "unknown digest": Probe("GET", f"/v2/{NAME}/manifests/{ZEROS}", headers=READ),
    "tag cannot be deleted": Probe("DELETE", f"/v2/{NAME}/manifests/one"),
    "referrers": Probe("GET", f"/v2/{NAME}/referrers/{IMAGE_DIGEST}"),
    "blob": Probe("GET", f"/v2/{NAME}/blobs/{LAYER.digest}"),
    "blob, HEAD": Probe("HEAD", f"/v2/{NAME}/blobs/{LAYER.digest}"),
    "part of a blob": Probe("GET", f"/v2/{NAME}/blobs/{LAYER.digest}", headers={"Range": "bytes=10-19"}),
    "rest of a blob": Probe("GET", f"/v2/{NAME}/blobs/{LAYER.digest}", headers={"Range": "bytes=5000-"}),
    "unknown blob": Probe("GET", f"/v2/{NAME}/blobs/{ZEROS}"),
    "blob of another repository": Probe("HEAD", f"/v2/only/blobs/blobs/{LAYER.digest}"),
    "mount": Probe("POST", f"/v2/other/image/blobs/uploads/?mount={LAYER.digest}&from={NAME}"),
    "mount from itself": Probe("POST", f"{UPLOADS}?mount={LAYER.digest}&from={NAME}"),
    "mount from elsewhere": Probe("POST", f"/v2/third/image/blobs/uploads/?mount={LAYER.digest}&from=only/blobs"),
    "mount from nowhere": Probe("POST", f"/v2/third/image/blobs/uploads/?mount={LAYER.digest}"),
    "single POST": Probe("POST", f"{UPLOADS}?digest={images.digest_of(b'x')}", b"x"),
    "upload": Probe("PUT", f"{{upload}}&digest={images.digest_of(b'data')}", b"data"),
    "upload of nothing": Probe("PUT", f"{{upload}}&digest={images.digest_of(b'')}"),
    "upload with another digest": Probe("PUT", f"{{upload}}&digest={ZEROS}", b"data"),
    "upload without a digest": Probe("PUT", "{upload}", b"data"),
    "upload that nobody began": Probe("PUT", f"{UPLOADS}nine?digest={ZEROS}", b"data"),
    "upload, a part": Probe("PATCH", "{upload}", b"data", {"Content-Type": "application/octet-stream"}),
    "upload, its status": Probe("GET", "{upload}"),
    "manifest under a tag": Probe("PUT", f"/v2/{NAME}/manifests/three", IMAGE.data, OCI),
    "manifest under its digest": Probe("PUT", f"/v2/{NAME}/manifests/{IMAGE_DIGEST}", IMAGE.data, OCI),
    "manifest with tags in the query": Probe("PUT", f"/v2/{NAME}/manifests/{IMAGE_DIGEST}?tag=a&tag=b", IMAGE.data, OCI),
    "manifest under another digest": Probe("PUT", f"/v2/{NAME}/manifests/{ZEROS}", IMAGE.data, OCI),
    "manifest with another type": Probe("PUT", f"/v2/{NAME}/manifests/x", IMAGE.data, {"Content-Type": images.OCI_INDEX}),
    "manifest that is none": Probe("PUT", f"/v2/{NAME}/manifests/x", b"no JSON", OCI),
    "manifest without its config": Probe("PUT", f"/v2/{NAME}/manifests/x", WITHOUT_CONFIG, OCI),
    "index without its manifest": Probe("PUT", f"/v2/{NAME}/manifests/x", SPARSE, {"Content-Type": images.OCI_INDEX}),
    "illegal tag": Probe("PUT", f"/v2/{NAME}/manifests/-x", IMAGE.data, OCI, ours=400),
    "illegal name": Probe("GET", "/v2/Small/image/tags/list", ours=400),
    "more names than it likes": Probe("GET", "/v2/_catalog?n=1001", ours=200),
    "catalogue in the end": Probe("GET", "/v2/_catalog"),
    "tags in the end": Probe("GET", f"/v2/{NAME}/tags/list"),
}


def shown(probe: Probe, client: Client) -> dict[str, t.Any]:
    """What counts of an answer: status, error codes or content, and some headers."""
    path = probe.path.replace("{upload}", begin_upload(client)) if "{upload}" in probe.path else probe.path
    answer = client.request(probe.method, path, probe.body if probe.method in ("PUT", "POST", "PATCH") else None, probe.headers)
    found: dict[str, t.Any] = {"status": answer.status, "type": answer.header("Content-Type")}
    found |= {name: answer.header(name) for name in ("Docker-Content-Digest", "Content-Range", "OCI-Tag", "ETag", "Link")}
    found |= {name: bool(answer.header(name)) for name in ("Location", "Range")}
    if found["type"].startswith("application/json") and answer.body:
        document = answer.json()
        names = {key: sorted(value) if isinstance(value, list) else value for key, value in document.items()}
        found["content"] = codes(answer) if "errors" in document else names
    else:
        found["content"] = answer.body
    return found


def test_counting_registry_answers_as_docker_registry(registries: RegistryFactory, counting_registry: t.Any) -> None:
    real, double = registries.start("real"), counting_registry(Behaviour(referrers=False))
    differences = []
    with Client(real.access) as theirs, Client(double.access) as ours:
        for client in (theirs, ours):
            push(client.access.url, images.small_set())
            push_blob(client, "only/blobs", b"a blob and nothing else")
        for name, probe in PROBES.items():
            expected, found = shown(probe, theirs), shown(probe, ours)
            if probe.ours:
                assert (found["status"], expected["status"] != found["status"]) == (probe.ours, True), name
            else:
                differences += [f"{name}: {key} {expected[key]!r}, ours {found[key]!r}" for key in expected if expected[key] != found[key]]
    assert not differences, "\n".join(differences)


# -- log, content ------------------------------------------------------------------------------------------------------


def test_lab_set_costs_what_it_must(counting_registry: t.Any) -> None:
    lab = images.lab_set()
    pushed, loaded = counting_registry(), counting_registry()
    push(pushed.url, lab, workers=4)
    loaded.load(lab)
    assert pushed.snapshot() == loaded.snapshot()
    # 60 pairs with POST and PUT each; 15 children by digest and 20 tags.
    assert pushed.counts() == {"POST upload": 60, "PUT upload": 60, "PUT manifest": 35}
    assert pushed.count() == len(pushed.log) == 155
    assert (pushed.count("PUT"), pushed.count(kind="manifest"), pushed.count("PUT", "manifest")) == (95, 35, 35)
    assert pushed.bytes_in("upload") == sum(len(data) for held in lab.repositories.values() for data in held.blobs.values())
    assert pushed.connections() <= 4
    pushed.reset_log()
    assert compare.tags_of(pushed) == lab.tags()
    assert pushed.counts() == {"GET catalog": 1, "GET tags": 5, "GET manifest": 20}
    assert pushed.connections() == 1
    assert compare.assert_complete(pushed) == 60
    assert pushed.bytes_out("blob") == sum(len(data) for held in lab.repositories.values() for data in held.blobs.values())


def test_snapshot_and_changes_behind_the_back(small: CountingRegistry, client: Client) -> None:
    state = small.snapshot()[NAME]
    assert state.tags == {tag: digest for (_repository, tag), digest in images.small_set().tags().items()}
    assert state.manifests[IMAGE_DIGEST] == images.OCI_MANIFEST
    assert LAYER.digest in state.blobs
    assert small.manifest(NAME, "one") == small.manifest(NAME, IMAGE_DIGEST) == IMAGE
    assert small.blob(NAME, LAYER.digest) == LAYER.data
    small.forget_blob(NAME, LAYER.digest)
    small.forget_tag(NAME, "two")
    assert client.request("HEAD", f"/v2/{NAME}/blobs/{LAYER.digest}").status == 404
    assert client.request("GET", f"/v2/{NAME}/tags/list").json()["tags"] == ["index", "one"]
    answer = put_manifest(client, "three", IMAGE)
    assert (answer.status, codes(answer), answer.json()["errors"][0]["detail"]) == (400, ["MANIFEST_BLOB_UNKNOWN"], LAYER.digest)
    with pytest.raises(KeyError):
        small.blob(NAME, LAYER.digest)
    small.wipe()
    assert small.snapshot() == {}


def test_log_tells_of_each_request(small: CountingRegistry, client: Client) -> None:
    client.request("GET", f"/v2/{NAME}/blobs/{LAYER.digest}", headers={"X-Mark": "yes"})
    push_blob(client, NAME, b"12345")
    client.request("POST", f"/v2/other/image/blobs/uploads/?mount={LAYER.digest}&from={NAME}", b"")
    client.request("GET", "/somewhere")
    entries = [(one.method, one.kind, one.status, one.bytes_in, one.bytes_out) for one in small.log]
    assert entries == [
        ("GET", "blob", 200, 0, len(LAYER.data)),
        ("POST", "upload", 202, 0, 0),
        ("PUT", "upload", 201, 5, 0),
        ("POST", "mount", 201, 0, 0),
        ("GET", "unknown", 404, 0, len(b"404 page not found\n")),
    ]
    assert small.log[0].headers["x-mark"] == "yes"
    assert len({one.connection for one in small.log}) == 1


def test_thousands_of_requests_are_no_burden(small: CountingRegistry) -> None:
    def ask(client: Client) -> None:
        for _number in range(500):
            client.request("HEAD", f"/v2/{NAME}/manifests/one", headers=READ, expect=(200,))

    with Client(small.access) as client, concurrent.futures.ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(ask, client) for _number in range(4)]:
            future.result()
    assert small.counts() == {"HEAD manifest": 2000}
    assert small.connections() == 4


def test_other_image_sets_are_taken(counting_registry: t.Any) -> None:
    everything = images.demo_set()
    for other in (images.foreign_set(), images.schema1_set(), images.unknown_type_set()):
        everything.update(other)
    registry = counting_registry()
    push(registry.url, everything)
    assert compare.tags_of(registry) == everything.tags()
    compare.assert_complete(registry)


def test_uploads_in_all_forms(small: CountingRegistry, client: Client) -> None:
    data = images.layer("upload", 30_000).data
    location = begin_upload(client)
    for start in (0, 10_000, 20_000):
        part = data[start : start + 10_000]
        answer = client.request("PATCH", location, part, {"Content-Range": f"{start}-{start + len(part) - 1}"}, expect=(202,))
        location = answer.header("Location")
        assert answer.header("Range") == f"0-{start + len(part) - 1}"
    wrong = client.request("PATCH", location, b"x", {"Content-Range": "7-7"})
    assert (wrong.status, wrong.header("Range")) == (416, "0-29999")
    status = client.request("GET", location, expect=(204,))
    assert status.header("Range") == "0-29999"
    location = status.header("Location")
    assert codes(client.request("PUT", f"{location}&digest={ZEROS}", data[30_000:], expect=(400,))) == ["DIGEST_INVALID"]
    client.request("PUT", f"{location}&digest={images.digest_of(data)}", data[30_000:], expect=(201,))
    assert small.blob(NAME, images.digest_of(data)) == data
    assert codes(client.request("PUT", f"{location}&digest={images.digest_of(data)}", b"")) == ["BLOB_UPLOAD_UNKNOWN"]

    small.behaviour.check_content_range = False
    client.request("PATCH", begin_upload(client), b"x", {"Content-Range": "7-7"}, expect=(202,))
    other = images.digest_of(b"sha512", "sha512")
    client.request("PUT", f"{begin_upload(client)}&digest={other}", b"sha512", expect=(201,))
    assert client.blob(NAME, other) == b"sha512"
    location = begin_upload(client)
    client.request("DELETE", location, expect=(204,))
    assert codes(client.request("GET", location, expect=(404,))) == ["BLOB_UPLOAD_UNKNOWN"]


def test_chunked_bodies_and_100_continue(small: CountingRegistry, client: Client) -> None:
    path = begin_upload(client).replace(small.url, "") + f"&digest={images.digest_of(b'in chunks')}"
    connection = http.client.HTTPConnection(small.host, timeout=10)
    try:
        connection.request("PUT", path, iter([b"in ", b"chunks"]), encode_chunked=True)
        response = connection.getresponse()
        response.read()
        assert response.status == 201
    finally:
        connection.close()
    assert small.blob(NAME, images.digest_of(b"in chunks")) == b"in chunks"
    with socket.create_connection(("127.0.0.1", small.port), 10) as raw:
        raw.sendall(b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 100 ")
        raw.sendall(b"abc")
        assert raw.recv(100).startswith(b"HTTP/1.1 202 ")


def test_an_upload_is_lost_when_its_connection_is_cut(small: CountingRegistry, client: Client) -> None:
    for forget, status in ((True, 404), (False, 204)):
        small.behaviour.forget_cut_uploads = forget
        small.reset_log()
        location = begin_upload(client)
        with socket.create_connection(("127.0.0.1", small.port), 10) as raw:
            raw.sendall(f"PATCH {location.replace(small.url, '')} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
        deadline = time.monotonic() + 10
        while small.count("PATCH") == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [(one.status, one.bytes_in) for one in small.log if one.method == "PATCH"] == [(0, 4)]
        assert client.request("GET", location).status == status


def test_tls_and_client_certificates(counting_registry: t.Any, certificate_authority: CertificateAuthority) -> None:
    registry = counting_registry(authority=certificate_authority, client_certificates=True)
    push(registry.url, images.small_set(), ca_file=registry.access.ca_file, client_certificate=registry.access.client_certificate)
    assert compare.tags_of(registry) == images.small_set().tags()
    with Client(dataclasses.replace(registry.access, client_certificate=None)) as client:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            client.request("GET", "/v2/")
    with Client(Access(f"http://{registry.host}")) as client, pytest.raises((http.client.HTTPException, ConnectionError)):
        client.request("GET", "/v2/")
    with Client(registry.access) as client:
        assert begin_upload(client).startswith(f"https://{registry.host}/v2/")


def test_stop_ends_the_server_and_its_connections() -> None:
    registry = CountingRegistry()
    with socket.create_connection(("127.0.0.1", registry.port), 10) as raw:
        raw.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 200 OK")
        registry.behaviour.latency = 60
        raw.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        begun = time.monotonic()
        registry.stop()
        registry.stop()
        with contextlib.suppress(ConnectionResetError):  # what a server sends that had not read the request yet
            assert raw.recv(1) == b""
        assert time.monotonic() - begun < 5
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", registry.port), 1)


# -- authentication ----------------------------------------------------------------------------------------------------


def test_basic(small: CountingRegistry) -> None:
    small.behaviour.authentication = "basic"
    small.behaviour.users = USERS
    for user, password, status in (("", "", 401), ("alice", "wrong", 401), ("bob", USERS["alice"], 401), ("alice", USERS["alice"], 200)):
        with Client(Access(small.url, user, password)) as client:
            assert client.request("GET", "/v2/").status == status
    small.behaviour.users = {}
    with Client(Access(small.url, "anybody", "")) as client:
        assert client.request("GET", "/v2/").status == 200


def token(client: Client, *scopes: str) -> str:
    query = urllib.parse.urlencode([("scope", scope) for scope in scopes])
    return str(client.request("GET", f"/token?{query}", expect=(200,)).json()["token"])


def bearer(client: Client, value: str, method: str, path: str) -> int:
    return client.request(method, path, b"" if method == "POST" else None, {"Authorization": f"Bearer {value}", **READ}).status


def test_bearer_asks_for_scopes(small: CountingRegistry) -> None:
    small.behaviour.authentication = "bearer"
    small.behaviour.users = USERS
    with Client(Access(small.url)) as nobody:
        answer = nobody.request("HEAD", f"/v2/{NAME}/manifests/one")
        assert answer.status == 401
        assert answer.header("WWW-Authenticate") == (
            f'Bearer realm="{small.url}/token",service="counting registry",scope="repository:{NAME}:pull"'
        )
        assert (
            nobody.request("POST", f"/v2/a/blobs/uploads/?mount={LAYER.digest}&from={NAME}")
            .header("WWW-Authenticate")
            .endswith(f'scope="repository:a:pull,push repository:{NAME}:pull"')
        )
    with Client(small.access) as alice:
        assert alice.request("HEAD", f"/v2/{NAME}/manifests/one", headers=READ).status == 200
        assert alice.request("POST", f"/v2/a/blobs/uploads/?mount={LAYER.digest}&from={NAME}", b"").status == 201
        assert compare.tags_of(small) == images.small_set().tags()


def test_tokens_cover_their_scopes_until_they_end(small: CountingRegistry, client: Client) -> None:
    small.behaviour.authentication = "bearer"
    pull, push_too = f"repository:{NAME}:pull", "repository:other:push,pull"
    head = "HEAD", f"/v2/{NAME}/manifests/one"
    post = "POST", "/v2/other/blobs/uploads/"
    both = token(client, f"{pull} {push_too}")
    assert (bearer(client, both, *head), bearer(client, both, *post)) == (200, 202)
    only_pull = token(client, pull, "repository:other:pull")
    assert (bearer(client, only_pull, *head), bearer(client, only_pull, *post)) == (200, 401)
    assert bearer(client, only_pull, "GET", "/v2/_catalog") == 401
    assert bearer(client, "made up", *head) == 401
    small.behaviour.first_scope_only = True
    first = token(client, pull, push_too)
    assert (bearer(client, first, *head), bearer(client, first, *post)) == (200, 401)
    small.behaviour.scope_cap = 1
    assert client.request("GET", f"/token?scope={pull}&scope={push_too}").status == 400
    small.expire_tokens()
    assert bearer(client, both, *head) == 401
    small.behaviour.token_ttl = 0
    ended = token(client, pull)
    assert bearer(client, ended, *head) == 401


def test_token_answers(small: CountingRegistry, client: Client) -> None:
    small.behaviour.users = USERS
    form = {"grant_type": "password", "username": "alice", "password": USERS["alice"], "access_type": "offline"}

    def post(**fields: str) -> Answer:
        return client.request("POST", "/token", urllib.parse.urlencode({**form, **fields}).encode())

    first = post().json()
    assert first["expires_in"] == 300
    again = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "scope": f"repository:{NAME}:pull"}
    second = post(**again).json()
    small.behaviour.authentication = "bearer"
    assert bearer(client, second["access_token"], "HEAD", f"/v2/{NAME}/manifests/one") == 200
    assert post(password="wrong").status == post(grant_type="refresh_token", refresh_token="made up").status == 401
    assert client.request("GET", "/token").status == 401
    small.behaviour.token_names_expiry = False
    assert "expires_in" not in post().json()
    small.behaviour.token_post = False
    assert post().status == 404


# -- speed and limits --------------------------------------------------------------------------------------------------


def test_latency(small: CountingRegistry, client: Client) -> None:
    small.behaviour.latency = 0.05
    begun = time.monotonic()
    client.request("GET", "/v2/")
    assert time.monotonic() - begun >= 0.05


@pytest.mark.parametrize("form", ["seconds", "date", "unix", "none"])
def test_throttle_says_when_to_come_again(small: CountingRegistry, client: Client, form: t.Any) -> None:
    small.behaviour = Behaviour(throttle_every=3, retry_after=form, retry_after_seconds=7)
    found = [client.request("GET", "/v2/") for _number in range(6)]
    assert [one.status for one in found] == [200, 200, 429] * 2
    assert codes(found[2]) == ["TOOMANYREQUESTS"]
    value, now = found[2].header("Retry-After"), time.time()
    if form == "seconds":
        assert value == "7"
    elif form == "date":
        assert 4 < email.utils.parsedate_to_datetime(value).timestamp() - now <= 7
    elif form == "unix":
        assert 4 < int(value) - now <= 7
    else:
        assert value == ""


def test_sizes_are_limited(small: CountingRegistry, client: Client) -> None:
    small.behaviour.max_body = 10
    with pytest.raises(UnexpectedAnswer, match="413"):
        push_blob(client, NAME, b"x" * 11)
    assert push_blob(client, NAME, b"x" * 10)
    data, location = b"y" * 15, begin_upload(client)
    for part in (data[:10], data[10:]):
        location = client.request("PATCH", location, part, expect=(202,)).header("Location")
    client.request("PUT", f"{location}&digest={images.digest_of(data)}", b"", expect=(201,))
    small.behaviour.max_manifest = len(IMAGE.data) - 1
    assert put_manifest(client, "three", IMAGE).status == 413


# -- writing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mount", "expected"),
    [("on", (201, 202, 201)), ("off", (202, 202, 202)), ("deny", (401, 202, 201)), ("anonymous", (201, 201, 201))],
)
def test_mounts(small: CountingRegistry, client: Client, mount: t.Any, expected: tuple[int, int, int]) -> None:
    small.behaviour.mount = mount
    queries = (
        f"/v2/a/blobs/uploads/?mount={LAYER.digest}&from={NAME}",
        f"/v2/b/blobs/uploads/?mount={LAYER.digest}",
        f"{UPLOADS}?mount={LAYER.digest}&from={NAME}",
    )
    assert tuple(client.request("POST", query, b"").status for query in queries) == expected
    assert [LAYER.digest in small.snapshot().get(name, images.Repository()).blobs for name in ("a", "b")] == [
        status == 201 for status in expected[:2]
    ]
    assert {one.kind for one in small.log} <= {"mount", "token"}


def test_a_failed_mount_is_an_upload(small: CountingRegistry, client: Client) -> None:
    small.behaviour.mount = "off"
    location = client.request("POST", f"/v2/a/blobs/uploads/?mount={LAYER.digest}&from={NAME}", b"").header("Location")
    client.request("PUT", f"{location}&digest={LAYER.digest}", LAYER.data, expect=(201,))
    assert small.blob("a", LAYER.digest) == LAYER.data


def test_single_post(small: CountingRegistry, client: Client) -> None:
    digest = images.digest_of(b"at once")
    assert client.request("POST", f"{UPLOADS}?digest={digest}", b"at once").status == 202
    assert digest not in small.snapshot()[NAME].blobs
    small.behaviour.single_post = True
    assert client.request("POST", f"{UPLOADS}?digest={digest}", b"at once").status == 201
    assert small.blob(NAME, digest) == b"at once"
    assert codes(client.request("POST", f"{UPLOADS}?digest={digest}", b"something else")) == ["DIGEST_INVALID"]


def test_multi_tag(small: CountingRegistry, client: Client) -> None:
    reference = f"{IMAGE_DIGEST}?tag=a&tag=b"
    assert put_manifest(client, reference, IMAGE).header("OCI-Tag") == ""
    assert "a" not in small.snapshot()[NAME].tags
    small.behaviour.multi_tag = True
    assert put_manifest(client, reference, IMAGE).headers.get_all("OCI-Tag") == ["a", "b"]
    assert small.snapshot()[NAME].tags["b"] == IMAGE_DIGEST
    small.behaviour.multi_tag_cap = 1
    assert put_manifest(client, f"{IMAGE_DIGEST}?tag=c&tag=d", IMAGE).headers.get_all("OCI-Tag") == ["c"]
    assert "d" not in small.snapshot()[NAME].tags


def test_immutable_read_only_and_folded_tags(small: CountingRegistry, client: Client) -> None:
    small.behaviour.immutable_tags = True
    assert codes(put_manifest(client, "index", IMAGE)) == ["TAG_INVALID"]
    assert put_manifest(client, "one", IMAGE).status == 201
    assert put_manifest(client, "new", IMAGE).status == 201
    small.behaviour = Behaviour(fold_tags=True)
    assert put_manifest(client, "Latest", IMAGE).status == 201
    assert client.request("HEAD", f"/v2/{NAME}/manifests/LATEST", headers=READ).status == 200
    assert sorted(small.snapshot()[NAME].tags) == ["index", "latest", "new", "one", "two"]
    small.behaviour = Behaviour(read_only=True)
    answer = put_manifest(client, "new", IMAGE)
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")
    assert client.request("GET", f"/v2/{NAME}/manifests/one", headers=READ).status == 200


def test_locations(small: CountingRegistry, client: Client) -> None:
    assert begin_upload(client).startswith(f"{small.url}/v2/{NAME}/blobs/uploads/")
    location = begin_upload(client).split("?")[0]
    assert codes(client.request("PUT", f"{location}?digest={images.digest_of(b'data')}", b"data")) == ["BLOB_UPLOAD_INVALID"]
    small.behaviour.location, small.behaviour.location_query = "relative", False
    location = begin_upload(client)
    assert location.startswith(f"/v2/{NAME}/blobs/uploads/")
    assert client.request("PUT", f"{location}?digest={images.digest_of(b'data')}", b"data").header("Location").startswith(f"/v2/{NAME}/")


def test_chunks_have_a_smallest_size(small: CountingRegistry, client: Client) -> None:
    small.behaviour.chunk_min_length = 10
    started = client.request("POST", UPLOADS, b"")
    assert started.header("OCI-Chunk-Min-Length") == "10"
    location = client.request("PATCH", started.header("Location"), b"x" * 10, expect=(202,)).header("Location")
    location = client.request("PATCH", location, b"last", expect=(202,)).header("Location")
    assert client.request("PATCH", location, b"one more").status == 416
    client.request("PUT", f"{location}&digest={images.digest_of(b'x' * 10 + b'last')}", b"", expect=(201,))


def test_sparse_indexes_and_deleting(small: CountingRegistry, client: Client) -> None:
    sparse = images.Manifest(images.OCI_INDEX, SPARSE, images.digest_of(SPARSE))
    assert put_manifest(client, "sparse", sparse).status == 400
    small.behaviour.sparse = True
    assert put_manifest(client, "sparse", sparse).status == 201
    assert codes(client.request("DELETE", f"/v2/{NAME}/manifests/sparse")) == ["DIGEST_INVALID"]
    small.behaviour.delete_tags = True
    assert client.request("DELETE", f"/v2/{NAME}/manifests/sparse").status == 202
    assert client.request("DELETE", f"/v2/{NAME}/manifests/{IMAGE_DIGEST}").status == 202
    assert small.snapshot()[NAME].tags.keys() == {"index"}
    assert client.request("DELETE", f"/v2/{NAME}/blobs/{LAYER.digest}").status == 202
    assert LAYER.digest not in small.snapshot()[NAME].blobs


# -- reading -----------------------------------------------------------------------------------------------------------


def test_referrers(counting_registry: t.Any) -> None:
    registry = counting_registry()
    held = images.ImageSet()
    subject = images.add_image(held.repository(NAME), "subject", [LAYER], ["one"])
    bill = images.add_referrer(held.repository(NAME), subject, images.SPDX, b"{}", fallback=False)
    scan = images.add_referrer(held.repository(NAME), subject, "application/vnd.example.scan", b"[]", fallback=False)
    push(registry.url, held)
    with Client(registry.access) as client:
        answer = client.request("GET", f"/v2/{NAME}/referrers/{subject.digest}")
        assert answer.header("Content-Type") == images.OCI_INDEX
        assert {one["digest"]: one["artifactType"] for one in answer.json()["manifests"]} == {
            bill.digest: images.SPDX,
            scan.digest: "application/vnd.example.scan",
        }
        answer = client.request("GET", f"/v2/{NAME}/referrers/{subject.digest}?artifactType={urllib.parse.quote(images.SPDX)}")
        assert [one["digest"] for one in answer.json()["manifests"]] == [bill.digest]
        assert answer.header("OCI-Filters-Applied") == "artifactType"
        assert client.request("GET", f"/v2/{NAME}/referrers/{ZEROS}").json()["manifests"] == []
        assert put_manifest(client, bill.digest, bill).header("OCI-Subject") == subject.digest
        registry.behaviour.referrers = False
        assert client.request("GET", f"/v2/{NAME}/referrers/{subject.digest}").status == 404
        assert put_manifest(client, bill.digest, bill).header("OCI-Subject") == ""


def test_manifest_headers(small: CountingRegistry, client: Client) -> None:
    path = f"/v2/{NAME}/manifests/one"
    small.behaviour.accept = "any"
    assert client.request("GET", path, headers={"Accept": "*/*"}).header("Docker-Content-Digest") == IMAGE_DIGEST
    small.behaviour.wrong_digest_header = True
    answer = client.request("GET", path)
    assert (answer.header("Docker-Content-Digest") == IMAGE_DIGEST, answer.body) == (False, IMAGE.data)
    small.behaviour = Behaviour(accept="any", no_digest_header=True)
    answer = client.request("HEAD", path)
    assert (answer.header("Docker-Content-Digest"), answer.header("Content-Length")) == ("", str(len(IMAGE.data)))
    assert put_manifest(client, "three", IMAGE).header("Docker-Content-Digest") == ""


def test_blobs_are_redirected_to_storage_that_refuses_credentials(small: CountingRegistry) -> None:
    small.behaviour = Behaviour(authentication="basic", users=USERS, storage_host="localhost")
    with Client(small.access) as client:
        answer = client.request("GET", f"/v2/{NAME}/blobs/{LAYER.digest}")
        assert (answer.status, answer.body) == (307, b"")
        there = urllib.parse.urlsplit(answer.header("Location"))
        assert there.netloc == f"localhost:{small.port}"
        path = f"{there.path}?{there.query}"
        assert client.request("GET", path, headers={"Authorization": "Basic eDp5"}).status == 400
        assert client.request("GET", there.path).status == 404
        assert client.request("GET", path).body == LAYER.data
        assert client.request("HEAD", f"/v2/{NAME}/blobs/{LAYER.digest}").status == 200
    assert small.count("GET", "storage") == 3


def test_gzip_for_whom_accepts_it(small: CountingRegistry, client: Client) -> None:
    small.behaviour.gzip = True
    path = f"/v2/{NAME}/blobs/{LAYER.digest}"
    answer = client.request("GET", path, headers={"Accept-Encoding": "gzip, deflate"})
    assert answer.header("Content-Encoding") == "gzip"
    assert gzip.decompress(answer.body) == LAYER.data
    assert client.request("GET", path, headers={"Accept-Encoding": "identity"}).body == LAYER.data


def test_ranges(small: CountingRegistry, client: Client) -> None:
    path, size = f"/v2/{NAME}/blobs/{LAYER.digest}", len(LAYER.data)
    answer = client.request("GET", path, headers={"Range": "bytes=100-"})
    assert (answer.status, answer.body, answer.header("Content-Range")) == (206, LAYER.data[100:], f"bytes 100-{size - 1}/{size}")
    assert client.request("GET", path, headers={"Range": f"bytes={size}-"}).status == 416
    small.behaviour.no_range = True
    answer = client.request("GET", path, headers={"Range": "bytes=100-"})
    assert (answer.status, answer.body) == (200, LAYER.data)


def test_a_download_breaks_off_once(small: CountingRegistry, client: Client) -> None:
    small.behaviour.cut = 1000
    path = f"/v2/{NAME}/blobs/{LAYER.digest}"
    with pytest.raises(http.client.IncompleteRead) as broken:
        client.request("GET", path)
    assert broken.value.partial == LAYER.data[:1000]
    assert broken.value.expected == len(LAYER.data) - 1000
    assert client.request("GET", path).body == LAYER.data


def test_corrupt_and_missing_blobs(small: CountingRegistry, client: Client) -> None:
    small.behaviour.corrupt = {LAYER.digest}
    body = client.request("GET", f"/v2/{NAME}/blobs/{LAYER.digest}").body
    assert (len(body), body == LAYER.data) == (len(LAYER.data), False)
    small.behaviour.missing = {LAYER.digest}
    assert client.request("GET", f"/v2/{NAME}/blobs/{LAYER.digest}").status == 404
    assert client.request("POST", f"/v2/a/blobs/uploads/?mount={LAYER.digest}&from={NAME}", b"").status == 202
    assert codes(put_manifest(client, "three", IMAGE)) == ["MANIFEST_BLOB_UNKNOWN"]


# -- lists -------------------------------------------------------------------------------------------------------------


def read_pages(client: Client, path: str, key: str) -> tuple[list[str], list[int]]:
    """All names, and the size of each page."""
    names: list[str] = []
    sizes = []
    while path:
        answer = client.request("GET", path, expect=(200,))
        names += answer.json()[key]
        sizes.append(len(answer.json()[key]))
        link = answer.header("Link")
        path = urllib.parse.urljoin(path, link[1 : link.index(">")]) if link else ""
    return names, sizes


@pytest.fixture
def many(counting_registry: t.Any) -> CountingRegistry:
    """Seven tags in each of three repositories."""
    registry: CountingRegistry = counting_registry()
    held = images.ImageSet()
    for name in ("a", "b", "c"):
        images.add_image(held.repository(name), name, [LAYER], [f"v{number}" for number in range(7)])
    registry.load(held)
    return registry


@pytest.mark.parametrize("link", ["quoted", "unquoted", "absolute", "other_host"])
def test_pages(many: CountingRegistry, link: t.Any) -> None:
    many.behaviour.link = link
    tags = [f"v{number}" for number in range(7)]
    with Client(many.access) as client:
        assert read_pages(client, "/v2/a/tags/list?n=3", "tags") == (tags, [3, 3, 1])
        assert read_pages(client, "/v2/a/tags/list?n=7", "tags") == (tags, [7])
        assert client.request("GET", "/v2/a/tags/list?n=3&last=v3").json()["tags"] == tags[4:]
        assert client.request("GET", "/v2/a/tags/list?n=0").json()["tags"] == []
        assert read_pages(client, "/v2/_catalog?n=2", "repositories") == (["a", "b", "c"], [2, 1])
        header = client.request("GET", "/v2/a/tags/list?n=3").header("Link")
    there = "/v2/a/tags/list?last=v2&n=3"
    assert (
        header
        == {
            "quoted": f'<{there}>; rel="next"',
            "unquoted": f"<{there}>; rel=next",
            "absolute": f'<{many.url}{there}>; rel="next"',
            "other_host": f'<http://localhost:{many.port}{there}>; rel="next"',
        }[link]
    )


def test_page_sizes_and_none(many: CountingRegistry) -> None:
    tags = [f"v{number}" for number in range(7)]
    with Client(many.access) as client:
        many.behaviour.page_size = 2
        assert read_pages(client, "/v2/a/tags/list?n=100", "tags") == (tags, [2, 2, 2, 1])
        many.behaviour.max_n = 50
        assert codes(client.request("GET", "/v2/a/tags/list?n=51")) == ["PAGINATION_NUMBER_INVALID"]
        assert client.request("GET", "/v2/a/tags/list?n=50").status == 200
        many.behaviour = Behaviour(no_paging=True)
        found = client.request("GET", "/v2/a/tags/list?n=2&last=v5").json()["tags"]
        assert (sorted(found), found == tags) == (tags, False)


def test_empty_lists(counting_registry: t.Any) -> None:
    registry = counting_registry()
    held = images.ImageSet()
    images.add_image(held.repository("untagged"), "untagged", [LAYER])
    registry.load(held)
    with Client(registry.access) as client:

        def lists() -> list[tuple[int, t.Any]]:
            found = [client.request("GET", f"/v2/{name}/tags/list") for name in ("untagged", "unknown")]
            return [(one.status, one.json().get("tags", "no list")) for one in found]

        assert lists() == [(404, "no list"), (404, "no list")]
        registry.behaviour.tags_null = True
        assert lists() == [(200, None), (404, "no list")]
        registry.behaviour = Behaviour(empty_list_for_unknown=True)
        assert lists() == [(200, []), (200, [])]
        registry.wipe()
        registry.behaviour = Behaviour(tags_null=True)
        assert client.request("GET", "/v2/_catalog").json() == {"repositories": None}


@pytest.mark.parametrize(("status", "code"), [(401, "UNAUTHORIZED"), (403, "DENIED"), (404, "UNSUPPORTED")])
def test_forbidden_catalogue(small: CountingRegistry, client: Client, status: int, code: str) -> None:
    small.behaviour.catalog = status
    answer = client.request("GET", "/v2/_catalog")
    assert (answer.status, codes(answer)) == (status, [code])
    small.behaviour.authentication = "bearer"
    answer = client.request("GET", "/v2/_catalog")
    assert answer.status == status
    assert ('error="insufficient_scope"' in answer.header("WWW-Authenticate")) == (status == 401)


def test_warning(small: CountingRegistry, client: Client) -> None:
    small.behaviour.warning = "this registry closes soon"
    assert client.request("GET", "/v2/").header("Warning") == '299 - "this registry closes soon"'


# -- faults on purpose -------------------------------------------------------------------------------------------------


def test_rule_answers_so_many_times(small: CountingRegistry, client: Client) -> None:
    rule = Rule("GET", r"/tags/list", times=2, skip=1, status=503, headers={"Retry-After": "0"}, body=b"busy")
    small.behaviour.rules = [rule]
    found = [client.request("GET", f"/v2/{NAME}/tags/list") for _number in range(4)]
    assert [one.status for one in found] == [200, 503, 503, 200]
    assert (found[1].header("Retry-After"), found[1].body) == ("0", b"busy")
    assert client.request("GET", "/v2/").status == 200
    assert rule.done == 2
    small.behaviour.rules = [Rule("HEAD|PUT", times=None, status=500)]
    assert [client.request("HEAD", "/v2/").status for _number in range(3)] == [500] * 3
    assert [one.status for one in small.log] == [200, 503, 503, 200, 200, 500, 500, 500]


@pytest.mark.parametrize(("action", "error"), [("reset", ConnectionResetError), ("close", http.client.RemoteDisconnected)])
def test_rule_ends_the_connection_before_the_request_is_carried_out(
    small: CountingRegistry, client: Client, action: t.Any, error: type[Exception]
) -> None:
    small.behaviour.rules = [Rule("PUT", r"/manifests/", action=action)]
    connection = http.client.HTTPConnection(small.host, timeout=10)
    try:
        connection.request("PUT", f"/v2/{NAME}/manifests/three", IMAGE.data, OCI)
        with pytest.raises(error) as caught:
            connection.getresponse()
        assert caught.type is error
    finally:
        connection.close()
    assert "three" not in small.snapshot()[NAME].tags
    assert [one.status for one in small.log] == [0]
    assert put_manifest(client, "three", IMAGE).status == 201


def test_rule_loses_the_answer(small: CountingRegistry) -> None:
    small.behaviour.rules = [Rule("PUT", r"/manifests/", action="lose_answer")]
    connection = http.client.HTTPConnection(small.host, timeout=10)
    try:
        connection.request("PUT", f"/v2/{NAME}/manifests/three", IMAGE.data, OCI)
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
    finally:
        connection.close()
    assert small.snapshot()[NAME].tags["three"] == IMAGE_DIGEST


def test_rule_cuts_and_delays(small: CountingRegistry, client: Client) -> None:
    small.behaviour.rules = [Rule(path=r"/blobs/", action="cut", keep=7), Rule(path=r"/tags/", action="delay", delay=0.1)]
    with pytest.raises(http.client.IncompleteRead) as broken:
        client.request("GET", f"/v2/{NAME}/blobs/{LAYER.digest}")
    assert broken.value.partial == LAYER.data[:7]
    begun = time.monotonic()
    assert client.request("GET", f"/v2/{NAME}/tags/list").status == 200
    assert time.monotonic() - begun >= 0.1
    assert json.loads(client.request("GET", f"/v2/{NAME}/tags/list").body)["name"] == NAME

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The estate itself: what the other tests stand on must be what it says."""

from __future__ import annotations

import base64
import concurrent.futures
import dataclasses
import gzip
import http.client
import io
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import time
import typing as t
import urllib.parse
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from estate import compare, images
from estate.behaviour import Behaviour
from estate.client import ACCEPT, Access, Client, UnexpectedAnswer
from estate.ports import LOOPBACK, answers, free_port
from estate.process import ProcessFailed, ServerProcess
from estate.push import push, push_blob

if t.TYPE_CHECKING:
    from estate.certificates import CertificateAuthority
    from estate.registry import Registry, RegistryFactory

TESTS = Path(__file__).resolve().parents[1]
ALICE = {"alice": "wonder land:ü"}


@pytest.fixture(scope="module")
def demo() -> images.ImageSet:
    return images.demo_set()


@pytest.fixture(scope="module")
def lab() -> images.ImageSet:
    return images.lab_set()


@pytest.fixture(scope="module")
def small() -> images.ImageSet:
    return images.small_set()


@pytest.fixture(scope="module")
def filled(module_registries: RegistryFactory, demo: images.ImageSet, lab: images.ImageSet) -> Registry:
    """docker-registry with TLS and a password, holding both sets; tests only read it."""
    registry = module_registries.start("filled", tls=True, users=ALICE)
    for held in (demo, lab):
        push(registry.url, held, "alice", ALICE["alice"], registry.ca_file)
    return registry


# -- ports, processes, certificates ------------------------------------------------------------------------------------

LISTENS = (
    "import signal, socket, time; signal.signal(signal.SIGTERM, signal.{}); "
    "listening = socket.create_server(('127.0.0.1', {})); time.sleep(600)"
)


def test_ports_are_free_and_not_given_twice() -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _number: free_port(), range(200)))
    assert len(set(found)) == 200
    assert not any(answers(port) for port in found[:5])


def test_a_process_that_ends_shows_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no configuration'); raise SystemExit(3)"]
    with pytest.raises(ProcessFailed, match=r"ended with 3:\n(?s:.*)no configuration"):
        ServerProcess(command, port=free_port(), log_path=tmp_path / "log")


def test_a_process_that_never_answers_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed, match="does not answer") as failure:
        ServerProcess(["sleep", "600"], port=free_port(), log_path=tmp_path / "log", patience=0.3)
    with pytest.raises(ProcessLookupError):
        os.kill(failure.value.pid, 0)


def test_another_server_on_the_port_is_not_mistaken_for_the_process(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        with pytest.raises(ProcessFailed, match="does not answer"):
            ServerProcess(["sleep", "600"], port=other.getsockname()[1], log_path=tmp_path / "log", patience=0.3)


@pytest.mark.parametrize(("handler", "status"), [("SIG_DFL", -signal.SIGTERM), ("SIG_IGN", -signal.SIGKILL)])
def test_stop_asks_and_then_kills(tmp_path: Path, handler: str, status: int) -> None:
    port = free_port()
    process = ServerProcess([sys.executable, "-c", LISTENS.format(handler, port)], port=port, log_path=tmp_path / "log")
    process.stop(patience=0.3)
    process.stop()
    assert process._process.returncode == status
    assert not answers(port)


def test_what_is_left_running_ends_with_the_interpreter(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from estate.ports import free_port; from estate.process import ServerProcess\n"
        f"port = free_port(); code = {LISTENS!r}.format('SIG_DFL', port)\n"
        f"process = ServerProcess([sys.executable, '-c', code], port=port, log_path=Path({str(tmp_path / 'log')!r}))\n"
        "print(process.pid, flush=True); raise SystemExit('the test failed')"
    )
    done = subprocess.run([sys.executable, "-B", "-c", program], cwd=TESTS, capture_output=True, text=True, check=False)
    assert "the test failed" in done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


def test_certificates_are_trusted_by_their_own_authority_only(
    counting_registry: t.Any, certificate_authority: CertificateAuthority, untrusted_authority: CertificateAuthority
) -> None:
    registry = counting_registry(authority=certificate_authority)
    for host in ("127.0.0.1", "localhost"):
        with Client(Access(f"https://{host}:{registry.port}", ca_file=certificate_authority.certificate)) as client:
            assert client.request("GET", "/v2/").status == 200
    with Client(Access(registry.url, ca_file=untrusted_authority.certificate)) as client, pytest.raises(ssl.SSLCertVerificationError):
        client.request("GET", "/v2/")


# -- images ------------------------------------------------------------------------------------------------------------

ALL_SETS = ("demo_set", "lab_set", "small_set", "foreign_set", "schema1_set", "unknown_type_set")


def test_lab_set_has_the_shape_that_requests_are_counted_for(lab: images.ImageSet) -> None:
    assert len(lab.repositories) == 5
    assert len(lab.tags()) == 20
    assert len(lab.manifest_pairs()) == 30
    assert len({digest for _repository, digest in lab.manifest_pairs()}) == 30
    assert len(lab.child_pairs()) == 15
    assert len(lab.unique_blobs()) == 52
    assert len(lab.blob_pairs()) == 60
    manifest_bytes = sum(len(one.data) for held in lab.repositories.values() for one in held.manifests.values())
    assert round((lab.blob_bytes() + manifest_bytes) / 1e6, 2) == 9.04
    for held in lab.repositories.values():
        assert sorted(held.tags) == ["latest", "multi", "v1", "v2"]
        assert held.tags["latest"] == held.tags["v2"] != held.tags["v1"]


def test_demo_set_is_rich_and_small(demo: images.ImageSet) -> None:
    manifests = {digest: held.manifests[digest] for held in demo.repositories.values() for digest in held.manifests}
    documents = {digest: json.loads(manifest.data) for digest, manifest in manifests.items()}
    tags = demo.tags()
    assert 10e6 < demo.blob_bytes() < 20e6
    assert {one.media_type for one in manifests.values()} == {
        images.DOCKER_MANIFEST,
        images.DOCKER_LIST,
        images.OCI_MANIFEST,
        images.OCI_INDEX,
    }
    assert tags["base/os", "12"] == tags["base/os", "stable"]
    assert any(name.count("/") >= 3 for name in demo.repositories)
    assert any(tag.endswith(".sig") for _repository, tag in tags)
    assert len(demo.blob_pairs()) > len(demo.unique_blobs()), "layers are shared between repositories"
    assert {images.EMPTY_LAYER.digest, images.ZERO_BYTE_LAYER.digest} <= set(demo.unique_blobs())
    indexes = {digest for digest, one in documents.items() if "manifests" in one}
    assert any(child["digest"] in indexes for digest in indexes for child in documents[digest]["manifests"]), "an index of indexes"
    assert any("subject" in one for one in documents.values())


def test_sets_are_the_same_at_every_run() -> None:
    program = "import sys; from estate import images; print(*(getattr(images, name)().tags() for name in sys.argv[1:]))"
    runs = [
        subprocess.run(
            [sys.executable, "-B", "-c", program, *ALL_SETS],
            cwd=TESTS,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert runs[0] == " ".join(str(getattr(images, name)().tags()) for name in ALL_SETS) + "\n"


@pytest.mark.parametrize("name", ALL_SETS)
def test_what_manifests_say_of_their_parts_is_true(name: str) -> None:
    for held in getattr(images, name)().repositories.values():
        assert set(held.tags.values()) <= set(held.manifests)
        earlier: set[str] = set()
        for digest, manifest in held.manifests.items():
            document = json.loads(manifest.data)
            for child in document.get("manifests", []):
                assert child["digest"] in earlier, "children come before their parents"
                assert (child["size"], child["mediaType"]) == (
                    len(held.manifests[child["digest"]].data),
                    held.manifests[child["digest"]].media_type,
                )
            parts = [document["config"]] if "config" in document else []
            for part in parts + [one for one in document.get("layers", []) if "urls" not in one]:
                assert part["digest"] == images.digest_of(held.blobs[part["digest"]])
                assert part["size"] == len(held.blobs[part["digest"]])
            earlier.add(digest)


def test_layers_are_gzipped_tars_and_configs_name_their_content(demo: images.ImageSet) -> None:
    checked = 0
    for held in demo.repositories.values():
        for manifest in held.manifests.values():
            document = json.loads(manifest.data)
            config = json.loads(held.blobs[document["config"]["digest"]]) if "config" in document else {}
            for layer, diff_id in zip(document.get("layers", []), config.get("rootfs", {}).get("diff_ids", []), strict=False):
                if layer["mediaType"] in (images.OCI_LAYER, images.DOCKER_LAYER):
                    content = gzip.decompress(held.blobs[layer["digest"]])
                    assert images.digest_of(content) == diff_id
                    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                        assert len(tar.getmembers()) == (0 if layer["digest"] == images.EMPTY_LAYER.digest else 1)
                    checked += 1
    assert checked > 20


def test_signature_of_the_demo_set_is_a_real_one(demo: images.ImageSet) -> None:
    held = demo.repositories["app/api"]
    tag = next(tag for tag in held.tags if tag.endswith(".sig"))
    layer = json.loads(held.manifests[held.tags[tag]].data)["layers"][0]
    statement = held.blobs[layer["digest"]]
    signed_digest = json.loads(statement)["critical"]["image"]["docker-manifest-digest"]
    assert tag == signed_digest.replace(":", "-") + ".sig"
    assert signed_digest == held.tags["3.1.4"]
    signature = base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
    images._signer().public_key.verify(signature, statement, ec.ECDSA(hashes.SHA256()))


# -- docker-registry, mode by mode -------------------------------------------------------------------------------------


def test_plain_registry_listens_on_loopback_alone(registries: RegistryFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_HTTP_ADDR", "0.0.0.0:1")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere")
    registry = registries.start("plain")
    with Client(registry.access) as client:
        assert client.request("GET", "/v2/").status == 200
    lines = Path("/proc/net/tcp").read_text().splitlines() + Path("/proc/net/tcp6").read_text().splitlines()
    listening = [line.split()[1] for line in lines if line.split()[1].endswith(f":{registry.port:04X}") and line.split()[3] == "0A"]
    assert listening == [f"0100007F:{registry.port:04X}"]


def test_requests_come_from_the_access_log(registries: RegistryFactory) -> None:
    registry = registries.start("plain")
    with Client(registry.access) as client:
        client.request("GET", "/v2/")
        client.request("HEAD", "/v2/no/such/manifests/tag")
    assert [(one.method, one.path, one.status) for one in registry.requests()] == [
        ("GET", "/v2/", 200),
        ("HEAD", "/v2/no/such/manifests/tag", 404),
    ]


def test_password_is_asked_for(registries: RegistryFactory) -> None:
    registry = registries.start("users", users={**ALICE, "bob": "builder"})
    for user, password, status in (("", "", 401), ("alice", "wrong", 401), ("alice", ALICE["alice"], 200), ("bob", "builder", 200)):
        with Client(Access(registry.url, user, password)) as client:
            assert client.request("GET", "/v2/").status == status


def test_tls_certificate_is_checked_and_plain_http_is_refused(
    registries: RegistryFactory, untrusted_authority: CertificateAuthority
) -> None:
    registry = registries.start("tls", tls=True)
    with Client(registry.access) as client:
        assert client.request("GET", "/v2/").status == 200
    stranger = dataclasses.replace(registry.access, ca_file=untrusted_authority.certificate)
    with Client(stranger) as client, pytest.raises(ssl.SSLCertVerificationError):
        client.request("GET", "/v2/")
    with Client(Access(f"http://{registry.host}")) as client:
        answer = client.request("GET", "/v2/")
        assert (answer.status, answer.body) == (400, b"Client sent an HTTP request to an HTTPS server.\n")


def test_client_certificate_is_needed(registries: RegistryFactory, untrusted_authority: CertificateAuthority) -> None:
    registry = registries.start("mutual", client_certificates=True)
    with Client(registry.access) as client:
        assert client.request("GET", "/v2/").status == 200
    for other in (None, untrusted_authority.client()):
        with Client(dataclasses.replace(registry.access, client_certificate=other)) as client:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                client.request("GET", "/v2/")


def test_read_only_after_a_restart(registries: RegistryFactory, small: images.ImageSet) -> None:
    registry = registries.start("plain")
    push(registry.url, small)
    before = registry.url, registry.pid
    registry.restart(read_only=True)
    assert (registry.url, registry.pid == before[1]) == (before[0], False)
    assert compare.tags_of(registry) == small.tags()
    with Client(registry.access) as client:
        answer = client.request("POST", "/v2/small/image/blobs/uploads/", b"")
        assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")
    registry.restart(read_only=False)
    with Client(registry.access) as client:
        assert push_blob(client, "small/image", b"more") == images.digest_of(b"more")


def test_wipe_forgets_everything(registries: RegistryFactory, small: images.ImageSet) -> None:
    registry = registries.start("plain")
    push(registry.url, small)
    registry.wipe()
    assert compare.repositories_of(registry) == []


def test_data_of_another_instance_is_served(registries: RegistryFactory, small: images.ImageSet) -> None:
    first = registries.start("first")
    push(first.url, small)
    first.stop()
    assert not first.running
    second = registries.start("second", data=first.data, users=ALICE)
    assert compare.tags_of(second) == small.tags()


@pytest.mark.parametrize(("delete", "status"), [(True, 202), (False, 405)])
def test_delete_is_a_choice(registries: RegistryFactory, small: images.ImageSet, delete: bool, status: int) -> None:
    registry = registries.start("plain", delete=delete)
    push(registry.url, small)
    with Client(registry.access) as client:
        assert client.request("DELETE", f"/v2/small/image/manifests/{small.tags()['small/image', 'index']}").status == status


def test_schema1_is_a_choice_and_its_digest_is_that_of_the_payload(registries: RegistryFactory) -> None:
    old = images.schema1_set()
    with pytest.raises(UnexpectedAnswer, match="500"):
        push(registries.start("strict").url, old)
    registry = registries.start("old", schema1=True)
    push(registry.url, old)
    assert compare.tags_of(registry) == old.tags()
    with Client(registry.access) as client:
        answer = client.request("GET", "/v2/old/image/manifests/2015", headers={"Accept": ACCEPT})
        assert answer.header("Docker-Content-Digest") == old.tags()["old/image", "2015"]
        assert answer.header("Content-Type") == images.SCHEMA1_SIGNED


def test_layers_with_urls_are_a_choice(registries: RegistryFactory) -> None:
    foreign = images.foreign_set()
    with pytest.raises(UnexpectedAnswer, match="500"):
        push(registries.start("strict", layer_urls=False).url, foreign)
    registry = registries.start("plain")
    push(registry.url, foreign)
    assert compare.tags_of(registry) == foreign.tags()


def test_a_port_that_is_taken_is_left_for_another(registries: RegistryFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        taken, free = other.getsockname()[1], free_port()
        monkeypatch.setattr("estate.ports.free_port", iter([taken, taken, free]).__next__)
        registry = registries.start("plain")
    assert registry.port == free
    with Client(registry.access) as client:
        assert client.request("GET", "/v2/").status == 200


def test_factory_stops_what_it_started(registries: RegistryFactory) -> None:
    started = [registries.start(name) for name in ("one", "two", "three")]
    started[1].stop()
    registries.stop()
    assert not any(one.running or answers(one.port) for one in started)
    with pytest.raises(ValueError, match="another instance"):
        started[0].restart(tls=True)


# -- tokens ------------------------------------------------------------------------------------------------------------

USERS = {"alice": "in chains", "bob": "builder"}
GRANTS = {
    "alice": {"team/*": ["pull", "push"], "public/*": ["pull"], "registry:catalog": ["*"]},
    "bob": {"team/*": ["pull"]},
    "anonymous": {"public/*": ["pull"]},
}


def test_tokens_open_what_was_granted_and_nothing_else(registries: RegistryFactory, token_server: t.Any, small: images.ImageSet) -> None:
    tokens = token_server(USERS, GRANTS)
    registry = registries.start("tokens", token_server=tokens)
    mine = images.ImageSet({"team/one": small.repositories["small/image"]})
    push(registry.url, mine, "alice", USERS["alice"])
    assert compare.tags_of(registry) == mine.tags()
    head, upload = ("HEAD", "/v2/team/one/manifests/one"), ("POST", "/v2/team/one/blobs/uploads/")
    public, catalog = ("HEAD", "/v2/public/one/manifests/one"), ("GET", "/v2/_catalog")
    expected = {
        "alice": {head: 200, upload: 202, public: 404, catalog: 200},
        "bob": {head: 200, upload: 401, public: 401, catalog: 401},
        "": {head: 401, upload: 401, public: 404, catalog: 401},
    }
    for user, answers_by_request in expected.items():
        with Client(Access(registry.url, user, USERS.get(user, ""))) as client:
            for (method, path), status in answers_by_request.items():
                answer = client.request(method, path, b"" if method == "POST" else None, {"Accept": ACCEPT})
                assert answer.status == status, (user, method, path)
                if status == 401:
                    assert 'error="insufficient_scope"' in answer.header("WWW-Authenticate")
    with Client(Access(registry.url, "alice", "wrong")) as client:
        assert client.request(*head).status == 401
    assert tokens.log[-1].status == 401


def test_one_token_for_several_scopes_mounts_a_blob(registries: RegistryFactory, token_server: t.Any) -> None:
    tokens = token_server(USERS, GRANTS)
    registry = registries.start("tokens", token_server=tokens)
    with Client(registry.access) as client:
        digest = push_blob(client, "team/one", b"a blob")
        tokens.reset_log()
        answer = client.request("POST", f"/v2/team/two/blobs/uploads/?mount={digest}&from=team/one", b"")
        assert answer.status == 201
    asked = [one for one in tokens.log if one.status == 200]
    # docker-registry names the actions of a scope in no particular order.
    granted = [{tuple(sorted(scope.replace(",", ":").split(":"))) for scope in one.granted} for one in asked]
    assert granted == [{("pull", "push", "repository", "team/two"), ("pull", "repository", "team/one")}]


def test_without_grants_users_may_everything_and_nobody_nothing(token_server: t.Any, registries: RegistryFactory) -> None:
    registry = registries.start("tokens", token_server=token_server(USERS))
    for access, status in ((registry.access, 202), (Access(registry.url), 401)):
        with Client(access) as client:
            assert client.request("POST", "/v2/any/name/blobs/uploads/", b"").status == status


def fetch(tokens: t.Any, form: dict[str, t.Any], post: bool = False, user: str = "") -> tuple[int, dict[str, t.Any]]:
    """A request to the token server itself."""
    url = urllib.parse.urlsplit(tokens.realm)
    connection = http.client.HTTPConnection(url.netloc, timeout=10)
    text = urllib.parse.urlencode({"service": tokens.service, **form}, doseq=True)
    headers = {"Authorization": "Basic " + base64.b64encode(f"{user}:{USERS[user]}".encode()).decode()} if user else {}
    try:
        if post:
            connection.request("POST", url.path, text, {"Content-Type": "application/x-www-form-urlencoded"})
        else:
            connection.request("GET", f"{url.path}?{text}", headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_oauth2_form_with_password_and_refresh_token(token_server: t.Any, registries: RegistryFactory) -> None:
    tokens = token_server(USERS, GRANTS)
    registry = registries.start("tokens", token_server=tokens)
    scope = "repository:team/one:pull,push"
    form = {"grant_type": "password", "username": "alice", "password": USERS["alice"], "access_type": "offline", "scope": scope}
    status, first = fetch(tokens, form, post=True)
    assert (status, first["expires_in"]) == (200, 300)
    status, second = fetch(tokens, {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "scope": scope}, post=True)
    assert status == 200
    assert "refresh_token" not in second
    with Client(Access(registry.url)) as client:
        authorization = {"Authorization": "Bearer " + second["access_token"]}
        assert client.request("POST", "/v2/team/one/blobs/uploads/", b"", authorization).status == 202
    _status, third = fetch(tokens, {"offline_token": "true", "scope": scope}, user="bob")
    assert fetch(tokens, {"grant_type": "refresh_token", "refresh_token": third["refresh_token"], "scope": scope}, post=True)[0] == 200
    assert tokens.log[-1].granted == ("repository:team/one:pull",)
    assert fetch(tokens, {"grant_type": "refresh_token", "refresh_token": "made up"}, post=True) == (401, {"error": "invalid_grant"})
    assert fetch(tokens, {**form, "password": "wrong"}, post=True)[0] == 401
    assert fetch(tokens, {"grant_type": "telepathy"}, post=True) == (400, {"error": "unsupported_grant_type"})
    assert [one.grant_type for one in tokens.log] == ["password", "refresh_token", "", *["refresh_token"] * 2, "password", "telepathy"]


@pytest.mark.parametrize("status", [404, 405])
def test_oauth2_form_can_be_unknown(token_server: t.Any, status: int) -> None:
    tokens = token_server(USERS, refuse_post=status)
    form = {"grant_type": "password", "username": "alice", "password": USERS["alice"]}
    assert fetch(tokens, form, post=True)[0] == status
    assert fetch(tokens, {}, user="alice")[0] == 200


def test_scopes_can_be_capped(token_server: t.Any) -> None:
    scopes = ["repository:team/one:pull", "repository:team/two:pull", "repository:team/three:pull"]
    refusing, granting = token_server(USERS, GRANTS, scope_cap=2), token_server(USERS, GRANTS, scope_cap=2, over_cap="first")
    assert fetch(refusing, {"scope": scopes}, user="alice")[0] == 400
    assert fetch(refusing, {"scope": scopes[:2]}, user="alice")[0] == 200
    assert fetch(granting, {"scope": " ".join(scopes)}, user="alice")[0] == 200
    assert granting.log[-1].granted == tuple(scopes[:1])
    assert granting.log[-1].scopes == tuple(scopes)


def test_tokens_end(token_server: t.Any, registries: RegistryFactory) -> None:
    tokens = token_server(USERS, GRANTS, lifetime=1, leeway=62, names_expiry=False)
    registry = registries.start("tokens", token_server=tokens)
    status, document = fetch(tokens, {"scope": "repository:team/one:pull"}, user="alice")
    assert (status, "expires_in" in document) == (200, False)
    claims = jwt.decode(document["token"], options={"verify_signature": False})
    assert claims["exp"] < time.time() - 60
    with Client(Access(registry.url)) as client:
        answer = client.request("GET", "/v2/team/one/tags/list", headers={"Authorization": "Bearer " + document["token"]})
        assert answer.status == 401
        assert 'error="invalid_token"' in answer.header("WWW-Authenticate")
    tokens.leeway = 0
    with Client(registry.access) as client:
        assert client.request("GET", "/v2/team/one/tags/list").status == 404


def test_token_server_speaks_tls(token_server: t.Any, certificate_authority: CertificateAuthority) -> None:
    tokens = token_server(USERS, GRANTS, ssl_context=certificate_authority.server_context())
    url = urllib.parse.urlsplit(tokens.realm)
    assert url.scheme == "https"
    with Client(Access(f"https://{url.netloc}", ca_file=certificate_authority.certificate)) as client:
        assert "token" in client.request("GET", "/token?scope=repository:public/one:pull").json()


# -- filled registries -------------------------------------------------------------------------------------------------


def test_sets_come_back_as_they_were_pushed(filled: Registry, demo: images.ImageSet, lab: images.ImageSet) -> None:
    assert compare.tags_of(filled) == {**demo.tags(), **lab.tags()}
    assert compare.assert_complete(filled) == len(demo.blob_pairs()) + len(lab.blob_pairs())


def test_skopeo_reads_every_tag_of_the_demo_set(skopeo: None, filled: Registry, demo: images.ImageSet) -> None:
    with compare.Skopeo(filled) as reader, concurrent.futures.ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda key: reader.inspect_raw(*key), demo.tags()))
        assert [images.digest_of(one) for one in read] == list(demo.tags().values())
        assert sorted(reader.list_tags("app/web")) == ["1.0.0", "1.1.0", "2.0.0", "latest"]
    digest = demo.tags()["tools/cli", "1.0"]
    assert compare.skopeo_inspect_raw(filled, "tools/cli", digest) == demo.repositories["tools/cli"].manifests[digest].data


def test_comparison_finds_the_same_and_the_other(skopeo: None, filled: Registry, counting_registry: t.Any, lab: images.ImageSet) -> None:
    copy = counting_registry()
    copy.load(images.ImageSet({f"copy/of/{name}": held for name, held in lab.repositories.items()}))

    def mapping(repository: str, tag: str) -> tuple[str, str]:
        return f"copy/of/{repository}", tag

    assert compare.assert_same(filled, copy, mapping, lab.tags()) == 20
    with Client(copy.access) as client:
        other = lab.repositories["lab/repo1"].manifests[lab.tags()["lab/repo1", "v1"]]
        client.request("PUT", "/v2/copy/of/lab/repo1/manifests/v2", other.data, {"Content-Type": other.media_type}, expect=(201,))
    with pytest.raises(AssertionError, match="lab/repo1:v2 is sha256:"):
        compare.assert_same(filled, copy, mapping, lab.tags())
    with pytest.raises(AssertionError, match="no tag"):
        compare.assert_same(counting_registry(), filled)


def test_completeness_finds_what_is_missing_or_changed(counting_registry: t.Any, small: images.ImageSet) -> None:
    registry = counting_registry(Behaviour(authentication="bearer", storage_host="localhost"))
    registry.load(small)
    assert compare.assert_complete(registry) == 2
    layer = images.layer("small", 5_000).digest
    registry.behaviour.corrupt = {layer}
    with pytest.raises(AssertionError, match="other bytes"):
        compare.assert_complete(registry)
    registry.forget_blob("small/image", layer)
    with pytest.raises(UnexpectedAnswer, match="404"):
        compare.assert_complete(registry)

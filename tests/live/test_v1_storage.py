# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The storage of a v1 registry as a source, without the registry: in a folder, on another host over SSH, in a bucket of S3."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import gzip
import json
import os
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
from estate import ports, ssh_server
from estate.client import ACCEPT, Client
from estate.compare import assert_complete, tags_of
from estate.object_store import ObjectStore
from estate.ssh_server import SSHServer
from estate.v1_double import V1Double, lose, spoil
from estate.v1_images import EMPTY, Chain, Pusher, Step, archive, chain, push_all
from estate.v1_registry import NotAvailable, V1Registry, installed
from runs.modules import Options, endpoint, run_module

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ConnectionFailed
from ansible_collections.registryops.migration.plugins.module_utils._oci.ssh import SSHOptions
from ansible_collections.registryops.migration.plugins.module_utils._providers.aws import AWS
from ansible_collections.registryops.migration.plugins.module_utils._v1.files import (
    BucketFiles,
    Files,
    FileSource,
    LocalFiles,
    SSHFiles,
)

if t.TYPE_CHECKING:
    from estate.registry import Registry, RegistryFactory

COPY, VERIFY, INFO = "registry_image_copy", "registry_image_verify", "registry_repo_info"
KEYS = {"access_key": "estate", "secret_key": "estate-secret", "region": "us-east-1"}
Images = dict[str, tuple[list[str], Chain]]


def store(folder: Path, *, real: bool = False) -> tuple[Path, Images]:
    """A storage as a registry of v1 leaves it when it ends, and what is in it."""
    data = folder / "data"
    with V1Registry(folder / "real", data=data) if real else V1Double(folder, data=data) as registry:
        images = push_all(registry.url)
        images["a/b/c"] = (["_odd", "1.0"], chain("deep", [Step("ADD deep", archive(9, 100))]))
        with Pusher(registry.url) as pusher:
            pusher.push("a/b/c", images["a/b/c"][1], images["a/b/c"][0])
    return data, images


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a storage is: the option `source`, and the files as the collection reads them."""

    options: Options
    files: t.Callable[[], Files]
    name: str


@contextlib.contextmanager
def local(data: Path, _folder: Path) -> t.Iterator[Place]:
    yield Place({"type": "v1_storage", "path": str(data)}, lambda: LocalFiles(str(data)), str(data))


@contextlib.contextmanager
def over_ssh(data: Path, folder: Path) -> t.Iterator[Place]:
    if ssh_server.missing():
        pytest.skip(ssh_server.missing())
    pytest.importorskip("paramiko", reason="paramiko is not installed: pip install paramiko")
    with SSHServer(folder / "ssh") as server:
        options = SSHOptions(ports.LOOPBACK, server.port, server.user, key_file=str(server.key), known_hosts=str(server.known_hosts))
        ssh = {"host": ports.LOOPBACK, "port": server.port, "username": server.user}
        ssh |= {"key_file": str(server.key), "known_hosts": str(server.known_hosts)}
        name = f"ssh://{ports.LOOPBACK}:{server.port}{data}"
        yield Place({"type": "v1_storage", "path": str(data), "ssh": ssh}, lambda: SSHFiles(str(data), options), name)


@contextlib.contextmanager
def in_bucket(data: Path, folder: Path) -> t.Iterator[Place]:
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed: pip install boto3")
    with ObjectStore(folder / "s3", "images-of-v1") as found:
        client = boto3.client(
            "s3", endpoint_url=found.url, region_name="us-east-1", aws_access_key_id="estate", aws_secret_access_key="estate-secret"
        )
        for path in sorted(one for one in data.rglob("*") if one.is_file()):
            client.put_object(Bucket=found.bucket, Key=f"old/registry/{path.relative_to(data).as_posix()}", Body=path.read_bytes())
        aws = {**KEYS, "endpoint_url": found.url}
        options = {"type": "v1_storage", "s3": {"bucket": found.bucket, "prefix": "/old/registry"}, "aws": aws}
        yield Place(options, lambda: BucketFiles(AWS(aws), found.bucket, "old/registry/"), f"s3://{found.bucket}/old/registry")


PLACES = (local, over_ssh, in_bucket)


def both(source: Options, destination: Registry, folder: Path, **more: t.Any) -> Options:
    return {"source": source, "destination": endpoint(destination), "state_dir": str(folder / "state"), **more}


def archives(registry: Registry, repository: str, tag: str) -> list[bytes]:
    """The layers of an image, unpacked."""
    with Client(registry.access) as client:
        answer = client.request("GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": ACCEPT}, expect=(200,))
        return [gzip.decompress(client.blob(repository, one["digest"])) for one in json.loads(answer.body)["layers"]]


def assert_moved(registry: Registry, images: Images) -> None:
    """Every tag is there, and its layers have the very files that were pushed."""
    assert set(tags_of(registry)) == {(name, tag) for name, (tags, _chain) in images.items() for tag in tags}
    assert_complete(registry)
    for name, (tags, one) in images.items():
        wanted = [image.archive for image in one if image.archive != EMPTY and not json.loads(image.document).get("throwaway")]
        for tag in tags:
            assert archives(registry, name, tag) == wanted, (name, tag)


@pytest.mark.parametrize("place", PLACES)
def test_a_storage_is_copied_from_wherever_it_is(
    place: t.Callable[[Path, Path], contextlib.AbstractContextManager[Place]], registries: RegistryFactory, tmp_path: Path
) -> None:
    data, images = store(tmp_path)
    destination = registries.start("destination")
    with place(data, tmp_path) as there:
        options = both(there.options, destination, tmp_path)
        plan = run_module(COPY, options, check=True).result
        assert (plan["failures"], plan["counts"]["copied"]) == ([], sum(len(tags) for tags, _chain in images.values()))
        done = run_module(COPY, options).result
        assert (done["failures"], done["counts"]["copied"]) == ([], plan["counts"]["copied"])
        assert_moved(destination, images)
        assert (done["requests"]["source"] > 0) == (place is not local)

        again = run_module(COPY, options).result
        assert (again["changed"], again["counts"]["unchanged"]) == (False, plan["counts"]["copied"])
        verified = run_module(VERIFY, {**options, "mode": "deep"}).result
        assert (verified["differences"], verified["equal"]) == ([], plan["counts"]["copied"])
        listed = run_module(INFO, {"source": there.options}).result
        assert sorted(row["name"] for row in listed["repositories"]) == sorted(images)

        others = registries.start("others")
        moved = both(there.options, others, tmp_path)
        assert not run_module(COPY, moved).result["failures"]
        # what is made is the same, whatever it is made from and wherever it goes
        assert tags_of(others) == tags_of(destination)


def test_every_way_to_a_storage_gives_the_same_images(registries: RegistryFactory, tmp_path: Path) -> None:
    data, images = store(tmp_path)
    found = []
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(place(data, tmp_path)).options for place in PLACES]
        sources.append({"type": "v1", "url": stack.enter_context(V1Double(tmp_path / "served", data=data)).url})
        for number, source in enumerate(sources):
            destination = registries.start(f"destination-{number}")
            result = run_module(COPY, both(source, destination, tmp_path / str(number), convert={"v1": "oci"})).result
            assert result["failures"] == []
            found.append(tags_of(destination))
    assert found[0]
    assert all(one == found[0] for one in found)
    assert images.keys() == {name for name, _tag in found[0]}


def test_the_storage_of_the_real_registry(registries: RegistryFactory, tmp_path: Path) -> None:
    try:
        installed()
    except NotAvailable as reason:
        pytest.skip(str(reason))
    data, images = store(tmp_path, real=True)
    destination = registries.start("destination")
    result = run_module(COPY, both({"type": "v1_storage", "path": str(data)}, destination, tmp_path)).result
    assert result["failures"] == []
    assert_moved(destination, images)


def test_a_run_with_nothing_to_do_needs_no_layer(registries: RegistryFactory, tmp_path: Path) -> None:
    data, _images = store(tmp_path)
    options = both({"type": "v1_storage", "path": str(data)}, registries.start("destination"), tmp_path)
    assert not run_module(COPY, options).result["failures"]
    for layer in (data / "images").glob("*/layer"):
        layer.write_bytes(bytes(layer.stat().st_size))
    again = run_module(COPY, options).result
    assert (again["failures"], again["changed"]) == ([], False)


def test_what_is_broken_in_a_storage(registries: RegistryFactory, tmp_path: Path) -> None:
    data, images = store(tmp_path)
    half, lost, corrupt, empty = (
        chain(name, [Step(name, archive(20 + number, 100))]) for number, name in enumerate(("half", "lost", "corrupt", "empty"))
    )
    with V1Double(tmp_path, data=data) as registry, Pusher(registry.url) as pusher:
        for name, one in (("half", half), ("lost", lost), ("corrupt", corrupt), ("tarsum", empty)):
            pusher.push(f"odd/{name}", one, ["1"])
    (data / "images" / half[0].id / "_inprogress").write_text("true")
    lose(data, lost[0].id)
    spoil(data, corrupt[0].id, layer=gzip.compress(b"other bytes"))
    # as versions before 0.7 wrote it, and no checksum that can be verified
    (data / "images" / empty[0].id / "_checksum").write_text("tarsum+sha256:" + "a" * 64)
    (data / "repositories" / "odd" / "nothing").mkdir()
    (data / "repositories" / "odd" / "No Name").mkdir()
    (data / "repositories" / "odd" / "tagged").mkdir()
    (data / "repositories" / "odd" / "tagged" / "tag_1").write_text("no image")
    destination = registries.start("destination")
    run = run_module(COPY, both({"type": "v1_storage", "path": str(data)}, destination, tmp_path))
    failures = {one["repository"]: one for one in run.result["failures"]}
    assert {name: one["kind"] for name, one in failures.items()} == {
        "odd/half": "image_incomplete",
        "odd/lost": "manifest_unknown",
        "odd/corrupt": "digest_mismatch",
        "odd/tagged": "invalid_answer",
    }
    assert all(one["hint"] for one in failures.values())
    assert "keeps no checksum that can be verified for" in run.text
    assert "odd/No Name" in run.text
    assert_moved(destination, {**images, "odd/tarsum": (["1"], empty)})


def test_the_newest_images_of_a_storage(registries: RegistryFactory, tmp_path: Path) -> None:
    data, _images = store(tmp_path)
    rules = [{"repositories": {"include": ["library/web"]}, "tags": {"since": "2014-06-03"}}]
    options = both({"type": "v1_storage", "path": str(data)}, registries.start("destination"), tmp_path, rules=rules)
    assert run_module(COPY, options).result["counts"]["copied"] == 2
    rules[0]["tags"] = {"since": "2015-01-01"}
    assert sum(run_module(COPY, {**options, "state_dir": str(tmp_path / "other")}).result["counts"].values()) == 0


@pytest.mark.parametrize(
    ("options", "kind", "subject", "message"),
    [
        ({"path": "/nowhere/at/all"}, "invalid_option", "/nowhere/at/all", "there is no such folder"),
        ({"path": "/proc/self"}, "invalid_option", "/proc/self", "is no storage of a v1 registry"),
    ],
)
def test_a_folder_that_is_no_storage(
    registries: RegistryFactory, tmp_path: Path, options: Options, kind: str, subject: str, message: str
) -> None:
    error = run_module(COPY, both({"type": "v1_storage", **options}, registries.start("destination"), tmp_path)).error
    assert (error["kind"], error["subject"]) == (kind, subject)
    assert message in error["message"]


def test_nothing_is_written_to_a_storage(registries: RegistryFactory, tmp_path: Path) -> None:
    source = endpoint(registries.start("source"))
    options = {"source": source, "destination": {"type": "v1_storage", "path": str(tmp_path)}, "state_dir": str(tmp_path / "state")}
    error = run_module(COPY, options).error
    assert (error["kind"], error["subject"]) == ("invalid_option", "destination.type")
    assert "only read from" in error["message"]


def test_where_a_storage_is_has_to_be_said(tmp_path: Path) -> None:
    destination = {"type": "oci_layout", "path": str(tmp_path)}
    for more, message in (
        ({}, "path, s3"),
        ({"path": "/srv", "s3": {"bucket": "one"}}, "mutually exclusive"),
        ({"s3": {"bucket": "one"}, "ssh": {"host": "one"}}, "mutually exclusive"),
        ({"path": "/srv", "ssh": {"host": "one", "known_hosts": "/a", "fingerprint": "SHA256:x"}}, "mutually exclusive"),
    ):
        result = run_module(COPY, {"source": {"type": "v1_storage", **more}, "destination": destination}).result
        assert result["failed"]
        assert message in result["msg"]


# -- SSH -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> t.Iterator[SSHServer]:
    if ssh_server.missing():
        pytest.skip(ssh_server.missing())
    pytest.importorskip("paramiko", reason="paramiko is not installed: pip install paramiko")
    with SSHServer(tmp_path / "ssh") as started:
        yield started


def ssh_source(server: SSHServer, path: Path, **more: t.Any) -> Options:
    ssh = {"host": ports.LOOPBACK, "port": server.port, "username": server.user, "key_file": str(server.key)}
    ssh |= {"known_hosts": str(server.known_hosts), **more}
    return {"type": "v1_storage", "path": str(path), "ssh": {name: value for name, value in ssh.items() if value is not None}}


def test_a_host_is_known_by_its_fingerprint(server: SSHServer, registries: RegistryFactory, tmp_path: Path) -> None:
    data, _images = store(tmp_path)
    destination = registries.start("destination")
    source = ssh_source(server, data, known_hosts=None, fingerprint=server.fingerprint)
    assert run_module(COPY, both(source, destination, tmp_path)).result["failures"] == []


def test_a_key_with_a_passphrase(server: SSHServer, registries: RegistryFactory, tmp_path: Path) -> None:
    data, _images = store(tmp_path)
    destination, passphrase = registries.start("destination"), 'a $ent"ence: of %words'
    key = ssh_server.make_key(tmp_path / "protected", passphrase)
    server.authorise(key)
    run = run_module(COPY, both(ssh_source(server, data, key_file=str(key), password=passphrase), destination, tmp_path))
    assert run.result["failures"] == []
    assert passphrase not in run.text
    error = run_module(COPY, both(ssh_source(server, data, key_file=str(key)), destination, tmp_path)).error
    assert (error["kind"], error["subject"]) == ("authentication_failed", "source.ssh.key_file")


def test_a_key_that_the_agent_has(server: SSHServer, tmp_path: Path) -> None:
    data, images = store(tmp_path)
    # paths of sockets are short
    with tempfile.TemporaryDirectory() as folder:
        variables = {"SSH_AUTH_SOCK": f"{folder}/agent"}
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", variables["SSH_AUTH_SOCK"]], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while not Path(variables["SSH_AUTH_SOCK"]).is_socket():
                assert time.monotonic() < deadline, "the agent does not begin"
                time.sleep(0.01)
            source = {"source": ssh_source(server, data, key_file=None)}
            assert run_module(INFO, source, variables=variables).error["kind"] == "authentication_failed"
            subprocess.run(["ssh-add", "-q", str(server.key)], check=True, env={**os.environ, **variables}, capture_output=True)
            listed = run_module(INFO, source, variables=variables).result
            assert sorted(row["name"] for row in listed["repositories"]) == sorted(images)
        finally:
            agent.terminate()
            agent.wait(20)


def _another_key(server: SSHServer, folder: Path) -> Options:
    return {"key_file": str(ssh_server.make_key(folder / "another"))}


def _strange_host(server: SSHServer, folder: Path) -> Options:
    (folder / "empty").touch()
    return {"known_hosts": str(folder / "empty")}


def _changed_host(server: SSHServer, folder: Path) -> Options:
    public = ssh_server.make_key(folder / "other_host").with_suffix(".pub").read_text(encoding="ascii").rsplit(" ", 1)[0]
    (folder / "changed").write_text(f"[{ports.LOOPBACK}]:{server.port} {public}\n", encoding="ascii")
    return {"known_hosts": str(folder / "changed")}


def _no_key(server: SSHServer, folder: Path) -> Options:
    (folder / "no key").write_text("nothing", encoding="ascii")
    return {"key_file": str(folder / "no key")}


@pytest.mark.parametrize(
    ("make", "kind", "subject", "hint"),
    [
        (_another_key, "authentication_failed", "{host}", "source.ssh.key_file"),
        (lambda server, folder: {"key_file": None, "password": "wrong $ecret"}, "authentication_failed", "{host}", "source.ssh.password"),
        (lambda server, folder: {"key_file": "/nowhere"}, "invalid_option", "source.ssh.key_file", "another file"),
        (_no_key, "invalid_option", "source.ssh.key_file", "another file"),
        (_strange_host, "host_key_untrusted", "{host}", "ssh-keygen -lf"),
        (_changed_host, "host_key_untrusted", "{host}", "ssh-keygen -lf"),
        (lambda server, folder: {"known_hosts": None, "fingerprint": "SHA256:abc"}, "host_key_untrusted", "{host}", "ssh-keygen -lf"),
        (lambda server, folder: {"known_hosts": "/nowhere"}, "invalid_option", "source.ssh.known_hosts", "another file"),
        (lambda server, folder: {"port": ports.free_port()}, "connection_failed", "", "network"),
        (lambda server, folder: {"host": "no.such.host.invalid", "port": 22}, "connection_failed", "no.such.host.invalid", "network"),
    ],
)
def test_a_host_that_does_not_let_in(
    server: SSHServer,
    tmp_path: Path,
    make: t.Callable[[SSHServer, Path], Options],
    kind: str,
    subject: str,
    hint: str,
) -> None:
    run = run_module(INFO, {"source": ssh_source(server, tmp_path, **make(server, tmp_path))})
    assert run.error["kind"] == kind
    assert run.error["subject"] == subject.format(host=f"{ports.LOOPBACK}:{server.port}") or not subject
    assert hint in run.error["hint"]
    assert "wrong $ecret" not in run.text


def test_a_host_that_prints_something_before_sftp_begins(tmp_path: Path) -> None:
    """As login scripts do."""
    if ssh_server.missing():
        pytest.skip(ssh_server.missing())
    pytest.importorskip("paramiko", reason="paramiko is not installed: pip install paramiko")
    data, _images = store(tmp_path)
    with SSHServer(tmp_path / "ssh", sftp="/bin/echo Welcome to this host") as server:
        run = run_module(INFO, {"source": ssh_source(server, data)})
    assert "Traceback" not in run.text
    assert (run.error["kind"], run.error["subject"]) == ("invalid_answer", f"{ports.LOOPBACK}:{server.port}")
    assert "something else than SFTP" in run.error["message"]
    assert "must not print anything" in run.error["hint"]


@pytest.mark.parametrize("sessions", [10, 2])
def test_many_files_at_once_over_one_connection(sessions: int, tmp_path: Path) -> None:
    """More readers than sessions, with files that are read to the end, in part, and not at all."""
    if ssh_server.missing():
        pytest.skip(ssh_server.missing())
    pytest.importorskip("paramiko", reason="paramiko is not installed: pip install paramiko")
    with SSHServer(tmp_path / "ssh", sessions=sessions) as server:
        _read_many(server, tmp_path)


def _read_many(server: SSHServer, tmp_path: Path) -> None:
    for number in range(24):
        (tmp_path / f"file-{number}").write_bytes(os.urandom(200_000 + number))
    files = SSHFiles(
        str(tmp_path),
        SSHOptions(ports.LOOPBACK, server.port, server.user, key_file=str(server.key), known_hosts=str(server.known_hosts)),
    )

    def read(number: int) -> bool:
        source = FileSource(files, f"file-{number}", "somewhere")
        pieces = iter(source)
        if number % 3 == 0:
            source.close()
            return True
        first = next(pieces)
        rest = b"" if number % 3 == 1 else b"".join(pieces)
        source.close()
        wanted = (tmp_path / f"file-{number}").read_bytes()
        return wanted.startswith(first) and (number % 3 == 1 or wanted == first + rest)

    with contextlib.closing(files), concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert all(pool.map(read, range(24)))
        assert files.entries("nothing") is None
        assert files.size("file-1") == 200_001
        assert files.read("nothing", 1) is None
    assert server.log().count("Accepted publickey") == 1


def test_reading_goes_on_where_a_connection_broke(server: SSHServer, tmp_path: Path) -> None:
    content = os.urandom(6_000_000)
    (tmp_path / "layer").write_bytes(content)
    files = SSHFiles(
        str(tmp_path),
        SSHOptions(ports.LOOPBACK, server.port, server.user, key_file=str(server.key), known_hosts=str(server.known_hosts)),
    )
    with contextlib.closing(files):
        source = FileSource(files, "layer", "somewhere")
        pieces = iter(source)
        read = next(pieces)
        server.hang_up()
        assert read + b"".join(pieces) == content
        assert source.received == len(content)
        server.hang_up()
        assert {one.name for one in files.entries("") or ()} >= {"layer"}
        source = FileSource(files, "layer", "somewhere")
        pieces = iter(source)
        next(pieces)
        server.stop()
        with pytest.raises(ConnectionFailed):
            list(pieces)


def test_links_of_a_folder_are_followed(server: SSHServer, registries: RegistryFactory, tmp_path: Path) -> None:
    data, images = store(tmp_path)
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in ("images", "repositories"):
        (linked / name).symlink_to(data / name)
    for number, source in enumerate((ssh_source(server, linked), {"type": "v1_storage", "path": str(linked)})):
        destination = registries.start(f"destination-{number}")
        assert run_module(COPY, both(source, destination, tmp_path / str(number))).result["failures"] == []
        assert_moved(destination, images)


# -- S3 --------------------------------------------------------------------------------------------------------------------------


def test_a_bucket_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("boto3", reason="boto3 is not installed: pip install boto3")
    with ObjectStore(tmp_path) as found:
        aws = {**KEYS, "endpoint_url": found.url}
        error = run_module(INFO, {"source": {"type": "v1_storage", "s3": {"bucket": "nowhere"}, "aws": aws}}).error
        assert (error["kind"], error["subject"], error["message"]) == ("invalid_option", "s3://nowhere", "there is no such bucket.")
        error = run_module(INFO, {"source": {"type": "v1_storage", "s3": {"bucket": found.bucket}, "aws": aws}}).error
        assert (error["kind"], error["message"]) == ("invalid_option", "there is no such folder.")
    error = run_module(INFO, {"source": {"type": "v1_storage", "s3": {"bucket": "nowhere"}, "aws": aws}}).error
    assert error["kind"] == "connection_failed"


def test_a_bucket_with_more_names_than_a_page_has(tmp_path: Path) -> None:
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed: pip install boto3")
    with ObjectStore(tmp_path) as found:
        client = boto3.client(
            "s3", endpoint_url=found.url, region_name="us-east-1", aws_access_key_id="estate", aws_secret_access_key="estate-secret"
        )
        for number in range(1005):
            client.put_object(Bucket=found.bucket, Key=f"images/{number:04}/json", Body=b"{}")
        with contextlib.closing(BucketFiles(AWS({**KEYS, "endpoint_url": found.url}), found.bucket)) as files:
            entries = files.entries("images") or []
            assert [one.name for one in entries] == [f"{number:04}" for number in range(1005)]
            assert all(one.is_folder for one in entries)
            assert files.requests == 2
            opened = files.open("images/0000/json", 1)
            assert opened is not None
            assert (b"".join(opened.pieces()), opened.size) == (b"}", 2)
            assert files.open("images/0000/nothing") is files.size("images/0000/nothing") is None

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Docker engine's names mean, its archives, and the address at which it is."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import typing as t

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    InvalidAnswer,
    InvalidOption,
    LibraryMissing,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_repository
from ansible_collections.registryops.migration.plugins.module_utils._stores.docker_engine import chain_ids, full_reference, repository_of
from ansible_collections.registryops.migration.plugins.module_utils._stores.engine_api import EngineAddress, EngineAPI
from ansible_collections.registryops.migration.plugins.module_utils._stores.engine_archive import (
    Contents,
    File,
    docker_archive,
    layout_archive,
    read_archive,
    write_archive,
)


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("nginx", "nginx"),
        ("team/app", "team/app"),
        ("registry.example.com/team/app", "registry.example.com/team/app"),
        ("registry.example.com:5000/team/app", "registry.example.com_5000/team/app"),
        ("localhost/app", "localhost/app"),
        ("localhost:5000/app", "localhost_5000/app"),
        ("[::1]:5000/app", "1_5000/app"),
        ("REGISTRY/app", "registry/app"),
    ],
)
def test_an_engines_name_becomes_one_that_a_registry_takes(name: str, repository: str) -> None:
    assert repository_of(name) == repository
    assert check_repository(repository) == repository


@pytest.mark.parametrize(
    ("name", "host", "repository"),
    [
        ("registry.example.com:5000/team/app", "registry.example.com:5000", "team/app"),
        ("registry.example.com/team/app", "registry.example.com:5000", None),
        ("team/app", "registry.example.com", None),
        ("team/app", "docker.io", "team/app"),
        ("nginx", "docker.io", "nginx"),
        ("docker.io/library/nginx", "docker.io", "library/nginx"),
        ("registry.example.com/app", "docker.io", None),
        ("Not_A_Host:x/app", "docker.io", None),
    ],
)
def test_with_a_host_only_its_images_are_seen(name: str, host: str, repository: str | None) -> None:
    assert repository_of(name, host) == repository


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("nginx:1", "docker.io/library/nginx:1"),
        ("team/app:1", "docker.io/team/app:1"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
    ],
)
def test_names_without_a_host_are_those_of_docker_hub(name: str, full: str) -> None:
    assert full_reference(name) == full


def test_chain_ids() -> None:
    """The values are those that sha256sum gives for the sums of image-spec's "config.md"."""
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    assert chain_ids([]) == []
    assert chain_ids([one]) == [one]
    first, second, third = chain_ids([one, two, two])
    assert first == one
    assert second == "sha256:9932074217c35353d2e03a3f5a86549f7c67bfeb0ba53e23d69f4d4c8f7958f5"
    assert third not in (one, two, second)


def archive(*members: tuple[str, bytes | str]) -> bytes:
    """A tar; a text in place of bytes is where a link leads to."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


def pieces(data: bytes, size: int = 700) -> t.Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def read(data: bytes, size: int = 700) -> tuple[Contents, dict[str, bytes]]:
    contents = Contents()
    found = {path: b"".join(body) for path, body in read_archive(pieces(data, size), "the image", contents)}
    return contents, found


@pytest.mark.parametrize("size", [1, 512, 700, 1 << 20])
def test_an_archive_is_read_once_from_front_to_back(size: int) -> None:
    manifest = json.dumps([{"Config": "c.json", "Layers": ["a/layer.tar", "b/layer.tar", "c/layer.tar"]}]).encode()
    members = [
        ("a/VERSION", b"1.0"),
        ("a/json", b"{}"),
        ("a/layer.tar", b"first" * 1000),
        ("b/layer.tar", "../a/layer.tar"),
        # what begins like JSON is not all JSON
        ("c/layer.tar", b"{third"),
        ("c.json", b'{"rootfs": {}}'),
        ("manifest.json", manifest),
    ]
    contents, found = read(archive(*members), size)
    assert found == {"a/layer.tar": b"first" * 1000, "c/layer.tar": b"{third"}
    assert contents.image("the image") == (b'{"rootfs": {}}', ["a/layer.tar", "a/layer.tar", "c/layer.tar"])


def test_a_layer_need_not_be_read() -> None:
    data = archive(("a/layer.tar", b"x" * 100_000), ("b/layer.tar", b"y" * 100))
    assert [path for path, _body in read_archive(pieces(data), "the image", Contents())] == ["a/layer.tar", "b/layer.tar"]


@pytest.mark.parametrize("end", [0, 300, 1000, 5000])
def test_an_archive_that_breaks_off(end: int) -> None:
    data = archive(("a/layer.tar", b"x" * 8000), ("manifest.json", b"[]"))
    with pytest.raises(InvalidAnswer):
        read(data[:end])[0].image("the image")


def test_what_is_no_archive() -> None:
    with pytest.raises(InvalidAnswer):
        read(b"<html>" * 1000)


@pytest.mark.parametrize("document", [b"[]", b"{}", b'[{"Config": "none.json", "Layers": []}]', b'[{"Config": 1}]', b"[1]"])
def test_an_archive_that_names_no_image(document: bytes) -> None:
    contents, _found = read(archive(("manifest.json", document)))
    with pytest.raises(InvalidAnswer) as caught:
        contents.image("the image")
    assert caught.value.subject == "the image"


def test_what_is_written_can_be_read() -> None:
    layer = File("one.tar", 5, lambda: iter([b"ab", b"cde"]))
    data = b"".join(write_archive(docker_archive(b'{"a": 1}', "sha256:c0ffee", [("zero.tar", None), ("one.tar", layer)], ["app:1"])))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == ["c0ffee.json", "one.tar", "manifest.json"]
        file = tar.extractfile("manifest.json")
        assert file is not None
        # a layer that the engine has is named, and not there
        assert json.load(file) == [{"Config": "c0ffee.json", "RepoTags": ["app:1"], "Layers": ["zero.tar", "one.tar"]}]
    contents, found = read(data)
    assert contents.documents["c0ffee.json"] == b'{"a": 1}'
    assert found == {"one.tar": b"abcde"}


def test_a_file_that_is_shorter_than_was_said() -> None:
    with pytest.raises(InvalidAnswer):
        list(write_archive([File("one.tar", 6, lambda: iter([b"abcde"]))]))


def test_a_layout_names_its_image() -> None:
    descriptor = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:c0ffee", "size": 3}
    names = ["docker.io/library/app:1", "localhost:5000/app:2"]
    contents, _found = read(b"".join(write_archive(layout_archive(descriptor, [File.of("blobs/sha256/c0ffee", b"abc")], names))))
    entries = json.loads(contents.documents["index.json"])["manifests"]
    assert [entry["annotations"]["io.containerd.image.name"] for entry in entries] == names
    assert [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in entries] == ["1", "2"]
    assert {entry["digest"] for entry in entries} == {"sha256:c0ffee"}


def test_a_password_in_an_address_is_not_shown() -> None:
    assert EngineAddress("ssh://user:secret@docker.example.com").name == "ssh://***@docker.example.com"
    assert EngineAddress("ssh://user@docker.example.com").name == "ssh://user@docker.example.com"


@pytest.mark.parametrize("url", ["", "docker.example.com:2375", "ftp://docker.example.com", "tcp://", "tcp://host:port", "ssh://"])
def test_addresses_that_cannot_be_one(url: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        EngineAddress(url).check()
    assert caught.value.subject == "url"


@pytest.mark.parametrize(
    "url", ["unix:///run/docker.sock", "tcp://docker.example.com:2375", "https://[::1]:2376", "ssh://me@docker.example.com"]
)
def test_addresses_that_can(url: str) -> None:
    EngineAddress(url).check()


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(LibraryMissing) as caught:
        EngineAPI(EngineAddress("tcp://127.0.0.1:1", option="source.")).connect()
    assert caught.value.subject == "source.type: docker_engine"
    assert caught.value.hint.endswith("pip install docker.")

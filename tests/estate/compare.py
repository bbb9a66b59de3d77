# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two registries side by side, read by others than the collection: plain HTTP, and skopeo."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import re
import shutil
import subprocess
import tempfile
import typing as t
import urllib.parse
from pathlib import Path

from estate.client import ACCEPT, Access, Client
from estate.images import DOCKER_LIST, OCI_INDEX, SCHEMA1_SIGNED, digest_of, schema1_payload

TagKey = tuple[str, str]
#: from (repository, tag) at the source to that at the destination
Mapping = t.Callable[[str, str], TagKey]


@t.runtime_checkable
class HasAccess(t.Protocol):
    """A registry of the estate."""

    @property
    def access(self) -> Access:
        """How to reach it."""


Reachable = HasAccess | Access


def _access(registry: Reachable) -> Access:
    return registry if isinstance(registry, Access) else registry.access


def repositories_of(registry: Reachable) -> list[str]:
    """All names of the catalogue."""
    with Client(_access(registry)) as client:
        return _list(client, "/v2/_catalog?n=100", "repositories")


def tags_of(registry: Reachable, *, ghosts: bool = False) -> dict[TagKey, str]:
    """`{(repository, tag): digest}` of everything in the catalogue; the digests are those of the bytes that were served.

    `ghosts`: a tag that is listed and cannot be read is none. docker-registry leaves such entries behind when its disk is full: it makes
    folders and files before it finds that it cannot fill them.
    """
    found: dict[TagKey, str] = {}
    with Client(_access(registry)) as client:
        for name in _list(client, "/v2/_catalog?n=100", "repositories"):
            for tag in _list(client, f"/v2/{name}/tags/list", "tags"):
                if not (ghosts and _is_ghost(client, name, tag)):
                    found[name, tag] = _manifest(client, name, tag)[0]
    return found


def _is_ghost(client: Client, name: str, tag: str) -> bool:
    return client.request("GET", f"/v2/{name}/manifests/{tag}", headers={"Accept": ACCEPT}).status in (404, 500)


def _list(client: Client, path: str, key: str) -> list[str]:
    names: list[str] = []
    while path:
        answer = client.request("GET", path, expect=(200, 404))
        if answer.status == 404:
            return names
        names += answer.json()[key] or []
        link = re.match(r"<([^>]+)>", answer.header("Link"))
        path = urllib.parse.urljoin(path, link[1]) if link else ""
    return names


def _manifest(client: Client, name: str, reference: str) -> tuple[str, str, bytes]:
    """Digest, media type and bytes of a manifest."""
    answer = client.request("GET", f"/v2/{name}/manifests/{reference}", headers={"Accept": ACCEPT}, expect=(200,))
    media_type = answer.header("Content-Type").split(";")[0]
    signed = schema1_payload(answer.body) if media_type == SCHEMA1_SIGNED else answer.body
    return digest_of(signed), media_type, answer.body


def assert_complete(registry: Reachable, *, ghosts: bool = False) -> int:
    """Every manifest and blob that a tag leads to is there, and its bytes fit its digest; returns how many blobs were read.

    `ghosts`: see `tags_of`.
    """
    with Client(_access(registry)) as client:
        blobs: set[TagKey] = set()
        for name in _list(client, "/v2/_catalog?n=100", "repositories"):
            tags = _list(client, f"/v2/{name}/tags/list", "tags")
            todo = [tag for tag in tags if not (ghosts and _is_ghost(client, name, tag))]
            seen: set[str] = set()
            while todo:
                reference = todo.pop()
                digest, media_type, data = _manifest(client, name, reference)
                assert ":" not in reference or reference == digest, f"{name}@{reference} has the bytes of {digest}"
                if digest in seen:
                    continue
                seen.add(digest)
                document = json.loads(data)
                if media_type in (OCI_INDEX, DOCKER_LIST):
                    todo += [child["digest"] for child in document["manifests"]]
                blobs |= {(name, one) for one in _blobs_of(document)}
        for name, digest in sorted(blobs):
            assert digest_of(client.blob(name, digest), digest.split(":")[0]) == digest, f"{name}@{digest} has other bytes"
    return len(blobs)


def _blobs_of(document: t.Mapping[str, t.Any]) -> list[str]:
    """Digests of the blobs that a manifest needs; a layer with URLs is elsewhere."""
    parts = ([document["config"]] if "config" in document else []) + document.get("layers", []) + document.get("parts", [])
    return [one["digest"] for one in parts if not one.get("urls")] + [one["blobSum"] for one in document.get("fsLayers", [])]


class Skopeo:
    """skopeo as an independent reader of one registry; its certificates and credentials lie in a folder that `close` removes."""

    def __init__(self, registry: Reachable) -> None:
        self.access = _access(registry)
        self._url = urllib.parse.urlsplit(self.access.url)
        self._folder = Path(tempfile.mkdtemp(prefix="estate-skopeo-"))
        certificates = self._folder / "certs"
        certificates.mkdir()
        if self.access.ca_file:
            shutil.copy(self.access.ca_file, certificates / "ca.crt")
        if self.access.client_certificate:
            shutil.copy(self.access.client_certificate.certificate, certificates / "client.cert")
            shutil.copy(self.access.client_certificate.key, certificates / "client.key")
        authentication = {}
        if self.access.user:
            secret = f"{self.access.user}:{self.access.password}".encode()
            authentication[self._url.netloc] = {"auth": base64.b64encode(secret).decode()}
        (self._folder / "auth.json").write_text(json.dumps({"auths": authentication}), encoding="utf-8")
        self._options = [
            f"--tls-verify={'true' if self._url.scheme == 'https' else 'false'}",
            f"--cert-dir={certificates}",
            f"--authfile={self._folder / 'auth.json'}",
        ]

    def inspect_raw(self, repository: str, reference: str) -> bytes:
        """The manifest's bytes under a tag or digest, as `skopeo inspect --raw` prints them."""
        separator = "@" if ":" in reference else ":"
        return self._run("inspect", "--raw", *self._options, f"docker://{self._url.netloc}/{repository}{separator}{reference}")

    def list_tags(self, repository: str) -> list[str]:
        """The repository's tags."""
        tags: list[str] = json.loads(self._run("list-tags", *self._options, f"docker://{self._url.netloc}/{repository}"))["Tags"]
        return tags

    def _run(self, *arguments: str) -> bytes:
        done = subprocess.run(["skopeo", *arguments], capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, f"skopeo {' '.join(arguments)}: {done.stderr.decode()}"
        return done.stdout

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Skopeo:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def skopeo_inspect_raw(registry: Reachable, repository: str, reference: str) -> bytes:
    """One manifest's bytes through skopeo."""
    with Skopeo(registry) as skopeo:
        return skopeo.inspect_raw(repository, reference)


def assert_same(source: Reachable, destination: Reachable, mapping: Mapping | None = None, tags: t.Iterable[TagKey] | None = None) -> int:
    """skopeo reads the same manifest, byte for byte, of every tag of the source (or of `tags`) at both; returns how many.

    `mapping` says under which repository and tag the destination has it: None for the same ones.
    """
    wanted = sorted(tags_of(source) if tags is None else tags)
    assert wanted, "the source has no tag: nothing would be compared"
    with Skopeo(source) as here, Skopeo(destination) as there, concurrent.futures.ThreadPoolExecutor(4) as pool:

        def differs(key: TagKey) -> str:
            target = mapping(*key) if mapping else key
            ours, theirs = here.inspect_raw(*key), there.inspect_raw(*target)
            return "" if ours == theirs else f"{':'.join(key)} is {digest_of(ours)}, {':'.join(target)} is {digest_of(theirs)}"

        differences = [difference for difference in pool.map(differs, wanted) if difference]
    assert not differences, "\n".join(differences)
    return len(wanted)

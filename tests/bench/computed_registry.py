# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry of any size that is computed while it is read: `python -m bench.computed_registry ROLE PORT REPOSITORIES TAGS`.

Each of the REPOSITORIES has TAGS tags, each tag a manifest of its own with a configuration of its own, a layer of its repository and
a layer that all share. ROLE is what it plays: `source` and `full` hold all of it; `empty` holds nothing and takes everything, without
looking at it or keeping it. Only what a copy asks for is answered: it measures a client, and no registry.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import json
import re
import sys
import typing as t
import urllib.parse

LOOPBACK = "127.0.0.1"
PAGE = 1000
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG, _LAYER = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip"
_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>tags/list|manifests|blobs/uploads|blobs|referrers)(?:/(?P<reference>[^/]*))?")
_REASONS = {200: "OK", 201: "Created", 202: "Accepted", 404: "Not Found", 405: "Method Not Allowed"}


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _descriptor(media_type: str, data: bytes) -> dict[str, t.Any]:
    return {"mediaType": media_type, "size": len(data), "digest": _digest(data)}


def _config(repository: int, tag: int) -> bytes:
    return b'{"architecture":"amd64","os":"linux","config":{"Labels":{"made":"%d %d"}},"rootfs":{"type":"layers","diff_ids":[]}}' % (
        repository,
        tag,
    )


@functools.lru_cache(maxsize=4)
def _layers(repository: int) -> list[bytes]:
    return [b"of all " * 100, b"of repository %d " % repository * 50]


@functools.lru_cache(maxsize=4)
def _layer_descriptors(repository: int) -> list[dict[str, t.Any]]:
    return [_descriptor(_LAYER, layer) for layer in _layers(repository)]


def manifest(repository: int, tag: int) -> bytes:
    """The manifest of a tag."""
    config = _descriptor(_CONFIG, _config(repository, tag))
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": _layer_descriptors(repository)}).encode()


Answer = tuple[int, dict[str, str], bytes]


class ComputedRegistry:
    """What is held, and the answers about it."""

    def __init__(self, role: str, repositories: int, tags: int) -> None:
        self.holds = role != "empty"
        self.repositories = repositories
        self.tags = tags
        self._sessions = 0
        #: digest -> repository and tag (-1: a layer of the repository, -2: that of all), for what is asked for by digest
        self._blobs: dict[bytes, tuple[int, int]] = {}
        for repository in range(repositories if role == "source" else 0):
            common, own = _layers(repository)
            self._blobs[hashlib.sha256(common).digest()] = repository, -2
            self._blobs[hashlib.sha256(own).digest()] = repository, -1
            for tag in range(tags):
                self._blobs[hashlib.sha256(_config(repository, tag)).digest()] = repository, tag

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Status, headers and body for a request."""
        path, _question, query = target.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        if path == "/v2/":
            return 200, {}, b"{}"
        if path == "/v2/_catalog":
            return self._page("/v2/_catalog", "repositories", [f"computed/r{number:06d}" for number in range(self.repositories)], asked)
        match = _PATH.fullmatch(path)
        if match is None:
            return 404, {}, b"{}"
        repository, kind, reference = match["repository"], match["kind"], match["reference"] or ""
        if kind == "tags/list":
            if not self.holds:
                return 404, {}, b'{"errors":[{"code":"NAME_UNKNOWN"}]}'
            return self._page(path, "tags", [f"t{number:06d}" for number in range(self.tags)], asked)
        if kind == "manifests":
            return self._manifest(method, repository, reference, body)
        if kind == "blobs/uploads":
            return self._upload(method, repository, asked)
        if kind == "blobs" and method == "GET":
            return self._blob(reference)
        return 404, {}, b"404 page not found\n"

    def _page(self, path: str, key: str, names: list[str], asked: dict[str, str]) -> Answer:
        size = min(int(asked.get("n", PAGE)), PAGE)
        names = names if "last" not in asked else [name for name in names if name > asked["last"]]
        headers = {"Content-Type": "application/json"}
        if len(names) > size:
            names = names[:size]
            headers["Link"] = f'<{path}?n={size}&last={names[-1]}>; rel="next"'
        return 200, headers, json.dumps({key: names}).encode()

    def _manifest(self, method: str, repository: str, reference: str, body: bytes) -> Answer:
        if method == "PUT":
            return 201, {"Docker-Content-Digest": _digest(body)}, b""
        if not self.holds or not reference.startswith("t"):
            return 404, {}, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'
        data = manifest(int(repository[-6:]), int(reference[1:]))
        return 200, {"Content-Type": MANIFEST, "Docker-Content-Digest": _digest(data)}, data

    def _upload(self, method: str, repository: str, asked: dict[str, str]) -> Answer:
        if method == "PUT":
            return 201, {"Docker-Content-Digest": asked["digest"]}, b""
        if asked.get("from", repository) != repository:
            return 201, {"Docker-Content-Digest": asked["mount"]}, b""
        self._sessions += 1
        return 202, {"Location": f"/v2/{repository}/blobs/uploads/{self._sessions}", "Range": "0-0"}, b""

    def _blob(self, digest: str) -> Answer:
        repository, tag = self._blobs.get(bytes.fromhex(digest.partition(":")[2]), (-1, -1))
        if repository < 0:
            return 404, {}, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}'
        data = _layers(repository)[tag] if tag < 0 else _config(repository, tag)
        return 200, {"Content-Type": "application/octet-stream"}, data


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with Content-Length, one request after the other."""

    def __init__(self, registry: ComputedRegistry) -> None:
        self._registry = registry
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = t.cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._answer_next():
            pass

    def _answer_next(self) -> bool:
        """Answer a request that has arrived as a whole; says whether there was one."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0 or self._transport is None:
            return False
        head = bytes(self._received[: end + 2])
        request, length = _REQUEST.match(head), _LENGTH.search(head)
        if request is None:
            self._transport.abort()
            return False
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._received) < whole:
            return False
        body = bytes(self._received[end + 4 : whole])
        del self._received[:whole]
        method = request[1].decode()
        status, headers, answer = self._registry.answer(method, request[2].decode(), body)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        start = f"HTTP/1.1 {status} {_REASONS[status]}\r\n{lines}Content-Length: {len(answer)}\r\n\r\n"
        self._transport.write(start.encode() + (b"" if method == "HEAD" else answer))
        return True


async def serve(registry: ComputedRegistry, port: int) -> None:
    """Answer until cancelled."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(registry), LOOPBACK, port)
    async with server:
        await server.serve_forever()


def main(role: str, port: str, repositories: str, tags: str) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(ComputedRegistry(role, int(repositories), int(tags)), int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])

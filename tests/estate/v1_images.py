# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images as they were before manifests: chains of documents and layers, the same bytes at every run, and how clients pushed them."""

from __future__ import annotations

import base64
import bz2
import dataclasses
import gzip
import hashlib
import http.client
import io
import json
import lzma
import random
import tarfile
import typing as t
import urllib.parse

#: an archive without any file
EMPTY = b"\0" * 1024
_PACKED: dict[str, t.Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


@dataclasses.dataclass(frozen=True)
class Image:
    """One image of a chain: its id, its document to the byte, its layer as it is stored, and the archive in that."""

    id: str
    document: bytes
    layer: bytes
    archive: bytes

    @property
    def checksum(self) -> str:
        """What the client of that time sent as X-Docker-Checksum-Payload."""
        payload = self.document + b"\n" + self.layer
        return f"sha256:{hashlib.sha256(payload).hexdigest()}"


@dataclasses.dataclass(frozen=True)
class Step:
    """What makes one image out of another: a command, the archive that it leaves, and how that is packed."""

    command: str
    archive: bytes = EMPTY
    form: str = "gzip"
    #: more keys of the document
    more: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


Chain = list[Image]


def archive(seed: int, size: int = 50_000, whiteout: str = "") -> bytes:
    """A tar archive: a file of so many random bytes, one that compresses, and perhaps the mark of a deleted one."""
    entries = [(f"bin/tool-{seed}", random.Random(seed).randbytes(size)), (f"etc/list-{seed}", b"one line of many\n" * 500)]
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in [*entries, *([(whiteout, b"")] if whiteout else [])]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), 0o644, 1_400_000_000
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def chain(seed: str, steps: t.Sequence[Step], base: Chain | None = None) -> Chain:
    """Images on top of each other, the base first; `base`: those below."""
    images = list(base or [])
    for number, step in enumerate(steps, len(images)):
        parent = images[-1].id if images else ""
        image_id = hashlib.sha256(f"{seed} {number} {parent}".encode()).hexdigest()
        document = {
            "id": image_id,
            **({"parent": parent} if parent else {}),
            "created": f"2014-06-{1 + number:02}T10:00:00.000000000Z",
            "container": "c" * 64,
            "container_config": {"Hostname": "builder", "Cmd": ["/bin/sh", "-c", step.command], "Image": parent},
            "docker_version": "1.6.2",
            "author": "Anybody <a@example.com>",
            "architecture": "amd64",
            "os": "linux",
            "Size": 0 if step.archive == EMPTY else len(step.archive),
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"], "Labels": {"step": str(number)}},
            **step.more,
        }
        packed = _PACKED["plain" if step.archive == EMPTY else step.form](step.archive)
        images.append(Image(image_id, json.dumps(document).encode(), packed, step.archive))
    return images


def some_images() -> dict[str, tuple[list[str], Chain]]:
    """{repository: (tags, chain)}: one image with two tags, a base that two repositories share, and every way to pack a layer."""
    base = chain("base", [Step("ADD base", archive(1)), Step("ENV A=b")])
    return {
        "library/web": (["1.0", "latest"], chain("web", [Step("COPY app", archive(2, whiteout="tmp/.wh.old"))], base)),
        "team/api": (["2.1"], chain("api", [Step("COPY api", archive(3, 300_000)), Step("CMD api")], base)),
        "team/plain": (["v1"], chain("plain", [Step("ADD a", archive(4), "plain"), Step("ADD b", archive(5), "bzip2")])),
        "team/xz": (["v1"], chain("xz", [Step("ADD a", archive(6), "xz"), Step("thrown away", archive(7), more={"throwaway": True})])),
    }


class Pusher:
    """A client of that time, as far as it pushes. `url` is `http://host:port`; with `user` it sends Basic."""

    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        parts = urllib.parse.urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {
            "User-Agent": "docker/1.6.2 go/go1.4.2 os/linux arch/amd64",
            **({"Authorization": f"Basic {pair}"} if user else {}),
        }

    def put(self, path: str, body: bytes, headers: t.Mapping[str, str] | None = None, expect: t.Sequence[int] = (200, 204)) -> int:
        """Send one part, and have it taken."""
        self._connection.request("PUT", path, body, {**self._headers, **(headers or {})})
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status not in expect:
            raise RuntimeError(f"PUT {path}: {answer.status} {said[:200]!r}")
        return answer.status

    def push(self, repository: str, images: Chain, tags: t.Sequence[str]) -> None:
        """Push a chain, and set tags to the last of it. What is there is not sent again."""
        listed = json.dumps([{"id": one.id} for one in images]).encode()
        self.put(f"/v1/repositories/{repository}/", listed, {"X-Docker-Token": "true"})
        for image in images:
            self.push_image(image)
        for tag in tags:
            self.put(f"/v1/repositories/{repository}/tags/{tag}", json.dumps(images[-1].id).encode())
        self.put(f"/v1/repositories/{repository}/images", listed)

    def push_image(self, image: Image, *, unfinished: bool = False) -> None:
        """Push one image; `unfinished`: its checksum never comes, and to the registry it stays half an image."""
        path = f"/v1/images/{image.id}"
        if self.put(f"{path}/json", image.document, expect=(200, 409)) == 409:
            return
        self.put(f"{path}/layer", image.layer)
        if not unfinished:
            self.put(f"{path}/checksum", b"", {"X-Docker-Checksum-Payload": image.checksum})

    def __enter__(self) -> Pusher:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()


def push_all(url: str, images: t.Mapping[str, tuple[list[str], Chain]] | None = None) -> dict[str, tuple[list[str], Chain]]:
    """Push images (by default `some_images`) to a registry; returns them."""
    pushed = dict(some_images() if images is None else images)
    with Pusher(url) as pusher:
        for repository, (tags, one) in pushed.items():
            pusher.push(repository, one, tags)
    return pushed

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is copied: images of made-up bytes, the same at every run and with every Python, pushed straight into a registry.

Layers are true gzipped tars of noise: a tool that compresses what is not compressed would otherwise change the digests, and spend
time on something that real images do not ask for.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import hashlib
import inspect
import json
import random
import struct
import sys
import tarfile
import threading
import typing as t
import zlib

from estate.client import Access, Client
from estate.images import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LIST, DOCKER_MANIFEST, digest_of

KIB, MIB = 1 << 10, 1 << 20
TAGS_IN_A_REPOSITORY = 10
PLATFORMS = ("amd64", "arm64", "ppc64le", "s390x")
_STORED_BLOCK = 65535  # bytes that a stored block of deflate can hold (RFC 1951, 3.2.4)


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer: its bytes, their digest, and the digest of the tar in it."""

    data: bytes
    digest: str
    diff_id: str


def make_layer(name: str, size: int) -> Layer:
    """A gzipped tar with one file of `size` bytes of noise, which depends on the name alone."""
    member = tarfile.TarInfo("noise")
    member.size = size
    tar = b"".join((member.tobuf(tarfile.USTAR_FORMAT), _noise(name, size), bytes(-size % 512 + 1024)))
    data = _gzip_stored(tar)
    return Layer(data, digest_of(data), digest_of(tar))


def _noise(name: str, size: int) -> bytes:
    generator = random.Random(name)
    return b"".join(generator.randbytes(min(MIB, size - start)) for start in range(0, size, MIB))


def _gzip_stored(data: bytes) -> bytes:
    """gzip with stored blocks only: what zlib writes differs between its versions, this does not (RFC 1951 and 1952)."""
    pieces = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    for start in range(0, len(data), _STORED_BLOCK):
        block = data[start : start + _STORED_BLOCK]
        last = start + _STORED_BLOCK >= len(data)
        pieces += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    pieces.append(struct.pack("<LL", zlib.crc32(data), len(data) & 0xFFFFFFFF))
    return b"".join(pieces)


@dataclasses.dataclass
class Content:
    """What a registry holds after a push: enough to compare a copy with it, and to count the requests that a copy takes."""

    #: repository -> tag -> digest
    tags: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    #: (repository, digest) of manifests that have no tag
    children: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    #: (repository, digest) of blobs
    pairs: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    #: digest -> bytes
    blobs: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def repositories(self) -> list[str]:
        """Their names, in order."""
        return sorted(self.tags)

    @property
    def tag_count(self) -> int:
        """Tags in all repositories."""
        return sum(len(tags) for tags in self.tags.values())

    @property
    def blob_bytes(self) -> int:
        """Bytes of the unique blobs."""
        return sum(self.blobs.values())

    def as_document(self) -> dict[str, t.Any]:
        """For a JSON file."""
        return {"tags": self.tags, "children": sorted(self.children), "pairs": sorted(self.pairs), "blobs": self.blobs}

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> Content:
        """Out of a JSON file."""
        children, pairs = ({(one[0], one[1]) for one in document[name]} for name in ("children", "pairs"))
        return cls(document["tags"], children, pairs, document["blobs"])


@dataclasses.dataclass(frozen=True)
class Fewest:
    """The fewest requests of a copy on each side, beside the ping and the catalogue; `bytes`: of blobs that have to move.

    With the common endpoints: no authentication, one page of tags a repository, POST and PUT for a new blob, one mount for each further
    repository that needs it, one PUT for each manifest and tag.
    """

    source: int
    destination: int
    bytes: int


def fewest_at_first(content: Content) -> Fewest:
    """For a copy into an empty registry: tags that the destination's list does not have are asked for once, at the source."""
    repositories, tags, children = len(content.tags), content.tag_count, len(content.children)
    blobs, pairs = len(content.blobs), len(content.pairs)
    source = repositories + tags + children + blobs
    return Fewest(source, repositories + 2 * blobs + (pairs - blobs) + children + tags, content.blob_bytes)


def fewest_again(before: Content, now: Content) -> Fewest:
    """For a copy over one of `before`: every tag is compared on both sides; in what changed, blobs that are there are asked for once."""
    changed = {(name, tag) for name, tags in now.tags.items() for tag, digest in tags.items() if before.tags[name][tag] != digest}
    blobs = {digest: size for digest, size in now.blobs.items() if digest not in before.blobs}
    compared = len(now.tags) + now.tag_count
    held = len(changed) * (_LAYERS_KEPT_BY_TOUCH if changed else 0)
    return Fewest(compared + len(changed) + len(blobs), compared + held + 2 * len(blobs) + len(changed), sum(blobs.values()))


class Pusher:
    """Pushes images into a registry, from many threads, and keeps book. A blob that another repository has is mounted."""

    def __init__(self, url: str, workers: int = 4) -> None:
        self.content = Content()
        self._client = Client(Access(url))
        self._workers = workers
        self._lock = threading.Lock()
        self._homes: dict[str, str] = {}

    def each(self, work: t.Callable[[int], None], count: int) -> None:
        """Call `work` with 0, 1, …, several at a time."""
        with concurrent.futures.ThreadPoolExecutor(self._workers) as pool:
            for future in [pool.submit(work, number) for number in range(count)]:
                future.result()

    def image(self, repository: str, layers: t.Sequence[Layer], salt: str, tag: str = "", platform: str = "amd64") -> bytes:
        """Push an image and return its manifest; without a tag it is put under its digest, for an index."""
        for layer in layers:
            self._blob(repository, layer.data, layer.digest)
        config = _json(
            {
                "architecture": platform,
                "os": "linux",
                "config": {"Env": ["PATH=/usr/bin"], "Labels": {f"label-{number}": "x" * 40 for number in range(10)}},
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
                "history": [{"created_by": f"step {number} of {salt} " + "y" * 80} for number in range(12)],
            }
        )
        config_digest = digest_of(config)
        self._blob(repository, config, config_digest)
        manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": DOCKER_MANIFEST,
                "config": {"mediaType": DOCKER_CONFIG, "size": len(config), "digest": config_digest},
                "layers": [{"mediaType": DOCKER_LAYER, "size": len(layer.data), "digest": layer.digest} for layer in layers],
            }
        )
        self.manifest(repository, manifest, DOCKER_MANIFEST, tag)
        return manifest

    def manifest(self, repository: str, data: bytes, media_type: str, tag: str = "") -> None:
        """Put a manifest under a tag, or under its digest."""
        digest = digest_of(data)
        self._client.request("PUT", f"/v2/{repository}/manifests/{tag or digest}", data, {"Content-Type": media_type}, expect=(201,))
        with self._lock:
            tags = self.content.tags.setdefault(repository, {})
            if tag:
                tags[tag] = digest
            else:
                self.content.children.add((repository, digest))

    def _blob(self, repository: str, data: bytes, digest: str) -> None:
        with self._lock:
            if (repository, digest) in self.content.pairs:
                return
            home = self._homes.get(digest, "")
        query = f"?mount={digest}&from={home}" if home else ""
        answer = self._client.request("POST", f"/v2/{repository}/blobs/uploads/{query}", b"", expect=(201, 202))
        if answer.status == 202:
            session = answer.header("Location")
            location = f"{session}{'&' if '?' in session else '?'}digest={digest}"
            self._client.request("PUT", location, data, {"Content-Type": "application/octet-stream"}, expect=(201,))
        with self._lock:
            self.content.pairs.add((repository, digest))
            self.content.blobs[digest] = len(data)
            self._homes.setdefault(digest, repository)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _json(document: t.Any) -> bytes:
    return json.dumps(document, indent=3).encode()


# -- the workloads -----------------------------------------------------------------------------------------------------

_LAYERS_KEPT_BY_TOUCH = 3


@functools.cache
def _base_layers() -> tuple[Layer, ...]:
    """Twenty layers of 256 KiB to 4 MiB that the repositories of W1 share."""
    sizes = random.Random("sizes of base layers")
    return tuple(make_layer(f"base {number}", sizes.randint(256 * KIB, 4 * MIB)) for number in range(20))


def _small_image(pusher: Pusher, repository: int, tag: int, version: int = 0) -> None:
    """Three base layers, one choice for each half of a repository's tags, and two layers of its own of 4 to 64 KiB."""
    choice = random.Random(f"base layers of {repository} {tag * 2 // TAGS_IN_A_REPOSITORY}").sample(_base_layers(), _LAYERS_KEPT_BY_TOUCH)
    sizes = random.Random(f"sizes of {repository} {tag}")
    name = f"small {repository} {tag} {version}"
    own = [make_layer(f"{name} {number}", sizes.randint(4 * KIB, 64 * KIB)) for number in range(2)]
    pusher.image(f"small/r{repository:03d}", [*choice, *own], name, tag=f"v{tag}")


def many_small(pusher: Pusher, repositories: int) -> None:
    """W1: repositories of ten tags, with base layers shared by all."""
    _base_layers()  # before threads ask for them

    def one(number: int) -> None:
        for tag in range(TAGS_IN_A_REPOSITORY):
            _small_image(pusher, number, tag)

    pusher.each(one, repositories)


def many_small_touched(pusher: Pusher, repositories: int) -> None:
    """W5: W1 after one tag in a hundred has got two new layers and a new configuration, on its old base layers."""
    many_small(pusher, repositories)
    touched = max(1, repositories * TAGS_IN_A_REPOSITORY // 100)
    for number in range(touched):
        _small_image(pusher, number * repositories // touched, TAGS_IN_A_REPOSITORY - 1, version=1)


def large_layers(pusher: Pusher, images: int, layers: int = 2, size: int = 64 * MIB) -> None:
    """W2: each image in a repository of its own."""
    for image in range(images):  # one at a time, for its layers are held in memory
        made = [make_layer(f"large {image} {number}", size) for number in range(layers)]
        pusher.image(f"large/b{image:02d}", made, f"large {image}", tag="latest")


def multi_platform(pusher: Pusher, indexes: int) -> None:
    """W3: indexes of four images; a layer of 1 MiB out of five for each platform, one of 200 KiB out of five, two own of 40 KiB."""

    def one(number: int) -> None:
        repository, children = f"multi/m{number:02d}", []
        for platform in PLATFORMS:
            base = random.Random(f"base of {platform} {number}").randrange(5)
            layers = [make_layer(f"{platform} {base}", MIB), make_layer(f"common {number % 5}", 200 * KIB)]
            layers += [make_layer(f"own {platform} {number} {own}", 40 * KIB) for own in range(2)]
            manifest = pusher.image(repository, layers, f"multi {number}", platform=platform)
            platform_fields = {"architecture": platform, "os": "linux"}
            children.append(
                {"mediaType": DOCKER_MANIFEST, "size": len(manifest), "digest": digest_of(manifest), "platform": platform_fields}
            )
        index = _json({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": children})
        pusher.manifest(repository, index, DOCKER_LIST, "latest")

    pusher.each(one, indexes)


def one_repository(pusher: Pusher, tags: int, manifests: int = 200) -> None:
    """W6: one repository with many tags on few manifests."""

    def one(number: int) -> None:
        layers = [make_layer(f"huge {number}", 8 * KIB), make_layer("huge", 512 * KIB)]
        manifest = pusher.image("huge/all", layers, f"huge {number}", tag=f"t{number:05d}")
        for tag in range(number + manifests, tags, manifests):
            pusher.manifest("huge/all", manifest, DOCKER_MANIFEST, f"t{tag:05d}")

    pusher.each(one, min(tags, manifests))


Push = t.Callable[[Pusher], None]


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is copied, in which state of the destination.

    `seed` names what the source holds; `destination` what the destination holds before: nothing, or a seed too. `round_trip`:
    milliseconds that are added to every request.
    """

    name: str
    title: str
    seed: str
    destination: str = ""
    round_trip: float = 0.0


#: contents of a source by name
SEEDS: t.Mapping[str, Push] = {
    "small": lambda pusher: many_small(pusher, 200),
    "small-touched": lambda pusher: many_small_touched(pusher, 200),
    "small-s": lambda pusher: many_small(pusher, 40),
    "small-s-touched": lambda pusher: many_small_touched(pusher, 40),
    "large": lambda pusher: large_layers(pusher, 20),
    "large-s": lambda pusher: large_layers(pusher, 4),
    "layer": lambda pusher: large_layers(pusher, 1, layers=1, size=600_000_000),
    "multi": lambda pusher: multi_platform(pusher, 50),
    "huge": lambda pusher: one_repository(pusher, 20_000),
    "huge-s": lambda pusher: one_repository(pusher, 4_000),
}

_ALL = (
    Workload("W1", "many small images: 200 repositories of 10 tags, shared base layers", "small"),
    Workload("W1s", "the same with 40 repositories", "small-s"),
    Workload("W2", "large layers: 20 images of two layers of 64 MiB", "large"),
    Workload("W2s", "the same with 4 images", "large-s"),
    Workload("L600", "one layer of 600 MB", "layer"),
    Workload("W3", "multi-arch: 50 indexes of 4 platforms", "multi"),
    Workload("W4", "W1 again, nothing changed", "small", "small"),
    Workload("W4s", "W1s again, nothing changed", "small-s", "small-s"),
    Workload("W5", "W1 again, 1 % of the tags changed", "small-touched", "small"),
    Workload("W5s", "W1s again, 1 % of the tags changed", "small-s-touched", "small-s"),
    Workload("W6", "one repository of 20,000 tags on 200 manifests", "huge"),
    Workload("W6s", "the same with 4,000 tags", "huge-s"),
)
WORKLOADS: t.Mapping[str, Workload] = {workload.name: workload for workload in _ALL}


def with_round_trip(workload: Workload, milliseconds: float) -> Workload:
    """The workload behind a network."""
    if not milliseconds:
        return workload
    name, title = f"{workload.name}-{milliseconds:g}ms", f"{workload.title}; {milliseconds:g} ms of round-trip time"
    return dataclasses.replace(workload, name=name, title=title, round_trip=milliseconds)


def fewest(workload: Workload, source: Content, destination: Content | None) -> Fewest:
    """The fewest requests and bytes for a workload."""
    return fewest_again(destination, source) if workload.destination and destination else fewest_at_first(source)


@functools.cache
def generator_hash() -> str:
    """Changes with this file: what an older generator has pushed is not used any more."""
    return hashlib.sha256(inspect.getsource(sys.modules[__name__]).encode()).hexdigest()[:12]


def push_seed(seed: str, url: str, workers: int = 4) -> Content:
    """Push a seed into an empty registry."""
    pusher = Pusher(url, workers)
    try:
        SEEDS[seed](pusher)
    finally:
        pusher.close()
    return pusher.content

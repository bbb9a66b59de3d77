# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images as registries hold them, built in memory and the same at every run: blobs, manifests and tags of repositories.

Layers are true gzipped tars of incompressible bytes; a tool that compresses what is not compressed would change the digests.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import gzip
import hashlib
import io
import json
import random
import tarfile
import typing as t

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
COSIGN_PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
SPDX = "application/spdx+json"
UNKNOWN_MANIFEST = "application/vnd.example.unheard-of.manifest.v9+json"

#: every manifest type that the sets hold, as a reader must ask for it
ALL_MANIFESTS = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST, SCHEMA1_SIGNED, UNKNOWN_MANIFEST)

Descriptor = dict[str, t.Any]
Platform = dict[str, str]

#: the layer of 32 bytes that Docker wrote for an instruction that changes no file: a gzipped tar of 1,024 zero bytes
DOCKER_EMPTY_LAYER = base64.b64decode("H4sIAAAJbogA/2IYBaNgFIxYAAgAAP//Lq+17wAEAAA=")

_CREATED = "2026-01-01T00:00:00Z"


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """`<algorithm>:<hexadecimal>` of the bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


# -- the model ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A manifest as it is sent: bytes, media type, digest (which for signed schema 1 is that of the payload alone)."""

    media_type: str
    data: bytes
    digest: str

    def descriptor(self, **more: t.Any) -> Descriptor:
        """How an index or a `subject` points to it."""
        return {"mediaType": self.media_type, "size": len(self.data), "digest": self.digest, **more}


@dataclasses.dataclass
class Repository:
    """What one repository holds; `manifests` in an order in which a registry accepts them: children before parents."""

    blobs: dict[str, bytes] = dataclasses.field(default_factory=dict)
    manifests: dict[str, Manifest] = dataclasses.field(default_factory=dict)
    tags: dict[str, str] = dataclasses.field(default_factory=dict)

    def children(self) -> set[str]:
        """Digests of the manifests that an index of this repository names."""
        found: set[str] = set()
        for manifest in self.manifests.values():
            if manifest.media_type in (OCI_INDEX, DOCKER_LIST):
                found |= {child["digest"] for child in json.loads(manifest.data)["manifests"]}
        return found


@dataclasses.dataclass
class ImageSet:
    """Repositories by name."""

    repositories: dict[str, Repository] = dataclasses.field(default_factory=dict)

    def repository(self, name: str) -> Repository:
        """The repository of that name, made when it is missing."""
        return self.repositories.setdefault(name, Repository())

    def tags(self) -> dict[tuple[str, str], str]:
        """`{(repository, tag): digest}`."""
        return {(name, tag): digest for name, held in self.repositories.items() for tag, digest in held.tags.items()}

    def unique_blobs(self) -> dict[str, bytes]:
        """`{digest: bytes}` over all repositories."""
        return {digest: data for held in self.repositories.values() for digest, data in held.blobs.items()}

    def blob_pairs(self) -> set[tuple[str, str]]:
        """Every (repository, digest of a blob)."""
        return {(name, digest) for name, held in self.repositories.items() for digest in held.blobs}

    def manifest_pairs(self) -> set[tuple[str, str]]:
        """Every (repository, digest of a manifest)."""
        return {(name, digest) for name, held in self.repositories.items() for digest in held.manifests}

    def child_pairs(self) -> set[tuple[str, str]]:
        """The (repository, digest) pairs of manifests that an index names."""
        return {(name, digest) for name, held in self.repositories.items() for digest in held.children()}

    def blob_bytes(self) -> int:
        """Bytes of the unique blobs."""
        return sum(map(len, self.unique_blobs().values()))

    def update(self, other: ImageSet) -> ImageSet:
        """Add the repositories of another set to this one; returns this one."""
        for name, held in other.repositories.items():
            mine = self.repository(name)
            mine.blobs.update(held.blobs)
            mine.manifests.update(held.manifests)
            mine.tags.update(held.tags)
        return self


# -- building blocks ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Layer:
    """A compressed layer, and the digest of what is in it. `media_type`: None for the image's usual one."""

    data: bytes
    diff_id: str
    media_type: str | None = None
    urls: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Digest of the compressed bytes."""
        return digest_of(self.data)


@functools.lru_cache(maxsize=256)
def layer(name: str, size: int) -> Layer:
    """A gzipped tar with one file of `size` random bytes; the same name and size always give the same bytes."""
    content = random.Random(f"layer {name} {size}").randbytes(size)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(f"opt/{name.replace(' ', '-')}/data")
        member.size = size
        tar.addfile(member, io.BytesIO(content))
    return Layer(gzip.compress(archive.getvalue(), 1, mtime=0), digest_of(archive.getvalue()))


#: what Docker writes for an instruction without files
EMPTY_LAYER = Layer(DOCKER_EMPTY_LAYER, digest_of(bytes(1024)))
#: no byte at all: an uncompressed tar of nothing
ZERO_BYTE_LAYER = Layer(b"", digest_of(b""), media_type="application/vnd.oci.image.layer.v1.tar")


def foreign_layer(name: str, size: int) -> Layer:
    """A layer that is fetched from its URL and need not be in the registry (as Windows base images had)."""
    return dataclasses.replace(layer(name, size), media_type=DOCKER_FOREIGN_LAYER, urls=(f"http://layers.example.invalid/{name}",))


def add_blob(repository: Repository, data: bytes, media_type: str, **more: t.Any) -> Descriptor:
    """Put the blob into the repository; returns its descriptor."""
    digest = digest_of(data)
    repository.blobs[digest] = data
    return {"mediaType": media_type, "size": len(data), "digest": digest, **more}


def add_manifest(
    repository: Repository, document: t.Mapping[str, t.Any] | bytes, media_type: str, tags: t.Iterable[str] = (), digest: str | None = None
) -> Manifest:
    """Put the manifest and its tags into the repository. A document becomes JSON: indented as Docker writes it, compact as others do."""
    if isinstance(document, bytes):
        data = document
    else:
        data = json.dumps(document, indent=3).encode() if media_type in (DOCKER_MANIFEST, DOCKER_LIST) else compact(document)
    manifest = Manifest(media_type, data, digest or digest_of(data))
    repository.manifests[manifest.digest] = manifest
    for tag in tags:
        repository.tags[tag] = manifest.digest
    return manifest


def compact(document: t.Any) -> bytes:
    """JSON without spaces."""
    return json.dumps(document, separators=(",", ":")).encode()


def add_image(
    repository: Repository,
    name: str,
    layers: t.Sequence[Layer],
    tags: t.Iterable[str] = (),
    *,
    docker: bool = False,
    platform: Platform | None = None,
    annotations: t.Mapping[str, str] | None = None,
) -> Manifest:
    """An image: its layers, a config that names it, its manifest and tags. `docker`: Docker's media types, else OCI's."""
    platform = platform or {"architecture": "amd64", "os": "linux"}
    config = {
        "created": _CREATED,
        **platform,
        "config": {"Labels": {"org.opencontainers.image.title": name}},
        "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]},
        "history": [{"created": _CREATED, "created_by": f"step {number}"} for number in range(1, len(layers) + 1)],
    }
    document: dict[str, t.Any] = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
        "config": add_blob(repository, compact(config), DOCKER_CONFIG if docker else OCI_CONFIG),
        "layers": [_add_layer(repository, one, DOCKER_LAYER if docker else OCI_LAYER) for one in layers],
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return add_manifest(repository, document, document["mediaType"], tags)


def _add_layer(repository: Repository, one: Layer, usual_type: str) -> Descriptor:
    media_type = one.media_type or usual_type
    if one.urls:
        return {"mediaType": media_type, "size": len(one.data), "digest": one.digest, "urls": list(one.urls)}
    return add_blob(repository, one.data, media_type)


def add_index(
    repository: Repository, children: t.Sequence[Descriptor], tags: t.Iterable[str] = (), *, docker: bool = False, **more: t.Any
) -> Manifest:
    """An index (or Docker's manifest list) of manifests that the repository holds already."""
    media_type = DOCKER_LIST if docker else OCI_INDEX
    return add_manifest(repository, {"schemaVersion": 2, "mediaType": media_type, "manifests": list(children), **more}, media_type, tags)


def add_multi_platform(
    repository: Repository,
    name: str,
    platforms: t.Sequence[Platform],
    layers: t.Sequence[Layer],
    own_bytes: int,
    tags: t.Iterable[str] = (),
    *,
    docker: bool = False,
) -> Manifest:
    """An index with one image for each platform: the layers of all, and one of `own_bytes` of its own."""
    children = []
    for platform in platforms:
        title = " ".join([name, platform["os"], platform["architecture"], platform.get("variant", "")]).strip()
        child = add_image(repository, title, [*layers, layer(title, own_bytes)], docker=docker, platform=platform)
        children.append(child.descriptor(platform=platform))
    return add_index(repository, children, tags, docker=docker)


def fallback_tag(digest: str, suffix: str = "") -> str:
    """`sha256-<hex>` of the referrers tag schema, or with a suffix (`.sig`) of cosign's."""
    return digest.replace(":", "-", 1) + suffix


def add_cosign_signature(repository: Repository, repository_name: str, subject: Manifest) -> Manifest:
    """A signature as cosign stores it: an image under the tag `sha256-<hex>.sig` whose layer is the signed statement."""
    statement = compact(
        {
            "critical": {
                "identity": {"docker-reference": repository_name},
                "image": {"docker-manifest-digest": subject.digest},
                "type": "cosign container image signature",
            },
            "optional": None,
        }
    )
    signature = base64.b64encode(_signer().sign(statement)).decode()
    signed = add_blob(repository, statement, COSIGN_PAYLOAD, annotations={"dev.cosignproject.cosign/signature": signature})
    config = {"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest_of(statement)]}}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": add_blob(repository, compact(config), OCI_CONFIG),
        "layers": [signed],
    }
    return add_manifest(repository, document, OCI_MANIFEST, [fallback_tag(subject.digest, ".sig")])


def add_referrer(repository: Repository, subject: Manifest, artifact_type: str, content: bytes, *, fallback: bool = True) -> Manifest:
    """An artifact with a `subject`; `fallback`: also under the tag `sha256-<hex>`, for registries without the referrers API."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": add_blob(repository, b"{}", OCI_EMPTY),
        "layers": [add_blob(repository, content, artifact_type)],
        "subject": subject.descriptor(),
        "annotations": {"org.opencontainers.image.created": _CREATED},
    }
    referrer = add_manifest(repository, document, OCI_MANIFEST)
    if fallback:
        entry = referrer.descriptor(artifactType=artifact_type, annotations=document["annotations"])
        tag = fallback_tag(subject.digest)
        known = json.loads(repository.manifests[repository.tags[tag]].data)["manifests"] if tag in repository.tags else []
        add_index(repository, [*known, entry], [tag])
    return referrer


def add_schema1(repository: Repository, name: str, tag: str, layers: t.Sequence[Layer]) -> Manifest:
    """A signed manifest of schema 1, as Docker wrote it before 1.10 (newest layer first, libtrust's JSON signature)."""
    for one in layers:
        add_blob(repository, one.data, DOCKER_LAYER)
    history: list[dict[str, str]] = []
    parent = ""
    for one in layers:
        identity = hashlib.sha256((parent + one.digest).encode()).hexdigest()
        entry = {"id": identity, "created": _CREATED, "architecture": "amd64", "os": "linux", **({"parent": parent} if parent else {})}
        history.insert(0, {"v1Compatibility": json.dumps(entry)})
        parent = identity
    document = {
        "schemaVersion": 1,
        "name": name,
        "tag": tag,
        "architecture": "amd64",
        "fsLayers": [{"blobSum": one.digest} for one in reversed(layers)],
        "history": history,
    }
    payload = json.dumps(document, indent=3).encode()
    return add_manifest(repository, _sign_schema1(payload), SCHEMA1_SIGNED, [tag], digest_of(payload))


def _sign_schema1(payload: bytes) -> bytes:
    """libtrust's "pretty" JSON web signature: the signatures become the document's last member."""
    # formatLength and formatTail say how to get the payload back: cut there, and put the tail on again.
    length = payload.rindex(b"\n}")
    protected = _base64url(compact({"formatLength": length, "formatTail": _base64url(payload[length:]), "time": _CREATED}))
    numbers = _signer().public_key.public_numbers()
    point = {"x": _base64url(numbers.x.to_bytes(32, "big")), "y": _base64url(numbers.y.to_bytes(32, "big"))}
    signature = {
        "header": {"jwk": {"crv": "P-256", "kty": "EC", **point}, "alg": "ES256"},
        "signature": _base64url(_signer().sign_raw(f"{protected}.{_base64url(payload)}".encode())),
        "protected": protected,
    }
    lines = json.dumps([signature], indent=3).replace("\n", "\n   ")
    return payload[:length] + b',\n   "signatures": ' + lines.encode() + b"\n}"


def schema1_payload(data: bytes) -> bytes:
    """The bytes that a signed manifest of schema 1 signs, and that its digest is of; ValueError or KeyError when it has no signature."""
    protected = json.loads(_base64url_decode(json.loads(data)["signatures"][0]["protected"]))
    return data[: protected["formatLength"]] + _base64url_decode(protected["formatTail"])


def _base64url_decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class _Signer:
    """ECDSA with P-256 and SHA-256 and one key for ever."""

    def __init__(self) -> None:
        # Here, because most sets (and the counting registry) do without signatures, and so without this package.
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        # RFC 6979: the same key and statement give the same signature, so that digests stay the same from run to run.
        self._algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        secret = int.from_bytes(hashlib.sha256(b"estate signing key").digest(), "big")
        self._key = ec.derive_private_key(secret, ec.SECP256R1())
        self.public_key = self._key.public_key()

    def sign(self, statement: bytes) -> bytes:
        """The signature in DER."""
        return self._key.sign(statement, self._algorithm)

    def sign_raw(self, statement: bytes) -> bytes:
        """The signature as JSON web signatures have it: r and s, 32 bytes each."""
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(self.sign(statement)))


@functools.lru_cache(maxsize=1)
def _signer() -> _Signer:
    return _Signer()


# -- the sets ----------------------------------------------------------------------------------------------------------

_AMD64: Platform = {"architecture": "amd64", "os": "linux"}
_ARM64: Platform = {"architecture": "arm64", "os": "linux", "variant": "v8"}
_ARMV7: Platform = {"architecture": "arm", "os": "linux", "variant": "v7"}
_S390X: Platform = {"architecture": "s390x", "os": "linux"}


def demo_set() -> ImageSet:
    """A small but rich set, about 13 MB: what registries hold in practice, one repository for each kind."""
    images = ImageSet()
    base, runtime = layer("base", 4_000_000), layer("runtime", 2_000_000)

    # Two tags on one digest.
    add_image(images.repository("base/os"), "os 12", [base], ["12", "stable"], docker=True)

    # Docker's media types, several versions over shared layers, the empty layer, "latest" on the newest version.
    web = images.repository("app/web")
    add_image(web, "web 1.0.0", [base, EMPTY_LAYER, layer("web 1.0.0", 250_000)], ["1.0.0"], docker=True)
    add_image(web, "web 1.1.0", [base, runtime, layer("web 1.1.0", 260_000)], ["1.1.0"], docker=True)
    add_image(web, "web 2.0.0", [base, runtime, EMPTY_LAYER, layer("web 2.0.0", 270_000)], ["2.0.0", "latest"], docker=True)

    # OCI's media types, signed as cosign does, with a bill of materials that refers to the image.
    api = images.repository("app/api")
    image = add_image(
        api, "api 3.1.4", [base, layer("api 3.1.4", 1_000_000)], ["3.1.4", "3.1"], annotations={"org.opencontainers.image.version": "3.1.4"}
    )
    add_cosign_signature(api, "registry.example/app/api", image)
    bill = compact({"spdxVersion": "SPDX-2.3", "name": "api 3.1.4", "SPDXID": "SPDXRef-DOCUMENT", "packages": []})
    add_referrer(api, image, SPDX, bill)

    # Several platforms: an OCI index, with a build attestation beside the images, and Docker's manifest list.
    cli = images.repository("tools/cli")
    add_multi_platform(cli, "cli 0.9", [_AMD64, _ARM64], [runtime], 300_000, ["0.9"])
    newest = add_multi_platform(cli, "cli 1.0", [_AMD64, _ARM64, _ARMV7], [runtime], 310_000)
    del cli.manifests[newest.digest]  # the one with the attestation takes its place
    children = json.loads(newest.data)["manifests"]
    attestation = _add_attestation(cli, children[0]["digest"])
    add_index(cli, [*children, attestation], ["1.0", "latest"])
    add_multi_platform(images.repository("tools/agent"), "agent 5", [_AMD64, _ARM64, _S390X], [], 500_000, ["5"], docker=True)

    # A deep name; layers of no files and of no bytes.
    deep = images.repository("platform/edge/proxy/sidecar")
    add_image(deep, "sidecar", [layer("sidecar", 200_000), EMPTY_LAYER, ZERO_BYTE_LAYER], ["2026.11"])

    # An index of indexes.
    bundle = images.repository("platform/bundle")
    server = add_multi_platform(bundle, "bundle server", [_AMD64, _ARM64], [], 150_000)
    client = add_image(bundle, "bundle client", [layer("bundle client", 150_000)])
    add_index(bundle, [server.descriptor(), client.descriptor(platform=_AMD64)], ["1"])
    return images


def _add_attestation(repository: Repository, subject_digest: str) -> Descriptor:
    """A statement about a build as BuildKit stores it: a manifest of platform unknown/unknown beside the image in the index."""
    statement = compact({"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2", "subject": []})
    config = {"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest_of(statement)]}}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": add_blob(repository, compact(config), OCI_CONFIG),
        "layers": [add_blob(repository, statement, "application/vnd.in-toto+json")],
    }
    marks = {"vnd.docker.reference.digest": subject_digest, "vnd.docker.reference.type": "attestation-manifest"}
    manifest = add_manifest(repository, document, OCI_MANIFEST)
    return manifest.descriptor(annotations=marks, platform={"architecture": "unknown", "os": "unknown"})


def lab_set(repositories: int = 5) -> ImageSet:
    """The set for counting requests; with 5 repositories 20 tags, 30 manifests (15 children), 52 unique blobs, 60 pairs, 9.04 MB.

    Each `lab/repo<n>` has v1, v2, latest (the manifest of v2) and multi (an index of three platforms). Two layers of 2 MB are
    shared by all: both by v1 and v2, the first by the children of multi; every image has one layer of 200 kB of its own.
    """
    images = ImageSet()
    shared = [layer("lab shared 0", 2_000_000), layer("lab shared 1", 2_000_000)]
    for number in range(repositories):
        repository = images.repository(f"lab/repo{number}")
        for version, tags in (("v1", ["v1"]), ("v2", ["v2", "latest"])):
            title = f"lab {number} {version}"
            add_image(repository, title, [*shared, layer(title, 200_000)], tags)
        add_multi_platform(repository, f"lab {number} multi", [_AMD64, _ARM64, _S390X], shared[:1], 200_000, ["multi"])
    return images


def small_set() -> ImageSet:
    """`small/image`: one OCI image of two blobs under the tags one and two, and an index of it under the tag index."""
    images = ImageSet()
    repository = images.repository("small/image")
    image = add_image(repository, "small", [layer("small", 5_000)], ["one", "two"])
    add_index(repository, [image.descriptor(platform=_AMD64)], ["index"])
    return images


def foreign_set() -> ImageSet:
    """One image whose first layer is fetched from elsewhere: the registry has no blob for it."""
    images = ImageSet()
    layers = [foreign_layer("windows-base", 50_000), layer("on windows", 60_000)]
    platform = {"architecture": "amd64", "os": "windows", "os.version": "10.0.20348.1"}
    add_image(images.repository("windows/service"), "service", layers, ["ltsc"], docker=True, platform=platform)
    return images


def schema1_set() -> ImageSet:
    """One image of schema 1, signed; docker-registry accepts it with `compatibility.schema1.enabled`."""
    images = ImageSet()
    add_schema1(images.repository("old/image"), "old/image", "2015", [layer("old 1", 80_000), EMPTY_LAYER, layer("old 2", 70_000)])
    return images


def unknown_type_set() -> ImageSet:
    """One manifest of a media type that nobody knows, beside an ordinary image; docker-registry refuses it, others take it."""
    images = ImageSet()
    repository = images.repository("odd/artifact")
    document = {"schemaVersion": 9, "mediaType": UNKNOWN_MANIFEST, "parts": [add_blob(repository, b"a part", "application/octet-stream")]}
    add_manifest(repository, document, UNKNOWN_MANIFEST, ["strange"])
    add_image(repository, "ordinary", [layer("ordinary", 40_000)], ["ordinary"])
    return images

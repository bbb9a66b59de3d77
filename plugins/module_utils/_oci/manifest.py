# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""Manifests: exact bytes, and a checked view of what they name (image-spec "manifest.md" and "image-index.md", docker "manifest
v2" schema 1 and 2).

The bytes are what a digest names, so they are never serialised again. The view is read from them once and holds only what a copy
needs. Manifests are hostile input: their size, depth, numbers, digests and types are checked before anything relies on them.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
import json
import re
import sys
import types
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import check_digest, digest_of, fallback_tag, matches
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    DigestMismatch,
    InvalidManifest,
    InvalidOption,
    InvalidReference,
    ManifestTooLarge,
    UnsupportedManifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1,
    DOCKER_SCHEMA1_SIGNED,
    IMAGES,
    INDEXES,
    MANIFESTS,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
    without_parameters,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import shown

#: bytes; what registries ought to accept, and the most that is read of a manifest (distribution-spec "Pushing Manifests")
MANIFEST_LIMIT = 4 * 1024 * 1024
#: how deep a manifest's JSON may nest; real ones need about 6
DEPTH_LIMIT = 64
#: how many objects and arrays it may have: 4 MiB of empty arrays would become a hundred MiB in memory; real ones need a few per child
ITEM_LIMIT = 250_000
#: `size` of a descriptor whose size nobody has told: schema 1 names its blobs without sizes
UNKNOWN_SIZE = -1
#: schema 1 names no media types; its blobs are these
SCHEMA1_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
#: buildkit's attestation manifests stand in the index of the image that they are about, under these annotations
ATTESTATION_SUBJECT = "vnd.docker.reference.digest"

#: content types that say nothing about the kind of manifest
GENERIC = frozenset({"", "application/json", "text/json", "text/plain", "application/octet-stream", "binary/octet-stream"})

Kind = t.Literal["index", "image", "artifact", "schema1"]

_LARGEST_SIZE = 2**63 - 1
_NO_ANNOTATIONS: t.Mapping[str, str] = types.MappingProxyType({})
#: a whole string (closed or not), or one bracket; linear in any input
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


# -- platforms ------------------------------------------------------------------------------------------------------------------

_PLATFORM_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_OS_PART = re.compile(r"([^()]+)\(([^()]+)\)")
_ARCHITECTURES = {"i386": "386", "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}
#: (architecture, variant) -> variant, where it is not simply kept; the table of containerd's "platforms" package
_VARIANTS = {
    ("amd64", "v1"): "",
    ("arm64", "8"): "",
    ("arm64", "v8"): "",
    ("arm64", "v8.0"): "",
    ("arm64", "9"): "v9",
    ("arm64", "9.0"): "v9",
    ("arm64", "v9.0"): "v9",
    ("arm", ""): "v7",
    ("arm", "5"): "v5",
    ("arm", "6"): "v6",
    ("arm", "7"): "v7",
    ("arm", "8"): "v8",
}


@dataclasses.dataclass(frozen=True)
class Platform:
    """What an image runs on (image-spec "image-index.md"); empty strings where nothing is said."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def normalised(self) -> Platform:
        """One spelling for each platform, as containerd has it: x86_64 is amd64, arm is arm/v7, arm64/v8 is arm64, macos is darwin."""
        os = self.os.lower()
        architecture = self.architecture.lower()
        variant = self.variant.lower()
        if architecture == "i386":
            variant = ""
        if architecture == "armhf":
            architecture, variant = "arm", "v7"
        elif architecture == "armel":
            architecture, variant = "arm", "v6"
        architecture = _ARCHITECTURES.get(architecture, architecture)
        variant = _VARIANTS.get((architecture, variant), variant)
        return Platform("darwin" if os == "macos" else os, architecture, variant, self.os_version, self.os_features)

    def matches(self, wanted: Platform) -> bool:
        """Whether this, an image's platform, is the wanted one.

        Equal after normalisation in os, architecture and variant (`linux/arm` wants v7 only, `linux/amd64` not amd64/v3). The
        os_version counts if one is wanted, and may be the beginning of the image's (`10.0.17763` wants `10.0.17763.2114`);
        the image must have all wanted os_features.
        """
        own, other = self.normalised(), wanted.normalised()
        if (own.os, own.architecture, own.variant) != (other.os, other.architecture, other.variant):
            return False
        if other.os_version and own.os_version != other.os_version and not own.os_version.startswith(f"{other.os_version}."):
            return False
        return set(other.os_features) <= set(own.os_features)

    def __str__(self) -> str:
        """`linux/arm/v7`, `windows(10.0.17763)/amd64`; `parse_platform` reads it back."""
        extra = "+".join([self.os_version, *self.os_features])
        os = f"{self.os}({extra})" if extra else self.os
        return "/".join([os, self.architecture] + ([self.variant] if self.variant else []))


def parse_platform(text: str) -> Platform:
    """Read `os/architecture[/variant]`, with `os(version)` or `os(version+feature)` for the first part, normalised.

    Raises InvalidOption with the text as subject.
    """
    # a version or feature holds no slash
    parts = text.split("/")
    version: str = ""
    features: list[str] = []
    match = _OS_PART.fullmatch(parts[0])
    if match:
        parts[0] = match.group(1)
        version, *features = match.group(2).split("+")
    named = [*parts, *([version] if version else []), *features]
    if len(parts) not in (2, 3) or not all(_PLATFORM_PART.fullmatch(part) for part in named):
        raise InvalidOption(
            "is no platform.",
            subject=shown(text, 80),
            hint="Write os/architecture or os/architecture/variant, such as linux/amd64 or linux/arm/v7.",
        )
    return Platform(parts[0], parts[1], parts[2] if len(parts) == 3 else "", version, tuple(features)).normalised()


# -- descriptors ----------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, init=False)
class Descriptor:
    """What names a blob or a manifest (image-spec "descriptor.md").

    `size` in bytes (UNKNOWN_SIZE where nobody has told); `media_type` may be empty, since some tools leave it out.
    Equal descriptors are equal in all fields; the hash uses the digest.
    """

    # there may be a million of these; the constructor is written out because slots and defaults exclude each other in a dataclass
    # of Python 3.9
    __slots__ = ("annotations", "artifact_type", "digest", "media_type", "platform", "size", "urls")

    media_type: str
    digest: str
    size: int
    urls: tuple[str, ...]
    platform: Platform | None
    annotations: t.Mapping[str, str]
    artifact_type: str

    def __init__(
        self,
        media_type: str,
        digest: str,
        size: int,
        urls: tuple[str, ...] = (),
        platform: Platform | None = None,
        annotations: t.Mapping[str, str] = _NO_ANNOTATIONS,
        artifact_type: str = "",
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "media_type", media_type)
        set_field(self, "digest", digest)
        set_field(self, "size", size)
        set_field(self, "urls", urls)
        set_field(self, "platform", platform)
        set_field(self, "annotations", annotations)
        set_field(self, "artifact_type", artifact_type)

    def __hash__(self) -> int:
        return hash((self.digest, self.size))

    @property
    def is_foreign(self) -> bool:
        """Whether it is a layer that registries need not have: with `urls`, or of a non-distributable (docker: foreign) type."""
        return bool(self.urls) or ".nondistributable." in self.media_type or ".foreign." in self.media_type


# -- manifests ------------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A manifest's exact bytes and what they say; made by `parse_manifest`.

    `kind` is "index" (also docker's manifest list), "image" (also artifacts that are packed as images), "artifact" (the OCI
    artifact manifest, since withdrawn) or "schema1".
    `children`: an index' descriptors in their order. `layers`: all layers, an artifact manifest's blobs, or the fsLayers of
    schema 1, in their order. `config`: of an image. `subject`: what this manifest refers to, if anything.
    `artifact_type`, `annotations`: as in the manifest, empty where they are not. `made_from`: the digest of what it was converted from,
    where it was made on the way.
    """

    __slots__ = (
        *("annotations", "artifact_type", "children", "config", "data", "digest", "kind", "layers", "made_from", "media_type"),
        "subject",
    )

    data: bytes
    media_type: str
    digest: str
    kind: Kind
    children: tuple[Descriptor, ...]
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None
    artifact_type: str
    annotations: t.Mapping[str, str]
    made_from: str

    @property
    def source_digest(self) -> str:
        """The digest under which its source knows it."""
        return self.made_from or self.digest

    @property
    def size(self) -> int:
        """Bytes of the manifest itself."""
        return len(self.data)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """What must be in the repository before this manifest: config and layers, each digest once, in their order."""
        unique: dict[str, Descriptor] = {}
        if self.config is not None:
            unique[self.config.digest] = self.config
        for layer in self.layers:
            unique.setdefault(layer.digest, layer)
        return tuple(unique.values())

    def descriptor(self) -> Descriptor:
        """What an index, or a subject's list of referrers, says of this manifest.

        Where a manifest has no artifactType, its config's media type stands for it (distribution-spec "Pushing Manifests with
        Subject").
        """
        artifact_type = self.artifact_type or (self.config.media_type if self.config is not None else "")
        return Descriptor(self.media_type, self.digest, len(self.data), (), None, self.annotations, artifact_type)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Manifest(digest={self.digest!r}, media_type={self.media_type!r}, kind={self.kind!r}, {len(self.data)} bytes)"


_Object = dict[str, t.Any]


class _FormError(Exception):
    """Why the bytes are no manifest; becomes an InvalidManifest with a subject where the subject is known."""


def _unique_keys(pairs: list[tuple[str, t.Any]]) -> _Object:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _value in pairs:
            # two readers may choose different ones of two equal keys
            if key in seen:
                raise _FormError(f"has the key {shown(key, 80)} twice in one object")
            seen.add(key)
    return result


def _bounded_integer(text: str) -> int:
    # reading a number of a million digits takes minutes
    if len(text) > 20:
        raise _FormError(f"has a number of {len(text)} digits")
    return int(text)


def _bounded_float(text: str) -> float:
    if len(text) > 400:
        raise _FormError(f"has a number of {len(text)} digits")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _FormError(f"has the number {shown(text, 40)}, which is out of range")
    return value


def _no_constant(text: str) -> t.NoReturn:
    raise _FormError(f"has {text}, which is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_int=_bounded_integer, parse_float=_bounded_float, parse_constant=_no_constant
)


def _check_nesting(data: bytes) -> None:
    """Bound depth and number of objects before the parser, which recurses and allocates, sees them."""
    brackets = data.count(b"{") + data.count(b"[")
    if brackets <= DEPTH_LIMIT:
        return
    if brackets > ITEM_LIMIT:
        raise _FormError(f"has more than {ITEM_LIMIT} objects and arrays")
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(data):
        first = match.group()[:1]
        if first in (b"{", b"["):
            depth += 1
            if depth > DEPTH_LIMIT:
                raise _FormError(f"nests deeper than {DEPTH_LIMIT} levels")
        elif first in (b"}", b"]"):
            depth -= 1


def _read_object(data: bytes) -> _Object:
    """The JSON object in some bytes, with every bound checked."""
    _check_nesting(data)
    try:
        document = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _FormError(f"is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _FormError(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    if not isinstance(document, dict):
        raise _FormError("is JSON, but no object")
    return document


def read_object(data: bytes, where: str) -> dict[str, t.Any]:
    """The JSON object in some bytes that are no manifest, but as hostile; InvalidManifest, with subject `where`, if there is none."""
    try:
        return _read_object(data)
    except _FormError as problem:
        raise _invalid(problem, where) from None


# -- fields of the JSON; `where` is a path such as `layers[2]`, for messages

_JSON_TYPES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number with a fraction",
    type(None): "null",
}
_Wanted = t.TypeVar("_Wanted")


def _typed(value: t.Any, wanted: type[_Wanted], where: str) -> _Wanted:
    if isinstance(value, wanted):
        return value
    raise _FormError(f"has {_JSON_TYPES[type(value)]} for {where}, which must be {_JSON_TYPES[wanted]}")


def _printable(value: str) -> str:
    """Without lone surrogates, which JSON can write but no encoding can."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _text(document: _Object, key: str, where: str) -> str:
    value = document.get(key)
    return "" if value is None else _printable(_typed(value, str, f"{where}{key}"))


def _list(document: _Object, key: str, where: str) -> list[t.Any]:
    value = document.get(key)
    return [] if value is None else _typed(value, list, f"{where}{key}")


def _annotations(document: _Object, where: str) -> t.Mapping[str, str]:
    value = document.get("annotations")
    if not value and (value is None or isinstance(value, dict)):
        return _NO_ANNOTATIONS
    pairs = _typed(value, dict, f"{where}annotations")
    return types.MappingProxyType(
        {
            _printable(key): "" if text is None else _printable(_typed(text, str, f"{where}annotations[{shown(key, 80)}]"))
            for key, text in pairs.items()
        }
    )


@functools.lru_cache(maxsize=4096)
def _shared_platform(os: str, architecture: str, variant: str, os_version: str, os_features: tuple[str, ...]) -> Platform:
    return Platform(os, architecture, variant, os_version, os_features)


def _platform(document: _Object, where: str) -> Platform | None:
    value = document.get("platform")
    if value is None:
        return None
    value = _typed(value, dict, f"{where}platform")
    where = f"{where}platform."
    features = tuple(_printable(_typed(one, str, f"{where}os.features")) for one in _list(value, "os.features", where))
    os, architecture, variant, os_version = (_text(value, key, where) for key in ("os", "architecture", "variant", "os.version"))
    # long ones are no real platforms, and must not stay in memory
    make = _shared_platform if sum(map(len, (os, architecture, variant, os_version, *features))) < 256 else Platform
    return make(os, architecture, variant, os_version, features)


def _digest(value: t.Any, where: str) -> str:
    text = _typed(value, str, where)
    try:
        # equal digests of many manifests share one string
        return sys.intern(check_digest(text))
    except InvalidReference as error:
        raise _FormError(f"has {shown(text, 80)} for {where}, which {error.message.rstrip('.')}") from None


def _size(value: t.Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _FormError(f"has {_JSON_TYPES[type(value)]} for {where}, which must be a whole number of bytes")
    if not 0 <= value <= _LARGEST_SIZE:
        raise _FormError(f"has {value} for {where}, which must be from 0 to {_LARGEST_SIZE}")
    return value


def _descriptor(value: t.Any, where: str) -> Descriptor:
    document = _typed(value, dict, where)
    where = f"{where}."
    for key in ("digest", "size"):
        if document.get(key) is None:
            raise _FormError(f"has no {where}{key}")
    media_type = sys.intern(_text(document, "mediaType", where))
    digest = _digest(document["digest"], f"{where}digest")
    size = _size(document["size"], f"{where}size")
    if len(document) == 3 and "mediaType" in document:
        # nearly all layers: nothing else to look for
        return Descriptor(media_type, digest, size)
    urls = _list(document, "urls", where)
    return Descriptor(
        media_type,
        digest,
        size,
        tuple(_printable(_typed(url, str, f"{where}urls")) for url in urls),
        _platform(document, where),
        _annotations(document, where),
        _text(document, "artifactType", where),
    )


def _descriptors(document: _Object, key: str) -> tuple[Descriptor, ...]:
    return tuple(_descriptor(value, f"{key}[{position}]") for position, value in enumerate(_list(document, key, "")))


# -- which kind it is


def _media_type_by_structure(document: _Object) -> str:
    """For manifests that nobody gave a media type: it is optional in OCI's, mandatory in docker's, absent from schema 1."""
    if "fsLayers" in document:
        return DOCKER_SCHEMA1_SIGNED if document.get("signatures") else DOCKER_SCHEMA1
    if "manifests" in document:
        first = next(iter(_list(document, "manifests", "")), None)
        docker = isinstance(first, dict) and first.get("mediaType") in (DOCKER_MANIFEST, DOCKER_SCHEMA1_SIGNED)
        return DOCKER_LIST if docker else OCI_INDEX
    if "config" in document and "layers" in document:
        config = document["config"]
        return DOCKER_MANIFEST if isinstance(config, dict) and config.get("mediaType") == DOCKER_CONFIG else OCI_MANIFEST
    raise _FormError("is JSON, but has nothing of a manifest (manifests, config and layers, or fsLayers)")


def _media_type(document: _Object, content_type: str, where: str) -> str:
    """Follows distribution-spec "Pushing Manifests": a mediaType that differs from the Content-Type makes a manifest invalid."""
    own = _text(document, "mediaType", "")
    # the body's own word is not looked at where the header's is unknown: neither copying it as something else nor guessing is safe
    media_type = content_type if content_type not in GENERIC else own or _media_type_by_structure(document)
    if media_type not in MANIFESTS:
        raise UnsupportedManifest(
            f"has the media type {shown(media_type, 120)}, which is no known kind of manifest.",
            subject=where,
            hint="Leave it out of the selection, or copy it with the tool that made it.",
        )
    if own and own != media_type:
        raise _FormError(f"was served as {media_type}, but says {shown(own, 120)} of itself")
    return media_type


#: keys of another kind, that would let two readers see two different manifests in the same bytes (CVE-2021-41190)
_FOREIGN_KEYS = {
    "index": ("config", "layers", "fsLayers"),
    "image": ("manifests", "fsLayers"),
    "artifact": ("manifests", "config", "layers", "fsLayers"),
    "schema1": ("manifests", "config", "layers"),
}


def _check_form(document: _Object, kind: Kind) -> None:
    for key in _FOREIGN_KEYS[kind]:
        if document.get(key) is not None:
            raise _FormError(f"has the key {key}, which another kind of manifest has and this kind ({kind}) must not have")
    version = document.get("schemaVersion")
    wanted = 1 if kind == "schema1" else 2
    # the artifact manifest has none; some tools forget it
    if version is not None and (isinstance(version, bool) or version != wanted):
        raise _FormError(f"has the schemaVersion {ascii(version)[:40]} instead of {wanted}")


# -- schema 1


def _base64url(value: t.Any, where: str) -> bytes:
    text = _typed(value, str, where)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _FormError(f"has something other than base64url for {where}") from None


def _payload(data: bytes, document: _Object) -> bytes:
    signatures = _list(document, "signatures", "")
    if not signatures:
        return data
    payloads: set[tuple[int, bytes]] = set()
    for position, signature in enumerate(signatures):
        where = f"signatures[{position}].protected"
        protected = _read_object(_base64url(_typed(signature, dict, f"signatures[{position}]").get("protected"), where))
        length = protected.get("formatLength")
        if isinstance(length, bool) or not isinstance(length, int) or not 0 <= length <= len(data):
            raise _FormError(f"has a formatLength in {where} that is no number from 0 to {len(data)}")
        payloads.add((length, _base64url(protected.get("formatTail"), f"formatTail in {where}")))
        if len(payloads) > 1:
            raise _FormError("has signatures that were made over different payloads")
    length, tail = payloads.pop()
    return data[:length] + tail


def _invalid(problem: _FormError, where: str) -> InvalidManifest:
    return InvalidManifest(
        f"{problem}.", subject=where, hint="The source serves something broken here; push the image again, or leave it out."
    )


def schema1_payload(data: bytes, where: str = "manifest") -> bytes:
    """What a schema 1 manifest's digest is taken of: the bytes that were signed, or all of them if there is no signature.

    Each signature's protected header says how many bytes of the manifest to take and what to put behind them (`formatLength`,
    `formatTail`; docker "Image Manifest Version 2, Schema 1"). Raises InvalidManifest with subject `where`.
    """
    try:
        return _payload(data, _read_object(data))
    except _FormError as problem:
        raise _invalid(problem, where) from None


# -- reading


def parse_manifest(data: bytes, content_type: str | None, digest: str | None = None, *, where: str = "") -> Manifest:
    """Check a manifest as it came and read what it names.

    `content_type`: the header's value, with or without parameters; if it is missing or generic, the body's own mediaType counts,
    else its structure. `digest`: what the bytes must have (any known algorithm); without it sha256 is computed.
    `where`: the subject of errors, such as `registry/repository:tag`.

    Raises ManifestTooLarge (over MANIFEST_LIMIT bytes), DigestMismatch, UnsupportedManifest (a media type that is none of the known
    kinds), InvalidManifest (anything that breaks the form), InvalidReference (`digest` itself is none).
    """
    where = where or digest or "manifest"
    if len(data) > MANIFEST_LIMIT:
        raise ManifestTooLarge(
            f"has {len(data)} bytes; registries accept {MANIFEST_LIMIT}.", subject=where, hint="Split the index, or leave this image out."
        )
    if digest is not None:
        check_digest(digest)
        # bytes that were cut on the way are no JSON either; that they are not what was asked for is the better message.
        # Only signed manifests have another digest than their bytes'.
        if not matches(data, digest) and b'"signatures"' not in data:
            raise _mismatch(data, digest, where)
    try:
        document = _read_object(data)
        media_type = _media_type(document, without_parameters(content_type or ""), where)
        return _view(data, document, media_type, digest, where)
    except _FormError as problem:
        raise _invalid(problem, where) from None


def _mismatch(data: bytes, digest: str, where: str) -> DigestMismatch:
    actual = digest_of(data, digest.split(":", 1)[0])
    return DigestMismatch(
        f"the manifest's bytes have the digest {actual} instead of {digest}.",
        subject=where,
        hint="It was changed or cut on the way, or is corrupt in the registry's storage.",
    )


def _view(data: bytes, document: _Object, media_type: str, digest: str | None, where: str) -> Manifest:
    kind = _kind(media_type)
    _check_form(document, kind)
    signed = data
    children: tuple[Descriptor, ...] = ()
    layers: tuple[Descriptor, ...] = ()
    config = None
    if kind == "schema1":
        signed = _payload(data, document)
        if signed is not data:
            # only the payload is what the digest vouches for
            document = _read_object(signed)
            _check_form(document, kind)
        if not isinstance(document.get("fsLayers"), list):
            raise _FormError("has no array fsLayers")
        layers = tuple(
            Descriptor(
                SCHEMA1_LAYER,
                _digest(_typed(one, dict, f"fsLayers[{position}]").get("blobSum"), f"fsLayers[{position}].blobSum"),
                UNKNOWN_SIZE,
            )
            for position, one in enumerate(document["fsLayers"])
        )
    elif kind == "index":
        if "manifests" not in document:
            raise _FormError("has no array manifests")
        children = _descriptors(document, "manifests")
    elif kind == "image":
        if document.get("config") is None:
            raise _FormError("has no config")
        config = _descriptor(document["config"], "config")
        layers = _descriptors(document, "layers")
    else:
        layers = _descriptors(document, "blobs")
    if digest is None:
        digest = digest_of(signed)
    elif not matches(signed, digest):
        raise _mismatch(signed, digest, where)
    subject = document.get("subject") if kind != "schema1" else None
    return Manifest(
        data=data,
        media_type=sys.intern(media_type),
        digest=sys.intern(digest),
        kind=kind,
        children=children,
        config=config,
        layers=layers,
        subject=None if subject is None else _descriptor(subject, "subject"),
        artifact_type=_text(document, "artifactType", "") if kind != "schema1" else "",
        annotations=_annotations(document, "") if kind != "schema1" else _NO_ANNOTATIONS,
        made_from="",
    )


def make_manifest(document: t.Mapping[str, t.Any], media_type: str, made_from: str) -> Manifest:
    """A manifest that is made out of something else; the same bytes each time. `made_from`: the digest of what it stands for."""
    data = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return dataclasses.replace(parse_manifest(data, media_type, where=made_from), made_from=made_from)


def _kind(media_type: str) -> Kind:
    if media_type in INDEXES:
        return "index"
    if media_type in IMAGES:
        return "image"
    return "artifact" if media_type == OCI_ARTIFACT else "schema1"


# -- a part of an index ---------------------------------------------------------------------------------------------------------


def subset_index(manifest: Manifest, platforms: t.Sequence[Platform]) -> Manifest:
    """An index with only those children whose platform is one of the wanted ones, and the attestations of these children.

    Order, media type and all other keys stay; the bytes are new (compact JSON), and with them the digest. If all children stay, the
    manifest itself is returned, so its digest stays too. Children without a platform that attest to nothing that stays are left
    out. Raises InvalidOption if no child has a wanted platform (the hint lists those there are), UnsupportedManifest if the
    manifest is no index.
    """
    if manifest.kind != "index":
        raise UnsupportedManifest(
            f"is of the kind {manifest.kind}; only an index can be cut down to platforms.",
            subject=manifest.digest,
            hint="Leave platforms out, or set platform_index to whole.",
        )
    kept = {
        position
        for position, child in enumerate(manifest.children)
        if child.platform is not None and any(child.platform.matches(wanted) for wanted in platforms)
    }
    if not kept:
        there = sorted({str(child.platform) for child in manifest.children if child.platform is not None})
        raise InvalidOption(
            f"{', '.join(str(wanted) for wanted in platforms) or 'no platform'}: the index {manifest.digest} has nothing for it.",
            subject="platforms",
            hint=f"It has {shown(', '.join(there), 400)}." if there else "None of its manifests names a platform.",
        )
    digests = {manifest.children[position].digest for position in kept}
    kept |= {position for position, child in enumerate(manifest.children) if child.annotations.get(ATTESTATION_SUBJECT) in digests}
    if len(kept) == len(manifest.children):
        return manifest
    document = _read_object(manifest.data)
    document["manifests"] = [one for position, one in enumerate(document["manifests"]) if position in kept]
    return parse_manifest(json.dumps(document, separators=(",", ":")).encode("ascii"), manifest.media_type)


# -- tags that are named after digests ------------------------------------------------------------------------------------------

_DIGEST_TAG = re.compile(r"(sha256|sha384|sha512)-([a-f0-9]{64}|[a-f0-9]{96})((?:\.[A-Za-z0-9_-][A-Za-z0-9._-]*)?)")


def is_digest_tag(tag: str) -> bool:
    """Whether a tag is named after a digest: cosign's `sha256-<hex>.sig` (.att, .sbom, ...) or the referrers fall-back tag."""
    return _DIGEST_TAG.fullmatch(tag) is not None


def digest_tag_stems(digest: str) -> tuple[str, ...]:
    """What the names of a digest's tags begin with, up to the first dot: the fall-back tag, and cosign's form of longer digests."""
    return tuple(dict.fromkeys((fallback_tag(digest), digest.replace(":", "-", 1))))

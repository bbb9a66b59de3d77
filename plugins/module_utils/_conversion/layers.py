# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Layers of images that had no manifest: a stream of bytes to a blob that a manifest can name, and what has to be known of it.

A layer that came compressed with gzip stays as it is to the byte. Any other form (a plain tar archive, xz, bzip2) becomes gzip, always
in the same way: a layer has the same digest in every run.
"""

from __future__ import annotations

import bz2
import dataclasses
import hashlib
import lzma
import typing as t
import zlib

from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobSource, checked
from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import PIECE
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import DigestMismatch, InvalidLayer, UnsupportedManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import DOCKER_LAYER, OCI_LAYER

#: what the archive without any file has for a diff ID: 1024 zero bytes, and no byte at all
EMPTY_DIFF_IDS = frozenset(
    {
        "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
)
#: zlib's level for what is compressed here: part of what digests depend on, so it never changes
LEVEL = 6
#: RFC 1952: deflate, no flags, no moment, no extra flags, unknown operating system: nothing of the machine or of the hour
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LONGEST_MAGIC = 6
#: lzma may want this many bytes of memory for a dictionary; `xz -9` makes streams that need 65 MiB
_MOST_LZMA_MEMORY = 128 << 20


@dataclasses.dataclass(frozen=True)
class LayerFacts:
    """What a manifest and a configuration say of a layer, once it has been read.

    `digest` and `size` (bytes) are those of the blob, `diff_id` is the digest of the archive that is compressed in it (image-spec
    "config.md"), `media_type` docker's (see `layer_type`). `empty`: an archive without any file, for which images have no blob.
    """

    digest: str
    size: int
    diff_id: str
    media_type: str = DOCKER_LAYER
    empty: bool = False

    def as_note(self) -> dict[str, t.Any]:
        """The form in which it is noted for the next run."""
        return dataclasses.asdict(self)

    @classmethod
    def from_note(cls, note: t.Mapping[str, t.Any] | None) -> LayerFacts | None:
        """Read a note; None where there is none, or none that can be used."""
        if note is None:
            return None
        digest, size, diff_id, media_type = (note.get(name) for name in ("digest", "size", "diff_id", "media_type"))
        if not (isinstance(digest, str) and isinstance(diff_id, str) and is_digest(digest) and is_digest(diff_id)):
            return None
        if not isinstance(size, int) or size < 0 or not isinstance(media_type, str):
            return None
        return cls(digest, size, diff_id, media_type, note.get("empty") is True)


class _Decoder(t.Protocol):
    """Takes compressed bytes, and gives the archive's in pieces that are bounded."""

    def feed(self, data: bytes) -> t.Iterator[bytes]:
        """The bytes of the archive that these bytes let out."""

    @property
    def complete(self) -> bool:
        """Whether the stream may end here."""


class _Plain:
    complete = True

    def feed(self, data: bytes) -> t.Iterator[bytes]:
        yield data


class _Gzip:
    """Any number of members, one after the other (RFC 1952); zero bytes may fill up the end, as tape drives do it."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._begun = False
        self._padding = False

    @property
    def complete(self) -> bool:
        return not self._begun

    def feed(self, data: bytes) -> t.Iterator[bytes]:
        while data:
            if not self._begun:
                if self._padding:
                    data = data.lstrip(b"\0")
                    if not data:
                        return
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
                self._begun = True
            piece = self._member.decompress(data, PIECE)
            if piece:
                yield piece
            if self._member.eof:
                self._begun, self._padding = False, True
                data = self._member.unused_data
            else:
                data = self._member.unconsumed_tail


class _Streams:
    """xz and bzip2: any number of streams, one after the other."""

    def __init__(self, make: t.Callable[[], lzma.LZMADecompressor | bz2.BZ2Decompressor]) -> None:
        self._make = make
        self._stream: lzma.LZMADecompressor | bz2.BZ2Decompressor | None = None
        self._padding = False

    @property
    def complete(self) -> bool:
        return self._stream is None

    def feed(self, data: bytes) -> t.Iterator[bytes]:
        while True:
            if self._stream is None:
                data = data.lstrip(b"\0") if self._padding else data
                if not data:
                    return
                self._stream = self._make()
            piece = self._stream.decompress(data, PIECE)
            data = b""
            if piece:
                yield piece
            if self._stream.eof:
                data = self._stream.unused_data
                self._stream, self._padding = None, True
            elif self._stream.needs_input:
                return


_DECODERS: tuple[tuple[bytes, t.Callable[[], _Decoder]], ...] = (
    (b"\x1f\x8b", _Gzip),
    (b"\xfd7zXZ\x00", lambda: _Streams(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_LZMA_MEMORY))),
    (b"BZh", lambda: _Streams(bz2.BZ2Decompressor)),
)
_ZSTD = b"\x28\xb5\x2f\xfd"


class Layer:
    """One reading of a layer: iterating gives the bytes of the blob, and `facts` are known when it has come to its end.

    Raises InvalidLayer where the bytes are no whole stream of the compression that they begin with, and UnsupportedManifest for one
    that cannot be undone here. `subject` is what errors are about.
    """

    def __init__(self, pieces: t.Iterable[bytes], subject: str) -> None:
        self._pieces = pieces
        self._subject = subject
        self._facts: LayerFacts | None = None

    @property
    def facts(self) -> LayerFacts:
        """What was found out; to be asked for after the last byte."""
        if self._facts is None:
            raise RuntimeError("a layer's facts are known once all of it has been read")
        return self._facts

    def __iter__(self) -> t.Iterator[bytes]:
        pieces = iter(self._pieces)
        first = _beginning(pieces)
        if first.startswith(_ZSTD):
            raise UnsupportedManifest(
                "has a layer that is compressed with zstd, which cannot be undone here.",
                subject=self._subject,
                hint="Push the image again with gzip, or leave it out.",
            )
        decoder = next((make() for magic, make in _DECODERS if first.startswith(magic)), None) or _Plain()
        archive = hashlib.sha256()
        blob = hashlib.sha256()
        size = 0
        for data in self._as_gzip(_prepended(first, pieces), decoder, archive.update):
            blob.update(data)
            size += len(data)
            yield data
        diff_id = f"sha256:{archive.hexdigest()}"
        self._facts = LayerFacts(f"sha256:{blob.hexdigest()}", size, diff_id, empty=diff_id in EMPTY_DIFF_IDS)

    def _as_gzip(self, pieces: t.Iterable[bytes], decoder: _Decoder, see: t.Callable[[bytes], None]) -> t.Iterator[bytes]:
        """The bytes of the blob; the archive in it is shown to `see`."""
        if isinstance(decoder, _Gzip):
            for data in pieces:
                for plain in self._decoded(decoder, data):
                    see(plain)
                yield data
            self._check_end(decoder)
            return
        compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL)
        check, length = 0, 0
        yield _GZIP_HEADER
        # in pieces of one size: how the bytes came over the network must not show in what becomes of them
        for plain in _even(plain for data in pieces for plain in self._decoded(decoder, data)):
            see(plain)
            check, length = zlib.crc32(plain, check), length + len(plain)
            compressed = compressor.compress(plain)
            if compressed:
                yield compressed
        self._check_end(decoder)
        yield compressor.flush() + check.to_bytes(4, "little") + (length & 0xFFFFFFFF).to_bytes(4, "little")

    def _decoded(self, decoder: _Decoder, data: bytes) -> t.Iterator[bytes]:
        try:
            yield from decoder.feed(data)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, MemoryError) as error:
            raise self._invalid(f"cannot be decompressed ({error})") from error

    def _check_end(self, decoder: _Decoder) -> None:
        if not decoder.complete:
            raise self._invalid("ends in the middle of its compressed data")

    def _invalid(self, what: str) -> InvalidLayer:
        return InvalidLayer(f"its layer {what}.", subject=self._subject)


def measure(pieces: t.Iterable[bytes], subject: str, keep: t.Callable[[bytes], None] = lambda data: None) -> LayerFacts:
    """Read a layer once; `keep` is given the bytes of the blob in order. Raises what `Layer` raises."""
    layer = Layer(pieces, subject)
    for data in layer:
        keep(data)
    return layer.facts


class RemadeLayer:
    """A layer that comes from its source once more, and becomes the blob that it was when it was measured (a BlobSource).

    Where it does not, DigestMismatch is raised, and `forget` called: what was noted of it (see `LayerFacts.as_note`) is to go.
    """

    def __init__(self, source: BlobSource, descriptor: Descriptor, subject: str, forget: t.Callable[[], None]) -> None:
        self._source = source
        self._descriptor = descriptor
        self._subject = subject
        self._forget = forget
        self.size = descriptor.size
        self.received = 0

    def __iter__(self) -> t.Iterator[bytes]:
        try:
            for data in checked(Layer(self._source, self._subject), self._descriptor.digest, self._subject):
                self.received += len(data)
                yield data
        except DigestMismatch as error:
            # what was noted of it does not hold any more: nobody shall rely on it again
            self._forget()
            raise DigestMismatch(
                f"its layer no longer gives the blob {self._descriptor.digest}: it has changed at the source, or is compressed in "
                "another way on this host.",
                subject=self._subject,
                hint="Run again: it is read anew then.",
            ) from error

    def close(self) -> None:
        """Give the connection back."""
        self._source.close()


def layer_type(facts: LayerFacts, form: str) -> str:
    """The media type of a layer in a manifest of this form, `docker` or `oci`."""
    return facts.media_type if form == "docker" else OCI_LAYER


def _beginning(pieces: t.Iterator[bytes]) -> bytes:
    """The first bytes, enough to know what they are; fewer only where there are no more."""
    first = b""
    for data in pieces:
        first += data
        if len(first) >= _LONGEST_MAGIC:
            break
    return first


def _prepended(first: bytes, rest: t.Iterator[bytes]) -> t.Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _even(pieces: t.Iterable[bytes]) -> t.Iterator[bytes]:
    """The same bytes in pieces of PIECE bytes; the last one has what is left."""
    held = bytearray()
    for data in pieces:
        held += data
        while len(held) >= PIECE:
            yield bytes(held[:PIECE])
            del held[:PIECE]
    if held:
        yield bytes(held)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The archives of `docker save` and `docker load`, as streams: read once from front to back, and written without being held.

An archive names its images in `manifest.json`, which comes after the layers: [{Config: path, Layers: [path]}]. Engines up to 24 have a
layer as `<id>/layer.tar`, or as a link to one that came before; newer ones have an OCI image layout (image-spec "image-layout.md") with
`manifest.json` beside `index.json`.
"""

from __future__ import annotations

import dataclasses
import io
import json
import posixpath
import tarfile
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import PIECE
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import OCI_INDEX

#: bytes of a configuration, or of any other document of an archive; and of all of them together
DOCUMENT_LIMIT = 8 << 20
_DOCUMENTS_LIMIT = 64 << 20
_BLOCK = 512


@dataclasses.dataclass
class Contents:
    """What an archive says beside its layers. `documents`: {path: bytes} of what is JSON; `links`: {path: the path that it leads to}."""

    documents: dict[str, bytes] = dataclasses.field(default_factory=dict)
    links: dict[str, str] = dataclasses.field(default_factory=dict)

    def image(self, subject: str) -> tuple[bytes, list[str]]:
        """The configuration of the archive's image, and the paths of its layers, the lowest first. There is one image in it."""
        try:
            (entry,) = json.loads(self.documents["manifest.json"])
            config, layers = self.documents[_normal(entry["Config"])], [_normal(path) for path in entry["Layers"] or []]
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise InvalidAnswer(f"the engine's export has no manifest.json that names its image ({error!r}).", subject=subject) from error
        return config, [self.links.get(path, path) for path in layers]


class _Stream(io.RawIOBase):
    """What tarfile reads from."""

    def __init__(self, pieces: t.Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        parts, length = [self._rest], len(self._rest)
        while length < size:
            data = next(self._pieces, b"")
            if not data:
                break
            parts.append(data)
            length += len(data)
        whole = b"".join(parts) if len(parts) > 1 else parts[0]
        self._rest = whole[size:]
        return whole[:size]


def read_archive(pieces: t.Iterable[bytes], subject: str, contents: Contents) -> t.Iterator[tuple[str, t.Iterator[bytes]]]:
    """Read an archive to its end: the path of each file that is no document, and its bytes, to be read before the next or not at all.

    `contents` is filled meanwhile. Raises InvalidAnswer where it is no archive, or breaks off.
    """
    documents = 0
    try:
        with tarfile.open(fileobj=t.cast("t.IO[bytes]", _Stream(pieces)), mode="r|", bufsize=PIECE) as archive:
            for member in archive:
                path = _normal(member.name)
                if member.issym() or member.islnk():
                    base = posixpath.dirname(path) if member.issym() else ""
                    contents.links[path] = _normal(posixpath.join(base, member.linkname))
                    continue
                file = archive.extractfile(member) if member.isreg() else None
                if file is None or posixpath.basename(path) == "VERSION":
                    continue
                first = file.read(PIECE)
                if member.size <= DOCUMENT_LIMIT and first[:1] in (b"{", b"["):
                    first += file.read()
                    if _is_document(first):
                        documents += len(first)
                        if documents > _DOCUMENTS_LIMIT:
                            raise InvalidAnswer("the engine's export is full of documents.", subject=subject)
                        contents.documents[path] = first
                        continue
                yield path, _rest_of(first, file, member.size, subject)
    except tarfile.TarError as error:
        raise InvalidAnswer(
            f"the engine's export is no archive, or breaks off ({error}).", subject=subject, hint="Look at the log of the Docker engine."
        ) from error


def _rest_of(first: bytes, file: t.IO[bytes], size: int, subject: str) -> t.Iterator[bytes]:
    received = len(first)
    if first:
        yield first
    while received < size:
        data = file.read(PIECE)
        if not data:
            raise InvalidAnswer("the engine's export breaks off.", subject=subject, hint="Look at the log of the Docker engine.")
        received += len(data)
        yield data


def _is_document(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _normal(path: str) -> str:
    return posixpath.normpath(path).lstrip("/")


@dataclasses.dataclass(frozen=True)
class File:
    """A file for an archive: `size` bytes, which come when it is their turn."""

    path: str
    size: int
    open: t.Callable[[], t.Iterator[bytes]]

    @classmethod
    def of(cls, path: str, data: bytes) -> File:
        """One of which the bytes are there."""
        return cls(path, len(data), lambda: iter([data]))


def write_archive(files: t.Iterable[File]) -> t.Iterator[bytes]:
    """The bytes of an archive of these files."""
    for file in files:
        header = tarfile.TarInfo(file.path)
        header.size = file.size
        header.mode = 0o644
        yield header.tobuf(tarfile.PAX_FORMAT)
        written = 0
        for data in file.open():
            written += len(data)
            yield data
        if written != file.size:
            raise InvalidAnswer(f"{file.path} has {written} bytes instead of {file.size}.", subject="the archive for the engine")
        yield b"\0" * (-written % _BLOCK)
    yield b"\0" * (2 * _BLOCK)


def docker_archive(config: bytes, image_id: str, layers: t.Sequence[tuple[str, File | None]], names: t.Sequence[str]) -> t.Iterator[File]:
    """The files that make an image (`docker load`). `layers`: path and file of each, None where the engine has it already."""
    path = f"{image_id.partition(':')[2]}.json"
    yield File.of(path, config)
    seen: set[str] = set()
    for name, file in layers:
        if file is not None and name not in seen:
            seen.add(name)
            yield file
    entry = {"Config": path, "RepoTags": list(names), "Layers": [name for name, _unused in layers]}
    yield File.of("manifest.json", json.dumps([entry]).encode())


def layout_archive(descriptor: t.Mapping[str, t.Any], blobs: t.Iterable[File], names: t.Sequence[str]) -> t.Iterator[File]:
    """The files of an OCI image layout, for engines that keep images as they are. `names` are whole references."""
    yield File.of("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    yield from blobs
    entries = [
        {**descriptor, "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}}
        for name in names
    ]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries or [dict(descriptor)]}
    yield File.of("index.json", json.dumps(index).encode())


def blob_path(digest: str) -> str:
    """Where a layout has a blob."""
    algorithm, _separator, encoded = digest.partition(":")
    return f"blobs/{algorithm}/{encoded}"


def blob_digest(path: str) -> str:
    """The digest of a blob by its path in a layout; empty where it is none of a layout."""
    parts = path.split("/")
    return f"{parts[1]}:{parts[2]}" if len(parts) == 3 and parts[0] == "blobs" else ""

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""A Docker engine as a store: its images, by the names that it has for them.

An engine keeps layers unpacked, and forgets their compressed form and the manifest. As a source it exports an image (`docker save`), the
layers are compressed in a way that is the same each time, and a manifest of schema 2 is made, which has another digest than the one that
was pulled; the image's ID, the digest of its configuration, stays. As a destination it gets an archive to load (`docker load`).
Engines with the containerd image store keep everything as it is, indexes too: their IDs are the digests of manifests.

What an export costs is noted (see Notes), so that an image is exported again only for layers that have to move and are not in the spool.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._conversion.layers import Layer, LayerFacts
from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobReader, BlobSource, HeldBlob, checked
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import PutManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import digest_of, is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    BlobUnknown,
    DigestMismatch,
    InvalidAnswer,
    InvalidOption,
    InvalidReference,
    ManifestBlobUnknown,
    ManifestUnknown,
    MigrationError,
    RepositoryUnknown,
    ServerFailed,
    UnsupportedManifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import (
    Descriptor,
    Manifest,
    make_manifest,
    parse_manifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    INDEXES,
    MANIFESTS,
    OCI_CONFIG,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import DOCKER_HUB, canonical_registry
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import TagRecord
from ansible_collections.registryops.migration.plugins.module_utils._stores.blob_spool import BlobSpool
from ansible_collections.registryops.migration.plugins.module_utils._stores.engine_api import EngineAPI
from ansible_collections.registryops.migration.plugins.module_utils._stores.engine_archive import (
    DOCUMENT_LIMIT,
    Contents,
    File,
    blob_digest,
    blob_path,
    docker_archive,
    layout_archive,
    read_archive,
    write_archive,
)
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Listing, Notes, Received, Store
from ansible_collections.registryops.migration.plugins.module_utils._stores.notes import AllNotes

DOCKER_ENGINE = Profile("docker_engine", "a Docker engine", deletes_by_tag=True)
#: images that an engine exports at the same time: it copies each on its own disk first
_EXPORTS = 2
#: what an engine can usefully be asked at the same time
_PLACES = 4
#: images that a warning names
_SHOWN_DIGESTS = 3
#: the first version of the engine that unpacks layers compressed with zstd
_KNOWS_ZSTD = 23
_CONTAINERD = "io.containerd.snapshotter.v1"
_CONFIGS = frozenset({DOCKER_CONFIG, OCI_CONFIG})


@dataclasses.dataclass(frozen=True)
class _Image:
    """An image as the engine lists it. `digests`: what its manifests were called where it was pulled from, `name@digest`.

    `media_type`: of the manifest, where the engine keeps those and says so.
    """

    id: str
    names: tuple[str, ...]
    digests: tuple[str, ...]
    media_type: str


@dataclasses.dataclass(frozen=True)
class _Images:
    """All images at one moment. `tags`: {repository: {tag: image}}; `names`: {(repository, tag): the engine's own name}."""

    tags: t.Mapping[str, t.Mapping[str, _Image]]
    names: t.Mapping[tuple[str, str], str]
    by_id: t.Mapping[str, _Image]


class DockerEngineStore(Store):
    """A Docker engine, local or remote. Its repositories are named as `docker images` shows them (see `repository_of`)."""

    keeps_manifests = False

    def __init__(
        self,
        api: EngineAPI,
        spool: BlobSpool,
        *,
        image_host: str = "",
        receives: bool = False,
        bandwidth: Rate | None = None,
    ) -> None:
        """`image_host`: only images with this registry's host in their names, and repositories are named without it.

        `receives`: it is a destination, and tells the digests of what it was given in place of the IDs of images.
        """
        self._api = api
        self._spool = spool
        self._host = canonical_registry(image_host) if image_host else ""
        self._receives = receives
        self.brings_blobs = not receives
        self._bandwidth = bandwidth or Rate(0)
        self._engine = api.address.name
        self.name = f"{self._engine} ({image_host})" if image_host else self._engine
        self.profile = DOCKER_ENGINE
        self._notes = AllNotes()
        self._keeps_forms = False
        self._platform = ""
        self._major = 0
        self._lock = threading.RLock()
        self._images: _Images | None = None
        #: which image a blob is of, once its manifest has been read
        self._image_of: dict[str, str] = {}
        self._image_locks: dict[str, threading.Lock] = {}
        self._exports = threading.BoundedSemaphore(_EXPORTS)
        #: blobs that have been handed out, and are not wanted again as a rule
        self._handed_out: set[str] = set()
        self._compared: set[str] = set()
        self._differing: list[tuple[str, str, str]] = []
        #: names of images of which the engine has some platforms only
        self._incomplete: dict[str, str] = {}
        #: one load at a time: the layers of one need not be in the archive of the next
        self._loading = threading.Lock()
        self._chains: set[str] | None = None
        self._diff_ids: set[str] = set()

    # -- the engine
    def check(self, writing: bool, new: bool = False) -> None:
        said = self._api.connect()
        status = self._api.info().get("DriverStatus") or []
        self._keeps_forms = any(_CONTAINERD in pair for pair in status if isinstance(pair, (list, tuple)))
        self._platform = f"{said.get('Os') or 'linux'}/{said.get('Arch') or 'amd64'}"
        number = re.match(r"\d+", str(said.get("Version") or ""))
        self._major = int(number.group()) if number else 0
        with self._lock:
            self._images = None

    @property
    def holds_platform(self) -> str:
        return "" if self._keeps_forms else self._platform

    @property
    def holds_referrers(self) -> bool:
        return False

    def keep_notes(self, notes: Notes) -> None:
        self._notes.add(notes)

    @property
    def places(self) -> int:
        return _PLACES

    @property
    def requests(self) -> int:
        return self._api.requests

    def close(self) -> None:
        self._spool.close()
        self._api.close()

    # -- names
    def _listed(self) -> _Images:
        with self._lock:
            if self._images is None:
                self._images = self._read_images()
            return self._images

    def _read_images(self) -> _Images:
        tags: dict[str, dict[str, _Image]] = {}
        names: dict[tuple[str, str], str] = {}
        by_id: dict[str, _Image] = {}
        for row in self._api.images():
            image = _image_of_row(row)
            if image is None:
                continue
            by_id[image.id] = image
            for name in image.names:
                full, _separator, tag = name.rpartition(":")
                repository = repository_of(full, self._host)
                # of two names that come out the same, the one that sorts first stays
                if repository is not None and names.get((repository, tag), name) >= name:
                    names[repository, tag] = name
                    tags.setdefault(repository, {})[tag] = image
        return _Images(tags, names, by_id)

    def _changed(self) -> None:
        with self._lock:
            self._images = None

    def engine_name(self, repository: str, tag: str) -> str:
        """The engine's name for a tag: the one that it has, or would get."""
        known = self._listed().names.get((repository, tag))
        return known or f"{self._full_name(repository)}:{tag}"

    def _full_name(self, repository: str) -> str:
        return repository if self._host in ("", DOCKER_HUB) else f"{self._host}/{repository}"

    def repositories(self) -> t.Iterator[str]:
        return iter(sorted(self._listed().tags))

    def tags(self, repository: str) -> list[str]:
        return sorted(self._tags(repository))

    def _tags(self, repository: str) -> t.Mapping[str, _Image]:
        try:
            return self._listed().tags[repository]
        except KeyError:
            raise RepositoryUnknown(
                "the engine has no image of this name.", subject=f"{self._engine}: {repository}", hint="docker images shows all names."
            ) from None

    def listing(self, repository: str) -> Listing:
        tags = self._tags(repository)
        if self._receives:
            return Listing(sorted(tags))
        records = {tag: TagRecord(tag, digest=image.id, media_type=self._media_type(image)) for tag, image in tags.items()}
        return Listing(sorted(tags), records)

    # -- manifests
    def converts(self, media_type: str) -> bool:
        # of an index the engine may have some platforms only; engines up to 27 do not say which kind of manifest it is
        return media_type in ({*INDEXES, ""} if self._keeps_forms else {DOCKER_CONFIG})

    def _media_type(self, image: _Image) -> str:
        """That of the manifest where the engine keeps it, empty where it does not say; else that of the configuration."""
        if not self._keeps_forms:
            return DOCKER_CONFIG
        note = {} if image.media_type else self._notes.get(f"manifest:{image.id}") or {}
        return image.media_type or str(note.get("media_type", ""))

    def _find(self, repository: str, reference: str) -> _Image | None:
        images = self._listed()
        if not is_digest(reference):
            return images.tags.get(repository, {}).get(reference)
        by_digest = (one for one in images.by_id.values() if any(name.endswith(f"@{reference}") for name in one.digests))
        return images.by_id.get(reference) or next(by_digest, None)

    def resolve(self, repository: str, reference: str) -> Descriptor | None:
        image = self._find(repository, reference)
        if self._receives:
            found = self._received(repository, reference, image)
            if found is not None:
                return found
        if image is None:
            note = self._notes.get(f"manifest:{reference}")
            there = note is not None and note.get("image") in self._listed().by_id
            return Descriptor(note["media_type"], reference, len(note["data"].encode())) if note is not None and there else None
        return Descriptor(self._media_type(image), image.id, -1)

    def _received(self, repository: str, reference: str, image: _Image | None) -> Descriptor | None:
        """The manifest that an image was loaded from, or pulled; None where that is not known."""
        if image is None or is_digest(reference):
            return None
        name = self.engine_name(repository, reference)
        note = self._notes.get(f"tag:{name}")
        if note is not None and note.get("image") == image.id:
            return Descriptor(note["media_type"], note["digest"], note["size"])
        if self._keeps_forms:
            return None
        full = name.rpartition(":")[0]
        pulled = next((digest for one, _at, digest in (entry.partition("@") for entry in image.digests) if one == full), "")
        return Descriptor("", pulled, -1) if is_digest(pulled) else None

    def manifest(self, repository: str, reference: str) -> Manifest:
        image = self._find(repository, reference)
        digest = reference
        if self._receives and image is not None:
            found = self._received(repository, reference, image)
            digest = found.digest if found is not None else reference
        note = self._notes.get(f"manifest:{digest}") if is_digest(digest) else None
        if image is None and note is not None:
            image = self._listed().by_id.get(note.get("image", ""))
        if image is None:
            raise ManifestUnknown(
                "the engine does not have it. Of an image of several platforms it may have pulled only some."
                if is_digest(reference)
                else "there is no such image.",
                subject=f"{self.name}: {repository}@{reference}" if is_digest(reference) else f"{self.name}: {repository}:{reference}",
                hint="Name the platforms that it has with platforms, and set platform_index to subset or sparse."
                if is_digest(reference)
                else "docker images shows all names.",
            )
        if note is not None and (self._receives or digest != image.id):
            return self._noted_manifest(digest, note, image)
        with self._image_lock(image.id):
            return self._kept_manifest(image) if self._keeps_forms else self._made_manifest(image)

    def sketch(self, repository: str, reference: str) -> Manifest:
        image = self._find(repository, reference)
        known = image is None or self._receives or self._notes.get(f"manifest:{image.id}" if self._keeps_forms else f"image:{image.id}")
        if image is None or known:
            return self.manifest(repository, reference)
        said = self._api.inspect(image.id) or {}
        layers = [one for one in (said.get("RootFS") or {}).get("Layers") or () if isinstance(one, str) and is_digest(one)]
        # what the steps of its history have added, as long as these are the layers
        sizes = [size for size in self._api.layer_sizes(image.id) if size]
        if len(sizes) != len(layers):
            sizes = [0] * len(layers)
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": DOCKER_CONFIG, "size": 0, "digest": image.id},
            "layers": [{"mediaType": DOCKER_LAYER, "size": size, "digest": one} for one, size in zip(layers, sizes)],
        }
        return make_manifest(document, DOCKER_MANIFEST, image.id)

    def created(self, repository: str, reference: str) -> str:
        image = self._find(repository, reference)
        said = self._api.inspect(image.id) if image is not None else None
        return str((said or {}).get("Created") or "")

    def _noted_manifest(self, digest: str, note: t.Mapping[str, t.Any], image: _Image) -> Manifest:
        manifest = parse_manifest(note["data"].encode(), note["media_type"], digest, where=self._subject(image))
        self._place_blobs(manifest, image)
        return manifest

    def _place_blobs(self, manifest: Manifest, image: _Image) -> None:
        with self._lock:
            self._image_of.update((blob.digest, image.id) for blob in manifest.blobs)

    def _image_lock(self, image_id: str) -> threading.Lock:
        with self._lock:
            return self._image_locks.setdefault(image_id, threading.Lock())

    def _subject(self, image: _Image) -> str:
        return f"{self._engine}: {image.names[0] if image.names else image.id}"

    # -- what an engine without manifests has: they are made
    def _made_manifest(self, image: _Image) -> Manifest:
        """The lock of the image is held."""
        made = self._from_notes(image)
        if made is None:
            self._export(image, all_layers=False)
            made = self._from_notes(image)
        if made is None:
            raise InvalidAnswer("the engine's export is not the image that it was asked for.", subject=self._subject(image))
        self._place_blobs(made, image)
        self._compare(image, made)
        return made

    def _from_notes(self, image: _Image) -> Manifest | None:
        note = self._notes.get(f"image:{image.id}")
        if note is None:
            return None
        config = note["config"].encode()
        layers = [LayerFacts.from_note(self._notes.get(f"layer:{diff_id}")) for diff_id, _path in note["layers"]]
        rows = [{"mediaType": facts.media_type, "size": facts.size, "digest": facts.digest} for facts in layers if facts is not None]
        if len(rows) < len(layers):
            return None
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": DOCKER_CONFIG, "size": len(config), "digest": image.id},
            "layers": rows,
        }
        return make_manifest(document, DOCKER_MANIFEST, image.id)

    def _compare(self, image: _Image, made: Manifest) -> None:
        """Note where the digest is not the one under which the engine has got the image."""
        before = [name.partition("@")[2] for name in image.digests]
        with self._lock:
            if image.id in self._compared:
                return
            self._compared.add(image.id)
            if before and made.digest not in before:
                self._differing.append((image.names[0] if image.names else image.id, before[0], made.digest))

    @property
    def warnings(self) -> list[str]:
        with self._lock:
            differing, incomplete = sorted(self._differing), sorted(self._incomplete.values())
        warnings = []
        if differing:
            shown = [f"{name} was {before} and is {after}" for name, before, after in differing]
            warnings.append(
                f"{len(differing)} image(s) of the engine {self._engine} have another digest than where it pulled them from, for it does "
                f"not keep the compressed layers: {_first_of(shown)}. The image IDs stay the same. Whoever pulls by digest or checks "
                "signatures needs the new digests; a copy from the registry itself keeps the old ones."
            )
        if incomplete:
            warnings.append(
                f"Of {len(incomplete)} image(s) the engine {self._engine} has some platforms only, and so has the destination: "
                f"{_first_of(incomplete)}. A copy from the registry itself has all of them."
            )
        return warnings

    def _export(self, image: _Image, all_layers: bool) -> None:
        """Have an engine write an image out, note what is in it, and spool layers: `all_layers`, or those of which nothing is known."""
        subject = self._subject(image)
        found: dict[str, LayerFacts] = {}
        contents = Contents()
        with self._exports, self._api.export(image.id) as pieces:
            for path, body in read_archive(pieces, subject, contents):
                known = self._known(path)
                if known is not None and (not all_layers or known.digest in self._handed_out or self._spool.holds(known.digest)):
                    found[path] = known
                else:
                    found[path] = self._spool_layer(path, body, subject)
        config, paths = contents.image(subject)
        try:
            diff_ids = json.loads(config)["rootfs"]["diff_ids"]
            text = config.decode()
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidAnswer(f"the image's configuration has no rootfs.diff_ids ({error!r}).", subject=subject) from error
        if digest_of(config) != image.id or len(config) > DOCUMENT_LIMIT:
            raise DigestMismatch(
                f"the engine has exported the configuration {digest_of(config)}.",
                subject=subject,
                hint="The engine's storage may be damaged: pull or build the image again.",
            )
        missing = [path for path in paths if path not in found]
        if missing:
            raise UnsupportedManifest(
                f"the layer {missing[0]} is not in the engine's export, as with layers of Windows that are distributed from elsewhere.",
                subject=subject,
                hint="Copy it from a registry that has it.",
            )
        if [found[path].diff_id for path in paths] != diff_ids:
            raise DigestMismatch(
                "the engine has exported layers that are not those of the image's configuration.",
                subject=subject,
                hint="The engine's storage may be damaged: pull or build the image again.",
            )
        self._notes.put(f"image:{image.id}", {"config": text, "layers": [[found[path].diff_id, path] for path in paths]})

    def _known(self, path: str) -> LayerFacts | None:
        """What is known of a layer by its path in an export, which follows from what it is."""
        note = self._notes.get(f"path:{path}")
        return LayerFacts.from_note(self._notes.get(f"layer:{note['diff_id']}")) if note is not None else None

    def _spool_layer(self, path: str, pieces: t.Iterator[bytes], subject: str) -> LayerFacts:
        layer = Layer(pieces, subject)
        incoming = self._spool.begin()
        try:
            for data in layer:
                incoming.append(data)
            facts = layer.facts
            incoming.keep(facts.digest)
        except BaseException:
            incoming.drop()
            raise
        self._notes.put(f"layer:{facts.diff_id}", facts.as_note())
        self._notes.put(f"path:{path}", {"diff_id": facts.diff_id})
        return facts

    # -- what an engine with the containerd image store has: everything as it came
    def _kept_manifest(self, image: _Image) -> Manifest:
        """The lock of the image is held."""
        note = self._notes.get(f"manifest:{image.id}")
        if note is None:
            self._export_as_kept(image)
            note = self._notes.get(f"manifest:{image.id}")
        if note is None:
            raise InvalidAnswer("the engine's export has no manifest with the image's ID.", subject=self._subject(image))
        whole = self._noted_manifest(image.id, note, image)
        there = note.get("children")
        return whole if there is None else self._what_is_there(whole, frozenset(there), image)

    def _what_is_there(self, index: Manifest, digests: t.Collection[str], image: _Image) -> Manifest:
        """An index without the platforms that the engine has not pulled; as with `docker push`, a single one needs no index."""
        children = [child for child in index.children if child.digest in digests]
        if not children:
            raise ManifestUnknown(
                "the engine has none of the platforms of this image.", subject=self._subject(image), hint="Pull it again, or leave it out."
            )
        with self._lock:
            self._incomplete[image.id] = image.names[0] if image.names else image.id
        if len(children) == 1:
            note = self._notes.get(f"manifest:{children[0].digest}")
            if note is None:
                raise InvalidAnswer("the engine's export has changed.", subject=self._subject(image), hint="Run it again.")
            return dataclasses.replace(self._noted_manifest(children[0].digest, note, image), made_from=image.id)
        document = json.loads(index.data)
        document["manifests"] = [row for row in document["manifests"] if row["digest"] in digests]
        return make_manifest(document, index.media_type, image.id)

    def _export_as_kept(self, image: _Image) -> None:
        """The lock of the image is held."""
        subject = self._subject(image)
        contents = Contents()
        blobs: set[str] = set()
        with self._exports, self._api.export(image.id) as pieces:
            for path, body in read_archive(pieces, subject, contents):
                digest = blob_digest(path)
                if not is_digest(digest):
                    continue
                blobs.add(digest)
                with self._lock:
                    self._image_of[digest] = image.id
                    wanted = digest not in self._handed_out
                if wanted and not self._spool.holds(digest):
                    self._spool_blob(digest, checked(body, digest, subject))
        self._note_manifests(contents, image, blobs)

    def _spool_blob(self, digest: str, pieces: t.Iterable[bytes]) -> bool:
        incoming = self._spool.begin()
        try:
            for data in pieces:
                incoming.append(data)
            return incoming.keep(digest)
        except BaseException:
            incoming.drop()
            raise

    def _note_manifests(self, contents: Contents, image: _Image, blobs: set[str]) -> None:
        """Note the image's manifest and all below it, and spool configurations. `blobs`: all others of the export."""
        manifests: dict[str, Manifest] = {}
        for path, data in contents.documents.items():
            digest = blob_digest(path)
            if not is_digest(digest) or digest_of(data, digest.partition(":")[0]) != digest:
                continue
            document = json.loads(data)
            media_type = document.get("mediaType", "") if isinstance(document, dict) else ""
            if media_type in MANIFESTS or (isinstance(document, dict) and ("layers" in document or "manifests" in document)):
                manifests[digest] = parse_manifest(data, media_type, digest, where=self._subject(image))
            else:
                blobs.add(digest)
                with self._lock:
                    self._image_of[digest] = image.id
                self._spool_blob(digest, [data])
        for digest, manifest in manifests.items():
            note: dict[str, t.Any] = {"media_type": manifest.media_type, "data": manifest.data.decode(), "image": image.id}
            if digest == image.id and manifest.kind == "index":
                there = [child.digest for child in manifest.children if _is_whole(child.digest, manifests, blobs)]
                note.update({} if len(there) == len(manifest.children) else {"children": there})
            self._notes.put(f"manifest:{digest}", note)

    # -- blobs of a source
    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        return None

    def blob_size(self, repository: str, digest: str) -> int | None:
        if digest in self._listed().by_id:
            return -1
        note = self._notes.get(f"blob:{digest}")
        if note is not None and self._receives:
            return int(note["size"]) if note["image"] in self._listed().by_id else None
        with self._lock:
            return -1 if digest in self._image_of else None

    def open_blob(self, repository: str, descriptor: Descriptor) -> BlobSource:
        digest = descriptor.digest
        if not self._keeps_forms and digest in self._listed().by_id:
            image = self._listed().by_id[digest]
            with self._image_lock(digest):
                self._made_manifest(image)
            note = self._notes.get(f"image:{digest}")
            if note is not None:
                return HeldBlob(note["config"].encode())
        with self._lock:
            owner = self._listed().by_id.get(self._image_of.get(digest, ""))
        if owner is None:
            raise BlobUnknown("the engine does not have it.", subject=f"{self.name}: {repository}@{digest}")
        with self._image_lock(owner.id):
            source: BlobSource | None = self._spool.open(digest)
            if source is None:
                with self._lock:
                    self._handed_out.discard(digest)
                if self._keeps_forms:
                    self._export_as_kept(owner)
                else:
                    self._export(owner, all_layers=True)
                source = self._spool.open(digest)
        with self._lock:
            self._handed_out.add(digest)
        return source or _FromExport(descriptor, self._subject(owner), lambda: self._blob_of_export(owner, digest))

    @contextlib.contextmanager
    def _blob_of_export(self, image: _Image, digest: str) -> t.Iterator[t.Iterator[bytes]]:
        """A blob that the spool has no room for, out of an export of its own."""
        subject = self._subject(image)
        wanted = blob_path(digest)
        if not self._keeps_forms:
            note = self._notes.get(f"image:{image.id}") or {"layers": []}
            facts = ((path, LayerFacts.from_note(self._notes.get(f"layer:{diff_id}"))) for diff_id, path in note["layers"])
            wanted = next((path for path, known in facts if known is not None and known.digest == digest), "")
        with self._exports, self._api.export(image.id) as pieces:
            for path, body in read_archive(pieces, subject, Contents()):
                if path == wanted:
                    yield iter(body if self._keeps_forms else Layer(body, subject))
                    return
        raise BlobUnknown("the engine's export does not have it.", subject=f"{subject}: {digest}", hint="Run it again.")

    # -- what is written
    def receive_blob(
        self,
        repository: str,
        descriptor: Descriptor,
        open_source: t.Callable[[], BlobSource],
        *,
        holder: str = "",
        remembered: bool = False,
        fresh: bool = False,
        anew: bool = False,
    ) -> Received:
        if not anew:
            if self._spool.holds(descriptor.digest):
                return Received("mounted" if holder else "present")
            if self._has_layer(descriptor.digest):
                # put_manifest asks for it after all where it lies on other layers than before
                return Received("present")
        source = open_source()
        incoming = self._spool.begin()
        try:
            for data in source:
                if not isinstance(source, BlobReader):
                    self._bandwidth.take(len(data))
                if not incoming.append(data):
                    raise InvalidOption(
                        f"holds {self._spool.capacity} bytes, which is not enough for the blob {descriptor.digest}.",
                        subject="spool_bytes",
                        hint="Give it more; an image is on this disk until the engine has loaded it.",
                    )
            incoming.keep(descriptor.digest)
        except BaseException:
            incoming.drop()
            raise
        finally:
            source.close()
        return Received("uploaded", source.received)

    def _has_layer(self, digest: str) -> bool:
        note = None if self._keeps_forms else self._notes.get(f"blob:{digest}")
        if note is None or not note.get("diff_id"):
            return False
        self._known_chains()
        with self._lock:
            return note["diff_id"] in self._diff_ids

    def _known_chains(self) -> set[str]:
        """The chain IDs (image-spec "config.md") of all layers that the engine has, in the order in which images have them."""
        with self._lock:
            if self._chains is not None:
                return self._chains
        chains: set[str] = set()
        diff_ids: set[str] = set()
        for image_id in self._listed().by_id:
            said = self._api.inspect(image_id) or {}
            layers = (said.get("RootFS") or {}).get("Layers") or []
            diff_ids.update(layers)
            chains.update(chain_ids(layers))
        with self._lock:
            self._chains, self._diff_ids = chains, diff_ids
            return chains

    def put_manifest(self, repository: str, manifest: Manifest, tags: t.Sequence[str] = ()) -> PutManifest:
        names = [self.engine_name(repository, tag) for tag in tags]
        with self._loading:
            if self._keeps_forms:
                image_id = self._put_as_kept(manifest, names)
            elif manifest.kind == "index":
                image_id = self._put_index(manifest, names)
            else:
                image_id = self._put_image(manifest, names)
            self._changed()
        if image_id:
            self._note_put(manifest, image_id, names)
        return PutManifest(tuple(tags), False)

    def _note_put(self, manifest: Manifest, image_id: str, names: t.Sequence[str]) -> None:
        note = {"media_type": manifest.media_type, "digest": manifest.digest, "size": manifest.size, "image": image_id}
        self._notes.put(f"manifest:{manifest.digest}", {**note, "data": manifest.data.decode()})
        for name in names:
            self._notes.put(f"tag:{name}", note)

    def _give_names(self, image_id: str, names: t.Sequence[str]) -> None:
        for name in names:
            full, _separator, tag = name.rpartition(":")
            self._api.tag(image_id, full, tag)

    def _refuse(self, manifest: Manifest, names: t.Sequence[str], why: str) -> UnsupportedManifest:
        return UnsupportedManifest(
            f"{names[0] if names else manifest.digest} {why}",
            subject=self.name,
            hint="Leave it out: tags.exclude takes patterns such as sha256-* for signatures; schema 1 can be converted (convert).",
        )

    def _put_image(self, manifest: Manifest, names: t.Sequence[str]) -> str:
        """Load an image; returns its ID, empty for what is no image and belongs to one of several platforms."""
        if manifest.kind != "image" or manifest.config is None or manifest.config.media_type not in _CONFIGS:
            if not names and manifest.subject is None:
                return ""
            raise self._refuse(manifest, names, "is no image, and an engine holds nothing else.")
        image_id = manifest.config.digest
        if self._api.inspect(image_id) is not None:
            self._give_names(image_id, names)
            self._note_blobs(manifest, image_id)
            return image_id
        with contextlib.ExitStack() as stack:
            config, layers, omitted = self._archive_parts(manifest, names, stack)
            files = docker_archive(config, image_id, layers, names)
            try:
                self._api.load(write_archive(files), names[0] if names else manifest.digest)
            except ServerFailed as error:
                if not omitted:
                    raise
                # an image from which it had layers may have been removed meanwhile
                with self._lock:
                    self._chains = None
                raise ManifestBlobUnknown(error.message, subject=error.subject, hint=error.hint, digests=tuple(omitted)) from error
        if self._api.inspect(image_id) is None:
            raise InvalidAnswer(
                f"the engine has not loaded an image with the ID {image_id}.",
                subject=self.name,
                hint="Look at the log of the Docker engine.",
            )
        self._note_blobs(manifest, image_id)
        return image_id

    def _note_blobs(self, manifest: Manifest, image_id: str) -> None:
        """Note which layers the blobs are, as the engine says it."""
        said = self._api.inspect(image_id) or {}
        diff_ids = (said.get("RootFS") or {}).get("Layers") or []
        with self._lock:
            if self._chains is not None:
                self._chains.update(chain_ids(diff_ids))
                self._diff_ids.update(diff_ids)
        if len(diff_ids) == len(manifest.layers):
            for layer, diff_id in zip(manifest.layers, diff_ids):
                self._notes.put(f"blob:{layer.digest}", {"diff_id": diff_id, "size": layer.size, "image": image_id})

    def _archive_parts(
        self, manifest: Manifest, names: t.Sequence[str], stack: contextlib.ExitStack
    ) -> tuple[bytes, list[tuple[str, File | None]], list[str]]:
        """The configuration, the layers for `docker_archive`, and the digests of those that the engine has already."""
        if manifest.config is None:
            raise self._refuse(manifest, names, "has no configuration.")
        config_source = self._spool.open(manifest.config.digest)
        if config_source is None:
            raise self._missing(manifest, [manifest.config.digest])
        stack.callback(config_source.close)
        config = b"".join(config_source)
        try:
            diff_ids = json.loads(config)["rootfs"]["diff_ids"]
        except (ValueError, KeyError, TypeError):
            diff_ids = None
        if not isinstance(diff_ids, list) or len(diff_ids) != len(manifest.layers) or not all(isinstance(one, str) for one in diff_ids):
            raise self._refuse(manifest, names, "has a configuration that does not list its layers.")
        there = self._known_chains()
        layers: list[tuple[str, File | None]] = []
        missing, omitted = [], []
        for layer, chain in zip(manifest.layers, chain_ids(diff_ids)):
            path = f"{layer.digest.partition(':')[2]}.tar"
            if chain in there:
                omitted.append(layer.digest)
                layers.append((path, None))
                continue
            if layer.media_type.endswith("zstd") and self._major < _KNOWS_ZSTD:
                raise self._refuse(manifest, names, f"has layers compressed with zstd, which engines before {_KNOWS_ZSTD} cannot unpack.")
            if layer.is_foreign:
                raise self._refuse(manifest, names, "has layers that are distributed from elsewhere.")
            source = self._spool.open(layer.digest)
            if source is None:
                missing.append(layer.digest)
                continue
            stack.callback(source.close)
            layers.append((path, File(path, source.size, source.__iter__)))
        if missing:
            raise self._missing(manifest, missing)
        return config, layers, omitted

    def _missing(self, manifest: Manifest, digests: list[str]) -> MigrationError:
        needed = sum(max(0, blob.size) for blob in manifest.blobs)
        if needed > self._spool.capacity:
            return InvalidOption(
                f"holds {self._spool.capacity} bytes, and an image needs {needed}.",
                subject="spool_bytes",
                hint="Give it more; an image is on this disk until the engine has loaded it.",
            )
        return ManifestBlobUnknown(
            "layers are not here any more, and have to come again.",
            subject=f"{self.name}: {manifest.digest}",
            hint="Give spool_bytes more, or set workers to 1.",
            digests=tuple(digests),
        )

    def _put_index(self, manifest: Manifest, names: t.Sequence[str]) -> str:
        """Name the one image of an index that was loaded; returns its ID."""
        for child in manifest.children:
            note = self._notes.get(f"manifest:{child.digest}")
            if note is not None and note.get("image") and self._api.inspect(note["image"]) is not None:
                self._give_names(note["image"], names)
                return str(note["image"])
        there = sorted({str(child.platform) for child in manifest.children if child.platform is not None})
        raise UnsupportedManifest(
            f"{names[0] if names else manifest.digest} has nothing for the engine's platform {self._platform}.",
            subject=self.name,
            hint=f"Choose one of its platforms with platforms: {', '.join(there)}." if there else "Leave it out.",
        )

    def _put_as_kept(self, manifest: Manifest, names: t.Sequence[str]) -> str:
        """Load a manifest and all below it as they are; returns its digest. Without a name it is only kept until its index comes."""
        if not names:
            self._spool_blob(manifest.digest, [manifest.data])
            return ""
        if manifest.kind == "image" and self._api.inspect(manifest.digest) is not None:
            # an index may be there with some of its platforms only
            self._give_names(manifest.digest, names)
            return manifest.digest
        with contextlib.ExitStack() as stack:
            files: dict[str, File] = {}
            missing: list[str] = []
            self._collect(manifest, files, missing, stack)
            if missing:
                raise self._missing(manifest, missing)
            descriptor = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": manifest.size}
            archive = layout_archive(descriptor, files.values(), [full_reference(name) for name in names])
            self._api.load(write_archive(archive), names[0])
        said = self._api.inspect(names[0]) or {}
        if said.get("Id") != manifest.digest:
            raise InvalidAnswer(
                f"the engine has loaded {said.get('Id') or 'nothing'} in place of {manifest.digest}.",
                subject=f"{self.name}: {names[0]}",
                hint="Look at the log of the Docker engine.",
            )
        return manifest.digest

    def _collect(self, manifest: Manifest, files: dict[str, File], missing: list[str], stack: contextlib.ExitStack) -> None:
        """The files of a layout that a manifest needs. Children that were not brought are left out."""
        files[manifest.digest] = File.of(blob_path(manifest.digest), manifest.data)
        for child in manifest.children:
            source = self._spool.open(child.digest)
            if source is not None and child.digest not in files:
                with contextlib.closing(source):
                    data = b"".join(source)
                self._collect(parse_manifest(data, child.media_type, child.digest), files, missing, stack)
        for blob in manifest.blobs:
            if blob.digest in files or blob.is_foreign:
                continue
            source = self._spool.open(blob.digest)
            if source is None:
                missing.append(blob.digest)
                continue
            stack.callback(source.close)
            files[blob.digest] = File(blob_path(blob.digest), source.size, source.__iter__)

    def delete_manifest(self, repository: str, reference: str) -> bool:
        images = self._listed()
        if is_digest(reference):
            found = self._find(repository, reference)
            note = self._notes.get(f"manifest:{reference}") if found is None else None
            image_id = found.id if found is not None else str((note or {}).get("image", ""))
            names = [images.names[repository, tag] for tag, image in images.tags.get(repository, {}).items() if image.id == image_id]
        else:
            names = [images.names[repository, reference]] if (repository, reference) in images.names else []
        removed = [self._api.remove(name) for name in names]
        self._changed()
        return any(removed)


class _FromExport:
    """A blob that is read while an engine exports its image (a BlobSource)."""

    def __init__(self, descriptor: Descriptor, subject: str, export: t.Callable[[], t.ContextManager[t.Iterator[bytes]]]) -> None:
        self.size = descriptor.size
        self.received = 0
        self._digest = descriptor.digest
        self._subject = subject
        self._stack = contextlib.ExitStack()
        self._export = export

    def __iter__(self) -> t.Iterator[bytes]:
        return checked(self._pieces(), self._digest, self._subject)

    def _pieces(self) -> t.Iterator[bytes]:
        for data in self._stack.enter_context(self._export()):
            self.received += len(data)
            yield data
        self.close()

    def close(self) -> None:
        """Give up what has not been read of the export."""
        self._stack.close()


def _first_of(texts: t.Sequence[str]) -> str:
    more = f"; and {len(texts) - _SHOWN_DIGESTS} more" if len(texts) > _SHOWN_DIGESTS else ""
    return "; ".join(texts[:_SHOWN_DIGESTS]) + more


def _is_whole(digest: str, manifests: t.Mapping[str, Manifest], blobs: t.Collection[str]) -> bool:
    """Whether a manifest is there with all that it names."""
    manifest = manifests.get(digest)
    if manifest is None:
        return False
    children = all(child.digest != digest and _is_whole(child.digest, manifests, blobs) for child in manifest.children)
    return children and all(blob.digest in blobs or blob.is_foreign for blob in manifest.blobs)


def _image_of_row(row: t.Mapping[str, t.Any]) -> _Image | None:
    """A row of the engine's list; None where it has no ID."""
    image_id = row.get("Id")
    if not isinstance(image_id, str) or not is_digest(image_id):
        return None
    names = tuple(one for one in row.get("RepoTags") or () if isinstance(one, str) and ":" in one and not one.startswith("<none>"))
    digests = tuple(one for one in row.get("RepoDigests") or () if isinstance(one, str) and "@" in one and not one.startswith("<none>"))
    descriptor = row.get("Descriptor")
    media_type = descriptor.get("mediaType", "") if isinstance(descriptor, dict) and descriptor.get("digest") == image_id else ""
    return _Image(image_id, tuple(sorted(names)), digests, media_type if isinstance(media_type, str) else "")


def _split_host(name: str) -> tuple[str, str]:
    """The host in an engine's name, and the rest; docker's rule: the first component is one if it has a dot, a colon, or is localhost."""
    first, separator, rest = name.partition("/")
    if separator and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return first, rest
    return "", name


def repository_of(name: str, image_host: str = "") -> str | None:
    """The repository for an engine's name without its tag; None where it is one of another host than `image_host`.

    Without `image_host` the name stays, but for what no repository may have: `localhost:5000/app` is `localhost_5000/app`.
    """
    host, rest = _split_host(name)
    if image_host:
        try:
            return rest if (canonical_registry(host) if host else DOCKER_HUB) == image_host else None
        except InvalidReference:
            return None
    return f"{re.sub(r'[^a-z0-9.-]+', '_', host.lower()).strip('_.-')}/{rest}" if host else name


def full_reference(name: str) -> str:
    """An engine's name with the host that docker leaves out."""
    host, rest = _split_host(name)
    if host:
        return name
    return f"docker.io/{rest}" if "/" in rest else f"docker.io/library/{rest}"


def chain_ids(diff_ids: t.Sequence[str]) -> list[str]:
    """The chain ID of each layer on those below it (image-spec "config.md")."""
    chains: list[str] = []
    for diff_id in diff_ids:
        below = f"{chains[-1]} {diff_id}" if chains else ""
        chains.append(f"sha256:{hashlib.sha256(below.encode()).hexdigest()}" if below else diff_id)
    return chains

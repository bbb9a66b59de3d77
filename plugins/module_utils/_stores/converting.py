# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""A source whose images are converted while they are read, because the destination refuses them as they are.

Only what was asked for is converted; everything else passes to the byte. Tags resolve to the digests that the source has, manifests
come in their new form (`Manifest.made_from` is the old digest), and what a new manifest names can be read under its new digest.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import json
import threading

from ansible_collections.registryops.migration.plugins.module_utils._conversion.docker_form import (
    Child,
    is_attestation,
    to_manifest_list,
    to_schema2,
)
from ansible_collections.registryops.migration.plugins.module_utils._conversion.layers import LayerFacts, RemadeLayer, measure
from ansible_collections.registryops.migration.plugins.module_utils._conversion.schema1 import EMPTY_LAYER, read_schema1
from ansible_collections.registryops.migration.plugins.module_utils._conversion.v1 import Converted
from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobSource, HeldBlob
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import digest_of, is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidManifest, ManifestUnknown
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import (
    SCHEMA1_LAYER,
    UNKNOWN_SIZE,
    Descriptor,
    Manifest,
    Platform,
    make_manifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import INDEXES, OCI_ARTIFACT, OCI_MANIFEST, SCHEMA1
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Notes, Store
from ansible_collections.registryops.migration.plugins.module_utils._stores.notes import AllNotes
from ansible_collections.registryops.migration.plugins.module_utils._stores.recent import Recent
from ansible_collections.registryops.migration.plugins.module_utils._stores.shared import Wrapped

#: indexes in indexes, at the most: what a plan takes
MOST_NESTING = 16
#: bytes of manifests and configurations that have been made and are kept, at the most; they can be made again
_KEPT = 32 << 20
#: bytes of a configuration that is read for its platform, at the most
_CONFIG_LIMIT = 4 << 20

_Place = tuple[str, str]


class ConvertingStore(Wrapped):
    """A source store with conversions. `schema1`: none, docker or oci; `oci`: none or docker. It takes nothing."""

    def __init__(self, inner: Store, schema1: str = "none", oci: str = "none") -> None:
        super().__init__(inner)
        self._schema1 = schema1
        self._oci = oci == "docker"
        self._notes = AllNotes()
        self._lock = threading.Lock()
        #: (repository, digest of a child of an index, or of a configuration, that was made): the digest of the manifest behind it
        self._origins: dict[_Place, str] = {}
        self._config_origins: dict[_Place, str] = {}
        #: the same of layers that are compressed anew on the way
        self._layers: dict[_Place, str] = {}
        self._manifests: Recent[Manifest] = Recent(_KEPT)
        self._configs: Recent[bytes] = Recent(_KEPT)
        #: bytes of layers that have not been read
        self._sizes: dict[str, int] = {}
        #: one lock for each layer that is being read for its facts
        self._reading: collections.defaultdict[str, threading.Lock] = collections.defaultdict(threading.Lock)

    def converts(self, media_type: str) -> bool:
        if media_type in SCHEMA1:
            return self._schema1 != "none"
        # a list may name images of schema 1
        return media_type in INDEXES or (self._oci and media_type in (OCI_MANIFEST, OCI_ARTIFACT)) or self._inner.converts(media_type)

    def keep_notes(self, notes: Notes) -> None:
        self._notes.add(notes)
        self._inner.keep_notes(notes)

    # -- manifests
    def sketch(self, repository: str, reference: str) -> Manifest:
        if self._schema1 != "none":
            original = self._inner.manifest(repository, self._origins.get((repository, reference), reference))
            if original.kind == "schema1":
                where = self._subject(repository, original.digest)
                image = read_schema1(original, where)
                facts = [self._noted(digest) or self._stand_in(repository, digest) for digest in image.layers]
                return image.convert(facts, self._schema1, where).manifest
        return self.manifest(repository, reference)

    def _stand_in(self, repository: str, digest: str) -> LayerFacts:
        """For a layer that nobody has read: its size, as far as that is told without reading it."""
        size = self._sizes.get(digest)
        if size is None:
            size = self._sizes[digest] = max(0, self._inner.blob_size(repository, digest) or 0)
        return LayerFacts(digest, size, digest)

    def created(self, repository: str, reference: str) -> str:
        known = self._inner.created(repository, reference)
        if known or self._schema1 == "none":
            return known
        original = self._inner.manifest(repository, reference)
        if original.kind != "schema1":
            return ""
        # the layers, which a configuration cannot be made without, have no part in this
        moment = read_schema1(original, self._subject(repository, original.digest)).documents[-1].get("created")
        return moment if isinstance(moment, str) else ""

    def manifest(self, repository: str, reference: str) -> Manifest:
        place = (repository, reference)
        made = self._manifests.get(place) if is_digest(reference) else None
        if made is not None:
            return made
        origin = self._origins.get(place, reference)
        try:
            original = self._inner.manifest(repository, origin)
        except ManifestUnknown:
            # the source may have had the made form beside the original, which is gone
            if origin == reference:
                raise
            original = self._inner.manifest(repository, reference)
        return self._converted(repository, original, 0)

    def _converted(self, repository: str, original: Manifest, depth: int) -> Manifest:
        """A manifest as the destination gets it, which may be the manifest itself."""
        if original.kind == "index":
            made = self._converted_index(repository, original, depth)
        elif original.kind == "schema1" and self._schema1 != "none":
            made = self._from_schema1(repository, original).manifest
        elif self._oci and original.media_type in (OCI_MANIFEST, OCI_ARTIFACT):
            made = to_schema2(original, self._subject(repository, original.digest))
        else:
            return original
        if depth and made is not original:
            # it is going to be asked for by its new digest
            self._origins[repository, made.digest] = original.digest
            self._manifests.put((repository, made.digest), made, made.size)
        return made

    def _converted_index(self, repository: str, index: Manifest, depth: int) -> Manifest:
        where = self._subject(repository, index.digest)
        if depth > MOST_NESTING:
            raise InvalidManifest("its indexes are nested too deep.", subject=where, hint="Leave it out of the selection.")
        if not self._oci:
            return self._with_made_children(repository, index)
        children = []
        for child in index.children:
            if is_attestation(child):
                continue
            made = self._converted(repository, self._inner.manifest(repository, child.digest), depth + 1)
            platform = child.platform
            if platform is None and made.kind == "image":
                platform = self._platform(repository, made)
            children.append(Child(made, platform))
        unchanged = [child.manifest.digest for child in children] == [child.digest for child in index.children]
        listed = to_manifest_list(index, children, where)
        return index if unchanged and index.media_type == listed.media_type else listed

    def _with_made_children(self, repository: str, index: Manifest) -> Manifest:
        """An index as it is, but for images of schema 1 in it, which may have another form."""
        old = {child.digest for child in index.children if child.media_type in SCHEMA1}
        if self._schema1 == "none" or not old:
            return index
        document = json.loads(index.data)
        for entry in document["manifests"]:
            if entry["digest"] in old:
                made = self._converted(repository, self._inner.manifest(repository, entry["digest"]), 1)
                entry.update(mediaType=made.media_type, digest=made.digest, size=made.size)
        return make_manifest(document, index.media_type, index.source_digest)

    def _platform(self, repository: str, image: Manifest) -> Platform | None:
        """What an image's configuration says that it runs on; None where that is not to be had."""
        config = image.config
        if config is None or config.size > _CONFIG_LIMIT:
            return None
        with contextlib.closing(self.open_blob(repository, config)) as source:
            data = b"".join(source)
        try:
            document = json.loads(data)
            os, architecture, variant, version = (document.get(key) or "" for key in ("os", "architecture", "variant", "os.version"))
        except (ValueError, AttributeError, RecursionError):
            return None
        return (
            Platform(os, architecture, variant, version)
            if all(isinstance(one, str) for one in (os, architecture, variant, version))
            else None
        )

    # -- schema 1
    def _from_schema1(self, repository: str, original: Manifest) -> Converted:
        where = self._subject(repository, original.digest)
        image = read_schema1(original, where)
        facts = [self._facts(repository, digest) for digest in image.layers]
        for digest, fact in zip(image.layers, facts):
            if fact.digest != digest:
                self._layers[repository, fact.digest] = digest
        made = image.convert(facts, self._schema1, where)
        place = (repository, digest_of(made.config))
        self._config_origins[place] = original.digest
        self._configs.put(place, made.config, len(made.config))
        return made

    def _noted(self, digest: str) -> LayerFacts | None:
        return EMPTY_LAYER if digest == EMPTY_LAYER.digest else LayerFacts.from_note(self._notes.get(f"layer:{digest}"))

    def _facts(self, repository: str, digest: str) -> LayerFacts:
        """What has to be known of a layer: noted in this run or an earlier one, or found out by reading it."""
        with self._lock:
            reading = self._reading[digest]
        # others that need the same wait, instead of reading it as well
        with reading:
            facts = self._noted(digest)
            if facts is None:
                with contextlib.closing(self._inner.open_blob(repository, Descriptor(SCHEMA1_LAYER, digest, UNKNOWN_SIZE))) as source:
                    facts = measure(source, self._subject(repository, digest))
                self._notes.put(f"layer:{digest}", facts.as_note())
        return facts

    # -- blobs
    def _made_config(self, repository: str, digest: str) -> bytes | None:
        place = (repository, digest)
        origin = self._config_origins.get(place)
        if origin is None:
            return None
        kept = self._configs.get(place)
        return self._from_schema1(repository, self._inner.manifest(repository, origin)).config if kept is None else kept

    def blob_size(self, repository: str, digest: str) -> int | None:
        config = self._made_config(repository, digest)
        return self._inner.blob_size(repository, digest) if config is None else len(config)

    def open_blob(self, repository: str, descriptor: Descriptor) -> BlobSource:
        config = self._made_config(repository, descriptor.digest)
        if config is not None:
            return HeldBlob(config)
        stored = self._layers.get((repository, descriptor.digest))
        if stored is not None:
            source = self._inner.open_blob(repository, Descriptor(SCHEMA1_LAYER, stored, UNKNOWN_SIZE))
            forget = functools.partial(self._notes.put, f"layer:{stored}", {})
            return RemadeLayer(source, descriptor, self._subject(repository, stored), forget)
        return self._inner.open_blob(repository, descriptor)

    def _subject(self, repository: str, digest: str) -> str:
        return f"{self.name}/{repository}@{digest}"

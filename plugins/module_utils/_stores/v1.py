# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""A v1 source as a store that is only read: its manifests are made when they are asked for.

A manifest names layers by their digests, and in v1 nobody knows these before the layers have been read. So a layer comes once, when the
first image that has it is asked for, and is kept in a file until it is moved on. What was found out about it is noted: a later run
makes the same manifest out of the images' documents alone.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._conversion.layers import LayerFacts, RemadeLayer, measure
from ansible_collections.registryops.migration.plugins.module_utils._conversion.v1 import (
    Converted,
    Link,
    PayloadChecksum,
    check_chain,
    convert,
    manifest_type,
    read_link,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobSource, HeldBlob
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import PutManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import digest_of
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    BlobUnknown,
    InvalidOption,
    ManifestUnknown,
    MigrationError,
    StateError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import UNKNOWN_SIZE, Descriptor, Manifest
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import RepositoryRecord, TagRecord
from ansible_collections.registryops.migration.plugins.module_utils._stores.blob_spool import BlobSpool, Incoming
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Listing, Notes, Received, Store
from ansible_collections.registryops.migration.plugins.module_utils._stores.notes import AllNotes
from ansible_collections.registryops.migration.plugins.module_utils._stores.recent import Recent
from ansible_collections.registryops.migration.plugins.module_utils._stores.spool import SPOOL_BYTES
from ansible_collections.registryops.migration.plugins.module_utils._v1.reader import V1Image, V1Reader, digest_of_image, read_json

#: bytes of documents and configurations that are held in memory, each
_HELD = 16 << 20
#: tags that are remembered
_MOST_TAGS = 200_000
#: images of one chain that are read at the same time
_AT_ONCE = 4

_Read = t.TypeVar("_Read")


@dataclasses.dataclass(frozen=True)
class _Chain:
    """An image and its ancestors, itself first. `document`: its own."""

    ids: list[str]
    images: list[V1Image]
    links: list[Link]
    document: t.Mapping[str, t.Any]


class V1Store(Store):
    """Any v1 source (see V1Reader) as a store. `form` is `docker` or `oci`: what its images become."""

    mounts = False
    brings_blobs = True
    profile = GENERIC

    def __init__(self, reader: V1Reader, form: str = "docker", spool_dir: str = "", spool_bytes: int = SPOOL_BYTES) -> None:
        """`spool_dir`: a folder for layers that have been measured and not moved yet, at most `spool_bytes` bytes of them."""
        self.name = reader.name
        self.is_local = reader.is_local
        self._reader = reader
        self._form = form
        self._media_type = manifest_type(form)
        self._notes = AllNotes()
        self._spool_dir = spool_dir
        # what has been moved is not wanted again
        self._spool = BlobSpool(spool_dir, 0 if reader.is_local or not spool_dir else spool_bytes, read_once=True)
        self._lock = threading.Lock()
        self._listed: Recent[dict[str, str]] = Recent(_MOST_TAGS)
        self._images: Recent[V1Image] = Recent(_HELD)
        self._configs: Recent[bytes] = Recent(_HELD)
        #: ids that are not what their digest says
        self._short_ids: dict[str, str] = {}
        #: which image has a layer, or a configuration, of a digest
        self._layer_of: dict[str, tuple[str, int]] = {}
        self._config_of: dict[str, str] = {}
        self._measuring: dict[str, concurrent.futures.Future[LayerFacts]] = {}
        self._unverified: dict[str, str] = {}

    # -- the source as a whole
    def check(self, writing: bool, new: bool = False) -> None:
        if writing:
            raise self._read_only()
        self._reader.check()

    def _read_only(self) -> MigrationError:
        return InvalidOption(
            "is of v1, which is only read from.", subject=self.name, hint="Give a registry of today, or an OCI layout, as destination."
        )

    def repositories(self) -> t.Iterator[str]:
        return self._reader.repositories()

    def record(self, repository: str) -> RepositoryRecord | None:
        description = self._reader.description(repository)
        return RepositoryRecord(repository, description=description) if description else None

    def _tags(self, repository: str) -> dict[str, str]:
        found = self._listed.get(repository)
        if found is None:
            found = self._reader.tags(repository)
            self._listed.put(repository, found, len(found) + 1)
        return found

    def tags(self, repository: str) -> list[str]:
        return list(self._tags(repository))

    def listing(self, repository: str) -> Listing:
        tags = self._tags(repository)
        return Listing(list(tags), {tag: TagRecord(tag, self._digest_of(image_id), self._media_type) for tag, image_id in tags.items()})

    def converts(self, media_type: str) -> bool:
        return True

    def keep_notes(self, notes: Notes) -> None:
        self._notes.add(notes)

    # -- images
    def _digest_of(self, image_id: str) -> str:
        digest = digest_of_image(image_id)
        if not digest.endswith(image_id):
            self._short_ids[digest] = image_id
        return digest

    def _id_of(self, repository: str, reference: str) -> str | None:
        """The image that a tag or a digest stands for; None where there is no such tag."""
        if ":" not in reference:
            return self._tags(repository).get(reference)
        return self._short_ids.get(reference) or reference.partition(":")[2]

    def resolve(self, repository: str, reference: str) -> Descriptor | None:
        image_id = self._id_of(repository, reference)
        if image_id is None:
            return None
        if ":" in reference:
            try:
                self._reader.ancestry(repository, image_id)
            except ManifestUnknown:
                return None
        return Descriptor(self._media_type, self._digest_of(image_id), UNKNOWN_SIZE)

    def manifest(self, repository: str, reference: str) -> Manifest:
        return self._convert(repository, reference).manifest

    def sketch(self, repository: str, reference: str) -> Manifest:
        chain = self._chain(repository, reference)
        roughly = [
            self._noted(image_id) or LayerFacts(self._digest_of(image_id), max(0, image.layer_size), self._digest_of(image_id))
            for image_id, image in zip(chain.ids, chain.images)
        ]
        return self._made(chain, roughly).manifest

    def created(self, repository: str, reference: str) -> str:
        image_id = self._id_of(repository, reference)
        if image_id is None:
            return ""
        told = read_link(self._document(repository, image_id), self._where(repository, image_id)).history.get("created", "")
        pushed = self._reader.pushed(repository, reference) if not told and ":" not in reference else None
        return pushed.isoformat() if pushed is not None else str(told)

    def _where(self, repository: str, image_id: str) -> str:
        return f"{self.name}/{repository}@{image_id}"

    def _image(self, repository: str, image_id: str) -> V1Image:
        found = self._images.get(image_id)
        if found is None:
            found = self._reader.image(repository, image_id)
            self._images.put(image_id, found, len(found.data))
        return found

    def _document(self, repository: str, image_id: str) -> t.Any:
        return read_json(self._image(repository, image_id).data, self._where(repository, image_id))

    def _chain(self, repository: str, reference: str) -> _Chain:
        """What the source has of an image and its ancestors beside their layers."""
        image_id = self._id_of(repository, reference)
        if image_id is None:
            raise ManifestUnknown("there is no such tag.", subject=f"{self.name}/{repository}:{reference}", hint="Check the name.")
        ids = self._reader.ancestry(repository, image_id)
        images = _side_by_side([functools.partial(self._image, repository, one) for one in ids])
        documents = [read_json(image.data, self._where(repository, one)) for one, image in zip(ids, images)]
        links = [read_link(document, self._where(repository, one)) for one, document in zip(ids, documents)]
        check_chain(ids, links, self._where(repository, image_id))
        return _Chain(ids, images, links, documents[0])

    def _made(self, chain: _Chain, facts: t.Sequence[LayerFacts]) -> Converted:
        layers = list(zip(chain.links, facts))
        return convert(chain.document, layers[::-1], self._form, self._digest_of(chain.ids[0]))

    def _convert(self, repository: str, reference: str) -> Converted:
        """Make an image; what its layers are is found out where nobody knows it yet."""
        chain = self._chain(repository, reference)
        known = {image_id: self._noted(image_id) for image_id in chain.ids}
        unknown = [(image_id, image) for image_id, image in zip(chain.ids, chain.images) if known[image_id] is None]
        found = _side_by_side([functools.partial(self._facts, repository, *one) for one in unknown])
        read = {image_id: facts for (image_id, _image), facts in zip(unknown, found)}
        facts = [known[image_id] or read[image_id] for image_id in chain.ids]
        made = self._made(chain, facts)
        config = digest_of(made.config)
        self._configs.put(config, made.config, len(made.config))
        self._config_of[config] = chain.ids[0]
        for image_id, image, layer in zip(chain.ids, chain.images, facts):
            self._layer_of[layer.digest] = (image_id, image.layer_size)
        return made

    # -- layers
    def _noted(self, image_id: str) -> LayerFacts | None:
        return LayerFacts.from_note(self._notes.get(f"layer:{image_id}"))

    def _note(self, image_id: str, value: t.Mapping[str, t.Any]) -> None:
        self._notes.put(f"layer:{image_id}", value)

    def _facts(self, repository: str, image_id: str, image: V1Image) -> LayerFacts:
        """What is known of a layer; it is read if nobody has done so, by one of those who ask."""
        known = self._noted(image_id)
        if known is not None:
            return known
        mine: concurrent.futures.Future[LayerFacts] = concurrent.futures.Future()
        with self._lock:
            others = self._measuring.setdefault(image_id, mine)
        if others is not mine:
            return others.result()
        try:
            # somebody may have ended just now
            facts = self._noted(image_id) or self._measure(repository, image_id, image)
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(facts)
            return facts
        finally:
            with self._lock:
                del self._measuring[image_id]

    def _measure(self, repository: str, image_id: str, image: V1Image) -> LayerFacts:
        where = self._where(repository, image_id)
        checksum = PayloadChecksum(image.data, image.checksum)
        incoming = self._spool.begin()
        source = self._reader.open_layer(repository, image_id, image.layer_size)
        try:
            facts = measure(checksum.seen(source, where), where, functools.partial(self._keep, incoming))
            incoming.keep(facts.digest)
        finally:
            source.close()
            incoming.drop()
        if not checksum.can_be_checked:
            with self._lock:
                self._unverified[image_id] = f"{self.name}/{repository}"
        self._note(image_id, facts.as_note())
        return facts

    def _keep(self, incoming: Incoming, data: bytes) -> None:
        """Keep a piece of a layer, if that is possible: without a disk it is read again."""
        with contextlib.suppress(StateError):
            if not self._spool.problem:
                incoming.append(data)
        if self._spool.problem:
            incoming.drop()

    # -- blobs
    def blob_size(self, repository: str, digest: str) -> int | None:
        config = self._configs.get(digest)
        if config is not None:
            return len(config)
        owner = self._layer_of.get(digest)
        known = self._noted(owner[0]) if owner else None
        return known.size if known is not None and known.digest == digest else None

    def open_blob(self, repository: str, descriptor: Descriptor) -> BlobSource:
        digest = descriptor.digest
        owner = self._config_of.get(digest)
        if owner is not None:
            config = self._configs.get(digest)
            if config is None:
                config = self._convert(repository, self._digest_of(owner)).config
            return HeldBlob(config)
        found = self._layer_of.get(digest)
        if found is None:
            raise BlobUnknown("no image that has been read has this blob.", subject=f"{self.name}/{repository}@{digest}")
        image_id, size = found
        where = self._where(repository, image_id)
        kept = self._spool.open(digest, where)
        if kept is not None:
            return kept
        source = self._reader.open_layer(repository, image_id, size)
        return RemadeLayer(source, descriptor, where, lambda: self._note(image_id, {}))

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        return []

    # -- what it is not for
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
        raise self._read_only()

    def put_manifest(self, repository: str, manifest: Manifest, tags: t.Sequence[str] = ()) -> PutManifest:
        raise self._read_only()

    def delete_manifest(self, repository: str, reference: str) -> bool:
        raise self._read_only()

    # -- bookkeeping
    @property
    def places(self) -> int:
        return self._reader.places

    @property
    def requests(self) -> int:
        return self._reader.requests

    @property
    def warnings(self) -> list[str]:
        told = list(self._reader.warnings)
        with self._lock:
            unverified = sorted(self._unverified.items())
        if unverified:
            image_id, where = unverified[0]
            others = f", and {len(unverified) - 1} more" if len(unverified) > 1 else ""
            told.append(
                f"{self.name} keeps no checksum that can be verified for {where}@{image_id}{others}: the layers were copied as they came."
            )
        if self._spool.problem:
            told.append(f"Nothing could be kept in {self._spool_dir} ({self._spool.problem}): layers were read twice.")
        return told

    def close(self) -> None:
        self._spool.close()
        self._reader.close()


def _side_by_side(tasks: t.Sequence[t.Callable[[], _Read]]) -> list[_Read]:
    """The results of some tasks, a few of which run at the same time, the first of them in this thread; raises what one of them raised.

    The threads are daemons: who stops in the middle is not kept waiting by a layer that comes slowly.
    """
    results: dict[int, _Read] = {}
    errors: list[BaseException] = []
    waiting = iter(enumerate(tasks))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                number, task = next(waiting, (-1, None))
            if task is None or errors:
                return
            try:
                results[number] = task()
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the results are wanted
                errors.append(error)

    helpers: list[threading.Thread] = []
    for _unused in range(min(_AT_ONCE, len(tasks)) - 1):
        helper = threading.Thread(target=work, name="v1", daemon=True)
        try:
            helper.start()
        except RuntimeError:
            # the system gives no more of them: those that there are do the work
            break
        helpers.append(helper)
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(tasks))]

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""A v2 registry as a store: the order of requests that moves a blob with the fewest of them, and what to do when it fails."""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobReader, BlobSource
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import (
    CHUNK,
    SMALL_BLOB,
    PutManifest,
    RegistryClient,
    Upload,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    BlobUnknown,
    CatalogForbidden,
    ConnectionFailed,
    DigestMismatch,
    ManifestTooLarge,
    MigrationError,
    RegistryError,
    RegistryReadOnly,
    ServerFailed,
    TooManyRequests,
    UnsupportedManifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate, backoff
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, Manifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import INDEXES
from ansible_collections.registryops.migration.plugins.module_utils._oci.pulls import OnQuota, PullQuota
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import RepositoryRecord, TagRecord
from ansible_collections.registryops.migration.plugins.module_utils._providers.table import recognise
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Listing, Notes, Received, Store, Unread
from ansible_collections.registryops.migration.plugins.module_utils._stores.kept import KeptManifests

#: blobs up to this size are held in memory, so that a request can be sent again without asking the source again
BUFFERED = 256 << 10
#: bytes; what is tried, one after the other, where a request is refused as too large
_CHUNK_SIZES = (CHUNK, 4 << 20, 1 << 20, 256 << 10)
#: codes of an upload session that is gone; the blob may have arrived all the same (its answer was lost)
_LOST_SESSION = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"})
#: so many refused mounts, with not one granted, and the registry is not asked any more
_REFUSED_MOUNTS = 3
#: how many blobs a product is asked for at once, and how many answers are kept for when they are wanted
_ASKED_AT_ONCE, _KEPT_ANSWERS = 100, 50_000
#: tags of each repository whose digests in a product's list are compared with those that the registry gives
CHECKED_DIGESTS = 2


@dataclasses.dataclass(frozen=True)
class _Holder:
    """A repository that has a blob, or (`remembered`) had it in an earlier run; empty where none is known."""

    repository: str = ""
    remembered: bool = False


class RegistryStore(Store):
    """A registry that speaks the distribution specification."""

    def __init__(
        self,
        client: RegistryClient,
        profile: Profile,
        chunk_size: int = 0,
        provide: t.Callable[[Profile], Provider] | None = None,
        recognise: bool = False,
        shared_by: int = 1,
        on_quota: OnQuota = "wait",
    ) -> None:
        """`chunk_size` in bytes, where the user has chosen one; 0: what is learnt.

        `provide` makes the provider of a product; `recognise`: the product is to be known by how the registry answers.
        `shared_by`: how many workers have the product's own limits together. `on_quota`: what is done where it counts the manifests that
        are read, and there may be no more of them for now.
        """
        self.client = client
        self._chosen_chunk_size = chunk_size
        if chunk_size:
            client.features.chunk_size = chunk_size
        self.name = client.host
        self.profile = profile
        self._shared_by = shared_by
        self._manifest_rate = Rate(profile.manifests_per_second / shared_by)
        self._learning = threading.Lock()
        self._provide = provide
        self._recognise = recognise
        self._provider: Provider | None = None
        #: whether digests in the product's lists are those of its manifests, as far as has been seen
        self._lists_are_right = True
        self._records: dict[str, RepositoryRecord] = {}
        #: whether this user may read the product's own lists
        self._may_list = True
        self._mounts_refused = 0
        self._mounts_granted = 0
        #: blobs that are there, as far as the product has been asked for several at once: repository and digest
        self._present: set[tuple[str, str]] = set()
        self._asks_for_blobs = provide is not None
        self._pulls = PullQuota(self.name, on_quota) if profile.counts_pulls else None
        if self._pulls is not None:
            client.count_pulls(self._pulls)
        self._kept = KeptManifests()
        #: digests below an index, as far as the product's lists tell, by repository and tag
        self._below: dict[tuple[str, str], tuple[str, ...]] = {}

    # -- what is there
    def check(self, writing: bool, new: bool = False) -> None:
        if writing:
            self.client.will_write()
        if not self._recognise:
            self._be_provided()
        self.client.ping()
        if self._recognise:
            self._recognise = False
            self.profile = recognise(self.client.greeting)
            self._manifest_rate = Rate(self.profile.manifests_per_second / self._shared_by)
            self._be_provided()

    def _be_provided(self) -> None:
        """Have a provider before the first request that needs to sign in: it may be the one who knows the credential."""
        if self._provide is not None:
            self._made_provider()

    @property
    def is_recognised(self) -> bool:
        return not self._recognise

    @property
    def provider(self) -> Provider:
        """What the product can do; made when it is wanted, for by then the product is known."""
        return self._made_provider()

    def _made_provider(self) -> Provider:
        with self._learning:
            if self._provider is None:
                if self._provide is None:
                    raise RuntimeError("this store was made without a provider")
                self._provider = self._provide(self.profile)
            return self._provider

    def expect(self, repositories: t.Sequence[str]) -> None:
        self.client.expect(repositories)

    def repositories(self) -> t.Iterator[str]:
        if self._provide is None:
            return self.client.repositories()
        return self._repositories()

    def _repositories(self) -> t.Iterator[str]:
        names = self._noted(self.provider.repositories())
        try:
            first = next(names, None)
        except (AccessDenied, AuthenticationFailed) as error:
            if isinstance(error, CatalogForbidden) or type(self.provider).repositories is Provider.repositories:
                raise
            self._without_lists(error)
            try:
                yield from self.client.repositories()
            except AuthenticationFailed:
                # the product knows best why
                raise error from None
            return
        if first is not None:
            yield first
        yield from names

    def _noted(self, records: t.Iterator[RepositoryRecord]) -> t.Iterator[str]:
        for record in records:
            self._records[record.name] = record
            yield record.name

    def record(self, repository: str) -> RepositoryRecord | None:
        return self._records.get(repository)

    def _without_lists(self, error: MigrationError) -> None:
        """The product's own lists are closed to this user: the distribution specification's do as well, with more requests."""
        with self._learning:
            if not self._may_list:
                return
            self._may_list = False
        self.client.transport.warnings.append(
            f"{self.profile.title}'s own lists cannot be read, so each tag is asked for, which takes longer. {error}"
        )

    def tags(self, repository: str) -> list[str]:
        records = self._tag_records(repository)
        return self.client.tags(repository) if records is None else [record.name for record in records]

    def listing(self, repository: str) -> Listing:
        records = self._tag_records(repository)
        if records is None:
            return Listing(self.client.tags(repository))
        # a tag that is moved while the pages of its list are read is on two of them
        known = {record.name: record for record in records}
        if self._lists_are_right:
            self._check_digests(repository, list(known.values()))
        if not self._lists_are_right:
            known = {name: dataclasses.replace(record, digest="") for name, record in known.items()}
        return Listing(list(known), known)

    def _tag_records(self, repository: str) -> t.Sequence[TagRecord] | None:
        """What the product's own list tells; None where there is none, or not for this user."""
        if self._provide is None or not self._may_list:
            return None
        try:
            records = self.provider.tags(repository)
            if self._pulls is not None:
                self._below.update(((repository, record.name), record.manifests) for record in records or () if record.manifests)
            return records
        except (AccessDenied, AuthenticationFailed) as error:
            self._without_lists(error)
            return None

    def _check_digests(self, repository: str, records: t.Sequence[TagRecord]) -> None:
        """Find out whether the registry gives the digests that the product's list gives, by the first few of a repository."""
        with_digests = [record for record in records if record.digest and not record.archived]
        for record in with_digests[:CHECKED_DIGESTS]:
            found = self.client.head_manifest(repository, record.name)
            if found is None or found.digest != record.digest:
                with self._learning:
                    first, self._lists_are_right = self._lists_are_right, False
                if first:
                    self.client.transport.warnings.append(
                        f"{self.name}/{repository}:{record.name} has another digest in {self.profile.title}'s list than at the registry: "
                        "the lists are not believed, and each tag is asked for."
                    )
                return

    def resolve(self, repository: str, reference: str) -> Descriptor | None:
        return self.client.head_manifest(repository, reference)

    def manifest(self, repository: str, reference: str) -> Manifest:
        if self._pulls is None:
            return self.client.get_manifest(repository, reference)
        digest = reference
        if not is_digest(reference):
            # this costs no pull, and tells whether those who ask are limited at all
            found = self.client.head_manifest(repository, reference)
            digest = found.digest if found is not None and self._pulls.is_limited else ""
        if not digest:
            return self.client.get_manifest(repository, reference)
        with self._kept.alone(digest):
            manifest = self._kept.get(digest)
            # what is kept has been somewhere once: that it is here is asked for, which costs no pull either
            if manifest is not None and (digest != reference or self.client.head_manifest(repository, digest) is not None):
                return manifest
            manifest = self.client.get_manifest(repository, digest)
            if self._pulls.is_limited:
                self._kept.put(digest, manifest)
        return manifest

    @property
    def pulls(self) -> PullQuota | None:
        return self._pulls

    def keep_notes(self, notes: Notes) -> None:
        self._kept.notes.add(notes)

    def unread(self, repository: str, reference: str, found: Descriptor) -> Unread:
        kept = self._kept.get(found.digest)
        if kept is not None:
            below = [(child.digest, child.media_type in INDEXES) for child in kept.children]
        else:
            below = [(digest, False) for digest in self._below.get((repository, reference), ())]
        digests = {found.digest, *(digest for digest, _is_index in below)}
        is_leaf = found.media_type not in INDEXES
        all_known = is_leaf or (bool(below or kept) and not any(is_index for _digest, is_index in below))
        return Unread(frozenset(digest for digest in digests if self._kept.get(digest) is None), all_known)

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        if self.client.features.referrers is None:
            # one asks whether there is such an API, the others wait for the answer
            with self._learning:
                return self.client.referrers(repository, digest)
        return self.client.referrers(repository, digest)

    def blob_size(self, repository: str, digest: str) -> int | None:
        return self.client.head_blob(repository, digest)

    def open_blob(self, repository: str, descriptor: Descriptor) -> BlobSource:
        return self.client.open_blob(repository, descriptor)

    # -- what is written
    def put_manifest(self, repository: str, manifest: Manifest, tags: t.Sequence[str] = ()) -> PutManifest:
        # one for each tag, and before that one with all of them where that has not been tried yet
        together = len(tags) > 1 and self.client.features.multi_tag is not False
        self._manifest_rate.take(max(1, len(tags)) + together)
        return self.client.put_manifest(repository, manifest, tags)

    def delete_manifest(self, repository: str, reference: str) -> bool:
        return self.client.delete_manifest(repository, reference)

    def learns_from(self, descriptor: Descriptor) -> bool:
        return self.client.features.single_post is None and 0 <= descriptor.size <= SMALL_BLOB

    def expect_blobs(self, repository: str, digests: t.Sequence[str]) -> None:
        for start in range(0, len(digests), _ASKED_AT_ONCE):
            if not self._asks_for_blobs:
                return
            try:
                found = self.provider.present(repository, digests[start : start + _ASKED_AT_ONCE])
            except (TooManyRequests, ConnectionFailed, ServerFailed):
                # whoever receives them asks for each
                return
            except MigrationError:
                found = None
            if found is None:
                self._asks_for_blobs = False
                return
            if len(self._present) > _KEPT_ANSWERS:
                self._present.clear()
            self._present.update((repository, digest) for digest in found)

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
        if not anew and (repository, descriptor.digest) in self._present:
            self._present.discard((repository, descriptor.digest))
            return Received("present")
        from_where = _Holder(holder, remembered)
        attempts = self.client.transport.options.attempts
        attempt = 1
        while True:
            chunk_size = self.client.features.chunk_size
            try:
                return self._receive(repository, descriptor, open_source, from_where, fresh and attempt == 1, anew)
            except ManifestTooLarge:
                # something has been learnt: that is no failed attempt
                if not self._take_smaller_chunks(descriptor.size, chunk_size):
                    raise
                continue
            except MigrationError as error:
                if attempt >= attempts or not self._may_repeat(error, attempt):
                    reason = self._reason(repository, error)
                    if reason is error:
                        raise
                    raise reason from error
            # the next attempt asks first whether the blob has arrived after all
            time.sleep(backoff(attempt))
            attempt += 1

    def _take_smaller_chunks(self, size: int, refused: int) -> bool:
        """A proxy in front limits the size of a request: have smaller ones sent. False where that would change nothing.

        `size` of the blob in bytes, `refused`: the size of the chunks that were too large (0: the whole blob was).
        """
        features = self.client.features
        with self._learning:
            if features.chunk_size != refused:
                # another worker was faster
                return True
            for smaller in _CHUNK_SIZES:
                if (not refused or smaller < refused) and not 0 <= size <= smaller:
                    features.chunk_size = smaller
                    return True
        return False

    def _reason(self, repository: str, error: MigrationError) -> MigrationError:
        """Why nothing can be uploaded: the product may know more than its refusal says."""
        if self._provider is None or not isinstance(error, AccessDenied):
            return error
        try:
            return self._provider.refused(repository, error)
        except MigrationError:
            # the question has failed, and the refusal stands
            return error

    def _may_repeat(self, error: MigrationError, attempt: int) -> bool:
        if isinstance(error, RegistryError) and (_LOST_SESSION.intersection(error.codes) or error.status in (404, 416)):
            return True
        if isinstance(error, DigestMismatch):
            # bits that flipped on the way deserve a second chance, a blob that is corrupt at the source no third
            return attempt == 1
        return error.transient

    def _receive(
        self, repository: str, descriptor: Descriptor, open_source: t.Callable[[], BlobSource], holder: _Holder, fresh: bool, anew: bool
    ) -> Received:
        client, features = self.client, self.client.features
        upload: Upload | None = None
        if not anew:
            whole = not holder.repository and descriptor.size >= 0 and not self._is_sent_in_chunks(descriptor.size)
            small = whole and descriptor.size <= SMALL_BLOB
            if features.single_post and (small or (fresh and whole)):
                return self._post(repository, descriptor, open_source)
            if small and features.single_post is None and self._learning.acquire(blocking=False):
                # one small blob teaches whether the registry knows this form; at the worst its bytes are sent twice
                try:
                    if features.single_post is None:
                        return self._post(repository, descriptor, open_source)
                finally:
                    self._learning.release()
            found, upload = self._mount(repository, descriptor.digest, holder)
            if found is not None:
                return found
        if upload is None:
            upload = client.start_upload(repository)
        return self._send(repository, descriptor, upload, open_source)

    def _mount(self, repository: str, digest: str, holder: _Holder) -> tuple[Received | None, Upload | None]:
        """Have the blob mounted, or found in its place: with no holder known, the repository itself is named as the holder."""
        features = self.client.features
        if holder.repository and holder.repository != repository and features.mount is not False:
            try:
                upload = self.client.mount(repository, digest, holder.repository)
            except (ConnectionFailed, RegistryReadOnly, TooManyRequests):
                raise
            except MigrationError:
                # a refused mount is no refused upload: if anything else is wrong, that will say so
                self._count_mount(False, holder)
                return None, None
            self._count_mount(upload is None, holder)
            if upload is not None:
                return None, upload
            if self.profile.head_after_mount and self.client.head_blob(repository, digest) is None:
                return None, None
            return Received("mounted"), None
        if features.self_mount is False:
            try:
                there = self.client.head_blob(repository, digest) is not None
            except ServerFailed:
                # a disk that was full leaves half of an entry behind, over which the registry stumbles until the blob is sent anew
                there = False
            return (Received("present"), None) if there else (None, None)
        try:
            upload = self.client.mount(repository, digest, repository)
        except (BlobUnknown, DigestMismatch, RegistryError, UnsupportedManifest):
            # this registry does not take the question in this form: ask in the plain one from now on
            features.self_mount = False
            return self._mount(repository, digest, _Holder())
        except AccessDenied:
            # to write at all, or to ask in this form: an upload tells, and is needed anyway if it is the form
            upload = self.client.start_upload(repository)
            features.self_mount = False
            return None, upload
        return (Received("present"), None) if upload is None else (None, upload)

    def _count_mount(self, granted: bool, holder: _Holder) -> None:
        if granted:
            self._mounts_granted += 1
            self.client.features.mount = True
        elif not holder.remembered:
            # what was there in an earlier run may be gone: that says nothing of the registry
            self._mounts_refused += 1
            if self._mounts_refused >= _REFUSED_MOUNTS and not self._mounts_granted:
                self.client.features.mount = False
                self.mounts = False

    def _post(self, repository: str, descriptor: Descriptor, open_source: t.Callable[[], BlobSource]) -> Received:
        """Send a blob in the one POST that newer registries take; the session that others open instead is used."""
        if descriptor.size <= BUFFERED:
            data = _read_whole(open_source, self.client.transport.bandwidth)
            upload = self.client.post_blob(repository, descriptor.digest, data, len(data))
            if upload is not None:
                self._put_bytes(repository, descriptor, upload, data)
            return Received("uploaded", len(data))
        source = _OpenedLate(open_source, self.client.transport.bandwidth, descriptor)
        try:
            upload = self.client.post_blob(repository, descriptor.digest, source, descriptor.size)
        finally:
            source.close()
        return Received("uploaded", source.received) if upload is None else self._send(repository, descriptor, upload, open_source)

    def _put_bytes(self, repository: str, descriptor: Descriptor, upload: Upload, data: bytes) -> None:
        if self._is_sent_in_chunks(len(data)):
            self.client.put_blob_in_chunks(repository, upload, descriptor.digest, [data], self.client.features.chunk_size)
        else:
            self.client.put_blob(repository, upload, descriptor.digest, data, len(data))

    def _is_sent_in_chunks(self, size: int) -> bool:
        return 0 < self.client.features.chunk_size < size

    def _send(self, repository: str, descriptor: Descriptor, upload: Upload, open_source: t.Callable[[], BlobSource]) -> Received:
        if 0 <= descriptor.size <= BUFFERED:
            data = _read_whole(open_source, self.client.transport.bandwidth)
            self._put_bytes(repository, descriptor, upload, data)
            return Received("uploaded", len(data))
        source = _OpenedLate(open_source, self.client.transport.bandwidth, descriptor)
        try:
            if descriptor.size < 0 or self._is_sent_in_chunks(descriptor.size):
                self.client.put_blob_in_chunks(repository, upload, descriptor.digest, source, self.client.features.chunk_size or CHUNK)
            else:
                self.client.put_blob(repository, upload, descriptor.digest, source, descriptor.size)
            return Received("uploaded", source.received)
        finally:
            source.close()

    # -- bookkeeping
    @property
    def places(self) -> int:
        return self.client.transport.limits(self.client.origin).gate.maximum

    @property
    def requests(self) -> int:
        return self.client.transport.requests

    @property
    def warnings(self) -> list[str]:
        return self.client.transport.warnings

    def features(self) -> dict[str, t.Any]:
        # whether mounts are granted is found out anew in each run: refusals may have had reasons that are gone
        known = {name: value for name, value in self.client.features.as_dict().items() if name != "mount"}
        if known.get("chunk_size") == self._chosen_chunk_size:
            # what the user has chosen holds while it is chosen
            known.pop("chunk_size", None)
        return {**known, "one_scope_a_token": self.client.one_scope_a_token, "doubted": self.client.doubted}

    def remember(self, features: t.Mapping[str, t.Any]) -> None:
        self.client.remember(features)

    def close(self) -> None:
        if self._provider is not None:
            self._provider.close()
        self.client.close()


class _OpenedLate:
    """A blob that is opened when its first bytes are wanted: by then the place at the destination is taken (see Gate).

    Its bytes are as many as its descriptor says, which the request has announced, or DigestMismatch is raised: what went beyond would be
    read as the next request.
    """

    def __init__(self, open_source: t.Callable[[], BlobSource], bandwidth: Rate, descriptor: Descriptor) -> None:
        self._open_source = open_source
        self._bandwidth = bandwidth
        self._descriptor = descriptor
        self._source: BlobSource | None = None

    def __iter__(self) -> t.Iterator[bytes]:
        self._source = self._open_source()
        pieces = _paced(self._source, self._bandwidth)
        return pieces if self._descriptor.size < 0 else self._counted(pieces)

    def _counted(self, pieces: t.Iterator[bytes]) -> t.Iterator[bytes]:
        left = self._descriptor.size
        for data in pieces:
            left -= len(data)
            if left < 0:
                break
            yield data
        if left:
            raise DigestMismatch(
                f"has {'more' if left < 0 else 'fewer'} bytes than the {self._descriptor.size} that its manifest says.",
                subject=self._descriptor.digest,
                hint="The image is broken at the source: push it again, or leave it out.",
            )

    @property
    def received(self) -> int:
        """Bytes that have come so far."""
        return self._source.received if self._source else 0

    def close(self) -> None:
        """Give back what is held, if it was opened at all."""
        if self._source is not None:
            self._source.close()


def _read_whole(open_source: t.Callable[[], BlobSource], bandwidth: Rate) -> bytes:
    source = open_source()
    try:
        return b"".join(_paced(source, bandwidth))
    finally:
        source.close()


def _paced(source: BlobSource, bandwidth: Rate) -> t.Iterator[bytes]:
    """The bytes of a source, no faster than the run may move them; those of a registry come at that pace already."""
    if isinstance(source, BlobReader):
        return iter(source)
    return _slowed(source, bandwidth)


def _slowed(source: t.Iterable[bytes], bandwidth: Rate) -> t.Iterator[bytes]:
    for data in source:
        bandwidth.take(len(data))
        yield data

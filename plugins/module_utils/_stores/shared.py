# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""One source for several runs: each question is asked once, each manifest and blob is read once, whatever the number of destinations."""

from __future__ import annotations

import collections
import copy
import dataclasses
import functools
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobSource, checked
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import PutManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ManifestUnknown, MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, Manifest, parse_manifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.pulls import PullQuota
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import RepositoryRecord
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Listing, Notes, Received, Store, Unread
from ansible_collections.registryops.migration.plugins.module_utils._stores.registry import BUFFERED
from ansible_collections.registryops.migration.plugins.module_utils._stores.spool import Content, Key, Meta, NoRoom, Spool

#: names, descriptors and the like that are kept for those who have not asked yet
MOST_ANSWERS = 50_000

_Answer = t.TypeVar("_Answer")


@dataclasses.dataclass(eq=False)
class _Question:
    """A question that has been asked. `asked_by`: a bit for each of those who got the answer; `weight`: what it counts as."""

    answered: threading.Condition | None
    asked_by: int = 0
    weight: int = 0
    answer: t.Any = None
    error: BaseException | None = None


class _Questions:
    """Answers that several askers share. An answer is forgotten when all of them have it, or when there are too many."""

    def __init__(self, askers: int) -> None:
        self._everybody = (1 << askers) - 1
        self._finished = 0
        self._lock = threading.Lock()
        self._asked: collections.OrderedDict[Key, _Question] = collections.OrderedDict()
        self._weight = 0

    def ask(self, asker: int, key: Key, ask: t.Callable[[], _Answer], weight: t.Callable[[_Answer], int] = lambda answer: 1) -> _Answer:
        """What `ask` returns or raises; only one of those who have the same question at a time calls it."""
        with self._lock:
            question = self._asked.get(key)
            mine = question is None
            if question is None:
                question = self._asked[key] = _Question(threading.Condition(self._lock))
        if mine:
            self._have_answered(key, question, ask, weight)
        with self._lock:
            while question.answered is not None:
                question.answered.wait()
            if question.error is None:
                question.asked_by |= 1 << asker
                if question.asked_by | self._finished == self._everybody:
                    self._forget(key, question)
        if question.error is not None:
            # whoever catches it may change it
            raise copy.copy(question.error) if isinstance(question.error, MigrationError) else question.error
        return t.cast(_Answer, question.answer)

    def _have_answered(self, key: Key, question: _Question, ask: t.Callable[[], _Answer], weight: t.Callable[[_Answer], int]) -> None:
        error: BaseException | None = None
        answer = None
        try:
            answer = ask()
        except BaseException as raised:  # noqa: BLE001 - whatever it is, those who wait have to know
            error = raised
        with self._lock:
            question.answer, question.error = answer, error
            if error is not None:
                self._forget(key, question)
            else:
                question.weight = weight(t.cast(_Answer, answer))
                self._weight += question.weight
                self._make_room(question)
            waiting, question.answered = question.answered, None
            if waiting is not None:
                waiting.notify_all()

    def peek(self, key: Key) -> t.Any:
        """The answer, if somebody has it; nobody counts as having asked."""
        with self._lock:
            question = self._asked.get(key)
            return question.answer if question else None

    def wait_for(self, key: Key) -> None:
        """If the question is being asked, wait until it is answered."""
        with self._lock:
            question = self._asked.get(key)
            while question is not None and question.answered is not None:
                question.answered.wait()

    def finished(self, asker: int) -> None:
        """One of them asks nothing any more."""
        with self._lock:
            self._finished |= 1 << asker
            for key, question in list(self._asked.items()):
                if question.asked_by | self._finished == self._everybody and question.answered is None:
                    self._forget(key, question)

    def _make_room(self, newest: _Question) -> None:
        if self._weight <= MOST_ANSWERS:
            return
        for key, question in list(self._asked.items()):
            if question is not newest and question.answered is None:
                self._forget(key, question)
                if self._weight <= MOST_ANSWERS // 2:
                    return

    def _forget(self, key: Key, question: _Question) -> None:
        if self._asked.get(key) is question:
            del self._asked[key]
            self._weight -= question.weight


class SharedSource:
    """What several runs share: the source, its answers, and the spool. `views[n]` is the source of run n."""

    def __init__(self, source: Store, runs: int, folder: str, capacity: int) -> None:
        self.source = source
        self.spool = Spool(folder, capacity, runs)
        self.questions = _Questions(runs)
        self.views = [View(self, number) for number in range(runs)]
        self._expected: set[str] = set()
        self._knows: bool = False
        self._lock = threading.Lock()

    @property
    def read_again(self) -> int:
        """Manifests and blobs that have been read once more than necessary, for want of room."""
        return self.spool.read_again

    def served(self, number: int, destination: Store) -> Store:
        """The destination of run `number`, which tells what it has got."""
        return _Served(destination, lambda descriptor: self.spool.has(number, _blob_key(descriptor)))

    def expect(self, repositories: t.Sequence[str]) -> None:
        """Say which repositories are going to be used, if any of them is new."""
        with self._lock:
            if not self._expected.issuperset(repositories):
                self._expected.update(repositories)
                self.source.expect(repositories)

    def remember(self, features: t.Mapping[str, t.Any]) -> None:
        """Take over what the first ledger that knows anything says of the source."""
        with self._lock:
            known, self._knows = self._knows, self._knows or bool(features)
        if not known:
            self.source.remember(features)

    def open_blob(self, number: int, repository: str, descriptor: Descriptor) -> BlobSource:
        """A blob for one of the runs: from the spool, or into it, or past it where there is no room."""
        if self.source.is_local:
            return self.source.open_blob(repository, descriptor)
        if 0 <= descriptor.size <= BUFFERED:
            data, _unused = self.spool.whole(number, _blob_key(descriptor), repository, lambda: (self._read(repository, descriptor), ()))
            return _InMemory(data, descriptor, self.subject(repository, descriptor.digest))
        if self.spool.is_alone(number) and not self.spool.holds(_blob_key(descriptor)):
            # nobody else is going to want it
            return _Direct(self.source.open_blob(repository, descriptor))
        return _Spooled(self, repository, descriptor)

    def _read(self, repository: str, descriptor: Descriptor) -> bytes:
        source = self.source.open_blob(repository, descriptor)
        try:
            return b"".join(source)
        finally:
            source.close()

    def manifest(self, number: int, repository: str, reference: str) -> Manifest:
        """A manifest, from the spool if one of the runs has read it, be it by its tag or by its digest."""
        if is_digest(reference):
            return self._manifest_by_digest(number, repository, reference)
        resolved: Descriptor | None = self.questions.peek(("resolve", repository, reference))
        digest = resolved.digest if resolved else self._digest_of(number, repository, reference)
        try:
            return self._manifest_by_digest(number, repository, digest)
        except ManifestUnknown:
            # the tag has moved since, and what it was is gone
            return self.source.manifest(repository, reference)

    def _manifest_by_digest(self, number: int, repository: str, digest: str) -> Manifest:
        def read() -> tuple[bytes, Meta]:
            return _as_content(self.source.manifest(repository, digest))

        key = ("manifest", repository, digest)
        data, (media_type, digest, made_from) = self.spool.whole(number, key, repository, read, lingers=True)
        manifest = parse_manifest(data, media_type, digest, where=self.subject(repository, digest))
        return dataclasses.replace(manifest, made_from=made_from) if made_from else manifest

    def _digest_of(self, number: int, repository: str, tag: str) -> str:
        """The digest of a tag that nobody has resolved so far: its manifest is read, and put into the spool."""

        def read() -> str:
            # whoever resolves the tag from now on waits for this one, see View.resolve
            resolved: Descriptor | None = self.questions.peek(("resolve", repository, tag))
            if resolved:
                return resolved.digest
            manifest = self.source.manifest(repository, tag)
            self.spool.put(("manifest", repository, manifest.source_digest), repository, *_as_content(manifest))
            return manifest.source_digest

        return self.questions.ask(number, ("tag", repository, tag), read)

    def subject(self, repository: str, reference: str) -> str:
        """How messages call something at the source."""
        return f"{self.source.name}/{repository}{'@' if ':' in reference else ':'}{reference}"

    def finished(self, number: int) -> None:
        """A run has come to its end, one way or another: nothing is kept for it."""
        self.questions.finished(number)
        self.spool.finished(number)

    def close(self) -> None:
        """Give the spool back; the source is whoever's it was."""
        self.spool.close()


def _blob_key(descriptor: Descriptor) -> Key:
    # the size is part of it, so that a manifest with a wrong one harms itself alone
    return descriptor.digest, descriptor.size


def _as_content(manifest: Manifest) -> tuple[bytes, Meta]:
    return manifest.data, (manifest.media_type, manifest.digest, manifest.made_from)


class _InMemory:
    """A blob that has been read."""

    def __init__(self, data: bytes, descriptor: Descriptor, subject: str) -> None:
        self._data = data
        self._digest = descriptor.digest
        self._subject = subject
        self.size = len(data)
        self.received = 0

    def __iter__(self) -> t.Iterator[bytes]:
        self.received = len(self._data)
        return checked([self._data] if self._data else [], self._digest, self._subject)

    def close(self) -> None:
        """Nothing is held."""


class _Direct:
    """A blob from the source, past the spool. It paces nothing at the destination, unlike one that a single run reads."""

    def __init__(self, source: BlobSource, skip: int = 0) -> None:
        self._source = source
        self._skip = skip
        self.size = source.size
        self.received = 0

    def __iter__(self) -> t.Iterator[bytes]:
        for data in self._source:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            if len(data) > skipped:
                self.received += len(data) - skipped
                yield data[skipped:]

    def close(self) -> None:
        """Give the connection back."""
        self._source.close()


class _Spooled:
    """A blob that is read from the spool while it comes there. Where that ends early, another way is taken from the same place on."""

    def __init__(self, shared: SharedSource, repository: str, descriptor: Descriptor) -> None:
        self._shared = shared
        self._repository = repository
        self._descriptor = descriptor
        self._subject = shared.subject(repository, descriptor.digest)
        self._content: Content | None = None
        self._direct: _Direct | None = None
        self.size = descriptor.size
        self.received = 0
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Join those who read this blob, or read it alone."""
        shared = self._shared
        while self._direct is None:
            content = shared.spool.join(_blob_key(self._descriptor), self._repository, self._descriptor.size, self._open)
            if content is None:
                self._read_alone()
                return
            self._content = content
            try:
                shared.spool.wait_until_open(content)
            except NoRoom:
                self._read_alone()
            except MigrationError:
                if not self._may_go_elsewhere(content):
                    raise
            else:
                self.size = content.size
                return

    def _open(self) -> BlobSource:
        return self._shared.source.open_blob(self._repository, self._descriptor)

    def _read_alone(self) -> None:
        self._leave()
        self._shared.spool.read_directly(_blob_key(self._descriptor))
        self._direct = _Direct(self._open(), self.received)
        self.size = self._direct.size

    def _may_go_elsewhere(self, content: Content) -> bool:
        """Whether the blob could still be had: what failed was read from another repository."""
        self._leave()
        return content.origin != self._repository

    def __iter__(self) -> t.Iterator[bytes]:
        return checked(self._pieces(), self._descriptor.digest, self._subject)

    def _pieces(self) -> t.Iterator[bytes]:
        while self._direct is None and self._content is not None:
            content = self._content
            try:
                data = self._shared.spool.read(content, self.received)
            except NoRoom:
                self._read_alone()
                continue
            except MigrationError:
                if not self._may_go_elsewhere(content):
                    raise
                self._begin()
                continue
            if not data:
                return
            self.received += len(data)
            yield data
        for data in self._direct or ():
            self.received += len(data)
            yield data

    def _leave(self) -> None:
        content, self._content = self._content, None
        if content is not None:
            self._shared.spool.release(content)

    def close(self) -> None:
        """Say that nothing more is read."""
        self._leave()
        if self._direct is not None:
            self._direct.close()


class Wrapped(Store):
    """A store that hands everything on to another one; those below change a part of it."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.name = inner.name
        self.connect_to = inner.connect_to
        self.profile = inner.profile
        self.mounts = inner.mounts
        self.keeps_manifests = inner.keeps_manifests
        self.is_local = inner.is_local
        self.brings_blobs = inner.brings_blobs

    def check(self, writing: bool, new: bool = False) -> None:
        self._inner.check(writing, new)
        # it may have been recognised on the way
        self.profile = self._inner.profile

    @property
    def holds_platform(self) -> str:
        return self._inner.holds_platform

    @property
    def holds_referrers(self) -> bool:
        return self._inner.holds_referrers

    @property
    def is_recognised(self) -> bool:
        return self._inner.is_recognised

    @property
    def provider(self) -> Provider | None:
        return self._inner.provider

    def expect(self, repositories: t.Sequence[str]) -> None:
        self._inner.expect(repositories)

    def repositories(self) -> t.Iterator[str]:
        return self._inner.repositories()

    def record(self, repository: str) -> RepositoryRecord | None:
        return self._inner.record(repository)

    def tags(self, repository: str) -> list[str]:
        return self._inner.tags(repository)

    def listing(self, repository: str) -> Listing:
        return self._inner.listing(repository)

    def expect_blobs(self, repository: str, digests: t.Sequence[str]) -> None:
        self._inner.expect_blobs(repository, digests)

    def converts(self, media_type: str) -> bool:
        return self._inner.converts(media_type)

    def keep_notes(self, notes: Notes) -> None:
        self._inner.keep_notes(notes)

    def resolve(self, repository: str, reference: str) -> Descriptor | None:
        return self._inner.resolve(repository, reference)

    def manifest(self, repository: str, reference: str) -> Manifest:
        return self._inner.manifest(repository, reference)

    def sketch(self, repository: str, reference: str) -> Manifest:
        return self._inner.sketch(repository, reference)

    def created(self, repository: str, reference: str) -> str:
        return self._inner.created(repository, reference)

    @property
    def pulls(self) -> PullQuota | None:
        return self._inner.pulls

    def unread(self, repository: str, reference: str, found: Descriptor) -> Unread:
        return self._inner.unread(repository, reference, found)

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        return self._inner.referrers(repository, digest)

    def blob_size(self, repository: str, digest: str) -> int | None:
        return self._inner.blob_size(repository, digest)

    def open_blob(self, repository: str, descriptor: Descriptor) -> BlobSource:
        return self._inner.open_blob(repository, descriptor)

    def learns_from(self, descriptor: Descriptor) -> bool:
        return self._inner.learns_from(descriptor)

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
        return self._inner.receive_blob(repository, descriptor, open_source, holder=holder, remembered=remembered, fresh=fresh, anew=anew)

    def put_manifest(self, repository: str, manifest: Manifest, tags: t.Sequence[str] = ()) -> PutManifest:
        return self._inner.put_manifest(repository, manifest, tags)

    @property
    def deletes_by_tag(self) -> bool:
        return self._inner.deletes_by_tag

    def delete_manifest(self, repository: str, reference: str) -> bool:
        return self._inner.delete_manifest(repository, reference)

    @property
    def places(self) -> int:
        return self._inner.places

    @property
    def requests(self) -> int:
        return self._inner.requests

    def features(self) -> dict[str, t.Any]:
        return self._inner.features()

    def remember(self, features: t.Mapping[str, t.Any]) -> None:
        self._inner.remember(features)

    @property
    def warnings(self) -> list[str]:
        return self._inner.warnings

    def finish(self) -> None:
        self._inner.finish()

    def close(self) -> None:
        self._inner.close()


class View(Wrapped):
    """The shared source as one of the runs sees it."""

    def __init__(self, shared: SharedSource, number: int) -> None:
        super().__init__(shared.source)
        self._shared = shared
        self._number = number
        self._ask = functools.partial(shared.questions.ask, number)

    def check(self, writing: bool, new: bool = False) -> None:
        """Whoever shares it has done so."""

    def expect(self, repositories: t.Sequence[str]) -> None:
        self._shared.expect(repositories)

    def repositories(self) -> t.Iterator[str]:
        names: list[str] = self._ask(("repositories",), lambda: list(self._inner.repositories()), len)
        return iter(names)

    def tags(self, repository: str) -> list[str]:
        return self.listing(repository).tags

    def listing(self, repository: str) -> Listing:
        return self._ask(
            ("listing", repository), lambda: self._inner.listing(repository), lambda found: len(found.tags) + 4 * len(found.records)
        )

    def record(self, repository: str) -> RepositoryRecord | None:
        return self._inner.record(repository)

    def resolve(self, repository: str, reference: str) -> Descriptor | None:
        found = self._ask(("resolve", repository, reference), lambda: self._inner.resolve(repository, reference), lambda found: 4)
        # what is being read by its tag need not be read by its digest as well
        self._shared.questions.wait_for(("tag", repository, reference))
        return found

    def manifest(self, repository: str, reference: str) -> Manifest:
        return self._shared.manifest(self._number, repository, reference)

    def sketch(self, repository: str, reference: str) -> Manifest:
        # what nobody has to make is read once for all of them
        return self._inner.sketch(repository, reference) if self._inner.brings_blobs else self.manifest(repository, reference)

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        key = ("referrers", repository, digest)
        return self._ask(key, lambda: self._inner.referrers(repository, digest), lambda found: 4 * len(found or ()) + 1)

    def open_blob(self, repository: str, descriptor: Descriptor) -> BlobSource:
        return self._shared.open_blob(self._number, repository, descriptor)

    @property
    def requests(self) -> int:
        # they are those of all runs: only the first counts them, so that sums are right
        return 0 if self._number else self._inner.requests

    def remember(self, features: t.Mapping[str, t.Any]) -> None:
        self._shared.remember(features)

    def close(self) -> None:
        """The source stays open for the others."""


class _Served(Wrapped):
    """A destination that says which blobs it has got."""

    def __init__(self, inner: Store, got: t.Callable[[Descriptor], None]) -> None:
        super().__init__(inner)
        self._got = got

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
        received = super().receive_blob(repository, descriptor, open_source, holder=holder, remembered=remembered, fresh=fresh, anew=anew)
        self._got(descriptor)
        return received

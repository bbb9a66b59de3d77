# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The engine: carries out a plan.

For each tag: its manifest is read (children too), its blobs are brought into the repository, then its children are put, then it
is put itself, under its tag last. So a tag never points at something incomplete. All steps of all tags are tasks of one
scheduler; a step is submitted when the last thing that it waits for is there.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import threading
import typing as t
from http import HTTPStatus

from ansible_collections.registryops.migration.plugins.module_utils._copying.blobs import BlobPlan, Holders, Need, open_source
from ansible_collections.registryops.migration.plugins.module_utils._copying.images import check_nesting, chosen_children, wanted_form
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger, TagRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan import MOVING, PlanRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.referrers import fallback_index, with_referrer
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Policy
from ansible_collections.registryops.migration.plugins.module_utils._copying.scheduler import Scheduler, threads
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import PutManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import fallback_tag
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AuthenticationFailed,
    ManifestBlobUnknown,
    MigrationError,
    PullsUsedUp,
    RegistryError,
    ServerFailed,
    SourceMoved,
    StateError,
    TagConflict,
    TagImmutable,
    UnsupportedManifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, Manifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store

#: tags that are under way at the same time, and the bytes of their manifests: what bounds the engine's memory
OPEN_TAGS = 1000
OPEN_BYTES = 32 << 20
_CONVERT_SCHEMA1 = "Many registries take none any more: set convert.schema1 to docker or oci, or leave it out."
_CONVERT_OCI = "If it takes no OCI manifests, set convert.oci to docker."
_PUT, _FETCH_CHILD, _FETCH = (0, 0), (2, 0), (2, 1)
#: manifests whose reading brings blobs along: those that are here are moved on before more of them come
_FETCH_WITH_BLOBS = (4, 0)

Done = t.Callable[[t.Optional[MigrationError]], None]
#: seconds that what is under way has to come to its end when the ledger cannot be written any more
_LEDGER_PATIENCE = 6.0


@dataclasses.dataclass
class _Content:
    """A manifest on its way into a repository: what it still waits for, and who waits for it."""

    unmet: int = 0
    size: int = 0
    settled: bool = False
    error: MigrationError | None = None
    waiters: list[Done] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class _Repository:
    """A repository of the destination while tags of it are under way: its `users` are these, and the reader of the plan."""

    name: str
    fresh: bool
    blobs: dict[str, _Content] = dataclasses.field(default_factory=dict)
    children: dict[str, _Content] = dataclasses.field(default_factory=dict)
    roots: dict[str, _Content] = dataclasses.field(default_factory=dict)
    ready: dict[str, list[_Job]] = dataclasses.field(default_factory=dict)
    brought: list[tuple[str, str, int]] = dataclasses.field(default_factory=list)
    #: digests whose referrers have been asked for
    subjects: set[str] = dataclasses.field(default_factory=set)
    #: digests that are being put, and those that the registry looks for meanwhile, since what is being put names them
    placing: set[str] = dataclasses.field(default_factory=set)
    looked_for: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    users: int = 0


@dataclasses.dataclass
class _Job:
    """One row of the plan under way."""

    row: PlanRow
    repository: _Repository
    #: a referrer of a tag that was in the plan
    follows: bool = False
    #: its tag came to be at the destination after the plan was made, and stays as it is
    kept: bool = False
    manifest: Manifest | None = None
    source_digest: str = ""
    size: int = 0

    @property
    def content(self) -> Manifest:
        """The manifest, which has been read when anything else is done with the job."""
        if self.manifest is None:
            raise RuntimeError("a job goes on only with its manifest")
        return self.manifest


class Progress(t.Protocol):
    """Who wants to know how far a run is."""

    def finished(self, row: TagRow) -> None:
        """A tag is done, one way or another."""


class Engine:
    """Carries out plans from one store to another."""

    def __init__(
        self,
        source: Store,
        destination: Store,
        policy: Policy,
        ledger: Ledger,
        progress: Progress,
        pinned: bool = False,
        holders: Holders | None = None,
    ) -> None:
        self._source = source
        self._destination = destination
        self._policy = policy
        self._ledger = ledger
        self._progress = progress
        self._pinned = pinned
        self._lock = threading.RLock()
        self._window = threading.Condition(self._lock)
        self._placed = threading.Condition(self._lock)
        self._open_tags = 0
        self._open_bytes = 0
        self._scheduler = Scheduler(threads(policy.workers, source, destination))
        self._blobs = BlobPlan(source, destination, ledger, self._scheduler, self._lock, Holders() if holders is None else holders)
        self._repositories: dict[str, _Repository] = {}
        self._subject_locks: collections.defaultdict[str, threading.Lock] = collections.defaultdict(threading.Lock)
        self._reading: _Repository | None = None
        self._aborted = False
        #: manifests that are being read, or wait for it, and whether all rows have been begun
        self._unread = 0
        self._has_read_on = False
        #: referrers that were found on the way
        self._followers = 0
        #: how many rows of the plan are done, one way or another
        self.ended = 0
        #: rows that failed, also those of referrers
        self.failed: list[PlanRow] = []
        #: the first row of the plan for which there was no pull left, and the error that says so: no row is begun after it
        self.without_pulls: tuple[PlanRow, PullsUsedUp] | None = None
        self.totals = self._blobs.totals
        #: whether a manifest has been put
        self.wrote = False

    def run(self, rows: t.Iterable[PlanRow]) -> bool:
        """Carry the rows out that move something; False if it stopped before the end because of the error policy."""
        try:
            for row in rows:
                if row.action in MOVING and not self._start(row):
                    break
            self._read_on(None)
            self._has_read_on = True
            self._scheduler.wait()
        finally:
            self._scheduler.close()
        return not self._begins_no_more

    @property
    def _begins_no_more(self) -> bool:
        return self._aborted or self.without_pulls is not None

    def stop(self, patience: float) -> None:
        """Begin nothing more, as if something had failed for good; what is under way has so many seconds to come to its end."""
        with self._window:
            self._aborted = True
            self._scheduler.stop(patience)
            self._window.notify()

    def progress(self) -> dict[str, t.Any]:
        """How far it is: blobs that are moving, bytes moved and to be moved as far as that is known, referrers that were found."""
        with self._lock:
            blobs, under_way = self._blobs.moving
            return {
                "followers": self._followers,
                "blobs_moving": blobs,
                "bytes_done": self.totals.bytes + under_way,
                "bytes_total": self._blobs.expected,
                "bytes_total_known": self._has_read_on and not self._unread,
            }

    def _submit_fetch(self, urgency: tuple[int, int], fetch: t.Callable[[], None]) -> None:
        """Have a manifest read."""

        def read() -> None:
            try:
                fetch()
            finally:
                with self._lock:
                    self._unread -= 1

        with self._lock:
            self._unread += 1
        self._scheduler.submit(urgency, read)

    # -- the window
    def _start(self, row: PlanRow) -> bool:
        with self._window:
            while not self._begins_no_more and (self._open_tags >= OPEN_TAGS or (self._open_tags and self._open_bytes >= OPEN_BYTES)):
                # the scheduler's own errors end the wait below, so this one looks up now and then
                self._window.wait(0.5)
                self._scheduler.check()
            if self._begins_no_more:
                return False
            self._open_tags += 1
            repository = self._repositories.setdefault(row.repository, _Repository(row.repository, row.fresh))
            repository.users += 1
            self._read_on(repository)
        job = _Job(row, repository)
        urgency = _FETCH_WITH_BLOBS if self._source.brings_blobs else _FETCH
        self._submit_fetch(urgency, lambda: self._attempt(job, self._fetch))
        return True

    def _read_on(self, repository: _Repository | None) -> None:
        """The plan is being read in this repository now: what is known of it is kept until its last row has been read."""
        with self._lock:
            before, self._reading = self._reading, repository
            if repository is before:
                return
            if repository is not None:
                repository.users += 1
            if before is not None:
                self._leave(before)

    def _leave(self, repository: _Repository) -> None:
        repository.users -= 1
        if not repository.users:
            del self._repositories[repository.name]
            self._blobs.leave(repository.name)

    def _attempt(self, job: _Job, step: t.Callable[[_Job], None]) -> None:
        """Run a step of a job; an error that it raises is the end of the job."""
        try:
            step(job)
        except MigrationError as error:
            self._end(job, error)

    # -- manifests
    def _fetch(self, job: _Job) -> None:
        row = job.row
        manifest = self._source.manifest(row.source_repository, row.source_reference)
        job.source_digest = manifest.source_digest
        if row.digest and job.source_digest != row.digest and self._pinned:
            raise SourceMoved(
                f"had the digest {row.digest} when the plan was made, and has {job.source_digest} now.",
                subject=f"{self._source.name}/{row.source_repository}:{row.source_tag}",
                hint="Make the plan anew.",
            )
        manifest = wanted_form(manifest, self._policy)
        with self._lock:
            job.manifest = manifest
            self._open_bytes += manifest.size
        if self._pinned and self._is_there(row, manifest) and row.existing != manifest.digest:
            if self._policy.referrers:
                # the tag may have been put by a run that came no further
                self._copy_referrers(job, manifest)
            self._end(job, None, "unchanged")
            return
        self._expect_blobs(job, manifest)
        with self._lock:
            contents = job.repository.roots
            content = contents.get(manifest.digest)
            first = content is None or content.error is not None
            if content is None or first:
                content = contents[manifest.digest] = _Content()
            filled = content
            self._wait_for(filled, lambda error: self._ready(job, filled, error))
            if first:
                self._fill(content, manifest, job, 0)

    def _expect_blobs(self, job: _Job, manifest: Manifest) -> None:
        """Say which blobs of a manifest are going to be sent. The lock is not held, for this may cost a request."""
        repository = job.repository
        if repository.fresh:
            # there is nothing in it
            return
        with self._lock:
            unknown = list(dict.fromkeys(blob.digest for blob in manifest.blobs if blob.digest not in repository.blobs))
        if unknown:
            self._destination.expect_blobs(repository.name, unknown)

    def _is_there(self, row: PlanRow, manifest: Manifest) -> bool:
        """Whether a row of a saved plan has been carried out already; TagConflict if the destination is not what it was made for."""
        found = self._destination.resolve(row.repository, row.key)
        digest = found.digest if found else ""
        if row.tag and digest not in (row.existing, manifest.digest):
            raise TagConflict(
                "has been changed at the destination since the plan was made.",
                subject=f"{self._destination.name}/{row.repository}:{row.tag}",
                hint="Make the plan anew.",
            )
        return digest == manifest.digest

    def _wait_for(self, content: _Content, done: Done) -> None:
        """Have `done` called when the content is settled, at once if it is already. The lock is held."""
        if content.settled:
            done(content.error)
        else:
            content.waiters.append(done)

    def _settle(self, content: _Content, error: MigrationError | None) -> None:
        with self._lock:
            content.settled, content.error = True, error
            waiters, content.waiters = content.waiters, []
            for done in waiters:
                done(error)

    def _fill(self, content: _Content, manifest: Manifest, job: _Job, depth: int, then: t.Callable[[], None] | None = None) -> None:
        """Bring everything that a manifest names into the repository; then settle it, or do what is to be done before. Lock held."""
        blobs = [blob for blob in manifest.blobs if not (blob.is_foreign and self._policy.foreign_layers == "skip")]
        try:
            children = chosen_children(manifest, self._policy)
        except MigrationError as error:
            # others may be waiting for this content already
            self._settle(content, error)
            return
        # one more than there are, so that the last of them cannot be met before all are asked for
        content.unmet = len(blobs) + len(children) + 1
        content.size = manifest.size + sum(max(0, blob.size) for blob in blobs)
        first_error: list[MigrationError] = []

        def met(error: MigrationError | None) -> None:
            if error is not None:
                first_error.append(error)
            content.unmet -= 1
            if content.unmet:
                return
            content.size += sum(job.repository.children[child.digest].size for child in children if child.digest in job.repository.children)
            if first_error:
                self._settle(content, first_error[0])
            elif then is not None:
                then()
            else:
                self._settle(content, None)

        for blob in blobs:
            self._need_blob(job, blob, met)
        for child in children:
            self._need_child(job, child, met, depth + 1)
        met(None)

    def _need_blob(self, job: _Job, blob: Descriptor, met: Done) -> None:
        repository = job.repository
        content = repository.blobs.get(blob.digest)
        if content is not None and not (content.settled and content.error is not None):
            self._wait_for(content, met)
            return
        fresh_content = repository.blobs[blob.digest] = _Content(waiters=[met])

        def arrived(error: MigrationError | None) -> None:
            if error is None:
                repository.brought.append((blob.digest, repository.name, blob.size))
            self._settle(fresh_content, error)

        self._blobs.need(Need(repository.name, job.row.source_repository, blob, repository.fresh, [arrived]))

    def _need_child(self, job: _Job, child: Descriptor, met: Done, depth: int) -> None:
        children = job.repository.children
        content = children.get(child.digest)
        if content is not None and not (content.settled and content.error is not None):
            self._wait_for(content, met)
            return
        content = children[child.digest] = _Content(waiters=[met])
        self._submit_fetch(_FETCH_CHILD, lambda: self._fetch_child(job, child, content, depth))

    def _fetch_child(self, job: _Job, child: Descriptor, content: _Content, depth: int) -> None:
        try:
            check_nesting(depth, child.digest)
            manifest = self._source.manifest(job.row.source_repository, child.digest)
        except MigrationError as error:
            self._settle(content, error)
            return

        def put() -> None:
            self._scheduler.submit(_PUT, lambda: self._put_child(job, manifest, content))

        self._expect_blobs(job, manifest)
        with self._lock:
            self._fill(content, manifest, job, depth, put)

    def _put_child(self, job: _Job, manifest: Manifest, content: _Content) -> None:
        try:
            self._put(job, manifest, ())
        except MigrationError as error:
            self._settle(content, error)
        else:
            self._settle(content, None)

    # -- putting
    def _ready(self, job: _Job, content: _Content, error: MigrationError | None) -> None:
        """All that a tag's manifest names is there (or will never be). The lock is held."""
        job.size = content.size
        if error is not None:
            self._scheduler.submit(_PUT, lambda: self._end(job, error))
            return
        ready = job.repository.ready
        waiting = ready.get(job.content.digest)
        if waiting is None:
            # those of the same digest that become ready before this task runs are put with it
            ready[job.content.digest] = [job]
            digest = job.content.digest
            self._scheduler.submit(_PUT, lambda: self._put_ready(job.repository, digest))
        else:
            waiting.append(job)

    def _put_ready(self, repository: _Repository, digest: str) -> None:
        with self._lock:
            jobs = repository.ready.pop(digest)
        try:
            self._put_tags(jobs, jobs[0].content)
        except MigrationError as error:
            if len(jobs) == 1:
                self._end(jobs[0], error)
                return
            # one of several tags may be to blame: each for itself then
            for job in jobs:
                self._attempt(job, self._put_alone)
            return
        for job in jobs:
            self._attempt(job, self._finish)

    def _put_alone(self, job: _Job) -> None:
        self._put_tags([job], job.content)
        self._finish(job)

    def _put_tags(self, jobs: list[_Job], manifest: Manifest) -> None:
        for job in jobs:
            if self._policy.backup_tag and job.row.tag and job.row.existing not in ("", manifest.digest):
                self._back_up(job)
        tags = [job.row.tag for job in jobs if job.row.tag]
        try:
            self._put(jobs[0], manifest, tags)
        except TagImmutable:
            for job in jobs:
                found = self._destination.resolve(job.row.repository, job.row.tag) if job.row.tag else None
                # an immutable tag that has this digest already is what was wanted
                if found is not None and found.digest != manifest.digest and self._policy.existing_tags == "keep":
                    job.kept = True
                elif found is None or found.digest != manifest.digest:
                    raise

    def _put(self, job: _Job, manifest: Manifest, tags: t.Sequence[str]) -> None:
        """Put a manifest; if the destination misses parts of it all the same, send those again without shortcuts, once."""
        row = job.row
        try:
            answer = self._place(job.repository, manifest, tags)
        except ManifestBlobUnknown as error:
            self._repair(job, manifest, set(error.digests))
            try:
                answer = self._place(job.repository, manifest, tags)
            except ManifestBlobUnknown as again:
                if len(chosen_children(manifest, self._policy)) < len(manifest.children):
                    again.hint = "It takes no index without all its children: set platform_index to subset or whole."
                raise
        except ServerFailed as error:
            if manifest.kind == "schema1":
                # docker-registry answers 500 to what it has been told not to take
                raise UnsupportedManifest(
                    f"the destination does not take this manifest of schema 1, or has failed: {error.message}",
                    subject=error.subject,
                    hint=_CONVERT_SCHEMA1,
                ) from error
            raise
        except (UnsupportedManifest, RegistryError) as error:
            if isinstance(error, RegistryError) and error.status != HTTPStatus.BAD_REQUEST:
                raise
            # refused for what it is, as far as one can tell
            if manifest.kind == "schema1":
                error.hint = _CONVERT_SCHEMA1
            elif manifest.media_type in (OCI_MANIFEST, OCI_INDEX):
                error.hint = f"{error.hint} {_CONVERT_OCI}"
            raise
        self.wrote = True
        self._blobs.named(row.repository, manifest)
        subject = manifest.subject
        if subject is None or answer.subject_kept or not self._policy.referrers:
            return
        if self._source.referrers(row.source_repository, subject.digest) is not None:
            # the source keeps track of referrers, the destination does not: then the client has to (distribution-spec "Referrers
            # Tag Schema"); where the source has fall-back tags, they are copied as they are
            with self._lock:
                subject_lock = self._subject_locks[f"{row.repository}@{subject.digest}"]
            with subject_lock:
                existing = fallback_index(self._destination, row.repository, subject.digest, writing=True)
                index = with_referrer(existing, manifest)
                if index is not None:
                    self._place(job.repository, index, [fallback_tag(subject.digest)])

    def _place(self, repository: _Repository, manifest: Manifest, tags: t.Sequence[str]) -> PutManifest:
        """Put a manifest while none that it names is being put, nor one that names it.

        A platform may have a tag of its own, and is then put twice. Who stores manifests in files, as docker-registry does, cannot read
        one that is being written again, and says of an index meanwhile that it names what is not there.
        """
        named = {child.digest for child in manifest.children}
        with self._placed:
            while not repository.placing.isdisjoint({manifest.digest, *named}) or repository.looked_for[manifest.digest]:
                self._placed.wait()
            repository.placing.add(manifest.digest)
            repository.looked_for.update(named)
        try:
            return self._destination.put_manifest(repository.name, manifest, tags)
        finally:
            with self._placed:
                repository.placing.discard(manifest.digest)
                repository.looked_for -= collections.Counter(named)
                self._placed.notify_all()

    def _repair(self, job: _Job, manifest: Manifest, named: set[str]) -> None:
        row = job.row
        for blob in manifest.blobs:
            if blob.is_foreign and self._policy.foreign_layers == "skip":
                continue
            if not named or blob.digest in named:
                need = Need(row.repository, row.source_repository, blob, False, [])
                received = self._destination.receive_blob(
                    row.repository, blob, functools.partial(open_source, self._source, need), anew=True
                )
                with self._lock:
                    self.totals.bytes += received.size
                    self.totals.uploaded += 1
        for child in chosen_children(manifest, self._policy):
            if not named or child.digest in named:
                self._put(job, self._source.manifest(row.source_repository, child.digest), ())

    def _back_up(self, job: _Job) -> None:
        """Give the manifest that is about to lose its tag another one."""
        row = job.row
        tag = self._policy.backup_name(row.tag, row.existing)
        try:
            self._place(job.repository, self._destination.manifest(row.repository, row.existing), [tag])
        except TagImmutable:
            # of an earlier run, perhaps
            found = self._destination.resolve(row.repository, tag)
            if found is None or found.digest != row.existing:
                raise

    # -- after the tag
    def _finish(self, job: _Job) -> None:
        if self._policy.referrers and not job.kept:
            self._copy_referrers(job, job.content)
        self._end(job, None, "kept" if job.kept else "copied")

    def _copy_referrers(self, job: _Job, manifest: Manifest) -> None:
        """Start copying what refers to an image and its children; each is a row of its own."""
        row = job.row
        # nothing refers to an index that was made on the way
        own = [manifest.digest] if manifest.digest == job.source_digest else []
        for digest in [*own, *(child.digest for child in chosen_children(manifest, self._policy))]:
            with self._lock:
                asked = digest in job.repository.subjects
                job.repository.subjects.add(digest)
            for referrer in () if asked else self._source.referrers(row.source_repository, digest) or ():
                self._start_referrer(job, referrer, digest)

    def _start_referrer(self, job: _Job, referrer: Descriptor, subject: str) -> None:
        row = dataclasses.replace(
            job.row,
            action="copy",
            source_tag="",
            tag="",
            digest=referrer.digest,
            existing="",
            media_type=referrer.media_type,
            note=f"refers to {subject}",
        )
        with self._lock:
            known = referrer.digest in job.repository.roots or referrer.digest in job.repository.children
            if known or self._aborted:
                return
            self._open_tags += 1
            self._followers += 1
            job.repository.users += 1
        follower = _Job(row, job.repository, follows=True)
        self._submit_fetch(_FETCH, lambda: self._attempt(follower, self._fetch))

    def _end(self, job: _Job, error: MigrationError | None, state: str = "copied") -> None:
        row, repository = job.row, job.repository
        # nobody has looked whether it can be copied: that is no failure
        untried = error if isinstance(error, PullsUsedUp) and not job.follows else None
        with self._lock:
            brought, repository.brought = repository.brought, []
        finished = TagRow(
            repository=row.repository,
            tag=row.key,
            source_repository=row.source_repository,
            source_tag=row.source_reference,
            action=row.action,
            state="failed" if error else state,
            source_digest=job.source_digest or row.digest,
            digest=job.manifest.digest if job.manifest else "",
            media_type=job.manifest.media_type if job.manifest else row.media_type,
            form=self._policy.form,
            size=job.size,
            error=error,
            existing=row.existing,
        )
        try:
            self._ledger.record([] if untried else [finished], brought)
        except StateError as problem:
            # without a ledger nobody can be told what was done
            self._scheduler.stop(_LEDGER_PATIENCE, problem)
        if not untried:
            self._progress.finished(finished)
        with self._window:
            if untried and self.without_pulls is None:
                self.without_pulls = (row, untried)
            self.ended += not job.follows and not untried
            self._open_tags -= 1
            self._open_bytes -= job.manifest.size if job.manifest else 0
            if error is not None or job.kept or job.manifest is None:
                self._blobs.leave(repository.name)
            else:
                self._blobs.named(repository.name, job.manifest)
            self._leave(repository)
            if error is not None and not untried:
                self.failed.append(row)
            # a password that stopped working would be tried once for each tag, until the account is locked
            is_fatal = isinstance(error, AuthenticationFailed)
            if error is not None and (is_fatal or self._policy.on_error == "abort") and not self._aborted:
                self._aborted = True
                self._scheduler.drop()
            self._window.notify()

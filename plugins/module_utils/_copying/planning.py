# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""From rules to a plan: lists both sides, finds out what differs, and finds collisions before a byte moves.

Requests (per tag): a tag that the destination's list does not have needs none; any other one HEAD on each side, or only at the source
where the ledger is trusted. An index of which
the ledger knows nothing costs one for each child as well, and where the source has the API for referrers, so does every index.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import functools
import threading
import typing as t
from http import HTTPStatus

from ansible_collections.registryops.migration.plugins.module_utils._copying.images import (
    check_nesting,
    chosen_children,
    created,
    wanted_form,
)
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Copied, Ledger
from ansible_collections.registryops.migration.plugins.module_utils._copying.mapping import check_tag_collisions, find_collisions
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan import Action, PlanRow, PlanWriter, make_row
from ansible_collections.registryops.migration.plugins.module_utils._copying.referrers import referrers_of
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Policy, Rule
from ansible_collections.registryops.migration.plugins.module_utils._copying.scheduler import Scheduler, threads
from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import (
    missing_tags,
    needs_catalog,
    needs_dates,
    select_repositories,
    select_tags,
)
from ansible_collections.registryops.migration.plugins.module_utils._copying.unmatched import Unmatched
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    ENDS_A_RUN,
    AccessDenied,
    ImageArchived,
    InvalidName,
    InvalidOption,
    InvalidReference,
    ManifestUnknown,
    MigrationError,
    RepositoryUnknown,
    ServerFailed,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import (
    Descriptor,
    Manifest,
    digest_tag_stems,
    is_digest_tag,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import INDEXES
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_repository, check_tag
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import TagRecord
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Listing, Store

#: tags that one task resolves in turn: small, so that a single large repository keeps all workers busy
CHUNK = 10
#: rows of a plan that wait for a thread at the most, so that a long plan is never held whole
WAITING = 1000
#: tags of one repository whose dates are read at the same time, beside the repositories that are
_DATING = 4
#: tags that are kept from looking for collisions until their repository is planned; what is beyond is listed again
_KEPT_TAGS = 200_000
_LIST, _RESOLVE = (1, 0), (0, 0)

#: reads the manifest of the tag in question
_Read = t.Callable[[], Manifest]


@dataclasses.dataclass
class Target:
    """A source repository, where it goes, and the rules that send it there."""

    source: str
    destination: str
    rules: list[Rule]


@dataclasses.dataclass(frozen=True)
class Failure:
    """Something that cannot be planned; `repository` and `tag` are the source's, `tag` may be empty."""

    repository: str
    tag: str
    error: MigrationError


@dataclasses.dataclass(frozen=True)
class _Tags:
    """The tags of a target's source: all that can be, those that cannot, and those that are selected."""

    all: list[str]
    refused: list[InvalidReference]
    selected: list[str]
    records: t.Mapping[str, TagRecord]


@dataclasses.dataclass
class _Listing:
    """One target while it is being planned."""

    target: Target
    tags: list[str]
    selected: list[str]
    existing: frozenset[str]
    fresh: bool
    #: what the lists of the source and of the destination tell of tags
    records: t.Mapping[str, TagRecord] = dataclasses.field(default_factory=dict)
    existing_records: t.Mapping[str, TagRecord] = dataclasses.field(default_factory=dict)
    unfinished: int = 0
    digests: dict[str, str] = dataclasses.field(default_factory=dict)
    indexes: set[str] = dataclasses.field(default_factory=set)
    #: digests whose referrers have been looked at
    referred: set[str] = dataclasses.field(default_factory=set)


class Planner:
    """Makes the plan of one run."""

    def __init__(
        self,
        source: Store,
        destination: Store,
        rules: t.Sequence[Rule],
        policy: Policy,
        ledger: Ledger | None = None,
        only_plans: bool = False,
    ) -> None:
        """`only_plans`: the plan is for people; what the destination needs may not have been created yet."""
        self._source = source
        self._destination = destination
        self._rules = [rule.within(source.profile.implied_namespace) for rule in rules]
        self._policy = policy
        self._ledger = ledger
        self._only_plans = only_plans
        #: repositories of the destination that it does not show
        self._hidden: list[str] = []
        self._now = datetime.datetime.now(datetime.timezone.utc)
        self._lock = threading.Lock()
        #: tags that were read while looking for collisions, by source and destination
        self._kept: dict[tuple[str, str], _Tags] = {}
        self._unmatched = Unmatched(self._rules)
        self._scheduler: Scheduler | None = None
        self._stop: tuple[float, MigrationError] | None = None
        self.failures: list[Failure] = []
        self._took_part: set[str] = set()

    @property
    def repositories(self) -> int:
        """How many repositories of the source take part: those of which a tag is selected, or that fail."""
        return len(self._took_part)

    @property
    def warnings(self) -> list[str]:
        """What of the rules has matched nothing, of tags only where this run looks into all repositories; and what is only supposed."""
        return [*self._unmatched.warnings(tags=self._policy.only is None), *self._supposed()]

    def _supposed(self) -> list[str]:
        if not self._hidden:
            return []
        often = f"{len(self._hidden)} repositories, such as {min(self._hidden)}," if len(self._hidden) > 1 else self._hidden[0]
        namespace = self._destination.profile.namespace
        text = (
            f"{self._destination.name} does not show {often} to this user, so they are planned as new. That is right where "
            f"what they are in ({namespace}) has yet to be created; otherwise a right is missing."
        )
        return [text]

    def stop(self, patience: float, error: MigrationError) -> None:
        """Have `plan` raise the error; what is under way has so many seconds to come to its end."""
        with self._lock:
            self._stop = (patience, error)
            if self._scheduler is not None:
                self._scheduler.stop(*self._stop)

    def _fail(self, repository: str, tag: str, error: MigrationError) -> None:
        with self._lock:
            self.failures.append(Failure(repository, tag, error))
            self._took_part.add(repository)

    # -- repositories
    def targets(self) -> list[Target]:
        """Which repositories go where.

        Raises InvalidName or NameCollision where the rules cannot be carried out as a whole.
        """
        found: dict[tuple[str, str], Target] = {}
        refused: list[InvalidName] = []
        catalogue = self._catalogue() if any(needs_catalog(rule.repositories) for rule in self._rules) else None
        for number, rule in enumerate(self._rules):
            names = self._names(rule, catalogue)
            self._unmatched.repositories(number, len(names), catalogue)
            for name in names:
                try:
                    mapped = rule.mapping.map_repository(name, self._destination.profile)
                except InvalidName as error:
                    refused.append(error)
                    continue
                found.setdefault((name, mapped), Target(name, mapped, [])).rules.append(rule)
        if refused:
            raise _all_in_one(refused)
        targets = list(found.values())
        self._check_self_copy(targets)
        only = self._policy.only
        chosen = targets if only is None else [target for target in targets if target.source in only]
        self._check_collisions(targets, chosen)
        return chosen

    def _catalogue(self) -> list[str]:
        names = []
        for name in self._source.repositories():
            try:
                names.append(check_repository(name))
            except InvalidReference as error:
                # a name that cannot exist is the registry's fault; the others are copied all the same
                self._fail(error.subject, "", error)
        return names

    def _names(self, rule: Rule, catalogue: list[str] | None) -> list[str]:
        if catalogue is None or not needs_catalog(rule.repositories):
            return [name for name in rule.repositories.include.names if rule.repositories.match(name)]
        selected = select_repositories(catalogue, rule.repositories)
        # what is asked for by name may exist without being listed: asking for its tags tells
        return [*selected.names, *selected.missing]

    def _check_self_copy(self, targets: list[Target]) -> None:
        if (self._source.name, self._source.connect_to) == (self._destination.name, self._destination.connect_to):
            same = [target.source for target in targets if target.source == target.destination]
            if same:
                raise InvalidOption(
                    f"is the source as well, and {same[0]} would be copied onto itself.",
                    subject=f"destination {self._destination.name}",
                    hint="Give another destination, or a mapping.",
                )

    def _check_collisions(self, targets: list[Target], chosen: list[Target]) -> None:
        """Raise NameCollision where a tag of the destination has two sources. `chosen`: the targets of this run's share."""
        profile = self._destination.profile
        looked_at = set(find_collisions(("", target.source, target.destination) for target in targets))
        if profile.folds_tag_case:
            # any repository may collide with itself: each worker looks at its own
            looked_at |= {target.destination for target in chosen}
        sources: dict[str, list[Target]] = collections.defaultdict(list)
        for target in targets:
            if target.destination in looked_at:
                sources[target.destination].append(target)
        mine = {(target.source, target.destination) for target in chosen}
        room = _KEPT_TAGS
        for destination in sorted(sources):
            tags = []
            for target in sources[destination]:
                try:
                    found = self._read_tags(target)
                except ENDS_A_RUN:
                    raise
                except MigrationError:
                    # it fails by itself when its turn comes, and the others do not have to
                    continue
                tags += [(self._source.name, target.source, destination, tag) for tag in found.selected]
                if (target.source, destination) in mine and len(found.all) <= room:
                    room -= len(found.all)
                    self._kept[target.source, destination] = found
            check_tag_collisions(tags, profile)

    # -- tags
    def plan(self, writer: PlanWriter) -> None:
        """Write the plan of all targets. What cannot be planned is in `failures` afterwards."""
        targets = self.targets()
        self._source.expect([target.source for target in targets])
        self._destination.expect([target.destination for target in targets])
        scheduler = Scheduler(threads(self._policy.workers, self._source, self._destination))
        with self._lock:
            self._scheduler = scheduler
            if self._stop is not None:
                scheduler.stop(*self._stop)
        try:
            for target in targets:
                scheduler.submit(_LIST, functools.partial(self._list, target, scheduler, writer))
            scheduler.wait()
        finally:
            scheduler.close()

    def _select(self, target: Target, tags: list[str]) -> list[str]:
        chosen: dict[str, None] = {}
        for rule in target.rules:
            created = self._dates(target.source, tags, rule) if needs_dates(rule.tags) else None
            selected = select_tags(tags, rule.tags, created, self._now)
            self._unmatched.tags(rule, tags, len(selected))
            chosen.update(dict.fromkeys(selected))
        return list(chosen)

    def _list(self, target: Target, scheduler: Scheduler, writer: PlanWriter) -> None:
        try:
            listing = self._make_listing(target)
        except ENDS_A_RUN:
            raise
        except MigrationError as error:
            self._fail(target.source, "", error)
            return
        if listing.selected:
            with self._lock:
                self._took_part.add(target.source)
        followers = self._followers(listing)
        rows, unresolved = [], []
        for tag in listing.selected:
            record = listing.records.get(tag)
            archived = record is not None and record.archived
            if is_digest(tag) or self._folded(tag) in listing.existing or followers or archived:
                unresolved.append(tag)
            else:
                rows.append(make_row((target.source, tag), (target.destination, tag), "copy", fresh=listing.fresh))
        if rows:
            writer.add(rows)
        chunks = [unresolved[start : start + CHUNK] for start in range(0, len(unresolved), CHUNK)]
        listing.unfinished = len(chunks)
        for chunk in chunks:
            scheduler.submit(_RESOLVE, functools.partial(self._resolve_chunk, listing, chunk, followers, writer))

    def destinations(self) -> list[str]:
        """The repositories of the destination that at least one selected tag goes to, sorted. Nothing is asked of the destination.

        Raises what `targets` raises. Repositories of the source whose tags cannot be listed are in `failures` afterwards.
        """
        targets = self.targets()
        self._source.expect([target.source for target in targets])
        found: set[str] = set()

        def look(target: Target) -> None:
            try:
                selected = self._tags(target).selected
            except ENDS_A_RUN:
                raise
            except MigrationError as error:
                self._fail(target.source, "", error)
                return
            if selected:
                with self._lock:
                    found.add(target.destination)
                    self._took_part.add(target.source)

        scheduler = Scheduler(threads(self._policy.workers, self._source))
        try:
            for target in targets:
                scheduler.submit(_LIST, functools.partial(look, target))
            scheduler.wait()
        finally:
            scheduler.close()
        return sorted(found)

    def _tags(self, target: Target) -> _Tags:
        """The tags of a target, which may have been read while looking for collisions."""
        with self._lock:
            kept = self._kept.pop((target.source, target.destination), None)
        return kept or self._read_tags(target)

    def _read_tags(self, target: Target) -> _Tags:
        tags, refused = [], []
        listing = self._source.listing(target.source)
        for tag in listing.tags:
            try:
                tags.append(check_tag(tag))
            except InvalidReference as error:
                refused.append(error)
        return _Tags(tags, refused, self._select(target, tags), listing.records)

    def _make_listing(self, target: Target) -> _Listing:
        found = self._tags(target)
        for refused in found.refused:
            self._fail(target.source, refused.subject, refused)
        for rule in target.rules:
            for tag in missing_tags(found.all, rule.tags):
                hint = "Check the spelling, or take it out of tags.include."
                self._fail(target.source, tag, ManifestUnknown("there is no such tag.", subject=f"{target.source}:{tag}", hint=hint))
        try:
            there = self._destination.listing(target.destination)
            fresh = False
        except RepositoryUnknown:
            there, fresh = Listing([]), True
        except AccessDenied:
            if not self._only_plans or self._destination.profile.creates_repositories == "always":
                raise
            # nobody has a right to what does not exist
            with self._lock:
                self._hidden.append(target.destination)
            there, fresh = Listing([]), True
        existing = frozenset(map(self._folded, there.tags))
        existing_records = {self._folded(name): record for name, record in there.records.items()}
        return _Listing(target, found.all, found.selected, existing, fresh, found.records, existing_records)

    def _folded(self, tag: str) -> str:
        """A tag as the destination tells tags apart."""
        return tag.lower() if self._destination.profile.folds_tag_case else tag

    def _followers(self, listing: _Listing) -> dict[str, list[str]]:
        """Tags that were not selected, but belong to a digest that may turn out to be: {what their names begin with: tags}."""
        followers: dict[str, list[str]] = collections.defaultdict(list)
        if self._policy.referrers and len(listing.selected) < len(listing.tags):
            chosen = set(listing.selected)
            for tag in listing.tags:
                if is_digest_tag(tag) and tag not in chosen:
                    followers[tag.partition(".")[0]].append(tag)
        return dict(followers)

    def _resolve_chunk(self, listing: _Listing, tags: list[str], followers: dict[str, list[str]], writer: PlanWriter) -> None:
        rows: list[PlanRow] = []
        copied = self._ledger.copied(listing.target.destination, tags) if self._ledger else {}
        for tag in tags:
            try:
                rows += self._resolve(listing, tag, copied.get(tag))
            except ENDS_A_RUN:
                raise
            except MigrationError as error:
                self._fail(listing.target.source, tag, error)
        with self._lock:
            listing.unfinished -= 1
            last = not listing.unfinished
        if last and followers:
            rows += self._resolve_followers(listing, followers)
        writer.add(rows)

    def _resolve(self, listing: _Listing, tag: str, known: Copied | None) -> list[PlanRow]:
        """The rows for a selected tag or digest: its own, and those of referrers that the destination does not have.

        `known`: what the ledger says of it.
        """
        target = listing.target
        found = self._listed(listing, tag, known) or self._source.resolve(target.source, tag)
        if found is None:
            raise ManifestUnknown(
                "is in the repository's list of tags, but there is no manifest.",
                subject=f"{self._source.name}/{target.source}:{tag}",
                hint="Delete the tag at the source or push it again.",
            )
        with self._lock:
            listing.digests[tag] = found.digest
            if found.media_type in INDEXES:
                listing.indexes.add(found.digest)
        name = "" if is_digest(tag) else tag
        # read where it is needed, and once
        read: _Read = functools.lru_cache(maxsize=1)(functools.partial(self._source.manifest, target.source, found.digest))
        existing = None
        # a repository without any tag may hold a digest all the same
        if self._folded(tag) in listing.existing or not name:
            if self._policy.trust_ledger and known is not None and not known.broken:
                existing = Descriptor(found.media_type, known.digest, -1)
            elif (record := listing.existing_records.get(self._folded(tag))) is not None and is_digest(record.digest):
                existing = Descriptor(record.media_type, record.digest, -1)
            else:
                existing = self._existing(target.destination, name or self._made_digest(found, known, read), found.digest)
        if self._source.pulls is not None and existing is not None and existing.digest == found.digest:
            # where reading counts as a pull, rather at the destination, if that has the same
            read = functools.lru_cache(maxsize=1)(functools.partial(self._destination.manifest, target.destination, found.digest))
        action, wanted = self._decide(listing, found, existing, known, read)
        source, destination = (target.source, name), (target.destination, name)
        seen = {"digest": found.digest, "media_type": found.media_type, "existing": existing.digest if existing else ""}
        row = make_row(source, destination, action, fresh=listing.fresh, **seen)
        return [row, *self._referrer_rows(listing, found, wanted, read)] if action == "unchanged" else [row]

    def _listed(self, listing: _Listing, tag: str, known: Copied | None) -> Descriptor | None:
        """A tag as the source's list has it; None where that does not tell its digest, or not what kind of manifest it is."""
        record = listing.records.get(tag)
        if record is None:
            return None
        there = listing.existing_records.get(tag)
        is_there = there is not None and is_digest(record.digest) and there.digest == record.digest
        if record.archived and not is_there:
            raise ImageArchived(
                "is archived, and cannot be read before it is restored.",
                subject=f"{self._source.name}/{listing.target.source}:{tag}",
                hint="Restore it at the source and run again, or leave it out with tags.exclude.",
            )
        if not is_digest(record.digest):
            return None
        media_type = record.media_type
        if not media_type and known is not None and known.source_digest == record.digest:
            # the ledger has the type that the destination got: another one, where an image was converted
            media_type = known.media_type if known.digest == record.digest or known.media_type in INDEXES else ""
        return Descriptor(media_type, record.digest, -1) if media_type else None

    def _existing(self, repository: str, reference: str, digest: str) -> Descriptor | None:
        """What the destination has under a name; None also where it fails to say so, and `digest` may be put in its place."""
        try:
            return self._destination.resolve(repository, reference)
        except ServerFailed as error:
            if error.status != HTTPStatus.INTERNAL_SERVER_ERROR or self._policy.existing_tags != "overwrite":
                raise
            # a tag that was written only in part is answered with 500 until it is put again
            self._destination.remember({"doubted": [digest]})
            return None

    def _decide(
        self, listing: _Listing, found: Descriptor, existing: Descriptor | None, known: Copied | None, read: _Read
    ) -> tuple[Action, str]:
        """The action for a tag, and the digest that the destination should have. `known`: what the ledger says of the tag."""
        if existing is None:
            return "copy", found.digest
        if known is not None and (known.source_digest, known.digest) != (found.digest, existing.digest):
            known = None
        wanted = self._made_digest(found, known, read)
        if existing.digest == wanted:
            return "unchanged" if self._is_complete(listing.target, found, known, read) else "update", wanted
        actions: dict[str, Action] = {"overwrite": "update", "keep": "keep", "fail": "conflict"}
        return actions[self._policy.existing_tags], wanted

    def _made_digest(self, found: Descriptor, known: Copied | None, read: _Read) -> str:
        """The digest that a manifest of the source has at the destination: another one, where it is made on the way."""
        if not self._source.converts(found.media_type) and not (self._policy.makes_subsets and found.media_type in INDEXES):
            return found.digest
        if known is not None and (known.source_digest, known.form) == (found.digest, self._policy.form):
            return known.digest
        return wanted_form(read(), self._policy).digest

    def _is_complete(self, target: Target, found: Descriptor, known: Copied | None, read: _Read) -> bool:
        """Whether a tag that has the right digest may be left as it is.

        That of an image is proof enough, but for foreign layers, which registries do not ask for. An index may be sparse: what the
        ledger does not know to have been copied whole is looked for. So is what an earlier run was not told to copy.
        """
        if known is not None and known.broken:
            return False
        wanted = self._policy.form
        if known is not None and known.form == wanted:
            return True
        had = known.form.split() if known is not None else []
        children = found.media_type in INDEXES and (known is None or "sparse" in (*had, *wanted.split()))
        foreign = self._policy.foreign_layers == "copy" and "foreign" not in had
        return not (children or foreign) or self._holds(target, wanted_form(read(), self._policy), children, foreign)

    def _holds(self, target: Target, manifest: Manifest, children: bool, foreign: bool) -> bool:
        """Whether the destination has what is wanted below a manifest: `children` of indexes, `foreign` layers of images."""
        seen: set[str] = set()
        queue = [(manifest, 0)]
        while queue:
            current, depth = queue.pop()
            check_nesting(depth, f"{self._source.name}/{target.source}@{current.digest}")
            layers = [blob.digest for blob in current.blobs if foreign and blob.is_foreign]
            if any(self._destination.blob_size(target.destination, digest) is None for digest in layers):
                return False
            for child in chosen_children(current, self._policy):
                if child.digest in seen:
                    continue
                seen.add(child.digest)
                if children and self._destination.resolve(target.destination, child.digest) is None:
                    return False
                if foreign or child.media_type in INDEXES:
                    queue.append((self._source.manifest(target.source, child.digest), depth + 1))
        return True

    def _referrer_rows(self, listing: _Listing, found: Descriptor, wanted: str, read: _Read) -> list[PlanRow]:
        """Rows for what refers to a manifest that the destination has, and for what refers to those in turn; once for each digest."""
        target = listing.target
        rows: list[PlanRow] = []
        with self._lock:
            known = found.digest in listing.referred
            listing.referred.add(found.digest)
        first = self._source.referrers(target.source, found.digest) if self._policy.referrers and not known else None
        if first is None:
            # looked at already, or fall-back tags are all there is, and they are tags like others
            return rows
        # nothing refers to an index that was made on the way
        subjects = [(found.digest, first)] if wanted == found.digest else []
        if found.media_type in INDEXES:
            # a platform may be signed long after its index has been copied
            children = chosen_children(wanted_form(read(), self._policy), self._policy)
            subjects += [(child.digest, self._source.referrers(target.source, child.digest) or []) for child in children]
        while subjects:
            subject, referrers = subjects.pop()
            there = {one.digest for one in referrers_of(self._destination, target.destination, subject)} if referrers else set()
            for one in referrers:
                rows.append(self._referrer_row(target, one, subject, one.digest in there))
                if one.digest in there and one.digest not in listing.referred:
                    listing.referred.add(one.digest)
                    subjects.append((one.digest, self._source.referrers(target.source, one.digest) or []))
        return rows

    @staticmethod
    def _referrer_row(target: Target, referrer: Descriptor, subject: str, there: bool) -> PlanRow:
        return make_row(
            (target.source, ""),
            (target.destination, ""),
            "unchanged" if there else "copy",
            digest=referrer.digest,
            existing=referrer.digest if there else "",
            media_type=referrer.media_type,
            note=f"refers to {subject}",
        )

    def _resolve_followers(self, listing: _Listing, followers: dict[str, list[str]]) -> list[PlanRow]:
        """Rows for signatures and the like of what is selected, and for what refers to those in turn."""
        rows: list[PlanRow] = []
        subjects = list(listing.digests.values())
        if followers.keys() - {stem for digest in subjects for stem in digest_tag_stems(digest)}:
            # a signature may be that of one platform of an index
            for digest in sorted(listing.indexes):
                try:
                    subjects += [child.digest for child in self._source.manifest(listing.target.source, digest).children]
                except ENDS_A_RUN:
                    raise
                except MigrationError as error:
                    self._fail(listing.target.source, digest, error)
        while subjects:
            stems = digest_tag_stems(subjects.pop())
            following = [tag for stem in stems for tag in followers.pop(stem, ())]
            copied = self._ledger.copied(listing.target.destination, following) if self._ledger and following else {}
            for tag in following:
                try:
                    rows += self._resolve(listing, tag, copied.get(tag))
                except ENDS_A_RUN:
                    raise
                except MigrationError as error:
                    self._fail(listing.target.source, tag, error)
                else:
                    subjects.append(listing.digests[tag])
        return rows

    # -- dates
    def _dates(self, repository: str, tags: list[str], rule: Rule) -> dict[str, datetime.datetime]:
        """When the images of the tags were made, as their configurations say: two requests a tag, so only where a rule asks."""
        undated = dataclasses.replace(rule.tags, since=None, newest=None)
        selected = select_tags(tags, undated, None, self._now)
        # digests, and tags that are named after one, are never selected by a date
        candidates = [tag for tag in selected if not is_digest(tag) and not is_digest_tag(tag)]
        dates: dict[str, datetime.datetime] = {}
        pool = Scheduler(lambda: _DATING)
        try:
            for tag in candidates:
                pool.submit((0, 0), functools.partial(self._date, repository, tag, dates))
            pool.wait()
        finally:
            pool.close()
        return dates

    def _date(self, repository: str, tag: str, dates: dict[str, datetime.datetime]) -> None:
        """Note the date of an image, if it has one."""
        try:
            moment = created(self._source, repository, tag)
        except ENDS_A_RUN:
            raise
        except MigrationError:
            # without a date it is kept: what is wrong with it shows when it is planned or copied, and is its failure alone
            return
        if moment is not None:
            dates[tag] = moment


def _all_in_one(errors: list[InvalidName]) -> InvalidName:
    if len(errors) == 1:
        return errors[0]
    named = "; ".join(f"{error.subject} {error.message}" for error in errors[:10])
    more = f"; and {len(errors) - 10} more" if len(errors) > 10 else ""
    return InvalidName(
        f"{len(errors)} repositories cannot have the names that they are mapped to: {named}{more}", subject="mapping", hint=errors[0].hint
    )

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What a store holds: repositories, tags, and as much about them as is asked for."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.scheduler import Scheduler, threads
from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import (
    RepositorySelection,
    TagSelection,
    needs_catalog,
    select_repositories,
    select_tags,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ENDS_A_RUN, InvalidReference, MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Manifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_repository, check_tag
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import TagRecord
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store

#: names: one request a repository; digests: one more a tag (HEAD); platforms: the manifests are read (GET)
Details = t.Literal["names", "digests", "platforms"]


@dataclasses.dataclass
class Inventory:
    """What was found. A repository is `{name, tags, size}`, a tag `{name, digest, media_type, size, platforms}`, as far as known."""

    repositories: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    failures: list[dict[str, str]] = dataclasses.field(default_factory=list)

    @property
    def unreadable(self) -> list[str]:
        """Repositories whose tags could not be listed, sorted by name."""
        return sorted(failure["repository"] for failure in self.failures if not failure["tag"])


class _Reader:
    def __init__(self, store: Store, selection: TagSelection, details: Details, workers: int) -> None:
        self._store = store
        self._selection = selection
        self._details = details
        self._lock = threading.Lock()
        self._now = datetime.datetime.now(datetime.timezone.utc)
        self.scheduler = Scheduler(threads(workers, store))
        self.found: dict[str, dict[str, t.Any]] = {}
        self.failures: list[dict[str, str]] = []

    def fail(self, repository: str, tag: str, error: MigrationError) -> None:
        with self._lock:
            self.failures.append({"repository": repository, "tag": tag, **error.as_row()})

    def read(self, repository: str) -> None:
        """List a repository's tags, and have each looked at if more than its name is wanted."""
        try:
            listing = self._store.listing(repository)
            names = [check_tag(tag) for tag in listing.tags]
        except ENDS_A_RUN:
            raise
        except MigrationError as error:
            self.fail(repository, "", error)
            return
        tags = [_known(name, listing.records.get(name)) for name in select_tags(names, self._selection, None, self._now)]
        with self._lock:
            record = self._store.record(repository)
            self.found[repository] = {**({} if record is None else record.as_row()), "name": repository, "tags": tags}
        if self._details != "names":
            for tag in tags:
                if self._details == "digests" and "digest" in tag:
                    continue
                self.scheduler.submit((0, 0), functools.partial(self.look, repository, tag))

    def look(self, repository: str, tag: dict[str, t.Any]) -> None:
        """Fill in what is known of a tag."""
        try:
            if self._details == "digests":
                descriptor = self._store.resolve(repository, tag["name"])
                if descriptor is not None:
                    tag.update(digest=descriptor.digest, media_type=descriptor.media_type)
                return
            manifest = self._store.sketch(repository, tag["name"])
            size, platforms = self._contents(repository, manifest)
            tag.update(digest=manifest.source_digest, media_type=manifest.media_type, size=size, platforms=platforms)
        except ENDS_A_RUN:
            raise
        except MigrationError as error:
            self.fail(repository, tag["name"], error)

    def _contents(self, repository: str, manifest: Manifest) -> tuple[int, list[str]]:
        """Bytes of an image with all its platforms (a blob that two of them share counts once), and the platforms of an index."""
        sizes: dict[str, int] = {}
        platforms: list[str] = []
        queue = [manifest]
        while queue:
            current = queue.pop()
            sizes[current.digest] = current.size
            sizes.update((blob.digest, max(0, blob.size)) for blob in current.blobs)
            for child in current.children:
                # what is beside the images of an index, such as a build's attestation, says "unknown"
                if child.platform is not None and child.platform.os != "unknown" and str(child.platform) not in platforms:
                    platforms.append(str(child.platform))
                if child.digest not in sizes:
                    queue.append(self._store.manifest(repository, child.digest))
        return sum(sizes.values()), platforms


def _known(name: str, record: TagRecord | None) -> dict[str, t.Any]:
    """A tag with what the product's list has told of it."""
    if record is None:
        return {"name": name}
    row = {"name": name, "digest": record.digest, "media_type": record.media_type, "size": record.size, "pushed": record.pushed}
    known = {key: value for key, value in row.items() if value not in ("", -1)}
    return {**known, "archived": True} if record.archived else known


def _catalogue(store: Store, reader: _Reader) -> t.Iterator[str]:
    for name in store.repositories():
        try:
            yield check_repository(name)
        except InvalidReference as error:
            # as with a copy: a name that cannot exist is the registry's fault, and no reason to leave out the others
            reader.fail(name, "", error)


def take_inventory(store: Store, repositories: RepositorySelection, tags: TagSelection, details: Details, workers: int) -> Inventory:
    """Read what a store holds. Repositories come sorted by name, tags in the store's order; what could not be read is in `failures`."""
    reader = _Reader(store, tags, details, workers)
    if store.profile.implied_namespace:
        repositories = repositories.within(store.profile.implied_namespace)
    try:
        if needs_catalog(repositories):
            selected = select_repositories(list(_catalogue(store, reader)), repositories)
            names = [*selected.names, *selected.missing]
        else:
            names = [name for name in repositories.include.names if repositories.match(name)]
        store.expect(names)
        for name in names:
            reader.scheduler.submit((1, 0), functools.partial(reader.read, name))
        reader.scheduler.wait()
    finally:
        reader.scheduler.close()
    for repository in reader.found.values():
        # where sizes are not known, the number of tags says how much work a repository is
        known = [tag["size"] for tag in repository["tags"] if "size" in tag]
        repository["size"] = sum(known) if known else len(repository["tags"])
    return Inventory([reader.found[name] for name in sorted(reader.found)], reader.failures)

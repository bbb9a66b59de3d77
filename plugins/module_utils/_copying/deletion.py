# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Deleting tags and digests without taking other tags along.

Many registries delete manifests, not tags: with the digest go all tags that point to it, and the indexes that list it are not whole
any more. So before a digest is deleted, all tags of the repository are looked at.
"""

from __future__ import annotations

import dataclasses

from ansible_collections.registryops.migration.plugins.module_utils._copying.images import check_nesting
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import check_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    InvalidReference,
    ManifestUnknown,
    MigrationError,
    RegistryError,
    RepositoryUnknown,
    UnsupportedManifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import INDEXES
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_repository, check_tag
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store


class DigestShared(MigrationError):
    """Deleting would take tags along that were not named."""

    kind = "digest_shared"


@dataclasses.dataclass
class Deletion:
    """What was deleted (or would be), and what was not there: tags and digests as they were asked for."""

    deleted: list[str] = dataclasses.field(default_factory=list)
    absent: list[str] = dataclasses.field(default_factory=list)
    #: tags that go with a digest, or lose a part of their index with it, because that was allowed
    taken_along: list[str] = dataclasses.field(default_factory=list)
    #: those of them that are still there, with an index that is not whole any more
    incomplete: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class _Others:
    """Tags that were not named: those that have a digest, and those whose index it is part of."""

    tags: list[str] = dataclasses.field(default_factory=list)
    indexes: list[str] = dataclasses.field(default_factory=list)


def delete(store: Store, repository: str, references: list[str], *, shared_allowed: bool, check_only: bool) -> Deletion:
    """Delete tags and digests of one repository.

    Raises DigestShared, before anything is deleted, if a digest has tags that are not named, or is part of the index of such a tag,
    and `shared_allowed` is false.
    """
    _check_names(repository, references)
    result = Deletion()
    digests: dict[str, list[str]] = {}
    for reference in dict.fromkeys(references):
        found = store.resolve(repository, reference)
        if found is None:
            result.absent.append(reference)
        else:
            digests.setdefault(found.digest, []).append(reference)
    # where just the tag is removed, only the digests that were named as such go
    whole = {digest for digest, named in digests.items() if digest in named or not store.deletes_by_tag}
    others = _others(store, repository, digests, whole) if whole else {}
    if store.keeps_manifests:
        # a digest that no tag stands for is there, but there is nothing to be deleted
        bare = [digest for digest in digests if digests[digest] == [digest] and not others[digest].tags]
        for digest in bare:
            whole.discard(digest)
            result.absent += digests.pop(digest)
    if not shared_allowed:
        for digest in digests:
            if digest in whole:
                _check_shared(f"{store.name}/{repository}", digest, digests[digest], others[digest])
    for digest, named in digests.items():
        _delete_one(store, repository, digest if digest in whole else "", named, result, check_only)
        if digest in whole and named[0] in result.deleted:
            result.taken_along += others[digest].tags
            result.incomplete += others[digest].indexes
    gone = {*result.deleted, *result.taken_along}
    result.incomplete = [tag for tag in dict.fromkeys(result.incomplete) if tag not in gone]
    result.taken_along += result.incomplete
    return result


def _check_shared(subject: str, digest: str, named: list[str], others: _Others) -> None:
    reasons = []
    if others.tags:
        reasons.append(f"shares its digest {digest} with {', '.join(others.tags[:10])}, which would be deleted as well")
    if others.indexes:
        reasons.append(f"is part of the index of tag {', '.join(others.indexes[:10])}, which would not be whole any more")
    if reasons:
        raise DigestShared(
            f"{', '.join(named)} {', and '.join(reasons)}.",
            subject=subject,
            hint="Name these tags too, or set shared_digests to delete.",
        )


def _check_names(repository: str, references: list[str]) -> None:
    option = "repository"
    try:
        check_repository(repository)
        option = "references"
        for reference in references:
            check_digest(reference) if ":" in reference else check_tag(reference)
    except InvalidReference as error:
        error.subject = f"{option}: {error.subject}"
        error.hint = error.hint or "Give a repository's name without its registry, and tags or digests of it."
        raise


def _others(store: Store, repository: str, digests: dict[str, list[str]], whole: set[str]) -> dict[str, _Others]:
    """For each digest of `whole`, the tags that were not named and would lose something with it."""
    others = {digest: _Others() for digest in whole}
    try:
        tags = store.tags(repository)
    except RepositoryUnknown:
        return others
    named = {reference for references in digests.values() for reference in references}
    parts: dict[str, set[str]] = {}
    for tag in tags:
        found = store.resolve(repository, tag) if tag not in named else None
        if found is None:
            continue
        if found.digest in others:
            others[found.digest].tags.append(tag)
        elif not store.keeps_manifests:
            if found.digest not in parts:
                parts[found.digest] = _parts(store, repository, found)
            for digest in parts[found.digest] & whole:
                others[digest].indexes.append(tag)
    return others


def _parts(store: Store, repository: str, descriptor: Descriptor) -> set[str]:
    """The digests of all manifests below an index; only indexes are read. What is missing below it has no parts."""
    parts: set[str] = set()
    read: set[str] = set()
    waiting = [(descriptor, 0)]
    while waiting:
        current, depth = waiting.pop()
        if current.media_type not in INDEXES or current.digest in read:
            continue
        read.add(current.digest)
        check_nesting(depth, f"{store.name}/{repository}@{current.digest}")
        try:
            children = store.manifest(repository, current.digest).children
        except ManifestUnknown:
            continue
        parts.update(child.digest for child in children)
        waiting += [(child, depth + 1) for child in children]
    return parts


def _delete_one(store: Store, repository: str, digest: str, named: list[str], result: Deletion, check_only: bool) -> None:
    """Delete a digest, or where there is none only the tags that were named, and note what was really there."""
    try:
        for references in [named] if digest else [[tag] for tag in named]:
            there = check_only or store.delete_manifest(repository, digest or references[0])
            (result.deleted if there else result.absent).extend(references)
    except (UnsupportedManifest, AccessDenied, RegistryError) as error:
        raise MigrationError(
            f"the registry does not delete this: {error.message}",
            subject=f"{store.name}/{repository}: {', '.join(named)}",
            hint="Deleting has to be switched on (docker-registry: storage.delete.enabled), and allowed to this user.",
        ) from error

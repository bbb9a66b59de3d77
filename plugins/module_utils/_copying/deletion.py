# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Deleting tags and digests without taking other tags along.

Many registries delete manifests, not tags: with the digest go all tags that point to it. So before a digest is deleted, all tags of
the repository are looked at.
"""

from __future__ import annotations

import dataclasses

from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import check_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    InvalidReference,
    MigrationError,
    RegistryError,
    RepositoryUnknown,
    UnsupportedManifest,
)
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
    #: tags that go with a digest, because that was allowed
    taken_along: list[str] = dataclasses.field(default_factory=list)


def delete(store: Store, repository: str, references: list[str], *, shared_allowed: bool, check_only: bool) -> Deletion:
    """Delete tags and digests of one repository.

    Raises DigestShared, before anything is deleted, if a digest has tags that are not named and `shared_allowed` is false.
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
    if not digests:
        return result
    others = _other_tags(store, repository, digests)
    by_tag = _deletes_by_tag(store)
    for digest, named in digests.items():
        if others[digest] and not shared_allowed and not (by_tag and digest not in named):
            raise DigestShared(
                f"{', '.join(named)} shares its digest {digest} with {', '.join(others[digest][:10])}, which would be deleted as well.",
                subject=f"{store.name}/{repository}",
                hint="Name these tags too, or set shared_digests to delete.",
            )
    for digest, named in digests.items():
        if not check_only:
            _delete_one(store, repository, digest, named, by_tag and digest not in named)
        result.deleted += named
        result.taken_along += [] if by_tag and digest not in named else others[digest]
    return result


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


def _other_tags(store: Store, repository: str, digests: dict[str, list[str]]) -> dict[str, list[str]]:
    """For each digest, the tags that point to it and were not named."""
    others: dict[str, list[str]] = {digest: [] for digest in digests}
    try:
        tags = store.tags(repository)
    except RepositoryUnknown:
        return others
    named = {reference for references in digests.values() for reference in references}
    for tag in tags:
        if tag not in named:
            found = store.resolve(repository, tag)
            if found is not None and found.digest in others:
                others[found.digest].append(tag)
    return others


def _deletes_by_tag(store: Store) -> bool:
    """Whether the product is known to remove just the tag. Where it is not known, the careful way is taken."""
    return bool(store.profile.deletes_by_tag)


def _delete_one(store: Store, repository: str, digest: str, named: list[str], by_tag: bool) -> None:
    try:
        for reference in named if by_tag else [digest]:
            store.delete_manifest(repository, reference)
    except (UnsupportedManifest, AccessDenied, RegistryError) as error:
        raise MigrationError(
            f"the registry does not delete this: {error.message}",
            subject=f"{store.name}/{repository}: {', '.join(named)}",
            hint="Deleting has to be switched on (docker-registry: storage.delete.enabled), and allowed to this user.",
        ) from error

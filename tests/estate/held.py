# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the registry behind a double holds, by manifest, for products whose lists are those of manifests."""

from __future__ import annotations

import dataclasses

from estate.compare import Reachable
from estate.holdings import Holdings


@dataclasses.dataclass(frozen=True)
class HeldManifest:
    """A manifest and its tags, none for the child of an index; `size` in bytes of what it names."""

    digest: str
    media_type: str
    size: int
    tags: tuple[str, ...]


def repositories(registry: Reachable) -> list[str]:
    """The names of all repositories that have a tag, sorted."""
    holdings = Holdings(registry)
    return [name for name in holdings.repositories() if holdings.tags(name)]


def tags(registry: Reachable, repository: str) -> list[str]:
    """A repository's tags, sorted."""
    return Holdings(registry).tags(repository)


def manifests(registry: Reachable, repository: str) -> list[HeldManifest] | None:
    """A repository's manifests, sorted by digest; None where there is no such repository."""
    holdings = Holdings(registry)
    if not holdings.tags(repository):
        return None
    found = []
    for digest, names in holdings.versions(repository).items():
        manifest = holdings.manifest(repository, digest)
        found.append(HeldManifest(digest, manifest.media_type, manifest.size, tuple(names)))
    return found

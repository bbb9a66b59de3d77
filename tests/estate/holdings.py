# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the registry behind a product's double holds, as the product's own API has to tell it: read from its disk, unseen by the double."""

from __future__ import annotations

import dataclasses
import json
import os
import typing as t
from pathlib import Path

from estate.images import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST
from estate.registry import Registry


@dataclasses.dataclass(frozen=True)
class Held:
    """A manifest. `size`: bytes of what it names; `children`: digests of the manifests that an index names; `tags`: its tags, sorted."""

    digest: str
    media_type: str
    size: int
    children: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def is_index(self) -> bool:
        """Whether it is an index."""
        return self.media_type in (OCI_INDEX, DOCKER_LIST)

    @property
    def references(self) -> tuple[str, ...]:
        """The names under which it can be had: its tags, or its digest where it has none."""
        return self.tags or (self.digest,)


class Holdings:
    """What a docker-registry has in its folder at the moment."""

    def __init__(self, registry: Registry) -> None:
        self._root = registry.data / "docker" / "registry" / "v2"

    def repositories(self, namespace: str = "") -> list[str]:
        """The names of the repositories that have a tag, those of a namespace or all; sorted."""
        top = self._root / "repositories"
        found = []
        for folder, below, _files in os.walk(top / namespace):
            if "_manifests" in below:
                found.append(Path(folder).relative_to(top).as_posix())
            below[:] = [name for name in below if not name.startswith("_")]
        return sorted(name for name in found if name != namespace and self.tags(name))

    def tags(self, repository: str) -> list[str]:
        """The repository's tags, sorted; none where there is no such repository."""
        return sorted(self._tags(repository))

    def manifest(self, repository: str, reference: str) -> Held:
        """What a tag or digest stands for, without its tags."""
        digest = reference if ":" in reference else self._tags(repository)[reference]
        encoded = digest.partition(":")[2]
        document: dict[str, t.Any] = json.loads((self._root / "blobs" / "sha256" / encoded[:2] / encoded / "data").read_bytes())
        children = document.get("manifests", [])
        parts = [*([document["config"]] if "config" in document else []), *document.get("layers", []), *children]
        return Held(
            digest,
            str(document.get("mediaType") or (OCI_INDEX if "manifests" in document else OCI_MANIFEST)),
            sum(part["size"] for part in parts),
            tuple(child["digest"] for child in children),
        )

    def manifests(self, repository: str) -> list[Held]:
        """All manifests, those without a tag too; sorted by digest."""
        tags: dict[str, list[str]] = {}
        for tag, digest in sorted(self._tags(repository).items()):
            tags.setdefault(digest, []).append(tag)
        links = (self._folder(repository) / "revisions" / "sha256").glob("*/link")
        digests = sorted(f"sha256:{link.parent.name}" for link in links)
        return [dataclasses.replace(self.manifest(repository, digest), tags=tuple(tags.get(digest, ()))) for digest in digests]

    def _folder(self, repository: str) -> Path:
        return self._root / "repositories" / repository / "_manifests"

    def _tags(self, repository: str) -> dict[str, str]:
        links = (self._folder(repository) / "tags").glob("*/current/link")
        return {link.parents[1].name: link.read_text(encoding="ascii") for link in links}

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the registry behind a product's double holds, as the product's own API has to tell it."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from estate.client import ACCEPT, Access, Client
from estate.compare import Reachable, repositories_of
from estate.images import DOCKER_LIST, OCI_INDEX, digest_of


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
    """Looks at the registry itself, so that none of it is seen by the double."""

    def __init__(self, registry: Reachable) -> None:
        self._registry = registry
        self._access = registry if isinstance(registry, Access) else registry.access

    def repositories(self, namespace: str = "") -> list[str]:
        """The names of the repositories that have a tag, those of a namespace or all; sorted."""
        names = repositories_of(self._registry)
        return sorted(name for name in names if (not namespace or name.startswith(f"{namespace}/")) and self.tags(name))

    def tags(self, repository: str) -> list[str]:
        """The repository's tags, sorted; none where there is no such repository."""
        with Client(self._access) as client:
            answer = client.request("GET", f"/v2/{repository}/tags/list", expect=(200, 404))
        return sorted(answer.json()["tags"] or []) if answer.status == 200 else []

    def manifest(self, repository: str, reference: str) -> Held:
        """What a tag or digest stands for, without its tags."""
        with Client(self._access) as client:
            answer = client.request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": ACCEPT}, expect=(200,))
        document: dict[str, t.Any] = json.loads(answer.body)
        children = document.get("manifests", [])
        parts = [*([document["config"]] if "config" in document else []), *document.get("layers", []), *children]
        return Held(
            digest_of(answer.body),
            answer.header("Content-Type").split(";")[0],
            sum(part["size"] for part in parts),
            tuple(child["digest"] for child in children),
        )

    def manifests(self, repository: str) -> list[Held]:
        """All manifests that tags lead to, at once or as a child of an index; sorted by digest."""
        found: dict[str, Held] = {}
        tags: dict[str, list[str]] = {}
        for tag in self.tags(repository):
            held = self.manifest(repository, tag)
            found[held.digest] = held
            tags.setdefault(held.digest, []).append(tag)
        for digest in [child for held in found.values() for child in held.children if child not in found]:
            found[digest] = self.manifest(repository, digest)
        return [dataclasses.replace(found[digest], tags=tuple(tags.get(digest, ()))) for digest in sorted(found)]

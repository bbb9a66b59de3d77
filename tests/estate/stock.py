# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a docker-registry holds, read from its disk: for doubles of products whose APIs tell more than a registry's does."""

from __future__ import annotations

import dataclasses
import datetime
import json
import typing as t
from pathlib import Path

from estate.images import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST
from estate.registry import Registry


@dataclasses.dataclass(frozen=True)
class Holding:
    """A manifest under one of its names: a tag, or its digest for one that has no tag. `modified`: a moment in ISO 8601."""

    repository: str
    reference: str
    digest: str
    media_type: str
    size: int
    modified: str

    @property
    def is_index(self) -> bool:
        """Whether it is an index."""
        return self.media_type in (OCI_INDEX, DOCKER_LIST)


def holdings_of(registry: Registry) -> list[Holding]:
    """Everything under its tags, and by their digests the manifests that have none; sorted by repository and reference."""
    root = registry.data / "docker" / "registry" / "v2"
    found = []
    for folder in root.glob("repositories/**/_manifests"):
        repository = folder.parent.relative_to(root / "repositories").as_posix()
        links = {link.parents[1].name: link for link in folder.glob("tags/*/current/link")}
        tagged = {link.read_text(encoding="ascii") for link in links.values()}
        for link in folder.glob("revisions/sha256/*/link"):
            digest = f"sha256:{link.parent.name}"
            if digest not in tagged:
                links[digest] = link
        found += [_holding(root, repository, reference, link) for reference, link in links.items()]
    return sorted(found, key=lambda holding: (holding.repository, holding.reference))


def _holding(root: Path, repository: str, reference: str, link: Path) -> Holding:
    digest = link.read_text(encoding="ascii")
    hexadecimal = digest.partition(":")[2]
    data = (root / "blobs" / "sha256" / hexadecimal[:2] / hexadecimal / "data").read_bytes()
    moment = datetime.datetime.fromtimestamp(link.stat().st_mtime, datetime.UTC)
    return Holding(repository, reference, digest, _media_type(json.loads(data)), len(data), moment.isoformat(timespec="milliseconds"))


def _media_type(document: t.Mapping[str, t.Any]) -> str:
    usual = OCI_INDEX if "manifests" in document else OCI_MANIFEST
    return str(document.get("mediaType") or usual)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the registry behind a double holds, for the lists that its product makes of it."""

from __future__ import annotations

import dataclasses

from estate.client import ACCEPT, Access, Client


@dataclasses.dataclass(frozen=True)
class HeldManifest:
    """A manifest that has tags; `size` in bytes of the image: its manifest, configuration and layers."""

    digest: str
    media_type: str
    size: int
    tags: tuple[str, ...]


def repositories(access: Access) -> list[str]:
    """The names of all repositories that have a tag, sorted."""
    with Client(access) as client:
        names = client.request("GET", "/v2/_catalog?n=1000", expect=(200,)).json()["repositories"]
        return sorted(name for name in names if _tags(client, name))


def tags(access: Access, repository: str) -> list[str] | None:
    """A repository's tags, sorted; None where there is none."""
    with Client(access) as client:
        return _tags(client, repository)


def manifests(access: Access, repository: str) -> list[HeldManifest] | None:
    """A repository's manifests that have tags, sorted by the first of them; None where there is no such repository."""
    with Client(access) as client:
        names = _tags(client, repository)
        if names is None:
            return None
        found: dict[str, HeldManifest] = {}
        for tag in names:
            answer = client.request("GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": ACCEPT}, expect=(200,))
            digest = answer.header("Docker-Content-Digest")
            before = found.get(digest)
            if before is not None:
                found[digest] = dataclasses.replace(before, tags=(*before.tags, tag))
                continue
            document = answer.json()
            parts = [document.get("config") or {}, *(document.get("layers") or []), *(document.get("manifests") or [])]
            size = len(answer.body) + sum(part.get("size", 0) for part in parts)
            found[digest] = HeldManifest(digest, answer.header("Content-Type"), size, (tag,))
        return list(found.values())


def _tags(client: Client, repository: str) -> list[str] | None:
    answer = client.request("GET", f"/v2/{repository}/tags/list", expect=(200, 404))
    return sorted(answer.json()["tags"] or []) if answer.status == 200 else None

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images for the double: pushed as anybody would, or, where there are thousands of tags, laid into the registry's storage."""

from __future__ import annotations

import typing as t

from estate import images
from estate.msr.rows import TAGS
from estate.msr.seeding import People, Size, large_set
from estate.push import push
from estate.team_set import team_set

if t.TYPE_CHECKING:
    from pathlib import Path

    from estate.msr.double import Installation
    from estate.registry import Registry

#: a tag that is gone at the source, and one whose manifest is there but not its layer
TOMBSTONE, DAMAGED = "gone", "damaged"


def small_images(installation: Installation, *paths: str, versions: int = 2) -> images.ImageSet:
    """Push images with several platforms and with signatures to repositories that are there; what a migration has to bring over.

    The first repository also gets TOMBSTONE and DAMAGED, which are not part of what comes back.
    """
    held, bad = team_set(*paths, versions=versions), images.ImageSet()
    repository = bad.repository(paths[0])
    images.add_image(repository, "one that is deleted", [images.layer("one that is deleted", 700)], [TOMBSTONE])
    lost = images.layer("a layer that gets lost", 900)
    images.add_image(repository, "one that is damaged", [lost], [DAMAGED])
    access = installation.msr.access
    for one in (held, bad):
        push(access.url, one, access.user, access.password, access.ca_file)
    with installation.tables.moment():
        installation.tables.update(TAGS, f"{paths[0]}:{TOMBSTONE}", deleted=True)
    _blob(installation.msr.behind, lost.digest).unlink()
    return held


def large_images(installation: Installation, size: Size | None = None) -> People:
    """Write a large set of people with its tags, all of which are one small image that can be pulled."""
    held = images.ImageSet()
    repository = held.repository("any/one")
    manifest = images.add_image(repository, "a small image", [images.layer("a small image", 100)], ["1"])
    registry = installation.msr.behind
    for digest, data in {**repository.blobs, manifest.digest: manifest.data}.items():
        path = _blob(registry, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    people = large_set(installation.tables, size or Size(), manifest)
    with installation.tables.moment():
        rows = [(row["repository"], row["name"]) for row in installation.tables.all(TAGS) if row["digest"] == manifest.digest]
    for path in {path for path, _tag in rows}:
        folder = _folder(registry, path)
        _link(folder / "_manifests" / "revisions", manifest.digest)
        for digest in repository.blobs:
            _link(folder / "_layers", digest)
    for path, tag in rows:
        folder = _folder(registry, path) / "_manifests" / "tags" / tag
        _link(folder / "index", manifest.digest)
        (folder / "current").mkdir()
        (folder / "current" / "link").write_text(manifest.digest, encoding="ascii")
    return people


def _folder(registry: Registry, path: str) -> Path:
    return registry.data / "docker" / "registry" / "v2" / "repositories" / path


def _blob(registry: Registry, digest: str) -> Path:
    algorithm, _colon, value = digest.partition(":")
    return registry.data / "docker" / "registry" / "v2" / "blobs" / algorithm / value[:2] / value / "data"


def _link(folder: Path, digest: str) -> None:
    algorithm, _colon, value = digest.partition(":")
    (folder / algorithm / value).mkdir(parents=True)
    (folder / algorithm / value / "link").write_text(digest, encoding="ascii")

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The storage of a v1 registry, read without the registry (docker-registry up to 0.9, "docker_registry/core/driver.py").

    images/<id>/            json, layer, ancestry, _checksum; _inprogress while it is being uploaded
    repositories/<a>/<b>/   tag_<tag>: the image's id; tag<tag>_json: when it was pushed; _index_images: ids and checksums

A name of more than two components has its slashes behind the first escaped, once or, by docker-registry 0.9, twice: `a/b/c` is in
`repositories/a/b%252Fc`.
"""

from __future__ import annotations

import contextlib
import datetime
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobSource, HeldBlob
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    InvalidManifest,
    InvalidOption,
    InvalidReference,
    ManifestUnknown,
    RepositoryUnknown,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_repository
from ansible_collections.registryops.migration.plugins.module_utils._v1.files import Entry, Files, FileSource
from ansible_collections.registryops.migration.plugins.module_utils._v1.reader import (
    IMAGE_LIMIT,
    V1Image,
    best_checksum,
    check_image_id,
    incomplete,
    plain_name,
    read_ancestry,
    read_json,
    tells_of_another,
)

#: bytes of the small files, at the most; an ancestry of 4096 images has less
_SMALL = 1 << 20
_TAG = "tag_"


class V1Storage:
    """See V1Reader. `files` are those of the folder that has `images` and `repositories`."""

    def __init__(self, files: Files, bandwidth: Rate | None = None) -> None:
        self._files = files
        self._bandwidth = bandwidth
        self.name = files.name
        self.is_local = files.is_local
        self._odd: set[str] = set()
        #: where repositories are
        self._known: dict[str, str] = {}

    def check(self) -> None:
        """Look for the two folders; InvalidOption where there is neither."""
        there = self._files.entries("")
        if there is None:
            raise InvalidOption("there is no such folder.", subject=self.name, hint="Give the folder that the registry calls storage_path.")
        if not {"images", "repositories"} & {one.name for one in there if one.is_folder}:
            raise InvalidOption(
                "is no storage of a v1 registry: it has neither images nor repositories.",
                subject=self.name,
                hint="Give the folder that has both; docker-registry calls it storage_path.",
            )

    # -- repositories
    def repositories(self) -> t.Iterator[str]:
        """All repositories, in order. Names that no registry takes are left out, with a warning."""
        found = []
        for outer in sorted(self._folders_in("repositories")):
            for inner in self._folders_in(f"repositories/{outer}"):
                name = plain_name(f"{outer}/{inner}")
                try:
                    check_repository(name)
                except InvalidReference:
                    self._odd.add(name)
                else:
                    found.append(name)
                    self._known[name] = f"repositories/{outer}/{inner}"
        return iter(sorted(set(found)))

    def _folders_in(self, folder: str) -> list[str]:
        return [one.name for one in self._files.entries(folder) or () if one.is_folder]

    def description(self, repository: str) -> str:
        """The storage has none: descriptions are in the database of the search."""
        return ""

    def _find(self, repository: str) -> tuple[str, list[Entry]]:
        """The folder of a repository, and what is in it; RepositoryUnknown where there is none."""
        outer, _slash, inner = (repository if "/" in repository else f"library/{repository}").partition("/")
        once = quote(inner, safe="")
        known = self._known.get(repository)
        folders = [known] if known else [f"repositories/{outer}/{name}" for name in dict.fromkeys([once, quote(once, safe="")])]
        for folder in folders:
            there = self._files.entries(folder)
            if there is not None:
                self._known[repository] = folder
                return folder, there
        raise RepositoryUnknown("there is no such repository.", subject=f"{self.name}/{repository}", hint="Check the name.")

    def tags(self, repository: str) -> dict[str, str]:
        """{tag: image id}; RepositoryUnknown where there is no such folder."""
        folder, there = self._find(repository)
        tags = {one.name[len(_TAG) :] for one in there if one.name.startswith(_TAG) and not one.is_folder}
        found: dict[str, str] = {}
        for tag in sorted(tags):
            content = None if tells_of_another(tag, tags) else self._read(f"{folder}/{_TAG}{tag}")
            if content is not None:
                text = content.decode("ascii", "replace").strip().strip('"')
                found[tag] = check_image_id(text, f"{self.name}/{repository}:{tag}")
        return found

    def pushed(self, repository: str, tag: str) -> datetime.datetime | None:
        """When a tag was last pushed; None where nobody has written that down."""
        folder = self._known.get(repository) or self._find(repository)[0]
        path = f"{folder}/tag{tag}_json"
        content = self._read(path)
        if content is None:
            return None
        try:
            told = read_json(content, self._files.where(path))
            moment = told.get("last_update") if isinstance(told, dict) else None
            return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc) if isinstance(moment, (int, float)) else None
        except (InvalidManifest, ValueError, OverflowError, OSError):
            return None

    # -- images
    def _read(self, path: str, limit: int = _SMALL) -> bytes | None:
        return self._files.read(path, limit)

    def _where(self, repository: str, image_id: str) -> str:
        return f"{self.name}/{repository}@{image_id}"

    def ancestry(self, repository: str, image_id: str) -> list[str]:
        """The ids of an image and all its ancestors, itself first."""
        where = self._where(repository, image_id)
        content = self._read(f"images/{image_id}/ancestry")
        if content is None:
            raise self._missing(image_id, where)
        return read_ancestry(read_json(content, where), image_id, where)

    def _missing(self, image_id: str, where: str) -> Exception:
        """Why an image has a file less than it ought to have."""
        there = self._files.entries(f"images/{image_id}")
        if not there:
            return ManifestUnknown("there is no such image.", subject=where, hint="Push the image again at the source, or leave it out.")
        # it was begun, and never ended
        return incomplete(where)

    def image(self, repository: str, image_id: str) -> V1Image:
        """An image's document, the size of its layer, and its checksum."""
        where = self._where(repository, image_id)
        folder = f"images/{image_id}"
        names = {one.name for one in self._files.entries(folder) or ()}
        if not {"json", "layer"} <= names or "_inprogress" in names:
            raise self._missing(image_id, where)
        document = self._read(f"{folder}/json", IMAGE_LIMIT)
        size = self._files.size(f"{folder}/layer")
        if document is None or size is None:
            raise self._missing(image_id, where)
        return V1Image(document, size, self._checksum(folder) if "_checksum" in names else "")

    def _checksum(self, folder: str) -> str:
        """What docker-registry keeps of it: a list in JSON, or, of older versions, one as a text."""
        path = f"{folder}/_checksum"
        content = self._read(path) or b""
        with contextlib.suppress(InvalidManifest):
            told = read_json(content, self._files.where(path))
            return best_checksum(str(one) for one in (told if isinstance(told, list) else [told]))
        return content.decode("ascii", "replace").strip()

    def open_layer(self, repository: str, image_id: str, size: int) -> BlobSource:
        """The layer's stored bytes."""
        if size == 0:
            return HeldBlob(b"")
        return FileSource(self._files, f"images/{image_id}/layer", self._where(repository, image_id), self._bandwidth)

    # -- bookkeeping
    @property
    def places(self) -> int:
        """As much as its place allows."""
        return self._files.places

    @property
    def requests(self) -> int:
        """Over the network; a folder of this host needs none."""
        return self._files.requests

    @property
    def warnings(self) -> list[str]:
        """Repositories that were left out."""
        if not self._odd:
            return []
        shown = ", ".join(ascii(one)[1:-1][:80] for one in sorted(self._odd)[:5])
        return [f"{self.name} has folders whose names are not those of repositories, and were left out: {shown}."]

    def close(self) -> None:
        """Give back what is held."""
        self._files.close()

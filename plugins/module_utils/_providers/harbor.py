# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Harbor 2.x: projects have to exist before a push; artifacts are listed with digests, a hundred on a page.

The API is that of Harbor's `api/v2.0/swagger.yaml`. Requests carry Basic authorization and no cookies, so that none of them needs a
CSRF token.
"""

from __future__ import annotations

import base64
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import RegistryError, RepositoryUnknown
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, RepositoryRecord, TagRecord

_TOTAL = "X-Total-Count"
#: the settings that `ensure` knows, and how a project has them: its metadata are texts
_METADATA = {"public": "public", "auto_scan": "auto_scan", "prevent_vulnerable": "prevent_vul"}


class Harbor(Provider):
    """One Harbor."""

    container = "project"
    settings: t.ClassVar[t.Mapping[str, str]] = {
        "public": "whether everybody may pull (yes or no)",
        "auto_scan": "whether images are scanned when they are pushed (yes or no)",
        "prevent_vulnerable": "whether images with vulnerabilities may be pulled (yes or no)",
        "storage_limit": "bytes of storage, -1 for no limit; only when it is created",
    }
    lists_digests = True
    lists_with = "/api/v2.0/repositories and .../artifacts, 100 on a page"
    tested = "a double over docker-registry, checked against Harbor's API description"

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        self._api = site.make_api((site.api_url or site.default_base) + "/api/v2.0", self._headers)

    def _headers(self) -> dict[str, str]:
        credential = self.site.credential()
        if credential is None or not credential.password:
            return {}
        pair = base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode()
        self.site.on_secret(pair)
        # a project named by a number is not to be taken for the project of that id
        return {"Authorization": f"Basic {pair}", "X-Is-Resource-Name": "true"}

    def repositories(self) -> t.Iterator[RepositoryRecord]:
        what = f"the projects of {self.site.host}"
        public = {
            project.get("name"): str((project.get("metadata") or {}).get("public", "")).lower() == "true"
            for project in self._api.numbered("/projects", {"with_detail": "false"}, what, total=_TOTAL)
        }
        for found in self._api.numbered("/repositories", {}, f"the repositories of {self.site.host}", total=_TOTAL):
            name = str(found["name"])
            visible = public.get(name.partition("/")[0])
            yield RepositoryRecord(
                name,
                description=str(found.get("description") or ""),
                visibility="" if visible is None else "public" if visible else "private",
                created=str(found.get("creation_time") or ""),
            )

    def tags(self, repository: str) -> list[TagRecord]:
        project, _slash, image = repository.partition("/")
        # slashes are encoded twice: the first decoding is the router's
        path = f"/projects/{quote(project, safe='')}/repositories/{quote(quote(image, safe=''), safe='')}/artifacts"
        what = f"{self.site.host}/{repository}"
        query = {"with_tag": "true", "with_accessory": "false", "with_scan_overview": "false"}
        found = []
        try:
            for artifact in self._api.numbered(path, query, what, total=_TOTAL):
                for tag in artifact.get("tags") or []:
                    found.append(
                        TagRecord(
                            str(tag["name"]),
                            str(artifact["digest"]),
                            str(artifact.get("manifest_media_type") or ""),
                            int(artifact.get("size") or -1),
                            str(tag.get("push_time") or artifact.get("push_time") or ""),
                        )
                    )
        except RegistryError as error:
            if error.status != 404:
                raise
            raise RepositoryUnknown("there is no such repository.", subject=what, hint="Check the name.") from error
        return found

    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        what = f"the project {name}"
        reply = self._api.ask("GET", f"/projects/{quote(name, safe='')}", accept=(200, 403, 404), what=what)
        metadata = {key: str(bool(wanted[key])).lower() for key in _METADATA if wanted.get(key) is not None}
        if reply.status == 200:
            has = reply.document.get("metadata") or {}
            before = {key: has.get(_METADATA[key], "false") for key in metadata}
            differences = {key: (before[key], value) for key, value in metadata.items() if before[key] != value}
            if not differences:
                return Creation(self.container, name, "existing")
            if apply:
                changed = {"metadata": {_METADATA[key]: metadata[key] for key in differences}}
                self._api.ask("PUT", f"/projects/{quote(name, safe='')}", document=changed, what=what)
            return Creation(self.container, name, "changed", differences)
        document: dict[str, t.Any] = {"project_name": name, "metadata": {_METADATA[key]: value for key, value in metadata.items()}}
        if wanted.get("storage_limit") is not None:
            document["storage_limit"] = wanted["storage_limit"]
        if apply:
            # 409: somebody else was faster
            self._api.ask("POST", "/projects", document=document, accept=(201, 409), what=what)
        return Creation(self.container, name, "created", {key: (None, value) for key, value in metadata.items()})

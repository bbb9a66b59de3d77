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

import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AccessDenied, AuthenticationFailed
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import (
    amount,
    basic,
    completed,
    is_true,
    readable,
    whole,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import of_repository
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
        "prevent_vulnerable": "whether images with vulnerabilities are kept from being pulled (yes or no)",
        "storage_limit": "bytes of storage, -1 for no limit; only when it is created",
    }
    lists_digests = True
    lists_with = "/api/v2.0/repositories and .../artifacts, 100 on a page, and the lists of tags"
    tested = "a double over docker-registry, checked against the product's API description; not exercised against the product"

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        self._api = site.make_api((site.api_url or site.default_base) + "/api/v2.0", self._headers)

    def _headers(self) -> dict[str, str]:
        # a project named by a number is not to be taken for the project of that id
        return {"X-Is-Resource-Name": "true", **basic(self.site.credential(), self.site.on_secret)}

    # -- what is there
    def repositories(self) -> t.Iterator[RepositoryRecord]:
        public = self._visibilities()
        for path in [f"/projects/{quote(name, safe='')}/repositories" for name in self.site.namespaces] or ["/repositories"]:
            what = f"the repositories of {self.site.host}"
            for found in self._api.numbered(path, {}, what, total=_TOTAL):
                with readable(what):
                    name = str(found["name"])
                    record = RepositoryRecord(
                        name,
                        description=str(found.get("description") or ""),
                        visibility=public.get(name.partition("/")[0], ""),
                        created=str(found.get("creation_time") or ""),
                    )
                yield record

    def _visibilities(self) -> dict[str, str]:
        """Which projects are public and which private; empty for users (of one project, say) that may not list them."""
        what = f"the projects of {self.site.host}"
        found = {}
        try:
            for project in self._api.numbered("/projects", {"with_detail": "false"}, what, total=_TOTAL):
                with readable(what):
                    public = str((project.get("metadata") or {}).get("public", "")).lower() == "true"
                    found[str(project["name"])] = "public" if public else "private"
        except (AccessDenied, AuthenticationFailed):
            # whether the repositories may be listed is another question
            return {}
        return found

    def tags(self, repository: str) -> list[TagRecord]:
        project, _slash, image = repository.partition("/")
        # slashes are encoded twice: the first decoding is the router's
        path = f"/projects/{quote(project, safe='')}/repositories/{quote(quote(image, safe=''), safe='')}/artifacts"
        what = f"{self.site.host}/{repository}"
        query = {"with_tag": "true", "with_accessory": "false", "with_scan_overview": "false"}
        found = []
        with of_repository(what), readable(what):
            for artifact in self._api.numbered(path, query, what, total=_TOTAL):
                for tag in artifact.get("tags") or []:
                    found.append(
                        TagRecord(
                            str(tag["name"]),
                            str(artifact["digest"]),
                            str(artifact.get("manifest_media_type") or ""),
                            amount(artifact.get("size")) or -1,
                            str(tag.get("push_time") or artifact.get("push_time") or ""),
                        )
                    )
        # what belongs to another artifact (a signature, say) is no artifact of the list above, but it has its tag
        return completed(found, self.site.client.tags(repository))

    # -- what has to be there
    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        what = f"the project {name}"
        path = f"/projects/{quote(name, safe='')}"
        metadata = {key: str(is_true(wanted[key], key)).lower() for key in _METADATA if wanted.get(key) is not None}
        reply = self._api.ask("GET", path, accept=(200, 403, 404), what=what)
        if reply.status == 200:
            return self._change(name, path, reply.document, metadata, apply)
        if reply.status == 403 and self._api.ask("HEAD", "/projects", {"project_name": name}, accept=(200, 404), what=what).status == 200:
            raise self._of_others(what)
        document: dict[str, t.Any] = {"project_name": name, "metadata": {_METADATA[key]: value for key, value in metadata.items()}}
        differences: dict[str, tuple[t.Any, t.Any]] = {key: (None, value) for key, value in metadata.items()}
        if wanted.get("storage_limit") is not None:
            document["storage_limit"] = whole(wanted["storage_limit"], "storage_limit")
            differences["storage_limit"] = (None, document["storage_limit"])
        if apply and self._api.ask("POST", "/projects", document=document, accept=(201, 409), what=what).status == 409:
            # somebody else was faster
            there = self._api.ask("GET", path, accept=(200, 403, 404), what=what)
            if there.status != 200:
                raise self._of_others(what)
            return self._change(name, path, there.document, metadata, apply)
        return Creation(self.container, name, "created", differences)

    def _change(self, name: str, path: str, document: t.Any, metadata: t.Mapping[str, str], apply: bool) -> Creation:
        """Have a project that exists with these metadata, by the names of the settings."""
        what = f"the project {name}"
        with readable(what):
            has = document.get("metadata") or {}
            if amount(document.get("registry_id")) > 0:
                return Creation(self.container, name, "drift", {"proxy cache": ("yes", "no")})
            before = {key: str(has.get(_METADATA[key]) or "false") for key in metadata}
        differences: dict[str, tuple[t.Any, t.Any]] = {key: (before[key], value) for key, value in metadata.items() if before[key] != value}
        if not differences:
            return Creation(self.container, name, "existing")
        if apply:
            changed = {"metadata": {_METADATA[key]: metadata[key] for key in differences}}
            self._api.ask("PUT", path, document=changed, what=what)
        return Creation(self.container, name, "changed", differences)

    def _of_others(self, what: str) -> AccessDenied:
        return AccessDenied("exists, but this user may not see it.", subject=what, hint="Grant the right, or use another account or name.")

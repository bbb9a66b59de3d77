# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""GitHub's container registry: packages and their versions from GitHub's API, whose versions are named by their digests.

The API wants a personal access token (classic) with the right `read:packages`, which is what the registry takes for a password, too.
It tells neither sizes nor media types.
"""

from __future__ import annotations

import threading
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import CatalogForbidden
from ansible_collections.registryops.migration.plugins.module_utils._providers.api import API
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import (
    FROM_DOCUMENTATION,
    field,
    listed,
    of_namespace,
    of_repository,
    required,
    text,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import RepositoryRecord, TagRecord

ADDRESS = "https://api.github.com"
#: GitHub Enterprise Server has its registry on a host whose name begins so, and its API on the host of the name's rest
_ENTERPRISE = "containers."
_VERSION = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_PAGE = {"per_page": 100}


class GHCR(Provider):
    """GitHub's container registry, or that of a GitHub Enterprise Server."""

    lists_digests = True
    lists_with = "GitHub's API: /orgs/.../packages (or /users/...) and their versions, 100 on a page"
    tested = FROM_DOCUMENTATION

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        base = site.api_url or _api_of(site.host)
        self._api: API | None = site.make_api(base, self._headers) if base and self._token() else None
        self._lock = threading.Lock()
        self._owners: dict[str, str] = {}

    def _token(self) -> str:
        credential = self.site.credential()
        return self.site.api_token or (credential.password if credential else "")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token()}", **_VERSION}

    def repositories(self) -> t.Iterator[RepositoryRecord]:
        if self._api is None:
            raise CatalogForbidden(
                "GitHub tells its packages only to those who show a token, at the address of its API.",
                subject=self.site.host,
                hint="Give password or api_token (and api_url for another GitHub), or name the repositories in the rule.",
            )
        what = f"the packages of {self.site.host}"
        for place in self._places(self._api):
            for row in self._api.linked(f"{place}/packages", {"package_type": "container", **_PAGE}, what):
                owner = required(field(row, "owner"), "login", what)
                yield RepositoryRecord(
                    f"{owner}/{required(row, 'name', what)}".lower(),
                    description=text(row, "repository", "description"),
                    visibility=text(row, "visibility"),
                    created=text(row, "created_at"),
                )

    def _places(self, api: API) -> list[str]:
        places = []
        for owner in self.site.namespaces:
            with of_namespace(self.site, owner, self.profile.title):
                places.append(self._place(api, owner))
        return places or ["/user"]

    def _place(self, api: API, owner: str) -> str:
        """Where the packages of an owner are: users and organizations have them in different places. Asked for once."""
        name = quote(owner, safe="")
        with self._lock:
            if owner not in self._owners:
                found = api.ask("GET", f"/users/{name}", what=f"the owner {owner}").document
                self._owners[owner] = "orgs" if text(found, "type") == "Organization" else "users"
            return f"/{self._owners[owner]}/{name}"

    def tags(self, repository: str) -> list[TagRecord] | None:
        if self._api is None:
            return None
        owner, _slash, package = repository.partition("/")
        what = f"{self.site.host}/{repository}"
        found: dict[str, TagRecord] = {}
        with of_repository(what):
            path = f"{self._place(self._api, owner)}/packages/container/{quote(package, safe='')}/versions"
            # what has no tag is listed as well: children of indexes, and what tags have moved away from
            for row in self._api.linked(path, {"state": "active", **_PAGE}, what):
                for tag in listed(row, "metadata", "container", "tags"):
                    found.setdefault(str(tag), TagRecord(str(tag), required(row, "name", what), pushed=text(row, "updated_at")))
        return list(found.values())


def _api_of(host: str) -> str:
    """The address of the API that goes with a registry; empty where its name does not tell."""
    if host == "ghcr.io":
        return ADDRESS
    return f"https://{host[len(_ENTERPRISE) :]}/api/v3" if host.startswith(_ENTERPRISE) else ""

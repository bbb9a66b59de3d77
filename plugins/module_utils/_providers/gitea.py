# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Gitea and Forgejo: packages of users and organizations, which have to exist before a push.

Their list of packages has an entry for each version, without its digest: it tells which repositories there are, and about them. Where
no owners are named, the catalogue has all repositories that this user may see.
"""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import basic
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import (
    FROM_DOCUMENTATION,
    field,
    of_namespace,
    required,
    text,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, RepositoryRecord

#: larger pages are not given unless the server is set up for it
_LARGEST_PAGE = 50
_TOTAL = "X-Total-Count"


class Gitea(Provider):
    """A Gitea or a Forgejo."""

    container = "organization"
    settings: t.ClassVar[t.Mapping[str, str]] = {
        "visibility": "public, limited (to those who have signed in) or private (by default); of an organization, and so of its packages",
        "description": "a text about it; only when it is created",
    }
    lists_with = "/api/v1/packages/{owner} of the namespaces, 50 on a page; else the catalogue; tags from the registry"
    tested = FROM_DOCUMENTATION

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        self._api = site.make_api(f"{site.api_url or site.default_base}/api/v1", self._headers)

    def _headers(self) -> dict[str, str]:
        if self.site.api_token:
            return {"Authorization": f"token {self.site.api_token}"}
        return basic(self.site.credential(), self.site.on_secret)

    # -- what is there
    def repositories(self) -> t.Iterator[RepositoryRecord]:
        if not self.site.namespaces:
            yield from super().repositories()
            return
        for owner in self.site.namespaces:
            with of_namespace(self.site, owner, self.profile.title):
                yield from self._packages(owner)

    def _packages(self, owner: str) -> t.Iterable[RepositoryRecord]:
        """The repositories of an owner, put together from their versions: tags, and digests for what has none."""
        what = f"the packages of {owner} at {self.site.host}"
        path = f"/packages/{quote(owner, safe='')}"
        found: dict[str, RepositoryRecord] = {}
        for row in self._api.numbered(path, {"type": "container"}, what, size=_LARGEST_PAGE, names=("page", "limit"), total=_TOTAL):
            name = f"{owner}/{required(row, 'name', what)}".lower()
            created = text(row, "created_at")
            known = found.get(name) or RepositoryRecord(
                name,
                description=text(row, "repository", "description"),
                visibility=text(row, "owner", "visibility"),
                tag_count=0,
                created=created,
            )
            is_tag = ":" not in required(row, "version", what)
            found[name] = dataclasses.replace(
                known, tag_count=known.tag_count + is_tag, created=min(filter(None, (known.created, created)), default="")
            )
        return found.values()

    # -- what has to be there
    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        what = f"the organization {name}"
        path = f"/orgs/{quote(name, safe='')}"
        chosen = {key: str(wanted[key]) for key in self.settings if wanted.get(key) is not None}
        reply = self._api.ask("GET", path, accept=(200, 404), what=what)
        if reply.status == 200:
            visibility = text(reply.document, "visibility")
            if "visibility" not in chosen or visibility == chosen["visibility"]:
                return Creation(self.container, name, "existing")
            if apply:
                self._api.ask("PATCH", path, document={"visibility": chosen["visibility"]}, what=what)
            return Creation(self.container, name, "changed", {"visibility": (visibility, chosen["visibility"])})
        user = self._api.ask("GET", f"/users/{quote(name, safe='')}", accept=(200, 404), what=what)
        if user.status == 200 and field(user.document, "login"):
            # a user owns packages as well
            return Creation(self.container, name, "existing")
        if apply:
            # what nobody has said to be public is not made so
            document = {"username": name, "visibility": "private", **chosen}
            self._api.ask("POST", "/orgs", document=document, accept=(201,), what=what)
        return Creation(self.container, name, "created", {key: (None, value) for key, value in chosen.items()})

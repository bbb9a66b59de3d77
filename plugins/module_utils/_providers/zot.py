# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""zot: its search extension (GraphQL, at the registry's own address) tells the digests of all tags, where it is switched on."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import urlencode

from ansible_collections.registryops.migration.plugins.module_utils._oci.authentication import PULL, repository_scope
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, walk
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import amount, completed, readable
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import TagRecord

_SEARCH = "/v2/_zot/ext/search"
_PAGE = 1000
_FIELDS = "Page{TotalCount ItemCount} Results{Tag Digest MediaType Size PushTimestamp}"
#: 404 where the extension is off; 400, 405 and 422 where its schema is an older one
_NO_SEARCH = (200, 400, 404, 405, 422)


class Zot(Provider):
    """One zot."""

    lists_digests = True
    lists_with = "the catalogue, and ImageList of the search extension, up to 1,000 on a page; without it the lists of tags"
    tested = "a double over docker-registry, written from the product's documentation; not exercised against the product"

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        #: whether there is a search extension that answers; found out by the first question
        self._searches = True

    def tags(self, repository: str) -> list[TagRecord] | None:
        if not self._searches:
            return None
        # signatures stand in this list alone
        names = self.site.client.tags(repository)
        what = f"{self.site.host}/{repository}"
        known = set(names)
        with readable(what):
            rows = list(walk(0, lambda offset: self._page(repository, offset, what), what))
            return completed([_record(row) for row in rows if row["Tag"] in known], names)

    def _page(self, repository: str, offset: int, what: str) -> Page[t.Any]:
        page = f"{{limit:{_PAGE},offset:{offset},sortBy:ALPHABETIC_ASC}}"
        query = f"{{ImageList(repo:{json.dumps(repository)},requestedPage:{page}){{{_FIELDS}}}}}"
        scopes = (repository_scope(repository, PULL),)
        document, _response = self.site.client.ask(f"{_SEARCH}?{urlencode({'query': query})}", scopes, what, accept=_NO_SEARCH)
        if document is None:
            self._searches = False
            return Page((), None)
        found = (document.get("data") or {}).get("ImageList")
        if document.get("errors") or not found:
            # what it has not indexed yet, each tag is asked for
            return Page((), None)
        rows, total = found.get("Results") or [], amount((found.get("Page") or {}).get("TotalCount"))
        following = offset + len(rows)
        return Page(rows, following if rows and following < total else None, total)


def _record(row: t.Mapping[str, t.Any]) -> TagRecord:
    return TagRecord(
        str(row["Tag"]),
        str(row.get("Digest") or ""),
        str(row.get("MediaType") or ""),
        amount(row.get("Size")),
        str(row.get("PushTimestamp") or ""),
    )

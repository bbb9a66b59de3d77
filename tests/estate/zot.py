# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of zot: the part of its search extension that lists the images of a repository, which can be switched off."""

from __future__ import annotations

import json
import re
import typing as t

from estate.holdings import Holdings
from estate.product import Answer, Asked, ProductDouble

if t.TYPE_CHECKING:
    from estate.registry import Registry

_QUERY = re.compile(
    r'\{ImageList\(repo:(?P<repo>"[^"]*"),requestedPage:\{limit:(?P<limit>\d+),offset:(?P<offset>\d+),sortBy:[A-Z_]+\}\)'
    r"\{Page\{TotalCount ItemCount\} Results\{(?P<fields>[A-Za-z ]+)\}\}\}"
)
_FIELDS = {"Tag", "Digest", "MediaType", "Size", "PushTimestamp"}
#: signatures are no images to the extension
_SIGNATURE = re.compile(r"sha256-[0-9a-f]{64}\.sig")


class ZotDouble(ProductDouble):
    """One zot. `search`: whether the extension is on; `users`: passwords by name, asked for with Basic; `most`: the largest page.

    `lost`: how many images it leaves out without a word.
    """

    def __init__(self, behind: Registry, users: t.Mapping[str, str] | None = None) -> None:
        super().__init__(behind)
        self._holdings = Holdings(behind)
        self.users = dict(users or {})
        self.closed: set[str] = set()
        self.search = True
        self.most = 1000
        self.lost = 0

    def registry(self, asked: Asked) -> Answer | None:
        """Basic where there are users, and the search."""
        user, password = asked.basic
        if self.users and self.users.get(user) != password:
            return Answer(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": 'Basic realm="Authorization Required"'})
        if asked.path != "/v2/_zot/ext/search":
            return None
        if not self.search:
            return Answer(404, body=b"404 page not found\n", headers={"Content-Type": "text/plain"})
        if user in self.closed:
            return Answer(403, {"errors": [{"code": "DENIED"}]})
        return self._images(asked.query["query"])

    def _images(self, query: str) -> Answer:
        found = _QUERY.fullmatch(query)
        if not found or not set(found["fields"].split()) <= _FIELDS:
            return Answer(422, {"errors": [{"message": "Cannot query field", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]})
        manifests = self._holdings.manifests(json.loads(found["repo"]))
        if not manifests:
            return Answer(200, {"errors": [{"message": "repository not found", "path": ["ImageList"]}], "data": None})
        rows = sorted(
            (
                {
                    "Tag": tag,
                    "Digest": manifest.digest,
                    "MediaType": manifest.media_type,
                    "Size": str(manifest.size),
                    "PushTimestamp": "2026-01-01T00:00:00Z",
                }
                for manifest in manifests
                for tag in manifest.tags
                if not _SIGNATURE.fullmatch(tag)
            ),
            key=lambda row: row["Tag"],
        )
        offset, limit = int(found["offset"]), min(int(found["limit"]), self.most)
        page = rows[: len(rows) - self.lost][offset : offset + limit]
        images = {"Page": {"TotalCount": len(rows), "ItemCount": len(page)}, "Results": page}
        return Answer(200, {"data": {"ImageList": images}})

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of Google Artifact Registry: lists of tags with Google's fields, its token service, and the API that creates repositories."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from estate.holdings import Holdings
from estate.opaque_tokens import OpaqueTokens, challenge, needed_for
from estate.product import Answer, Asked, ProductDouble, error

if t.TYPE_CHECKING:
    from estate.registry import Registry

_PLACE = r"/v1/projects/([^/]+)/locations/([^/]+)/repositories"
#: 2026-01-01T00:00:00Z
_MILLISECONDS = "1767225600000"


class GoogleDouble(ProductDouble):
    """The registry of one location, and the API, behind one port. `token` is the one access token that both take.

    `repositories`: what the API knows of them, by `project/repository`. `most`: entries on a page of the API. `slow`: how often an
    operation says that it is not done yet. `closed`: whether the API refuses everybody.
    """

    def __init__(self, behind: Registry, location: str, token: str, repositories: t.Iterable[str] = ()) -> None:
        super().__init__(behind)
        self._holdings = Holdings(behind)
        self.location = location
        self.token = token
        self.repositories: dict[str, dict[str, t.Any]] = {}
        self.most = 1000
        self.slow = 0
        self.closed = False
        #: what an operation fails with
        self.failure = ""
        self.tokens = OpaqueTokens()
        self._operations: dict[str, int] = {}
        for name in repositories:
            self._add(*name.split("/"), {})
        self.route("GET", "/v2/token", self._give_token)
        self.route("GET", r"/v2/(.+)/tags/list", self._tags)
        self.route("GET", _PLACE, self._guarded(self._list))
        self.route("POST", _PLACE, self._guarded(self._create))
        self.route("GET", f"{_PLACE}/([^/]+)", self._guarded(self._get))
        self.route("PATCH", f"{_PLACE}/([^/]+)", self._guarded(self._change))
        self.route("GET", f"{_PLACE}/([^/]+)/packages", self._guarded(self._packages))
        self.route("GET", r"/v1/(projects/[^/]+/locations/[^/]+/operations/[^/]+)", self._guarded(self._operation))

    # -- the API
    def _guarded(self, answer: t.Callable[..., Answer]) -> t.Callable[..., Answer]:
        def guard(asked: Asked, *groups: str) -> Answer:
            if asked.bearer != self.token:
                return _failure(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
            if self.closed:
                return _failure(403, "PERMISSION_DENIED", "Artifact Registry API has not been used in project before or it is disabled.")
            return answer(asked, *groups)

        return guard

    def _list(self, asked: Asked, project: str, location: str) -> Answer:
        rows = [row for name, row in sorted(self.repositories.items()) if name.startswith(f"{project}/") and location == self.location]
        return self._page(asked, "repositories", rows)

    def _get(self, asked: Asked, project: str, location: str, name: str) -> Answer:
        row = self.repositories.get(f"{project}/{name}") if location == self.location else None
        return Answer(200, row) if row else _failure(404, "NOT_FOUND", "Requested entity was not found.")

    def _create(self, asked: Asked, project: str, location: str) -> Answer:
        name = asked.query["repositoryId"]
        if f"{project}/{name}" in self.repositories:
            return _failure(409, "ALREADY_EXISTS", "the repository already exists")
        operation = f"projects/{project}/locations/{location}/operations/{len(self._operations)}"
        self._operations[operation] = self.slow
        if not self.failure:
            self._add(project, name, asked.document)
        return self._operation(asked, operation)

    def _operation(self, asked: Asked, name: str) -> Answer:
        left = self._operations[name]
        self._operations[name] = left - 1
        if left > 0:
            return Answer(200, {"name": name, "metadata": {}})
        outcome = {"error": {"code": 9, "message": self.failure}} if self.failure else {"response": {}}
        return Answer(200, {"name": name, "done": True, **outcome})

    def _change(self, asked: Asked, project: str, location: str, name: str) -> Answer:
        row, wanted = self.repositories[f"{project}/{name}"], asked.document
        for mask in asked.query["updateMask"].split(","):
            field, _dot, part = mask.partition(".")
            if part:
                row.setdefault(field, {})[part] = wanted[field][part]
            else:
                row[field] = wanted[field]
        return Answer(200, row)

    def _packages(self, asked: Asked, project: str, location: str, name: str) -> Answer:
        prefix = f"{project}/{name}/"
        parent = f"projects/{project}/locations/{location}/repositories/{name}/packages"
        images = [one.removeprefix(prefix) for one in self._holdings.repositories() if one.startswith(prefix)]
        rows = [{"name": f"{parent}/{urllib.parse.quote(one, safe='')}", "createTime": "2026-01-01T00:00:00Z"} for one in images]
        return self._page(asked, "packages", rows)

    def _page(self, asked: Asked, key: str, rows: list[t.Any]) -> Answer:
        start, size = int(asked.query.get("pageToken", "0")), min(int(asked.query.get("pageSize", "100")), self.most)
        following = {"nextPageToken": str(start + size)} if start + size < len(rows) else {}
        page = rows[start : start + size]
        return Answer(200, {**({key: page} if page else {}), **following})

    def _add(self, project: str, name: str, wanted: t.Mapping[str, t.Any]) -> None:
        resource = f"projects/{project}/locations/{self.location}/repositories/{name}"
        self.repositories[f"{project}/{name}"] = {"name": resource, "format": "DOCKER", "mode": "STANDARD_REPOSITORY", **wanted}

    # -- what is below /v2/
    def _give_token(self, asked: Asked) -> Answer:
        if asked.basic != ("oauth2accesstoken", self.token):
            return error(401, "UNAUTHORIZED", "authentication failed")
        return Answer(200, {"token": self.tokens.give(value for name, value in asked.parameters if name == "scope")})

    def _refused(self, asked: Asked) -> Answer | None:
        needed = needed_for(asked)
        if self.tokens.covers(asked.bearer, needed):
            return None
        return challenge(f"http://{asked.headers['host']}/v2/token", asked.headers["host"], needed)

    def _tags(self, asked: Asked, name: str) -> Answer:
        refused = self._refused(asked)
        if refused:
            return refused
        below = [one.removeprefix(f"{name}/") for one in self._holdings.repositories() if one.startswith(f"{name}/")]
        found = self._holdings.manifests(name)
        if not found and not below:
            return error(404, "NAME_UNKNOWN", f'Repository "{name}" not found')
        manifests = {
            manifest.digest: {
                "imageSizeBytes": str(manifest.size),
                "layerId": "",
                "mediaType": manifest.media_type,
                "tag": list(manifest.tags),
                "timeCreatedMs": _MILLISECONDS,
                "timeUploadedMs": _MILLISECONDS,
            }
            for manifest in found
        }
        tags = [tag for manifest in found for tag in manifest.tags]
        children = sorted({one.partition("/")[0] for one in below})
        return Answer(200, {"child": children, "manifest": manifests, "name": name, "tags": tags})

    def registry(self, asked: Asked) -> Answer | None:
        """Tokens everywhere, and no push into a repository that is not there."""
        refused = self._refused(asked)
        if refused:
            return refused
        found = re.match(r"/v2/([^/]+/[^/]+)/.+/(?:blobs|manifests)/", asked.path)
        if found and asked.method not in ("GET", "HEAD") and found[1] not in self.repositories:
            return error(404, "NAME_UNKNOWN", f'Repository "{found[1].partition("/")[2]}" not found')
        return None

    def after(self, asked: Asked, answer: Answer) -> Answer:
        """Uploads go on at the name under which the registry was asked."""
        location = answer.headers.get("Location", "")
        if not location.startswith(self.url):
            return answer
        return Answer(answer.status, headers={**answer.headers, "Location": location.removeprefix(self.url)}, body=answer.body)


def _failure(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": status, "message": message, "status": code}})

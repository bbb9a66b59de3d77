# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of Quay: its registry with its token service, and its API, which takes OAuth2 application tokens alone."""

from __future__ import annotations

import base64
import functools
import typing as t

from estate.bearer import BearerDouble
from estate.holdings import Holdings
from estate.pages import size_of, window
from estate.product import Answer, Asked
from estate.registry import Registry

_API = "/api/v1"
_NOT_FOUND = Answer(404, {"status": 404, "error_type": "not_found", "error_message": "Not Found"})


class QuayDouble(BearerDouble):
    """`users`: for the registry; `api_tokens`: `{token: user}`, for the API.

    Knobs: `largest_page`; `closed`: the tokens lack the right to read. What there is: `organizations` with their addresses, `made`
    with what the API tells of repositories.
    """

    token_path = "/v2/auth"
    service = "quay.example.com"

    def __init__(self, behind: Registry, users: t.Mapping[str, str], api_tokens: t.Mapping[str, str]) -> None:
        super().__init__(behind, users)
        self.api_tokens = dict(api_tokens)
        self.organizations: dict[str, str] = {}
        self.largest_page = 100
        self.closed = False
        self.made: dict[str, dict[str, t.Any]] = {}
        self._holdings = Holdings(behind)
        for method, pattern, answer in (
            ("GET", "/user/", self._tell_user),
            ("GET", "/users/([^/]+)", self._tell_namespace),
            ("GET", "/organization/([^/]+)", self._tell_organization),
            ("POST", "/organization/", self._create_organization),
            ("GET", "/repository", self._list_repositories),
            ("POST", "/repository", self._create_repository),
            ("GET", "/repository/(.+)/tag/", self._list_tags),
            ("POST", "/repository/(.+)/changevisibility", self._change_visibility),
            ("GET", "/repository/(.+)", self._tell_repository),
            ("PUT", "/repository/(.+)", self._describe),
        ):
            self.route(method, _API + pattern, functools.partial(self._api, answer))

    # -- the registry
    def may(self, user: str, repository: str, writing: bool) -> bool:
        """Users may do all in namespaces that there are."""
        return bool(user) and self._is_namespace(repository.partition("/")[0])

    def after(self, asked: Asked, answer: Answer) -> Answer:
        """Quay takes a manifest with 202, where others say 201."""
        if asked.method == "PUT" and "/manifests/" in asked.path and answer.status == 201:
            return Answer(202, headers=answer.headers, body=answer.body)
        return answer

    def _is_namespace(self, name: str) -> bool:
        return name in self.organizations or name in self.api_tokens.values()

    # -- the API
    def _api(self, answer: t.Callable[..., Answer], asked: Asked, *groups: str) -> Answer:
        user = self.api_tokens.get(asked.bearer)
        if user is None:
            return Answer(401, {"status": 401, "error_type": "invalid_token", "error_message": "OAuth token is invalid"})
        if self.closed:
            return Answer(403, {"status": 403, "error_type": "insufficient_scope", "error_message": "Unauthorized"})
        return answer(asked, user, *groups)

    def _tell_user(self, asked: Asked, user: str) -> Answer:
        return Answer(200, {"username": user, "organizations": [{"name": name} for name in self.organizations]})

    def _tell_namespace(self, asked: Asked, user: str, name: str) -> Answer:
        return Answer(200, {"username": name}) if name in self.api_tokens.values() else _NOT_FOUND

    def _tell_organization(self, asked: Asked, user: str, name: str) -> Answer:
        return Answer(200, {"name": name, "email": self.organizations[name]}) if name in self.organizations else _NOT_FOUND

    def _create_organization(self, asked: Asked, user: str) -> Answer:
        name = asked.document["name"]
        if self._is_namespace(name):
            return Answer(400, {"message": "A user or organization with this name already exists"})
        self.organizations[name] = asked.document.get("email", "")
        return Answer(201, "Created")

    def _record(self, name: str) -> dict[str, t.Any]:
        namespace, _slash, repository = name.partition("/")
        usual = {"namespace": namespace, "name": repository, "is_public": False, "description": None, "kind": "image"}
        return self.made.get(name) or usual

    def _names(self, namespace: str) -> list[str]:
        return sorted({*self._holdings.repositories(namespace), *(name for name in self.made if name.startswith(f"{namespace}/"))})

    def _there_is(self, repository: str) -> bool:
        return repository in self._names(repository.partition("/")[0])

    def _list_repositories(self, asked: Asked, user: str) -> Answer:
        if not asked.query.get("namespace"):
            return Answer(400, {"error_message": "namespace, starred or public are required for this API call"})
        names = self._names(asked.query["namespace"])
        first = int(base64.b64decode(asked.query["next_page"])) if "next_page" in asked.query else 0
        following = first + self.largest_page
        page: dict[str, t.Any] = {"repositories": [self._record(name) for name in names[first:following]]}
        if following < len(names):
            page["next_page"] = base64.b64encode(str(following).encode()).decode()
        return Answer(200, page)

    def _list_tags(self, asked: Asked, user: str, repository: str) -> Answer:
        if not self._there_is(repository):
            return _NOT_FOUND
        number, size = int(asked.query.get("page", 1)), size_of(asked, "limit", 50, self.largest_page)
        tags = self._holdings.tags(repository)

        def describe(tag: str) -> dict[str, t.Any]:
            held = self._holdings.manifest(repository, tag)
            return {
                "name": tag,
                "manifest_digest": held.digest,
                "is_manifest_list": bool(held.children),
                "size": held.size,
                "start_ts": 1_780_000_000,
                "last_modified": "Thu, 28 May 2026 20:26:40 -0000",
            }

        shown = [describe(tag) for tag in window(tags, number, size)]
        return Answer(200, {"tags": shown, "page": number, "has_additional": number * size < len(tags)})

    def _create_repository(self, asked: Asked, user: str) -> Answer:
        wanted = asked.document
        name = f"{wanted['namespace']}/{wanted['repository']}"
        if not self._is_namespace(wanted["namespace"]):
            return Answer(403, {"status": 403, "error_type": "insufficient_scope", "error_message": "Unauthorized"})
        if self._there_is(name):
            return Answer(400, {"message": "Repository already exists"})
        self.made[name] = {**self._record(name), "is_public": wanted["visibility"] == "public", "description": wanted["description"]}
        return Answer(201, {"namespace": wanted["namespace"], "name": wanted["repository"], "kind": wanted["repo_kind"]})

    def _tell_repository(self, asked: Asked, user: str, repository: str) -> Answer:
        return Answer(200, self._record(repository)) if self._there_is(repository) else _NOT_FOUND

    def _change_visibility(self, asked: Asked, user: str, repository: str) -> Answer:
        return self._change(repository, is_public=asked.document["visibility"] == "public")

    def _describe(self, asked: Asked, user: str, repository: str) -> Answer:
        return self._change(repository, description=asked.document["description"])

    def _change(self, repository: str, **fields: t.Any) -> Answer:
        if not self._there_is(repository):
            return _NOT_FOUND
        self.made[repository] = {**self._record(repository), **fields}
        return Answer(200, {"success": True})

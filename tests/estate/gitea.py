# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of Gitea and Forgejo: their registry, for which Tag and tag are one, their token service, and their API for packages."""

from __future__ import annotations

import functools
import re
import typing as t

from estate.bearer import BearerDouble
from estate.holdings import Holdings
from estate.pages import linked, size_of
from estate.product import Answer, Asked
from estate.registry import Registry

_API = "/api/v1"
_TAG = re.compile(r"(/v2/.+/manifests/)([^/:]+)")
_NOT_FOUND = Answer(404, {"message": "The target couldn't be found."})


class GiteaDouble(BearerDouble):
    """`users`: `{name: password}`; `api_tokens`: for the API alone.

    Knobs: `largest_page`; `closed`: tokens lack the right to read packages; `last_page`: pages after this one are empty. What there is:
    `organizations` with their visibility.
    """

    token_path = "/v2/token"
    service = "container_registry"
    challenge_more = ',scope="*"'

    def __init__(self, behind: Registry, users: t.Mapping[str, str], api_tokens: t.Sequence[str] = ()) -> None:
        super().__init__(behind, users)
        self.api_tokens = list(api_tokens)
        self.organizations: dict[str, str] = {}
        self.largest_page = 50
        self.closed = False
        self.last_page = 0
        self._holdings = Holdings(behind)
        for method, pattern, answer in (
            ("GET", "/packages/([^/]+)", self._list_versions),
            ("GET", "/orgs/([^/]+)", self._tell_organization),
            ("PATCH", "/orgs/([^/]+)", self._change_organization),
            ("POST", "/orgs", self._create_organization),
            ("GET", "/users/([^/]+)", self._tell_user),
        ):
            self.route(method, _API + pattern, functools.partial(self._api, answer))

    # -- the registry
    def may(self, user: str, repository: str, writing: bool) -> bool:
        """Users may do all to the packages of owners that there are."""
        return bool(user) and self._is_owner(repository.partition("/")[0])

    def rewritten(self, path: str) -> str:
        """Tags are kept in small letters."""
        match = _TAG.fullmatch(path)
        return match[1] + match[2].lower() if match else path

    def _is_owner(self, name: str) -> bool:
        return name in self.organizations or name in self.users

    # -- the API
    def _api(self, answer: t.Callable[..., Answer], asked: Asked, *groups: str) -> Answer:
        user, password = asked.basic
        scheme, _space, token = asked.headers.get("authorization", "").partition(" ")
        if not (user and self.users.get(user) == password) and not (scheme == "token" and token in self.api_tokens):
            return Answer(401, {"message": "invalid username, password or token"})
        return answer(asked, *groups)

    def _list_versions(self, asked: Asked, owner: str) -> Answer:
        if self.closed:
            return Answer(403, {"message": "token does not have at least one of required scope(s): [read:package]"})
        if not self._is_owner(owner):
            return _NOT_FOUND
        # the newest first, as it comes: repositories are in no order
        versions = [
            (repository, version)
            for repository in reversed(self._holdings.repositories(owner))
            for held in self._holdings.manifests(repository)
            for version in held.references
        ]

        def describe(one: tuple[str, str]) -> dict[str, t.Any]:
            return {
                "id": 1 + versions.index(one),
                "owner": {"login": owner, "visibility": self.organizations.get(owner, "public")},
                "repository": None,
                "type": "container",
                "name": one[0].partition("/")[2],
                "version": one[1],
                "created_at": "2026-01-02T03:04:05Z",
            }

        size = size_of(asked, "limit", 30, self.largest_page)
        total = {"X-Total-Count": str(len(versions))}
        if 0 < self.last_page < int(asked.query.get("page", 1)):
            return Answer(200, [], total)
        return linked(self.url, asked, versions, size, describe, **total)

    def _tell_organization(self, asked: Asked, name: str) -> Answer:
        return Answer(200, {"username": name, "visibility": self.organizations[name]}) if name in self.organizations else _NOT_FOUND

    def _tell_user(self, asked: Asked, name: str) -> Answer:
        return Answer(200, {"login": name}) if name in self.users else _NOT_FOUND

    def _change_organization(self, asked: Asked, name: str) -> Answer:
        if name not in self.organizations:
            return _NOT_FOUND
        self.organizations[name] = asked.document["visibility"]
        return Answer(200, {"username": name, **asked.document})

    def _create_organization(self, asked: Asked) -> Answer:
        name = asked.document["username"]
        if self._is_owner(name):
            return Answer(422, {"message": f"user already exists [name: {name}]"})
        self.organizations[name] = asked.document.get("visibility", "public")
        return Answer(201, {"username": name, "visibility": self.organizations[name]})

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of GitHub's container registry and of the part of GitHub's API that is about packages, on one port."""

from __future__ import annotations

import functools
import typing as t

from estate.bearer import BearerDouble
from estate.holdings import Held, Holdings
from estate.pages import linked, size_of
from estate.product import Answer, Asked
from estate.registry import Registry

_PACKAGES = "/(orgs|users)/([^/]+)/packages"
_NOT_FOUND = Answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})


class GHCRDouble(BearerDouble):
    """`users`: `{name: personal access token}`; `organizations`: what else has packages.

    Knobs: `largest_page`; `closed`: tokens lack the right to read packages.
    """

    service = "ghcr.io"
    has_catalogue = False

    def __init__(self, behind: Registry, users: t.Mapping[str, str], organizations: t.Sequence[str]) -> None:
        super().__init__(behind, users)
        self.organizations = list(organizations)
        self.largest_page = 100
        self.closed = False
        self._holdings = Holdings(behind)
        for pattern, answer in (
            ("/users/([^/]+)", self._tell_owner),
            ("/user/packages", self._list_own),
            (_PACKAGES, self._list_packages),
            (f"{_PACKAGES}/container/([^/]+)/versions", self._list_versions),
        ):
            self.route("GET", pattern, functools.partial(self._api, answer))

    def may(self, user: str, repository: str, writing: bool) -> bool:
        """Users may do all; what belongs to nobody cannot be made."""
        return bool(user) and self._kind(repository.partition("/")[0]) != ""

    def _kind(self, owner: str) -> str:
        return "orgs" if owner in self.organizations else "users" if owner in self.users else ""

    def _api(self, answer: t.Callable[..., Answer], asked: Asked, *groups: str) -> Answer:
        user = next((name for name, token in self.users.items() if token == asked.bearer), "")
        if not user:
            return Answer(401, {"message": "Bad credentials"})
        return answer(asked, user, *groups)

    def _tell_owner(self, asked: Asked, user: str, owner: str) -> Answer:
        kind = self._kind(owner)
        return Answer(200, {"login": owner, "type": "Organization" if kind == "orgs" else "User"}) if kind else _NOT_FOUND

    def _list_own(self, asked: Asked, user: str) -> Answer:
        return self._list_packages(asked, user, "users", user)

    def _list_packages(self, asked: Asked, user: str, kind: str, owner: str) -> Answer:
        if self.closed:
            return Answer(403, {"message": "You need at least read:packages scope to list packages."})
        if self._kind(owner) != kind or asked.query.get("package_type") != "container":
            return _NOT_FOUND

        def describe(name: str) -> dict[str, t.Any]:
            return {
                "name": name.partition("/")[2],
                "package_type": "container",
                # GitHub keeps the case of its owners; references have small letters
                "owner": {"login": owner.title()},
                "visibility": "private",
                "created_at": "2026-01-02T03:04:05Z",
                "repository": {"description": f"made of {name}"},
            }

        size = size_of(asked, "per_page", 30, self.largest_page)
        return linked(self.url, asked, self._holdings.repositories(owner), size, describe)

    def _list_versions(self, asked: Asked, user: str, kind: str, owner: str, package: str) -> Answer:
        if self.closed:
            return Answer(403, {"message": "You need at least read:packages scope to get a package's versions."})
        repository = f"{owner}/{package}"
        if self._kind(owner) != kind or repository not in self._holdings.repositories(owner):
            return _NOT_FOUND
        versions = self._holdings.manifests(repository)

        def describe(version: Held) -> dict[str, t.Any]:
            metadata = {"package_type": "container", "container": {"tags": list(version.tags)}}
            return {"id": 1 + versions.index(version), "name": version.digest, "updated_at": "2026-02-03T04:05:06Z", "metadata": metadata}

        return linked(self.url, asked, versions, size_of(asked, "per_page", 30, self.largest_page), describe)

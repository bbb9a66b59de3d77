# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of GitLab: its registry, its token service, and the part of its API that is about groups, projects and their repositories."""

from __future__ import annotations

import functools
import itertools
import typing as t

from estate.bearer import BearerDouble
from estate.holdings import Holdings
from estate.pages import linked, size_of
from estate.product import Answer, Asked
from estate.registry import Registry

_API = "/api/v4"
#: the user of a CI job
JOB_USER = "gitlab-ci-token"


def _not_found(what: str) -> Answer:
    return Answer(404, {"message": f"404 {what} Not Found"})


class GitLabDouble(BearerDouble):
    """`users`: `{name: access token or the token of a job}`; a user is a namespace, too.

    Knobs: `largest_page`; `closed`: tokens lack the right to use the API. What there is: `groups` and `projects`, by their paths.
    """

    token_path = "/jwt/auth"
    service = "container_registry"

    def __init__(self, behind: Registry, users: t.Mapping[str, str]) -> None:
        super().__init__(behind, users)
        self.largest_page = 100
        self.closed = False
        self._numbers = itertools.count(1)
        self._holdings = Holdings(behind)
        self.namespaces = {name: next(self._numbers) for name in self.users}
        self.groups: dict[str, int] = {}
        self.projects: dict[str, dict[str, t.Any]] = {}
        for method, pattern, answer in (
            ("GET", "/groups/([^/]+)/registry/repositories", self._list_of_group),
            ("GET", "/projects/([^/]+)/registry/repositories", self._list_of_project),
            ("GET", "/groups/([^/]+)", self._tell_group),
            ("POST", "/groups", self._create_group),
            ("GET", "/namespaces/([^/]+)", self._tell_namespace),
            ("GET", "/projects", self._list_projects),
            ("POST", "/projects", self._create_project),
            ("GET", "/projects/([^/]+)", self._tell_project),
            ("PUT", "/projects/([^/]+)", self._change_project),
        ):
            self.route(method, _API + pattern, functools.partial(self._api, answer))

    def add_group(self, path: str) -> None:
        """A group of that path."""
        self.groups[path] = self.namespaces[path] = next(self._numbers)

    def add_project(self, path: str, **fields: t.Any) -> None:
        """A project of that path, whose group exists."""
        usual = {"visibility": "private", "container_registry_access_level": "enabled"}
        self.projects[path] = {"id": next(self._numbers), "path_with_namespace": path, **usual, **fields}

    # -- the registry
    def may(self, user: str, repository: str, writing: bool) -> bool:
        """Users may do all in projects that have a registry, not more than two components below their paths."""
        components = repository.split("/")
        above = ["/".join(components[:count]) for count in range(max(2, len(components) - 2), len(components) + 1)]
        return bool(user) and any(
            path in self.projects and self.projects[path]["container_registry_access_level"] != "disabled" for path in above
        )

    # -- the API
    def _api(self, answer: t.Callable[..., Answer], asked: Asked, *groups: str) -> Answer:
        job = asked.headers.get("job-token", "")
        token = asked.headers.get("private-token", "")
        known = (job and job == self.users.get(JOB_USER)) or (token and token in self.users.values())
        # the token of a job opens the registry of projects, and little else
        if not known or (job and not asked.path.endswith("/registry/repositories")) or (job and "/groups/" in asked.path):
            return Answer(401, {"message": "401 Unauthorized"})
        if self.closed:
            return Answer(403, {"error": "insufficient_scope", "error_description": "The request requires higher privileges."})
        return answer(asked, *groups)

    def _repositories(self, asked: Asked, projects: t.Sequence[str]) -> Answer:
        held = self._holdings.repositories()
        names = [name for name in held if any(name == path or name.startswith(f"{path}/") for path in projects)]

        def describe(name: str) -> dict[str, t.Any]:
            return {"id": 1 + held.index(name), "name": "", "path": name, "created_at": "2026-01-02T03:04:05.000Z"}

        return linked(self.url, asked, names, size_of(asked, "per_page", 20, self.largest_page), describe)

    def _list_of_group(self, asked: Asked, group: str) -> Answer:
        if group not in self.groups:
            return _not_found("Group")
        return self._repositories(asked, [path for path in self.projects if path.startswith(f"{group}/")])

    def _list_of_project(self, asked: Asked, project: str) -> Answer:
        if project not in self.projects:
            return _not_found("Project")
        if self.projects[project]["container_registry_access_level"] == "disabled":
            return Answer(403, {"message": "403 Forbidden"})
        return self._repositories(asked, [project])

    def _tell_group(self, asked: Asked, group: str) -> Answer:
        return Answer(200, {"id": self.groups[group], "full_path": group}) if group in self.groups else _not_found("Group")

    def _tell_namespace(self, asked: Asked, path: str) -> Answer:
        if path not in self.namespaces:
            return _not_found("Namespace")
        return Answer(200, {"id": self.namespaces[path], "kind": "group" if path in self.groups else "user", "full_path": path})

    def _path_below(self, number: int | None, path: str) -> str:
        above = next((name for name, one in self.namespaces.items() if one == number), "")
        return f"{above}/{path}" if above else path

    def _create_group(self, asked: Asked) -> Answer:
        path = self._path_below(asked.document.get("parent_id"), asked.document["path"])
        if path in self.namespaces or path in self.projects:
            return Answer(400, {"message": {"path": ["has already been taken"]}})
        self.add_group(path)
        return Answer(201, {"id": self.groups[path], "full_path": path})

    def _list_projects(self, asked: Asked) -> Answer:
        size = size_of(asked, "per_page", 20, self.largest_page)
        return linked(self.url, asked, list(self.projects.values()), size, lambda project: project)

    def _tell_project(self, asked: Asked, path: str) -> Answer:
        return Answer(200, self.projects[path]) if path in self.projects else _not_found("Project")

    def _create_project(self, asked: Asked) -> Answer:
        wanted = asked.document
        path = self._path_below(wanted["namespace_id"], wanted["path"])
        if path in self.projects or path in self.groups:
            return Answer(400, {"message": {"path": ["has already been taken"]}})
        told = {key: wanted[key] for key in ("visibility", "container_registry_access_level") if key in wanted}
        self.add_project(path, **told)
        return Answer(201, self.projects[path])

    def _change_project(self, asked: Asked, path: str) -> Answer:
        if path not in self.projects:
            return _not_found("Project")
        self.projects[path].update(asked.document)
        return Answer(200, self.projects[path])

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A product that takes a push only into projects that exist: as much of Harbor's API as lists images and creates projects."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from estate.client import ACCEPT, Client
from estate.compare import repositories_of
from estate.product import Answer, Asked, ProductDouble, error
from estate.registry import Registry

_REPOSITORY = re.compile(r"/v2/(.+)/(?:manifests|blobs|tags|referrers)/.*")


class Projects(ProductDouble):
    """One user, who has to sign in, in front of a registry.

    `projects`: `{name: metadata}`. `closed`: its API is forbidden, whoever asks. `refused`: projects that nobody may create.
    """

    def __init__(self, behind: Registry, user: str, password: str) -> None:
        super().__init__(behind)
        self.user = user
        self.password = password
        self.projects: dict[str, dict[str, str]] = {}
        self.closed = False
        self.refused: set[str] = set()
        self._client = Client(behind.access)
        api = "/api/v2.0"
        self.route("GET", f"{api}/projects", self._guarded(self._list_projects))
        self.route("POST", f"{api}/projects", self._guarded(self._create))
        self.route("GET", f"{api}/projects/([^/]+)", self._guarded(self._show))
        self.route("PUT", f"{api}/projects/([^/]+)", self._guarded(self._change))
        self.route("GET", f"{api}/repositories", self._guarded(self._list_repositories))
        self.route("GET", f"{api}/projects/([^/]+)/repositories/([^/]+)/artifacts", self._guarded(self._artifacts))

    def stop(self) -> None:
        super().stop()
        self._client.close()

    @property
    def created(self) -> int:
        """How many projects it was asked to create."""
        return self.count("POST", "/api/v2.0/projects$")

    def registry(self, asked: Asked) -> Answer | None:
        """Nobody without a name, and nothing of a project that does not exist."""
        if asked.basic != (self.user, self.password):
            return error(401, "UNAUTHORIZED", "sign in", **{"WWW-Authenticate": 'Basic realm="images"'})
        match = _REPOSITORY.fullmatch(asked.path)
        if match and match[1].partition("/")[0] not in self.projects:
            return error(403, "DENIED", "no access to this project")
        return None

    def _guarded(self, answer: t.Callable[..., Answer]) -> t.Callable[..., Answer]:
        def guarded(asked: Asked, *groups: str) -> Answer:
            if asked.basic != (self.user, self.password):
                return error(401, "UNAUTHORIZED", "sign in")
            if self.closed:
                return error(403, "FORBIDDEN", "not for you")
            return answer(asked, *groups)

        return guarded

    def _list_projects(self, asked: Asked) -> Answer:
        return _page(asked, [{"name": name, "metadata": metadata} for name, metadata in sorted(self.projects.items())])

    def _show(self, asked: Asked, name: str) -> Answer:
        if name not in self.projects:
            return error(404, "NOT_FOUND", "no such project")
        return Answer(200, {"name": name, "metadata": self.projects[name]})

    def _create(self, asked: Asked) -> Answer:
        name = asked.document["project_name"]
        if name in self.refused:
            return error(403, "FORBIDDEN", "not for you")
        if name in self.projects:
            return error(409, "CONFLICT", "it exists")
        self.projects[name] = {"public": "false", **asked.document.get("metadata", {})}
        return Answer(201, headers={"Location": f"{asked.path}/{name}"})

    def _change(self, asked: Asked, name: str) -> Answer:
        if name not in self.projects:
            return error(404, "NOT_FOUND", "no such project")
        self.projects[name].update(asked.document["metadata"])
        return Answer(200)

    def _list_repositories(self, asked: Asked) -> Answer:
        return _page(asked, [{"name": name, "description": f"about {name}"} for name in repositories_of(self.behind)])

    def _artifacts(self, asked: Asked, project: str, escaped: str) -> Answer:
        if project not in self.projects:
            return error(403, "FORBIDDEN", "no access to this project")
        name = f"{project}/{urllib.parse.unquote(escaped)}"
        tags = self._client.request("GET", f"/v2/{name}/tags/list", expect=(200, 404))
        if tags.status == 404:
            return error(404, "NOT_FOUND", "no such repository")
        found: dict[str, dict[str, t.Any]] = {}
        for tag in tags.json()["tags"] or []:
            head = self._client.request("HEAD", f"/v2/{name}/manifests/{tag}", headers={"Accept": ACCEPT}, expect=(200,))
            digest = head.header("Docker-Content-Digest")
            artifact = {"digest": digest, "manifest_media_type": head.header("Content-Type"), "size": 1000, "tags": []}
            found.setdefault(digest, artifact)["tags"].append({"name": tag, "push_time": "2026-01-02T03:04:05.000Z"})
        return _page(asked, list(found.values()))


def _page(asked: Asked, items: t.Sequence[t.Any]) -> Answer:
    size, number = int(asked.query["page_size"]), int(asked.query["page"])
    return Answer(200, items[(number - 1) * size : number * size], {"X-Total-Count": str(len(items))})

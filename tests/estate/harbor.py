# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of Harbor 2: projects, repositories and artifacts of its API, its token service, and pushes only into projects that exist."""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from estate.holdings import Holdings
from estate.opaque_tokens import OpaqueTokens, challenge, needed_for
from estate.product import Answer, Asked, ProductDouble, error

if t.TYPE_CHECKING:
    from estate.registry import Registry

API = "/api/v2.0"
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_CREATED = "2026-01-01T00:00:00.000Z"
#: tags of what belongs to another artifact: they are in the list of tags alone
_ACCESSORY = re.compile(r"sha256-[0-9a-f]{64}\.(?:sig|att|sbom)")


class HarborDouble(ProductDouble):
    """One Harbor. `users`: passwords by name; the first is a system administrator, the others are developers of all projects.

    `hidden`: projects that only the administrator sees. `most`: the largest page. `closed`: users to whom the API is closed.
    """

    def __init__(self, behind: Registry, users: t.Mapping[str, str], projects: t.Iterable[str] = ()) -> None:
        super().__init__(behind)
        self._holdings = Holdings(behind)
        self.users = dict(users)
        self.administrator = next(iter(users))
        self.projects: dict[str, dict[str, t.Any]] = {}
        self.hidden: set[str] = set()
        self.closed: set[str] = set()
        self.most = 100
        #: how many items a list leaves out of its last page without a word
        self.lost = 0
        self.tokens = OpaqueTokens()
        for name in projects:
            self.add_project(name, {})
        self.route("GET", "/service/token", self._token)
        self.route("GET", f"{API}/projects", self._guarded(self._list_projects))
        self.route("HEAD", f"{API}/projects", self._guarded(self._head_project))
        self.route("POST", f"{API}/projects", self._guarded(self._create_project))
        self.route("GET", f"{API}/projects/([^/]+)", self._guarded(self._get_project))
        self.route("PUT", f"{API}/projects/([^/]+)", self._guarded(self._update_project))
        self.route("GET", f"{API}/repositories", self._guarded(self._list_repositories))
        self.route("GET", f"{API}/projects/([^/]+)/repositories", self._guarded(self._list_repositories))
        self.route("GET", f"{API}/projects/([^/]+)/repositories/([^/]+)/artifacts", self._guarded(self._list_artifacts))

    # -- the API
    def _guarded(self, answer: t.Callable[..., Answer]) -> t.Callable[..., Answer]:
        def guard(asked: Asked, *groups: str) -> Answer:
            user, password = asked.basic
            if self.users.get(user) != password:
                return _failure(401, "UNAUTHORIZED", "unauthorized")
            if user in self.closed:
                return _failure(403, "FORBIDDEN", "forbidden")
            return answer(asked, *groups)

        return guard

    def _sees(self, asked: Asked, project: str) -> bool:
        return project not in self.hidden or asked.basic[0] == self.administrator

    def _list_projects(self, asked: Asked) -> Answer:
        return self._page(asked, [project for name, project in sorted(self.projects.items()) if self._sees(asked, name)])

    def _head_project(self, asked: Asked) -> Answer:
        return Answer(200 if asked.query.get("project_name") in self.projects else 404)

    def _get_project(self, asked: Asked, name: str) -> Answer:
        project = self._find(asked, name)
        if project is None:
            return _failure(404, "NOT_FOUND", f"project {name} not found")
        if not self._sees(asked, project["name"]):
            return _failure(403, "FORBIDDEN", "forbidden")
        return Answer(200, project)

    def _find(self, asked: Asked, name: str) -> dict[str, t.Any] | None:
        """By its name or, unless a header says that it is a name, by its id."""
        if asked.headers.get("x-is-resource-name") != "true" and name.isdecimal():
            return next((project for project in self.projects.values() if project["project_id"] == int(name)), None)
        return self.projects.get(name)

    def _create_project(self, asked: Asked) -> Answer:
        wanted = asked.document
        name = wanted["project_name"]
        if not _NAME.fullmatch(name) or len(name) > 255:
            return _failure(400, "BAD_REQUEST", f"invalid project name {name}")
        if name in self.projects:
            return _failure(409, "CONFLICT", f"The project named {name} already exists")
        if asked.basic[0] != self.administrator:
            return _failure(403, "FORBIDDEN", "Only system admin can create project")
        self.add_project(name, wanted.get("metadata") or {}, wanted.get("registry_id"))
        return Answer(201, headers={"Location": f"{API}/projects/{self.projects[name]['project_id']}"})

    def add_project(self, name: str, metadata: t.Mapping[str, str], registry_id: int | None = None) -> None:
        """Have a project; `registry_id`: of what it is a proxy cache."""
        self.projects[name] = {
            "project_id": len(self.projects) + 2,
            "owner_id": 1,
            "name": name,
            "creation_time": _CREATED,
            "update_time": _CREATED,
            "metadata": {"public": "false", **metadata},
            **({"registry_id": registry_id} if registry_id else {}),
        }

    def _update_project(self, asked: Asked, name: str) -> Answer:
        if name not in self.projects:
            return _failure(404, "NOT_FOUND", f"project {name} not found")
        self.projects[name]["metadata"].update(asked.document.get("metadata") or {})
        return Answer(200)

    def _list_repositories(self, asked: Asked, project: str = "") -> Answer:
        rows = []
        for number, name in enumerate(self._holdings.repositories(), 1):
            owner = name.partition("/")[0]
            if owner not in self.projects or not self._sees(asked, owner) or (project and owner != project):
                continue
            rows.append(
                {
                    "id": number,
                    "project_id": self.projects[owner]["project_id"],
                    "name": name,
                    "description": f"what {name} is for",
                    "artifact_count": 1,
                    "pull_count": 0,
                    "creation_time": _CREATED,
                    "update_time": _CREATED,
                }
            )
        return self._page(asked, rows)

    def _list_artifacts(self, asked: Asked, project: str, image: str) -> Answer:
        # the escapes that are left are those of the name's own slashes
        name = f"{project}/{urllib.parse.unquote(image)}"
        if project not in self.projects or not self._sees(asked, project):
            return _failure(403, "FORBIDDEN", "forbidden")
        found = self._holdings.manifests(name)
        if not found or "/" in image:
            return _failure(404, "NOT_FOUND", f"repository {name} not found")
        rows = []
        for number, manifest in enumerate(found, 1):
            tags = [tag for tag in manifest.tags if not _ACCESSORY.fullmatch(tag)]
            if not tags:
                continue
            rows.append(
                {
                    "id": number,
                    "type": "IMAGE",
                    "media_type": "application/vnd.oci.image.config.v1+json",
                    "manifest_media_type": manifest.media_type,
                    "project_id": self.projects[project]["project_id"],
                    "repository_id": 1,
                    "repository_name": name,
                    "digest": manifest.digest,
                    "size": manifest.size,
                    "push_time": _CREATED,
                    "pull_time": "0001-01-01T00:00:00.000Z",
                    "tags": [{"id": number, "artifact_id": number, "name": tag, "push_time": _CREATED, "immutable": False} for tag in tags],
                }
            )
        return self._page(asked, rows)

    def _page(self, asked: Asked, rows: list[t.Any]) -> Answer:
        number, size = int(asked.query.get("page", "1")), min(int(asked.query.get("page_size", "10")), self.most)
        page = rows[(number - 1) * size : number * size]
        headers = {"X-Total-Count": str(len(rows))}
        if number * size < len(rows):
            following = urllib.parse.urlencode({**asked.query, "page": number + 1})
            headers["Link"] = f'<{asked.path}?{following}>; rel="next"'
        elif self.lost:
            page = page[: -self.lost]
        return Answer(200, page, headers)

    # -- what is below /v2/
    def _token(self, asked: Asked) -> Answer:
        user, password = asked.basic
        if user and self.users.get(user) != password:
            return _failure(401, "UNAUTHORIZED", "wrong user name or password")
        scopes = [value for name, value in asked.parameters if name == "scope"]
        return Answer(200, {"token": self.tokens.give(scopes if user else ()), "expires_in": 1800})

    def registry(self, asked: Asked) -> Answer | None:
        """Tokens everywhere but for the catalogue, and no push into a project that is not there."""
        user, password = asked.basic
        needed = needed_for(asked)
        if asked.path == "/v2/_catalog":
            known = bool(user) and self.users.get(user) == password
            return None if known and user == self.administrator else error(401 if not known else 403, "UNAUTHORIZED")
        known = bool(user) and self.users.get(user) == password
        if not known and not self.tokens.covers(asked.bearer, needed):
            return challenge(f"{self.url}/service/token", "harbor-registry", needed)
        if needed.endswith(":push") and needed.split(":")[1].partition("/")[0] not in self.projects:
            project = needed.split(":")[1].partition("/")[0]
            return error(404, "NOT_FOUND", f"project {project} not found")
        return None


def _failure(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"errors": [{"code": code, "message": message}]})

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""GitLab: repositories of groups and projects from its API; a project has to exist before a push.

The API is that of the GitLab whose token service the registry names in its challenge. It tells digests one tag at a time only, which
costs as much as asking the registry, so tags are listed there.
"""

from __future__ import annotations

import threading
import typing as t
from urllib.parse import quote, urlsplit

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer, InvalidName, RegistryError
from ansible_collections.registryops.migration.plugins.module_utils._providers.api import API
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import (
    FROM_DOCUMENTATION,
    number,
    of_namespace,
    required,
    text,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, RepositoryRecord

_API = "/api/v4"
#: what the address of GitLab's token service ends with
_TOKEN_SERVICE = "/jwt/auth"
#: the user of a CI job, whose password is the job's token
_JOB_USER = "gitlab-ci-token"
_PAGE: t.Mapping[str, t.Any] = {"per_page": 100}
#: the setting that says whether a project has a registry
_ACCESS = "container_registry_access_level"
#: components that the path of an image may have below that of its project
DEEPEST = 2


class GitLab(Provider):
    """gitlab.com, or a GitLab of one's own."""

    container = "project"
    settings: t.ClassVar[t.Mapping[str, str]] = {
        "visibility": "private, internal or public; of projects, and of groups that are created for them",
    }
    lists_with = "/api/v4/groups/.../registry/repositories (or /projects/...), 100 on a page; tags from the registry"
    tested = FROM_DOCUMENTATION

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        self._lock = threading.RLock()
        self._made: API | None = None
        self._groups: dict[str, bool] = {}

    # -- where the API is, and who we are to it
    @property
    def _api(self) -> API:
        with self._lock:
            if self._made is None:
                self._made = self.site.make_api(self._address(), self._headers)
            return self._made

    def _address(self) -> str:
        if self.site.api_url:
            return self.site.api_url if self.site.api_url.endswith(_API) else self.site.api_url + _API
        for challenge in self.site.client.greeting.challenges:
            realm = challenge.parameters.get("realm", "")
            safe = self.site.default_base.startswith("http://") or realm.startswith("https://")
            if realm.endswith(_TOKEN_SERVICE) and urlsplit(realm).hostname and safe:
                return realm[: -len(_TOKEN_SERVICE)] + _API
        raise self.site.wrong("api_url", "is missing: the registry does not say where its GitLab is.", "Give the address of GitLab.")

    def _headers(self) -> dict[str, str]:
        credential = self.site.credential()
        token = self.site.api_token or (credential.password if credential is not None else "")
        if not token:
            return {}
        return {"JOB-TOKEN" if self._is_job else "PRIVATE-TOKEN": token}

    @property
    def _is_job(self) -> bool:
        credential = self.site.credential()
        return not self.site.api_token and credential is not None and credential.username == _JOB_USER

    # -- what is there
    def repositories(self) -> t.Iterator[RepositoryRecord]:
        for place, namespace in self._places():
            with of_namespace(self.site, namespace, self.profile.title):
                what = f"the repositories of {namespace} at {self.site.host}"
                for row in self._api.linked(f"{place}/registry/repositories", _PAGE, what):
                    yield RepositoryRecord(required(row, "path", what).lower(), created=text(row, "created_at"))

    def _places(self) -> t.Iterator[tuple[str, str]]:
        """Where lists of repositories are, and the namespaces by which people know them."""
        for namespace in self.site.namespaces:
            # the token of a job is good for projects only
            kind = "projects" if self._is_job or not self._is_group(namespace) else "groups"
            yield f"/{kind}/{quote(namespace, safe='')}", namespace
        if self.site.namespaces:
            return
        what = f"the projects of {self.site.host}"
        query = {"membership": "true", "pagination": "keyset", "order_by": "id", "sort": "asc", **_PAGE}
        for project in self._api.linked("/projects", query, what):
            if text(project, _ACCESS) != "disabled":
                path = required(project, "path_with_namespace", what)
                yield f"/projects/{quote(path, safe='')}", path

    def _is_group(self, path: str) -> bool:
        with self._lock:
            if path not in self._groups:
                query = {"with_projects": "false"}
                reply = self._api.ask("GET", f"/groups/{quote(path, safe='')}", query, accept=(200, 404), what=f"the group {path}")
                self._groups[path] = reply.status == 200
            return self._groups[path]

    # -- what has to be there
    def containers(self, repositories: t.Iterable[str]) -> list[str]:
        return list(dict.fromkeys(self._project_of(repository) for repository in repositories))

    def _project_of(self, repository: str) -> str:
        """The project that a repository is in, or would be: the first part of its path, from two components, that is no group."""
        components = repository.split("/")
        for count in range(2, len(components) + 1):
            path = "/".join(components[:count])
            if self._is_group(path):
                continue
            if len(components) - count <= DEEPEST:
                return path
            if self._project(path) is None:
                # nothing is there yet: groups are made, down to where the rest is short enough
                return "/".join(components[:-DEEPEST])
            raise InvalidName(
                f"has {len(components) - count} components below the project {path}, and at most {DEEPEST} are possible.",
                subject=repository,
                hint="Set mapping.flatten to drop leading components, or mapping.join_deep to join the last ones.",
            )
        raise InvalidName(
            "is the path of a group, and no project.",
            subject=repository,
            hint="Set mapping.prefix or mapping.regex to put it into a project.",
        )

    def _project(self, path: str) -> t.Any:
        """What GitLab tells of a project; None where there is none."""
        reply = self._api.ask("GET", f"/projects/{quote(path, safe='')}", accept=(200, 404), what=f"the project {path}")
        return reply.document if reply.status == 200 else None

    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        visibility = str(wanted.get("visibility") or "")
        project = self._project(name)
        if project is None:
            if apply:
                self._create(name, visibility)
            return Creation(self.container, name, "created", {"visibility": (None, visibility)} if visibility else {})
        differences = {}
        if visibility and text(project, "visibility") != visibility:
            differences["visibility"] = (text(project, "visibility"), visibility)
        if text(project, _ACCESS) == "disabled":
            # without its registry a project is of no use here
            differences[_ACCESS] = ("disabled", "enabled")
        if not differences:
            return Creation(self.container, name, "existing")
        if apply:
            changed = {key: after for key, (_before, after) in differences.items()}
            self._api.ask("PUT", f"/projects/{quote(name, safe='')}", document=changed, what=f"the project {name}")
        return Creation(self.container, name, "changed", differences)

    def _create(self, name: str, visibility: str) -> None:
        namespace, _slash, path = name.rpartition("/")
        document = {"name": path, "path": path, "namespace_id": self._namespace(namespace, visibility), _ACCESS: "enabled"}
        if visibility:
            document["visibility"] = visibility
        self._api.ask("POST", "/projects", document=document, accept=(201,), what=f"the project {name}")

    def _namespace(self, path: str, visibility: str) -> int:
        """The number of a user's namespace or of a group, which is created with those above it where there is none."""
        with self._lock:
            # projects are created side by side, and a group that several of them need once
            return self._found_or_made(path, visibility)

    def _found_or_made(self, path: str, visibility: str) -> int:
        what = f"the group {path}"
        reply = self._api.ask("GET", f"/namespaces/{quote(path, safe='')}", accept=(200, 404), what=what)
        if reply.status == 404:
            above, _slash, name = path.rpartition("/")
            document: dict[str, t.Any] = {"name": name, "path": name}
            if visibility:
                document["visibility"] = visibility
            if above:
                document["parent_id"] = self._namespace(above, visibility)
            try:
                reply = self._api.ask("POST", "/groups", document=document, accept=(201,), what=what)
            except RegistryError:
                # another worker may have been faster
                reply = self._api.ask("GET", f"/namespaces/{quote(path, safe='')}", accept=(200, 404), what=what)
                if reply.status == 404:
                    raise
        found = number(reply.document, "id")
        if found < 0:
            raise InvalidAnswer("answered without the number of the group.", subject=what)
        return found

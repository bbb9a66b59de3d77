# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Google Artifact Registry (pkg.dev) and its repositories under gcr.io.

A list of tags has more fields here than elsewhere: all manifests with their tags, and the names that lie below a name. Repositories
are created through the Artifact Registry API (https://artifactregistry.googleapis.com/v1), which takes an access token.
"""

from __future__ import annotations

import re
import time
import typing as t
from urllib.parse import quote, unquote

from ansible_collections.registryops.migration.plugins.module_utils._oci.authentication import PULL, repository_scope
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    CatalogForbidden,
    InvalidAnswer,
    RegistryError,
    ServerFailed,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import backoff
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, walk
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import amount, is_true, moment, readable
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import FROM_DOCUMENTATION, of_repository
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, RepositoryRecord, TagRecord

_API = "https://artifactregistry.googleapis.com"
#: the user name that says that the password is an OAuth2 access token
_TOKEN_USER = "oauth2accesstoken"
#: tags of a repository that are asked for at once
_PAGE = 10000
_API_PAGE = 1000
#: slashes in a name; a longer one would not fit into the 255 characters that a name may have
_DEEPEST = 127
_PKG_DEV = re.compile(r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev")
#: where the repositories of these hosts lie, each of which is named like its host
_GCR = {"gcr.io": "us", "us.gcr.io": "us", "eu.gcr.io": "europe", "asia.gcr.io": "asia"}
#: seconds until a repository has been created
_PATIENCE = 120.0


class _Place(t.NamedTuple):
    """A repository in the sense of Artifact Registry; `path` is what the names of its images begin with."""

    project: str
    location: str
    repository: str
    path: str

    @property
    def parent(self) -> str:
        return f"/projects/{quote(self.project, safe=':')}/locations/{self.location}/repositories"

    @property
    def resource(self) -> str:
        return f"{self.parent}/{quote(self.repository, safe='')}"


class Google(Provider):
    """One host of Google Artifact Registry: a region's, or one of gcr.io."""

    container = "repository"
    settings: t.ClassVar[t.Mapping[str, str]] = {
        "description": "a text",
        "labels": "a dict of labels",
        "immutable_tags": "whether tags cannot be moved (yes or no)",
    }
    lists_digests = True
    lists_with = "the lists of tags, which have all digests and the names below a name; with an access token, the Artifact Registry API"
    tested = FROM_DOCUMENTATION

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        self._host = re.sub(r":[0-9]+$", "", site.host.lower())
        self._api = site.make_api(f"{site.api_url or _API}/v1", self._headers)

    # -- who we are
    def credential(self) -> Credential | None:
        """The access token of the API does for the registry as well, where that has no credential of its own."""
        own = self.site.credential()
        return Credential(_TOKEN_USER, self.site.api_token) if own is None and self.site.api_token else None

    @property
    def _token(self) -> str:
        """An access token for the API; empty without one."""
        own = self.site.credential()
        return self.site.api_token or (own.password if own is not None and own.username == _TOKEN_USER else "")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    # -- what is there
    def repositories(self) -> t.Iterator[RepositoryRecord]:
        if not self.site.namespaces:
            yield from self._catalogue()
        for namespace in self.site.namespaces:
            yield from self._below(namespace.strip("/"))

    def _catalogue(self) -> t.Iterator[RepositoryRecord]:
        try:
            yield from super().repositories()
        except CatalogForbidden as error:
            raise CatalogForbidden(
                error.message,
                subject=error.subject,
                hint="Set namespaces to the projects (or project/repository), or name the repositories in the rule.",
            ) from error

    def _below(self, namespace: str) -> list[RepositoryRecord]:
        """All images of a project, or of one repository in it (`project/repository`)."""
        if self._token and self._location:
            try:
                return list(self._packages(namespace))
            except (AccessDenied, AuthenticationFailed) as error:
                self.site.client.transport.warnings.append(f"The Artifact Registry API is not used for {namespace}. {error}")
        return list(self._children(namespace))

    def _children(self, namespace: str) -> t.Iterator[RepositoryRecord]:
        """By the names that lie below a name, from list to list."""
        waiting, seen = [namespace], {namespace}
        while waiting:
            name = waiting.pop()
            document = self._list(name, f"{self.site.host}/{name}")
            with readable(f"{self.site.host}/{name}"):
                below = [f"{name}/{child}" for child in document.get("child") or []]
                holds = bool(document.get("manifest") or document.get("tags"))
            if any(child in seen or child.count("/") > _DEEPEST for child in below):
                raise InvalidAnswer("lists names below names without an end.", subject=f"{self.site.host}/{name}")
            waiting += below
            seen.update(below)
            if holds:
                yield RepositoryRecord(name)

    def _packages(self, namespace: str) -> t.Iterator[RepositoryRecord]:
        """By the API: the repositories of the location, and their packages."""
        for place, found in self._places(namespace):
            what = f"the images of {place.path}"
            for package in self._all(f"{place.resource}/packages", "packages", what):
                with readable(what):
                    image = unquote(str(package["name"]).rpartition("/packages/")[2])
                    record = RepositoryRecord(
                        f"{place.path}/{image}",
                        description=str(found.get("description") or ""),
                        labels=dict(found.get("labels") or {}),
                        immutable=bool((found.get("dockerConfig") or {}).get("immutableTags")),
                        created=str(package.get("createTime") or ""),
                    )
                yield record

    def _all(self, path: str, field: str, what: str) -> t.Iterator[t.Any]:
        """All rows of a list of the API."""
        return self._api.marked(path, {"pageSize": _API_PAGE}, what, name="pageToken", items=_get(field), mark=_get("nextPageToken"))

    def _places(self, namespace: str) -> t.Iterator[tuple[_Place, t.Mapping[str, t.Any]]]:
        project = _project_of(namespace)
        place = self._place(namespace)
        if place.repository:
            yield place, self._api.ask("GET", place.resource, what=f"the repository {place.path}").document
            return
        what = f"the repositories of {project}"
        for row in self._all(place.parent, "repositories", what):
            with readable(what):
                name = str(row["name"]).rpartition("/")[2]
                wanted = row.get("format") == "DOCKER"
            if wanted:
                yield place._replace(repository=name, path=f"{project.replace(':', '/', 1)}/{name}"), row

    def tags(self, repository: str) -> list[TagRecord] | None:
        what = f"{self.site.host}/{repository}"
        with of_repository(what):
            document = self._list(repository, what)
        with readable(what):
            manifests = document.get("manifest")
            if manifests is None:
                return None
            records = {}
            for digest, manifest in manifests.items():
                for tag in manifest.get("tag") or []:
                    records[str(tag)] = _record(str(tag), str(digest), manifest)
            return [records.get(tag) or TagRecord(tag) for tag in dict.fromkeys([*map(str, document.get("tags") or []), *records])]

    def _list(self, name: str, what: str) -> dict[str, t.Any]:
        """The list of tags of a name, with all of its fields, from as many pages as there are."""
        client = self.site.client
        gathered: dict[str, t.Any] = {}

        def read(url: str) -> Page[t.Any]:
            document, response = client.ask(url, (repository_scope(name, PULL),), what)
            return Page([document], client.next_page(url, response, what))

        for document in walk(f"/v2/{name}/tags/list?n={_PAGE}", read, what):
            with readable(what):
                for field, value in document.items():
                    if isinstance(value, list):
                        gathered[field] = [*gathered.get(field, []), *value]
                    elif isinstance(value, dict):
                        gathered[field] = {**gathered.get(field, {}), **value}
        return gathered

    # -- what has to be there
    def containers(self, repositories: t.Iterable[str]) -> list[str]:
        return list(dict.fromkeys(self._container_of(repository) for repository in repositories))

    def _container_of(self, repository: str) -> str:
        components = repository.split("/")
        # a project of a domain has two components
        project = 2 if "." in components[0] else 1
        return "/".join(components[: project + (0 if self._is_gcr else 1)])

    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        what = f"the repository {name}"
        place = self._place(name)
        self._check_ability(place)
        asked = _asked(wanted)
        reply = self._api.ask("GET", place.resource, accept=(200, 404), what=what)
        if reply.status == 200:
            return self._change(name, place, reply.document, asked, apply)
        if apply:
            document = {"format": "DOCKER", **_document(asked)}
            started = self._api.ask("POST", place.parent, {"repositoryId": place.repository}, document, accept=(200, 409), what=what)
            if started.status == 200:
                self._wait(started.document, what)
        return Creation(self.container, name, "created", {key: (None, value) for key, value in asked.items()})

    def _check_ability(self, place: _Place) -> None:
        if not self._token:
            raise self.site.wrong(
                "api_token",
                "is missing: repositories are created through the Artifact Registry API.",
                "gcloud auth print-access-token gives one.",
            )
        if not place.location or not place.repository:
            raise self.site.wrong(
                "url",
                "does not tell the location of the repositories to create.",
                "Give the registry by its own name, such as europe-west1-docker.pkg.dev, and connect_to for another address.",
            )

    def _change(self, name: str, place: _Place, has: t.Any, asked: t.Mapping[str, t.Any], apply: bool) -> Creation:
        what = f"the repository {name}"
        with readable(what):
            if has.get("format") != "DOCKER" or has.get("mode", "STANDARD_REPOSITORY") not in ("MODE_UNSPECIFIED", "STANDARD_REPOSITORY"):
                kind = f"{has.get('format')} {has.get('mode', '')}".strip()
                return Creation(self.container, name, "drift", {"kind": (kind, "DOCKER STANDARD_REPOSITORY")})
            before = {
                "description": str(has.get("description") or ""),
                "labels": dict(has.get("labels") or {}),
                "immutable_tags": bool((has.get("dockerConfig") or {}).get("immutableTags")),
            }
        differences = {key: (before[key], value) for key, value in asked.items() if before[key] != value}
        if not differences:
            return Creation(self.container, name, "existing")
        if apply:
            masks = [_MASKS[key] for key in differences]
            changed = _document({key: asked[key] for key in differences})
            self._api.ask("PATCH", place.resource, {"updateMask": ",".join(masks)}, changed, what=what)
        return Creation(self.container, name, "changed", differences)

    def _wait(self, operation: t.Any, what: str) -> None:
        """Until a long-running operation is done."""
        deadline = time.monotonic() + _PATIENCE
        attempt = 0
        while True:
            with readable(what):
                name, done, error = str(operation["name"]), bool(operation.get("done")), operation.get("error") or {}
                said = str(error.get("message") or "")[:200]
            if error:
                raise RegistryError(f"cannot be created ({said}).", subject=what, hint="Put right what is said there, and run again.")
            if done:
                return
            if time.monotonic() > deadline:
                raise ServerFailed(f"has not been created within {_PATIENCE:g} s.", subject=what, hint="Run again later.")
            attempt += 1
            time.sleep(backoff(attempt))
            operation = self._api.ask("GET", f"/{name}", what=what).document

    # -- where it is
    @property
    def _is_gcr(self) -> bool:
        return self._host in _GCR or self.profile.name == "gcr"

    @property
    def _location(self) -> str:
        """The location of all repositories of this host; empty where its name does not tell."""
        found = _PKG_DEV.fullmatch(self._host)
        return found["location"] if found else _GCR.get(self._host, "")

    def _place(self, name: str) -> _Place:
        """The place that `project/repository` (on gcr.io `project`) names; without a repository, that of the project."""
        project = _project_of(name)
        if self._is_gcr:
            return _Place(project, self._location, self._host if self._host in _GCR else "", name)
        rest = name.split("/")[2 if ":" in project else 1 :]
        return _Place(project, self._location, rest[0] if rest else "", name)


#: the fields of a repository behind the settings
_MASKS = {"description": "description", "labels": "labels", "immutable_tags": "dockerConfig.immutableTags"}


def _project_of(name: str) -> str:
    """The project that a name begins with, `example.com:project` for one of a domain, which names have as `example.com/project`."""
    components = name.split("/")
    return ":".join(components[:2]) if "." in components[0] else components[0]


def _asked(wanted: Settings) -> dict[str, t.Any]:
    """The settings that are given, in the form in which they are compared."""
    asked: dict[str, t.Any] = {}
    if wanted.get("description") is not None:
        asked["description"] = str(wanted["description"])
    if wanted.get("labels") is not None:
        asked["labels"] = {str(key): str(value) for key, value in wanted["labels"].items()}
    if wanted.get("immutable_tags") is not None:
        asked["immutable_tags"] = is_true(wanted["immutable_tags"], "immutable_tags")
    return asked


def _document(asked: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Settings as the API has them."""
    document = {key: value for key, value in asked.items() if key != "immutable_tags"}
    if "immutable_tags" in asked:
        document["dockerConfig"] = {"immutableTags": asked["immutable_tags"]}
    return document


def _get(field: str) -> t.Callable[[t.Any], t.Any]:
    return lambda document: document.get(field) if isinstance(document, dict) else document


def _record(tag: str, digest: str, manifest: t.Mapping[str, t.Any]) -> TagRecord:
    return TagRecord(
        tag,
        digest,
        str(manifest.get("mediaType") or ""),
        amount(manifest.get("imageSizeBytes")) or -1,
        moment(manifest.get("timeUploadedMs")),
    )

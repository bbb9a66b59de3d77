# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of Sonatype Nexus Repository 3: several repositories over one docker-registry, where the image `app` of one is `<name>/app`.

Repositories have a place in the path, and connectors (`Connector`), each a port of its own. What its API answers follows Sonatype's
documentation of the REST API.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from estate.artifactory import at_address_of_key
from estate.holdings import Held, Holdings
from estate.product import Answer, Asked, ProductDouble, error
from estate.registry import Registry

SERVER = "Nexus/3.89.0-09 (COMMUNITY)"
_REALM = 'Basic realm="Sonatype Nexus Repository Manager"'
_MODIFIED = "2026-02-03T04:05:06.789+00:00"
#: what is refused, by the word under which `refusals` has it
Feature = t.Literal["components", "repositories", "settings", "create"]


@dataclasses.dataclass
class Options:
    """What an instance is like.

    `users`: {name: password}, of passwords and of user tokens alike; with none everybody may do everything. `refusals`: {feature: the
    status that is answered}. `page`: components on a page.
    """

    users: dict[str, str] = dataclasses.field(default_factory=dict)
    refusals: dict[Feature, int] = dataclasses.field(default_factory=dict)
    page: int = 10


class NexusDouble(ProductDouble):
    """One Nexus. `repositories`: {name: configuration}; images can be pushed to those that are there.

    Fill it through itself, with names `<repository>/<image>`, or behind it.
    """

    def __init__(self, behind: Registry, names: t.Iterable[str] = ("docker-hosted",), options: Options | None = None) -> None:
        self.options = options or Options()
        self.repositories: dict[str, dict[str, t.Any]] = {}
        for name in names:
            self.add(name)
        super().__init__(behind)
        self._holdings = Holdings(behind)
        api = "/service/rest/v1"
        self.route("GET", f"{api}/repositories", self._list_repositories)
        self.route("GET", f"{api}/repositorySettings", self._list_settings)
        self.route("GET", f"{api}/repositories/docker/hosted/([^/]+)", self._get_repository)
        self.route("POST", f"{api}/repositories/docker/hosted", self._create_repository)
        self.route("PUT", f"{api}/repositories/docker/hosted/([^/]+)", self._update_repository)
        self.route("GET", f"{api}/components", self._components)
        self.route("GET", "/repository/([^/]+)/v2/_catalog", self._catalogue)

    def add(self, name: str, package: str = "docker", kind: str = "hosted", **docker: t.Any) -> None:
        """Make a repository; `docker`: its connector."""
        self.repositories[name] = {
            "name": name,
            "format": package,
            "type": kind,
            "url": f"/repository/{name}",
            "online": True,
            "storage": {"blobStoreName": "default", "strictContentTypeValidation": True, "writePolicy": "ALLOW"},
            "docker": {"v1Enabled": False, "forceBasicAuth": True, "httpPort": None, "httpsPort": None, "subdomain": None, **docker},
        }

    def holds(self, name: str) -> list[tuple[str, str, Held]]:
        """What a repository holds: the image's name in it, a tag or digest, and the manifest."""
        found = [
            (repository.removeprefix(f"{name}/"), reference, held)
            for repository in self._holdings.repositories(name)
            for held in self._holdings.manifests(repository)
            for reference in held.references
        ]
        return sorted(found, key=lambda one: one[:2])

    # -- every request
    def answer(self, asked: Asked, target: str) -> Answer:
        """Its answers say whose they are."""
        found = super().answer(asked, target)
        return dataclasses.replace(found, headers={**found.headers, "Server": SERVER})

    def _answer(self, asked: Asked) -> Answer:
        return super()._answer(asked) if self.is_known(asked) else error(401, "UNAUTHORIZED", **{"WWW-Authenticate": _REALM})

    def is_known(self, asked: Asked) -> bool:
        """Whether the user may ask at all."""
        user, password = asked.basic
        return not self.options.users or (bool(user) and self.options.users.get(user) == password)

    # -- images
    def registry(self, asked: Asked) -> Answer | None:
        """Repositories are in the path."""
        return self.serve(asked, "")

    def serve(self, asked: Asked, own: str) -> Answer | None:
        """A request below /v2/; `own`: the repository whose connector was asked."""
        if asked.path == "/v2/":
            return Answer(200, {}, {"Docker-Distribution-Api-Version": "registry/2.0"})
        if asked.path == "/v2/_catalog":
            return self._catalogue(asked, own) if own else error(404, "UNSUPPORTED", "The catalogue is that of a repository.")
        path = asked.path.removeprefix("/v2/")
        name = own or path.partition("/")[0]
        has = self.repositories.get(name, {})
        if has.get("format") != "docker":
            return error(404, "NAME_UNKNOWN", f"repository name not known to registry: {name}")
        manifest = re.fullmatch(r"(.+)/manifests/([^:/]+)", path.removeprefix("" if own else f"{name}/"))
        if asked.method == "PUT" and manifest and has["storage"]["writePolicy"].upper() == "ALLOW_ONCE":
            if any((image, reference) == manifest.groups() for image, reference, _held in self.holds(name)):
                return error(400, "UNKNOWN", f"Repository does not allow updating assets: {name}")
        if not own:
            return None
        query = {name: f"{own}/{value}" if name == "from" else value for name, value in asked.query.items()}
        return at_address_of_key(self._pass_on(dataclasses.replace(asked, path=f"/v2/{own}/{path}", query=query)), own, asked)

    # -- its API
    def _refuses(self, feature: Feature) -> Answer | None:
        status = self.options.refusals.get(feature)
        return None if status is None else Answer(status)

    def _list_repositories(self, asked: Asked) -> Answer:
        rows = [{name: has[name] for name in ("name", "format", "type", "url")} for has in self.repositories.values()]
        return self._refuses("repositories") or Answer(200, rows)

    def _list_settings(self, asked: Asked) -> Answer:
        return self._refuses("settings") or Answer(200, list(self.repositories.values()))

    def _get_repository(self, asked: Asked, name: str) -> Answer:
        has = self.repositories.get(name, {})
        return Answer(200, has) if (has.get("format"), has.get("type")) == ("docker", "hosted") else Answer(404)

    def _create_repository(self, asked: Asked) -> Answer:
        document = asked.document
        refused = self._refuses("create") or (Answer(400, [{"id": "name"}]) if document["name"] in self.repositories else None)
        if refused is None:
            self.add(document["name"])
            self._take_over(document["name"], document)
        return refused or Answer(201)

    def _update_repository(self, asked: Asked, name: str) -> Answer:
        document = asked.document
        # a configuration is replaced as a whole
        complete = {"name", "online", "storage", "docker"} <= document.keys() and "blobStoreName" in document["storage"]
        refused = self._refuses("create") or (None if complete else Answer(400, [{"id": "storage"}]))
        if refused is None:
            self._take_over(name, document)
        return refused or Answer(204)

    def _take_over(self, name: str, document: dict[str, t.Any]) -> None:
        storage = {**document["storage"], "writePolicy": document["storage"]["writePolicy"].upper()}
        self.repositories[name].update({**document, "storage": storage})

    def _catalogue(self, asked: Asked, name: str) -> Answer:
        names = sorted({image for image, _reference, _held in self.holds(name)})
        later = [name for name in names if name > asked.query.get("last", "")]
        return Answer(200, {"repositories": later[: int(asked.query.get("n", 100))]})

    def _components(self, asked: Asked) -> Answer:
        name = asked.query["repository"]
        rows = [_component(name, *one) for one in self.holds(name)]
        start = int(asked.query.get("continuationToken", "0"), 16)
        following = start + self.options.page
        document = {"items": rows[start:following], "continuationToken": f"{following:032x}" if following < len(rows) else None}
        return self._refuses("components") or Answer(200, document)


class Connector(ProductDouble):
    """A port that belongs to one repository of a Nexus: images have their own names there, and there is no API."""

    def __init__(self, double: NexusDouble, name: str) -> None:
        self._double = double
        self._name = name
        super().__init__(double.behind)
        double.repositories[name]["docker"]["httpPort"] = int(self.host.rpartition(":")[2])

    def answer(self, asked: Asked, target: str) -> Answer:
        """As the Nexus answers it."""
        found = super().answer(asked, target)
        return dataclasses.replace(found, headers={**found.headers, "Server": SERVER})

    def _answer(self, asked: Asked) -> Answer:
        known = self._double.is_known(asked)
        return super()._answer(asked) if known else error(401, "UNAUTHORIZED", **{"WWW-Authenticate": _REALM})

    def registry(self, asked: Asked) -> Answer | None:
        """All of it is the repository's."""
        return self._double.serve(asked, self._name)


def _component(name: str, image: str, reference: str, held: Held) -> dict[str, t.Any]:
    path = f"/v2/{image}/manifests/{reference}"
    asset = {
        "path": path,
        "downloadUrl": f"/repository/{name}{path}",
        "repository": name,
        "format": "docker",
        "checksum": {"sha256": held.digest.partition(":")[2]},
        "contentType": held.media_type,
        "lastModified": _MODIFIED,
        "fileSize": held.size,
    }
    row = {"repository": name, "format": "docker", "group": None, "name": image, "version": reference}
    return {**row, "assets": [asset]}

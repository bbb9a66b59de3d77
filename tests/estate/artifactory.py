# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of JFrog Artifactory: several repository keys over one docker-registry, where the image `app` of a key is `<key>/app`.

All three ways of addressing are there: keys in the path, sub-domains (by the Host header), and ports (`KeyPort`). What its API answers
follows JFrog's documentation of the REST API and of AQL.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t
import urllib.parse

from estate.holdings import Held, Holdings
from estate.product import Answer, Asked, ProductDouble, error
from estate.registry import Registry

_AQL = re.compile(
    r"items\.find\((?P<criteria>\{.*?\})\)\.include\((?P<fields>[^)]*)\)"
    r'(?:\.sort\(\{"\$asc":\[(?P<order>[^]]*)\]\}\))?(?:\.offset\((?P<offset>\d+)\))?(?:\.limit\((?P<limit>\d+)\))?'
)
_ITEM_FIELDS = frozenset({"repo", "path", "name", "type", "size", "created", "modified", "updated", "sha256", "actual_sha1", "actual_md5"})
_MODIFIED = "2026-02-03T04:05:06.789Z"
#: what is refused, by the word under which `refusals` has it
Feature = t.Literal["aql", "catalogue", "repositories", "create"]


@dataclasses.dataclass
class Options:
    """What an instance is like.

    `users`: {name: password}, `tokens` for Bearer, `api_keys` for the header of their own; with none of the three everybody may do
    everything. `refusals`: {feature: the status that is answered}. `most_results`: where AQL cuts a result. `hidden`: images
    (`<key>/<image>`) that the user may not see, which AQL leaves out after it has counted. `most_names`: where a catalogue is cut,
    without a word. `properties`: whether manifests have them.
    """

    users: dict[str, str] = dataclasses.field(default_factory=dict)
    tokens: set[str] = dataclasses.field(default_factory=set)
    api_keys: set[str] = dataclasses.field(default_factory=set)
    refusals: dict[Feature, int] = dataclasses.field(default_factory=dict)
    most_results: int = 500_000
    hidden: set[str] = dataclasses.field(default_factory=set)
    most_names: int = 100
    properties: bool = True


class ArtifactoryDouble(ProductDouble):
    """One Artifactory. `repositories`: {key: configuration}; images can be pushed to those that are there.

    Fill it through itself, with names `<key>/<image>`, or behind it.
    """

    def __init__(self, behind: Registry, keys: t.Iterable[str] = ("docker-local",), options: Options | None = None) -> None:
        self.options = options or Options()
        self.repositories: dict[str, dict[str, t.Any]] = {}
        for key in keys:
            self.add(key)
        super().__init__(behind)
        self._holdings = Holdings(behind)
        self.route("GET", "/artifactory/api/repositories", self._list_repositories)
        self.route("GET", "/artifactory/api/repositories/([^/]+)", self._get_repository)
        self.route("PUT", "/artifactory/api/repositories/([^/]+)", self._create_repository)
        self.route("POST", "/artifactory/api/repositories/([^/]+)", self._update_repository)
        self.route("POST", "/artifactory/api/search/aql", self._search)
        self.route("GET", "/artifactory/api/(docker|oci)/([^/]+)/v2/_catalog", self._catalogue)

    def add(self, key: str, package: str = "docker", kind: str = "local", **more: t.Any) -> None:
        """Make a repository."""
        self.repositories[key] = {"key": key, "rclass": kind, "packageType": package, **more}

    def holds(self, key: str) -> list[tuple[str, str, Held]]:
        """What a key holds: the image's name in it, a tag or digest, and the manifest."""
        found = [
            (repository.removeprefix(f"{key}/"), reference, held)
            for repository in self._holdings.repositories(key)
            for held in self._holdings.manifests(repository)
            for reference in held.references
        ]
        return sorted(found, key=lambda one: one[:2])

    # -- every request
    def answer(self, asked: Asked, target: str) -> Answer:
        """Its answers say whose they are."""
        found = super().answer(asked, target)
        more = {"X-JFrog-Version": "Artifactory/7.111.4 81104900", "X-Artifactory-Id": "0f2b5c:double"}
        return dataclasses.replace(found, headers={**found.headers, **more})

    def _answer(self, asked: Asked) -> Answer:
        if not self.is_known(asked):
            realm = {"WWW-Authenticate": 'Basic realm="Artifactory Realm"'}
            if asked.path.startswith("/v2/"):
                return error(401, "UNAUTHORIZED", "The client does not have permission.", **realm)
            return _failure(401, "Bad credentials", **realm)
        return super()._answer(asked)

    def is_known(self, asked: Asked) -> bool:
        """Whether the user may ask at all."""
        options = self.options
        if not (options.users or options.tokens or options.api_keys):
            return True
        user, password = asked.basic
        by_password = bool(user) and password in {options.users.get(user), *options.tokens, *options.api_keys} and user in options.users
        return by_password or asked.bearer in options.tokens or asked.headers.get("x-jfrog-art-api", "") in options.api_keys

    # -- images
    def registry(self, asked: Asked) -> Answer | None:
        """Keys are in the path, unless the host's name (and no address) begins with one."""
        label = asked.headers.get("host", "").partition(".")[0]
        return self.serve(asked, label if label in self.repositories and not label.isdecimal() else "")

    def serve(self, asked: Asked, own: str) -> Answer | None:
        """A request below /v2/; `own`: the key that the address belongs to."""
        if asked.path == "/v2/":
            return Answer(200, {}, {"Docker-Distribution-Api-Version": "registry/2.0"})
        if asked.path == "/v2/_catalog":
            return self._catalogue(asked, "docker", own) if own else error(404, "UNSUPPORTED", "The catalogue is that of a key.")
        name = asked.path.removeprefix("/v2/")
        key = own or name.partition("/")[0]
        has = self.repositories.get(key, {})
        if has.get("packageType") not in ("docker", "oci"):
            return error(404, "NAME_UNKNOWN", f"Repository not found: {key}")
        if asked.method == "POST" and "digest" in asked.query:
            return error(405, "UNSUPPORTED", "A blob is not taken in a single POST.")
        if not own:
            return None
        query = {name: f"{own}/{value}" if name == "from" else value for name, value in asked.query.items()}
        found = self._pass_on(dataclasses.replace(asked, path=f"/v2/{own}/{name}", query=query))
        return at_address_of_key(found, own, asked)

    # -- its API
    def _refuses(self, feature: Feature) -> Answer | None:
        status = self.options.refusals.get(feature)
        return None if status is None else _failure(status, "Forbidden" if status == 403 else "Refused")

    def _list_repositories(self, asked: Asked) -> Answer:
        wanted = asked.query.get("packageType")
        rows = [
            {
                "key": has["key"],
                "description": has.get("description", ""),
                "type": has["rclass"].upper(),
                "url": f"{self.url}/artifactory/{has['key']}",
                "packageType": has["packageType"].capitalize(),
            }
            for has in self.repositories.values()
            if wanted in (None, has["packageType"])
        ]
        return self._refuses("repositories") or Answer(200, rows)

    def _get_repository(self, asked: Asked, key: str) -> Answer:
        has = self.repositories.get(key)
        return self._refuses("repositories") or (_failure(400, "Bad Request") if has is None else Answer(200, has))

    def _create_repository(self, asked: Asked, key: str) -> Answer:
        if key in self.repositories:
            return _failure(400, "Case insensitive repository key already exists")
        refused = self._refuses("create")
        if refused is None:
            self.repositories[key] = {"maxUniqueTags": 0, "dockerTagRetention": 1, "blockPushingSchema1": True, **asked.document}
        return refused or Answer(200, body=f"Successfully created repository '{key}' \n".encode(), headers={"Content-Type": "text/plain"})

    def _update_repository(self, asked: Asked, key: str) -> Answer:
        refused = self._refuses("create") or (None if key in self.repositories else _failure(400, "Bad Request"))
        if refused is None:
            self.repositories[key].update(asked.document)
        return refused or Answer(200, body=f"Repository {key} update successfully.\n".encode(), headers={"Content-Type": "text/plain"})

    def _catalogue(self, asked: Asked, _package: str, key: str) -> Answer:
        names = sorted({image for image, _reference, _held in self.holds(key)})
        later = [name for name in names if name > asked.query.get("last", "")]
        # cut without a word of it
        most = min(int(asked.query.get("n", 100)), self.options.most_names)
        return self._refuses("catalogue") or Answer(200, {"repositories": later[:most]})

    def _search(self, asked: Asked) -> Answer:
        refused = self._refuses("aql")
        if refused is not None:
            return refused
        match = _AQL.fullmatch(asked.body.decode())
        if not match or not asked.headers.get("content-type", "").startswith("text/plain"):
            return _failure(400, "Failed to parse query")
        criteria = json.loads(match["criteria"])
        fields = set(json.loads(f"[{match['fields']}]"))
        paged = any(match[name] is not None for name in ("order", "offset", "limit"))
        if not {"repo", "path", "name"} <= fields:
            return _failure(403, "repo, path and name have to be included")
        if paged and not fields <= _ITEM_FIELDS:
            return _failure(400, "sort, offset and limit only work with fields of items")
        names = {one["name"] for one in criteria["$or"]}
        items = [item for item in self._items(criteria["repo"]) if item["name"] in names]
        start = int(match["offset"] or 0)
        most = min(int(match["limit"] or len(items)), self.options.most_results)
        counted = items[start:][:most]
        rows = [
            {name: value for name, value in item.items() if name in fields or (name == "properties" and "property" in fields)}
            for item in counted
            if f"{item['repo']}/{item['path'].rpartition('/')[0]}" not in self.options.hidden
        ]
        span: dict[str, t.Any] = {"start_pos": start, "end_pos": start + len(rows), "total": len(rows)}
        if most == self.options.most_results and len(items) > start + most:
            span.update(limit=most, notification="AQL query reached the search hard limit, results are trimmed.")
        return Answer(200, {"results": rows, "range": span})

    def _items(self, key: str) -> list[dict[str, t.Any]]:
        found = []
        for image, reference, held in self.holds(key):
            known = {
                "docker.manifest.type": held.media_type,
                "docker.manifest.digest": held.digest,
                "docker.repoName": image,
                "sha256": held.digest.partition(":")[2],
            }
            found.append(
                {
                    "repo": key,
                    "path": f"{image}/{reference}",
                    "name": "list.manifest.json" if held.is_index else "manifest.json",
                    "type": "file",
                    "size": held.size,
                    "modified": _MODIFIED,
                    "sha256": held.digest.partition(":")[2],
                    **({"properties": [{"key": name, "value": value} for name, value in known.items()]} if self.options.properties else {}),
                }
            )
        return found


class KeyPort(ProductDouble):
    """A port that belongs to one key of an Artifactory: images have their own names there, and there is no API."""

    def __init__(self, double: ArtifactoryDouble, key: str) -> None:
        self._double = double
        self._key = key
        super().__init__(double.behind)

    def answer(self, asked: Asked, target: str) -> Answer:
        """As the Artifactory answers it."""
        found = super().answer(asked, target)
        return dataclasses.replace(found, headers={**found.headers, "X-JFrog-Version": "Artifactory/7.111.4 81104900"})

    def _answer(self, asked: Asked) -> Answer:
        if not self._double.is_known(asked):
            return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": 'Basic realm="Artifactory Realm"'})
        return super()._answer(asked)

    def registry(self, asked: Asked) -> Answer | None:
        """All of it is the key's."""
        return self._double.serve(asked, self._key)


def at_address_of_key(found: Answer, key: str, asked: Asked) -> Answer:
    """An answer of the registry behind, as it is at an address that belongs to a key: its addresses are there, and without the key."""
    location = urllib.parse.urlsplit(found.headers.get("Location", ""))
    if not location.path:
        return found
    there = location._replace(netloc=asked.headers["host"], path=location.path.replace(f"/v2/{key}/", "/v2/", 1))
    return dataclasses.replace(found, headers={**found.headers, "Location": there.geturl()})


def _failure(status: int, message: str, **headers: str) -> Answer:
    """An error as Artifactory's own API has it."""
    return Answer(status, {"errors": [{"status": status, "message": message}]}, headers)

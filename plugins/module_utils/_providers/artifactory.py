# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""JFrog Artifactory: all tags of a repository key with their digests from one query in AQL, its query language.

A tag is a folder `<image>/<tag>` with a file manifest.json, or list.manifest.json for an index; the file's checksum is the digest.
What AQL's documentation says decides the form of the query: it takes sort, offset and limit only without properties; it filters by
permission after it has counted, so that a page that is not full need not be the last; and a server that cuts a result says so in
`range.notification`. So the whole result is asked for, with the property that has the media type, and pages only where it is cut.
"""

from __future__ import annotations

import json
import re
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AccessDenied, InvalidAnswer, InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import AnswerTooLarge
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import MANIFESTS
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, walk
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import typed
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.keyed import (
    Images,
    Key,
    KeyedProvider,
    digest_of_file,
    rows_of,
    token_credential,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import FROM_DOCUMENTATION
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, TagRecord

#: the kinds of repositories that hold images
_PACKAGES = ("docker", "oci")
#: those whose images are not copies from elsewhere, or of other keys
_OWN_KINDS = frozenset({"local", "federated"})
_FILES = ("manifest.json", "list.manifest.json")
_FIELDS = ("repo", "path", "name", "sha256", "modified")
_MEDIA_TYPE, _DIGEST = "docker.manifest.type", "docker.manifest.digest"
#: a folder of a manifest that was pushed by its digest: no tag
_BY_DIGEST = re.compile(r"sha256(?::|__)[0-9a-f]{64}")
#: files on a page, where a result does not come whole
_PAGE = 10_000
#: answers of a server that does not take a query from this user, or not in this edition
_NO_AQL = frozenset({400, 403, 405})
#: how the API keys begin that identity tokens have replaced
_API_KEY = "AKC"

#: {setting: the configuration's name}: what can be changed, and what is decided when a repository is created
_CHANGEABLE = {
    "description": "description",
    "max_unique_tags": "maxUniqueTags",
    "tag_retention": "dockerTagRetention",
    "block_schema1": "blockPushingSchema1",
    "environments": "environments",
}
_FIXED = {"package_type": "packageType", "project": "projectKey"}
_KINDS: t.Mapping[str, type] = {
    "description": str,
    "package_type": str,
    "project": str,
    "environments": list,
    "max_unique_tags": int,
    "tag_retention": int,
    "block_schema1": bool,
}

Row = dict[str, t.Any]


class Artifactory(KeyedProvider):
    """One Artifactory, or the part of it that belongs to the registry's address."""

    container = "repository"
    settings: t.ClassVar[t.Mapping[str, str]] = {
        "description": "its description",
        "package_type": "docker or oci; only when it is created, docker by default",
        "project": "the key of the project that it belongs to; only when it is created",
        "environments": "a list of environments",
        "max_unique_tags": "how many tags of an image are kept, 0 for all",
        "tag_retention": "how many manifests are kept that a tag had before",
        "block_schema1": "whether images of schema 1 are refused (yes or no)",
    }
    lists_with = "a query in AQL for each repository key, else the catalogue of each"
    tested = FROM_DOCUMENTATION
    usual_api = "https://HOST/artifactory"
    token_hint = "Give an identity token or an access token that is still valid."

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile, "/artifactory")
        if site.api_token.startswith(_API_KEY):
            self.token_hint = "JFrog has retired API keys: give an identity token instead."
            site.client.transport.warnings.append(
                f"{site.option or 'connection'}.api_token is an API key of Artifactory, which JFrog has retired: use an identity token."
            )

    def authorization(self) -> dict[str, str]:
        token = self.site.api_token
        if token:
            return {"X-JFrog-Art-Api": token} if token.startswith(_API_KEY) else {"Authorization": f"Bearer {token}"}
        return super().authorization()

    def credential(self) -> Credential | None:
        return None if self.site.api_token.startswith(_API_KEY) else token_credential(self.site)

    # -- what is there
    def read_keys(self) -> t.Mapping[str, Key]:
        what = f"the repositories of {self.site.host}"
        found = {}
        for package in _PACKAGES:
            reply = self.ask("GET", "/api/repositories", {"packageType": package}, what=what)
            for row in rows_of(reply.document, what):
                kind = str(row.get("type") or "").lower()
                found[str(row.get("key"))] = Key(str(row.get("key")), kind, package, kind in _OWN_KINDS)
        return found

    def read_others(self) -> t.Mapping[str, str]:
        what = f"the repositories of {self.site.host}"
        rows = rows_of(self.ask("GET", "/api/repositories", what=what).document, what)
        packages = {str(row.get("key")): str(row.get("packageType") or "other").lower() for row in rows}
        return {key: package for key, package in packages.items() if package not in _PACKAGES}

    def registry_path(self, key: Key) -> str:
        return f"/api/{key.package}/{quote(key.name, safe='')}/v2"

    def read_images(self, key: Key) -> Images | None:
        if key.kind == "virtual":
            return None
        # what a remote repository has fetched is a repository of its own
        stored = f"{key.name}-cache" if key.kind == "remote" else key.name
        criteria = json.dumps({"repo": stored, "$or": [{"name": name} for name in _FILES]}, separators=(",", ":"))
        return _images(self._files(criteria, f"what {key.name} holds"))

    def _files(self, criteria: str, what: str) -> t.Iterable[Row]:
        """All manifests' files. AccessDenied where this user may not query."""
        try:
            rows, cut = self._query(f"items.find({criteria}).include({_quoted(*_FIELDS, 'property')})", what)
        except AnswerTooLarge:
            cut = 1
        if not cut:
            return rows
        seen: set[tuple[t.Any, t.Any]] = set()

        def read(offset: int) -> Page[Row]:
            order = f'.sort({{"$asc":[{_quoted("path", "name")}]}}).offset({offset}).limit({_PAGE})'
            found, cut = self._query(f"items.find({criteria}).include({_quoted(*_FIELDS)}){order}", what)
            new = [row for row in found if (row.get("path"), row.get("name")) not in seen]
            if found and not new:
                raise InvalidAnswer("its pages of a query are all the same.", subject=what)
            seen.update((row.get("path"), row.get("name")) for row in new)
            # only an empty page that has not been cut is certainly past the end
            return Page(new, offset + (cut or _PAGE) if found or cut else None)

        return walk(0, read, what)

    def _query(self, query: str, what: str) -> tuple[list[Row], int]:
        """The result of a query; and where the server has cut it, after how many."""
        reply = self.ask("POST", "/api/search/aql", accept=(200, *_NO_AQL), what=what, text=query)
        if reply.status != 200:
            raise AccessDenied(f"AQL is not open to this user ({reply.status}).", subject=what, hint="Grant it the right to read there.")
        document = reply.document if isinstance(reply.document, dict) else {}
        rows = rows_of(document.get("results"), what)
        span = document.get("range")
        if not isinstance(span, dict) or not span.get("notification"):
            return rows, 0
        most = span.get("limit")
        return rows, most if isinstance(most, int) and 0 < most <= _PAGE else max(1, min(len(rows), _PAGE))

    # -- what has to be there
    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        given = {**_FIXED, **_CHANGEABLE}
        values = typed(wanted, _KINDS)
        has = self._configuration(name)
        if has is None:
            if apply:
                self._create(name, values)
            return Creation(self.container, name, "created", {setting: (None, value) for setting, value in values.items()})
        self._check_pushable(name, has)
        differences = {
            setting: (has.get(given[setting]), value) for setting, value in values.items() if not _is_same(has.get(given[setting]), value)
        }
        if not differences:
            return Creation(self.container, name, "existing")
        if differences.keys() & _FIXED.keys():
            return Creation(self.container, name, "drift", differences)
        if apply:
            changed = {_CHANGEABLE[setting]: value for setting, (_has, value) in differences.items()}
            self.ask("POST", _path_of(name), document=changed, accept=(200, 201), what=_named(name))
        return Creation(self.container, name, "changed", differences)

    def _configuration(self, name: str) -> Row | None:
        # 400 is its answer to a key that does not exist
        reply = self.ask("GET", _path_of(name), accept=(200, 400, 404), what=_named(name))
        if reply.status == 200 and not isinstance(reply.document, dict):
            raise InvalidAnswer("has a configuration that is no object.", subject=_named(name))
        if reply.status != 200:
            return None
        return {**reply.document, "packageType": str(reply.document.get("packageType") or "other").lower()}

    def _create(self, name: str, values: t.Mapping[str, t.Any]) -> None:
        given = {**_FIXED, **_CHANGEABLE}
        document = {
            "key": name,
            "rclass": "local",
            "packageType": "docker",
            "repoLayoutRef": "simple-default",
            "dockerApiVersion": "V2",
            **{given[setting]: value for setting, value in values.items()},
        }
        reply = self.ask("PUT", _path_of(name), document=document, accept=(200, 201, 400, 409), what=_named(name))
        if reply.status in (400, 409) and self._configuration(name) is None:
            # not because somebody else was faster
            raise InvalidOption(
                f"Artifactory does not take this name or one of these settings ({reply.status}).",
                subject=_named(name),
                hint="Keys have no spaces and no special characters, and an edition with repositories for images is needed.",
            )

    def _check_pushable(self, name: str, has: Row) -> None:
        package, kind = has["packageType"], str(has.get("rclass") or "").lower()
        if package not in _PACKAGES:
            raise InvalidOption(f"holds {package} packages and no images.", subject=_named(name), hint="Choose another key.")
        if kind == "remote" or (kind == "virtual" and not has.get("defaultDeploymentRepo")):
            raise InvalidOption(
                f"is {kind}, and nothing can be pushed to it.",
                subject=_named(name),
                hint="Choose a local one, or give the virtual one a default deployment repository.",
            )


def _images(files: t.Iterable[Row]) -> Images:
    tags: dict[tuple[str, str], TagRecord] = {}
    for row in files:
        image, _slash, tag = str(row.get("path") or "").rpartition("/")
        if not image or _BY_DIGEST.fullmatch(tag) or row.get("name") not in _FILES:
            # something at the root, or a part of an index
            continue
        # a tag with both files has moved between an image and an index: the registry knows which of them it shows
        tags[image, tag] = TagRecord(tag) if (image, tag) in tags else _record(tag, row)
    found: Images = {}
    for (image, _tag), record in tags.items():
        found.setdefault(image, []).append(record)
    return found


def _record(tag: str, row: Row) -> TagRecord:
    properties = row.get("properties")
    listed = properties if isinstance(properties, list) else []
    known = {one.get("key"): str(one.get("value") or "") for one in listed if isinstance(one, dict)}
    media_type = known.get(_MEDIA_TYPE, "")
    return TagRecord(
        tag,
        digest_of_file(row.get("sha256")) or known.get(_DIGEST, ""),
        media_type if media_type in MANIFESTS else "",
        pushed=str(row.get("modified") or ""),
    )


def _quoted(*names: str) -> str:
    return ",".join(f'"{name}"' for name in names)


def _is_same(has: t.Any, wanted: t.Any) -> bool:
    """Whether a setting is as wanted. What is not there is off, none, or empty; lists have no order."""
    if isinstance(wanted, list):
        return sorted(map(str, has or [])) == sorted(map(str, wanted))
    return bool((type(wanted)() if has is None else has) == wanted)


def _path_of(name: str) -> str:
    return f"/api/repositories/{quote(name, safe='')}"


def _named(name: str) -> str:
    return f"the Artifactory repository {name}"

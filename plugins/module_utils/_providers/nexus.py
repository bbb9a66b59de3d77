# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Sonatype Nexus Repository 3: what a repository holds is listed as components, a few on a page, each with the checksum of its manifest.

A component is an image with a tag, or with a digest. The API's search would have more on a page, but it reads an index that may be
behind: what is listed here decides what is copied, so it is read from where the images are. Each repository has a connector of its own
(a port), a sub-domain, or a place in the path; the API is at the address of Nexus itself.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote, urlsplit

from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer, InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import MANIFESTS, without_parameters
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import basic, typed
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.keyed import (
    Images,
    Key,
    KeyedProvider,
    digest_of_file,
    rows_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import FROM_DOCUMENTATION, field
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, TagRecord

_API = "/service/rest/v1"
_HOSTED = f"{_API}/repositories/docker/hosted"

#: {setting: where the configuration has it}, and what it is where a new repository is not told
_CHANGEABLE: t.Mapping[str, tuple[str, str]] = {
    "online": ("", "online"),
    "write_policy": ("storage", "writePolicy"),
    "latest_policy": ("storage", "latestPolicy"),
    "strict_content_type_validation": ("storage", "strictContentTypeValidation"),
    "force_basic_auth": ("docker", "forceBasicAuth"),
    "v1_enabled": ("docker", "v1Enabled"),
    "http_port": ("docker", "httpPort"),
    "https_port": ("docker", "httpsPort"),
    "subdomain": ("docker", "subdomain"),
    "path_enabled": ("docker", "pathEnabled"),
    "cleanup_policies": ("cleanup", "policyNames"),
}
_FIXED: t.Mapping[str, tuple[str, str]] = {"blob_store": ("storage", "blobStoreName")}
_EVERY: t.Mapping[str, tuple[str, str]] = {**_FIXED, **_CHANGEABLE}
_DEFAULTS: t.Mapping[str, t.Any] = {
    "online": True,
    "blob_store": "default",
    "write_policy": "allow",
    "strict_content_type_validation": True,
    "force_basic_auth": True,
    "v1_enabled": False,
}
#: the parts of a configuration that are sent back; the others are what Nexus makes of them
_SENT = ("name", "online", "storage", "cleanup", "component", "docker")
_KINDS: t.Mapping[str, type] = {
    "blob_store": str,
    "write_policy": str,
    "subdomain": str,
    "cleanup_policies": list,
    "http_port": int,
    "https_port": int,
    "online": bool,
    "latest_policy": bool,
    "strict_content_type_validation": bool,
    "force_basic_auth": bool,
    "v1_enabled": bool,
    "path_enabled": bool,
}
_WRITE_POLICIES = ("allow", "allow_once", "deny")

Row = dict[str, t.Any]


class Nexus(KeyedProvider):
    """One Nexus, or the part of it that belongs to the registry's address."""

    container = "repository"
    settings: t.ClassVar[t.Mapping[str, str]] = {
        "blob_store": "the blob store; only when it is created",
        "write_policy": "allow, allow_once (tags cannot be moved) or deny",
        "latest_policy": "whether the tag latest may be moved all the same (yes or no)",
        "strict_content_type_validation": "whether what is pushed has to be what it says (yes or no)",
        "online": "whether it takes requests (yes or no)",
        "http_port": "the port of its connector for plain http",
        "https_port": "the port of its connector for https",
        "subdomain": "its sub-domain",
        "path_enabled": "whether it has a place in the path (yes or no)",
        "force_basic_auth": "whether nobody may pull anonymously (yes or no)",
        "v1_enabled": "whether the API of Docker's first registry is served (yes or no)",
        "cleanup_policies": "a list of names of cleanup policies",
    }
    lists_with = "the components of each repository, else its catalogue"
    tested = FROM_DOCUMENTATION
    usual_api = "https://HOST, the address of Nexus itself and not of a connector"
    token_hint = "Give a user token that is still valid, as NAME:PASS."

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile, "")
        if site.api_token and ":" not in site.api_token:
            hint = "Give it as NAME:PASS, or leave it out and give username and password."
            raise site.wrong("api_token", "is no user token of Nexus.", hint)

    def authorization(self) -> dict[str, str]:
        if self.site.api_token:
            name, _colon, code = self.site.api_token.partition(":")
            return basic(Credential(name, code), self.site.on_secret)
        return super().authorization()

    # -- what is there
    def _rows(self) -> list[Row]:
        what = f"the repositories of {self.site.host}"
        return rows_of(self.ask("GET", f"{_API}/repositories", what=what).document, what)

    def read_keys(self) -> t.Mapping[str, Key]:
        found = {}
        for row in self._rows():
            if row.get("format") == "docker":
                name, kind = str(row.get("name")), str(row.get("type") or "").lower()
                found[name] = Key(name, kind, "docker", kind == "hosted")
        return found

    def read_others(self) -> t.Mapping[str, str]:
        return {str(row.get("name")): str(row.get("format") or "other") for row in self._rows() if row.get("format") != "docker"}

    def key_of_address(self) -> str:
        """By the ports and sub-domains of the connectors, where this user may see them; else by the host's name."""
        port = urlsplit(self.site.default_base).port or (443 if self.site.default_base.startswith("https") else 80)
        label = self.site.host.partition(".")[0]
        what = f"the settings of the repositories of {self.site.host}"
        reply = self.ask("GET", f"{_API}/repositorySettings", accept=(200, 401, 403, 404), what=what)
        for row in rows_of(reply.document, what) if reply.status == 200 else ():
            connector = row.get("docker")
            if isinstance(connector, dict) and (
                port in (connector.get("httpPort"), connector.get("httpsPort")) or (label and label == connector.get("subdomain"))
            ):
                return str(row.get("name"))
        return super().key_of_address()

    def registry_path(self, key: Key) -> str:
        return f"/repository/{quote(key.name, safe='')}/v2"

    def read_images(self, key: Key) -> Images | None:
        if key.kind == "group":
            return None
        what = f"what {key.name} holds"
        found: Images = {}
        components = self._api.marked(
            f"{_API}/components",
            {"repository": key.name},
            what,
            name="continuationToken",
            items=lambda document: rows_of(field(document, "items"), what),
            mark=lambda document: field(document, "continuationToken"),
        )
        for component in components:
            image, version = str(component.get("name") or ""), str(component.get("version") or "")
            # a version that is a digest is a part of an index, or has lost its tag
            if image and version and ":" not in version:
                found.setdefault(image, []).append(_record(image, version, component.get("assets")))
        return found

    # -- what has to be there
    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        values = typed(wanted, _KINDS)
        self._check(name, values)
        has = self._configuration(name)
        what = _named(name)
        if has is None:
            if apply:
                self.ask("POST", _HOSTED, document=_document(name, {**_DEFAULTS, **values}), accept=(200, 201), what=what)
            return Creation(self.container, name, "created", {setting: (None, value) for setting, value in values.items()})
        before = {setting: _get(has, setting) for setting in values}
        differences = {setting: (before[setting], value) for setting, value in values.items() if not _is_same(before[setting], value)}
        if not differences:
            return Creation(self.container, name, "existing")
        if differences.keys() & _FIXED.keys():
            return Creation(self.container, name, "drift", differences)
        if apply:
            document = {part: has[part] for part in _SENT if has.get(part) is not None}
            for setting in differences:
                _set(document, setting, values[setting])
            self.ask("PUT", f"{_HOSTED}/{quote(name, safe='')}", document=document, accept=(200, 204), what=what)
        return Creation(self.container, name, "changed", differences)

    def _check(self, name: str, values: Settings) -> None:
        policy = values.get("write_policy")
        if policy is not None and str(policy).lower() not in _WRITE_POLICIES:
            hint = f"Give one of {', '.join(_WRITE_POLICIES)}."
            raise InvalidOption(f"{policy!r} is none.", subject=f"{_named(name)}: write_policy", hint=hint)
        for setting in ("http_port", "https_port"):
            port = values.get(setting)
            if port is not None and not 0 < port < 65536:
                raise InvalidOption(f"{port!r} is no port.", subject=f"{_named(name)}: {setting}", hint="Give a number from 1 to 65535.")

    def _configuration(self, name: str) -> Row | None:
        row = next((row for row in self._rows() if row.get("name") == name), None)
        if row is None:
            return None
        if row.get("format") != "docker":
            raise InvalidOption(f"holds {row.get('format')} packages and no images.", subject=_named(name), hint="Choose another name.")
        if row.get("type") != "hosted":
            raise InvalidOption(f"is a {row.get('type')}, and nothing is pushed to it.", subject=_named(name), hint="Choose a hosted one.")
        found = self.ask("GET", f"{_HOSTED}/{quote(name, safe='')}", what=_named(name)).document
        if not isinstance(found, dict):
            raise InvalidAnswer("has a configuration that is no object.", subject=_named(name))
        return found


def _record(image: str, tag: str, assets: t.Any) -> TagRecord:
    listed = [asset for asset in assets if isinstance(asset, dict)] if isinstance(assets, list) else []
    path = re.compile(rf"/?v2/{re.escape(image)}/manifests/{re.escape(tag)}")
    # two manifests for one tag: the registry knows which of them it shows
    manifests = [asset for asset in listed if path.fullmatch(str(asset.get("path") or ""))]
    if len(manifests) != 1:
        return TagRecord(tag)
    asset = manifests[0]
    media_type = without_parameters(str(asset.get("contentType") or ""))
    return TagRecord(
        tag,
        digest_of_file(field(asset.get("checksum"), "sha256")),
        media_type if media_type in MANIFESTS else "",
        pushed=str(asset.get("lastModified") or ""),
    )


def _document(name: str, values: Settings) -> Row:
    document: Row = {"name": name, "storage": {}, "docker": {}}
    for setting, value in values.items():
        _set(document, setting, value)
    return document


def _get(document: Row, setting: str) -> t.Any:
    part, name = _EVERY[setting]
    return field(document.get(part) if part else document, name)


def _set(document: Row, setting: str, value: t.Any) -> None:
    part, name = _EVERY[setting]
    if part:
        document[part] = {**(document.get(part) or {}), name: value}
    else:
        document[name] = value


def _is_same(has: t.Any, wanted: t.Any) -> bool:
    """Whether a setting is as wanted. What is not there is off, none, or empty; lists have no order, policies no case."""
    if isinstance(wanted, list):
        return sorted(map(str, has or [])) == sorted(map(str, wanted))
    if isinstance(wanted, str):
        return str(has or "").lower() == wanted.lower()
    return bool((type(wanted)() if has is None else has) == wanted)


def _named(name: str) -> str:
    return f"the Nexus repository {name}"

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Docker Hub: repositories and tags with digests from its own API, which does not count as pulling.

The registry and the API are two services. A user name with a password or a personal access token, or an organization's name with an
organization access token, are exchanged for a token of ten minutes (`POST /v2/auth/token`). What is public is listed without.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AuthenticationFailed, InvalidAnswer
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import INDEXES
from ansible_collections.registryops.migration.plugins.module_utils._providers.api import Query
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import typed
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import (
    FROM_DOCUMENTATION,
    field,
    listed,
    number,
    of_namespace,
    of_repository,
    required,
    text,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, RepositoryRecord, TagRecord

ADDRESS = "https://hub.docker.com"
#: seconds a token lives that does not say so itself
_USUAL_LIFE = 540.0
#: a token is renewed when it has less life left than this (seconds), or half of its life if that is less
_RENEW_BEFORE = 60.0
#: how access tokens begin: a person's, an organization's
_ACCESS_TOKENS = ("dckr_pat_", "dckr_oat_")
_PAGE: t.Mapping[str, int] = {"page": 1, "page_size": 100}
_KINDS: t.Mapping[str, type] = {"private": bool, "description": str, "full_description": str, "immutable_tags": list}


class DockerHub(Provider):
    """Docker Hub, as one user or organization sees it."""

    container = "repository"
    settings: t.ClassVar[t.Mapping[str, str]] = {
        "private": "whether only those who are let in may pull (yes, by default, or no); only when it is created",
        "description": "one line about it; only when it is created",
        "full_description": "its page, in Markdown; only when it is created",
        "immutable_tags": "a list of regular expressions: tags that match one cannot be moved; an empty list for none",
    }
    lists_digests = True
    lists_with = "/v2/namespaces/.../repositories and .../tags, 100 on a page"
    tested = FROM_DOCUMENTATION

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        base = f"{site.api_url or ADDRESS}/v2"
        self._api = site.make_api(base, self._headers)
        self._door = site.make_api(base, dict)
        self._lock = threading.Lock()
        self._token = ""
        self._use_until = 0.0
        self._refusal: AuthenticationFailed | None = None

    # -- who we are
    def _account(self) -> tuple[str, str] | None:
        """Identifier and secret; None for nobody in particular."""
        credential = self.site.credential()
        if self.site.api_token and (credential is None or not credential.username):
            hint = "Give the name of its user, or of its organization."
            raise self.site.wrong("username", "is missing, though there is an api_token.", hint)
        if credential is None or not credential.username:
            return None
        secret = self.site.api_token or credential.password
        return (credential.username, secret) if secret else None

    def _headers(self) -> dict[str, str]:
        account = self._account()
        if account is None:
            return {}
        # one request for a token, however many workers need it; one that is refused is not repeated, for accounts are locked by that
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            if time.monotonic() >= self._use_until:
                try:
                    self._sign_in(*account)
                except AuthenticationFailed as refusal:
                    self._refusal = refusal
                    raise
            return {"Authorization": f"Bearer {self._token}"}

    def _sign_in(self, identifier: str, secret: str) -> None:
        started = time.monotonic()
        what = f"Docker Hub's API as {identifier}"
        try:
            reply = self._door.ask("POST", "/auth/token", document={"identifier": identifier, "secret": secret}, what=what)
        except AuthenticationFailed as error:
            if not secret.startswith(_ACCESS_TOKENS):
                error.hint = (
                    "Check username and password. An account with two-factor authentication or single sign-on needs a personal access "
                    "token in place of the password, an organization its access token."
                )
            raise
        token = required(reply.document, "access_token", what)
        if not (token.isascii() and token.isprintable()):
            raise InvalidAnswer("answered with a token that is none.", subject=what)
        self.site.on_secret(token)
        life = life_of(token)
        self._token, self._use_until = token, started + life - min(_RENEW_BEFORE, life / 2)

    # -- what is there
    def _namespaces(self) -> t.Sequence[str]:
        if self.site.namespaces:
            return self.site.namespaces
        account = self._account()
        if account is None:
            raise self.site.wrong(
                "namespaces",
                "is empty, and so is username: Docker Hub lists the repositories of a namespace.",
                "Give the namespaces, or name the repositories in the rule (repositories: include: [team/app, ...]).",
            )
        return [account[0].lower()]

    def _listed(self, path: str, query: Query, what: str) -> t.Iterator[t.Any]:
        return self._api.followed(
            path,
            {**_PAGE, **query},
            what,
            items=lambda document: field(document, "results"),
            following=lambda document: text(document, "next"),
            total=lambda document: number(document, "count"),
            past_the_end=(404,),
        )

    def repositories(self) -> t.Iterator[RepositoryRecord]:
        for namespace in self._namespaces():
            what = f"the repositories of {namespace} at Docker Hub"
            with of_namespace(self.site, namespace, self.profile.title):
                for row in self._listed(f"/namespaces/{quote(namespace, safe='')}/repositories", {"ordering": "name"}, what):
                    private = field(row, "is_private")
                    yield RepositoryRecord(
                        f"{namespace}/{required(row, 'name', what)}",
                        description=text(row, "description"),
                        visibility="private" if private else "public" if private is False else "",
                        size=number(row, "storage_size"),
                        created=text(row, "date_registered"),
                    )

    def tags(self, repository: str) -> list[TagRecord]:
        what = f"{self.site.host}/{repository}"
        found: dict[str, TagRecord] = {}
        with of_repository(what):
            for row in self._listed(f"{_path(repository)}/tags", {}, what):
                name = required(row, "name", what)
                # a tag that was pushed meanwhile has moved others to the next page
                found[name] = TagRecord(
                    name,
                    text(row, "digest"),
                    text(row, "media_type"),
                    number(row, "full_size"),
                    text(row, "tag_last_pushed") or text(row, "last_updated"),
                    manifests=_below(row),
                )
        return list(found.values())

    # -- what has to be there
    def containers(self, repositories: t.Iterable[str]) -> list[str]:
        return list(dict.fromkeys(repositories))

    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        what = f"{self.site.host}/{name}"
        chosen = typed(wanted, _KINDS)
        reply = self._api.ask("GET", _path(name), accept=(200, 404), what=what)
        if reply.status == 404:
            return self._create(name, chosen, apply)
        differences = {key: pair for key, pair in _compared(reply.document, chosen).items() if pair[0] != pair[1]}
        if not differences:
            return Creation(self.container, name, "existing")
        if apply and "immutable_tags" in differences:
            self._set_immutable(name, chosen)
        # there is no documented way to change the others
        return Creation(self.container, name, "changed" if set(differences) == {"immutable_tags"} else "drift", differences)

    def _create(self, name: str, wanted: Settings, apply: bool) -> Creation:
        namespace, _slash, repository = name.partition("/")
        document = {
            "namespace": namespace,
            "name": repository,
            "registry": "docker.io",
            "description": wanted.get("description", ""),
            "full_description": wanted.get("full_description", ""),
            # what nobody has said to be public is not made so
            "is_private": wanted.get("private", True),
        }
        if apply:
            path = f"/namespaces/{quote(namespace, safe='')}/repositories"
            self._api.ask("POST", path, document=document, accept=(200, 201), what=f"{self.site.host}/{name}")
            if wanted.get("immutable_tags"):
                self._set_immutable(name, wanted)
        return Creation(self.container, name, "created", {key: (None, value) for key, value in wanted.items()})

    def _set_immutable(self, name: str, wanted: Settings) -> None:
        rules = wanted["immutable_tags"]
        document = {"immutable_tags": bool(rules), "immutable_tags_rules": rules}
        self._api.ask("PATCH", f"{_path(name)}/immutabletags", document=document, what=f"{self.site.host}/{name}")


def _below(row: t.Any) -> tuple[str, ...]:
    """Digests of the manifests of a tag's platforms, and of what else its index names; none where the tag is one image."""
    if text(row, "media_type") not in ("", *INDEXES):
        return ()
    images = {text(image, "digest") for image in listed(row, "images")}
    return tuple(sorted(digest for digest in images - {text(row, "digest")} if is_digest(digest)))


def _path(repository: str) -> str:
    namespace, _slash, name = repository.partition("/")
    return f"/namespaces/{quote(namespace, safe='')}/repositories/{quote(name, safe='')}"


def _compared(document: t.Any, wanted: Settings) -> dict[str, tuple[t.Any, t.Any]]:
    """The settings that are wanted: what they are, and what they ought to be."""
    immutable = field(document, "immutable_tags_settings")
    has = {
        "private": field(document, "is_private") is True,
        "description": text(document, "description"),
        "full_description": text(document, "full_description"),
        "immutable_tags": listed(immutable, "rules") if field(immutable, "enabled") else [],
    }
    return {key: (before, wanted[key]) for key, before in has.items() if key in wanted}


def life_of(token: str) -> float:
    """The seconds from the issue of a JSON web token to its end (RFC 7519), whatever the clock here says; 540 where it does not tell."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return _USUAL_LIFE
    issued, end = number(claims, "iat"), number(claims, "exp")
    return float(end - issued) if 0 <= issued < end else _USUAL_LIFE

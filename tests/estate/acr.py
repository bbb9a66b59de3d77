# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of Azure Container Registry: its token exchange, its scopes, its lists below /acr/v1, and locked repositories."""

from __future__ import annotations

import re
import secrets
import typing as t
import urllib.parse

from estate.holdings import Holdings
from estate.opaque_tokens import OpaqueTokens, challenge, needed_for
from estate.product import Answer, Asked, ProductDouble, error

if t.TYPE_CHECKING:
    from estate.registry import Registry

_WHEN = "2026-01-01T00:00:00.0000000Z"
_LOCKED = "The operation is disallowed on this registry, repository or image. View troubleshooting steps at https://aka.ms/acr/faq/"


class AzureDouble(ProductDouble):
    """One registry. `users`: passwords by name; `entra`: access tokens that it takes in exchange for a refresh token.

    `no_metadata`: users (empty: all refresh tokens) without the right metadata_read. `locked`: repositories that take no writes.
    `most`: entries on a page.
    """

    def __init__(self, behind: Registry, users: t.Mapping[str, str], entra: t.Iterable[str] = ()) -> None:
        super().__init__(behind)
        self._holdings = Holdings(behind)
        self.users = dict(users)
        self.entra = set(entra)
        self.refresh_tokens: set[str] = set()
        self.no_metadata: set[str] = set()
        self.locked: set[str] = set()
        self.most = 1000
        #: names of the page after a list's first one; a list that goes round in a circle where it is that page itself
        self.circle = False
        self.tokens = OpaqueTokens()
        self.route("POST", "/oauth2/exchange", self._exchange)
        self.route("POST", "/oauth2/token", self._token_for_refresh_token)
        self.route("GET", "/oauth2/token", self._token_for_user)
        self.route("GET", "/acr/v1/_catalog", self._catalogue)
        self.route("GET", "/acr/v1/(.+)/_manifests", self._manifests)

    # -- tokens
    def _exchange(self, asked: Asked) -> Answer:
        form = asked.form
        if form.get("grant_type") != "access_token" or form.get("service") != self.host:
            return error(400, "BAD_REQUEST", "grant_type and service are required")
        if form.get("access_token") not in self.entra:
            return error(401, "UNAUTHORIZED", "access token validation failed")
        token = secrets.token_urlsafe(24)
        self.refresh_tokens.add(token)
        return Answer(200, {"refresh_token": token})

    def _token_for_refresh_token(self, asked: Asked) -> Answer:
        form = asked.form
        if form.get("grant_type") != "refresh_token" or form.get("service") != self.host:
            return error(400, "BAD_REQUEST", "grant_type and service are required")
        if form.get("refresh_token") not in self.refresh_tokens:
            return error(401, "UNAUTHORIZED", "the refresh token has expired")
        return self._give("", form["scope"].split())

    def _token_for_user(self, asked: Asked) -> Answer:
        user, password = asked.basic
        if self.users.get(user) != password:
            return error(401, "UNAUTHORIZED", "authentication required")
        return self._give(user, [value for name, value in asked.parameters if name == "scope"])

    def _give(self, user: str, scopes: t.Iterable[str]) -> Answer:
        token = self.tokens.give(scopes, lambda name, action: not (action == "metadata_read" and user in self.no_metadata))
        return Answer(200, {"access_token": token})

    def _refused(self, asked: Asked, needed: str) -> Answer | None:
        if self.tokens.covers(asked.bearer, needed):
            return None
        return challenge(f"{self.url}/oauth2/token", self.host, needed)

    # -- lists
    def _catalogue(self, asked: Asked) -> Answer:
        names = self._holdings.repositories()
        return self._refused(asked, "registry:catalog:*") or self._page(asked, "repositories", names, str, {})

    def _manifests(self, asked: Asked, name: str) -> Answer:
        refused = self._refused(asked, f"repository:{name}:metadata_read")
        if refused:
            return refused
        found = self._holdings.manifests(name)
        if not found:
            return error(404, "NAME_UNKNOWN", f"repository {name} is not found")
        rows = [
            {
                "digest": manifest.digest,
                "imageSize": manifest.size,
                "createdTime": _WHEN,
                "lastUpdateTime": _WHEN,
                "architecture": "amd64",
                "os": "linux",
                "mediaType": manifest.media_type,
                "tags": list(manifest.tags),
                "changeableAttributes": {"deleteEnabled": True, "writeEnabled": True, "readEnabled": True, "listEnabled": True},
            }
            for manifest in sorted(found, key=lambda one: one.digest)
        ]
        return self._page(asked, "manifests", rows, lambda row: row["digest"], {"registry": self.host, "imageName": name})

    def _page(
        self, asked: Asked, key: str, rows: t.Sequence[t.Any], name_of: t.Callable[[t.Any], str], more: t.Mapping[str, t.Any]
    ) -> Answer:
        last, size = asked.query.get("last", ""), min(int(asked.query.get("n", "100")), self.most)
        left = [row for row in rows if name_of(row) > last]
        page = left[:size]
        headers = {}
        if len(left) > size or (self.circle and last):
            following = {"last": last if self.circle and last else name_of(page[-1]), "n": size, "orderby": ""}
            headers["Link"] = f'<{asked.path}?{urllib.parse.urlencode(following)}>; rel="next"'
        return Answer(200, {**more, key: page}, headers)

    # -- what is below /v2/
    def registry(self, asked: Asked) -> Answer | None:
        """Tokens everywhere; the list of tags takes another right than pulling; what is locked takes no writes."""
        needed = needed_for(asked)
        if re.fullmatch(r"/v2/.+/tags/list", asked.path):
            needed = needed.replace(":pull", ":metadata_read")
        refused = self._refused(asked, needed)
        if refused:
            return refused
        if needed.endswith(":push") and needed.split(":")[1] in self.locked:
            return error(405, "REGISTRY_DISALLOWED_OPERATION", _LOCKED)
        return None

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Products whose registry wants tokens of a token service on a host of their own."""

from __future__ import annotations

import re
import secrets
import typing as t

from estate.product import Answer, Asked, ProductDouble, error
from estate.registry import Registry

_REPOSITORY = re.compile(r"/v2/(.+)/(?:manifests|blobs|tags|referrers)/.*")
#: seconds that a token is good for
LIFE = 300


class BearerDouble(ProductDouble):
    """Its tokens are for a user, and not for what they were asked for: what a user may do is looked at in each request."""

    token_path: t.ClassVar[str] = "/token"
    service: t.ClassVar[str] = "registry"
    #: what a challenge has beside realm and service
    challenge_more: t.ClassVar[str] = ""
    has_catalogue: t.ClassVar[bool] = True

    def __init__(self, behind: Registry, users: t.Mapping[str, str]) -> None:
        """`users`: `{name: password}`."""
        super().__init__(behind)
        self.users = dict(users)
        self._bearers: dict[str, str] = {}
        self.route("GET", re.escape(self.token_path), self._give_token)

    def may(self, user: str, repository: str, writing: bool) -> bool:
        """Whether a user (empty: nobody in particular) may do this to a repository."""
        return bool(user)

    def user_of(self, asked: Asked) -> str:
        """Who asks; empty: nobody in particular."""
        return self._bearers.get(asked.bearer, "")

    def _give_token(self, asked: Asked) -> Answer:
        user, password = asked.basic
        if "authorization" in asked.headers and self.users.get(user) != password:
            return error(401, "UNAUTHORIZED", "incorrect username or password")
        token = secrets.token_urlsafe(24)
        self._bearers[token] = user
        return Answer(200, {"token": token, "expires_in": LIFE})

    def registry(self, asked: Asked) -> Answer | None:
        """Let those through who may."""
        user = self._bearers.get(asked.bearer)
        match = _REPOSITORY.fullmatch(asked.path)
        if user is not None:
            if match is None and (asked.path != "/v2/_catalog" or (user and self.has_catalogue)):
                return None
            if match is not None and self.may(user, match[1], asked.method not in ("GET", "HEAD")):
                return None
        challenge = f'Bearer realm="{self.url}{self.token_path}",service="{self.service}"{self.challenge_more}'
        return error(401, "UNAUTHORIZED", "authentication required", **{"WWW-Authenticate": challenge})

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of Docker Hub: its registry with its token service, and its API, all on one port.

Written from Docker's description of the API (hub.docker.com, version 2): web tokens for user name and password, personal or
organization access token; pages of at most 100, 10 by default; 404 behind the last page. Its registry counts each GET of a manifest in
a window of time, and no HEAD, and says so in headers (Docker's description of usage limits); both services name the moment up to which
they want to be left alone in unix time.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import secrets
import threading
import time
import typing as t
import urllib.parse

import jwt

from estate.bearer import BearerDouble
from estate.client import ACCEPT, Client
from estate.holdings import Holdings
from estate.pages import size_of, window
from estate.product import Answer, Asked, error
from estate.registry import Registry

_REPOSITORIES = "/v2/namespaces/([^/]+)/repositories"
_REPOSITORY = f"{_REPOSITORIES}/([^/]+)"
_MANIFEST = re.compile(r"/v2/.+/manifests/[^/]+")
_NOT_FOUND = Answer(404, {"message": "object not found", "errinfo": {}})
#: what an API's answer is made of: the request, who asks (empty: nobody in particular), the groups of its path
_Route = t.Callable[..., Answer]


class DockerHubDouble(BearerDouble):
    """`users` has organizations with their access tokens as well.

    Knobs: `largest_page`; `token_life` in seconds; `readers`: identifiers whose secrets may only read; `closed`: lists are answered
    with 403; `last_page`: pages after this one are kept quiet about; `next_base`: where the next pages are said to be; `two_factor`:
    users whose password alone does not do; `refusals`: so many requests to the API are answered with 429 first.

    `pull_limit`: manifests that each of `pull_source` may have within `pull_window` seconds; None: there is no limit, and no word of one.
    `pulled` has those that were given, `refused_pulls` counts those that were not.
    """

    service = "registry.docker.io"
    has_catalogue = False

    def __init__(self, behind: Registry, users: t.Mapping[str, str], namespaces: t.Sequence[str]) -> None:
        super().__init__(behind, users)
        self.namespaces = list(namespaces)
        self.largest_page = 100
        self.token_life = 600
        self.readers: set[str] = set()
        self.closed = False
        self.last_page = 0
        self.next_base = self.url
        self.sign_ins = 0
        self.two_factor: set[str] = set()
        self.refusals = 0
        self.pull_limit: int | None = None
        self.pull_window = 21_600
        #: (who, moment, path) of each pull
        self.pulled: list[tuple[str, float, str]] = []
        self.refused_pulls = 0
        self._pull_lock = threading.Lock()
        #: `{name: what the API tells of a repository}`, as far as it was made by the API
        self.made: dict[str, dict[str, t.Any]] = {}
        self._holdings = Holdings(behind)
        self._key = secrets.token_bytes(32)
        self.route("POST", "/v2/auth/token", self._sign_in)
        for method, pattern, answer in (
            ("GET", _REPOSITORIES, self._list_repositories),
            ("POST", _REPOSITORIES, self._create),
            ("GET", _REPOSITORY, self._tell),
            ("GET", f"{_REPOSITORY}/tags", self._list_tags),
            ("PATCH", f"{_REPOSITORY}/immutabletags", self._set_immutable),
        ):
            self.route(method, pattern, functools.partial(self._hub, answer))

    def _wants_more(self, user: str, secret: str) -> bool:
        return user in self.two_factor and not secret.startswith(("dckr_pat_", "dckr_oat_"))

    # -- the registry
    def _give_token(self, asked: Asked) -> Answer:
        if self._wants_more(*asked.basic):
            return error(401, "UNAUTHORIZED", "please use a personal access token to log in")
        return super()._give_token(asked)

    def may(self, user: str, repository: str, writing: bool) -> bool:
        """Everybody may pull what is public; users push to namespaces that there are."""
        namespace = repository.partition("/")[0]
        if writing:
            return bool(user) and user not in self.readers and namespace in self.namespaces
        return bool(user) or not self._record(repository)["is_private"]

    def registry(self, asked: Asked) -> Answer | None:
        """Let those through who may, and have pulls left."""
        refused = super().registry(asked)
        if refused is not None or self.pull_limit is None or not _MANIFEST.fullmatch(asked.path) or asked.method != "GET":
            return refused
        # whether it is there is seen to first: what is not there costs nothing
        if self.probe(asked.path) != 200:
            return None
        user = self.user_of(asked)
        with self._pull_lock:
            mine = self._mine(user)
            if len(mine) < self.pull_limit:
                self.pulled.append((user, time.time(), asked.path))
                return None
            self.refused_pulls += 1
            again = int(mine[0] + self.pull_window) + 1
        return error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.", **self._told(user), **{"X-Retry-After": str(again)})

    def probe(self, path: str) -> int:
        """The status of a manifest at the registry behind, unseen by the double."""
        with Client(self.behind.access) as client:
            return client.request("HEAD", path, headers={"Accept": ACCEPT}).status

    def after(self, asked: Asked, answer: Answer) -> Answer:
        """Manifests come with the word about pulls, whether they count or not."""
        if self.pull_limit is None or not _MANIFEST.fullmatch(asked.path) or answer.status != 200 or asked.method not in ("GET", "HEAD"):
            return answer
        with self._pull_lock:
            told = self._told(self.user_of(asked))
        return dataclasses.replace(answer, headers={**answer.headers, **told})

    def _mine(self, user: str) -> list[float]:
        """When a user has pulled what still counts. The lock is held."""
        since = time.time() - self.pull_window
        return [moment for who, moment, _path in self.pulled if who == user and moment > since]

    def _told(self, user: str) -> dict[str, str]:
        left = max(0, (self.pull_limit or 0) - len(self._mine(user)))
        window = f";w={self.pull_window}"
        return {
            "ratelimit-limit": f"{self.pull_limit}{window}",
            "ratelimit-remaining": f"{left}{window}",
            "docker-ratelimit-source": user or "127.0.0.1",
        }

    # -- the API
    def _sign_in(self, asked: Asked) -> Answer:
        self.sign_ins += 1
        identifier, secret = asked.document["identifier"], asked.document["secret"]
        if self.users.get(identifier) != secret:
            return Answer(401, {"detail": "Incorrect authentication credentials"})
        if self._wants_more(identifier, secret):
            second_step = {"detail": "Require secondary authentication on MFA enabled account", "login_2fa_token": secrets.token_hex(8)}
            return Answer(401, second_step)
        now = int(time.time())
        claims = {"sub": identifier, "iat": now, "exp": now + self.token_life}
        return Answer(200, {"access_token": jwt.encode(claims, self._key, "HS256")})

    def _hub(self, answer: _Route, asked: Asked, *groups: str) -> Answer:
        """Every request of the API but the first one passes here."""
        if self.refusals:
            self.refusals -= 1
            again = int(time.time()) + 1
            headers = {
                "X-RateLimit-Limit": "180",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(again),
                "X-Retry-After": str(again),
            }
            return Answer(429, {"detail": "Rate limit exceeded", "error": False}, headers)
        user = ""
        if asked.bearer:
            try:
                user = jwt.decode(asked.bearer, self._key, ["HS256"])["sub"]
            except jwt.InvalidTokenError:
                return Answer(401, {"detail": "Invalid authentication credentials"})
        return answer(asked, user, *groups)

    def _record(self, name: str) -> dict[str, t.Any]:
        namespace, _slash, repository = name.partition("/")
        return self.made.get(name) or {
            "name": repository,
            "namespace": namespace,
            "repository_type": "image",
            "description": "",
            "full_description": "",
            "is_private": False,
            "date_registered": "2026-01-02T03:04:05.000000Z",
            "storage_size": 4096,
            "immutable_tags_settings": {"enabled": False, "rules": [".*"]},
        }

    def _names(self, namespace: str, user: str) -> list[str]:
        held = {*self._holdings.repositories(namespace), *(name for name in self.made if name.startswith(f"{namespace}/"))}
        return sorted(name for name in held if user or not self._record(name)["is_private"])

    def _page(self, asked: Asked, rows: t.Sequence[str], describe: t.Callable[[str], t.Any]) -> Answer:
        if self.closed:
            return Answer(403, {"message": "permission denied"})
        number, size = int(asked.query.get("page", 1)), size_of(asked, "page_size", 10, self.largest_page)
        shown = window(rows, number, size)
        if number > 1 and not shown:
            return _NOT_FOUND
        more = number * size < len(rows) and number != self.last_page
        query = urllib.parse.urlencode({**asked.query, "page": number + 1, "page_size": size})
        following = f"{self.next_base}{asked.path}?{query}" if more else None
        return Answer(200, {"count": len(rows), "next": following, "previous": None, "results": [describe(row) for row in shown]})

    def _list_repositories(self, asked: Asked, user: str, namespace: str) -> Answer:
        if namespace not in self.namespaces:
            return _NOT_FOUND
        return self._page(asked, self._names(namespace, user), self._record)

    def _list_tags(self, asked: Asked, user: str, namespace: str, name: str) -> Answer:
        repository = f"{namespace}/{name}"
        if repository not in self._names(namespace, user):
            return _NOT_FOUND

        def describe(tag: str) -> dict[str, t.Any]:
            held = self._holdings.manifest(repository, tag)
            return {
                "name": tag,
                "digest": held.digest,
                "media_type": held.media_type,
                "full_size": held.size,
                "images": [{"digest": digest, "status": "active"} for digest in held.children or (held.digest,)],
                "tag_status": "active",
                "tag_last_pushed": "2026-02-03T04:05:06.000000Z",
            }

        return self._page(asked, self._holdings.tags(repository), describe)

    def _tell(self, asked: Asked, user: str, namespace: str, name: str) -> Answer:
        repository = f"{namespace}/{name}"
        return Answer(200, self._record(repository)) if repository in self._names(namespace, user) else _NOT_FOUND

    def _create(self, asked: Asked, user: str, namespace: str) -> Answer:
        if not user:
            return Answer(401, {"detail": "Authentication credentials were not provided."})
        if user in self.readers or namespace not in self.namespaces:
            return Answer(403, {"message": "permission denied"})
        wanted = asked.document
        name = f"{namespace}/{wanted['name']}"
        if name in self._names(namespace, user):
            return Answer(400, {"message": "a repository of this name exists"})
        told = {key: wanted[key] for key in ("description", "full_description", "is_private")}
        self.made[name] = {**self._record(name), **told}
        return Answer(201, self.made[name])

    def _set_immutable(self, asked: Asked, user: str, namespace: str, name: str) -> Answer:
        repository = f"{namespace}/{name}"
        if repository not in self._names(namespace, user):
            return _NOT_FOUND
        if not user or user in self.readers:
            return Answer(403, {"message": "permission denied"})
        settings = {"enabled": asked.document["immutable_tags"], "rules": asked.document["immutable_tags_rules"]}
        self.made[repository] = {**self._record(repository), "immutable_tags_settings": settings}
        return Answer(200, self.made[repository])

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The index beside a v1 registry that does not stand alone: it knows users, and gives out a token for one repository at a time."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import secrets
import typing as t
import urllib.parse
from pathlib import Path

from estate.serving import Handler, LoopbackServer

_IMAGES = re.compile(r"/v1/repositories/([^/]+)/(.+)/images")


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request that it got."""

    path: str
    authorization: str
    status: int


class V1Index:
    """It answers when the constructor returns, until `stop`. `data`: the storage of the registry, where the lists of images are.

    `endpoints`: what it says where repositories are (`host:port`), which is known when the registry has been started. `search`: whether
    it finds repositories. `wrong_tokens`: it gives out tokens of which it knows nothing afterwards.
    """

    def __init__(
        self, data: Path, users: t.Mapping[str, str], *, endpoints: t.Sequence[str] = (), search: bool = True, wrong_tokens: bool = False
    ) -> None:
        self.data = data
        self.users = dict(users)
        self.endpoints = list(endpoints)
        self.search = search
        self.wrong_tokens = wrong_tokens
        self.asked: list[Asked] = []
        self.tokens: dict[str, str] = {}
        self._server = LoopbackServer(_Handler, self)
        self.url = self._server.url
        self.host = self.url.partition("://")[2]
        self._server.start()

    def answer(self, path: str, authorization: str) -> tuple[int, t.Any, dict[str, str]]:
        """Status, document and headers for a request."""
        path, _unused, query = path.partition("?")
        if path == "/v1/_ping":
            return 200, {}, {"X-Docker-Registry-Standalone": "False"}
        found = _IMAGES.fullmatch(path)
        repository = "/".join(map(urllib.parse.unquote, found.groups())) if found else ""
        if not self.accepts(authorization, repository):
            return 401, {"error": "Requires authorization"}, {"WWW-Authenticate": 'Basic realm="index"'}
        if path == "/v1/search" and self.search:
            wanted = urllib.parse.parse_qs(query).get("q", [""])[0]
            rows = [{"name": name, "description": ""} for name in repository_names(self.data) if wanted in name]
            return 200, {"query": wanted, "num_results": len(rows), "results": rows}, {}
        listed = self.data / "repositories" / repository / "_index_images"
        if not found or not listed.is_file():
            return 404, {"error": "images not found"}, {}
        token = f'signature={secrets.token_hex(8)},repository="{repository}",access=read'
        if not self.wrong_tokens:
            self.tokens[token] = repository
        return 200, json.loads(listed.read_text()), {"X-Docker-Token": token, "X-Docker-Endpoints": ", ".join(self.endpoints)}

    def accepts(self, authorization: str, repository: str) -> bool:
        """Whether this is one of its users, or a token of its own for this repository."""
        scheme, _space, said = authorization.partition(" ")
        if scheme == "Basic":
            name, _colon, password = base64.b64decode(said).decode().partition(":")
            return name in self.users and self.users[name] == password
        return scheme == "Token" and self.tokens.get(said) == repository

    def note(self, path: str, authorization: str, status: int) -> None:
        """Keep a request in mind."""
        self.asked.append(Asked(path, authorization, status))

    def stop(self) -> None:
        """End it. Stopping twice is fine."""
        self._server.stop()

    def __enter__(self) -> V1Index:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def repository_names(data: Path) -> list[str]:
    """The repositories in the storage of a registry, as a search shows them, sorted."""
    lists = (data / "repositories").glob("*/*/_index_images")
    return sorted(one.parent.relative_to(data / "repositories").as_posix() for one in lists)


class _Handler(Handler):
    def do_GET(self) -> None:
        authorization = self.headers.get("Authorization", "")
        index: V1Index = self.server.owner
        status, document, headers = index.answer(self.path, authorization)
        index.note(self.path, authorization, status)
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

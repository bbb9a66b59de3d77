# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens that nobody but their maker can read, for the doubles whose product has a token service of its own."""

from __future__ import annotations

import re
import secrets
import threading
import typing as t

from estate.product import Answer, Asked

_ACTIONS = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}


class OpaqueTokens:
    """What has been given out, and for which scopes. Threads share it."""

    def __init__(self) -> None:
        self._given: dict[str, frozenset[str]] = {}
        self._lock = threading.Lock()

    def give(self, scopes: t.Iterable[str], allowed: t.Callable[[str, str], bool] = lambda name, action: True) -> str:
        """A token for what is allowed of these scopes (`repository:team/app:pull,push`)."""
        granted = set()
        for scope in scopes:
            kind, name, actions = scope.split(":")
            granted |= {f"{kind}:{name}:{action}" for action in actions.split(",") if allowed(name, action)}
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._given[token] = frozenset(granted)
        return token

    def covers(self, token: str, needed: str) -> bool:
        """Whether a token is good for `repository:team/app:pull`; for an empty text, whether it is one at all."""
        with self._lock:
            granted = self._given.get(token)
        return granted is not None and (not needed or needed in granted)

    def forget(self) -> None:
        """Have all tokens expire."""
        with self._lock:
            self._given.clear()


def needed_for(asked: Asked) -> str:
    """The scope that a request of the distribution specification needs; empty for none."""
    if asked.path == "/v2/_catalog":
        return "registry:catalog:*"
    found = re.fullmatch(r"/v2/(.+)/(?:manifests|blobs|tags|referrers)/.*", asked.path)
    return f"repository:{found[1]}:{_ACTIONS.get(asked.method, 'push')}" if found else ""


def challenge(realm: str, service: str, scope: str = "") -> Answer:
    """The 401 that says where tokens are to be had."""
    line = f'Bearer realm="{realm}",service="{service}"' + (f',scope="{scope}"' if scope else "")
    return Answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}, {"WWW-Authenticate": line})

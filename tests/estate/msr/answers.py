# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors and pages, as eNZi and MSR both have them; and the start of every API: who asks."""

from __future__ import annotations

import json
import typing as t
import urllib.parse

from estate.product import Answer, Asked

STATUSES: t.Mapping[str, int] = {
    "INTERNAL_ERROR": 500,
    "WORKER_UNAVAILABLE": 503,
    "AUTHENTICATION_REQUIRED": 401,
    "INVALID_AUTHENTICATION_CREDENTIALS": 401,
    "INACTIVE_ACCOUNT": 401,
    "NOT_AUTHENTICATED": 401,
    "NOT_AUTHORIZED": 403,
    "NOT_ALLOWED": 405,
    "LDAP_PRECLUDES": 409,
    "TAG_IN_NOTARY": 409,
}


class Refusal(Exception):
    """A request that is answered with an error. Its status follows from the code: codes of what is not there are 404, others 400."""

    def __init__(self, code: str, message: str = "", detail: t.Any = None) -> None:
        super().__init__(code)
        self.code, self.message, self.detail = code, message, detail

    @property
    def answer(self) -> Answer:
        """The error as it is sent."""
        missing = self.code.startswith("NO_SUCH_") or self.code == "HANDLER_NOT_FOUND"
        one = {"code": self.code, "message": self.message or self.code.replace("_", " ").lower()}
        if self.detail is not None:
            one["detail"] = self.detail
        return Answer(STATUSES.get(self.code, 404 if missing else 400), {"errors": [one]})


def form(asked: Asked) -> dict[str, t.Any]:
    """The body, which has to be an object."""
    try:
        document = json.loads(asked.body or b"{}")
    except ValueError as error:
        raise Refusal("INVALID_JSON", f"unable to parse JSON: {error}") from None
    if not isinstance(document, dict):
        raise Refusal("INVALID_JSON", "an object is expected")
    return document


def number(asked: Asked, name: str, usual: int, largest: int, code: str) -> int:
    """A number of the query."""
    text = asked.query.get(name, "") or str(usual)
    if not text.isdecimal() or not 1 <= int(text) <= largest:
        raise Refusal(code, f"{name} must be a number from 1 to {largest}")
    return int(text)


Item = t.TypeVar("Item")


def page(items: t.Iterable[tuple[str, Item]], start: str, size: int) -> tuple[list[Item], str]:
    """The items from `start` on, in the order of their keys, and where the next page starts (empty: nowhere)."""
    ordered = sorted((one for one in items if one[0] >= start), key=lambda one: one[0])
    following = ordered[size][0] if len(ordered) > size else ""
    return [item for _key, item in ordered[:size]], following


def next_page(asked: Asked, name: str, following: str) -> dict[str, str]:
    """The headers that lead to the next page."""
    if not following:
        return {}
    query = urllib.parse.urlencode({**asked.query, name: following})
    # names may be of any script: their bytes stand in the header as they are
    return {"X-Next-Page-Start": following.encode().decode("latin-1"), "Link": f'<{asked.path}?{query}>; rel="next"'}

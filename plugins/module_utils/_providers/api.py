# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The API that a product has beside the distribution specification: JSON over the same connections, with the same care."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from urllib.parse import urlencode, urljoin

from ansible_collections.registryops.migration.plugins.module_utils._oci.answers import failure_of, read_answer
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import LIST_BODY, Transport, origin_of
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, next_link, numbered, walk

Query = t.Mapping[str, t.Union[str, int]]


@dataclasses.dataclass(frozen=True)
class Reply:
    """An answer: HTTP status, the JSON document of its body (None for an empty one), a getter for headers, the address that was asked."""

    status: int
    document: t.Any
    header: t.Callable[[str], str]
    header_lines: t.Callable[[str], list[str]]
    url: str

    def count(self, name: str) -> int:
        """A header that holds a number; -1 where there is none."""
        text = self.header(name)
        return int(text) if text.isdecimal() else -1


class API:
    """One product's API below a base address (`https://host[:port]/path`, without a slash at the end).

    `headers` says who asks, anew for each request. `hide` takes secrets out of what a server says. Threads share it.
    """

    def __init__(
        self, transport: Transport, base: str, headers: t.Callable[[], t.Mapping[str, str]], hide: t.Callable[[str], str] = str
    ) -> None:
        self._transport = transport
        self.base = base.rstrip("/")
        self.origin = origin_of(self.base)
        self._headers = headers
        self._hide = hide

    def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        document: t.Any = None,
        *,
        accept: t.Collection[int] = (200,),
        what: str = "",
        text: str = "",
        form: Query | None = None,
        headers: t.Mapping[str, str] | None = None,
        attempts: int | None = None,
    ) -> Reply:
        """Send one request and read the answer. `path` is below the base, or an address on the same host.

        The body is `document` as JSON, `text` as it is, or `form`. Statuses that are not in `accept` become the errors that registries'
        refusals become, about `what` (by default the address). Redirects are not followed: an API that sends them is somewhere else.
        `attempts`: instead of as many as the connection's options say; with 1, the request comes once at the most.
        """
        url = path if path.startswith(("http://", "https://")) else self.base + path
        if origin_of(url) != self.origin:
            raise InvalidAnswer("the next page of a list is said to be on another host.", subject=what or str(self.origin))
        if query:
            url += ("&" if "?" in url else "?") + urlencode(query)
        sent = {"Accept": "application/json", **self._headers(), **(headers or {})}
        body: bytes | None = None
        if document is not None:
            body = json.dumps(document).encode()
            sent["Content-Type"] = "application/json"
        elif form is not None:
            body = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        elif text:
            body = text.encode()
            sent["Content-Type"] = "text/plain"
        response = self._transport.request(method, url, sent, body, read_whole=LIST_BODY, attempts=attempts, once=attempts == 1)
        if response.status not in accept:
            plain = self.origin.scheme == "http"
            subject = what or f"{self.origin}{path.partition('?')[0]}"
            raise failure_of(read_answer(response, self._hide), subject, plain_http=plain, where=str(self.origin))
        data = response.body(LIST_BODY)
        content_type = response.headers.get("Content-Type", "")
        # what has been done is sometimes confirmed in a sentence
        sentence = "json" not in content_type and (response.status >= 300 or (method != "GET" and content_type.startswith("text/plain")))
        empty = not data.strip() or sentence
        return Reply(
            response.status,
            None if empty else response.json(LIST_BODY),
            lambda name: response.headers.get(name, ""),
            response.header_lines,
            url,
        )

    def linked(
        self, path: str, query: Query, what: str, items: t.Callable[[t.Any], t.Any] = lambda document: document
    ) -> t.Iterator[t.Any]:
        """All items of a list whose pages name the next one in a Link header, only ever on the same host."""

        def read(url: str) -> Page[t.Any]:
            reply = self.ask("GET", url, what=what)
            return Page(_list(items(reply.document), what), next_link(reply.url, reply.header_lines("Link")))

        return walk(f"{self.base}{path}?{urlencode(query)}", read, what)

    def numbered(
        self,
        path: str,
        query: Query,
        what: str,
        *,
        size: int = 100,
        names: tuple[str, str] = ("page", "page_size"),
        items: t.Callable[[t.Any], t.Any] = lambda document: document,
        total: str = "",
        past_the_end: t.Collection[int] = (),
    ) -> t.Iterator[t.Any]:
        """All items of a list whose pages have numbers from 1. `names` of the parameters for number and size.

        `total`: the header that says how many items there are. `past_the_end`: statuses that answer a page after the last one.
        """
        had = 0

        def read(number: int) -> Page[t.Any]:
            nonlocal had
            asked = {**query, names[0]: number, names[1]: size}
            reply = self.ask("GET", path, asked, accept=(200, *(past_the_end if number > 1 else ())), what=what)
            if reply.status != 200:
                return Page((), None)
            found = _list(items(reply.document), what)
            page = numbered(found, number, size, reply.count(total) if total else -1, had)
            had += len(found)
            return page

        return walk(1, read, what)

    def followed(
        self,
        path: str,
        query: Query,
        what: str,
        *,
        items: t.Callable[[t.Any], t.Any],
        following: t.Callable[[t.Any], str],
        total: t.Callable[[t.Any], int] = lambda document: -1,
        past_the_end: t.Collection[int] = (),
    ) -> t.Iterator[t.Any]:
        """All items of a list whose pages hold the address of the next one (empty for the last), only ever on the same host.

        `total`: how many items the list has, -1 where it does not tell. `past_the_end`: statuses that answer a page after the last one.
        """
        first = f"{self.base}{path}?{urlencode(query)}"

        def read(url: str) -> Page[t.Any]:
            reply = self.ask("GET", url, accept=(200, *(past_the_end if url != first else ())), what=what)
            if reply.status != 200:
                return Page((), None)
            target = following(reply.document)
            return Page(_list(items(reply.document), what), urljoin(url, target) if target else None, total(reply.document))

        return walk(first, read, what)

    def marked(
        self,
        path: str,
        query: Query,
        what: str,
        *,
        name: str,
        items: t.Callable[[t.Any], t.Any],
        mark: t.Callable[[t.Any], t.Any],
    ) -> t.Iterator[t.Any]:
        """All items of a list whose pages end with an opaque mark (empty for the last), which is sent as the parameter `name`."""

        def read(cursor: str) -> Page[t.Any]:
            reply = self.ask("GET", path, {**query, name: cursor} if cursor else query, what=what)
            following = mark(reply.document)
            return Page(_list(items(reply.document), what), str(following) if following else None)

        return walk("", read, what)


def _list(found: t.Any, what: str) -> list[t.Any]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise InvalidAnswer("answered with something that is no list.", subject=what, hint="Is this the address of that product's API?")
    return found

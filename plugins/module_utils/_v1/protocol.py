# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The v1 protocol, read: docker-registry up to 0.9, and what spoke its language.

A registry that stands alone takes everybody, or has a proxy in front of it that wants Basic. One that does not has an index beside it,
which lists repositories, knows users, and gives out a token for one repository at a time, together with the hosts that take it.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import threading
import time
import typing as t
from urllib.parse import quote, urlencode

from ansible_collections.registryops.migration.plugins.module_utils._oci.answers import failure_of, read_answer
from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobReader, BlobSource, HeldBlob
from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import MOST_DIGITS
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    BlobUnknown,
    CatalogForbidden,
    ConnectionFailed,
    InvalidAnswer,
    InvalidReference,
    ManifestUnknown,
    RegistryError,
    RepositoryUnknown,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import (
    LIST_BODY,
    HTTPOptions,
    Response,
    Transport,
    origin_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate, backoff
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, walk
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_registry_host
from ansible_collections.registryops.migration.plugins.module_utils._v1.reader import (
    IMAGE_LIMIT,
    V1Image,
    best_checksum,
    check_image_id,
    incomplete,
    plain_name,
    read_ancestry,
    read_tags,
)

#: hosts that an index may name for one repository
_MOST_ENDPOINTS = 16
#: answers that stand for "there is no search here": switched off, or kept from whoever asks
_NO_SEARCH = frozenset({400, 403, 404, 405, 410, 501})
_BEING_UPLOADED = "being uploaded"


@dataclasses.dataclass(frozen=True)
class _Door:
    """How a repository is reached: hosts that may be asked, one after the other, and what is shown to them."""

    transports: tuple[Transport, ...]
    secret: t.Mapping[str, str]
    has_token: bool = False


class V1Protocol:
    """A v1 registry, or the index in front of several. See V1Reader.

    `host` is `name[:port]`. `index` is the address (`https://name[:port]`) of an index that is somewhere else; without it a registry that
    does not stand alone is taken for its own index. `credential` tells user name and password. `headers` go to the given host alone.
    """

    is_local = False

    def __init__(
        self,
        host: str,
        *,
        plain_http: bool = False,
        options: HTTPOptions | None = None,
        credential: t.Callable[[], Credential | None] = lambda: None,
        headers: t.Mapping[str, str] | None = None,
        bandwidth: Rate | None = None,
        on_secret: t.Callable[[str], None] = lambda secret: None,
        index: str = "",
    ) -> None:
        self.host = check_registry_host(host)
        # a registry of today may have the same address
        self.name = f"{self.host}/v1"
        self._options = options or HTTPOptions()
        self._bandwidth = bandwidth
        self._scheme = "http" if plain_http else "https"
        self._transport = Transport(origin_of(f"{self._scheme}://{self.host}/"), self._options, bandwidth)
        self._credential = credential
        self._headers = dict(headers or {})
        self._on_secret = on_secret
        self._lock = threading.Lock()
        self._index = self._transport
        self._elsewhere: dict[str, Transport] = {}
        self._has_index = bool(index)
        if index:
            self._index = self._transport_to(index)
        self._standalone: bool | None = None
        #: whether anything has been let out to us
        self._welcome = False
        self._doors: dict[str, _Door] = {}
        self._descriptions: dict[str, str] = {}
        self._secrets: set[str] = set()

    # -- who we are
    def _transport_to(self, address: str) -> Transport:
        origin = origin_of(address)
        if origin == self._transport.origin:
            return self._transport
        with self._lock:
            key = f"{origin.scheme}://{origin}"
            if key not in self._elsewhere:
                # connect_to says where the given host is, and nothing about others
                self._elsewhere[key] = Transport(origin, dataclasses.replace(self._options, connect_to=""), self._bandwidth)
            return self._elsewhere[key]

    def _basic(self, transport: Transport) -> dict[str, str]:
        """Basic is sent from the first request on: what stands in front of a registry of that time does not always ask for it."""
        headers = self._headers if transport is self._transport else {}
        credential = self._credential()
        if credential is None or not credential.username:
            return dict(headers)
        pair = base64.b64encode(f"{credential.username}:{credential.password}".encode()).decode("ascii")
        self._keep_secret(pair)
        return {**headers, "Authorization": f"Basic {pair}"}

    def _keep_secret(self, secret: str) -> None:
        if secret not in self._secrets:
            self._secrets.add(secret)
            self._on_secret(secret)

    def _hide(self, text: str) -> str:
        credential = self._credential()
        known = {*self._secrets, *([credential.password] if credential is not None and len(credential.password) >= 4 else [])}
        for secret in sorted(known, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def check(self) -> None:
        self._greet()

    def _greet(self) -> bool:
        """Whether the registry stands alone, as it says itself (header X-Docker-Registry-Standalone; clients took none for yes)."""
        if self._standalone is None:
            where = f"{self._transport.origin}/v1/_ping"
            response = self._transport.follow(
                "GET", "/v1/_ping", {"Accept": "application/json"}, secret_headers=self._basic(self._transport), read_whole=LIST_BODY
            )
            if response.status == 404:
                response.drain()
                raise RegistryError(
                    "speaks no v1: there is nothing under this address.",
                    subject=where,
                    hint="Check the address; a registry of today has the type registry.",
                    status=404,
                )
            if response.status != 200:
                self._fail(response, where)
            said = response.headers.get("X-Docker-Registry-Standalone", "")
            self._standalone = said.strip().lower() in ("", "1", "true", "mirror")
            response.drain()
        return self._standalone

    def _door(self, repository: str, renew: bool = False) -> _Door:
        """Where a repository is, and what opens it."""
        if not self._has_index and self._greet():
            return _Door((self._transport,), self._basic(self._transport))
        with self._lock:
            door = self._doors.get(repository)
        if door is None or renew:
            door = self._ask_index(repository)
            with self._lock:
                self._doors[repository] = door
        return door

    def _ask_index(self, repository: str) -> _Door:
        where = f"{self.name}/{repository}"
        response = self._index.follow(
            "GET",
            f"/v1/repositories/{quote(repository, safe='/')}/images",
            {"Accept": "application/json", "X-Docker-Token": "true"},
            secret_headers=self._basic(self._index),
            read_whole=LIST_BODY,
        )
        self._expect(response, where, repository=True)
        token = response.headers.get("X-Docker-Token", "").strip()
        named = [one.strip() for line in response.header_lines("X-Docker-Endpoints") for one in line.split(",") if one.strip()]
        response.drain()
        if token.lower().startswith("token "):
            token = token[len("token ") :].strip()
        if not token or not (token.isascii() and token.isprintable()):
            raise InvalidAnswer("has given no token for this repository.", subject=where)
        self._keep_secret(token)
        transports: tuple[Transport, ...] = (self._transport,)
        if not self._has_index and named:
            try:
                hosts = [check_registry_host(one) for one in named[:_MOST_ENDPOINTS]]
            except InvalidReference:
                raise InvalidAnswer("is said to be on a host that has no such name.", subject=where) from None
            # whoever is asked in TLS is believed in TLS: the hosts that an index names are reached as the index itself
            transports = tuple(self._transport_to(f"{self._index.origin.scheme}://{one}/") for one in hosts)
        return _Door(transports, {"Authorization": f"Token {token}"}, has_token=True)

    # -- requests
    def _get(self, repository: str, path: str, *, headers: t.Mapping[str, str] | None = None, read_whole: int = 0) -> Response:
        """Ask wherever the repository is; a token that is refused is asked for once more."""
        door = self._door(repository)
        response = self._ask(door, path, headers or {}, read_whole)
        if response.status == 401 and door.has_token:
            response.drain()
            response = self._ask(self._door(repository, renew=True), path, headers or {}, read_whole)
            if response.status == 401:
                response.drain()
                raise AccessDenied(
                    "does not take the token that its index has given for this repository.",
                    subject=f"{self.name}/{repository}",
                    hint="Look at the registry's own setting for its index (index_endpoint), or grant the right there.",
                )
        return response

    @staticmethod
    def _ask(door: _Door, path: str, headers: t.Mapping[str, str], read_whole: int) -> Response:
        last: ConnectionFailed | None = None
        for transport in door.transports:
            try:
                return transport.follow("GET", path, headers, secret_headers=door.secret, read_whole=read_whole)
            except ConnectionFailed as error:
                # another of the hosts may have it as well
                last = error
        raise last or ConnectionFailed("no host has been named.")

    def _complete(self, repository: str, image_id: str, path: str, where: str) -> Response:
        """Ask for a part of an image; one that is being uploaded is waited for, but not for long: most uploads broke off years ago."""
        attempt = 0
        while True:
            response = self._get(
                repository, f"/v1/images/{image_id}/{path}", headers={"Accept": "application/json"}, read_whole=IMAGE_LIMIT
            )
            if response.status != 400 or _BEING_UPLOADED not in response.body().decode("utf-8", "replace"):
                return response
            attempt += 1
            if attempt >= self._options.attempts:
                raise incomplete(where)
            time.sleep(backoff(attempt))

    def _expect(self, response: Response, where: str, *, repository: bool = False) -> None:
        """Raise what a refusal means. `repository`: what is not found is a repository, else an image."""
        if response.status == 200:
            self._welcome = True
            return
        if response.status == 401 and self._welcome:
            # who asks is known by now: this is about the one thing
            response.drain()
            raise AccessDenied("is forbidden.", subject=where, hint="Grant the right, use another account, or leave it out.")
        if response.status == 404:
            response.drain()
            if repository:
                raise RepositoryUnknown("there is no such repository.", subject=where, hint="Check the name.")
            raise ManifestUnknown(
                "the source does not have this image, though something names it.",
                subject=where,
                hint="Push the image again at the source, or leave it out.",
            )
        self._fail(response, where)

    def _fail(self, response: Response, where: str) -> t.NoReturn:
        plain = self._scheme == "http"
        raise failure_of(read_answer(response, self._hide), where, plain_http=plain, where=str(self._transport.origin))

    # -- what is there
    def repositories(self) -> t.Iterator[str]:
        seen: set[str] = set()
        index = self._index
        secret = self._basic(index)

        def read(number: int) -> Page[str]:
            query = {"q": ""} if number == 1 else {"q": "", "page": str(number)}
            response = index.follow(
                "GET", f"/v1/search?{urlencode(query)}", {"Accept": "application/json"}, secret_headers=secret, read_whole=LIST_BODY
            )
            if response.status in _NO_SEARCH:
                response.drain()
                raise CatalogForbidden(
                    "does not list its repositories: its search is switched off, or not for this user.",
                    subject=self.name,
                    hint="Name the repositories in the rule (repositories: include: [team/app, ...]).",
                )
            if response.status != 200:
                self._fail(response, f"the search of {self.name}")
            answer = response.json(LIST_BODY)
            rows = answer.get("results") if isinstance(answer, dict) else None
            if not isinstance(rows, list) or not all(isinstance(row, dict) and isinstance(row.get("name"), str) for row in rows):
                raise InvalidAnswer("answered to a search with something that is no list.", subject=self.name)
            pages = answer.get("num_pages")
            new = [name for name in (self._take(row) for row in rows) if name not in seen]
            seen.update(new)
            more = isinstance(pages, int) and number < pages and bool(new)
            return Page(new, number + 1 if more else None)

        return walk(1, read, f"the search of {self.name}")

    def _take(self, row: t.Mapping[str, t.Any]) -> str:
        """A repository as the search has it."""
        name = plain_name(row["name"])
        description = row.get("description")
        if isinstance(description, str) and description:
            self._descriptions[name] = description
        return name

    def description(self, repository: str) -> str:
        return self._descriptions.get(repository, "")

    def tags(self, repository: str) -> dict[str, str]:
        where = f"{self.name}/{repository}"
        headers = {"Accept": "application/json"}
        response = self._get(repository, f"/v1/repositories/{quote(repository, safe='/')}/tags", headers=headers, read_whole=LIST_BODY)
        self._expect(response, where, repository=True)
        return read_tags(response.json(LIST_BODY), where, lambda: self._image_ids(repository, where))

    def _image_ids(self, repository: str, where: str) -> t.Iterator[str]:
        headers = {"Accept": "application/json"}
        response = self._get(repository, f"/v1/repositories/{quote(repository, safe='/')}/images", headers=headers, read_whole=LIST_BODY)
        self._expect(response, where, repository=True)
        rows = response.json(LIST_BODY)
        for row in rows if isinstance(rows, list) else ():
            yield check_image_id(row.get("id") if isinstance(row, dict) else None, where)

    def pushed(self, repository: str, tag: str) -> datetime.datetime | None:
        path = f"/v1/repositories/{quote(repository, safe='/')}/tags/{quote(tag, safe='')}/json"
        response = self._get(repository, path, headers={"Accept": "application/json"}, read_whole=LIST_BODY)
        if response.status != 200:
            # registries before 0.7 know no such thing
            response.drain()
            return None
        answer = response.json(LIST_BODY)
        moment = answer.get("last_update") if isinstance(answer, dict) else None
        try:
            return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc) if isinstance(moment, (int, float)) else None
        except (ValueError, OverflowError, OSError):
            return None

    # -- images
    def _where(self, repository: str, image_id: str) -> str:
        return f"{self.name}/{repository}@{image_id}"

    def ancestry(self, repository: str, image_id: str) -> list[str]:
        where = self._where(repository, image_id)
        response = self._complete(repository, image_id, "ancestry", where)
        self._expect(response, where)
        return read_ancestry(response.json(LIST_BODY), image_id, where)

    def image(self, repository: str, image_id: str) -> V1Image:
        where = self._where(repository, image_id)
        response = self._complete(repository, image_id, "json", where)
        self._expect(response, where)
        size = response.headers.get("X-Docker-Size", "")
        lines = [*response.header_lines("X-Docker-Checksum-Payload"), *response.header_lines("X-Docker-Checksum")]
        checksum = best_checksum(one.strip() for line in lines for one in line.split(","))
        return V1Image(response.body(IMAGE_LIMIT), int(size) if size.isdecimal() and len(size) <= MOST_DIGITS else -1, checksum)

    def open_layer(self, repository: str, image_id: str, size: int) -> BlobSource:
        if size == 0:
            # docker-registry answers 416 to whoever wants none of no bytes
            return HeldBlob(b"")
        where = self._where(repository, image_id)

        def fetch(start: int) -> Response:
            # with an end, for without one docker-registry announces a byte too many; one byte alone it does not take for a range
            headers = {"Range": f"bytes={start}-{size - 1}"} if start and size - start > 1 else {}
            response = self._get(repository, f"/v1/images/{image_id}/layer", headers=headers)
            if response.status == 404:
                response.drain()
                raise BlobUnknown("the source does not have this image's layer.", subject=where)
            if response.status not in (200, 206) and not (response.status == 416 and size < 0 and not start):
                self._fail(response, where)
            return response

        return BlobReader(fetch, Descriptor("", "", size), where, self._options.attempts, self._bandwidth)

    # -- bookkeeping
    def _transports(self) -> list[Transport]:
        with self._lock:
            return [self._transport, *self._elsewhere.values()]

    @property
    def places(self) -> int:
        return self._transport.limits(self._transport.origin).gate.maximum

    @property
    def requests(self) -> int:
        return sum(transport.requests for transport in self._transports())

    @property
    def warnings(self) -> list[str]:
        return [warning for transport in self._transports() for warning in transport.warnings]

    def close(self) -> None:
        for transport in self._transports():
            transport.close()

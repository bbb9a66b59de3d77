# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Reading a blob: in pieces, checked, and going on where an interruption left off."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import hasher
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ConnectionFailed, DigestMismatch
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import Response
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate, backoff
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor


class BlobSource(t.Protocol):
    """A blob that can be read once: what every store hands out and takes."""

    size: int
    received: int

    def __iter__(self) -> t.Iterator[bytes]:
        """The bytes in order; DigestMismatch in place of the last piece if they are the wrong ones."""

    def close(self) -> None:
        """Give back what is held for reading."""


def checked(pieces: t.Iterable[bytes], digest: str, subject: str) -> t.Iterator[bytes]:
    """Pass the pieces on, the last one only when the digest of the whole is right: else DigestMismatch is raised in its place.

    Whoever passes the pieces on with their length announced thereby never completes a wrong blob.
    """
    hashed = hasher(digest)
    held = b""
    for data in pieces:
        hashed.update(data)
        if held:
            yield held
        held = data
    if f"{hashed.name}:{hashed.hexdigest()}" != digest:
        raise DigestMismatch(
            "the source has bytes that do not have this digest.",
            subject=subject,
            hint="The blob is corrupt at the source or on the way; push the image again at the source.",
        )
    if held:
        yield held


class HeldBlob:
    """A blob that is in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)
        self.received = 0

    def __iter__(self) -> t.Iterator[bytes]:
        if self._data:
            self.received = self.size
            yield self._data

    def close(self) -> None:
        """There is nothing to give back."""


class BlobReader:
    """The bytes of a blob, once, in order.

    `fetch(start)` asks for the bytes from `start` on (200 or 206). Digest and size are checked, see `checked`; a descriptor without a
    digest is that of bytes of which nobody knows it yet.
    """

    def __init__(
        self, fetch: t.Callable[[int], Response], descriptor: Descriptor, subject: str, attempts: int = 5, bandwidth: Rate | None = None
    ) -> None:
        self._fetch = fetch
        self._descriptor = descriptor
        self._subject = subject
        self._attempts = attempts
        self._bandwidth = bandwidth or Rate(0)
        self._response: Response | None = fetch(0)
        #: bytes; -1 if neither the descriptor (schema 1 has none) nor the server says it
        self.size = descriptor.size if descriptor.size >= 0 else self._response.length
        #: bytes that came over the network so far
        self.received = 0

    def __iter__(self) -> t.Iterator[bytes]:
        return checked(self._pieces(), self._descriptor.digest, self._subject) if self._descriptor.digest else self._pieces()

    def _pieces(self) -> t.Iterator[bytes]:
        failures = 0
        while True:
            try:
                for data in self._response.chunks() if self._response else ():
                    if self.size >= 0 and self.received + len(data) > self.size:
                        raise DigestMismatch(
                            f"the source sent more than the {self.size} bytes of this blob.",
                            subject=self._subject,
                            hint="Push the image again at the source.",
                        )
                    self.received += len(data)
                    self._bandwidth.take(len(data))
                    failures = 0
                    yield data
                if self.size < 0 or self.received == self.size:
                    # others may use the connection while the bytes are still on their way out of here
                    self.close()
                    return
                raise ConnectionFailed("the blob broke off.", subject=self._subject, hint="It has been tried again as often as allowed.")
            except ConnectionFailed:
                failures += 1
                if failures >= self._attempts or self.size < 0:
                    raise
            self.close()
            time.sleep(backoff(failures))
            self._resume()

    def _resume(self) -> None:
        self._response = response = self._fetch(self.received)
        # registries of v1 leave out the unit
        start = response.headers.get("Content-Range", "").rpartition(" ")[2].partition("-")[0]
        if response.status == 206 and start == str(self.received):
            return
        if response.status == 206:
            raise ConnectionFailed("went on at another place than was asked for.", subject=self._subject)
        # a server without ranges sends everything again: what is known already is read past
        left = self.received
        self._response = _Rest(response, left)

    def close(self) -> None:
        """Give the connection back."""
        if self._response is not None:
            self._response.close()
            self._response = None


class _Rest(Response):
    """A response of which the first bytes are dropped."""

    def __init__(self, response: Response, skip: int) -> None:
        self.__dict__.update(response.__dict__)
        self._whole = response
        self._skip = skip

    def chunks(self) -> t.Iterator[bytes]:
        for data in self._whole.chunks():
            dropped = min(self._skip, len(data))
            self._skip -= dropped
            if len(data) > dropped:
                yield data[dropped:]

    def close(self) -> None:
        self._whole.close()

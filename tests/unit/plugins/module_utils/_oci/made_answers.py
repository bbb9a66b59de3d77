# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers without a server: the bytes that one would have sent, read by the code that reads servers' answers."""

from __future__ import annotations

import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import Answer, Connection


class Socket:
    """The client's end of a connection on which these bytes arrive, and then the end."""

    def __init__(self, arriving: bytes, piece: int = 1 << 16) -> None:
        self.arriving = arriving
        self.piece = piece
        self.sent = b""
        self.closed = False

    def recv(self, most: int) -> bytes:
        most = min(most, self.piece)
        data, self.arriving = self.arriving[:most], self.arriving[most:]
        return data

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True


def wire(status: int, body: bytes, fields: t.Mapping[str, str] | t.Sequence[tuple[str, str]]) -> bytes:
    """An answer as it travels."""
    pairs = fields.items() if isinstance(fields, t.Mapping) else fields
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def made_answer(
    status: int,
    body: bytes = b"",
    fields: t.Mapping[str, str] | t.Sequence[tuple[str, str]] | None = None,
    method: str = "GET",
    give_back: t.Callable[[Connection], None] = lambda connection: None,
) -> Answer:
    """An answer whose head has been read. Without `fields` its length is announced."""
    if fields is None:
        fields = {"Content-Length": str(len(body))}
    return Connection(Socket(wire(status, body, fields))).answer(method, give_back)

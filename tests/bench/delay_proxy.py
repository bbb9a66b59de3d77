# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A forwarder that adds a round-trip time: `python -m bench.delay_proxy MILLISECONDS LISTEN:TARGET …`, all of them ports of loopback.

Every byte is held for half the time on its way in each direction. Setting up a connection costs a client one round trip more, as it
does on a network: the first bytes of a connection are held that much longer. Bandwidth is not limited. Ends when it is told to.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import sys
import typing as t

LOOPBACK = "127.0.0.1"
#: bytes under way in one direction before the sender has to wait
UNDER_WAY = 16 << 20


class _Side(asyncio.Protocol):
    """One end of a forwarded connection: what arrives here leaves at the other end, later."""

    def __init__(self, delay: float, extra: float = 0.0) -> None:
        self.loop = asyncio.get_running_loop()
        self.delay = delay
        #: by how much the first bytes are late
        self.extra = extra
        self.begin = 0.0
        self.other: _Side | None = None
        self.transport: asyncio.Transport | None = None
        #: (when to leave, bytes; None for the end of the connection)
        self.held: collections.deque[tuple[float, bytes | None]] = collections.deque()
        self.held_bytes = 0
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = t.cast(asyncio.Transport, transport)
        self.begin = self.loop.time()

    def data_received(self, data: bytes) -> None:
        self.held_bytes += len(data)
        if self.held_bytes > UNDER_WAY and self.transport:
            self.transport.pause_reading()
        self._hold(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._hold(None)

    def _hold(self, data: bytes | None) -> None:
        # never before what came earlier: a connection keeps its order
        moment = max(self.loop.time(), self.begin + self.extra) + self.delay
        self.held.append((moment, data))
        self.schedule()

    def schedule(self) -> None:
        """Have the next bytes leave when it is time; they wait as well until the other end is connected."""
        if self.timer is None and self.held and self.other is not None and self.other.transport is not None:
            self.timer = self.loop.call_at(self.held[0][0], self._leave)

    def _leave(self) -> None:
        self.timer = None
        target = self.other.transport if self.other else None
        now = self.loop.time()
        while self.held and self.held[0][0] <= now and target is not None:
            data = self.held.popleft()[1]
            if data is None:
                target.close()
            elif not target.is_closing():
                target.write(data)
            self.held_bytes -= len(data or b"")
        if self.transport and not self.transport.is_closing() and self.held_bytes <= UNDER_WAY:
            self.transport.resume_reading()
        self.schedule()

    def pause_writing(self) -> None:
        """This end takes no more for now: nothing more is read at the other one."""
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport and not self.other.transport.is_closing():
            self.other.transport.resume_reading()


class _Front(_Side):
    """The end that clients connect to; it connects on to the server."""

    def __init__(self, delay: float, port: int) -> None:
        super().__init__(delay, extra=2 * delay)
        self.port = port
        self.connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.connecting = self.loop.create_task(self._connect())

    async def _connect(self) -> None:
        back = _Side(self.delay)
        back.other = self
        try:
            await self.loop.create_connection(lambda: back, LOOPBACK, self.port)
        except OSError:
            if self.transport:
                self.transport.abort()
            return
        self.other = back
        self.schedule()
        back.schedule()


async def forward(milliseconds: float, pairs: t.Sequence[tuple[int, int]]) -> None:
    """Listen and forward until cancelled; `pairs`: ports to listen on, and where they lead."""
    delay = milliseconds / 2000
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as servers:
        for listen, port in pairs:
            server = await loop.create_server(functools.partial(_Front, delay, port), LOOPBACK, listen)
            await servers.enter_async_context(server)
        await asyncio.Event().wait()


def main(milliseconds: str, *pairs: str) -> None:
    ports = [pair.split(":") for pair in pairs]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forward(float(milliseconds), [(int(listen), int(target)) for listen, target in ports]))


if __name__ == "__main__":
    main(*sys.argv[1:])

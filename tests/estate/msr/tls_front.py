# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS in front of a database that speaks none, which asks each client for a certificate, as the product's own does."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import typing as t

from estate.ports import LOOPBACK

_PIECE = 65_536
_LOOK = 0.2  # seconds between two looks at whether it was stopped


class TLSFront:
    """It listens on `port` from construction to `stop`, and passes on what it decrypts to a port of loopback."""

    def __init__(self, context: ssl.SSLContext, behind: int) -> None:
        self._context = context
        self._behind = behind
        self._over = threading.Event()
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.settimeout(_LOOK)
        self.port = int(self._listener.getsockname()[1])
        #: connections whose handshake was done
        self.accepted = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _address = self._listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.closing(connection):
            connection.settimeout(10)
            try:
                secured = self._context.wrap_socket(connection, server_side=True)
            except OSError:
                # the client will know why
                return
            self.accepted += 1
            with contextlib.closing(secured), socket.create_connection((LOOPBACK, self._behind)) as behind:
                with contextlib.suppress(OSError):
                    self._pump(secured, behind)

    def _pump(self, secured: ssl.SSLSocket, behind: socket.socket) -> None:
        # one thread for both directions: OpenSSL wants one at a time
        while not self._over.is_set():
            ready = [secured] if secured.pending() else select.select([secured, behind], [], [], _LOOK)[0]
            for one in ready:
                data = one.recv(_PIECE)
                if not data:
                    return
                (behind if one is secured else secured).sendall(data)

    def stop(self) -> None:
        """No new connections, and those that there are end. Stopping twice is fine."""
        self._over.set()
        self._thread.join(5)
        self._listener.close()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

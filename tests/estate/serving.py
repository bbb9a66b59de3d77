# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP servers of the estate's own: in a thread, on a free loopback port, with or without TLS, gone when they are stopped."""

from __future__ import annotations

import http.server
import socket
import ssl
import struct
import sys
import threading
import typing as t

from estate.ports import LOOPBACK


class LoopbackServer(http.server.ThreadingHTTPServer):
    """Listens from construction on, answers from `start` to `stop`. Its handlers find in `owner` whom they serve."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler], owner: t.Any, ssl_context: ssl.SSLContext | None = None) -> None:
        self.owner = owner
        self._ssl_context = ssl_context
        self._open: set[socket.socket] = set()
        self._resets: set[socket.socket] = set()
        self._stopped = threading.Event()
        super().__init__((LOOPBACK, 0), handler)
        self.port = int(self.server_address[1])
        self.url = f"{'https' if ssl_context else 'http'}://{LOOPBACK}:{self.port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def start(self) -> None:
        """Answer."""
        self._thread.start()

    def stop(self) -> None:
        """No new connections, and those that are open are closed. Stopping twice is fine."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._open.discard(connection)  # its client was faster
        self._thread.join(5)

    def wait(self, seconds: float) -> None:
        """Sleep. ConnectionAbortedError when the server is stopped meanwhile: the request is not answered any more."""
        if self._stopped.wait(seconds):
            raise ConnectionAbortedError("the server was stopped")

    def reset(self, connection: socket.socket) -> None:
        """The connection ends with a RST when its handler returns."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._resets.add(connection)

    def get_request(self) -> tuple[socket.socket, t.Any]:
        """Accept a connection; the TLS handshake happens at the first read, in the connection's own thread."""
        connection, address = super().get_request()
        if self._ssl_context:
            connection = self._ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: t.Any) -> None:
        """End a connection: in order, or with the RST that was asked for."""
        self._open.discard(request)
        if request in self._resets:
            self._resets.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that hangs up or does not speak TLS is no error of the server."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    """Keep-alive, one segment for each answer, nothing on the terminal."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    rbufsize = 1 << 16
    server: LoopbackServer

    def log_message(self, format: str, *arguments: object) -> None:
        """The servers keep their own logs."""

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Free ports of the loopback interface."""

from __future__ import annotations

import random
import socket
import threading

LOOPBACK = "127.0.0.1"

# Below the range that Linux hands to outgoing connections (32768 and up): no client can sit on a port while a server is restarted on it.
_FIRST, _LAST = 20000, 32000
_random = random.SystemRandom()
_given: set[int] = set()
_lock = threading.Lock()


def free_port() -> int:
    """A port that nothing listens on now, and that this process has not been given before.

    Another process may still take it before the caller does: whoever starts a server tries again with another port.
    """
    with _lock:
        for _attempt in range(2000):
            port = _random.randint(_FIRST, _LAST)
            if port not in _given and _can_listen(port):
                _given.add(port)
                return port
    raise RuntimeError(f"no free port between {_FIRST} and {_LAST} on {LOOPBACK}")


def _can_listen(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose old connections are still in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(port: int, timeout: float = 0.2) -> bool:
    """Whether a TCP connection to the port succeeds within `timeout` seconds."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout):
            return True
    except OSError:
        return False

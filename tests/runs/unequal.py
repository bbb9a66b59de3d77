# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two destinations of one source, of which the first has nothing to do: its run begins last, and is over before the other one's goes on."""

from __future__ import annotations

import contextlib
import fcntl
import threading
import time
import typing as t
from pathlib import Path

from estate.client import Access
from estate.compare import Reachable
from estate.turnstile import Turnstile, Watch

_PATIENCE = 50.0


class Unequal:
    """`first` and `second` lead to the destinations. `state`: the state folder of the first one's run."""

    def __init__(self, first: Reachable, second: Reachable, state: Path) -> None:
        self._lock_file = state / "lock"
        self._first_begun, self._second_begun = threading.Event(), threading.Event()
        self._watches = Watch(), Watch()
        #: whether the first one's run was over when the other one's went on
        self.in_turn = False
        # by its first request a run has its ledger, by its second one it has handed it to the source
        self._watches[0].when(lambda *_unused: True, "before", self._begin_first)
        self._watches[1].when(lambda _number, _side, _method, path: path != "/v2/", "before", self._go_on)
        accesses = [one if isinstance(one, Access) else one.access for one in (first, second)]
        self._turnstiles = [Turnstile(access, watch, "destination") for access, watch in zip(accesses, self._watches, strict=True)]
        self.first, self.second = (one.access for one in self._turnstiles)

    def _begin_first(self) -> bool:
        self._first_begun.set()
        return self._second_begun.wait(_PATIENCE)

    def _go_on(self) -> bool:
        self._second_begun.set()
        self.in_turn = self._first_begun.wait(_PATIENCE) and self._is_over()
        return True

    def _is_over(self) -> bool:
        """Wait until the first one's ledger is closed."""
        deadline = time.monotonic() + _PATIENCE
        with self._lock_file.open("a", encoding="ascii") as file:
            while time.monotonic() < deadline:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return True
                time.sleep(0.01)
        return False

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *error: object) -> None:
        for one in self._turnstiles:
            one.stop()

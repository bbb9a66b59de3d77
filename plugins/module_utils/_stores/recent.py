# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What was read or made last, in memory."""

from __future__ import annotations

import collections
import threading
import typing as t

_Value = t.TypeVar("_Value")


class Recent(t.Generic[_Value]):
    """The last things that were read or made, by a key, as far as there is room. Threads share it."""

    def __init__(self, capacity: int) -> None:
        """`capacity`: what all that is held may weigh together, in the unit of `put`; the last thing is held whatever it weighs."""
        self._capacity = capacity
        self._held: collections.OrderedDict[t.Hashable, tuple[_Value, int]] = collections.OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, key: t.Hashable) -> _Value | None:
        """What is held under a key; None where it is not, any more or at all."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: t.Hashable, value: _Value, weight: int) -> None:
        """Hold something, in the place of what was used longest ago."""
        with self._lock:
            self._weight += weight - self._held.pop(key, (None, 0))[1]
            self._held[key] = (value, weight)
            while self._weight > self._capacity and len(self._held) > 1:
                self._weight -= self._held.popitem(last=False)[1][1]

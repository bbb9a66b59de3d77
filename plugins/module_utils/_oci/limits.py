# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What one run may ask of one host: how many requests at once, how many a second, and when it has to be left alone.

One `HostLimits` is shared by all workers that talk to a host, so that a single Retry-After pauses them all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math
import random
import threading
import time
import typing as t

#: a server that asks for more patience than this (seconds) is not obeyed to the letter
LONGEST_PAUSE = 900.0


class Rate:
    """A token bucket: at most `per_second` units a second over the whole run; 0 means no limit."""

    def __init__(
        self, per_second: float, clock: t.Callable[[], float] = time.monotonic, sleep: t.Callable[[float], None] = time.sleep
    ) -> None:
        self._per_second = float(per_second)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock()

    def take(self, units: float) -> None:
        """Wait until `units` may be spent. Callers queue up: each reserves its share of time before it sleeps."""
        if self._per_second <= 0 or units <= 0:
            return
        with self._lock:
            now = self._clock()
            start = max(now, self._free_at)
            self._free_at = start + units / self._per_second
        if start > now:
            self._sleep(start - now)


#: requests at once where nobody has said how many: for a host that is near, and for one that is far away
NEAR, FAR = 16, 64
#: seconds; a host that needs longer than this for its quickest answer gets more requests at once, in proportion
NEARNESS = 0.005
#: answers that have to be seen before the quickest of them says how far away a host is
SEEN = 8


class Gate:
    """How many requests may be under way at once; the number adapts.

    It is halved when the host says that it has too much to do, and grows by one for each round of requests that went well
    (additive increase, multiplicative decrease), never above `maximum`. With a maximum of 0 there are 16 places, and up to 64 where
    even the quickest answer takes long: then it is the way to the host that costs the time, and waiting for one answer leaves room
    for others. A thread that has a place may take it again: an upload in pieces is one place from its first piece to its last.

    Whoever copies from host to host takes the place at the destination first, so that no two can wait for each other.
    """

    def __init__(self, maximum: int) -> None:
        self._adapts = maximum <= 0
        self.maximum = NEAR if self._adapts else maximum
        self.limit = float(self.maximum)
        self._quickest = math.inf
        self._seen = 0
        self._active = 0
        self._halved_at = -math.inf
        self._changed = threading.Condition()
        self._own = threading.local()

    def acquire(self, at_once: bool = False) -> None:
        """Take a place, waiting for one if need be; `at_once`: without waiting, even where there is none."""
        depth = getattr(self._own, "depth", 0)
        if not depth:
            with self._changed:
                while self._active >= int(self.limit) and not at_once:
                    self._changed.wait()
                self._active += 1
        self._own.depth = depth + 1

    @contextlib.contextmanager
    def place(self) -> t.Iterator[None]:
        """Hold a place."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def answered(self, seconds: float) -> None:
        """Say how long an answer took that had nothing to wait for but the host."""
        if not self._adapts:
            return
        with self._changed:
            self._seen += 1
            self._quickest = min(self._quickest, seconds)
            if self._seen < SEEN:
                return
            maximum = min(FAR, max(NEAR, round(NEAR * self._quickest / NEARNESS)))
            if maximum > self.maximum and not math.isfinite(self._halved_at):
                # a host that has never complained need not be approached step by step
                self.limit = float(maximum)
                self._changed.notify_all()
            self.maximum = maximum
            self.limit = min(self.limit, float(maximum))

    def release(self, overloaded: bool = False) -> None:
        """Give the place back and say whether the host showed that it was overloaded."""
        self._own.depth -= 1
        with self._changed:
            self._active -= not self._own.depth
            if overloaded:
                # one overload is seen by many workers at once: it counts once
                now = time.monotonic()
                if now - self._halved_at > 1.0:
                    self._halved_at = now
                    self.limit = max(1.0, self.limit / 2)
            elif self.limit < self.maximum:
                self.limit = min(float(self.maximum), self.limit + 1 / self.limit)
            self._changed.notify()
            if not overloaded:
                self._changed.notify()


@dataclasses.dataclass
class HostLimits:
    """The state of one host (scheme, name, port) in one run."""

    gate: Gate
    rate: Rate
    requests: int = 0
    _paused_until: float = 0.0
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def pause(self, seconds: float) -> None:
        """Nobody asks this host anything for so long."""
        until = time.monotonic() + min(seconds, LONGEST_PAUSE)
        with self._lock:
            self._paused_until = max(self._paused_until, until)

    def wait(self) -> None:
        """Wait while the host is paused, then for the request rate; counts the request that follows."""
        while True:
            with self._lock:
                left = self._paused_until - time.monotonic()
                if left <= 0:
                    self.requests += 1
                    break
            time.sleep(left)
        self.rate.take(1)


def _moment(date: str) -> float | None:
    """Unix time of an HTTP date; None for what is none."""
    # an import of 30 ms, for something rare
    import email.utils

    try:
        moment = email.utils.parsedate_to_datetime(date)
        # without a zone (-0000) the time is UTC all the same
        return moment.replace(tzinfo=moment.tzinfo or datetime.timezone.utc).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def retry_after(value: str | None, now: float | None = None, date: str | None = None) -> float | None:
    """Seconds to wait out of a Retry-After header: seconds, an HTTP date (RFC 9110 §10.2.3), or unix time as some products send.

    `date`: the answer's own Date. A moment is one of the server's clock, which may be hours off ours.
    """
    if not value:
        return None
    value = value.strip()
    server = _moment(date) if date and now is None else None
    clock = server if server is not None else (time.time() if now is None else now)
    try:
        number = float(value)
    except ValueError:
        moment = _moment(value)
        return None if moment is None else max(0.0, moment - clock)
    # no pause is 11 years long: such a number is a moment, in seconds or in milliseconds
    if number > 1e11:
        number /= 1000
    if number > 3.5e8:
        return max(0.0, number - clock)
    return None if math.isnan(number) else max(0.0, number)


def backoff(attempt: int, base: float = 0.2, longest: float = 20.0) -> float:
    """Seconds before the attempt after number `attempt` (0, 1, ...): doubling, with full jitter so that workers spread."""
    jitter: float = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
    return jitter * min(longest, base * 2.0**attempt)

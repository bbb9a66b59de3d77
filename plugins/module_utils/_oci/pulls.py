# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""How many manifests may be read: registries that sell pulls count each GET of a manifest, and no HEAD.

They say in the headers of such answers how many pulls there are in a window of time, and how many are left (Docker Hub's usage
limits: `ratelimit-limit: 100;w=21600`, seconds, and `ratelimit-remaining: 76;w=21600`). Who is not limited gets no such headers.
How the window moves is not documented, and accounts and addresses are shared with others: what is left is never calculated for longer
than it lasts, but asked for with a HEAD.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import PullsUsedUp
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import LONGEST_PAUSE, retry_after

OnQuota = t.Literal["wait", "stop"]

#: seconds between two questions for what is left, at least and at most; in between, a part of the window
_SHORTEST_PAUSE, _USUAL_PAUSE, _PART_OF_WINDOW = 1.0, 60.0, 360
_FIGURE = re.compile(r"\s*([0-9]{1,12})(?:\s*;\s*w\s*=\s*([0-9]{1,9}))?\s*")


def figure(value: str | None) -> tuple[int, float] | None:
    """`76;w=21600` as a number and a window in seconds (0 where none is given); None for what is no such figure."""
    match = _FIGURE.fullmatch(value or "")
    return (int(match[1]), float(match[2] or 0)) if match else None


class PullQuota:
    """The pulls of one registry in one run. Threads share it; a pull is taken before it is asked for.

    `limit` and `remaining` are what the registry has told last (None: it does not limit, as far as is known), `window` is seconds;
    `used` counts the manifests that this run has been given.
    """

    def __init__(self, registry: str, on_quota: OnQuota = "wait", clock: t.Callable[[], float] = time.monotonic) -> None:
        self.registry = registry
        self.on_quota = on_quota
        self.limit: int | None = None
        self.remaining: int | None = None
        self.window = 0.0
        self.used = 0
        self._clock = clock
        self._known = False
        #: pulls that may yet be begun; those under way are taken off already
        self._left = 0
        self._under_way = 0
        self._looking = False
        #: when it is worthwhile to ask again what is left
        self._look_at = 0.0
        self._waiting = 0
        self._changed = threading.Condition()

    @property
    def is_limited(self) -> bool:
        """Whether the registry has named a limit."""
        return self.limit is not None

    @property
    def is_waiting(self) -> bool:
        """Whether the run waits for pulls."""
        return self._waiting > 0

    def give_up(self) -> None:
        """Wait no longer, now and later: who waits gets PullsUsedUp."""
        with self._changed:
            self.on_quota = "stop"
            self._changed.notify_all()

    def refuses(self, status: int, headers: t.Mapping[str, str]) -> bool:
        """Whether an answer says that there is no pull left. It does not get better by asking again."""
        told = figure(headers.get("ratelimit-remaining"))
        return status == 429 and told is not None and told[0] == 0

    def learn(self, status: int, headers: t.Mapping[str, str], counted: bool = False) -> None:
        """Take in what an answer about a manifest tells; `counted`: it was a pull."""
        limit, told = figure(headers.get("ratelimit-limit")), figure(headers.get("ratelimit-remaining"))
        with self._changed:
            self.used += counted and status == 200
            first = self.limit is None
            if limit is not None:
                self.limit, self.window = limit
            if told is not None and self.limit is not None:
                self.remaining = told[0]
                # what others spend shows here, and what comes back: that is asked for when nothing is left
                self._left = told[0] if self._looking or first else min(self._left, told[0])
            if status == 200 or told is not None:
                self._known = True
            if status == 429:
                asked = retry_after(headers.get("X-Retry-After") or headers.get("Retry-After"), date=headers.get("Date"))
                self._look_at = self._clock() + (self._pause() if asked is None else max(_SHORTEST_PAUSE, min(asked, LONGEST_PAUSE)))
            self._changed.notify_all()

    def _pause(self) -> float:
        return max(_SHORTEST_PAUSE, min(_USUAL_PAUSE, self.window / _PART_OF_WINDOW))

    @contextlib.contextmanager
    def pull(self, look: t.Callable[[], bool]) -> t.Iterator[None]:
        """Around a GET of a manifest: waits until there is a pull for it, or raises PullsUsedUp, as the user has chosen.

        `look` asks with a HEAD for that manifest, has the answer learnt, and says whether there is such a manifest at all.
        """
        free = False
        while not self._take(free):
            free = not self._look(look)
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    @property
    def _is_used_up(self) -> bool:
        return self._known and self.limit is not None and self._left <= 0

    def _take(self, free: bool) -> bool:
        """Take a pull; False where somebody has to look first, and that is the caller. Waits for others who look.

        `free`: for what is not there, which costs nothing.
        """
        with self._changed:
            while True:
                if free:
                    self._under_way += 1
                    return True
                if self._looking or (self._is_used_up and self._under_way):
                    self._changed.wait()
                    continue
                if self._known and not self._is_used_up:
                    self._left -= 1
                    self._under_way += 1
                    return True
                pause = self._look_at - self._clock()
                if self._known and pause > 0:
                    if self.on_quota == "stop":
                        raise self.used_up()
                    self._waiting += 1
                    self._changed.wait(pause)
                    self._waiting -= 1
                    continue
                self._looking = True
                return False

    def _look(self, look: t.Callable[[], bool]) -> bool:
        """Ask what is left; returns whether there is such a manifest at all."""
        try:
            return look()
        finally:
            with self._changed:
                self._looking = False
                if self._is_used_up:
                    self._look_at = max(self._look_at, self._clock() + self._pause())
                self._changed.notify_all()

    def used_up(self) -> PullsUsedUp:
        """The error for who does not wait."""
        return PullsUsedUp(
            f"all {self.limit} pulls{self._of_window()} are used up.",
            subject=self.registry,
            hint="Run again later: what is done stays done. Or set on_quota to wait, or use an account with more pulls.",
        )

    def _of_window(self) -> str:
        return f" of {window_in_words(self.window)}" if self.window else ""

    def as_dict(self) -> dict[str, t.Any]:
        """What is known, for results: limit and remaining are None where the registry does not limit."""
        with self._changed:
            return {"limit": self.limit, "window": self.window, "remaining": self.remaining, "used": self.used}


def window_in_words(seconds: float) -> str:
    """`6 hours`, `90 minutes`, `45 seconds`."""
    for length, word in ((3600, "hour"), (60, "minute")):
        if seconds >= length and seconds % length == 0:
            number = int(seconds // length)
            return f"{number} {word}{'' if number == 1 else 's'}"
    return f"{seconds:g} seconds"

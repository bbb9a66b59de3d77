# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Limits that change with the time of day."""

from __future__ import annotations

import dataclasses
import datetime
import re
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: seconds after which the time of day is looked at again, whatever was found before: clocks are set, and summer time begins
LONGEST_LOOK = 60.0
_MINUTES = 24 * 60
#: seconds that are not worth a sleep
_SOON = 1e-6

#: asked for what holds now: units a second (0: no limit), and for how many seconds that will not change
Figure = t.Callable[[], tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Window:
    """A part of the day, in minutes since midnight; where it ends before it begins, it ends on the next day.

    `days`: those on which it begins, 0 is Monday. `zone`: None for the time of this host. `figures`: the limits that it sets.
    """

    start: int
    end: int
    days: frozenset[int] = frozenset(range(7))
    zone: datetime.tzinfo | None = None
    figures: t.Mapping[str, float] = dataclasses.field(default_factory=dict)

    def holds(self, moment: float) -> bool:
        """Whether it is open at a moment, in seconds since 1970."""
        here = datetime.datetime.fromtimestamp(moment, self.zone)
        minute, day = here.hour * 60 + here.minute, here.weekday()
        if self.start < self.end:
            return self.start <= minute < self.end and day in self.days
        return (minute >= self.start and day in self.days) or (minute < self.end and (day - 1) % 7 in self.days)

    def next_edge(self, moment: float) -> float:
        """Seconds until the time of day is that of its beginning or end, on any day."""
        here = datetime.datetime.fromtimestamp(moment, self.zone)
        second = here.hour * 3600 + here.minute * 60 + here.second + here.microsecond / 1e6
        return min((edge * 60 - second) % (_MINUTES * 60) or _MINUTES * 60.0 for edge in (self.start, self.end))


class Timetable:
    """Windows, of which the first that is open counts. `now`: seconds since 1970."""

    def __init__(self, windows: t.Sequence[Window], now: t.Callable[[], float] = time.time) -> None:
        self._windows = tuple(windows)
        self._now = now

    def figure(self, name: str, otherwise: float) -> Figure:
        """What gives the limit `name`: that of the open window, or `otherwise` where none is open, or it sets none."""

        def now() -> tuple[float, float]:
            moment = self._now()
            window = next((one for one in self._windows if one.holds(moment)), None)
            edge = min((one.next_edge(moment) for one in self._windows), default=LONGEST_LOOK)
            return (window.figures.get(name, otherwise) if window else otherwise), min(edge, LONGEST_LOOK)

        return now

    def sets(self, name: str) -> bool:
        """Whether any window sets this limit."""
        return any(name in window.figures for window in self._windows)


class TimedRate(Rate):
    """A rate whose figure changes. What waits when it changes goes on at the new pace, all over the run and at once.

    Time is counted in units that may be spent: `_passed` are those that time has brought, `_promised` those that are given away.
    """

    def __init__(
        self, figure: Figure, clock: t.Callable[[], float] = time.monotonic, sleep: t.Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__(0, clock, sleep)
        self._figure = figure
        self._current = 0.0
        self._since = clock()
        self._until = self._since
        self._passed = 0.0
        self._promised = 0.0

    def take(self, units: float) -> None:
        """Wait until `units` may be spent. Callers queue up: each has its place before it sleeps."""
        if units <= 0:
            return
        with self._lock:
            self._advance()
            if self._current <= 0:
                return
            place = max(self._passed, self._promised)
            self._promised = place + units
            pause = self._pause(place)
        while pause > _SOON:
            self._sleep(pause)
            with self._lock:
                self._advance()
                pause = self._pause(place)

    def _pause(self, place: float) -> float:
        """Seconds until it may be this place's turn; the lock is held, and the clock has just been looked at."""
        if place <= self._passed:
            return 0.0
        return min((place - self._passed) / self._current, max(0.0, self._until - self._since) + 2 * _SOON)

    def _advance(self) -> None:
        now = self._clock()
        while True:
            upto = min(now, self._until)
            self._passed += max(0.0, upto - self._since) * self._current
            self._since = max(self._since, upto)
            if now < self._until:
                break
            self._current, holds = self._figure()
            self._until = now + holds
            self._since = now
        if self._current <= 0:
            # nothing has to wait
            self._passed = max(self._passed, self._promised)


def make_rate(figure: float | Figure) -> Rate:
    """A rate for a fixed number of units a second, or for one that is asked for."""
    return TimedRate(figure) if callable(figure) else Rate(figure)


def parse_window(options: t.Mapping[str, t.Any], names: t.Sequence[str], option: str) -> Window:
    """A window out of the option `limits_by_time`: keys `from`, `to`, `days`, `timezone` and the names of limits."""
    figures = {name: float(options[name]) for name in names if options.get(name) is not None}
    if not figures:
        raise InvalidOption("sets no limit.", subject=option, hint=f"Give one of {', '.join(names)}; 0 is no limit.")
    for name, figure in figures.items():
        if not 0 <= figure < float("inf"):
            raise InvalidOption("must not be negative.", subject=f"{option}.{name}", hint="0 means no limit.")
    start, end = (_minute(str(options[key]), f"{option}.{key}") for key in ("from", "to"))
    days = options.get("days")
    chosen = range(7) if days is None else [DAYS.index(day) for day in days]
    return Window(start % _MINUTES, end, frozenset(chosen), _zone(options.get("timezone") or "", f"{option}.timezone"), figures)


def _minute(text: str, option: str) -> int:
    """`08:30` to minutes since midnight. YAML makes a number of minutes of an unquoted 18:30: that is taken as it is meant."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", text.strip())
    minute = (
        int(text)
        if text.isdecimal() and not text.startswith("0")
        else int(match[1]) * 60 + int(match[2])
        if match and int(match[2]) < 60
        else -1
    )
    if not 0 <= minute <= _MINUTES:
        raise InvalidOption(f"{text[:20]!r} is no time of day.", subject=option, hint="Write 08:30, with two digits for the minutes.")
    return minute


def _zone(name: str, option: str) -> datetime.tzinfo | None:
    if not name:
        return None
    if name == "UTC":
        # known everywhere, also where there is no database of zones
        return datetime.timezone.utc
    # seldom wanted, and it looks for its database when it is imported
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidOption(
            f"{name[:60]!r} is not known on this host.", subject=option, hint="Give a name such as Europe/Zurich, or install tzdata there."
        ) from None

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits that change with the time of day: which window holds, and that a rate follows it in the middle of a wait."""

from __future__ import annotations

import calendar
import threading
import zoneinfo

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._oci.timetable import (
    LONGEST_LOOK,
    TimedRate,
    Timetable,
    make_rate,
    parse_window,
)

NAMES = ("bytes_per_second", "source_requests_per_second", "destination_requests_per_second")


def at(day: int, time: str) -> float:
    """A moment of the week of Monday 2026-11-02, in UTC; `time`: `08:30` or `08:30:15`."""
    hours, minutes, *seconds = (int(part) for part in time.split(":"))
    return float(calendar.timegm((2026, 11, 2 + day, hours, minutes, seconds[0] if seconds else 0)))


def window(start: str, end: str, limit: float = 1.0, **more: object):
    return parse_window({"from": start, "to": end, "timezone": "UTC", "bytes_per_second": limit, **more}, NAMES, "limits_by_time[0]")


class Clock:
    """Time that passes by sleeping alone. Its seconds are those of the day, too, so many after `start`."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.passed = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.passed

    def now(self) -> float:
        return self.start + self.passed

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.passed += seconds


def rate_of(clock: Clock, *windows, otherwise: float = 0.0) -> TimedRate:
    return TimedRate(Timetable(windows, clock.now).figure("bytes_per_second", otherwise), clock.monotonic, clock.sleep)


# -- windows -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "holds"), [("07:59", False), ("08:00", True), ("12:00", True), ("17:59", True), ("18:00", False), ("00:00", False)]
)
def test_a_window_of_the_day(time, holds):
    assert window("08:00", "18:00").holds(at(0, time)) == holds


@pytest.mark.parametrize(
    ("day", "time", "holds"),
    [
        (4, "21:59", False),
        (4, "22:00", True),
        (5, "00:00", True),
        (5, "05:59", True),
        (5, "06:00", False),
        (5, "23:00", False),
        (4, "03:00", False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(day, time, holds):
    assert window("22:00", "06:00", days=["fri"]).holds(at(day, time)) == holds


def test_sunday_night_ends_on_monday():
    assert window("22:00", "06:00", days=["sun"]).holds(at(0, "01:00"))


def test_the_whole_day():
    for window_of_day in (window("00:00", "24:00", days=["tue"]), window("00:00", "00:00", days=["tue"])):
        assert [window_of_day.holds(at(day, time)) for day in range(3) for time in ("00:00", "23:59")] == [
            False,
            False,
            True,
            True,
            False,
            False,
        ]


@pytest.mark.parametrize(("time", "seconds"), [("07:00", 3600), ("08:00", 10 * 3600), ("17:59:30", 30), ("18:00", 14 * 3600)])
def test_the_next_edge(time, seconds):
    assert window("08:00", "18:00").next_edge(at(0, time)) == seconds


@pytest.mark.skipif(not zoneinfo.available_timezones(), reason="this host knows no time zones: install tzdata")
def test_zones():
    here = window("08:00", "09:00", timezone="Asia/Tokyo")
    assert here.holds(at(0, "23:30"))
    assert not here.holds(at(0, "08:30"))


def test_the_first_window_that_holds_wins():
    table = Timetable([window("12:00", "13:00", 5), window("08:00", "18:00", 2)], lambda: moment)
    found = []
    for time in ("07:00", "09:00", "12:30", "19:00"):
        moment = at(0, time)
        found.append(table.figure("bytes_per_second", 7)()[0])
    assert found == [7, 2, 5, 7]


def test_what_a_window_does_not_set_stays_as_it_is():
    table = Timetable([window("00:00", "24:00", 5)], lambda: at(0, "12:00"))
    assert table.figure("source_requests_per_second", 3)()[0] == 3
    assert table.sets("bytes_per_second")
    assert not table.sets("source_requests_per_second")


def test_a_clock_that_is_set_is_noticed_within_a_minute():
    assert Timetable([window("08:00", "18:00")], lambda: at(0, "12:00")).figure("bytes_per_second", 0)()[1] == LONGEST_LOOK


# -- what people write ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "minute"), [("08:30", 510), ("8:30", 510), ("510", 510), ("18:00", 1080), ("1080", 1080), ("00:00", 0)])
def test_times_of_day(text, minute):
    """YAML reads an unquoted 18:00 as 1080, the number of its minutes."""
    assert window(text, "24:00").start == minute
    assert window("00:01", text).end == minute


@pytest.mark.parametrize("text", ["25:00", "24:01", "8", "8:5", "08:60", "noon", "1441", "-1", ""])
def test_what_is_no_time_of_day(text):
    if text == "8":
        # eight minutes past midnight, as YAML would have it
        assert window(text, "24:00").start == 8
        return
    with pytest.raises(InvalidOption) as raised:
        window(text, "24:00")
    assert raised.value.subject == "limits_by_time[0].from"


def test_a_window_that_sets_nothing():
    with pytest.raises(InvalidOption) as raised:
        parse_window({"from": "08:00", "to": "18:00"}, NAMES, "limits_by_time[3]")
    assert raised.value.subject == "limits_by_time[3]"


def test_a_negative_limit():
    with pytest.raises(InvalidOption) as raised:
        window("08:00", "18:00", -1)
    assert raised.value.subject == "limits_by_time[0].bytes_per_second"


def test_a_zone_that_is_not_known():
    with pytest.raises(InvalidOption) as raised:
        window("08:00", "18:00", timezone="Middle/Earth")
    assert raised.value.subject == "limits_by_time[0].timezone"


# -- rates ---------------------------------------------------------------------------------------------------------------------


def test_a_timed_rate_in_a_window_is_a_rate():
    clock = Clock(at(0, "12:00"))
    four = rate_of(clock, window("08:00", "18:00", 4))
    moments = []
    for _unused in range(5):
        four.take(1)
        moments.append(round(clock.passed, 6))
    assert moments == [0, 0.25, 0.5, 0.75, 1.0]


def test_idle_time_is_not_saved_up():
    clock = Clock(at(0, "12:00"))
    one = rate_of(clock, window("08:00", "18:00", 1))
    one.take(1)
    clock.passed += 100
    one.take(1)
    assert clock.slept == []
    one.take(1)
    assert sum(clock.slept) == pytest.approx(1)


def test_a_wait_goes_on_at_the_new_pace():
    """1000 units at 1 a second; ten seconds later the window ends, and 100 a second are allowed."""
    clock = Clock(at(0, "17:59:50"))
    slow = rate_of(clock, window("08:00", "18:00", 1), otherwise=100)
    slow.take(1000)
    slow.take(1)
    assert clock.passed == pytest.approx(10 + 990 / 100, abs=0.01)


def test_a_wait_ends_where_the_limit_ends():
    clock = Clock(at(0, "17:59:50"))
    slow = rate_of(clock, window("08:00", "18:00", 1))
    slow.take(1000)
    slow.take(1)
    assert clock.passed == pytest.approx(10, abs=0.01)
    slow.take(1 << 30)
    slow.take(1 << 30)
    assert clock.passed == pytest.approx(10, abs=0.01)


def test_a_limit_begins_in_the_middle_of_a_run():
    clock = Clock(at(0, "07:59:59"))
    rate = rate_of(clock, window("08:00", "18:00", 10))
    for _unused in range(1000):
        rate.take(1 << 20)
    assert clock.slept == []
    clock.passed += 2
    for _unused in range(21):
        rate.take(1)
    assert sum(clock.slept) == pytest.approx(2)


def test_a_window_that_lifts_the_limit():
    clock = Clock(at(0, "02:00"))
    rate = rate_of(clock, window("22:00", "06:00", 0), otherwise=1)
    rate.take(1000)
    rate.take(1000)
    assert clock.slept == []


def test_over_a_night():
    """A unit at a time at 1 a second by day and 10 by night: what passes in a day is what the windows allow."""
    clock = Clock(at(0, "05:59:00"))
    rate = rate_of(clock, window("22:00", "06:00", 10), otherwise=1)
    taken = 0
    while clock.passed < 120:
        rate.take(1)
        taken += 1
    assert taken == pytest.approx(60 * 10 + 60, abs=2)


def test_all_who_wait_share_the_limit():
    clock = Clock(at(0, "12:00"))
    lock = threading.Lock()
    done = []

    def sleep(seconds: float) -> None:
        # each sleeper moves time on for all of them, as if they took turns
        with lock:
            clock.passed += seconds

    rate = TimedRate(Timetable([window("08:00", "18:00", 10)], clock.now).figure("bytes_per_second", 0), clock.monotonic, sleep)

    def work() -> None:
        for _unused in range(5):
            rate.take(10)
        done.append(clock.passed)

    threads = [threading.Thread(target=work) for _unused in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    # twenty times ten units, of which the first costs nothing: never faster than that
    assert len(done) == 4
    assert max(done) >= 19 - 1e-6


@pytest.mark.parametrize("units", [0, -1])
def test_nothing_costs_nothing(units):
    clock = Clock(at(0, "12:00"))
    rate = rate_of(clock, window("08:00", "18:00", 0.001))
    rate.take(1)
    rate.take(units)
    assert clock.slept == []


def test_a_plain_figure_makes_a_plain_rate():
    assert not isinstance(make_rate(3.0), TimedRate)
    assert isinstance(make_rate(lambda: (1.0, 1.0)), TimedRate)

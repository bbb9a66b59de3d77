# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rates, places, pauses: with a clock that only moves when somebody sleeps."""

from __future__ import annotations

import email.utils
import threading

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci import limits
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import SEEN, Gate, HostLimits, Rate, backoff, retry_after

PATIENCE = 10.0  # seconds until a thread that ought to have gone on is given up
NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        #: called with each sleep, before time goes on
        self.on_sleep = lambda seconds: None

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return NOW + self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.on_sleep(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    return clock


def rate(clock: Clock, per_second: float) -> Rate:
    return Rate(per_second, clock.monotonic, clock.sleep)


# -- rates -------------------------------------------------------------------------------------------------------------


def test_no_rate_is_no_limit(clock):
    free = rate(clock, 0)
    for _unused in range(1000):
        free.take(1 << 20)
    assert clock.slept == []


def test_requests_are_spread_evenly(clock):
    four = rate(clock, 4)
    moments = []
    for _unused in range(9):
        four.take(1)
        moments.append(clock.now - 1000)
    assert moments == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]


def test_bytes_are_paid_for_by_whoever_comes_next(clock):
    bandwidth = rate(clock, 1 << 20)
    bandwidth.take(1 << 20)
    assert clock.slept == []
    bandwidth.take(512 << 10)
    assert clock.slept == [1.0]
    bandwidth.take(1)
    assert clock.slept == [1.0, 0.5]


def test_idle_time_is_not_saved_up(clock):
    one = rate(clock, 1)
    one.take(1)
    clock.now += 100
    one.take(1)
    assert clock.slept == []
    one.take(1)
    assert clock.slept == [1.0]


def test_those_who_come_together_queue_up():
    """Each reserves its time before it sleeps: ten who come at one moment leave one second after the other."""
    waits = []
    ten = Rate(10, lambda: 5.0, waits.append)
    threads = [threading.Thread(target=ten.take, args=(10,)) for _unused in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(waits) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("units", [0, -1])
def test_nothing_costs_nothing(clock, units):
    slow = rate(clock, 0.001)
    slow.take(1)
    slow.take(units)
    assert clock.slept == []


# -- places ------------------------------------------------------------------------------------------------------------


class Worker:
    """A thread that takes a place and keeps it until it is told to give it back."""

    def __init__(self, gate: Gate, at_once: bool = False) -> None:
        self.inside = threading.Event()
        self._leave = threading.Event()
        self._gate = gate
        self._overloaded = False
        self._at_once = at_once
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._gate.acquire(self._at_once)
        self.inside.set()
        self._leave.wait(PATIENCE)
        self._gate.release(self._overloaded)

    def leave(self, overloaded: bool = False) -> None:
        self._overloaded = overloaded
        self._leave.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def enter(gate: Gate, count: int) -> list[Worker]:
    """So many workers that are inside."""
    workers = [Worker(gate) for _unused in range(count)]
    for worker in workers:
        assert worker.inside.wait(PATIENCE)
    return workers


def is_kept_out(worker: Worker) -> bool:
    # a thread that may go in does so within milliseconds
    return not worker.inside.wait(0.05)


def rounds(gate: Gate, count: int) -> None:
    """So many requests that go well, one after the other."""
    for _unused in range(count):
        gate.acquire()
        gate.release()


def test_no_more_than_there_are_places():
    gate = Gate(3)
    workers = enter(gate, 3)
    late = Worker(gate)
    assert is_kept_out(late)
    workers.pop().leave()
    assert late.inside.wait(PATIENCE)
    for worker in [*workers, late]:
        worker.leave()


@pytest.mark.parametrize(("quickest", "maximum"), [(0.0001, 16), (0.005, 16), (0.0075, 24), (0.010, 32), (0.020, 64), (0.5, 64)])
def test_a_host_that_is_far_away_gets_more_places(quickest, maximum):
    gate = Gate(0)
    assert gate.limit == 16
    for number in range(20):
        gate.answered(quickest + number)
    assert (gate.maximum, gate.limit) == (maximum, maximum)


def test_a_few_answers_say_nothing_of_the_way():
    gate = Gate(0)
    for _unused in range(SEEN - 1):
        gate.answered(1.0)
    assert gate.maximum == 16


def test_a_host_turns_out_to_be_near():
    gate = Gate(0)
    for _unused in range(20):
        gate.answered(1.0)
    gate.answered(0.001)
    assert (gate.maximum, gate.limit) == (16, 16)


def test_a_host_that_has_complained_is_approached_step_by_step():
    gate = Gate(0)
    gate.acquire()
    gate.release(overloaded=True)
    for _unused in range(20):
        gate.answered(1.0)
    assert (gate.maximum, gate.limit) == (64, 8)


def test_a_number_that_somebody_has_given_stays():
    gate = Gate(3)
    for _unused in range(20):
        gate.answered(1.0)
    assert gate.maximum == 3


def test_an_overload_halves_the_places():
    gate = Gate(8)
    workers = enter(gate, 8)
    waiting = [Worker(gate) for _unused in range(4)]
    workers.pop().leave(overloaded=True)
    assert gate.limit == 4
    # 7 are inside, and 4 may be
    for _unused in range(3):
        workers.pop().leave(overloaded=True)
        assert all(is_kept_out(worker) for worker in waiting)
    for worker in workers:
        worker.leave()
    for worker in waiting:
        assert worker.inside.wait(PATIENCE)
        worker.leave()


def test_one_overload_that_many_workers_see_counts_once(clock):
    gate = Gate(16)
    for _unused in range(5):
        gate.acquire()
        gate.release(overloaded=True)
    assert gate.limit == 8
    clock.now += 1.1
    gate.acquire()
    gate.release(overloaded=True)
    assert gate.limit == 4


def test_the_first_overload_counts_however_young_the_clock_is(clock):
    clock.now = 0.01
    gate = Gate(4)
    gate.acquire()
    gate.release(overloaded=True)
    assert gate.limit == 2


def test_there_is_never_less_than_one_place(clock):
    gate = Gate(4)
    for _unused in range(10):
        gate.acquire()
        gate.release(overloaded=True)
        clock.now += 2
    assert gate.limit == 1
    enter(gate, 1)[0].leave()


def test_places_grow_by_one_for_each_round_that_went_well(clock):
    gate = Gate(16)
    gate.acquire()
    gate.release(overloaded=True)
    assert gate.limit == 8
    rounds(gate, 8)
    assert 8.9 < gate.limit < 9.1
    rounds(gate, 200)
    assert gate.limit == 16
    rounds(gate, 10)
    assert gate.limit == 16


def test_growth_lets_more_in_at_once(clock):
    gate = Gate(2)
    gate.acquire()
    gate.release(overloaded=True)
    assert gate.limit == 1
    first = enter(gate, 1)[0]
    waiting = [Worker(gate), Worker(gate)]
    assert all(is_kept_out(worker) for worker in waiting)
    first.leave()
    # one place was given back, one is new
    for worker in waiting:
        assert worker.inside.wait(PATIENCE)
        worker.leave()


def test_a_thread_that_has_a_place_takes_it_again():
    gate = Gate(1)
    gate.acquire()
    gate.acquire()
    late = Worker(gate)
    gate.release()
    assert is_kept_out(late)
    gate.release()
    assert late.inside.wait(PATIENCE)
    late.leave()


def test_a_place_for_a_while_is_given_back_after_an_error():
    gate = Gate(1)
    with pytest.raises(KeyError):
        with gate.place():
            raise KeyError
    enter(gate, 1)[0].leave()


def test_what_others_wait_for_does_not_wait_itself():
    gate = Gate(1)
    holder = enter(gate, 1)[0]
    token = Worker(gate, at_once=True)
    assert token.inside.wait(PATIENCE)
    late = Worker(gate)
    token.leave()
    assert is_kept_out(late)
    holder.leave()
    assert late.inside.wait(PATIENCE)
    late.leave()


# -- pauses ------------------------------------------------------------------------------------------------------------


def host(clock: Clock, per_second: float = 0) -> HostLimits:
    return HostLimits(Gate(4), rate(clock, per_second))


def test_a_pause_is_waited_for_and_then_over(clock):
    limited = host(clock)
    limited.wait()
    assert clock.slept == []
    limited.pause(7)
    limited.wait()
    limited.wait()
    assert clock.slept == [7]
    assert limited.requests == 3


def test_of_several_pauses_the_longest_counts(clock):
    limited = host(clock)
    limited.pause(7)
    limited.pause(3)
    limited.wait()
    assert clock.slept == [7]


def test_a_pause_that_is_prolonged_meanwhile_is_waited_for_to_its_new_end(clock):
    limited = host(clock)
    limited.pause(2)
    clock.on_sleep = lambda seconds: limited.pause(5) if len(clock.slept) == 1 else None
    limited.wait()
    assert clock.slept == [2, 3]
    assert limited.requests == 1


def test_a_pause_has_a_longest_length(clock):
    limited = host(clock)
    limited.pause(float("inf"))
    limited.wait()
    assert clock.slept == [limits.LONGEST_PAUSE]


def test_after_the_pause_the_rate_holds(clock):
    limited = host(clock, per_second=2)
    limited.pause(1)
    for _unused in range(3):
        limited.wait()
    assert clock.slept == [1, 0.5, 0.5]


# -- Retry-After and back-off ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 3 ", 3),
        ("0", 0),
        ("0.5", 0.5),
        ("-7", 0),
        ("86400", 86400),
        # a date, in the three forms of RFC 9110 that are seen, and one without a zone
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30),
        ("Fri, 15 Jan 2027 09:00:30 +0100", 30),
        ("Fri, 15 Jan 2027 08:00:30 -0000", 30),
        ("Fri Jan 15 08:00:30 2027", 30),
        ("Fri, 15 Jan 2027 07:59:00 GMT", 0),
        # unix time, in seconds and in milliseconds
        ("1800000012", 12),
        ("1800000012.5", 12.5),
        ("1800000012000", 12),
        ("1799999000", 0),
        ("inf", float("inf")),
    ],
)
def test_retry_after_is_read_in_all_its_forms(value, seconds):
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize("value", [None, "", "soon", "nan", "Fri, 99 Foo 2027", "12 parsecs", "\x00", "٣ seconds"])
def test_retry_after_that_says_nothing(value):
    assert retry_after(value, NOW) is None


@pytest.mark.parametrize("hours", [-5, 0, 5])
def test_retry_after_counts_from_the_servers_own_clock(clock, hours):
    here = NOW + 1000 + 3600 * hours
    date, later = (email.utils.formatdate(moment, usegmt=True) for moment in (here, here + 20))
    assert retry_after(later, date=date) == 20
    assert retry_after(str(int(here) + 20), date=date) == 20
    assert retry_after("20", date=date) == 20


def test_retry_after_beside_a_date_that_is_none(clock):
    assert retry_after(str(int(NOW) + 1020), date="yesterday") == 20


def test_retry_after_counts_from_now(clock):
    assert retry_after(str(int(NOW) + 1020)) == 20


def test_backoff_doubles_up_to_a_limit_and_spreads():
    for attempt in range(12):
        longest = min(20.0, 0.2 * 2**attempt)
        drawn = [backoff(attempt) for _unused in range(200)]
        assert longest / 2 <= min(drawn) <= max(drawn) <= longest
        assert max(drawn) - min(drawn) > longest / 8

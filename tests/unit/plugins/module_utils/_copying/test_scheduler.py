# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying.scheduler import Scheduler

PATIENCE = 20


@pytest.fixture
def scheduler():
    schedulers = []

    def start(workers):
        schedulers.append(Scheduler(lambda: workers))
        return schedulers[-1]

    yield start
    for one in schedulers:
        one.close()


def until(condition):
    """Wait for something that other threads bring about."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.001)


def test_every_task_runs_once(scheduler):
    pool = scheduler(8)
    done = []
    for number in range(500):
        pool.submit((0, number % 3), lambda number=number: done.append(number))
    pool.wait()
    assert sorted(done) == list(range(500))


def test_tasks_may_submit_tasks(scheduler):
    pool = scheduler(3)
    done = []

    def split(low, high):
        if high - low == 1:
            done.append(low)
            return
        middle = (low + high) // 2
        pool.submit((0, 0), lambda: split(low, middle))
        pool.submit((0, 0), lambda: split(middle, high))

    pool.submit((0, 0), lambda: split(0, 300))
    pool.wait()
    assert sorted(done) == list(range(300))


def test_nothing_to_wait_for(scheduler):
    scheduler(2).wait()


def test_who_waits_for_the_end_is_not_woken_in_place_of_an_idle_thread(scheduler):
    pool = scheduler(2)
    second, third, go = (threading.Event() for _number in range(3))
    heard = []

    def first():
        assert go.wait(PATIENCE)
        pool.submit((0, 0), third.set)
        heard.append(third.wait(PATIENCE))

    pool.submit((0, 0), first)
    pool.submit((0, 0), lambda: second.wait(PATIENCE))
    waiting = threading.Thread(target=pool.wait)
    waiting.start()
    until(lambda: pool._ended._waiters)
    # the second thread becomes idle after the other one has begun to wait
    second.set()
    until(lambda: pool._idle == 1)
    go.set()
    waiting.join(2 * PATIENCE)
    assert heard == [True]


def test_the_lowest_urgency_runs_first_and_equal_ones_in_order(scheduler):
    pool = scheduler(1)
    begun, go, done = threading.Event(), threading.Event(), []

    def hold():
        begun.set()
        assert go.wait(PATIENCE)

    pool.submit((0, 0), hold)
    assert begun.wait(PATIENCE)
    for name, urgency in (("c", (2, -1)), ("d", (2, 0)), ("b", (1, 5)), ("a", (0, 9)), ("e", (2, 0)), ("first", (0, 0))):
        pool.submit(urgency, lambda name=name: done.append(name))
    go.set()
    pool.wait()
    assert done == ["first", "a", "b", "c", "d", "e"]


def test_as_many_tasks_at_once_as_there_are_workers(scheduler):
    pool = scheduler(4)
    # one thread is idle already when the others are needed
    pool.submit((0, 0), lambda: None)
    pool.wait()
    until(lambda: pool._idle == 1)
    together = threading.Barrier(4)
    for _number in range(4):
        pool.submit((0, 0), lambda: together.wait(PATIENCE))
    pool.wait()
    assert not together.broken


def test_no_more_tasks_at_once_than_there_are_workers(scheduler):
    pool = scheduler(3)
    lock = threading.Lock()
    now, most = [0], [0]

    def task():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.001)
        with lock:
            now[0] -= 1

    for _number in range(60):
        pool.submit((0, 0), task)
    pool.wait()
    assert 1 <= most[0] <= 3


def test_an_error_that_no_task_expected_is_raised_to_who_waits(scheduler):
    pool = scheduler(2)

    def fail():
        raise LookupError("not expected")

    pool.submit((0, 0), fail)
    with pytest.raises(LookupError, match="not expected"):
        pool.wait()
    with pytest.raises(LookupError):
        pool.check()
    with pytest.raises(LookupError):
        pool.wait_for_room(1)


def test_check_is_silent_while_all_is_well(scheduler):
    pool = scheduler(1)
    pool.submit((0, 0), lambda: None)
    pool.check()
    pool.wait()
    pool.check()


def test_dropped_tasks_do_not_run(scheduler):
    pool = scheduler(1)
    begun, go, done = threading.Event(), threading.Event(), []

    def hold():
        begun.set()
        assert go.wait(PATIENCE)
        done.append("begun before")

    pool.submit((0, 0), hold)
    assert begun.wait(PATIENCE)
    pool.submit((0, 0), lambda: done.append("waiting"))
    pool.drop()
    pool.submit((0, 0), lambda: done.append("too late"))
    go.set()
    pool.wait()
    pool.close()
    assert done == ["begun before"]


def test_closing_waits_for_what_runs():
    pool = Scheduler(lambda: 2)
    begun, done = threading.Event(), []

    def slow():
        begun.set()
        time.sleep(0.05)
        done.append(True)

    pool.submit((0, 0), slow)
    assert begun.wait(PATIENCE)
    pool.close()
    assert done == [True]
    pool.close()


def test_room_is_waited_for(scheduler):
    pool = scheduler(2)
    waiting, most = [0], [0]
    lock = threading.Lock()

    def task():
        with lock:
            waiting[0] -= 1

    for _number in range(300):
        pool.wait_for_room(10)
        with lock:
            waiting[0] += 1
            most[0] = max(most[0], waiting[0])
        pool.submit((0, 0), task)
    pool.wait()
    # ten that have not begun, two that run
    assert most[0] <= 10 + 2


def test_room_is_not_waited_for_after_the_end(scheduler):
    pool = scheduler(1)
    pool.drop()
    pool.wait_for_room(0)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Threads that take tasks in order of urgency.

Threads do: the time goes into sockets and hashing, and both let other threads run.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store

Task = t.Callable[[], None]


def threads(wanted: int, *stores: Store) -> t.Callable[[], int]:
    """What says how many threads there may be: so many as are wanted or, with 0, as many as the stores take requests at once."""
    return lambda: wanted or max(store.places for store in stores)


class Scheduler:
    """A pool of threads over a heap of tasks; tasks may submit further tasks.

    A task handles the errors that it expects. One that it does not expect ends the run: `wait` raises it.
    """

    def __init__(self, workers: t.Callable[[], int]) -> None:
        """`workers`: how many threads there may be now."""
        self._workers = workers
        self._heap: list[tuple[tuple[int, int], int, Task]] = []
        self._numbers = itertools.count()
        lock = threading.Lock()
        #: for threads without a task; `wait` has its own, or it would be woken up in their place
        self._changed = threading.Condition(lock)
        self._ended = threading.Condition(lock)
        self._room = threading.Condition(lock)
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._unfinished = 0
        self._closed = False
        self._error: BaseException | None = None
        #: when tasks that are under way are no longer waited for (monotonic)
        self._patience_ends: float | None = None

    def submit(self, urgency: tuple[int, int], task: Task) -> None:
        """Have a task run; the lowest urgency runs first. After `drop` it is not run any more."""
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._heap, (urgency, next(self._numbers), task))
            self._unfinished += 1
            if self._idle:
                self._changed.notify()
            self._grow()

    def _grow(self) -> None:
        """Start a thread if there is work for it. The lock is held."""
        # an idle thread stays idle in this count until it has woken up: it takes one of the tasks that wait, not all of them
        if len(self._heap) > self._idle and len(self._threads) < max(1, self._workers()):
            thread = threading.Thread(target=self._work, name=f"copy-{len(self._threads)}", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # the system gives no more of them: those that there are do the work
                if not self._threads:
                    raise
                return
            self._threads.append(thread)

    def wait(self) -> None:
        """Wait until every task has ended; raises what a task did not expect."""
        with self._ended:
            while self._unfinished and self._error is None and not self._is_out_of_patience():
                # in steps, so that a signal is heard
                self._ended.wait(0.5)
            if self._error is not None:
                raise self._error

    def wait_for_room(self, most: int) -> None:
        """Wait while `most` tasks or more have not begun, so that they do not pile up; raises what a task did not expect."""
        with self._room:
            while len(self._heap) >= most and self._error is None and not self._closed:
                self._room.wait(0.5)
            if self._error is not None:
                raise self._error

    def check(self) -> None:
        """Raise what a task did not expect, if any did."""
        with self._changed:
            if self._error is not None:
                raise self._error

    def drop(self) -> None:
        """Forget the tasks that have not begun, and take no more."""
        with self._changed:
            self._closed = True
            self._unfinished -= len(self._heap)
            self._heap.clear()
            for condition in (self._changed, self._ended, self._room):
                condition.notify_all()

    def stop(self, patience: float, error: BaseException | None = None) -> None:
        """Forget the tasks that have not begun, and wait no longer than so many seconds for the others. `wait` raises the error, if any."""
        with self._changed:
            self._error = self._error or error
            self._patience_ends = time.monotonic() + patience
        self.drop()

    def _is_out_of_patience(self) -> bool:
        return self._patience_ends is not None and time.monotonic() >= self._patience_ends

    def close(self) -> None:
        """Drop what is left and wait for the threads, after `stop` only for as long as that said: they end with the process."""
        self.drop()
        for thread in self._threads:
            thread.join(None if self._patience_ends is None else max(0.0, self._patience_ends - time.monotonic()))

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._heap and not self._closed:
                    self._changed.wait()
                self._idle -= 1
                if not self._heap:
                    return
                task = heapq.heappop(self._heap)[2]
                self._room.notify()
                # the number of threads that there may be changes while nothing is submitted, too
                self._grow()
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                with self._changed:
                    self._error = self._error or error
                    # at once: by the time that whoever waits has woken up, this thread would have begun the next one
                    self._closed = True
                    self._unfinished -= len(self._heap)
                    self._heap.clear()
                    self._changed.notify_all()
            finally:
                with self._changed:
                    self._unfinished -= 1
                    if not self._unfinished or self._error is not None:
                        self._ended.notify_all()
                    if self._error is not None:
                        self._room.notify_all()

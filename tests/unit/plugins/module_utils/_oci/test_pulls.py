# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls are taken before they are asked for, and what is left is believed no longer than it lasts."""

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ConnectionFailed, PullsUsedUp
from ansible_collections.registryops.migration.plugins.module_utils._oci.pulls import PullQuota, figure


def told(limit, remaining, window=21600, **more):
    return {"ratelimit-limit": f"{limit};w={window}", "ratelimit-remaining": f"{remaining};w={window}", **more}


class Registry:
    """Counts what is pulled, as a registry does."""

    def __init__(self, limit, on_quota="stop", window=21600):
        self.now = 1000.0
        self.window = window
        self.quota = PullQuota("hub.example.com", on_quota, clock=lambda: self.now)
        self.limit = limit
        self.pulled = self.looks = 0
        self.lock = threading.Lock()

    def look(self):
        with self.lock:
            self.looks += 1
            headers = {} if self.limit is None else told(self.limit, max(0, self.limit - self.pulled), self.window)
        self.quota.learn(200, headers)
        return True

    def pull(self):
        with self.quota.pull(self.look):
            with self.lock:
                refused = self.limit is not None and self.pulled >= self.limit
                self.pulled += not refused
                headers = {} if self.limit is None else told(self.limit, max(0, self.limit - self.pulled), self.window)
            assert not refused, "asked for a manifest beyond the limit"
            self.quota.learn(200, headers, counted=True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("100;w=21600", (100, 21600.0)),
        (" 76 ; w = 3600 ", (76, 3600.0)),
        ("5", (5, 0.0)),
        ("", None),
        (None, None),
        ("many", None),
        ("-1;w=3", None),
        ("1" * 30, None),
    ],
)
def test_figures(text, found):
    assert figure(text) == found


def test_nothing_is_asked_for_beyond_the_limit():
    registry = Registry(3)
    for _number in range(3):
        registry.pull()
    for _number in range(5):
        with pytest.raises(PullsUsedUp, match="all 3 pulls of 6 hours are used up"):
            registry.pull()
    assert registry.pulled == registry.quota.used == 3
    # the first one was asked about, and whether there are more after the last one; no one asks again at once
    assert registry.looks == 2


def test_after_a_while_it_is_looked_again():
    registry = Registry(1)
    registry.pull()
    with pytest.raises(PullsUsedUp):
        registry.pull()
    registry.pulled = 0
    registry.now += 59
    with pytest.raises(PullsUsedUp):
        registry.pull()
    registry.now += 2
    registry.pull()
    assert registry.pulled == 1


def test_the_moment_that_was_named_counts():
    registry = Registry(100)
    registry.pull()
    headers = told(100, 0, **{"X-Retry-After": "1700000300", "Date": "Tue, 14 Nov 2023 22:13:20 GMT"})
    registry.quota.learn(429, headers)
    assert registry.quota.refuses(429, headers)
    registry.now += 299
    with pytest.raises(PullsUsedUp):
        registry.pull()
    registry.now += 2
    registry.pull()


@pytest.mark.parametrize(("status", "headers"), [(200, told(9, 0)), (429, {}), (429, told(9, 1)), (429, {"ratelimit-remaining": "none"})])
def test_other_refusals_are_not_about_pulls(status, headers):
    assert not PullQuota("hub.example.com").refuses(status, headers)


def test_who_is_not_limited_is_asked_about_once():
    registry = Registry(None)
    for _number in range(50):
        registry.pull()
    assert registry.looks == 1
    assert not registry.quota.is_limited
    assert registry.quota.as_dict() == {"limit": None, "window": 0.0, "remaining": None, "used": 50}


def test_a_limit_that_shows_later_holds():
    registry = Registry(None)
    registry.pull()
    registry.limit = 3
    registry.pull()
    registry.pull()
    with pytest.raises(PullsUsedUp):
        registry.pull()
    assert registry.pulled == 3


def test_what_others_take_is_seen():
    registry = Registry(10)
    registry.pull()
    registry.pulled = 9
    registry.pull()
    with pytest.raises(PullsUsedUp):
        registry.pull()


def test_what_is_not_there_may_be_asked_for():
    registry = Registry(1)
    asked = []
    with registry.quota.pull(lambda: False):
        asked.append(404)
    assert asked == [404]
    # and says nothing of what is left
    registry.pull()
    with registry.quota.pull(lambda: False):
        asked.append(404)
    assert len(asked) == 2


def test_a_question_that_fails_is_asked_again():
    registry = Registry(2)

    def broken():
        raise ConnectionFailed("the connection broke.")

    with pytest.raises(ConnectionFailed), registry.quota.pull(broken):
        pytest.fail("nothing was known of pulls")
    registry.pull()
    assert registry.looks == 1


def test_a_failed_pull_gives_its_place_back():
    registry = Registry(2)
    with pytest.raises(ConnectionFailed), registry.quota.pull(registry.look):
        raise ConnectionFailed("the connection broke.")
    # it was not counted: asking again shows that
    registry.pull()
    registry.pull()
    assert registry.pulled == 2


def test_many_threads_ask_for_no_more_than_there_is():
    registry = Registry(20)
    refused = []

    def work():
        try:
            for _number in range(5):
                registry.pull()
        except PullsUsedUp as error:
            refused.append(error)
        except AssertionError as error:
            refused.append(error)

    workers = [threading.Thread(target=work) for _number in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert registry.pulled == 20
    assert {type(error) for error in refused} == {PullsUsedUp}


def test_who_waits_goes_on_when_there_is_more():
    # a part of this window is less than a second, which is the least
    registry = Registry(1, on_quota="wait", window=3)
    registry.quota._clock = time.monotonic
    registry.pull()
    waiting = threading.Thread(target=registry.pull)
    waiting.start()
    with registry.lock:
        registry.pulled = 0
    waiting.join(30)
    assert not waiting.is_alive()
    assert registry.pulled == 1

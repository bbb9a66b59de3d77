# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several destinations: how their folders are called, and what their sum says."""

from __future__ import annotations

from ansible_collections.registryops.migration.plugins.module_utils._copying.fan_out import FanOut, Served, _sum
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import MOST_FAILURES
from ansible_collections.registryops.migration.plugins.module_utils._copying.run import Outcome
from ansible_collections.registryops.migration.plugins.module_utils._module.results import fan_out_result
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ConnectionFailed, MigrationError


def outcome_of(copied: int, failures: int = 0) -> Outcome:
    outcome = Outcome(bytes=copied * 10, repositories=copied, blobs={"uploaded": copied, "mounted": 1})
    outcome.counts.update(copied=copied, failed=failures)
    for number in range(failures):
        outcome.add_failure("app", str(number), MigrationError("went wrong.", subject=f"app:{number}"))
    return outcome


def dead() -> Served:
    outcome = Outcome(complete=False)
    outcome.counts["failed"] += 1
    error = ConnectionFailed("cannot be reached.", subject="dead.example.com")
    outcome.add_failure("", "", error)
    return Served("dead.example.com", outcome, error)


def test_the_sum():
    served = [Served("one", outcome_of(3)), Served("two", outcome_of(5, failures=2))]
    total = _sum(served)
    assert (total.counts["copied"], total.counts["failed"], total.bytes, total.repositories) == (8, 2, 80, 5)
    assert total.blobs == {"uploaded": 8, "mounted": 2}
    assert [failure["destination"] for failure in total.failures] == ["two", "two"]
    assert total.changed
    assert total.failed == 2


def test_many_failures_do_not_hide_that_a_destination_could_not_be_served():
    served = [Served("one", outcome_of(0, failures=2 * MOST_FAILURES)), dead()]
    result = fan_out_result(FanOut(served, _sum(served)), diff=False)
    assert len(result["failures"]) == MOST_FAILURES
    assert result["failures"][0]["destination"] == "dead.example.com"
    assert [len(one["failures"]) for one in result["destinations"]] == [MOST_FAILURES // 2, 1]
    assert result["msg"].endswith("Destinations with failures: one, dead.example.com.")
    assert "error" not in result


def test_a_run_that_serves_nobody_has_a_reason():
    result = fan_out_result(FanOut([dead(), dead()], _sum([dead(), dead()])), diff=True)
    assert result["error"]["kind"] == "connection_failed"
    assert [diff["prepared"].splitlines()[0] for diff in result["diff"]] == ["-- dead.example.com --"] * 2

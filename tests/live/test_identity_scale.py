# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People of a large company in one run, and of a small one over connections that fail."""

from __future__ import annotations

import collections
import typing as t
from pathlib import Path

from estate.fault_proxy import Fault
from estate.msr.rows import ACCOUNTS, TOKENS
from estate.msr.seeding import Size, large_set, small_set
from runs.identity import endpoint, logins, run, sides

if t.TYPE_CHECKING:
    from conftest import MakeMSR
    from estate.msr.double import Front, Installation

SIZE = Size()


def fronts(*installations: Installation) -> list[Front]:
    """Everything that is asked."""
    return [front for one in installations for front in (one.msr, one.mke) if front is not None]


def methods(*installations: Installation) -> collections.Counter[str]:
    """How many requests have come since the last time, by method."""
    counts: collections.Counter[str] = collections.Counter()
    for front in fronts(*installations):
        counts.update(method for method, _path in front.log)
        front.reset_log()
    return counts


def test_people_of_a_large_company_come_in_one_run_and_the_next_does_nothing(make_msr: MakeMSR, tmp_path: Path) -> None:
    old, new = make_msr("2.9.16"), make_msr("3.1.5")
    people = large_set(old.tables, SIZE)
    people_file = str(tmp_path / "people.json")
    done = run("identity_import", sides(old, new, people_file=people_file))
    assert not done.get("failed"), done["msg"]
    created = {kind: counts["created"] for kind, counts in done["counts"].items()}
    assert created["account"] == SIZE.users + SIZE.organizations
    assert (created["team"], created["repository"], created["token"]) == (SIZE.teams, SIZE.repositories, SIZE.tokens)
    assert created["grant"] == SIZE.grants
    with new.tables.moment():
        # what is written to the database is more than fits into one command
        assert len(new.tables.all(TOKENS)) == SIZE.tokens
        assert len(new.tables.all(ACCOUNTS)) == SIZE.users + SIZE.organizations + 2
    assert not new.problems()
    writing = methods(old, new)
    # an item is written with one request, or with less where many go to the database at once
    assert writing["POST"] + writing["PUT"] + writing["PATCH"] <= sum(created.values()) - SIZE.tokens + SIZE.users // 50 + 10

    again = run("identity_import", sides(old, new, people_file=people_file))
    assert not again["changed"], again["msg"]
    reading = methods(old, new)
    assert set(reading) == {"GET"}
    # each side: a few for each repository and team, and pages
    assert reading["GET"] <= 2 * (4 * SIZE.repositories + 5 * SIZE.teams + 3 * SIZE.organizations + 200)

    verified = run("identity_verify", sides(old, new, people_file=people_file, logins=logins(people)[::100]))
    assert not verified.get("failed"), verified["msg"]
    assert verified["access"] == {"compared": SIZE.users * SIZE.repositories, "different": 0, "differences": [], "kept": []}
    report = run("registry_report", {"ledgers": {}, "people_file": people_file, "output_dir": str(tmp_path / "report")})
    assert report["verified"]


def test_people_come_whole_over_connections_that_fail(make_msr: MakeMSR) -> None:
    old, new = make_msr("2.9.16"), make_msr("3.1.5")
    people = small_set(old.tables)
    for front in fronts(old, new):
        # sessions end in the middle of the run, again and again
        front.session_requests = 60
        front.faults.append(Fault("GET ", status=429, headers={"Retry-After": "0"}, after=2, times=4))
    for front in (old.msr, new.msr):
        front.faults += [Fault("GET ", status=503, after=8, times=3), Fault("GET ", reset="before", after=16, times=3)]
    new.msr.faults += [
        Fault("(POST|PUT|PATCH) ", reset="lost", after=2, times=3),
        Fault("(POST|PUT|PATCH) ", status=503, headers={"Retry-After": "0"}, after=10, times=3),
    ]
    options = {side: endpoint(one, attempts=6, login="session") for side, one in (("source", old), ("destination", new))}
    done = run("identity_import", options)
    assert not done.get("failed"), done["msg"]
    assert not new.problems()
    verified = run("identity_verify", {**options, "sample": -1, "logins": logins(people)})
    assert not verified.get("failed"), verified["msg"]
    assert not run("identity_import", options)["changed"]
    unmet = [(front.host, place) for front in fronts(old, new) for place, fault in enumerate(front.faults) if not fault.met]
    assert unmet == []

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs of the playbook migrate_msr on a bad day: answers are slow down, not now, or none at all, sessions and tokens end, and
repositories come and go while they are listed. In the end everybody may do what they could do, and all images are there.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

import pytest
from estate import compare
from estate.fault_proxy import Fault
from estate.msr.rows import ACCOUNTS, REPOSITORIES, Row
from estate.msr.seeding import People, small_set
from estate.msr.store import key_of
from estate.push import push
from estate.team_set import team_set
from runs.modules import Options, run_module
from runs.msr import MSRControl, logins_of, prove, reach

if t.TYPE_CHECKING:
    from conftest import MakeMSR
    from estate.msr.double import Installation

PEOPLE = "accounts,orgs,repos"


@dataclasses.dataclass
class Bumpy:
    """A migration on a bad day. `early`, `late`, `gone`: repositories that came or went in the middle of a list."""

    source: Installation
    destination: Installation
    people: People
    faults: list[Fault]
    sessions: dict[str, int]
    first: int
    second: Options
    third: Options
    early: str
    late: str
    gone: str
    control: MSRControl


def name_that(owner: Row, fits: t.Callable[[str], bool]) -> str:
    """A name of a repository whose key, by which lists are ordered, is where it is wanted."""
    return next(name for name in (f"repository{number}" for number in itertools.count()) if fits(key_of(owner["id"], name)))


@pytest.fixture(scope="module")
def bumpy(make_shared_msr: MakeMSR, tmp_path_factory: pytest.TempPathFactory) -> Bumpy:
    source, destination = make_shared_msr("2.9.16"), make_shared_msr("3.1.5")
    people = small_set(source.tables)
    with source.tables.moment():
        alice = t.cast("Row", source.tables.get(ACCOUNTS, "alice"))
        keys = sorted(row["pk"] for row in source.tables.all(REPOSITORIES))
    early = name_that(alice, lambda key: key < keys[0])
    gone = name_that(alice, lambda key: key_of(alice["id"], early) < key < keys[1])
    late = name_that(alice, lambda key: key > keys[-1])
    people.repository(f"alice/{gone}")
    people.write()

    def change() -> None:
        """One repository that was on the page before is gone, one comes on that page, and one on the last."""
        for name in (early, late):
            people.repository(f"alice/{name}")
        people.write()
        source.tables.delete(REPOSITORIES, key_of(alice["id"], gone))

    soon = {"Retry-After": "1"}
    faults = {
        "source": [
            Fault(r"GET /api/v0/repositories\?", status=429, headers=soon),
            Fault(r"GET /api/v0/repositories\?.*pageStart=", before=change),
            Fault(r"GET /api/v0/accounts/engineering/teams/.*/repositoryAccess", status=503, times=2),
            Fault(r"GET /api/v0/webhooks", reset="before"),
            Fault(r"GET /enzi/v0/accounts/engineering/teams", status=502),
        ],
        "destination": [
            Fault(r"(POST|PUT|PATCH) /api/v0/repositories", reset="lost", times=3, after=1),
            Fault(r"(POST|PUT|PATCH) /api/v0/", status=503, times=3, after=6),
            Fault(r"(POST|PUT|PATCH) /api/v0/", status=429, headers=soon),
            Fault(r"(POST|PUT|PATCH) /enzi/v0/accounts/", reset="lost", times=3, after=3),
            Fault(r"(POST|PUT|PATCH) /enzi/v0/accounts/", reset="before", times=2),
        ],
    }
    for installation, own in ((source, faults["source"]), (destination, faults["destination"])):
        installation.msr.faults += own
        installation.msr.largest_page = 3
        installation.msr.session_requests = 25
    sides = [reach(installation, login="session") for installation in (source, destination)]
    control = MSRControl(tmp_path_factory.mktemp("control"), *sides, people.passwords.values())
    first = control.play("migrate_msr", "--tags", PEOPLE).changed
    sessions = {
        "source": source.msr.count("POST", "/enzi/v0/id/login"),
        "destination": destination.msr.count("POST", "/enzi/v0/id/login"),
    }
    # what came while the source was read
    second, third = (run_module("identity_import", {"source": sides[0], "destination": sides[1]}).result for _run in range(2))
    own = [*faults["source"], *faults["destination"]]
    return Bumpy(source, destination, people, own, sessions, first, second, third, early, late, gone, control)


def test_a_bad_day_is_got_through(bumpy: Bumpy) -> None:
    for fault in bumpy.faults:
        assert fault.met == fault.times, fault
    assert bumpy.first == 3


def test_sessions_are_renewed_in_the_middle(bumpy: Bumpy) -> None:
    # one process reads the source, and three write to the destination
    assert bumpy.sessions["source"] > 2
    assert bumpy.sessions["destination"] > 3


def test_the_next_run_brings_what_came_while_the_pages_were_read_and_the_one_after_it_nothing(bumpy: Bumpy) -> None:
    assert not bumpy.second.get("failed"), bumpy.second["msg"]
    assert bumpy.second["totals"]["created"] == bumpy.second["counts"]["repository"]["created"] == 1
    assert not bumpy.third["changed"]
    with bumpy.destination.tables.moment():
        names = {f"{row['namespaceName']}/{row['name']}" for row in bumpy.destination.tables.all(REPOSITORIES)}
        accounts = [row["name"] for row in bumpy.destination.tables.all(ACCOUNTS)]
    assert {f"alice/{bumpy.early}", f"alice/{bumpy.late}"} <= names
    assert f"alice/{bumpy.gone}" not in names
    assert len(accounts) == len(set(accounts))


def test_everybody_may_do_what_they_could_do_all_the_same(bumpy: Bumpy) -> None:
    bumpy.source.msr.session_requests = bumpy.destination.msr.session_requests = None
    prove(bumpy.source, bumpy.destination, logins_of(bumpy.people))


def test_tokens_for_images_that_end_in_the_middle_are_renewed(bumpy: Bumpy) -> None:
    sides = (bumpy.source.msr, bumpy.destination.msr)
    held = team_set("engineering/app", "engineering/tools", versions=2)
    access = bumpy.source.msr.access
    push(access.url, held, access.user, access.password, access.ca_file)
    # each of these takes longer than a token is good for
    bumpy.source.msr.faults.append(Fault(r"GET /v2/.*/blobs/", stall=1.5))
    bumpy.destination.msr.faults.append(Fault(r"(PATCH|PUT) /v2/.*/(blobs/uploads|manifests)/", stall=1.5, after=2))
    for side in sides:
        side.lifetime = 1
        side.reset_log()
    bumpy.control.play("migrate_msr", "--tags", "tags")
    for side in sides:
        side.lifetime = 300
        assert all(fault.met == fault.times for fault in side.faults)
        # beside the first request to each side, which asks where tokens are to be had
        refused = [path for (_method, path), status in zip(side.log, side.statuses, strict=True) if status == 401 and path != "/v2/"]
        assert refused
    assert compare.tags_of(bumpy.destination.msr) == held.tags()
    assert compare.assert_complete(bumpy.destination.msr)

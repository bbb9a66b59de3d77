# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook migrate_msr, of which each role is killed in the middle: the next run ends clean, and nothing shows it in the end."""

from __future__ import annotations

import dataclasses
import random
import subprocess
import threading
import typing as t

import pytest
from estate.fault_proxy import Fault
from estate.msr.seeding import People, small_set
from runs.modules import run_module
from runs.msr import MSRControl, logins_of, prove, reach, rows_of

if t.TYPE_CHECKING:
    from conftest import MakeMSR
    from estate.msr.double import Installation

#: many playbooks run one after the other before the first test begins
pytestmark = pytest.mark.timeout(1200)

WRITES = r"(POST|PUT|PATCH|DELETE) /(api|enzi)/v0"


@dataclasses.dataclass(frozen=True)
class Killing:
    """A role is killed when so many requests that match have come. `does`: the last of them is still done."""

    role: str
    tag: str
    at: t.Literal["source", "destination"]
    requests: str
    least: int
    most: int

    def moment(self) -> tuple[int, bool]:
        """After how many requests, and whether the next one is done all the same: by chance, and always the same."""
        chance = random.Random(self.role)
        return chance.randrange(self.least, self.most), chance.random() < 0.5


KILLINGS = (
    Killing("msr_inventory", "accounts", "source", r"GET /(api|enzi)/v0", 5, 60),
    Killing("accounts", "accounts", "destination", WRITES, 0, 2),
    Killing("organizations", "orgs", "destination", WRITES, 1, 27),
    Killing("msr_repositories", "repos", "destination", WRITES, 1, 19),
)


@dataclasses.dataclass
class Interrupted:
    """A migration of which each role was killed once, and run again. `killed`: exit statuses; `next_runs`: changes of what came next;
    `file_exists`: whether there was a file of people after the kill.
    """

    source: Installation
    destination: Installation
    people: People
    control: MSRControl
    killed: dict[str, int]
    next_runs: dict[str, int]
    file_exists: dict[str, bool]


@pytest.fixture(scope="module")
def interrupted(make_shared_msr: MakeMSR, tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    source, destination = make_shared_msr("2.9.16"), make_shared_msr("3.1.5")
    people = small_set(source.tables)
    control = MSRControl(tmp_path_factory.mktemp("control"), reach(source), reach(destination), people.passwords.values())
    found = Interrupted(source, destination, people, control, {}, {}, {})
    for killing in KILLINGS:
        installation = source if killing.at == "source" else destination
        found.killed[killing.role] = kill(control, installation, killing)
        found.file_exists[killing.role] = (control.folder / "state" / "people.json").exists()
        # what was to be read is read by the next role's run, which is killed later
        if killing.role != "msr_inventory":
            found.next_runs[killing.role] = control.play("migrate_msr", "--tags", killing.tag).changed
    return found


def kill(control: MSRControl, installation: Installation, killing: Killing) -> int:
    """End the run of a role as the loss of the machine does, at its moment; the exit status of ansible-playbook."""
    reached, gone = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        assert gone.wait(60)

    after, does = killing.moment()
    fault = Fault(killing.requests, after=after, before=wait, reset="" if does else "before")
    installation.msr.faults.append(fault)
    playing: subprocess.Popen[str] = control.start("migrate_msr", "--tags", killing.tag)
    try:
        while not reached.wait(0.1):
            assert playing.poll() is None, "the role has ended before its moment"
    finally:
        control.kill(playing)
        gone.set()
        installation.msr.faults.remove(fault)
    return playing.returncode


@pytest.mark.parametrize("role", [killing.role for killing in KILLINGS[1:]])
def test_a_role_that_is_killed_is_gone_on_with_by_the_next_run(interrupted: Interrupted, role: str) -> None:
    assert interrupted.killed[role] < 0
    assert interrupted.next_runs[role] == 1


def test_what_was_read_in_part_is_not_taken_for_the_whole(interrupted: Interrupted) -> None:
    assert interrupted.killed["msr_inventory"] < 0
    assert not interrupted.file_exists["msr_inventory"]
    assert interrupted.file_exists["accounts"]


def test_in_the_end_nothing_shows_that_anything_was_killed(interrupted: Interrupted) -> None:
    before = rows_of(interrupted.destination)
    # the playbook has webhooks and policies rest until the cut-over
    rest = {"automation": "paused"}
    again = run_module(
        "identity_import", {"source": reach(interrupted.source), "destination": reach(interrupted.destination), **rest}
    ).result
    assert not again.get("failed"), again["msg"]
    assert not again["changed"]
    assert rows_of(interrupted.destination) == before
    prove(interrupted.source, interrupted.destination, logins_of(interrupted.people), **rest)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal of a run: what is in it, how large it grows, who reads it, how it carries the wish to stop."""

from __future__ import annotations

import fcntl
import json
import os
import time
import typing as t

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying import journal as under_test
from ansible_collections.registryops.migration.plugins.module_utils._copying.journal import (
    JOURNAL_FILE,
    STOP_FILE,
    Journal,
    birth,
    in_use,
    is_alive,
    running,
)
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AlreadyRunning, StateError


class Run:
    """A run to be watched."""

    def __init__(self) -> None:
        self.done = 0
        self.asked = 0
        self.stops = 0

    def progress(self) -> dict[str, t.Any]:
        self.asked += 1
        return {"tags_done": self.done, "tags_total": 40, "bytes_done": 1000 * self.done}

    def stop(self) -> None:
        self.stops += 1


def until(true: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def records(folder: t.Any) -> list[dict[str, t.Any]]:
    text = (folder / JOURNAL_FILE).read_text(encoding="ascii")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that writes as often as it can."""
    monkeypatch.setattr(under_test, "_TICK", 0.001)
    monkeypatch.setattr(under_test, "_INTERVAL", 0.0)
    monkeypatch.setattr(under_test, "_LONGEST_INTERVAL", 0.0)


def test_from_head_to_end(tmp_path, quick):
    run, journal = Run(), Journal("a plan")
    journal.open(str(tmp_path), "old.example.com", "new.example.com", run)
    until(lambda: run.asked > 2)
    run.done = 7
    journal.end({"changed": True})
    found = records(tmp_path)
    head, end = found[0], found[-1]
    assert (head["record"], head["plan"], head["run"]) == ("head", "a plan", journal.run)
    assert (head["source"], head["destination"], head["folder"]) == ("old.example.com", "new.example.com", str(tmp_path))
    assert head["pid"] == os.getpid()
    assert (end["record"], end["result"]) == ("end", {"changed": True})
    assert {one["record"] for one in found[1:-1]} == {"progress"}
    # the last numbers are those of the end
    assert (found[-2]["tags_done"], found[-2]["bytes_done"]) == (7, 7000)
    assert (tmp_path / JOURNAL_FILE).stat().st_mode & 0o777 == 0o600


def test_a_journal_that_was_not_opened_says_nothing(tmp_path):
    Journal().end({"changed": True})
    assert list(tmp_path.iterdir()) == []


def test_a_new_run_begins_a_new_journal_and_forgets_old_wishes(tmp_path, quick):
    for name in ("first", "second"):
        (tmp_path / STOP_FILE).touch()
        run, journal = Run(), Journal(name)
        journal.open(str(tmp_path), "a", "b", run)
        until(lambda run=run: run.asked > 2)
        journal.end({})
        assert run.stops == 0
    assert [one["plan"] for one in records(tmp_path) if one["record"] == "head"] == ["second"]


def test_it_does_not_outgrow_its_limit_and_readers_find_both_ends_at_any_time(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(under_test, "LARGEST", 4000)
    run, journal = Run(), Journal("a plan")
    journal.open(str(tmp_path), "a", "b", run)
    sizes = []
    while run.asked < 200:
        found = running(str(tmp_path))
        assert found is not None
        head, latest = found
        assert head["run"] == journal.run
        assert latest["record"] in ("head", "progress")
        sizes.append((tmp_path / JOURNAL_FILE).stat().st_size)
    journal.end({})
    assert max(sizes) < 4000 + 500
    found = records(tmp_path)
    assert found[0]["record"] == "head"
    assert found[-1]["record"] == "end"
    assert [one["time"] for one in found[1:]] == sorted(one["time"] for one in found[1:])


def test_the_file_stop_is_seen_once_and_goes_with_the_run(tmp_path, quick):
    run, journal = Run(), Journal()
    journal.open(str(tmp_path), "a", "b", run)
    (tmp_path / STOP_FILE).touch()
    until(lambda: run.stops > 0)
    asked = run.asked
    until(lambda: run.asked > asked + 2)
    journal.end({})
    assert run.stops == 1
    assert records(tmp_path)[-2]["stopping"]
    assert not (tmp_path / STOP_FILE).exists()


def test_the_announcement_leads_to_the_journal(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    link = tmp_path / "link"
    journal = Journal("a plan", str(link))
    journal.open(str(state), "a", "b", Run())
    assert json.loads(link.read_text(encoding="ascii").splitlines()[0])["run"] == journal.run

    # who wants to do the same is led there, who wants to do something else is not
    error = in_use(str(state))
    for plan, leads in (("another", False), ("", False), ("a plan", True)):
        other = tmp_path / f"other {plan}"
        refused = in_use(str(state))
        Journal(plan, str(other)).join(refused)
        assert other.exists() == leads
        assert ("this copy is under way already, from a to b" in refused.message) == leads
    assert error.kind == "already_running"
    assert isinstance(error, StateError)
    assert f"another run uses this state folder: a copy from a to b (process {os.getpid()}, since 2" in error.message
    assert str(state / STOP_FILE) in error.hint
    journal.end({})


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / f"{JOURNAL_FILE}.part").mkdir()
    with pytest.raises(StateError, match="the journal cannot be written"):
        Journal().open(str(tmp_path), "a", "b", Run())


def test_only_the_journal_of_a_living_run_counts(tmp_path):
    assert running(str(tmp_path)) is None
    journal = Journal("a plan")
    journal.open(str(tmp_path), "a", "b", Run())
    found = running(str(tmp_path))
    assert found is not None
    journal.end({"msg": "x" * 100_000})
    assert running(str(tmp_path)) is None

    gone = os.fork()
    if not gone:
        os._exit(0)
    os.waitpid(gone, 0)
    path = tmp_path / JOURNAL_FILE
    for pid, born in ((gone, ""), (os.getpid(), "another time")):
        head = {**found[0], "pid": pid, "born": born}
        path.write_text(f"{json.dumps(head)}\n{json.dumps(found[1])}\n", encoding="ascii")
        assert running(str(tmp_path)) is None
    for text in ("", "{}\n", "no JSON\n", "[]\n[]\n"):
        path.write_text(text, encoding="ascii")
        assert running(str(tmp_path)) is None


def test_a_process_is_known_by_its_birth():
    assert is_alive(os.getpid(), birth(os.getpid()))
    assert not is_alive(os.getpid(), "0")


def test_the_ledger_says_who_has_the_folder(tmp_path):
    journal = Journal("a plan")
    with open(tmp_path / "lock", "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        journal.open(str(tmp_path), "old.example.com", "new.example.com", Run())
        with pytest.raises(AlreadyRunning, match=r"from old\.example\.com to new\.example\.com") as caught:
            Ledger(str(tmp_path))
        assert caught.value.running is not None
        assert caught.value.running["run"] == journal.run
        journal.end({})
        # somebody else, who has no journal
        with pytest.raises(AlreadyRunning, match=r"uses this state folder\. Wait for it"):
            Ledger(str(tmp_path))

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sqlite3
import stat
import threading

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying import ledger as ledger_module
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import SCHEMA, Copied, Ledger, TagRow, look_at_ledger
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import BlobUnknown, StateError

OLD, NEW, OTHER = "old.example.com", "new.example.com", "other.example.com"
DIGESTS = ["sha256:" + digit * 64 for digit in "0123456789abcdef"]


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "state")


@pytest.fixture(autouse=True)
def written_at_once(monkeypatch):
    """What is recorded can be read elsewhere at once."""
    monkeypatch.setattr(ledger_module, "GROUP_SECONDS", 0.0)


@pytest.fixture
def ledger(folder):
    with contextlib.closing(Ledger(folder)) as opened:
        opened.start(OLD, NEW)
        yield opened


def row(tag="1", **changes):
    fields = {
        "repository": "team/app", "tag": tag, "source_repository": "team/app", "source_tag": tag, "action": "copy", "state": "copied",
        "source_digest": DIGESTS[0], "digest": DIGESTS[0], "media_type": "application/json", "size": 100,
    }  # fmt: skip
    return TagRow(**{**fields, **changes})


def read(ledger, statement):
    """What another process would read."""
    with contextlib.closing(sqlite3.connect(ledger.path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(one) for one in database.execute(statement)]


def test_a_folder_for_the_user_alone(ledger, folder):
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert os.path.dirname(ledger.path) == folder


def test_a_tag_is_written_down_with_its_blobs(ledger):
    ledger.record([row()], [(DIGESTS[1], "team/app", 60), (DIGESTS[2], "team/app", 40)])
    (written,) = read(ledger, "SELECT * FROM tags")
    expected = {"destination": NEW, "source": OLD, "repository": "team/app", "tag": "1", "state": "copied", "size": 100, "run": 1}
    assert {name: written[name] for name in expected} == expected
    assert {one["digest"]: (one["repository"], one["size"]) for one in read(ledger, "SELECT * FROM blobs")} == {
        DIGESTS[1]: ("team/app", 60),
        DIGESTS[2]: ("team/app", 40),
    }
    # a run knows its own blobs by itself, until it has too many of them
    assert ledger.holder(DIGESTS[1]) == ""
    ledger.look_up_blobs()
    assert ledger.holder(DIGESTS[1]) == "team/app"
    assert ledger.holder(DIGESTS[3]) == ""


def test_tags_are_written_together(ledger, monkeypatch):
    monkeypatch.setattr(ledger_module, "GROUP_SECONDS", 3600.0)
    monkeypatch.setattr(ledger_module, "GROUP_ROWS", 5)
    found = []
    for number in range(12):
        ledger.record([row(str(number))])
        found.append(read(ledger, "SELECT COUNT(*) AS tags FROM tags")[0]["tags"])
    assert found == [0, 0, 0, 0, 5, 5, 5, 5, 5, 10, 10, 10]
    assert ledger.copied("team/app", ["11"]).get("11") is not None
    ledger.record([row("last")])
    ledger.close()
    assert read(ledger, "SELECT COUNT(*) AS tags FROM tags") == [{"tags": 13}]


def test_what_waits_is_written_before_what_follows(ledger, monkeypatch):
    monkeypatch.setattr(ledger_module, "GROUP_SECONDS", 3600.0)
    ledger.record([row()])
    ledger.distrust([("team/app", "1")])
    assert ledger.copied("team/app", ["1"]).get("1").broken


def test_the_last_word_on_a_tag_counts(ledger):
    error = BlobUnknown("it is gone.", subject="team/app", hint="Push it again.")
    ledger.record([row(state="failed", error=error)])
    (failed,) = read(ledger, "SELECT * FROM tags")
    assert (failed["kind"], failed["message"], failed["hint"]) == ("blob_unknown", "it is gone.", "Push it again.")
    ledger.record([row()])
    (copied,) = read(ledger, "SELECT * FROM tags")
    assert (copied["state"], copied["kind"], copied["message"]) == ("copied", None, None)


def test_the_size_of_an_image_is_kept_while_its_digest_stays(ledger):
    ledger.record([row(size=500)])
    ledger.record([row(action="unchanged", state="unchanged", size=0)])
    assert read(ledger, "SELECT size, state FROM tags") == [{"size": 500, "state": "unchanged"}]
    ledger.record([row(digest=DIGESTS[5], size=0)])
    assert read(ledger, "SELECT size FROM tags") == [{"size": 0}]


def test_who_had_a_blob_first_stays_its_holder(ledger):
    ledger.record([], [(DIGESTS[1], "first/app", 60)])
    ledger.record([], [(DIGESTS[1], "second/app", 60)])
    ledger.start(OLD, NEW)
    assert ledger.holder(DIGESTS[1]) == "first/app"


def test_what_is_known_of_a_tag(ledger):
    assert ledger.copied("team/app", ["1"]).get("1") is None
    ledger.record([row(digest=DIGESTS[7], form="subset linux/amd64")])
    assert ledger.copied("team/app", ["1"]).get("1") == Copied(
        DIGESTS[0], DIGESTS[7], "subset linux/amd64", broken=False, media_type=row().media_type
    )


@pytest.mark.parametrize("state", ["copied", "unchanged", "failed", "kept", "conflict"])
def test_only_what_is_there_is_known(ledger, state):
    ledger.record([row(state=state)])
    assert (ledger.copied("team/app", ["1"]).get("1") is not None) is (state in ("copied", "unchanged"))


def test_a_tag_with_a_hole_is_not_trusted_until_it_is_copied_again(ledger):
    ledger.record([row("1"), row("2")])
    ledger.finish("ok", {})
    ledger.distrust([("team/app", "1"), ("unknown/app", "1")])
    assert ledger.copied("team/app", ["1"]).get("1").broken
    assert not ledger.copied("team/app", ["2"]).get("2").broken
    ledger.start(OLD, NEW)
    ledger.record([row("1")])
    assert not ledger.copied("team/app", ["1"]).get("1").broken


def test_destinations_and_sources_are_kept_apart(ledger):
    ledger.record([row()], [(DIGESTS[1], "team/app", 60)])
    ledger.look_up_blobs()
    assert ledger.holder(DIGESTS[1]) == "team/app"
    ledger.look(OLD, OTHER)
    assert ledger.holder(DIGESTS[1]) == ""
    assert ledger.copied("team/app", ["1"]).get("1") is None
    ledger.look(OTHER, NEW)
    assert ledger.copied("team/app", ["1"]).get("1") is None
    ledger.look(OLD, NEW)
    assert ledger.copied("team/app", ["1"]).get("1") is not None


def test_runs_are_numbered_and_end_with_a_summary(ledger):
    assert ledger.start(OLD, NEW) == 2
    ledger.finish("failed", {"counts": {"copied": 3}})
    first, second = read(ledger, "SELECT * FROM runs ORDER BY id")
    assert (first["outcome"], first["ended"]) == (None, None)
    assert (second["outcome"], second["summary"], second["purpose"]) == ("failed", '{"counts": {"copied": 3}}', "copy")
    assert second["ended"] >= second["started"] >= first["started"]


def summary(**counts):
    return {"counts": counts, "bytes": 10, "blobs": {"uploaded": 1}, "requests": {"source": 2, "destination": 3}, "repositories": 1}


def test_a_run_goes_on_in_another_task(ledger):
    failed = BlobUnknown("the source does not have this blob.", subject="x")
    unreadable = row("", repository="team/late", source_repository="team/late", action="plan", state="failed", error=failed)
    ledger.record([row("1"), row("2", state="failed", error=failed), unreadable])
    ledger.finish("failed", summary(copied=1, failed=2))

    assert ledger.start(OLD, NEW, go_on=True) == 1
    ledger.make_up(["team/late"])
    # what the task before has copied is there now, and was copied all the same
    late = row("3", repository="team/late", source_repository="team/late")
    ledger.record([row("1", state="unchanged", action="unchanged"), row("2"), late])
    ledger.finish("ok", summary(copied=2, unchanged=1, not_attempted=0))

    (run,) = read(ledger, "SELECT * FROM runs")
    assert run["outcome"] == "ok"
    assert json.loads(run["summary"]) == {
        "counts": {"copied": 3, "not_attempted": 0},
        "bytes": 20,
        "blobs": {"uploaded": 2},
        "requests": {"source": 4, "destination": 6},
        "repositories": 2,
    }
    assert read(ledger, "SELECT tag, state, action FROM tags ORDER BY tag") == [
        {"tag": tag, "state": "copied", "action": "copy"} for tag in "123"
    ]


def test_what_failed_in_another_part_of_a_run_stays_failed(ledger):
    ledger.record([row("1", state="failed", error=BlobUnknown("the source does not have this blob.", subject="x"))])
    ledger.finish("failed", summary(failed=1))
    ledger.start(OLD, NEW, go_on=True)
    ledger.record([row("2")])
    ledger.finish("ok", summary(copied=1))
    (run,) = read(ledger, "SELECT * FROM runs")
    assert run["outcome"] == "failed"
    assert json.loads(run["summary"])["counts"] == {"copied": 1, "failed": 1, "not_attempted": 0}


def test_a_run_goes_on_only_between_the_same_stores(ledger):
    ledger.record([row("1")])
    ledger.finish("ok", summary(copied=1))
    assert ledger.start(OLD, OTHER, go_on=True) == 2
    assert ledger.start(OLD, NEW) == 3
    ledger.record([row("1", state="unchanged", action="unchanged")])
    assert read(ledger, "SELECT state, run FROM tags") == [{"state": "unchanged", "run": 3}]


def test_features_of_hosts(ledger):
    assert ledger.features(NEW) == {}
    ledger.learn(NEW, {"single_post": True, "mount": False})
    assert ledger.features(NEW) == {"single_post": True, "mount": False}
    ledger.learn(NEW, {"single_post": False})
    assert ledger.features(NEW) == {"single_post": False, "mount": False}


@pytest.mark.parametrize("text", ["no JSON", "[]", "5"])
def test_features_that_make_no_sense_are_none(ledger, text):
    ledger.learn(NEW, {"mount": True})
    with contextlib.closing(sqlite3.connect(ledger.path)) as database:
        database.execute("UPDATE hosts SET features = ?", (text,))
        database.commit()
    assert ledger.features(NEW) == {}


def test_verifications_are_written_down(ledger):
    ledger.verified(OLD, NEW, "deep", 10, 9, {"differences": []})
    (written,) = read(ledger, "SELECT * FROM verifications")
    assert (written["mode"], written["checked"], written["equal"]) == ("deep", 10, 9)


def test_one_file_is_left_behind(folder):
    opened = Ledger(folder)
    opened.start(OLD, NEW)
    opened.record([row()])
    opened.close()
    assert sorted(os.listdir(folder)) == ["ledger.sqlite3", "lock"]
    with contextlib.closing(Ledger(folder)) as again:
        again.look(OLD, NEW)
        assert again.copied("team/app", "1") is not None


def test_a_folder_belongs_to_one_run_at_a_time(ledger, folder):
    with pytest.raises(StateError, match="another run uses this state folder") as caught:
        Ledger(folder)
    assert folder in caught.value.subject
    ledger.close()
    Ledger(folder).close()


def test_many_threads_write(ledger):
    def write(number):
        for tag in range(40):
            ledger.record([row(f"{number}-{tag}")], [(f"sha256:{number:032x}{tag:032x}", "team/app", 1)])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(ledger, "SELECT COUNT(*) AS tags FROM tags") == [{"tags": 240}]
    assert read(ledger, "SELECT COUNT(*) AS blobs FROM blobs") == [{"blobs": 240}]


def test_a_tag_and_its_blobs_are_written_together_or_not_at_all(ledger):
    with contextlib.closing(sqlite3.connect(ledger.path, isolation_level=None)) as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON blobs BEGIN SELECT RAISE(ABORT, 'no room'); END")
    with pytest.raises(StateError, match="cannot be written"):
        ledger.record([row()], [(DIGESTS[1], "team/app", 60)])
    assert read(ledger, "SELECT * FROM tags") == []
    assert read(ledger, "SELECT * FROM blobs") == []
    with contextlib.closing(sqlite3.connect(ledger.path, isolation_level=None)) as database:
        database.execute("DROP TRIGGER full")
    # there is room again, and nothing was forgotten
    ledger.finish("ok", {})
    assert len(read(ledger, "SELECT * FROM tags")) == 1
    assert len(read(ledger, "SELECT * FROM blobs")) == 1


def test_a_file_that_is_no_ledger(folder):
    os.makedirs(folder)
    path = os.path.join(folder, "ledger.sqlite3")
    with open(path, "wb") as file:
        file.write(b"no database, whatever its name says. " * 200)
    with pytest.raises(StateError) as caught:
        Ledger(folder)
    assert caught.value.subject == path
    assert "remove it" in caught.value.hint
    os.unlink(path)
    # the failure has not kept the folder
    Ledger(folder).close()


def test_a_ledger_of_a_newer_version(folder):
    Ledger(folder).close()
    with contextlib.closing(sqlite3.connect(os.path.join(folder, "ledger.sqlite3"))) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA + 1}")
        database.commit()
    with pytest.raises(StateError, match="newer version"):
        Ledger(folder)


def test_looking_keeps_nobody_out_and_leaves_nothing_behind(folder):
    with contextlib.closing(Ledger(folder)) as opened:
        opened.start(OLD, NEW)
        opened.record([row()], [(DIGESTS[1], "team/app", 60)])
        # a run is at work, and goes on
        looking, problem = look_at_ledger(folder)
        assert problem == ""
        with contextlib.closing(looking):
            looking.look(OLD, NEW)
            looking.look_up_blobs()
            assert looking.copied("team/app", "1") is not None
            assert looking.holder(DIGESTS[1]) == "team/app"
            opened.record([row("2")])
            assert looking.copied("team/app", "2") is not None
            with pytest.raises(StateError, match="readonly"):
                looking.record([row("3")])
        opened.record([row("4")])
    before = os.stat(os.path.join(folder, "ledger.sqlite3"))
    looking, _problem = look_at_ledger(folder)
    with contextlib.closing(looking):
        looking.look(OLD, NEW)
        assert looking.copied("team/app", "4") is not None
        # nor does it keep a run from beginning
        Ledger(folder).close()
    assert sorted(os.listdir(folder)) == ["ledger.sqlite3", "lock"]
    after = os.stat(os.path.join(folder, "ledger.sqlite3"))
    assert after.st_size == before.st_size


def test_what_a_killed_run_left_is_read_as_well(folder):
    with contextlib.closing(Ledger(folder)) as opened:
        opened.start(OLD, NEW)
        opened.record([row()])
        left = {name: pathlib.Path(folder, name).read_bytes() for name in ("ledger.sqlite3", "ledger.sqlite3-wal")}
    for name, data in left.items():
        pathlib.Path(folder, name).write_bytes(data)
    looking, _problem = look_at_ledger(folder)
    with contextlib.closing(looking):
        looking.look(OLD, NEW)
        assert looking.copied("team/app", "1") is not None
    # its last tags stay where they are
    assert os.path.getsize(os.path.join(folder, "ledger.sqlite3-wal")) == len(left["ledger.sqlite3-wal"])


@pytest.mark.parametrize("content", [b"", b"no database, whatever its name says. " * 200])
def test_what_cannot_be_looked_at_is_said(folder, content):
    assert look_at_ledger(folder) == (None, "")
    os.makedirs(folder)
    with open(os.path.join(folder, "ledger.sqlite3"), "wb") as file:
        file.write(content)
    looking, problem = look_at_ledger(folder)
    assert looking is None
    assert problem.startswith(f"The ledger of earlier runs is not looked at. {folder}/ledger.sqlite3: the ledger cannot be read: ")


@pytest.mark.parametrize("place", ["file/state", "file"])
def test_a_folder_that_cannot_be(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(StateError) as caught:
        Ledger(str(tmp_path / place))
    assert str(tmp_path / place) in caught.value.subject
    assert "state_dir" in caught.value.hint

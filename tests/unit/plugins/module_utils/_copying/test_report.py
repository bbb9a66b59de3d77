# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import csv
import datetime
import json
import os

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger, TagRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.report import COLUMNS, write_report
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import BlobUnknown, InvalidOption, StateError, TagConflict

OLD, NEW = "old.example.com", "new.example.com"
DIGESTS = ["sha256:" + digit * 64 for digit in "0123456789abcdef"]


def row(repository, tag="1", state="copied", **changes):
    fields = {
        "repository": repository, "tag": tag, "source_repository": f"src/{repository}", "source_tag": tag, "action": "copy",
        "state": state, "source_digest": DIGESTS[0], "digest": DIGESTS[0], "media_type": "application/json", "size": 100,
    }  # fmt: skip
    return TagRow(**{**fields, **changes})


@pytest.fixture
def make_ledger(tmp_path):
    """A ledger of one worker, `runs` of each its rows; the last word of each is its outcome, None if it was interrupted."""

    def make(worker, *runs, verified=None):
        with contextlib.closing(Ledger(str(tmp_path / worker))) as ledger:
            for rows, outcome in runs:
                ledger.start(OLD, NEW)
                ledger.record(rows)
                if outcome:
                    ledger.finish(outcome, {"counts": {"copied": len(rows)}, "bytes": 1234, "repositories": 2})
            if verified is not None:
                ledger.verified(OLD, NEW, "deep", 10, 10 - verified, {"differences": [{"repository": "a"}] * verified})
            return ledger.path

    return make


def read(report):
    with open(report.json_file, encoding="utf-8") as file:
        document = json.load(file)
    with open(report.csv_file, encoding="utf-8", newline="") as file:
        return document, list(csv.DictReader(file))


def test_the_last_run_of_each_worker(make_ledger, tmp_path):
    broken = row("b/app", state="failed", digest="", size=0, error=BlobUnknown("it is gone.", subject="b/app", hint="Push it again."))
    conflict = row("b/app", "2", state="conflict", error=TagConflict("differs.", hint="Decide."))
    ledgers = {
        "one": make_ledger("one", ([row("gone/app")], "ok"), ([row("a/app"), row("a/app", "2", "unchanged"), row("a/lib")], "ok")),
        "two": make_ledger("two", ([broken, conflict], "failed")),
    }
    report = write_report(ledgers, str(tmp_path / "report"))
    assert report.counts == {"copied": 2, "unchanged": 1, "failed": 1, "conflict": 1}
    assert report.repositories == 3

    document, rows = read(report)
    assert document["counts"] == report.counts
    assert [(worker["worker"], worker["source"], worker["destination"], worker["outcome"]) for worker in document["workers"]] == [
        ("one", OLD, NEW, "ok"),
        ("two", OLD, NEW, "failed"),
    ]
    assert document["workers"][0]["bytes"] == 1234
    assert {one["name"]: (one["size"], one["counts"]) for one in document["repositories"]} == {
        "a/app": (200, {"copied": 1, "unchanged": 1}),
        "a/lib": (100, {"copied": 1}),
        "b/app": (100, {"failed": 1, "conflict": 1}),
    }
    assert [(one["worker"], one["tag"], one["kind"]) for one in document["failures"]] == [
        ("two", "1", "blob_unknown"),
        ("two", "2", "tag_conflict"),
    ]
    assert document["failures"][0]["hint"] == "Push it again."
    assert "digest" not in document["failures"][0]

    assert [tuple(one) for one in (rows[0],)] == [COLUMNS]
    assert [(one["worker"], one["repository"], one["tag"], one["state"]) for one in rows] == [
        ("one", "a/app", "1", "copied"),
        ("one", "a/app", "2", "unchanged"),
        ("one", "a/lib", "1", "copied"),
        ("two", "b/app", "1", "failed"),
        ("two", "b/app", "2", "conflict"),
    ]
    assert rows[0]["source_repository"] == "src/a/app"
    assert datetime.datetime.fromisoformat(rows[0]["finished"]).tzinfo is not None


@pytest.mark.parametrize(("differences", "verified"), [((0, 0), True), ((0, 3), False), ((0, None), False), ((None, None), False)])
def test_verified_is_what_every_worker_has_verified(make_ledger, tmp_path, differences, verified):
    ledgers = {
        f"worker{number}": make_ledger(f"worker{number}", ([row(f"app{number}")], "ok"), verified=one)
        for number, one in enumerate(differences)
    }
    report = write_report(ledgers, str(tmp_path / "report"))
    assert report.verified is verified
    document, _rows = read(report)
    assert document["verified"] is verified
    for one, worker in zip(differences, document["workers"]):  # noqa: B905 - also for Python 3.9
        if one is None:
            assert worker["verification"] is None
        else:
            assert (worker["verification"]["mode"], worker["verification"]["different"]) == ("deep", one)


def test_a_verification_before_the_run_does_not_count(make_ledger, tmp_path):
    path = make_ledger("one", ([row("app")], "ok"), verified=0)
    with contextlib.closing(Ledger(os.path.dirname(path))) as ledger:
        ledger.start(OLD, NEW)
        ledger.record([row("app")])
        ledger.finish("ok", {})
    assert not write_report({"one": path}, str(tmp_path / "report")).verified


def test_a_run_that_never_ended(make_ledger, tmp_path):
    report = write_report({"one": make_ledger("one", ([row("app")], None))}, str(tmp_path / "report"))
    document, _rows = read(report)
    assert document["workers"][0]["outcome"] == "interrupted"
    assert document["workers"][0]["ended"] == ""
    assert report.counts == {"copied": 1}


def test_a_worker_that_was_not_run(make_ledger, tmp_path):
    ledgers = {"one": make_ledger("one", ([row("app")], "ok"), verified=0)}
    report = write_report(ledgers, str(tmp_path / "report"), {"two": "it could not be reached."})
    assert not report.verified
    document, _rows = read(report)
    assert [(worker["worker"], worker["outcome"]) for worker in document["workers"]] == [("one", "ok"), ("two", "not run")]
    assert document["workers"][1]["message"] == "it could not be reached."


def test_nothing_to_report(tmp_path):
    report = write_report({}, str(tmp_path / "report"))
    document, rows = read(report)
    assert (report.repositories, report.verified, rows, document["workers"]) == (0, False, [], [])


def test_names_with_commas_and_quotes_stay_whole(make_ledger, tmp_path):
    error = BlobUnknown('a "quoted" word, a comma;\nand a line', subject="app", hint="=SUM(A1)")
    report = write_report({"one": make_ledger("one", ([row("app", state="failed", error=error)], "failed"))}, str(tmp_path / "report"))
    _document, rows = read(report)
    assert rows[0]["message"] == 'a "quoted" word, a comma;\nand a line'


def test_a_report_is_replaced_whole_or_not_at_all(make_ledger, tmp_path):
    good = make_ledger("one", ([row("app")], "ok"))
    folder = str(tmp_path / "report")
    report = write_report({"one": good}, folder)
    before = read(report)
    files = sorted(os.listdir(folder))
    bad = tmp_path / "bad.sqlite3"
    bad.write_bytes(b"no database, whatever its name says. " * 200)
    with pytest.raises(InvalidOption, match="is no ledger"):
        write_report({"one": good, "two": str(bad)}, folder)
    assert read(report) == before
    assert sorted(os.listdir(folder)) == files


def test_reading_leaves_the_ledger_alone(make_ledger, tmp_path):
    path = make_ledger("one", ([row("app")], "ok"))
    with open(path, "rb") as file:
        before = file.read()
    files = sorted(os.listdir(os.path.dirname(path)))
    write_report({"one": path}, str(tmp_path / "report"))
    with open(path, "rb") as file:
        assert file.read() == before
    assert sorted(os.listdir(os.path.dirname(path))) == files


def test_a_ledger_that_is_not_there(tmp_path):
    with pytest.raises(InvalidOption) as caught:
        write_report({"one": str(tmp_path / "missing")}, str(tmp_path / "report"))
    assert caught.value.subject == f"ledgers: {tmp_path / 'missing'}"


def test_a_folder_that_cannot_be(make_ledger, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError) as caught:
        write_report({"one": make_ledger("one", ([row("app")], "ok"))}, str(tmp_path / "file"))
    assert caught.value.subject == str(tmp_path / "file")

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger, TagRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.report import Report, write_report
from ansible_collections.registryops.migration.plugins.module_utils._copying.report_people import MOST_ROWS, PeopleReport
from ansible_collections.registryops.migration.plugins.module_utils._identity.report import (
    note_import,
    note_verification,
    read_people_file,
    write_json,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption

HOSTILE = "<script>alert(1)</script>"
COUNTS = {"account": {"created": 2, "unchanged": 1200, "failed": 0}, "grant": {"created": 1}}
SIDES = {"source": "old.example.com", "destination": "new.example.com"}
EQUAL = {
    **SIDES,
    "different": 0,
    "access": {"compared": 2400, "differences": []},
    "items": [],
    "sample": {"asked": 100, "differences": []},
    "logins": {"tried": 2, "differences": []},
    "surplus": [],
    "counts": {"account": {"equal": 1202, "missing": 0}},
    "not_migrated": [],
}
DIFFERENT = {
    **EQUAL,
    "different": 3,
    "access": {"compared": 2400, "differences": [{"user": HOSTILE, "repository": "research/app", "before": "write", "after": None}]},
    "items": [
        {"kind": "grant", "name": "grant for team research/dev on research/app", "outcome": "different"}
        | {"differences": {"level": {"source": "write", "destination": ""}}}
    ],
    "logins": {"tried": 2, "differences": [{"user": "canary", "source": True, "destination": False}]},
}


def entry(**more: t.Any) -> dict[str, t.Any]:
    return {**SIDES, "counts": COUNTS, "failures": [], "refused": [], "not_migrated": [], "renamed": {}, **more}


@pytest.fixture
def people_file(tmp_path: Path) -> str:
    return str(tmp_path / "report" / "people.json")


def people_of(path: str) -> PeopleReport:
    return PeopleReport(read_people_file(path, "people_file"))


def written(tmp_path: Path, people: PeopleReport, ledgers: t.Mapping[str, str] | None = None) -> tuple[Report, t.Any, str]:
    report = write_report(ledgers or {}, str(tmp_path / "report"), None, people)
    return report, json.loads(Path(report.json_file).read_text(encoding="utf-8")), Path(report.html_file).read_text(encoding="utf-8")


def ledger_with_one_tag(tmp_path: Path) -> str:
    ledger = Ledger(str(tmp_path / "state"))
    ledger.start("old.example.com", "new.example.com")
    ledger.record([TagRow("team/app", "1", "team/app", "1", "copy", "copied", digest=f"sha256:{'a' * 64}")])
    ledger.finish("ok", {"counts": {"copied": 1}})
    ledger.close()
    return ledger.path


def test_equal_people_alone_are_a_whole_report(tmp_path: Path, people_file: str) -> None:
    note_import(people_file, ["accounts"], entry(), changed=True)
    note_verification(people_file, EQUAL)
    report, document, page = written(tmp_path, people_of(people_file))
    assert report.verified
    assert document["verified"]
    assert document["people"]["different"] == 0
    assert "Everybody may do what they could do" in page
    assert "2,400 rights of users to repositories were compared." in page
    assert "<b>old.example.com</b>" in page
    assert "Workers" not in page


def test_differences_stand_first_and_nothing_counts_as_verified(tmp_path: Path, people_file: str) -> None:
    note_import(people_file, ["accounts"], entry(), changed=True)
    note_verification(people_file, DIFFERENT)
    report, document, page = written(tmp_path, people_of(people_file), {"one": ledger_with_one_tag(tmp_path)})
    assert not report.verified
    assert document["people"]["verification"]["access"]["differences"][0]["repository"] == "research/app"
    assert list(document).index("people") < list(document).index("counts")
    assert page.index('id="people"') < page.index('id="totals"')
    assert "<h1>1 right of a user differs between the source and the destination</h1>" in page
    assert HOSTILE not in page
    assert "level: write at the source, nothing at the destination" in page
    assert "canary" in page


def test_without_differences_people_come_after_the_totals(tmp_path: Path, people_file: str) -> None:
    note_verification(people_file, EQUAL)
    _report, _document, page = written(tmp_path, people_of(people_file), {"one": ledger_with_one_tag(tmp_path)})
    assert page.index('id="totals"') < page.index('id="people"')


def test_an_import_after_the_proof_takes_it_back_only_if_it_wrote_something(people_file: str) -> None:
    note_verification(people_file, EQUAL)
    note_import(people_file, ["accounts"], entry(), changed=False)
    assert people_of(people_file).verified
    note_import(people_file, ["accounts"], entry(), changed=True)
    people = people_of(people_file)
    assert not people.verified
    assert people.verification is None
    assert not people.wrong


def test_a_later_run_of_the_same_parts_replaces_the_earlier_one(people_file: str) -> None:
    failure = {"name": "user x", "error": {"message": "no.", "hint": ""}}
    for parts, failures in ((["accounts"], [failure]), (["organizations"], []), (["accounts"], [])):
        note_import(people_file, parts, entry(failures=failures), changed=False)
    assert not people_of(people_file).failures
    note_import(people_file, ["accounts", "organizations", "repositories"], entry(), changed=False)
    assert list(read_people_file(people_file, "")["imports"]) == ["accounts, organizations, repositories"]


def test_what_failed_was_refused_and_left_out_is_told(tmp_path: Path, people_file: str) -> None:
    error = {"kind": "x", "subject": "user y", "message": "has a space.", "hint": "Rename it."}
    rows = [{"kind": "account", "name": f"user y{number}", "state": "failed", "error": error} for number in range(MOST_ROWS + 5)]
    left_out = [{"what": "token", "count": 12, "reason": "the source: there is no database."}]
    note_import(
        people_file,
        ["accounts"],
        entry(failures=rows, refused=rows[:1], not_migrated=left_out, renamed={"jdoe": "john.doe"}, notes=["3 have random passwords."]),
        changed=True,
    )
    people = people_of(people_file)
    assert people.summary() == {
        "verified": False,
        "different": 0,
        "failed": MOST_ROWS + 5,
        "refused": 1,
        "not_attempted": 0,
        "not_migrated": 12,
    }
    report, _document, page = written(tmp_path, people)
    assert not report.verified
    for text in ("Rename it.", "john.doe", "3 have random passwords.", "The source: there is no database.", "5 more are in report.json"):
        assert text in page
    assert "205 items of people could not be written" in page


def test_what_was_refused_is_no_run_that_only_waits_for_its_proof(tmp_path: Path, people_file: str) -> None:
    error = {"kind": "x", "subject": "user y", "message": "has a space.", "hint": "Rename it."}
    refused = [{"kind": "account", "name": "user y", "state": "refused", "error": error}]
    counts = {"account": {"created": 0, "refused": 1, "not_attempted": 118}}
    note_import(people_file, ["accounts"], entry(refused=refused, counts=counts), changed=False)
    people = people_of(people_file)
    assert people.wrong == ["1 item of people would be refused by the destination", "118 items of people were not come to"]
    _report, _document, page = written(tmp_path, people)
    assert "<h1>1 item of people would be refused by the destination</h1>" in page
    assert "Incomplete" in page
    assert ">Created<" not in page


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 9, "imports": {}}', '{"schema": 1, "imports": []}'])
def test_another_file_is_none_of_people(tmp_path: Path, text: str) -> None:
    path = tmp_path / "people.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidOption) as caught:
        read_people_file(str(path), "people_file")
    assert caught.value.subject == "people_file"


def test_only_its_owner_may_read_the_file(people_file: str) -> None:
    write_json(people_file, {})
    assert Path(people_file).stat().st_mode & 0o777 == 0o600

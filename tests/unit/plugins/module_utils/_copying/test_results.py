# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run counts, and what modules make of it."""

from __future__ import annotations

import json
import os
import threading

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying.deletion import Deletion
from ansible_collections.registryops.migration.plugins.module_utils._copying.inventory import Inventory
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import TagRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import MOST_FAILURES, Policy
from ansible_collections.registryops.migration.plugins.module_utils._copying.run import Outcome
from ansible_collections.registryops.migration.plugins.module_utils._copying.verification import Verified
from ansible_collections.registryops.migration.plugins.module_utils._module.results import (
    STATES,
    copy_result,
    delete_result,
    inventory_result,
    verify_result,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import BlobUnknown, InvalidOption, StateError
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import parse_platform


def row(number=0, state="copied", action="copy"):
    error = BlobUnknown("it is gone.", subject=f"old/app:{number}", hint="Push it again.") if state == "failed" else None
    return TagRow("team/app", str(number), "app", str(number), action, state, error=error)


def outcome_of(*rows):
    outcome = Outcome()
    for one in rows:
        outcome.take(one)
    return outcome


def test_counts():
    outcome = outcome_of(row(1), row(2, action="update"), row(3, "unchanged", "unchanged"), row(4, "failed"), row(5, "kept", "keep"))
    assert outcome.counts == {"copied": 2, "unchanged": 1, "failed": 1, "kept": 1}
    assert outcome.failed == 1
    assert outcome.changed
    assert outcome.failures == [
        {
            "repository": "team/app",
            "tag": "4",
            "kind": "blob_unknown",
            "subject": "old/app:4",
            "message": "it is gone.",
            "hint": "Push it again.",
        }
    ]


@pytest.mark.parametrize(
    ("state", "changed"), [("copied", True), ("unchanged", False), ("kept", False), ("conflict", False), ("failed", False)]
)
def test_only_what_was_written_is_a_change(state, changed):
    assert outcome_of(row(1, state)).changed is changed


def test_many_threads_count():
    outcome = Outcome()

    def count():
        for number in range(500):
            outcome.take(row(number))

    threads = [threading.Thread(target=count) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcome.counts == {"copied": 4000}
    assert outcome.text.lines()[0] == "team/app: 4,000 added"


def test_a_result_stays_small():
    outcome = outcome_of(*(row(number, "failed") for number in range(5_000)))
    outcome.ledger = "/state/ledger.sqlite3"
    result = copy_result(outcome, diff=True)
    assert result["counts"]["failed"] == 5_000
    assert len(result["failures"]) == MOST_FAILURES == 100
    assert result["msg"] == (
        "5000 of 5000 could not be copied. The first: old/app:0: it is gone. Push it again. All failures are in /state/ledger.sqlite3."
    )
    assert len(json.dumps(result)) < 30_000


def test_a_result_has_every_state_and_no_message_where_all_is_well():
    result = copy_result(outcome_of(row(1)), diff=False)
    assert result["counts"] == {**dict.fromkeys(STATES, 0), "copied": 1}
    assert result["changed"] is True
    assert "msg" not in result
    assert "diff" not in result


def test_the_diff_of_a_run():
    outcome = outcome_of(row(1), row(3, action="update"), row(4, "unchanged", "unchanged"), row(5, "failed"))
    outcome.totals = ["moved: 12 B in 1 blob"]
    diff = copy_result(outcome, diff=True)["diff"]
    assert diff == {
        "prepared": """\
team/app: 1 failed, 1 changed, 1 added, 1 unchanged
  ! 5: it is gone.
  ~ 3: unknown is made whole
  + 1
moved: 12 B in 1 blob
"""
    }


def test_a_verification():
    verified = Verified()
    verified.is_equal()
    for number in range(150):
        verified.differs("team/app", str(number), "missing", "the destination does not have this tag.")
    verified.checked = verified.equal + verified.different
    result = verify_result(verified)
    assert (result["changed"], result["checked"], result["equal"], result["different"]) == (False, 151, 1, 150)
    assert len(result["differences"]) == MOST_FAILURES
    assert result["msg"] == "150 of 151 differ. The first: team/app:0: the destination does not have this tag."


def test_a_verification_that_finds_a_whole_repository_wrong():
    verified = Verified(checked=1)
    verified.differs("team/app", "", "repository_unknown", "there is no such repository.")
    assert verify_result(verified)["msg"] == "1 of 1 differ. The first: team/app: there is no such repository."


def test_a_deletion():
    result = delete_result(Deletion(deleted=["2", "1"], absent=["3"], taken_along=["latest"]))
    assert result["changed"] is True
    assert result["diff"] == {"before": "1\n2\nlatest\n", "after": ""}
    assert delete_result(Deletion(absent=["3"]))["changed"] is False


def test_an_inventory():
    tags = [{"name": "1"}, {"name": "2"}]
    failures = [{"repository": "b", "tag": str(number), "kind": "manifest_unknown"} for number in range(120)]
    inventory = Inventory([{"name": "a", "tags": tags, "size": 2}, {"name": "b", "tags": [], "size": 0}], failures)
    result = inventory_result("old.example.com", inventory, None)
    assert [(one["name"], one["tag_count"]) for one in result["repositories"]] == [("a", 2), ("b", 0)]
    assert result["repositories"][0]["tags"] == tags
    assert (result["tag_count"], result["failure_count"], len(result["failures"])) == (2, 120, MOST_FAILURES)


def test_an_inventory_in_a_file(tmp_path):
    inventory = Inventory([{"name": "a", "tags": [{"name": "1"}], "size": 1}], [])
    path = str(tmp_path / "lists" / "inventory.json")
    result = inventory_result("old.example.com", inventory, path)
    assert result["output_file"] == path
    assert result["repositories"] == [{"name": "a", "size": 1, "tag_count": 1}]
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    assert document["registry"] == "old.example.com"
    assert document["repositories"][0]["tags"] == [{"name": "1"}]
    (tmp_path / "file").touch()
    with pytest.raises(StateError):
        inventory_result("old.example.com", inventory, os.path.join(str(tmp_path), "file", "inventory.json"))


@pytest.mark.parametrize(
    ("policy", "form"),
    [
        ({}, ""),
        ({"platforms": ["linux/arm64", "linux/amd64"]}, ""),
        ({"index": "subset"}, ""),
        ({"platforms": ["linux/arm64", "linux/amd64"], "index": "subset"}, "subset linux/amd64 linux/arm64"),
        ({"platforms": ["linux/amd64"], "index": "sparse"}, "sparse linux/amd64"),
        ({"referrers": False}, "alone"),
        ({"foreign_layers": "copy"}, "foreign"),
        ({"foreign_layers": "copy", "referrers": False}, "foreign alone"),
        ({"platforms": ["linux/amd64"], "index": "sparse", "referrers": False}, "sparse linux/amd64 alone"),
    ],
    ids=str,
)
def test_runs_that_want_the_same_of_an_image_have_one_form(policy, form):
    platforms = tuple(parse_platform(text) for text in policy.get("platforms", ()))
    assert Policy(**{**policy, "platforms": platforms}).form == form


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{tag}-old", "v1-old"),
        ("backup-{digest}", "backup-" + "a" * 12),
        ("{tag}-{digest}-{tag}", "v1-" + "a" * 12 + "-v1"),
        ("x" * 115 + "-{digest}", "x" * 115 + "-" + "a" * 12),
    ],
)
def test_backup_tags(pattern, name):
    assert Policy(backup_tag=pattern).backup_name("v1", "sha256:" + "a" * 64) == name


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{tag}-before-{digest}", "v" * (128 - 20) + "-before-" + "a" * 12),
        ("{tag}-{digest}-{tag}", "v" * 57 + "-" + "a" * 12 + "-" + "v" * 57),
        ("{tag}-old", "v" * 124 + "-old"),
    ],
)
def test_the_digest_of_a_backup_tag_is_never_shortened(pattern, name):
    assert Policy(backup_tag=pattern).backup_name("v" * 128, "sha256:" + "a" * 64) == name


@pytest.mark.parametrize(
    "pattern",
    ["last", "x" * 120 + "-{digest}", "x" * 128 + "{tag}", "{name}", "{tag", "a b", "{digest}/{tag}", "-{tag}", "{tag!r}", "{tag:>10}"],
)
def test_backup_tags_that_cannot_be(pattern):
    with pytest.raises(InvalidOption) as caught:
        Policy(backup_tag=pattern)
    assert caught.value.subject == "backup_tag"

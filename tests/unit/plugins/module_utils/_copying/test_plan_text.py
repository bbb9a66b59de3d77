# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as people read it, and what a run did in the same words."""

from __future__ import annotations

import random
import tracemalloc

from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import TagRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.measuring import Blobs, Measure
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan import make_row
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan_text import (
    MOST_SHOWN,
    MOST_TAGS,
    PlanText,
    measured_lines,
    moved_lines,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import BlobUnknown, TagConflict

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
REFERRER = "sha256:" + "c" * 64


def planned(repository, tag, action, **more):
    return make_row((f"old/{repository}", tag), (repository, tag), action, **more)


ROWS = [
    planned("team/app", "1.5", "copy", digest=NEW),
    planned("team/app", "1.4", "copy"),
    planned("team/app", "stable", "update", digest=NEW, existing=OLD),
    planned("team/app", "whole", "update", digest=NEW, existing=NEW),
    planned("team/app", "1.0", "conflict", digest=NEW, existing=OLD),
    planned("team/app", "0.9", "keep", digest=NEW, existing=OLD),
    planned("team/app", "1.1", "unchanged", digest=NEW, existing=NEW),
    planned("team/app", "", "copy", digest=REFERRER),
    planned("base/os", "12", "unchanged", digest=NEW, existing=NEW),
    planned("base/os", "13", "unchanged", digest=NEW, existing=NEW),
]
TEXT = """\
team/app: 1 in conflict, 2 changed, 3 added, 1 kept, 1 unchanged
  ! 1.0: the destination has sha256:aaaaaaaaaaaa, the source sha256:bbbbbbbbbbbb
  ~ stable: sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb
  ~ whole: sha256:bbbbbbbbbbbb is made whole
  + 1.4
  + 1.5: sha256:bbbbbbbbbbbb
  + sha256:cccccccccccc
  = 0.9: the destination has sha256:aaaaaaaaaaaa, the source sha256:bbbbbbbbbbbb
1 repository with nothing to do: 2 unchanged"""


def text_of(rows):
    text = PlanText()
    for row in rows:
        text.plan([row])
    return "\n".join(text.lines())


def test_a_plan():
    assert text_of(ROWS) == TEXT


def test_the_order_in_which_rows_come_does_not_matter():
    for seed in range(20):
        assert text_of(random.Random(seed).sample(ROWS, len(ROWS))) == TEXT


def test_a_run_says_what_it_did_in_the_same_words():
    text = PlanText()
    conflict = TagConflict("has another digest.", subject="new.example.com/team/app:1.0", hint="Decide.")
    gone = BlobUnknown("it is gone.", subject="old.example.com/team/app:1.6", hint="Push it again.")

    def row(tag, action, state, digest=NEW, existing="", error=None):
        return TagRow("team/app", tag, "team/app", tag, action, state, NEW, digest, error=error, existing=existing)

    for one in (
        row("1.5", "copy", "copied"),
        row("stable", "update", "copied", existing=OLD),
        row("1.0", "conflict", "conflict", OLD, OLD, conflict),
        row("0.9", "keep", "kept", OLD, OLD),
        row("1.1", "unchanged", "unchanged", NEW, NEW),
        row("1.6", "copy", "failed", error=gone),
    ):
        text.did(one)
    text.failed("old/lost", "", "there is no such repository.")
    text.failed("old/long", "x", "y" * 1000)
    assert text.lines() == [
        "old/long: 1 failed",
        f"  ! x: {'y' * 160}...",
        "old/lost: 1 failed",
        "  ! there is no such repository.",
        "team/app: 1 failed, 1 in conflict, 1 changed, 1 added, 1 kept, 1 unchanged",
        "  ! 1.6: it is gone.",
        "  ! 1.0: the destination has sha256:aaaaaaaaaaaa, the source sha256:bbbbbbbbbbbb",
        "  ~ stable: sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb",
        "  + 1.5: sha256:bbbbbbbbbbbb",
        "  = 0.9: the destination has sha256:aaaaaaaaaaaa, the source sha256:bbbbbbbbbbbb",
    ]


def test_a_large_plan_is_cut_the_same_way_in_any_order():
    def rows(seed):
        names = [f"app{number:04}" for number in range(MOST_SHOWN + 30)]
        found = [planned(name, f"{tag:03}", "copy", digest=NEW) for name in names for tag in range(MOST_TAGS + 5)]
        found += [planned(name, "zz", "update", digest=NEW, existing=OLD) for name in names]
        found += [planned(f"equal{number}", "1", "unchanged") for number in range(40)]
        random.Random(seed).shuffle(found)
        return found

    first = text_of(rows(1))
    lines = first.splitlines()
    # each with its head, its tags, and a line that says that there are more of them
    assert len(lines) == MOST_SHOWN * (1 + MOST_TAGS + 1) + 2
    assert lines[:3] == [
        f"app0000: 1 changed, {MOST_TAGS + 5} added",
        "  ~ zz: sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb",
        "  + 000: sha256:bbbbbbbbbbbb",
    ]
    assert lines[MOST_TAGS + 1] == "    and 6 more"
    assert lines[-2:] == [
        f"and 30 more repositories: 30 changed, {30 * (MOST_TAGS + 5)} added",
        "40 repositories with nothing to do: 40 unchanged",
    ]
    assert text_of(rows(2)) == first


def test_a_hundred_thousand_tags_take_no_memory_each():
    def filled(tags):
        text = PlanText()
        for number in range(tags):
            text.plan([planned(f"team/app{number % 10}", f"v{number}", "copy", digest=NEW)])
        return text

    filled(1000)
    tracemalloc.start()
    try:
        text = filled(100_000)
        held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 200_000
    assert len(text.lines()) == 10 * (1 + MOST_TAGS + 1)
    assert text.lines()[0] == "team/app0: 10,000 added"


def test_what_a_plan_would_move():
    measured = Measure(moving=Blobs(3, 5 << 20), present=Blobs(1, 1536), known=Blobs(2, 3 << 30), unsized=1, unread=2, unasked=1)
    measured.referrers = True
    assert measured_lines(measured) == [
        "to move: at most 5.0 MiB in 3 blobs, each of them once",
        "there already: 1.5 KiB in 1 blob",
        "there since earlier runs, as the ledger says: 3.0 GiB in 2 blobs",
        "not known: 2 manifests could not be read, and nothing of them is counted",
        "not known: the size of 1 blob, which no manifest says",
        "not known: whether the destination has 1 blob: it could not be asked, and it counts as missing",
        "not known: signatures and other referrers of what is added or changed: they are listed when it is copied",
    ]
    assert measured_lines(Measure()) == []


def test_what_a_run_has_moved():
    assert moved_lines(1536, {"uploaded": 1, "mounted": 2, "present": 0}) == ["moved: 1.5 KiB in 1 blob", "mounted: 2 blobs"]
    assert moved_lines(0, {"uploaded": 0, "mounted": 0, "present": 3}) == ["there already: 3 blobs"]
    assert moved_lines(0, {}) == []

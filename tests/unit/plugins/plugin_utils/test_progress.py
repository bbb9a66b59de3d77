# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines that say how far a copy is."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.registryops.migration.plugins.plugin_utils._progress import (
    Style,
    duration,
    fraction,
    outcome,
    row,
    seconds_left,
    sentence,
)

PLAIN = Style(unicode=False, colour=False)


def progress(**changes: t.Any) -> dict[str, t.Any]:
    """A record of a copy that is half way."""
    record = {
        "seconds": 20.0,
        "phase": "copying",
        "repositories": 4,
        "tags_planned": 40,
        "tags_done": 10,
        "tags_total": 40,
        "failed": 0,
        "bytes_done": 1500 << 20,
        "bytes_total": 3000 << 20,
        "bytes_total_known": True,
        "blobs_moving": 4,
        "requests": 99,
        "tags_per_second": 0.5,
        "bytes_per_second": 75 << 20,
        "stopping": False,
    }
    return {**record, **changes}


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")])
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_sentence_for_each_state() -> None:
    assert sentence("w", progress()) == "w: 10 of 40 tags, 1.5 of 2.9 GiB, 75.0 MiB/s, about 0:20 left, 0 failed"
    assert sentence("w", progress(bytes_total_known=False, failed=2)) == (
        "w: 10 of 40 tags, 1.5 of 2.9 GiB+, 75.0 MiB/s, about 1:00 left, 2 failed"
    )
    assert sentence("w", progress(bytes_done=0, bytes_total=0, stopping=True)) == "w: 10 of 40 tags, about 1:00 left, 0 failed, stopping"
    waiting = progress(bytes_done=0, bytes_total=0, waiting_for_pulls=True)
    assert sentence("w", waiting) == "w: 10 of 40 tags, about 1:00 left, 0 failed, waiting for pulls"
    assert row("w", waiting, 200, PLAIN).endswith("  waiting for pulls")
    assert sentence("w", progress(tags_total=None)) == "w: planning, 40 tags so far, 0 failed"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, 20.0),
        ({"bytes_total_known": False}, 60.0),
        # the bytes have moved, the tags have yet to be put
        ({"bytes_done": 2999 << 20}, 60.0),
        ({"bytes_per_second": 0}, 60.0),
        ({"bytes_per_second": 0, "tags_per_second": 0.0}, None),
        ({"tags_total": None}, None),
    ],
)
def test_time_that_is_left(changes: dict[str, t.Any], wanted: float | None) -> None:
    assert seconds_left(progress(**changes)) == wanted


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [({}, 0.5), ({"bytes_total_known": False}, 0.25), ({"bytes_done": 4000 << 20}, 1.0), ({"tags_total": 0, "bytes_total": 0}, 0.0)],
)
def test_how_much_is_done(changes: dict[str, t.Any], wanted: float) -> None:
    assert fraction(progress(**changes)) == wanted


def test_a_row_has_what_there_is_room_for() -> None:
    assert row("w", progress(), 100, PLAIN) == f"w  {'#' * 15}{'-' * 15}   50%  10/40 tags  1.5/2.9 GiB  75.0 MiB/s  0:20 left"
    assert row("w", progress(failed=1), 52, PLAIN) == f"w  {'#' * 4}{'-' * 4}   50%  10/40 tags  1.5/2.9 GiB  1 failed"
    for columns in range(20, 120):
        for changes in ({}, {"failed": 3, "stopping": True}, {"tags_total": None}):
            assert len(row("a-worker", progress(**changes), columns, PLAIN)) <= columns
    # colours take no room
    coloured = row("w", progress(failed=1), 100, Style())
    assert re.sub(r"\x1b\[\d*m", "", coloured).translate(str.maketrans("━─", "#-")) == row("w", progress(failed=1), 100, PLAIN)


def test_the_last_line() -> None:
    counts = {"copied": 7, "unchanged": 2, "kept": 0, "conflict": 0, "failed": 1, "not_attempted": 3}
    assert outcome("w", {"counts": counts, "bytes_copied": 3 << 20}, 10.0) == (
        "w: 7 copied, 2 unchanged, 1 failed, 3 not attempted; 3.0 MiB in 0:10, 307 KiB/s"
    )
    assert outcome("w", {"failed": True, "msg": "no"}, 2.0) == "w: ended after 0:02"

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/reliability.md and the tests that it is made from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from reliability import Row, render, rows_of

ROOT = Path(__file__).absolute().parents[2]


def test_the_page_has_the_rows_of_the_tests(tmp_path: Path) -> None:
    """No test is run for this; `make reliability` is what to do when it fails."""
    page = tmp_path / "page.md"
    command = [sys.executable, "-m", "pytest", "tests/live", "--collect-only", "-q", "-m", "fault", "--reliability", str(page)]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-c", "pytest.ini", "--rootdir", "."],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    tested = rows_of(page.read_text(encoding="utf-8"))
    written = rows_of((ROOT / "docs" / "reliability.md").read_text(encoding="utf-8"))
    assert tested
    assert written - tested == set(), "no test has these rows any more"
    assert tested - written == set(), "make reliability has not been run since these tests were added"


def test_a_page_tells_what_became_of_each_row() -> None:
    passed = Row("Disks", "a | b", "It holds.", "tests/live/test_x.py", 20)
    passed.outcomes.update({"passed": 20})
    failed = Row("Disks", "full", "It does not hold.", "tests/live/test_x.py", 2)
    failed.outcomes.update({"passed": 1, "failed": 1})
    skipped = Row("Tags", "moved", "Nobody knows.", "tests/live/test_y.py", 1)
    skipped.outcomes.update({"skipped": 1})
    skipped.reasons.add("not here")
    partly = Row("Tags", "gone", "It holds.", "tests/live/test_y.py", 3)
    partly.outcomes.update({"passed": 1})
    page = render([passed, failed, skipped, partly])
    assert "| a \\| b | It holds. | passed (20 cases) | [test_x.py](../tests/live/test_x.py) |\n" in page
    assert "| full | It does not hold. | **failed** (1 of 2 cases) |" in page
    assert "| moved | Nobody knows. | skipped: not here |" in page
    assert "| gone | It holds. | not run to its end |" in page
    assert rows_of(page) == {("Disks", "a | b"), ("Disks", "full"), ("Tags", "moved"), ("Tags", "gone")}


@pytest.mark.parametrize("text", ["", "# Reliability\n\nNo table.\n", "| row | what holds | result | test |\n|---|---|---|---|\n"])
def test_a_page_without_rows(text: str) -> None:
    assert rows_of(text) == set()

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of faults, docs/reliability.md: one row for each test that is marked `fault(group, row)`, with what became of it.

A plugin of pytest, used where `--reliability FILE` is given (see conftest.py). With `--collect-only` the page lists the same rows
without results, so that a test can compare the names on the page with those of the tests.
"""

from __future__ import annotations

import collections
import dataclasses
import inspect
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

Name = tuple[str, str]

_PAGE = """\
# Reliability

What happens to a migration when something breaks, row by row. `make reliability` writes this page: it runs the tests that are named
here, and what stands under *result* is what became of them. A fault that no test provokes is not on it.

What is real and what is a double:

- The module runs as Ansible runs it: a process of its own, options in, a result out, its ledger on a disk.
- Registries are {registry} with files on a disk, unless a row needs a behaviour that it does not have. Such
  rows run against a registry of the tests' own: the real protocol over real sockets, its content in memory, its behaviour as told.
  Hostile input comes from such a double, too.
- Faults on the way come from servers of the tests' own that stand between the module and a registry. Processes are killed with
  SIGKILL, full disks are file systems of a few hundred kilobytes.
- After each fault the destination is read by a client that shares no code with the collection: every tag that can be seen must lead
  to manifests and blobs that are there, byte for byte. Then the module runs again, without the fault, and must complete the work.

Everything ran on one machine, on the loopback interface, with Python {python} and ansible-core {ansible}. Power that fails beneath a
disk, registries of other makers and networks of many hops were not part of it.
"""
_HEAD = "| row | what holds | result | test |\n|---|---|---|---|\n"
_GROUP = re.compile(r"## (.+)")
_ROW = re.compile(r"\| ((?:[^|\\]|\\.)+) \|.*\|")


@dataclasses.dataclass
class Row:
    """One test function with all its cases. `outcomes` has a word for each case that was run or skipped, `reasons` why it was skipped."""

    group: str
    name: str
    holds: str
    path: str
    cases: int = 0
    outcomes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    reasons: set[str] = dataclasses.field(default_factory=set)

    @property
    def result(self) -> str:
        """In words: `passed (20 cases)`, `**failed** (1 of 20 cases)`, `skipped: why`."""
        if not self.outcomes:
            return "not run"
        if self.outcomes["failed"]:
            return "**failed**" + (f" ({self.outcomes['failed']} of {self.cases} cases)" if self.cases > 1 else "")
        why = "; ".join(sorted(self.reasons))
        if self.outcomes["skipped"] == self.cases:
            return f"skipped: {why}"
        if sum(self.outcomes.values()) < self.cases:
            return "not run to its end"
        if self.outcomes["skipped"]:
            return f"passed ({self.outcomes['passed']} of {self.cases} cases; skipped: {why})"
        return "passed" + (f" ({self.cases} cases)" if self.cases > 1 else "")


class Recorder:
    """Collects the rows of a session and writes the page at its end."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self._rows: dict[tuple[str, str, str], Row] = {}
        self._by_test: dict[str, Row] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note every marked test that was selected."""
        for item in session.items:
            mark = item.get_closest_marker("fault")
            if mark is None:
                continue
            group, name = mark.args
            function = getattr(item, "function", None)
            holds = (inspect.getdoc(function) or "").partition("\n")[0].strip()
            if not holds:
                raise pytest.UsageError(f"{item.nodeid} is a row of the page and does not say what holds: its docstring is empty.")
            path = item.path.relative_to(item.config.rootpath).as_posix()
            row = self._rows.setdefault((group, name, item.nodeid.split("[")[0]), Row(group, name, holds, path))
            row.cases += 1
            self._by_test[item.nodeid] = row

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what became of a test; a failure while its servers are started or stopped counts as one."""
        row = self._by_test.get(report.nodeid)
        if row is None:
            return
        if report.failed:
            row.outcomes["failed"] += 1
        elif report.skipped:
            row.outcomes["skipped"] += 1
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            row.reasons.add(reason.removeprefix("Skipped: "))
        elif report.when == "call":
            row.outcomes["passed"] += 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the page; a session without any row (collecting broke off) leaves the old one alone."""
        if self._rows:
            self._page.write_text(render(self._rows.values()), encoding="utf-8")


def render(rows: t.Iterable[Row]) -> str:
    """The page."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    parts = [_PAGE.format(registry=_registry(), python=f"{sys.version_info.major}.{sys.version_info.minor}", ansible=_ansible())]
    for group in sorted(groups):
        lines = [
            f"| {_cell(row.name)} | {_cell(row.holds)} | {_cell(row.result)} | [{Path(row.path).name}](../{row.path}) |\n"
            for row in groups[group]
        ]
        parts.append(f"\n## {group}\n\n{_HEAD}{''.join(lines)}")
    return "".join(parts)


def rows_of(page: str) -> set[Name]:
    """`(group, row)` of everything in the tables of a page."""
    found: set[Name] = set()
    group = ""
    for line in page.splitlines():
        heading, row = _GROUP.fullmatch(line), _ROW.fullmatch(line)
        if heading:
            group = heading[1]
        elif row and row[1] != "row":
            found.add((group, row[1].replace("\\|", "|")))
    return found


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _registry() -> str:
    """What the real registries are."""
    program = shutil.which("docker-registry")
    if program is None:
        return "docker-registry"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return f"docker-registry {said[-1]}" if said else "docker-registry"


def _ansible() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ansible-core")
    except PackageNotFoundError:
        return "of an unknown version"

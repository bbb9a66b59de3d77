# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Memory and time of the module against the number of tags: registries that are computed while they are read, and a real copy of them."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import typing as t
from pathlib import Path

from estate.ports import free_port
from estate.process import ProcessFailed, ServerProcess

from bench import metering
from bench.contenders import Contender, Setting
from bench.goals import Verdict
from bench.page import markdown_table, text_table

Say = t.Callable[[str], None]
#: what a re-run compares takes as long for the last tag as for the first, but for noise of the machine
_LINEAR = 1.3
_MOST_MIB = 64
_ATTEMPTS = 5


@dataclasses.dataclass(frozen=True)
class Measured:
    """A first copy, or a second one that changes nothing."""

    what: str
    tags: int
    repositories: int
    wall: float
    cpu: float
    peak_mib: float
    requests: int


def start_registry(role: str, repositories: int, tags_each: int, folder: Path, port: int = 0) -> ServerProcess:
    """A computed registry that answers, on this port or on a free one."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    for attempt in range(_ATTEMPTS):
        chosen = port or free_port()
        command = [sys.executable, "-m", "bench.computed_registry", role, str(chosen), str(repositories), str(tags_each)]
        try:
            return ServerProcess(command, port=chosen, log_path=folder / f"{role}.log", environment=environment, patience=120)
        except ProcessFailed as failure:
            if "in use" not in str(failure) or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the loop above returns or raises")


def measure(contender: Contender, tags: int, repositories: int, folder: Path, collections: Path, cache: Path, say: Say) -> list[Measured]:
    """A first copy of so many tags in so many repositories, and a second one with the ledger of the first."""
    folder = folder / f"scale-{repositories}-{tags}"
    folder.mkdir()
    tags_each = -(-tags // repositories)
    found = []
    port = 0
    with start_registry("source", repositories, tags_each, folder) as source:
        for what, role in (("first copy", "empty"), ("nothing changed", "full")):
            # both play the same destination: a ledger is about an address, so the second takes over the port of the first
            run = folder / role
            run.mkdir()
            with start_registry(role, repositories, tags_each, folder, port) as destination:
                port = destination.port
                setting = Setting(
                    f"127.0.0.1:{source.port}", f"127.0.0.1:{destination.port}", {}, run, folder / "state", collections, cache
                )
                cost = metering.run(contender.command(setting), run)
            answer = _answer(run)
            _check(answer, "copied" if role == "empty" else "unchanged", repositories * tags_each, metering.said(run))
            asked = sum(answer["requests"].values())
            one = Measured(what, repositories * tags_each, repositories, cost.wall, cost.cpu, cost.peak_kib / 1024, asked)
            found.append(one)
            spent = f"{one.wall:.1f} s, CPU {one.cpu:.1f} s, peak {one.peak_mib:.0f} MiB"
            say(f"{one.tags} tags in {repositories} repositories, {what}: {spent}")
    shutil.rmtree(folder)
    return found


def _answer(run: Path) -> dict[str, t.Any]:
    """The module's result: the last line that it has written."""
    lines = (run / "output").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise metering.Interrupted(f"the module gave no result:\n{metering.said(run)}") from None
    return t.cast("dict[str, t.Any]", answer)


def _check(answer: dict[str, t.Any], state: str, tags: int, said: str) -> None:
    counts = answer.get("counts", {})
    if counts.get(state) != tags or counts.get("failed"):
        raise metering.Interrupted(f"{tags} tags ought to be {state}:\n{said}")


def verdicts(found: t.Sequence[Measured]) -> list[Verdict]:
    """Peak memory and growth of each kind of run."""
    given = []
    for kind in dict.fromkeys((one.what, one.repositories == 1) for one in found):
        runs = sorted((one for one in found if (one.what, one.repositories == 1) == kind), key=lambda one: one.tags)
        where = f"{kind[0]} of {runs[-1].tags:,} tags in {'one repository' if kind[1] else f'{runs[-1].repositories:,} repositories'}"
        peak = runs[-1].peak_mib
        given.append(Verdict(f"{where}: peak memory at most {_MOST_MIB} MiB", f"{peak:.0f} MiB", peak <= _MOST_MIB))
        if len(runs) > 1:
            growth = (runs[-1].wall / runs[-1].tags) / (runs[0].wall / runs[0].tags)
            goal = f"{where}: time a tag at most {_LINEAR:g} times that of {runs[0].tags:,} tags"
            given.append(Verdict(goal, f"{growth:.2f}", growth <= _LINEAR))
    return given


_HEADINGS = ["what", "tags", "repositories", "wall s", "CPU s", "ms a tag", "peak MiB", "requests"]


def _rows(found: t.Sequence[Measured]) -> list[list[str]]:
    return [
        [
            one.what,
            f"{one.tags:,}",
            f"{one.repositories:,}",
            f"{one.wall:.1f}",
            f"{one.cpu:.1f}",
            f"{one.wall / one.tags * 1000:.2f}",
            f"{one.peak_mib:.0f}",
            f"{one.requests:,}",
        ]
        for one in found
    ]


def terminal(found: t.Sequence[Measured]) -> str:
    """For a terminal."""
    return text_table(_HEADINGS, _rows(found))


def section(found: t.Sequence[Measured], date: str, command: str, machine: t.Mapping[str, str]) -> str:
    """The part of docs/benchmarks.md."""
    facts = [
        f"Measured {date} by `{command}`.",
        "The module alone copies real plans between two registries that are computed while they are read, in processes of their own.",
        "Each tag has a manifest and a configuration of its own. The servers share the cores with the module, and cost it time.",
        f"Machine: {', '.join(f'{name} {value}' for name, value in machine.items() if name != 'docker-registry')}.",
    ]
    return "## scale: memory and growth\n\n" + "".join(f"- {fact}\n" for fact in facts) + "\n" + markdown_table(_HEADINGS, _rows(found))

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/benchmarks.md, and the same tables for a terminal. A page is kept and only what was measured anew is replaced in it."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from bench.goals import Verdict, judge
from bench.results import MEASURES, Result, Run
from bench.workloads import MIB

_TITLE = "# Benchmarks"
_INTRODUCTION = """\
This page is written by `make bench ARGS="... --write"`; every figure in it was measured by the command beside it.

How: a contender is the command that a user would start, timed as a whole process from its start to its end, interpreter included.
Contenders run one after the other in groups; in each group every contender copies the same source into a destination of its own, and
the order is reversed from round to round. A ratio is that of two runs of one group; what is given is the median of all groups, with the
least and the greatest. Both registries run on the same machine and the same cores as the contender, and are started anew for each run.
After each run every tag of the destination is compared with the source; tags that are missing or differ are counted, for all
contenders. Layers are true gzip, for skopeo would compress them otherwise. Requests are counted in the registries' access logs. Memory
is the peak of the largest single process: contenders of several processes need several times that.

`module` is the module as a process of its own, `playbook` a whole `ansible-playbook` with one task, both as they are by default.
"""
_HEADINGS = ("workload", "figure to reach", "measured", "reached", "date")
_ROW = re.compile(r"^\| (\S+) \|.*\|$", re.MULTILINE)
_SECTION = re.compile(r"^<!-- (\S+) -->\n(.*?)^<!-- end of \1 -->\n", re.MULTILINE | re.DOTALL)


def markdown_table(headings: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> str:
    """Columns for a page."""
    return "".join(_line(cells) for cells in (headings, ["---"] * len(headings), *rows))


def _line(cells: t.Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def text_table(headings: t.Sequence[str], rows: t.Sequence[t.Sequence[str]]) -> str:
    """Columns as wide as they have to be, for a terminal."""
    widths = [max(len(line[column]) for line in (headings, *rows)) for column in range(len(headings))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in (headings, *rows))


# -- the tables of a result --------------------------------------------------------------------------------------------

_FIGURES: t.Mapping[str, tuple[t.Callable[[Run], float], str]] = {
    "wall s": (lambda run: run.cost.wall, ".2f"),
    "CPU s": (lambda run: run.cost.cpu, ".2f"),
    "peak MiB": (lambda run: run.cost.peak_kib / 1024, ".0f"),
    "floor s": (lambda run: run.floor, ".2f"),
    "requests to the source": (lambda run: run.source.total, ".0f"),
    "to the destination": (lambda run: run.destination.total, ".0f"),
    "MiB from the source": (lambda run: run.source.sent / MIB, ".1f"),
    "to the destination ": (lambda run: run.destination.read / MIB, ".1f"),
    "wrong tags": (lambda run: run.difference.total, ".0f"),
}


def _figures(result: Result) -> tuple[list[str], list[list[str]]]:
    rows = []
    for name in result.contenders:
        spreads = [(result.spread(name, value), form) for value, form in _FIGURES.values()]
        if spreads[0][0] is not None:
            rows.append([name, *(spread.text(form) for spread, form in spreads if spread)])
    return ["contender", *(heading.strip() for heading in _FIGURES)], rows


def _ratios(result: Result) -> tuple[list[str], list[list[str]]]:
    ours = [name for name, known in result.contenders.items() if known["ours"]]
    rows = []
    for peer, known in result.contenders.items():
        for mine in () if known["ours"] else ours:
            ratios = [result.ratio(peer, mine, measure) for measure in MEASURES]
            if ratios[0] is not None:
                rows.append([f"{peer} / {mine}", *(ratio.text() if ratio else "" for ratio in ratios)])
    return ["ratio", *MEASURES], rows


def _reached(verdict: Verdict) -> str:
    return "not measured" if verdict.reached is None else "yes" if verdict.reached else "no"


def terminal(result: Result) -> str:
    """All tables of a result."""
    tables = [_figures(result), _ratios(result), verdict_table(judge(result))]
    return "\n\n".join(text_table(*table) for table in tables if table[1])


def verdict_table(verdicts: t.Sequence[Verdict]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of what is to be reached."""
    return ["figure to reach", "measured", "reached"], [[one.goal, one.measured, _reached(one)] for one in verdicts]


def _failures(result: Result) -> list[str]:
    """What went wrong with whom: exit statuses, wrong tags, errors of the registries."""
    lines = []
    for name in result.contenders:
        runs = result.runs(name)
        failed = [run for run in runs if run.failed]
        if failed:
            wrong = sum(run.difference.total for run in failed)
            left_out = sum(not result.counts(run) for run in failed)
            statuses = ", ".join(sorted({str(run.cost.status) for run in failed}))
            examples = "; ".join(dict.fromkeys(example for run in failed for example in run.difference.examples[:2]))
            lines.append(
                f"{name}: {len(failed)} of {len(runs)} runs ended with status {statuses} and {wrong} wrong tags in all"
                f"{f' ({examples})' if examples else ''}; {left_out} of these runs do not count"
            )
        errors: dict[str, int] = {}
        for run in runs:
            for served in (run.source, run.destination):
                for error, count in served.errors.items():
                    errors[error] = errors.get(error, 0) + count
        if errors:
            lines.append(f"{name}: errors of the registries: " + ", ".join(f"{count} x {error}" for error, count in errors.items()))
    return lines


def section(result: Result) -> str:
    """The part of the page about one workload."""
    known = [[name, one["title"], one["concurrency"], one["version"]] for name, one in result.contenders.items() if result.runs(name)]
    loads = [run.load for group in result.groups for run in group]
    fewest = result.fewest
    facts = [
        f"Measured {result.date} by `{result.command}`.",
        f"{len(result.groups)} groups; load average before a run {min(loads):.1f} to {max(loads):.1f}.",
        f"Machine: {', '.join(f'{name} {value}' for name, value in result.machine.items())}.",
        f"Fewest requests: {fewest.source} + {fewest.destination}; bytes of blobs that have to move: {fewest.bytes / MIB:.1f} MiB.",
        *([f"Not on PATH: {', '.join(result.absent)}."] if result.absent else []),
        *[f"{line}." for line in _failures(result)],
    ]
    return "\n".join(
        [
            f"## {result.workload}: {result.title}\n",
            "".join(f"- {fact}\n" for fact in facts),
            markdown_table(*_figures(result)),
            markdown_table(*_ratios(result)) if _ratios(result)[1] else "Nobody to compare with.\n",
            markdown_table(["contender", "what", "concurrency", "version"], known),
        ]
    )


# -- the page ----------------------------------------------------------------------------------------------------------


def write(path: Path, name: str, verdicts: t.Sequence[Verdict], date: str, text: str, order: t.Sequence[str]) -> None:
    """Put one workload's rows and section into the page, in place of older ones. `order`: names in the order of the page."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    sections = dict(_SECTION.findall(page))
    head = page.partition("<!-- ")[0]
    rows: dict[str, list[str]] = {}
    for match in _ROW.finditer(head):
        if match[1] in sections:
            rows.setdefault(match[1], []).append(match[0] + "\n")
    rows[name] = [_line((name, one.goal, one.measured, _reached(one), date)) for one in verdicts]
    sections[name] = text
    places = {one: place for place, one in enumerate(order)}
    names = sorted(sections, key=lambda one: (places.get(one, len(places)), one))
    table = markdown_table(_HEADINGS, []) + "".join("".join(rows.get(one, [])) for one in names)
    parts = [f"<!-- {one} -->\n{sections[one].rstrip()}\n\n<!-- end of {one} -->\n" for one in names]
    path.write_text("\n".join([f"{_TITLE}\n", _INTRODUCTION, table, *parts]), encoding="utf-8")

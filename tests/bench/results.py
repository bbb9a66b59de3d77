# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was measured, and the ratios of it. A ratio is always one of two runs of the same group, done one after the other."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import statistics
import subprocess
import typing as t
from pathlib import Path

from bench.metering import Cost
from bench.servers import Difference, Served
from bench.workloads import Fewest

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Run:
    """One contender once. `load`: the machine's load average over one minute just before."""

    contender: str
    cost: Cost
    source: Served
    destination: Served
    difference: Difference
    load: float

    @property
    def failed(self) -> bool:
        """Whether it ended with an error, or with a tag that is not as it is at the source."""
        return bool(self.cost.status or self.difference.total)

    @property
    def floor(self) -> float:
        """Seconds that the two registries needed of all cores: no client can be faster where they share them with it."""
        return (self.source.cpu + self.destination.cpu) / (os.cpu_count() or 1)


#: what is compared, as a peer's figure divided by ours
MEASURES: t.Mapping[str, t.Callable[[Run], float]] = {
    "wall": lambda run: run.cost.wall,
    "CPU": lambda run: run.cost.cpu,
    "peak memory": lambda run: run.cost.peak_kib,
    "requests": lambda run: run.source.total + run.destination.total,
    "bytes from the source": lambda run: run.source.sent,
    "bytes to the destination": lambda run: run.destination.read,
}


@dataclasses.dataclass(frozen=True)
class Spread:
    """A median, with the least and the greatest value."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: t.Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def text(self, form: str = ".2f", unit: str = "") -> str:
        """`median (least to most)`."""
        median, least, most = (f"{value:{form}}{unit}" for value in (self.median, self.least, self.most))
        return median if least == most else f"{median} ({least} to {most})"


@dataclasses.dataclass
class Result:
    """All runs of a workload. A group holds each of our ways to run it, and at most one peer."""

    workload: str
    title: str
    tags: int
    fewest: Fewest
    contenders: dict[str, dict[str, str]]
    command: str
    date: str
    machine: dict[str, str]
    groups: list[list[Run]] = dataclasses.field(default_factory=list)
    absent: list[str] = dataclasses.field(default_factory=list)

    def runs(self, contender: str) -> list[Run]:
        """All of one contender."""
        return [run for group in self.groups for run in group if run.contender == contender]

    def counts(self, run: Run) -> bool:
        """Whether a run did its work.

        Ours must have no fault at all; with peers, tags that differ are borne, and so is one missing tag in a hundred.
        """
        if self.contenders[run.contender]["ours"]:
            return not run.failed
        return run.difference.missing <= max(1, self.tags // 100)

    def pairs(self, one: str, other: str) -> list[tuple[Run, Run]]:
        """Runs of two contenders in the same groups, both of which count."""
        found = []
        for group in self.groups:
            by_name = {run.contender: run for run in group if self.counts(run)}
            if one in by_name and other in by_name:
                found.append((by_name[one], by_name[other]))
        return found

    def ratio(self, peer: str, ours: str, measure: str) -> Spread | None:
        """The peer's figure divided by ours, over the groups that hold both."""
        value = MEASURES[measure]
        ratios = [value(theirs) / value(mine) for theirs, mine in self.pairs(peer, ours) if value(mine)]
        return Spread.of(ratios) if ratios else None

    def spread(self, contender: str, value: t.Callable[[Run], float]) -> Spread | None:
        """A figure over all runs of a contender that count."""
        values = [value(run) for run in self.runs(contender) if self.counts(run)]
        return Spread.of(values) if values else None

    def as_document(self) -> dict[str, t.Any]:
        """For a JSON file."""
        return dataclasses.asdict(self)

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> Result:
        """Out of a JSON file."""
        groups = [[_run(run) for run in group] for group in document["groups"]]
        return cls(**{**document, "fewest": Fewest(**document["fewest"]), "groups": groups})


def _run(document: t.Mapping[str, t.Any]) -> Run:
    difference = document["difference"]
    return Run(
        document["contender"],
        Cost(**document["cost"]),
        Served(**document["source"]),
        Served(**document["destination"]),
        Difference(difference["missing"], difference["differing"], tuple(difference["examples"])),
        document["load"],
    )


def machine() -> dict[str, str]:
    """What a figure depends on, beside the programs."""
    memory = next(line.split()[1] for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if line.startswith("MemTotal"))
    models = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": str(os.cpu_count()),
        "processor": models[0] if models else platform.machine(),
        "memory": f"{int(memory) / (1 << 20):.0f} GiB",
        "kernel": ".".join(platform.release().split(".")[:2]),
        "Python": platform.python_version(),
        "docker-registry": _registry_version(),
    }


def _registry_version() -> str:
    if shutil.which("docker-registry") is None:
        return "not installed"
    answer = subprocess.run(["docker-registry", "--version"], capture_output=True, text=True, check=False, timeout=60)
    return f"{answer.stdout.split()[-1]}, GOGC=800, filesystem storage, in-memory cache" if answer.stdout.split() else "unknown"

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be reached for each workload, and whether a result does."""

from __future__ import annotations

import dataclasses
import typing as t

from bench.results import Result, Run, Spread

MODULE, LEDGER = "module", "module:ledger"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A goal in words, what was measured, and whether that is enough; None where it was not measured."""

    goal: str
    measured: str
    reached: bool | None


class Goal(t.Protocol):
    """Something to be reached."""

    def judge(self, result: Result) -> Verdict:
        """Whether a result does."""


@dataclasses.dataclass(frozen=True)
class Faster:
    """Our figure is so many times smaller than that of the best setting of another tool, in pairs."""

    peer: str
    times: float
    measure: str = "wall"
    ours: str = MODULE

    def judge(self, result: Result) -> Verdict:
        """Against the setting of the tool that does best."""
        goal = f"{self.measure} of {self.peer} / {self._who()} at least {self.times:g}"
        found = []
        for name in result.contenders:
            ratio = result.ratio(name, self.ours, self.measure) if name == self.peer or name.startswith(f"{self.peer}-") else None
            if ratio is not None:
                found.append((ratio.median, ratio, name))
        if not found:
            return Verdict(goal, f"not measured: no runs of {self.peer} and {self.ours}", None)
        median, ratio, name = min(found, key=lambda one: one[0])
        return Verdict(goal, f"{ratio.text()} against {name}, {len(result.pairs(name, self.ours))} pairs", median >= self.times)

    def _who(self) -> str:
        return "ours" if self.ours == MODULE else self.ours


@dataclasses.dataclass(frozen=True)
class AtMost:
    """A figure of our own stays below a limit in the median."""

    what: str
    limit: float
    value: t.Callable[[Result, Run], float]
    unit: str = ""
    ours: str = MODULE

    def judge(self, result: Result) -> Verdict:
        """Over all runs of ours."""
        goal = f"{self.what} at most {self.limit:g}{self.unit}"
        spread = result.spread(self.ours, lambda run: self.value(result, run))
        if spread is None:
            return Verdict(goal, f"not measured: no runs of {self.ours}", None)
        return Verdict(goal, spread.text(unit=self.unit), spread.median <= self.limit)


@dataclasses.dataclass(frozen=True)
class AnsibleShare:
    """Ansible's own time beside the module's, in pairs."""

    seconds: float = 5.0

    def judge(self, result: Result) -> Verdict:
        """Seconds of a playbook less those of the module alone."""
        goal = f"Ansible's share at most {self.seconds:g} s"
        shares = [playbook.cost.wall - module.cost.wall for playbook, module in result.pairs("playbook", MODULE)]
        if not shares:
            return Verdict(goal, "not measured: no runs of playbook and module", None)
        spread = Spread.of(shares)
        return Verdict(goal, spread.text(unit=" s"), spread.median <= self.seconds)


def _asked_a_tag(result: Result, run: Run) -> float:
    asked = sum(count for served in (run.source, run.destination) for kind, count in served.requests.items() if kind.endswith(" manifests"))
    return asked / result.tags


def _over_floor(result: Result, run: Run) -> float:
    return run.cost.wall / run.floor


def _peak(result: Result, run: Run) -> float:
    return run.cost.peak_kib / 1024


def _over_fewest(result: Result, run: Run) -> float:
    # the ping of either side and the source's catalogue belong to no workload
    return (run.source.total + run.destination.total - 3) / (result.fewest.source + result.fewest.destination)


_MEMORY = AtMost("peak memory of the module", 64, _peak, " MiB")
_REQUESTS = AtMost("requests over the fewest possible", 1.01, _over_fewest)
_FIRST = {
    "W1": (
        Faster("skopeo-copy", 5),
        Faster("skopeo-sync", 4.2),
        Faster("crane", 2.2),
        Faster("skopeo-copy", 10, "CPU"),
        AtMost("wall over the floor (CPU of both registries / cores)", 1.25, _over_floor),
        _REQUESTS,
    ),
    "W2": (Faster("skopeo-copy", 1.5), Faster("crane", 1.1), _REQUESTS),
    "L600": (AtMost("CPU for a layer of 600 MB", 1.2, lambda result, run: run.cost.cpu, " s"), AtMost("peak memory", 60, _peak, " MiB")),
    "W3": (Faster("skopeo-copy", 3.4), Faster("crane", 2), _REQUESTS),
    "W4": (
        Faster("skopeo-copy", 20),
        AtMost("requests for manifests a tag", 2, _asked_a_tag),
        AtMost("requests for manifests a tag with a trusted ledger", 1, _asked_a_tag, ours=LEDGER),
        Faster("regsync", 1.3, ours=LEDGER),
    ),
    "W5": (Faster("skopeo-sync", 4.5), Faster("regsync", 1.2, ours=LEDGER), _REQUESTS),
    "W6": (Faster("skopeo-sync", 10), _REQUESTS),
}
_DISTANT: tuple[Goal, ...] = (
    Faster("crane", 2.5),
    Faster("skopeo-copy", 5),
    # how much longer one worker takes than two
    Faster(MODULE, 1.7, ours="two-workers"),
)


def judge(result: Result) -> list[Verdict]:
    """All goals of a result's workload. Those of a small variant (W1s) are those of the whole (W1)."""
    name, _separator, distance = result.workload.partition("-")
    goals: tuple[Goal, ...] = _DISTANT if distance else _FIRST.get(name.rstrip("s"), ())
    return [goal.judge(result) for goal in (*goals, _MEMORY, AnsibleShare())]

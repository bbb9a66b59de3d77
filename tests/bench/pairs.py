# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who runs when: groups of ours and one peer, one after the other, in an order that is reversed from round to round."""

from __future__ import annotations

import dataclasses
import os
import shutil
import typing as t
from pathlib import Path

from bench import metering
from bench.contenders import Contender, Setting
from bench.results import Result, Run
from bench.servers import Seed, Server, Stage, compare, copy_folder
from bench.workloads import Workload

Say = t.Callable[[str], None]
Keep = t.Callable[[], None]


@dataclasses.dataclass
class Arena:
    """Everything that a run needs: where, from what, into what."""

    workload: Workload
    stage: Stage
    source: Seed
    destination: Seed | None
    folder: Path
    collections: Path
    cache: Path
    say: Say
    #: our ledger as a first copy leaves it, for workloads that copy again
    state: Path | None = None

    def prepare(self, ours: Contender) -> None:
        """Before a copy that is not the first: have the first one done, for the ledger that it leaves behind."""
        if self.destination is None:
            self.stage.start_source(self.source.data)
            return
        self.say(f"{self.workload.name}: a first copy, for its ledger")
        self.stage.start_source(self.destination.data)
        self.stage.start_destination(None, keep_port=True)
        cost, _setting = self._start(ours, self.destination)
        if cost.status:
            raise metering.Interrupted(f"the first copy ended with {cost.status}:\n{metering.said(self.folder / 'run')}")
        self.state = self.folder / "state-after-first"
        copy_folder(self.folder / "run" / "state", self.state)
        self.stage.start_source(self.source.data)

    def measure(self, contender: Contender) -> Run:
        """One run of a contender."""
        source, destination = self.servers()
        source.renew()
        again = self.destination is not None
        destination = self.stage.start_destination(self.destination.data if self.destination else None, keep_port=again)
        load = os.getloadavg()[0]
        cost, _setting = self._start(contender, self.source)
        run = Run(
            contender.name,
            cost,
            source.served(),
            destination.served(),
            compare(destination.registry.url, self.source.content),
            load,
        )
        self._tell(run)
        return run

    def servers(self) -> tuple[Server, Server]:
        """Both, running."""
        if self.stage.destination is None:
            self.stage.start_destination(None, keep_port=False)
        if self.stage.source is None or self.stage.destination is None:
            raise RuntimeError("the source is started by prepare()")
        return self.stage.source, self.stage.destination

    def _start(self, contender: Contender, seed: Seed) -> tuple[metering.Cost, Setting]:
        source, destination = self.servers()
        folder = self.folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        state = folder / "state"
        if self.state is not None:
            copy_folder(self.state, state)
        addresses = self.stage.address(source), self.stage.address(destination)
        setting = Setting(*addresses, seed.content.tags, folder, state, self.collections, self.cache)
        return metering.run(contender.command(setting), folder), setting

    def _tell(self, run: Run) -> None:
        cost = run.cost
        asked = f"{run.source.total} + {run.destination.total} requests"
        words = [
            f"{cost.wall:8.2f} s",
            f"CPU {cost.cpu:7.2f} s",
            f"peak {cost.peak_kib / 1024:4.0f} MiB",
            f"floor {run.floor:6.2f} s",
            asked,
        ]
        if cost.status:
            words.append(f"STATUS {cost.status}")
        if run.difference.total:
            words.append(f"WRONG TAGS {run.difference.total}: {'; '.join(run.difference.examples)}")
        self.say(f"{self.workload.name} {run.contender:18} {'  '.join(words)}  (load {run.load:.1f})")
        if cost.status:
            self.say(metering.said(self.folder / "run", 600))


def run_rounds(
    arena: Arena,
    result: Result,
    ours: t.Sequence[Contender],
    peers: t.Sequence[Contender],
    rounds: int,
    warm: bool,
    keep: Keep,
) -> None:
    """Measure; `keep` is called after each group, so that an interrupt loses no more than one. `warm`: first a round that is not counted.

    Interrupted when ours fails, or leaves a tag that is not as it is at the source.
    """

    def measure(contender: Contender) -> Run:
        run = arena.measure(contender)
        if contender.ours and run.failed:
            raise metering.Interrupted(f"{contender.name} has failed, and nothing that it does counts before it is mended")
        return run

    for contender in (*ours, *peers) if warm else ():
        measure(contender)
    if warm:
        arena.say("that was for warming up; now it counts")
    for number in range(rounds):
        for peer in peers or (None,):
            group = [*ours, *([peer] if peer else [])]
            if number % 2:
                group.reverse()
            arena.say(f"round {number + 1} of {rounds}: {', '.join(one.name for one in group)}")
            result.groups.append([measure(contender) for contender in group])
            keep()

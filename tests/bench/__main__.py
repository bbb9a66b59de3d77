# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of the benchmark.

make bench ARGS="W1s W3 --rounds 3"             two workloads, all peers that are installed
make bench ARGS="W4s --ours module --peers skopeo-copy-5,skopeo-sync --rounds 7 --warm --write"
make bench ARGS="W1s --latency 20 --ours module,two-workers"
make bench ARGS="W4 --variant 'ledger={\\"some_option\\": true}' --ours module,module:ledger"
make bench ARGS="scale --tags 10000,20000,100000"
make bench ARGS="MSR --part 0.1"
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shlex
import signal
import sys
import typing as t
from pathlib import Path

from estate.process import ProcessFailed

from bench import page, people, scale
from bench.contenders import USUAL_PEERS, Contender, ours, peers
from bench.goals import judge
from bench.metering import Interrupted
from bench.pairs import Arena, run_rounds
from bench.results import Result, machine
from bench.servers import Stage, run_folder, seed
from bench.workloads import MIB, WORKLOADS, Workload, fewest, with_round_trip

#: bytes of storage that a run needs beside its images
_ROOM = 2048 * MIB


def _parse(arguments: t.Sequence[str]) -> argparse.Namespace:
    titles = "\n".join(f"  {name:6} {workload.title}" for name, workload in WORKLOADS.items())
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, epilog=f"workloads:\n{titles}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", metavar="WORKLOAD", help='workloads, "scale" or "MSR" (default: all whole ones, for hours)')
    parser.add_argument("--rounds", type=int, default=3, help="groups for each peer (default 3; seven or more for a page)")
    parser.add_argument("--warm", action="store_true", help="one round first that is not counted")
    parser.add_argument("--ours", default="module,playbook", help="how ours is run (default module,playbook; also two-workers)")
    parser.add_argument("--peers", help="other tools' settings (default: one of each tool that is on PATH); none: nobody")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME=JSON", help="more options for module:NAME, playbook:NAME")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="a round-trip time for all requests")
    parser.add_argument("--tags", default="10000,20000,100000", help="for scale: how many tags (default 10000,20000,100000)")
    parser.add_argument("--one-repository", action="store_true", help="for scale: all tags in one repository, not 100 in each")
    parser.add_argument("--part", type=float, default=1.0, help="for MSR: how large a part of its people (default 1)")
    parser.add_argument("--write", action="store_true", help="put the results into docs/benchmarks.md")
    parser.add_argument("--work", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--docs", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.what = options.what or [*(name for name in WORKLOADS if not name.endswith("s")), "scale", people.NAME]
    unknown = sorted(set(options.what) - {*WORKLOADS, "scale", people.NAME})
    if unknown:
        parser.error(f"no such workload: {', '.join(unknown)}")
    return options


def _say(text: str) -> None:
    print(f"{datetime.datetime.now(datetime.UTC):%H:%M:%S} {text}", flush=True)


def _chosen(names: str, known: t.Mapping[str, Contender]) -> list[Contender]:
    unknown = sorted(set(names.split(",")) - set(known))
    if unknown:
        raise SystemExit(f"make bench: {', '.join(unknown)} not known; there are {', '.join(known)}")
    found = [known[name] for name in names.split(",")]
    missing = [one.name for one in found if not one.installed]
    if missing:
        raise SystemExit(f"make bench: {', '.join(missing)} not on PATH")
    return found


def _collections() -> Path:
    """The folder of collections that this file lies in."""
    folder = Path(__file__).absolute().parents[2]
    if folder.parts[-3:] != ("ansible_collections", "registryops", "migration"):
        raise SystemExit(f"make bench: {folder} is not in a folder of collections; start it with make")
    return folder.parents[2]


class Bench:
    """One call of the command."""

    def __init__(self, options: argparse.Namespace, command: str) -> None:
        self.options = options
        self.command = command
        self.date = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
        self.stamp = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}"
        self.work: Path = options.work
        self.collections = _collections()
        self.machine = machine()
        variants = {}
        for variant in options.variant:
            name, _equals, text = variant.partition("=")
            variants[name] = json.loads(text)
        self._ours = {one.name: one for one in ours(variants)}
        self._peers = {one.name: one for one in peers()}
        self.absent = sorted({one.program for one in self._peers.values() if not one.installed})

    def run(self) -> int:
        """All that was asked for; the exit status."""
        self.work.mkdir(parents=True, exist_ok=True)
        status = 0
        for name in self.options.what:
            if name in (own := {"scale": self._scale, people.NAME: self._people}):
                status |= own[name]()
            else:
                status |= self._workload(with_round_trip(WORKLOADS[name], self.options.latency))
        return status

    def contenders(self) -> tuple[list[Contender], list[Contender]]:
        """Ours and the others."""
        named = self.options.peers
        usual = ",".join(name for name in USUAL_PEERS if self._peers[name].installed)
        wanted = usual if named is None else "" if named == "none" else named
        return _chosen(self.options.ours, self._ours), _chosen(wanted, self._peers) if wanted else []

    def _workload(self, workload: Workload) -> int:
        mine, others = self.contenders()
        if self.absent:
            _say(f"not on PATH: {', '.join(self.absent)}")
        source = seed(workload.seed, self.work, _say)
        destination = seed(workload.destination, self.work, _say) if workload.destination else None
        result = Result(
            workload.name,
            workload.title,
            source.content.tag_count,
            fewest(workload, source.content, destination.content if destination else None),
            {one.name: _described(one) for one in (*mine, *others)},
            self.command,
            self.date,
            self.machine,
            absent=self.absent,
        )
        kept = self.work / "results" / f"{self.stamp}-{workload.name}.json"
        kept.parent.mkdir(exist_ok=True)

        def keep() -> None:
            kept.write_text(json.dumps(result.as_document(), indent=1), encoding="utf-8")

        # source, destination and snapshot
        room = 4 * source.content.blob_bytes + _ROOM
        with run_folder(self.work, room) as folder, Stage(folder, workload.round_trip) as stage:
            megabytes = source.content.blob_bytes / MIB
            _say(f"{workload.name}: {workload.title}; {source.content.tag_count} tags, {megabytes:.0f} MiB; in {folder}")
            arena = Arena(workload, stage, source, destination, folder, self.collections, self.work / "pycache", _say)
            arena.prepare(mine[0])
            run_rounds(arena, result, mine, others, self.options.rounds, self.options.warm, keep)
        print(f"\n{page.terminal(result)}\n\nresult: {kept}\n", flush=True)
        if self.options.write:
            page.write(self.options.docs, workload.name, judge(result), self.date, page.section(result), _order())
        return 0

    def _scale(self) -> int:
        contender = _chosen(self.options.ours.split(",")[0], self._ours)[0]
        found: list[scale.Measured] = []
        with run_folder(self.work, _ROOM) as folder:
            for tags in map(int, self.options.tags.split(",")):
                repositories = 1 if self.options.one_repository else -(-tags // 100)
                found += scale.measure(contender, tags, repositories, folder, self.collections, self.work / "pycache", _say)
        verdicts = scale.verdicts(found)
        print(f"\n{scale.terminal(found)}\n\n{page.text_table(*page.verdict_table(verdicts))}\n", flush=True)
        if self.options.write:
            name = "scale-one-repository" if self.options.one_repository else "scale"
            text = scale.section(found, self.date, self.command, self.machine)
            page.write(self.options.docs, name, verdicts, self.date, text, _order())
        return 0

    def _people(self) -> int:
        with run_folder(self.work, _ROOM) as folder:
            outcome = people.measure(self.options.part, folder, self.collections, _say)
        verdicts = people.verdicts(outcome)
        print(f"\n{people.terminal(outcome)}\n\n{page.text_table(*page.verdict_table(verdicts))}\n", flush=True)
        if self.options.write:
            text = people.section(outcome, self.date, self.command, self.machine)
            page.write(self.options.docs, people.NAME, verdicts, self.date, text, _order())
        return 0


def _described(contender: Contender) -> dict[str, str]:
    return {
        "title": contender.title,
        "concurrency": contender.concurrency,
        "version": contender.version_text(),
        "ours": "yes" if contender.ours else "",
    }


def _order() -> list[str]:
    return [*WORKLOADS, *(f"{name}-20ms" for name in WORKLOADS), "scale", "scale-one-repository", people.NAME]


def main(arguments: t.Sequence[str]) -> int:
    """The exit status: 1 if ours has failed anywhere."""
    options = _parse(arguments)
    asked = list(arguments)
    for hidden in ("--work", "--docs"):
        place = asked.index(hidden)
        del asked[place : place + 2]
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(128 + signal.SIGTERM))
    os.umask(0o077)
    try:
        return Bench(options, f"make bench ARGS={shlex.quote(shlex.join(asked))}").run()
    except (Interrupted, ProcessFailed) as error:
        _say(f"{error}")
        return 1
    except KeyboardInterrupt:
        _say("interrupted; everything that was started is ended")
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

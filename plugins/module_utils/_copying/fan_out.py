# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""One source to several destinations: a run for each of them, side by side, that share what they read."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import LEDGER_FILE
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import MOST_FAILURES
from ansible_collections.registryops.migration.plugins.module_utils._copying.run import Job, Outcome, carry_out
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store
from ansible_collections.registryops.migration.plugins.module_utils._stores.shared import SharedSource
from ansible_collections.registryops.migration.plugins.module_utils._stores.spool import SPOOL_BYTES


@dataclasses.dataclass
class Served:
    """What became of one destination: what its run did, and `error` where that could not be done at all."""

    name: str
    outcome: Outcome
    error: MigrationError | None = None


@dataclasses.dataclass
class FanOut:
    """What became of all of them. `outcome` is the sum, its failures name their destinations.

    `read_again`: manifests and blobs that the source was asked for once more, because they were no longer kept.
    """

    served: list[Served]
    outcome: Outcome
    read_again: int = 0
    warnings: list[str] = dataclasses.field(default_factory=list)


def fan_out(jobs: t.Sequence[Job], run: t.Callable[[Job], Outcome], spool_dir: str, spool_bytes: int = SPOOL_BYTES) -> FanOut:
    """Run several jobs that have one source. One that fails, in part or as a whole, keeps none of the others from going on.

    `spool_dir`: a folder for what one destination has and another one still needs, at most `spool_bytes` bytes of it.
    What cannot be done for any destination (a source that does not answer) is raised.
    """
    started = time.monotonic()
    source = jobs[0].source
    source.check(writing=False)
    with contextlib.closing(SharedSource(source, len(jobs), os.path.expanduser(spool_dir), spool_bytes)) as shared:
        runs = [_Run(number, job, run, shared) for number, job in enumerate(jobs)]
        for one in runs:
            one.start()
        for one in runs:
            one.wait()
        for one in runs:
            one.check()
        spool = shared.spool
        result = FanOut([one.served for one in runs], Outcome(), shared.read_again)
    result.warnings += [f"{one.name}: {warning}" for one in result.served for warning in one.outcome.warnings]
    if spool.problem:
        result.warnings.append(f"Nothing could be kept in {spool_dir} ({spool.problem}): blobs were read once for each destination.")
    result.outcome = _sum(result.served)
    result.outcome.requests = {"source": source.requests, "destination": sum(job.destination.requests for job in jobs)}
    result.outcome.seconds = round(time.monotonic() - started, 3)
    return result


class _Run:
    """The run of one destination, in a thread."""

    def __init__(self, number: int, job: Job, run: t.Callable[[Job], Outcome], shared: SharedSource) -> None:
        self.served = Served(job.destination.name, Outcome(complete=False))
        self._number = number
        self._job = dataclasses.replace(job, source=shared.views[number], destination=shared.served(number, job.destination))
        self._run = run
        self._shared = shared
        self._unexpected: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=f"destination-{number}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self) -> None:
        """Wait for the end."""
        while self._thread.is_alive():
            # in steps, so that a signal is heard
            self._thread.join(0.5)

    def check(self) -> None:
        """Raise what nobody expected."""
        if self._unexpected is not None:
            raise self._unexpected

    def _work(self) -> None:
        started = time.monotonic()
        try:
            self.served.outcome = self._run(self._job)
        except MigrationError as error:
            self.served.error = error
            outcome = self.served.outcome
            outcome.counts["failed"] += 1
            outcome.add_failure("", "", error)
            path = os.path.join(os.path.abspath(os.path.expanduser(self._job.state_dir)), LEDGER_FILE)
            outcome.ledger = path if self._run is carry_out and os.path.exists(path) else ""
            outcome.requests = {"source": self._job.source.requests, "destination": self._job.destination.requests}
            outcome.seconds = round(time.monotonic() - started, 3)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._unexpected = error
        finally:
            # whatever came of it: the others must not keep anything for this one
            self._shared.finished(self._number)


def _sum(served: t.Sequence[Served]) -> Outcome:
    """All of them as one. Repositories are those of the source, so they are not added up."""
    first = served[0].outcome
    total = Outcome(ledger=first.ledger, plan_file=first.plan_file, complete=all(one.outcome.complete for one in served))
    blobs: collections.Counter[str] = collections.Counter()
    whole = [one for one in served if one.error is not None]
    for one in served:
        total.counts.update(one.outcome.counts)
        total.bytes += one.outcome.bytes
        total.repositories = max(total.repositories, one.outcome.repositories)
        blobs.update(one.outcome.blobs)
    total.blobs = dict(blobs)
    # one destination may need images that another one has: together they need at least what the neediest does
    neediest = max((one.outcome.pulls for one in served), key=lambda pulls: (pulls.get("needed", -1), bool(pulls)))
    total.pulls = {**neediest, "at_least": neediest["at_least"] or len(served) > 1} if "needed" in neediest else dict(neediest)
    # those that could not be served at all come first: nothing must push them out of the list
    for one in [*whole, *(one for one in served if one.error is None)]:
        total.failures += [{"destination": one.name, **failure} for failure in one.outcome.failures]
    del total.failures[MOST_FAILURES:]
    return total


def check_names(destinations: t.Mapping[str, Store]) -> None:
    """Raise InvalidOption where two destinations, given by their options, are the same."""
    options: dict[str, str] = {}
    for option, store in destinations.items():
        other = options.setdefault(store.name, option)
        if other != option:
            raise InvalidOption(f"is {store.name}, and so is {other}.", subject=option, hint="Name each destination once.")

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The report of a migration: what the ledgers of all its workers say of their last runs, in one place."""

from __future__ import annotations

import collections
import contextlib
import csv
import dataclasses
import datetime
import json
import os
import sqlite3
import tempfile
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, StateError

SCHEMA = 1
COLUMNS = (
    "worker",
    "source_repository",
    "source_tag",
    "repository",
    "tag",
    "state",
    "action",
    "digest",
    "source_digest",
    "media_type",
    "size",
    "kind",
    "message",
    "hint",
    "finished",
)
_FAILED = ("failed", "conflict")


@dataclasses.dataclass
class Report:
    """Where the report is, and what it comes to. `workers` and `failures` are as in `report.json`."""

    json_file: str = ""
    csv_file: str = ""
    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    repositories: int = 0
    verified: bool = False
    workers: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    failures: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)


def _when(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="seconds")


def _loaded(text: str | None) -> t.Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return {}


class _Source:
    """One worker's ledger, read only."""

    def __init__(self, worker: str, path: str) -> None:
        self.worker = worker
        self.path = path
        if not os.path.isfile(path):
            raise InvalidOption("there is no such file.", subject=f"ledgers: {path}", hint="Fetch the ledger of each worker first.")
        self._database = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
        self._database.row_factory = sqlite3.Row

    def run(self) -> sqlite3.Row | None:
        """The last run that copied."""
        rows = self._rows("SELECT * FROM runs WHERE purpose = 'copy' ORDER BY id DESC LIMIT 1")
        return next(rows, None)

    def verification(self, since: float) -> sqlite3.Row | None:
        """The last verification, if it came after the run began."""
        return next(self._rows("SELECT * FROM verifications WHERE finished >= ? ORDER BY id DESC LIMIT 1", (since,)), None)

    def tags(self, run: int) -> t.Iterator[sqlite3.Row]:
        """What became of each tag in a run."""
        return self._rows("SELECT * FROM tags WHERE run = ? ORDER BY repository, tag", (run,))

    def _rows(self, statement: str, parameters: t.Sequence[t.Any] = ()) -> t.Iterator[sqlite3.Row]:
        try:
            yield from self._database.execute(statement, parameters)
        except sqlite3.Error as error:
            raise InvalidOption(f"is no ledger ({error}).", subject=f"ledgers: {self.path}", hint="Fetch it again.") from error

    def close(self) -> None:
        self._database.close()


def write_report(ledgers: t.Mapping[str, str], folder: str, not_run: t.Mapping[str, str] | None = None) -> Report:
    """Write `report.json` and `report.csv` into a folder, from the ledgers `{worker: path}`; files are replaced whole or not at all.

    `not_run`: workers whose part was not done, `{worker: reason}`; with one of them, nothing counts as verified.
    """
    report = Report(os.path.join(folder, "report.json"), os.path.join(folder, "report.csv"))
    try:
        os.makedirs(folder, exist_ok=True)
        with _replaced(report.csv_file) as csv_file:
            document = _collect(ledgers, not_run or {}, csv.DictWriter(csv_file, COLUMNS, extrasaction="ignore"), report)
        with _replaced(report.json_file) as json_file:
            json.dump(document, json_file, indent=2)
            json_file.write("\n")
    except OSError as error:
        raise StateError(
            f"the report cannot be written: {error.strerror}.", subject=folder, hint="Choose a folder that is writable."
        ) from error
    return report


@contextlib.contextmanager
def _replaced(path: str) -> t.Iterator[t.IO[str]]:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _collect(
    ledgers: t.Mapping[str, str], not_run: t.Mapping[str, str], table: csv.DictWriter[str], report: Report
) -> dict[str, t.Any]:
    repositories: dict[str, collections.Counter[str]] = {}
    sizes: collections.Counter[str] = collections.Counter()
    table.writeheader()
    for worker, path in ledgers.items():
        with contextlib.closing(_Source(worker, path)) as source:
            run = source.run()
            if run is None:
                report.workers.append(_not_run(worker, "its ledger knows of no run that copied."))
                continue
            report.workers.append(_worker(worker, run, source.verification(run["started"])))
            for row in source.tags(run["id"]):
                fields = {**dict(row), "worker": worker, "finished": _when(row["finished"])}
                table.writerow(fields)
                repositories.setdefault(row["repository"], collections.Counter())[row["state"]] += 1
                sizes[row["repository"]] += row["size"]
                report.counts[row["state"]] += 1
                if row["state"] in _FAILED:
                    report.failures.append({name: fields[name] for name in COLUMNS if fields[name] not in (None, "")})
    report.workers += [_not_run(worker, reason) for worker, reason in not_run.items()]
    report.repositories = len(repositories)
    verifications = [worker["verification"] for worker in report.workers]
    report.verified = bool(verifications) and all(one is not None and not one["different"] for one in verifications)
    return {
        "schema": SCHEMA,
        "written": _when(datetime.datetime.now(datetime.timezone.utc).timestamp()),
        "counts": dict(report.counts),
        "verified": report.verified,
        "workers": report.workers,
        "failures": report.failures,
        "repositories": [{"name": name, "size": sizes[name], "counts": dict(repositories[name])} for name in sorted(repositories)],
    }


def _not_run(worker: str, reason: str) -> dict[str, t.Any]:
    return {"worker": worker, "outcome": "not run", "message": reason, "verification": None}


def _worker(worker: str, run: sqlite3.Row, verification: sqlite3.Row | None) -> dict[str, t.Any]:
    found: dict[str, t.Any] | None = None
    if verification is not None:
        found = {
            "mode": verification["mode"],
            "checked": verification["checked"],
            "equal": verification["equal"],
            "different": verification["checked"] - verification["equal"],
            "finished": _when(verification["finished"]),
            **_loaded(verification["summary"]),
        }
    return {
        "worker": worker,
        "source": run["source"],
        "destination": run["destination"],
        "started": _when(run["started"]),
        "ended": _when(run["ended"]),
        "outcome": run["outcome"] or "interrupted",
        **_loaded(run["summary"]),
        "verification": found,
    }

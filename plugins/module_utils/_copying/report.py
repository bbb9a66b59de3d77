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
import shutil
import sqlite3
import tempfile
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._copying.report_page import Page, Run, TagData, write_page
from ansible_collections.registryops.migration.plugins.module_utils._copying.report_people import PeopleReport
from ansible_collections.registryops.migration.plugins.module_utils._copying.report_plot import Throughput
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
    html_file: str = ""
    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    repositories: int = 0
    verified: bool = False
    workers: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    failures: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    people: PeopleReport | None = None


def _when(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="seconds")


def _loaded(text: str | None) -> dict[str, t.Any]:
    try:
        loaded = json.loads(text or "{}")
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}


class _Source:
    """One worker's ledger, read only."""

    def __init__(self, worker: str, path: str) -> None:
        self.worker = worker
        self.path = path
        if not os.path.isfile(path):
            raise InvalidOption("there is no such file.", subject=f"ledgers: {path}", hint="Fetch the ledger of each worker first.")
        # a ledger that was closed is all in one file: without this, reading it would leave two more beside it
        closed = "" if os.path.exists(f"{path}-wal") else "&immutable=1"
        self._database = sqlite3.connect(f"file:{quote(path)}?mode=ro{closed}", uri=True)
        self._database.row_factory = sqlite3.Row

    def run(self) -> sqlite3.Row | None:
        """The last run that copied."""
        rows = self._rows("SELECT * FROM runs WHERE purpose = 'copy' ORDER BY id DESC LIMIT 1")
        return next(rows, None)

    def run_before(self, run: sqlite3.Row) -> sqlite3.Row | None:
        """The last run before another one that copied between the same stores and lived to write down what it did."""
        return next(
            self._rows(
                "SELECT * FROM runs WHERE purpose = 'copy' AND id < ? AND source = ? AND destination = ? AND summary IS NOT NULL"
                " ORDER BY id DESC LIMIT 1",
                (run["id"], run["source"], run["destination"]),
            ),
            None,
        )

    def last_finished(self, run: int) -> float | None:
        """When the last tag of a run was done."""
        row = next(self._rows("SELECT MAX(finished) AS last FROM tags WHERE run = ?", (run,)))
        return None if row["last"] is None else float(row["last"])

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


def write_report(
    ledgers: t.Mapping[str, str], folder: str, not_run: t.Mapping[str, str] | None = None, people: PeopleReport | None = None
) -> Report:
    """Write `report.json`, `report.csv` and `report.html` into a folder, from the ledgers `{worker: path}`.

    Each file is replaced whole or not at all. Tags go from the ledgers to the files one by one.
    `not_run`: workers whose part was not done, `{worker: reason}`; with one of them, nothing counts as verified.
    `people`: what is known of these; then nothing counts as verified before they are too.
    """
    report = Report(os.path.join(folder, "report.json"), os.path.join(folder, "report.csv"), os.path.join(folder, "report.html"))
    report.people = people
    try:
        os.makedirs(folder, exist_ok=True)
        with contextlib.ExitStack() as stack:
            sources = [stack.enter_context(contextlib.closing(_Source(worker, path))) for worker, path in ledgers.items()]
            # the page has its totals before its tags, so the tags wait here until everything is counted
            tags, converted = (stack.enter_context(tempfile.TemporaryFile("w+", dir=folder, encoding="utf-8")) for _each in range(2))
            with _replaced(report.csv_file) as csv_file:
                table = csv.DictWriter(csv_file, COLUMNS, extrasaction="ignore")
                document, page = _collect(sources, not_run or {}, table, TagData(tags), _Converted(converted), report)
            with _replaced(report.json_file) as json_file:
                _write_json(json_file, document, converted)
            with _replaced(report.html_file) as html_file:
                write_page(html_file, page, tags)
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


class _Converted:
    """Writes the tags whose images have other digests than at their source, one by one, as the items of a JSON array."""

    def __init__(self, file: t.IO[str]) -> None:
        self._file = file
        self._separator = ""

    def add(self, worker: str, row: sqlite3.Row) -> None:
        """Write a row of the ledger's table of tags, if it is one of these."""
        if row["state"] not in ("copied", "unchanged") or not row["source_digest"] or row["digest"] in ("", row["source_digest"]):
            return
        names = ("source_repository", "source_tag", "repository", "tag", "source_digest", "digest")
        self._file.write(f"{self._separator}\n    {json.dumps({'worker': worker, **{name: row[name] for name in names}})}")
        self._separator = ","


def _write_json(file: t.IO[str], document: t.Mapping[str, t.Any], converted: t.IO[str]) -> None:
    """Write `report.json`; `converted` is read from its file, for there may be as many as there are tags."""
    text = json.dumps(document, indent=2)
    file.write(f'{text[: text.rindex("}")].rstrip()},\n  "converted": [')
    is_empty = not converted.tell()
    converted.seek(0)
    shutil.copyfileobj(converted, file)
    file.write("]\n}\n" if is_empty else "\n  ]\n}\n")


def _collect(
    sources: t.Sequence[_Source],
    not_run: t.Mapping[str, str],
    table: csv.DictWriter[str],
    tags: TagData,
    converted: _Converted,
    report: Report,
) -> tuple[dict[str, t.Any], Page]:
    """Read the ledgers once, row by row; gives the document of `report.json` and the page."""
    repositories: dict[str, collections.Counter[str]] = {}
    sizes: collections.Counter[str] = collections.Counter()
    took_part: set[str] = set()
    last_runs = [(source, source.run()) for source in sources]
    runs = [_page_run(source, row) for source, row in last_runs]
    throughput = _throughput(runs)
    table.writeheader()
    for (source, run), page_run in zip(last_runs, runs):
        if run is None:
            report.workers.append(_not_run(source.worker, page_run.message))
            continue
        report.workers.append(_worker(source.worker, run, page_run.verification))
        for row in source.tags(run["id"]):
            fields = {**dict(row), "worker": source.worker, "finished": _when(row["finished"])}
            table.writerow(fields)
            tags.add(source.worker, row)
            converted.add(source.worker, row)
            throughput.add(row["state"], row["finished"], row["size"])
            page_run.counts[row["state"]] += 1
            page_run.image_bytes += row["size"]
            repositories.setdefault(row["repository"], collections.Counter())[row["state"]] += 1
            sizes[row["repository"]] += row["size"]
            took_part.add(row["source_repository"])
            if row["state"] in _FAILED:
                report.failures.append({name: fields[name] for name in COLUMNS if fields[name] not in (None, "")})
        report.counts.update(page_run.counts)
        # what a run did not come to is only in its summary
        not_attempted = int(page_run.figure("counts", "not_attempted") or 0)
        if not_attempted:
            report.counts["not_attempted"] += not_attempted
    tags.close()
    report.workers += [_not_run(worker, reason) for worker, reason in not_run.items()]
    runs += [Run(worker, message=reason) for worker, reason in not_run.items()]
    report.repositories = len(took_part)
    verifications = [worker["verification"] for worker in report.workers]
    report.verified = bool(verifications or report.people) and all(one is not None and not one["different"] for one in verifications)
    if report.people is not None:
        report.verified = report.verified and report.people.verified
    written = _when(datetime.datetime.now(datetime.timezone.utc).timestamp())
    document = {
        "schema": SCHEMA,
        "written": written,
        **({} if report.people is None else {"people": report.people.as_row()}),
        "counts": dict(report.counts),
        "verified": report.verified,
        "workers": report.workers,
        "failures": report.failures,
        "repositories": [{"name": name, "size": sizes[name], "counts": dict(repositories[name])} for name in sorted(repositories)],
    }
    return document, Page(written, runs, report.failures, len(repositories), len(took_part), report.verified, throughput, report.people)


def _page_run(source: _Source, run: sqlite3.Row | None) -> Run:
    """A worker's last run as the page wants it, without the figures that come from its tags."""
    if run is None:
        return Run(source.worker, message="its ledger knows of no run that copied.")
    before = source.run_before(run)
    return Run(
        source.worker,
        source=run["source"],
        destination=run["destination"],
        started=run["started"],
        ended=run["ended"],
        last_finished=source.last_finished(run["id"]),
        outcome=run["outcome"] or "interrupted",
        summary=_loaded(run["summary"]),
        verification=_verification(source.verification(run["started"])),
        before=None
        if before is None
        else Run(
            source.worker, started=before["started"], ended=before["ended"], outcome=before["outcome"], summary=_loaded(before["summary"])
        ),
    )


def _throughput(runs: t.Sequence[Run]) -> Throughput:
    begins = [run.started for run in runs if run.started is not None]
    ends = [run.last_finished for run in runs if run.last_finished is not None]
    return Throughput(min(begins, default=0.0), max(ends, default=0.0))


def _not_run(worker: str, reason: str) -> dict[str, t.Any]:
    return {"worker": worker, "outcome": "not run", "message": reason, "verification": None}


def _verification(row: sqlite3.Row | None) -> dict[str, t.Any] | None:
    if row is None:
        return None
    return {
        "mode": row["mode"],
        "checked": row["checked"],
        "equal": row["equal"],
        "different": row["checked"] - row["equal"],
        "finished": _when(row["finished"]),
        **_loaded(row["summary"]),
    }


def _worker(worker: str, run: sqlite3.Row, verification: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    return {
        "worker": worker,
        "source": run["source"],
        "destination": run["destination"],
        "started": _when(run["started"]),
        "ended": _when(run["ended"]),
        "outcome": run["outcome"] or "interrupted",
        **_loaded(run["summary"]),
        "verification": verification,
    }

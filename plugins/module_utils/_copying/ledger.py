# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The ledger: what has been copied, in SQLite, beside the run. The destination itself is the state; a lost ledger costs time only.

One row for each tag and each blob of a destination, written within a moment of when they are done. Reports, resumed runs and re-runs
read it. A folder belongs to one run at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import sqlite3
import threading
import time
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._copying.journal import in_use
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import MigrationError, StateError

SCHEMA = 1
LEDGER_FILE = "ledger.sqlite3"
_LOCK_FILE = "lock"
#: seconds for which it is believed that a host cannot do something
BELIEVED = 24 * 3600.0
#: finished tags are written together: so many, or those of so many seconds
GROUP_ROWS = 200
GROUP_SECONDS = 0.25
#: seconds after which a neighbour's ledger that could not be read is looked for again
_NEIGHBOUR_PAUSE = 0.5

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY, purpose TEXT NOT NULL, started REAL NOT NULL, ended REAL,
    source TEXT NOT NULL, destination TEXT NOT NULL, outcome TEXT, summary TEXT
);
CREATE TABLE IF NOT EXISTS tags (
    destination TEXT NOT NULL, repository TEXT NOT NULL, tag TEXT NOT NULL,
    source TEXT NOT NULL, source_repository TEXT NOT NULL, source_tag TEXT NOT NULL,
    source_digest TEXT, digest TEXT, media_type TEXT, form TEXT NOT NULL DEFAULT '', action TEXT NOT NULL, state TEXT NOT NULL,
    size INTEGER NOT NULL DEFAULT 0, kind TEXT, message TEXT, hint TEXT, run INTEGER NOT NULL, finished REAL NOT NULL,
    broken INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (destination, repository, tag)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_by_run ON tags (run, state);
CREATE TABLE IF NOT EXISTS blobs (
    destination TEXT NOT NULL, digest TEXT NOT NULL, repository TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (destination, digest)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (store TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (store, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hosts (host TEXT PRIMARY KEY, features TEXT NOT NULL, learned REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verifications (
    id INTEGER PRIMARY KEY, finished REAL NOT NULL, source TEXT NOT NULL, destination TEXT NOT NULL, mode TEXT NOT NULL,
    checked INTEGER NOT NULL, equal INTEGER NOT NULL, summary TEXT NOT NULL
);
"""

#: with as many marks as there are tags in place of the last one
_COPIED = (
    "SELECT tag, source_digest, digest, form, broken, media_type FROM tags"
    " WHERE destination = ? AND repository = ? AND source = ? AND state IN ('copied', 'unchanged') AND tag IN (?...)"
)
_HOLDER = "SELECT repository FROM blobs WHERE destination = ? AND digest = ?"
_COLUMNS = (
    *("destination", "repository", "tag", "source", "source_repository", "source_tag", "source_digest", "digest", "media_type"),
    *("form", "action", "state", "size", "kind", "message", "hint", "run", "finished"),
)
# the size of an image that was only looked at is known from when it was copied
_SIZE = "CASE WHEN excluded.size = 0 AND excluded.digest = tags.digest THEN tags.size ELSE excluded.size END"
_RECORD = (
    f"INSERT INTO tags ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - nothing but the names above
    " ON CONFLICT (destination, repository, tag) DO UPDATE SET broken = 0, "
    + ", ".join(f"{name} = {_SIZE if name == 'size' else f'excluded.{name}'}" for name in _COLUMNS[3:])
)
# in a run that several tasks make, what one of them has copied is there when the next comes to it, and counts as copied all the same
_RECORD_MORE = (
    f"{_RECORD} WHERE NOT (tags.run = excluded.run AND tags.state = 'copied' AND excluded.state = 'unchanged'"
    " AND tags.digest = excluded.digest)"
)


@dataclasses.dataclass(frozen=True)
class TagRow:
    """What became of one tag (or, with an empty tag's place taken by a digest, of one untagged manifest).

    `state`: copied, unchanged, kept, conflict or failed. `size`: bytes of the image, all its manifests and blobs.
    `existing`: the digest that the destination had before; for those who watch, it is not written down.
    """

    repository: str
    tag: str
    source_repository: str
    source_tag: str
    action: str
    state: str
    source_digest: str = ""
    digest: str = ""
    media_type: str = ""
    form: str = ""
    size: int = 0
    error: MigrationError | None = None
    existing: str = ""


@dataclasses.dataclass(frozen=True)
class Copied:
    """A tag as it was left: both digests, the form, whether a hole was found in it since, and what kind of manifest it is."""

    source_digest: str
    digest: str
    form: str
    broken: bool
    media_type: str = ""


class Ledger:
    """An open ledger. Threads share it; other processes that would write are kept out until it is closed.

    `read_only`: one that is there is only looked at, also while a run writes to it; nothing that is written down here may be called.
    `neighbours`: the folders of other workers' ledgers, which are asked for holders of blobs; they need not exist (yet).
    Raises StateError where it cannot be used.
    """

    def __init__(self, folder: str, neighbours: t.Sequence[str] = (), read_only: bool = False) -> None:
        self.folder = os.path.abspath(os.path.expanduser(folder))
        self.path = os.path.join(self.folder, LEDGER_FILE)
        self._lock = threading.Lock()
        self._run = 0
        #: the summary of the run that this one goes on with
        self._so_far: dict[str, t.Any] | None = None
        self._source = ""
        self._destination = ""
        self._knows_blobs = False
        #: what has been recorded and is not written yet, and when that was done last (monotonic)
        self._tags: list[tuple[t.Any, ...]] = []
        self._blobs: list[tuple[str, str, str, int]] = []
        #: {digest: repository} of those, which `holder` cannot find on the disk yet
        self._pending: dict[str, str] = {}
        self._written = 0.0
        self._timer: threading.Timer | None = None
        self._closed = False
        self._neighbours = [_Neighbour(os.path.join(os.path.expanduser(one), LEDGER_FILE)) for one in neighbours]
        self._lock_file = None if read_only else self._take_lock()
        # SQLite makes files of its own beside a ledger, for whoever reads as well: those that were not there are removed in the end
        self._leaves_files = read_only and not os.path.exists(f"{self.path}-wal")
        try:
            self._database = self._open_to_read() if read_only else self._open()
        except BaseException:
            if self._lock_file is not None:
                self._lock_file.close()
            raise

    def _take_lock(self) -> t.IO[str]:
        hint = "Choose another state_dir, or mend its permissions."
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            lock_file = open(os.path.join(self.folder, _LOCK_FILE), "a")  # noqa: SIM115 - held until close()
        except OSError as error:
            raise StateError(f"the state folder cannot be used: {error.strerror}.", subject=self.folder, hint=hint) from error
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock_file.close()
            raise in_use(self.folder) from error
        return lock_file

    def _open(self) -> sqlite3.Connection:
        try:
            database = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            try:
                self._check_schema(database)
                database.execute("PRAGMA journal_mode = WAL")
                # a crash of the machine may lose the last tags: they are then found at the destination
                database.execute("PRAGMA synchronous = NORMAL")
                database.executescript(_TABLES)
                database.execute(f"PRAGMA user_version = {SCHEMA}")
            except BaseException:
                database.close()
                raise
            return database
        except sqlite3.Error as error:
            raise StateError(
                f"the ledger cannot be used: {error}.",
                subject=self.path,
                hint="Look at free space and permissions; if the file is broken, remove it: the next run only takes longer.",
            ) from error

    def _open_to_read(self) -> sqlite3.Connection:
        try:
            database = sqlite3.connect(f"file:{quote(self.path)}?mode=ro", uri=True, check_same_thread=False, isolation_level=None)
            try:
                self._check_schema(database)
                # a run that has just begun may not have made them yet
                database.execute("SELECT 1 FROM tags, blobs, hosts LIMIT 0")
            except BaseException:
                database.close()
                raise
            return database
        except sqlite3.Error as error:
            raise StateError(
                f"the ledger cannot be read: {error}.", subject=self.path, hint="Look at its permissions; if it is broken, remove it."
            ) from error

    def _check_schema(self, database: sqlite3.Connection) -> None:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise StateError(
                f"the ledger was written by a newer version (schema {version}).",
                subject=self.path,
                hint="Use that version, or another state_dir.",
            )

    @contextlib.contextmanager
    def _transaction(self) -> t.Iterator[sqlite3.Connection]:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._lock)
            self._write()
            yield stack.enter_context(self._committed())

    @contextlib.contextmanager
    def _committed(self) -> t.Iterator[sqlite3.Connection]:
        """A transaction. The lock is held."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise StateError(
                f"the ledger cannot be written: {error}.", subject=self.path, hint="Look at free space and permissions, and run again."
            ) from error

    def _query(self, statement: str, parameters: t.Sequence[t.Any] = ()) -> list[t.Any]:
        with self._lock:
            try:
                return self._database.execute(statement, parameters).fetchall()
            except sqlite3.Error as error:
                raise StateError(
                    f"the ledger cannot be read: {error}.", subject=self.path, hint="Remove it: the next run only takes longer."
                ) from error

    # -- runs
    def look(self, source: str, destination: str) -> None:
        """Say which two stores, named as they name themselves, are meant by all that follows, without beginning a run."""
        self._source, self._destination = source, destination

    def start(self, source: str, destination: str, purpose: str = "copy", *, go_on: bool = False) -> int:
        """Begin a run between two stores; returns its number. `purpose`: copy or verify.

        `go_on`: with the last run that copied between them, if there is one, instead of a new one.
        """
        self.look(source, destination)
        with self._transaction() as database:
            last = (
                database.execute(
                    "SELECT id, summary FROM runs WHERE purpose = ? AND source = ? AND destination = ? ORDER BY id DESC LIMIT 1",
                    (purpose, source, destination),
                ).fetchone()
                if go_on
                else None
            )
            if last is not None:
                self._run = int(last[0])
                self._so_far = json.loads(last[1] or "{}")
            else:
                cursor = database.execute(
                    "INSERT INTO runs (purpose, started, source, destination) VALUES (?, ?, ?, ?)",
                    (purpose, time.time(), source, destination),
                )
                self._run = cursor.lastrowid or 0
        self._knows_blobs = bool(self._query("SELECT 1 FROM blobs WHERE destination = ? LIMIT 1", (destination,)))
        return self._run

    def finish(self, outcome: str, summary: t.Mapping[str, t.Any]) -> None:
        """End the run: `outcome` is ok, failed or aborted, `summary` the counts, to which those come that it had before it went on."""
        with self._transaction() as database:
            if self._so_far is not None:
                rows = database.execute("SELECT state, COUNT(*) FROM tags WHERE run = ? GROUP BY state", (self._run,))
                counts = {**dict(rows.fetchall()), "not_attempted": summary["counts"].get("not_attempted", 0)}
                repositories = database.execute("SELECT COUNT(DISTINCT source_repository) FROM tags WHERE run = ?", (self._run,))
                summary = {**_added(self._so_far, summary), "counts": counts, "repositories": repositories.fetchone()[0]}
                if outcome == "ok" and (counts.get("failed") or counts.get("conflict")):
                    outcome = "failed"
            database.execute(
                "UPDATE runs SET ended = ?, outcome = ?, summary = ? WHERE id = ?",
                (time.time(), outcome, json.dumps(summary), self._run),
            )

    def make_up(self, repositories: t.Iterable[str]) -> None:
        """Forget that, earlier in this run, repositories of the source could not be listed: they have been by now."""
        with self._transaction() as database:
            database.executemany(
                "DELETE FROM tags WHERE run = ? AND action = 'plan' AND source_repository = ?",
                [(self._run, repository) for repository in repositories],
            )

    def record(self, rows: t.Iterable[TagRow], blobs: t.Iterable[tuple[str, str, int]] = ()) -> None:
        """Write down tags that are finished, with the blobs (digest, repository, size) that they brought.

        They are on the disk within GROUP_SECONDS, or when the ledger is closed: a transaction for each tag would cost more
        than the rest of what is done for it here. What a crash takes along is found at the destination.
        """
        now = time.time()
        with self._lock:
            self._tags += [self._values(row, now) for row in rows]
            for digest, repository, size in blobs:
                self._blobs.append((self._destination, digest, repository, size))
                self._pending[digest] = repository
            if len(self._tags) >= GROUP_ROWS or time.monotonic() - self._written >= GROUP_SECONDS:
                self._write()
            elif self._timer is None:
                # nothing more may come for hours
                self._timer = threading.Timer(GROUP_SECONDS, self._write_what_waits)
                self._timer.daemon = True
                self._timer.start()

    def _write_what_waits(self) -> None:
        with self._lock:
            self._timer = None
            if self._closed:
                return
            # a problem is told to whoever writes next
            with contextlib.suppress(StateError):
                self._write()

    def _write(self) -> None:
        """Write what has been recorded. The lock is held."""
        self._written = time.monotonic()
        if not self._tags and not self._blobs:
            return
        tags, self._tags = self._tags, []
        blobs, self._blobs = self._blobs, []
        self._pending.clear()
        try:
            with self._committed() as database:
                database.executemany(_RECORD if self._so_far is None else _RECORD_MORE, tags)
                database.executemany("INSERT OR IGNORE INTO blobs (destination, digest, repository, size) VALUES (?, ?, ?, ?)", blobs)
        except StateError:
            # for the next attempt: there may be room again
            self._tags[:0], self._blobs[:0] = tags, blobs
            raise

    def _values(self, row: TagRow, now: float) -> tuple[t.Any, ...]:
        error = row.error
        return (
            self._destination,
            row.repository,
            row.tag,
            self._source,
            row.source_repository,
            row.source_tag,
            row.source_digest,
            row.digest,
            row.media_type,
            row.form,
            row.action,
            row.state,
            row.size,
            error.kind if error else None,
            str(error.message) if error else None,
            error.hint if error else None,
            self._run,
            now,
        )

    # -- what is known
    def look_up_blobs(self) -> None:
        """Have `holder` find the blobs of this run as well; without it, a run that began with an empty ledger is not asked for each."""
        self._knows_blobs = True

    def holder(self, digest: str) -> str:
        """A repository of the destination that had the blob when this run began, or has got it from a neighbour; empty if none is known."""
        if self._knows_blobs:
            with self._lock:
                pending = self._pending.get(digest, "")
            if pending:
                return pending
            rows = self._query(_HOLDER, (self._destination, digest))
            if rows:
                return str(rows[0][0])
        for neighbour in self._neighbours:
            found = neighbour.holder(self._destination, digest)
            if found:
                return found
        return ""

    def moved(self, digest: str, repository: str) -> None:
        """The holder that was known no longer has the blob; another repository has."""
        with self._transaction() as database:
            database.execute(
                "UPDATE blobs SET repository = ? WHERE destination = ? AND digest = ?", (repository, self._destination, digest)
            )

    def copied(self, repository: str, tags: t.Sequence[str]) -> dict[str, Copied]:
        """What is known of tags from when they were last copied from this source or found unchanged; nothing for the others.

        Several at once, for a question costs more than its answer: at most a few hundred.
        """
        with self._lock:
            self._write()
        statement = _COPIED.replace("?...", ", ".join("?" * len(tags)))
        rows = self._query(statement, (self._destination, repository, self._source, *tags))
        return {
            tag: Copied(str(source_digest), str(digest), str(form), bool(broken), str(media_type or ""))
            for tag, source_digest, digest, form, broken, media_type in rows
        }

    def distrust(self, tags: t.Iterable[tuple[str, str]]) -> None:
        """Remember that a hole was found in tags `(repository, tag)`, so that the next run copies them again."""
        with self._transaction() as database:
            database.executemany(
                "UPDATE tags SET broken = 1 WHERE destination = ? AND repository = ? AND tag = ?",
                [(self._destination, repository, tag) for repository, tag in tags],
            )

    def features(self, host: str, doubting: bool = False) -> dict[str, t.Any]:
        """What earlier runs have learnt about a host.

        That it cannot do something is believed for a day, since registries get updates; not at all by one who is `doubting`.
        """
        known, learned = self._features(host)
        # what was learnt in the future was learnt by a clock that was wrong
        if doubting or not 0 <= time.time() - learned <= BELIEVED:
            return {name: value for name, value in known.items() if value is not False}
        return known

    def _features(self, host: str) -> tuple[dict[str, t.Any], float]:
        rows = self._query("SELECT features, learned FROM hosts WHERE host = ?", (host,))
        if not rows:
            return {}, 0.0
        try:
            known = json.loads(rows[0][0])
        except ValueError:
            return {}, 0.0
        return (known if isinstance(known, dict) else {}), float(rows[0][1])

    def learn(self, host: str, features: t.Mapping[str, t.Any]) -> None:
        """Remember what a host can do, beside what is known already, which does not become younger by being repeated."""
        known, learned = self._features(host)
        now = time.time()
        features = {**self.features(host), **features}
        repeated = _negatives(known) == _negatives(features) and 0 <= now - learned <= BELIEVED
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO hosts (host, features, learned) VALUES (?, ?, ?)",
                (host, json.dumps(features), learned if repeated else now),
            )

    def notes(self, store: str) -> LedgerNotes:
        """What a store, by its name, has noted and notes from now on; a ledger that is only read keeps what is new for this run alone."""
        return LedgerNotes(self, store)

    def read_note(self, store: str, key: str) -> str:
        """A note as it was written; empty where there is none."""
        if self._lock_file is None and not self._query("SELECT 1 FROM sqlite_master WHERE name = 'notes'"):
            # an older version has written this ledger
            return ""
        rows = self._query("SELECT value FROM notes WHERE store = ? AND key = ?", (store, key))
        return str(rows[0][0]) if rows else ""

    def write_note(self, store: str, key: str, value: str) -> bool:
        """Write a note down; False where the ledger is only read."""
        if self._lock_file is None:
            return False
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO notes (store, key, value) VALUES (?, ?, ?)", (store, key, value))
        return True

    def verified(self, source: str, destination: str, mode: str, checked: int, equal: int, summary: t.Mapping[str, t.Any]) -> None:
        """Write down what a verification found."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO verifications (finished, source, destination, mode, checked, equal, summary) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (time.time(), source, destination, mode, checked, equal, json.dumps(summary)),
            )

    def close(self) -> None:
        """Leave one complete file behind, and let other processes in."""
        with self._lock, contextlib.suppress(sqlite3.Error, StateError):
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            if self._lock_file is not None:
                self._write()
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._database.close()
            if self._leaves_files:
                # the last connection that may write takes them along, if nobody else has the ledger open
                with contextlib.closing(sqlite3.connect(self.path)) as last:
                    last.execute("PRAGMA user_version").fetchone()
        for neighbour in self._neighbours:
            neighbour.close()
        if self._lock_file is not None:
            self._lock_file.close()


class LedgerNotes:
    """The notes of one store in a ledger."""

    def __init__(self, ledger: Ledger, store: str) -> None:
        self._ledger = ledger
        self._store = store
        self._unwritten: dict[str, str] = {}

    def get(self, key: str) -> dict[str, t.Any] | None:
        """What was noted under a key; None where nothing was, or nothing that can be read."""
        text = self._unwritten.get(key) or self._ledger.read_note(self._store, key)
        try:
            value = json.loads(text) if text else None
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def put(self, key: str, value: t.Mapping[str, t.Any]) -> None:
        """Note something that JSON can hold."""
        text = json.dumps(value, sort_keys=True)
        if not self._ledger.write_note(self._store, key, text):
            self._unwritten[key] = text


def _added(before: t.Mapping[str, t.Any], more: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The numbers of two summaries, at any depth, as sums."""
    sums = dict(before)
    for name, value in more.items():
        known = sums.get(name)
        if isinstance(value, t.Mapping):
            sums[name] = _added(known if isinstance(known, t.Mapping) else {}, value)
        else:
            sums[name] = value + known if isinstance(known, (int, float)) else value
    return sums


def look_at_ledger(folder: str) -> tuple[Ledger | None, str]:
    """The ledger of a folder for reading, or None, and why it could not be looked at if there is one."""
    if not os.path.exists(os.path.join(os.path.expanduser(folder), LEDGER_FILE)):
        return None, ""
    try:
        return Ledger(folder, read_only=True), ""
    except StateError as error:
        return None, f"The ledger of earlier runs is not looked at. {error}"


class _Neighbour:
    """Another worker's ledger on the same machine, read while that worker writes it. What it cannot tell is no harm."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._next_try = 0.0

    def holder(self, destination: str, digest: str) -> str:
        """A repository that has the blob; empty if none is known."""
        with self._lock:
            try:
                database = self._database or self._open()
                rows = database.execute(_HOLDER, (destination, digest)).fetchall() if database else []
            except sqlite3.Error:
                # it may be about to be made, or be of another version: it is tried again later
                self.close()
                return ""
        return str(rows[0][0]) if rows else ""

    def _open(self) -> sqlite3.Connection | None:
        now = time.monotonic()
        if now < self._next_try:
            return None
        self._next_try = now + _NEIGHBOUR_PAUSE
        if not os.path.exists(self._path):
            return None
        self._database = sqlite3.connect(f"file:{quote(self._path)}?mode=ro", uri=True, check_same_thread=False, isolation_level=None)
        return self._database

    def close(self) -> None:
        """Let go of it."""
        database, self._database = self._database, None
        if database is not None:
            database.close()


def _negatives(features: t.Mapping[str, t.Any]) -> set[str]:
    return {name for name, value in features.items() if value is False}

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database of an MSR: npm's reqlite, which speaks RethinkDB's protocol, with the product's tables and primary keys.

Both ways lead to it: the double's own API (through `Store`) and whatever writes rows with ReQL. `Store.problems` tells of rows that the
product itself could never have written.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import shutil
import sys
import threading
import time
import typing as t
import warnings
from pathlib import Path

from estate import ports
from estate.process import ProcessFailed, ServerProcess

_ATTEMPTS = 5
_HERE = Path(__file__).resolve().parent
#: idle connections that are kept
_IDLE = 8

Row = dict[str, t.Any]


class Table(t.NamedTuple):
    """A table. `parts`: the fields whose values, one after the other, are what the primary key is the SHA-256 of; none where it is a
    field like others. `moments`: fields that hold a moment, never a text. `refers`: fields that hold the id of a row elsewhere.
    """

    key: str
    parts: tuple[str, ...] = ()
    moments: tuple[str, ...] = ()
    refers: t.Mapping[str, str] = {}


#: the tables with their keys; what a field refers to is `database.table.field`, `enzi` being the one that holds the accounts
TABLES: t.Mapping[str, t.Mapping[str, Table]] = {
    "enzi": {
        "accounts": Table("name"),
        "org_membership": Table("pk", ("orgID", "userID"), refers={"orgID": "enzi.accounts.id", "userID": "enzi.accounts.id"}),
        "teams": Table("pk", ("orgID", "name"), refers={"orgID": "enzi.accounts.id"}),
        "team_membership": Table(
            "pk",
            ("teamID", "userID"),
            refers={"teamID": "enzi.teams.id", "orgID": "enzi.accounts.id", "userID": "enzi.accounts.id"},
        ),
        "properties": Table("key"),
        "sessions": Table("id"),
    },
    "dtr2": {
        "repositories": Table("pk", ("namespaceAccountID", "name"), refers={"namespaceAccountID": "enzi.accounts.id"}),
        "namespace_team_access": Table(
            "pk", ("namespaceID", "teamID"), refers={"namespaceID": "enzi.accounts.id", "teamID": "enzi.teams.id"}
        ),
        "repository_team_access": Table(
            "pk", ("repositoryID", "teamID"), refers={"repositoryID": "dtr2.repositories.id", "teamID": "enzi.teams.id"}
        ),
        "client_tokens": Table("token", moments=("createdAt", "lastUsed"), refers={"accountID": "enzi.accounts.id"}),
        "tags": Table("pk", moments=("createdAt", "updatedAt")),
        "manifests": Table("pk", moments=("createdAt",)),
        "webhooks": Table("id", moments=("createdAt", "lastSuccessfulAt")),
        "promotion_policies": Table("id"),
        "pruning_policies": Table("id", moments=("lastPrunedAt",)),
        "push_mirroring_policies": Table("id"),
        "poll_mirroring_policies": Table("id"),
        "user_settings": Table("id"),
        "content_caches": Table("id"),
        "events": Table("id"),
        "crons": Table("id"),
        "properties": Table("key"),
    },
}


class NotAvailable(RuntimeError):
    """There can be no store on this machine; the message is one sentence that says why."""


class RowRefused(RuntimeError):
    """The database did not write a row; the message is its own word for it."""


@functools.lru_cache(maxsize=1)
def node_modules() -> Path:
    """Where `make setup` has put what runs on node; NotAvailable where it has not."""
    if not shutil.which("node"):
        raise NotAvailable("node is not installed: apt-get install nodejs npm")
    folder = Path(sys.prefix).parent / "node"
    if not (folder / "complete").exists():
        raise NotAvailable(f"{folder} does not have reqlite: make setup says why")
    return folder / "node_modules"


def key_of(*parts: str) -> str:
    """The primary key of a row that belongs to others: the SHA-256 of their ids and names, with nothing in between."""
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def primary_key(database: str, table: str, row: t.Mapping[str, t.Any]) -> str:
    """The primary key that a row has to have."""
    known = TABLES[database][table]
    return key_of(*(str(row[part]) for part in known.parts)) if known.parts else str(row[known.key])


class Store:
    """A database with empty tables. It answers when the constructor returns, until `stop`; threads share it.

    `databases`: those it has, `enzi` (accounts) and `dtr2` (the registry).
    """

    def __init__(self, folder: Path, databases: t.Sequence[str] = ("enzi", "dtr2")) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.databases = tuple(databases)
        self._idle: list[t.Any] = []
        self._lock = threading.Lock()
        self._copies: dict[tuple[str, str], tuple[int, list[Row]]] = {}
        self._r = _driver()
        self._journal = folder / "journal"
        self._process = self._start()
        self.port = self._process.port
        self._create()

    def _start(self) -> ServerProcess:
        for attempt in range(_ATTEMPTS):
            port = ports.free_port()
            command = ["node", "--no-deprecation", str(_HERE / "reqlite.js"), str(node_modules()), str(port), str(self._journal)]
            try:
                return ServerProcess(command, port=port, log_path=self.folder / "reqlite.log")
            except ProcessFailed as failure:
                if "EADDRINUSE" not in str(failure) or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop above returns or raises")

    def _create(self) -> None:
        r = self._r
        self.run(r.db_create("estate"))
        self.run(r.db("estate").table_create("changes"))
        for database in self.databases:
            self.run(r.db_create(database))
            for name, table in TABLES[database].items():
                self.run(r.db(database).table_create(name, primary_key=table.key))

    @functools.cached_property
    def journal_port(self) -> int:
        """Where it says which rows have changed since when, a line for each line."""
        deadline = time.monotonic() + 20
        while not self._journal.exists():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the journal does not start:\n{self.log()}")
            time.sleep(0.02)
        return int(self._journal.read_text())

    # -- queries
    def run(self, query: t.Any) -> t.Any:
        """The answer to any query of the official driver; moments are datetimes. A cursor comes as a list."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        connection = connection or self.connect()
        try:
            answer = query.run(connection)
            if hasattr(answer, "next"):
                answer = list(answer)
        except BaseException:
            connection.close(noreply_wait=False)
            raise
        with self._lock:
            if len(self._idle) < _IDLE:
                self._idle.append(connection)
                return answer
        connection.close(noreply_wait=False)
        return answer

    def connect(self) -> t.Any:
        """A connection of one's own, of the official driver."""
        return self._r.connect(ports.LOOPBACK, self.port, timeout=20)

    def table(self, database: str, table: str) -> t.Any:
        """A table as the beginning of a query."""
        return self._r.db(database).table(table)

    # -- rows
    def rows(self, database: str, table: str, **wanted: t.Any) -> list[Row]:
        """Rows whose fields have these values (all without any), ordered by their keys; one's own to change. They are read again only if
        the table has changed: many small questions are cheap."""
        name = (database, table)
        counted = self.run(self._r.db("estate").table("changes").get(".".join(name)))
        changes = int(counted["changes"]) if counted else 0
        with self._lock:
            kept = self._copies.get(name)
        if kept is None or kept[0] != changes:
            # the number is older than the rows, or as old: never newer
            key = TABLES[database][table].key
            rows = sorted(self.run(self.table(*name)), key=lambda row: str(row[key]))
            kept = (changes, rows)
            with self._lock:
                self._copies[name] = kept
        found = [row for row in kept[1] if all(row.get(field) == value for field, value in wanted.items())]
        return copy.deepcopy(found)

    def get(self, database: str, table: str, key: str) -> Row | None:
        """A row by its primary key."""
        row: Row | None = self.run(self.table(database, table).get(key))
        return row

    def insert(self, database: str, table: str, *rows: Row, replace: bool = False) -> None:
        """Add rows, with the primary keys that they have to have; RowRefused where one is there, unless it is to be replaced."""
        key = TABLES[database][table].key
        whole = [{**row, key: primary_key(database, table, row)} for row in rows]
        for start in range(0, len(whole), 500):
            query = self.table(database, table).insert(whole[start : start + 500], conflict="replace" if replace else "error")
            self._written(self.run(query))

    def update(self, database: str, table: str, key: str, **fields: t.Any) -> None:
        """Change fields of a row; RowRefused where there is none."""
        answer = self.run(self.table(database, table).get(key).update(fields))
        if answer.get("skipped"):
            raise RowRefused(f"{database}.{table} has no row {key}")
        self._written(answer)

    def delete(self, database: str, table: str, *keys: str) -> int:
        """Delete rows by their primary keys; how many there were."""
        return sum(self._written(self.run(self.table(database, table).get(key).delete()))["deleted"] for key in keys)

    def clear(self) -> None:
        """Empty all tables."""
        for database in self.databases:
            for name in TABLES[database]:
                self._written(self.run(self.table(database, name).delete()))

    @staticmethod
    def _written(answer: Row) -> Row:
        if answer.get("errors"):
            raise RowRefused(str(answer.get("first_error", "the database does not say why")).partition(":")[0])
        return answer

    # -- proof
    def problems(self, accounts: Store | None = None) -> list[str]:
        """What the product itself could never have written, a sentence each: wrong primary keys, ids that lead nowhere, moments that are
        texts. `accounts`: the store with the accounts, where this one has none.
        """
        found = []
        for database in self.databases:
            for name, table in TABLES[database].items():
                ids = {field: (accounts or self)._ids(where) for field, where in table.refers.items() if where.startswith("enzi.")}
                ids.update({field: self._ids(where) for field, where in table.refers.items() if not where.startswith("enzi.")})
                for row in self.rows(database, name):
                    found += [f"{database}.{name} {row[table.key]}: {text}" for text in _problems(database, name, row, ids)]
        return found

    def _ids(self, where: str) -> set[str]:
        database, table, field = where.split(".")
        return {row[field] for row in self.rows(database, table)} if database in self.databases else set()

    def log(self) -> str:
        """What the server has written so far."""
        return self._process.log()

    def stop(self) -> None:
        """End it; what it holds is gone. Stopping twice is fine."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            with contextlib.suppress(Exception):
                connection.close(noreply_wait=False)
        self._process.stop()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def _problems(database: str, name: str, row: Row, ids: t.Mapping[str, set[str]]) -> t.Iterator[str]:
    table = TABLES[database][name]
    missing = [part for part in table.parts if part not in row]
    if missing:
        yield f"has no {', '.join(missing)}"
    elif row[table.key] != primary_key(database, name, row):
        yield f"is not the SHA-256 of {' and '.join(table.parts)}"
    for field, known in ids.items():
        if field in row and row[field] not in known:
            yield f"{field} {row[field]} leads nowhere"
    for field in table.moments:
        if isinstance(row.get(field), str):
            yield f"{field} is a text instead of a moment"


def _driver() -> t.Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from rethinkdb import r
    except ImportError:
        raise NotAvailable("the library rethinkdb is not installed: pip install rethinkdb") from None
    return r

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of stores in memory, never behind what anybody has written to them: before each look a store says what has changed."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import typing as t

from estate.msr.rows import INDEXES, Place, Row, key_field
from estate.msr.store import Store, primary_key
from estate.ports import LOOPBACK


class Duplicate(Exception):
    """A row with this primary key is there."""


class Tables:
    """Reads are from memory, writes go to the stores. Threads share one object: what belongs together is done within `moment`."""

    def __init__(self, *stores: Store) -> None:
        """`stores`: each with other databases."""
        self._lock = threading.RLock()
        self._followers = [_Follower(store) for store in stores]
        self._stores = {database: store for store in stores for database in store.databases}
        self._rows: dict[Place, dict[str, Row]] = {}
        self._indexes: dict[tuple[Place, str], dict[t.Any, dict[str, Row]]] = {}

    def close(self) -> None:
        """Let go of the stores."""
        for follower in self._followers:
            follower.close()

    # -- reading
    @contextlib.contextmanager
    def moment(self) -> t.Iterator[None]:
        """The tables as they are now; nobody else who uses this object writes meanwhile."""
        with self._lock:
            self._follow()
            yield

    def get(self, place: Place, key: str) -> Row | None:
        """A row by its primary key."""
        return self._rows.get(place, {}).get(key)

    def all(self, place: Place) -> list[Row]:
        """All rows of a table, in no order."""
        return list(self._rows.get(place, {}).values())

    def by(self, place: Place, field: str, value: t.Any) -> list[Row]:
        """The rows of a table that have a value in a field with an index."""
        if field not in INDEXES[place]:
            raise KeyError(f"{'.'.join(place)} has no index of {field}")
        return list(self._indexes.get((place, field), {}).get(value, {}).values())

    def one(self, place: Place, field: str, value: t.Any) -> Row | None:
        """The first of them; None without any."""
        return next(iter(self.by(place, field, value)), None)

    # -- writing
    def insert(self, place: Place, *rows: Row, replace: bool = False) -> None:
        """Add rows, with the primary keys that they have to have; raises Duplicate, after which those are there whose keys were free."""
        with self._lock:
            keyed = [{**row, key_field(place): primary_key(*place, row)} for row in rows]
            self._insert(place, keyed, replace)

    def insert_as_is(self, place: Place, *rows: Row) -> None:
        """Add rows that the product would never have made so."""
        with self._lock:
            self._insert(place, rows, False)

    def _insert(self, place: Place, rows: t.Sequence[Row], replace: bool) -> None:
        store = self._stores[place[0]]
        failure = ""
        for start in range(0, len(rows), 500):
            query = store.table(*place).insert(list(rows[start : start + 500]), conflict="replace" if replace else "error")
            failure = store.run(query).get("first_error") or failure
        self._follow()
        if failure:
            raise Duplicate(failure.partition(":")[0])

    def update(self, place: Place, key: str, **fields: t.Any) -> None:
        """Change fields of a row; one that is an object is changed field by field."""
        with self._lock:
            store = self._stores[place[0]]
            store.run(store.table(*place).get(key).update(fields))
            self._follow()

    def delete(self, place: Place, *keys: str) -> None:
        """Delete rows; one that is not there is none."""
        with self._lock:
            store = self._stores[place[0]]
            for key in keys:
                store.run(store.table(*place).get(key).delete())
            self._follow()

    # -- how it is done
    def _follow(self) -> None:
        for follower in self._followers:
            for database, table, key, row in follower.changes():
                self._take((database, table), key, row)

    def _take(self, place: Place, key: str, row: Row | None) -> None:
        rows = self._rows.setdefault(place, {})
        before = rows.pop(key, None)
        for field in INDEXES.get(place, ()):
            index = self._indexes.setdefault((place, field), {})
            if before is not None and field in before:
                index[before[field]].pop(key, None)
            if row is not None and field in row:
                index.setdefault(row[field], {})[key] = row
        if row is not None:
            rows[key] = row


class _Follower:
    """What has changed in one store since it was last asked."""

    def __init__(self, store: Store) -> None:
        self._databases = set(store.databases)
        self._socket = socket.create_connection((LOOPBACK, store.journal_port))
        self._journal = self._socket.makefile("rwb")
        self._at = 0

    def changes(self) -> list[tuple[str, str, str, Row | None]]:
        self._journal.write(b"%d\n" % self._at)
        self._journal.flush()
        line = self._journal.readline()
        if not line:
            raise ConnectionError("the store has gone")
        document = json.loads(line)
        self._at = document["at"]
        return [row for row in document["rows"] if row[0] in self._databases]

    def close(self) -> None:
        self._journal.close()
        self._socket.close()

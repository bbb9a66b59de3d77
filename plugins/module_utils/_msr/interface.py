# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The database of an MSR, for what its API does not give: rows as they are, whichever way leads to it."""

from __future__ import annotations

import abc
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import backoff

_ATTEMPTS = 3
Answer = t.TypeVar("Answer")

#: a row; a moment is `{"$reql_type$": "TIME", "epoch_time": <seconds>, "timezone": "+00:00"}`, on its way in and out
Row = dict[str, t.Any]


class Database(abc.ABC):
    """Tables of RethinkDB. Threads share one object; all methods raise MigrationErrors, whose messages never hold a row."""

    #: what messages call it
    name: str

    @abc.abstractmethod
    def rows(self, database: str, table: str, fields: t.Sequence[str] = ()) -> list[Row]:
        """All rows of a table, with these fields only (all without any)."""

    @abc.abstractmethod
    def insert(self, database: str, table: str, rows: t.Sequence[Row]) -> None:
        """Add rows; one whose primary key is there already is an error, after which the others are there."""

    @abc.abstractmethod
    def update(self, database: str, table: str, changes: t.Mapping[str, Row]) -> None:
        """Change fields of rows, by their primary keys; a row that is not there is an error."""

    @abc.abstractmethod
    def delete(self, database: str, table: str, keys: t.Sequence[str]) -> None:
        """Delete rows by their primary keys; one that is not there is none."""

    def close(self) -> None:  # noqa: B027 - not every way holds something
        """Give everything back."""


def ask_again(ask: t.Callable[[], Answer], repeatable: bool) -> Answer:
    """The answer to a statement, which is asked for again after what may pass. One that is not `repeatable` is asked for once: rows that
    were to be added may be there although nobody said so.
    """
    failures = 0
    while True:
        try:
            return ask()
        except MigrationError as error:
            failures += 1
            if not error.transient or not repeatable or failures >= _ATTEMPTS:
                raise
        time.sleep(backoff(failures))

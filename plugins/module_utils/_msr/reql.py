# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""ReQL for the product's own command lines, which take an expression of JavaScript and print its value as JSON.

Values get into an expression as JSON and in no other way. Rows are read as texts that the database makes of them, since a command line
prints a moment as a text like any other; so a moment stays one. RethinkDB's documentation: https://rethinkdb.com/api/javascript/.
"""

from __future__ import annotations

import abc
import json
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._msr.interface import Database, Row, ask_again
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    DatabaseFailed,
    InvalidAnswer,
    MigrationError,
)

#: bytes of a statement. Linux takes 131,072 in one argument of a command; some are left for what stands around it
STATEMENT_BYTES = 100_000
#: of a single row's statement, which cannot be cut
ARGUMENT_BYTES = 131_071
#: rows that are read with one statement
PAGE = 5_000
#: the primary keys of the tables that are read; `id` is RethinkDB's own choice
PRIMARY_KEYS: t.Mapping[tuple[str, str], str] = {
    ("enzi", "accounts"): "name",
    ("enzi", "org_membership"): "pk",
    ("enzi", "teams"): "pk",
    ("enzi", "team_membership"): "pk",
    ("enzi", "properties"): "key",
    ("dtr2", "repositories"): "pk",
    ("dtr2", "namespace_team_access"): "pk",
    ("dtr2", "repository_team_access"): "pk",
    ("dtr2", "client_tokens"): "token",
    ("dtr2", "tags"): "pk",
    ("dtr2", "manifests"): "pk",
    ("dtr2", "properties"): "key",
}
#: what an error of the database or of JavaScript begins with; its text ends where the statement, which may hold secrets, is repeated
_AN_ERROR = re.compile(r"\b(?:Reql\w*|Rql\w*|Type|Syntax|Reference|Range)?Error:\s*([^\n]*)")
_END_OF_REASON = re.compile(r"\s+in:|:?\s*[{\[]|:\s*$")


def literal(value: t.Any) -> str:
    """A value as an expression of JavaScript: JSON in ASCII, so that it is the same to every interpreter and shell."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def table_of(database: str, table: str) -> str:
    """A table as the beginning of an expression."""
    return f"r.db({literal(database)}).table({literal(table)})"


def page_statement(database: str, table: str, after: str | None, fields: t.Sequence[str] = (), page: int = PAGE) -> str:
    """The rows that follow a primary key (None: the first ones), ordered by it, each as a text of JSON."""
    key = primary_key_of(database, table)
    first = "r.minval" if after is None else literal(after)
    plucked = f".pluck({','.join(map(literal, sorted({key, *fields})))})" if fields else ""
    return (
        f'{table_of(database, table)}.between({first},r.maxval,{{"leftBound":"open"}}).orderBy({{"index":{literal(key)}}}).limit({page:d})'
        f'{plucked}.map(function(row){{return row.toJSON()}}).coerceTo("array")'
    )


def insert_statement(database: str, table: str, rows: t.Sequence[str]) -> str:
    """Adds rows, which are literals, and leaves those alone that are there."""
    return f'{table_of(database, table)}.insert([{",".join(rows)}],{{"conflict":"error","durability":"hard"}})'


def update_statement(database: str, table: str, changes: t.Sequence[str]) -> str:
    """Changes fields of rows; each change is the literal of `{key, fields}`."""
    change = f'{table_of(database, table)}.get(change("key")).update(change("fields"),{{"durability":"hard"}})'
    return f"r.expr([{','.join(changes)}]).forEach(function(change){{return {change}}})"


def delete_statement(database: str, table: str, keys: t.Sequence[str]) -> str:
    """Deletes rows by the literals of their primary keys."""
    return f"r.expr([{','.join(keys)}]).forEach(function(key){{return {table_of(database, table)}.get(key).delete()}})"


def primary_key_of(database: str, table: str) -> str:
    """The field that is a table's primary key."""
    return PRIMARY_KEYS.get((database, table), "id")


def batches(items: t.Iterable[str], limit: int) -> t.Iterator[list[str]]:
    """Literals in groups that have at most `limit` bytes, commas included; one that has more is alone."""
    group: list[str] = []
    size = 0
    for item in items:
        if group and size + len(item) + 1 > limit:
            yield group
            group, size = [], 0
        group.append(item)
        size += len(item) + 1
    if group:
        yield group


def rows_of(answer: t.Any, where: str) -> list[Row]:
    """The rows in an answer to `page_statement`; InvalidAnswer where it is something else."""
    try:
        rows = [json.loads(text) for text in answer]
    except (TypeError, ValueError) as error:
        raise _no_rows(where) from error
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in rows):
        raise _no_rows(where)
    return rows


def check_written(answer: t.Any, asked: int, where: str, table: str, *, all_there: bool = False) -> None:
    """Raise DatabaseFailed if an answer to a write says that not all of it was done. `all_there`: each row has to have been there."""
    if not isinstance(answer, dict) or not isinstance(answer.get("errors"), (int, float)):
        raise InvalidAnswer(f"did not say what became of rows of {table}.", subject=where, hint="Look at the product's database.")
    refused = int(answer["errors"])
    if refused:
        reason = reason_in(str(answer.get("first_error", "")))
        because = f", the first because: {reason}" if reason else ""
        raise DatabaseFailed(f"has refused {refused} of {asked} rows of {table}{because}.", subject=where)
    missing = int(answer.get("skipped") or 0)
    if missing and all_there:
        raise DatabaseFailed(f"has no such row as {missing} of {asked} that were to be changed in {table}.", subject=where)


def reason_in(text: str) -> str:
    """What an error says, without the rows and the statement that RethinkDB and JavaScript repeat in it."""
    lines = text.strip().splitlines()
    found = _AN_ERROR.search(text)
    line = found.group(1) if found else (lines[0] if lines else "")
    return _END_OF_REASON.split(line, 1)[0].strip().rstrip(".")[:200]


def _no_rows(where: str) -> InvalidAnswer:
    return InvalidAnswer(
        "printed something else than rows in JSON.", subject=where, hint="Check the command and its image; they have to print JSON alone."
    )


class Shell(abc.ABC):
    """A command line that takes an expression and prints its value. Threads share one object."""

    #: what messages call it
    name: str
    #: bytes of the longest statement that it takes at all; 0 for no limit
    longest = 0

    @abc.abstractmethod
    def run(self, statement: str) -> str:
        """What the command printed; raises MigrationErrors without a word of the statement."""

    def close(self) -> None:  # noqa: B027 - not every one holds something
        """Give everything back."""


class ShellDatabase(Database):
    """A database behind a command line."""

    def __init__(self, shell: Shell, page: int = PAGE) -> None:
        self._shell = shell
        self._page = page
        self.name = shell.name

    def rows(self, database: str, table: str, fields: t.Sequence[str] = ()) -> list[Row]:
        """All rows, read in pages by their keys, so that what is written meanwhile shifts none of them."""
        key = primary_key_of(database, table)
        found: list[Row] = []
        after: str | None = None
        while True:
            answer = self._ask(page_statement(database, table, after, fields, self._page))
            rows = rows_of(answer, self.name)
            found += rows
            if len(rows) < self._page:
                return found
            following = rows[-1].get(key)
            if not isinstance(following, str) or (after is not None and following <= after):
                raise InvalidAnswer(f"lists rows of {database}.{table} without their keys in order.", subject=self.name)
            after = following

    def insert(self, database: str, table: str, rows: t.Sequence[Row]) -> None:
        """Add rows, in as many statements as their sizes ask for. All are tried before an error is raised."""
        self._in_batches(database, table, [literal(row) for row in rows], insert_statement, repeatable=False)

    def update(self, database: str, table: str, changes: t.Mapping[str, Row]) -> None:
        """Change fields of rows; one that is not there is an error, which is raised after all others have been changed."""
        items = [literal({"key": key, "fields": fields}) for key, fields in changes.items()]
        self._in_batches(database, table, items, update_statement, all_there=True)

    def delete(self, database: str, table: str, keys: t.Sequence[str]) -> None:
        """Delete rows; those that are not there are none."""
        self._in_batches(database, table, [literal(key) for key in keys], delete_statement)

    def _in_batches(
        self,
        database: str,
        table: str,
        items: t.Sequence[str],
        statement: t.Callable[[str, str, t.Sequence[str]], str],
        *,
        repeatable: bool = True,
        all_there: bool = False,
    ) -> None:
        around = len(statement(database, table, ()))
        first: MigrationError | None = None
        for group in batches(items, STATEMENT_BYTES - around):
            try:
                answer = self._ask(statement(database, table, group), repeatable=repeatable)
                check_written(answer, len(group), self.name, f"{database}.{table}", all_there=all_there)
            except (DatabaseFailed, InvalidAnswer) as error:
                first = first or error
        if first is not None:
            raise first

    def _ask(self, statement: str, *, repeatable: bool = True) -> t.Any:
        if self._shell.longest and len(statement) > self._shell.longest:
            raise DatabaseFailed(
                f"takes no row of {len(statement)} bytes: the command line there ends at {self._shell.longest}.",
                subject=self.name,
                hint="Reach the database over SSH or with its driver, or shorten the row at the source.",
            )
        printed = ask_again(lambda: self._shell.run(statement), repeatable)
        try:
            return json.loads(printed)
        except ValueError as error:
            raise _no_rows(self.name) from error

    def close(self) -> None:
        """Give the command line back."""
        self._shell.close()


def failure_of(status: int | None, errors: str, statement: str, where: str, way_out: str = "") -> MigrationError:
    """What a command that has not ended well means. What it wrote is shown as far as it holds nothing of the statement."""
    found = _AN_ERROR.search(errors)
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    reason = reason_in(errors) if found else (lines[-1][:200].rstrip(".") if lines else "")
    if any(part in statement for part in _parts(reason)):
        reason = ""
    ended = "was ended" if status is None else f"has ended with {status}"
    said = f", and says: {reason}" if reason else ""
    return DatabaseFailed(f"the command line of the database {ended}{said}.", subject=where, hint=way_out)


def _parts(text: str, size: int = 24) -> t.Iterator[str]:
    """All pieces of a text with so many characters: what they hold of a statement is more than the names of a table."""
    return (text[start : start + size] for start in range(max(0, len(text) - size + 1)))

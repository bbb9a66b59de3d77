# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements for the command lines of a database: how values get into them, how they are cut, and what answers mean."""

from __future__ import annotations

import json

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._msr import interface
from ansible_collections.registryops.migration.plugins.module_utils._msr.reql import (
    STATEMENT_BYTES,
    Shell,
    ShellDatabase,
    batches,
    check_written,
    failure_of,
    literal,
    page_statement,
    reason_in,
    rows_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ConnectionFailed, DatabaseFailed, InvalidAnswer

WRITTEN = {"deleted": 0, "errors": 0, "inserted": 0, "replaced": 0, "skipped": 0, "unchanged": 0}
HASH = "bcrypt$$2a$10$abcdefghijklmnopqrstuv"
#: RethinkDB's own words, which hold both rows
DUPLICATE = f'Duplicate primary key `name`:\n{{\n\t"name":\t"alice",\n\t"passwordHash":\t"{HASH}"\n}}\n{{\n\t"name":\t"alice"\n}}'


class Kept(Shell):
    """A command line that keeps what it was told, and says what it was given to say."""

    name = "a shell"

    def __init__(self, *answers):
        self.statements = []
        self._answers = list(answers)

    def run(self, statement):
        self.statements.append(statement)
        if not self._answers:
            return json.dumps(WRITTEN)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(interface.time, "sleep", lambda seconds: None)


@pytest.mark.parametrize("value", ['"', "\\", "'", "`", "${x}", "</script>", "\u2028\u2029", "\x00\n", "\u00e9\U0001f600", "\ud800"])
def test_a_literal_is_ascii_and_means_the_value(value):
    text = literal({value: [value]})
    assert text.isascii()
    assert json.loads(text) == {value: [value]}
    assert not set(text) & set("\n\x00\u2028")


def test_a_number_that_json_does_not_know_is_none():
    with pytest.raises(ValueError, match="not JSON compliant"):
        literal({"n": float("nan")})


def test_the_pages_of_a_table():
    assert page_statement("enzi", "accounts", None, page=7) == (
        'r.db("enzi").table("accounts").between(r.minval,r.maxval,{"leftBound":"open"}).orderBy({"index":"name"}).limit(7)'
        '.map(function(row){return row.toJSON()}).coerceTo("array")'
    )
    assert '.between("it\'s \\"q\\"",r.maxval' in page_statement("dtr2", "tags", 'it\'s "q"')
    # the key is read, too: the next page begins after it
    assert '.pluck("lastUsed","token")' in page_statement("dtr2", "client_tokens", None, ["lastUsed"])
    assert '{"index":"id"}' in page_statement("dtr2", "webhooks", None)


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [([], []), ([5], [1]), ([4, 4], [2]), ([4, 5], [1, 1]), ([30], [1]), ([1, 30, 1], [1, 1, 1]), ([1] * 12, [5, 5, 2])],
)
def test_batches_have_no_more_bytes_than_they_may(sizes, groups):
    """A comma follows each literal; one that is too long is alone."""
    items = ["x" * size for size in sizes]
    found = list(batches(items, 10))
    assert [len(group) for group in found] == groups
    assert [item for group in found for item in group] == items


def test_writes_are_cut_and_none_of_their_statements_is_too_long():
    shell = Kept()
    ShellDatabase(shell).insert("enzi", "accounts", [{"name": f"user-{number}", "fullName": "\u00e9" * 100} for number in range(1000)])
    assert len(shell.statements) > 6
    assert max(map(len, shell.statements)) <= STATEMENT_BYTES
    written = [statement[statement.index("insert(") + len("insert(") : statement.rindex(',{"conflict"')] for statement in shell.statements]
    rows = [row for text in written for row in json.loads(text)]
    assert [row["name"] for row in rows] == [f"user-{number}" for number in range(1000)]


def test_all_batches_are_tried_before_the_first_error_is_raised():
    rows = [{"name": f"user-{number}", "fullName": "x" * 60_000} for number in range(4)]
    shell = Kept(WRITTEN, {**WRITTEN, "errors": 1, "first_error": DUPLICATE}, WRITTEN, {**WRITTEN, "errors": 1, "first_error": "other"})
    with pytest.raises(DatabaseFailed) as caught:
        ShellDatabase(shell).insert("enzi", "accounts", rows)
    assert len(shell.statements) == 4
    assert caught.value.message == "has refused 1 of 1 rows of enzi.accounts, the first because: Duplicate primary key `name`."


def test_only_what_may_be_repeated_is():
    broken = ConnectionFailed("the connection broke.")
    shell = Kept(broken, broken, [])
    assert ShellDatabase(shell).rows("enzi", "accounts") == []
    assert len(shell.statements) == 3
    shell = Kept(broken)
    ShellDatabase(shell).update("enzi", "accounts", {"alice": {"isAdmin": True}})
    assert len(shell.statements) == 2
    shell = Kept(broken)
    with pytest.raises(ConnectionFailed):
        ShellDatabase(shell).insert("enzi", "accounts", [{"name": "alice"}])
    assert len(shell.statements) == 1
    shell = Kept(*[broken] * 3)
    with pytest.raises(ConnectionFailed):
        ShellDatabase(shell).delete("enzi", "accounts", ["alice"])
    assert len(shell.statements) == 3


def test_pages_that_do_not_go_on():
    """A command line that gives the same page again would be asked for ever."""
    page = [json.dumps({"name": "a"}), json.dumps({"name": "b"})]
    with pytest.raises(InvalidAnswer, match="without their keys in order"):
        ShellDatabase(Kept(page, page), 2).rows("enzi", "accounts")
    with pytest.raises(InvalidAnswer, match="without their keys in order"):
        ShellDatabase(Kept([json.dumps({"id": 1})] * 2), 2).rows("enzi", "accounts")
    assert ShellDatabase(Kept(page, []), 2).rows("enzi", "accounts") == [{"name": "a"}, {"name": "b"}]


@pytest.mark.parametrize("answer", [None, 5, "x", {}, {"a": 1}, [1], ["x"], ["[]"], [None], [[]]])
def test_answers_that_are_no_rows(answer):
    with pytest.raises(InvalidAnswer):
        rows_of(answer, "here")


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"errors": None}, {"errors": "1"}])
def test_answers_that_do_not_say_what_was_written(answer):
    with pytest.raises(InvalidAnswer):
        check_written(answer, 1, "here", "enzi.accounts")


def test_rows_that_are_not_there_are_an_error_only_where_they_have_to_be():
    check_written({**WRITTEN, "skipped": 2}, 3, "here", "enzi.accounts")
    with pytest.raises(DatabaseFailed, match=r"no such row as 2 of 3"):
        check_written({**WRITTEN, "skipped": 2}, 3, "here", "enzi.accounts", all_there=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (DUPLICATE, "Duplicate primary key `name`"),
        (DUPLICATE.replace(":\n", ":"), "Duplicate primary key `name`"),
        (
            'ReqlOpFailedError: Table `enzi.x` does not exist in:\nr.db("enzi").table("x").insert([{"passwordHash": "secret"}])\n^^^',
            "Table `enzi.x` does not exist",
        ),
        ('evalmachine.<anonymous>:1\nr.db({"p":"secret"}\n\nSyntaxError: missing ) after argument list', "missing ) after argument list"),
        ("Error: connect ECONNREFUSED 127.0.0.1:28015", "connect ECONNREFUSED 127.0.0.1:28015"),
        ("", ""),
    ],
)
def test_reasons_hold_no_rows(text, reason):
    assert reason_in(text) == reason


def test_what_a_command_wrote_is_shown_unless_it_holds_the_statement():
    statement = 'r.db("enzi").table("accounts").insert([{"passwordHash":"' + HASH + '"}])'
    assert failure_of(127, "sh: 1: docker: not found\n", statement, "here").message.endswith("says: sh: 1: docker: not found.")
    for text in (statement, f"cannot run: {statement}", f"Error: bad argument {HASH}", f"line 1\n{HASH} is no command"):
        assert failure_of(1, text, statement, "here").message == "the command line of the database has ended with 1."
    assert failure_of(None, "", statement, "here").message == "the command line of the database was ended."

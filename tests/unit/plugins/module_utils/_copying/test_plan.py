# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import itertools
import json
import threading

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying.plan import (
    ACTIONS,
    KIND,
    SCHEMA,
    PlanWriter,
    make_row,
    read_plan,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, StateError

DIGESTS = ["sha256:" + digit * 64 for digit in "0123456789abcdef"]
STORES = ("old.example.com", "new.example.com:5000")
ROWS = (
    make_row(("team/app", "1.0"), ("mirror/team/app", "1.0"), "copy", fresh=True),
    make_row(("team/app", "1.1"), ("mirror/team/app", "1.1"), "update", digest=DIGESTS[1], existing=DIGESTS[2], media_type="text/plain"),
    make_row(("team/app", "latest"), ("mirror/team/app", "latest"), "unchanged", digest=DIGESTS[1], existing=DIGESTS[1]),
    make_row(("team/lib", "1"), ("mirror/team/lib", "1"), "keep", digest=DIGESTS[3], existing=DIGESTS[4]),
    make_row(("team/lib", "2"), ("mirror/team/lib", "2"), "conflict", digest=DIGESTS[3], existing=DIGESTS[4]),
    make_row(("team/lib", ""), ("mirror/team/lib", ""), "copy", digest=DIGESTS[5], note=f"refers to {DIGESTS[3]}"),
)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "plan.jsonl")


def write(path, rows=None):
    writer = PlanWriter(path, *STORES)
    writer.add(ROWS if rows is None else rows)
    writer.close()
    return writer


def lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def test_rows_come_back_as_they_were(path):
    write(path)
    assert tuple(read_plan(path, *STORES)) == ROWS


def test_a_plan_is_a_header_and_a_line_for_each_row(path):
    write(path)
    header, *rows, end = map(json.loads, lines(path))
    assert end == {"rows": len(ROWS)}
    assert header == {"kind": KIND, "schema": SCHEMA, "source": STORES[0], "destination": STORES[1]}
    assert [row["action"] for row in rows] == [row.action for row in ROWS]
    # what says nothing is not written
    assert rows[0] == {"source_repository": "team/app", "source_tag": "1.0", "repository": "mirror/team/app", "tag": "1.0",
                       "action": "copy", "fresh": True}  # fmt: skip


def test_rows_are_counted(path):
    writer = write(path)
    assert writer.counts == {"copy": 2, "update": 1, "unchanged": 1, "keep": 1, "conflict": 1}


def test_rows_from_many_threads_do_not_mix(path):
    writer = PlanWriter(path, *STORES)

    def add(number):
        for tag in range(100):
            writer.add([make_row((f"app{number}", f"{tag}"), (f"app{number}", f"{tag}"), "copy", note="x" * 200)])

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    found = {(row.repository, row.tag) for row in read_plan(path, *STORES)}
    assert found == {(f"app{number}", f"{tag}") for number in range(8) for tag in range(100)}


def test_rows_are_read_one_at_a_time(path):
    write(path, [make_row(("team/app", str(number)), ("team/app", str(number)), "copy") for number in range(50)])
    with open(path, "a", encoding="utf-8") as file:
        file.write("spoilt\n")
    rows = read_plan(path, *STORES)
    assert [row.tag for row in itertools.islice(rows, 50)] == [str(number) for number in range(50)]
    with pytest.raises(InvalidOption, match="line 53 is no row"):
        next(rows)


@pytest.mark.parametrize(
    ("row", "reference", "key"),
    [
        (ROWS[0], "1.0", "1.0"),
        (ROWS[5], DIGESTS[5], DIGESTS[5]),
        (make_row(("a", ""), ("b", "t"), "copy", digest=DIGESTS[0]), DIGESTS[0], "t"),
    ],
)
def test_what_a_row_asks_for(row, reference, key):
    assert (row.source_reference, row.key) == (reference, key)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_known(path, action):
    write(path, [make_row(("team/app", "1"), ("team/app", "1"), action)])
    assert [row.action for row in read_plan(path, *STORES)] == [action]


@pytest.mark.parametrize(
    "change",
    [
        {"action": "delete"},
        {"action": ""},
        {"repository": "../etc"},
        {"repository": "Team/App"},
        {"source_repository": ""},
        {"tag": "-"},
        {"source_tag": "a b"},
        {"digest": "sha256:123"},
        {"source_tag": "", "digest": ""},
        {"repository": None},
        {"tag": 5},
    ],
    ids=json.dumps,
)
def test_a_row_that_cannot_be(path, change):
    write(path)
    row = {"source_repository": "a", "source_tag": "1", "repository": "b", "tag": "1", "action": "copy", **change}
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    with pytest.raises(InvalidOption) as caught:
        list(read_plan(path, *STORES))
    assert path in caught.value.subject
    assert "plan_file" in caught.value.subject
    assert f"line {len(ROWS) + 3}" in caught.value.message


@pytest.mark.parametrize("line", ["", "null", "[]", "5", '"text"', "{", '{"source_repository":'], ids=repr)
def test_a_line_that_is_no_row(path, line):
    write(path, [])
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(InvalidOption, match="line 3 is no row of a plan"):
        list(read_plan(path, *STORES))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "text",
        "[]",
        "{}",
        json.dumps({"kind": KIND}),
        json.dumps({"kind": KIND, "schema": SCHEMA + 1, "source": "a", "destination": "b"}),
        json.dumps({"kind": KIND, "schema": SCHEMA}),
        json.dumps({"kind": KIND, "schema": SCHEMA, "source": "a"}),
        "[" * 100_000,
    ],
    ids=lambda header: repr(header[:100]),
)
def test_a_file_that_is_no_plan(path, header):
    with open(path, "w", encoding="utf-8") as file:
        file.write(header + "\n")
    with pytest.raises(InvalidOption, match="is no plan of this version"):
        list(read_plan(path, *STORES))


@pytest.mark.parametrize("kept", range(1, len(ROWS) + 2))
def test_a_plan_that_is_cut_off(path, kept):
    write(path)
    shorter = lines(path)[:kept]
    for end in ([], ['{"rows": '], [json.dumps({"rows": kept})]):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(shorter + end))
        rows = read_plan(path, *STORES)
        assert tuple(itertools.islice(rows, kept - 1)) == ROWS[: kept - 1]
        with pytest.raises(InvalidOption, match="is cut off"):
            next(rows)


def test_a_plan_that_is_broken_off_leaves_the_one_before(path, tmp_path):
    write(path)
    before = lines(path)

    def rows():
        yield from ROWS[:1]
        raise LookupError("something went wrong")

    with pytest.raises(LookupError), PlanWriter(path, *STORES) as writer:
        writer.add(rows())
    assert lines(path) == before
    assert [one.name for one in tmp_path.iterdir()] == ["plan.jsonl"]
    with PlanWriter(path, *STORES) as writer:
        writer.add(ROWS[:2])
        # nobody sees it before it is whole
        assert lines(path) == before
    assert tuple(read_plan(path, *STORES)) == ROWS[:2]
    assert [one.name for one in tmp_path.iterdir()] == ["plan.jsonl"]


@pytest.mark.parametrize("before", [0, 3])
def test_a_plan_that_is_not_text(path, before):
    write(path)
    whole = "\n".join(lines(path)[:before]).encode()
    with open(path, "wb") as file:
        file.write(whole + b"\xff\xfe\n")
    with pytest.raises(InvalidOption, match="not UTF-8"):
        list(read_plan(path, *STORES))


def test_a_plan_for_others(path):
    write(path)
    with pytest.raises(InvalidOption) as caught:
        list(read_plan(path, STORES[0], "other.example.com"))
    assert all(name in caught.value.message for name in (*STORES, "other.example.com"))


def test_a_plan_that_is_not_there(path):
    with pytest.raises(InvalidOption, match="cannot be read: No such file"):
        list(read_plan(path, *STORES))


def test_a_plan_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError) as caught:
        PlanWriter(str(tmp_path / "file" / "plan.jsonl"), *STORES)
    assert str(tmp_path / "file" / "plan.jsonl") in caught.value.subject
    assert caught.value.hint


def test_a_disk_that_is_full():
    small, large = PlanWriter("/dev/full", *STORES), PlanWriter("/dev/full", *STORES)
    with pytest.raises(StateError, match="No space left"):
        # what is buffered is written in the end
        small.close()
    with pytest.raises(StateError, match="No space left"):
        large.add(ROWS * 10_000)
    with contextlib.suppress(StateError):
        large.close()

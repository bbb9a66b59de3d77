# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""A plan: one row for each tag (or untagged manifest) and what is to be done with it; on disk, a line of JSON each.

A plan of a hundred thousand tags is read and written row by row and never held whole. Its last line says how many rows it has, so
that one that was cut off is not taken for a whole one.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import os
import threading
import types
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, MigrationError, StateError
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_repository, check_tag

SCHEMA = 1
KIND = "registryops.migration/plan"

#: copy: new at the destination; update: overwritten; keep: differs, and stays; conflict: differs, and must not
Action = t.Literal["copy", "update", "unchanged", "keep", "conflict"]
ACTIONS: tuple[Action, ...] = ("copy", "update", "unchanged", "keep", "conflict")
MOVING = frozenset({"copy", "update"})
#: how the last line begins; no row does
_END = '{"rows"'


@dataclasses.dataclass(frozen=True)
class PlanRow:
    """One tag. Where `tag` is empty, a manifest goes by its digest only (a referrer, or a digest that was selected).

    `digest` of the source may be empty where nobody had to know it yet; `existing` is the destination's digest, if any.
    `fresh`: the destination has no such repository yet.
    """

    __slots__ = ("action", "digest", "existing", "fresh", "media_type", "note", "repository", "source_repository", "source_tag", "tag")

    source_repository: str
    source_tag: str
    repository: str
    tag: str
    action: Action
    digest: str
    existing: str
    media_type: str
    fresh: bool
    note: str

    @property
    def source_reference(self) -> str:
        """What to ask the source for: the tag, or the digest of an untagged manifest."""
        return self.source_tag or self.digest

    @property
    def key(self) -> str:
        """The tag, or the digest of an untagged manifest: what tells rows of a repository apart."""
        return self.tag or self.digest


def make_row(
    source: tuple[str, str],
    destination: tuple[str, str],
    action: Action,
    *,
    digest: str = "",
    existing: str = "",
    media_type: str = "",
    fresh: bool = False,
    note: str = "",
) -> PlanRow:
    """A row from `(repository, tag)` here to `(repository, tag)` there."""
    return PlanRow(source[0], source[1], destination[0], destination[1], action, digest, existing, media_type, fresh, note)


class PlanWriter:
    """Writes rows as they come, from many threads, and counts them.

    The plan has its name from `close` on. As a context manager, it is closed when all went well, and else leaves no trace: a plan that
    was there before stays.
    """

    def __init__(self, path: str, source: str, destination: str) -> None:
        self.path = path
        self.counts: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        # what a link points to is replaced, not the link; a device or pipe is written to as it is
        self._target = os.path.realpath(path)
        special = os.path.exists(self._target) and not os.path.isfile(self._target)
        self._temporary = "" if special else f"{self._target}.{os.getpid()}.part"
        try:
            self._file = open(self._temporary or path, "w", encoding="utf-8")  # noqa: SIM115 - closed by close() or discard()
        except OSError as error:
            raise StateError(
                f"the plan cannot be written: {error.strerror}.", subject=path, hint="Choose a path that is writable."
            ) from error
        self._write([json.dumps({"kind": KIND, "schema": SCHEMA, "source": source, "destination": destination})])

    def add(self, rows: t.Iterable[PlanRow]) -> None:
        """Append rows."""
        lines = []
        with self._lock:
            for row in rows:
                self.counts[row.action] += 1
                lines.append(json.dumps({name: value for name in PlanRow.__slots__ if (value := getattr(row, name))}))
            self._write(lines)

    def _write(self, lines: t.Sequence[str]) -> None:
        try:
            self._file.writelines(f"{line}\n" for line in lines)
        except OSError as error:
            raise StateError(f"the plan cannot be written: {error.strerror}.", subject=self.path, hint="Look at free space.") from error

    def close(self) -> None:
        """Finish the plan, and let it take its place."""
        try:
            self._write([json.dumps({"rows": sum(self.counts.values())})])
            self._file.close()
            if self._temporary:
                os.replace(self._temporary, self._target)
        except OSError as error:
            self.discard()
            raise StateError(f"the plan cannot be written: {error.strerror}.", subject=self.path, hint="Look at free space.") from error
        except StateError:
            self.discard()
            raise

    def discard(self) -> None:
        """Give up: what was written is removed."""
        with contextlib.suppress(OSError):
            self._file.close()
        if self._temporary:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)

    def __enter__(self) -> PlanWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: types.TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def read_plan(path: str, source: str, destination: str) -> t.Iterator[PlanRow]:
    """The rows of a plan, one at a time. Raises InvalidOption if it is no plan, or one for other stores, or, after its last row, if
    that was not the last one that was written.
    """
    try:
        with open(path, encoding="utf-8") as file:
            _check_header(path, file.readline(), source, destination)
            rows, ended = 0, False
            for number, line in enumerate(file, 2):
                if line.startswith(_END) and not ended:
                    ended = line.strip() == json.dumps({"rows": rows})
                    if not ended:
                        break
                else:
                    yield _read_row(path, number, line)
                    rows += 1
            if not ended:
                raise InvalidOption(
                    f"is cut off: it has {rows} rows, and does not end with a line that says so.",
                    subject=f"plan_file {path}",
                    hint="Make the plan anew, and let that run end.",
                )
    except UnicodeDecodeError as error:
        raise InvalidOption("is no plan: it is not UTF-8.", subject=f"plan_file {path}", hint="Make the plan anew.") from error
    except OSError as error:
        raise InvalidOption(
            f"cannot be read: {error.strerror}.", subject=f"plan_file {path}", hint="Give the path of a plan on the worker."
        ) from error


def _check_header(path: str, line: str, source: str, destination: str) -> None:
    try:
        header = json.loads(line)
        known = header["kind"] == KIND and header["schema"] == SCHEMA
        stores = (header["source"], header["destination"])
    except (ValueError, KeyError, TypeError, RecursionError):
        known = False
    if not known:
        raise InvalidOption("is no plan of this version.", subject=f"plan_file {path}", hint="Make it anew with check mode and plan_file.")
    if stores != (source, destination):
        raise InvalidOption(
            f"is a plan from {stores[0]} to {stores[1]}, not from {source} to {destination}.",
            subject=f"plan_file {path}",
            hint="Use the connections that the plan was made with.",
        )


def _read_row(path: str, number: int, line: str) -> PlanRow:
    try:
        fields = json.loads(line)
        row = PlanRow(**{name: fields.get(name, False if name == "fresh" else "") for name in PlanRow.__slots__})
        check_repository(row.repository)
        check_repository(row.source_repository)
        for tag in (row.tag, row.source_tag):
            if tag:
                check_tag(tag)
        if row.action not in ACTIONS or (row.digest and not is_digest(row.digest)) or not row.source_reference:
            raise ValueError("an action, digest or tag is wrong")
    except (ValueError, TypeError, AttributeError, RecursionError, MigrationError) as error:
        raise InvalidOption(
            f"line {number} is no row of a plan ({error}).", subject=f"plan_file {path}", hint="Make the plan anew."
        ) from error
    return row

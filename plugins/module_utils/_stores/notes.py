# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Where a store's notes are kept: in memory, or in the ledgers of the runs that use it (see Notes)."""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import StateError
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Notes

_Answer = t.TypeVar("_Answer")


class MemoryNotes:
    """Notes of one run, where there is no ledger."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, t.Any]] = {}

    def get(self, key: str) -> dict[str, t.Any] | None:
        """What was noted; None where nothing was."""
        return self._known.get(key)

    def put(self, key: str, value: t.Mapping[str, t.Any]) -> None:
        """Note something."""
        self._known[key] = dict(value)


class AllNotes:
    """The notes of all ledgers that there are; without any, they are in memory. Threads share it.

    Several runs that share a source each have a ledger, which ends when that run does: the others go on with theirs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ledgers: tuple[Notes, ...] = ()
        self._memory = MemoryNotes()

    def add(self, notes: Notes) -> None:
        """Read and write these as well."""
        with self._lock:
            self._ledgers = (*self._ledgers, notes)

    def get(self, key: str) -> dict[str, t.Any] | None:
        """What any of them has; None where none has anything. Those that lack it get it, for it outlives the one that had it."""
        found: dict[str, t.Any] | None = None
        lacking: list[Notes] = []
        for notes in self._ledgers:
            value = self._ask(notes, lambda one: one.get(key))
            found = found or value
            if not value:
                lacking.append(notes)
        found = found or self._memory.get(key)
        for notes in lacking if found else ():
            self._put(notes, key, found or {})
        return found or None

    def put(self, key: str, value: t.Mapping[str, t.Any]) -> None:
        """Note something in all of them; nothing ({}) to forget what was noted."""
        for notes in self._ledgers:
            self._put(notes, key, value)
        if not self._ledgers or self._memory.get(key):
            self._memory.put(key, value)

    def _put(self, notes: Notes, key: str, value: t.Mapping[str, t.Any]) -> None:
        self._ask(notes, lambda one: one.put(key, value))

    def _ask(self, notes: Notes, ask: t.Callable[[Notes], _Answer]) -> _Answer | None:
        try:
            return ask(notes)
        except StateError:
            # a ledger that is closed, or cannot be used: the run that has it finds that out by itself, others can go on
            with self._lock:
                self._ledgers = tuple(one for one in self._ledgers if one is not notes)
            return None

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib

from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger
from ansible_collections.registryops.migration.plugins.module_utils._stores.notes import AllNotes, MemoryNotes

FACT = {"digest": "sha256:1"}


def test_without_a_ledger_it_is_remembered():
    notes = AllNotes()
    assert notes.get("layer") is None
    notes.put("layer", FACT)
    assert notes.get("layer") == FACT


def test_what_was_noted_before_there_was_a_ledger_is_in_it(tmp_path):
    notes = AllNotes()
    notes.put("layer", FACT)
    with contextlib.closing(Ledger(str(tmp_path))) as ledger:
        notes.add(ledger.notes("hub"))
        assert notes.get("layer") == FACT
    with contextlib.closing(Ledger(str(tmp_path))) as ledger:
        assert ledger.notes("hub").get("layer") == FACT


def test_a_ledger_that_is_closed_takes_nothing_from_the_others(tmp_path):
    notes = AllNotes()
    first = Ledger(str(tmp_path / "first"))
    notes.add(first.notes("hub"))
    notes.put("early", FACT)
    with contextlib.closing(Ledger(str(tmp_path / "second"))) as second:
        notes.add(second.notes("hub"))
        # the later one has it from now on
        assert notes.get("early") == FACT
        first.close()
        assert notes.get("early") == FACT
        notes.put("late", FACT)
        assert second.notes("hub").get("late") == FACT
    # and without any it goes on for itself
    assert notes.get("late") is None
    notes.put("last", FACT)
    assert notes.get("last") == FACT


def test_what_is_forgotten_is_forgotten_everywhere():
    notes, ledgers = AllNotes(), (MemoryNotes(), MemoryNotes())
    notes.put("layer", FACT)
    for ledger in ledgers:
        notes.add(ledger)
    assert notes.get("layer") == FACT
    notes.put("layer", {})
    assert notes.get("layer") is None
    assert [ledger.get("layer") for ledger in ledgers] == [{}, {}]

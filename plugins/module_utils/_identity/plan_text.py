# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""A plan of people as a text for people: a line for each kind, below it the items that are of interest, what is wrong first.

    users and organizations: 1 refused, 2 created, 14 unchanged
      ! user Bob: differs only in case from bob.
      + user alice
      + organization research
    grants: 1 changed, 30 unchanged
      ~ grant for team research/dev on research/app: level read -> write

What is shown is bounded, whatever the size of the plan. No secret is in it.
"""

from __future__ import annotations

import collections
import json
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import (
    CHANGED,
    CREATED,
    FAILED,
    KEPT,
    NOT_ATTEMPTED,
    REFUSED,
    REMOVED,
    SURPLUS,
    UNCHANGED,
    Change,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import KINDS

#: items that are shown of each kind
MOST_SHOWN = 100
#: characters of a value, and of a reason
_LONGEST_VALUE = 120
_LONGEST_REASON = 200

TITLES = {
    "account": "users and organizations",
    "team": "teams",
    "membership": "members of organizations",
    "team_membership": "members of teams",
    "repository": "repositories",
    "grant": "grants",
    "token": "tokens",
    "webhook": "webhooks",
    "policy": "policies",
}
#: the sign before an item of each state, in the order in which they are shown; what has none is only counted
_SIGNS = {FAILED: "!", REFUSED: "!", NOT_ATTEMPTED: "!", REMOVED: "-", CHANGED: "~", CREATED: "+", KEPT: "=", SURPLUS: "?"}
_WORDS = {**{state: state.replace("_", " ") for state in _SIGNS}, SURPLUS: "only at the destination", UNCHANGED: "unchanged"}


def plan_lines(changes: t.Iterable[Change]) -> list[str]:
    """The text of a plan, or of what was carried out."""
    by_kind: dict[str, list[Change]] = collections.defaultdict(list)
    for change in changes:
        by_kind[change.item.kind].append(change)
    lines = []
    ranks = {state: rank for rank, state in enumerate(_SIGNS)}
    for cls in KINDS:
        mine = by_kind.get(cls.kind, [])
        if not mine:
            continue
        counts = collections.Counter(change.state for change in mine)
        lines.append(f"{TITLES[cls.kind]}: {', '.join(f'{counts[state]:,} {word}' for state, word in _WORDS.items() if counts[state])}")
        shown = sorted((change for change in mine if change.state in ranks), key=lambda change: (ranks[change.state], change.item.key))
        lines += [f"  {_SIGNS[change.state]} {_line(change)}" for change in shown[:MOST_SHOWN]]
        if len(shown) > MOST_SHOWN:
            lines.append(f"    and {len(shown) - MOST_SHOWN:,} more")
    return lines


def _line(change: Change) -> str:
    title = _shortened(change.item.title, _LONGEST_REASON)
    if change.problem is not None and change.state in (FAILED, REFUSED, KEPT):
        return f"{title}: {_shortened(change.problem.message, _LONGEST_REASON)}"
    differences = ", ".join(f"{name} {_shown(before)} -> {_shown(after)}" for name, (before, after) in change.differences.items())
    return f"{title}: {differences}" if differences else title


def _shown(value: t.Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, sort_keys=True, default=str)
    return _shortened(text, _LONGEST_VALUE)


def _shortened(text: str, longest: int) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= longest else f"{one_line[:longest]}..."

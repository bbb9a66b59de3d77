# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What is to be done so that the people of one side are those of the other, and what cannot be: found before anything is written."""

from __future__ import annotations

import collections
import dataclasses
import typing as t
import unicodedata

from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import (
    CHANGED,
    CREATED,
    KEPT,
    PARTS,
    REFUSED,
    REMOVED,
    SURPLUS,
    UNCHANGED,
    Change,
    People,
    part_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.matching import same_entry
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    KINDS,
    Account,
    Estate,
    Grant,
    Item,
    Key,
    Membership,
    Policy,
    Repository,
    Team,
    TeamMembership,
    Token,
    Webhook,
    compared_fields,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import MigrationError, NameCollision, TagConflict

#: of what a surplus may be removed without more words: what gives rights, or does something. With an account, a team or a repository goes
#: what belongs to it.
REMOVABLE = ("membership", "team_membership", "grant", "token", "webhook", "policy")

BuiltIn = t.Literal["keep", "replace"]
Passwords = t.Literal["replace", "keep"]
Surplus = t.Literal["keep", "report", "remove"]


class Unwanted(MigrationError):
    """An item that the destination will not, or cannot, take as it is."""

    kind = "identity_refused"


@dataclasses.dataclass(frozen=True)
class PlanOptions:
    """How a plan decides.

    `parts`: what is planned, keys of PARTS. `built_in`: accounts that every installation has are kept as they are, or become those of the
    source. `passwords`: of users who are there already. `surplus`: what the destination has beyond the source is kept without a word,
    reported, or removed; removed only of the kinds in `removed`, and reported of the others.
    """

    parts: t.Collection[str] = tuple(PARTS)
    built_in: BuiltIn = "keep"
    passwords: Passwords = "replace"
    surplus: Surplus = "report"
    removed: t.Collection[str] = REMOVABLE


def kinds_to_read(parts: t.Collection[str]) -> set[str]:
    """The kinds that a plan for some parts wants to know of both sides: those that are written, and those that they need."""
    kinds = {kind for part in parts for kind in PARTS[part]}
    if "repositories" in parts:
        kinds.add("team")
    return kinds | {"account"}


def plan(wanted: Estate, existing: Estate, people: People, options: PlanOptions, surplus: t.Iterable[Item] = ()) -> list[Change]:
    """What becomes of each item of `wanted` that belongs to the parts, in the order in which it is written, then of the `surplus`.

    `wanted` has the names of the destination. `existing` is what the destination has; both have the kinds of `kinds_to_read`.
    `surplus`: what the destination has beyond the source; who plans for a selection knows what that is.
    """
    raise NotImplementedError


def change_of(wanted: Item, existing: Item | None) -> Change:
    """What one item needs to be as wanted, without a look at anything around it: created, changed or unchanged."""
    raise NotImplementedError

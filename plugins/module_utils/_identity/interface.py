# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What a product has to offer so that people can be moved from it and to it."""

from __future__ import annotations

import abc
import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.model import Account, AnItem, Estate, Grant, Item
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import MigrationError

#: what is read and written as a whole: the steps of a migration. Each is some kinds of items; `part_of` says which of them.
PARTS: t.Mapping[str, tuple[str, ...]] = {
    "accounts": ("account", "token"),
    "organizations": ("account", "team", "membership", "team_membership", "grant"),
    "repositories": ("repository", "grant", "webhook", "policy"),
}


def part_of(item: Item) -> str:
    """The part that an item belongs to: users are accounts, and a grant goes with what it is about, all of a namespace or a repository."""
    if isinstance(item, Account):
        return "organizations" if item.is_organization else "accounts"
    if isinstance(item, Grant):
        return "repositories" if item.repository else "organizations"
    return next(part for part, kinds in PARTS.items() if item.kind in kinds)


#: what becomes of an item
CREATED, CHANGED, UNCHANGED, KEPT, SURPLUS, REMOVED, REFUSED, FAILED, NOT_ATTEMPTED = (
    "created",  # it was not there
    "changed",  # it was there, and differs
    "unchanged",
    "kept",  # it differs, and is protected (a built-in account, say)
    "surplus",  # it is there, and not at the source; it stays
    "removed",  # the same, and it goes, as was asked for
    "refused",  # the destination would not take it: found before anything is written
    "failed",  # writing it did not work
    "not_attempted",  # the run ended before it came to it
)
STATES = (CREATED, CHANGED, UNCHANGED, KEPT, SURPLUS, REMOVED, REFUSED, FAILED, NOT_ATTEMPTED)


@dataclasses.dataclass
class Change:
    """What is to become, or became, of one item.

    `wanted` is what is to be (None for a surplus), `existing` what there is (None for a new one). `differences`: `{field: (before, after)}`
    without secrets. `problem`: why it was refused, kept or failed.
    """

    state: str
    wanted: Item | None
    existing: Item | None = None
    differences: dict[str, tuple[t.Any, t.Any]] = dataclasses.field(default_factory=dict)
    problem: MigrationError | None = None

    @property
    def item(self) -> Item:
        item = self.wanted if self.wanted is not None else self.existing
        if item is None:
            raise ValueError("a change is about something")
        return item

    @property
    def is_due(self) -> bool:
        """Whether something has to be written."""
        return self.state in (CREATED, CHANGED, REMOVED)

    def as_row(self) -> dict[str, t.Any]:
        """The form in which it stands in results and reports."""
        row: dict[str, t.Any] = {"kind": self.item.kind, "name": self.item.title, "state": self.state}
        if self.differences:
            row["differences"] = {name: {"before": before, "after": after} for name, (before, after) in self.differences.items()}
        if self.problem is not None:
            row["error"] = self.problem.as_row()
        return row


class People(abc.ABC):
    """The people of one installation of a product: read, written, asked. Threads share one object; all methods raise MigrationErrors."""

    #: the product's name, for people; what messages call the installation
    product: t.ClassVar[str] = ""
    where: str = ""
    #: accounts that an installation has from its beginning: their passwords and rights are not overwritten unless that is asked for
    built_in: t.ClassVar[frozenset[str]] = frozenset()
    #: the account that requests are made with: without it, with another password or with fewer rights, a run would end half-way
    own_account: str = ""
    #: whether a user who comes from a directory has to be the same entry there. Without that the directory of the destination says who a
    #: new one is, and what the source has of its own directory is never written.
    match_directory: bool = True

    # -- reading
    @abc.abstractmethod
    def read(self, kinds: t.Collection[str], organizations: t.Collection[str] | None = None) -> Estate:
        """Items of these kinds, those of accounts always: what cannot be read is in `Estate.unread`.

        `organizations`: only those namespaces are of interest (None: all), where that saves requests; the caller selects again.
        """

    @abc.abstractmethod
    def look(self, item: AnItem) -> AnItem | None:
        """The item with the same key as it is there now; None where there is none. For one item this takes a request or two."""

    # -- writing
    @abc.abstractmethod
    def refusal(self, item: Item) -> MigrationError | None:
        """Why this installation would never take an item (a name that it does not allow, a hash of an unknown form); None if it may."""

    @abc.abstractmethod
    def batch(self, kind: str) -> int:
        """How many items of a kind are best written with one call of `write`; 1 for those that are written one by one."""

    @abc.abstractmethod
    def write(self, changes: t.Sequence[Change]) -> list[MigrationError | None]:
        """Carry out changes (created, changed, removed) that are of one kind. What went wrong with each; None where nothing did."""

    def unwritable(self) -> dict[str, str]:
        """What this installation cannot be given, kinds or `password_hash`, and why. For after `read`, before anything is written."""
        return {}

    def notes(self) -> list[str]:
        """What has been read or written in another way than one would think, and whoever runs this ought to know."""
        return []

    # -- proof
    @abc.abstractmethod
    def level(self, user: str, namespace: str, repository: str) -> str | None:
        """What the product itself says that a user may do with a repository: one of LEVELS, None for nothing."""

    @abc.abstractmethod
    def lets_in(self, user: str, secret: str) -> bool:
        """Whether a user gets in with a password or an access token."""

    def close(self) -> None:  # noqa: B027 - not every product holds something
        """Give everything back."""

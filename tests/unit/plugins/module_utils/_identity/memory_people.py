# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People of an installation that is kept in memory, with the rules that every product has: nothing without what it needs, no name twice."""

from __future__ import annotations

import dataclasses
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.access import AccessMatrix
from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import CHANGED, CREATED, Change, People
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    Account,
    AnItem,
    Estate,
    Grant,
    Item,
    Key,
    Membership,
    Repository,
    Team,
    TeamMembership,
    Token,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.planning import needs
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    InvalidName,
    ItemRefused,
    MigrationError,
    RegistryError,
)


class MemoryPeople(People):
    """An installation that takes no name with a space, no hash but its own, and as many items at once as `batches` says."""

    product = "memory"
    built_in = frozenset({"admin"})

    def __init__(self, *items: Item, batches: t.Mapping[str, int] | None = None) -> None:
        self.where = "memory.example.com"
        self.estate = estate_of(*items)
        self.written: list[tuple[str, str]] = []
        #: the size of each call of `write`, by kind
        self.calls: list[tuple[str, int]] = []
        #: what `write` raises, or says of an item with this title
        self.broken: dict[str, MigrationError] = {}
        self._batches = batches or {}
        self._lock = threading.Lock()

    def read(self, kinds: t.Collection[str], organizations: t.Collection[str] | None = None) -> Estate:
        result = Estate(self.product, self.where)
        result.unread.update(self.estate.unread)
        for item in self.estate:
            if item.kind in kinds or isinstance(item, Account):
                result.add(item)
        return result

    def look(self, item: AnItem) -> AnItem | None:
        return t.cast("AnItem | None", self.estate.like(item))

    def refusal(self, item: Item) -> MigrationError | None:
        if isinstance(item, Account) and " " in item.name:
            return InvalidName("has a space.", subject=item.title, hint="Rename it.")
        if isinstance(item, Account) and (item.password_hash or "memory$").partition("$")[0] != "memory":
            return ItemRefused("has a hash of an unknown form.", subject=item.title, hint="Leave it out.")
        return None

    def batch(self, kind: str) -> int:
        return self._batches.get(kind, 1)

    def write(self, changes: t.Sequence[Change]) -> list[MigrationError | None]:
        with self._lock:
            self.calls.append((changes[0].item.kind, len(changes)))
            return [self._write(change) for change in changes]

    def _write(self, change: Change) -> MigrationError | None:
        if change.item.title in self.broken:
            return self.broken[change.item.title]
        there = self.estate.like(change.item)
        if change.state == CREATED and there is not None:
            return RegistryError("is there already.", subject=change.item.title, status=400)
        for cls, key in needs(change.item) if change.wanted is not None else ():
            if self.estate.find(cls, key) is None:
                return RegistryError(f"there is no {cls.kind} {key}.", subject=change.item.title, status=404)
        if isinstance(change.item, TeamMembership):
            team = self.estate.find(Team, (change.item.organization, change.item.team))
            member = self.estate.find(Account, (change.item.user,))
            if isinstance(team, Team) and team.directory_sync and isinstance(member, Account) and member.directory_name:
                return RegistryError("the team follows a directory.", subject=change.item.title, status=409)
        self.written.append((change.state, change.item.title))
        if change.wanted is None:
            self.estate = estate_of(*(item for item in self.estate if (item.kind, item.key) != (change.item.kind, change.item.key)))
        elif change.state == CHANGED and there is not None:
            fields = {name: getattr(change.wanted, name) for name in change.differences if name != "password"}
            if isinstance(change.wanted, Account) and "password" in change.differences:
                fields["password_hash"] = change.wanted.password_hash
            self.estate.add(dataclasses.replace(there, **fields))
        else:
            self.estate.add(change.wanted)
        return None

    def level(self, user: str, namespace: str, repository: str) -> str | None:
        return AccessMatrix(self.estate).level(user, namespace, repository)

    def lets_in(self, user: str, secret: str) -> bool:
        account = self.estate.find(Account, (user,))
        token = self.estate.find(Token, (f"hash of {secret}",))
        return (isinstance(account, Account) and account.password_hash == f"memory${secret}") or (
            isinstance(token, Token) and token.owner == user and token.is_active is not False
        )


def estate_of(*items: Item) -> Estate:
    """An estate with these items."""
    estate = Estate("memory", "memory.example.com")
    for item in items:
        estate.add(item)
    return estate


def by_key(items: t.Iterable[Item]) -> dict[tuple[str, Key], Item]:
    """Items in no order."""
    return {(item.kind, item.key): item for item in items}


def user(name: str, **fields: t.Any) -> Account:
    """A user."""
    return Account(name, **{"full_name": "", "is_admin": False, "is_active": True, **fields})


def organization(name: str) -> Account:
    """An organization."""
    return Account(name, is_organization=True, full_name="")


def example() -> list[Item]:
    """Two organizations, a few users, and one right of each sort."""
    return [
        user("admin", is_admin=True, password_hash="memory$root"),
        user("alice", password_hash="memory$wonder"),
        user("bob"),
        user("carol"),
        user("dave", is_active=False),
        user("erin"),
        organization("research"),
        organization("sales"),
        Team("research", "dev", description="builds", directory_sync={}, group_link=""),
        Team("research", "ops", description="", directory_sync={}, group_link=""),
        Team("sales", "desk", description="", directory_sync={}, group_link=""),
        Membership("research", "alice", is_admin=True),
        Membership("research", "bob", is_admin=False),
        Membership("research", "dave", is_admin=False),
        Membership("sales", "carol", is_admin=False),
        TeamMembership("research", "dev", "bob", is_admin=False),
        TeamMembership("research", "ops", "dave", is_admin=False),
        TeamMembership("sales", "desk", "carol", is_admin=True),
        Repository("research", "app", visibility="private"),
        Repository("research", "open", visibility="public"),
        Repository("sales", "site", visibility="private"),
        Repository("erin", "own", visibility="private"),
        Grant("research", "dev", "research", "app", "write"),
        Grant("research", "ops", "research", "", "read"),
        Grant("sales", "desk", "sales", "", "write"),
        Token("alice", "hash of a1", label="laptop", is_active=True, created="2025-01-01T00:00:00+00:00", last_used="2026-01-01T00:00:00Z"),
        Token("alice", "hash of a2", label="build", is_active=True, created="2026-03-01T00:00:00+00:00"),
        Token("carol", "hash of c1", label="desk", is_active=True, created="2026-02-01T00:00:00+00:00"),
    ]

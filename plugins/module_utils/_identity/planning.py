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
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ItemRefused, MigrationError, NameCollision

#: of what a surplus may be removed without more words: what gives rights, or does something. With an account, a team or a repository goes
#: what belongs to it.
REMOVABLE = ("membership", "team_membership", "grant", "token", "webhook", "policy")

BuiltIn = t.Literal["keep", "replace"]
Passwords = t.Literal["replace", "keep"]
Surplus = t.Literal["keep", "report", "remove"]


@dataclasses.dataclass(frozen=True)
class PlanOptions:
    """How a plan decides.

    `parts`: what is planned, keys of PARTS. `built_in`: accounts that every installation has are kept as they are, or become those of the
    source. `passwords`: of users who are there already. `match_directory`: who has another entry in the directory is somebody else.
    `surplus`: what the destination has beyond the source is kept without a word, reported, or removed; removed only of the
    kinds in `removed`, and reported of the others. `coming`: parts that are brought by somebody else before, and may be relied on.
    `same`: accounts of the destination of which somebody has said that they are those of the source.
    """

    parts: t.Collection[str] = tuple(PARTS)
    built_in: BuiltIn = "keep"
    passwords: Passwords = "replace"
    match_directory: bool = True
    surplus: Surplus = "report"
    removed: t.Collection[str] = REMOVABLE
    coming: t.Collection[str] = ()
    same: t.Collection[str] = ()


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
    return _Planner(wanted, existing, people, options).changes(surplus)


def change_of(wanted: Item, existing: Item | None, hashes_known: bool = False) -> Change:
    """What one item needs to be as wanted, without a look at anything around it: created, changed or unchanged.

    What is None of either is not compared. The hash of a password is, where both are known; it stands in no difference, but `password`
    does. `hashes_known`: an existing user without a hash has no password of the product's own.
    """
    if existing is None:
        return Change(CREATED, wanted)
    differences = {}
    for name in compared_fields(type(wanted)):
        before, after = getattr(existing, name), getattr(wanted, name)
        if None not in (before, after) and before != after and not (name == "directory_name" and same_entry(before, after)):
            differences[name] = (before, after)
    if isinstance(wanted, Account) and isinstance(existing, Account) and wanted.password_hash != existing.password_hash:
        if wanted.password_hash and (existing.password_hash or hashes_known):
            differences["password"] = ("another" if existing.password_hash else "none", "that of the source")
    return Change(CHANGED if differences else UNCHANGED, wanted, existing, differences)


class _Planner:
    """Looks at each item once, those that others need before the others."""

    def __init__(self, wanted: Estate, existing: Estate, people: People, options: PlanOptions) -> None:
        self._wanted = wanted
        self._existing = existing
        self._people = people
        self._options = options
        #: what is not going to be there, and why; by kind and key
        self._refused: dict[tuple[str, Key], MigrationError] = {}
        #: accounts of the destination that are somebody else's than those of the source with their names
        self._others: dict[Key, MigrationError] = {}
        self._collisions = _case_collisions(wanted, existing)

    def changes(self, surplus: t.Iterable[Item]) -> list[Change]:
        changes = []
        for item in self._wanted:
            part = part_of(item)
            if part not in self._options.parts and part not in self._options.coming:
                self._note_somebody_else(item)
                continue
            change = self._change(item)
            if change.state == REFUSED and change.problem is not None:
                self._refused[item.kind, item.key] = change.problem
            if part in self._options.parts:
                changes.append(change)
        if self._options.surplus != "keep":
            beyond = [item for item in surplus if part_of(item) in self._options.parts]
            # what needs others goes before them
            changes += [self._surplus(item) for item in reversed(beyond)]
        return changes

    def _note_somebody_else(self, item: Item) -> None:
        """An account that nothing is to be done about may still be another one than the source's: nothing of the plan must go to it."""
        existing = self._existing.like(item)
        if isinstance(item, Account) and isinstance(existing, Account):
            problem = self._obstacle(self._as_it_may_be(item, existing), existing)
            if problem is not None:
                self._refused[item.kind, item.key] = self._others[item.key] = problem

    def _change(self, item: Item) -> Change:
        existing = self._existing.like(item)
        if isinstance(item, Account) and isinstance(existing, Account):
            item = self._as_it_may_be(item, existing)
        change = change_of(item, existing, hashes_known="password_hash" not in self._existing.unread)
        if change.state == UNCHANGED:
            if isinstance(item, Repository) and (item.namespace,) in self._others:
                # one that looks the same is still that of another account, and no place for images
                return Change(REFUSED, item, existing, {}, self._refused_need(item))
            return change
        # what is not taken along anyway does not have to be possible
        protection = self._built_in_protection(item, change)
        problem = self._obstacle(item, existing) if protection is None else None
        if problem is not None and isinstance(item, Account) and existing is not None:
            self._others[item.key] = problem
        if protection is None and problem is None:
            protection = self._protection(item, existing, change)
        if protection is not None:
            return Change(KEPT, item, existing, change.differences, protection)
        problem = problem or self._people.refusal(item)
        return change if problem is None else Change(REFUSED, item, existing, change.differences, problem)

    def _as_it_may_be(self, item: Account, existing: Account) -> Account:
        """An account that is there already, without what is not to be changed of it."""
        if self._options.passwords == "keep" or part_of(item) not in self._options.parts:
            # whoever brings it decides about that
            item = dataclasses.replace(item, password_hash="")
        return as_here(item, existing, self._options.match_directory, self._options.same)

    def _obstacle(self, item: Item, existing: Item | None) -> MigrationError | None:
        """Why an item cannot be, for reasons that are no product's own."""
        if isinstance(item, Account):
            if item.name in self._collisions:
                return self._collisions[item.name]
            if isinstance(existing, Account):
                stays = self._is_kept(item.name) or item.name == self._people.own_account
                return _another(item, existing, item.name in self._options.same or stays)
            return None
        return self._missing(item)

    def _missing(self, item: Item) -> MigrationError | None:
        """What an item needs, and neither is at the destination nor comes to it."""
        refused = self._refused_need(item)
        if refused is not None:
            return refused
        for cls, key in needs(item):
            there = self._existing.find(cls, key)
            coming = self._wanted.find(cls, key)
            if coming is not None and part_of(coming) not in (*self._options.parts, *self._options.coming):
                coming = None
            found = there if there is not None else coming
            if found is None:
                name = "/".join(key)
                return ItemRefused(
                    f"needs the {cls.kind} {name}, which the destination does not have and this run does not bring.",
                    subject=item.title,
                    hint="Have it in the selection and the parts of the same run, or of one before; or mend it at the source.",
                )
        return None

    def _refused_need(self, item: Item) -> MigrationError | None:
        """What an item needs, and is refused."""
        for cls, key in needs(item):
            refused = self._refused.get((cls.kind, key))
            if refused is not None:
                name = "/".join(key)
                return ItemRefused(f"needs the {cls.kind} {name}, which is refused.", subject=item.title, hint=f"Of that: {refused}")
        return None

    def _built_in_protection(self, item: Item, change: Change) -> MigrationError | None:
        """Why something that belongs to an account is left as the destination has it."""
        if isinstance(item, Account) or not change.is_due or not any(map(self._is_kept, rights_of(item))):
            return None
        if isinstance(item, Token) and item.owner == self._people.own_account:
            # kept in any case, for another reason
            return None
        return ItemRefused(
            "belongs to an account that every installation has, and is not taken along.",
            subject=item.title,
            hint="Set built_in to replace to take it along.",
        )

    def _protection(self, item: Item, existing: Item | None, change: Change) -> MigrationError | None:
        """Why an item is left as the destination has it."""
        if isinstance(item, Account):
            if existing is not None and change.differences and item.name == self._people.own_account:
                return _own(item, "it stays as it is")
            if existing is not None and change.differences and self._is_kept(item.name):
                return ItemRefused(
                    "is an account that every installation has; it stays as it is.",
                    subject=item.title,
                    hint="Set built_in to replace to make it that of the source, its password too.",
                )
        if isinstance(item, Token) and item.owner == self._people.own_account and change.is_due:
            return _own(item, "its tokens are not taken along")
        if isinstance(item, TeamMembership) and existing is None:
            return self._synchronized(item)
        return None

    def _synchronized(self, item: TeamMembership) -> MigrationError | None:
        """Whether a member comes to a team from its directory, and by no other way."""
        key = (item.organization, item.team)
        # a team that does not follow it yet begins to only when it has its members
        team, coming = self._existing.of(Team).get(key), self._wanted.of(Team).get(key)
        if coming is not None and coming.directory_sync == {}:
            return None
        user = self._wanted.of(Account).get((item.user,)) or self._existing.of(Account).get((item.user,))
        if team is None or user is None or not team.directory_sync or not user.directory_name:
            return None
        return ItemRefused(
            "comes to the team with the directory's next synchronization.", subject=item.title, hint="Have the destination synchronize."
        )

    def _is_kept(self, name: str) -> bool:
        there = self._existing.find(Account, (name,)) is not None
        return there and name in self._people.built_in and self._options.built_in == "keep"

    def _surplus(self, item: Item) -> Change:
        if isinstance(item, TeamMembership) and self._synchronized(item) is not None:
            # the directory has put it there, and would again
            return Change(SURPLUS, None, item)
        is_own = isinstance(item, (Account, Token)) and self._people.own_account in rights_of(item)
        stays = is_own or bool(self._people.built_in & {*rights_of(item), *(key[0] for _cls, key in needs(item))})
        removed = self._options.surplus == "remove" and item.kind in self._options.removed and not stays
        return Change(REMOVED if removed else SURPLUS, None, item)


def rights_of(item: Item) -> tuple[str, ...]:
    """The accounts whose own something is, or whose rights or members it says: where these stay as they are, it does.

    Repositories, and what happens in them, are nobody's rights.
    """
    if isinstance(item, Account):
        return (item.name,)
    if isinstance(item, Token):
        return (item.owner,)
    if isinstance(item, (Membership, TeamMembership)):
        return (item.organization, item.user)
    if isinstance(item, Team):
        return (item.organization,)
    return (item.organization, item.namespace) if isinstance(item, Grant) else ()


def _own(item: Item, text: str) -> MigrationError:
    return ItemRefused(
        f"belongs to the account that the destination is signed in to with; {text}.",
        subject=item.title,
        hint="Sign in to the destination with another account to have this one brought over too.",
    )


def needs(item: Item) -> list[tuple[type[t.Any], Key]]:
    """What has to be there before an item can be: classes and keys."""
    if isinstance(item, Membership):
        return [(Account, (item.organization,)), (Account, (item.user,))]
    if isinstance(item, Team):
        return [(Account, (item.organization,))]
    if isinstance(item, TeamMembership):
        return [(Team, (item.organization, item.team)), (Account, (item.user,))]
    if isinstance(item, Repository):
        return [(Account, (item.namespace,))]
    if isinstance(item, Grant):
        where: tuple[type[t.Any], Key] = (
            (Repository, (item.namespace, item.repository)) if item.repository else (Account, (item.namespace,))
        )
        return [(Team, (item.organization, item.team)), where]
    if isinstance(item, Token):
        return [(Account, (item.owner,))]
    if isinstance(item, Webhook):
        return _scope(item.scope)
    if isinstance(item, Policy):
        return [*_scope(item.repository), *(_scope(item.target) if item.does == "promotion" else [])]
    return []


def _scope(path: str) -> list[tuple[type[t.Any], Key]]:
    """What a path names: nothing, a namespace or a repository."""
    namespace, slash, name = path.partition("/")
    if slash:
        return [(Repository, (namespace, name))]
    return [(Account, (namespace,))] if namespace else []


def as_here(item: Account, existing: Account, match_directory: bool, same: t.Collection[str]) -> Account:
    """An account of the source without what does not count for the one that is there: who comes from a directory has the password of that,
    and one of the product's own of whom somebody has said that it is the same (`same`) belongs to the directory from now on.
    """
    if existing.directory_name:
        item = dataclasses.replace(item, password_hash="")
    to_directory = item.name in same and existing.directory_name and not item.directory_name
    return dataclasses.replace(item, directory_name=None) if to_directory or not match_directory else item


def _another(item: Account, existing: Account, known: bool) -> MigrationError | None:
    """Whether an account of the same name is another one. `known`: one comes from a directory, and that does not make it another."""
    if item.is_organization != existing.is_organization:
        kinds = {True: "an organization", False: "a user"}
        return ItemRefused(
            f"is {kinds[item.is_organization]} at the source, and {kinds[existing.is_organization]} at the destination.",
            subject=item.title,
            hint="Give it another name with rename, or leave it out.",
        )
    if item.directory_name and existing.directory_name and not same_entry(item.directory_name, existing.directory_name):
        return ItemRefused(
            f"is {item.directory_name} in the source's directory, and {existing.directory_name} in that of the destination.",
            subject=item.title,
            hint="If they are two people, give one another name with rename; if the directory has moved, set match_directory to false.",
        )
    # None is not known
    if not known and item.directory_name and existing.directory_name is None and item.is_active and existing.is_active is False:
        # a run that found the entry of a stranger leaves it inactive
        return ItemRefused(
            "is inactive at the destination, and nobody can tell whether it is the same entry of the directory.",
            subject=item.title,
            hint=f"Give the way to the destination's database; or say that it is the same with rename: {{{item.name}: {item.name}}}.",
        )
    if not known and "" in (item.directory_name, existing.directory_name) and (item.directory_name or existing.directory_name):
        here, there = ("the destination", "the source") if existing.directory_name else ("the source", "the destination")
        one = f"{{{item.name}: {item.name}}}"
        return ItemRefused(
            f"comes from a directory at {here}, and is an account of the product's own at {there}.",
            subject=item.title,
            hint=f"If they are two people, give one another name with rename; if they are one, say so with rename: {one}.",
        )
    return None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _case_collisions(wanted: Estate, existing: Estate) -> dict[str, MigrationError]:
    """Accounts whose names differ only in case from those of others: no registry can tell them apart."""
    alike: dict[str, set[str]] = collections.defaultdict(set)
    for (name,) in (*wanted.of(Account), *existing.of(Account)):
        alike[_folded(name)].add(name)
    collisions: dict[str, MigrationError] = {}
    for names in alike.values():
        for name in names if len(names) > 1 else ():
            others = ", ".join(sorted(names - {name}))
            collisions[name] = NameCollision(
                f"differs only in case from {others}.",
                subject=f"account {name}",
                hint="Give one of them another name with rename; where they are one person, give both sides one name.",
            )
    return collisions

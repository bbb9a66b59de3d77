# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The proof: what both sides have, item by item; what everybody may do, computed from both; and the products' own word for a part."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import random
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.access import (
    KINDS as ACCESS_KINDS,
    AccessComparison,
    AccessDifference,
    AccessMatrix,
    compare_access,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import CHANGED, CREATED, PARTS, People, part_of
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import CLASSES, Account, Estate, Item, Token
from ansible_collections.registryops.migration.plugins.module_utils._identity.planning import as_here, change_of, rights_of

#: what can be said of an item when both sides are compared
EQUAL, MISSING, DIFFERENT, SURPLUS, KEPT = "equal", "missing", "different", "surplus", "kept"
OUTCOMES = (EQUAL, MISSING, DIFFERENT, SURPLUS, KEPT)

#: pairs of a user and a repository, one of whom is drawn from what somebody may by a right of the own, the other from all
_SEED = 1
_THREADS = 16

SurplusIs = t.Literal["ignore", "report", "fail"]


@dataclasses.dataclass(frozen=True)
class ItemDifference:
    """An item that is not the same on both sides. `outcome`: missing (at the destination), different, or surplus (there alone)."""

    outcome: str
    item: Item
    differences: t.Mapping[str, tuple[t.Any, t.Any]] = dataclasses.field(default_factory=dict)

    def as_row(self) -> dict[str, t.Any]:
        """The form in which it stands in results and reports."""
        row: dict[str, t.Any] = {"kind": self.item.kind, "name": self.item.title, "outcome": self.outcome}
        if self.differences:
            row["differences"] = {name: {"source": after, "destination": before} for name, (before, after) in self.differences.items()}
        return row


@dataclasses.dataclass(frozen=True)
class SampleDifference:
    """What the products themselves say of a user and a repository is not the same, or not what is computed of what they have.

    `source` is None for nothing, and empty where the source was not asked.
    """

    user: str
    repository: str
    computed: str | None
    source: str | None
    destination: str | None

    def as_row(self) -> dict[str, t.Any]:
        """The form in which it stands in results and reports."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class LoginDifference:
    """A password or token that gets in on one side only."""

    user: str
    source: bool
    destination: bool

    def as_row(self) -> dict[str, t.Any]:
        """The form in which it stands in results and reports."""
        return dataclasses.asdict(self)


@dataclasses.dataclass
class Verified:
    """What a verification found. `uncompared`: what of it one side could not tell, and why: kinds, `password_hash`, `directory_name`, and
    `access` where rights cannot be computed. `unproven`: those of them that nobody has said may be missing; they are never called equal.
    `kept_namespaces`: what may be done there is the destination's own; `kept_access` is how that differs, and counts for nothing.
    """

    counts: dict[str, collections.Counter[str]] = dataclasses.field(default_factory=dict)
    items: list[ItemDifference] = dataclasses.field(default_factory=list)
    surplus: list[ItemDifference] = dataclasses.field(default_factory=list)
    access: AccessComparison | None = None
    kept_namespaces: set[str] = dataclasses.field(default_factory=set)
    kept_access: list[AccessDifference] = dataclasses.field(default_factory=list)
    sampled: int = 0
    sample: list[SampleDifference] = dataclasses.field(default_factory=list)
    logins_tried: int = 0
    logins: list[LoginDifference] = dataclasses.field(default_factory=list)
    uncompared: dict[str, str] = dataclasses.field(default_factory=dict)
    unproven: list[str] = dataclasses.field(default_factory=list)
    surplus_fails: bool = False

    @property
    def different(self) -> int:
        """How many differences there are of those that count."""
        rights = len(self.access.differences) if self.access is not None else 0
        surplus = len(self.surplus) if self.surplus_fails else 0
        return rights + len(self.items) + len(self.sample) + len(self.logins) + len(self.unproven) + surplus

    def as_document(self) -> dict[str, t.Any]:
        """All of it, for a file: what differs first."""
        return {
            "different": self.different,
            "access": {
                "compared": self.access.cells if self.access is not None else 0,
                "kept": [one.as_row() for one in self.kept_access],
                "differences": [one.as_row() for one in self.access.differences] if self.access is not None else [],
            },
            "items": [one.as_row() for one in self.items],
            "sample": {"asked": self.sampled, "differences": [one.as_row() for one in self.sample]},
            "logins": {"tried": self.logins_tried, "differences": [one.as_row() for one in self.logins]},
            "surplus": [one.as_row() for one in self.surplus],
            "surplus_fails": self.surplus_fails,
            "counts": {kind: {outcome: counts[outcome] for outcome in OUTCOMES} for kind, counts in self.counts.items()},
            "uncompared": dict(self.uncompared),
            "unproven": list(self.unproven),
        }


@dataclasses.dataclass(frozen=True)
class VerifyOptions:
    """`parts`: what is compared. `kept`: accounts of the destination that stay its own, with their tokens, rights and members, as far as
    they are there; of `own_account` the rights are those of the source. `match_directory`: the entries of users in the directory are
    compared, but for those in `same`, which are known to be the same. `without`: kinds of which something may be missing. `sample`: pairs
    of a user and a repository of which the products are asked; -1 for all.
    """

    parts: t.Collection[str]
    kept: t.Collection[str] = ()
    own_account: str = ""
    match_directory: bool = True
    same: t.Collection[str] = ()
    without: t.Collection[str] = ()
    surplus: SurplusIs = "report"
    sample: int = 100

    @property
    def not_asked(self) -> set[str]:
        """Users of whom it does not matter what they may do: they may do what they could before."""
        return {*self.kept, self.own_account}


def compare(
    wanted: Estate, existing: Estate, options: VerifyOptions, surplus: t.Iterable[Item] = (), whole: Estate | None = None
) -> Verified:
    """Compare what both sides have, and what everybody may do by that.

    `wanted`: what of the source counts, in the names of the destination. `surplus`: what the destination has beyond it. `whole`: all that
    is known of the source, in the same names; its other users may miss rights to what is selected, and must have no more than there.
    """
    result = Verified(surplus_fails=options.surplus == "fail")
    unread = {what: reason for side in (wanted, existing) for what, reason in side.unread.items()}
    result.uncompared = {what: reason for what, reason in unread.items() if _matters(what, wanted, options)}
    hashes_known = "password_hash" not in existing.unread
    for item in wanted:
        if part_of(item) not in options.parts or item.kind in unread:
            continue
        outcome, differences = _compared(item, existing, options, hashes_known)
        result.counts.setdefault(item.kind, collections.Counter())[outcome] += 1
        if outcome in (MISSING, DIFFERENT):
            result.items.append(ItemDifference(outcome, item, differences))
    for item in surplus if options.surplus != "ignore" else ():
        if part_of(item) in options.parts and item.kind not in unread:
            result.counts.setdefault(item.kind, collections.Counter())[SURPLUS] += 1
            result.surplus.append(ItemDifference(SURPLUS, item))
    unknown = [kind for kind in ACCESS_KINDS if kind in unread]
    if unknown and "repositories" in options.parts:
        result.uncompared["access"] = f"what everybody may do depends on {', '.join(unknown)}: {unread[unknown[0]]}"
    result.unproven = [
        what
        for what in result.uncompared
        if what not in options.without and what != "directory_name" and not (what == "access" and set(unknown) <= set(options.without))
    ]
    if not unknown and "repositories" in options.parts:
        users = {account.name for account in wanted.of(Account).values() if not account.is_organization} - options.not_asked
        # the matrix of the destination has its own users too: what they may is compared for those of the source
        before, there = AccessMatrix(wanted), AccessMatrix(existing)
        # what everybody may do there is the destination's own, as rights to it are not taken along
        result.kept_namespaces = {name for name in options.kept if existing.find(Account, (name,)) is not None}
        repositories = {(namespace, name) for namespace, name in before.repositories if namespace not in result.kept_namespaces}
        result.access = compare_access(before, there, users, repositories)
        result.kept_access = compare_access(before, there, users, before.repositories - repositories).differences
        if whole is not None:
            others = AccessMatrix(whole)
            more = compare_access(others, there, others.users - users - options.not_asked, repositories)
            result.access.cells += more.cells
            result.access.differences += [one for one in more.differences if one.is_wider]
    return result


def _matters(what: str, wanted: Estate, options: VerifyOptions) -> bool:
    """Whether something that one side could not tell belongs to what is compared."""
    if what in CLASSES:
        return any(what in PARTS[part] for part in options.parts)
    if "accounts" not in options.parts:
        return False
    users = [one for one in wanted.of(Account).values() if not one.is_organization and one.name not in options.not_asked]
    if what == "password_hash":
        return any(one.password_hash or "password_hash" in wanted.unread for one in users)
    return what == "directory_name" and options.match_directory and any(one.directory_name != "" for one in users)


def _compared(item: Item, existing: Estate, options: VerifyOptions, hashes_known: bool) -> tuple[str, t.Mapping[str, tuple[t.Any, t.Any]]]:
    stays = any(name in options.kept and existing.find(Account, (name,)) is not None for name in rights_of(item))
    stays = stays or (isinstance(item, (Account, Token)) and options.own_account in rights_of(item))
    there = existing.like(item)
    if isinstance(item, Account) and isinstance(there, Account):
        item = as_here(item, there, options.match_directory, options.same)
    change = change_of(item, there, hashes_known)
    if change.state in (CREATED, CHANGED) and stays:
        return KEPT, {}
    if change.state == CREATED:
        return KEPT if item.kind in options.without else MISSING, {}
    return (DIFFERENT, change.differences) if change.state == CHANGED else (EQUAL, {})


def ask_sample(
    result: Verified, wanted: Estate, source: People | None, destination: People, names: t.Mapping[str, str], options: VerifyOptions
) -> None:
    """Ask the products themselves what some users may do with some repositories, and note where they do not agree.

    `names`: accounts of the source that are called otherwise at the destination, `{name there: name here}`. `source` is None where only
    a file of it is at hand. Which pairs are drawn depends on what there is alone.
    """
    matrix = AccessMatrix(wanted)
    pairs = _drawn(matrix, options.not_asked, result.kept_namespaces, options.sample)
    old_names = {new: old for old, new in names.items()}

    def ask(pair: tuple[str, str, str]) -> SampleDifference | None:
        user, namespace, repository = pair
        computed = matrix.level(user, namespace, repository)
        here = destination.level(user, namespace, repository)
        there: str | None = ""
        if source is not None:
            there = source.level(old_names.get(user, user), old_names.get(namespace, namespace), repository)
        if here == computed and there in ("", computed):
            return None
        return SampleDifference(user, f"{namespace}/{repository}", computed, there, here)

    result.sampled = len(pairs)
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        result.sample = [found for found in pool.map(ask, pairs) if found is not None]


def _drawn(matrix: AccessMatrix, kept: set[str], kept_namespaces: set[str], number: int) -> list[tuple[str, str, str]]:
    """Pairs to ask about: half of them such as have a right of their own, which chance would seldom meet."""
    users = sorted(user for user in matrix.users - kept if matrix.is_active(user))
    repositories = sorted(one for one in matrix.repositories if one[0] not in kept_namespaces)
    if number < 0:
        return [(user, namespace, name) for namespace, name in repositories for user in users]
    chance = random.Random(_SEED)  # noqa: S311 - no secret depends on it
    rights = [
        (user, namespace, name) for user, namespace, name, _level in matrix.cells() if user not in kept and namespace not in kept_namespaces
    ]
    drawn = dict.fromkeys(chance.sample(rights, min(len(rights), (number + 1) // 2)))
    every = len(users) * len(repositories)
    for place in chance.sample(range(every), min(every, number)):
        if len(drawn) >= number:
            break
        namespace, name = repositories[place // len(users)]
        drawn[users[place % len(users)], namespace, name] = None
    return list(drawn)


def try_logins(
    result: Verified,
    logins: t.Iterable[tuple[str, str]],
    source: People | None,
    destination: People,
    names: t.Mapping[str, str],
) -> None:
    """Try passwords and tokens of users of the source on both sides, and note where only one of them lets them in."""
    for user, secret in logins:
        before = source.lets_in(user, secret) if source is not None else True
        after = destination.lets_in(names.get(user, user), secret)
        result.logins_tried += 1
        if before != after:
            result.logins.append(LoginDifference(user, before, after))

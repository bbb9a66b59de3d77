# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What every user may do with every repository, all rights together.

The rules are those that the products of this family have in common: an administrator of the installation may do everything, so may the
admins of an organization in it and a user with the own repositories; what teams are granted adds up; everybody reads what is public; who
is not active gets in nowhere.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    LEVELS,
    Account,
    Estate,
    Grant,
    Membership,
    Repository,
    TeamMembership,
)

#: the kinds that say it
KINDS = ("account", "team", "membership", "team_membership", "repository", "grant")
_RANK = {level: rank for rank, level in enumerate(LEVELS, 1)}


class AccessMatrix:
    """Users against repositories. Only what is more than everybody may is kept, so that it stays small."""

    def __init__(self, estate: Estate) -> None:
        accounts = estate.of(Account).values()
        self.users = frozenset(one.name for one in accounts if not one.is_organization)
        self._active = frozenset(one.name for one in accounts if not one.is_organization and one.is_active is not False)
        self._administrators = frozenset(one.name for one in accounts if one.is_admin and one.name in self._active)
        self.repositories = frozenset((one.namespace, one.name) for one in estate.of(Repository).values())
        self._public = frozenset((one.namespace, one.name) for one in estate.of(Repository).values() if one.visibility == "public")
        self._admins: dict[str, set[str]] = collections.defaultdict(set)
        for membership in estate.of(Membership).values():
            if membership.is_admin:
                self._admins[membership.organization].add(membership.user)
        members: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
        for one in estate.of(TeamMembership).values():
            members[one.organization, one.team].append(one.user)
        #: by namespace and repository, an empty one for all of the namespace
        self._granted: dict[tuple[str, str], dict[str, int]] = collections.defaultdict(dict)
        for grant in estate.of(Grant).values():
            ranks = self._granted[grant.namespace, grant.repository]
            for user in members.get((grant.organization, grant.team), ()):
                ranks[user] = max(ranks.get(user, 0), _RANK[grant.level])

    def level(self, user: str, namespace: str, repository: str) -> str | None:
        """What a user may do: one of LEVELS, None for nothing."""
        rank = self._rank(user, namespace, repository)
        return LEVELS[rank - 1] if rank else None

    def _rank(self, user: str, namespace: str, repository: str) -> int:
        if user not in self._active or (namespace, repository) not in self.repositories:
            return 0
        if user in self._administrators or user == namespace or user in self._admins.get(namespace, ()):
            return len(LEVELS)
        everywhere = self._granted.get((namespace, ""), {}).get(user, 0)
        here = self._granted.get((namespace, repository), {}).get(user, 0)
        return max(everywhere, here, 1 if (namespace, repository) in self._public else 0)

    def special(self, namespace: str, repository: str) -> set[str]:
        """Everybody who may do more with a repository than somebody of whom nothing else is known."""
        users = set(self._administrators) | self._admins.get(namespace, set())
        users.update(self._granted.get((namespace, ""), {}), self._granted.get((namespace, repository), {}))
        return users | {namespace}

    def usual(self, namespace: str, repository: str) -> str | None:
        """What everybody else may do who is active."""
        return LEVELS[0] if (namespace, repository) in self._public else None

    def is_active(self, user: str) -> bool:
        """Whether a user gets in at all."""
        return user in self._active

    def cells(self) -> t.Iterator[tuple[str, str, str, str]]:
        """Everything that somebody may by a right of the own: user, namespace, repository, level; in the order of names."""
        for namespace, repository in sorted(self.repositories):
            for user in sorted(self.special(namespace, repository) & self._active):
                level = self.level(user, namespace, repository)
                if level is not None:
                    yield user, namespace, repository, level


@dataclasses.dataclass(frozen=True)
class AccessDifference:
    """A user may do something else with a repository at the destination (`after`) than at the source (`before`); None is nothing."""

    user: str
    repository: str
    before: str | None
    after: str | None

    @property
    def is_wider(self) -> bool:
        """Whether it is more at the destination."""
        return _RANK.get(self.after or "", 0) > _RANK.get(self.before or "", 0)

    def as_row(self) -> dict[str, t.Any]:
        """The form in which it stands in results and reports."""
        return dataclasses.asdict(self)


@dataclasses.dataclass
class AccessComparison:
    """`cells`: how many pairs of a user and a repository were compared; `differences`: those that are not equal."""

    cells: int = 0
    differences: list[AccessDifference] = dataclasses.field(default_factory=list)


def compare_access(
    source: AccessMatrix, destination: AccessMatrix, users: t.Collection[str], repositories: t.Iterable[tuple[str, str]]
) -> AccessComparison:
    """The rights of some users to some repositories, on both sides: each pair is compared, most of them by what everybody may."""
    result = AccessComparison()
    known = set(users)
    # who is active on one side only differs wherever everybody may do something
    one_sided = {user for user in known if source.is_active(user) != destination.is_active(user)}
    for namespace, repository in sorted(repositories):
        result.cells += len(known)
        same = source.usual(namespace, repository) == destination.usual(namespace, repository)
        looked_at = source.special(namespace, repository) | destination.special(namespace, repository) | one_sided if same else known
        for user in sorted(known & looked_at):
            before, after = (side.level(user, namespace, repository) for side in (source, destination))
            if before != after:
                result.differences.append(AccessDifference(user, f"{namespace}/{repository}", before, after))
    return result

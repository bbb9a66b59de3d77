# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Whose people are moved: by organization, repository and user, each with everything that it needs.

Three selections of names, each two lists of patterns as in `_copying/selection.py`. One with something to include chooses: what is not
chosen of its kind is out, and the kinds that no selection chooses are what the chosen ones need:

- an organization: its teams, members, grants and repositories, and its members as users;
- a repository: its namespace, the teams with a grant on it or on its namespace, their members, and the admins of the namespace;
- a user: the organizations and teams that the user belongs to, the user's own repositories and tokens.

Several that choose narrow each other. One that only excludes takes out what it names, and what belongs to that.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.options import check_keys, strings, whole_number
from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import Patterns, moment_or_age, parse_moment
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    Account,
    Estate,
    Grant,
    Item,
    Membership,
    Policy,
    Repository,
    Team,
    TeamMembership,
    Token,
    Webhook,
)


@dataclasses.dataclass(frozen=True)
class Names:
    """A selection of names of one kind."""

    include: Patterns = dataclasses.field(default_factory=Patterns)
    exclude: Patterns = dataclasses.field(default_factory=Patterns)

    @classmethod
    def from_options(cls, options: t.Any, option: str) -> Names:
        """Build from an option; InvalidOption names what is wrong."""
        given = check_keys(options, option, ("include", "exclude"))
        return cls(*(Patterns.parse(strings(given, key, option), f"{option}.{key}", lambda name: None) for key in ("include", "exclude")))

    def match(self, name: str) -> bool:
        """Whether it takes part."""
        return (not self.include or self.include.match(name)) and not self.exclude.match(name)


@dataclasses.dataclass(frozen=True)
class Selection:
    """Of what, and of whom.

    `newest_tokens`: so many tokens of each user, those that were used (or else made) last. `used_since`: only tokens that were used since,
    a moment, or a span of time before now.
    """

    organizations: Names = dataclasses.field(default_factory=Names)
    repositories: Names = dataclasses.field(default_factory=Names)
    users: Names = dataclasses.field(default_factory=Names)
    newest_tokens: int | None = None
    used_since: datetime.datetime | datetime.timedelta | None = None

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> Selection:
        """Build from the options of a module; InvalidOption names what is wrong."""
        tokens = check_keys(options.get("tokens"), "tokens", ("newest", "used_since"))
        since = tokens.get("used_since")
        return cls(
            **{name: Names.from_options(options.get(name), name) for name in ("organizations", "repositories", "users")},
            newest_tokens=whole_number(tokens, "newest", "tokens", 0),
            used_since=None if since is None else moment_or_age(since, "tokens.used_since"),
        )

    @property
    def narrows(self) -> bool:
        """Whether anything but tokens is left out."""
        return any(one.include or one.exclude for one in (self.organizations, self.repositories, self.users))

    @property
    def leaves_out(self) -> bool:
        """Whether anything is left out, tokens too."""
        return self.narrows or self.newest_tokens is not None or self.used_since is not None

    @property
    def kinds(self) -> set[str]:
        """The kinds that have to be known for it."""
        if self.repositories.include:
            return {"account", "team", "membership", "team_membership", "repository", "grant"}
        if self.organizations.include or self.users.include:
            return {"account", "membership", "team_membership"}
        return {"account"}

    @property
    def namespaces(self) -> list[str] | None:
        """The only namespaces of which anything is of interest, where names alone say so."""
        names = [name for name in self.organizations.include.names if not self.organizations.exclude.match(name)]
        if not self.organizations.include or self.organizations.include.expressions:
            return None
        # users take their own repositories along
        return None if self.users.include or self.repositories.include else names

    def unmatched(self, estate: Estate) -> list[str]:
        """Warnings about patterns to include that match nothing of an estate with all of `kinds`: they are mostly misspelt."""
        names = {
            "organizations": [account.name for account in estate.of(Account).values() if account.is_organization],
            "users": [account.name for account in estate.of(Account).values() if not account.is_organization],
            "repositories": [repository.path for repository in estate.of(Repository).values()],
        }
        warnings = []
        for option, known in names.items():
            chosen: Names = getattr(self, option)
            warnings += [f"{option}.include: {pattern} matches nothing at the source." for pattern in chosen.include.unmatched(known)]
        return warnings


def select(estate: Estate, selection: Selection, now: datetime.datetime | None = None) -> Estate:
    """The part of an estate that is selected, with what it needs. `now` is for spans of time."""
    chosen = _Chosen(estate, selection) if selection.narrows else None
    result = estate.without_items()
    result.is_part = result.is_part or selection.leaves_out
    for item in estate:
        if not isinstance(item, Token) and (chosen is None or chosen.has(item)):
            result.add(item)
    tokens = [token for token in estate.of(Token).values() if chosen is None or token.owner in chosen.users]
    for token in _tokens(tokens, selection, now or datetime.datetime.now(datetime.timezone.utc)):
        result.add(token)
    return result


class _Chosen:
    """The names of what is selected."""

    def __init__(self, estate: Estate, selection: Selection) -> None:
        accounts = estate.of(Account).values()
        teams = estate.of(Team)
        self._members = list(estate.of(TeamMembership).values())
        belonging: list[Membership | TeamMembership] = [*estate.of(Membership).values(), *self._members]
        by_organization, by_repository, by_user = (
            bool(names.include) for names in (selection.organizations, selection.repositories, selection.users)
        )
        self.organizations = {one.name for one in accounts if one.is_organization and selection.organizations.match(one.name)}
        self.users = {one.name for one in accounts if not one.is_organization and selection.users.match(one.name)}
        if by_user and not (by_organization or by_repository):
            self.organizations &= {one.organization for one in belonging if one.user in self.users}
        namespaces = self.organizations | self.users
        if by_organization or by_user:
            namespaces = (self.organizations if by_organization else set()) | (self.users if by_user else set())
        self.repositories = {
            one.path for one in estate.of(Repository).values() if one.namespace in namespaces and selection.repositories.match(one.path)
        }
        if by_organization and not by_user:
            self.users &= {one.user for one in belonging if one.organization in self.organizations}
        self.teams = {key for key, team in teams.items() if team.organization in self.organizations}
        if by_repository and not by_organization:
            self._narrow_to_repositories(estate, users_too=not by_user)
        elif by_user and not by_organization:
            self.teams &= {(one.organization, one.team) for one in self._members if one.user in self.users}

    def _narrow_to_repositories(self, estate: Estate, users_too: bool) -> None:
        """Leave no more of teams, organizations and users than the selected repositories need."""
        namespaces = {path.partition("/")[0] for path in self.repositories}
        self.teams &= {
            (grant.organization, grant.team)
            for grant in estate.of(Grant).values()
            if (f"{grant.namespace}/{grant.repository}" in self.repositories if grant.repository else grant.namespace in namespaces)
        }
        self.organizations &= namespaces | {organization for organization, _team in self.teams}
        if users_too:
            needed = {one.user for one in self._members if (one.organization, one.team) in self.teams}
            admins = {one.user for one in estate.of(Membership).values() if one.is_admin and one.organization in namespaces}
            self.users &= needed | admins | namespaces

    def has(self, item: Item) -> bool:
        """Whether an item that is no token is selected."""
        if isinstance(item, Account):
            return item.name in (self.organizations if item.is_organization else self.users)
        if isinstance(item, Membership):
            return item.organization in self.organizations and item.user in self.users
        if isinstance(item, Team):
            return item.key in self.teams
        if isinstance(item, TeamMembership):
            return (item.organization, item.team) in self.teams and item.user in self.users
        if isinstance(item, Repository):
            return item.path in self.repositories
        if isinstance(item, Grant):
            where = f"{item.namespace}/{item.repository}"
            return (item.organization, item.team) in self.teams and (not item.repository or where in self.repositories)
        if isinstance(item, Webhook):
            return self._covers(item.scope)
        if isinstance(item, Policy):
            return item.repository in self.repositories
        return False

    def _covers(self, scope: str) -> bool:
        """Whether the scope of a webhook is selected; that of the whole registry is not, where only a part is."""
        return scope in self.repositories if "/" in scope else scope in self.organizations or scope in self.users


def _tokens(tokens: t.Iterable[Token], selection: Selection, now: datetime.datetime) -> t.Iterator[Token]:
    by_owner: dict[str, list[Token]] = collections.defaultdict(list)
    since = now - selection.used_since if isinstance(selection.used_since, datetime.timedelta) else selection.used_since
    for token in tokens:
        used = _moment(token.last_used)
        if since is None or (used is not None and used >= since):
            by_owner[token.owner].append(token)
    for mine in by_owner.values():
        if selection.newest_tokens is not None:
            mine = sorted(mine, key=lambda token: (-_age_key(token), token.token_hash))[: selection.newest_tokens]
        yield from mine


def _age_key(token: Token) -> float:
    """When a token was used last, else when it was made, in seconds since 1970; 0 where neither is known."""
    moments = [moment for moment in (_moment(token.last_used), _moment(token.created or "")) if moment is not None]
    return max((moment.timestamp() for moment in moments), default=0.0)


def _moment(text: str) -> datetime.datetime | None:
    return parse_moment(text) if text else None

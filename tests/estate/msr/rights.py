# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what in an MSR: as an administrator, an owner, an admin of an organization, a member of teams, or as anybody."""

from __future__ import annotations

import typing as t

from estate.msr.rows import ACCOUNTS, MEMBERS, NAMESPACE_GRANTS, REPOSITORY_GRANTS, TEAM_MEMBERS, TEAMS, Row
from estate.msr.store import key_of

if t.TYPE_CHECKING:
    from estate.msr.tables import Tables

#: each more than the one before
LEVELS = ("read-only", "read-write", "admin")


def membership(tables: Tables, organization: Row, user: Row) -> Row | None:
    """How a user belongs to an organization."""
    return tables.get(MEMBERS, key_of(organization["id"], user["id"]))


def teams_of(tables: Tables, organization: Row, user: Row) -> list[Row]:
    """The teams of an organization that a user is in."""
    mine = {row["teamID"] for row in tables.by(TEAM_MEMBERS, "userID", user["id"])}
    return [row for row in tables.by(TEAMS, "orgID", organization["id"]) if row["id"] in mine]


def namespace_level(tables: Tables, user: Row | None, namespace: Row) -> str | None:
    """What a user may do with all repositories of an account; None for nothing. `user` is None for nobody in particular."""
    if user is None or not user.get("isActive", True):
        return None
    if user.get("isAdmin") or user["id"] == namespace["id"]:
        return "admin"
    if not namespace.get("isOrg"):
        return None
    member = membership(tables, namespace, user)
    if member is not None and member.get("isAdmin"):
        return "admin"
    grants = [tables.get(NAMESPACE_GRANTS, key_of(namespace["id"], team["id"])) for team in teams_of(tables, namespace, user)]
    return highest(*(grant["accessLevel"] for grant in grants if grant))


def repository_level(tables: Tables, user: Row | None, repository: Row) -> str | None:
    """What a user may do with a repository: the most that any of their teams may, and a public one is there for everybody."""
    namespace = tables.one(ACCOUNTS, "id", repository["namespaceAccountID"])
    if user is not None and not user.get("isActive", True):
        return None
    found = ["read-only"] if repository.get("visibility") == "public" else []
    if namespace is not None:
        found += [level for level in [namespace_level(tables, user, namespace)] if level]
        if user is not None and namespace.get("isOrg"):
            for team in teams_of(tables, namespace, user):
                grant = tables.get(REPOSITORY_GRANTS, key_of(repository["id"], team["id"]))
                found += [grant["accessLevel"]] if grant else []
    return highest(*found)


def highest(*levels: str) -> str | None:
    """The level that allows most."""
    return max(levels, key=LEVELS.index, default=None)


def covers(level: str | None, needed: str) -> bool:
    """Whether a level allows what another one does."""
    return level is not None and LEVELS.index(level) >= LEVELS.index(needed)

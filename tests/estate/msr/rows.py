# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the double's tables are called, where they have indexes, and how a moment of a row stands in answers."""

from __future__ import annotations

import datetime
import typing as t
import uuid

from estate.msr.store import TABLES

Row = dict[str, t.Any]
#: database and table
Place = tuple[str, str]

ACCOUNTS: Place = ("enzi", "accounts")
MEMBERS: Place = ("enzi", "org_membership")
TEAMS: Place = ("enzi", "teams")
TEAM_MEMBERS: Place = ("enzi", "team_membership")
ENZI_PROPERTIES: Place = ("enzi", "properties")
REPOSITORIES: Place = ("dtr2", "repositories")
NAMESPACE_GRANTS: Place = ("dtr2", "namespace_team_access")
REPOSITORY_GRANTS: Place = ("dtr2", "repository_team_access")
TOKENS: Place = ("dtr2", "client_tokens")
TAGS: Place = ("dtr2", "tags")
MANIFESTS: Place = ("dtr2", "manifests")
WEBHOOKS: Place = ("dtr2", "webhooks")
PROMOTIONS: Place = ("dtr2", "promotion_policies")
PRUNINGS: Place = ("dtr2", "pruning_policies")
PUSH_MIRRORINGS: Place = ("dtr2", "push_mirroring_policies")
POLL_MIRRORINGS: Place = ("dtr2", "poll_mirroring_policies")
PROPERTIES: Place = ("dtr2", "properties")

#: fields by which rows are found, beside their primary keys
INDEXES: t.Mapping[Place, tuple[str, ...]] = {
    ACCOUNTS: ("id",),
    MEMBERS: ("orgID", "userID"),
    TEAMS: ("orgID", "id"),
    TEAM_MEMBERS: ("teamID", "userID", "orgID"),
    REPOSITORIES: ("id", "namespaceAccountID"),
    NAMESPACE_GRANTS: ("namespaceID", "teamID"),
    REPOSITORY_GRANTS: ("repositoryID", "teamID"),
    TOKENS: ("accountID",),
    TAGS: ("repository",),
    MANIFESTS: ("repository",),
    PROMOTIONS: ("sourceRepository", "targetRepository"),
    PRUNINGS: ("repository",),
    PUSH_MIRRORINGS: ("localRepository",),
    POLL_MIRRORINGS: ("localRepository",),
}


def key_field(place: Place) -> str:
    """The name of a table's primary key."""
    return TABLES[place[0]][place[1]].key


def moment(when: float | datetime.datetime) -> Row:
    """A moment as it lies in a row. `when`: seconds since 1970, or a date with a time zone."""
    seconds = when.timestamp() if isinstance(when, datetime.datetime) else when
    return {"$reql_type$": "TIME", "epoch_time": seconds, "timezone": "+00:00"}


def is_moment(value: t.Any) -> bool:
    """Whether this is a moment as it lies in a row."""
    return isinstance(value, dict) and value.get("$reql_type$") == "TIME"


def written(value: t.Any) -> str:
    """A moment of a row as it stands in an answer."""
    if not is_moment(value):
        return "0001-01-01T00:00:00Z"  # what Go writes for none
    return datetime.datetime.fromtimestamp(value["epoch_time"], datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_repository(owner: Row, name: str, **fields: t.Any) -> Row:
    """The row of a repository as the product makes it."""
    row = {
        "id": str(uuid.uuid4()),
        "namespaceAccountID": owner["id"],
        "namespaceName": owner["name"],
        "name": name,
        "shortDescription": "",
        "longDescription": "",
        "visibility": "private",
        "scanOnPush": False,
        "immutableTags": False,
        "enableManifestLists": True,
        "tagLimit": 0,
        "pulls": 0,
        "pushes": 0,
    }
    return {**row, **fields}

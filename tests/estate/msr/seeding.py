# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People for the double: one by one, a small set with every case that a migration can get wrong, and a large one."""

from __future__ import annotations

import dataclasses
import typing as t
import uuid

from estate.images import OCI_MANIFEST
from estate.msr.passwords import bcrypt_hash, pbkdf2_hash, token_hash
from estate.msr.rows import (
    ACCOUNTS,
    MANIFESTS,
    MEMBERS,
    NAMESPACE_GRANTS,
    POLL_MIRRORINGS,
    PROMOTIONS,
    PRUNINGS,
    PUSH_MIRRORINGS,
    REPOSITORIES,
    REPOSITORY_GRANTS,
    TAGS,
    TEAM_MEMBERS,
    TEAMS,
    TOKENS,
    WEBHOOKS,
    Place,
    Row,
    moment,
    new_repository,
)  # fmt: skip

if t.TYPE_CHECKING:
    from estate.images import Manifest
    from estate.msr.tables import Tables

#: who every installation has
ADMINISTRATOR = "admin"
ADMINISTRATORS_PASSWORD = "the administrator's own"
BUILT_IN_ORGANIZATION = "docker-datacenter"
#: a moment that is no round number
_SOME_TIME = 1720094462.25
_DAY = 86400.0


class People:
    """Rows that belong together, by names, for an installation that has some accounts already. Ids are new in each."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.rows: dict[Place, list[Row]] = {}
        with tables.moment():
            self._accounts = {row["name"]: row for row in tables.all(ACCOUNTS)}
        self._teams: dict[tuple[str, str], Row] = {}
        self._repositories: dict[str, Row] = {}
        #: passwords by users, and access tokens with their users: what has to let them in after a migration
        self.passwords: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    def write(self) -> None:
        """Add to the stores what has come since the last time."""
        for place, rows in self.rows.items():
            self._tables.insert(place, *rows)
        self.rows.clear()

    def _add(self, place: Place, row: Row) -> Row:
        self.rows.setdefault(place, []).append(row)
        return row

    # -- accounts
    def built_in(self) -> None:
        """What every installation has: under the same names, with other ids."""
        self.user(ADMINISTRATOR, ADMINISTRATORS_PASSWORD, is_admin=True)
        self.organization(BUILT_IN_ORGANIZATION)
        self.member(BUILT_IN_ORGANIZATION, ADMINISTRATOR, is_admin=True)

    def user(self, name: str, password: str = "", *, hashed: str = "", is_admin: bool = False, dn: str = "", **fields: t.Any) -> Row:
        """A user. `hashed`: the hash of the password, where it is not the usual one; `dn`: the name in a directory."""
        if password:
            self.passwords[name] = password
            hashed = hashed or bcrypt_hash(password)
        row = {
            "name": name, "id": str(uuid.uuid4()), "fullName": "", "isOrg": False, "isAdmin": is_admin, "isActive": True,
            "passwordHash": hashed, "ldapDN": dn, **fields,
        }  # fmt: skip
        self._accounts[name] = row
        return self._add(ACCOUNTS, row)

    def organization(self, name: str, **fields: t.Any) -> Row:
        """An organization."""
        row = {"name": name, "id": str(uuid.uuid4()), "fullName": "", "isOrg": True, "ldapDN": "", **fields}
        self._accounts[name] = row
        return self._add(ACCOUNTS, row)

    def member(self, organization: str, user: str, is_admin: bool = False) -> None:
        """A user belongs to an organization."""
        ids = {"orgID": self._accounts[organization]["id"], "userID": self._accounts[user]["id"]}
        self._add(MEMBERS, {**ids, "isAdmin": is_admin, "isPublic": False})

    def team(self, organization: str, name: str, *members: str, admins: t.Collection[str] = (), **fields: t.Any) -> Row:
        """A team with its members, who are members of the organization already."""
        org = self._accounts[organization]["id"]
        row = {"orgID": org, "name": name, "id": str(uuid.uuid4()), "description": "", **fields}
        self._teams[organization, name] = row
        for user in members:
            ids = {"teamID": row["id"], "orgID": org, "userID": self._accounts[user]["id"]}
            self._add(TEAM_MEMBERS, {**ids, "isAdmin": user in admins, "isPublic": False})
        return self._add(TEAMS, row)

    # -- repositories
    def repository(self, path: str, **fields: t.Any) -> Row:
        """A repository with settings."""
        namespace, _slash, name = path.partition("/")
        row = new_repository(self._accounts[namespace], name, **fields)
        self._repositories[path] = row
        return self._add(REPOSITORIES, row)

    def grant(self, organization: str, team: str, level: str, repository: str = "") -> None:
        """What a team may do, in a repository or (without one) in all of its organization's."""
        found = {"teamID": self._teams[organization, team]["id"], "accessLevel": level}
        if repository:
            self._add(REPOSITORY_GRANTS, {"repositoryID": self._repositories[repository]["id"], **found})
        else:
            self._add(NAMESPACE_GRANTS, {"namespaceID": self._accounts[organization]["id"], **found})

    def token(self, user: str, label: str, *, is_active: bool = True, automatic: bool = False, used: bool = True) -> str:
        """An access token of a user."""
        number = len(self.tokens)
        token = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{user} {label} {number}"))
        row = {
            "token": token_hash(token), "clientID": "", "accountID": self._accounts[user]["id"], "lastFour": token[-4:],
            "creatorIP": "10.0.0.7", "creatorUA": "docker/20.10.24", "createdAt": moment(_SOME_TIME + number * 3607),
            "lastUsed": moment(_SOME_TIME + _DAY + number) if used else None, "tokenLabel": label, "isActive": is_active,
            "generatedBy": "auto" if automatic else "user",
        }  # fmt: skip
        self._add(TOKENS, row)
        self.tokens[token] = user
        return token

    def tag(self, repository: str, name: str, digest: str, *, deleted: bool = False, age: float = 0.0, **fields: t.Any) -> None:
        """A tag, as a row alone; `age`: days before some day of summer."""
        author = next(iter(self._accounts.values()))["id"]
        when = moment(_SOME_TIME - age * _DAY)
        pk = f"{repository}@{digest}"
        row = {"name": name, "repository": repository, "digest": digest, "digestPK": pk, "authorNamespace": author}
        self._add(TAGS, {"pk": f"{repository}:{name}", **row, "createdAt": when, "updatedAt": when, "deleted": deleted, **fields})

    def manifest(self, repository: str, digest: str, media_type: str, **fields: t.Any) -> None:
        """A manifest, as a row alone."""
        row = {"digest": digest, "repository": repository, "mediaType": media_type, "createdAt": moment(_SOME_TIME), "deleted": False}
        self._add(MANIFESTS, {"pk": f"{repository}@{digest}", **row, **fields})

    # -- what happens to them
    def webhook(self, event: str, key: str, endpoint: str, **fields: t.Any) -> None:
        """Somebody who is told of events."""
        row = {
            "id": str(uuid.uuid4()), "type": event, "key": key, "endpoint": endpoint, "authorID": self._accounts[ADMINISTRATOR]["id"],
            "createdAt": moment(_SOME_TIME), "inactive": False, "tlsCert": "", "skipTLSVerification": False,
        }  # fmt: skip
        self._add(WEBHOOKS, {**row, **fields})

    def promotion(self, source: str, target: str, *rules: Row, template: str = "%n", enabled: bool = True) -> None:
        """Tags are copied to another repository."""
        fields = {"sourceRepository": source, "targetRepository": target, "tagTemplate": template, "enabled": enabled, "rules": [*rules]}
        self._add(PROMOTIONS, {"id": str(uuid.uuid4()), **fields})

    def pruning(self, repository: str, *rules: Row, enabled: bool = True) -> None:
        """Tags are deleted."""
        self._add(PRUNINGS, {"id": str(uuid.uuid4()), "repository": repository, "enabled": enabled, "rules": [*rules]})

    def mirroring(self, repository: str, host: str, remote: str, *rules: Row, poll: bool = False, **fields: t.Any) -> None:
        """Tags are copied to another registry, or from it."""
        row = {
            "id": str(uuid.uuid4()), "localRepository": repository, "remoteHost": host, "remoteRepository": remote, "remoteCA": "",
            "skipTLSVerification": False, "username": "mirror", "password": "of the other registry", "authToken": "", "enabled": True,
        }  # fmt: skip
        more = {} if poll else {"rules": [*rules], "tagTemplate": "%n"}
        self._add(POLL_MIRRORINGS if poll else PUSH_MIRRORINGS, {**row, **more, **fields})


def rule(field: str, operator: str, *values: str) -> Row:
    """A condition of a policy."""
    return {"field": field, "operator": operator, "values": [*values]}


def small_set(tables: Tables) -> People:
    """Write people of a small company, with every case that has been lost in migrations before.

    Passwords in both forms, an administrator beside the built-in one, an inactive user, one from a directory, an organization without
    members that has a team all the same, admins of organizations and of teams, access for teams to a repository, to all of an
    organization's, and to both at different levels; a team from a directory and one from a single sign-on; more tokens than the usual
    limit of them for one user, used and never used, active and not; tombstones among the tags; webhooks and policies of each kind; names
    and descriptions with quotes, dollars and letters of other scripts.
    """
    people = People(tables)
    people.user("alice", "alice's password", fullName='Alice "the $HOME" O\'Neil `id`')
    people.user("bob", "bob's password", hashed=pbkdf2_hash("bob's password"), fullName="Bob $(reboot)")
    people.user("carol", "carol's password", is_admin=True)
    people.user("dave", "dave's password", isActive=False)
    people.user("erin", dn="cn=Erin Example,ou=people,dc=example,dc=com", fullName="Erin Example")
    people.user("frank.o-1@example.com", "frank's password", fullName="Frank")
    people.user("grace", "grace's password", fullName="格蕾丝 Grâce")
    people.organization("engineering", fullName='Engineering & "Research"')
    people.organization("operations")
    people.organization("empty", fullName="Nobody is in it")
    for user, is_admin in (("alice", True), ("bob", False), ("erin", False), ("grace", False), ("frank.o-1@example.com", False)):
        people.member("engineering", user, is_admin)
    for user in ("bob", "grace", "dave"):
        people.member("operations", user, user == "grace")
    people.team("engineering", "developers", "bob", "grace", admins=("grace",), description='They\'re "ours", $PATH and all')
    people.team("engineering", "readers", "frank.o-1@example.com", "bob")
    group = "cn=release,ou=groups,dc=example,dc=com"
    sync = {
        "enableSync": True, "selectGroupMembers": True, "groupDN": group, "groupMemberAttr": "member", "searchBaseDN": "",
        "searchScopeSubtree": False, "searchFilter": "",
    }  # fmt: skip
    people.team("engineering", "release", "erin", memberSyncConfig=sync)
    people.team("engineering", "single sign-on", groupLinkConfig={"enableLink": True, "groupName": "devs"})
    people.team("operations", "on call", "bob", "dave")
    people.team("empty", "orphans")
    people.repository("engineering/app", shortDescription='It\'s "the" app: $5 & `more`', longDescription="# App\n\n$HOME\n", tagLimit=50)
    people.repository("engineering/base", visibility="public", immutableTags=True)
    people.repository("engineering/tools", scanOnPush=True, longDescription="Werkzeuge, 工具")
    people.repository("operations/monitor", shortDescription="watches")
    people.repository("operations/archive")
    people.repository("empty/left-behind")
    people.repository("alice/own")
    people.repository("bob/public", visibility="public")
    people.grant("engineering", "developers", "read-write", "engineering/app")
    people.grant("engineering", "developers", "read-only")
    people.grant("engineering", "readers", "read-only", "engineering/tools")
    people.grant("engineering", "release", "admin", "engineering/app")
    people.grant("engineering", "single sign-on", "read-only")
    people.grant("operations", "on call", "admin", "operations/monitor")
    people.grant("empty", "orphans", "read-write")
    people.grant("empty", "orphans", "read-only", "empty/left-behind")
    for number in range(120):
        people.token("alice", f"Generated by docker login {number}", automatic=True, used=number % 2 == 0)
    people.token("alice", 'CI "main" $TOKEN')
    people.token("bob", "laptop", used=False)
    people.token("bob", "lost laptop", is_active=False)
    people.token("erin", "from the directory")
    people.token("dave", "of one who has gone")
    people.webhook("TAG_PUSH", "engineering/app", "https://hooks.example.com/push?key=secret")
    people.webhook("REPO_EVENT", "engineering", "https://hooks.example.com/events", skipTLSVerification=True)
    people.webhook("SCANNER_UPDATE_COMPLETED", "", "https://hooks.example.com/scanner", inactive=True)
    people.promotion("engineering/app", "operations/archive", rule("tag", "sw", "v"), rule("vulnerability_critical", "lte", "0"))
    people.pruning("engineering/tools", rule("tag", "ew", "-snapshot"), rule("updated_at_duration", "bf", "720h"), enabled=False)
    people.mirroring("engineering/base", "registry.example.com", "mirror/base", rule("tag", "c", "stable"))
    people.mirroring("operations/monitor", "hub.example.com", "library/monitor", poll=True)
    people.write()
    return people


@dataclasses.dataclass(frozen=True)
class Size:
    """How many there are of each in a large set."""

    users: int = 500
    organizations: int = 60
    teams: int = 300
    repositories: int = 2000
    tags: int = 6000
    grants: int = 3000
    tokens: int = 5000


def large_set(tables: Tables, size: Size, manifest: Manifest | None = None) -> People:
    """Write people of a large company, the same at every run but for their ids. All tags are of one manifest.

    All users have the password `password <name>`. Tags are rows alone: `images.large_images` has images as well.
    """
    people = People(tables)
    digest, media_type = (manifest.digest, manifest.media_type) if manifest else ("sha256:" + "0" * 64, OCI_MANIFEST)
    users = [f"user{number:04}" for number in range(size.users)]
    organizations = [f"org{number:03}" for number in range(size.organizations)]
    for number, name in enumerate(users):
        password = f"password {name}"
        people.user(name, password, fullName=f"User {number}", isActive=number % 50 != 49)
    for name in organizations:
        people.organization(name, fullName=f"The {name}")
    members: dict[str, list[str]] = {name: [] for name in organizations}
    for number, user in enumerate(users):
        for step in (0, 7, 23):
            organization = organizations[(number + step * 11) % size.organizations]
            if user not in members[organization]:
                people.member(organization, user, is_admin=not members[organization])
                members[organization].append(user)
    teams: list[tuple[str, str]] = []
    for number in range(size.teams):
        organization = organizations[number % size.organizations]
        name = f"team{number // size.organizations:02}"
        inside = members[organization][number // size.organizations :: 4]
        people.team(organization, name, *inside, admins=inside[:1], description=f"Team {number}")
        teams.append((organization, name))
    repositories: dict[str, list[str]] = {name: [] for name in organizations}
    paths: list[str] = []
    for number in range(size.repositories):
        organization = organizations[number % size.organizations]
        path = f"{organization}/repository{number:04}"
        visibility = "public" if number % 9 == 0 else "private"
        people.repository(path, shortDescription=f"Repository {number}", visibility=visibility, scanOnPush=number % 4 == 0)
        repositories[organization].append(path)
        paths.append(path)
    levels = ("read-only", "read-write", "admin")
    granted = 0
    for number, (organization, name) in enumerate(teams[: max(0, min(size.teams // 3, size.grants))]):
        people.grant(organization, name, levels[number % 3])
        granted += 1
    step = 0
    while granted < size.grants:
        before = granted
        for number, (organization, name) in enumerate(teams):
            here = repositories[organization]
            if granted < size.grants and step < len(here):
                people.grant(organization, name, levels[(number + step) % 3], here[(number + step) % len(here)])
                granted += 1
        if granted == before:
            raise ValueError("so many grants do not fit into so few repositories")
        step += 1
    for number in range(size.tags):
        people.tag(paths[number % size.repositories], f"v{number // size.repositories}", digest, age=number % 400)
    for path in paths[: size.tags]:
        people.manifest(path, digest, media_type, os="linux", architecture="amd64", size=len(manifest.data) if manifest else 0)
    for number in range(size.tokens):
        people.token(users[number % size.users], f"token {number}", automatic=number % 3 > 0, used=number % 5 > 0)
    people.write()
    return people

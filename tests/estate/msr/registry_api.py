# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MSR's API below /api/v0: repositories and tags, access of teams, access tokens, webhooks, policies, settings."""

from __future__ import annotations

import re
import time
import typing as t
import uuid

from estate.msr.answers import Refusal, form, next_page, number, page
from estate.msr.passwords import token_hash
from estate.msr.rights import LEVELS, covers, membership, namespace_level, repository_level
from estate.msr.rows import (
    ACCOUNTS,
    MANIFESTS,
    NAMESPACE_GRANTS,
    POLL_MIRRORINGS,
    PROMOTIONS,
    PROPERTIES,
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
    written,
)  # fmt: skip
from estate.msr.store import key_of
from estate.msr.tables import Duplicate
from estate.product import Answer, Asked

if t.TYPE_CHECKING:
    from estate.msr.double import MSRDouble

_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_API = "/api/v0"
_REPOSITORY = f"{_API}/repositories/([^/]+)/([^/]+)"
WEBHOOK_TYPES = (
    "TAG_PUSH", "TAG_PULL", "TAG_DELETE", "PROMOTION", "PUSH_MIRRORING", "POLL_MIRRORING", "MANIFEST_PUSH", "MANIFEST_PULL",
    "MANIFEST_DELETE", "REPO_EVENT", "SCAN_COMPLETED", "SCAN_FAILED", "SCANNER_UPDATE_COMPLETED",
)  # fmt: skip
#: fields of a repository that can be changed
_CHANGEABLE = ("shortDescription", "longDescription", "visibility", "scanOnPush", "immutableTags", "tagLimit")
_SECRET = ("password", "authToken")


class RegistryAPI:
    """The routes of MSR itself."""

    def __init__(self, double: MSRDouble) -> None:
        self.double = double
        self.tables = double.tables
        team = f"{_API}/accounts/([^/]+)/teams/([^/]+)"
        for method, pattern, answer in (
            ("GET", f"{_API}/admin/version", self._version),
            ("GET", f"{_API}/meta/settings", self._settings),
            ("POST", f"{_API}/meta/settings", self._set_settings),
            ("GET", f"{_API}/meta/features", self._features),
            ("GET", f"{_API}/repositories", self._list),
            ("GET", f"{_API}/repositories/([^/]+)", self._list_namespace),
            ("POST", f"{_API}/repositories/([^/]+)", self._create),
            ("GET", _REPOSITORY, self._show),
            ("PATCH", _REPOSITORY, self._update),
            ("DELETE", _REPOSITORY, self._delete),
            ("GET", f"{_REPOSITORY}/tags", self._tags),
            ("GET", f"{_REPOSITORY}/tags/([^/]+)", self._tag),
            ("DELETE", f"{_REPOSITORY}/tags/([^/]+)", self._delete_tag),
            ("GET", f"{_REPOSITORY}/manifests", self._manifests),
            ("GET", f"{_REPOSITORY}/teamAccess", self._repository_access),
            ("PUT", f"{_REPOSITORY}/teamAccess/([^/]+)", self._set_repository_access),
            ("DELETE", f"{_REPOSITORY}/teamAccess/([^/]+)", self._remove_repository_access),
            ("GET", f"{_API}/repositoryNamespaces/([^/]+)/teamAccess", self._namespace_access),
            ("GET", f"{_API}/repositoryNamespaces/([^/]+)/teamAccess/([^/]+)", self._one_namespace_access),
            ("PUT", f"{_API}/repositoryNamespaces/([^/]+)/teamAccess/([^/]+)", self._set_namespace_access),
            ("DELETE", f"{_API}/repositoryNamespaces/([^/]+)/teamAccess/([^/]+)", self._remove_namespace_access),
            ("GET", f"{team}/repositoryAccess", self._access_of_team),
            ("GET", f"{_API}/accounts/([^/]+)/repositoryAccess/([^/]+)/([^/]+)", self._access_of_user),
            ("DELETE", f"{_API}/accounts/([^/]+)/repositories", self._delete_all),
            ("DELETE", f"{_API}/accounts/([^/]+)", self._delete_all),
            ("GET", f"{_API}/api_tokens", self._tokens),
            ("POST", f"{_API}/api_tokens", self._create_token),
            ("DELETE", f"{_API}/api_tokens", self._clean_tokens),
            ("GET", f"{_API}/api_tokens/([^/]+)", self._token),
            ("PATCH", f"{_API}/api_tokens/([^/]+)", self._update_token),
            ("DELETE", f"{_API}/api_tokens/([^/]+)", self._delete_token),
            ("GET", f"{_API}/webhooks", self._webhooks),
            ("POST", f"{_API}/webhooks", self._create_webhook),
            ("POST", f"{_API}/webhooks/update", self._update_webhook),
            ("DELETE", f"{_API}/webhooks/([^/]+)", self._delete_webhook),
            ("GET", f"{_API}/accounts/([^/]+)/webhooks", self._webhooks_of),
            ("GET", f"{_REPOSITORY}/webhooks", self._webhooks_of),
        ):
            double.api(method, pattern, answer)
        for policies in POLICIES:
            _PolicyAPI(self, policies)
        double.api("GET", f"{_REPOSITORY}/mirroringPolicies", self._mirrorings)

    # -- the registry
    def _version(self, _asked: Asked, _user: Row) -> Answer:
        return Answer(200, {"version": self.double.version})

    def _settings(self, _asked: Asked, user: Row) -> Answer:
        self.double.needs_administrator(user)
        return Answer(200, {**_SETTINGS, "dtrHost": self.double.service, **self.double.settings()})

    def _set_settings(self, asked: Asked, user: Row) -> Answer:
        self.double.needs_administrator(user)
        wanted = form(asked)
        if self.double.version.startswith("3.0.") and "readOnlyRegistry" in wanted:
            raise Refusal("INVALID_SETTINGS", "this version cannot be made read-only")
        for name, value in wanted.items():
            if name in _SETTINGS and type(value) is not type(_SETTINGS[name]):
                raise Refusal("INVALID_SETTINGS", f"{name} has a wrong type")
        known = {name: value for name, value in wanted.items() if name in _SETTINGS}
        self.tables.insert(PROPERTIES, {"key": "settings", "value": {**self.double.settings(), **known}}, replace=True)
        return Answer(202)

    def _features(self, _asked: Asked, _user: Row) -> Answer:
        licensed = {"scanningLicensed": True, "promotionLicensed": True, "mirroringLicensed": True, "onlineGCEnabled": True}
        more = {"scanningEnabled": False, "metadataStoreOptedIn": True, "db_version": 0, "ucpHost": ""}
        return Answer(200, {**licensed, **more})

    # -- repositories
    def described(self, row: Row, long: bool = False) -> Row:
        """A repository as it stands in answers; its long description only in an answer about it alone."""
        owner = self.tables.one(ACCOUNTS, "id", row["namespaceAccountID"]) or {}
        found = {
            "id": row["id"],
            "namespace": row["namespaceName"],
            "namespaceType": "organization" if owner.get("isOrg") else "user",
            "name": row["name"],
            "shortDescription": row.get("shortDescription", ""),
            "visibility": row.get("visibility", "private"),
            "scanOnPush": bool(row.get("scanOnPush")),
            "immutableTags": bool(row.get("immutableTags")),
            "tagLimit": int(row.get("tagLimit", 0)),
            "pulls": int(row.get("pulls", 0)),
            "pushes": int(row.get("pushes", 0)),
        }
        return {**found, "longDescription": row.get("longDescription", "")} if long else found

    def namespace(self, name: str) -> Row:
        """The account that a namespace belongs to."""
        row = self.tables.get(ACCOUNTS, name)
        if row is None:
            raise Refusal("NO_SUCH_ACCOUNT", f"no account {name} exists")
        return row

    def find(self, user: Row, namespace: str, name: str, level: str = "read-only") -> Row:
        """A repository for a user who has this level at least; it does not exist for those who may not see it."""
        row = self.double.repository(f"{namespace}/{name}")
        found = repository_level(self.tables, user, row) if row else None
        if row is None or found is None:
            raise Refusal("NO_SUCH_REPOSITORY", f"no repository {namespace}/{name} exists")
        if not covers(found, level):
            raise Refusal("NOT_AUTHORIZED", "the client is not authorized")
        return row

    def paged(self, asked: Asked, rows: t.Iterable[tuple[str, Row]]) -> tuple[list[Row], dict[str, str]]:
        """A page, and the headers that go with it."""
        rows = list(rows)
        size = self.double.fewer(number(asked, "pageSize", 10, 65536, "INVALID_PARAMETERS"))
        found, following = page(rows, asked.query.get("pageStart", ""), size)
        headers = next_page(asked, "pageStart", following)
        if asked.query.get("count") == "true":
            headers["X-Resource-Count"] = str(len(rows))
        return found, headers

    def _list(self, asked: Asked, user: Row) -> Answer:
        return self._listed(asked, user, self.tables.all(REPOSITORIES))

    def _list_namespace(self, asked: Asked, user: Row, name: str) -> Answer:
        return self._listed(asked, user, self.tables.by(REPOSITORIES, "namespaceAccountID", self.namespace(name)["id"]))

    def _listed(self, asked: Asked, user: Row, rows: t.Iterable[Row]) -> Answer:
        # the administrator sees everything, which need not be looked up for each
        seen = [row for row in rows if user.get("isAdmin") or repository_level(self.tables, user, row)]
        found, headers = self.paged(asked, ((row["pk"], row) for row in seen))
        return Answer(200, {"repositories": [self.described(row) for row in found]}, headers)

    def _show(self, _asked: Asked, user: Row, namespace: str, name: str) -> Answer:
        return Answer(200, self.described(self.find(user, namespace, name), long=True))

    def _create(self, asked: Asked, user: Row, namespace: str) -> Answer:
        owner, wanted = self.namespace(namespace), form(asked)
        if namespace_level(self.tables, user, owner) != "admin":
            raise Refusal("NOT_AUTHORIZED", "the client is not authorized")
        name = str(wanted.get("name", ""))
        if not _NAME.fullmatch(name) or len(f"{namespace}/{name}") > 255:
            raise Refusal("INVALID_REPOSITORY_NAME", f"{name} is no name of a repository")
        fields = self._fields(wanted)
        row = new_repository(owner, name, **fields)
        try:
            self.tables.insert(REPOSITORIES, row)
        except Duplicate:
            raise Refusal("REPOSITORY_EXISTS", f"a repository {namespace}/{name} already exists") from None
        return Answer(201, self.described(row, long=True))

    @staticmethod
    def _fields(wanted: Row) -> Row:
        fields = {name: wanted[name] for name in _CHANGEABLE if wanted.get(name) is not None}
        if fields.get("visibility", "private") not in ("public", "private"):
            raise Refusal("INVALID_REPOSITORY_VISIBILITY", "public or private")
        if len(fields.get("shortDescription", "")) > 140:
            raise Refusal("INVALID_REPOSITORY_SHORT_DESCRIPTION", "the short description has up to 140 characters")
        if fields.get("tagLimit", 0) < 0:
            raise Refusal("INVALID_JSON", "the limit of tags is no negative number")
        return fields

    def _update(self, asked: Asked, user: Row, namespace: str, name: str) -> Answer:
        row, wanted = self.find(user, namespace, name, "admin"), form(asked)
        # whoever leaves it out has tags that can change
        fields = {**self._fields(wanted), "immutableTags": bool(wanted.get("immutableTags"))}
        self.tables.update(REPOSITORIES, row["pk"], **fields)
        return Answer(200, self.described({**row, **fields}, long=True))

    def _delete(self, _asked: Asked, user: Row, namespace: str, name: str) -> Answer:
        if self.double.repository(f"{namespace}/{name}") is not None:
            self._forget(self.find(user, namespace, name, "admin"))
        return Answer(204)

    def _forget(self, row: Row) -> None:
        path = f"{row['namespaceName']}/{row['name']}"
        self.tables.delete(REPOSITORY_GRANTS, *(one["pk"] for one in self.tables.by(REPOSITORY_GRANTS, "repositoryID", row["id"])))
        for place in (TAGS, MANIFESTS):
            self.tables.delete(place, *(one["pk"] for one in self.tables.by(place, "repository", path)))
        for policies in POLICIES:
            self.tables.delete(policies.place, *(one["id"] for one in self.tables.by(policies.place, policies.field, path)))
        self.tables.delete(REPOSITORIES, row["pk"])

    def _delete_all(self, _asked: Asked, user: Row, namespace: str) -> Answer:
        self.double.needs_administrator(user)
        for row in self.tables.by(REPOSITORIES, "namespaceAccountID", self.namespace(namespace)["id"]):
            self._forget(row)
        return Answer(204)

    # -- tags
    def _tags(self, asked: Asked, user: Row, namespace: str, name: str) -> Answer:
        self.find(user, namespace, name)
        rows = [row for row in self.tables.by(TAGS, "repository", f"{namespace}/{name}") if not row.get("deleted")]
        found, headers = self.paged(asked, ((row["name"], row) for row in rows))
        whole = asked.query.get("includeManifests") == "true"
        return Answer(200, [self._described_tag(row, whole) for row in found], headers)

    def _described_tag(self, row: Row, whole: bool) -> Row:
        author = self.tables.one(ACCOUNTS, "id", row.get("authorNamespace", "")) or {}
        manifest = self.tables.get(MANIFESTS, row["digestPK"]) if whole else None
        more = {name: row[name] for name in ("promotion", "mirroring") if row.get(name)}
        return {
            "name": row["name"],
            "digest": row["digest"],
            "author": author.get("name", ""),
            "createdAt": written(row.get("createdAt")),
            "updatedAt": written(row.get("updatedAt")),
            "hashMismatch": False,
            "inNotary": bool(row.get("inNotary")),
            "manifest": self._described_manifest(manifest) if manifest else {"digest": row["digest"]},
            **more,
        }

    def _described_manifest(self, row: Row) -> Row:
        author = self.tables.one(ACCOUNTS, "id", row.get("originalAuthor", "")) or {}
        return {
            "digest": row["digest"],
            "mediaType": row.get("mediaType", ""),
            "os": row.get("os", ""),
            "architecture": row.get("architecture", ""),
            "size": int(row.get("size", 0)),
            "configDigest": row.get("configDigest", ""),
            "createdAt": written(row.get("createdAt")),
            "author": author.get("name", ""),
        }

    def _tag(self, asked: Asked, user: Row, namespace: str, name: str, reference: str) -> Answer:
        self.find(user, namespace, name)
        return Answer(200, [self._described_tag(self._find_tag(namespace, name, reference), True)])

    def _find_tag(self, namespace: str, name: str, tag: str) -> Row:
        row = self.tables.get(TAGS, f"{namespace}/{name}:{tag}")
        if row is None or row.get("deleted"):
            raise Refusal("NO_SUCH_TAG", f"no tag {tag}")
        return row

    def _delete_tag(self, _asked: Asked, user: Row, namespace: str, name: str, tag: str) -> Answer:
        self.find(user, namespace, name, "read-write")
        if self.double.settings().get("readOnlyRegistry"):
            raise Refusal("NOT_ALLOWED", "the registry is read-only")
        row = self._find_tag(namespace, name, tag)
        if row.get("inNotary"):
            raise Refusal("TAG_IN_NOTARY")
        self.tables.update(TAGS, row["pk"], deleted=True)
        return Answer(204)

    def _manifests(self, asked: Asked, user: Row, namespace: str, name: str) -> Answer:
        self.find(user, namespace, name)
        rows = [row for row in self.tables.by(MANIFESTS, "repository", f"{namespace}/{name}") if not row.get("deleted")]
        found, headers = self.paged(asked, ((row["pk"], row) for row in rows))
        return Answer(200, [self._described_manifest(row) for row in found], headers)

    # -- what teams may do
    def _described_grant(self, user: Row, row: Row) -> Row:
        mine = self.tables.get(TEAM_MEMBERS, key_of(row["teamID"], user["id"]))
        return {"accessLevel": row["accessLevel"], "team": {"id": row["teamID"], "clientUserIsMember": mine is not None}}

    def _find_team(self, namespace: Row, name: str) -> Row:
        row = self.tables.get(TEAMS, key_of(namespace["id"], name))
        if row is None:
            raise Refusal("NO_SUCH_TEAM", f"no team {name} in {namespace['name']}")
        return row

    @staticmethod
    def _level(asked: Asked) -> str:
        level = form(asked).get("accessLevel")
        if level not in LEVELS:
            raise Refusal("INVALID_ACCESS_LEVEL", f"one of {', '.join(LEVELS)}")
        return str(level)

    def _repository_access(self, asked: Asked, user: Row, namespace: str, name: str) -> Answer:
        row = self.find(user, namespace, name, "admin")
        found, headers = self.paged(asked, ((one["pk"], one) for one in self.tables.by(REPOSITORY_GRANTS, "repositoryID", row["id"])))
        grants = [self._described_grant(user, one) for one in found]
        return Answer(200, {"repository": self.described(row), "teamAccessList": grants}, headers)

    def _set_repository_access(self, asked: Asked, user: Row, namespace: str, name: str, team: str) -> Answer:
        row, level = self.find(user, namespace, name, "admin"), self._level(asked)
        found = self._find_team(self.namespace(namespace), team)
        grant = {"repositoryID": row["id"], "teamID": found["id"], "accessLevel": level}
        self.tables.insert(REPOSITORY_GRANTS, grant, replace=True)
        return Answer(200, {"repository": self.described(row), "teamAccessList": [self._described_grant(user, grant)]})

    def _remove_repository_access(self, _asked: Asked, user: Row, namespace: str, name: str, team: str) -> Answer:
        row = self.find(user, namespace, name, "admin")
        self.tables.delete(REPOSITORY_GRANTS, key_of(row["id"], self._find_team(self.namespace(namespace), team)["id"]))
        return Answer(204)

    def _organization(self, user: Row, name: str, level: str = "") -> Row:
        row = self.namespace(name)
        if not row.get("isOrg"):
            raise Refusal("INVALID_PARAMETERS", "the namespace is not owned by an organization")
        mine = user.get("isAdmin") or membership(self.tables, row, user)
        if not mine or (level and not covers(namespace_level(self.tables, user, row), level)):
            raise Refusal("NOT_AUTHORIZED", "the client is not authorized")
        return row

    def _namespace_access(self, asked: Asked, user: Row, name: str) -> Answer:
        row = self._organization(user, name)
        found, headers = self.paged(asked, ((one["pk"], one) for one in self.tables.by(NAMESPACE_GRANTS, "namespaceID", row["id"])))
        return Answer(200, {"namespace": name, "teamAccessList": [self._described_grant(user, one) for one in found]}, headers)

    def _one_namespace_access(self, _asked: Asked, user: Row, name: str, team: str) -> Answer:
        row = self._organization(user, name)
        grant = self.tables.get(NAMESPACE_GRANTS, key_of(row["id"], self._find_team(row, team)["id"]))
        if grant is None:
            raise Refusal("NO_SUCH_NAMESPACE_TEAM_ACCESS", "no such grant")
        return Answer(200, {**self._described_grant(user, grant), "namespace": name})

    def _set_namespace_access(self, asked: Asked, user: Row, name: str, team: str) -> Answer:
        row, level = self._organization(user, name, "admin"), self._level(asked)
        grant = {"namespaceID": row["id"], "teamID": self._find_team(row, team)["id"], "accessLevel": level}
        self.tables.insert(NAMESPACE_GRANTS, grant, replace=True)
        return Answer(200, {**self._described_grant(user, grant), "namespace": name})

    def _remove_namespace_access(self, _asked: Asked, user: Row, name: str, team: str) -> Answer:
        row = self._organization(user, name, "admin")
        self.tables.delete(NAMESPACE_GRANTS, key_of(row["id"], self._find_team(row, team)["id"]))
        return Answer(204)

    def _access_of_team(self, asked: Asked, user: Row, name: str, team: str) -> Answer:
        row = self._organization(user, name)
        found = self._find_team(row, team)
        mine = self.tables.get(TEAM_MEMBERS, key_of(found["id"], user["id"]))
        listed = []
        for grant in self.tables.by(REPOSITORY_GRANTS, "teamID", found["id"]):
            repository = self.tables.one(REPOSITORIES, "id", grant["repositoryID"])
            if repository is not None:
                listed.append((grant["pk"], {"accessLevel": grant["accessLevel"], "repository": self.described(repository)}))
        access, headers = self.paged(asked, listed)
        document = {"team": {"id": found["id"], "clientUserIsMember": mine is not None}, "repositoryAccessList": access}
        return Answer(200, document, headers)

    def _access_of_user(self, _asked: Asked, user: Row, name: str, namespace: str, repository: str) -> Answer:
        account = self.tables.get(ACCOUNTS, name)
        if not user.get("isAdmin") and (account is None or user["id"] != account["id"]):
            raise Refusal("NOT_AUTHORIZED", "the client is not authorized")
        if account is None or account.get("isOrg"):
            raise Refusal("NO_SUCH_USER", f"no user {name} exists")
        row = self.double.repository(f"{namespace}/{repository}")
        level = repository_level(self.tables, account, row) if row else None
        if row is None or level is None:
            raise Refusal("NO_SUCH_REPOSITORY", f"no repository {namespace}/{repository} exists")
        described = {
            "name": account["name"],
            "id": account["id"],
            "fullName": account.get("fullName", ""),
            "isOrg": False,
            "isAdmin": bool(account.get("isAdmin")),
            "isActive": bool(account.get("isActive")),
        }
        return Answer(200, {"accessLevel": level, "user": described, "repository": self.described(row)})

    # -- access tokens
    @staticmethod
    def _described_token(row: Row) -> Row:
        return {
            "hashedToken": row["token"],
            "tokenLabel": row.get("tokenLabel", ""),
            "isActive": bool(row.get("isActive", True)),
            "lastUsed": written(row.get("lastUsed")),
            "createdAt": written(row.get("createdAt")),
            "generatedBy": row.get("generatedBy", ""),
            "creatorUa": row.get("creatorUA", ""),
        }

    def _owner(self, asked: Asked, user: Row) -> Row | None:
        """Whose tokens a request is about; None: everybody's."""
        name = asked.query.get("username", "")
        owner = self.tables.get(ACCOUNTS, name) if name else None
        if not user.get("isAdmin") and (not name or owner is None or owner["id"] != user["id"]):
            raise Refusal("NOT_AUTHORIZED", "the client is not authorized")
        if name and (owner is None or owner.get("isOrg")):
            raise Refusal("NO_SUCH_USER", f"no user {name} exists")
        return owner

    def _tokens(self, asked: Asked, user: Row) -> Answer:
        owner = self._owner(asked, user)
        rows = self.tables.all(TOKENS) if owner is None else self.tables.by(TOKENS, "accountID", owner["id"])
        found, headers = self.paged(asked, ((row["token"], row) for row in rows))
        return Answer(200, [self._described_token(row) for row in found], headers)

    def _create_token(self, asked: Asked, user: Row) -> Answer:
        owner = self._owner(asked, user) if asked.query.get("username") else user
        token = str(uuid.uuid4())
        row = {
            "token": token_hash(token),
            "clientID": "",
            "accountID": (owner or user)["id"],
            "lastFour": token[-4:],
            "creatorIP": "127.0.0.1",
            "creatorUA": asked.headers.get("user-agent", ""),
            "createdAt": moment(time.time()),
            "lastUsed": None,
            "tokenLabel": str(form(asked).get("tokenLabel", "")),
            "isActive": True,
            "generatedBy": "user",
        }
        self.tables.insert(TOKENS, row)
        return Answer(200, {"token": token, **self._described_token(row)})

    def _clean_tokens(self, asked: Asked, user: Row) -> Answer:
        owner = self._owner(asked, user)
        rows = self.tables.all(TOKENS) if owner is None else self.tables.by(TOKENS, "accountID", owner["id"])
        wanted, before = asked.query.get("generatedby") or "auto", asked.query.get("usedbefore", "")
        gone = [row for row in rows if row.get("generatedBy") == wanted and (not before or written(row.get("lastUsed")) < before)]
        self.tables.delete(TOKENS, *(row["token"] for row in gone))
        return Answer(200)

    def _find_token(self, user: Row, hashed: str) -> Row:
        row = self.tables.get(TOKENS, hashed)
        if row is None or not (user.get("isAdmin") or row["accountID"] == user["id"]):
            raise Refusal("NO_SUCH_API_TOKEN", "no such token")
        return row

    def _token(self, _asked: Asked, user: Row, hashed: str) -> Answer:
        return Answer(200, self._described_token(self._find_token(user, hashed)))

    def _update_token(self, asked: Asked, user: Row, hashed: str) -> Answer:
        row, wanted = self._find_token(user, hashed), form(asked)
        fields = {name: wanted[name] for name in ("tokenLabel", "isActive") if wanted.get(name) is not None}
        self.tables.update(TOKENS, row["token"], **fields)
        return Answer(200, self._described_token({**row, **fields}))

    def _delete_token(self, _asked: Asked, user: Row, hashed: str) -> Answer:
        self.tables.delete(TOKENS, self._find_token(user, hashed)["token"])
        return Answer(200)

    # -- webhooks
    @staticmethod
    def _described_webhook(row: Row) -> Row:
        found = {name: row[name] for name in ("id", "type", "key", "endpoint", "authorID", "tlsCert", "skipTLSVerification", "inactive")}
        return {**found, "createdAt": written(row.get("createdAt"))}

    def _may_hook(self, user: Row, key: str) -> None:
        namespace, _slash, name = key.partition("/")
        if not key:
            self.double.needs_administrator(user)
        elif name:
            self.find(user, namespace, name, "admin")
        elif namespace_level(self.tables, user, self.namespace(namespace)) != "admin":
            raise Refusal("NOT_AUTHORIZED", "the client is not authorized")

    def _webhooks(self, asked: Asked, user: Row) -> Answer:
        self.double.needs_administrator(user)
        wanted = asked.query.get("webhookType") or "any"
        rows = [row for row in self.tables.all(WEBHOOKS) if wanted in ("any", row["type"])]
        return Answer(200, [self._described_webhook(row) for row in sorted(rows, key=lambda row: str(row["id"]))])

    def _webhooks_of(self, _asked: Asked, user: Row, namespace: str, name: str = "") -> Answer:
        key = f"{namespace}/{name}" if name else namespace
        self._may_hook(user, key)
        rows = [row for row in self.tables.all(WEBHOOKS) if row["key"] == key]
        return Answer(200, [self._described_webhook(row) for row in sorted(rows, key=lambda row: str(row["id"]))])

    def _create_webhook(self, asked: Asked, user: Row) -> Answer:
        wanted = form(asked)
        key = str(wanted.get("key") or "")
        self._may_hook(user, key)
        if wanted.get("type") not in WEBHOOK_TYPES or not str(wanted.get("endpoint", "")).startswith(("http://", "https://")):
            raise Refusal("INVALID_JSON", "type or endpoint is none")
        row = {
            "id": str(uuid.uuid4()),
            "type": wanted["type"],
            "key": key,
            "endpoint": wanted["endpoint"],
            "authorID": user["id"],
            "createdAt": moment(time.time()),
            "inactive": False,
            "tlsCert": wanted.get("tlsCert") or "",
            "skipTLSVerification": bool(wanted.get("skipTLSVerification")),
        }
        self.tables.insert(WEBHOOKS, row)
        return Answer(200, [self._described_webhook(row)])

    def _find_webhook(self, user: Row, identifier: str) -> Row:
        row = self.tables.get(WEBHOOKS, identifier)
        if row is None:
            raise Refusal("NO_SUCH_WEBHOOK", "no such webhook")
        self._may_hook(user, row["key"])
        return row

    def _update_webhook(self, asked: Asked, user: Row) -> Answer:
        wanted = form(asked)
        row = self._find_webhook(user, str(wanted.get("id", "")))
        fields = {name: wanted[name] for name in ("inactive", "tlsCert", "skipTLSVerification") if wanted.get(name) is not None}
        self.tables.update(WEBHOOKS, row["id"], **fields)
        return Answer(200, [self._described_webhook({**row, **fields})])

    def _delete_webhook(self, _asked: Asked, user: Row, identifier: str) -> Answer:
        self.tables.delete(WEBHOOKS, self._find_webhook(user, identifier)["id"])
        return Answer(200)

    # -- policies
    def _mirrorings(self, asked: Asked, user: Row, namespace: str, name: str) -> Answer:
        self.find(user, namespace, name, "admin")
        path, rows = f"{namespace}/{name}", []
        for policies, kind in ((PUSH, "push"), (POLL, "poll")):
            for row in self.tables.by(policies.place, policies.field, path):
                rows.append((row["id"], {**policies.described(row), "mirroringType": kind}))
        found, headers = self.paged(asked, rows)
        return Answer(200, found, headers)


class Policies(t.NamedTuple):
    """A kind of policies: what its path is called, where it lies, which field names its repository, what is asked for."""

    path: str
    place: Place
    field: str
    code: str
    texts: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    has_rules: bool = True
    dates: tuple[str, ...] = ()
    has_status: bool = False

    def described(self, row: Row) -> Row:
        """As it stands in answers, which never have its secrets."""
        found = {"id": row["id"], self.field: row[self.field], "enabled": bool(row.get("enabled"))}
        found.update({name: row.get(name, "") for name in self.texts if name not in _SECRET})
        found.update({name: bool(row.get(name)) for name in self.flags})
        found.update({name: written(row.get(name)) for name in self.dates})
        if self.has_rules:
            found["rules"] = row.get("rules", [])
        if self.has_status:
            found["lastStatus"] = row.get("lastStatus") or {"code": "", "detail": "", "timestamp": written(None)}
        return found


_REMOTE = ("username", "password", "authToken", "remoteHost", "remoteRepository", "remoteCA")
PROMOTION = Policies(
    "promotionPolicies", PROMOTIONS, "sourceRepository", "INVALID_PROMOTION_POLICY", ("targetRepository", "tagTemplate"),
    dates=("lastPromotedAt",),
)  # fmt: skip
PRUNING = Policies("pruningPolicies", PRUNINGS, "repository", "INVALID_PRUNING_POLICY", dates=("lastPrunedAt",))
PUSH = Policies(
    "pushMirroringPolicies", PUSH_MIRRORINGS, "localRepository", "INVALID_PUSH_MIRRORING_POLICY", (*_REMOTE, "tagTemplate"),
    ("skipTLSVerification",), dates=("lastMirroredAt",), has_status=True,
)  # fmt: skip
POLL = Policies(
    "pollMirroringPolicies", POLL_MIRRORINGS, "localRepository", "INVALID_POLL_MIRRORING_POLICY", _REMOTE, ("skipTLSVerification",),
    has_rules=False, dates=("lastMirroredAt",), has_status=True,
)  # fmt: skip
POLICIES = (PROMOTION, PRUNING, PUSH, POLL)


class _PolicyAPI:
    """The routes of one kind of policies."""

    def __init__(self, api: RegistryAPI, policies: Policies) -> None:
        self.api, self.policies, self.tables = api, policies, api.tables
        base = f"{_REPOSITORY}/{policies.path}"
        for method, pattern, answer in (
            ("GET", base, self._list),
            ("POST", base, self._create),
            ("GET", f"{base}/([^/]+)", self._show),
            ("PUT", f"{base}/([^/]+)", self._update),
            ("DELETE", f"{base}/([^/]+)", self._delete),
        ):
            api.double.api(method, pattern, answer)

    def _list(self, asked: Asked, user: Row, namespace: str, name: str) -> Answer:
        self.api.find(user, namespace, name, "admin")
        field = self.policies.field
        if self.policies is PROMOTION and asked.query.get("source") == "false":
            field = "targetRepository"
        rows = [(row["id"], row) for row in self.tables.by(self.policies.place, field, f"{namespace}/{name}")]
        if self.policies is PRUNING:
            found, headers = self.api.paged(asked, rows)
        else:
            found, headers = [row for _key, row in sorted(rows, key=lambda one: one[0])], {}
        return Answer(200, [self.policies.described(row) for row in found], headers)

    def _fields(self, wanted: Row) -> Row:
        names = ("enabled", *self.policies.texts, *self.policies.flags, *(["rules"] if self.policies.has_rules else []))
        return {name: wanted[name] for name in names if wanted.get(name) is not None}

    def _checked(self, row: Row) -> Row:
        rules = row.get("rules", [])
        if any(rule.get("operator") not in OPERATORS.get(rule.get("field", ""), ()) for rule in rules):
            raise Refusal(self.policies.code, "a rule has a field or an operator that is none")
        if "targetRepository" in self.policies.texts and self.api.double.repository(row.get("targetRepository", "")) is None:
            raise Refusal(self.policies.code, "the target repository does not exist")
        if "remoteHost" in self.policies.texts and not (row.get("remoteHost") and row.get("remoteRepository")):
            raise Refusal(self.policies.code, "the remote repository is missing")
        return row

    def _create(self, asked: Asked, user: Row, namespace: str, name: str) -> Answer:
        self.api.find(user, namespace, name, "admin")
        row = self._checked({"id": str(uuid.uuid4()), self.policies.field: f"{namespace}/{name}", **self._fields(form(asked))})
        self.tables.insert(self.policies.place, row)
        return Answer(201, self.policies.described(row))

    def _find(self, user: Row, namespace: str, name: str, identifier: str) -> Row:
        self.api.find(user, namespace, name, "admin")
        row = self.tables.get(self.policies.place, identifier)
        if row is None or row[self.policies.field] != f"{namespace}/{name}":
            raise Refusal(f"NO_SUCH_{self.policies.code.removeprefix('INVALID_')}", "no such policy")
        return row

    def _show(self, _asked: Asked, user: Row, namespace: str, name: str, identifier: str) -> Answer:
        return Answer(200, self.policies.described(self._find(user, namespace, name, identifier)))

    def _update(self, asked: Asked, user: Row, namespace: str, name: str, identifier: str) -> Answer:
        row = self._checked({**self._find(user, namespace, name, identifier), **self._fields(form(asked))})
        self.tables.insert(self.policies.place, row, replace=True)
        return Answer(200, self.policies.described(row))

    def _delete(self, _asked: Asked, user: Row, namespace: str, name: str, identifier: str) -> Answer:
        self.tables.delete(self.policies.place, self._find(user, namespace, name, identifier)["id"])
        return Answer(204)


_NUMBERS = ("gte", "gt", "eq", "neq", "lte", "lt")
#: operators of rules, by the field that they look at
OPERATORS: t.Mapping[str, tuple[str, ...]] = {
    "tag": ("eq", "sw", "ew", "c", "oo", "noo", "matches"),
    "license.name": ("oo", "noo"),
    "component.name": ("oo", "noo"),
    **{f"vulnerability_{level}": _NUMBERS for level in ("all", "critical", "major", "minor")},
    "updated_at": ("bf", "af"),
    "updated_at_duration": ("bf", "af"),
}

_SETTINGS: Row = {
    "dtrHost": "", "sso": False, "createRepositoryOnPush": False, "replicaSettings": {}, "httpProxy": "", "httpsProxy": "", "noProxy": "",
    "disableUpgrades": False, "reportAnalytics": False, "anonymizeAnalytics": False, "disableBackupWarning": False, "logProtocol": "",
    "logHost": "", "logLevel": "INFO", "webTLSCert": "", "webTLSCA": "", "replicaID": "0123456789ab", "scanningEnabled": False,
    "scanningSyncOnline": False, "scanningDeadline": 0, "scanningEnableAutoRecheck": False, "jobHistoryCompactionEnabled": True,
    "jobHistoryToKeep": 0, "jobHistoryMaxAge": "", "repoEventHistoryCompactionEnabled": True, "repoEventHistoryToKeep": 0,
    "repoEventHistoryMaxAge": "", "storageVolume": "", "nfsHost": "", "nfsPath": "", "readOnlyRegistry": False,
}  # fmt: skip

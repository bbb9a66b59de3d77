# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""eNZi's API of accounts: users and organizations, teams, who belongs to what."""

from __future__ import annotations

import re
import typing as t
import unicodedata
import uuid

from estate.msr.answers import Refusal, form, next_page, number, page
from estate.msr.passwords import bcrypt_hash, fits
from estate.msr.rights import membership, teams_of
from estate.msr.rows import ACCOUNTS, ENZI_PROPERTIES, MEMBERS, TEAM_MEMBERS, TEAMS, Row
from estate.msr.store import key_of
from estate.msr.tables import Duplicate
from estate.product import Answer, Asked

if t.TYPE_CHECKING:
    from estate.msr.double import Front

_NAME = re.compile(r"[\w@.\-]{1,50}")
_NO_SYNC: Row = {
    "enableSync": False,
    "selectGroupMembers": False,
    "groupDN": "",
    "groupMemberAttr": "",
    "searchBaseDN": "",
    "searchScopeSubtree": False,
    "searchFilter": "",
}
_NO_LINK: Row = {"enableLink": False, "groupName": ""}
_NO_LDAP: Row = {
    "serverURL": "",
    "startTLS": False,
    "tlsSkipVerify": False,
    "rootCerts": "",
    "readerDN": "",
    "noSimplePagination": False,
    "jitUserProvisioning": False,
    "syncSchedule": "",
    "userSearchConfigs": [],
    "adminSyncOpts": _NO_SYNC,
    "additionalDomains": [],
}


class AccountsAPI:
    """The routes of eNZi below a prefix: `/enzi/v0`, and at MKE's own address none."""

    def __init__(self, front: Front, prefix: str) -> None:
        self.front = front
        self.tables = front.tables
        account, team = f"{prefix}/accounts/([^/]+)", f"{prefix}/accounts/([^/]+)/teams/([^/]+)"
        for method, pattern, answer in (
            ("GET", f"{prefix}/accounts/?", self._list),
            ("POST", f"{prefix}/accounts/?", self._create),
            ("PATCH", f"{prefix}/accounts/?", self._bulk),
            ("GET", account, self._show),
            ("PATCH", account, self._update),
            ("DELETE", account, self._delete),
            ("POST", f"{account}/changePassword", self._change_password),
            ("GET", f"{account}/organizations", self._organizations),
            ("GET", f"{account}/members", self._members),
            ("GET", f"{account}/members/([^/]+)", self._member),
            ("PUT", f"{account}/members/([^/]+)", self._set_member),
            ("DELETE", f"{account}/members/([^/]+)", self._remove_member),
            ("GET", f"{account}/members/([^/]+)/teams", self._member_teams),
            ("GET", f"{account}/adminMemberSyncConfig", self._admin_sync),
            ("PUT", f"{account}/adminMemberSyncConfig", self._set_admin_sync),
            ("GET", f"{account}/teams", self._teams),
            ("POST", f"{account}/teams", self._create_team),
            ("GET", team, self._team),
            ("PATCH", team, self._update_team),
            ("DELETE", team, self._delete_team),
            ("GET", f"{team}/members", self._team_members),
            ("GET", f"{team}/members/([^/]+)", self._team_member),
            ("PUT", f"{team}/members/([^/]+)", self._set_team_member),
            ("DELETE", f"{team}/members/([^/]+)", self._remove_team_member),
            ("GET", f"{team}/memberSyncConfig", self._sync),
            ("PUT", f"{team}/memberSyncConfig", self._set_sync),
            ("GET", f"{team}/groupLinkConfig", self._link),
            ("PUT", f"{team}/groupLinkConfig", self._set_link),
        ):
            front.api(method, pattern, answer)
        front.api("GET", f"{prefix}/id/?", self._who)
        front.api("POST", f"{prefix}/id/logout", self._logout)
        if prefix:
            front.api("POST", f"{prefix}/id/login", self._login, open_to_all=True)
            front.api("POST", f"{prefix}/admin/importAccounts", self._import)
            front.api("GET", f"{prefix}/config/auth", self._config)
            front.api("GET", f"{prefix}/config/auth/ldap", self._ldap)
            front.api("PUT", f"{prefix}/config/auth/ldap", self._set_ldap)
        else:
            front.api("POST", "/auth/login", self._login_form, open_to_all=True)
            front.api("GET", "/api/ucp/config/auth/ldap", self._ldap)
            front.api("PUT", "/api/ucp/config/auth/ldap", self._set_ldap)

    # -- sessions
    def _login(self, asked: Asked, _user: Row) -> Answer:
        wanted = form(asked)
        user = self.front.user_with(str(wanted.get("username", "")), str(wanted.get("password", "")), tokens=False)
        return Answer(200, {"account": self.described(user), "sessionToken": self.front.new_session(user)})

    def _login_form(self, asked: Asked, _user: Row) -> Answer:
        wanted = form(asked)
        user = self.front.user_with(str(wanted.get("username", "")), str(wanted.get("password", "")), tokens=False)
        return Answer(200, {"auth_token": self.front.new_session(user)})

    def _logout(self, asked: Asked, _user: Row) -> Answer:
        self.front.end_session(asked.bearer)
        return Answer(204)

    def _who(self, _asked: Asked, user: Row) -> Answer:
        return Answer(200, self.described(user))

    # -- accounts
    def described(self, row: Row) -> Row:
        """An account as it stands in answers."""
        common = {"name": row["name"], "id": row["id"], "fullName": row.get("fullName", ""), "isOrg": bool(row.get("isOrg"))}
        if row.get("isOrg"):
            members, teams = self.tables.by(MEMBERS, "orgID", row["id"]), self.tables.by(TEAMS, "orgID", row["id"])
            return {**common, "membersCount": len(members), "teamsCount": len(teams)}
        return {
            **common,
            "isActive": bool(row.get("isActive")),
            "isAdmin": bool(row.get("isAdmin")),
            "isImported": bool(row.get("ldapDN")),
            "onDemand": bool(row.get("onDemand")),
            "otpEnabled": bool(row.get("otpEnabled")),
        }

    def find(self, name: str, kind: str = "") -> Row:
        """An account by `name` or by `id:<id>`; `kind`: it has to be a `user`, or an `organization`."""
        if name.startswith("id:"):
            row = self.tables.one(ACCOUNTS, "id", name[3:])
        else:
            row = self.tables.get(ACCOUNTS, normal(name))
        if row is None or (kind and bool(row.get("isOrg")) != (kind == "organization")):
            raise Refusal("NO_SUCH_ACCOUNT", f"no account {name} exists")
        return row

    def _list(self, asked: Asked, _user: Row) -> Answer:
        start, limit = asked.query.get("start", ""), self._limit(asked)
        wanted, order = asked.query.get("filter") or "all", asked.query.get("order") or "name"
        if wanted not in _FILTERS:
            raise Refusal("INVALID_FORM_FIELD", f"unknown filter {wanted}")
        if order.lstrip("+-") != "name" or order.startswith("-"):
            raise Refusal("INVALID_FORM_FIELD", f"the order {order} is not one of the double's")
        contains = asked.query.get("contains", "").lower()
        rows = [
            row
            for row in self.tables.all(ACCOUNTS)
            if _FILTERS[wanted](row) and contains in f"{row['name']}\n{row.get('fullName', '')}".lower()
        ]
        found, following = page(((row["name"], row) for row in rows), start, limit)
        organizations = sum(bool(row.get("isOrg")) for row in rows)
        document = {
            "accounts": [self.described(row) for row in found],
            "usersCount": len(rows) - organizations,
            "orgsCount": organizations,
            "resourceCount": len(rows),
            "nextPageStart": following,
        }
        return Answer(200, document, next_page(asked, "start", following))

    def _create(self, asked: Asked, user: Row) -> Answer:
        self.front.needs_administrator(user)
        wanted = form(asked)
        row = self._new_account(wanted)
        if not row["isOrg"]:
            if wanted.get("searchLDAP"):
                if not self._is_ldap():
                    raise Refusal("CANNOT_CREATE_USER", "the system is not configured with LDAP")
                if row["name"] not in self.front.directory:
                    raise Refusal("CANNOT_CREATE_USER", "no such user in the directory")
                row["ldapDN"] = self.front.directory[row["name"]]
            elif self._is_ldap():
                raise Refusal("CANNOT_CREATE_USER", "users come from LDAP")
            else:
                password = wanted.get("password") or ""
                if len(password) < self.front.shortest_password:
                    raise Refusal("INVALID_FORM_FIELD", f"the password must have at least {self.front.shortest_password} characters")
                row["passwordHash"] = bcrypt_hash(password)
        try:
            self.tables.insert(ACCOUNTS, row)
        except Duplicate:
            raise Refusal("ACCOUNT_EXISTS", f"an account {row['name']} already exists") from None
        return Answer(201, self.described(row))

    def _new_account(self, wanted: Row) -> Row:
        name = normal(str(wanted.get("name") or ""))
        if not _NAME.fullmatch(name):
            raise Refusal("INVALID_FORM_FIELD", "the name has 1 to 50 lower case letters, digits, and any of @ . _ -", {"field": "name"})
        row = {
            "name": name,
            "id": str(uuid.uuid4()),
            "fullName": wanted.get("fullName") or "",
            "isOrg": bool(wanted.get("isOrg")),
            "ldapDN": "",
        }
        if row["isOrg"]:
            return row
        active = wanted.get("isActive")
        return {**row, "isActive": True if active is None else bool(active), "isAdmin": bool(wanted.get("isAdmin")), "passwordHash": ""}

    def _import(self, asked: Asked, user: Row) -> Answer:
        """Accounts with hashes of their passwords; those whose names are taken are told of, and the others are there."""
        self.front.needs_administrator(user)
        if not self.front.imports_accounts:
            raise Refusal("HANDLER_NOT_FOUND", "no handler is registered for this path")
        rows = []
        for wanted in form(asked).get("accounts") or []:
            row = self._new_account(wanted)
            if not row["isOrg"]:
                if self._is_ldap():
                    raise Refusal("CANNOT_CREATE_USER", "users come from LDAP")
                row["passwordHash"] = str(wanted.get("passwordHash") or "")
                scheme = row["passwordHash"].partition("$")[0]
                if scheme not in ("", "bcrypt", "pbkdf2_sha256"):
                    raise Refusal("INVALID_FORM_FIELD", f"no password hasher {scheme}", {"field": "passwordHash"})
            rows.append(row)
        taken = [row["name"] for row in rows if self.tables.get(ACCOUNTS, row["name"])]
        self.tables.insert(ACCOUNTS, *(row for row in rows if row["name"] not in taken))
        if taken:
            raise Refusal("ACCOUNTS_EXIST", "some accounts already exist", taken)
        return Answer(201)

    def _bulk(self, asked: Asked, user: Row) -> Answer:
        self.front.needs_administrator(user)
        results = []
        for operation in form(asked).get("operations") or []:
            result: Row = {"op": operation.get("op", ""), "ref": operation.get("ref", ""), "success": True}
            try:
                field = {"activate": "isActive", "admin": "isAdmin"}.get(result["op"].rpartition("/")[2])
                row = self.find(result["ref"], "user")
                if field is None:
                    raise Refusal("INVALID_FORM_FIELD", f"unknown operation {result['op']}")
                self.tables.update(ACCOUNTS, row["name"], **{field: operation.get("value") == "true"})
            except Refusal as refusal:
                result.update(success=False, error={"code": refusal.code, "message": refusal.message})
            results.append(result)
        return Answer(200, {"results": results})

    def _show(self, _asked: Asked, _user: Row, name: str) -> Answer:
        return Answer(200, self.described(self.find(name)))

    def _update(self, asked: Asked, user: Row, name: str) -> Answer:
        row, wanted = self.find(name), form(asked)
        own = self._is_admin_of(user, row) if row.get("isOrg") else user["id"] == row["id"] and not {"isActive", "isAdmin"} & set(wanted)
        if not (user.get("isAdmin") or own):
            raise Refusal("NOT_AUTHORIZED")
        fields = {name: wanted[name] for name in ("fullName", "isActive", "isAdmin") if wanted.get(name) is not None}
        if row.get("isOrg"):
            fields = {name: value for name, value in fields.items() if name == "fullName"}
        self.tables.update(ACCOUNTS, row["name"], **fields)
        return Answer(200, self.described({**row, **fields}))

    def _delete(self, _asked: Asked, user: Row, name: str) -> Answer:
        self.front.needs_administrator(user)
        row = self.find(name)
        field = "orgID" if row.get("isOrg") else "userID"
        for place in (TEAM_MEMBERS, MEMBERS):
            self.tables.delete(place, *(one["pk"] for one in self.tables.by(place, field, row["id"])))
        if row.get("isOrg"):
            self.tables.delete(TEAMS, *(one["pk"] for one in self.tables.by(TEAMS, "orgID", row["id"])))
        self.tables.delete(ACCOUNTS, row["name"])
        return Answer(204)

    def _change_password(self, asked: Asked, user: Row, name: str) -> Answer:
        row, wanted = self.find(name, "user"), form(asked)
        if not user.get("isAdmin") and user["id"] != row["id"]:
            raise Refusal("NOT_AUTHORIZED")
        if row.get("ldapDN"):
            raise Refusal("CANNOT_CHANGE_PASSWORD", "the password is the directory's")
        if user["id"] == row["id"] and not fits(str(wanted.get("oldPassword", "")), row.get("passwordHash", "")):
            raise Refusal("PASSWORD_INCORRECT")
        password = str(wanted.get("newPassword", ""))
        if len(password) < self.front.shortest_password:
            raise Refusal("INVALID_FORM_FIELD", f"the password must have at least {self.front.shortest_password} characters")
        self.tables.update(ACCOUNTS, row["name"], passwordHash=bcrypt_hash(password))
        return Answer(200, self.described(row))

    # -- members of organizations
    def _organizations(self, asked: Asked, user: Row, name: str) -> Answer:
        row = self.find(name, "user")
        if not user.get("isAdmin") and user["id"] != row["id"]:
            raise Refusal("NOT_AUTHORIZED")
        rows = self.tables.by(MEMBERS, "userID", row["id"])
        found, following = page(((one["orgID"], one) for one in rows), asked.query.get("start", ""), self._limit(asked))
        listed = []
        for one in found:
            organization = self.tables.one(ACCOUNTS, "id", one["orgID"])
            if organization is not None:
                listed.append({"org": self.described(organization), "isAdmin": bool(one.get("isAdmin"))})
        return Answer(200, {"memberOrgs": listed, "nextPageStart": following}, next_page(asked, "start", following))

    def _members(self, asked: Asked, user: Row, name: str) -> Answer:
        organization = self._seen(user, name)
        return self._listed_members(asked, self.tables.by(MEMBERS, "orgID", organization["id"]))

    def _member(self, _asked: Asked, user: Row, name: str, member: str) -> Answer:
        organization, account = self._seen(user, name), self.find(member, "user")
        row = membership(self.tables, organization, account)
        if row is None:
            raise Refusal("NO_SUCH_MEMBER")
        return Answer(200, {"member": self.described(account), "isAdmin": bool(row.get("isAdmin"))})

    def _set_member(self, asked: Asked, user: Row, name: str, member: str) -> Answer:
        organization, account = self._owned(user, name), self.find(member, "user")
        if (organization.get("adminSyncConfig") or {}).get("enableSync") and account.get("ldapDN"):
            raise Refusal("LDAP_PRECLUDES", "admins of the organization are synced with LDAP")
        is_admin = form(asked).get("isAdmin")
        return Answer(200, {"member": self.described(account), "isAdmin": self._join(organization, account, is_admin)})

    def _join(self, organization: Row, account: Row, is_admin: bool | None) -> bool:
        row = membership(self.tables, organization, account)
        if row is None:
            self.tables.insert(
                MEMBERS, {"orgID": organization["id"], "userID": account["id"], "isAdmin": bool(is_admin), "isPublic": False}
            )
            return bool(is_admin)
        if is_admin is not None and bool(row.get("isAdmin")) != is_admin:
            self.tables.update(MEMBERS, row["pk"], isAdmin=is_admin)
            return is_admin
        return bool(row.get("isAdmin"))

    def _remove_member(self, _asked: Asked, user: Row, name: str, member: str) -> Answer:
        organization, account = self._owned(user, name), self.find(member, "user")
        if (organization.get("adminSyncConfig") or {}).get("enableSync") and account.get("ldapDN"):
            raise Refusal("LDAP_PRECLUDES", "admins of the organization are synced with LDAP")
        for team in teams_of(self.tables, organization, account):
            self.tables.delete(TEAM_MEMBERS, key_of(team["id"], account["id"]))
        self.tables.delete(MEMBERS, key_of(organization["id"], account["id"]))
        return Answer(204)

    def _member_teams(self, asked: Asked, user: Row, name: str, member: str) -> Answer:
        organization, account = self._seen(user, name), self.find(member, "user")
        rows = teams_of(self.tables, organization, account)
        found, following = page(((row["id"], row) for row in rows), asked.query.get("start", ""), self._limit(asked))
        listed = []
        for team in found:
            row = self.tables.get(TEAM_MEMBERS, key_of(team["id"], account["id"])) or {}
            listed.append({"team": self._described_team(team), "isAdmin": bool(row.get("isAdmin"))})
        return Answer(200, {"memberTeams": listed, "nextPageStart": following}, next_page(asked, "start", following))

    def _listed_members(self, asked: Asked, rows: t.Sequence[Row]) -> Answer:
        wanted = asked.query.get("filter") or "all"
        if wanted not in ("all", "admins", "non-admins"):
            raise Refusal("INVALID_FORM_FIELD", f"unknown filter {wanted}")
        rows = [row for row in rows if wanted == "all" or bool(row.get("isAdmin")) == (wanted == "admins")]
        found, following = page(((row["userID"], row) for row in rows), asked.query.get("start", ""), self._limit(asked))
        listed = []
        for row in found:
            account = self.tables.one(ACCOUNTS, "id", row["userID"])
            if account is not None:
                listed.append({"member": self.described(account), "isAdmin": bool(row.get("isAdmin"))})
        document = {"members": listed, "resourceCount": len(rows), "nextPageStart": following}
        return Answer(200, document, next_page(asked, "start", following))

    # -- teams
    def _described_team(self, row: Row) -> Row:
        return {
            "id": row["id"],
            "name": row["name"],
            "orgID": row["orgID"],
            "description": row.get("description", ""),
            "membersCount": len(self.tables.by(TEAM_MEMBERS, "teamID", row["id"])),
        }

    def find_team(self, organization: Row, name: str) -> Row:
        """A team by `name` or by `id:<id>`."""
        if name.startswith("id:"):
            row = self.tables.one(TEAMS, "id", name[3:])
            row = row if row and row["orgID"] == organization["id"] else None
        else:
            row = self.tables.get(TEAMS, key_of(organization["id"], name))
        if row is None:
            raise Refusal("NO_SUCH_TEAM", f"no team {name} in {organization['name']}")
        return row

    def _teams(self, asked: Asked, user: Row, name: str) -> Answer:
        organization = self._seen(user, name)
        rows = self.tables.by(TEAMS, "orgID", organization["id"])
        found, following = page(((row["name"], row) for row in rows), asked.query.get("start", ""), self._limit(asked))
        document = {"teams": [self._described_team(row) for row in found], "resourceCount": len(rows), "nextPageStart": following}
        return Answer(200, document, next_page(asked, "start", following))

    def _create_team(self, asked: Asked, user: Row, name: str) -> Answer:
        organization, wanted = self._owned(user, name), form(asked)
        row = {
            "orgID": organization["id"],
            "name": self._team_name(wanted.get("name")),
            "id": str(uuid.uuid4()),
            "description": self._description(wanted),
            "memberSyncConfig": dict(_NO_SYNC),
        }
        try:
            self.tables.insert(TEAMS, row)
        except Duplicate:
            raise Refusal("TEAM_EXISTS", f"a team {row['name']} already exists") from None
        return Answer(201, self._described_team(row))

    @staticmethod
    def _team_name(wanted: t.Any) -> str:
        name = unicodedata.normalize("NFC", str(wanted or "")).strip()
        if not name or len(name) > 100 or "/" in name or not name.isprintable():
            raise Refusal("INVALID_FORM_FIELD", "the name has 1 to 100 characters and no slash", {"field": "name"})
        return name

    @staticmethod
    def _description(wanted: Row) -> str:
        description = str(wanted.get("description") or "")
        if len(description) > 140:
            raise Refusal("INVALID_FORM_FIELD", "the description has up to 140 characters", {"field": "description"})
        return description

    def _team(self, _asked: Asked, user: Row, name: str, team: str) -> Answer:
        return Answer(200, self._described_team(self.find_team(self._seen(user, name), team)))

    def _update_team(self, asked: Asked, user: Row, name: str, team: str) -> Answer:
        organization, row = self._owned_team(user, name, team)
        wanted = form(asked)
        changed = dict(row)
        if wanted.get("description") is not None:
            changed["description"] = self._description(wanted)
        if wanted.get("name") is not None:
            changed["name"] = self._team_name(wanted["name"])
        if changed["name"] != row["name"]:
            # the name is part of the primary key; the id stays
            try:
                self.tables.insert(TEAMS, changed)
            except Duplicate:
                raise Refusal("TEAM_EXISTS", f"a team {changed['name']} already exists") from None
            self.tables.delete(TEAMS, key_of(organization["id"], row["name"]))
        else:
            self.tables.update(TEAMS, row["pk"], description=changed["description"])
        return Answer(200, self._described_team(changed))

    def _delete_team(self, _asked: Asked, user: Row, name: str, team: str) -> Answer:
        row = self.find_team(self._owned(user, name), team)
        self.tables.delete(TEAM_MEMBERS, *(one["pk"] for one in self.tables.by(TEAM_MEMBERS, "teamID", row["id"])))
        self.tables.delete(TEAMS, row["pk"])
        return Answer(204)

    def _team_members(self, asked: Asked, user: Row, name: str, team: str) -> Answer:
        row = self.find_team(self._seen(user, name), team)
        return self._listed_members(asked, self.tables.by(TEAM_MEMBERS, "teamID", row["id"]))

    def _team_member(self, _asked: Asked, user: Row, name: str, team: str, member: str) -> Answer:
        row, account = self.find_team(self._seen(user, name), team), self.find(member, "user")
        found = self.tables.get(TEAM_MEMBERS, key_of(row["id"], account["id"]))
        if found is None:
            raise Refusal("NO_SUCH_MEMBER")
        return Answer(200, {"member": self.described(account), "isAdmin": bool(found.get("isAdmin"))})

    def _set_team_member(self, asked: Asked, user: Row, name: str, team: str, member: str) -> Answer:
        organization, row = self._owned_team(user, name, team)
        account = self.find(member, "user")
        self._precluded(row, account)
        is_admin = form(asked).get("isAdmin")
        self._join(organization, account, None)
        key = key_of(row["id"], account["id"])
        found = self.tables.get(TEAM_MEMBERS, key)
        if found is None:
            fields = {"teamID": row["id"], "orgID": organization["id"], "userID": account["id"]}
            self.tables.insert(TEAM_MEMBERS, {**fields, "isAdmin": bool(is_admin), "isPublic": False})
        elif is_admin is not None:
            self.tables.update(TEAM_MEMBERS, key, isAdmin=is_admin)
        now = self.tables.get(TEAM_MEMBERS, key) or {}
        return Answer(200, {"member": self.described(account), "isAdmin": bool(now.get("isAdmin"))})

    def _remove_team_member(self, _asked: Asked, user: Row, name: str, team: str, member: str) -> Answer:
        _organization, row = self._owned_team(user, name, team)
        account = self.find(member, "user")
        self._precluded(row, account)
        self.tables.delete(TEAM_MEMBERS, key_of(row["id"], account["id"]))
        return Answer(204)

    @staticmethod
    def _precluded(team: Row, account: Row) -> None:
        if (team.get("memberSyncConfig") or {}).get("enableSync") and account.get("ldapDN"):
            raise Refusal("LDAP_PRECLUDES", "members of the team are synced with LDAP")

    # -- directories
    def _admin_sync(self, _asked: Asked, user: Row, name: str) -> Answer:
        return Answer(200, {**_NO_SYNC, **(self._owned(user, name).get("adminSyncConfig") or {})})

    def _set_admin_sync(self, asked: Asked, user: Row, name: str) -> Answer:
        row = self._owned(user, name)
        config = self._sync_options(form(asked))
        self.tables.update(ACCOUNTS, row["name"], adminSyncConfig=config)
        return Answer(200, config)

    def _sync(self, _asked: Asked, user: Row, name: str, team: str) -> Answer:
        return Answer(200, {**_NO_SYNC, **(self._owned_team(user, name, team)[1].get("memberSyncConfig") or {})})

    def _set_sync(self, asked: Asked, user: Row, name: str, team: str) -> Answer:
        _organization, row = self._owned_team(user, name, team)
        config = self._sync_options(form(asked))
        self.tables.update(TEAMS, row["pk"], memberSyncConfig=config)
        return Answer(200, config)

    @staticmethod
    def _sync_options(wanted: Row) -> Row:
        config = {name: wanted.get(name, usual) for name, usual in _NO_SYNC.items()}
        if config["enableSync"] and not (config["groupDN"] if config["selectGroupMembers"] else config["searchBaseDN"]):
            raise Refusal("INVALID_FORM_FIELD", "a group or a place to search is missing")
        return config

    def _link(self, _asked: Asked, user: Row, name: str, team: str) -> Answer:
        return Answer(200, {**_NO_LINK, **(self._owned_team(user, name, team)[1].get("groupLinkConfig") or {})})

    def _set_link(self, asked: Asked, user: Row, name: str, team: str) -> Answer:
        _organization, row = self._owned_team(user, name, team)
        wanted = form(asked)
        config = {name: wanted.get(name, usual) for name, usual in _NO_LINK.items()}
        self.tables.update(TEAMS, row["pk"], groupLinkConfig=config)
        return Answer(200, config)

    def _is_ldap(self) -> bool:
        return self.front.backend() == "ldap"

    def _config(self, _asked: Asked, user: Row) -> Answer:
        self.front.needs_administrator(user)
        return Answer(200, {"backend": self.front.backend()})

    def _ldap(self, _asked: Asked, user: Row) -> Answer:
        self.front.needs_administrator(user)
        row = self.tables.get(ENZI_PROPERTIES, "config.auth.ldap") or {}
        return Answer(200, {**_NO_LDAP, **row.get("jsonValue", {})})

    def _set_ldap(self, asked: Asked, user: Row) -> Answer:
        self.front.needs_administrator(user)
        wanted = form(asked)
        config = {name: wanted.get(name, usual) for name, usual in _NO_LDAP.items()}
        self.tables.insert(ENZI_PROPERTIES, {"key": "config.auth.ldap", "jsonValue": config}, replace=True)
        return Answer(200, config)

    # -- who may
    def _is_admin_of(self, user: Row, organization: Row) -> bool:
        row = membership(self.tables, organization, user)
        return bool(user.get("isAdmin") or (row and row.get("isAdmin")))

    def _seen(self, user: Row, name: str) -> Row:
        """An organization, for its members."""
        organization = self.find(name, "organization")
        if not (user.get("isAdmin") or membership(self.tables, organization, user)):
            raise Refusal("NOT_AUTHORIZED")
        return organization

    def _owned(self, user: Row, name: str) -> Row:
        """An organization, for its admins."""
        organization = self.find(name, "organization")
        if not self._is_admin_of(user, organization):
            raise Refusal("NOT_AUTHORIZED")
        return organization

    def _owned_team(self, user: Row, name: str, team: str) -> tuple[Row, Row]:
        """A team with its organization, for admins of either."""
        organization = self.find(name, "organization")
        row = self.find_team(organization, team)
        mine = self.tables.get(TEAM_MEMBERS, key_of(row["id"], user["id"])) or {}
        if not (self._is_admin_of(user, organization) or mine.get("isAdmin")):
            raise Refusal("NOT_AUTHORIZED")
        return organization, row

    def _limit(self, asked: Asked) -> int:
        return self.front.fewer(number(asked, "limit", 10, 65536, "INVALID_FORM_FIELD"))


_FILTERS: t.Mapping[str, t.Callable[[Row], bool]] = {
    "all": lambda row: True,
    "users": lambda row: not row.get("isOrg"),
    "orgs": lambda row: bool(row.get("isOrg")),
    "admins": lambda row: not row.get("isOrg") and bool(row.get("isAdmin")),
    "non-admins": lambda row: not row.get("isOrg") and not row.get("isAdmin"),
    "active-users": lambda row: not row.get("isOrg") and bool(row.get("isActive")),
    "inactive-users": lambda row: not row.get("isOrg") and not row.get("isActive"),
}


def normal(name: str) -> str:
    """A name as eNZi keeps it."""
    return unicodedata.normalize("NFC", name).lower()

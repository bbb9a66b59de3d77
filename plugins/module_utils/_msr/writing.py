# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Writing the people of an MSR: one item after the other, and each so that a second time does no harm."""

from __future__ import annotations

import dataclasses
import secrets
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import CREATED, REMOVED, Change
from ansible_collections.registryops.migration.plugins.module_utils._identity.matching import same_entry
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    Account,
    Grant,
    Membership,
    Policy,
    Repository,
    Team,
    TeamMembership,
    Token,
    Webhook,
)
from ansible_collections.registryops.migration.plugins.module_utils._msr.api import NO_HANDLER, Service, in_path
from ansible_collections.registryops.migration.plugins.module_utils._msr.forms import (
    LEVELS,
    POLICY_PATHS,
    UNFINISHED,
    account_of,
    changed_repository,
    changed_webhook,
    half_made,
    new_repository,
    new_webhook,
    policy_document,
    sync_document,
    webhook_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._msr.rows import (
    ACCOUNT_FIELDS,
    ACCOUNTS,
    TOKENS,
    AccountSecrets,
    row_of,
    secrets_of,
    time_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, MigrationError, RegistryError

if t.TYPE_CHECKING:
    from ansible_collections.registryops.migration.plugins.module_utils._msr.people import MSRPeople

Identified = t.TypeVar("Identified", Webhook, Policy)
Problems = list[t.Optional[MigrationError]]

#: the names that a note about many of them holds
_MOST_NAMES = 20


class _Made(t.NamedTuple):
    """A new account that is there, in part at least: what it is to be, what it is so far, and what the database has to get for it."""

    wanted: Account
    found: Account
    row: dict[str, t.Any]


class Writing:
    """What `MSRPeople.write` does. Threads share it."""

    def __init__(self, people: MSRPeople) -> None:
        self._people = people
        self._lock = threading.Lock()
        #: whether the server takes accounts with the hashes of their passwords; None until it has been asked
        self._imports: bool | None = None
        self._without_password: list[str] = []
        self._without_secret: list[str] = []

    @property
    def _accounts(self) -> Service:
        return self._people.api.accounts

    @property
    def _registry(self) -> Service:
        return self._people.api.registry

    def notes(self) -> list[str]:
        """What those whom it concerns have to do now."""
        with self._lock:
            users, policies = list(self._without_password), list(self._without_secret)
        result = []
        if users:
            result.append(
                f"{len(users)} users have a random password, since there was no way to give them their own: {some(users)}. "
                "Give the option database, or set their passwords."
            )
        if policies:
            result.append(
                f"{len(policies)} mirroring policies sign in with a password that cannot be read anywhere: {some(policies)}. Set them."
            )
        return result

    def has_password(self, user: str) -> None:
        """A new user has been given a password in another way."""
        with self._lock:
            self._without_password = [name for name in self._without_password if name != user]

    def write(self, changes: t.Sequence[Change]) -> Problems:
        """Carry out changes that are of one kind; what went wrong with each."""
        if not changes:
            return []
        kind = changes[0].item.kind
        if kind == "account":
            return self._write_accounts(changes)
        if kind == "token":
            return self._write_tokens(changes)
        one: t.Mapping[str, t.Callable[[t.Any, t.Any], None]] = {
            "team": self._write_team,
            "membership": self._write_membership,
            "team_membership": self._write_membership,
            "repository": self._write_repository,
            "grant": self._write_grant,
            "webhook": self._write_webhook,
            "policy": self._write_policy,
        }
        return [_problem(one[kind], None if change.state == REMOVED else change.wanted, change.existing) for change in changes]

    # -- accounts
    def _write_accounts(self, changes: t.Sequence[Change]) -> Problems:
        problems: Problems = [None] * len(changes)
        imported = self._import(changes, problems)
        made: dict[int, _Made] = {}
        for position, change in enumerate(changes):
            is_new = change.existing is None and change.state != REMOVED
            if is_new and isinstance(change.wanted, Account) and position not in imported and problems[position] is None:
                try:
                    made[position] = self._create_account(change.wanted)
                except MigrationError as error:
                    problems[position] = error
        # before any of them may sign in or do something
        self._check_entries(made, problems)
        rows: dict[int, dict[str, t.Any]] = {}
        for position, change in enumerate(changes):
            if position in imported or problems[position] is not None:
                continue
            try:
                if position in made:
                    wanted, found, row = made[position]
                    row = {**row, **self._change_account(wanted, found)}
                elif change.state == REMOVED:
                    row = self._remove_account(t.cast("Account", change.existing))
                else:
                    row = self._change_account(t.cast("Account", change.wanted), t.cast("Account", change.existing))
            except MigrationError as error:
                problems[position] = error
            else:
                if row:
                    rows[position] = row
        self._set_secrets({position: (changes[position].item.key[0], row) for position, row in rows.items()}, problems)
        return problems

    def _check_entries(self, made: t.Mapping[int, _Made], problems: Problems) -> None:
        """A directory is looked into by name: whether the user who came from there is the wanted one, the database tells."""
        database = self._people.accounts_database
        # who gets the entry from the database has it from the source
        new = {position: one.wanted for position, one in made.items() if one.wanted.directory_name and "ldapDN" not in one.row}
        if database is None or not new or not self._people.match_directory:
            return
        try:
            known = secrets_of(database.rows(*ACCOUNTS, fields=ACCOUNT_FIELDS))
        except MigrationError as error:
            problems[:] = [error if position in new else problem for position, problem in enumerate(problems)]
            return
        for position, wanted in new.items():
            found = known.get(wanted.name, AccountSecrets()).directory_name
            if not same_entry(found, wanted.directory_name):
                hint = "Rename or leave out the one of the source, or set match_directory to false if the directory has moved."
                problems[position] = _somebody_else(wanted, found, f"{hint} The account here stays, inactive if it has just been created.")

    def _import(self, changes: t.Sequence[Change], problems: Problems) -> set[int]:
        """Create users with the hashes of their passwords where only the API can do that; the positions of those that are done."""
        if self._imports is False:
            return set()
        has_database = self._people.accounts_database is not None
        new = {
            position: change.wanted
            for position, change in enumerate(changes)
            if change.state == CREATED
            and isinstance(change.wanted, Account)
            and change.wanted.password_hash
            and not change.wanted.is_organization
            and not change.wanted.directory_name
        }
        if not new:
            return set()
        try:
            found = self._import_these(list(new.values()))
        except RegistryError as error:
            if has_database:
                # there is another way, and what cannot be is told there
                return set()
            if len(new) == 1:
                problems[next(iter(new))] = error
                return set()
        else:
            for position, problem in zip(new, found or ()):
                problems[position] = problem
            return set() if found is None else set(new)
        for position, account in new.items():
            # one of them is what the server does not like: it is found by asking for each
            try:
                problems[position] = (self._import_these([account]) or [None])[0]
            except MigrationError as error:
                problems[position] = error
        return set(new)

    def can_import(self) -> bool:
        """Whether the server takes users with the hashes of their passwords; asked once, with none of them."""
        if self._imports is None:
            try:
                self._imports = self._ask_to_import([]) is not None
            except RegistryError as error:
                # whoever minds that there is none knows what it would be
                self._imports = error.status != 404
        return self._imports

    def _ask_to_import(self, documents: t.Sequence[t.Mapping[str, t.Any]]) -> t.Any:
        """What the server says to the import of users; None where it has no such thing."""
        what = f"{len(documents)} users"
        return self._accounts.ask("POST", "/admin/importAccounts", None, {"accounts": documents}, what=what, absent=(NO_HANDLER,))

    def _import_these(self, accounts: t.Sequence[Account]) -> Problems | None:
        """What is wrong with each; None where they have to be created in another way."""
        documents = [
            {
                "name": account.name,
                "fullName": account.full_name or "",
                "isOrg": False,
                "isAdmin": bool(account.is_admin),
                "isActive": account.is_active is not False,
                "passwordHash": account.password_hash,
            }
            for account in accounts
        ]
        try:
            reply = self._ask_to_import(documents)
        except RegistryError as error:
            # those that were there are named, the others are there now: an answer that was lost has the same effect
            if "ACCOUNTS_EXIST" in error.codes:
                # of those that were there the database can tell whether they are right; without it, whether they are finished is seen
                database = self._people.accounts_database
                return [_problem(self._check_imported, account) for account in accounts] if database is None else None
            if error.status != 404:
                raise
            reply = None
        self._imports = reply is not None
        return [None] * len(accounts) if self._imports else None

    def _check_imported(self, wanted: Account) -> None:
        """A user who may have been there before the import: nothing but the database gives a hash to one whom a run has left half made."""
        if _there(wanted, self._people.account(wanted.name)).full_name == UNFINISHED:
            raise half_made(wanted.title)

    def _remove_account(self, existing: Account) -> dict[str, t.Any]:
        """Remove an account; nothing is left for the database."""
        self._accounts.ask("DELETE", in_path("accounts", existing.name), what=existing.title, absent=("NO_SUCH_",))
        self._people.forget(existing.name)
        return {}

    def _change_account(self, wanted: Account, existing: Account) -> dict[str, t.Any]:
        """Write what the API takes, and return what is left for the database."""
        row: dict[str, t.Any] = {}
        if wanted.directory_name and existing.directory_name and not same_entry(existing.directory_name, wanted.directory_name):
            raise _somebody_else(wanted, existing.directory_name, "Rename one of the accounts, or leave it out.")
        if wanted.directory_name and existing.directory_name == "":
            row["ldapDN"] = wanted.directory_name
        fields = (("full_name", "fullName"), ("is_active", "isActive"), ("is_admin", "isAdmin"))
        document = {
            theirs: getattr(wanted, ours)
            for ours, theirs in (fields[:1] if wanted.is_organization else fields)
            if getattr(wanted, ours) not in (None, getattr(existing, ours))
        }
        if document:
            self._accounts.ask("PATCH", in_path("accounts", wanted.name), None, document, what=wanted.title)
        if self._people.accounts_database is None:
            return {}
        if wanted.password_hash and not wanted.is_organization and wanted.password_hash != existing.password_hash:
            row["passwordHash"] = wanted.password_hash
        return row

    def _create_account(self, wanted: Account) -> _Made:
        """Create an account.

        Whoever gets something from the database is inactive until then, and not taken for there by `MSRPeople.read`: a run that is ended
        in between leaves nobody who could be taken for finished. Whoever comes from a directory, and has to be a certain entry of it, is
        inactive until that has been looked at, for a directory is looked into by name.
        """
        has_database = self._people.accounts_database is not None
        is_local = not wanted.is_organization and not wanted.directory_name
        # otherwise the directory that is here has the last word: the name of an entry in that of the source is never written
        writes_entries = has_database and self._people.match_directory
        is_active = wanted.is_active is not False
        finished = {"fullName": wanted.full_name or "", "isActive": is_active}
        made: list[Account] = []

        def is_there() -> bool:
            made.extend(filter(None, [self._people.account(wanted.name)]))
            return bool(made)

        def create(more: t.Mapping[str, t.Any], *absent: str) -> bool:
            reply = self._accounts.create_once(
                "/accounts/",
                {"name": wanted.name, "fullName": wanted.full_name or "", **more},
                what=wanted.title,
                is_there=is_there,
                attempts=self._people.api.attempts,
                absent=("ACCOUNT_EXISTS", *absent),
            )
            if reply is not None:
                made.append(self._people.noted(account_of(reply.document, None, wanted.title)))
            return bool(made)

        local = {**finished, "isAdmin": bool(wanted.is_admin), "password": _random_password()}
        if has_database and (wanted.password_hash or wanted.directory_name):
            local.update(fullName=UNFINISHED, isActive=False)
        if wanted.is_organization:
            create({"isOrg": True})
        elif is_local:
            create(local)
        else:
            looked_up = {"searchLDAP": True, "isActive": is_active and not writes_entries}
            # without a directory to look into, the database can still have the user known as one of it; who is there need not be created
            if not create(looked_up, *(["CANNOT_CREATE_USER"] if writes_entries else [])) and writes_entries and not is_there():
                create(local)
            wanted = dataclasses.replace(wanted, is_active=is_active)
        found = _there(wanted, made[0] if made else self._people.account(wanted.name))
        unfinished = found.full_name == UNFINISHED
        if unfinished and not has_database and (wanted.password_hash or wanted.directory_name):
            raise half_made(wanted.title)
        if unfinished and wanted.directory_name and not writes_entries:
            raise half_made(wanted.title, "Set match_directory to true where the directory is that of the source")
        if is_local and (made or unfinished) and not (has_database and wanted.password_hash):
            with self._lock:
                self._without_password.append(wanted.name)
        if not unfinished:
            return _Made(wanted, found, {})
        row: dict[str, t.Any] = {}
        if has_database:
            row = {**finished, **({"ldapDN": wanted.directory_name, "passwordHash": ""} if wanted.directory_name else {})}
        else:
            # there is nothing that the user would have to wait for
            self._accounts.ask("PATCH", in_path("accounts", wanted.name), None, finished, what=wanted.title)
        return _Made(wanted, dataclasses.replace(found, full_name=wanted.full_name, is_active=wanted.is_active), row)

    def _set_secrets(self, rows: t.Mapping[int, tuple[str, dict[str, t.Any]]], problems: Problems) -> None:
        database = self._people.accounts_database
        if database is None or not rows:
            return
        everything = dict(rows.values())
        problem = _problem(database.update, *ACCOUNTS, everything)
        for position, (name, row) in rows.items() if problem is not None else ():
            # one at a time: which of them it is, and that the others have theirs
            again = problem if len(rows) == 1 else _problem(database.update, *ACCOUNTS, {name: row})
            if again is not None:
                again.hint = f"The account is there, without what the database has to get for it. {again.hint}".strip()
            problems[position] = again

    # -- teams and members
    def _write_team(self, wanted: Team | None, existing: Team | None) -> None:
        if wanted is None:
            if existing is not None:
                path = in_path("accounts", existing.organization, "teams", existing.name)
                self._accounts.ask("DELETE", path, what=existing.title, absent=("NO_SUCH_",))
            return
        path, what = in_path("accounts", wanted.organization, "teams", wanted.name), wanted.title
        if existing is None:
            document = {"name": wanted.name, "description": wanted.description or ""}
            teams = in_path("accounts", wanted.organization, "teams")
            if self._accounts.ask("POST", teams, None, document, what=what, absent=("TEAM_EXISTS",)) is None:
                existing = self._people.look(wanted)
        if existing is not None and wanted.description not in (None, existing.description):
            self._accounts.ask("PATCH", path, None, {"description": wanted.description}, what=what)
        if wanted.directory_sync is not None and wanted.directory_sync != (existing.directory_sync if existing else {}):
            self._accounts.ask("PUT", f"{path}/memberSyncConfig", None, sync_document(wanted.directory_sync), what=what)
        if wanted.group_link is not None and wanted.group_link != (existing.group_link if existing else ""):
            link = {"enableLink": bool(wanted.group_link), "groupName": wanted.group_link}
            self._accounts.ask("PUT", f"{path}/groupLinkConfig", None, link, what=what)

    def _write_membership(self, wanted: Membership | TeamMembership | None, existing: Membership | TeamMembership | None) -> None:
        item = wanted or existing
        if item is None:
            return
        of_team = ("teams", item.team) if isinstance(item, TeamMembership) else ()
        path = in_path("accounts", item.organization, *of_team, "members", item.user)
        if wanted is None:
            self._accounts.ask("DELETE", path, what=item.title, absent=("NO_SUCH_",))
            return
        document = {} if wanted.is_admin is None else {"isAdmin": wanted.is_admin}
        self._accounts.ask("PUT", path, None, document, what=item.title)

    # -- repositories and what may be done with them
    def _write_repository(self, wanted: Repository | None, existing: Repository | None) -> None:
        if wanted is None:
            if existing is not None:
                self._registry.ask("DELETE", in_path("repositories", *existing.key), what=existing.title, absent=("NO_SUCH_",))
            return
        if existing is None:
            path = in_path("repositories", wanted.namespace)
            reply = self._registry.ask("POST", path, None, new_repository(wanted), what=wanted.title, absent=("REPOSITORY_EXISTS",))
            if reply is not None:
                return
            existing = self._people.look(wanted)
        document = changed_repository(wanted, existing) if existing is not None else {}
        if document:
            self._registry.ask("PATCH", in_path("repositories", *wanted.key), None, document, what=wanted.title)

    def _write_grant(self, wanted: Grant | None, existing: Grant | None) -> None:
        grant = wanted or existing
        if grant is None:
            return
        if grant.repository:
            path = in_path("repositories", grant.namespace, grant.repository, "teamAccess", grant.team)
        else:
            path = in_path("repositoryNamespaces", grant.namespace, "teamAccess", grant.team)
        if wanted is None:
            self._registry.ask("DELETE", path, what=grant.title, absent=("NO_SUCH_",))
        else:
            self._registry.ask("PUT", path, None, {"accessLevel": LEVELS[wanted.level]}, what=grant.title)

    # -- tokens
    def _write_tokens(self, changes: t.Sequence[Change]) -> Problems:
        problems: Problems = [None] * len(changes)
        rows: dict[int, dict[str, t.Any]] = {}
        for position, change in enumerate(changes):
            wanted = t.cast("Token | None", None if change.state == REMOVED else change.wanted)
            existing = t.cast("Token | None", change.existing)
            if wanted is not None and existing is None:
                try:
                    rows[position] = row_of(wanted, self._people.identifier_of(wanted.owner))
                except MigrationError as error:
                    problems[position] = error
                except ValueError:
                    problems[position] = InvalidOption("has a date that is none.", subject=wanted.title, hint="Leave it out.")
            else:
                problems[position] = _problem(self._change_token, wanted, existing)
        self._insert_tokens(rows, changes, problems)
        return problems

    def _insert_tokens(self, rows: t.Mapping[int, dict[str, t.Any]], changes: t.Sequence[Change], problems: Problems) -> None:
        if not rows:
            return
        database = self._people.database
        if database is None:
            for position in rows:
                problems[position] = self._people.refusal(changes[position].item)
            return
        problem = _problem(lambda: database.insert(*TOKENS, rows=list(rows.values())))
        if problem is None:
            return
        has: set[t.Any] = set()
        # one that is there already is an error, too; where the database cannot even be asked, the next run finds out
        _problem(lambda: has.update(row.get("token") for row in database.rows(*TOKENS, fields=("token",))))
        for position, row in rows.items():
            problems[position] = None if row["token"] in has else problem

    def _change_token(self, wanted: Token | None, existing: Token | None) -> None:
        token = wanted or existing
        if token is None:
            return
        path = in_path("api_tokens", token.token_hash)
        if wanted is None or existing is None:
            self._registry.ask("DELETE", path, what=token.title, absent=("NO_SUCH_",))
            return
        row: dict[str, t.Any] = {}
        if wanted.owner != existing.owner:
            row["accountID"] = self._people.identifier_of(wanted.owner)
        if wanted.created and wanted.created != existing.created:
            refusal = self._people.refusal(wanted)
            if refusal is not None:
                raise refusal
            row["createdAt"] = time_of(wanted.created)
        if row:
            if self._people.database is None:
                raise InvalidOption("differs in what only the database can change.", subject=token.title, hint="Give the option database.")
            self._people.database.update(*TOKENS, changes={token.token_hash: row})
        fields = (("label", "tokenLabel"), ("is_active", "isActive"))
        document = {
            theirs: getattr(wanted, ours) for ours, theirs in fields if getattr(wanted, ours) not in (None, getattr(existing, ours))
        }
        if document:
            self._registry.ask("PATCH", path, None, document, what=token.title)

    # -- webhooks and policies
    def _write_webhook(self, wanted: Webhook | None, existing: Webhook | None) -> None:
        if wanted is None:
            if existing is not None:
                self._registry.ask("DELETE", in_path("webhooks", self._identifier(existing)), what=existing.title, absent=("NO_SUCH_",))
            return
        what = wanted.title
        if existing is None:
            reply = self._registry.create_once(
                "/webhooks",
                new_webhook(wanted),
                what=what,
                is_there=lambda: self._people.look(wanted) is not None,
                attempts=self._people.api.attempts,
            )
            if wanted.is_active is not False:
                return
            # a new one is always active
            made = reply.document if reply is not None else None
            several = made if isinstance(made, list) else [made] if isinstance(made, dict) else []
            existing = next((one for one in (webhook_of(row, what) for row in several) if one.key == wanted.key), None)
            existing = existing or self._people.look(wanted)
            if existing is None:
                raise InvalidOption("has been created, and is not there.", subject=what, hint="Look at the server's log.")
        elif not existing.identifier:
            existing = self._people.look(existing) or existing
        self._registry.ask("POST", "/webhooks/update", None, changed_webhook(wanted, existing), what=what)

    def _write_policy(self, wanted: Policy | None, existing: Policy | None) -> None:
        policy = wanted or existing
        if policy is None:
            return
        path = in_path("repositories", *policy.repository.split("/", 1), POLICY_PATHS[policy.does])
        if wanted is None:
            self._registry.ask("DELETE", f"{path}{in_path(self._identifier(policy))}", what=policy.title, absent=("NO_SUCH_",))
            return
        if existing is not None:
            document = policy_document(wanted, existing)
            self._registry.ask("PUT", f"{path}{in_path(self._identifier(existing))}", None, document, what=policy.title)
            return
        self._registry.create_once(
            path,
            policy_document(wanted),
            what=policy.title,
            is_there=lambda: self._people.look(wanted) is not None,
            attempts=self._people.api.attempts,
        )
        if wanted.username and not wanted.password and not wanted.token:
            with self._lock:
                self._without_secret.append(wanted.title)

    def _identifier(self, item: Identified) -> str:
        """The id that a webhook or a policy has here."""
        found = item if item.identifier else self._people.look(item)
        if found is None or not found.identifier:
            raise InvalidOption("is not there.", subject=item.title, hint="It has gone since it was looked at: run again.")
        return found.identifier


def _there(wanted: Account, found: Account | None) -> Account:
    """What is there under the name of a new account; InvalidOption where that is nothing, or of the other kind."""
    if found is None:
        raise InvalidOption("has been created, and is not there.", subject=wanted.title, hint="Look at the server's log.")
    if found.is_organization != wanted.is_organization:
        raise InvalidOption(f"is taken: there is {found.title}.", subject=wanted.title, hint="Rename one of the two, or leave it out.")
    return found


def _somebody_else(wanted: Account, entry: str, hint: str) -> InvalidOption:
    return InvalidOption(
        f"is {entry or 'no user'} in the directory here, and {wanted.directory_name} at the source.", subject=wanted.title, hint=hint
    )


def _problem(write: t.Callable[..., t.Any], *items: t.Any) -> MigrationError | None:
    """What goes wrong with a call; None for nothing."""
    try:
        write(*items)
    except MigrationError as error:
        return error
    return None


def _random_password() -> str:
    # some versions want letters of both cases and digits
    return f"{secrets.token_urlsafe(24)}aA1"


def some(names: t.Sequence[str]) -> str:
    """Names in a sentence, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(sorted(names)[:_MOST_NAMES]) + more

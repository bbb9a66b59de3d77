# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The people of an MSR: read through its APIs, and through its database what they do not give.

That is the hashes of passwords, the names in a directory, and most of the access tokens. Without the database all else works, and
`Estate.unread` says what is missing.
"""

from __future__ import annotations

import concurrent.futures
import re
import threading
import typing as t
import unicodedata

from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import Change, People
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    POLICIES,
    Account,
    AnItem,
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
)
from ansible_collections.registryops.migration.plugins.module_utils._msr.api import MSRAPI, NO_HANDLER, in_path
from ansible_collections.registryops.migration.plugins.module_utils._msr.forms import (
    POLICY_PATHS,
    UNFINISHED,
    account_of,
    flag,
    level_of,
    policy_of,
    repository_of,
    team_of,
    token_of as listed_token,
    webhook_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._msr.interface import Database
from ansible_collections.registryops.migration.plugins.module_utils._msr.rows import (
    ACCOUNT_FIELDS,
    ACCOUNTS,
    TOKENS,
    AccountSecrets,
    is_password_hash,
    is_token_hash,
    moment_of,
    secrets_of,
    token_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._msr.writing import Writing, some
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    InvalidAnswer,
    InvalidName,
    InvalidOption,
    MigrationError,
    RegistryError,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import text

#: requests at once where the option `concurrency` says nothing
THREADS = 16
#: how many items are written with one call, by kind; the others one by one
BATCHES: t.Mapping[str, int] = {"account": 25, "token": 200}
#: characters of a text, at the most
_MOST = {"account": 50, "description": 140, "path": 255}
_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_RENAME = "Rename it at its source, or leave it out."
_WITHOUT_DATABASE = "The option database is not given, or with accounts of an MKE accounts_database."

Thing = t.TypeVar("Thing")
Found = t.TypeVar("Found")


class MSRPeople(People):
    """The people of one MSR. `database` has the tokens; `accounts_database` the accounts, and is the same one where it is not given, unless
    the accounts are known to be somewhere else.
    """

    product = "MSR"
    built_in = frozenset({"admin", "docker-datacenter"})

    def __init__(
        self, api: MSRAPI, database: Database | None = None, accounts_database: Database | None = None, *, threads: int = THREADS
    ) -> None:
        self.api = api
        self.where = api.host
        # names are in lower case here, however somebody signs in
        self.own_account = api.login.username.lower()
        self.database = database
        self.accounts_database = accounts_database or (None if api.at_mke else database)
        self._databases = [one for one in (database, accounts_database) if one is not None]
        self._threads = max(1, threads)
        self._lock = threading.Lock()
        self._ids: dict[str, str] = {}
        self._links_groups = True
        self._unites_mirroring = True
        #: where users come from: `managed` or `ldap`; empty as long as it is not known
        self._backend = ""
        self._notes: list[str] = []
        #: what the database is needed for, and why it did not answer
        self._unreachable: dict[str, str] = {}
        self._writing = Writing(self)

    def _each(self, function: t.Callable[[Thing], Found], things: t.Iterable[Thing]) -> list[Found]:
        """The results of a function for each of these, several at once, in their order; the first error ends it."""
        with concurrent.futures.ThreadPoolExecutor(self._threads) as pool:
            running = [pool.submit(function, thing) for thing in things]
            try:
                return [future.result() for future in running]
            finally:
                for future in running:
                    future.cancel()

    def note(self, text: str) -> None:
        """Have `notes` tell something, once."""
        with self._lock:
            if text not in self._notes:
                self._notes.append(text)

    def notes(self) -> list[str]:
        with self._lock:
            return [*self._notes, *self._writing.notes()]

    # -- reading
    def read(self, kinds: t.Collection[str], organizations: t.Collection[str] | None = None) -> Estate:
        wanted = frozenset(kinds)
        estate = Estate(self.product, self.where)
        for account in self._accounts(estate, "account" in wanted):
            estate.add(account)
        accounts = estate.of(Account).values()
        namespaces = [account for account in accounts if organizations is None or account.name in organizations]
        found = [account.name for account in namespaces if account.is_organization]
        if wanted & {"team", "team_membership", "grant"}:
            self._add_teams(estate, found, wanted)
        if "membership" in wanted:
            for members in self._each(self._members, found):
                _add(estate, members)
            followers = [name for name, follows in zip(found, self._each(self._follows, found)) if follows]
            if followers:
                self.note(f"{some(followers)} of {self.where} take their admins from a directory, which has to be set elsewhere by hand.")
        if wanted & {"repository", "policy"}:
            self._add_repositories(estate, None if organizations is None else [account.name for account in namespaces], wanted)
        if "token" in wanted:
            self._add_tokens(estate)
        if "webhook" in wanted:
            _add(estate, self._webhooks("any"))
        return estate

    def _accounts(self, estate: Estate, with_secrets: bool) -> t.Iterator[Account]:
        what = f"the accounts of {self.where}"
        secrets: dict[str, AccountSecrets] = {}
        none_known: AccountSecrets | None = None
        second_factors: list[str] = []
        if with_secrets:
            problem = _WITHOUT_DATABASE
            if self.accounts_database is not None:
                problem = ""
                try:
                    secrets = secrets_of(self.accounts_database.rows(*ACCOUNTS, fields=ACCOUNT_FIELDS))
                    none_known = AccountSecrets()
                except MigrationError as error:
                    problem = self._unreachable["password_hash"] = str(error)
                    # what can be done without it is done without it from now on, and is not tried with it for each user
                    self.accounts_database = None
                    self.note(f"{problem} What only the database of the accounts of {self.where} has is neither read nor written.")
            if problem:
                estate.unread.update(password_hash=problem, directory_name=problem)
        for document in self.api.accounts.pages("/accounts/", "accounts", what=what, query={"filter": "all"}):
            if flag(document, "otpEnabled"):
                second_factors.append(text(document, "name"))
            # who is in no row of the database has no password and no directory; without it, that is not known
            account = self.noted(account_of(document, secrets.get(text(document, "name"), none_known), what))
            # whom a run that was ended has left half made is not there yet
            if account.full_name != UNFINISHED:
                yield account
        if with_secrets:
            self._find_backend()
        if second_factors:
            self.note(f"{some(second_factors)} sign in to {self.where} with a second factor, which has to be set up anew elsewhere.")

    def _find_backend(self) -> None:
        """Find out where users come from, as far as one may know."""
        try:
            found = self.api.accounts.get("/config/auth", what=f"the users of {self.where}", absent=(NO_HANDLER,))
        except (AccessDenied, RegistryError):
            # then it is found out from what creating them is answered with
            found = None
        self._backend = text(found, "backend")

    def _add_teams(self, estate: Estate, organizations: t.Sequence[str], wanted: frozenset[str]) -> None:
        by_organization = dict(zip(organizations, self._each(self._team_documents, organizations)))
        pairs = [(organization, document) for organization, documents in by_organization.items() for document in documents]
        if "team" in wanted:
            _add(estate, self._each(lambda pair: self._team(*pair), pairs))
        names = [(organization, text(document, "name")) for organization, document in pairs]
        if "team_membership" in wanted:
            for members in self._each(lambda pair: self._team_members(*pair), names):
                _add(estate, members)
        if "grant" in wanted:
            for grants in self._each(lambda pair: self._repository_grants(*pair), names):
                _add(estate, grants)
            identified = {
                organization: {text(document, "id"): text(document, "name") for document in documents}
                for organization, documents in by_organization.items()
            }
            for grants in self._each(lambda pair: self._namespace_grants(*pair), identified.items()):
                _add(estate, grants)

    def _team_documents(self, organization: str) -> list[t.Any]:
        path = in_path("accounts", organization, "teams")
        return list(self.api.accounts.pages(path, "teams", what=f"the teams of {organization}", absent=("NO_SUCH_",)))

    def _team(self, organization: str, document: t.Any) -> Team:
        name = text(document, "name")
        what = f"team {organization}/{name}"
        path = in_path("accounts", organization, "teams", name)
        sync = self.api.accounts.get(f"{path}/memberSyncConfig", what=what, absent=(NO_HANDLER, "NO_SUCH_"))
        link: t.Any = None
        if self._links_groups:
            try:
                link = self.api.accounts.get(f"{path}/groupLinkConfig", what=what, absent=("NO_SUCH_",))
            except RegistryError as error:
                if error.status != 404:
                    raise
                # older servers do not know it: that need not be asked for each team
                self._links_groups = False
        return team_of(organization, document, sync, link, what)

    def _members(self, organization: str) -> list[Membership]:
        path, what = in_path("accounts", organization, "members"), f"the members of {organization}"
        pages = self.api.accounts.pages(path, "members", what=what, absent=("NO_SUCH_",))
        return [Membership(organization, *_member(document, what)) for document in pages]

    def _follows(self, organization: str) -> bool:
        """Whether a directory says who the admins of an organization are."""
        path, what = in_path("accounts", organization, "adminMemberSyncConfig"), f"the admins of {organization}"
        return flag(self.api.accounts.get(path, what=what, absent=(NO_HANDLER, "NO_SUCH_")), "enableSync") is True

    def _team_members(self, organization: str, team: str) -> list[TeamMembership]:
        path, what = in_path("accounts", organization, "teams", team, "members"), f"the members of team {organization}/{team}"
        pages = self.api.accounts.pages(path, "members", what=what, absent=("NO_SUCH_",))
        return [TeamMembership(organization, team, *_member(document, what)) for document in pages]

    def _repository_grants(self, organization: str, team: str) -> list[Grant]:
        path, what = in_path("accounts", organization, "teams", team, "repositoryAccess"), f"what team {organization}/{team} may do"
        grants = []
        for document in self.api.registry.pages(path, "repositoryAccessList", what=what, absent=("NO_SUCH_",)):
            level = level_of(document, what)
            namespace, name = text(document, "repository", "namespace"), text(document, "repository", "name")
            if not namespace or not name:
                raise InvalidAnswer("has a repository without its name.", subject=what)
            if level is not None:
                grants.append(Grant(organization, team, namespace, name, level))
        return grants

    def _namespace_grants(self, organization: str, teams: t.Mapping[str, str]) -> list[Grant]:
        path, what = in_path("repositoryNamespaces", organization, "teamAccess"), f"what teams may do in all of {organization}"
        grants = []
        for document in self.api.registry.pages(path, "teamAccessList", what=what, absent=("NO_SUCH_",)):
            # teams are called by their ids here; one that is known no more has been deleted, and lets nobody do anything
            team, level = teams.get(text(document, "team", "id")), level_of(document, what)
            if team is not None and level is not None:
                grants.append(Grant(organization, team, organization, "", level))
        return grants

    def _add_repositories(self, estate: Estate, namespaces: t.Sequence[str] | None, wanted: frozenset[str]) -> None:
        what = f"the repositories of {self.where}"
        if namespaces is None:
            documents = list(self.api.registry.pages("/repositories", "repositories", what=what))
        else:
            paths = [in_path("repositories", namespace) for namespace in namespaces]
            several = self._each(lambda path: list(self.api.registry.pages(path, "repositories", what=what, absent=("NO_SUCH_",))), paths)
            documents = [document for one in several for document in one]
        found = [repository_of(document, what) for document in documents]
        if "repository" in wanted:
            # the long description is only where one repository is asked for; one that is gone by then is none
            for repository in self._each(self._repository, found):
                if repository is not None:
                    estate.add(repository)
        if "policy" in wanted:
            for policies in self._each(self._policies, found):
                _add(estate, policies)

    def _repository(self, named: Repository) -> Repository | None:
        document = self.api.registry.get(in_path("repositories", *named.key), what=named.title, absent=("NO_SUCH_",))
        return None if document is None else repository_of({"longDescription": "", **document}, named.title)

    def _policies(self, repository: Repository) -> list[Policy]:
        does = ["promotion", "pruning", *self._mirroring(repository)]
        return [policy for one in does for policy in self._policies_that(one, repository.path)]

    def _mirroring(self, repository: Repository) -> list[str]:
        """Which of both kinds of mirroring policies a repository may have: most have none, and one request says so."""
        both = ["push_mirroring", "poll_mirroring"]
        if not self._unites_mirroring:
            return both
        path = in_path("repositories", *repository.key, "mirroringPolicies")
        try:
            return both if self.api.registry.get(path, what=repository.title, query={"pageSize": 1}, absent=("NO_SUCH_",)) else []
        except RegistryError as error:
            if error.status != 404:
                raise
            self._unites_mirroring = False
            return both

    def _policies_that(self, does: str, repository: str) -> list[Policy]:
        what = f"the {does.replace('_', ' ')} policies of {repository}"
        path = in_path("repositories", *repository.split("/", 1), POLICY_PATHS[does])
        absent = ("NO_SUCH_",)
        if does == "pruning":
            documents = list(self.api.registry.pages(path, "", what=what, absent=absent))
        else:
            # these lists have no pages
            documents = self.api.registry.get(path, what=what, query={"source": "true"} if does == "promotion" else None, absent=absent)
        return [policy_of(does, repository, document, what) for document in documents or []]

    def _webhooks(self, event: str) -> list[Webhook]:
        what = f"the webhooks of {self.where}"
        found = self.api.registry.get("/webhooks", what=what, query={"webhookType": event})
        if not isinstance(found, list):
            raise InvalidAnswer("answered with something that is no list.", subject=what, hint="Is this the address of an MSR?")
        return [webhook_of(document, what) for document in found]

    def _add_tokens(self, estate: Estate) -> None:
        owners = {account.identifier: account.name for account in estate.of(Account).values()}
        problem = ""
        if self.database is not None:
            try:
                rows = self.database.rows(*TOKENS)
            except MigrationError as error:
                problem = self._unreachable["token"] = str(error)
            else:
                lost = 0
                for row in rows:
                    owner = owners.get(str(row.get("accountID") or ""))
                    # the account has been deleted: nobody gets in with it
                    lost += owner is None
                    if owner is not None:
                        try:
                            estate.add(token_of(row, owner))
                        except ValueError:
                            raise InvalidAnswer("has a token without its hash.", subject=self.database.name) from None
                if lost:
                    self.note(f"{lost} access tokens at {self.where} belong to accounts that are not there: they are left out.")
                return
        users = [account.name for account in estate.of(Account).values() if not account.is_organization]
        for tokens in self._each(self._listed_tokens, users):
            _add(estate, tokens)
        if problem:
            self.note(f"{problem} The access tokens of {self.where} have been read without what only the database has of them.")

    def _listed_tokens(self, user: str) -> list[Token]:
        what = f"the access tokens of {user}"
        pages = self.api.registry.pages("/api_tokens", "", what=what, query={"username": user}, absent=("NO_SUCH_",))
        return [listed_token(user, document, what) for document in pages]

    # -- one item
    def look(self, item: AnItem) -> AnItem | None:
        return t.cast("AnItem | None", self._look(item))

    def _look(self, item: Item) -> Item | None:
        if isinstance(item, Account):
            return self.account(item.name, with_secrets=bool(item.password_hash) or item.directory_name is not None)
        if isinstance(item, Team):
            return self._look_for_team(item)
        if isinstance(item, Membership):
            return self._look_for_member(item, "accounts", item.organization, "members", item.user)
        if isinstance(item, TeamMembership):
            return self._look_for_member(item, "accounts", item.organization, "teams", item.team, "members", item.user)
        if isinstance(item, Repository):
            return self._repository(item)
        if isinstance(item, Grant):
            return self._look_for_grant(item)
        if isinstance(item, Token):
            document = self.api.registry.get(in_path("api_tokens", item.token_hash), what=item.title, absent=("NO_SUCH_",))
            return None if document is None else listed_token(item.owner, document, item.title)
        if isinstance(item, Webhook):
            return _same(item.key, self._webhooks(item.event))
        return _same(item.key, self._policies_that(item.does, item.repository))

    def account(self, name: str, with_secrets: bool = False) -> Account | None:
        """An account as it is there now, with the hash of its password where that is asked for and the database is there."""
        what = f"account {name}"
        document = self.api.accounts.get(in_path("accounts", name), what=what, absent=("NO_SUCH_",))
        if document is None:
            return None
        secrets = None
        if with_secrets and self.accounts_database is not None:
            secrets = secrets_of(self.accounts_database.rows(*ACCOUNTS, fields=ACCOUNT_FIELDS)).get(name)
        return self.noted(account_of(document, secrets, what))

    def noted(self, account: Account) -> Account:
        """Remember the id of an account that has been seen here."""
        with self._lock:
            self._ids[account.name] = account.identifier
        return account

    def identifier_of(self, name: str) -> str:
        """The id of an account here; InvalidName where there is none."""
        with self._lock:
            known = self._ids.get(name, "")
        if not known:
            account = self.account(name)
            if account is None:
                raise InvalidName("has no account here.", subject=name, hint="Migrate the accounts first.")
            known = account.identifier
        return known

    def forget(self, name: str) -> None:
        """Take the id of an account for gone."""
        with self._lock:
            self._ids.pop(name, None)

    def _look_for_team(self, team: Team) -> Team | None:
        path = in_path("accounts", team.organization, "teams", team.name)
        document = self.api.accounts.get(path, what=team.title, absent=("NO_SUCH_",))
        return None if document is None else self._team(team.organization, document)

    def _look_for_member(self, item: Membership | TeamMembership, *path: str) -> Item | None:
        document = self.api.accounts.get(in_path(*path), what=item.title, absent=("NO_SUCH_",))
        if document is None:
            return None
        _user, is_admin = _member(document, item.title)
        if isinstance(item, Membership):
            return Membership(item.organization, item.user, is_admin)
        return TeamMembership(item.organization, item.team, item.user, is_admin)

    def _look_for_grant(self, grant: Grant) -> Grant | None:
        if grant.repository:
            return _same(grant.key, self._repository_grants(grant.organization, grant.team))
        path = in_path("repositoryNamespaces", grant.namespace, "teamAccess", grant.team)
        level = level_of(self.api.registry.get(path, what=grant.title, absent=("NO_SUCH_",)), grant.title)
        return None if level is None else Grant(grant.organization, grant.team, grant.namespace, "", level)

    # -- writing
    def refusal(self, item: Item) -> MigrationError | None:
        if isinstance(item, Account):
            return self._account_refusal(item)
        if isinstance(item, Team) and len(item.description or "") > _MOST["description"]:
            return _too_long(item, "description")
        if isinstance(item, Repository):
            if not _REPOSITORY.fullmatch(item.name) or len(item.path) > _MOST["path"]:
                rule = "lower-case letters and digits with single . _ - between them, one part, up to 255 characters with its namespace"
                return InvalidName(f"is no name that MSR allows: {rule}.", subject=item.title, hint=_RENAME)
            if len(item.short_description or "") > _MOST["description"]:
                return _too_long(item, "short description")
        if isinstance(item, Grant) and item.organization != item.namespace:
            return InvalidName(
                "MSR lets a team do something in its own organization only.", subject=item.title, hint="Leave this grant out."
            )
        if isinstance(item, Token):
            if not is_token_hash(item.token_hash):
                return InvalidOption("is no SHA-256 in hexadecimal digits.", subject=item.title, hint="Leave this token out.")
            if item.created and not moment_of(item.created):
                return InvalidOption("was created at a moment that is none.", subject=item.title, hint="Leave this token out.")
            if self.database is None:
                return InvalidOption(
                    "can only be written to the database, which is not given.",
                    subject=item.title,
                    hint="Give the option database of the destination, or leave tokens out: their owners then make new ones.",
                )
        if isinstance(item, Policy) and item.does not in POLICIES:
            return InvalidOption(f"does {item.does!r}, which MSR has no policy for.", subject=item.title, hint="Leave it out.")
        return None

    def _account_refusal(self, account: Account) -> MigrationError | None:
        name = account.name
        usual = unicodedata.normalize("NFC", name.lower())
        if name != usual:
            return InvalidName(f"would become {usual} here: MSR has names in lower case.", subject=account.title, hint=_RENAME)
        allowed = all((char.isalpha() and char == char.lower()) or char.isdigit() or char in "@._-" for char in name)
        if not name or len(name) > _MOST["account"] or not allowed or name in (".", ".."):
            rule = f"letters in lower case, digits and @ . _ -, at most {_MOST['account']}"
            return InvalidName(f"is no name that MSR allows: {rule}.", subject=account.title, hint=_RENAME)
        if account.password_hash and not is_password_hash(account.password_hash):
            scheme = account.password_hash.partition("$")[0][:20]
            form = f"the form {scheme}" if scheme.isidentifier() else "a form"
            return InvalidOption(
                f"has a password hash of {form} that MSR does not know.",
                subject=account.title,
                hint="Migrate this account without its hash, and have its password set anew.",
            )
        return None if account.is_organization or name in self._ids else self._user_refusal(account)

    def _user_refusal(self, user: Account) -> MigrationError | None:
        """Why a new user cannot come from where they would have to."""
        if self._backend == "ldap" and not user.directory_name:
            return InvalidOption(
                "cannot be created: users here come from a directory, and this one is in none.",
                subject=user.title,
                hint="Have the user in the directory, let the destination manage its accounts by itself, or leave this one out.",
            )
        if self._backend == "managed" and user.directory_name and not (self.accounts_database is not None and self.match_directory):
            way = "give the option database, with which the user is known as one of it"
            if not self.match_directory:
                way = "set match_directory to true where it is going to use that of the source"
            return InvalidOption(
                "comes from a directory, and there is none here.",
                subject=user.title,
                hint=f"Have the destination use the directory, or {way}.",
            )
        return None

    def takes_hashes(self) -> bool:
        """Whether users can be created with the hashes of their passwords without the database."""
        return self._writing.can_import()

    def has_password(self, user: str) -> None:
        """A new user has been given a password in another way: `notes` need not tell of a random one."""
        self._writing.has_password(user)

    def unwritable(self) -> dict[str, str]:
        found = {what: reason for what, reason in self._unreachable.items() if what != "password_hash"}
        if self.accounts_database is None and not self._writing.can_import():
            reason = self._unreachable.get("password_hash", _WITHOUT_DATABASE)
            found["password_hash"] = f"{reason} {self.where} takes no hashes of passwords in any other way."
        return found

    def batch(self, kind: str) -> int:
        return BATCHES.get(kind, 1)

    def write(self, changes: t.Sequence[Change]) -> list[MigrationError | None]:
        return self._writing.write(changes)

    # -- proof
    def level(self, user: str, namespace: str, repository: str) -> str | None:
        path = in_path("accounts", user, "repositoryAccess", namespace, repository)
        what = f"what {user} may do with {namespace}/{repository}"
        return level_of(self.api.registry.get(path, what=what, absent=("NO_SUCH_",)), what)

    def lets_in(self, user: str, secret: str) -> bool:
        return self.api.lets_in(user, secret)

    def close(self) -> None:
        self.api.close()
        for database in {id(one): one for one in self._databases}.values():
            database.close()


def _add(estate: Estate, items: t.Iterable[Item]) -> None:
    for item in items:
        estate.add(item)


def _same(key: Key, items: t.Iterable[Found]) -> Found | None:
    return next((item for item in items if getattr(item, "key", None) == key), None)


def _member(document: t.Any, what: str) -> tuple[str, bool]:
    """Name and rights of a member of a list of members."""
    name = text(document, "member", "name")
    if not name:
        raise InvalidAnswer("has a member without a name.", subject=what)
    return name, flag(document, "isAdmin") is True


def _too_long(item: Item, name: str) -> InvalidName:
    return InvalidName(
        f"has a {name} of more than {_MOST['description']} characters.", subject=item.title, hint="Shorten it at its source."
    )

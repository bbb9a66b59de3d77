# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The modules that are about single things of an MSR: looked at, compared, written if need be, and told."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import (
    CHANGED,
    CREATED,
    REMOVED,
    UNCHANGED,
    Change,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    LEVELS,
    POLICIES,
    Account,
    AnItem,
    Estate,
    Grant,
    Item,
    Membership,
    Policy,
    Repository,
    Rule,
    Team,
    TeamMembership,
    Token,
    Webhook,
    compared_fields,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.planning import change_of
from ansible_collections.registryops.migration.plugins.module_utils._module.msr import MSR, MSR_EXCLUSIVE, people_of
from ansible_collections.registryops.migration.plugins.module_utils._module.options import Options, fail
from ansible_collections.registryops.migration.plugins.module_utils._msr.forms import SYNC_FIELDS, UNFINISHED, half_made
from ansible_collections.registryops.migration.plugins.module_utils._msr.rows import moment_of
from ansible_collections.registryops.migration.plugins.module_utils._msr.single import Singles
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, MigrationError

if t.TYPE_CHECKING:
    from ansible_collections.registryops.migration.plugins.module_utils._msr.people import MSRPeople

Result = dict[str, t.Any]


class Unreadable(MigrationError):
    """Something that has to be known cannot be read."""

    kind = "unreadable"
    usual_hint = "Sign in as an administrator, and look at the options of the database."


#: whether a thing is wanted
STATE: Options = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}
#: what cannot be read back, and so cannot be compared; a difference in it is shown without its values
_SECRETS = ("password_hash", "password", "token")


_NO_HASH = "Give database, or accounts_database where accounts are those of MKE; or new_password."


def make_msr_module(spec: Options, **more: t.Any) -> AnsibleModule:
    """An AnsibleModule with the connection to one MSR, and check mode. `more`: what else AnsibleModule takes."""
    exclusive = [*MSR_EXCLUSIVE, *more.pop("mutually_exclusive", ())]
    return AnsibleModule(argument_spec={**MSR, **spec}, mutually_exclusive=exclusive, supports_check_mode=True, **more)


class Items:
    """What a task makes of the things of one MSR. With `apply` it is done, otherwise only said."""

    def __init__(self, people: MSRPeople, apply: bool) -> None:
        self._people = people
        self._apply = apply
        # then a user without a hash has no password
        self._hashes_known = people.accounts_database is not None
        #: all that was looked at, in that order
        self.changes: list[Change] = []

    def present(self, wanted: AnItem, *, secrets: bool = False) -> AnItem:
        """Have an item exist as `wanted`; what is None there stays as it is. Returns it as it is then.

        With `secrets`, what cannot be compared is written whenever it is given. Raises MigrationErrors.
        """
        existing = self._look(wanted)
        if isinstance(existing, Account) and existing.full_name == UNFINISHED:
            # what a run that was ended has left half made is made once more
            if wanted.password_hash and not self._hashes_known:
                raise half_made(existing.title)
            existing = None
        self._check_account(wanted, existing)
        differences = _differences(wanted, existing, secrets or wanted.kind == Account.kind)
        state = CREATED if existing is None else CHANGED if differences else UNCHANGED
        whole = wanted if existing is None else _completed(wanted, existing)
        self._carry_out(Change(state, whole, existing, differences))
        return whole

    def _check_account(self, wanted: Item, existing: Item | None) -> None:
        if not isinstance(wanted, Account):
            return
        hash_is_lost = wanted.password_hash and not self._hashes_known
        if not isinstance(existing, Account):
            if hash_is_lost and not self._people.takes_hashes():
                raise InvalidOption(
                    "cannot be given to anybody: this version of the registry does not take it.", subject="password_hash", hint=_NO_HASH
                )
            return
        if existing.is_organization != wanted.is_organization:
            raise InvalidOption(
                f"{wanted.name} is {'an organization' if existing.is_organization else 'a user'} there.",
                subject="type",
                hint="Users and organizations share their names: choose another one.",
            )
        if hash_is_lost:
            raise InvalidOption("cannot be compared with the one that the user has.", subject="password_hash", hint=_NO_HASH)

    def absent(self, item: AnItem) -> AnItem | None:
        """Have an item not exist; returns what it was, None if there was none."""
        existing = self._look(item)
        if existing is not None:
            self._carry_out(Change(REMOVED, None, existing))
        return existing

    def _look(self, item: AnItem) -> AnItem | None:
        """The item as it is; none where what it belongs to is only about to be created."""
        coming = {change.item.key for change in self.changes if change.state == CREATED and change.item.kind in ("account", "team")}
        if not self._apply and any(item.key != key and item.key[: len(key)] == key for key in coming):
            return None
        return self._people.look(item)

    def _carry_out(self, change: Change) -> None:
        if change.state == CREATED and change.wanted is not None:
            refusal = self._people.refusal(change.wanted)
            if refusal is not None:
                raise refusal
        self.changes.append(change)
        if self._apply and change.is_due:
            for error in self._people.write([change]):
                if error is not None:
                    raise error

    def do(self, change: Change, work: t.Callable[[], t.Any]) -> t.Any:
        """Something that is done, or would be, in another way than through `write`; returns what `work` does."""
        self.changes.append(change)
        return work() if self._apply else None

    def is_there(self, item: AnItem) -> bool:
        """Whether there is one with the same key."""
        return self._people.look(item) is not None

    def has_password(self, user: str) -> None:
        """A user has the password that was asked for, whatever they were created with."""
        self._people.has_password(user)

    def lets_in(self, user: str, secret: str) -> bool:
        """Whether a user gets in."""
        return self._people.lets_in(user, secret)

    def read(self, kinds: t.Sequence[str], organizations: t.Sequence[str] | None = None) -> Estate:
        """All items of some kinds, of some organizations; Unreadable where one of the kinds cannot be read."""
        estate = self._people.read(kinds, organizations)
        for kind in kinds:
            if kind in estate.unread:
                raise Unreadable(f"cannot be read: {estate.unread[kind]}", subject=kind)
        return estate

    def members(self, of: t.Sequence[str]) -> list[t.Any]:
        """Who belongs to an organization (`[name]`), or to a team of it (`[organization, name]`)."""
        if any(change.state == CREATED and change.item.key == tuple(of) for change in self.changes):
            return []
        cls: type[t.Any] = TeamMembership if len(of) == 2 else Membership
        found = self.read([cls.kind], [of[0]]).of(cls)
        return [member for key, member in found.items() if key[: len(of)] == tuple(of)]

    def result(self) -> Result:
        """The task's result: the state of its first item, and of all that belong to it."""
        first = self.changes[0] if self.changes else None
        differences = {name: {"before": before, "after": after} for name, (before, after) in first.differences.items()} if first else {}
        further = [change.as_row() for change in self.changes[1:] if change.is_due]
        return {
            "changed": any(change.is_due for change in self.changes),
            "state": first.state if first else "absent",
            "differences": differences,
            "further": further,
        }

    def diff(self) -> dict[str, str]:
        """What was done, or would be, a line for each item and each field."""
        sides: dict[str, list[str]] = {"before": [], "after": []}
        for change in self.changes:
            if not change.is_due:
                continue
            if change.state != CREATED:
                sides["before"].append(change.item.title)
            if change.state != REMOVED:
                sides["after"].append(change.item.title)
            for name, (before, after) in change.differences.items():
                sides["before"].extend([] if change.state == CREATED else [f"  {name}: {before}"])
                sides["after"].append(f"  {name}: {after}")
        return {side: "".join(f"{line}\n" for line in lines) for side, lines in sides.items()}


#: fields that say more than a name although they have no default, or another one than None
_SAYING_MORE = ("level", "is_organization")


def _differences(wanted: Item, existing: Item | None, secrets: bool) -> dict[str, tuple[t.Any, t.Any]]:
    """`{field: (before, after)}` of what is asked for and not so; fields that name an item differ in none."""
    found: dict[str, tuple[t.Any, t.Any]]
    if existing is None:
        found = {
            field.name: (None, getattr(wanted, field.name))
            for field in dataclasses.fields(wanted)
            if (field.default is None or field.name in _SAYING_MORE) and field.name in compared_fields(type(wanted))
        }
        found = {name: pair for name, pair in found.items() if pair[1] not in (None, False)}
    else:
        found = {name: pair for name, pair in change_of(wanted, existing).differences.items() if name != "password"}
    for name in _SECRETS:
        given, known = getattr(wanted, name, ""), getattr(existing, name, "")
        if given and (existing is None or (given != known if known else secrets)):
            found[name] = ("none" if existing is None else "another", "as given")
    return found


def _completed(wanted: AnItem, existing: AnItem) -> AnItem:
    """`wanted`, with what it does not say as it is."""
    compared = compared_fields(type(wanted))
    unsaid = [
        field.name
        for field in dataclasses.fields(wanted)
        if getattr(wanted, field.name) is None or (field.name not in compared and not getattr(wanted, field.name))
    ]
    return dataclasses.replace(wanted, **{name: getattr(existing, name) for name in unsaid})


def shown(item: Item) -> Result:
    """An item for results: what can be compared, without secrets, and its id."""
    fields = {name: getattr(item, name) for name in compared_fields(type(item))}
    if isinstance(item, Policy):
        fields["rules"] = [{"field": rule.field, "operator": rule.operator, "values": list(rule.values)} for rule in item.rules]
    identifier = getattr(item, "identifier", "")
    return {**fields, **({"identifier": identifier} if identifier else {})}


def run(module: AnsibleModule, work: t.Callable[[Items, Singles, Options], Result], *, of_one: bool = True) -> t.NoReturn:
    """Do what a module is for, from its options to its end. `work` returns what the result has besides what all of them have.

    `of_one`: whether it is about one thing, with what belongs to it.
    """
    people = None
    try:
        people = people_of(module.params, on_secret=module.no_log_values.add, warn=module.warn)
        items = Items(people, not module.check_mode)
        more = work(items, Singles(people.api), module.params)
        for note in people.notes():
            module.warn(note)
    except MigrationError as error:
        fail(module, error)
    finally:
        if people is not None:
            people.close()
    result = {**(items.result() if of_one else {"changed": False}), **more}
    if module._diff and of_one:
        result["diff"] = items.diff()
    module.exit_json(**result)
    raise AssertionError("exit_json does not return")


# -- accounts


def ensure_account(items: Items, singles: Singles, params: Options) -> Result:
    """The module msr_account."""
    is_organization = params["type"] == "organization"
    account = Account(
        params["name"],
        is_organization=is_organization,
        full_name=params["full_name"],
        is_admin=None if is_organization else params["admin"],
        is_active=None if is_organization else params["active"],
        password_hash=params["password_hash"] or "",
    )
    if params["state"] == "absent":
        items.absent(account)
        return {}
    whole = items.present(account)
    if params["new_password"]:
        _ensure_password(items, singles, whole, params)
    if params["members"] is not None:
        wanted = {member["name"]: Membership(account.name, member["name"], member["admin"]) for member in params["members"]}
        _ensure_members(items, wanted, [account.name] if params["purge_members"] else [])
    return {"account": shown(whole)}


def _ensure_password(items: Items, singles: Singles, account: Account, params: Options) -> None:
    """The password in the clear: whether it is right can be asked, of one who may sign in."""
    is_new = items.changes[0].state == CREATED
    is_asked = params["update_password"] == "always" and account.is_active is not False
    if is_new or (is_asked and not items.lets_in(account.name, params["new_password"])):
        change = Change(CHANGED, account, account, {"new_password": ("another", "as given")})
        items.do(change, lambda: singles.set_password(account.name, params["new_password"]))
        items.has_password(account.name)


AMember = t.TypeVar("AMember", Membership, TeamMembership)


def _ensure_members(items: Items, wanted: t.Mapping[str, AMember], purged: t.Sequence[str]) -> None:
    """Members of an organization, or of a team. `purged`: the organization (and team) of which all others are taken away."""
    for member in wanted.values():
        items.present(member)
    if purged:
        for other in items.members(purged):
            if other.user not in wanted:
                items.absent(other)


# -- teams

#: suboptions of directory_sync: what they are called in the product
SYNC_OPTIONS: t.Mapping[str, str] = {
    "select_group_members": "selectGroupMembers",
    "group_dn": "groupDN",
    "group_member_attr": "groupMemberAttr",
    "search_base_dn": "searchBaseDN",
    "search_scope_subtree": "searchScopeSubtree",
    "search_filter": "searchFilter",
}


def ensure_team(items: Items, singles: Singles, params: Options) -> Result:
    """The module msr_team."""
    sync = params["directory_sync"]
    team = Team(
        params["organization"],
        params["name"],
        description=params["description"],
        directory_sync=None if sync is None else _sync_of(sync),
        group_link=params["group_link"],
    )
    if params["state"] == "absent":
        items.absent(team)
        return {}
    whole = items.present(team)
    if params["members"] is not None:
        wanted = {
            member["name"]: TeamMembership(team.organization, team.name, member["name"], member["admin"]) for member in params["members"]
        }
        _ensure_members(items, wanted, [team.organization, team.name] if params["purge_members"] else [])
    return {"team": shown(whole)}


def _sync_of(options: Options) -> Options:
    """The option directory_sync as the model has it: empty where nothing is taken from a directory."""
    if not options["enable_sync"]:
        return {}
    given = {name: options[option] for option, name in SYNC_OPTIONS.items()}
    return {name: usual if given[name] is None else given[name] for name, usual in SYNC_FIELDS.items()}


# -- repositories, and who may do what with them


def ensure_repository(items: Items, singles: Singles, params: Options) -> Result:
    """The module msr_repository."""
    repository = Repository(
        params["namespace"],
        params["name"],
        **{name: params[name] for name in ("short_description", "long_description", "visibility")},
        **{name: params[name] for name in ("scan_on_push", "immutable_tags", "tag_limit")},
    )
    if (params["tag_limit"] or 0) < 0:
        raise InvalidOption("must not be negative.", subject="tag_limit", hint="0 means no limit.")
    if params["state"] == "absent":
        items.absent(repository)
        return {}
    return {"repository": shown(items.present(repository))}


def ensure_access(items: Items, singles: Singles, params: Options) -> Result:
    """The module msr_repository_access."""
    # one that is to be absent is named by its key alone, which the level is no part of
    level = params["level"] or LEVELS[0]
    grant = Grant(params["organization"], params["team"], params["organization"], params["repository"] or "", level)
    if params["state"] == "absent":
        items.absent(grant)
        return {}
    return {"grant": shown(items.present(grant))}


# -- tokens


def ensure_token(items: Items, singles: Singles, params: Options) -> Result:
    """The module msr_token."""
    owner, token_hash = params["owner"], params["token_hash"] or ""
    created = moment_of(params["created"]) or None
    if params["created"] and not created:
        raise InvalidOption("is no moment.", subject="created", hint="Write 2026-01-31T12:00:00Z.")
    tokens = singles.tokens_of(owner)
    if not token_hash:
        labelled = [token for token in tokens if token.label == params["label"]]
        if len(labelled) > 1:
            raise InvalidOption(
                f"{params['label']!r} is the label of {len(labelled)} tokens of {owner}.", subject="label", hint="Name one by token_hash."
            )
        if not labelled:
            return {} if params["state"] == "absent" else _new_token(items, singles, params)
        token_hash = labelled[0].token_hash
    is_theirs = any(token.token_hash == token_hash for token in tokens)
    # when one that exists was made stays as it is
    token = Token(owner, token_hash, label=params["label"], is_active=params["active"], created=None if is_theirs else created)
    if not is_theirs and items.is_there(token):
        raise InvalidOption(f"is what is kept of a token of somebody else than {owner}.", subject="token_hash", hint="Name its owner.")
    if params["state"] == "absent":
        items.absent(token)
        return {}
    whole = items.present(token)
    return {"owner": owner, "label": whole.label, "token_hash": whole.token_hash}


def _new_token(items: Items, singles: Singles, params: Options) -> Result:
    token = Token(params["owner"], "", label=params["label"], is_active=True)
    made = items.do(Change(CREATED, token, None, {"label": (None, token.label)}), lambda: singles.new_token(token.owner, token.label or ""))
    result: Result = {"owner": token.owner, "label": token.label}
    if made is None:
        return result
    secret, token_hash = made
    if params["active"] is False:
        items.present(dataclasses.replace(token, token_hash=token_hash, is_active=False))
    return {**result, "token": secret, "token_hash": token_hash}


# -- what happens by itself


def ensure_webhook(items: Items, singles: Singles, params: Options) -> Result:
    """The module msr_webhook."""
    webhook = Webhook(
        params["event"],
        params["scope"],
        params["endpoint"],
        certificate=params["certificate"],
        skip_tls_verification=params["skip_tls_verification"],
        is_active=params["active"],
    )
    if params["state"] == "absent":
        items.absent(webhook)
        return {}
    return {"webhook": shown(items.present(webhook))}


def ensure_policy(items: Items, singles: Singles, params: Options) -> Result:
    """The module msr_policy."""
    mirrors = params["does"].endswith("_mirroring")
    if params["does"] != "pruning" and not params["target"] and params["state"] == "present":
        raise InvalidOption("is missing.", subject="target", hint="Say which repository it is about at the other end.")
    for name in ("remote_username", "remote_password", "remote_token", "certificate", "skip_tls_verification"):
        if params[name] is not None and not mirrors:
            raise InvalidOption(f"is nothing that a policy for {params['does']} has.", subject=name, hint="Leave it out.")
    policy = Policy(
        params["does"],
        params["repository"],
        rules=tuple(Rule(rule["field"], rule["operator"], tuple(rule["values"])) for rule in params["rules"]),
        target=params["target"] or "",
        tag_template=params["tag_template"] or "",
        is_enabled=params["enabled"],
        username=params["remote_username"],
        certificate=params["certificate"],
        skip_tls_verification=params["skip_tls_verification"],
        password=params["remote_password"] or "",
        token=params["remote_token"] or "",
    )
    if params["state"] == "absent":
        items.absent(policy)
        return {}
    return {"policy": shown(items.present(policy, secrets=params["update_secrets"] == "always"))}


#: options of msr_policy that are about choices of the model
POLICY_KINDS = list(POLICIES)
ACCESS_LEVELS = list(LEVELS)


# -- settings


#: options of msr_settings: what they are called in the product
SETTINGS: t.Mapping[str, str] = {
    "read_only": "readOnlyRegistry",
    "create_repository_on_push": "createRepositoryOnPush",
    "single_sign_on": "sso",
    "scanning": "scanningEnabled",
    "scanning_sync_online": "scanningSyncOnline",
}


def ensure_settings(module: AnsibleModule) -> t.NoReturn:
    """The module msr_settings, from its options to its end."""

    def work(items: Items, singles: Singles, params: Options) -> Result:
        now = singles.settings()
        wanted = {name: params[option] for option, name in SETTINGS.items() if params[option] is not None}
        unknown = sorted(option for option, name in SETTINGS.items() if name in wanted and name not in now)
        if unknown:
            raise InvalidOption("is nothing that this version of the registry has.", subject=unknown[0], hint="Leave it out.")
        due = {name: value for name, value in wanted.items() if now[name] != value}
        if due and not module.check_mode:
            singles.change_settings(due)
        differences = {option: {"before": now[name], "after": due[name]} for option, name in SETTINGS.items() if name in due}
        settings = {option: {**now, **due}[name] for option, name in SETTINGS.items() if name in now}
        result: Result = {"changed": bool(due), "differences": differences, "settings": settings}
        if module._diff:
            result["diff"] = {side: {option: row[side] for option, row in differences.items()} for side in ("before", "after")}
        return result

    run(module, work, of_one=False)


# -- what there is

#: what msr_account_info finds out beside accounts, and the kinds that this takes
GATHERED: t.Mapping[str, tuple[str, ...]] = {"members": ("membership",), "teams": ("team", "team_membership"), "tokens": ("token",)}


def account_rows(items: Items, singles: Singles, params: Options) -> Result:
    """The module msr_account_info: accounts, each with what was asked for."""
    kind, names = params["type"], params["names"]
    kinds = [name for asked in params["gather"] for name in GATHERED[asked]]
    # who belongs where is asked of the organizations
    estate = items.read(["account", *kinds], names if kind == "organization" else None)
    wanted = [
        account
        for account in estate.of(Account).values()
        if (names is None or account.name in names) and (kind == "all" or account.is_organization == (kind == "organization"))
    ]
    return {"accounts": [_account_row(account, estate, params["gather"]) for account in wanted]}


def _account_row(account: Account, estate: Estate, gather: t.Collection[str]) -> Result:
    row = {"type": "organization" if account.is_organization else "user", **shown(account)}
    del row["is_organization"]
    # products list them by their ids, which says nothing to anybody
    members = [one for _key, one in sorted(estate.of(Membership).items()) if account.name in (one.organization, one.user)]
    if "members" in gather and account.is_organization:
        row["members"] = [{"name": one.user, "admin": one.is_admin} for one in members]
    elif "members" in gather:
        row["organizations"] = [{"name": one.organization, "admin": one.is_admin} for one in members]
    in_teams = [one for _key, one in sorted(estate.of(TeamMembership).items())]
    if "teams" in gather and account.is_organization:
        row["teams"] = [
            {
                **shown(team),
                "members": [{"name": one.user, "admin": one.is_admin} for one in in_teams if (one.organization, one.team) == team.key],
            }
            for _key, team in sorted(estate.of(Team).items())
            if team.organization == account.name
        ]
    elif "teams" in gather:
        row["teams"] = [
            {"organization": one.organization, "name": one.team, "admin": one.is_admin} for one in in_teams if one.user == account.name
        ]
    if "tokens" in gather and not account.is_organization:
        names = ("label", "is_active", "created", "last_used", "generated_by")
        mine = [token for token in estate.of(Token).values() if token.owner == account.name]
        row["tokens"] = [{name: getattr(token, name) for name in names} for token in mine]
    return row

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What the APIs of an MSR answer as items of the model, and items as what they are sent."""

from __future__ import annotations

import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    Account,
    Policy,
    Repository,
    Rule,
    Team,
    Token,
    Webhook,
)
from ansible_collections.registryops.migration.plugins.module_utils._msr.rows import AccountSecrets, moment_of
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer, InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._providers.msr import SETTINGS
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import field, listed, number, required, text

Document = dict[str, t.Any]

#: access levels, by the words of the model
LEVELS: t.Mapping[str, str] = {"read": "read-only", "write": "read-write", "admin": "admin"}
_LEVELS_BACK = {theirs: ours for ours, theirs in LEVELS.items()}

#: the full name of an inactive user who has been created, and does not have yet what only the database can give
UNFINISHED = "Being migrated: this user cannot sign in yet"

#: how a team follows a directory, with what stands there when it does not
SYNC_FIELDS: t.Mapping[str, t.Any] = {
    "selectGroupMembers": False,
    "groupDN": "",
    "groupMemberAttr": "",
    "searchBaseDN": "",
    "searchScopeSubtree": False,
    "searchFilter": "",
}

#: where the policies of each kind are, below their repository
POLICY_PATHS: t.Mapping[str, str] = {
    "promotion": "promotionPolicies",
    "pruning": "pruningPolicies",
    "push_mirroring": "pushMirroringPolicies",
    "poll_mirroring": "pollMirroringPolicies",
}


def half_made(user: str, way_out: str = "Give the option database, or with accounts of an MKE accounts_database") -> InvalidOption:
    """What is wrong with a user who has been created, and cannot be finished in the way of this run."""
    return InvalidOption(
        "has been left half made by a run that was ended, and lacks what only the database can give.",
        subject=user,
        hint=f"{way_out}; or delete the user, and run again.",
    )


def level_of(document: t.Any, what: str) -> str | None:
    """The access level of an answer in the model's words; None for none. InvalidAnswer about `what` for a word that is not known."""
    found = field(document, "accessLevel")
    if found in (None, "", "none"):
        return None
    if not isinstance(found, str) or found not in _LEVELS_BACK:
        # to take it for none would leave somebody without a right, or overwrite one
        shown = str(found)[:40]
        raise InvalidAnswer(f"has an access level that is not known: {shown!r}.", subject=what, hint="Is this the address of an MSR?")
    return _LEVELS_BACK[found]


def flag(document: t.Any, name: str) -> bool | None:
    """A field that is yes or no; None where there is none."""
    found = field(document, name)
    return found if isinstance(found, bool) else None


def account_of(document: t.Any, secrets: AccountSecrets | None, what: str) -> Account:
    is_organization = flag(document, "isOrg") is True
    return Account(
        required(document, "name", what),
        is_organization,
        full_name=text(document, "fullName"),
        is_admin=None if is_organization else flag(document, "isAdmin") is True,
        is_active=None if is_organization else flag(document, "isActive") is not False,
        directory_name=secrets.directory_name if secrets is not None else None,
        identifier=text(document, "id"),
        password_hash="" if is_organization or secrets is None else secrets.password_hash,
    )


def team_of(organization: str, document: t.Any, sync: t.Any, link: t.Any, what: str) -> Team:
    """A team. `sync` and `link`: how it follows a directory and a group, None where that is not known."""
    directory_sync: Document | None = None
    if isinstance(sync, dict):
        directory_sync = {name: sync.get(name, usual) for name, usual in SYNC_FIELDS.items()} if sync.get("enableSync") else {}
    return Team(
        organization,
        required(document, "name", what),
        description=text(document, "description"),
        directory_sync=directory_sync,
        group_link=(text(link, "groupName") if flag(link, "enableLink") else "") if isinstance(link, dict) else None,
        identifier=text(document, "id"),
    )


def sync_document(sync: t.Mapping[str, t.Any]) -> Document:
    """How a team follows a directory, as it is set; an empty mapping switches it off."""
    return {"enableSync": bool(sync), **{name: sync.get(name, usual) for name, usual in SYNC_FIELDS.items()}}


def repository_of(document: t.Any, what: str) -> Repository:
    return Repository(
        required(document, "namespace", what),
        required(document, "name", what),
        short_description=text(document, "shortDescription"),
        # only where one repository is asked for
        long_description=text(document, "longDescription") if "longDescription" in document else None,
        visibility=text(document, "visibility") or "private",
        scan_on_push=flag(document, "scanOnPush") is True,
        immutable_tags=flag(document, "immutableTags") is True,
        tag_limit=max(0, number(document, "tagLimit")),
        identifier=text(document, "id"),
    )


#: a repository's settings: the model's name, theirs, and what they are where nobody says it
_SETTINGS = tuple(
    ("short_description" if name == "description" else name, theirs, usual) for name, (theirs, _kind, usual) in SETTINGS.items()
)


def new_repository(wanted: Repository) -> Document:
    """What a repository is created with; all settings have to be sent."""
    settings = {theirs: usual if getattr(wanted, ours) is None else getattr(wanted, ours) for ours, theirs, usual in _SETTINGS}
    return {"name": wanted.name, **settings}


def changed_repository(wanted: Repository, existing: Repository) -> Document:
    """What has to be sent to change a repository's settings; empty for nothing."""
    differing = [(ours, theirs) for ours, theirs, _usual in _SETTINGS if getattr(wanted, ours) not in (None, getattr(existing, ours))]
    if not differing:
        return {}
    # without this one the API understands that it is to be switched off
    kept = {"immutableTags": bool(existing.immutable_tags)}
    return {**kept, **{theirs: getattr(wanted, ours) for ours, theirs in differing}}


def token_of(owner: str, document: t.Any, what: str) -> Token:
    """A token as the API lists it: without what only the database has."""
    client = text(document, "creatorUa")
    active = flag(document, "isActive")
    return Token(
        owner,
        required(document, "hashedToken", what),
        label=text(document, "tokenLabel"),
        is_active=active is not False,
        created=moment_of(field(document, "createdAt")),
        last_used=moment_of(field(document, "lastUsed")),
        generated_by=text(document, "generatedBy"),
        further={"creatorUA": client} if client else {},
    )


def webhook_of(document: t.Any, what: str) -> Webhook:
    return Webhook(
        required(document, "type", what),
        text(document, "key"),
        required(document, "endpoint", what),
        certificate=text(document, "tlsCert"),
        skip_tls_verification=flag(document, "skipTLSVerification") is True,
        is_active=flag(document, "inactive") is not True,
        identifier=text(document, "id"),
    )


def new_webhook(wanted: Webhook) -> Document:
    return {
        "type": wanted.event,
        "key": wanted.scope,
        "endpoint": wanted.endpoint,
        "tlsCert": wanted.certificate or "",
        "skipTLSVerification": bool(wanted.skip_tls_verification),
    }


def changed_webhook(wanted: Webhook, existing: Webhook) -> Document:
    """All that can be changed of a webhook; what `wanted` does not say stays."""
    certificate = existing.certificate if wanted.certificate is None else wanted.certificate
    skip = existing.skip_tls_verification if wanted.skip_tls_verification is None else wanted.skip_tls_verification
    is_active = existing.is_active if wanted.is_active is None else wanted.is_active
    return {
        "id": existing.identifier,
        "inactive": is_active is False,
        "tlsCert": certificate or "",
        "skipTLSVerification": bool(skip),
    }


def policy_of(does: str, repository: str, document: t.Any, what: str) -> Policy:
    rules = tuple(
        Rule(text(rule, "field"), text(rule, "operator"), tuple(str(value) for value in listed(rule, "values")))
        for rule in listed(document, "rules")
    )
    identifier = required(document, "id", what)
    is_enabled = flag(document, "enabled") is True
    if does == "pruning":
        return Policy(does, repository, rules, is_enabled=is_enabled, identifier=identifier)
    template = text(document, "tagTemplate")
    if does == "promotion":
        target = required(document, "targetRepository", what)
        return Policy(does, repository, rules, target, template, is_enabled, identifier=identifier)
    return Policy(
        does,
        repository,
        rules,
        f"{text(document, 'remoteHost')}/{text(document, 'remoteRepository')}",
        template,
        is_enabled,
        username=text(document, "username"),
        certificate=text(document, "remoteCA"),
        skip_tls_verification=flag(document, "skipTLSVerification") is True,
        identifier=identifier,
    )


def policy_document(wanted: Policy, existing: Policy | None = None) -> Document:
    """What a policy is created with, or changed with where there is one: secrets that are not known then stay as they are."""

    def value(name: str) -> t.Any:
        given = getattr(wanted, name)
        return getattr(existing, name) if given is None and existing is not None else given

    enabled = value("is_enabled")
    document: Document = {"enabled": True if enabled is None else enabled}
    if wanted.does != "poll_mirroring":
        document["rules"] = [{"field": rule.field, "operator": rule.operator, "values": list(rule.values)} for rule in wanted.rules]
    if wanted.does == "pruning":
        return document
    if wanted.does == "promotion":
        return {**document, "targetRepository": wanted.target, "tagTemplate": wanted.tag_template}
    host, repository = _split_target(wanted.target)
    document.update(
        remoteHost=host,
        remoteRepository=repository,
        remoteCA=value("certificate") or "",
        skipTLSVerification=bool(value("skip_tls_verification")),
        username=value("username") or "",
    )
    if wanted.does == "push_mirroring":
        document["tagTemplate"] = wanted.tag_template
    secrets = {"password": wanted.password, "authToken": wanted.token}
    document.update({name: secret for name, secret in secrets.items() if secret or existing is None})
    return document


def _split_target(target: str) -> tuple[str, str]:
    """Host, with the scheme if there is one, and repository of what a mirroring policy names."""
    scheme, separator, rest = target.rpartition("://")
    host, _slash, repository = rest.partition("/")
    if not host or not repository:
        raise InvalidOption("names no repository of another registry.", subject=target, hint="Write host/namespace/repository.")
    return f"{scheme}{separator}{host}", repository

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""People and what they may do, in no product's words: accounts, teams, memberships, grants, tokens, repositories and their rules.

Everything is named by names, never by ids: ids are a product's own, and differ from one installation to the next. What is None is not
known, or not to be touched. An `Estate` is all of it, read from one side; it can be written to a file and read back.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, StateError

#: what a grant allows, each more than the one before: pull; push and delete tags too; settings and access too
LEVELS = ("read", "write", "admin")
#: of the document that an estate is written to
SCHEMA = 1

Key = tuple[str, ...]


#: of a field that does not count when two sides are compared; one that is a secret is in no representation either
_ASIDE: t.Mapping[str, t.Any] = {"compared": False}


@dataclasses.dataclass(frozen=True)
class Account:
    """A user or an organization. Names are unique over both.

    `directory_name`: the distinguished name in an LDAP directory that it comes from, empty for an account of the product's own.
    `password_hash`: `<scheme>$...`, empty where it is not known; only ever for a user.
    """

    kind: t.ClassVar[str] = "account"
    name: str
    is_organization: bool = False
    full_name: str | None = None
    is_admin: bool | None = None
    is_active: bool | None = None
    directory_name: str | None = None
    identifier: str = dataclasses.field(default="", metadata=_ASIDE, compare=False)
    password_hash: str = dataclasses.field(default="", metadata=_ASIDE, compare=False, repr=False)

    @property
    def key(self) -> Key:
        return (self.name,)

    @property
    def title(self) -> str:
        return f"{'organization' if self.is_organization else 'user'} {self.name}"


@dataclasses.dataclass(frozen=True)
class Membership:
    """A user belongs to an organization; as its admin, who may do everything in it, or not."""

    kind: t.ClassVar[str] = "membership"
    organization: str
    user: str
    is_admin: bool | None = None

    @property
    def key(self) -> Key:
        return (self.organization, self.user)

    @property
    def title(self) -> str:
        return f"member {self.user} of {self.organization}"


@dataclasses.dataclass(frozen=True)
class Team:
    """A team of an organization. `directory_sync`: how its members are taken from a directory, None where that is not known, empty
    where they are not; `group_link`: the name of the group of a single sign-on that it follows, empty for none.
    """

    kind: t.ClassVar[str] = "team"
    organization: str
    name: str
    description: str | None = None
    directory_sync: t.Mapping[str, t.Any] | None = None
    group_link: str | None = None
    identifier: str = dataclasses.field(default="", metadata=_ASIDE, compare=False)

    @property
    def key(self) -> Key:
        return (self.organization, self.name)

    @property
    def title(self) -> str:
        return f"team {self.organization}/{self.name}"


@dataclasses.dataclass(frozen=True)
class TeamMembership:
    """A user belongs to a team; as its admin or not."""

    kind: t.ClassVar[str] = "team_membership"
    organization: str
    team: str
    user: str
    is_admin: bool | None = None

    @property
    def key(self) -> Key:
        return (self.organization, self.team, self.user)

    @property
    def title(self) -> str:
        return f"member {self.user} of team {self.organization}/{self.team}"


@dataclasses.dataclass(frozen=True)
class Repository:
    """A repository and its settings. `tag_limit`: the oldest tags go when there are more, 0 for no limit."""

    kind: t.ClassVar[str] = "repository"
    namespace: str
    name: str
    short_description: str | None = None
    long_description: str | None = None
    visibility: str | None = None  # public or private
    scan_on_push: bool | None = None
    immutable_tags: bool | None = None
    tag_limit: int | None = None
    identifier: str = dataclasses.field(default="", metadata=_ASIDE, compare=False)

    @property
    def key(self) -> Key:
        return (self.namespace, self.name)

    @property
    def path(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def title(self) -> str:
        return f"repository {self.path}"


@dataclasses.dataclass(frozen=True)
class Grant:
    """What a team may do: in one repository, or in all of a namespace (`repository` is empty then). `level` is one of LEVELS."""

    kind: t.ClassVar[str] = "grant"
    organization: str
    team: str
    namespace: str
    repository: str
    level: str

    @property
    def key(self) -> Key:
        return (self.organization, self.team, self.namespace, self.repository)

    @property
    def title(self) -> str:
        where = f"{self.namespace}/{self.repository}" if self.repository else f"all of {self.namespace}"
        return f"grant for team {self.organization}/{self.team} on {where}"


@dataclasses.dataclass(frozen=True)
class Token:
    """An access token of a user, as its product keeps it: `token_hash` is all there is, and as good as the token in the database of another
    installation. `created` and `last_used` are moments as ISO 8601 with an offset, empty where there is none.
    `further`: fields of the product that this model has no word for, as they are.
    """

    kind: t.ClassVar[str] = "token"
    owner: str
    token_hash: str = dataclasses.field(repr=False)
    label: str | None = None
    is_active: bool | None = None
    created: str | None = None
    last_used: str = dataclasses.field(default="", metadata=_ASIDE, compare=False)
    generated_by: str = dataclasses.field(default="", metadata=_ASIDE, compare=False)
    further: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict, metadata=_ASIDE, compare=False, repr=False, hash=False)

    @property
    def key(self) -> Key:
        return (self.token_hash,)

    @property
    def title(self) -> str:
        return f"token {self.label or 'without a label'} of {self.owner}"


@dataclasses.dataclass(frozen=True)
class Webhook:
    """Somebody is told of events of one type. `scope`: `namespace/repository`, `namespace`, or empty for all of the registry."""

    kind: t.ClassVar[str] = "webhook"
    event: str
    scope: str
    endpoint: str
    certificate: str | None = None
    skip_tls_verification: bool | None = None
    is_active: bool | None = None
    identifier: str = dataclasses.field(default="", metadata=_ASIDE, compare=False)

    @property
    def key(self) -> Key:
        return (self.event, self.scope, self.endpoint)

    @property
    def title(self) -> str:
        # an endpoint may hold a token: only its host is shown
        return f"webhook {self.event} of {self.scope or 'the registry'} to {_host(self.endpoint)}"


#: what a policy does: copies tags to another repository; deletes them; copies them to, or from, another registry
POLICIES = ("promotion", "pruning", "push_mirroring", "poll_mirroring")


@dataclasses.dataclass(frozen=True)
class Rule:
    """A condition of a policy on tags: all of a policy's rules have to hold. The words of field and operator are the product's."""

    field: str
    operator: str
    values: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Policy:
    """A rule of a repository that does something with its tags. `does` is one of POLICIES.

    `target`: the repository that tags are promoted to, or `host/repository` of the other registry; `tag_template`: how they are called
    there. `username` signs in to the other registry; what goes with it (`password`, `token`) can usually not be read.
    """

    kind: t.ClassVar[str] = "policy"
    does: str
    repository: str
    rules: tuple[Rule, ...] = ()
    target: str = ""
    tag_template: str = ""
    is_enabled: bool | None = None
    username: str | None = None
    certificate: str | None = None
    skip_tls_verification: bool | None = None
    password: str = dataclasses.field(default="", metadata=_ASIDE, compare=False, repr=False)
    token: str = dataclasses.field(default="", metadata=_ASIDE, compare=False, repr=False)
    identifier: str = dataclasses.field(default="", metadata=_ASIDE, compare=False)

    @property
    def key(self) -> Key:
        rules = json.dumps(sorted((rule.field, rule.operator, *rule.values) for rule in self.rules))
        return (self.does, self.repository, self.target, self.tag_template, rules)

    @property
    def title(self) -> str:
        to = {"promotion": " to ", "push_mirroring": " to ", "poll_mirroring": " from "}.get(self.does, "")
        return f"{self.does.replace('_', ' ')} policy of {self.repository}{to}{self.target if to else ''}"


Item = t.Union[Account, Membership, Team, TeamMembership, Repository, Grant, Token, Webhook, Policy]
#: in the order in which they are written: each needs those before it
KINDS: tuple[type[t.Any], ...] = (Account, Team, Membership, TeamMembership, Repository, Grant, Token, Webhook, Policy)
CLASSES: t.Mapping[str, type[t.Any]] = {cls.kind: cls for cls in KINDS}
AnItem = t.TypeVar("AnItem", Account, Membership, Team, TeamMembership, Repository, Grant, Token, Webhook, Policy)


class Estate:
    """Everything of one side, or as much of it as was asked for.

    `unread`: what could not be read, by kind (or `password_hash`), and why: it must never be taken for "there is none".
    `is_part`: somebody has selected some of it, so that nothing can be said of what it does not have.
    """

    def __init__(self, product: str = "", where: str = "") -> None:
        self.product = product
        self.where = where
        self.unread: dict[str, str] = {}
        self.is_part = False
        self._items: dict[str, dict[Key, t.Any]] = {cls.kind: {} for cls in KINDS}

    def without_items(self) -> Estate:
        """Another one of the same side, with nothing in it."""
        other = Estate(self.product, self.where)
        other.unread.update(self.unread)
        other.is_part = self.is_part
        return other

    def add(self, item: Item) -> None:
        """Take in an item; one with the same key is replaced."""
        self._items[item.kind][item.key] = item

    def of(self, cls: type[AnItem]) -> dict[Key, AnItem]:
        """All items of a class, by their keys."""
        return t.cast("dict[Key, AnItem]", self._items[cls.kind])

    def like(self, item: Item) -> Item | None:
        """The item of the same kind with the same key."""
        return t.cast("Item | None", self._items[item.kind].get(item.key))

    def find(self, cls: type[t.Any], key: Key) -> Item | None:
        """The item of a class with a key."""
        return t.cast("Item | None", self._items[cls.kind].get(key))

    def __iter__(self) -> t.Iterator[Item]:
        """All items, in the order in which they can be written, those of a kind in the order of their keys."""
        for items in self._items.values():
            yield from (items[key] for key in sorted(items))

    def counts(self) -> dict[str, int]:
        """How many items of each kind there are."""
        return {kind: len(items) for kind, items in self._items.items()}

    # -- a file
    def as_document(self) -> dict[str, t.Any]:
        """The form in which an estate is kept; it holds hashes of passwords and tokens."""
        items = {kind: [dataclasses.asdict(items[key]) for key in sorted(items)] for kind, items in self._items.items()}
        return {"schema": SCHEMA, "product": self.product, "where": self.where, "unread": self.unread, "is_part": self.is_part, **items}

    def write(self, path: str) -> None:
        """Write it to a file that only its owner may read, whole or not at all; raises StateError."""
        folder = os.path.dirname(path) or "."
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=folder, prefix=".estate-")
            try:
                with open(handle, "w", encoding="utf-8") as file:
                    json.dump(self.as_document(), file, indent=1, sort_keys=True)
                os.replace(name, path)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            raise StateError(f"cannot be written: {error.strerror}.", subject=path, hint="Look at the disk and its rights.") from error


def read_estate(path: str, option: str) -> Estate:
    """An estate from the file that `write` has made; raises InvalidOption about `option`."""
    hint = "Give the file that the module identity_export has written."
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        if document["schema"] != SCHEMA:
            raise InvalidOption(f"{path} has the schema {document['schema']!r}.", subject=option, hint="Export it anew.")
        estate = Estate(document["product"], document["where"])
        estate.unread.update(document["unread"])
        estate.is_part = bool(document["is_part"])
        for kind, cls in CLASSES.items():
            for fields in document[kind]:
                if "rules" in fields:
                    fields["rules"] = tuple(Rule(rule["field"], rule["operator"], tuple(rule["values"])) for rule in fields["rules"])
                estate.add(cls(**fields))
    except OSError as error:
        raise InvalidOption(f"{path} cannot be read: {error.strerror}.", subject=option, hint=hint) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidOption(f"{path} is no export of people.", subject=option, hint=hint) from error
    return estate


def compared_fields(cls: type[t.Any]) -> list[str]:
    """The names of the fields in which two items with the same key can differ."""
    return [field.name for field in dataclasses.fields(cls) if field.metadata.get("compared", True)]


def _host(endpoint: str) -> str:
    return endpoint.partition("://")[2].partition("/")[0].rpartition("@")[2] or "somewhere"

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mirantis Secure Registry as a double: its own APIs, its token service and a real docker-registry, on one port with TLS.

All that it knows lies in stores that speak ReQL, and in no other place: what its API writes is there for whoever asks the database, and
what is written to the database shows in the API at once. In the 2.9 shape accounts belong to MKE, which is another address and another
database; in the 3.x shape they are its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import time
import traceback
import typing as t
import urllib.parse
import uuid
from pathlib import Path

import jwt

from estate.client import Access
from estate.fault_proxy import Fault
from estate.images import digest_of
from estate.msr.accounts import AccountsAPI, normal
from estate.msr.answers import Refusal
from estate.msr.contract import Contracts
from estate.msr.passwords import fits, token_hash
from estate.msr.registry_api import RegistryAPI
from estate.msr.rights import covers, namespace_level, repository_level
from estate.msr.rows import ACCOUNTS, ENZI_PROPERTIES, MANIFESTS, PROPERTIES, REPOSITORIES, TAGS, TOKENS, Row, moment, new_repository
from estate.msr.seeding import ADMINISTRATOR, ADMINISTRATORS_PASSWORD, People
from estate.msr.store import Store, key_of
from estate.msr.tables import Tables
from estate.product import Answer, Asked, ProductDouble, ProductHandler, error
from estate.registry import Registry, RegistryFactory
from estate.token_server import REGISTRY_LEEWAY, libtrust_fingerprint

if t.TYPE_CHECKING:
    from estate.certificates import CertificateAuthority

_MANIFEST = re.compile(r"/v2/(.+)/manifests/([^/]+)")
_CONTENT = re.compile(r"/v2/(.+)/(?:manifests|blobs|tags)/.*")


class Front(ProductDouble):
    """What MSR and MKE have in common: who asks, sessions, faults, contracts.

    `faults`: what becomes of requests: of a `Fault` its pattern, its numbers, `before`, `stall`, `status` with `headers` and `body`, and
    `reset` (`before` the double sees the request, or `lost`: it has done what was asked for). `directory`: names of users in LDAP with
    their DNs. `violations`: where requests or answers were not those of the published API descriptions.
    """

    #: fewer characters are no password
    shortest_password = 8

    def __init__(
        self, tables: Tables, authority: CertificateAuthority, behind: t.Callable[[str], Registry], contracts: Contracts | None
    ) -> None:
        self.tables = tables
        self.authority = authority
        self.contracts = contracts
        self.faults: list[Fault] = []
        self.directory: dict[str, str] = {}
        self.violations: list[str] = []
        self.imports_accounts = True
        #: how many requests a session is good for; None: any number
        self.session_requests: int | None = None
        #: what a page has at most, however many were asked for; None: as many as were asked for
        self.largest_page: int | None = None
        self._sessions: dict[str, tuple[str, int]] = {}
        super().__init__(behind, authority.server_context(), _Handler)

    # -- routes
    def api(self, method: str, pattern: str, answer: t.Callable[..., Answer], open_to_all: bool = False) -> None:
        """Have `answer(asked, user, *groups)` answer for those who have signed in, or for everybody (`user` is empty then)."""

        def guarded(asked: Asked, *groups: str) -> Answer:
            try:
                with self.tables.moment():
                    return answer(asked, {} if open_to_all else self.user_of(asked), *groups)
            except Refusal as refusal:
                return refusal.answer
            except (TypeError, ValueError, LookupError, AttributeError):
                # a form with values of wrong types, or a row that lacks what every row has
                self.violations.append(f"{asked.method} {asked.path}: {traceback.format_exc()}")
                return Refusal("INTERNAL_ERROR", "an internal error").answer

        self.route(method, pattern, guarded)

    def _answer(self, asked: Asked) -> Answer:
        found = super()._answer(asked)
        if found.status == 404 and found.document == {"message": "no such page"}:
            found = Refusal("HANDLER_NOT_FOUND", "no handler is registered for this path").answer
        if self.contracts is not None:
            self.violations += self.contracts.violations(asked, found)
        return found

    # -- who asks
    def user_of(self, asked: Asked) -> Row:
        """The account that has signed in, with Basic or with a session; raises Refusal."""
        required, invalid = "AUTHENTICATION_REQUIRED", "INVALID_AUTHENTICATION_CREDENTIALS"
        if asked.path.startswith("/api/v0"):
            required = invalid = "NOT_AUTHENTICATED"
        if "authorization" not in asked.headers:
            raise Refusal(required, "the client is not authenticated")
        if asked.bearer:
            name, left = self._sessions.get(asked.bearer, ("", 0))
            row = self.tables.get(ACCOUNTS, name)
            if row is None or left < 1 or not row.get("isActive"):
                raise Refusal(invalid, "the session is not known, or over")
            self._sessions[asked.bearer] = (name, left - 1)
            return row
        return self.user_with(*asked.basic, invalid=invalid)

    def user_with(self, name: str, secret: str, tokens: bool = True, invalid: str = "INVALID_AUTHENTICATION_CREDENTIALS") -> Row:
        """The account with a name and a password, or with an access token; raises Refusal."""
        row = self.tables.get(ACCOUNTS, normal(name))
        if (
            row is None
            or row.get("isOrg")
            or not (fits(secret, row.get("passwordHash") or "") or (tokens and self._has_token(row, secret)))
        ):
            raise Refusal(invalid, "the user name or the password is wrong")
        if not row.get("isActive"):
            raise Refusal("INACTIVE_ACCOUNT" if invalid != "NOT_AUTHENTICATED" else invalid, "the account is not active")
        return row

    def _has_token(self, user: Row, secret: str) -> bool:
        row = self.tables.get(TOKENS, token_hash(secret))
        return row is not None and row.get("accountID") == user["id"] and row.get("isActive", True)

    def new_session(self, user: Row) -> str:
        """A session of a user."""
        token = str(uuid.uuid4())
        self._sessions[token] = (user["name"], self.session_requests if self.session_requests is not None else 1 << 30)
        return token

    def end_session(self, token: str) -> None:
        """A session ends."""
        self._sessions.pop(token, None)

    def end_sessions(self) -> None:
        """All sessions end."""
        self._sessions.clear()

    @staticmethod
    def needs_administrator(user: Row) -> None:
        """Raise Refusal for anybody else."""
        if not user.get("isAdmin"):
            raise Refusal("NOT_AUTHORIZED", "the client is not authorized")

    def backend(self) -> str:
        """`managed` or `ldap`: where users come from."""
        row = self.tables.get(ENZI_PROPERTIES, "config.auth") or {}
        return str(row.get("jsonValue", {}).get("backend", "managed"))

    def fewer(self, asked_for: int) -> int:
        """How many items a page has at most."""
        return min(asked_for, self.largest_page or asked_for)

    # -- what tests use
    def fault(self, line: str) -> Fault | None:
        """The fault that a request meets."""
        with self._lock:
            return next((one for one in self.faults if one.meets(line)), None)

    def note(self, asked: Asked, target: str, status: int) -> None:
        """Write a request to the log that was not answered in the usual way; status 0: not at all."""
        with self._lock:
            self.log.append((asked.method, target))
            self.statuses.append(status)

    def __exit__(self, *unused: object) -> None:
        self.stop()
        if self.violations and unused[0] is None:
            raise AssertionError("\n".join(self.violations[:20]))


class MKEDouble(Front):
    """MKE, as far as it keeps the accounts of an MSR 2.9: with and without `/enzi/v0` before the paths."""

    def __init__(self, tables: Tables, authority: CertificateAuthority, contracts: Contracts | None = None) -> None:
        super().__init__(tables, authority, _none_behind, contracts)
        AccountsAPI(self, "/enzi/v0")
        AccountsAPI(self, "")
        self.route("GET", "/_ping", lambda asked: Answer(200, body=b"OK", headers={"Content-Type": "text/plain"}))
        self.route("GET", "/ca", lambda asked: Answer(200, body=authority.certificate.read_bytes(), headers={"Content-Type": "text/plain"}))

    def _has_token(self, user: Row, secret: str) -> bool:
        return False  # access tokens are those of MSR


def _none_behind(_url: str) -> Registry:
    return t.cast("Registry", None)  # nothing below /v2/


class MSRDouble(Front):
    """One MSR. It answers when the constructor returns, until `stop`; `access` is for its administrator.

    `version`: 2.9 or 3.x, with whatever follows. `domain`: the name by which it is configured (`localhost`), which is the one that its
    challenges lead to, however it was reached. `lifetime`: seconds for which its tokens for images are good, exactly so.
    """

    def __init__(
        self,
        folder: Path,
        tables: Tables,
        authority: CertificateAuthority,
        version: str = "3.1.5",
        *,
        domain: str = "",
        lifetime: int = 300,
        contracts: Contracts | None = None,
    ) -> None:
        self.version = version
        #: what its tokens for images are for: the host by which it is configured
        self.service = ""
        self.lifetime = lifetime
        self._domain = domain
        self._bundle = authority.server("token-signer")
        self._registries = RegistryFactory(folder)
        self._key = self._bundle.key.read_bytes()
        self._key_id = libtrust_fingerprint(self._bundle.certificate.read_bytes())
        super().__init__(tables, authority, self._make_registry, contracts)
        AccountsAPI(self, "/enzi/v0")
        RegistryAPI(self)
        for method in ("GET", "POST"):
            self.route(method, "/auth/token", self._token)
        text = {"Content-Type": "text/plain"}
        self.route("GET", "/ca", lambda asked: Answer(200, body=authority.certificate.read_bytes(), headers=text))
        self.route("GET", "/_ping", lambda asked: Answer(200, {"Error": "", "Healthy": True}))
        self.route("GET", "/health", lambda asked: Answer(200, {"error": "", "healthy": True}))

    def _make_registry(self, url: str) -> Registry:
        address = urllib.parse.urlsplit(url)
        self.service = f"{self._domain or address.hostname}:{address.port}"
        return self._registries.start("registry", token_server=t.cast("t.Any", _Signer(self.service, self.bundle)), cached=False)

    @property
    def bundle(self) -> Path:
        """The certificate of the key that it signs tokens for images with."""
        return self._bundle.certificate

    @property
    def access(self) -> Access:
        """How to reach its images as its administrator."""
        return Access(self.url, ADMINISTRATOR, ADMINISTRATORS_PASSWORD, self.authority.certificate)

    def stop(self) -> None:
        """End it, and the registry behind it."""
        super().stop()
        self._registries.stop()

    # -- settings
    def settings(self) -> Row:
        """What `/api/v0/meta/settings` has changed."""
        row = self.tables.get(PROPERTIES, "settings") or {}
        return dict(row.get("value", {}))

    # -- tokens for images
    def _token(self, asked: Asked) -> Answer:
        query = [(name, value) for name, value in asked.parameters]
        given = asked.form if asked.method == "POST" else {}
        scopes = [one for name, value in query if name == "scope" for one in value.split()] + given.get("scope", "").split()
        document: Row = {"expires_in": self.lifetime, "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        try:
            with self.tables.moment():
                user, offline = self._token_user(asked, given), self._wants_more(asked, given)
                access = [entry for entry in (self._granted(user, scope) for scope in scopes) if entry]
                if offline and user is not None:
                    document["refresh_token"] = self._automatic_token(user, asked)
        except Refusal:
            headers = {"WWW-Authenticate": f'Basic realm="{self.service}"'}
            return Answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}, headers)
        token = self._signed(user["name"] if user else "", access)
        return Answer(200, {"token": token, "access_token": token, **document})

    def _token_user(self, asked: Asked, given: t.Mapping[str, str]) -> Row | None:
        if given.get("grant_type") == "password":
            return self.user_with(given.get("username", ""), given.get("password", ""))
        if given.get("grant_type") == "refresh_token":
            row = self.tables.get(TOKENS, token_hash(given.get("refresh_token", "")))
            user = self.tables.one(ACCOUNTS, "id", row["accountID"]) if row and row.get("isActive", True) else None
            if user is None or not user.get("isActive"):
                raise Refusal("NOT_AUTHENTICATED")
            return user
        if "authorization" not in asked.headers:
            return None
        return self.user_with(*asked.basic)

    @staticmethod
    def _wants_more(asked: Asked, given: t.Mapping[str, str]) -> bool:
        return asked.query.get("offline_token") == "true" or given.get("access_type") == "offline"

    def _automatic_token(self, user: Row, asked: Asked) -> str:
        """Each log-in of a docker client leaves one of these behind."""
        token = str(uuid.uuid4())
        now = moment(time.time())
        row = {
            "token": token_hash(token),
            "clientID": "",
            "accountID": user["id"],
            "lastFour": token[-4:],
            "creatorIP": "127.0.0.1",
            "creatorUA": asked.headers.get("user-agent", ""),
            "createdAt": now,
            "lastUsed": now,
            "tokenLabel": "Generated by docker login",
            "isActive": True,
            "generatedBy": "auto",
        }
        self.tables.insert(TOKENS, row)
        return token

    def _granted(self, user: Row | None, scope: str) -> Row | None:
        kind, _colon, rest = scope.partition(":")
        name, _colon, actions = rest.rpartition(":")
        wanted = actions.split(",")
        if kind == "registry":
            return {"type": kind, "name": name, "actions": wanted} if user is not None and user.get("isAdmin") else None
        repository = self.repository(name)
        if repository is None:
            repository = self._created_on_push(user, name) if "push" in wanted else None
        if repository is None:
            return None
        level = repository_level(self.tables, user, repository)
        needed = {"pull": "read-only", "push": "read-write", "delete": "read-write", "*": "read-write"}
        allowed = [action for action in wanted if action in needed and covers(level, needed[action])]
        return {"type": kind, "name": name, "actions": allowed} if allowed else None

    def _created_on_push(self, user: Row | None, path: str) -> Row | None:
        if not self.settings().get("createRepositoryOnPush") or user is None or path.count("/") != 1:
            return None
        namespace, _slash, name = path.partition("/")
        owner = self.tables.get(ACCOUNTS, namespace)
        if owner is None or namespace_level(self.tables, user, owner) != "admin":
            return None
        self.tables.insert(REPOSITORIES, new_repository(owner, name))
        return self.repository(path)

    def _signed(self, user: str, access: t.Sequence[Row]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.service,
            "aud": self.service,
            "sub": user,
            "iat": now,
            "nbf": now - 2 * REGISTRY_LEEWAY,
            # the registry goes on accepting it for as long as its leeway is
            "exp": now + self.lifetime - REGISTRY_LEEWAY,
            "jti": secrets.token_hex(8),
            "access": list(access),
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})

    # -- images
    def repository(self, path: str) -> Row | None:
        """The row of a repository, by `namespace/name`."""
        namespace, _slash, name = path.partition("/")
        owner = self.tables.get(ACCOUNTS, namespace)
        return self.tables.get(REPOSITORIES, key_of(owner["id"], name)) if owner else None

    def registry(self, asked: Asked) -> Answer | None:
        """No pushes while it is read-only, and none over a tag that must not change."""
        if asked.method in ("GET", "HEAD") or not _CONTENT.fullmatch(asked.path):
            return None
        with self.tables.moment():
            if self.settings().get("readOnlyRegistry"):
                return error(405, "UNSUPPORTED", "the registry is read-only")
            match = _MANIFEST.fullmatch(asked.path)
            if asked.method != "PUT" or not match or match[2].startswith("sha256:"):
                return None
            row = self.tables.get(TAGS, f"{match[1]}:{match[2]}")
            immutable = (self.repository(match[1]) or {}).get("immutableTags")
            if immutable and row and not row.get("deleted") and row["digest"] != digest_of(asked.body):
                return error(400, "UNKNOWN", f"tag={match[2]} cannot be overwritten because {match[1]} is an immutable repository")
        return None

    def after(self, asked: Asked, answer: Answer) -> Answer:
        """Rows follow from what the registry has taken; tombstones hide what it still has."""
        match = _MANIFEST.fullmatch(asked.path)
        if match and asked.method == "PUT" and answer.status == 201:
            with self.tables.moment():
                self._write_rows(match[1], match[2], asked, answer)
        elif match and asked.method == "DELETE" and answer.status == 202:
            with self.tables.moment():
                for row in self.tables.by(TAGS, "repository", match[1]):
                    if row["digest"] == match[2]:
                        self.tables.update(TAGS, row["pk"], deleted=True)
        elif match and answer.status == 200:
            with self.tables.moment():
                tag = self.tables.get(TAGS, f"{match[1]}:{match[2]}")
            if tag and tag.get("deleted"):
                return error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        elif asked.path.endswith("/tags/list") and answer.status == 200:
            document = json.loads(answer.data)
            with self.tables.moment():
                gone = {row["name"] for row in self.tables.by(TAGS, "repository", document["name"]) if row.get("deleted")}
            tags = [tag for tag in document["tags"] or [] if tag not in gone]
            headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
            return Answer(200, {**document, "tags": tags}, headers)
        return answer

    def _write_rows(self, repository: str, reference: str, asked: Asked, answer: Answer) -> None:
        digest = next(value for name, value in answer.headers.items() if name.lower() == "docker-content-digest")
        now = moment(time.time())
        author = self._author(asked)
        pk = f"{repository}@{digest}"
        if self.tables.get(MANIFESTS, pk) is None:
            media_type = asked.headers.get("content-type", "")
            fields = described_manifest(self.behind, json.loads(asked.body))
            row = {
                "digest": digest,
                "repository": repository,
                "mediaType": media_type,
                "originalAuthor": author,
                "createdAt": now,
                **fields,
            }
            self.tables.insert(MANIFESTS, {"pk": pk, "deleted": False, **row})
        if not reference.startswith("sha256:"):
            before = self.tables.get(TAGS, f"{repository}:{reference}")
            created = before["createdAt"] if before and not before.get("deleted") else now
            row = {"name": reference, "repository": repository, "digest": digest, "digestPK": pk, "authorNamespace": author}
            dates = {"createdAt": created, "updatedAt": now}
            self.tables.insert(TAGS, {"pk": f"{repository}:{reference}", "deleted": False, **row, **dates}, replace=True)

    def _author(self, asked: Asked) -> str:
        name = jwt.decode(asked.bearer, options={"verify_signature": False}).get("sub", "") if asked.bearer else ""
        return str((self.tables.get(ACCOUNTS, name) or {}).get("id", ""))

    def _authorization(self, asked: Asked) -> dict[str, str]:
        sent = {"X-Forwarded-Proto": "https"}
        if "authorization" in asked.headers:
            sent["Authorization"] = asked.headers["authorization"]
        return sent


@dataclasses.dataclass(frozen=True)
class _Signer:
    """What docker-registry has to know of the token service."""

    service: str
    bundle: Path
    users: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def registry_settings(self) -> dict[str, str]:
        realm = f"https://{self.service}/auth/token"
        return {"realm": realm, "service": self.service, "issuer": self.service, "rootcertbundle": str(self.bundle)}


class _Handler(ProductHandler):
    def _serve(self) -> None:
        owner: Front = self.server.owner
        fault = owner.fault(f"{self.command} {self.path}")
        if fault is None:
            super()._serve()
            return
        if fault.before is not None:
            fault.before()
        if fault.stall:
            self.server.wait(fault.stall)
        if not (fault.status or fault.reset):
            super()._serve()
            return
        asked = self.asked()
        if fault.reset:
            if fault.reset == "lost":
                owner.answer(asked, self.path)
            else:
                owner.note(asked, self.path, 0)
            self.close_connection = True
            self.server.reset(self.connection)
            return
        owner.note(asked, self.path, fault.status)
        headers = {name: value if isinstance(value, str) else value() for name, value in fault.headers.items()}
        self.send(Answer(fault.status, headers=headers, body=fault.body))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve


def described_manifest(registry: Registry, document: Row) -> Row:
    """What a row of a manifest says of its content."""
    config = document.get("config") or {}
    size = sum(layer.get("size", 0) for layer in [*document.get("layers", []), *document.get("manifests", [])])
    found = {"configDigest": config.get("digest", ""), "size": size + config.get("size", 0), "os": "", "architecture": ""}
    algorithm, _colon, value = found["configDigest"].partition(":")
    if value:
        path = registry.data / "docker" / "registry" / "v2" / "blobs" / algorithm / value[:2] / value / "data"
        with contextlib.suppress(FileNotFoundError, ValueError, AttributeError):  # a config may be anything
            held = json.loads(path.read_bytes())
            found.update(os=held.get("os", ""), architecture=held.get("architecture", ""))
    return found


# -- whole installations -----------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Installation:
    """An MSR with its databases. `mke` is there in the 2.9 shape alone; `accounts` is the store with the accounts."""

    msr: MSRDouble
    mke: MKEDouble | None
    store: Store
    accounts: Store
    tables: Tables

    def problems(self) -> list[str]:
        """What must not be: requests and answers that are not those of the API descriptions, rows that the product could not live with."""
        own = self.msr.violations + (self.mke.violations if self.mke else [])
        rows = self.store.problems(self.accounts)
        if self.accounts is not self.store:
            rows += self.accounts.problems()
        return [*own, *rows]

    def stop(self) -> None:
        """End all of it."""
        self.msr.stop()
        if self.mke is not None:
            self.mke.stop()
        self.tables.close()
        self.store.stop()
        self.accounts.stop()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()
        violations = self.msr.violations + (self.mke.violations if self.mke else [])
        if violations and failure[0] is None:
            raise AssertionError("\n".join(violations[:20]))


def install(folder: Path, authority: CertificateAuthority, version: str = "3.1.5", **options: t.Any) -> Installation:
    """An MSR of a version, with the accounts that each has from its beginning; `options` are those of MSRDouble.

    Where REGISTRY_CONTRACTS names the folder with the API descriptions, every request and every answer is held against them.
    """
    contracts = Contracts.at_hand(os.environ.get("REGISTRY_CONTRACTS", ""), version)
    shared = version.startswith("2.")
    store = Store(folder / "database", ["dtr2"] if shared else ["enzi", "dtr2"])
    accounts = Store(folder / "accounts", ["enzi"]) if shared else store
    tables = Tables(*([store, accounts] if shared else [store]))
    msr = MSRDouble(folder / "msr", tables, authority, version, contracts=contracts, **options)
    mke = MKEDouble(tables, authority, contracts) if shared else None
    installation = Installation(msr, mke, store, accounts, tables)
    first = People(tables)
    first.built_in()
    first.write()
    return installation

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token service that really signs: what docker-registry's token authentication asks for (distribution's "token" specification)."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import fnmatch
import hashlib
import json
import secrets
import ssl
import threading
import time
import typing as t
import urllib.parse
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from estate.certificates import CertificateAuthority
from estate.serving import Handler, LoopbackServer

#: `{user or "anonymous": {pattern of repositories, or "registry:catalog": actions}}`
Grants = t.Mapping[str, t.Mapping[str, t.Sequence[str]]]

ANONYMOUS = "anonymous"
CATALOG = "registry:catalog"
#: docker-registry goes on accepting a token for this many seconds after its end
REGISTRY_LEEWAY = 60


@dataclasses.dataclass(frozen=True)
class TokenRequest:
    """A request for a token: who asked (empty: nobody, or refused), for which scopes, what was granted."""

    method: str
    status: int
    user: str
    grant_type: str
    scopes: tuple[str, ...]
    granted: tuple[str, ...]


class TokenServer:
    """Answers when the constructor returns, until `stop`.

    Its tokens are ES256; their `kid` names the key whose certificate docker-registry has in its `rootcertbundle`. A user gets what the
    grants give of the scopes asked for, a token without access included: refusing is the registry's part. Patterns are those of shells,
    and `*` also matches `/`.
    """

    def __init__(
        self,
        folder: Path,
        users: t.Mapping[str, str],
        grants: Grants | None = None,
        *,
        lifetime: int = 300,
        leeway: int = 0,
        names_expiry: bool = True,
        refuse_post: int = 0,
        scope_cap: int = 0,
        over_cap: t.Literal["refuse", "first"] = "refuse",
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """`folder`: for key and certificate; `users`: `{name: password}`; `grants`: None gives every user everything, nobody nothing.

        `lifetime`: seconds, as `expires_in` says; `leeway`: seconds by which the token itself ends earlier, so that docker-registry
        (which adds REGISTRY_LEEWAY) refuses it on time; `refuse_post`: status for the OAuth2 form (404 or 405; 0: it is known);
        `scope_cap`: more scopes than this in one request are refused with 400, or only the first is granted.
        """
        self.users = dict(users)
        self.grants = grants
        self.lifetime = lifetime
        self.leeway = leeway
        self.names_expiry = names_expiry
        self.refuse_post = refuse_post
        self.scope_cap = scope_cap
        self.over_cap = over_cap
        self.service = "estate registry"
        self.issuer = "estate token server"
        #: every request so far
        self.log: list[TokenRequest] = []
        self._lock = threading.Lock()
        self._refresh_tokens: dict[str, str] = {}
        pair = CertificateAuthority(folder, self.issuer).server("token-signer")
        self._bundle = pair.certificate
        self._key = pair.key.read_bytes()
        self._key_id = libtrust_fingerprint(pair.certificate.read_bytes())
        self._server = LoopbackServer(_Handler, self, ssl_context)
        self.realm = f"{self._server.url}/token"
        self._server.start()

    def stop(self) -> None:
        """End it. Stopping twice is fine."""
        self._server.stop()

    def __enter__(self) -> TokenServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def registry_settings(self) -> dict[str, str]:
        """docker-registry's `auth.token` section for this server."""
        return {"realm": self.realm, "service": self.service, "issuer": self.issuer, "rootcertbundle": str(self._bundle)}

    def reset_log(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self.log = []

    def refresh_token(self, user: str) -> str:
        """A refresh token (docker calls it identity token) of the user, as a log-in would have left it behind."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._refresh_tokens[token] = user
        return token

    def _user_of_refresh_token(self, token: str) -> str | None:
        with self._lock:
            return self._refresh_tokens.get(token)

    def _record(self, request: TokenRequest) -> None:
        with self._lock:
            self.log.append(request)

    def _grant(self, user: str, scope: str) -> dict[str, t.Any] | None:
        """The `access` entry for a scope: the actions that the user may; None when there are none."""
        kind, _separator, rest = scope.partition(":")
        name, _separator, actions = rest.rpartition(":")
        if self.grants is None:
            allowed = set(actions.split(",")) if user != ANONYMOUS else set()
        else:
            mine = self.grants.get(user, {})
            if kind == "repository":
                patterns = [pattern for pattern in mine if pattern != CATALOG and fnmatch.fnmatchcase(name, pattern)]
            else:
                patterns = [f"{kind}:{name}"]
            allowed = {action for pattern in patterns for action in mine.get(pattern, ())}
        granted = [action for action in actions.split(",") if action in allowed]
        return {"type": kind, "name": name, "actions": granted} if granted else None

    def _token(self, user: str, access: t.Sequence[t.Mapping[str, t.Any]]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.service,
            "sub": "" if user == ANONYMOUS else user,
            "iat": now,
            "nbf": now - REGISTRY_LEEWAY - self.leeway,
            "exp": now + self.lifetime - self.leeway,
            "jti": secrets.token_hex(8),
            "access": list(access),
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})


class _Refused(Exception):
    """A request for a token that gets none."""

    def __init__(self, status: int, document: t.Mapping[str, t.Any], user: str = "") -> None:
        super().__init__(status)
        self.status, self.document, self.user = status, document, user


class _Handler(Handler):
    def do_GET(self) -> None:
        """The form with Basic: `?service=&scope=&scope=&offline_token=true`; without credentials for nobody in particular."""
        form = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        self._serve(form, "", self._basic_user)

    def do_POST(self) -> None:
        """OAuth2's form: grant_type=password or refresh_token, access_type=offline."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        form = urllib.parse.parse_qs(body.decode())
        grant_type = form.get("grant_type", [""])[0]
        self._serve(form, grant_type, lambda: self._form_user(form, grant_type))

    def _serve(self, form: t.Mapping[str, list[str]], grant_type: str, find_user: t.Callable[[], str]) -> None:
        tokens: TokenServer = self.server.owner
        scopes = tuple(scope for field in form.get("scope", []) for scope in field.split())
        granted: tuple[str, ...] = ()
        user = ""
        try:
            user = find_user()
            access = self._access(user, scopes)
            granted = tuple(f"{one['type']}:{one['name']}:{','.join(one['actions'])}" for one in access)
            status, document = 200, self._document(form, user, access)
        except _Refused as refusal:
            status, document = refusal.status, dict(refusal.document)
        tokens._record(TokenRequest(self.command, status, user, grant_type, scopes, granted))
        body = json.dumps(document).encode()
        self.send_response(status)
        if status == 401 and self.command == "GET":
            self.send_header("WWW-Authenticate", f'Basic realm="{tokens.service}"')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _access(self, user: str, scopes: t.Sequence[str]) -> list[dict[str, t.Any]]:
        tokens: TokenServer = self.server.owner
        if tokens.scope_cap and len(scopes) > tokens.scope_cap:
            if tokens.over_cap == "refuse":
                raise _Refused(400, {"errors": [{"code": "DENIED", "message": f"more than {tokens.scope_cap} scopes"}]})
            scopes = scopes[:1]
        return [entry for entry in (tokens._grant(user, scope) for scope in scopes) if entry]

    def _document(self, form: t.Mapping[str, list[str]], user: str, access: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
        tokens: TokenServer = self.server.owner
        token = tokens._token(user, access)
        document: dict[str, t.Any] = {"access_token": token}
        if self.command == "GET":
            document["token"] = token
        if tokens.names_expiry:
            document["expires_in"] = tokens.lifetime
            document["issued_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        offline = form.get("offline_token") == ["true"] or form.get("access_type") == ["offline"]
        if offline and user != ANONYMOUS:
            document["refresh_token"] = tokens.refresh_token(user)
        return document

    def _basic_user(self) -> str:
        tokens: TokenServer = self.server.owner
        header = self.headers.get("Authorization")
        if header is None:
            return ANONYMOUS
        scheme, _separator, value = header.partition(" ")
        try:
            user, _separator, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user, password = "", ""
        if scheme.lower() != "basic" or tokens.users.get(user) != password:
            raise _Refused(401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong user name or password"}]})
        return user

    def _form_user(self, form: t.Mapping[str, list[str]], grant_type: str) -> str:
        tokens: TokenServer = self.server.owner
        if tokens.refuse_post:
            raise _Refused(tokens.refuse_post, {"errors": [{"code": "UNSUPPORTED", "message": "GET is all there is"}]})
        user: str | None = None
        if grant_type == "refresh_token":
            user = tokens._user_of_refresh_token(form.get("refresh_token", [""])[0])
        elif grant_type == "password":
            name = form.get("username", [""])[0]
            user = name if name in tokens.users and tokens.users[name] == form.get("password", [""])[0] else None
        else:
            raise _Refused(400, {"error": "unsupported_grant_type"})
        if user is None:
            raise _Refused(401, {"error": "invalid_grant"})
        return user


def libtrust_fingerprint(certificate: bytes) -> str:
    """The key id that libtrust gives a public key: 240 bits of its SHA-256 in base32, in groups of four."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(der).digest()[:30]).decode()
    return ":".join(text[start : start + 4] for start in range(0, len(text), 4))

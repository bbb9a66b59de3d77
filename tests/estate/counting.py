# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry in memory that logs every request and can be made to behave as any registry does.

For tests that count requests, and for behaviours that docker-registry does not have. It is strict where registries are: a manifest
is taken only when everything it names is there, a blob only when its digest fits.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import email.utils
import gzip
import hashlib
import itertools
import json
import re
import secrets
import sys
import threading
import time
import typing as t
import urllib.parse

from estate.behaviour import Behaviour, Rule
from estate.client import Access
from estate.images import DOCKER_MANIFEST, OCI_INDEX, SCHEMA1_SIGNED, ImageSet, Manifest, digest_of, schema1_payload
from estate.serving import Handler, LoopbackServer

if t.TYPE_CHECKING:
    from estate.certificates import CertificateAuthority

__all__ = ["Behaviour", "CountingRegistry", "LoggedRequest", "RepositoryState", "Rule"]

_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})")
_ROUTES = (
    ("tags", re.compile(r"/v2/(.+)/tags/list")),
    ("referrers", re.compile(r"/v2/(.+)/referrers/([^/]+)")),
    ("manifest", re.compile(r"/v2/(.+)/manifests/([^/]+)")),
    ("upload", re.compile(r"/v2/(.+)/blobs/uploads/?([^/]*)")),
    ("blob", re.compile(r"/v2/(.+)/blobs/([^/]+)")),
)


_Headers = dict[str, str | list[str]]


@dataclasses.dataclass(frozen=True)
class LoggedRequest:
    """One request. `status` is 0 when no answer was sent; `bytes_in` and `bytes_out` are those of the bodies."""

    method: str
    path: str
    status: int
    bytes_in: int
    bytes_out: int
    connection: int
    at: float
    headers: t.Mapping[str, str]

    @property
    def kind(self) -> str:
        """What it is about: ping, token, storage, catalog, tags, referrers, manifest, blob, mount, or upload (everything else of one)."""
        path, _separator, query = self.path.partition("?")
        kind = _kind(path)
        return "mount" if kind == "upload" and self.method == "POST" and "mount=" in query else kind


def _kind(path: str) -> str:
    fixed = {"/v2/": "ping", "/v2": "ping", "/token": "token", "/v2/_catalog": "catalog"}
    if path in fixed:
        return fixed[path]
    if path.startswith("/storage/"):
        return "storage"
    return next((kind for kind, pattern in _ROUTES if pattern.fullmatch(path)), "unknown")


@dataclasses.dataclass(frozen=True)
class RepositoryState:
    """What a repository holds: `{tag: digest}`, `{digest of a manifest: media type}`, digests of blobs."""

    tags: dict[str, str]
    manifests: dict[str, str]
    blobs: frozenset[str]


@dataclasses.dataclass
class _Repository:
    manifests: dict[str, Manifest] = dataclasses.field(default_factory=dict)
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    blobs: set[str] = dataclasses.field(default_factory=set)
    ever_tagged: bool = False


@dataclasses.dataclass
class _Upload:
    repository: str
    state: str
    data: bytearray = dataclasses.field(default_factory=bytearray)
    short_chunk: bool = False


@dataclasses.dataclass(frozen=True)
class _Token:
    scopes: tuple[str, ...]
    until: float


@dataclasses.dataclass
class _Answer:
    """`media_type`: empty for the JSON of lists and errors; `length`: the Content-Length to announce when it is not that of the body."""

    status: int
    body: bytes = b""
    headers: _Headers = dataclasses.field(default_factory=dict)
    media_type: str = ""
    length: int | None = None
    close: bool = False


Query = t.Mapping[str, t.Sequence[str]]


class CountingRegistry:
    """The server: it answers when the constructor returns, until `stop`.

    With an `authority` it speaks TLS with a certificate of that authority, else plain http. `host` is `127.0.0.1:<port>`; the same
    server is also `localhost:<port>`.
    """

    def __init__(
        self, behaviour: Behaviour | None = None, *, authority: CertificateAuthority | None = None, client_certificates: bool = False
    ) -> None:
        self.behaviour = behaviour or Behaviour()
        self._lock = threading.RLock()
        self._repositories: dict[str, _Repository] = {}
        self._blobs: dict[str, bytes] = {}
        self._uploads: dict[str, _Upload] = {}
        self._tokens: dict[str, _Token] = {}
        self._refresh_tokens: dict[str, str] = {}
        self._cut: set[str] = set()
        self._requests = itertools.count(1)
        self._connections = itertools.count(1)
        #: every request since the start or the last `reset_log`, in the order in which they were answered
        self.log: list[LoggedRequest] = []
        self.ca_file = authority.certificate if authority else None
        self._authority = authority if client_certificates else None
        context = authority.server_context(client_certificates=client_certificates) if authority else None
        self._server = LoopbackServer(_Handler, self, context)
        self.port = self._server.port
        self.url = self._server.url
        self.scheme, _separator, self.host = self.url.partition("://")
        self._server.start()

    @property
    def access(self) -> Access:
        """How to reach it as its first user, or as nobody when it has none."""
        user, password = next(iter(self.behaviour.users.items()), ("", ""))
        return Access(self.url, user, password, self.ca_file, self._authority.client() if self._authority else None)

    def stop(self) -> None:
        """End it: no new connections, and those that are open are closed. Stopping twice is fine."""
        self._server.stop()

    def __enter__(self) -> CountingRegistry:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    # -- the log

    def reset_log(self) -> None:
        """Forget the requests so far (not the content)."""
        with self._lock:
            self.log = []

    def count(self, method: str | None = None, kind: str | None = None) -> int:
        """Requests in the log: all, or those of a method, a kind, or both."""
        with self._lock:
            return sum(1 for one in self.log if method in (None, one.method) and kind in (None, one.kind))

    def counts(self) -> collections.Counter[str]:
        """`{"GET manifest": 30, …}`."""
        with self._lock:
            return collections.Counter(f"{one.method} {one.kind}" for one in self.log)

    def bytes_in(self, kind: str | None = None) -> int:
        """Bytes of request bodies."""
        with self._lock:
            return sum(one.bytes_in for one in self.log if kind in (None, one.kind))

    def bytes_out(self, kind: str | None = None) -> int:
        """Bytes of answers' bodies."""
        with self._lock:
            return sum(one.bytes_out for one in self.log if kind in (None, one.kind))

    def connections(self) -> int:
        """How many connections carried the requests in the log."""
        with self._lock:
            return len({one.connection for one in self.log})

    def _write_log(self, entry: LoggedRequest) -> None:
        with self._lock:
            self.log.append(entry)

    # -- the content, without HTTP

    def load(self, images: ImageSet) -> None:
        """Fill it with a set, beside what it holds."""
        with self._lock:
            for name, held in images.repositories.items():
                repository = self._repository(name)
                self._blobs.update(held.blobs)
                repository.blobs.update(held.blobs)
                repository.manifests.update(held.manifests)
                for tag, digest in held.tags.items():
                    self._tag(repository, tag, digest)

    def snapshot(self) -> dict[str, RepositoryState]:
        """What it holds now, by the name of the repository."""
        with self._lock:
            return {
                name: RepositoryState(
                    dict(sorted(held.tags.items())),
                    {digest: manifest.media_type for digest, manifest in sorted(held.manifests.items())},
                    frozenset(held.blobs),
                )
                for name, held in sorted(self._repositories.items())
            }

    def manifest(self, repository: str, reference: str) -> Manifest:
        """The manifest under a tag or digest; KeyError when there is none."""
        with self._lock:
            held = self._repositories[repository]
            return held.manifests[held.tags.get(reference, reference)]

    def blob(self, repository: str, digest: str) -> bytes:
        """The bytes of a blob of a repository; KeyError when it has none."""
        with self._lock:
            if digest not in self._repositories[repository].blobs:
                raise KeyError(digest)
            return self._blobs[digest]

    def forget_blob(self, repository: str, digest: str) -> None:
        """The blob is gone from the repository, as after a garbage collection."""
        with self._lock:
            self._repositories[repository].blobs.remove(digest)

    def forget_manifest(self, repository: str, digest: str) -> None:
        """The manifest is gone from the repository; a tag that points to it stays."""
        with self._lock:
            del self._repositories[repository].manifests[digest]

    def forget_tag(self, repository: str, tag: str) -> None:
        """The tag is gone, its manifest stays."""
        with self._lock:
            del self._repositories[repository].tags[tag]

    def expire_tokens(self) -> None:
        """No token given so far is good any more."""
        with self._lock:
            self._tokens.clear()

    def wipe(self) -> None:
        """Forget content, uploads and log."""
        with self._lock:
            self._repositories.clear()
            self._blobs.clear()
            self._uploads.clear()
            self._cut.clear()
            self.log = []

    def _repository(self, name: str) -> _Repository:
        return self._repositories.setdefault(name, _Repository())

    def _tag(self, repository: _Repository, tag: str, digest: str) -> None:
        repository.tags[self._tag_name(tag)] = digest
        repository.ever_tagged = True

    def _tag_name(self, tag: str) -> str:
        return tag.lower() if self.behaviour.fold_tags else tag

    def _holds(self, name: str, digest: str) -> bool:
        return name in self._repositories and digest in self._repositories[name].blobs and digest not in self.behaviour.missing


class _Handler(Handler):
    def setup(self) -> None:
        self.registry: CountingRegistry = self.server.owner
        self.connection_id = next(self.registry._connections)
        super().setup()

    # -- a request from its first to its last byte

    def serve(self) -> None:
        """Read, decide, answer, log."""
        registry, behaviour = self.registry, self.registry.behaviour
        url = urllib.parse.urlsplit(self.path)
        self.route, self.query = url.path, urllib.parse.parse_qs(url.query, keep_blank_values=True)
        self.body = b""
        self.wfile.flush()  # the "100 Continue" that a client may be waiting for
        if not self._read_body():
            self._lose_upload()
            self._hang_up()
            return
        with registry._lock:
            rule = next((one for one in behaviour.rules if one.applies(self.command, self.path)), None)
        if rule and rule.delay:
            self.server.wait(rule.delay)
        if rule and rule.action in ("reset", "close"):
            self._hang_up(reset=rule.action == "reset")
            return
        if behaviour.latency:
            self.server.wait(behaviour.latency)
        if rule and rule.action == "answer":
            answer = _Answer(rule.status, rule.body, dict(rule.headers))
        else:
            answer = self._respond()
        if rule and rule.action == "lose_answer":
            self._hang_up()
            return
        if rule and rule.action == "cut":
            answer.length, answer.body, answer.close = len(answer.body), answer.body[: rule.keep], True
        self._send(answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = serve

    def _read_body(self) -> bool:
        """Read the request's body; false when the client hung up in the middle of it."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            self.body = self.rfile.read(length) if length else b""
            return len(self.body) == length
        parts: list[bytes] = []
        while True:
            line = self.rfile.readline()
            if not line.strip():
                break
            size = int(line.split(b";")[0], 16)
            part = self.rfile.read(size)
            parts.append(part)
            if len(part) < size or not self.rfile.readline():
                break
            if not size:
                self.body = b"".join(parts)
                return True
        self.body = b"".join(parts)
        return False

    def _lose_upload(self) -> None:
        kind, groups = self._match()
        if kind == "upload" and self.registry.behaviour.forget_cut_uploads:
            with self.registry._lock:
                self.registry._uploads.pop(groups[1], None)

    def _send(self, answer: _Answer) -> None:
        behaviour = self.registry.behaviour
        body = b"" if self.command == "HEAD" else answer.body
        length = len(answer.body) if answer.length is None else answer.length
        lines = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('Status',))[0]}"]
        now = email.utils.formatdate(time.time() + behaviour.clock, usegmt=True)
        headers: _Headers = {"Date": now, "Docker-Distribution-Api-Version": "registry/2.0", **answer.headers}
        if answer.status not in (204, 304):
            if answer.media_type or answer.body:
                headers.setdefault("Content-Type", answer.media_type or "application/json; charset=utf-8")
            headers.setdefault("Content-Length", str(length))
        if behaviour.warning:
            headers["Warning"] = f'299 - "{behaviour.warning}"'
        if answer.close:
            headers["Connection"] = "close"
            self.close_connection = True
        for name, value in headers.items():
            lines += [f"{name}: {one}" for one in (value if isinstance(value, list) else [value])]
        self._log(answer.status, len(body))
        # Logged before the last byte leaves: whoever has the answer finds the request in the log.
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        self.wfile.write(body)

    def _hang_up(self, reset: bool = False) -> None:
        """Close the connection without an answer; `reset`: so that the client gets a RST."""
        self._log(0, 0)
        self.close_connection = True
        if reset:
            self.server.reset(self.connection)

    def _log(self, status: int, sent: int) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.registry._write_log(
            LoggedRequest(self.command, self.path, status, len(self.body), sent, self.connection_id, time.monotonic(), headers)
        )

    # -- what to answer

    def _match(self) -> tuple[str, tuple[str, ...]]:
        for kind, pattern in _ROUTES:
            match = pattern.fullmatch(self.route)
            if match:
                return kind, match.groups()
        return "unknown", ()

    def _respond(self) -> _Answer:
        behaviour = self.registry.behaviour
        if self.route == "/token":
            return self._token()
        if behaviour.throttle_every and next(self.registry._requests) % behaviour.throttle_every == 0:
            return _error(429, "TOOMANYREQUESTS", headers=self._retry_after())
        if self.route.startswith("/storage/"):
            return self._storage(self.route[len("/storage/") :])
        refusal = self._refusal()
        if refusal:
            return refusal
        if self.route in ("/v2/", "/v2"):
            return _Answer(200, b"{}")
        if self.route == "/v2/_catalog":
            return self._catalog()
        kind, groups = self._match()
        if kind == "unknown":
            return _Answer(404, b"404 page not found\n", media_type="text/plain; charset=utf-8")
        if not _NAME.fullmatch(groups[0]):
            return _error(400, "NAME_INVALID")
        if behaviour.read_only and self.command not in ("GET", "HEAD"):
            return _Answer(405, b"Method Not Allowed\n", {"Allow": "GET, HEAD"}, "text/plain; charset=utf-8")
        handler: t.Callable[..., _Answer] = getattr(self, f"_{kind}")
        return handler(*groups)

    def _retry_after(self) -> _Headers:
        behaviour = self.registry.behaviour
        seconds = behaviour.retry_after_seconds
        if behaviour.retry_after == "none":
            return {}
        moment = time.time() + behaviour.clock + seconds
        forms = {"seconds": str(seconds), "date": email.utils.formatdate(moment, usegmt=True), "unix": str(int(moment))}
        return {"Retry-After": forms[behaviour.retry_after]}

    # -- authentication

    def _user(self) -> str | None:
        """The user whose name and password the request carries; None when it carries none, or wrong ones."""
        scheme, _separator, value = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _separator, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
        users = self.registry.behaviour.users
        return user if not users or users.get(user) == password else None

    def _token(self) -> _Answer:
        """The token service: GET with Basic (or anonymous), and OAuth2's POST with password or refresh_token."""
        behaviour, form, answer = self.registry.behaviour, self.query, {}
        anonymous = not behaviour.users and "Authorization" not in self.headers
        if self.command == "POST":
            if not behaviour.token_post:
                return _Answer(404, b"404 page not found\n", media_type="text/plain; charset=utf-8")
            form = urllib.parse.parse_qs(self.body.decode())
            user = self._form_user(form)
            if user is None:
                return _Answer(401, b'{"error":"invalid_grant"}')
            if form.get("access_type") == ["offline"]:
                answer["refresh_token"] = secrets.token_hex(16)
                self.registry._refresh_tokens[answer["refresh_token"]] = user
        elif not anonymous and self._user() is None:
            return _error(401, "UNAUTHORIZED")
        scopes = [scope for field in form.get("scope", []) for scope in field.split(" ") if scope.count(":") >= 2]
        if behaviour.scope_cap and len(scopes) > behaviour.scope_cap:
            return _error(400, "TOO_MANY_SCOPES")
        token = secrets.token_hex(16)
        granted = scopes[:1] if behaviour.first_scope_only else scopes
        self.registry._tokens[token] = _Token(tuple(granted), time.monotonic() + behaviour.token_ttl)
        answer["access_token" if self.command == "POST" else "token"] = token
        document: dict[str, t.Any] = dict(answer)
        if behaviour.token_names_expiry:
            document.update(
                expires_in=behaviour.token_ttl, issued_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + behaviour.clock))
            )
        return _Answer(200, json.dumps(document).encode())

    def _form_user(self, form: Query) -> str | None:
        users = self.registry.behaviour.users
        if form.get("grant_type") == ["refresh_token"]:
            return self.registry._refresh_tokens.get(form.get("refresh_token", [""])[0])
        user, password = form.get("username", [""])[0], form.get("password", [""])[0]
        return user if form.get("grant_type") == ["password"] and (not users or users.get(user) == password) else None

    def _refusal(self) -> _Answer | None:
        """The 401 of a request that may not be carried out, or None."""
        behaviour = self.registry.behaviour
        if behaviour.authentication == "none":
            return None
        if behaviour.authentication == "basic":
            if self._user() is not None:
                return None
            return _error(401, "UNAUTHORIZED", headers={"WWW-Authenticate": 'Basic realm="counting registry"'})
        wanted = self._wanted_scopes()
        scheme, _separator, value = self.headers.get("Authorization", "").partition(" ")
        token = self.registry._tokens.get(value) if scheme.lower() == "bearer" else None
        if token and token.until > time.monotonic():
            if all(any(_covers(scope, one) for scope in token.scopes) for one in wanted):
                return None
            return self._challenge(wanted, "insufficient_scope")
        return self._challenge(wanted, "invalid_token" if value else "")

    def _wanted_scopes(self) -> list[str]:
        if self.route == "/v2/_catalog":
            return ["registry:catalog:*"]
        kind, groups = self._match()
        if kind == "unknown":
            return []
        actions = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(self.command, "pull,push")
        if kind == "upload":
            actions = "pull,push"  # also to look after an upload and to cancel it
        wanted = [f"repository:{groups[0]}:{actions}"]
        source = self.query.get("from", [""])[0]
        # As docker-registry does: a mount names the repository that it takes from as well. Self-mounts ask for nothing more.
        if kind == "upload" and self.query.get("mount") and source not in ("", groups[0]):
            wanted.append(f"repository:{source}:pull")
        return wanted

    def _challenge(self, scopes: t.Sequence[str], error: str) -> _Answer:
        fields = {"realm": f"{self.registry.scheme}://{self.headers['Host']}/token", "service": "counting registry"}
        if scopes:
            fields["scope"] = " ".join(scopes)
        if error:
            fields["error"] = error
        challenge = "Bearer " + ",".join(f'{name}="{value}"' for name, value in fields.items())
        return _error(401, "UNAUTHORIZED", headers={"WWW-Authenticate": challenge})

    # -- lists

    def _catalog(self) -> _Answer:
        status = self.registry.behaviour.catalog
        if status == 401 and self.registry.behaviour.authentication == "bearer":
            return self._challenge(["registry:catalog:*"], "insufficient_scope")
        if status != 200:
            return _error(status, {401: "UNAUTHORIZED", 403: "DENIED"}.get(status, "UNSUPPORTED"))
        with self.registry._lock:
            names = list(self.registry._repositories)
        return self._page("repositories", names, {})

    def _tags(self, name: str) -> _Answer:
        behaviour = self.registry.behaviour
        with self.registry._lock:
            held = self.registry._repositories.get(name)
            tags = list(held.tags) if held else []
        if held is None and not behaviour.empty_list_for_unknown:
            return _error(404, "NAME_UNKNOWN", [{"name": name}])
        # Blobs and untagged manifests alone do not make a list; tags that were deleted leave an empty one.
        if held is not None and not held.ever_tagged and not (behaviour.tags_null or behaviour.empty_list_for_unknown):
            return _error(404, "NAME_UNKNOWN", [{"name": name}])
        return self._page("tags", tags, {"name": name})

    def _page(self, key: str, names: list[str], document: dict[str, t.Any]) -> _Answer:
        behaviour = self.registry.behaviour
        number = self.query.get("n", [""])[0]
        if number and (not number.isdecimal() or (behaviour.max_n and int(number) > behaviour.max_n)):
            return _error(400, "PAGINATION_NUMBER_INVALID")
        if behaviour.no_paging and key == "tags":
            # Unsorted, but the same at every request.
            names = sorted(names, key=lambda one: hashlib.sha256(one.encode()).digest())
            return _Answer(200, json.dumps({**document, key: names}).encode())
        size = min(int(number or sys.maxsize), behaviour.page_size or sys.maxsize)
        last = self.query.get("last", [""])[0]
        names = sorted(one for one in names if one > last)
        headers: _Headers = {}
        if size and len(names) > size:
            headers["Link"] = self._link(urllib.parse.urlencode({"last": names[size - 1], "n": size}))
        names = names[:size]
        shown = None if not names and behaviour.tags_null else names
        return _Answer(200, json.dumps({**document, key: shown}).encode(), headers)

    def _link(self, query: str) -> str:
        form, there = self.registry.behaviour.link, f"{self.route}?{query}"
        if form == "absolute":
            there = f"{self.registry.scheme}://{self.headers['Host']}{there}"
        elif form == "other_host":
            other = "localhost" if self.headers["Host"].startswith("127.") else "127.0.0.1"
            there = f"{self.registry.scheme}://{other}:{self.registry.port}{there}"
        return f"<{there}>; rel=next" if form == "unquoted" else f'<{there}>; rel="next"'

    # -- manifests

    def _referrers(self, name: str, subject: str) -> _Answer:
        if not self.registry.behaviour.referrers:
            return _Answer(404, b"404 page not found\n", media_type="text/plain; charset=utf-8")
        wanted = self.query.get("artifactType", [""])[0]
        found = []
        with self.registry._lock:
            held = self.registry._repositories.get(name)
            manifests = list(held.manifests.values()) if held else []
        for manifest in manifests:
            document = json.loads(manifest.data)
            if (document.get("subject") or {}).get("digest") != subject:
                continue
            kind = document.get("artifactType") or (document.get("config") or {}).get("mediaType")
            more = {"artifactType": kind, "annotations": document.get("annotations")}
            if wanted in ("", kind):
                found.append(manifest.descriptor(**{key: value for key, value in more.items() if value}))
        headers: _Headers = {"OCI-Filters-Applied": "artifactType"} if wanted else {}
        body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}).encode()
        return _Answer(200, body, headers, OCI_INDEX)

    def _manifest(self, name: str, reference: str) -> _Answer:
        by_digest = ":" in reference
        if by_digest and not _DIGEST.fullmatch(reference):
            return _error(400, "DIGEST_INVALID")
        if not by_digest and not _TAG.fullmatch(reference):
            return _error(400, "TAG_INVALID")
        if self.command == "PUT":
            return self._put_manifest(name, reference, by_digest)
        with self.registry._lock:
            held = self.registry._repositories.get(name)
            if held is None:
                return _error(404, "NAME_UNKNOWN", [{"name": name}])
            digest = reference if by_digest else held.tags.get(self.registry._tag_name(reference), "")
            manifest = held.manifests.get(digest)
            if manifest is None:
                return _error(404, "MANIFEST_UNKNOWN", [{"Tag": reference}])
            if self.command == "DELETE":
                return self._delete_manifest(held, reference, by_digest)
        if self.command not in ("GET", "HEAD"):
            return _error(405, "UNSUPPORTED")
        if not self._accepts(manifest, by_digest):
            return _error(404, "MANIFEST_UNKNOWN", ["Accept does not name " + manifest.media_type])
        behaviour = self.registry.behaviour
        headers: _Headers = {}
        if not behaviour.no_digest_header:
            shown = digest_of(manifest.data + b"\n") if behaviour.wrong_digest_header else digest
            headers = {"Docker-Content-Digest": shown, "ETag": f'"{shown}"'}
            if self.headers.get("If-None-Match") == headers["ETag"]:
                return _Answer(304)
        return _Answer(200, manifest.data, headers, manifest.media_type)

    def _accepts(self, manifest: Manifest, by_digest: bool) -> bool:
        if self.registry.behaviour.accept == "any":
            return True
        # Some clients send one line for each type.
        named = {one.split(";")[0].strip() for line in self.headers.get_all("Accept", []) for one in line.split(",")}
        # Docker's own image type is what docker-registry serves by digest, or to whom asks for nothing.
        return manifest.media_type in named or (manifest.media_type == DOCKER_MANIFEST and (by_digest or not named))

    def _delete_manifest(self, held: _Repository, reference: str, by_digest: bool) -> _Answer:
        if by_digest:
            del held.manifests[reference]
            held.tags = {tag: digest for tag, digest in held.tags.items() if digest != reference}
        elif self.registry.behaviour.delete_tags:
            del held.tags[self.registry._tag_name(reference)]
        else:
            return _error(400, "DIGEST_INVALID")
        return _Answer(202)

    def _put_manifest(self, name: str, reference: str, by_digest: bool) -> _Answer:
        registry, behaviour = self.registry, self.registry.behaviour
        media_type = self.headers.get("Content-Type", "").split(";")[0].strip()
        if behaviour.max_manifest and len(self.body) > behaviour.max_manifest:
            return _error(413, "SIZE_INVALID")
        if behaviour.manifest_types and media_type not in behaviour.manifest_types:
            return _error(400, "MANIFEST_INVALID", [f"{media_type} is not supported"])
        try:
            document = json.loads(self.body)
            needed = _needed(document)
            signed = schema1_payload(self.body) if media_type == SCHEMA1_SIGNED else self.body
        except (ValueError, KeyError, TypeError, AttributeError):
            return _error(400, "MANIFEST_INVALID")
        digest = digest_of(signed, reference.split(":")[0] if by_digest else "sha256")
        if by_digest and reference != digest:
            return _error(400, "DIGEST_INVALID")
        if not media_type or document.get("mediaType", media_type) != media_type:
            return _error(400, "MANIFEST_INVALID", [f"Content-Type {media_type!r}, mediaType {document.get('mediaType')!r}"])
        tags = [] if by_digest else [reference]
        asked = list(self.query.get("tag", [])) if behaviour.multi_tag and by_digest else []
        tags += asked[: behaviour.multi_tag_cap or None]
        with registry._lock:
            held = registry._repository(name)
            missing = [one for kind, one in needed if not (registry._holds(name, one) if kind == "blob" else one in held.manifests)]
            if missing and not behaviour.sparse:
                return _error(400, "MANIFEST_BLOB_UNKNOWN", missing)
            if behaviour.immutable_tags and any(held.tags.get(registry._tag_name(tag), digest) != digest for tag in tags):
                return _error(400, "TAG_INVALID", ["the tag is immutable"])
            held.manifests[digest] = Manifest(media_type, self.body, digest)
            for tag in tags:
                registry._tag(held, tag, digest)
        headers: _Headers = {"Location": self._absolute(f"/v2/{name}/manifests/{digest}")}
        if not behaviour.no_digest_header:
            headers["Docker-Content-Digest"] = digest
        if asked:
            headers["OCI-Tag"] = tags  # one line for each
        if document.get("subject") and behaviour.referrers:
            headers["OCI-Subject"] = document["subject"]["digest"]
        return _Answer(201, b"", headers)

    def _absolute(self, path: str) -> str:
        if self.registry.behaviour.location == "relative":
            return path
        return f"{self.registry.scheme}://{self.headers['Host']}{path}"

    # -- blobs

    def _blob(self, name: str, digest: str) -> _Answer:
        registry, behaviour = self.registry, self.registry.behaviour
        if not _DIGEST.fullmatch(digest):
            return _error(400, "DIGEST_INVALID")
        with registry._lock:
            if not registry._holds(name, digest):
                return _error(404, "BLOB_UNKNOWN", [digest])
            if self.command == "DELETE":
                registry._repositories[name].blobs.discard(digest)
                return _Answer(202)
        if self.command not in ("GET", "HEAD"):
            return _error(405, "UNSUPPORTED")
        if behaviour.storage_host and self.command == "GET":
            there = f"{registry.scheme}://{behaviour.storage_host}:{registry.port}/storage/{digest}?signature=estate"
            return _Answer(307, b"", {"Location": there})
        return self._blob_data(digest)

    def _storage(self, digest: str) -> _Answer:
        """Object storage behind a signed address: it refuses a request that carries Authorization as well."""
        if "Authorization" in self.headers:
            return _Answer(400, b"<Error><Code>InvalidArgument</Code></Error>", media_type="application/xml")
        if digest not in self.registry._blobs or self.query.get("signature") != ["estate"]:
            return _Answer(404, b"<Error><Code>NoSuchKey</Code></Error>", media_type="application/xml")
        return self._blob_data(digest)

    def _blob_data(self, digest: str) -> _Answer:
        registry, behaviour = self.registry, self.registry.behaviour
        data, kind = registry._blobs[digest], "application/octet-stream"
        if digest in behaviour.corrupt:
            data = data[:-1] + bytes([data[-1] ^ 1]) if data else b"corrupt"
        headers: _Headers = {"Docker-Content-Digest": digest, "ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if part and not behaviour.no_range:
            first, last = int(part[1]), min(int(part[2] or len(data)), len(data) - 1)
            if first > last:
                return _Answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            return _Answer(206, data[first : last + 1], headers, kind)
        if behaviour.gzip and "gzip" in self.headers.get("Accept-Encoding", ""):
            return _Answer(200, gzip.compress(data, 1), {**headers, "Content-Encoding": "gzip"}, kind)
        if behaviour.cut and self.command == "GET" and len(data) > behaviour.cut:
            with registry._lock:
                first_time = digest not in registry._cut
                registry._cut.add(digest)
            if first_time:
                return _Answer(200, data[: behaviour.cut], headers, kind, len(data), close=True)
        return _Answer(200, data, headers, kind)

    # -- uploads

    def _upload(self, name: str, identity: str) -> _Answer:
        registry, behaviour = self.registry, self.registry.behaviour
        if behaviour.max_body and len(self.body) > behaviour.max_body:
            return _Answer(413, b"<html><body>413 Request Entity Too Large</body></html>", media_type="text/html")
        if self.command == "POST":
            return self._start_upload(name)
        with registry._lock:
            upload = registry._uploads.get(identity)
            if behaviour.location_query and ("_state" not in self.query or (upload and self.query["_state"] != [upload.state])):
                return _error(404, "BLOB_UPLOAD_INVALID")
            if upload is None or upload.repository != name:
                return _error(404, "BLOB_UPLOAD_UNKNOWN")
            if self.command == "PATCH":
                return self._patch(identity, upload)
            if self.command == "GET":
                return _Answer(204, b"", self._upload_headers(identity, upload))
            if self.command == "DELETE":
                del registry._uploads[identity]
                return _Answer(204)
        if self.command != "PUT":
            return _error(405, "UNSUPPORTED")
        # Outside the lock: hashing takes long, and an upload has one client.
        upload.data += self.body
        answer = self._complete(name, self.query.get("digest", [""])[0], bytes(upload.data))
        with registry._lock:
            if answer.status == 201:
                registry._uploads.pop(identity, None)
            else:
                # The right digest may still follow, with the same data.
                del upload.data[len(upload.data) - len(self.body) :]
        return answer

    def _patch(self, identity: str, upload: _Upload) -> _Answer:
        behaviour = self.registry.behaviour
        part = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("Content-Range", ""))
        elsewhere = part is not None and int(part[1]) != len(upload.data) and behaviour.check_content_range
        if elsewhere or (behaviour.chunk_min_length and upload.short_chunk):
            return _error(416, "BLOB_UPLOAD_INVALID", headers=self._upload_headers(identity, upload))
        upload.data += self.body
        upload.short_chunk = len(self.body) < behaviour.chunk_min_length
        upload.state = secrets.token_hex(8)
        return _Answer(202, b"", self._upload_headers(identity, upload))

    def _upload_headers(self, identity: str, upload: _Upload) -> _Headers:
        query = f"?_state={upload.state}" if self.registry.behaviour.location_query else ""
        return {
            "Location": self._absolute(f"/v2/{upload.repository}/blobs/uploads/{identity}{query}"),
            "Range": f"0-{max(0, len(upload.data) - 1)}",
            "Docker-Upload-UUID": identity,
        }

    def _start_upload(self, name: str) -> _Answer:
        registry, behaviour = self.registry, self.registry.behaviour
        digest, source = self.query.get("mount", [""])[0], self.query.get("from", [""])[0]
        if digest and behaviour.mount != "off":
            if behaviour.mount == "deny" and source not in ("", name):
                return self._challenge([f"repository:{name}:pull,push", f"repository:{source}:pull"], "insufficient_scope")
            with registry._lock:
                anonymous = (
                    behaviour.mount == "anonymous" and not source and any(registry._holds(one, digest) for one in registry._repositories)
                )
                if anonymous or registry._holds(source, digest):
                    registry._repository(name).blobs.add(digest)
                    return self._created(name, digest)
        if behaviour.single_post and "digest" in self.query and not digest:
            return self._complete(name, self.query["digest"][0], self.body)
        identity, upload = secrets.token_hex(16), _Upload(name, secrets.token_hex(8))
        with registry._lock:
            registry._uploads[identity] = upload
        headers = self._upload_headers(identity, upload)
        if behaviour.chunk_min_length:
            headers["OCI-Chunk-Min-Length"] = str(behaviour.chunk_min_length)
        return _Answer(202, b"", headers)

    def _complete(self, name: str, digest: str, data: bytes) -> _Answer:
        if not _DIGEST.fullmatch(digest) or digest_of(data, digest.split(":")[0]) != digest:
            return _error(400, "DIGEST_INVALID", [digest])
        with self.registry._lock:
            self.registry._blobs[digest] = data
            self.registry._repository(name).blobs.add(digest)
        return self._created(name, digest)

    def _created(self, name: str, digest: str) -> _Answer:
        return _Answer(201, b"", {"Location": self._absolute(f"/v2/{name}/blobs/{digest}"), "Docker-Content-Digest": digest})


def _needed(document: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """`(blob or manifest, digest)` of everything that must be there before the manifest; a layer with URLs need not be."""
    blobs = [document["config"]] if "config" in document else []
    blobs += [one for one in document.get("layers", []) if not one.get("urls")]
    blobs += document.get("parts", [])
    found = [("blob", one["digest"]) for one in blobs] + [("blob", one["blobSum"]) for one in document.get("fsLayers", [])]
    return found + [("manifest", one["digest"]) for one in document.get("manifests", [])]


def _error(status: int, code: str, details: t.Sequence[t.Any] = (), *, headers: _Headers | None = None) -> _Answer:
    """An answer with one error for each detail, at least one."""
    errors = [{"code": code, "message": code.lower().replace("_", " "), **({"detail": one} if one else {})} for one in details or [None]]
    return _Answer(status, json.dumps({"errors": errors}).encode(), headers or {})


def _covers(scope: str, wanted: str) -> bool:
    """Whether a granted scope is enough for another: the same resource, at least its actions."""
    resource, _separator, actions = scope.rpartition(":")
    wanted_resource, _separator, wanted_actions = wanted.rpartition(":")
    return resource == wanted_resource and set(wanted_actions.split(",")) <= set(actions.split(","))

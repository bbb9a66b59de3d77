# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""Which credential goes to which registry: options first, then the files of podman and docker.

The places and their order are those of containers-auth.json(5) and of docker's `config.json`; the search goes on from file to file
until one has a credential for the repository. `.netrc` is never read. Nothing is run from here: credential helpers are called
through the function that the caller gives.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import os
import re
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import CredentialsUnusable, InvalidOption, InvalidReference
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import (
    DOCKER_HUB,
    DOCKER_HUB_ALIASES,
    canonical_registry,
    shown,
)

#: takes a command line and what goes to its standard input; returns exit status, standard output, standard error
RunHelper = t.Callable[[list[str], str], tuple[int, str, str]]

#: what docker calls itself where it keeps the credential of Docker Hub
_HUB_SERVER = "https://index.docker.io/v1/"
#: the user name by which helpers and files say that the secret is an identity token
_IDENTITY_MARK = "<token>"
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
#: headers that the HTTP layer makes itself
_OWN_HEADERS = frozenset({"accept", "authorization", "connection", "content-length", "content-type", "host", "range", "transfer-encoding"})
_SECRET_HEADER = re.compile(r"auth|token|key|secret|password|cookie|credential", re.IGNORECASE)

_CORRECT = "Correct the file, or log in again."

_Object = dict[str, t.Any]


@dataclasses.dataclass(frozen=True, repr=False)
class Credential:
    """What to show a registry: a user name and a password, an identity token (OAuth2 refresh token) or a registry token (bearer).

    `use_until`: the moment (seconds since the epoch) from which on another one is better asked for; 0: it does not run out.
    Its text form says which of these are there, and never what they are.
    """

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""
    use_until: float = 0.0

    def __repr__(self) -> str:
        secrets = (field.name for field in dataclasses.fields(self) if field.name != "use_until")
        parts = [f"{name}=***" for name in secrets if getattr(self, name)]
        return f"Credential({', '.join(parts)})"


@dataclasses.dataclass(frozen=True)
class _File:
    """One file of credentials, as far as its form has been checked: objects by key; the entries are read when they are needed."""

    path: str
    auths: _Object = dataclasses.field(repr=False)
    helpers: _Object
    store: str
    headers: _Object = dataclasses.field(repr=False)

    def error(self, message: str, hint: str = _CORRECT) -> CredentialsUnusable:
        return CredentialsUnusable(message, subject=self.path, hint=hint)


class CredentialFinder:
    """Finds credentials for one endpoint's registries. Threads may share it; files are read once, helpers asked once per server.

    `secrets` collects every secret that has been found, for the caller to keep out of all output.
    """

    def __init__(
        self,
        *,
        username: str | None = None,
        password: str | None = None,
        identity_token: str | None = None,
        registry_token: str | None = None,
        authfile: str | None = None,
        environment: t.Mapping[str, str],
        home: str | os.PathLike[str],
        run_helper: RunHelper,
    ) -> None:
        """The first four are explicit options: if any is there, no file is searched.

        `authfile`: a file to search first; it must exist. `home`: what `~` is. Raises InvalidOption if only one of user name and
        password is there.
        """
        self.secrets: set[str] = set()
        self._environment = environment
        self._home = os.fspath(home)
        self._authfile = authfile or ""
        self._run_helper = run_helper
        self._lock = threading.RLock()
        self._files: list[_File] | None = None
        self._answers: dict[tuple[str, str], Credential | None] = {}
        self._explicit: Credential | None = None
        if password and not username:
            raise InvalidOption("is missing, though there is a password.", subject="username", hint="Give both.")
        if username and not (password or identity_token or registry_token):
            raise InvalidOption("is missing, though there is a username.", subject="password", hint="Give both.")
        if password or identity_token or registry_token:
            self._explicit = self._remember(Credential(username or "", password or "", identity_token or "", registry_token or ""))

    # -- the public side

    def find(self, registry_host: str, repository: str = "") -> Credential | None:
        """The credential for a repository of a registry (host[:port]; Docker Hub under any of its names); None means anonymous.

        Raises CredentialsUnusable, naming the file, if a file that is searched is broken or cannot be read, or if a helper fails.
        """
        if self._explicit is not None:
            return self._explicit
        host = canonical_registry(registry_host)
        with self._lock:
            for file in self._load():
                credential = self._find_in(file, host, repository)
                if credential is not None:
                    return self._remember(credential)
        return None

    @property
    def http_headers(self) -> dict[str, str]:
        """`HttpHeaders` of the files, to be sent to the registry (never to another host); of two equal names the first counts."""
        result: dict[str, str] = {}
        seen: set[str] = set()
        with self._lock:
            for file in self._load():
                for name, value in file.headers.items():
                    self._check_header(file, name, value)
                    if name.lower() in seen:
                        continue
                    seen.add(name.lower())
                    result[name] = value
                    if value and _SECRET_HEADER.search(name):
                        self.secrets.add(value)
        return result

    def forget(self) -> None:
        """Read files and ask helpers again at the next `find`: a helper's answer may have run out in a long migration."""
        with self._lock:
            self._files = None
            self._answers.clear()

    # -- files

    def _variable(self, name: str) -> str:
        return self._environment.get(name, "")

    def _places(self) -> t.Iterator[tuple[str, bool]]:
        """Paths, and whether the file has the form of `.dockercfg`."""
        join = os.path.join
        if self._authfile:
            yield self._authfile, False
        if self._variable("REGISTRY_AUTH_FILE"):
            yield self._variable("REGISTRY_AUTH_FILE"), False
        # where podman keeps it if the session has no folder of its own
        runtime = self._variable("XDG_RUNTIME_DIR") or f"/run/containers/{os.getuid()}"
        yield join(runtime, "containers", "auth.json") if self._variable("XDG_RUNTIME_DIR") else join(runtime, "auth.json"), False
        yield join(self._variable("XDG_CONFIG_HOME") or join(self._home, ".config"), "containers", "auth.json"), False
        yield join(self._variable("DOCKER_CONFIG") or join(self._home, ".docker"), "config.json"), False
        yield join(self._home, ".dockercfg"), True

    def _load(self) -> list[_File]:
        if self._files is None:
            files: list[_File] = []
            for path, legacy in self._places():
                content = self._read(path)
                if content is not None and path not in [file.path for file in files]:
                    files.append(_parse_file(path, content, legacy))
            self._files = files
        return self._files

    def _read(self, path: str) -> str | None:
        try:
            with open(path, "rb") as stream:
                return stream.read().decode("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            if path == self._authfile:
                raise InvalidOption(f"names a file that does not exist: {path}.", subject="authfile", hint="Correct the path.") from None
            return None
        except OSError as error:
            raise CredentialsUnusable(
                f"cannot be read: {error.strerror or type(error).__name__}.", subject=path, hint="Let the user who runs this read the file."
            ) from None
        except UnicodeDecodeError:
            raise CredentialsUnusable("is not UTF-8.", subject=path, hint=_CORRECT) from None

    # -- one file

    def _find_in(self, file: _File, host: str, repository: str) -> Credential | None:
        """credHelpers before auths before credsStore."""
        for key, name in file.helpers.items():
            # helpers are chosen by registry, never by repository
            if _host_of_key(key) == host:
                credential = self._ask(file, name, host, key)
                if credential is not None:
                    return credential
        for entry_key in _entries_for(file.auths, host, repository):
            credential = self._read_entry(file, entry_key)
            if credential is not None:
                return credential
        return self._ask(file, file.store, host, "") if file.store else None

    def _read_entry(self, file: _File, key: str) -> Credential | None:
        """One entry of auths; None if it is empty, which means that the credential is in a store."""
        entry = file.auths[key]
        where = f"the entry {shown(key, 120)}"
        if not isinstance(entry, dict):
            raise file.error(f"{where} is no object.")
        values: dict[str, str] = {}
        for field in ("auth", "username", "password", "identitytoken", "registrytoken"):
            value = entry.get(field)
            if value is not None and not isinstance(value, str):
                raise file.error(f"{field} of {where} is no string.")
            values[field] = value or ""
        username, password = values["username"], values["password"]
        if values["auth"]:
            username, password = _decode(file, values["auth"], where)
            self.secrets.add(values["auth"])
        identity_token = values["identitytoken"]
        if username == _IDENTITY_MARK and password:
            username, password, identity_token = "", "", identity_token or password
        if password or identity_token or values["registrytoken"]:
            return Credential(username, password, identity_token, values["registrytoken"])
        if username:
            raise file.error(f"{where} has a user name, but no password or token.")
        return None

    # -- helpers

    def _ask(self, file: _File, name: t.Any, host: str, key: str) -> Credential | None:
        """Ask a helper; Docker Hub is asked for under the names that docker and podman use."""
        if not isinstance(name, str) or not _HELPER_NAME.fullmatch(name):
            text = shown(name, 80) if isinstance(name, str) else "something other than a string"
            raise file.error(
                f"has {text} as the name of a credential helper.", "Write what follows docker-credential- in the program's name."
            )
        servers = [host] if host != DOCKER_HUB else [_HUB_SERVER, DOCKER_HUB, "index.docker.io"]
        for server in dict.fromkeys([key, *servers] if key else servers):
            if (name, server) not in self._answers:
                self._answers[name, server] = self._run(file, name, server)
            credential = self._answers[name, server]
            if credential is not None:
                return credential
        return None

    def _run(self, file: _File, name: str, server: str) -> Credential | None:
        program = f"docker-credential-{name}"
        hint = f"Try it by hand: echo {shown(server)} | {program} get"
        try:
            status, output, messages = self._run_helper([program, "get"], server)
        except OSError as error:
            raise file.error(f"names the helper {program}, which cannot be run: {error.strerror or type(error).__name__}.", hint) from None
        if status != 0:
            # helpers say so on either stream, and there is no status of its own for it
            if "credentials not found" in f"{output}\n{messages}".lower():
                return None
            raise file.error(f"names the helper {program}, which failed with status {status}.", hint)
        try:
            answer = json.loads(output)
        except (ValueError, RecursionError):
            answer = None
        username = answer.get("Username", "") if isinstance(answer, dict) else None
        secret = answer.get("Secret", "") if isinstance(answer, dict) else None
        if not isinstance(username, str) or not isinstance(secret, str):
            raise file.error(f"names the helper {program}, whose answer is not the JSON of the helpers' protocol.", hint)
        if not secret:
            return None
        return Credential(identity_token=secret) if username == _IDENTITY_MARK else Credential(username, secret)

    # -- small parts

    def _remember(self, credential: Credential) -> Credential:
        self.secrets.update(filter(None, (credential.password, credential.identity_token, credential.registry_token)))
        return credential

    @staticmethod
    def _check_header(file: _File, name: str, value: t.Any) -> None:
        if not isinstance(value, str) or not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise file.error(f"has {shown(name, 80)} in HttpHeaders, which cannot be sent as a header.", "Correct the name or the value.")
        if name.lower() in _OWN_HEADERS:
            raise file.error(f"has {shown(name, 80)} in HttpHeaders, a header that is made here.", "Leave it out.")


def _parse_file(path: str, content: str, legacy: bool) -> _File:
    """Check a file's outer form. An empty file is a file without credentials: /dev/null is given to switch the search off."""
    document: t.Any = {}
    if content.strip():
        try:
            document = json.loads(content)
        except json.JSONDecodeError as error:
            # the message's text is json's own; the file's content is in none of it
            raise CredentialsUnusable(
                f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.", subject=path, hint=_CORRECT
            ) from None
        except (ValueError, RecursionError):
            document = None
    if not isinstance(document, dict):
        raise CredentialsUnusable("is no JSON object.", subject=path, hint=_CORRECT)
    if legacy:
        return _File(path, document, {}, "", {})
    parts: dict[str, _Object] = {}
    for key in ("auths", "credHelpers", "HttpHeaders"):
        value = document.get(key)
        if value is not None and not isinstance(value, dict):
            raise CredentialsUnusable(f"has something other than an object for {key}.", subject=path, hint=_CORRECT)
        parts[key] = value or {}
    store = document.get("credsStore")
    if store is not None and not isinstance(store, str):
        raise CredentialsUnusable("has something other than a string for credsStore.", subject=path, hint=_CORRECT)
    return _File(path, parts["auths"], parts["credHelpers"], store or "", parts["HttpHeaders"])


def _host_of_key(key: str) -> str | None:
    """The registry that a key is for as a whole: `host`, `host/v1/`, `host/v2/` or, with a scheme, whatever its path; else None."""
    rest = re.sub(r"^https?://", "", key)
    host, _slash, path = rest.partition("/")
    try:
        canonical = canonical_registry(host)
    except InvalidReference:
        return None
    if rest != key or path in ("", "v1/", "v2/") or (canonical == DOCKER_HUB and path in ("v1", "v2")):
        return canonical
    return None


def _entries_for(auths: _Object, host: str, repository: str) -> t.Iterator[str]:
    """The keys that hold for a repository, most specific first; keys in podman's plain form before docker's URLs."""
    by_name: dict[str, list[str]] = {}
    urls: list[str] = []
    for key in auths:
        name, slash, path = key.partition("/")
        whole = _host_of_key(key)
        if whole is not None and (slash or name.lower() in DOCKER_HUB_ALIASES - {DOCKER_HUB}):
            urls.append(key)
        elif whole is not None:
            by_name.setdefault(whole, []).append(key)
        else:
            try:
                by_name.setdefault(f"{canonical_registry(name)}/{path.rstrip('/')}", []).append(key)
            except InvalidReference:
                # no registry's name: it cannot be asked for
                continue
    components = repository.split("/") if repository else []
    for count in range(len(components), -1, -1):
        yield from by_name.get("/".join([host, *components[:count]]), [])
    yield from (key for key in urls if _host_of_key(key) == host)


def _decode(file: _File, auth: str, where: str) -> tuple[str, str]:
    """`auth` is the base64 of user:password; only the first colon separates."""
    text = "".join(auth.split())
    try:
        pair = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise file.error(f"auth of {where} is not base64 of UTF-8.") from None
    username, colon, password = pair.partition(":")
    if not colon:
        raise file.error(f"auth of {where} is not base64 of user:password.")
    # docker pads it with NUL bytes at times
    return username, password.strip("\0")

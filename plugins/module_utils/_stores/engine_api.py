# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The API of a Docker engine, through the library `docker`, which is only imported when it is wanted.

The library makes the connection (a socket, TLS, SSH) and the answers are read here: an export has to be given up in the middle, and the
answer to a load may be a failure though its status is 200.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import socket
import threading
import typing as t
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import PIECE
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    CertificateUntrusted,
    ConnectionFailed,
    HostKeyUntrusted,
    InvalidAnswer,
    InvalidOption,
    LibraryMissing,
    ManifestUnknown,
    MigrationError,
    QuotaExceeded,
    RegistryError,
    ServerFailed,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import shown

DEFAULT_URL = "unix:///var/run/docker.sock"
#: seconds without a byte after which an engine is given up: it is silent while it writes an export to its own disk
TIMEOUT = 600.0
#: the version of the API to begin with; the engine says which one it has
_FIRST_VERSION = "1.24"
#: bytes of an answer that is no stream
_ANSWER_LIMIT = 256 << 20
_NO_SPACE = re.compile(r"no space left|disk quota exceeded|not enough space", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class EngineAddress:
    """Where an engine is. `url`: unix://, tcp:// or ssh://; `option` is written before the names of options in messages.

    `ca_file`, `client_certificate`, `client_key` are paths; `verify`: check its certificate. `timeout` in seconds.
    """

    url: str = DEFAULT_URL
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""
    verify: bool = True
    timeout: float = TIMEOUT
    option: str = ""

    @property
    def scheme(self) -> str:
        """unix, tcp, http, https or ssh."""
        return self.url.partition("://")[0]

    @property
    def speaks_tls(self) -> bool:
        """Whether TLS is spoken: it is where anything is said about certificates."""
        return self.scheme == "https" or (self.scheme == "tcp" and bool(self.ca_file or self.client_certificate))

    @property
    def name(self) -> str:
        """How messages call it: without a password, which nobody should put there."""
        scheme, separator, rest = self.url.partition("://")
        return f"{scheme}{separator}{re.sub(r'^[^/@]*:[^/@]*@', '***@', rest)}"

    def check(self) -> None:
        """Raise InvalidOption, naming the option, for what cannot work."""
        hint = "Give unix:///path/of/the/socket, tcp://host:port or ssh://user@host."
        if self.scheme not in ("unix", "tcp", "http", "https", "ssh"):
            raise InvalidOption(f"{shown(self.name)} is no address of a Docker engine.", subject="url", hint=hint)
        if self.scheme != "unix":
            try:
                parts = urlsplit(self.url)
                complete = bool(parts.hostname) and (parts.port is not None or self.scheme == "ssh")
            except ValueError:
                complete = False
            if not complete:
                raise InvalidOption(f"{shown(self.name)} names no host and port.", subject="url", hint=hint)
        if bool(self.client_certificate) != bool(self.client_key):
            given, missing = ("client_cert", "client_key") if self.client_certificate else ("client_key", "client_cert")
            raise InvalidOption(f"is missing, while {given} is given.", subject=missing, hint="A client's certificate needs both.")
        if self.timeout <= 0:
            raise InvalidOption("must be more than 0.", subject="timeout", hint="Leave it out for the usual value.")
        if self.scheme in ("unix", "ssh") and (self.ca_file or self.client_certificate):
            name = "ca_path" if self.ca_file else "client_cert"
            raise InvalidOption(f"is for TLS, which {self.scheme}:// does not speak.", subject=name, hint="Leave it out.")
        for name, path in (("ca_path", self.ca_file), ("client_cert", self.client_certificate), ("client_key", self.client_key)):
            if path and not os.path.isfile(path):
                raise InvalidOption(f"{path} is no file.", subject=name, hint="Give the path of a PEM file.")


class EngineAPI:
    """The requests to one engine. Threads share it, each with a connection of its own.

    Raises subclasses of MigrationError; what is not there is ManifestUnknown.
    """

    def __init__(self, address: EngineAddress) -> None:
        self.address = address
        self._local = threading.local()
        self._lock = threading.Lock()
        self._clients: list[t.Any] = []
        self._version = ""
        self.requests = 0

    # -- the connection
    def connect(self) -> dict[str, t.Any]:
        """Find out whether there is an engine; returns what it says of its version."""
        if self.address.scheme == "unix":
            self._try_socket()
        said = self._json("GET", "/version", version=_FIRST_VERSION, prefixed=False)
        version = said.get("ApiVersion") if isinstance(said, dict) else None
        if not isinstance(version, str) or not re.fullmatch(r"\d+\.\d+", version):
            raise InvalidAnswer(
                "is no Docker engine: it does not say which version of the API it speaks.",
                subject=self.address.name,
                hint="Check the address.",
            )
        self._version = version
        return t.cast("dict[str, t.Any]", said)

    def _try_socket(self) -> None:
        """Say what is wrong with a socket before the library does, which tells less."""
        path = self.address.url[len("unix://") :]
        option = f"{self.address.option}url"
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as trial:
                trial.settimeout(min(10.0, self.address.timeout))
                trial.connect(path)
        except FileNotFoundError as error:
            raise InvalidOption(
                f"there is no socket {path}.",
                subject=option,
                hint="Start the Docker engine on the host where the task runs, or give the address of another one.",
            ) from error
        except PermissionError as error:
            raise AccessDenied(
                f"this user may not use the socket {path}.",
                subject=option,
                hint="Run the task with become, or as a member of the group that the socket belongs to (docker, as a rule).",
            ) from error
        except OSError as error:
            raise ConnectionFailed(
                f"nobody answers at the socket {path}: {error.strerror or error}.", subject=option, hint="Start the Docker engine."
            ) from error

    def _client(self) -> t.Any:
        client = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._connected()
            with self._lock:
                self._clients.append(client)
        return client

    def _connected(self) -> t.Any:
        try:
            import docker
        except ImportError as error:
            raise LibraryMissing(
                "needs the Python library docker, which is not installed on the host where the task runs.",
                subject=f"{self.address.option}type: docker_engine",
                hint="Install it for the interpreter that Ansible uses there: pip install docker.",
            ) from error
        address = self.address
        tls: t.Any = False
        if address.speaks_tls:
            certificate = (address.client_certificate, address.client_key) if address.client_certificate else None
            tls = docker.tls.TLSConfig(client_cert=certificate, ca_cert=address.ca_file or None, verify=address.verify)
        try:
            client = docker.APIClient(base_url=address.url, version=_FIRST_VERSION, timeout=address.timeout, tls=tls)
        except docker.errors.DockerException as error:
            if "paramiko" in str(error):
                raise LibraryMissing(
                    "needs the Python library paramiko, which is not installed on the host where the task runs.",
                    subject=f"{address.option}url",
                    hint="Install it for the interpreter that Ansible uses there: pip install paramiko.",
                ) from error
            raise InvalidOption(shown(str(error), 300), subject=f"{address.option}url", hint="Check the address.") from error
        except Exception as error:
            # an address that the library only finds fault with now, or a connection by SSH
            raise self._failed(error) from error
        # neither proxies, nor CA files, nor passwords of the environment
        client.trust_env = False
        if address.speaks_tls and not address.ca_file:
            client.verify = address.verify
        return client

    def _failed(self, error: BaseException) -> MigrationError:
        """What a failed connection means."""
        text = str(error)
        where = f"{self.address.option}url" if self.address.option else self.address.name
        if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
            return CertificateUntrusted(
                f"the certificate of {self.address.name} is not trusted.", subject=where, hint="Give the CA that signed it as ca_path."
            )
        if re.search(r"bad certificate|certificate required|handshake failure|BadStatusLine|unknown ca", text, re.IGNORECASE):
            return AccessDenied(
                f"{self.address.name} wants a client's certificate, or speaks TLS where plain http was spoken.",
                subject=where,
                hint="Give ca_path, client_cert and client_key.",
            )
        if self.address.scheme == "ssh" and re.search(r"known_hosts|Host key for server", text):
            return HostKeyUntrusted(
                f"the key of {self.address.name} is not known, or another one than in ~/.ssh/known_hosts.",
                subject=where,
                hint="Compare it with the host's own word, and add it to ~/.ssh/known_hosts of the user that the task runs as.",
            )
        if self.address.scheme == "ssh" and re.search(r"No authentication methods|Authentication failed|AuthenticationException", text):
            return AuthenticationFailed(
                f"{self.address.name} does not let this user in.",
                subject=where,
                hint="Give the user as ssh://user@host; the key comes from ssh-agent, from ~/.ssh, or from IdentityFile in ~/.ssh/config.",
            )
        if "timed out" in text.lower():
            return ConnectionFailed(
                f"{self.address.name} has been silent for {self.address.timeout:g} seconds.",
                subject=where,
                hint="Look at the engine, or give it more time with the option timeout.",
            )
        return ConnectionFailed(
            f"the connection to {self.address.name} failed: {shown(_innermost(error), 200)}.",
            subject=where,
            hint="Look whether the Docker engine runs and listens there.",
        )

    # -- requests
    def _request(self, method: str, path: str, *, version: str = "", prefixed: bool = True, **more: t.Any) -> t.Any:
        """An answer, whatever its status; its body has yet to be read."""
        client = self._client()
        with self._lock:
            self.requests += 1
        prefix = f"/v{version or self._version}" if prefixed else ""
        try:
            return client.request(method, f"{client.base_url}{prefix}{path}", stream=True, timeout=self.address.timeout, **more)
        except MigrationError:
            raise
        except Exception as error:
            raise self._failed(error) from error

    def _refused(self, status: int, text: str, subject: str) -> MigrationError:
        """What an engine's refusal means."""
        said = shown(text, 300) or HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else shown(text, 300)
        if _NO_SPACE.search(text):
            return QuotaExceeded(
                f"the disk of the engine {self.address.name} is full: {said}",
                subject=subject,
                hint="Make room below the engine's data folder (docker system df shows what is in it), and run again.",
            )
        if status == HTTPStatus.NOT_FOUND:
            return ManifestUnknown(f"the engine does not have it: {said}", subject=subject, hint="Check the name.")
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return AccessDenied(f"the engine refuses it: {said}", subject=subject, hint="Have this user given the right.")
        kind = ServerFailed if status >= HTTPStatus.INTERNAL_SERVER_ERROR else RegistryError
        return kind(f"the engine says: {said}", subject=subject, hint="Look at the log of the Docker engine.", status=status)

    def _check(self, answer: t.Any, subject: str) -> None:
        if answer.status_code < HTTPStatus.BAD_REQUEST:
            return
        try:
            body = self._body(answer, 64 << 10)
        finally:
            answer.close()
        try:
            text = json.loads(body)["message"]
        except (ValueError, KeyError, TypeError):
            text = body.decode("utf-8", "replace")
        raise self._refused(answer.status_code, str(text).strip(), subject)

    def _body(self, answer: t.Any, limit: int) -> bytes:
        data = b"".join(self._pieces(answer, limit))
        answer.close()
        return data

    def _pieces(self, answer: t.Any, limit: int = 0) -> t.Iterator[bytes]:
        received = 0
        try:
            for data in answer.iter_content(PIECE):
                received += len(data)
                if limit and received > limit:
                    raise InvalidAnswer(f"sent an answer of more than {limit} bytes.", subject=self.address.name)
                yield data
        except (MigrationError, GeneratorExit):
            raise
        except Exception as error:
            raise self._failed(error) from error

    def _json(self, method: str, path: str, subject: str = "", **more: t.Any) -> t.Any:
        answer = self._request(method, path, **more)
        subject = subject or self.address.name
        self._check(answer, subject)
        body = self._body(answer, _ANSWER_LIMIT)
        try:
            return json.loads(body) if body.strip() else None
        except (ValueError, RecursionError) as error:
            raise InvalidAnswer(
                "is no Docker engine, or a broken one: an answer is not JSON.", subject=self.address.name, hint="Check the address."
            ) from error

    def info(self) -> dict[str, t.Any]:
        """What the engine says of itself."""
        said = self._json("GET", "/info")
        return said if isinstance(said, dict) else {}

    def images(self) -> list[dict[str, t.Any]]:
        """All images with a name, as the engine lists them."""
        said = self._json("GET", "/images/json", params={"digests": "1"})
        if not isinstance(said, list):
            raise InvalidAnswer("the list of images is no list.", subject=self.address.name)
        return [one for one in said if isinstance(one, dict)]

    def inspect(self, name: str) -> dict[str, t.Any] | None:
        """What the engine says of an image; None where there is none."""
        try:
            said = self._json("GET", f"/images/{_quoted(name)}/json", name)
        except ManifestUnknown:
            return None
        return said if isinstance(said, dict) else None

    def layer_sizes(self, name: str) -> list[int]:
        """How many bytes each step of an image's history has added, the first step first; 0 for those without a layer."""
        said = self._json("GET", f"/images/{_quoted(name)}/history", name)
        rows = said if isinstance(said, list) else []
        return [row["Size"] for row in reversed(rows) if isinstance(row, dict) and isinstance(row.get("Size"), int)]

    @contextlib.contextmanager
    def export(self, name: str) -> t.Iterator[t.Iterator[bytes]]:
        """The bytes of an export (`docker save`); who does not read all of them gives the rest up."""
        answer = self._request("GET", f"/images/{_quoted(name)}/get")
        try:
            self._check(answer, name)
            yield self._pieces(answer)
        finally:
            answer.close()

    def load(self, pieces: t.Iterable[bytes], subject: str) -> None:
        """Have the engine read what an export looks like (`docker load`)."""
        # it tells how far it is, so that a large image is no long silence
        answer = self._request(
            "POST", "/images/load", params={"quiet": "0"}, data=iter(pieces), headers={"Content-Type": "application/x-tar"}
        )
        try:
            self._check(answer, subject)
            for line in _lines(self._pieces(answer)):
                self._check_line(line, subject)
        finally:
            answer.close()

    def _check_line(self, line: bytes, subject: str) -> None:
        """Raise what a line of the answer to a load says, if it is an error."""
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(said, dict) and ("error" in said or "errorDetail" in said):
            detail = said.get("errorDetail")
            text = str(said.get("error") or (detail.get("message") if isinstance(detail, dict) else "") or "")
            raise self._refused(HTTPStatus.INTERNAL_SERVER_ERROR, text, subject)

    def tag(self, image: str, repository: str, tag: str) -> None:
        """Give an image one more name."""
        self._json("POST", f"/images/{_quoted(image)}/tag", f"{repository}:{tag}", params={"repo": repository, "tag": tag})

    def remove(self, name: str) -> bool:
        """Take a name from an image, and with its last name the image; False where it was not there."""
        try:
            self._json("DELETE", f"/images/{_quoted(name)}", name, params={"noprune": "0"})
        except ManifestUnknown:
            return False
        return True

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            clients, self._clients = self._clients, []
        self._local = threading.local()
        for client in clients:
            client.close()


def _lines(pieces: t.Iterable[bytes]) -> t.Iterator[bytes]:
    """The lines of a text; what follows the first 64 KiB of one is left out."""
    rest = b""
    for data in pieces:
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
        rest = rest[: 64 << 10]
    yield rest


def _quoted(name: str) -> str:
    return quote(name, safe="/:@")


def _innermost(error: BaseException) -> str:
    """What lies below the errors of the libraries in between."""
    seen = 0
    while seen < 10:
        below = error.__cause__ or error.__context__ or next((one for one in error.args if isinstance(one, BaseException)), None)
        if below is None:
            break
        error, seen = below, seen + 1
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__

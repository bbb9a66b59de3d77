# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian's docker-registry (distribution 2.8) on loopback, in every mode that the tests need."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

from estate import ports
from estate.certificates import CertificateAuthority
from estate.client import Access
from estate.process import ProcessFailed, ServerProcess

if t.TYPE_CHECKING:
    from estate.token_server import TokenServer

_ATTEMPTS = 5  # ports to try when another process is faster
_ACCESS_LINE = re.compile(r'^\S+ - \S* ?\[[^]]*\] "(\S+) (\S+) [^"]*" (\d+) (\d+) "[^"]*" "[^"]*"', re.MULTILINE)


def missing_programs(*names: str) -> list[str]:
    """Those of the programs that are not installed."""
    return [name for name in names if shutil.which(name) is None]


@dataclasses.dataclass(frozen=True)
class Request:
    """A line of the access log; `size`: bytes of the answer's body."""

    method: str
    path: str
    status: int
    size: int


@dataclasses.dataclass(frozen=True)
class RegistryOptions:
    """What an instance is like. `data`: storage to use instead of a fresh one; `users`: `{name: password}`, asked for with Basic.

    `schema1`: signed manifests of schema 1 are taken; `layer_urls`: so are manifests whose layers have URLs (its default: neither).
    `s3`: settings of the s3 driver, with which it keeps its blobs in an object store and redirects readers there. `cached`: what it
    has seen of a blob it believes from then on; without, it looks at its storage each time.
    """

    tls: bool = False
    client_certificates: bool = False
    users: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    token_server: TokenServer | None = None
    read_only: bool = False
    delete: bool = True
    schema1: bool = False
    layer_urls: bool = True
    data: Path | None = None
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    s3: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    cached: bool = True


class Registry:
    """A running docker-registry; made by `RegistryFactory.start`.

    `host` is `<name>:<port>`, `url` has the scheme before it; `access` says all that a client needs. `ca_file` is None without TLS.
    """

    def __init__(self, folder: Path, options: RegistryOptions, authority: CertificateAuthority | None) -> None:
        self.folder = folder
        self.options = options
        self.data = options.data or folder / "data"
        self.log_path = folder / "registry.log"
        self.ca_file = authority.certificate if authority else None
        self.client_certificate = authority.client() if authority and options.client_certificates else None
        self._authority = authority
        self._pair = authority.server() if authority else None
        folder.mkdir(parents=True)
        self._process = self._start()
        self.port = self._process.port
        self.host = f"{'localhost' if options.tls else ports.LOOPBACK}:{self.port}"
        self.url = f"{'https' if options.tls else 'http'}://{self.host}"

    @property
    def access(self) -> Access:
        """How to reach it as its first user (of htpasswd or of the token server), or as nobody when it has none.

        For another user: `dataclasses.replace(registry.access, user=…, password=…)`.
        """
        users = self.options.users or (self.options.token_server.users if self.options.token_server else {})
        user, password = next(iter(users.items()), ("", ""))
        return Access(self.url, user, password, self.ca_file, self.client_certificate)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process.running

    def requests(self) -> list[Request]:
        """The requests so far, from the access log. A large answer is logged just after its last byte: count with CountingRegistry."""
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        return [Request(method, path, int(status), int(size)) for method, path, status, size in _ACCESS_LINE.findall(text)]

    def linked_blobs(self) -> set[tuple[str, str]]:
        """Every (repository, digest of a blob) that it would serve, looked up on its disk."""
        root = self.data / "docker" / "registry" / "v2" / "repositories"
        found = set()
        for link in root.glob("**/_layers/sha256/*/link"):
            repository = link.parents[3].relative_to(root).as_posix()
            found.add((repository, link.read_text(encoding="ascii")))
        return found

    def stop(self) -> None:
        """End it; its data stays. Stopping twice is fine."""
        self._process.stop()

    def restart(self, **changes: t.Any) -> None:
        """Start it again on the same port and data, with changed options: `restart(read_only=True)`.

        Any option may change but `tls`, `client_certificates` and `data`, which are the instance's own.
        """
        fixed = sorted({"tls", "client_certificates", "data"} & set(changes))
        if fixed:
            raise ValueError(f"start another instance for other {', '.join(fixed)}")
        self.stop()
        self.options = dataclasses.replace(self.options, **changes)
        self._process = self._start(self.port)

    def change_users(self, users: t.Mapping[str, str]) -> None:
        """Give it another htpasswd file, which holds from the next request on, without a restart."""
        self.options = dataclasses.replace(self.options, users=dict(users))
        _write_users(self.folder / "htpasswd", users)

    def wipe(self) -> None:
        """Forget all content; it runs on afterwards, on the same port."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        self._process = self._start(self.port)

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _start(self, port: int | None = None) -> ServerProcess:
        """The process, on this port or on a free one."""
        self.data.mkdir(parents=True, exist_ok=True)
        if self.options.users:
            _write_users(self.folder / "htpasswd", self.options.users)
        # docker-registry takes REGISTRY_* as settings; AWS_CA_BUNDLE and its kind can stop it before it starts.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "AWS_", "OTEL_"))}
        environment.update({"GOGC": "800", **self.options.environment})
        for attempt in range(_ATTEMPTS):
            chosen = port or ports.free_port()
            path = self.folder / "config.yml"
            path.write_text(json.dumps(self._configuration(chosen), indent=2), encoding="utf-8")  # JSON is YAML
            command = ["docker-registry", "serve", str(path)]
            try:
                return ServerProcess(command, port=chosen, log_path=self.log_path, environment=environment)
            except ProcessFailed as failure:
                if "address already in use" not in str(failure) or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop above returns or raises")

    def _configuration(self, port: int) -> dict[str, t.Any]:
        options = self.options
        http: dict[str, t.Any] = {"addr": f"{ports.LOOPBACK}:{port}", "secret": "one secret for all instances"}
        if self._pair:
            http["tls"] = {"certificate": str(self._pair.certificate), "key": str(self._pair.key)}
            if options.client_certificates and self._authority:
                http["tls"]["clientcas"] = [str(self._authority.certificate)]
        maintenance = {"uploadpurging": {"enabled": False}, "readonly": {"enabled": options.read_only}}
        document: dict[str, t.Any] = {
            "version": "0.1",
            "log": {"level": "error", "formatter": "text", "accesslog": {"disabled": False}},
            "storage": {
                **({"cache": {"blobdescriptor": "inmemory"}} if options.cached else {}),
                **({"s3": dict(options.s3)} if options.s3 else {"filesystem": {"rootdirectory": str(self.data), "maxthreads": 100}}),
                "delete": {"enabled": options.delete},
                "maintenance": maintenance,
            },
            "http": http,
            "compatibility": {"schema1": {"enabled": options.schema1}},
        }
        if options.layer_urls:
            document["validation"] = {"enabled": True, "manifests": {"urls": {"allow": ["^https?://"]}}}
        if options.users:
            document["auth"] = {"htpasswd": {"realm": "estate", "path": str(self.folder / "htpasswd")}}
        elif options.token_server:
            document["auth"] = {"token": options.token_server.registry_settings()}
        return document


class RegistryFactory:
    """Starts registries whose files lie under `folder/<name>`, and stops all of them in the end."""

    def __init__(self, folder: Path, authority: CertificateAuthority | None = None) -> None:
        """`authority` issues the certificates; without one it is made at the first instance with TLS."""
        self.folder = folder
        self._authority = authority
        self._registries: list[Registry] = []

    @property
    def authority(self) -> CertificateAuthority:
        """Who issues the certificates."""
        if self._authority is None:
            self._authority = CertificateAuthority(self.folder / "certificates")
        return self._authority

    def start(
        self,
        name: str,
        *,
        tls: bool = False,
        client_certificates: bool = False,
        users: t.Mapping[str, str] | None = None,
        token_server: TokenServer | None = None,
        read_only: bool = False,
        delete: bool = True,
        schema1: bool = False,
        layer_urls: bool = True,
        data: Path | None = None,
        environment: t.Mapping[str, str] | None = None,
        s3: t.Mapping[str, t.Any] | None = None,
        cached: bool = True,
    ) -> Registry:
        """A registry that answers. `client_certificates` implies `tls`; `data`: the storage of another instance, which must not run.

        Raises ProcessFailed, with the log, when it does not start; ValueError for options that exclude each other.
        """
        if users and token_server:
            raise ValueError("a registry asks for htpasswd users or for tokens, not for both")
        tls = tls or client_certificates
        options = RegistryOptions(
            tls, client_certificates, users or {}, token_server, read_only, delete, schema1, layer_urls, data, environment or {},
            s3 or {}, cached,
        )  # fmt: skip
        registry = Registry(self.folder / name, options, self.authority if tls else None)
        self._registries.append(registry)
        return registry

    def stop(self) -> None:
        """Stop whatever still runs."""
        for registry in self._registries:
            registry.stop()

    def __enter__(self) -> RegistryFactory:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def _write_users(path: Path, users: t.Mapping[str, str]) -> None:
    """An htpasswd file with bcrypt at its lowest cost, which is paid at every request."""
    lines = []
    for user, password in users.items():
        command = ["htpasswd", "-n", "-i", "-B", "-C", "4", user]
        lines.append(subprocess.run(command, input=password, text=True, check=True, capture_output=True).stdout.strip())
    # renamed, so that a registry that reads it at this moment finds a whole one
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text("\n".join(lines) + "\n", encoding="utf-8")
    new.replace(path)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Signing in to other hosts over SSH: whose key is trusted, who one is there, a host on the way. paramiko is imported when it is wanted."""

from __future__ import annotations

import base64
import dataclasses
import getpass
import hashlib
import logging
import os
import re
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    HostKeyUntrusted,
    InvalidOption,
    LibraryMissing,
    MigrationError,
)

_SILENT = logging.NullHandler()
#: the first version of paramiko that can be told how many reads of a file are to be under way
_FIRST_PARAMIKO = [3, 3]
#: seconds between signs of life
_KEEP_ALIVE = 30
_COMPARE = (
    "Compare it with the host's own word (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there); if it is right, add the key to "
    "known_hosts, or give this fingerprint as {prefix}fingerprint."
)


@dataclasses.dataclass(frozen=True)
class SSHOptions:
    """How to sign in to a host. `key_file` may have a passphrase, which is `password` then; without both, the agent and the user's own
    keys are tried. The host has to have a key that is in `known_hosts` (empty: the user's and the system's), or `fingerprint`.

    `jump`: a host through which this one is reached. `prefix` is written before the names of options in messages.
    """

    host: str
    port: int = 22
    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    key_file: str = ""
    known_hosts: str = ""
    fingerprint: str = ""
    timeout: float = 10.0
    silence: float = 60.0
    prefix: str = "ssh."
    jump: SSHOptions | None = None

    @property
    def where(self) -> str:
        """How messages call the host."""
        return self.host if self.port == 22 else f"{self.host}:{self.port}"


class SSHConnection:
    """A connection to a host, made when it is wanted, and anew when it has broken. Threads share it; `alternative` is what a message says
    that one can do without the library.
    """

    def __init__(self, options: SSHOptions, alternative: str = "") -> None:
        self._options = options
        self._alternative = alternative
        self._jump = SSHConnection(options.jump, alternative) if options.jump is not None else None
        self._client: t.Any = None
        self._lock = threading.Lock()

    @property
    def is_alive(self) -> bool:
        """Whether there is a connection, and it has not broken."""
        transport = self._client.get_transport() if self._client is not None else None
        return transport is not None and bool(transport.is_active())

    def transport(self) -> t.Any:
        """The connection as paramiko's transport, which sessions can be opened on; raises MigrationErrors."""
        with self._lock:
            if not self.is_alive:
                self._forget()
                self._client = self._connect()
            return self._client.get_transport()

    def close(self) -> None:
        """End it; the next one who wants it makes another."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()
        if self._jump is not None:
            self._jump.close()

    def _connect(self) -> t.Any:
        paramiko, options = load_paramiko(self._options, self._alternative), self._options
        client = paramiko.SSHClient()
        try:
            self._load_known_hosts(client)
            client.set_missing_host_key_policy(self._policy(paramiko))
            explicit = bool(options.password or options.key_file)
            client.connect(
                options.host,
                options.port,
                username=options.username or getpass.getuser(),
                # that of a key is nobody else's business
                password=None if options.key_file else options.password or None,
                key_filename=os.path.expanduser(options.key_file) if options.key_file else None,
                passphrase=(options.password or None) if options.key_file else None,
                allow_agent=not explicit,
                look_for_keys=not explicit,
                timeout=options.timeout,
                banner_timeout=options.timeout,
                auth_timeout=options.silence,
                sock=self._way_through(paramiko),
            )
            # a host that is not there any more is noticed while one waits for its answer, too
            client.get_transport().set_keepalive(_KEEP_ALIVE)
            return client
        except BaseException as error:
            client.close()
            if isinstance(error, (paramiko.SSHException, OSError, EOFError, ValueError)):
                raise self._no_connection(paramiko, error) from error
            raise

    def _way_through(self, paramiko: t.Any) -> t.Any:
        """A channel through the host on the way; None where there is none."""
        if self._jump is None:
            return None
        target, way = self._options, self._jump._options
        transport = self._jump.transport()
        try:
            return transport.open_channel("direct-tcpip", (target.host, target.port), ("127.0.0.1", 0), timeout=target.timeout)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ConnectionFailed(
                f"cannot be reached through {way.where} ({reason_of(error)}).",
                subject=target.where,
                hint=f"Its SSH server has to allow forwarding, and {way.where} to know {target.host}.",
            ) from error

    def _load_known_hosts(self, client: t.Any) -> None:
        """Keys that hosts are known by; with a fingerprint nothing else counts."""
        if self._options.fingerprint:
            return
        given = self._options.known_hosts
        files = [os.path.expanduser(given)] if given else [os.path.expanduser("~/.ssh/known_hosts"), "/etc/ssh/ssh_known_hosts"]
        for file in files:
            if given or os.path.exists(file):
                try:
                    client.load_system_host_keys(file)
                except OSError as error:
                    raise InvalidOption(
                        f"{file} cannot be read: {error.strerror}.", subject=f"{self._options.prefix}known_hosts", hint="Name another file."
                    ) from error

    def _policy(self, paramiko: t.Any) -> t.Any:
        host, wanted = self._options.where, self._options.fingerprint.removeprefix("SHA256:").rstrip("=")
        compare = _COMPARE.format(prefix=self._options.prefix)

        class Known(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # the library has no types
            """Takes a host that no file knows only by the fingerprint that was given."""

            def missing_host_key(self, _client: t.Any, _hostname: str, key: t.Any) -> None:
                shown = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode("ascii").rstrip("=")
                if wanted and shown == wanted:
                    return
                if wanted:
                    raise HostKeyUntrusted(
                        f"shows the key SHA256:{shown}, which has another fingerprint than was given.", subject=host, hint=compare
                    )
                raise HostKeyUntrusted(f"shows the key SHA256:{shown}, which nobody has vouched for.", subject=host, hint=compare)

        return Known()

    def _no_connection(self, paramiko: t.Any, error: BaseException) -> MigrationError:
        prefix, where = self._options.prefix, self._options.where
        if isinstance(error, paramiko.BadHostKeyException):
            hint = _COMPARE.format(prefix=prefix)
            return HostKeyUntrusted("shows another key than the one that it is known by.", subject=where, hint=hint)
        if isinstance(error, paramiko.PasswordRequiredException):
            return AuthenticationFailed(
                "has a passphrase.", subject=f"{prefix}key_file", hint=f"Give it as {prefix}password, or load the key into the agent."
            )
        # without any key and password there is nothing that it could refuse
        if isinstance(error, paramiko.AuthenticationException) or "No authentication methods" in str(error):
            return AuthenticationFailed(
                f"does not let the user {self._options.username or getpass.getuser()} in.",
                subject=where,
                hint=f"Check {prefix}username, and {prefix}password or {prefix}key_file; without them the agent and ~/.ssh are tried.",
            )
        if self._options.key_file and isinstance(error, (FileNotFoundError, PermissionError)):
            return InvalidOption(f"cannot be read: {error.strerror}.", subject=f"{prefix}key_file", hint="Name another file.")
        if self._options.key_file and isinstance(error, (paramiko.SSHException, ValueError)) and "key" in str(error).lower():
            return InvalidOption(
                f"is no private key that can be used ({reason_of(error)}).", subject=f"{prefix}key_file", hint="Name another file."
            )
        return ConnectionFailed(f"cannot be reached over SSH ({reason_of(error)}).", subject=where)


def load_paramiko(options: SSHOptions, alternative: str = "") -> t.Any:
    """The library; LibraryMissing, about the options, where it is not there or too old."""
    try:
        import paramiko
    except ImportError as error:
        from ansible.module_utils.basic import missing_required_lib

        raise LibraryMissing(
            f"cannot be used. {missing_required_lib('paramiko')}.",
            subject=options.prefix.rstrip("."),
            hint=f"Install it there (pip install paramiko){', or ' if alternative else ''}{alternative}.",
        ) from error
    if [int(number) for number in re.findall(r"\d+", paramiko.__version__)[:2]] < _FIRST_PARAMIKO:
        wanted = ".".join(map(str, _FIRST_PARAMIKO))
        raise LibraryMissing(
            f"cannot be used. It needs paramiko {wanted} or later, and {paramiko.__version__} is there.",
            subject=options.prefix.rstrip("."),
            hint="Install a newer one (pip install --upgrade paramiko) for the Python that runs the module there.",
        )
    # what it has to say comes as errors, too; without a handler Python would print it
    logging.getLogger("paramiko").addHandler(_SILENT)
    return paramiko


def reason_of(error: BaseException) -> str:
    """What an error of a connection or file says, in one line."""
    text = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return " ".join(text.split())[:200].rstrip(".")

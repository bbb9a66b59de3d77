# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The database of an MSR through the product's command line in a container, on one of its nodes that is signed in to over SSH.

A node of MSR has the registry's tables, a manager of MKE those of the accounts. Statements go in on standard input: no list of processes
shows them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shlex
import socket
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._msr.reql import Shell, failure_of
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    ConnectionFailed,
    DatabaseFailed,
    InvalidAnswer,
    InvalidOption,
    MigrationError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.ssh import SSHConnection, SSHOptions, load_paramiko, reason_of

#: what the product's own documentation runs on a node of MSR; there is no such image for a manager of MKE
MSR_IMAGE = "mirantis/rethinkcli:v2.2.0-ni"
NODES = ("msr", "mke")
#: containers of the command line at once: each is a session, of which sshd gives ten over a connection
_AT_ONCE = 4
_PIECE = 65_536
#: what an answer may have; a page of rows has a thousandth of it
_ANSWER_BYTES = 512 * 1024 * 1024
_REPLICA = re.compile(r"dtr-rethinkdb-([0-9a-f]{12})")


@dataclasses.dataclass(frozen=True)
class NodeOptions:
    """`node`: one of NODES, which decides on the networks and volumes of the container. `replica`: the replica of MSR on the node, found
    by its container if it is empty. `command`: the whole command instead, which takes a statement on standard input and prints JSON.
    `silence`: seconds that a statement may take. `prefix` is written before the names of options in messages.
    """

    node: str = "msr"
    image: str = ""
    replica: str = ""
    command: str = ""
    sudo: bool = False
    silence: float = 300.0
    prefix: str = ""


class SSHShell(Shell):
    """The command line on one host."""

    def __init__(self, sign_in: SSHOptions, options: NodeOptions) -> None:
        if options.node == "mke" and not options.image and not options.command:
            raise InvalidOption(
                "is missing: no image of the command line for a manager of MKE is public.",
                subject=f"{options.prefix}cli_image",
                hint="Name the image that you use there, or give a whole cli_command.",
            )
        self._sign_in = sign_in
        self._options = options
        self._connection = SSHConnection(sign_in)
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._finding = threading.Lock()
        self._command = options.command
        self.name = f"ssh://{sign_in.where}"

    def run(self, statement: str) -> str:
        """What the container printed."""
        command = self._found_command()
        status, printed, errors = self._execute(command, statement)
        if status:
            raise self._failed(status, errors, statement)
        return printed

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    # -- the command
    def _found_command(self) -> str:
        with self._finding:
            if not self._command:
                self._command = self._of_mke() if self._options.node == "mke" else self._of_msr()
            return self._command

    def _of_msr(self) -> str:
        replica = self._options.replica or self._find_replica()
        more = ("--net", "dtr-ol", "-e", f"DTR_REPLICA_ID={replica}", "-v", f"dtr-ca-{replica}:/ca")
        return self._docker("run", "--rm", "-i", *more, self._options.image or MSR_IMAGE, "non-interactive")

    def _of_mke(self) -> str:
        address = self._asked("info", "--format", "{{.Swarm.NodeAddr}}").strip()
        if not re.fullmatch(r"[0-9A-Za-z.:-]+", address):
            raise DatabaseFailed("is no node of a swarm.", subject=self.name, hint="Name a manager of MKE.")
        more = ("-e", f"DB_ADDRESS={address}", "-v", "ucp-auth-api-certs:/tls")
        return self._docker("run", "--rm", "-i", *more, self._options.image, "non-interactive")

    def _find_replica(self) -> str:
        names = self._asked("ps", "--filter", "name=^/dtr-rethinkdb-", "--format", "{{.Names}}").split()
        found = sorted({match.group(1) for match in map(_REPLICA.fullmatch, names) if match})
        if len(found) == 1:
            return found[0]
        which = f"several replicas of MSR: {', '.join(found)}" if found else "no replica of MSR"
        raise DatabaseFailed(
            f"there runs {which}.",
            subject=self.name,
            hint=f"Name a node of MSR, or the replica as {self._options.prefix}replica.",
        )

    def _docker(self, *arguments: str) -> str:
        return shlex.join([*(("sudo", "-n") if self._options.sudo else ()), "docker", *arguments])

    def _asked(self, *arguments: str) -> str:
        status, printed, errors = self._execute(self._docker(*arguments), "")
        if status:
            raise self._failed(status, errors, "")
        return printed

    def _failed(self, status: int | None, errors: str, statement: str) -> MigrationError:
        if "sudo: a password is required" in errors or "is not in the sudoers" in errors:
            hint = f"Sign in as one who may do that without a password, or leave out {self._options.prefix}sudo."
            return AccessDenied("the user may not use sudo.", subject=self.name, hint=hint)
        if "permission denied" in errors.lower():
            hint = f"Sign in as one who may start containers, or set {self._options.prefix}sudo."
            return AccessDenied("the user may not start containers.", subject=self.name, hint=hint)
        hint = f"Run docker there by hand; {self._options.prefix}cli_image and {self._options.prefix}cli_command say what is run."
        return failure_of(status, errors, statement, self.name, hint)

    # -- a session
    def _execute(self, command: str, statement: str) -> tuple[int | None, str, str]:
        """Exit status (None where it was killed), standard output and standard error of a command."""
        paramiko = load_paramiko(self._sign_in)
        broken = (paramiko.SSHException, EOFError, OSError)
        with self._slots:
            transport = self._connection.transport()
            try:
                channel = transport.open_session(timeout=self._sign_in.timeout)
                try:
                    channel.settimeout(self._options.silence)
                    channel.exec_command(command)
                    status, printed, errors = _converse(channel, statement, self.name, self._options.silence)
                finally:
                    # where the connection has broken there is nobody to say good-bye to
                    with contextlib.suppress(*broken):
                        channel.close()
                if status is None and not transport.is_active():
                    raise ConnectionFailed("the connection broke before the command had ended.", subject=self.name)
                return status, printed, errors
            except socket.timeout as error:
                raise ConnectionFailed(
                    f"nothing came for {self._options.silence:g} s.", subject=self.name, hint="Look at the database, or give it more time."
                ) from error
            except broken as error:
                raise ConnectionFailed(f"the connection broke ({reason_of(error)}).", subject=self.name) from error


def _converse(channel: t.Any, statement: str, where: str, silence: float) -> tuple[int | None, str, str]:
    errors: list[bytes] = []
    # what is left unread on one of the two would stop the other
    reader = threading.Thread(target=_read_quietly, args=(channel, errors), daemon=True)
    reader.start()
    try:
        channel.sendall(statement.encode("ascii"))
        channel.shutdown_write()
    except OSError:
        # a command that has ended does not take the rest of it: its status says why
        if not channel.closed and not channel.exit_status_ready():
            raise
    printed: list[bytes] = []
    size = 0
    while data := channel.recv(_PIECE):
        size += len(data)
        if size > _ANSWER_BYTES:
            raise InvalidAnswer(f"printed more than {_ANSWER_BYTES} bytes.", subject=where)
        printed.append(data)
    reader.join()
    # the end of both outputs is not yet that of the command, and may be all that ever comes
    if not channel.status_event.wait(silence):
        raise socket.timeout
    status = channel.recv_exit_status()
    return (status if status >= 0 else None), _text(printed), _text(errors)


def _read_quietly(channel: t.Any, errors: list[bytes]) -> None:
    # a connection that breaks is noticed by whoever reads the output
    with contextlib.suppress(OSError, EOFError):
        while data := channel.recv_stderr(_PIECE):
            errors.append(data)


def _text(pieces: t.Sequence[bytes]) -> str:
    return b"".join(pieces).decode("utf-8", "replace")

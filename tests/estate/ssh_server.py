# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An SSH server: Debian's sshd on loopback, with keys, files and a configuration of its own, as whoever runs the tests."""

from __future__ import annotations

import base64
import getpass
import hashlib
import os
import shutil
import signal
import subprocess
import typing as t
from pathlib import Path

from estate import ports
from estate.process import ProcessFailed, ServerProcess

_ATTEMPTS = 5
_CONFIGURATION = """\
ListenAddress {address}
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
# the keys are in a folder that others may write to
StrictModes no
UsePAM no
PasswordAuthentication yes
PermitRootLogin yes
MaxSessions {sessions}
Subsystem sftp {sftp}
LogLevel VERBOSE
{environment}
"""


def missing() -> str:
    """Why there can be no SSH server here; empty where there can."""
    return "" if _sshd() and shutil.which("ssh-keygen") else "sshd is not installed: apt-get install openssh-server"


def _sshd() -> str | None:
    # it is not on every user's path, and wants to be called by its whole name
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class SSHServer:
    """It answers when the constructor returns, until `stop`. `key` lets `user` in; `known_hosts` and `fingerprint` vouch for it.

    `environment`: variables that sessions have; `sessions`: as many as a connection may have at once; `sftp`: the command that is run for
    the subsystem of this name.
    """

    def __init__(
        self, folder: Path, *, sessions: int = 10, sftp: str = "internal-sftp", environment: t.Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.user = getpass.getuser()
        self.key = make_key(folder / "user_key")
        host_key = make_key(folder / "host_key")
        (folder / "authorized_keys").write_bytes(_public(self.key).read_bytes())
        kind, encoded = _public(host_key).read_text(encoding="ascii").split()[:2]
        self.fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(encoded)).digest()).decode().rstrip("=")
        self._sessions = sessions
        self._sftp = sftp
        # the first line counts, so all of them stand on one
        variables = " ".join(f'{name}="{value}"' for name, value in (environment or {}).items())
        self._environment = f"SetEnv {variables}" if variables else ""
        self._process = self._start()
        self.port = self._process.port
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(f"[{ports.LOOPBACK}]:{self.port} {kind} {encoded}\n", encoding="ascii")

    def _start(self) -> ServerProcess:
        # sshd as root wants an empty folder of this name, wherever it was not started by the system
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for attempt in range(_ATTEMPTS):
            port = ports.free_port()
            configuration = self.folder / "sshd_config"
            text = _CONFIGURATION.format(
                address=ports.LOOPBACK,
                port=port,
                folder=self.folder,
                sessions=self._sessions,
                sftp=self._sftp,
                environment=self._environment,
            )
            configuration.write_text(text, encoding="utf-8")
            try:
                return ServerProcess([str(_sshd()), "-D", "-e", "-f", str(configuration)], port=port, log_path=self.folder / "sshd.log")
            except ProcessFailed as failure:
                if "already in use" not in str(failure) or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop above returns or raises")

    def authorise(self, key: Path) -> None:
        """Let the holder of another key in."""
        with (self.folder / "authorized_keys").open("ab") as file:
            file.write(_public(key).read_bytes())

    def log(self) -> str:
        """What it has written so far."""
        return self._process.log()

    def hang_up(self) -> None:
        """End all connections that there are; new ones are taken."""
        for pid in self._children():
            os.kill(pid, signal.SIGKILL)

    def _children(self) -> list[int]:
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self._process.pid:
                found.append(int(status.parent.name))
        return found

    def stop(self) -> None:
        """End it, with the connections that there are. Stopping twice is fine."""
        if self._process.running:
            self.hang_up()
        self._process.stop()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def make_key(path: Path, passphrase: str = "") -> Path:
    """A new private key, with the public one beside it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "estate", "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def _public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")

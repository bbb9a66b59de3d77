# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Server processes: each with its own log file, waited for until it answers, ended by its own process id."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import time
import typing as t
import weakref
from pathlib import Path

from estate import ports

_POLL = 0.02  # seconds between two looks
_LISTEN = "0A"  # the state of a listening socket in /proc/net/tcp


class ProcessFailed(RuntimeError):
    """The process ended before it answered, or did not answer in time; the message ends with its log."""

    def __init__(self, message: str, pid: int) -> None:
        super().__init__(message)
        self.pid = pid


class ServerProcess:
    """A process that listens on a loopback port. It is started by the constructor and answers when the constructor returns."""

    def __init__(
        self, command: t.Sequence[str], *, port: int, log_path: Path, environment: t.Mapping[str, str] | None = None, patience: float = 30.0
    ) -> None:
        """`environment`: the whole environment of the process; `patience`: seconds until the port must answer."""
        self.port = port
        self.log_path = log_path
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                start_new_session=True,  # an interrupt at the terminal is for the caller, who then stops the server
            )
        _running.add(self)
        try:
            self._wait(patience)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def log(self) -> str:
        """What this process has written so far (not what an earlier one wrote to the same file)."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def _wait(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not self.running:
                raise ProcessFailed(f"{self._process.args!r} ended with {self._process.returncode}:\n{self.log()}", self.pid)
            if ports.answers(self.port) and self._owns_port():
                return
            time.sleep(_POLL)
        raise ProcessFailed(f"{self._process.args!r} does not answer on port {self.port} after {patience:g} s:\n{self.log()}", self.pid)

    def _owns_port(self) -> bool:
        """Whether the listening socket is this process's; another one that took the port would answer as well."""
        tables = [table for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if table.exists()]
        if not tables:
            return self.running  # not Linux: that the process lives is all that can be known
        lines = [line.split() for table in tables for line in table.read_text(encoding="ascii").splitlines()[1:]]
        listening = {f"socket:[{fields[9]}]" for fields in lines if fields[1].endswith(f":{self.port:04X}") and fields[3] == _LISTEN}
        return bool(listening & self._open_files())

    def _open_files(self) -> set[str]:
        """What the process's file descriptors lead to."""
        folder = f"/proc/{self.pid}/fd"
        found = set()
        with contextlib.suppress(FileNotFoundError):  # the process has ended
            for descriptor in os.listdir(folder):
                with contextlib.suppress(FileNotFoundError):  # it was closed a moment ago
                    found.add(os.readlink(f"{folder}/{descriptor}"))
        return found

    def stop(self, patience: float = 5.0) -> None:
        """End the process: asked first, killed after `patience` seconds. Stopping twice is fine."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        _running.discard(self)

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


_running: weakref.WeakSet[ServerProcess] = weakref.WeakSet()


@atexit.register
def _stop_leftovers() -> None:
    """What a failing test left behind ends with the interpreter."""
    for process in list(_running):
        process.stop()

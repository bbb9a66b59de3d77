# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules as Ansible runs them: a process of their own, options as JSON, the result as JSON on standard output."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from pathlib import Path

from estate.client import Access
from estate.compare import Reachable

import ansible_collections.registryops.migration.plugins.module_utils._copying as inside

PLUGINS = "ansible_collections.registryops.migration.plugins"
#: the folder of collections that the tests themselves import from
COLLECTIONS = Path(next(iter(inside.__path__))).parents[len(f"{PLUGINS}.module_utils._copying".split(".")) - 1]

#: what people have set for their own work must not decide a test
_NOT_PASSED_ON = ("ANSIBLE_", "DOCKER_", "REGISTRY_AUTH_FILE", "XDG_", "PYTHONPATH")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

Options = dict[str, t.Any]


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process that runs the collection, with an empty home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON) and name.upper() not in _PROXIES}
    return {**kept, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(COLLECTIONS), **more}


@dataclasses.dataclass(frozen=True)
class ModuleRun:
    """What a module gave back. `text` is all that it wrote, for a search for what ought not to be in it."""

    result: Options
    text: str

    @property
    def error(self) -> dict[str, str]:
        """Why the module failed as a whole."""
        error: dict[str, str] = self.result["error"]
        return error


def run_module(
    name: str, options: Options, *, check: bool = False, diff: bool = False, variables: t.Mapping[str, str] | None = None
) -> ModuleRun:
    """Run a module of the collection. `variables`: more of the environment."""
    run = start_module(name, options, check=check, diff=diff, variables=variables).wait()
    assert run is not None, f"{name} was killed"
    return run


def start_module(
    name: str, options: Options, *, check: bool = False, diff: bool = False, variables: t.Mapping[str, str] | None = None
) -> StartedModule:
    """Begin a run of a module, as `run_module` does; who starts it waits for it."""
    control = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_verbosity": 3}
    return StartedModule(name, {**options, **control}, variables or {})


class StartedModule:
    """A module that runs. `pid` is its process."""

    def __init__(self, name: str, arguments: Options, variables: t.Mapping[str, str]) -> None:
        self._name = name
        self._folder = tempfile.TemporaryDirectory(prefix="module-")
        folder = Path(self._folder.name)
        self._out, self._err, pid = (folder / one for one in ("out", "err", "pid"))
        file = folder / "arguments.json"
        file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_remote_tmp": str(folder)}}), encoding="utf-8")
        order = {
            "module": f"{PLUGINS}.modules.{name}",
            "arguments": str(file),
            "folder": str(folder),
            "environment": environment(folder, **variables),
            "out": str(self._out),
            "err": str(self._err),
            "pid": str(pid),
        }
        self._status: int | None = None
        self._thread = threading.Thread(target=self._run, args=(order,), daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 60
        while not pid.exists():
            assert self._thread.is_alive(), "the modules cannot be run: what they import is broken, see above"
            assert time.monotonic() < deadline
            time.sleep(0.001)
        self.pid = int(pid.read_text(encoding="ascii"))

    def _run(self, order: t.Mapping[str, t.Any]) -> None:
        with _servers.borrowed() as server:
            self._status = server.run(order)

    def kill(self) -> None:
        """End it as a power cut does; when this returns, it is no more."""
        os.kill(self.pid, signal.SIGKILL)
        self._thread.join(60)
        assert not self._thread.is_alive()

    def wait(self) -> ModuleRun | None:
        """What it gave back, in the end; None when it was killed."""
        self._thread.join()
        assert self._status is not None, "the modules cannot be run: what they import is broken, see above"
        try:
            if self._status == -signal.SIGKILL:
                return None
            written, complaints = self._out.read_text(encoding="utf-8"), self._err.read_text(encoding="utf-8")
        finally:
            self._folder.cleanup()
        try:
            result: Options = json.loads(written)
        except ValueError:
            raise AssertionError(f"{self._name} gave no result:\n{written}\n{complaints}") from None
        assert bool(result.get("failed")) == (self._status != 0)
        return ModuleRun(result, f"{written}\n{complaints}")


class _Server:
    """The process that runs modules, from the first run until this one ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, order: t.Mapping[str, t.Any]) -> int:
        """Have a module run; returns its exit status."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("module_server.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment(Path(tempfile.gettempdir())),
            )
            atexit.register(self.stop)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self.stop()
            raise AssertionError("the modules cannot be run: what they import is broken, see above")
        return int(answer)

    def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with process:
                # the end of its input is the end of it
                process.communicate(timeout=60)


class _Servers:
    """As many as there are runs at once; each serves many, one after the other."""

    def __init__(self) -> None:
        self._idle: list[_Server] = []

    @contextlib.contextmanager
    def borrowed(self) -> t.Iterator[_Server]:
        """A server that nobody else uses."""
        try:
            server = self._idle.pop()
        except IndexError:
            server = _Server()
        try:
            yield server
        finally:
            self._idle.append(server)


_servers = _Servers()


def endpoint(where: Reachable | Path, **more: t.Any) -> Options:
    """The option `source` or `destination` for a registry of the estate, or for a folder. None takes an option away."""
    if isinstance(where, Path):
        options: Options = {"type": "oci_layout", "path": str(where)}
    else:
        access = where if isinstance(where, Access) else where.access
        options = {"url": access.url.removeprefix("https://"), "certs_dirs": [], "attempts": 2}
        if access.user:
            options.update(username=access.user, password=access.password)
        if access.ca_file:
            options["ca_path"] = str(access.ca_file)
        if access.client_certificate:
            options.update(client_cert=str(access.client_certificate.certificate), client_key=str(access.client_certificate.key))
    return {key: value for key, value in {**options, **more}.items() if value is not None}

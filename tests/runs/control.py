# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A person at a controller who runs the playbooks, and what they see."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

from estate.registry import Registry

from runs.modules import COLLECTIONS, Options

_LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
_RECAP_LINE = re.compile(r"^(\S+) +: (ok=\d+.*)$", re.MULTILINE)
#: what people have set for their own work must not matter
_NOT_PASSED_ON = ("ANSIBLE_", "AWS_", "REGISTRY_", "XDG_")


@dataclasses.dataclass(frozen=True)
class Played:
    """What a run of ansible-playbook came to."""

    status: int
    output: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """`{host: {ok: 15, changed: 1, …}}`."""
        found = _RECAP_LINE.findall(self.output)
        return {host: {name: int(number) for name, number in (word.split("=") for word in words.split())} for host, words in found}

    @property
    def changed(self) -> int:
        """Changes of all hosts."""
        assert self.recap, self.output
        return sum(host["changed"] for host in self.recap.values())


class Control:
    """A person at the controller: an inventory, a home folder, and what they type."""

    def __init__(self, folder: Path, source: Options, destination: Options, hosts: t.Mapping[str, t.Any], **variables: t.Any) -> None:
        self.folder = folder
        self.collections = COLLECTIONS
        self.report_folder = folder / "report"
        self.configuration = folder / "ansible.cfg"
        self.configuration.touch()
        self.write("hosts.yml", {"registry_workers": {"hosts": dict(hosts), "vars": _LOCAL}} if hosts else {})
        self.variables = {
            "registry_source": source,
            "registry_destination": destination,
            "registry_state_dir": str(folder / "state"),
            "registry_report_dir": str(self.report_folder),
            **variables,
        }
        self._passwords = [value for side in (source, destination) for value in _passwords_of(side)]
        self.write("group_vars/all/registries.yml", self.variables)

    def write(self, name: str, document: t.Any) -> None:
        """Give the inventory a file."""
        path = self.folder / "inventory" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML

    def _begin(self, command: t.Sequence[str]) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)}
        environment = {
            **kept,
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_CONFIG": str(self.configuration),
            "ANSIBLE_NOCOLOR": "true",
            "HOME": str(self.folder / "home"),
            "LC_ALL": "C.UTF-8",
        }
        program = Path(sys.executable).with_name(command[0])
        return subprocess.Popen(
            [str(program), *command[1:]],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def command(self, *command: str) -> Played:
        """Run one of Ansible's commands; no password may be in what it says."""
        process = self._begin(command)
        output = process.communicate()[0]
        for password in self._passwords:
            assert password not in output
        return Played(process.returncode, output)

    def play(self, playbook: str, *arguments: str, expect: int = 0, **variables: t.Any) -> Played:
        """Run a playbook of the collection, by its full name, with extra variables."""
        extra = ["-e", json.dumps(variables)] if variables else []
        played = self.command("ansible-playbook", f"registryops.migration.{playbook}", "-i", "inventory", *extra, *arguments)
        assert played.status == expect, played.output
        return played

    def start(self, playbook: str, *arguments: str) -> subprocess.Popen[str]:
        """Begin to run a playbook."""
        return self._begin(["ansible-playbook", f"registryops.migration.{playbook}", "-i", "inventory", *arguments])

    def kill(self, playing: subprocess.Popen[str]) -> None:
        """What the loss of the machine does: everything that was started is gone at once, the workers' copies too."""
        mine = f"HOME={self.folder / 'home'}".encode()
        while found := [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if mine in _environment_of(pid)]:
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        playing.communicate()

    def report(self) -> dict[str, t.Any]:
        """The report for programs."""
        document: dict[str, t.Any] = json.loads((self.report_folder / "report.json").read_text(encoding="utf-8"))
        return document

    def table(self) -> list[dict[str, str]]:
        """The table of tags."""
        with open(self.report_folder / "report.csv", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def shares(self) -> dict[str, set[str]]:
        """`{worker: repositories}` as the table has them."""
        found: dict[str, set[str]] = {}
        for row in self.table():
            found.setdefault(row["worker"], set()).add(row["source_repository"])
        return found


def connection(registry: Registry) -> Options:
    """The options of a connection to a registry with TLS and a user."""
    access = registry.access
    return {"url": registry.host, "username": access.user, "password": access.password, "ca_path": str(access.ca_file)}


def _environment_of(pid: int) -> list[bytes]:
    """The variables of a process; none of one that has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _passwords_of(side: Options) -> list[str]:
    secrets = {**side, **side.get("aws", {})}
    return [secrets[name] for name in ("password", "secret_key", "registry_token", "api_token") if secrets.get(name)]

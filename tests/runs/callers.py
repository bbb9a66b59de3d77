# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What starts the playbooks from outside: the files below examples/, with this machine's registries and programs in them."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import jinja2.sandbox
import yaml
from estate.registry import Registry

from runs.modules import COLLECTIONS

ROOT = Path(__file__).absolute().parents[2]
EXAMPLES = ROOT / "examples"
PROGRAMS = Path(sys.executable).parent
ANSIBLE_PLAYBOOK = PROGRAMS / "ansible-playbook"

#: what people have set for their own work must not decide a test
_NOT_PASSED_ON = ("ANSIBLE_", "AWS_", "DOCKER_", "PT_", "PYTHON", "REGISTRY_AUTH_FILE", "TF_", "XDG_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

Document = dict[str, t.Any]


class _Loader(yaml.SafeLoader):
    """YAML with Ansible's `!unsafe`."""


_Loader.add_constructor("!unsafe", lambda loader, node: str(loader.construct_scalar(t.cast(yaml.ScalarNode, node))))


def document(path: Path) -> t.Any:
    """A file in Ansible's YAML."""
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)


@dataclasses.dataclass(frozen=True)
class Finished:
    """A program's exit status, and all that it said."""

    status: int
    output: str


class Caller:
    """A machine on which migrations are started: a home folder, an environment, and the passwords of both registries.

    `marks` are parts of the passwords that nothing which is said or kept may hold.
    """

    def __init__(self, folder: Path, source: Registry, destination: Registry, marks: t.Sequence[str]) -> None:
        self.folder = folder
        self.source = source
        self.destination = destination
        self.marks = marks
        self.home = folder / "home"
        self.home.mkdir()
        (folder / "ansible.cfg").touch()
        self.secrets = {"SOURCE_PASSWORD": source.access.password, "DESTINATION_PASSWORD": destination.access.password}
        #: what every program that runs Ansible needs to find the collection that is tested
        self.ansible = {
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
        }

    def environment(self, **more: str) -> dict[str, str]:
        """Of a program that the caller starts; without the passwords."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON) and name.upper() not in _PROXIES}
        path = f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**kept, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **self.ansible, **more}

    def run(self, *command: str | Path, folder: Path | None = None, variables: t.Mapping[str, str] | None = None) -> Finished:
        """Run a program, in an environment of these `variables` or else in `environment()` with the passwords."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder or self.folder,
            env=dict(variables) if variables is not None else self.environment(**self.secrets),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        finished = Finished(done.returncode, done.stdout + done.stderr)
        self.assert_secret(finished.output)
        return finished

    def assert_secret(self, text: str) -> None:
        """No part of a password is in the text."""
        for mark in self.marks:
            assert mark not in text

    def assert_secret_below(self, folder: Path) -> None:
        """Nor in any file of the folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.assert_secret(path.read_bytes().decode("utf-8", "replace"))

    def registries(self, rules: t.Sequence[Document] = ()) -> Document:
        """The variables of examples/inventory for these registries: the passwords are still looked up in the environment."""
        variables: Document = document(EXAMPLES / "inventory" / "group_vars" / "all" / "registries.yml")
        for name, registry in (("registry_source", self.source), ("registry_destination", self.destination)):
            assert "lookup('ansible.builtin.env', '" in variables[name]["password"]
            variables[name].update(self.connection(registry))
        variables["registry_rules"] = list(rules) or [{}]
        return variables

    @staticmethod
    def connection(registry: Registry) -> dict[str, str]:
        """A registry without its password."""
        return {"url": registry.host, "username": registry.access.user, "ca_path": str(registry.ca_file)}

    def inventory(self, rules: t.Sequence[Document] = (), folder: Path | None = None) -> Path:
        """examples/inventory, as it is or would be in `folder`, with these registries in it."""
        folder = folder or self.folder / "inventory"
        shutil.copytree(EXAMPLES / "inventory", folder, dirs_exist_ok=True)
        write_json(folder / "group_vars" / "all" / "registries.yml", self.registries(rules))
        return folder

    def play(self, playbook: str, *arguments: str, **variables: str) -> Finished:
        """ansible-playbook at a prompt, with the inventory of `inventory()`. `variables`: more of the environment."""
        command = (ANSIBLE_PLAYBOOK, f"registryops.migration.{playbook}", "-i", self.folder / "inventory", *arguments)
        return self.run(*command, variables=self.environment(**{**self.secrets, **variables}))


def write_json(path: Path, content: t.Any) -> Path:
    """JSON, which is YAML as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@dataclasses.dataclass(frozen=True)
class Job:
    """What AWX knows of a job when ansible-runner has ended."""

    status: str
    exit_status: int
    events: list[Document]
    output: str

    def named(self, event: str) -> list[Document]:
        """The data of the events of one kind."""
        return [one["event_data"] for one in self.events if one["event"] == event]

    @property
    def artifacts(self) -> Document:
        """What set_stats has handed on."""
        (stats,) = self.named("playbook_on_stats")
        artifacts: Document = stats["artifact_data"]
        return artifacts


class AWX:
    """The part of AWX that makes a folder for ansible-runner out of examples/awx: project, sliced inventory, survey and credentials."""

    #: some of the variables that AWX gives every job
    _OWN_VARIABLES: t.ClassVar[Document] = {"awx_job_id": 7, "awx_job_launch_type": "manual", "awx_user_name": "admin", "tower_job_id": 7}

    def __init__(self, caller: Caller, workers: int = 1) -> None:
        self.caller = caller
        self.hosts = {
            f"worker{number}": {"registry_worker_index": number, "registry_worker_count": workers} if workers > 1 else {}
            for number in range(workers)
        }
        self._jobs = 0

    def environment(self) -> dict[str, str]:
        """What the credentials inject, rendered as AWX does."""
        values = [
            {**Caller.connection(registry), "password": registry.access.password}
            for registry in (self.caller.source, self.caller.destination)
        ]
        sandbox = jinja2.sandbox.ImmutableSandboxedEnvironment()
        types = document(EXAMPLES / "awx" / "credential_types.yml")["credential_types"]
        return {
            name: sandbox.from_string(template).render(**inputs)
            for kind, inputs in zip(types, values, strict=True)
            for name, template in kind["injectors"]["env"].items()
        }

    def inventory(self, number: int, count: int) -> Document:
        """Of a slice: every `count`-th host in the order of their names; groups lose the others."""
        hosts = sorted(self.hosts)[number - 1 :: count]
        local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        return {
            "all": {"children": ["registry_workers"], "vars": document(EXAMPLES / "awx" / "registries.yml")["registries"]},
            "registry_workers": {"hosts": hosts, "vars": local},
            "_meta": {"hostvars": {name: self.hosts[name] for name in hosts}},
        }

    def launch(self, playbook: str, *options: str, part: tuple[int, int] = (1, 1), **answers: t.Any) -> Job:
        """Run a job to its end. `part`: which slice of how many; `answers` to the survey, whose defaults stand for the others."""
        self._jobs += 1
        folder = self.caller.folder / f"awx_{self._jobs}"
        shutil.copytree(EXAMPLES / "awx" / "project", folder / "project")
        script = folder / "inventory" / "hosts"
        script.parent.mkdir()
        script.write_text(f"#!/usr/bin/env python3\nprint({json.dumps(self.inventory(*part))!r})\n", encoding="utf-8")
        script.chmod(0o700)
        questions = document(EXAMPLES / "awx" / "survey.yml")["survey"]["spec"]
        assert answers.keys() <= {question["variable"] for question in questions}
        defaults = {question["variable"]: question["default"] for question in questions}
        write_json(folder / "env" / "extravars", {**self._OWN_VARIABLES, **defaults, **answers})
        write_json(folder / "env" / "envvars", {**self.caller.ansible, **self.environment(), "ANSIBLE_FORCE_COLOR": "True"})
        (folder / "env" / "cmdline").write_text(" ".join(options), encoding="utf-8")

        command = (PROGRAMS / "ansible-runner", "run", folder, "-p", playbook, "--ident", "1", "--quiet")
        run = self.caller.run(*command, variables=self.caller.environment())
        kept = folder / "artifacts" / "1"
        # the command line with all of its environment is not for people: AWX shows a clean one
        (kept / "command").unlink()
        self.caller.assert_secret_below(folder / "artifacts")
        events = [json.loads(path.read_text(encoding="utf-8")) for path in (kept / "job_events").glob("*.json")]
        job = Job(
            status=(kept / "status").read_text(encoding="utf-8"),
            exit_status=int((kept / "rc").read_text(encoding="utf-8")),
            events=sorted(events, key=lambda event: int(event["counter"])),
            output=(kept / "stdout").read_text(encoding="utf-8"),
        )
        assert job.exit_status == run.status
        return job

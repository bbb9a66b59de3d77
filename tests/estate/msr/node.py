# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node of MSR 2.9, or a manager of MKE, that is signed in to over SSH: a real sshd, and a `docker` that runs the product's command line.

The command line is RethinkDB's own driver for JavaScript on the store; it gets there only with the network, the volume and the variable
that the product's containers need. Run as a program, this file is that `docker`, and the `sudo` in front of it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from estate.msr.store import Store
    from estate.ssh_server import SSHServer

REPLICA = "0123456789ab"
MSR_IMAGE = "mirantis/rethinkcli:v2.2.0-ni"
MKE_IMAGE = "registry.example.com/tools/rethinkcli-ucp:1.0"
ADDRESS = "192.0.2.10"


@dataclasses.dataclass
class Machine:
    """What `docker` finds. `containers`: names of those that run; `address`: of the node in its swarm, empty for none; `images`: those that
    can be had; `password_for_sudo`: sudo asks for one; `root_only`: docker does what root says, through sudo.
    """

    node: str = "msr"
    containers: tuple[str, ...] = (f"dtr-rethinkdb-{REPLICA}", f"dtr-api-{REPLICA}", "ucp-agent")
    address: str = ADDRESS
    images: tuple[str, ...] = (MSR_IMAGE, MKE_IMAGE)
    root_only: bool = False
    password_for_sudo: bool = False
    modules: str = ""
    port: int = 0


class Node:
    """A node with its store. `machine` can be changed at any time, with `set`."""

    def __init__(self, folder: Path, store: Store, machine: Machine | None = None) -> None:
        from estate.msr.store import node_modules
        from estate.ssh_server import SSHServer

        self._programs = folder / "bin"
        self._programs.mkdir(parents=True)
        self.machine = dataclasses.replace(machine or Machine(), modules=str(node_modules()), port=store.port)
        self.set()
        for name in ("docker", "sudo"):
            program = self._programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{Path(__file__).resolve()}" {name} "$@"\n', encoding="utf-8")
            program.chmod(0o755)
        path = f"{self._programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        self.ssh: SSHServer = SSHServer(folder / "ssh", environment={"PATH": path, "ESTATE_MACHINE": str(self._programs)})

    def set(self, **changes: t.Any) -> None:
        """Have the machine be another one from now on."""
        self.machine = dataclasses.replace(self.machine, **changes)
        (self._programs / "machine.json").write_text(json.dumps(dataclasses.asdict(self.machine)), encoding="utf-8")

    def calls(self) -> list[list[str]]:
        """What docker was called with so far, beginning with the names of the programs."""
        log = self._programs / "calls.jsonl"
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []

    def sign_in(self, **more: t.Any) -> dict[str, t.Any]:
        """The option `ssh` of a database that leads here."""
        from estate import ports

        return {
            "host": ports.LOOPBACK,
            "port": self.ssh.port,
            "username": self.ssh.user,
            "key_file": str(self.ssh.key),
            "known_hosts": str(self.ssh.known_hosts),
            "node": self.machine.node,
            **({"cli_image": MKE_IMAGE} if self.machine.node == "mke" else {}),
            **more,
        }

    def stop(self) -> None:
        """Nobody gets in any more. Stopping twice is fine."""
        self.ssh.stop()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


# -- the programs ------------------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """The program ends with a message and a status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def docker(machine: Machine, arguments: t.Sequence[str], is_root: bool) -> str | None:
    """What it prints; None where it becomes the command line."""
    if machine.root_only and not is_root:
        raise Refused("permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock", 1)
    command, *others = arguments or [""]
    if command == "ps":
        return _ps(machine, others)
    if command == "info" and others == ["--format", "{{.Swarm.NodeAddr}}"]:
        return f"{machine.address}\n"
    if command == "run":
        return _run(machine, others)
    raise Refused(f"docker: '{command}' is not a docker command.", 1)


def _ps(machine: Machine, arguments: t.Sequence[str]) -> str:
    given = _flags(arguments, {"--filter", "-f", "--format", "-lf"})
    names = given["--filter"] + given["-f"] + given["-lf"]
    patterns = [one.removeprefix("name=") for one in names if one.startswith("name=")]
    if given["--format"] != ["{{.Names}}"] or len(patterns) != len(names):
        raise Refused(f"unknown flag in: docker ps {' '.join(arguments)}", 125)
    found = [name for name in machine.containers if all(re.search(pattern, f"/{name}") for pattern in patterns)]
    return "".join(f"{name}\n" for name in (found[:1] if given["-lf"] else found))


def _run(machine: Machine, arguments: t.Sequence[str]) -> None:
    given = _flags(arguments, {"--net", "--network", "-e", "--env", "-v", "--volume"})
    image, command = given[""][0] if given[""] else "", given[""][1:]
    if image not in machine.images:
        raise Refused(f"Unable to find image '{image}' locally\ndocker: Error response from daemon: pull access denied for {image}", 125)
    environment, volumes = given["-e"] + given["--env"], given["-v"] + given["--volume"]
    networks = given["--net"] + given["--network"]
    if machine.node == "mke":
        reaches = environment == [f"DB_ADDRESS={machine.address}"] and volumes == ["ucp-auth-api-certs:/tls"] and not networks
    else:
        replicas = [name.removeprefix("dtr-rethinkdb-") for name in machine.containers if name.startswith("dtr-rethinkdb-")]
        reaches = networks == ["dtr-ol"] and any(
            environment == [f"DTR_REPLICA_ID={replica}"] and volumes == [f"dtr-ca-{replica}:/ca"] for replica in replicas
        )
    if not reaches or "-i" not in given["flags"] or "--rm" not in given["flags"] or command != ["non-interactive"]:
        raise Refused("Error: could not connect to the database", 1)
    _become_command_line(machine.modules, machine.port)


def _become_command_line(modules: str, port: int) -> t.NoReturn:
    command_line = str(Path(__file__).resolve().with_name("cli.js"))
    os.execvp("node", ["node", "--no-deprecation", command_line, modules, str(port)])


def _flags(arguments: t.Sequence[str], with_value: t.Collection[str]) -> dict[str, list[str]]:
    """Values by flag, `flags` those without one, and under the empty name what follows them."""
    found: dict[str, list[str]] = {name: [] for name in ("flags", "", *with_value)}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag in with_value:
            found[flag].append(rest.pop(0))
        else:
            found["flags"].append(flag)
    found[""] = rest
    return found


def main(program: str, arguments: t.Sequence[str]) -> int:
    """`docker` or `sudo`, by its exit status."""
    folder = Path(os.environ["ESTATE_MACHINE"])
    machine = Machine(**json.loads((folder / "machine.json").read_text(encoding="utf-8")))
    with (folder / "calls.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps([program, *arguments]) + "\n")
    if program == "sudo":
        if machine.password_for_sudo:
            print("sudo: a password is required", file=sys.stderr)
            return 1
        os.environ["ESTATE_IS_ROOT"] = "yes"
        command = list(arguments[1:] if arguments[:1] == ["-n"] else arguments)
        os.execvp(command[0], command)
    try:
        printed = docker(machine, arguments, os.environ.get("ESTATE_IS_ROOT") == "yes")
    except Refused as refused:
        print(refused, file=sys.stderr)
        return refused.status
    sys.stdout.write(printed or "")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

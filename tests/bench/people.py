# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The people of a large MSR 2.9 with MKE move to an MSR 3, between two doubles: in one run of the playbook, in a second one, and proved.

The databases are reached as in a real estate: over SSH on the node of the old MSR and on a manager of its MKE, in a pod of the new one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import sys
import typing as t
from pathlib import Path

from estate.certificates import CertificateAuthority
from estate.msr.double import ADMINISTRATOR, ADMINISTRATORS_PASSWORD, Installation, install
from estate.msr.kubernetes import Cluster
from estate.msr.node import Machine, Node
from estate.msr.rights import highest
from estate.msr.rows import ACCOUNTS, MEMBERS, NAMESPACE_GRANTS, REPOSITORIES, REPOSITORY_GRANTS, TEAM_MEMBERS, TOKENS, Row
from estate.msr.seeding import People, Size, large_set

from bench import metering
from bench.goals import Verdict
from bench.page import markdown_table, text_table

Say = t.Callable[[str], None]
NAME = "MSR"
#: of accounts that both sides have from their beginning, other than those who move
_BUILT_IN = ("admin", "docker-datacenter")
_FIRST, _AGAIN, _PROOF = "people", "people again", "proof"
_MOST_MIB = 128
#: requests to the destination for each that writes something: the others read what is there
_MOST_REQUESTS = 1.25
_CHANGED = re.compile(r"^localhost +: ok=\d+ +changed=(\d+)", re.MULTILINE)
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclasses.dataclass(frozen=True)
class Measured:
    """One run of ansible-playbook. `commands`: to the databases; `peak_mib`: of the largest process of a module, `largest` its name."""

    what: str
    tags: str
    wall: float
    cpu: float
    peak_mib: float
    largest: str
    source: int
    destination: int
    writes: int
    commands: tuple[int, int]
    changed: int
    load: float


@dataclasses.dataclass(frozen=True)
class Outcome:
    """All runs, how many there were of what, and how many pairs of a user and a repository had other rights afterwards."""

    runs: list[Measured]
    size: Size
    written: dict[str, int]
    pairs: int
    different: int
    proved: str

    def run(self, what: str) -> Measured:
        """The run of that name."""
        return next(one for one in self.runs if one.what == what)


class _Estate:
    """Both installations with the ways to their databases."""

    def __init__(self, folder: Path, ending: contextlib.ExitStack) -> None:
        authority = CertificateAuthority(folder / "authority")
        self.source = ending.enter_context(install(folder / "source", authority, "2.9.16"))
        self.destination = ending.enter_context(install(folder / "destination", authority, "3.1.5"))
        self.node = ending.enter_context(Node(folder / "node", self.source.store))
        self.manager = ending.enter_context(Node(folder / "manager", self.source.accounts, Machine(node="mke", root_only=True)))
        self.cluster = ending.enter_context(Cluster(folder / "cluster", authority))
        self.cluster.add_command_line(self.destination.store)
        assert self.source.mke is not None
        self.mke = self.source.mke
        mine = {
            "accounts_url": self.mke.url,
            "database": {"ssh": self.node.sign_in()},
            "accounts_database": {"ssh": self.manager.sign_in(sudo=True)},
        }
        pod = {"kubeconfig": str(self.cluster.kubeconfig()), "namespace": "msr"}
        self.options = {
            "msr_source": {**_reach(self.source), **mine},
            "msr_destination": {**_reach(self.destination), "database": {"kubernetes": pod}},
        }

    def asked(self) -> tuple[int, int, int, tuple[int, int]]:
        """Requests to the source, to the destination, those of them that write, and commands to databases, since the last time."""
        commands = (len(self.node.calls()) + len(self.manager.calls()), sum("/exec" in one for one in self.cluster.requests))
        found = len(self.source.msr.log) + len(self.mke.log), len(self.destination.msr.log)
        writes = sum(method in _WRITES for method, _path in self.destination.msr.log)
        for front in (self.source.msr, self.mke, self.destination.msr):
            front.reset_log()
        return *found, writes, commands


def _reach(installation: Installation) -> dict[str, t.Any]:
    sign_in = {"username": ADMINISTRATOR, "password": ADMINISTRATORS_PASSWORD}
    return {"url": installation.msr.url, **sign_in, "ca_path": str(installation.msr.authority.certificate), "certs_dirs": []}


class _Controller:
    """Who runs the playbooks, as a user does, and what that costs."""

    def __init__(self, folder: Path, collections: Path, variables: dict[str, t.Any]) -> None:
        self._folder = folder
        self._peaks = folder / "peaks"
        (folder / "ansible.cfg").touch()
        (folder / "home").mkdir()
        self._collections = collections
        self.state = folder / "state"
        interpreter = folder / "interpreter"
        script = Path(__file__).with_name("peaks.py")
        interpreter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{script}" "{self._peaks}" "{sys.executable}" "$@"\n')
        interpreter.chmod(0o755)
        own = {"ansible_connection": "local", "ansible_python_interpreter": str(interpreter), "registry_state_dir": str(self.state)}
        self._variables = self.file("variables.json", {**own, **variables})

    def file(self, name: str, document: t.Any) -> Path:
        """A file that Ansible reads: JSON is YAML."""
        path = self._folder / name
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def play(self, playbook: str, *arguments: str) -> tuple[metering.Cost, int, list[tuple[int, str]]]:
        """What a run cost, how much it changed, and the peaks of its modules; a failure ends the measurement."""
        self._peaks.unlink(missing_ok=True)
        names = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "TMPDIR")
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(self._collections),
            "ANSIBLE_CONFIG": str(self._folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "true",
            **dict.fromkeys(names, str(self._folder / "home")),
        }
        command = ("ansible-playbook", playbook, "-i", "localhost,", "-e", f"@{self._variables}", *arguments)
        cost = metering.run(metering.Command(command, environment), self._folder)
        changed = _CHANGED.search((self._folder / "output").read_text(encoding="utf-8", errors="replace"))
        if cost.status or changed is None:
            raise metering.Interrupted(f"{' '.join(command)} ended with {cost.status}:\n{metering.said(self._folder)}")
        lines = [line.split(" ", 1) for line in self._peaks.read_text(encoding="utf-8").splitlines()]
        return cost, int(changed[1]), [(int(peak), module) for peak, module in lines]


def measure(part: float, folder: Path, collections: Path, say: Say) -> Outcome:
    """Move so large a part of the large set of people."""
    size = Size(**{name: max(4, round(number * part)) for name, number in dataclasses.asdict(Size()).items()})
    with contextlib.ExitStack() as ending:
        estate = _Estate(folder, ending)
        people = large_set(estate.source.tables, size)
        say(f"{NAME}: {', '.join(f'{number} {name}' for name, number in dataclasses.asdict(size).items())}")
        controller = _Controller(folder, collections, estate.options)
        proof = controller.file("proof.json", _proof(people, controller.state))
        runs = []
        before = estate.asked()[3]
        steps = (
            ("lists", "registryops.migration.migrate_msr", "files"),
            (_FIRST, "registryops.migration.migrate_msr", "accounts,orgs,repos"),
            (_AGAIN, "registryops.migration.migrate_msr", "accounts,orgs,repos"),
            (_PROOF, str(proof), "all"),
        )
        for what, playbook, tags in steps:
            load = os.getloadavg()[0]
            cost, changed, peaks = controller.play(playbook, "--tags", tags)
            source, destination, writes, after = estate.asked()
            peak, largest = max(peaks)
            commands = (after[0] - before[0], after[1] - before[1])
            before = after
            counts = (source, destination, writes, commands, changed, load)
            runs.append(Measured(what, tags, cost.wall, cost.cpu, peak / 1024, largest, *counts))
            said = f"{cost.wall:.1f} s, peak {peak / 1024:.0f} MiB ({largest}), {source} + {destination} requests, changed={changed}"
            say(f"{what}: {said}")
        report = json.loads((controller.state / "people-report.json").read_text(encoding="utf-8"))
        mine, theirs = _rights(estate.source), _rights(estate.destination)
        different = sum(mine.get(pair) != theirs.get(pair) for pair in mine.keys() | theirs.keys())
        _check_tokens(estate, size)
        return Outcome(runs, size, _created(report), size.users * size.repositories, different, _said_of(report))


def _proof(people: People, state: Path) -> list[dict[str, t.Any]]:
    """A playbook that compares both sides, and has some people log in, with passwords and with tokens."""
    tokens = {user: token for token, user in people.tokens.items()}
    picked = [*list(people.passwords.items())[::50], *list(tokens.items())[::50]]
    options = {
        "source": "{{ msr_source }}",
        "destination": "{{ msr_destination }}",
        "sample": 200,
        "logins": [{"username": user, "secret": secret} for user, secret in picked],
        "people_file": str(state / "people-report.json"),
    }
    task = {"name": "Compare", "registryops.migration.identity_verify": options}
    return [{"name": "Prove", "hosts": "all", "gather_facts": False, "tasks": [task]}]


def _rights(installation: Installation) -> dict[tuple[str, str], str]:
    """What everybody may do, by the names of users and repositories, as the rows have it: what is not there is nothing."""
    with installation.tables.moment():
        tables = installation.tables
        accounts = {row["id"]: row for row in tables.all(ACCOUNTS) if row["name"] not in _BUILT_IN}
        repositories = {row["id"]: row for row in tables.all(REPOSITORIES)}
        users = [row for row in accounts.values() if not row["isOrg"] and row.get("isActive", True)]
        admins: dict[str, set[str]] = {}
        teams: dict[str, set[str]] = {}
        for row in tables.all(MEMBERS):
            if row["isAdmin"]:
                admins.setdefault(row["userID"], set()).add(row["orgID"])
        for row in tables.all(TEAM_MEMBERS):
            teams.setdefault(row["userID"], set()).add(row["teamID"])
        inside: dict[str, list[str]] = {}
        for row in repositories.values():
            inside.setdefault(row["namespaceAccountID"], []).append(row["id"])
        granted: dict[str, list[tuple[str, str]]] = {}
        for row in tables.all(REPOSITORY_GRANTS):
            granted.setdefault(row["teamID"], []).append((row["repositoryID"], row["accessLevel"]))
        for row in tables.all(NAMESPACE_GRANTS):
            granted.setdefault(row["teamID"], []).extend((one, row["accessLevel"]) for one in inside.get(row["namespaceID"], []))
        public = [row["id"] for row in repositories.values() if row.get("visibility") == "public"]
    found: dict[tuple[str, str], str] = {}
    for user in users:
        levels = [(one, "read-only") for one in public]
        levels += [(one, "admin") for place in {user["id"]} | admins.get(user["id"], set()) for one in inside.get(place, [])]
        levels += [(one, "admin") for one in repositories] if user.get("isAdmin") else []
        levels += [pair for team in teams.get(user["id"], ()) for pair in granted.get(team, [])]
        for repository, level in levels:
            key = (user["name"], _path(accounts, repositories[repository]))
            found[key] = highest(level, *([found[key]] if key in found else [])) or level
    return found


def _path(accounts: t.Mapping[str, Row], repository: Row) -> str:
    return f"{accounts[repository['namespaceAccountID']]['name']}/{repository['name']}"


def _check_tokens(estate: _Estate, size: Size) -> None:
    """Every token is there, with its dates."""
    fields = ("createdAt", "lastUsed", "isActive", "tokenLabel")
    held = []
    for installation in (estate.source, estate.destination):
        with installation.tables.moment():
            held.append({row["token"]: [row.get(field) for field in fields] for row in installation.tables.all(TOKENS)})
    if len(held[0]) != size.tokens or held[0] != held[1]:
        raise metering.Interrupted(f"{len(held[0])} tokens at the source, {len(held[1])} at the destination, or with other dates")


def _created(report: dict[str, t.Any]) -> dict[str, int]:
    """How many items of each kind are at the destination now, as the last run of each part has counted them."""
    found: dict[str, int] = {}
    for part in report["imports"].values():
        for kind, counts in part["counts"].items():
            found[kind] = found.get(kind, 0) + counts["created"] + counts["changed"] + counts["unchanged"]
    return found


def _said_of(report: dict[str, t.Any]) -> str:
    """What the collection itself has compared."""
    proved = report["verification"]
    checked = sum(sum(counts.values()) for counts in proved["counts"].values())
    return (
        f"{checked:,} items and {proved['access']['compared']:,} pairs of a user and a repository compared, "
        f"{proved['sample']['asked']} pairs asked of both products, {proved['logins']['tried']} logins tried: "
        f"{proved['different']} differences"
    )


def verdicts(outcome: Outcome) -> list[Verdict]:
    """What is to be reached."""
    first, again = outcome.run(_FIRST), outcome.run(_AGAIN)
    peak = max(outcome.runs, key=lambda one: one.peak_mib)
    share = first.destination / first.writes
    return [
        Verdict(
            "pairs of a user and a repository with other rights: 0", f"{outcome.different} of {outcome.pairs:,}", not outcome.different
        ),
        Verdict("second run: changed at most 0", f"{again.changed}", again.changed == 0),
        Verdict("second run: requests that write at most 0", f"{again.writes}", again.writes == 0),
        Verdict(
            f"requests to the destination for each that writes at most {_MOST_REQUESTS:g}",
            f"{share:.2f} ({first.destination:,} for {first.writes:,})",
            share <= _MOST_REQUESTS,
        ),
        Verdict(
            f"peak memory of the largest module at most {_MOST_MIB} MiB",
            f"{peak.peak_mib:.0f} MiB ({peak.largest}, {peak.what})",
            peak.peak_mib <= _MOST_MIB,
        ),
    ]


_HEADINGS = [
    "run",
    "tags",
    "wall s",
    "CPU s",
    "peak MiB of a module",
    "requests to the source",
    "to the destination",
    "of these writing",
    "commands to databases",
    "changed",
    "load",
]


def _rows(outcome: Outcome) -> list[list[str]]:
    return [
        [
            one.what,
            one.tags,
            f"{one.wall:.1f}",
            f"{one.cpu:.1f}",
            f"{one.peak_mib:.0f} ({one.largest})",
            f"{one.source:,}",
            f"{one.destination:,}",
            f"{one.writes:,}",
            f"{one.commands[0]} + {one.commands[1]}",
            f"{one.changed}",
            f"{one.load:.1f}",
        ]
        for one in outcome.runs
    ]


def terminal(outcome: Outcome) -> str:
    """For a terminal."""
    return text_table(_HEADINGS, _rows(outcome))


def section(outcome: Outcome, date: str, command: str, machine: t.Mapping[str, str]) -> str:
    """The part of docs/benchmarks.md."""
    sizes = ", ".join(f"{number:,} {name}" for name, number in dataclasses.asdict(outcome.size).items())
    there = ", ".join(f"{number:,} of {kind}" for kind, number in outcome.written.items())
    used = ", ".join(f"{name} {value}" for name, value in machine.items() if name != "docker-registry")
    facts = [
        f"Measured {date} by `{command}`.",
        f"At the source: {sizes}. At the destination afterwards: {there}.",
        f"Proof: {outcome.proved}.",
        f"By the rows of both: {outcome.different} of {outcome.pairs:,} pairs have other rights; all tokens are there, with their dates.",
        "Each run is one `ansible-playbook` from its start to its end: `migrate_msr` with the tags in the table, then `identity_verify`.",
        "Each of them reads the source anew.",
        "CPU is that of Ansible with its modules; memory is that of one module alone, the one with most.",
        "From an MSR 2.9 (databases over SSH, on its node and on a manager of its MKE) to an MSR 3 (database in a pod of a cluster).",
        "Both are doubles, in Python and Node.js on the same cores: the seconds are theirs more than ours. Requests are exact.",
        f"Machine: {used}; `load` is its load average over one minute just before a run.",
    ]
    return (
        f"## {NAME}: people of a large company\n\n"
        + "".join(f"- {fact}\n" for fact in facts)
        + "\n"
        + markdown_table(_HEADINGS, _rows(outcome))
    )

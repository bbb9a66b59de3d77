# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contenders: for each the command that a user would give to copy everything, ours and those of other tools.

Those of other tools get a list of what there is to copy, for free; ours finds it out by itself.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

from bench.metering import Command

MODULE = "registry_image_copy"
NAMESPACE = "registryops.migration"


@dataclasses.dataclass(frozen=True)
class Setting:
    """One run: hosts with ports, what there is to copy, and where files may lie. `state`: the folder for our ledger."""

    source: str
    destination: str
    tags: t.Mapping[str, t.Mapping[str, str]]
    folder: Path
    state: Path
    collections: Path
    cache: Path

    @property
    def repositories(self) -> list[str]:
        """All of them, in order."""
        return sorted(self.tags)

    @property
    def references(self) -> list[str]:
        """`repository:tag` of everything, in order."""
        return [f"{repository}:{tag}" for repository in self.repositories for tag in sorted(self.tags[repository])]

    def file(self, name: str, text: str) -> Path:
        """Write a file for the command."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def environment(self, **more: str) -> dict[str, str]:
        """Nothing of the user's own settings: no proxies, no credentials, no caches of theirs."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        names = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "DOCKER_CONFIG", "TMPDIR")
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", **dict.fromkeys(names, str(home)), **more}


@dataclasses.dataclass(frozen=True)
class Contender:
    """A way to copy. `concurrency` says how many connections or processes it uses; `program` has to be on PATH."""

    name: str
    title: str
    concurrency: str
    command: t.Callable[[Setting], Command]
    program: str = ""
    version: tuple[str, ...] = ()
    ours: bool = False

    @property
    def installed(self) -> bool:
        """Whether it can be run here."""
        return not self.program or shutil.which(self.program) is not None

    def version_text(self) -> str:
        """The first line of what it says about its version."""
        if not self.version:
            return ""
        answer = subprocess.run(self.version, capture_output=True, text=True, check=False, timeout=60)
        lines = (answer.stdout or answer.stderr).strip().splitlines()
        return lines[0] if lines else ""


# -- ours --------------------------------------------------------------------------------------------------------------

Options = t.Mapping[str, t.Any]


def _module_options(setting: Setting, options: Options, state: str = "") -> dict[str, t.Any]:
    sides = {"source": {"url": f"http://{setting.source}"}, "destination": {"url": f"http://{setting.destination}"}}
    merged: dict[str, t.Any] = {"state_dir": str(setting.state / state), **sides}
    for name, value in options.items():
        merged[name] = {**merged[name], **value} if name in sides else value
    return merged


def _module_environment(setting: Setting) -> dict[str, str]:
    # compiled once, as for an installed program; inside of a playbook Ansible's own way holds
    return setting.environment(PYTHONPATH=str(setting.collections), PYTHONPYCACHEPREFIX=str(setting.cache))


def _module_file(setting: Setting) -> str:
    return str(setting.collections / "ansible_collections" / "registryops" / "migration" / "plugins" / "modules" / f"{MODULE}.py")


def _module(options: Options) -> t.Callable[[Setting], Command]:
    def command(setting: Setting) -> Command:
        arguments = setting.file("arguments.json", json.dumps({"ANSIBLE_MODULE_ARGS": _module_options(setting, options)}))
        return Command((sys.executable, _module_file(setting)), _module_environment(setting), arguments)

    return command


def _two_workers(options: Options) -> t.Callable[[Setting], Command]:
    """Two processes side by side, each with every second repository, as two hosts of an inventory share the work."""

    def command(setting: Setting) -> Command:
        started = []
        for number in range(2):
            neighbours = [str(setting.state / f"worker{1 - number}")]
            mine = {**options, "only_repositories": setting.repositories[number::2], "neighbour_state_dirs": neighbours}
            arguments = {"ANSIBLE_MODULE_ARGS": _module_options(setting, mine, f"worker{number}")}
            path = setting.file(f"arguments{number}.json", json.dumps(arguments))
            started.append(f"{shlex.join([sys.executable, _module_file(setting)])} < {shlex.quote(str(path))} &")
        script = "\n".join([f"{start}\nworker{number}=$!" for number, start in enumerate(started)])
        ending = 'wait "$worker0"; first=$?\nwait "$worker1"; second=$?\nexit $((first > second ? first : second))'
        return Command(("sh", "-c", f"{script}\n{ending}"), _module_environment(setting))

    return command


def _playbook(options: Options) -> t.Callable[[Setting], Command]:
    def command(setting: Setting) -> Command:
        task = {"name": "Copy", f"{NAMESPACE}.{MODULE}": _module_options(setting, options)}
        variables = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        play = {"name": "Copy", "hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [task]}
        path = setting.file("playbook.json", json.dumps([play]))
        config = setting.file("ansible.cfg", "")
        environment = setting.environment(
            ANSIBLE_COLLECTIONS_PATH=str(setting.collections),
            ANSIBLE_CONFIG=str(config),
            ANSIBLE_HOME=str(setting.folder / "home" / ".ansible"),
        )
        return Command(("ansible-playbook", "-i", "localhost,", str(path)), environment)

    return command


def ours(variants: t.Mapping[str, Options]) -> list[Contender]:
    """The module alone, in a playbook, and as two workers; and once more for each variant of its options."""
    interpreter = (sys.executable, "--version")
    found = []
    for variant, options in {"": {}, **variants}.items():
        ending, words = (f":{variant}", f", {json.dumps(options)}") if variant else ("", "")
        concurrency = f"{options.get('workers', 'default')} workers"
        more: dict[str, t.Any] = {"ours": True, "version": interpreter}
        found += [
            Contender(f"module{ending}", f"our module alone{words}", concurrency, _module(options), **more),
            Contender(
                f"playbook{ending}",
                f"ansible-playbook with our module{words}",
                concurrency,
                _playbook(options),
                program="ansible-playbook",
                ours=True,
                version=("ansible-playbook", "--version"),
            ),
            Contender(f"two-workers{ending}", f"two processes of our module{words}", f"2 x {concurrency}", _two_workers(options), **more),
        ]
    return found


# -- other tools -------------------------------------------------------------------------------------------------------


def _in_parallel(setting: Setting, processes: int, arguments: t.Sequence[str], pairs: t.Iterable[tuple[str, str]]) -> Command:
    """A command once for each pair, so many at a time: `xargs` is what people do that with."""
    listed = setting.file("pairs", "".join(f"{source} {destination}\n" for source, destination in pairs))
    command = ("xargs", "-a", str(listed), "-P", str(processes), "-n", "2", *arguments)
    return Command(command, setting.environment())


def _skopeo_copy(processes: int) -> t.Callable[[Setting], Command]:
    def command(setting: Setting) -> Command:
        plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
        pairs = [(f"docker://{setting.source}/{one}", f"docker://{setting.destination}/{one}") for one in setting.references]
        return _in_parallel(setting, processes, ("skopeo", "--insecure-policy", "copy", "--quiet", "--all", *plain), pairs)

    return command


def _skopeo_sync(setting: Setting) -> Command:
    """One process; it puts the last component of a name under the destination's path, so all names must share the others."""
    (parent,) = {repository.rpartition("/")[0] for repository in setting.repositories}
    images: dict[str, list[str]] = {repository: [] for repository in setting.repositories}  # no tags named: all of them
    listed = setting.file("sync.yml", json.dumps({setting.source: {"tls-verify": False, "images": images}}))
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    ways = ("--all", "--keep-going", "--src", "yaml", "--dest", "docker")
    command = ("skopeo", "--insecure-policy", "sync", *ways, *plain, str(listed), f"{setting.destination}/{parent}")
    return Command(command, setting.environment())


def _crane(processes: int, jobs: int) -> t.Callable[[Setting], Command]:
    def command(setting: Setting) -> Command:
        pairs = [(f"{setting.source}/{one}", f"{setting.destination}/{one}") for one in setting.repositories]
        return _in_parallel(setting, processes, ("crane", "copy", "--insecure", "--all-tags", "--jobs", str(jobs)), pairs)

    return command


def _regsync(parallel: int, connections: int) -> t.Callable[[Setting], Command]:
    def command(setting: Setting) -> Command:
        hosts = [{"registry": host, "tls": "disabled", "reqConcurrent": connections} for host in (setting.source, setting.destination)]
        entries = [
            {"source": f"{setting.source}/{one}", "target": f"{setting.destination}/{one}", "type": "repository"}
            for one in setting.repositories
        ]
        document = {"version": 1, "creds": hosts, "defaults": {"parallel": parallel}, "sync": entries}
        path = setting.file("regsync.yml", json.dumps(document))
        return Command(("regsync", "once", "--config", str(path)), setting.environment())

    return command


def _regctl(processes: int) -> t.Callable[[Setting], Command]:
    def command(setting: Setting) -> Command:
        plain = [f"--host=reg={host},tls=disabled" for host in (setting.source, setting.destination)]
        pairs = [(f"{setting.source}/{one}", f"{setting.destination}/{one}") for one in setting.references]
        return _in_parallel(setting, processes, ("regctl", *plain, "image", "copy"), pairs)

    return command


def _image_syncer(processes: int) -> t.Callable[[Setting], Command]:
    def command(setting: Setting) -> Command:
        hosts = {host: {"username": "", "password": "", "insecure": True} for host in (setting.source, setting.destination)}
        images = {f"{setting.source}/{one}": f"{setting.destination}/{one}" for one in setting.repositories}
        access = setting.file("access.json", json.dumps(hosts))
        listed = setting.file("images.json", json.dumps(images))
        command = ("image-syncer", "--proc", str(processes), "--auth", str(access), "--images", str(listed), "--retries", "3")
        return Command(command, setting.environment())

    return command


def peers() -> list[Contender]:
    """Other tools, at a concurrency that suits them; the first of each tool is the one that is used unless another one is asked for."""
    skopeo: dict[str, t.Any] = {"program": "skopeo", "version": ("skopeo", "--version")}
    crane: dict[str, t.Any] = {"program": "crane", "version": ("crane", "version")}
    regsync: dict[str, t.Any] = {"program": "regsync", "version": ("regsync", "version", "--format", "{{.VCSTag}} {{.VCSRef}}")}
    found = [
        Contender(f"skopeo-copy-{count}", "skopeo copy --all for each tag", f"{count} processes", _skopeo_copy(count), **skopeo)
        for count in (5, 8, 16)
    ]
    found.append(Contender("skopeo-sync", "skopeo sync --all", "one process, images in turn, 6 layers at once", _skopeo_sync, **skopeo))
    found += [
        Contender(
            f"crane-{count}x4", "crane copy --all-tags for each repository", f"{count} processes of 4 jobs", _crane(count, 4), **crane
        )
        for count in (4, 16)
    ]
    found += [
        Contender(
            f"regsync-{parallel}",
            "regsync once",
            f"parallel {parallel}, {connections} connections a host",
            _regsync(parallel, connections),
            **regsync,
        )
        for parallel, connections in ((4, 3), (8, 16))
    ]
    found.append(
        Contender(
            "regctl-5",
            "regctl image copy for each tag",
            "5 processes",
            _regctl(5),
            program="regctl",
            version=("regctl", "version", "--format", "{{.VCSTag}} {{.VCSRef}}"),
        )
    )
    found.append(Contender("image-syncer-6", "image-syncer", "6 at once", _image_syncer(6), program="image-syncer"))
    return found


#: of each tool the setting that is used when nobody asks for another one
USUAL_PEERS = ("skopeo-copy-5", "skopeo-sync", "crane-4x4", "regsync-4", "image-syncer-6")

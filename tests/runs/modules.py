# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules as Ansible runs them: a process of their own, options as JSON, the result as JSON on standard output."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
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
    """What a module gave back; `text` is all that it wrote, for a search for what ought not to be in it."""

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
    with tempfile.TemporaryDirectory(prefix="module-") as folder:
        control = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": folder, "_ansible_verbosity": 3}
        arguments = Path(folder, "arguments.json")
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **control}}), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", f"{PLUGINS}.modules.{name}", str(arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=folder,
            env=environment(Path(folder), **(variables or {})),
        )
    try:
        result: Options = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"{name} gave no result:\n{done.stdout}\n{done.stderr}") from None
    assert bool(result.get("failed")) == (done.returncode != 0)
    return ModuleRun(result, f"{done.stdout}\n{done.stderr}")


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

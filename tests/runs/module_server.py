# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs modules for `modules`: a process that has imported what all of them need, and forks for each run.

Starting Python and importing Ansible takes ten times as long as most runs. A run is a line of JSON on standard input: the module's
full name, the file of its arguments, its folder and environment, the files for what it writes, and the file that gets its process
id. The answer is its exit status, or less a signal's number.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import sys
import traceback
import typing as t

PLUGINS = "ansible_collections.registryops.migration.plugins"
#: the modules themselves are not imported: a run has to find out whether they can be
IMPORTED = ("_module.connections", "_module.results", "_copying.deletion", "_copying.inventory", "_copying.report", "_copying.verification")
LONGEST_RUN = 120


def run(order: t.Mapping[str, t.Any]) -> int:
    """Run a module in a process of its own; returns its exit status."""
    child = os.fork()
    if child:
        # renamed, so that nobody reads half of a number
        with open(f"{order['pid']}.new", "w", encoding="ascii") as file:
            file.write(str(child))
        os.replace(f"{order['pid']}.new", order["pid"])
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        signal.alarm(LONGEST_RUN)
        for number, path in enumerate((os.devnull, order["out"], order["err"])):
            file = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(file, number)
            os.close(file)
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["folder"])
        sys.argv = [order["module"], order["arguments"]]
        runpy.run_module(order["module"], run_name="__main__", alter_sys=False)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, it is what the module ended with
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    for name in IMPORTED:
        importlib.import_module(f"{PLUGINS}.module_utils.{name}")
    for line in sys.stdin:
        print(run(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()

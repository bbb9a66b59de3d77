# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An interpreter for a playbook's modules: `python -I -S peaks.py FILE PYTHON …` runs PYTHON with the arguments and adds a line to FILE.

The line is the peak of that process alone, in KiB, and the name of the module: the memory of ansible-playbook beside it is not in it.
"""

from __future__ import annotations

import os
import sys


def main(file: str, *command: str) -> int:
    """The exit status of the command."""
    _pid, status, usage = os.wait4(os.posix_spawn(command[0], command, os.environ), 0)
    name = os.path.basename(command[1]) if len(command) > 1 else "-"
    with open(file, "a", encoding="utf-8") as peaks:
        peaks.write(f"{usage.ru_maxrss} {name.removeprefix('AnsiballZ_').removesuffix('.py')}\n")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

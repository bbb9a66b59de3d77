# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a contender's command and reads what it cost."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

_METER = Path(__file__).with_name("meter.py")


class Interrupted(RuntimeError):
    """The command did not come to its end."""


@dataclasses.dataclass(frozen=True)
class Command:
    """What a user would start. `environment` is the whole of it."""

    arguments: tuple[str, ...]
    environment: t.Mapping[str, str]
    stdin: Path | None = None


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one command from its start to its end: seconds, KiB of its largest process, and its exit status."""

    wall: float
    user: float
    system: float
    peak_kib: int
    status: int

    @property
    def cpu(self) -> float:
        """User and system time, in seconds."""
        return self.user + self.system


def run(command: Command, folder: Path) -> Cost:
    """Run a command to its end; what it says goes to `folder/output`. However this ends, nothing of it runs afterwards."""
    answer, output = folder / "cost.json", folder / "output"
    answer.unlink(missing_ok=True)
    with open(command.stdin or os.devnull, "rb") as stdin:
        meter = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_METER), str(answer), str(output), *command.arguments],
            stdin=stdin,
            env=dict(command.environment),
            cwd=folder,
            start_new_session=True,  # an interrupt at the terminal is for the harness, which then ends the meter
        )
        try:
            meter.wait()
        finally:
            if meter.poll() is None:
                meter.terminate()
                meter.wait()
    if not answer.exists():
        raise Interrupted(f"{command.arguments[0]}: the meter ended with {meter.returncode}\n{said(folder)}")
    measured = json.loads(answer.read_text(encoding="ascii"))
    status = os.waitstatus_to_exitcode(measured["status"])
    return Cost(measured["wall"], measured["user"], measured["system"], measured["peak_kib"], status)


def said(folder: Path, most: int = 3000) -> str:
    """The end of what the last command said."""
    output = folder / "output"
    return output.read_bytes()[-most:].decode(errors="replace") if output.exists() else ""

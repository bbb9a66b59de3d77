# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one command and says what it cost: `python -I -S meter.py ANSWER LOG COMMAND …` writes JSON to the file ANSWER.

A process of its own, and a small one: Linux counts a parent's memory as the peak of a child that it forks, and the harness has more
memory than some contenders. Times are in seconds, memory in KiB; CPU is that of the command and of everything that it has started, also
of what it has left in the background, whose end is waited for, but not counted as its time.
When it is told to end, it ends the command and everything below it first.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
import types

STOPPED_BY = (signal.SIGTERM, signal.SIGINT)
#: of prctl(2): what loses its parent becomes this process's child, so that its costs can be told
PR_SET_CHILD_SUBREAPER = 36


def below(pid: int) -> list[int]:
    """Process ids of the children of a process, their children, and so on."""
    found = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                for child in map(int, file.read().split()):
                    found += [child, *below(child)]
    return found


def end_all(patience: float = 5.0) -> None:
    """End everything below this process: asked first, killed later."""
    whole = below(os.getpid())
    for number in (signal.SIGTERM, signal.SIGKILL):
        for one in whole:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and any(os.path.exists(f"/proc/{one}") for one in whole):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            time.sleep(0.05)


def main(answer: str, log: str, *command: str) -> None:
    def stop(number: int, frame: types.FrameType | None) -> None:
        for ignored in STOPPED_BY:
            signal.signal(ignored, signal.SIG_IGN)
        end_all()
        os._exit(128 + number)

    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    # not between the fork and the moment when it is known whom to end
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPED_BY)
    begin = time.monotonic()
    pid = os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPED_BY)
        os.dup2(output, 1)
        os.dup2(output, 2)
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    for number in STOPPED_BY:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPED_BY)
    wall, user, system, peak, outcome = 0.0, 0.0, 0.0, 0, 0
    with contextlib.suppress(ChildProcessError):
        while True:
            ended, status, usage = os.wait4(-1, 0)
            if ended == pid:
                wall, outcome = time.monotonic() - begin, status
            user, system, peak = user + usage.ru_utime, system + usage.ru_stime, max(peak, usage.ru_maxrss)
    with open(answer, "w", encoding="ascii") as file:
        json.dump({"wall": wall, "user": user, "system": system, "peak_kib": peak, "status": outcome}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])

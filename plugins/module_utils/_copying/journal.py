# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The journal of a run: how far it is, for whoever watches, and the way to ask it to stop.

`progress.jsonl` in the state folder holds a line of JSON each: a `head` that says what runs and where, `progress` at most once a second,
and an `end` with the result. Who reads the first line and the last one knows all that there is to know, at any time: the file stays
below LARGEST because older progress is thinned out, and a new run begins a new one.

One thread writes it. Nothing is written for a tag: the thread reads counters that the run has anyway. The same thread looks for the
file `stop` beside the journal.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AlreadyRunning, StateError

KIND = "registryops.migration/progress"
SCHEMA = 1
JOURNAL_FILE = "progress.jsonl"
STOP_FILE = "stop"
#: bytes of a journal's head and progress; its end comes on top
LARGEST = 1 << 20
#: seconds between two looks at the stop file, and between two lines in a run's first ten minutes
_TICK, _INTERVAL = 0.25, 1.0
#: seconds between two lines at the most; a reader takes much longer silence for death
_LONGEST_INTERVAL = 10.0
_LONG_RUN = 600.0
#: seconds over which rates are averaged
_RATE_WINDOW = 10.0

Record = dict[str, t.Any]


class Watched(t.Protocol):
    """A run, as its journal sees it."""

    def progress(self) -> Record:
        """How far it is, see `Watch.progress`."""

    def stop(self) -> None:
        """Have it end as soon as it can."""


class Journal:
    """The journal of one run, from `open` to `end`. A journal that is never opened does nothing.

    `plan`: tells what the run does from what another one does. `announcement`: a path that is made a link to the journal as soon as
    there is one, so that who has started the run finds it; empty for none.
    """

    def __init__(self, plan: str = "", announcement: str = "") -> None:
        self.plan = plan
        self.run = secrets.token_hex(8)
        self._announcement = os.path.expanduser(announcement)
        self._folder = ""
        self._written = 0
        self._kept: list[bytes] = []
        self._rates: list[tuple[float, int, int]] = []
        self._ended = threading.Event()
        self._file: int | None = None
        self._thread: threading.Thread | None = None

    def open(self, folder: str, source: str, destination: str, watched: Watched) -> None:
        """Begin. The caller holds the folder's lock. StateError if the journal cannot be written."""
        self._folder = folder
        head = {
            "record": "head",
            "kind": KIND,
            "schema": SCHEMA,
            "run": self.run,
            "plan": self.plan,
            "pid": os.getpid(),
            "born": birth(os.getpid()),
            "started": round(time.time(), 3),
            "source": source,
            "destination": destination,
            "folder": folder,
            "announcement": self._announcement,
        }
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, STOP_FILE))
        self._kept = [_line(head)]
        try:
            self._rewrite()
        except OSError as error:
            raise StateError(
                f"the journal cannot be written: {error.strerror}.", subject=folder, hint="Look at free space and permissions."
            ) from error
        self._announce(folder)
        self._thread = threading.Thread(target=self._watch, args=(watched,), name="journal", daemon=True)
        self._thread.start()

    def join(self, error: AlreadyRunning) -> None:
        """Another run has the folder. If it does what this one was to do, let who has started this one find its journal, and say so."""
        head = error.running
        if head is None or not self.plan or head.get("plan") != self.plan:
            return
        error.message = error.message.replace("another run uses this state folder: a copy", "this copy is under way already,", 1)
        error.args = (error.message,)
        self._announce(error.subject)

    def _announce(self, folder: str) -> None:
        """Let the announcement lead to the journal in a folder, at once as a whole. Who does not find it has less to see."""
        if not self._announcement:
            return
        temporary = f"{self._announcement}.part"
        with contextlib.suppress(OSError):
            os.symlink(os.path.join(folder, JOURNAL_FILE), temporary)
            os.replace(temporary, self._announcement)

    def end(self, result: Record) -> None:
        """Write the last line, with what the task returns; there must be no secrets in it."""
        if self._thread is None or self._ended.is_set():
            return
        self._ended.set()
        self._thread.join()
        # a full disk must not turn a good run into a bad one: it is the result of the task that counts
        with contextlib.suppress(OSError):
            self._append(_line({"record": "end", "time": round(time.time(), 3), "result": result}))
        if self._file is not None:
            os.close(self._file)
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self._folder, STOP_FILE))

    # -- the thread
    def _watch(self, watched: Watched) -> None:
        started = time.monotonic()
        due, stopping = started, False
        stop_file = os.path.join(self._folder, STOP_FILE)
        while True:
            now = time.monotonic()
            if now >= due:
                due = now + min(_LONGEST_INTERVAL, max(_INTERVAL, _INTERVAL * (now - started) / _LONG_RUN))
                self._write(watched.progress(), now - started, stopping)
            if not stopping and os.path.exists(stop_file):
                stopping = True
                watched.stop()
            if self._ended.wait(_TICK):
                # the last state of things, for who looks only at the numbers
                self._write(watched.progress(), time.monotonic() - started, stopping)
                return

    def _write(self, progress: Record, seconds: float, stopping: bool) -> None:
        tags, moved = self._rate(seconds, progress["tags_done"], progress["bytes_done"])
        record = {
            "record": "progress",
            "time": round(time.time(), 3),
            "seconds": round(seconds, 1),
            **progress,
            "tags_per_second": round(tags, 2),
            "bytes_per_second": round(moved),
            "stopping": stopping,
        }
        line = _line(record)
        with contextlib.suppress(OSError):
            self._append(line)
        self._kept.append(line)
        if self._written > LARGEST:
            # every other line of progress goes
            self._kept = [self._kept[0], *self._kept[2::2]]
            with contextlib.suppress(OSError):
                self._rewrite()

    def _rate(self, seconds: float, tags: int, moved: int) -> tuple[float, float]:
        """Tags and bytes a second of late."""
        self._rates.append((seconds, tags, moved))
        while len(self._rates) > 2 and self._rates[1][0] <= seconds - _RATE_WINDOW:
            del self._rates[0]
        before = self._rates[0]
        passed = seconds - before[0]
        if passed <= 0:
            return 0.0, 0.0
        return max(0, tags - before[1]) / passed, max(0, moved - before[2]) / passed

    def _append(self, line: bytes) -> None:
        """Add a line by one call, so that no reader finds half of one."""
        if self._file is not None:
            os.write(self._file, line)
            self._written += len(line)

    def _rewrite(self) -> None:
        """Put a file with the lines that are kept in the place of the one that is there."""
        path = os.path.join(self._folder, JOURNAL_FILE)
        file = os.open(f"{path}.part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            for line in self._kept:
                os.write(file, line)
            os.replace(f"{path}.part", path)
        except BaseException:
            os.close(file)
            raise
        before, self._file = self._file, file
        self._written = sum(map(len, self._kept))
        if before is not None:
            os.close(before)


def _line(record: Record) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


# -- reading
def running(folder: str) -> tuple[Record, Record] | None:
    """Head and last record of the copy that is under way in a state folder; None where there is no journal of a living one."""
    try:
        with open(os.path.join(folder, JOURNAL_FILE), "rb") as file:
            first = file.readline()
            size = file.seek(0, os.SEEK_END)
            # progress is a few hundred bytes; an end, which may be longer, is none of a living run
            file.seek(max(0, size - 8192))
            last = file.read().splitlines()[-1]
        head, latest = json.loads(first), json.loads(last)
        if head["kind"] != KIND or latest["record"] == "end" or not is_alive(head["pid"], head["born"]):
            return None
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    return head, latest


def birth(pid: int) -> str:
    """When a process began, in a form that tells it from a later one with its number; empty where the system does not say (proc(5))."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # the name before it may hold anything, but for its end
            return file.read().rpartition(b")")[2].split()[19].decode("ascii")
    except (OSError, IndexError):
        return ""


def is_alive(pid: int, born: str) -> bool:
    """Whether the process is still there that had this number and began then."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # somebody else's
        return birth(pid) == born
    return birth(pid) == born


def in_use(folder: str) -> AlreadyRunning:
    """Why a state folder cannot be used that is locked: who has it, and how far that one is."""
    found = running(folder)
    if found is None:
        return AlreadyRunning(
            "another run uses this state folder.", subject=folder, hint="Wait for it to end, or give this run its own state_dir."
        )
    head, latest = found
    return AlreadyRunning(
        f"another run uses this state folder: a copy from {head['source']} to {head['destination']} ({_how_far(head, latest)}).",
        subject=folder,
        hint=f"Wait for it to end, or give this run its own state_dir; the file {os.path.join(folder, STOP_FILE)} stops the other.",
        running=head,
    )


def _how_far(head: Record, latest: Record) -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(head["started"]))
    words = f"process {head['pid']}, since {since} UTC"
    done, total = latest.get("tags_done"), latest.get("tags_total")
    return words if total is None else f"{words}, {done} of {total} tags done"

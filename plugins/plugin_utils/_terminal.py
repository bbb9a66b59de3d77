# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The bottom rows of a terminal, for lines that change in place, while everything else scrolls above them as ever.

The terminal's scrolling region (DECSTBM) ends above these rows, so that no other output ever touches them, whoever writes it. Each
process that shows something has one row. A row is drawn by one call, with the cursor saved and restored (DECSC, DECRC), and the
rows are divided by locks that end with their holders.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import multiprocessing
import os
import sys
import typing as t

#: a terminal with fewer rows or columns is too small to give any away
FEWEST_ROWS, FEWEST_COLUMNS = 8, 40
#: of all rows this part may be taken, at the most
_MOST_OF_ROWS = 3


class Screen:
    """Where the controller writes: a copy of its standard output."""

    def __init__(self, descriptor: int, encoding: str) -> None:
        self.descriptor = descriptor
        self.encoding = encoding

    @classmethod
    def find(cls) -> Screen | None:
        """The screen of this process; None in the processes that Ansible forks for its tasks, which have none any more.

        What goes into a pipe would wait there until it is some kilobytes: from now on each line is sent when it is whole.
        """
        if multiprocessing.parent_process() is not None:
            return None
        try:
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(line_buffering=True)
            return cls(os.dup(sys.stdout.fileno()), sys.stdout.encoding or "ascii")
        except (OSError, ValueError, AttributeError):
            # whatever has been put in the place of the standard output is no file
            return None

    @property
    def updates(self) -> bool:
        """Whether rows of it can be written again and again."""
        return os.isatty(self.descriptor) and os.environ.get("TERM", "dumb") != "dumb" and self.size() is not None

    @property
    def unicode(self) -> bool:
        """Whether it shows more than ASCII."""
        return self.encoding.lower().replace("-", "") == "utf8"

    def size(self) -> tuple[int, int] | None:
        """Columns and rows; None where there are too few."""
        try:
            columns, rows = os.get_terminal_size(self.descriptor)
        except OSError:
            return None
        return (columns, rows) if rows >= FEWEST_ROWS and columns >= FEWEST_COLUMNS else None

    def write(self, text: str) -> None:
        """Write at once. A terminal that is gone is no reason to give up what it was to show."""
        with contextlib.suppress(OSError):
            os.write(self.descriptor, text.encode(self.encoding, "replace"))


class Row:
    """A row at the bottom of a screen, from `take` to `give_back`.

    `folder`: where the locks are, one for all processes of a controller. The file `layout` says how many rows are taken, and how many
    rows the screen had then; who changes the layout holds its lock.
    """

    def __init__(self, screen: Screen, folder: str) -> None:
        self._screen = screen
        self._folder = folder
        self._number = -1
        self._lock: t.IO[str] | None = None

    def take(self) -> bool:
        """Take the lowest row that is free; False where there is none."""
        with self._layout() as (taken, height):
            size = self._screen.size()
            if size is None:
                return False
            for number in range(max(1, size[1] // _MOST_OF_ROWS)):
                lock = self._try(number)
                if lock is not None:
                    self._number, self._lock = number, lock
                    if height != size[1]:
                        taken = 0
                    if number >= taken:
                        self._reserve(taken, number + 1, size[1])
                    return True
        return False

    def draw(self, text: str) -> None:
        """Show this text, which fits into a row."""
        size = self._screen.size()
        if size is None or self._lock is None:
            return
        with self._layout() as (taken, height):
            if height != size[1]:
                # a terminal whose size has changed has forgotten its region
                self._reserve(0, max(taken, self._number + 1), size[1])
        self._screen.write(f"\x1b7\x1b[{size[1] - self._number};1H\x1b[0m\x1b[2K{text}\x1b8")

    def give_back(self) -> None:
        """Leave the row empty; the last one to do so gives the whole screen back."""
        if self._lock is None:
            return
        with self._layout() as (taken, height):
            self._lock.close()
            self._lock = None
            size = self._screen.size()
            rows = size[1] if size else height
            self._screen.write(f"\x1b7\x1b[{rows - self._number};1H\x1b[2K\x1b8")
            others = [number for number in range(taken) if not self._is_free(number)]
            if not others:
                self._screen.write("\x1b7\x1b[r\x1b8")
                self._note(0, 0)

    # -- the layout
    @contextlib.contextmanager
    def _layout(self) -> t.Iterator[tuple[int, int]]:
        with open(os.path.join(self._folder, "layout"), "a+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            taken, height = (int(word) for word in (file.read() or "0 0").split())
            yield taken, height

    def _note(self, taken: int, height: int) -> None:
        """Write the layout down; its lock is held."""
        with open(os.path.join(self._folder, "layout"), "r+", encoding="ascii") as file:
            file.truncate()
            file.write(f"{taken} {height}")

    def _reserve(self, before: int, after: int, height: int) -> None:
        """Let the region end `after` rows above the bottom; what stands there is moved up, and the cursor stays in its place."""
        more = after - before
        # down (IND, which scrolls at the end) and up again
        room = "\x1bD" * more + f"\x1b[{more}A" if more > 0 else ""
        self._screen.write(f"{room}\x1b7\x1b[1;{height - after}r\x1b8")
        self._note(after, height)

    def _try(self, number: int) -> t.IO[str] | None:
        lock = open(os.path.join(self._folder, f"row.{number}"), "a", encoding="ascii")  # noqa: SIM115 - held until given back
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return None
        return lock

    def _is_free(self, number: int) -> bool:
        lock = self._try(number)
        if lock is not None:
            lock.close()
        return lock is not None

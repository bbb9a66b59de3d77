# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A terminal for programs that are tested: what they write becomes rows of characters, as on a screen."""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import fcntl
import html
import itertools
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import typing as t

#: what a program may write beside text; anything else is an error of the program, or of this list
_SEQUENCE = re.compile(r"\x1b(?:([78DM])|\[([0-9;?]*)([A-Za-z]))")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9;?]*\r?)?\Z")
#: a sequence that ends where another one begins, as Ansible's questions write them; a terminal returns the carriage all the same
_CANCELLED = re.compile(r"\x1b\[[0-9;?]*(\r?)(?=\x1b)")


@dataclasses.dataclass(frozen=True)
class Cell:
    """A character and the colours (SGR) that it has."""

    text: str = " "
    colour: str = ""


class Screen:
    """Rows and columns of cells. It knows scrolling regions, and saves the cursor; lines that leave at the top are in `gone`."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.cells = [[Cell()] * columns for _row in range(rows)]
        self.gone: list[str] = []
        self.top, self.bottom = 0, rows - 1
        self.row = self.column = 0
        self._colour = ""
        self._saved = (0, 0, "")
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._rest = ""

    def feed(self, data: bytes) -> None:
        """Take what a program has written."""
        text = _CANCELLED.sub(r"\1", self._rest + self._decoder.decode(data))
        unfinished = _UNFINISHED.search(text)
        self._rest = text[unfinished.start() :] if unfinished else ""
        text = text[: unfinished.start()] if unfinished else text
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                match = _SEQUENCE.match(text, at)
                assert match, f"unknown sequence: {text[at : at + 20]!r}"
                self._obey(match[1] or match[3], match[2] or "")
                at = match.end()
            else:
                self._type(text[at])
                at += 1

    def lines(self) -> list[str]:
        """The rows as text, without the space at their ends."""
        return ["".join(cell.text for cell in row).rstrip() for row in self.cells]

    def text(self) -> str:
        """All that was written, also what has left the screen."""
        return "\n".join([*self.gone, *self.lines()])

    def _type(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._down()
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character != "\a":
            assert character.isprintable(), repr(character)
            if self.column == self.columns:
                self.column = 0
                self._down()
            self.cells[self.row][self.column] = Cell(character, self._colour)
            self.column += 1

    def _down(self) -> None:
        if self.row != self.bottom:
            self.row = min(self.rows - 1, self.row + 1)
            return
        left = self.cells.pop(self.top)
        if self.top == 0:
            self.gone.append("".join(cell.text for cell in left).rstrip())
        self.cells.insert(self.bottom, [Cell()] * self.columns)

    def _obey(self, command: str, words: str) -> None:
        numbers = [int(word) if word.isdigit() else 0 for word in words.split(";")]
        if command == "7":
            self._saved = (self.row, self.column, self._colour)
        elif command == "8":
            self.row, self.column, self._colour = self._saved
        elif command == "D":
            self._down()
        elif command == "A":
            self.row = max(self.top, self.row - max(1, numbers[0]))
        elif command == "H":
            self.row = min(self.rows, max(1, numbers[0])) - 1
            self.column = min(self.columns, max(1, numbers[1] if len(numbers) > 1 else 1)) - 1
        elif command == "K":
            start = {"": self.column, "0": self.column, "2": 0}[words]
            self.cells[self.row][start:] = [Cell()] * (self.columns - start)
        elif command == "r":
            self.top = max(1, numbers[0]) - 1
            self.bottom = (numbers[1] if len(numbers) > 1 else self.rows) - 1
            self.row = self.column = 0
        elif command == "m":
            self._colour = "" if words in ("", "0") else words
        else:
            raise AssertionError(f"unknown sequence: {command!r} with {words!r}")


#: the colours of a picture, by their SGR number; 0 is text, and -1 what is behind it
_COLOURS = {0: "#d0d7de", -1: "#0d1117", 31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#56d4dd"}
_WIDTH, _HEIGHT, _MARGIN = 8, 18, 12


def as_svg(screen: Screen, title: str) -> str:
    """A picture of a screen, in whatever fonts the reader has: each piece of text is fitted to its columns."""
    rows = [number for number, line in enumerate(screen.lines()) if line]
    width, height = screen.columns * _WIDTH + 2 * _MARGIN, (rows[-1] + 1) * _HEIGHT + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        "<!--",
        "Copyright (c) 2026, registryops.migration contributors",
        "GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)",
        # in two pieces, or this line would be taken for a statement about this file
        "SPDX-License-" + "Identifier: GPL-3.0-or-later",
        "-->",
        f"<title>{html.escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="6" fill="{_COLOURS[-1]}"/>',
        '<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">',
    ]
    for number in rows:
        column = 0
        for key, cells in itertools.groupby(screen.cells[number], key=lambda cell: (cell.colour, cell.text in "━─", cell.text)[:2]):
            text = "".join(cell.text for cell in cells)
            colour = _COLOURS[next((int(word) for word in key[0].split(";") if word.isdigit() and int(word) in _COLOURS), 0)]
            left, top = _MARGIN + column * _WIDTH, _MARGIN + number * _HEIGHT
            column += len(text)
            if key[1]:
                parts += _gauge(text, left, top, colour)
                continue
            # more than one space would not be kept
            for piece in re.finditer(r"\S+(?: \S+)*", text):
                fitted = f'textLength="{len(piece[0]) * _WIDTH}" lengthAdjust="spacingAndGlyphs"'
                at = f'x="{left + piece.start() * _WIDTH}" y="{top + 13}"'
                parts.append(f'<text {at} {fitted} fill="{colour}">{html.escape(piece[0])}</text>')
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _gauge(text: str, left: int, top: int, colour: str) -> list[str]:
    """Lines that are drawn with characters, as lines."""
    bars = []
    for character, run in itertools.groupby(text):
        length = len(list(run)) * _WIDTH
        thick = 4 if character == "━" else 1
        bars.append(f'<rect x="{left}" y="{top + 9 - thick / 2:g}" width="{length}" height="{thick}" fill="{colour}"/>')
        left += length
    return bars


class Terminal:
    """A program in a pseudo-terminal, and the screen that shows what it writes. `seen` is told of each change."""

    def __init__(
        self,
        command: t.Sequence[str],
        folder: str,
        environment: t.Mapping[str, str],
        rows: int = 24,
        columns: int = 100,
        seen: t.Callable[[Screen], None] | None = None,
    ) -> None:
        self.screen = Screen(rows, columns)
        self._seen = seen
        self._status: int | None = None
        # the child waits for the size of its terminal
        ready, go = os.pipe()
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            try:
                os.close(go)
                os.read(ready, 1)
                os.chdir(folder)
                os.execvpe(command[0], list(command), {**environment, "TERM": "xterm-256color"})
            finally:
                os._exit(127)
        os.close(ready)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.close(go)

    def type(self, text: str) -> None:
        """Press keys; `\\x03` is Ctrl-C."""
        os.write(self._descriptor, text.encode())

    @property
    def listens(self) -> bool:
        """Whether the program reads key by key, as one does that asks something."""
        return not termios.tcgetattr(self._descriptor)[3] & termios.ICANON

    def wait_while(self, listening: bool, seconds: float) -> bool:
        """Wait for the program to listen, or to listen no more; whether it came to that."""
        deadline = time.monotonic() + seconds
        while self.listens is listening:
            if time.monotonic() >= deadline or not self._read():
                return False
        return True

    def wait_for(self, pattern: str, seconds: float = 60.0) -> str:
        """Wait until a line of the screen matches; returns it."""
        deadline = time.monotonic() + seconds
        while True:
            for line in [*self.screen.lines(), *self.screen.gone]:
                if re.search(pattern, line):
                    return line
            assert time.monotonic() < deadline, f"{pattern!r} does not come:\n{self.screen.text()}"
            assert self._read(), f"it ended without {pattern!r}:\n{self.screen.text()}"

    def wait(self, seconds: float = 60.0) -> int:
        """Wait for the end; returns the exit status."""
        deadline = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < deadline, f"it does not end:\n{self.screen.text()}"
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def _read(self) -> bool:
        """Show what has come since; False when nothing can come any more."""
        if not select.select([self._descriptor], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the last one to hold the other end has closed it
            return False
        self.screen.feed(data)
        if self._seen is not None:
            self._seen(self.screen)
        return bool(data)

    def close(self) -> None:
        """End the program, if it still runs."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._descriptor)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

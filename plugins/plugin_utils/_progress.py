# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Progress in words: records of a copy's journal as lines for people."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.sizes import size_of

Record = t.Mapping[str, t.Any]

_NARROWEST_BAR, _WIDEST_BAR = 8, 30
_CYAN, _RED, _PLAIN = "\x1b[36m", "\x1b[31m", "\x1b[0m"


@dataclasses.dataclass(frozen=True)
class Style:
    """What a terminal can show."""

    unicode: bool = True
    colour: bool = True

    def gauge(self, fraction: float, width: int) -> str:
        """A bar of so many characters, filled from the left."""
        full, empty = ("━", "─") if self.unicode else ("#", "-")
        filled = min(width, max(0, int(fraction * width + 0.5)))
        return f"{self.paint(full * filled, _CYAN)}{empty * (width - filled)}"

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, where there are any."""
        return f"{colour}{text}{_PLAIN}" if self.colour and text else text


def duration(seconds: float) -> str:
    """`0:07`, `12:34` or `1:02:03`."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def seconds_left(progress: Record) -> float | None:
    """How long it may yet take, by what is left of bytes and tags and how fast they went of late; None where that cannot be said."""
    total = progress["tags_total"]
    if total is None:
        return None
    by_bytes = progress["bytes_total_known"] and progress["bytes_per_second"]
    rest = max(0, progress["bytes_total"] - progress["bytes_done"])
    # layers come first, most tags in the end: as long as many bytes are missing they say more than tags
    if by_bytes and rest > progress["bytes_total"] / 100:
        return float(rest / progress["bytes_per_second"])
    if not progress["tags_per_second"]:
        return None
    return float(max(0, total - progress["tags_done"]) / progress["tags_per_second"])


def fraction(progress: Record) -> float:
    """How much is done, from 0 to 1: by bytes as soon as all are known, by tags before."""
    if progress["bytes_total_known"] and progress["bytes_total"]:
        return min(1.0, float(progress["bytes_done"] / progress["bytes_total"]))
    return min(1.0, float(progress["tags_done"] / progress["tags_total"])) if progress["tags_total"] else 0.0


def _bytes(progress: Record, of: str) -> str:
    done, total = size_of(progress["bytes_done"]), size_of(progress["bytes_total"])
    if done.split()[1] == total.split()[1]:
        done = done.split()[0]
    # what is to be moved is known when all manifests have been read
    return f"{done}{of}{total}{'' if progress['bytes_total_known'] else '+'}"


def _state(progress: Record) -> str:
    # a copy of an earlier version may be under way, which does not say whether it waits
    return "stopping" if progress["stopping"] else "waiting for pulls" if progress.get("waiting_for_pulls") else ""


def sentence(name: str, progress: Record) -> str:
    """A line for logs."""
    if progress["tags_total"] is None:
        parts = [f"planning, {progress['tags_planned']} tags so far"]
    else:
        parts = [f"{progress['tags_done']} of {progress['tags_total']} tags"]
        if progress["bytes_total"]:
            parts += [_bytes(progress, " of "), f"{size_of(progress['bytes_per_second'])}/s"]
        left = seconds_left(progress)
        if left is not None:
            parts.append(f"about {duration(left)} left")
    parts.append(f"{progress['failed']} failed")
    state = _state(progress)
    if state:
        parts.append(state)
    return f"{name}: {', '.join(parts)}"


def row(name: str, progress: Record, columns: int, style: Style) -> str:
    """A row of a terminal, of `columns` characters at the most."""
    if progress["tags_total"] is None:
        words = [f"planning  {progress['tags_planned']} tags so far"]
        has_gauge = False
    else:
        words = [f"{progress['tags_done']}/{progress['tags_total']} tags"]
        if progress["bytes_total"]:
            words += [_bytes(progress, "/"), f"{size_of(progress['bytes_per_second'])}/s"]
        left = seconds_left(progress)
        words.append(f"{duration(progress['seconds'])} gone" if left is None else f"{duration(left)} left")
        has_gauge = True
    failed = f"{progress['failed']} failed" if progress["failed"] else ""
    state = _state(progress)
    # the least important goes first where there is no room
    while True:
        rest = "  ".join(word for word in (*words, failed, state) if word)
        percent = f"{fraction(progress) * 100:3.0f}%"
        room = columns - len(f"{name}    {percent}  {rest}")
        if not has_gauge or room >= _NARROWEST_BAR or len(words) == 1:
            break
        words.pop()
    if not has_gauge or room < _NARROWEST_BAR:
        return f"{name}  {rest}"[:columns]
    painted = "  ".join(word for word in (*words, style.paint(failed, _RED), state) if word)
    return f"{name}  {style.gauge(fraction(progress), min(room, _WIDEST_BAR))}  {percent}  {painted}"


def outcome(name: str, result: Record, seconds: float) -> str:
    """The last line of a copy that has ended."""
    counts = result.get("counts")
    if not counts:
        return f"{name}: ended after {duration(seconds)}"
    words = [f"{counts['copied']} copied"]
    words += [f"{counts[state]} {state}" for state in ("unchanged", "kept", "conflict") if counts.get(state)]
    words.append(f"{counts['failed']} failed")
    if counts.get("not_attempted"):
        words.append(f"{counts['not_attempted']} not attempted")
    moved = result.get("bytes_copied", 0)
    rate = f", {size_of(moved / seconds)}/s" if moved and seconds >= 1 else ""
    return f"{name}: {', '.join(words)}; {size_of(moved)} in {duration(seconds)}{rate}"

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""A plan, or what a run did, as a text for people: a line for each repository, below it the tags that are of interest.

    team/app: 1 in conflict, 1 changed, 2 added, 12 unchanged
      ! 1.0: the destination has sha256:4f53cda18c2b, the source sha256:2c26b46b68ff
      ~ stable: sha256:4f53cda18c2b -> sha256:9834876dcfb0
      + 1.4: sha256:9834876dcfb0
      + 1.5: sha256:fcde2b2edba5

What is shown is bounded, whatever the size of the plan, and does not depend on the order in which tags come.
"""

from __future__ import annotations

import bisect
import collections
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import TagRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.measuring import Measure
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan import PlanRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.sizes import size_of
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.pulls import window_in_words

#: repositories that are shown one by one, the first by name of those in which anything is of interest
MOST_SHOWN = 500
#: tags that are shown of each: what is wrong first, then what changes, then what is new
MOST_TAGS = 20
#: characters of the reason why a tag failed
_LONGEST_REASON = 160

#: what is done with a tag: the sign before it, and the word after a number of such; in the order in which they are shown
_SHOWN = {
    "failed": ("!", "failed"),
    "conflict": ("!", "in conflict"),
    "update": ("~", "changed"),
    "copy": ("+", "added"),
    "keep": ("=", "kept"),
}
_RANKS = {done: rank for rank, done in enumerate(_SHOWN)}
_WORDS = {**{done: word for done, (_sign, word) in _SHOWN.items()}, "unchanged": "unchanged"}
#: the words of runs for what plans call otherwise
_AS_IN_PLANS = {"kept": "keep"}


class PlanText:
    """Takes in rows one by one, from many threads, and keeps no more of them than is shown."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, collections.Counter[str]] = {}
        #: the names that are shown, sorted, and the tags of each: (rank, name, line), sorted
        self._names: list[str] = []
        self._tags: dict[str, list[tuple[int, str, str]]] = {}

    def plan(self, rows: t.Iterable[PlanRow]) -> None:
        """Take in rows of a plan."""
        for row in rows:
            self._add(row.repository, row.key, row.action, row.existing, row.digest)

    def did(self, row: TagRow) -> None:
        """Take in what became of a tag."""
        done = row.action if row.state == "copied" else row.state
        reason = row.error.message if row.error is not None else ""
        # with a conflict, or where it is kept, the destination's digest is the one that stays
        old, new = (row.existing, row.digest) if row.state == "copied" else (row.digest, row.source_digest)
        self._add(row.repository, row.tag, _AS_IN_PLANS.get(done, done), old, new, reason)

    def failed(self, repository: str, tag: str, reason: str) -> None:
        """Take in what could not be planned: a tag, or with an empty one the repository; the names are the source's."""
        self._add(repository, tag, "failed", "", "", reason)

    def _add(self, repository: str, tag: str, done: str, old: str, new: str, reason: str = "") -> None:
        with self._lock:
            self._counts.setdefault(repository, collections.Counter())[done] += 1
            if done not in _RANKS or not self._is_shown(repository):
                return
            tags = self._tags[repository]
            place = (_RANKS[done], tag)
            if len(tags) < MOST_TAGS or place < tags[-1][:2]:
                bisect.insort(tags, (*place, f"  {_SHOWN[done][0]} {_line(tag, done, old, new, reason)}"))
                del tags[MOST_TAGS:]

    def _is_shown(self, repository: str) -> bool:
        """Whether a repository is among those that are shown; one that drops out never comes in again."""
        if repository in self._tags:
            return True
        if len(self._names) >= MOST_SHOWN:
            if repository > self._names[-1]:
                return False
            del self._tags[self._names.pop()]
        bisect.insort(self._names, repository)
        self._tags[repository] = []
        return True

    def lines(self) -> list[str]:
        """The text of all that was taken in."""
        lines: list[str] = []
        hidden: collections.Counter[str] = collections.Counter()
        hidden_names = equal = equal_tags = 0
        for repository in self._names:
            counts = self._counts[repository]
            tags = self._tags[repository]
            lines.append(f"{repository}: {_in_words(counts)}")
            lines += [line for _rank, _tag, line in tags]
            more = sum(counts[done] for done in _RANKS) - len(tags)
            if more:
                lines.append(f"    and {more:,} more")
        for repository, counts in self._counts.items():
            if repository in self._tags:
                continue
            if counts.keys() <= {"unchanged"}:
                equal += 1
                equal_tags += counts["unchanged"]
            else:
                hidden_names += 1
                hidden.update(counts)
        if hidden_names:
            lines.append(f"and {_number(hidden_names, 'more repository', 'more repositories')}: {_in_words(hidden)}")
        if equal:
            lines.append(f"{_number(equal, 'repository', 'repositories')} with nothing to do: {equal_tags:,} unchanged")
        return lines


def _line(tag: str, done: str, old: str, new: str, reason: str) -> str:
    name = short(tag) if is_digest(tag) else tag
    if done == "failed":
        reason = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
        return f"{name}: {reason}" if name else reason
    if done == "update":
        return f"{name}: {short(old)} -> {short(new)}" if old != new else f"{name}: {short(new)} is made whole"
    if done == "copy":
        return f"{name}: {short(new)}" if new and new != tag else name
    return f"{name}: the destination has {short(old)}, the source {short(new)}"


def short(digest: str) -> str:
    """A digest with twelve of its digits; `unknown` where there is none."""
    algorithm, colon, encoded = digest.partition(":")
    return f"{algorithm}{colon}{encoded[:12]}" if digest else "unknown"


def _in_words(counts: t.Mapping[str, int]) -> str:
    return ", ".join(f"{counts[done]:,} {word}" for done, word in _WORDS.items() if counts.get(done))


def _number(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _blobs(number: int) -> str:
    return _number(number, "blob", "blobs")


def measured_lines(measured: Measure) -> list[str]:
    """What a plan would move, what it would not, and what is not known of that."""
    moving, present, known = measured.moving, measured.present, measured.known
    lines = [f"to move: at most {size_of(moving.bytes)} in {_blobs(moving.count)}, each of them once"] if moving.count else []
    if present.count:
        lines.append(f"there already: {size_of(present.bytes)} in {_blobs(present.count)}")
    if known.count:
        lines.append(f"there since earlier runs, as the ledger says: {size_of(known.bytes)} in {_blobs(known.count)}")
    unknown = []
    if measured.unread:
        them = "it" if measured.unread == 1 else "them"
        unknown.append(f"{_number(measured.unread, 'manifest', 'manifests')} could not be read, and nothing of {them} is counted")
    if measured.unmeasured:
        images = _number(measured.unmeasured, "image", "images")
        unknown.append(f"how many bytes {images} would move: to read a manifest counts as a pull, so that is left to the copy")
    if measured.unsized:
        unknown.append(f"the size of {_blobs(measured.unsized)}, which no manifest says")
    if measured.unasked:
        they = "it counts" if measured.unasked == 1 else "they count"
        unknown.append(f"whether the destination has {_blobs(measured.unasked)}: it could not be asked, and {they} as missing")
    if measured.referrers:
        unknown.append("signatures and other referrers of what is added or changed: they are listed when it is copied")
    return lines + [f"not known: {text}" for text in unknown]


def pull_lines(pulls: t.Mapping[str, t.Any], on_quota: str) -> list[str]:
    """The pulls that a copy needs, or has used, where they count; `pulls` as in results."""
    if pulls["limit"] is None:
        return []
    window = f" in {window_in_words(pulls['window'])}" if pulls["window"] else ""
    left = f"{pulls['remaining']:,} of {pulls['limit']:,}{window} are left"
    if "needed" not in pulls:
        return [f"pulls: {pulls['used']:,} used, {left}"]
    needed = f"{'at least ' if pulls['at_least'] else ''}{pulls['needed']:,}"
    lines = [f"pulls: {needed} needed, {left}"]
    if pulls["needed"] > pulls["remaining"]:
        lines.append(f"pulls: when they are used up, the copy {'waits for more' if on_quota == 'wait' else 'stops'} (on_quota: {on_quota})")
    return lines


def moved_lines(moved: int, blobs: t.Mapping[str, int]) -> list[str]:
    """What a run has moved: `moved` bytes; `blobs` by how they came to be where they are."""
    lines = [f"moved: {size_of(moved)} in {_blobs(blobs['uploaded'])}"] if blobs.get("uploaded") else []
    if blobs.get("mounted"):
        lines.append(f"mounted: {_blobs(blobs['mounted'])}")
    if blobs.get("present"):
        lines.append(f"there already: {_blobs(blobs['present'])}")
    return lines

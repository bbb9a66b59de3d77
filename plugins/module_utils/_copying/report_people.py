# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The part of a report that is about people: what was brought over, and whether everybody may do what they could do, differences first.

It is made from the document that the modules about people write (`_identity/report.py`), whose names come from registries: all is text.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.report_text import count_of, markup, moment_of, prose, sentence

#: rows of one table that are written out; all of them are in report.json
MOST_ROWS = 200

_TITLES = {
    "account": "Users and organizations",
    "team": "Teams",
    "membership": "Members of organizations",
    "team_membership": "Members of teams",
    "repository": "Repositories",
    "grant": "Rights of teams",
    "token": "Access tokens",
    "webhook": "Webhooks",
    "policy": "Policies",
    "password_hash": "Passwords",
    "directory_name": "Entries in a directory",
    "access": "Rights of users",
}
_IMPORT_STATES = ("created", "changed", "unchanged", "kept", "surplus", "removed", "refused", "failed", "not_attempted")
_OUTCOMES = ("equal", "different", "missing", "surplus", "kept")
_WORDS = {"surplus": "Only at the destination", "not_attempted": "Not attempted"}

Row = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class PeopleReport:
    """What is known of people, as `read_people_file` of `_identity/report.py` gives it."""

    document: Row

    @property
    def _imports(self) -> t.Mapping[str, Row]:
        return t.cast("t.Mapping[str, Row]", self.document.get("imports") or {})

    @property
    def verification(self) -> Row | None:
        """The proof, where there was one since anything was written."""
        return t.cast("Row | None", self.document.get("verification"))

    def _rows(self, name: str) -> list[Row]:
        return [row for entry in self._imports.values() for row in entry.get(name) or ()]

    @property
    def failures(self) -> list[Row]:
        """What could not be written."""
        return self._rows("failures")

    @property
    def refused(self) -> list[Row]:
        """What the destination would not take."""
        return self._rows("refused")

    @property
    def not_migrated(self) -> list[Row]:
        """What was left out because somebody said that it may be; each once."""
        found = [*self._rows("not_migrated"), *((self.verification or {}).get("not_migrated") or ())]
        return list({str(row.get("what")): row for row in reversed(found)}.values())[::-1]

    @property
    def ways(self) -> list[tuple[str, str]]:
        """From where to where people were brought."""
        entries = [entry for entry in (*self._imports.values(), self.verification) if entry is not None]
        return list(dict.fromkeys((str(entry.get("source", "")), str(entry.get("destination", ""))) for entry in entries))

    @property
    def different(self) -> int:
        """How many differences the proof found."""
        return int((self.verification or {}).get("different") or 0)

    @property
    def not_attempted(self) -> int:
        """How many items a run that ended early did not come to."""
        return sum(int(counts.get("not_attempted") or 0) for entry in self._imports.values() for counts in entry["counts"].values())

    @property
    def verified(self) -> bool:
        """Whether everything has been compared since it was written, and nothing differed."""
        return self.verification is not None and not self.different

    @property
    def wrong(self) -> list[str]:
        """What is not as it should be, the worst first; each without a capital and a full stop."""
        texts = []
        found = self.verification or {}
        rights = len((found.get("access") or {}).get("differences") or ())
        if rights:
            texts.append(f"{_number(rights, 'right of a user differs', 'rights of users differ')} between the source and the destination")
        unproven = found.get("unproven") or ()
        if self.different > rights + len(unproven):
            more = "more " if rights else ""
            number = self.different - rights - len(unproven)
            texts.append(f"{_number(number, f'{more}difference was', f'{more}differences were')} found between people")
        if unproven:
            what = ", ".join(_title(one) for one in unproven)
            texts.append(f"whether people are as at the source is not known of everything ({what})")
        if self.failures:
            texts.append(f"{_number(len(self.failures), 'item', 'items')} of people could not be written")
        if self.refused:
            texts.append(f"{_number(len(self.refused), 'item', 'items')} of people would be refused by the destination")
        if self.not_attempted:
            texts.append(f"{_number(self.not_attempted, 'item', 'items')} of people were not come to")
        return texts

    @property
    def right(self) -> str:
        """What is as it should be, in a sentence, or that nobody knows."""
        found = self.verification
        if found is None:
            return "Nobody has verified people since they were brought over."
        compared = int((found.get("access") or {}).get("compared") or 0)
        items = sum(int(counts.get("equal") or 0) for counts in found["counts"].values())
        rights = f" {count_of(compared)} rights of users to repositories were compared." if compared else ""
        return f"{_number(items, 'item of people is', 'items of people are')} as at the source.{rights}"

    def as_row(self) -> dict[str, t.Any]:
        """The form in which it stands in `report.json`."""
        return {**self.summary(), **self.document}

    def summary(self) -> dict[str, t.Any]:
        """The numbers alone."""
        return {
            "verified": self.verified,
            "different": self.different,
            "failed": len(self.failures),
            "refused": len(self.refused),
            "not_attempted": self.not_attempted,
            "not_migrated": sum(int(row.get("count") or 0) for row in self.not_migrated),
        }

    def body(self) -> str:
        """The HTML of the section."""
        parts = [self._proof(), self._failed(), self._left_out()]
        parts += [self._counted(part, entry) for part, entry in self._imports.items()]
        return "".join(parts)

    def _proof(self) -> str:
        found = self.verification
        if found is None:
            return "<p>Nothing has been verified since it was written. The module identity_verify compares both sides and proves it.</p>\n"
        access, sample, logins = (found.get(name) or {} for name in ("access", "sample", "logins"))
        asked, tried = int(sample.get("asked") or 0), int(logins.get("tried") or 0)
        products = (
            f"{_number(asked, 'right was', 'rights were')} asked for at the products, {_number(tried, 'login was', 'logins were')} tried."
        )
        written = markup(moment_of(str(found.get("written", ""))))
        texts = [f"<p><b>{'Different' if self.different else 'Equal'}.</b> {markup(self.right)} {products} Ended {written}.</p>\n"]
        texts.append(
            _table(
                "Rights that differ",
                ("User", "Repository", "At the source", "At the destination"),
                [(one["user"], one["repository"], _level(one["before"]), _level(one["after"])) for one in access.get("differences") or ()],
            )
        )
        texts.append(
            _table(
                "Items that differ",
                ("Item", "Outcome", "Difference"),
                [(one["name"], one["outcome"], _fields(one)) for one in found.get("items") or ()],
            )
        )
        texts.append(
            _table(
                "Rights of which the products say something else",
                ("User", "Repository", "Computed", "The source says", "The destination says"),
                [
                    (one["user"], one["repository"], *(_level(one[name]) for name in ("computed", "source", "destination")))
                    for one in sample.get("differences") or ()
                ],
            )
        )
        texts.append(
            _table(
                "Logins that get in on one side only",
                ("User", "At the source", "At the destination"),
                [(one["user"], _in(one["source"]), _in(one["destination"])) for one in logins.get("differences") or ()],
            )
        )
        unproven = found.get("unproven") or ()
        uncompared = [
            (_title(what), sentence(reason), "yes" if what in unproven else "no")
            for what, reason in (found.get("uncompared") or {}).items()
        ]
        texts.append(_table("Not compared", ("What", "Reason", "Counts as a difference"), uncompared))
        surplus = [(one["name"],) for one in found.get("surplus") or ()]
        texts.append(_table("Only at the destination", ("Item",), surplus))
        texts.append(_counts("Compared", found["counts"], _OUTCOMES))
        return "".join(texts)

    def _failed(self) -> str:
        texts = []
        for title, rows in (("Could not be written", self.failures), ("Refused by the destination", self.refused)):
            cells = []
            for one in rows:
                error = one.get("error") or {}
                cells.append((one["name"], sentence(error.get("message", "")), error.get("hint", "")))
            texts.append(_table(title, ("Item", "Reason", "Way out"), cells))
        return "".join(texts)

    def _left_out(self) -> str:
        rows = [(_title(one["what"]), count_of(int(one["count"])), sentence(one["reason"])) for one in self.not_migrated]
        renamed = [pair for entry in self._imports.values() for pair in (entry.get("renamed") or {}).items()]
        notes = list(dict.fromkeys(note for entry in self._imports.values() for note in entry.get("notes") or ()))
        return (
            _table("Left out, as was allowed", ("What", "Items", "Reason"), rows)
            + _table("Called otherwise", ("At the source", "At the destination"), sorted(set(renamed)))
            + "".join(f'<p class="note">{prose(note)}</p>\n' for note in notes[:MOST_ROWS])
        )

    def _counted(self, part: str, entry: Row) -> str:
        return _counts(f"Brought over: {part}, {moment_of(str(entry.get('written', '')))}", entry["counts"], _IMPORT_STATES)


def _counts(title: str, counts: t.Mapping[str, t.Mapping[str, int]], states: t.Sequence[str]) -> str:
    """A table with a row for each kind, and a column for each state that there is."""
    used = [state for state in states if any(of_kind.get(state) for of_kind in counts.values())]
    heads = ("Kind", *(_WORDS.get(state, state.capitalize()) for state in used))
    kinds = [kind for kind in _TITLES if kind in counts]
    rows = [(_title(kind), *(count_of(int(counts[kind].get(state) or 0)) for state in used)) for kind in kinds]
    return _table(title, heads, rows, numbers=True)


def _table(title: str, heads: t.Sequence[str], rows: t.Sequence[t.Sequence[t.Any]], *, numbers: bool = False) -> str:
    """A heading and a table; nothing where there are no rows."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{markup(one)}</th>' for one in heads)
    lines = []
    for first, *others in rows[:MOST_ROWS]:
        cells = "".join(f"<td>{markup(one)}</td>" for one in others)
        lines.append(f'<tr><th scope="row">{markup(first)}</th>{cells}</tr>\n')
    count = "" if numbers else f' <span class="count">{count_of(len(rows))}</span>'
    more = f'<p class="note">{count_of(len(rows) - MOST_ROWS)} more are in report.json.</p>\n' if len(rows) > MOST_ROWS else ""
    return (
        f'<h3>{markup(title)}{count}</h3>\n<div class="scroll"><table{" class=numbers" if numbers else ""}>'
        f'<caption class="hidden">{markup(title)}</caption><thead><tr>{head}</tr></thead><tbody>\n{"".join(lines)}</tbody></table></div>\n'
        f"{more}"
    )


def _fields(row: Row) -> str:
    differences = row.get("differences") or {}
    return "; ".join(
        f"{name}: {_shown(sides['source'])} at the source, {_shown(sides['destination'])} at the destination"
        for name, sides in differences.items()
    )


def _shown(value: t.Any) -> str:
    text = "nothing" if value in (None, "", {}, []) else str(value)
    return text if len(text) <= 120 else f"{text[:120]}..."


def _title(kind: str) -> str:
    return _TITLES.get(kind, sentence(kind.replace("_", " ")))


def _level(level: str | None) -> str:
    """A level in words; empty where nobody was asked."""
    return "nothing" if level is None else level or "not asked"


def _in(gets_in: bool) -> str:
    return "gets in" if gets_in else "is refused"


def _number(number: int, one: str, many: str) -> str:
    return f"{count_of(number)} {one if number == 1 else many}"

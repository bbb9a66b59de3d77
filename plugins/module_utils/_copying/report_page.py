# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The report as a page for people: one file that needs nothing else, and asks no network for anything.

All but the table of repositories is plain HTML, made here. The tags are JSON at the end of the page, from which its script makes
the table, a part at a time. Names, tags and messages come from registries, so none of it is trusted: it is text wherever it
stands, and the page's own policy lets nothing run or load but its one style sheet and its one script.
"""

from __future__ import annotations

import collections
import dataclasses
import shutil
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.report_assets import SCRIPT, STYLE
from ansible_collections.registryops.migration.plugins.module_utils._copying.report_people import PeopleReport
from ansible_collections.registryops.migration.plugins.module_utils._copying.report_plot import Throughput, throughput_body
from ansible_collections.registryops.migration.plugins.module_utils._copying.report_text import (
    count_of,
    duration_of,
    listed,
    markup,
    moment_of,
    policy_hash,
    prose,
    reference,
    script_json,
    sentence,
    size_of,
    tags_of,
    time_of,
    visible,
)

#: what can become of a tag, in the order in which the page shows it
STATES = ("copied", "unchanged", "kept", "conflict", "failed")
STATE_NAMES = {
    "copied": "Copied",
    "unchanged": "Unchanged",
    "kept": "Kept",
    "conflict": "Conflict",
    "failed": "Failed",
    "not_attempted": "Not attempted",
}
#: has a section for each kind of failure
GUIDE = "https://github.com/registryops/registryops.migration/blob/main/docs/troubleshooting.md"
#: failures of one kind that are written out; all of them are in the table
MOST_WRITTEN_OUT = 200
_SHOWN_AT_ONCE = 3

Level = t.Literal["good", "open", "bad"]


@dataclasses.dataclass
class Run:
    """A worker's last run; without `started` it did none, and `message` says why. Times are seconds since 1970.

    `counts` (tags by state) and `image_bytes` are from the run's tags, `summary` is what the run itself wrote down at its end,
    `verification` is as in `report.json`. `before` is the run that this one is compared with: it has no tags any more.
    """

    worker: str
    source: str = ""
    destination: str = ""
    started: float | None = None
    ended: float | None = None
    last_finished: float | None = None
    outcome: str = "not run"
    message: str = ""
    summary: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    verification: t.Mapping[str, t.Any] | None = None
    before: Run | None = None
    counts: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    image_bytes: int = 0

    @property
    def end(self) -> float | None:
        """When it ended; of an interrupted run, when its last tag was done."""
        return self.ended if self.ended is not None else self.last_finished

    def figure(self, *path: str) -> float | None:
        """A number of the summary; None if it has none there."""
        found: t.Any = self.summary
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None

    def tags(self, state: str) -> float | None:
        """How many tags came to a state."""
        if self.counts and state in STATES:
            return self.counts[state]
        return self.figure("counts", state)


class TagData:
    """Writes tags, one by one, as the JSON that the page's script reads; tags of one repository come one after the other.

    The form is `{"repositories": [[name, [[tag, state, size, worker, finished, digest, source, failure?], ...]], ...], "states": [...],
    "workers": [...]}`: state and worker are positions in these lists, finished is in seconds since 1970, source is empty where it has
    the same name, failure is `[kind, message, hint]`.
    """

    def __init__(self, file: t.IO[str]) -> None:
        self._file = file
        self._workers: dict[str, int] = {}
        self._repository: tuple[str, str] | None = None
        file.write('{"repositories":[')

    def add(self, worker: str, row: t.Mapping[str, t.Any] | t.Any) -> None:
        """Write a row of the ledger's table of tags."""
        repository = (worker, row["repository"])
        if repository == self._repository:
            self._file.write(",\n")
        else:
            self._file.write("\n" if self._repository is None else "]],\n")
            self._file.write(f"[{script_json(visible(row['repository']))},[")
            self._repository = repository
        target = reference(row["repository"], row["tag"])
        source = reference(row["source_repository"], row["source_tag"])
        fields = [
            visible(row["tag"]),
            STATES.index(row["state"] if row["state"] in STATES else "failed"),
            row["size"],
            self._workers.setdefault(worker, len(self._workers)),
            round(row["finished"]),
            visible(row["digest"] or row["source_digest"] or ""),
            "" if source == target else visible(source),
        ]
        if row["kind"] or row["message"]:
            fields.append([visible(row[name] or "") for name in ("kind", "message", "hint")])
        self._file.write(script_json(fields))

    def close(self) -> None:
        """Write the end."""
        workers = script_json([visible(worker) for worker in self._workers])
        states = script_json([STATE_NAMES[state] for state in STATES])
        self._file.write(f'{"" if self._repository is None else "]]"}],"states":{states},"workers":{workers}}}\n')


@dataclasses.dataclass(frozen=True)
class Page:
    """What the page says. `failures` are as in `report.json`, `written` is a time in ISO 8601.

    `repositories` of the destination are in the table; `source_repositories` took part, in the words of all results and summaries.
    """

    written: str
    runs: t.Sequence[Run]
    failures: t.Sequence[t.Mapping[str, t.Any]]
    repositories: int
    source_repositories: int
    verified: bool
    throughput: Throughput
    people: PeopleReport | None = None

    @property
    def ran(self) -> list[Run]:
        """The runs of all workers that did their part, or some of it."""
        return [run for run in self.runs if run.started is not None]

    def tags(self, state: str) -> int:
        """How many tags came to a state, with all workers."""
        return int(sum(run.tags(state) or 0 for run in self.ran))

    @property
    def total(self) -> int:
        """All tags that were selected."""
        return sum(self.tags(state) for state in STATE_NAMES)

    @property
    def different(self) -> int:
        """Tags that a verification found to differ."""
        return sum(run.verification["different"] for run in self.ran if run.verification)


def write_page(file: t.IO[str], page: Page, tags: t.IO[str]) -> None:
    """Write the page; `tags` is the file that TagData has written, which is copied as a stream."""
    verdict = _verdict(page)
    policy = (
        f"default-src 'none'; style-src '{policy_hash(STYLE)}'; script-src '{policy_hash(SCRIPT)}'; base-uri 'none'; form-action 'none'"
    )
    file.write(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{markup(verdict.headline)}: migration report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#main">Skip to the report</a>\n'
    )
    sections = [
        section
        for section in (
            _people(page, wrong=True),
            _failures(page),
            _totals(page),
            _people(page, wrong=False),
            _Section("throughput", "Throughput", throughput_body(page.throughput)) if page.throughput else None,
            _repositories(page),
            _verification(page),
            _comparison(page),
            _workers(page),
        )
        if section is not None
    ]
    file.write(_header(page, verdict, sections))
    file.write('<main id="main" tabindex="-1">\n')
    for section in sections:
        count = f' <span class="count">{count_of(section.count)}</span>' if section.count else ""
        file.write(f'<section id="{section.name}" aria-labelledby="{section.name}-title" class="card">\n')
        file.write(f'<h2 id="{section.name}-title">{section.title}{count}</h2>\n{section.body}</section>\n')
    file.write("</main>\n")
    file.write(
        f'<footer><p>Written <time datetime="{markup(page.written)}">{markup(moment_of(page.written))}</time> by registryops.migration.'
        " The same figures for programs are in <code>report.json</code>, every tag is in <code>report.csv</code>.</p></footer>\n"
    )
    file.write('<script type="application/json" id="data">')
    tags.seek(0)
    shutil.copyfileobj(tags, file)
    file.write(f"</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n")


# -- what it comes to
@dataclasses.dataclass(frozen=True)
class _Verdict:
    level: Level
    label: str
    headline: str
    detail: str


@dataclasses.dataclass(frozen=True)
class _Section:
    name: str
    title: str
    body: str
    count: int = 0


def _verdict(page: Page) -> _Verdict:
    """The outcome in words: the worst first, then the rest of what a person has to know."""
    people = page.people
    if people is not None and not page.runs:
        return _verdict_of_people(people)
    if not page.ran:
        return _Verdict("bad", "Not run", "Nothing was copied", " ".join(f"{run.worker}: {run.message}" for run in page.runs))
    total, failed = page.total, page.tags("failed") + page.tags("conflict")
    idle = [run.worker for run in page.runs if run.started is None]
    cut_short = [run.worker for run in page.ran if run.outcome in ("interrupted", "aborted")]
    wrong: list[str] = list(people.wrong) if people is not None else []
    if failed:
        wrong.append(f"{count_of(failed)} of {tags_of(total)} could not be copied")
    if page.different:
        wrong.append(f"{tags_of(page.different)} at the destination {'differs' if page.different == 1 else 'differ'} from the source")
    if cut_short:
        wrong.append(f"the run of {listed(cut_short)} was cut short")
    if page.tags("not_attempted"):
        wrong.append(f"{tags_of(page.tags('not_attempted'))} {'was' if page.tags('not_attempted') == 1 else 'were'} not come to")
    if idle:
        wrong.append(f"the part of {listed(idle)} was not done")
    there = page.tags("copied") + page.tags("unchanged")
    right = f"{tags_of(there)} {'is' if there == 1 else 'are'} at the destination as at the source"
    if page.tags("kept"):
        right += f", {count_of(page.tags('kept'))} {'was' if page.tags('kept') == 1 else 'were'} kept as the destination had them"
    proof = "The verification found no difference." if page.verified else ""
    if people is not None:
        proof = f"{proof} {people.right}".lstrip()
    if wrong:
        differs = page.different or (people is not None and people.different)
        label = "Differences found" if differs and len(wrong) == 1 else "Incomplete"
        rest = "".join(f"{sentence(one)}. " for one in wrong[1:])
        return _Verdict("bad", label, sentence(wrong[0]), f"{rest}{right}. {proof}".rstrip())
    if not total:
        return _Verdict("open", "Nothing to do", "No tag was selected", "The rules of this run match nothing at the source.")
    if page.verified:
        return _Verdict("good", "Complete and verified", f"All {tags_of(total)} arrived", f"{right}. {proof}")
    detail = f"{right}. No verification has read all of it back yet. {people.right if people is not None else ''}".rstrip()
    return _Verdict("open", "Complete, not verified", f"All {tags_of(total)} arrived", detail)


def _verdict_of_people(people: PeopleReport) -> _Verdict:
    """The outcome where nothing but people was moved."""
    if people.wrong:
        label = "Differences found" if people.different else "Incomplete"
        rest = "".join(f"{sentence(one)}. " for one in people.wrong[1:])
        return _Verdict("bad", label, sentence(people.wrong[0]), f"{rest}{people.right}")
    if people.verified:
        return _Verdict("good", "Complete and verified", "Everybody may do what they could do", people.right)
    return _Verdict("open", "Not verified", "People were brought over", people.right)


def _header(page: Page, verdict: _Verdict, sections: t.Iterable[_Section]) -> str:
    ways = list(dict.fromkeys((run.source, run.destination) for run in page.ran))
    if not page.runs and page.people is not None:
        ways = page.people.ways
    way = "; ".join(f'<b>{markup(source)}</b> <span aria-label="to">→</span> <b>{markup(destination)}</b>' for source, destination in ways)
    facts = [way] if way else []
    begin, end = _span(page.ran)
    if begin is not None:
        facts.append(time_of(begin))
    if begin is not None and end is not None:
        facts.append(f"took {duration_of(end - begin)}")
    if page.runs or page.people is None:
        facts.append(f"{len(page.runs)} worker{'' if len(page.runs) == 1 else 's'}")
    links = "".join(f'<li><a href="#{section.name}">{section.title}</a></li>' for section in sections)
    return (
        f'<header class="top {verdict.level}">\n<p class="product">Migration report</p>\n'
        f'<p class="status"><svg viewBox="0 0 16 16" aria-hidden="true">{_ICONS[verdict.level]}</svg>{verdict.label}</p>\n'
        f'<h1>{markup(verdict.headline)}</h1>\n<p class="detail">{markup(verdict.detail)}</p>\n'
        f'<ul class="facts">{"".join(f"<li>{fact}</li>" for fact in facts)}</ul>\n'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n</header>\n'
    )


_ICONS: dict[Level, str] = {
    "good": '<circle cx="8" cy="8" r="8"/><path d="M4.5 8.2l2.4 2.4 4.6-5"/>',
    "open": '<circle cx="8" cy="8" r="8"/><path d="M8 7.2v4.2M8 4.4v.2"/>',
    "bad": '<circle cx="8" cy="8" r="8"/><path d="M8 4.2v4.4M8 11.4v.2"/>',
}


def _span(runs: t.Sequence[Run]) -> tuple[float | None, float | None]:
    begins = [run.started for run in runs if run.started is not None]
    ends = [run.end for run in runs if run.end is not None]
    return min(begins, default=None), max(ends, default=None)


# -- people
def _people(page: Page, *, wrong: bool) -> _Section | None:
    """What is known of people; where anything of that is wrong it stands first of all."""
    if page.people is None or bool(page.people.wrong) is not wrong:
        return None
    return _Section("people", "People", page.people.body(), count=page.people.different)


# -- totals
def _totals(page: Page) -> _Section | None:
    if not page.ran:
        return None
    counts = {state: page.tags(state) for state in STATE_NAMES}
    total = sum(counts.values())
    bars, left = [], 0.0
    for state, count in counts.items():
        width = 1000 * count / total if total else 0
        if count:
            bars.append(f'<rect class="{state}" x="{left:.2f}" width="{max(width - 1.5, 1):.2f}" height="14"/>')
        left += width
    legend = "".join(
        f'<div><dt><span class="swatch {state}"></span>{STATE_NAMES[state]}</dt>'
        f"<dd{'' if count else ' class=zero'}>{count_of(count)}</dd></div>"
        for state, count in counts.items()
    )
    return _Section(
        "totals",
        "Totals",
        f'<svg class="share" viewBox="0 0 1000 14" preserveAspectRatio="none" aria-hidden="true">{"".join(bars)}</svg>\n'
        f'<dl class="legend">{legend}</dl>\n<dl class="tiles">{"".join(_tiles(page))}</dl>\n',
    )


def _tiles(page: Page) -> t.Iterator[str]:
    def summed(*path: str) -> float | None:
        known = [number for number in (run.figure(*path) for run in page.ran) if number is not None]
        return sum(known) if known else None

    def tile(name: str, value: str, note: str) -> str:
        return f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>"

    yield tile("Repositories", count_of(page.source_repositories), f"{tags_of(page.total)} in them")
    images = sum(run.image_bytes for run in page.ran)
    moved = summed("bytes")
    if moved is not None:
        yield tile("Bytes moved", size_of(moved), f"for copied images of {size_of(images)}" if images else "no image had to be copied")
    uploaded, mounted, present = (summed("blobs", how) for how in ("uploaded", "mounted", "present"))
    if uploaded is not None:
        yield tile("Blobs uploaded", count_of(uploaded), f"{count_of(mounted or 0)} mounted, {count_of(present or 0)} already there")
    source, destination = summed("requests", "source"), summed("requests", "destination")
    if source is not None or destination is not None:
        both = (source or 0) + (destination or 0)
        yield tile("Requests", count_of(both), f"{count_of(source or 0)} to the source, {count_of(destination or 0)} to the destination")
    begin, end = _span(page.ran)
    if begin is not None and end is not None:
        done = page.total - page.tags("not_attempted")
        rate = f"{done / (end - begin):,.1f} tags a second" if end - begin >= 0.1 else "from the first request to the last"
        yield tile("Duration", duration_of(end - begin), rate)


# -- failures
def _failures(page: Page) -> _Section | None:
    if not page.failures:
        return None
    groups: dict[str, dict[str, list[t.Mapping[str, t.Any]]]] = {}
    for failure in page.failures:
        groups.setdefault(str(failure.get("kind", "error")), {}).setdefault(str(failure.get("hint", "")), []).append(failure)
    body = []
    for kind, hints in sorted(groups.items(), key=lambda item: (-sum(map(len, item[1].values())), item[0])):
        count = sum(map(len, hints.values()))
        body.append(
            f'<div class="group"><h3><span class="swatch {_swatch(hints)}"></span>{_kind(kind)} '
            f'<span class="count">{tags_of(count)}</span></h3>\n'
            f'<button type="button" class="plain needs-script" data-show="kind:{markup(kind)}" hidden>Show in the table</button>\n'
        )
        room = MOST_WRITTEN_OUT
        for hint, failures in hints.items():
            body.append(f'<p class="way-out"><b>Way out</b> {markup(hint)}</p>\n' if hint else "")
            body.append(_failure_table(_kind(kind), failures[:room], several=len(page.ran) > 1))
            room = max(0, room - len(failures))
        words = markup(kind.replace("_", " "))
        body.append(
            f'<p class="note"><a href="{GUIDE}#{markup(kind)}" rel="noreferrer">'
            f"What &ldquo;{words}&rdquo; means, and its usual causes</a></p>\n"
        )
        if count > MOST_WRITTEN_OUT:
            body.append(
                f'<p class="note">{count_of(count - MOST_WRITTEN_OUT)} more are in the table of repositories, and in report.csv.</p>\n'
            )
        body.append("</div>\n")
    return _Section("failures", "What needs attention", "".join(body), count=len(page.failures))


def _swatch(hints: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]) -> str:
    first = next(iter(hints.values()))[0]
    return "conflict" if first.get("state") == "conflict" else "failed"


def _kind(kind: str) -> str:
    return markup(kind.replace("_", " ").capitalize())


def _failure_table(kind: str, failures: t.Sequence[t.Mapping[str, t.Any]], several: bool) -> str:
    """The first few in sight, the others behind a button that every browser knows without a script."""
    if not failures:
        return ""
    worker = '<th scope="col">Worker</th>' if several else ""
    head = f'<thead><tr><th scope="col">Image</th><th scope="col">Reason</th>{worker}</tr></thead>'

    def table(some: t.Sequence[t.Mapping[str, t.Any]]) -> str:
        rows = []
        for one in some:
            worker = f"<td>{markup(one.get('worker', ''))}</td>" if several else ""
            image = markup(reference(str(one.get("repository", "")), str(one.get("tag", ""))))
            rows.append(f'<tr><th scope="row"><code>{image}</code></th><td>{prose(one.get("message", ""))}</td>{worker}</tr>\n')
        return (
            f'<div class="scroll"><table class="failures"><caption class="hidden">Failures: {kind}</caption>{head}'
            f"<tbody>\n{''.join(rows)}</tbody></table></div>\n"
        )

    first, rest = failures[:_SHOWN_AT_ONCE], failures[_SHOWN_AT_ONCE:]
    more = f"<details><summary>{count_of(len(rest))} more</summary>\n{table(rest)}</details>\n" if rest else ""
    return table(first) + more


# -- repositories
def _repositories(page: Page) -> _Section | None:
    if not page.repositories:
        return None
    columns = [("name", "Repository"), ("tags", "Tags"), *((state, STATE_NAMES[state]) for state in STATES), ("size", "Size")]
    head = "".join(
        f'<th scope="col" data-column="{name}" aria-sort="{"ascending" if name == "name" else "none"}">'
        f'<button type="button">{title}<span class="arrow" aria-hidden="true"></span></button></th>'
        for name, title in columns
    )
    options = "".join(
        f'<option value="state:{number}">{STATE_NAMES[state]} ({count_of(page.tags(state))})</option>'
        for number, state in enumerate(STATES)
        if page.tags(state)
    )
    kinds = collections.Counter(str(failure.get("kind", "error")) for failure in page.failures)
    reasons = "".join(f'<option value="kind:{markup(kind)}">{_kind(kind)} ({count_of(kinds[kind])})</option>' for kind in sorted(kinds))
    if reasons:
        reasons = f'<optgroup label="What needs attention">{reasons}</optgroup>'
    return _Section(
        "repositories",
        "Repositories",
        "<noscript><p>This table needs JavaScript, which is switched off. All tags are in report.csv.</p></noscript>\n"
        '<div class="needs-script" hidden>\n<form role="search" class="tools" aria-label="Tags of all repositories">\n'
        '<div class="grow"><label for="search">Search repositories and tags</label>'
        '<input id="search" type="search" autocomplete="off" spellcheck="false" aria-describedby="search-help">'
        '<p id="search-help" class="note">Several words must all match. A digest is found by <code>sha256:</code> and how it'
        " goes on.</p></div>\n"
        f'<div><label for="filter">Show</label><select id="filter"><option value="">All tags</option>'
        f'<optgroup label="State">{options}</optgroup>{reasons}</select></div>\n</form>\n'
        '<p id="hits" role="status" class="hits"></p>\n'
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of repositories"><table id="table">'
        '<caption class="hidden">Repositories at the destination, with their tags by state. The headings sort; a repository'
        f"'s name shows its tags.</caption><thead><tr>{head}</tr></thead><tbody></tbody></table></div>\n"
        '<nav id="pages" aria-label="Pages of the table" class="pager"></nav>\n'
        '<p class="note">Sizes are of whole images, shared layers counted with each; they are known of tags that this run copied.</p>\n'
        "</div>\n",
        count=page.repositories,
    )


# -- verification
_MODES = {
    "light": "The digest of every tag was read back from the destination and compared with the source's.",
    "deep": "The digest of every tag was read back and compared with the source's; then every manifest of the destination was read, and"
    " every blob that one names was asked for, with its size.",
}


def _verification(page: Page) -> _Section | None:
    if not page.ran:
        return None
    rows, differences, modes = [], [], []
    for run in page.runs:
        found = run.verification
        if found is None:
            why = "not verified since it was copied" if run.started is not None else "not run"
            rows.append(f'<tr><th scope="row">{markup(run.worker)}</th><td colspan="8">{why}</td></tr>\n')
            continue
        modes.append(str(found["mode"]))
        differences += [(run.worker, one) for one in found.get("differences") or () if isinstance(one, dict)]
        cells = [found["checked"], found["equal"], found["different"], found.get("manifests") or None, found.get("blobs") or None]
        took = found.get("seconds")
        rows.append(
            f'<tr><th scope="row">{markup(run.worker)}</th><td>{markup(found["mode"])}</td>'
            + "".join("<td>not read</td>" if cell is None else f"<td>{count_of(cell)}</td>" for cell in cells)
            + f"<td>{duration_of(took) if isinstance(took, (int, float)) else 'unknown'}</td>"
            + f"<td>{markup(moment_of(str(found['finished'])))}</td></tr>\n"
        )
    texts = [f"<p><b>{markup(mode.capitalize())}.</b> {markup(_MODES.get(mode, ''))}</p>\n" for mode in dict.fromkeys(modes)]
    if not texts:
        texts = ["<p>Nothing has been verified since it was copied. The verify playbook reads the destination back and proves it.</p>\n"]
    heads = ("Worker", "Mode", "Tags checked", "Equal", "Different", "Manifests read", "Blobs asked for", "Took", "Ended")
    body = "".join(texts) + (
        '<div class="scroll"><table class="numbers"><caption class="hidden">Verification of each worker\'s part</caption><thead><tr>'
        f"{''.join(_column(head) for head in heads)}</tr></thead><tbody>\n{''.join(rows)}</tbody></table></div>\n"
    )
    return _Section("verification", "Verification", body + _differences(page, differences))


def _column(title: str) -> str:
    return f'<th scope="col">{title}</th>'


def _differences(page: Page, differences: t.Sequence[tuple[str, t.Mapping[str, t.Any]]]) -> str:
    if not differences:
        return ""
    shown = [{**one, "worker": worker} for worker, one in differences]
    more = page.different - len(shown)
    return (
        f'<h3>Differences <span class="count">{tags_of(page.different)}</span></h3>\n'
        + _failure_table("differences", shown, several=len(page.ran) > 1)
        + (f'<p class="note">{count_of(more)} more were counted, but not written down.</p>\n' if more > 0 else "")
    )


# -- the run before
def _comparison(page: Page) -> _Section | None:
    if not page.ran:
        return None
    pairs = [(run, run.before) for run in page.ran if run.before is not None]
    if not pairs:
        return _Section("comparison", "Compared with the last run", "<p>There is no earlier run of this migration to compare with.</p>\n")
    now, before = [run for run, _before in pairs], [earlier for _run, earlier in pairs]
    rows = []
    for title, path, unit in _COMPARED:
        new, old = _summed(now, path), _summed(before, path)
        if new is not None and old is not None:
            rows.append(_compared(title, new, old, unit))
    spans = [_span(now), _span(before)]
    lengths = [end - begin for begin, end in spans if begin is not None and end is not None]
    if len(lengths) == 2:
        rows.append(_compared("Duration", lengths[0], lengths[1], duration_of))
    only = (
        f" The figures are of {len(pairs)} of {len(page.ran)} workers: the others have no earlier run."
        if len(pairs) < len(page.ran)
        else ""
    )
    heads = ("Figure", "This run", "Last run", "Change")
    return _Section(
        "comparison",
        "Compared with the last run",
        f"<p>This run began {time_of(spans[0][0])}, the last one before it {time_of(spans[1][0])}.{only}</p>\n"
        '<div class="scroll"><table class="numbers compare"><caption class="hidden">This run and the last one</caption><thead><tr>'
        f"{''.join(_column(head) for head in heads)}</tr></thead><tbody>\n{''.join(rows)}</tbody></table></div>\n",
    )


_COMPARED: tuple[tuple[str, tuple[str, ...], t.Callable[[float], str]], ...] = (
    *((f"Tags: {title.lower()}", ("counts", state), count_of) for state, title in STATE_NAMES.items()),
    ("Bytes moved", ("bytes",), size_of),
    ("Blobs: uploaded", ("blobs", "uploaded"), count_of),
    ("Blobs: mounted", ("blobs", "mounted"), count_of),
    ("Blobs: already there", ("blobs", "present"), count_of),
    ("Requests to the source", ("requests", "source"), count_of),
    ("Requests to the destination", ("requests", "destination"), count_of),
)


def _summed(runs: t.Iterable[Run], path: tuple[str, ...]) -> float | None:
    """A figure over several runs; None if one of them does not know it."""
    total = 0.0
    for run in runs:
        number = (run.tags(path[1]) or 0) if path[0] == "counts" else run.figure(*path)
        if number is None:
            return None
        total += number
    return total


def _compared(title: str, new: float, old: float, unit: t.Callable[[float], str]) -> str:
    return f'<tr><th scope="row">{title}</th><td>{unit(new)}</td><td>{unit(old)}</td><td>{_change(new - old, old, unit)}</td></tr>\n'


def _change(change: float, old: float, unit: t.Callable[[float], str]) -> str:
    if not change:
        return "none"
    share = f" ({abs(change) / old * 100:,.0f}\u00a0%)" if old else ""
    sign = "+" if change > 0 else "\u2212"
    return f"{sign}{unit(abs(change))}{share}"


# -- workers
def _workers(page: Page) -> _Section | None:
    if not page.runs and page.people is not None:
        return None
    rows = []
    for run in page.runs:
        if run.started is None:
            rows.append(
                f'<tr><th scope="row">{markup(run.worker)}</th><td colspan="6">{_outcome(run.outcome)} '
                f"{markup(sentence(run.message))}</td></tr>\n"
            )
            continue
        end, moved = run.end, run.figure("bytes")
        rows.append(
            f'<tr><th scope="row">{markup(run.worker)}</th><td>{_outcome(run.outcome)}</td><td>{time_of(run.started)}</td>'
            f"<td>{'unknown' if end is None else duration_of(end - run.started)}</td><td>{count_of(sum(run.counts.values()))}</td>"
            f"<td>{count_of(run.counts['failed'] + run.counts['conflict'])}</td>"
            f"<td>{'unknown' if moved is None else size_of(moved)}</td></tr>\n"
        )
    heads = ("Worker", "Outcome", "Started", "Took", "Tags done", "Failed or in conflict", "Bytes moved")
    return _Section(
        "workers",
        "Workers",
        '<div class="scroll"><table class="numbers"><caption class="hidden">The last run of each worker</caption><thead><tr>'
        f"{''.join(_column(head) for head in heads)}</tr></thead><tbody>\n{''.join(rows)}</tbody></table></div>\n",
    )


def _outcome(outcome: str) -> str:
    level: Level = "good" if outcome == "ok" else "bad"
    return f'<span class="outcome {level}">{markup(outcome.capitalize() if outcome != "ok" else "OK")}</span>'

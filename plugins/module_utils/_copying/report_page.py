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

import base64
import collections
import dataclasses
import datetime
import hashlib
import html
import json
import math
import re
import shutil
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.report_assets import SCRIPT, STYLE

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
#: failures of one kind that are written out; all of them are in the table
MOST_WRITTEN_OUT = 200
_SHOWN_AT_ONCE = 3
_MOST_BUCKETS = 80
_BUCKET_SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
# what moves or hides other text: control characters, directions of writing, no width, halves of characters
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]")
_DIGEST = re.compile(r"\b[a-z0-9]{2,16}:[0-9a-f]{32,128}\b")

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


class Throughput:
    """How many tags were done, and how many bytes of images were complete, in each of some equal parts of the time of a run."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin = begin
        self.span = max(end - begin, 0.0)
        self.seconds = next((one for one in _BUCKET_SECONDS if self.span / one <= _MOST_BUCKETS), 0.0)
        if not self.seconds:
            self.seconds = 86400.0 * math.ceil(self.span / _MOST_BUCKETS / 86400)
        count = max(1, math.ceil(self.span / self.seconds))
        self.copied = [0] * count
        self.settled = [0] * count
        self.failed = [0] * count
        self.bytes = [0] * count

    def add(self, state: str, finished: float, size: int) -> None:
        """Count a tag."""
        bucket = min(max(int((finished - self.begin) / self.seconds), 0), len(self.copied) - 1)
        {"copied": self.copied, "unchanged": self.settled, "kept": self.settled}.get(state, self.failed)[bucket] += 1
        if state == "copied":
            self.bytes[bucket] += size


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
            self._file.write(f"[{_json(visible(row['repository']))},[")
            self._repository = repository
        reference = _reference(row["repository"], row["tag"])
        source = _reference(row["source_repository"], row["source_tag"])
        fields = [
            visible(row["tag"]),
            STATES.index(row["state"] if row["state"] in STATES else "failed"),
            row["size"],
            self._workers.setdefault(worker, len(self._workers)),
            round(row["finished"]),
            visible(row["digest"] or row["source_digest"] or ""),
            "" if source == reference else visible(source),
        ]
        if row["kind"] or row["message"]:
            fields.append([visible(row[name] or "") for name in ("kind", "message", "hint")])
        self._file.write(_json(fields))

    def close(self) -> None:
        """Write the end."""
        workers = _json([visible(worker) for worker in self._workers])
        states = _json([STATE_NAMES[state] for state in STATES])
        self._file.write(f'{"" if self._repository is None else "]]"}],"states":{states},"workers":{workers}}}\n')


@dataclasses.dataclass(frozen=True)
class Page:
    """What the page says. `failures` are as in `report.json`, `written` is a time in ISO 8601."""

    written: str
    runs: t.Sequence[Run]
    failures: t.Sequence[t.Mapping[str, t.Any]]
    repositories: int
    verified: bool
    throughput: Throughput

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
    policy = f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; base-uri 'none'; form-action 'none'"
    file.write(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{_text(verdict.headline)}: migration report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#main">Skip to the report</a>\n'
    )
    sections = [
        section
        for section in (
            _failures(page),
            _totals(page),
            _throughput(page),
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
        count = f' <span class="count">{_count(section.count)}</span>' if section.count else ""
        file.write(f'<section id="{section.name}" aria-labelledby="{section.name}-title" class="card">\n')
        file.write(f'<h2 id="{section.name}-title">{section.title}{count}</h2>\n{section.body}</section>\n')
    file.write("</main>\n")
    file.write(
        f'<footer><p>Written <time datetime="{_text(page.written)}">{_text(_moment(page.written))}</time> by registryops.migration.'
        " The same figures for programs are in <code>report.json</code>, every tag is in <code>report.csv</code>.</p></footer>\n"
    )
    file.write('<script type="application/json" id="data">')
    tags.seek(0)
    shutil.copyfileobj(tags, file)
    file.write(f"</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n")


# -- text
def visible(value: t.Any) -> str:
    """A text of somebody else's with everything unseen in it written as an escape."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", str(value))


def _text(value: t.Any) -> str:
    return html.escape(visible(value))


def _prose(value: t.Any) -> str:
    """A sentence of an error, with room for its digests: a style shortens them, who copies them gets them whole."""
    return _DIGEST.sub(r'<code class="digest" title="\g<0>">\g<0></code>', _text(_sentence(str(value))))


def _json(value: t.Any) -> str:
    """JSON that may stand inside of a script element: nothing in it can end that, or begin a comment."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _reference(repository: str, tag: str) -> str:
    """`repository:tag`, `repository@digest`, or the repository alone."""
    if not tag:
        return repository
    return f"{repository}{'@' if ':' in tag else ':'}{tag}"


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _tags(number: int) -> str:
    return f"{_count(number)} tag{'' if number == 1 else 's'}"


def _size(number: float) -> str:
    """Bytes in units of 1000, with a space that does not break."""
    unit = "B"
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if number < 999.5:
            break
        if unit != "PB":
            number /= 1000
    digits = 0 if unit == "B" or number >= 99.95 else 1
    return f"{number:,.{digits}f}\u00a0{unit}"


def _duration(seconds: float) -> str:
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 1 else 1}f}\u00a0s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{_count(hours)}\u00a0h {minutes:02}\u00a0min"
    return f"{minutes}\u00a0min {whole % 60:02}\u00a0s"


def _moment(iso: str) -> str:
    """`2026-11-21 09:00:12 UTC`"""
    return iso.replace("T", " ").replace("+00:00", " UTC")


def _when(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    iso = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="seconds")
    return f'<time datetime="{iso}">{_moment(iso)}</time>'


def _and(words: t.Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


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
    if not page.ran:
        return _Verdict("bad", "Not run", "Nothing was copied", " ".join(f"{run.worker}: {run.message}" for run in page.runs))
    total, failed = page.total, page.tags("failed") + page.tags("conflict")
    idle = [run.worker for run in page.runs if run.started is None]
    cut_short = [run.worker for run in page.ran if run.outcome in ("interrupted", "aborted")]
    wrong: list[str] = []
    if failed:
        wrong.append(f"{_count(failed)} of {_tags(total)} could not be copied")
    if page.different:
        wrong.append(f"{_tags(page.different)} at the destination {'differs' if page.different == 1 else 'differ'} from the source")
    if cut_short:
        wrong.append(f"the run of {_and(cut_short)} was cut short")
    if page.tags("not_attempted"):
        wrong.append(f"{_tags(page.tags('not_attempted'))} {'was' if page.tags('not_attempted') == 1 else 'were'} not come to")
    if idle:
        wrong.append(f"the part of {_and(idle)} was not done")
    there = page.tags("copied") + page.tags("unchanged")
    right = f"{_tags(there)} {'is' if there == 1 else 'are'} at the destination as at the source"
    if page.tags("kept"):
        right += f", {_count(page.tags('kept'))} {'was' if page.tags('kept') == 1 else 'were'} kept as the destination had them"
    proof = "The verification found no difference." if page.verified else ""
    if wrong:
        label = "Differences found" if page.different and len(wrong) == 1 else "Incomplete"
        rest = "".join(f"{_sentence(one)}. " for one in wrong[1:])
        return _Verdict("bad", label, _sentence(wrong[0]), f"{rest}{right}. {proof}".rstrip())
    if not total:
        return _Verdict("open", "Nothing to do", "No tag was selected", "The rules of this run match nothing at the source.")
    if page.verified:
        return _Verdict("good", "Complete and verified", f"All {_tags(total)} arrived", f"{right}. {proof}")
    return _Verdict(
        "open", "Complete, not verified", f"All {_tags(total)} arrived", f"{right}. No verification has read all of it back yet."
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _header(page: Page, verdict: _Verdict, sections: t.Iterable[_Section]) -> str:
    ways = list(dict.fromkeys((run.source, run.destination) for run in page.ran))
    way = "; ".join(f'<b>{_text(source)}</b> <span aria-label="to">→</span> <b>{_text(destination)}</b>' for source, destination in ways)
    facts = [way] if way else []
    begin, end = _span(page.ran)
    if begin is not None:
        facts.append(_when(begin))
    if begin is not None and end is not None:
        facts.append(f"took {_duration(end - begin)}")
    facts.append(f"{len(page.runs)} worker{'' if len(page.runs) == 1 else 's'}")
    links = "".join(f'<li><a href="#{section.name}">{section.title}</a></li>' for section in sections)
    return (
        f'<header class="top {verdict.level}">\n<p class="product">Migration report</p>\n'
        f'<p class="status"><svg viewBox="0 0 16 16" aria-hidden="true">{_ICONS[verdict.level]}</svg>{verdict.label}</p>\n'
        f'<h1>{_text(verdict.headline)}</h1>\n<p class="detail">{_text(verdict.detail)}</p>\n'
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
        f'<div><dt><span class="swatch {state}"></span>{STATE_NAMES[state]}</dt><dd{"" if count else " class=zero"}>{_count(count)}</dd></div>'
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

    yield tile("Repositories", _count(page.repositories), f"{_tags(page.total)} in them")
    images = sum(run.image_bytes for run in page.ran)
    moved = summed("bytes")
    if moved is not None:
        yield tile("Bytes moved", _size(moved), f"for copied images of {_size(images)}" if images else "no image had to be copied")
    uploaded, mounted, present = (summed("blobs", how) for how in ("uploaded", "mounted", "present"))
    if uploaded is not None:
        yield tile("Blobs uploaded", _count(uploaded), f"{_count(mounted or 0)} mounted, {_count(present or 0)} already there")
    source, destination = summed("requests", "source"), summed("requests", "destination")
    if source is not None or destination is not None:
        both = (source or 0) + (destination or 0)
        yield tile("Requests", _count(both), f"{_count(source or 0)} to the source, {_count(destination or 0)} to the destination")
    begin, end = _span(page.ran)
    if begin is not None and end is not None:
        done = page.total - page.tags("not_attempted")
        rate = f"{done / (end - begin):,.1f} tags a second" if end - begin >= 0.1 else "from the first request to the last"
        yield tile("Duration", _duration(end - begin), rate)


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
            f'<div class="group"><h3><span class="swatch {_swatch(hints)}"></span>{_kind(kind)} <span class="count">{_tags(count)}</span></h3>\n'
            f'<button type="button" class="plain needs-script" data-show="kind:{_text(kind)}" hidden>Show in the table</button>\n'
        )
        room = MOST_WRITTEN_OUT
        for hint, failures in hints.items():
            body.append(f'<p class="way-out"><b>Way out</b> {_text(hint)}</p>\n' if hint else "")
            body.append(_failure_table(_kind(kind), failures[:room], several=len(page.ran) > 1))
            room = max(0, room - len(failures))
        if count > MOST_WRITTEN_OUT:
            body.append(
                f'<p class="note">{_count(count - MOST_WRITTEN_OUT)} more are in the table of repositories below, and in report.csv.</p>\n'
            )
        body.append("</div>\n")
    return _Section("failures", "What needs attention", "".join(body), count=len(page.failures))


def _swatch(hints: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]) -> str:
    first = next(iter(hints.values()))[0]
    return "conflict" if first.get("state") == "conflict" else "failed"


def _kind(kind: str) -> str:
    return _text(kind.replace("_", " ").capitalize())


def _failure_table(kind: str, failures: t.Sequence[t.Mapping[str, t.Any]], several: bool) -> str:
    """The first few in sight, the others behind a button that every browser knows without a script."""
    if not failures:
        return ""
    worker = '<th scope="col">Worker</th>' if several else ""
    head = f'<thead><tr><th scope="col">Image</th><th scope="col">Reason</th>{worker}</tr></thead>'

    def table(some: t.Sequence[t.Mapping[str, t.Any]]) -> str:
        rows = []
        for one in some:
            worker = f"<td>{_text(one.get('worker', ''))}</td>" if several else ""
            image = _text(_reference(str(one.get("repository", "")), str(one.get("tag", ""))))
            rows.append(f'<tr><th scope="row"><code>{image}</code></th><td>{_prose(one.get("message", ""))}</td>{worker}</tr>\n')
        return (
            f'<div class="scroll"><table class="failures"><caption class="hidden">Failures: {kind}</caption>{head}'
            f"<tbody>\n{''.join(rows)}</tbody></table></div>\n"
        )

    first, rest = failures[:_SHOWN_AT_ONCE], failures[_SHOWN_AT_ONCE:]
    more = f"<details><summary>{_count(len(rest))} more</summary>\n{table(rest)}</details>\n" if rest else ""
    return table(first) + more


# -- throughput
def _throughput(page: Page) -> _Section | None:
    data = page.throughput
    if not any(data.copied) and not any(data.settled) and not any(data.failed):
        return None
    seconds = data.seconds
    tags = [("copied", data.copied), ("unchanged", data.settled), ("failed", data.failed)]
    done = [sum(column) for column in zip(data.copied, data.settled, data.failed)]
    long = max(data.span, seconds)
    peak = max(range(len(done)), key=done.__getitem__)
    tag_text = (
        f"At most {_rate(done[peak] / seconds)} tags a second, {_elapsed(peak * seconds, long)} after the start;"
        f" {_rate(sum(done) / long)} on average."
    )
    plots = [_plot("tags", "Tags a second", tag_text, data, tags, _rate)]
    if any(data.bytes):
        peak = max(range(len(done)), key=data.bytes.__getitem__)
        byte_text = (
            f"At most {_size(data.bytes[peak] / seconds)} a second, {_elapsed(peak * seconds, long)} after the start;"
            f" {_size(sum(data.bytes) / long)} on average."
        )
        plots.append(_plot("bytes", "Image bytes a second", byte_text, data, [("copied", data.bytes)], _size))
    rows = "".join(
        f'<tr><th scope="row">{_elapsed(number * seconds, long)}</th><td>{_count(data.copied[number])}</td>'
        f"<td>{_count(data.settled[number])}</td><td>{_count(data.failed[number])}</td><td>{_size(data.bytes[number])}</td></tr>\n"
        for number in range(len(done))
    )
    return _Section(
        "throughput",
        "Throughput",
        f'<div class="plots">{"".join(plots)}</div>\n'
        '<p class="key"><span class="swatch copied"></span>copied <span class="swatch unchanged"></span>unchanged or kept '
        '<span class="swatch failed"></span>failed or in conflict</p>\n'
        f'<p class="note">Each bar is {_duration_of_bucket(seconds)}. A tag counts when it is complete at the destination, with the size of'
        " its whole image, shared layers too.</p>\n"
        '<details><summary>The figures of the plots</summary>\n<div class="scroll"><table class="figures">'
        f'<caption class="hidden">Tags and image bytes in each {_duration_of_bucket(seconds)} of the run</caption>'
        '<thead><tr><th scope="col">From</th><th scope="col">Copied</th><th scope="col">Unchanged or kept</th>'
        f'<th scope="col">Failed or in conflict</th><th scope="col">Image bytes</th></tr></thead><tbody>\n{rows}</tbody></table></div></details>\n',
    )


def _rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.2g}"


def _duration_of_bucket(seconds: float) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{seconds / length:g} {unit}{'' if seconds == length else 's'}"
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"


def _elapsed(seconds: float, span: float) -> str:
    """A time since the start, as exact as the whole span asks for."""
    if span <= 90:
        return f"{seconds:.4g}\u00a0s"
    if span < 3600:
        return f"{int(seconds // 60)}:{int(seconds % 60):02}"
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02}\u00a0h"


def _plot(
    name: str,
    title: str,
    summary: str,
    data: Throughput,
    series: t.Sequence[tuple[str, t.Sequence[int]]],
    unit: t.Callable[[float], str],
) -> str:
    """Stacked bars over time, with axes."""
    left, top, width, height = 62.0, 8.0, 490.0, 150.0
    count, seconds = len(data.copied), data.seconds
    totals = [sum(column) / seconds for column in zip(*(values for _name, values in series))]
    step = _nice_step(max(totals), 4)
    highest = step * max(1, math.ceil(max(totals) / step - 1e-9))
    scale = height / highest
    parts = []
    for number in range(round(highest / step) + 1):
        y = top + height - number * step * scale
        parts.append(f'<line class="grid" x1="{left:g}" x2="{left + width:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 8:g}" y="{y + 3.5:.1f}" text-anchor="end">{unit(number * step)}</text>')
    length = count * seconds
    tick = next((one for one in _BUCKET_SECONDS if length / one <= 6), 86400.0 * math.ceil(length / 6 / 86400))
    for number in range(int(length / tick + 1e-9) + 1):
        x = left + width * number * tick / length
        anchor = "start" if number == 0 else "end" if x > left + width - 12 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{top + height + 17:g}" text-anchor="{anchor}">{_elapsed(number * tick, length)}</text>')
    slot = width / count
    gap = min(1.0, slot / 5)
    for number in range(count):
        x, y = left + number * slot, top + height
        for state, values in series:
            if values[number]:
                tall = values[number] / seconds * scale
                y -= tall
                parts.append(f'<rect class="{state}" x="{x + gap / 2:.2f}" y="{y:.2f}" width="{slot - gap:.2f}" height="{tall:.2f}"/>')
        # what a pointer finds anywhere above or below the bar
        said = f"{_elapsed(number * seconds, length)}: {unit(totals[number])}{' tags' if name == 'tags' else ''} a second"
        parts.append(f'<rect class="pointer" x="{x:.2f}" y="{top:g}" width="{slot:.2f}" height="{height:g}"><title>{said}</title></rect>')
    return (
        f'<figure><figcaption id="plot-{name}-title">{title}</figcaption>'
        f'<svg class="plot" viewBox="0 0 560 182" role="img" aria-labelledby="plot-{name}-title plot-{name}-text">{"".join(parts)}</svg>'
        f'<p class="note" id="plot-{name}-text">{summary}</p></figure>\n'
    )


def _nice_step(highest: float, parts: int) -> float:
    """The smallest step of 1, 2, 2.5 or 5 times a power of ten that comes to the highest value in so many parts."""
    if highest <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(highest / parts))
    return next((power * factor for factor in (1, 2, 2.5, 5) if power * factor * parts >= highest), power * 10)


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
        f'<option value="state:{number}">{STATE_NAMES[state]} ({_count(page.tags(state))})</option>'
        for number, state in enumerate(STATES)
        if page.tags(state)
    )
    kinds = collections.Counter(str(failure.get("kind", "error")) for failure in page.failures)
    reasons = "".join(f'<option value="kind:{_text(kind)}">{_kind(kind)} ({_count(kinds[kind])})</option>' for kind in sorted(kinds))
    if reasons:
        reasons = f'<optgroup label="What needs attention">{reasons}</optgroup>'
    return _Section(
        "repositories",
        "Repositories",
        "<noscript><p>This table needs JavaScript, which is switched off. All tags are in report.csv.</p></noscript>\n"
        '<div class="needs-script" hidden>\n<form role="search" class="tools" aria-label="Tags of all repositories">\n'
        '<div class="grow"><label for="search">Search repositories and tags</label>'
        '<input id="search" type="search" autocomplete="off" spellcheck="false" aria-describedby="search-help">'
        '<p id="search-help" class="note">Several words must all match. A digest is found by <code>sha256:</code> and how it goes on.</p></div>\n'
        f'<div><label for="filter">Show</label><select id="filter"><option value="">All tags</option>'
        f'<optgroup label="State">{options}</optgroup>{reasons}</select></div>\n</form>\n'
        '<p id="hits" role="status" class="hits"></p>\n'
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of repositories"><table id="table">'
        '<caption class="hidden">Repositories at the destination, with their tags by state. The headings sort; a repository'
        f"'s name shows its tags.</caption><thead><tr>{head}</tr></thead><tbody></tbody></table></div>\n"
        '<nav id="pages" aria-label="Pages of the table" class="pager"></nav>\n'
        '<p class="note">Sizes are of whole images, shared layers counted with each; they are known of tags that this run copied.</p>\n</div>\n',
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
            rows.append(f'<tr><th scope="row">{_text(run.worker)}</th><td colspan="8">{why}</td></tr>\n')
            continue
        modes.append(str(found["mode"]))
        differences += [(run.worker, one) for one in found.get("differences") or () if isinstance(one, dict)]
        cells = [found["checked"], found["equal"], found["different"], found.get("manifests") or None, found.get("blobs") or None]
        took = found.get("seconds")
        rows.append(
            f'<tr><th scope="row">{_text(run.worker)}</th><td>{_text(found["mode"])}</td>'
            + "".join("<td>not read</td>" if cell is None else f"<td>{_count(cell)}</td>" for cell in cells)
            + f"<td>{_duration(took) if isinstance(took, (int, float)) else 'unknown'}</td><td>{_text(_moment(str(found['finished'])))}</td></tr>\n"
        )
    texts = [f"<p><b>{_text(mode.capitalize())}.</b> {_text(_MODES.get(mode, ''))}</p>\n" for mode in dict.fromkeys(modes)]
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
        f'<h3>Differences <span class="count">{_tags(page.different)}</span></h3>\n'
        + _failure_table("differences", shown, several=len(page.ran) > 1)
        + (f'<p class="note">{_count(more)} more were counted, but not written down.</p>\n' if more > 0 else "")
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
        rows.append(_compared("Duration", lengths[0], lengths[1], _duration))
    only = (
        f" The figures are of {len(pairs)} of {len(page.ran)} workers: the others have no earlier run."
        if len(pairs) < len(page.ran)
        else ""
    )
    heads = ("Figure", "This run", "Last run", "Change")
    return _Section(
        "comparison",
        "Compared with the last run",
        f"<p>This run began {_when(spans[0][0])}, the last one before it {_when(spans[1][0])}.{only}</p>\n"
        '<div class="scroll"><table class="numbers compare"><caption class="hidden">This run and the last one</caption><thead><tr>'
        f"{''.join(_column(head) for head in heads)}</tr></thead><tbody>\n{''.join(rows)}</tbody></table></div>\n",
    )


_COMPARED: tuple[tuple[str, tuple[str, ...], t.Callable[[float], str]], ...] = (
    *((f"Tags: {title.lower()}", ("counts", state), _count) for state, title in STATE_NAMES.items()),
    ("Bytes moved", ("bytes",), _size),
    ("Blobs: uploaded", ("blobs", "uploaded"), _count),
    ("Blobs: mounted", ("blobs", "mounted"), _count),
    ("Blobs: already there", ("blobs", "present"), _count),
    ("Requests to the source", ("requests", "source"), _count),
    ("Requests to the destination", ("requests", "destination"), _count),
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
    return f"{'+' if change > 0 else '−'}{unit(abs(change))}{share}"


# -- workers
def _workers(page: Page) -> _Section:
    rows = []
    for run in page.runs:
        if run.started is None:
            rows.append(
                f'<tr><th scope="row">{_text(run.worker)}</th><td colspan="6">{_outcome(run.outcome)} {_text(_sentence(run.message))}</td></tr>\n'
            )
            continue
        end, moved = run.end, run.figure("bytes")
        rows.append(
            f'<tr><th scope="row">{_text(run.worker)}</th><td>{_outcome(run.outcome)}</td><td>{_when(run.started)}</td>'
            f"<td>{'unknown' if end is None else _duration(end - run.started)}</td><td>{_count(sum(run.counts.values()))}</td>"
            f"<td>{_count(run.counts['failed'] + run.counts['conflict'])}</td><td>{'unknown' if moved is None else _size(moved)}</td></tr>\n"
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
    return f'<span class="outcome {level}">{_text(outcome.capitalize() if outcome != "ok" else "OK")}</span>'

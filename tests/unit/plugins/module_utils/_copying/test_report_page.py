# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import html.parser
import io
import json
import re
from pathlib import Path

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying import ledger as ledger_module
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger, TagRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.report import write_report
from ansible_collections.registryops.migration.plugins.module_utils._copying.report_page import GUIDE, MOST_WRITTEN_OUT, TagData
from ansible_collections.registryops.migration.plugins.module_utils._copying.report_plot import Throughput
from ansible_collections.registryops.migration.plugins.module_utils._copying.report_text import visible
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import BlobUnknown, TagConflict

SOURCE, DESTINATION = "old.example.com", "new.example.com:5000"
BEGIN = 1_795_251_600.0
HOSTILE = "</script><script>alert(1)</script><!--&\"'"


class Clock:
    """Stands for the module `time` in the ledger."""

    now = BEGIN

    def time(self):
        return self.now

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(ledger_module, "time", clock)
    return clock


@pytest.fixture
def ledger(tmp_path, clock):
    ledger = Ledger(str(tmp_path / "state"))
    yield ledger
    ledger.close()


def row(tag, state="copied", repository="team/app", size=1000, error=None, **names):
    names = {"source_repository": repository, "source_tag": tag, "digest": f"sha256:{'a' * 64}", **names}
    return TagRow(repository, tag, action="copy", state=state, size=size, error=error, **names)


class Content(html.parser.HTMLParser):
    """The text of a page outside of its script and style, its elements, and its data."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = tag

    def handle_endtag(self, tag):
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data):
        if self._inside:
            self.raw.append((self._inside, data))
        else:
            self.text.append(data)

    @property
    def said(self) -> str:
        return " ".join("".join(self.text).split())

    @property
    def data(self):
        return json.loads(next(data for kind, data in self.raw if kind == "script"))

    def headline(self) -> str:
        return re.search(r"<h1>(.*?)</h1>", self.page)[1]


def page_of(folder: Path, ledgers, not_run=None) -> Content:
    for one in ledgers.values():
        one.close()
    written = write_report({worker: one.path for worker, one in ledgers.items()}, str(folder / "report"), not_run)
    text = Path(written.html_file).read_text("utf-8")
    content = Content(text)
    content.page = text
    return content


def finished(ledger, rows=(), outcome="ok", **summary):
    ledger.start(SOURCE, DESTINATION)
    ledger.record(rows)
    ledger.finish(outcome, summary)


def test_what_registries_say_ends_no_element(tmp_path, ledger):
    error = BlobUnknown(HOSTILE, hint=HOSTILE)
    names = {"source_repository": HOSTILE, "source_tag": HOSTILE, "digest": HOSTILE}
    ledger.start(HOSTILE, HOSTILE)
    ledger.record([row(HOSTILE, "failed", HOSTILE, error=error, **names)])
    ledger.finish(HOSTILE, {"counts": [HOSTILE], "bytes": HOSTILE, "blobs": HOSTILE})
    ledger.verified(HOSTILE, HOSTILE, HOSTILE, 2, 1, {"differences": [{"repository": HOSTILE, "tag": HOSTILE, "message": HOSTILE}]})
    page = page_of(tmp_path, {HOSTILE: ledger}, {f"other {HOSTILE}": HOSTILE})
    assert [kind for kind, _attributes in page.elements if kind in ("script", "img", "style")] == ["style", "script", "script"]
    assert page.data["repositories"] == [[HOSTILE, [[HOSTILE, 4, 1000, 0, round(BEGIN), HOSTILE, "", ["blob_unknown", HOSTILE, HOSTILE]]]]]
    assert page.data["workers"] == [HOSTILE]
    assert page.said.count(HOSTILE) > 8
    assert not any(name.startswith("on") for _kind, attributes in page.elements for name in attributes)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("1.0\u202egpj", "1.0\\u202egpj"),
        ("a\x00b\x1b[31m", "a\\u0000b\\u001b[31m"),
        ("\ud800", "\\ud800"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("gr\u00fc\u00df dich \u6771\u4eac", "gr\u00fc\u00df dich \u6771\u4eac"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text, seen):
    assert visible(text) == seen
    assert visible(text).encode()


def test_half_a_character_in_a_summary_breaks_nothing(tmp_path, ledger):
    ledger.start(SOURCE, DESTINATION)
    ledger.record([row("1")])
    ledger.finish("ok", {})
    ledger.verified(SOURCE, DESTINATION, "light", 1, 0, {"differences": [{"repository": "a\ud83d", "tag": "1", "message": "m"}]})
    assert "a\\ud83d:1" in page_of(tmp_path, {"worker1": ledger}).said


def test_the_page_needs_no_network(tmp_path, ledger):
    finished(ledger, [row("1"), row("2", "failed", error=BlobUnknown("gone.", hint="Push it."))], "failed", bytes=5)
    page = page_of(tmp_path, {"worker1": ledger})
    # where its links to the guide lead is only looked up by who follows them
    links = [attributes["href"] for kind, attributes in page.elements if kind == "a"]
    assert [link for link in links if not link.startswith("#")] == [f"{GUIDE}#blob_unknown"]
    without_links = page.page.replace(f'href="{GUIDE}#', "")
    assert not re.search(r"https?:|//[a-z]|@import|url\(|\bfetch\b|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import\(", without_links)
    assert not any({"src", "style", "srcset", "action"} & set(attributes) for _kind, attributes in page.elements)
    assert not any(kind in ("link", "img", "iframe", "object", "embed", "base") for kind, _attributes in page.elements)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(", page.page)


def test_the_policy_allows_this_style_and_this_script_alone(tmp_path, ledger):
    finished(ledger, [row("1")])
    page = page_of(tmp_path, {"worker1": ledger})
    policy = next(a["content"] for _kind, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    style = next(text for kind, text in page.raw if kind == "style")
    script = [text for kind, text in page.raw if kind == "script"][-1]
    for text, name in ((style, "style-src"), (script, "script-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert parts.pop(name) == f"'sha256-{digest}'"
    assert parts == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}


def test_all_is_well(tmp_path, ledger):
    finished(ledger, [row("1"), row("2", "unchanged", size=0)], bytes=700)
    ledger.verified(SOURCE, DESTINATION, "light", 2, 2, {"differences": [], "seconds": 0.5})
    page = page_of(tmp_path, {"worker1": ledger})
    assert page.headline() == "All 2 tags arrived"
    assert "Complete and verified" in page.said
    assert "The verification found no difference." in page.said
    assert 'id="failures"' not in page.page


def test_nobody_verified_it(tmp_path, ledger):
    finished(ledger, [row("1")])
    page = page_of(tmp_path, {"worker1": ledger})
    assert page.headline() == "All 1 tag arrived"
    assert "Complete, not verified" in page.said
    assert "Nothing has been verified since it was copied." in page.said


def test_a_verification_found_differences(tmp_path, ledger):
    finished(ledger, [row("1"), row("2")])
    found = {"differences": [{"repository": "team/app", "tag": "2", "kind": "different", "message": "the digests differ."}]}
    ledger.verified(SOURCE, DESTINATION, "deep", 2, 1, {**found, "manifests": 2, "blobs": 6, "seconds": 61.0})
    page = page_of(tmp_path, {"worker1": ledger})
    assert page.headline() == "1 tag at the destination differs from the source"
    assert "Differences found" in page.said
    assert "every blob that one names was asked for" in page.said
    assert re.search(r"worker1</th><td>deep</td><td>2</td><td>1</td><td>1</td><td>2</td><td>6</td><td>1\u00a0min 01\u00a0s</td>", page.page)
    assert "team/app:2" in page.said


def test_nothing_was_selected(tmp_path, ledger):
    finished(ledger)
    assert page_of(tmp_path, {"worker1": ledger}).headline() == "No tag was selected"


def test_no_worker_ran(tmp_path):
    page = page_of(tmp_path, {}, {"worker1": "the host could not be reached."})
    assert page.headline() == "Nothing was copied"
    assert "worker1: the host could not be reached." in page.said
    assert page.data == {"repositories": [], "states": ["Copied", "Unchanged", "Kept", "Conflict", "Failed"], "workers": []}


def test_a_worker_is_missing_and_another_was_cut_short(tmp_path, ledger):
    ledger.start(SOURCE, DESTINATION)
    ledger.record([row("1")])
    page = page_of(tmp_path, {"worker1": ledger}, {"worker2": "the host could not be reached."})
    assert page.headline() == "The run of worker1 was cut short"
    assert "The part of worker2 was not done." in page.said
    assert "Interrupted" in page.said
    assert "The host could not be reached." in page.said


def test_tags_that_were_not_come_to_count(tmp_path, ledger):
    error = BlobUnknown("gone.", hint="Push it.")
    finished(ledger, [row("1"), row("2", "failed", error=error)], "failed", counts={"copied": 1, "failed": 1, "not_attempted": 8})
    page = page_of(tmp_path, {"worker1": ledger})
    assert page.headline() == "1 of 10 tags could not be copied"
    assert "8 tags were not come to." in page.said


def test_failures_stand_by_kind_with_reason_and_way_out(tmp_path, ledger):
    digest = f"sha256:{'b' * 64}"
    gone, taken = BlobUnknown(f"has no {digest}.", hint="Push it."), TagConflict("is there already.", hint="Choose a policy.")
    rows = [row("1", "conflict", error=taken), *(row(f"2.{number}", "failed", error=gone) for number in range(4))]
    rows.append(row("", "failed", "team/hidden", error=gone))
    finished(ledger, rows, "failed")
    page = page_of(tmp_path, {"worker1": ledger})
    section = page.page.partition('id="failures"')[2].partition("</section>")[0]
    assert [re.sub("<[^>]*>", "", title) for title in re.findall("<h3>(.*?)</h3>", section)] == [
        "Blob unknown 5 tags",
        "Tag conflict 1 tag",
    ]
    assert section.count("Push it.") == section.count("Choose a policy.") == 1
    assert f'Has no <code class="digest" title="{digest}">{digest}</code>.' in section
    assert "<summary>2 more</summary>" in section
    # a repository that could not be read has no tag
    assert "<code>team/hidden</code>" in section


def test_very_many_failures_are_left_to_the_table(tmp_path, ledger):
    count = MOST_WRITTEN_OUT + 40
    finished(ledger, [row(str(number), "failed", error=BlobUnknown("gone.", hint="Push it.")) for number in range(count)], "failed")
    page = page_of(tmp_path, {"worker1": ledger})
    assert page.page.count('<tr><th scope="row"><code>team/app:') == MOST_WRITTEN_OUT
    assert "40 more are in the table of repositories" in page.said
    assert sum(len(tags) for _name, tags in page.data["repositories"]) == count


def test_the_run_is_compared_with_the_one_before(tmp_path, ledger, clock):
    finished(ledger, [row("1")], bytes=2_000_000, blobs={"uploaded": 8, "mounted": 0, "present": 0}, counts={"copied": 3})
    clock.now += 50
    # this one never came to its end, so it has no figures
    ledger.start(SOURCE, DESTINATION)
    clock.now += 50
    ledger.start(SOURCE, DESTINATION)
    clock.now += 12.5
    ledger.record([row("1"), row("2")])
    ledger.finish("ok", {"bytes": 500_000, "blobs": {"uploaded": 10, "mounted": 0, "present": 0}, "counts": {"copied": 2}})
    page = page_of(tmp_path, {"worker1": ledger})
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th><td>([^<]*)</td><td>([^<]*)</td><td>([^<]*)</td></tr>', page.page)
    found = {row[0]: tuple(cell.replace("\u00a0", " ") for cell in row[1:]) for row in rows}
    assert found["Tags: copied"] == ("2", "3", "−1 (33 %)")
    assert found["Tags: failed"] == ("0", "0", "none")
    assert found["Bytes moved"] == ("488 KiB", "1.9 MiB", "−1.4 MiB (75 %)")
    assert found["Blobs: uploaded"] == ("10", "8", "+2 (25 %)")
    assert found["Duration"] == ("12.5 s", "0.00 s", "+12.5 s")
    assert "Requests to the source" not in found


def test_runs_between_other_registries_are_not_compared(tmp_path, ledger):
    ledger.start(SOURCE, "other.example.com")
    ledger.finish("ok", {"bytes": 1})
    finished(ledger, [row("1")], bytes=1)
    assert "There is no earlier run of this migration to compare with." in page_of(tmp_path, {"worker1": ledger}).said


def test_one_repository_of_two_workers(tmp_path, clock):
    ledgers = {name: Ledger(str(tmp_path / name)) for name in ("worker1", "worker2")}
    for name, ledger in ledgers.items():
        finished(
            ledger, [row(name), row(f"{name}.2", source_repository="legacy/app")], bytes=1_500, requests={"source": 3, "destination": 4}
        )
    page = page_of(tmp_path, ledgers)
    assert [(name, [tag[0] for tag in tags]) for name, tags in page.data["repositories"]] == [
        ("team/app", ["worker1", "worker1.2"]),
        ("team/app", ["worker2", "worker2.2"]),
    ]
    assert [[tag[3] for tag in tags] for _name, tags in page.data["repositories"]] == [[0, 0], [1, 1]]
    assert [[tag[6] for tag in tags] for _name, tags in page.data["repositories"]] == [
        ["", "legacy/app:worker1.2"],
        ["", "legacy/app:worker2.2"],
    ]
    assert "2.9\u00a0KiB" in page.page
    assert "6 to the source, 8 to the destination" in page.said


def test_tags_are_written_as_they_come():
    file = io.StringIO()
    data = TagData(file)
    fields = {
        "source_repository": "a",
        "source_digest": "sha256:1",
        "digest": "",
        "size": 1,
        "finished": 1.4,
        "kind": None,
        "message": None,
        "hint": None,
    }
    sizes = []
    for number in range(3):
        data.add("worker1", {**fields, "repository": "a", "tag": str(number), "source_tag": str(number), "state": "kept"})
        sizes.append(len(file.getvalue()))
    assert sizes == sorted(set(sizes))
    data.close()
    assert json.loads(file.getvalue())["repositories"] == [["a", [[str(number), 2, 1, 0, 1, "sha256:1", ""] for number in range(3)]]]


@pytest.mark.parametrize(
    ("span", "seconds", "count"), [(0, 0.05, 1), (3.9, 0.05, 78), (60, 1, 60), (5 * 3600, 300, 60), (900 * 86400, 12 * 86400, 75)]
)
def test_the_plot_has_so_many_bars_as_can_be_told_apart(span, seconds, count):
    throughput = Throughput(BEGIN, BEGIN + span)
    assert throughput.seconds == seconds
    assert len(throughput.copied) == count
    # clocks of workers differ: nothing falls off either end
    for moment in (BEGIN - 1000, BEGIN, BEGIN + span, BEGIN + span + 1000):
        throughput.add("copied", moment, 10)
    throughput.add("kept", BEGIN, 0)
    throughput.add("conflict", BEGIN, 7)
    assert (sum(throughput.copied), sum(throughput.settled), sum(throughput.failed), sum(throughput.bytes)) == (4, 1, 1, 40)


def test_the_same_ledgers_give_the_same_page(tmp_path, ledger):
    finished(ledger, [row("1"), row("2")])
    ledger.close()
    pages = [Path(write_report({"worker1": ledger.path}, str(tmp_path / name)).html_file).read_text("utf-8") for name in ("one", "two")]
    one, two = (re.sub(r'<time datetime="[^"]*">[^<]*</time> by', "", page) for page in pages)
    assert one == two


def test_nothing_else_is_left_in_the_folder(tmp_path, ledger):
    finished(ledger, [row("1")])
    page_of(tmp_path, {"worker1": ledger})
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["report.csv", "report.html", "report.json"]

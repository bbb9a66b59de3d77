# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's page in Debian's chromium: 20,000 tags, opened from disk, used with keyboard and pointer.

With REGISTRYOPS_REPORT_PICTURE=/path/to/docs/images/report.png the picture for the README is written there.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import math
import os
import random
import re
import shutil
import socket
import typing as t
from pathlib import Path

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying import ledger as ledger_module
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger, TagRow
from ansible_collections.registryops.migration.plugins.module_utils._copying.report import write_report
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import BlobUnknown, MigrationError, TagConflict

if t.TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

SOURCE, DESTINATION = "registry.old.example.com", "registry.new.example.com:5000"
TAGS, REPOSITORIES = 20_000, 640
BEGIN = datetime.datetime(2026, 11, 21, 9, 0, 0, tzinfo=datetime.UTC).timestamp()
#: nothing but the page: no other host is asked for anything by the browser itself
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
)
TEAMS = ("billing", "checkout", "data", "identity", "mobile", "observability", "payments", "platform", "search", "shipping")
APPS = ("api", "worker", "gateway", "scheduler", "frontend", "exporter", "importer", "migrations", "cache", "proxy", "console", "batch")
PARTS = ("", "-base", "-debug", "-canary", "-tools", "-e2e")
MISSING = "the source does not have this blob, though a manifest names it."


class Clock:
    """Stands for the module `time` in the ledger: it goes on when the test says so."""

    def __init__(self) -> None:
        self.now = BEGIN

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@dataclasses.dataclass(frozen=True)
class Written:
    """A report, and the ledgers that it is from."""

    page: Path
    ledgers: dict[str, str]
    folder: Path


def digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def repository_names() -> list[str]:
    names = [f"{team}/{app}{part}" for team in TEAMS for app in APPS for part in PARTS]
    return [*sorted(random.Random(3).sample(names, REPOSITORIES - 1)), "zeta/nightly"]


def tag_names(count: int) -> list[str]:
    return [f"{1 + number // 60}.{number // 6 % 10}.{number % 6}" for number in range(count)]


def error_of(repository: str, tag: str, number: int) -> MigrationError | None:
    """What goes wrong with a few of the tags."""
    subject = f"{SOURCE}/{repository}:{tag}"
    digest = digest_of(f"{repository}:{tag}:layer")
    if repository in ("data/importer-base", "data/importer") and number % 4 == 0:
        return BlobUnknown(
            f"{MISSING[:-1]}: {digest}.",
            subject=subject,
            hint="Push the image to the source again, or exclude the tag.",
        )
    if repository.startswith("checkout/gateway") and number % 9 == 2:
        existing, there = digest_of(f"{repository}:{tag}"), digest_of(f"{repository}:{tag}:other")
        return TagConflict(
            f"has the digest {there} at the destination and {existing} at the source.",
            subject=subject,
            hint="Set existing_tags to overwrite or keep, or map it to another name.",
        )
    return None


def row_of(repository: str, tag: str, number: int, random_: random.Random) -> TagRow:
    digest = digest_of(f"{repository}:{tag}")
    names = {"repository": repository, "tag": tag, "source_repository": repository, "source_tag": tag, "source_digest": digest}
    error = error_of(repository, tag, number)
    if error is not None:
        return TagRow(**names, action="copy", state="conflict" if error.kind == "tag_conflict" else "failed", error=error)
    if number % 12 == 7:
        return TagRow(**names, action="unchanged", state="unchanged", digest=digest)
    if repository.startswith("platform/") and number % 40 == 3:
        return TagRow(**names, action="keep", state="kept", digest=digest_of(digest))
    size = int(random_.lognormvariate(17.6, 0.9))
    return TagRow(**names, action="copy", state="copied", digest=digest, size=size)


def difference(row: TagRow) -> dict[str, str]:
    """What a verification says of a tag that was not copied."""
    message = "the destination does not have this tag."
    if row.state != "failed":
        message = f"the source has {row.source_digest}, the destination {row.digest or digest_of(row.source_digest)}."
    kind = "missing" if row.state == "failed" else "different"
    return {"repository": row.repository, "tag": row.tag, "kind": kind, "message": message}


def fill(folder: Path, clock: Clock, repositories: t.Sequence[tuple[str, int]], pace: float, share: float) -> str:
    """A ledger with an earlier run, a run and its verification, through the ledger's own door; returns its path."""
    numbers = random.Random(len(repositories))
    ledger = Ledger(str(folder))
    try:
        clock.now = BEGIN - 86_400
        ledger.start(SOURCE, DESTINATION)
        clock.now += 1290 * share
        counts = {"copied": int(16_804 * share), "unchanged": int(1120 * share), "failed": int(96 * share)}
        blobs = {"uploaded": int(21_410 * share), "mounted": int(9_870 * share), "present": int(3_204 * share)}
        requests = {"source": int(61_480 * share), "destination": int(92_105 * share)}
        ledger.finish("failed", {"counts": counts, "bytes": int(482e9 * share), "blobs": blobs, "requests": requests})
        clock.now = BEGIN
        ledger.start(SOURCE, DESTINATION)
        clock.now += 9
        counts = {}
        done: list[TagRow] = []
        batch: list[TagRow] = []
        for name, count in repositories:
            for number, tag in enumerate(tag_names(count)):
                batch.append(row_of(name, tag, number, numbers))
                done.append(batch[-1])
                counts[batch[-1].state] = counts.get(batch[-1].state, 0) + 1
                if len(batch) >= 20:
                    # as registries are: quick at first, slow for a while in the middle
                    phase = clock.now - BEGIN
                    clock.now += pace * numbers.uniform(0.5, 1.5) * (1 + 0.25 * math.sin(phase / 40) + (0.9 if 180 < phase < 240 else 0))
                    ledger.record(batch)
                    batch = []
        ledger.record(batch)
        clock.now += 2
        blobs = {"uploaded": int(15_208 * share), "mounted": int(11_930 * share), "present": int(5_116 * share)}
        requests = {"source": int(41_377 * share), "destination": int(58_204 * share)}
        ledger.finish("failed", {"counts": counts, "bytes": int(311e9 * share), "blobs": blobs, "requests": requests})
        clock.now += 30
        checked = sum(counts.values())
        wrong = counts.get("failed", 0) + counts.get("conflict", 0) + counts.get("kept", 0)
        differences = [difference(row) for row in done if row.state not in ("copied", "unchanged")]
        assert len(differences) == wrong <= 100
        summary = {"differences": differences, "manifests": checked, "blobs": checked * 3, "seconds": 74.2 * share}
        ledger.verified(SOURCE, DESTINATION, "deep", checked, checked - wrong, summary)
        return ledger.path
    finally:
        ledger.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Two workers' ledgers with 20,000 tags, and the report of them."""
    folder = tmp_path_factory.mktemp("report")
    names = repository_names()
    numbers = random.Random(11)
    weights = [numbers.lognormvariate(0, 0.8) for _name in names[:-1]]
    counts = [max(1, int(weight / sum(weights) * (TAGS - 4200))) for weight in weights]
    # one repository with very many tags
    counts.append(TAGS - sum(counts))
    repositories = list(zip(names, counts, strict=True))
    assert sum(counts) == TAGS
    half = TAGS // 2
    middle = next(number for number in range(len(counts)) if sum(counts[:number]) >= half)
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(ledger_module, "time", clock)
        ledgers = {
            "worker1": fill(folder / "worker1", clock, repositories[:middle], 0.83, 0.52),
            "worker2": fill(folder / "worker2", clock, repositories[middle:], 0.78, 0.48),
        }
    written = write_report(ledgers, str(folder / "report"))
    return Written(Path(written.html_file), ledgers, folder)


@pytest.fixture(scope="module")
def browser() -> t.Iterator[Browser]:
    """Debian's chromium, without a window."""
    programs = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with programs.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        yield started
        started.close()


@dataclasses.dataclass
class Opened:
    """A page that is open, with what it said and what it asked for."""

    page: Page
    said: list[str]
    requests: list[str]

    @property
    def repositories(self) -> Locator:
        return self.page.locator("#table > tbody > tr.repository")

    @property
    def hits(self) -> Locator:
        return self.page.get_by_role("status")

    def names(self) -> list[str]:
        return self.repositories.locator("th bdi").all_text_contents()


@pytest.fixture
def open_page(browser: Browser) -> t.Iterator[t.Callable[..., Opened]]:
    """Opens a page from disk. When the test ends, it must have said nothing and asked for nothing but the file."""
    opened: list[tuple[Path, Opened]] = []
    contexts = []

    def open_file(path: Path, **options: t.Any) -> Opened:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 1000}, "timezone_id": "Asia/Tokyo", **options})
        contexts.append(context)
        page = context.new_page()
        one = Opened(page, [], [])
        page.on("console", lambda message: one.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: one.said.append(f"error: {error}"))
        page.on("request", lambda request: one.requests.append(request.url))
        page.goto(path.as_uri())
        opened.append((path, one))
        return one

    yield open_file
    try:
        for path, one in opened:
            assert one.said == []
            assert [url.partition("#")[0] for url in one.requests] == [path.as_uri()]
    finally:
        for context in contexts:
            context.close()


def number(text: str) -> int:
    """A cell's number: of "7 of 11" the first."""
    return int(text.split(" of ")[0].replace(",", ""))


def test_a_search_finds_repositories_tags_and_digests(report, open_page):
    one = open_page(report.page)
    page = one.page
    assert one.hits.text_content() == f"20,000 tags in {REPOSITORIES} repositories"
    search = page.get_by_label("Search repositories and tags")

    search.fill("DATA/importer")
    assert set(one.names()) == {name for name in repository_names() if "data/importer" in name}

    search.fill("nightly 12.3.4")
    assert one.names() == ["zeta/nightly"]
    # what is found in so few repositories is in sight without another key
    tags = page.get_by_role("table", name="Tags of zeta/nightly").locator("tbody tr")
    assert tags.locator("th").all_text_contents() == ["12.3.4"]
    assert one.hits.text_content() == f"1 of 20,000 tags in 1 of {REPOSITORIES} repositories"

    digest = digest_of("zeta/nightly:12.3.5")
    search.fill(digest[:30])
    assert tags.locator("th").all_text_contents() == ["12.3.5"]
    assert tags.locator("code").text_content() == digest

    search.fill("no/such thing")
    assert one.hits.text_content() == "No tag matches."
    assert one.repositories.count() == 0

    took = page.evaluate(
        """() => {
          const search = document.getElementById("search"), began = performance.now();
          search.value = ".2.1";
          search.dispatchEvent(new Event("input"));
          return performance.now() - began;
        }"""
    )
    assert "of 20,000 tags" in one.hits.text_content()
    assert took < 2000, "milliseconds, with room for a busy machine"


@pytest.mark.parametrize(("title", "column"), [("Tags", 1), ("Copied", 2), ("Failed", 6)])
def test_the_keyboard_sorts_by_a_column(report, open_page, title, column):
    one = open_page(report.page)
    page = one.page
    head = page.locator("#table > thead th").nth(column)
    button = head.get_by_role("button", name=title)
    button.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for key, direction in (("Enter", "descending"), ("Space", "ascending")):
        page.keyboard.press(key)
        assert head.get_attribute("aria-sort") == direction
        assert page.locator("#table > thead th:not([aria-sort=none])").count() == 1
        values = [number(cell) for cell in one.repositories.locator(f"td:nth-child({column + 1})").all_text_contents()]
        assert len(values) == 50
        assert values == sorted(values, reverse=direction == "descending")
        if direction == "descending":
            assert values[0] > 0
    assert button.evaluate("button => button === document.activeElement")


def test_the_keyboard_opens_a_repository_and_pages_through_its_tags(report, open_page):
    one = open_page(report.page)
    page = one.page
    page.get_by_label("Search repositories and tags").fill("zeta/")
    opener = page.get_by_role("button", name="zeta/nightly")
    assert opener.get_attribute("aria-expanded") == "false"
    page.keyboard.press("Tab")
    while not opener.evaluate("button => button === document.activeElement"):
        assert page.evaluate("document.activeElement !== document.body"), "Tab never came to the repository"
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert opener.get_attribute("aria-expanded") == "true"
    inner = page.get_by_role("table", name="Tags of zeta/nightly")
    assert inner.locator("tbody tr").count() == 100
    assert inner.locator("tbody th").first.text_content() == "1.0.0"
    pages = page.get_by_role("navigation", name="Pages of the tags of zeta/nightly")
    following = pages.get_by_role("button", name="Next")
    following.focus()
    page.keyboard.press("Enter")
    assert pages.locator("span").text_content().startswith("101 to 200 of ")
    # as people count: 2.9.5 comes before 10.0.0, which the order of letters would not do
    names = inner.locator("tbody th").all_text_contents()
    assert names == sorted(names, key=lambda name: [int(part) for part in name.split(".")])
    assert following.evaluate("button => button === document.activeElement")
    pages.get_by_role("button", name="Last").press("Enter")
    assert following.get_attribute("aria-disabled") == "true"
    opener.press("Enter")
    assert inner.count() == 0


def test_the_table_has_pages(report, open_page):
    one = open_page(report.page)
    pages = one.page.get_by_role("navigation", name="Pages of the table")
    seen = one.names()
    for _page in range(REPOSITORIES // 50):
        pages.get_by_role("button", name="Next").click()
        seen += one.names()
    assert seen == repository_names()
    assert pages.get_by_role("button", name="Next").get_attribute("aria-disabled") == "true"


def test_failures_come_first_and_lead_to_the_table(report, open_page):
    one = open_page(report.page)
    page = one.page
    assert page.get_by_role("heading", level=1).text_content() == "18 of 20,000 tags could not be copied"
    section = page.get_by_role("region", name="What needs attention")
    assert page.locator("main > section").first.get_attribute("id") == section.get_attribute("id")
    assert section.get_by_role("heading", level=3).all_text_contents() == [
        "Tag conflict 10 tags",
        "Blob unknown 8 tags",
    ]
    group = section.locator(".group").nth(1)
    assert "Push the image to the source again, or exclude the tag." in group.text_content()
    assert group.locator("tbody tr:visible").count() == 3
    group.locator("summary").click()
    assert group.locator("tbody tr:visible").count() == 8
    group.get_by_role("button", name="Show in the table").press("Enter")
    assert one.names() == ["data/importer", "data/importer-base"]
    assert page.evaluate("document.activeElement.id") == "filter"
    reasons = page.locator(".inside .reason").all_text_contents()
    assert len(reasons) == 8
    assert all(reason.startswith(MISSING[1:-1], 1) and "Way out" in reason for reason in reasons)


def test_the_filter_shows_one_state(report, open_page):
    one = open_page(report.page)
    one.page.get_by_label("Show", exact=True).select_option(label="Conflict (10)")
    assert one.hits.text_content().startswith("10 of 20,000 tags in ")
    shown = one.repositories.locator("td:nth-child(6)").all_text_contents()
    assert sum(number(cell) for cell in shown) == 10
    assert all(name.startswith("checkout/gateway") for name in one.names())


def test_the_plots_can_be_read_without_seeing_them(report, open_page):
    page = open_page(report.page).page
    plots = page.get_by_role("region", name="Throughput").get_by_role("img")
    assert plots.count() == 2
    assert page.get_by_role("img", name="Tags a second At most").count() == 1
    page.get_by_text("The figures of the plots").click()
    rows = page.get_by_role("table", name="Tags and image bytes in each").locator("tbody tr")
    copied = sum(number(cell) for cell in rows.locator("td:nth-child(2)").all_text_contents())
    other = sum(number(cell) for column in (3, 4) for cell in rows.locator(f"td:nth-child({column})").all_text_contents())
    assert copied + other == TAGS


#: of all text in sight: the least ratio of its colour to the ground behind it, and what text that is (WCAG 2, contrast ratio)
LEAST_CONTRAST = """() => {
  const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const parsed = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([red, green, blue]) => 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parsed(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  let least = [99, ""];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (!text || !element.checkVisibility() || ["SCRIPT", "STYLE", "NOSCRIPT", "OPTION"].includes(element.tagName)) continue;
    if (element.closest("[aria-disabled=true]")) continue;
    const style = getComputedStyle(element);
    const pair = [light(parsed(element.closest("svg") ? style.fill : style.color)), light(ground(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < least[0]) least = [ratio, text.slice(0, 60)];
  }
  return least;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(report, open_page, tmp_path, scheme):
    one = open_page(report.page, color_scheme=scheme)
    page = one.page
    ground = [int(part) for part in page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")]
    assert (sum(ground) > 600) == (scheme == "light")
    page.get_by_label("Search repositories and tags").fill("data/importer 1.")
    page.get_by_role("button", name="data/importer", exact=True).click()
    ratio, text = page.evaluate(LEAST_CONTRAST)
    assert ratio >= 4.5, text
    page.screenshot(path=tmp_path / f"report-{scheme}.png", full_page=True)
    assert (tmp_path / f"report-{scheme}.png").stat().st_size > 50_000


def test_what_a_screen_reader_goes_by(report, open_page):
    page = open_page(report.page).page
    page.get_by_role("button", name="billing/api", exact=True).click()
    for landmark in ("main", "banner", "contentinfo", "search"):
        assert page.get_by_role(landmark).count() == 1, landmark
    assert page.get_by_role("navigation", name="Sections").get_by_role("link").count() == page.locator("main > section").count()
    problems = page.evaluate(
        """() => {
          const problems = [], all = (selector) => [...document.querySelectorAll(selector)];
          const ids = all("[id]").map((one) => one.id);
          if (new Set(ids).size !== ids.length) problems.push("an id is there twice");
          for (const one of all("table")) if (!one.caption || !one.caption.textContent) problems.push("a table without a caption");
          for (const one of all("th")) if (!["row", "col"].includes(one.scope)) problems.push("no scope: " + one.textContent);
          for (const one of all("input, select")) if (!one.labels.length) problems.push("no label: " + one.id);
          for (const one of all("[aria-labelledby], [aria-describedby]")) {
            const names = (one.getAttribute("aria-labelledby") || "") + " " + (one.getAttribute("aria-describedby") || "");
            for (const name of names.split(" ").filter(Boolean)) if (!document.getElementById(name)) problems.push("no such id: " + name);
          }
          const [inside, outside] = [all('a[href^="#"]'), all('a:not([href^="#"])')];
          for (const one of inside) if (!document.querySelector(one.getAttribute("href"))) problems.push("leads nowhere: " + one.href);
          for (const one of outside) if (!one.href.includes("/docs/troubleshooting.md#")) problems.push("leads elsewhere: " + one.href);
          if (new Set(outside.map((one) => one.textContent)).size !== outside.length) problems.push("links that sound the same");
          for (const one of all("button")) if (!one.textContent.trim()) problems.push("a button without a name");
          let level = 0;
          for (const one of all("h1, h2, h3, h4")) {
            const next = Number(one.tagName[1]);
            if (next > level + 1) problems.push("skips a level: " + one.textContent);
            level = next;
          }
          return problems;
        }"""
    )
    assert problems == []


def test_the_first_key_skips_to_the_report(report, open_page):
    page = open_page(report.page).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_paper_gets_everything(report, open_page):
    one = open_page(report.page)
    page = one.page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert one.repositories.count() == REPOSITORIES
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert one.repositories.count() == 50
    assert page.locator("details[open]").count() == 0
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")


def test_a_narrow_window_needs_no_scrolling_aside(report, open_page):
    page = open_page(report.page, viewport={"width": 360, "height": 700}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_scripts_all_but_the_table_is_there(report, open_page):
    page = open_page(report.page, java_script_enabled=False).page
    assert page.locator("noscript p").is_visible()
    assert not page.locator("#search").is_visible()
    assert page.get_by_role("region", name="Compared with the last run").get_by_role("row").count() > 8


HOSTILE = '</script><img src=x onerror="document.title=1"><!--'


def test_what_registries_say_is_only_text(open_page, tmp_path):
    ledger = Ledger(str(tmp_path / "state"))
    ledger.start(HOSTILE, DESTINATION)
    error = BlobUnknown(f"reason {HOSTILE}", hint=f"hint {HOSTILE}")
    ledger.record(
        [
            TagRow(f"team/{HOSTILE}", "tag\u202egpj.1", HOSTILE, "__proto__", "copy", "copied", digest=HOSTILE, size=1),
            TagRow("__proto__", f"tag{HOSTILE}", "constructor", "1", "copy", "failed", error=error),
        ]
    )
    ledger.finish("failed", {})
    ledger.verified(HOSTILE, DESTINATION, HOSTILE, 2, 1, {"differences": [{"repository": HOSTILE, "tag": HOSTILE, "message": HOSTILE}]})
    ledger.close()
    written = write_report({f"worker{HOSTILE}": ledger.path}, str(tmp_path / "report"), {HOSTILE: HOSTILE})
    one = open_page(Path(written.html_file))
    page = one.page
    assert page.locator("img").count() == 0
    assert "migration report" in page.title()
    assert one.names() == ["__proto__", f"team/{HOSTILE}"]
    page.get_by_role("button", name="__proto__").click()
    page.get_by_role("button", name=f"team/{HOSTILE}").click()
    assert page.locator(".inside tbody th").nth(0).text_content() == f"tag{HOSTILE}from constructor:1"
    # a tag that would turn the direction of what follows shows how
    assert page.locator(".inside tbody th").nth(1).text_content().startswith("tag\\u202egpj.1")
    assert f"Reason {HOSTILE}" in page.locator(".inside .reason").text_content()
    page.get_by_label("Search repositories and tags").fill("<img")
    assert one.hits.text_content() == "2 of 2 tags in 2 of 2 repositories"
    assert page.locator("script").count() == 2


def test_the_page_may_load_and_run_nothing_else(report, open_page):
    one = open_page(report.page)
    page = one.page
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        outcome = page.evaluate(
            """async (host) => {
              const script = document.createElement("script");
              script.textContent = "document.title = 'ran'";
              document.body.append(script);
              const image = document.createElement("img");
              image.src = host + "/pixel";
              const refused = new Promise((done) => image.addEventListener("error", () => done("image refused")));
              document.body.append(image);
              const asked = await fetch(host, {mode: "no-cors"}).then(() => "answered", () => "fetch refused");
              return [asked, await refused, document.title === "ran"];
            }""",
            f"http://127.0.0.1:{server.getsockname()[1]}",
        )
        with pytest.raises(BlockingIOError):
            server.accept()
    assert outcome == ["fetch refused", "image refused", False]
    assert len(one.said) >= 3
    assert all("Content Security Policy" in line for line in one.said), one.said
    # these were the test's own
    one.said.clear()
    del one.requests[1:]


def test_the_same_ledgers_give_the_same_page(report, tmp_path):
    again = write_report(report.ledgers, str(tmp_path))
    time = re.compile(r'<time datetime="[^"]*">[^<]*</time> by')
    assert time.sub("", Path(again.html_file).read_text("utf-8")) == time.sub("", report.page.read_text("utf-8"))


def test_the_picture(report, open_page, tmp_path):
    """What the README shows: the top of the page, as far as the table begins."""
    wanted = os.environ.get("REGISTRYOPS_REPORT_PICTURE")
    path = Path(wanted) if wanted else tmp_path / "report.png"
    page = open_page(report.page, color_scheme="light").page
    table = page.locator("#table > tbody > tr").nth(4).bounding_box()
    height = int(table["y"] + table["height"])
    page.set_viewport_size({"width": 1280, "height": height})
    page.screenshot(path=path)
    # the header of a PNG has its width and height
    assert path.read_bytes()[16:24] == (1280).to_bytes(4, "big") + height.to_bytes(4, "big")

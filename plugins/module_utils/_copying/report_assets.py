# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The style sheet and the script of the report's page, as text: workers are sent Python files only."""

from __future__ import annotations

STYLE = r"""
:root {
  color-scheme: light dark;
  --ground: #f4f6f8; --card: #fff; --line: #dde2e8; --text: #1b2229; --soft: #56616d; --link: #14559e; --hover: #f1f5f9;
  --good: #17704f; --open: #14559e; --bad: #b3261e; --tint: #f8fafb;
  --copied: #2f7fb8; --unchanged: #8e9aa7; --kept: #7a63b8; --conflict: #b36b00; --failed: #cc3d33; --not-attempted: #c3cad2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1318; --card: #171c23; --line: #2c343e; --text: #e4e8ec; --soft: #a0abb7; --link: #7db8f0; --hover: #1f262f;
    --good: #56c596; --open: #7db8f0; --bad: #ff8a80; --tint: #1b212a;
    --copied: #4f9fd6; --unchanged: #6d7986; --kept: #a18ce0; --conflict: #e0a040; --failed: #f0695f; --not-attempted: #46515d;
  }
}
@media print {
  :root {
    color-scheme: light;
    --ground: #fff; --card: #fff; --line: #c8ced5; --text: #000; --soft: #444; --link: #000; --hover: #fff;
    --good: #17704f; --open: #14559e; --bad: #b3261e; --tint: #fff;
    --copied: #2f7fb8; --unchanged: #8e9aa7; --kept: #7a63b8; --conflict: #b36b00; --failed: #cc3d33; --not-attempted: #c3cad2;
  }
  .tools, .pager, .skip, .top nav, button.plain, thead .arrow { display: none !important; }
  .card { break-inside: auto; border: 0 !important; padding: 0 !important; }
  tr, figure, .tiles > div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible !important; }
  code.digest { max-width: none !important; white-space: normal !important; overflow-wrap: anywhere; }
  rect, .swatch { print-color-adjust: exact; }
}
*, ::before, ::after { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0 auto; padding: 0 24px 40px; max-width: 1208px; background: var(--ground); color: var(--text);
  font: 15px/1.5 Inter, -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif;
}
code { font: 0.86em/1.4 "JetBrains Mono", ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px; }
main:focus { outline: none; }
[hidden] { display: none !important; }
.hidden { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: 24px; top: -60px; padding: 8px 14px; background: var(--card); z-index: 2; }
.skip:focus { top: 8px; }

.top { padding: 36px 0 20px; }
.top p, .top ul { margin: 0; }
.product { color: var(--soft); font-size: 13px; letter-spacing: 0.02em; }
.status { display: inline-flex; align-items: center; gap: 8px; margin: 14px 0 0 !important; font-weight: 600; color: var(--level); }
.status svg { width: 18px; height: 18px; }
.status circle { fill: var(--level); }
.status path { fill: none; stroke: var(--card); stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.good { --level: var(--good); } .open { --level: var(--open); } .bad { --level: var(--bad); }
h1 { margin: 2px 0 6px; font-size: 32px; line-height: 1.2; font-weight: 650; letter-spacing: -0.015em; overflow-wrap: anywhere; }
.detail { max-width: 78ch; color: var(--soft); overflow-wrap: anywhere; }
.facts, .top nav ul { display: flex; flex-wrap: wrap; list-style: none; padding: 0; }
.facts { gap: 2px 0; padding-top: 14px; font-size: 14px; }
.facts li:not(:last-child)::after { content: "·"; margin: 0 10px; color: var(--soft); }
.facts b { font-weight: 600; overflow-wrap: anywhere; }
.top nav { margin-top: 20px; border-top: 1px solid var(--line); padding-top: 12px; font-size: 14px; }
.top nav ul { gap: 4px 22px; }
.top nav a { text-decoration: none; }
.top nav a:hover { text-decoration: underline; }

.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 22px 24px; margin: 0 0 16px; }
h2 { margin: 0 0 14px; font-size: 18px; line-height: 1.3; font-weight: 620; letter-spacing: -0.005em; }
h3 { margin: 0; font-size: 15px; font-weight: 620; }
.count { color: var(--soft); font-weight: 400; margin-left: 4px; }
.note { margin: 8px 0 0; color: var(--soft); font-size: 13px; }
.card > h2 + p { margin-top: 0; }
.card > h3 { margin-top: 20px; }

.group { display: grid; grid-template-columns: 1fr auto; align-items: baseline; gap: 0 16px; }
.group > * { grid-column: 1 / -1; min-width: 0; }
.group > h3 { grid-column: 1; grid-row: 1; }
.group > button { grid-column: 2; grid-row: 1; }
.group + .group { margin-top: 22px; padding-top: 20px; border-top: 1px solid var(--line); }
.way-out { margin: 4px 0 8px; overflow-wrap: anywhere; }
.way-out b { color: var(--good); font-weight: 600; margin-right: 6px; }
button, input, select { font: inherit; color: inherit; }
button { cursor: pointer; }
button.plain, .pager button {
  background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 4px 11px; font-size: 13px; white-space: nowrap;
}
button.plain:hover, .pager button:hover { background: var(--hover); }
details > summary { cursor: pointer; color: var(--link); font-size: 14px; padding: 6px 0; width: max-content; }

.share { display: block; width: 100%; height: 14px; border-radius: 3px; }
rect.copied { fill: var(--copied); } rect.unchanged { fill: var(--unchanged); } rect.kept { fill: var(--kept); }
rect.conflict { fill: var(--conflict); } rect.failed { fill: var(--failed); } rect.not_attempted { fill: var(--not-attempted); }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 7px; vertical-align: 0; }
.key { margin: 12px 0 0; font-size: 13px; } .key .swatch:not(:first-child) { margin-left: 16px; }
.swatch.copied { background: var(--copied); } .swatch.unchanged { background: var(--unchanged); } .swatch.kept { background: var(--kept); }
.swatch.conflict { background: var(--conflict); } .swatch.failed { background: var(--failed); }
.swatch.not_attempted { background: var(--not-attempted); }
dl { margin: 0; } dd { margin: 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 26px; margin-top: 12px; }
.legend div { display: flex; gap: 7px; align-items: baseline; }
.legend dt { color: var(--soft); } .legend dd { font-weight: 600; } .legend .zero { color: var(--soft); font-weight: 400; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); margin-top: 20px; border-top: 1px solid var(--line); }
.tiles > div { padding: 16px 16px 0 0; }
.tiles dt { color: var(--soft); font-size: 13px; }
.tiles dd { font-size: 24px; line-height: 1.25; font-weight: 600; letter-spacing: -0.01em; }
.tiles small { display: block; margin-top: 3px; color: var(--soft); font-size: 13px; font-weight: 400; line-height: 1.4; }

.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 20px 32px; }
figure { margin: 0; }
figcaption { font-weight: 600; font-size: 14px; margin-bottom: 8px; }
.plot { display: block; width: 100%; height: auto; }
.plot text { fill: var(--soft); font-size: 11px; }
.grid { stroke: var(--line); stroke-width: 1; }
.pointer { fill: transparent; } .pointer:hover { fill: var(--text); fill-opacity: 0.07; }

.scroll { overflow-x: auto; }
table, .plot, .hits { font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 7px 12px 7px 0; border-bottom: 1px solid var(--line); }
tr > :last-child { padding-right: 0; }
thead th { color: var(--soft); font-weight: 500; font-size: 13px; white-space: nowrap; }
tbody th { font-weight: 500; overflow-wrap: anywhere; }
tbody tr:last-child > * { border-bottom: 0; }
table.numbers td, .figures td { white-space: nowrap; }
table.compare { width: auto; min-width: 60%; }
table.compare :is(td, th:not(:first-child)), .figures :is(td, th:not(:first-child)) { text-align: right; padding-left: 24px; }
.failures :is(th, td):first-child { width: 30%; } .failures td { overflow-wrap: anywhere; }
.failures td:nth-child(3) { white-space: nowrap; }
code.digest {
  display: inline-block; max-width: calc(19ch + 2px); overflow: hidden; vertical-align: bottom; white-space: nowrap;
  text-overflow: ellipsis;
}
.outcome { color: var(--level); font-weight: 600; }

.tools { display: flex; flex-wrap: wrap; gap: 12px 20px; align-items: flex-start; }
.tools .grow { flex: 1 1 360px; }
.tools label { display: block; font-size: 13px; color: var(--soft); margin-bottom: 4px; }
.tools .note { margin-top: 4px; }
.tools input, .tools select {
  width: 100%; height: 38px; padding: 0 11px; background: var(--card); border: 1px solid #87919c; border-radius: 6px;
}
.tools select { min-width: 210px; }
.hits { margin: 12px 0 8px; font-weight: 500; }
#table th, #table td { padding-left: 10px; padding-right: 10px; }
#table > thead th { padding: 0; border-bottom: 1px solid var(--soft); }
#table > thead button, #table .open-tags {
  width: 100%; padding: 7px 10px; text-align: left; font-weight: 500; background: none; border: 0;
}
#table > thead th:not(:first-child) button { text-align: right; }
#table > thead button:hover { background: var(--hover); color: var(--text); }
#table > thead th:not([aria-sort=none]) { color: var(--text); font-weight: 650; }
.arrow::after { content: "↕"; opacity: 0.45; margin-left: 5px; font-size: 11px; }
[aria-sort=ascending] .arrow::after { content: "↑"; opacity: 1; }
[aria-sort=descending] .arrow::after { content: "↓"; opacity: 1; }
#table > tbody > tr.repository > td { text-align: right; white-space: nowrap; }
#table > tbody > tr.repository > th { padding: 0; width: 40%; }
#table > tbody > tr.repository:hover { background: var(--hover); }
#table .open-tags { overflow-wrap: anywhere; }
#table .open-tags::before {
  content: ""; display: inline-block; width: 7px; height: 7px; margin: 0 11px 2px 2px; border: solid var(--soft); border-width: 0 2px 2px 0;
  transform: rotate(-45deg);
}
#table .open-tags[aria-expanded=true]::before { transform: rotate(45deg) translate(-2px, -2px); }
td.zero { color: var(--soft); }
td.wrong { color: var(--bad); font-weight: 600; }
#table td.inside { background: var(--tint); padding: 8px 12px 14px 32px; }
.inside table { font-size: 13px; }
.inside td.size { text-align: right; white-space: nowrap; }
.inside tbody th { width: 22%; min-width: 110px; overflow-wrap: anywhere; }
.inside thead th.size { text-align: right; }
.inside td.state { white-space: nowrap; }
.inside td.time { white-space: nowrap; }
.inside .reason { display: block; margin-top: 2px; overflow-wrap: anywhere; }
.inside .reason b { color: var(--good); font-weight: 600; }
.pager { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; margin-top: 12px; font-size: 13px; }
.pager span { margin: 0 6px; color: var(--soft); }
.pager button[aria-disabled=true] { color: var(--soft); opacity: 0.6; cursor: default; }
footer { padding: 8px 0 0; color: var(--soft); font-size: 13px; }
footer p { margin: 0; }
@media (max-width: 640px) {
  body { padding: 0 14px 30px; }
  .card { padding: 18px 16px; }
  h1 { font-size: 26px; }
}
"""

SCRIPT = r"""
"use strict";
(() => {
  const PAGE = 50, TAGS = 100, PRINTED = 2000, OPEN_AT_ONCE = 3;
  const TAG = 0, STATE = 1, SIZE = 2, WORKER = 3, FINISHED = 4, DIGEST = 5, SOURCE = 6, FAILURE = 7;
  const data = document.getElementById("data") && JSON.parse(document.getElementById("data").textContent);
  const table = document.getElementById("table");
  for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;

  // a long list is printed with all of its text
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of closed) one.open = false;
  });
  if (!table) return;

  const body = table.tBodies[0];
  const search = document.getElementById("search");
  const filter = document.getElementById("filter");
  const status = document.getElementById("hits");
  const failed = data.states.map((state) => state === "Failed" || state === "Conflict");
  const collator = new Intl.Collator("en", { numeric: true });
  const several = data.workers.length > 1;
  const repositories = collected();
  const all = repositories.reduce((sum, one) => sum + one.tags.length, 0);
  const opened = new Set();
  const shut = new Set();
  let sort = { column: "name", down: false };
  let hits = [];
  let first = 0;

  // one repository may come from more than one worker
  function collected() {
    const byName = new Map();
    for (const [name, tags] of data.repositories) {
      let one = byName.get(name);
      if (!one) byName.set(name, (one = { name, lower: name.toLowerCase(), tags: [] }));
      for (const tag of tags) one.tags.push(tag);
    }
    const list = [...byName.values()].sort((one, other) => collator.compare(one.name, other.name));
    list.forEach((one, rank) => {
      one.rank = rank;
      Object.assign(one, summed(one.tags));
    });
    return list;
  }

  function summed(tags) {
    const counts = data.states.map(() => 0);
    let size = 0;
    for (const tag of tags) {
      counts[tag[STATE]] += 1;
      size += tag[SIZE];
    }
    return { counts, size };
  }

  function wanted(tag, want) {
    if (!want) return true;
    const value = want.slice(want.indexOf(":") + 1);
    if (want.startsWith("state:")) return tag[STATE] === Number(value);
    return failed[tag[STATE]] && (tag[FAILURE] ? tag[FAILURE][0] : "error") === value;
  }

  function found(one, tag, term) {
    if (term.startsWith("sha256:") && tag[DIGEST].startsWith(term)) return true;
    return (one.lower + ":" + tag[TAG].toLowerCase()).includes(term);
  }

  function find() {
    const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const want = filter.value;
    hits = [];
    let tagsFound = 0;
    for (const one of repositories) {
      const rest = terms.filter((term) => !one.lower.includes(term));
      if (!rest.length && !want) {
        hits.push({ one, tags: one.tags, counts: one.counts, size: one.size, inTags: false });
        tagsFound += one.tags.length;
        continue;
      }
      const tags = one.tags.filter((tag) => wanted(tag, want) && rest.every((term) => found(one, tag, term)));
      if (!tags.length) continue;
      hits.push({ one, tags, ...summed(tags), inTags: true });
      tagsFound += tags.length;
    }
    status.textContent = said(tagsFound, terms.length || want);
    order();
  }

  function said(tagsFound, narrowed) {
    const tags = `${number(all)} ${all === 1 ? "tag" : "tags"}`;
    const names = `${number(repositories.length)} ${repositories.length === 1 ? "repository" : "repositories"}`;
    if (!narrowed) return `${tags} in ${names}`;
    return tagsFound ? `${number(tagsFound)} of ${tags} in ${number(hits.length)} of ${names}` : "No tag matches.";
  }

  function order() {
    const state = data.states.findIndex((name) => name.toLowerCase() === sort.column);
    const key = {
      name: (hit) => hit.one.rank,
      tags: (hit) => hit.tags.length,
      size: (hit) => hit.size,
    }[sort.column] || ((hit) => hit.counts[state]);
    const way = sort.down ? -1 : 1;
    hits.sort((one, other) => way * (key(one) - key(other)) || one.one.rank - other.one.rank);
    first = 0;
    draw();
  }

  function isOpen(hit) {
    if (opened.has(hit.one.name)) return true;
    // what a search finds in very few repositories is shown at once
    return hit.inTags && hits.length <= OPEN_AT_ONCE && !shut.has(hit.one.name);
  }

  function draw(count = PAGE) {
    const shown = hits.slice(first, first + count);
    const rows = document.createDocumentFragment();
    shown.forEach((hit, position) => {
      const row = repositoryRow(hit, position);
      rows.append(row);
      if (isOpen(hit)) rows.append(tagsRow(hit, position));
    });
    body.replaceChildren(rows);
    pager(document.getElementById("pages"), hits.length, PAGE, first, "repositories", (next) => {
      first = next;
      draw();
    });
  }

  function repositoryRow(hit, position) {
    const row = make("tr", "repository");
    const head = row.appendChild(make("th"));
    head.scope = "row";
    const button = head.appendChild(make("button", "open-tags"));
    button.type = "button";
    button.appendChild(make("bdi", "", hit.one.name));
    button.setAttribute("aria-expanded", String(isOpen(hit)));
    button.setAttribute("aria-controls", `tags-${position}`);
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      if (open) {
        opened.add(hit.one.name);
        shut.delete(hit.one.name);
        row.after(tagsRow(hit, position));
      } else {
        opened.delete(hit.one.name);
        shut.add(hit.one.name);
        row.nextElementSibling.remove();
      }
    });
    const whole = hit.one.tags.length;
    row.append(make("td", "", hit.tags.length === whole ? number(whole) : `${number(hit.tags.length)} of ${number(whole)}`));
    hit.counts.forEach((count, state) => {
      row.append(make("td", count ? (failed[state] ? "wrong" : "") : "zero", number(count)));
    });
    row.append(make("td", hit.size ? "" : "zero", bytes(hit.size)));
    return row;
  }

  function tagsRow(hit, position) {
    const row = make("tr");
    row.id = `tags-${position}`;
    const cell = row.appendChild(make("td", "inside"));
    cell.colSpan = table.tHead.rows[0].cells.length;
    const inner = cell.appendChild(make("table"));
    inner.appendChild(make("caption", "hidden", `Tags of ${hit.one.name}`));
    const heads = inner.createTHead().insertRow();
    for (const title of ["Tag", "State", "Size", "Digest", "Done (UTC)", ...(several ? ["Worker"] : [])]) {
      const head = heads.appendChild(make("th", title === "Size" ? "size" : "", title));
      head.scope = "col";
    }
    const inside = inner.createTBody();
    const pages = cell.appendChild(make("nav", "pager"));
    pages.setAttribute("aria-label", `Pages of the tags of ${hit.one.name}`);
    const sorted = [...hit.tags].sort((one, other) => collator.compare(one[TAG], other[TAG]));
    const show = (from) => {
      inside.replaceChildren(...sorted.slice(from, from + TAGS).map(tagRow));
      pager(pages, sorted.length, TAGS, from, "tags", show);
    };
    show(0);
    return row;
  }

  function tagRow(tag) {
    const row = make("tr");
    const head = row.appendChild(make("th"));
    head.scope = "row";
    head.append(tag[TAG] ? make("bdi", "", tag[TAG]) : "the whole repository");
    if (tag[SOURCE]) {
      head.append(make("br"), make("span", "note", "from "), make("bdi", "note", tag[SOURCE]));
    }
    const state = row.appendChild(make("td", "state"));
    state.append(make("span", `swatch ${data.states[tag[STATE]].toLowerCase()}`), data.states[tag[STATE]]);
    row.append(make("td", "size", tag[SIZE] ? bytes(tag[SIZE]) : "\u2013"));
    if (tag[FAILURE]) {
      state.classList.remove("state");
      const reason = state.appendChild(make("span", "reason"));
      reason.append(...prose(tag[FAILURE][1]));
      if (tag[FAILURE][2]) reason.append(" ", make("b", "", "Way out"), " ", tag[FAILURE][2]);
    }
    row.appendChild(make("td")).append(tag[DIGEST] ? digest(tag[DIGEST]) : "\u2013");
    row.append(make("td", "time", new Date(tag[FINISHED] * 1000).toISOString().slice(0, 19).replace("T", " ")));
    if (several) row.append(make("td", "", data.workers[tag[WORKER]]));
    return row;
  }

  function digest(text) {
    const code = make("code", "digest", text);
    code.title = text;
    return code;
  }

  // a sentence that begins with a capital, with room for its digests
  function prose(text) {
    const parts = (text.slice(0, 1).toUpperCase() + text.slice(1)).split(/\b([a-z0-9]{2,16}:[0-9a-f]{32,128})\b/);
    return parts.map((part, index) => (index % 2 ? digest(part) : part));
  }

  function pager(place, count, size, from, things, go) {
    const pages = Math.ceil(count / size), page = Math.floor(from / size);
    place.hidden = pages < 2;
    if (place.hidden) return place.replaceChildren();
    const targets = [["First", 0], ["Previous", page - 1], ["Next", page + 1], ["Last", pages - 1]];
    if (place.children.length !== 5) {
      const buttons = targets.map(([name]) => {
        const button = make("button", "", name);
        button.type = "button";
        button.addEventListener("click", () => button.go && button.go());
        return button;
      });
      place.replaceChildren(buttons[0], buttons[1], make("span"), buttons[2], buttons[3]);
    }
    const text = place.querySelector("span");
    const last = Math.min(from + size, count);
    text.textContent = `${number(from + 1)} to ${number(last)} of ${number(count)} ${things}`;
    [...place.querySelectorAll("button")].forEach((button, index) => {
      const to = targets[index][1];
      const idle = to < 0 || to >= pages || to === page;
      // it stays where the keyboard is, so it is never disabled for good
      button.setAttribute("aria-disabled", String(idle));
      button.go = idle ? null : () => go(to * size);
    });
    return undefined;
  }

  function make(name, className = "", text = "") {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text) element.textContent = text;
    return element;
  }

  function number(value) {
    return value.toLocaleString("en-US");
  }

  function bytes(value) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let unit = 0;
    while (value >= 1023.5 && unit < units.length - 1) {
      value /= 1024;
      unit += 1;
    }
    const digits = unit === 0 || value >= 99.95 ? 0 : 1;
    return `${value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })}\u00a0${units[unit]}`;
  }

  for (const head of table.tHead.rows[0].cells) {
    head.firstElementChild.addEventListener("click", () => {
      const column = head.dataset.column;
      const down = sort.column === column ? !sort.down : column !== "name";
      sort = { column, down };
      for (const other of table.tHead.rows[0].cells) {
        other.setAttribute("aria-sort", other !== head ? "none" : down ? "descending" : "ascending");
      }
      order();
    });
  }
  search.addEventListener("input", () => {
    shut.clear();
    find();
  });
  filter.addEventListener("change", () => {
    shut.clear();
    find();
  });
  search.form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => {
      search.value = "";
      filter.value = button.dataset.show;
      shut.clear();
      find();
      document.getElementById("repositories").scrollIntoView();
      filter.focus({ preventScroll: true });
    });
  }
  addEventListener("beforeprint", () => {
    first = 0;
    draw(PRINTED);
    document.getElementById("pages").hidden = true;
    if (hits.length > PRINTED) status.textContent += ` Printed: the first ${number(PRINTED)} repositories.`;
  });
  addEventListener("afterprint", find);
  find();
})();
"""

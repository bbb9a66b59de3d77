# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The throughput of a run over time: counted in equal parts of it, and drawn."""

from __future__ import annotations

import math
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.report_text import count_of, size_of

_MOST_BUCKETS = 80
_BUCKET_SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)


class Throughput:
    """How many tags were done, and how many bytes of images were complete, in each of some equal parts of the time of a run."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin = begin
        self.span = max(end - begin, 0.0)
        self.seconds = next((one for one in _BUCKET_SECONDS if self.span / one <= _MOST_BUCKETS), 0.0)
        if not self.seconds:
            self.seconds = 86400.0 * math.ceil(self.span / _MOST_BUCKETS / 86400)
        count = max(1, math.ceil(self.span / self.seconds - 1e-4))
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

    def __bool__(self) -> bool:
        """Whether there is anything to draw."""
        return any(self.copied) or any(self.settled) or any(self.failed)


def throughput_body(data: Throughput) -> str:
    """The plots, with what they show in words and as a table."""
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
            f"At most {size_of(data.bytes[peak] / seconds)} a second, {_elapsed(peak * seconds, long)} after the start;"
            f" {size_of(sum(data.bytes) / long)} on average."
        )
        plots.append(_plot("bytes", "Image bytes a second", byte_text, data, [("copied", data.bytes)], size_of))
    rows = "".join(
        f'<tr><th scope="row">{_elapsed(number * seconds, long)}</th><td>{count_of(data.copied[number])}</td>'
        f"<td>{count_of(data.settled[number])}</td><td>{count_of(data.failed[number])}</td><td>{size_of(data.bytes[number])}</td></tr>\n"
        for number in range(len(done))
    )
    return (
        f'<div class="plots">{"".join(plots)}</div>\n'
        '<p class="key"><span class="swatch copied"></span>copied <span class="swatch unchanged"></span>unchanged or kept '
        '<span class="swatch failed"></span>failed or in conflict</p>\n'
        f'<p class="note">Each bar is {_duration_of_bucket(seconds)}. A tag counts when it is complete at the destination, with the size of'
        " its whole image, shared layers too.</p>\n"
        '<details><summary>The figures of the plots</summary>\n<div class="scroll"><table class="figures">'
        f'<caption class="hidden">Tags and image bytes in each {_duration_of_bucket(seconds)} of the run</caption>'
        '<thead><tr><th scope="col">From</th><th scope="col">Copied</th><th scope="col">Unchanged or kept</th>'
        f'<th scope="col">Failed or in conflict</th><th scope="col">Image bytes</th></tr></thead>'
        f"<tbody>\n{rows}</tbody></table></div></details>\n"
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
    step = (_binary_step if unit is size_of else _nice_step)(max(totals), 4)
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


def _binary_step(highest: float, parts: int) -> float:
    """The smallest power of two that comes to the highest value in so many parts: a round number of bytes in binary units."""
    return 1.0 if highest <= parts else 2.0 ** math.ceil(math.log2(highest / parts))


def _nice_step(highest: float, parts: int) -> float:
    """The smallest step of 1, 2, 2.5 or 5 times a power of ten that comes to the highest value in so many parts."""
    if highest <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(highest / parts))
    return next((power * factor for factor in (1, 2, 2.5, 5) if power * factor * parts >= highest), power * 10)

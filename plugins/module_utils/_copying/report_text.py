# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""How the report's page writes names, messages, numbers and times. Everything of somebody else's goes through `markup` or `script_json`."""

from __future__ import annotations

import base64
import datetime
import hashlib
import html
import json
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying import sizes

# what moves or hides other text: control characters, directions of writing, no width, halves of characters
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]")
_DIGEST = re.compile(r"\b[a-z0-9]{2,16}:[0-9a-f]{32,128}\b")


def visible(value: t.Any) -> str:
    """A text of somebody else's with everything unseen in it written as an escape."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", str(value))


def markup(value: t.Any) -> str:
    """A text of somebody else's as HTML, for between elements and for quoted attributes."""
    return html.escape(visible(value))


def prose(value: t.Any) -> str:
    """A sentence of an error, with room for its digests: a style shortens them, who copies them gets them whole."""
    return _DIGEST.sub(r'<code class="digest" title="\g<0>">\g<0></code>', markup(sentence(str(value))))


def script_json(value: t.Any) -> str:
    """JSON that may stand inside of a script element: nothing in it can end that, or begin a comment."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def policy_hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline style or script that may be."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def reference(repository: str, tag: str) -> str:
    """`repository:tag`, `repository@digest`, or the repository alone."""
    if not tag:
        return repository
    return f"{repository}{'@' if ':' in tag else ':'}{tag}"


def count_of(number: float) -> str:
    """`20,000`"""
    return f"{number:,.0f}"


def tags_of(number: int) -> str:
    """`1 tag`, `2 tags`"""
    return f"{count_of(number)} tag{'' if number == 1 else 's'}"


def size_of(number: float) -> str:
    """Bytes in binary units, with a space that does not break."""
    return sizes.size_of(number).replace(" ", "\u00a0")


def duration_of(seconds: float) -> str:
    """`0.25 s`, `12.5 s`, `4 min 05 s`, `3 h 20 min`"""
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 1 else 1}f}\u00a0s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{count_of(hours)}\u00a0h {minutes:02}\u00a0min"
    return f"{minutes}\u00a0min {whole % 60:02}\u00a0s"


def moment_of(iso: str) -> str:
    """`2026-11-21 09:00:12 UTC`"""
    return iso.replace("T", " ").replace("+00:00", " UTC")


def time_of(seconds: float | None) -> str:
    """A time in seconds since 1970, as an element."""
    if seconds is None:
        return "unknown"
    iso = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="seconds")
    return f'<time datetime="{iso}">{moment_of(iso)}</time>'


def listed(words: t.Iterable[str]) -> str:
    """`one, two and three`"""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def sentence(text: str) -> str:
    """The same, with a capital at its beginning."""
    return text[:1].upper() + text[1:]

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What a product tells of its repositories and tags, in the form in which everything else knows them."""

from __future__ import annotations

import dataclasses
import typing as t

#: existing: as wanted; created, changed: made so, or would be; drift: differs in what cannot be changed
CreationState = t.Literal["existing", "created", "changed", "drift"]


@dataclasses.dataclass(frozen=True)
class TagRecord:
    """A tag as a product lists it. Empty texts and -1 stand for what the product does not tell.

    `size` is that of the image in bytes, `pushed` a moment in ISO 8601. `archived`: it cannot be read before it is restored.
    `manifests`: digests of the manifests below it, where it is an index.
    """

    name: str
    digest: str = ""
    media_type: str = ""
    size: int = -1
    pushed: str = ""
    archived: bool = False
    manifests: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class RepositoryRecord:
    """A repository as a product lists it. Empty texts, None and -1 stand for what the product does not tell.

    `visibility`: public, private or internal. `immutable`: tags cannot be moved. `created`: a moment in ISO 8601.
    """

    name: str
    description: str = ""
    visibility: str = ""
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    immutable: bool | None = None
    tag_count: int = -1
    size: int = -1
    created: str = ""

    def as_row(self) -> dict[str, t.Any]:
        """What is known, for results."""
        row = {name: value for name, value in dataclasses.asdict(self).items() if value not in ("", -1, None, {})}
        return {**row, "name": self.name}


@dataclasses.dataclass(frozen=True)
class Creation:
    """What became of something that has to exist before a push, or would: its kind in the product's own word, its name, its state.

    `differences`: {setting: (what it is, what is wanted)}, for everything but `existing`.
    """

    kind: str
    name: str
    state: CreationState
    differences: t.Mapping[str, tuple[t.Any, t.Any]] = dataclasses.field(default_factory=dict)

    def as_row(self) -> dict[str, t.Any]:
        """The form in which it stands in results."""
        row: dict[str, t.Any] = {"kind": self.kind, "name": self.name, "state": self.state}
        if self.differences:
            row["differences"] = {name: {"before": before, "after": after} for name, (before, after) in self.differences.items()}
        return row

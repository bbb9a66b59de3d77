# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What a run is told: rules (what goes where) and policies (what to do when something is in the way)."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.mapping import Mapping
from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import RepositorySelection, TagSelection
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, InvalidReference
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Platform
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import TAG_LIMIT, check_tag, shown

ExistingTags = t.Literal["overwrite", "keep", "fail"]
OnError = t.Literal["skip", "abort", "retry"]
IndexForm = t.Literal["whole", "subset", "sparse"]
ForeignLayers = t.Literal["skip", "copy"]
#: what images of some kinds are converted to: {v1: docker or oci, schema1: none, docker or oci, oci: none or docker}
Conversions = t.Mapping[str, str]
CONVERSIONS: Conversions = {"v1": "docker", "schema1": "none", "oci": "none"}

#: failures, or differences, that a result holds; all of them are in the ledger
MOST_FAILURES = 100


@dataclasses.dataclass(frozen=True)
class Rule:
    """Which repositories and tags go, and under what names."""

    repositories: RepositorySelection = dataclasses.field(default_factory=RepositorySelection)
    tags: TagSelection = dataclasses.field(default_factory=TagSelection)
    mapping: Mapping = dataclasses.field(default_factory=Mapping)

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any], option: str) -> Rule:
        """Build from a module's option; InvalidOption names the key that is wrong."""
        return cls(
            RepositorySelection.from_options(options.get("repositories"), f"{option}.repositories"),
            TagSelection.from_options(options.get("tags"), f"{option}.tags"),
            Mapping.from_options(options.get("mapping"), f"{option}.mapping"),
        )

    def within(self, namespace: str) -> Rule:
        """The same where a name of one component stands for one in a namespace; itself where that is empty."""
        return dataclasses.replace(self, repositories=self.repositories.within(namespace)) if namespace else self


@dataclasses.dataclass(frozen=True)
class Policy:
    """How a run decides.

    `existing_tags`: a tag of the destination that has another digest is overwritten, kept, or makes the tag fail.
    `backup_tag`: before a tag is overwritten, the old manifest gets this tag; `{tag}` and `{digest}` (12 hex digits) are filled in,
    and one of them has to be: else all tags of a repository would have one backup.
    `on_error`: `skip` goes on and reports, `retry` tries failed tags again `retries` times at the end, `abort` stops at the first.
    `referrers`: signatures, attestations and whatever else refers to an image go with it.
    `platforms` (of indexes; empty = all), and what becomes of an index then: `whole` with all children, `subset` a new index
    with the chosen ones (its digest is another), `sparse` the same index without the other children.
    `trust_ledger`: of a tag that the destination lists, the ledger's word is taken for what it holds.
    `convert`: see Conversions; the source's store does it.
    `only`: source repositories to which this run confines itself (a worker's share); None = all.
    """

    existing_tags: ExistingTags = "overwrite"
    backup_tag: str = ""
    on_error: OnError = "skip"
    retries: int = 2
    referrers: bool = True
    foreign_layers: ForeignLayers = "skip"
    platforms: tuple[Platform, ...] = ()
    index: IndexForm = "whole"
    #: threads; 0: as many as the stores can take requests at once
    workers: int = 0
    only: frozenset[str] | None = None
    trust_ledger: bool = False
    convert: Conversions = dataclasses.field(default_factory=lambda: dict(CONVERSIONS))

    def __post_init__(self) -> None:
        if self.backup_tag:
            if "{tag}" not in self.backup_tag and "{digest}" not in self.backup_tag:
                raise InvalidOption(
                    f"{shown(self.backup_tag, 128)} is the same for all tags, which would take it from one another.",
                    subject="backup_tag",
                    hint="Put {tag} or {digest} into it, as in '{tag}-before-{digest}'.",
                )
            try:
                # a tag of one letter: what does not fit then never does
                check_tag(self._fill("x", "sha256:" + "0" * 64))
            except InvalidReference as error:
                raise InvalidOption(
                    f"{error.subject} {error.message}",
                    subject="backup_tag",
                    hint="Write a tag; {tag} and {digest} are all that is filled in, as in '{tag}-before-{digest}'.",
                ) from error

    def backup_name(self, tag: str, digest: str) -> str:
        """The tag under which the manifest stays that a tag has pointed to. Where it would be too long, `{tag}` is shortened."""
        room = TAG_LIMIT - len(self._fill("", digest))
        return self._fill(tag[: room // max(1, self.backup_tag.count("{tag}"))], digest)

    def _fill(self, tag: str, digest: str) -> str:
        return self.backup_tag.replace("{tag}", tag).replace("{digest}", digest.partition(":")[2][:12])

    @property
    def form(self) -> str:
        """What of each image is wanted, as words: a run of another form cannot rely on what this one has found complete."""
        parts = [self.index, *sorted(str(platform) for platform in self.platforms)] if self.platforms and self.index != "whole" else []
        if self.foreign_layers == "copy":
            parts.append("foreign")
        parts += [f"{kind}={form}" for kind, form in sorted(self.convert.items()) if form != CONVERSIONS[kind]]
        return " ".join(parts if self.referrers else [*parts, "alone"])

    @property
    def makes_subsets(self) -> bool:
        """Whether indexes get new digests on the way."""
        return bool(self.platforms) and self.index == "subset"

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Schema 1 (docker "Image Manifest Version 2, Schema 1"), signed or not, to schema 2 or OCI.

A manifest of schema 1 is a chain of v1 images, newest first: a document for each of them in `history`, and its layer in `fsLayers`. So it
is converted as images of a v1 registry are. The signatures are dropped, for what they sign is no more; the layers stay as they are.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._conversion.layers import LayerFacts
from ansible_collections.registryops.migration.plugins.module_utils._conversion.v1 import Converted, convert, read_link
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Manifest, read_object, schema1_payload

#: what docker wrote for an instruction that changes no file; not every registry that names it has it
EMPTY_LAYER = LayerFacts(
    "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4",
    32,
    "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    empty=True,
)
_HINT = "Push the image again at the source, or leave it out."


@dataclasses.dataclass(frozen=True)
class Schema1:
    """What a manifest of schema 1 says, oldest first: the document of each image, and the digest of its layer."""

    digest: str
    documents: tuple[dict[str, t.Any], ...]
    layers: tuple[str, ...]

    def convert(self, facts: t.Sequence[LayerFacts], form: str, where: str) -> Converted:
        """The image as schema 2 or OCI (`form`: docker or oci), the same bytes each time. `facts`: of the layers, in their order."""
        links = [read_link(document, where) for document in self.documents]
        return convert(self.documents[-1], list(zip(links, facts)), form, self.digest)


def read_schema1(manifest: Manifest, where: str) -> Schema1:
    """Read a manifest that is of schema 1; InvalidManifest, with subject `where`, if its history does not fit its layers."""
    document = read_object(schema1_payload(manifest.data, where), where)
    history = document.get("history")
    if not isinstance(history, list) or not history or len(history) != len(manifest.layers):
        raise InvalidManifest("has another number of layers than of entries in its history.", subject=where, hint=_HINT)
    documents = []
    for position, entry in enumerate(history):
        text = entry.get("v1Compatibility") if isinstance(entry, dict) else None
        if not isinstance(text, str):
            raise InvalidManifest(f"has no text v1Compatibility in history[{position}].", subject=where, hint=_HINT)
        documents.append(read_object(text.encode("utf-8", "replace"), f"{where}, history[{position}]"))
    return Schema1(manifest.digest, tuple(reversed(documents)), tuple(layer.digest for layer in reversed(manifest.layers)))

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Images of v1 to images with a manifest: the documents of a chain, and what is known of its layers, become a configuration.

What the configuration holds follows docker's own conversion (moby, "image/v1"): the document of the image on top, less what named its
place in a chain, and with the history and the diff IDs of all of them. The same chain gives the same bytes in every run.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._conversion.layers import LayerFacts, layer_type
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import digest_of
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import DigestMismatch, InvalidManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Manifest, make_manifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_MANIFEST,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import shown

Document = t.Mapping[str, t.Any]

#: keys of a v1 document that say where in a chain it is, or what its layer is: a configuration has other means for that
_OF_THE_CHAIN = frozenset({"id", "parent", "parent_id", "layer_id", "throwaway", "Size", "checksum"})
_TYPES = {"docker": (DOCKER_MANIFEST, DOCKER_CONFIG), "oci": (OCI_MANIFEST, OCI_CONFIG)}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_PAYLOAD_CHECKSUM = re.compile("sha256:[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Link:
    """One image of a chain, as far as those above it need to know: its parent's id, its history, and whether it was thrown away."""

    parent: str
    history: Document
    throwaway: bool


@dataclasses.dataclass(frozen=True)
class Converted:
    """A made image: its manifest, and the configuration that the manifest names."""

    manifest: Manifest
    config: bytes


def manifest_type(form: str) -> str:
    """The media type of manifests in this form, `docker` or `oci`."""
    return _TYPES[form][0]


def read_link(document: t.Any, where: str) -> Link:
    """What one document of a chain says; InvalidManifest about `where` if it is no object."""
    if not isinstance(document, dict):
        raise InvalidManifest("is no object.", subject=where, hint="Push the image again at the source, or leave it out.")
    parent = document.get("parent") or document.get("parent_id") or ""
    container = document.get("container_config")
    command = container.get("Cmd") if isinstance(container, dict) else None
    told = {
        "created": document.get("created"),
        "author": document.get("author"),
        "comment": document.get("comment"),
        "created_by": " ".join(str(word) for word in command) if isinstance(command, list) else command,
    }
    history = {key: value for key, value in told.items() if isinstance(value, str) and value}
    if not _MOMENT.fullmatch(history.get("created", "")):
        # whoever reads a configuration gives up at a moment that is none
        history.pop("created", None)
    return Link(parent if isinstance(parent, str) else "", history, bool(document.get("throwaway")))


def check_chain(ids: t.Sequence[str], links: t.Sequence[Link], where: str) -> None:
    """Raise InvalidManifest where the documents of a chain do not name each other; `ids` and `links` begin with the image on top."""
    for number, link in enumerate(links):
        following = ids[number + 1] if number + 1 < len(ids) else ""
        if link.parent != following:
            raise InvalidManifest(
                f"{ids[number]} is followed by {following or 'nothing'} in its chain of ancestors, but names "
                f"{shown(link.parent, 80) if link.parent else 'none'} as its parent.",
                subject=where,
                hint="An image is missing at the source, or in the wrong place; push the image again there, or leave it out.",
            )


def convert(top: Document, layers: t.Sequence[tuple[Link, LayerFacts]], form: str, made_from: str) -> Converted:
    """Make the configuration and the manifest. `layers` begin with the base; `form` is `docker` or `oci`.

    Layers without a file have no blob and keep their history, except where an image would have no layer at all: registries and
    engines want one.
    """
    kept = [not (facts.empty or link.throwaway) for link, facts in layers]
    if not any(kept):
        kept[0] = True
    history = [{**link.history, **({} if stays else {"empty_layer": True})} for (link, _facts), stays in zip(layers, kept)]
    blobs = [facts for (_link, facts), stays in zip(layers, kept) if stays]
    document = {key: value for key, value in top.items() if key not in _OF_THE_CHAIN}
    if not _MOMENT.fullmatch(str(document.get("created"))):
        document.pop("created", None)
    document["architecture"] = document.get("architecture") or "amd64"
    document["os"] = document.get("os") or "linux"
    document["rootfs"] = {"type": "layers", "diff_ids": [facts.diff_id for facts in blobs]}
    document["history"] = history
    try:
        config = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    except ValueError:
        raise InvalidManifest("has a number that is out of range.", subject=made_from, hint="Leave it out.") from None
    media_type, config_type = _TYPES[form]
    content = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": config_type, "digest": digest_of(config), "size": len(config)},
        "layers": [{"mediaType": layer_type(facts, form), "digest": facts.digest, "size": facts.size} for facts in blobs],
    }
    return Converted(make_manifest(content, media_type, made_from), config)


class PayloadChecksum:
    """The checksum that registries of v1 keep of an image: over its document, a line feed, and its layer as it is stored."""

    def __init__(self, document: bytes, checksum: str) -> None:
        self._expected = checksum
        self._hash = hashlib.sha256(document + b"\n")

    @property
    def can_be_checked(self) -> bool:
        """Whether there is one: of older images there is a tarsum alone, which depends on how its maker read archives, or nothing."""
        return _PAYLOAD_CHECKSUM.fullmatch(self._expected) is not None

    def seen(self, pieces: t.Iterable[bytes], subject: str) -> t.Iterator[bytes]:
        """Pass the layer on; DigestMismatch after its last piece if the checksum is another one."""
        for data in pieces:
            self._hash.update(data)
            yield data
        if self.can_be_checked and f"sha256:{self._hash.hexdigest()}" != self._expected:
            raise DigestMismatch(
                f"document and layer do not have the checksum {self._expected} that the source keeps of them.",
                subject=subject,
                hint="The image is corrupt at the source; push it again there, or leave it out.",
            )

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Docker's forms of OCI images (docker "Image Manifest Version 2, Schema 2"): other media types around the same blobs.

Nothing but manifests is written anew, and in one way, so an image has the same new digest in each run. Schema 2 has no place for
annotations: those of the manifest and of its layers stay behind. What says more than an image can in schema 2 is refused: artifacts,
manifests that refer to others, layers that are compressed in a way for which there is no media type.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import UnsupportedManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import (
    ATTESTATION_SUBJECT,
    Descriptor,
    Manifest,
    Platform,
    make_manifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import shown

#: what OCI calls a layer, and what schema 2 does
LAYERS = {
    "application/vnd.oci.image.layer.v1.tar": "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip": "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar": "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
}
_DOCKER_LAYERS = frozenset(LAYERS.values())
_ATTESTATION_TYPE = "vnd.docker.reference.type"
_LEAVE_OUT = "Leave it out with tags.exclude, or copy it in a run without convert.oci to a destination that takes OCI manifests."


@dataclasses.dataclass(frozen=True)
class Child:
    """A child of an index in its docker form. `platform`: None where neither the index nor the image tells one."""

    manifest: Manifest
    platform: Platform | None


def is_attestation(child: Descriptor) -> bool:
    """Whether a child of an index is buildkit's statement about another child: it names that by a digest which no longer holds."""
    return ATTESTATION_SUBJECT in child.annotations or _ATTESTATION_TYPE in child.annotations


def to_schema2(manifest: Manifest, where: str) -> Manifest:
    """An OCI image as schema 2, over the same config and layers. UnsupportedManifest, with subject `where`, if there is no such form."""
    config = manifest.config
    if manifest.kind != "image" or config is None or manifest.artifact_type or config.media_type not in (OCI_CONFIG, DOCKER_CONFIG):
        kind = manifest.artifact_type or (config.media_type if config is not None else "") or manifest.media_type
        raise UnsupportedManifest(
            f"is an artifact ({shown(kind, 120)}), which has no form in docker's schema 2.", subject=where, hint=_LEAVE_OUT
        )
    if manifest.subject is not None:
        raise UnsupportedManifest(
            f"refers to {manifest.subject.digest}, which docker's schema 2 cannot say.", subject=where, hint=_LEAVE_OUT
        )
    document = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {"mediaType": DOCKER_CONFIG, "size": config.size, "digest": config.digest},
        "layers": [_layer(layer, where) for layer in manifest.layers],
    }
    return make_manifest(document, DOCKER_MANIFEST, manifest.digest)


def _layer(layer: Descriptor, where: str) -> dict[str, t.Any]:
    media_type = LAYERS.get(layer.media_type, layer.media_type)
    if media_type.endswith("+zstd"):
        raise UnsupportedManifest(
            "has layers compressed with zstd, for which docker's schema 2 has no media type.",
            subject=where,
            hint="Push it again at the source with layers compressed with gzip (skopeo copy --dest-compress-format gzip; with buildx"
            " compression=gzip,force-compression=true), or leave it out with tags.exclude.",
        )
    if media_type not in _DOCKER_LAYERS:
        raise UnsupportedManifest(
            f"has a layer of the type {shown(media_type, 120) or '(none)'}, which has no form in docker's schema 2.",
            subject=where,
            hint=_LEAVE_OUT,
        )
    made: dict[str, t.Any] = {"mediaType": media_type, "size": layer.size, "digest": layer.digest}
    if layer.urls:
        made["urls"] = list(layer.urls)
    return made


def to_manifest_list(index: Manifest, children: t.Sequence[Child], where: str) -> Manifest:
    """An index as docker's manifest list. `children`: its images (and indexes) in their docker forms, in their order.

    UnsupportedManifest, with subject `where`, if there are none, or one of them has no platform, which a list has to tell.
    """
    if not children:
        raise UnsupportedManifest("is an index without any image in it.", subject=where, hint=_LEAVE_OUT)
    document = {
        "schemaVersion": 2,
        "mediaType": DOCKER_LIST,
        "manifests": [_entry(child, where) for child in children],
    }
    return make_manifest(document, DOCKER_LIST, index.digest)


def _entry(child: Child, where: str) -> dict[str, t.Any]:
    manifest, platform = child.manifest, child.platform
    entry: dict[str, t.Any] = {"mediaType": manifest.media_type, "size": manifest.size, "digest": manifest.digest}
    if platform is None and manifest.kind == "index":
        # lists of lists are not foreseen, but taken: their images tell the platforms
        return entry
    if platform is None or not platform.os or not platform.architecture:
        raise UnsupportedManifest(
            f"does not tell the platform of {manifest.source_digest}, and neither does its image; docker's manifest list has to.",
            subject=where,
            hint=_LEAVE_OUT,
        )
    told = {
        "architecture": platform.architecture,
        "os": platform.os,
        "os.version": platform.os_version,
        "os.features": list(platform.os_features),
        "variant": platform.variant,
    }
    entry["platform"] = {key: value for key, value in told.items() if value}
    return entry

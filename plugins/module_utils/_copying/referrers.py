# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Referrers, and fall-back tags: how they are found where a registry has no API for them (distribution-spec "Referrers Tag Schema")."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import fallback_tag
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ManifestUnknown, RepositoryUnknown, TagConflict
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, Manifest, parse_manifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import OCI_INDEX
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store


def referrers_of(store: Store, repository: str, digest: str) -> list[Descriptor]:
    """What refers to a manifest, whether the store has the API or keeps fall-back tags."""
    found = store.referrers(repository, digest)
    if found is None:
        index = fallback_index(store, repository, digest)
        return list(index.children) if index else []
    return found


def fallback_index(store: Store, repository: str, digest: str, writing: bool = False) -> Manifest | None:
    """The index under a digest's fall-back tag; None where there is none, or something else has that name.

    `writing`: whoever is going to replace it gets TagConflict for something else (distribution-spec "Pushing Manifests with Subject":
    a client skips the update and reports a failure).
    """
    tag = fallback_tag(digest)
    try:
        manifest = store.manifest(repository, tag)
    except (ManifestUnknown, RepositoryUnknown):
        return None
    if manifest.kind == "index":
        return manifest
    if writing:
        raise TagConflict(
            "is no index, and referrers can only be found through an index of that name.",
            subject=f"{store.name}/{repository}:{tag}",
            hint="Give that image another tag, or set referrers to false.",
        )
    return None


def with_referrer(existing: Manifest | None, referrer: Manifest) -> Manifest | None:
    """The index for its subject's fall-back tag with a referrer in it; None where it is in there already, or refers to nothing.

    What the index holds stays as it is, so that other clients' entries survive. One writer per subject at a time.
    """
    if referrer.subject is None or (existing and any(child.digest == referrer.digest for child in existing.children)):
        return None
    index: dict[str, t.Any] = json.loads(existing.data) if existing else {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    described = referrer.descriptor()
    entry: dict[str, t.Any] = {"mediaType": described.media_type, "digest": described.digest, "size": described.size}
    if described.artifact_type:
        entry["artifactType"] = described.artifact_type
    if described.annotations:
        entry["annotations"] = dict(described.annotations)
    index["manifests"].append(entry)
    return parse_manifest(json.dumps(index, separators=(",", ":")).encode(), OCI_INDEX)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Fall-back tags: how referrers are found where a registry has no API for them (distribution-spec "Referrers Tag Schema")."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import fallback_tag
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Manifest, parse_manifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import OCI_INDEX
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store


def add_to_fallback(destination: Store, repository: str, referrer: Manifest, existing: Manifest | None) -> None:
    """Add a referrer to the index under its subject's fall-back tag; nothing is done if it is in there already.

    What the index holds stays as it is, so that other clients' entries survive. One writer per subject at a time.
    """
    if referrer.subject is None or (existing and any(child.digest == referrer.digest for child in existing.children)):
        return
    index: dict[str, t.Any] = json.loads(existing.data) if existing else {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    described = referrer.descriptor()
    entry: dict[str, t.Any] = {"mediaType": described.media_type, "digest": described.digest, "size": described.size}
    if described.artifact_type:
        entry["artifactType"] = described.artifact_type
    if described.annotations:
        entry["annotations"] = dict(described.annotations)
    index["manifests"].append(entry)
    data = json.dumps(index, separators=(",", ":")).encode()
    destination.put_manifest(repository, parse_manifest(data, OCI_INDEX), [fallback_tag(referrer.subject.digest)])

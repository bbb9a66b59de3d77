# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What planning, copying, verifying and deleting ask of images alike."""

from __future__ import annotations

import datetime
import json

from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Policy
from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import parse_moment
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    InvalidManifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, Manifest, subset_index
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store

#: an index inside an index inside ... is hostile long before this
MOST_NESTING = 16
_CONFIG_LIMIT = 8 << 20


def created(store: Store, repository: str, reference: str) -> datetime.datetime | None:
    """When an image was made, as its configuration says (image-spec "config.md", created); None where it does not say."""
    known = store.created(repository, reference)
    if known:
        try:
            return parse_moment(known)
        except ValueError:
            return None
    manifest = store.manifest(repository, reference)
    depth = 0
    while manifest.kind == "index" and manifest.children and depth < 8:
        manifest = store.manifest(repository, manifest.children[0].digest)
        depth += 1
    if manifest.config is None or not 0 <= manifest.config.size <= _CONFIG_LIMIT:
        return None
    source = store.open_blob(repository, manifest.config)
    try:
        document = json.loads(b"".join(source))
        return parse_moment(document["created"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    finally:
        source.close()


def check_nesting(depth: int, subject: str) -> None:
    """Raise InvalidManifest for a manifest that is more than MOST_NESTING indexes deep."""
    if depth > MOST_NESTING:
        raise InvalidManifest("its indexes are nested too deep.", subject=subject, hint="Leave it out of the selection.")


def wanted_form(manifest: Manifest, policy: Policy) -> Manifest:
    """A tag's manifest as the destination is to have it: an index may be cut down to the chosen platforms."""
    return subset_index(manifest, policy.platforms) if policy.makes_subsets and manifest.kind == "index" else manifest


def chosen_children(manifest: Manifest, policy: Policy) -> tuple[Descriptor, ...]:
    """The children of an index that have to be at the destination; the index is given in its wanted form.

    Raises InvalidOption where a sparse copy would be one of no platform at all.
    """
    if manifest.kind != "index" or not policy.platforms or policy.index != "sparse":
        return manifest.children
    return subset_index(manifest, policy.platforms).children

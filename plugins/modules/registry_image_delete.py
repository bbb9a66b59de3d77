#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_image_delete
short_description: Delete tags and digests of a repository
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Deletes by tag or by digest. Many registries delete manifests, and with a manifest go all tags that point to it, so tags that were not
    named are looked at first, and protect their digest, and everything that their index lists.
  - The space of blobs is given back by the registry's own garbage collection.
extends_documentation_fragment:
  - registryops.migration.registries
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.registries.actiongroup
options:
  side:
    description: Which of the two connections is meant.
    type: str
    choices: [source, destination]
    default: destination
  repository:
    description: The repository.
    type: str
    required: true
  references:
    description: Tags and digests.
    type: list
    elements: str
    required: true
  shared_digests:
    description:
      - What is done if other tags, which were not named, would be deleted as well, or would lose a part of their index.
      - V(refuse) fails before anything is deleted, V(delete) deletes all the same.
    type: str
    choices: [refuse, delete]
    default: refuse
"""

EXAMPLES = r"""
- name: Delete two tags
  registryops.migration.registry_image_delete:
    destination:
      url: new.example.com:5000
      username: mover
      password: "{{ new_password }}"
    repository: team/app
    references: ["0.9", "0.9.1"]
"""

RETURN = r"""
deleted:
  description: Tags and digests that were deleted, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["0.9", "0.9.1"]
absent:
  description: Tags and digests that were not there.
  returned: success
  type: list
  elements: str
  sample: []
taken_along:
  description:
    - Tags that were not named, and are gone with their digest.
    - Tags that were not named, and have an index that is not whole any more. They are still there.
  returned: success
  type: list
  elements: str
  sample: []
error:
  description: Why nothing could be deleted.
  returned: failure
  type: dict
  sample:
    kind: digest_shared
    subject: new.example.com:5000/team/app
    message: "0.9 shares its digest with stable, which would be deleted as well."
    hint: Name these tags too, or set shared_digests to delete.
"""

from ansible_collections.registryops.migration.plugins.module_utils._copying.deletion import delete
from ansible_collections.registryops.migration.plugins.module_utils._module.connections import Connections
from ansible_collections.registryops.migration.plugins.module_utils._module.options import SIDES, make_module
from ansible_collections.registryops.migration.plugins.module_utils._module.results import delete_result


def main() -> None:
    module = make_module(
        {
            "side": {"type": "str", "choices": list(SIDES), "default": "destination"},
            "repository": {"type": "str", "required": True},
            "references": {"type": "list", "elements": "str", "required": True},
            "shared_digests": {"type": "str", "choices": ["refuse", "delete"], "default": "refuse"},
        }
    )
    with Connections(module) as connections:
        store = connections.open(module.params["side"])
        store.check(writing=not module.check_mode)
        deletion = delete(
            store,
            module.params["repository"],
            module.params["references"],
            shared_allowed=module.params["shared_digests"] == "delete",
            check_only=module.check_mode,
        )
    module.exit_json(**delete_result(deletion))


if __name__ == "__main__":
    main()

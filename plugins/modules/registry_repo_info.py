#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_repo_info
short_description: List the repositories and tags of a registry
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Lists repositories and their tags, with digests, media types, sizes and platforms where that is asked for.
  - What a product's own lists tell beside names is in the result whatever O(details) says, for it costs no request more.
extends_documentation_fragment:
  - registryops.migration.registries
  - registryops.migration.registries.info
  - registryops.migration.registries.actiongroup
options:
  side:
    description: Which of the two connections is meant.
    type: str
    choices: [source, destination]
    default: source
  repositories:
    description: Which repositories.
    type: dict
    suboptions:
      include:
        description: Names, globs, or regular expressions behind C(regex:). Without any, everything.
        type: list
        elements: str
        default: []
      exclude:
        description: Patterns of what is left out, in the same form.
        type: list
        elements: str
        default: []
  tags:
    description: Which tags. All that is given has to agree.
    type: dict
    suboptions:
      include:
        description: Names, globs, or regular expressions behind C(regex:). Without any, everything.
        type: list
        elements: str
        default: []
      exclude:
        description: Patterns of what is left out, in the same form.
        type: list
        elements: str
        default: []
      semver:
        description: A range of versions, such as V(>=1.2 <2). What is no version is left out.
        type: str
      newest:
        description: Of what is left, only so many of the newest versions.
        type: int
  details:
    description:
      - V(names) takes one request for each repository.
      - V(digests) takes one more for each tag, unless the product's list of tags tells digests.
      - V(platforms) reads each manifest, which some registries count as a pull, and tells sizes and platforms.
    type: str
    choices: [names, digests, platforms]
    default: names
  output_file:
    description:
      - Write the list to this file as JSON, on the host where the task runs, and return it without tags. For large registries.
      - The file's folder is made if need be. In check mode nothing is written.
    type: path
  workers:
    description: Threads. V(0) is as many as there may be requests at once.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: What is in the registry?
  registryops.migration.registry_repo_info:
    source:
      url: old.example.com
      username: mover
      password: "{{ old_password }}"
  register: found

- name: Which repositories of a Harbor are public?
  registryops.migration.registry_repo_info:
    source:
      url: harbor.example.com
      username: auditor
      password: "{{ harbor_password }}"
  register: found
  failed_when: found.repositories | selectattr('visibility', 'eq', 'public') | list

- name: Digests of all releases of one team, from the new registry
  registryops.migration.registry_repo_info:
    destination:
      url: new.example.com:5000
    side: destination
    repositories:
      include: [team/**]
    tags:
      semver: ">=1"
    details: digests
"""

RETURN = r"""
registry:
  description: The registry that was looked at.
  returned: success
  type: str
  sample: old.example.com
repositories:
  description: What was found, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The repository's name.
      type: str
      sample: team/app
    size:
      description: Bytes of all its images where sizes are known (a layer that several tags share counts for each); else the number of tags.
      type: int
      sample: 73400320
    tag_count:
      description: How many tags were selected.
      type: int
      sample: 1
    description:
      description: What people have written about it, where the product has that, and something was written.
      type: str
      sample: Pages of the shop
    visibility:
      description: Who may pull, V(public), V(private) or V(internal), where the product tells.
      type: str
      sample: private
    immutable:
      description: Whether tags cannot be moved, where the product tells.
      type: bool
      sample: true
    labels:
      description: Labels, or resource tags, by name, where the product has them, and there are any.
      type: dict
      sample: {team: web, stage: production}
    created:
      description: When it was created, in ISO 8601, where the product tells.
      type: str
      sample: "2024-03-01T09:30:00Z"
    tags:
      description:
        - The tags, unless they are in O(output_file).
        - Where the product's list tells them, C(pushed) is the moment at which the tag came, in ISO 8601, and C(archived) says that the
          image cannot be read before it is restored.
      type: list
      elements: dict
      sample:
        - name: "1.4"
          digest: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
          media_type: application/vnd.oci.image.index.v1+json
          size: 73400320
          platforms: [linux/amd64, linux/arm64]
          pushed: "2026-02-01T12:00:00Z"
tag_count:
  description: How many tags were selected in all repositories.
  returned: success
  type: int
  sample: 120
failures:
  description: What could not be read, with the reason, at most 100 entries.
  returned: success
  type: list
  elements: dict
  sample: []
failure_count:
  description: How many repositories and tags could not be read.
  returned: success
  type: int
  sample: 0
unreadable:
  description: All repositories whose tags could not be listed, for example those that were asked for by name and do not exist.
  returned: success
  type: list
  elements: str
  sample: []
output_file:
  description: The file with the whole list, where one was written.
  returned: success
  type: str
  sample: /var/lib/migration/inventory.json
"""

from ansible_collections.registryops.migration.plugins.module_utils._copying.inventory import take_inventory
from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import RepositorySelection, TagSelection
from ansible_collections.registryops.migration.plugins.module_utils._module.connections import Connections
from ansible_collections.registryops.migration.plugins.module_utils._module.options import REPOSITORIES, SIDES, make_module, without_none
from ansible_collections.registryops.migration.plugins.module_utils._module.results import inventory_result


def main() -> None:
    patterns = {"type": "list", "elements": "str", "default": []}
    tags = {"include": patterns, "exclude": patterns, "semver": {"type": "str"}, "newest": {"type": "int"}}
    module = make_module(
        {
            "side": {"type": "str", "choices": list(SIDES), "default": "source"},
            "repositories": REPOSITORIES,
            "tags": {"type": "dict", "options": tags},
            "details": {"type": "str", "choices": ["names", "digests", "platforms"], "default": "names"},
            "output_file": {"type": "path"},
            "workers": {"type": "int", "default": 0},
        }
    )
    with Connections(module) as connections:
        store = connections.open(module.params["side"])
        store.check(writing=False)
        inventory = take_inventory(
            store,
            RepositorySelection.from_options(without_none(module.params["repositories"])),
            TagSelection.from_options(without_none(module.params["tags"])),
            module.params["details"],
            module.params["workers"],
        )
        result = inventory_result(store.name, inventory, None if module.check_mode else module.params["output_file"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_image_verify
short_description: Prove that a registry has what another one has
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Compares all tags that the rules select between two registries, and fails with the list of what differs.
  - It reads only; tags that the destination has beside those are no difference.
extends_documentation_fragment:
  - registryops.migration.registries
  - registryops.migration.registries.rules
  - registryops.migration.registries.attributes
  - registryops.migration.registries.no_diff
  - registryops.migration.registries.actiongroup
options:
  source:
    required: true
  destination:
    required: true
  mode:
    description:
      - V(light) compares digests, with one request for each tag and side.
      - V(deep) reads every manifest of the destination as well, and asks for every blob and its size.
      - A tag in which V(deep) finds a hole has the right digest all the same. The ledger in O(state_dir) remembers it, so that the next
        run of M(registryops.migration.registry_image_copy) with the same ledger copies the tag again.
    type: str
    choices: [light, deep]
    default: light
seealso:
  - module: registryops.migration.registry_image_copy
"""

EXAMPLES = r"""
- name: Compare the digests of all tags
  registryops.migration.registry_image_verify:
    source:
      url: old.example.com
    destination:
      url: new.example.com:5000

- name: Make sure that every layer of one team's images is there
  registryops.migration.registry_image_verify:
    source:
      url: old.example.com
    destination:
      url: new.example.com:5000
    rules:
      - repositories:
          include: [team/**]
    mode: deep
"""

RETURN = r"""
checked:
  description: How many tags were compared.
  returned: when the comparison came to an end
  type: int
  sample: 120
equal:
  description: How many of them are as they should be.
  returned: when the comparison came to an end
  type: int
  sample: 119
different:
  description: How many are not.
  returned: when the comparison came to an end
  type: int
  sample: 1
differences:
  description: What differs, and how, at most 100 entries. C(subject) names the blob or manifest where it is not the tag itself.
  returned: when the comparison came to an end
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: "1.4"
      kind: missing
      message: the destination does not have this tag.
manifests:
  description: How many manifests of the destination were read, with O(mode=deep).
  returned: when the comparison came to an end
  type: int
  sample: 140
blobs:
  description: How many blobs of the destination were asked for, with O(mode=deep).
  returned: when the comparison came to an end
  type: int
  sample: 310
repositories:
  description: How many repositories of the source took part - those of which a tag was selected, or that failed.
  returned: when the comparison came to an end
  type: int
  sample: 12
requests:
  description: Requests that it took on each side.
  returned: when the comparison came to an end
  type: dict
  sample: {source: 130, destination: 130}
seconds:
  description: How long it took.
  returned: when the comparison came to an end
  type: float
  sample: 1.5
error:
  description: Why the comparison could not be made.
  returned: when it could not be made at all
  type: dict
  sample:
    kind: connection_failed
    subject: new.example.com:5000
    message: the connection was refused or has no route.
    hint: Check host, port and firewalls.
"""

from ansible_collections.registryops.migration.plugins.module_utils._copying.run import Job
from ansible_collections.registryops.migration.plugins.module_utils._copying.verification import verify
from ansible_collections.registryops.migration.plugins.module_utils._module.connections import Connections
from ansible_collections.registryops.migration.plugins.module_utils._module.folders import state_dir_of
from ansible_collections.registryops.migration.plugins.module_utils._module.options import RULES, make_module, policy_of, rules_of
from ansible_collections.registryops.migration.plugins.module_utils._module.results import verify_result


def main() -> None:
    module = make_module({**RULES, "mode": {"type": "str", "choices": ["light", "deep"], "default": "light"}}, both_sides=True)
    with Connections(module) as connections:
        source, destination = connections.open("source"), connections.open("destination")
        state_dir = state_dir_of(module.params, source, destination)
        job = Job(source, destination, rules_of(module.params), policy_of(module.params), state_dir)
        verified = verify(job, module.params["mode"], record=not module.check_mode)
    result = verify_result(verified)
    for warning in verified.warnings:
        module.warn(warning)
    if not verified.checked:
        module.warn("No tag was selected, so nothing is proved: the rules match nothing at the source.")
    if verified.different:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

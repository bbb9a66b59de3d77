#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: msr_repository_access
short_description: What a team may do in a repository or a namespace of a Mirantis Secure Registry
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Gives a team rights in one repository of its organization, or in all of them, those that are yet to come as well; or takes them away.
  - Rights add up over teams. Administrators of an organization may do everything in it without them.
extends_documentation_fragment:
  - registryops.migration.msr
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.msr.actiongroup
options:
  organization:
    description: The organization that the team belongs to.
    type: str
    required: true
  team:
    description: The team's name.
    type: str
    required: true
  repository:
    description: The name of a repository of the organization. Without it the rights are for all of them.
    type: str
  level:
    description:
      - What the team may do. V(read) is to pull, V(write) to push, scan and delete tags too, V(admin) to change settings and access too.
      - Required where the rights are wanted.
    type: str
    choices: [read, write, admin]
  state:
    description: Whether this right is wanted.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: registryops.migration.msr_team
  - module: registryops.migration.identity_verify
"""

EXAMPLES = r"""
- name: The builders push everywhere in their organization
  registryops.migration.msr_repository_access:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    organization: blue
    team: builders
    level: write

- name: The readers do not read one repository any more
  registryops.migration.msr_repository_access:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    organization: blue
    team: readers
    repository: secret
    state: absent
"""

RETURN = r"""
state:
  description:
    - What became of the right, or would in check mode - V(created), V(changed), V(unchanged) or V(removed).
    - V(absent) if it was not there, and is not wanted.
  returned: success
  type: str
  sample: created
differences:
  description: What was not as wanted, with what it was and what it is now. Secrets are not in it.
  returned: success
  type: dict
  sample:
    level: {before: read, after: write}
grant:
  description: The right, where it is wanted.
  returned: success
  type: dict
  sample:
    organization: blue
    team: builders
    namespace: blue
    repository: ""
    level: write
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  sample:
    kind: access_denied
    subject: grant for team blue/builders on all of blue
    message: "administrators only."
    hint: Sign in as an administrator.
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.msr_items import (
    ACCESS_LEVELS,
    STATE,
    ensure_access,
    make_msr_module,
    run,
)


def main() -> None:
    module = make_msr_module(
        {
            **STATE,
            "organization": {"type": "str", "required": True},
            "team": {"type": "str", "required": True},
            "repository": {"type": "str"},
            "level": {"type": "str", "choices": ACCESS_LEVELS},
        },
        required_if=[("state", "present", ["level"])],
    )
    run(module, ensure_access)


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: identity_export
short_description: Write the people of a registry, and what they may do, to a file
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Reads users, organizations, teams, memberships, rights, access tokens, and repositories with their settings, webhooks and policies,
    and writes them to a file from which M(registryops.migration.identity_import) can take them.
  - The file has hashes of passwords and tokens, where these can be read. Only its owner may read it. Keep it as you keep passwords.
  - The source is only read.
extends_documentation_fragment:
  - registryops.migration.msr.required_source
  - registryops.migration.identity
  - registryops.migration.registries.attributes
  - registryops.migration.registries.no_diff
options:
  path:
    description: The file, on the host where the task runs. Its folder is made if need be.
    type: path
    required: true
seealso:
  - module: registryops.migration.identity_import
"""

EXAMPLES = r"""
- name: Keep what there is, before anything is moved
  registryops.migration.identity_export:
    source:
      url: msr.example.com
      username: admin
      password: "{{ msr_password }}"
    path: /var/lib/migration/people.json
    go_on_without: [password_hash]

- name: Two organizations, with their people, and the five last tokens of each user
  registryops.migration.identity_export:
    source:
      url: msr.example.com
      username: admin
      password: "{{ msr_password }}"
    path: /var/lib/migration/people.json
    organizations:
      include: [research, sales]
    tokens:
      newest: 5
    go_on_without: [password_hash]
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /var/lib/migration/people.json
source:
  description: The installation that was read.
  returned: success
  type: str
  sample: msr.example.com
counts:
  description: How many items of each kind there are.
  returned: success
  type: dict
  sample: {account: 560, team: 300, membership: 900, team_membership: 1200, repository: 2000, grant: 3000, token: 5000, webhook: 12,
    policy: 40}
unread:
  description: What could not be read, each with the reason.
  returned: success
  type: dict
  sample: {password_hash: The option database is not given.}
notes:
  description: What was read in another way than one would think.
  returned: success
  type: list
  elements: str
  sample: []
error:
  description: Why it failed.
  returned: on failure
  type: dict
  sample:
    kind: authentication_failed
    subject: msr.example.com
    message: the user or the password is wrong.
    hint: Correct username and password.
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.identity import (
    READING,
    SOURCE,
    Sides,
    export_people,
    make_identity_module,
)


def main() -> None:
    source = {"source": {**SOURCE["source"], "required": True}}
    module = make_identity_module({**source, **READING, "path": {"type": "path", "required": True}})
    with Sides(module) as sides:
        result = export_people(module, sides)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

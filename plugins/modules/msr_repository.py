#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: msr_repository
short_description: Repositories of a Mirantis Secure Registry, and their settings
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Has a repository exist as wanted, or not exist. Settings that are not given stay as they are.
  - A new repository is private unless O(visibility) says otherwise.
extends_documentation_fragment:
  - registryops.migration.msr
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.msr.actiongroup
options:
  namespace:
    description: The user or the organization that the repository belongs to.
    type: str
    required: true
  name:
    description: The repository's name in the namespace.
    type: str
    required: true
  state:
    description: Whether the repository is wanted. Without it go its images.
    type: str
    choices: [present, absent]
    default: present
  short_description:
    description: One line.
    type: str
  long_description:
    description: A text, in Markdown.
    type: str
  visibility:
    description: Whether everybody may pull.
    type: str
    choices: [public, private]
  scan_on_push:
    description: Whether images are scanned when they are pushed.
    type: bool
  immutable_tags:
    description: Whether a tag stays what it is.
    type: bool
  tag_limit:
    description: The oldest tags go when there are more; 0 for no limit.
    type: int
seealso:
  - module: registryops.migration.msr_repository_access
  - module: registryops.migration.msr_policy
  - module: registryops.migration.registry_repositories
"""

EXAMPLES = r"""
- name: A repository whose tags cannot be moved
  registryops.migration.msr_repository:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    namespace: blue
    name: app
    visibility: public
    immutable_tags: true
    scan_on_push: true
"""

RETURN = r"""
state:
  description:
    - What became of the repository, or would in check mode - V(created), V(changed), V(unchanged) or V(removed).
    - V(absent) if it was not there, and is not wanted.
  returned: success
  type: str
  sample: created
differences:
  description: What was not as wanted, with what it was and what it is now. Secrets are not in it.
  returned: success
  type: dict
  sample:
    visibility: {before: private, after: public}
repository:
  description: The repository, where it is wanted.
  returned: success
  type: dict
  sample:
    namespace: blue
    name: app
    visibility: public
    immutable_tags: true
    identifier: 0c7b7d1e-2d92-4a4e-93a5-1f6d1f2b7f33
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  sample:
    kind: access_denied
    subject: repository blue/app
    message: "this user may not do that."
    hint: Sign in as an administrator.
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.msr_items import STATE, ensure_repository, make_msr_module, run


def main() -> None:
    module = make_msr_module(
        {
            **STATE,
            "namespace": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "short_description": {"type": "str"},
            "long_description": {"type": "str"},
            "visibility": {"type": "str", "choices": ["public", "private"]},
            "scan_on_push": {"type": "bool"},
            "immutable_tags": {"type": "bool"},
            "tag_limit": {"type": "int"},
        },
    )
    run(module, ensure_repository)


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: msr_account
short_description: Users and organizations of a Mirantis Secure Registry
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Has a user or an organization exist as wanted, or not exist. What is not given stays as it is.
  - With an MSR 2.9 accounts are those of MKE, and of all that signs in with it.
extends_documentation_fragment:
  - registryops.migration.msr
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.msr.actiongroup
options:
  name:
    description: The account's name. Users and organizations share their names.
    type: str
    required: true
  type:
    description: What the account is. This cannot be changed.
    type: str
    choices: [user, organization]
    default: user
  state:
    description: Whether the account is wanted.
    type: str
    choices: [present, absent]
    default: present
  full_name:
    description: The name for people.
    type: str
  admin:
    description: Whether a user may do everything, everywhere.
    type: bool
  active:
    description: Whether a user gets in.
    type: bool
  new_password:
    description:
      - The user's password. Whether it is the present one is found out by signing in with it. That of a user who is there already, and may
        not sign in, stays as it is.
      - A user who is created without it, and without O(password_hash), gets one by chance that nobody knows.
    type: str
  update_password:
    description: Whether the password of a user who is there already is changed.
    type: str
    choices: [always, on_create]
    default: always
  password_hash:
    description:
      - The password as another MSR keeps it, such as C(bcrypt$...). It takes O(database), or O(accounts_database) with an MSR 2.9, to read
        and to write it. Without them, some versions can create a user with it; where this one cannot, nothing is created. Which of both
        it is, is asked with an import of no users, also in check mode.
    type: str
  members:
    description: Users who belong to an organization. Others stay, unless O(purge_members) is set.
    type: list
    elements: dict
    suboptions:
      name:
        description: The user's name.
        type: str
        required: true
      admin:
        description: Whether they may do everything in the organization.
        type: bool
  purge_members:
    description: Take all others out of the organization, and so out of its teams.
    type: bool
    default: false
seealso:
  - module: registryops.migration.msr_account_info
  - module: registryops.migration.msr_team
"""

EXAMPLES = r"""
- name: An organization with two users, one of whom manages it
  registryops.migration.msr_account:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    name: blue
    type: organization
    members:
      - name: ann
        admin: true
      - name: bob

- name: A user for a pipeline, whose password may have been changed since
  registryops.migration.msr_account:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    name: pipeline
    full_name: Nightly builds
    new_password: "{{ vault_pipeline_password }}"
    update_password: on_create
"""

RETURN = r"""
state:
  description:
    - What became of the account, or would in check mode - V(created), V(changed), V(unchanged) or V(removed).
    - V(absent) if it was not there, and is not wanted.
  returned: success
  type: str
  sample: created
differences:
  description: What was not as wanted, with what it was and what it is now. Secrets are not in it.
  returned: success
  type: dict
  sample:
    is_admin: {before: true, after: false}
further:
  description: The members, and a password, that were added, changed or taken away.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: membership
      name: member ann of blue
      state: created
account:
  description: The account, where it is wanted.
  returned: success
  type: dict
  sample:
    name: blue
    is_organization: true
    full_name: Team Blue
    identifier: 1d6a1b2c-6f0e-4bd6-9a3d-0c9a7c2f8d11
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  sample:
    kind: invalid_option
    subject: type
    message: blue is an organization there.
    hint: "Users and organizations share their names: choose another one."
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.msr_items import STATE, ensure_account, make_msr_module, run


def main() -> None:
    module = make_msr_module(
        {
            **STATE,
            "name": {"type": "str", "required": True},
            "type": {"type": "str", "choices": ["user", "organization"], "default": "user"},
            "full_name": {"type": "str"},
            "admin": {"type": "bool"},
            "active": {"type": "bool"},
            "new_password": {"type": "str", "no_log": True},
            "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
            "password_hash": {"type": "str", "no_log": True},
            "members": {
                "type": "list",
                "elements": "dict",
                "options": {"name": {"type": "str", "required": True}, "admin": {"type": "bool"}},
            },
            "purge_members": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("new_password", "password_hash")],
    )
    run(module, ensure_account)


if __name__ == "__main__":
    main()

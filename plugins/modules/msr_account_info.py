#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: msr_account_info
short_description: Who is known to a Mirantis Secure Registry
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Lists users and organizations, with their members, teams and access tokens where that is asked for. Passwords, and what is kept of
    tokens, are never returned.
extends_documentation_fragment:
  - registryops.migration.msr
  - registryops.migration.registries.info
  - registryops.migration.msr.actiongroup
options:
  names:
    description: Only these accounts. By default all of them.
    type: list
    elements: str
  type:
    description: Only users, or only organizations.
    type: str
    choices: [all, user, organization]
    default: all
  gather:
    description:
      - What else is found out. V(members) are those of organizations, and of users the organizations that they belong to; V(teams) with who
        belongs to them; V(tokens) of users, which only administrators see.
    type: list
    elements: str
    choices: [members, teams, tokens]
    default: []
seealso:
  - module: registryops.migration.msr_account
  - module: registryops.migration.identity_export
"""

EXAMPLES = r"""
- name: Who is there?
  registryops.migration.msr_account_info:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    gather: [members, teams]
  register: known

- name: Who may do everything?
  ansible.builtin.debug:
    msg: "{{ known.accounts | selectattr('type', 'eq', 'user') | selectattr('is_admin') | map(attribute='name') | list }}"
"""

RETURN = r"""
accounts:
  description: The accounts, by name.
  returned: success
  type: list
  elements: dict
  sample:
    - type: organization
      name: blue
      full_name: Team Blue
      members:
        - {name: ann, admin: true}
        - {name: bob, admin: false}
      teams:
        - organization: blue
          name: builders
          description: Builds and tests
          members:
            - {name: bob, admin: false}
    - type: user
      name: ann
      full_name: Ann Other
      is_admin: false
      is_active: true
      organizations:
        - {name: blue, admin: true}
      teams: []
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  sample:
    kind: unreadable
    subject: token
    message: "cannot be read: only administrators see the tokens of others"
    hint: Sign in as an administrator, and look at the options of the database.
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.msr_items import GATHERED, account_rows, make_msr_module, run


def main() -> None:
    module = make_msr_module(
        {
            "names": {"type": "list", "elements": "str"},
            "type": {"type": "str", "choices": ["all", "user", "organization"], "default": "all"},
            "gather": {"type": "list", "elements": "str", "choices": list(GATHERED), "default": []},
        }
    )
    run(module, account_rows, of_one=False)


if __name__ == "__main__":
    main()

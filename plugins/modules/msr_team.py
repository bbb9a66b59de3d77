#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: msr_team
short_description: Teams of a Mirantis Secure Registry, and who belongs to them
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Has a team of an organization exist as wanted, or not exist. What is not given stays as it is.
  - Members are given one by one, or come from a directory (O(directory_sync)), or follow the group of a single sign-on (O(group_link)).
extends_documentation_fragment:
  - registryops.migration.msr
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.msr.actiongroup
options:
  organization:
    description: The organization that the team belongs to. It has to exist.
    type: str
    required: true
  name:
    description: The team's name.
    type: str
    required: true
  state:
    description: Whether the team is wanted.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: What the team is for.
    type: str
  members:
    description:
      - Users who belong to the team; they become members of the organization as well. Others stay, unless O(purge_members) is set.
    type: list
    elements: dict
    suboptions:
      name:
        description: The user's name.
        type: str
        required: true
      admin:
        description: Whether they manage the team.
        type: bool
  purge_members:
    description: Take all others out of the team. They stay members of the organization.
    type: bool
    default: false
  directory_sync:
    description: How the team's members are taken from an LDAP directory. What is not given of it is empty.
    type: dict
    suboptions:
      enable_sync:
        description: Whether they are.
        type: bool
        default: true
      select_group_members:
        description: Whether they are the members of a group, O(directory_sync.group_dn), and not what a search finds.
        type: bool
      group_dn:
        description: The distinguished name of the group.
        type: str
      group_member_attr:
        description: The attribute of the group that names its members.
        type: str
      search_base_dn:
        description: Where a search begins.
        type: str
      search_scope_subtree:
        description: Whether it goes below that.
        type: bool
      search_filter:
        description: What it looks for.
        type: str
  group_link:
    description: The group of a SAML single sign-on that the team follows; empty for none.
    type: str
seealso:
  - module: registryops.migration.msr_account
  - module: registryops.migration.msr_repository_access
"""

EXAMPLES = r"""
- name: A team with two members and no others
  registryops.migration.msr_team:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    organization: blue
    name: builders
    members:
      - name: ann
        admin: true
      - name: bob
    purge_members: true

- name: A team whose members are those of a group in the directory
  registryops.migration.msr_team:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    organization: blue
    name: readers
    directory_sync:
      select_group_members: true
      group_dn: cn=readers,ou=groups,dc=example,dc=com
      group_member_attr: member
"""

RETURN = r"""
state:
  description:
    - What became of the team, or would in check mode - V(created), V(changed), V(unchanged) or V(removed).
    - V(absent) if it was not there, and is not wanted.
  returned: success
  type: str
  sample: created
differences:
  description: What was not as wanted, with what it was and what it is now. Secrets are not in it.
  returned: success
  type: dict
  sample:
    description: {before: Builds, after: Builds and tests}
further:
  description: The members that were added, changed or taken away.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: team_membership
      name: member ann of team blue/builders
      state: created
team:
  description: The team, where it is wanted.
  returned: success
  type: dict
  sample:
    organization: blue
    name: builders
    description: Builds and tests
    identifier: 5b2f7f0a-6a4a-4b2f-8f3d-4f0f4a1c9f10
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  sample:
    kind: access_denied
    subject: organization blue
    message: "administrators only."
    hint: Sign in as an administrator.
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.msr_items import STATE, ensure_team, make_msr_module, run


def main() -> None:
    module = make_msr_module(
        {
            **STATE,
            "organization": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "description": {"type": "str"},
            "members": {
                "type": "list",
                "elements": "dict",
                "options": {"name": {"type": "str", "required": True}, "admin": {"type": "bool"}},
            },
            "purge_members": {"type": "bool", "default": False},
            "directory_sync": {
                "type": "dict",
                "options": {
                    "enable_sync": {"type": "bool", "default": True},
                    "select_group_members": {"type": "bool"},
                    "group_dn": {"type": "str"},
                    "group_member_attr": {"type": "str"},
                    "search_base_dn": {"type": "str"},
                    "search_scope_subtree": {"type": "bool"},
                    "search_filter": {"type": "str"},
                },
            },
            "group_link": {"type": "str"},
        },
    )
    run(module, ensure_team)


if __name__ == "__main__":
    main()

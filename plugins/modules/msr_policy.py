#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: msr_policy
short_description: Promotion, pruning and mirroring in a Mirantis Secure Registry
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Has a policy of a repository exist as wanted, or not exist. What it does, the repository, its rules, O(target) and O(tag_template)
    together name a policy.
extends_documentation_fragment:
  - registryops.migration.msr
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.msr.actiongroup
options:
  does:
    description:
      - What the policy does. V(promotion) copies tags to another repository, V(pruning) deletes them, V(push_mirroring) and
        V(poll_mirroring) copy them to and from another registry.
    type: str
    choices: [promotion, pruning, push_mirroring, poll_mirroring]
    required: true
  repository:
    description: The repository C(namespace/name) that the policy is of.
    type: str
    required: true
  rules:
    description: Conditions on tags, all of which have to hold. V(poll_mirroring) has none.
    type: list
    elements: dict
    default: []
    suboptions:
      field:
        description: What is looked at, such as C(tag), C(updated_at) or C(vulnerability_critical).
        type: str
        required: true
      operator:
        description: How, such as C(eq), C(sw), C(ew), C(c) or C(gt).
        type: str
        required: true
      values:
        description: What for.
        type: list
        elements: str
        default: []
  target:
    description: The repository that tags are promoted to, or C(host/namespace/name) of the other registry. V(pruning) has none.
    type: str
  tag_template:
    description: How tags are called there, such as C(%n).
    type: str
  enabled:
    description: Whether it does that at present.
    type: bool
  remote_username:
    description: Who signs in to the other registry.
    type: str
  remote_password:
    description: Their password. It cannot be read back.
    type: str
  remote_token:
    description: Their access token, instead of a password. It cannot be read back.
    type: str
  update_secrets:
    description: Whether O(remote_password) and O(remote_token) are written to a policy that is there already, which always is a change.
    type: str
    choices: [on_create, always]
    default: on_create
  certificate:
    description: The CA certificate of the other registry, as PEM.
    type: str
  skip_tls_verification:
    description: Whether its certificate goes unchecked.
    type: bool
  state:
    description: Whether the policy is wanted.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: registryops.migration.msr_repository
  - module: registryops.migration.msr_webhook
"""

EXAMPLES = r"""
- name: What is called stable goes to the repository for production
  registryops.migration.msr_policy:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    does: promotion
    repository: blue/app
    rules:
      - field: tag
        operator: sw
        values: [stable]
    target: blue/production
    tag_template: "%n"
    enabled: true

- name: A copy of everything at the other site
  registryops.migration.msr_policy:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    does: push_mirroring
    repository: blue/app
    target: other.example.com/blue/app
    remote_username: mirror
    remote_password: "{{ vault_mirror_password }}"
"""

RETURN = r"""
state:
  description:
    - What became of the policy, or would in check mode - V(created), V(changed), V(unchanged) or V(removed).
    - V(absent) if it was not there, and is not wanted.
  returned: success
  type: str
  sample: created
differences:
  description: What was not as wanted, with what it was and what it is now. Secrets are not in it.
  returned: success
  type: dict
  sample:
    is_enabled: {before: false, after: true}
policy:
  description: The policy, where it is wanted.
  returned: success
  type: dict
  sample:
    does: promotion
    repository: blue/app
    rules:
      - field: tag
        operator: sw
        values: [stable]
    target: blue/production
    tag_template: "%n"
    is_enabled: true
    identifier: 7f9c1f52-7a68-4f0b-8a52-0f6f3f1f9a77
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  sample:
    kind: invalid_option
    subject: target
    message: is missing.
    hint: Say which repository it is about at the other end.
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.msr_items import (
    POLICY_KINDS,
    STATE,
    ensure_policy,
    make_msr_module,
    run,
)


def main() -> None:
    module = make_msr_module(
        {
            **STATE,
            "does": {"type": "str", "choices": POLICY_KINDS, "required": True},
            "repository": {"type": "str", "required": True},
            "rules": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "field": {"type": "str", "required": True},
                    "operator": {"type": "str", "required": True},
                    "values": {"type": "list", "elements": "str", "default": []},
                },
            },
            "target": {"type": "str"},
            "tag_template": {"type": "str"},
            "enabled": {"type": "bool"},
            "remote_username": {"type": "str"},
            "remote_password": {"type": "str", "no_log": True},
            "remote_token": {"type": "str", "no_log": True},
            "update_secrets": {"type": "str", "choices": ["on_create", "always"], "default": "on_create"},
            "certificate": {"type": "str"},
            "skip_tls_verification": {"type": "bool"},
        },
    )
    run(module, ensure_policy)


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: msr_webhook
short_description: Webhooks of a Mirantis Secure Registry
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Has somebody be told of events of one kind, or not any more. Event, scope and endpoint together name a webhook.
  - Endpoints may hold secrets, so they are in no output.
extends_documentation_fragment:
  - registryops.migration.msr
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.msr.actiongroup
options:
  event:
    description: The kind of event, such as C(TAG_PUSH), C(SCAN_COMPLETED) or C(REPO_EVENT).
    type: str
    required: true
  scope:
    description: A repository C(namespace/name), or a namespace, or empty for all of the registry, which only administrators may.
    type: str
    default: ""
  endpoint:
    description: The address that is told.
    type: str
    required: true
  certificate:
    description: The CA certificate of the endpoint, as PEM.
    type: str
  skip_tls_verification:
    description: Whether the endpoint's certificate goes unchecked.
    type: bool
  active:
    description: Whether anybody is told at present.
    type: bool
  state:
    description: Whether the webhook is wanted.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: registryops.migration.msr_policy
"""

EXAMPLES = r"""
- name: Tell the deployment of every push
  registryops.migration.msr_webhook:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    event: TAG_PUSH
    scope: blue/app
    endpoint: https://deploy.example.com/hooks/{{ vault_hook_token }}
"""

RETURN = r"""
state:
  description:
    - What became of the webhook, or would in check mode - V(created), V(changed), V(unchanged) or V(removed).
    - V(absent) if it was not there, and is not wanted.
  returned: success
  type: str
  sample: created
differences:
  description: What was not as wanted, with what it was and what it is now. Secrets are not in it.
  returned: success
  type: dict
  sample:
    is_active: {before: false, after: true}
webhook:
  description: The webhook, where it is wanted.
  returned: success
  type: dict
  sample:
    event: TAG_PUSH
    scope: blue/app
    is_active: true
    identifier: 3e7c2a0e-8f7b-4b6f-8f56-7a3b1c9d2e4f
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  sample:
    kind: access_denied
    subject: webhook TAG_PUSH of blue/app to deploy.example.com
    message: "this user may not do that."
    hint: Sign in as an administrator.
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.msr_items import STATE, ensure_webhook, make_msr_module, run


def main() -> None:
    module = make_msr_module(
        {
            **STATE,
            "event": {"type": "str", "required": True},
            "scope": {"type": "str", "default": ""},
            # it may hold a token
            "endpoint": {"type": "str", "required": True, "no_log": True},
            "certificate": {"type": "str"},
            "skip_tls_verification": {"type": "bool"},
            "active": {"type": "bool"},
        },
    )
    run(module, ensure_webhook)


if __name__ == "__main__":
    main()

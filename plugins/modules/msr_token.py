#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: msr_token
short_description: Access tokens of a Mirantis Secure Registry
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Has an access token of a user exist, or not exist.
  - Without O(token_hash), the token is known by its label. A new one is shown once, in RV(token), so register the result and keep it with
    C(no_log).
  - With O(token_hash), what another MSR has kept of a token is taken over, and whoever has the token gets in with it here as well. That
    takes O(database).
extends_documentation_fragment:
  - registryops.migration.msr
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.msr.actiongroup
options:
  owner:
    description: The user's name.
    type: str
    required: true
  label:
    description: What the token is called. Two tokens with one label can only be told apart by O(token_hash).
    type: str
  token_hash:
    description: What the product keeps of the token, and its name in its API. It is refused where the token is another user's.
    type: str
  active:
    description: Whether the token lets anybody in.
    type: bool
  created:
    description: When it was made, as ISO 8601 with an offset, for one that is taken over. Of one that exists it stays as it is.
    type: str
  state:
    description: Whether the token is wanted.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: registryops.migration.msr_account
  - module: registryops.migration.identity_import
"""

EXAMPLES = r"""
- name: A token for a pipeline
  registryops.migration.msr_token:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    owner: pipeline
    label: nightly builds
  register: made
  no_log: true

- name: Switch off what has leaked
  registryops.migration.msr_token:
    url: msr.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    owner: pipeline
    label: old laptop
    active: false
"""

RETURN = r"""
state:
  description:
    - What became of the token, or would in check mode - V(created), V(changed), V(unchanged) or V(removed).
    - V(absent) if it was not there, and is not wanted.
  returned: success
  type: str
  sample: created
differences:
  description: What was not as wanted, with what it was and what it is now. Secrets are not in it.
  returned: success
  type: dict
  sample:
    is_active: {before: true, after: false}
owner:
  description: The user, where the token is wanted.
  returned: success
  type: str
  sample: pipeline
label:
  description: The token's label, where the token is wanted.
  returned: success
  type: str
  sample: nightly builds
token:
  description: The token itself, where it is new.
  returned: when it was created
  type: str
  sample: 8d6f1f0c-6d0b-4a8f-9d4c-1b9d0c1f2a3b
token_hash:
  description: What the product keeps of it, where the token is wanted and exists.
  returned: success
  type: str
  sample: 5f4dcc3b5aa765d61d8327deb882cf992b95990a9151374abd8ff8c5a7a0fe08
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  sample:
    kind: invalid_option
    subject: label
    message: "'laptop' is the label of 2 tokens of ann."
    hint: Name one by token_hash.
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.msr_items import STATE, ensure_token, make_msr_module, run


def main() -> None:
    module = make_msr_module(
        {
            **STATE,
            "owner": {"type": "str", "required": True},
            "label": {"type": "str"},
            "token_hash": {"type": "str", "no_log": True},
            "active": {"type": "bool"},
            "created": {"type": "str"},
        },
        required_one_of=[("label", "token_hash")],
    )
    run(module, ensure_token)


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: msr_settings
short_description: Settings of a Mirantis Secure Registry, such as read-only
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Changes settings of a whole registry. What is not given stays as it is, and without any of them the present ones are returned.
  - With O(read_only), nobody pushes or deletes any more, so what is copied afterwards is the last state of the registry.
extends_documentation_fragment:
  - registryops.migration.msr
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.msr.actiongroup
options:
  read_only:
    description: Whether images can only be pulled. Versions 3.0 do not have this.
    type: bool
  create_repository_on_push:
    description: Whether a push makes the repository that it needs.
    type: bool
  single_sign_on:
    description: Whether the web interface signs in by itself whoever has signed in elsewhere.
    type: bool
  scanning:
    description: Whether images are scanned.
    type: bool
  scanning_sync_online:
    description: Whether the scanner fetches its database by itself.
    type: bool
seealso:
  - module: registryops.migration.msr_repository
"""

EXAMPLES = r"""
- name: Nobody changes the old registry any more
  registryops.migration.msr_settings:
    url: old.example.com
    username: admin
    password: "{{ vault_msr_password }}"
    read_only: true
"""

RETURN = r"""
differences:
  description: What was not as wanted, with what it was and what it is now.
  returned: success
  type: dict
  sample:
    read_only: {before: false, after: true}
settings:
  description: The settings that this module knows, as they are now.
  returned: success
  type: dict
  sample:
    read_only: true
    create_repository_on_push: false
    single_sign_on: true
    scanning: false
    scanning_sync_online: true
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  sample:
    kind: invalid_option
    subject: read_only
    message: is nothing that this version of the registry has.
    hint: Leave it out.
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.msr_items import SETTINGS, ensure_settings, make_msr_module


def main() -> None:
    ensure_settings(make_msr_module({option: {"type": "bool"} for option in SETTINGS}))


if __name__ == "__main__":
    main()

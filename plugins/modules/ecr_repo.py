#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_repo
short_description: Create, change and delete repositories of Amazon ECR
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Has a private repository exist with these settings, or not exist. Settings that are not given are left as they are.
  - What a repository is encrypted with cannot be changed; where it differs, the task fails and nothing is changed.
extends_documentation_fragment:
  - registryops.migration.aws
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.aws.actiongroup
options:
  name:
    description: The repository's name, with its namespaces, such as V(team/app).
    type: str
    required: true
  registry_id:
    description: The account whose registry is meant. By default that of whoever asks.
    type: str
  state:
    description: Whether the repository is wanted.
    type: str
    choices: [present, absent]
    default: present
  force:
    description: Delete the repository with its images. Without it, one that has images is left alone, and the task fails.
    type: bool
    default: false
  mutability:
    description: Whether tags can be moved.
    type: str
    choices: [MUTABLE, IMMUTABLE]
  mutability_exclusions:
    description:
      - Up to five patterns of tags, with C(*), for which the opposite of O(mutability) holds.
      - Where O(mutability) is given, those that are not given are taken away.
    type: list
    elements: str
  scan_on_push:
    description: Whether images are scanned when they are pushed, as far as the registry's own scanning rules leave that to repositories.
    type: bool
  encryption:
    description: How images are encrypted. This cannot be changed later.
    type: str
    choices: [AES256, KMS, KMS_DSSE]
  kms_key:
    description:
      - The key's ARN, id or alias. By default Amazon's own key for ECR. This cannot be changed later.
      - An alias is compared with the help of C(kms:DescribeKey).
    type: str
  lifecycle_policy:
    description: The lifecycle policy, as a mapping or as JSON. An empty one takes it away.
    type: dict
  repository_policy:
    description: Who may do what with the repository, as a mapping or as JSON. An empty one takes it away.
    type: dict
  tags:
    description: Resource tags.
    type: dict
  purge_tags:
    description: Take other resource tags away.
    type: bool
    default: false
seealso:
  - module: registryops.migration.ecr_registry
"""

EXAMPLES = r"""
- name: A repository whose releases cannot be moved
  registryops.migration.ecr_repo:
    region: eu-central-1
    name: team/app
    mutability: IMMUTABLE
    mutability_exclusions: [latest, "dev-*"]
    scan_on_push: true
    tags:
      migrated-from: old.example.com/team/app
    lifecycle_policy:
      rules:
        - rulePriority: 1
          description: Untagged images go after two weeks
          selection: {tagStatus: untagged, countType: sinceImagePushed, countUnit: days, countNumber: 14}
          action: {type: expire}

- name: Delete a repository with all its images, as a role of another account
  registryops.migration.ecr_repo:
    region: eu-central-1
    role_arn: arn:aws:iam::123456789012:role/registry-admin
    name: team/old
    state: absent
    force: true
"""

RETURN = r"""
state:
  description:
    - What became of the repository, or would in check mode.
    - V(absent) if it was not there, V(deleted) if it was.
  returned: success
  type: str
  sample: created
differences:
  description: The settings that were not as wanted, with what they were and what they are now.
  returned: success
  type: dict
  sample:
    scan_on_push: {before: false, after: true}
repository:
  description: The repository, where it exists.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: team/app
    arn:
      description: Its ARN.
      type: str
      sample: arn:aws:ecr:eu-central-1:123456789012:repository/team/app
    uri:
      description: What images are pushed to.
      type: str
      sample: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/app
    registry:
      description: The registry's host, in the partition that it is in.
      type: str
      sample: 123456789012.dkr.ecr.eu-central-1.amazonaws.com
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  sample:
    kind: invalid_option
    subject: encryption
    message: "is KMS, and the repository team/app has AES256, which cannot be changed."
    hint: Leave it out, or delete the repository and create it anew.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.registryops.migration.plugins.module_utils._module.aws import ensure_repository
from ansible_collections.registryops.migration.plugins.module_utils._module.options import AWS


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AWS,
            "name": {"type": "str", "required": True},
            "registry_id": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "force": {"type": "bool", "default": False},
            "mutability": {"type": "str", "choices": ["MUTABLE", "IMMUTABLE"]},
            "mutability_exclusions": {"type": "list", "elements": "str"},
            "scan_on_push": {"type": "bool"},
            "encryption": {"type": "str", "choices": ["AES256", "KMS", "KMS_DSSE"]},
            # the name of a key, and no key
            "kms_key": {"type": "str", "no_log": False},
            "lifecycle_policy": {"type": "dict"},
            "repository_policy": {"type": "dict"},
            "tags": {"type": "dict"},
            "purge_tags": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    ensure_repository(module)


if __name__ == "__main__":
    main()

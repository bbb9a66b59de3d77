#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_registry
short_description: Change the settings of a whole registry of Amazon ECR
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Changes what holds for all repositories of an account in a region. What is not given is left as it is.
  - Everything is looked at before anything is changed.
extends_documentation_fragment:
  - registryops.migration.aws
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.aws.actiongroup
options:
  blob_mounting:
    description:
      - Whether a push may mount layers that another repository of the registry has, in place of sending them once more.
      - Both repositories have to be encrypted in the same way, and whoever pushes needs C(ecr:GetDownloadUrlForLayer) on the other one.
    type: bool
  creation_templates:
    description:
      - What repositories are like that Amazon ECR makes by itself, for a push, for replication, or for a pull through its cache.
      - Templates are known by their prefixes. What is not given of one that exists is left as it is.
    type: list
    elements: dict
    suboptions:
      prefix:
        description: The beginning of the repositories' names, such as V(team/app); V(ROOT) for all that have no other template.
        type: str
        required: true
      applied_for:
        description: When it applies. V(CREATE_ON_PUSH) has a push make its repository.
        type: list
        elements: str
        choices: [CREATE_ON_PUSH, REPLICATION, PULL_THROUGH_CACHE]
        required: true
      description:
        description: What it is for.
        type: str
      mutability:
        description: Whether tags can be moved.
        type: str
        choices: [MUTABLE, IMMUTABLE]
      mutability_exclusions:
        description: Up to five patterns of tags, with C(*), for which the opposite holds.
        type: list
        elements: str
      encryption:
        description: How images are encrypted.
        type: str
        choices: [AES256, KMS, KMS_DSSE]
      kms_key:
        description: The key's ARN.
        type: str
      lifecycle_policy:
        description: The lifecycle policy, as a mapping or as JSON. An empty one takes it away.
        type: dict
      repository_policy:
        description: Who may do what with the repositories, as a mapping or as JSON. An empty one takes it away.
        type: dict
      tags:
        description: Resource tags.
        type: dict
      custom_role_arn:
        description: The role that Amazon ECR assumes to make them, needed for O(creation_templates[].tags) and a KMS key.
        type: str
  purge_creation_templates:
    description: Take templates away that are not in O(creation_templates).
    type: bool
    default: false
  scanning:
    description: Which images are scanned, and when.
    type: dict
    suboptions:
      type:
        description: The kind of scanning. By default the one that is set.
        type: str
        choices: [BASIC, ENHANCED]
      rules:
        description: All rules; an empty list takes them away. By default those that are set.
        type: list
        elements: dict
        suboptions:
          frequency:
            description: When images are scanned.
            type: str
            choices: [SCAN_ON_PUSH, CONTINUOUS_SCAN, MANUAL]
            required: true
          filters:
            description: Patterns of repositories, with C(*).
            type: list
            elements: str
            required: true
  replication:
    description: All rules by which images are replicated to other regions and accounts; an empty list ends all replication.
    type: list
    elements: dict
    suboptions:
      destinations:
        description: Where images go.
        type: list
        elements: dict
        required: true
        suboptions:
          region:
            description: The region.
            type: str
            required: true
          registry_id:
            description: The account. By default that of the registry itself.
            type: str
      prefixes:
        description: Beginnings of the names of repositories. By default all.
        type: list
        elements: str
        default: []
      deletions:
        description: Whether deletions are replicated too. Needs a boto3 that knows it.
        type: bool
        default: false
  registry_policy:
    description: Who may replicate into the registry and pull through its cache, as a mapping or as JSON. An empty one takes it away.
    type: dict
seealso:
  - module: registryops.migration.ecr_repo
"""

EXAMPLES = r"""
- name: Make a migration fast, and have pushes create repositories
  registryops.migration.ecr_registry:
    region: eu-central-1
    blob_mounting: true
    creation_templates:
      - prefix: ROOT
        applied_for: [CREATE_ON_PUSH]
        mutability: IMMUTABLE
        mutability_exclusions: [latest]

- name: Scan what is pushed, and replicate releases
  registryops.migration.ecr_registry:
    region: eu-central-1
    scanning:
      type: BASIC
      rules:
        - frequency: SCAN_ON_PUSH
          filters: ["*"]
    replication:
      - destinations:
          - region: eu-west-1
        prefixes: [release/]
"""

RETURN = r"""
registry_id:
  description: The account.
  returned: success
  type: str
  sample: "123456789012"
differences:
  description: The settings that were not as wanted, with what they were and what they are now, or would be in check mode.
  returned: success
  type: dict
  sample:
    blob_mounting: {before: false, after: true}
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  sample:
    kind: access_denied
    subject: the account setting BLOB_MOUNTING
    message: "AWS does not allow this: User: arn:aws:iam::123456789012:user/mover is not authorized to perform: ecr:GetAccountSetting."
    hint: Grant this action to the user or role, or choose another with profile or role_arn.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.registryops.migration.plugins.module_utils._module.aws import ensure_registry
from ansible_collections.registryops.migration.plugins.module_utils._module.options import AWS


def main() -> None:
    template = {
        "prefix": {"type": "str", "required": True},
        "applied_for": {
            "type": "list",
            "elements": "str",
            "choices": ["CREATE_ON_PUSH", "REPLICATION", "PULL_THROUGH_CACHE"],
            "required": True,
        },
        "description": {"type": "str"},
        "mutability": {"type": "str", "choices": ["MUTABLE", "IMMUTABLE"]},
        "mutability_exclusions": {"type": "list", "elements": "str"},
        "encryption": {"type": "str", "choices": ["AES256", "KMS", "KMS_DSSE"]},
        # the name of a key, and no key
        "kms_key": {"type": "str", "no_log": False},
        "lifecycle_policy": {"type": "dict"},
        "repository_policy": {"type": "dict"},
        "tags": {"type": "dict"},
        "custom_role_arn": {"type": "str"},
    }
    scanning_rule = {
        "frequency": {"type": "str", "choices": ["SCAN_ON_PUSH", "CONTINUOUS_SCAN", "MANUAL"], "required": True},
        "filters": {"type": "list", "elements": "str", "required": True},
    }
    place = {"region": {"type": "str", "required": True}, "registry_id": {"type": "str"}}
    replication_rule = {
        "destinations": {"type": "list", "elements": "dict", "options": place, "required": True},
        "prefixes": {"type": "list", "elements": "str", "default": []},
        "deletions": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            **AWS,
            "blob_mounting": {"type": "bool"},
            "creation_templates": {"type": "list", "elements": "dict", "options": template},
            "purge_creation_templates": {"type": "bool", "default": False},
            "scanning": {
                "type": "dict",
                "options": {
                    "type": {"type": "str", "choices": ["BASIC", "ENHANCED"]},
                    "rules": {"type": "list", "elements": "dict", "options": scanning_rule},
                },
            },
            "replication": {"type": "list", "elements": "dict", "options": replication_rule},
            "registry_policy": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    ensure_registry(module)


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_repositories
short_description: Create what a registry needs before images can be pushed to it
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Some registries take a push only where something exists already - Amazon ECR a repository, Harbor a project, Quay an organization.
    This module finds out what a migration needs at the destination, and creates what is missing, many at a time.
  - What exists already gets the wanted settings. What cannot be changed is a drift.
  - For a registry that makes everything by itself, it says so and does nothing.
extends_documentation_fragment:
  - registryops.migration.registries
  - registryops.migration.registries.selection
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.registries.actiongroup
options:
  source:
    description: The registry (or folder) that images come from. Not needed with O(repositories).
  destination:
    required: true
  plan_file:
    description:
      - Take the names from this plan, which M(registryops.migration.registry_image_copy) has written in check mode.
      - O(rules) are not looked at.
    type: path
  repositories:
    description:
      - Repositories of the destination that images are going to be pushed to. They are taken instead of what O(rules) select, and nothing
        is asked of O(source).
    type: list
    elements: str
  settings:
    description:
      - Settings of everything that is created. What exists already is changed where it differs; what is not named here stays as it is.
      - Each product has its own; the page C(docs/providers.md) of this collection lists them. A name that the product does not know fails.
    type: dict
    default: {}
  overrides:
    description: Other settings for some. Where several entries match, the last one that has a setting counts for it.
    type: list
    elements: dict
    default: []
    suboptions:
      match:
        description:
          - A pattern, or a list of patterns, of names of what is created, in the form of O(rules[].repositories.include). With Harbor
            these are names of projects, with Amazon ECR names of repositories.
        type: raw
        required: true
      settings:
        description: Settings, as O(settings). A null takes a setting back.
        type: dict
        required: true
  drift:
    description:
      - What is done about settings that cannot be changed afterwards, such as the encryption of a repository of Amazon ECR.
      - V(fail) makes the task fail when all is done, V(report) only counts them in RV(counts.drift).
    type: str
    choices: [fail, report]
    default: fail
  output_file:
    description:
      - Write everything to this file as JSON, on the host where the task runs, also in check mode. RV(rows) has the first 100 only.
      - The file's folder is made if need be.
    type: path
notes:
  - Repositories of the source that cannot be listed are warned about, and nothing is created for them. The copy tells what is wrong with
    them.
seealso:
  - module: registryops.migration.registry_image_copy
"""

EXAMPLES = r"""
- name: Create the projects that a migration to Harbor needs
  registryops.migration.registry_repositories:
    source:
      url: old.example.com
    destination:
      url: harbor.example.com
      username: mover
      password: "{{ harbor_password }}"
    settings:
      public: false
      auto_scan: true
    overrides:
      - match: "open-*"
        settings:
          public: true

- name: What would be created?
  registryops.migration.registry_repositories:
    source:
      url: old.example.com
    destination:
      url: harbor.example.com
    rules:
      - repositories:
          include: [team/**]
  check_mode: true
  diff: true

- name: Create what a reviewed plan needs
  registryops.migration.registry_repositories:
    source:
      url: old.example.com
    destination:
      url: harbor.example.com
    plan_file: /var/lib/migration/plan.jsonl

- name: Have two projects ready, whatever is copied
  registryops.migration.registry_repositories:
    destination:
      url: harbor.example.com
    repositories:
      - team/app
      - base/alpine
"""

RETURN = r"""
msg:
  description: What there is, or what is wrong, in a sentence.
  returned: always
  type: str
  sample: "harbor.example.com, project: 2 created, 4 as wanted."
registry:
  description: The destination.
  returned: success
  type: str
  sample: harbor.example.com
kind:
  description: What is created, in the product's own word; empty where the destination needs nothing.
  returned: when everything was looked at
  type: str
  sample: project
counts:
  description: How many there are of each state. In check mode RV(counts.created) and RV(counts.changed) count what would be.
  returned: when everything was looked at
  type: dict
  contains:
    existing:
      description: They exist, as wanted.
      type: int
      sample: 4
    created:
      description: They did not exist.
      type: int
      sample: 2
    changed:
      description: They existed, and have other settings now.
      type: int
      sample: 0
    drift:
      description: They exist, and differ in what cannot be changed.
      type: int
      sample: 0
    failed:
      description: They could not be created or changed.
      type: int
      sample: 0
rows:
  description: The first 100 of them, what differs before what is as wanted.
  returned: when everything was looked at
  type: list
  elements: dict
  contains:
    kind:
      description: What it is, in the product's own word.
      type: str
      sample: project
    name:
      description: Its name.
      type: str
      sample: team
    state:
      description: One of V(existing), V(created), V(changed) and V(drift).
      type: str
      sample: created
    differences:
      description: Settings that it has got, or cannot get, by their names, with what was C(before) and what comes C(after).
      type: dict
      sample:
        public:
          before:
          after: "false"
failures:
  description: What could not be created or changed, with the reason and the way out, at most 100 entries.
  returned: when everything was looked at
  type: list
  elements: dict
  sample:
    - name: team
      kind: access_denied
      subject: the project team
      message: may not do this.
      hint: Grant the right, or use another account.
output_file:
  description: The file with everything, where one was written.
  returned: when everything was looked at
  type: str
  sample: /var/lib/migration/repositories.json
error:
  description: Why nothing could be looked at, in the form of an entry of RV(failures).
  returned: when it could not be done at all
  type: dict
  sample:
    kind: invalid_option
    subject: settings
    message: does not know visibility.
    hint: Those of Harbor are public, auto_scan, prevent_vulnerable, storage_limit.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.registryops.migration.plugins.module_utils._copying.creation import (
    Settings,
    check_names,
    create,
    creating_provider,
)
from ansible_collections.registryops.migration.plugins.module_utils._copying.plan import read_plan
from ansible_collections.registryops.migration.plugins.module_utils._copying.planning import Planner
from ansible_collections.registryops.migration.plugins.module_utils._copying.unmatched import MOST_WARNINGS
from ansible_collections.registryops.migration.plugins.module_utils._module.connections import Connections
from ansible_collections.registryops.migration.plugins.module_utils._module.options import SELECTION, make_module, policy_of, rules_of
from ansible_collections.registryops.migration.plugins.module_utils._module.results import CreationForm, creation_result, nothing_to_create
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store


def destinations(module: AnsibleModule, connections: Connections, destination: Store) -> list[str]:
    """The repositories that are going to be pushed to."""
    params = module.params
    if params["repositories"] is not None:
        return check_names(params["repositories"], destination.profile)
    source = connections.open("source")
    if params["plan_file"]:
        rows = read_plan(params["plan_file"], source.name, destination.name)
        return list(dict.fromkeys(row.repository for row in rows))
    source.check(writing=False)
    planner = Planner(source, destination, rules_of(params), policy_of(params))
    found = planner.destinations()
    for warning in planner.warnings:
        module.warn(warning)
    for failure in planner.failures[:MOST_WARNINGS]:
        module.warn(f"Nothing is created for {failure.repository}, which cannot be listed at the source: {failure.error}")
    if len(planner.failures) > MOST_WARNINGS:
        module.warn(f"Nothing is created for {len(planner.failures) - MOST_WARNINGS} more, which cannot be listed either.")
    return found


def main() -> None:
    module = make_module(
        {
            **SELECTION,
            "plan_file": {"type": "path"},
            "repositories": {"type": "list", "elements": "str"},
            "settings": {"type": "dict", "default": {}},
            "overrides": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"match": {"type": "raw", "required": True}, "settings": {"type": "dict", "required": True}},
            },
            "drift": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
            "output_file": {"type": "path"},
        },
        required=["destination"],
        exclusive=[("plan_file", "repositories")],
    )
    params = module.params
    with Connections(module) as connections:
        destination = connections.open("destination")
        provider = creating_provider(destination)
        if provider is None:
            result = nothing_to_create(destination.name, destination.profile.title)
            if params["settings"] or params["overrides"]:
                module.warn(f"{destination.name} ({destination.profile.title}) has no settings, so those that are given have no effect.")
        else:
            settings = Settings.from_options(params["settings"], params["overrides"] or [], provider)
            names = provider.containers(destinations(module, connections, destination))
            for warning in settings.unmatched(names):
                module.warn(warning)
            done = create(destination, provider, names, settings, not module.check_mode, params["workers"])
            form = CreationForm(apply=not module.check_mode, drift_fails=params["drift"] == "fail", diff=module._diff)
            result = creation_result(destination.name, provider.container, done, params["output_file"], form)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_report
short_description: Write the report of a migration
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Reads the ledgers of all workers of a migration and writes C(report.json), with totals, workers, failures and repositories,
    C(report.csv), with a line for each tag, and C(report.html), a page for people that needs no other file and no network.
  - The report describes the last run of each worker. Writing it changes neither registry, so the task never reports a change.
extends_documentation_fragment:
  - registryops.migration.registries.info
options:
  ledgers:
    description: The ledgers, on the host where the task runs, by the name of the worker that each is from.
    type: dict
    required: true
  not_run:
    description: Workers whose part of the migration was not done, each with the reason. With one of them, RV(verified) is never true.
    type: dict
    default: {}
  people_file:
    description:
      - What M(registryops.migration.identity_import) and M(registryops.migration.identity_verify) have noted of people. The report then
        has a part about these, which stands first where anything differs.
      - RV(verified) is then only true where people are verified as well. Give no O(ledgers) but an empty dictionary where only people
        are moved.
    type: path
  output_dir:
    description: The folder for the report; it is made if need be.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Write the report of two workers
  registryops.migration.registry_report:
    ledgers:
      worker1: /var/lib/migration/worker1.sqlite3
      worker2: /var/lib/migration/worker2.sqlite3
    output_dir: /var/lib/migration/report

- name: Write the report of a migration with its people
  registryops.migration.registry_report:
    ledgers:
      worker1: /var/lib/migration/worker1.sqlite3
    people_file: /var/lib/migration/people.json
    output_dir: /var/lib/migration/report
"""

RETURN = r"""
json_file:
  description: The path of the report for programs.
  returned: success
  type: str
  sample: /var/lib/migration/report/report.json
csv_file:
  description: The path of the table of tags.
  returned: success
  type: str
  sample: /var/lib/migration/report/report.csv
html_file:
  description: The path of the page for people.
  returned: success
  type: str
  sample: /var/lib/migration/report/report.html
counts:
  description: Tags by what became of them.
  returned: success
  type: dict
  sample: {copied: 118, unchanged: 2}
repositories:
  description: How many repositories of the source took part - those of which a tag was selected, or that failed.
  returned: success
  type: int
  sample: 12
verified:
  description: Whether every worker's part has been verified since it was copied, and nothing differed.
  returned: success
  type: bool
  sample: true
people:
  description: The numbers of people, where O(people_file) was given.
  returned: when O(people_file) was given
  type: dict
  contains:
    verified:
      description: Whether they have been compared since they were brought over, and nothing differed.
      type: bool
      sample: true
    different:
      description: How many differences the verification found.
      type: int
      sample: 0
    failed:
      description: How many items could not be written.
      type: int
      sample: 0
    refused:
      description: How many items the destination would not take.
      type: int
      sample: 0
    not_attempted:
      description: How many items a run did not come to.
      type: int
      sample: 0
    not_migrated:
      description: How many items were left out because that was allowed.
      type: int
      sample: 0
workers:
  description: The last run of each worker, with its numbers, and its verification where there was one since.
  returned: success
  type: list
  elements: dict
  sample:
    - worker: worker1
      source: old.example.com
      destination: new.example.com:5000
      started: "2026-11-21T09:00:00+00:00"
      ended: "2026-11-21T09:00:12+00:00"
      outcome: ok
      counts: {copied: 118, unchanged: 2}
      bytes: 18273645
      verification: {mode: light, checked: 120, equal: 120, different: 0}
    - worker: worker2
      outcome: not run
      message: the host could not be reached.
      verification:
failures:
  description: What could not be copied, at most 100 entries. The report has all of them.
  returned: success
  type: list
  elements: dict
  sample:
    - worker: worker1
      repository: team/app
      tag: "1.4"
      state: failed
      message: the source does not have this blob, though a manifest names it.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.registryops.migration.plugins.module_utils._copying.report import Report, write_report
from ansible_collections.registryops.migration.plugins.module_utils._copying.report_people import PeopleReport
from ansible_collections.registryops.migration.plugins.module_utils._identity.report import read_people_file
from ansible_collections.registryops.migration.plugins.module_utils._module.options import fail
from ansible_collections.registryops.migration.plugins.module_utils._module.results import report_result
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import MigrationError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "ledgers": {"type": "dict", "required": True},
            "not_run": {"type": "dict", "default": {}},
            "people_file": {"type": "path"},
            "output_dir": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(**report_result(Report()))
    try:
        people_file = module.params["people_file"]
        people = PeopleReport(read_people_file(people_file, "people_file")) if people_file else None
        report = write_report(module.params["ledgers"], module.params["output_dir"], module.params["not_run"], people)
    except MigrationError as error:
        fail(module, error)
    module.exit_json(**report_result(report))


if __name__ == "__main__":
    main()

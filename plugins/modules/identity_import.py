#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: identity_import
short_description: Bring the people of a registry, and what they may do, to another one
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Reads both sides, plans what has to be done at the destination, and does it. What is there already, and as wanted, is left alone, so
    a second run changes nothing, and a run after an interrupted one goes on.
  - Everything is matched by names, and users of a directory by their entries there, so it does not matter that the same account has
    another id on each side.
  - What the destination would refuse is found before anything is written.
  - With the database of the destination's accounts, a new user whom it has taken from its directory is inactive until it is known
    whether that is the entry of the source. Who turns out to be somebody else stays inactive, gets none of the rights that the user of
    the source has, and makes the run fail. O(match_directory) says when nobody looks.
  - In check mode the plan is made and nothing is written. With C(--diff) it is shown. Where users would get the hashes of their
    passwords, and the database of the destination's accounts is not given, the destination is asked whether it takes them in another
    way. Only a POST finds that out (C(importAccounts), with an empty list), which may stand in the destination's log, and changes
    nothing.
extends_documentation_fragment:
  - registryops.migration.msr.source
  - registryops.migration.msr.destination
  - registryops.migration.identity
  - registryops.migration.identity.matching
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
options:
  source_file:
    description: A file that M(registryops.migration.identity_export) has written, instead of O(source).
    type: path
  coming_parts:
    description:
      - Parts that another task brings before this one. In check mode, what they bring is taken for there. Otherwise it has to be.
    type: list
    elements: str
    choices: [accounts, organizations, repositories]
    default: []
  existing_passwords:
    description:
      - Whether users who are at the destination already get the passwords that they have at the source. That needs both databases;
        without that of the destination, O(go_on_without) has to name V(password_hash).
      - New users get them in any case.
    type: str
    choices: [replace, keep]
    default: replace
  surplus:
    description:
      - What becomes of what the destination has and the source has not. V(keep) says nothing of it, V(report) lists it.
      - V(remove) removes it, of the kinds in O(surplus_kinds), and lists the others. What every installation has is never removed, nor
        is the account that signs in to the destination with its tokens, nor is anything outside of what O(organizations),
        O(repositories) and O(users) select.
    type: str
    choices: [keep, report, remove]
    default: report
  surplus_kinds:
    description:
      - What O(surplus=remove) may remove. By default that is what gives rights or does something.
      - With an account, a team or a repository goes all that belongs to it, with a repository its images. So these have to be named.
    type: list
    elements: str
    choices: [account, team, membership, team_membership, repository, grant, token, webhook, policy]
    default: [membership, team_membership, grant, token, webhook, policy]
  on_refusal:
    description:
      - What is done where the destination would refuse something. V(fail) writes nothing at all, V(skip) writes everything else.
      - What needs something that is refused is refused too.
    type: str
    choices: [fail, skip]
    default: fail
  on_error:
    description: Whether a run goes on after something could not be written. It fails in the end in both cases.
    type: str
    choices: [skip, abort]
    default: skip
  workers:
    description: How much is written at the same time. V(0) is 16.
    type: int
    default: 0
  plan_file:
    description: Write what becomes of each item to this file as JSON, on the host where the task runs, also in check mode.
    type: path
seealso:
  - module: registryops.migration.identity_export
  - module: registryops.migration.identity_verify
"""

EXAMPLES = r"""
- name: What would be done?
  registryops.migration.identity_import:
    source:
      url: msr-old.example.com
      username: admin
      password: "{{ old_password }}"
    destination:
      url: msr-new.example.com
      username: admin
      password: "{{ new_password }}"
    go_on_without: [password_hash, token]
  check_mode: true
  diff: true

- name: Bring over one organization, with its people
  registryops.migration.identity_import:
    source_file: /var/lib/migration/people.json
    destination:
      url: msr-new.example.com
      username: admin
      password: "{{ new_password }}"
    organizations:
      include: [research]
    rename:
      Bob: robert
    people_file: /var/lib/migration/report/people.json
    go_on_without: [password_hash, token]
"""

RETURN = r"""
msg:
  description: What was done, or is wrong, in a sentence or two.
  returned: always
  type: str
  sample: 2 created, 118 unchanged.
source:
  description: The installation that was read, or that the file is from.
  returned: when both sides were read
  type: str
  sample: msr-old.example.com
destination:
  description: The installation that was written.
  returned: when both sides were read
  type: str
  sample: msr-new.example.com
counts:
  description:
    - What became of how many items of each kind, or would in check mode. The states are V(created), V(changed), V(unchanged), V(kept)
      (different, and protected), V(surplus) (only at the destination), V(removed), V(refused), V(failed) and V(not_attempted).
  returned: when both sides were read
  type: dict
  sample:
    account: {created: 2, changed: 0, unchanged: 117, kept: 1, surplus: 0, removed: 0, refused: 0, failed: 0, not_attempted: 0}
totals:
  description: The sums of RV(counts) over all kinds.
  returned: when both sides were read
  type: dict
  sample: {created: 2, changed: 0, unchanged: 117, kept: 1, surplus: 0, removed: 0, refused: 0, failed: 0, not_attempted: 0}
failures:
  description: What could not be written, at most 100 entries.
  returned: when both sides were read
  type: list
  elements: dict
  sample:
    - kind: team
      name: team research/dev
      state: failed
      error:
        kind: server_failed
        subject: team research/dev
        message: answered with 500.
        hint: Look at the log of the registry, and of what stands in front of it.
refused:
  description: What the destination would refuse, at most 100 entries, in the same form.
  returned: when both sides were read
  type: list
  elements: dict
  sample: []
refused_repositories:
  description: All repositories that are refused, by their names at the source. Their images cannot be pushed.
  returned: when both sides were read
  type: list
  elements: str
  sample: []
not_migrated:
  description: What was left out, as O(go_on_without) allows, each with the number of items and the reason.
  returned: when both sides were read
  type: list
  elements: dict
  sample:
    - what: password_hash
      count: 118
      reason: "the source: The option database is not given."
renamed:
  description: Accounts that have another name at the destination, by their names at the source.
  returned: when both sides were read
  type: dict
  sample: {jdoe: john.doe}
notes:
  description: What was read or written in another way than one would think.
  returned: when both sides were read
  type: list
  elements: str
  sample: []
plan_file:
  description: The file with what became of each item, where one was written.
  returned: when both sides were read
  type: str
  sample: /var/lib/migration/plan.json
people_file:
  description: The file for the report, where one was written.
  returned: when both sides were read
  type: str
  sample: /var/lib/migration/report/people.json
error:
  description: Why nothing could be done, with the reason and the way out.
  returned: when it could not be done at all
  type: dict
  sample:
    kind: invalid_option
    subject: go_on_without
    message: "does not name password_hash, which cannot be migrated. The source: The option database is not given."
    hint: Give what it takes to read that, or name it there to go on without it.
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.identity import (
    DESTINATION,
    MATCHING,
    READING,
    SOURCE,
    SOURCE_FILE,
    WRITING,
    Sides,
    import_people,
    make_identity_module,
)


def main() -> None:
    module = make_identity_module(
        {**SOURCE, **SOURCE_FILE, **DESTINATION, **READING, **MATCHING, **WRITING},
        mutually_exclusive=[("source", "source_file")],
        required_one_of=[("source", "source_file")],
    )
    with Sides(module) as sides:
        result = import_people(module, sides)
    if result.pop("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

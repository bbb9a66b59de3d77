#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: identity_verify
short_description: Prove that everybody may do at one registry what they may do at another
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Reads both sides and compares them item by item - users, organizations, teams, memberships, rights, tokens, repositories with their
    settings, webhooks and policies.
  - Computes from both what every user may do with every repository, and compares that, pair by pair. Users of
    the source who are not selected may have fewer rights to the selected repositories, and must not have more; of these nothing is
    known, and a warning says so, where O(source_file) has only a part.
  - Asks both products themselves what some users may do with some repositories, and tries the passwords and tokens that it is given.
  - Fails where anything differs, and where something cannot be compared that O(go_on_without) does not name. Nothing is changed.
extends_documentation_fragment:
  - registryops.migration.msr.source
  - registryops.migration.msr.destination
  - registryops.migration.identity
  - registryops.migration.identity.matching
  - registryops.migration.registries.info
options:
  source_file:
    description: A file that M(registryops.migration.identity_export) has written, instead of O(source).
    type: path
  surplus:
    description: Whether what only the destination has is ignored, listed in RV(surplus), or makes the task fail.
    type: str
    choices: [ignore, report, fail]
    default: report
  sample:
    description:
      - Of how many pairs of a user and a repository the products are asked what they say, one request to each side. V(0) asks of none,
        V(-1) of all.
      - Half of them are such in which the user has a right of the own. The same are drawn as long as the source stays the same.
    type: int
    default: 100
  logins:
    description:
      - Passwords or access tokens of users of the source that are tried on both sides. One that gets in on one side only is a difference.
    type: list
    elements: dict
    default: []
    suboptions:
      username:
        description: The user's name at the source.
        type: str
        required: true
      secret:
        description: The password, or the access token.
        type: str
        required: true
seealso:
  - module: registryops.migration.identity_import
  - module: registryops.migration.registry_image_verify
"""

EXAMPLES = r"""
- name: May everybody do what they could do?
  registryops.migration.identity_verify:
    source:
      url: msr-old.example.com
      username: admin
      password: "{{ old_password }}"
    destination:
      url: msr-new.example.com
      username: admin
      password: "{{ new_password }}"
    logins:
      - username: canary
        secret: "{{ canary_token }}"
    go_on_without: [password_hash]
    people_file: /var/lib/migration/report/people.json
"""

RETURN = r"""
msg:
  description: What was compared, and what differs, in a sentence or more.
  returned: always
  type: str
  sample: 118 items and 2400 pairs of a user and a repository were compared, and nothing differs.
source:
  description: The installation that was read, or that the file is from.
  returned: when both sides were read
  type: str
  sample: msr-old.example.com
destination:
  description: The installation that it was compared with.
  returned: when both sides were read
  type: str
  sample: msr-new.example.com
checked:
  description: How many items were compared.
  returned: when both sides were read
  type: int
  sample: 118
different:
  description: How many differences there are, of all sorts.
  returned: when both sides were read
  type: int
  sample: 0
access:
  description:
    - What every user may do with every repository - how many pairs were compared, and at most 100 of those that differ. V(kept) are
      those that differ where rights are not taken along, in repositories of accounts that every installation has, with O(built_in=keep).
  returned: when both sides were read
  type: dict
  sample:
    compared: 2400
    kept: []
    different: 1
    differences:
      - user: bob
        repository: research/app
        before: write
        after: read
differences:
  description: Items that are V(missing) at the destination, or V(different) there, at most 100 entries.
  returned: when both sides were read
  type: list
  elements: dict
  sample:
    - kind: grant
      name: grant for team research/dev on research/app
      outcome: different
      differences:
        level: {source: write, destination: read}
sample:
  description: Of how many pairs the products were asked, and at most 100 of those of which one says something else than is computed.
  returned: when both sides were read
  type: dict
  sample: {asked: 100, differences: []}
logins:
  description: How many logins were tried, and those that get in on one side only.
  returned: when both sides were read
  type: dict
  sample: {tried: 1, differences: []}
surplus:
  description: Items that only the destination has, at most 100 entries.
  returned: when both sides were read
  type: list
  elements: dict
  sample: []
counts:
  description:
    - How many items of each kind are V(equal), V(missing), V(different), V(surplus) (only at the destination) or V(kept) (different, and
      meant to be).
  returned: when both sides were read
  type: dict
  sample:
    account: {equal: 118, missing: 0, different: 0, surplus: 0, kept: 1}
uncompared:
  description:
    - What one side cannot tell, each with the reason - kinds of items, V(password_hash), V(directory_name), or V(access) where rights
      cannot be computed. Each that O(go_on_without) does not allow counts as a difference; V(directory_name) does not.
  returned: when both sides were read
  type: dict
  sample:
    password_hash: The option database is not given.
not_migrated:
  description: What was not compared, as O(go_on_without) allows, each with the number of items and the reason.
  returned: when both sides were read
  type: list
  elements: dict
  sample: []
renamed:
  description: Accounts that have another name at the destination, by their names at the source.
  returned: when both sides were read
  type: dict
  sample: {}
people_file:
  description: The file for the report, where one was written.
  returned: when both sides were read
  type: str
  sample: /var/lib/migration/report/people.json
error:
  description: Why nothing could be compared, with the reason and the way out.
  returned: when it could not be done at all
  type: dict
  sample:
    kind: connection_failed
    subject: msr-new.example.com
    message: refused the connection.
    hint: Look at the network between here and the registry, and run again.
"""

from ansible_collections.registryops.migration.plugins.module_utils._module.identity import (
    DESTINATION,
    MATCHING,
    PROVING,
    READING,
    SOURCE,
    SOURCE_FILE,
    Sides,
    make_identity_module,
    verify_people,
)


def main() -> None:
    module = make_identity_module(
        {**SOURCE, **SOURCE_FILE, **DESTINATION, **READING, **MATCHING, **PROVING},
        mutually_exclusive=[("source", "source_file")],
        required_one_of=[("source", "source_file")],
    )
    with Sides(module) as sides:
        result = verify_people(module, sides)
    if result.pop("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

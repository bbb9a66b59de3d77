# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # READING of _module/identity.py
    DOCUMENTATION = r"""
options:
  parts:
    description:
      - What is taken. V(accounts) are users with their passwords and access tokens; V(organizations) are these with their teams, members,
        and what teams may do in all of an organization; V(repositories) are these with their settings, what teams may do with each,
        webhooks, and policies.
      - The parts can be brought over one after the other, in this order; each needs what those before it have brought.
    type: list
    elements: str
    choices: [accounts, organizations, repositories]
    default: [accounts, organizations, repositories]
  organizations:
    description:
      - Which organizations. With something to include, only these are taken, and with them their teams, members and repositories.
      - Where two or all of O(organizations), O(repositories) and O(users) include something, they narrow each other. With none of them,
        everything is taken.
    type: dict
    suboptions: &patterns
      include:
        description:
          - Names, globs (C(*) within a component, C(**) across components, C(?), C([a-z]), C({a,b})), or regular expressions behind
            C(regex:). Without any, everything.
        type: list
        elements: str
        default: []
      exclude:
        description: Patterns of what is left out, in the same form.
        type: list
        elements: str
        default: []
  repositories:
    description:
      - Which repositories, as C(namespace/name). With something to include, only these are taken, and with them their namespaces, the
        teams that may do something with them, and the members of these.
    type: dict
    suboptions: *patterns
  users:
    description:
      - Which users. With something to include, only these are taken, and with them their own repositories, and the organizations and
        teams that they belong to.
    type: dict
    suboptions: *patterns
  tokens:
    description: Which access tokens of the selected users. By default all. Both options have to agree where both are given.
    type: dict
    suboptions:
      newest:
        description: So many of each user, those that were used last, or else made last. V(0) takes none.
        type: int
      used_since:
        description: Only those that were used since a date (V(2026-01-31)), a moment, or within an age such as V(90d), V(12h) or V(4w).
        type: str
  go_on_without:
    description:
      - What may be missing. Some things cannot always be read or written; the hashes of passwords, for example, are only in a database.
        What is missing and not named here is an error, before anything is written.
    type: list
    elements: str
    choices: [password_hash, account, team, membership, team_membership, repository, grant, token, webhook, policy]
    default: []
"""

    # MATCHING of _module/identity.py
    MATCHING = r"""
options:
  rename:
    description:
      - Other names for accounts, users or organizations, at the destination, by their names at the source. They are used wherever the
        account stands; an own repository goes along, so its images need the same mapping.
      - "Who is named here is taken for the same one even where the account comes from a directory on one side only. C(bob: bob) says so
        of one whose name stays."
    type: dict
    default: {}
  match_directory:
    description:
      - Users of a directory (LDAP) who have the same entry there on both sides are one, whatever their names are. Users with the same
        name and different entries are two, and refused. So is one with the same name who comes from a directory on one side only, unless
        O(rename) names the account.
      - Without the database of the destination's accounts nobody can see its entries. A user of a directory who is inactive there, and
        active at the source, is refused then, unless O(rename) names the account.
      - With V(false) names alone count, for a directory that has moved. A new user of a directory is then whom the destination's own
        directory finds by that name. Entries of the source's directory are not written, so one whom it does not find is not created.
    type: bool
    default: true
  built_in:
    description:
      - Whether accounts that every installation has, such as V(admin), keep their passwords, rights, members, teams and tokens at the
        destination, or get those of the source. Repositories in their namespaces are brought over in both cases.
      - The account that signs in to the destination keeps its password, fields and tokens in any case, for otherwise a run would shut
        itself out. To bring it over too, sign in with another one.
    type: str
    choices: [keep, replace]
    default: keep
  automation:
    description:
      - Whether webhooks are active and policies enabled as they are at the source, or V(paused), so that none of them acts. Pause them
        as long as images come, for each tag that is pushed would be told of, promoted, mirrored or pruned once more.
      - When both sides are compared with V(paused), it is no difference that one of them does not act at the destination.
    type: str
    choices: [active, paused]
    default: active
  people_file:
    description:
      - Note the outcome in this file, on the host where the task runs, for the report of M(registryops.migration.registry_report). Several
        tasks use the same one. It is not written in check mode.
    type: path
"""

#!/usr/bin/python

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_image_copy
short_description: Copy images from one registry to another
version_added: 0.1.0
author:
  - registryops.migration contributors (@registryops)
description:
  - Copies all repositories of a registry, or those that rules select, to another registry or into a folder, byte by byte, so that every
    digest stays what it was.
  - Each blob moves once in a run, whatever the number of repositories that use it; a tag appears at the destination only when everything
    that it names is there.
  - What the destination has already is left alone, so a second run changes nothing, and an interrupted one goes on where it was.
  - In check mode nothing is written to the destination; the result is the plan.
extends_documentation_fragment:
  - registryops.migration.registries
  - registryops.migration.registries.further
  - registryops.migration.registries.rules
  - registryops.migration.registries.attributes
  - registryops.migration.registries.diff
  - registryops.migration.registries.actiongroup
attributes:
  action:
    description: Has an action plugin of the same name, so that some parts of it run on the controller.
    support: full
  async:
    description: Can be used with the keyword C(async).
    support: full
options:
  source:
    required: true
  destination:
    required: true
  existing_tags:
    description:
      - What is done with a tag that the destination has with another digest.
      - V(overwrite) moves it, V(keep) leaves it as it is, V(fail) leaves it as it is and makes the task fail.
    type: str
    choices: [overwrite, keep, fail]
    default: overwrite
  backup_tag:
    description:
      - Before a tag is overwritten, the manifest that it pointed to gets this tag. C({tag}) and C({digest}) (its first 12 digits) are
        filled in, and one of them has to be in it. Where it would be too long, the part of C({tag}) is shortened.
    type: str
  on_error:
    description:
      - V(skip) goes on with the other tags, V(retry) does so and tries the failed ones again in the end, V(abort) stops at the first
        failure.
      - In every case the task fails if anything could not be copied.
    type: str
    choices: [skip, retry, abort]
    default: skip
  retries:
    description: How often failed tags are tried again with O(on_error=retry).
    type: int
    default: 2
  bytes_per_second:
    description:
      - Bytes a second that are copied at the most, over the whole run; V(0) is no limit.
      - With O(further_destinations), what all of them get together, and also what is read from the source.
    type: float
    default: 0
  trust_ledger:
    description:
      - Believe the ledger where it says what a tag has at the destination, as long as the destination lists the tag. A run in which
        nothing has changed then asks the destination for its lists of tags and nothing else.
      - For destinations that nobody else writes to. A tag that somebody has overwritten there goes unnoticed;
        M(registryops.migration.registry_image_verify) never trusts the ledger, and finds it.
    type: bool
    default: false
  neighbour_state_dirs:
    description:
      - State folders of other workers on the same machine. A blob that one of them has brought to the destination is mounted from
        there instead of being sent again. Folders that do not exist do no harm.
    type: list
    elements: path
    default: []
  limits_by_time:
    description:
      - Other limits at certain times of day, also for a run that is under way. The first entry that holds now counts, as far as it sets a
        limit; otherwise O(bytes_per_second), O(source.requests_per_second) and O(destination.requests_per_second) hold.
    type: list
    elements: dict
    default: []
    suboptions:
      from:
        description: The time of day at which it begins, such as V(08:00).
        type: str
        required: true
      to:
        description: The time of day at which it ends, V(24:00) for midnight. Where that is not later than O(limits_by_time[].from), it is
          on the next day.
        type: str
        required: true
      days:
        description: The days on which it begins, by default all of them.
        type: list
        elements: str
        choices: [mon, tue, wed, thu, fri, sat, sun]
      timezone:
        description: The name of a time zone, such as V(Europe/Zurich). By default the time of the host where the task runs.
        type: str
      bytes_per_second:
        description: Instead of O(bytes_per_second); V(0) is no limit.
        type: float
      source_requests_per_second:
        description: Instead of O(source.requests_per_second); V(0) is no limit.
        type: float
      destination_requests_per_second:
        description: Instead of O(destination.requests_per_second), for each destination; V(0) is no limit.
        type: float
  spool_dir:
    description:
      - With O(further_destinations), the folder for what one destination has got and another one still needs. It holds a single file
        without a name, so nothing is left in it, whatever happens.
      - Of a registry with O(source.type=v1), also the folder for layers that have been read, to make their manifest, and wait to be moved.
      - With a Docker engine, the folder for layers that it has exported, and for those of an image that it has yet to load; another file
        like that.
      - By default O(state_dir), or in check mode the system's folder for temporary files.
    type: path
  spool_bytes:
    description:
      - Bytes in O(spool_dir) at the most, for each of the two uses.
      - What has no room is read from the source again for those who need it, see RV(read_again).
      - For a Docker engine that images go to, it has to be enough for the largest image.
    type: int
    default: 10737418240
  continue_run:
    description:
      - This task is one more part of the last run between the same registries, so that one report tells of both. For a migration in
        several tasks.
    type: bool
    default: false
  plan_file:
    description:
      - In check mode, the plan is written to this file.
      - Otherwise this plan is carried out as it is, and O(rules) are not looked at. A tag that has moved since, on either side, fails.
      - With O(further_destinations), the plan of each further one has its name in front of the file's suffix, such as
        C(plan.new.example.com_5000.jsonl).
    type: path
notes:
  - While it runs, it is shown how far it is, in a terminal by a line that changes, elsewhere by a line every ten seconds. The variable
    C(registryops_migration_progress) chooses between V(auto), V(line), V(lines) and V(off), and
    C(registryops_migration_progress_interval) is the seconds between two lines.
  - To that end it runs in the background of the worker, unless the task is in check mode or has C(async), C(no_log) or
    O(further_destinations), and with V(off). An interrupt (Ctrl-C) stops the copy in order. A copy whose controller was lost goes on,
    and the same task run again attaches to it.
  - C(progress.jsonl) in O(state_dir) is the journal of the last run. A file C(stop) beside it stops the run that is under way.
seealso:
  - module: registryops.migration.registry_image_verify
"""

EXAMPLES = r"""
- name: Copy a whole registry
  registryops.migration.registry_image_copy:
    source:
      url: old.example.com
      username: mover
      password: "{{ old_password }}"
    destination:
      url: new.example.com:5000
      username: mover
      password: "{{ new_password }}"

- name: Copy the releases since version 2 of one team, under a new prefix
  registryops.migration.registry_image_copy:
    source:
      url: old.example.com
    destination:
      url: new.example.com:5000
    rules:
      - repositories:
          include: [team/**]
        tags:
          semver: ">=2"
        mapping:
          strip_prefix: team
          prefix: platform/apps

- name: Write a plan for review
  registryops.migration.registry_image_copy:
    source:
      url: old.example.com
    destination:
      url: new.example.com:5000
    plan_file: /var/lib/migration/plan.jsonl
  check_mode: true
  diff: true

- name: Carry out the reviewed plan
  registryops.migration.registry_image_copy:
    source:
      url: old.example.com
    destination:
      url: new.example.com:5000
    plan_file: /var/lib/migration/plan.jsonl

- name: Copy to two registries, reading the source once; slowly in working hours
  registryops.migration.registry_image_copy:
    source:
      url: old.example.com
    destination:
      url: east.example.com
      username: mover
      password: "{{ east_password }}"
    further_destinations:
      - url: west.example.com
        username: mover
        password: "{{ west_password }}"
    limits_by_time:
      - from: "08:00"
        to: "18:00"
        days: [mon, tue, wed, thu, fri]
        bytes_per_second: 5000000

- name: Move what docker images shows to a registry, in place of docker tag and docker push
  registryops.migration.registry_image_copy:
    source:
      type: docker_engine
    destination:
      url: swr.eu-de.otc.t-systems.com
      username: eu-de@ABCDEFGHIJKLMNOPQRST
      password: "{{ swr_password }}"
    rules:
      - repositories:
          include: [nginx, team/*]
        mapping:
          prefix: cloud-develop

- name: Take images to a folder that crosses an air gap
  registryops.migration.registry_image_copy:
    source:
      url: old.example.com
    destination:
      type: oci_layout
      path: /media/transfer/images
    rules:
      - repositories:
          include: [base/alpine, base/python]

- name: Leave a registry of v1 behind
  registryops.migration.registry_image_copy:
    source:
      type: v1
      url: http://attic.example.com:5000
    destination:
      url: new.example.com
      username: mover
      password: "{{ new_password }}"
    convert:
      v1: oci

- name: Take the images out of the storage of a registry of v1 that does not run any more
  registryops.migration.registry_image_copy:
    source:
      type: v1_storage
      path: /srv/docker-registry
      ssh:
        host: attic.example.com
        username: reader
        key_file: /etc/migration/attic_key
    destination:
      url: new.example.com
      username: mover
      password: "{{ new_password }}"

- name: Copy to a registry that takes neither OCI manifests nor schema 1
  registryops.migration.registry_image_copy:
    source:
      url: old.example.com
    destination:
      url: swr.eu-de.otc.t-systems.com
      swr:
        project: eu-de_team
        access_key: "{{ access_key }}"
        secret_key: "{{ secret_key }}"
    convert:
      oci: docker
      schema1: docker
"""

RETURN = r"""
counts:
  description: Tags by what became of them, the sum of all destinations. In check mode RV(counts.copied) counts what would be copied.
  returned: when the run came to an end
  type: dict
  contains:
    copied:
      description: Copied, new or overwritten.
      type: int
      sample: 118
    unchanged:
      description: The destination had them already, with the same digest.
      type: int
      sample: 2
    kept:
      description: The destination has another digest, and keeps it.
      type: int
      sample: 0
    conflict:
      description: The destination has another digest, and O(existing_tags=fail) was given.
      type: int
      sample: 0
    failed:
      description: Tags, whole repositories, or further destinations as a whole, that could not be copied.
      type: int
      sample: 0
    not_attempted:
      description: Not come to because of O(on_error=abort), or of O(source.on_quota=stop).
      type: int
      sample: 0
failures:
  description:
    - What failed, with the reason and the way out, at most 100 entries. The ledger has all of them.
    - With O(further_destinations) each names its C(destination).
  returned: when the run came to an end
  type: list
  elements: dict
  sample:
    - repository: team/app
      tag: "1.4"
      kind: blob_unknown
      subject: old.example.com/team/app@sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0
      message: the source does not have this blob, though a manifest names it.
      hint: Push the image again at the source, or leave it out.
repositories:
  description: How many repositories of the source took part - those of which a tag was selected, or that failed.
  returned: when the run came to an end
  type: int
  sample: 12
bytes_copied:
  description: Bytes of blobs that were sent to destinations; in check mode, of the missing ones, each counted once for each destination.
  returned: when the run came to an end
  type: int
  sample: 18273645
blobs:
  description:
    - What became of blobs, by C(uploaded), C(mounted) from another repository and C(present) already.
    - In check mode, unique blobs by C(missing) at the destination, there since earlier runs as far as is
      C(known), and C(present) in a repository that needs them.
  returned: when the run came to an end
  type: dict
  sample: {uploaded: 52, mounted: 8, present: 0}
requests:
  description: Requests that the run took on each side, with several destinations to all of them.
  returned: when the run came to an end
  type: dict
  sample: {source: 95, destination: 155}
pulls:
  description:
    - Where the source counts the manifests that are read, as Docker Hub does, how many there may be. What check mode asks for does not
      count.
  returned: when the source counts them and the run came to an end
  type: dict
  contains:
    limit:
      description: How many there may be in a window of time; none where this user is not limited.
      type: int
      sample: 100
    window:
      description: The length of that window in seconds.
      type: float
      sample: 21600
    remaining:
      description: How many were left when the source was asked last.
      type: int
      sample: 76
    used:
      description: How many manifests the run has read.
      type: int
      sample: 24
    needed:
      description: In check mode, where there is a limit, how many manifests the copy would have to read. What earlier runs have read does
        not count, and what several tags share counts once.
      type: int
      sample: 130
    at_least:
      description: In check mode, whether there may be more, because not all lists could be read, or because of signatures.
      type: bool
      sample: false
seconds:
  description: How long it took.
  returned: when the run came to an end
  type: float
  sample: 12.3
ledger:
  description: The path of the (first) destination's ledger on the host where the task ran; empty in check mode.
  returned: when the run came to an end
  type: str
  sample: /home/mover/.local/state/registryops.migration/old.example.com-to-new.example.com/ledger.sqlite3
destinations:
  description: What became of each destination, O(destination) first.
  returned: with O(further_destinations), when the run came to an end
  type: list
  elements: dict
  contains:
    name:
      description: The destination.
      type: str
      sample: west.example.com
    changed:
      description: Whether anything was written to it.
      type: bool
      sample: true
    counts:
      description: As RV(counts).
      type: dict
      sample: {copied: 118, unchanged: 2, kept: 0, conflict: 0, failed: 0, not_attempted: 0}
    failures:
      description: Its part of RV(failures). One without repository and tag is the reason why it could not be served at all.
      type: list
      elements: dict
      sample: []
    repositories:
      description: As RV(repositories).
      type: int
      sample: 12
    bytes_copied:
      description: As RV(bytes_copied).
      type: int
      sample: 18273645
    blobs:
      description: As RV(blobs).
      type: dict
      sample: {uploaded: 52, mounted: 8, present: 0}
    requests:
      description: Requests to this destination.
      type: int
      sample: 155
    seconds:
      description: How long it took.
      type: float
      sample: 12.3
    ledger:
      description: The path of its ledger.
      type: str
      sample: /home/mover/.local/state/registryops.migration/old.example.com-to-west.example.com/ledger.sqlite3
    plan_file:
      description: The path of its plan, where one was asked for.
      type: str
      sample: ""
read_again:
  description:
    - How many manifests and blobs were read from the source more than once, because O(spool_bytes) did not suffice or because they failed.
  returned: with O(further_destinations), when the run came to an end
  type: int
  sample: 0
plan_file:
  description: The path of the (first) plan, where one was asked for.
  returned: when the run came to an end
  type: str
  sample: /var/lib/migration/plan.jsonl
error:
  description: Why the run as a whole could not be done, in the form of an entry of RV(failures).
  returned: when it could not be done at all
  type: dict
  sample:
    kind: certificate_untrusted
    subject: new.example.com:5000
    message: "its certificate is not trusted: unable to get local issuer certificate."
    hint: Give the CA that signed it as ca_path, or put it into certs.d.
"""

import os
import tempfile

from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.warnings import get_warning_messages

from ansible_collections.registryops.migration.plugins.module_utils._copying.fan_out import check_names, fan_out
from ansible_collections.registryops.migration.plugins.module_utils._copying.journal import Journal
from ansible_collections.registryops.migration.plugins.module_utils._copying.run import Job, carry_out, make_plan
from ansible_collections.registryops.migration.plugins.module_utils._module.connections import Connections
from ansible_collections.registryops.migration.plugins.module_utils._module.folders import (
    neighbours_of,
    plan_files_of,
    plan_id_of,
    state_dirs_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._module.options import (
    FURTHER_DESTINATIONS,
    LIMITS,
    RULES,
    make_module,
    policy_of,
    rules_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._module.results import Result, copy_result, fan_out_result
from ansible_collections.registryops.migration.plugins.module_utils._stores.spool import SPOOL_BYTES


def main() -> None:
    module = make_module(
        {
            **RULES,
            "existing_tags": {"type": "str", "choices": ["overwrite", "keep", "fail"], "default": "overwrite"},
            "backup_tag": {"type": "str"},
            "on_error": {"type": "str", "choices": ["skip", "retry", "abort"], "default": "skip"},
            "retries": {"type": "int", "default": 2},
            "trust_ledger": {"type": "bool", "default": False},
            "neighbour_state_dirs": {"type": "list", "elements": "path", "default": []},
            **LIMITS,
            **FURTHER_DESTINATIONS,
            "spool_dir": {"type": "path"},
            "spool_bytes": {"type": "int", "default": SPOOL_BYTES},
            "continue_run": {"type": "bool", "default": False},
            "plan_file": {"type": "path"},
        },
        both_sides=True,
    )
    # the action plugin, if it is the one who asks, finds the journal there
    journal = Journal(plan_id_of(module.params), os.environ.get("REGISTRYOPS_MIGRATION_JOURNAL", ""))

    def end(result: Result) -> None:
        """Let whoever attaches to this run from another playbook return what this one does."""
        warnings = [str(warning) for warning in get_warning_messages()]
        journal.end(remove_values({**result, "warnings": warnings}, module.no_log_values))

    with Connections(module) as connections:
        connections.on_failure = end
        connections.limit()
        source, destination = connections.open("source"), connections.open("destination")
        further = connections.open_further()
        check_names({"destination": destination, **further})
        destinations = [destination, *further.values()]
        rules, policy = rules_of(module.params), policy_of(module.params)
        folders = state_dirs_of(module.params, source, destinations)
        jobs = [
            Job(
                source,
                to,
                rules,
                policy,
                folder,
                plan_file,
                neighbours_of(module.params, folders, folder),
                module.params["continue_run"],
            )
            for to, folder, plan_file in zip(destinations, folders, plan_files_of(module.params, destinations))
        ]
        if further:
            spool_dir = module.params["spool_dir"] or (tempfile.gettempdir() if module.check_mode else folders[0])
            done = fan_out(jobs, make_plan if module.check_mode else carry_out, spool_dir, module.params["spool_bytes"])
            outcome, result = done.outcome, fan_out_result(done, diff=module._diff)
            warnings = done.warnings
        else:
            outcome = make_plan(jobs[0]) if module.check_mode else carry_out(jobs[0], journal)
            result = copy_result(outcome, diff=module._diff)
            warnings = outcome.warnings
        for warning in warnings:
            module.warn(warning)
    if not any(outcome.counts.values()):
        module.warn("No tag was selected: the rules match nothing at the source.")
    end({**result, "failed": bool(outcome.failed)})
    if outcome.failed:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

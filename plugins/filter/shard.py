# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: shard
short_description: The repositories that are one worker's part of a migration
description:
  - Divides repositories among workers, and returns the names that belong to one of them.
  - No two workers get the same repository, and every repository belongs to a worker, as long as all of them use the same
    O(count) and O(by) and a different O(index).
author:
  - registryops.migration contributors (@registryops)
positional: index, count
options:
  _input:
    description:
      - The repositories, as dictionaries with a C(name) and, if known, a C(size) in bytes; further keys are not looked at.
      - A plain name stands for a repository of unknown size.
      - A repository that is named twice counts once, with the greater of its sizes.
    type: list
    elements: raw
    required: true
  index:
    description:
      - The number of this worker, from 0 to O(count) - 1.
    type: int
    required: true
  count:
    description:
      - The number of workers, at least 1.
    type: int
    required: true
  by:
    description:
      - V(size) makes parts of about the same size. All workers have to be given the same list.
      - V(name) decides by the name of a repository alone. Parts are disjoint even where workers see different lists, for
        example because a repository was made in between, but they may differ much in size.
    type: str
    choices:
      - size
      - name
    default: size
notes:
  - Take O(index) and O(count) from variables of the host, not from the hosts of the play. A sliced job of AWX sees only a part
    of the hosts, and would give each repository to several workers.
"""

EXAMPLES = r"""
- name: Show what this worker would copy
  ansible.builtin.debug:
    msg: "{{ repositories | registryops.migration.shard(registry_worker_index, registry_worker_count) }}"
  vars:
    registry_worker_index: 0
    registry_worker_count: 2
    repositories:
      - name: team/large
        size: 8000000000
      - name: team/medium
        size: 5000000000
      - name: team/small
        size: 2000000000
  # => worker 0 copies team/large, worker 1 copies team/medium and team/small

- name: Show a part that does not depend on sizes, nor on what the other workers see
  ansible.builtin.debug:
    msg: "{{ ['team/app', 'team/web'] | registryops.migration.shard(0, 2, by='name') }}"
"""

RETURN = r"""
_value:
  description: The names of the repositories in this part, in alphabetical order; an empty list if there are none for it.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.module_utils._copying.shards import assign
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption


def shard(repositories: t.Any, index: t.Any, count: t.Any, by: t.Any = "size") -> list[str]:
    """The names of the repositories in part `index` of `count`; AnsibleFilterError says which argument cannot be."""
    number_of_parts = _whole_number(count, "count")
    number = _whole_number(index, "index")
    if number_of_parts < 1:
        raise _wrong(f"count is {number_of_parts}; give a number of workers, at least 1.")
    if not 0 <= number < number_of_parts:
        raise _wrong(f"index is {number}; with a count of {number_of_parts} it has to be from 0 to {number_of_parts - 1}.")
    try:
        return assign(_sizes(repositories), number_of_parts, by)[number]
    except InvalidOption as error:
        raise _wrong(str(error)) from error


def _wrong(what: str) -> AnsibleFilterError:
    return AnsibleFilterError(f"registryops.migration.shard: {what}")


def _whole_number(value: t.Any, argument: str) -> int:
    # variables of INI inventories, of the command line and of templates may be strings
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(f"{argument} is {value!r}; give a whole number.")
    return value


def _sizes(repositories: t.Any) -> dict[str, int]:
    if not isinstance(repositories, (list, tuple)):
        raise _wrong(f"the input is of type {type(repositories).__name__}; give a list of repositories with name and size.")
    sizes: dict[str, int] = {}
    for position, repository in enumerate(repositories):
        name, size = (repository.get("name"), repository.get("size")) if isinstance(repository, t.Mapping) else (repository, None)
        if not isinstance(name, str) or not name:
            raise _wrong(f"item {position} of the input has no name; give each repository a name and a size.")
        size = 0 if size is None else _whole_number(size, f"the size of {name}")
        sizes[name] = max(size, sizes.get(name, size))
    return sizes


class FilterModule:
    """Filters of this file, by name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"shard": shard}

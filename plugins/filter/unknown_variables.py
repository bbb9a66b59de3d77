# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: unknown_variables
short_description: Variables that nobody reads, because their names are misspelt
version_added: 0.1.0
description:
  - Compares names of variables with those that are known, and returns those that are neither known nor meant for something else.
  - Nothing else notices a misspelt variable - C(registry_rule) instead of C(registry_rules) selects everything.
author:
  - registryops.migration contributors (@registryops)
positional: known
options:
  _input:
    description:
      - Names of variables, all that there are.
    type: list
    elements: str
    required: true
  known:
    description:
      - The names that are read.
    type: list
    elements: str
    required: true
  prefixes:
    description:
      - Whatever begins with one of these has to be known. All other names count only where they are nearly a known one.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Fail on a typing error
  ansible.builtin.assert:
    that: misspelt | length == 0
    fail_msg: "{{ misspelt | join(', ') }}"
  vars:
    misspelt: >-
      {{ query('ansible.builtin.varnames', '.')
         | registryops.migration.unknown_variables(['registry_rules', 'registry_source'], prefixes=['registry_']) }}
"""

RETURN = r"""
_value:
  description: The names, in alphabetical order, each with the known one that may be meant, such as C(registry_rule (registry_rules?\)).
  type: list
  elements: str
"""

import difflib
import typing as t

from ansible.errors import AnsibleFilterError

#: how alike a name with one of the prefixes is to the one that is offered; and one without, which may well be somebody else's
_ALIKE = 0.6
_NEARLY_THE_SAME = 0.9


def unknown_variables(names: t.Any, known: t.Any, prefixes: t.Any = ()) -> list[str]:
    """The names that nobody reads; AnsibleFilterError says which argument cannot be."""
    wanted = dict.fromkeys(_strings(known, "known"))
    beginnings = tuple(_strings(prefixes, "prefixes"))
    found = []
    for name in sorted(set(_strings(names, "the input"))):
        # what begins with an underscore is internal, and Ansible's own names are not misspelt ones of ours
        if name in wanted or name.startswith(("_", "ansible_")):
            continue
        strict = bool(beginnings) and name.startswith(beginnings)
        meant = difflib.get_close_matches(name, wanted, 1, _ALIKE if strict else _NEARLY_THE_SAME)
        if strict or meant:
            found.append(f"{name} ({meant[0]}?)" if meant else name)
    return found


def _strings(value: t.Any, argument: str) -> list[str]:
    items: list[t.Any] = list(value) if isinstance(value, t.Iterable) and not isinstance(value, str) else [None]
    if not all(isinstance(item, str) for item in items):
        raise AnsibleFilterError(f"registryops.migration.unknown_variables: {argument} has to be a list of names.")
    return items


class FilterModule:
    """Filters of this file, by name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"unknown_variables": unknown_variables}

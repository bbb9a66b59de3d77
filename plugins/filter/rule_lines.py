# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rule_lines
short_description: Rules of a migration in a line each, for people
version_added: 0.1.0
description:
  - Says what rules select and where it goes, as far as it fits into a line each.
author:
  - registryops.migration contributors (@registryops)
positional: most
options:
  _input:
    description:
      - Rules, as in the option C(rules) of M(registryops.migration.registry_image_copy).
    type: list
    elements: dict
    required: true
  most:
    description:
      - How many rules are written out; the others are counted.
    type: int
    default: 10
"""

EXAMPLES = r"""
- name: Say what is going to be copied
  ansible.builtin.debug:
    msg: "{{ rules | registryops.migration.rule_lines }}"
  vars:
    rules:
      - repositories:
          include: [team/**]
          exclude: [team/scratch]
        tags:
          semver: ">=3"
        mapping:
          prefix: platform
  # => rules[0]: repositories team/**, but not team/scratch; tags: semver >=3; mapping: prefix platform
"""

RETURN = r"""
_value:
  description: A line for each rule, and one for those that are not written out.
  type: list
  elements: str
"""

import json
import typing as t

from ansible.errors import AnsibleFilterError

#: characters
_LONGEST_LINE = 400
_LONGEST_PART = 160


def rule_lines(rules: t.Any, most: int = 10) -> list[str]:
    """A line for each rule; AnsibleFilterError if they are no list of dictionaries."""
    if not isinstance(rules, (list, tuple)) or not all(isinstance(rule, t.Mapping) for rule in rules):
        raise AnsibleFilterError("registryops.migration.rule_lines: rules have to be a list of dictionaries.")
    lines = [_cut(f"rules[{number}]: {_in_words(rule)}", _LONGEST_LINE) for number, rule in enumerate(rules[:most])]
    if len(rules) > most:
        lines.append(f"and {len(rules) - most} more")
    return lines


def _in_words(rule: t.Mapping[str, t.Any]) -> str:
    parts = []
    for what in ("repositories", "tags"):
        options = rule.get(what)
        options = dict(options) if isinstance(options, t.Mapping) else {}
        include, exclude = _listed(options.pop("include", None)), _listed(options.pop("exclude", None))
        others = [f"{key} {_text(value)}" for key, value in options.items() if value is not None]
        if include or exclude or others or what == "repositories":
            chosen = f"{what} {include}" if include else f"all {what}"
            parts.append(", ".join([chosen, *([f"but not {exclude}"] if exclude else []), *others]))
    mapping = rule.get("mapping")
    renamed = [f"{key} {_text(value)}" for key, value in mapping.items() if value is not None] if isinstance(mapping, t.Mapping) else []
    parts.append(f"mapping: {', '.join(renamed)}" if renamed else "under the same name")
    return "; ".join(parts)


def _listed(value: t.Any) -> str:
    items = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    return _cut(", ".join(str(item) for item in items), _LONGEST_PART)


def _text(value: t.Any) -> str:
    return _cut(value if isinstance(value, str) else json.dumps(value, default=str), _LONGEST_PART)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."


class FilterModule:
    """Filters of this file, by name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rule_lines": rule_lines}

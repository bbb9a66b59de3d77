# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: basic_regex
short_description: A basic regular expression of grep as a pattern of rules
version_added: 0.1.0
description:
  - Makes a pattern for O(registryops.migration.registry_image_copy#module:rules[].repositories.include) out of an expression that
    C(grep) takes without options, as C(V1_REPO_FILTER) of docker/migrator does.
  - Groups are C(\(\)) and alternatives C(\|), and C(+), C(?), C({) and C(() stand for themselves. The extensions of GNU grep are known.
  - As with C(grep), a match anywhere in the name is enough.
author:
  - registryops.migration contributors (@registryops)
positional: negate
options:
  _input:
    description:
      - The expression.
    type: str
    required: true
  negate:
    description:
      - Make a pattern of all names that do not match.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Say which repositories are copied
  ansible.builtin.debug:
    msg: "{{ '^team-[0-9]\\{2\\}/' | registryops.migration.basic_regex }}"
  # => regex:.*(?:\Ateam\-(?:[0-9]{2})/).*
"""

RETURN = r"""
_value:
  description: The pattern.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.plugin_utils._basic_regex import InvalidExpression, translate


def basic_regex(expression: t.Any, negate: bool = False) -> str:
    """The pattern; AnsibleFilterError where grep would refuse the expression."""
    if not isinstance(expression, str):
        raise AnsibleFilterError(f"registryops.migration.basic_regex: the input is of type {type(expression).__name__}; give a text.")
    try:
        translated = translate(expression)
    except InvalidExpression as error:
        raise AnsibleFilterError(f"registryops.migration.basic_regex: {expression!r} is no basic regular expression: {error}.") from error
    return f"regex:(?!.*(?:{translated})).*" if negate else f"regex:.*(?:{translated}).*"


class FilterModule:
    """Filters of this file, by name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"basic_regex": basic_regex}

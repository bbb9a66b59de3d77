# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: size
short_description: A number of bytes as people read it
version_added: 0.1.0
description:
  - Writes bytes in binary units with their right names, in the notation of all texts and reports of this collection.
author:
  - registryops.migration contributors (@registryops)
options:
  _input:
    description:
      - A number of bytes.
    type: float
    required: true
"""

EXAMPLES = r"""
- name: Say how much was moved
  ansible.builtin.debug:
    msg: "{{ 1536 | registryops.migration.size }}"
  # => 1.5 KiB
"""

RETURN = r"""
_value:
  description: The size with its unit.
  type: str
  sample: 1.5 KiB
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.module_utils._copying.sizes import size_of


def size(number: t.Any) -> str:
    """The size with its unit; AnsibleFilterError if it is no number of bytes."""
    try:
        bytes_ = float(number)
    except (TypeError, ValueError):
        bytes_ = -1.0
    if not 0 <= bytes_ < float("inf"):
        raise AnsibleFilterError(f"registryops.migration.size: {number!r} is no number of bytes.")
    return size_of(bytes_)


class FilterModule:
    """Filters of this file, by name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"size": size}

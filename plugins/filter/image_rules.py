# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: image_rules
short_description: The rules for images that go with a selection of people
version_added: 0.1.0
description:
  - Makes rules as O(registryops.migration.registry_image_copy#module:rules) of a selection as in
    M(registryops.migration.identity_import), so that one selection is about people and about images.
  - Accounts that are renamed take their repositories along.
author:
  - registryops.migration contributors (@registryops)
positional: rename
options:
  _input:
    description:
      - C(organizations), C(repositories) and C(users), each with lists C(include) and C(exclude) of patterns; and C(tags) as in a rule.
    type: dict
    required: true
  rename:
    description: The names of accounts at the destination, by their names at the source, where these differ.
    type: dict
    default: {}
  leave_out:
    description: Repositories that are not copied, by their names at the source.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: What is copied of two organizations
  ansible.builtin.debug:
    msg: "{{ selection | registryops.migration.image_rules({'blue': 'azure'}) }}"
  vars:
    selection:
      organizations:
        include: [blue, green]
      tags:
        since: 1y
"""

RETURN = r"""
_value:
  description: One rule.
  type: list
  elements: dict
  sample:
    - repositories:
        include: [blue/*, green/*]
      tags:
        since: 1y
      mapping:
        regex:
          - pattern: blue/(.*)
            replacement: azure/\1
"""

import re
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import Patterns
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption

_KINDS = ("organizations", "repositories", "users")
_BELOW = "/*"


def image_rules(selection: t.Any, rename: t.Any = None, leave_out: t.Any = None) -> list[dict[str, t.Any]]:
    """The rules; AnsibleFilterError says what of the selection cannot be."""
    if not isinstance(selection, t.Mapping) or not isinstance(rename or {}, t.Mapping):
        raise _wrong("give a dictionary, and one with names for rename.")
    if not isinstance(leave_out or [], (list, tuple)):
        raise _wrong("give a list of repositories for leave_out.")
    unknown = sorted(str(key) for key in selection if key not in (*_KINDS, "tags"))
    if unknown:
        raise _wrong(f"{', '.join(unknown)} is none of {', '.join((*_KINDS, 'tags'))}.")
    given = {kind: {way: _patterns(selection, kind, way) for way in ("include", "exclude")} for kind in _KINDS}
    namespaces = given["organizations"]["include"] + given["users"]["include"]
    include, exclude = given["repositories"]["include"], list(given["repositories"]["exclude"])
    for pattern in given["organizations"]["exclude"] + given["users"]["exclude"]:
        exclude.append(_below(pattern))
    if include and namespaces:
        # what is chosen in two ways has to be chosen in both
        exclude.append(f"regex:(?!(?:{'|'.join(_expression(pattern) for pattern in namespaces)})/).*")
    elif namespaces:
        include = [_below(pattern) for pattern in namespaces]
    exclude += [str(name) for name in leave_out or []]
    rule: dict[str, t.Any] = {}
    if include or exclude:
        rule["repositories"] = {name: patterns for name, patterns in (("include", include), ("exclude", exclude)) if patterns}
    if selection.get("tags"):
        rule["tags"] = selection["tags"]
    if rename:
        rule["mapping"] = {
            "regex": [{"pattern": f"{re.escape(before)}/(.*)", "replacement": f"{after}/\\1"} for before, after in _in_order(dict(rename))]
        }
    return [rule]


def _wrong(what: str) -> AnsibleFilterError:
    return AnsibleFilterError(f"registryops.migration.image_rules: {what}")


def _patterns(selection: t.Mapping[str, t.Any], kind: str, way: str) -> list[str]:
    names = selection.get(kind) or {}
    if not isinstance(names, t.Mapping) or set(names) - {"include", "exclude"}:
        raise _wrong(f"{kind} has to be a dictionary with include and exclude.")
    patterns = names.get(way) or []
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(pattern, str) for pattern in patterns):
        raise _wrong(f"{kind}.{way} has to be a list of patterns.")
    try:
        Patterns.parse(patterns, f"{kind}.{way}", lambda name: None)
    except InvalidOption as error:
        raise _wrong(str(error)) from error
    return list(patterns)


def _expression(pattern: str) -> str:
    """A pattern as a regular expression."""
    parsed = Patterns.parse([pattern], "", lambda name: None)
    return f"(?:{parsed.expressions[0].pattern})" if parsed.expressions else re.escape(pattern)


def _below(pattern: str) -> str:
    """A pattern for names as one for all repositories of these."""
    return f"regex:{_expression(pattern)}/.*" if pattern.startswith("regex:") else f"{pattern}{_BELOW}"


def _in_order(rename: dict[str, str]) -> list[tuple[str, str]]:
    """Each name before those that become it: rules follow one another, and none must rename what another one has renamed."""
    done: list[tuple[str, str]] = []
    while rename:
        free = [(before, after) for before, after in rename.items() if after not in rename or after == before]
        if not free:
            raise _wrong(f"{', '.join(sorted(rename))} change their names among themselves, which images cannot; set registry_rules.")
        for before, after in free:
            del rename[before]
            done.append((before, after))
    return [(before, after) for before, after in done if before != after]


class FilterModule:
    """Filters of this file, by name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"image_rules": image_rules}

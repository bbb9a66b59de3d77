# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: batches
short_description: Rules of a migration in batches of so many tags
version_added: 0.1.0
description:
  - Divides what rules select into batches, each of which is a list of rules that name their repositories and tags one by one.
  - A migration in batches comes to a point at which everything so far is whole, again and again; and whoever is asked what to do about a
    failure is asked there.
author:
  - registryops.migration contributors (@registryops)
positional: rules, size
options:
  _input:
    description:
      - The repositories of the source, as RV(registryops.migration.registry_repo_info#module:repositories) with their tags.
    type: list
    elements: dict
    required: true
  rules:
    description:
      - The rules, as in O(registryops.migration.registry_image_copy#module:rules). Dates are not known here, so C(since) and
        C(newest_by=date) cannot be used.
    type: list
    elements: dict
    required: true
  size:
    description:
      - How many tags there are in a batch.
    type: int
    required: true
  unreadable:
    description:
      - Repositories whose tags could not be listed. They are in the first batch, so that a copy tries again, or tells why.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show the batches
  ansible.builtin.debug:
    msg: "{{ found.repositories | registryops.migration.batches([{}], 2) }}"
  vars:
    found:
      repositories:
        - name: team/app
          tags: [{name: "1"}, {name: "2"}, {name: "3"}]
  # => two batches: tags 1 and 2 of team/app, then its tag 3
"""

RETURN = r"""
_value:
  description: The batches, each a list of rules. There is one at least; without a tag that is selected it has the rules themselves.
  type: list
  elements: list
"""

import datetime
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import (
    RepositorySelection,
    TagSelection,
    select_tags,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption

Rules = list[dict[str, t.Any]]


def batches(repositories: t.Any, rules: t.Any, size: t.Any, unreadable: t.Sequence[str] = ()) -> list[Rules]:
    """The batches; AnsibleFilterError says which argument cannot be."""
    number = int(size) if isinstance(size, str) and size.strip().isdecimal() else size
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise _wrong(f"size is {size!r}; give a whole number, at least 1.")
    try:
        return _Batches(number).of(repositories, list(rules), unreadable)
    except InvalidOption as error:
        raise _wrong(str(error)) from error
    except (TypeError, KeyError, AttributeError) as error:
        raise _wrong("give the repositories of registry_repo_info with their tags, and a list of rules.") from error


def _wrong(what: str) -> AnsibleFilterError:
    return AnsibleFilterError(f"registryops.migration.batches: {what}")


class _Batches:
    def __init__(self, size: int) -> None:
        self._size = size
        self._full: list[Rules] = []
        self._rules: Rules = []
        self._room = size

    def of(self, repositories: t.Sequence[t.Mapping[str, t.Any]], rules: Rules, unreadable: t.Sequence[str]) -> list[Rules]:
        now = datetime.datetime.now(datetime.timezone.utc)
        for number, rule in enumerate(rules):
            selection = RepositorySelection.from_options(rule.get("repositories"), f"rules[{number}].repositories")
            tags = TagSelection.from_options(rule.get("tags"), f"rules[{number}].tags")
            names = [name for name in unreadable if selection.match(name)]
            if names:
                self._rules.append({**rule, "repositories": {"include": names}})
            for repository in repositories:
                if selection.match(repository["name"]):
                    listed = [tag["name"] for tag in repository["tags"]]
                    self._take(rule, repository["name"], select_tags(listed, tags, None, now))
        if self._rules:
            self._full.append(self._rules)
        return self._full or [rules]

    def _take(self, rule: t.Mapping[str, t.Any], repository: str, tags: list[str]) -> None:
        while tags:
            part, tags = tags[: self._room], tags[self._room :]
            self._rules.append({**rule, "repositories": {"include": [repository]}, "tags": {"include": part}})
            self._room -= len(part)
            if not self._room:
                self._full.append(self._rules)
                self._rules, self._room = [], self._size


class FilterModule:
    """Filters of this file, by name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"batches": batches}

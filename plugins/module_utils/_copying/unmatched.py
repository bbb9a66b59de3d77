# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Rules and patterns that match nothing: most often a typing error, and nothing else would tell, as long as other rules match."""

from __future__ import annotations

import dataclasses
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Rule

#: warnings that are given; the others are counted
MOST_WARNINGS = 20


@dataclasses.dataclass
class _Seen:
    """What has been seen of one rule."""

    rule: Rule
    repositories: int = 0
    tags: int = 0
    #: patterns of repositories, by option, and of tags, that have matched nothing so far
    in_vain: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    tags_in_vain: list[str] = dataclasses.field(default_factory=list)


class Unmatched:
    """Watches what rules select, while repositories and tags are listed; threads share it."""

    def __init__(self, rules: t.Sequence[Rule]) -> None:
        self._lock = threading.Lock()
        self._seen = [_Seen(rule, tags_in_vain=_wildcards(rule)) for rule in rules]

    def repositories(self, number: int, selected: int, catalogue: t.Sequence[str] | None) -> None:
        """How many repositories the rule with this number has selected, and from which list; None: none was needed."""
        seen = self._seen[number]
        seen.repositories = selected
        if catalogue is not None:
            chosen = seen.rule.repositories
            # a plain name that is included and does not exist fails by itself
            include = [item for item in chosen.include.unmatched(catalogue) if item not in chosen.include.names]
            seen.in_vain = {"include": include, "exclude": chosen.exclude.unmatched(catalogue)}

    def tags(self, rule: Rule, tags: t.Sequence[str], selected: int) -> None:
        """How many tags of a repository, which has these, a rule has selected."""
        with self._lock:
            for seen in self._seen:
                if seen.rule is rule:
                    seen.tags += selected
                    if seen.tags_in_vain:
                        still = set(rule.tags.include.unmatched(tags))
                        seen.tags_in_vain = [item for item in seen.tags_in_vain if item in still]

    def warnings(self, tags: bool) -> list[str]:
        """A sentence for whatever has matched nothing. `tags`: all repositories of the rules have been looked into."""
        found = []
        for number, seen in enumerate(self._seen):
            if not seen.repositories:
                found.append(f"rules[{number}] selects no repository{_patterns(seen.rule.repositories.include.text)}.")
                continue
            for key, items in seen.in_vain.items():
                found += [f"rules[{number}].repositories.{key}: {item} matches no repository." for item in items]
            if tags and not seen.tags:
                found.append(f"rules[{number}] selects no tag{_patterns(seen.rule.tags.include.text)}.")
            elif tags:
                found += [f"rules[{number}].tags.include: {item} matches no tag." for item in seen.tags_in_vain]
        more = len(found) - MOST_WARNINGS
        return found if more <= 0 else [*found[:MOST_WARNINGS], f"{more} more patterns match nothing."]


def _wildcards(rule: Rule) -> list[str]:
    include = rule.tags.include
    return [item for item in include.text if item not in include.names]


def _patterns(text: t.Sequence[str]) -> str:
    return f": nothing matches {', '.join(text[:5])}{' ...' if len(text) > 5 else ''}" if text else ""

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What has to exist at a destination before a push, such as Harbor's projects: with which settings, and all of it side by side.

What it is called and how it is made is the provider's matter.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.options import check_keys
from ansible_collections.registryops.migration.plugins.module_utils._copying.scheduler import Scheduler, threads
from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import Patterns
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    ENDS_A_RUN,
    InvalidName,
    InvalidOption,
    InvalidReference,
    MigrationError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_repository
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile, check_name
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store

#: what needs attention comes first
_ORDER = {"drift": 0, "changed": 1, "created": 2, "existing": 3}


@dataclasses.dataclass(frozen=True)
class Override:
    """Settings of what has a name that one of the patterns matches."""

    match: Patterns
    settings: t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings that are wanted: those of all, and those of some, of which the last one counts."""

    common: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    overrides: tuple[Override, ...] = ()

    @classmethod
    def from_options(cls, settings: t.Any, overrides: t.Sequence[t.Mapping[str, t.Any]], provider: Provider) -> Settings:
        """Build from the module's options; InvalidOption names the option with a setting that the provider does not know."""
        common = _known(settings, "settings", provider)
        found = []
        for number, override in enumerate(overrides):
            option = f"overrides[{number}]"
            match = override.get("match")
            patterns = [match] if isinstance(match, str) else match
            if not isinstance(patterns, list) or not patterns or not all(isinstance(pattern, str) for pattern in patterns):
                raise InvalidOption("has to be a pattern, or a list of patterns.", subject=f"{option}.match", hint="Such as team/**.")
            # what is created has names of its own, which need not be those of repositories
            compiled = Patterns.parse(patterns, f"{option}.match", lambda name: None)
            found.append(Override(compiled, _known(override.get("settings"), f"{option}.settings", provider)))
        return cls(common, tuple(found))

    def of(self, name: str) -> dict[str, t.Any]:
        """The settings for one name. A null takes a setting back: it stays as it is, or as the product has it."""
        wanted = dict(self.common)
        for override in self.overrides:
            if override.match.match(name):
                wanted.update(override.settings)
        return {setting: value for setting, value in wanted.items() if value is not None}

    def unmatched(self, names: t.Sequence[str]) -> list[str]:
        """A sentence for each override that is for none of these names: most often a typing error."""
        idle = [number for number, override in enumerate(self.overrides) if not any(map(override.match.match, names))]
        return [f"overrides[{number}].match: {', '.join(self.overrides[number].match.text)} matches nothing." for number in idle]


def _known(settings: t.Any, option: str, provider: Provider) -> t.Mapping[str, t.Any]:
    try:
        return check_keys(settings, option, tuple(provider.settings))
    except InvalidOption as error:
        error.hint = f"Those of {provider.profile.title} are {', '.join(provider.settings) or 'none'}."
        raise


@dataclasses.dataclass
class Creations:
    """What became of everything that has to exist, or would; `failures` by name."""

    rows: list[Creation] = dataclasses.field(default_factory=list)
    failures: dict[str, MigrationError] = dataclasses.field(default_factory=dict)

    @property
    def counts(self) -> collections.Counter[str]:
        """How many there are of each state, and how many failed."""
        return collections.Counter([*(row.state for row in self.rows), *("failed" for _name in self.failures)])

    @property
    def changed(self) -> bool:
        """Whether anything was created or changed, or would be."""
        return any(row.state in ("created", "changed") for row in self.rows)


def creating_provider(store: Store) -> Provider | None:
    """The provider of a store where something has to exist before a push; None where a push makes everything.

    Where the product is known by its options or its host, it takes no request to say None; else the one that recognises it.
    """
    if store.is_recognised and not _creates(store.provider):
        return None
    store.check(writing=False, new=True)
    return store.provider if _creates(store.provider) else None


def check_names(names: t.Sequence[str], profile: Profile) -> list[str]:
    """The option `repositories`, each name once. InvalidReference or InvalidName for one that cannot be at the destination."""
    for name in names:
        try:
            check_name(profile, check_repository(name))
        except (InvalidReference, InvalidName) as error:
            error.subject = f"repositories: {error.subject}"
            raise
    return list(dict.fromkeys(names))


def _creates(provider: Provider | None) -> bool:
    return provider is not None and bool(provider.container)


def _made_by_others(provider: Provider, name: str, wanted: t.Mapping[str, t.Any]) -> Creation | None:
    """What could not be created, and is there all the same: another worker was faster. None where it is not, or is not as wanted."""
    try:
        found = provider.ensure(name, wanted, False)
    except MigrationError:
        return None
    return found if found.state == "existing" else None


def _stages(names: t.Sequence[str]) -> list[list[str]]:
    """The names, those before that others lie in: an organization before its repositories."""
    known = set(names)

    def depth(name: str) -> int:
        components = name.split("/")
        return sum("/".join(components[:count]) in known for count in range(1, len(components)))

    stages: dict[int, list[str]] = {}
    for name in names:
        stages.setdefault(depth(name), []).append(name)
    return [stages[number] for number in sorted(stages)]


def create(store: Store, provider: Provider, names: t.Sequence[str], settings: Settings, apply: bool, workers: int = 0) -> Creations:
    """Have everything of these names exist, with its settings; what others lie in comes before these.

    `apply`: False only looks. `workers`: threads, 0 as suits the store.

    What fails for one is in `failures`; a user who is not let in, or a setting with a value that cannot be, ends it all.
    """
    done = Creations()
    lock = threading.Lock()

    def ensure(name: str) -> None:
        wanted = settings.of(name)
        try:
            creation = provider.ensure(name, wanted, apply)
        except ENDS_A_RUN:
            raise
        except InvalidOption as error:
            if error.subject in provider.settings:
                error.subject = f"settings of {name}, {error.subject}"
            raise
        except MigrationError as error:
            made = _made_by_others(provider, name, wanted) if apply else None
            with lock:
                if made is None:
                    done.failures[name] = error
                else:
                    done.rows.append(made)
        else:
            with lock:
                done.rows.append(creation)

    scheduler = Scheduler(threads(workers, store))
    try:
        for stage in _stages(names):
            for name in stage:
                scheduler.submit((0, 0), functools.partial(ensure, name))
            scheduler.wait()
    finally:
        scheduler.close()
    done.rows.sort(key=lambda row: (_ORDER[row.state], row.name))
    done.failures = {name: done.failures[name] for name in sorted(done.failures)}
    return done

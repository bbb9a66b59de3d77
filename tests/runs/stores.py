# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A store and its provider in this process, made out of the same options as in a module, for tests of what a provider does."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._module.connections import Connections
from ansible_collections.registryops.migration.plugins.module_utils._module.options import ENDPOINT, Options
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider
from ansible_collections.registryops.migration.plugins.module_utils._stores.registry import RegistryStore


class _Edge:
    """What Connections needs of a module."""

    def __init__(self, options: Options) -> None:
        defaults = {name: spec.get("default") for name, spec in ENDPOINT.items()}
        self.params = {"source": {**defaults, "search_auth_files": False, **options}, "destination": None}
        self.no_log_values: set[str] = set()
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        """Keep a warning."""
        self.warnings.append(text)

    def fail_json(self, **result: t.Any) -> t.NoReturn:
        """A module would end here."""
        raise AssertionError(result)


class Opened:
    """A store, and what a module would have said and hidden so far."""

    def __init__(self, store: RegistryStore, edge: _Edge) -> None:
        self.store = store
        self._edge = edge

    @property
    def provider(self) -> Provider:
        """What the product can do."""
        return self.store.provider

    @property
    def secrets(self) -> set[str]:
        """What must not be in any output."""
        return self._edge.no_log_values

    @property
    def warnings(self) -> list[str]:
        """What a module would warn of."""
        return [*self._edge.warnings, *self.store.warnings]


@contextlib.contextmanager
def opened(options: Options, *, writing: bool = False, greeted: bool = True) -> t.Iterator[Opened]:
    """A registry by its options; `greeted`: it has been asked which product it is, and whether this user may come in."""
    edge = _Edge(options)
    connections = Connections(t.cast("t.Any", edge))
    with contextlib.ExitStack() as stack:
        stack.callback(connections.__exit__, None, None, None)
        store = connections.open("source")
        assert isinstance(store, RegistryStore)
        if greeted:
            store.check(writing)
        yield Opened(store, edge)


@contextlib.contextmanager
def provided(options: Options) -> t.Iterator[Provider]:
    """What a product can do, by the options of a connection; the registry is asked for the product where no option names it."""
    with opened(options, greeted=not options.get("provider")) as it:
        yield it.provider


def refusal(act: t.Callable[[], t.Any]) -> MigrationError:
    """The error with which something fails."""
    try:
        act()
    except MigrationError as error:
        return error
    raise AssertionError("it did not fail")

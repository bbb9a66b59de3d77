# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A person at a controller who moves an MSR with its people, and what is in both of them."""

from __future__ import annotations

import typing as t
from pathlib import Path

from estate.msr.double import ADMINISTRATOR, ADMINISTRATORS_PASSWORD, Installation
from estate.msr.rows import INDEXES, Place
from estate.ports import LOOPBACK

from runs.control import Control
from runs.modules import Options

#: all tables of all databases
PLACES: tuple[Place, ...] = tuple(INDEXES)


def connection(installation: Installation, *, database: bool = True, **more: t.Any) -> Options:
    """The options of a connection to an MSR as its administrator; with `database` its databases are reached by the driver."""
    options: Options = {
        "url": installation.msr.host,
        "username": ADMINISTRATOR,
        "password": ADMINISTRATORS_PASSWORD,
        "ca_path": str(installation.msr.access.ca_file),
        "certs_dirs": [],
        "attempts": 3,
        **more,
    }
    if installation.mke is not None:
        options["accounts_url"] = installation.mke.url
    if database:
        options["database"] = driver(installation.store.port)
        if installation.accounts is not installation.store:
            options["accounts_database"] = driver(installation.accounts.port)
    return options


def driver(port: int) -> Options:
    """The options of a database that is reached by its driver."""
    return {"driver": {"host": LOOPBACK, "port": port, "tls": False}}


def rows_of(installation: Installation, *places: Place) -> dict[Place, list[str]]:
    """What tables hold, by default all of them, in a form that can be compared."""
    with installation.tables.moment():
        return {place: sorted(map(str, installation.tables.all(place))) for place in places or PLACES}


class MSRControl(Control):
    """A person at the controller who moves people and images from one MSR to another. `secrets`: what must be in no output."""

    def __init__(self, folder: Path, source: Options, destination: Options, secrets: t.Iterable[str] = (), **variables: t.Any) -> None:
        super().__init__(folder, source, destination, {}, **variables)
        for name in ("registry_source", "registry_destination"):
            del self.variables[name]
        self.variables.update(msr_source=source, msr_destination=destination)
        self.write("group_vars/all/registries.yml", self.variables)
        self._passwords += list(secrets)

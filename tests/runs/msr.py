# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Doubles of MSR, as the options of modules and as the objects that these make of them."""

from __future__ import annotations

import contextlib
import json
import typing as t

from estate.msr.double import ADMINISTRATOR, ADMINISTRATORS_PASSWORD, Installation
from estate.msr.rows import INDEXES, Place
from estate.ports import LOOPBACK

from ansible_collections.registryops.migration.plugins.module_utils._module.msr import MSR, people_of
from ansible_collections.registryops.migration.plugins.module_utils._msr.people import MSRPeople
from runs.control import Control, Played
from runs.modules import COLLECTIONS, Options, run_module

if t.TYPE_CHECKING:
    from pathlib import Path

    from estate.msr.seeding import People


def driver(port: int) -> Options:
    """The option `database` for a store, reached with the driver."""
    return {"driver": {"host": LOOPBACK, "port": port, "tls": False}}


def reach(installation: Installation, database: bool = True, **more: t.Any) -> Options:
    """The options of an MSR for its administrator; `database`: with what leads to its databases, over the driver."""
    options: Options = {
        "url": installation.msr.url,
        "username": ADMINISTRATOR,
        "password": ADMINISTRATORS_PASSWORD,
        "ca_path": str(installation.msr.authority.certificate),
        "certs_dirs": [],
    }
    if database:
        options["database"] = driver(installation.store.port)
        if installation.accounts is not installation.store:
            options["accounts_database"] = driver(installation.accounts.port)
    return {name: value for name, value in {**options, **more}.items() if value is not None}


def completed(given: Options, spec: t.Mapping[str, t.Any] = MSR) -> Options:
    """Options with the defaults of those that are not given, as a module gets them."""
    whole = {name: given.get(name, of.get("default")) for name, of in spec.items()}
    for name, of in spec.items():
        if isinstance(whole[name], dict) and "options" in of:
            whole[name] = completed(whole[name], of["options"])
    return whole


@contextlib.contextmanager
def people(installation: Installation, database: bool = True, **more: t.Any) -> t.Iterator[MSRPeople]:
    """The people of an MSR in this process; `more`: options."""
    found = people_of(completed(reach(installation, database, **more)))
    try:
        yield found
    finally:
        found.close()


def rows_of(installation: Installation, *places: Place) -> dict[Place, list[str]]:
    """What tables hold, by default all of them, in a form that can be compared."""
    with installation.tables.moment():
        return {place: sorted(map(str, installation.tables.all(place))) for place in places or INDEXES}


def logins_of(held: People) -> list[Options]:
    """Every password, and a token of everybody, as the option `logins` has them."""
    tokens = {user: token for token, user in held.tokens.items()}
    return [{"username": user, "secret": secret} for user, secret in [*held.passwords.items(), *tokens.items()]]


def prove(source: Installation, destination: Installation, logins: list[Options], **more: t.Any) -> None:
    """All items and all rights are equal by identity_verify, which asks both products for every pair as well, and has everybody log in.

    `more`: further options of the module.
    """
    options = {"source": reach(source), "destination": reach(destination), "sample": -1, "logins": logins, **more}
    verified = run_module("identity_verify", options).result
    assert not verified.get("failed"), verified["msg"]
    assert verified["access"]["compared"]
    assert verified["sample"]["asked"]
    assert verified["logins"] == {"tried": len(logins), "differences": []}
    assert not destination.problems()


class MSRControl(Control):
    """A person at the controller who moves people and images from one MSR to another. `secrets`: what must be in no output."""

    def __init__(
        self,
        folder: Path,
        source: Options,
        destination: Options,
        secrets: t.Iterable[str] = (),
        hosts: t.Mapping[str, t.Any] | None = None,
        **variables: t.Any,
    ) -> None:
        super().__init__(folder, source, destination, hosts or {}, **variables)
        for name in ("registry_source", "registry_destination"):
            del self.variables[name]
        self.variables.update(msr_source=source, msr_destination=destination)
        self.write("group_vars/all/registries.yml", self.variables)
        self._passwords += list(secrets)

    def cutover_summaries(self, known: t.Iterable[t.Mapping[str, t.Any]]) -> Played:
        """What the cut-over would say at its end where its tasks have left these variables, one after the other."""
        playbooks = COLLECTIONS / "ansible_collections" / "registryops" / "migration" / "playbooks"
        tasks = [{"ansible.builtin.debug": {"msg": "{{ __msr_cutover_summary }}"}, "vars": dict(one)} for one in known]
        play = {
            "hosts": "all",
            "gather_facts": False,
            "vars_files": [str(playbooks / "vars" / name) for name in ("migration.yml", "msr.yml")],
            "tasks": tasks,
        }
        path = self.folder / "summaries.yml"
        path.write_text(json.dumps([play]), encoding="utf-8")
        played = self.command("ansible-playbook", str(path), "-i", "inventory")
        assert played.status == 0, played.output
        return played

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways to run the modules about people against doubles of MSR."""

from __future__ import annotations

import json
import typing as t

from estate.msr.double import ADMINISTRATORS_PASSWORD, Installation
from estate.msr.rows import INDEXES
from estate.msr.seeding import People

from runs.modules import Options, run_module
from runs.msr import reach

#: nothing of these may be in anything that a module says
SECRETS = (ADMINISTRATORS_PASSWORD, "$2a$", "$2b$", "pbkdf2_sha256$", "'s password", "key=secret")


def endpoint(installation: Installation, databases: bool = True, **more: t.Any) -> Options:
    """The option `source` or `destination`: with the accounts at its MKE where it has one."""
    options: Options = {"attempts": 2}
    if installation.mke is not None:
        options["accounts_url"] = installation.mke.url
    return reach(installation, databases, **{**options, **more})


def sides(old: Installation, new: Installation, **more: t.Any) -> Options:
    """Both connections."""
    return {"source": endpoint(old), "destination": endpoint(new), **more}


def run(module: str, options: Options, check: bool = False) -> Options:
    """The result of a module, in which no secret may be."""
    done = run_module(module, options, check=check, diff=True)
    without_arguments = {name: value for name, value in done.result.items() if name != "invocation"}
    for secret in SECRETS:
        assert secret not in json.dumps(without_arguments)
        assert secret not in str(done.result.get("diff"))
    return done.result


def rows(installation: Installation) -> t.Any:
    """All of the databases, for comparisons."""
    with installation.tables.moment():
        return {place: sorted(str(sorted(row.items())) for row in installation.tables.all(place)) for place in INDEXES}


def logins(people: People) -> list[Options]:
    """Every password, and a token of everybody who has one."""
    tokens = {user: token for token, user in people.tokens.items()}
    return [{"username": user, "secret": secret} for user, secret in [*people.passwords.items(), *tokens.items()]]

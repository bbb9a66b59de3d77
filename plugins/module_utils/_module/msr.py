# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""How to reach an MSR with its people: one set of options, for modules that have them at the top and for those that have them twice."""

from __future__ import annotations

import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._module.database import DATABASE, database_of
from ansible_collections.registryops.migration.plugins.module_utils._module.options import (
    ENDPOINT,
    Options,
    http_options,
    passwords_in,
    split_url,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, InvalidReference
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import canonical_registry

if t.TYPE_CHECKING:
    from ansible_collections.registryops.migration.plugins.module_utils._msr.people import MSRPeople

#: those of a registry's connection that mean the same here
_SHARED = (
    *("plain_http", "validate_certs", "ca_path", "client_cert", "client_key", "certs_dirs", "proxy", "no_proxy", "connect_to"),
    *("connect_timeout", "read_timeout", "attempts", "concurrency", "requests_per_second"),
)

#: an MSR, with the service that knows its accounts; flat, for a module's own options or for those of `source` and `destination`
MSR: Options = {
    "url": {"type": "str", "required": True},
    "username": {"type": "str", "required": True},
    # an access token does as well
    "password": {"type": "str", "required": True, "no_log": True},
    "login": {"type": "str", "choices": ["basic", "session"], "default": "basic"},
    "accounts_url": {"type": "str"},
    "database": DATABASE,
    "accounts_database": DATABASE,
    **{name: ENDPOINT[name] for name in _SHARED},
}

#: groups of options of which one at the most may be given
MSR_EXCLUSIVE = [("connect_to", "proxy")]


def people_of(
    options: Options,
    prefix: str = "",
    *,
    on_secret: t.Callable[[str], None] = lambda secret: None,
    warn: t.Callable[[str], None] = lambda text: None,
) -> MSRPeople:
    """The people of an MSR, by the options MSR; the caller closes them. Nothing is asked yet.

    `prefix` is what messages put before the names of options (`source.`). `on_secret` is told of everything that must not be seen in any
    output (`module.no_log_values.add`), `warn` of what the user ought to know. Raises InvalidOption, and LibraryMissing for a way to the
    database whose library is not there.
    """
    from ansible_collections.registryops.migration.plugins.module_utils._msr.api import MSRAPI, Login
    from ansible_collections.registryops.migration.plugins.module_utils._msr.people import THREADS, MSRPeople

    for option in ("url", "accounts_url", "proxy"):
        for password in passwords_in(options[option] or ""):
            on_secret(password)
    try:
        host, plain_http = split_url(options["url"], options["plain_http"])
        # nothing is sent in pieces here
        http = http_options({**options, "chunk_size": 0}, prefix.rstrip("."))
    except (InvalidOption, InvalidReference) as error:
        error.subject = f"{prefix}{error.subject or 'url'}"
        raise
    scheme = "http" if plain_http else "https"
    accounts = _accounts(options, prefix)
    if not options["validate_certs"]:
        warn(f"The certificate of {host} is not checked: whoever is on the way can read and change everything.")
    on_secret(options["password"])
    login = Login(options["username"], options["password"], options["login"] == "session")
    api = MSRAPI(f"{scheme}://{canonical_registry(host)}", login, http, accounts, on_secret)
    found = {name: options[name] and database_of(options[name], f"{prefix}{name}.") for name in ("database", "accounts_database")}
    return MSRPeople(api, found["database"], found["accounts_database"], threads=options["concurrency"] or THREADS)


def _accounts(options: Options, prefix: str) -> str:
    """The address of the accounts, in plain http where the MSR is, unless it says otherwise; empty where it is not given."""
    url = options["accounts_url"] or ""
    if not url:
        return ""
    try:
        host, plain_http = split_url(url, options["plain_http"] and not url.strip().startswith("https://"))
    except InvalidOption as error:
        error.subject = f"{prefix}accounts_url"
        raise
    return f"{'http' if plain_http else 'https'}://{host}"

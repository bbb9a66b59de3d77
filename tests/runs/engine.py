# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine in this process: a copy, a plan or a verification between registries of the estate, or folders."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
from pathlib import Path

from estate.client import Access
from estate.compare import Reachable

from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Policy, Rule
from ansible_collections.registryops.migration.plugins.module_utils._copying.run import Job, Outcome, carry_out, make_plan
from ansible_collections.registryops.migration.plugins.module_utils._copying.verification import Mode, Verified, verify
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import RegistryClient
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import HTTPOptions
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import parse_platform
from ansible_collections.registryops.migration.plugins.module_utils._oci.tls import TLSOptions
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import PROFILES
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store
from ansible_collections.registryops.migration.plugins.module_utils._stores.oci_layout import OCILayoutStore
from ansible_collections.registryops.migration.plugins.module_utils._stores.registry import RegistryStore

Where = Reachable | Path
RuleOptions = t.Mapping[str, t.Any]


def open_store(where: Where, provider: str = "generic", **http: t.Any) -> Store:
    """A store for a registry of the estate, or for a folder. `http`: fields of HTTPOptions; requests are sent twice at the most."""
    if isinstance(where, Path):
        return OCILayoutStore(str(where), PROFILES[provider])
    access = where if isinstance(where, Access) else where.access
    scheme, _unused, host = access.url.partition("://")
    credential = Credential(username=access.user, password=access.password) if access.user else None
    pair = access.client_certificate
    tls = TLSOptions(
        ca_path=str(access.ca_file or ""),
        client_cert=str(pair.certificate) if pair else "",
        client_key=str(pair.key) if pair else "",
        certs_dirs=(),
    )
    client = RegistryClient(
        host,
        plain_http=scheme == "http",
        options=HTTPOptions(**{"tls": tls, "attempts": 2, **http}),
        credential_for=lambda repository: credential,
    )
    return RegistryStore(client, PROFILES[provider])


def states(outcome: Outcome) -> dict[str, int]:
    """How many tags came to each state, without those states that none came to."""
    return {state: count for state, count in outcome.counts.items() if count}


@dataclasses.dataclass(frozen=True)
class Run:
    """Two places, and where the ledger of runs between them lies."""

    source: Where
    destination: Where
    state: Path
    provider: str = "generic"
    http: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    #: state folders of other workers
    neighbours: t.Sequence[Path] = ()

    def copy(self, *rules: RuleOptions, plan_file: Path | str = "", **policy: t.Any) -> Outcome:
        """Copy; `rules` as the module has them (none: everything), `policy`: fields of Policy, platforms as text."""
        with self._job(rules, plan_file, policy) as job:
            return carry_out(job)

    def plan(self, *rules: RuleOptions, plan_file: Path | str = "", **policy: t.Any) -> Outcome:
        """What check mode does."""
        with self._job(rules, plan_file, policy) as job:
            return make_plan(job)

    def verify(self, *rules: RuleOptions, mode: Mode = "light", record: bool = True, **policy: t.Any) -> Verified:
        """Compare both sides; what check mode does is not recorded."""
        with self._job(rules, "", policy) as job:
            return verify(job, mode, record)

    @contextlib.contextmanager
    def _job(self, rules: t.Sequence[RuleOptions], plan_file: Path | str, policy: t.Mapping[str, t.Any]) -> t.Iterator[Job]:
        options = dict(policy)
        options["platforms"] = tuple(parse_platform(text) for text in policy.get("platforms", ()))
        parsed = [Rule.from_options(rule, f"rules[{number}]") for number, rule in enumerate(rules or [{}])]
        with contextlib.ExitStack() as opened:
            source = opened.enter_context(contextlib.closing(open_store(self.source, **self.http)))
            destination = opened.enter_context(contextlib.closing(open_store(self.destination, self.provider, **self.http)))
            yield Job(
                source, destination, parsed, Policy(**options), str(self.state), str(plan_file), [str(one) for one in self.neighbours]
            )

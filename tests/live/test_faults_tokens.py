# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults, from registry to registry: tokens that run out, and a token service that is away."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from estate.fault_proxy import Fault, FaultProxy
from estate.push import push
from estate.token_server import REGISTRY_LEEWAY
from runs.faults import LARGE_BLOB, TAGS, Migration, fault_set

if t.TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeTokenServer
    from estate.registry import Registry, RegistryFactory
    from estate.token_server import TokenServer

GROUP = "Tokens"

USERS = {"mover": "a password of the destination"}
#: the run's requests for tokens; who looks at the registry for a test names no account
ASKS = r"GET /token\?.*account=mover"
PUT_OF_LARGE = f"PUT .*/uploads/.*{LARGE_BLOB.removeprefix('sha256:')}"


@pytest.fixture(scope="module")
def filled(module_registries: RegistryFactory) -> Registry:
    registry = module_registries.start("source")
    push(registry.url, fault_set())
    return registry


@dataclasses.dataclass(frozen=True)
class Guarded:
    """A migration to a registry that wants tokens, the service that gives them, and the proxy before that service."""

    migration: Migration
    tokens: TokenServer
    service: FaultProxy


@pytest.fixture
def guarded(filled: Registry, registries: RegistryFactory, token_server: MakeTokenServer, tmp_path: Path) -> t.Iterator[Guarded]:
    tokens = token_server(USERS)
    with FaultProxy(tokens.realm.removesuffix("/token")) as service:
        tokens.realm = f"{service.url}/token"
        destination = registries.start("destination", token_server=tokens)
        with Migration(filled, destination, tmp_path) as migration:
            migration.proxies.append(service)
            yield Guarded(migration, tokens, service)


def let_tokens_end(tokens: TokenServer, seconds: int) -> None:
    """The registry refuses a token after so many seconds, which the service does not say: its client counts on a minute."""
    tokens.lifetime, tokens.leeway, tokens.names_expiry = seconds, REGISTRY_LEEWAY, False


@pytest.mark.fault(GROUP, "A token ends while a layer is being sent, in one request or in pieces")
@pytest.mark.parametrize(("pattern", "chunk_size"), [(PUT_OF_LARGE, 0), (r"PATCH /v2/team/app/", 500_000)], ids=["one request", "pieces"])
def test_a_token_that_ends_in_an_upload(pattern: str, chunk_size: int, guarded: Guarded) -> None:
    """The registry's 401 fetches a new token, the layer is sent with it, and everything is copied."""
    let_tokens_end(guarded.tokens, 2)
    guarded.migration.set("destination", Fault(pattern, after=1 if chunk_size else 0, stall=2.1))
    guarded.migration.finishes(both={"chunk_size": chunk_size})
    (late,) = guarded.migration.met("destination")
    assert late.status == 401
    assert len(guarded.service.requests(ASKS)) > 1


@pytest.mark.fault(GROUP, "The token service is away before the run")
@pytest.mark.parametrize(("how", "kind"), [({"reset": "before"}, "connection_failed"), ({"status": 503}, "server_failed")])
def test_no_token_service_from_the_start(how: dict[str, t.Any], kind: str, guarded: Guarded) -> None:
    """Nothing is copied, every repository's failure names the token service, and the next run copies everything."""
    guarded.service.faults = [Fault(ASKS, times=None, **how)]
    result = guarded.migration.fails(kind)
    assert result["counts"]["copied"] == 0
    assert {failure["subject"] for failure in result["failures"]} == {guarded.service.host}


@pytest.mark.fault(GROUP, "The token service is away for a moment in the middle of a run")
@pytest.mark.parametrize("how", [{"reset": "before"}, {"status": 503}, {"status": 429, "headers": {"Retry-After": "0.2"}}])
def test_a_token_service_that_comes_back(how: dict[str, t.Any], guarded: Guarded) -> None:
    """It is asked again, and everything is copied."""
    let_tokens_end(guarded.tokens, 2)
    guarded.service.faults = [Fault(ASKS, after=1, **how)]
    guarded.migration.set("source", Fault(f"GET .*{LARGE_BLOB}", stall=2.1))
    guarded.migration.finishes()


@pytest.mark.fault(GROUP, "The token service goes away for good in the middle of a run")
def test_a_token_service_that_stays_away(guarded: Guarded) -> None:
    """What needs another token fails and names the token service; what is to be seen is whole, and the next run brings the rest."""
    let_tokens_end(guarded.tokens, 2)
    guarded.service.faults = [Fault(ASKS, after=1, times=None, status=503)]
    guarded.migration.set("source", Fault(f"GET .*{LARGE_BLOB}", stall=2.1))
    result = guarded.migration.fails("server_failed")
    assert "team/app:1" in {f"{failure['repository']}:{failure['tag']}" for failure in result["failures"]}
    assert result["failures"][0]["subject"] == guarded.service.host
    assert result["counts"]["failed"] < TAGS

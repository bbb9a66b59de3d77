# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults, from registry to registry: registries that answer with errors."""

from __future__ import annotations

import email.utils
import time
import typing as t

import pytest
from estate.fault_proxy import Fault
from estate.push import push
from runs.faults import Migration, Side, fault_set

if t.TYPE_CHECKING:
    from pathlib import Path

    from estate.registry import Registry, RegistryFactory

GROUP = "The registry answers with errors"

#: what the engine asks for again by itself: everything but the PUT of a layer that streams, for which it opens another session
REPEATED = r"^(GET|HEAD|POST) /v2/team/|^PUT .*/manifests/"


@pytest.fixture(scope="module")
def filled(module_registries: RegistryFactory) -> Registry:
    registry = module_registries.start("source")
    push(registry.url, fault_set())
    return registry


@pytest.fixture
def migration(filled: Registry, registries: RegistryFactory, tmp_path: Path) -> t.Iterator[Migration]:
    with Migration(filled, registries.start("destination"), tmp_path) as migration:
        yield migration


def waits(migration: Migration, side: Side) -> list[float]:
    """Seconds from each answer that was a fault to the next attempt at the same request."""
    found = []
    for one in migration.met(side):
        following = [later.began for later in migration.requests(side) if later.line == one.line and later.began > one.ended]
        assert following, f"{one.line} was not asked for again"
        found.append(min(following) - one.ended)
    return found


def date(seconds: float) -> str:
    """The moment so many seconds from now as HTTP writes it, which is in whole seconds."""
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.fault(GROUP, "429 with Retry-After in seconds, as an HTTP date, as unix time, in the past, as garbage, and without one")
@pytest.mark.parametrize(
    ("header", "least", "side"),
    [
        (lambda: "1", 1.0, "destination"),
        (lambda: date(2), 0.9, "source"),
        (lambda: str(int(time.time()) + 2), 0.9, "destination"),
        (lambda: date(-60), 0.19, "source"),
        (lambda: "soon", 0.19, "destination"),
        (None, 0.19, "source"),
    ],
    ids=["seconds", "date", "unix time", "past", "garbage", "none"],
)
def test_429(header: t.Callable[[], str] | None, least: float, side: Side, migration: Migration) -> None:
    """The run waits as long as it is asked to, or a moment where that makes no sense, and copies everything."""
    pattern = {"source": r"GET .*/blobs/", "destination": r"PUT .*/manifests/"}[side]
    migration.set(side, Fault(pattern, status=429, headers={"Retry-After": header} if header else {}))
    migration.finishes()
    (waited,) = waits(migration, side)
    assert waited >= least


@pytest.mark.fault(GROUP, "429 that does not end, for one repository")
def test_429_for_good(migration: Migration) -> None:
    """Its tags fail and say what can be done; what the other repository has is copied, and the next run brings the rest."""
    migration.set("destination", Fault(r"PUT /v2/team/web/manifests/", times=None, status=429, headers={"Retry-After": "0.1"}))
    result = migration.fails("too_many_requests", tags=("team/web:1", "team/web:multi"))
    assert result["counts"]["copied"] == 3


@pytest.mark.fault(GROUP, "500, 502 and 503 to the first attempt at every request, at the source or at the destination")
@pytest.mark.parametrize(("status", "side"), [(500, "source"), (502, "destination"), (503, "source")])
def test_a_short_storm(status: int, side: Side, migration: Migration) -> None:
    """Every request is tried again, and everything is copied."""
    migration.set(side, Fault(REPEATED, each=True, status=status, body=b"<html>upstream is away</html>"))
    migration.finishes()
    refused = [one.line for one in migration.met(side)]
    assert len(refused) > 8
    assert set(refused) <= {one.line for one in migration.requests(side) if one.fault is None}


@pytest.mark.fault(GROUP, "500, 502 and 503 for longer than requests are tried again, at the source or at the destination")
@pytest.mark.parametrize(
    ("status", "side", "pattern"),
    [
        (500, "source", r"GET /v2/team/web/manifests/"),
        (502, "source", r"GET /v2/team/web/blobs/"),
        (500, "destination", r"POST /v2/team/web/blobs/uploads/"),
        (503, "destination", r"PUT /v2/team/web/manifests/"),
    ],
)
def test_a_long_storm(status: int, side: Side, pattern: str, migration: Migration) -> None:
    """The tags that it hits fail and are not to be seen; the others are copied, and the next run brings the rest."""
    migration.set(side, Fault(pattern, times=None, status=status, headers={"Retry-After": "0.1"}))
    result = migration.fails("server_failed", tags=("team/web:1", "team/web:multi"), both={"attempts": 1})
    assert str(status) in result["failures"][0]["message"]


@pytest.mark.fault(GROUP, "503 from the first request on, at the source or at the destination")
@pytest.mark.parametrize("side", ["source", "destination"])
def test_down_from_the_start(side: Side, migration: Migration) -> None:
    """The run ends at once, says which registry is unwell, and has written nothing."""
    migration.set(side, Fault("", times=None, status=503))
    error = migration.ends("server_failed")
    assert "503" in error["message"]


@pytest.mark.fault(GROUP, "The destination goes down in the middle of a run and comes back")
def test_down_for_a_while(migration: Migration) -> None:
    """With on_error=retry the tags that failed are tried again in the end, and everything is copied."""
    migration.set("destination", Fault(r"(POST|PUT) /v2/team/", after=6, times=12, status=503, headers={"Retry-After": "0.1"}))
    migration.finishes(on_error="retry", retries=5, workers=2)

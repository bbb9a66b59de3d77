# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults, from registry to registry: redirects, and addresses that lead elsewhere."""

from __future__ import annotations

import base64
import contextlib
import typing as t
import urllib.parse

import pytest
from estate.fault_proxy import Fault, FaultProxy
from estate.push import push
from runs.faults import LARGE_BLOB, LARGE_SIZE, SHARED_BLOB, TAGS, Migration, fault_set

if t.TYPE_CHECKING:
    from pathlib import Path

    from estate.certificates import CertificateAuthority
    from estate.registry import Registry, RegistryFactory

GROUP = "Redirects and addresses"

USER, PASSWORD = "mover", "a password of the source"
USERS = {USER: PASSWORD}
UPLOAD = r"POST .*/blobs/uploads/"
OPENED = r"^(PUT|PATCH) .*/blobs/uploads/"


@pytest.fixture(scope="module")
def filled(module_registries: RegistryFactory) -> Registry:
    """A source that asks for a password with every request."""
    registry = module_registries.start("source", users=USERS)
    push(registry.url, fault_set(), USER, PASSWORD)
    return registry


@pytest.fixture
def destination(registries: RegistryFactory) -> Registry:
    return registries.start("destination")


@pytest.fixture
def migration(filled: Registry, destination: Registry, tmp_path: Path) -> t.Iterator[Migration]:
    with Migration(filled, destination, tmp_path) as migration:
        yield migration


class Stored(t.NamedTuple):
    """A registry whose blobs are in an object store to which it redirects, and the proxy before that store."""

    registry: Registry
    storage: FaultProxy


@pytest.fixture(scope="module")
def stored(module_registries: RegistryFactory, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Stored]:
    pytest.importorskip("moto", reason="moto is not installed: pip install moto flask flask-cors")
    pytest.importorskip("flask", reason="flask, which moto's server stands on, is not installed: pip install flask flask-cors")
    from estate.object_store import ObjectStore

    with ObjectStore(tmp_path_factory.mktemp("store")) as store, FaultProxy(store.url) as storage:
        registry = module_registries.start("stored", users=USERS, s3=store.registry_settings(storage.url))
        push(registry.url, fault_set(), USER, PASSWORD)
        yield Stored(registry, storage)


@pytest.fixture
def from_storage(stored: Stored, destination: Registry, tmp_path: Path) -> t.Iterator[Migration]:
    stored.storage.clear()
    with Migration(stored.registry, destination, tmp_path) as migration:
        yield migration
    stored.storage.clear()


def signed_requests(stored: Stored) -> list[t.Any]:
    """What came to the store through the registry's redirects: their addresses are signed, the registry's own requests have a header."""
    return stored.storage.requests("[?&]X-Amz-Signature=")


@pytest.mark.fault(GROUP, "Blobs are redirected to an object store on another host")
def test_blobs_in_an_object_store(from_storage: Migration, stored: Stored) -> None:
    """Everything is copied, and the store never sees who we are to the registry."""
    from_storage.finishes()
    read = [one for one in signed_requests(stored) if one.headers.get("user-agent") == "registryops.migration"]
    assert {one.method for one in read} == {"GET"}
    assert len(read) == len(fault_set().unique_blobs())
    assert not [one for one in read if "authorization" in one.headers]
    redirected = from_storage.requests("source", "GET .*/blobs/")
    assert {one.status for one in redirected} == {307}
    assert all(one.headers["authorization"].startswith("Basic ") for one in redirected)


@pytest.mark.fault(GROUP, "The object store that blobs are redirected to breaks off, and is unwell for a moment")
def test_an_object_store_that_breaks_off(from_storage: Migration, stored: Stored) -> None:
    """The registry is asked for a new address, the download goes on where it ended, and everything is copied."""
    from_storage.proxies.append(stored.storage)
    stored.storage.faults = [
        Fault(f"GET .*{SHARED_BLOB.removeprefix('sha256:')}.*X-Amz-Signature", status=503),
        Fault(f"GET .*{LARGE_BLOB.removeprefix('sha256:')}.*X-Amz-Signature", keep=500_000),
    ]
    from_storage.finishes()
    large = [one for one in signed_requests(stored) if LARGE_BLOB.removeprefix("sha256:") in one.path and "range" in one.headers]
    assert [one.headers["range"] for one in large if one.headers["user-agent"] == "registryops.migration"] == ["bytes=500000-"]
    assert not [one for one in large if "authorization" in one.headers]
    assert len(from_storage.requests("source", f"GET .*{LARGE_BLOB}")) == 2


@pytest.mark.fault(GROUP, "The address in the object store has run out: it answers 403")
def test_an_address_that_has_run_out(from_storage: Migration, stored: Stored) -> None:
    """The tags that need the blob fail and are not to be seen; the next run gets another address and brings the rest."""
    from_storage.proxies.append(stored.storage)
    stored.storage.faults = [Fault(f"GET .*{LARGE_BLOB.removeprefix('sha256:')}.*X-Amz-Signature", times=None, status=403)]
    from_storage.fails("access_denied", tags=("team/app:1", "team/app:latest"))


@pytest.mark.fault(GROUP, "A redirect that leads in a circle")
def test_a_redirect_in_a_circle(migration: Migration) -> None:
    """The tags that need the blob fail at once and say so; the others are copied, and the next run brings the rest."""
    circle = {"Location": f"/v2/team/app/blobs/{LARGE_BLOB}?again"}
    migration.set("source", Fault(f"GET .*{LARGE_BLOB}", times=None, status=307, headers=circle))
    result = migration.fails("redirect_refused", tags=("team/app:1", "team/app:latest"))
    assert "loop" in result["failures"][0]["message"]
    assert len(migration.met("source")) < 10


@pytest.mark.fault(GROUP, "A redirect from https to plain http")
def test_no_redirect_to_plain_http(
    filled: Registry, destination: Registry, certificate_authority: CertificateAuthority, tmp_path: Path
) -> None:
    """It is not followed: the tags that need the blob fail, nothing is sent in the clear, and the next run brings the rest."""
    tls = certificate_authority.server_context()
    with contextlib.ExitStack() as stack:
        elsewhere = stack.enter_context(FaultProxy(filled))
        migration = stack.enter_context(Migration(filled, destination, tmp_path, source_tls=tls, ca_file=certificate_authority.certificate))
        leads_there = {"Location": f"{elsewhere.url}/v2/team/app/blobs/{LARGE_BLOB}"}
        migration.set("source", Fault(f"GET .*{LARGE_BLOB}", times=None, status=307, headers=leads_there))
        result = migration.fails("redirect_refused", tags=("team/app:1", "team/app:latest"))
        assert "plain http" in result["failures"][0]["message"]
        assert elsewhere.log == []


def without_host(location: str) -> str:
    parts = urllib.parse.urlsplit(location)
    return urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))


@pytest.mark.fault(GROUP, "An upload's Location is relative, or has a signed query, or names the address that the registry has inside")
@pytest.mark.parametrize("form", ["relative", "query", "inside"])
def test_locations(form: str, migration: Migration) -> None:
    """Layers go to where they are to go, with the query to the letter, and everything is copied."""
    inside = migration.at_destination.target
    forms = {
        "relative": without_host,
        "query": lambda location: f"{location}&signature=a%2Fb%3D%3D+c&empty=",
        "inside": lambda location: f"http://{inside}{without_host(location)}",
    }
    migration.set("destination", Fault(UPLOAD, times=None, location=forms[form]))
    migration.finishes()
    sent = migration.requests("destination", OPENED)
    assert len(sent) >= len(fault_set().unique_blobs())
    if form == "query":
        assert [one.path for one in sent if "&signature=a%2Fb%3D%3D+c&empty=&digest=" not in one.path] == []


@pytest.mark.fault(GROUP, "An upload's Location leads from https to plain http")
def test_no_upload_to_plain_http(
    filled: Registry, destination: Registry, certificate_authority: CertificateAuthority, tmp_path: Path
) -> None:
    """No byte goes there: the tags fail, nothing of them is to be seen, and the next run copies everything."""
    tls = certificate_authority.server_context()
    with contextlib.ExitStack() as stack:
        elsewhere = stack.enter_context(FaultProxy(destination))
        migration = stack.enter_context(
            Migration(filled, destination, tmp_path, destination_tls=tls, ca_file=certificate_authority.certificate)
        )
        there = f"http://localhost:{elsewhere.port}"
        migration.set("destination", Fault(UPLOAD, times=None, location=lambda location: there + without_host(location)))
        result = migration.fails("redirect_refused")
        assert result["counts"]["failed"] == TAGS
        assert elsewhere.log == []


@pytest.mark.fault(GROUP, "An upload's Location is on another host")
def test_uploads_elsewhere(filled: Registry, registries: RegistryFactory, tmp_path: Path) -> None:
    """Layers go there, the other host never sees who we are to the registry, and everything is copied."""
    user, password = USER, PASSWORD
    guarded = registries.start("guarded", users=USERS)
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    with contextlib.ExitStack() as stack:
        # what lets its requests in, as the signature in an address of an object store does
        elsewhere = stack.enter_context(FaultProxy(guarded, adds={"Authorization": f"Basic {pair}"}))
        migration = stack.enter_context(Migration(filled, guarded, tmp_path))
        there = f"http://localhost:{elsewhere.port}"
        migration.set("destination", Fault(UPLOAD, times=None, location=lambda location: there + without_host(location)))
        migration.finishes()
        assert len(elsewhere.requests(OPENED)) >= len(fault_set().unique_blobs())
        assert not [one for one in elsewhere.log if "authorization" in one.headers]
        assert migration.requests("destination", OPENED) == []
        large = [one for one in elsewhere.log if one.headers.get("content-length") == str(LARGE_SIZE)]
        assert [one.status for one in large] == [201]

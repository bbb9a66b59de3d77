# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry as a store: what it asks a product for in bulk, and how fast it sends manifests. Requests are tested in tests/live."""

from __future__ import annotations

import dataclasses
import types

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci import errors
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import Features
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC, PROFILES
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import TagRecord
from ansible_collections.registryops.migration.plugins.module_utils._stores import registry
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Received
from ansible_collections.registryops.migration.plugins.module_utils._stores.registry import RegistryStore

DIGESTS = [f"sha256:{number:064x}" for number in range(230)]


class Client:
    """What a store uses of a client when it has nothing to ask the registry."""

    host = "registry.example.com"

    def __init__(self):
        self.features = Features()
        self.manifests = 0

    def put_manifest(self, repository, manifest, tags=()):
        self.manifests += 1


class Product:
    """A provider that knows which blobs are there."""

    def __init__(self, there, error=None, asks=True):
        self.there, self.error, self.asks = set(there), error, asks
        self.asked = []

    def present(self, repository, digests):
        self.asked.append(len(digests))
        if self.error is not None:
            raise self.error
        return self.there.intersection(digests) if self.asks else None


def test_a_tag_that_is_on_two_pages_of_a_list_comes_once():
    records = [TagRecord("1", DIGESTS[0]), TagRecord("2", DIGESTS[1]), TagRecord("1", DIGESTS[2])]
    store = store_of(types.SimpleNamespace(tags=lambda repository: records))
    digests = {record.name: record.digest for record in records}
    store.client.head_manifest = lambda repository, tag: Descriptor("application/json", digests[tag], 5)
    listing = store.listing("team/app")
    assert listing.tags == ["1", "2"]
    assert listing.records["1"].digest == DIGESTS[2]


def store_of(product):
    return RegistryStore(Client(), GENERIC, provide=lambda profile: product)


def received(store, digest, anew=False):
    """How a blob came to be there; LookupError where the registry has to be asked."""

    def ask(*unused):
        raise LookupError

    store._receive = ask
    store.client.transport = types.SimpleNamespace(options=types.SimpleNamespace(attempts=1))
    return store.receive_blob("team/app", Descriptor("application/octet-stream", digest, 5), ask, anew=anew)


def test_blobs_are_asked_for_a_hundred_at_a_time():
    product = Product([DIGESTS[0], DIGESTS[229]])
    store = store_of(product)
    store.expect_blobs("team/app", DIGESTS)
    assert product.asked == [100, 100, 30]
    assert received(store, DIGESTS[229]) == Received("present")
    for digest in (DIGESTS[1], DIGESTS[229]):
        # an answer holds once
        with pytest.raises(LookupError):
            received(store, digest)
    with pytest.raises(LookupError):
        received(store, DIGESTS[0], anew=True)


@pytest.mark.parametrize("product", [Product([], asks=False), Product([], errors.AccessDenied("no.", hint="Ask."))], ids=["none", "denied"])
def test_a_product_without_an_answer_is_asked_once(product):
    store = store_of(product)
    for _image in range(3):
        store.expect_blobs("team/app", DIGESTS[:5])
    assert product.asked == [5]


def test_a_product_that_is_busy_is_asked_again():
    product = Product(DIGESTS, errors.TooManyRequests("busy.", hint="Wait."))
    store = store_of(product)
    store.expect_blobs("team/app", DIGESTS)
    product.error = None
    store.expect_blobs("team/app", DIGESTS[:5])
    assert product.asked == [100, 5]
    assert received(store, DIGESTS[3]) == Received("present")


def test_manifests_are_sent_at_the_products_rate_over_all_workers(monkeypatch):
    rates = []

    @dataclasses.dataclass
    class Rate:
        per_second: float
        taken: float = 0

        def __post_init__(self):
            rates.append(self)

        def take(self, units):
            self.taken += units

    monkeypatch.setattr(registry, "Rate", Rate)
    store = RegistryStore(Client(), PROFILES["ecr"], shared_by=4)
    for tags in ((), ("one",), ("one", "two")):
        store.put_manifest("team/app", None, tags)
    # several tags are tried in one request first
    assert [(rate.per_second, rate.taken) for rate in rates] == [(2.5, 5)]
    store.client.features.multi_tag = False
    store.put_manifest("team/app", None, ("one", "two"))
    assert rates[0].taken == 7
    assert RegistryStore(Client(), GENERIC) is not None
    assert rates[1].per_second == 0

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which product answers, as far as its answer to the ping tells; and that what is said of products is whole."""

from __future__ import annotations

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.challenge import parse_challenges
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import Greeting
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC, PROFILES
from ansible_collections.registryops.migration.plugins.module_utils._providers.table import PROVIDERS, make_provider, recognise


def greeting(*lines, **headers):
    return Greeting(tuple(parse_challenges(lines)), headers)


@pytest.mark.parametrize(
    ("product", "line"),
    [
        ("harbor", 'Bearer realm="https://registry.example.com/service/token",service="harbor-registry"'),
        ("harbor", 'Bearer realm="https://registry.example.com/service/token",service="another name"'),
        ("gitlab", 'Bearer realm="https://git.example.com/jwt/auth",service="container_registry"'),
        ("artifactory", 'Bearer realm="https://repo.example.com/artifactory/api/docker/docker-local/v2/token",service="repo.example.com"'),
        ("artifactory", 'Basic realm="Artifactory Realm"'),
        ("nexus", 'Basic realm="Sonatype Nexus Repository Manager"'),
        ("quay", 'Bearer realm="https://quay.io/v2/auth",service="quay.io"'),
        ("quay", 'Bearer realm="https://images.example.com/v2/auth",service="images.example.com"'),
        ("gitea", 'Bearer realm="https://git.example.com/v2/token",service="container_registry",scope="*"'),
        ("acr", 'Bearer realm="https://team.example.com/oauth2/token",service="team.example.com"'),
        ("msr", 'Bearer realm="https://images.example.com/auth/token",service="images.example.com"'),
        ("generic", 'Bearer realm="https://login.example.com/auth/token",service="registry.example.com"'),
        ("openshift", 'Bearer realm="https://images.example.com/openshift/token"'),
        ("swr", 'Bearer realm="https://images.example.com/swr/auth/v2/registry/auth",service="dockyard"'),
        ("generic", 'Basic realm="Registry Realm"'),
        ("generic", 'Bearer realm="https://auth.example.com/token",service="registry.example.com"'),
        ("generic", 'Bearer realm="https://login.example.com/oauth2/token",service="registry.example.com"'),
        ("generic", "Negotiate"),
    ],
)
def test_a_challenge_tells_the_product(product, line):
    assert recognise(greeting(line)).name == product


@pytest.mark.parametrize(
    ("product", "headers"),
    [
        ("artifactory", {"x-jfrog-version": "Artifactory/7.90.1"}),
        ("artifactory", {"x-artifactory-id": "0123456789abcdef"}),
        ("nexus", {"server": "Nexus/3.70.1-02 (OSS)"}),
        ("generic", {"server": "nginx/1.25"}),
        ("generic", {}),
    ],
)
def test_headers_tell_the_product_where_nobody_has_to_sign_in(product, headers):
    assert recognise(greeting(**headers)).name == product


def test_a_header_counts_more_than_a_challenge():
    line = 'Bearer realm="https://repo.example.com/v2/token",service="container_registry"'
    assert recognise(greeting(line, **{"x-jfrog-version": "Artifactory/7.90.1"})).name == "artifactory"


def test_the_first_challenge_that_says_something_counts():
    harbor = 'Bearer realm="https://registry.example.com/service/token",service="harbor-registry"'
    assert recognise(greeting('Basic realm="Registry"', harbor)).name == "harbor"
    assert recognise(greeting(f'Basic realm="Registry", {harbor}')).name == "harbor"


def test_a_name_in_an_address_is_no_introduction():
    """Somebody may call a host harbor-registry, whatever runs on it."""
    assert recognise(greeting('Bearer realm="https://harbor-registry.example.com/auth",service="token-service"')) is GENERIC
    assert recognise(greeting()) is GENERIC


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_what_is_said_of_a_product_is_whole(name):
    provider = PROVIDERS[name]()
    assert name in PROFILES
    assert issubclass(provider, Provider)
    assert provider.lists_with
    assert provider.tested
    assert all(provider.settings.values())
    # what cannot be created has no settings, and what creates says how
    assert provider.container or not provider.settings
    assert (provider.ensure is not Provider.ensure) == bool(provider.container)
    assert (provider.tags is not Provider.tags) or not provider.lists_digests


def test_other_products_are_spoken_to_in_the_specification_s_words():
    assert make_provider(GENERIC, None).__class__ is Provider

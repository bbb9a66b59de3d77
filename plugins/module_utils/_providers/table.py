# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""All providers, by the names of the option `provider`. Ansible ships to a worker only what static imports name: so they are all here."""

from __future__ import annotations

import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.client import Greeting
from ansible_collections.registryops.migration.plugins.module_utils._providers.artifactory import Artifactory
from ansible_collections.registryops.migration.plugins.module_utils._providers.harbor import Harbor
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.nexus import Nexus
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC, PROFILES, Profile

#: products without an entry are spoken to in the distribution specification's words alone
PROVIDERS: t.Mapping[str, type[Provider]] = {
    "artifactory": Artifactory,
    "harbor": Harbor,
    "nexus": Nexus,
}

#: what a token service's address ends with, or has in it, and the product that has it there
_REALMS = (
    ("/service/token", "harbor"),
    ("/jwt/auth", "gitlab"),
    ("/artifactory/api/", "artifactory"),
    ("/openshift/token", "openshift"),
    ("/swr/auth/", "swr"),
    ("/oauth2/token", "acr"),
)
#: names by which products introduce themselves in a challenge, lower case
_INTRODUCTIONS = (
    ("harbor-registry", "harbor"),
    ("artifactory", "artifactory"),
    ("sonatype nexus", "nexus"),
    ("quay", "quay"),
    ("gitea", "gitea"),
    ("forgejo", "gitea"),
)


def recognise(greeting: Greeting) -> Profile:
    """The profile for how a registry has answered the ping; GENERIC where that says nothing."""
    headers = greeting.headers
    if headers.get("x-jfrog-version") or headers.get("x-artifactory-id"):
        return PROFILES["artifactory"]
    if headers.get("server", "").lower().startswith("nexus/"):
        return PROFILES["nexus"]
    for challenge in greeting.challenges:
        realm, service = challenge.parameters.get("realm", ""), challenge.parameters.get("service", "")
        for text, product in _INTRODUCTIONS:
            if text in service.lower() or (challenge.scheme == "basic" and text in realm.lower()):
                return PROFILES[product]
        for text, product in _REALMS:
            if text in realm:
                return PROFILES[product]
        if service == "container_registry" and realm.endswith("/v2/token"):
            return PROFILES["gitea"]
        if realm.endswith("/v2/auth"):
            return PROFILES["quay"]
    return GENERIC


def make_provider(profile: Profile, site: Site) -> Provider:
    """The provider for a product."""
    return PROVIDERS.get(profile.name, Provider)(site, profile)

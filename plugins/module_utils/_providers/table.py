# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""All providers, by the names of the option `provider`.

Ansible ships to a worker only what import statements name: so they are all here. Each stands in a function, for a task compiles anew
what it imports, and needs one or two of them.
"""

from __future__ import annotations

import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.client import Greeting
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC, PROFILES, Profile


def _acr() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.acr import AzureContainerRegistry

    return AzureContainerRegistry


def _artifactory() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.artifactory import Artifactory

    return Artifactory


def _docker_hub() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.docker_hub import DockerHub

    return DockerHub


def _ecr() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr import ECR

    return ECR


def _ecr_public() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr_public import ECRPublic

    return ECRPublic


def _ghcr() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.ghcr import GHCR

    return GHCR


def _gitea() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.gitea import Gitea

    return Gitea


def _gitlab() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.gitlab import GitLab

    return GitLab


def _google() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.google import Google

    return Google


def _harbor() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.harbor import Harbor

    return Harbor


def _msr() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.msr import MSR

    return MSR


def _nexus() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.nexus import Nexus

    return Nexus


def _quay() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.quay import Quay

    return Quay


def _swr() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.swr import SoftwareRepository

    return SoftwareRepository


def _zot() -> type[Provider]:
    from ansible_collections.registryops.migration.plugins.module_utils._providers.zot import Zot

    return Zot


#: what gives each; products without an entry are spoken to in the distribution specification's words alone
PROVIDERS: t.Mapping[str, t.Callable[[], type[Provider]]] = {
    "acr": _acr,
    "artifactory": _artifactory,
    "docker_hub": _docker_hub,
    "ecr": _ecr,
    "ecr_public": _ecr_public,
    "gar": _google,
    "gcr": _google,
    "ghcr": _ghcr,
    "gitea": _gitea,
    "gitlab": _gitlab,
    "harbor": _harbor,
    "msr": _msr,
    "nexus": _nexus,
    "quay": _quay,
    "swr": _swr,
    "zot": _zot,
}

#: what a token service's address ends with, or has in it, and the product that has it there
_REALMS = (
    ("/service/token", "harbor"),
    ("/jwt/auth", "gitlab"),
    ("/artifactory/api/", "artifactory"),
    ("/openshift/token", "openshift"),
    ("/swr/auth/", "swr"),
)
#: names by which products introduce themselves in a challenge, lower case
_INTRODUCTIONS = (
    ("ecr.amazonaws.com", "ecr"),
    ("public.ecr.aws", "ecr_public"),
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
        # many a token service has this path; Azure's is at the registry itself, which is called by its host
        if service and realm.partition("://")[2] == f"{service}/oauth2/token":
            return PROFILES["acr"]
        # as many have this one; MSR names its own domain twice, whatever it is reached by
        if service and realm.partition("://")[2] == f"{service}/auth/token":
            return PROFILES["msr"]
    return GENERIC


def provider_class(name: str) -> type[Provider]:
    """The class for a product, by the name of its profile."""
    get = PROVIDERS.get(name)
    return Provider if get is None else get()


def make_provider(profile: Profile, site: Site) -> Provider:
    """The provider for a product."""
    return provider_class(profile.name)(site, profile)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import re

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidName, InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_repository
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import (
    GENERIC,
    PROFILES,
    check_name,
    detect,
    profile_for,
)

ALL = [
    "generic",
    "distribution",
    "docker_hub",
    "harbor",
    "ecr",
    "ecr_public",
    "acr",
    "gar",
    "gcr",
    "ghcr",
    "gitlab",
    "gitea",
    "quay",
    "artifactory",
    "nexus",
    "swr",
    "openshift",
    "msr",
    "zot",
]


def test_all_products_are_there_each_under_its_own_name():
    assert sorted(PROFILES) == sorted(ALL)
    assert all(profile.name == name and profile.title for name, profile in PROFILES.items())
    assert len({profile.title for profile in PROFILES.values()}) == len(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_profile_is_sound_and_cannot_be_changed(name):
    profile = PROFILES[name]
    rules = profile.names
    assert 1 <= rules.min_components <= (rules.max_components or 99)
    assert 1 <= rules.min_length <= rules.max_length
    assert 1 <= profile.page_size_max <= 1000
    assert profile.creates_repositories in {"always", "namespace_first", "never"}
    assert all(note.endswith(".") for note in profile.notes)
    for pattern in (rules.component_pattern, rules.namespace_pattern):
        if pattern is not None:
            assert re.fullmatch(pattern, "team1")
            # no nested repetition that takes forever on what almost matches
            assert not re.fullmatch(pattern, "a" * 5000 + "!")
            assert not re.fullmatch(pattern, "a-" * 2500)
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile.name = "other"


@pytest.mark.parametrize("name", ALL)
def test_every_product_accepts_an_ordinary_name_of_the_right_depth(name):
    profile = PROFILES[name]
    repository = "/".join(["team", "images", "app"][: max(2, profile.names.min_components)])
    assert check_name(profile, repository) == check_repository(repository)


def test_facts_that_the_engine_goes_by():
    assert [name for name in ALL if PROFILES[name].head_after_mount] == ["harbor"]
    assert [name for name in ALL if PROFILES[name].mount_after_manifest] == ["ecr"]
    assert [name for name in ALL if PROFILES[name].folds_tag_case] == ["gitea"]
    assert [name for name in ALL if PROFILES[name].names.max_components == 2] == ["docker_hub", "openshift", "msr"]
    assert [name for name in ALL if PROFILES[name].creates_repositories == "never"] == ["ecr", "ecr_public", "msr"]
    assert [name for name in ALL if PROFILES[name].deletes_by_tag is False] == ["harbor", "ghcr"]
    assert [name for name in ALL if PROFILES[name].page_size_max != 1000] == ["quay"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("docker.io", "docker_hub"),
        ("index.docker.io", "docker_hub"),
        ("registry-1.docker.io", "docker_hub"),
        ("Docker.IO", "docker_hub"),
        ("docker.io:443", "docker_hub"),
        ("docker.io.", "docker_hub"),
        ("mydocker.io", "generic"),
        ("mirror.docker.io.example", "generic"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "ecr"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"),
        ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "ecr"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "ecr"),
        ("123456789012.dkr-ecr.us-east-1.on.aws", "ecr"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com:443", "ecr"),
        ("1234.dkr.ecr.eu-west-1.amazonaws.com", "generic"),
        ("x.123456789012.dkr.ecr.eu-west-1.amazonaws.com", "generic"),
        ("public.ecr.aws", "ecr_public"),
        ("team.azurecr.io", "acr"),
        ("team.azurecr.cn", "acr"),
        ("azurecr.io", "generic"),
        ("azurecr.io.example", "generic"),
        ("europe-west3-docker.pkg.dev", "gar"),
        ("gcr.io", "gcr"),
        ("eu.gcr.io", "gcr"),
        ("notgcr.io", "generic"),
        ("ghcr.io", "ghcr"),
        ("registry.gitlab.com", "gitlab"),
        ("quay.io", "quay"),
        ("quay.io.example", "generic"),
        ("swr.eu-de.otc.t-systems.com", "swr"),
        ("swr.cn-north-4.myhuaweicloud.com", "swr"),
        ("swr-api.cn-north-4.myhuaweicloud.com", "generic"),
        ("team.jfrog.io", "artifactory"),
        ("image-registry.openshift-image-registry.svc:5000", "openshift"),
        ("default-route-openshift-image-registry.apps.cluster.example", "openshift"),
        ("localhost:5000", "generic"),
        ("127.0.0.1", "generic"),
        ("[::1]:5000", "generic"),
        ("", "generic"),
    ],
)
def test_a_host_tells_the_product(host, expected):
    assert detect(host) is PROFILES[expected]
    assert profile_for(host) is PROFILES[expected]


@pytest.mark.parametrize("name", ALL)
def test_the_option_wins_over_the_host(name):
    assert profile_for("docker.io", name) is PROFILES[name]


def test_an_unknown_product_is_named_together_with_those_that_are_known():
    with pytest.raises(InvalidOption) as caught:
        profile_for("docker.io", "hub", "destination.provider")
    assert caught.value.subject == "destination.provider"
    assert "'hub'" in caught.value.message
    assert all(name in caught.value.hint for name in ALL)


@pytest.mark.parametrize(
    ("name", "repository", "reason"),
    [
        ("generic", "a", None),
        ("generic", "a/b/c/d/e/f", None),
        ("generic", "a" * 255, None),
        ("generic", "a" * 256, "it has 256 characters, and at most 255 are possible"),
        ("generic", "a/B", "'B' does not match"),
        ("generic", "a//b", "'' does not match"),
        ("docker_hub", "library/app", None),
        ("docker_hub", "app", "it has 1 component, and at least 2 are needed"),
        ("docker_hub", "a/b/c", "it has 3 components, and at most 2 are possible"),
        ("harbor", "project/app", None),
        ("harbor", "project/a/b__c/d--e", None),
        ("harbor", "project", "it has 1 component"),
        ("harbor", "my__project/app", "its project 'my__project' does not match"),
        ("harbor", "my--project/app", "its project 'my--project' does not match"),
        ("ecr", "ab", None),
        ("ecr", "a", "it has 1 character, and at least 2 are needed"),
        ("ecr", "a" * 256, None),
        ("ecr", "a" * 257, "at most 256"),
        ("ecr_public", "alias/" + "a" * 205, None),
        ("ecr_public", "alias/" + "a" * 206, "what follows its registry alias has 206 characters, and at most 205"),
        ("ecr_public", "app", "it has 1 component"),
        ("acr", "a/b/c", None),
        ("gar", "project/images/app", None),
        ("gar", "example.com/project/images/app", None),
        ("gar", "project/app", "it has 2 components, and at least 3 are needed"),
        ("gcr", "project/app", None),
        ("gcr", "app", "it has 1 component"),
        ("ghcr", "owner/a/b", None),
        ("ghcr", "app", "it has 1 component"),
        ("gitlab", "group/sub/project/a/b", None),
        ("gitlab", "app", "it has 1 component"),
        ("gitea", "owner/a/b", None),
        ("gitea", "app", "it has 1 component"),
        ("quay", "org/a/b", None),
        ("quay", "o/app", "its organization has 1 character, and at least 2 are needed"),
        ("quay", "my--org/app", "its organization 'my--org' does not match"),
        ("artifactory", "app", None),
        ("nexus", "app", None),
        ("swr", "org/app", None),
        ("swr", "my__org--1/a/b", None),
        ("swr", "1org/app", "its organization '1org' does not match"),
        ("swr", "my.org/app", "its organization 'my.org' does not match"),
        ("swr", "a" * 64 + "/app", None),
        ("swr", "a" * 65 + "/app", "its organization has 65 characters, and at most 64"),
        ("swr", "org/" + "a" * 128, None),
        ("swr", "org/" + "a" * 129, "what follows its organization has 129 characters, and at most 128"),
        ("openshift", "project/stream", None),
        ("openshift", "project/a/b", "it has 3 components"),
        ("msr", "org/app", None),
        ("msr", "org/a__b", "'a__b' does not match"),
        ("msr", "org/a/b", "it has 3 components"),
        ("zot", "a/b/c", None),
    ],
)
def test_names_are_checked_against_the_product(name, repository, reason):
    profile = PROFILES[name]
    if reason is None:
        assert check_name(profile, repository) == repository
        return
    with pytest.raises(InvalidName) as caught:
        check_name(profile, repository)
    assert caught.value.message.startswith(f"{profile.title} does not accept this name: ")
    assert reason in caught.value.message
    assert caught.value.subject == repository[:300]
    assert "mapping." in caught.value.hint


def test_the_generic_profile_accepts_exactly_what_the_specification_does():
    for repository in ("a", "a.b", "a_b", "a__b", "a-b", "a---b", "0/1", "a/b.c/d_e"):
        assert check_name(GENERIC, repository) == check_repository(repository)
    for repository in ("", "A", "a..b", "a___b", "a._b", "-a", "a-", ".a", "a/", "/a", "a b", "a\n"):
        with pytest.raises(InvalidName):
            check_name(GENERIC, repository)

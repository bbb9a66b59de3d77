# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole of an Artifactory goes to Amazon ECR, with the playbooks, on two workers: doubles over docker-registry stand for both."""

from __future__ import annotations

import json
import threading
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.artifactory import ArtifactoryDouble, Options
from estate.compare import assert_complete, tags_of
from estate.push import push
from runs.control import Control

pytest.importorskip("moto", reason="moto is not installed: pip install moto flask flask-cors")

from estate.ecr import ECRDouble
from estate.product import Answer, Asked

if t.TYPE_CHECKING:
    from estate.registry import RegistryFactory

KEYS = ("docker-dev", "docker-release", "oci-edge")
IMAGES_OF_A_KEY = 10
TAGS = 200
USER, PASSWORD = "mover", "an-identity-token"
PLATFORMS = [{"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"}]
SETTINGS = {"mutability": "MUTABLE", "scan_on_push": True, "tags": {"migrated-from": "artifactory"}}
UNTAGGED = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}
LIFECYCLE = {"rules": [{"rulePriority": 1, "selection": UNTAGGED, "action": {"type": "expire"}}]}
OVERRIDES = [{"match": "docker-release/**", "settings": {"mutability": "IMMUTABLE", "lifecycle_policy": LIFECYCLE}}]


def everything() -> images.ImageSet:
    """30 images in three keys with 200 tags, two of which are for several platforms; each key has a layer that all its images share."""
    held = images.ImageSet()
    for key in KEYS:
        base = images.layer(f"{key} base", 20_000)
        for number in range(IMAGES_OF_A_KEY):
            repository = held.repository(f"{key}/team/app{number}")
            if number == 0 and key != KEYS[1]:
                images.add_multi_platform(repository, f"{key} multi", PLATFORMS, [base], 3_000, ["multi"])
            for version in range(6 if number % 5 else 9):
                name = f"{key} {number} {version}"
                images.add_image(repository, name, [base, images.layer(name, 3_000)], [f"1.{version}"])
    return held


@pytest.fixture
def held() -> images.ImageSet:
    return everything()


@pytest.fixture
def artifactory(registries: RegistryFactory, held: images.ImageSet) -> t.Iterator[ArtifactoryDouble]:
    behind = registries.start("artifactory")
    push(behind.url, held)
    with ArtifactoryDouble(behind, KEYS, Options(users={USER: PASSWORD})) as double:
        yield double


@pytest.fixture
def ecr(registries: RegistryFactory) -> t.Iterator[ECRDouble]:
    with ECRDouble(registries.start("ecr")) as double:
        yield double


@pytest.fixture
def control(artifactory: ArtifactoryDouble, ecr: ECRDouble, tmp_path: Path) -> Control:
    """Two workers, and an inventory as the README has it."""
    source = {"url": artifactory.url, "plain_http": True, "username": USER, "password": PASSWORD, "provider": "artifactory"}
    destination = {"url": ecr.url, "plain_http": True, "provider": "ecr", "aws": ecr.aws()}
    settings = {"registry_repository_settings": SETTINGS, "registry_repository_overrides": OVERRIDES}
    return Control(tmp_path, source, destination, {"first": {}, "second": {}}, **settings)


def lists(double: ArtifactoryDouble | ECRDouble) -> int:
    """How many requests for a list it got."""
    asked = double.asked["DescribeImages"] + double.asked["DescribeRepositories"] if isinstance(double, ECRDouble) else 0
    return asked + double.count("GET", "/(tags/list|_catalog)") + double.count("POST", "/search/aql") + double.count("GET", "/api/")


def test_everything_arrives_and_a_second_run_finds_nothing_to_do(
    control: Control, artifactory: ArtifactoryDouble, ecr: ECRDouble, held: images.ImageSet
) -> None:
    wanted = held.tags()
    assert (len(held.repositories), len(wanted)) == (len(KEYS) * IMAGES_OF_A_KEY, TAGS)
    control.play("migrate")
    assert tags_of(ecr.behind) == wanted
    assert_complete(ecr.behind)
    assert control.report()["counts"] == {"copied": TAGS}
    assert control.report()["verified"]
    assert control.shares().keys() == {"first", "second"}
    assert ecr.throttled == 0
    for name, repository in ecr.repositories.items():
        is_release = name.startswith("docker-release/")
        assert repository.image_tag_mutability == ("IMMUTABLE" if is_release else "MUTABLE")
        assert repository.image_scanning_configuration["scanOnPush"] is True
        assert ecr.resource_tags(name) == SETTINGS["tags"]
        assert json.loads(repository.lifecycle_policy or "null") == (LIFECYCLE if is_release else None)

    artifactory.reset_log()
    ecr.reset_log()
    # the verification would read all lists once more
    again = control.play("migrate", "--skip-tags", "verify")
    assert again.changed == 0
    assert control.report()["counts"] == {"unchanged": TAGS}
    assert artifactory.count("GET", "/manifests/") == ecr.count("GET", "/manifests/") == 0
    assert lists(artifactory) + lists(ecr) <= (TAGS / 100 + len(held.repositories)) * 2

    # five images are built anew
    rebuilt = images.ImageSet()
    for number in range(5):
        name = f"{KEYS[0]}/team/app{number}"
        images.add_image(rebuilt.repository(name), f"{name} rebuilt", [images.layer(f"{name} rebuilt", 3_000)], ["1.3"])
    push(artifactory.behind.url, rebuilt)
    ecr.reset_log()
    control.play("migrate")
    assert control.report()["counts"] == {"copied": 5, "unchanged": TAGS - 5}
    assert ecr.count("PUT", "/manifests/") == 5
    assert tags_of(ecr.behind) == {**wanted, **rebuilt.tags()}
    assert_complete(ecr.behind)


def test_a_controller_that_is_killed_goes_on_where_it_was(control: Control, ecr: ECRDouble, held: images.ImageSet) -> None:
    reached = threading.Event()
    pass_on = ecr.after

    def count(asked: Asked, answer: Answer) -> Answer:
        if ecr.count("PUT", "/manifests/") >= 60:
            reached.set()
        return pass_on(asked, answer)

    ecr.after = count  # type: ignore[method-assign]
    playing = control.start("migrate")
    assert reached.wait(120), playing.communicate()
    control.kill(playing)
    there = tags_of(ecr.behind)
    assert 0 < len(there) < TAGS
    assert_complete(ecr.behind)
    ecr.reset_log()
    control.play("migrate")
    assert tags_of(ecr.behind) == held.tags()
    assert_complete(ecr.behind)
    # what had arrived is not put again, but for what was under way
    assert ecr.count("PUT", "/manifests/") <= TAGS + 4 - len(there) + 20
    counts = control.report()["counts"]
    assert counts["copied"] + counts["unchanged"] == TAGS


def test_fewer_manifests_a_second_than_expected_are_no_reason_for_a_storm(control: Control, ecr: ECRDouble, held: images.ImageSet) -> None:
    ecr.manifests_per_second = 4.0
    chosen = [{"repositories": {"include": ["docker-dev/**"]}, "tags": {"include": ["1.0", "1.1", "1.2", "1.3"]}}]
    control.play("migrate", registry_rules=chosen)
    wanted = {(name, tag): digest for (name, tag), digest in held.tags().items() if name.startswith("docker-dev/") and tag < "1.4"}
    assert tags_of(ecr.behind) == wanted
    # each of them may have to be sent again, but nobody asks again and again without a pause
    assert 0 < ecr.throttled <= 2 * len(wanted)

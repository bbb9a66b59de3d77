# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ecr_repo and ecr_registry as Ansible runs them, against the double of Amazon ECR."""

from __future__ import annotations

import os
import typing as t

import pytest
from estate import images
from runs.modules import Options, run_module

pytest.importorskip("moto", reason="moto is not installed: pip install moto flask flask-cors")

from estate.ecr import ACCOUNT, EXPIRED_SESSION, ECRDouble

if t.TYPE_CHECKING:
    from estate.registry import RegistryFactory

NOWHERE = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
NAME = "team/app"
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/0f2f7f2e-6f7c-4d3e-9a55-0d6f3c9a1b2c"
EXPIRE: Options = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "untagged images go after two weeks",
            "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
            "action": {"type": "expire"},
        }
    ]
}
PULL: Options = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "pull",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        }
    ],
}
#: what the API changes with
WRITES = {
    "CreateRepository",
    "DeleteRepository",
    "PutImageTagMutability",
    "PutImageScanningConfiguration",
    "PutLifecyclePolicy",
    "DeleteLifecyclePolicy",
    "SetRepositoryPolicy",
    "DeleteRepositoryPolicy",
    "TagResource",
    "UntagResource",
    "PutAccountSetting",
    "PutRegistryPolicy",
    "DeleteRegistryPolicy",
    "PutReplicationConfiguration",
    "PutRegistryScanningConfiguration",
    "CreateRepositoryCreationTemplate",
    "UpdateRepositoryCreationTemplate",
    "DeleteRepositoryCreationTemplate",
}


@pytest.fixture
def ecr(registries: RegistryFactory) -> t.Iterator[ECRDouble]:
    with ECRDouble(registries.start("ecr")) as double:
        yield double


def repo(ecr: ECRDouble, *, check: bool = False, diff: bool = False, aws: Options | None = None, **options: t.Any) -> Options:
    return run_module("ecr_repo", {**ecr.aws(**(aws or {})), "name": NAME, **options}, check=check, diff=diff, variables=NOWHERE).result


def registry(ecr: ECRDouble, *, check: bool = False, diff: bool = False, **options: t.Any) -> Options:
    return run_module("ecr_registry", {**ecr.aws(), **options}, check=check, diff=diff, variables=NOWHERE).result


def writes(ecr: ECRDouble) -> int:
    return sum(count for operation, count in ecr.asked.items() if operation in WRITES)


ALL: Options = {
    "mutability": "IMMUTABLE",
    "mutability_exclusions": ["latest", "dev-*"],
    "scan_on_push": True,
    "encryption": "KMS",
    "kms_key": KEY,
    "lifecycle_policy": EXPIRE,
    "repository_policy": PULL,
    "tags": {"team": "app", "migrated-from": "old.example.com/team/app"},
}


# -- ecr_repo ------------------------------------------------------------------------------------------------------------------


def test_a_repository_is_made_with_all_that_is_asked_for(ecr: ECRDouble) -> None:
    predicted = repo(ecr, check=True, diff=True, **ALL)
    assert predicted["changed"]
    assert predicted["state"] == "created"
    assert "repository" not in predicted
    assert writes(ecr) == 0

    made = repo(ecr, diff=True, **ALL)
    assert made["changed"]
    assert made["state"] == "created"
    assert made["diff"] == predicted["diff"]
    assert made["differences"]["encryption"] == {"before": None, "after": "KMS"}
    assert made["repository"] == {
        "name": NAME,
        "arn": f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{NAME}",
        "uri": f"{ecr.registry_host}/{NAME}",
        "registry": ecr.registry_host,
    }
    held = ecr.repositories[NAME]
    assert held.image_tag_mutability == "IMMUTABLE_WITH_EXCLUSION"
    assert [one["filter"] for one in held.image_tag_mutability_exclusion_filters or ()] == ["dev-*", "latest"]
    assert held.image_scanning_configuration == {"scanOnPush": True}
    assert held.encryption_configuration == {"encryptionType": "KMS", "kmsKey": KEY}

    ecr.reset_log()
    for check in (True, False):
        again = repo(ecr, check=check, diff=True, **ALL)
        assert not again["changed"]
        assert again["state"] == "existing"
        assert again["diff"] == {"before": {}, "after": {}}
    assert writes(ecr) == 0


@pytest.mark.parametrize(
    ("settings", "before", "after"),
    [
        ({"mutability": "IMMUTABLE"}, {"mutability": "MUTABLE"}, {"mutability": "IMMUTABLE"}),
        (
            {"mutability": "MUTABLE", "mutability_exclusions": ["v*"]},
            {"mutability_exclusions": []},
            {"mutability_exclusions": ["v*"]},
        ),
        ({"scan_on_push": True}, {"scan_on_push": False}, {"scan_on_push": True}),
        ({"lifecycle_policy": EXPIRE}, {"lifecycle_policy": {}}, {"lifecycle_policy": EXPIRE}),
        ({"repository_policy": PULL}, {"repository_policy": {}}, {"repository_policy": PULL}),
        ({"tags": {"team": "app"}}, {"tags": {"old": "tag"}}, {"tags": {"old": "tag", "team": "app"}}),
        ({"tags": {"team": "app"}, "purge_tags": True}, {"tags": {"old": "tag"}}, {"tags": {"team": "app"}}),
    ],
)
def test_one_setting_is_changed(ecr: ECRDouble, settings: Options, before: Options, after: Options) -> None:
    repo(ecr, tags={"old": "tag"})
    ecr.reset_log()
    predicted = repo(ecr, check=True, diff=True, **settings)
    assert predicted["changed"]
    assert predicted["diff"] == {"before": before, "after": after}
    assert writes(ecr) == 0
    changed = repo(ecr, diff=True, **settings)
    assert changed["state"] == "changed"
    assert changed["diff"] == predicted["diff"]
    assert not repo(ecr, **settings)["changed"]


def test_policies_are_taken_away(ecr: ECRDouble) -> None:
    repo(ecr, **ALL)
    assert repo(ecr, lifecycle_policy={}, repository_policy={})["changed"]
    held = ecr.repositories[NAME]
    assert (held.lifecycle_policy, held.policy) == (None, None)
    assert not repo(ecr, lifecycle_policy={}, repository_policy={})["changed"]


def test_a_policy_is_the_same_however_it_is_written(ecr: ECRDouble) -> None:
    repo(ecr, repository_policy=PULL)
    statement = {**PULL["Statement"][0], "Principal": {"AWS": ["210987654321"]}, "Action": PULL["Statement"][0]["Action"][::-1]}
    assert not repo(ecr, repository_policy={**PULL, "Statement": [statement]})["changed"]


@pytest.mark.parametrize(
    ("settings", "subject"),
    [({"encryption": "AES256"}, "encryption"), ({"encryption": "KMS", "kms_key": KEY.replace("0f2f", "1111")}, "kms_key")],
)
def test_encryption_cannot_be_changed_and_then_nothing_is(ecr: ECRDouble, settings: Options, subject: str) -> None:
    repo(ecr, **ALL)
    ecr.reset_log()
    for check in (True, False):
        failed = repo(ecr, check=check, scan_on_push=False, **settings)
        assert failed["failed"]
        assert failed["error"]["subject"] == subject
        assert "cannot be changed" in failed["msg"]
    assert writes(ecr) == 0


def test_a_key_is_known_by_its_id_too(ecr: ECRDouble) -> None:
    repo(ecr, **ALL)
    assert not repo(ecr, encryption="KMS", kms_key=KEY.rpartition("/")[2])["changed"]


def test_a_repository_with_images_goes_only_by_force(ecr: ECRDouble) -> None:
    held = images.ImageSet()
    images.add_image(held.repository(NAME), "app", [], ["1"])
    images.add_image(held.repository(f"{NAME}/below"), "below", [], ["1"])
    ecr.load(held)
    for check in (True, False):
        refused = repo(ecr, check=check, state="absent")
        assert refused["failed"]
        assert refused["error"]["subject"] == "force"
    predicted = repo(ecr, check=True, state="absent", force=True)
    assert predicted["changed"]
    assert NAME in ecr.repositories
    assert repo(ecr, state="absent", force=True)["state"] == "deleted"
    assert list(ecr.repositories) == [f"{NAME}/below"]
    gone = repo(ecr, state="absent")
    assert not gone["changed"]
    assert gone["state"] == "absent"


def test_archived_images_are_images(ecr: ECRDouble) -> None:
    held = images.ImageSet()
    images.add_image(held.repository(NAME), "app", [], ["1"])
    ecr.load(held)
    ecr.archived.update(image.image_digest for image in ecr.repositories[NAME].images)
    for check in (True, False):
        assert repo(ecr, check=check, state="absent")["error"]["subject"] == "force"
    assert NAME in ecr.repositories


@pytest.mark.parametrize(
    ("settings", "kind", "subject"),
    [
        ({"name": "Team/App"}, "invalid_name", "Team/App"),
        ({"name": "x"}, "invalid_name", "x"),
        ({"name": "a" * 257}, "invalid_name", "a" * 257),
        ({"mutability_exclusions": ["latest"]}, "invalid_option", "mutability"),
        ({"mutability": "IMMUTABLE", "mutability_exclusions": ["a b"]}, "invalid_option", "mutability_exclusions"),
        ({"mutability": "IMMUTABLE", "mutability_exclusions": list("abcdef")}, "invalid_option", "mutability_exclusions"),
        ({"kms_key": KEY}, "invalid_option", "kms_key"),
        ({"lifecycle_policy": {"rules": [{}]}}, "invalid_option", NAME),
    ],
)
def test_settings_that_cannot_be(ecr: ECRDouble, settings: Options, kind: str, subject: str) -> None:
    failed = repo(ecr, **settings)
    assert failed["failed"]
    assert failed["error"]["kind"] == kind
    assert failed["error"]["subject"] == subject


def test_refusals_of_the_api(ecr: ECRDouble) -> None:
    ecr.failing["CreateRepository"] = ("LimitExceededException", "The maximum number of repositories would be exceeded")
    assert repo(ecr)["error"]["kind"] == "quota_exceeded"
    ecr.failing["CreateRepository"] = ("KmsException", "The key is disabled")
    assert "kms_key" in repo(ecr, encryption="KMS", kms_key=KEY)["error"]["hint"]
    ecr.failing.clear()
    ecr.denied.add("DescribeRepositories")
    denied = repo(ecr)
    assert denied["error"]["kind"] == "access_denied"
    assert "ecr:DescribeRepositories" in denied["msg"]
    expired = repo(ecr, aws={"session_token": EXPIRED_SESSION})
    assert expired["error"]["kind"] == "authentication_failed"
    assert expired["error"]["subject"] == "session_token"
    assert NAME not in ecr.repositories


def test_somebody_else_was_faster(ecr: ECRDouble) -> None:
    repo(ecr)
    other = {**ecr.aws(), "name": NAME, "scan_on_push": True}
    ecr.failing["DescribeRepositories"] = ("RepositoryNotFoundException", "not yet")
    # it cannot be seen, and cannot be made: that is as good as made
    result = run_module("ecr_repo", other, variables=NOWHERE).result
    assert result["state"] == "created"
    ecr.failing.clear()
    assert repo(ecr, scan_on_push=True)["changed"]


# -- ecr_registry --------------------------------------------------------------------------------------------------------------


TEMPLATE: Options = {
    "prefix": "team",
    "applied_for": ["CREATE_ON_PUSH", "REPLICATION"],
    "description": "what the team pushes",
    "mutability": "IMMUTABLE",
    "mutability_exclusions": ["latest"],
    "lifecycle_policy": EXPIRE,
    "repository_policy": PULL,
}
REPLICATE: Options = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "replicate",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
            "Action": ["ecr:CreateRepository", "ecr:ReplicateImage"],
            "Resource": [f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/*"],
        }
    ],
}


@pytest.mark.parametrize(
    "settings",
    [
        {"blob_mounting": True},
        {"scanning": {"type": "BASIC", "rules": [{"frequency": "SCAN_ON_PUSH", "filters": ["team/*", "*"]}]}},
        {"replication": [{"destinations": [{"region": "eu-west-1"}], "prefixes": ["release/"]}]},
        {"registry_policy": REPLICATE},
        {"creation_templates": [TEMPLATE]},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_a_setting_of_the_registry_is_made_once(ecr: ECRDouble, settings: Options) -> None:
    name = next(iter(settings))
    predicted = registry(ecr, check=True, diff=True, **settings)
    assert predicted["changed"]
    assert list(predicted["differences"]) == [name]
    assert writes(ecr) == 0
    made = registry(ecr, diff=True, **settings)
    assert made["changed"]
    assert made["registry_id"] == ACCOUNT
    assert made["diff"] == predicted["diff"]
    assert writes(ecr) == 1
    for check in (True, False):
        assert not registry(ecr, check=check, **settings)["changed"]
    assert writes(ecr) == 1


def test_templates_are_changed_where_they_differ(ecr: ECRDouble) -> None:
    registry(ecr, creation_templates=[TEMPLATE, {"prefix": "ROOT", "applied_for": ["REPLICATION"]}])
    less = {"prefix": "team", "applied_for": ["CREATE_ON_PUSH"], "lifecycle_policy": {}}
    assert registry(ecr, creation_templates=[less])["changed"]
    assert set(ecr.templates) == {"team", "ROOT"}
    assert ecr.templates["team"]["appliedFor"] == ["CREATE_ON_PUSH"]
    assert ecr.templates["team"]["lifecyclePolicy"] == ""
    assert ecr.templates["team"]["description"] == "what the team pushes"
    assert not registry(ecr, creation_templates=[less])["changed"]
    assert registry(ecr, creation_templates=[less], purge_creation_templates=True)["changed"]
    assert set(ecr.templates) == {"team"}


def test_what_a_registry_has_is_taken_away(ecr: ECRDouble) -> None:
    registry(ecr, registry_policy=REPLICATE, replication=[{"destinations": [{"region": "eu-west-1"}]}], blob_mounting=True)
    done = registry(ecr, registry_policy={}, replication=[], blob_mounting=False)
    assert set(done["differences"]) == {"registry_policy", "replication", "blob_mounting"}
    assert not registry(ecr, registry_policy={}, replication=[], blob_mounting=False)["changed"]


def test_nothing_is_changed_where_something_cannot_be(ecr: ECRDouble) -> None:
    failed = registry(ecr, blob_mounting=True, creation_templates=[{"prefix": "Team", "applied_for": ["CREATE_ON_PUSH"]}])
    assert failed["error"]["subject"] == "creation_templates[0].prefix"
    ecr.denied.add("GetRegistryPolicy")
    assert registry(ecr, blob_mounting=True, registry_policy=REPLICATE)["error"]["kind"] == "access_denied"
    assert writes(ecr) == 0

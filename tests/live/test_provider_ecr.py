# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Amazon ECR as source and destination, through the modules: a double of moto and docker-registry stands for it."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path
from urllib.parse import unquote

import pytest
from estate import images
from estate.behaviour import Behaviour
from estate.client import Access
from estate.compare import assert_complete, tags_of
from runs.modules import ModuleRun, Options, endpoint, run_module

pytest.importorskip("moto", reason="moto is not installed: pip install moto flask flask-cors")

from estate.ecr import ACCOUNT, EXPIRED_SESSION, UNKNOWN_KEY, ECRDouble
from estate.product import Answer, Asked
from estate.proxy import Proxy

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.counting import CountingRegistry
    from estate.registry import Registry, RegistryFactory

#: nothing of this machine's own AWS reaches a module
NOWHERE = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
WITHOUT_KEYS = dict.fromkeys(("access_key", "secret_key"))


@pytest.fixture
def behind(registries: RegistryFactory) -> Registry:
    return registries.start("ecr")


@pytest.fixture
def ecr(behind: Registry) -> t.Iterator[ECRDouble]:
    with ECRDouble(behind) as double:
        yield double


@pytest.fixture
def other(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    """What is on the other side."""
    return counting_registry(Behaviour(referrers=False))


def at(ecr: ECRDouble, aws: Options | None = None, **more: t.Any) -> Options:
    """A connection to the double, by the API of AWS; `aws`: suboptions, None takes one away."""
    chosen = {name: value for name, value in ecr.aws(**(aws or {})).items() if value is not None}
    return endpoint(Access(ecr.url), **{"provider": "ecr", "aws": chosen, **more})


def copy(source: Options, destination: Options, folder: Path, variables: t.Mapping[str, str] | None = None, **more: t.Any) -> ModuleRun:
    options = {"source": source, "destination": destination, "state_dir": str(folder / "state"), **more}
    return run_module("registry_image_copy", options, variables={**NOWHERE, **(variables or {})})


def counts(run: ModuleRun) -> dict[str, int]:
    return {state: count for state, count in run.result["counts"].items() if count}


def tiny_set(tags: int) -> images.ImageSet:
    """One repository with so many images of a small blob each."""
    held = images.ImageSet()
    repository = held.repository("tiny/image")
    for number in range(tags):
        images.add_image(repository, f"tiny {number}", [], [f"v{number}"])
    return held


# -- to ECR --------------------------------------------------------------------------------------------------------------------


def test_everything_goes_there_and_nothing_is_left_to_do(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(images.demo_set())
    for name in images.demo_set().repositories:
        ecr.create(name)
    done = copy(endpoint(other), at(ecr), tmp_path)
    assert not done.result.get("failed"), done.text
    assert tags_of(ecr.behind) == tags_of(other)
    assert_complete(ecr.behind)
    assert ecr.asked["GetAuthorizationToken"] == 1
    assert 401 not in ecr.statuses[1:], "one refusal, to the ping, is all"
    assert ecr.throttled == 0
    listed = {tag: image.image_digest for name, held in ecr.repositories.items() for image in held.images for tag in image.image_tags}
    assert listed == {tag: digest for (_name, tag), digest in tags_of(other).items()}

    ecr.reset_log()
    other.log.clear()
    again = copy(endpoint(other), at(ecr), tmp_path)
    assert not again.result["changed"]
    assert ecr.asked["DescribeImages"] == len(images.demo_set().repositories)
    assert ecr.count("GET", "/manifests/") == 0
    assert ecr.count("GET", "/tags/list") == 0


def test_a_repository_has_to_exist(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(images.small_set())
    run = copy(endpoint(other), at(ecr), tmp_path)
    assert run.result["failed"]
    assert {failure["kind"] for failure in run.result["failures"]} == {"repository_unknown"}
    assert "created first" in run.text
    assert tags_of(ecr.behind) == {}


def test_a_creation_template_makes_repositories(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(images.small_set())
    options = {**ecr.aws(), "creation_templates": [{"prefix": "ROOT", "applied_for": ["CREATE_ON_PUSH"], "mutability": "IMMUTABLE"}]}
    assert run_module("ecr_registry", options, variables=NOWHERE).result["changed"]
    done = copy(endpoint(other), at(ecr), tmp_path)
    assert not done.result.get("failed"), done.text
    assert tags_of(ecr.behind) == tags_of(other)
    assert ecr.repositories["small/image"].image_tag_mutability == "IMMUTABLE"


def test_names_that_ecr_does_not_take_are_found_before_anything_moves(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    held = images.ImageSet()
    images.add_image(held.repository("x"), "x", [], ["1"])
    other.load(held)
    run = copy(endpoint(other), at(ecr), tmp_path)
    assert run.error["kind"] == "invalid_name"
    assert run.error["subject"] == "x"
    assert "Amazon Elastic Container Registry does not accept this name" in run.error["message"]
    assert "mapping.prefix" in run.error["hint"]
    assert ecr.count("POST|PUT", "/v2/") == 0


def test_nothing_is_created_where_a_name_cannot_be(ecr: ECRDouble, other: CountingRegistry) -> None:
    held = images.ImageSet()
    for name in ("team/app", "x"):
        images.add_image(held.repository(name), name, [], ["1"])
    other.load(held)
    for more in ({"source": endpoint(other)}, {"repositories": ["team/app", "x"]}):
        run = run_module("registry_repositories", {"destination": at(ecr), **more}, variables=NOWHERE)
        assert run.error["kind"] == "invalid_name"
        assert run.error["subject"].endswith("x")
        assert run.error["hint"]
    assert not ecr.repositories


KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/0f2f7f2e-6f7c-4d3e-9a55-0d6f3c9a1b2c"


@pytest.mark.parametrize(
    ("wanted", "setting"),
    [({"encryption": "AES256"}, "encryption"), ({"encryption": "KMS", "kms_key": KEY.replace("0f2f", "1111")}, "kms_key")],
)
def test_another_key_than_a_repository_has_leaves_it_as_it_is(ecr: ECRDouble, wanted: Options, setting: str) -> None:
    made = {**ecr.aws(), "name": "team/app", "encryption": "KMS", "kms_key": KEY}
    assert run_module("ecr_repo", made, variables=NOWHERE).result["changed"]
    options = {"destination": at(ecr), "repositories": ["team/app"], "settings": {**wanted, "scan_on_push": True}}
    ecr.reset_log()
    for check in (True, False):
        run = run_module("registry_repositories", options, check=check, variables=NOWHERE)
        assert run.result["failed"]
        assert run.result["counts"]["drift"] == 1
        assert f"repository team/app: {setting} {KEY if setting == 'kms_key' else 'KMS'} -> {wanted[setting]}" in run.result["msg"]
        assert "create it anew, or set drift to report" in run.result["msg"]
    assert {operation for operation in ecr.asked if not operation.startswith(("Describe", "Get", "List"))} == set()
    assert ecr.repositories["team/app"].image_scanning_configuration == {"scanOnPush": False}


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (
            403,
            "DENIED",
            f"The repository with name 'tiny/image' in registry with id '{ACCOUNT}' already has the maximum allowed number of images",
        ),
        (405, "UNSUPPORTED", "Invalid parameter at 'ImageManifest': Limit on number of layers per image exceeded"),
    ],
    ids=["403", "405"],
)
def test_a_quota_is_no_missing_right(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path, status: int, code: str, message: str) -> None:
    other.load(tiny_set(3))
    ecr.create("tiny/image")
    ecr.refusing["v1"] = (status, code, message)
    run = copy(endpoint(other), at(ecr), tmp_path)
    assert run.result["failed"]
    assert counts(run) == {"copied": 2, "failed": 1}
    (failure,) = run.result["failures"]
    assert failure["kind"] == "quota_exceeded"
    assert failure["tag"] == "v1"
    assert "because of a quota" in failure["message"]
    assert "Have the quota raised" in failure["hint"]
    assert sorted(tag for _name, tag in tags_of(ecr.behind)) == ["v0", "v2"]

    ecr.refusing.clear()
    assert counts(copy(endpoint(other), at(ecr), tmp_path)) == {"copied": 1, "unchanged": 2}


def test_manifests_are_sent_no_faster_than_ecr_takes_them(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(tiny_set(25))
    ecr.create("tiny/image")
    done = copy(endpoint(other), at(ecr), tmp_path)
    assert counts(done) == {"copied": 25}
    assert ecr.throttled == 0
    # 25 of them, one every tenth of a second
    assert done.result["seconds"] > 2.3


def test_a_registry_that_takes_less_is_not_stormed(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(tiny_set(12))
    ecr.create("tiny/image")
    ecr.manifests_per_second = 4.0
    done = copy(endpoint(other), at(ecr), tmp_path)
    assert counts(done) == {"copied": 12}
    assert ecr.throttled > 0
    assert ecr.count("PUT", "/manifests/") < 3 * 12


def test_layers_that_are_there_are_asked_for_in_bulk(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    layers = [images.layer(f"layer {number}", 3_000) for number in range(5)]
    held = images.ImageSet()
    images.add_image(held.repository("team/app"), "app 1", layers, ["1"])
    ecr.load(held)
    images.add_image(held.repository("team/app"), "app 2", [*layers, images.layer("its own", 3_000)], ["2"])
    other.load(held)
    done = copy(endpoint(other), at(ecr), tmp_path)
    assert counts(done) == {"copied": 1, "unchanged": 1}
    assert done.result["blobs"] == {"uploaded": 2, "mounted": 0, "present": 5}
    assert ecr.asked["BatchCheckLayerAvailability"] == 1
    assert ecr.count("POST", "/blobs/uploads/") == 2
    assert ecr.count("HEAD", "/blobs/") == 0


@pytest.mark.parametrize("mounting", [False, True])
def test_layers_are_mounted_where_the_account_allows_it(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path, mounting: bool) -> None:
    shared = images.layer("shared", 400_000)
    held = images.ImageSet()
    for number in range(3):
        images.add_image(held.repository(f"team/app{number}"), f"app {number}", [shared], ["1"])
        ecr.create(f"team/app{number}")
    other.load(held)
    if mounting:
        assert run_module("ecr_registry", {**ecr.aws(), "blob_mounting": True}, variables=NOWHERE).result["changed"]
    done = copy(endpoint(other), at(ecr), tmp_path)
    assert counts(done) == {"copied": 3}
    assert done.result["blobs"]["mounted"] == (2 if mounting else 0)
    assert done.result["blobs"]["uploaded"] == (4 if mounting else 6)
    assert_complete(ecr.behind)


def test_whoever_mounts_waits_for_the_manifest_that_names_the_layer(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    """No mount is refused, in whatever order the repositories need their layers, and nobody waits for ever."""
    layers = [images.layer(f"layer {number}", 30_000 + number) for number in range(6)]
    held = images.ImageSet()
    for number in range(12):
        chosen = [layers[(number + step * (1 + number % 3)) % 6] for step in range(3)]
        for tag in range(2):
            images.add_image(held.repository(f"team/app{number}"), f"app {number} {tag}", list(dict.fromkeys(chosen)), [f"v{tag}"])
        ecr.create(f"team/app{number}")
    other.load(held)
    ecr.account_settings["BLOB_MOUNTING"] = "ENABLED"
    ecr.manifests_per_second = 1000.0
    done = copy(endpoint(other), at(ecr), tmp_path)
    assert counts(done) == {"copied": 24}
    assert tags_of(ecr.behind) == tags_of(other)
    assert_complete(ecr.behind)
    mounts = [
        status
        for (_method, path), status in zip(ecr.log, ecr.statuses, strict=True)
        if "mount=" in path and unquote(path).partition("from=")[2] != path.removeprefix("/v2/").partition("/blobs/")[0]
    ]
    assert set(mounts) == {201}
    blobs = done.result["blobs"]
    assert blobs["mounted"] == len(mounts)
    assert blobs["uploaded"] + blobs["mounted"] + blobs["present"] == len(held.blob_pairs())


# -- tags that cannot be moved -------------------------------------------------------------------------------------------------


class Overtaken(ECRDouble):
    """Somebody else pushes a tag in the moment in which a run wants to: `meanwhile` has the manifests, by their tags."""

    def __init__(self, behind: Registry) -> None:
        self.meanwhile: dict[str, images.Manifest | None] = {}
        super().__init__(behind)

    def registry(self, asked: Asked) -> Answer | None:
        name, _path, tag = asked.path.removeprefix("/v2/").rpartition("/manifests/")
        if asked.method == "PUT" and tag in self.meanwhile:
            manifest = self.meanwhile.pop(tag)
            body = manifest.data if manifest else asked.body
            media_type = manifest.media_type if manifest else asked.headers["content-type"]
            first = Asked("PUT", asked.path, {}, {"content-type": media_type}, body)
            assert self.after(first, self._pass_on(first)).status == 201, name
        return super().registry(asked)


@pytest.fixture
def overtaken(behind: Registry) -> t.Iterator[Overtaken]:
    with Overtaken(behind) as double:
        yield double


def two_versions() -> tuple[images.ImageSet, images.ImageSet, images.Manifest]:
    """A repository with version 1, one with both, and the manifest of version 1."""
    first, both = images.ImageSet(), images.ImageSet()
    for held in (first, both):
        manifest = images.add_image(held.repository("team/app"), "app 1", [], ["1"])
    images.add_image(both.repository("team/app"), "app 2", [], ["2"])
    return first, both, manifest


def test_an_immutable_tag_with_the_same_digest_is_success(overtaken: Overtaken, other: CountingRegistry, tmp_path: Path) -> None:
    first, both, _manifest = two_versions()
    overtaken.create("team/app", "IMMUTABLE")
    overtaken.load(first)
    other.load(both)
    overtaken.meanwhile["2"] = None
    done = copy(endpoint(other), at(overtaken), tmp_path)
    assert counts(done) == {"copied": 1, "unchanged": 1}
    assert 400 in overtaken.statuses
    assert tags_of(overtaken.behind) == tags_of(other)


@pytest.mark.parametrize(("policy", "expected"), [("keep", {"kept": 1, "unchanged": 1}), ("overwrite", {"failed": 1, "unchanged": 1})])
def test_an_immutable_tag_with_another_digest_is_the_policys_business(
    overtaken: Overtaken, other: CountingRegistry, tmp_path: Path, policy: str, expected: dict[str, int]
) -> None:
    first, both, manifest = two_versions()
    overtaken.create("team/app", "IMMUTABLE")
    overtaken.load(first)
    other.load(both)
    overtaken.meanwhile["2"] = manifest
    run = copy(endpoint(other), at(overtaken), tmp_path, existing_tags=policy)
    assert counts(run) == expected
    assert bool(run.result.get("failed")) == (policy == "overwrite")
    assert [failure["kind"] for failure in run.result["failures"]] == ["tag_immutable"] * (policy == "overwrite")
    assert tags_of(overtaken.behind)["team/app", "2"] == manifest.digest


def test_tags_that_are_excluded_move(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    first, both, _manifest = two_versions()
    ecr.create("team/app", "IMMUTABLE_WITH_EXCLUSION", ["latest*"])
    repository = first.repository("team/app")
    repository.tags["latest"] = repository.tags["1"]
    ecr.load(first)
    newer = both.repository("team/app")
    newer.tags["latest"] = newer.tags["2"]
    other.load(both)
    done = copy(endpoint(other), at(ecr), tmp_path, existing_tags="overwrite")
    assert counts(done) == {"copied": 2, "unchanged": 1}
    assert tags_of(ecr.behind) == tags_of(other)


# -- from ECR ------------------------------------------------------------------------------------------------------------------


def test_everything_comes_from_there_over_many_pages(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    ecr.load(images.demo_set())
    ecr.largest_page = 2
    done = copy(at(ecr), endpoint(other), tmp_path)
    assert not done.result.get("failed"), done.text
    assert tags_of(other) == tags_of(ecr.behind)
    repositories = len(images.demo_set().repositories)
    assert ecr.asked["DescribeRepositories"] == -(-repositories // 2)
    assert ecr.asked["DescribeImages"] > repositories
    assert ecr.count("GET", "/tags/list") == 0

    ecr.reset_log()
    again = copy(at(ecr), endpoint(other), tmp_path)
    assert not again.result["changed"]
    assert ecr.count("GET", "/manifests/") == 0


def test_archived_images_are_named(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    ecr.load(two_versions()[1])
    ecr.archived.add(tags_of(ecr.behind)["team/app", "1"])
    run = copy(at(ecr), endpoint(other), tmp_path)
    assert counts(run) == {"copied": 1, "failed": 1}
    assert run.result["failures"][0]["kind"] == "image_archived"
    assert list(tags_of(other)) == [("team/app", "2")]


def test_an_inventory_tells_what_the_lists_tell(ecr: ECRDouble) -> None:
    ecr.load(images.small_set())
    found = run_module("registry_repo_info", {"source": at(ecr), "details": "digests"}, variables=NOWHERE).result
    assert [row["name"] for row in found["repositories"]] == ["small/image"]
    tags = {tag["name"]: tag["digest"] for tag in found["repositories"][0]["tags"]}
    assert tags == {tag: digest for (_name, tag), digest in tags_of(ecr.behind).items()}


def test_lists_that_are_closed_are_done_without(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    ecr.load(images.small_set())
    ecr.denied.add("DescribeImages")
    run = copy(at(ecr), endpoint(other), tmp_path)
    assert counts(run) == {"copied": 3}
    assert "own lists cannot be read" in run.text
    assert "ecr:DescribeImages" in run.text
    assert ecr.asked["DescribeImages"] == 1


def test_lists_that_are_not_the_registrys_are_not_believed(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    ecr.load(two_versions()[1])
    for image in ecr.repositories["team/app"].images:
        image._image_digest = "sha256:" + "0" * 64
    run = copy(at(ecr), endpoint(other), tmp_path)
    assert counts(run) == {"copied": 2}
    assert "the lists are not believed" in run.text
    assert tags_of(other) == tags_of(ecr.behind)


# -- who asks ------------------------------------------------------------------------------------------------------------------


class Expiring(ECRDouble):
    """All its passwords run out after so many manifests, once."""

    left = 3
    says_expired = False

    def after(self, asked: Asked, answer: Answer) -> Answer:
        if asked.method == "PUT" and "/manifests/" in asked.path:
            self.left -= 1
            if self.left == 0:
                self.expire_passwords()
        return super().after(asked, answer)


def test_a_password_that_runs_out_is_renewed_once(behind: Registry, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(tiny_set(8))
    with Expiring(behind) as ecr:
        ecr.create("tiny/image")
        done = copy(endpoint(other), at(ecr), tmp_path)
        assert counts(done) == {"copied": 8}
        assert ecr.asked["GetAuthorizationToken"] == 2


def test_user_and_password_do_without_the_api(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(images.small_set())
    ecr.create("small/image")
    password = ecr.password()
    done = copy(endpoint(other), endpoint(Access(ecr.url, "AWS", password), provider="ecr"), tmp_path)
    assert counts(done) == {"copied": 3}
    assert not ecr.asked
    assert password not in done.text
    create = {"destination": endpoint(Access(ecr.url, "AWS", password), provider="ecr"), "repositories": ["team/app"]}
    run = run_module("registry_repositories", create, variables={**NOWHERE, "AWS_DEFAULT_REGION": ecr.region})
    assert run.error["kind"] == "authentication_failed"
    assert "registry_create_repositories" in run.error["hint"]
    run = copy(endpoint(Access(ecr.url, "AWS", password), provider="ecr"), endpoint(other), tmp_path)
    assert run.error["kind"] == "catalog_forbidden"
    assert "Give aws" in run.error["hint"]


def test_it_is_known_by_its_challenge(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(images.small_set())
    ecr.create("small/image")
    done = copy(endpoint(other), at(ecr, provider=None), tmp_path)
    assert counts(done) == {"copied": 3}
    assert ecr.asked["DescribeImages"] == 1


def test_the_registrys_real_address_tells_the_region(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(images.small_set())
    ecr.create("small/image")
    real = at(ecr, {"region": None}, url=f"http://{ecr.registry_host}", connect_to=ecr.host, provider=None)
    assert counts(copy(endpoint(other), real, tmp_path)) == {"copied": 3}


def test_the_api_is_reached_through_the_proxy_of_the_registry(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(images.small_set())
    ecr.create("small/image")
    role = {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/mover"}
    with Proxy() as proxy:
        destination = at(ecr, role, proxy=proxy.url, no_proxy="nowhere.example.com")
        assert counts(copy(endpoint(other), destination, tmp_path, {"AWS_ENDPOINT_URL_STS": ecr.url})) == {"copied": 3}
        assert [one.target for one in proxy.log if one.method == "POST"].count(f"{ecr.url}/") == sum(ecr.asked.values())
        proxy.log.clear()
        destination = at(ecr, proxy=proxy.url, no_proxy="127.0.0.1")
        assert counts(copy(endpoint(other), destination, tmp_path)) == {"unchanged": 3}
        assert not proxy.log


def test_a_role_is_assumed(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(images.small_set())
    ecr.create("small/image")
    role = f"arn:aws:iam::{ACCOUNT}:role/mover"
    destination = at(ecr, {"role_arn": role, "external_id": "migration"})
    done = copy(endpoint(other), destination, tmp_path, {"AWS_ENDPOINT_URL_STS": ecr.url})
    assert counts(done) == {"copied": 3}
    assert ecr.asked["AssumeRole"] == 1


@pytest.mark.parametrize(
    ("role", "kind", "words", "way_out"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/closed", "access_denied", "cannot be assumed", "trust policy"),
        ("mover", "invalid_option", "RoleArn", "arn:aws:iam"),
    ],
)
def test_a_role_that_cannot_be_assumed(
    ecr: ECRDouble, other: CountingRegistry, tmp_path: Path, role: str, kind: str, words: str, way_out: str
) -> None:
    other.load(images.small_set())
    ecr.create("small/image")
    ecr.refused_roles.add(role)
    run = copy(endpoint(other), at(ecr, {"role_arn": role}), tmp_path, {"AWS_ENDPOINT_URL_STS": ecr.url})
    assert run.error["kind"] == kind
    assert run.error["subject"] == "destination.aws.role_arn"
    assert words in run.error["message"]
    assert way_out in run.error["hint"]
    assert tags_of(ecr.behind) == {}


def test_without_credentials_nothing_begins(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(images.small_set())
    run = copy(endpoint(other), at(ecr, WITHOUT_KEYS), tmp_path)
    assert run.error["kind"] == "authentication_failed"
    assert run.error["subject"] == "destination.aws"
    assert "no credentials for AWS were found" in run.error["message"]
    assert "access_key and secret_key" in run.error["hint"]
    assert ecr.count("POST|PUT", "/v2/") == 0
    for module, more in (("ecr_repo", {"name": "team/app"}), ("ecr_registry", {"blob_mounting": True})):
        failed = run_module(module, {"region": ecr.region, "endpoint_url": ecr.url, **more}, variables=NOWHERE)
        assert failed.error["kind"] == "authentication_failed"
        assert failed.error["hint"] == run.error["hint"]


@pytest.mark.parametrize(
    ("aws", "kind", "subject", "words"),
    [
        ({"session_token": EXPIRED_SESSION}, "authentication_failed", "session_token", "have expired"),
        ({"access_key": UNKNOWN_KEY}, "authentication_failed", "access_key", "does not take these credentials"),
        ({"secret_key": None}, "invalid_option", "secret_key", "is missing"),
        ({"profile": "nobody"}, "invalid_option", "profile", "nobody"),
        ({"endpoint_url": "http://127.0.0.1:9"}, "connection_failed", "region", "Could not connect"),
    ],
)
def test_what_is_wrong_with_aws_names_the_option(
    ecr: ECRDouble, other: CountingRegistry, tmp_path: Path, aws: Options, kind: str, subject: str, words: str
) -> None:
    other.load(images.small_set())
    run = copy(endpoint(other), at(ecr, aws), tmp_path)
    assert run.error["kind"] == kind
    assert run.error["subject"] == f"destination.aws.{subject}"
    assert words in run.error["message"]
    assert run.error["hint"]
    assert ecr.count("POST|PUT", "/v2/") == 0
    assert "estate-secret-key" not in run.text


def test_a_region_that_is_not_the_registrys(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(images.small_set())
    elsewhere = at(ecr, {"region": "us-east-1"}, url=f"http://{ecr.registry_host}", connect_to=ecr.host)
    run = copy(endpoint(other), elsewhere, tmp_path)
    assert run.error["kind"] == "invalid_option"
    assert run.error["subject"] == "destination.aws.region"
    assert "eu-central-1" in run.error["message"]
    assert "Leave it out" in run.error["hint"]
    assert not ecr.asked
    assert ecr.count("POST|PUT", "/v2/") == 0


def test_a_wrong_password_is_refused(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    other.load(images.small_set())
    ecr.create("small/image")
    password = f"{ecr.password()}-and-more"
    run = copy(endpoint(other), endpoint(Access(ecr.url, "AWS", password), provider="ecr"), tmp_path)
    assert run.error["kind"] == "authentication_failed"
    assert "Check username and password" in run.error["hint"]
    assert tags_of(ecr.behind) == {}
    assert password not in run.text


def test_a_login_that_has_run_out(ecr: ECRDouble, other: CountingRegistry, tmp_path: Path) -> None:
    """ECR says so with 403, as if a right were missing."""
    other.load(images.small_set())
    ecr.create("small/image")
    password = ecr.password()
    ecr.expire_passwords()
    run = copy(endpoint(other), endpoint(Access(ecr.url, "AWS", password), provider="ecr"), tmp_path)
    assert run.error["kind"] == "authentication_failed"
    assert "credentials have expired" in run.error["message"]
    assert "give a new password" in run.error["hint"]
    assert tags_of(ecr.behind) == {}
    assert password not in run.text

    # the option alone, with nothing in it, leaves such a login aside
    environment = {"AWS_ENDPOINT_URL_ECR": ecr.url, "AWS_ACCESS_KEY_ID": "AKIAESTATE0000000000", "AWS_SECRET_ACCESS_KEY": "key"}
    destination = endpoint(Access(ecr.url, "AWS", password), provider="ecr", aws={})
    done = copy(endpoint(other), destination, tmp_path, {**environment, "AWS_DEFAULT_REGION": ecr.region})
    assert counts(done) == {"copied": 3}

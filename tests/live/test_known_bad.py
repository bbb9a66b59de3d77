# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inputs on which other tools for the same work break: each has a test, here or elsewhere.

The other tools are docker/migrator (a shell script around an engine), image-syncer, Harbor's replication, Data Transfer Hub's plugin for
Amazon ECR, and scripts of docker pull, tag and push. What is said of them is what their sources do, or what their trackers report.
Of registries of version 1 docker/migrator alone reads, through an engine of that time.
"""

from __future__ import annotations

import ast
import base64
import dataclasses
import functools
import json
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.client import ACCEPT, Client
from estate.compare import tags_of
from estate.images import ImageSet
from estate.push import push
from runs.engine import Run, states
from runs.modules import endpoint, run_module
from runs.providers import warnings_of

if t.TYPE_CHECKING:
    from estate.registry import Registry, RegistryFactory

TESTS = Path(__file__).resolve().parents[1]
AMD64 = {"architecture": "amd64", "os": "linux"}
ARM64 = {"architecture": "arm64", "os": "linux"}
#: all that makes trouble in shells, URLs, YAML and files of credentials
PASSWORD = "pa$HOME ${word}\"'`: %41 @/#\\ end"


@dataclasses.dataclass(frozen=True)
class Covered:
    """Where the test of an input is, as pytest names it below tests/, and which tool breaks on that input, and how."""

    test: str
    breaks: str


#: inputs whose tests are elsewhere
ELSEWHERE: t.Mapping[str, Covered] = {
    "repository a/b/c in v1": Covered(
        "live/test_v1.py::test_a_name_of_three_parts",
        "docker/migrator takes it as the search has it, with an escaped slash, and pulls nothing",
    ),
    "empty layer in v1": Covered(
        "live/test_v1.py::test_a_layer_without_a_file_is_no_blob",
        "docker/migrator's engine makes a layer of it, one for each step that has only set something",
    ),
    "xz layer in v1": Covered(
        "live/test_v1.py::test_a_layer_that_is_compressed_with_xz",
        "docker/migrator's engine has the program xz unpack it, and fails where that is not installed",
    ),
    "half-uploaded image in v1": Covered(
        "live/test_v1.py::test_a_half_uploaded_image_is_reported",
        "docker/migrator cannot pull it, takes no notice of that whatever its ERROR_ACTION is, and ends as a success",
    ),
    "search of v1 off": Covered(
        "live/test_v1.py::test_without_a_search_the_repositories_have_to_be_named",
        "docker/migrator has to be given the list then, and does not apply its filter to one that is a single line",
    ),
    "tag list with relative Link": Covered(
        "live/test_client.py::test_links_that_lead_on", "docker/migrator cannot follow it: tags of later pages are copied again"
    ),
    "more than 1000 tags": Covered(
        "live/test_client.py::test_twenty_thousand_tags_in_pages",
        "Data Transfer Hub's plugin ends with more than a hundred images in a repository; docker/migrator sees the first page at ECR",
    ),
    "schema 1 alone": Covered(
        "live/test_engine.py::test_schema_1_is_reported_where_the_destination_refuses_it",
        "image-syncer sends it as it is, and Harbor refuses it",
    ),
    "zero-byte blob": Covered(
        "live/test_engine.py::test_layers_of_no_files_and_of_no_bytes",
        "Data Transfer Hub's plugin fails at ECR, which takes none",
    ),
    "foreign layer": Covered(
        "live/test_engine.py::test_foreign_layers_stay_where_they_are",
        "Harbor's replication leaves out those of Docker's media type, and no others",
    ),
    "two tags, one digest": Covered(
        "live/test_engine.py::test_tags_of_one_digest", "scripts of docker pull, tag and push move everything once for each tag"
    ),
    "untagged child": Covered(
        "live/test_engine.py::test_indexes_come_whole",
        "scripts of docker pull, tag and push lose all platforms but one; Data Transfer Hub's plugin lists nothing without a tag",
    ),
    "nested prefixes of credentials": Covered(
        "live/test_authentication.py::test_credentials_for_parts_of_a_registry",
        "image-syncer takes any of those that match, another one in each run",
    ),
    "immutable target, same digest": Covered(
        "live/test_engine.py::test_an_immutable_tag_that_has_the_digest_already_is_no_failure",
        "image-syncer compares manifests as JSON, puts the tag again where their keys are ordered otherwise, and fails",
    ),
    "immutable target, other digest": Covered(
        "live/test_bad_input.py::test_a_tag_that_is_immutable",
        "Harbor's replication skips it without override, and calls that a success",
    ),
    "collision after flattening": Covered(
        "live/test_bad_input.py::test_two_sources_for_one_tag", "Harbor's replication has the one that comes last overwrite the others"
    ),
    "upper-case name": Covered(
        "live/test_bad_input.py::test_a_name_that_a_regex_spoils", "scripts of docker pull, tag and push fail in the middle of a repository"
    ),
    "over-long name": Covered(
        "unit/plugins/module_utils/_copying/test_mapping.py::test_a_name_that_gets_too_long_is_an_error",
        "scripts of docker pull, tag and push create the repository in vain, and leave out the rest of them",
    ),
    "429 with Retry-After in seconds, as a date, in unix time": Covered(
        "live/test_faults_answers.py::test_429", "Harbor's replication and image-syncer look at none of them"
    ),
    "429 with X-Retry-After in unix time": Covered(
        "live/test_from_docker_hub.py::test_the_api_is_left_alone_until_the_moment_that_it_names",
        "Harbor's replication runs into it while it lists Docker Hub, and fails",
    ),
    "401 in the middle of a run": Covered(
        "live/test_authentication.py::test_tokens_that_run_out", "scripts of docker login sign in once, for twelve hours at ECR"
    ),
    "upload Location, relative": Covered(
        "live/test_faults_redirects.py::test_locations",
        "no tool is on record for it: clients that take it for a whole address",
    ),
    "upload Location on another host": Covered(
        "live/test_faults_redirects.py::test_uploads_elsewhere",
        "no tool is on record for it: clients that show the registry's password there",
    ),
    "mount answered 202": Covered(
        "live/test_faults_uploads.py::test_a_refused_mount",
        "Harbor's replication mounts within one Harbor alone, where it knows beforehand who has the blob",
    ),
    "HEAD without Docker-Content-Digest": Covered(
        "live/test_faults_bytes.py::test_no_digest_header",
        "Harbor's replication never finds images at SWR equal: it skips all that exist, or sends all of them again",
    ),
    "302 of a blob to another host": Covered(
        "live/test_faults_redirects.py::test_blobs_in_an_object_store",
        "no tool is on record for it: clients that send the registry's password along",
    ),
}

#: inputs whose tests are below
HERE = {
    "index entry without platform": "test_index_entry_without_platform",
    "index with attestations": "test_index_with_attestations",
    "OCI index of docker manifests, with a platform filter": "test_oci_index_of_docker_manifests_with_a_platform_filter",
    "manifest without mediaType": "test_manifest_without_media_type",
    "password with $ and more": "test_password_with_dollar_and_more",
    "registry at host:port": "test_registry_at_host_and_port",
}


@functools.lru_cache
def declared_in(path: str) -> dict[str, str]:
    """`{name: docstring}` of the tests of a file below tests/."""
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return {node.name: ast.get_docstring(node) or "" for node in functions}


@pytest.mark.parametrize("known", ELSEWHERE)
def test_each_input_has_its_test(known: str) -> None:
    path, _colons, name = ELSEWHERE[known].test.partition("::")
    assert name in declared_in(path)
    assert ELSEWHERE[known].breaks


def test_each_test_here_names_the_tool() -> None:
    docstrings = declared_in("live/test_known_bad.py")
    tools = ("docker/migrator", "image-syncer", "Harbor", "Data Transfer Hub", "docker pull")
    assert not HERE.keys() & ELSEWHERE.keys()
    for name in HERE.values():
        assert any(tool in docstrings[name] for tool in tools), name


@pytest.fixture
def run(registries: RegistryFactory, tmp_path: Path) -> Run:
    """Two real registries."""
    return Run(registries.start("source"), registries.start("destination"), tmp_path / "state")


def registry_of(run: Run, side: t.Literal["source", "destination"]) -> Registry:
    return t.cast("Registry", getattr(run, side))


def copied(run: Run, held: ImageSet, **policy: t.Any) -> None:
    """Everything arrives with its digests, and a second run has nothing to do, with the ledger or without."""
    push(registry_of(run, "source").url, held)
    assert states(run.copy(**policy)) == {"copied": len(held.tags())}
    assert tags_of(registry_of(run, "destination")) == held.tags()
    for again in (run, dataclasses.replace(run, state=run.state.with_name("another state"))):
        outcome = again.copy(**policy)
        assert states(outcome) == {"unchanged": len(held.tags())}
        assert not outcome.changed
    assert run.verify(mode="deep", **policy).different == 0


def index_at(run: Run, repository: str, tag: str) -> list[dict[str, t.Any]]:
    """What an index at the destination names."""
    with Client(registry_of(run, "destination").access) as client:
        answer = client.request("GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": ACCEPT}, expect=(200,))
    found: list[dict[str, t.Any]] = json.loads(answer.body)["manifests"]
    return found


def test_index_entry_without_platform(run: Run) -> None:
    """image-syncer crashes on it as soon as it is given a platform."""
    held = ImageSet()
    mixed = held.repository("odd/mixed")
    amd = images.add_image(mixed, "amd", [images.layer("amd", 2_000)])
    arm = images.add_image(mixed, "arm", [images.layer("arm", 2_000)], platform=ARM64)
    plain = images.add_image(mixed, "plain", [images.layer("plain", 2_000)])
    images.add_index(mixed, [amd.descriptor(platform=AMD64), plain.descriptor(), arm.descriptor(platform=ARM64)], ["1"])
    copied(run, held)
    # an entry that is for no platform is not for the wanted one
    outcome = run.copy({"mapping": {"prefix": "part"}}, platforms=["linux/amd64"], index="subset")
    assert states(outcome) == {"copied": 1}
    assert [child["digest"] for child in index_at(run, "part/odd/mixed", "1")] == [amd.digest]


def test_index_with_attestations(run: Run) -> None:
    """Scripts of docker pull, tag and push lose them, as docker/migrator does; image-syncer with any filter of platforms."""
    held = images.demo_set()
    with_attestations = {name: repository for name, repository in held.repositories.items() if _attestations(repository)}
    assert with_attestations
    chosen = ImageSet(with_attestations)
    copied(run, chosen)
    run.copy({"mapping": {"prefix": "part"}}, platforms=["linux/amd64"], index="subset")
    looked_at = 0
    for name, repository in with_attestations.items():
        for tag, digest in repository.tags.items():
            children = json.loads(repository.manifests[digest].data).get("manifests", [])
            wanted = [child["digest"] for child in children if _is_for(child, AMD64)]
            # an attestation goes with the image that it is about
            about = [child["digest"] for child in children if child.get("annotations", {}).get("vnd.docker.reference.digest") in wanted]
            if about:
                looked_at += 1
                assert {child["digest"] for child in index_at(run, f"part/{name}", tag)} == {*wanted, *about}
    assert looked_at


def _attestations(repository: images.Repository) -> bool:
    return any(b"vnd.docker.reference.digest" in manifest.data for manifest in repository.manifests.values())


def _is_for(child: dict[str, t.Any], platform: dict[str, str]) -> bool:
    there = child.get("platform", {})
    return all(there.get(key) == value for key, value in platform.items())


def test_oci_index_of_docker_manifests_with_a_platform_filter(run: Run) -> None:
    """image-syncer mixes up the wanted systems and architectures where the kinds of index and manifest differ."""
    held = ImageSet()
    mixed = held.repository("odd/kinds")
    children = {}
    for platform in (AMD64, ARM64):
        name = platform["architecture"]
        children[name] = images.add_image(mixed, name, [images.layer(name, 2_000)], docker=True, platform=platform)
    index = images.add_index(mixed, [children["amd64"].descriptor(platform=AMD64), children["arm64"].descriptor(platform=ARM64)], ["1"])
    copied(run, held)
    outcome = run.copy({"mapping": {"prefix": "part"}}, platforms=["linux/arm64"], index="subset")
    assert states(outcome) == {"copied": 1}
    (child,) = index_at(run, "part/odd/kinds", "1")
    # what stays is named as it was
    assert child == json.loads(index.data)["manifests"][1]
    assert child["mediaType"] == images.DOCKER_MANIFEST
    assert tags_of(registry_of(run, "destination"))["part/odd/kinds", "1"] != index.digest


def test_manifest_without_media_type(run: Run) -> None:
    """Data Transfer Hub's plugin sends it to ECR without saying what it is, and is told of an invalid syntax."""
    held = ImageSet()
    bare = held.repository("odd/bare")
    named = images.add_image(bare, "bare", [images.layer("bare", 2_000)])
    document = {key: value for key, value in json.loads(named.data).items() if key != "mediaType"}
    single = images.add_manifest(bare, document, images.OCI_MANIFEST, ["1"])
    assert b"oci.image.manifest" not in single.data
    entry = single.descriptor(platform=AMD64)
    images.add_manifest(bare, {"schemaVersion": 2, "manifests": [entry]}, images.OCI_INDEX, ["all"])
    copied(run, held)


def test_password_with_dollar_and_more(registries: RegistryFactory, tmp_path: Path) -> None:
    """image-syncer takes $... for a variable of the environment; scripts of docker pull, tag and push show all of it to the shell."""
    users = {"mover": PASSWORD}
    source, destination = registries.start("source", users=users), registries.start("destination", users=users)
    held = images.small_set()
    push(source.url, held, "mover", PASSWORD)
    options = {"source": endpoint(source), "destination": endpoint(destination), "state_dir": str(tmp_path / "state")}
    assert options["source"]["password"] == PASSWORD
    run = run_module("registry_image_copy", options)
    assert run.result["counts"]["copied"] == len(held.tags()), run.result
    assert tags_of(destination) == held.tags()
    assert PASSWORD not in run.text
    # and out of a file
    token = base64.b64encode(f"mover:{PASSWORD}".encode()).decode()
    file = tmp_path / "auth.json"
    hosts = [one.url.partition("://")[2] for one in (source, destination)]
    file.write_text(json.dumps({"auths": {host: {"auth": token} for host in hosts}}), encoding="utf-8")
    nobody: dict[str, t.Any] = {"username": None, "password": None, "auth_file": str(file)}
    options = {**options, "source": endpoint(source, **nobody), "destination": endpoint(destination, **nobody)}
    again = run_module("registry_image_copy", options)
    assert again.result["counts"]["unchanged"] == len(held.tags()), again.result
    assert warnings_of(again) == []
    assert PASSWORD not in again.text
    assert token not in again.text


def test_registry_at_host_and_port(registries: RegistryFactory, tmp_path: Path) -> None:
    """Data Transfer Hub's plugin takes what follows the first colon for the tag; docker/migrator's users got hosts and ports mixed up."""
    source, destination = registries.start("source"), registries.start("destination")
    held = ImageSet()
    # names that look like hosts and ports themselves
    for name, tag in (("old.example.com/team/app", "5000"), ("localhost", "443"), ("127.0.0.1/5000", "latest")):
        images.add_image(held.repository(name), name, [images.layer(name, 2_000)], [tag])
    push(source.url, held)
    host = source.url.partition("://")[2]
    assert ":" in host
    options = {
        "source": endpoint(source, url=host, plain_http=True),
        "destination": endpoint(destination, url=f"{destination.url}/"),
        "rules": [{"repositories": {"include": sorted(held.repositories)}}],
        "state_dir": str(tmp_path / "state"),
        "plan_file": str(tmp_path / "plan.jsonl"),
    }
    planned = run_module("registry_image_copy", options, check=True)
    assert planned.result["counts"]["copied"] == len(held.tags()), planned.result
    run = run_module("registry_image_copy", options)
    assert run.result["counts"]["copied"] == len(held.tags()), run.result
    assert tags_of(destination) == held.tags()

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that are converted because the destination refuses them as they are: OCI to docker's forms, schema 1 to what is read today."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import gzip
import json
import subprocess
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour
from estate.client import ACCEPT, Client
from estate.compare import assert_complete, tags_of
from estate.images import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from estate.push import push
from estate.swr import SoftwareRepositoryDouble
from estate.v1_double import V1Double
from estate.v1_images import push_all
from runs.modules import Options, endpoint, run_module
from runs.providers import reach

from ansible_collections.registryops.migration.plugins.module_utils._conversion.layers import LayerFacts
from ansible_collections.registryops.migration.plugins.module_utils._copying.ledger import Ledger

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.compare import Reachable
    from estate.registry import RegistryFactory

COPY, VERIFY, REPORT = "registry_image_copy", "registry_image_verify", "registry_report"
TO_DOCKER = {"oci": "docker"}
DOCKER_ONLY = frozenset({DOCKER_MANIFEST, DOCKER_LIST})
#: what a registry takes that takes no schema 1
NO_SCHEMA1 = frozenset(images.ALL_MANIFESTS) - {images.SCHEMA1_SIGNED}
AMD64, ARM64 = ({"architecture": architecture, "os": "linux"} for architecture in ("amd64", "arm64"))


def both(source: t.Any, destination: t.Any, folder: Path, **more: t.Any) -> Options:
    ends = [one if isinstance(one, dict) else endpoint(one) for one in (source, destination)]
    return {"source": ends[0], "destination": ends[1], "state_dir": str(folder / "state"), **more}


def served(registry: Reachable, repository: str, reference: str) -> tuple[str, t.Any]:
    """Media type and document of a manifest."""
    with Client(registry.access) as client:  # type: ignore[union-attr]
        answer = client.request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": ACCEPT}, expect=(200,))
    return answer.header("Content-Type"), json.loads(answer.body)


def blob(registry: Reachable, repository: str, digest: str) -> bytes:
    with Client(registry.access) as client:  # type: ignore[union-attr]
        return client.blob(repository, digest)


def mixed_set() -> images.ImageSet:
    """OCI images and indexes, one with an attestation, one of indexes, one without a platform; docker's forms beside them."""
    held = images.demo_set()
    api = held.repositories["app/api"]
    for tag in [tag for tag in api.tags if tag.startswith("sha256-")]:
        # what signs images has no docker form
        del api.tags[tag]
    needed = {manifest for tag, manifest in api.tags.items()}
    api.manifests = {digest: manifest for digest, manifest in api.manifests.items() if digest in needed}
    deep = held.repositories["platform/edge/proxy/sidecar"]
    images.add_index(deep, [deep.manifests[deep.tags["2026.11"]].descriptor()], ["untold"])
    odd = held.repository("app/odd")
    # docker's images in an index of OCI, and one of OCI in docker's list
    docker = images.add_image(odd, "odd docker", [images.layer("odd", 3_000)], docker=True)
    oci = images.add_image(odd, "odd oci", [images.layer("odd", 3_000)], platform=ARM64)
    images.add_index(odd, [docker.descriptor(platform=AMD64)], ["index"])
    images.add_index(odd, [docker.descriptor(platform=AMD64), oci.descriptor(platform=ARM64)], ["list"], docker=True)
    return held


# -- OCI to docker ---------------------------------------------------------------------------------------------------------------


def test_oci_images_become_schema_2_where_the_destination_refuses_oci(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source, destination = counting_registry(), counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
    held = mixed_set()
    source.load(held)
    # without the option no byte changes, and the failure tells of it
    refused = run_module(COPY, both(source, destination, tmp_path / "as they are")).result
    assert refused["counts"]["failed"] > 0
    assert all(one["kind"] == "unsupported_manifest" for one in refused["failures"])
    assert any("set convert.oci to docker" in one["hint"] for one in refused["failures"])

    destination = counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
    options = both(source, destination, tmp_path, convert=TO_DOCKER)
    plan = run_module(COPY, options, check=True).result
    done = run_module(COPY, options).result
    assert done["failures"] == []
    assert done["counts"]["copied"] == len(held.tags()) == plan["counts"]["copied"]
    assert plan["bytes_copied"] == done["bytes_copied"]
    assert_complete(destination)
    # every blob is one that the source had; attestations stay behind
    state = destination.snapshot()
    assert all(one.blobs <= set(held.repositories[name].blobs) for name, one in state.items())
    assert {kind for one in state.values() for kind in one.manifests.values()} == DOCKER_ONLY

    # what was docker's is what it was, also in a list in which all was
    for (repository, tag), digest in held.tags().items():
        manifest = held.repositories[repository].manifests[digest]
        children = [child["mediaType"] for child in json.loads(manifest.data).get("manifests", [])]
        as_it_was = manifest.media_type in DOCKER_ONLY and set(children) <= DOCKER_ONLY
        assert (state[repository].tags[tag] == digest) == as_it_was, (repository, tag)

    # nothing is read but lists and digests when nothing has changed
    source.reset_log()
    again = run_module(COPY, options).result
    assert (again["changed"], again["counts"]["unchanged"]) == (False, len(held.tags()))
    assert source.count("GET", "manifest") == source.count("GET", "blob") == 0
    assert not run_module(COPY, options, check=True).result["changed"]
    # nor without a ledger, though manifests are read for that
    forgetful = run_module(COPY, {**options, "state_dir": str(tmp_path / "another")}).result
    assert (forgetful["changed"], forgetful["counts"]["unchanged"]) == (False, len(held.tags()))
    for mode in ("light", "deep"):
        verified = run_module(VERIFY, {**options, "mode": mode}).result
        assert (verified["differences"], verified["equal"]) == ([], len(held.tags()))
    assert run_module(VERIFY, {**options, "convert": {}}).result["failed"]


def test_what_becomes_of_an_image(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source, destination = counting_registry(), counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
    held = mixed_set()
    source.load(held)
    assert not run_module(COPY, both(source, destination, tmp_path, convert=TO_DOCKER)).result["failures"]
    _type, before = served(source, "app/api", "3.1.4")
    media_type, after = served(destination, "app/api", "3.1.4")
    assert media_type == after["mediaType"] == DOCKER_MANIFEST
    assert after["config"] == {**before["config"], "mediaType": DOCKER_CONFIG}
    assert before["config"]["mediaType"] == OCI_CONFIG
    assert after["layers"] == [{**one, "mediaType": DOCKER_LAYER} for one in before["layers"]]
    # schema 2 has no place for them
    assert "annotations" in before
    assert "annotations" not in after

    _type, sidecar = served(destination, "platform/edge/proxy/sidecar", "2026.11")
    assert sidecar["layers"][-1]["mediaType"] == "application/vnd.docker.image.rootfs.diff.tar"
    _type, untold = served(destination, "platform/edge/proxy/sidecar", "untold")
    assert [one["platform"] for one in untold["manifests"]] == [AMD64]


def test_what_becomes_of_an_index(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source, destination = counting_registry(), counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
    source.load(mixed_set())
    options = both(source, destination, tmp_path, convert=TO_DOCKER)
    assert not run_module(COPY, options).result["failures"]
    _type, before = served(source, "tools/cli", "1.0")
    media_type, after = served(destination, "tools/cli", "1.0")
    assert media_type == after["mediaType"] == DOCKER_LIST
    # all platforms in their order, and no attestation of digests that are no more
    platforms = [one["platform"] for one in before["manifests"]]
    assert platforms.pop() == {"architecture": "unknown", "os": "unknown"}
    assert [one["platform"] for one in after["manifests"]] == platforms
    assert {one["mediaType"] for one in after["manifests"]} == {DOCKER_MANIFEST}
    assert not {one["digest"] for one in after["manifests"]} & {one["digest"] for one in before["manifests"]}

    media_type, bundle = served(destination, "platform/bundle", "1")
    assert [one["mediaType"] for one in bundle["manifests"]] == [DOCKER_LIST, DOCKER_MANIFEST]
    _type, before = served(source, "app/odd", "list")
    _type, after = served(destination, "app/odd", "list")
    # docker's own child is what it was
    assert after["manifests"][0]["digest"] == before["manifests"][0]["digest"]
    assert after["manifests"][1]["digest"] != before["manifests"][1]["digest"]

    # a part of it is chosen from the new list
    subset = both(source, counting_registry(Behaviour(manifest_types=DOCKER_ONLY)), tmp_path / "subset", convert=TO_DOCKER)
    subset.update(platforms=["linux/arm64"], platform_index="subset", rules=[{"repositories": {"include": ["tools/cli"]}}])
    assert not run_module(COPY, subset).result["failures"]
    assert not run_module(COPY, subset).result["changed"]


def test_new_digests_are_the_same_in_each_run(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source = counting_registry()
    source.load(mixed_set())
    found = []
    for number, workers in enumerate((1, 16)):
        destination = counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
        run_module(COPY, both(source, destination, tmp_path / str(number), convert=TO_DOCKER, workers=workers))
        found.append(destination.snapshot())
    assert found[0] == found[1]


def test_a_saved_plan_of_conversions_is_carried_out(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source, destination = counting_registry(), counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
    held = mixed_set()
    source.load(held)
    options = both(source, destination, tmp_path, convert=TO_DOCKER, plan_file=str(tmp_path / "plan.jsonl"))
    assert run_module(COPY, options, check=True).result["counts"]["copied"] == len(held.tags())
    done = run_module(COPY, options).result
    assert (done["failures"], done["counts"]["copied"]) == ([], len(held.tags()))
    # what was done already is not done again
    assert run_module(COPY, options).result["counts"]["unchanged"] == len(held.tags())


def test_a_digest_that_is_asked_for_is_found_again(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source, destination = counting_registry(), counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
    held = images.small_set()
    source.load(held)
    digest = held.repositories["small/image"].tags["one"]
    rules = [{"repositories": {"include": ["small/image"]}, "tags": {"include": [digest]}}]
    options = both(source, destination, tmp_path, convert=TO_DOCKER, rules=rules)
    assert run_module(COPY, options).result["counts"]["copied"] == 1
    for folder in ("state", "another"):
        again = run_module(COPY, {**options, "state_dir": str(tmp_path / folder)}).result
        assert (again["changed"], again["counts"]["unchanged"]) == (False, 1), folder


def test_several_destinations_get_the_same_converted_images(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source = counting_registry()
    held = mixed_set()
    source.load(held)
    first, second = (counting_registry(Behaviour(manifest_types=DOCKER_ONLY)) for _unused in range(2))
    options = both(source, first, tmp_path, convert=TO_DOCKER, further_destinations=[endpoint(second)])
    done = run_module(COPY, options).result
    assert (done["failures"], done["counts"]["copied"]) == ([], 2 * len(held.tags()))
    assert first.snapshot() == second.snapshot()
    again = run_module(COPY, options).result
    assert (again["changed"], again["counts"]["unchanged"]) == (False, 2 * len(held.tags()))


def test_the_report_has_both_digests(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source, destination = counting_registry(), counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
    held = images.small_set()
    source.load(held)
    options = both(source, destination, tmp_path, convert=TO_DOCKER)
    for _twice in range(2):
        ledger = run_module(COPY, options).result["ledger"]
        report = run_module(REPORT, {"ledgers": {"mover": ledger}, "output_dir": str(tmp_path / "report")}).result
        with open(report["csv_file"], encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        there = destination.snapshot()["small/image"].tags
        wanted = {tag: (old, there[tag]) for tag, old in held.repositories["small/image"].tags.items()}
        assert {row["tag"]: (row["source_digest"], row["digest"]) for row in rows} == wanted
        document = json.loads(Path(report["json_file"]).read_text(encoding="utf-8"))
        assert {row["tag"]: (row["source_digest"], row["digest"]) for row in document["converted"]} == wanted
        assert {(row["worker"], row["source_repository"], row["source_tag"] == row["tag"]) for row in document["converted"]} == {
            ("mover", "small/image", True)
        }


def _artifact(repository: images.Repository) -> None:
    image = images.add_image(repository, "signed", [images.layer("signed", 2_000)], ["1"])
    images.add_cosign_signature(repository, "registry.example/app", image)


def _helm_chart(repository: images.Repository) -> None:
    config = images.add_blob(repository, b'{"name": "chart"}', "application/vnd.cncf.helm.config.v1+json")
    content = images.add_blob(repository, b"chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [content]}
    images.add_manifest(repository, document, OCI_MANIFEST, ["1"])


def _empty_config(repository: images.Repository) -> None:
    subject = images.add_image(repository, "subject", [images.layer("subject", 2_000)])
    bill = images.add_referrer(repository, subject, images.SPDX, b"{}", fallback=False)
    repository.tags["1"] = bill.digest


def _zstd(repository: images.Repository) -> None:
    odd = dataclasses.replace(images.layer("compressed", 2_000), media_type="application/vnd.oci.image.layer.v1.tar+zstd")
    images.add_image(repository, "compressed", [odd], ["1"])


def _platform_nowhere(repository: images.Repository) -> None:
    image = images.add_image(repository, "nowhere", [images.layer("nowhere", 2_000)], platform={"os": "linux", "architecture": ""})
    images.add_index(repository, [image.descriptor()], ["1"])


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (_artifact, "has a layer of the type 'application/vnd.dev.cosign.simplesigning.v1+json'", "tags.exclude"),
        (_helm_chart, "is an artifact ('application/vnd.cncf.helm.config.v1+json')", "tags.exclude"),
        (_empty_config, f"is an artifact ('{images.SPDX}')", "tags.exclude"),
        (_zstd, "has layers compressed with zstd", "--dest-compress-format gzip"),
        (_platform_nowhere, "does not tell the platform of sha256:", "tags.exclude"),
    ],
)
def test_what_has_no_docker_form_is_named_with_the_way_out(
    counting_registry: MakeCountingRegistry, tmp_path: Path, make: t.Callable[[images.Repository], None], message: str, hint: str
) -> None:
    source, destination = counting_registry(), counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
    held = images.small_set()
    make(held.repository("team/odd"))
    source.load(held)
    result = run_module(COPY, both(source, destination, tmp_path, convert=TO_DOCKER)).result
    (failure,) = result["failures"]
    assert failure["kind"] == "unsupported_manifest"
    assert message in failure["message"]
    assert hint in failure["hint"]
    # the others are there all the same
    assert set(destination.snapshot()["small/image"].tags) == {"one", "two", "index"}


def test_conversions_one_after_the_other(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    """From v1 to OCI to docker's form, which nobody would ask for; the digest of the source stays that of the image of v1."""
    destination = counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
    with V1Double(tmp_path / "v1") as old:
        pushed = push_all(old.url)
        convert = {"v1": "oci", "oci": "docker"}
        options = both({"type": "v1", "url": old.url}, destination, tmp_path, convert=convert, plan_file=str(tmp_path / "plan.jsonl"))
        tags = sum(len(tags) for tags, _chain in pushed.values())
        assert run_module(COPY, options, check=True).result["counts"]["copied"] == tags
        assert run_module(COPY, options).result["counts"]["copied"] == tags
        del options["plan_file"]
        again = run_module(COPY, options).result
        assert (again["changed"], again["counts"]["unchanged"]) == (False, tags)


def test_signatures_are_not_followed(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source, destination = counting_registry(), counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
    held = images.demo_set()
    source.load(held)
    rules = [{"repositories": {"include": ["app/api"]}, "tags": {"include": ["3.*"]}}]
    options = both(source, destination, tmp_path, convert=TO_DOCKER, rules=rules)
    for changed in (True, False):
        result = run_module(COPY, options).result
        assert (result["failures"], result["changed"]) == ([], changed)
    assert set(destination.snapshot()["app/api"].tags) == {"3.1", "3.1.4"}
    assert source.count(kind="referrers") == 0
    # nor are they, where everything else is taken, if they are left out as the failure says
    everything = {**options, "rules": [{"tags": {"exclude": ["regex:sha256-.*"]}}], "destination": endpoint(counting_registry())}
    result = run_module(COPY, everything).result
    assert (result["failures"], result["counts"]["copied"]) == ([], len([tag for _name, tag in held.tags() if "sha256-" not in tag]))


def test_swr_gets_what_it_takes(registries: RegistryFactory, skopeo: None, tmp_path: Path) -> None:
    source = registries.start("source")
    push(source.url, images.small_set())
    keys, project = {"AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG"}, "eu-de_team"
    with SoftwareRepositoryDouble(registries.start("swr"), project, keys, ["small"]) as swr:
        swr.takes_oci = False
        access = {"project": project, "access_key": "AKIDEXAMPLE", "secret_key": keys["AKIDEXAMPLE"]}
        options = both(source, reach(swr, swr=access), tmp_path)
        refused = run_module(COPY, options).result
        assert {one["message"] for one in refused["failures"]} == {
            "the registry does not accept this (Invalid image, fail to parse 'manifest.json')."
        }
        assert all("set convert.oci to docker" in one["hint"] for one in refused["failures"])
        for changed in (True, False):
            result = run_module(COPY, {**options, "convert": TO_DOCKER}).result
            assert (result["failures"], result["changed"]) == ([], changed)
        assert run_module(VERIFY, {**options, "convert": TO_DOCKER, "mode": "deep"}).result["equal"] == 3
        # another tool finds the image whole
        command = ["skopeo", "copy", "--src-tls-verify=false", f"docker://{swr.behind.access.url.partition('//')[2]}/small/image:one"]
        subprocess.run([*command, f"dir:{tmp_path / 'read back'}"], check=True, capture_output=True, timeout=60)


# -- schema 1 --------------------------------------------------------------------------------------------------------------------

OLD_LAYERS = (images.layer("old 1", 80_000), images.EMPTY_LAYER, images.layer("old 2", 70_000))


def old_set() -> images.ImageSet:
    """`old/image` with two tags, which schema 1 gives two digests, and an ordinary image beside it."""
    held = images.schema1_set()
    images.add_schema1(held.repository("old/image"), "old/image", "2016", OLD_LAYERS)
    return held.update(images.small_set())


@pytest.mark.parametrize(
    ("form", "manifest_type", "layer_type"), [("docker", DOCKER_MANIFEST, DOCKER_LAYER), ("oci", OCI_MANIFEST, OCI_LAYER)]
)
def test_schema_1_is_converted_where_the_destination_refuses_it(
    registries: RegistryFactory, skopeo: None, tmp_path: Path, form: str, manifest_type: str, layer_type: str
) -> None:
    source, destination = registries.start("source", schema1=True), registries.start("destination")
    held = old_set()
    push(source.url, held)
    before = tags_of(source)
    options = both(source, destination, tmp_path)
    refused = run_module(COPY, options).result
    assert {(one["repository"], one["kind"]) for one in refused["failures"]} == {("old/image", "unsupported_manifest")}
    assert "set convert.schema1 to docker or oci" in refused["failures"][0]["hint"]

    options["convert"] = {"schema1": form}
    done = run_module(COPY, options).result
    assert (done["failures"], done["changed"]) == ([], True)
    assert_complete(destination)
    after = tags_of(destination)
    # nothing else has changed; and what was one image under two digests has one
    assert {key: digest for key, digest in after.items() if key[0] != "old/image"} == {
        key: digest for key, digest in before.items() if key[0] != "old/image"
    }
    assert after["old/image", "2015"] == after["old/image", "2016"]
    assert before["old/image", "2015"] != before["old/image", "2016"]

    media_type, document = served(destination, "old/image", "2015")
    assert media_type == manifest_type
    kept = [OLD_LAYERS[0], OLD_LAYERS[2]]
    assert document["layers"] == [{"mediaType": layer_type, "size": len(one.data), "digest": one.digest} for one in kept]
    config = json.loads(blob(destination, "old/image", document["config"]["digest"]))
    assert config["rootfs"] == {"type": "layers", "diff_ids": [one.diff_id for one in kept]}
    assert [step.get("empty_layer", False) for step in config["history"]] == [False, True, False]
    assert (config["architecture"], config["os"]) == ("amd64", "linux")
    assert not {"id", "parent"} & set(config)
    where = f"docker://{destination.access.url.partition('//')[2]}/old/image:2015"
    subprocess.run(
        ["skopeo", "copy", "--src-tls-verify=false", where, f"dir:{tmp_path / 'back'}"], check=True, capture_output=True, timeout=60
    )

    again = run_module(COPY, options).result
    assert (again["changed"], again["counts"]["unchanged"]) == (False, len(before))
    for mode in ("light", "deep"):
        verified = run_module(VERIFY, {**options, "mode": mode}).result
        assert (verified["differences"], verified["equal"]) == ([], len(before))


def test_no_layer_is_read_twice_for_what_it_is(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source = counting_registry(Behaviour(referrers=False))
    source.load(old_set())
    options = both(source, counting_registry(Behaviour(manifest_types=NO_SCHEMA1)), tmp_path, convert={"schema1": "docker"})
    # a plan, and a choice by date, do without
    dated = [{"tags": {"since": "2020-01-01"}}]
    assert run_module(COPY, {**options, "rules": dated}, check=True).result["counts"]["copied"] == 5
    assert run_module(COPY, options, check=True).result["bytes_copied"] > sum(len(one.data) for one in OLD_LAYERS)
    assert not [one for one in source.log if one.method == "GET" and one.path.endswith(tuple(layer.digest for layer in OLD_LAYERS))]
    source.reset_log()
    assert not run_module(COPY, options).result["failures"]
    layers = {one.digest for one in OLD_LAYERS} - {images.EMPTY_LAYER.digest}
    reads = [one.path.rpartition("/")[2] for one in source.log if (one.method, one.kind) == ("GET", "blob")]
    # once for what has to be known of it, and once to send it; the empty one is known
    assert sorted(one for one in reads if one in {*layers, images.EMPTY_LAYER.digest}) == sorted([*layers, *layers])

    # with the same notes, a list that has lost the tags costs manifests, and a destination that has lost all only what is sent
    source.reset_log()
    assert run_module(COPY, options).result["changed"] is False
    assert source.count("GET", "manifest") == source.count("GET", "blob") == 0
    other = counting_registry(Behaviour(manifest_types=NO_SCHEMA1))
    assert not run_module(COPY, {**options, "destination": endpoint(other)}).result["failures"]
    reads = [one.path.rpartition("/")[2] for one in source.log if (one.method, one.kind) == ("GET", "blob")]
    assert sorted(one for one in reads if one in layers) == sorted(layers)


def _history(*documents: Options) -> list[Options]:
    return [{"v1Compatibility": json.dumps(one)} for one in documents]


def _unsigned(repository: images.Repository, layers: t.Sequence[bytes], history: t.Any) -> None:
    sums = [{"blobSum": images.add_blob(repository, data, DOCKER_LAYER)["digest"]} for data in layers]
    document = {"schemaVersion": 1, "name": "old/odd", "tag": "1", "architecture": "arm", "fsLayers": sums, "history": history}
    images.add_manifest(repository, images.compact(document), images.SCHEMA1_SIGNED.replace("prettyjws", "json"), ["1"])


def test_schema_1_without_a_signature(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source, destination = counting_registry(Behaviour(accept="any")), counting_registry(Behaviour(manifest_types=NO_SCHEMA1))
    held = images.ImageSet()
    plain = gzip.decompress(OLD_LAYERS[0].data)
    command = {"Cmd": ["/bin/sh", "-c", '#(nop) CMD ["sh"]']}
    newest = {
        "id": "b" * 64,
        "parent": "a" * 64,
        "throwaway": True,
        "architecture": "arm",
        "os": "linux",
        "created": "2016-01-02T00:00:00Z",
    }
    newest.update(container_config=command, config={"Cmd": ["sh"]}, Size=0, author="somebody", variant="v7")
    base = {"id": "a" * 64, "created": "2016-01-01T00:00:00Z", "comment": "imported"}
    # the layer of the base is a plain archive; what is thrown away has a layer with files, which does not matter
    _unsigned(held.repository("old/odd"), [OLD_LAYERS[2].data, plain], _history(newest, base))
    source.load(held)
    options = both(source, destination, tmp_path, convert={"schema1": "oci"})
    for changed in (True, False):
        result = run_module(COPY, options).result
        assert (result["failures"], result["changed"]) == ([], changed)
    assert_complete(destination)
    _type, document = served(destination, "old/odd", "1")
    (layer,) = document["layers"]
    assert gzip.decompress(blob(destination, "old/odd", layer["digest"])) == plain
    assert json.loads(blob(destination, "old/odd", document["config"]["digest"])) == {
        "architecture": "arm",
        "author": "somebody",
        "config": {"Cmd": ["sh"]},
        "container_config": command,
        "created": "2016-01-02T00:00:00Z",
        "history": [
            {"created": "2016-01-01T00:00:00Z", "comment": "imported"},
            {"created": "2016-01-02T00:00:00Z", "author": "somebody", "created_by": " ".join(command["Cmd"]), "empty_layer": True},
        ],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [OLD_LAYERS[0].diff_id]},
        "variant": "v7",
    }


def test_a_noted_layer_that_is_compressed_in_another_way_is_forgotten(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    """As after a change of zlib: one run fails, and the next one reads the layer anew."""
    source, destination = counting_registry(Behaviour(accept="any")), counting_registry(Behaviour(manifest_types=NO_SCHEMA1))
    held = images.ImageSet()
    plain = gzip.decompress(OLD_LAYERS[0].data)
    _unsigned(held.repository("old/odd"), [plain], _history({"id": "a" * 64, "created": "2016-01-01T00:00:00Z"}))
    source.load(held)
    options = both(source, destination, tmp_path, convert={"schema1": "docker"})
    another = gzip.compress(plain, 1, mtime=0)
    facts = LayerFacts(images.digest_of(another), len(another), images.digest_of(plain))
    with contextlib.closing(Ledger(options["state_dir"])) as ledger:
        ledger.notes(source.host).put(f"layer:{images.digest_of(plain)}", facts.as_note())
    (failure,) = run_module(COPY, options).result["failures"]
    assert failure["kind"] == "digest_mismatch"
    assert "compressed in another way on this host" in failure["message"]
    assert "Run again" in failure["hint"]
    result = run_module(COPY, options).result
    assert (result["failures"], result["counts"]["copied"]) == ([], 1)
    _type, document = served(destination, "old/odd", "1")
    (layer,) = document["layers"]
    assert layer["digest"] != facts.digest
    assert gzip.decompress(blob(destination, "old/odd", layer["digest"])) == plain


@pytest.mark.parametrize(
    ("layers", "history", "kind", "message"),
    [
        ([OLD_LAYERS[0].data], _history({}, {}), "invalid_manifest", "another number of layers than of entries in its history"),
        ([OLD_LAYERS[0].data], [{"v1Compatibility": 1}], "invalid_manifest", "no text v1Compatibility in history[0]"),
        ([OLD_LAYERS[0].data], [{"v1Compatibility": "[]"}], "invalid_manifest", "is JSON, but no object"),
        ([OLD_LAYERS[0].data], [{"v1Compatibility": "[" * 70_000}], "invalid_manifest", "nests deeper than"),
        ([OLD_LAYERS[0].data[:-9]], _history({}), "invalid_layer", "ends in the middle"),
        ([b"\x28\xb5\x2f\xfd and so on"], _history({}), "unsupported_manifest", "zstd"),
    ],
)
def test_what_is_broken_in_schema_1(
    counting_registry: MakeCountingRegistry, tmp_path: Path, layers: list[bytes], history: t.Any, kind: str, message: str
) -> None:
    source, destination = counting_registry(Behaviour(accept="any")), counting_registry()
    held = images.small_set()
    _unsigned(held.repository("old/odd"), layers, history)
    source.load(held)
    result = run_module(COPY, both(source, destination, tmp_path, convert={"schema1": "docker"})).result
    (failure,) = result["failures"]
    assert (failure["kind"], failure["repository"]) == (kind, "old/odd")
    assert message in failure["message"]
    assert failure["hint"]
    assert result["counts"]["copied"] == 3


def test_schema_1_in_a_list(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source = counting_registry()
    held = images.schema1_set()
    repository = held.repository("old/image")
    (old,) = repository.manifests.values()
    new = images.add_image(repository, "new", [images.layer("new", 3_000)], docker=True, platform=ARM64)
    images.add_index(repository, [old.descriptor(platform=AMD64), new.descriptor(platform=ARM64)], ["list"], docker=True)
    images.add_index(repository, [old.descriptor(), new.descriptor(platform=ARM64)], ["untold"], docker=True)
    del repository.tags["2015"]
    source.load(held)
    for number, convert in enumerate(({"schema1": "docker"}, {"schema1": "docker", "oci": "docker"})):
        destination = counting_registry(Behaviour(manifest_types=DOCKER_ONLY))
        options = both(source, destination, tmp_path / str(number), convert=convert)
        for changed in (True, False):
            result = run_module(COPY, options).result
            assert (result["failures"], result["changed"]) == ([], changed)
        assert_complete(destination)
        _type, listed = served(destination, "old/image", "list")
        assert [one["platform"] for one in listed["manifests"]] == [AMD64, ARM64]
        assert {one["mediaType"] for one in listed["manifests"]} == {DOCKER_MANIFEST}
        assert listed["manifests"][1]["digest"] == new.digest
        # the platform of what tells none is that of its configuration
        _type, untold = served(destination, "old/image", "untold")
        assert [one.get("platform") for one in untold["manifests"]] == [AMD64 if number else None, ARM64]

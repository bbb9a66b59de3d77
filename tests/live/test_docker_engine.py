# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker engine as a source and as a destination: a real one, started for these tests."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from estate import images, ports, ssh_server
from estate.client import ACCEPT, Client
from estate.compare import Skopeo, assert_complete, tags_of
from estate.docker_engine import DockerEngine, EngineMissing
from estate.engine_double import EngineDouble
from estate.images import digest_of
from estate.push import push
from runs.modules import ModuleRun, Options, endpoint, environment, run_module
from runs.unequal import Unequal

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import LibraryMissing
from ansible_collections.registryops.migration.plugins.module_utils._stores.engine_api import EngineAddress, EngineAPI

if t.TYPE_CHECKING:
    from conftest import MakeSmallDisk
    from estate.certificates import CertificateAuthority
    from estate.registry import Registry, RegistryFactory

COUNTS = {"copied": 0, "unchanged": 0, "kept": 0, "conflict": 0, "failed": 0, "not_attempted": 0}
#: requests to an engine that has nothing to export: its version, what it says of itself, its images
LOOKED_AT = 3


def content(name: str, size: int = 100_000) -> bytes:
    """Bytes that cannot be compressed, the same at each run."""
    return random.Random(name).randbytes(size)


def engine_endpoint(engine: DockerEngine, **more: t.Any) -> Options:
    return {"type": "docker_engine", "url": engine.url, **more}


def only(*patterns: str, **mapping: t.Any) -> list[Options]:
    """Rules that select by patterns; the engine is shared by all tests."""
    rule: Options = {"repositories": {"include": list(patterns)}}
    return [{**rule, "mapping": mapping}] if mapping else [rule]


def copy(source: Options, destination: Options, folder: Path, **more: t.Any) -> ModuleRun:
    options = {"source": source, "destination": destination, "state_dir": str(folder / "state"), **more}
    return run_module("registry_image_copy", options)


def done(run: ModuleRun, **counts: int) -> Options:
    assert run.result.get("counts") == {**COUNTS, **counts}, run.text
    return run.result


def warnings_of(result: Options) -> list[str]:
    """As text; newer versions of Ansible wrap it."""
    return [warning if isinstance(warning, str) else warning["event"]["msg"] for warning in result.get("warnings", [])]


def manifest_of(registry: Registry, repository: str, reference: str) -> t.Any:
    with Client(registry.access) as client:
        answer = client.request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": ACCEPT}, expect=(200,))
        return answer.json()


def blob_of(registry: Registry, repository: str, digest: str) -> bytes:
    with Client(registry.access) as client:
        return client.blob(repository, digest)


# -- from an engine ------------------------------------------------------------------------------------------------------------


def test_images_go_from_an_engine_to_a_registry(
    docker_engine: DockerEngine, registries: RegistryFactory, skopeo: None, tmp_path: Path
) -> None:
    base = docker_engine.build("from-engine/base:1", [("a", content("base"))])
    app = docker_engine.build("from-engine/app:2", [("a", content("base")), ("b", content("b")), ("c", content("c"))])
    docker_engine.tag("from-engine/base:1", "from-engine/base:stable")
    destination = registries.start("destination")

    run = copy(engine_endpoint(docker_engine), endpoint(destination), tmp_path, rules=only("from-engine/*"))
    result = done(run, copied=3)
    assert result["changed"]
    assert "warnings" not in result
    # the base layer is one blob, whatever the number of images that are built on it
    assert result["blobs"]["uploaded"] == 5
    assert assert_complete(destination) == 6
    for repository, tag, identity in (("from-engine/base", "1", base), ("from-engine/app", "2", app), ("from-engine/base", "stable", base)):
        manifest = manifest_of(destination, repository, tag)
        assert manifest["mediaType"] == images.DOCKER_MANIFEST
        # an image's ID is the digest of its configuration
        assert manifest["config"]["digest"] == identity
        diff_ids = json.loads(blob_of(destination, repository, identity))["rootfs"]["diff_ids"]
        layers = [gzip.decompress(blob_of(destination, repository, layer["digest"])) for layer in manifest["layers"]]
        assert [digest_of(layer) for layer in layers] == diff_ids
    with Skopeo(destination) as reader:
        assert json.loads(reader.inspect_raw("from-engine/app", "2"))["config"]["digest"] == app
        assert sorted(reader.list_tags("from-engine/base")) == ["1", "stable"]


def test_a_second_run_exports_nothing_and_changes_nothing(docker_engine: DockerEngine, registries: RegistryFactory, tmp_path: Path) -> None:
    docker_engine.build("again/app:1", [("a", content("again")), ("b", content("again b"))])
    destination = registries.start("destination")
    rules = only("again/app")
    done(copy(engine_endpoint(docker_engine), endpoint(destination), tmp_path, rules=rules), copied=1)
    before, exports = tags_of(destination), docker_engine.exports()

    again = done(copy(engine_endpoint(docker_engine), endpoint(destination), tmp_path, rules=rules), unchanged=1)
    assert not again["changed"]
    assert again["requests"]["source"] == LOOKED_AT
    assert docker_engine.exports() == exports
    assert tags_of(destination) == before

    # a new tag on the same layers: the image is known, and so are they
    docker_engine.tag("again/app:1", "again/app:latest")
    more = done(copy(engine_endpoint(docker_engine), endpoint(destination), tmp_path, rules=rules), copied=1, unchanged=1)
    assert more["bytes_copied"] == 0
    assert docker_engine.exports() == exports

    # without the ledger it is exported again, and comes out the same
    lost = copy(engine_endpoint(docker_engine), endpoint(destination), tmp_path / "elsewhere", rules=rules)
    assert not done(lost, unchanged=2)["changed"]
    assert docker_engine.exports() == exports + 1


def test_images_that_are_wanted_again_elsewhere_are_exported_for_their_layers_alone(
    docker_engine: DockerEngine, registries: RegistryFactory, tmp_path: Path
) -> None:
    docker_engine.build("elsewhere/app:1", [("a", content("elsewhere")), ("b", content("elsewhere b"))])
    first, second = registries.start("first"), registries.start("second")
    rules = only("elsewhere/app")
    done(copy(engine_endpoint(docker_engine), endpoint(first), tmp_path, rules=rules), copied=1)
    exports = docker_engine.exports()
    done(copy(engine_endpoint(docker_engine), endpoint(second), tmp_path, rules=rules), copied=1)
    assert docker_engine.exports() == exports + 1
    assert tags_of(second) == tags_of(first)


def test_layers_for_which_the_spool_has_no_room_are_streamed(
    docker_engine: DockerEngine, registries: RegistryFactory, tmp_path: Path
) -> None:
    docker_engine.build("streamed/app:1", [("a", content("streamed", 3 << 20)), ("b", content("small")), ("c", content("large", 2 << 20))])
    destination = registries.start("destination")
    run = copy(engine_endpoint(docker_engine), endpoint(destination), tmp_path, rules=only("streamed/app"), spool_bytes=1 << 20)
    done(run, copied=1)
    assert assert_complete(destination) == 4


def test_a_plan_tells_what_would_move(docker_engine: DockerEngine, registries: RegistryFactory, tmp_path: Path) -> None:
    identity = docker_engine.build("planned/app:1", [("a", content("planned"))])
    exports = docker_engine.exports()
    destination = registries.start("destination")
    plan_file = tmp_path / "plan.jsonl"
    options = {
        "source": engine_endpoint(docker_engine),
        "destination": endpoint(destination),
        "state_dir": str(tmp_path / "state"),
        "rules": only("planned/app"),
        "plan_file": str(plan_file),
    }
    plan = run_module("registry_image_copy", options, check=True).result
    assert plan["counts"] == {**COUNTS, "copied": 1}
    # nothing is exported for a plan, so it tells the size that the engine has unpacked
    assert plan["bytes_copied"] == 100_000
    assert docker_engine.exports() == exports
    assert tags_of(destination) == {}
    assert not (tmp_path / "state").exists()
    assert identity in plan_file.read_text(encoding="utf-8")
    done(run_module("registry_image_copy", options), copied=1)
    verified = run_module("registry_image_verify", {key: options[key] for key in ("source", "destination", "state_dir", "rules")})
    assert verified.result["equal"] == 1, verified.text


def test_several_destinations_take_one_export(docker_engine: DockerEngine, registries: RegistryFactory, tmp_path: Path) -> None:
    docker_engine.build("several/app:1", [("a", content("several", 400_000)), ("b", content("several b"))])
    first, second = registries.start("first"), registries.start("second")
    exports = docker_engine.exports()
    more = {"further_destinations": [endpoint(second)], "rules": only("several/app")}
    done(copy(engine_endpoint(docker_engine), endpoint(first), tmp_path, **more), copied=2)
    assert docker_engine.exports() == exports + 1
    assert tags_of(first) == tags_of(second)
    assert assert_complete(second) == 3
    assert not done(copy(engine_endpoint(docker_engine), endpoint(first), tmp_path, **more), unchanged=2)["changed"]
    assert docker_engine.exports() == exports + 1


# -- docker pull, docker tag, docker push, in one task -------------------------------------------------------------------------


def test_what_docker_images_shows_goes_to_a_registry_in_one_task(
    docker_engine: DockerEngine, registries: RegistryFactory, skopeo: None, tmp_path: Path
) -> None:
    """The way of `docker pull`, `docker tag` and `docker push` for each image, without a script; and what becomes of digests on it."""
    old, new = registries.start("old"), registries.start("new")
    held = images.ImageSet()
    for name in ("web", "team/worker"):
        images.add_image(held.repository(name), name, [images.layer("base", 20_000), images.layer(name, 30_000)], ["v1"], docker=True)
    push(old.url, held)
    host = old.url.removeprefix("http://")
    identities = {name: docker_engine.pull(f"{host}/{name}:v1") for name in ("web", "team/worker")}

    source = engine_endpoint(docker_engine, image_host=host)
    run = copy(source, endpoint(new), tmp_path, rules=[{"mapping": {"prefix": "cloud-develop"}}])
    result = done(run, copied=2)
    assert set(tags_of(new)) == {("cloud-develop/web", "v1"), ("cloud-develop/team/worker", "v1")}
    for name, identity in identities.items():
        before, made = held.repositories[name].tags["v1"], manifest_of(new, f"cloud-develop/{name}", "v1")
        after = tags_of(new)[f"cloud-develop/{name}", "v1"]
        assert made["config"]["digest"] == identity
        # an engine has forgotten how the layers were compressed
        assert before != after
        (warning,) = warnings_of(result)
        assert f"{host}/{name}:v1 was {before} and is {after}" in warning
    assert warning.startswith("2 image(s) of the engine")
    assert assert_complete(new) == 6

    # docker runs what was copied: it is the same image
    target = new.url.removeprefix("http://")
    assert docker_engine.pull(f"{target}/cloud-develop/web:v1") == identities["web"]
    again = copy(source, endpoint(new), tmp_path, rules=[{"mapping": {"prefix": "cloud-develop"}}])
    assert not done(again, unchanged=2)["changed"]


def test_a_port_in_a_name_becomes_part_of_a_name_that_registries_take(
    docker_engine: DockerEngine, registries: RegistryFactory, tmp_path: Path
) -> None:
    docker_engine.build("registry.example.com:5000/ported/app:1", [("a", content("ported"))])
    destination = registries.start("destination")
    rules = only("registry.example.com_5000/**", strip_prefix="registry.example.com_5000")
    done(copy(engine_endpoint(docker_engine), endpoint(destination), tmp_path, rules=rules), copied=1)
    assert list(tags_of(destination)) == [("ported/app", "1")]


# -- to an engine --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def held() -> images.ImageSet:
    """Two versions of an image with layers in common, one of them of OCI's types, and one of two platforms."""
    held = images.ImageSet()
    app = held.repository("team/app")
    base = images.layer("base", 40_000)
    images.add_image(app, "one", [base, images.layer("one", 10_000)], ["1"], docker=True)
    images.add_image(app, "two", [base, images.layer("two", 10_000)], ["2"])
    platforms = [{"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"}]
    images.add_multi_platform(held.repository("team/many"), "many", platforms, [base], 10_000, ["v1"])
    return held


@pytest.fixture
def source(registries: RegistryFactory, held: images.ImageSet) -> Registry:
    registry = registries.start("source")
    push(registry.url, held)
    return registry


def config_of(held: images.ImageSet, repository: str, digest: str) -> str:
    document = json.loads(held.repositories[repository].manifests[digest].data)
    return str(document["config"]["digest"])


def test_images_go_from_a_registry_to_an_engine(
    docker_engine: DockerEngine, source: Registry, held: images.ImageSet, registries: RegistryFactory, tmp_path: Path
) -> None:
    to = engine_endpoint(docker_engine, image_host="to.example.com:5000")
    rules = only("team/app")
    result = done(copy(endpoint(source), to, tmp_path, rules=rules), copied=2)
    assert result["changed"]
    # two configurations, and three layers: one is that of both
    assert result["blobs"]["uploaded"] == 5
    for tag in ("1", "2"):
        name = f"to.example.com:5000/team/app:{tag}"
        assert docker_engine.id_of(name) == config_of(held, "team/app", held.repositories["team/app"].tags[tag])
        assert docker_engine.client.inspect_image(name)["RootFS"]["Layers"]

    again = done(copy(endpoint(source), to, tmp_path, rules=rules), unchanged=2)
    assert not again["changed"]
    assert again["requests"]["destination"] == LOOKED_AT
    options = {"source": endpoint(source), "destination": to, "state_dir": str(tmp_path / "state"), "rules": rules}
    for mode in ("light", "deep"):
        assert run_module("registry_image_verify", {**options, "mode": mode}).result["equal"] == 2

    # what a new image has in common with those that are there does not move
    more = images.ImageSet()
    images.add_image(
        more.repository("team/app"), "three", [images.layer("base", 40_000), images.layer("three", 10_000)], ["3"], docker=True
    )
    push(source.url, more)
    third = done(copy(endpoint(source), to, tmp_path, rules=rules), copied=1, unchanged=2)
    assert third["blobs"] == {"uploaded": 2, "mounted": 0, "present": 1}
    assert third["bytes_copied"] < 20_000

    # on other layers than before, they are not what the engine has: they come again
    turned = images.ImageSet()
    layers = [images.layer("three", 10_000), images.layer("base", 40_000)]
    image = images.add_image(turned.repository("team/app"), "turned", layers, ["turned"], docker=True)
    push(source.url, turned)
    fourth = done(copy(endpoint(source), to, tmp_path, rules=rules), copied=1, unchanged=3)
    assert fourth["blobs"] == {"uploaded": 3, "mounted": 0, "present": 2}
    assert docker_engine.id_of("to.example.com:5000/team/app:turned") == config_of(turned, "team/app", image.digest)

    # and what was removed comes back
    docker_engine.forget("to.example.com:5000/team/app:1", "to.example.com:5000/team/app:turned")
    done(copy(endpoint(source), to, tmp_path, rules=rules), copied=2, unchanged=2)
    assert "to.example.com:5000/team/app:1" in docker_engine.names()

    # and the engine can give all of it away: its layers are whole
    target = registries.start("target")
    docker_engine.tag("to.example.com:5000/team/app:3", f"{target.url.removeprefix('http://')}/app:3")
    docker_engine.push(f"{target.url.removeprefix('http://')}/app:3")
    assert assert_complete(target) == 3


def test_a_tag_that_moves_takes_its_name_along(
    docker_engine: DockerEngine, source: Registry, held: images.ImageSet, tmp_path: Path
) -> None:
    to = engine_endpoint(docker_engine, image_host="moving.example.com")
    rules = only("team/app")
    done(copy(endpoint(source), to, tmp_path, rules=rules), copied=2)
    moved = images.ImageSet()
    image = images.add_image(moved.repository("team/app"), "moved", [images.layer("moved", 10_000)], ["1"])
    push(source.url, moved)
    done(copy(endpoint(source), to, tmp_path, rules=rules), copied=1, unchanged=1)
    assert docker_engine.id_of("moving.example.com/team/app:1") == config_of(moved, "team/app", image.digest)
    # somebody gives the name to another image: that is seen, and mended
    docker_engine.tag("moving.example.com/team/app:2", "moving.example.com/team/app:1")
    done(copy(endpoint(source), to, tmp_path, rules=rules), copied=1, unchanged=1)
    assert docker_engine.id_of("moving.example.com/team/app:1") == config_of(moved, "team/app", image.digest)


def test_names_without_a_host_are_bare(docker_engine: DockerEngine, source: Registry, tmp_path: Path) -> None:
    rules = only("team/app", prefix="bare")
    done(copy(endpoint(source), engine_endpoint(docker_engine), tmp_path, rules=rules), copied=2)
    assert {"bare/team/app:1", "bare/team/app:2"} <= docker_engine.names()


def test_of_an_index_the_engine_gets_its_own_platform(
    docker_engine: DockerEngine, source: Registry, held: images.ImageSet, tmp_path: Path
) -> None:
    index = json.loads(held.repositories["team/many"].manifests[held.repositories["team/many"].tags["v1"]].data)
    children = {child["platform"]["architecture"]: child["digest"] for child in index["manifests"]}
    to = engine_endpoint(docker_engine, image_host="many.example.com")
    rules = only("team/many")
    result = done(copy(endpoint(source), to, tmp_path, rules=rules), copied=1)
    assert docker_engine.id_of("many.example.com/team/many:v1") == config_of(held, "team/many", children["amd64"])
    # a configuration and two layers: nothing of the other platform
    assert result["blobs"]["uploaded"] + result["blobs"]["present"] == 3
    assert not done(copy(endpoint(source), to, tmp_path, rules=rules), unchanged=1)["changed"]

    # another one can be chosen, by name
    other = engine_endpoint(docker_engine, image_host="arm.example.com")
    done(copy(endpoint(source), other, tmp_path / "arm", rules=rules, platforms=["linux/arm64"]), copied=1)
    assert docker_engine.id_of("arm.example.com/team/many:v1") == config_of(held, "team/many", children["arm64"])
    assert docker_engine.client.inspect_image("arm.example.com/team/many:v1")["Architecture"] == "arm64"


def test_an_engine_holds_one_platform_only(docker_engine: DockerEngine, source: Registry, tmp_path: Path) -> None:
    to = engine_endpoint(docker_engine, image_host="none.example.com")
    two = copy(endpoint(source), to, tmp_path, rules=only("team/many"), platforms=["linux/amd64", "linux/arm64"])
    assert two.error["kind"] == "invalid_option"
    assert two.error["subject"] == "platforms"
    assert two.error["hint"] == "Name one, or leave it out for linux/amd64."
    none = done(copy(endpoint(source), to, tmp_path, rules=only("team/many"), platforms=["linux/s390x"]), failed=1)
    (failure,) = none["failures"]
    assert failure["subject"] == "platforms"
    assert "linux/s390x" in failure["message"]
    assert "linux/amd64, linux/arm64" in failure["hint"]
    assert not any(name.startswith("none.example.com/") for name in docker_engine.names())


def test_what_is_no_image_is_refused_and_referrers_stay_behind(
    docker_engine: DockerEngine, source: Registry, held: images.ImageSet, tmp_path: Path
) -> None:
    app = held.repositories["team/app"]
    signed = app.manifests[app.tags["1"]]
    images.add_referrer(app, signed, images.SPDX, b"bill of materials", fallback=False)
    images.add_manifest(
        app,
        {
            "schemaVersion": 2,
            "mediaType": images.OCI_MANIFEST,
            "config": images.add_blob(app, b"{}", images.OCI_EMPTY),
            "layers": [images.add_blob(app, b"chart", "application/vnd.example.chart")],
        },
        images.OCI_MANIFEST,
        ["chart"],
    )
    push(source.url, held)
    to = engine_endpoint(docker_engine, image_host="refused.example.com")
    result = done(copy(endpoint(source), to, tmp_path, rules=only("team/app")), copied=2, failed=1)
    (failure,) = result["failures"]
    assert failure["kind"] == "unsupported_manifest"
    assert failure["message"] == "refused.example.com/team/app:chart is no image, and an engine holds nothing else."
    assert "tags.exclude" in failure["hint"]


def test_a_spool_that_is_too_small_for_an_image_is_named(docker_engine: DockerEngine, registries: RegistryFactory, tmp_path: Path) -> None:
    held = images.ImageSet()
    layers = [images.layer(f"part {number}", 400_000) for number in range(4)]
    images.add_image(held.repository("team/large"), "large", layers, ["1"], docker=True)
    images.add_image(held.repository("team/small"), "small", layers[:1], ["1"], docker=True)
    source = registries.start("large")
    push(source.url, held)
    to = engine_endpoint(docker_engine, image_host="large.example.com")
    result = done(copy(endpoint(source), to, tmp_path, rules=only("team/*"), spool_bytes=1 << 20, workers=1), copied=1, failed=1)
    (failure,) = result["failures"]
    assert (failure["kind"], failure["subject"]) == ("invalid_option", "spool_bytes")
    assert "large.example.com/team/small:1" in docker_engine.names()
    done(copy(endpoint(source), to, tmp_path, rules=only("team/*"), spool_bytes=2 << 20), copied=1, unchanged=1)


def test_tags_of_an_engine_are_deleted_by_name(docker_engine: DockerEngine, tmp_path: Path) -> None:
    docker_engine.build("deleted/app:1", [("a", content("deleted"))])
    docker_engine.tag("deleted/app:1", "deleted/app:2")
    options = {"destination": engine_endpoint(docker_engine), "repository": "deleted/app", "references": ["1"]}
    run = run_module("registry_image_delete", options)
    assert run.result.get("changed"), run.text
    assert {name for name in docker_engine.names() if name.startswith("deleted/")} == {"deleted/app:2"}


def test_an_engine_is_listed_like_a_registry(docker_engine: DockerEngine, tmp_path: Path) -> None:
    identity = docker_engine.build("listed/app:1", [("a", content("listed"))])
    options = {"source": engine_endpoint(docker_engine), "repositories": {"include": ["listed/*"]}, "details": "digests"}
    run = run_module("registry_repo_info", options)
    assert identity in run.text
    assert "listed/app" in run.text
    newest = {"repositories": {"include": ["listed/*"]}, "tags": {"newest": 1, "newest_by": "date"}}
    docker_engine.build("listed/app:2", [("a", content("listed later"))])
    exports = docker_engine.exports()
    destination = {"type": "oci_layout", "path": str(tmp_path / "layout")}
    options = {"source": engine_endpoint(docker_engine), "destination": destination, "rules": [newest]}
    plan = run_module("registry_image_copy", options, check=True, diff=True).result
    assert "+ 2: " in plan["diff"]["prepared"]
    assert "+ 1: " not in plan["diff"]["prepared"]
    assert docker_engine.exports() == exports


# -- what is wrong with an engine ----------------------------------------------------------------------------------------------


def refusal(source: Options, folder: Path, **more: t.Any) -> dict[str, str]:
    """The error of a run that cannot begin."""
    return copy(source, {"type": "oci_layout", "path": str(folder / "layout")}, folder, **more).error


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    error = refusal({"type": "docker_engine", "url": f"unix://{tmp_path}/none"}, tmp_path)
    assert error["kind"] == "invalid_option"
    assert error["subject"] == "source.url"
    assert error["message"] == f"there is no socket {tmp_path}/none."
    assert error["hint"].startswith("Start the Docker engine")


def test_a_socket_that_nobody_listens_on(docker_engine: DockerEngine, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    error = refusal({"type": "docker_engine", "url": f"unix://{file}"}, tmp_path)
    assert error["kind"] == "connection_failed"
    assert error["subject"] == "source.url"


def test_a_socket_without_rights(docker_engine: DockerEngine) -> None:
    """The process gives up being root when all is imported."""
    docker_engine.folder.chmod(0o755)
    docker_engine.socket.chmod(0o660)
    program = (
        "import os, sys\n"
        "from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import MigrationError\n"
        "from ansible_collections.registryops.migration.plugins.module_utils._stores.engine_api import EngineAddress, EngineAPI\n"
        "os.setgroups([])\n"
        "os.setgid(65534)\n"
        "os.setuid(65534)\n"
        "try:\n"
        "    EngineAPI(EngineAddress(sys.argv[1], option='source.')).connect()\n"
        "except MigrationError as error:\n"
        "    print(error.kind, error.subject, error.hint, sep='\\n')\n"
    )
    command = [sys.executable, "-c", program, docker_engine.url]
    done = subprocess.run(command, env=environment(Path("/nonexistent")), capture_output=True, text=True, check=True, timeout=60)
    kind, subject, hint = done.stdout.splitlines()
    assert (kind, subject) == ("access_denied", "source.url")
    assert "become" in hint
    assert "group" in hint


def test_without_the_library(docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, url in (("docker", docker_engine.url), ("docker", docker_engine.tls_url)):
        with monkeypatch.context() as missing:
            missing.setitem(sys.modules, name, None)
            with pytest.raises(LibraryMissing) as caught:
                EngineAPI(EngineAddress(url, option="source.")).connect()
        assert caught.value.subject == "source.type: docker_engine"
        assert caught.value.hint.endswith("pip install docker.")


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"url": "https//docker"}, "source.url"),
        ({"url": "tcp://docker.example.com"}, "source.url"),
        ({"url": "tcp://docker.example.com:2376", "client_cert": "/cert.pem"}, "source.client_key"),
        ({"url": "tcp://docker.example.com:2376", "ca_path": "/none.pem"}, "source.ca_path"),
        ({"url": "unix:///socket", "ca_path": "/none.pem"}, "source.ca_path"),
        ({"timeout": 0}, "source.timeout"),
        ({"image_host": "https://registry.example.com/"}, "source.image_host"),
    ],
)
def test_options_that_cannot_work(options: Options, subject: str, tmp_path: Path) -> None:
    error = refusal({"type": "docker_engine", **options}, tmp_path)
    assert error["kind"] == "invalid_option"
    assert error["subject"] == subject
    assert error["hint"]


def test_tls(
    docker_engine: DockerEngine,
    certificate_authority: CertificateAuthority,
    untrusted_authority: CertificateAuthority,
    registries: RegistryFactory,
    tmp_path: Path,
) -> None:
    docker_engine.build("secure/app:1", [("a", content("secure"))])
    destination = registries.start("destination")
    pair = certificate_authority.client()
    certificate = {"client_cert": str(pair.certificate), "client_key": str(pair.key)}
    engine = {"type": "docker_engine", "url": docker_engine.tls_url, "ca_path": str(certificate_authority.certificate)}
    run = copy({**engine, **certificate}, endpoint(destination), tmp_path, rules=only("secure/app"))
    assert "warnings" not in done(run, copied=1)

    unknown = refusal(engine, tmp_path)
    assert (unknown["kind"], unknown["subject"]) == ("access_denied", "source.url")
    assert "client_cert" in unknown["hint"]
    untrusted = refusal({**engine, **certificate, "ca_path": str(untrusted_authority.certificate)}, tmp_path)
    assert (untrusted["kind"], untrusted["subject"]) == ("certificate_untrusted", "source.url")
    plain = copy({"type": "docker_engine", "url": docker_engine.tls_url}, endpoint(destination), tmp_path)
    assert plain.error["kind"] in ("registry_error", "access_denied")
    assert any("without TLS" in warning for warning in warnings_of(plain.result))


def test_a_server_that_is_no_engine(registries: RegistryFactory, tmp_path: Path) -> None:
    registry = registries.start("registry")
    error = refusal({"type": "docker_engine", "url": f"tcp://{registry.url.removeprefix('http://')}"}, tmp_path)
    assert error["kind"] in ("invalid_answer", "manifest_unknown")
    assert "engine" in error["message"]


def test_an_engine_whose_disk_is_full(
    small_disk: MakeSmallDisk, docker_engine: DockerEngine, registries: RegistryFactory, tmp_path: Path
) -> None:
    """One image fits, the other does not; with more room the next run brings it."""
    held = images.ImageSet()
    images.add_image(held.repository("full/small"), "small", [images.layer("small", 50_000)], ["1"], docker=True)
    images.add_image(held.repository("full/large"), "large", [images.layer("large", 6 << 20)], ["1"], docker=True)
    source = registries.start("source")
    push(source.url, held)
    disk = small_disk(8 << 10)
    try:
        engine = DockerEngine(data=disk.folder)
    except EngineMissing as missing:
        pytest.skip(str(missing))
    with engine:
        run = copy(endpoint(source), engine_endpoint(engine), tmp_path, workers=1)
        (failure,) = done(run, copied=1, failed=1)["failures"]
        assert failure["kind"] == "quota_exceeded"
        assert failure["subject"] == "full/large:1"
        assert f"the disk of the engine {engine.url} is full" in failure["message"]
        assert "docker system df" in failure["hint"]
        assert engine.names() == {"full/small:1"}
        disk.resize(64 << 10)
        done(copy(endpoint(source), engine_endpoint(engine), tmp_path), copied=1, unchanged=1)
        assert engine.names() == {"full/small:1", "full/large:1"}


def test_an_engine_of_the_tests_takes_another_port_where_one_is_taken(
    docker_engine: DockerEngine, certificate_authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or all that is tested with an engine would be left out, and nobody would know."""
    taken, free = int(docker_engine.tls_url.rpartition(":")[2]), ports.free_port
    given: list[int] = []

    def first_a_taken_one() -> int:
        given.append(free() if given else taken)
        return given[-1]

    monkeypatch.setattr(ports, "free_port", first_a_taken_one)
    with DockerEngine(certificate_authority) as engine:
        assert given[0] == taken
        assert engine.tls_url == f"tcp://127.0.0.1:{given[-1]}" != docker_engine.tls_url
        assert engine.client.ping()


# -- newer engines: the double has the forms of engine 26 ----------------------------------------------------------------------


@pytest.fixture
def engines() -> t.Iterator[t.Callable[[bool], EngineDouble]]:
    pytest.importorskip("docker", reason="the library docker is not installed: pip install docker")
    with contextlib.ExitStack() as started:
        yield lambda containerd: started.enter_context(EngineDouble(containerd=containerd))


MakeDouble = t.Callable[[bool], EngineDouble]


def test_the_layout_that_newer_engines_export_gives_the_same_image(
    engines: MakeDouble, docker_engine: DockerEngine, source: Registry, held: images.ImageSet, registries: RegistryFactory, tmp_path: Path
) -> None:
    """The digest is that which the archive of an older engine comes to."""
    newer, destination, other = engines(False), registries.start("destination"), registries.start("other")
    host = source.url.removeprefix("http://")
    for tag in ("1", "2"):
        docker_engine.pull(f"{host}/team/app:{tag}")
        newer.pull(f"{host}/team/app:{tag}", held.repositories["team/app"], tag)
    of_newer = {"type": "docker_engine", "url": newer.url, "image_host": host}
    done(copy(of_newer, endpoint(destination), tmp_path), copied=2)
    assert newer.count("/get$") == 2
    done(copy(engine_endpoint(docker_engine, image_host=host), endpoint(other), tmp_path / "older", rules=only("team/app")), copied=2)
    assert tags_of(destination) == tags_of(other)
    assert assert_complete(destination) == 5
    assert not done(copy(of_newer, endpoint(destination), tmp_path), unchanged=2)["changed"]
    assert newer.count("/get$") == 2


def test_a_destination_that_has_everything_takes_nothing_from_the_other_one(
    engines: MakeDouble, registries: RegistryFactory, tmp_path: Path
) -> None:
    """Its run ends, and its ledger is closed, while the other one has everything still to read."""
    engine, held = engines(False), images.ImageSet()
    for name in ("web", "api"):
        repository = held.repository(f"team/{name}")
        images.add_image(repository, name, [images.layer("base", 20_000), images.layer(name, 30_000)], ["1"], docker=True)
        engine.pull(f"team/{name}:1", repository, "1")
    first, second = registries.start("first"), registries.start("second")
    of_engine = {"type": "docker_engine", "url": engine.url}
    done(copy(of_engine, endpoint(first), tmp_path / "before"), copied=2)
    with Unequal(first, second, tmp_path / "state") as ends:
        run = copy(of_engine, endpoint(ends.first), tmp_path, further_destinations=[endpoint(ends.second)])
        assert done(run, copied=2, unchanged=2)["failures"] == []
    assert ends.in_turn
    assert tags_of(first) == tags_of(second)
    assert_complete(second)


def test_an_engine_that_keeps_manifests_gives_them_as_they_are(
    engines: MakeDouble, held: images.ImageSet, registries: RegistryFactory, tmp_path: Path
) -> None:
    engine, destination = engines(True), registries.start("destination")
    for repository, tag in held.tags():
        engine.pull(f"{repository}:{tag}", held.repositories[repository], tag, all_platforms=True)
    where = {"type": "docker_engine", "url": engine.url}
    result = done(copy(where, endpoint(destination), tmp_path), copied=3)
    assert "warnings" not in result
    assert tags_of(destination) == held.tags()
    assert_complete(destination)
    exports = engine.count("/get$")
    assert not done(copy(where, endpoint(destination), tmp_path), unchanged=3)["changed"]
    assert engine.count("/get$") == exports


def test_an_index_of_which_an_engine_has_one_platform_becomes_that_image(
    engines: MakeDouble, held: images.ImageSet, registries: RegistryFactory, tmp_path: Path
) -> None:
    engine, destination = engines(True), registries.start("destination")
    many = held.repositories["team/many"]
    identity = engine.pull("team/many:v1", many, "v1")
    children = json.loads(many.manifests[identity].data)["manifests"]
    where = {"type": "docker_engine", "url": engine.url}
    result = done(copy(where, endpoint(destination), tmp_path), copied=1)
    assert tags_of(destination) == {("team/many", "v1"): children[0]["digest"]}
    (warning,) = warnings_of(result)
    assert "some platforms only" in warning
    assert "team/many:v1" in warning
    assert not done(copy(where, endpoint(destination), tmp_path), unchanged=1)["changed"]
    # without the ledger it is found to be the same
    assert not done(copy(where, endpoint(destination), tmp_path / "other"), unchanged=1)["changed"]


def test_an_engine_that_keeps_manifests_gets_them_as_they_are(
    engines: MakeDouble, source: Registry, held: images.ImageSet, registries: RegistryFactory, tmp_path: Path
) -> None:
    engine, back = engines(True), registries.start("back")
    to = {"type": "docker_engine", "url": engine.url, "image_host": "to.example.com:5000"}
    result = done(copy(endpoint(source), to, tmp_path), copied=3)
    assert result["changed"]
    assert engine.names == {f"to.example.com:5000/{name}:{tag}": digest for (name, tag), digest in held.tags().items()}
    assert engine.count("POST /images/load") == 3
    assert not done(copy(endpoint(source), to, tmp_path), unchanged=3)["changed"]
    verified = run_module(
        "registry_image_verify",
        {"source": endpoint(source), "destination": to, "state_dir": str(tmp_path / "state"), "mode": "light"},
    )
    assert verified.result["equal"] == 3, verified.text
    # all platforms of it are there
    done(copy(to, endpoint(back), tmp_path / "back"), copied=3)
    assert tags_of(back) == held.tags()
    bare = {"type": "docker_engine", "url": engine.url}
    done(copy(endpoint(source), bare, tmp_path / "bare", rules=only("team/app")), copied=2)
    assert {"team/app:1", "team/app:2"} <= set(engine.names)


def test_an_engine_that_fails_to_export(engines: MakeDouble, held: images.ImageSet, registries: RegistryFactory, tmp_path: Path) -> None:
    engine, destination = engines(False), registries.start("destination")
    engine.pull("team/app:1", held.repositories["team/app"], "1")
    where = {"type": "docker_engine", "url": engine.url}
    engine.refuses_exports = "open /var/lib/docker/overlay2/x: input/output error"
    (failure,) = done(copy(where, endpoint(destination), tmp_path), failed=1)["failures"]
    assert failure["kind"] == "server_failed"
    assert "input/output error" in failure["message"]
    assert failure["hint"] == "Look at the log of the Docker engine."
    engine.refuses_exports = "write /var/lib/docker/tmp/x: no space left on device"
    (failure,) = done(copy(where, endpoint(destination), tmp_path), failed=1)["failures"]
    assert failure["kind"] == "quota_exceeded"
    engine.refuses_exports = ""
    engine.cuts_exports = 30_000
    (failure,) = done(copy(where, endpoint(destination), tmp_path), failed=1)["failures"]
    assert failure["kind"] in ("connection_failed", "invalid_answer")
    assert tags_of(destination) == {}
    engine.cuts_exports = 0
    done(copy(where, endpoint(destination), tmp_path), copied=1)
    assert assert_complete(destination) == 3


def test_an_engine_that_says_in_its_answer_that_a_load_failed(engines: MakeDouble, source: Registry, tmp_path: Path) -> None:
    engine = engines(True)
    to = {"type": "docker_engine", "url": engine.url}
    engine.refuses_loads = "content digest sha256:0: not found"
    rule = {"repositories": {"include": ["team/app"]}, "tags": {"include": ["1"]}}
    (failure,) = done(copy(endpoint(source), to, tmp_path, rules=[rule]), failed=1)["failures"]
    assert failure["kind"] == "server_failed"
    assert "content digest" in failure["message"]


def test_a_damaged_image_is_not_copied(engines: MakeDouble, held: images.ImageSet, registries: RegistryFactory, tmp_path: Path) -> None:
    engine, destination = engines(False), registries.start("destination")
    identity = engine.pull("team/app:1", held.repositories["team/app"], "1")
    first, second = json.loads(engine.blobs[identity])["rootfs"]["diff_ids"]
    engine.blobs[second] = engine.blobs[first]
    (failure,) = done(copy({"type": "docker_engine", "url": engine.url}, endpoint(destination), tmp_path), failed=1)["failures"]
    assert failure["kind"] == "digest_mismatch"
    assert "damaged" in failure["hint"]
    assert tags_of(destination) == {}


# -- over SSH ------------------------------------------------------------------------------------------------------------------


def test_an_engine_behind_ssh(docker_engine: DockerEngine, source: Registry, registries: RegistryFactory, tmp_path: Path) -> None:
    """The library runs `docker system dial-stdio` on the other host, with the user's own keys and known hosts."""
    pytest.importorskip("paramiko", reason="the library paramiko is not installed: pip install paramiko")
    missing = ssh_server.missing() or ("" if shutil.which("docker") else "docker is not installed: apt-get install docker.io")
    if missing:
        pytest.skip(missing)
    settings = tmp_path / "home" / ".ssh"
    settings.mkdir(parents=True)
    variables = {"HOME": str(settings.parent)}
    with ssh_server.SSHServer(tmp_path / "ssh") as server:
        accepted = tmp_path / "ssh" / "authorized_keys"
        command = f"docker -H {docker_engine.url} system dial-stdio"
        accepted.write_text(f'command="{command}" {accepted.read_text(encoding="ascii")}', encoding="ascii")
        engine = {"type": "docker_engine", "url": f"ssh://{server.user}@127.0.0.1:{server.port}", "image_host": "ssh.example.com"}
        options = {"source": endpoint(source), "destination": engine, "state_dir": str(tmp_path / "state"), "rules": only("team/app")}

        unknown = run_module("registry_image_copy", options, variables=variables).error
        assert (unknown["kind"], unknown["subject"]) == ("host_key_untrusted", "destination.url")
        assert "known_hosts" in unknown["hint"]
        (settings / "known_hosts").write_bytes(server.known_hosts.read_bytes())
        refused = run_module("registry_image_copy", options, variables=variables).error
        assert (refused["kind"], refused["subject"]) == ("authentication_failed", "destination.url")
        (settings / "config").write_text(f"Host 127.0.0.1\n  IdentityFile {server.key}\n", encoding="utf-8")
        done(run_module("registry_image_copy", options, variables=variables), copied=2)
        assert {"ssh.example.com/team/app:1", "ssh.example.com/team/app:2"} <= docker_engine.names()

        back = registries.start("back")
        options = {"source": engine, "destination": endpoint(back), "state_dir": str(tmp_path / "back")}
        done(run_module("registry_image_copy", options, variables=variables), copied=2)
        assert assert_complete(back) == 5

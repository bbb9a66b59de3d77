# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a v1 registry to today's, without an engine in the way: the real one where there is a Python for it, and its double everywhere.

docker/migrator did this with an engine that spoke v1, which none does any more.
"""

from __future__ import annotations

import collections
import contextlib
import gzip
import hashlib
import json
import shutil
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest
from estate.behaviour import Behaviour
from estate.compare import assert_complete, tags_of
from estate.v1_double import V1Double, lose, spoil
from estate.v1_images import EMPTY, Pusher, Step, archive, chain, push_all, some_images
from estate.v1_index import V1Index
from estate.v1_registry import NotAvailable, V1Registry, installed
from runs.modules import Options, endpoint, run_module, start_module

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.counting import CountingRegistry
    from estate.registry import RegistryFactory
    from estate.v1_images import Chain

PASSWORD = 'a$HOME "b": c %41%'
TAGS = {("library/web", "1.0"), ("library/web", "latest"), ("team/api", "2.1"), ("team/plain", "v1"), ("team/xz", "v1")}
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of a registry that the images have been pushed to."""
    folder = tmp_path_factory.mktemp("seeded")
    with V1Double(folder) as double:
        push_all(double.url)
    return folder / "data"


@pytest.fixture
def data(seeded: Path, tmp_path: Path) -> Path:
    """A storage of one test's own."""
    return Path(shutil.copytree(seeded, tmp_path / "data"))


class Start(t.Protocol):
    """Starts a v1 registry."""

    def __call__(self, data: Path, *, search: bool = True, index: V1Index | None = None) -> V1Registry | V1Double:
        """One that answers."""


@pytest.fixture(params=["double", "real"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> t.Iterator[Start]:
    """Starts v1 registries: for tests that mean any of them."""
    if request.param == "real":
        try:
            installed()
        except NotAvailable as reason:
            pytest.skip(str(reason))
    kind = V1Registry if request.param == "real" else V1Double
    with contextlib.ExitStack() as started:

        def begin(data: Path, *, search: bool = True, index: V1Index | None = None) -> V1Registry | V1Double:
            return started.enter_context(kind(tmp_path / "v1", data=data, search=search, index=index))

        yield begin


@pytest.fixture
def double(data: Path, tmp_path: Path) -> t.Iterator[V1Double]:
    """For tests that want to know what it was asked, or that it does something strange."""
    with V1Double(tmp_path, data=data) as made:
        yield made


@pytest.fixture
def destination(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    return counting_registry(Behaviour())


def of(registry: V1Registry | V1Double | V1Index, **more: t.Any) -> Options:
    """The option `source`."""
    return {"type": "v1", "url": registry.url, "search_auth_files": False, "attempts": 2, **more}


def run(
    source: Options, destination: t.Any, folder: Path, name: str = "registry_image_copy", check: bool = False, **more: t.Any
) -> Options:
    """What a module gives back."""
    options = {"source": source, "destination": endpoint(destination), "state_dir": str(folder / "state"), **more}
    return run_module(name, options, check=check).result


def counted(result: Options) -> dict[str, int]:
    """States of tags that any came to."""
    assert "counts" in result, result
    return {state: count for state, count in result["counts"].items() if count}


def kinds(result: Options) -> dict[str, str]:
    """{repository:tag: kind of its failure}."""
    return {f"{one['repository']}:{one['tag']}": one["kind"] for one in result["failures"]}


def warned(result: Options) -> str:
    """All warnings."""
    return "\n".join(one if isinstance(one, str) else one["event"]["msg"] for one in result.get("warnings", []))


def tags(destination: CountingRegistry) -> dict[tuple[str, str], str]:
    """{(repository, tag): digest}."""
    return {(name, tag): digest for name, held in destination.snapshot().items() for tag, digest in held.tags.items()}


def archives(destination: CountingRegistry, repository: str, tag: str) -> list[bytes]:
    """The archives in the layers of an image, the base first; what its configuration says of them is right."""
    manifest = json.loads(destination.manifest(repository, tag).data)
    config = json.loads(destination.blob(repository, manifest["config"]["digest"]))
    found = [gzip.decompress(destination.blob(repository, layer["digest"])) for layer in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in found]
    assert sum(not one.get("empty_layer") for one in config["history"]) == len(found)
    return found


def has_files(images: Chain) -> list[bytes]:
    """The archives that an image is to have."""
    return [one.archive for one in images if one.archive != EMPTY and not json.loads(one.document).get("throwaway")]


# -- the whole of it -------------------------------------------------------------------------------------------------------------


def test_everything_arrives_with_its_layers_and_is_never_read_again(
    start: Start, data: Path, destination: CountingRegistry, tmp_path: Path
) -> None:
    source = start(data)
    result = run(of(source), destination, tmp_path)
    assert counted(result) == {"copied": 5}
    assert set(tags(destination)) == TAGS
    for repository, (names, images) in some_images().items():
        for tag in names:
            assert archives(destination, repository, tag) == has_files(images)
            # what was gzip is the same to the byte
            layers = json.loads(destination.manifest(repository, tag).data)["layers"]
            blobs = [destination.blob(repository, layer["digest"]) for layer in layers]
            assert all(one.layer in blobs for one in images if one.layer[:2] == b"\x1f\x8b" and one.archive in has_files(images))
    first = tags(destination)

    asked = len(source.log) if isinstance(source, V1Double) else 0
    again = run(of(source), destination, tmp_path)
    assert not again["changed"]
    assert counted(again) == {"unchanged": 5}
    assert (again["bytes_copied"], again["requests"]["source"]) == (0, 6)
    if isinstance(source, V1Double):
        # the search, and tags
        assert not [one for one in source.log[asked:] if "/images/" in one.path]
    assert tags(destination) == first


def test_two_runs_make_the_same_images(start: Start, data: Path, counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    source = start(data)
    ends = [counting_registry(Behaviour()) for _unused in range(2)]
    for number, end in enumerate(ends):
        assert counted(run(of(source), end, tmp_path / str(number))) == {"copied": 5}
    assert ends[0].snapshot() == ends[1].snapshot()
    # even without a ledger it is found that there is nothing to do, at the price of reading layers
    again = run(of(source), ends[0], tmp_path / "third")
    assert counted(again) == {"unchanged": 5}
    assert not again["changed"]


@pytest.mark.parametrize("form", ["docker", "oci"])
def test_skopeo_reads_the_result(form: str, start: Start, data: Path, registries: RegistryFactory, skopeo: None, tmp_path: Path) -> None:
    destination = registries.start("new")
    convert = {"convert": {"v1": form}}
    assert counted(run(of(start(data)), destination, tmp_path, **convert)) == {"copied": 5}
    assert set(tags_of(destination)) == TAGS
    assert_complete(destination)
    for repository, tag in sorted(TAGS):
        name = f"docker://{destination.host}/{repository}:{tag}"
        folder = tmp_path / f"{repository.replace('/', '-')}-{tag}"
        done = subprocess.run(
            ["skopeo", "copy", "--src-tls-verify=false", name, f"dir:{folder}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        manifest = json.loads((folder / "manifest.json").read_bytes())
        assert manifest["mediaType"] == (DOCKER if form == "docker" else OCI)
        found = [gzip.decompress((folder / layer["digest"].partition(":")[2]).read_bytes()) for layer in manifest["layers"]]
        assert found == has_files(some_images()[repository][1])
    seen = subprocess.run(
        ["skopeo", "inspect", "--tls-verify=false", f"docker://{destination.host}/library/web:1.0"],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(seen.stdout)
    assert (told["Architecture"], told["Os"], told["Labels"]) == ("amd64", "linux", {"step": "2"})
    assert told["Created"].startswith("2014-06-03T10:00:00")
    verified = run(of(start(data)), destination, tmp_path, "registry_image_verify", mode="deep", **convert)
    assert (verified["checked"], verified["different"]) == (5, 0)


def test_what_is_left_out_of_a_configuration_and_what_is_kept(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    run(of(double), destination, tmp_path)
    manifest = json.loads(destination.manifest("library/web", "1.0").data)
    config = json.loads(destination.blob("library/web", manifest["config"]["digest"]))
    top = json.loads(some_images()["library/web"][1][-1].document)
    assert {key: value for key, value in config.items() if key not in ("rootfs", "history")} == {
        key: value for key, value in top.items() if key not in ("id", "parent", "Size")
    }
    assert [one["created_by"] for one in config["history"]] == ["/bin/sh -c ADD base", "/bin/sh -c ENV A=b", "/bin/sh -c COPY app"]
    assert [one.get("empty_layer") for one in config["history"]] == [None, True, None]
    assert config["history"][0]["author"] == "Anybody <a@example.com>"


def test_a_layer_comes_once_however_many_images_have_it(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    run(of(double), destination, tmp_path)
    asked = collections.Counter(double.paths("/layer"))
    ids = {one.id for _names, images in some_images().values() for one in images}
    assert set(asked) == {f"/v1/images/{image_id}/layer" for image_id in ids}
    assert set(asked.values()) == {1}


def test_without_room_for_layers_they_come_twice_and_are_the_same(
    double: V1Double, counting_registry: MakeCountingRegistry, tmp_path: Path
) -> None:
    ends = [counting_registry(Behaviour()) for _unused in range(2)]
    run(of(double), ends[0], tmp_path / "0")
    before = len(double.paths("/layer"))
    assert counted(run(of(double), ends[1], tmp_path / "1", spool_bytes=0)) == {"copied": 5}
    assert ends[0].snapshot() == ends[1].snapshot()
    assert len(double.paths("/layer")) - before > before


def test_several_destinations_read_a_layer_once(double: V1Double, counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    ends = [counting_registry(Behaviour()) for _unused in range(2)]
    for states in ({"copied": 10}, {"unchanged": 10}):
        assert counted(run(of(double), ends[0], tmp_path, further_destinations=[endpoint(ends[1])])) == states
    assert ends[0].snapshot() == ends[1].snapshot()
    assert set(collections.Counter(double.paths("/layer")).values()) == {1}


def test_check_mode_reads_no_layer_and_its_plan_can_be_carried_out(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    plan_file = {"plan_file": str(tmp_path / "plan.jsonl")}
    plan = run(of(double), destination, tmp_path, check=True, **plan_file)
    assert plan["changed"]
    assert counted(plan) == {"copied": 5}
    # as they are stored: what becomes of those that are no gzip is not known yet
    stored = {one.id: len(one.layer) for _names, images in some_images().values() for one in images if one.archive in has_files(images)}
    assert sum(stored.values()) <= plan["bytes_copied"] <= sum(stored.values()) + 30_000
    assert double.paths("/layer") == []
    assert destination.snapshot() == {}
    assert not (tmp_path / "state").exists()
    assert counted(run(of(double), destination, tmp_path, **plan_file)) == {"copied": 5}
    later = run(of(double), destination, tmp_path, check=True)
    assert (later["changed"], counted(later)) == (False, {"unchanged": 5})


def test_the_inventory_reads_no_layer(start: Start, data: Path, tmp_path: Path) -> None:
    source = start(data)
    images = some_images()
    for details in ("names", "digests", "platforms"):
        result = run_module("registry_repo_info", {"source": of(source), "details": details}).result
        found = {(one["name"], tag["name"]): tag["digest"] for one in result["repositories"] for tag in one["tags"]}
        assert found == {(name, tag): f"sha256:{chained[-1].id}" for name, (names, chained) in images.items() for tag in names}
    assert isinstance(source, V1Registry) or source.paths("/layer") == []


def test_dates_are_those_of_the_documents(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    rules = [{"repositories": {"include": ["**"]}, "tags": {"since": "2014-06-03"}}]
    assert counted(run(of(double), destination, tmp_path, check=True, rules=rules)) == {"copied": 3}
    assert double.paths("/layer") == []
    assert counted(run(of(double), destination, tmp_path, rules=rules)) == {"copied": 3}
    assert {name for name, _tag in tags(destination)} == {"library/web", "team/api"}


def test_what_is_pushed_anew_is_all_that_is_read(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    run(of(double), destination, tmp_path)
    before = tags(destination)
    asked = len(double.log)
    later = chain("later", [Step("COPY app again", archive(30))], some_images()["library/web"][1][:2])
    with Pusher(double.url) as pusher:
        pusher.push("library/web", later, ["latest"])
    assert counted(run(of(double), destination, tmp_path)) == {"copied": 1, "unchanged": 4}
    changed = {key for key, digest in tags(destination).items() if before[key] != digest}
    assert changed == {("library/web", "latest")}
    assert archives(destination, "library/web", "latest") == has_files(later)
    assert [one.path for one in double.log[asked:] if one.method == "GET" and one.path.endswith("/layer")] == [
        f"/v1/images/{later[-1].id}/layer"
    ]


def test_another_form_is_made_without_reading_a_layer(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    for form, media_type in (("docker", DOCKER), ("oci", OCI)):
        convert = {"convert": {"v1": form}}
        assert counted(run(of(double), destination, tmp_path, **convert)) == {"copied": 5}
        assert counted(run(of(double), destination, tmp_path, **convert)) == {"unchanged": 5}
        found = {destination.manifest(*key).media_type for key in tags(destination)}
        assert found == {media_type}
    assert set(collections.Counter(double.paths("/layer")).values()) == {1}


def test_a_run_that_was_killed_goes_on(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    """What had arrived is not read again, and of the rest each layer is read once."""
    late, arrived = some_images()["team/xz"][1], TAGS - {("team/xz", "v1")}
    double.knobs.hold, double.knobs.held_images = threading.Event(), {late[0].id}
    options = {"source": of(double), "destination": endpoint(destination), "state_dir": str(tmp_path / "state")}
    killed = start_module("registry_image_copy", options)
    layers = {f"/v1/images/{one.id}/layer" for _names, images in some_images().values() for one in images}
    deadline = time.monotonic() + 60
    # all has been asked for, and all but one layer has been sent: no request is under way when it ends
    while set(double.paths("/layer")) != layers or set(tags(destination)) != arrived:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.kill()
    assert killed.wait() is None
    double.knobs.hold.set()
    assert set(tags(destination)) == arrived
    before = collections.Counter(double.paths("/layer"))
    assert counted(run(of(double), destination, tmp_path)) == {"copied": 1, "unchanged": 4}
    assert set(tags(destination)) == TAGS
    for repository, (names, images) in some_images().items():
        assert archives(destination, repository, names[0]) == has_files(images)
    after = collections.Counter(double.paths("/layer")) - before
    assert set(after) <= {f"/v1/images/{one.id}/layer" for one in late}
    assert set(after.values()) == {1}
    assert f"/v1/images/{late[0].id}/layer" in after
    assert counted(run(of(double), destination, tmp_path)) == {"unchanged": 5}


def test_a_layer_that_breaks_off_is_gone_on_with(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    double.knobs.cut, double.knobs.cut_times = 20_000, 3
    assert counted(run(of(double, attempts=5), destination, tmp_path)) == {"copied": 5}
    ranges = [one.headers["Range"] for one in double.log if "Range" in one.headers]
    sizes = {len(one.layer) for _names, images in some_images().values() for one in images}
    assert len(ranges) == 3
    # with an end, or the registry announces a byte too many
    assert all(one.startswith("bytes=") and int(one.partition("-")[2]) + 1 in sizes for one in ranges)
    for repository, (names, images) in some_images().items():
        assert archives(destination, repository, names[0]) == has_files(images)


def test_one_byte_that_is_missing_is_no_range_to_this_registry(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    images = some_images()["team/plain"][1]
    double.knobs.cut, double.knobs.cut_times = len(images[0].layer) - 1, 1
    rules = [{"repositories": {"include": ["team/plain"]}}]
    assert counted(run(of(double, attempts=5), destination, tmp_path, rules=rules)) == {"copied": 1}
    assert archives(destination, "team/plain", "v1") == has_files(images)


# -- the index and its tokens ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["index", "registry"])
def test_tokens_of_an_index(start: Start, given: str, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    """One for each repository, shown to the hosts that the index names, which never see the password. (docker/migrator: the engine's.)"""
    with V1Index(data, {"anna": PASSWORD}) as index:
        registry = start(data, index=index)
        index.endpoints = [registry.host]
        who = {"username": "anna", "password": PASSWORD}
        source = of(index, **who) if given == "index" else of(registry, index_url=index.url, **who)
        assert counted(run(source, destination, tmp_path)) == {"copied": 5}
        assert set(tags(destination)) == TAGS
        granted = [one.path for one in index.asked if one.authorization.startswith("Basic ") and one.path.endswith("/images")]
        assert sorted(granted) == sorted(f"/v1/repositories/{name}/images" for name in some_images())
    if isinstance(registry, V1Double):
        shown = {one.headers.get("Authorization", "").partition(" ")[0] for one in registry.log if "/_ping" not in one.path}
        assert shown == {"Token"}


def test_an_index_that_does_not_know_the_user_ends_the_run(start: Start, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    with V1Index(data, {"anna": PASSWORD}) as index:
        registry = start(data, index=index)
        index.endpoints = [registry.host]
        result = run(of(index, username="anna", password="another one"), destination, tmp_path)
    assert result["failed"]
    assert result["error"]["kind"] == "authentication_failed"
    assert "another one" not in json.dumps({key: value for key, value in result.items() if key != "invocation"})


def test_a_token_that_the_registry_does_not_take_is_that_repositorys_failure(
    start: Start, data: Path, destination: CountingRegistry, tmp_path: Path
) -> None:
    with V1Index(data, {"anna": PASSWORD}, wrong_tokens=True) as index:
        registry = start(data, index=index)
        index.endpoints = [registry.host]
        result = run(of(index, username="anna", password=PASSWORD), destination, tmp_path)
        granted = [one.path for one in index.asked if one.authorization.startswith("Basic ") and one.path.endswith("/images")]
    assert set(kinds(result).values()) == {"access_denied"}
    assert len(kinds(result)) == 4
    # once more, and not for ever
    assert set(collections.Counter(granted).values()) == {2}


def test_a_token_that_has_run_out_is_renewed(data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    class Forgetful(V1Index):
        """Takes the first token three times."""

        uses = 0

        def accepts(self, authorization: str, repository: str) -> bool:
            first = next(iter(self.tokens), "")
            self.uses += authorization == f"Token {first}"
            return super().accepts(authorization, repository) and not (authorization == f"Token {first}" and self.uses > 3)

    with Forgetful(data, {"anna": PASSWORD}) as index, V1Double(tmp_path, data=data, index=index) as registry:
        index.endpoints = [registry.host]
        rules = [{"repositories": {"include": ["team/xz"]}}]
        assert counted(run(of(index, username="anna", password=PASSWORD), destination, tmp_path, rules=rules)) == {"copied": 1}
    assert any(one.status == 401 for one in registry.log)
    assert len(index.tokens) > 1


def test_another_of_the_hosts_that_an_index_names_is_asked(data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    with V1Index(data, {"anna": PASSWORD}) as index, V1Double(tmp_path, data=data, index=index) as registry:
        with V1Double(tmp_path, data=data) as gone:
            nobody = gone.host
        index.endpoints = [nobody, registry.host]
        assert counted(run(of(index, username="anna", password=PASSWORD), destination, tmp_path)) == {"copied": 5}


# -- what registries do ----------------------------------------------------------------------------------------------------------


def test_basic_in_front_is_sent_from_the_first_request_on(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    """A password with `$ " : space %`, at which docker/migrator's shell broke."""
    double.knobs.users = {"anna": PASSWORD}
    assert counted(run(of(double, username="anna", password=PASSWORD), destination, tmp_path)) == {"copied": 5}
    assert {one.status for one in double.log} == {200}
    refused = run(of(double, username="anna", password="no"), destination, tmp_path)
    assert refused["error"]["kind"] == "authentication_failed"
    nobody = run(of(double), destination, tmp_path)
    assert nobody["error"]["kind"] == "authentication_failed"


def test_layers_on_another_host_never_see_who_asks(double: V1Double, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    with V1Double(tmp_path / "storage", data=data) as storage:
        double.knobs.users = {"anna": PASSWORD}
        double.knobs.layers_at = f"{storage.url}/v1"
        assert counted(run(of(double, username="anna", password=PASSWORD), destination, tmp_path)) == {"copied": 5}
        assert storage.log
        assert not [one for one in storage.log if "Authorization" in one.headers]


def test_tags_in_the_form_of_a_list(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    """As Docker Hub had them: short ids, of which the whole ones are looked up."""
    double.knobs.tags_as_list = True
    assert counted(run(of(double), destination, tmp_path)) == {"copied": 5}
    assert archives(destination, "library/web", "latest") == has_files(some_images()["library/web"][1])


def test_a_search_in_pages(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    double.knobs.search_page = 1
    assert counted(run(of(double), destination, tmp_path)) == {"copied": 5}
    assert [one for one in double.paths() if "/search" in one] == ["/v1/search?q=", *(f"/v1/search?q=&page={page}" for page in (2, 3, 4))]


def test_without_a_word_of_sizes(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    double.knobs.no_sizes = True
    assert counted(run(of(double), destination, tmp_path)) == {"copied": 5}


def test_an_image_that_is_being_uploaded_is_waited_for(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    double.knobs.uploading = 2
    rules = [{"repositories": {"include": ["team/xz"]}}]
    assert counted(run(of(double, attempts=5), destination, tmp_path, rules=rules)) == {"copied": 1}
    assert double.knobs.uploading <= 0


def test_a_half_uploaded_image_is_reported(start: Start, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    """docker/migrator took no notice of an image that it could not pull, and ended as a success."""
    half = some_images()["team/xz"][1][-1]
    (data / "images" / half.id / "_inprogress").write_text("true")
    result = run(of(start(data)), destination, tmp_path)
    assert kinds(result) == {"team/xz:v1": "image_incomplete"}
    assert counted(result) == {"copied": 4, "failed": 1}
    assert ("team/xz", "v1") not in tags(destination)


@pytest.mark.parametrize("form", ["docker", "oci"])
def test_a_layer_that_is_compressed_with_xz(
    form: str, start: Start, data: Path, counting_registry: MakeCountingRegistry, tmp_path: Path
) -> None:
    """It becomes gzip, which everybody reads, and the same bytes each time; an engine needed the program xz for it."""
    layer = next(one for one in some_images()["team/xz"][1] if one.layer[:6] == b"\xfd7zXZ\0")
    source, ends = start(data), [counting_registry(Behaviour()) for _unused in range(2)]
    more = {"rules": [{"repositories": {"include": ["team/xz"]}}], "convert": {"v1": form}}
    for number, end in enumerate(ends):
        assert counted(run(of(source), end, tmp_path / str(number), **more)) == {"copied": 1}
        assert archives(end, "team/xz", "v1") == [layer.archive]
        (there,) = json.loads(end.manifest("team/xz", "v1").data)["layers"]
        assert there["mediaType"].endswith("gzip")
        assert end.blob("team/xz", there["digest"])[:2] == b"\x1f\x8b"
    assert tags(ends[0]) == tags(ends[1])


def test_a_layer_without_a_file_is_no_blob(start: Start, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    """1024 zero bytes, as of each step that only sets something: it stays in the history alone. Engines made a layer of each."""
    steps = [Step("ENV before=any"), Step("ADD files", archive(40)), Step("ENV A=b"), Step("CMD sh")]
    images = chain("sets", steps)
    with V1Double(tmp_path, data=data) as pushed, Pusher(pushed.url) as pusher:
        pusher.push("team/sets", images, ["1"])
    rules = [{"repositories": {"include": ["team/sets"]}}]
    assert counted(run(of(start(data)), destination, tmp_path, rules=rules)) == {"copied": 1}
    assert archives(destination, "team/sets", "1") == [images[1].archive]
    manifest = json.loads(destination.manifest("team/sets", "1").data)
    history = json.loads(destination.blob("team/sets", manifest["config"]["digest"]))["history"]
    assert [bool(one.get("empty_layer")) for one in history] == [True, False, True, True]
    assert ["ENV A=b" in one["created_by"] for one in history] == [False, False, True, False]
    # the configuration, and the one layer
    assert len(destination.snapshot()["team/sets"].blobs) == 2


def test_a_name_of_three_parts(start: Start, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    """The search has them escaped; docker/migrator passed that on."""
    deep = chain("deep", [Step("ADD deep", archive(20))])
    with V1Double(tmp_path, data=data) as pushed, Pusher(pushed.url) as pusher:
        pusher.push("team/group/app", deep, ["1.0"])
    assert counted(run(of(start(data)), destination, tmp_path)) == {"copied": 6}
    assert archives(destination, "team/group/app", "1.0") == [deep[0].archive]


def test_a_repository_that_is_not_there(start: Start, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    rules = [{"repositories": {"include": ["team/nothing", "team/xz"]}}]
    result = run(of(start(data)), destination, tmp_path, rules=rules)
    assert kinds(result) == {"team/nothing:": "repository_unknown"}
    assert counted(result) == {"copied": 1, "failed": 1}


def test_without_a_search_the_repositories_have_to_be_named(
    start: Start, data: Path, destination: CountingRegistry, tmp_path: Path
) -> None:
    source = start(data, search=False)
    result = run(of(source), destination, tmp_path)
    assert result["error"]["kind"] == "catalog_forbidden"
    assert "Name the repositories" in result["error"]["hint"]
    rules = [{"repositories": {"include": ["team/xz", "library/web"]}}]
    assert counted(run(of(source), destination, tmp_path, rules=rules)) == {"copied": 3}


# -- what is broken --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checksum", ["tarsum+sha256:" + "a" * 64, ""])
def test_what_cannot_be_verified_is_copied_and_told(
    checksum: str, start: Start, data: Path, destination: CountingRegistry, tmp_path: Path
) -> None:
    old = some_images()["team/xz"][1][0]
    spoil(data, old.id, checksum=checksum)
    source = start(data)
    result = run(of(source), destination, tmp_path)
    assert counted(result) == {"copied": 5}
    assert f"keeps no checksum that can be verified for {source.host}/v1/team/xz@{old.id}: the layers were copied as they came" in warned(
        result
    )
    assert warned(run(of(source), destination, tmp_path)) == ""


def test_a_layer_with_another_checksum_is_refused(start: Start, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    broken = some_images()["team/api"][1][-2]
    spoil(data, broken.id, layer=gzip.compress(archive(99), mtime=0))
    result = run(of(start(data)), destination, tmp_path)
    assert kinds(result) == {"team/api:2.1": "digest_mismatch"}
    assert counted(result) == {"copied": 4, "failed": 1}
    assert broken.checksum in result["failures"][0]["message"]
    assert "team/api" not in destination.snapshot()


def test_a_layer_that_cannot_be_decompressed_is_refused(start: Start, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    broken = some_images()["team/api"][1][-2]
    spoil(data, broken.id, layer=broken.layer[:-1000], checksum="tarsum+sha256:" + "a" * 64)
    result = run(of(start(data)), destination, tmp_path)
    assert kinds(result) == {"team/api:2.1": "invalid_layer"}
    assert "team/api" not in destination.snapshot()


def test_a_layer_without_a_byte_is_one_without_a_file(start: Start, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    """The registry answers 416 to whoever asks for it."""
    images = some_images()["library/web"][1]
    payload = hashlib.sha256(images[1].document + b"\n").hexdigest()
    spoil(data, images[1].id, layer=b"", checksum=f"sha256:{payload}")
    assert counted(run(of(start(data)), destination, tmp_path)) == {"copied": 5}
    assert archives(destination, "library/web", "1.0") == has_files(images)


def test_a_parent_that_is_missing(start: Start, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    images = some_images()["team/plain"][1]
    lose(data, images[0].id)
    result = run(of(start(data)), destination, tmp_path)
    assert kinds(result) == {"team/plain:v1": "manifest_unknown"}
    assert images[0].id in result["failures"][0]["subject"]
    assert counted(result) == {"copied": 4, "failed": 1}


def test_a_chain_that_leaves_a_parent_out(start: Start, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    images = some_images()["team/api"][1]
    spoil(data, images[-1].id, ancestry=[images[-1].id, *(one.id for one in images[-3::-1])])
    result = run(of(start(data)), destination, tmp_path)
    assert kinds(result) == {"team/api:2.1": "invalid_manifest"}
    assert images[-2].id in result["failures"][0]["message"]


def test_a_layer_that_is_missing(start: Start, data: Path, destination: CountingRegistry, tmp_path: Path) -> None:
    images = some_images()["team/plain"][1]
    (data / "images" / images[0].id / "layer").unlink()
    assert kinds(run(of(start(data)), destination, tmp_path)) == {"team/plain:v1": "blob_unknown"}


# -- what cannot work ------------------------------------------------------------------------------------------------------------


def test_a_registry_of_today_is_none_of_v1(destination: CountingRegistry, registries: RegistryFactory, tmp_path: Path) -> None:
    today = registries.start("today")
    result = run({"type": "v1", "url": today.url, "search_auth_files": False}, destination, tmp_path)
    assert result["error"]["kind"] == "registry_error"
    assert "type registry" in result["error"]["hint"]


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"registry_token": "abc"}, "source.registry_token"),
        ({"identity_token": "abc", "username": "anna"}, "source.identity_token"),
        ({"index_url": "not an address/at all"}, "source.index_url"),
    ],
)
def test_options_that_v1_has_no_use_for(
    options: Options, subject: str, double: V1Double, destination: CountingRegistry, tmp_path: Path
) -> None:
    error = run(of(double, **options), destination, tmp_path)["error"]
    assert (error["kind"], error["subject"]) == ("invalid_option", subject)


@pytest.mark.parametrize("option", ["url", "index_url", "proxy"])
def test_a_password_in_an_address_is_never_shown(option: str, double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    source = of(double, **{option: "http://anna:hunter%202@127.0.0.1:1"})
    done = run_module("registry_image_copy", {"source": source, "destination": endpoint(destination), "state_dir": str(tmp_path / "state")})
    assert done.result["failed"]
    assert "hunter" not in done.text


def test_nothing_is_copied_to_v1(double: V1Double, destination: CountingRegistry, tmp_path: Path) -> None:
    options = {"source": endpoint(destination), "destination": of(double), "state_dir": str(tmp_path / "state")}
    error = run_module("registry_image_copy", options).error
    assert (error["kind"], error["subject"]) == ("invalid_option", "destination.type")

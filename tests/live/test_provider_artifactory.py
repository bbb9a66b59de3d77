# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Artifactory as a source and as a destination, in all its ways of addressing, and what of it may be closed."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.artifactory import ArtifactoryDouble, KeyPort, Options
from estate.client import Access
from estate.compare import assert_complete, tags_of
from estate.images import OCI_INDEX, OCI_MANIFEST, ImageSet
from estate.push import push
from runs.modules import Options as ModuleOptions, endpoint, run_module
from runs.providers import copy
from runs.stores import provided

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    CatalogForbidden,
    InvalidAnswer,
    InvalidOption,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers import api as api_module
from ansible_collections.registryops.migration.plugins.module_utils._providers.artifactory import Artifactory

if t.TYPE_CHECKING:
    from estate.product import ProductDouble
    from estate.registry import Registry, RegistryFactory

PASSWORD, TOKEN, API_KEY = "a password of many", "eyJ2ZXIiOiIyIn0.identity", "AKCp8-legacy-key"
AQL = "/artifactory/api/search/aql"
PLATFORMS = [{"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"}]
REPOSITORIES = ["docker-local/team/app", "docker-local/tool", "docker-prod/app"]


def held() -> ImageSet:
    """Two keys: one with two images (three and one tags), the other with one, which is for two platforms under a second tag."""
    found = ImageSet()
    base = images.layer("base", 3_000)
    app = found.repository("docker-local/team/app")
    images.add_image(app, "one", [base, images.layer("one", 2_000)], ["1.0"])
    images.add_image(app, "two", [base, images.layer("two", 2_000)], ["2.0", "latest"])
    images.add_image(found.repository("docker-local/tool"), "tool", [base], ["1"], docker=True)
    prod = found.repository("docker-prod/app")
    images.add_image(prod, "plain", [base], ["1.0"])
    images.add_multi_platform(prod, "docker-prod/app", PLATFORMS, [base], 1_000, ["multi"])
    return found


@pytest.fixture
def artifactory(registries: RegistryFactory) -> t.Iterator[ArtifactoryDouble]:
    options = Options(users={"mover": PASSWORD})
    with ArtifactoryDouble(registries.start("artifactory"), ["docker-local", "docker-prod"], options) as double:
        double.add("maven-local", "maven")
        push(double.url, held(), "mover", PASSWORD)
        double.reset_log()
        yield double


@pytest.fixture
def plain(registries: RegistryFactory) -> Registry:
    """A registry without more."""
    return registries.start("plain")


def at(double: ProductDouble, **more: t.Any) -> ModuleOptions:
    """The option `source` or `destination` for a double."""
    return endpoint(Access(double.url, "mover", PASSWORD), **more)


def listed(double: ArtifactoryDouble, **options: t.Any) -> dict[str, dict[str, tuple[str, str]]]:
    """What the provider lists: {repository: {tag: (digest, media type)}}."""
    with provided(at(double, provider="artifactory", **options)) as provider:
        found = {}
        for record in provider.repositories():
            tags = provider.tags(record.name)
            assert tags is not None
            assert record.tag_count == len(tags)
            found[record.name] = {tag.name: (tag.digest, tag.media_type) for tag in tags}
        return found


def wanted() -> dict[str, dict[str, str]]:
    """{repository: {tag: digest}}."""
    return {name: dict(repository.tags) for name, repository in held().repositories.items()}


def digests(found: t.Mapping[str, t.Mapping[str, tuple[str, str]]]) -> dict[str, dict[str, str]]:
    return {name: {tag: digest for tag, (digest, _type) in tags.items()} for name, tags in found.items()}


# -- listing -------------------------------------------------------------------------------------------------------------------


def test_all_tags_of_a_key_come_with_one_query(artifactory: ArtifactoryDouble) -> None:
    found = listed(artifactory)
    assert digests(found) == wanted()
    types = {name: {tag: media_type for tag, (_digest, media_type) in tags.items()} for name, tags in found.items()}
    assert types["docker-prod/app"] == {"1.0": OCI_MANIFEST, "multi": OCI_INDEX}
    assert artifactory.count("POST", AQL) == 2
    assert artifactory.count("GET", "/api/repositories") == 2
    assert artifactory.count("GET|HEAD", "/v2/") == 0


def test_only_some_keys(artifactory: ArtifactoryDouble) -> None:
    assert set(listed(artifactory, namespaces=("docker-local", "docker-prod"))) == set(REPOSITORIES)
    artifactory.reset_log()
    assert digests(listed(artifactory, namespaces=("docker-prod",))) == {"docker-prod/app": wanted()["docker-prod/app"]}
    assert artifactory.count("POST", AQL) == 1


@pytest.mark.parametrize(("most", "queries"), [(1, 12), (3, 8), (4, 2)])
def test_a_result_that_is_cut_is_read_in_pages(artifactory: ArtifactoryDouble, most: int, queries: int) -> None:
    """Each of the keys has four manifests: a query that is cut, its pages, and an empty one."""
    artifactory.options.most_results = most
    assert digests(listed(artifactory)) == wanted()
    assert artifactory.count("POST", AQL) == queries


def test_a_page_that_rights_have_emptied_is_not_the_last(artifactory: ArtifactoryDouble) -> None:
    artifactory.options.most_results = 1
    artifactory.options.hidden = {"docker-local/team/app"}
    assert set(listed(artifactory)) == {"docker-local/tool", "docker-prod/app"}


def test_a_result_that_is_too_large_is_read_in_pages(artifactory: ArtifactoryDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "LIST_BODY", 1_000)
    artifactory.options.most_results = 2
    found = listed(artifactory)
    assert digests(found) == wanted()
    # pages come without properties
    assert {media_type for tags in found.values() for _digest, media_type in tags.values()} == {""}


def test_a_server_that_gives_the_same_page_for_ever(artifactory: ArtifactoryDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"repo": "docker-local", "path": "app/1", "name": "manifest.json", "sha256": "0" * 64, "modified": ""}]
    monkeypatch.setattr(Artifactory, "_query", lambda self, query, what: (rows, 1))
    with pytest.raises(InvalidAnswer, match="all the same"):
        listed(artifactory)


def test_manifests_without_properties(artifactory: ArtifactoryDouble) -> None:
    artifactory.options.properties = False
    found = listed(artifactory)
    assert digests(found) == wanted()
    assert found["docker-local/tool"]["1"][1] == ""


def test_remote_and_virtual_keys_are_listed_where_they_are_named(artifactory: ArtifactoryDouble) -> None:
    artifactory.add("hub", kind="remote")
    artifactory.add("all", kind="virtual", defaultDeploymentRepo="docker-local")
    tool = held().repositories["docker-local/tool"]
    push(artifactory.behind.url, ImageSet({"hub-cache/app": tool, "all/app": tool}))
    assert set(listed(artifactory)) == set(REPOSITORIES)
    with provided(at(artifactory, provider="artifactory", namespaces=("hub", "all"))) as provider:
        assert [record.name for record in provider.repositories()] == ["hub/app", "all/app"]
        assert [tag.name for tag in provider.tags("hub/app") or []] == ["1"]
        # what a virtual one shows is its registry's matter
        assert provider.tags("all/app") is None


def test_the_inventory_has_digests_without_a_request_for_each_tag(artifactory: ArtifactoryDouble) -> None:
    result = run_module("registry_repo_info", {"source": at(artifactory), "details": "digests"}).result
    found = {row["name"]: {tag["name"]: tag["digest"] for tag in row["tags"]} for row in result["repositories"]}
    assert found == wanted()
    assert all(tag["pushed"] for row in result["repositories"] for tag in row["tags"])
    # two of each repository are compared
    assert artifactory.count("HEAD", "/manifests/") <= 2 * len(REPOSITORIES)
    assert artifactory.count("GET", "/manifests/") == 0


# -- copies --------------------------------------------------------------------------------------------------------------------


def test_a_copy_from_it(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path) -> None:
    result = copy(at(artifactory), endpoint(plain), tmp_path).result
    assert result["counts"]["copied"] == 6
    assert tags_of(plain) == tags_of(artifactory.behind)
    assert assert_complete(plain)

    artifactory.reset_log()
    again = copy(at(artifactory), endpoint(plain), tmp_path).result
    assert not again["changed"]
    assert again["counts"]["unchanged"] == 6
    assert artifactory.count("GET", "/manifests/") == 0
    assert artifactory.count("HEAD", "/manifests/") <= 2 * len(REPOSITORIES)
    assert artifactory.count("POST", AQL) == 2
    assert artifactory.count("GET", "/tags/list|/_catalog") == 0


def test_only_what_has_moved_is_copied_again(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path) -> None:
    copy(at(artifactory), endpoint(plain), tmp_path)
    moved = ImageSet()
    images.add_image(moved.repository("docker-local/team/app"), "three", [images.layer("three", 2_000)], ["latest"])
    push(artifactory.url, moved, "mover", PASSWORD)
    result = copy(at(artifactory), endpoint(plain), tmp_path).result
    assert (result["counts"]["copied"], result["counts"]["unchanged"]) == (1, 5)
    assert tags_of(plain) == tags_of(artifactory.behind)


def test_a_copy_to_it(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path) -> None:
    """It refuses a blob in a single POST; that is found out once."""
    push(plain.url, images.lab_set(2))
    rules = [{"mapping": {"prefix": "docker-prod/moved"}}]
    result = copy(endpoint(plain), at(artifactory), tmp_path, rules=rules).result
    assert result["failures"] == []
    assert artifactory.count("POST", r"\?digest=") == 1
    there = tags_of(artifactory.behind)
    assert {(f"docker-prod/moved/{name}", tag): digest for (name, tag), digest in tags_of(plain).items()}.items() <= there.items()

    artifactory.reset_log()
    again = copy(endpoint(plain), at(artifactory), tmp_path, rules=rules).result
    assert not again["changed"]
    assert artifactory.count("POST", AQL) == 1
    assert artifactory.count("HEAD", "/manifests/") <= 2 * 2
    assert artifactory.count("GET", "/manifests/|/tags/list") == 0


# -- rights and credentials ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 405])
def test_without_queries_the_catalogue_does(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path, status: int) -> None:
    """The catalogue is cut after each name, without a word of it."""
    artifactory.options.refusals["aql"] = status
    artifactory.options.most_names = 1
    run = copy(at(artifactory), endpoint(plain), tmp_path)
    assert run.result["counts"]["copied"] == 6
    assert tags_of(plain) == tags_of(artifactory.behind)
    assert "What docker-local holds cannot be read at once" in run.text
    assert f"AQL is not open to this user ({status})" in run.text


def test_neither_queries_nor_the_catalogue(artifactory: ArtifactoryDouble) -> None:
    artifactory.options.refusals.update(aql=403, catalogue=403)
    with pytest.raises(CatalogForbidden) as caught:
        listed(artifactory)
    assert "docker-local" in caught.value.subject
    assert "repositories: include" in caught.value.hint


def test_a_catalogue_that_stumbles_over_a_stray_file(artifactory: ArtifactoryDouble) -> None:
    artifactory.options.refusals.update(aql=403, catalogue=400)
    with pytest.raises(CatalogForbidden):
        listed(artifactory)


def test_without_its_lists_the_registry_is_asked(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path) -> None:
    artifactory.options.refusals["repositories"] = 403
    rules = [{"repositories": {"include": ["docker-local/tool"]}}]
    run = copy(at(artifactory), endpoint(plain), tmp_path, rules=rules)
    assert run.result["counts"]["copied"] == 1
    assert "own lists cannot be read" in run.text


def test_an_identity_token_is_enough(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path) -> None:
    artifactory.options.tokens.add(TOKEN)
    run = copy(endpoint(Access(artifactory.url), api_token=TOKEN), endpoint(plain), tmp_path)
    assert run.result["counts"]["copied"] == 6
    assert artifactory.count("POST", AQL) == 2
    assert TOKEN not in run.text


def test_an_api_key_works_with_a_warning(artifactory: ArtifactoryDouble) -> None:
    artifactory.options.api_keys.add(API_KEY)
    run = run_module("registry_repo_info", {"source": at(artifactory, api_token=API_KEY)})
    assert [row["name"] for row in run.result["repositories"]] == REPOSITORIES
    assert "source.api_token is an API key of Artifactory" in run.text
    assert API_KEY not in run.text


@pytest.mark.parametrize(("token", "way_out"), [(API_KEY, "JFrog has retired API keys"), (TOKEN, "that is still valid")])
def test_a_token_that_is_refused(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path, token: str, way_out: str) -> None:
    run = copy(at(artifactory, api_token=token), endpoint(plain), tmp_path)
    assert run.error["kind"] == "invalid_option"
    assert run.error["subject"] == "source.api_token"
    assert way_out in run.error["hint"]
    assert token not in run.text
    assert tags_of(plain) == {}


def test_a_key_that_holds_no_images(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path) -> None:
    run = copy(at(artifactory, namespaces=["maven-local"]), endpoint(plain), tmp_path)
    assert run.error["kind"] == "invalid_option"
    assert run.error["subject"] == "source.namespaces"
    assert "maven-local" in run.error["message"]
    assert "maven packages" in run.error["message"]
    assert "docker-local, docker-prod" in run.error["hint"]

    mapping = {"strip_prefix": "docker-local", "prefix": "maven-local"}
    rules = [{"repositories": {"include": ["docker-local/tool"]}, "mapping": mapping}]
    result = copy(at(artifactory), at(artifactory), tmp_path, rules=rules).result
    (failure,) = result["failures"]
    assert failure["kind"] == "invalid_name"
    assert "maven-local" in failure["message"]
    assert artifactory.count("PUT|POST", "/v2/") == 0


def test_a_key_that_does_not_exist(artifactory: ArtifactoryDouble) -> None:
    with pytest.raises(InvalidOption) as caught:
        listed(artifactory, namespaces=("docker-lokal", "docker-prod"))
    assert caught.value.subject == "source.namespaces"
    assert "docker-lokal" in caught.value.message


def test_an_address_that_is_not_that_of_the_api(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path) -> None:
    run = copy(at(artifactory, api_url=artifactory.url), endpoint(plain), tmp_path)
    assert run.error["kind"] == "invalid_option"
    assert run.error["subject"] == "source.api_url"
    assert "https://HOST/artifactory" in run.error["hint"]


# -- addresses that belong to a key --------------------------------------------------------------------------------------------


def test_a_sub_domain(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path) -> None:
    port = artifactory.host.rpartition(":")[2]
    source = at(artifactory, url=f"http://docker-local.artifactory.test:{port}", connect_to="127.0.0.1")
    result = copy(source, endpoint(plain), tmp_path).result
    assert result["failures"] == []
    assert {name for name, _tag in tags_of(plain)} == {"team/app", "tool"}
    assert artifactory.count("POST", AQL) == 1

    artifactory.reset_log()
    again = copy(source, endpoint(plain), tmp_path).result
    assert not again["changed"]
    assert artifactory.count("GET", "/manifests/|/tags/list|/_catalog") == 0


def test_a_sub_domain_as_destination(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path) -> None:
    push(plain.url, images.lab_set(2))
    port = artifactory.host.rpartition(":")[2]
    destination = at(artifactory, url=f"http://docker-prod.artifactory.test:{port}", connect_to="127.0.0.1")
    assert copy(endpoint(plain), destination, tmp_path).result["failures"] == []
    there = tags_of(artifactory.behind)
    assert {(f"docker-prod/{name}", tag): digest for (name, tag), digest in tags_of(plain).items()}.items() <= there.items()
    assert not copy(endpoint(plain), destination, tmp_path).result["changed"]


def test_a_name_that_only_looks_like_a_sub_domain(artifactory: ArtifactoryDouble) -> None:
    """The host is called like a key, and names have their keys all the same."""
    artifactory.add("127")
    push(artifactory.url, ImageSet({"127/app": held().repositories["docker-local/tool"]}), "mover", PASSWORD)
    assert set(listed(artifactory)) == {*REPOSITORIES, "127/app"}


@pytest.mark.parametrize("in_path", [True, False])
def test_an_empty_key_is_known_by_the_others(artifactory: ArtifactoryDouble, in_path: bool) -> None:
    artifactory.add("docker-new")
    with KeyPort(artifactory, "docker-new") as port:
        options = {"namespaces": ("docker-new",), "api_url": f"{artifactory.url}/artifactory"}
        with provided(at(artifactory if in_path else port, provider="artifactory", **options)) as provider:
            assert list(provider.repositories()) == []
            found = provider.tags("docker-prod/app")
    assert (found is not None) == in_path


def test_a_port(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path) -> None:
    with KeyPort(artifactory, "docker-prod") as port:
        source = at(port, api_url=f"{artifactory.url}/artifactory", namespaces=["docker-prod"])
        result = copy(source, endpoint(plain), tmp_path).result
        assert result["failures"] == []
        assert set(tags_of(plain)) == {("app", "1.0"), ("app", "multi")}
        assert artifactory.count("POST", AQL) == 1
        port.reset_log()
        again = copy(source, endpoint(plain), tmp_path).result
        assert not again["changed"]
        assert port.count("GET", "/manifests/|/tags/list|/_catalog") == 0


def test_a_port_without_the_address_of_the_api(artifactory: ArtifactoryDouble, plain: Registry, tmp_path: Path) -> None:
    with KeyPort(artifactory, "docker-prod") as port:
        run = copy(at(port), endpoint(plain), tmp_path)
    assert run.result["counts"]["copied"] == 2
    assert "source.api_url" in run.text


@pytest.mark.parametrize(
    ("namespaces", "names", "containers"),
    [
        ((), ["a/x", "a/y", "b/x"], ["a", "b"]),
        (("new",), ["a/x", "y"], ["new"]),
        (("new",), ["new/x", "new/y"], ["new"]),
        (("a", "b"), ["a/x", "b/y"], ["a", "b"]),
    ],
)
def test_what_has_to_exist(artifactory: ArtifactoryDouble, namespaces: tuple[str, ...], names: list[str], containers: list[str]) -> None:
    with provided(at(artifactory, provider="artifactory", namespaces=namespaces)) as provider:
        assert provider.containers(names) == containers


# -- what has to be there ------------------------------------------------------------------------------------------------------


def test_a_key_is_created_and_changed(artifactory: ArtifactoryDouble) -> None:
    settings = {"description": "moved", "max_unique_tags": 5, "block_schema1": False}
    with provided(at(artifactory, provider="artifactory")) as provider:
        assert provider.ensure("new", settings, apply=False).state == "created"
        assert "new" not in artifactory.repositories
        assert provider.ensure("new", settings, apply=True).state == "created"
        has = artifactory.repositories["new"]
        assert (has["rclass"], has["packageType"], has["maxUniqueTags"], has["blockPushingSchema1"]) == ("local", "docker", 5, False)

        artifactory.reset_log()
        assert provider.ensure("new", settings, apply=True).state == "existing"
        assert artifactory.count("PUT|POST", "") == 0

        changed = provider.ensure("new", {**settings, "max_unique_tags": 7}, apply=False)
        assert (changed.state, changed.differences) == ("changed", {"max_unique_tags": (5, 7)})
        assert has["maxUniqueTags"] == 5
        provider.ensure("new", {**settings, "max_unique_tags": 7}, apply=True)
        assert (has["maxUniqueTags"], has["description"]) == (7, "moved")

        drift = provider.ensure("new", {"package_type": "oci"}, apply=True)
        assert (drift.state, drift.differences) == ("drift", {"package_type": ("docker", "oci")})


def test_settings_may_be_texts(artifactory: ArtifactoryDouble) -> None:
    """As templates have them."""
    settings = {"max_unique_tags": "5", "block_schema1": "False", "environments": ["DEV"]}
    with provided(at(artifactory, provider="artifactory")) as provider:
        assert provider.ensure("new", settings, apply=True).state == "created"
        has = artifactory.repositories["new"]
        assert (has["maxUniqueTags"], has["blockPushingSchema1"], has["environments"]) == (5, False, ["DEV"])
        assert provider.ensure("new", settings, apply=True).state == "existing"
        with pytest.raises(InvalidOption) as caught:
            provider.ensure("new", {"environments": "DEV"}, apply=True)
    assert caught.value.subject == "environments"


def test_keys_to_which_nothing_can_be_pushed(artifactory: ArtifactoryDouble) -> None:
    artifactory.add("hub", kind="remote")
    artifactory.add("all", kind="virtual")
    with provided(at(artifactory, provider="artifactory")) as provider:
        for key, word in (("maven-local", "maven packages"), ("hub", "remote"), ("all", "virtual")):
            with pytest.raises(InvalidOption, match=word) as caught:
                provider.ensure(key, {}, apply=True)
            assert key in caught.value.subject
        artifactory.repositories["all"]["defaultDeploymentRepo"] = "docker-local"
        assert provider.ensure("all", {}, apply=True).state == "existing"


def test_a_name_that_it_does_not_take(artifactory: ArtifactoryDouble) -> None:
    artifactory.options.refusals["create"] = 400
    with provided(at(artifactory, provider="artifactory")) as provider, pytest.raises(InvalidOption, match="this name"):
        provider.ensure("new", {}, apply=True)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nexus as a source and as a destination: repositories in the path and behind connectors, and what of it may be closed."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.client import Access
from estate.compare import assert_complete, tags_of
from estate.images import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, ImageSet
from estate.nexus import Connector, NexusDouble, Options
from estate.push import push
from runs.modules import Options as ModuleOptions, endpoint, run_module
from runs.providers import copy
from runs.stores import provided

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AccessDenied, InvalidOption

if t.TYPE_CHECKING:
    from estate.product import ProductDouble
    from estate.registry import Registry, RegistryFactory

PASSWORD, USER_TOKEN = "a password of many", "Nq3cT0k-:p4sS-c0de"
COMPONENTS = "/service/rest/v1/components"
PLATFORMS = [{"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"}]
REPOSITORIES = ["docker-hosted/team/app", "docker-hosted/tool", "docker-prod/app"]


def held() -> ImageSet:
    """Two repositories of Nexus: one with two images (three and one tags), the other with an image and an index."""
    found = ImageSet()
    base = images.layer("base", 3_000)
    app = found.repository("docker-hosted/team/app")
    images.add_image(app, "one", [base, images.layer("one", 2_000)], ["1.0"])
    images.add_image(app, "two", [base, images.layer("two", 2_000)], ["2.0", "latest"])
    images.add_image(found.repository("docker-hosted/tool"), "tool", [base], ["1"], docker=True)
    prod = found.repository("docker-prod/app")
    images.add_image(prod, "plain", [base], ["1.0"])
    images.add_multi_platform(prod, "docker-prod/app", PLATFORMS, [base], 1_000, ["multi"])
    return found


@pytest.fixture
def nexus(registries: RegistryFactory) -> t.Iterator[NexusDouble]:
    with NexusDouble(registries.start("nexus"), ["docker-hosted", "docker-prod"], Options(users={"mover": PASSWORD})) as double:
        double.add("maven-releases", "maven2")
        double.add("docker-hub", kind="proxy")
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


def listed(double: NexusDouble, **options: t.Any) -> dict[str, dict[str, tuple[str, str]]]:
    """What the provider lists: {repository: {tag: (digest, media type)}}."""
    with provided(at(double, provider="nexus", **options)) as provider:
        found = {}
        for record in provider.repositories():
            tags = provider.tags(record.name)
            assert tags is not None
            found[record.name] = {tag.name: (tag.digest, tag.media_type) for tag in tags}
        return found


def wanted() -> dict[str, dict[str, str]]:
    """{repository: {tag: digest}}."""
    return {name: dict(repository.tags) for name, repository in held().repositories.items()}


def digests(found: t.Mapping[str, t.Mapping[str, tuple[str, str]]]) -> dict[str, dict[str, str]]:
    return {name: {tag: digest for tag, (digest, _type) in tags.items()} for name, tags in found.items()}


# -- listing -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "requests"), [(10, 2), (1, 8), (3, 4)])
def test_components_are_read_page_by_page(nexus: NexusDouble, page: int, requests: int) -> None:
    """Each repository has four: its tags, and the parts of an index."""
    nexus.options.page = page
    found = listed(nexus)
    assert digests(found) == wanted()
    assert found["docker-prod/app"]["multi"][1] == OCI_INDEX
    assert found["docker-prod/app"]["1.0"][1] == OCI_MANIFEST
    assert found["docker-hosted/tool"]["1"][1] == DOCKER_MANIFEST
    assert nexus.count("GET", COMPONENTS) == requests
    assert nexus.count("GET|HEAD", "/v2/") == 0


def test_only_some_repositories(nexus: NexusDouble) -> None:
    assert set(listed(nexus, namespaces=("docker-prod",))) == {"docker-prod/app"}
    assert nexus.count("GET", COMPONENTS) == 1
    with pytest.raises(InvalidOption, match="maven2 packages") as caught:
        listed(nexus, namespaces=("maven-releases",))
    assert caught.value.subject == "source.namespaces"
    assert "maven-releases" in caught.value.message


def test_a_list_that_goes_round_in_a_circle(nexus: NexusDouble) -> None:
    nexus.options.page = 0
    run = run_module("registry_repo_info", {"source": at(nexus)})
    assert run.error["kind"] == "invalid_answer"
    assert "docker-hosted" in run.error["subject"]


# -- copies --------------------------------------------------------------------------------------------------------------------


def test_a_copy_from_it(nexus: NexusDouble, plain: Registry, tmp_path: Path) -> None:
    """It is recognised by how it answers."""
    result = copy(at(nexus), endpoint(plain), tmp_path).result
    assert result["counts"]["copied"] == 6
    assert tags_of(plain) == tags_of(nexus.behind)
    assert assert_complete(plain)

    nexus.reset_log()
    again = copy(at(nexus), endpoint(plain), tmp_path).result
    assert not again["changed"]
    assert nexus.count("GET", "/manifests/|/tags/list|/_catalog") == 0
    assert nexus.count("HEAD", "/manifests/") <= 2 * len(REPOSITORIES)
    assert nexus.count("GET", COMPONENTS) == 2


def test_a_copy_to_it(nexus: NexusDouble, plain: Registry, tmp_path: Path) -> None:
    push(plain.url, images.lab_set(2))
    rules = [{"mapping": {"prefix": "docker-prod/moved"}}]
    assert copy(endpoint(plain), at(nexus), tmp_path, rules=rules).result["failures"] == []
    there = tags_of(nexus.behind)
    assert {(f"docker-prod/moved/{name}", tag): digest for (name, tag), digest in tags_of(plain).items()}.items() <= there.items()

    nexus.reset_log()
    again = copy(endpoint(plain), at(nexus), tmp_path, rules=rules).result
    assert not again["changed"]
    assert nexus.count("GET", "/manifests/|/tags/list") == 0


def test_a_tag_that_cannot_be_moved(nexus: NexusDouble, plain: Registry, tmp_path: Path) -> None:
    images.add_image((other := ImageSet()).repository("app"), "other", [images.layer("other", 2_000)], ["1.0"])
    push(plain.url, other)
    nexus.repositories["docker-prod"]["storage"]["writePolicy"] = "ALLOW_ONCE"
    before = tags_of(nexus.behind)
    result = copy(endpoint(plain), at(nexus), tmp_path, rules=[{"mapping": {"prefix": "docker-prod"}}]).result
    (failure,) = result["failures"]
    assert failure["kind"] == "tag_immutable"
    assert tags_of(nexus.behind) == before


# -- rights and credentials ----------------------------------------------------------------------------------------------------


def test_without_components_the_catalogue_does(nexus: NexusDouble, plain: Registry, tmp_path: Path) -> None:
    nexus.options.refusals["components"] = 403
    run = copy(at(nexus), endpoint(plain), tmp_path)
    assert run.result["counts"]["copied"] == 6
    assert tags_of(plain) == tags_of(nexus.behind)
    assert "What docker-hosted holds cannot be read at once" in run.text


def test_without_its_lists_the_registry_is_asked(nexus: NexusDouble, plain: Registry, tmp_path: Path) -> None:
    nexus.options.refusals["repositories"] = 403
    run = copy(at(nexus), endpoint(plain), tmp_path, rules=[{"repositories": {"include": ["docker-hosted/tool"]}}])
    assert run.result["counts"]["copied"] == 1
    assert "own lists cannot be read" in run.text


def test_a_user_token_for_the_api(nexus: NexusDouble) -> None:
    name, _colon, code = USER_TOKEN.partition(":")
    nexus.options.users[name] = code
    run = run_module("registry_repo_info", {"source": at(nexus, api_token=USER_TOKEN)})
    assert [row["name"] for row in run.result["repositories"]] == REPOSITORIES
    assert code not in run.text


@pytest.mark.parametrize(("token", "words"), [("without a colon", "user token"), (USER_TOKEN, "is refused")])
def test_a_token_that_does_not_do(nexus: NexusDouble, token: str, words: str) -> None:
    run = run_module("registry_repo_info", {"source": at(nexus, provider="nexus", api_token=token)})
    assert run.error["kind"] == "invalid_option"
    assert run.error["subject"] == "source.api_token"
    assert words in run.error["message"]
    assert token not in run.text


# -- connectors ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_name", [True, False])
def test_a_connector(nexus: NexusDouble, plain: Registry, tmp_path: Path, by_name: bool) -> None:
    """Which repository it belongs to is said by an option, or by the settings of Nexus where they are shown."""
    if by_name:
        nexus.options.refusals["settings"] = 403
    with Connector(nexus, "docker-prod") as connector:
        source = at(connector, api_url=nexus.url, namespaces=["docker-prod"] if by_name else [])
        result = copy(source, endpoint(plain), tmp_path).result
        assert result["failures"] == []
        assert set(tags_of(plain)) == {("app", "1.0"), ("app", "multi")}
        connector.reset_log()
        assert not copy(source, endpoint(plain), tmp_path).result["changed"]
        assert connector.count("GET", "/manifests/|/tags/list|/_catalog") == 0


def test_a_connector_as_destination(nexus: NexusDouble, plain: Registry, tmp_path: Path) -> None:
    push(plain.url, images.lab_set(2))
    with Connector(nexus, "docker-prod") as connector:
        destination = at(connector, api_url=nexus.url)
        assert copy(endpoint(plain), destination, tmp_path).result["failures"] == []
        there = tags_of(nexus.behind)
        assert {(f"docker-prod/{name}", tag): digest for (name, tag), digest in tags_of(plain).items()}.items() <= there.items()
        assert not copy(endpoint(plain), destination, tmp_path).result["changed"]


def test_a_connector_without_the_address_of_the_api(nexus: NexusDouble, plain: Registry, tmp_path: Path) -> None:
    with Connector(nexus, "docker-prod") as connector:
        run = copy(at(connector), endpoint(plain), tmp_path)
    assert run.result["counts"]["copied"] == 2
    assert "source.api_url" in run.text


def test_a_connector_of_a_repository_that_is_empty(nexus: NexusDouble) -> None:
    nexus.add("docker-new")
    with Connector(nexus, "docker-new") as connector:
        with provided(at(connector, provider="nexus", api_url=nexus.url)) as provider:
            assert provider.containers(["team/app", "tool"]) == ["docker-new"]
            assert list(provider.repositories()) == []


# -- what has to be there ------------------------------------------------------------------------------------------------------


def test_a_repository_is_created_and_changed(nexus: NexusDouble) -> None:
    settings = {"write_policy": "allow_once", "http_port": 18082}
    with provided(at(nexus, provider="nexus")) as provider:
        assert provider.ensure("new", settings, apply=False).state == "created"
        assert "new" not in nexus.repositories
        assert provider.ensure("new", settings, apply=True).state == "created"
        has = nexus.repositories["new"]
        assert (has["storage"]["writePolicy"], has["storage"]["blobStoreName"]) == ("ALLOW_ONCE", "default")
        assert has["docker"]["httpPort"] == 18082

        nexus.reset_log()
        assert provider.ensure("new", settings, apply=True).state == "existing"
        assert nexus.count("PUT|POST", "") == 0

        changed = provider.ensure("new", {"write_policy": "allow"}, apply=False)
        assert (changed.state, changed.differences) == ("changed", {"write_policy": ("ALLOW_ONCE", "allow")})
        assert provider.ensure("new", {"write_policy": "allow"}, apply=True).state == "changed"
        # the others stay as they are
        assert (has["storage"]["writePolicy"], has["docker"]["httpPort"]) == ("ALLOW", 18082)

        drift = provider.ensure("new", {"blob_store": "other"}, apply=True)
        assert (drift.state, drift.differences) == ("drift", {"blob_store": ("default", "other")})


def test_settings_may_be_texts(nexus: NexusDouble) -> None:
    """As templates have them."""
    settings = {"online": "yes", "v1_enabled": "false", "https_port": "18443"}
    with provided(at(nexus, provider="nexus")) as provider:
        assert provider.ensure("new", settings, apply=True).state == "created"
        has = nexus.repositories["new"]
        assert (has["online"], has["docker"]["v1Enabled"], has["docker"]["httpsPort"]) == (True, False, 18443)
        assert provider.ensure("new", settings, apply=True).state == "existing"


def test_repositories_to_which_nothing_can_be_pushed(nexus: NexusDouble) -> None:
    with provided(at(nexus, provider="nexus")) as provider:
        for name, word in (("maven-releases", "maven2 packages"), ("docker-hub", "proxy")):
            with pytest.raises(InvalidOption, match=word) as caught:
                provider.ensure(name, {}, apply=True)
            assert name in caught.value.subject


@pytest.mark.parametrize(("setting", "value"), [("write_policy", "sometimes"), ("http_port", 70_000), ("https_port", "https")])
def test_settings_that_are_none(nexus: NexusDouble, setting: str, value: t.Any) -> None:
    with provided(at(nexus, provider="nexus")) as provider, pytest.raises(InvalidOption) as caught:
        provider.ensure("new", {setting: value}, apply=True)
    assert setting in caught.value.subject
    assert nexus.count("PUT|POST", "") == 0


def test_a_right_that_is_missing(nexus: NexusDouble) -> None:
    nexus.options.refusals["create"] = 403
    with provided(at(nexus, provider="nexus")) as provider, pytest.raises(AccessDenied):
        provider.ensure("new", {}, apply=True)

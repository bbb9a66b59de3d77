# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of single rows of the lists of Artifactory and Nexus, however odd they are."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.registryops.migration.plugins.module_utils._providers import artifactory, keyed, nexus
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import TagRecord

A, B = "a" * 64, "b" * 64


def file(path: str, name: str = "manifest.json", sha256: t.Any = A, **properties: t.Any) -> dict[str, t.Any]:
    rows = [{"key": key.replace("_", "."), "value": value} for key, value in properties.items()]
    return {"repo": "k", "path": path, "name": name, "sha256": sha256, "modified": "2026-11-01T10:00:00.000Z", "properties": rows}


class Catalogue:
    """The catalogue of a key: the same names at every request."""

    def __init__(self, count: int) -> None:
        self.names = [f"app{number:03}" for number in range(count)]
        self._api = self

    @staticmethod
    def registry_path(key: keyed.Key) -> str:
        return f"/api/docker/{key.name}/v2"

    def ask(self, *_asked: t.Any, **_more: t.Any) -> types.SimpleNamespace:
        return types.SimpleNamespace(document={"repositories": self.names})


KEY = keyed.Key("docker-local", "local", "docker", True)


def test_a_catalogue_of_a_key_that_may_be_cut() -> None:
    with pytest.raises(InvalidAnswer, match="lists 100 repositories") as caught:
        list(keyed.KeyedProvider._names(t.cast("keyed.KeyedProvider", Catalogue(100)), KEY))
    assert caught.value.subject == "the catalogue of docker-local"
    assert "repositories: include" in caught.value.hint


def test_a_catalogue_of_a_key_that_comes_whole() -> None:
    held = Catalogue(101)
    assert list(keyed.KeyedProvider._names(t.cast("keyed.KeyedProvider", held), KEY)) == held.names


def test_a_file_of_artifactory_is_a_tag() -> None:
    found = artifactory._images([file("team/app/1.0", docker_manifest_type=OCI_MANIFEST)])
    assert found == {"team/app": [TagRecord("1.0", f"sha256:{A}", OCI_MANIFEST, -1, "2026-11-01T10:00:00.000Z")]}


@pytest.mark.parametrize("path", [".", "", "app", f"app/sha256:{B}", f"team/app/sha256__{B}"])
def test_what_is_no_tag_of_artifactory(path: str) -> None:
    assert artifactory._images([file(path)]) == {}


def test_other_files_of_artifactory_are_left_out() -> None:
    assert artifactory._images([file("app/1", name="config.json"), {"path": None, "name": None}]) == {}


def test_a_tag_that_is_an_image_and_an_index() -> None:
    found = artifactory._images([file("app/1"), file("app/1", "list.manifest.json", B, docker_manifest_type=OCI_INDEX)])
    assert found == {"app": [TagRecord("1")]}


@pytest.mark.parametrize("sha256", [None, "", "ABC", A.upper(), 5])
def test_a_checksum_that_artifactory_does_not_have(sha256: t.Any) -> None:
    row = file("app/1", sha256=sha256, docker_manifest_digest=f"sha256:{B}")
    assert artifactory._images([row])["app"][0].digest == f"sha256:{B}"
    assert artifactory._images([{**row, "properties": None}])["app"][0].digest == ""


def test_a_media_type_of_artifactory_that_is_none() -> None:
    assert artifactory._images([file("app/1", docker_manifest_type="text/html")])["app"][0].media_type == ""


@pytest.mark.parametrize(
    ("has", "wanted", "same"),
    [
        (None, False, True),
        (None, 0, True),
        (None, "", True),
        (None, [], True),
        (None, True, False),
        (5, 5, True),
        (5, 6, False),
        (["b", "a"], ["a", "b"], True),
        ("Text", "text", False),
    ],
)
def test_settings_of_artifactory(has: t.Any, wanted: t.Any, same: bool) -> None:
    assert artifactory._is_same(has, wanted) is same


def asset(path: str = "/v2/app/manifests/1", sha256: t.Any = A, content_type: str = OCI_MANIFEST) -> dict[str, t.Any]:
    return {"path": path, "checksum": {"sha256": sha256}, "contentType": content_type, "lastModified": "2026-11-01T10:00:00.000+00:00"}


@pytest.mark.parametrize("path", ["/v2/app/manifests/1", "v2/app/manifests/1"])
def test_an_asset_of_nexus_is_a_tag(path: str) -> None:
    assets = [asset("/v2/-/blobs/sha256:" + B), asset(path)]
    assert nexus._record("app", "1", assets) == TagRecord("1", f"sha256:{A}", OCI_MANIFEST, -1, "2026-11-01T10:00:00.000+00:00")


@pytest.mark.parametrize(
    "assets",
    [None, [], [None], [asset("/v2/app/manifests/2")], [asset("/v2/other/app/manifests/1")], [asset(), asset()]],
)
def test_a_tag_of_nexus_without_a_manifest_of_its_own(assets: t.Any) -> None:
    assert nexus._record("app", "1", assets) == TagRecord("1")


def test_an_asset_of_nexus_that_tells_nothing() -> None:
    found = nexus._record("app", "1", [{**asset(content_type="application/json; charset=utf-8"), "checksum": None}])
    assert (found.digest, found.media_type) == ("", "")


@pytest.mark.parametrize("found", [None, {}, "text", [1]])
def test_what_is_no_list_of_rows(found: t.Any) -> None:
    with pytest.raises(InvalidAnswer, match="no list"):
        keyed.rows_of(found, "the list")

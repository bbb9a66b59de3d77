# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._conversion.docker_form import (
    Child,
    is_attestation,
    to_manifest_list,
    to_schema2,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import UnsupportedManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, Platform, parse_manifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import (
    DOCKER_LIST,
    OCI_ARTIFACT,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
)

DIGEST = "sha256:" + "a" * 64


def image(layers=(), **more):
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "size": 2, "digest": DIGEST},
        "layers": [{"mediaType": media_type, "size": 3, "digest": DIGEST, **extra} for media_type, extra in layers],
        **more,
    }
    return parse_manifest(json.dumps(document).encode(), OCI_MANIFEST)


@pytest.mark.parametrize(
    ("oci", "docker"),
    [
        ("application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar"),
        ("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    ],
)
def test_layers(oci, docker):
    made = to_schema2(image([(oci, {"urls": ["http://elsewhere.example"], "annotations": {"a": "b"}})]), "here")
    assert json.loads(made.data)["layers"] == [{"mediaType": docker, "size": 3, "digest": DIGEST, "urls": ["http://elsewhere.example"]}]


def test_the_same_bytes_each_time():
    first, second = (to_schema2(image(annotations=annotations), "here") for annotations in ({}, {"build": "2"}))
    assert first.data == second.data
    assert first.digest == second.digest
    assert first.made_from != second.made_from


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (image([("application/vnd.oci.image.layer.v1.tar+zstd", {})]), "zstd"),
        (image([("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", {})]), "has a layer of the type"),
        (image([("", {})]), "(none)"),
        (image(artifactType="application/example"), "is an artifact"),
        (image(subject={"mediaType": OCI_MANIFEST, "size": 1, "digest": DIGEST}), "refers to " + DIGEST),
        (parse_manifest(json.dumps({"mediaType": OCI_ARTIFACT, "artifactType": "a/b"}).encode(), OCI_ARTIFACT), "is an artifact"),
    ],
)
def test_what_has_no_form(manifest, message):
    with pytest.raises(UnsupportedManifest) as caught:
        to_schema2(manifest, "here")
    assert message in caught.value.message
    assert caught.value.subject == "here"
    assert caught.value.hint


def test_lists():
    index = parse_manifest(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode(), OCI_INDEX)
    child = to_schema2(image(), "here")
    platform = Platform("windows", "amd64", "", "10.0.1", ("win32k",))
    made = to_manifest_list(index, [Child(child, platform)], "here")
    assert (made.media_type, made.made_from) == (DOCKER_LIST, index.digest)
    (entry,) = json.loads(made.data)["manifests"]
    assert entry["platform"] == {"os": "windows", "architecture": "amd64", "os.version": "10.0.1", "os.features": ["win32k"]}
    # a list in a list tells none
    outer = to_manifest_list(index, [Child(made, None)], "here")
    assert "platform" not in json.loads(outer.data)["manifests"][0]
    for children in ([], [Child(child, None)], [Child(child, Platform("linux", ""))]):
        with pytest.raises(UnsupportedManifest):
            to_manifest_list(index, children, "here")


def test_attestations_are_told_by_their_annotations():
    assert is_attestation(Descriptor("", DIGEST, 1, annotations={"vnd.docker.reference.type": "attestation-manifest"}))
    assert is_attestation(Descriptor("", DIGEST, 1, annotations={"vnd.docker.reference.digest": DIGEST}))
    assert not is_attestation(Descriptor("", DIGEST, 1, annotations={"org.opencontainers.image.version": "1"}))

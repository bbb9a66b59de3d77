# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests: the view of each kind, what is refused and why, digests of schema 1, parts of an index, platforms, tags after digests."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    DigestMismatch,
    InvalidManifest,
    InvalidOption,
    InvalidReference,
    ManifestTooLarge,
    UnsupportedManifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import (
    DEPTH_LIMIT,
    ITEM_LIMIT,
    MANIFEST_LIMIT,
    SCHEMA1_LAYER,
    UNKNOWN_SIZE,
    Descriptor,
    Platform,
    digest_tag_stems,
    is_digest_tag,
    parse_manifest,
    parse_platform,
    schema1_payload,
    subset_index,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCKER_SCHEMA1,
    DOCKER_SCHEMA1_SIGNED,
    OCI_ARTIFACT,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
)

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
GENERIC = [None, "", "application/json", "text/plain; charset=utf-8", "application/octet-stream", "Application/JSON;charset=UTF-8"]


def short(value):
    """For the name of a test: long data would make a long name."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else None


def digest_of(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def name_digest(name):
    return digest_of(name.encode())


def descriptor(name, media_type=LAYER, size=10, **more):
    return {"mediaType": media_type, "size": size, "digest": name_digest(name), **more}


def as_bytes(document):
    return json.dumps(document, indent=3).encode()


def image(**more):
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("config", OCI_CONFIG),
        "layers": [descriptor("one"), descriptor("two", size=20)],
        **more,
    }


def index(*children, **more):
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(children), **more}


def child(name, platform=None, **more):
    entry = descriptor(name, OCI_MANIFEST, **more)
    if platform:
        keys = ("os", "architecture", "variant")
        entry["platform"] = dict(zip(keys, platform.split("/")))  # noqa: B905 - also runs on Python 3.9
    return entry


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def schema1(**more):
    layers = [{"blobSum": name_digest(name)} for name in ("top", "empty", "middle", "empty", "base")]
    document = {"schemaVersion": 1, "name": "team/app", "tag": "1", "architecture": "amd64", "fsLayers": layers, "history": [], **more}
    return json.dumps(document, indent=3).encode()


def signed(payload, changes=None):
    """As docker signs: the signatures are put before the closing brace, the header says how to take them out again."""
    length = payload.rindex(b"\n}")
    header = {"formatLength": length, "formatTail": base64url(payload[length:]), "time": "2016-01-01T00:00:00Z", **(changes or {})}
    signature = {"header": {"alg": "ES256"}, "signature": "c2ln", "protected": base64url(json.dumps(header).encode())}
    return payload[:length] + b',\n   "signatures": ' + json.dumps([signature]).encode() + b"\n}"


# -- the view of each kind


@pytest.mark.parametrize("content_type", [OCI_MANIFEST, f"{OCI_MANIFEST}; charset=utf-8", OCI_MANIFEST.upper(), *GENERIC])
def test_image(content_type):
    document = image(
        subject=descriptor("subject", OCI_MANIFEST),
        artifactType="application/x",
        annotations={"a": "\u00e9", "b": ""},
        future={"x": [1.5, None, True]},
    )
    data = as_bytes(document)
    manifest = parse_manifest(data, content_type)
    assert manifest.data is data
    assert manifest.digest == digest_of(data)
    assert manifest.media_type == OCI_MANIFEST
    assert manifest.kind == "image"
    assert manifest.size == len(data)
    assert manifest.children == ()
    assert manifest.config == Descriptor(OCI_CONFIG, name_digest("config"), 10)
    assert manifest.layers == (Descriptor(LAYER, name_digest("one"), 10), Descriptor(LAYER, name_digest("two"), 20))
    assert manifest.blobs == (manifest.config, *manifest.layers)
    assert manifest.subject == Descriptor(OCI_MANIFEST, name_digest("subject"), 10)
    assert manifest.artifact_type == "application/x"
    assert dict(manifest.annotations) == {"a": "\u00e9", "b": ""}


def test_docker_image():
    data = as_bytes(image(mediaType=DOCKER_MANIFEST, config=descriptor("config", DOCKER_CONFIG)))
    for content_type in (DOCKER_MANIFEST, None):
        manifest = parse_manifest(data, content_type)
        assert (manifest.kind, manifest.media_type) == ("image", DOCKER_MANIFEST)
        assert manifest.subject is None
        assert manifest.artifact_type == ""
        assert not manifest.annotations


def test_blobs_are_unique_and_in_order():
    layers = [descriptor("b"), descriptor("a"), descriptor("b"), descriptor("config"), descriptor("c")]
    manifest = parse_manifest(as_bytes(image(layers=layers)), None)
    assert len(manifest.layers) == 5
    assert [blob.digest for blob in manifest.blobs] == [name_digest(name) for name in ("config", "b", "a", "c")]


def test_empty_layers():
    for layers in ([], None):
        assert parse_manifest(as_bytes(image(layers=layers)), None).layers == ()
    document = image()
    del document["layers"]
    assert parse_manifest(as_bytes(document), OCI_MANIFEST).layers == ()


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_index(media_type):
    data = as_bytes(
        index(
            child("one", "linux/arm/v6"),
            child("two", platform="windows/amd64", annotations={"k": "v"}, artifactType="application/y", urls=["https://x.example/y"]),
            child("three"),
            mediaType=media_type,
            annotations={"a": "b"},
        )
    )
    manifest = parse_manifest(data, media_type)
    assert (manifest.kind, manifest.media_type, manifest.digest) == ("index", media_type, digest_of(data))
    assert manifest.children == (
        Descriptor(OCI_MANIFEST, name_digest("one"), 10, platform=Platform("linux", "arm", "v6")),
        Descriptor(
            OCI_MANIFEST, name_digest("two"), 10, ("https://x.example/y",), Platform("windows", "amd64"), {"k": "v"}, "application/y"
        ),
        Descriptor(OCI_MANIFEST, name_digest("three"), 10),
    )
    assert (manifest.config, manifest.layers, manifest.blobs) == (None, (), ())
    assert dict(manifest.annotations) == {"a": "b"}


def test_empty_index():
    for manifests in ([], None):
        assert parse_manifest(as_bytes(index(manifests=manifests)), None).children == ()


def test_platform_of_a_child():
    platform = {"os": "windows", "architecture": "amd64", "os.version": "10.0.1", "os.features": ["win32k"], "features": ["sse4"]}
    manifest = parse_manifest(as_bytes(index({**child("a"), "platform": platform}, {**child("b"), "platform": {}})), None)
    assert manifest.children[0].platform == Platform("windows", "amd64", "", "10.0.1", ("win32k",))
    assert manifest.children[1].platform == Platform("", "")
    again = parse_manifest(as_bytes(index({**child("a"), "platform": platform})), None)
    assert again.children[0].platform is manifest.children[0].platform
    assert parse_manifest(as_bytes(index(child("a", "x" * 1000 + "/y"))), None).children[0].platform == Platform("x" * 1000, "y")


def test_artifact():
    document = {
        "mediaType": OCI_ARTIFACT,
        "artifactType": "application/x",
        "blobs": [descriptor("a"), descriptor("a")],
        "subject": descriptor("s"),
    }
    manifest = parse_manifest(as_bytes(document), OCI_ARTIFACT)
    assert manifest.kind == "artifact"
    assert [blob.digest for blob in manifest.blobs] == [name_digest("a")]
    assert manifest.subject == Descriptor(LAYER, name_digest("s"), 10)
    assert manifest.artifact_type == "application/x"
    assert parse_manifest(as_bytes({"mediaType": OCI_ARTIFACT}), OCI_ARTIFACT).blobs == ()


def test_descriptor_of_a_referrer():
    data = as_bytes(image(annotations={"a": "b"}, config=descriptor("config", "application/x.config")))
    assert parse_manifest(data, None).descriptor() == Descriptor(
        OCI_MANIFEST, digest_of(data), len(data), annotations={"a": "b"}, artifact_type="application/x.config"
    )
    data = as_bytes(image(artifactType="application/x", config=descriptor("{}", OCI_EMPTY)))
    assert parse_manifest(data, None).descriptor().artifact_type == "application/x"
    assert parse_manifest(as_bytes(index()), None).descriptor().artifact_type == ""


def test_is_a_value():
    data = as_bytes(image())
    manifest = parse_manifest(data, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        manifest.digest = "x"
    with pytest.raises(dataclasses.FrozenInstanceError):
        manifest.config.digest = "x"
    with pytest.raises(TypeError):
        manifest.annotations["x"] = "y"
    assert manifest == parse_manifest(data, OCI_MANIFEST)
    assert len({manifest, parse_manifest(data, OCI_MANIFEST)}) == 1
    assert len({*manifest.layers, *parse_manifest(data, None).layers}) == 2
    assert not hasattr(manifest, "__dict__")
    assert not hasattr(manifest.config, "__dict__")
    # layers that many images share cost their text once
    assert manifest.layers[0].digest is parse_manifest(as_bytes(image(annotations={"x": "y"})), None).layers[0].digest
    assert str(len(data)) in repr(manifest)
    assert len(repr(manifest)) < 300


@pytest.mark.parametrize(
    ("media_type", "urls", "foreign"),
    [
        (LAYER, [], False),
        (LAYER, None, False),
        (LAYER, ["https://x.example/layer"], True),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", [], True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", [], True),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", [], False),
    ],
)
def test_foreign(media_type, urls, foreign):
    manifest = parse_manifest(as_bytes(image(layers=[descriptor("a", media_type, urls=urls)])), None)
    assert manifest.layers[0].is_foreign is foreign


# -- media types


@pytest.mark.parametrize(
    ("document", "media_type"),
    [
        (index(child("a")), OCI_INDEX),
        (index(), OCI_INDEX),
        (index(descriptor("a", DOCKER_MANIFEST)), DOCKER_LIST),
        (image(), OCI_MANIFEST),
        (image(config=descriptor("c", DOCKER_CONFIG)), DOCKER_MANIFEST),
        (image(config=descriptor("c", "application/vnd.example")), OCI_MANIFEST),
    ],
)
@pytest.mark.parametrize("content_type", GENERIC)
def test_media_type_by_structure(document, media_type, content_type):
    document = {key: value for key, value in document.items() if key != "mediaType"}
    assert parse_manifest(as_bytes(document), content_type).media_type == media_type
    # the header's word counts more than the structure's
    other = {OCI_INDEX: DOCKER_LIST, DOCKER_LIST: OCI_INDEX, OCI_MANIFEST: DOCKER_MANIFEST, DOCKER_MANIFEST: OCI_MANIFEST}[media_type]
    assert parse_manifest(as_bytes(document), other).media_type == other


@pytest.mark.parametrize(("document", "content_type"), [(image(), DOCKER_MANIFEST), (image(), OCI_INDEX), (index(), DOCKER_LIST)])
def test_media_types_that_contradict(document, content_type):
    with pytest.raises(InvalidManifest, match="was served as") as caught:
        parse_manifest(as_bytes(document), content_type, where="quay.io/app:1")
    assert str(caught.value).startswith("quay.io/app:1: ")
    assert document["mediaType"] in str(caught.value)


@pytest.mark.parametrize(
    ("document", "content_type", "named"),
    [
        (image(), "text/html", "text/html"),
        (image(mediaType="application/vnd.example+json"), None, "application/vnd.example+json"),
        (image(mediaType="application/vnd.example+json"), "application/vnd.example+json; v=1", "application/vnd.example+json"),
        (image(mediaType="a\x1b[31m"), "application/json", "'a\\x1b[31m'"),
        (image(), "application/vnd.docker.plugin.v1+json", "application/vnd.docker.plugin.v1+json"),
    ],
)
def test_unknown_media_types(document, content_type, named):
    with pytest.raises(UnsupportedManifest) as caught:
        parse_manifest(as_bytes(document), content_type, where="here")
    assert named in str(caught.value)
    assert caught.value.subject == "here"


# -- what is refused

BAD_DIGEST = {**descriptor("x"), "digest": "sha256:abc"}


def without(document, key):
    return {name: value for name, value in document.items() if name != key}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "has nothing of a manifest"),
        ({"errors": []}, "has nothing of a manifest"),
        (without(image(), "config"), "has no config"),
        (image(config=None), "has no config"),
        (image(config=[]), "has an array for config, which must be an object"),
        (image(config="x"), "has a string for config"),
        (image(layers={}), "has an object for layers, which must be an array"),
        (image(layers=[1]), "has a number for layers[0]"),
        (image(layers=[None]), "has null for layers[0]"),
        (image(layers=[descriptor("a"), without(descriptor("a"), "digest")]), "has no layers[1].digest"),
        (image(layers=[without(descriptor("a"), "size")]), "has no layers[0].size"),
        (image(layers=[descriptor("a", size=-1)]), "has -1 for layers[0].size"),
        (image(layers=[descriptor("a", size=2**63)]), "has 9223372036854775808 for layers[0].size"),
        (image(layers=[descriptor("a", size=1.5)]), "has a number with a fraction for layers[0].size"),
        (image(layers=[descriptor("a", size="1")]), "has a string for layers[0].size"),
        (image(layers=[descriptor("a", size=True)]), "has a boolean for layers[0].size"),
        (image(layers=[BAD_DIGEST]), "has 'sha256:abc' for layers[0].digest, which must have 64 lower-case hex digits"),
        (image(layers=[{**BAD_DIGEST, "digest": "md5:" + "a" * 32}]), "digest algorithm md5"),
        (image(layers=[{**BAD_DIGEST, "digest": "../../x"}]), "is not a digest"),
        (image(layers=[{**BAD_DIGEST, "digest": name_digest("a") + "\n"}]), "\\n' for layers[0].digest"),
        (image(layers=[{**BAD_DIGEST, "digest": 5}]), "has a number for layers[0].digest, which must be a string"),
        (image(layers=[descriptor("a", media_type=5)]), "has a number for layers[0].mediaType"),
        (image(layers=[descriptor("a", urls="x")]), "has a string for layers[0].urls, which must be an array"),
        (image(layers=[descriptor("a", urls=[1])]), "has a number for layers[0].urls, which must be a string"),
        (image(layers=[descriptor("a", annotations=[])]), "has an array for layers[0].annotations"),
        (image(annotations={"a": 1}), "has a number for annotations['a']"),
        (image(annotations="x"), "has a string for annotations"),
        (image(annotations=False), "has a boolean for annotations"),
        (image(artifactType=[]), "has an array for artifactType"),
        (image(subject="x"), "has a string for subject"),
        (image(subject=BAD_DIGEST), "for subject.digest"),
        (image(mediaType=1), "has a number for mediaType"),
        (image(schemaVersion=1), "has the schemaVersion 1 instead of 2"),
        (image(schemaVersion="2"), "has the schemaVersion '2' instead of 2"),
        (image(schemaVersion=True), "has the schemaVersion"),
        (image(manifests=[]), "has the key manifests"),
        (image(fsLayers=[]), "has the key fsLayers"),
        (index(config={}), "has the key config"),
        (index(layers=[]), "has the key layers"),
        (without(index(), "manifests"), "has no array manifests"),
        (index(manifests={}), "has an object for manifests"),
        (index(BAD_DIGEST), "for manifests[0].digest"),
        (index({**child("a"), "platform": "linux/amd64"}), "has a string for manifests[0].platform"),
        (index({**child("a"), "platform": {"os": 1}}), "has a number for manifests[0].platform.os"),
        (index({**child("a"), "platform": {"os.features": [1]}}), "manifests[0].platform.os.features"),
        ({"mediaType": OCI_ARTIFACT, "layers": []}, "has the key layers"),
        ({"schemaVersion": 1, "fsLayers": {}}, "has no array fsLayers"),
        ({"schemaVersion": 1, "fsLayers": [{}]}, "has null for fsLayers[0].blobSum"),
        ({"schemaVersion": 1, "fsLayers": [1]}, "has a number for fsLayers[0]"),
        ({"schemaVersion": 2, "fsLayers": []}, "has the schemaVersion 2 instead of 1"),
        ({"schemaVersion": 1, "fsLayers": [], "manifests": []}, "has the key manifests"),
        ([], "is JSON, but no object"),
        ("x", "is JSON, but no object"),
        (None, "is JSON, but no object"),
    ],
)
def test_invalid(document, reason):
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(as_bytes(document), "application/json", where="quay.io/app:1")
    assert reason in str(caught.value)
    assert caught.value.subject == "quay.io/app:1"
    assert caught.value.hint
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not JSON"),
        (b"   ", "is not JSON"),
        (b"{", "is not JSON"),
        (b"<html></html>", "is not JSON: Expecting value at line 1, column 1"),
        (as_bytes(image())[:-5], "is not JSON"),
        (as_bytes(image()) + b"{}", "is not JSON: Extra data"),
        (b"\xff\xfe{\x00}\x00", "is not UTF-8 at byte 0"),
        (b'{"a": "\xe9"}', "is not UTF-8 at byte 7"),
        (json.dumps(image()).encode("utf-16-le"), "is not JSON"),
        (b"\xef\xbb\xbf" + as_bytes(image()), "is not JSON"),
        (b'{"schemaVersion": 2, "schemaVersion": 2}', "has the key 'schemaVersion' twice"),
        (b'{"config": {"digest": "a", "digest": "b"}}', "has the key 'digest' twice"),
        (b'{"a": {}, "\\u0061": {}}', "has the key 'a' twice"),
        (b'{"size": NaN}', "has NaN, which is not JSON"),
        (b'{"size": -Infinity}', "has -Infinity"),
        (b'{"size": 1e999}', "out of range"),
        (b'{"size": ' + b"9" * 1_000_000 + b"}", "number of 1000000 digits"),
        (b'{"size": 1.' + b"9" * 1_000_000 + b"}", "digits"),
        (b'{"a": ' + b"[" * 100_000, "nests deeper than 64 levels"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nests deeper than 64 levels"),
        (b'{"a": [' + b"[]," * ITEM_LIMIT + b"1]}", "more than 250000 objects and arrays"),
        (b'{"a": "' + b'\\"[' * 100_000, "is not JSON"),
    ],
    ids=short,
)
def test_broken_bytes(data, reason):
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(data, OCI_MANIFEST)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 400


def test_depth_counts_brackets_outside_of_strings_only():
    note = "[{" * 1000 + '"\\'
    assert parse_manifest(as_bytes(image(annotations={"note": note})), None).annotations["note"] == note
    deep = json.loads("[" * (DEPTH_LIMIT - 1) + "]" * (DEPTH_LIMIT - 1))
    assert parse_manifest(as_bytes(image(x=deep)), None).kind == "image"
    with pytest.raises(InvalidManifest, match="nests deeper"):
        parse_manifest(as_bytes(image(x=[deep])), None)


def test_lone_surrogates_do_not_reach_the_outside():
    data = as_bytes(image(annotations={"k": "\ud800"}))
    assert rb"\ud800" in data
    manifest = parse_manifest(data, None)
    assert manifest.annotations["k"].encode("utf-8") == b"?"


def test_missing_media_type_of_a_descriptor():
    manifest = parse_manifest(as_bytes(image(layers=[without(descriptor("a"), "mediaType")])), None)
    assert manifest.layers[0].media_type == ""


def test_size_limit():
    padding = MANIFEST_LIMIT - len(json.dumps(image(annotations={"a": ""})).encode())
    data = json.dumps(image(annotations={"a": "x" * padding})).encode()
    assert len(data) == MANIFEST_LIMIT
    assert parse_manifest(data, OCI_MANIFEST).size == MANIFEST_LIMIT
    with pytest.raises(ManifestTooLarge, match="4194305 bytes"):
        parse_manifest(data + b" ", OCI_MANIFEST)


# -- digests


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_digest_is_checked(algorithm):
    data = as_bytes(image())
    digest = digest_of(data, algorithm)
    assert parse_manifest(data, OCI_MANIFEST, digest).digest == digest
    for other in (data + b" ", data[:-9], b""):
        with pytest.raises(DigestMismatch) as caught:
            parse_manifest(other, OCI_MANIFEST, digest, where="quay.io/app:1")
        assert digest in str(caught.value)
        assert digest_of(other, algorithm) in str(caught.value)
        assert caught.value.subject == "quay.io/app:1"


def test_a_digest_that_is_none():
    with pytest.raises(InvalidReference):
        parse_manifest(as_bytes(image()), OCI_MANIFEST, "sha256:x")


def test_signatures_in_other_manifests_change_no_digest():
    data = as_bytes(image(signatures=[{"protected": "x"}]))
    assert parse_manifest(data, OCI_MANIFEST).digest == digest_of(data)
    assert parse_manifest(data, None, digest_of(data)).digest == digest_of(data)
    with pytest.raises(DigestMismatch):
        parse_manifest(data, OCI_MANIFEST, name_digest("other"))


@pytest.mark.parametrize("content_type", [DOCKER_SCHEMA1_SIGNED, None, "application/json"])
def test_schema1_signed(content_type):
    payload = schema1()
    data = signed(payload)
    manifest = parse_manifest(data, content_type)
    assert manifest.data is data
    assert (manifest.kind, manifest.media_type) == ("schema1", DOCKER_SCHEMA1_SIGNED)
    assert schema1_payload(data) == payload
    assert manifest.digest == digest_of(payload) != digest_of(data)
    assert len(manifest.layers) == 5
    assert [blob.digest for blob in manifest.blobs] == [name_digest(name) for name in ("top", "empty", "middle", "base")]
    assert {(blob.media_type, blob.size) for blob in manifest.blobs} == {(SCHEMA1_LAYER, UNKNOWN_SIZE)}
    assert (manifest.config, manifest.subject, manifest.children, manifest.artifact_type) == (None, None, (), "")
    assert parse_manifest(data, content_type, digest_of(payload)).digest == digest_of(payload)
    for wrong in (digest_of(data), name_digest("other")):
        with pytest.raises(DigestMismatch):
            parse_manifest(data, content_type, wrong)


def test_schema1_two_signatures():
    payload = schema1()
    data = signed(payload)
    one = json.loads(data)["signatures"][0]
    length = payload.rindex(b"\n}")
    both = payload[:length] + b',"signatures":' + json.dumps([one, one]).encode() + b"}"
    assert schema1_payload(both) == payload


def test_schema1_unsigned():
    data = schema1()
    for content_type in (DOCKER_SCHEMA1, None):
        manifest = parse_manifest(data, content_type)
        assert (manifest.kind, manifest.media_type, manifest.digest) == ("schema1", DOCKER_SCHEMA1, digest_of(data))
    assert schema1_payload(data) == data
    # a media type is a claim; what counts is whether there are signatures
    assert parse_manifest(data, DOCKER_SCHEMA1_SIGNED).digest == digest_of(data)
    assert parse_manifest(signed(data), DOCKER_SCHEMA1).digest == digest_of(data)


def test_schema1_view_is_that_of_the_payload():
    # unsigned keys around the payload must not be what is copied
    payload = schema1()
    hostile = signed(payload).replace(name_digest("top").encode(), name_digest("evil").encode())
    manifest = parse_manifest(hostile, None)
    assert manifest.digest != digest_of(payload)
    outer = b'{"schemaVersion": 1, "fsLayers": [], "signatures": '
    header = {"formatLength": 1, "formatTail": base64url(payload[1:])}
    outer += json.dumps([{"protected": base64url(json.dumps(header).encode())}]).encode() + b"}"
    manifest = parse_manifest(outer, DOCKER_SCHEMA1_SIGNED)
    assert manifest.digest == digest_of(payload)
    assert len(manifest.layers) == 5


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"formatLength": -1}, "formatLength"),
        ({"formatLength": 10**9}, "formatLength"),
        ({"formatLength": "5"}, "formatLength"),
        ({"formatLength": True}, "formatLength"),
        ({"formatLength": None}, "formatLength"),
        ({"formatTail": 5}, "formatTail"),
        ({"formatTail": "*"}, "other than base64url for formatTail"),
        ({"formatTail": "A"}, "other than base64url for formatTail"),
        ({"formatTail": "\u00e9"}, "other than base64url for formatTail"),
        ({"formatLength": 0, "formatTail": base64url(b"[]")}, "no object"),
        ({"formatLength": 0, "formatTail": base64url(b"nonsense")}, "is not JSON"),
        ({"formatLength": 0, "formatTail": base64url(as_bytes(image()))}, "has the key config"),
    ],
)
def test_schema1_bad_signatures(changes, reason):
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(signed(schema1(), changes), DOCKER_SCHEMA1_SIGNED, where="here")
    assert reason in str(caught.value)
    assert caught.value.subject == "here"


@pytest.mark.parametrize(
    ("signatures", "reason"),
    [
        ("x", "signatures, which must be an array"),
        ([1], "has a number for signatures[0]"),
        ([{}], "has null for signatures[0].protected"),
        ([{"protected": "*"}], "base64url"),
        ([{"protected": base64url(b"[]")}], "no object"),
        ([{"protected": base64url(b"[" * 70)}], "nests deeper"),
        (
            [{"protected": base64url(json.dumps({"formatLength": length, "formatTail": "fQ"}).encode())} for length in (5, 6)],
            "different payloads",
        ),
    ],
)
def test_schema1_bad_forms(signatures, reason):
    with pytest.raises(InvalidManifest) as caught:
        schema1_payload(schema1(signatures=signatures), "here")
    assert reason in str(caught.value)
    assert caught.value.subject == "here"


# -- parts of an index


def attestation(name, about):
    annotations = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": name_digest(about)}
    return child(name, "unknown/unknown", annotations=annotations)


FULL = index(
    child("amd64", "linux/amd64"),
    attestation("amd64-att", "amd64"),
    child("arm64", "linux/arm64/v8"),
    attestation("arm64-att", "arm64"),
    child("armv6", "linux/arm/v6"),
    child("armv7", "linux/arm/v7"),
    child("nothing"),
    annotations={"z": "\u00e9", "a": "1"},
    subject=descriptor("subject", OCI_MANIFEST),
    zebra=[1, 2.5, None],
)


@pytest.mark.parametrize(
    ("platforms", "kept"),
    [
        (["linux/amd64"], ["amd64", "amd64-att"]),
        (["linux/x86_64"], ["amd64", "amd64-att"]),
        (["linux/arm64"], ["arm64", "arm64-att"]),
        (["linux/arm"], ["armv7"]),
        (["linux/arm/v6", "linux/amd64"], ["amd64", "amd64-att", "armv6"]),
        (["windows/amd64", "linux/arm/v6"], ["armv6"]),
        (["unknown/unknown"], ["amd64-att", "arm64-att"]),
    ],
)
@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_subset(platforms, kept, media_type):
    document = {**FULL, "mediaType": media_type}
    whole = parse_manifest(as_bytes(document), None)
    part = subset_index(whole, [parse_platform(platform) for platform in platforms])
    assert part.media_type == media_type
    assert [one.digest for one in part.children] == [name_digest(name) for name in kept]
    assert part.digest == digest_of(part.data) != whole.digest
    assert b": " not in part.data
    read = json.loads(part.data)
    assert list(read) == list(document)
    assert {**read, "manifests": 0} == {**document, "manifests": 0}
    # what stays is word for word what it was
    assert [one for one in document["manifests"] if one in read["manifests"]] == read["manifests"]
    assert part.subject == whole.subject
    # the same again gives the same bytes
    assert subset_index(whole, [parse_platform(platform) for platform in platforms]).digest == part.digest
    assert subset_index(part, [parse_platform(platform) for platform in platforms]) is part


def test_subset_of_everything_is_the_index_itself():
    whole = parse_manifest(as_bytes(index(child("a", "linux/amd64"), attestation("b", "a"))), None)
    assert subset_index(whole, [parse_platform("linux/amd64")]) is whole


def test_subset_without_media_type_in_the_body():
    document = without(index(child("a", "linux/amd64"), child("b", "linux/arm")), "mediaType")
    part = subset_index(parse_manifest(as_bytes(document), DOCKER_LIST), [parse_platform("linux/amd64")])
    assert part.media_type == DOCKER_LIST
    assert "mediaType" not in json.loads(part.data)


def test_subset_of_nothing():
    whole = parse_manifest(as_bytes(FULL), None)
    with pytest.raises(InvalidOption) as caught:
        subset_index(whole, [parse_platform("linux/s390x"), parse_platform("windows/amd64")])
    assert caught.value.subject == "platforms"
    for text in ("linux/s390x", "windows/amd64", "linux/arm64", "linux/arm/v6", whole.digest):
        assert text in str(caught.value)
    with pytest.raises(InvalidOption, match="no platform"):
        subset_index(whole, [])
    with pytest.raises(InvalidOption, match="None of its manifests names a platform"):
        subset_index(parse_manifest(as_bytes(index(child("a"))), None), [parse_platform("linux/s390x")])


def test_subset_of_an_image():
    with pytest.raises(UnsupportedManifest, match="kind image"):
        subset_index(parse_manifest(as_bytes(image()), None), [parse_platform("linux/amd64")])


# -- platforms


@pytest.mark.parametrize(
    ("text", "platform", "normal"),
    [
        ("linux/amd64", Platform("linux", "amd64"), "linux/amd64"),
        ("Linux/AMD64", Platform("linux", "amd64"), "linux/amd64"),
        ("linux/x86_64", Platform("linux", "amd64"), "linux/amd64"),
        ("linux/x86-64", Platform("linux", "amd64"), "linux/amd64"),
        ("linux/amd64/v1", Platform("linux", "amd64"), "linux/amd64"),
        ("linux/amd64/v3", Platform("linux", "amd64", "v3"), "linux/amd64/v3"),
        ("linux/i386", Platform("linux", "386"), "linux/386"),
        ("linux/aarch64", Platform("linux", "arm64"), "linux/arm64"),
        ("linux/arm64/v8", Platform("linux", "arm64"), "linux/arm64"),
        ("linux/arm64/8", Platform("linux", "arm64"), "linux/arm64"),
        ("linux/arm64/v8.0", Platform("linux", "arm64"), "linux/arm64"),
        ("linux/arm64/9", Platform("linux", "arm64", "v9"), "linux/arm64/v9"),
        ("linux/arm64/v8.2", Platform("linux", "arm64", "v8.2"), "linux/arm64/v8.2"),
        ("linux/arm", Platform("linux", "arm", "v7"), "linux/arm/v7"),
        ("linux/arm/7", Platform("linux", "arm", "v7"), "linux/arm/v7"),
        ("linux/arm/v6", Platform("linux", "arm", "v6"), "linux/arm/v6"),
        ("linux/arm/5", Platform("linux", "arm", "v5"), "linux/arm/v5"),
        ("linux/arm/8", Platform("linux", "arm", "v8"), "linux/arm/v8"),
        ("linux/armhf", Platform("linux", "arm", "v7"), "linux/arm/v7"),
        ("linux/armel", Platform("linux", "arm", "v6"), "linux/arm/v6"),
        ("linux/s390x", Platform("linux", "s390x"), "linux/s390x"),
        ("linux/ppc64le", Platform("linux", "ppc64le"), "linux/ppc64le"),
        ("macos/arm64", Platform("darwin", "arm64"), "darwin/arm64"),
        ("unknown/unknown", Platform("unknown", "unknown"), "unknown/unknown"),
        ("windows(10.0.17763)/amd64", Platform("windows", "amd64", "", "10.0.17763"), "windows(10.0.17763)/amd64"),
        ("windows(10.0.1+win32k)/amd64", Platform("windows", "amd64", "", "10.0.1", ("win32k",)), "windows(10.0.1+win32k)/amd64"),
        ("windows(+win32k)/amd64", Platform("windows", "amd64", "", "", ("win32k",)), "windows(+win32k)/amd64"),
    ],
)
def test_platforms(text, platform, normal):
    assert parse_platform(text) == platform
    assert str(parse_platform(text)) == normal
    assert parse_platform(normal) == platform
    assert platform.normalised() == platform


@pytest.mark.parametrize(
    "text",
    [
        "",
        "linux",
        "amd64",
        "linux/",
        "/amd64",
        "linux//v7",
        "linux/arm/v7/x",
        "linux/a b",
        "linux/amd64\n",
        "*/*",
        "linux()/amd64",
        "a(b/c)/d",
        "a(b)c/d",
    ],
)
def test_bad_platforms(text):
    with pytest.raises(InvalidOption, match="linux/arm/v7") as caught:
        parse_platform(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("own", "wanted", "matches"),
    [
        (Platform("linux", "amd64"), "linux/amd64", True),
        (Platform("Linux", "x86_64"), "linux/amd64", True),
        (Platform("linux", "amd64", "v1"), "linux/amd64", True),
        (Platform("linux", "amd64", "v3"), "linux/amd64", False),
        (Platform("linux", "amd64"), "windows/amd64", False),
        (Platform("linux", "arm64", "v8"), "linux/arm64", True),
        (Platform("linux", "arm64"), "linux/arm64/v8", True),
        (Platform("linux", "arm", "v7"), "linux/arm", True),
        (Platform("linux", "arm"), "linux/arm/v7", True),
        (Platform("linux", "arm", "v6"), "linux/arm", False),
        (Platform("linux", "arm", "v7"), "linux/arm64", False),
        (Platform("windows", "amd64", "", "10.0.17763.2114"), "windows/amd64", True),
        (Platform("windows", "amd64", "", "10.0.17763.2114"), "windows(10.0.17763)/amd64", True),
        (Platform("windows", "amd64", "", "10.0.17763.2114"), "windows(10.0.17763.2114)/amd64", True),
        (Platform("windows", "amd64", "", "10.0.177631.1"), "windows(10.0.17763)/amd64", False),
        (Platform("windows", "amd64"), "windows(10.0.17763)/amd64", False),
        (Platform("windows", "amd64", "", "10.0.1", ("win32k", "x")), "windows(10.0.1+win32k)/amd64", True),
        (Platform("windows", "amd64", "", "10.0.1"), "windows(10.0.1+win32k)/amd64", False),
        (Platform("", ""), "linux/amd64", False),
        (Platform("unknown", "unknown"), "linux/amd64", False),
    ],
)
def test_matches(own, wanted, matches):
    assert own.matches(parse_platform(wanted)) is matches


# -- tags that are named after digests

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("tag", "known"),
    [
        (f"sha256-{HEX}", True),
        (f"sha256-{HEX}.sig", True),
        (f"sha256-{HEX}.att", True),
        (f"sha256-{HEX}.sbom", True),
        (f"sha256-{HEX}.cosign.bundle-2", True),
        # 64 digits of 128 or 96: the rest is lost
        (f"sha512-{HEX}", True),
        (f"sha384-{HEX}", True),
        (f"sha384-{HEX}{HEX[:32]}.sig", True),
        (f"sha256-{HEX}.", False),
        (f"sha256-{HEX}sig", False),
        (f"sha256-{HEX[1:]}", False),
        (f"sha256-{HEX}0", False),
        (f"sha256-{HEX.upper()}", False),
        (f"sha256:{HEX}", False),
        (f"md5-{HEX}", False),
        (f"x-sha256-{HEX}", False),
        (f"sha256-{HEX}.sig\n", False),
        ("latest", False),
        ("", False),
    ],
)
def test_digest_tags(tag, known):
    assert is_digest_tag(tag) is known


@pytest.mark.parametrize(
    ("digest", "stems"),
    [
        (f"sha256:{HEX}", (f"sha256-{HEX}",)),
        (f"sha512:{HEX}{HEX}", (f"sha512-{HEX}", f"sha512-{HEX}{HEX}")),
        (f"sha384:{HEX}{HEX[:32]}", (f"sha384-{HEX}", f"sha384-{HEX}{HEX[:32]}")),
    ],
)
def test_the_stems_of_a_digests_tags(digest, stems):
    assert digest_tag_stems(digest) == stems
    assert all(is_digest_tag(stem) or len(stem) > 110 for stem in stems)

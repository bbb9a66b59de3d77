# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chains of v1 become a configuration and a manifest: what is kept, what is left out, and what is no chain at all."""

from __future__ import annotations

import hashlib
import json

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._conversion.layers import LayerFacts
from ansible_collections.registryops.migration.plugins.module_utils._conversion.v1 import (
    PayloadChecksum,
    check_chain,
    convert,
    manifest_type,
    read_link,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import DigestMismatch, InvalidManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
)

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
WHERE = "old.example.com/v1/team/app"
MADE_FROM = f"sha256:{A}"


def facts(letter: str, *, empty: bool = False) -> LayerFacts:
    return LayerFacts(f"sha256:{letter * 64}", ord(letter), f"sha256:{letter.upper().lower() * 63}0", empty=empty)


def document(**more):
    return {"id": A, "created": "2014-06-01T10:00:00Z", "container_config": {"Cmd": ["/bin/sh", "-c", "ADD x"]}, **more}


def converted(*layers, top=None, form="docker"):
    pairs = [(read_link(one, WHERE), known) for one, known in layers]
    return convert(top or layers[-1][0], pairs, form, MADE_FROM)


def config_of(*layers, **options):
    return json.loads(converted(*layers, **options).config)


def test_the_manifest_names_the_configuration_and_the_layers_from_the_base_on():
    made = converted((document(), facts("d")), (document(), facts("e")))
    manifest = json.loads(made.manifest.data)
    assert (made.manifest.made_from, made.manifest.media_type, made.manifest.source_digest) == (MADE_FROM, DOCKER_MANIFEST, MADE_FROM)
    assert manifest["config"] == {
        "mediaType": DOCKER_CONFIG,
        "digest": f"sha256:{hashlib.sha256(made.config).hexdigest()}",
        "size": len(made.config),
    }
    assert manifest["layers"] == [
        {"mediaType": DOCKER_LAYER, "digest": f"sha256:{'d' * 64}", "size": ord("d")},
        {"mediaType": DOCKER_LAYER, "digest": f"sha256:{'e' * 64}", "size": ord("e")},
    ]


def test_the_oci_form_differs_in_its_types_alone():
    layers = [(document(), facts("d"))]
    docker, oci = (converted(*layers, form=form) for form in ("docker", "oci"))
    assert docker.config == oci.config
    manifest = json.loads(oci.manifest.data)
    assert (oci.manifest.media_type, manifest_type("oci")) == (OCI_MANIFEST, OCI_MANIFEST)
    assert (manifest["config"]["mediaType"], manifest["layers"][0]["mediaType"]) == (OCI_CONFIG, OCI_LAYER)


def test_the_same_chain_gives_the_same_bytes_whatever_the_order_of_its_keys():
    one = document(author="x", os="linux")
    other = dict(reversed(list(one.items())))
    assert converted((one, facts("d"))).manifest.digest == converted((other, facts("d"))).manifest.digest


def test_what_named_a_place_in_a_chain_is_left_out_and_the_rest_stays():
    config = config_of(
        (
            document(
                parent=B,
                parent_id=B,
                layer_id=C,
                throwaway=False,
                Size=5,
                checksum="tarsum:x",
                docker_version="1.6.2",
                config={"Env": ["A=b"]},
            ),
            facts("d"),
        )
    )
    assert sorted(config) == ["architecture", "config", "container_config", "created", "docker_version", "history", "os", "rootfs"]
    assert config["config"] == {"Env": ["A=b"]}


def test_a_platform_that_nobody_named_is_the_one_of_that_time():
    assert [config_of((document(), facts("d")))[key] for key in ("architecture", "os")] == ["amd64", "linux"]
    named = document(architecture="arm", os="linux")
    assert config_of((named, facts("d")))["architecture"] == "arm"


def test_layers_without_a_file_have_history_and_no_blob():
    made = converted((document(), facts("d")), (document(), facts("e", empty=True)), (document(throwaway=True), facts("f")))
    config = json.loads(made.config)
    assert len(made.manifest.layers) == len(config["rootfs"]["diff_ids"]) == 1
    assert [one.get("empty_layer", False) for one in config["history"]] == [False, True, True]


def test_an_image_of_nothing_keeps_one_layer():
    made = converted((document(), facts("d", empty=True)), (document(), facts("e", empty=True)))
    assert [layer.digest for layer in made.manifest.layers] == [f"sha256:{'d' * 64}"]
    assert [one.get("empty_layer", False) for one in json.loads(made.config)["history"]] == [False, True]


def test_history_has_what_is_told_and_nothing_else():
    told = read_link(document(author="Anna", comment="why"), WHERE).history
    assert told == {"created": "2014-06-01T10:00:00Z", "created_by": "/bin/sh -c ADD x", "author": "Anna", "comment": "why"}
    assert read_link({"container_config": None, "author": "", "created": 5}, WHERE).history == {}
    assert read_link({"container_config": {"Cmd": "as one text"}}, WHERE).history == {"created_by": "as one text"}


@pytest.mark.parametrize("moment", ["", "yesterday", "2014-06-01", None, 5])
def test_a_moment_that_is_none_is_left_out(moment):
    config = config_of((document(created=moment), facts("d")))
    assert "created" not in config
    assert "created" not in config["history"][0]


@pytest.mark.parametrize("moment", ["2014-06-01T10:00:00Z", "2013-03-23T22:24:18.818426-07:00"])
def test_a_moment_stays_as_it_is(moment):
    assert config_of((document(created=moment), facts("d")))["created"] == moment


def test_text_of_any_kind_is_kept():
    config = converted((document(author="Zoë \ud800 \u2028"), facts("d"))).config
    assert json.loads(config)["author"] == "Zoë \ud800 \u2028"
    assert config.isascii()


def test_a_number_out_of_range_is_refused():
    with pytest.raises(InvalidManifest, match="out of range"):
        converted((document(weight=float("inf")), facts("d")))


@pytest.mark.parametrize("text", ["[]", '"text"', "null", "5"])
def test_a_document_that_is_no_object_is_refused(text):
    with pytest.raises(InvalidManifest, match="no object"):
        read_link(json.loads(text), WHERE)


def links(*parents):
    return [read_link({"parent": parent} if parent else {}, WHERE) for parent in parents]


def test_a_chain_in_which_each_names_its_parent():
    check_chain([A, B, C], links(B, C, ""), WHERE)
    check_chain([A, B], [read_link({"parent_id": B}, WHERE), *links("")], WHERE)


@pytest.mark.parametrize(
    ("ids", "parents", "said"),
    [
        ([A, C], (B, ""), f"{A} is followed by {C} .* names '{B}'"),
        ([A, B], (B, C), f"{B} is followed by nothing .* names '{C}'"),
        ([A, B], ("", ""), f"{A} is followed by {B} .* names none"),
    ],
)
def test_a_chain_in_which_one_is_missing(ids, parents, said):
    with pytest.raises(InvalidManifest, match=said):
        check_chain(ids, links(*parents), WHERE)


def test_the_checksum_is_over_document_line_feed_and_layer():
    expected = f"sha256:{hashlib.sha256(b'document' + bytes([10]) + b'layer').hexdigest()}"
    assert b"".join(PayloadChecksum(b"document", expected).seen([b"lay", b"er"], WHERE)) == b"layer"
    with pytest.raises(DigestMismatch, match=expected):
        list(PayloadChecksum(b"document", expected).seen([b"another"], WHERE))


@pytest.mark.parametrize("checksum", ["", "tarsum+sha256:" + "a" * 64, "sha256:short"])
def test_what_is_no_such_checksum_is_not_checked(checksum):
    one = PayloadChecksum(b"document", checksum)
    assert not one.can_be_checked
    assert list(one.seen([b"layer"], WHERE)) == [b"layer"]

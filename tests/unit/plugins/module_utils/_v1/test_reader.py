# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What v1 sources say of tags, chains and images is checked before anything relies on it."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer, InvalidManifest
from ansible_collections.registryops.migration.plugins.module_utils._v1.reader import (
    MOST_IMAGES,
    best_checksum,
    check_image_id,
    digest_of_image,
    plain_name,
    read_ancestry,
    read_json,
    read_tags,
)

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
WHERE = "old.example.com/v1/team/app"


@pytest.mark.parametrize("listed", ["a/b/c", "a/b%2Fc", "a/b%252Fc"])
def test_names_are_not_escaped(listed):
    assert plain_name(listed) == "a/b/c"


def test_a_name_alone_is_one_of_the_library():
    assert plain_name("web") == "library/web"


def none_asked() -> list[str]:
    raise AssertionError("whole ids are not needed here")


def test_ids_have_64_hex_digits_or_16():
    assert check_image_id(A, WHERE) == A
    assert check_image_id("0123456789abcdef", WHERE) == "0123456789abcdef"


@pytest.mark.parametrize("value", ["", "A" * 64, "a" * 63, "../../etc/passwd", "a" * 64 + "\n", None, 5, ["a" * 64]])
def test_anything_else_is_no_id(value):
    with pytest.raises(InvalidAnswer, match="id of an image"):
        check_image_id(value, WHERE)


def test_the_digest_of_an_image_is_its_id_where_that_can_be_one():
    assert digest_of_image(A) == f"sha256:{A}"
    short = digest_of_image("0123456789abcdef")
    assert is_digest(short)
    assert short == f"sha256:{hashlib.sha256(b'0123456789abcdef').hexdigest()}"


def test_tags_as_an_object():
    assert read_tags({"1.0": A, "latest": B}, WHERE, none_asked) == {"1.0": A, "latest": B}


def test_tags_as_a_list_with_whole_ids():
    assert read_tags([{"layer": A, "name": "1.0"}], WHERE, none_asked) == {"1.0": A}


def test_tags_as_a_list_with_short_ids_are_looked_up_once():
    asked = []

    def ids():
        asked.append(1)
        return [A, B, C]

    assert read_tags([{"layer": "a" * 8, "name": "1.0"}, {"layer": "b" * 12, "name": "2.0"}], WHERE, ids) == {"1.0": A, "2.0": B}
    assert asked == [1]


def test_a_short_id_that_stands_for_two_images_or_none_is_refused():
    with pytest.raises(InvalidAnswer, match="stands for 2"):
        read_tags([{"layer": "a" * 8, "name": "1.0"}], WHERE, lambda: [A, "a" * 63 + "b"])
    with pytest.raises(InvalidAnswer, match="stands for 0"):
        read_tags([{"layer": "a" * 8, "name": "1.0"}], WHERE, list)


@pytest.mark.parametrize("document", ["1.0", None, 5, [A], [{"name": "1.0"}], [{"name": 1, "layer": A}], [{"name": "1.0", "layer": "x"}]])
def test_tags_in_no_known_form_are_refused(document):
    with pytest.raises(InvalidAnswer, match="form"):
        read_tags(document, WHERE, none_asked)


def test_a_chain_begins_with_the_image():
    assert read_ancestry([A, B, C], A, WHERE) == [A, B, C]


@pytest.mark.parametrize("document", [[], None, {}, [B, A], [A, B, A], "a" * 64])
def test_a_chain_that_is_none(document):
    with pytest.raises(InvalidManifest):
        read_ancestry(document, A, WHERE)


def test_a_chain_without_an_end_is_refused():
    with pytest.raises(InvalidManifest, match=str(MOST_IMAGES + 1)):
        read_ancestry([f"{number:064x}" for number in range(MOST_IMAGES + 1)], "0" * 64, WHERE)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[NaN]", b"[" * 100_000])
def test_documents_that_are_not_json(data):
    with pytest.raises(InvalidManifest):
        read_json(data, WHERE)


def test_documents_are_bounded():
    with pytest.raises(InvalidManifest, match="more than 10"):
        read_json(b'{"a": "bcdefg"}', WHERE, limit=10)


def test_the_checksum_that_can_be_checked_is_preferred():
    payload = f"sha256:{A}"
    assert best_checksum(["", "tarsum+sha256:abc", payload]) == payload
    assert best_checksum(["tarsum+sha256:abc"]) == "tarsum+sha256:abc"
    assert best_checksum([]) == ""

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layers become blobs: gzip stays as it is, everything else becomes gzip in one way only, and what was read is known exactly."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import random
import tarfile
import tracemalloc

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._conversion.layers import Layer, LayerFacts, layer_type, measure
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidLayer, UnsupportedManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import DOCKER_LAYER, OCI_LAYER

WHERE = "old.example.com/v1/team/app"


def archive(size: int = 700_000) -> bytes:
    """A tar archive with something that compresses, and something that does not."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in (("bin/tool", random.Random(7).randbytes(size)), ("etc/list", b"one line of many\n" * 20_000)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def cut(data: bytes, sizes: int):
    return (data[start : start + sizes] for start in range(0, len(data), sizes))


ARCHIVE = archive()
FORMS = {
    "plain": ARCHIVE,
    "xz": lzma.compress(ARCHIVE),
    "xz, two streams": lzma.compress(ARCHIVE[:1000]) + lzma.compress(ARCHIVE[1000:]),
    "bzip2": bz2.compress(ARCHIVE),
    "bzip2, two streams": bz2.compress(ARCHIVE[:1000]) + bz2.compress(ARCHIVE[1000:]),
    "gzip": gzip.compress(ARCHIVE, mtime=0),
    "gzip, two members": gzip.compress(ARCHIVE[:1000], mtime=5) + gzip.compress(ARCHIVE[1000:], mtime=6),
    "gzip, padded": gzip.compress(ARCHIVE, mtime=0) + b"\0" * 512,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pieces", [1009, 65536, 1 << 30])
def test_every_form_becomes_a_gzip_blob_of_the_same_archive(form, pieces):
    kept: list[bytes] = []
    facts = measure(cut(FORMS[form], pieces), WHERE, kept.append)
    blob = b"".join(kept)
    assert gzip.decompress(blob) == ARCHIVE
    assert facts == LayerFacts(sha256(blob), len(blob), sha256(ARCHIVE), DOCKER_LAYER, empty=False)


@pytest.mark.parametrize("form", [name for name in FORMS if name.startswith("gzip")])
def test_gzip_stays_as_it_is(form):
    assert b"".join(Layer(cut(FORMS[form], 5000), WHERE)) == FORMS[form]


def test_other_forms_become_the_same_bytes_in_every_run_however_they_arrive():
    blobs = {b"".join(Layer(cut(FORMS[form], pieces), WHERE)) for form in FORMS if "gzip" not in form for pieces in (7001, 300_000)}
    assert len(blobs) == 1
    # no moment, no name of a machine
    assert blobs.pop()[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


EMPTY = {
    "plain": b"\0" * 1024,
    "no byte": b"",
    "gzip": gzip.compress(b"\0" * 1024, mtime=0),
    "gzip of no byte": gzip.compress(b"", mtime=0),
    "xz": lzma.compress(b"\0" * 1024),
}


@pytest.mark.parametrize("data", EMPTY.values(), ids=EMPTY)
def test_an_archive_without_a_file_is_known_to_be_empty(data):
    facts = measure([data] if data else [], WHERE)
    assert facts.empty
    assert facts.size > 0


@pytest.mark.parametrize("form", [name for name in FORMS if name != "plain" and "padded" not in name])
def test_a_compressed_layer_that_is_cut_off_is_invalid(form):
    with pytest.raises(InvalidLayer, match=r"old\.example\.com/v1/team/app: its layer ends in the middle"):
        measure(cut(FORMS[form][:-20], 5000), WHERE)


@pytest.mark.parametrize("form", [name for name in FORMS if name != "plain"])
def test_a_compressed_layer_with_a_wrong_byte_is_invalid(form):
    middle = len(FORMS[form]) // 2
    broken = FORMS[form][:middle] + bytes(255 - byte for byte in FORMS[form][middle : middle + 40]) + FORMS[form][middle + 40 :]
    with pytest.raises(InvalidLayer):
        measure(cut(broken, 5000), WHERE)


def test_bytes_after_the_end_of_gzip_that_are_none_of_it_are_invalid():
    with pytest.raises(InvalidLayer, match="cannot be decompressed"):
        measure([FORMS["gzip"], b"something else"], WHERE)


def test_zstd_is_refused_with_the_way_out():
    with pytest.raises(UnsupportedManifest, match="zstd") as raised:
        measure([b"\x28\xb5", b"\x2f\xfd" + b"x" * 100], WHERE)
    assert "gzip" in raised.value.hint


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_little_that_becomes_very_much_is_never_held(compress):
    bomb = compress(b"\0" * (40 << 20))
    tracemalloc.start()
    try:
        facts = measure([bomb], WHERE)
        _now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert facts.diff_id == sha256(b"\0" * (40 << 20))
    assert most < 20 << 20


def test_facts_are_known_after_the_last_byte_alone():
    layer = Layer([b"x" * 100], WHERE)
    with pytest.raises(RuntimeError):
        _unknown = layer.facts
    collected = b"".join(layer)
    assert layer.facts.digest == sha256(collected)


def test_facts_can_be_noted_and_read_again():
    facts = measure([ARCHIVE], WHERE)
    assert LayerFacts.from_note(facts.as_note()) == facts


@pytest.mark.parametrize(
    "change",
    [{"digest": "sha256:short"}, {"diff_id": None}, {"size": -1}, {"size": "5"}, {"media_type": 3}],
    ids=lambda change: next(iter(change)),
)
def test_a_note_that_cannot_be_right_is_no_note(change):
    assert LayerFacts.from_note({**measure([ARCHIVE], WHERE).as_note(), **change}) is None


def test_no_note_is_no_note():
    assert LayerFacts.from_note(None) is None


def test_the_type_in_a_manifest_is_that_of_its_form():
    facts = measure([ARCHIVE], WHERE)
    assert (layer_type(facts, "docker"), layer_type(facts, "oci")) == (DOCKER_LAYER, OCI_LAYER)

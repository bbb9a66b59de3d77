# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import json
import os

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._module.connections import Connections
from ansible_collections.registryops.migration.plugins.module_utils._module.options import ENDPOINT
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import digest_of
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, parse_manifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import OCI_INDEX
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC
from ansible_collections.registryops.migration.plugins.module_utils._stores.oci_layout import OCILayoutStore

INDEX = parse_manifest(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode(), OCI_INDEX)


class Module:
    """What the edge uses of a module."""

    def __init__(self, folder):
        sides = {"source": str(folder / "old"), "destination": str(folder / "new")}
        defaults = {name: option.get("default") for name, option in ENDPOINT.items()}
        self.params = {side: {**defaults, "type": "oci_layout", "path": path} for side, path in sides.items()}
        self.no_log_values = set()
        self.warnings = []
        self.failures = []

    def warn(self, text):
        self.warnings.append(text)

    def fail_json(self, **result):
        self.failures.append(result)
        raise SystemExit(1)


def in_the_way(store):
    """Write to a layout, and make it impossible to write the list of its tags again when it is closed."""
    store.check(writing=True)
    store.put_manifest("team/app", INDEX, ["1"])
    path = os.path.join(store.path, "index.json")
    os.unlink(path)
    os.makedirs(os.path.join(path, "in the way"))
    store.put_manifest("team/app", INDEX, ["2"])


def run_task(module, sides, error=None):
    with Connections(module) as connections:
        for side in sides:
            in_the_way(connections.open(side))
        if error is not None:
            raise error


def test_what_fails_in_closing_fails_the_task_and_all_is_closed(tmp_path):
    module = Module(tmp_path)
    with pytest.raises(SystemExit):
        run_task(module, ("source", "destination"))
    (failure,) = module.failures
    assert failure["error"]["subject"] == str(tmp_path / "old" / "index.json")
    (warning,) = module.warnings
    assert str(tmp_path / "new" / "index.json") in warning
    for name in ("old", "new"):
        # the lock has been given back
        os.rmdir(tmp_path / name / "index.json" / "in the way")
        os.rmdir(tmp_path / name / "index.json")
        with contextlib.closing(OCILayoutStore(str(tmp_path / name), GENERIC)) as again:
            again.check(writing=True)


def test_what_failed_first_is_what_is_told(tmp_path):
    module = Module(tmp_path)
    with pytest.raises(SystemExit):
        run_task(module, ["source"], InvalidOption("is wrong.", subject="rules"))
    assert [failure["error"]["subject"] for failure in module.failures] == ["rules"]
    assert len(module.warnings) == 1


def test_an_error_that_nobody_expected_stays_as_it_is(tmp_path):
    module = Module(tmp_path)
    with pytest.raises(LookupError):
        run_task(module, ["source"], LookupError("not expected"))
    assert module.failures == []


def test_blobs_move_from_folder_to_folder_at_the_pace_that_was_asked_for(tmp_path):
    slept = []
    rate = Rate(100, clock=lambda: 0.0, sleep=slept.append)
    old, new = (OCILayoutStore(str(tmp_path / name), GENERIC, rate) for name in ("old", "new"))
    blobs = [letter * 1000 for letter in (b"a", b"b", b"c")]
    (tmp_path / "old" / "blobs" / "sha256").mkdir(parents=True)
    for data in blobs:
        descriptor = Descriptor("application/octet-stream", digest_of(data), len(data))
        (tmp_path / "old" / "blobs" / "sha256" / descriptor.digest.partition(":")[2]).write_bytes(data)
        assert new.receive_blob("team/app", descriptor, lambda descriptor=descriptor: old.open_blob("team/app", descriptor)).size == 1000
    new.close()
    # each waits for those before it, once
    assert slept == [10.0, 20.0]

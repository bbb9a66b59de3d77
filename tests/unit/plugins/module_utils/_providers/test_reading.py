# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer, RegistryError, RepositoryUnknown
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import (
    field,
    listed,
    number,
    of_repository,
    required,
    text,
)

DOCUMENT = {"name": "app", "owner": {"login": "team"}, "size": 5, "tags": ["1"], "private": True, "nothing": None, "empty": ""}


def test_fields_within_fields():
    assert field(DOCUMENT, "owner", "login") == "team"
    assert field(DOCUMENT, "owner", "login", "deeper") is None
    assert field(DOCUMENT, "name", "deeper") is None
    assert field(None, "name") is None
    assert field(["name"], "name") is None


def test_texts():
    assert text(DOCUMENT, "name") == "app"
    assert [text(DOCUMENT, name) for name in ("size", "nothing", "missing", "owner")] == ["", "", "", ""]


def test_numbers():
    assert number(DOCUMENT, "size") == 5
    assert number({"size": 0}, "size") == 0
    assert [number(DOCUMENT, name) for name in ("name", "nothing", "private", "missing")] == [-1, -1, -1, -1]
    assert number({"size": -7}, "size") == -1
    assert number({"size": 1.5}, "size") == -1


def test_lists():
    assert listed(DOCUMENT, "tags") == ["1"]
    assert [listed(DOCUMENT, name) for name in ("name", "nothing", "owner", "missing")] == [[], [], [], []]


@pytest.mark.parametrize("name", ["size", "nothing", "empty", "missing"])
def test_what_is_required_has_to_be_there(name):
    with pytest.raises(InvalidAnswer, match=f"the list: has an item without {name}"):
        required(DOCUMENT, name, "the list")


def test_what_is_not_found_is_no_repository():
    with pytest.raises(RepositoryUnknown, match="team/app"):
        with of_repository("team/app"):
            raise RegistryError("was not found.", status=404)
    with pytest.raises(RegistryError, match="failed"):
        with of_repository("team/app"):
            raise RegistryError("failed.", status=409)

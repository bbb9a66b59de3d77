# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.filter.unknown_variables import FilterModule

KNOWN = ["registry_rules", "registry_source", "copy_images_rules", "verify_mode"]


@pytest.fixture
def unknown():
    return FilterModule().filters()["unknown_variables"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("registry_rules", []),
        ("registry_rule", ["registry_rule (registry_rules?)"]),
        ("registry_ruels", ["registry_ruels (registry_rules?)"]),
        ("registry_xyzzy_plugh", ["registry_xyzzy_plugh"]),
        ("copy_images_rule", ["copy_images_rule (copy_images_rules?)"]),
        # without the prefix only what is nearly the same counts: others have variables as well
        ("copy_image_rules", ["copy_image_rules (copy_images_rules?)"]),
        ("regisrty_rules", ["regisrty_rules (registry_rules?)"]),
        ("verify_mod", ["verify_mod (verify_mode?)"]),
        ("verify_certificates", []),
        ("registries", []),
        ("rules", []),
        ("_registry_rules", []),
        ("ansible_registry_rules", []),
    ],
)
def test_names(unknown, name, found):
    assert unknown([name], KNOWN, prefixes=["registry_", "copy_images_"]) == found


def test_names_are_in_order_and_each_once(unknown):
    names = ("registry_z", "registry_source", "registry_a", "registry_z")
    assert [found.partition(" ")[0] for found in unknown(names, KNOWN, ["registry_"])] == ["registry_a", "registry_z"]
    assert unknown([], KNOWN) == []


@pytest.mark.parametrize("arguments", [("registry_rules", KNOWN), ([1], KNOWN), ([], None), ([], KNOWN, "registry_")])
def test_arguments_that_cannot_be(unknown, arguments):
    with pytest.raises(AnsibleFilterError, match="has to be a list of names"):
        unknown(*arguments)

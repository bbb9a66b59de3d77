# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.filter.image_rules import FilterModule
from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Rule

NAMES = ("blue/app", "blue/web", "green/app", "ann/tools", "bluebell/app")


@pytest.fixture
def rules():
    return FilterModule().filters()["image_rules"]


def selected(made):
    """What the engine makes of the rules: `{source: destination}`."""
    (rule,) = [Rule.from_options(options, "rules[0]") for options in made]
    return {name: rule.mapping.map_repository(name) for name in NAMES if rule.repositories.match(name)}


def same(*names):
    return {name: name for name in names}


@pytest.mark.parametrize(
    ("selection", "rename", "wanted"),
    [
        ({}, {}, same(*NAMES)),
        ({"organizations": {"include": ["blue"]}}, {}, same("blue/app", "blue/web")),
        ({"organizations": {"include": ["blue*"]}}, {}, same("blue/app", "blue/web", "bluebell/app")),
        ({"organizations": {"include": ["regex:b.*l"]}}, {}, same("bluebell/app")),
        ({"organizations": {"exclude": ["blue"]}}, {}, same("green/app", "ann/tools", "bluebell/app")),
        ({"organizations": {"exclude": ["regex:blue|green"]}}, {}, same("ann/tools", "bluebell/app")),
        ({"users": {"include": ["ann"]}}, {}, same("ann/tools")),
        ({"users": {"include": ["ann"]}, "organizations": {"include": ["green"]}}, {}, same("ann/tools", "green/app")),
        ({"repositories": {"include": ["*/app"]}}, {}, same("blue/app", "green/app", "bluebell/app")),
        ({"repositories": {"include": ["*/app"]}, "organizations": {"include": ["blue", "gr*"]}}, {}, same("blue/app", "green/app")),
        ({"repositories": {"include": ["*/app"], "exclude": ["green/*"]}, "users": {"exclude": ["bluebell"]}}, {}, same("blue/app")),
        ({"organizations": {"include": ["blue"]}}, {"blue": "azure"}, {"blue/app": "azure/app", "blue/web": "azure/web"}),
        (
            {"repositories": {"include": ["*/app"]}},
            {"blue": "green", "green": "ann", "bluebell": "bluebell"},
            {"blue/app": "green/app", "green/app": "ann/app", "bluebell/app": "bluebell/app"},
        ),
    ],
)
def test_images_go_with_the_people(rules, selection, rename, wanted):
    assert selected(rules(selection, rename)) == wanted


def test_tags_are_chosen_as_in_a_rule(rules):
    assert rules({"tags": {"since": "30d", "exclude": ["dev-*"]}}) == [{"tags": {"since": "30d", "exclude": ["dev-*"]}}]


@pytest.mark.parametrize(
    ("selection", "rename", "message"),
    [
        ([], {}, "give a dictionary"),
        ({}, ["blue"], "one with names for rename"),
        ({"organisations": {}}, {}, "organisations is none of"),
        ({"users": ["ann"]}, {}, "users has to be a dictionary"),
        ({"users": {"includes": ["ann"]}}, {}, "users has to be a dictionary"),
        ({"users": {"include": "ann"}}, {}, "users.include has to be a list"),
        ({"organizations": {"include": ["blue["]}}, {}, "organizations.include"),
        ({}, {"blue": "green", "green": "blue"}, "blue, green change their names among themselves"),
    ],
)
def test_what_cannot_be_is_said(rules, selection, rename, message):
    with pytest.raises(AnsibleFilterError, match=message):
        rules(selection, rename)


def test_what_is_left_out(rules):
    assert selected(rules({"organizations": {"include": ["blue"]}}, {"blue": "azure"}, leave_out=["blue/web"])) == {"blue/app": "azure/app"}
    assert selected(rules({}, leave_out=["blue/app"])) == same(*(name for name in NAMES if name != "blue/app"))
    with pytest.raises(AnsibleFilterError, match="leave_out"):
        rules({}, leave_out="blue/app")

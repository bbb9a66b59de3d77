# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer, InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import (
    amount,
    completed,
    is_true,
    moment,
    readable,
    several,
    typed,
    whole,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import TagRecord


@pytest.mark.parametrize(
    ("value", "truth"),
    [(True, True), (False, False), ("yes", True), ("No", False), ("True", True), ("false", False), (1, True), (0, False), ("off", False)],
)
def test_yes_and_no_in_all_their_forms(value, truth):
    assert is_true(value, "public") is truth


@pytest.mark.parametrize("value", ["perhaps", "", None, 2, []])
def test_what_is_neither_yes_nor_no_is_refused(value):
    with pytest.raises(InvalidOption) as refused:
        is_true(value, "public")
    assert refused.value.subject == "public"


def test_settings_that_are_numbers():
    assert whole("-1", "storage_limit") == -1
    assert whole(5, "storage_limit") == 5
    for wrong in ("1 GB", None, []):
        with pytest.raises(InvalidOption) as refused:
            whole(wrong, "storage_limit")
        assert refused.value.subject == "storage_limit"


def test_settings_that_are_lists():
    assert several(["a", 1], "environments") == ["a", "1"]
    # a text is no list of its letters
    for wrong in ("v.*", None, {"a": 1}, 5):
        with pytest.raises(InvalidOption) as refused:
            several(wrong, "environments")
        assert refused.value.subject == "environments"


def test_settings_become_what_they_are():
    kinds = {"private": bool, "most": int, "rules": list, "text": str, "other": str}
    wanted = {"private": "false", "most": "5", "rules": ["a"], "text": 1, "other": None}
    assert typed(wanted, kinds) == {"private": False, "most": 5, "rules": ["a"], "text": "1"}
    with pytest.raises(InvalidOption) as refused:
        typed({"private": "perhaps"}, kinds)
    assert refused.value.subject == "private"


def test_numbers_come_as_numbers_and_as_text():
    assert [amount(value) for value in (None, "", 0, "12", 12)] == [-1, -1, 0, 12, 12]
    with pytest.raises(ValueError, match="many"):
        amount("many")


def test_moments_in_milliseconds():
    assert moment("1767225600000") == "2026-01-01T00:00:00Z"
    assert moment(1767225600999) == "2026-01-01T00:00:00Z"
    assert [moment(value) for value in (None, "", "0", -5)] == ["", "", "", ""]


@pytest.mark.parametrize("read", [lambda: {}["digest"], lambda: None.get("tags"), lambda: int("many"), lambda: len(5)])
def test_what_has_another_form_is_an_answer_that_is_none(read):
    with pytest.raises(InvalidAnswer) as refused, readable("the tags of x"):
        read()
    assert refused.value.subject == "the tags of x"
    assert refused.value.hint


def test_tags_that_only_the_registry_lists_are_added():
    known = [TagRecord("1", "sha256:" + "1" * 64), TagRecord("2")]
    assert completed(known, ["2", "sha256-1.sig", "1"]) == [*known, TagRecord("sha256-1.sig")]
    assert completed([], ["a"]) == [TagRecord("a")]

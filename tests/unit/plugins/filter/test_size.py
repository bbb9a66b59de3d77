# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.filter.size import FilterModule


@pytest.fixture
def size():
    return FilterModule().filters()["size"]


@pytest.mark.parametrize(("number", "text"), [(0, "0 B"), ("1536", "1.5 KiB"), (5.0e9, "4.7 GiB")])
def test_sizes(size, number, text):
    assert size(number) == text


@pytest.mark.parametrize("number", ["many", None, -1, float("nan"), float("inf"), []])
def test_what_is_no_size(size, number):
    with pytest.raises(AnsibleFilterError, match="no number of bytes"):
        size(number)

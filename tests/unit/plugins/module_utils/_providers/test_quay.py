# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer
from ansible_collections.registryops.migration.plugins.module_utils._providers.quay import _following


def test_the_page_after_a_page_of_tags():
    assert _following({"tags": [], "page": 1, "has_additional": True}, "x") == 2
    assert _following({"tags": [], "page": 2, "has_additional": False}, "x") is None


@pytest.mark.parametrize("page", [{}, {"page": None}, {"page": "next"}, {"page": 0}])
def test_more_tags_on_no_page_are_no_end(page):
    with pytest.raises(InvalidAnswer, match="there is more"):
        _following({"tags": [], "has_additional": True, **page}, "x")

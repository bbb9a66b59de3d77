# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How sizes are written."""

from __future__ import annotations

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying.sizes import size_of


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (102_300, "99.9 KiB"),
        (102_400, "100 KiB"),
        (1023 * 1024, "1,023 KiB"),
        ((1 << 20) - 1, "1.0 MiB"),
        (600 * 1000 * 1000, "572 MiB"),
        (5 << 30, "5.0 GiB"),
        (3 << 40, "3.0 TiB"),
        (5000 << 50, "5,000 PiB"),
    ],
)
def test_sizes(number, text):
    assert size_of(number) == text

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/providers.md is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import PROFILES
from ansible_collections.registryops.migration.plugins.module_utils._providers.table import PROVIDERS
from ansible_collections.registryops.migration.tests.tools.providers_page import main, render

ROOT = Path(__file__).absolute().parents[5]


def test_the_page_is_current():
    """`make providers` is what to do when this fails."""
    assert (ROOT / "docs" / "providers.md").read_text(encoding="utf-8") == render()


def test_every_product_has_a_row_and_a_section_that_it_leads_to():
    page = render()
    rows = re.findall(r"^\| \[(.+)\]\(#(.+)\) \| `(\w+)` \|(.*)\|$", page, re.MULTILINE)
    assert {name for _title, _anchor, name, _rest in rows} == PROFILES.keys()
    sections = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert [title for title, _anchor, _name, _rest in rows] == sections
    assert all(cell.strip() for _title, _anchor, _name, rest in rows for cell in rest.split("|"))


def test_every_setting_is_on_the_page():
    page = render()
    for provider in (get() for get in PROVIDERS.values()):
        assert all(f"| `{name}` | " in page for name in provider.settings)
    assert not re.search(r"^\|---\|---\|\n(?!\|)", page, re.MULTILINE), "a table without rows"


def test_it_is_written(tmp_path):
    main([str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == render()

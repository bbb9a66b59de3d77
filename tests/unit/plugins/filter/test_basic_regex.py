# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.filter.basic_regex import FilterModule
from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import RepositorySelection

NAMES = [
    *("team-12/x", "team-1/x", "team/app", "library/ubuntu", "my-ubuntu", "aab", "ab", "a+b", "*x", "x", "xx", "aca", "bcb", "acb", "]x"),
    *("axy", "x$y", "x$", "aa", "aaa", "(x)", "a{2}", "lib/x", "a^b", "b-", "ba", "a\\", "a.b", "tab\tx", "A-1", "[x]", "a|b"),
]
EXPRESSIONS = [
    *(r"^team-[0-9]\{2\}/", "a+b", r"a\+b", r"a\?b", "*x", "^*x", r"\(*x\)", r"\(a\|b\)c\1", "[]x]x", "[^]a-c/]", "[[:alpha:]_]x", r"x\$"),
    *("x$y", "x$", "a**", "lib.*/ub", r"\<ub", r"ab\>", r"^a\{,2\}$", r"^a\{2,\}$", r"a\{0\}x", "a{2}", "(x)", r"^\(lib\|team\)/", r"[a\]"),
    *(
        r"\(^a\)",
        r"\(a$\)",
        "a^b",
        "b[-a]",
        r"a\.b",
        "a.b",
        r"\w-",
        r"\s",
        "[[:space:]]",
        "[[.-.]]",
        "[[=x=]]",
        r"\[x\]",
        "[a^]",
        "[[:upper:]]",
    ),
    *("a|b", r"a\|b$", r"^a\|^b", "", "^$", "team", r"\bapp\b", r"[[:punct:]]x", r"\`x", r"b\'", r"\(a\)\{2\}"),
]


@pytest.fixture
def basic_regex():
    return FilterModule().filters()["basic_regex"]


@pytest.mark.skipif(shutil.which("grep") is None, reason="There is no grep here to compare with.")
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_it_matches_what_grep_matches(basic_regex, expression):
    lines = "".join(f"{name}\n" for name in NAMES)
    found = subprocess.run(["grep", "-e", expression], input=lines, capture_output=True, text=True, env={"LC_ALL": "C"}, check=False)
    assert found.returncode in (0, 1), found.stderr
    wanted = found.stdout.splitlines()
    pattern, others = basic_regex(expression), basic_regex(expression, negate=True)
    assert [name for name in NAMES if re.fullmatch(pattern.removeprefix("regex:"), name)] == wanted
    assert [name for name in NAMES if not re.fullmatch(others.removeprefix("regex:"), name)] == wanted


def test_rules_take_the_pattern(basic_regex):
    selection = RepositorySelection.from_options({"include": [basic_regex("^team/")], "exclude": [basic_regex("ap", negate=True)]})
    assert [name for name in ("team/app", "team/xyz", "my/team/app") if selection.match(name)] == ["team/app"]


@pytest.mark.parametrize(
    "expression",
    [
        r"\(a",
        r"a\)",
        "a\\",
        "[a",
        "[[:nothing:]]",
        "[z-a]",
        r"a\{2",
        r"a\{x\}",
        r"a\{3,2\}",
        r"a\{99999\}",
        r"\{2\}",
        r"\1",
        "[[.ab.]]",
        None,
        7,
    ],
)
def test_what_is_no_expression_is_said(basic_regex, expression):
    with pytest.raises(AnsibleFilterError, match="basic_regex"):
        basic_regex(expression)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors say what, where and what to do, wherever they are raised; and the troubleshooting guide knows them all."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci import errors

ROOT = Path(errors.__file__).absolute().parents[3]
CLASSES = {name: one for name, one in vars(errors).items() if inspect.isclass(one) and issubclass(one, errors.MigrationError)}
SOURCES = sorted((ROOT / "plugins").rglob("*.py"))
GUIDE = ROOT / "docs" / "troubleshooting.md"
SECTION = re.compile(r"^### `([a-z_]+)`\n\n```text\n(.+)\n```\n\n(?=\S)", re.MULTILINE)


def is_in_checkout():
    """The guide is no part of what ansible-test copies for a controller of its own."""
    return GUIDE.is_file()


def raised(path):
    """The calls in a source that make an error of ours: (class, call)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES:
            yield CLASSES[node.func.id], node


def keyword(call, name):
    return next((one.value for one in call.keywords if one.arg == name), None)


def fragments(message):
    """What is always the same in a message, in its order."""
    if isinstance(message, ast.Constant):
        return [message.value]
    parts = message.values if isinstance(message, ast.JoinedStr) else []
    return [part.value for part in parts if isinstance(part, ast.Constant)]


def sections():
    return dict(SECTION.findall(GUIDE.read_text(encoding="utf-8")))


def test_the_errors_are_found():
    found = [call for path in SOURCES for _class, call in raised(path)]
    assert len(found) > 100


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_error_has_a_way_out(path):
    without = []
    for made, call in raised(path):
        hint = keyword(call, "hint")
        empty = hint is None or (isinstance(hint, ast.Constant) and not hint.value)
        if empty and not made.usual_hint:
            without.append(f"{path.name}:{call.lineno} {made.__name__}")
    assert without == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_takes_an_empty_hint_for_granted(path):
    """What passes a hint on to an error has one to pass on."""
    if path.name == "errors.py":
        pytest.skip("here they are filled in")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            defaults = [*node.args.defaults, *node.args.kw_defaults]
            empty = any(isinstance(default, ast.Constant) and default.value == "" for default in defaults)
            assert not (empty and "hint" in {argument.arg for argument in arguments}), f"{path.name}:{node.lineno}"


def test_the_usual_way_out_is_taken_where_no_other_is_known():
    error = errors.BlobUnknown("is gone.", subject="team/app")
    assert str(error) == "team/app: is gone. Push the image again at the source, or leave it out."
    assert errors.BlobUnknown("is gone.", hint="Look.").hint == "Look."
    assert error.as_row()["hint"] == error.hint


def test_kinds_are_told_apart():
    kinds = [one.kind for one in CLASSES.values()]
    assert len(set(kinds)) == len(kinds)
    assert all(re.fullmatch("[a-z_]+", kind) for kind in kinds)


@pytest.mark.skipif(not is_in_checkout(), reason="there is no guide in this copy")
def test_the_guide_has_a_section_for_each_kind_and_no_other():
    assert sorted(sections()) == sorted(one.kind for one in CLASSES.values())
    text = GUIDE.read_text(encoding="utf-8")
    assert len(re.findall("^### ", text, re.MULTILINE)) == len(sections())


@pytest.mark.skipif(not is_in_checkout(), reason="there is no guide in this copy")
def test_the_guides_contents_lead_to_every_section_in_its_order():
    text = GUIDE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[([^\]]+)\]\(#([a-z-]+)\) \| (.+) \|$", text, re.MULTILINE)
    for title, anchor, _kinds in rows:
        assert anchor == title.lower().replace(" ", "-")
    listed = [(title, re.findall("`([a-z_]+)`", kinds)) for title, _anchor, kinds in rows]
    groups = [part.split("\n", 1) for part in re.split("^## ", text, flags=re.MULTILINE)[1:]]
    found = [(title, [kind for kind, _example in SECTION.findall(body)]) for title, body in groups]
    assert listed == [(title, kinds) for title, kinds in found if kinds]


@pytest.mark.skipif(not is_in_checkout(), reason="there is no guide in this copy")
@pytest.mark.parametrize("made", CLASSES.values(), ids=lambda made: made.kind)
def test_the_guides_examples_are_what_the_code_says(made):
    example = sections()[made.kind]
    messages = [fragments(call.args[0]) for path in SOURCES for one, call in raised(path) if one is made and call.args]
    messages = [parts for parts in messages if any(len(part) > 4 for part in parts)]
    assert messages
    assert any(re.search(".*".join(map(re.escape, parts)), example) for parts in messages), example

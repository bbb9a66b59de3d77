# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WWW-Authenticate challenges and token scopes."""

from __future__ import annotations

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.challenge import (
    Challenge,
    Scope,
    parse_challenges,
    parse_scope,
    parse_scopes,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer

BEARER = {"realm": "https://auth.example.com/token", "service": "registry.example.com", "scope": "repository:team/app:pull,push"}


@pytest.mark.parametrize(
    ("value", "challenges"),
    [
        ("", []),
        (" , ,", []),
        ('Basic realm="Registry Realm"', [Challenge("basic", {"realm": "Registry Realm"})]),
        ("BASIC Realm=simple", [Challenge("basic", {"realm": "simple"})]),
        ("Basic", [Challenge("basic", {})]),
        ("Negotiate, Basic", [Challenge("negotiate", {}), Challenge("basic", {})]),
        ("Negotiate,Basic realm=x", [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        ("Negotiate YII/a+b-c._~==", [Challenge("negotiate", {}, "YII/a+b-c._~==")]),
        ("Negotiate abc=, Basic realm=x", [Challenge("negotiate", {}, "abc="), Challenge("basic", {"realm": "x"})]),
        ("NTLM TlRMTVNTUAAC", [Challenge("ntlm", {}, "TlRMTVNTUAAC")]),
        (
            'Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="repository:team/app:pull,push"',
            [Challenge("bearer", BEARER)],
        ),
        # white space around = and , is allowed
        (
            'bearer  realm = "https://auth.example.com/token" ,\tservice="registry.example.com" , scope= "repository:team/app:pull,push" ',
            [Challenge("bearer", BEARER)],
        ),
        # not allowed, but seen: no quotes, no commas
        (
            "Bearer realm=https://auth.example.com/token,service=registry.example.com",
            [Challenge("bearer", {"realm": "https://auth.example.com/token", "service": "registry.example.com"})],
        ),
        ('Bearer realm="a" service="b"', [Challenge("bearer", {"realm": "a", "service": "b"})]),
        (
            'Basic realm="a, Bearer b=\\"c\\"", Bearer realm="https://x/y?a=b,c", Digest nonce="\\\\"',
            [
                Challenge("basic", {"realm": 'a, Bearer b="c"'}),
                Challenge("bearer", {"realm": "https://x/y?a=b,c"}),
                Challenge("digest", {"nonce": "\\"}),
            ],
        ),
        ('Bearer realm="", error=""', [Challenge("bearer", {"realm": "", "error": ""})]),
        ("Bearer realm=a, REALM=b", [Challenge("bearer", {"realm": "a"})]),
        (
            'Bearer realm="r",error="insufficient_scope", Basic realm="b"',
            [Challenge("bearer", {"realm": "r", "error": "insufficient_scope"}), Challenge("basic", {"realm": "b"})],
        ),
        # broken: what can be read counts
        ('Bearer realm="never closed', [Challenge("bearer", {})]),
        ('Bearer service="s", realm="never closed', [Challenge("bearer", {"service": "s"})]),
        ('=x, "y", Basic realm="z"', [Challenge("basic", {"realm": "z"})]),
        ("Bearer \x00, Basic realm=b", [Challenge("bearer", {}), Challenge("basic", {"realm": "b"})]),
    ],
)
def test_challenges(value, challenges):
    assert parse_challenges(value) == challenges
    assert parse_challenges([value]) == challenges


def test_several_lines():
    lines = ['Bearer realm="a"', 'Basic realm="b"']
    both = [Challenge("bearer", {"realm": "a"}), Challenge("basic", {"realm": "b"})]
    assert parse_challenges(lines) == both
    # the form in which HTTP libraries join lines
    assert parse_challenges(", ".join(lines)) == both
    assert parse_challenges(iter(lines)) == both
    assert parse_challenges([]) == []


@pytest.mark.parametrize("piece", ["a=", '"', "\\", ",", "a ", 'a="', 'a=\\"', "=", " ", 'Bearer a="\\",'])
def test_long_nonsense_ends(piece):
    # a parser that goes back quadratically would need minutes here
    assert isinstance(parse_challenges(piece * 20_000), list)
    assert isinstance(parse_challenges("Bearer " + piece * 20_000), list)


@pytest.mark.parametrize(
    ("text", "kind", "name", "actions"),
    [
        ("repository:alpine:pull", "repository", "alpine", {"pull"}),
        ("repository:team/app:pull,push", "repository", "team/app", {"pull", "push"}),
        ("repository:host:5000/a/b:push,pull,delete", "repository", "host:5000/a/b", {"pull", "push", "delete"}),
        ("repository:[::1]:5000/a:pull", "repository", "[::1]:5000/a", {"pull"}),
        ("registry:catalog:*", "registry", "catalog", {"*"}),
        ("repository(plugin):team/plugin:pull", "repository(plugin)", "team/plugin", {"pull"}),
        ("repository:team/app:", "repository", "team/app", set()),
    ],
)
def test_scope(text, kind, name, actions):
    scope = parse_scope(text)
    assert scope == Scope(kind, name, frozenset(actions))
    assert parse_scope(str(scope)) == scope


def test_scope_text_is_sorted():
    assert str(Scope("repository", "a", frozenset({"push", "pull", "delete"}))) == "repository:a:delete,pull,push"


@pytest.mark.parametrize(
    "text", ["", "a", "a:b", ":a:b", "a::b", "::", "repository:a b:pull", "repository:a\n:pull", "repository:a\x00:pull"]
)
def test_no_scope(text):
    with pytest.raises(InvalidAnswer) as caught:
        parse_scope(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        ("repository:a:pull,push", "repository:a:pull", True),
        ("repository:a:pull", "repository:a:pull", True),
        ("repository:a:pull", "repository:a:pull,push", False),
        ("repository:a:*", "repository:a:pull,push,delete", True),
        ("repository:a:pull", "repository:a:*", False),
        ("repository:a:pull", "repository:b:pull", False),
        ("repository:a:pull", "repository(plugin):a:pull", False),
        ("repository:a:pull", "repository:a:", True),
        ("repository:a:", "repository:a:pull", False),
    ],
)
def test_covers(one, other, covers):
    assert parse_scope(one).covers(parse_scope(other)) is covers


def test_scope_list():
    text = "repository:a:pull,push  repository:h:1/b:pull openid registry:catalog:*"
    assert [str(scope) for scope in parse_scopes(text)] == ["repository:a:pull,push", "repository:h:1/b:pull", "registry:catalog:*"]
    assert parse_scopes("") == []

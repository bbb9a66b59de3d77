# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References: what is read, how it is written, what is refused and why."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidReference
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import (
    REPOSITORY_LIMIT,
    Reference,
    api_host,
    canonical_registry,
    check_registry_host,
    check_repository,
    check_tag,
    parse_reference,
    shown,
    shown_without_credentials,
)

SHA256 = "sha256:" + "ab" * 32
SHA384 = "sha384:" + "cd" * 48
SHA512 = "sha512:" + "ef" * 64


def short(value):
    """For the name of a test: a long text would make a long name."""
    return f"{value[:20]}...{len(value)}" if isinstance(value, str) and len(value) > 200 else None


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("registry.example.com/team/app:1.0", "registry.example.com", "team/app", "1.0", None),
        ("registry.example.com/app", "registry.example.com", "app", None, None),
        ("registry.example.com:5000/app:1", "registry.example.com:5000", "app", "1", None),
        ("Registry.Example.COM:05000/app", "registry.example.com:5000", "app", None, None),
        (f"registry.example.com/a/b/c@{SHA256}", "registry.example.com", "a/b/c", None, SHA256),
        (f"registry.example.com/app:v1@{SHA256}", "registry.example.com", "app", "v1", SHA256),
        (f"registry.example.com/app@{SHA384}", "registry.example.com", "app", None, SHA384),
        (f"registry.example.com:1/app:t@{SHA512}", "registry.example.com:1", "app", "t", SHA512),
        ("localhost/app:1", "localhost", "app", "1", None),
        ("localhost:5000/app", "localhost:5000", "app", None, None),
        ("LOCALHOST/app", "localhost", "app", None, None),
        ("registry:5000/app", "registry:5000", "app", None, None),
        ("127.0.0.1:5000/app", "127.0.0.1:5000", "app", None, None),
        ("[::1]:5000/team/app:1", "[::1]:5000", "team/app", "1", None),
        ("[2001:DB8:0:0::1]/app", "[2001:db8::1]", "app", None, None),
        (f"[::1]/app@{SHA256}", "[::1]", "app", None, SHA256),
        ("alpine", "docker.io", "library/alpine", None, None),
        ("alpine:3.20", "docker.io", "library/alpine", "3.20", None),
        (f"alpine@{SHA256}", "docker.io", "library/alpine", None, SHA256),
        (f"alpine:3@{SHA256}", "docker.io", "library/alpine", "3", SHA256),
        ("team/app", "docker.io", "team/app", None, None),
        ("a/b/c:1", "docker.io", "a/b/c", "1", None),
        ("docker.io/alpine", "docker.io", "library/alpine", None, None),
        ("index.docker.io/library/alpine", "docker.io", "library/alpine", None, None),
        ("registry-1.docker.io/team/app:x", "docker.io", "team/app", "x", None),
        # as for docker: without a slash there is no registry
        ("registry:5000", "docker.io", "library/registry", "5000", None),
        ("docker://quay.io/team/app:1", "quay.io", "team/app", "1", None),
        ("docker://alpine", "docker.io", "library/alpine", None, None),
        ("quay.io/a__b/c-d.e/f---g:_x", "quay.io", "a__b/c-d.e/f---g", "_x", None),
        ("quay.io/app:" + "t" * 128, "quay.io", "app", "t" * 128, None),
        ("xn--bcher-kva.example/app", "xn--bcher-kva.example", "app", None, None),
    ],
)
def test_parse(text, registry, repository, tag, digest):
    reference = parse_reference(text)
    assert reference == Reference(registry, repository, tag, digest)
    assert (reference.registry, reference.repository, reference.tag, reference.digest) == (registry, repository, tag, digest)
    assert parse_reference(str(reference)) == reference
    assert hash(parse_reference(str(reference))) == hash(reference)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("alpine", "docker.io/library/alpine"),
        ("alpine:3", "docker.io/library/alpine:3"),
        (f"alpine:3@{SHA256}", f"docker.io/library/alpine:3@{SHA256}"),
        ("team/app:1", "docker.io/team/app:1"),
        ("quay.io/library/app:1", "quay.io/library/app:1"),
        ("docker.io/localhost/app", "docker.io/localhost/app"),
        ("docker.io/library/localhost", "docker.io/library/localhost"),
        ("[0:0::1]:80/app", "[::1]:80/app"),
    ],
)
def test_the_full_form(text, full):
    assert str(parse_reference(text)) == full


def test_default_registry():
    assert str(parse_reference("app:1", "registry.example.com:5000")) == "registry.example.com:5000/app:1"
    assert str(parse_reference("a/b", "[::1]:5000")) == "[::1]:5000/a/b"
    assert str(parse_reference("app", "index.docker.io")) == "docker.io/library/app"
    assert str(parse_reference("docker.io/app", "registry.example.com")) == "docker.io/library/app"


def test_properties():
    reference = parse_reference(f"quay.io/team/app:1@{SHA256}")
    assert reference.name == "quay.io/team/app"
    assert reference.target == SHA256
    assert parse_reference("quay.io/team/app:1").target == "1"
    assert parse_reference("quay.io/team/app").target == "latest"


def test_is_a_value():
    reference = parse_reference("quay.io/team/app:1")
    with pytest.raises(dataclasses.FrozenInstanceError):
        reference.tag = "2"
    assert dataclasses.replace(reference, tag="2") == parse_reference("quay.io/team/app:2")
    assert len({reference, parse_reference("quay.io/team/app:1"), parse_reference("quay.io/team/app:2")}) == 2
    assert not hasattr(reference, "__dict__")


@pytest.mark.parametrize(
    "parts",
    [
        ("quay.io/x", "app", None, None),
        ("", "app", None, None),
        ("quay.io", "App", None, None),
        ("quay.io", "", None, None),
        ("quay.io", "../app", None, None),
        ("quay.io", "app", "", None),
        ("quay.io", "app", "a/b", None),
        ("quay.io", "app", None, ""),
        ("quay.io", "app", None, "sha256:abc"),
    ],
)
def test_the_constructor_is_a_gate_too(parts):
    with pytest.raises(InvalidReference):
        Reference(*parts)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("docker://", "is empty"),
        ("https://quay.io/app", "Leave out https://"),
        ("http://quay.io/app", "Leave out http://"),
        ("HTTPS://quay.io/app", "Leave out HTTPS://"),
        ("oci://quay.io/app", "unknown prefix oci://"),
        ("docker://docker://quay.io/app", "begins with a slash"),
        (" quay.io/app", "white space (' ')"),
        ("quay.io/app\n", "white space ('\\n')"),
        ("quay.io/a\x00pp", "control character '\\x00'"),
        ("quay.io/a\x1b[31mpp", "control character '\\x1b'"),
        ("quay.io/a\u202epp", "'\\u202e'"),
        ("quay.io/caf\u00e9", "'\\xe9', which is not ASCII"),
        ("quay.io/\U0001f600", "'\\U0001f600', which is not ASCII"),
        ("quay.io/", "no repository"),
        ("quay.io:443/", "no repository"),
        ("[::1]:5000", "no repository"),
        ("quay.io/Team/app", "upper-case"),
        ("Team/app", "Write team"),
        ("ALPINE", "upper-case"),
        ("quay.io//app", "begins with a slash"),
        ("quay.io/a//b", "component 2 is empty"),
        ("quay.io/a/", "ends with a slash"),
        ("/app", "begins with a slash"),
        ("quay.io/../app", "'..'"),
        ("../app", "'..'"),
        ("quay.io/a/../../b", "'..'"),
        ("quay.io/a/./b", "'.'"),
        ("quay.io/-app", "begins with the separator '-'"),
        ("quay.io/_app", "begins with the separator '_'"),
        ("quay.io/app.", "ends with the separator '.'"),
        ("quay.io/a..b", "'..' in a row"),
        ("quay.io/a___b", "'___' in a row"),
        ("quay.io/a._b", "'._' in a row"),
        ("quay.io/a-_b", "'-_' in a row"),
        ("quay.io/a b", "white space"),
        ("quay.io/a%2e%2e/b", "character '%'"),
        ("quay.io/a\\b", "character '\\\\'"),
        ("quay.io/a?b=c", "character '?'"),
        ("quay.io/a#b", "character '#'"),
        ("quay.io/app:", "bad tag '': it is empty"),
        ("quay.io/app:.x", "begins with '.'"),
        ("quay.io/app:-x", "begins with '-'"),
        ("quay.io/app:a+b", "character '+'"),
        ("quay.io/app:a:b", "character ':'"),
        ("quay.io/a:1/b", "colon in the repository"),
        ("quay.io/app:" + "t" * 129, "129 characters, more than 128"),
        ("quay.io/" + "a" * (REPOSITORY_LIMIT + 1), "more than 1024"),
        ("quay.io/app@", "is not a digest"),
        ("quay.io/app@sha256:abc", "64 lower-case hex digits"),
        ("quay.io/app@sha256:" + "AB" * 32, "64 lower-case hex digits"),
        ("quay.io/app@sha256:" + "ab" * 31 + "zz", "64 lower-case hex digits"),
        ("quay.io/app@md5:" + "ab" * 16, "digest algorithm md5"),
        ("quay.io/app@latest", "is not a digest"),
        (f"quay.io/app@{SHA256}@{SHA256}", "is not a digest"),
        (f"@{SHA256}", "bad repository '': it is empty"),
        ("quay.io:0/app", "port '0'"),
        ("quay.io:65536/app", "port '65536'"),
        ("quay.io:99999999999/app", "port"),
        ("quay.io:x/app", "port 'x'"),
        ("quay.io:/app", "port ''"),
        (":5000/app", "no host name"),
        ("quay..io/app", "part ''"),
        ("-quay.io/app", "part '-quay'"),
        ("quay_1.io/app", "part 'quay_1'"),
        ("a:1:2/app", "more than one colon"),
        ("::1/app", "brackets"),
        ("[::1/app", "no IPv6 address"),
        ("[::g]/app", "no IPv6 address"),
        ("[fe80::1%eth0]/app", "no IPv6 address"),
        ("[127.0.0.1]/app", "no IPv6 address"),
        ("[::1]5000/app", "other than a port"),
        ("[::1]:x/app", "port 'x'"),
        ("256.1.1.1/app", "IPv4"),
        ("1.2.3/app", "IPv4"),
        ("a" * 64 + ".io/app", "1 to 63"),
    ],
    ids=short,
)
def test_refused(text, reason):
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)
    message = str(caught.value)
    assert reason in message
    assert message.isprintable()
    assert message.isascii()
    assert len(message) < 1200


@pytest.mark.parametrize(
    "text",
    [
        "robot:hunter2@quay.io/team/app:1",
        "docker://robot:hunter2@quay.io/app",
        "https://robot:hunter2@quay.io/app",
        "http://robot:hunter2@quay.io:5000",
        "robot:hunter2@quay.io",
        "robot:hunter2@quay.io:5000",
        "robot:a/hunter2@quay.io:5000",
        "robot:hunter2/b@quay.io/app",
        "robot:a@hunter2@quay.io/app",
        f"robot:hunter2@quay.io/app@{SHA256}",
    ],
)
def test_pasted_credentials_are_not_shown(text):
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)
    assert "hunter2" not in str(caught.value)
    for check in (check_registry_host, check_repository, canonical_registry):
        with pytest.raises(InvalidReference) as caught:
            check(text)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["a", "a/b", "a.b_c__d-e--f/1", "0", "library/alpine", "a" * REPOSITORY_LIMIT, "/".join("a" * 500)], ids=short
)
def test_repositories(name):
    assert check_repository(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        ("a:b", "character ':'"),
        ("a@b", "@"),
        ("/a", "begins with a slash"),
        ("a/", "ends with a slash"),
        ("a//b", "component 2 is empty"),
        ("..", "'..'"),
        ("a/..", "'..'"),
        ("a/B", "upper-case"),
        ("a\n", "white space"),
        ("a\r\nHost: x", "white space"),
        ("a\x7f", "control character '\\x7f'"),
        ("a\u0660", "not ASCII"),
        ("a\ud800", "control character '\\ud800'"),
        ("a" * (REPOSITORY_LIMIT + 1), "1025 characters"),
        ("a-", "ends with the separator"),
        ("a.-b", "in a row"),
        ("a" * 900 + "!", "character '!'"),
    ],
    ids=short,
)
def test_bad_repositories(name, reason):
    with pytest.raises(InvalidReference) as caught:
        check_repository(name)
    assert reason in str(caught.value)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("tag", ["latest", "1", "_", "A", "v1.0-rc_1", "x" * 128, "sha256-" + "a" * 64 + ".sig"])
def test_tags(tag):
    assert check_tag(tag) == tag


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("", "it is empty"),
        (".", "begins with '.'"),
        ("..", "begins with '.'"),
        ("-x", "begins with '-'"),
        ("a/b", "character '/'"),
        ("a:b", "character ':'"),
        ("a\n", "white space"),
        ("a\x00", "control character"),
        ("\u00e4", "not ASCII"),
        ("x" * 129, "129 characters"),
    ],
)
def test_bad_tags(tag, reason):
    with pytest.raises(InvalidReference) as caught:
        check_tag(tag)
    assert reason in str(caught.value)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        ("Quay.IO", "quay.io"),
        ("quay.io:443", "quay.io:443"),
        ("quay.io:0443", "quay.io:443"),
        ("[0:0:0:0:0:0:0:1]:80", "[::1]:80"),
        ("10.0.0.1", "10.0.0.1"),
        ("registry", "registry"),
        ("index.docker.io", "index.docker.io"),
        ("a" * 63 + ".io", "a" * 63 + ".io"),
    ],
)
def test_hosts(host, normal):
    assert check_registry_host(host) == normal


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("", "is empty"),
        ("https://quay.io", "Leave out https://"),
        ("docker://quay.io", "Leave out docker://"),
        ("quay.io/team", "Leave out everything from the first slash"),
        ("quay.io/", "Leave out everything from the first slash"),
        ("user@quay.io", "user information"),
        ("quay.io\r\nX: y", "white space"),
        ("b\u00fccher.example", "xn--"),
        ("quay.io:\u0665", "not ASCII"),
        ("quay.io:-1", "port '-1'"),
        ("quay.io:+1", "port '+1'"),
        ("quay.io.", "part ''"),
        ("010.0.0.1x.1", "IPv4"),
        ("5000", "IPv4"),
        (("a" * 60 + ".") * 5 + "io", "DNS allows 253"),
    ],
)
def test_bad_hosts(host, reason):
    with pytest.raises(InvalidReference) as caught:
        check_registry_host(host)
    assert reason in str(caught.value)


def test_docker_hub():
    for alias in ("docker.io", "index.docker.io", "registry-1.docker.io", "Docker.IO"):
        assert canonical_registry(alias) == "docker.io"
        assert api_host(alias) == "registry-1.docker.io"
    assert canonical_registry("Quay.io:443") == "quay.io:443"
    assert api_host("Quay.io") == "quay.io"


def test_shown():
    assert shown("a\x1bb\u00e9") == "'a\\x1bb\\xe9'"
    assert shown("x" * 500) == repr("x" * 157 + "...")
    assert shown_without_credentials("quay.io/app@" + SHA256) == repr("quay.io/app@" + SHA256)
    assert shown_without_credentials("app:1@" + SHA256) == repr("app:1@" + SHA256)
    assert shown_without_credentials("quay.io/app@x") == "'quay.io/app@x'"

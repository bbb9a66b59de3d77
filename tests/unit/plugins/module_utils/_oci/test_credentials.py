# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials: the order of places, the forms of entries, helpers, errors that name the file and never a secret."""

from __future__ import annotations

import base64
import builtins
import json
import os
import threading

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential, CredentialFinder
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import CredentialsUnusable, InvalidOption, InvalidReference

NOT_FOUND = (1, "credentials not found in native keychain\n", "")


def auth(username, password):
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def short(value):
    """For the name of a test: a long text would make a long name."""
    return f"{value[:20]}...{len(value)}" if isinstance(value, str) and len(value) > 100 else None


class Helpers:
    """Stands for the programs: answers by (helper, server), and notes every call."""

    def __init__(self, **answers):
        self.answers = {}
        self.calls = []
        for name, servers in answers.items():
            for server, answer in servers.items():
                self.answers[f"docker-credential-{name}", server] = answer

    def __call__(self, command, server):
        assert command[1:] == ["get"]
        self.calls.append((command[0], server))
        answer = self.answers.get((command[0], server), NOT_FOUND)
        if isinstance(answer, Exception):
            raise answer
        return answer


def secret(username, password):
    return 0, json.dumps({"ServerURL": "x", "Username": username, "Secret": password}), ""


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def make(tmp_path, home):
    """A finder whose places are all below tmp_path."""

    def made(environment=None, run_helper=None, **options):
        places = {"XDG_RUNTIME_DIR": str(tmp_path / "runtime"), **(environment or {})}
        return CredentialFinder(environment=places, home=home, run_helper=run_helper or Helpers(), **options)

    return made


def write(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


@pytest.fixture
def one_file(home, make):
    """A finder with just ~/.docker/config.json."""

    def made(document, run_helper=None, **options):
        write(home / ".docker" / "config.json", document)
        return make(run_helper=run_helper, **options)

    return made


# -- options


def test_nothing_is_anonymous(make):
    finder = make()
    assert finder.find("quay.io", "team/app") is None
    assert finder.secrets == set()
    assert finder.http_headers == {}


@pytest.mark.parametrize(
    ("options", "credential", "secrets"),
    [
        ({"username": "u", "password": "pass:word"}, Credential("u", "pass:word"), {"pass:word"}),
        ({"identity_token": "id"}, Credential(identity_token="id"), {"id"}),
        ({"registry_token": "reg"}, Credential(registry_token="reg"), {"reg"}),
        ({"username": "u", "identity_token": "id"}, Credential("u", identity_token="id"), {"id"}),
        ({"username": "u", "password": "p", "registry_token": "r"}, Credential("u", "p", "", "r"), {"p", "r"}),
    ],
)
def test_options_come_first_and_read_no_file(home, make, options, credential, secrets):
    write(home / ".docker" / "config.json", "{ broken")
    finder = make(authfile="/does/not/exist", **options)
    assert finder.find("quay.io", "team/app") == credential
    assert finder.find("other.example") == credential
    assert finder.secrets == secrets


@pytest.mark.parametrize(
    ("options", "subject"),
    [({"username": "u"}, "password"), ({"username": "u", "password": ""}, "password"), ({"password": "hunter2"}, "username")],
)
def test_half_an_option(make, options, subject):
    with pytest.raises(InvalidOption) as caught:
        make(**options)
    assert caught.value.subject == subject
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"username": "", "password": ""}, {"username": None, "password": None, "identity_token": ""}, {"authfile": ""}]
)
def test_empty_options_are_none(one_file, options):
    assert one_file({"auths": {"quay.io": auth("u", "p")}}, **options).find("quay.io") == Credential("u", "p")


# -- places


def places(tmp_path, home):
    return {
        "authfile": tmp_path / "given.json",
        "REGISTRY_AUTH_FILE": tmp_path / "variable.json",
        "runtime": tmp_path / "runtime" / "containers" / "auth.json",
        "config": tmp_path / "xdg" / "containers" / "auth.json",
        "docker": tmp_path / "docker" / "config.json",
        "dockercfg": home / ".dockercfg",
    }


ORDER = ["authfile", "REGISTRY_AUTH_FILE", "runtime", "config", "docker", "dockercfg"]


def finder_of_all_places(make, tmp_path):
    environment = {
        "REGISTRY_AUTH_FILE": str(tmp_path / "variable.json"),
        "XDG_CONFIG_HOME": str(tmp_path / "xdg"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
    }
    return make(environment, authfile=str(tmp_path / "given.json"))


@pytest.mark.parametrize("position", range(len(ORDER)))
def test_order_of_places(make, tmp_path, home, position):
    paths = places(tmp_path, home)
    for place in ORDER:
        host = "quay.io" if place in ORDER[position:] else "other.example"
        auths = {host: auth("user", place)}
        write(paths[place], auths if place == "dockercfg" else {"auths": auths})
    finder = finder_of_all_places(make, tmp_path)
    assert finder.find("quay.io", "team/app") == Credential("user", ORDER[position])
    # what is not in one file is looked for in the next
    expected = Credential("user", ORDER[0]) if position else None
    assert finder.find("other.example") == expected


@pytest.mark.parametrize("path", [".config/containers/auth.json", ".docker/config.json"])
def test_places_in_the_home(home, make, path):
    write(home / path, {"auths": {"quay.io": auth("u", "p")}})
    assert make().find("quay.io") == Credential("u", "p")


def test_docker_config_replaces_the_home(home, make, tmp_path):
    write(home / ".docker" / "config.json", {"auths": {"quay.io": auth("u", "p")}})
    assert make({"DOCKER_CONFIG": str(tmp_path / "none")}).find("quay.io") is None
    # an empty variable is none
    assert make({"DOCKER_CONFIG": "", "REGISTRY_AUTH_FILE": ""}).find("quay.io") == Credential("u", "p")


@pytest.mark.parametrize("runtime", [True, False])
def test_these_places_are_searched_and_no_others(home, tmp_path, monkeypatch, runtime):
    netrc = write(home / ".netrc", "machine quay.io login u password hunter2\n")
    opened = []
    really_open = builtins.open

    def noting(path, *arguments, **more):
        opened.append(str(path))
        return really_open(path, *arguments, **more)

    monkeypatch.setattr(builtins, "open", noting)
    environment = {"NETRC": str(netrc), **({"XDG_RUNTIME_DIR": str(tmp_path / "runtime")} if runtime else {})}
    finder = CredentialFinder(environment=environment, home=str(home), run_helper=Helpers())
    assert finder.find("quay.io") is None
    assert opened == [
        str(tmp_path / "runtime/containers/auth.json") if runtime else f"/run/containers/{os.getuid()}/auth.json",
        str(home / ".config/containers/auth.json"),
        str(home / ".docker/config.json"),
        str(home / ".dockercfg"),
    ]


def test_missing_authfile(make, tmp_path):
    with pytest.raises(InvalidOption) as caught:
        make(authfile=str(tmp_path / "none.json")).find("quay.io")
    assert caught.value.subject == "authfile"
    assert "none.json" in str(caught.value)
    # the variable may name a file that a later login makes
    assert make({"REGISTRY_AUTH_FILE": str(tmp_path / "none.json")}).find("quay.io") is None


def test_a_file_in_the_way_of_a_folder_is_a_missing_file(home, make):
    write(home / ".docker", "x")
    assert make().find("quay.io") is None


@pytest.mark.parametrize("content", ["", " \n", "{}", '{"auths": null, "credHelpers": {}, "credsStore": ""}', '{"auths": {}}'])
def test_files_without_credentials(one_file, content):
    assert one_file(content).find("quay.io") is None


def test_dev_null(make):
    assert make(authfile=os.devnull).find("quay.io") is None


def test_a_file_under_two_names_is_read_once(make, tmp_path):
    path = write(tmp_path / "auth.json", {"credsStore": "x"})
    helpers = Helpers()
    make({"REGISTRY_AUTH_FILE": path}, helpers, authfile=path).find("quay.io")
    assert len(helpers.calls) == 1


# -- keys


@pytest.mark.parametrize(
    ("keys", "host", "repository", "found"),
    [
        (["quay.io"], "quay.io", "", "quay.io"),
        (["quay.io"], "quay.io", "team/app", "quay.io"),
        (["Quay.IO"], "QUAY.io", "team/app", "Quay.IO"),
        (["quay.io", "quay.io/team", "quay.io/team/app"], "quay.io", "team/app", "quay.io/team/app"),
        (["quay.io/team/app", "quay.io/team", "quay.io"], "quay.io", "team/app", "quay.io/team/app"),
        (["quay.io", "quay.io/team", "quay.io/team/app"], "quay.io", "team/other", "quay.io/team"),
        (["quay.io", "quay.io/team", "quay.io/team/app"], "quay.io", "team/app/deep/er", "quay.io/team/app"),
        (["quay.io", "quay.io/team", "quay.io/team/app"], "quay.io", "else", "quay.io"),
        (["quay.io", "quay.io/team", "quay.io/team/app"], "quay.io", "", "quay.io"),
        # whole components only
        (["quay.io/team"], "quay.io", "teams/app", None),
        (["quay.io/team/app"], "quay.io", "team", None),
        (["quay.io/team"], "quay.io", "", None),
        (["quay.io/team/"], "quay.io", "team/app", "quay.io/team/"),
        # a port belongs to the name
        (["quay.io:443"], "quay.io", "", None),
        (["quay.io"], "quay.io:443", "", None),
        (["quay.io:5000/a"], "quay.io:5000", "a/b", "quay.io:5000/a"),
        (["[::1]:5000"], "[0:0::1]:5000", "a", "[::1]:5000"),
        # docker's older forms
        (["https://quay.io"], "quay.io", "a", "https://quay.io"),
        (["http://quay.io:80/"], "quay.io:80", "a", "http://quay.io:80/"),
        (["https://quay.io/v1/"], "quay.io", "a", "https://quay.io/v1/"),
        (["https://quay.io/v2/"], "quay.io", "a", "https://quay.io/v2/"),
        (["https://quay.io/v2"], "quay.io", "a", "https://quay.io/v2"),
        (["quay.io/v1/"], "quay.io", "a", "quay.io/v1/"),
        (["quay.io/v2/"], "quay.io", "a", "quay.io/v2/"),
        (["quay.io/"], "quay.io", "a", "quay.io/"),
        # without the slash at its end it is a namespace
        (["quay.io/v2"], "quay.io", "a", None),
        (["quay.io/v2"], "quay.io", "v2/a", "quay.io/v2"),
        # the plain form before URLs, the longer before the shorter
        (["https://quay.io/v1/", "quay.io"], "quay.io", "a", "quay.io"),
        (["https://quay.io/v1/", "quay.io/team"], "quay.io", "team/a", "quay.io/team"),
        (["quay.io.evil.example", "evil.example/quay.io"], "quay.io", "a", None),
        (["", "/", "not a host", "https://", "a@b", "quay.io"], "quay.io", "a", "quay.io"),
        # Docker Hub has many names
        (["docker.io"], "docker.io", "library/alpine", "docker.io"),
        (["https://index.docker.io/v1/"], "docker.io", "library/alpine", "https://index.docker.io/v1/"),
        (["https://index.docker.io/v1/"], "registry-1.docker.io", "team/app", "https://index.docker.io/v1/"),
        (["index.docker.io/v1"], "docker.io", "a/b", "index.docker.io/v1"),
        (["index.docker.io"], "docker.io", "a/b", "index.docker.io"),
        (["registry-1.docker.io"], "index.docker.io", "a/b", "registry-1.docker.io"),
        (["https://index.docker.io/v1/", "index.docker.io", "docker.io"], "docker.io", "a/b", "docker.io"),
        (["docker.io", "docker.io/team"], "registry-1.docker.io", "team/app", "docker.io/team"),
        (["docker.io", "index.docker.io/team"], "docker.io", "team/app", "index.docker.io/team"),
    ],
)
def test_keys(one_file, keys, host, repository, found):
    credential = one_file({"auths": {key: auth("user", key or "empty") for key in keys}}).find(host, repository)
    assert credential == (None if found is None else Credential("user", found))


def test_a_bad_host(one_file):
    with pytest.raises(InvalidReference):
        one_file({}).find("https://quay.io")


# -- entries


@pytest.mark.parametrize(
    ("entry", "credential"),
    [
        (auth("user", "password"), Credential("user", "password")),
        (auth("user", "pass:wo:rd"), Credential("user", "pass:wo:rd")),
        (auth("user", "p\u00e4ss"), Credential("user", "p\u00e4ss")),
        (auth("robot$team+x", "p"), Credential("robot$team+x", "p")),
        ({"auth": base64.b64encode(b"user:password\0\0").decode()}, Credential("user", "password")),
        ({"auth": base64.b64encode(b"user:passwor").decode().rstrip("=") + "\n"}, Credential("user", "passwor")),
        ({"username": "user", "password": "password"}, Credential("user", "password")),
        # auth counts more, as for docker
        ({**auth("user", "password"), "username": "x", "password": "y", "email": "e"}, Credential("user", "password")),
        ({"identitytoken": "id"}, Credential(identity_token="id")),
        (
            {**auth("00000000-0000-0000-0000-000000000000", ""), "identitytoken": "id"},
            Credential("00000000-0000-0000-0000-000000000000", "", "id"),
        ),
        (auth("<token>", "id"), Credential(identity_token="id")),
        ({"username": "<token>", "password": "id"}, Credential(identity_token="id")),
        ({"registrytoken": "reg"}, Credential(registry_token="reg")),
        ({**auth("user", "password"), "registrytoken": "reg", "auth2": 5}, Credential("user", "password", "", "reg")),
        ({}, None),
        ({"auth": "", "username": None}, None),
        ({"email": "x"}, None),
    ],
)
def test_entries(one_file, entry, credential):
    finder = one_file({"auths": {"quay.io": entry}})
    assert finder.find("quay.io", "team/app") == credential
    if credential is None:
        assert finder.secrets == set()
    else:
        parts = {credential.password, credential.identity_token, credential.registry_token, entry.get("auth", "")}
        assert finder.secrets == parts - {""}


def test_an_empty_entry_leaves_the_choice_to_the_next(one_file):
    finder = one_file({"auths": {"quay.io/team": {}, "quay.io": auth("u", "p")}})
    assert finder.find("quay.io", "team/app") == Credential("u", "p")


def test_dockercfg(home, make):
    write(home / ".dockercfg", {"https://quay.io/v1/": {**auth("u", "p"), "email": "e"}})
    assert make().find("quay.io", "a") == Credential("u", "p")


# -- helpers


def test_order_within_a_file(one_file):
    helpers = Helpers(
        one={"quay.io": secret("helper", "h")}, store={"quay.io": secret("store", "s"), "third.example": secret("store", "t")}
    )
    document = {
        "auths": {"quay.io": auth("file", "f"), "second.example": auth("file", "g"), "third.example": {}},
        "credHelpers": {"quay.io": "one", "second.example": "one"},
        "credsStore": "store",
    }
    finder = one_file(document, helpers)
    assert finder.find("quay.io", "team/app") == Credential("helper", "h")
    # the helper does not know it, the file does
    assert finder.find("second.example") == Credential("file", "g")
    # neither helper nor entry: the store
    assert finder.find("third.example") == Credential("store", "t")
    assert finder.find("fourth.example") is None
    assert finder.secrets == {"h", "g", "t", auth("file", "g")["auth"]}
    assert helpers.calls == [
        ("docker-credential-one", "quay.io"),
        ("docker-credential-one", "second.example"),
        ("docker-credential-store", "third.example"),
        ("docker-credential-store", "fourth.example"),
    ]


def test_the_helper_of_one_registry_is_not_asked_for_another(one_file):
    helpers = Helpers(one={"quay.io": secret("u", "p")})
    finder = one_file({"credHelpers": {"quay.io": "one", "quay.io/team": "one"}}, helpers)
    assert finder.find("other.example") is None
    assert helpers.calls == []


def test_a_file_without_it_leads_to_the_next_files_helper(home, make, tmp_path):
    write(tmp_path / "runtime/containers/auth.json", {"auths": {"other.example": auth("u", "p")}})
    write(home / ".docker/config.json", {"credsStore": "store"})
    helpers = Helpers(store={"quay.io:5000": secret("u", "s")})
    assert make(run_helper=helpers).find("quay.io:5000") == Credential("u", "s")


@pytest.mark.parametrize("server", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hub_in_a_store(one_file, server):
    finder = one_file({"credsStore": "store"}, Helpers(store={server: secret("u", "p")}))
    assert finder.find("registry-1.docker.io", "library/alpine") == Credential("u", "p")


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "registry-1.docker.io"])
def test_docker_hub_in_helpers(one_file, key):
    finder = one_file({"credHelpers": {key: "one"}}, Helpers(one={key: secret("u", "p")}))
    assert finder.find("docker.io", "library/alpine") == Credential("u", "p")


def test_identity_token_of_a_helper(one_file):
    finder = one_file({"credsStore": "store"}, Helpers(store={"quay.io": secret("<token>", "id")}))
    assert finder.find("quay.io") == Credential(identity_token="id")
    assert finder.secrets == {"id"}


@pytest.mark.parametrize(
    "answer",
    [
        NOT_FOUND,
        (1, "", "credentials not found in native keychain"),
        (1, "", "error: Credentials not found"),
        secret("", ""),
        secret("user", ""),
        (0, "{}", ""),
    ],
)
def test_helpers_that_know_nothing(one_file, answer):
    assert one_file({"credsStore": "store"}, Helpers(store={"quay.io": answer})).find("quay.io") is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((1, "hunter2", "hunter2"), "failed with status 1"),
        ((127, "", ""), "failed with status 127"),
        ((0, "hunter2", ""), "not the JSON"),
        ((0, "", ""), "not the JSON"),
        ((0, '["hunter2"]', ""), "not the JSON"),
        ((0, '{"Username": 5, "Secret": "hunter2"}', ""), "not the JSON"),
        ((0, '{"Username": "u", "Secret": ["hunter2"]}', ""), "not the JSON"),
        ((0, "[" * 100_000, ""), "not the JSON"),
        (FileNotFoundError(2, "No such file or directory"), "cannot be run: No such file or directory"),
        (PermissionError("hunter2"), "cannot be run: PermissionError"),
    ],
)
def test_helpers_that_fail(one_file, home, answer, reason):
    finder = one_file({"credsStore": "store"}, Helpers(store={"quay.io": answer}))
    with pytest.raises(CredentialsUnusable) as caught:
        finder.find("quay.io")
    assert reason in str(caught.value)
    assert "docker-credential-store" in str(caught.value)
    assert caught.value.subject == str(home / ".docker" / "config.json")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["../evil", "/bin/evil", "a/b", "a b", "-x", "a\nb", "a\x00", ".", 5, ["x"], "\u00e9"])
@pytest.mark.parametrize("where", ["store", "helper"])
def test_names_of_helpers(one_file, name, where):
    if where == "store" and not isinstance(name, str):
        document, reason = {"credsStore": name}, "credsStore"
    else:
        document, reason = {"credsStore": name} if where == "store" else {"credHelpers": {"quay.io": name}}, "name of a credential helper"
    helpers = Helpers()
    with pytest.raises(CredentialsUnusable, match=reason) as caught:
        one_file(document, helpers).find("quay.io")
    assert helpers.calls == []
    assert str(caught.value).isprintable()


def test_helpers_are_asked_once_until_told_to_forget(one_file, home):
    helpers = Helpers(store={"quay.io": secret("u", "old")})
    finder = one_file({"credsStore": "store"}, helpers)
    for number in range(5):
        assert finder.find("quay.io", f"team/{number}") == Credential("u", "old")
        assert finder.find("other.example", f"team/{number}") is None
    assert len(helpers.calls) == 2
    helpers.answers["docker-credential-store", "quay.io"] = secret("u", "new")
    write(home / ".docker" / "config.json", {"credsStore": "store", "auths": {"other.example": auth("a", "b")}})
    finder.forget()
    assert finder.find("quay.io") == Credential("u", "new")
    assert finder.find("other.example") == Credential("a", "b")
    assert {"old", "new", "b"} <= finder.secrets


def test_threads_ask_a_helper_once(one_file):
    helpers = Helpers(store={"quay.io": secret("u", "p")})
    finder = one_file({"credsStore": "store"}, helpers)
    barrier = threading.Barrier(8)
    found = []

    def ask():
        barrier.wait(timeout=30)
        found.append(finder.find("quay.io"))

    threads = [threading.Thread(target=ask) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert found == [Credential("u", "p")] * 8
    assert len(helpers.calls) == 1


# -- broken files


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"auths": {"quay.io": {"auth": "hunter2"', "is not JSON"),
        ("hunter2", "is not JSON: Expecting value at line 1, column 1"),
        ('["hunter2"]', "is no JSON object"),
        ("[" * 100_000, "is no JSON object"),
        ({"auths": ["hunter2"]}, "for auths"),
        ({"auths": "hunter2"}, "for auths"),
        ({"credHelpers": ["hunter2"]}, "for credHelpers"),
        ({"HttpHeaders": ["hunter2"]}, "for HttpHeaders"),
        ({"credsStore": ["hunter2"]}, "for credsStore"),
        ({"auths": {"quay.io": "hunter2"}}, "the entry 'quay.io' is no object"),
        ({"auths": {"quay.io": None}}, "the entry 'quay.io' is no object"),
        ({"auths": {"quay.io": {"auth": 5}}}, "auth of the entry 'quay.io' is no string"),
        ({"auths": {"quay.io": {"username": "u", "password": ["hunter2"]}}}, "password of the entry"),
        ({"auths": {"quay.io": {"identitytoken": {}}}}, "identitytoken of the entry"),
        ({"auths": {"quay.io": {"auth": "hunter2!"}}}, "auth of the entry 'quay.io' is not base64"),
        ({"auths": {"quay.io": {"auth": "a"}}}, "is not base64"),
        ({"auths": {"quay.io": {"auth": base64.b64encode(b"u:\xff").decode()}}}, "is not base64 of UTF-8"),
        ({"auths": {"quay.io": {"auth": base64.b64encode(b"hunter2").decode()}}}, "is not base64 of user:password"),
        ({"auths": {"quay.io": {"username": "hunter2"}}}, "a user name, but no password"),
        ({"auths": {"quay.io": auth("hunter2", "")}}, "a user name, but no password"),
    ],
    ids=short,
)
def test_broken_files(one_file, home, content, reason):
    with pytest.raises(CredentialsUnusable) as caught:
        one_file(content).find("quay.io", "team/app")
    assert reason in caught.value.message
    # the path itself holds the name of this test
    assert caught.value.subject == str(home / ".docker" / "config.json")
    assert "hunter2" not in caught.value.message + caught.value.hint
    assert caught.value.hint


def test_a_broken_entry_of_another_registry_does_no_harm(one_file):
    finder = one_file({"auths": {"other.example": {"auth": "***"}, "quay.io": auth("u", "p")}})
    assert finder.find("quay.io") == Credential("u", "p")


def test_not_utf8(home, make):
    path = home / ".docker" / "config.json"
    path.parent.mkdir()
    path.write_bytes(b'{"auths": "\xff"}')
    with pytest.raises(CredentialsUnusable, match="not UTF-8"):
        make().find("quay.io")


def test_a_folder_instead_of_a_file(home, make):
    (home / ".docker" / "config.json").mkdir(parents=True)
    with pytest.raises(CredentialsUnusable, match="cannot be read: Is a directory") as caught:
        make().find("quay.io")
    assert caught.value.subject == str(home / ".docker" / "config.json")


def test_a_file_that_may_not_be_read(one_file, home, monkeypatch):
    # permissions do not stop root, who runs tests at times
    finder = one_file({})
    path = str(home / ".docker" / "config.json")
    really_open = builtins.open

    def refusing(name, *arguments, **more):
        if str(name) == path:
            raise PermissionError(13, "Permission denied", path)
        return really_open(name, *arguments, **more)

    monkeypatch.setattr(builtins, "open", refusing)
    with pytest.raises(CredentialsUnusable, match="cannot be read: Permission denied") as caught:
        finder.find("quay.io")
    assert caught.value.subject == path


# -- headers


def test_http_headers(make, tmp_path):
    write(tmp_path / "given.json", {"HttpHeaders": {"X-Meta-Team": "a"}})
    write(tmp_path / "docker/config.json", {"HttpHeaders": {"x-meta-team": "b", "X-JFrog-Art-Api": "key-1", "User-Agent": "docker/1"}})
    finder = make({"DOCKER_CONFIG": str(tmp_path / "docker")}, authfile=str(tmp_path / "given.json"))
    assert finder.http_headers == {"X-Meta-Team": "a", "X-JFrog-Art-Api": "key-1", "User-Agent": "docker/1"}
    assert finder.secrets == set()


@pytest.mark.parametrize("name", ["X-Auth", "Private-Token", "X-Api-Key", "Cookie", "X-Secret"])
def test_secret_http_headers(one_file, name):
    finder = one_file({"HttpHeaders": {name: "hunter2", "X-Team": "a"}})
    assert finder.http_headers == {name: "hunter2", "X-Team": "a"}
    assert finder.secrets == {"hunter2"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", 5),
        ("X-A", "hunter2\r\nX-B: c"),
        ("X-A", "\u00e9"),
        ("X A", "hunter2"),
        ("", "hunter2"),
        ("X:", "x"),
        ("Authorization", "hunter2"),
        ("host", "x"),
    ],
)
def test_http_headers_that_cannot_be_sent(one_file, home, name, value):
    with pytest.raises(CredentialsUnusable, match="HttpHeaders") as caught:
        one_file({"HttpHeaders": {name: value}}).http_headers  # noqa: B018
    assert caught.value.subject == str(home / ".docker" / "config.json")
    assert "hunter2" not in str(caught.value)


# -- what is shown


def test_a_credential_shows_no_secret(one_file):
    credential = Credential("robot", "hunter2", "hunter3", "hunter4")
    for text in (repr(credential), str(credential), f"{credential}", f"{[credential]}"):
        assert text.strip("[]") == "Credential(username=***, password=***, identity_token=***, registry_token=***)"
    assert repr(Credential("robot", "hunter2")) == "Credential(username=***, password=***)"
    assert repr(Credential()) == "Credential()"
    finder = one_file({"auths": {"quay.io": auth("robot", "hunter2")}, "HttpHeaders": {"X-Token": "hunter3"}})
    finder.find("quay.io")
    assert "hunter" not in repr(finder)
    assert "hunter" not in repr(finder._files)

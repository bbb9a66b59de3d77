# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: migrator_variables
short_description: The environment of docker/migrator as variables of the role migrator
version_added: 0.1.0
description:
  - Reads the environment that docker/migrator was run with, and returns the variables of the role
    P(registryops.migration.migrator#role) that mean the same, with the defaults that it had.
  - The role's own variable C(migrator_env) goes through this filter.
  - What begins with C(V1_) or C(V2_) and is not known is an error, for what is misspelt would be read by nobody. Whatever else is not
    known, such as C(PATH), is left alone.
author:
  - registryops.migration contributors (@registryops)
options:
  _input:
    description:
      - A dictionary; or a list of C(NAME=value), or of dictionaries with C(name) and C(value); or a text.
      - A text is a C(docker run) command, of which C(-e), C(--env) and the volume for C(/etc/docker/certs.d) are read; or lines of a
        file for C(--env-file); or the part C(environment) of a file for Docker Compose.
      - Nothing is expanded, C($HOME) in a text stays C($HOME).
    type: raw
    required: true
notes:
  - docs/from-docker-migrator.md has a row for every variable of the environment.
"""

EXAMPLES = r"""
- name: Take over the options of a script
  ansible.builtin.set_fact:
    options: "{{ command | registryops.migration.migrator_variables }}"
  vars:
    command: |
      docker run -it \
        -v /var/run/docker.sock:/var/run/docker.sock \
        -e V1_REGISTRY=v1.example.com \
        -e V2_REGISTRY=v2.example.com \
        -e ERROR_ACTION=skip \
        docker/migrator

- name: Take over a file for --env-file
  ansible.builtin.set_fact:
    options: "{{ lookup('ansible.builtin.file', 'migrator.env') | registryops.migration.migrator_variables }}"
"""

RETURN = r"""
_value:
  description: The variables by name.
  type: dict
  sample:
    migrator_v1_registry: v1.example.com
    migrator_v2_registry: v2.example.com
    migrator_error_action: skip
    migrator_user_prompt: true
"""

import re
import shlex
import typing as t

import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.registryops.migration.plugins.plugin_utils._basic_regex import InvalidExpression, translate

_REQUIRED = ("V1_REGISTRY", "V2_REGISTRY")
_TEXTS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"),
    *("DOCKER_HUB_ORG", "V1_REPO_FILTER", "V1_TAG_FILTER"),
    *("V1_USERNAME", "V1_PASSWORD", "V1_EMAIL", "V2_USERNAME", "V2_PASSWORD", "V2_EMAIL"),
)
#: with their defaults
_BOOLEANS = {
    **dict.fromkeys(("NO_LOGIN", "V1_NO_LOGIN", "V2_NO_LOGIN", "USE_INSECURE_CURL", "USE_HTTP", "V1_USE_HTTP", "V2_USE_HTTP"), False),
    "USER_PROMPT": True,
    "LIBRARY_NAMESPACE": True,
    "SKIP_EXISTING_TAGS": False,
}
_OTHERS = ("ERROR_ACTION", "MIGRATION_INCREMENT", "V1_FULL_REPO_LIST")
_KNOWN = frozenset((*_REQUIRED, *_TEXTS, *_BOOLEANS, *_OTHERS))
_ERROR_ACTIONS = ("prompt", "retry", "skip", "abort")
#: where the tool looked for certificates, in its container
_CERTS = "/etc/docker/certs.d"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COMMAND = re.compile(r"(?:^|\s)(?:-e|--env|-e=?[A-Z0-9_]+=\S*|--env=\S+)(?=\s|$)")
_YAML = re.compile(r"(?:environment\s*:|-\s|[\"']?[A-Za-z0-9_]+[\"']?\s*:(?:\s|$))")


def migrator_variables(environment: t.Any) -> dict[str, t.Any]:
    """The variables by name; AnsibleFilterError says which one of the environment cannot be, never with its value."""
    found, certs = _read(environment)
    _check_names(found)
    # as in a shell's ${NAME:-default}, an empty value is none
    given = {name: value for name, value in found.items() if value}
    missing = [name for name in _REQUIRED if not given.get(name, "").strip()]
    if missing:
        raise _wrong(f"{' and '.join(missing)} must be given.")
    booleans = {name: _boolean(name, given, default) for name, default in _BOOLEANS.items()}
    no_login = booleans["NO_LOGIN"]
    http = booleans["USE_HTTP"]
    variables = {
        "migrator_v1_registry": given["V1_REGISTRY"].strip(),
        "migrator_v2_registry": given["V2_REGISTRY"].strip(),
        "migrator_error_action": _error_action(given),
        "migrator_increment": _increment(given),
        "migrator_user_prompt": booleans["USER_PROMPT"],
        "migrator_no_login": no_login,
        "migrator_v1_no_login": no_login or booleans["V1_NO_LOGIN"],
        "migrator_v2_no_login": no_login or booleans["V2_NO_LOGIN"],
        "migrator_insecure": booleans["USE_INSECURE_CURL"],
        "migrator_http": http,
        "migrator_v1_http": http or booleans["V1_USE_HTTP"],
        "migrator_v2_http": http or booleans["V2_USE_HTTP"],
        "migrator_full_repo_list": given.get("V1_FULL_REPO_LIST", "").split(),
        "migrator_library_namespace": "add" if booleans["LIBRARY_NAMESPACE"] else "strip",
        "migrator_skip_existing": "name" if booleans["SKIP_EXISTING_TAGS"] else "digest",
        # the tool waited for a key here, whatever USER_PROMPT said
        "migrator_cutover": "pause",
        **({"migrator_certs_dirs": [certs]} if certs else {}),
    }
    _check_expression(given.get("V1_REPO_FILTER", ""))
    for name in _TEXTS:
        role_name = "migrator_" + re.sub("^v1_(repo|tag)_", r"\1_", name.lower())
        variables[role_name] = given.get(name, "")
    return variables


def _wrong(what: str) -> AnsibleFilterError:
    return AnsibleFilterError(f"registryops.migration.migrator_variables: {what}")


def _check_names(found: t.Mapping[str, str]) -> None:
    unknown = sorted(name for name in found if name not in _KNOWN and name.upper().startswith(("V1_", "V2_")))
    if unknown:
        raise _wrong(f"docker/migrator has no variable {', '.join(unknown)}; correct the name, or leave it out.")


def _boolean(name: str, given: t.Mapping[str, str], default: bool) -> bool:
    value = given.get(name, "").strip().lower()
    if value not in ("", "true", "false"):
        raise _wrong(f"{name} is neither true nor false.")
    return default if not value else value == "true"


def _error_action(given: t.Mapping[str, str]) -> str:
    action = given.get("ERROR_ACTION", "prompt").strip().lower()
    if action not in _ERROR_ACTIONS:
        raise _wrong(f"ERROR_ACTION is none of {', '.join(_ERROR_ACTIONS)}.")
    return action


def _increment(given: t.Mapping[str, str]) -> int:
    """Images at a time; 0 stands for all of them."""
    text = given.get("MIGRATION_INCREMENT", "").strip()
    if text and (not text.isascii() or not text.isdecimal() or int(text) == 0):
        raise _wrong("MIGRATION_INCREMENT is no positive whole number.")
    return int(text or 0)


def _check_expression(expression: str) -> None:
    try:
        translate(expression)
    except InvalidExpression as error:
        raise _wrong(f"V1_REPO_FILTER is no basic regular expression: {error}.") from error


# -- the forms of an environment


def _read(environment: t.Any) -> tuple[dict[str, str], str]:
    """`{name: value}`, and the folder with certificates that a command mounts, empty if it does not."""
    if isinstance(environment, str):
        return _read_text(environment)
    if isinstance(environment, t.Mapping):
        return {str(name): _text_of(str(name), value) for name, value in environment.items()}, ""
    if isinstance(environment, (list, tuple)):
        pairs = []
        for number, item in enumerate(environment):
            if isinstance(item, t.Mapping) and isinstance(item.get("name"), str):
                pairs.append((item["name"], _text_of(item["name"], item.get("value"))))
            elif isinstance(item, str):
                pairs.append(_pair(item, f"item {number}"))
            else:
                raise _wrong(f"item {number} is no text NAME=value.")
        return dict(pairs), ""
    raise _wrong(f"the input is of type {type(environment).__name__}; give a text, a dictionary or a list.")


def _text_of(name: str, value: t.Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise _wrong(f"{name} is of type {type(value).__name__}; give a text.")


def _pair(text: str, where: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not _NAME.fullmatch(name):
        # what stands there may well be a part of a password
        known = f", {name}," if name in _KNOWN else ""
        raise _wrong(f"{where}{known} is no NAME=value; a value that comes from the caller's environment has to be given here.")
    return name, value


def _read_text(text: str) -> tuple[dict[str, str], str]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise _wrong("the text has no variables.")
    first = lines[0][1].strip()
    if _YAML.match(first):
        return _read_yaml(text)
    is_assignment = re.match(r"(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*=", first)
    if not is_assignment and _COMMAND.search(text):
        return _read_command(text)
    found = {}
    for number, line in lines:
        if line.lstrip().startswith("export "):
            # a line of a shell, which takes quotation marks away
            for word in _words(line)[1:]:
                name, value = _pair(word, f"line {number}")
                found[name] = value
        else:
            # docker takes the value as it stands, quotation marks and all
            name, value = _pair(line.lstrip(), f"line {number}")
            found[name] = value
    return found, ""


def _read_yaml(text: str) -> tuple[dict[str, str], str]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        # what it says may show a password
        raise _wrong("the text looks like YAML, and is none.") from None
    if isinstance(document, t.Mapping) and isinstance(document.get("environment"), (t.Mapping, list)):
        document = document["environment"]
    if isinstance(document, str):
        raise _wrong("the text has no variables.")
    return _read(document)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise _wrong("a quotation mark has no counterpart.") from None


def _read_command(text: str) -> tuple[dict[str, str], str]:
    found: dict[str, str] = {}
    certs = ""
    # in a shell, a backslash before the end of a line takes that away
    words = iter(_words(re.sub(r"\\\r?\n", " ", text)))
    for word in words:
        option, value = _option(word, words)
        if option == "env":
            name, given = _pair(value, f"the option -e {value.partition('=')[0]}" if _NAME.match(value) else "an option -e")
            found[name] = given
        elif option == "env-file":
            raise _wrong("the command reads a file with --env-file; give the lines of that file instead, together with other variables.")
        elif option == "volume":
            host, _separator, rest = value.partition(":")
            if rest.partition(":")[0].rstrip("/") == _CERTS:
                certs = host
    return found, certs


def _option(word: str, words: t.Iterator[str]) -> tuple[str, str]:
    """Which of the options that matter it is, with its value; empty for all others."""
    for option, short in (("env", "-e"), ("env-file", ""), ("volume", "-v")):
        if word in (short, f"--{option}"):
            return option, next(words, "")
        if word.startswith(f"--{option}="):
            return option, word.partition("=")[2]
        if short and word.startswith(short) and not word.startswith("--"):
            return option, word[len(short) :].removeprefix("=")
    return "", ""


class FilterModule:
    """Filters of this file, by name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"migrator_variables": migrator_variables}

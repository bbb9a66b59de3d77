# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: msr_script_variables
short_description: The environment file of the MSR data migration script as variables of the playbook migrate_msr
version_added: 0.1.0
description:
  - Reads the file that the MSR data migration script takes its variables from, by default C(.msr_data_migration.env), and returns the
    variables of the playbook C(registryops.migration.migrate_msr) that mean the same.
  - The playbook's own variable C(msr_env) goes through this filter.
  - The text is read as a shell reads it - quotation marks, C(export), comments after a value, and C($NAME) where the file itself has set
    NAME before. Nothing is ever run, and what a shell would take from somewhere else is an error.
  - A name that the script does not know is an error, for nobody would read it.
author:
  - registryops.migration contributors (@registryops)
options:
  _input:
    description: The text of the file, or a dictionary with the variables by name.
    type: raw
    required: true
  volumes:
    description:
      - What C(docker run) of the script's image was given with C(-v), as it stands, C(path here:path in the container) with or without
        C(:ro). The paths of keys and of C(KUBECONFIG) in the file are those in the container.
    type: list
    elements: str
    default: []
notes:
  - docs/from-msr-script.md has a row for every variable.
"""

EXAMPLES = r"""
- name: Take over the file of the script
  ansible.builtin.set_fact:
    options: "{{ lookup('ansible.builtin.file', '.msr_data_migration.env') | registryops.migration.msr_script_variables(volumes=mounted) }}"
  vars:
    mounted:
      - /home/me/kubeconfig:/config/kubeconfig:ro
      - /home/me/id_rsa:/config/id_rsa:ro
"""

RETURN = r"""
_value:
  description: The variables by name. Only what the file says is in them.
  type: dict
  sample:
    msr_source:
      url: source.msr.example.com
      username: migration_user
      password: source-token
      database:
        ssh:
          host: 192.0.2.5
          username: ubuntu
          key_file: /home/me/id_rsa
          node: msr
          sudo: true
    msr_destination:
      url: destination.msr.example.com:34034
      username: migration_user
      password: destination-token
      database:
        kubernetes:
          kubeconfig: /home/me/kubeconfig
          namespace: default
    msr_threads: 5
    registry_threads: 5
    msr_token_limit: 50
"""

import re
import typing as t

from ansible.errors import AnsibleFilterError

#: where each variable of the script goes: the path to it in the variables of the playbook
_TEXTS: dict[str, tuple[str, ...]] = {
    "MKE_NODE": ("msr_source", "accounts_database", "ssh", "host"),
    "MKE_NODE_SSH_KEY": ("msr_source", "accounts_database", "ssh", "key_file"),
    "MKE_NODE_SSH_USER": ("msr_source", "accounts_database", "ssh", "username"),
    "SOURCE_MSR_NODE": ("msr_source", "database", "ssh", "host"),
    "SOURCE_MSR_SSH_KEY": ("msr_source", "database", "ssh", "key_file"),
    "SOURCE_MSR_SSH_USER": ("msr_source", "database", "ssh", "username"),
    "SOURCE_MSR_URL": ("msr_source", "url"),
    "SOURCE_MSR_USERNAME": ("msr_source", "username"),
    "SOURCE_MSR_TOKEN": ("msr_source", "password"),
    "KUBECONFIG": ("msr_destination", "database", "kubernetes", "kubeconfig"),
    "DEST_MSR_K8S_NAMESPACE": ("msr_destination", "database", "kubernetes", "namespace"),
    "DEST_MSR_URL": ("msr_destination", "url"),
    "DEST_MSR_USERNAME": ("msr_destination", "username"),
    "DEST_MSR_TOKEN": ("msr_destination", "password"),
}
#: whole numbers, with the smallest one that makes sense
_NUMBERS: dict[str, tuple[int, tuple[str, ...]]] = {
    "PARALLEL_PROCESS_COUNT": (1, ("msr_threads", "registry_threads")),
    "TOKEN_LIMIT": (0, ("msr_token_limit",)),
}
#: paths in the script's container
_PATHS = frozenset({"MKE_NODE_SSH_KEY", "SOURCE_MSR_SSH_KEY", "KUBECONFIG"})
#: what the script takes for granted of the hosts that it reaches
_NODES = {"accounts_database": {"node": "mke", "sudo": True}, "database": {"node": "msr", "sudo": True}}
_KNOWN = frozenset({*_TEXTS, *_NUMBERS})
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=")
_REFERENCE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")


def msr_script_variables(environment: t.Any, volumes: t.Any = ()) -> dict[str, t.Any]:
    """The variables by name; AnsibleFilterError says which one of the file cannot be, never with its value."""
    mounts = _mounts(volumes)
    found = _read(environment)
    unknown = sorted(found.keys() - _KNOWN)
    if unknown:
        raise _wrong(f"the script has no variable {', '.join(unknown)}; correct the name, or leave it out.")
    variables: dict[str, t.Any] = {}
    for name, place in _TEXTS.items():
        value = found.get(name, "").strip()
        if value:
            _put(variables, place, _here(value, mounts) if name in _PATHS else value)
    for name, (least, places) in _NUMBERS.items():
        text = found.get(name, "").strip()
        if text:
            if not text.isascii() or not text.isdecimal() or int(text) < least:
                raise _wrong(f"{name} is no whole number from {least}.")
            variables.update(dict.fromkeys(places, int(text)))
    for option, granted in _NODES.items():
        way = variables.get("msr_source", {}).get(option)
        if way:
            way["ssh"].update(granted)
    return variables


def _wrong(what: str) -> AnsibleFilterError:
    return AnsibleFilterError(f"registryops.migration.msr_script_variables: {what}")


def _put(variables: dict[str, t.Any], place: t.Sequence[str], value: str) -> None:
    for name in place[:-1]:
        variables = variables.setdefault(name, {})
    variables[place[-1]] = value


# -- paths


def _mounts(volumes: t.Any) -> list[tuple[str, str]]:
    """`(path in the container, path here)` of all volumes, those deepest in the container first."""
    if not isinstance(volumes, (list, tuple)) or not all(isinstance(volume, str) for volume in volumes):
        raise _wrong("volumes have to be a list of texts, such as /home/me/id_rsa:/config/id_rsa:ro.")
    mounts = []
    for volume in volumes:
        here, separator, rest = volume.partition(":")
        inside = rest.partition(":")[0].rstrip("/")
        if not separator or not here or not inside.startswith("/"):
            raise _wrong(f"the volume {volume} is no path here:path in the container.")
        mounts.append((inside, here.rstrip("/") or "/"))
    return sorted(mounts, key=lambda mount: len(mount[0]), reverse=True)


def _here(path: str, mounts: t.Iterable[tuple[str, str]]) -> str:
    for inside, here in mounts:
        if path == inside or path.startswith(f"{inside}/"):
            return here + path[len(inside) :]
    return path


# -- the file


def _read(environment: t.Any) -> dict[str, str]:
    if isinstance(environment, t.Mapping):
        for name, value in environment.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, (str, int))):
                raise _wrong(f"{name} is of type {type(value).__name__}; give a text.")
        return {str(name): "" if value is None else str(value) for name, value in environment.items()}
    if not isinstance(environment, str):
        raise _wrong(f"the input is of type {type(environment).__name__}; give the text of the file, or a dictionary.")
    found: dict[str, str] = {}
    for number, line in enumerate(environment.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ASSIGNMENT.match(line)
        if not match:
            # what stands there may well be a part of a password
            raise _wrong(f"line {number} is no NAME=value.")
        name = match.group(1)
        found[name] = _Value(line[match.end() :], found, f"line {number}, {name},").read()
    if not found:
        raise _wrong("the text has no variables.")
    return found


class _Value:
    """What stands behind `NAME=`, as a shell reads it. `found`: the variables of the lines before; `where`: what messages call it."""

    def __init__(self, text: str, found: t.Mapping[str, str], where: str) -> None:
        self._text = text
        self._found = found
        self._where = where
        self._at = 0

    def read(self) -> str:
        """The value; whatever follows it must be a comment."""
        parts: list[str] = []
        while self._at < len(self._text) and not self._text[self._at].isspace():
            parts.append(self._next())
        rest = self._text[self._at :].strip()
        if rest and not rest.startswith("#"):
            raise _wrong(f"{self._where} has a space in its value; put the value into quotation marks.")
        return "".join(parts)

    def _next(self) -> str:
        character = self._text[self._at]
        if character == "'":
            return self._single()
        if character == '"':
            return self._double()
        if character == "\\":
            self._at += 2
            return self._text[self._at - 1 : self._at]
        if character in "$`":
            return self._reference()
        if character in ";&|<>()":
            raise _wrong(f"{self._where} holds {character}, which a shell does not take as a part of a value; use quotation marks.")
        self._at += 1
        return character

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise self._open()
        value = self._text[self._at + 1 : end]
        self._at = end + 1
        return value

    def _double(self) -> str:
        self._at += 1
        parts: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == '"':
                self._at += 1
                return "".join(parts)
            if character in "$`":
                parts.append(self._reference())
                continue
            if character == "\\" and self._text[self._at + 1 : self._at + 2] in tuple('$`"\\'):
                self._at += 1
            parts.append(self._text[self._at])
            self._at += 1
        raise self._open()

    def _open(self) -> AnsibleFilterError:
        return _wrong(f"{self._where} has a quotation mark without its counterpart.")

    def _reference(self) -> str:
        """`$NAME`, out of the lines before; a `$` before anything else is just that."""
        match = _REFERENCE.match(self._text, self._at)
        if match:
            name = match.group(1) or match.group(2)
            if name not in self._found:
                raise _wrong(f"{self._where} takes ${name} from outside of the file; write its value there.")
            self._at = match.end()
            return self._found[name]
        following = self._text[self._at + 1 : self._at + 2]
        if self._text[self._at] == "`" or following in ("(", "{") or (following and following in "0123456789@*#?-$!'\""):
            raise _wrong(f"{self._where} asks for something to be expanded; put the value into single quotation marks.")
        self._at += 1
        return "$"


class FilterModule:
    """Filters of this file, by name."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"msr_script_variables": msr_script_variables}

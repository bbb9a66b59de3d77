# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The options that lead to the database of an MSR. plugins/doc_fragments/msr_database.py documents them."""

from __future__ import annotations

from ansible_collections.registryops.migration.plugins.module_utils._module.options import SSH, SSH_SIGN_IN, Options, without_none
from ansible_collections.registryops.migration.plugins.module_utils._msr.interface import Database
from ansible_collections.registryops.migration.plugins.module_utils._msr.kubernetes import COMMAND, LABELS, PodOptions, PodShell
from ansible_collections.registryops.migration.plugins.module_utils._msr.reql import ShellDatabase
from ansible_collections.registryops.migration.plugins.module_utils._msr.ssh import NODES, NodeOptions, SSHShell
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._oci.ssh import SSHOptions

#: the ways, of which one is given
WAYS = ("ssh", "kubernetes", "driver")

#: an option that says how a database is reached
DATABASE: Options = {
    "type": "dict",
    "options": {
        "ssh": {
            "type": "dict",
            "options": {
                **SSH_SIGN_IN,
                "jump": SSH,
                "node": {"type": "str", "choices": list(NODES), "default": "msr"},
                "replica": {"type": "str"},
                "sudo": {"type": "bool", "default": False},
                "cli_image": {"type": "str"},
                "cli_command": {"type": "str"},
            },
            "mutually_exclusive": [("known_hosts", "fingerprint"), ("cli_command", "cli_image"), ("cli_command", "replica")],
        },
        "kubernetes": {
            "type": "dict",
            "options": {
                "kubeconfig": {"type": "path"},
                "context": {"type": "str"},
                "namespace": {"type": "str", "default": "default"},
                "labels": {"type": "dict", "default": dict(LABELS)},
                "pod": {"type": "str"},
                "container": {"type": "str"},
                "command": {"type": "list", "elements": "str", "default": list(COMMAND)},
            },
        },
        "driver": {
            "type": "dict",
            "options": {
                "host": {"type": "str", "required": True},
                "port": {"type": "int", "default": 28015},
                "username": {"type": "str", "default": "admin"},
                "password": {"type": "str", "no_log": True},
                "tls": {"type": "bool", "default": True},
                "validate_certs": {"type": "bool", "default": True},
                "ca_path": {"type": "path"},
                "client_cert": {"type": "path"},
                "client_key": {"type": "path", "no_log": False},
                "tls_server_name": {"type": "str"},
            },
        },
        "connect_timeout": {"type": "float", "default": 10.0},
        "statement_timeout": {"type": "float", "default": 300.0},
    },
    "mutually_exclusive": [WAYS],
    "required_one_of": [WAYS],
}


def database_of(options: Options, prefix: str = "database.") -> Database:
    """The database that the value of an option like DATABASE leads to; nothing is spoken to yet. `prefix`: what stands before the names
    of its suboptions in messages. InvalidOption where they cannot work.
    """
    limits: Options = {"timeout": options["connect_timeout"], "silence": options["statement_timeout"]}
    for name in ("connect_timeout", "statement_timeout"):
        if options[name] <= 0:
            raise InvalidOption("must be more than 0.", subject=f"{prefix}{name}", hint="Leave it out for the usual value.")
    if options["ssh"]:
        return ShellDatabase(_over_ssh(options["ssh"], limits, f"{prefix}ssh."))
    if options["kubernetes"] is not None:
        return ShellDatabase(_in_pod(options["kubernetes"], limits, f"{prefix}kubernetes."))
    from ansible_collections.registryops.migration.plugins.module_utils._msr.driver import DriverDatabase, DriverOptions

    given = without_none(options["driver"])
    renamed = {"validate_certs": "verify", "ca_path": "ca_file", "client_cert": "client_certificate"}
    return DriverDatabase(
        DriverOptions(**{renamed.get(name, name): value for name, value in given.items()}, **limits, prefix=f"{prefix}driver.")
    )


def _over_ssh(options: Options, limits: Options, prefix: str) -> SSHShell:
    given = without_none(options)
    way = given.pop("jump", None)
    jump = SSHOptions(**way, **limits, prefix=f"{prefix}jump.") if way else None
    sign_in = SSHOptions(**{name: given[name] for name in SSH_SIGN_IN if name in given}, **limits, prefix=prefix, jump=jump)
    node = NodeOptions(
        node=given["node"],
        image=given.get("cli_image", ""),
        replica=given.get("replica", ""),
        command=given.get("cli_command", ""),
        sudo=given["sudo"],
        silence=limits["silence"],
        prefix=prefix,
    )
    return SSHShell(sign_in, node)


def _in_pod(options: Options, limits: Options, prefix: str) -> PodShell:
    given = without_none(options)
    labels = {str(name): str(value) for name, value in given.pop("labels").items()}
    if not labels and not given.get("pod"):
        raise InvalidOption("has none, so that any pod would do.", subject=f"{prefix}labels", hint="Leave it out, or name a pod.")
    command = tuple(given.pop("command"))
    if not any("{size}" in word or "{statement}" in word for word in command):
        raise InvalidOption(
            "has neither {size} nor {statement}, so it would not get what it is to do.", subject=f"{prefix}command", hint="Leave it out."
        )
    return PodShell(PodOptions(labels=labels, command=command, **given, **limits, prefix=prefix))

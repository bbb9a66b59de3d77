# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The edge between Ansible and the rest: argument specs, of which each option has one; options to rules, errors to failed tasks."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import unquote

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import CONVERSIONS, Policy, Rule
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, InvalidReference, MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import HTTPOptions
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Platform, parse_platform
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_registry_host, shown_without_credentials
from ansible_collections.registryops.migration.plugins.module_utils._oci.timetable import DAYS
from ansible_collections.registryops.migration.plugins.module_utils._oci.tls import CERTS_D, TLSOptions
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import PROFILES

Options = dict[str, t.Any]

#: the two connections: every module of the action group takes both, so that `module_defaults` can give them once
SIDES = ("source", "destination")

#: the product is found out, by the host's name or by how the registry answers
AUTO = "auto"

#: how to reach AWS, by the names that the collections for AWS use; all of them are boto3's where they are not given
AWS: Options = {
    "profile": {"type": "str"},
    "region": {"type": "str"},
    # the id of a key, and no key
    "access_key": {"type": "str", "no_log": False},
    "secret_key": {"type": "str", "no_log": True},
    "session_token": {"type": "str", "no_log": True},
    "role_arn": {"type": "str"},
    "role_session_name": {"type": "str", "default": "registryops-migration"},
    "external_id": {"type": "str"},
    "endpoint_url": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_bundle": {"type": "path"},
}

#: how to sign in to a host
SSH_SIGN_IN: Options = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 22},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "key_file": {"type": "path", "no_log": False},
    "known_hosts": {"type": "path"},
    "fingerprint": {"type": "str"},
}
SSH: Options = {"type": "dict", "options": SSH_SIGN_IN, "mutually_exclusive": [("known_hosts", "fingerprint")]}

ENDPOINT: Options = {
    "type": {"type": "str", "choices": ["registry", "oci_layout", "docker_engine", "v1", "v1_storage"], "default": "registry"},
    "url": {"type": "str"},
    "index_url": {"type": "str"},
    "path": {"type": "path"},
    "image_host": {"type": "str"},
    "timeout": {"type": "float", "default": 600.0},
    "provider": {"type": "str", "choices": [AUTO, *sorted(PROFILES)], "default": AUTO},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "identity_token": {"type": "str", "no_log": True},
    "registry_token": {"type": "str", "no_log": True},
    "api_url": {"type": "str"},
    "api_token": {"type": "str", "no_log": True},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "aws": {"type": "dict", "options": AWS},
    "ssh": SSH,
    "s3": {
        "type": "dict",
        "options": {"bucket": {"type": "str", "required": True}, "prefix": {"type": "str", "default": ""}},
    },
    "swr": {
        "type": "dict",
        "options": {
            "project": {"type": "str", "required": True},
            "access_key": {"type": "str", "required": True, "no_log": False},
            "secret_key": {"type": "str", "required": True, "no_log": True},
        },
    },
    "auth_file": {"type": "path"},
    "search_auth_files": {"type": "bool", "default": True},
    "plain_http": {"type": "bool", "default": False},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "certs_dirs": {"type": "list", "elements": "path", "default": list(CERTS_D)},
    "proxy": {"type": "str"},
    "no_proxy": {"type": "str"},
    "connect_to": {"type": "str"},
    "connect_timeout": {"type": "float", "default": 10.0},
    "read_timeout": {"type": "float", "default": 60.0},
    "attempts": {"type": "int", "default": 5},
    "concurrency": {"type": "int", "default": 0},
    "requests_per_second": {"type": "float", "default": 0.0},
    "chunk_size": {"type": "int", "default": 0},
    "on_quota": {"type": "str", "choices": ["wait", "stop"], "default": "wait"},
}

_ENDPOINT_OPTION: Options = {
    "type": "dict",
    "options": ENDPOINT,
    "required_if": [
        ("type", "registry", ["url"]),
        ("type", "oci_layout", ["path"]),
        ("type", "v1", ["url"]),
        ("type", "v1_storage", ["path", "s3"], True),
    ],
    "mutually_exclusive": [("url", "path", "s3"), ("ssh", "s3"), ("password", "registry_token"), ("connect_to", "proxy")],
}

#: only for the module that has one source to copy from
FURTHER_DESTINATIONS: Options = {"further_destinations": {**_ENDPOINT_OPTION, "type": "list", "elements": "dict"}}

REQUESTS = {"source": "source_requests_per_second", "destination": "destination_requests_per_second"}
LIMITED = ("bytes_per_second", *REQUESTS.values())

#: how fast a run may be
LIMITS: Options = {
    "bytes_per_second": {"type": "float", "default": 0.0},
    "limits_by_time": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "from": {"type": "str", "required": True},
            "to": {"type": "str", "required": True},
            "days": {"type": "list", "elements": "str", "choices": list(DAYS)},
            "timezone": {"type": "str"},
            **{name: {"type": "float"} for name in LIMITED},
        },
    },
}

REPOSITORIES: Options = {
    "type": "dict",
    "options": {
        "include": {"type": "list", "elements": "str", "default": []},
        "exclude": {"type": "list", "elements": "str", "default": []},
    },
}

TAGS: Options = {
    "type": "dict",
    "options": {
        "include": {"type": "list", "elements": "str", "default": []},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "semver": {"type": "str"},
        "newest": {"type": "int"},
        "newest_by": {"type": "str", "choices": ["version", "date"], "default": "version"},
        "since": {"type": "str"},
    },
}

_MAPPING: Options = {
    "type": "dict",
    "options": {
        "strip_prefix": {"type": "str"},
        "regex": {
            "type": "list",
            "elements": "dict",
            "options": {"pattern": {"type": "str", "required": True}, "replacement": {"type": "str", "required": True}},
        },
        "flatten": {"type": "int"},
        "prefix": {"type": "str"},
        "library": {"type": "str", "choices": ["keep", "strip", "add"]},
        "join_deep": {"type": "str"},
        "max_components": {"type": "int"},
    },
}

#: what goes where
SELECTION: Options = {
    "rules": {
        "type": "list",
        "elements": "dict",
        "default": [{}],
        "options": {"repositories": REPOSITORIES, "tags": TAGS, "mapping": _MAPPING},
    },
    "only_repositories": {"type": "list", "elements": "str"},
    "workers": {"type": "int", "default": 0},
    "limits_shared_by": {"type": "int", "default": 1},
}

#: and how images are looked at: shared by copying and verifying
RULES: Options = {
    **SELECTION,
    "platforms": {"type": "list", "elements": "str", "default": []},
    "platform_index": {"type": "str", "choices": ["whole", "subset", "sparse"], "default": "whole"},
    "referrers": {"type": "bool", "default": True},
    "foreign_layers": {"type": "str", "choices": ["skip", "copy"], "default": "skip"},
    "convert": {
        "type": "dict",
        "default": {},
        "options": {
            "v1": {"type": "str", "choices": ["docker", "oci"], "default": CONVERSIONS["v1"]},
            "schema1": {"type": "str", "choices": ["none", "docker", "oci"], "default": CONVERSIONS["schema1"]},
            "oci": {"type": "str", "choices": ["none", "docker"], "default": CONVERSIONS["oci"]},
        },
    },
    "state_dir": {"type": "path"},
}


def make_module(
    spec: Options, both_sides: bool = False, *, required: t.Sequence[str] = (), exclusive: t.Sequence[t.Sequence[str]] = ()
) -> AnsibleModule:
    """An AnsibleModule with the two connections, and check mode. The connections in `required` have to be given, or `both_sides`.

    `exclusive`: groups of options of which one at the most may be given.
    """
    connections = {side: {**_ENDPOINT_OPTION, "required": both_sides or side in required} for side in SIDES}
    return AnsibleModule(argument_spec={**connections, **spec}, mutually_exclusive=exclusive, supports_check_mode=True)


def fail(module: AnsibleModule, error: MigrationError, **more: t.Any) -> t.NoReturn:
    """End the task with what happened, where, and the way out."""
    module.fail_json(msg=str(error), error=error.as_row(), **more)
    raise AssertionError("fail_json does not return")


def passwords_in(address: str) -> set[str]:
    """What must be in no output of `user:password@host`: proxies may have a password, and people put one into url as well."""
    match = re.match(r"(?:\w+://)?(?!\w+://)[^/@:]*:(.+)@", address)
    return {match.group(1), unquote(match.group(1))} if match else set()


def split_url(url: str, plain_http: bool) -> tuple[str, bool]:
    """`[https://]host[:port][/]` to the host and whether it is spoken to in plain http: asked for by `http://` or the option."""
    match = re.fullmatch(r"(?:(https?)://)?([^/\s@]+)/?", url.strip())
    if not match:
        raise InvalidOption(
            f"{shown_without_credentials(url, 120)} is no address of a registry.",
            subject="url",
            hint="Give host or host:port; repositories are chosen by rules, credentials by username and password.",
        )
    scheme, host = match.groups()
    if scheme == "https" and plain_http:
        raise InvalidOption("says https, but plain_http is true.", subject="url", hint="Decide for one of them.")
    try:
        return check_registry_host(host), plain_http or scheme == "http"
    except InvalidReference as error:
        raise InvalidOption(error.message, subject="url", hint=error.hint) from error


def http_options(options: Options, side: str = "") -> HTTPOptions:
    """The part of a connection's options that is about HTTP. `side`: the option whose suboptions they are."""
    for name, lowest in (("attempts", 1), ("connect_timeout", 0.001), ("read_timeout", 0.001)):
        if options[name] < lowest:
            raise InvalidOption(f"must be at least {lowest:g}.", subject=name, hint="Leave it out for the usual value.")
    for name, meaning in (("requests_per_second", "no limit"), ("chunk_size", "whole blobs"), ("concurrency", "as many as suit it")):
        # not every connection has all of them
        if options.get(name, 0) < 0:
            raise InvalidOption("must not be negative.", subject=name, hint=f"0 means {meaning}.")
    return HTTPOptions(
        tls=TLSOptions(
            options["validate_certs"],
            options["ca_path"] or "",
            options["client_cert"] or "",
            options["client_key"] or "",
            tuple(options["certs_dirs"]),
            f"{side}." if side else "",
        ),
        proxy=options["proxy"] or "",
        no_proxy=options["no_proxy"] or "",
        connect_to=options["connect_to"] or "",
        connect_timeout=options["connect_timeout"],
        read_timeout=options["read_timeout"],
        attempts=options["attempts"],
        concurrency=options["concurrency"],
        requests_per_second=options["requests_per_second"],
    )


def rules_of(params: Options) -> list[Rule]:
    """The option `rules`."""
    rules = params["rules"] or [{}]
    return [Rule.from_options(without_none(rule), f"rules[{number}]") for number, rule in enumerate(rules)]


def policy_of(params: Options) -> Policy:
    """The options that say how to decide; those that a module does not have keep their defaults."""
    names = ("existing_tags", "backup_tag", "on_error", "retries", "trust_ledger", "referrers", "foreign_layers")
    if params["workers"] < 0:
        raise InvalidOption("must not be negative.", subject="workers", hint="0 means as many as suit the registries.")
    only = params["only_repositories"]
    chosen = {name: params[name] for name in names if params.get(name) is not None}
    convert = {**CONVERSIONS, **(params.get("convert") or {})}
    if convert["oci"] == "docker":
        # whatever refers to an image is an artifact, for which docker has no form
        chosen["referrers"] = False
    return Policy(
        platforms=_platforms(params.get("platforms") or []),
        index=params.get("platform_index") or "whole",
        workers=params["workers"],
        convert=convert,
        only=None if only is None else frozenset(only),
        **chosen,
    )


def _platforms(texts: list[str]) -> tuple[Platform, ...]:
    try:
        return tuple(parse_platform(text) for text in texts)
    except InvalidOption as error:
        error.subject = f"platforms: {error.subject}"
        raise


def without_none(options: t.Any) -> t.Any:
    """Options that were not given come as None at every level: they are left out."""
    if isinstance(options, dict):
        return {key: without_none(value) for key, value in options.items() if value is not None}
    return [without_none(value) for value in options] if isinstance(options, list) else options

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The modules that are about AWS alone: from their options to what is done, and to results."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.registryops.migration.plugins.module_utils._module.options import AWS as CONNECTION, fail, without_none
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._providers.aws import AWS
from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr_registry import RegistrySettings
from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr_repositories import SETTINGS, Found, Repositories
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation

Result = dict[str, t.Any]


def connection_of(module: AnsibleModule) -> AWS:
    """The APIs of AWS, by the options of the module."""
    return AWS({name: module.params[name] for name in CONNECTION if module.params[name] is not None})


def ensure_repository(module: AnsibleModule) -> t.NoReturn:
    """The module ecr_repo, from its options to its end."""
    params = module.params
    try:
        repositories = Repositories(connection_of(module), params["registry_id"] or "")
        if params["state"] == "absent":
            result = _absent(repositories, params, not module.check_mode)
        else:
            result = _present(repositories, params, not module.check_mode)
    except MigrationError as error:
        fail(module, error)
    _exit(module, result)


def _absent(repositories: Repositories, params: t.Mapping[str, t.Any], apply: bool) -> Result:
    removal = repositories.remove(params["name"], params["force"], apply)
    differences = {"state": {"before": "present", "after": "absent"}} if removal.was_there else {}
    return {"changed": removal.was_there, "state": "deleted" if removal.was_there else "absent", "differences": differences}


def _present(repositories: Repositories, params: t.Mapping[str, t.Any], apply: bool) -> Result:
    name = params["name"]
    wanted = {setting: params[setting] for setting in SETTINGS}
    creation = repositories.ensure(name, wanted, apply)
    if creation.state == "drift":
        raise _drift(creation)
    found = repositories.look(name) if apply or creation.state != "created" else None
    result: Result = {
        "changed": creation.state != "existing",
        "state": creation.state,
        "differences": creation.as_row().get("differences", {}),
    }
    return {**result, "repository": _described(found)} if found else result


def _drift(creation: Creation) -> InvalidOption:
    setting, (before, after) = next(iter(creation.differences.items()))
    return InvalidOption(
        f"is {after}, and the repository {creation.name} has {before or 'none'}, which cannot be changed.",
        subject=setting,
        hint="Leave it out, or delete the repository and create it anew.",
    )


def _described(found: Found) -> Result:
    uri = str(found["repositoryUri"])
    return {"name": found["repositoryName"], "arn": found["repositoryArn"], "uri": uri, "registry": uri.partition("/")[0]}


def ensure_registry(module: AnsibleModule) -> t.NoReturn:
    """The module ecr_registry, from its options to its end."""
    try:
        settings = RegistrySettings(connection_of(module))
        wanted = {name: without_none(module.params[name]) for name in module.params if name not in CONNECTION}
        differences = settings.ensure(wanted, not module.check_mode)
        registry_id = settings.registry_id()
    except MigrationError as error:
        fail(module, error)
    rows = {name: {"before": before, "after": after} for name, (before, after) in differences.items()}
    _exit(module, {"changed": bool(rows), "registry_id": registry_id, "differences": rows})


def _exit(module: AnsibleModule, result: Result) -> t.NoReturn:
    if module._diff:
        rows = result["differences"]
        result["diff"] = {side: {name: row[side] for name, row in rows.items()} for side in ("before", "after")}
    module.exit_json(**result)
    raise AssertionError("exit_json does not return")

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Where a run keeps what it notes, and what tells it from others: the same in each run."""

from __future__ import annotations

import collections
import hashlib
import json
import os
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._module.options import SIDES, Options
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store


def folder_names(names: t.Sequence[str]) -> list[str]:
    """A name for the folder of each destination: its own, as far as a folder can have it; the same in each run."""
    plain = [re.sub(r"[^a-zA-Z0-9.]+", "_", name).strip("_.")[:150] or "destination" for name in names]
    often = collections.Counter(plain)
    return [
        f"{folder}-{hashlib.sha256(name.encode()).hexdigest()[:8]}" if often[folder] > 1 else folder for folder, name in zip(plain, names)
    ]


def neighbours_of(params: Options, folders: t.Sequence[str], folder: str) -> list[str]:
    """The state folders of other workers that belong to one destination, whose own is `folder`, among this worker's `folders`."""
    within = os.path.relpath(folder, folders[0])
    return [os.path.normpath(os.path.join(one, within)) for one in params["neighbour_state_dirs"]]


def state_dirs_of(params: Options, source: Store, destinations: t.Sequence[Store]) -> list[str]:
    """A folder for each of several destinations. The first has the one that it would have alone, and so have the others by default.

    With the option `state_dir`, those of the others are in it.
    """
    folders = [state_dir_of(params, source, destination) for destination in destinations]
    if params["state_dir"]:
        names = folder_names([destination.name for destination in destinations])
        folders[1:] = [os.path.join(folder, name) for folder, name in zip(folders[1:], names[1:])]
    return folders


def plan_files_of(params: Options, destinations: t.Sequence[Store]) -> list[str]:
    """The plan of each destination: that of the first is the option `plan_file`, the others have their names in front of its suffix."""
    if not params["plan_file"]:
        return [""] * len(destinations)
    stem, end = os.path.splitext(params["plan_file"])
    names = folder_names([destination.name for destination in destinations])
    return [params["plan_file"], *(f"{stem}.{name}{end}" for name in names[1:])]


def state_dir_of(params: Options, source: Store, destination: Store) -> str:
    """The option `state_dir`; by default a folder of the user's for this pair of stores."""
    if params["state_dir"]:
        return str(params["state_dir"])
    pair = "-to-".join(re.sub(r"[^a-zA-Z0-9.]+", "_", store.name).strip("_") for store in (source, destination))
    return os.path.join(state_home(), pair[:200])


def state_home() -> str:
    """The folder of the user's for what runs note."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "registryops.migration")


#: what decides where a copy reads and writes
_WHERE = ("type", "url", "connect_to", "path", "s3", "image_host", "provider")
#: what decides what a copy does; how fast it does it, and who it is at the registries, does not
_DECIDING = (
    *("rules", "only_repositories", "platforms", "platform_index", "referrers", "foreign_layers", "convert"),
    *("existing_tags", "backup_tag", "on_error", "retries", "plan_file"),
)


def plan_id_of(params: Options) -> str:
    """What tells a copy from other ones: the same for the same work, whatever the credentials and the speed."""
    ends = [{name: (params[side] or {}).get(name) for name in _WHERE} for side in SIDES]
    ends += [{name: ((params[side] or {}).get("ssh") or {}).get(name) for name in ("host", "port")} for side in SIDES]
    text = json.dumps([ends, {name: params.get(name) for name in _DECIDING}], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()

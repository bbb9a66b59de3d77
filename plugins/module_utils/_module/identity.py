# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What the modules about people share: options, both sides, and results."""

from __future__ import annotations

import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import PARTS
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import CLASSES
from ansible_collections.registryops.migration.plugins.module_utils._identity.planning import REMOVABLE
from ansible_collections.registryops.migration.plugins.module_utils._module.msr import MSR, MSR_EXCLUSIVE
from ansible_collections.registryops.migration.plugins.module_utils._module.options import REPOSITORIES, Options

#: what cannot always be read, and can be gone on without
NOT_ALWAYS_READ = ("password_hash", *CLASSES)

_SIDE: Options = {"type": "dict", "options": MSR, "mutually_exclusive": MSR_EXCLUSIVE}
SOURCE: Options = {"source": _SIDE}
DESTINATION: Options = {"destination": {**_SIDE, "required": True}}
SOURCE_FILE: Options = {"source_file": {"type": "path"}}

#: of a module that reads people: what, and of whom
READING: Options = {
    "parts": {"type": "list", "elements": "str", "choices": list(PARTS), "default": list(PARTS)},
    "organizations": REPOSITORIES,
    "repositories": REPOSITORIES,
    "users": REPOSITORIES,
    "tokens": {"type": "dict", "options": {"newest": {"type": "int"}, "used_since": {"type": "str"}}},
    "go_on_without": {"type": "list", "elements": "str", "choices": list(NOT_ALWAYS_READ), "default": []},
}

#: of a module that compares both sides: who is who
MATCHING: Options = {
    "rename": {"type": "dict", "default": {}},
    "match_directory": {"type": "bool", "default": True},
    "built_in": {"type": "str", "choices": ["keep", "replace"], "default": "keep"},
    "people_file": {"type": "path"},
}

#: of the module that writes
WRITING: Options = {
    "existing_passwords": {"type": "str", "choices": ["replace", "keep"], "default": "replace"},
    "surplus": {"type": "str", "choices": ["keep", "report", "remove"], "default": "report"},
    "surplus_kinds": {"type": "list", "elements": "str", "choices": list(CLASSES), "default": list(REMOVABLE)},
    "on_refusal": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
    "on_error": {"type": "str", "choices": ["skip", "abort"], "default": "skip"},
    "workers": {"type": "int", "default": 0},
    "plan_file": {"type": "path"},
}

#: of the module that proves
PROVING: Options = {
    "surplus": {"type": "str", "choices": ["ignore", "report", "fail"], "default": "report"},
    "sample": {"type": "int", "default": 100},
    "logins": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"username": {"type": "str", "required": True}, "secret": {"type": "str", "required": True, "no_log": True}},
    },
}

# identity_export: SOURCE (required), "path": {"type": "path", "required": True}, READING
# identity_import: SOURCE or SOURCE_FILE, DESTINATION, READING, MATCHING, WRITING
# identity_verify: SOURCE or SOURCE_FILE, DESTINATION, READING, MATCHING, PROVING

#: what a result is, for all three
Result = dict[str, t.Any]

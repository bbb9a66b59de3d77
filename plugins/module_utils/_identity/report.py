# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What is remembered of people for the report: the last run of each part, and the proof after it. One file, read and written by runs."""

from __future__ import annotations

import datetime
import json
import os
import tempfile
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, StateError

#: of the file
SCHEMA = 1

Document = dict[str, t.Any]


def read_people_file(path: str, option: str) -> Document:
    """The file as it is; raises InvalidOption about `option`."""
    hint = "Give the people_file of identity_import and identity_verify."
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        schema = document["schema"]
        if schema != SCHEMA or not isinstance(document["imports"], dict):
            raise InvalidOption(f"{path} has the schema {schema!r}.", subject=option, hint="Run both modules anew, with another file.")
    except OSError as error:
        raise InvalidOption(f"{path} cannot be read: {error.strerror}.", subject=option, hint=hint) from error
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidOption(f"{path} tells nothing of people.", subject=option, hint=hint) from error
    return t.cast("Document", document)


def note_import(path: str, parts: t.Collection[str], entry: Document, changed: bool) -> None:
    """Note what a run did with some parts; where it wrote something, an earlier proof is none any more."""
    document = _present(path)
    for part in list(document["imports"]):
        if set(part.split(", ")) <= set(parts):
            del document["imports"][part]
    document["imports"][", ".join(parts)] = {"written": _now(), **entry}
    if changed:
        document["verification"] = None
    write_json(path, document)


def note_verification(path: str, entry: Document) -> None:
    """Note what a verification found."""
    document = _present(path)
    document["verification"] = {"written": _now(), **entry}
    write_json(path, document)


def _present(path: str) -> Document:
    if os.path.exists(path):
        return read_people_file(path, "people_file")
    return {"schema": SCHEMA, "imports": {}, "verification": None}


def write_json(path: str, document: t.Any) -> None:
    """Write a file that only its owner may read, whole or not at all; raises StateError."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".people-")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=1, sort_keys=True)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise StateError(f"cannot be written: {error.strerror}.", subject=path, hint="Look at the disk and its rights.") from error


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""Reading values out of options that are dictionaries: what is not as it should be is an InvalidOption that names the key."""

from __future__ import annotations

import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption


def check_keys(options: t.Any, option: str, known: tuple[str, ...]) -> t.Mapping[str, t.Any]:
    """The dictionary that `options` is, with no other keys than the known ones; an empty one for None."""
    if options is None:
        return {}
    hint = f"Its keys are {', '.join(known)}."
    if not isinstance(options, t.Mapping):
        raise InvalidOption("has to be a dictionary.", subject=option, hint=hint)
    unknown = sorted(str(key) for key in options if key not in known)
    if unknown:
        raise InvalidOption(f"does not know {', '.join(unknown)}.", subject=option, hint=hint)
    return options


def strings(options: t.Mapping[str, t.Any], key: str, option: str) -> list[str]:
    """A list of strings; empty where the key is absent or None."""
    value = options.get(key)
    if value is None:
        return []
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise InvalidOption("has to be a list of strings.", subject=f"{option}.{key}", hint="Put numbers such as 1.10 in quotes.")
    return list(value)


def string(options: t.Mapping[str, t.Any], key: str, option: str) -> str | None:
    """A string; None where the key is absent, None or empty."""
    value = options.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidOption("has to be a string.", subject=f"{option}.{key}", hint="Put it in quotes.")
    return value


def whole_number(options: t.Mapping[str, t.Any], key: str, option: str, lowest: int) -> int | None:
    """A whole number from `lowest`; None where the key is absent or None."""
    value = options.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise InvalidOption(f"{str(value)[:60]!r} cannot be.", subject=f"{option}.{key}", hint=f"Give a whole number from {lowest}.")
    return value


def choice(options: t.Mapping[str, t.Any], key: str, option: str, choices: tuple[str, ...]) -> str | None:
    """One of the choices; None where the key is absent, None or empty."""
    value = string(options, key, option)
    if value is not None and value not in choices:
        raise InvalidOption(f"{value[:60]!r} is not known.", subject=f"{option}.{key}", hint=f"Give one of {', '.join(choices)}.")
    return value

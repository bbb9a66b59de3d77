# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""How sizes are written, wherever people read them: binary units with the names of IEC 80000-13."""

from __future__ import annotations

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size_of(number: float) -> str:
    """Bytes with three digits that count: `512 B`, `1.5 KiB`, `203 MiB`."""
    unit = _UNITS[0]
    for unit in _UNITS:
        # what would be written as 1,024 is 1.0 of the next unit
        if number < 1023.5:
            break
        if unit != _UNITS[-1]:
            number /= 1024
    digits = 0 if unit == _UNITS[0] or number >= 99.95 else 1
    return f"{number:,.{digits}f} {unit}"

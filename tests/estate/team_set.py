# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repositories as a team has them: a handful of versions, one of them for two platforms, one of them signed."""

from __future__ import annotations

from estate import images

PLATFORMS = ({"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"})


def team_set(*names: str, versions: int = 5) -> images.ImageSet:
    """Repositories of these names: tags 1 to `versions`, `latest` (the last of them), `multi`, and the signature of 1."""
    held = images.ImageSet()
    for name in names:
        repository = held.repository(name)
        shared = images.layer("what all have", 5_000)
        made = [
            images.add_image(repository, f"{name} {number}", [shared, images.layer(f"{name} {number}", 500)], [str(number)])
            for number in range(1, versions + 1)
        ]
        repository.tags["latest"] = made[-1].digest
        images.add_multi_platform(repository, name, PLATFORMS, [shared], 300, ["multi"], docker=True)
        images.add_cosign_signature(repository, name, made[0])
    return held

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


def paged_set(namespace: str = "team") -> images.ImageSet:
    """Five repositories with ten tags, two of them on an index: three pages of two repositories, three of two tags of the first."""
    held = images.ImageSet()
    app = held.repository(f"{namespace}/app")
    shared = images.layer("team shared", 20_000)
    for version in ("1.0", "1.1", "2.0"):
        images.add_image(app, f"app {version}", [shared, images.layer(f"app {version}", 3_000)], [version])
    images.add_image(app, "app 2.1", [shared, images.layer("app 2.1", 3_000)], ["2.1", "latest"])
    images.add_multi_platform(held.repository(f"{namespace}/tool"), "tool", PLATFORMS, [shared], 4_000, ["1", "stable"])
    for name in ("base", "proxy", "web"):
        docker = name == "base"
        images.add_image(held.repository(f"{namespace}/{name}"), name, [shared, images.layer(name, 2_000)], ["1"], docker=docker)
    return held

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small disks that are full soon: file systems in memory with a limit."""

from __future__ import annotations

import subprocess
from pathlib import Path


class MountRefused(RuntimeError):
    """This user, or this container, may not mount file systems."""


class SmallDisk:
    """A file system of `size` kilobytes at `folder`, until `close`."""

    def __init__(self, folder: Path, size: int) -> None:
        """Raises MountRefused where mounting is not permitted."""
        self.folder = folder
        folder.mkdir(parents=True)
        _mount("-t", "tmpfs", "-o", f"size={size}k,mode=700", "tmpfs", str(folder))

    def resize(self, size: int) -> None:
        """Make it larger (or smaller): kilobytes."""
        _mount("-o", f"remount,size={size}k", str(self.folder))

    def close(self) -> None:
        """Unmount it; its content is gone."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True, capture_output=True)

    def __enter__(self) -> SmallDisk:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _mount(*arguments: str) -> None:
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MountRefused(str(getattr(error, "stderr", "") or error).strip()) from error

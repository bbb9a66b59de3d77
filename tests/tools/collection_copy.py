# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copy the checkout to where Ansible looks for a collection: FOLDER/ansible_collections/registryops/migration.

Ansible needs that path, ansible-test refuses a link to somewhere else, and what the tools leave behind must not lie in the
checkout. Modification times go along, so that tools with caches see which files have changed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import typing as t
from pathlib import Path

#: where there is no git to ask: folders and files that tools and builds leave behind, by name or by path
LEFT_BEHIND = frozenset({".ansible", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv", "__pycache__"})
LEFT_BEHIND_PATHS = frozenset({"changelogs/.plugin-cache.yaml", "tests/output"})
LEFT_BEHIND_ENDINGS = (".pyc", ".retry", ".tar.gz")


def collection_folder(collections: Path) -> Path:
    """Where the collection lies in a folder of collections."""
    return collections / "ansible_collections" / "registryops" / "migration"


def source_files(checkout: Path) -> list[str]:
    """Paths of the collection's files, relative to the checkout: tracked by git, or neither tracked nor ignored."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (checkout / ".git").exists() and shutil.which("git"):
        answer = subprocess.run(command, cwd=checkout, check=True, stdout=subprocess.PIPE).stdout
        names = sorted({os.fsdecode(name) for name in answer.split(b"\0") if name})
        return [name for name in names if os.path.lexists(checkout / name)]
    return sorted(_walk(checkout))


def _walk(checkout: Path) -> t.Iterator[str]:
    for folder, folders, files in os.walk(checkout):
        relative = Path(folder).relative_to(checkout)
        folders[:] = [name for name in folders if name not in LEFT_BEHIND and (relative / name).as_posix() not in LEFT_BEHIND_PATHS]
        for name in files + [name for name in folders if (checkout / relative / name).is_symlink()]:
            path = (relative / name).as_posix()
            if path not in LEFT_BEHIND_PATHS and not name.endswith(LEFT_BEHIND_ENDINGS):
                yield path


def _same(source: Path, target: Path) -> bool:
    if source.is_symlink() or target.is_symlink() or not target.is_file():
        return False
    there, here = source.stat(), target.stat()
    return (there.st_mode, there.st_size, there.st_mtime_ns) == (here.st_mode, here.st_size, here.st_mtime_ns)


def copy_collection(checkout: Path, collections: Path) -> Path:
    """Make the copy equal to the checkout and return its folder: what has gone from the checkout goes from the copy too."""
    target = collection_folder(collections)
    names = source_files(checkout)
    wanted = {target / name for name in names}
    if target.exists():
        for folder, folders, files in os.walk(target, topdown=False):
            for name in files + [name for name in folders if (Path(folder) / name).is_symlink()]:
                if Path(folder) / name not in wanted:
                    (Path(folder) / name).unlink()
            with contextlib.suppress(OSError):  # not empty
                os.rmdir(folder)
    for name in names:
        source, copy = checkout / name, target / name
        if not _same(source, copy):
            copy.unlink(missing_ok=True)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    return target

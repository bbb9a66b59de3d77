# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is the same in the tests of all products: lists, and copies from and to a double."""

from __future__ import annotations

import typing as t
from pathlib import Path

from estate.compare import Reachable, assert_complete, tags_of
from estate.images import ImageSet
from estate.product import ProductDouble
from runs.modules import ModuleRun, Options, endpoint, run_module

COPY, LIST = "registry_image_copy", "registry_repo_info"


def reach(double: ProductDouble, **more: t.Any) -> Options:
    """The option `source` or `destination` for a double."""
    return endpoint(double.behind, url=double.url, **more)


def listed(options: Options, **more: t.Any) -> ModuleRun:
    """What a registry holds, with digests."""
    return run_module(LIST, {"source": options, "details": "digests", **more})


def tags_in(run: ModuleRun) -> dict[tuple[str, str], str]:
    """`{(repository, tag): digest}` of a list."""
    assert not run.result.get("failed"), run.result
    assert run.result["failures"] == []
    return {(one["name"], tag["name"]): tag["digest"] for one in run.result["repositories"] for tag in one["tags"]}


def copy(source: Options, destination: Options, folder: Path, **more: t.Any) -> ModuleRun:
    """A copy, which has to work."""
    run = run_module(COPY, {"source": source, "destination": destination, "state_dir": str(folder / "state"), **more})
    assert not run.result.get("failed"), run.result
    return run


def assert_copied(run: ModuleRun, destination: Reachable, held: ImageSet) -> None:
    """All of the set was copied, and nothing else is there."""
    assert run.result["changed"]
    assert run.result["counts"]["copied"] == len(held.tags())
    assert tags_of(destination) == held.tags()
    assert assert_complete(destination) > 0


def assert_unchanged(run: ModuleRun, held: ImageSet) -> None:
    """All of the set was there."""
    assert not run.result["changed"]
    assert run.result["counts"]["unchanged"] == len(held.tags())
    assert run.result["bytes_copied"] == 0


def warnings_of(run: ModuleRun) -> list[str]:
    """As text; newer versions of Ansible wrap it."""
    rows = run.result.get("warnings", [])
    return [row if isinstance(row, str) else row["event"]["msg"] for row in rows]


def secrets_in(run: ModuleRun, *secrets: str) -> list[str]:
    """Those of the secrets that can be read in what a module wrote."""
    return [secret for secret in secrets if secret in run.text]

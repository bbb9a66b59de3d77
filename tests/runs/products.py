# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of a double, and copies from and to it, by the modules."""

from __future__ import annotations

import typing as t
from pathlib import Path

from estate.product import ProductDouble

from runs.modules import ModuleRun, Options, endpoint, run_module

COPY, LIST = "registry_image_copy", "registry_repo_info"


def reach(double: ProductDouble, **more: t.Any) -> Options:
    """The option `source` or `destination` for a double."""
    return endpoint(double.behind, url=double.url, search_auth_files=False, **more)


def listed(options: Options, **more: t.Any) -> ModuleRun:
    """What a registry holds, with digests."""
    return run_module(LIST, {"source": options, "details": "digests", **more})


def copy(source: Options, destination: Options, folder: Path, **more: t.Any) -> ModuleRun:
    """A copy, whatever becomes of it."""
    return run_module(COPY, {"source": source, "destination": destination, "state_dir": str(folder / "state"), **more})


def secrets_in(run: ModuleRun, *secrets: str) -> list[str]:
    """Those of the secrets that can be read in what a module wrote."""
    return [secret for secret in secrets if secret in run.text]

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every product has to stand: being listed, copied from and copied to, a run with nothing to do, and having things created."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
from pathlib import Path

from estate import images
from estate.client import Access
from estate.compare import tags_of
from estate.product import ProductDouble
from estate.registry import Registry

from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider
from runs.modules import ModuleRun, Options, endpoint, run_module
from runs.stores import provided

COPY, LIST = "registry_image_copy", "registry_repo_info"


def reach(double: ProductDouble, **more: t.Any) -> Options:
    """The option `source` or `destination` for a double."""
    return endpoint(double.behind, url=double.url, search_auth_files=False, **more)


def listed(options: Options, details: str = "digests", **more: t.Any) -> ModuleRun:
    """What a registry holds, with digests."""
    return run_module(LIST, {"source": options, "details": details, **more})


def copy(source: Options, destination: Options, folder: Path, **more: t.Any) -> ModuleRun:
    """A copy, whatever becomes of it."""
    return run_module(COPY, {"source": source, "destination": destination, "state_dir": str(folder / "state"), **more})


def secrets_in(run: ModuleRun, *secrets: str) -> list[str]:
    """Those of the secrets that can be read in what a module wrote."""
    return [secret for secret in secrets if secret in run.text]


@dataclasses.dataclass(frozen=True)
class Product:
    """A double, and the options of a connection to it. `password` and what else is secret must never be seen."""

    double: ProductDouble
    user: str
    password: str
    options: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    def endpoint(self, **more: t.Any) -> Options:
        """The option `source` or `destination`; None takes an option away."""
        usual = {"search_auth_files": False, **self.options}
        return endpoint(Access(self.double.url, self.user, self.password), **{**usual, **more})

    def run(self, name: str, options: Options, **how: t.Any) -> ModuleRun:
        """Run a module one of whose ends it is; `how`: see run_module."""
        return _without_secrets(run_module(name, options, **how), self.endpoint())

    def list(self, details: str = "digests", repositories: Options | None = None, **more: t.Any) -> ModuleRun:
        """Have everything listed, or these repositories; `more`: options of the connection."""
        options = self.endpoint(**more)
        return _without_secrets(listed(options, details, **({"repositories": repositories} if repositories else {})), options)

    def copy(self, other: Registry, folder: Path, *, to: bool, rules: t.Sequence[Options] = (), **more: t.Any) -> ModuleRun:
        """Copy between it and a plain registry; `more`: options of the connection to it."""
        mine, others = self.endpoint(**more), endpoint(other)
        source, destination = (others, mine) if to else (mine, others)
        return _without_secrets(copy(source, destination, folder, rules=list(rules) or [{}]), mine)

    def requests(self) -> list[tuple[str, str]]:
        """What was asked of the double since `reset_log`, without what has to do with signing in."""
        return [(method, path) for method, path in self.double.log if "token" not in path and "auth" not in path and path != "/v2/"]

    @contextlib.contextmanager
    def provider(self, **more: t.Any) -> t.Iterator[Provider]:
        """Its provider in this process; recognised where no option names it."""
        with provided(self.endpoint(**more)) as provider:
            yield provider


def _without_secrets(run: ModuleRun, options: Options) -> ModuleRun:
    """A run, of whose output no secret of these options is a part."""
    assert secrets_in(run, *(options[name] for name in ("password", "api_token") if name in options)) == []
    return run


def digests_of(run: ModuleRun) -> dict[tuple[str, str], str]:
    """`{(repository, tag): digest}` of a listing, which has succeeded as a whole."""
    assert run.result["failures"] == [], run.result["failures"]
    found = {(row["name"], tag["name"]): tag["digest"] for row in run.result["repositories"] for tag in row["tags"]}
    assert len(found) == run.result["tag_count"], "a tag is listed twice"
    return found


def warnings_of(run: ModuleRun) -> list[str]:
    """As text; newer versions of Ansible wrap it."""
    return [warning if isinstance(warning, str) else warning["event"]["msg"] for warning in run.result.get("warnings", [])]


def assert_copied(run: ModuleRun, other: Registry | ProductDouble, wanted: t.Mapping[tuple[str, str], str]) -> None:
    """The run copied all of it, and the registry has the same digests."""
    assert not run.result.get("failed"), run.result
    assert run.result["changed"]
    assert run.result["counts"]["copied"] == len(wanted)
    assert tags_of(other) == wanted


def assert_nothing_to_do(run: ModuleRun, count: int) -> None:
    """The run found everything in its place."""
    assert not run.result.get("failed"), run.result
    assert not run.result["changed"]
    assert run.result["counts"]["unchanged"] == count
    assert sum(run.result["counts"].values()) == count


def both_ways(product: Product, plain: Registry, empty: Registry, folder: Path, wanted: images.ImageSet) -> None:
    """The double is filled through the module, from `plain`, and copied on to `empty`; then both again, with nothing to do.

    With nothing to do no manifest is read; where the product lists digests, two tags of each repository are looked at, and no more.
    """
    tags = wanted.tags()
    assert_copied(product.copy(plain, folder / "to", to=True), product.double, tags)
    assert_copied(product.copy(empty, folder / "from", to=False), empty, tags)
    with product.provider() as provider:
        lists_digests = provider.lists_digests
    for to, other in ((True, plain), (False, empty)):
        product.double.reset_log()
        run = product.copy(other, folder / ("to" if to else "from"), to=to)
        assert_nothing_to_do(run, len(tags))
        asked = product.requests()
        heads = [path for method, path in asked if method == "HEAD"]
        most = 2 * len(wanted.repositories) if lists_digests else len(tags)
        assert len(heads) <= most, heads
        assert {method for method, _path in asked} <= {"GET", "HEAD"}
        lists = [path for method, path in asked if method == "GET"]
        assert not [path for path in lists if "/manifests/" in path or "/blobs/" in path], lists
        # the list of repositories, one list of tags for each, and who or what the namespace is
        assert len(lists) <= len(wanted.repositories) + 3, lists

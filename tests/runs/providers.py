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

from ansible_collections.registryops.migration.plugins.module_utils._oci.client import RegistryClient
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import HTTPOptions
from ansible_collections.registryops.migration.plugins.module_utils._providers.api import API
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import PROFILES
from ansible_collections.registryops.migration.plugins.module_utils._providers.table import make_provider, recognise
from runs.modules import ModuleRun, Options, endpoint, run_module

COPY = "registry_image_copy"
INFO = "registry_repo_info"


def team_set(namespace: str = "team") -> images.ImageSet:
    """Five repositories with twelve tags, two of them on an index: three pages of two repositories, three of two tags of the first."""
    held = images.ImageSet()
    app = held.repository(f"{namespace}/app")
    shared = images.layer("team shared", 20_000)
    for version in ("1.0", "1.1", "2.0"):
        images.add_image(app, f"app {version}", [shared, images.layer(f"app {version}", 3_000)], [version])
    images.add_image(app, "app 2.1", [shared, images.layer("app 2.1", 3_000)], ["2.1", "latest"])
    platforms = [{"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"}]
    images.add_multi_platform(held.repository(f"{namespace}/tool"), "tool", platforms, [shared], 4_000, ["1", "stable"])
    for name in ("base", "proxy", "web"):
        docker = name == "base"
        images.add_image(held.repository(f"{namespace}/{name}"), name, [shared, images.layer(name, 2_000)], ["1"], docker=docker)
    return held


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
        """Run a module, of whose output no secret is a part."""
        run = run_module(name, options, **how)
        ends = [options.get(side) or {} for side in ("source", "destination")]
        secrets = {one for end in ends for one in (end.get("password"), end.get("api_token")) if one}
        assert not [secret for secret in secrets if secret in run.text]
        return run

    def list(self, details: str = "digests", repositories: Options | None = None, **more: t.Any) -> ModuleRun:
        """Have everything listed, or these repositories; `more`: options of the connection."""
        options = {"source": self.endpoint(**more), "details": details, **({"repositories": repositories} if repositories else {})}
        return self.run(INFO, options)

    def copy(self, other: Registry, folder: Path, *, to: bool, rules: t.Sequence[Options] = (), **more: t.Any) -> ModuleRun:
        """Copy between it and a plain registry; `more`: options of the connection to it."""
        mine, others = self.endpoint(**more), endpoint(other)
        source, destination = (others, mine) if to else (mine, others)
        options = {"source": source, "destination": destination, "state_dir": str(folder / "state"), "rules": list(rules) or [{}]}
        return self.run(COPY, options)

    def requests(self) -> list[tuple[str, str]]:
        """What was asked of the double since `reset_log`, without what has to do with signing in."""
        return [(method, path) for method, path in self.double.log if "token" not in path and "auth" not in path and path != "/v2/"]

    @contextlib.contextmanager
    def provider(self, **more: t.Any) -> t.Iterator[Provider]:
        """Its provider in this process, made as the modules make it; recognised where no option names it."""
        options = self.endpoint(**more)
        credential = Credential(username=self.user, password=options["password"]) if options.get("password") else None
        client = RegistryClient(
            self.double.host, plain_http=True, options=HTTPOptions(attempts=2), credential_for=lambda repository: credential
        )
        try:
            client.ping()
            profile = PROFILES[options["provider"]] if options.get("provider") else recognise(client.greeting)
            site = Site(
                host=client.host,
                default_base=self.double.url,
                client=client,
                credential=lambda: credential,
                make_api=lambda base, headers: API(client.transport, base, headers),
                on_secret=lambda secret: None,
                option="destination",
                api_url=options.get("api_url") or "",
                api_token=options.get("api_token") or "",
                namespaces=tuple(options.get("namespaces") or ()),
            )
            yield make_provider(profile, site)
        finally:
            client.close()


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

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration with a fault in it: two registries, the module between them, and what must hold before, after and in the end."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from estate import compare, images
from estate.compare import Reachable, TagKey
from estate.turnstile import Act, Moment, Turnstile, Watch

from runs.modules import ModuleRun, Options, StartedModule, endpoint, run_module, start_module

COPY = "registry_image_copy"

#: what a request of a copy is about, by its side, method and path
KINDS: t.Mapping[str, tuple[str, str, str]] = {
    "list": (".*", "GET", r"/v2/(_catalog|.+/tags/list)"),
    "read a manifest": ("source", "GET|HEAD", r"/v2/.+/manifests/.+"),
    "read a blob": ("source", "GET", r"/v2/.+/blobs/.+"),
    "begin an upload": ("destination", "POST", r"/v2/.+/blobs/uploads/.*"),
    "end an upload": ("destination", "PUT", r"/v2/.+/blobs/uploads/.+"),
    "put a child": ("destination", "PUT", r"/v2/.+/manifests/sha256:.+"),
    "put a tag": ("destination", "PUT", r"/v2/.+/manifests/[^:]+"),
}


def kind_of(side: str, method: str, path: str) -> str:
    """One of KINDS; empty for any other request."""
    path = path.partition("?")[0]
    for kind, patterns in KINDS.items():
        if all(re.fullmatch(pattern, text) for pattern, text in zip(patterns, (side, method, path), strict=True)):
            return kind
    return ""


def nth(kind: str, number: int) -> t.Callable[[int, str, str, str], bool]:
    """For `Watch.when`: the request with this number among those of its kind."""
    seen = 0

    def wanted(_number: int, side: str, method: str, path: str) -> bool:
        nonlocal seen
        seen += kind_of(side, method, path) == kind
        return seen == number

    return wanted


def rich_set(repositories: int = 3, size: int = 100_000, *, indexes: bool = True) -> images.ImageSet:
    """Each `team/app<n>`: two images on a layer that all share, two tags on one of them, a signature, an index of two platforms."""
    held = images.ImageSet()
    base = images.layer("base of all", 2 * size)
    for number in range(repositories):
        name = f"team/app{number}"
        repository = held.repository(name)
        first = images.add_image(repository, f"{name} 1", [base, images.layer(f"{name} 1", size)], ["1"])
        images.add_image(repository, f"{name} 2", [base, images.layer(f"{name} 2", size)], ["2", "latest"])
        platforms = [{"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"}]
        if indexes:
            images.add_multi_platform(repository, f"{name} multi", platforms, [base], size, ["multi"])
        images.add_cosign_signature(repository, name, first)
    return held


class Scene:
    """Source and destination, both behind a turnstile, and a state folder.

    `held` is what the source holds, and what the destination has to have in the end; `earlier` what tags may be until then that
    have moved. `options` are the module's.
    """

    def __init__(self, source: Reachable, destination: Reachable, held: images.ImageSet, folder: Path) -> None:
        self.source = source
        self.destination = destination
        self.held = held
        self.earlier: dict[TagKey, str] = {}
        self.watch = Watch()
        self._turnstiles = [
            Turnstile(one if isinstance(one, compare.Access) else one.access, self.watch, side)
            for side, one in (("source", source), ("destination", destination))
        ]
        self.state = folder / "state"
        here, there = self._turnstiles
        self.options: Options = {"source": endpoint(here.access), "destination": endpoint(there.access), "state_dir": str(self.state)}

    def close(self) -> None:
        """End the turnstiles."""
        for turnstile in self._turnstiles:
            turnstile.stop()

    def copy(self, **options: t.Any) -> ModuleRun:
        """Run the module to its end."""
        return run_module(COPY, {**self.options, **options})

    def plan(self, plan_file: str) -> ModuleRun:
        """Have the plan written."""
        return run_module(COPY, {**self.options, "plan_file": plan_file}, check=True)

    def start(self, **options: t.Any) -> StartedModule:
        """Begin a run of the module."""
        return start_module(COPY, {**self.options, **options})

    def act_at(self, kind: str, number: int, act: t.Callable[[], None], moment: Moment = "before") -> None:
        """Do something at the n-th request of a kind, which then goes on."""

        def then_go_on() -> bool:
            act()
            return True

        self.watch.when(nth(kind, number), moment, then_go_on, calm=True)

    def stop_at(self, kind: str, number: int, moment: Moment, act: Act) -> None:
        """Do something at the n-th request of a kind, which says whether the request goes on."""
        self.watch.when(nth(kind, number), moment, act)

    def visible(self, *, ghosts: bool = False) -> dict[TagKey, str]:
        """The destination's tags; whatever can be seen must be whole, and what the source has (or had). `ghosts`: see compare.tags_of."""
        compare.assert_complete(self.destination, ghosts=ghosts)
        seen = compare.tags_of(self.destination, ghosts=ghosts)
        wanted = self.held.tags()
        wrong = {key: digest for key, digest in seen.items() if digest not in (wanted.get(key), self.earlier.get(key))}
        assert not wrong, f"the destination has tags that the source does not have: {wrong}"
        return seen

    def completed(self, run: ModuleRun) -> None:
        """The run was a success, and the destination has everything, whole."""
        assert not run.result.get("failed"), run.result
        assert run.result["failures"] == []
        assert run.result["counts"]["failed"] == 0
        assert self.visible() == self.held.tags()

    def failed(self, run: ModuleRun, *kinds: str, ghosts: bool = False) -> list[dict[str, str]]:
        """The run failed, for these reasons and in words that name the way out; returns its failures. What can be seen is whole."""
        result = run.result
        assert result["failed"]
        assert result["msg"]
        failures: list[dict[str, str]] = result["failures"] if "failures" in result else [result["error"]]
        assert failures
        assert {failure["kind"] for failure in failures} <= set(kinds), failures
        assert all(failure["subject"] and failure["message"] and failure["hint"] for failure in failures), failures
        if "counts" in result:
            counts = result["counts"]
            assert counts["failed"] + counts["not_attempted"] + counts["conflict"] > 0
            self.visible(ghosts=ghosts)
        return failures

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planning with lists that tell digests: what a run with nothing to do costs, and what happens where the lists are wrong or closed."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour
from runs.engine import states

from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import Policy, Rule
from ansible_collections.registryops.migration.plugins.module_utils._copying.run import Job, Outcome, carry_out, make_plan
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import RegistryClient
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AccessDenied, RepositoryUnknown
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import HTTPOptions
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import RepositoryRecord, TagRecord
from ansible_collections.registryops.migration.plugins.module_utils._stores.registry import CHECKED_DIGESTS, RegistryStore

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.counting import CountingRegistry

REPOSITORIES, TAGS = 5, 40
WRONG = f"sha256:{'0' * 64}"


class Lists(Provider):
    """A product whose lists of tags tell digests, right or wrong."""

    lists_digests = True

    def __init__(self, side: Side) -> None:
        super().__init__(None, GENERIC)
        self._side = side

    def repositories(self) -> t.Iterator[RepositoryRecord]:
        yield from map(RepositoryRecord, self._side.registry.snapshot())

    def tags(self, repository: str) -> list[TagRecord]:
        side = self._side
        if side.closed:
            raise AccessDenied("may not list.", subject=repository, hint="Grant the right.")
        held = side.registry.snapshot().get(repository)
        if held is None or not held.tags:
            raise RepositoryUnknown("there is no such repository.", subject=repository)
        return [
            TagRecord(
                tag,
                WRONG if (repository, tag) in side.lies else digest,
                held.manifests[digest] if side.tells_media_types else "",
                archived=(repository, tag) in side.archived,
            )
            for tag, digest in held.tags.items()
        ]


@dataclasses.dataclass
class Side:
    """A registry, and what its product's lists are like."""

    registry: CountingRegistry
    tells_media_types: bool = True
    closed: bool = False
    lies: t.Collection[tuple[str, str]] = ()
    archived: t.Collection[tuple[str, str]] = ()

    def open(self) -> RegistryStore:
        client = RegistryClient(self.registry.host, plain_http=True, options=HTTPOptions(attempts=2))
        return RegistryStore(client, GENERIC, provide=lambda profile: Lists(self))

    def manifests(self) -> tuple[int, int]:
        """How many manifests were asked for since the last time, by HEAD and by GET."""
        counts = self.registry.count("HEAD", "manifest"), self.registry.count("GET", "manifest")
        self.registry.reset_log()
        return counts


class Pair:
    """Two of them, and runs between them. `warnings` are those of the stores in the last run."""

    def __init__(self, source: Side, destination: Side, state: Path) -> None:
        self.source, self.destination, self.state = source, destination, state
        self.warnings: list[str] = []

    def copy(self, **policy: t.Any) -> Outcome:
        return self._run(carry_out, policy)

    def plan(self, **policy: t.Any) -> Outcome:
        return self._run(make_plan, policy)

    def _run(self, run: t.Callable[[Job], Outcome], policy: t.Mapping[str, t.Any]) -> Outcome:
        with contextlib.ExitStack() as opened:
            source, destination = (opened.enter_context(contextlib.closing(side.open())) for side in (self.source, self.destination))
            outcome = run(Job(source, destination, [Rule()], Policy(**policy), str(self.state)))
            self.warnings = [*source.warnings, *destination.warnings]
        return outcome

    def forget_requests(self) -> None:
        """No request so far."""
        for side in (self.source, self.destination):
            side.registry.reset_log()

    def forget(self) -> None:
        """Nor a ledger."""
        self.forget_requests()
        shutil.rmtree(self.state)


def held_set(tags: int = TAGS) -> images.ImageSet:
    held = images.ImageSet()
    for number in range(REPOSITORIES):
        name = f"team/app{number}"
        for tag in range(tags):
            images.add_image(held.repository(name), f"{name} {tag}", [images.layer("base", 1_000)], [f"v{tag:03}"])
    return held


@pytest.fixture
def pair(counting_registry: MakeCountingRegistry, tmp_path: Path) -> Pair:
    """The source has the set, and the destination too; nothing is remembered."""
    sides = [Side(counting_registry(Behaviour(referrers=False))) for _side in range(2)]
    for side in sides:
        side.registry.load(held_set())
    return Pair(*sides, tmp_path / "state")


ALL = REPOSITORIES * TAGS
CHECKS = REPOSITORIES * CHECKED_DIGESTS
FIRST = [(f"team/app{number}", "v000") for number in range(REPOSITORIES)]


@pytest.mark.parametrize("how", ["copy", "plan"])
def test_a_run_with_nothing_to_do_asks_for_no_manifest_but_the_first(pair: Pair, how: str) -> None:
    outcome = getattr(pair, how)()
    assert states(outcome) == {"unchanged": ALL}
    assert pair.warnings == []
    for side in (pair.source, pair.destination):
        # its own list of tags is not needed, and neither is its catalogue
        assert side.registry.count(kind="tags") == side.registry.count(kind="catalog") == 0
        assert side.manifests() == (CHECKS, 0)


def test_a_first_copy_reads_each_manifest_once(pair: Pair) -> None:
    pair.destination.registry.wipe()
    assert states(pair.copy()) == {"copied": ALL}
    assert pair.source.manifests() == (CHECKS, ALL)
    assert pair.destination.registry.snapshot() == pair.source.registry.snapshot()

    pair.destination.manifests()
    assert states(pair.copy()) == {"unchanged": ALL}
    assert (pair.source.manifests(), pair.destination.manifests()) == ((CHECKS, 0), (CHECKS, 0))


def test_what_has_moved_is_seen_in_the_lists_alone(pair: Pair) -> None:
    changed = images.ImageSet()
    for number in range(5):
        name = f"team/app{number % 2}"
        images.add_image(changed.repository(name), f"changed {number}", [images.layer("base", 1_000)], [f"v{20 + number:03}"])
    pair.source.registry.load(changed)
    assert states(pair.copy()) == {"copied": 5, "unchanged": ALL - 5}
    heads, gets = pair.source.manifests()
    assert (heads, gets) == (CHECKS, 5)
    assert {name: held.tags for name, held in pair.destination.registry.snapshot().items()} == {
        name: held.tags for name, held in pair.source.registry.snapshot().items()
    }


@pytest.mark.parametrize("lying", ["source", "destination"])
def test_lists_that_lie_are_not_believed(pair: Pair, lying: str) -> None:
    side = getattr(pair, lying)
    side.lies = FIRST
    assert states(pair.copy()) == {"unchanged": ALL}
    (warning,) = pair.warnings
    assert "the lists are not believed" in warning
    assert side.registry.host in warning
    other = pair.destination if lying == "source" else pair.source
    # every list has a lie in front: each is found out by the first digest, or not looked at any more
    heads, gets = side.manifests()
    assert ALL < heads <= ALL + REPOSITORIES
    assert gets == 0
    assert other.manifests() == (CHECKS, 0)


def test_a_lie_that_is_not_found_out_brings_nothing_wrong(pair: Pair) -> None:
    """Only the first digests of each repository are compared; what is copied are the registry's own bytes all the same."""
    pair.source.lies = [("team/app0", "v030")]
    before = pair.destination.registry.snapshot()
    assert states(pair.copy()) == {"copied": 1, "unchanged": ALL - 1}
    assert pair.destination.registry.snapshot() == before


@pytest.mark.parametrize("closed", ["source", "destination"])
def test_lists_that_are_closed_to_this_user_cost_requests_and_one_warning(pair: Pair, closed: str) -> None:
    side = getattr(pair, closed)
    side.closed = True
    assert states(pair.copy()) == {"unchanged": ALL}
    (warning,) = pair.warnings
    assert "cannot be read, so each tag is asked for" in warning
    assert "Grant the right." in warning
    assert side.registry.count(kind="tags") == REPOSITORIES
    assert side.manifests() == (ALL, 0)


def test_archived_tags_fail_alone(pair: Pair) -> None:
    pair.destination.registry.wipe()
    pair.source.archived = [("team/app1", "v003"), ("team/app4", "v000")]
    outcome = pair.copy()
    assert states(outcome) == {"copied": ALL - 2, "failed": 2}
    assert sorted((one["repository"], one["tag"], one["kind"]) for one in outcome.failures) == [
        ("team/app1", "v003", "image_archived"),
        ("team/app4", "v000", "image_archived"),
    ]
    assert all("Restore it" in one["hint"] for one in outcome.failures)
    # an archived one is not looked at to find out whether the lists are right
    assert pair.source.manifests() == (CHECKS, ALL - 2)
    there = {(name, tag) for name, held in pair.destination.registry.snapshot().items() for tag in held.tags}
    assert there == held_set().tags().keys() - {*pair.source.archived}


def test_what_was_copied_before_it_was_archived_is_there(pair: Pair) -> None:
    pair.source.archived = FIRST
    assert states(pair.copy()) == {"unchanged": ALL}


def test_media_types_that_a_list_does_not_tell_are_in_the_ledger(pair: Pair) -> None:
    pair.source.tells_media_types = pair.destination.tells_media_types = False
    pair.destination.registry.wipe()
    assert states(pair.copy()) == {"copied": ALL}
    pair.forget_requests()
    assert states(pair.copy()) == {"unchanged": ALL}
    assert (pair.source.manifests(), pair.destination.manifests()) == ((CHECKS, 0), (CHECKS, 0))

    # without a ledger the source says what kind of manifest each is; the destination need not
    pair.forget()
    assert states(pair.copy()) == {"unchanged": ALL}
    assert (pair.source.manifests(), pair.destination.manifests()) == ((CHECKS + ALL, 0), (CHECKS, 0))


def test_an_index_of_which_the_ledger_knows_is_not_read_again(pair: Pair) -> None:
    held = images.ImageSet()
    platforms = [{"architecture": architecture, "os": "linux"} for architecture in ("amd64", "arm64")]
    for number in range(4):
        images.add_multi_platform(
            held.repository("multi/app"), f"multi {number}", platforms, [images.layer("base", 1_000)], 500, [f"v{number}"]
        )
    pair.source.registry.wipe()
    pair.destination.registry.wipe()
    pair.source.registry.load(held)
    assert states(pair.copy()) == {"copied": 4}
    pair.forget_requests()
    assert states(pair.copy()) == {"unchanged": 4}
    assert (pair.source.manifests(), pair.destination.manifests()) == ((CHECKED_DIGESTS, 0), (CHECKED_DIGESTS, 0))

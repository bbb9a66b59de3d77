# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a migration may cost: requests and bytes on the lab set (5 repositories, 20 tags, 30 manifests, 52 unique blobs).

The limits are a few requests above what the set needs at the least; there is no room for a request per tag or per blob.
"""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

import pytest
from estate import compare, images
from estate.behaviour import Behaviour
from estate.push import push
from runs.engine import Run, states

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry, MakeTokenServer
    from estate.counting import CountingRegistry
    from estate.registry import Registry, RegistryFactory
    from estate.token_server import TokenServer

    from ansible_collections.registryops.migration.plugins.module_utils._copying.run import Outcome

USERS = {"mover": "a secret"}
#: the blob that shows whether a blob can be sent in one POST: its bytes may be sent twice
SMALL = 64 << 10

#: every tag named, so that the catalogue is not asked for
NAMED = {"repositories": {"include": [f"lab/repo{number}" for number in range(5)]}}


@pytest.fixture(scope="module")
def lab() -> images.ImageSet:
    return images.lab_set()


def as_docker_registry(**more: t.Any) -> Behaviour:
    return Behaviour(authentication="bearer", users=USERS, referrers=False, **more)


def tags_of(registry: CountingRegistry) -> dict[tuple[str, str], str]:
    return {(name, tag): digest for name, held in registry.snapshot().items() for tag, digest in held.tags.items()}


def check_first_copy(run: Run, lab: images.ImageSet, workers: int) -> Outcome:
    """Copy the set between two counting registries: everything arrives, and each byte moves once."""
    source, destination = run.source, run.destination
    source.load(lab)
    outcome = run.copy(workers=workers)
    assert states(outcome) == {"copied": 20}
    assert tags_of(destination) == tags_of(source) == lab.tags()
    assert source.bytes_out("blob") == outcome.bytes == lab.blob_bytes()
    assert outcome.blobs == {"uploaded": 52, "mounted": 8, "present": 0}
    assert outcome.requests == {"source": source.count(), "destination": destination.count()}
    # at the most a connection for each worker and side
    assert source.connections() <= workers
    assert destination.connections() <= workers
    return outcome


def check_rerun(run: Run, most: int, *rules: t.Mapping[str, t.Any], indexes: int = 0) -> None:
    """Copy again: nothing is written, no manifest but those of `indexes` is read, and no more than `most` requests are sent."""
    before = run.destination.snapshot()
    run.source.reset_log()
    run.destination.reset_log()
    outcome = run.copy(*rules)
    assert states(outcome) == {"unchanged": 20}
    assert not outcome.changed
    assert run.source.count() + run.destination.count() <= most
    assert (run.source.count("GET", "manifest"), run.destination.count("GET", "manifest")) == (indexes, 0)
    assert {one.method for one in run.destination.log} == {"GET", "HEAD"}
    assert run.destination.snapshot() == before


@pytest.mark.parametrize("workers", [1, 16])
def test_plain_interface(counting_registry: MakeCountingRegistry, lab: images.ImageSet, tmp_path: Path, workers: int) -> None:
    run = Run(counting_registry(as_docker_registry()), counting_registry(as_docker_registry()), tmp_path / "state")
    check_first_copy(run, lab, workers)
    sent = run.destination.bytes_in("upload")
    assert lab.blob_bytes() < sent <= lab.blob_bytes() + SMALL
    assert run.source.count() + run.destination.count() <= 260
    check_rerun(run, 54, NAMED)
    # the catalogue, and the token for it
    check_rerun(run, 54 + 2)


@pytest.mark.parametrize("workers", [1, 16])
def test_single_post_and_several_tags_at_once(
    counting_registry: MakeCountingRegistry, lab: images.ImageSet, tmp_path: Path, workers: int
) -> None:
    behaviours = [as_docker_registry(single_post=True, multi_tag=True) for _unused in range(2)]
    run = Run(counting_registry(behaviours[0]), counting_registry(behaviours[1]), tmp_path / "state")
    check_first_copy(run, lab, workers)
    assert run.destination.bytes_in("upload") == lab.blob_bytes()
    assert run.source.count() + run.destination.count() <= 200
    check_rerun(run, 54, NAMED)


def test_what_a_registry_can_do_is_learnt_once(counting_registry: MakeCountingRegistry, lab: images.ImageSet, tmp_path: Path) -> None:
    run = Run(counting_registry(as_docker_registry()), counting_registry(as_docker_registry()), tmp_path / "state")
    check_first_copy(run, lab, 16)
    run.destination.wipe()
    run.source.reset_log()
    outcome = run.copy()
    assert states(outcome) == {"copied": 20}
    # the ledger says that blobs were there: one that is not is no harm, and nothing is tried out any more
    assert run.destination.bytes_in("upload") == lab.blob_bytes()
    assert run.source.count(kind="referrers") == 0
    assert tags_of(run.destination) == lab.tags()


def test_loss_of_the_ledger_changes_nothing(counting_registry: MakeCountingRegistry, lab: images.ImageSet, tmp_path: Path) -> None:
    run = Run(counting_registry(as_docker_registry()), counting_registry(as_docker_registry()), tmp_path / "state")
    check_first_copy(run, lab, 16)
    (tmp_path / "state" / "ledger.sqlite3").unlink()
    # what is learnt again: whether the source has the interface for referrers, and whether the five indexes are whole
    check_rerun(run, 54 + 1 + 5 + 15, NAMED, indexes=5)
    check_rerun(run, 54, NAMED)


def test_a_token_for_each_repository_costs_no_more_than_that(
    counting_registry: MakeCountingRegistry, lab: images.ImageSet, tmp_path: Path
) -> None:
    """A token service that gives two scopes at the most: the first request shows it, and is the only one in vain."""
    registries = [counting_registry(as_docker_registry(scope_cap=2)) for _unused in range(2)]
    run = Run(*registries, tmp_path / "state")
    check_first_copy(run, lab, 1)
    # mounts ask for a token that covers the repository that is mounted from as well
    assert run.destination.count(kind="token") <= 5 + 1 + 8
    assert run.source.count(kind="token") <= 5 + 1 + 1


def answered(source: Registry, destination: Registry, tokens: TokenServer, expected: int) -> int:
    """Requests in all three logs, once they have `expected` lines: the last ones are written after their answer."""
    deadline = time.monotonic() + 10
    while True:
        seen = len(source.requests()) + len(destination.requests()) + len(tokens.log)
        if seen >= expected or time.monotonic() > deadline:
            return seen
        time.sleep(0.02)


def test_docker_registry(
    registries: RegistryFactory, token_server: MakeTokenServer, lab: images.ImageSet, tmp_path: Path, skopeo: None
) -> None:
    tokens = token_server(USERS)
    source = registries.start("source", token_server=tokens)
    destination = registries.start("destination", token_server=tokens)
    push(source.url, lab, "mover", USERS["mover"])
    before = len(source.requests())
    run = Run(source, destination, tmp_path / "state")

    tokens.reset_log()
    outcome = run.copy()
    assert states(outcome) == {"copied": 20}
    assert outcome.bytes == lab.blob_bytes()
    assert outcome.blobs == {"uploaded": 52, "mounted": 8, "present": 0}
    total = sum(outcome.requests.values())
    assert total <= 260
    # our own count is that of the servers
    assert answered(source, destination, tokens, before + total) == before + total
    assert compare.assert_same(source, destination) == 20

    written = [one for one in destination.requests() if one.method not in ("GET", "HEAD")]
    outcome = run.copy(NAMED)
    assert states(outcome) == {"unchanged": 20}
    assert sum(outcome.requests.values()) <= 54
    assert [one for one in destination.requests() if one.method not in ("GET", "HEAD")] == written

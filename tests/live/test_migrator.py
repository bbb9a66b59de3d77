# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook from_v1, which does what docker/migrator did: its variables, its questions, its error actions."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from estate import compare, images
from estate.behaviour import Behaviour, Rule
from runs.control import Control

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.counting import CountingRegistry


def held_images() -> images.ImageSet:
    """Four repositories with a tag or two each; one is official."""
    held = images.ImageSet()
    for name, tags in {"team/app": ["1.0", "latest"], "team/web": ["1.0"], "other": ["latest"], "library/os": ["12"]}.items():
        for tag in tags:
            images.add_image(held.repository(name), f"{name} {tag}", [images.layer(f"{name} {tag}", 2_000)], [tag])
    return held


@pytest.fixture
def held() -> images.ImageSet:
    return held_images()


@pytest.fixture
def source(counting_registry: MakeCountingRegistry, held: images.ImageSet) -> CountingRegistry:
    registry = counting_registry()
    registry.load(held)
    return registry


@pytest.fixture
def destination(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    return counting_registry()


@pytest.fixture
def migrator(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> Control:
    return Control(
        tmp_path,
        {},
        {},
        {},
        migrator_v1_registry=source.host,
        migrator_v2_registry=destination.host,
        migrator_source={"type": "registry"},
        migrator_http=True,
        migrator_state_dir=str(tmp_path / "state"),
        migrator_report_dir=str(tmp_path / "report"),
        migrator_retry_delay=0,
        migrator_retries=2,
    )


def tags_of(registry: CountingRegistry) -> dict[tuple[str, str], str]:
    return {(name, tag): digest for name, state in registry.snapshot().items() for tag, digest in state.tags.items()}


def test_everything_moves_and_nothing_the_second_time(
    migrator: Control, destination: CountingRegistry, held: images.ImageSet
) -> None:
    migrator.play("from_v1")
    assert tags_of(destination) == held.tags()
    assert migrator.report()["counts"] == {"copied": 5}
    assert migrator.report()["verified"]
    again = migrator.play("from_v1")
    assert again.changed == 0
    assert migrator.report()["counts"] == {"unchanged": 5}


# -- error actions: a destination that fails on the n-th push


def push_of(number: int, times: int | None = None) -> Rule:
    """The manifest of the n-th tag that is pushed is refused: so many times, or for good."""
    return Rule("PUT", "/manifests/(1\\.0|latest|12)$", times, number - 1, status=400, body=b"no")


def refuse(registry: CountingRegistry, repository: str, times: int | None = None) -> Rule:
    """Pushes of a repository's tags are refused."""
    rule = Rule("PUT", f"^/v2/{repository}/manifests/", times, status=400, body=b"no")
    registry.behaviour.rules.append(rule)
    return rule


def test_skip_goes_on_and_says_what_is_missing(migrator: Control, destination: CountingRegistry, held: images.ImageSet) -> None:
    refuse(destination, "team/web")
    played = migrator.play("from_v1", expect=2, migrator_error_action="skip")
    assert tags_of(destination).keys() == held.tags().keys() - {("team/web", "1.0")}
    report = migrator.report()
    assert report["counts"] == {"copied": 4, "failed": 1}
    assert [(one["repository"], one["tag"]) for one in report["failures"]] == [("team/web", "1.0")]
    assert "Skipped. What is missing is in the report." in played.output
    assert "1 of 5 could not be copied. The first: " in played.output


def test_abort_ends_at_the_first_failure(migrator: Control, destination: CountingRegistry) -> None:
    destination.behaviour.rules.append(push_of(2))
    played = migrator.play("from_v1", expect=2, migrator_error_action="abort", registry_threads=1)
    counts = migrator.report()["counts"]
    assert counts["failed"] >= 1
    assert counts["copied"] == len(tags_of(destination)) == 1
    assert counts["not_attempted"] == 5 - counts["copied"] - counts["failed"] > 0
    assert "Aborted: " in played.output
    assert not migrator.report()["verified"]


def test_retry_makes_up_for_it(migrator: Control, destination: CountingRegistry, held: images.ImageSet) -> None:
    rule = refuse(destination, "team/web", times=1)
    played = migrator.play("from_v1", migrator_error_action="retry", migrator_retry_delay=1)
    assert rule.done == 1
    assert tags_of(destination) == held.tags()
    assert "Attempt 2 in 1.0 seconds." in played.output
    # both attempts are one run, whose tags have all been copied
    assert migrator.report()["counts"] == {"copied": 5}
    assert migrator.report()["verified"]


def test_retry_has_a_bound(migrator: Control, destination: CountingRegistry, held: images.ImageSet) -> None:
    rule = refuse(destination, "team/web")
    played = migrator.play("from_v1", expect=2, migrator_error_action="retry")
    assert rule.done == 3
    assert tags_of(destination).keys() == held.tags().keys() - {("team/web", "1.0")}
    assert "Given up after 3 attempts." in played.output
    assert migrator.report()["counts"] == {"copied": 4, "failed": 1}


@pytest.mark.parametrize(("default", "attempts", "copied"), [("abort", 1, 2), ("skip", 1, 4), ("retry", 3, 4)])
def test_without_a_terminal_prompt_is_what_is_configured(
    migrator: Control, destination: CountingRegistry, default: str, attempts: int, copied: int
) -> None:
    rule = refuse(destination, "other")
    played = migrator.play("from_v1", expect=2, migrator_error_action="prompt", migrator_error_prompt_default=default, migrator_increment=3)
    assert rule.done == attempts
    # the batch with the failure is carried out as a whole; the next one only if the answer is not to stop
    assert len(tags_of(destination)) == copied
    assert migrator.report()["counts"] == {"copied": copied, "failed": 1}
    assert {"abort": "Aborted.", "skip": "Skipped.", "retry": "Given up after 3 attempts."}[default] in played.output

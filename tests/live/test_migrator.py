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

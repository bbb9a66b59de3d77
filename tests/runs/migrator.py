# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook from_v1, said in the words of docker/migrator."""

from __future__ import annotations

import typing as t
from pathlib import Path

from estate import images
from estate.behaviour import Rule

from runs.control import Control

if t.TYPE_CHECKING:
    from estate.counting import CountingRegistry

Test = t.TypeVar("Test", bound=t.Callable[..., None])


def covers(*rows: str) -> t.Callable[[Test], Test]:
    """The test shows the effect of these rows of docs/from-docker-migrator.md; that it names them is looked after by a test."""
    assert rows
    return lambda test: test


def held_images() -> images.ImageSet:
    """Four repositories with a tag or two each; one is official."""
    held = images.ImageSet()
    for name, tags in {"team/app": ["1.0", "latest"], "team/web": ["1.0"], "misc/other": ["latest"], "library/os": ["12"]}.items():
        for tag in tags:
            images.add_image(held.repository(name), f"{name} {tag}", [images.layer(f"{name} {tag}", 2_000)], [tag])
    return held


class Environment:
    """A migration that is said in the tool's own words."""

    def __init__(self, control: Control, source: str, destination: str) -> None:
        self.control = control
        self.always = {"V1_REGISTRY": source, "V2_REGISTRY": destination, "USER_PROMPT": "false", "ERROR_ACTION": "abort"}

    def play(self, *arguments: str, expect: int = 0, variables: t.Mapping[str, t.Any] | None = None, **environment: str) -> str:
        """Run with further variables of the environment, and of the role; returns what was said, which has no password in it."""
        whole = {**self.always, **environment}
        # a file, for the command line would be templated
        self.control.write("group_vars/all/environment.yml", {"migrator_env": whole})
        output = self.control.play("from_v1", *arguments, expect=expect, **(variables or {})).output
        for name, value in whole.items():
            if name.endswith(("PASSWORD", "SECRET_ACCESS_KEY")):
                assert value not in output
        return output


def tags_of(registry: CountingRegistry) -> dict[tuple[str, str], str]:
    return {(name, tag): digest for name, state in registry.snapshot().items() for tag, digest in state.tags.items()}


def refuse(registry: CountingRegistry, repository: str, times: int | None = None) -> Rule:
    """Pushes of a repository's tags are refused."""
    rule = Rule("PUT", f"^/v2/{repository}/manifests/", times, status=400, body=b"no")
    registry.behaviour.rules.append(rule)
    return rule


def alone_in(folder: Path) -> Control:
    """Nothing is said but where a run leaves its traces, that the old registry speaks as all do today, and to be quick."""
    folders = {"migrator_state_dir": str(folder / "state"), "migrator_report_dir": str(folder / "report")}
    return Control(folder, {}, {}, {}, migrator_source={"type": "registry"}, migrator_retry_delay=0, migrator_retries=2, **folders)

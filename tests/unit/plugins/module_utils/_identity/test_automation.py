# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._identity.automation import allow_pauses, pause
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import Estate, Policy, Repository, Webhook
from ansible_collections.registryops.migration.plugins.module_utils._identity.verification import VerifyOptions, compare


def estate(*, hook: bool | None, policy: bool | None) -> Estate:
    made = Estate("a product", "somewhere")
    made.add(Repository("blue", "app"))
    made.add(Webhook("PUSH", "blue/app", "https://hooks.example.com/", is_active=hook))
    made.add(Policy("pruning", "blue/app", is_enabled=policy))
    return made


def acting(made: Estate) -> list[bool | None]:
    return [made.of(Webhook).popitem()[1].is_active, made.of(Policy).popitem()[1].is_enabled]


@pytest.mark.parametrize("before", [True, None, False])
def test_nothing_acts(before: bool | None) -> None:
    wanted = estate(hook=before, policy=before)
    pause(wanted)
    assert wanted.counts() == estate(hook=before, policy=before).counts()
    assert acting(wanted) == [False, False]


@pytest.mark.parametrize(
    ("source", "destination", "different"),
    [
        ((True, True), (True, True), []),
        ((True, True), (False, False), []),
        ((True, True), (False, True), []),
        ((False, False), (False, False), []),
        ((False, False), (True, False), ["webhook"]),
        ((True, False), (False, True), ["policy"]),
    ],
)
def test_a_pause_is_no_difference(source: tuple[bool, bool], destination: tuple[bool, bool], different: list[str]) -> None:
    wanted, existing = (estate(hook=hook, policy=policy) for hook, policy in (source, destination))
    strictly = compare(wanted, existing, VerifyOptions(["repositories"]))
    assert bool(strictly.items) == (source != destination)
    allow_pauses(wanted, existing)
    assert [one.item.kind for one in compare(wanted, existing, VerifyOptions(["repositories"])).items] == different

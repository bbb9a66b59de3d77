# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Webhooks and policies that rest while images come: each tag that is pushed would be told of, promoted, mirrored or pruned once more."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.model import Estate, Item, Policy, Webhook

#: they are as at the source, or none of them acts
AUTOMATION = ("active", "paused")


def pause(wanted: Estate) -> None:
    """Want all webhooks and policies so that they do nothing."""
    for item in _acting(wanted):
        wanted.add(_resting(item))


def allow_pauses(wanted: Estate, existing: Estate) -> None:
    """Want webhooks and policies that rest at the destination to do so. Those that act there have to do so at the source as well."""
    for item in _acting(wanted):
        there = existing.like(item)
        if there is not None and not _acts(there):
            wanted.add(_resting(item))


def _acting(estate: Estate) -> list[Item]:
    items: list[Item] = [*estate.of(Webhook).values(), *estate.of(Policy).values()]
    return [item for item in items if _acts(item)]


def _acts(item: Item) -> bool:
    """Whether it does something; where that is not known, it may."""
    return (item.is_active if isinstance(item, Webhook) else t.cast("Policy", item).is_enabled) is not False


def _resting(item: Item) -> Item:
    if isinstance(item, Webhook):
        return dataclasses.replace(item, is_active=False)
    return dataclasses.replace(t.cast("Policy", item), is_enabled=False)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""zot: digests from its search extension, and the usual lists where that is off."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from estate.push import push
from estate.team_set import team_set
from estate.zot import ZotDouble
from runs.modules import endpoint
from runs.providers import assert_copied, assert_nothing_to_do, copy, digests_of, listed, reach, secrets_in, warnings_of
from runs.stores import opened, refusal

if t.TYPE_CHECKING:
    from estate.registry import RegistryFactory

USERS = {"mover": "zot's own password"}
OPTIONS = {"provider": "zot", "username": "mover", "password": USERS["mover"]}
NAMES = ("app", "team/deep/app")
SEARCH = "/_zot/ext/search"


@pytest.fixture
def zot(registries: RegistryFactory) -> t.Iterator[ZotDouble]:
    with ZotDouble(registries.start("zot"), USERS) as double:
        yield double


def test_lists_come_with_digests_and_in_pages(zot: ZotDouble) -> None:
    held = team_set(*NAMES, versions=6)
    push(zot.behind.url, held)
    zot.most = 3
    run = listed(reach(zot, **OPTIONS))
    assert digests_of(run) == held.tags()
    # 8 tags that are no signatures on pages of 3
    assert zot.count("GET", SEARCH) == 3 * len(NAMES)
    known = {tag["name"]: tag for tag in run.result["repositories"][0]["tags"]}
    assert known["multi"]["media_type"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    assert known["1"]["size"] > 5_000
    assert known["1"]["pushed"] == "2026-01-01T00:00:00Z"


def test_a_copy_from_zot_and_what_a_second_one_costs(zot: ZotDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    held = team_set(*NAMES)
    push(zot.behind.url, held)
    to = registries.start("to")
    source, destination = reach(zot, **OPTIONS), endpoint(to)
    assert_copied(copy(source, destination, tmp_path), to, held.tags())
    zot.reset_log()
    again = copy(source, destination, tmp_path)
    assert_nothing_to_do(again, len(held.tags()))
    assert secrets_in(again, *USERS.values()) == []
    assert zot.count("GET", "/manifests/") == 0
    # the first two of each repository are compared, and the signature is in the list of tags alone
    assert zot.count("HEAD", "/manifests/") == 3 * len(NAMES)
    assert zot.count("GET", f"{SEARCH}|/tags/list") == 2 * len(NAMES)


def test_a_copy_to_zot_and_what_a_second_one_costs(zot: ZotDouble, registries: RegistryFactory, tmp_path: Path) -> None:
    held = team_set(*NAMES)
    source = registries.start("from")
    push(source.url, held)
    ends = endpoint(source), reach(zot, **OPTIONS)
    assert_copied(copy(*ends, tmp_path), zot, held.tags())
    zot.reset_log()
    assert_nothing_to_do(copy(*ends, tmp_path), len(held.tags()))
    assert zot.count("GET", "/manifests/") == 0
    assert zot.count("HEAD", "/manifests/") <= 3 * len(NAMES)


def test_where_the_extension_is_off_it_is_asked_for_once(zot: ZotDouble) -> None:
    held = team_set(*NAMES)
    push(zot.behind.url, held)
    zot.search = False
    run = listed(reach(zot, **OPTIONS), workers=1)
    assert digests_of(run) == held.tags()
    assert warnings_of(run) == []
    assert zot.count("GET", SEARCH) == 1
    assert zot.count("HEAD", "/manifests/") == len(held.tags())


def test_without_the_right_to_search_each_tag_is_asked_for(zot: ZotDouble) -> None:
    held = team_set("app")
    push(zot.behind.url, held)
    zot.closed.add("mover")
    run = listed(reach(zot, **OPTIONS))
    assert digests_of(run) == held.tags()
    assert any("zot's own lists cannot be read" in warning for warning in warnings_of(run))


def test_a_list_that_is_cut_short_is_no_list(zot: ZotDouble) -> None:
    push(zot.behind.url, team_set("app"))
    zot.lost = 1
    with opened(reach(zot, **OPTIONS)) as it:
        error = refusal(lambda: it.store.listing("app"))
        assert error.kind == "invalid_answer"
        assert "lists only 6 of the 7 items" in error.message


def test_lists_with_other_digests_are_not_believed(zot: ZotDouble) -> None:
    held = team_set("app")
    push(zot.behind.url, held)
    images = zot._images

    def wrong(query: str) -> t.Any:
        found = images(query)
        for row in found.document["data"]["ImageList"]["Results"]:
            row["Digest"] = "sha256:" + "0" * 64
        return found

    zot._images = wrong  # type: ignore[method-assign]
    run = listed(reach(zot, **OPTIONS))
    assert digests_of(run) == held.tags()
    assert any("the lists are not believed" in warning for warning in warnings_of(run))


def test_what_is_not_there_is_named(zot: ZotDouble) -> None:
    run = listed(reach(zot, **OPTIONS), repositories={"include": ["absent"]})
    assert run.result["unreadable"] == ["absent"]
    assert run.result["failures"][0]["kind"] == "repository_unknown"


def test_a_wrong_password_ends_the_run(zot: ZotDouble) -> None:
    run = listed(reach(zot, provider="zot", username="mover", password="not that one"))
    assert run.result["failed"]
    assert run.error["kind"] == "authentication_failed"
    assert secrets_in(run, "not that one") == []

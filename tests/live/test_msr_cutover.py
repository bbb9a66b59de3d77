# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From one MSR 3 to another, bit by bit: a part of it, failures, the decision against, and at last the cut-over."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from estate import compare, images
from estate.client import Client, UnexpectedAnswer
from estate.msr.images import DAMAGED, TOMBSTONE, small_images
from estate.msr.rows import ACCOUNTS, REPOSITORIES, TAGS, TEAMS
from estate.msr.seeding import People
from estate.push import push
from runs.msr import MSRControl, reach

if t.TYPE_CHECKING:
    from conftest import MakeMSR
    from estate.msr.double import Installation
    from runs.control import Played

#: what each installation has from its beginning
BUILT_IN = {"admin", "docker-datacenter"}
#: they share the images, and decide together
WORKERS = ("worker1", "worker2")
PATHS = ("green/app", "green/base", "brown/app")


@dataclasses.dataclass
class Way:
    """All of the way. `after_part`: names at the destination after a part was moved."""

    source: Installation
    destination: Installation
    held: images.ImageSet
    listed: Played
    part: Played
    after_part: dict[str, set[str]]
    no_go: Played
    failures: list[dict[str, str]]
    pushed_after_no_go: bool
    go: Played
    control: MSRControl


@pytest.fixture(scope="module")
def way(make_shared_msr: MakeMSR, tmp_path_factory: pytest.TempPathFactory) -> Way:
    source, destination = make_shared_msr("3.1.2"), make_shared_msr("3.1.5")
    people = People(source.tables)
    for name in ("ann", "ben", "cid"):
        people.user(name, f"{name}'s password")
    for organization in ("green", "brown"):
        people.organization(organization)
        people.team(organization, "builders")
    people.member("green", "ann", is_admin=True)
    people.member("brown", "ben")
    for path in PATHS:
        people.repository(path)
    people.grant("green", "builders", "read-write")
    people.token("ann", "laptop")
    people.write()
    held = small_images(source, *PATHS, versions=1)
    control = MSRControl(tmp_path_factory.mktemp("control"), reach(source), reach(destination), people.passwords.values(), WORKERS)
    listed = control.play("migrate_msr", "--tags", "list-tags")
    part = control.play("migrate_msr", "--tags", "accounts,orgs,repos,tags", msr_selection={"organizations": {"include": ["brown"]}})
    after_part = names_of(destination)
    no_go = control.play("cutover", expect=2, msr_cutover_undo=True)
    failures = control.report()["failures"]
    pushed_after_no_go = can_push(source)
    mend(source)
    late = images.ImageSet()
    images.add_image(late.repository("brown/app"), "one that came late", [images.layer("one that came late", 400)], ["late"])
    access = source.msr.access
    push(access.url, late, access.user, access.password, access.ca_file)
    held.update(late)
    go = control.play("cutover")
    return Way(source, destination, held, listed, part, after_part, no_go, failures, pushed_after_no_go, go, control)


def names_of(installation: Installation) -> dict[str, set[str]]:
    """What an installation has, by its names, in the words of its tables."""
    with installation.tables.moment():
        tables = installation.tables
        return {
            "accounts": {row["name"] for row in tables.all(ACCOUNTS)},
            "teams": {row["id"] for row in tables.all(TEAMS)},
            "repositories": {f"{row['namespaceName']}/{row['name']}" for row in tables.all(REPOSITORIES)},
            "tags": {row["pk"] for row in tables.all(TAGS)},
        }


def can_push(installation: Installation) -> bool:
    """Whether the administrator can begin to push."""
    access = installation.msr.access
    with Client(access) as client:
        try:
            client.request("POST", "/v2/green/app/blobs/uploads/", expect=(202,))
        except UnexpectedAnswer:
            return False
    return True


def mend(installation: Installation) -> None:
    """Somebody deletes the tag whose layer is lost."""
    with installation.tables.moment():
        installation.tables.update(TAGS, f"{PATHS[0]}:{DAMAGED}", deleted=True)


def test_tags_are_listed(way: Way) -> None:
    assert '"green/app:1"' in way.listed.output
    assert way.listed.changed == 0


def test_a_part_with_what_it_needs(way: Way) -> None:
    assert way.after_part["accounts"] - BUILT_IN == {"brown", "ben"}
    assert len(way.after_part["teams"]) == 1
    assert way.after_part["repositories"] == {"brown/app"}
    assert {tag.partition(":")[0] for tag in way.after_part["tags"]} == {"brown/app"}


def test_a_failure_is_a_failure(way: Way) -> None:
    assert [(failure["repository"], failure["tag"]) for failure in way.failures] == [(PATHS[0], DAMAGED)]
    # all else has been moved
    assert names_of(way.destination)["repositories"] == set(PATHS)


def test_deleted_tags_are_left_out(way: Way) -> None:
    assert TOMBSTONE not in way.listed.output
    assert not any(tag.endswith(f":{TOMBSTONE}") for tag in names_of(way.destination)["tags"])


def test_no_go_says_why_and_opens_the_source_again(way: Way) -> None:
    assert "NO-GO." in way.no_go.output
    assert f"{PATHS[0]}:{DAMAGED}" in way.no_go.output.partition("NO-GO.")[2]
    assert "can be pushed to again" in way.no_go.output
    assert way.pushed_after_no_go


def test_go_is_the_last_delta_on_a_source_that_nobody_changes(way: Way) -> None:
    assert "GO: everything is at the destination." in way.go.output
    count = len(way.held.tags())
    assert f"Images: {count} of {count} tags are equal." in way.go.output
    assert way.go.recap.keys() == set(WORKERS)
    assert "only read from" in way.go.output
    assert not can_push(way.source)
    assert compare.tags_of(way.destination.msr) == way.held.tags()
    assert compare.assert_complete(way.destination.msr)
    assert way.control.report()["verified"]
    assert not way.destination.problems()

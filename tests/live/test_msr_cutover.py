# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From one MSR 3 to another, bit by bit: a part of it, failures, the decision against, and at last the cut-over."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

import pytest
from estate import compare, images
from estate.client import Client, UnexpectedAnswer
from estate.msr.images import DAMAGED, TOMBSTONE, small_images
from estate.msr.rows import ACCOUNTS, MEMBERS, PROMOTIONS, REPOSITORIES, TAGS, TEAMS, TOKENS, WEBHOOKS
from estate.msr.seeding import People, rule
from estate.push import push
from runs.msr import MSRControl, reach

if t.TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeMSR
    from estate.msr.double import Installation
    from runs.control import Played

#: many playbooks run one after the other before the first test begins
pytestmark = pytest.mark.timeout(1200)

#: what the destination has, and nobody else
STRANGERS = {"black", "zoe"}
#: what each installation has from its beginning
BUILT_IN = {"admin", "docker-datacenter"}
#: They share the images, and decide together. The part with the damaged image is not that of the first one, who speaks for all.
WORKERS: dict[str, dict[str, t.Any]] = {"worker1": {}, "worker2": {}}
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
    acts_at_source: dict[str, bool]
    acts_after_no_go: dict[str, bool]
    misspelt: Played
    misspelt_plan: Played
    limited: Played
    by_file: Played
    pushed_before_it_began: bool
    no_go: Played
    failures: list[dict[str, str]]
    pushed_after_no_go: bool
    undone: Played
    pushed_after_undone: bool
    shares: dict[str, set[str]]
    tokens_before_go: set[str]
    plan: Played
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
    people.token("ann", "phone")
    people.webhook("TAG_PUSH", "green/app", "https://hooks.example.com/push")
    people.webhook("TAG_DELETE", "green/app", "https://hooks.example.com/delete", inactive=True)
    people.promotion("green/app", "green/base", rule("tag", "eq", "released"))
    people.write()
    there = People(destination.tables)
    there.organization("black")
    there.user("zoe", "zoe's password")
    there.member("black", "zoe")
    there.write()
    held = small_images(source, *PATHS, versions=1)
    add(source, held, "old", created="2019-05-01T00:00:00Z")
    control = MSRControl(tmp_path_factory.mktemp("control"), reach(source), reach(destination), people.passwords.values(), WORKERS)
    listed = control.play("migrate_msr", "--tags", "list-tags")
    chosen = {"organizations": {"include": ["brown"]}, "tags": {"include": ["latest", "old"], "since": "2020-01-01"}}
    part = control.play("migrate_msr", "--tags", "accounts,orgs,repos,tags", msr_selection=chosen, msr_surplus="remove")
    after_part = names_of(destination)
    misspelt = control.play("cutover", expect=2, msr_on_refusall="skip")
    misspelt_plan = control.play("cutover", "--check", expect=2, msr_on_refusall="skip")
    by_file = control.play("cutover", expect=2, msr_people_file=str(a_part(control)), msr_surplus="remove")
    pushed_before_it_began = can_push(source)
    no_go = control.play("cutover", expect=2)
    failures = control.report()["failures"]
    acts_at_source, acts_after_no_go = acting(source), acting(destination)
    limited = control.play("cutover", "--limit", "worker1", expect=2, msr_cutover_undo=True)
    pushed_after_no_go = can_push(source)
    undone = control.play("cutover", expect=2, msr_cutover_undo=True)
    pushed_after_undone = can_push(source)
    shares = control.shares()
    mend(source)
    add(source, held, "late")
    tokens_before_go = tokens_of(destination)
    plan = control.play("cutover", "--check", "--diff")
    go = control.play("cutover", msr_surplus="remove", msr_token_limit=1)
    return Way(
        source=source,
        destination=destination,
        held=held,
        listed=listed,
        part=part,
        after_part=after_part,
        acts_at_source=acts_at_source,
        acts_after_no_go=acts_after_no_go,
        misspelt=misspelt,
        misspelt_plan=misspelt_plan,
        limited=limited,
        by_file=by_file,
        pushed_before_it_began=pushed_before_it_began,
        no_go=no_go,
        failures=failures,
        pushed_after_no_go=pushed_after_no_go,
        undone=undone,
        pushed_after_undone=pushed_after_undone,
        shares=shares,
        tokens_before_go=tokens_before_go,
        plan=plan,
        go=go,
        control=control,
    )


def add(source: Installation, held: images.ImageSet, tag: str, **more: str) -> None:
    """Push one more image to a repository; `more`: fields of its configuration."""
    new = images.ImageSet()
    name, platform = f"brown/app {tag}", {"architecture": "amd64", "os": "linux", **more}
    images.add_image(new.repository("brown/app"), name, [images.layer(name, 400)], [tag], platform=platform)
    access = source.msr.access
    push(access.url, new, access.user, access.password, access.ca_file)
    held.update(new)


def names_of(installation: Installation) -> dict[str, set[str]]:
    """What an installation has, by its names, in the words of its tables."""
    with installation.tables.moment():
        tables = installation.tables
        names = {row["id"]: row["name"] for row in tables.all(ACCOUNTS)}
        return {
            "accounts": set(names.values()),
            "members": {f"{names[row['orgID']]}/{names[row['userID']]}" for row in tables.all(MEMBERS)},
            "teams": {row["id"] for row in tables.all(TEAMS)},
            "repositories": {f"{row['namespaceName']}/{row['name']}" for row in tables.all(REPOSITORIES)},
            "tags": {row["pk"] for row in tables.all(TAGS)},
        }


def tokens_of(installation: Installation) -> set[str]:
    """What the database keeps of access tokens."""
    with installation.tables.moment():
        return {row["token"] for row in installation.tables.all(TOKENS)}


def a_part(control: MSRControl) -> Path:
    """A file of people that was made with a selection."""
    document = json.loads((control.folder / "state" / "people.json").read_text(encoding="utf-8"))
    path = control.folder / "part.json"
    path.write_text(json.dumps({**document, "is_part": True}), encoding="utf-8")
    return path


def acting(installation: Installation) -> dict[str, bool]:
    """Which webhooks and policies do something, by what they are about."""
    with installation.tables.moment():
        tables = installation.tables
        hooks = {row["endpoint"]: not row["inactive"] for row in tables.all(WEBHOOKS)}
        return {**hooks, **{row["targetRepository"]: bool(row["enabled"]) for row in tables.all(PROMOTIONS)}}


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
    assert way.after_part["accounts"] - BUILT_IN - STRANGERS == {"brown", "ben"}
    assert len(way.after_part["teams"]) == 1
    assert way.after_part["repositories"] == {"brown/app"}
    assert {tag.partition(":")[0] for tag in way.after_part["tags"]} == {"brown/app"}


def test_a_part_by_tag_and_date(way: Way) -> None:
    # one is too old, others are not named; a signature goes with its image
    assert {tag for tag in way.after_part["tags"] if not tag.endswith(".sig")} == {"brown/app:latest"}


def test_webhooks_and_policies_rest_until_the_decision_is_go(way: Way) -> None:
    assert set(way.acts_at_source.values()) == {True, False}
    assert way.acts_after_no_go == dict.fromkeys(way.acts_at_source, False)
    assert "not all of them act yet" in way.undone.output
    assert acting(way.destination) == way.acts_at_source
    assert "Webhooks and policies: as at the source." in way.go.output


def test_the_summary_says_whether_webhooks_and_policies_act(tmp_path: Path) -> None:
    moved: dict[str, t.Any] = {"counts": {}, "refused": []}
    refused = {"counts": {}, "refused": [{"name": "repository green/app"}]}
    cases: list[tuple[dict[str, t.Any], str]] = [
        ({"__msr_activation": "done", "report_result": {"verified": True}}, "as at the source."),
        # the proof after that has failed
        ({"__msr_activation": "done"}, "they act already, as at the source."),
        ({"__msr_activation": "begun"}, "some of them may act already, for making them act has failed."),
        ({}, "as they were, for this run has not come to them."),
        # nothing is written where the destination refuses something
        ({"msr_repositories_result": refused}, "as they were, for this run has not come to them."),
        ({"msr_repositories_result": refused, "msr_on_refusal": "skip"}, "not all of them act yet."),
        ({"msr_repositories_result": moved}, "not all of them act yet."),
        ({"msr_repositories_result": moved, "msr_automation": "paused"}, "at rest, as msr_automation asks."),
        ({"msr_repositories_result": moved, "msr_automation": "active"}, "as at the source, where they have been moved."),
    ]
    host = {"__msr_host": {"problems": [], "reasons": [], "equal": 1, "checked": 1}}
    control = MSRControl(tmp_path, {"url": "old.example.com"}, {"url": "new.example.com"}, (), {"worker": host})
    noted = {"__msr_automation_moved": "{{ __msr_automation_moved_now }}"}
    said = control.cutover_summaries([{**noted, **known} for known, _says in cases])
    assert re.findall(r"Webhooks and policies: ([^\"]*)\"", said.output) == [says for _known, says in cases]


def test_a_failure_is_a_failure(way: Way) -> None:
    assert [(failure["repository"], failure["tag"]) for failure in way.failures] == [(PATHS[0], DAMAGED)]
    # all else has been moved
    assert names_of(way.destination)["repositories"] == set(PATHS)


def test_deleted_tags_are_left_out(way: Way) -> None:
    assert TOMBSTONE not in way.listed.output
    assert not any(tag.endswith(f":{TOMBSTONE}") for tag in names_of(way.destination)["tags"])


def test_a_wrong_name_is_found_while_people_can_still_push(way: Way) -> None:
    assert "msr_on_refusall" in way.misspelt.output
    assert "NO-GO." in way.misspelt.output
    assert way.pushed_before_it_began


def test_a_plan_tells_what_would_be_in_the_way(way: Way) -> None:
    assert "It would be no-go: " in way.misspelt_plan.output
    assert "msr_on_refusall" in way.misspelt_plan.output.partition("A plan: nothing was done.")[2]
    assert "would be no-go" not in way.plan.output
    assert re.search(r"^ *\+ late\b", way.plan.output, re.MULTILINE)
    assert "GO: everything" not in way.plan.output


def test_a_part_of_the_workers_cannot_decide(way: Way) -> None:
    assert "2 share the work" in way.limited.output
    assert "this job has 1. Run cutover without --limit" in way.limited.output
    assert "GO" not in way.limited.output
    # an earlier run has closed the source, which this one must not open
    assert "only read from" in way.no_go.output
    assert not way.pushed_after_no_go


def test_a_file_that_cannot_tell_what_is_too_much_is_found_while_people_can_still_push(way: Way) -> None:
    assert "the file has a selection" in way.by_file.output.partition("NO-GO.")[2]
    assert way.pushed_before_it_began


def test_what_is_too_much_is_removed_within_the_selection(way: Way) -> None:
    assert "black/zoe" in way.after_part["members"]
    found = names_of(way.destination)
    assert "black/zoe" not in found["members"]
    assert {"green/ann", "brown/ben"} <= found["members"]


def test_tokens_beyond_the_limit_are_not_too_much(way: Way) -> None:
    assert tokens_of(way.source) <= way.tokens_before_go
    assert len(tokens_of(way.source)) == 2
    assert tokens_of(way.destination) == way.tokens_before_go


def test_what_one_of_several_workers_finds_is_no_go(way: Way) -> None:
    assert PATHS[0] not in way.shares["worker1"]
    assert PATHS[0] in way.shares["worker2"]
    assert "GO: everything is at the destination." not in way.no_go.output
    assert f"{PATHS[0]}:{DAMAGED}" in way.no_go.output.partition("NO-GO.")[2]
    assert '"go": true' not in way.no_go.output
    assert "only read from" in way.no_go.output
    assert not way.pushed_after_no_go


def test_no_go_says_why_and_opens_the_source_again(way: Way) -> None:
    assert "NO-GO." in way.undone.output
    assert f"{PATHS[0]}:{DAMAGED}" in way.undone.output.partition("NO-GO.")[2]
    # the run before had made it read-only
    assert "can be pushed to again" in way.undone.output
    assert way.pushed_after_undone


def test_go_is_the_last_delta_on_a_source_that_nobody_changes(way: Way) -> None:
    assert "GO: everything is at the destination." in way.go.output
    count = len(way.held.tags())
    assert f"Images: {count} of {count} tags are equal." in way.go.output
    assert way.go.recap.keys() == WORKERS.keys()
    assert "not a single one has been tried" in way.go.output
    assert "only read from" in way.go.output
    assert not can_push(way.source)
    assert compare.tags_of(way.destination.msr) == way.held.tags()
    assert compare.assert_complete(way.destination.msr)
    assert way.control.report()["verified"]
    assert not way.destination.problems()

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Passwords that stop working, tags that move, tags that must not: while a run is under way, or between two."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from estate import compare, images
from estate.behaviour import Behaviour, Rule
from estate.client import Client
from estate.push import push
from runs.modules import Options
from runs.scene import Scene, rich_set

if t.TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeCountingRegistry
    from estate.registry import Registry, RegistryFactory

RIGHTS = "Rights and tokens change"
TAGS = "Tags change"
OLD, NEW = {"mover": "the password of before"}, {"mover": "the password from now on"}


class MakeScene(t.Protocol):
    def __call__(self, source: t.Any, destination: t.Any, held: images.ImageSet) -> Scene: ...


@pytest.fixture
def make_scene(tmp_path: Path) -> t.Iterator[MakeScene]:
    with contextlib.ExitStack() as opened:

        def make(source: t.Any, destination: t.Any, held: images.ImageSet) -> Scene:
            return opened.enter_context(contextlib.closing(Scene(source, destination, held, tmp_path)))

        yield make


@pytest.fixture
def held() -> images.ImageSet:
    return rich_set(size=20_000)


@pytest.fixture
def source(registries: RegistryFactory, held: images.ImageSet) -> Registry:
    registry = registries.start("source")
    push(registry.url, held)
    return registry


@pytest.fixture
def destination(registries: RegistryFactory) -> Registry:
    return registries.start("destination")


def with_password(scene: Scene, side: str, password: str) -> dict[str, Options]:
    return {side: {**scene.options[side], "password": password}}


def lose_and_mend(scene: Scene, side: str, change: t.Callable[[], None]) -> None:
    """The password of a side changes in the middle of a run; the next run has the new one."""
    scene.act_at("put a tag", 3, change)
    run = scene.copy(workers=4)
    assert scene.watch.kept
    for failure in scene.failed(run, "authentication_failed"):
        assert "mover" in failure["message"]
        assert "password" in failure["hint"]
    assert run.result["counts"]["copied"] >= 1
    assert not any(password in run.text for password in (*OLD.values(), *NEW.values()))
    there = scene.visible()
    assert 1 <= len(there) < len(scene.held.tags())

    again = scene.copy(**with_password(scene, side, NEW["mover"]))
    scene.completed(again)
    assert again.result["counts"]["unchanged"] >= len(there)


@pytest.mark.fault(RIGHTS, "the password (htpasswd) changes in the middle of a run")
@pytest.mark.parametrize("side", ["source", "destination"])
def test_password(make_scene: MakeScene, registries: RegistryFactory, held: images.ImageSet, side: str) -> None:
    """The run ends and says whose password it is; what is done stays done; with the new password the rest follows."""
    both = {name: registries.start(name, users=OLD) for name in ("source", "destination")}
    push(both["source"].url, held, "mover", OLD["mover"])
    scene = make_scene(both["source"], both["destination"], held)
    lose_and_mend(scene, side, lambda: both[side].change_users(NEW))


@pytest.mark.fault(RIGHTS, "the password changes and all tokens are revoked in the middle of a run")
@pytest.mark.parametrize("side", ["source", "destination"])
def test_tokens(make_scene: MakeScene, counting_registry: MakeCountingRegistry, held: images.ImageSet, side: str) -> None:
    """The run ends and says whose password it is; what is done stays done; with the new password the rest follows."""
    both = {
        name: counting_registry(Behaviour(authentication="bearer", users=dict(OLD), referrers=False)) for name in ("source", "destination")
    }
    both["source"].load(held)

    def change() -> None:
        both[side].behaviour.users = dict(NEW)
        both[side].expire_tokens()

    lose_and_mend(make_scene(both["source"], both["destination"], held), side, change)


@pytest.mark.fault(RIGHTS, "all tokens are revoked in the middle of a run, the password is still good")
@pytest.mark.parametrize("side", ["source", "destination"])
def test_revoked(make_scene: MakeScene, counting_registry: MakeCountingRegistry, held: images.ImageSet, side: str) -> None:
    """The run gets other tokens and completes."""
    both = {
        name: counting_registry(Behaviour(authentication="bearer", users=dict(OLD), referrers=False)) for name in ("source", "destination")
    }
    both["source"].load(held)
    scene = make_scene(both["source"], both["destination"], held)
    scene.act_at("end an upload", 5, both[side].expire_tokens)
    scene.completed(scene.copy())
    assert scene.watch.kept


# -- tags ----------------------------------------------------------------------------------------------------------------------


def moved(held: images.ImageSet, repository: str, tag: str) -> images.ImageSet:
    """The set with another image under one of its tags; the set itself becomes it."""
    images.add_image(held.repository(repository), f"{repository} moved", [images.layer(f"{repository} moved", 20_000)], [tag])
    return images.ImageSet({repository: held.repository(repository)})


@pytest.mark.fault(TAGS, "a tag moves at the source between a saved plan and its run")
def test_moved_since_the_plan(
    make_scene: MakeScene, source: Registry, destination: Registry, held: images.ImageSet, tmp_path: Path
) -> None:
    """That tag is refused, by name, and stays away; the others are copied as planned; a new plan brings it."""
    scene = make_scene(source, destination, held)
    plan = str(tmp_path / "plan.jsonl")
    planned = scene.plan(plan)
    assert planned.result["counts"]["copied"] == len(held.tags())
    push(source.url, moved(held, "team/app0", "1"))

    run = scene.copy(plan_file=plan)
    (failure,) = scene.failed(run, "source_moved")
    assert "team/app0:1" in failure["subject"]
    assert run.result["counts"]["copied"] == len(held.tags()) - 1
    assert scene.visible().keys() == held.tags().keys() - {("team/app0", "1")}

    scene.completed(scene.copy())


@pytest.mark.fault(TAGS, "a tag moves at the source in the middle of a run")
@pytest.mark.parametrize(("kind", "number"), [("list", 3), ("read a manifest", 2), ("read a blob", 1), ("put a tag", 1)])
def test_moved_within_the_run(
    make_scene: MakeScene, source: Registry, destination: Registry, held: images.ImageSet, kind: str, number: int
) -> None:
    """The destination has the old image or the new one, either of them whole; the next run brings the new one."""
    scene = make_scene(source, destination, held)
    scene.earlier = dict(held.tags())
    new = moved(held, "team/app0", "1")
    scene.act_at(kind, number, lambda: push(source.url, new))
    run = scene.copy(workers=2)
    assert scene.watch.kept
    assert not run.result.get("failed"), run.result
    assert scene.visible().keys() == held.tags().keys()

    scene.earlier = {}
    scene.completed(scene.copy())


@pytest.mark.fault(TAGS, "an immutable tag appears in the middle of a run, with the digest that it ought to have")
@pytest.mark.parametrize("takes_the_same_again", [True, False])
def test_immutable_and_equal(
    make_scene: MakeScene, source: Registry, counting_registry: MakeCountingRegistry, held: images.ImageSet, takes_the_same_again: bool
) -> None:
    """It is there and right: no failure, whether the registry takes the same tag again or not."""
    destination = counting_registry(Behaviour(referrers=False, immutable_tags=True))
    scene = make_scene(source, destination, held)

    def another_run_is_faster() -> None:
        destination.load(images.ImageSet({"team/app1": held.repositories["team/app1"]}))
        if not takes_the_same_again:
            rule = Rule("PUT", "/v2/team/app1/manifests/[^:]+$", times=None, status=412)
            rule.body = b'{"errors":[{"code":"PRECONDITION","message":"the tag is configured as immutable"}]}'
            destination.behaviour.rules.append(rule)

    scene.act_at("put a tag", 1, another_run_is_faster)
    scene.completed(scene.copy(workers=4))
    assert scene.watch.kept


@pytest.mark.fault(TAGS, "an immutable tag has another digest")
def test_immutable_and_different(
    make_scene: MakeScene, source: Registry, counting_registry: MakeCountingRegistry, held: images.ImageSet
) -> None:
    """That tag alone fails and stays as it is; the others arrive; with existing_tags=keep nothing fails."""
    destination = counting_registry(Behaviour(referrers=False))
    other = images.ImageSet()
    images.add_image(other.repository("team/app1"), "another", [images.layer("another", 5_000)], ["2"])
    destination.load(other)
    destination.behaviour.immutable_tags = True
    scene = make_scene(source, destination, held)
    scene.earlier = other.tags()
    run = scene.copy()
    (failure,) = scene.failed(run, "tag_immutable")
    assert "team/app1:2" in failure["subject"]
    assert run.result["counts"]["copied"] == len(held.tags()) - 1
    assert compare.tags_of(destination) == {**held.tags(), **other.tags()}

    kept = scene.copy(existing_tags="keep").result
    assert not kept.get("failed")
    assert kept["counts"]["kept"] == 1
    assert compare.tags_of(destination) == {**held.tags(), **other.tags()}


@pytest.mark.fault(TAGS, "a tag is deleted at the source in the middle of a run")
def test_deleted_within_the_run(make_scene: MakeScene, source: Registry, destination: Registry, held: images.ImageSet) -> None:
    """That tag fails by name and the others arrive; the next run has nothing left to do."""
    scene = make_scene(source, destination, held)
    gone = held.repositories["team/app2"]
    digest = gone.tags["1"]

    def delete() -> None:
        with Client(source.access) as client:
            client.request("DELETE", f"/v2/team/app2/manifests/{digest}", expect=(202,))

    # after the last list: the tag is in the plan
    scene.act_at("read a manifest", 1, delete)
    run = scene.copy(workers=1)
    assert scene.watch.kept
    (failure,) = scene.failed(run, "manifest_unknown")
    assert "team/app2:1" in failure["subject"]
    del gone.tags["1"]
    assert scene.visible() == held.tags()
    scene.completed(scene.copy())

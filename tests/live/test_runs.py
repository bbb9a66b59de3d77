# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several runs between the same two registries, and several attempts in one run: what is remembered, and what must not be believed."""

from __future__ import annotations

import typing as t

import pytest
from estate import images
from estate.behaviour import Behaviour, Rule
from runs.engine import Run, states
from runs.modules import endpoint, run_module

from ansible_collections.registryops.migration.plugins.module_utils._copying import ledger as ledger_module
from ansible_collections.registryops.migration.plugins.module_utils._copying.engine import Engine
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AuthenticationFailed

if t.TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeCountingRegistry


@pytest.fixture
def run(counting_registry: MakeCountingRegistry, tmp_path: Path) -> Run:
    """Two registries that know no referrers API."""
    return Run(counting_registry(Behaviour(referrers=False)), counting_registry(Behaviour(referrers=False)), tmp_path / "state")


def one_image(repository: str, shared: t.Sequence[images.Layer] = ()) -> images.ImageSet:
    held = images.ImageSet()
    images.add_image(held.repository(repository), repository, [*shared, images.layer(repository, 4000)], ["1"])
    return held


def signed(held: images.ImageSet) -> images.Manifest:
    """Add a signature to the image of `one_image`."""
    app = held.repository("team/app")
    image = app.manifests[app.tags["1"]]
    return images.add_referrer(app, image, "application/vnd.example.signature", b"signature", fallback=False)


def test_a_destination_that_was_wiped_gets_each_blob_once(run: Run) -> None:
    """The ledger still believes that it has them: that must not make mounts look impossible."""
    held = images.ImageSet()
    shared = [images.layer(f"shared {number}", 50_000) for number in range(4)]
    for number in range(8):
        held.update(one_image(f"team/app{number}", shared))
    run.source.load(held)
    run.copy()
    for _unused in range(2):
        run.destination.wipe()
        outcome = run.copy()
        assert states(outcome) == {"copied": 8}
        assert outcome.bytes == held.blob_bytes()


def test_another_attempt_moves_no_blob_again(run: Run) -> None:
    held = one_image("team/a", [images.layer("shared", 500_000)])
    held.update(one_image("team/b", [images.layer("shared", 500_000)]))
    run.source.load(held)
    run.source.behaviour.rules.append(Rule("GET", "/v2/team/b/manifests/1$", status=404, times=1))
    outcome = run.copy(on_error="retry", retries=2, workers=1)
    assert states(outcome) == {"copied": 2}
    assert outcome.failures == []
    assert outcome.bytes == held.blob_bytes()


def test_what_fails_to_the_last_attempt_counts_once(run: Run) -> None:
    run.source.load(one_image("team/a"))
    run.source.behaviour.rules.append(Rule("GET", "/manifests/1$", status=404, times=None))
    outcome = run.copy(on_error="retry", retries=2)
    assert states(outcome) == {"failed": 1}
    assert len(outcome.failures) == 1


def test_a_password_that_stops_working_is_no_success(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> t.NoReturn:
        raise AuthenticationFailed("refused the credentials of mover.", subject="new")

    run.source.load(one_image("team/a"))
    monkeypatch.setattr(Engine, "_put", refuse)
    outcome = run.copy(on_error="retry", retries=2)
    assert states(outcome) == {"failed": 1}
    assert outcome.failed
    assert not outcome.complete


@pytest.mark.parametrize("workers", [1, 8])
def test_a_referrer_that_has_a_tag_is_found_through_its_subject_too(run: Run, workers: int) -> None:
    run.source.behaviour.referrers = True
    held = one_image("team/app")
    held.repository("team/app").tags["sbom"] = signed(held).digest
    run.source.load(held)
    run.copy(workers=workers)
    assert len(run.destination.snapshot()["team/app"].tags) == 3
    again = run.copy(workers=workers)
    assert not again.changed
    assert len(run.destination.snapshot()["team/app"].tags) == 3


def test_that_a_registry_cannot_do_something_is_not_believed_for_ever(run: Run) -> None:
    held = one_image("team/app")
    run.source.load(held)
    run.copy()
    # the source gets an update, and the image a signature
    run.source.behaviour.referrers = True
    signature = signed(held)
    run.source.load(held)
    assert run.verify().different == 1
    assert states(run.copy())["copied"] == 1
    assert signature.digest in run.destination.snapshot()["team/app"].manifests


def test_a_day_later_it_is_asked_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    held = one_image("team/app")
    run.source.load(held)
    run.copy()
    run.source.behaviour.referrers = True
    signature = signed(held)
    run.source.load(held)
    assert not run.copy().changed
    monkeypatch.setattr(ledger_module, "BELIEVED", -1.0)
    assert run.copy().changed
    assert signature.digest in run.destination.snapshot()["team/app"].manifests


# -- the ledger is trusted ---------------------------------------------------------------------------------------------


def tagged(tags: int, repository: str = "team/app") -> images.ImageSet:
    held = images.ImageSet()
    for number in range(tags):
        images.add_image(held.repository(repository), f"{repository}:{number}", [images.layer(f"layer {number}", 2000)], [str(number)])
    return held


def moved(tag: str) -> images.ImageSet:
    """Another image under a tag of `tagged`."""
    held = images.ImageSet()
    images.add_image(held.repository("team/app"), f"moved {tag}", [images.layer(f"moved {tag}", 2000)], [tag])
    return held


def test_a_trusted_ledger_saves_the_question_at_the_destination(run: Run) -> None:
    run.source.load(tagged(12))
    run.copy()
    run.source.reset_log()
    run.destination.reset_log()
    outcome = run.copy(trust_ledger=True)
    assert states(outcome) == {"unchanged": 12}
    assert run.source.counts()["HEAD manifest"] == 12
    # its list of tags and nothing else
    assert [one.path.partition("?")[0] for one in run.destination.log if one.path != "/v2/"] == ["/v2/team/app/tags/list"]


def test_what_the_source_has_changed_is_found_with_a_trusted_ledger_too(run: Run) -> None:
    run.source.load(tagged(5))
    run.copy()
    run.source.load(moved("3"))
    assert states(run.copy(trust_ledger=True)) == {"unchanged": 4, "copied": 1}
    assert run.destination.manifest("team/app", "3").digest == run.source.manifest("team/app", "3").digest
    run.destination.reset_log()
    assert states(run.copy(trust_ledger=True)) == {"unchanged": 5}
    assert run.destination.count("HEAD") == 0


def test_a_tag_that_is_gone_is_copied_whatever_the_ledger_says(run: Run) -> None:
    run.source.load(tagged(5))
    run.copy()
    run.destination.forget_tag("team/app", "2")
    assert states(run.copy(trust_ledger=True)) == {"unchanged": 4, "copied": 1}


def test_policies_for_existing_tags_hold_with_a_trusted_ledger(run: Run) -> None:
    run.source.load(tagged(1))
    run.copy()
    run.source.load(moved("0"))
    assert states(run.copy(trust_ledger=True, existing_tags="keep")) == {"kept": 1}


def test_a_conflict_is_found_with_a_trusted_ledger(run: Run) -> None:
    run.source.load(tagged(1))
    run.copy()
    run.source.load(moved("0"))
    assert states(run.copy(trust_ledger=True, existing_tags="fail")) == {"conflict": 1}


def test_a_verification_trusts_no_ledger(run: Run) -> None:
    run.source.load(tagged(2))
    run.copy()
    run.destination.load(moved("1"))
    assert states(run.copy(trust_ledger=True)) == {"unchanged": 2}
    assert run.verify().different == 1
    assert states(run.copy()) == {"unchanged": 1, "copied": 1}


# -- other workers on the same machine ---------------------------------------------------------------------------------


def test_a_blob_that_a_neighbour_has_brought_is_mounted(run: Run, tmp_path: Path) -> None:
    shared = [images.layer("base", 90_000)]
    held = images.ImageSet()
    for name in ("team/first", "team/second"):
        held.update(one_image(name, shared))
    run.source.load(held)
    folders = [tmp_path / "one", tmp_path / "two"]
    first = Run(run.source, run.destination, folders[0], neighbours=folders[1:])
    second = Run(run.source, run.destination, folders[1], neighbours=folders[:1])
    assert first.copy(only=frozenset({"team/first"})).blobs["mounted"] == 0
    assert second.copy(only=frozenset({"team/second"})).blobs["mounted"] == 1
    assert run.source.count("GET", "blob") == len(held.unique_blobs())


def test_a_neighbour_that_cannot_be_read_does_no_harm(run: Run, tmp_path: Path) -> None:
    run.source.load(one_image("team/app"))
    folders = [tmp_path / name for name in ("absent", "garbage", "empty")]
    for folder, content in zip(folders[1:], (b"no database at all" * 100, b""), strict=True):
        folder.mkdir()
        (folder / "ledger.sqlite3").write_bytes(content)
    outcome = Run(run.source, run.destination, run.state, neighbours=folders).copy()
    assert states(outcome) == {"copied": 1}


def test_two_registries_of_one_name_have_learnt_nothing_from_each_other(counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    """One takes a blob in a single request and the other one does not, which the next run knows of that one alone."""
    plain, able = counting_registry(Behaviour()), counting_registry(Behaviour(single_post=True))
    places = [endpoint(one, url="http://registry.test", connect_to=one.host) for one in (plain, able)]
    plain.load(one_image("team/old"))
    able.load(one_image("team/new"))
    for source, destination in (reversed(places), places):
        options = {"source": source, "destination": destination, "state_dir": str(tmp_path / "state")}
        result = run_module("registry_image_copy", options).result
        assert (result["failures"], result["counts"]["copied"]) == ([], 1)
    posts = [one for one in able.log if one.method == "POST"]
    assert [one.status for one in posts] == [201] * len(one_image("team/old").unique_blobs())

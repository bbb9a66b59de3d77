# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to exist before a push: settings and their overrides, and what becomes of it all."""

from __future__ import annotations

import json
import threading
import typing as t

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying.creation import (
    Creations,
    Settings,
    check_names,
    create,
    creating_provider,
)
from ansible_collections.registryops.migration.plugins.module_utils._module.results import (
    MOST_LINES,
    CreationForm,
    creation_result,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    InvalidName,
    InvalidOption,
    InvalidReference,
    RegistryError,
    StateError,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import PROFILES
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation

HERE = "new.example.com"
DONE = CreationForm(apply=True, drift_fails=True, diff=True)


class Projects(Provider):
    container = "project"
    settings: t.ClassVar[t.Mapping[str, str]] = {"public": "whether everybody may pull", "quota": "bytes", "key": "cannot be changed"}

    def __init__(self, errors=None):
        super().__init__(None, PROFILES["harbor"])
        self.errors = errors or {}
        self.there = {}
        self.asked = {}
        self.lock = threading.Lock()

    def ensure(self, name, wanted, apply):
        with self.lock:
            self.asked[name] = dict(wanted)
        if name in self.errors:
            raise self.errors[name]
        before = self.there.get(name)
        if before is None:
            if apply:
                self.there[name] = dict(wanted)
            return Creation("project", name, "created", {key: (None, value) for key, value in wanted.items()})
        differences = {key: (before.get(key), value) for key, value in wanted.items() if before.get(key) != value}
        if "key" in differences:
            return Creation("project", name, "drift", differences)
        if apply:
            before.update(wanted)
        return Creation("project", name, "changed" if differences else "existing", differences)


class Place:
    """As much of a store as is needed."""

    name = HERE
    places = 4

    def __init__(self, provider, is_recognised=True, found=None):
        self._provider = provider
        self.is_recognised = is_recognised
        self.found = found or provider
        self.checks = 0

    @property
    def provider(self):
        assert self.is_recognised
        return self._provider

    def check(self, writing, new=False):
        assert not writing
        self.checks += 1
        self.is_recognised = True
        self._provider = self.found


def settings(common=None, *overrides, provider=None):
    rows = [{"match": match, "settings": found} for match, found in overrides]
    return Settings.from_options(common, rows, provider or Projects())


# -- settings -------------------------------------------------------------------------------------------------------------


def test_the_last_match_wins_for_each_setting():
    wanted = settings(
        {"public": False, "quota": 5},
        ("open-*", {"public": True}),
        (["regex:open-(a|b)", "team"], {"quota": 7}),
        ("open-a", {"public": False}),
    )
    assert wanted.of("other") == {"public": False, "quota": 5}
    assert wanted.of("open-c") == {"public": True, "quota": 5}
    assert wanted.of("open-b") == {"public": True, "quota": 7}
    assert wanted.of("open-a") == {"public": False, "quota": 7}
    assert wanted.of("team") == {"public": False, "quota": 7}


def test_a_null_takes_a_setting_back():
    wanted = settings({"public": False, "quota": None}, ("a/**", {"public": None}))
    assert wanted.of("a/b") == {}
    assert wanted.of("c") == {"public": False}


def test_no_settings():
    assert settings(None).of("a") == {}


def test_braces_with_a_comma_are_one_pattern():
    assert settings({}, ("{a,b}", {"quota": 1})).of("b") == {"quota": 1}


@pytest.mark.parametrize(
    ("common", "overrides", "subject"),
    [
        ({"visibility": 1}, [], "settings"),
        (["public"], [], "settings"),
        ({}, [{"match": "a", "settings": {"public": 1}}, {"match": "a", "settings": {"publik": 1}}], "overrides[1].settings"),
        ({}, [{"match": "a[", "settings": {}}], "overrides[0].match"),
        ({}, [{"match": "regex:(", "settings": {}}], "overrides[0].match"),
        ({}, [{"match": [], "settings": {}}], "overrides[0].match"),
        ({}, [{"match": [1], "settings": {}}], "overrides[0].match"),
        ({}, [{"match": {"a": 1}, "settings": {}}], "overrides[0].match"),
    ],
)
def test_settings_that_cannot_be(common, overrides, subject):
    with pytest.raises(InvalidOption) as caught:
        Settings.from_options(common, overrides, Projects())
    assert caught.value.subject == subject
    assert caught.value.hint


def test_an_unknown_setting_is_answered_with_those_that_there_are():
    with pytest.raises(InvalidOption) as caught:
        settings({"visibility": 1, "scan": 2})
    assert str(caught.value) == "settings: does not know scan, visibility. Those of Harbor are public, quota, key."


def test_an_override_for_nothing_is_told():
    wanted = settings({}, ("a*", {}), (["b", "c?"], {}), ("x", {}))
    assert wanted.unmatched(["alpha", "cd"]) == ["overrides[2].match: x matches nothing."]


# -- names ----------------------------------------------------------------------------------------------------------------


def test_names_are_taken_once():
    assert check_names(["team/b", "team/a", "team/b"], PROFILES["harbor"]) == ["team/b", "team/a"]


@pytest.mark.parametrize(("name", "error"), [("Team/app", InvalidReference), ("app", InvalidName)])
def test_a_name_that_the_destination_does_not_take(name, error):
    with pytest.raises(error) as caught:
        check_names(["team/app", name], PROFILES["harbor"])
    assert caught.value.subject.replace("'", "") == f"repositories: {name}"


def test_what_has_to_exist_for_repositories():
    assert Projects().containers(["team/a", "base/os", "team/b/c"]) == ["team", "base"]
    assert Provider(None, PROFILES["generic"]).containers(["team/a"]) == []


# -- who creates ----------------------------------------------------------------------------------------------------------


def test_where_nothing_is_needed_nothing_is_asked():
    for place in (Place(None), Place(Provider(None, PROFILES["generic"]))):
        assert creating_provider(place) is None
        assert place.checks == 0


def test_who_it_is_may_have_to_be_asked():
    projects = Projects()
    place = Place(None, is_recognised=False, found=projects)
    assert creating_provider(place) is projects
    assert place.checks == 1
    place = Place(None, is_recognised=False, found=Provider(None, PROFILES["generic"]))
    assert creating_provider(place) is None
    assert place.checks == 1


def test_a_destination_that_creates_is_looked_at_first():
    place = Place(Projects())
    assert creating_provider(place) is place.provider
    assert place.checks == 1


# -- creating -------------------------------------------------------------------------------------------------------------


def test_everything_is_created_once():
    projects = Projects()
    projects.there = {"is": {"public": True, "key": 1}, "differs": {"public": False, "key": 1}, "drifts": {"public": True, "key": 2}}
    names = ["new", "is", "differs", "drifts"]
    wanted = settings({"public": True, "key": 1})
    looked = create(Place(projects), projects, names, wanted, apply=False)
    assert [(row.name, row.state) for row in looked.rows] == [
        ("drifts", "drift"),
        ("differs", "changed"),
        ("new", "created"),
        ("is", "existing"),
    ]
    assert looked.changed
    assert "new" not in projects.there

    done = create(Place(projects), projects, names, wanted, apply=True)
    assert done.rows == looked.rows
    again = create(Place(projects), projects, names, wanted, apply=True)
    assert again.counts == {"existing": 3, "drift": 1}
    assert not again.changed


def test_what_others_lie_in_is_there_before_them():
    began = threading.Event()

    class Nested(Projects):
        def ensure(self, name, wanted, apply):
            if "/" not in name:
                # time for what lies in it to be begun too early
                assert not began.wait(0.1)
            else:
                began.set()
                assert name.partition("/")[0] in self.there
            return super().ensure(name, wanted, apply)

    nested = Nested()
    done = create(Place(nested), nested, ["b/x", "a", "a/y", "b"], settings(), apply=True)
    assert [row.name for row in done.rows] == ["a", "a/y", "b", "b/x"]


def test_each_gets_its_own_settings():
    projects = Projects()
    create(Place(projects), projects, ["a", "b"], settings({"quota": 1}, ("b", {"quota": 2})), apply=True)
    assert projects.there == {"a": {"quota": 1}, "b": {"quota": 2}}


def test_a_failure_is_that_of_one_name_alone():
    projects = Projects({"b": AccessDenied("may not do this.", subject="the project b", hint="Grant it.")})
    done = create(Place(projects), projects, ["c", "b", "a"], settings(), apply=True)
    assert done.counts == {"created": 2, "failed": 1}
    assert list(done.failures) == ["b"]
    assert projects.there.keys() == {"a", "c"}


@pytest.mark.parametrize("as_wanted", [True, False])
def test_another_worker_may_have_been_faster(as_wanted):
    class Raced(Projects):
        def ensure(self, name, wanted, apply):
            if apply:
                self.there[name] = {"quota": 1 if as_wanted else 2}
                raise RegistryError("answered 400.", subject=name, status=400)
            return super().ensure(name, wanted, apply)

    raced = Raced()
    done = create(Place(raced), raced, ["a"], settings({"quota": 1}), apply=True)
    assert done.counts == ({"existing": 1} if as_wanted else {"failed": 1})
    raced.there.clear()
    assert create(Place(raced), raced, ["a"], settings(), apply=False).counts == {"created": 1}


def test_who_is_not_let_in_ends_it():
    projects = Projects({"b": AuthenticationFailed("refused.", subject=HERE)})
    with pytest.raises(AuthenticationFailed):
        create(Place(projects), projects, ["a", "b", "c"], settings(), apply=True, workers=1)


def test_a_value_that_cannot_be_ends_it():
    projects = Projects({"b": InvalidOption("is no number.", subject="quota", hint="Write a whole number.")})
    with pytest.raises(InvalidOption) as caught:
        create(Place(projects), projects, ["a", "b"], settings(), apply=True)
    assert str(caught.value) == "settings of b, quota: is no number. Write a whole number."


def test_as_many_at_once_as_there_may_be():
    together = threading.Barrier(4, timeout=20)

    class Slow(Projects):
        def ensure(self, name, wanted, apply):
            # nobody gets past this alone
            together.wait()
            return super().ensure(name, wanted, apply)

    projects = Slow()
    assert create(Place(projects), projects, list("abcd"), settings(), apply=True).counts == {"created": 4}


# -- what is told ---------------------------------------------------------------------------------------------------------


def test_a_result_says_what_was_done_or_would_be():
    done = Creations([Creation("project", "new", "created", {"public": (None, True)}), Creation("project", "is", "existing")])
    result = creation_result(HERE, "project", done, None, DONE)
    assert result["changed"]
    assert not result["failed"]
    assert result["msg"] == "new.example.com, project: 1 created, 1 as wanted."
    assert result["counts"] == {"existing": 1, "created": 1, "changed": 0, "drift": 0, "failed": 0}
    differences = {"public": {"before": None, "after": True}}
    assert result["rows"][0] == {"kind": "project", "name": "new", "state": "created", "differences": differences}
    assert result["rows"][1] == {"kind": "project", "name": "is", "state": "existing"}
    assert result["diff"]["prepared"] == "+ new: public true\n"
    would = creation_result(HERE, "project", done, None, CreationForm(apply=False, drift_fails=True, diff=False))
    assert would["msg"] == "new.example.com, project: 1 to create, 1 as wanted."
    assert "diff" not in would
    assert creation_result(HERE, "project", Creations(), None, DONE)["msg"] == "new.example.com, project: none is needed."


def test_a_drift_fails_unless_it_is_only_to_be_reported():
    drift, change = {"key": ("a", {"b": 1})}, {"quota": (1, 2)}
    done = Creations([Creation("project", "old", "drift", drift), Creation("project", "new", "changed", change)])
    result = creation_result(HERE, "project", done, None, DONE)
    assert result["failed"]
    assert 'project old: key a -> {"b": 1}. ' in result["msg"]
    assert "set drift to report" in result["msg"]
    assert result["diff"]["prepared"] == '! old: key a -> {"b": 1}\n~ new: quota 1 -> 2\n'
    reported = creation_result(HERE, "project", done, None, CreationForm(apply=True, drift_fails=False, diff=False))
    assert not reported["failed"]
    assert reported["msg"] == "new.example.com, project: 1 changed, 1 different in what cannot be changed."


def test_a_result_stays_small_and_the_file_has_everything(tmp_path):
    rows = [Creation("project", f"p{number:04}", "created") for number in range(700)]
    failures = {f"f{number:04}": AccessDenied("may not.", subject=f"f{number:04}", hint="Ask.") for number in range(150)}
    path = tmp_path / "deep" / "er" / "rows.json"
    result = creation_result(HERE, "project", Creations(rows, failures), str(path), DONE)
    assert (len(result["rows"]), len(result["failures"])) == (100, 100)
    assert result["failures"][0] == {"name": "f0000", "kind": "access_denied", "subject": "f0000", "message": "may not.", "hint": "Ask."}
    assert result["msg"] == "150 of 850 could not be made ready. The first: project f0000: f0000: may not. Ask."
    lines = result["diff"]["prepared"].splitlines()
    assert (len(lines), lines[0], lines[-1]) == (MOST_LINES + 1, "! f0000: may not.", "and 350 more")
    document = json.loads(path.read_text(encoding="utf-8"))
    assert (len(document["rows"]), len(document["failures"])) == (700, 150)
    assert document["counts"] == result["counts"]
    assert result["output_file"] == str(path)


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError) as caught:
        creation_result(HERE, "project", Creations(), str(tmp_path / "file" / "rows.json"), DONE)
    assert "output_file" in caught.value.subject

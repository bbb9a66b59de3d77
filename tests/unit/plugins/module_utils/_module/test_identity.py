# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules about people do with their options, between two installations in memory."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying.report_people import PeopleReport
from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import PARTS
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    Account,
    Membership,
    Repository,
    TeamMembership,
    Token,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.planning import REMOVABLE
from ansible_collections.registryops.migration.plugins.module_utils._identity.report import read_people_file
from ansible_collections.registryops.migration.plugins.module_utils._module.identity import (
    Sides,
    export_people,
    import_people,
    verify_people,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption
from ansible_collections.registryops.migration.tests.unit.plugins.module_utils._identity.memory_people import (
    MemoryPeople,
    by_key,
    example,
    organization,
    user,
)


class Task:
    """What of an AnsibleModule these functions use."""

    def __init__(self, check_mode: bool = False, **params: t.Any) -> None:
        self.check_mode = check_mode
        self._diff = True
        self.no_log_values: set[str] = set()
        self.warnings: list[str] = []
        self.params: dict[str, t.Any] = {
            "source": {},
            "destination": {},
            "source_file": None,
            "parts": list(PARTS),
            "organizations": None,
            "repositories": None,
            "users": None,
            "tokens": None,
            "go_on_without": [],
            "rename": {},
            "match_directory": True,
            "built_in": "keep",
            "automation": "active",
            "people_file": None,
            "coming_parts": [],
            "existing_passwords": "replace",
            "surplus": "report",
            "surplus_kinds": list(REMOVABLE),
            "on_refusal": "fail",
            "on_error": "skip",
            "workers": 0,
            "plan_file": None,
            "sample": 10,
            "logins": [],
            **params,
        }

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Between(Sides):
    """Two installations that are open already."""

    def __init__(self, task: Task, source: MemoryPeople, destination: MemoryPeople) -> None:
        super().__init__(t.cast("t.Any", task))
        self._opened.update(source=source, destination=destination)


def imported(old: MemoryPeople, new: MemoryPeople, /, **params: t.Any) -> dict[str, t.Any]:
    task = Task(**params)
    return import_people(t.cast("t.Any", task), Between(task, old, new))


def verified(old: MemoryPeople, new: MemoryPeople, /, **params: t.Any) -> dict[str, t.Any]:
    task = Task(**params)
    return verify_people(t.cast("t.Any", task), Between(task, old, new))


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_run_that_was_stopped_says_that_it_wrote_nothing(tmp_path: Path, check_mode: bool) -> None:
    source, destination = MemoryPeople(*example(), user("has space")), MemoryPeople(user("alice", full_name="Alice"))
    before = by_key(destination.estate)
    files = {"people_file": str(tmp_path / "people.json"), "plan_file": str(tmp_path / "plan.json")}
    done = imported(source, destination, check_mode=check_mode, **files)
    assert by_key(destination.estate) == before
    assert not done["changed"]
    assert [row["name"] for row in done["refused"]] == ["user has space"]
    states = {row["state"] for row in json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))["rows"]}
    if check_mode:
        assert not done["failed"]
        assert states == {"created", "changed", "refused"}
        return
    assert done["failed"]
    assert states == {"not_attempted", "refused"}
    assert (done["totals"]["created"], done["totals"]["changed"]) == (0, 0)
    assert done["totals"]["not_attempted"] == len(example())
    counts = read_people_file(files["people_file"], "")["imports"][", ".join(PARTS)]["counts"]
    assert counts["account"] == done["counts"]["account"]
    assert "  ! user bob\n" in done["diff"]["prepared"]


def test_rights_of_users_outside_of_a_selection_must_not_grow() -> None:
    source = MemoryPeople(*example())
    # who is not selected need not be there: carol belongs to sales, and erin to nobody
    of_research = [item for item in example() if item.title not in ("user erin", "repository erin/own")]
    selected = {"organizations": {"include": ["research"], "exclude": []}, "sample": 0}
    found = verified(source, MemoryPeople(*of_research), **selected)
    assert found["different"] == 0, found["msg"]
    # all users but the built-in one
    assert found["access"]["compared"] == 5 * 2
    grown = verified(source, MemoryPeople(*of_research, TeamMembership("research", "dev", "carol")), **selected)
    assert grown["failed"]
    assert grown["access"]["differences"] == [{"user": "carol", "repository": "research/app", "before": None, "after": "write"}]


def without_its_database(*items: t.Any) -> MemoryPeople:
    people = MemoryPeople(*items)
    people.estate.unread["password_hash"] = "the database does not answer."
    return people


def test_a_password_that_cannot_be_compared_is_told_of_before_anything_is_written() -> None:
    source = MemoryPeople(*example())
    there = (user("alice"), user("admin", is_admin=True))
    destination = without_its_database(*there)
    with pytest.raises(InvalidOption, match="password_hash") as caught:
        imported(source, destination)
    assert caught.value.subject == "go_on_without"
    assert "the database does not answer." in str(caught.value)
    assert not destination.written
    kept = imported(source, destination, existing_passwords="keep")
    assert not kept["failed"]
    assert not kept["not_migrated"]
    allowed_to = without_its_database(*there)
    allowed = imported(source, allowed_to, go_on_without=["password_hash"])
    assert [(row["what"], row["count"]) for row in allowed["not_migrated"]] == [("password_hash", 1)]
    assert by_key(allowed_to.estate) == by_key(destination.estate)


def test_only_passwords_that_would_be_compared_have_to_be_known() -> None:
    # a new user, one without a password, one of a directory, and those that are left alone
    source = MemoryPeople(
        user("admin", password_hash="memory$root"),
        user("migrator", password_hash="memory$other"),
        user("new", password_hash="memory$new"),
        user("plain"),
        user("erin", directory_name="uid=erin", password_hash="memory$stale"),
    )
    destination = without_its_database(user("admin"), user("migrator"), user("plain"), user("erin", directory_name="uid=erin"))
    destination.own_account = "migrator"
    done = imported(source, destination)
    assert not done["failed"], done["msg"]
    assert destination.lets_in("new", "new")


def test_what_could_not_be_compared_fails_unless_it_is_allowed_and_is_told_in_any_case(tmp_path: Path) -> None:
    source = MemoryPeople(*example())
    destination = MemoryPeople(*example())
    destination.estate.unread["password_hash"] = "the database does not answer."
    people_file = str(tmp_path / "people.json")
    found = verified(source, destination, people_file=people_file)
    assert found["failed"]
    assert found["different"] == 1
    assert found["uncompared"] == {"password_hash": "the database does not answer."}
    assert "password_hash could not be compared: the database does not answer." in found["msg"]
    people = PeopleReport(read_people_file(people_file, ""))
    assert not people.verified
    assert people.wrong == ["whether people are as at the source is not known of everything (Passwords)"]
    assert "<td>The database does not answer.</td><td>yes</td>" in people.body()
    allowed = verified(source, destination, people_file=people_file, go_on_without=["password_hash"])
    assert not allowed["failed"]
    assert allowed["msg"].endswith("nothing differs. Not compared: password_hash.")
    people = PeopleReport(read_people_file(people_file, ""))
    assert people.verified
    assert "<td>The database does not answer.</td><td>no</td>" in people.body()


def test_what_is_too_much_is_looked_for_under_the_names_of_the_destination() -> None:
    """`blue` is `azure` at the destination, which has another `blue`, that is nobody's business."""
    source = MemoryPeople(organization("blue"), user("ann"), Membership("blue", "ann"))
    there = [organization("azure"), organization("blue"), user("ann"), user("zoe"), Membership("azure", "ann")]
    destination = MemoryPeople(*there, Membership("azure", "zoe"), Membership("blue", "zoe"))
    chosen = {"organizations": {"include": ["blue"], "exclude": []}, "rename": {"blue": "azure"}}
    done = imported(source, destination, **chosen, surplus="remove")
    assert not done["failed"], done["msg"]
    assert destination.written == [("removed", "member zoe of azure")]
    again = verified(source, MemoryPeople(*there, Membership("azure", "zoe")), **chosen, surplus="fail", sample=0)
    assert [row["name"] for row in again["surplus"]] == ["user zoe", "member zoe of azure"]


def test_an_account_that_is_refused_has_its_repositories_refused_with_it_though_they_look_the_same() -> None:
    source = MemoryPeople(user("bob", directory_name=""), Repository("bob", "app"), Repository("bob", "new"))
    destination = MemoryPeople(user("bob", directory_name="uid=bob,dc=x"), Repository("bob", "app"))
    for parts in (list(PARTS), ["repositories"], ["organizations", "repositories"]):
        done = imported(source, destination, parts=parts, on_refusal="skip")
        assert done["refused_repositories"] == ["bob/app", "bob/new"]
    assert not destination.written


@pytest.mark.parametrize(("there", "warned"), [([user("alice")], True), ([user("zoe")], False), ([user("admin", is_admin=True)], False)])
def test_who_is_known_by_a_name_alone_is_told(there: list[Account], warned: bool) -> None:
    destination = MemoryPeople(*there)
    destination.estate.unread["directory_name"] = "there is no way to the database."
    task = Task(check_mode=True)
    import_people(t.cast("t.Any", task), Between(task, MemoryPeople(*example()), destination))
    text = "Users who are at the destination already are known by their names alone: there is no way to the database."
    assert [warning for warning in task.warnings if "names alone" in warning] == ([text] if warned else [])


def test_that_others_were_not_looked_at_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "people.json")
    task = Task(path=path, organizations={"include": ["research"], "exclude": []})
    export_people(t.cast("t.Any", task), Between(task, MemoryPeople(*example()), MemoryPeople()))
    checked = Task(source=None, source_file=path, sample=0)
    verify_people(t.cast("t.Any", checked), Between(checked, MemoryPeople(), MemoryPeople(*example())))
    assert [warning for warning in checked.warnings if "has a part" in warning]


def test_rights_need_members_whatever_the_parts_are() -> None:
    lost = [item for item in example() if item.title != "member bob of team research/dev"]
    found = verified(MemoryPeople(*example()), MemoryPeople(*lost), parts=["repositories"], sample=0)
    assert found["failed"]
    assert found["access"]["differences"] == [{"user": "bob", "repository": "research/app", "before": "write", "after": None}]
    assert not verified(MemoryPeople(*example()), MemoryPeople(*example()), parts=["repositories"])["failed"]


def test_nothing_is_surplus_beside_a_file_that_has_only_a_part(tmp_path: Path) -> None:
    source, destination = MemoryPeople(*example()), MemoryPeople(*example(), Token("alice", "hash of a3"))
    path = str(tmp_path / "people.json")
    newest = {"tokens": {"newest": 1, "used_since": None}}
    task = Task(path=path, **newest)
    export_people(t.cast("t.Any", task), Between(task, source, source))
    half = {"source": None, "source_file": path, **newest}
    with pytest.raises(InvalidOption, match="selection") as caught:
        imported(source, destination, **half, surplus="remove")
    assert caught.value.subject == "surplus"
    assert not destination.written
    assert not imported(source, destination, **half)["totals"]["surplus"]
    assert not destination.written
    # beside the source itself it is known what is beyond it
    imported(source, destination, **newest, surplus="remove")
    assert destination.written == [("removed", "token without a label of alice")]

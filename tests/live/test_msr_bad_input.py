# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People that cannot move as they are, and ways to a database that lead nowhere: each has its clear error, tested here or elsewhere."""

from __future__ import annotations

import ast
import dataclasses
import functools
import json
import typing as t
from pathlib import Path

import pytest
from estate import ports, ssh_server
from estate.msr.node import Node
from estate.msr.rows import ACCOUNTS, REPOSITORIES
from estate.msr.seeding import People
from estate.ssh_server import make_key
from runs.modules import Options, run_module
from runs.msr import driver, reach, rows_of

if t.TYPE_CHECKING:
    from conftest import MakeMSR
    from estate.certificates import CertificateAuthority
    from estate.msr.double import Installation
    from estate.msr.kubernetes import Cluster

TESTS = Path(__file__).resolve().parents[1]

_BEFORE = "live/test_identity_modules.py::test_what_the_destination_would_refuse_is_found_before_anything_is_written"
_PLANNED = "unit/plugins/module_utils/_identity/test_planning.py::test_what_cannot_be_is_refused_before_anything_is_written"
#: inputs and faults whose tests are elsewhere
ELSEWHERE: t.Mapping[str, str] = {
    "quotes and $ in descriptions": "live/test_migrate_msr.py::test_texts_are_data",
    "quotes and $ in a statement": "live/test_msr_database.py::test_rows_go_and_come_as_they_are",
    "organizations without members": "live/test_migrate_msr.py::test_teams_of_an_organization_without_members",
    "two accounts differing only in case": _BEFORE,
    "names that look like others'": _PLANNED,
    "hash of an unknown format": _BEFORE,
    "hash that is not known there": "live/test_msr_people.py::test_one_hash_that_the_server_does_not_know_keeps_nobody_else_from_coming",
    "wrong SSH key, unknown host key": "live/test_msr_database.py::test_keys_that_nobody_trusts",
    "no such pod, or two of them": "live/test_msr_database.py::test_a_pod_is_found_by_all_of_its_labels",
    "kubeconfig without rights": "live/test_msr_database.py::test_users_without_rights",
    "kubeconfig that leads nowhere": "live/test_msr_database.py::test_kubeconfigs_that_lead_nowhere",
    "database unreachable": ("live/test_identity_modules.py::test_a_database_that_cannot_be_reached_is_told_of_before_anything_is_written"),
    "no database at all": "live/test_identity_modules.py::test_without_a_database_it_goes_on_only_where_it_is_told_to",
    "answer of a database that breaks off": "live/test_msr_database.py::test_an_answer_that_breaks_off",
    "certificate of a database that is not trusted": "live/test_msr_database.py::test_certificates_of_the_database",
    "more than a command line takes": "live/test_msr_database.py::test_more_than_a_command_line_takes",
    "a row that no command line takes": "live/test_msr_database.py::test_a_row_that_no_command_line_takes",
    "token of somebody who has been deleted": "live/test_msr_people.py::test_tokens_of_accounts_that_have_been_deleted_are_told_of",
    "token of somebody who is not there": "live/test_msr_people.py::test_a_token_of_somebody_who_is_not_there",
    "an organization where a user is wanted": "live/test_msr_people.py::test_an_account_that_is_something_else",
    "members that a directory decides about": "live/test_msr_people.py::test_members_that_a_directory_decides_about",
    "a step before its time": "live/test_identity_modules.py::test_a_part_before_its_time_is_refused_and_nothing_is_written",
    "wrong password": "live/test_msr_people.py::test_a_wrong_password_is_said_without_showing_it",
    "somebody who is no administrator": "live/test_msr_modules.py::test_who_is_no_administrator_is_told_so",
    "something that is no MSR": "live/test_msr_people.py::test_something_that_is_no_msr",
    "options that cannot work": "live/test_msr_people.py::test_options_that_cannot_work",
    "429, 503 and resets in a whole run": "live/test_msr_bad_day.py::test_a_bad_day_is_got_through",
    "sessions that end in a whole run": "live/test_msr_bad_day.py::test_sessions_are_renewed_in_the_middle",
    "tokens for images that end in a whole run": ("live/test_msr_bad_day.py::test_tokens_for_images_that_end_in_the_middle_are_renewed"),
    "pages that change while they are listed": (
        "live/test_msr_bad_day.py::test_the_next_run_brings_what_came_while_the_pages_were_read_and_the_one_after_it_nothing"
    ),
    "accounts that change while they are listed": "live/test_msr_people.py::test_a_list_that_changes_while_it_is_read",
    "answers that get lost": "live/test_msr_people.py::test_an_answer_that_gets_lost_does_nothing_twice",
    "a module that is killed": "live/test_identity_modules.py::test_a_run_that_is_killed_is_gone_on_with_by_the_next",
    "a role that is killed": "live/test_msr_killed.py::test_a_role_that_is_killed_is_gone_on_with_by_the_next_run",
    "a file of people that was half read": "live/test_msr_killed.py::test_what_was_read_in_part_is_not_taken_for_the_whole",
}


@functools.lru_cache
def declared_in(path: str) -> set[str]:
    """The tests of a file below tests/."""
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("known", ELSEWHERE)
def test_each_input_has_its_test(known: str) -> None:
    path, _colons, name = ELSEWHERE[known].partition("::")
    assert name in declared_in(path)


@dataclasses.dataclass
class Estate:
    """Two installations. `files`: a folder for files of people."""

    source: Installation
    destination: Installation
    files: Path

    def take(self, file: str = "", **more: t.Any) -> Options:
        """Run identity_import, from a file or from the source itself; no hash is in what it says."""
        origin: Options = {"source_file": file} if file else {"source": reach(self.source)}
        done = run_module("identity_import", {**origin, "destination": reach(self.destination), **more})
        assert "$2a$" not in json.dumps({name: value for name, value in done.result.items() if name != "invocation"})
        return done.result


@pytest.fixture(scope="module")
def shared(make_shared_msr: MakeMSR, tmp_path_factory: pytest.TempPathFactory) -> Estate:
    source, destination = make_shared_msr("3.1.5"), make_shared_msr("3.1.5")
    people = People(source.tables)
    people.user("ann", "ann's password")
    people.organization("green")
    people.member("green", "ann")
    people.team("green", "builders", "ann")
    people.repository("green/app")
    people.grant("green", "builders", "read-write", "green/app")
    people.token("ann", "laptop")
    people.write()
    return Estate(source, destination, tmp_path_factory.mktemp("files"))


def refused_of(done: Options) -> dict[str, dict[str, str]]:
    """Errors by what they are about."""
    return {row["name"]: row["error"] for row in done["refused"]}


def test_names_that_the_destination_refuses(make_msr: MakeMSR, tmp_path: Path) -> None:
    """Nothing is written, or all but those, and each is told with the rule that it breaks and with a way out."""
    odd = Estate(make_msr("3.1.5"), make_msr("3.1.5"), tmp_path)
    people = People(odd.source.tables)
    people.user("ann", "ann's password")
    people.user("al ice", "a password")
    people.user("b" * 51, "a password")
    people.user("semi;colon", "a password")
    people.organization("green")
    people.organization("ro/ot")
    people.member("green", "ann")
    people.member("green", "al ice")
    people.team("green", "fine", "ann")
    people.team("green", "wordy", description="d" * 141)
    for path in ("green/fine", "green/UPPER", "green/a..b", "green/-first", f"green/{'c' * 256}"):
        people.repository(path)
    people.repository("green/wordy", shortDescription="$(d)" * 36)
    people.write()
    before = rows_of(odd.destination)
    stopped = odd.take()
    assert stopped["failed"]
    assert not stopped["changed"]
    assert rows_of(odd.destination) == before
    assert stopped["msg"].startswith("The destination would refuse ")
    refused = refused_of(stopped)
    rules = {
        "user al ice": "letters in lower case, digits and @ . _ -, at most 50",
        f"user {'b' * 51}": "at most 50",
        "user semi;colon": "is no name that MSR allows",
        "organization ro/ot": "is no name that MSR allows",
        "member al ice of green": "al ice",
        "team green/wordy": "more than 140 characters",
        "repository green/UPPER": "lower-case letters and digits",
        "repository green/a..b": "single . _ -",
        "repository green/-first": "is no name that MSR allows",
        f"repository green/{'c' * 256}": "up to 255 characters",
        "repository green/wordy": "more than 140 characters",
    }
    assert refused.keys() == rules.keys()
    for name, rule in rules.items():
        assert rule in refused[name]["message"], name
        assert refused[name]["hint"], name
    done = odd.take(on_refusal="skip")
    assert not done.get("failed"), done["msg"]
    with odd.destination.tables.moment():
        assert {"ann", "green"} == {row["name"] for row in odd.destination.tables.all(ACCOUNTS)} - {"admin", "docker-datacenter"}
        assert {row["name"] for row in odd.destination.tables.all(REPOSITORIES)} == {"fine"}
    assert not odd.take(on_refusal="skip")["changed"]


def test_a_team_without_its_organization(shared: Estate) -> None:
    """From a file in which the organization is missing: all that hangs on it is refused, and nothing is written."""
    file = shared.files / "people.json"
    exported = run_module("identity_export", {"source": reach(shared.source), "path": str(file)}).result
    assert not exported.get("failed"), exported["msg"]
    document = json.loads(file.read_text(encoding="utf-8"))
    accounts = document["account"]
    document["account"] = [row for row in accounts if row["name"] != "green"]
    assert len(document["account"]) == len(accounts) - 1
    file.write_text(json.dumps(document), encoding="utf-8")
    before = rows_of(shared.destination)
    stopped = shared.take(str(file))
    assert stopped["failed"]
    assert rows_of(shared.destination) == before
    refused = refused_of(stopped)
    assert "needs the account green, which the destination does not have" in refused["team green/builders"]["message"]
    assert refused["team green/builders"]["hint"]
    assert "member ann of green" in refused
    assert "repository green/app" in refused


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("msr_team", {"organization": "nobody", "name": "builders"}),
        ("msr_repository", {"namespace": "nobody", "name": "app"}),
    ],
)
def test_modules_for_single_things_say_so_too(shared: Estate, module: str, options: Options) -> None:
    before = rows_of(shared.destination)
    done = run_module(module, {**reach(shared.destination), **options}).result
    assert done["failed"]
    assert "nobody" in done["msg"]
    assert rows_of(shared.destination) == before


@dataclasses.dataclass
class Ways:
    """To the databases of an estate: over SSH and into a cluster."""

    node: Node
    cluster: Cluster
    folder: Path

    def ssh(self, **more: t.Any) -> Options:
        return {"ssh": self.node.sign_in(**more)}

    def pod(self, token: str = "operator-token", **more: t.Any) -> Options:
        return {"kubernetes": {"kubeconfig": str(self.cluster.kubeconfig(token, token=token)), "namespace": "msr", **more}}

    def wrong_key(self) -> Options:
        return self.ssh(key_file=str(make_key(self.folder / "wrong")))

    def unknown_host(self) -> Options:
        (self.folder / "nobody").touch()
        return self.ssh(known_hosts=str(self.folder / "nobody"))

    def no_pod(self) -> Options:
        return self.pod(labels={"app.kubernetes.io/name": "rethinkdb", "app.kubernetes.io/component": "other"})

    def two_pods(self) -> Options:
        return self.pod(labels={"app.kubernetes.io/name": "rethinkdb"})

    def no_rights(self) -> Options:
        self.cluster.users["may-nothing"] = frozenset()
        return self.pod("may-nothing")

    def nobody_there(self) -> Options:
        return driver(ports.free_port())


@pytest.fixture(scope="module")
def ways(shared: Estate, certificate_authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Ways]:
    if ssh_server.missing():
        pytest.skip(ssh_server.missing())
    pytest.importorskip("paramiko", reason="paramiko is not installed: pip install paramiko")
    pytest.importorskip("kubernetes", reason="kubernetes is not installed: pip install kubernetes")
    from estate.msr.kubernetes import Cluster

    folder = tmp_path_factory.mktemp("ways")
    with Node(folder / "node", shared.source.store) as node, Cluster(folder / "cluster", certificate_authority) as cluster:
        pod = cluster.add_command_line(shared.source.store)
        cluster.pods.append(
            dataclasses.replace(pod, name="msr-rethinkdb-server-0", labels={**pod.labels, "app.kubernetes.io/component": "server"})
        )
        yield Ways(node, cluster, folder)


WAYS: t.Mapping[str, tuple[t.Callable[[Ways], Options], tuple[str, ...]]] = {
    "wrong SSH key": (Ways.wrong_key, ("does not let the user", "in")),
    "unknown host key": (Ways.unknown_host, ("SHA256:",)),
    "no such pod": (Ways.no_pod, ("no pod of the namespace msr has the labels",)),
    "two pods": (Ways.two_pods, ("several pods of the namespace msr", "msr-rethinkdb-cli-0", "msr-rethinkdb-server-0")),
    "kubeconfig without rights": (Ways.no_rights, ("does not let this user list the pods",)),
    "database unreachable": (Ways.nobody_there, ("cannot be reached",)),
}


@pytest.mark.parametrize("known", WAYS)
def test_a_way_that_leads_nowhere_is_told_and_gone_on_without_only_if_that_is_said(shared: Estate, ways: Ways, known: str) -> None:
    """What is read says what it lacks, and why; without a word nothing is written, and with it the rest is."""
    make, words = WAYS[known]
    file = shared.files / f"{known}.json"
    options = {"source": {**reach(shared.source), "database": make(ways)}, "path": str(file)}
    stopped = run_module("identity_export", options).result
    assert stopped["failed"]
    assert stopped["error"]["subject"] == "go_on_without"
    assert "password_hash" in stopped["msg"]
    for word in words:
        assert word in stopped["msg"]
    assert stopped["error"]["hint"]
    assert not file.exists()
    done = run_module("identity_export", {**options, "go_on_without": ["password_hash", "token"]}).result
    assert not done.get("failed"), done["msg"]
    assert done["counts"]["account"] >= 2
    assert "password_hash" in done["unread"]
    assert file.exists()


def test_a_database_of_the_destination_that_is_not_there(make_msr: MakeMSR, shared: Estate) -> None:
    """Hashes and tokens can only be written there: without a word nothing is, and with it everything else."""
    destination = make_msr("3.1.5")
    nobody = driver(ports.free_port())
    before = rows_of(destination)
    options = {"source": reach(shared.source), "destination": {**reach(destination), "database": nobody}}
    stopped = run_module("identity_import", options).result
    assert stopped["failed"]
    assert stopped["error"]["subject"] == "go_on_without"
    # hashes of new users come with the users themselves, tokens only this way
    assert "does not name token" in stopped["msg"]
    assert str(nobody["driver"]["port"]) in stopped["msg"]
    assert rows_of(destination) == before
    done = run_module("identity_import", {**options, "go_on_without": ["password_hash", "token"]}).result
    assert not done.get("failed"), done["msg"]
    assert {row["what"]: row["count"] for row in done["not_migrated"]} == {"token": 1}
    # the hash has come with the user
    assert not any("random password" in note for note in done["notes"])
    assert done["counts"]["grant"]["created"] == 1

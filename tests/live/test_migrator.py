# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook from_v1, which does what docker/migrator did: its variables, its questions, its error actions."""

from __future__ import annotations

import re
import shutil
import sys
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour, Rule
from estate.push import push
from runs.control import Control
from runs.migrator import Environment, alone_in, covers, held_images, refuse, tags_of
from runs.modules import COLLECTIONS
from runs.terminal import Terminal

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.certificates import CertificateAuthority
    from estate.counting import CountingRegistry
    from estate.registry import RegistryFactory

ROOT = Path(__file__).absolute().parents[2]
#: what is hard for shells, YAML and URLs
SECRETS = ('one $HOME "two": %41 #', "another `word` '; \\\\ &")


@pytest.fixture
def held() -> images.ImageSet:
    return held_images()


@pytest.fixture
def source(counting_registry: MakeCountingRegistry, held: images.ImageSet) -> CountingRegistry:
    registry = counting_registry()
    registry.load(held)
    return registry


@pytest.fixture
def destination(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    return counting_registry()


@pytest.fixture
def alone(tmp_path: Path) -> Control:
    return alone_in(tmp_path)


@pytest.fixture
def migrator(alone: Control, source: CountingRegistry, destination: CountingRegistry) -> Control:
    both = {"migrator_v1_registry": source.host, "migrator_v2_registry": destination.host, "migrator_http": True}
    alone.write("group_vars/all/registries.yml", {**alone.variables, **both})
    return alone


@pytest.fixture
def environment(alone: Control, source: CountingRegistry, destination: CountingRegistry) -> Environment:
    made = Environment(alone, source.host, destination.host)
    made.always["USE_HTTP"] = "true"
    return made


def test_everything_moves_and_nothing_the_second_time(migrator: Control, destination: CountingRegistry, held: images.ImageSet) -> None:
    migrator.play("from_v1")
    assert tags_of(destination) == held.tags()
    assert migrator.report()["counts"] == {"copied": 5}
    assert migrator.report()["verified"]
    again = migrator.play("from_v1")
    assert again.changed == 0
    assert migrator.report()["counts"] == {"unchanged": 5}


# -- error actions: a destination that fails on the n-th push


def push_of(number: int, times: int | None = None) -> Rule:
    """The manifest of the n-th tag that is pushed is refused: so many times, or for good."""
    return Rule("PUT", "/manifests/(1\\.0|latest|12)$", times, number - 1, status=400, body=b"no")


def test_skip_goes_on_and_says_what_is_missing(migrator: Control, destination: CountingRegistry, held: images.ImageSet) -> None:
    refuse(destination, "team/web")
    played = migrator.play("from_v1", expect=2, migrator_error_action="skip")
    assert tags_of(destination).keys() == held.tags().keys() - {("team/web", "1.0")}
    report = migrator.report()
    assert report["counts"] == {"copied": 4, "failed": 1}
    assert [(one["repository"], one["tag"]) for one in report["failures"]] == [("team/web", "1.0")]
    assert "Skipped. What is missing is in the report." in played.output
    assert "1 of 5 could not be copied. The first: " in played.output


def test_abort_ends_at_the_first_failure(migrator: Control, destination: CountingRegistry) -> None:
    destination.behaviour.rules.append(push_of(2))
    played = migrator.play("from_v1", expect=2, migrator_error_action="abort", registry_threads=1)
    counts = migrator.report()["counts"]
    assert counts["failed"] >= 1
    assert counts["copied"] == len(tags_of(destination)) == 1
    assert counts["not_attempted"] == 5 - counts["copied"] - counts["failed"] > 0
    assert "Aborted: " in played.output
    assert not migrator.report()["verified"]


def test_retry_makes_up_for_it(migrator: Control, destination: CountingRegistry, held: images.ImageSet) -> None:
    rule = refuse(destination, "team/web", times=1)
    played = migrator.play("from_v1", migrator_error_action="retry", migrator_retry_delay=1)
    assert rule.done == 1
    assert tags_of(destination) == held.tags()
    assert "Attempt 2 in 1.0 seconds." in played.output
    # both attempts are one run, whose tags have all been copied
    assert migrator.report()["counts"] == {"copied": 5}
    assert migrator.report()["verified"]


def test_retry_has_a_bound(migrator: Control, destination: CountingRegistry, held: images.ImageSet) -> None:
    rule = refuse(destination, "team/web")
    played = migrator.play("from_v1", expect=2, migrator_error_action="retry", migrator_retry_delay=1)
    assert rule.done == 3
    # each pause is longer than the one before
    assert "Attempt 2 in 1.0 seconds." in played.output
    assert "Attempt 3 in 2.0 seconds." in played.output
    assert tags_of(destination).keys() == held.tags().keys() - {("team/web", "1.0")}
    assert "Given up after 3 attempts." in played.output
    assert migrator.report()["counts"] == {"copied": 4, "failed": 1}


@pytest.mark.parametrize(("default", "attempts", "copied"), [("abort", 1, 2), ("skip", 1, 4), ("retry", 3, 4)])
def test_without_a_terminal_prompt_is_what_is_configured(
    migrator: Control, destination: CountingRegistry, default: str, attempts: int, copied: int
) -> None:
    rule = refuse(destination, "misc/other")
    played = migrator.play("from_v1", expect=2, migrator_error_action="prompt", migrator_error_prompt_default=default, migrator_increment=3)
    assert rule.done == attempts
    # the batch with the failure is carried out as a whole; the next one only if the answer is not to stop
    assert len(tags_of(destination)) == copied
    assert migrator.report()["counts"] == {"copied": copied, "failed": 1}
    assert {"abort": "Aborted.", "skip": "Skipped.", "retry": "Given up after 3 attempts."}[default] in played.output


@covers("MIGRATION_INCREMENT")
def test_increments_are_whole_one_after_the_other(environment: Environment, destination: CountingRegistry, held: images.ImageSet) -> None:
    output = environment.play(MIGRATION_INCREMENT="2")
    assert "batch 3 of 3" in output
    assert tags_of(destination) == held.tags()
    # the report is about all of them
    assert environment.control.report()["counts"] == {"copied": 5}
    assert environment.control.report()["verified"]
    assert len(environment.control.table()) == 5
    # nothing of a batch is pushed before all tags of the one before are
    parts = [re.match(r"/v2/(.+)/(?:blobs|manifests)/", one.path) for one in destination.log if one.method in ("PUT", "POST")]
    order = list(dict.fromkeys(part[1] for part in parts if part))
    assert set(order[:2]) == {"library/os", "misc/other"}
    assert order[2:] == ["team/app", "team/web"]


@covers("ERROR_ACTION")
def test_an_increment_that_fails_is_followed_by_the_others(environment: Environment, destination: CountingRegistry) -> None:
    refuse(destination, "misc/other")
    environment.play(expect=2, MIGRATION_INCREMENT="1", ERROR_ACTION="skip")
    assert environment.control.report()["counts"] == {"copied": 4, "failed": 1}
    assert [worker["outcome"] for worker in environment.control.report()["workers"]] == ["failed"]


@covers("ERROR_ACTION")
def test_what_could_not_be_listed_is_made_up_for(environment: Environment, source: CountingRegistry, held: images.ImageSet) -> None:
    rule = Rule("GET", "^/v2/team/app/tags/list", 1, status=403, body=b"no")
    source.behaviour.rules.append(rule)
    environment.play(ERROR_ACTION="retry")
    assert rule.done == 1
    assert environment.control.report()["counts"] == {"copied": 5}


def two_workers(here: Control) -> None:
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    here.write("hosts.yml", {"registry_workers": {"hosts": {"first": {}, "second": {}}, "vars": local}})


def test_workers_share_the_work(environment: Environment, destination: CountingRegistry, held: images.ImageSet) -> None:
    here = environment.control
    two_workers(here)
    rule = refuse(destination, "library/os", times=1)
    environment.play(ERROR_ACTION="retry", MIGRATION_INCREMENT="2")
    assert rule.done == 1
    assert tags_of(destination) == held.tags()
    assert here.shares().keys() == {"first", "second"}
    assert here.report()["counts"] == {"copied": 5}


def test_abort_stops_the_other_workers_as_well(environment: Environment, destination: CountingRegistry) -> None:
    two_workers(environment.control)
    # the first batch of its worker
    refuse(destination, "library/os")
    output = environment.play(expect=2, ERROR_ACTION="abort", MIGRATION_INCREMENT="1")
    # the other one ends its first batch, and begins no second one
    assert len(tags_of(destination)) == 1
    report = environment.control.report()
    assert report["counts"]["failed"] == 1
    assert [one["repository"] for one in report["failures"]] == ["library/os"]
    assert output.count("Aborted: ") >= 2


# -- questions


@covers("USER_PROMPT")
def test_without_a_terminal_the_question_has_a_configured_answer(
    environment: Environment, destination: CountingRegistry, held: images.ImageSet
) -> None:
    output = environment.play(expect=2, USER_PROMPT="")
    assert "team/app: 2 added" in output
    assert "Not confirmed, nothing was done." in output
    assert tags_of(destination) == {}
    environment.play(USER_PROMPT="true", variables={"migrator_user_prompt_default": "proceed"})
    assert tags_of(destination) == held.tags()


@covers("ERROR_ACTION")
def test_the_tool_s_own_error_action_is_a_question_that_has_a_configured_answer(
    environment: Environment, destination: CountingRegistry
) -> None:
    # what the tool did where ERROR_ACTION was not set
    environment.always["ERROR_ACTION"] = ""
    rule = refuse(destination, "team/web")
    output = environment.play(expect=2, variables={"migrator_error_prompt_default": "skip"})
    assert rule.done == 1
    assert "Skipped. What is missing is in the report." in output


def in_terminal(here: Control) -> Terminal:
    """Somebody runs the playbook in a terminal."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "registryops.migration.from_v1", "-i", "inventory"]
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(here.configuration),
        "ANSIBLE_NOCOLOR": "true",
        "HOME": str(here.folder / "home"),
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    return Terminal(command, str(here.folder), environment, rows=60, columns=200)


def answer(terminal: Terminal, question: str, text: str) -> None:
    """Answer a question. What is typed in the moment before the program reads is thrown away, and typed again while it still listens."""
    terminal.wait_for(question, 120)
    assert terminal.wait_while(listening=False, seconds=60), terminal.screen.text()
    for _attempt in range(12):
        terminal.type(text)
        if terminal.wait_while(listening=True, seconds=10):
            return
    raise AssertionError(f"nobody takes the answer:\n{terminal.screen.text()}")


def test_in_a_terminal_questions_are_asked_and_answers_obeyed(
    migrator: Control, destination: CountingRegistry, held: images.ImageSet
) -> None:
    rule = refuse(destination, "team/web")
    more = {"migrator_user_prompt": True, "migrator_error_action": "prompt", "registry_progress": "off"}
    migrator.write("group_vars/all/more.yml", more)
    with in_terminal(migrator) as terminal:
        terminal.wait_for("yes or no", 120)
        assert tags_of(destination) == {}
        answer(terminal, "yes or no", "yes\r")
        terminal.wait_for("retry, skip or abort", 120)
        assert rule.done == 1
        destination.behaviour.rules.remove(rule)
        answer(terminal, "retry, skip or abort", "r\r")
        assert terminal.wait(120) == 0
    assert tags_of(destination) == held.tags()
    assert migrator.report()["counts"] == {"copied": 5}


# -- what goes where


@covers("V1_REPO_FILTER", "V1_TAG_FILTER", "LIBRARY_NAMESPACE", "V1_USE_HTTP", "V2_USE_HTTP")
def test_filters_and_names(environment: Environment, destination: CountingRegistry, held: images.ImageSet) -> None:
    environment.always["USE_HTTP"] = ""
    http = {"V1_USE_HTTP": "true", "V2_USE_HTTP": "true"}
    # the names of which that is a part; a repository without the tag is left out
    environment.play(V1_REPO_FILTER=r"^team\|the", V1_TAG_FILTER="latest", **http)
    assert tags_of(destination).keys() == {("team/app", "latest"), ("misc/other", "latest")}
    # what is official keeps its namespace, or loses it
    environment.play(V1_REPO_FILTER="/os$", LIBRARY_NAMESPACE="true", **http)
    assert ("library/os", "12") in tags_of(destination)
    environment.play(V1_REPO_FILTER="/os$", LIBRARY_NAMESPACE="false", **http)
    assert ("os", "12") in tags_of(destination)
    # the other side speaks TLS, or so it is thought
    output = environment.play(expect=2, V1_USE_HTTP="true")
    assert destination.host in output


@covers("V1_FULL_REPO_LIST", "V1_REPO_FILTER")
def test_a_list_of_repositories_where_search_is_off(
    environment: Environment, source: CountingRegistry, destination: CountingRegistry
) -> None:
    source.behaviour.catalog = 404
    official = images.ImageSet()
    images.add_image(official.repository("box"), "box", [images.layer("box", 1_000)], ["1"])
    source.load(official)
    environment.play(V1_FULL_REPO_LIST=" team/app\n  team/web box ", V1_REPO_FILTER="p*[^b]$")
    assert source.count(kind="catalog") == 0
    # the registry has it under its own name, and the tool promised a namespace to such
    assert {name for name, _tag in tags_of(destination)} == {"team/app", "library/box"}
    environment.play(expect=2, V1_FULL_REPO_LIST="team/web no/such", ERROR_ACTION="skip")
    assert ("team/web", "1.0") in tags_of(destination)
    assert [one["repository"] for one in environment.control.report()["failures"]] == ["no/such"]


@covers("SKIP_EXISTING_TAGS")
def test_what_is_there_already(environment: Environment, destination: CountingRegistry, held: images.ImageSet) -> None:
    other = images.ImageSet()
    images.add_image(other.repository("team/app"), "other", [images.layer("other", 1_000)], ["latest"])
    destination.load(other)
    output = environment.play(SKIP_EXISTING_TAGS="true", V1_REPO_FILTER="team/app")
    assert tags_of(destination)["team/app", "latest"] == other.tags()["team/app", "latest"]
    assert tags_of(destination)["team/app", "1.0"] == held.tags()["team/app", "1.0"]
    assert environment.control.report()["counts"] == {"copied": 1, "kept": 1}
    assert "kept: 1" in output
    environment.play(SKIP_EXISTING_TAGS="false", V1_REPO_FILTER="team/app")
    assert tags_of(destination)["team/app", "latest"] == held.tags()["team/app", "latest"]
    assert environment.control.report()["counts"] == {"copied": 1, "unchanged": 1}


# -- connections


def closed(user: str, password: str) -> Behaviour:
    return Behaviour(authentication="basic", users={user: password})


@covers(
    "V1_USERNAME", "V1_PASSWORD", "V1_EMAIL", "V2_USERNAME", "V2_PASSWORD", "V2_EMAIL", "NO_LOGIN", "V1_NO_LOGIN", "V2_NO_LOGIN", "USE_HTTP"
)
def test_logins(alone: Control, counting_registry: MakeCountingRegistry, held: images.ImageSet) -> None:
    source, destination = (counting_registry(closed(user, secret)) for user, secret in zip(("reader", "writer"), SECRETS, strict=True))
    source.load(held)
    environment = Environment(alone, source.host, destination.host)
    login = {"V1_USERNAME": "reader", "V1_PASSWORD": SECRETS[0], "V2_USERNAME": "writer", "V2_PASSWORD": SECRETS[1], "USE_HTTP": "true"}
    for name, refused in (("NO_LOGIN", source), ("V1_NO_LOGIN", source), ("V2_NO_LOGIN", destination)):
        source.reset_log()
        destination.reset_log()
        output = environment.play(expect=2, **login, **{name: "true"})
        assert refused.host in output
        logs = [source, destination] if name == "NO_LOGIN" else [refused]
        assert not [one for server in logs for one in server.log if "authorization" in {header.lower() for header in one.headers}]
        assert tags_of(destination) == {}
    # an e-mail address is not needed, and does no harm on one side alone
    environment.play("-vvv", **login, V1_EMAIL="reader@example.com", V2_EMAIL="")
    assert tags_of(destination) == held.tags()


@covers("USE_INSECURE_CURL", "volume /etc/docker/certs.d")
def test_certificates(
    alone: Control, counting_registry: MakeCountingRegistry, certificate_authority: CertificateAuthority, held: images.ImageSet
) -> None:
    source = counting_registry(authority=certificate_authority, client_certificates=True)
    destination = counting_registry(authority=certificate_authority)
    source.load(held)
    certs = alone.folder / "certs.d"
    own = certs / source.host
    own.mkdir(parents=True)
    client = certificate_authority.client()
    # the names that the tool looked for
    shutil.copy(certificate_authority.certificate, own / "ca.crt")
    shutil.copy(client.certificate, own / "client.cert")
    shutil.copy(client.key, own / "client.key")
    environment = Environment(alone, source.host, destination.host)
    folders = {"migrator_certs_dirs": [str(certs)]}
    output = environment.play(expect=2, variables=folders)
    assert "its certificate is not trusted" in output
    assert destination.host in output
    # either side can be believed without one, and not the other
    output = environment.play(expect=2, variables={**folders, "migrator_v1_insecure": True})
    assert "its certificate is not trusted" in output
    environment.play(variables={**folders, "migrator_v2_insecure": True}, V1_TAG_FILTER="1.0", V1_REPO_FILTER="web")
    assert tags_of(destination).keys() == {("team/web", "1.0")}
    environment.play(variables=folders, USE_INSECURE_CURL="true", V1_TAG_FILTER="12")
    assert tags_of(destination).keys() == {("library/os", "12"), ("team/web", "1.0")}
    (certs / destination.host).mkdir()
    shutil.copy(certificate_authority.certificate, certs / destination.host / "ca.crt")
    command = f"docker run -it -v {certs}:/etc/docker/certs.d:ro " + " ".join(
        f"-e {name}={value}" for name, value in environment.always.items()
    )
    alone.write("group_vars/all/environment.yml", {"migrator_env": f"{command} docker/migrator"})
    alone.play("from_v1")
    assert tags_of(destination) == held.tags()


@covers("DOCKER_HUB_ORG")
def test_docker_hub(alone: Control, registries: RegistryFactory, destination: CountingRegistry, held: images.ImageSet) -> None:
    hub_module = pytest.importorskip("estate.docker_hub", reason="PyJWT is not installed: pip install pyjwt")
    behind = registries.start("hub")
    push(behind.url, held)
    with hub_module.DockerHubDouble(behind, {"mover": SECRETS[0]}, ["team", "mover", "library"]) as hub:
        environment = Environment(alone, "docker.io", destination.host)
        double = {"migrator_source": {"url": hub.url, "api_url": hub.url, "provider": "docker_hub", "plain_http": True}}
        login = {"V1_USERNAME": "mover", "V1_PASSWORD": SECRETS[0], "V2_USE_HTTP": "true"}
        environment.play(variables=double, DOCKER_HUB_ORG="team", **login)
        assert tags_of(destination) == {key: digest for key, digest in held.tags().items() if key[0].startswith("team/")}
        # without it, it is the user's own, which is empty here
        assert "No tag was selected" in environment.play(variables=double, **login)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook from_v1, which does what docker/migrator did: its variables, its questions, its error actions."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from estate import images
from estate.behaviour import Behaviour, Rule
from estate.compare import tags_of as tags_of_registry
from estate.fault_proxy import Fault, FaultProxy
from estate.push import push
from estate.v1_double import V1Double
from estate.v1_images import push_all
from estate.v1_registry import NotAvailable, V1Registry, installed
from runs.control import Control
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
#: the rows of docs/from-docker-migrator.md that tests are about
COVERED: set[str] = set()

Test = t.TypeVar("Test", bound=t.Callable[..., None])


def covers(*rows: str) -> t.Callable[[Test], Test]:
    """The test shows the effect of these variables of docker/migrator."""
    COVERED.update(rows)
    return lambda test: test


def held_images() -> images.ImageSet:
    """Four repositories with a tag or two each; one is official."""
    held = images.ImageSet()
    for name, tags in {"team/app": ["1.0", "latest"], "team/web": ["1.0"], "misc/other": ["latest"], "library/os": ["12"]}.items():
        for tag in tags:
            images.add_image(held.repository(name), f"{name} {tag}", [images.layer(f"{name} {tag}", 2_000)], [tag])
    return held


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
    """Nothing is said but where a run leaves its traces, that the old registry speaks as all do today, and to be quick."""
    folders = {"migrator_state_dir": str(tmp_path / "state"), "migrator_report_dir": str(tmp_path / "report")}
    return Control(tmp_path, {}, {}, {}, migrator_source={"type": "registry"}, migrator_retry_delay=0, migrator_retries=2, **folders)


@pytest.fixture
def migrator(alone: Control, source: CountingRegistry, destination: CountingRegistry) -> Control:
    both = {"migrator_v1_registry": source.host, "migrator_v2_registry": destination.host, "migrator_http": True}
    alone.write("group_vars/all/registries.yml", {**alone.variables, **both})
    return alone


class Environment:
    """A migration that is said in the tool's own words."""

    def __init__(self, control: Control, source: str, destination: str) -> None:
        self.control = control
        self.always = {"V1_REGISTRY": source, "V2_REGISTRY": destination, "USER_PROMPT": "false", "ERROR_ACTION": "abort"}

    def play(self, *arguments: str, expect: int = 0, variables: t.Mapping[str, t.Any] | None = None, **environment: str) -> str:
        """Run with further variables of the environment, and of the role; returns what was said, which has no password in it."""
        whole = {**self.always, **environment}
        # a file, for the command line would be templated
        self.control.write("group_vars/all/environment.yml", {"migrator_env": whole})
        output = self.control.play("from_v1", *arguments, expect=expect, **(variables or {})).output
        for name, value in whole.items():
            if name.endswith(("PASSWORD", "SECRET_ACCESS_KEY")):
                assert value not in output
        return output


@pytest.fixture
def environment(alone: Control, source: CountingRegistry, destination: CountingRegistry) -> Environment:
    made = Environment(alone, source.host, destination.host)
    made.always["USE_HTTP"] = "true"
    return made


def tags_of(registry: CountingRegistry) -> dict[tuple[str, str], str]:
    return {(name, tag): digest for name, state in registry.snapshot().items() for tag, digest in state.tags.items()}


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


def refuse(registry: CountingRegistry, repository: str, times: int | None = None) -> Rule:
    """Pushes of a repository's tags are refused."""
    rule = Rule("PUT", f"^/v2/{repository}/manifests/", times, status=400, body=b"no")
    registry.behaviour.rules.append(rule)
    return rule


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
    played = migrator.play("from_v1", expect=2, migrator_error_action="retry")
    assert rule.done == 3
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


@covers("ERROR_ACTION", "MIGRATION_INCREMENT")
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


def test_an_increment_that_fails_is_followed_by_the_others(environment: Environment, destination: CountingRegistry) -> None:
    refuse(destination, "misc/other")
    environment.play(expect=2, MIGRATION_INCREMENT="1", ERROR_ACTION="skip")
    assert environment.control.report()["counts"] == {"copied": 4, "failed": 1}
    assert [worker["outcome"] for worker in environment.control.report()["workers"]] == ["failed"]


def test_what_could_not_be_listed_is_made_up_for(environment: Environment, source: CountingRegistry, held: images.ImageSet) -> None:
    rule = Rule("GET", "^/v2/team/app/tags/list", 1, status=403, body=b"no")
    source.behaviour.rules.append(rule)
    environment.play(ERROR_ACTION="retry")
    assert rule.done == 1
    assert environment.control.report()["counts"] == {"copied": 5}


def test_workers_share_the_work(environment: Environment, destination: CountingRegistry, held: images.ImageSet) -> None:
    here = environment.control
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    here.write("hosts.yml", {"registry_workers": {"hosts": {"first": {}, "second": {}}, "vars": local}})
    rule = refuse(destination, "library/os", times=1)
    environment.play(ERROR_ACTION="retry", MIGRATION_INCREMENT="2")
    assert rule.done == 1
    assert tags_of(destination) == held.tags()
    assert here.shares().keys() == {"first", "second"}
    assert here.report()["counts"] == {"copied": 5}


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


def answer(terminal: Terminal, question: str, text: str, then: str) -> None:
    """Answer a question. What is typed before the program listens is thrown away, so it is typed until something follows."""
    terminal.wait_for(question, 120)
    for _attempt in range(24):
        terminal.type(text)
        with contextlib.suppress(AssertionError):
            terminal.wait_for(then, 5)
            return
    raise AssertionError(f"{then!r} does not follow:\n{terminal.screen.text()}")


@covers("USER_PROMPT", "ERROR_ACTION")
def test_in_a_terminal_questions_are_asked_and_answers_obeyed(
    migrator: Control, destination: CountingRegistry, held: images.ImageSet
) -> None:
    rule = refuse(destination, "team/web")
    more = {"migrator_user_prompt": True, "migrator_error_action": "prompt", "registry_progress": "off"}
    migrator.write("group_vars/all/more.yml", more)
    with in_terminal(migrator) as terminal:
        terminal.wait_for("yes or no", 120)
        assert tags_of(destination) == {}
        answer(terminal, "yes or no", "yes\r", "TASK .*Leave everything as it is")
        terminal.wait_for("retry, skip or abort", 120)
        assert rule.done == 1
        destination.behaviour.rules.remove(rule)
        answer(terminal, "retry, skip or abort", "r\r", "Attempt 2")
        assert terminal.wait(120) == 0
    assert tags_of(destination) == held.tags()
    assert migrator.report()["counts"] == {"copied": 5}


# -- what goes where


@covers("V1_REPO_FILTER", "V1_TAG_FILTER", "LIBRARY_NAMESPACE", "V1_USE_HTTP", "V2_USE_HTTP", "V1_REGISTRY", "V2_REGISTRY")
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


@covers("V1_FULL_REPO_LIST", "V1_REPO_FILTER", "USE_HTTP")
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


@covers("V1_USERNAME", "V1_PASSWORD", "V1_EMAIL", "V2_USERNAME", "V2_PASSWORD", "V2_EMAIL", "NO_LOGIN", "V1_NO_LOGIN", "V2_NO_LOGIN")
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
    environment.play(variables=folders, USE_INSECURE_CURL="true", V1_TAG_FILTER="12")
    assert tags_of(destination).keys() == {("library/os", "12")}
    (certs / destination.host).mkdir()
    shutil.copy(certificate_authority.certificate, certs / destination.host / "ca.crt")
    command = f"docker run -it -v {certs}:/etc/docker/certs.d:ro " + " ".join(
        f"-e {name}={value}" for name, value in environment.always.items()
    )
    alone.write("group_vars/all/environment.yml", {"migrator_env": f"{command} docker/migrator"})
    alone.play("from_v1")
    assert tags_of(destination) == held.tags()


@covers("DOCKER_HUB_ORG", "V1_REGISTRY")
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


# -- one name for both


def test_with_an_address_for_each_nothing_has_to_be_cut_over(
    alone: Control, source: CountingRegistry, destination: CountingRegistry, held: images.ImageSet
) -> None:
    environment = Environment(alone, "registry.example.com", "registry.example.com")
    environment.play(USE_HTTP="true", variables={"migrator_v1_connect_to": source.host, "migrator_v2_connect_to": destination.host})
    assert tags_of(destination) == held.tags()
    assert {one.headers["host"] for server in (source, destination) for one in server.log} == {"registry.example.com"}


@pytest.fixture
def old(tmp_path: Path) -> t.Iterator[V1Registry | V1Double]:
    """A v1 registry with some images, the real one where that can run."""
    try:
        installed()
    except NotAvailable:
        registry: V1Registry | V1Double = V1Double(tmp_path / "old")
    else:
        registry = V1Registry(tmp_path / "old")
    with registry:
        push_all(registry.url)
        yield registry


@pytest.fixture
def name(old: V1Registry | V1Double) -> t.Iterator[FaultProxy]:
    """The name and port that both registries have, one after the other."""
    with FaultProxy(old.url) as proxy:
        yield proxy


V1_TAGS = {("library/web", "1.0"), ("library/web", "latest"), ("team/api", "2.1"), ("team/plain", "v1"), ("team/xz", "v1")}


@pytest.fixture
def renewal(alone: Control, name: FaultProxy) -> Environment:
    """The name of the old registry becomes that of the new one."""
    del alone.variables["migrator_source"]
    alone.write("group_vars/all/registries.yml", {**alone.variables, "migrator_cutover_interval": 1})
    made = Environment(alone, name.host, name.host)
    made.always["USE_HTTP"] = "true"
    return made


def test_a_v1_registry_to_another_name(renewal: Environment, old: V1Registry | V1Double, destination: CountingRegistry) -> None:
    renewal.always.update(V1_REGISTRY=old.host, V2_REGISTRY=destination.host)
    renewal.play()
    first = tags_of(destination)
    assert first.keys() == V1_TAGS
    assert first["library/web", "1.0"] == first["library/web", "latest"]
    assert renewal.control.report()["counts"] == {"copied": 5}
    assert renewal.control.report()["verified"]
    destination.reset_log()
    renewal.play(SKIP_EXISTING_TAGS="true")
    renewal.play()
    assert tags_of(destination) == first
    assert renewal.control.report()["counts"] == {"unchanged": 5}
    assert destination.count("PUT") == 0


def test_the_storage_of_a_v1_registry_has_no_name_to_share(
    renewal: Environment, old: V1Registry | V1Double, destination: CountingRegistry
) -> None:
    old.stop()
    renewal.always.update(V1_REGISTRY=destination.host, V2_REGISTRY=destination.host)
    renewal.play(variables={"migrator_source": {"type": "v1_storage", "path": str(old.data)}})
    assert tags_of(destination).keys() == V1_TAGS
    assert renewal.control.report()["verified"]


@covers("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
def test_a_v1_registry_to_amazon_ecr(renewal: Environment, registries: RegistryFactory, old: V1Registry | V1Double) -> None:
    pytest.importorskip("moto", reason="moto is not installed: pip install moto flask flask-cors")
    from estate.ecr import ECRDouble

    with ECRDouble(registries.start("ecr")) as ecr:
        keys = ecr.aws()
        renewal.always.update(V1_REGISTRY=old.host, V2_REGISTRY=ecr.url.partition("://")[2])
        double = {"migrator_destination": {"provider": "ecr", "aws": {"endpoint_url": keys["endpoint_url"]}}}
        signed = {"AWS_ACCESS_KEY_ID": keys["access_key"], "AWS_SECRET_ACCESS_KEY": keys["secret_key"], "AWS_SESSION_TOKEN": "a-session"}
        assert "region" in renewal.play(expect=2, variables=double, **signed)
        renewal.play(variables=double, AWS_REGION=keys["region"], **signed)
        assert tags_of_registry(ecr.behind).keys() == V1_TAGS
        # the repositories have been created as well
        assert ecr.repositories.keys() == {repository for repository, _tag in V1_TAGS}
        assert renewal.control.report()["verified"]


def test_v1_and_v2_of_one_name_at_once(renewal: Environment, old: V1Registry | V1Double, destination: CountingRegistry) -> None:
    renewal.always.update(V1_REGISTRY="registry.example.com", V2_REGISTRY="registry.example.com")
    renewal.play(variables={"migrator_v1_connect_to": old.host, "migrator_v2_connect_to": destination.host})
    assert tags_of(destination).keys() == V1_TAGS


def test_the_user_s_tasks_cut_over(renewal: Environment, name: FaultProxy, destination: CountingRegistry) -> None:
    def switch() -> None:
        # nothing was there before everything had been read
        assert tags_of(destination) == {}
        name.target = destination.host

    name.faults.append(Fault("^POST /cut-over$", before=switch, status=204))
    task = {"name": "Cut over", "ansible.builtin.uri": {"url": f"{name.url}/cut-over", "method": "POST", "status_code": 204}}
    tasks = renewal.control.folder / "cut-over.yml"
    tasks.write_text(json.dumps([task]), encoding="utf-8")
    renewal.play(variables={"migrator_cutover": str(tasks)}, LIBRARY_NAMESPACE="false")
    assert tags_of(destination).keys() == {(repository.removeprefix("library/"), tag) for repository, tag in V1_TAGS}
    assert renewal.control.report()["counts"] == {"copied": 5}
    assert renewal.control.report()["verified"]
    # run again, it knows that all that is over
    name.clear()
    renewal.play(variables={"migrator_cutover": str(tasks)}, LIBRARY_NAMESPACE="false")
    assert renewal.control.report()["counts"] == {"unchanged": 5}
    assert name.requests("/v1/(?!_ping)") == name.requests("cut-over") == []


def test_a_cut_over_that_takes_too_long_is_waited_for_in_another_run(
    renewal: Environment, name: FaultProxy, destination: CountingRegistry
) -> None:
    # nobody presses a key where there is no terminal
    output = renewal.play(expect=2, variables={"migrator_cutover_timeout": 1})
    assert f"{name.host} still leads to the old registry" in output
    name.clear()
    # somebody else does it, after two more looks
    name.faults.append(Fault("^GET /v2/$", times=1, after=3, before=lambda: setattr(name, "target", destination.host)))
    renewal.play(variables={"migrator_cutover": "wait", "migrator_cutover_timeout": 60})
    assert tags_of(destination).keys() == V1_TAGS
    # what had been exported was not read again
    assert name.requests("/v1/images/.*/layer") == []


def test_an_incomplete_export_is_not_followed_by_a_cut_over(renewal: Environment, name: FaultProxy, destination: CountingRegistry) -> None:
    name.faults.append(Fault("^GET /v1/repositories/team/xz/tags", times=None, status=403))
    tasks = renewal.control.folder / "cut-over.yml"
    tasks.write_text(json.dumps([{"name": "Fail", "ansible.builtin.fail": {"msg": "too early"}}]), encoding="utf-8")
    output = renewal.play(expect=2, variables={"migrator_cutover": str(tasks)}, ERROR_ACTION="retry")
    assert "too early" not in output
    assert "team/xz" in output
    assert name.target != destination.host
    # unless that was decided
    output = renewal.play(expect=2, variables={"migrator_cutover": str(tasks)}, ERROR_ACTION="skip")
    assert "too early" in output


# -- the table


def test_every_row_of_the_table_has_a_test() -> None:
    text = (ROOT / "docs" / "from-docker-migrator.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[A-Z0-9_]+`|volume `[^`]+`) \| `(migrator_[a-z0-9_]+)` \| (?:.* )?\|$", text, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^\| (?:`[A-Z]|volume)", text, re.MULTILINE)) > 25
    assert {name.replace("`", "") for name, _variable in rows} == COVERED
    specs = yaml.safe_load((ROOT / "roles" / "migrator" / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    assert {variable for _name, variable in rows} <= specs["argument_specs"]["main"]["options"].keys()

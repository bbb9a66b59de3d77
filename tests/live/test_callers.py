# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks as other programs call them: exit statuses, and what docs/callers and examples/ show for AWX, Terraform, Puppet and cron.

AWX itself is not here: what it runs is run by ansible-runner, as AWX does. Terraform and Puppet are run where they are installed.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shlex
import shutil
import typing as t
from pathlib import Path

import pytest
import yaml
from estate import compare, images
from estate.client import Client
from estate.push import push
from runs.callers import ANSIBLE_PLAYBOOK, AWX, EXAMPLES, PROGRAMS, ROOT, Caller, Finished, document, write_json
from runs.modules import COLLECTIONS

if t.TYPE_CHECKING:
    from estate.registry import Registry, RegistryFactory

GUIDES = ROOT / "docs" / "callers"
MARKS = ("read-me-not", "write-me-not")
#: with all that a shell, a template or a file of variables could take for its own
SOURCE_USER = {"reader": f"""it's $({MARKS[0]}) "so" %d"""}
DESTINATION_USER = {"writer": f"""it's ${MARKS[1]} \\ "so" #"""}
TEAM = [{"repositories": {"include": ["team/**"]}}]


@pytest.fixture(scope="module")
def held() -> images.ImageSet:
    made = images.ImageSet()
    shared = images.layer("shared", 50_000)
    for name, tags in (("base/os", ["12"]), ("team/app", ["1.0", "1.1"]), ("team/web", ["2.0"]), ("tools/cli", ["3"])):
        for tag in tags:
            images.add_image(made.repository(name), f"{name} {tag}", [shared, images.layer(f"{name} {tag}", 20_000)], [tag])
    return made


@pytest.fixture(scope="module")
def source(module_registries: RegistryFactory, held: images.ImageSet) -> Registry:
    """Holds the set; tests only read it."""
    return _filled(module_registries, "source", held)


def _filled(registries: RegistryFactory, name: str, held: images.ImageSet) -> Registry:
    registry = registries.start(name, tls=True, users=SOURCE_USER)
    push(registry.url, held, registry.access.user, registry.access.password, registry.ca_file)
    return registry


@pytest.fixture
def damaged(registries: RegistryFactory, held: images.ImageSet) -> Registry:
    """Holds the set, but for one layer of team/web:2.0."""
    registry = _filled(registries, "damaged", held)
    with Client(registry.access) as client:
        client.request("DELETE", f"/v2/team/web/blobs/{images.layer('team/web 2.0', 20_000).digest}", expect=(202,))
    return registry


@pytest.fixture
def destination(registries: RegistryFactory) -> Registry:
    """Empty."""
    return registries.start("destination", tls=True, users=DESTINATION_USER)


@pytest.fixture
def caller(source: Registry, destination: Registry, tmp_path: Path) -> Caller:
    return Caller(tmp_path, source, destination, MARKS)


def _of_team(held: images.ImageSet) -> dict[tuple[str, str], str]:
    return {key: digest for key, digest in held.tags().items() if key[0].startswith("team/")}


# -- exit statuses -----------------------------------------------------------------------------------------------------


def _documented() -> set[int]:
    """The statuses of the table in the guide."""
    return {int(status) for status in re.findall(r"^\| (\d+) \|", (GUIDES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)}


def test_0_means_that_nothing_is_lost(caller: Caller, destination: Registry, held: images.ImageSet) -> None:
    caller.inventory()
    before = caller.play("verify")
    assert before.status == 2, before.output
    for playbook, more in (("plan", ()), ("migrate", ("--check",)), ("migrate", ("--check", "--diff"))):
        planned = caller.play(playbook, *more)
        assert planned.status == 0, planned.output
        assert "To copy: 5 tags" in planned.output
    assert compare.repositories_of(destination) == []
    for playbook in ("migrate", "verify", "plan", "migrate"):
        done = caller.play(playbook)
        assert done.status == 0, done.output
    assert compare.tags_of(destination) == held.tags()


def test_2_means_that_something_failed(damaged: Registry, destination: Registry, held: images.ImageSet, tmp_path: Path) -> None:
    caller = Caller(tmp_path, damaged, destination, MARKS)
    caller.inventory()
    for playbook, *more in (("migrate",), ("migrate", "--tags", "copy"), ("verify",)):
        failed = caller.play(playbook, *more)
        assert failed.status == 2, failed.output
        assert "team/web" in failed.output
    assert compare.tags_of(destination) == {key: digest for key, digest in held.tags().items() if key != ("team/web", "2.0")}


@pytest.mark.parametrize(("playbook", "status"), [("migrate", {2, 4}), ("plan", {4}), ("verify", {4})])
def test_a_worker_out_of_reach_is_never_0(caller: Caller, playbook: str, status: set[int]) -> None:
    caller.inventory()
    # a host on which no folder for modules can be made counts as unreachable
    done = caller.play(playbook, "-e", "ansible_remote_tmp=/proc/nowhere")
    assert "UNREACHABLE" in done.output
    assert done.status in status, done.output
    assert status <= _documented()


@pytest.mark.parametrize("playbook", ["migrate", "plan", "verify"])
@pytest.mark.parametrize("lost", ["first", "second"])
def test_one_of_two_workers_out_of_reach_is_never_0(caller: Caller, playbook: str, lost: str) -> None:
    hosts = document(EXAMPLES / "inventory" / "hosts.yml")["registry_workers"]["hosts"]["localhost"]
    inventory = caller.inventory()
    names = {name: {**hosts, **({"ansible_remote_tmp": "/proc/nowhere"} if name == lost else {})} for name in ("first", "second")}
    write_json(inventory / "hosts.yml", {"registry_workers": {"hosts": names}})
    done = caller.play(playbook)
    assert "UNREACHABLE" in done.output
    assert done.status in (2, 4), done.output


@pytest.mark.parametrize(
    ("arguments", "variables", "status"),
    [
        ([], {"SOURCE_PASSWORD": "wrong"}, 2),
        (["-e", "registry_rule=[]"], {}, 2),
        (["-e", "copy_images_existing_tags=perhaps"], {}, 2),
        (["-e", "{registry_source: {url: 'localhost:1', attempts: 1}}"], {}, 2),
        (["-e", "registry_source="], {}, 2),
        (["--nosuch"], {}, 2),
        (["-e", "@/nowhere/at/all.yml"], {}, 1),
        (["--limit", "nobody"], {}, 1),
    ],
    ids=["password", "name of a variable", "value", "address", "no registry", "option", "file", "limit"],
)
def test_a_mistake_of_the_caller_is_never_0(
    caller: Caller, destination: Registry, arguments: list[str], variables: dict[str, str], status: int
) -> None:
    caller.inventory()
    done = caller.play("migrate", *arguments, **variables)
    assert done.status == status, done.output
    assert status in _documented()
    assert compare.repositories_of(destination) == []


# -- AWX ---------------------------------------------------------------------------------------------------------------


def test_awx_runs_a_plan_a_migration_and_a_verification(caller: Caller, destination: Registry, held: images.ImageSet) -> None:
    awx = AWX(caller)
    checked = awx.launch("migrate.yml", "--check", "--diff", selected_repositories="team/**\n\ntools/cli\n")
    assert (checked.status, checked.exit_status) == ("successful", 0), checked.output
    planned = awx.launch("plan.yml", selected_repositories="team/**")
    assert (planned.status, planned.exit_status) == ("successful", 0), planned.output
    assert any("team/app: 2 added" in event["stdout"] for event in planned.events)
    assert compare.repositories_of(destination) == []

    answers = {"selected_repositories": "team/**\n", "prefix_at_destination": "moved", "verify_mode": "deep"}
    migrated = awx.launch("migrate.yml", **answers)
    assert (migrated.status, migrated.exit_status) == ("successful", 0), migrated.output
    assert compare.tags_of(destination) == {(f"moved/{name}", tag): digest for (name, tag), digest in _of_team(held).items()}
    assert migrated.artifacts["registry_migration"]["counts"] == {"copied": 3}
    assert migrated.artifacts["registry_migration"]["verified"]
    (copied,) = [event for event in migrated.named("runner_on_ok") if event["task"].endswith("Copy images")]
    assert copied["res"]["counts"]["copied"] == 3
    assert [event["processed"] for event in migrated.named("playbook_on_stats")] == [{"worker0": 1}]

    verified = awx.launch("verify.yml", **answers)
    assert (verified.status, verified.exit_status) == ("successful", 0), verified.output
    again = awx.launch("migrate.yml", **answers)
    assert again.artifacts["registry_migration"]["counts"] == {"unchanged": 3}
    assert again.named("playbook_on_stats")[0]["changed"] == {}


def test_slices_of_an_awx_job_share_the_work(caller: Caller, destination: Registry, held: images.ImageSet) -> None:
    awx = AWX(caller, workers=2)
    seen: list[set[str]] = []
    for number in (1, 2):
        before = set(compare.repositories_of(destination))
        job = awx.launch("migrate.yml", part=(number, 2))
        assert (job.status, job.exit_status) == ("successful", 0), job.output
        assert job.named("playbook_on_stats")[0]["processed"] == {f"worker{number - 1}": 1}
        seen.append(set(compare.repositories_of(destination)) - before)
        expected = sum(len(held.repositories[name].tags) for name in seen[-1])
        assert job.artifacts["registry_migration"]["counts"] == ({"copied": expected} if expected else {})
    assert all(seen)
    assert compare.tags_of(destination) == held.tags()


def test_a_failed_awx_job_says_what_failed(damaged: Registry, destination: Registry, tmp_path: Path) -> None:
    job = AWX(Caller(tmp_path, damaged, destination, MARKS)).launch("migrate.yml", selected_repositories="team/web")
    assert (job.status, job.exit_status) == ("failed", 2), job.output
    assert [event["task"] for event in job.named("runner_on_failed")][-1] == "End with a failure where anything is missing"
    assert job.artifacts["registry_migration"]["counts"] == {"failed": 1}


def test_a_failed_awx_slice_fails_though_the_other_does_not(damaged: Registry, destination: Registry, tmp_path: Path) -> None:
    awx = AWX(Caller(tmp_path, damaged, destination, MARKS), workers=2)
    jobs = [awx.launch("migrate.yml", part=(number, 2)) for number in (1, 2)]
    assert sorted((job.status, job.exit_status) for job in jobs) == [("failed", 2), ("successful", 0)]


def test_what_awx_is_set_up_with_fits_together() -> None:
    folder = EXAMPLES / "awx"
    (play,) = document(folder / "setup.yml")
    types = document(folder / "credential_types.yml")["credential_types"]
    survey = document(folder / "survey.yml")["survey"]
    registries = (folder / "registries.yml").read_text(encoding="utf-8")

    # every field of a credential is injected, and every injected variable is looked up
    injected = {name: template for kind in types for name, template in kind["injectors"]["env"].items()}
    for kind in types:
        assert {f"{{{{ {field['id']} }}}}" for field in kind["inputs"]["fields"]} == set(kind["injectors"]["env"].values())
        assert [field["id"] for field in kind["inputs"]["fields"] if field.get("secret")] == ["password"]
    assert set(re.findall(r"lookup\('ansible.builtin.env', '([A-Z_]+)'\)", registries)) == set(injected)

    # every answer is read by somebody
    known = document(ROOT / "playbooks" / "vars" / "migration.yml")["__registry_variables"]
    for question in survey["spec"]:
        assert question["type"] in {"text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float"}
        assert question["variable"] in known or re.search(rf"\b{question['variable']}\b", registries)
        assert question["default"] in question.get("choices", [question["default"]])
    specs = document(ROOT / "roles" / "copy_images" / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    (existing,) = [question for question in survey["spec"] if question["variable"] == "copy_images_existing_tags"]
    assert existing["choices"] == specs["copy_images_existing_tags"]["choices"]

    templates = play["vars"]["templates"]
    assert all((folder / "project" / template["playbook"]).is_file() for template in templates)
    (workflow,) = [task["awx.awx.workflow_job_template"] for task in play["tasks"] if "awx.awx.workflow_job_template" in task]
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    followed = [one["identifier"] for node in nodes.values() for one in node.get("related", {}).get("success_nodes", [])]
    assert ["plan", *followed] == list(nodes)
    named = [re.fullmatch(r"\{\{ templates\[(\d)\]\.name \}\}", node["unified_job_template"]["name"]) for node in nodes.values()]
    assert [templates[int(match[1])]["playbook"] for match in named if match] == ["plan.yml", "migrate.yml", "verify.yml"]


# -- the execution environment -----------------------------------------------------------------------------------------


def test_ansible_builder_makes_the_context_of_an_execution_environment(caller: Caller) -> None:
    context = caller.folder / "context"
    definition = EXAMPLES / "awx" / "execution-environment.yml"
    made = caller.run(PROGRAMS / "ansible-builder", "create", "-f", definition, "-c", context, "--output-filename", "Containerfile")
    assert made.status == 0, made.output
    wanted = yaml.safe_load((context / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    assert wanted == {"collections": [{"name": "registryops.migration"}]}
    lines = (context / "Containerfile").read_text(encoding="utf-8")
    assert document(definition)["images"]["base_image"]["name"] in lines
    assert "ansible-galaxy collection install" in lines


def test_ansible_builder_finds_what_the_collection_needs(caller: Caller) -> None:
    found = caller.folder / "found"
    found.mkdir()
    files = {"pip": found / "requirements.txt", "bindep": found / "bindep.txt"}
    written = [f"--write-{kind}={path}" for kind, path in files.items()]
    done = caller.run(PROGRAMS / "ansible-builder", "introspect", *written, COLLECTIONS)
    assert done.status == 0, done.output
    lines = [line for line in files["pip"].read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert [re.split(r"[ <>=]", line)[0] for line in lines] == ["boto3", "docker", "paramiko", "kubernetes", "rethinkdb"]
    assert all("registryops.migration" in line for line in lines)
    # no program beside Python
    assert not files["bindep"].exists() or not files["bindep"].read_text(encoding="utf-8").strip()


# -- Puppet ------------------------------------------------------------------------------------------------------------

MODULES = EXAMPLES / "puppet" / "modules"


class Puppet:
    """An agent without a server, with folders of its own."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.folder = caller.folder / "registry-migration"

    def run(self, *arguments: str | Path) -> Finished:
        """The command puppet."""
        own = [f"--{name}={self.caller.folder / 'puppet' / name}" for name in ("confdir", "vardir", "logdir", "rundir")]
        variables = self.caller.environment()
        # what Puppet itself says in the language of the machine
        variables.update(LANG="C.UTF-8")
        return self.caller.run("puppet", *arguments, *own, variables=variables)

    def apply(self, *options: str, rules: t.Sequence[dict[str, t.Any]] = (), only_on_change: bool = False) -> Finished:
        """Declare the class for this caller, and apply it; 0: nothing to do, 2: changes, 4: failures, 6: both."""
        parameters = {
            "registries": _quoted(json.dumps(self.caller.registries(rules))),
            "secrets": f"Sensitive({{{', '.join(f'{_quoted(name)} => {_quoted(value)}' for name, value in self.caller.secrets.items())}}})",
            "folder": _quoted(str(self.folder)),
            "ansible_playbook": _quoted(str(ANSIBLE_PLAYBOOK)),
            "only_on_change": str(only_on_change).lower(),
            "user": _quoted(getpass.getuser()),
            "environment": f"[{', '.join(_quoted(f'{name}={value}') for name, value in self.caller.ansible.items())}]",
        }
        lines = [f"  {name} => {value}," for name, value in parameters.items()]
        manifest = self.caller.folder / "site.pp"
        manifest.write_text("\n".join(["class { 'registry_migration':", *lines, "}"]), encoding="utf-8")
        return self.run("apply", "--detailed-exitcodes", f"--modulepath={MODULES}", *options, manifest)

    def task(self, **parameters: str) -> Finished:
        """The module's task, as Bolt and Puppet Enterprise run it."""
        given = {f"PT_{name}": value for name, value in parameters.items()}
        own = {"PT_folder": str(self.folder), "PT_ansible_playbook": str(ANSIBLE_PLAYBOOK)}
        return self.caller.run(MODULES / "registry_migration" / "tasks" / "run.sh", variables=self.caller.environment(**own, **given))


def _quoted(text: str) -> str:
    """A string of Puppet's language in which nothing is replaced."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.fixture
def puppet(caller: Caller) -> Puppet:
    if shutil.which("puppet") is None:
        pytest.skip("puppet is not installed: apt-get install puppet-agent")
    return Puppet(caller)


def test_puppet_migrates_what_differs_and_nothing_else(puppet: Puppet, destination: Registry, held: images.ImageSet) -> None:
    would = puppet.apply("--noop", rules=TEAM)
    assert would.status == 0, would.output
    assert not puppet.folder.exists()

    first = puppet.apply(rules=TEAM)
    assert first.status == 2, first.output
    assert compare.tags_of(destination) == _of_team(held)
    # the files were new, but by then there was nothing left to do
    assert first.output.count("Tags copied: 3") == 1
    assert "Tags copied: 0" not in first.output
    assert (puppet.folder / "environment").stat().st_mode & 0o777 == 0o600

    second = puppet.apply(rules=TEAM)
    assert second.status == 0, second.output

    with Client(destination.access) as client:
        digest = held.tags()["team/web", "2.0"]
        client.request("DELETE", f"/v2/team/web/manifests/{digest}", expect=(202,))
    would = puppet.apply("--noop", rules=TEAM)
    assert "registry migration" in would.output
    assert ("team/web", "2.0") not in compare.tags_of(destination)
    third = puppet.apply(rules=TEAM)
    assert third.status == 2, third.output
    assert compare.tags_of(destination) == _of_team(held)


def test_puppet_migrates_when_the_rules_change(puppet: Puppet, source: Registry, destination: Registry, held: images.ImageSet) -> None:
    first = puppet.apply(rules=TEAM, only_on_change=True)
    assert first.status == 2, first.output
    assert compare.tags_of(destination) == _of_team(held)
    asked = len(source.requests())
    second = puppet.apply(rules=TEAM, only_on_change=True)
    assert second.status == 0, second.output
    assert len(source.requests()) == asked
    third = puppet.apply(only_on_change=True)
    assert third.status == 2, third.output
    assert compare.tags_of(destination) == held.tags()


def test_puppet_reports_a_failure(puppet: Puppet, damaged: Registry) -> None:
    puppet.caller.source = damaged
    failed = puppet.apply(rules=TEAM)
    assert failed.status == 6, failed.output  # the files changed, the migration failed
    assert "team/web:2.0" in failed.output
    assert puppet.apply(rules=TEAM).status == 4


def test_the_task_gives_the_playbooks_exit_status(caller: Caller, destination: Registry, held: images.ImageSet) -> None:
    here = Puppet(caller)
    caller.inventory(TEAM, here.folder / "inventory")
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in caller.secrets.items()]
    (here.folder / "environment").write_text("".join(lines), encoding="utf-8")
    assert here.task(playbook="verify").status == 2
    would = here.task(playbook="migrate", _noop="true")
    assert would.status == 0, would.output
    assert "To copy: 3 tags" in would.output
    assert compare.repositories_of(destination) == []
    done = here.task(playbook="migrate")
    assert done.status == 0, done.output
    assert compare.tags_of(destination) == _of_team(held)
    deep = here.task(playbook="verify", variables=json.dumps({"verify_mode": "deep"}))
    assert deep.status == 0, deep.output
    assert "manifests and" in deep.output


def test_puppet_can_read_all_of_the_module(puppet: Puppet) -> None:
    manifests = [EXAMPLES / "puppet" / "site.pp", *MODULES.glob("*/manifests/*.pp")]
    checked = puppet.run("parser", "validate", *manifests)
    assert checked.status == 0, checked.output
    plans = puppet.run("parser", "validate", "--tasks", *MODULES.glob("*/plans/*.pp"))
    assert plans.status == 0, plans.output


def test_the_task_says_what_it_takes() -> None:
    folder = MODULES / "registry_migration"
    description = json.loads((folder / "tasks" / "run.json").read_text(encoding="utf-8"))
    script = (folder / "tasks" / "run.sh").read_text(encoding="utf-8")
    plan = (folder / "plans" / "migrate.pp").read_text(encoding="utf-8")
    assert set(re.findall(r"PT_([a-z][a-z_]*)", script)) == set(description["parameters"])
    playbooks = re.findall(r"'([a-z0-9_]+)'", description["parameters"]["playbook"]["type"])
    assert sorted(playbooks) == sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
    used = re.findall(r"run_task\('registry_migration::run', \$targets, 'playbook' => '([a-z]+)'", plan)
    assert used == ["plan", "migrate", "verify"]
    assert os.access(folder / "tasks" / "run.sh", os.X_OK)


# -- Terraform ---------------------------------------------------------------------------------------------------------

TERRAFORM = EXAMPLES / "terraform"


class Terraform:
    """Terraform or OpenTofu in a copy of examples/terraform/local-exec."""

    def __init__(self, program: str, caller: Caller) -> None:
        self.program = program
        self.caller = caller
        self.folder = caller.folder / "terraform"
        shutil.copytree(TERRAFORM / "local-exec", self.folder)
        self.log = caller.folder / "ansible.log"

    def given(self, **more: t.Any) -> None:
        """Write the variables that are no secrets."""
        registries = {"old_registry": self.caller.source, "new_registry": self.caller.destination}
        values: dict[str, t.Any] = {name: Caller.connection(registry) for name, registry in registries.items()}
        values.update({"state_dir": str(self.caller.folder / "state"), "log": str(self.log), "rules": TEAM, **more})
        write_json(self.folder / "terraform.tfvars.json", values)

    def run(self, command: str, *options: str) -> Finished:
        """A command of Terraform, without questions."""
        variables = self.caller.environment(CHECKPOINT_DISABLE="1", TF_IN_AUTOMATION="1", TF_VAR_secrets=json.dumps(self.caller.secrets))
        return self.caller.run(self.program, command, "-no-color", *options, folder=self.folder, variables=variables)


@pytest.fixture
def terraform_program() -> str:
    program = shutil.which("terraform") or shutil.which("tofu")
    if program is None:
        pytest.skip("neither terraform nor tofu is installed, and no Debian package has them")
    return program


@pytest.fixture
def terraform(terraform_program: str, caller: Caller) -> Terraform:
    made = Terraform(terraform_program, caller)
    made.given()
    begun = made.run("init", "-input=false")
    assert begun.status == 0, begun.output
    return made


def test_terraform_migrates_once_and_when_something_changes(terraform: Terraform, destination: Registry, held: images.ImageSet) -> None:
    valid = terraform.run("validate")
    assert valid.status == 0, valid.output
    applied = terraform.run("apply", "-auto-approve", "-input=false")
    assert applied.status == 0, applied.output
    assert compare.tags_of(destination) == _of_team(held)
    assert "Tags copied: 3" in terraform.log.read_text(encoding="utf-8")
    report = json.loads(terraform.run("output", "-json").output)["report"]["value"]
    assert Path(report).is_file()
    assert terraform.run("plan", "-detailed-exitcode", "-input=false").status == 0

    terraform.given(rules=[{"repositories": {"include": ["tools/cli"]}}, *TEAM])
    assert terraform.run("plan", "-detailed-exitcode", "-input=false").status == 2
    assert terraform.run("apply", "-auto-approve", "-input=false").status == 0
    assert ("tools/cli", "3") in compare.tags_of(destination)
    terraform.given(rules=[{"repositories": {"include": ["tools/cli"]}}, *TEAM], again="2")
    assert terraform.run("plan", "-detailed-exitcode", "-input=false").status == 2

    destroyed = terraform.run("destroy", "-auto-approve", "-input=false")
    assert destroyed.status == 0, destroyed.output
    assert ("tools/cli", "3") in compare.tags_of(destination)
    terraform.caller.assert_secret_below(terraform.folder)
    terraform.caller.assert_secret(terraform.log.read_text(encoding="utf-8"))


def test_terraform_fails_where_something_is_lost_and_tries_again(terraform: Terraform, damaged: Registry, held: images.ImageSet) -> None:
    whole = terraform.caller.source
    terraform.caller.source = damaged
    terraform.given()
    failed = terraform.run("apply", "-auto-approve", "-input=false")
    assert failed.status == 1, failed.output
    assert "exit status 2" in failed.output
    assert terraform.run("plan", "-detailed-exitcode", "-input=false").status == 2
    terraform.caller.source = whole
    terraform.given()
    assert terraform.run("apply", "-auto-approve", "-input=false").status == 0
    assert compare.tags_of(terraform.caller.destination) == _of_team(held)


def test_terraform_finds_its_files_well_formed(terraform_program: str, caller: Caller) -> None:
    variables = caller.environment(CHECKPOINT_DISABLE="1")
    checked = caller.run(terraform_program, "fmt", "-check", "-recursive", "-diff", TERRAFORM, variables=variables)
    assert checked.status == 0, checked.output


def test_the_file_for_the_provider_says_what_it_knows() -> None:
    """The provider cannot be had here: its resource takes these arguments, by its documentation of the releases 1.x."""
    text = (TERRAFORM / "provider" / "main.tf").read_text(encoding="utf-8")
    block = text.partition('resource "ansible_playbook" "migration" {\n')[2].partition("\n}\n")[0]
    arguments = set(re.findall(r"^  ([a-z_]+) +(?:=|\{)", block, re.MULTILINE))
    known = {"playbook", "name", "groups", "replayable", "ignore_playbook_failure", "var_files", "extra_vars", "check_mode", "timeouts"}
    assert {"playbook", "name"} <= arguments <= known
    for name in re.findall(r"\$\{path\.module\}/([a-z.]+)", text):
        assert (TERRAFORM / "provider" / name).is_file()
    assert re.search(r'^  name +(?:=) "localhost"$', block, re.MULTILINE)


def test_what_the_provider_runs(caller: Caller, destination: Registry, held: images.ImageSet) -> None:
    """Its command: an inventory with one host in a group, the variables from a file, and a playbook by its path."""
    variables = document(TERRAFORM / "provider" / "variables.yml")
    for name, registry in (("registry_source", caller.source), ("registry_destination", destination)):
        variables[name].update(Caller.connection(registry))
    inventory = caller.folder / ".inventory-1.ini"
    inventory.write_text("[registry_workers]\nlocalhost\n", encoding="utf-8")
    file = write_json(caller.folder / "variables.yml", variables)
    done = caller.run(
        ANSIBLE_PLAYBOOK, "-e", "hostname=localhost", "-e", f"@{file}", TERRAFORM / "provider" / "migrate.yml", "-i", inventory
    )
    assert done.status == 0, done.output
    assert compare.tags_of(destination) == _of_team(held)


# -- cron and systemd --------------------------------------------------------------------------------------------------


class Installed:
    """What the examples for cron and systemd expect on a machine, in a folder instead of /etc, /opt and /var."""

    def __init__(self, caller: Caller, rules: t.Sequence[dict[str, t.Any]]) -> None:
        self.root = caller.folder / "root"
        etc = self.root / "etc" / "registry-migration"
        caller.inventory(rules, etc / "inventory")
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in caller.secrets.items()]
        (etc / "environment").write_text("".join(lines), encoding="utf-8")
        (self.root / "var" / "log" / "registry-migration").mkdir(parents=True)
        programs = self.root / "opt" / "registry-migration" / "bin"
        programs.mkdir(parents=True)
        (programs / "ansible-playbook").symlink_to(ANSIBLE_PLAYBOOK)

    def text(self, path: Path) -> str:
        """A file of the examples, for this folder."""
        return re.sub(r"(?<![\w.])/(etc|opt|var)/(?=(?:log/)?registry-migration)", rf"{self.root}/\1/", path.read_text(encoding="utf-8"))


def _crontab(text: str) -> tuple[dict[str, str], list[str]]:
    """The variables and the commands of a file in /etc/cron.d."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    entries = [line.split(None, 6) for line in lines if not re.match(r"[A-Z_]+=", line)]
    for *fields, user, command in entries:
        assert len(fields) == 5
        assert all(re.fullmatch(r"[0-9*/,-]+", field) for field in fields)
        assert re.fullmatch(r"[a-z]+", user)
        assert "%" not in command  # cron ends a command there
    return variables, [entry[6] for entry in entries]


def test_cron_is_quiet_where_all_is_well(caller: Caller, destination: Registry, held: images.ImageSet) -> None:
    variables, (command,) = _crontab(Installed(caller, TEAM).text(EXAMPLES / "cron" / "registry-migration"))
    done = caller.run(variables["SHELL"], "-c", command, variables={**variables, **caller.ansible})
    assert done.output == ""
    assert done.status == 0
    assert compare.tags_of(destination) == _of_team(held)


def test_cron_mails_what_failed(damaged: Registry, destination: Registry, tmp_path: Path) -> None:
    caller = Caller(tmp_path, damaged, destination, MARKS)
    variables, (command,) = _crontab(Installed(caller, TEAM).text(EXAMPLES / "cron" / "registry-migration"))
    done = caller.run(variables["SHELL"], "-c", command, variables={**variables, **caller.ansible})
    assert done.output.startswith("exit status 2\n")
    assert "team/web:2.0" in done.output


def _unit(text: str) -> dict[str, list[str]]:
    """The settings of a unit, by name; those that are given more than once have several values."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^([A-Za-z]+)=(.*)$", text, re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def test_the_service_migrates(caller: Caller, destination: Registry, held: images.ImageSet) -> None:
    installed = Installed(caller, TEAM)
    unit = _unit(installed.text(EXAMPLES / "systemd" / "registry-migration.service"))
    assert unit["EnvironmentFile"] == [str(installed.root / "etc" / "registry-migration" / "environment")]
    given = dict(word.split("=", 1) for value in unit["Environment"] for word in value.split())
    assert given["HOME"].endswith(f"/var/lib/{unit['StateDirectory'][0]}")
    (command,) = unit["ExecStart"]
    done = caller.run(*shlex.split(command), variables={**given, **caller.ansible, **caller.secrets})
    assert done.status == 0, done.output
    assert compare.tags_of(destination) == _of_team(held)


def test_systemd_can_read_the_units(caller: Caller) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    installed = Installed(caller, TEAM)
    units = []
    for path in sorted((EXAMPLES / "systemd").iterdir()):
        units.append(caller.folder / path.name)
        units[-1].write_text(installed.text(path), encoding="utf-8")
    checked = caller.run("systemd-analyze", "verify", *units, variables=caller.environment())
    assert checked.status == 0, checked.output
    assert not [line for line in checked.output.splitlines() if "registry-migration" in line], checked.output


# -- the guides --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guide", sorted(path.name for path in GUIDES.glob("*.md")))
def test_guides_lead_to_files_that_exist(guide: str) -> None:
    text = (GUIDES / guide).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert links
    assert [link for link in links if link and not (GUIDES / link).exists()] == []
    named = re.findall(r"\bexamples/[\w./-]*\w", text)
    assert [path for path in named if not (ROOT / path).exists()] == []

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people see of a copy while it runs: in a terminal, in a pipe, through ansible-runner; and how it is stopped and found again.

With REGISTRYOPS_PROGRESS_PICTURE=/path/to/docs/images/progress.svg the picture for the README is written there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import typing as t
import xml.etree.ElementTree
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Rule
from runs.modules import COLLECTIONS, environment
from runs.terminal import Screen, Terminal, as_svg

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.counting import CountingRegistry

#: bytes of all layers, which at PACE bytes a second make a run last for some seconds
LAYERS, LAYER, PACE = 8, 1_000_000, 2_000_000
TAGS = LAYERS
_TAGS_DONE = re.compile(r"(\d+)(?: of |/)8 tags")
_CONNECTION = """
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = '''
name: afar
short_description: as local, but for who asks
description: Its files are another machine's, as far as anybody can tell.
author: tests
version_added: "1"
options: {}
extends_documentation_fragment: [connection_pipelining]
'''


class Connection(Local):
    transport = "afar"
"""


def held(layers: int = LAYERS) -> images.ImageSet:
    """So many tags, each with a layer of its own, in two repositories."""
    made = images.ImageSet()
    for number in range(layers):
        repository = made.repository(f"team/app{number % 2}")
        images.add_image(repository, f"app{number}", [images.layer(f"layer{number}", LAYER)], [f"1.{number}"])
    return made


@dataclasses.dataclass
class Place:
    """A controller with some workers, and two registries."""

    folder: Path
    source: CountingRegistry
    destination: CountingRegistry
    hosts: t.Sequence[str] = ("worker1",)

    def options(self, **more: t.Any) -> dict[str, t.Any]:
        """The task's options beside the connections, for a run that takes some seconds."""
        return {"bytes_per_second": PACE, "workers": 4, "state_dir": str(self.state / "{{ inventory_hostname }}"), **more}

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def journal(self, host: str = "worker1") -> list[dict[str, t.Any]]:
        """The journal of a worker's last run."""
        text = (self.state / host / "progress.jsonl").read_text(encoding="ascii")
        return [json.loads(line) for line in text.splitlines()]

    def outcomes(self, host: str = "worker1") -> list[str]:
        """How the ledger says that the runs have ended."""
        with contextlib.closing(sqlite3.connect(self.state / host / "ledger.sqlite3")) as database:
            return [str(row[0]) for row in database.execute("SELECT outcome FROM runs ORDER BY id")]

    def copied(self) -> int:
        """Tags of the destination."""
        return sum(len(state.tags) for state in self.destination.snapshot().values())

    def written(self, keywords: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> Path:
        """A playbook with one copy, whose result is in `result-<host>.json` afterwards. `keywords` are those of the task."""
        connections = {
            "source": {"url": f"http://{self.source.host}"},
            "destination": {"url": f"http://{self.destination.host}"},
        }
        play = {
            "hosts": "all",
            "gather_facts": False,
            "module_defaults": {"group/registryops.migration.registry": connections},
            "vars": {"registryops_migration_progress_interval": 1, **variables},
            "tasks": [
                {
                    "registryops.migration.registry_image_copy": self.options(**options),
                    "register": "done",
                    "ignore_errors": True,
                    **keywords,
                },
                {
                    "name": "keep",
                    "ansible.builtin.copy": {
                        "content": "{{ done | to_json }}",
                        "dest": str(self.folder / "result-{{ inventory_hostname }}.json"),
                        "mode": "0600",
                    },
                    "check_mode": False,
                    "diff": False,
                    "no_log": False,
                    "delegate_to": "localhost",
                },
            ],
        }
        playbook = self.folder / "project" / "play.yml"
        playbook.parent.mkdir(exist_ok=True)
        playbook.write_text(json.dumps([play]), encoding="utf-8")  # JSON is YAML
        lines = [
            f"{name} ansible_connection=local ansible_python_interpreter={sys.executable}"
            for name in ("localhost", *self.hosts)
            if name != "localhost" or name in self.hosts
        ]
        inventory = self.folder / "inventory" / "hosts"
        inventory.parent.mkdir(exist_ok=True)
        inventory.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return playbook

    def command(
        self,
        *arguments: str,
        keywords: t.Mapping[str, t.Any] | None = None,
        variables: t.Mapping[str, t.Any] | None = None,
        **options: t.Any,
    ) -> list[str]:
        """What to type to run such a playbook."""
        playbook = self.written(keywords or {}, options, variables or {})
        program = Path(sys.executable).with_name("ansible-playbook")
        return [str(program), str(playbook), "-i", str(self.folder / "inventory" / "hosts"), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        (self.folder / "ansible.cfg").touch()
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return environment(
            home,
            # Ansible would look for its own in the home folder that the system knows
            ANSIBLE_ASYNC_DIR=str(home / ".ansible_async"),
            ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
            ANSIBLE_CONFIG=str(self.folder / "ansible.cfg"),
            ANSIBLE_CONNECTION_PLUGINS=str(self.folder / "connections"),
            ANSIBLE_LOCALHOST_WARNING="false",
            LC_ALL="C.UTF-8",
        )

    def run(self, *arguments: str, **how: t.Any) -> str:
        """Run a playbook to its end, with its output in a pipe; returns that."""
        done = subprocess.run(
            self.command(*arguments, **how),
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def result(self, host: str = "worker1") -> dict[str, t.Any]:
        """What the task has returned."""
        result: dict[str, t.Any] = json.loads((self.folder / f"result-{host}.json").read_text(encoding="utf-8"))
        return result

    def terminal(self, *arguments: str, seen: t.Callable[[Screen], None] | None = None, **how: t.Any) -> Terminal:
        """Run a playbook in a terminal."""
        return Terminal(self.command(*arguments, **how), str(self.folder), self.environment, seen=seen)

    @contextlib.contextmanager
    def piped(self, *arguments: str, **how: t.Any) -> t.Iterator[subprocess.Popen[str]]:
        """Run a playbook whose output is read while it runs. It is killed in the end, in case it is still there."""
        with subprocess.Popen(
            self.command(*arguments, **how),
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def leftovers(self) -> list[str]:
        """What has been left where modules in the background keep their results."""
        folder = self.folder / "home" / ".ansible_async"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class MakePlace(t.Protocol):
    """What `place` gives."""

    def __call__(self, *hosts: str) -> Place: ...


@pytest.fixture
def place(counting_registry: MakeCountingRegistry, tmp_path: Path) -> MakePlace:
    """A controller with these workers, by default one."""

    def make(*hosts: str) -> Place:
        source = counting_registry()
        source.load(held())
        return Place(tmp_path, source, counting_registry(), hosts or ("worker1",))

    return make


def wait_until(true: t.Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Poll until something is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def without(result: t.Mapping[str, t.Any], *names: str) -> dict[str, t.Any]:
    return {key: value for key, value in result.items() if key not in names}


# -- where it is shown
def test_in_a_terminal_one_line_changes_and_is_gone_in_the_end(place: MakePlace) -> None:
    here = place()
    rows: list[str] = []
    above: set[str] = set()

    def seen(screen: Screen) -> None:
        lines = screen.lines()
        if lines[-1] and lines[-1] not in rows:
            rows.append(lines[-1])
        above.update(lines[:-1], screen.gone)

    with here.terminal(seen=seen) as terminal:
        terminal.wait_for(r"━.*\d/8 tags")
        assert terminal.screen.bottom == 22
        assert terminal.wait() == 0
        screen = terminal.screen
    assert len([row for row in rows if "━" in row]) > 2
    assert all(row.startswith("worker1  ") for row in rows)
    assert any(re.search(r"\d+%  \d/8 tags  .*/\d\.\d MiB  .*B/s  0:0\d left", row) for row in rows), rows
    # neither was it ever among the other lines, nor is anything left of it
    assert not any("━" in line or "─" in line for line in above)
    assert (screen.top, screen.bottom) == (0, 23)
    text = screen.text()
    assert "━" not in text
    assert re.search(r"\nworker1: 8 copied, 0 failed; \d\.\d MiB in 0:0\d, .*B/s\nchanged: \[worker1\]\n", text), text
    assert here.copied() == TAGS


def test_in_a_pipe_lines_come_while_the_task_runs(place: MakePlace) -> None:
    here = place()
    came: list[tuple[int, float]] = []
    with here.piped() as process:
        assert process.stdout is not None
        output = []
        for line in process.stdout:
            output.append(line)
            if _TAGS_DONE.search(line):
                came.append((here.copied(), time.monotonic()))
        assert process.wait(60) == 0
    text = "".join(output)
    assert len(came) >= 2, text
    # the first of them came when the copy was not done by far, the others a second later each
    assert came[0][0] < TAGS
    assert all(later[1] - earlier[1] > 0.5 for earlier, later in itertools.pairwise(came))
    assert re.search(r"^worker1: \d of 8 tags, \d.* of \d\.\d MiB, .*B/s, about 0:0\d left, 0 failed$", text, re.MULTILINE), text
    assert "\x1b" not in text
    assert "\r" not in text
    assert here.leftovers() == []


def test_through_ansible_runner_events_come_while_the_job_runs(place: MakePlace) -> None:
    import ansible_runner

    here = place()
    here.written({}, {}, {})
    (here.folder / "env").mkdir()
    (here.folder / "env" / "settings").write_text(json.dumps({"suppress_env_files": True}), encoding="utf-8")
    events: list[tuple[str, str, int]] = []

    def take(event: dict[str, t.Any]) -> bool:
        events.append((event["event"], event["stdout"], here.copied()))
        return True

    # what AWX does: a folder with project, inventory and env, whose events are read as they come
    runner = ansible_runner.run(
        private_data_dir=str(here.folder), playbook="play.yml", event_handler=take, quiet=True, envvars=here.environment
    )
    assert runner.status == "successful"
    progress = [(kind, copied) for kind, text, copied in events if _TAGS_DONE.search(text)]
    assert len(progress) >= 2, events
    assert {kind for kind, _copied in progress} == {"verbose"}
    assert progress[0][1] < TAGS
    assert not any("━" in text for _kind, text, _copied in events)
    assert here.copied() == TAGS


def test_two_workers_have_a_line_each(place: MakePlace) -> None:
    here = place("worker1", "second")
    both: list[list[str]] = []
    above: set[str] = set()

    def seen(screen: Screen) -> None:
        lines = screen.lines()
        if all("━" in line for line in lines[-2:]):
            both.append(lines[-2:])
            above.update(lines[:-2], screen.gone)

    shares = "{{ ['team/app0'] if inventory_hostname == 'second' else ['team/app1'] }}"
    with here.terminal(seen=seen, only_repositories=shares) as terminal:
        assert terminal.wait() == 0
        text = terminal.screen.text()
    assert both, text
    assert {line.split()[0] for line in both[-1]} == {"worker1", "second"}
    assert not any("━" in line for line in above)
    assert "━" not in text
    for name in ("worker1", "second"):
        assert len(re.findall(rf"^{name}: 4 copied, 0 failed; ", text, re.MULTILINE)) == 1
        assert f"changed: [{name}]" in text
    assert here.copied() == TAGS


def test_the_picture(place: MakePlace, tmp_path: Path) -> None:
    """What the README shows: two workers in the middle of their work."""
    here = place("worker1", "worker2")
    here.source.load(held(5 * LAYERS))
    here.destination.load(held(2 * LAYERS))
    taken: list[str] = []

    def seen(screen: Screen) -> None:
        if not taken and all(re.search(r"━.* ([4-9]\d)%  .*\+? MiB .* left", line) for line in screen.lines()[-2:]):
            taken.append(as_svg(screen, "ansible-playbook in a terminal, with the progress of two workers below its output"))

    shares = "{{ ['team/app0'] if inventory_hostname == 'worker2' else ['team/app1'] }}"
    play = here.written({"name": "Copy images"}, {"only_repositories": shares, "bytes_per_second": PACE}, {})
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), play.name, "-i", str(here.folder / "inventory" / "hosts")]
    with Terminal(command, str(play.parent), here.environment, rows=10, columns=92, seen=seen) as terminal:
        assert terminal.wait() == 0
    assert taken, terminal.screen.text()
    wanted = os.environ.get("REGISTRYOPS_PROGRESS_PICTURE")
    path = Path(wanted) if wanted else tmp_path / "progress.svg"
    path.write_text(taken[0], encoding="utf-8")
    root = xml.etree.ElementTree.parse(path).getroot()
    words = "".join(root.itertext())
    assert "worker1" in words
    assert "TASK [Copy images]" in words
    assert sum(element.tag.endswith("rect") for element in root.iter()) == 1 + 4


def test_a_connection_to_another_machine_shows_the_same(place: MakePlace) -> None:
    here = place()
    (here.folder / "connections").mkdir()
    (here.folder / "connections" / "afar.py").write_text(_CONNECTION, encoding="utf-8")
    variables = {"ansible_connection": "afar"}
    output = here.run(variables=variables)
    assert len(_TAGS_DONE.findall(output)) >= 2, output
    assert "worker1: 8 copied, 0 failed; " in output
    assert here.leftovers() == []
    here.destination.wipe()
    with here.terminal(variables=variables) as terminal:
        terminal.wait_for(r"━.*\d/8 tags")
        terminal.type("\x03")
        assert terminal.wait(30) == 99
        assert "Run it again, and it goes on." in terminal.screen.text()
    assert here.outcomes() == ["ok", "aborted"]


@pytest.mark.parametrize(("mode", "shows"), [("off", False), ("lines", True)])
def test_it_can_be_switched(place: MakePlace, mode: str, shows: bool) -> None:
    here = place()
    with here.terminal(variables={"registryops_migration_progress": mode}) as terminal:
        assert terminal.wait() == 0
        text = terminal.screen.text()
    assert "━" not in text
    assert bool(_TAGS_DONE.search(text)) == shows
    assert here.copied() == TAGS


# -- the same as the module
def test_a_failure_is_the_module_s_own(place: MakePlace) -> None:
    here = place()
    for number in range(LAYERS):
        here.source.forget_blob(f"team/app{number % 2}", images.layer(f"layer{number}", LAYER).digest)
    results = {}
    for mode in ("off", "lines"):
        here.destination.wipe()
        shutil.rmtree(here.state, ignore_errors=True)
        variables = {"registryops_migration_progress": mode}
        output = here.run("-vvv", "--diff", variables=variables, workers=1, destination=_unchecked(here))
        results[mode] = here.result()
        # how it was called is part of what the task shows
        assert re.search(rf'"invocation": .*"bytes_per_second": {PACE}', output, re.DOTALL), output
    assert results["off"]["failed"]
    assert "could not be copied" in results["off"]["msg"]
    assert results["off"]["warnings"]
    assert without(results["lines"], "seconds", "requests") == without(results["off"], "seconds", "requests")


def _unchecked(here: Place) -> dict[str, t.Any]:
    """Options that bring a warning about."""
    return {"url": f"http://{here.destination.host}", "validate_certs": False}


def test_a_task_that_cannot_begin_fails_as_the_module_does(place: MakePlace) -> None:
    here = place()
    results = []
    for mode in ("off", "auto"):
        here.run(variables={"registryops_migration_progress": mode}, rules=[{"tags": {"semver": "nonsense"}}])
        results.append(here.result())
    assert results[0]["failed"]
    assert results[0]["error"]["kind"] == "invalid_option"
    assert results[0] == results[1]
    assert here.leftovers() == []


def test_a_success_is_the_module_s_own(place: MakePlace) -> None:
    here = place()
    here.run("--diff")
    copied = here.result()
    assert copied["changed"]
    assert copied["counts"]["copied"] == TAGS
    assert copied["diff"]["prepared"].count("added") == 2
    results = []
    for mode in ("off", "auto"):
        here.run("--diff", variables={"registryops_migration_progress": mode})
        results.append(without(here.result(), "seconds"))
    assert results[0] == results[1]
    assert not results[0]["changed"]
    assert copied.keys() == results[0].keys() | {"seconds"}


def test_check_mode_plans_in_the_foreground(place: MakePlace) -> None:
    here = place()
    output = here.run("--check", "--diff")
    assert not _TAGS_DONE.search(output)
    assert here.result()["counts"]["copied"] == TAGS
    assert here.result()["ledger"] == ""
    assert not here.state.exists()
    assert here.copied() == 0


def test_no_log_shows_nothing(place: MakePlace) -> None:
    here = place()
    with here.terminal(keywords={"no_log": True}) as terminal:
        assert terminal.wait() == 0
        text = terminal.screen.text()
    assert here.copied() == TAGS
    assert "━" not in text
    assert "tags" not in text
    assert "copied" not in text


def test_async_and_retries_are_those_of_the_task(place: MakePlace) -> None:
    here = place()
    output = here.run(keywords={"async": 100, "poll": 1})
    assert "ASYNC OK on worker1" in output
    assert not _TAGS_DONE.search(output)
    assert here.result()["counts"]["copied"] == TAGS
    retried = here.run(
        keywords={"retries": 2, "delay": 0, "until": "done is failed", "delegate_to": "localhost", "become": os.geteuid() == 0},
        variables={"ansible_become_method": "su"},
    )
    assert retried.count("FAILED - RETRYING: [worker1 -> localhost]") == 2
    assert here.result()["counts"]["unchanged"] == TAGS
    assert here.result()["attempts"] == 2
    assert here.leftovers() == []


def test_a_wrong_switch_is_said(place: MakePlace) -> None:
    here = place()
    assert "registryops_migration_progress: 'bars' is not known" in here.run(variables={"registryops_migration_progress": "bars"})
    assert "is no number of seconds above 0" in here.run(variables={"registryops_migration_progress_interval": "soon"})


# -- stopping, and coming back
def test_an_interrupt_stops_in_order_and_the_next_run_goes_on(place: MakePlace) -> None:
    here = place()
    with here.terminal(bytes_per_second=PACE / 4) as terminal:
        terminal.wait_for(r"━.*\d/8 tags")
        begun = time.monotonic()
        terminal.type("\x03")
        assert terminal.wait(30) == 99
        took = time.monotonic() - begun
        screen = terminal.screen
    assert took < 15
    assert (screen.top, screen.bottom) == (0, 23)
    text = screen.text()
    assert "User interrupted execution" in text
    last = re.search(r"^worker1: stopped; (\d) of 8 tags are done. Run it again, and it goes on.$", text, re.MULTILINE)
    assert last, text
    assert "━" not in text
    assert int(last[1]) == here.copied() < TAGS
    assert here.outcomes() == ["aborted"]
    end = here.journal()[-1]
    assert end["record"] == "end"
    assert "asked to stop" in end["result"]["msg"]
    assert here.leftovers() == []

    uploaded = {digest for state in here.destination.snapshot().values() for digest in state.blobs}
    here.run(bytes_per_second=0)
    assert here.copied() == TAGS
    assert here.outcomes() == ["aborted", "ok"]
    # what had arrived was not sent again
    assert here.result()["blobs"]["uploaded"] <= 2 * LAYERS - len(uploaded)


def test_a_stuck_transfer_does_not_hold_up_who_wants_to_stop(place: MakePlace) -> None:
    here = place()
    stuck = images.layer("layer3", LAYER).digest
    here.source.behaviour.rules.append(Rule(method="GET", path=stuck, times=None, action="delay", delay=60.0))
    with here.piped(bytes_per_second=0) as process:
        # all but one are done
        wait_until(lambda: here.copied() == TAGS - 1, "the others are not copied")
        begun = time.monotonic()
        (here.state / "worker1" / "stop").touch()
        output, _none = process.communicate(timeout=60)
        assert time.monotonic() - begun < 20, output
    assert "asked to stop" in here.result()["msg"]
    assert here.result()["counts"]["not_attempted"] >= 1
    assert here.outcomes() == ["aborted"]


def test_a_run_is_stopped_while_it_plans(place: MakePlace) -> None:
    here = place()
    here.run(bytes_per_second=0)
    # from now on each tag has to be looked at, and that takes long
    here.source.behaviour.latency = 2.0
    with here.piped(workers=1) as process:
        wait_until(lambda: here.journal()[-1]["record"] == "progress", "there is no journal")
        (here.state / "worker1" / "stop").touch()
        output, _none = process.communicate(timeout=60)
    assert here.result()["error"]["kind"] == "stopped", output
    assert here.outcomes() == ["ok", "aborted"]
    assert not (here.state / "worker1" / "stop").exists()


def test_a_lost_controller_does_not_stop_the_copy_and_the_next_one_attaches(place: MakePlace) -> None:
    here = place()
    # it has to last until another Ansible has begun
    slow = PACE / 4
    with here.piped(bytes_per_second=slow) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if _TAGS_DONE.search(line):
                break
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    first = here.journal()[0]
    output = here.run(bytes_per_second=slow)
    assert f"worker1: this copy is under way already, process {first['pid']}; attached to it" in output
    assert _TAGS_DONE.search(output)
    assert "worker1: 8 copied, 0 failed; " in output
    assert "changed: [worker1]" in output
    # it was one run all along
    assert here.outcomes() == ["ok"]
    assert here.journal()[0]["run"] == first["run"]
    result = here.result()
    assert result["counts"]["copied"] == TAGS
    assert result["changed"]
    assert not result["failed"]
    uploads = [request for request in here.destination.log if request.kind == "upload" and request.method == "PUT"]
    assert len({request.path.partition("digest=")[2] for request in uploads}) == len(uploads)


def test_another_copy_in_the_same_folder_says_who_is_there(place: MakePlace) -> None:
    here = place()
    with here.piped(bytes_per_second=PACE / 8) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if _TAGS_DONE.search(line):
                break
        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        here.run(existing_tags="keep")
        error = here.result()["error"]
        assert error["kind"] == "already_running"
        pid = here.journal()[0]["pid"]
        wanted = f"a copy from {here.source.host} to {here.destination.host} (process {pid}, since "
        assert wanted in error["message"]
        assert "of 8 tags done" in error["message"]
        assert str(here.state / "worker1" / "stop") in error["hint"]
        (here.state / "worker1" / "stop").touch()
        process.wait(60)
        reader.join()
    here.run()
    assert here.copied() == TAGS


def test_a_run_that_is_lost_while_somebody_is_attached_is_told(place: MakePlace) -> None:
    here = place()
    with here.piped(bytes_per_second=PACE / 8) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if _TAGS_DONE.search(line):
                break
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    with here.piped(bytes_per_second=PACE / 8) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "attached to it" in line:
                break
        os.kill(here.journal()[0]["pid"], signal.SIGKILL)
        output = process.stdout.read()
        assert process.wait(60) == 0
    assert "has ended without a result" in output
    assert here.result()["failed"]
    here.run(bytes_per_second=0)
    assert here.copied() == TAGS

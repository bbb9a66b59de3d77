# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration to look at: two real registries on this machine, with TLS and passwords, and all of one copied to the other.

usage: run_demo.py [--folder FOLDER]

It copies, verifies, copies again to show that nothing changes, and stops what it has started. The report of the first run stays in
FOLDER, by default $WORK/demo, or registryops-migration/demo in the user's cache. It ends with 0 only if all of that went well.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).absolute().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from estate import compare, images  # noqa: E402 - found by the line above
from estate.push import push  # noqa: E402
from estate.registry import Registry, RegistryFactory, missing_programs  # noqa: E402

#: what each run of this demo makes anew
MADE_HERE = ("inventory", "registries", "state", "report")
#: how long the first copy takes at least, where somebody watches
SECONDS_TO_WATCH = 6
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_RECAP_LINE = re.compile(r"^(\S+) +: (ok=\d+.*)$")

Recap = dict[str, dict[str, int]]


class DemoFailed(RuntimeError):
    """Something did not go as it has to; the message is for the person who looks."""


@dataclasses.dataclass
class Screen:
    """Headings and remarks between what Ansible prints."""

    colours: bool
    number: int = 0

    def heading(self, text: str) -> None:
        """Begin a step."""
        self.number += 1
        line = f"{self.number}. {text}"
        self.say(f"\n\x1b[1;36m{line}\x1b[0m" if self.colours else f"\n{line}\n{'=' * len(line)}")

    def say(self, text: str) -> None:
        """Print a line now, so that it stays in order with the output of other programs."""
        print(text, flush=True)


@dataclasses.dataclass(frozen=True)
class Playbooks:
    """Runs the collection's playbooks on one inventory."""

    screen: Screen
    inventory: Path

    def run(self, playbook: str, *arguments: str) -> Recap:
        """Run a playbook for everybody to see; returns what its recap counts for each host. DemoFailed if it fails."""
        command = ["ansible-playbook", f"playbooks/{playbook}.yml", "-i", str(self.inventory), *arguments]
        self.screen.say(f"$ {shlex.join(command)}")
        # it writes to the screen itself, so that its progress can change in place there; the log is for this program
        log = self.inventory.parent / "ansible.log"
        log.unlink(missing_ok=True)
        environment = {**os.environ, "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false", "ANSIBLE_LOG_PATH": str(log)}
        environment["ANSIBLE_FORCE_COLOR" if self.screen.colours else "ANSIBLE_NOCOLOR"] = "true"
        started = time.monotonic()
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL) as process:
            try:
                process.wait()
            except BaseException:
                process.terminate()  # an interrupt at the terminal has reached it already
                raise
        if process.returncode:
            raise DemoFailed(f"{playbook}.yml has failed, with exit code {process.returncode}.")
        self.screen.say(f"{time.monotonic() - started:.1f} s")
        # a line of the log: when and who, then what was said
        return recap_of(line.partition("| ")[2] for line in log.read_text(encoding="utf-8").splitlines())


def recap_of(lines: t.Iterable[str]) -> Recap:
    """`{host: {ok: 15, changed: 1, …}}` from the lines of ansible-playbook."""
    recap: Recap = {}
    for line in lines:
        match = _RECAP_LINE.match(_COLOUR.sub("", line))
        if match:
            recap[match[1]] = {name: int(number) for name, number in (word.split("=") for word in match[2].split())}
    if not recap:
        raise DemoFailed("ansible-playbook has printed no recap.")
    return recap


def default_folder() -> Path:
    """Where the demo puts its files unless it is told."""
    if os.environ.get("WORK"):
        return Path(os.environ["WORK"]) / "demo"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "registryops-migration" / "demo"


def write_inventory(folder: Path, source: Registry, destination: Registry, work: Path) -> Path:
    """An inventory with one worker, this machine, in the form of examples/inventory; returns its folder."""
    documents = {
        "hosts.yml": {
            "registry_workers": {
                "hosts": {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}}
            }
        },
        "group_vars/all/registries.yml": {
            "registry_source": _connection(source),
            "registry_destination": _connection(destination),
            "registry_state_dir": str(work / "state"),
            "registry_report_dir": str(work / "report"),
        },
    }
    for name, document in documents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")  # JSON is YAML
    return folder


def _connection(registry: Registry) -> dict[str, str]:
    access = registry.access
    return {"url": registry.host, "username": access.user, "password": access.password, "ca_path": str(access.ca_file)}


def demonstrate(screen: Screen, work: Path) -> None:
    """The whole demo; DemoFailed where it does not show what it ought to."""
    with RegistryFactory(work / "registries") as registries:
        screen.heading("Two registries, with TLS by a CA of their own and different passwords")
        source = registries.start("source", tls=True, users={"reader": secrets.token_urlsafe()})
        destination = registries.start("destination", tls=True, users={"writer": secrets.token_urlsafe()})
        held = images.demo_set()
        push(source.url, held, source.access.user, source.access.password, source.ca_file)
        screen.say(f"source       {source.url}  user reader")
        screen.say(f"destination  {destination.url}  user writer, empty")
        for name, repository in sorted(held.repositories.items()):
            # tags that belong to a digest (signatures, bills of materials) would fill the screen
            screen.say(f"  {name:30} {', '.join(tag if len(tag) < 30 else f'{tag[:14]}…{tag[71:]}' for tag in repository.tags)}")
        screen.say(f"  {len(held.tags())} tags, {len(held.unique_blobs())} unique blobs, {held.blob_bytes() / (1 << 20):.1f} MiB")
        playbooks = Playbooks(screen, write_inventory(work / "inventory", source, destination, work))

        screen.heading("Migrate")
        if sys.stdout.isatty():
            # as slow as over a distance, or there would be nothing to see
            playbooks.run("migrate", "-e", f"copy_images_bytes_per_second={held.blob_bytes() // SECONDS_TO_WATCH}")
        else:
            playbooks.run("migrate")

        screen.heading("Verify, to the last layer")
        playbooks.run("verify", "-e", "verify_mode=deep")

        screen.heading("Migrate again: nothing changes")
        # the report of the first run is the one to look at
        recap = playbooks.run("migrate", "--skip-tags", "report")
        changed = sum(host["changed"] for host in recap.values())
        if changed:
            raise DemoFailed(f"the second run reports {changed} changes; there has to be none.")

        screen.heading("Result")
        document = json.loads((work / "report" / "report.json").read_text(encoding="utf-8"))
        if document["counts"] != {"copied": len(held.tags())}:
            raise DemoFailed(f"the report is not that of the first run, which copied everything: {document['counts']}.")
        there = compare.tags_of(destination)
        if not there or there != compare.tags_of(source) or there != held.tags():
            raise DemoFailed("read by another client, the registries do not hold the same.")
        screen.say(f"The second run: changed={changed}")
        screen.say(f"Another client finds the same {len(there)} tags with the same digests on both sides.")
        reports = sorted((work / "report").glob("report.*"))
        if not {"report.csv", "report.json"} <= {path.name for path in reports}:
            raise DemoFailed(f"there is no report.json or no report.csv in {work / 'report'}.")
        for path in reports:
            screen.say(f"{path.name:12} {path}")


def clear(work: Path, names: t.Iterable[str] = MADE_HERE) -> None:
    """Remove what a demo has made."""
    for name in names:
        shutil.rmtree(work / name, ignore_errors=True)


def main(arguments: t.Sequence[str]) -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(description="Two registries on this machine, and a migration between them.")
    parser.add_argument("--folder", type=Path, default=default_folder(), help="where the report is left (default: %(default)s)")
    work = parser.parse_args(arguments).folder.absolute()
    missing = missing_programs("ansible-playbook", "docker-registry", "htpasswd")
    if missing or "ANSIBLE_COLLECTIONS_PATH" not in os.environ:
        print(f"Run the demo with 'make demo', which sets up what is missing here: {', '.join(missing) or 'the path of the collection'}.")
        return 1
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(128 + signal.SIGTERM))
    clear(work)
    work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    screen = Screen(sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    try:
        demonstrate(screen, work)
    except DemoFailed as failure:
        print(f"\nThe demo has failed: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the registries are stopped.", file=sys.stderr)
        return 128 + signal.SIGINT
    finally:
        clear(work, ["registries"])
    screen.say(f"\nBoth registries are stopped. The demo took {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

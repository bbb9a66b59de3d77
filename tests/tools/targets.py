# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The targets of the Makefile that need more than a shell.

usage: targets.py TARGET CHECKOUT WORK

CHECKOUT is only read, except by "format", "bench", "reliability" and "providers". Everything that is made goes below WORK, where
setup.sh has put the virtual environment. Tools that would disturb each other each get a copy of the collection of their own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

from collection_copy import copy_collection

PACKAGE = "ansible_collections.registryops.migration"

#: what a person has set for their own work with Python, Ansible, registries or proxies must not decide a test
NOT_PASSED_ON = ("ANSIBLE_", "DOCKER_", "FORCE_COLOR", "GIT_", "MAKE", "MFLAGS", "PYTEST_", "PYTHON", "REGISTRY_AUTH_FILE", "XDG_")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclasses.dataclass(frozen=True)
class Step:
    """One command, run in the root of a copy of the collection; `copy` names the copy."""

    name: str
    copy: str
    command: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Workplace:
    """The paths that every target needs."""

    checkout: Path
    work: Path

    @property
    def programs(self) -> Path:
        return self.work / "venv" / "bin"

    def collections(self, copy: str) -> Path:
        return self.work / ("collections" if copy == "tests" else f"collections-{copy}")

    @contextlib.contextmanager
    def copied(self, *copies: str) -> t.Iterator[dict[str, Path]]:
        """Bring copies up to date and keep other runs away from them; gives each copy's root."""
        with contextlib.ExitStack() as locks:
            for copy in sorted(copies):
                lock = locks.enter_context(open(self.work / f"collections-{copy}.lock", "w", encoding="utf-8"))
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    print(f"Waiting for another run in {self.collections(copy)}", flush=True)
                    fcntl.flock(lock, fcntl.LOCK_EX)
            yield {copy: copy_collection(self.checkout, self.collections(copy)) for copy in copies}

    def environment(self, copy: str) -> dict[str, str]:
        """The environment of every tool: this one's less what would make results depend on who runs it."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON) and name.upper() not in PROXIES
        }
        collections = self.collections(copy)
        environment.update(
            ANSIBLE_COLLECTIONS_PATH=str(collections),
            ANSIBLE_CONFIG=str(self.work / "home" / "ansible.cfg"),
            ANSIBLE_HOME=str(self.work / "home" / ".ansible"),
            HOME=str(self.work / "home"),
            LC_ALL="C.UTF-8",
            MYPYPATH=str(collections),
            MYPY_CACHE_DIR=str(self.work / "cache" / f"mypy-{copy}"),
            PATH=f"{self.programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            # beside the copies, which stay as they are
            PYTHONPYCACHEPREFIX=str(self.work / "cache" / "bytecode"),
            RUFF_CACHE_DIR=str(self.work / "cache" / "ruff"),
            VIRTUAL_ENV=str(self.work / "venv"),
        )
        return environment


RUFF = (
    Step("ruff check", "lint", ("ruff", "check", "--quiet", ".")),
    Step("ruff format", "lint", ("ruff", "format", "--quiet", "--diff", ".")),
)
MYPY = Step("mypy", "lint", ("mypy", "--config-file", ".mypy.ini", "-p", f"{PACKAGE}.plugins"))
LINT = (
    *RUFF,
    Step("yamllint", "lint", ("yamllint", "--strict", ".")),
    # code below plugins/ runs on Python 3.9 and later: ruff knows that version's syntax, this its standard library
    Step("vermin", "lint", ("vermin", "--target=3.9-", "--violations", "--no-tips", "plugins")),
    Step("reuse", "lint", ("reuse", "lint", "--lines")),
    Step("antsibull-changelog", "lint", ("antsibull-changelog", "lint")),
    MYPY,
    Step(
        "antsibull-docs",
        "lint",
        ("antsibull-docs", "lint-collection-docs", ".", "--plugin-docs", "--skip-rstcheck", "--validate-collection-refs=all"),
    ),
    Step("ansible-lint", "lint", ("ansible-lint", "--profile", "production", "--offline", "--strict", "-q")),
)
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
ANSIBLE_TEST = ("--local", "--color", "no", "--python", PYTHON_VERSION)
SANITY = Step("ansible-test sanity", "sanity", ("ansible-test", "sanity", *ANSIBLE_TEST))
UNITS = Step("ansible-test units", "units", ("ansible-test", "units", *ANSIBLE_TEST))


class Run:
    """Runs steps, several at a time if asked to. The first that fails ends the others, unless all results are wanted."""

    def __init__(self, workplace: Workplace, roots: dict[str, Path], target: str, all_results: bool = False) -> None:
        self.workplace = workplace
        self.roots = roots
        self.target = target
        self.all_results = all_results
        self.failures: list[str] = []
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def lanes(self, *lanes: t.Sequence[Step]) -> bool:
        """Run lanes side by side, each lane's steps one after the other; says whether all went well."""
        threads = [threading.Thread(target=self._lane, args=(lane,), daemon=True) for lane in lanes]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self._end_all()
        if self.failures:
            logs = self.workplace.work / "logs"
            print(f"make {self.target}: {', '.join(self.failures)} failed; what was said is above and in {logs}", flush=True)
        return not self.failures

    def _over(self) -> bool:
        return bool(self.failures) and not self.all_results

    def _lane(self, steps: t.Sequence[Step]) -> None:
        for step in steps:
            self._step(step)

    def _step(self, step: Step) -> None:
        log_path = self.workplace.work / "logs" / f"{self.target}-{step.name.replace(' ', '-')}.log"
        begin = time.monotonic()
        with open(log_path, "wb") as log:
            with self._lock:
                if self._over():
                    return
                process = subprocess.Popen(
                    step.command,
                    cwd=self.roots[step.copy],
                    env={**self.workplace.environment(step.copy), "NO_COLOR": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self._running.add(process)
            status = process.wait()
        seconds = time.monotonic() - begin
        with self._lock:
            self._running.discard(process)
            if self._over():  # ended because another one has failed
                return
            if status == 0:
                print(f"ok     {seconds:6.1f} s  {step.name}", flush=True)
                return
            self.failures.append(step.name)
            print(f"FAILED {seconds:6.1f} s  {step.name}: {shlex.join(step.command)}\n", flush=True)
            print(log_path.read_text(encoding="utf-8", errors="replace"), flush=True)
        if self._over():
            self._end_all()

    def _end_all(self) -> None:
        with self._lock:
            running = list(self._running)
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def pytest(workplace: Workplace, roots: dict[str, Path], copy: str, *arguments: str) -> int:
    """Run pytest for everybody to see; its closing line is the last that is printed."""
    print(f"       pytest {shlex.join(arguments)}", flush=True)
    cache = f"cache_dir={workplace.work / 'cache' / 'pytest'}"
    return _foreground(workplace, copy, roots[copy], "pytest", "-o", cache, *arguments)


def _foreground(workplace: Workplace, copy: str, root: Path, *command: str, **variables: str) -> int:
    process = subprocess.Popen(command, cwd=root, env={**workplace.environment(copy), **variables})
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it has got the signal too, and tidies up
            continue


def extra_arguments() -> list[str]:
    """What the person asked for with ARGS="..."."""
    return shlex.split(os.environ.get("ARGS", ""))


def lint(workplace: Workplace) -> int:
    with workplace.copied("lint") as roots:
        return 0 if Run(workplace, roots, "lint", all_results=True).lanes(LINT) else 1


def test(workplace: Workplace) -> int:
    with workplace.copied("lint", "sanity", "units", "tests") as roots:
        print("Beside each other: ansible-test sanity, and all other checks in turn", flush=True)
        if not Run(workplace, roots, "test").lanes([*LINT, UNITS], [SANITY]):
            return 1
        # most of the time goes into waiting for servers; the tests of a file share registries; and in the end, when there are no more
        # files for all workers, come those that are done in a moment
        workers = ("-n", str((os.cpu_count() or 1) + 1), "--dist", "loadfile", "--no-loadscope-reorder")
        return pytest(workplace, roots, "tests", *workers, "tests/live", "tests/unit")


def test_sanity(workplace: Workplace) -> int:
    with workplace.copied("sanity") as roots:
        return _foreground(workplace, "sanity", roots["sanity"], *SANITY.command, *extra_arguments())


def test_quick(workplace: Workplace) -> int:
    with workplace.copied("quick") as roots:
        steps = [dataclasses.replace(step, copy="quick") for step in (*RUFF, MYPY)]
        if not Run(workplace, roots, "test-quick").lanes(steps):
            return 1
        return pytest(workplace, roots, "quick", "tests/unit", *extra_arguments())


def test_live(workplace: Workplace) -> int:
    with workplace.copied("live") as roots:
        return pytest(workplace, roots, "live", "tests/live", *extra_arguments())


def format_files(workplace: Workplace) -> int:
    for arguments in (("check", "--fix-only", "--show-fixes"), ("format",)):
        _foreground(workplace, "lint", workplace.checkout, "ruff", *arguments, ".")
    return _foreground(workplace, "lint", workplace.checkout, "ruff", "check", ".")


def demo(workplace: Workplace) -> int:
    with workplace.copied("demo") as roots:
        command = ("python", "tests/demo/run_demo.py", *extra_arguments())
        return _foreground(workplace, "demo", roots["demo"], *command, WORK=str(workplace.work))


def bench(workplace: Workplace) -> int:
    with workplace.copied("bench") as roots:
        places = ("--work", str(workplace.work / "bench"), "--docs", str(workplace.checkout / "docs" / "benchmarks.md"))
        command = ("python", "-m", "bench", *extra_arguments(), *places)
        return _foreground(workplace, "bench", roots["bench"], *command, PYTHONPATH=str(roots["bench"] / "tests"))


def reliability(workplace: Workplace) -> int:
    with workplace.copied("live") as roots:
        page = workplace.checkout / "docs" / "reliability.md"
        return pytest(workplace, roots, "live", "tests/live", "-m", "fault", "--reliability", str(page))


def providers(workplace: Workplace) -> int:
    with workplace.copied("quick") as roots:
        command = ("python", "tests/tools/providers_page.py", str(workplace.checkout / "docs" / "providers.md"))
        return _foreground(workplace, "quick", roots["quick"], *command, PYTHONPATH=str(workplace.collections("quick")))


def build(workplace: Workplace) -> int:
    with workplace.copied("build") as roots:
        command = ("ansible-galaxy", "collection", "build", "--force", "--output-path", str(workplace.work / "build"))
        return _foreground(workplace, "build", roots["build"], *command)


TARGETS: t.Mapping[str, t.Callable[[Workplace], int]] = {
    "lint": lint,
    "test": test,
    "test-sanity": test_sanity,
    "test-quick": test_quick,
    "test-live": test_live,
    "format": format_files,
    "demo": demo,
    "bench": bench,
    "reliability": reliability,
    "providers": providers,
    "build": build,
}


def main(target: str, checkout: str, work: str) -> int:
    workplace = Workplace(Path(checkout), Path(work))
    for folder in ("build", "cache", "home", "logs"):
        (workplace.work / folder).mkdir(parents=True, exist_ok=True)
    (workplace.work / "home" / "ansible.cfg").touch()
    # Popen looks a command up on this process's PATH, not on the one that it is given.
    os.environ["PATH"] = workplace.environment("tests")["PATH"]
    # An ordered end must end the tools as well: they are in sessions of their own.
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(128 + signal.SIGTERM))
    try:
        return TARGETS[target](workplace)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

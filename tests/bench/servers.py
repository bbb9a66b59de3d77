# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two registries of a benchmark: what they hold, what they were asked, and what it cost them.

Contents are pushed once and kept as folders of docker-registry's storage. For each run both registries are started anew, so that no
contender finds caches that another one has filled; the destination has a port of its own each time, unless a ledger has to know it
again, so that what tools remember about an address is about this run.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from estate.client import Access, Client
from estate.images import ALL_MANIFESTS
from estate.ports import free_port
from estate.process import ProcessFailed, ServerProcess
from estate.registry import Registry, RegistryFactory

from bench.workloads import Content, generator_hash, push_seed

#: Go's default of 100 halves what docker-registry answers, which would hide how clients differ
SERVER_ENVIRONMENT = {"GOGC": "800"}
SHARED_MEMORY = Path("/dev/shm")
_PREFIX = "registryops-bench-"
_TICKS = os.sysconf("SC_CLK_TCK")
_POLL = 0.05
_ATTEMPTS = 5
_ACCEPT = ", ".join(ALL_MANIFESTS)


# -- folders -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def run_folder(work: Path, room: int) -> t.Iterator[Path]:
    """A folder for one run, in memory if that has so many bytes of room; what a killed run has left there is removed first."""
    shared = SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK)
    for parent in (SHARED_MEMORY, work) if shared else (work,):
        for path in parent.glob(f"{_PREFIX}*"):
            _remove_unless_in_use(path)
    in_memory = shared and shutil.disk_usage(SHARED_MEMORY).free > room
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=SHARED_MEMORY if in_memory else work))
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_unless_in_use(folder: Path) -> None:
    with contextlib.suppress(OSError), open(folder / "lock", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)


def copy_folder(source: Path, target: Path) -> None:
    """Make `target` a copy of `source`, in place of what it was. (`cp` is several times faster than shutil with small files.)"""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", "--", str(source), str(target)], check=True)


@dataclasses.dataclass(frozen=True)
class Seed:
    """A content that was pushed before: docker-registry's storage, and what is in it."""

    data: Path
    content: Content


def seed(name: str, work: Path, say: t.Callable[[str], None]) -> Seed:
    """The seed of that name, made now if there is none of this generator."""
    folder = work / "seeds" / f"{name}-{generator_hash()}"
    if not (folder / "content.json").exists():
        for outdated in folder.parent.glob(f"{name}-{'?' * len(generator_hash())}"):
            shutil.rmtree(outdated)
        say(f"pushing {name} for the first time")
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix="making-", dir=folder.parent))
        try:
            with RegistryFactory(made) as factory:
                registry = factory.start("seed", data=made / "data", environment=SERVER_ENVIRONMENT)
                content = push_seed(name, registry.url)
            shutil.rmtree(made / "seed")
            (made / "content.json").write_text(json.dumps(content.as_document()), encoding="utf-8")
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return Seed(folder / "data", Content.from_document(json.loads((folder / "content.json").read_text(encoding="utf-8"))))


# -- what a registry did -----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Served:
    """What one registry did during a run.

    `requests`: by method and what was asked for; `sent`: bytes of the bodies of its answers; `read`: bytes that its process has read,
    from the network and (few) from files; `cpu`: seconds.
    """

    requests: dict[str, int]
    errors: dict[str, int]
    sent: int
    read: int
    cpu: float

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())


def kind_of(path: str) -> str:
    """What a path of the distribution API asks for."""
    path, _question, query = path.partition("?")
    if "/blobs/uploads" in path:
        return "mount" if "mount=" in query else "upload"
    for part in ("manifests", "blobs", "referrers"):
        if f"/{part}/" in path:
            return part
    if path.endswith("/tags/list"):
        return "tags"
    return "catalogue" if path.endswith("/_catalog") else "ping" if path.rstrip("/") == "/v2" else "other"


class Server:
    """A docker-registry whose work is counted from its last start."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._begin = self._spent()

    @property
    def host(self) -> str:
        """`address:port`."""
        return self.registry.host

    def renew(self, data: Path | None = None) -> None:
        """Start it again on its port with a copy of this storage, or with its own, and with an empty log."""
        self.registry.stop()
        if data is not None:
            copy_folder(data, self.registry.data)
        os.truncate(self.registry.log_path, 0)  # it is written to at its end, wherever that is
        self.registry.restart()
        self._begin = self._spent()

    def _spent(self) -> tuple[float, int]:
        """CPU seconds and bytes read so far."""
        process = Path(f"/proc/{self.registry.pid}")
        fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        lines = dict(line.split(": ") for line in (process / "io").read_text(encoding="ascii").splitlines())
        return (int(fields[11]) + int(fields[12])) / _TICKS, int(lines["rchar"])

    def served(self) -> Served:
        """What it did since it was started. Waits until its log has come to rest: a large answer is logged after its last byte."""
        cpu, read = self._spent()
        size, deadline = -1, time.monotonic() + 10
        while size != (size := self.registry.log_path.stat().st_size) and time.monotonic() < deadline:
            time.sleep(_POLL)
        requests: collections.Counter[str] = collections.Counter()
        errors: collections.Counter[str] = collections.Counter()
        sent = 0
        for request in self.registry.requests():
            asked = f"{request.method} {kind_of(request.path)}"
            requests[asked] += 1
            sent += request.size
            # 404 is how a registry says that there is nothing yet
            if request.status >= 400 and request.status != 404:
                errors[f"{asked} {request.status}"] += 1
        return Served(dict(requests), dict(errors), sent, read - self._begin[1], cpu - self._begin[0])


class Stage:
    """Source and destination of a benchmark, in its folder."""

    def __init__(self, folder: Path, round_trip: float) -> None:
        self._folder = folder
        self._round_trip = round_trip
        self._factory = RegistryFactory(folder / "registries")
        self._proxies: list[ServerProcess] = []
        self._number = 0
        self.source: Server | None = None
        self.destination: Server | None = None
        self._addresses: dict[str, str] = {}

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *error: object) -> None:
        for proxy in self._proxies:
            proxy.stop()
        self._factory.stop()

    def start_source(self, data: Path) -> Server:
        """The source with this storage; it keeps its port."""
        if self.source is None:
            self.source = self._start("source")
        self.source.renew(data)
        return self.source

    def start_destination(self, data: Path | None, keep_port: bool) -> Server:
        """A destination with this storage, or an empty one."""
        if self.destination is not None and not keep_port:
            self.destination.registry.stop()
            self._drop_proxy(self.destination.host)
            shutil.rmtree(self.destination.registry.folder, ignore_errors=True)
            self.destination = None
        if self.destination is None:
            self._number += 1
            self.destination = self._start(f"destination-{self._number}")
        empty = self._folder / "empty"
        empty.mkdir(exist_ok=True)
        self.destination.renew(data or empty)
        return self.destination

    def _start(self, name: str) -> Server:
        server = Server(self._factory.start(name, environment=SERVER_ENVIRONMENT))
        if self._round_trip:
            self._addresses[server.host] = self._forward(server.registry.port, name)
        return server

    def address(self, server: Server) -> str:
        """How contenders reach a server: through the proxy where there is a round-trip time."""
        return self._addresses.get(server.host, server.host)

    def _forward(self, target: int, name: str) -> str:
        tests = str(Path(__file__).resolve().parents[1])
        environment = {**os.environ, "PYTHONPATH": tests}
        for attempt in range(_ATTEMPTS):
            port = free_port()
            command = [sys.executable, "-m", "bench.delay_proxy", f"{self._round_trip:g}", f"{port}:{target}"]
            log = self._folder / f"proxy-{name}.log"
            try:
                self._proxies.append(ServerProcess(command, port=port, log_path=log, environment=environment))
            except ProcessFailed as failure:
                if "in use" not in str(failure) or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return f"127.0.0.1:{port}"
        raise AssertionError("the loop above returns or raises")

    def _drop_proxy(self, host: str) -> None:
        address = self._addresses.pop(host, "")
        for proxy in self._proxies:
            if address.endswith(f":{proxy.port}"):
                proxy.stop()


# -- comparing ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Difference:
    """Tags of the source that the destination lacks, or has with another digest; the first of them by name."""

    missing: int
    differing: int
    examples: tuple[str, ...]

    @property
    def total(self) -> int:
        """Tags that are not as they should be."""
        return self.missing + self.differing


def compare(url: str, content: Content, workers: int = 4) -> Difference:
    """Ask the destination for the digest of every tag that the source has. (It takes no manifest whose blobs it does not have.)"""
    wrong: list[tuple[str, str]] = []
    wanted = [(repository, tag, digest) for repository, tags in content.tags.items() for tag, digest in tags.items()]

    def check(part: t.Sequence[tuple[str, str, str]]) -> None:
        for repository, tag, digest in part:
            answer = client.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": _ACCEPT}, expect=(200, 404))
            if answer.header("Docker-Content-Digest") != digest:
                wrong.append((f"{repository}:{tag}", "missing" if answer.status == 404 else "differs"))

    with Client(Access(url)) as client:
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            for future in [pool.submit(check, wanted[number::workers]) for number in range(workers)]:
                future.result()
    missing = sum(what == "missing" for _name, what in wrong)
    return Difference(missing, len(wrong) - missing, tuple(f"{name} {what}" for name, what in sorted(wrong)[:5]))

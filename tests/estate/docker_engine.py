# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker engine of the tests' own: Debian's docker.io on a socket and with a data folder of its own, without bridge and iptables."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
import typing as t
from pathlib import Path

from estate import ports

if t.TYPE_CHECKING:
    from estate.certificates import CertificateAuthority

_POLL = 0.05  # seconds between two looks
_PATIENCE = 60.0
_ATTEMPTS = 5


class EngineMissing(RuntimeError):
    """There is no engine on this machine, or it does not start here; the message is one sentence."""


class DockerEngine:
    """An engine that answers on `url` when the constructor returns; with an `authority` also on `tls_url`, to those with a certificate."""

    def __init__(self, authority: CertificateAuthority | None = None, *, data: Path | None = None) -> None:
        """`data`: where its images are kept; by default below a folder that `close` removes. Raises EngineMissing."""
        program = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            raise EngineMissing("there is no Docker engine here: apt-get install --no-install-recommends docker.io")
        if os.geteuid() != 0:
            raise EngineMissing("a Docker engine is only started by root")
        # a socket's path is 107 bytes long at the most
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))
        self.socket = self.folder / "socket"
        self.url = f"unix://{self.socket}"
        self.tls_url = ""
        self._command = [
            *(program, "--data-root", str(data or self.folder / "data"), "--exec-root", str(self.folder / "run")),
            *("--pidfile", str(self.folder / "pid"), "--config-file", str(self.folder / "none.json")),
            *("--bridge=none", "--iptables=false", "--ip6tables=false", "--insecure-registry", "127.0.0.0/8"),
            # works on every file system, also on one in memory
            *("--storage-driver", "vfs", "--debug", "-H", self.url),
        ]
        (self.folder / "none.json").write_text("{}", encoding="utf-8")
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start(authority)
            import docker

            self.client: t.Any = docker.APIClient(base_url=self.url, version="auto", timeout=120)
        except BaseException:
            self.close()
            raise

    def _start(self, authority: CertificateAuthority | None) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                self._wait(self._run(authority))
            except EngineMissing as missing:
                # another process may have been given the port meanwhile
                if "address already in use" not in str(missing) or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def _run(self, authority: CertificateAuthority | None) -> subprocess.Popen[bytes]:
        listening = []
        if authority is not None:
            pair = authority.server()
            self.tls_url = f"tcp://127.0.0.1:{ports.free_port()}"
            certificates = [f"--tlscacert={authority.certificate}", f"--tlscert={pair.certificate}", f"--tlskey={pair.key}"]
            listening = ["-H", self.tls_url, "--tlsverify", *certificates]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([*self._command, *listening], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        return self._process

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if process.poll() is not None:
                lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
                raise EngineMissing(f"a Docker engine does not start here: {lines[-1]}")
            if "API listen on" in self._log.read_text(encoding="utf-8", errors="replace"):
                return
            time.sleep(_POLL)
        raise EngineMissing(f"a Docker engine does not answer here within {_PATIENCE:g} seconds")

    # -- images
    def build(self, name: str, files: t.Sequence[tuple[str, bytes]]) -> str:
        """An image with a layer for each file (path, content), under `repository:tag`; returns its ID. Nothing is run for it."""
        (first, content), *more = files
        repository, _separator, tag = name.rpartition(":")
        self.client.import_image_from_data(_archive([(first, content)]), repository=repository, tag=tag)
        if more:
            steps = [f"FROM {name}", *(f"COPY {number} /{path}" for number, (path, _content) in enumerate(more)), "ENV BUILT=1"]
            context = [("Dockerfile", "\n".join(steps).encode()), *((str(number), one) for number, (_path, one) in enumerate(more))]
            said = list(self.client.build(fileobj=io.BytesIO(_archive(context)), custom_context=True, tag=name, rm=True, decode=True))
            assert not any("error" in line for line in said), said
        return self.id_of(name)

    def id_of(self, name: str) -> str:
        """The ID of an image."""
        identity: str = self.client.inspect_image(name)["Id"]
        return identity

    def tag(self, name: str, other: str) -> None:
        """Give an image another name."""
        repository, _separator, tag = other.rpartition(":")
        assert self.client.tag(name, repository, tag)

    def push(self, name: str) -> str:
        """Push an image to where its name says; returns the digest that the engine gave it."""
        said = [json.loads(line) for line in self.client.push(name).splitlines() if line.strip()]
        assert not any("error" in line for line in said), said
        (digest,) = [line["aux"]["Digest"] for line in said if "aux" in line]
        return str(digest)

    def pull(self, name: str) -> str:
        """Pull an image; returns its ID."""
        repository, _separator, tag = name.rpartition(":")
        self.client.pull(repository, tag=tag)
        return self.id_of(name)

    def names(self) -> set[str]:
        """All names of images."""
        return {name for image in self.client.images() for name in image["RepoTags"] or ()} - {"<none>:<none>"}

    def forget(self, *names: str) -> None:
        """Remove names, and images with their last one."""
        for name in names:
            self.client.remove_image(name)

    def exports(self) -> int:
        """How many images have been exported so far, as the engine's log has it."""
        return len(re.findall(r"Calling GET \S*/images/\S+/get", self._log.read_text(encoding="utf-8", errors="replace")))

    def close(self) -> None:
        """Stop it, and remove what was its own."""
        with contextlib.suppress(AttributeError):
            self.client.close()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
        for mount in sorted((one for one in mounts if one.startswith(f"{self.folder}/")), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> DockerEngine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _archive(files: t.Iterable[tuple[str, bytes]]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in files:
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()

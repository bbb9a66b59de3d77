# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docker-registry 0.9.1, the last server that speaks v1, on the CPython 2.7 that it was made for.

It is installed once, into the folder where make keeps its virtual environment, with the versions of its libraries that it needs; its own
requirements can no longer be met as they are written.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tarfile
import tempfile
import typing as t
from pathlib import Path

from estate import ports
from estate.process import ProcessFailed, ServerProcess

if t.TYPE_CHECKING:
    from estate.v1_index import V1Index

_ATTEMPTS = 5
_SERVER = "docker-registry==0.9.1"
_CORE = "docker-registry-core==2.0.3"
_LIBRARIES = (
    *("Flask==0.10.1", "Werkzeug==0.14.1", "Jinja2==2.10.3", "MarkupSafe==1.1.1", "itsdangerous==0.24", "PyYAML==5.3.1"),
    *("requests==2.3.0", "SQLAlchemy==0.9.4", "blinker==1.3", "redis==2.10.6", "setuptools==44.1.1", "gunicorn==19.10.0"),
    *("gevent==21.1.2", "greenlet==1.1.3.post0", "zope.event==4.6", "zope.interface==5.4.0"),
)
#: stand-ins for libraries that want a compiler: signatures of a key that nobody has, and lists of the files in layers for diffs
_STAND_INS = {
    "M2Crypto/__init__.py": "class RSA(object):\n    class RSAError(Exception):\n        pass\n\n\nclass BIO(object):\n    pass\n",
    "backports/__init__.py": "",
    "backports/lzma.py": "class LZMAFile(object):\n    pass\n\n\nclass _lzma(object):\n    class LZMAError(Exception):\n        pass\n",
}


class NotAvailable(RuntimeError):
    """There is no such registry on this machine; the message is one sentence that says why."""


@functools.lru_cache(maxsize=1)
def python27() -> Path:
    """A CPython 2.7 that has pip; NotAvailable where there is none."""
    named = shutil.which("python2.7")
    # make gives tests a home of their own
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path(pwd.getpwuid(os.getuid()).pw_dir) / ".pyenv")
    candidates = [*([Path(named)] if named else []), *sorted(pyenv.glob("versions/2.7*/bin/python2.7"))]
    for candidate in candidates:
        trial = [str(candidate), "-c", "import sys, pip; assert sys.version_info[:2] == (2, 7)"]
        # a shim of pyenv may be no Python at all
        if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
            return candidate
    raise NotAvailable("there is no CPython 2.7 with pip on PATH or in pyenv, so the real v1 registry cannot run")


@functools.lru_cache(maxsize=1)
def installed() -> Path:
    """The folder with the server and its libraries, made if it is not there yet (about a minute); NotAvailable where it cannot be."""
    python = python27()
    stamp = hashlib.sha256(json.dumps([_SERVER, _CORE, _LIBRARIES, _STAND_INS, str(python)]).encode()).hexdigest()[:12]
    cache = Path(sys.prefix).parent if sys.prefix != sys.base_prefix else Path(tempfile.gettempdir())
    folder = cache / f"v1-registry-{stamp}"
    with open(cache / "v1-registry.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(python, folder)
            (folder / "complete").touch()
    return folder


def _install(python: Path, folder: Path) -> None:
    libraries, server = folder / "libraries", folder / "server"
    _pip(python, "install", "--no-deps", "--target", str(libraries), *_LIBRARIES, _CORE)
    _pip(python, "download", "--no-deps", "--no-binary", ":all:", "--dest", str(folder), _SERVER)
    # one package in two distributions: whichever comes later on the path would not be seen
    server.mkdir()
    with tarfile.open(next(folder.glob("docker-registry-*.tar.gz"))) as packed:
        packed.extractall(folder / "unpacked", filter="data")
    shutil.move(libraries / "docker_registry", server / "docker_registry")
    shutil.copytree(next((folder / "unpacked").glob("*/docker_registry")), server / "docker_registry", dirs_exist_ok=True)
    shutil.rmtree(folder / "unpacked")
    (libraries / "zope" / "__init__.py").touch()
    for name, text in _STAND_INS.items():
        path = libraries / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="ascii")


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments[:1], "--retries", "1", *arguments[1:]]
    # how much pip says elsewhere is no number that this old one understands
    environment = {name: value for name, value in os.environ.items() if name not in ("PIP_QUIET", "PIP_VERBOSE")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it does not say why"])[-1]
        raise NotAvailable(f"the real v1 registry could not be installed ({said[:200]})")


class V1Registry:
    """It answers when the constructor returns, until `stop`. Its storage is `data`, which may be that of another one that has ended.

    Without `search` it has no search; with `index` it does not stand alone, and takes that one's tokens.
    """

    def __init__(self, folder: Path, *, data: Path | None = None, search: bool = True, index: V1Index | None = None) -> None:
        self.folder = folder
        self.data = data or folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._search = search
        self._index = index
        self._process = self._start()
        self.port = self._process.port
        self.host = f"{ports.LOOPBACK}:{self.port}"
        self.url = f"http://{self.host}"

    def _start(self) -> ServerProcess:
        home = installed()
        settings: dict[str, t.Any] = {
            "loglevel": "warn",
            "standalone": self._index is None,
            "index_endpoint": self._index.url if self._index else "http://127.0.0.1:1",
            "storage": "local",
            "storage_path": str(self.data),
        }
        if self._search:
            settings |= {"search_backend": "sqlalchemy", "sqlalchemy_index_database": f"sqlite:///{self.data}/search.sqlite3"}
        configuration = self.folder / "configuration.yml"
        configuration.write_text(json.dumps({"local": settings}), encoding="utf-8")  # JSON is YAML
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AWS_", "GUNICORN_"))},
            "PYTHONPATH": f"{home / 'server'}{os.pathsep}{home / 'libraries'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SETTINGS_FLAVOR": "local",
            "DOCKER_REGISTRY_CONFIG": str(configuration),
        }
        for attempt in range(_ATTEMPTS):
            port = ports.free_port()
            server = ["-m", "gunicorn.app.wsgiapp", "-k", "gevent", "-w", "1", "-b", f"{ports.LOOPBACK}:{port}"]
            command = ["env", "-C", str(self.folder), str(python27()), *server, "docker_registry.wsgi:application"]
            try:
                return ServerProcess(command, port=port, log_path=self.folder / "log", environment=environment, patience=90)
            except ProcessFailed as failure:
                if "in use" not in str(failure) or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop above returns or raises")

    def stop(self) -> None:
        """End it; its storage stays. Stopping twice is fine."""
        self._process.stop()

    def __enter__(self) -> V1Registry:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

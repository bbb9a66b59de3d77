# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures for all tests: certificates and registries on loopback, stopped when the test (or module) that asked for them ends.

The estate is imported by the fixtures only: unit tests that use none of them need nothing of it.
"""

from __future__ import annotations

import contextlib
import sys
import typing as t
from pathlib import Path

import pytest

TESTS = str(Path(__file__).resolve().parent)
if TESTS not in sys.path:
    sys.path.insert(0, TESTS)

if t.TYPE_CHECKING:
    from estate.behaviour import Behaviour
    from estate.certificates import CertificateAuthority
    from estate.counting import CountingRegistry
    from estate.disks import SmallDisk
    from estate.docker_engine import DockerEngine
    from estate.msr.double import Installation
    from estate.registry import RegistryFactory
    from estate.token_server import Grants, TokenServer


class MakeCountingRegistry(t.Protocol):
    """What `counting_registry` gives: each call starts another one."""

    def __call__(
        self, behaviour: Behaviour | None = None, *, authority: CertificateAuthority | None = None, client_certificates: bool = False
    ) -> CountingRegistry:
        """A counting registry; with an `authority` it speaks TLS."""


class MakeTokenServer(t.Protocol):
    """What `token_server` gives: each call starts another one."""

    def __call__(self, users: t.Mapping[str, str], grants: Grants | None = None, **options: t.Any) -> TokenServer:
        """A token server; `options` are those of TokenServer."""


class MakeMSR(t.Protocol):
    """What `make_msr` gives: each call starts another one."""

    def __call__(self, version: str = "3.1.5", **options: t.Any) -> Installation:
        """An MSR with its databases, and with the accounts that each has from its beginning; `options` are those of MSRDouble."""


class MakeSmallDisk(t.Protocol):
    """What `small_disk` gives: each call makes another one."""

    def __call__(self, size: int) -> SmallDisk:
        """A file system of `size` kilobytes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """For `make reliability`."""
    parser.addoption("--reliability", type=Path, metavar="FILE", help="write the page of faults: what became of the tests marked fault")


def pytest_configure(config: pytest.Config) -> None:
    """Have the page of faults written, where it is wanted."""
    page = config.getoption("--reliability")
    if page:
        from reliability import Recorder

        config.pluginmanager.register(Recorder(page.absolute()))


@pytest.fixture(scope="session")
def certificate_authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """Issues the certificates of all servers."""
    from estate.certificates import CertificateAuthority

    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def untrusted_authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """Another one, that issued nothing which a test ought to trust."""
    from estate.certificates import CertificateAuthority

    return CertificateAuthority(tmp_path_factory.mktemp("untrusted"), "untrusted authority")


@pytest.fixture
def registries(tmp_path_factory: pytest.TempPathFactory, certificate_authority: CertificateAuthority) -> t.Iterator[RegistryFactory]:
    """Starts docker-registry instances for one test."""
    with _registry_factory(tmp_path_factory, certificate_authority) as factory:
        yield factory


@pytest.fixture(scope="module")
def module_registries(tmp_path_factory: pytest.TempPathFactory, certificate_authority: CertificateAuthority) -> t.Iterator[RegistryFactory]:
    """Starts docker-registry instances for all tests of a module, which only read them."""
    with _registry_factory(tmp_path_factory, certificate_authority) as factory:
        yield factory


@contextlib.contextmanager
def _registry_factory(tmp_path_factory: pytest.TempPathFactory, authority: CertificateAuthority) -> t.Iterator[RegistryFactory]:
    from estate.registry import RegistryFactory, missing_programs

    missing = missing_programs("docker-registry", "htpasswd")
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: apt-get install docker-registry apache2-utils")
    with RegistryFactory(tmp_path_factory.mktemp("registries"), authority) as factory:
        yield factory


@pytest.fixture
def make_msr(tmp_path_factory: pytest.TempPathFactory, certificate_authority: CertificateAuthority) -> t.Iterator[MakeMSR]:
    """Starts doubles of MSR for one test."""
    with _msr_maker(tmp_path_factory, certificate_authority) as make:
        yield make


@pytest.fixture(scope="module")
def make_shared_msr(tmp_path_factory: pytest.TempPathFactory, certificate_authority: CertificateAuthority) -> t.Iterator[MakeMSR]:
    """Starts doubles of MSR for all tests of a module."""
    with _msr_maker(tmp_path_factory, certificate_authority) as make:
        yield make


@contextlib.contextmanager
def _msr_maker(tmp_path_factory: pytest.TempPathFactory, authority: CertificateAuthority) -> t.Iterator[MakeMSR]:
    from estate.msr.store import NotAvailable, node_modules
    from estate.registry import missing_programs

    try:
        node_modules()
    except NotAvailable as missing:
        pytest.skip(str(missing))
    if missing_programs("docker-registry"):
        pytest.skip("docker-registry is not installed: apt-get install docker-registry")
    for library in ("rethinkdb", "bcrypt", "jwt"):
        pytest.importorskip(library, reason=f"the library {library} is not installed")
    from estate.msr.double import install

    with contextlib.ExitStack() as started:

        def make(version: str = "3.1.5", **options: t.Any) -> Installation:
            return started.enter_context(install(tmp_path_factory.mktemp("msr"), authority, version, **options))

        yield make


@pytest.fixture(scope="module")
def docker_engine(certificate_authority: CertificateAuthority) -> t.Iterator[DockerEngine]:
    """A Docker engine for all tests of a module; each uses names of its own."""
    pytest.importorskip("docker", reason="the library docker is not installed: pip install docker")
    from estate.docker_engine import DockerEngine, EngineMissing

    try:
        engine = DockerEngine(certificate_authority)
    except EngineMissing as missing:
        pytest.skip(str(missing))
    with engine:
        yield engine


@pytest.fixture(scope="session")
def skopeo() -> None:
    """For tests that read registries with skopeo as well."""
    from estate.registry import missing_programs

    if missing_programs("skopeo"):
        pytest.skip("skopeo is not installed: apt-get install skopeo")


@pytest.fixture
def token_server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[MakeTokenServer]:
    """Starts token servers for one test."""
    pytest.importorskip("jwt", reason="PyJWT is not installed: pip install PyJWT")
    from estate.token_server import TokenServer

    with contextlib.ExitStack() as started:

        def start(users: t.Mapping[str, str], grants: Grants | None = None, **options: t.Any) -> TokenServer:
            return started.enter_context(TokenServer(tmp_path_factory.mktemp("tokens"), users, grants, **options))

        yield start


@pytest.fixture
def counting_registry() -> t.Iterator[MakeCountingRegistry]:
    """Starts counting registries for one test."""
    from estate.counting import CountingRegistry

    with contextlib.ExitStack() as started:

        def start(
            behaviour: Behaviour | None = None, *, authority: CertificateAuthority | None = None, client_certificates: bool = False
        ) -> CountingRegistry:
            return started.enter_context(CountingRegistry(behaviour, authority=authority, client_certificates=client_certificates))

        yield start


@pytest.fixture
def small_disk(tmp_path: Path) -> t.Iterator[MakeSmallDisk]:
    """Makes file systems that are full soon, for one test."""
    from estate.disks import MountRefused, SmallDisk

    with contextlib.ExitStack() as mounted:

        def make(size: int) -> SmallDisk:
            try:
                return mounted.enter_context(SmallDisk(tmp_path / f"disk of {size} kB", size))
            except MountRefused as refused:
                pytest.skip(f"a small file system cannot be mounted here ({refused})")

        yield make

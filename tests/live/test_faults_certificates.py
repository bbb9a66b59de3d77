# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults, from registry to registry: certificates, and variables of the environment that name others."""

from __future__ import annotations

import subprocess
import typing as t

import pytest
from estate.compare import tags_of
from estate.push import push
from runs.faults import Migration, fault_set

if t.TYPE_CHECKING:
    from pathlib import Path

    from estate.certificates import CertificateAuthority
    from estate.registry import Registry, RegistryFactory

GROUP = "Certificates and the environment"

VARIABLES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"]
ALL = "REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE or SSL_CERT_DIR"


@pytest.fixture(scope="module")
def filled(module_registries: RegistryFactory) -> Registry:
    registry = module_registries.start("source")
    push(registry.url, fault_set())
    return registry


@pytest.fixture
def migration(
    filled: Registry, registries: RegistryFactory, certificate_authority: CertificateAuthority, tmp_path: Path
) -> t.Iterator[Migration]:
    """From a source that speaks TLS; `ca_path` names its authority."""
    context, authority = certificate_authority.server_context(), certificate_authority.certificate
    with Migration(filled, registries.start("destination"), tmp_path, source_tls=context, ca_file=authority) as migration:
        yield migration


def names(authority: Path, variable: str, folder: Path) -> str:
    """A value of the variable that says that this authority is to be trusted."""
    if variable != "SSL_CERT_DIR":
        return str(authority)
    # OpenSSL finds certificates in a folder by the hash of their subject
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(authority)]
    subject = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    found = folder / "authorities"
    found.mkdir()
    (found / f"{subject}.0").symlink_to(authority)
    return str(found)


@pytest.mark.fault(GROUP, f"{ALL} names another authority, or nothing that exists")
@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_does_not_override_an_option(
    variable: str, migration: Migration, untrusted_authority: CertificateAuthority, tmp_path: Path
) -> None:
    """ca_path holds all the same: everything is copied."""
    migration.finishes(variables={variable: names(untrusted_authority.certificate, variable, tmp_path)})
    assert not migration.copy(variables={variable: "/does/not/exist"}).result.get("failed")


@pytest.mark.fault(GROUP, f"{ALL} names an authority that the options do not")
@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_does_not_weaken_an_option(
    variable: str, migration: Migration, certificate_authority: CertificateAuthority, tmp_path: Path
) -> None:
    """Its certificates are not trusted: the run ends before anything is read or written; with ca_path the next one copies everything."""
    named = {variable: names(certificate_authority.certificate, variable, tmp_path)}
    error = migration.copy(both={"ca_path": None}, variables=named).error
    assert error["kind"] == "certificate_untrusted"
    assert "ca_path" in error["hint"]
    assert migration.at_source.log == []
    assert tags_of(migration.destination) == {}
    migration.finishes(variables=named)


@pytest.mark.fault(GROUP, "The source's certificate is for another name, or nobody trusts it")
@pytest.mark.parametrize("fault", ["another name", "another authority"])
def test_a_certificate_that_does_not_do(
    fault: str,
    filled: Registry,
    registries: RegistryFactory,
    certificate_authority: CertificateAuthority,
    untrusted_authority: CertificateAuthority,
    tmp_path: Path,
) -> None:
    """The run ends before anything is read or written, and says what is wrong; with the right certificate everything is copied."""
    wrong = {
        "another name": certificate_authority.server_context(certificate_authority.server("elsewhere", ["elsewhere.example"], [])),
        "another authority": untrusted_authority.server_context(),
    }
    authority = certificate_authority.certificate
    destination = registries.start("destination")
    with Migration(filled, destination, tmp_path, source_tls=wrong[fault], ca_file=authority) as migration:
        error = migration.copy().error
        assert error["kind"] == "certificate_untrusted"
        assert migration.at_source.log == []
        assert tags_of(destination) == {}
    with Migration(filled, destination, tmp_path, source_tls=certificate_authority.server_context(), ca_file=authority) as migration:
        migration.finishes()

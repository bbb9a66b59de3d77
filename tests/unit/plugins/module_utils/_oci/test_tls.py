# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS contexts: which files are read, and what is said of those that cannot be used. Handshakes are the live tests' part."""

from __future__ import annotations

import datetime
import ssl
import typing as t
from pathlib import Path

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._oci.tls import TLSOptions, make_context, untrusted

HOST = "registry.example.com:5000"


class Files(t.NamedTuple):
    """PEM files: a certificate with its key, with the key under a passphrase, and another key."""

    certificate: Path
    key: Path
    locked_key: Path
    other_key: Path
    subject: str


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("tls")
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority of one test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "ca.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    (folder / "locked.pem").write_bytes(key.private_bytes(pem, form, serialization.BestAvailableEncryption(b"canary")))
    (folder / "other.pem").write_bytes(other.private_bytes(pem, form, serialization.NoEncryption()))
    return Files(folder / "ca.pem", folder / "key.pem", folder / "locked.pem", folder / "other.pem", "authority of one test")


def options(**given: object) -> TLSOptions:
    return TLSOptions(**{"certs_dirs": (), **{name: str(value) if isinstance(value, Path) else value for name, value in given.items()}})


def trusts(context: ssl.SSLContext, files: Files) -> bool:
    names = [dict(part[0] for part in one["subject"]) for one in context.get_ca_certs()]
    return {"commonName": files.subject} in names


def refused(given: TLSOptions) -> InvalidOption:
    with pytest.raises(InvalidOption) as caught:
        make_context(HOST, given)
    return caught.value


def test_certificates_and_names_are_checked():
    context = make_context(HOST, options())
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_in_house_authorities_without_every_extension_are_taken():
    assert not make_context(HOST, options()).verify_flags & ssl.VERIFY_X509_STRICT


def test_nothing_is_checked_where_the_user_says_so():
    context = make_context(HOST, options(validate_certs=False))
    assert context.verify_mode == ssl.CERT_NONE
    assert not context.check_hostname


def test_an_authority_of_the_options_is_trusted_beside_the_systems(files):
    plain, context = make_context(HOST, options()), make_context(HOST, options(ca_path=files.certificate))
    assert not trusts(plain, files)
    assert trusts(context, files)
    assert len(context.get_ca_certs()) == len(plain.get_ca_certs()) + 1


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("nonsense", ["/does/not/exist", "{folder}", "{folder}/garbage.pem"])
def test_variables_with_nonsense_do_not_matter(variable, nonsense, files, tmp_path, monkeypatch):
    (tmp_path / "garbage.pem").write_text("no certificate")
    monkeypatch.setenv(variable, nonsense.format(folder=tmp_path))
    assert trusts(make_context(HOST, options(ca_path=files.certificate)), files)


@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_an_authority_that_cannot_be_used(content, tmp_path):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    error = refused(options(ca_path=path))
    assert error.subject == "ca_path"
    assert str(path) in error.message
    assert ("holds no PEM certificate" if content is not None else "No such file") in error.message


def test_an_authority_that_is_a_folder(tmp_path):
    assert "directory" in refused(options(ca_path=tmp_path)).message


# -- client certificates -----------------------------------------------------------------------------------------------


def test_a_client_certificate_with_its_key(files):
    make_context(HOST, options(client_cert=files.certificate, client_key=files.key))


def test_a_client_certificate_and_key_in_one_file(files, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    make_context(HOST, options(client_cert=both))


def test_a_client_certificate_without_a_key(files):
    error = refused(options(client_cert=files.certificate))
    assert error.subject == "client_cert and client_key"
    assert "no matching PEM pair" in error.message


def test_a_client_certificate_with_another_key(files):
    assert "no matching PEM pair" in refused(options(client_cert=files.certificate, client_key=files.other_key)).message


def test_a_client_key_that_is_missing(files, tmp_path):
    assert "No such file" in refused(options(client_cert=files.certificate, client_key=tmp_path / "missing.pem")).message


def test_a_client_key_under_a_passphrase_is_refused_without_asking_for_it(files):
    error = refused(options(client_cert=files.certificate, client_key=files.locked_key))
    assert "passphrase" in error.message


def test_a_client_key_alone(files):
    error = refused(options(client_key=files.key))
    assert error.subject == "client_key"


# -- certs.d -----------------------------------------------------------------------------------------------------------


def certs_d(folder: Path, host: str = HOST, **contents: Path) -> Path:
    """A certs.d folder with the host's folder in it; `a_crt=path` is a file a.crt."""
    (folder / host).mkdir(parents=True)
    for name, path in contents.items():
        (folder / host / name.replace("_", ".")).write_bytes(path.read_bytes())
    return folder


def test_authorities_of_the_hosts_folder_are_trusted(files, tmp_path):
    folder = certs_d(tmp_path, ca_crt=files.certificate)
    assert trusts(make_context(HOST, options(certs_dirs=(str(folder),))), files)


def test_another_hosts_folder_is_not_looked_at(files, tmp_path):
    folder = certs_d(tmp_path, "registry.example.com", ca_crt=files.certificate)
    assert not trusts(make_context(HOST, options(certs_dirs=(str(folder),))), files)


def test_the_first_folder_that_the_host_has_is_the_only_one(files, tmp_path):
    first, second = certs_d(tmp_path / "first"), certs_d(tmp_path / "second", ca_crt=files.certificate)
    missing = str(tmp_path / "missing")
    assert not trusts(make_context(HOST, options(certs_dirs=(missing, str(first), str(second)))), files)
    assert trusts(make_context(HOST, options(certs_dirs=(missing, str(second), str(first)))), files)


def test_the_home_folder_is_found(files, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    certs_d(tmp_path / "certs.d", ca_crt=files.certificate)
    assert trusts(make_context(HOST, options(certs_dirs=("~/certs.d",))), files)


def test_a_client_certificate_of_the_hosts_folder(files, tmp_path):
    folder = certs_d(tmp_path, client_cert=files.certificate, client_key=files.key)
    make_context(HOST, options(certs_dirs=(str(folder),)))


def test_a_client_certificate_of_the_hosts_folder_without_key(files, tmp_path):
    folder = certs_d(tmp_path, client_cert=files.certificate)
    error = refused(options(certs_dirs=(str(folder),)))
    assert error.subject == str(folder / HOST / "client.cert")
    assert "client.key" in error.message


def test_a_broken_file_of_the_hosts_folder_is_named(files, tmp_path):
    folder = certs_d(tmp_path, ca_crt=files.key)
    assert refused(options(certs_dirs=(str(folder),))).subject == str(folder / HOST / "ca.crt")


def test_other_files_of_the_hosts_folder_are_left_alone(files, tmp_path):
    folder = certs_d(tmp_path, ca_crt=files.certificate, readme_txt=files.key, lonely_key=files.key)
    assert trusts(make_context(HOST, options(certs_dirs=(str(folder),))), files)


def test_a_hosts_folder_that_cannot_be_read(tmp_path, monkeypatch):
    folder = certs_d(tmp_path)

    def forbidden(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.listdir", forbidden)
    error = refused(options(certs_dirs=(str(folder),)))
    assert error.subject == str(folder / HOST)
    assert "Permission denied" in error.message


@pytest.mark.parametrize(
    ("reason", "ca_path", "hint"),
    [
        ("unable to get local issuer certificate", "", "Give the CA that signed it as source.ca_path, or put it into certs.d."),
        ("self-signed certificate", "/ca.pem", "not signed by the CA in /ca.pem: give the one that signed it as source.ca_path."),
        ("certificate has expired", "/ca.pem", "Have it renewed"),
        ("certificate is not yet valid", "", "Set the clock"),
        ("Hostname mismatch, certificate is not valid for 'a'", "/ca.pem", "with a name that its certificate has"),
        ("IP address mismatch, certificate is not valid for '::1'", "", "with a name that its certificate has"),
    ],
)
def test_the_way_to_trust_a_server(reason, ca_path, hint):
    error = untrusted("https://new.example.com", reason, TLSOptions(ca_path=ca_path, side="source."))
    assert error.message == f"its certificate is not trusted: {reason}."
    assert error.subject == "https://new.example.com"
    assert hint in error.hint


def test_options_are_named_with_their_side(tmp_path):
    assert refused(options(ca_path=tmp_path / "missing.pem", side="destination.")).subject == "destination.ca_path"
    error = refused(options(client_cert=tmp_path / "missing.pem", side="source."))
    assert error.subject == "source.client_cert and client_key"
    assert refused(options(client_key=tmp_path / "key.pem", side="source.")).subject == "source.client_key"

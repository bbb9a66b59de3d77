# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates for the occasion: an authority, its servers and clients. Elliptic-curve keys: made in milliseconds."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import ssl
import typing as t
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey


@dataclasses.dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both as PEM files."""

    certificate: Path
    key: Path


class CertificateAuthority:
    """An authority whose files lie in `folder`: `ca.crt`, `ca.key`, and `<name>.crt`, `<name>.key` for whatever it issues.

    Two authorities (two folders) do not trust one another: that is what a test of an untrusted certificate needs.
    """

    def __init__(self, folder: Path, name: str = "estate authority") -> None:
        self.folder = folder
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        self._issued: dict[tuple[str, ...], KeyPair] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
            key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(ca=True, path_length=0), True), (usage, True)]
        certificate = self._sign(self._subject, self._key.public_key(), extensions)
        self.certificate = folder / "ca.crt"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_private_key(folder / "ca.key", self._key)

    def server(
        self, name: str = "server", names: t.Sequence[str] = ("localhost",), addresses: t.Sequence[str] = ("127.0.0.1", "::1")
    ) -> KeyPair:
        """A certificate of a server that is reached by these DNS names and addresses; the same one when asked again."""
        alternatives: list[x509.GeneralName] = [x509.DNSName(dns_name) for dns_name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        if (name, *names, *addresses) not in self._issued:
            extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.SubjectAlternativeName(alternatives), False)]
            self._issued[name, *names, *addresses] = self._issue(name, ExtendedKeyUsageOID.SERVER_AUTH, extensions)
        return self._issued[name, *names, *addresses]

    def client(self, name: str = "client") -> KeyPair:
        """A certificate that names a client; the same one when asked again."""
        if (name,) not in self._issued:
            self._issued[name,] = self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH, [])
        return self._issued[name,]

    def server_context(self, pair: KeyPair | None = None, *, client_certificates: bool = False) -> ssl.SSLContext:
        """The TLS settings of a server written in Python; `client_certificates`: it asks every client for one of this authority."""
        pair = pair or self.server()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        if client_certificates:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.certificate)
        return context

    def _issue(self, name: str, purpose: x509.ObjectIdentifier, extensions: list[tuple[x509.ExtensionType, bool]]) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        extensions = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.ExtendedKeyUsage([purpose]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
            *extensions,
        ]
        certificate = self._sign(subject, key.public_key(), extensions)
        pair = KeyPair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_private_key(pair.key, key)
        return pair

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, extensions: list[tuple[x509.ExtensionType, bool]]
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())


def write_private_key(path: Path, key: PrivateKey) -> None:
    """Write the key as unencrypted PKCS#8, readable by its owner only."""
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

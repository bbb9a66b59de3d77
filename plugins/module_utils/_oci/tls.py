# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""TLS contexts: what is trusted and who we are, per registry.

Trusted are the system's CAs, the option's CA file and the `certs.d` folders that docker and podman read for the host.
Variables such as REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE are not looked at: what the options say holds.
"""

from __future__ import annotations

import dataclasses
import os
import ssl

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import CertificateUntrusted, InvalidOption

#: containers-certs.d(5) and docker's "Verify repository client with certificates", in the order in which podman looks
CERTS_D = ("~/.config/containers/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d")


@dataclasses.dataclass(frozen=True)
class TLSOptions:
    """What a user can say about TLS. Paths are files on the machine that talks to the registry.

    `side`: what messages put before the names of these options, such as `source.`
    """

    validate_certs: bool = True
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    certs_dirs: tuple[str, ...] = CERTS_D
    side: str = ""


def make_context(host: str, options: TLSOptions, introduces: bool = True) -> ssl.SSLContext:
    """The TLS context for a registry `host[:port]`. `introduces`: False for other hosts, which do not get the client certificate.

    Raises InvalidOption, naming the option, if a file is missing or is no certificate.
    """
    context = _with_system_authorities()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 began to refuse CAs that lack an extension, as many in-house ones do; docker and podman take them
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for folder in options.certs_dirs:
        found = os.path.join(os.path.expanduser(folder), host)
        if os.path.isdir(found):
            _load_folder(context, found, introduces)
            break
    if options.ca_path:
        _load_ca(context, options.ca_path, f"{options.side}ca_path")
    if options.client_cert and introduces:
        _load_client(context, options.client_cert, options.client_key, f"{options.side}client_cert and client_key")
    elif options.client_key and introduces:
        raise InvalidOption("is set, but client_cert is not.", subject=f"{options.side}client_key", hint="Give both, or none.")
    if not options.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _with_system_authorities() -> ssl.SSLContext:
    """A context that trusts the system's CAs: those where OpenSSL was built to look, not where SSL_CERT_FILE and SSL_CERT_DIR lead."""
    places = ssl.get_default_verify_paths()
    folder = places.openssl_capath if os.path.isdir(places.openssl_capath) else None
    if os.path.isfile(places.openssl_cafile):
        try:
            return ssl.create_default_context(cafile=places.openssl_cafile, capath=folder)
        except OSError:
            # an empty or unreadable file names nobody; what is missing then is told when a certificate is not trusted
            return ssl.create_default_context(capath=folder)
    # a build that knows neither place leaves all to the variables
    return ssl.create_default_context(capath=folder)


def untrusted(where: str, reason: str, options: TLSOptions) -> CertificateUntrusted:
    """The error for a server's certificate that did not pass; `reason` is what OpenSSL says of it."""
    return CertificateUntrusted(f"its certificate is not trusted: {reason}.", subject=where, hint=_way_to_trust(reason.lower(), options))


def _way_to_trust(reason: str, options: TLSOptions) -> str:
    if "expired" in reason:
        return "Have it renewed; if it is not old, set the clock of the host where the task runs."
    if "not yet valid" in reason:
        return "Set the clock of the host where the task runs."
    if "mismatch" in reason or "not valid for" in reason:
        return "Write the registry's address with a name that its certificate has; connect_to can say where that is."
    if options.ca_path:
        return f"It is not signed by the CA in {options.ca_path}: give the one that signed it as {options.side}ca_path."
    return f"Give the CA that signed it as {options.side}ca_path, or put it into certs.d."


def _load_folder(context: ssl.SSLContext, folder: str, introduces: bool) -> None:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise InvalidOption(
            f"cannot be read: {error.strerror}.", subject=folder, hint="Let the user who runs this read it, or set certs_dirs."
        ) from error
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(".crt"):
            _load_ca(context, path, path)
        elif name.endswith(".cert") and introduces:
            key = path[: -len(".cert")] + ".key"
            if os.path.basename(key) not in names:
                raise InvalidOption(f"has no {os.path.basename(key)} beside it.", subject=path, hint="A client certificate needs its key.")
            _load_client(context, path, key, path)


def _load_ca(context: ssl.SSLContext, path: str, subject: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:
        raise InvalidOption(
            f"cannot be used as a file of CA certificates: {path}: {_reason(error, 'it holds no PEM certificate')}.",
            subject=subject,
            hint="Give a readable PEM file on the host where the task runs.",
        ) from error


def _load_client(context: ssl.SSLContext, certificate: str, key: str, subject: str) -> None:
    def no_password() -> str:
        # without this callback OpenSSL would ask on the terminal, and a task would hang
        raise InvalidOption("is protected by a passphrase.", subject=subject, hint="Give a key without a passphrase.")

    try:
        context.load_cert_chain(certificate, key or None, password=no_password)
    except OSError as error:
        raise InvalidOption(
            f"cannot be used as client certificate and key: {certificate}: {_reason(error, 'they are no matching PEM pair')}.",
            subject=subject,
            hint="Give readable PEM files on the host where the task runs.",
        ) from error


def _reason(error: OSError, not_pem: str) -> str:
    # what OpenSSL says of a file that is there is no help to anybody
    return not_pem if isinstance(error, ssl.SSLError) else error.strerror or type(error).__name__

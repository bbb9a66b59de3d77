# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's client for a registry of the estate, and descriptors of what the estate's sets hold."""

from __future__ import annotations

import random
import typing as t

from estate.client import Access
from estate.compare import Reachable
from estate.images import digest_of

from ansible_collections.registryops.migration.plugins.module_utils._oci.client import RegistryClient
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import HTTPOptions
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, Manifest, parse_manifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.tls import TLSOptions


def connect(
    where: Reachable,
    credential: Credential | t.Callable[[str], Credential | None] | None = None,
    *,
    host: str = "",
    plain_http: bool | None = None,
    tls: TLSOptions | None = None,
    bandwidth: Rate | None = None,
    on_secret: t.Callable[[str], None] = lambda secret: None,
    **http: t.Any,
) -> RegistryClient:
    """A client; nobody signs in unless a credential (or what finds one for a repository) is given.

    `host`, `plain_http` and `tls` say otherwise than the registry itself does; `http`: fields of HTTPOptions.
    """
    access = where if isinstance(where, Access) else where.access
    scheme, _unused, own_host = access.url.partition("://")
    if tls is None:
        tls = TLSOptions(ca_path=str(access.ca_file or ""), certs_dirs=())
    return RegistryClient(
        host or own_host,
        plain_http=scheme == "http" if plain_http is None else plain_http,
        options=HTTPOptions(tls=tls, **http),
        credential_for=credential if callable(credential) else lambda repository: credential,
        bandwidth=bandwidth,
        on_secret=on_secret,
    )


def credential_of(where: Reachable) -> Credential:
    """User name and password of a registry's first user."""
    access = where if isinstance(where, Access) else where.access
    return Credential(access.user, access.password)


def noise(name: str, size: int) -> bytes:
    """Bytes that no compression makes smaller, the same for the same name."""
    return random.Random(name).randbytes(size)


def blob(data: bytes, algorithm: str = "sha256") -> Descriptor:
    """The descriptor of a blob with these bytes."""
    return Descriptor("application/octet-stream", digest_of(data, algorithm), len(data))


def manifest_of(one: t.Any) -> Manifest:
    """The collection's view of one of the estate's manifests."""
    return parse_manifest(one.data, one.media_type)

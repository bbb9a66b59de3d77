# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A provider in this process, at a double of its product."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.client import RegistryClient
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import HTTPOptions, Transport, origin_of
from ansible_collections.registryops.migration.plugins.module_utils._providers.api import API
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import PROFILES
from ansible_collections.registryops.migration.plugins.module_utils._providers.table import make_provider


@contextlib.contextmanager
def open_provider(name: str, url: str, user: str = "", password: str = "", **options: t.Any) -> t.Iterator[Provider]:
    """The provider of a product for the registry at `http://host:port`. `options`: fields of Site; requests are sent twice at the most."""
    http = HTTPOptions(attempts=2)
    credential = Credential(user, password) if user else None
    with contextlib.ExitStack() as opened:
        client = RegistryClient(url.partition("://")[2], plain_http=True, options=http, credential_for=lambda repository: credential)
        opened.callback(client.close)

        def make_api(base: str, headers: t.Callable[[], t.Mapping[str, str]]) -> API:
            if origin_of(base) == client.origin:
                return API(client.transport, base, headers)
            transport = Transport(origin_of(base), http)
            opened.callback(transport.close)
            return API(transport, base, headers)

        site = Site(
            host=client.host,
            default_base=url,
            client=client,
            credential=lambda: credential,
            make_api=make_api,
            on_secret=lambda secret: None,
            option="source",
            **options,
        )
        provider = make_provider(PROFILES[name], site)
        opened.callback(provider.close)
        yield provider

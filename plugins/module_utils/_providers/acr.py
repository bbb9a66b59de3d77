# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Azure Container Registry: lists of its own at the registry's address, and refresh tokens in exchange for those of Microsoft Entra ID.

A user and a password (of the admin user, a service principal, or a token with a scope map) go to the token service as everywhere.
"""

from __future__ import annotations

import threading
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._oci.authentication import CATALOG_SCOPE, repository_scope
from ansible_collections.registryops.migration.plugins.module_utils._oci.challenge import Scope
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AccessDenied, AuthenticationFailed, RegistryError
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, walk
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import amount, readable
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import FROM_DOCUMENTATION, of_repository
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import RepositoryRecord, TagRecord

#: entries that are asked for on a page, as Azure's own tools do; the registry may send fewer
_PAGE = 100
#: what reading the lists of a repository takes; the right to pull does not do
_METADATA = frozenset({"metadata_read"})


class AzureContainerRegistry(Provider):
    """One Azure Container Registry."""

    lists_digests = True
    lists_with = "/acr/v1/_catalog and /acr/v1/.../_manifests, 100 on a page"
    tested = FROM_DOCUMENTATION

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        self._exchanging = threading.Lock()
        self._exchanged: Credential | None = None

    # -- what is there
    def repositories(self) -> t.Iterator[RepositoryRecord]:
        what = f"the catalogue of {self.site.host}"
        for name in self._pages("/acr/v1/_catalog", (CATALOG_SCOPE,), what, "repositories"):
            yield RepositoryRecord(str(name))

    def tags(self, repository: str) -> list[TagRecord]:
        what = f"{self.site.host}/{repository}"
        found = []
        with of_repository(what), readable(what):
            path = f"/acr/v1/{quote(repository)}/_manifests"
            for manifest in self._pages(path, (repository_scope(repository, _METADATA),), what, "manifests"):
                locked = (manifest.get("changeableAttributes") or {}).get("readEnabled") is False
                for tag in manifest.get("tags") or []:
                    found.append(
                        TagRecord(
                            str(tag),
                            str(manifest["digest"]),
                            str(manifest.get("mediaType") or ""),
                            amount(manifest.get("imageSize")) or -1,
                            str(manifest.get("lastUpdateTime") or manifest.get("createdTime") or ""),
                            archived=locked,
                        )
                    )
        return found

    def _pages(self, path: str, scopes: t.Sequence[Scope], what: str, key: str) -> t.Iterator[t.Any]:
        client = self.site.client

        def read(url: str) -> Page[t.Any]:
            document, response = client.ask(url, scopes, what)
            with readable(what):
                items = document.get(key) or []
                if not isinstance(items, list):
                    raise TypeError(key)
            return Page(items, client.next_page(url, response, what))

        return walk(f"{path}?n={_PAGE}", read, what)

    # -- who we are
    def credential(self) -> Credential | None:
        if not self.site.api_token:
            return None
        with self._exchanging:
            if self._exchanged is None:
                self._exchanged = self._exchange()
            return self._exchanged

    def renew(self, refused: Credential) -> Credential | None:
        with self._exchanging:
            if self._exchanged is None:
                # a user and a password were given: there are no others
                return None
            if self._exchanged == refused:
                self._exchanged = self._exchange()
            return self._exchanged

    def _exchange(self) -> Credential:
        """A refresh token for the access token of Entra ID. Not through the client, which waits for its credential."""
        what = f"the token exchange of {self.site.host}"
        api = self.site.make_api(self.site.default_base, dict)
        form = {"grant_type": "access_token", "service": self.site.host, "access_token": self.site.api_token}
        try:
            document = api.ask("POST", "/oauth2/exchange", form=form, what=what).document
        except (AccessDenied, AuthenticationFailed, RegistryError) as error:
            if isinstance(error, RegistryError) and error.status != 400:
                raise
            raise AuthenticationFailed(
                f"{self.site.host} does not take this access token, or not any more.",
                subject=f"{self.site.option}.api_token" if self.site.option else "api_token",
                hint="Get a new one: az account get-access-token --resource https://containerregistry.azure.net --query accessToken.",
            ) from error
        with readable(what):
            token = str(document["refresh_token"])
        self.site.on_secret(token)
        return Credential(identity_token=token)

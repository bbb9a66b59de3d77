# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What a product can do beyond the distribution specification. One object per registry and run; threads share it.

A provider never copies anything: it lists, it creates what has to be there before a push, and it finds credentials. All methods
raise subclasses of MigrationError. What a product does not have stays as it is here.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.client import RegistryClient
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import AccessDenied, InvalidOption, MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._providers.api import API
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, RepositoryRecord, TagRecord

Settings = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True, repr=False)
class Site:
    """What a provider has to work with.

    `host` is the registry's. `credential()` is the registry's own (None: anonymous); `api_url`, `api_token` and `namespaces` are the
    options of these names, empty where they are not given; `aws` and `swr` the options of these names without what is not given.
    `make_api(base, headers)` makes an API at an address with the connection's certificates and proxy; `default_base` is the registry's
    own address. `on_secret` is told of everything that must not be seen in any output. `proxy(address)` is the connection's own proxy on
    the way to an address, for libraries that make connections by themselves; empty for none.
    """

    host: str
    default_base: str
    client: RegistryClient
    credential: t.Callable[[], Credential | None]
    make_api: t.Callable[[str, t.Callable[[], t.Mapping[str, str]]], API]
    on_secret: t.Callable[[str], None]
    option: str = ""
    api_url: str = ""
    api_token: str = ""
    namespaces: tuple[str, ...] = ()
    aws: Settings = dataclasses.field(default_factory=dict)
    swr: Settings = dataclasses.field(default_factory=dict)
    proxy: t.Callable[[str], str] = lambda address: ""

    def wrong(self, suboption: str, message: str, hint: str) -> InvalidOption:
        """The error for an option of this connection."""
        return InvalidOption(message, subject=f"{self.option}.{suboption}" if self.option else suboption, hint=hint)


class Provider:
    """A registry of the distribution specification, and no more."""

    #: what has to exist before a push, in the product's own word; empty where a push makes everything
    container: t.ClassVar[str] = ""
    #: settings that `ensure` knows, with what they mean (for documentation)
    settings: t.ClassVar[t.Mapping[str, str]] = {}
    #: whether `tags` tells digests in bulk
    lists_digests: t.ClassVar[bool] = False
    #: what a listing is read from, for documentation
    lists_with: t.ClassVar[str] = "the catalogue and the lists of tags"
    #: how it was tested, for documentation
    tested: t.ClassVar[str] = ""

    def __init__(self, site: Site, profile: Profile) -> None:
        self.site = site
        self.profile = profile

    # -- what is there
    def repositories(self) -> t.Iterator[RepositoryRecord]:
        """All repositories that this user sees; CatalogForbidden where the product does not say."""
        for name in self.site.client.repositories():
            yield RepositoryRecord(name)

    def tags(self, repository: str) -> list[TagRecord] | None:
        """All tags of a repository, with their digests; None where the product has no such list. RepositoryUnknown where there is none."""
        return None

    # -- what has to be there
    def containers(self, repositories: t.Iterable[str]) -> list[str]:
        """What has to exist before a push to these repositories, each once: by default their first components."""
        return list(dict.fromkeys(repository.partition("/")[0] for repository in repositories)) if self.container else []

    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        """Have a container exist with these settings. `apply`: False only looks. Differences that cannot be changed are a drift."""
        raise InvalidOption(
            f"{self.profile.title} needs nothing created before a push, or offers no way to do it.",
            subject=name,
            hint="Leave this step out for this registry.",
        )

    # -- who we are
    def credential(self) -> Credential | None:
        """The credential for the registry where the product hands it out by itself; None: that of the options and files is used."""
        return None

    def renew(self, refused: Credential) -> Credential | None:
        """A new credential in place of one that has expired; None where there is no other one."""
        return None

    # -- while copying
    def present(self, repository: str, digests: t.Sequence[str]) -> set[str] | None:
        """Which of these blobs (at most 100) a repository has; None where the product has no such question."""
        return None

    def refused(self, repository: str, error: AccessDenied) -> MigrationError:
        """Why an upload was refused, where the product's answer says less than can be found out; else the error itself."""
        return error

    def close(self) -> None:
        """Give everything back."""

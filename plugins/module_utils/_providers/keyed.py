# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Repository managers: their registry is divided into repositories of their own, each with a key and with many images.

Which key is meant is said in one of two ways. By the name: `docker-local/team/app` is the image team/app of the key docker-local. Or by
the address: a sub-domain or a port belongs to one key, and the names are those of its images. Nothing says for certain which of them
holds, so an image of the key is looked for under its own name, once.
"""

from __future__ import annotations

import abc
import dataclasses
import re
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.client import PAGE, SMALLER_PAGES
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    CatalogForbidden,
    InvalidAnswer,
    InvalidName,
    MigrationError,
    RegistryError,
    RepositoryUnknown,
    UnsupportedManifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import AnswerTooLarge
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, check_gone_on, walk
from ansible_collections.registryops.migration.plugins.module_utils._providers.api import Query, Reply
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import basic
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import RepositoryRecord, TagRecord

#: {image: its tags}
Images = dict[str, list[TagRecord]]
#: what an address answers at which there is no such API
_NO_API = frozenset({400, 404, 405, 501})
#: what a registry answers to a name that it does not have, or does not show
_NOT_SERVED = (AccessDenied, AuthenticationFailed, RegistryError, RepositoryUnknown, UnsupportedManifest)
_NAME_REPOSITORIES = "Name the repositories in the rule (repositories: include: [...]), or use an account that may list them."


@dataclasses.dataclass(frozen=True)
class Key:
    """A repository of the manager that holds images. `kind` is its class (local, hosted, remote, ...), `package` what it is made for.

    `is_listed`: its images are listed without being asked for; those of others are copies from elsewhere, or of other keys.
    """

    name: str
    kind: str
    package: str
    is_listed: bool


class KeyedProvider(Provider, abc.ABC):
    """One registry of a repository manager. Threads share it; what a key holds is read once."""

    lists_digests = True
    #: where the API usually is, for messages
    usual_api: t.ClassVar[str] = ""
    #: what to do about a token that is refused, for messages
    token_hint: str = ""

    def __init__(self, site: Site, profile: Profile, api_path: str) -> None:
        super().__init__(site, profile)
        self._api = site.make_api(site.api_url or site.default_base + api_path, self.authorization)
        self._lock = threading.RLock()
        self._keys: t.Mapping[str, Key] | None = None
        self._others: t.Mapping[str, str] | None = None
        self._contents: dict[str, Images | None] = {}
        self._own: str | None = None
        self._refusal: MigrationError | None = None

    # -- what a product says
    def authorization(self) -> dict[str, str]:
        """The headers that say who asks the API."""
        return authorization_of(self.site)

    @abc.abstractmethod
    def read_keys(self) -> t.Mapping[str, Key]:
        """All keys with images that this user sees."""

    @abc.abstractmethod
    def read_others(self) -> t.Mapping[str, str]:
        """What all keys that this user sees are made for, those without images too."""

    @abc.abstractmethod
    def read_images(self, key: Key) -> Images | None:
        """All that a key holds; None where the product has no such list for this kind. AccessDenied where this user may not read it."""

    @abc.abstractmethod
    def registry_path(self, key: Key) -> str:
        """Where the API has the distribution API of a key."""

    def key_of_address(self) -> str:
        """The key that the registry's address seems to belong to; empty for none."""
        label = self.site.host.partition(":")[0].partition(".")[0]
        fitting = [name for name in self.keys() if label == name or label.endswith("-" + name)]
        return max(fitting, key=len, default="")

    # -- requests
    def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        document: t.Any = None,
        *,
        what: str,
        accept: t.Collection[int] = (200,),
        text: str = "",
    ) -> Reply:
        """Ask the API, with words of our own for a token that is refused and for an address at which there is no such API."""
        try:
            return self._api.ask(method, path, query, document, accept=accept, what=what, text=text)
        except AuthenticationFailed as error:
            if not self.site.api_token:
                raise
            raise self.site.wrong("api_token", f"is refused by {self.profile.title}: {error.message}", self.token_hint) from error
        except AnswerTooLarge:
            raise
        except (RegistryError, InvalidAnswer) as error:
            if isinstance(error, RegistryError) and error.status not in _NO_API:
                raise
            raise self._no_api(error) from error

    def _no_api(self, error: MigrationError) -> MigrationError:
        hint = f"It usually is at {self.usual_api}."
        if self.site.api_url:
            return self.site.wrong("api_url", f"does not answer as {self.profile.title}'s API: {error.message}", hint)
        return AccessDenied(
            f"{self.profile.title}'s API does not answer there: {error.message}",
            subject=self._api.base,
            hint=f"Say with {self.site.option or 'the connection'}.api_url where it is. {hint}",
        )

    # -- keys
    def keys(self) -> t.Mapping[str, Key]:
        """All keys with images that this user sees."""
        with self._lock:
            if self._refusal is not None:
                # everybody hears the same, and the product is not asked again
                raise self._refusal
            if self._keys is None:
                try:
                    self._keys = self.read_keys()
                except (AccessDenied, AuthenticationFailed) as error:
                    self._refusal = error
                    raise
            return self._keys

    def _made_for(self, name: str) -> str:
        """What a key without images is made for; empty where there is no such key."""
        with self._lock:
            if self._others is None:
                self._others = self.read_others()
            return self._others.get(name, "")

    def _chosen(self) -> list[Key]:
        """The keys of which all images are listed: those of the option `namespaces`, or all of its own."""
        keys = self.keys()
        for name in self.site.namespaces:
            if name not in keys:
                package = self._made_for(name)
                reason = f"holds {package} packages and no images" if package else "does not exist, or is not shown to this user"
                raise self.site.wrong(
                    "namespaces",
                    f"{name}: this {self.profile.namespace} {reason}.",
                    f"Give keys of repositories for images: {', '.join(sorted(keys)[:20]) or 'this user sees none'}.",
                )
        return [keys[name] for name in self.site.namespaces] or [key for key in keys.values() if key.is_listed]

    def _candidate(self) -> str:
        if self.site.namespaces:
            return self.site.namespaces[0] if len(self.site.namespaces) == 1 else ""
        return self.key_of_address()

    def _own_key(self) -> Key | None:
        """The key that the registry's address belongs to; None where names begin with their keys."""
        with self._lock:
            keys = self.keys()
            if self._own is None:
                key = keys.get(self._candidate())
                self._own = key.name if key is not None and self._belongs_to(key) else ""
            return keys.get(self._own)

    def _belongs_to(self, key: Key) -> bool:
        """Whether the registry's address belongs to a key: then it has the key's images under their own names, and no others."""
        served = self._serves(key, "")
        others = (other for other in self.keys().values() if other.is_listed and other != key)
        while served is None:
            # the key is empty: are the others served with their keys in front?
            other = next(others, None)
            if other is None:
                return False
            found = self._serves(other, f"{other.name}/")
            served = None if found is None else not found
        return served

    def _serves(self, key: Key, prefix: str) -> bool | None:
        """Whether the registry has an image of a key, with this in front of its name; None where there is none to look for."""
        images = self._images_of(key)
        client = self.site.client
        try:
            if images is None:
                name = next(self._names(key), "")
                return bool(client.tags(prefix + name)) if name else None
            for image, tags in images.items():
                return client.head_manifest(prefix + image, tags[0].name) is not None
        except _NOT_SERVED as error:
            if error.transient:
                raise
            return False
        return None

    # -- what is there
    def _images_of(self, key: Key) -> Images | None:
        with self._lock:
            if key.name not in self._contents:
                try:
                    self._contents[key.name] = self.read_images(key)
                except AccessDenied as error:
                    self.site.client.transport.warnings.append(
                        f"What {key.name} holds cannot be read at once, so its catalogue and each tag are asked for, which takes longer. "
                        f"{error}"
                    )
                    self._contents[key.name] = None
            return self._contents[key.name]

    def _names(self, key: Key) -> t.Iterator[str]:
        """The images of a key by its catalogue. Whether there are more than a page is never believed: asking for them tells."""
        what = f"the catalogue of {key.name}"
        path = f"{self.registry_path(key)}/_catalog"
        seen: set[str] = set()

        def read(last: str) -> Page[str]:
            query: dict[str, str | int] = {"n": PAGE, "last": last} if last else {"n": PAGE}
            reply = self._api.ask("GET", path, query, what=what)
            names = reply.document.get("repositories") if isinstance(reply.document, dict) else None
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise InvalidAnswer("answered with a list that has no repositories.", subject=what)
            if last and len(names) in (PAGE, *SMALLER_PAGES):
                check_gone_on(names, seen, what)
            new = [name for name in dict.fromkeys(names) if name not in seen]
            seen.update(new)
            return Page(new, new[-1] if new else None)

        try:
            yield from walk("", read, what)
        except (AccessDenied, AuthenticationFailed, RegistryError, RepositoryUnknown, UnsupportedManifest) as error:
            if error.transient:
                raise
            raise CatalogForbidden(f"is not shown: {error.message}", subject=what, hint=_NAME_REPOSITORIES) from error

    def repositories(self) -> t.Iterator[RepositoryRecord]:
        own = self._own_key()
        if own is not None and self._images_of(own) is None:
            yield from super().repositories()
            return
        for key in self._chosen() if own is None else [own]:
            prefix = f"{key.name}/" if own is None else ""
            images = self._images_of(key)
            if images is None:
                for name in self._names(key):
                    yield RepositoryRecord(prefix + name)
                continue
            for image in sorted(images):
                yield RepositoryRecord(prefix + image, tag_count=len(images[image]))

    def tags(self, repository: str) -> list[TagRecord] | None:
        own = self._own_key()
        if own is not None:
            key, image = own, repository
        else:
            first, _slash, image = repository.partition("/")
            found = self.keys().get(first) if image else None
            if found is None:
                self._check_images(first, repository)
                return None
            key = found
        images = self._images_of(key)
        # what the list does not have may still be there: the registry has the last word
        return None if images is None else images.get(image)

    def _check_images(self, key: str, repository: str) -> None:
        package = self._made_for(key) if repository != key else ""
        if package:
            raise InvalidName(
                f"its {self.profile.namespace} {key} holds {package} packages and no images.",
                subject=repository,
                hint=f"Choose another one: {', '.join(sorted(self.keys())[:20]) or 'this user sees none for images'}.",
            )

    # -- what has to be there
    def containers(self, repositories: t.Iterable[str]) -> list[str]:
        """The keys. Where one belongs to the address it is that one, unless the names say otherwise."""
        names = list(repositories)
        candidate = self._candidate()
        if names and candidate and not any(name.startswith(f"{candidate}/") for name in names):
            return [candidate]
        return super().containers(names)


def authorization_of(site: Site) -> dict[str, str]:
    """The Authorization header with the registry's own credential; empty for nobody."""
    credential = site.credential()
    if credential is None:
        return {}
    if credential.username and credential.password:
        return basic(credential, site.on_secret)
    token = credential.registry_token or credential.identity_token
    return {"Authorization": f"Bearer {token}"} if token else {}


def rows_of(found: t.Any, what: str) -> list[dict[str, t.Any]]:
    """A list of objects, as an API has to answer it; else InvalidAnswer."""
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise InvalidAnswer("answered with something that is no list.", subject=what, hint="Is this the address of that product's API?")
    return found


def digest_of_file(sha256: t.Any) -> str:
    """The digest of a manifest whose file has this checksum; empty where that is none."""
    return f"sha256:{sha256}" if isinstance(sha256, str) and re.fullmatch(r"[0-9a-f]{64}", sha256) else ""


def token_credential(site: Site) -> Credential | None:
    """The token of the option `api_token` for the registry too, where there is nothing else to show it."""
    return Credential(registry_token=site.api_token) if site.api_token and site.credential() is None else None

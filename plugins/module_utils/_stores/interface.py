# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What the copy engine knows of a place where images are: one interface for registries, folders and all that follows."""

from __future__ import annotations

import abc
import dataclasses
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobSource
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import PutManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import NEAR
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor, Manifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.pulls import PullQuota
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import RepositoryRecord, TagRecord


@dataclasses.dataclass(frozen=True)
class Received:
    """How a blob came to be in a repository: `present` (it was there), `mounted`, or `uploaded` with so many bytes."""

    how: str
    size: int = 0


@dataclasses.dataclass(frozen=True)
class Listing:
    """The tags of a repository, and what the store told of them on the way: {tag: record}, empty where it told names alone."""

    tags: list[str]
    records: t.Mapping[str, TagRecord] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Unread:
    """Digests of manifests that are yet to be read; `all_known`: there are no others below them."""

    digests: frozenset[str]
    all_known: bool


class Notes(t.Protocol):
    """Facts about contents that a store has found out at some cost, by a key of its own; a later run reads them again."""

    def get(self, key: str) -> dict[str, t.Any] | None:
        """What was noted; None where nothing was."""

    def put(self, key: str, value: t.Mapping[str, t.Any]) -> None:
        """Note something that JSON can hold."""


class Store(abc.ABC):
    """A place with repositories, tags, manifests and blobs. Threads share one object.

    All methods raise subclasses of MigrationError. Names are those of the distribution specification.
    """

    #: how messages and reports call it: a host, or a path
    name: str
    #: where it is, if its name leads elsewhere: another store may have the same name
    connect_to: str = ""
    #: what its product accepts and needs
    profile: Profile
    #: whether a blob can be brought from one repository into another without moving its bytes
    mounts: bool = True
    #: whether manifests stay where they are when their tags are deleted: a digest then stands for its tags
    keeps_manifests: bool = False
    #: whether reading a manifest brings blobs along, which have to be kept until they are moved
    brings_blobs: bool = False
    #: whether it lies on this host: what is read from it twice costs next to nothing
    is_local: bool = False

    @abc.abstractmethod
    def check(self, writing: bool, new: bool = False) -> None:
        """Find out early whether the store can be used at all. `new`: it does not have to exist yet."""

    @property
    def is_recognised(self) -> bool:
        """Whether its product is known by now; `check` finds it out."""
        return True

    @property
    def holds_platform(self) -> str:
        """The platform of all images that it can hold, where that is one only; empty for any. Asked for once the store has been checked."""
        return ""

    @property
    def holds_referrers(self) -> bool:
        """Whether it can hold what refers to images: signatures and the like."""
        return True

    @property
    def provider(self) -> Provider | None:
        """What its product can do beside holding images; None where there is no product behind it. Asked for once it is recognised."""
        return None

    def expect(self, repositories: t.Sequence[str]) -> None:  # noqa: B027 - most stores have no use for it
        """Say which repositories are going to be used."""

    @abc.abstractmethod
    def repositories(self) -> t.Iterator[str]:
        """All repositories; CatalogForbidden where the store does not say."""

    def record(self, repository: str) -> RepositoryRecord | None:
        """What the list of repositories told of one beside its name; None where it has not been read, or tells names alone."""
        return None

    @abc.abstractmethod
    def tags(self, repository: str) -> list[str]:
        """All tags of a repository; RepositoryUnknown where there is none."""

    def listing(self, repository: str) -> Listing:
        """All tags of a repository, with digests where that costs no request for each; RepositoryUnknown where there is none."""
        return Listing(self.tags(repository))

    def converts(self, media_type: str) -> bool:
        """Whether manifests that `resolve` says to be of this type are converted on the way: `manifest` then has another digest."""
        return False

    def keep_notes(self, notes: Notes) -> None:  # noqa: B027 - most stores find out nothing that costs more than a look
        """Say where facts are to be kept that are worth remembering for the next run."""

    @abc.abstractmethod
    def resolve(self, repository: str, reference: str) -> Descriptor | None:
        """Digest, media type and size (-1 if unknown) of a tag or digest; None where it is not there."""

    @abc.abstractmethod
    def manifest(self, repository: str, reference: str) -> Manifest:
        """A manifest's exact bytes; ManifestUnknown where it is not there."""

    def sketch(self, repository: str, reference: str) -> Manifest:
        """A manifest for an estimate. Where it would have to be made of blobs, digests of what nobody has read are stand-ins."""
        return self.manifest(repository, reference)

    def created(self, repository: str, reference: str) -> str:
        """When an image was made (ISO 8601), where the store knows that without its configuration; empty where that has to be read."""
        return ""

    @property
    def pulls(self) -> PullQuota | None:
        """Where each manifest that is read counts: how many there may be, and how many are left; None where they do not count."""
        return None

    def unread(self, repository: str, reference: str, found: Descriptor) -> Unread:
        """Which manifests of an image are yet to be read, where that counts. `found`: what its tag, or digest, stands for."""
        return Unread(frozenset(), True)

    @abc.abstractmethod
    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        """Manifests that have this one as their subject; None where the store only keeps fall-back tags."""

    @abc.abstractmethod
    def blob_size(self, repository: str, digest: str) -> int | None:
        """Bytes of a blob (-1 if the store does not say); None where it is not there."""

    @abc.abstractmethod
    def open_blob(self, repository: str, descriptor: Descriptor) -> BlobSource:
        """A blob for reading; BlobUnknown where it is not there."""

    def expect_blobs(self, repository: str, digests: t.Sequence[str]) -> None:  # noqa: B027 - most stores have no use for it
        """Say which blobs a repository is going to receive, so that the store can ask for several at once."""

    def learns_from(self, descriptor: Descriptor) -> bool:
        """Whether sending this blob would show how the store takes blobs in the fewest requests: the others do well to wait for it."""
        return False

    @abc.abstractmethod
    def receive_blob(
        self,
        repository: str,
        descriptor: Descriptor,
        open_source: t.Callable[[], BlobSource],
        *,
        holder: str = "",
        remembered: bool = False,
        fresh: bool = False,
        anew: bool = False,
    ) -> Received:
        """Have the blob in a repository when this returns.

        `open_source` is only called when bytes have to move. `holder`: a repository here that is known to hold the blob;
        `remembered`: that was in an earlier run, and may have changed.
        `fresh`: this repository is known to be new. `anew`: move the bytes whatever the store says to have.
        """

    @abc.abstractmethod
    def put_manifest(self, repository: str, manifest: Manifest, tags: t.Sequence[str] = ()) -> PutManifest:
        """Store a manifest under tags, or without any under its digest."""

    @property
    def deletes_by_tag(self) -> bool:
        """Whether deleting a tag is known to remove just that tag. Where it is not known, its digest is what goes."""
        return bool(self.profile.deletes_by_tag)

    @abc.abstractmethod
    def delete_manifest(self, repository: str, reference: str) -> bool:
        """Delete a tag or digest; False where it was not there."""

    @property
    def places(self) -> int:
        """How much the store can usefully be asked at the same time."""
        return NEAR

    @property
    def requests(self) -> int:
        """Requests over the network so far."""
        return 0

    def features(self) -> dict[str, t.Any]:
        """What was learnt about the store and is worth remembering for the next run."""
        return {}

    def remember(self, features: t.Mapping[str, t.Any]) -> None:  # noqa: B027 - most stores have nothing to learn
        """Take over what an earlier run has learnt."""

    @property
    def warnings(self) -> list[str]:
        """What the store asked to be told to people."""
        return []

    def finish(self) -> None:  # noqa: B027 - most stores have nothing to keep back
        """Have everything that was put be there for good; the store stays open."""

    def close(self) -> None:  # noqa: B027 - most stores hold nothing
        """Finish writing, and give everything back."""

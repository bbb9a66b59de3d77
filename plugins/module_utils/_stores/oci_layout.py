# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""An OCI image layout (image-spec "image-layout.md") as a store: a folder that holds any number of repositories.

Entries of index.json are named `repository:tag` in the annotation `org.opencontainers.image.ref.name`, whose grammar allows it;
a name without a colon is a tag of the repository that the folder is called after, as single-image layouts of other tools have it.
All blobs lie in one place, so each exists once, whatever the number of repositories that use it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import tempfile
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobReader, BlobSource, checked
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import PutManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import PIECE
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import check_digest, is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    BlobUnknown,
    InvalidOption,
    InvalidReference,
    ManifestUnknown,
    MigrationError,
    RepositoryUnknown,
    StateError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import (
    MANIFEST_LIMIT,
    Descriptor,
    Manifest,
    parse_manifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import OCI_INDEX
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_repository, check_tag
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Received, Store

REF_NAME = "org.opencontainers.image.ref.name"
#: index.json is written again at most this often (seconds): with thousands of tags it is large
FLUSH_EVERY = 2.0
_LOCK = ".registryops.lock"
#: how files are called while they are being written
_INCOMING = ".incoming-"


class _File:
    """A blob in a file, for reading."""

    def __init__(self, path: str, digest: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - closed by close()
        self._digest = digest
        self.size = os.fstat(self._file.fileno()).st_size
        self.received = 0

    def __iter__(self) -> t.Iterator[bytes]:
        return checked(self._pieces(), self._digest, self._file.name)

    def _pieces(self) -> t.Iterator[bytes]:
        while True:
            try:
                data = self._file.read(PIECE)
            except OSError as error:
                raise StateError(f"cannot be read: {error.strerror}.", subject=self._file.name, hint="Look at the disk.") from error
            if not data:
                return
            self.received += len(data)
            yield data

    def close(self) -> None:
        self._file.close()


class OCILayoutStore(Store):
    """A folder with `oci-layout`, `index.json` and `blobs/`."""

    mounts = False
    keeps_manifests = True
    is_local = True

    def __init__(self, path: str, profile: Profile, bandwidth: Rate | None = None) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        self.name = self.path
        self.profile = profile
        self._bandwidth = bandwidth or Rate(0)
        self._lock = threading.RLock()
        #: what index.json holds beside its entries
        self._more: dict[str, t.Any] = {}
        #: its entries in their order, by their id(): one is taken out without looking at the others
        self._entries: dict[int, dict[str, t.Any]] = {}
        self._by_digest: dict[str, dict[str, t.Any]] = {}
        self._tags: dict[str, dict[str, dict[str, t.Any]]] = {}
        self._loaded = False
        self._changed = False
        self._flushed_at = -FLUSH_EVERY
        self._flushing = threading.Lock()
        #: files that have been written since index.json was, and may not outlive a power failure yet
        self._unsynced: set[str] = set()
        self._mode = 0o600
        self._lock_file: t.IO[str] | None = None

    # -- the folder
    def check(self, writing: bool, new: bool = False) -> None:
        if writing:
            self._prepare()
        elif new and not os.path.lexists(self.path):
            self._loaded = True
        self._load()

    def _prepare(self) -> None:
        """Make the folder a layout, and keep other processes from writing to it."""
        with self._lock:
            if self._lock_file is not None:
                return
            try:
                os.makedirs(os.path.join(self.path, "blobs"), exist_ok=True)
                lock_file = open(os.path.join(self.path, _LOCK), "w")  # noqa: SIM115 - held until close()
            except OSError as error:
                raise StateError(
                    f"cannot be written to: {error.strerror}.", subject=self.path, hint="Choose a folder that is writable."
                ) from error
            try:
                fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                lock_file.close()
                if isinstance(error, BlockingIOError):
                    raise StateError("another run is writing to this folder.", subject=self.path, hint="Wait for it to end.") from error
                raise StateError(
                    f"cannot be locked: {error.strerror}.", subject=self.path, hint="Choose a folder on another file system."
                ) from error
            self._lock_file = lock_file
            # what has been read so far, the run that had the lock may have changed
            self._loaded = False
            self._mode = 0o666 & ~_file_mask()
            self._remove_leftovers()
            marker = os.path.join(self.path, "oci-layout")
            if not os.path.exists(marker):
                self._write(marker, [b'{"imageLayoutVersion": "1.0.0"}'])

    def _remove_leftovers(self) -> None:
        """Remove what a run that was killed was writing: nobody else writes while the lock is held."""
        blobs = os.path.join(self.path, "blobs")
        for folder in [self.path, *(os.path.join(blobs, name) for name in os.listdir(blobs))]:
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                if name.startswith(_INCOMING):
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.join(folder, name))

    def _load(self) -> None:
        with self._lock:
            if self._loaded:
                return
            index = os.path.join(self.path, "index.json")
            if not os.path.isdir(self.path):
                raise InvalidOption("there is no such folder.", subject=self.path, hint="Give the path of an OCI layout.")
            self._more, self._entries, self._by_digest, self._tags = {}, {}, {}, {}
            if os.path.exists(index):
                self._read_index(index)
            elif self._lock_file is None:
                raise InvalidOption("holds no index.json.", subject=self.path, hint="Give the path of an OCI layout.")
            else:
                # an empty layout has one, too
                self._changed = True
            self._loaded = True

    def _read_index(self, path: str) -> None:
        try:
            with open(path, "rb") as file:
                content = json.load(file)
            for entry in content["manifests"]:
                if not isinstance(entry.get("mediaType", ""), str) or not isinstance(entry.get("size", 0), int):
                    raise ValueError(f"mediaType or size of {entry['digest']!r}")
                self._by_digest[check_digest(entry["digest"])] = entry
                name = self._name(entry)
                if name is not None:
                    # of several entries with one name, as other tools may have left them, the last counts
                    self._forget(*name)
                    self._tags.setdefault(name[0], {})[name[1]] = entry
                self._entries[id(entry)] = entry
            self._changed = False
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MigrationError) as error:
            raise InvalidOption(
                f"is no index of an OCI layout ({error}).", subject=path, hint="Mend it, or choose another folder."
            ) from error
        self._more = {key: value for key, value in content.items() if key != "manifests"}

    def _name(self, entry: dict[str, t.Any]) -> tuple[str, str] | None:
        """Repository and tag of an entry."""
        name = (entry.get("annotations") or {}).get(REF_NAME)
        if not isinstance(name, str):
            return None
        repository, _separator, tag = name.rpartition(":")
        repository = repository or re.sub(r"[^a-z0-9._-]+", "-", os.path.basename(self.path).lower()).strip("._-") or "layout"
        try:
            check_repository(repository)
            check_tag(tag)
        except InvalidReference:
            # another tool's naming: the image can still be had by its digest
            return None
        return repository, tag

    def _write(self, path: str, pieces: t.Iterable[bytes], lasting: bool = False) -> None:
        """Write a file so that nobody ever sees half of it; `lasting`: not even after a power failure."""
        temporary = ""
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=_INCOMING)
            with os.fdopen(handle, "wb") as file:
                for data in pieces:
                    file.write(data)
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
            os.chmod(temporary, self._mode)
            os.replace(temporary, path)
            temporary = ""
            if not lasting:
                with self._lock:
                    self._unsynced.add(path)
        except OSError as error:
            raise StateError(f"cannot be written: {error.strerror}.", subject=path, hint="Look at free space and permissions.") from error
        finally:
            if temporary:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)

    def _flush(self) -> None:
        """Write index.json, after all that it names has reached the disk. Others go on writing meanwhile, for the next time."""
        with self._flushing:
            with self._lock:
                if not self._changed:
                    return
                content = {"schemaVersion": 2, "mediaType": OCI_INDEX, **self._more, "manifests": list(self._entries.values())}
                data = json.dumps(content, separators=(",", ":")).encode()
                written, self._unsynced, self._changed = self._unsynced, set(), False
            try:
                self._sync(written)
                self._write(os.path.join(self.path, "index.json"), [data], lasting=True)
                self._sync([], [self.path])
            except BaseException:
                with self._lock:
                    self._unsynced |= written
                    self._changed = True
                raise
            self._flushed_at = time.monotonic()

    def _sync(self, files: t.Iterable[str], folders: t.Iterable[str] = ()) -> None:
        """Have files, and the folders that name them, outlive a power failure: at once for many, which costs hardly more than for one."""
        path = self.path
        try:
            named = set(folders)
            for path in files:
                _fsync(path)
                named |= {os.path.dirname(path), os.path.dirname(os.path.dirname(path))}
            for path in sorted(named):
                # beside the layout is what is not ours
                if path.startswith(self.path):
                    _fsync_folder(path)
        except OSError as error:
            raise StateError(f"cannot be written: {error.strerror}.", subject=path, hint="Look at the disk.") from error

    def _blob_path(self, digest: str) -> str:
        algorithm, encoded = check_digest(digest).split(":", 1)
        return os.path.join(self.path, "blobs", algorithm, encoded)

    # -- what is there
    def repositories(self) -> t.Iterator[str]:
        self._load()
        return iter(sorted(self._tags))

    def tags(self, repository: str) -> list[str]:
        self._load()
        with self._lock:
            if repository not in self._tags:
                raise RepositoryUnknown("there is no such repository.", subject=f"{self.path}: {repository}", hint="Check the name.")
            return list(self._tags[repository])

    def resolve(self, repository: str, reference: str) -> Descriptor | None:
        self._load()
        if ":" in reference:
            entry = self._by_digest.get(reference)
            if entry is None:
                try:
                    manifest = self.manifest(repository, reference)
                except ManifestUnknown:
                    return None
                return Descriptor(manifest.media_type, manifest.digest, len(manifest.data))
        else:
            entry = self._tags.get(repository, {}).get(reference)
        return Descriptor(entry.get("mediaType", ""), entry["digest"], entry.get("size", -1)) if entry else None

    def manifest(self, repository: str, reference: str) -> Manifest:
        self._load()
        digest, media_type = reference, ""
        if ":" not in reference:
            entry = self._tags.get(repository, {}).get(reference)
            if entry is None:
                raise ManifestUnknown("there is no such tag.", subject=f"{self.path}: {repository}:{reference}", hint="Check the name.")
            digest, media_type = entry["digest"], entry.get("mediaType", "")
        try:
            with open(self._blob_path(digest), "rb") as file:
                data = file.read(MANIFEST_LIMIT + 1)
        except OSError as error:
            raise ManifestUnknown(
                f"cannot be read: {error.strerror}.", subject=f"{self.path}: {digest}", hint="Copy the image again."
            ) from error
        return parse_manifest(data, media_type, digest)

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        return None

    def blob_size(self, repository: str, digest: str) -> int | None:
        try:
            return os.stat(self._blob_path(digest)).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StateError(f"cannot be looked at: {error.strerror}.", subject=self.path, hint="Look at its permissions.") from error

    def open_blob(self, repository: str, descriptor: Descriptor) -> BlobSource:
        try:
            return _File(self._blob_path(descriptor.digest), descriptor.digest)
        except OSError as error:
            raise BlobUnknown(
                f"cannot be read: {error.strerror}.",
                subject=f"{self.path}: {descriptor.digest}",
                hint="Copy the image into the folder again.",
            ) from error

    # -- what is written
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
        self._prepare()
        path = self._blob_path(descriptor.digest)
        size = self.blob_size(repository, descriptor.digest)
        if size is not None and not anew and descriptor.size in (-1, size):
            return Received("present")
        source = open_source()
        try:
            self._write(path, self._paced(source))
        finally:
            source.close()
        return Received("uploaded", source.received)

    def _paced(self, source: BlobSource) -> t.Iterator[bytes]:
        """The bytes of a source, no faster than the run may move them; those of a registry come at that pace already."""
        for data in source:
            if not isinstance(source, BlobReader):
                self._bandwidth.take(len(data))
            yield data

    def put_manifest(self, repository: str, manifest: Manifest, tags: t.Sequence[str] = ()) -> PutManifest:
        self._prepare()
        self._load()
        self._write(self._blob_path(manifest.digest), [manifest.data])
        with self._lock:
            for tag in tags:
                # a tag that moves keeps the name under which it has been found so far
                before = self._tags.get(repository, {}).get(tag)
                name = before["annotations"][REF_NAME] if before else f"{repository}:{tag}"
                self._forget(repository, tag)
                entry = {
                    "mediaType": manifest.media_type,
                    "digest": manifest.digest,
                    "size": len(manifest.data),
                    "annotations": {REF_NAME: name},
                }
                self._entries[id(entry)] = entry
                self._by_digest[manifest.digest] = entry
                self._tags.setdefault(repository, {})[tag] = entry
                self._changed = True
        # one of many threads does it, the others go on
        if time.monotonic() - self._flushed_at > FLUSH_EVERY and not self._flushing.locked():
            self._flush()
        return PutManifest(tuple(tags), False)

    def _forget(self, repository: str, tag: str) -> bool:
        entry = self._tags.get(repository, {}).pop(tag, None)
        if entry is None:
            return False
        if not self._tags[repository]:
            del self._tags[repository]
        del self._entries[id(entry)]
        self._changed = True
        return True

    @property
    def deletes_by_tag(self) -> bool:
        return True

    def delete_manifest(self, repository: str, reference: str) -> bool:
        self._prepare()
        self._load()
        with self._lock:
            if not is_digest(reference):
                return self._forget(repository, reference)
            tags = [tag for tag, entry in self._tags.get(repository, {}).items() if entry["digest"] == reference]
            forgotten = [self._forget(repository, tag) for tag in tags]
            return any(forgotten)

    def close(self) -> None:
        if self._lock_file is None:
            return
        try:
            # before the lock is taken, as everywhere
            self._flush()
        finally:
            with self._lock:
                if self._lock_file is not None:
                    self._lock_file.close()
                    self._lock_file = None

    def finish(self) -> None:
        self._flush()


def _fsync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fsync_folder(path: str) -> None:
    try:
        _fsync(path)
    except OSError as error:
        # there are file systems that know no such thing for folders
        if error.errno != errno.EINVAL:
            raise


def _file_mask() -> int:
    """What the process takes from the permissions of new files; there is no way to ask without setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask

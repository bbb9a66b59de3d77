# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Files that are only read, wherever they lie: in a folder of this host, on another host over SSH, in a bucket of S3.

The libraries for SSH (paramiko) and S3 (boto3) are imported when they are wanted.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import os
import posixpath
import stat
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import PIECE
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    BlobUnknown,
    ConnectionFailed,
    DigestMismatch,
    InvalidAnswer,
    MigrationError,
    StateError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate, backoff
from ansible_collections.registryops.migration.plugins.module_utils._oci.ssh import (
    SSHConnection,
    SSHOptions,
    load_paramiko,
    reason_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.aws import AWS

#: sessions of SFTP over one connection at once: sshd's MaxSessions is 10 unless it was changed, and those that end count for a while
SESSIONS = 6
#: requests to S3 at once
REQUESTS = 16
#: reads of a file that are under way to a host
_READ_AHEAD = 64
_ATTEMPTS = 5
_ALTERNATIVE = "run the task on the host that has the files, with path alone"
#: how often a session is asked for before there are fewer of them
_REFUSALS = 3


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a folder has under a name."""

    name: str
    is_folder: bool


class Opened(t.Protocol):
    """A file that is being read from some byte on."""

    size: int

    def pieces(self) -> t.Iterator[bytes]:
        """The bytes, in order; ConnectionFailed where it broke off."""

    def close(self) -> None:
        """Give back what is held for reading."""


class Files(abc.ABC):
    """Files below a folder. Paths are relative to it, with slashes. Threads share one object; all methods raise MigrationErrors."""

    #: how messages call the folder
    name: str
    is_local = False
    #: how much can usefully be asked at the same time
    places = 8

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: requests over the network so far
        self.requests = 0

    def _count(self) -> None:
        with self._lock:
            self.requests += 1

    @abc.abstractmethod
    def entries(self, folder: str) -> list[Entry] | None:
        """What is in a folder; None where there is none."""

    @abc.abstractmethod
    def open(self, path: str, start: int = 0) -> Opened | None:
        """A file, from a byte on; None where there is none."""

    @abc.abstractmethod
    def size(self, path: str) -> int | None:
        """Bytes of a file; None where there is none."""

    def read(self, path: str, limit: int) -> bytes | None:
        """A whole small file; None where there is none, InvalidAnswer where it has more than `limit` bytes."""
        opened = self.open(path)
        if opened is None:
            return None
        data = b""
        with contextlib.closing(opened):
            for piece in opened.pieces():
                data += piece
                if len(data) > limit:
                    raise InvalidAnswer(f"has more than {limit} bytes.", subject=self.where(path), hint="Repair it at the source.")
        return data

    def where(self, path: str) -> str:
        """How messages call a file."""
        return f"{self.name.rstrip('/')}/{path}" if path else self.name

    def close(self) -> None:  # noqa: B027 - not every place holds something
        """Give everything back."""


class FileSource:
    """A file as a blob of which nobody knows the digest. Where reading breaks off, it goes on at the same byte."""

    def __init__(self, files: Files, path: str, where: str, bandwidth: Rate | None = None) -> None:
        self._files = files
        self._path = path
        self._where = where
        self._bandwidth = bandwidth or Rate(0)
        self._opened: Opened | None = self._open(0)
        self.size = self._opened.size
        self.received = 0

    def _open(self, start: int) -> Opened:
        opened = self._files.open(self._path, start)
        if opened is None:
            raise BlobUnknown("the source does not have this image's layer.", subject=self._where)
        return opened

    def __iter__(self) -> t.Iterator[bytes]:
        failures = 0
        while True:
            try:
                for data in self._opened.pieces() if self._opened else ():
                    self.received += len(data)
                    self._bandwidth.take(len(data))
                    failures = 0 if data else failures
                    yield data
                if self.received == self.size:
                    self.close()
                    return
                if self.received > self.size:
                    raise DigestMismatch(
                        f"has grown from {self.size} bytes while it was read.", subject=self._files.where(self._path), hint="Run again."
                    )
                raise ConnectionFailed(f"ended after {self.received} of {self.size} bytes.", subject=self._files.where(self._path))
            except ConnectionFailed:
                failures += 1
                if failures >= _ATTEMPTS:
                    raise
            self.close()
            time.sleep(backoff(failures))
            self._opened = self._open(self.received)

    def close(self) -> None:
        """Give back what is held for reading."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


# -- a folder of this host


class LocalFiles(Files):
    """A folder of the host where this runs."""

    is_local = True
    places = 16

    def __init__(self, path: str) -> None:
        super().__init__()
        self._root = os.path.abspath(os.path.expanduser(path))
        self.name = self._root

    def _path(self, path: str) -> str:
        return os.path.join(self._root, *path.split("/")) if path else self._root

    def entries(self, folder: str) -> list[Entry] | None:
        try:
            with os.scandir(self._path(folder)) as found:
                return [Entry(one.name, one.is_dir()) for one in found]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._failed(error, folder) from error

    def open(self, path: str, start: int = 0) -> Opened | None:
        try:
            return _LocalFile(self._path(path), start)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise self._failed(error, path) from error

    def size(self, path: str) -> int | None:
        try:
            found = os.stat(self._path(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._failed(error, path) from error
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def _failed(self, error: OSError, path: str) -> MigrationError:
        if isinstance(error, PermissionError):
            hint = "Run the task as a user who may read it, such as with become."
            return AccessDenied("may not be read.", subject=self.where(path), hint=hint)
        return StateError(f"cannot be read: {error.strerror}.", subject=self.where(path), hint="Look at the disk.")


class _LocalFile:
    def __init__(self, path: str, start: int) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - closed by close()
        self.size = os.fstat(self._file.fileno()).st_size
        self._file.seek(start)

    def pieces(self) -> t.Iterator[bytes]:
        try:
            while data := self._file.read(PIECE):
                yield data
        except OSError as error:
            raise StateError(f"cannot be read: {error.strerror}.", subject=self._file.name, hint="Look at the disk.") from error

    def close(self) -> None:
        self._file.close()


# -- another host


class _SessionRefused(Exception):
    """The host gives no further session over this connection now; `meant` is what people are told if it never does."""

    def __init__(self, meant: MigrationError) -> None:
        super().__init__(str(meant))
        self.meant = meant


class SSHFiles(Files):
    """A folder of another host, read over SFTP: one connection, with a session for each file that is being read."""

    places = SESSIONS

    def __init__(self, path: str, options: SSHOptions) -> None:
        super().__init__()
        self._root = path.rstrip("/") or "/"
        self._options = options
        self._ssh = SSHConnection(options, _ALTERNATIVE)
        self._host = options.where
        self.name = f"ssh://{self._host}{'' if path.startswith('/') else '/'}{self._root}"
        self._connecting = threading.Lock()
        self._idle: list[t.Any] = []
        self._sessions = threading.BoundedSemaphore(SESSIONS)
        self._capacity = SESSIONS

    # -- sessions
    @contextlib.contextmanager
    def _session(self) -> t.Iterator[t.Any]:
        """A session of SFTP for one question."""
        session = self._borrow()
        usable = False
        try:
            yield session
            usable = True
        except (FileNotFoundError, PermissionError):
            # an answer like others
            usable = True
            raise
        finally:
            self._give_back(session, usable)

    def _borrow(self) -> t.Any:
        """A session of one's own. Where the host gives fewer than there might be, there are fewer from then on."""
        refusals = 0
        while True:
            self._sessions.acquire()
            try:
                with self._lock:
                    idle = self._idle.pop() if self._idle else None
                return idle or self._new_session()
            except _SessionRefused as error:
                refusals += 1
                with self._lock:
                    fewer = refusals % _REFUSALS == 0 and self._capacity > 1
                    self._capacity -= fewer
                if not fewer:
                    self._sessions.release()
                    # one that waits while others go down to what there is has not been refused for good
                    if refusals % _REFUSALS == 0:
                        raise error.meant from error
                time.sleep(backoff(1))
            except BaseException:
                self._sessions.release()
                raise

    def _give_back(self, session: t.Any, usable: bool = True) -> None:
        with self._lock:
            if usable:
                self._idle.append(session)
        if not usable:
            self._end(session)
        self._sessions.release()

    def _end(self, session: t.Any) -> None:
        # where the connection has broken there is nobody to say good-bye to
        with contextlib.suppress(*self.errors):
            session.close()

    def _new_session(self) -> t.Any:
        with self._connecting:
            if not self._ssh.is_alive:
                self._forget()
            transport = self._ssh.transport()
        paramiko = self._library()
        try:
            channel = transport.open_session(timeout=self._options.timeout)
            channel.settimeout(self._options.silence)
            channel.invoke_subsystem("sftp")
            self._count()
            return paramiko.SFTPClient(channel)
        except paramiko.SFTPError as error:
            raise InvalidAnswer(
                f"answers with something else than SFTP ({reason_of(error)}).",
                subject=self._host,
                hint="What is started there when a user signs in, such as .bashrc, must not print anything where there is no terminal.",
            ) from error
        except self.errors as error:
            meant = ConnectionFailed(
                f"gives no session of SFTP ({reason_of(error)}).",
                subject=self._host,
                hint="Its SSH server has to offer the subsystem sftp, and a session over a connection (MaxSessions).",
            )
            # of two that are refused at the same time, paramiko tells only one why
            is_refused = isinstance(error, paramiko.ChannelException) or str(error) == "Unable to open channel."
            raise (_SessionRefused(meant) if is_refused else meant) from error

    def _forget(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            self._end(session)
        self._ssh.close()

    def _library(self) -> t.Any:
        return load_paramiko(self._options, _ALTERNATIVE)

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        """What paramiko raises where a connection, or what comes over it, is not as it should be."""
        paramiko = self._library()
        return paramiko.SSHException, paramiko.SFTPError, EOFError, OSError

    # -- files
    def _path(self, path: str) -> str:
        return posixpath.join(self._root, path) if path else self._root

    def _ask(self, path: str, ask: t.Callable[[t.Any], t.Any]) -> t.Any:
        """The answer to a question about a path; None where there is no such thing."""

        def attempt() -> t.Any:
            with self._session() as session:
                self._count()
                return ask(session)

        return self._repeat(path, attempt)

    def _repeat(self, path: str, attempt: t.Callable[[], t.Any]) -> t.Any:
        """What an attempt gives; None where there is no such file. A connection that has broken is made anew."""
        failures = 0
        while True:
            try:
                return attempt()
            except FileNotFoundError:
                return None
            except self.errors as error:
                failed = self._failed(error, path)
                failures += 1
                if not failed.transient or failures >= _ATTEMPTS:
                    raise failed from error
            time.sleep(backoff(failures))

    def _failed(self, error: BaseException, path: str) -> MigrationError:
        if isinstance(error, PermissionError):
            hint = f"Sign in as a user who may read it ({self._options.prefix}username)."
            return AccessDenied("may not be read.", subject=self.where(path), hint=hint)
        return ConnectionFailed(f"could not be read ({reason_of(error)}).", subject=self.where(path))

    def entries(self, folder: str) -> list[Entry] | None:
        path = self._path(folder)
        found = self._ask(folder, lambda session: session.listdir_attr(path))
        if found is None:
            return None
        # SFTP tells of a link that it is one, and not what it leads to
        return [Entry(one.filename, stat.S_ISDIR(one.st_mode or 0) or self._leads_to_folder(folder, one)) for one in found]

    def _leads_to_folder(self, folder: str, entry: t.Any) -> bool:
        if not stat.S_ISLNK(entry.st_mode or 0):
            return False
        path = posixpath.join(self._path(folder), entry.filename)
        found = self._ask(folder, lambda session: session.stat(path))
        return found is not None and stat.S_ISDIR(found.st_mode or 0)

    def size(self, path: str) -> int | None:
        found = self._ask(path, lambda session: session.stat(self._path(path)))
        return int(found.st_size) if found is not None and stat.S_ISREG(found.st_mode or 0) else None

    def open(self, path: str, start: int = 0) -> Opened | None:
        def attempt() -> Opened:
            session = self._borrow()
            try:
                self._count()
                return _RemoteFile(self, session, self._path(path), path, start)
            except BaseException as error:
                self._give_back(session, usable=isinstance(error, (FileNotFoundError, PermissionError)))
                raise

        found: Opened | None = self._repeat(path, attempt)
        return found

    def close(self) -> None:
        self._forget()


class _RemoteFile:
    """A file over a session of its own: reads are sent ahead of their answers, and whoever reads slowly holds up nobody else."""

    def __init__(self, files: SSHFiles, session: t.Any, path: str, name: str, start: int) -> None:
        self._files = files
        self._session: t.Any = session
        self._name = name
        self._ended = False
        self._file = session.open(path, "rb")
        self.size = int(self._file.stat().st_size or 0)
        self._left = self.size - start
        if self._left > PIECE:
            self._file.seek(start)
            self._file._prefetch_thread = self._quietly(self._file._prefetch_thread)
            self._file.prefetch(self.size, max_concurrent_requests=_READ_AHEAD)
        elif start:
            self._file.seek(start)

    def _quietly(self, send: t.Callable[..., None]) -> t.Callable[..., None]:
        """Sending ahead, whose errors the reader meets as well: paramiko's thread would print them."""
        errors = self._files.errors

        def send_quietly(*arguments: t.Any) -> None:
            with contextlib.suppress(*errors):
                send(*arguments)

        return send_quietly

    def pieces(self) -> t.Iterator[bytes]:
        try:
            while data := self._file.read(PIECE):
                self._left -= len(data)
                yield data
            self._ended = self._left <= 0
        except self._files.errors as error:
            raise self._files._failed(error, self._name) from error

    def close(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        # answers to what was sent ahead may still come: the session is of no use to others then
        if self._ended:
            with contextlib.suppress(*self._files.errors):
                self._file.close()
        self._files._give_back(session, usable=self._ended)


# -- a bucket


class BucketFiles(Files):
    """Objects of a bucket below a prefix; what their names have before a slash counts as a folder."""

    places = REQUESTS

    def __init__(self, aws: AWS, bucket: str, prefix: str = "") -> None:
        super().__init__()
        self._aws = aws
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self.name = f"s3://{bucket}/{self._prefix}".rstrip("/")

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self._prefix, path) if part)

    def _ask(self, operation: str, path: str, **parameters: t.Any) -> t.Any:
        self._count()
        return self._aws.ask("s3", operation, self.where(path), missing=("NoSuchKey", "404", "NotFound"), Bucket=self._bucket, **parameters)

    def entries(self, folder: str) -> list[Entry] | None:
        key = self._key(folder)
        prefix = f"{key}/" if key else ""
        found: list[Entry] = []
        token: str | None = None
        while True:
            answer = self._ask("list_objects_v2", folder, Prefix=prefix, Delimiter="/", ContinuationToken=token) or {}
            found += [Entry(one["Prefix"][len(prefix) : -1], True) for one in answer.get("CommonPrefixes") or ()]
            found += [Entry(one["Key"][len(prefix) :], False) for one in answer.get("Contents") or () if one["Key"] != prefix]
            following = answer.get("NextContinuationToken") if answer.get("IsTruncated") else None
            if following is None or following == token:
                return found or None
            token = following

    def size(self, path: str) -> int | None:
        answer = self._ask("head_object", path, Key=self._key(path))
        return None if answer is None else int(answer["ContentLength"])

    def open(self, path: str, start: int = 0) -> Opened | None:
        span = {"Range": f"bytes={start}-"} if start else {}
        answer = self._ask("get_object", path, Key=self._key(path), **span)
        return None if answer is None else _Object(answer, start, self.where(path))


class _Object:
    def __init__(self, answer: t.Mapping[str, t.Any], start: int, where: str) -> None:
        self._body = answer["Body"]
        self._where = where
        self.size = start + int(answer["ContentLength"])

    def pieces(self) -> t.Iterator[bytes]:
        from botocore.exceptions import BotoCoreError

        try:
            yield from self._body.iter_chunks(PIECE)
        except (BotoCoreError, OSError) as error:
            raise ConnectionFailed(f"broke off ({reason_of(error)}).", subject=self._where) from error

    def close(self) -> None:
        self._body.close()

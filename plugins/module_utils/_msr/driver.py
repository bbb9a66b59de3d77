# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The database of an MSR where it can be reached itself, with RethinkDB's own driver, which is imported when it is wanted.

The driver checks a certificate, but shows none of its own, which the product asks for: the connection is made here, and the driver speaks
over it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import socket
import ssl
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._msr.interface import Database, Row, ask_again
from ansible_collections.registryops.migration.plugins.module_utils._msr.reql import (
    PAGE,
    STATEMENT_BYTES,
    batches,
    check_written,
    literal,
    primary_key_of,
    reason_in,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConnectionFailed,
    DatabaseFailed,
    InvalidAnswer,
    InvalidOption,
    LibraryMissing,
    MigrationError,
)

#: connections that are kept while nobody uses them
_IDLE = 4
_SILENT = logging.NullHandler()


@dataclasses.dataclass(frozen=True)
class DriverOptions:
    """`tls_server_name`: the name that the certificate has to be for, where that is not `host`, such as through a forwarded port.
    `timeout`: seconds until a connection is there.
    """

    host: str
    port: int = 28015
    username: str = "admin"
    password: str = dataclasses.field(default="", repr=False)
    tls: bool = True
    verify: bool = True
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""
    tls_server_name: str = ""
    timeout: float = 10.0
    silence: float = 300.0
    prefix: str = "driver."


class DriverDatabase(Database):
    """RethinkDB itself."""

    def __init__(self, options: DriverOptions, page: int = PAGE) -> None:
        self._options = options
        self._page = page
        self._lock = threading.Lock()
        self._idle: list[t.Any] = []
        self.name = f"rethinkdb://{options.host}:{options.port}"

    # -- rows
    def rows(self, database: str, table: str, fields: t.Sequence[str] = ()) -> list[Row]:
        """All rows, read in pages by their keys, so that what is written meanwhile shifts none of them."""
        r = self._library()
        key = primary_key_of(database, table)
        found: list[Row] = []
        after: t.Any = r.minval
        while True:
            query = r.db(database).table(table).between(after, r.maxval, left_bound="open").order_by(index=key).limit(self._page)
            if fields:
                query = query.pluck(*sorted({key, *fields}))
            rows = self._ask(query)
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise InvalidAnswer(f"gives no rows of {database}.{table}.", subject=self.name)
            found += rows
            if len(rows) < self._page:
                return found
            after = rows[-1][key]

    def insert(self, database: str, table: str, rows: t.Sequence[Row]) -> None:
        """Add rows. All are tried before an error is raised."""
        into = self._library().db(database).table(table)
        self._in_batches(f"{database}.{table}", rows, lambda some: into.insert(some, conflict="error", durability="hard"), repeatable=False)

    def update(self, database: str, table: str, changes: t.Mapping[str, Row]) -> None:
        """Change fields of rows; one that is not there is an error, which is raised after all others have been changed."""
        r = self._library()
        into = r.db(database).table(table)
        items = [{"key": key, "fields": fields} for key, fields in changes.items()]
        self._in_batches(
            f"{database}.{table}",
            items,
            lambda some: r.expr(some).for_each(lambda change: into.get(change["key"]).update(change["fields"])),
            all_there=True,
        )

    def delete(self, database: str, table: str, keys: t.Sequence[str]) -> None:
        """Delete rows; those that are not there are none."""
        r = self._library()
        into = r.db(database).table(table)
        self._in_batches(f"{database}.{table}", keys, lambda some: r.expr(some).for_each(lambda key: into.get(key).delete()))

    def _in_batches(
        self,
        table: str,
        items: t.Sequence[t.Any],
        query: t.Callable[[list[t.Any]], t.Any],
        *,
        repeatable: bool = True,
        all_there: bool = False,
    ) -> None:
        first: MigrationError | None = None
        for group in batches([literal(item) for item in items], STATEMENT_BYTES):
            some = [json.loads(item) for item in group]
            try:
                check_written(self._ask(query(some), repeatable=repeatable), len(some), self.name, table, all_there=all_there)
            except (DatabaseFailed, InvalidAnswer) as error:
                first = first or error
        if first is not None:
            raise first

    # -- queries
    def _ask(self, query: t.Any, *, repeatable: bool = True) -> t.Any:
        return ask_again(lambda: self._ask_once(query), repeatable)

    def _ask_once(self, query: t.Any) -> t.Any:
        r = self._library()
        connection = self._borrow(r)
        usable = False
        try:
            # moments stay what they are on the wire
            answer = query.run(connection, time_format="raw", binary_format="raw")
            if hasattr(answer, "next"):
                answer = list(answer)
            usable = True
            return answer
        except r.ReqlPermissionError as error:
            raise AuthenticationFailed(
                f"the user {self._options.username} may not do this.",
                subject=self.name,
                hint="Name a user who may read and write the tables.",
            ) from error
        except (r.ReqlDriverError, OSError) as error:
            raise ConnectionFailed(f"the connection broke ({_reason(error)}).", subject=self.name) from error
        except r.ReqlError as error:
            usable = True
            raise DatabaseFailed(f"says: {reason_in(error.message)}.", subject=self.name) from error
        finally:
            self._give_back(connection, usable)

    def _borrow(self, r: t.Any) -> t.Any:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        return connection if connection is not None and connection.is_open() else self._connect(r)

    def _give_back(self, connection: t.Any, usable: bool) -> None:
        with self._lock:
            if usable and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        self._end(connection)

    def close(self) -> None:
        """End the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            self._end(connection)

    def _end(self, connection: t.Any) -> None:
        # one that is broken cannot be ended properly, and need not
        with contextlib.suppress(OSError, self._library().ReqlError):
            connection.close(noreply_wait=False)

    # -- connections
    def _library(self) -> t.Any:
        try:
            from rethinkdb import r
        except ImportError as error:
            from ansible.module_utils.basic import missing_required_lib

            raise LibraryMissing(
                f"cannot be used. {missing_required_lib('rethinkdb')}.",
                subject=self._options.prefix.rstrip("."),
                hint="Install it there: pip install rethinkdb.",
            ) from error
        # what it has to say comes as errors, too; without a handler Python would print it
        logging.getLogger("rethinkdb").addHandler(_SILENT)
        return r

    def _connect(self, r: t.Any) -> t.Any:
        from rethinkdb import net

        options = self._options
        made = self._socket()

        class Wrapper(net.SocketWrapper):  # type: ignore[misc]  # the library has no types
            """The driver's own, over a connection that is there."""

            def __init__(self, parent: t.Any, timeout: float) -> None:
                self.host, self.port = options.host, options.port
                self.ssl: dict[str, str] = {}
                self._read_buffer = None
                self._socket = made
                handshake, deadline = parent._parent.handshake, time.time() + timeout
                handshake.reset()
                response = None
                while (request := handshake.next_message(response)) is not None:
                    if request != "":
                        self.sendall(request)
                    response = b""
                    while (character := self.recvall(1, deadline)) != b"\0":
                        response += character

            def recvall(self, length: int, deadline: float | None) -> bytes:
                found: bytes = super().recvall(length, time.time() + options.silence if deadline is None else deadline)
                return found

        class Instance(net.ConnectionInstance):  # type: ignore[misc]  # the library has no types
            """The driver's own, with that connection."""

            def connect(self, timeout: float) -> t.Any:
                self._socket = Wrapper(self, timeout)
                return self._parent

        try:
            connection = net.Connection(
                Instance, options.host, options.port, None, None, options.username, options.password or None, options.timeout, {}, 10
            )
            connection.reconnect(noreply_wait=False, timeout=options.timeout)
        except r.ReqlAuthError as error:
            made.close()
            raise AuthenticationFailed(
                f"the database does not let {options.username} in.",
                subject=self.name,
                hint=f"Check {options.prefix}username and {options.prefix}password.",
            ) from error
        except (r.ReqlError, OSError, ValueError, KeyError) as error:
            made.close()
            raise ConnectionFailed(
                f"does not answer as RethinkDB does ({_reason(error)}).",
                subject=self.name,
                hint=f"Check {options.prefix}port, {options.prefix}tls, and {options.prefix}client_cert, which the database may ask for.",
            ) from error
        return connection

    def _socket(self) -> t.Any:
        options = self._options
        context = self._context() if options.tls else None
        try:
            plain = socket.create_connection((options.host, options.port), options.timeout)
        except OSError as error:
            raise ConnectionFailed(f"cannot be reached ({_reason(error)}).", subject=self.name) from error
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:
            return plain
        try:
            return context.wrap_socket(plain, server_hostname=options.tls_server_name or options.host)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise CertificateUntrusted(
                f"the certificate is not trusted: {error.verify_message.rstrip('.')}.",
                subject=self.name,
                hint=f"Give the CA as {options.prefix}ca_path, and the name in the certificate as {options.prefix}tls_server_name.",
            ) from error
        except OSError as error:
            plain.close()
            raise ConnectionFailed(
                f"TLS could not be begun ({_reason(error)}).",
                subject=self.name,
                hint=f"Check {options.prefix}port, {options.prefix}tls, and {options.prefix}client_cert, which the database may ask for.",
            ) from error

    def _context(self) -> ssl.SSLContext:
        options = self._options
        context = ssl.create_default_context()
        if options.ca_file:
            self._use("ca_path", lambda: context.load_verify_locations(os.path.expanduser(options.ca_file)))
        if options.client_certificate:
            key = os.path.expanduser(options.client_key) if options.client_key else None
            # without a password OpenSSL would ask for one at the terminal
            self._use("client_cert", lambda: context.load_cert_chain(os.path.expanduser(options.client_certificate), key, password=""))
        if not options.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _use(self, option: str, load: t.Callable[[], None]) -> None:
        try:
            load()
        except (OSError, ValueError) as error:
            raise InvalidOption(
                f"cannot be used: {_reason(error)}.", subject=f"{self._options.prefix}{option}", hint="Name another file."
            ) from error


def _reason(error: BaseException) -> str:
    text = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return " ".join(text.split())[:200].rstrip(".")

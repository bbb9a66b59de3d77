# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The database of an MSR on Kubernetes, through the pod that has the product's command line. The library kubernetes is imported when it
is wanted.

What a command is called with stands in the address of the request, which the cluster's audit log has. So the statement comes on standard
input, with the number of its bytes: not every cluster tells a command where its input ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._msr.reql import ARGUMENT_BYTES, Shell, failure_of
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    CertificateUntrusted,
    ConnectionFailed,
    DatabaseFailed,
    InvalidAnswer,
    InvalidOption,
    LibraryMissing,
    MigrationError,
)

#: the labels of the pod with the command line in an installation of MSR 3
LABELS: t.Mapping[str, str] = {"app.kubernetes.io/name": "rethinkdb", "app.kubernetes.io/component": "cli"}
#: the command there, in the image's own folder. `{size}` stands for the bytes of the statement, which comes on standard input; where
#: `{statement}` stands in it, the statement itself is put there instead
COMMAND = ("sh", "-c", 'exec node --no-deprecation rethinkdb.js "$(head -c {size})"')
_SIZE, _STATEMENT = "{size}", "{statement}"
#: pods' commands at once
_AT_ONCE = 4
_PIECE = 32_768
_ANSWER_BYTES = 512 * 1024 * 1024
_ERRORS = 3  # the channel that says how a command ended
_SILENT = logging.NullHandler()


@dataclasses.dataclass(frozen=True)
class PodOptions:
    """`kubeconfig`: the file (empty: that of the variable KUBECONFIG, or the user's own); `context`: one of its contexts (empty: its
    current one). `pod`: its name, instead of `labels`, of which it has to have all. `container`: one of it, empty for its first.
    `timeout`: seconds until an answer of the cluster begins, `silence`: those that a statement may take.
    """

    kubeconfig: str = ""
    context: str = ""
    namespace: str = "default"
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=lambda: dict(LABELS))
    pod: str = ""
    container: str = ""
    command: tuple[str, ...] = COMMAND
    timeout: float = 10.0
    silence: float = 300.0
    prefix: str = "kubernetes."


class PodShell(Shell):
    """The command line in one pod."""

    longest = ARGUMENT_BYTES

    def __init__(self, options: PodOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._configuration: t.Any = None
        self._pod = options.pod
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self.name = f"kubernetes {options.namespace}/{options.pod or ','.join(f'{name}={value}' for name, value in options.labels.items())}"

    def run(self, statement: str) -> str:
        """What the command printed."""
        pod = self._found_pod()
        with self._slots:
            status, printed, errors = self._execute(pod, statement)
        if status != 0:
            hint = f"Run the command in the pod {pod} by hand; {self._options.prefix}command says what is run."
            raise failure_of(status, errors, statement, self.name, hint)
        return printed

    # -- the pod
    def _found_pod(self) -> str:
        with self._lock:
            if not self._pod:
                self._pod = self._find_pod()
            return self._pod

    def _find_pod(self) -> str:
        options = self._options
        selector = ",".join(f"{name}={value}" for name, value in options.labels.items())
        where = f"the namespace {options.namespace}"
        with self._client() as (library, api):
            try:
                pods = api.list_namespaced_pod(options.namespace, label_selector=selector, _request_timeout=options.timeout).items
            except _errors(library) as error:
                raise self._failed(error, f"list the pods of {where}") from error
        running = sorted(pod.metadata.name for pod in pods if pod.status.phase == "Running" and not pod.metadata.deletion_timestamp)
        if len(running) == 1:
            return str(running[0])
        others = sorted(f"{pod.metadata.name} ({pod.status.phase})" for pod in pods if pod.metadata.name not in running)
        if running:
            message = f"several pods of {where} have the labels {selector}: {', '.join(running)}."
            hint = f"Name one of them as {options.prefix}pod, or give more {options.prefix}labels."
        elif others:
            message = f"no pod of {where} with the labels {selector} runs: {', '.join(others)}."
            hint = "Wait until it does, or look at why it does not."
        else:
            message = f"no pod of {where} has the labels {selector}."
            hint = (
                f"Check {options.prefix}namespace and {options.prefix}context; the pod of the database's command line has to be installed."
            )
        raise DatabaseFailed(message, subject=self.name, hint=hint)

    # -- the cluster
    def _library(self) -> t.Any:
        try:
            import kubernetes
        except ImportError as error:
            from ansible.module_utils.basic import missing_required_lib

            raise LibraryMissing(
                f"cannot be used. {missing_required_lib('kubernetes')}.",
                subject=self._options.prefix.rstrip("."),
                hint="Install it there: pip install kubernetes.",
            ) from error
        logging.getLogger("kubernetes").addHandler(_SILENT)
        return kubernetes

    @contextlib.contextmanager
    def _client(self) -> t.Iterator[tuple[t.Any, t.Any]]:
        """The library, and an API of one's own: running commands changes the object that does it."""
        library = self._library()
        if self._configuration is None:
            self._configuration = self._load(library)
        client = library.client.ApiClient(self._configuration)
        try:
            yield library, library.client.CoreV1Api(client)
        finally:
            # its own close() leaves connections open
            client.rest_client.pool_manager.clear()
            client.close()

    def _load(self, library: t.Any) -> t.Any:
        options = self._options
        import yaml

        configuration = library.client.Configuration()
        file = os.path.expanduser(options.kubeconfig) if options.kubeconfig else None
        try:
            library.config.load_kube_config(file, options.context or None, client_configuration=configuration)
        except library.config.ConfigException as error:
            option = "context" if options.context and "context" in str(error) else "kubeconfig"
            raise InvalidOption(
                f"cannot be used: {_line(error)}.", subject=f"{options.prefix}{option}", hint="Try it with kubectl, on the same host."
            ) from error
        except (OSError, ValueError, TypeError, AttributeError, KeyError, yaml.YAMLError) as error:
            # what YAML complains of may be a line with a token
            reason = _line(error) if isinstance(error, OSError) else "it is no kubeconfig"
            raise InvalidOption(f"cannot be used: {reason}.", subject=f"{options.prefix}kubeconfig", hint="Name another file.") from error
        # attempts are counted here, and each has its own time
        configuration.retries = 0
        return configuration

    def _failed(self, error: BaseException, wanted: str) -> MigrationError:
        """What an error of the library means."""
        options = self._options
        text = _line(error)
        status = int(getattr(error, "status", 0) or 0) or _status_in(text)
        if status == 401:
            return AuthenticationFailed(
                "the cluster does not accept the credentials.", subject=self.name, hint=f"Check {options.prefix}kubeconfig and its context."
            )
        if status == 403:
            reason = _message_in(error)
            return AccessDenied(
                f"the cluster does not let this user {wanted}{f' ({reason})' if reason else ''}.",
                subject=self.name,
                hint="The user of the kubeconfig needs to get and list pods, and to create pods/exec.",
            )
        if status == 404:
            return DatabaseFailed(f"there is no such pod or namespace ({_message_in(error) or text}).", subject=self.name)
        if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
            return CertificateUntrusted(
                "the cluster's certificate is not trusted.", subject=self.name, hint="The kubeconfig has to have the CA of the cluster."
            )
        return ConnectionFailed(f"the cluster cannot be asked ({text}).", subject=self.name)

    # -- a command
    def _execute(self, pod: str, statement: str) -> tuple[int | None, str, str]:
        """Exit status (None where nobody says), standard output and standard error."""
        options = self._options
        sends = not any(_STATEMENT in word for word in options.command)
        command = [word.replace(_SIZE, str(len(statement))).replace(_STATEMENT, statement) for word in options.command]
        with self._client() as (library, api):
            from kubernetes.stream import stream

            more = {"container": options.container} if options.container else {}
            try:
                socket = stream(
                    api.connect_get_namespaced_pod_exec,
                    pod,
                    options.namespace,
                    command=command,
                    stdin=sends,
                    stdout=True,
                    stderr=True,
                    tty=False,
                    binary=True,
                    _preload_content=False,
                    _request_timeout=options.timeout,
                    **more,
                )
            except library.client.exceptions.ApiTypeError as error:
                raise LibraryMissing(
                    "is too old: kubernetes 30 or later is needed.",
                    subject=options.prefix.rstrip("."),
                    hint="Update it there: pip install -U kubernetes.",
                ) from error
            except _errors(library) as error:
                raise self._failed(error, f"run a command in the pod {pod}") from error
            with contextlib.ExitStack() as stack:
                # closing does nothing any more where the other end has said good-bye
                stack.callback(socket.sock.shutdown)
                stack.callback(socket.close)
                return self._converse(socket, statement if sends else "", _errors(library))

    def _converse(self, socket: t.Any, statement: str, errors_of_it: tuple[type[BaseException], ...]) -> tuple[int | None, str, str]:
        broken = ""
        try:
            data = statement.encode("ascii")
            for start in range(0, len(data), _PIECE):
                socket.write_stdin(data[start : start + _PIECE])
        except errors_of_it as error:
            # the end of a command that did not want all of it may have come before
            broken = _line(error)
        channels: dict[int, list[bytes]] = {1: [], 2: [], _ERRORS: []}
        size = 0
        deadline = time.monotonic() + self._options.silence
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ConnectionFailed(
                    f"nothing came for {self._options.silence:g} s.", subject=self.name, hint="Look at the database, or give it more time."
                )
            is_open = socket.is_open()
            if is_open:
                try:
                    socket.update(timeout=left)
                except errors_of_it as error:
                    # as above; what has come is looked at
                    broken, is_open = _line(error), False
            came = [(channel, socket.read_channel(channel)) for channel in channels if channel in socket._channels]
            for channel, piece in came:
                channels[channel].append(piece)
                size += len(piece)
            if came:
                deadline = time.monotonic() + self._options.silence
            if size > _ANSWER_BYTES:
                raise InvalidAnswer(f"printed more than {_ANSWER_BYTES} bytes.", subject=self.name)
            if not is_open:
                break
        printed, errors, ended = (b"".join(channels[channel]).decode("utf-8", "replace") for channel in (1, 2, _ERRORS))
        if not ended:
            reason = broken or "the command had not ended"
            raise ConnectionFailed(f"the connection broke ({reason}).", subject=self.name)
        return self._status(ended), printed, errors

    def _status(self, ended: str) -> int:
        """The exit status, as the cluster says it at the end."""
        try:
            status = json.loads(ended)
            if status["status"] == "Success":
                return 0
            causes = (status.get("details") or {}).get("causes") or ()
            codes = [int(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode"]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidAnswer("does not say how the command ended.", subject=self.name) from error
        if not codes:
            raise DatabaseFailed(
                f"the command could not be started ({str(status.get('message', ''))[:200]}).",
                subject=self.name,
                hint=f"{self._options.prefix}command and {self._options.prefix}container say what is run, and where.",
            )
        return codes[0]


def _errors(library: t.Any) -> tuple[type[BaseException], ...]:
    """What the library and those below it raise."""
    import urllib3.exceptions
    import websocket

    return (library.client.exceptions.OpenApiException, urllib3.exceptions.HTTPError, websocket.WebSocketException, OSError, ValueError)


def _line(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    text = str(reason) if isinstance(reason, (str, BaseException)) and str(reason) else str(error)
    return " ".join((text or type(error).__name__).split())[:200].rstrip(".")


def _status_in(text: str) -> int:
    """A handshake that was refused has its status in the text alone."""
    words = text.partition("andshake status ")[2].split()
    return int(words[0]) if words and words[0].isdigit() else 0


def _message_in(error: BaseException) -> str:
    """The cluster's own words for a refusal."""
    body = getattr(error, "body", None)
    try:
        message = json.loads(body)["message"] if body else ""
    except (ValueError, TypeError, KeyError):
        return ""
    return str(message)[:200].rstrip(".")

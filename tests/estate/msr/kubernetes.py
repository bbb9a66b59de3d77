# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of a Kubernetes API server as it takes to list pods and to run commands in them, over TLS, for users with rights of their own.

A command is a real process in the folder that stands for the pod, with the limits that Linux sets for what it is called with. Its streams
go over a WebSocket (RFC 6455) in the forms that Kubernetes calls v4.channel.k8s.io and v5.channel.k8s.io.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import json
import select
import struct
import subprocess
import threading
import typing as t
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from estate.certificates import CertificateAuthority
from estate.msr.store import Store, node_modules
from estate.serving import Handler, LoopbackServer

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STDIN, _STDOUT, _STDERR, _STATUS, _CLOSE = 0, 1, 2, 3, 255
_TEXT, _BINARY, _END, _PING, _PONG = 1, 2, 8, 9, 10
_PIECE = 32_768
_LOOK = 0.2  # seconds between two looks at whether the connection was closed here

LABELS = {"app.kubernetes.io/name": "rethinkdb", "app.kubernetes.io/component": "cli"}
#: what kubectl asks for first
_DISCOVERY: t.Mapping[str, dict[str, t.Any]] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"], "shortNames": ["po"]},
            {"name": "pods/exec", "singularName": "", "namespaced": True, "kind": "PodExecOptions", "verbs": ["create", "get"]},
        ],
    },
}
#: what a user may do: get and list pods; create pods/exec
RIGHTS = frozenset({"list", "exec"})


@dataclasses.dataclass
class Pod:
    """A pod; commands run in `folder`. `is_ending`: it is being deleted."""

    name: str
    folder: Path
    namespace: str = "msr"
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=lambda: dict(LABELS))
    phase: str = "Running"
    container: str = "cli"
    is_ending: bool = False

    def as_object(self) -> dict[str, t.Any]:
        """As the API shows it."""
        metadata: dict[str, t.Any] = {
            "name": self.name,
            "namespace": self.namespace,
            "labels": dict(self.labels),
            "uid": f"uid-{self.name}",
        }
        if self.is_ending:
            metadata["deletionTimestamp"] = "2026-01-31T12:00:00Z"
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {"containers": [{"name": self.container, "image": "registry.example.com/rethinkdb-cli:1.0"}]},
            "status": {"phase": self.phase},
        }


class Cluster:
    """It answers when the constructor returns, until `stop`. `pods`, `protocols` and `users` (rights by token) may be changed meanwhile."""

    def __init__(self, folder: Path, authority: CertificateAuthority, *, protocols: t.Sequence[str] = (V5, V4)) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.pods: list[Pod] = []
        self.protocols = tuple(protocols)
        self.users: dict[str, frozenset[str]] = {"operator-token": RIGHTS}
        #: paths with their queries, as an audit log has them
        self.requests: list[str] = []
        #: bytes of an answer after which the connection breaks; None for never
        self.break_after: int | None = None
        self._authority = authority
        self._server = LoopbackServer(_Handler, self, authority.server_context())
        self.url = self._server.url
        self._server.start()

    def add_command_line(self, store: Store, name: str = "msr-rethinkdb-cli-0", **more: t.Any) -> Pod:
        """A pod with the product's command line, on a store."""
        folder = self.folder / name
        folder.mkdir()
        modules, command_line = json.dumps(str(node_modules())), json.dumps(str(Path(__file__).resolve().with_name("cli.js")))
        text = f"process.argv.splice(2, 0, {modules}, '{store.port}');\nrequire({command_line});\n"
        (folder / "rethinkdb.js").write_text(text, encoding="utf-8")
        pod = Pod(name, folder, **more)
        self.pods.append(pod)
        return pod

    def kubeconfig(self, name: str = "kubeconfig", *, token: str = "operator-token", ca: Path | None = None, server: str = "") -> Path:
        """A file for kubectl and its like, with the contexts `msr` (the current one) and `nowhere`, which leads to nobody."""
        path = self.folder / name
        clusters = {"here": {"server": server or self.url, "certificate-authority": str(ca or self._authority.certificate)}}
        clusters["gone"] = {"server": "https://127.0.0.1:9"}
        contexts = {"msr": {"cluster": "here", "user": "operator"}, "nowhere": {"cluster": "gone", "user": "operator"}}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "msr",
            "clusters": [{"name": one, "cluster": cluster} for one, cluster in clusters.items()],
            "users": [{"name": "operator", "user": {"token": token}}],
            "contexts": [{"name": one, "context": context} for one, context in contexts.items()],
        }
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def stop(self) -> None:
        """No more answers. Stopping twice is fine."""
        self._server.stop()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


class _Handler(Handler):
    def do_GET(self) -> None:
        cluster: Cluster = self.server.owner
        cluster.requests.append(self.path)
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        rights = cluster.users.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
        words = parts.path.strip("/").split("/")
        if rights is None:
            self._refuse(401, "Unauthorized", "Unauthorized")
        elif parts.path in _DISCOVERY:
            self._answer(200, _DISCOVERY[parts.path])
        elif words == ["api", "v1", "pods"]:
            self._list(cluster, "", query, rights)
        elif words[:3] == ["api", "v1", "namespaces"] and len(words) == 4:
            self._namespace(cluster, words[3])
        elif words[:3] != ["api", "v1", "namespaces"] or len(words) < 5 or words[4] != "pods":
            self._refuse(404, "NotFound", "the server could not find the requested resource")
        elif len(words) == 5:
            self._list(cluster, words[3], query, rights)
        else:
            self._one(cluster, words[3], words[5], words[6:], query, rights)

    def _namespace(self, cluster: Cluster, name: str) -> None:
        if any(pod.namespace == name for pod in cluster.pods):
            self._answer(200, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": {"phase": "Active"}})
        else:
            self._refuse(404, "NotFound", f'namespaces "{name}" not found', {"name": name, "kind": "namespaces"})

    def _one(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        of_it: list[str],
        query: t.Mapping[str, list[str]],
        rights: frozenset[str],
    ) -> None:
        pod = next((one for one in cluster.pods if (one.namespace, one.name) == (namespace, name)), None)
        if of_it == ["exec"] and "exec" not in rights:
            text = f'pods "{name}" is forbidden: User "operator" cannot create resource "pods/exec" in API group "" in the namespace'
            self._refuse(403, "Forbidden", f'{text} "{namespace}"')
        elif pod is None:
            self._refuse(404, "NotFound", f'pods "{name}" not found', {"name": name, "kind": "pods"})
        elif of_it == ["exec"]:
            self._exec(cluster, pod, query)
        else:
            self._answer(200, pod.as_object())

    def _list(self, cluster: Cluster, namespace: str, query: t.Mapping[str, list[str]], rights: frozenset[str]) -> None:
        if "list" not in rights:
            text = 'pods is forbidden: User "operator" cannot list resource "pods" in API group "" in the namespace'
            self._refuse(403, "Forbidden", f'{text} "{namespace}"')
            return
        wanted = dict(part.split("=", 1) for part in query.get("labelSelector", [""])[0].split(",") if part)
        found = [one for one in cluster.pods if namespace in ("", one.namespace) and wanted.items() <= one.labels.items()]
        self._answer(200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [one.as_object() for one in found]})

    def _answer(self, status: int, document: dict[str, t.Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, reason: str, message: str, details: dict[str, str] | None = None) -> None:
        document: dict[str, t.Any] = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
        self._answer(status, {**document, "code": status, **({"details": details} if details else {})})

    # -- a command
    def _exec(self, cluster: Cluster, pod: Pod, query: t.Mapping[str, list[str]]) -> None:
        offered = [one.strip() for one in self.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        protocol = next((one for one in cluster.protocols if one in offered), None)
        key = self.headers.get("Sec-WebSocket-Key")
        container = query.get("container", [pod.container])[0]
        if not key or protocol is None:
            self._refuse(400, "BadRequest", "unable to upgrade: unable to negotiate protocol")
        elif pod.phase != "Running":
            self._refuse(400, "BadRequest", f"cannot exec into a container in a completed pod; current phase is {pod.phase}")
        elif container != pod.container:
            self._refuse(400, "BadRequest", f"container {container} is not valid for pod {pod.name}")
        else:
            self._upgrade(key, protocol)
            takes_input = query.get("stdin", ["false"])[0].lower() == "true"
            _Session(self, protocol, cluster.break_after).run(query.get("command", []), pod.folder, takes_input)

    def _upgrade(self, key: str, protocol: str) -> None:
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode()).digest()).decode())
        self.send_header("Sec-WebSocket-Protocol", protocol)
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True


class _Session:
    """The streams of one process, over a WebSocket."""

    def __init__(self, handler: _Handler, protocol: str, break_after: int | None) -> None:
        self._handler = handler
        self._protocol = protocol
        # OpenSSL reads and writes a connection for one thread at a time
        self._using = threading.Lock()
        self._received = b""
        self._left = break_after

    def run(self, command: t.Sequence[str], folder: Path, takes_input: bool) -> None:
        # as the kubelet does: so that a client knows its channels
        self._send(bytes([_STDOUT]))
        try:
            process = subprocess.Popen(
                list(command),
                cwd=folder,
                stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            message = f"Internal error occurred: error executing command in container: exec: {error.strerror}"
            self._end({"status": "Failure", "message": message, "reason": "InternalError", "code": 500})
            self._listen(None)
            return
        outputs = [
            threading.Thread(target=self._pass_on, args=(process, channel, pipe), daemon=True)
            for channel, pipe in ((_STDOUT, process.stdout), (_STDERR, process.stderr))
        ]
        listener = threading.Thread(target=self._listen, args=(process,), daemon=True)
        for thread in (*outputs, listener):
            thread.start()
        for thread in outputs:
            thread.join()
        status = process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        if status == 0:
            self._end({"metadata": {}, "status": "Success"})
        else:
            causes = [{"reason": "ExitCode", "message": str(status)}]
            message = f"command terminated with non-zero exit code: exit status {status}"
            self._end({"status": "Failure", "message": message, "reason": "NonZeroExitCode", "details": {"causes": causes}})
        # the other end says good-bye, too, or has gone
        if not self._is_broken:
            listener.join(5)

    @property
    def _is_broken(self) -> bool:
        return self._left is not None and self._left < 0

    def _pass_on(self, process: subprocess.Popen[bytes], channel: int, pipe: t.IO[bytes] | None) -> None:
        while pipe is not None and (data := pipe.read1(_PIECE)):  # type: ignore[attr-defined]  # a pipe of a process is a BufferedReader
            if self._left is not None:
                self._left -= len(data)
                if self._is_broken:
                    self._handler.server.reset(self._handler.connection)
                    process.kill()
                    return
            self._send(bytes([channel]) + data)

    def _end(self, status: dict[str, t.Any]) -> None:
        if self._is_broken:
            return
        self._send(bytes([_STATUS]) + json.dumps(status).encode())
        self._send(struct.pack(">H", 1000), _END)

    def _send(self, data: bytes, kind: int = _BINARY) -> None:
        size = len(data)
        length = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size) if size < 65_536 else b"\x7f" + struct.pack(">Q", size)
        # a client that has gone is noticed by whoever listens to it
        with self._using, contextlib.suppress(OSError, ValueError):
            self._handler.wfile.write(bytes([0x80 | kind]) + length + data)
            self._handler.wfile.flush()

    def _listen(self, process: subprocess.Popen[bytes] | None) -> None:
        """Until the other end says good-bye or has gone."""
        with contextlib.suppress(OSError, EOFError, ValueError):
            self._take(process)
        if process is not None and process.poll() is None:
            # nobody would read what it still has to say
            process.kill()
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def _take(self, process: subprocess.Popen[bytes] | None) -> None:
        while True:
            kind, data = self._receive()
            if kind == _END:
                return
            if kind == _PING:
                self._send(data, _PONG)
            elif kind in (_TEXT, _BINARY) and process is not None and process.stdin is not None:
                self._feed(process.stdin, data)

    def _feed(self, pipe: t.IO[bytes], data: bytes) -> None:
        if data[:2] == bytes([_CLOSE, _STDIN]) and self._protocol == V5:
            pipe.close()
        elif data[:1] == bytes([_STDIN]) and not pipe.closed:
            # a command need not read all that it is given
            with contextlib.suppress(BrokenPipeError):
                pipe.write(data[1:])
                pipe.flush()

    def _receive(self) -> tuple[int, bytes]:
        first, second = self._read(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self._read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._read(8))
        if not second & 0x80:
            raise ValueError("a client's frames are masked")
        mask = self._read(4)
        data = self._read(size)
        return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))

    def _read(self, size: int) -> bytes:
        connection: t.Any = self._handler.connection
        while len(self._received) < size:
            if not connection.pending() and not select.select([connection], [], [], _LOOK)[0]:
                continue
            with self._using:
                piece = connection.recv(_PIECE)
            if not piece:
                raise EOFError
            self._received += piece
        data, self._received = self._received[:size], self._received[size:]
        return data

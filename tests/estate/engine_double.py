# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of newer Docker engines than Debian has: the form in which engine 26 exports images, byte for byte where it matters.

Without the containerd image store an export is an OCI layout with layers that are not compressed, and with an OCI manifest that nobody
pushed; with that store it is a layout with the manifests, indexes and blobs as they came, as far as the engine has them.
"""

from __future__ import annotations

import gzip
import http.server
import io
import json
import re
import shutil
import socketserver
import tarfile
import tempfile
import threading
import typing as t
import urllib.parse
from pathlib import Path

from estate.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Repository, compact, digest_of

_LAYER = "application/vnd.oci.image.layer.v1.tar"


class EngineDouble:
    """An engine on a socket of its own. `containerd`: it has the containerd image store. `platform` is all that it pulls of an index.

    `refuses_exports`: exports are answered with 500 and this text; `cuts_exports`: they end after so many bytes;
    `refuses_loads`: loads are answered with 200, and with this text as an error in the stream. `log`: method and path of all requests.
    """

    def __init__(self, *, containerd: bool, platform: str = "amd64") -> None:
        self.containerd = containerd
        self.platform = platform
        self.refuses_exports = ""
        self.cuts_exports = 0
        self.refuses_loads = ""
        self.log: list[str] = []
        #: by digest: what a layout would have
        self.blobs: dict[str, bytes] = {}
        #: {name: ID}, and with the containerd store {ID: media type}
        self.names: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="engine-double-"))
        self.url = f"unix://{self._folder}/socket"
        self._server = _Server(str(self._folder / "socket"), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def pull(self, name: str, repository: Repository, reference: str, *, all_platforms: bool = False) -> str:
        """Have an image of the estate's as if it had been pulled; returns its ID."""
        digest = repository.tags.get(reference, reference)
        if self.containerd:
            self._keep(repository, digest, all_platforms)
            self.types[digest] = repository.manifests[digest].media_type
            self.names[name] = digest
            return digest
        document = json.loads(repository.manifests[digest].data)
        config = document["config"]["digest"]
        self.blobs[config] = repository.blobs[config]
        for layer in document["layers"]:
            plain = gzip.decompress(repository.blobs[layer["digest"]])
            self.blobs[digest_of(plain)] = plain
        self.names[name] = config
        return str(config)

    def _keep(self, repository: Repository, digest: str, all_platforms: bool) -> None:
        manifest = repository.manifests[digest]
        self.blobs[digest] = manifest.data
        document = json.loads(manifest.data)
        for child in document.get("manifests", ()):
            if all_platforms or child["platform"]["architecture"] == self.platform:
                self._keep(repository, child["digest"], all_platforms)
        for blob in [document["config"], *document["layers"]] if "config" in document else ():
            self.blobs[blob["digest"]] = repository.blobs[blob["digest"]]

    # -- answers
    def listed(self) -> list[dict[str, t.Any]]:
        """As `docker images` has it."""
        identities = sorted(set(self.names.values()))
        return [{"Id": one, "RepoTags": sorted(n for n, i in self.names.items() if i == one), "RepoDigests": []} for one in identities]

    def inspected(self, name: str) -> dict[str, t.Any] | None:
        """What is known of an image by its name or ID."""
        identity = self.names.get(name, name)
        return {"Id": identity} if identity in self.names.values() else None

    def export(self, identity: str) -> bytes:
        """As `docker save` writes it when it is given an ID."""
        files = self._kept_files(identity) if self.containerd else self._made_files(identity)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for folder in ("blobs", "blobs/sha256"):
                member = tarfile.TarInfo(folder)
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            for path, data in sorted(files.items()):
                member = tarfile.TarInfo(path)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return archive.getvalue()

    def _made_files(self, identity: str) -> dict[str, bytes]:
        config = self.blobs[identity]
        diff_ids = json.loads(config)["rootfs"]["diff_ids"]
        layers = [{"mediaType": _LAYER, "size": len(self.blobs[one]), "digest": one} for one in diff_ids]
        described = {"mediaType": OCI_CONFIG, "digest": identity, "size": len(config)}
        manifest = compact({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described, "layers": layers})
        entry = {"mediaType": OCI_MANIFEST, "digest": digest_of(manifest), "size": len(manifest)}
        names = {
            "Config": _path(identity),
            "RepoTags": None,
            "Layers": [_path(one) for one in diff_ids],
            "LayerSources": {layer["digest"]: layer for layer in layers},
        }
        return {
            **{_path(one): self.blobs[one] for one in [identity, *diff_ids]},
            _path(entry["digest"]): manifest,
            **_outline(entry, names),
        }

    def _kept_files(self, identity: str) -> dict[str, bytes]:
        reachable, todo = set(), [identity]
        names: dict[str, t.Any] = {}
        while todo:
            digest = todo.pop()
            if digest in reachable or digest not in self.blobs:
                continue
            reachable.add(digest)
            data = self.blobs[digest]
            document = json.loads(data) if data[:1] == b"{" else {}
            todo += [child["digest"] for child in document.get("manifests", ())]
            if "layers" in document:
                layers = [layer["digest"] for layer in document["layers"]]
                todo += [document["config"]["digest"], *layers]
                names = {"Config": _path(document["config"]["digest"]), "RepoTags": None, "Layers": [_path(one) for one in layers]}
        entry = {"mediaType": self.types[identity], "digest": identity, "size": len(self.blobs[identity])}
        return {**{_path(one): self.blobs[one] for one in reachable}, **_outline(entry, names)}

    def load(self, data: bytes) -> None:
        """As `docker load` reads a layout, with the containerd image store."""
        documents: dict[str, bytes] = {}
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is not None:
                    documents[member.name] = file.read()
        for path, content in documents.items():
            if path.startswith("blobs/"):
                digest = path.removeprefix("blobs/").replace("/", ":", 1)
                if digest_of(content) != digest:
                    raise ValueError(f"{path} has other bytes")
                self.blobs[digest] = content
        for entry in json.loads(documents["index.json"])["manifests"]:
            self.types[entry["digest"]] = entry["mediaType"]
            self.names[_familiar(entry["annotations"]["io.containerd.image.name"])] = entry["digest"]

    def count(self, pattern: str) -> int:
        """How many requests matched, as `METHOD path`."""
        return sum(1 for line in self.log if re.search(pattern, line))

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> EngineDouble:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _outline(entry: t.Mapping[str, t.Any], names: t.Mapping[str, t.Any]) -> dict[str, bytes]:
    return {
        "index.json": compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}),
        "manifest.json": compact([names]),
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
    }


def _familiar(name: str) -> str:
    return name.removeprefix("docker.io/").removeprefix("library/")


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    owner: EngineDouble


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        # a Unix socket's other end has no address
        self.client_address = ("socket", 0)

    def log_message(self, *_unused: t.Any) -> None:
        """The log is `EngineDouble.log`."""

    def _path_and_query(self) -> tuple[str, dict[str, str]]:
        parts = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(re.sub(r"^/v\d+\.\d+", "", parts.path))
        self.server.owner.log.append(f"{self.command} {path}")
        return path, dict(urllib.parse.parse_qsl(parts.query))

    def _answer(self, status: int, body: t.Any, cut: int = 0) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:cut] if cut else data)
        self.close_connection = bool(cut)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
            if not size:
                return b"".join(pieces)

    def do_GET(self) -> None:
        """Everything that is asked."""
        owner = self.server.owner
        path, _query = self._path_and_query()
        image = re.fullmatch(r"/images/(.+)/(get|json)", path)
        if path == "/version":
            self._answer(200, {"Version": "26.1.5", "ApiVersion": "1.45", "MinAPIVersion": "1.24", "Os": "linux", "Arch": owner.platform})
        elif path == "/info":
            driver = [["driver-type", "io.containerd.snapshotter.v1"]] if owner.containerd else [["Backing Filesystem", "extfs"]]
            self._answer(200, {"DriverStatus": driver, "Driver": "overlayfs"})
        elif path == "/images/json":
            self._answer(200, owner.listed())
        elif image is None or owner.inspected(image[1]) is None:
            self._answer(404, {"message": f"No such image: {path}"})
        elif image[2] == "json":
            self._answer(200, owner.inspected(image[1]))
        elif owner.refuses_exports:
            self._answer(500, {"message": owner.refuses_exports})
        else:
            self._answer(200, owner.export(image[1]), owner.cuts_exports)

    def do_POST(self) -> None:
        """Loads, and tags."""
        owner = self.server.owner
        path, query = self._path_and_query()
        body = self._body()
        image = re.fullmatch(r"/images/(.+)/tag", path)
        if image is not None and owner.inspected(image[1]) is not None:
            owner.names[f"{query['repo']}:{query['tag']}"] = owner.names.get(image[1], image[1])
            self._answer(201, b"")
        elif path != "/images/load":
            self._answer(404, {"message": f"No such image: {path}"})
        elif owner.refuses_loads:
            self._answer(200, {"errorDetail": {"message": owner.refuses_loads}, "error": owner.refuses_loads})
        else:
            owner.load(body)
            self._answer(200, {"stream": "Loaded image"})

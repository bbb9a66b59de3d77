# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small double of docker-registry 0.9.1: for machines without the Python that it needs, and for what it never does of itself.

It keeps its storage in the same form, so that either can go on with what the other one has; what they answer is compared by a test.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import shutil
import threading
import typing as t
import urllib.parse
from pathlib import Path

from estate.serving import Handler, LoopbackServer
from estate.v1_index import repository_names

if t.TYPE_CHECKING:
    from estate.v1_index import V1Index

_ROUTES: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("GET", "ping", re.compile(r"/(?:v1/)?_ping")),
    ("GET", "search", re.compile(r"/v1/search")),
    ("GET", "tags", re.compile(r"/v1/repositories/(.+)/tags")),
    ("GET", "tag_json", re.compile(r"/v1/repositories/(.+)/tags/([^/]+)/json")),
    ("GET", "tag", re.compile(r"/v1/repositories/(.+)/tags/([^/]+)")),
    ("GET", "images", re.compile(r"/v1/repositories/(.+)/images")),
    ("GET", "properties", re.compile(r"/v1/repositories/(.+)/properties")),
    ("GET", "ancestry", re.compile(r"/v1/images/([^/]+)/ancestry")),
    ("GET", "json", re.compile(r"/v1/images/([^/]+)/json")),
    ("GET", "layer", re.compile(r"/v1/images/([^/]+)/layer")),
    ("PUT", "json", re.compile(r"/v1/images/([^/]+)/json")),
    ("PUT", "layer", re.compile(r"/v1/images/([^/]+)/layer")),
    ("PUT", "checksum", re.compile(r"/v1/images/([^/]+)/checksum")),
    ("PUT", "tag", re.compile(r"/v1/repositories/(.+)/tags/([^/]+)")),
    ("PUT", "images", re.compile(r"/v1/repositories/(.+)/images")),
    ("PUT", "repository", re.compile(r"/v1/repositories/(.+?)/?")),
)
#: what is there in standalone mode alone, where the registry plays its own index
_OF_THE_INDEX = frozenset({("GET", "images"), ("PUT", "images"), ("PUT", "repository")})
_ID = re.compile("[a-f0-9]{16}|[a-f0-9]{64}")


@dataclasses.dataclass
class Knobs:
    """What it does that a test asks for. `users`: a proxy in front wants Basic of one of these.

    `tags_as_list`: tags in the form that Docker Hub had. `layers_at`: layers are somewhere else, at this address. `cut`: a layer breaks off
    after so many bytes, each time, until it has been asked for `cut_times` times. `uploading`: so many requests for a part of an image are
    answered as if it were still being uploaded. `no_sizes`: no word of the sizes of layers. `hold`: the layers of the images
    `held_images` come once it is set. `search_page`: a search has pages of so many, as Docker Hub's had.
    """

    users: dict[str, str] = dataclasses.field(default_factory=dict)
    tags_as_list: bool = False
    layers_at: str = ""
    cut: int = 0
    cut_times: int = 1
    uploading: int = 0
    no_sizes: bool = False
    hold: threading.Event | None = None
    held_images: t.Collection[str] = ()
    search_page: int = 0


@dataclasses.dataclass(frozen=True)
class Logged:
    """A request. `sent`: bytes of the answer's body."""

    method: str
    path: str
    headers: t.Mapping[str, str]
    status: int
    sent: int


@dataclasses.dataclass
class _Answer:
    status: int
    body: bytes
    headers: dict[str, str | list[str]] = dataclasses.field(default_factory=dict)
    #: what Content-Length says, where that is not the length of the body
    length: int | None = None


def _document(value: t.Any, status: int = 200, **headers: str | list[str]) -> _Answer:
    return _Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def _error(message: str, status: int = 400, **headers: str | list[str]) -> _Answer:
    return _document({"error": message}, status, **headers)


class V1Double:
    """It answers when the constructor returns, until `stop`. `data`, `search` and `index`: see V1Registry."""

    def __init__(
        self,
        folder: Path,
        *,
        data: Path | None = None,
        search: bool = True,
        index: V1Index | None = None,
        knobs: Knobs | None = None,
    ) -> None:
        self.data = data or folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.knobs = knobs or Knobs()
        self.log: list[Logged] = []
        self._search = search
        self._index = index
        self._lock = threading.Lock()
        self._server = LoopbackServer(_Handler, self)
        self.port = self._server.port
        self.url = self._server.url
        self.host = self.url.partition("://")[2]
        self._server.start()

    def paths(self, ending: str = "") -> list[str]:
        """The paths of all GETs so far, or of those that end so."""
        return [one.path for one in self.log if one.method == "GET" and one.path.endswith(ending)]

    def stop(self) -> None:
        """End it; its storage stays. Stopping twice is fine."""
        if self.knobs.hold is not None:
            self.knobs.hold.set()
        self._server.stop()

    def __enter__(self) -> V1Double:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    # -- who asks
    def answer(self, method: str, target: str, headers: t.Mapping[str, str], body: bytes) -> _Answer:
        """What is answered to a request."""
        path, _unused, query = target.partition("?")
        authorization = headers.get("Authorization", "")
        if self.knobs.users and not self._is_user(authorization):
            return _Answer(401, b"<html>401 Authorization Required</html>", {"WWW-Authenticate": 'Basic realm="registry"'})
        for verb, name, pattern in _ROUTES:
            found = pattern.fullmatch(path)
            if verb != method or not found or (self._index and (verb, name) in _OF_THE_INDEX) or (name == "search" and not self._search):
                continue
            arguments = [urllib.parse.unquote(one) for one in found.groups()]
            is_repository = "/repositories/" in path
            if is_repository:
                arguments[0] = _stored_name(arguments[0])
            if self._index and name not in ("ping", "search") and not self._has_token(authorization, arguments[0] if is_repository else ""):
                return _error("Requires authorization", 401, **{"WWW-Authenticate": "Token"})
            if "/images/" in path and not _ID.fullmatch(arguments[0]):
                return _error("Invalid image ID", 404)
            more: dict[str, t.Any] = {"body": body, "headers": headers} if method == "PUT" else {}
            if (method, name) == ("GET", "layer"):
                more = {"headers": headers}
            elif name == "search":
                more = {"query": query}
            with self._lock:
                return t.cast("_Answer", getattr(self, f"_{method.lower()}_{name}")(*arguments, **more))
        return _Answer(404, b"<!DOCTYPE HTML><title>404 Not Found</title>", {"Content-Type": "text/html"})

    def _is_user(self, authorization: str) -> bool:
        scheme, _space, said = authorization.partition(" ")
        name, _colon, password = base64.b64decode(said).decode().partition(":") if scheme == "Basic" else ("", "", "")
        return name in self.knobs.users and self.knobs.users[name] == password

    def _has_token(self, authorization: str, repository: str) -> bool:
        if self._index is None or not authorization.startswith("Token "):
            return False
        named = re.search(r'repository="([^"]*)"', authorization)
        owner = named[1] if named else ""
        return repository in ("", owner) and self._index.accepts(authorization, owner)

    # -- reading
    def _image(self, image_id: str) -> Path:
        return self.data / "images" / image_id

    def _repository(self, name: str) -> Path:
        return self.data / "repositories" / name

    def _get_ping(self) -> _Answer:
        return _document({}, **{"X-Docker-Registry-Standalone": str(self._index is None)})

    def _get_search(self, query: str) -> _Answer:
        wanted = urllib.parse.parse_qs(query).get("q", [""])[0]
        rows = [{"description": "", "name": name} for name in repository_names(self.data) if wanted in name]
        if self.knobs.search_page:
            page, size = int(urllib.parse.parse_qs(query).get("page", ["1"])[0]), self.knobs.search_page
            more = {"page": page, "num_pages": -(-len(rows) // size), "page_size": size}
            return _document({"num_results": len(rows), "query": wanted, "results": rows[(page - 1) * size : page * size], **more})
        return _document({"num_results": len(rows), "query": wanted, "results": rows})

    def _get_tags(self, repository: str) -> _Answer:
        folder = self._repository(repository)
        if not folder.is_dir():
            return _error("Repository not found", 404)
        tags = {one.name[len("tag_") :]: one.read_text() for one in sorted(folder.glob("tag_*"))}
        if self.knobs.tags_as_list:
            return _document([{"layer": image_id[:8], "name": tag} for tag, image_id in tags.items()])
        return _document(tags)

    def _get_tag(self, repository: str, tag: str) -> _Answer:
        file = self._repository(repository) / f"tag_{tag}"
        return _document(file.read_text()) if file.is_file() else _error("Tag not found", 404)

    def _get_tag_json(self, repository: str, tag: str) -> _Answer:
        file = self._repository(repository) / f"tag{tag}_json"
        nothing = dict.fromkeys(("last_update", "docker_version", "docker_go_version", "kernel")) | {"arch": "amd64", "os": "linux"}
        return _document(json.loads(file.read_text()) if file.is_file() else nothing)

    def _get_images(self, repository: str) -> _Answer:
        file = self._repository(repository) / "_index_images"
        if not file.is_file():
            return _error("images not found", 404)
        return _Answer(200, file.read_bytes(), {"Content-Type": "application/json", **self._decorations(repository, "read")})

    def _get_properties(self, repository: str) -> _Answer:
        return _document({"access": "private" if (self._repository(repository) / "_private").exists() else "public"})

    def _decorations(self, repository: str, access: str) -> dict[str, str | list[str]]:
        token = f'Token signature={hashlib.sha256(repository.encode()).hexdigest()[:16].upper()},repository="{repository}",access={access}'
        return {"X-Docker-Token": token, "WWW-Authenticate": token, "X-Docker-Endpoints": self.host}

    def _incomplete(self, image_id: str) -> _Answer | None:
        if self.knobs.uploading > 0 or (self._image(image_id) / "_inprogress").exists():
            self.knobs.uploading -= 1
            return _error("Image is being uploaded, retry later")
        return None

    def _get_ancestry(self, image_id: str) -> _Answer:
        file = self._image(image_id) / "ancestry"
        found = _document(json.loads(file.read_text())) if file.is_file() else _error("Image not found", 404)
        return self._incomplete(image_id) or found

    def _get_json(self, image_id: str) -> _Answer:
        folder = self._image(image_id)
        if (incomplete := self._incomplete(image_id)) is not None:
            return incomplete
        if not (folder / "json").is_file():
            return _error("Image not found", 404)
        headers: dict[str, str | list[str]] = {"Content-Type": "application/json"}
        if (folder / "layer").exists() and not self.knobs.no_sizes:
            headers["X-Docker-Size"] = str((folder / "layer").stat().st_size)
        if (folder / "_checksum").exists():
            text = (folder / "_checksum").read_text()
            # of old versions it is no JSON
            headers["X-Docker-Checksum-Payload"] = json.loads(text) if text.startswith("[") else [text]
        return _Answer(200, (folder / "json").read_bytes(), headers)

    def _get_layer(self, image_id: str, headers: t.Mapping[str, str]) -> _Answer:
        file = self._image(image_id) / "layer"
        if (incomplete := self._incomplete(image_id)) is not None:
            return incomplete
        if not file.is_file():
            return _error("Image not found", 404)
        if self.knobs.layers_at:
            return _Answer(302, b"", {"Location": f"{self.knobs.layers_at}/images/{image_id}/layer"})
        return served_layer(file.read_bytes(), headers.get("Range", ""))

    # -- writing
    def _put_repository(self, repository: str, body: bytes, headers: t.Mapping[str, str]) -> _Answer:
        answer = self._put_images(repository, body, headers)
        return dataclasses.replace(answer, status=200)

    def _put_images(self, repository: str, body: bytes, headers: t.Mapping[str, str]) -> _Answer:
        file = self._repository(repository) / "_index_images"
        known = json.loads(file.read_text()) if file.is_file() else []
        _write(file, json.dumps(list({one["id"]: one for one in [*known, *json.loads(body)]}.values())).encode())
        return _Answer(204, b"", self._decorations(repository, "write"))

    def _put_json(self, image_id: str, body: bytes, headers: t.Mapping[str, str]) -> _Answer:
        folder, document = self._image(image_id), json.loads(body)
        parent = document.get("parent")
        if document.get("id") != image_id:
            return _error("JSON data contains invalid id")
        if parent and not (self._image(parent) / "json").exists():
            return _error("Image depends on a non existing parent")
        if (folder / "json").exists() and not (folder / "_inprogress").exists():
            return _error("Image already exists", 409)
        _write(folder / "_inprogress", b"true")
        _write(folder / "json", body)
        above = json.loads((self._image(parent) / "ancestry").read_text()) if parent else []
        _write(folder / "ancestry", json.dumps([image_id, *above]).encode())
        return _document(True)

    def _put_layer(self, image_id: str, body: bytes, headers: t.Mapping[str, str]) -> _Answer:
        folder = self._image(image_id)
        if not (folder / "json").exists():
            return _error("Image not found", 404)
        _write(folder / "layer", body)
        payload = hashlib.sha256((folder / "json").read_bytes() + b"\n" + body).hexdigest()
        _write(folder / "_checksum", json.dumps([f"sha256:{payload}"]).encode())
        return _document(True)

    def _put_checksum(self, image_id: str, body: bytes, headers: t.Mapping[str, str]) -> _Answer:
        folder = self._image(image_id)
        if headers.get("X-Docker-Checksum-Payload") not in json.loads((folder / "_checksum").read_text()):
            return _error("Checksum mismatch")
        (folder / "_inprogress").unlink()
        return _document(True)

    def _put_tag(self, repository: str, tag: str, body: bytes, headers: t.Mapping[str, str]) -> _Answer:
        image_id = json.loads(body)
        if not (self._image(image_id) / "json").exists():
            return _error("Image not found", 404)
        folder = self._repository(repository)
        _write(folder / f"tag_{tag}", image_id.encode())
        _write(folder / f"tag{tag}_json", json.dumps({"last_update": 1400000000, "docker_version": "1.6.2", "os": "linux"}).encode())
        return _document(True)


def served_layer(data: bytes, wanted: str) -> _Answer:
    """A layer as the real one serves it, with its mistakes: a byte too many announced for a range without an end, none of one byte."""
    headers: dict[str, str | list[str]] = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
    if found:
        first, last = int(found[1]), int(found[2]) if found[2] else len(data)
        length = last - first + 1
        if length < 2 or last < 1:
            return _Answer(416, b"", headers)
        headers["Content-Range"] = f"{first}-{last}/{len(data)}"
        return _Answer(206, data[first : last + 1], headers, length=length)
    return _Answer(200, data, headers) if data else _Answer(416, b"", headers)


def _stored_name(repository: str) -> str:
    """A repository as it is stored: in a namespace, and what is behind the first slash escaped, twice, as the real one has it."""
    namespace, slash, name = repository.rstrip("/").partition("/")
    name, namespace = (name, namespace) if slash else (namespace, "library")
    return f"{namespace}/{urllib.parse.quote_plus(urllib.parse.quote_plus(name))}"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def spoil(
    data: Path, image_id: str, *, layer: bytes | None = None, checksum: str | None = None, ancestry: t.Sequence[str] | None = None
) -> None:
    """Change what a storage has of an image, as no server would. An empty `checksum` takes it away."""
    folder = data / "images" / image_id
    if layer is not None:
        (folder / "layer").write_bytes(layer)
    if checksum is not None:
        (folder / "_checksum").write_text(json.dumps([checksum]))
        if not checksum:
            (folder / "_checksum").unlink()
    if ancestry is not None:
        (folder / "ancestry").write_text(json.dumps(list(ancestry)))


def lose(data: Path, image_id: str) -> None:
    """Remove an image from a storage."""
    shutil.rmtree(data / "images" / image_id)


class _Handler(Handler):
    def do_GET(self) -> None:
        self._serve("GET")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def _serve(self, method: str) -> None:
        double: V1Double = self.server.owner
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = double.answer(method, self.path, self.headers, body)
        knobs = double.knobs
        is_layer = method == "GET" and self.path.endswith("/layer") and answer.status in (200, 206)
        cut = is_layer and 0 < knobs.cut < len(answer.body) and knobs.cut_times > 0
        knobs.cut_times -= cut
        sent = answer.body[: knobs.cut] if cut else answer.body
        double.log.append(Logged(method, self.path, dict(self.headers), answer.status, len(sent)))
        if is_layer and knobs.hold is not None and self.path.split("/")[-2] in knobs.held_images:
            knobs.hold.wait(60)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            for line in value if isinstance(value, list) else [value]:
                self.send_header(name, line)
        self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
        self.end_headers()
        self.wfile.write(sent)
        if cut or (answer.length or 0) > len(sent):
            # what was announced does not come
            self.close_connection = True

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The double of the v1 registry answers as the real one does, and either goes on with the other one's storage."""

from __future__ import annotations

import http.client
import json
import typing as t
from pathlib import Path

import pytest
from estate.v1_double import V1Double, spoil
from estate.v1_images import Pusher, Step, archive, chain, push_all, some_images
from estate.v1_index import V1Index
from estate.v1_registry import NotAvailable, V1Registry, installed

if t.TYPE_CHECKING:
    from estate.v1_images import Chain

#: headers that clients look at
TELLING = (
    "X-Docker-Registry-Standalone",
    "X-Docker-Size",
    "X-Docker-Checksum-Payload",
    "Accept-Ranges",
    "Content-Range",
    "WWW-Authenticate",
)
Images = dict[str, tuple[list[str], "Chain"]]


@pytest.fixture(autouse=True, scope="module")
def _real() -> None:
    try:
        installed()
    except NotAvailable as reason:
        pytest.skip(str(reason))


def get(host: str, path: str, **headers: str) -> tuple[int, dict[str, list[str]], bytes]:
    """Status, telling headers, and body; what is announced and does not come is left out."""
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        try:
            body = answer.read()
        except http.client.IncompleteRead as short:
            body = short.partial + b" (and no more)"
        return answer.status, {name: answer.headers.get_all(name) or [] for name in TELLING}, body
    finally:
        connection.close()


def said(host: str, path: str, **headers: str) -> t.Any:
    """An answer in a form that does not depend on the order of keys, and not on the words of error pages."""
    status, telling, body = get(host, path, **headers)
    try:
        document = json.loads(body)
    except ValueError:
        document = None if status >= 400 and body[:1] == b"<" else body
    if isinstance(document, dict) and "results" in document:
        # a description that nobody gave is null or empty, by how the repository came to be known
        document["results"] = sorted((row["name"], row["description"] or "") for row in document["results"])
    # tokens of a registry that stands alone are made up each time
    telling["WWW-Authenticate"] = [one.partition("signature")[0] for one in telling["WWW-Authenticate"]]
    return status, telling, document


def questions(images: Images) -> list[tuple[str, dict[str, str]]]:
    """Everything that a client asks, and a few things that none should."""
    asked: list[tuple[str, dict[str, str]]] = [
        ("/v1/_ping", {}),
        ("/v2/", {}),
        ("/v1/nothing", {}),
        ("/v1/search?q=", {}),
        ("/v1/search?q=web", {}),
    ]
    for repository in [*images, "team/unknown", "unknown", "web", "a/b/c"]:
        asked += [(f"/v1/repositories/{repository}/{part}", {}) for part in ("tags", "tags/latest", "tags/1.0", "images", "properties")]
    ids = [image.id for _tags, one in images.values() for image in one]
    for image_id in [*ids, "f" * 64, "f" * 16, "nonsense"]:
        asked += [(f"/v1/images/{image_id}/{part}", {}) for part in ("json", "ancestry", "layer")]
    layer = f"/v1/images/{ids[0]}/layer"
    size = len(images["library/web"][1][0].layer)
    for wanted in (f"0-{size - 1}", f"100-{size - 1}", "100-199", f"{size - 1}-{size - 1}", f"{size - 2}-{size - 1}", "100-"):
        asked.append((layer, {"Range": f"bytes={wanted}"}))
    return asked


@pytest.mark.parametrize("first", ["double", "real"])
def test_both_give_the_same_answers_out_of_one_storage(first: str, tmp_path: Path) -> None:
    """`first`: who received the images; so both write the same form as well."""
    data = tmp_path / "data"
    made = V1Double(tmp_path, data=data) if first == "double" else V1Registry(tmp_path / "first", data=data, search=False)
    with made:
        images = push_all(made.url)
        deep = chain("deep", [Step("ADD deep", archive(9, 100))])
        half = chain("half", [Step("ADD half", archive(8, 100))])
        none = chain("none", [Step("ADD none", archive(8, 100))])
        with Pusher(made.url) as pusher:
            pusher.push("a/b/c", deep, ["1.0"])
            pusher.push_image(half[0], unfinished=True)
            pusher.push_image(none[0])
    spoil(data, none[0].id, layer=b"")
    spoil(data, images["team/xz"][1][0].id, checksum="tarsum+sha256:" + "a" * 64)
    images |= {"a/b/c": (["1.0"], deep), "half": ([], half), "none": ([], none)}
    with V1Double(tmp_path, data=data) as double, V1Registry(tmp_path / "real", data=data) as real:
        for path, headers in questions(images):
            assert said(double.host, path, **headers) == said(real.host, path, **headers), (path, headers)


def test_both_take_the_same_pushes_and_refuse_the_same(tmp_path: Path) -> None:
    one = chain("one", [Step("ADD one", archive(1, 100)), Step("ADD two", archive(2, 100))])
    ends: dict[str, list[int]] = {}
    with V1Double(tmp_path / "double") as double, V1Registry(tmp_path / "real") as real:
        for end in (double, real):
            with Pusher(end.url) as pusher:

                def put(path: str, body: bytes, pusher: Pusher = pusher, **headers: str) -> int:
                    return pusher.put(path, body, headers, expect=range(200, 600))

                parts = ends[end.url] = []
                parts.append(put(f"/v1/images/{one[1].id}/json", one[1].document))
                parts.append(put(f"/v1/images/{one[0].id}/json", one[1].document))
                parts.append(put(f"/v1/images/{one[0].id}/layer", one[0].layer))
                parts.append(put(f"/v1/images/{one[0].id}/json", one[0].document))
                parts.append(put(f"/v1/images/{one[0].id}/layer", one[0].layer))
                parts.append(put(f"/v1/images/{one[0].id}/checksum", b"", **{"X-Docker-Checksum-Payload": one[1].checksum}))
                parts.append(put(f"/v1/images/{one[0].id}/checksum", b"", **{"X-Docker-Checksum-Payload": one[0].checksum}))
                parts.append(put(f"/v1/images/{one[0].id}/json", one[0].document))
                parts.append(put("/v1/repositories/team/one/tags/1", json.dumps(one[1].id).encode()))
                parts.append(put("/v1/repositories/team/one/tags/1", json.dumps(one[0].id).encode()))
        assert ends[double.url] == ends[real.url]
        assert 409 in ends[real.url]


def test_both_want_a_token_of_the_index_for_the_very_repository(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with V1Double(tmp_path, data=data) as made:
        images = push_all(made.url, {name: some_images()[name] for name in ("library/web", "team/xz")})
    with V1Index(data, {"anna": "secret"}) as index:
        basic = {"Authorization": "Basic YW5uYTpzZWNyZXQ=", "X-Docker-Token": "true"}
        with V1Double(tmp_path, data=data, index=index) as double, V1Registry(tmp_path / "real", data=data, index=index) as real:
            index.endpoints = [double.host, real.host]
            _status, _telling, body = get(index.host, "/v1/repositories/team/xz/images", **basic)
            assert len(json.loads(body)) == 2
            token = next(iter(index.tokens))
            ids = [image.id for _tags, one in images.values() for image in one]
            shown = [
                {},
                {"Authorization": f"Token {token}"},
                {"Authorization": 'Token signature=x,repository="team/xz",access=read'},
                basic,
            ]
            for path in ["/v1/_ping", "/v1/repositories/team/xz/tags", "/v1/repositories/web/tags", f"/v1/images/{ids[-1]}/json"]:
                for headers in shown:
                    assert said(double.host, path, **headers) == said(real.host, path, **headers), (path, headers)
            assert said(real.host, "/v1/repositories/team/xz/tags", **shown[1])[0] == 200
            assert said(real.host, "/v1/repositories/web/tags", **shown[1])[0] == 401

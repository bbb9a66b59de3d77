# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put an image set into a registry, over HTTP."""

from __future__ import annotations

import concurrent.futures
import typing as t
from pathlib import Path

from estate.client import Access, Client
from estate.images import ImageSet, Repository, digest_of

if t.TYPE_CHECKING:
    from estate.certificates import KeyPair


def push(
    registry_url: str,
    images: ImageSet,
    user: str = "",
    password: str = "",
    ca_file: Path | None = None,
    client_certificate: KeyPair | None = None,
    workers: int = 4,
) -> None:
    """Push every blob, manifest and tag of the set to `http(s)://host:port`; raises UnexpectedAnswer when the registry refuses one."""
    client = Client(Access(registry_url, user, password, ca_file, client_certificate))
    with client, concurrent.futures.ThreadPoolExecutor(workers) as pool:
        uploads = [pool.submit(push_blob, client, name, data) for name, held in images.repositories.items() for data in held.blobs.values()]
        _wait(uploads)
        _wait([pool.submit(_push_manifests, client, name, held) for name, held in images.repositories.items()])


def push_blob(client: Client, repository: str, data: bytes) -> str:
    """Upload a blob with POST and PUT; returns its digest."""
    digest = digest_of(data)
    session = client.request("POST", f"/v2/{repository}/blobs/uploads/", b"", expect=(202,)).header("Location")
    location = f"{session}{'&' if '?' in session else '?'}digest={digest}"
    client.request("PUT", location, data, {"Content-Type": "application/octet-stream"}, expect=(201,))
    return digest


def _push_manifests(client: Client, name: str, held: Repository) -> None:
    tagged: dict[str, list[str]] = {}
    for tag, digest in held.tags.items():
        tagged.setdefault(digest, []).append(tag)
    for digest, manifest in held.manifests.items():
        for reference in tagged.get(digest, [digest]):
            path = f"/v2/{name}/manifests/{reference}"
            client.request("PUT", path, manifest.data, {"Content-Type": manifest.media_type}, expect=(201,))


def _wait(futures: t.Iterable[concurrent.futures.Future[t.Any]]) -> None:
    for future in futures:
        future.result()

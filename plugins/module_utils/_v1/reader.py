# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What is known of a v1 registry, whether it is asked over its protocol or its storage is read: one interface, and one set of checks.

In v1 an image is a chain: each has an id, a JSON document and one layer, and names its parent. A tag names the image on top.
Ids are names that a client has made up, and say nothing about contents.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
import typing as t
from urllib.parse import unquote

from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobSource
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import ImageIncomplete, InvalidAnswer, InvalidManifest
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import shown

#: bytes of an image's JSON document at the most; real ones have a few thousand
IMAGE_LIMIT = 4 << 20
#: images in a chain at the most; engines of that time took 127 layers
MOST_IMAGES = 4096
_MOST_ESCAPED = 4
_IMAGE_ID = re.compile("[0-9a-f]{16}|[0-9a-f]{64}")
_SHORT_ID = re.compile("[0-9a-f]{7,64}")


@dataclasses.dataclass(frozen=True)
class V1Image:
    """What a source has of an image beside its layer.

    `data`: the JSON document, to the byte, for the checksum is taken of that. `layer_size`: the stored layer's bytes, -1 where nobody
    tells. `checksum`: `sha256:<hex>` over the document, a line feed and the layer; `tarsum...:<hex>`, which cannot be checked; or empty.
    """

    data: bytes
    layer_size: int = -1
    checksum: str = ""


class V1Reader(t.Protocol):
    """A v1 source. Threads share one object. All methods raise subclasses of MigrationError.

    Repositories are `namespace/name`, those without a namespace are in `library`. Image ids have been checked, see `check_image_id`.
    """

    #: how messages, reports and the ledger call it: another name than that of a v2 registry at the same address
    name: str
    #: whether it lies on this host: what is read from it twice costs next to nothing
    is_local: bool

    def check(self) -> None:
        """Find out early whether there is a v1 source at all."""

    def repositories(self) -> t.Iterator[str]:
        """All repositories; CatalogForbidden where the source does not say."""

    def description(self, repository: str) -> str:
        """What the list of repositories told of one beside its name; empty where it has not been read, or told nothing."""

    def tags(self, repository: str) -> dict[str, str]:
        """{tag: image id}; RepositoryUnknown where there is no such repository."""

    def pushed(self, repository: str, tag: str) -> datetime.datetime | None:
        """When a tag was last pushed; None where nobody tells."""

    def ancestry(self, repository: str, image_id: str) -> list[str]:
        """The ids of an image and all its ancestors, itself first; ManifestUnknown where there is no such image."""

    def image(self, repository: str, image_id: str) -> V1Image:
        """An image's document and what goes with it; ManifestUnknown where there is none, ImageIncomplete where it is being uploaded."""

    def open_layer(self, repository: str, image_id: str, size: int) -> BlobSource:
        """The layer's stored bytes for reading, which nobody has checked; `size` as V1Image has it. BlobUnknown where there is none."""

    @property
    def places(self) -> int:
        """How much the source can usefully be asked at the same time."""

    @property
    def requests(self) -> int:
        """Requests over the network so far."""

    @property
    def warnings(self) -> list[str]:
        """What is to be told to people."""

    def close(self) -> None:
        """Give back what is held."""


def plain_name(name: str) -> str:
    """A repository's name as it is asked for: registries escape what is behind the first slash, once for lists, and once for their storage.

    A name without a namespace is one of `library`.
    """
    for _unused in range(_MOST_ESCAPED):
        plain = unquote(name)
        if plain == name:
            break
        name = plain
    return name if "/" in name else f"library/{name}"


def check_image_id(value: t.Any, where: str) -> str:
    """An image id as registries took them: 64 hex digits, or 16; else InvalidAnswer about `where`."""
    if isinstance(value, str) and _IMAGE_ID.fullmatch(value):
        return value
    raise InvalidAnswer(f"has {shown(str(value), 100)} for the id of an image.", subject=where, hint="Repair it at the source.")


def digest_of_image(image_id: str) -> str:
    """The digest that stands for an image: nobody has computed it, but it is another one for another image."""
    encoded = image_id if len(image_id) == 64 else hashlib.sha256(image_id.encode()).hexdigest()
    return f"sha256:{encoded}"


def incomplete(where: str) -> ImageIncomplete:
    """What is said of an image, `where`, that its source is still receiving, or has never received to the end."""
    return ImageIncomplete("is still being uploaded.", subject=where)


def read_json(data: bytes, where: str, limit: int = IMAGE_LIMIT) -> t.Any:
    """A JSON document that a source has; InvalidManifest about `where` if it is none."""
    if len(data) > limit:
        raise InvalidManifest(f"has {len(data)} bytes, and more than {limit} are not read.", subject=where, hint="Leave it out.")
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidManifest("is not JSON.", subject=where, hint="Repair it at the source, or leave it out.") from None


def _no_constant(text: str) -> t.NoReturn:
    raise ValueError(text)


def tells_of_another(tag: str, tags: t.Container[str]) -> bool:
    """Whether what looks like a tag is none: what registries write down of the tag `_x` they list as the tag `x_json`."""
    return tag.endswith("_json") and f"_{tag[: -len('_json')]}" in tags


def read_tags(document: t.Any, where: str, ids: t.Callable[[], t.Iterable[str]]) -> dict[str, str]:
    """Tags in either form that registries have sent: {tag: id}, or a list of {name, layer} whose ids are cut short.

    `ids`: the whole ids of the repository's images; only asked for where there are short ones.
    """
    if isinstance(document, dict):
        return {
            str(tag): check_image_id(image_id, f"{where}:{tag}")
            for tag, image_id in document.items()
            if not tells_of_another(str(tag), document)
        }
    if not isinstance(document, list):
        raise InvalidAnswer("answered with tags in a form that is not known.", subject=where)
    found: dict[str, str] = {}
    whole: list[str] | None = None
    for row in document:
        tag, short = (row.get("name"), row.get("layer")) if isinstance(row, dict) else (None, None)
        if not isinstance(tag, str) or not isinstance(short, str) or not _SHORT_ID.fullmatch(short):
            raise InvalidAnswer("answered with tags in a form that is not known.", subject=where)
        if len(short) != 64:
            whole = list(ids()) if whole is None else whole
            matching = {one for one in whole if one.startswith(short)}
            if len(matching) != 1:
                raise InvalidAnswer(
                    f"names the image {short}, which stands for {len(matching)} of the repository's images.", subject=f"{where}:{tag}"
                )
            short = matching.pop()
        found[tag] = short
    return found


def read_ancestry(document: t.Any, image_id: str, where: str) -> list[str]:
    """A chain of ids as a source has it: the image first, the base last, none twice; else InvalidManifest."""
    chain = [check_image_id(one, where) for one in document] if isinstance(document, list) else []
    if not chain or chain[0] != image_id or len(set(chain)) != len(chain):
        raise InvalidManifest("has a chain of ancestors that is none.", subject=where, hint="Push the image again, or leave it out.")
    if len(chain) > MOST_IMAGES:
        raise InvalidManifest(f"has a chain of {len(chain)} images.", subject=where, hint="Leave it out.")
    return chain


def best_checksum(checksums: t.Iterable[str]) -> str:
    """Of the checksums that a source has of one image, the one that can be checked, else any, else nothing."""
    known = [one for one in checksums if one]
    return next((one for one in known if re.fullmatch("sha256:[0-9a-f]{64}", one)), known[0] if known else "")

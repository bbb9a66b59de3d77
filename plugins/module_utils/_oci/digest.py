# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""Digests: `algorithm:encoded` (image-spec, descriptor.md "Digests")."""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidReference

if t.TYPE_CHECKING:
    from hashlib import _Hash as Hash

_KNOWN = re.compile("sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}")
_GRAMMAR = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}


def check_digest(value: str) -> str:
    """Return `value` if it is a digest that can be verified here, else raise InvalidReference with the reason."""
    # nearly all are good; what follows only finds the reason for the others
    if _KNOWN.fullmatch(value):
        return value
    if not _GRAMMAR.fullmatch(value):
        raise InvalidReference(
            "is not a digest (algorithm:encoded, such as sha256: and 64 hex digits).",
            subject=repr(value)[:120],
            hint="Write it whole, without a name before it.",
        )
    algorithm, encoded = value.split(":", 1)
    length = _HEX_LENGTH.get(algorithm)
    if length is None:
        raise InvalidReference(
            f"has the digest algorithm {algorithm}; known are {', '.join(_HEX_LENGTH)}.",
            subject=value[:160],
            hint="Use the image's digest of one of these algorithms.",
        )
    if len(encoded) != length or not re.fullmatch("[a-f0-9]+", encoded):
        raise InvalidReference(
            f"must have {length} lower-case hex digits after {algorithm}:.", subject=value[:160], hint="Write it whole: none is left out."
        )
    return value


def is_digest(value: str) -> bool:
    """Whether `value` is a digest that can be verified here."""
    try:
        check_digest(value)
    except InvalidReference:
        return False
    return True


def hasher(digest: str) -> Hash:
    """A fresh hash object of the algorithm of a checked digest."""
    return hashlib.new(digest.split(":", 1)[0])


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of some bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def matches(data: bytes, digest: str) -> bool:
    """Whether the bytes have the (checked) digest."""
    return digest_of(data, digest.split(":", 1)[0]) == digest


def fallback_tag(digest: str) -> str:
    """The tag under which referrers are kept where there is no referrers API (distribution-spec "Referrers Tag Schema")."""
    algorithm, encoded = digest.split(":", 1)
    return re.sub(r"[^a-zA-Z0-9._-]", "-", f"{algorithm[:32]}-{encoded[:64]}")

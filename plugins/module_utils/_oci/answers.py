# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What a registry's refusal means: status and error codes (distribution-spec "Error Codes", and what products make of them)."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    BlobUnknown,
    DigestMismatch,
    InvalidName,
    ManifestBlobUnknown,
    ManifestTooLarge,
    ManifestUnknown,
    MigrationError,
    QuotaExceeded,
    RegistryError,
    RegistryReadOnly,
    RepositoryUnknown,
    SchemeMismatch,
    ServerFailed,
    TagImmutable,
    TooManyRequests,
    UnsupportedManifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import Response, proxy_refusal

_ERROR_BODY = 256 << 10
_DIGEST = re.compile(r"sha(?:256:[a-f0-9]{64}|384:[a-f0-9]{96}|512:[a-f0-9]{128})")
#: refusals that are about how much there is, whatever their status says
_QUOTA = re.compile(
    r"quota|exceed[^.;]{0,80}\blimit\b|\blimit\b[^.;]{0,80}exceed|maximum (?:allowed )?number of (?:images|tags|layers|repositories)",
    re.IGNORECASE,
)
#: Amazon ECR says it with 403, and with no challenge
_EXPIRED = re.compile(r"\b(?:token|credentials?|password)\b[^.;]{0,40}\bexpired\b", re.IGNORECASE)
#: names that a message quotes, or that are paths: what words they are made of says nothing
_NAMES = re.compile(r"(?<!\w)'[^']*'|\"[^\"]*\"|\S*/\S*")
_PLAIN_HTTP_TO_TLS = re.compile(r"HTTP request (?:was sent )?to (?:an )?HTTPS", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Answer:
    """A refusal, read: HTTP status, the error codes and messages of its body, and the digests that its details name."""

    status: int
    codes: frozenset[str] = frozenset()
    text: str = ""
    digests: tuple[str, ...] = ()
    writable: bool = True


def read_answer(response: Response, hide: t.Callable[[str], str] = str) -> Answer:
    """Read a refusal's body, whatever form it has, and give its connection back.

    `hide` takes secrets out of a text: there are servers that quote what they were sent.
    """
    status = response.status
    allowed = response.headers.get("Allow", "")
    writable = not (status == 405 and allowed and "PUT" not in allowed and "POST" not in allowed)
    try:
        data = response.body(_ERROR_BODY)
    except MigrationError:
        # the status alone says enough
        return Answer(status, writable=writable)
    try:
        body = json.loads(data)
        errors = body.get("errors") if isinstance(body, dict) else None
        rows = [row for row in errors if isinstance(row, dict)] if isinstance(errors, list) else []
        named = [found for row in rows for found in _DIGEST.findall(json.dumps([row.get("detail"), row.get("message")]))]
    except (ValueError, RecursionError):
        return Answer(status, text=_clean(hide(data.decode("utf-8", "replace"))), writable=writable)
    codes = frozenset(str(row.get("code") or "").upper() for row in rows)
    messages = [str(row.get("message") or "") for row in rows or ([body] if isinstance(body, dict) else [])]
    digests = tuple(dict.fromkeys(digest for digest in named if is_digest(digest)))
    return Answer(status, codes, _clean(hide("; ".join(filter(None, messages)))), digests, writable)


def _clean(text: str) -> str:
    """One printable line of at most 300 characters: a server's words end up in terminals and reports."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line[:300]


def failure_of(answer: Answer, subject: str, *, plain_http: bool, where: str) -> MigrationError:
    """The error that a refusal stands for. `where` is the registry, `subject` the object that was asked for."""
    status, codes = answer.status, answer.codes
    words = _NAMES.sub(" ", answer.text)
    said = f" ({answer.text.rstrip('.')})" if answer.text else ""
    if status == 400 and plain_http and _PLAIN_HTTP_TO_TLS.search(answer.text):
        return SchemeMismatch(
            "speaks TLS on this port, not plain http.", subject=where, hint="Write no http:// before it, and leave plain_http at false."
        )
    if status == 429 or "TOOMANYREQUESTS" in codes:
        return TooManyRequests(
            "asks for fewer requests, and still did at the last attempt.",
            subject=where,
            hint="Lower concurrency, set requests_per_second, or run again later: what is done stays done.",
        )
    if codes & {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"} and "MANIFEST_BLOB_UNKNOWN" in codes | _code_if(answer.digests, status == 400):
        return ManifestBlobUnknown(
            f"the destination misses blobs that the manifest names{said}.",
            subject=subject,
            hint="They have been sent again once; if it persists, the destination's storage loses blobs.",
            digests=answer.digests,
        )
    if ("TAG_INVALID" in codes and status in (400, 403, 409, 412)) or any(
        word in words.lower() for word in ("immutable", "does not allow updating")
    ):
        return TagImmutable(
            f"the destination does not let this tag be changed{said}.",
            subject=subject,
            hint="Set the policy for existing tags to keep, choose another destination name, or lift the immutability rule.",
        )
    if "REGISTRY_DISALLOWED_OPERATION" in codes:
        return AccessDenied(
            "is locked at the registry.",
            subject=subject,
            hint="Unlock it (az acr repository update --write-enabled true, or --read-enabled true to read), or leave it out.",
        )
    if (status == 405 and not answer.writable) or "readonly" in words.lower().replace("-", "").replace(" ", ""):
        return RegistryReadOnly("takes no writes: it is read-only.", subject=where, hint="Switch its read-only mode off and run again.")
    if "NAME_UNKNOWN" in codes:
        return RepositoryUnknown(
            "there is no such repository.", subject=subject, hint="Check the name; at a destination, some products need it created first."
        )
    if "MANIFEST_UNKNOWN" in codes:
        return ManifestUnknown("there is no such tag or digest.", subject=subject, hint="Check the name.")
    if "BLOB_UNKNOWN" in codes:
        return BlobUnknown("there is no such blob.", subject=subject)
    if "NAME_INVALID" in codes:
        return InvalidName(f"the registry does not accept this name{said}.", subject=subject, hint="Map it to another name.")
    if "DIGEST_INVALID" in codes:
        return DigestMismatch(
            f"the registry got other bytes than the digest says{said}.", subject=subject, hint="Run again; look at proxies."
        )
    if status == 413 or ("SIZE_INVALID" in codes and "manifest" in answer.text.lower()):
        return ManifestTooLarge(f"is too large for the registry or a proxy in front of it{said}.", subject=subject, hint="Raise its limit.")
    if status == 407:
        return proxy_refusal()
    if status in (400, 403, 405, 507) and _QUOTA.search(words):
        return QuotaExceeded(f"is refused because of a quota{said}.", subject=subject)
    if status in (400, 403) and _EXPIRED.search(words):
        return AuthenticationFailed(
            f"says that the credentials have expired{said}.",
            subject=where,
            hint="Sign in again, or give a new password or token, and run again: what is done stays done.",
        )
    if status == 401:
        return AuthenticationFailed(f"is refused{said}.", subject=subject, hint="Check username and password.")
    if status == 403 or "DENIED" in codes:
        return AccessDenied(f"is forbidden{said}.", subject=subject, hint="Grant the right, use another account, or leave it out.")
    if status == 404:
        return RegistryError(
            f"was not found{said}.",
            subject=subject,
            hint="Is this a registry, and is the name right?",
            status=status,
            codes=tuple(sorted(codes)),
        )
    if codes & {"MANIFEST_INVALID", "UNSUPPORTED"} or status == 415:
        return UnsupportedManifest(
            f"the registry does not accept this{said}.",
            subject=subject,
            hint="The destination does not know this kind of manifest; leave it out, or choose another destination.",
        )
    if status >= 500:
        return ServerFailed(
            f"the registry failed with {status}{said}.", subject=subject, hint="Look at its log; run again when it is well.", status=status
        )
    return RegistryError(
        f"the registry answered {status}{said}.",
        subject=subject,
        hint="This answer is not known here; the registry's log may say more.",
        status=status,
        codes=tuple(sorted(codes)),
    )


def _code_if(digests: tuple[str, ...], is_manifest_error: bool) -> frozenset[str]:
    # some products say BLOB_UNKNOWN to a manifest and name the blobs in the detail
    return frozenset({"MANIFEST_BLOB_UNKNOWN"}) if digests and is_manifest_error else frozenset()

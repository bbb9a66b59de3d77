# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""What can go wrong, in words for the person who runs the migration.

Every error has three parts: what happened (the message), where (the subject: an option, a registry, an image) and the way
out (the hint). `kind` is a stable word that reports, retries and the troubleshooting guide (docs/troubleshooting.md) are keyed by.
No message ever holds a credential: whoever raises one passes names, never headers or URLs with queries.
"""

from __future__ import annotations

import typing as t


class MigrationError(Exception):
    """The root of all errors that this collection raises on purpose."""

    kind: t.ClassVar[str] = "error"
    #: whether the same attempt may well succeed a moment later
    transient: t.ClassVar[bool] = False
    #: the way out where whoever raises it knows no better one
    usual_hint: t.ClassVar[str] = ""

    def __init__(self, message: str, *, subject: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject
        self.hint = hint or self.usual_hint

    def __str__(self) -> str:
        where = f"{self.subject}: " if self.subject else ""
        way_out = f" {self.hint}" if self.hint else ""
        return f"{where}{self.message}{way_out}"

    def as_row(self) -> dict[str, str]:
        """The form in which failures stand in results, ledgers and reports."""
        return {"kind": self.kind, "subject": self.subject, "message": self.message, "hint": self.hint}


class InvalidOption(MigrationError):
    """An option has a value that cannot work; the subject names the option."""

    kind = "invalid_option"


class InvalidReference(MigrationError):
    """A name, tag, digest or whole reference breaks the distribution specification's grammar."""

    kind = "invalid_reference"


class InvalidName(MigrationError):
    """A destination's product does not accept a repository's name."""

    kind = "invalid_name"


class NameCollision(MigrationError):
    """Two sources have one destination."""

    kind = "name_collision"


class ItemRefused(MigrationError):
    """A user, team, grant or other item of people is not written as it is at the source, or not at all."""

    kind = "item_refused"


class ConnectionFailed(MigrationError):
    """No connection, or it broke: unknown host, refused, reset, timed out."""

    kind = "connection_failed"
    transient = True
    usual_hint = "Look at the network between here and the registry, and run again: what is done stays done."


class CertificateUntrusted(MigrationError):
    """The server's certificate is not signed by a trusted CA, has expired or is for another name."""

    kind = "certificate_untrusted"


class HostKeyUntrusted(MigrationError):
    """A host that is reached over SSH shows a key that nobody has vouched for, or another one than it ought to have."""

    kind = "host_key_untrusted"


class SchemeMismatch(MigrationError):
    """Plain http was spoken to a TLS port, or TLS to a plain http port."""

    kind = "scheme_mismatch"


class RedirectRefused(MigrationError):
    """A redirect that would weaken the connection: https to http, a loop, too many."""

    kind = "redirect_refused"


class AuthenticationFailed(MigrationError):
    """401 after all credentials have been offered, or the token service refused them."""

    kind = "authentication_failed"


class AccessDenied(MigrationError):
    """403, or DENIED: who is asking is known, but may not do this."""

    kind = "access_denied"


class CredentialsUnusable(MigrationError):
    """A file of credentials, or the helper that it names, cannot be read or makes no sense; the subject is the file."""

    kind = "credentials_unusable"


class QuotaExceeded(MigrationError):
    """A limit of the account or of the product has been reached, which some products say with the status of missing rights."""

    kind = "quota_exceeded"
    usual_hint = "Have the quota raised, make room at the destination, or leave the image out; what is done stays done."


class PullsUsedUp(QuotaExceeded):
    """A registry that counts pulls gives no more of them for now, and the run was told not to wait."""

    kind = "pulls_used_up"


class LibraryMissing(MigrationError):
    """A Python library that this product needs is not installed on the host where the task runs."""

    kind = "library_missing"


class CatalogForbidden(AccessDenied):
    """The registry does not list its repositories for this user, or for anybody."""

    kind = "catalog_forbidden"


class RepositoryUnknown(MigrationError):
    """NAME_UNKNOWN."""

    kind = "repository_unknown"


class ManifestUnknown(MigrationError):
    """MANIFEST_UNKNOWN: no such tag or digest in the repository."""

    kind = "manifest_unknown"


class BlobUnknown(MigrationError):
    """BLOB_UNKNOWN: a manifest names a blob that its registry does not have."""

    kind = "blob_unknown"
    usual_hint = "Push the image again at the source, or leave it out."


class ManifestBlobUnknown(MigrationError):
    """The destination refused a manifest because it misses some of its blobs; `digests` are those it named."""

    kind = "manifest_blob_unknown"

    def __init__(self, message: str, *, subject: str = "", hint: str = "", digests: tuple[str, ...] = ()) -> None:
        super().__init__(message, subject=subject, hint=hint)
        self.digests = digests


class DigestMismatch(MigrationError):
    """Bytes do not have the digest that names them."""

    kind = "digest_mismatch"


class ManifestTooLarge(MigrationError):
    """A manifest is larger than registries have to accept (4 MiB, distribution-spec "Pushing Manifests")."""

    kind = "manifest_too_large"


class UnsupportedManifest(MigrationError):
    """A media type, or a form of manifest, that this collection or the destination does not know."""

    kind = "unsupported_manifest"


class InvalidManifest(MigrationError):
    """A manifest that is no manifest: broken JSON, wrong types, nested too deep."""

    kind = "invalid_manifest"


class InvalidLayer(MigrationError):
    """A layer that has to be read, to make a manifest for it, is no whole stream of the compression that it begins with."""

    kind = "invalid_layer"
    usual_hint = "The layer is corrupt at the source or on the way; push the image again at the source, or leave it out."


class ImageIncomplete(MigrationError):
    """A source has begun to receive an image, and has not got all of it."""

    kind = "image_incomplete"
    usual_hint = "Wait for the push to end; if it broke off, push the image again at the source, or leave it out."


class RegistryReadOnly(MigrationError):
    """The destination takes no writes at present."""

    kind = "registry_read_only"


class TagImmutable(MigrationError):
    """The destination does not let this tag move."""

    kind = "tag_immutable"


class TooManyRequests(MigrationError):
    """429 to the last of all attempts."""

    kind = "too_many_requests"
    transient = True


class RegistryError(MigrationError):
    """Any other answer that is no success; `status` is the HTTP status, `codes` the error codes of the body."""

    kind = "registry_error"
    usual_hint = "Look at the log of the registry, and of what stands in front of it."

    def __init__(self, message: str, *, subject: str = "", hint: str = "", status: int = 0, codes: tuple[str, ...] = ()) -> None:
        super().__init__(message, subject=subject, hint=hint)
        self.status = status
        self.codes = codes


class ServerFailed(RegistryError):
    """5xx to the last of all attempts."""

    kind = "server_failed"
    transient = True


class DatabaseFailed(MigrationError):
    """A product's database, or the command line that leads to it, did not do what it was asked; no message holds a row."""

    kind = "database_failed"
    usual_hint = "Look at the product's database; what is done stays done."


class InvalidAnswer(MigrationError):
    """A server answered with something that breaks the protocol: not JSON, too large, a paging loop."""

    kind = "invalid_answer"
    usual_hint = "Check the address; if it is right, the registry or a proxy in front of it breaks the protocol: tell its operator."

    def __init__(self, message: str, *, subject: str = "", hint: str = "Report it to the registry's operator.") -> None:
        super().__init__(message, subject=subject, hint=hint)


class StateError(MigrationError):
    """The state folder or the ledger in it cannot be used."""

    kind = "state_error"


class AlreadyRunning(StateError):
    """Another process uses the state folder; `running` is the head of its journal, where it has one."""

    kind = "already_running"

    def __init__(self, message: str, *, subject: str = "", hint: str = "", running: dict[str, t.Any] | None = None) -> None:
        super().__init__(message, subject=subject, hint=hint)
        self.running = running


class Stopped(MigrationError):
    """The run was asked to stop."""

    kind = "stopped"


class SourceMoved(MigrationError):
    """A tag of the source no longer has the digest that the plan was made for."""

    kind = "source_moved"


class ImageArchived(MigrationError):
    """A registry keeps an image in storage from which it cannot be read at once."""

    kind = "image_archived"


class TagConflict(MigrationError):
    """The destination's tag exists with another digest, and the policy says to fail."""

    kind = "tag_conflict"


#: what fails for one tag fails for all of them: a run ends here, instead of trying the others
ENDS_A_RUN = (AuthenticationFailed, StateError)

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Manifests that were read where that counts: none is read twice, in this run or, with a ledger, in a later one.

Without that, an image with more platforms than there are pulls in a window would never arrive.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Manifest, parse_manifest
from ansible_collections.registryops.migration.plugins.module_utils._stores.notes import AllNotes


class KeptManifests:
    """By digest. Threads share it."""

    def __init__(self) -> None:
        self.notes = AllNotes()
        self._lock = threading.Lock()
        self._under_way: dict[str, threading.Lock] = {}

    def get(self, digest: str) -> Manifest | None:
        """A manifest that has been read; None where it has not, or what was noted is none any more."""
        note = self.notes.get(f"manifest:{digest}")
        if note is None:
            return None
        try:
            return parse_manifest(base64.b64decode(note["data"], validate=True), str(note["media_type"]), digest)
        except (KeyError, TypeError, ValueError, MigrationError):
            # a ledger that somebody has written to: it is read again
            return None

    def put(self, digest: str, manifest: Manifest) -> None:
        """Keep one under the digest that it was asked for by."""
        data = base64.b64encode(manifest.data).decode("ascii")
        self.notes.put(f"manifest:{digest}", {"data": data, "media_type": manifest.media_type})

    @contextlib.contextmanager
    def alone(self, digest: str) -> t.Iterator[None]:
        """While one thread reads a manifest, others that want it wait."""
        with self._lock:
            lock = self._under_way.setdefault(digest, threading.Lock())
        try:
            with lock:
                yield
        finally:
            with self._lock:
                self._under_way.pop(digest, None)

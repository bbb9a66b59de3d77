# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Reading what the APIs of products answer: objects whose fields may be missing, null, or of another type than they ought to be."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer, RegistryError, RepositoryUnknown
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Site

#: what `Provider.tested` says of a double that was written from documents
FROM_DOCUMENTATION = "a double over docker-registry, written from the product's documentation; not exercised against the live service"


def field(document: t.Any, *names: str) -> t.Any:
    """What stands under these names in objects within objects; None where there is no such thing."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def text(document: t.Any, *names: str) -> str:
    """A field that is a text; empty where there is none."""
    found = field(document, *names)
    return found if isinstance(found, str) else ""


def number(document: t.Any, *names: str) -> int:
    """A field that is a whole number from 0; -1 where there is none."""
    found = field(document, *names)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else -1


def listed(document: t.Any, *names: str) -> list[t.Any]:
    """A field that is a list; an empty one where there is none."""
    found = field(document, *names)
    return found if isinstance(found, list) else []


def required(document: t.Any, name: str, what: str) -> str:
    """A text without which an item of a list means nothing; InvalidAnswer, about the list, where there is none."""
    found = text(document, name)
    if not found:
        raise InvalidAnswer(f"has an item without {name}.", subject=what, hint="Is this the address of that product's API?")
    return found


@contextlib.contextmanager
def of_repository(what: str) -> t.Iterator[None]:
    """Have 404 mean RepositoryUnknown for the repository `what`."""
    try:
        yield
    except RegistryError as error:
        if error.status != 404:
            raise
        raise RepositoryUnknown("there is no such repository.", subject=what, hint="Check the name.") from error


@contextlib.contextmanager
def of_namespace(site: Site, namespace: str, title: str) -> t.Iterator[None]:
    """Have 404 mean that the option `namespaces` names one that the product, called `title`, does not have."""
    try:
        yield
    except RegistryError as error:
        if error.status != 404:
            raise
        message = f"names {namespace}, which {title} does not know, or does not show."
        raise site.wrong("namespaces", message, "Check its spelling.") from error

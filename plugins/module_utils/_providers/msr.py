# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Mirantis Secure Registry 2.9 and 3.x: repositories have to exist before a push; tags are listed with digests, a hundred on a page.

What its API does not list is not there for anybody: tags that have been deleted and are kept as such do not come up.
"""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    InvalidAnswer,
    InvalidOption,
    InvalidReference,
    RegistryError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, walk
from ansible_collections.registryops.migration.plugins.module_utils._providers.api import Reply
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import basic, typed
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import (
    field,
    listed,
    number,
    of_namespace,
    of_repository,
    required,
    text,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, RepositoryRecord, TagRecord

_PAGE = 100
_NEXT_PAGE = "X-Next-Page-Start"
#: the settings of a repository: their names in the API, what they are, and what they are where nobody says it
SETTINGS: t.Mapping[str, tuple[str, type, t.Any]] = {
    "visibility": ("visibility", str, "private"),
    "description": ("shortDescription", str, ""),
    "long_description": ("longDescription", str, ""),
    "scan_on_push": ("scanOnPush", bool, False),
    "immutable_tags": ("immutableTags", bool, False),
    "tag_limit": ("tagLimit", int, 0),
}


class MSR(Provider):
    """One MSR."""

    container = "repository"
    settings: t.ClassVar[t.Mapping[str, str]] = {
        "visibility": "public or private (by default)",
        "description": "a line about it, up to 140 characters",
        "long_description": "a text about it, in Markdown",
        "scan_on_push": "whether images are scanned when they are pushed (yes or no)",
        "immutable_tags": "whether tags cannot be moved (yes or no)",
        "tag_limit": "how many tags there may be before the oldest go; 0 for no limit",
    }
    lists_digests = True
    lists_with = "/api/v0/repositories and .../tags, 100 on a page"
    tested = "a double over docker-registry, checked against the product's API description; not exercised against the product"

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        self._api = site.make_api(f"{site.api_url or site.default_base}/api/v0", lambda: basic(site.credential(), site.on_secret))

    def _pages(self, path: str, what: str, key: str) -> t.Iterator[t.Any]:
        """All items of a list, which stands under a key, or without one; pages name the start of the next one in a header."""

        def read(start: str) -> Page[t.Any]:
            query: dict[str, str | int] = {"pageSize": _PAGE}
            reply = self._api.ask("GET", path, {**query, "pageStart": start} if start else query, what=what)
            found = reply.document if isinstance(reply.document, list) else field(reply.document, key)
            if not isinstance(found, list):
                raise InvalidAnswer(f"answered without {key}.", subject=what, hint="Is this an MSR? If not, set provider to generic.")
            return Page(found, reply.header(_NEXT_PAGE) or None)

        return walk("", read, what)

    # -- what is there
    def repositories(self) -> t.Iterator[RepositoryRecord]:
        what = f"the repositories of {self.site.host}"
        for namespace in self.site.namespaces:
            with of_namespace(self.site, namespace, self.profile.title):
                yield from map(self._record, self._pages(f"/repositories/{quote(namespace, safe='')}", what, "repositories"))
        if not self.site.namespaces:
            yield from map(self._record, self._pages("/repositories", what, "repositories"))

    def _record(self, row: t.Any) -> RepositoryRecord:
        what = f"the repositories of {self.site.host}"
        immutable = field(row, "immutableTags")
        return RepositoryRecord(
            f"{required(row, 'namespace', what)}/{required(row, 'name', what)}",
            description=text(row, "shortDescription"),
            visibility=text(row, "visibility"),
            immutable=immutable if isinstance(immutable, bool) else None,
        )

    def tags(self, repository: str) -> list[TagRecord] | None:
        what = f"{self.site.host}/{repository}"
        with of_repository(what):
            records = [_tag(row, what) for row in self._pages(f"/repositories/{quote(repository)}/tags", what, "tags")]
        # a list that changes while it is read may have a tag twice
        return list({record.name: record for record in records}.values())

    # -- what has to be there
    def containers(self, repositories: t.Iterable[str]) -> list[str]:
        return list(dict.fromkeys(repositories))

    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        namespace, _slash, repository = name.partition("/")
        if not repository or "/" in repository:
            raise InvalidReference("is no namespace and a name.", subject=name, hint="Map it to one with two components.")
        chosen = typed(wanted, {setting: kind for setting, (_name, kind, _usual) in SETTINGS.items()})
        if chosen.get("visibility", "private") not in ("private", "public"):
            raise InvalidOption("is neither public nor private.", subject="visibility", hint="Write one of the two.")
        path = f"/repositories/{quote(name)}"
        what = f"{self.site.host}/{name}"
        reply = self._api.ask("GET", path, accept=(200, 404), what=what)
        if reply.status == 404:
            if apply:
                usual = {theirs: usual for theirs, _kind, usual in SETTINGS.values()}
                settings = {SETTINGS[setting][0]: value for setting, value in chosen.items()}
                document = {"name": repository, **usual, **settings}
                parent = f"/repositories/{quote(namespace, safe='')}"
                self._done(self._api.ask("POST", parent, document=document, accept=(201, 400, 404), what=what), what, namespace)
            return Creation(self.container, name, "created", {setting: (None, value) for setting, value in chosen.items()})
        has = {setting: field(reply.document, theirs) for setting, (theirs, _kind, _usual) in SETTINGS.items()}
        differences = {setting: (has[setting], value) for setting, value in chosen.items() if has[setting] != value}
        if not differences:
            return Creation(self.container, name, "existing")
        if apply:
            # immutable_tags has to be said each time: without it, it is switched off
            document = {SETTINGS[setting][0]: value for setting, (_before, value) in differences.items()}
            kept = {"immutableTags": has["immutable_tags"] is True}
            self._done(self._api.ask("PATCH", path, document={**kept, **document}, accept=(200, 400, 404), what=what), what, namespace)
        return Creation(self.container, name, "changed", differences)

    def _done(self, reply: Reply, what: str, namespace: str) -> None:
        """Raise what a refusal means, by its code: the status of a name that is taken is that of a wrong one."""
        if reply.status < 400:
            return
        rows = listed(reply.document, "errors")
        codes = tuple(text(row, "code") for row in rows)
        if "REPOSITORY_EXISTS" in codes:
            # another worker, or an answer that got lost
            return
        said = " ".join("; ".join(text(row, "message") for row in rows).split())[:300]
        hint = "Look at the settings, and at the log of the registry."
        if "NO_SUCH_ACCOUNT" in codes:
            hint = f"Create the organization or the user {namespace} first, or map to another one."
        message = f"is refused with {', '.join(filter(None, codes)) or reply.status}{f' ({said})' if said else ''}."
        raise RegistryError(message, subject=what, hint=hint, status=reply.status, codes=codes)


def _tag(row: t.Any, what: str) -> TagRecord:
    """A tag as it is listed. What it says of a manifest counts where that is the tag's own, and not one below its index."""
    digest = text(row, "digest")
    manifest = field(row, "manifest")
    own = bool(digest) and text(manifest, "digest") == digest
    return TagRecord(
        required(row, "name", what),
        digest,
        text(manifest, "mediaType") if own else "",
        number(manifest, "size") if own else -1,
        text(row, "updatedAt"),
    )

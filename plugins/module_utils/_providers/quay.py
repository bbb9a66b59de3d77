# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Quay: its API wants an OAuth2 application token, which is none of the passwords that the registry takes.

Without one there is the catalogue, and digests are asked for tag by tag.
"""

from __future__ import annotations

import datetime
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import (
    FROM_DOCUMENTATION,
    field,
    listed,
    number,
    of_repository,
    required,
    text,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, RepositoryRecord, TagRecord

#: the user name with which the registry takes an OAuth2 token for a password
_TOKEN_USER = "$oauthtoken"
#: pages are this large at the most
_LARGEST_PAGE = 100


class Quay(Provider):
    """quay.io, or a Quay of one's own."""

    container = "organization"
    settings: t.ClassVar[t.Mapping[str, str]] = {
        "email": "an organization's address, where Quay asks for one; only when it is created",
        "visibility": "public or private; of repositories (private by default)",
        "description": "a text about it, in Markdown; of repositories",
    }
    lists_digests = True
    lists_with = "/api/v1/repository and .../tag/, 100 on a page, with an OAuth2 application token; else the catalogue"
    tested = FROM_DOCUMENTATION

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        credential = site.credential()
        registry_token = credential.password if credential is not None and credential.username == _TOKEN_USER else ""
        self._token = site.api_token or registry_token
        self._api = site.make_api(f"{site.api_url or site.default_base}/api/v1", self._headers)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    # -- what is there
    def repositories(self) -> t.Iterator[RepositoryRecord]:
        if not self._token:
            yield from super().repositories()
            return
        for namespace in self.site.namespaces or self._own_namespaces():
            what = f"the repositories of {namespace} at {self.site.host}"
            found = self._api.marked(
                "/repository",
                {"namespace": namespace},
                what,
                name="next_page",
                items=lambda document: field(document, "repositories"),
                mark=lambda document: field(document, "next_page"),
            )
            for row in found:
                public = field(row, "is_public")
                yield RepositoryRecord(
                    f"{namespace}/{required(row, 'name', what)}",
                    description=text(row, "description"),
                    visibility="public" if public else "private" if public is False else "",
                )

    def _own_namespaces(self) -> list[str]:
        """The user whose token it is, and the organizations that he is in: Quay lists nothing without a namespace."""
        what = f"the user of {self.site.host}"
        user = self._api.ask("GET", "/user/", what=what).document
        return [required(user, "username", what), *(required(row, "name", what) for row in listed(user, "organizations"))]

    def tags(self, repository: str) -> list[TagRecord] | None:
        if not self._token:
            return None
        what = f"{self.site.host}/{repository}"
        with of_repository(what):
            rows = self._api.marked(
                f"/repository/{quote(repository)}/tag/",
                {"onlyActiveTags": "true", "limit": _LARGEST_PAGE},
                what,
                name="page",
                items=lambda document: field(document, "tags"),
                mark=lambda document: _following(document, what),
            )
            found = {required(row, "name", what): row for row in rows}
        return [
            TagRecord(name, text(row, "manifest_digest"), size=number(row, "size"), pushed=_moment(number(row, "start_ts")))
            for name, row in found.items()
        ]

    # -- what has to be there
    def containers(self, repositories: t.Iterable[str]) -> list[str]:
        """Organizations first, then the repositories themselves: whether a push makes those is a setting of Quay's."""
        names = list(dict.fromkeys(repositories))
        return [*super().containers(names), *names]

    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        """Have an organization (a name without a slash) or a repository exist."""
        if not self._token:
            raise self.site.wrong(
                "api_token",
                "is missing: Quay's API does not take the passwords of the registry.",
                "Give an OAuth2 application token that may create organizations and repositories, or leave this step out.",
            )
        return self._ensure_repository(name, wanted, apply) if "/" in name else self._ensure_organization(name, wanted, apply)

    def _ensure_organization(self, name: str, wanted: Settings, apply: bool) -> Creation:
        what = f"the organization {name}"
        for place in ("organization", "users"):
            # a user is a namespace as well
            if self._api.ask("GET", f"/{place}/{quote(name, safe='')}", accept=(200, 404), what=what).status == 200:
                return Creation("organization", name, "existing")
        made = {"email": wanted["email"]} if wanted.get("email") else {}
        if apply:
            self._api.ask("POST", "/organization/", document={"name": name, **made}, accept=(200, 201), what=what)
        return Creation("organization", name, "created", {key: (None, value) for key, value in made.items()})

    def _ensure_repository(self, name: str, wanted: Settings, apply: bool) -> Creation:
        what = f"{self.site.host}/{name}"
        path = f"/repository/{quote(name)}"
        reply = self._api.ask("GET", path, {"includeTags": "false"}, accept=(200, 404), what=what)
        chosen = {key: str(wanted[key]) for key in ("visibility", "description") if wanted.get(key) is not None}
        if reply.status == 404:
            if apply:
                namespace, _slash, repository = name.partition("/")
                usual = {"visibility": "private", "description": "", "repo_kind": "image"}
                document = {**usual, **chosen, "namespace": namespace, "repository": repository}
                self._api.ask("POST", "/repository", document=document, accept=(200, 201), what=what)
            return Creation("repository", name, "created", {key: (None, value) for key, value in chosen.items()})
        has = {
            "visibility": "public" if field(reply.document, "is_public") else "private",
            "description": text(reply.document, "description"),
        }
        differences = {key: (has[key], value) for key, value in chosen.items() if has[key] != value}
        if not differences:
            return Creation("repository", name, "existing")
        if apply and "visibility" in differences:
            document = {"visibility": chosen["visibility"]}
            self._api.ask("POST", f"{path}/changevisibility", document=document, accept=(200, 201), what=what)
        if apply and "description" in differences:
            self._api.ask("PUT", path, document={"description": chosen["description"]}, what=what)
        return Creation("repository", name, "changed", differences)


def _following(document: t.Any, what: str) -> int | None:
    """The number of the page after this one; None after the last."""
    if not field(document, "has_additional"):
        return None
    page = number(document, "page")
    if page < 1:
        raise InvalidAnswer("says that there is more, and not on which page.", subject=what)
    return page + 1


def _moment(seconds: int) -> str:
    """A unix time in ISO 8601; empty for none, and for one that no calendar has."""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat() if seconds > 0 else ""
    except (OverflowError, ValueError, OSError):
        return ""

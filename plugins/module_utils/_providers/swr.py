# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""SWR, the software repository of Huawei Cloud and of Open Telekom Cloud: organizations, and a login key that follows from AK and SK.

The lists and the organizations are those of the registry's own host (/dockyard/v2), which takes the registry's user and password.
"""

from __future__ import annotations

import hashlib
import hmac
import typing as t
from urllib.parse import quote

from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    InvalidAnswer,
    MigrationError,
    QuotaExceeded,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, walk
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import amount, basic, readable
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import FROM_DOCUMENTATION
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, RepositoryRecord

_PAGE = 100
#: words by which a refusal is about the number of organizations
_QUOTA = ("quota", "exceed", "maximum")
#: organizations that a tenant may have unless more have been granted
_USUAL_QUOTA = 5
_MORE_ORGANIZATIONS = "Have the quota raised (often 5), delete one, or put several under one organization with mapping.prefix."


class SoftwareRepository(Provider):
    """SWR in one region."""

    container = "organization"
    lists_with = "/dockyard/v2/repositories, 100 on a page, and the lists of tags"
    tested = FROM_DOCUMENTATION

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        self._api = site.make_api((site.api_url or site.default_base) + "/dockyard/v2", self._headers)

    def _headers(self) -> dict[str, str]:
        return basic(self.credential() or self.site.credential(), self.site.on_secret)

    # -- what is there
    def repositories(self) -> t.Iterator[RepositoryRecord]:
        what = f"the repositories of {self.site.host}"
        seen: set[str] = set()
        for row in walk(0, lambda offset: self._page(offset, what, seen), what):
            with readable(what):
                organization = str(row["namespace"])
                record = RepositoryRecord(
                    f"{organization}/{row['name']}",
                    description=str(row.get("description") or ""),
                    visibility="public" if row.get("is_public") else "private",
                    tag_count=amount(row.get("num_images")),
                    size=amount(row.get("size")),
                    created=str(row.get("created_at") or ""),
                )
            if not self.site.namespaces or organization in self.site.namespaces:
                yield record

    def _page(self, offset: int, what: str, seen: set[str]) -> Page[t.Any]:
        """A page, which begins after so many repositories. `seen`: the names on the pages before."""
        reply = self._api.ask("GET", "/repositories", {"filter": f"center::self|limit::{_PAGE}|offset::{offset}"}, what=what)
        with readable(what):
            rows = list(reply.document or [])
            names = {f"{row['namespace']}/{row['name']}" for row in rows}
            total = amount(rows[0].get("total_range")) if rows else -1
        if names & seen:
            raise InvalidAnswer(
                "sends the same repositories again in place of the next page.",
                subject=what,
                hint="Name the repositories in the rule (repositories: include: [team/app, ...]).",
            )
        seen |= names
        following = offset + len(rows)
        # more than was asked for is all that there is
        more = following < total if total > 0 else len(rows) == _PAGE
        return Page(rows, following if rows and more else None, total if total > 0 else -1)

    # -- what has to be there
    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        what = f"the organization {name}"
        reply = self._api.ask("GET", f"/namespaces/{quote(name, safe='')}", accept=(200, 403, 404), what=what)
        with readable(what):
            if reply.status == 200 and (reply.document or {}).get("name") == name:
                return Creation(self.container, name, "existing")
        if apply:
            made = self._api.ask("POST", "/namespaces", document={"namespace": name}, accept=(200, 201, 400, 403, 409), what=what)
            if made.status >= 400:
                raise self._refusal(what, made.document)
        return Creation(self.container, name, "created")

    def refused(self, repository: str, error: AccessDenied) -> MigrationError:
        """A push makes the organization that it needs; where it may not, SWR speaks of rights whatever the reason is."""
        organization = repository.partition("/")[0]
        what = f"the organizations of {self.site.host}"
        document = self._api.ask("GET", "/visible/namespaces", what=what).document
        with readable(what):
            names = [str(row["name"]) for row in document["namespaces"]]
        if organization in names or len(names) < _USUAL_QUOTA:
            return error
        return QuotaExceeded(
            f"{error.message} The organization {organization} does not exist, and there are {len(names)} already: the quota is used up.",
            subject=error.subject,
            hint=_MORE_ORGANIZATIONS,
        )

    def _refusal(self, what: str, document: t.Any) -> MigrationError:
        said = _words(document)
        if any(word in said.lower() for word in _QUOTA):
            return QuotaExceeded(
                f"cannot be created: the quota of organizations is used up{_quoted(said)}.", subject=what, hint=_MORE_ORGANIZATIONS
            )
        return AccessDenied(
            f"cannot be created{_quoted(said)}.",
            subject=what,
            hint="Its name may be taken in this region, where names are unique; or grant this user the right to create it.",
        )

    # -- who we are
    def credential(self) -> Credential | None:
        """The long-term login: `<project>@<AK>`, and the HMAC of the AK with the SK."""
        keys = self.site.swr
        if not keys:
            return None
        access_key = str(keys["access_key"])
        password = hmac.new(str(keys["secret_key"]).encode(), access_key.encode(), hashlib.sha256).hexdigest()
        self.site.on_secret(password)
        return Credential(f"{keys['project']}@{access_key}", password)


def _words(document: t.Any) -> str:
    """What a refusal says, in one line."""
    rows = document.get("errors") if isinstance(document, dict) else None
    found = [row for row in (rows if isinstance(rows, list) else [document]) if isinstance(row, dict)]
    names = ("errorMessage", "error_msg", "message", "errorCode", "error_code", "code")
    texts = [next((str(row[name]) for name in names if row.get(name)), "") for row in found]
    line = " ".join("".join(char if char.isprintable() else " " for char in "; ".join(filter(None, texts))).split())
    return line[:200]


def _quoted(said: str) -> str:
    return f" ({said.rstrip('.')})" if said else ""

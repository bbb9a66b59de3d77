# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of SWR: organizations with a quota, the lists below /dockyard/v2, and logins that follow from access keys."""

from __future__ import annotations

import hashlib
import hmac
import typing as t

from estate.holdings import Holdings
from estate.opaque_tokens import OpaqueTokens, challenge, needed_for
from estate.product import Answer, Asked, ProductDouble, error

if t.TYPE_CHECKING:
    from estate.registry import Registry

_WHEN = "2026-01-01T00:00:00Z"


class SoftwareRepositoryDouble(ProductDouble):
    """SWR of one region. `keys`: secret keys by access key, all of one project; `taken`: organizations of other tenants.

    `quota`: how many organizations there can be. `pages`: whether its list comes in pages; `closed`: whether it is refused.
    """

    def __init__(self, behind: Registry, project: str, keys: t.Mapping[str, str], organizations: t.Iterable[str] = ()) -> None:
        super().__init__(behind)
        self._holdings = Holdings(behind)
        self.users = {
            f"{project}@{access}": hmac.new(secret.encode(), access.encode(), hashlib.sha256).hexdigest() for access, secret in keys.items()
        }
        self.organizations = list(organizations)
        self.taken: set[str] = set()
        self.quota = 5
        self.most = 100
        self.pages = True
        self.closed = False
        #: whether manifests of OCI are taken: SWR refuses them, but for some regions
        self.takes_oci = True
        self.tokens = OpaqueTokens()
        self.route("GET", "/swr/auth/v2/registry/auth", self._token)
        self.route("GET", "/dockyard/v2/repositories", self._list)
        self.route("GET", "/dockyard/v2/visible/namespaces", self._visible)
        self.route("GET", "/dockyard/v2/namespaces/([^/]+)", self._organization)
        self.route("POST", "/dockyard/v2/namespaces", self._create)

    def _knows(self, asked: Asked) -> bool:
        user, password = asked.basic
        return bool(user) and self.users.get(user) == password

    def _token(self, asked: Asked) -> Answer:
        if not self._knows(asked):
            return error(401, "UNAUTHORIZED", "Authenticate Error")
        return Answer(200, {"token": self.tokens.give(value for name, value in asked.parameters if name == "scope")})

    def _refusal(self, asked: Asked) -> Answer | None:
        if not self._knows(asked):
            return _failure(401, "SVCSTG.SWR.4010000", "Authenticate Error")
        return _failure(403, "SVCSTG.SWR.4030000", "no permission") if self.closed else None

    def _list(self, asked: Asked) -> Answer:
        refusal = self._refusal(asked)
        if refusal:
            return refusal
        filters = dict(part.split("::") for part in asked.query.get("filter", "").split("|"))
        names = [name for name in self._holdings.repositories() if name.partition("/")[0] in self.organizations]
        rows = [self._row(name, len(names)) for name in names]
        offset, limit = int(filters.get("offset", "0")), min(int(filters.get("limit", "100")), self.most)
        return Answer(200, rows[offset : offset + limit] if self.pages else rows[:limit])

    def _row(self, name: str, total: int) -> dict[str, t.Any]:
        organization, _slash, image = name.partition("/")
        tags = self._holdings.tags(name)
        return {
            "name": image,
            "namespace": organization,
            "category": "app_server",
            "description": f"what {name} is for",
            "size": 1024,
            "is_public": False,
            "num_images": len(tags),
            "num_download": 0,
            "created_at": _WHEN,
            "updated_at": _WHEN,
            "path": f"{self.host}/{name}",
            "domain_name": "tenant",
            "tags": tags,
            "status": False,
            "total_range": total,
        }

    def _visible(self, asked: Asked) -> Answer:
        rows = [{"id": number, "name": name, "creator_name": "tenant"} for number, name in enumerate(self.organizations, 1)]
        return self._refusal(asked) or Answer(200, {"namespaces": rows})

    def _organization(self, asked: Asked, name: str) -> Answer:
        if not self._knows(asked):
            return _failure(401, "SVCSTG.SWR.4010000", "Authenticate Error")
        if name not in self.organizations:
            return _failure(404, "SVCSTG.SWR.4040001", "namespace does not exist")
        return Answer(200, {"id": 1, "name": name, "creator_name": "tenant", "auth": 7})

    def _create(self, asked: Asked) -> Answer:
        if not self._knows(asked):
            return _failure(401, "SVCSTG.SWR.4010000", "Authenticate Error")
        name = asked.document["namespace"]
        if name in self.taken or name in self.organizations:
            return _failure(409, "SVCSTG.SWR.4090001", "namespace already exists")
        if len(self.organizations) >= self.quota:
            return _failure(403, "SVCSTG.SWR.4030002", "namespace quota exceeded")
        self.organizations.append(name)
        return Answer(201)

    def registry(self, asked: Asked) -> Answer | None:
        """Tokens everywhere; a push creates its organization, or is refused without a word of the reason."""
        needed = needed_for(asked)
        if not self.tokens.covers(asked.bearer, needed):
            return challenge(f"{self.url}/swr/auth/v2/registry/auth", "dockyard", needed)
        organization = needed.split(":")[1].partition("/")[0] if needed.endswith(":push") else ""
        if organization and organization not in self.organizations:
            if organization in self.taken or len(self.organizations) >= self.quota:
                return error(403, "DENIED", "you do not have the permission")
            self.organizations.append(organization)
        is_oci = asked.headers.get("content-type", "").startswith("application/vnd.oci.")
        if asked.method == "PUT" and "/manifests/" in asked.path and is_oci and not self.takes_oci:
            return error(400, "MANIFEST_INVALID", "Invalid image, fail to parse 'manifest.json'")
        return None


def _failure(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"errors": [{"errorCode": code, "errorMessage": message}]})

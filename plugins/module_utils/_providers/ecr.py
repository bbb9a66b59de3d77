# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Amazon ECR: lists through the API of AWS, a thousand on a page; each repository has to exist before a push; a password of 12 hours.

Who gives a user name and a password (or has them in the files of docker or podman) and no option `aws` is believed to want nothing
of the API: then lists are those of the registry, and boto3 is not needed.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import re
import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    CatalogForbidden,
    InvalidAnswer,
    LibraryMissing,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.aws import AWS
from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr_repositories import (
    SETTINGS,
    Found,
    Repositories,
    in_all_states,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, RepositoryRecord, TagRecord

#: account, service, region, and the domain of each partition
_HOST = re.compile(r"([0-9]{12})\.dkr([.-])ecr(-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+")
#: seconds; a password is asked for anew so long before it runs out, and never earlier than after this time
_RENEW_BEFORE, _SHORTEST_LIFE = 900.0, 60.0
NOT_LIVE = "a double of moto and docker-registry, and botocore's own model of the API; not exercised against the live service"


@dataclasses.dataclass(frozen=True)
class Place:
    """What a registry's host name tells: the account, the region, and which endpoints of the API go with it; empty where nothing."""

    account: str = ""
    region: str = ""
    fips: bool = False
    dualstack: bool = False


def place_of(host: str) -> Place:
    """The place of a registry, in any partition of AWS; an empty one for other names, such as that of a proxy."""
    match = _HOST.fullmatch(host.partition(":")[0].lower().rstrip("."))
    if match is None:
        return Place()
    account, separator, fips, region = match.groups()
    return Place(account, region, bool(fips), separator == "-")


class Passwords:
    """The passwords that AWS hands out for a registry: one at a time, for all workers."""

    def __init__(self, fetch: t.Callable[[], t.Mapping[str, t.Any]], on_secret: t.Callable[[str], None]) -> None:
        """`fetch` asks for one, and gives what the API calls authorizationData."""
        self._fetch = fetch
        self._on_secret = on_secret
        self._lock = threading.Lock()
        self._current: Credential | None = None

    def get(self, refused: Credential | None = None) -> Credential:
        """The password that holds now, asked for if there is none; another one in place of one that was refused."""
        with self._lock:
            current = self._current
            if current is None or current == refused or time.time() >= current.use_until:
                current = self._current = self._read(self._fetch())
            return current

    def _read(self, data: t.Mapping[str, t.Any]) -> Credential:
        try:
            user, colon, password = base64.b64decode(data["authorizationToken"], validate=True).decode("utf-8").partition(":")
        except (KeyError, ValueError, binascii.Error) as error:
            raise InvalidAnswer("the authorization token of AWS is not in its usual form.", subject="GetAuthorizationToken") from error
        if not colon:
            raise InvalidAnswer("the authorization token of AWS has no password.", subject="GetAuthorizationToken")
        self._on_secret(password)
        ends = data.get("expiresAt")
        moment = ends.timestamp() if isinstance(ends, datetime.datetime) else 0.0
        return Credential(user, password, use_until=max(moment - _RENEW_BEFORE, time.time() + _SHORTEST_LIFE))


class ECR(Provider):
    """One private registry of Amazon ECR: that of an account in a region."""

    container = "repository"
    settings = SETTINGS
    lists_digests = True
    lists_with = "DescribeRepositories and DescribeImages, 1,000 on a page"
    tested = NOT_LIVE
    #: the API, by the name that boto3 has for it
    service: t.ClassVar[str] = "ecr"

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        place = place_of(site.host)
        prefix = f"{site.option}.aws." if site.option else "aws."
        self.aws = AWS(site.aws, prefix, place.region, fips=place.fips, dualstack=place.dualstack, proxy=site.proxy)
        self._registry = {"registryId": place.account} if place.account else {}
        self._repositories = Repositories(self.aws, place.account)
        self._passwords = Passwords(self._authorization, site.on_secret)
        self._known: dict[str, Found] | None = None
        self._changed: set[str] = set()
        self._knows_all = False
        self._lock = threading.Lock()

    @property
    def uses_api(self) -> bool:
        """Whether the API of AWS is to be used at all."""
        return bool(self.site.aws) or self.site.credential() is None

    # -- who we are
    def credential(self) -> Credential | None:
        return self._passwords.get() if self.uses_api else None

    def renew(self, refused: Credential) -> Credential | None:
        return self._passwords.get(refused) if self.uses_api else None

    def _authorization(self) -> t.Mapping[str, t.Any]:
        found = self.aws.ask("ecr", "get_authorization_token", self.site.host).get("authorizationData") or [{}]
        return dict(found[0])

    # -- what is there
    def repositories(self) -> t.Iterator[RepositoryRecord]:
        if not self.uses_api:
            raise CatalogForbidden(
                "does not list its repositories.",
                subject=self.site.host,
                hint="Give aws in place of username and password, or name repositories in the rule (repositories: include: [team/app]).",
            )
        for found in self._repositories.all():
            yield RepositoryRecord(
                str(found["repositoryName"]),
                visibility="private",
                immutable=str(found.get("imageTagMutability") or "").startswith("IMMUTABLE"),
                created=moment_of(found.get("createdAt")),
            )

    def tags(self, repository: str) -> list[TagRecord] | None:
        if not self.uses_api:
            return None
        chosen = {"tagStatus": "TAGGED", **in_all_states(self.aws)}
        what = f"{self.site.host}/{repository}"
        images = self.aws.pages("ecr", "describe_images", "imageDetails", what, repositoryName=repository, filter=chosen, **self._registry)
        return [tag_record(tag, image) for image in images for tag in image.get("imageTags") or ()]

    # -- what has to be there
    def containers(self, repositories: t.Iterable[str]) -> list[str]:
        return list(dict.fromkeys(repositories))

    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        known, all_of_them = self._described()
        # what was changed since the list was read is looked at again
        creation = self._repositories.ensure(name, wanted, apply, known.pop(name, None), look=not all_of_them or name in self._changed)
        self._changed.add(name)
        return creation

    def _described(self) -> tuple[dict[str, Found], bool]:
        """All repositories, listed once, and whether these are all: whoever may not list them has to ask for each."""
        with self._lock:
            if self._known is None:
                try:
                    self._known = {found["repositoryName"]: found for found in self._repositories.all()}
                    self._knows_all = True
                except AccessDenied:
                    self._known = {}
                except (AuthenticationFailed, LibraryMissing) as error:
                    if not self.uses_api:
                        # pushes do without the API, and only this asks for it
                        error.hint += " Where all repositories exist, set registry_create_repositories to false."
                    raise
            return self._known, self._knows_all

    # -- while copying
    def present(self, repository: str, digests: t.Sequence[str]) -> set[str] | None:
        if not self.uses_api:
            return None
        answer = self.aws.ask(
            self.service,
            "batch_check_layer_availability",
            f"{self.site.host}/{repository}",
            repositoryName=self.name_in_registry(repository),
            layerDigests=list(digests),
            **self._registry,
        )
        return {layer["layerDigest"] for layer in answer.get("layers") or () if layer.get("layerAvailability") == "AVAILABLE"}

    def name_in_registry(self, repository: str) -> str:
        """What the API calls a repository."""
        return repository


def tag_record(tag: str, image: t.Mapping[str, t.Any]) -> TagRecord:
    """A tag, out of what the API tells of its image."""
    size = image.get("imageSizeInBytes")
    return TagRecord(
        tag,
        str(image.get("imageDigest") or ""),
        str(image.get("imageManifestMediaType") or ""),
        -1 if size is None else int(size),
        moment_of(image.get("imagePushedAt")),
        archived=image.get("imageStatus", "ACTIVE") != "ACTIVE",
    )


def moment_of(value: t.Any) -> str:
    """A moment in ISO 8601; empty where there is none."""
    return value.isoformat() if isinstance(value, datetime.datetime) else ""

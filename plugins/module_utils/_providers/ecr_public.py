# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Amazon ECR Public: `public.ecr.aws/<alias>/<repository>`. The API, which is in one region, lists what is the account's own.

Whatever else is public is read without it, and without signing in.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    CatalogForbidden,
    InvalidOption,
    LibraryMissing,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr import ECR, moment_of, tag_record
from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr_repositories import canonical, document_of, tag_list
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Settings, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import PROFILES, Profile, check_name
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation, RepositoryRecord, TagRecord

_MISSING = ("RepositoryNotFoundException",)
#: settings that are the catalogue's, and what the API calls them
_CATALOGUE = {
    "description": "description",
    "about": "aboutText",
    "usage": "usageText",
    "architectures": "architectures",
    "operating_systems": "operatingSystems",
}


class ECRPublic(ECR):
    """The public registry of an account, as far as it is its own, and all the others, as far as they are public."""

    service = "ecr-public"
    settings: t.ClassVar[t.Mapping[str, str]] = {
        "description": "a line for the gallery",
        "about": "what it is, in Markdown",
        "usage": "how it is used, in Markdown",
        "architectures": "what the gallery says of architectures, such as x86-64 and ARM 64",
        "operating_systems": "what the gallery says of operating systems, such as Linux",
        "repository_policy": "who may push; an empty one takes it away",
        "tags": "resource tags, by their names; only when it is created",
    }
    lists_with = "DescribeRepositories and DescribeImageTags of one's own registry, 1,000 on a page"
    tested = "botocore's own model of the API; not exercised against the live service"

    def __init__(self, site: Site, profile: Profile) -> None:
        super().__init__(site, profile)
        self._registry = {}
        self._aliases: set[str] | None = None
        self._anonymous = False

    # -- who we are
    @property
    def uses_api(self) -> bool:
        return not self._anonymous and super().uses_api

    def credential(self) -> Credential | None:
        if not self.uses_api:
            return None
        try:
            return self._passwords.get()
        except (AccessDenied, AuthenticationFailed, LibraryMissing):
            if self.site.aws:
                raise
            # everybody may read
            self._anonymous = True
            return None

    def _authorization(self) -> t.Mapping[str, t.Any]:
        return dict(self.aws.ask("ecr-public", "get_authorization_token", self.site.host).get("authorizationData") or {})

    # -- what is there
    def aliases(self) -> set[str]:
        """The names of one's own registry."""
        with self._lock:
            if self._aliases is None:
                registries = self.aws.pages("ecr-public", "describe_registries", "registries", f"the registry at {self.site.host}")
                self._aliases = {alias["name"] for registry in registries for alias in registry.get("aliases") or ()}
            return self._aliases

    def repositories(self) -> t.Iterator[RepositoryRecord]:
        if not self.uses_api:
            raise CatalogForbidden(
                "lists nobody's repositories but one's own, through the API of AWS.",
                subject=self.site.host,
                hint="Give aws, or name the repositories in the rule (repositories: include: [alias/app]).",
            )
        for found in self.aws.pages("ecr-public", "describe_repositories", "repositories", f"the repositories of {self.site.host}"):
            name = str(found["repositoryUri"]).partition("/")[2]
            yield RepositoryRecord(name, visibility="public", immutable=False, created=moment_of(found.get("createdAt")))

    def tags(self, repository: str) -> list[TagRecord] | None:
        if not self.uses_api or repository.partition("/")[0] not in self.aliases():
            return None
        name, what = self.name_in_registry(repository), f"{self.site.host}/{repository}"
        details = self.aws.pages("ecr-public", "describe_image_tags", "imageTagDetails", what, repositoryName=name)
        return [tag_record(detail["imageTag"], detail.get("imageDetail") or {}) for detail in details]

    def present(self, repository: str, digests: t.Sequence[str]) -> set[str] | None:
        if not self.uses_api or repository.partition("/")[0] not in self.aliases():
            return None
        return super().present(repository, digests)

    def name_in_registry(self, repository: str) -> str:
        return repository.partition("/")[2]

    # -- what has to be there
    def ensure(self, name: str, wanted: Settings, apply: bool) -> Creation:
        check_name(PROFILES["ecr_public"], name)
        if name.partition("/")[0] not in self.aliases():
            raise InvalidOption(
                f"{name.partition('/')[0]} is none of your registry's names, which are {', '.join(sorted(self.aliases())) or 'none'}.",
                subject=name,
                hint="Set mapping.prefix to one of them, or use the account that has it.",
            )
        settings = {setting: value for setting, value in wanted.items() if value is not None}
        unknown = sorted(settings.keys() - self.settings.keys())
        if unknown:
            hint = f"These are known: {', '.join(self.settings)}."
            raise InvalidOption("is no setting of a repository of Amazon ECR Public.", subject=unknown[0], hint=hint)
        if "repository_policy" in settings:
            settings["repository_policy"] = document_of(settings["repository_policy"], "repository_policy")
        image = self.name_in_registry(name)
        there = self._ask("describe_repositories", name, _MISSING, repositoryNames=[image])
        if not there:
            if apply:
                self._create(image, settings)
            return Creation(self.container, name, "created", {setting: (None, value) for setting, value in settings.items()})
        differences = self._differences(image, settings)
        if apply and differences:
            self._change(image, {setting: after for setting, (_before, after) in differences.items()})
        return Creation(self.container, name, "changed" if differences else "existing", differences)

    def _differences(self, image: str, settings: Settings) -> dict[str, tuple[t.Any, t.Any]]:
        has: dict[str, t.Any] = {}
        if settings.keys() & _CATALOGUE.keys():
            answer = self._ask("get_repository_catalog_data", image, ("RepositoryCatalogDataNotFoundException",), repositoryName=image)
            data = (answer or {}).get("catalogData") or {}
            has.update({setting: data.get(key) for setting, key in _CATALOGUE.items()})
        if "repository_policy" in settings:
            answer = self._ask("get_repository_policy", image, ("RepositoryPolicyNotFoundException",), repositoryName=image)
            has["repository_policy"] = document_of(answer["policyText"] if answer else {}, "repository_policy")
        return {
            setting: (value, settings[setting])
            for setting, value in has.items()
            if setting in settings and canonical(value or None) != canonical(settings[setting] or None)
        }

    def _create(self, image: str, settings: Settings) -> None:
        data = {_CATALOGUE[setting]: value for setting, value in settings.items() if setting in _CATALOGUE}
        tags = tag_list(settings.get("tags") or {})
        self._ask(
            "create_repository",
            image,
            ("RepositoryAlreadyExistsException",),
            repositoryName=image,
            catalogData=data or None,
            tags=tags or None,
        )
        if settings.get("repository_policy"):
            self._change(image, {"repository_policy": settings["repository_policy"]})

    def _change(self, image: str, after: Settings) -> None:
        if after.keys() & _CATALOGUE.keys():
            # what is left out of it would be taken away
            answer = self._ask("get_repository_catalog_data", image, ("RepositoryCatalogDataNotFoundException",), repositoryName=image)
            has = (answer or {}).get("catalogData") or {}
            kept = {key: has[key] for key in _CATALOGUE.values() if has.get(key)}
            data = {**kept, **{_CATALOGUE[setting]: value for setting, value in after.items() if setting in _CATALOGUE}}
            self._ask("put_repository_catalog_data", image, repositoryName=image, catalogData=data)
        if after.get("repository_policy"):
            self._ask("set_repository_policy", image, repositoryName=image, policyText=json.dumps(after["repository_policy"]))
        elif "repository_policy" in after:
            self._ask("delete_repository_policy", image, ("RepositoryPolicyNotFoundException",), repositoryName=image)

    def _ask(self, operation: str, what: str, missing: t.Collection[str] = (), **parameters: t.Any) -> t.Any:
        return self.aws.ask("ecr-public", operation, what, missing, **parameters)

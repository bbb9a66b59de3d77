# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""Repositories of Amazon ECR as they are wanted: compared, created, changed and deleted.

Settings that are None, or left out, are not looked at. Documents (policies) are compared by what they say, not by how they are
written. What a repository is encrypted with cannot be changed: a difference there is a drift, and nothing else is changed then.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._providers.aws import AWS
from ansible_collections.registryops.migration.plugins.module_utils._providers.forms import is_true
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import PROFILES, check_name
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation

Settings = t.Mapping[str, t.Any]
Found = dict[str, t.Any]

KIND = "repository"
#: what `Repositories.ensure` takes
SETTINGS: t.Mapping[str, str] = {
    "mutability": "whether tags can be moved: MUTABLE or IMMUTABLE",
    "mutability_exclusions": "up to five patterns of tags (with *) for which the opposite holds",
    "scan_on_push": "whether images are scanned when they are pushed (yes or no)",
    "encryption": "AES256, KMS or KMS_DSSE; only when it is created",
    "kms_key": "the key's ARN, id or alias; only when it is created",
    "lifecycle_policy": "the lifecycle policy; an empty one takes it away",
    "repository_policy": "who may do what with the repository; an empty one takes it away",
    "tags": "resource tags, by their names",
    "purge_tags": "whether other resource tags are taken away (yes or no)",
}
_EXCLUSION = re.compile(r"[0-9a-zA-Z._*-]{1,128}")
MOST_EXCLUSIONS = 5
_SUFFIX = "_WITH_EXCLUSION"


@dataclasses.dataclass(frozen=True)
class Removal:
    """What became of a repository that is not wanted: whether it was there, and what it was."""

    was_there: bool
    found: Found


class Repositories:
    """The repositories of one private registry; `registry_id` is the account's, empty for that of whoever asks."""

    def __init__(self, aws: AWS, registry_id: str = "") -> None:
        self._aws = aws
        self._registry = {"registryId": registry_id} if registry_id else {}

    # -- looking
    def all(self) -> t.Iterator[Found]:
        """All repositories, as the API describes them."""
        return self._aws.pages("ecr", "describe_repositories", "repositories", "the repositories of the registry", **self._registry)

    def look(self, name: str) -> Found | None:
        """One repository as the API describes it; None where there is none of that name."""
        answer = self._aws.ask(
            "ecr", "describe_repositories", name, ("RepositoryNotFoundException",), repositoryNames=[name], **self._registry
        )
        repositories = (answer or {}).get("repositories") or []
        return repositories[0] if repositories else None

    def settings(self, found: Found, names: t.Collection[str]) -> dict[str, t.Any]:
        """The settings of these names that a repository has. Policies and tags cost a request each."""
        name = found["repositoryName"]
        encryption = found.get("encryptionConfiguration") or {}
        has: dict[str, t.Any] = {
            "mutability": str(found.get("imageTagMutability") or "MUTABLE").replace(_SUFFIX, ""),
            "mutability_exclusions": sorted(one["filter"] for one in found.get("imageTagMutabilityExclusionFilters") or ()),
            "scan_on_push": bool((found.get("imageScanningConfiguration") or {}).get("scanOnPush")),
            "encryption": encryption.get("encryptionType", "AES256"),
            "kms_key": encryption.get("kmsKey", ""),
        }
        if "lifecycle_policy" in names:
            answer = self._ask("get_lifecycle_policy", name, ("LifecyclePolicyNotFoundException",))
            has["lifecycle_policy"] = json.loads(answer["lifecyclePolicyText"]) if answer else {}
        if "repository_policy" in names:
            answer = self._ask("get_repository_policy", name, ("RepositoryPolicyNotFoundException",))
            has["repository_policy"] = json.loads(answer["policyText"]) if answer else {}
        if "tags" in names:
            answer = self._aws.ask("ecr", "list_tags_for_resource", name, resourceArn=found["repositoryArn"])
            has["tags"] = {tag["Key"]: tag["Value"] for tag in answer.get("tags") or ()}
        return {setting: value for setting, value in has.items() if setting in names}

    # -- having it as it is wanted
    def ensure(self, name: str, wanted: Settings, apply: bool, found: Found | None = None, look: bool = True) -> Creation:
        """Have a repository exist with these settings (see SETTINGS). `apply`: False only looks.

        `found`: the repository, where it is known; `look`: ask for it where it is not.
        """
        check_name(PROFILES["ecr"], name)
        settings = checked(wanted)
        if found is None and look:
            found = self.look(name)
        if found is None and apply and not self._create(name, settings):
            # somebody else was faster
            found = self.look(name)
        if found is None:
            return Creation(KIND, name, "created", _created(settings))
        differences = self._differences(found, settings)
        drift = {setting: both for setting, both in differences.items() if setting in ("encryption", "kms_key")}
        if drift:
            return Creation(KIND, name, "drift", drift)
        if not differences:
            return Creation(KIND, name, "existing")
        if apply:
            self._change(name, settings, differences)
            if "tags" in differences:
                self._change_tags(name, found["repositoryArn"], *differences["tags"])
        return Creation(KIND, name, "changed", differences)

    def _differences(self, found: Found, settings: Settings) -> dict[str, tuple[t.Any, t.Any]]:
        """{setting: (what it is, what is wanted)} for all that differ."""
        has = self.settings(found, settings.keys())
        differences: dict[str, tuple[t.Any, t.Any]] = {}
        for setting, value in has.items():
            wanted = settings[setting]
            if setting == "tags":
                mine = {key: tag for key, tag in value.items() if not key.startswith("aws:")}
                wanted = wanted if settings.get("purge_tags") else {**mine, **wanted}
                value = mine
            if setting == "kms_key":
                same = self._is_key(value, wanted)
            else:
                same = canonical(value) == canonical(wanted)
            if not same:
                differences[setting] = (value, wanted)
        return differences

    def _is_key(self, arn: str, wanted: str) -> bool:
        """Whether a key's ARN is that of a key that may be given as ARN, id or alias."""
        if arn == wanted or arn.rpartition("/")[2] == wanted:
            return True
        if "alias/" not in wanted:
            return False
        answer = self._aws.ask("kms", "describe_key", f"the KMS key {wanted}", ("NotFoundException",), KeyId=wanted)
        return bool(answer) and answer["KeyMetadata"]["Arn"] == arn

    def _create(self, name: str, settings: Settings) -> bool:
        """Create a repository; False where there is one by now."""
        parameters: dict[str, t.Any] = {}
        if settings.get("tags"):
            parameters["tags"] = tag_list(settings["tags"])
        if "mutability" in settings:
            parameters.update(mutability_parameters(settings["mutability"], settings["mutability_exclusions"]))
        if "scan_on_push" in settings:
            parameters["imageScanningConfiguration"] = {"scanOnPush": settings["scan_on_push"]}
        if "encryption" in settings:
            parameters["encryptionConfiguration"] = encryption_parameters(settings["encryption"], settings.get("kms_key", ""))
        if self._ask("create_repository", name, ("RepositoryAlreadyExistsException",), **parameters) is None:
            return False
        # what a creation does not take
        self._change(name, settings, {setting for setting in ("lifecycle_policy", "repository_policy") if settings.get(setting)})
        return True

    def _change(self, name: str, settings: Settings, differing: t.Collection[str]) -> None:
        """Give a repository those of the settings that differ, all but encryption and tags."""
        if "mutability" in differing or "mutability_exclusions" in differing:
            parameters = mutability_parameters(settings["mutability"], settings["mutability_exclusions"])
            self._ask("put_image_tag_mutability", name, **parameters)
        if "scan_on_push" in differing:
            self._ask("put_image_scanning_configuration", name, imageScanningConfiguration={"scanOnPush": settings["scan_on_push"]})
        if "lifecycle_policy" in differing:
            if settings["lifecycle_policy"]:
                self._ask("put_lifecycle_policy", name, lifecyclePolicyText=json.dumps(settings["lifecycle_policy"]))
            else:
                self._ask("delete_lifecycle_policy", name, ("LifecyclePolicyNotFoundException",))
        if "repository_policy" in differing:
            if settings["repository_policy"]:
                self._ask("set_repository_policy", name, policyText=json.dumps(settings["repository_policy"]))
            else:
                self._ask("delete_repository_policy", name, ("RepositoryPolicyNotFoundException",))

    def _change_tags(self, name: str, arn: str, before: t.Mapping[str, str], after: t.Mapping[str, str]) -> None:
        gone = [key for key in before if key not in after]
        if gone:
            self._aws.ask("ecr", "untag_resource", name, resourceArn=arn, tagKeys=gone)
        new = {key: value for key, value in after.items() if before.get(key) != value}
        if new:
            self._aws.ask("ecr", "tag_resource", name, resourceArn=arn, tags=tag_list(new))

    def _ask(self, operation: str, name: str, missing: t.Collection[str] = (), **parameters: t.Any) -> t.Any:
        return self._aws.ask("ecr", operation, name, missing, repositoryName=name, **self._registry, **parameters)

    # -- having it gone
    def remove(self, name: str, force: bool, apply: bool) -> Removal:
        """Have a repository not exist. `force`: with its images. InvalidOption, naming `force`, where it has images."""
        found = self.look(name)
        if found is None:
            return Removal(False, {})
        if not force:
            chosen = in_all_states(self._aws) or None
            images = self._aws.ask("ecr", "describe_images", name, maxResults=1, repositoryName=name, filter=chosen, **self._registry)
            if images.get("imageDetails"):
                raise InvalidOption(
                    f"is not given, and the repository {name} has images.", subject="force", hint="Set it to have them deleted."
                )
        if apply:
            self._ask("delete_repository", name, ("RepositoryNotFoundException",), force=force)
        return Removal(True, found)


def in_all_states(aws: AWS) -> dict[str, str]:
    """What a list of images is filtered by: without it, what is archived is left out. Empty where boto3 does not know of such images."""
    return {"imageStatus": "ANY"} if aws.takes("ecr", "DescribeImagesFilter", "imageStatus") else {}


def checked(wanted: Settings) -> dict[str, t.Any]:
    """Settings as they can be compared, those that are None left out; InvalidOption, naming the setting, where one cannot be."""
    given = {setting: value for setting, value in wanted.items() if value is not None}
    unknown = sorted(given.keys() - SETTINGS.keys())
    if unknown:
        raise InvalidOption(
            "is no setting of a repository of Amazon ECR.", subject=unknown[0], hint=f"These are known: {', '.join(SETTINGS)}."
        )
    settings = dict(given)
    # a template gives texts
    settings.update({setting: is_true(given[setting], setting) for setting in ("scan_on_push", "purge_tags") if setting in given})
    if "mutability" in given:
        settings["mutability"] = _one_of(given["mutability"], ("MUTABLE", "IMMUTABLE"), "mutability")
        settings["mutability_exclusions"] = check_exclusions(given.get("mutability_exclusions") or ())
    elif given.get("mutability_exclusions"):
        raise InvalidOption("is missing.", subject="mutability", hint="Exclusions are from something: give mutability as well.")
    else:
        settings.pop("mutability_exclusions", None)
    if "encryption" in given:
        settings["encryption"] = _one_of(given["encryption"], ("AES256", "KMS", "KMS_DSSE"), "encryption")
    if given.get("kms_key"):
        if settings.get("encryption", "AES256") == "AES256":
            raise InvalidOption("needs encryption to be KMS or KMS_DSSE.", subject="kms_key", hint="Set encryption, or leave kms_key out.")
    else:
        settings.pop("kms_key", None)
    for setting in ("lifecycle_policy", "repository_policy"):
        if setting in given:
            settings[setting] = document_of(given[setting], setting)
    if not isinstance(given.get("kms_key", ""), str):
        raise InvalidOption("is no text.", subject="kms_key", hint="Give the key's ARN, id or alias.")
    if not isinstance(given.get("tags", {}), t.Mapping):
        raise InvalidOption("is no mapping.", subject="tags", hint="Write names and values, as in {team: app}.")
    if "tags" in given:
        settings["tags"] = {str(key): str(value) for key, value in given["tags"].items()}
    return settings


def check_exclusions(patterns: t.Any) -> list[str]:
    """Patterns of tags in their order; InvalidOption where AWS would not take them."""
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(pattern, str) for pattern in patterns):
        raise InvalidOption("is no list of texts.", subject="mutability_exclusions", hint='Write it as in ["latest", "dev-*"].')
    found = sorted(set(patterns))
    wrong = [pattern for pattern in found if not _EXCLUSION.fullmatch(pattern)]
    if wrong:
        raise InvalidOption(
            f"has {wrong[0][:130]!r}, which is no pattern of tags.",
            subject="mutability_exclusions",
            hint="Letters, digits, dots, dashes, underscores and *, at most 128 of them.",
        )
    if len(found) > MOST_EXCLUSIONS:
        hint = "Put some of them together with *."
        raise InvalidOption(f"has {len(found)} patterns, and {MOST_EXCLUSIONS} are possible.", subject="mutability_exclusions", hint=hint)
    return found


def document_of(given: t.Any, option: str) -> Found:
    """A policy that is given as a mapping or as its JSON; empty for none."""
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.strip() else {}
        except ValueError as error:
            raise InvalidOption(f"is no JSON: {error}.", subject=option, hint="Give a mapping, or its JSON.") from error
    if not isinstance(given, t.Mapping):
        raise InvalidOption("is no mapping.", subject=option, hint="Give a mapping, or its JSON.")
    return dict(given)


def canonical(value: t.Any) -> t.Any:
    """A value in the form in which it can be compared with what AWS makes of it.

    AWS gives a list of one as its only member and the other way round, lists in another order, and an account's id as its ARN.
    """
    if isinstance(value, t.Mapping):
        return {str(key): canonical(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        members = [canonical(one) for one in value]
        if len(members) == 1 and not isinstance(members[0], dict):
            return members[0]
        return sorted(members, key=lambda one: json.dumps(one, sort_keys=True))
    if isinstance(value, str):
        account = re.fullmatch(r"arn:aws[a-z-]*:iam::([0-9]{12}):root", value)
        return account.group(1) if account else value
    return value


def _created(settings: Settings) -> dict[str, tuple[t.Any, t.Any]]:
    """What a new repository is made with, as differences from nothing."""
    return {setting: (None, value) for setting, value in settings.items() if setting != "purge_tags" and value not in ("", [], {})}


def mutability_parameters(mutability: str, exclusions: t.Sequence[str]) -> dict[str, t.Any]:
    """The parameters by which the API knows them."""
    parameters: dict[str, t.Any] = {"imageTagMutability": mutability + (_SUFFIX if exclusions else "")}
    if exclusions:
        parameters["imageTagMutabilityExclusionFilters"] = [{"filterType": "WILDCARD", "filter": pattern} for pattern in exclusions]
    return parameters


def encryption_parameters(encryption: str, kms_key: str) -> dict[str, str]:
    """What the API takes as encryptionConfiguration."""
    return {"encryptionType": encryption, **({"kmsKey": kms_key} if kms_key else {})}


def tag_list(tags: t.Mapping[str, str]) -> list[dict[str, str]]:
    """Resource tags as the API takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _one_of(value: t.Any, values: t.Sequence[str], setting: str) -> str:
    chosen = str(value).upper()
    if chosen not in values:
        raise InvalidOption(f"is {str(value)[:60]!r}.", subject=setting, hint=f"Give one of {', '.join(values)}.")
    return chosen

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What holds for a whole private registry of Amazon ECR: mounting of blobs, creation templates, scanning, replication, its policy.

Each setting is read and compared on its own; what is None is not looked at.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption
from ansible_collections.registryops.migration.plugins.module_utils._providers.aws import AWS
from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr_repositories import (
    canonical,
    check_exclusions,
    document_of,
    encryption_parameters,
    mutability_parameters,
    tag_list,
)

Settings = t.Mapping[str, t.Any]
Differences = dict[str, tuple[t.Any, t.Any]]
#: makes one thing as it is wanted
Change = t.Callable[[], t.Any]

#: the account setting by which a push may mount a blob of another repository
_MOUNTING = "BLOB_MOUNTING"
_PREFIX = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*/?|ROOT")
_SUFFIX = "_WITH_EXCLUSION"


class RegistrySettings:
    """The settings of one registry: that of whoever asks, in one region."""

    def __init__(self, aws: AWS) -> None:
        self._aws = aws

    def _ask(self, operation: str, what: str, missing: t.Collection[str] = (), **parameters: t.Any) -> t.Any:
        return self._aws.ask("ecr", operation, what, missing, **parameters)

    def registry_id(self) -> str:
        """The account's id."""
        return str(self._ask("describe_registry", "the registry").get("registryId", ""))

    def ensure(self, wanted: Settings, apply: bool) -> Differences:
        """Have the registry as it is wanted; returns {setting: (before, after)} for what was not so. `apply`: False only looks.

        `wanted`: blob_mounting (yes or no), scanning ({type, rules: [{frequency, filters}]}), replication ([{destinations: [{region,
        registry_id}], prefixes, deletions}]), registry_policy (a document; empty for none), creation_templates ([{prefix, ...}]) and
        purge_creation_templates (whether others are taken away).
        """
        differences: Differences = {}
        steps: list[Change] = []
        # everything is looked at before anything is changed: what is wrong with one of them leaves all as they were
        for setting, compare in (
            ("blob_mounting", self._mounting),
            ("scanning", self._scanning),
            ("replication", self._replication),
            ("registry_policy", self._policy),
        ):
            if wanted.get(setting) is not None:
                before, after, change = compare(wanted[setting])
                if canonical(before) != canonical(after):
                    differences[setting] = (before, after)
                    steps.append(change)
        if wanted.get("creation_templates") is not None:
            before, after, changes = self._templates(wanted["creation_templates"], bool(wanted.get("purge_creation_templates")))
            if changes:
                differences["creation_templates"] = (before, after)
                steps += changes
        for change in steps if apply else ():
            change()
        return differences

    # -- one setting each: what it is, what it shall be, and how it becomes so
    def _mounting(self, wanted: bool) -> tuple[bool, bool, Change]:
        what = f"the account setting {_MOUNTING}"
        answer = self._ask("get_account_setting", what, name=_MOUNTING)
        value = "ENABLED" if wanted else "DISABLED"

        def change() -> None:
            self._ask("put_account_setting", what, name=_MOUNTING, value=value)

        return answer.get("value") == "ENABLED", bool(wanted), change

    def _scanning(self, wanted: Settings) -> tuple[t.Any, t.Any, Change]:
        what = "the registry's scanning configuration"
        found = self._ask("get_registry_scanning_configuration", what).get("scanningConfiguration") or {}
        before = {
            "type": found.get("scanType", "BASIC"),
            "rules": [
                {"frequency": rule["scanFrequency"], "filters": [one["filter"] for one in rule.get("repositoryFilters") or ()]}
                for rule in found.get("rules") or ()
            ],
        }
        after = {
            "type": wanted.get("type") or before["type"],
            "rules": before["rules"]
            if wanted.get("rules") is None
            else [{"frequency": rule["frequency"], "filters": list(rule["filters"])} for rule in wanted["rules"]],
        }

        def change() -> None:
            rules = [
                {
                    "scanFrequency": rule["frequency"],
                    "repositoryFilters": [{"filter": one, "filterType": "WILDCARD"} for one in rule["filters"]],
                }
                for rule in after["rules"]
            ]
            self._ask("put_registry_scanning_configuration", what, scanType=after["type"], rules=rules)

        return before, after, change

    def _replication(self, wanted: t.Sequence[Settings]) -> tuple[t.Any, t.Any, Change]:
        what = "the registry's replication"
        found = self._ask("describe_registry", what)
        own = str(found.get("registryId", ""))
        before = [_rule_of(rule) for rule in (found.get("replicationConfiguration") or {}).get("rules") or ()]
        after = [
            {
                "destinations": [{"region": one["region"], "registry_id": one.get("registry_id") or own} for one in rule["destinations"]],
                "prefixes": list(rule.get("prefixes") or ()),
                "deletions": bool(rule.get("deletions")),
            }
            for rule in wanted
        ]

        def change() -> None:
            self._ask(
                "put_replication_configuration", what, replicationConfiguration={"rules": [self._replication_rule(one) for one in after]}
            )

        return before, after, change

    def _replication_rule(self, rule: Settings) -> dict[str, t.Any]:
        found: dict[str, t.Any] = {
            "destinations": [{"region": one["region"], "registryId": one["registry_id"]} for one in rule["destinations"]]
        }
        if rule["prefixes"]:
            found["repositoryFilters"] = [{"filter": one, "filterType": "PREFIX_MATCH"} for one in rule["prefixes"]]
        # boto3 before 2026 does not know it
        if rule["deletions"]:
            if not self._aws.takes("ecr", "ReplicationRule", "deleteReplication"):
                raise InvalidOption("needs a newer boto3.", subject="replication[].deletions", hint="Update boto3, or leave it out.")
            found["deleteReplication"] = {"enabled": True}
        return found

    def _policy(self, wanted: t.Any) -> tuple[t.Any, t.Any, Change]:
        what, missing = "the registry's policy", ("RegistryPolicyNotFoundException",)
        answer = self._ask("get_registry_policy", what, missing)
        before = json.loads(answer["policyText"]) if answer else {}
        after = document_of(wanted, "registry_policy")

        def change() -> None:
            if after:
                self._ask("put_registry_policy", what, policyText=json.dumps(after))
            else:
                self._ask("delete_registry_policy", what, missing)

        return before, after, change

    # -- creation templates
    def _templates(self, wanted: t.Sequence[Settings], purge: bool) -> tuple[list[t.Any], list[t.Any], list[Change]]:
        there = self._aws.pages("ecr", "describe_repository_creation_templates", "repositoryCreationTemplates", "the creation templates")
        before = {template["prefix"]: _template_of(template) for template in there}
        after = {} if purge else dict(before)
        changes: list[Change] = []
        for number, given in enumerate(wanted):
            template = _checked_template(given, f"creation_templates[{number}]")
            prefix = template["prefix"]
            has = before.get(prefix)
            # what is not given stays as it is
            after[prefix] = {**(has or {}), **template}
            if after[prefix].get("encryption") == "AES256":
                # the key that it had before would be refused with it
                after[prefix]["kms_key"] = ""
            if has is None or canonical(has) != canonical(after[prefix]):
                changes.append(self._putting(after[prefix], has is None))
        changes += [self._deleting(prefix) for prefix in before if prefix not in after]
        return list(before.values()), list(after.values()), changes

    def _putting(self, template: Settings, new: bool) -> Change:
        operation = "create_repository_creation_template" if new else "update_repository_creation_template"
        return lambda: self._ask(operation, f"the creation template {template['prefix']}", **_template_parameters(template))

    def _deleting(self, prefix: str) -> Change:
        missing = ("TemplateNotFoundException",)
        what = f"the creation template {prefix}"
        return lambda: self._ask("delete_repository_creation_template", what, missing, prefix=prefix)


def _rule_of(rule: Settings) -> dict[str, t.Any]:
    return {
        "destinations": [{"region": one["region"], "registry_id": one["registryId"]} for one in rule.get("destinations") or ()],
        "prefixes": [one["filter"] for one in rule.get("repositoryFilters") or ()],
        "deletions": bool((rule.get("deleteReplication") or {}).get("enabled")),
    }


def _template_of(found: Settings) -> dict[str, t.Any]:
    """A creation template in the words of the options."""
    encryption = found.get("encryptionConfiguration") or {}
    return {
        "prefix": found["prefix"],
        "description": found.get("description") or "",
        "applied_for": sorted(found.get("appliedFor") or ()),
        "mutability": str(found.get("imageTagMutability") or "MUTABLE").replace(_SUFFIX, ""),
        "mutability_exclusions": sorted(one["filter"] for one in found.get("imageTagMutabilityExclusionFilters") or ()),
        "encryption": encryption.get("encryptionType") or "AES256",
        "kms_key": encryption.get("kmsKey") or "",
        "lifecycle_policy": document_of(found.get("lifecyclePolicy") or "", "lifecycle_policy"),
        "repository_policy": document_of(found.get("repositoryPolicy") or "", "repository_policy"),
        "tags": {tag["Key"]: tag["Value"] for tag in found.get("resourceTags") or ()},
        "custom_role_arn": found.get("customRoleArn") or "",
    }


def _checked_template(given: Settings, option: str) -> dict[str, t.Any]:
    """A template as it is wanted: what is not given is left out. InvalidOption, naming the suboption, where it cannot be."""
    template = {name: value for name, value in given.items() if value is not None}
    if not _PREFIX.fullmatch(str(template.get("prefix") or "")):
        raise InvalidOption(
            "is no prefix of repositories.",
            subject=f"{option}.prefix",
            hint="Write it as in team/app, or ROOT for all that have no other template.",
        )
    if not template.get("applied_for"):
        raise InvalidOption("is empty.", subject=f"{option}.applied_for", hint="For pushes, give CREATE_ON_PUSH.")
    template["applied_for"] = sorted(set(template["applied_for"]))
    if "mutability" in template:
        template["mutability_exclusions"] = check_exclusions(template.get("mutability_exclusions") or ())
    elif template.pop("mutability_exclusions", None):
        raise InvalidOption("is missing.", subject=f"{option}.mutability", hint="Exclusions are from something: give it as well.")
    if template.get("kms_key") and template.get("encryption", "AES256") == "AES256":
        raise InvalidOption("needs encryption to be KMS or KMS_DSSE.", subject=f"{option}.kms_key", hint="Set it, or leave kms_key out.")
    for name in ("lifecycle_policy", "repository_policy"):
        if name in template:
            template[name] = document_of(template[name], f"{option}.{name}")
    return template


def _template_parameters(template: Settings) -> dict[str, t.Any]:
    """A template as the API takes it."""
    parameters: dict[str, t.Any] = {"prefix": template["prefix"], "appliedFor": template["applied_for"]}
    if "description" in template:
        parameters["description"] = template["description"]
    if template.get("mutability"):
        parameters.update(mutability_parameters(template["mutability"], template.get("mutability_exclusions") or ()))
    if template.get("encryption"):
        parameters["encryptionConfiguration"] = encryption_parameters(template["encryption"], template.get("kms_key") or "")
    for name, key in (("lifecycle_policy", "lifecyclePolicy"), ("repository_policy", "repositoryPolicy")):
        if name in template:
            # an empty text takes it away
            parameters[key] = json.dumps(template[name]) if template[name] else ""
    if "tags" in template:
        parameters["resourceTags"] = tag_list(template["tags"])
    if template.get("custom_role_arn"):
        parameters["customRoleArn"] = template["custom_role_arn"]
    return parameters

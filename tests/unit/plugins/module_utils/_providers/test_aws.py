# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The APIs of AWS against botocore's own model of them: what is sent has to be what they take, what comes what they give."""

from __future__ import annotations

import base64
import datetime
import json
import sys
import threading
import time
import types

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci import errors
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._providers.aws import AWS
from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr import ECR, Passwords, place_of
from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr_public import ECRPublic
from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr_registry import RegistrySettings
from ansible_collections.registryops.migration.plugins.module_utils._providers.ecr_repositories import (
    Repositories,
    canonical,
    checked,
    document_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import PROFILES
from ansible_collections.registryops.migration.plugins.module_utils._providers.records import RepositoryRecord, TagRecord

ACCOUNT = "123456789012"
MOMENT = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
DIGEST = "sha256:" + "5" * 64
KEYS = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "secret", "region_name": "eu-central-1"}


class Stubs:
    """Clients of botocore whose answers are given beforehand; each request is checked against the model and what is expected."""

    def __init__(self, *services):
        boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
        from botocore.stub import Stubber

        self.clients = {service: boto3.client(service, **KEYS) for service in services}
        self.stubbers = {service: Stubber(client) for service, client in self.clients.items()}
        for stubber in self.stubbers.values():
            stubber.activate()

    def expect(self, operation, answer, parameters, service="ecr"):
        self.stubbers[service].add_response(operation, answer, parameters)

    def refuse(self, operation, code, service="ecr", status=400, message="so it is", parameters=None):
        self.stubbers[service].add_client_error(operation, code, message, status, expected_params=parameters)

    def done(self):
        for stubber in self.stubbers.values():
            stubber.assert_no_pending_responses()

    @property
    def aws(self):
        return AWS({"region": "eu-central-1"}, clients=self.clients)


@pytest.fixture
def stubs():
    made = Stubs("ecr", "ecr-public", "kms")
    yield made
    made.done()


def provider(stubs, kind, name, host, aws=None, credential=None):
    site = Site(
        host=host,
        default_base=f"https://{host}",
        client=None,
        credential=lambda: credential,
        make_api=None,
        on_secret=lambda secret: None,
        option="destination",
        aws={"region": "eu-central-1"} if aws is None else aws,
    )
    made = kind(site, PROFILES[name])
    made.aws._given = stubs.clients
    return made


# -- what the registry's name tells --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "region", "fips", "dualstack"),
    [
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com", "eu-central-1", False, False),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com:443", "eu-central-1", False, False),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", True, False),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", False, False),
        ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", False, False),
        ("123456789012.dkr-ecr.us-west-2.on.aws", "us-west-2", False, True),
    ],
)
def test_the_place_of_a_registry(host, region, fips, dualstack):
    place = place_of(host)
    assert (place.account, place.region, place.fips, place.dualstack) == (ACCOUNT, region, fips, dualstack)


@pytest.mark.parametrize("host", ["registry.example.com", "127.0.0.1:5000", "public.ecr.aws"])
def test_other_names_tell_nothing(host):
    assert place_of(host) == place_of("")


# -- who asks ------------------------------------------------------------------------------------------------------------------


def test_without_boto3_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(errors.LibraryMissing) as caught:
        AWS({}, "source.aws.").client("ecr")
    assert "boto3" in str(caught.value)
    assert caught.value.subject == "source.aws"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ExpiredTokenException", errors.AuthenticationFailed),
        ("UnrecognizedClientException", errors.AuthenticationFailed),
        ("AccessDeniedException", errors.AccessDenied),
        ("ThrottlingException", errors.TooManyRequests),
        ("LimitExceededException", errors.QuotaExceeded),
        ("KmsException", errors.AccessDenied),
        ("RepositoryNotFoundException", errors.RepositoryUnknown),
        ("InvalidParameterException", errors.InvalidOption),
        ("SomethingNew", errors.RegistryError),
    ],
)
def test_refusals_have_their_errors(stubs, code, kind):
    stubs.refuse("describe_repositories", code)
    with pytest.raises(kind) as caught:
        stubs.aws.ask("ecr", "describe_repositories", "team/app")
    assert caught.value.hint


def test_a_server_that_fails(stubs):
    stubs.refuse("describe_repositories", "ServerException", status=500)
    with pytest.raises(errors.ServerFailed):
        stubs.aws.ask("ecr", "describe_repositories", "team/app")


def test_what_the_model_does_not_take_is_a_wrong_option():
    pytest.importorskip("boto3", reason="boto3 is not installed")
    aws = AWS({"region": "eu-central-1", "access_key": "AKIAEXAMPLE", "secret_key": "secret"})
    with pytest.raises(errors.InvalidOption) as caught:
        aws.ask("ecr", "describe_repositories", "team/app", maxResults="many")
    assert caught.value.subject == "team/app"


class Session:
    """A session of boto3 whose roles live so many seconds, one after the other; `made`: the clients, with what they were given."""

    region_name = None
    meta = types.SimpleNamespace(endpoint_url="https://api.example.com")

    def __init__(self, *lives):
        self.lives = list(lives)
        self.made = []

    def __call__(self, profile_name=None):
        return self

    def client(self, service, **given):
        self.made.append((service, given))
        return self

    def assume_role(self, **_asked):
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.lives.pop(0))
        return {"Credentials": {"AccessKeyId": "id", "SecretAccessKey": "key", "SessionToken": "token", "Expiration": ends}}


def test_the_keys_of_a_role_that_run_out_first_count(monkeypatch):
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    session = Session(1000, 4000, 4000)
    monkeypatch.setattr(boto3, "Session", session)
    aws = AWS({"region": "eu-central-1", "role_arn": "arn:aws:iam::123456789012:role/mover"})
    for service in ("ecr", "kms", "ecr"):
        aws.client(service)
    assert [service for service, _given in session.made] == ["sts", "ecr", "sts", "kms"]
    later = time.time() + 800
    monkeypatch.setattr(time, "time", lambda: later)
    aws.client("ecr")
    aws.client("ecr")
    assert [service for service, _given in session.made[4:]] == ["sts", "ecr"]


def test_all_certificates_are_checked_with_the_file_that_is_given(monkeypatch):
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    session = Session(4000)
    monkeypatch.setattr(boto3, "Session", session)
    AWS({"region": "eu-central-1", "role_arn": "arn:aws:iam::123456789012:role/mover", "ca_bundle": "/etc/ca.pem"}).client("ecr")
    assert {service: given["verify"] for service, given in session.made} == {"sts": "/etc/ca.pem", "ecr": "/etc/ca.pem"}


def authorization(password, ends):
    token = base64.b64encode(f"AWS:{password}".encode()).decode()
    return {"authorizationToken": token, "expiresAt": ends}


def test_one_password_is_asked_for_by_all_workers():
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=12)
    asked, secrets = [], []

    def fetch():
        asked.append(1)
        return authorization(f"password {len(asked)}", ends)

    passwords = Passwords(fetch, secrets.append)
    first = passwords.get()
    assert first == passwords.get()
    assert first.username == "AWS"
    assert ends.timestamp() - 1000 < first.use_until < ends.timestamp()
    # all of them were refused with the same one
    found = []
    threads = [threading.Thread(target=lambda: found.append(passwords.get(first))) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 2
    assert {one.password for one in found} == {"password 2"}
    assert secrets == ["password 1", "password 2"]


def test_a_password_that_is_said_to_have_run_out_is_not_asked_for_in_a_circle():
    asked = []

    def fetch():
        asked.append(1)
        return authorization("one", datetime.datetime(2015, 1, 1, tzinfo=datetime.UTC))

    passwords = Passwords(fetch, lambda secret: None)
    for _number in range(5):
        passwords.get()
    assert asked == [1]


def test_a_token_that_is_none():
    with pytest.raises(errors.InvalidAnswer):
        Passwords(dict, lambda secret: None).get()


# -- private registries --------------------------------------------------------------------------------------------------------


def test_repositories_and_tags_have_pages(stubs):
    ecr = provider(stubs, ECR, "ecr", f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com")
    first = {"repositoryName": "team/one", "imageTagMutability": "IMMUTABLE", "createdAt": MOMENT}
    asked = {"maxResults": 1000, "registryId": ACCOUNT}
    stubs.expect("describe_repositories", {"repositories": [first], "nextToken": "more"}, asked)
    stubs.expect("describe_repositories", {"repositories": [{"repositoryName": "two"}]}, {**asked, "nextToken": "more"})
    assert list(ecr.repositories()) == [
        RepositoryRecord("team/one", visibility="private", immutable=True, created=MOMENT.isoformat()),
        RepositoryRecord("two", visibility="private", immutable=False),
    ]
    image = {
        "imageDigest": DIGEST,
        "imageTags": ["1", "2"],
        "imageSizeInBytes": 7,
        "imagePushedAt": MOMENT,
        "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
        "imageStatus": "ARCHIVED",
    }
    asked = {**asked, "repositoryName": "team/one", "filter": {"tagStatus": "TAGGED", "imageStatus": "ANY"}}
    stubs.expect("describe_images", {"imageDetails": [image], "nextToken": "more"}, asked)
    stubs.expect("describe_images", {"imageDetails": []}, {**asked, "nextToken": "more"})
    assert ecr.tags("team/one") == [
        TagRecord(tag, DIGEST, image["imageManifestMediaType"], 7, MOMENT.isoformat(), archived=True) for tag in ("1", "2")
    ]


def test_pages_that_go_round_in_a_circle(stubs):
    ecr = provider(stubs, ECR, "ecr", "registry.example.com")
    for asked in ({}, {"nextToken": "again"}):
        stubs.expect(
            "describe_repositories", {"repositories": [{"repositoryName": "one"}], "nextToken": "again"}, {"maxResults": 1000, **asked}
        )
    with pytest.raises(errors.InvalidAnswer):
        list(ecr.repositories())


def test_layers_are_asked_for_at_once(stubs):
    ecr = provider(stubs, ECR, "ecr", "registry.example.com")
    others = ["sha256:" + "6" * 64, "sha256:" + "7" * 64]
    layers = [{"layerDigest": DIGEST, "layerAvailability": "AVAILABLE"}, {"layerDigest": others[0], "layerAvailability": "ARCHIVED"}]
    failures = [{"layerDigest": others[1], "failureCode": "MissingLayerDigest"}]
    asked = {"repositoryName": "team/app", "layerDigests": [DIGEST, *others]}
    stubs.expect("batch_check_layer_availability", {"layers": layers, "failures": failures}, asked)
    assert ecr.present("team/app", [DIGEST, *others]) == {DIGEST}


def test_a_credential_of_ones_own_does_without_the_api(stubs):
    ecr = provider(stubs, ECR, "ecr", "registry.example.com", aws={}, credential=Credential("AWS", "password"))
    assert ecr.credential() is None
    assert ecr.renew(Credential("AWS", "password")) is None
    assert ecr.tags("team/app") is None
    assert ecr.present("team/app", [DIGEST]) is None
    with pytest.raises(errors.CatalogForbidden):
        list(ecr.repositories())


def described(name, **more):
    arn = f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{name}"
    return {"repositoryName": name, "repositoryArn": arn, "repositoryUri": f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/{name}", **more}


def test_many_repositories_are_looked_at_in_one_list(stubs):
    ecr = provider(stubs, ECR, "ecr", "registry.example.com")
    names = ["team/one", "team/two", "team/three"]
    assert ecr.containers([*names, "team/one"]) == names
    scanned = described("team/two", imageScanningConfiguration={"scanOnPush": True})
    stubs.expect("describe_repositories", {"repositories": [described("team/one"), scanned]}, {"maxResults": 1000})
    settings = {"scan_on_push": True}
    made = {"repositoryName": "team/one", "imageScanningConfiguration": {"scanOnPush": True}}
    stubs.expect("put_image_scanning_configuration", {}, made)
    stubs.expect("create_repository", {"repository": described("team/three")}, {**made, "repositoryName": "team/three"})
    assert [ecr.ensure(name, settings, apply=True).state for name in names] == ["changed", "existing", "created"]


def test_whoever_may_not_list_asks_for_each(stubs):
    ecr = provider(stubs, ECR, "ecr", "registry.example.com")
    stubs.refuse("describe_repositories", "AccessDeniedException")
    for name in ("team/one", "team/two"):
        stubs.expect("describe_repositories", {"repositories": [described(name)]}, {"repositoryNames": [name]})
    assert [ecr.ensure(name, {}, apply=True).state for name in ("team/one", "team/two")] == ["existing", "existing"]


def test_an_alias_is_looked_up(stubs):
    key = "arn:aws:kms:eu-central-1:123456789012:key/one"
    found = described("team/app", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key})
    wanted = {"encryption": "KMS", "kms_key": "alias/images"}
    for arn, state in ((key, "existing"), (key.replace("one", "two"), "drift")):
        stubs.expect("describe_repositories", {"repositories": [found]}, {"repositoryNames": ["team/app"]})
        stubs.expect("describe_key", {"KeyMetadata": {"KeyId": "one", "Arn": arn}}, {"KeyId": "alias/images"}, "kms")
        assert Repositories(stubs.aws).ensure("team/app", wanted, apply=True).state == state


def test_who_creates_at_the_same_time_is_no_failure(stubs):
    asked = {"repositoryNames": ["team/app"]}
    stubs.refuse("describe_repositories", "RepositoryNotFoundException", parameters=asked)
    stubs.refuse("create_repository", "RepositoryAlreadyExistsException")
    stubs.expect("describe_repositories", {"repositories": [described("team/app")]}, asked)
    assert Repositories(stubs.aws).ensure("team/app", {}, apply=True).state == "existing"


def test_names_are_checked_before_anything_is_asked(stubs):
    with pytest.raises(errors.InvalidName):
        Repositories(stubs.aws).ensure("Team/App", {}, apply=True)


def test_settings_that_are_not_known():
    with pytest.raises(errors.InvalidOption) as caught:
        checked({"scan": True})
    assert caught.value.subject == "scan"
    with pytest.raises(errors.InvalidOption):
        document_of("{", "lifecycle_policy")
    with pytest.raises(errors.InvalidOption):
        document_of("[]", "lifecycle_policy")
    assert checked({"mutability": "immutable", "mutability_exclusions": None})["mutability"] == "IMMUTABLE"


@pytest.mark.parametrize(
    ("settings", "subject"),
    [
        ({"scan_on_push": "perhaps"}, "scan_on_push"),
        ({"purge_tags": "perhaps"}, "purge_tags"),
        ({"mutability": "IMMUTABLE", "mutability_exclusions": "latest"}, "mutability_exclusions"),
        ({"mutability": "IMMUTABLE", "mutability_exclusions": [1]}, "mutability_exclusions"),
        ({"encryption": "KMS", "kms_key": 7}, "kms_key"),
        ({"tags": ["team"]}, "tags"),
    ],
)
def test_settings_of_another_type(settings, subject):
    """Those of a repository come as the playbook has them, without the module's own check of each."""
    with pytest.raises(errors.InvalidOption) as caught:
        checked(settings)
    assert caught.value.subject == subject
    assert caught.value.hint


def test_settings_that_a_template_has_made_texts_of():
    assert checked({"scan_on_push": "False", "purge_tags": "no"}) == {"scan_on_push": False, "purge_tags": False}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"AWS": "123456789012"}, {"AWS": ["arn:aws:iam::123456789012:root"]}),
        (["b", "a"], ["a", "b"]),
        ({"Action": ["x"]}, {"Action": "x"}),
        ([{"b": 1}, {"a": 1}], [{"a": 1}, {"b": 1}]),
    ],
)
def test_documents_are_compared_by_what_they_say(one, other):
    assert canonical(one) == canonical(other)
    assert canonical([one, "more"]) != canonical([one])


# -- what holds for a registry -------------------------------------------------------------------------------------------------


def test_mounting_is_switched_on_once(stubs):
    setting = {"name": "BLOB_MOUNTING"}
    stubs.expect("get_account_setting", {**setting, "value": "DISABLED"}, setting)
    stubs.expect("put_account_setting", {**setting, "value": "ENABLED"}, {**setting, "value": "ENABLED"})
    assert RegistrySettings(stubs.aws).ensure({"blob_mounting": True}, apply=True) == {"blob_mounting": (False, True)}
    stubs.expect("get_account_setting", {**setting, "value": "ENABLED"}, setting)
    assert RegistrySettings(stubs.aws).ensure({"blob_mounting": True}, apply=True) == {}


POLICY = {"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged"}, "action": {"type": "expire"}}]}


def test_a_creation_template_is_made_changed_and_deleted(stubs):
    settings = RegistrySettings(stubs.aws)
    pages = {"maxResults": 1000}
    wanted = {
        "prefix": "team",
        "applied_for": ["CREATE_ON_PUSH"],
        "description": "the team's",
        "mutability": "IMMUTABLE",
        "mutability_exclusions": ["latest"],
        "encryption": "KMS",
        "kms_key": f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/0f2f7f2e",
        "lifecycle_policy": POLICY,
        "tags": {"team": "app"},
        "custom_role_arn": f"arn:aws:iam::{ACCOUNT}:role/ecr",
    }
    sent = {
        "prefix": "team",
        "appliedFor": ["CREATE_ON_PUSH"],
        "description": "the team's",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "latest"}],
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": wanted["kms_key"]},
        "lifecyclePolicy": json.dumps(POLICY),
        "resourceTags": [{"Key": "team", "Value": "app"}],
        "customRoleArn": wanted["custom_role_arn"],
    }
    stubs.expect("describe_repository_creation_templates", {"repositoryCreationTemplates": []}, pages)
    stubs.expect("create_repository_creation_template", {"repositoryCreationTemplate": sent}, sent)
    assert list(settings.ensure({"creation_templates": [wanted]}, apply=True)) == ["creation_templates"]

    stubs.expect("describe_repository_creation_templates", {"repositoryCreationTemplates": [sent]}, pages)
    assert settings.ensure({"creation_templates": [wanted]}, apply=True) == {}

    changed = {**sent, "appliedFor": ["CREATE_ON_PUSH", "REPLICATION"], "repositoryPolicy": ""}
    stubs.expect("describe_repository_creation_templates", {"repositoryCreationTemplates": [sent]}, pages)
    stubs.expect("update_repository_creation_template", {"repositoryCreationTemplate": changed}, changed)
    settings.ensure({"creation_templates": [{"prefix": "team", "applied_for": ["REPLICATION", "CREATE_ON_PUSH"]}]}, apply=True)

    stubs.expect("describe_repository_creation_templates", {"repositoryCreationTemplates": [sent]}, pages)
    stubs.expect("delete_repository_creation_template", {"repositoryCreationTemplate": sent}, {"prefix": "team"})
    settings.ensure({"creation_templates": [], "purge_creation_templates": True}, apply=True)


def test_a_template_without_a_key_of_its_own_and_without_a_description(stubs):
    key = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/0f2f7f2e"
    kept = {"prefix": "team", "appliedFor": ["CREATE_ON_PUSH"], "imageTagMutability": "MUTABLE"}
    found = {**kept, "description": "old", "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": key}}
    policies = {"lifecyclePolicy": "", "repositoryPolicy": "", "resourceTags": []}
    sent = {**kept, "description": "", "encryptionConfiguration": {"encryptionType": "AES256"}, **policies}
    wanted = {"prefix": "team", "applied_for": ["CREATE_ON_PUSH"], "description": "", "encryption": "AES256"}
    settings = RegistrySettings(stubs.aws)
    stubs.expect("describe_repository_creation_templates", {"repositoryCreationTemplates": [found]}, {"maxResults": 1000})
    stubs.expect("update_repository_creation_template", {"repositoryCreationTemplate": sent}, sent)
    assert settings.ensure({"creation_templates": [wanted]}, apply=True)
    stubs.expect("describe_repository_creation_templates", {"repositoryCreationTemplates": [sent]}, {"maxResults": 1000})
    assert settings.ensure({"creation_templates": [wanted]}, apply=True) == {}


def test_the_kind_of_scanning_alone_leaves_the_rules(stubs):
    rules = [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "team/*", "filterType": "WILDCARD"}]}]
    stubs.expect("get_registry_scanning_configuration", {"scanningConfiguration": {"scanType": "BASIC", "rules": rules}}, {})
    stubs.expect("put_registry_scanning_configuration", {}, {"scanType": "ENHANCED", "rules": rules})
    differences = RegistrySettings(stubs.aws).ensure({"scanning": {"type": "ENHANCED"}}, apply=True)
    before, after = differences["scanning"]
    assert (before["type"], after["type"]) == ("BASIC", "ENHANCED")
    assert before["rules"] == after["rules"]


def test_a_template_without_a_purpose(stubs):
    stubs.expect("describe_repository_creation_templates", {"repositoryCreationTemplates": []}, {"maxResults": 1000})
    with pytest.raises(errors.InvalidOption) as caught:
        RegistrySettings(stubs.aws).ensure({"creation_templates": [{"prefix": "team", "applied_for": []}]}, apply=True)
    assert caught.value.subject == "creation_templates[0].applied_for"


def test_replication_of_deletions(stubs):
    rule = {
        "destinations": [{"region": "eu-west-1", "registryId": ACCOUNT}],
        "repositoryFilters": [{"filter": "release/", "filterType": "PREFIX_MATCH"}],
        "deleteReplication": {"enabled": True},
    }
    wanted = [{"destinations": [{"region": "eu-west-1"}], "prefixes": ["release/"], "deletions": True}]
    stubs.expect("describe_registry", {"registryId": ACCOUNT, "replicationConfiguration": {"rules": []}}, {})
    stubs.expect("put_replication_configuration", {}, {"replicationConfiguration": {"rules": [rule]}})
    RegistrySettings(stubs.aws).ensure({"replication": wanted}, apply=True)
    stubs.expect("describe_registry", {"registryId": ACCOUNT, "replicationConfiguration": {"rules": [rule]}}, {})
    assert RegistrySettings(stubs.aws).ensure({"replication": wanted}, apply=True) == {}


# -- ECR Public ----------------------------------------------------------------------------------------------------------------


def public(stubs, **more):
    return provider(stubs, ECRPublic, "ecr_public", "public.ecr.aws", **more)


def expect_aliases(stubs):
    alias = {"name": "mine", "status": "ACTIVE", "primaryRegistryAlias": True, "defaultRegistryAlias": False}
    one = {"registryId": ACCOUNT, "registryArn": "arn", "registryUri": "public.ecr.aws/mine", "verified": True, "aliases": [alias]}
    stubs.expect("describe_registries", {"registries": [one]}, {"maxResults": 1000}, "ecr-public")


def test_public_repositories_have_their_alias_in_front(stubs):
    found = {"repositoryName": "team/app", "repositoryUri": "public.ecr.aws/mine/team/app", "createdAt": MOMENT}
    stubs.expect("describe_repositories", {"repositories": [found]}, {"maxResults": 1000}, "ecr-public")
    assert list(public(stubs).repositories()) == [
        RepositoryRecord("mine/team/app", visibility="public", immutable=False, created=MOMENT.isoformat())
    ]


def test_public_tags_are_listed_where_they_are_ones_own(stubs):
    ecr = public(stubs)
    expect_aliases(stubs)
    detail = {"imageTag": "1", "imageDetail": {"imageDigest": DIGEST, "imageSizeInBytes": 7}}
    asked = {"maxResults": 1000, "repositoryName": "team/app"}
    stubs.expect("describe_image_tags", {"imageTagDetails": [detail]}, asked, "ecr-public")
    assert ecr.tags("mine/team/app") == [TagRecord("1", DIGEST, "", 7)]
    assert ecr.tags("docker/library/nginx") is None
    assert ecr.present("docker/library/nginx", [DIGEST]) is None
    layers = [{"layerDigest": DIGEST, "layerAvailability": "AVAILABLE"}]
    asked = {"repositoryName": "team/app", "layerDigests": [DIGEST]}
    stubs.expect("batch_check_layer_availability", {"layers": layers, "failures": []}, asked, "ecr-public")
    assert ecr.present("mine/team/app", [DIGEST]) == {DIGEST}


def test_a_public_password(stubs):
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=12)
    stubs.expect("get_authorization_token", {"authorizationData": authorization("password", ends)}, {}, "ecr-public")
    found = public(stubs).credential()
    assert found is not None
    assert (found.username, found.password) == ("AWS", "password")


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "AccessDeniedException"])
def test_everybody_may_read_what_is_public(stubs, code):
    ecr = public(stubs, aws={})
    stubs.refuse("get_authorization_token", code, "ecr-public")
    assert ecr.credential() is None
    assert ecr.tags("docker/library/nginx") is None
    with pytest.raises(errors.CatalogForbidden):
        list(ecr.repositories())
    stubs.refuse("get_authorization_token", "UnrecognizedClientException", "ecr-public")
    with pytest.raises(errors.AuthenticationFailed):
        public(stubs).credential()


def test_a_public_repository_is_made_and_changed(stubs):
    ecr = public(stubs)
    expect_aliases(stubs)
    wanted = {"description": "what it is", "architectures": ["x86-64"], "tags": {"team": "app"}}
    stubs.refuse("describe_repositories", "RepositoryNotFoundException", "ecr-public")
    sent = {
        "repositoryName": "team/app",
        "catalogData": {"description": "what it is", "architectures": ["x86-64"]},
        "tags": [{"Key": "team", "Value": "app"}],
    }
    stubs.expect("create_repository", {}, sent, "ecr-public")
    assert ecr.ensure("mine/team/app", wanted, apply=True).state == "created"

    there = {"repositories": [{"repositoryName": "team/app"}]}
    data = {"catalogData": {"description": "what it was", "aboutText": "more", "architectures": ["x86-64"]}}
    asked = {"repositoryName": "team/app"}
    stubs.expect("describe_repositories", there, {"repositoryNames": ["team/app"]}, "ecr-public")
    stubs.expect("get_repository_catalog_data", data, asked, "ecr-public")
    stubs.expect("get_repository_catalog_data", data, asked, "ecr-public")
    changed = {"catalogData": {**data["catalogData"], "description": "what it is"}}
    stubs.expect("put_repository_catalog_data", changed, {**asked, **changed}, "ecr-public")
    creation = ecr.ensure("mine/team/app", wanted, apply=True)
    assert creation.state == "changed"
    assert creation.differences == {"description": ("what it was", "what it is")}


def test_a_public_repository_of_somebody_else(stubs):
    expect_aliases(stubs)
    with pytest.raises(errors.InvalidOption) as caught:
        public(stubs).ensure("theirs/team/app", {}, apply=True)
    assert "mine" in caught.value.message

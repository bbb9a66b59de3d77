# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The API of AWS through boto3, which is only imported when it is wanted: who asks, where, and what its refusals mean."""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    CertificateUntrusted,
    ConnectionFailed,
    InvalidOption,
    LibraryMissing,
    MigrationError,
    QuotaExceeded,
    RegistryError,
    RepositoryUnknown,
    ServerFailed,
    TooManyRequests,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import Page, walk

Options = t.Mapping[str, t.Any]

#: items of a page of a list; the API takes no more
PAGE = 1000
#: requests to the API at once, and how often one is sent at the most
_CONNECTIONS, _ATTEMPTS = 50, 5
#: seconds that a role's credentials ought to live when something is begun with them
_ROLE_LEFT = 300.0

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "AuthFailure",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
    }
)
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired", "BlockedByOrganizationPolicyException"}
)
_THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"})
_QUOTAS = frozenset({"LimitExceededException", "TooManyTagsException"})
_INVALID = frozenset({"InvalidParameterException", "InvalidTagParameterException", "ValidationException", "ValidationError"})


class AWS:
    """The APIs of AWS for one connection. Threads share it.

    `options` are those of the option `aws`, without what is not given; `prefix` is written before their names in messages. `region`: that
    of the registry's host, where it tells one. `fips`, `dualstack`: the host is one of these. `clients` are used in place of new ones.
    `proxy`: the connection's own proxy on the way to an address; without one boto3 looks into the environment.
    `usual_region`: where nobody tells one.
    """

    def __init__(
        self,
        options: Options,
        prefix: str = "",
        region: str = "",
        *,
        fips: bool = False,
        dualstack: bool = False,
        clients: t.Mapping[str, t.Any] | None = None,
        proxy: t.Callable[[str], str] = lambda address: "",
        usual_region: str = "",
    ) -> None:
        self._options = options
        self._usual_region = usual_region
        self._prefix = prefix
        self._host_region = region
        self._variants = {"use_fips_endpoint": True} if fips else {}
        if dualstack:
            self._variants["use_dualstack_endpoint"] = True
        self._given = dict(clients or {})
        self._clients: dict[str, t.Any] = {}
        self._clients_until = float("inf")
        self._proxy = proxy
        self._lock = threading.Lock()

    # -- requests
    def ask(self, service: str, operation: str, what: str, missing: t.Collection[str] = (), **parameters: t.Any) -> t.Any:
        """The answer to one request; None where it is refused with a code in `missing`. `what` is the object, for messages."""
        client = self.client(service)
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(client, operation)(**{name: value for name, value in parameters.items() if value is not None})
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in missing:
                return None
            raise self._refusal(error, what) from error
        except BotoCoreError as error:
            raise self._failure(error, what) from error

    def pages(self, service: str, operation: str, key: str, what: str, **parameters: t.Any) -> t.Iterator[t.Any]:
        """All items of a list, a thousand on a page; `key` is what they are called in the answer."""

        def read(token: str) -> Page[t.Any]:
            answer = self.ask(service, operation, what, maxResults=PAGE, nextToken=token or None, **parameters)
            return Page(answer.get(key) or (), answer.get("nextToken") or None)

        return walk("", read, what)

    def takes(self, service: str, shape: str, member: str) -> bool:
        """Whether the boto3 that is installed knows this member of a shape: older ones do not."""
        return member in self.client(service).meta.service_model.shape_for(shape).members

    # -- clients
    def client(self, service: str) -> t.Any:
        """The client for an API, made when it is first wanted, and anew when a role's credentials run out."""
        if service in self._given:
            return self._given[service]
        with self._lock:
            if time.time() > self._clients_until - _ROLE_LEFT:
                self._clients.clear()
                self._clients_until = float("inf")
            found = self._clients.get(service)
            if found is None:
                found = self._clients[service] = self._make(service)
            return found

    def _make(self, service: str) -> t.Any:
        session, given = self._session()
        from botocore.exceptions import BotoCoreError

        try:
            if self._options.get("role_arn"):
                given = self._role(session, given)
            # the API of ECR Public is in one region
            region = "us-east-1" if service == "ecr-public" else self._region(session)
            address = self._options.get("endpoint_url") if service.startswith("ecr") or service == "s3" else None
            variants = {} if address or service == "ecr-public" else self._variants
            return self._connect(session, service, region, given, variants, address)
        except (BotoCoreError, ValueError) as error:
            raise self._failure(error, service) from error

    def _connect(self, session: t.Any, service: str, region: str, given: Options, variants: Options, address: str | None = None) -> t.Any:
        def make(**more: t.Any) -> t.Any:
            config = self._config(service, bool(address), **variants, **more)
            return session.client(service, region_name=region, endpoint_url=address, verify=self._verify, config=config, **given)

        made = make()
        # where it is going to connect to is known only now
        proxy = self._proxy(made.meta.endpoint_url)
        return make(proxies={"http": proxy, "https": proxy}) if proxy else made

    @property
    def _verify(self) -> t.Any:
        """What boto3 checks certificates with; None for what it finds by itself."""
        return self._options.get("ca_bundle") or None if self._options.get("validate_certs", True) else False

    def _config(self, service: str, own_address: bool, **variants: t.Any) -> t.Any:
        from botocore.config import Config

        # other stores than Amazon's do not have a name for each bucket
        buckets = {"s3": {"addressing_style": "path"}} if service == "s3" and own_address else {}
        return Config(
            max_pool_connections=_CONNECTIONS,
            retries={"mode": "standard", "max_attempts": _ATTEMPTS},
            user_agent_extra="registryops",
            **variants,
            **buckets,
        )

    def _session(self) -> tuple[t.Any, dict[str, str]]:
        """A session, and the keys that were given, by the names of boto3."""
        try:
            import boto3
        except ImportError as error:
            from ansible.module_utils.basic import missing_required_lib

            hint = "Install it there (pip install boto3), or give the user name and password of the registry itself."
            raise LibraryMissing(f"cannot be used. {missing_required_lib('boto3')}.", subject=self._option(""), hint=hint) from error
        from botocore.exceptions import BotoCoreError

        keys = {"access_key": "aws_access_key_id", "secret_key": "aws_secret_access_key", "session_token": "aws_session_token"}
        given = {name: self._options[option] for option, name in keys.items() if self._options.get(option)}
        if ("aws_access_key_id" in given) != ("aws_secret_access_key" in given):
            lacks = "secret_key" if "aws_access_key_id" in given else "access_key"
            raise InvalidOption("is missing.", subject=self._option(lacks), hint="An access key is two parts: give both.")
        try:
            return boto3.Session(profile_name=self._options.get("profile")), given
        except BotoCoreError as error:
            raise self._failure(error, "") from error

    def _region(self, session: t.Any) -> str:
        chosen = self._options.get("region") or ""
        if chosen and self._host_region and chosen != self._host_region:
            raise InvalidOption(
                f"is {chosen}, but the registry's address is one in {self._host_region}.",
                subject=self._option("region"),
                hint="Leave it out, or give the address of the registry in that region.",
            )
        region = chosen or self._host_region or session.region_name or self._usual_region
        if not region:
            raise InvalidOption(
                "is missing, and the registry's address does not tell it.", subject=self._option("region"), hint="Give the region."
            )
        return str(region)

    def _role(self, session: t.Any, given: dict[str, str]) -> dict[str, str]:
        """The temporary keys of the role that is to be assumed."""
        from botocore.exceptions import ClientError, ParamValidationError

        role = self._options["role_arn"]
        client = self._connect(session, "sts", self._region(session), given, {})
        asked = {"RoleArn": role, "RoleSessionName": self._options.get("role_session_name") or "registryops-migration"}
        if self._options.get("external_id"):
            asked["ExternalId"] = self._options["external_id"]
        try:
            keys = client.assume_role(**asked)["Credentials"]
        except ParamValidationError as error:
            hint = "Write it as in arn:aws:iam::123456789012:role/mover."
            raise InvalidOption(_line(str(error)), subject=self._option("role_arn"), hint=hint) from error
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code not in _DENIED and code not in _INVALID:
                raise self._refusal(error, role) from error
            raise AccessDenied(
                f"{role} cannot be assumed: {_said(error)}",
                subject=self._option("role_arn"),
                hint="Have the role's trust policy name who asks, with the same external_id if it asks for one.",
            ) from error
        # each client has keys of its own, and those that run out first count
        self._clients_until = min(self._clients_until, keys["Expiration"].timestamp())
        return {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }

    # -- what went wrong
    def _option(self, name: str) -> str:
        return f"{self._prefix}{name}".rstrip(".") or "AWS"

    def _refusal(self, error: t.Any, what: str) -> MigrationError:
        """The error for what an API has answered."""
        code = error.response.get("Error", {}).get("Code", "")
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
        said = _said(error)
        if code in _EXPIRED:
            return AuthenticationFailed(
                "AWS says that these credentials have expired.",
                subject=self._option("session_token"),
                hint="Sign in again (for example aws sso login), or give a new session_token with its keys, and run again.",
            )
        if code in _UNKNOWN:
            return AuthenticationFailed(
                f"AWS does not take these credentials: {said}",
                subject=self._option("access_key"),
                hint="Check access_key, secret_key and session_token, and that they belong to this partition of AWS.",
            )
        if code == "NoSuchBucket":
            return InvalidOption("there is no such bucket.", subject=what, hint="Check its name, and the account and region.")
        # to a HEAD nothing is said
        if code in _DENIED or code == "403":
            hint = "Grant this action to the user or role, or choose another with profile or role_arn."
            return AccessDenied(f"AWS does not allow this: {said}", subject=what, hint=hint)
        if code in _THROTTLED or status == 429:
            return TooManyRequests("AWS asks for fewer requests.", subject=what, hint="Run again later, or with fewer workers.")
        if code in _QUOTAS:
            return QuotaExceeded(f"a quota of the account is reached: {said}", subject=what, hint="Have the quota raised, or make room.")
        if code == "RepositoryNotFoundException":
            return RepositoryUnknown("there is no such repository.", subject=what, hint="Create it first, for example with ecr_repo.")
        if code == "KmsException":
            hint = "Check kms_key: it has to exist in the registry's region, be enabled, and be allowed to whoever asks."
            return AccessDenied(f"its KMS key cannot be used: {said}", subject=what, hint=hint)
        if code in _INVALID:
            return InvalidOption(f"AWS does not accept this: {said}", subject=what, hint="Correct it, and run again.")
        if status >= 500:
            return ServerFailed(f"AWS failed: {said}", subject=what, hint="Run again later.", status=status)
        return RegistryError(f"AWS answered {code}: {said}", subject=what, status=status, codes=(code,))

    def _failure(self, error: Exception, what: str) -> MigrationError:
        """The error for what went wrong before there was an answer."""
        name = type(error).__name__
        if name in ("NoCredentialsError", "PartialCredentialsError", "NoAuthTokenError"):
            return AuthenticationFailed(
                "no credentials for AWS were found.",
                subject=self._option(""),
                hint="Give profile, or access_key and secret_key, or set the variables of the AWS tools; "
                "or give the registry's own user name (AWS) and password.",
            )
        if name in ("ProfileNotFound", "ConfigNotFound", "ConfigParseError"):
            return InvalidOption(_line(str(error)), subject=self._option("profile"), hint="Name a profile that is in the AWS tools' files.")
        if "SSO" in name or "Token" in name or "Login" in name or name in ("CredentialRetrievalError", "MetadataRetrievalError"):
            return AuthenticationFailed(
                f"credentials for AWS cannot be had: {_line(str(error))}",
                subject=self._option("profile"),
                hint="Sign in again, for example with aws sso login.",
            )
        if name in ("NoRegionError", "InvalidRegionError", "UnknownRegionError", "UnknownEndpointError", "EndpointVariantError"):
            return InvalidOption(_line(str(error)), subject=self._option("region"), hint="Give a region that has Amazon ECR.")
        if name == "SSLError":
            hint = "Name the authority's file with ca_bundle."
            return CertificateUntrusted(f"the certificate of the API is not trusted: {_line(str(error))}", subject=what, hint=hint)
        if name == "EndpointConnectionError":
            return ConnectionFailed(
                _line(str(error)),
                subject=self._option("region"),
                hint="Check region (and endpoint_url), and the network between here and AWS.",
            )
        if name in ("ParamValidationError", "ValueError"):
            return InvalidOption(_line(str(error)), subject=what or self._option("endpoint_url"), hint="Correct it, and run again.")
        return ConnectionFailed(f"the API of AWS cannot be reached: {_line(str(error))}", subject=what)


def _line(text: str) -> str:
    """One line of at most 300 characters."""
    return " ".join(text.split())[:300]


def _said(error: t.Any) -> str:
    """What an API has said, as a sentence."""
    details = error.response.get("Error", {})
    text = _line(str(details.get("Message") or details.get("Code") or "no reason given"))
    return text if text.endswith(".") else f"{text}."

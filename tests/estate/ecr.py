# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A double of Amazon ECR on one port: the API of AWS is moto in this process, images are in a real docker-registry.

What moto does not have, or does otherwise than ECR, is put right here: digests, sizes and states of images are those of what was
pushed, lists have pages, passwords live twelve hours, layers are those of the registry, and there are account settings and
creation templates. Below /v2/ it refuses what ECR refuses: repositories that were not created, tags that cannot be moved even to
the digest that they have, mounts that were not switched on, the catalogue, and more than ten manifests a second.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import fnmatch
import json
import re
import secrets
import shutil
import threading
import time
import typing as t
import urllib.parse

from moto.ecr.models import Image, Repository, ecr_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client

from estate.client import Access
from estate.images import ImageSet
from estate.product import Answer, Asked, ProductDouble, error
from estate.push import push
from estate.registry import Registry

ACCOUNT = "123456789012"
#: a session token that has expired, and an access key that AWS does not know
EXPIRED_SESSION, UNKNOWN_KEY = "a session token that has expired", "AKIAUNKNOWN000000000"
TWELVE_HOURS = 12 * 3600.0
MANIFESTS_PER_SECOND = 10.0

_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|tags|referrers)/(?P<rest>.+)")
_LISTS = {"DescribeRepositories": "repositories", "DescribeImages": "imageDetails"}
#: how many items a page has where nobody asks for another number, and the most
_PAGE, _LARGEST_PAGE = 100, 1000


class ECRDouble(ProductDouble):
    """An account's registry in a region. `asked` counts the operations of the API, `throttled` the manifests that were too many.

    `largest_page` makes the pages of lists smaller, `life` (seconds) is how long passwords live, `manifests_per_second` how many
    manifests it takes. `archived` has the digests of images that are archived. `denied` has the operations that nobody may do,
    `refused_roles` those that nobody may assume, `failing` what an operation answers: its code and its message. `refusing` has how
    manifests of a tag are refused: status, code and message. `says_expired`: whether a password that has run out is answered as ECR
    does, with 403 and no challenge, or with 401 as by a proxy that signs in for itself.
    """

    says_expired = True

    def __init__(self, behind: Registry, region: str = "eu-central-1") -> None:
        self.region = region
        self.registry_host = f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com"
        self.asked: collections.Counter[str] = collections.Counter()
        self.largest_page = _LARGEST_PAGE
        self.life = TWELVE_HOURS
        self.manifests_per_second = MANIFESTS_PER_SECOND
        self.throttled = 0
        self.archived: set[str] = set()
        self.denied: set[str] = set()
        self.refused_roles: set[str] = set()
        self.failing: dict[str, tuple[str, str]] = {}
        self.refusing: dict[str, tuple[int, str, str]] = {}
        self.account_settings: dict[str, str] = {}
        self.templates: dict[str, dict[str, t.Any]] = {}
        self._passwords: dict[str, float] = {}
        self._api = DomainDispatcherApplication(create_backend_app)
        self._api_lock = threading.RLock()
        self._bucket = (self.manifests_per_second, time.monotonic())
        ecr_backends[ACCOUNT][region].reset()
        super().__init__(behind)
        self.route("POST", "/", self._operate)

    # -- what tests use
    @property
    def access(self) -> Access:
        """How the estate's own client reaches it: with a password of its own."""
        return Access(self.url, "AWS", self.password())

    def password(self) -> str:
        """A new password of the registry."""
        made = f"{ACCOUNT}-{secrets.token_hex(16)}"
        with self._api_lock:
            self._passwords[made] = time.time() + self.life
        return made

    def expire_passwords(self) -> None:
        """Have all passwords run out that there are."""
        with self._api_lock:
            self._passwords = dict.fromkeys(self._passwords, 0.0)

    def aws(self, **more: t.Any) -> dict[str, t.Any]:
        """The option `aws` for it."""
        keys = {"access_key": "AKIAESTATE0000000000", "secret_key": "estate-secret-key", "region": self.region}
        return {**keys, "endpoint_url": self.url, **more}

    @property
    def repositories(self) -> dict[str, Repository]:
        """What moto has."""
        found: dict[str, Repository] = ecr_backends[ACCOUNT][self.region].repositories
        return found

    def resource_tags(self, name: str) -> dict[str, str]:
        """What AWS calls the tags of a repository."""
        found = ecr_backends[ACCOUNT][self.region].list_tags_for_resource(self.repositories[name].arn)
        return {tag["Key"]: tag["Value"] for tag in found["tags"]}

    def create(self, name: str, mutability: str = "MUTABLE", exclusions: t.Sequence[str] = ()) -> None:
        """Make a repository."""
        filters = [{"filterType": "WILDCARD", "filter": pattern} for pattern in exclusions] or None
        with self._api_lock:
            ecr_backends[ACCOUNT][self.region].create_repository(name, None, None, None, mutability, [], filters)

    def load(self, images: ImageSet) -> None:
        """Push an image set, into repositories that are made where they are missing; as fast as it goes, and into no log."""
        for name in images.repositories:
            if name not in self.repositories:
                self.create(name)
        rate, self.manifests_per_second = self.manifests_per_second, 1e9
        push(self.url, images, "AWS", self.password())
        self.manifests_per_second = rate
        self.reset_log()

    def reset_log(self) -> None:
        """Forget the requests so far, those of the API too."""
        super().reset_log()
        self.asked.clear()

    # -- the API of AWS
    def _operate(self, asked: Asked) -> Answer:
        if "/sts/" in asked.headers.get("authorization", ""):
            return self._assume(asked)
        operation = asked.headers.get("x-amz-target", "").rpartition(".")[2]
        with self._api_lock:
            self.asked[operation] += 1
            refusal = self._refusal(asked, operation)
            if refusal is not None:
                return refusal
            document = asked.document
            own = getattr(self, f"_on_{operation}", None)
            if own is not None:
                found: Answer = own(document)
                return found
            if operation in _LISTS:
                return self._list(asked, operation, document)
            answer = self._moto(asked)
            if operation == "DeleteRepository" and answer.status == 200:
                self._forget(document["repositoryName"])
            return answer

    def _assume(self, asked: Asked) -> Answer:
        role = asked.form.get("RoleArn", "")
        if role in self.refused_roles:
            message = f"User: arn:aws:iam::{ACCOUNT}:user/mover is not authorized to perform: sts:AssumeRole on resource: {role}"
            body = f"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{message}</Message></Error></ErrorResponse>"
            return Answer(403, headers={"Content-Type": "text/xml"}, body=body.encode())
        with self._api_lock:
            self.asked[asked.form.get("Action", "")] += 1
            return self._moto(asked)

    def _refusal(self, asked: Asked, operation: str) -> Answer | None:
        if asked.headers.get("x-amz-security-token") == EXPIRED_SESSION:
            return _failed("ExpiredTokenException", "The security token included in the request is expired")
        if f"Credential={UNKNOWN_KEY}/" in asked.headers.get("authorization", ""):
            return _failed("UnrecognizedClientException", "The security token included in the request is invalid.")
        if operation in self.denied:
            message = f"User: arn:aws:iam::{ACCOUNT}:user/mover is not authorized to perform: ecr:{operation} on resource: *"
            return _failed("AccessDeniedException", message)
        return _failed(*self.failing[operation]) if operation in self.failing else None

    def _moto(self, asked: Asked, document: t.Any = None) -> Answer:
        body = asked.body if document is None else json.dumps(document).encode()
        headers = {name: value for name, value in asked.headers.items() if name not in ("content-length", "host")}
        response = Client(self._api).post("/", data=body, headers=headers)
        return Answer(response.status_code, headers={"Content-Type": response.headers.get("Content-Type", "")}, body=response.data)

    def _on_GetAuthorizationToken(self, document: t.Any) -> Answer:
        token = base64.b64encode(f"AWS:{self.password()}".encode()).decode()
        data = {"authorizationToken": token, "expiresAt": time.time() + self.life, "proxyEndpoint": f"https://{self.registry_host}"}
        return _answered({"authorizationData": [data]})

    def _on_GetAccountSetting(self, document: t.Any) -> Answer:
        name = document["name"]
        return _answered({"name": name, "value": self.account_settings.get(name, "DISABLED")})

    def _on_PutAccountSetting(self, document: t.Any) -> Answer:
        self.account_settings[document["name"]] = document["value"]
        return _answered(document)

    def _on_DescribeRepositoryCreationTemplates(self, document: t.Any) -> Answer:
        return self._page("repositoryCreationTemplates", list(self.templates.values()), document)

    def _on_CreateRepositoryCreationTemplate(self, document: t.Any) -> Answer:
        if document["prefix"] in self.templates:
            return _failed("TemplateAlreadyExistsException", "The creation template already exists.")
        self.templates[document["prefix"]] = document
        return _answered({"registryId": ACCOUNT, "repositoryCreationTemplate": document})

    def _on_UpdateRepositoryCreationTemplate(self, document: t.Any) -> Answer:
        if document["prefix"] not in self.templates:
            return _failed("TemplateNotFoundException", "The creation template does not exist.")
        self.templates[document["prefix"]].update(document)
        return _answered({"registryId": ACCOUNT, "repositoryCreationTemplate": self.templates[document["prefix"]]})

    def _on_DeleteRepositoryCreationTemplate(self, document: t.Any) -> Answer:
        if document["prefix"] not in self.templates:
            return _failed("TemplateNotFoundException", "The creation template does not exist.")
        return _answered({"registryId": ACCOUNT, "repositoryCreationTemplate": self.templates.pop(document["prefix"])})

    def _list(self, asked: Asked, operation: str, document: dict[str, t.Any]) -> Answer:
        plain = {name: value for name, value in document.items() if name not in ("maxResults", "nextToken", "filter")}
        answer = self._moto(asked, plain)
        if answer.status != 200:
            return answer
        items = json.loads(answer.data)[_LISTS[operation]]
        if operation == "DescribeImages":
            items = self._images(document, items)
        return self._page(_LISTS[operation], items, document)

    def _images(self, document: t.Mapping[str, t.Any], items: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
        """Images with their states and sizes, those that are asked for."""
        chosen = document.get("filter") or {}
        held = {image.image_digest: image for image in self.repositories[document["repositoryName"]].images}
        found = []
        for item in items:
            digest = item["imageDigest"]
            status = "ARCHIVED" if digest in self.archived else "ACTIVE"
            tagged = "TAGGED" if item.get("imageTags") else "UNTAGGED"
            if chosen.get("imageStatus", "ACTIVE") in (status, "ANY") and chosen.get("tagStatus", "ANY") in (tagged, "ANY"):
                found.append({**item, "imageStatus": status, "imageSizeInBytes": _size(digest, held)})
        return found

    def _page(self, key: str, items: list[t.Any], document: t.Mapping[str, t.Any]) -> Answer:
        token = document.get("nextToken", "")
        start = int(base64.b64decode(token).partition(b" ")[2]) if token else 0
        end = start + min(int(document.get("maxResults", _PAGE)), self.largest_page)
        page: dict[str, t.Any] = {key: items[start:end]}
        if end < len(items):
            page["nextToken"] = base64.b64encode(f"item {end}".encode()).decode()
        return _answered(page)

    def _forget(self, name: str) -> None:
        """Have the registry behind lose a repository, but not those below it."""
        folder = self.behind.data / "docker" / "registry" / "v2" / "repositories" / name
        for part in ("_layers", "_manifests", "_uploads"):
            shutil.rmtree(folder / part, ignore_errors=True)

    # -- the registry
    def registry(self, asked: Asked) -> Answer | None:
        if self.says_expired and self._has_expired(asked):
            return error(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
        if not self._may_enter(asked):
            challenge = f'Basic realm="https://{self.registry_host}/",service="ecr.amazonaws.com"'
            return error(401, "UNAUTHORIZED", "authentication required", **{"WWW-Authenticate": challenge})
        if asked.path == "/v2/_catalog" or int(asked.query.get("n") or 0) > _LARGEST_PAGE:
            return error(405, "UNSUPPORTED", "Invalid parameter at 'maxResults' failed to satisfy constraint")
        match = _PATH.fullmatch(asked.path)
        if match is None:
            return None
        name, kind, rest = (urllib.parse.unquote(part) for part in match.groups())
        with self._api_lock:
            repository = self.repositories.get(name) or self._created_on_push(name, asked.method)
            if repository is None:
                message = f"The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'"
                return error(404, "NAME_UNKNOWN", message)
            if kind == "manifests" and asked.method == "PUT":
                return self._refused_manifest(repository, rest)
            if kind == "manifests" and self._is_archived(repository, rest):
                return error(404, "MANIFEST_UNKNOWN", "Requested image is archived")
            if asked.query.get("mount") and not self._mounts(asked.query):
                return self.after(asked, self._pass_on(dataclasses.replace(asked, query={})))
        return None

    def _may_enter(self, asked: Asked) -> bool:
        user, password = asked.basic
        with self._api_lock:
            return user == "AWS" and self._passwords.get(password, 0.0) > time.time()

    def _has_expired(self, asked: Asked) -> bool:
        _user, password = asked.basic
        with self._api_lock:
            return self._passwords.get(password, float("inf")) <= time.time()

    def _created_on_push(self, name: str, method: str) -> Repository | None:
        """A repository that a creation template makes for a push."""
        fitting = [prefix for prefix in self.templates if prefix == "ROOT" or f"{name}/".startswith(f"{prefix.rstrip('/')}/")]
        template = self.templates[max(fitting, key=lambda prefix: (prefix != "ROOT", len(prefix)))] if fitting else None
        if template is None or method not in ("POST", "PUT") or "CREATE_ON_PUSH" not in template["appliedFor"]:
            return None
        self.create(name, template.get("imageTagMutability", "MUTABLE"))
        return self.repositories[name]

    def _refused_manifest(self, repository: Repository, reference: str) -> Answer | None:
        tokens, seen = self._bucket
        now = time.monotonic()
        tokens = min(self.manifests_per_second, tokens + (now - seen) * self.manifests_per_second)
        self._bucket = (max(0.0, tokens - 1), now)
        if tokens < 1:
            self._bucket = (tokens, now)
            self.throttled += 1
            return error(429, "TOOMANYREQUESTS", "Rate exceeded")
        if reference in self.refusing:
            return error(*self.refusing[reference])
        if ":" not in reference and self._is_fixed(repository, reference):
            message = (
                f"The image tag '{reference}' already exists in the '{repository.name}' repository "
                "and cannot be overwritten because the tag is immutable."
            )
            return error(400, "TAG_INVALID", message)
        return None

    @staticmethod
    def _is_fixed(repository: Repository, tag: str) -> bool:
        filters = repository.image_tag_mutability_exclusion_filters or []
        excluded = any(fnmatch.fnmatchcase(tag, one["filter"]) for one in filters)
        there = any(tag in image.image_tags for image in repository.images)
        return there and repository.is_tag_immutable() != excluded

    def _is_archived(self, repository: Repository, reference: str) -> bool:
        held = (image for image in repository.images if reference in (image.image_digest, *image.image_tags))
        return any(image.image_digest in self.archived for image in held)

    def _mounts(self, query: t.Mapping[str, str]) -> bool:
        """Whether a layer is mounted: only from where the manifest of an image names it."""
        holder = self.repositories.get(query.get("from", ""))
        named = holder is not None and any(query["mount"] in image.image_manifest for image in holder.images)
        return named and self.account_settings.get("BLOB_MOUNTING") == "ENABLED"

    def after(self, asked: Asked, answer: Answer) -> Answer:
        match = _PATH.fullmatch(asked.path)
        if match is None or answer.status not in (201, 202):
            return answer
        name, kind, rest = (urllib.parse.unquote(part) for part in match.groups())
        digest = {key.lower(): value for key, value in answer.headers.items()}.get("docker-content-digest", "")
        with self._api_lock:
            repository = self.repositories.get(name)
            if repository is None:
                return answer
            if kind == "manifests" and asked.method == "PUT":
                _keep(repository, digest, asked.headers.get("content-type", ""), asked.body, "" if ":" in rest else rest)
            elif kind == "manifests" and asked.method == "DELETE":
                repository.images = [image for image in repository.images if image.image_digest != rest]
            elif kind == "blobs" and answer.status == 201:
                head = Asked("HEAD", f"/v2/{name}/blobs/{digest}", {}, {}, b"")
                size = {key.lower(): value for key, value in self._pass_on(head).headers.items()}["content-length"]
                repository.layers[digest] = int(size)
        return answer


def _keep(repository: Repository, digest: str, media_type: str, manifest: bytes, tag: str) -> None:
    """Have moto know of an image that was pushed."""
    image = next((one for one in repository.images if one.image_digest == digest), None)
    if image is None:
        image = Image(ACCOUNT, t.cast(str, None), manifest.decode(), repository.name, media_type, digest)
        repository.images.append(image)
    if tag:
        for one in repository.images:
            one.remove_tag(tag)
        image.update_tag(tag)


def _size(digest: str, held: t.Mapping[str, Image]) -> int:
    """The bytes of an image; of an index, those of its largest platform."""
    if digest not in held:
        return 0
    document = json.loads(held[digest].image_manifest)
    if "manifests" in document:
        return max((_size(one["digest"], held) for one in document["manifests"]), default=0)
    return sum(one.get("size", 0) for one in [document.get("config") or {}, *document.get("layers", [])])


def _answered(document: t.Any) -> Answer:
    return Answer(200, document, {"Content-Type": "application/x-amz-json-1.1"})


def _failed(code: str, message: str) -> Answer:
    return Answer(400, {"__type": code, "message": message}, {"Content-Type": "application/x-amz-json-1.1"})

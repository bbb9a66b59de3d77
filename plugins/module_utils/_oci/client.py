# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""A client of the distribution specification: one object per registry, shared by all workers.

It knows requests and answers, and what registries do differently; it does not know what is to be copied, or why.
"""

from __future__ import annotations

import dataclasses
import threading
import typing as t
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from ansible_collections.registryops.migration.plugins.module_utils._oci.answers import failure_of, read_answer
from ansible_collections.registryops.migration.plugins.module_utils._oci.authentication import (
    CATALOG_SCOPE,
    PULL,
    PULL_PUSH,
    Authenticator,
    repository_scope,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.blobs import BlobReader
from ansible_collections.registryops.migration.plugins.module_utils._oci.challenge import Challenge, Scope, parse_challenges
from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import MOST_DIGITS, Body
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest, matches
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    BlobUnknown,
    CatalogForbidden,
    ConnectionFailed,
    DigestMismatch,
    InvalidAnswer,
    ManifestTooLarge,
    ManifestUnknown,
    MigrationError,
    RedirectRefused,
    RegistryError,
    RepositoryUnknown,
    ServerFailed,
    UnsupportedManifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import (
    LIST_BODY,
    OVERLOADED,
    REDIRECTS,
    AnswerTooLarge,
    HTTPOptions,
    Origin,
    Response,
    Transport,
    joined,
    origin_of,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.limits import Rate
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import (
    MANIFEST_LIMIT,
    Descriptor,
    Manifest,
    parse_manifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import ACCEPT, OCI_INDEX, without_parameters
from ansible_collections.registryops.migration.plugins.module_utils._oci.paging import MOST_PAGES, Page, check_gone_on, next_link, walk
from ansible_collections.registryops.migration.plugins.module_utils._oci.pulls import PullQuota
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import api_host, check_registry_host

#: the largest page that registries take (docker-registry answers 400 above it)
PAGE = 1000
#: sizes to which some products cut a catalogue whatever is asked for
SMALLER_PAGES = frozenset({50, 100, 200, 250, 500})
#: a blob of at most this size is sent from memory, and may teach whether the registry takes a blob in one POST
SMALL_BLOB = 64 << 10
CHUNK = 16 << 20
#: the most that a registry may want as the least in one piece of a blob: each upload holds a piece in memory
LARGEST_CHUNK = 128 << 20
#: what is shorter than this stands in every text
SHORTEST_SECRET = 4
MOUNT_ATTEMPTS = 2
#: headers by which products can be known
TELLING_HEADERS = ("server", "x-jfrog-version", "x-artifactory-id", "x-harbor-csrf-token", "x-gitea-version", "set-cookie")
#: answers of registries that do not take a blob in one POST, and open no session instead
NO_SINGLE_POST = frozenset({400, 404, 405, 411, 415, 501})
#: refused attempts to sign in for one request before it counts as refused
SIGN_INS = 3
#: doubted manifests that the next run is told of one by one; with more it doubts all
MOST_DOUBTED = 1000


@dataclasses.dataclass
class Features:
    """What a registry has been seen to do; None = not known yet. Kept in the ledger, so that it is learnt once."""

    single_post: bool | None = None
    multi_tag: bool | None = None
    referrers: bool | None = None
    mount: bool | None = None
    self_mount: bool | None = None
    chunk_size: int = 0

    def as_dict(self) -> dict[str, t.Any]:
        """The fields that are known."""
        return {key: value for key, value in dataclasses.asdict(self).items() if value} | {
            key: value for key, value in dataclasses.asdict(self).items() if value is False
        }

    def update(self, known: t.Mapping[str, t.Any]) -> None:
        """Take over what an earlier run has learnt, except where an option has decided; unknown names are left out."""
        for field in dataclasses.fields(self):
            if field.name in known and not getattr(self, field.name):
                setattr(self, field.name, known[field.name])


@dataclasses.dataclass(frozen=True)
class Upload:
    """An upload session: where to send the bytes (a path at the registry, or an address), and the smallest chunk that it takes (0: any)."""

    location: str
    chunk_min_length: int = 0


@dataclasses.dataclass(frozen=True)
class PutManifest:
    """What a registry said to a manifest: the tags that it made, and whether it keeps track of the subject's referrers."""

    tags: tuple[str, ...]
    subject_kept: bool


@dataclasses.dataclass(frozen=True)
class Greeting:
    """What a registry says before it knows who asks: its challenges, and its headers by their names in lower case."""

    challenges: tuple[Challenge, ...] = ()
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


class RegistryClient:
    """The distribution API of one registry.

    `host` is `name[:port]`; `plain_http` is only true where the user has asked for it. `credential_for` tells the credential for a
    repository (empty: for the registry itself), since files may name several for parts of one registry. `headers` go to the
    registry with every request.
    """

    def __init__(
        self,
        host: str,
        *,
        plain_http: bool = False,
        options: HTTPOptions | None = None,
        credential_for: t.Callable[[str], Credential | None] = lambda repository: None,
        headers: t.Mapping[str, str] | None = None,
        bandwidth: Rate | None = None,
        on_secret: t.Callable[[str], None] = lambda secret: None,
        renew: t.Callable[[Credential], Credential | None] = lambda refused: None,
        features: Features | None = None,
    ) -> None:
        self.host = check_registry_host(host)
        scheme = "http" if plain_http else "https"
        api = api_host(self.host)
        self.origin: Origin = origin_of(f"{scheme}://{api}/")
        self._base = f"{scheme}://{api}"
        self._here = f"{self._base}/"
        self.transport = Transport(self.origin, options or HTTPOptions(), bandwidth)
        self._credential_for = credential_for
        self._headers = dict(headers or {})
        self._on_secret = on_secret
        self._renew = renew
        self._lock = threading.Lock()
        self._by_repository: dict[str, Authenticator] = {}
        self._by_credential: dict[Credential | None, Authenticator] = {}
        self._one_scope_a_token = False
        #: whether the registry has let us in at all: a refusal then is about what was asked for
        self._welcome = False
        #: how the registry has answered the ping: products are known by that
        self.greeting = Greeting()
        self.features = features or Features()
        #: where manifests that are read count
        self.pulls: PullQuota | None = None
        self._actions = PULL
        #: digests of manifests that the registry has failed to store at least once; see _read_back
        self._doubted: set[str] = set()
        self._doubts_all = False

    # -- who we are
    def _authenticator(self, repository: str) -> Authenticator:
        found = self._by_repository.get(repository)
        if found is None:
            with self._lock:
                credential = self._credential_for(repository)
                if credential not in self._by_credential:
                    made = Authenticator(self.transport, credential, self._on_secret, self._renew)
                    made.one_scope_a_token = self._one_scope_a_token
                    self._by_credential[credential] = made
                found = self._by_repository[repository] = self._by_credential[credential]
        return found

    def _authenticator_of(self, scopes: t.Sequence[Scope]) -> Authenticator:
        return self._authenticator(next((scope.name for scope in scopes if scope.kind == "repository"), ""))

    def forget_credentials(self) -> None:
        """Have the credential of each repository looked up again: who hands them out is known only now."""
        with self._lock:
            self._by_repository.clear()

    def expect(self, repositories: t.Sequence[str]) -> None:
        """Say which repositories are going to be used, so that a token can be asked for several at once."""
        owners: dict[Authenticator, list[str]] = {}
        for repository in repositories:
            owners.setdefault(self._authenticator(repository), []).append(repository)
        for authenticator, names in owners.items():
            authenticator.expect(names)

    @property
    def one_scope_a_token(self) -> bool:
        """Whether tokens for several repositories do not do here."""
        with self._lock:
            return self._one_scope_a_token or any(one.one_scope_a_token for one in self._by_credential.values())

    def remember(self, features: t.Mapping[str, t.Any]) -> None:
        """Take over what an earlier run has learnt."""
        self.features.update(features)
        with self._lock:
            self._one_scope_a_token = self._one_scope_a_token or bool(features.get("one_scope_a_token"))
            for authenticator in self._by_credential.values():
                authenticator.one_scope_a_token |= self._one_scope_a_token
        self.doubt(features.get("doubted", ()))

    @property
    def doubted(self) -> list[str]:
        """Digests of manifests that the registry has failed to store and not been seen to have since; `*` stands for too many to name."""
        with self._lock:
            return sorted(self._doubted) if len(self._doubted) <= MOST_DOUBTED else ["*"]

    def doubt(self, digests: t.Iterable[str]) -> None:
        """Read these manifests back whenever they are put."""
        with self._lock:
            self._doubted.update(digests)
            self._doubts_all = self._doubts_all or "*" in self._doubted
            self._doubted.discard("*")

    # -- requests
    def _request(
        self,
        method: str,
        path: str,
        scopes: t.Sequence[Scope],
        headers: t.Mapping[str, str] | None = None,
        body: Body = None,
        *,
        attempts: int | None = None,
        follow: bool = False,
        read_whole: int = 0,
    ) -> Response:
        """Send with authorization, signing in again as often as it makes sense. `path` may be the address of another host.

        A body that is not bytes is sent once: a 401 to it raises ConnectionFailed, for the caller to start over.
        `read_whole`: see Transport.request.
        """
        authenticator = self._authenticator_of(scopes)
        wanted = scopes
        plain = headers or {}
        own = path.startswith("/") or origin_of(path) == self.origin
        for sign_in in range(SIGN_INS + 1):
            secret = {**self._headers, **authenticator.header(wanted)} if own else {}
            if follow:
                response = self.transport.follow(method, path, plain, secret_headers=secret, read_whole=read_whole)
            else:
                response = self.transport.request(method, path, {**plain, **secret}, body, attempts=attempts, read_whole=read_whole)
            if response.status != 401 or not own or origin_of(response.url) != self.origin:
                self._welcome = self._welcome or response.status < 300
                return response
            if sign_in == SIGN_INS:
                break
            # first, so that connection and place are given back whatever comes of it
            response.drain()
            challenge_scopes = authenticator.challenged(response, secret, scopes)
            if body is not None and not isinstance(body, bytes):
                raise ConnectionFailed("wanted a new token in the middle of an upload.", subject=str(self.origin))
            wanted = challenge_scopes
        response.drain()
        # what the registry has asked for says more than what was thought to do
        raise self._denied(wanted)

    def _denied(self, scopes: t.Sequence[Scope]) -> AccessDenied:
        what = ", ".join(f"{' and '.join(sorted(scope.actions))} on {scope.name}" for scope in scopes) or "this"
        who = self._authenticator_of(scopes).identity
        return AccessDenied(
            f"does not give {'anonymous users' if who == 'anonymous' else who} the right to {what}.",
            subject=str(self.origin),
            hint="Give username and password, grant the right, use another account, or leave the repository out.",
        )

    def _fail(self, response: Response, what: str) -> t.NoReturn:
        raise failure_of(read_answer(response, self._hide), what, plain_http=self.origin.scheme == "http", where=str(self.origin))

    def _hide(self, text: str) -> str:
        """A text without the secrets that this registry has been shown."""
        with self._lock:
            secrets = {*self._headers.values(), *(secret for one in self._by_credential.values() for secret in one.secrets())}
        known = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
        # the longest first, for one may be a part of another
        for secret in sorted(known, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _subject(self, repository: str, reference: str = "") -> str:
        separator = "@" if ":" in reference else ":"
        return f"{self.host}/{repository}" + (f"{separator}{reference}" if reference else "")

    # -- the registry as a whole
    def will_write(self) -> None:
        """Ask for the right to push from the first token on, so that no second one is needed for it."""
        self._actions = PULL_PUSH

    def _scope(self, repository: str) -> tuple[Scope]:
        return (repository_scope(repository, self._actions),)

    def ping(self) -> None:
        """Ask for /v2/ once: finds out early whether the registry is there, is a registry, and how to sign in.

        A token service is not asked yet: the first request for a repository does that, and finds a wrong password.
        """
        response = self.transport.request("GET", f"{self._base}/v2/", {"Accept": "application/json"}, attempts=2)
        challenges = tuple(parse_challenges(response.header_lines("WWW-Authenticate")))
        self.greeting = Greeting(challenges, {name: response.headers.get(name, "") for name in TELLING_HEADERS})
        if response.status == 401:
            authenticator = self._authenticator("")
            response.drain()
            try:
                authenticator.challenged(response, {}, ())
            except AuthenticationFailed:
                if authenticator.identity == "anonymous":
                    # there may be credentials for parts of the registry: the first request for a repository tells
                    return
                raise
            if authenticator.uses_tokens:
                return
            response = self._request("GET", "/v2/", (), {"Accept": "application/json"})
        if response.status not in (200, 401, 403):
            # some products answer /v2/ in their own way; what is certainly wrong is a web server without a registry
            if response.status == 404 or response.status >= 500 or (response.status >= 400 and self.origin.scheme == "http"):
                self._fail(response, f"{self.origin}/v2/")
        self._welcome = self._welcome or response.status == 200
        response.drain()

    def repositories(self) -> t.Iterator[str]:
        """The names in `_catalog`, page by page, each once; CatalogForbidden where the registry does not list them."""
        try:
            yield from self._pages("/v2/_catalog", "repositories", (CATALOG_SCOPE,), f"the catalogue of {self.host}")
        except (AccessDenied, AuthenticationFailed, RepositoryUnknown, UnsupportedManifest, RegistryError) as error:
            if isinstance(error, RegistryError) and error.status not in (400, 401, 403, 404, 405, 501):
                raise
            if isinstance(error, AuthenticationFailed) and not self._welcome:
                raise
            raise CatalogForbidden(
                "does not list its repositories for this user.",
                subject=self.host,
                hint="Name the repositories in the rule (repositories: include: [team/app, ...]), or use an account that may list them.",
            ) from error

    def tags(self, repository: str) -> list[str]:
        """All tags of a repository, in the registry's order; RepositoryUnknown where there is none."""
        path = f"/v2/{repository}/tags/list"
        return list(self._pages(path, "tags", self._scope(repository), self._subject(repository)))

    def _pages(self, path: str, key: str, scopes: t.Sequence[Scope], what: str) -> t.Iterator[str]:
        seen: set[str] = set()
        linked = False
        refused = False

        def read(url: str) -> Page[str]:
            nonlocal linked, refused
            response = self._request("GET", url, scopes, {"Accept": "application/json"}, follow=True, read_whole=LIST_BODY)
            if response.status == 400 and not seen and "n=" in url:
                # a registry with a smaller limit refuses the page size; its own default always works
                response.drain()
                refused = True
                return Page((), f"{self._base}{path}")
            if response.status != 200:
                self._fail(response, what)
            answer = response.json(LIST_BODY)
            names = answer.get(key) if isinstance(answer, dict) else None
            if names is None:
                names = []
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise InvalidAnswer(f"answered with a list that has no {key}.", subject=what)
            new = [name for name in dict.fromkeys(names) if name not in seen]
            if key == "repositories" and "last=" in url and not linked:
                check_gone_on(names, seen, what)
            seen.update(new)
            following = self._next_page(url, response, what)
            linked = linked or following is not None
            cut = len(names) == PAGE or (key == "repositories" and len(names) in SMALLER_PAGES)
            if following is None and cut and new and not linked:
                # exactly a page, and no word of another: registries without Link go on from a name
                page = {} if refused else {"n": PAGE}
                following = f"{self._base}{path}?{urlencode({**page, 'last': names[-1]})}"
            return Page(new, following)

        return walk(f"{self._base}{path}?n={PAGE}", read, what)

    def _next_page(self, url: str, response: Response, what: str) -> str | None:
        """What `Link` names as the next page; never on another host."""
        target = next_link(url, response.header_lines("Link"))
        if target is None:
            return None
        following = self._at_home(target)
        if origin_of(following) != self.origin:
            raise InvalidAnswer("the next page of a list is said to be on another host.", subject=what)
        return following

    def _at_home(self, url: str) -> str:
        """An address on the registry's host with the scheme and port that the user gave: behind a proxy registries name their own."""
        target = origin_of(url)
        if target == self.origin or target.host != self.origin.host:
            return url
        parts = urlsplit(url)
        return f"{self._base}{parts.path}" + (f"?{parts.query}" if parts.query else "")

    def ask(
        self, path: str, scopes: t.Sequence[Scope], what: str, *, accept: t.Collection[int] = (200,), method: str = "GET", text: str = ""
    ) -> tuple[t.Any, Response]:
        """What a product adds to the distribution API at the registry's own address: the JSON document, and its answer.

        `path` may be an address of a next page. Statuses that are not in `accept` become errors, about `what`; for those that are and
        have no JSON the document is None.
        """
        headers = {"Accept": "application/json", **({"Content-Type": "application/json"} if text else {})}
        response = self._request(method, path, scopes, headers, text.encode() or None, read_whole=LIST_BODY)
        if response.status not in accept:
            self._fail(response, what)
        if response.status != 200:
            response.drain()
            return None, response
        return response.json(LIST_BODY), response

    def next_page(self, url: str, response: Response, what: str) -> str | None:
        """The address of the page after an answer, on this registry; None where it was the last one."""
        return self._next_page(url if url.startswith("http") else self._base + url, response, what)

    # -- manifests
    def count_pulls(self, quota: PullQuota) -> None:
        """Have no more manifests asked for than a registry gives that counts them."""
        self.pulls = quota
        self.transport.is_final = lambda response: quota.refuses(response.status, response.headers)

    def head_manifest(self, repository: str, reference: str) -> Descriptor | None:
        """Digest, size and media type of a manifest without its bytes; None where there is no such tag or digest.

        Costs a GET more where the registry does not say a tag's digest, or refuses HEAD: some products answer 403 to it for what
        is not there, some do not know it for every user.
        """
        path = f"/v2/{repository}/manifests/{reference}"
        response = self._request("HEAD", path, self._scope(repository), {"Accept": ACCEPT}, follow=True)
        if self.pulls is not None:
            self.pulls.learn(response.status, response.headers)
        if response.status == 404:
            return None
        if response.status not in (200, 403, 405):
            # the answer to a HEAD has no body that would say why
            self._fail(response, self._subject(repository, reference))
        # what is asked for by digest has that digest, whatever a header says; who reads the manifest checks it
        digest = reference if ":" in reference else response.headers.get("Docker-Content-Digest", "")
        if response.status != 200 or not is_digest(digest):
            try:
                manifest = self.get_manifest(repository, reference)
            except (ManifestUnknown, RepositoryUnknown):
                return None
            except RegistryError as error:
                if error.status != 404:
                    raise
                return None
            return Descriptor(manifest.media_type, manifest.digest, len(manifest.data))
        media_type = without_parameters(response.headers.get("Content-Type", ""))
        return Descriptor(media_type, digest, response.length)

    def get_manifest(self, repository: str, reference: str) -> Manifest:
        """A manifest's exact bytes, checked against the digest that it was asked for by, or else that the registry says.

        Bytes that do not fit are asked for once more: what comes a second time is what the registry has, whatever its header says.
        Raises DigestMismatch where nothing fits.
        """
        named = reference if ":" in reference else ""
        data, content_type, said = self._read_manifest(repository, reference)
        if not _fits(data, named or said):
            first = data
            data, content_type, said = self._read_manifest(repository, reference)
            if not named and data != first and not _fits(data, said):
                raise DigestMismatch(
                    "comes with other bytes each time it is asked for, and none have the digest that the registry says.",
                    subject=self._subject(repository, reference),
                    hint="It is changed on the way: look at proxies, and run again.",
                )
        return parse_manifest(data, content_type, named or None, where=self._subject(repository, reference))

    def _read_manifest(self, repository: str, reference: str) -> tuple[bytes, str, str]:
        """A manifest's bytes as they come, the Content-Type, and the digest that the registry says (empty where it says none)."""
        path = f"/v2/{repository}/manifests/{reference}"
        subject = self._subject(repository, reference)
        headers = {"Accept": ACCEPT}
        try:
            response = self._pull(path, repository, headers)
        except AnswerTooLarge as error:
            raise ManifestTooLarge(
                "is larger than 4 MiB, the most that registries have to accept.",
                subject=subject,
                hint="Leave it out, or rebuild the image.",
            ) from error
        if response.status != 200:
            self._fail(response, subject)
        said = response.headers.get("Docker-Content-Digest", "")
        return response.body(), response.headers.get("Content-Type", ""), said if is_digest(said) else ""

    def _pull(self, path: str, repository: str, headers: t.Mapping[str, str]) -> Response:
        """GET a manifest. Where that counts, others who share the pulls may take the last one: then it is waited for anew."""
        quota = self.pulls
        if quota is None:
            return self._request("GET", path, self._scope(repository), headers, follow=True, read_whole=MANIFEST_LIMIT)

        def look() -> bool:
            answer = self._request("HEAD", path, self._scope(repository), headers, follow=True)
            quota.learn(answer.status, answer.headers)
            return answer.status == 200 or quota.refuses(answer.status, answer.headers)

        for _attempt in range(self.transport.options.attempts):
            with quota.pull(look):
                response = self._request("GET", path, self._scope(repository), headers, follow=True, read_whole=MANIFEST_LIMIT)
                quota.learn(response.status, response.headers, counted=True)
            if not quota.refuses(response.status, response.headers):
                break
            response.drain()
        return response

    def put_manifest(self, repository: str, manifest: Manifest, tags: t.Sequence[str] = ()) -> PutManifest:
        """Store a manifest under its digest, or under tags.

        Several tags go in one request where the registry has shown that it takes them (`OCI-Tag`, distribution-spec end-7b), else
        one by one. The manifest is always sent as it came.
        """
        if len(tags) > 1 and self.features.multi_tag is not False:
            made, kept = self._put(repository, manifest.digest, manifest, tags)
            left = [tag for tag in tags if tag not in made]
            for tag in left:
                kept = self._put(repository, tag, manifest)[1]
            # only now: what one by one is refused as well was not the form's fault
            self.features.multi_tag = not left
            return PutManifest((*made, *left), kept)
        if not tags:
            return PutManifest((), self._put(repository, manifest.digest, manifest)[1])
        for tag in tags:
            kept = self._put(repository, tag, manifest)[1]
        return PutManifest(tuple(tags), kept)

    def _put(self, repository: str, reference: str, manifest: Manifest, tags: t.Sequence[str] = ()) -> tuple[tuple[str, ...], bool]:
        query = "?" + urlencode([("tag", tag) for tag in tags]) if tags else ""
        path = f"/v2/{repository}/manifests/{reference}{query}"
        headers = {"Content-Type": manifest.media_type}
        scopes = (repository_scope(repository, PULL_PUSH),)
        try:
            response = self._request("PUT", path, scopes, headers, manifest.data)
        except ConnectionFailed:
            self.doubt([manifest.digest])
            raise
        if response.failed_before or (response.status >= 500 and response.status not in OVERLOADED):
            self.doubt([manifest.digest])
        if response.status == 201 and _is_another(response, manifest):
            # a registry that rewrites manifests does so again; bytes that were changed on the way are put right
            response.drain()
            response = self._request("PUT", path, scopes, headers, manifest.data)
        subject = self._subject(repository, reference)
        if response.status not in (200, 201, 202):
            if tags and response.status in (400, 404, 405, 414, 431):
                # the form with several tags is not known here; one by one will say what else is wrong, if anything
                response.drain()
                return (), False
            self._fail(response, subject)
        response.drain()
        if _is_another(response, manifest):
            raise DigestMismatch(
                f"stored another manifest than was sent: {response.headers['Docker-Content-Digest']} instead of {manifest.digest}.",
                subject=subject,
                hint="The destination rewrites manifests; switch its conversion off, or choose another destination.",
            )
        if self._doubts_all or manifest.digest in self._doubted:
            self._read_back(repository, manifest)
        # one line for each tag, or all in one line
        made = [tag.strip() for line in response.header_lines("OCI-Tag") for tag in line.split(",")]
        return tuple(tag for tag in tags if tag in made), "OCI-Subject" in response.headers

    def _read_back(self, repository: str, manifest: Manifest) -> None:
        """See that a manifest is there that the registry has failed to store before.

        docker-registry leaves an empty file behind when its disk is full, and takes that for the manifest from then on: to the next
        PUT it says 201 without writing anything.
        """
        try:
            self.get_manifest(repository, manifest.digest)
        except MigrationError as error:
            raise ServerFailed(
                f"said to have stored the manifest {manifest.digest}, but does not give it back: {error.message}",
                subject=self._subject(repository, manifest.digest),
                hint="Its storage holds a broken copy that a failure has left: delete that blob there, restart the registry, run again.",
            ) from error
        with self._lock:
            self._doubted.discard(manifest.digest)

    def delete_manifest(self, repository: str, reference: str) -> bool:
        """Delete a tag or a digest; False where it was not there."""
        scope = repository_scope(repository, frozenset({"delete", "pull"}))
        response = self._request("DELETE", f"/v2/{repository}/manifests/{reference}", (scope,))
        if response.status == 404:
            response.drain()
            return False
        if response.status not in (200, 202, 204):
            self._fail(response, self._subject(repository, reference))
        response.drain()
        return True

    def referrers(self, repository: str, digest: str) -> list[Descriptor] | None:
        """Who refers to a manifest; None where the registry has no referrers API (distribution-spec end-12)."""
        if self.features.referrers is False:
            return None
        url: str | None = f"{self._base}/v2/{repository}/referrers/{digest}"
        found: list[Descriptor] = []
        seen: set[str] = set()
        while url is not None:
            if url in seen or len(seen) >= MOST_PAGES:
                raise InvalidAnswer(
                    "its pages of referrers go round in a circle.",
                    subject=self._subject(repository, digest),
                    hint="Report it to the registry's operator.",
                )
            seen.add(url)
            headers = {"Accept": OCI_INDEX}
            response = self._request("GET", url, self._scope(repository), headers, follow=True, read_whole=MANIFEST_LIMIT)
            if response.status != 200:
                answer = read_answer(response, self._hide)
                if answer.status not in (400, 403, 404, 405, 406):
                    raise failure_of(answer, self._subject(repository, digest), plain_http=False, where=str(self.origin))
                # a registry that has the API answers an empty index where there is nothing; 403 may be for this repository alone
                if answer.status != 403 and "NAME_UNKNOWN" not in answer.codes and self.features.referrers is None:
                    self.features.referrers = False
                return None
            try:
                index = parse_manifest(response.body(), OCI_INDEX)
            except MigrationError:
                # a web page in place of an index: no referrers API
                if self.features.referrers is None:
                    self.features.referrers = False
                return None
            self.features.referrers = True
            found += index.children
            url = self._next_page(url, response, self._subject(repository, digest))
        return found

    # -- blobs
    def head_blob(self, repository: str, digest: str) -> int | None:
        """A blob's size in bytes (-1 where the registry does not say it); None where it is not there."""
        path = f"/v2/{repository}/blobs/{digest}"
        response = self._request("HEAD", path, self._scope(repository), follow=True)
        if response.status == 404:
            return None
        if response.status != 200:
            if response.status in (401, 403):
                raise self._denied(self._scope(repository))
            self._fail(response, self._subject(repository, digest))
        return response.length

    def open_blob(self, repository: str, descriptor: Descriptor) -> BlobReader:
        """A reader of a blob's bytes that checks digest and size and goes on after an interruption. Must be closed."""
        subject = self._subject(repository, descriptor.digest)

        def fetch(start: int) -> Response:
            headers = {"Range": f"bytes={start}-"} if start else {}
            path = f"/v2/{repository}/blobs/{descriptor.digest}"
            response = self._request("GET", path, self._scope(repository), headers, follow=True)
            if response.status == 404:
                response.drain()
                raise BlobUnknown(
                    "the source does not have this blob, though a manifest names it.",
                    subject=subject,
                    hint="Push the image again at the source, or leave it out.",
                )
            if start and response.status == 416:
                response.drain()
                raise DigestMismatch(
                    f"the source has only {start} of the {descriptor.size} bytes of this blob.",
                    subject=subject,
                    hint="The blob is corrupt at the source; push the image again there.",
                )
            if response.status not in (200, 206):
                self._fail(response, subject)
            return response

        return BlobReader(fetch, descriptor, subject, self.transport.options.attempts, self.transport.bandwidth)

    def mount(self, repository: str, digest: str, source: str) -> Upload | None:
        """Ask that a blob of the repository `source` be in `repository` too. None: it is there now. Else an upload session.

        With `source` equal to `repository` this asks whether the blob is there already, at the price of the request that an
        upload begins with anyway.
        """
        scopes = [repository_scope(repository, PULL_PUSH)]
        if source != repository:
            scopes.append(repository_scope(source, PULL))
        query = f"mount={quote(digest, safe='')}&from={quote(source, safe='')}"
        # that a mount from elsewhere fails is no disaster: there is another way, which is not waited for long
        return self._start(repository, f"?{query}", scopes, attempts=None if source == repository else MOUNT_ATTEMPTS)

    def start_upload(self, repository: str) -> Upload:
        """Open an upload session."""
        upload = self._start(repository, "", [repository_scope(repository, PULL_PUSH)])
        if upload is None:
            raise InvalidAnswer("answered 201 to the start of an upload.", subject=self._subject(repository))
        return upload

    def _start(self, repository: str, query: str, scopes: t.Sequence[Scope], attempts: int | None = None) -> Upload | None:
        path = f"/v2/{repository}/blobs/uploads/{query}"
        response = self._request("POST", path, scopes, {"Content-Length": "0"}, b"", attempts=attempts)
        if response.status == 201:
            response.drain()
            return None
        if response.status != 202:
            self._fail(response, self._subject(repository))
        response.drain()
        return self._session(response, repository)

    def _session(self, response: Response, repository: str) -> Upload:
        location = response.headers.get("Location", "")
        if not location:
            raise InvalidAnswer("opened an upload without saying where (no Location).", subject=self._subject(repository))
        minimum = response.headers.get("OCI-Chunk-Min-Length", "")
        chunk_min_length = int(minimum) if minimum.isdecimal() and len(minimum) <= MOST_DIGITS else 0
        if chunk_min_length > LARGEST_CHUNK:
            raise InvalidAnswer(
                f"wants pieces of at least {chunk_min_length} bytes, which have to be held in memory.",
                subject=self._subject(repository),
                hint=f"Have it take pieces of {LARGEST_CHUNK} bytes or fewer.",
            )
        if not location.startswith(self._here):
            # the usual form needs no taking apart
            location = self._at_home(joined(response.url, location))
        if self.origin.scheme == "https" and self.transport.parse(location)[0].scheme != "https":
            raise RedirectRefused(
                f"wants an upload sent over plain http to {origin_of(location)}.",
                subject=str(self.origin),
                hint="Have the registry's storage or proxy answer with https addresses.",
            )
        return Upload(location[len(self._base) :] if location.startswith(self._here) else location, chunk_min_length)

    def post_blob(self, repository: str, digest: str, body: Body, length: int) -> Upload | None:
        """Send a blob in one POST. None: stored. Else the registry does not know this form, and opened a session instead."""
        path = f"/v2/{repository}/blobs/uploads/?{urlencode({'digest': digest})}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        response = self._request("POST", path, (repository_scope(repository, PULL_PUSH),), headers, body)
        if response.status not in (201, 202):
            where, plain = str(self.origin), self.origin.scheme == "http"
            error = failure_of(read_answer(response, self._hide), self._subject(repository, digest), plain_http=plain, where=where)
            if response.status not in NO_SINGLE_POST or not isinstance(error, (RegistryError, UnsupportedManifest)):
                raise error
            # refused without opening a session; if anything else is wrong, the usual way tells
            self.features.single_post = False
            return self.start_upload(repository)
        response.drain()
        self.features.single_post = response.status == 201
        return None if response.status == 201 else self._session(response, repository)

    def put_blob(self, repository: str, upload: Upload, digest: str, body: Body, length: int) -> None:
        """Send all bytes of a blob to an upload session, in one PUT; `length` in bytes."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        location = _with_query(upload.location, digest=digest)
        response = self._request("PUT", location, (repository_scope(repository, PULL_PUSH),), headers, body)
        self._finish(response, repository, digest)

    def put_blob_in_chunks(self, repository: str, upload: Upload, digest: str, body: t.Iterable[bytes], chunk_size: int) -> None:
        """Send a blob in PATCHes of `chunk_size` bytes and close the session with a PUT (distribution-spec "Pushing a blob in chunks")."""
        size = max(chunk_size, upload.chunk_min_length)
        scopes = (repository_scope(repository, PULL_PUSH),)
        start = 0
        # one place to the end: who reads from elsewhere meanwhile must not have to wait here for those who wait there
        with self.transport.limits(self.transport.parse(upload.location)[0]).gate.place():
            for chunk in _in_pieces(body, size):
                headers = {
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(len(chunk)),
                    "Content-Range": f"{start}-{start + len(chunk) - 1}",
                }
                # repeated blindly, a chunk that had arrived would be appended twice: the whole blob is started again instead
                response = self._request("PATCH", upload.location, scopes, headers, chunk, attempts=1)
                # 202 by the specification; some products say 201
                if response.status not in (200, 201, 202, 204):
                    self._fail(response, self._subject(repository, digest))
                response.drain()
                upload = self._session(response, repository) if "Location" in response.headers else upload
                start += len(chunk)
            location = _with_query(upload.location, digest=digest)
            response = self._request("PUT", location, scopes, {"Content-Length": "0"}, b"", attempts=1)
            self._finish(response, repository, digest)

    def _finish(self, response: Response, repository: str, digest: str) -> None:
        if response.status in REDIRECTS:
            response.drain()
            raise RegistryError("redirects an upload.", subject=self._subject(repository, digest), status=response.status)
        if response.status not in (200, 201, 204):
            self._fail(response, self._subject(repository, digest))
        response.drain()

    def close(self) -> None:
        """Drop all connections."""
        self.transport.close()


def _fits(data: bytes, digest: str) -> bool:
    """Whether a manifest's bytes may have that digest; signed ones have that of their payload, which is not looked at here."""
    return not digest or matches(data, digest) or b'"signatures"' in data


def _is_another(response: Response, manifest: Manifest) -> bool:
    """Whether the answer to a PUT says that something else was stored than was sent; a digest of another algorithm says nothing."""
    stored = response.headers.get("Docker-Content-Digest", "")
    return is_digest(stored) and stored.split(":")[0] == manifest.digest.split(":")[0] and stored != manifest.digest


def _with_query(url: str, **more: str) -> str:
    """The address with parameters added; what is in its query already is kept to the letter (it may be signed)."""
    if not any(f"{name}=" in url for name in more):
        separator = "&" if "?" in url else "?"
        return url + separator + "&".join(f"{name}={quote(value, safe='')}" for name, value in more.items())
    parts = urlsplit(url)
    names = {name for name, _value in parse_qsl(parts.query, keep_blank_values=True)}
    added = "&".join(f"{name}={quote(value, safe='')}" for name, value in more.items() if name not in names)
    separator = "&" if parts.query and added else ""
    return parts._replace(query=f"{parts.query}{separator}{added}").geturl()


def _in_pieces(body: t.Iterable[bytes], size: int) -> t.Iterator[bytes]:
    held = bytearray()
    for data in body:
        held += data
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)

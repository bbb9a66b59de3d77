# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a counting registry behaves: one field for each way in which registries differ, and rules for faults on purpose."""

from __future__ import annotations

import dataclasses
import re
import typing as t


@dataclasses.dataclass
class Rule:
    """A fault, done to the first `times` requests that match (None: to every one), after `skip` of them went through.

    `action`:
    - `answer`: the request is not carried out; `status`, `headers` and `body` are the answer;
    - `reset`: the connection is reset (RST) before the request is carried out;
    - `close`: the connection is closed without an answer, before the request is carried out;
    - `lose_answer`: the request is carried out, then the connection is closed without an answer;
    - `cut`: the request is carried out, and its answer breaks off after `keep` bytes of the body;
    - `delay`: nothing but the wait.
    `delay`: seconds to wait first, with any action.
    """

    method: str = ".*"
    path: str = ".*"
    times: int | None = 1
    skip: int = 0
    action: t.Literal["answer", "reset", "close", "lose_answer", "cut", "delay"] = "answer"
    status: int = 500
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    keep: int = 0
    delay: float = 0.0
    #: how many requests it has been done to
    done: int = dataclasses.field(default=0, init=False)

    def applies(self, method: str, path: str) -> bool:
        """Whether this request is the rule's; counts it. `path` comes with its query; both patterns are regular expressions.

        The pattern of the path may match anywhere in it, that of the method must match all of it.
        """
        if not (re.fullmatch(self.method, method) and re.search(self.path, path)):
            return False
        if self.times is not None and self.done >= self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.done += 1
        return True


@dataclasses.dataclass
class Behaviour:
    """The knobs of a counting registry. As it stands: docker-registry 2.8.2 without authentication, but with the specification's lists.

    All of them may be changed while the server runs; a change holds from the next request on.
    """

    # -- who may do what
    authentication: t.Literal["none", "basic", "bearer"] = "none"
    #: `{user: password}`; empty: nobody is asked for a name (bearer: anonymous tokens are good for everything)
    users: dict[str, str] = dataclasses.field(default_factory=dict)
    #: seconds a token is good for
    token_ttl: int = 300
    #: false: the token answer does not say how long the token lives (a client then counts on 60 seconds)
    token_names_expiry: bool = True
    #: the token covers the first scope that was asked for, and no other
    first_scope_only: bool = False
    #: more scopes than this in one request for a token: 400 (0: any number)
    scope_cap: int = 0
    #: whether the token service knows the OAuth2 form (POST); 404 otherwise
    token_post: bool = True

    #: seconds by which the server's clock is ahead (negative: behind), in Date, in moments to come again, and in tokens
    clock: float = 0.0

    # -- speed and limits
    #: seconds to wait before each answer
    latency: float = 0.0
    #: every Nth request is answered 429 (0: none)
    throttle_every: int = 0
    #: how a 429 says when to come again: seconds, an HTTP date, unix time, or not at all
    retry_after: t.Literal["seconds", "date", "unix", "none"] = "seconds"
    retry_after_seconds: int = 1
    #: 413 for a larger request body of blob data: single POST, PUT or PATCH (0: any size)
    max_body: int = 0
    #: 413 for a larger manifest (0: any size)
    max_manifest: int = 4 << 20

    # -- writing
    #: off: 202, the upload goes on as usual; deny: 401 for a mount from another repository; anonymous: `from` may be left out
    mount: t.Literal["on", "off", "deny", "anonymous"] = "on"
    #: media types of the manifests that are taken; others are answered with 400 MANIFEST_INVALID (empty: all are taken)
    manifest_types: frozenset[str] = frozenset()
    #: POST ?digest= with the blob as its body makes the blob; otherwise 202, and the body is wasted
    single_post: bool = False
    #: PUT manifests/<digest>?tag=a&tag=b makes the tags and names them in OCI-Tag; otherwise the query is ignored
    multi_tag: bool = False
    #: of a multi-tag PUT only this many tags are made and named (0: all)
    multi_tag_cap: int = 0
    #: 400 TAG_INVALID for a tag that exists with another digest
    immutable_tags: bool = False
    #: 405 for whatever writes
    read_only: bool = False
    #: tags that differ in case alone are one tag, kept in lower case
    fold_tags: bool = False
    location: t.Literal["absolute", "relative"] = "absolute"
    #: the Location of an upload has a query, and the upload is not found without it
    location_query: bool = True
    #: announced as OCI-Chunk-Min-Length; 416 for a chunk after a shorter one (0: any size)
    chunk_min_length: int = 0
    #: false: a PATCH whose Content-Range starts elsewhere than the upload ends is appended all the same
    check_content_range: bool = True
    #: an upload is lost when its connection is cut in the middle of a PATCH or PUT: 404 from then on
    forget_cut_uploads: bool = True
    #: manifests may name blobs and manifests that are not there
    sparse: bool = False
    #: DELETE manifests/<tag> removes the tag; otherwise 400 DIGEST_INVALID
    delete_tags: bool = False

    # -- reading
    referrers: bool = True
    #: strict: a manifest is served only to whom names its type in Accept, as docker-registry does; any: to everybody
    accept: t.Literal["strict", "any"] = "strict"
    #: manifests come without Docker-Content-Digest and ETag
    no_digest_header: bool = False
    #: Docker-Content-Digest of manifests is that of other bytes
    wrong_digest_header: bool = False
    #: GET of a blob is redirected (307) to this name of the same server (`localhost` beside `127.0.0.1`), where a request that
    #: carries Authorization is refused with 400, as object storage does with signed addresses
    storage_host: str = ""
    #: blobs come gzip-encoded to whom accepts that
    gzip: bool = False
    #: Range is ignored: always the whole blob with 200
    no_range: bool = False
    #: the first GET of each larger blob breaks off after this many bytes (0: none)
    cut: int = 0
    #: digests of blobs that are served with a byte changed
    corrupt: set[str] = dataclasses.field(default_factory=set)
    #: digests of blobs that are not found, whatever the repository says
    missing: set[str] = dataclasses.field(default_factory=set)

    # -- lists
    #: never more than this many names in a list (0: as many as are asked for)
    page_size: int = 0
    #: 400 PAGINATION_NUMBER_INVALID for a larger `n` (0: any)
    max_n: int = 0
    #: `n` and `last` of tag lists are ignored; everything comes at once and unsorted
    no_paging: bool = False
    link: t.Literal["quoted", "unquoted", "absolute", "other_host"] = "quoted"
    #: an empty list is `null`, and a repository that has no tag answers with one instead of 404
    tags_null: bool = False
    #: a repository that does not exist has an empty list of tags instead of 404
    empty_list_for_unknown: bool = False
    #: status of `_catalog`: 200, or 401, 403, 404 where it is forbidden
    catalog: int = 200

    #: the text of a `Warning: 299` header on every answer
    warning: str = ""
    rules: list[Rule] = dataclasses.field(default_factory=list)

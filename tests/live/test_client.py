# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client of the distribution specification: against docker-registry, and against all that other registries do differently."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import gzip
import json
import re
import threading
import time
import typing as t

import pytest
from estate import compare, images
from estate.behaviour import Behaviour, Rule
from estate.counting import CountingRegistry
from estate.images import digest_of
from estate.push import push
from runs.wire import blob, connect, manifest_of, noise

from ansible_collections.registryops.migration.plugins.module_utils._oci import blobs as our_blobs, http as our_http, paging as our_paging
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import PAGE, Features, RegistryClient, Upload
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    BlobUnknown,
    CatalogForbidden,
    ConnectionFailed,
    DigestMismatch,
    InvalidAnswer,
    InvalidManifest,
    InvalidName,
    ManifestBlobUnknown,
    ManifestTooLarge,
    ManifestUnknown,
    MigrationError,
    RegistryError,
    RegistryReadOnly,
    RepositoryUnknown,
    ServerFailed,
    TagImmutable,
    UnsupportedManifest,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import Descriptor
from ansible_collections.registryops.migration.plugins.module_utils._oci.media_types import ACCEPT, MANIFESTS, OCI_MANIFEST

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.registry import Registry, RegistryFactory

NAME, TAG = "small/image", "one"
SMALL = images.small_set()
HELD = SMALL.repositories[NAME]
DIGEST = HELD.tags[TAG]
IMAGE = HELD.manifests[DIGEST]
ABSENT = "sha256:" + "0" * 64
DATA = noise("client", 50_000)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (our_http, our_blobs):
        monkeypatch.setattr(module, "backoff", lambda attempt: 0.001 * attempt)


@pytest.fixture
def registry(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    """A counting registry that holds the small set."""
    registry = counting_registry()
    registry.load(SMALL)
    return registry


@pytest.fixture
def client(registry: CountingRegistry) -> RegistryClient:
    return connect(registry)


@pytest.fixture(scope="module")
def real(module_registries: RegistryFactory) -> Registry:
    """docker-registry with the demo set and the small one. Tests write to repositories of their own."""
    registry = module_registries.start("real", schema1=True)
    for one in (SMALL, images.demo_set(), images.schema1_set()):
        push(registry.url, one)
    return registry


def read(client: RegistryClient, name: str, of: Descriptor) -> bytes:
    with contextlib.closing(client.open_blob(name, of)) as reader:
        return b"".join(reader)


def upload(client: RegistryClient, name: str, data: bytes) -> None:
    client.put_blob(name, client.start_upload(name), digest_of(data), data, len(data))


def set_of_tags(name: str, count: int) -> images.ImageSet:
    """A repository with so many tags of one image."""
    made = images.ImageSet()
    images.add_image(made.repository(name), name, [images.layer(name, 100)], [f"v{number}" for number in range(count)])
    return made


# -- the registry as a whole -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 418, 500, 503])
def test_an_address_without_a_registry(status, registry, client):
    registry.behaviour.rules.append(Rule(status=status, body=b"<html>Welcome</html>", times=None))
    with pytest.raises(RegistryError) as caught:
        client.ping()
    assert caught.value.subject == f"{registry.host}/v2/"


@pytest.mark.parametrize("status", [200, 403])
def test_a_registry_that_answers_its_own_way(status, registry, client):
    registry.behaviour.rules.append(Rule(status=status))
    client.ping()


# -- the catalogue -----------------------------------------------------------------------------------------------------


def test_the_catalogue(real):
    assert sorted(connect(real).repositories()) == sorted(compare.repositories_of(real))


def test_a_catalogue_in_pages(registry, client):
    names = [f"team/app{number:03}" for number in range(53)]
    for name in names:
        registry.load(set_of_tags(name, 1))
    registry.behaviour.page_size = 10
    assert sorted(client.repositories()) == sorted([NAME, *names])
    assert registry.count(kind="catalog") == 6


def test_a_catalogue_is_read_as_it_is_needed(registry, client):
    for number in range(30):
        registry.load(set_of_tags(f"app{number:02}", 1))
    registry.behaviour.page_size = 10
    assert next(client.repositories()) == "app00"
    assert registry.count(kind="catalog") == 1


def catalogue_pages(registry, *pages):
    """Have the catalogue come in these pages, with no word of another: each goes on from the last name of the one before."""
    last = ""
    for names in pages:
        path = f"last={last}$" if last else r"_catalog\?n=1000$"
        registry.behaviour.rules.append(Rule(path=path, status=200, body=json.dumps({"repositories": names}).encode(), times=None))
        last = names[-1] if names else ""


def test_a_catalogue_that_is_cut_is_gone_on_with(registry, client):
    """Some products make pages of a hundred whatever they are asked for, and do not say that there is more."""
    names = [f"app{number:03}" for number in range(230)]
    catalogue_pages(registry, names[:100], names[100:200], names[200:])
    assert list(client.repositories()) == names
    assert registry.count(kind="catalog") == 3


@pytest.mark.parametrize("more", [[], ["app099"]], ids=["nothing", "the last one again"])
def test_a_catalogue_of_just_a_hundred(more, registry, client):
    names = [f"app{number:03}" for number in range(100)]
    catalogue_pages(registry, names, more)
    assert list(client.repositories()) == names


@pytest.mark.parametrize("size", [100, PAGE])
def test_a_catalogue_that_is_cut_and_cannot_be_gone_on_with(size, registry, client):
    """The same names again where more are asked for: whether these are all, nobody knows."""
    body = json.dumps({"repositories": [f"app{number:03}" for number in range(size)]}).encode()
    registry.behaviour.rules.append(Rule(path="_catalog", status=200, body=body, times=None))
    with pytest.raises(InvalidAnswer, match=f"lists {size} repositories") as caught:
        list(client.repositories())
    assert caught.value.subject == f"the catalogue of {registry.host}"
    assert "repositories: include:" in caught.value.hint
    assert registry.count(kind="catalog") == 2


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_catalogue_that_is_forbidden(status, registry, client):
    registry.behaviour.catalog = status
    client.ping()
    with pytest.raises(CatalogForbidden) as caught:
        list(client.repositories())
    assert caught.value.subject == registry.host
    assert "include" in caught.value.hint


@pytest.mark.parametrize(("status", "code"), [(405, "UNSUPPORTED"), (501, "UNSUPPORTED"), (400, "UNSUPPORTED"), (404, "NAME_UNKNOWN")])
def test_forbidden_in_other_words(status, code, registry, client):
    body = json.dumps({"errors": [{"code": code}]}).encode()
    registry.behaviour.rules.append(Rule(path="_catalog", status=status, body=body, times=None))
    with pytest.raises(CatalogForbidden):
        list(client.repositories())


def test_a_registry_that_is_unwell_does_not_forbid_its_catalogue(registry):
    registry.behaviour.rules.append(Rule(path="_catalog", status=500, times=None))
    with pytest.raises(ServerFailed):
        list(connect(registry, attempts=2).repositories())


# -- lists of tags -----------------------------------------------------------------------------------------------------


def test_tags_of_docker_registry(real, registry):
    """It ignores `n` and does not sort."""
    push(real.url, set_of_tags("many/tags", 30))
    assert sorted(connect(real).tags("many/tags")) == sorted(f"v{number}" for number in range(30))


def test_lists_are_asked_for_with_the_largest_page_and_as_json(registry, client):
    client.tags(NAME)
    assert registry.log[0].path == f"/v2/{NAME}/tags/list?n={PAGE}"
    # with the types of manifests, some registries answer 406
    assert registry.log[0].headers["accept"] == "application/json"


@pytest.mark.parametrize("link", ["quoted", "unquoted", "absolute"])
def test_forms_of_links(link, registry, client):
    registry.load(set_of_tags("many", 25))
    registry.behaviour.link, registry.behaviour.page_size = link, 10
    assert len(client.tags("many")) == 25
    assert registry.count(kind="tags") == 3


@pytest.mark.parametrize(
    "link",
    [
        '</v2/many/tags/list?last=b&n=2>; rel="next"',
        "</v2/many/tags/list?last=b&n=2>;rel=next",
        '</v2/many/tags/list?last=b&n=2>; title="more"; rel = "next"',
        '</v2/many/tags/list>; rel="first", </v2/many/tags/list?last=b&n=2>; rel="next"',
        "<list?last=b&n=2>; REL=NEXT",
        "<?last=b&n=2>; rel=next",
        "<http://{host}:1/v2/many/tags/list?last=b&n=2>; rel=next",
        "<https://{host}/v2/many/tags/list?last=b&n=2>; rel=next",
    ],
)
def test_links_that_lead_on(link, registry, client):
    """Also those with the scheme and port that a registry believes to have."""
    link = link.replace("{host}", "127.0.0.1")
    registry.behaviour.rules += [
        Rule(path="n=1000", status=200, headers={"Link": link}, body=b'{"tags": ["a", "b"]}'),
        Rule(path=r"/v2/many/tags/list\?last=b&n=2$", status=200, body=b'{"tags": ["c"]}'),
    ]
    assert client.tags("many") == ["a", "b", "c"]


@pytest.mark.parametrize("link", ['</v2/x>; rel="previous"', "</v2/x>", "", "nonsense", '</v2/x>; rel="nextish"'])
def test_links_that_lead_nowhere(link, registry, client):
    registry.behaviour.rules.append(Rule(status=200, headers={"Link": link}, body=b'{"tags": ["a"]}'))
    assert client.tags("many") == ["a"]


def test_no_link_leads_to_another_host(registry, client):
    registry.load(set_of_tags("many", 25))
    registry.behaviour.link, registry.behaviour.page_size = "other_host", 10
    with pytest.raises(InvalidAnswer) as caught:
        client.tags("many")
    assert "another host" in caught.value.message
    assert registry.count() == 1


def test_a_registry_with_smaller_pages(registry, client):
    registry.load(set_of_tags("many", 25))
    registry.behaviour.max_n, registry.behaviour.page_size = 400, 10
    assert len(client.tags("many")) == 25
    assert [one.status for one in registry.log] == [400, 200, 200, 200]
    assert "n=" not in registry.log[1].path


def test_400_that_is_not_about_the_page(registry, client):
    registry.behaviour.rules.append(Rule(status=400, times=None))
    with pytest.raises(RegistryError):
        client.tags(NAME)
    assert registry.count() == 2


def test_twenty_thousand_tags_at_once(registry, client):
    registry.load(set_of_tags("many", 20_000))
    registry.behaviour.no_paging = True
    tags = client.tags("many")
    assert len(tags) == len(set(tags)) == 20_000
    assert registry.count() == 1


def test_twenty_thousand_tags_in_pages(registry, client):
    registry.load(set_of_tags("many", 20_000))
    tags = client.tags("many")
    assert len(tags) == len(set(tags)) == 20_000
    assert registry.count() == 20


def test_a_full_page_without_a_word_of_another(registry, client):
    """Registries without Link: it is gone on from the last name, until nothing new comes."""
    names = [f"v{number:05}" for number in range(2 * PAGE + 5)]

    def page(first: int) -> Rule:
        body = json.dumps({"tags": names[first : first + PAGE]}).encode()
        last = f"&last={names[first - 1]}$" if first else "n=1000$"
        return Rule(path=last, status=200, body=body, times=None)

    registry.behaviour.rules = [page(0), page(PAGE), page(2 * PAGE)]
    assert client.tags("many") == names
    assert registry.count() == 3


def test_a_full_list_of_a_registry_that_knows_no_pages(registry, client):
    registry.load(set_of_tags("many", PAGE))
    registry.behaviour.no_paging = True
    assert len(client.tags("many")) == PAGE
    assert registry.count() == 2


@pytest.mark.parametrize("link", ["</v2/many/tags/list?n=1000>; rel=next", "</v2/many/tags/list?last=a>; rel=next"])
def test_pages_in_a_circle(link, registry, client):
    registry.behaviour.rules.append(Rule(status=200, headers={"Link": link}, body=b'{"tags": ["a"]}', times=None))
    with pytest.raises(InvalidAnswer) as caught:
        client.tags("many")
    assert "circle" in caught.value.message
    assert registry.count() <= 2


def test_pages_without_end(registry, client, monkeypatch):
    """Each has another address and the same names."""
    monkeypatch.setattr(our_paging, "MOST_BARREN_PAGES", 5)
    registry.behaviour.rules += [
        Rule(status=200, headers={"Link": f"</v2/many/tags/list?page={number}>; rel=next"}, body=b'{"tags": ["a"]}') for number in range(20)
    ]
    with pytest.raises(InvalidAnswer):
        client.tags("many")
    assert registry.count() == 7


def test_empty_pages_in_between(registry, client):
    """As where a user sees only some of the names."""
    registry.behaviour.rules += [
        Rule(status=200, headers={"Link": f"</v2/many/tags/list?page={number}>; rel=next"}, body=b'{"tags": []}') for number in range(20)
    ]
    registry.behaviour.rules.append(Rule(status=200, body=b'{"tags": ["a"]}'))
    assert client.tags("many") == ["a"]


def test_names_that_come_twice(registry, client):
    registry.behaviour.rules += [
        Rule(status=200, headers={"Link": "</v2/many/tags/list?last=b>; rel=next"}, body=b'{"tags": ["a", "b", "a"]}'),
        Rule(status=200, body=b'{"tags": ["b", "c"]}'),
    ]
    assert client.tags("many") == ["a", "b", "c"]


@pytest.mark.parametrize("body", [b'{"tags": null}', b'{"name": "x"}', b'{"tags": []}', b"[]", b"null"])
def test_lists_without_names(body, registry, client):
    registry.behaviour.rules.append(Rule(status=200, body=body))
    assert client.tags("many") == []


@pytest.mark.parametrize("body", [b'{"tags": "a"}', b'{"tags": [1]}', b'{"tags": {"a": 1}}', b"<html>", b""])
def test_lists_that_are_none(body, registry, client):
    registry.behaviour.rules.append(Rule(status=200, body=body))
    with pytest.raises(InvalidAnswer):
        client.tags("many")


def test_a_repository_without_tags(registry, client):
    registry.behaviour.tags_null, registry.behaviour.delete_tags = True, True
    for tag in HELD.tags:
        client.delete_manifest(NAME, tag)
    assert client.tags(NAME) == []


def test_an_unknown_repository(real):
    with pytest.raises(RepositoryUnknown) as caught:
        connect(real).tags("does/not/exist")
    assert caught.value.subject == f"{real.host}/does/not/exist"


def test_an_unknown_repository_that_is_just_empty(registry, client):
    registry.behaviour.empty_list_for_unknown = True
    assert client.tags("does/not/exist") == []


def test_a_list_that_breaks_off_is_asked_for_again(registry, client):
    registry.behaviour.rules.append(Rule(action="cut", keep=15))
    assert sorted(client.tags(NAME)) == sorted(HELD.tags)


# -- manifests ---------------------------------------------------------------------------------------------------------


def test_manifests_of_every_kind(real):
    client = connect(real)
    sets = [SMALL, images.demo_set(), images.schema1_set()]
    for one in sets:
        for name, held in one.repositories.items():
            for tag, digest in held.tags.items():
                found = client.head_manifest(name, tag)
                assert (found.digest, found.media_type) == (digest, held.manifests[digest].media_type)
                manifest = client.get_manifest(name, tag)
                assert (manifest.digest, manifest.media_type) == (digest, found.media_type)
                assert client.get_manifest(name, digest).digest == digest
                if manifest.kind != "schema1":
                    # of schema 1 docker-registry writes the signatures, which no digest is about, anew at each request
                    assert manifest.data == held.manifests[digest].data
                    assert found.size == len(manifest.data)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_every_type_is_asked_for_and_schema_1_last(method, registry, client):
    (client.head_manifest if method == "HEAD" else client.get_manifest)(NAME, TAG)
    accepted = [one.strip() for one in registry.log[0].headers["accept"].split(",")]
    assert set(accepted) == MANIFESTS
    assert all("manifest.v1+" in one for one in accepted[-2:])
    assert not any("manifest.v1+" in one and "docker" in one for one in accepted[:-2])
    assert registry.log[0].headers["accept"] == ACCEPT


@pytest.mark.parametrize("reference", ["absent", ABSENT])
@pytest.mark.parametrize("name", [NAME, "does/not/exist"])
def test_manifests_that_are_not_there(name, reference, real):
    client = connect(real)
    assert client.head_manifest(name, reference) is None
    with pytest.raises((ManifestUnknown, RepositoryUnknown)) as caught:
        client.get_manifest(name, reference)
    assert caught.value.subject == f"{real.host}/{name}{'@' if ':' in reference else ':'}{reference}"


def test_a_registry_that_names_no_digest(registry, client):
    registry.behaviour.no_digest_header = True
    found = client.head_manifest(NAME, TAG)
    assert (found.digest, found.size, found.media_type) == (DIGEST, len(IMAGE.data), IMAGE.media_type)
    assert registry.counts() == {"HEAD manifest": 1, "GET manifest": 1}


def test_what_is_asked_for_by_digest_needs_no_header(registry, client):
    registry.behaviour.no_digest_header = True
    assert client.head_manifest(NAME, DIGEST).digest == DIGEST
    assert registry.count() == 1


def test_a_header_with_another_digest(registry, client):
    registry.behaviour.wrong_digest_header = True
    # a tag's digest cannot be checked without its bytes
    assert client.head_manifest(NAME, TAG).digest != DIGEST
    # where there are bytes, only they count
    assert client.get_manifest(NAME, TAG).digest == DIGEST
    assert client.get_manifest(NAME, DIGEST).digest == DIGEST
    assert client.head_manifest(NAME, DIGEST).digest == DIGEST


@pytest.mark.parametrize("header", ["", "nonsense", "sha256:abc", "md5:" + "0" * 32])
def test_a_header_that_is_no_digest(header, registry, client):
    rule = Rule(method="HEAD", status=200, headers={"Docker-Content-Digest": header, "Content-Type": IMAGE.media_type})
    registry.behaviour.rules.append(rule)
    assert client.head_manifest(NAME, TAG).digest == DIGEST


def test_other_algorithms(registry, client):
    digest = digest_of(IMAGE.data, "sha512")
    client.put_manifest(NAME, dataclasses.replace(manifest_of(IMAGE), digest=digest))
    assert client.get_manifest(NAME, digest).digest == digest
    assert client.head_manifest(NAME, digest).digest == digest


@pytest.mark.parametrize("status", [403, 405])
def test_a_registry_that_refuses_head(status, registry, client):
    registry.behaviour.rules.append(Rule(method="HEAD", status=status, times=None))
    assert client.head_manifest(NAME, TAG).digest == DIGEST
    assert client.head_manifest(NAME, "absent") is None
    assert client.head_manifest("absent", TAG) is None
    registry.behaviour.rules.append(Rule(method="GET", status=403, times=None))
    with pytest.raises(AccessDenied):
        client.head_manifest(NAME, TAG)


def test_a_registry_without_error_codes(registry, client):
    registry.behaviour.rules.append(Rule(method="HEAD", status=403, times=None))
    registry.behaviour.rules.append(Rule(method="GET", status=404, body=b"<html>not found</html>", times=None))
    assert client.head_manifest(NAME, TAG) is None
    with pytest.raises(RegistryError) as caught:
        client.get_manifest(NAME, TAG)
    assert caught.value.status == 404


def test_wrong_bytes_under_a_digest(registry, client):
    rule = Rule(status=200, headers={"Content-Type": IMAGE.media_type}, body=IMAGE.data + b" ", times=None)
    registry.behaviour.rules.append(rule)
    with pytest.raises(DigestMismatch) as caught:
        client.get_manifest(NAME, DIGEST)
    assert caught.value.subject == f"{registry.host}/{NAME}@{DIGEST}"
    assert rule.done == 2


@pytest.mark.parametrize("reference", [TAG, DIGEST])
def test_wrong_bytes_once(reference, registry, client):
    headers = {"Content-Type": IMAGE.media_type, "Docker-Content-Digest": DIGEST}
    registry.behaviour.rules.append(Rule(status=200, headers=headers, body=IMAGE.data + b" "))
    assert client.get_manifest(NAME, reference).data == IMAGE.data


def test_other_wrong_bytes_each_time(registry, client):
    headers = {"Content-Type": IMAGE.media_type, "Docker-Content-Digest": DIGEST}
    for number in range(2):
        registry.behaviour.rules.append(Rule(status=200, headers=headers, body=IMAGE.data + b" " * (number + 1)))
    with pytest.raises(DigestMismatch) as caught:
        client.get_manifest(NAME, TAG)
    assert "each time" in caught.value.message


def test_content_types_with_parameters_and_without_meaning(registry, client):
    for content_type in (f"{IMAGE.media_type}; charset=utf-8", "application/json", "text/plain; charset=utf-8"):
        registry.behaviour.rules.append(Rule(status=200, headers={"Content-Type": content_type}, body=IMAGE.data))
        assert client.get_manifest(NAME, TAG).media_type == OCI_MANIFEST


@pytest.mark.parametrize("padding", [0, 1])
def test_the_largest_manifest(padding, registry, client):
    registry.behaviour.max_manifest = 0
    document = {**json.loads(IMAGE.data), "annotations": {"padding": ""}}
    room = (4 << 20) - len(json.dumps(document).encode()) + padding
    data = json.dumps({**document, "annotations": {"padding": "x" * room}}).encode()
    large = images.ImageSet()
    images.add_manifest(large.repository("large"), data, IMAGE.media_type, ["large"])
    registry.load(large)
    if not padding:
        assert client.get_manifest("large", "large").data == data
        return
    with pytest.raises(ManifestTooLarge) as caught:
        client.get_manifest("large", "large")
    assert caught.value.subject == f"{registry.host}/large:large"
    # that much, and not a whole answer without end, has been read
    assert client.head_manifest("large", "large").size == len(data)


def test_a_manifest_of_an_unknown_type(registry, client):
    registry.load(images.unknown_type_set())
    registry.behaviour.accept = "any"
    with pytest.raises(UnsupportedManifest) as caught:
        client.get_manifest("odd/artifact", "strange")
    assert "odd/artifact:strange" in caught.value.subject
    assert client.get_manifest("odd/artifact", "ordinary")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[]", b'{"schemaVersion": 2}'])
def test_what_is_no_manifest(body, registry, client):
    registry.behaviour.rules.append(Rule(status=200, headers={"Content-Type": IMAGE.media_type}, body=body))
    with pytest.raises(InvalidManifest):
        client.get_manifest(NAME, TAG)


def test_a_manifest_that_is_compressed_unasked(registry, client):
    headers = {"Content-Type": IMAGE.media_type, "Content-Encoding": "gzip"}
    registry.behaviour.rules.append(Rule(status=200, headers=headers, body=gzip.compress(IMAGE.data)))
    assert client.get_manifest(NAME, DIGEST).data == IMAGE.data


@pytest.mark.parametrize("name", ["absent", "a" * 300])
def test_errors_name_what_was_asked_for(name, registry, client):
    with pytest.raises(MigrationError) as caught:
        client.get_manifest(name, "latest")
    assert caught.value.subject == f"{registry.host}/{name}:latest"


# -- putting manifests -------------------------------------------------------------------------------------------------


def test_a_manifest_with_several_tags_at_docker_registry(real):
    client = connect(real)
    for one in HELD.blobs.values():
        upload(client, "put/tags", one)
    answer = client.put_manifest("put/tags", manifest_of(IMAGE), ["a", "b", "c"])
    assert answer.tags == ("a", "b", "c")
    assert not answer.subject_kept
    assert sorted(client.tags("put/tags")) == ["a", "b", "c"]
    assert client.features.multi_tag is False
    assert compare.tags_of(real)["put/tags", "a"] == DIGEST


def test_a_manifest_without_a_tag(registry, client):
    registry.wipe()
    for one in HELD.blobs.values():
        upload(client, NAME, one)
    assert client.put_manifest(NAME, manifest_of(IMAGE)).tags == ()
    assert registry.snapshot()[NAME].tags == {}
    assert client.get_manifest(NAME, DIGEST).data == IMAGE.data


def test_several_tags_in_one_request(registry, client):
    registry.behaviour.multi_tag = True
    for tags in (["a", "b"], ["c", "d", "e"]):
        assert client.put_manifest(NAME, manifest_of(IMAGE), tags).tags == tuple(tags)
    assert registry.count("PUT", "manifest") == 2
    assert client.features.multi_tag is True
    assert {"a", "b", "c", "d", "e"} <= set(registry.snapshot()[NAME].tags)


def test_tags_that_were_not_made_are_put_one_by_one(registry, client):
    registry.behaviour.multi_tag, registry.behaviour.multi_tag_cap = True, 2
    assert client.put_manifest(NAME, manifest_of(IMAGE), ["a", "b", "c", "d"]).tags == ("a", "b", "c", "d")
    assert registry.count("PUT", "manifest") == 3
    assert client.features.multi_tag is False
    client.put_manifest(NAME, manifest_of(IMAGE), ["e", "f"])
    assert registry.count("PUT", "manifest") == 5
    assert {"a", "b", "c", "d", "e", "f"} <= set(registry.snapshot()[NAME].tags)


def test_a_registry_that_only_looks_as_if_it_made_the_tags(registry, client):
    """201 without OCI-Tag is no promise."""
    client.put_manifest(NAME, manifest_of(IMAGE), ["a", "b"])
    assert [one.path.rpartition("/")[2] for one in registry.log] == [f"{DIGEST}?tag=a&tag=b", "a", "b"]
    registry.reset_log()
    client.put_manifest(NAME, manifest_of(IMAGE), ["c", "d"])
    assert registry.count() == 2


@pytest.mark.parametrize("header", ["a, b", "b,a", "a,b,other"])
def test_tags_in_one_line(header, registry, client):
    registry.behaviour.rules.append(Rule(method="PUT", status=201, headers={"OCI-Tag": header}))
    assert client.put_manifest(NAME, manifest_of(IMAGE), ["a", "b"]).tags == ("a", "b")
    assert registry.count() == 1


@pytest.mark.parametrize("status", [400, 404, 405, 414, 431])
def test_a_registry_that_refuses_several_tags(status, registry, client):
    registry.behaviour.rules.append(Rule(method="PUT", path=r"\?tag=", status=status, times=None))
    assert client.put_manifest(NAME, manifest_of(IMAGE), ["a", "b"]).tags == ("a", "b")
    assert {"a", "b"} <= set(registry.snapshot()[NAME].tags)
    assert client.features.multi_tag is False


def test_what_is_refused_either_way_teaches_nothing(registry, client):
    registry.behaviour.multi_tag = True
    with pytest.raises(ManifestBlobUnknown) as caught:
        client.put_manifest("elsewhere", manifest_of(IMAGE), ["a", "b"])
    assert set(caught.value.digests) == set(HELD.blobs)
    assert client.features.multi_tag is None


def test_one_tag_is_put_as_ever(registry, client):
    registry.behaviour.multi_tag = True
    client.put_manifest(NAME, manifest_of(IMAGE), ["a"])
    assert registry.log[0].path == f"/v2/{NAME}/manifests/a"


def test_missing_blobs_at_docker_registry(real):
    with pytest.raises(ManifestBlobUnknown) as caught:
        connect(real).put_manifest("missing/blobs", manifest_of(IMAGE), ["a"])
    assert set(caught.value.digests) == set(HELD.blobs)
    assert "missing/blobs" not in compare.repositories_of(real)


def test_a_tag_that_may_not_move(registry, client):
    registry.behaviour.immutable_tags = True
    index = manifest_of(HELD.manifests[HELD.tags["index"]])
    with pytest.raises(TagImmutable) as caught:
        client.put_manifest(NAME, index, [TAG])
    assert caught.value.subject == f"{registry.host}/{NAME}:{TAG}"
    assert client.put_manifest(NAME, manifest_of(IMAGE), [TAG]).tags == (TAG,)


def test_a_registry_that_takes_no_writes(registries):
    registry = registries.start("read-only")
    push(registry.url, SMALL)
    registry.restart(read_only=True)
    client = connect(registry)
    for call in (
        lambda: client.put_manifest(NAME, manifest_of(IMAGE), [TAG]),
        lambda: client.start_upload(NAME),
        lambda: client.mount(NAME, ABSENT, "other"),
        lambda: client.post_blob(NAME, digest_of(b"x"), b"x", 1),
    ):
        with pytest.raises(RegistryReadOnly) as caught:
            call()
        assert caught.value.subject == registry.host
    assert client.get_manifest(NAME, TAG).digest == DIGEST


def test_a_registry_that_rewrites_manifests(registry, client):
    headers = {"Docker-Content-Digest": ABSENT}
    registry.behaviour.rules.append(Rule(method="PUT", status=201, headers=headers, times=None))
    with pytest.raises(DigestMismatch) as caught:
        client.put_manifest(NAME, manifest_of(IMAGE), [TAG])
    assert "rewrites manifests" in caught.value.hint


@pytest.mark.parametrize("header", ["", "nonsense", "sha512:" + "0" * 128])
def test_a_registry_that_does_not_say_what_it_stored(header, registry, client):
    registry.behaviour.rules.append(Rule(method="PUT", status=201, headers={"Docker-Content-Digest": header}))
    client.put_manifest(NAME, manifest_of(IMAGE), [TAG])


def test_a_manifest_that_is_too_large_for_the_registry(registry, client):
    registry.behaviour.max_manifest = 100
    with pytest.raises(ManifestTooLarge):
        client.put_manifest(NAME, manifest_of(IMAGE), [TAG])


def test_a_type_that_the_registry_does_not_know(registry, client):
    body = json.dumps({"errors": [{"code": "MANIFEST_INVALID", "message": "unknown media type"}]}).encode()
    registry.behaviour.rules.append(Rule(method="PUT", status=400, body=body))
    with pytest.raises(UnsupportedManifest) as caught:
        client.put_manifest(NAME, manifest_of(IMAGE), [TAG])
    assert "unknown media type" in caught.value.message


def test_a_name_that_the_registry_does_not_accept(registry, client):
    with pytest.raises(InvalidName):
        client.start_upload("Not/Lower")


def test_a_lost_answer_of_a_manifest_is_no_loss(registry, client):
    registry.behaviour.rules.append(Rule(method="PUT", action="lose_answer"))
    assert client.put_manifest(NAME, manifest_of(IMAGE), ["lost"]).tags == ("lost",)
    assert registry.snapshot()[NAME].tags["lost"] == DIGEST


# -- referrers ---------------------------------------------------------------------------------------------------------


def with_referrers(registry: CountingRegistry, count: int) -> list[str]:
    """The small set with so many referrers of its image; their digests."""
    made = images.small_set()
    repository = made.repositories[NAME]
    found = [images.add_referrer(repository, IMAGE, images.SPDX, b"%d" % number, fallback=False).digest for number in range(count)]
    registry.load(made)
    return found


def test_referrers(registry, client):
    digests = with_referrers(registry, 3)
    found = client.referrers(NAME, DIGEST)
    assert sorted(one.digest for one in found) == sorted(digests)
    assert {one.artifact_type for one in found} == {images.SPDX}
    assert client.features.referrers is True
    assert client.referrers(NAME, ABSENT) == []


def test_referrers_in_pages(registry, client):
    entries = [{"mediaType": OCI_MANIFEST, "digest": digest_of(b"%d" % number), "size": 1} for number in range(5)]

    def page(number: int, link: str) -> Rule:
        body = json.dumps({"schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": entries[number : number + 2]}).encode()
        headers = {"Content-Type": images.OCI_INDEX, **({"Link": link} if link else {})}
        return Rule(path="/referrers/", status=200, headers=headers, body=body)

    here = f"/v2/{NAME}/referrers/{DIGEST}"
    registry.behaviour.rules = [page(0, f'<{here}?page=2>; rel="next"'), page(2, f"<{here}?page=3>; rel=next"), page(4, "")]
    assert [one.digest for one in client.referrers(NAME, DIGEST)] == [one["digest"] for one in entries]


def test_referrers_in_a_circle(registry, client):
    body = json.dumps({"schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": []}).encode()
    link = f"</v2/{NAME}/referrers/{DIGEST}>; rel=next"
    registry.behaviour.rules.append(Rule(path="/referrers/", status=200, headers={"Link": link}, body=body, times=None))
    with pytest.raises(InvalidAnswer):
        client.referrers(NAME, DIGEST)
    assert registry.count() == 1


def test_docker_registry_has_no_referrers(real):
    client = connect(real)
    assert client.referrers(NAME, DIGEST) is None
    assert client.features.referrers is False
    asked = client.transport.requests
    assert client.referrers(NAME, ABSENT) is None
    assert client.transport.requests == asked


@pytest.mark.parametrize("status", [400, 404, 405, 406])
def test_refusals_that_mean_no_referrers(status, registry, client):
    registry.behaviour.rules.append(Rule(path="/referrers/", status=status))
    assert client.referrers(NAME, DIGEST) is None
    assert client.features.referrers is False


def test_a_web_page_is_no_list_of_referrers(registry, client):
    registry.behaviour.rules.append(Rule(path="/referrers/", status=200, body=b"<html>"))
    assert client.referrers(NAME, DIGEST) is None
    assert client.features.referrers is False


@pytest.mark.parametrize(("status", "body"), [(404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}'), (403, b"")])
def test_refusals_of_one_repository_say_nothing_of_others(status, body, registry, client):
    registry.behaviour.rules.append(Rule(path="/referrers/", status=status, body=body))
    assert client.referrers(NAME, DIGEST) is None
    assert client.features.referrers is None
    assert client.referrers(NAME, DIGEST) == []


@pytest.mark.parametrize("rule", [Rule(status=404), Rule(status=200, body=b"<html>")])
def test_what_has_been_seen_once_is_not_forgotten(rule, registry, client):
    client.referrers(NAME, DIGEST)
    registry.behaviour.rules.append(dataclasses.replace(rule))
    assert client.referrers(NAME, DIGEST) is None
    assert client.features.referrers is True


def test_referrers_of_a_registry_that_is_unwell(registry):
    registry.behaviour.rules.append(Rule(path="/referrers/", status=500, times=None))
    client = connect(registry, attempts=2)
    with pytest.raises(ServerFailed):
        client.referrers(NAME, DIGEST)
    assert client.features.referrers is None


@pytest.mark.parametrize("referrers", [True, False])
def test_whether_the_registry_keeps_track_of_a_subject(referrers, registry, client):
    registry.behaviour.referrers = referrers
    made = images.small_set()
    referrer = images.add_referrer(made.repositories[NAME], IMAGE, images.SPDX, b"sbom", fallback=False)
    for one in made.repositories[NAME].blobs.values():
        upload(client, NAME, one)
    assert client.put_manifest(NAME, manifest_of(referrer)).subject_kept is referrers


# -- deleting ----------------------------------------------------------------------------------------------------------


def test_deleting_a_digest_at_docker_registry(registries):
    registry = registries.start("delete")
    push(registry.url, SMALL)
    client = connect(registry)
    assert client.delete_manifest(NAME, DIGEST) is True
    assert client.head_manifest(NAME, TAG) is None
    assert client.delete_manifest(NAME, DIGEST) is False
    # it does not know how to delete a tag
    with pytest.raises(MigrationError):
        client.delete_manifest(NAME, "index")


def test_deleting_a_tag(registry, client):
    registry.behaviour.delete_tags = True
    assert client.delete_manifest(NAME, TAG) is True
    assert client.delete_manifest(NAME, TAG) is False
    assert client.head_manifest(NAME, DIGEST).digest == DIGEST


def test_deleting_where_that_is_switched_off(registries):
    registry = registries.start("no-delete", delete=False)
    push(registry.url, SMALL)
    with pytest.raises(UnsupportedManifest):
        connect(registry).delete_manifest(NAME, DIGEST)


# -- reading blobs -----------------------------------------------------------------------------------------------------


def test_blobs_of_docker_registry(real):
    client = connect(real)
    for name, held in images.demo_set().repositories.items():
        for digest, data in held.blobs.items():
            assert client.head_blob(name, digest) == len(data)
            assert read(client, name, blob(data)) == data


def test_a_blob_that_is_not_there(real):
    client = connect(real)
    assert client.head_blob(NAME, ABSENT) is None
    with pytest.raises(BlobUnknown) as caught:
        client.open_blob(NAME, Descriptor("", ABSENT, 5))
    assert caught.value.subject == f"{real.host}/{NAME}@{ABSENT}"


def test_a_blob_that_the_registry_has_lost(registry, client):
    digest = next(iter(HELD.blobs))
    registry.behaviour.missing = {digest}
    assert client.head_blob(NAME, digest) is None
    with pytest.raises(BlobUnknown):
        client.open_blob(NAME, blob(HELD.blobs[digest]))


def test_a_blob_whose_size_is_not_said(registry, client):
    digest, data = next(iter(HELD.blobs.items()))
    registry.behaviour.rules.append(Rule(method="HEAD", status=200, headers={"Content-Length": ""}))
    assert client.head_blob(NAME, digest) == -1
    assert read(client, NAME, Descriptor("", digest, -1)) == data


@pytest.mark.parametrize("status", [401, 403])
def test_a_blob_that_one_may_not_look_at(status, registry, client):
    registry.behaviour.rules.append(Rule(status=status, times=None))
    with pytest.raises(MigrationError) as caught:
        client.head_blob(NAME, ABSENT)
    assert type(caught.value).__name__ in ("AccessDenied", "AuthenticationFailed")


@pytest.mark.parametrize("cut", [1, 999, 25_000, 49_999])
def test_reading_goes_on_where_it_broke_off(cut, registry, client):
    upload(client, NAME, DATA)
    registry.reset_log()
    registry.behaviour.cut = cut
    assert read(client, NAME, blob(DATA)) == DATA
    assert [(one.status, one.headers.get("range")) for one in registry.log] == [(200, None), (206, f"bytes={cut}-")]
    assert registry.bytes_out("blob") == len(DATA)


def test_reading_goes_on_more_than_once(registry, client):
    upload(client, NAME, DATA)
    registry.behaviour.rules += [Rule(method="GET", action="cut", keep=10_000) for _unused in range(4)]
    assert read(client, NAME, blob(DATA)) == DATA
    starts = [one.headers.get("range") for one in registry.log if one.method == "GET"]
    assert starts == [None, "bytes=10000-", "bytes=20000-", "bytes=30000-", "bytes=40000-"]


def test_docker_registry_goes_on_where_it_broke_off(real, monkeypatch):
    """The first answer is broken off on this side: the rest comes by Range."""
    client = connect(real)
    upload(client, "resume", DATA)
    reader = client.open_blob("resume", blob(DATA))
    first = reader._response.chunks

    passed: list[int] = []

    def broken() -> t.Iterator[bytes]:
        for data in first():
            passed.append(len(data[:12_345]))
            yield data[:12_345]
            break
        raise ConnectionFailed("broke off")

    monkeypatch.setattr(reader._response, "chunks", broken)
    with contextlib.closing(reader):
        assert b"".join(reader) == DATA
    # it logs an answer some time after its last byte
    deadline = time.monotonic() + 20
    while not (parts := [one.size for one in real.requests() if "/resume/blobs/sha256" in one.path and one.status == 206]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert parts == [len(DATA) - passed[0]]


def test_a_registry_without_ranges(registry, client):
    upload(client, NAME, DATA)
    registry.behaviour.cut, registry.behaviour.no_range = 12_345, True
    assert read(client, NAME, blob(DATA)) == DATA
    assert [one.status for one in registry.log if one.method == "GET"] == [200, 200]


def test_a_blob_that_breaks_off_every_time(registry):
    client = connect(registry, attempts=3)
    upload(client, NAME, DATA)
    registry.behaviour.rules += [Rule(method="GET", action="cut", keep=10), Rule(method="GET", action="cut", keep=0, times=None)]
    with pytest.raises(ConnectionFailed):
        read(client, NAME, blob(DATA))
    assert registry.count("GET", "blob") == 3


def test_a_corrupt_blob(registry, client):
    upload(client, NAME, DATA)
    registry.behaviour.corrupt = {digest_of(DATA)}
    with pytest.raises(DigestMismatch) as caught:
        read(client, NAME, blob(DATA))
    assert caught.value.subject == f"{registry.host}/{NAME}@{digest_of(DATA)}"


def test_a_blob_that_is_shorter_than_its_manifest_says(registry, client):
    upload(client, NAME, DATA)
    with pytest.raises(DigestMismatch) as caught:
        read(client, NAME, Descriptor("", digest_of(DATA), len(DATA) + 5))
    assert f"only {len(DATA)} of the {len(DATA) + 5} bytes" in caught.value.message


def test_a_blob_that_is_longer_than_its_manifest_says(registry, client):
    upload(client, NAME, DATA)
    with pytest.raises(DigestMismatch):
        read(client, NAME, Descriptor("", digest_of(DATA), len(DATA) - 5))


@pytest.mark.parametrize("data", [b"", b"x"])
def test_the_smallest_blobs(data, real):
    client = connect(real)
    upload(client, "smallest", data)
    assert client.head_blob("smallest", digest_of(data)) == len(data)
    assert read(client, "smallest", blob(data)) == data


def test_a_blob_that_is_compressed_unasked(registry, client):
    upload(client, NAME, DATA)
    packed = gzip.compress(DATA)
    registry.behaviour.rules.append(Rule(method="GET", status=200, headers={"Content-Encoding": "gzip"}, body=packed))
    assert read(client, NAME, blob(DATA)) == DATA


# -- mounting ----------------------------------------------------------------------------------------------------------


def test_mounts_at_docker_registry(real):
    client = connect(real)
    upload(client, "mount/from", DATA)
    digest = digest_of(DATA)
    assert client.mount("mount/to", digest, "mount/from") is None
    assert read(client, "mount/to", blob(DATA)) == DATA
    # a mount from itself asks whether it is there
    assert client.mount("mount/to", digest, "mount/to") is None
    for source in ("mount/other", "mount/from"):
        session = client.mount("mount/other", ABSENT, source)
        other = noise(source, 100)
        client.put_blob("mount/other", session, digest_of(other), other, len(other))
        assert client.head_blob("mount/other", digest_of(other)) == 100


def test_a_mount_is_one_request(registry, client):
    digest = next(iter(HELD.blobs))
    assert client.mount("new", digest, NAME) is None
    assert [(one.method, one.path) for one in registry.log] == [
        ("POST", f"/v2/new/blobs/uploads/?mount={digest.replace(':', '%3A')}&from={NAME.replace('/', '%2F')}")
    ]


def test_a_registry_without_mounts(registry, client):
    registry.behaviour.mount = "off"
    session = client.mount("new", next(iter(HELD.blobs)), NAME)
    client.put_blob("new", session, digest_of(DATA), DATA, len(DATA))
    assert registry.blob("new", digest_of(DATA)) == DATA


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, MigrationError), (403, AccessDenied), (404, RegistryError), (405, RegistryError), (400, RegistryError), (500, ServerFailed)],
)
def test_mounts_that_are_refused(status, kind, registry, client):
    registry.behaviour.rules.append(Rule(path="mount=", status=status, times=None))
    with pytest.raises(kind):
        client.mount("new", next(iter(HELD.blobs)), NAME)
    # there is another way, so nobody insists
    assert registry.count() <= 2


# -- uploads -----------------------------------------------------------------------------------------------------------


def test_a_blob_in_one_put(real):
    client = connect(real)
    upload(client, "put/whole", DATA)
    assert read(client, "put/whole", blob(DATA)) == DATA


def test_a_blob_that_streams(registry, client):
    pieces = [DATA[start : start + 7000] for start in range(0, len(DATA), 7000)]
    client.put_blob(NAME, client.start_upload(NAME), digest_of(DATA), iter(pieces), len(DATA))
    assert registry.blob(NAME, digest_of(DATA)) == DATA
    put = registry.log[-1]
    assert put.headers["content-length"] == str(len(DATA))
    assert "transfer-encoding" not in put.headers
    assert put.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("single_post", [True, False])
@pytest.mark.parametrize("data", [DATA, b""])
def test_a_blob_in_one_post(single_post, data, registry, client):
    registry.behaviour.single_post = single_post
    session = client.post_blob("new", digest_of(data), data, len(data))
    assert (session is None) is single_post
    assert client.features.single_post is single_post
    if session is not None:
        client.put_blob("new", session, digest_of(data), data, len(data))
    assert registry.blob("new", digest_of(data)) == data


def test_docker_registry_ignores_the_body_of_a_post(real):
    client = connect(real)
    session = client.post_blob("post", digest_of(DATA), DATA, len(DATA))
    assert client.features.single_post is False
    assert client.head_blob("post", digest_of(DATA)) is None
    client.put_blob("post", session, digest_of(DATA), DATA, len(DATA))
    assert client.head_blob("post", digest_of(DATA)) == len(DATA)


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_registry_that_refuses_one_post_gets_the_usual_form(status, registry, client):
    registry.behaviour.rules.append(Rule(method="POST", path=r"\?digest=", status=status, times=None))
    session = client.post_blob("new", digest_of(DATA), DATA, len(DATA))
    assert client.features.single_post is False
    client.put_blob("new", session, digest_of(DATA), DATA, len(DATA))
    assert registry.blob("new", digest_of(DATA)) == DATA


@pytest.mark.parametrize(("status", "code", "error"), [(404, "NAME_UNKNOWN", RepositoryUnknown), (400, "NAME_INVALID", InvalidName)])
def test_one_post_that_is_refused_for_another_reason(status, code, error, registry, client):
    body = json.dumps({"errors": [{"code": code}]}).encode()
    registry.behaviour.rules.append(Rule(method="POST", path=r"\?digest=", status=status, body=body))
    with pytest.raises(error):
        client.post_blob("new", digest_of(DATA), DATA, len(DATA))
    assert client.features.single_post is None


@pytest.mark.parametrize("chunk", [7000, 50_000, 60_000])
def test_a_blob_in_chunks(chunk, real):
    client = connect(real)
    name = f"chunks/of{chunk}"
    client.put_blob_in_chunks(name, client.start_upload(name), digest_of(DATA), [DATA[:123], DATA[123:]], chunk)
    assert read(client, name, blob(DATA)) == DATA
    assert sum(one.method == "PATCH" and f"/{name}/" in one.path for one in real.requests()) == -(-len(DATA) // chunk)


@pytest.mark.parametrize("location", ["absolute", "relative"])
@pytest.mark.parametrize("query", [True, False])
def test_chunks_follow_the_location(location, query, registry, client):
    registry.behaviour.location, registry.behaviour.location_query = location, query
    client.put_blob_in_chunks("new", client.start_upload("new"), digest_of(DATA), [DATA], 20_000)
    assert registry.blob("new", digest_of(DATA)) == DATA
    assert [one.headers.get("content-range") for one in registry.log if one.method == "PATCH"] == ["0-19999", "20000-39999", "40000-49999"]


def test_an_empty_blob_in_chunks(registry, client):
    client.put_blob_in_chunks("new", client.start_upload("new"), digest_of(b""), [], 20_000)
    assert registry.blob("new", digest_of(b"")) == b""


def test_a_registry_that_wants_larger_chunks(registry, client):
    registry.behaviour.chunk_min_length = 30_000
    client.put_blob_in_chunks("new", client.start_upload("new"), digest_of(DATA), [DATA], 100)
    assert [one.bytes_in for one in registry.log if one.method == "PATCH"] == [30_000, 20_000]
    assert registry.blob("new", digest_of(DATA)) == DATA


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_registry_that_answers_chunks_in_its_own_way(status, registry, client):
    session = client.start_upload("new")
    registry.behaviour.rules.append(Rule(method="PATCH", status=status))
    client.put_blob_in_chunks("new", session, digest_of(b""), [DATA], 100_000)


def test_a_chunk_is_not_sent_twice(registry, client):
    """If it had arrived, it would be appended twice."""
    session = client.start_upload("new")
    registry.behaviour.rules.append(Rule(method="PATCH", action="lose_answer"))
    with pytest.raises(ConnectionFailed):
        client.put_blob_in_chunks("new", session, digest_of(DATA), [DATA], 20_000)
    assert registry.count("PATCH") == 1


def test_chunks_keep_their_place_to_the_end(registry, monkeypatch):
    """Who reads the bytes from elsewhere holds a place there, which others, with a place here, may be waiting for."""
    client = connect(registry, concurrency=1)
    gate, entered, kept_out = client.transport.limits(client.origin).gate, threading.Event(), []
    really_request = client._request

    def enter() -> None:
        with gate.place():
            entered.set()

    def request(method: str, *arguments: t.Any, **more: t.Any) -> t.Any:
        if method == "PUT":
            other.start()
            kept_out.append(not entered.wait(0.1))
        return really_request(method, *arguments, **more)

    other = threading.Thread(target=enter, daemon=True)
    monkeypatch.setattr(client, "_request", request)
    client.put_blob_in_chunks("new", client.start_upload("new"), digest_of(DATA), [DATA], 20_000)
    assert kept_out == [True]
    assert entered.wait(20)
    other.join(20)


def test_a_blob_that_has_been_read_gives_its_place_back(registry):
    client = connect(registry, concurrency=1)
    upload(client, NAME, DATA)
    reader = client.open_blob(NAME, blob(DATA))
    assert b"".join(reader) == DATA
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert pool.submit(client.head_blob, NAME, digest_of(DATA)).result(20) == len(DATA)
    reader.close()
    assert registry.connections() == 1


def test_wrong_bytes_are_refused(real):
    client = connect(real)
    with pytest.raises(DigestMismatch):
        client.put_blob("wrong", client.start_upload("wrong"), ABSENT, DATA, len(DATA))
    assert client.head_blob("wrong", ABSENT) is None


def test_wrong_bytes_are_never_sent_whole(registry, client):
    """A blob that turns out to be corrupt on the way is not completed at the destination."""
    upload(client, NAME, DATA)
    registry.behaviour.corrupt = {digest_of(DATA)}
    session = client.start_upload("new")
    with contextlib.closing(client.open_blob(NAME, blob(DATA))) as reader, pytest.raises(DigestMismatch):
        client.put_blob("new", session, digest_of(DATA), reader, len(DATA))
    assert "new" not in registry.snapshot()
    # the connection that was left in the middle of a body is not used again
    assert client.head_manifest(NAME, TAG).digest == DIGEST


def test_a_session_that_is_gone(real):
    client = connect(real)
    session = client.start_upload("gone")
    client.put_blob("gone", session, digest_of(DATA), DATA, len(DATA))
    with pytest.raises(RegistryError) as caught:
        client.put_blob("gone", session, digest_of(DATA), DATA, len(DATA))
    assert caught.value.status == 404


# -- where uploads go --------------------------------------------------------------------------------------------------


def location_of(client: RegistryClient, registry: CountingRegistry, location: str) -> str:
    registry.behaviour.rules.append(Rule(method="POST", status=202, headers={"Location": location}))
    return client.start_upload("new").location


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/v2/new/blobs/uploads/1", "/v2/new/blobs/uploads/1"),
        ("1?state=a%2Fb", "/v2/new/blobs/uploads/1?state=a%2Fb"),
        ("{base}/v2/new/blobs/uploads/1?state=a", "/v2/new/blobs/uploads/1?state=a"),
        # behind a proxy: the registry's own port, no port, another scheme
        ("http://127.0.0.1:5000/v2/new/blobs/uploads/1?state=a", "/v2/new/blobs/uploads/1?state=a"),
        ("http://127.0.0.1/v2/new/blobs/uploads/1", "/v2/new/blobs/uploads/1"),
        ("https://127.0.0.1/v2/new/blobs/uploads/1", "/v2/new/blobs/uploads/1"),
        # elsewhere is elsewhere
        ("http://storage.example.com/x?signature=a%2Bb", "http://storage.example.com/x?signature=a%2Bb"),
    ],
)
def test_where_uploads_go(location, target, registry, client):
    assert location_of(client, registry, location.replace("{base}", registry.url)) == target


def test_over_tls_uploads_stay_there(counting_registry, certificate_authority):
    registry = counting_registry(authority=certificate_authority)
    client = connect(registry)
    for location in (f"http://{registry.host}/v2/new/blobs/uploads/1", "http://127.0.0.1/v2/new/blobs/uploads/1"):
        assert location_of(client, registry, location) == "/v2/new/blobs/uploads/1"


def test_an_upload_without_an_address(registry, client):
    registry.behaviour.rules.append(Rule(method="POST", status=202))
    with pytest.raises(InvalidAnswer):
        client.start_upload("new")


def test_an_upload_that_is_done_before_it_begins(registry, client):
    registry.behaviour.rules.append(Rule(method="POST", status=201))
    with pytest.raises(InvalidAnswer):
        client.start_upload("new")


def test_an_upload_elsewhere_never_sees_who_we_are(registry, counting_registry):
    registry.behaviour = Behaviour(authentication="basic", users={"alice": "canary"})
    storage = counting_registry()
    there = connect(storage, host=f"localhost:{storage.port}").start_upload("new").location
    client = connect(registry, Credential("alice", "canary"))
    client.ping()
    client.put_blob("new", Upload(f"http://localhost:{storage.port}{there}"), digest_of(DATA), DATA, len(DATA))
    assert storage.blob("new", digest_of(DATA)) == DATA
    assert not any("authorization" in one.headers for one in storage.log)


@pytest.mark.parametrize("query", ["", "?state=a%2Bb%3D&x", "?digest="])
def test_what_stands_in_a_location_is_kept_to_the_letter(query, registry, client):
    registry.behaviour.rules.append(Rule(method="PUT", status=201))
    client.put_blob("new", Upload(f"{registry.url}/v2/new/blobs/uploads/1{query}"), ABSENT, b"", 0)
    sent = registry.log[-1].path.partition("?")[2]
    assert sent.startswith(query.removeprefix("?"))
    assert re.search(r"(^|&)digest=" + ("" if "digest" in query else ABSENT.replace(":", "%3A")) + "$", sent)


@pytest.mark.parametrize("status", [301, 307])
def test_an_upload_is_not_redirected(status, registry, client):
    session = client.start_upload("new")
    registry.behaviour.rules.append(Rule(method="PUT", status=status, headers={"Location": "/v2/elsewhere"}))
    with pytest.raises(RegistryError) as caught:
        client.put_blob("new", session, digest_of(DATA), iter([DATA]), len(DATA))
    assert "redirects" in caught.value.message


# -- what is learnt ----------------------------------------------------------------------------------------------------


def test_features_are_kept_and_taken_over():
    known = Features(single_post=True, multi_tag=False, referrers=None, chunk_size=5)
    assert known.as_dict() == {"single_post": True, "multi_tag": False, "chunk_size": 5}
    later = Features()
    later.update({**known.as_dict(), "unheard_of": 1})
    assert later == known


def test_an_option_counts_more_than_what_was_learnt():
    chosen = Features(chunk_size=1000)
    chosen.update({"chunk_size": 5000, "mount": False})
    assert chosen == Features(chunk_size=1000, mount=False)

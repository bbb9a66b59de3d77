# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON over the connections of a registry: what is sent, what an answer becomes, and the three kinds of lists."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    AccessDenied,
    AuthenticationFailed,
    InvalidAnswer,
    RegistryError,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import Response
from ansible_collections.registryops.migration.plugins.module_utils._providers.api import API
from ansible_collections.registryops.migration.tests.unit.plugins.module_utils._oci.made_answers import made_answer

BASE = "https://registry.example.com/api/v1"
NAMES = [f"app{number}" for number in range(7)]
WHAT = "the repositories"


class Wire:
    """Stands in for the transport. `answer(path, query)` gives the status, the document (or bytes), and headers."""

    def __init__(self, answer):
        self.answer = answer
        self.sent = []

    def request(self, method, url, headers, body=None, **more):
        assert more["read_whole"]
        parts = urlsplit(url)
        self.sent.append((method, url, dict(headers), body))
        status, document, fields = self.answer(parts.path, dict(parse_qsl(parts.query)))
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        made = made_answer(status, data, [("Content-Length", str(len(data))), *fields.items()])
        return Response(made, url, lambda: None)


def api_of(answer, headers=None, hide=str):
    wire = Wire(answer)
    return API(wire, BASE + "/", lambda: headers or {}, hide), wire


def always(status=200, document=None, **fields):
    return lambda path, query: (status, document, fields)


# -- one request --------------------------------------------------------------------------------------------------------


def test_what_is_sent():
    tokens = iter(["one", "two", "three", "four"])
    wire = Wire(always(document={"name": "x"}))
    api = API(wire, BASE, lambda: {"Authorization": f"Bearer {next(tokens)}"})
    assert api.ask("GET", "/things/x?deep=yes", {"n": 5, "q": "a b"}).document == {"name": "x"}
    api.ask("POST", "/things", document={"name": "y"}, headers={"X-Own": "1"})
    api.ask("POST", "/login", form={"user": "u", "word": "a&b"})
    api.ask("POST", "/find", text="items.find()")
    first, second, third, fourth = wire.sent
    assert first == ("GET", f"{BASE}/things/x?deep=yes&n=5&q=a+b", {"Accept": "application/json", "Authorization": "Bearer one"}, None)
    assert second[2]["Authorization"] == "Bearer two"
    assert second[2]["Content-Type"] == "application/json"
    assert second[2]["X-Own"] == "1"
    assert json.loads(second[3]) == {"name": "y"}
    assert (third[2]["Content-Type"], third[3]) == ("application/x-www-form-urlencoded", b"user=u&word=a%26b")
    assert (fourth[2]["Content-Type"], fourth[3]) == ("text/plain", b"items.find()")


@pytest.mark.parametrize(("data", "document"), [(b"", None), (b" \n", None), (b"[]", []), (b'{"a": 1}', {"a": 1})])
def test_what_an_answer_becomes(data, document):
    api, _wire = api_of(always(200, data, **{"X-Total-Count": "17", "X-Odd": "many"}))
    reply = api.ask("GET", "/x")
    assert reply.document == document
    assert (reply.status, reply.url) == (200, f"{BASE}/x")
    assert (reply.count("X-Total-Count"), reply.count("X-Odd"), reply.count("X-None")) == (17, -1, -1)


def test_a_status_that_is_expected_is_no_failure():
    api, _wire = api_of(always(404, b"<html>not here</html>", **{"Content-Type": "text/html"}))
    reply = api.ask("GET", "/x", accept=(200, 404))
    assert (reply.status, reply.document) == (404, None)


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationFailed), (403, AccessDenied), (404, RegistryError), (418, RegistryError)]
)
def test_a_refusal_is_the_error_that_a_registry_s_would_be(status, error):
    document = {"errors": [{"code": "X", "message": "the token canary-token is bad"}]}
    api, _wire = api_of(always(status, document), hide=lambda text: text.replace("canary-token", "***"))
    with pytest.raises(error) as caught:
        api.ask("GET", "/things/x?secret=1")
    assert caught.value.subject == "registry.example.com/things/x"
    assert "canary-token" not in str(caught.value)
    with pytest.raises(error, match="the thing x"):
        api.ask("GET", "/things/x", what="the thing x")


def test_a_redirect_leads_nowhere():
    api, wire = api_of(always(302, b"", Location="https://elsewhere.example.com/"))
    with pytest.raises(RegistryError):
        api.ask("GET", "/x")
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example.com/api", "http://registry.example.com/api", "https://registry.example.com:8443/api"]
)
def test_what_is_secret_goes_to_the_product_alone(url):
    api, wire = api_of(always(document=[]))
    with pytest.raises(InvalidAnswer, match="another host"):
        api.ask("GET", url, what=WHAT)
    assert wire.sent == []


def test_what_is_no_json():
    api, _wire = api_of(always(200, b"<html>please sign in</html>"))
    with pytest.raises(InvalidAnswer, match="not JSON"):
        api.ask("GET", "/x")


# -- lists --------------------------------------------------------------------------------------------------------------


def by_number(names, *, page="page", size="page_size", most=100, total=None, beyond=(200, []), key=None):
    """A product that gives pages by number, of at most `most` items whatever is asked for."""

    def answer(path, query):
        many = min(int(query[size]), most)
        start = (int(query[page]) - 1) * many
        if start and start >= len(names):
            return (*beyond, {})
        found = names[start : start + many]
        fields = {} if total is None else {"X-Total": str(total)}
        return 200, {key: found} if key else found, fields

    return answer


def test_numbered_pages():
    api, wire = api_of(by_number(NAMES, total=7))
    assert list(api.numbered("/repositories", {"kind": "image"}, WHAT, size=3, total="X-Total")) == NAMES
    assert [url for _method, url, _headers, _body in wire.sent] == [
        f"{BASE}/repositories?kind=image&page={number}&page_size=3" for number in (1, 2, 3)
    ]


def test_numbered_pages_with_names_of_their_own():
    api, wire = api_of(by_number(NAMES, page="p", size="limit", key="results"))
    items = api.numbered("/r", {}, WHAT, size=2, names=("p", "limit"), items=lambda document: document["results"])
    assert list(items) == NAMES
    assert len(wire.sent) == 4


def test_pages_that_are_smaller_than_was_asked_for():
    api, wire = api_of(by_number(NAMES, most=2, total=7))
    assert list(api.numbered("/r", {}, WHAT, size=50, total="X-Total")) == NAMES
    assert len(wire.sent) == 4


def test_a_page_past_the_end_may_be_an_error():
    exact = NAMES[:6]
    api, wire = api_of(by_number(exact, beyond=(404, {"detail": "no such page"})))
    assert list(api.numbered("/r", {}, WHAT, size=3, past_the_end=(404,))) == exact
    assert len(wire.sent) == 3
    with pytest.raises(RegistryError):
        list(api.numbered("/r", {}, WHAT, size=3))


def test_the_first_page_is_no_page_past_the_end():
    api, _wire = api_of(always(404, {"detail": "no such repository"}))
    with pytest.raises(RegistryError):
        list(api.numbered("/r", {}, WHAT, past_the_end=(404,)))


def test_a_numbered_list_that_is_cut_short():
    api, _wire = api_of(by_number(NAMES[:4], total=7))
    with pytest.raises(InvalidAnswer, match="only 4 of the 7"):
        list(api.numbered("/r", {}, WHAT, size=3, total="X-Total"))


def test_a_numbered_list_that_never_ends():
    api, _wire = api_of(always(200, ["same", "again"], **{"X-Total": "1000000000"}))
    items = api.numbered("/r", {}, WHAT, size=2, total="X-Total")
    # it cannot be told from a very long one; but nobody has to read it at once
    assert [next(items) for _number in range(5)] == ["same", "again", "same", "again", "same"]


def by_link(names, size=3, base="/api/v1/r", cut=False):
    def answer(path, query):
        start = names.index(query["last"]) + 1 if "last" in query else 0
        found = names[start : start + size]
        more = start + size < len(names) and not cut
        return 200, {"items": found}, {"Link": f'<{base}?last={found[-1]}&n={size}>; rel="next"'} if more else {}

    return answer


def items_of(document):
    return document["items"]


@pytest.mark.parametrize("base", ["/api/v1/r", "https://registry.example.com/api/v1/r", "https://registry.example.com:443/api/v1/r", ""])
def test_linked_pages(base):
    api, wire = api_of(by_link(NAMES, base=base))
    assert list(api.linked("/r", {"n": 3}, WHAT, items_of)) == NAMES
    assert wire.sent[0][1] == f"{BASE}/r?n=3"
    assert len(wire.sent) == 3


@pytest.mark.parametrize("base", ["https://elsewhere.example.com/r", "//elsewhere.example.com/r", "http://registry.example.com/r"])
def test_a_link_to_another_host(base):
    api, wire = api_of(by_link(NAMES, base=base), {"Authorization": "Bearer canary"})
    items = api.linked("/r", {}, WHAT, items_of)
    assert [next(items) for _name in range(3)] == NAMES[:3]
    with pytest.raises(InvalidAnswer, match="another host") as caught:
        next(items)
    assert caught.value.subject == WHAT
    assert len(wire.sent) == 1


def test_links_in_a_circle():
    api, wire = api_of(lambda path, query: (200, ["a"], {"Link": f"</api/v1/r?last={'b' if query.get('last') == 'a' else 'a'}>; rel=next"}))
    with pytest.raises(InvalidAnswer, match="circle"):
        list(api.linked("/r", {}, WHAT))
    assert len(wire.sent) == 3


def by_mark(names, size=3):
    def answer(path, query):
        start = int(query.get("continue", "0x0"), 16)
        following = hex(start + size) if start + size < len(names) else ""
        return 200, {"items": names[start : start + size], "next": following}, {}

    return answer


def test_marked_pages():
    api, wire = api_of(by_mark(NAMES))
    items = api.marked("/r", {"kind": "docker"}, WHAT, name="continue", items=items_of, mark=lambda document: document["next"])
    assert list(items) == NAMES
    assert [url.partition("?")[2] for _method, url, _headers, _body in wire.sent] == [
        "kind=docker",
        "kind=docker&continue=0x3",
        "kind=docker&continue=0x6",
    ]


def test_a_mark_that_comes_again():
    api, wire = api_of(always(document={"items": ["a"], "next": "here"}))
    with pytest.raises(InvalidAnswer, match="circle"):
        list(api.marked("/r", {}, WHAT, name="continue", items=items_of, mark=lambda document: document["next"]))
    assert len(wire.sent) == 2


@pytest.mark.parametrize("document", [{"items": {"a": 1}}, {"items": "a"}, {"items": 3}])
def test_a_list_that_is_none(document):
    api, _wire = api_of(always(document=document))
    for items in (
        api.linked("/r", {}, WHAT, items_of),
        api.numbered("/r", {}, WHAT, items=items_of),
        api.marked("/r", {}, WHAT, name="m", items=items_of, mark=lambda document: None),
    ):
        with pytest.raises(InvalidAnswer, match="no list") as caught:
            list(items)
        assert re.search("API", caught.value.hint)


def test_an_empty_list_may_be_null():
    api, _wire = api_of(always(document={"items": None}))
    assert list(api.linked("/r", {}, WHAT, items_of)) == []

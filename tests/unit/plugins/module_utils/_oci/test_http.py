# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is tried again and when, where redirects may lead, and how failures are told: with a pool that plays a script."""

from __future__ import annotations

import email.utils
import gzip
import ssl
import threading
import traceback
import typing as t

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci import errors, http as our_http, limits
from ansible_collections.registryops.migration.plugins.module_utils._oci.connections import (
    Answer,
    ConnectionBroke,
    ConnectTimeout,
    NameUnknown,
    NoConnection,
    NotHTTP,
    ProxyRefused,
    ReadTimeout,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import (
    AnswerTooLarge,
    HTTPOptions,
    Origin,
    Response,
    Transport,
    origin_of,
)
from ansible_collections.registryops.migration.tests.unit.plugins.module_utils._oci.made_answers import made_answer

HOST = "registry.example.com"
URL = f"https://{HOST}/v2/"
CANARY = "canary-8e1f"
NOW = 1_800_000_000.0


class Clock:
    """Stands in for the module `time`: only sleeping moves it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return NOW + self.now - 100

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    monkeypatch.setattr(our_http, "time", clock)
    monkeypatch.setattr(our_http, "backoff", lambda attempt: attempt * 10)
    return clock


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    """An answer whose head has been read; `retry_after="5"` is the header Retry-After."""
    lines = {"Content-Length": str(len(body)), **{name.replace("_", "-").title(): value for name, value in headers.items()}}
    return made_answer(status, body, lines)


class Sent(t.NamedTuple):
    """A request that reached the pool."""

    origin: Origin
    method: str
    target: str
    headers: dict[str, str]
    body: t.Any
    once: bool = False


class Script:
    """What the servers answer, one after the other, whatever they are asked; and what they were asked."""

    def __init__(self, *answers: Answer | BaseException | t.Callable[[], Answer]) -> None:
        self.answers = list(answers)
        self.sent: list[Sent] = []

    def request(self, origin: Origin, method: str, target: str, headers: dict[str, str], body: t.Any, once: bool) -> Answer:
        self.sent.append(Sent(origin, method, target, headers, body, once))
        outcome = self.answers.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome if isinstance(outcome, Answer) else outcome()


class Pool:
    """The pool of one origin."""

    def __init__(self, script: Script, origin: Origin) -> None:
        self._script = script
        self._origin = origin

    def request(self, method: str, target: str, headers: dict[str, str], body: t.Any = None, once: bool = False) -> Answer:
        return self._script.request(self._origin, method, target, headers, body, once)


def transport(script: Script, monkeypatch: pytest.MonkeyPatch, url: str = URL, **options: t.Any) -> Transport:
    made = Transport(origin_of(url), HTTPOptions(**options))
    monkeypatch.setattr(made, "_pool", lambda origin: Pool(script, origin))
    return made


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "origin", "text"),
    [
        ("https://registry.example.com/v2/", Origin("https", "registry.example.com", 443), "registry.example.com"),
        ("https://registry.example.com:443/", Origin("https", "registry.example.com", 443), "registry.example.com"),
        ("http://registry.example.com", Origin("http", "registry.example.com", 80), "registry.example.com"),
        ("http://Registry.Example.com:443/x", Origin("http", "registry.example.com", 443), "registry.example.com:443"),
        ("https://10.0.0.5:5000/?a=b", Origin("https", "10.0.0.5", 5000), "10.0.0.5:5000"),
        ("https://[fd00::1]:5000/", Origin("https", "fd00::1", 5000), "[fd00::1]:5000"),
        ("https://[fd00::1]/", Origin("https", "fd00::1", 443), "[fd00::1]"),
        ("https://user:secret@host:5000/", Origin("https", "host", 5000), "host:5000"),
    ],
)
def test_origins(url, origin, text):
    assert origin_of(url) == origin
    assert str(origin_of(url)) == text


@pytest.mark.parametrize("url", ["", "/v2/", "ftp://host/", "file:///etc/passwd", "https:///v2/", "https://host:port/", "https://[::1/"])
def test_what_is_no_address(url):
    with pytest.raises(errors.InvalidAnswer):
        origin_of(url)


# -- one request -------------------------------------------------------------------------------------------------------


def test_a_request_as_it_is_sent(clock, monkeypatch):
    script = Script(answer())
    transport(script, monkeypatch).request("PUT", f"{URL}a%2fb/?x=1&y=%26", {"Accept": "text/plain"}, b"data")
    (sent,) = script.sent
    assert (sent.method, sent.target, sent.body) == ("PUT", "/v2/a%2fb/?x=1&y=%26", b"data")
    assert sent.headers == {
        "User-Agent": "registryops.migration",
        "Accept-Encoding": "identity",
        "Accept": "text/plain",
    }


@pytest.mark.parametrize("status", [200, 201, 202, 204, 301, 307, 400, 401, 403, 404, 405, 409, 413, 416, 501, 505])
def test_answers_that_stand(status, clock, monkeypatch):
    script = Script(answer(status))
    assert transport(script, monkeypatch).request("GET", URL, {}).status == status
    assert len(script.sent) == 1
    assert clock.slept == []


@pytest.mark.parametrize("status", [408, 499, 500, 502, 520, 521, 522, 523, 524])
def test_answers_that_are_tried_again(status, clock, monkeypatch):
    script = Script(answer(status), answer(status), answer(200))
    assert transport(script, monkeypatch).request("GET", URL, {}).status == 200
    assert clock.slept == [10, 20]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_the_last_attempts_answer_is_given_back(status, clock, monkeypatch):
    script = Script(*[answer(status, b"no") for _unused in range(9)])
    response = transport(script, monkeypatch, attempts=3).request("GET", URL, {})
    assert (response.status, response.body()) == (status, b"no")
    assert len(script.sent) == 3


def test_a_request_may_have_fewer_attempts_than_others(clock, monkeypatch):
    script = Script(answer(500), answer(500))
    transport(script, monkeypatch, attempts=5).request("GET", URL, {}, attempts=1)
    assert len(script.sent) == 1


def test_waiting_for_a_rate_limit_is_no_failure(clock, monkeypatch):
    script = Script(*[answer(429) for _unused in range(11)], answer(200))
    assert transport(script, monkeypatch, attempts=3).request("GET", URL, {}).status == 200


def test_even_that_patience_ends(clock, monkeypatch):
    script = Script(*[answer(429) for _unused in range(20)])
    assert transport(script, monkeypatch, attempts=3).request("GET", URL, {}).status == 429
    assert len(script.sent) == 12


@pytest.mark.parametrize(
    "failure",
    [
        ConnectionBroke("ConnectionResetError"),
        ReadTimeout("nothing came"),
        ConnectTimeout("timed out"),
        NoConnection("refused"),
        NameUnknown("x"),
        ConnectionRefusedError(111, "refused"),
    ],
)
def test_failed_connections_are_tried_again(failure, clock, monkeypatch):
    script = Script(failure, answer())
    assert transport(script, monkeypatch).request("GET", URL, {}).status == 200
    script = Script(failure, failure, failure)
    with pytest.raises(errors.ConnectionFailed):
        transport(script, monkeypatch, attempts=3).request("GET", URL, {})
    assert len(script.sent) == 3


@pytest.mark.parametrize("outcome", [answer(500), answer(429), ConnectionBroke("broke")])
def test_a_body_that_streams_is_sent_once(outcome, clock, monkeypatch):
    script = Script(outcome, answer())
    made = transport(script, monkeypatch)
    if isinstance(outcome, BaseException):
        with pytest.raises(errors.ConnectionFailed):
            made.request("PUT", URL, {}, iter([b"x"]))
    else:
        assert made.request("PUT", URL, {}, iter([b"x"])).status == outcome.status
    assert len(script.sent) == 1


@pytest.mark.parametrize("outcome", [answer(503), answer(429), ConnectionBroke("broke")])
def test_what_may_come_once_is_sent_once(outcome, clock, monkeypatch):
    script = Script(outcome, answer())
    made = transport(script, monkeypatch)
    if isinstance(outcome, BaseException):
        with pytest.raises(errors.ConnectionFailed):
            made.request("POST", URL, {}, b"x", once=True)
    else:
        assert made.request("POST", URL, {}, b"x", once=True).status == outcome.status
    assert [sent.once for sent in script.sent] == [True]


def test_what_the_body_raises_passes_through_and_gives_the_place_back(clock, monkeypatch):
    script = Script(errors.DigestMismatch("wrong"), answer())
    made = transport(script, monkeypatch, concurrency=1)
    with pytest.raises(errors.DigestMismatch):
        made.request("PUT", URL, {}, iter([b"x"]))
    assert made.request("GET", URL, {}).status == 200


def test_errors_that_no_repetition_cures(clock, monkeypatch):
    script = Script(_verification_error("bad"), answer())
    with pytest.raises(errors.CertificateUntrusted):
        transport(script, monkeypatch).request("GET", URL, {})
    assert len(script.sent) == 1


def test_requests_are_counted_as_they_are_sent(clock, monkeypatch):
    made = transport(Script(answer(500), answer(), answer()), monkeypatch)
    made.request("GET", URL, {}).close()
    made.request("GET", "https://storage.example.com/x", {}).close()
    assert made.requests == 3


# -- Retry-After and pauses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("7", 7),
        (email.utils.formatdate(NOW + 8, usegmt=True), 8),
        (str(int(NOW) + 9), 9),
        # nothing asked for: our own back-off
        ("0", 10),
        ("-3", 10),
        (email.utils.formatdate(NOW - 60, usegmt=True), 10),
        ("soon", 10),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed(status, value, pause, clock, monkeypatch):
    script = Script(answer(status, retry_after=value), answer())
    assert transport(script, monkeypatch).request("GET", URL, {}).status == 200
    assert clock.slept == [pause]


def test_retry_after_is_obeyed_with_any_passing_error(clock, monkeypatch):
    script = Script(answer(500, retry_after="4"), answer())
    transport(script, monkeypatch).request("GET", URL, {})
    assert clock.slept == [4]


def test_a_pause_holds_for_everybody_and_one_host(clock, monkeypatch):
    made = transport(Script(answer(429, retry_after="6"), answer(), answer()), monkeypatch)
    made.request("GET", URL, {}, iter([b"sent once"])).close()
    made.request("GET", "https://storage.example.com/", {}).close()
    assert clock.slept == []
    made.request("GET", URL, {}).close()
    assert clock.slept == [6]


def test_a_failure_of_one_request_is_no_pause_for_others(clock, monkeypatch):
    made = transport(Script(answer(500), answer()), monkeypatch)
    made.request("GET", URL, {}, iter([b"sent once"])).close()
    made.request("GET", URL, {}).close()
    assert clock.slept == []


def test_who_waits_for_a_place_waits_for_the_pause_as_well(clock, monkeypatch):
    """The host asks for a pause while another request stands in the queue for its place: that one must not slip through."""

    def refuse() -> Answer:
        second.start()
        assert queued.wait(10)
        return answer(429, retry_after="6")

    def acquire(at_once: bool = False) -> None:
        if threading.current_thread() is second:
            queued.set()
        really_acquire(at_once)

    made = transport(Script(refuse, answer()), monkeypatch, concurrency=1)
    gate, queued = made.limits(origin_of(URL)).gate, threading.Event()
    really_acquire = gate.acquire
    monkeypatch.setattr(gate, "acquire", acquire)
    second = threading.Thread(target=lambda: made.request("GET", URL, {}).close(), daemon=True)
    first = made.request("GET", URL, {}, iter([b"sent once"]))
    first.close()
    second.join(10)
    assert not second.is_alive()
    assert clock.slept == [6]


def test_overload_lowers_the_number_of_places(clock, monkeypatch):
    made = transport(Script(answer(503), answer()), monkeypatch, concurrency=8)
    gate = made.limits(origin_of(URL)).gate
    made.request("GET", URL, {})
    assert gate.limit == 4


@pytest.mark.parametrize("outcome", [answer(500), ConnectionBroke("broke")])
def test_other_failures_do_not(outcome, clock, monkeypatch):
    made = transport(Script(outcome, answer()), monkeypatch, concurrency=8)
    made.request("GET", URL, {})
    assert made.limits(origin_of(URL)).gate.limit == 8


def test_a_timeout_counts_as_overload(clock, monkeypatch):
    made = transport(Script(ReadTimeout("slow"), answer()), monkeypatch, concurrency=8)
    made.request("GET", URL, {})
    assert made.limits(origin_of(URL)).gate.limit == 4


def test_the_request_rate_is_kept(clock, monkeypatch):
    made = transport(Script(*[answer() for _unused in range(5)]), monkeypatch, requests_per_second=4)
    monkeypatch.setattr(limits.Rate.__init__, "__defaults__", (clock.monotonic, clock.sleep))
    for _unused in range(5):
        made.request("GET", URL, {}).close()
    assert clock.slept == [0.25] * 4


# -- bodies ------------------------------------------------------------------------------------------------------------


def test_a_body_is_read_once(clock, monkeypatch):
    response = transport(Script(answer(200, b"text")), monkeypatch).request("GET", URL, {})
    assert response.body() == b"text"
    assert response.body() == b"text"


def test_a_body_has_a_limit(clock, monkeypatch):
    made = transport(Script(answer(200, b"12345"), answer(200, b"123456")), monkeypatch, concurrency=1)
    assert made.request("GET", URL, {}).body(5) == b"12345"
    with pytest.raises(AnswerTooLarge):
        made.request("GET", URL, {}).body(5)


def test_a_compressed_body_is_undone_and_has_the_same_limit(clock, monkeypatch):
    packed = gzip.compress(b"0" * 1000)
    made = transport(Script(answer(200, packed, content_encoding="gzip"), answer(200, packed, content_encoding="gzip")), monkeypatch)
    response = made.request("GET", URL, {})
    assert response.length == -1
    assert response.body(1000) == b"0" * 1000
    with pytest.raises(AnswerTooLarge):
        made.request("GET", URL, {}).body(999)


def test_a_body_that_is_too_short_is_a_failed_connection(clock, monkeypatch):
    response = transport(Script(answer(200, b"half", content_length="8")), monkeypatch).request("GET", URL, {})
    assert response.length == 8
    with pytest.raises(errors.ConnectionFailed):
        response.body()


def test_an_answer_that_breaks_off_is_asked_for_again(clock, monkeypatch):
    made = transport(Script(answer(200, b"half", content_length="8"), answer(200, b"complete")), monkeypatch, concurrency=1)
    assert made.request("GET", URL, {}, read_whole=100).body() == b"complete"
    assert clock.slept == [10]


def test_an_answer_that_breaks_off_each_time(clock, monkeypatch):
    made = transport(Script(*[answer(200, b"half", content_length="8") for _unused in range(3)]), monkeypatch, attempts=3, concurrency=1)
    with pytest.raises(errors.ConnectionFailed):
        made.request("GET", URL, {}, read_whole=100)
    assert len(clock.slept) == 2


def test_only_a_success_is_read_whole(clock, monkeypatch):
    made = transport(Script(answer(404, b"x" * 1000)), monkeypatch)
    assert made.request("GET", URL, {}, read_whole=10).body() == b"x" * 1000


def test_a_body_in_pieces(clock, monkeypatch):
    body = bytes(range(256)) * 1000
    response = transport(Script(answer(200, body)), monkeypatch).request("GET", URL, {})
    pieces = list(response.chunks())
    assert len(pieces) > 1
    assert b"".join(pieces) == body


def test_pieces_that_break_off(clock, monkeypatch):
    response = transport(Script(answer(200, b"01234", content_length="8")), monkeypatch).request("GET", URL, {})
    with pytest.raises(errors.ConnectionFailed):
        list(response.chunks())


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_not_json(body, clock, monkeypatch):
    response = transport(Script(answer(200, body)), monkeypatch).request("GET", URL, {})
    with pytest.raises(errors.InvalidAnswer) as caught:
        response.json()
    assert caught.value.subject == HOST


@pytest.mark.parametrize(("fields", "expected"), [({"Content-Length": "12"}, 12), ({"Content-Length": "0"}, 0), ({}, -1)])
def test_announced_lengths(fields, expected):
    assert Response(made_answer(200, b"", fields), URL, lambda: None).length == expected


@pytest.mark.parametrize(
    ("body", "fields", "read", "is_kept"),
    [
        (b"12345", {"Content-Length": "5"}, True, True),
        (b"", {"Content-Length": "0"}, False, True),
        (b"12345", {"Content-Length": "5"}, False, False),
        # without a length only an answer in chunks that was read to its end leaves its connection in order
        (b"5\r\n12345\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked"}, True, True),
        (b"5\r\n12345\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked"}, False, False),
        (b"12345", {}, True, False),
    ],
)
def test_a_connection_is_kept_only_when_nothing_is_left_in_it(body, fields, read, is_kept):
    kept: list[object] = []
    released: list[int] = []
    response = Response(made_answer(200, body, fields, give_back=kept.append), URL, lambda: released.append(1))
    if read:
        assert response.body() == b"12345"
    response.close()
    response.close()
    assert len(kept) == is_kept
    assert released == [1]


# -- redirects ---------------------------------------------------------------------------------------------------------

SECRET = {"Authorization": f"Bearer {CANARY}"}


def follow(script: Script, monkeypatch: pytest.MonkeyPatch, method: str = "GET", url: str = URL) -> Response:
    return transport(script, monkeypatch, url).follow(method, url, {"Range": "bytes=5-"}, secret_headers=SECRET)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_storage_elsewhere_never_sees_who_we_are(status, method, clock, monkeypatch):
    script = Script(answer(status, location="https://storage.example.com/x?signature=1"), answer(200))
    response = follow(script, monkeypatch, method)
    assert response.url == "https://storage.example.com/x?signature=1"
    here, there = script.sent
    assert here.headers["Authorization"] == f"Bearer {CANARY}"
    assert "Authorization" not in there.headers
    assert there.headers["Range"] == "bytes=5-"
    assert there.method == method


@pytest.mark.parametrize("elsewhere", [f"https://{HOST}:8443/x", "https://other.example.com/x"])
def test_another_port_is_another_place(elsewhere, clock, monkeypatch):
    script = Script(answer(307, location=elsewhere), answer(200))
    follow(script, monkeypatch)
    assert "Authorization" not in script.sent[1].headers


def test_another_path_of_the_same_place_is_no_stranger(clock, monkeypatch):
    script = Script(answer(307, location="/elsewhere?a=b"), answer(200))
    follow(script, monkeypatch)
    assert script.sent[1].target == "/elsewhere?a=b"
    assert script.sent[1].headers["Authorization"] == f"Bearer {CANARY}"


def test_on_the_way_back_credentials_are_shown_again(clock, monkeypatch):
    script = Script(answer(307, location="https://other.example.com/x"), answer(307, location=f"https://{HOST}/y"), answer(200))
    follow(script, monkeypatch)
    assert ["Authorization" in sent.headers for sent in script.sent] == [True, False, True]


@pytest.mark.parametrize("location", ["http://storage.example.com/x", f"http://{HOST}/v2/x"])
def test_no_redirect_from_https_to_http(location, clock, monkeypatch):
    script = Script(answer(307, location=location), answer(200))
    with pytest.raises(errors.RedirectRefused):
        follow(script, monkeypatch)
    assert len(script.sent) == 1


def test_a_later_downgrade_is_refused_too(clock, monkeypatch):
    script = Script(
        answer(307, location="https://storage.example.com/x"), answer(307, location="http://storage.example.com/x"), answer(200)
    )
    with pytest.raises(errors.RedirectRefused):
        follow(script, monkeypatch)


def test_http_may_lead_to_https(clock, monkeypatch):
    script = Script(answer(307, location="https://storage.example.com/x"), answer(200))
    assert follow(script, monkeypatch, url=f"http://{HOST}/v2/").status == 200


@pytest.mark.parametrize("location", [URL, "/v2/", ""])
def test_a_loop_is_refused(location, clock, monkeypatch):
    script = Script(*[answer(302, location=location) for _unused in range(20)])
    with pytest.raises(errors.RedirectRefused):
        follow(script, monkeypatch)
    assert len(script.sent) == 1


def test_redirects_without_end_are_refused(clock, monkeypatch):
    script = Script(*[answer(302, location=f"/{number}") for number in range(20)])
    with pytest.raises(errors.RedirectRefused):
        follow(script, monkeypatch)
    assert len(script.sent) == our_http.MOST_REDIRECTS


@pytest.mark.parametrize("location", ["ftp://host/x", "mailto:me", "https://host:port/x"])
def test_a_redirect_to_nowhere(location, clock, monkeypatch):
    with pytest.raises(errors.InvalidAnswer):
        follow(Script(answer(302, location=location)), monkeypatch)


def test_a_redirect_without_an_address_is_an_answer(clock, monkeypatch):
    assert follow(Script(answer(302)), monkeypatch).status == 302


def test_places_are_given_back_before_a_redirect_is_followed(clock, monkeypatch):
    script = Script(answer(307, location="/a"), answer(307, location="/b"), answer(200))
    made = transport(script, monkeypatch, concurrency=1)
    made.follow("GET", URL, {}, secret_headers={}).close()
    assert len(script.sent) == 3


# -- warnings ----------------------------------------------------------------------------------------------------------


def test_warnings_are_kept_once(clock, monkeypatch):
    script = Script(
        *[answer(200, warning='299 - "will be closed on Friday"') for _unused in range(3)], answer(200, warning='299 - "another"')
    )
    made = transport(script, monkeypatch)
    for _unused in range(4):
        made.request("GET", URL, {}).close()
    assert made.warnings == [f"{HOST}: will be closed on Friday", f"{HOST}: another"]


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ('299 - "one", 299 - "two"', ["one", "two"]),
        ('299 - "say \\"hello\\""', ['say "hello"']),
        ("110 anderson/1.3.37 stale", ["110 anderson/1.3.37 stale"]),
        ('299 - "red \x1b[31m"', ["red  [31m"]),
        (f'299 - "{"x" * 600}"', ["x" * 500]),
    ],
)
def test_forms_of_warnings(line, texts, clock, monkeypatch):
    made = transport(Script(answer(200, warning=line)), monkeypatch)
    made.request("GET", URL, {})
    assert made.warnings == [f"{HOST}: {text}" for text in texts]


def test_warnings_are_bounded(clock, monkeypatch):
    made = transport(Script(*[answer(200, warning=f'299 - "{number}"') for number in range(70)]), monkeypatch)
    for _unused in range(70):
        made.request("GET", URL, {}).close()
    assert len(made.warnings) == our_http.MOST_WARNINGS


# -- how failures are told ---------------------------------------------------------------------------------------------


def _verification_error(message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {message} (_ssl.c:1006)")
    error.verify_message = message
    error.reason = "CERTIFICATE_VERIFY_FAILED"
    return error


def _ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower().replace('_', ' ')} (_ssl.c:1006)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (_verification_error("self-signed certificate"), errors.CertificateUntrusted, "self-signed certificate"),
        (_ssl_error("WRONG_VERSION_NUMBER"), errors.SchemeMismatch, "plain_http: true"),
        (_ssl_error("HTTP_REQUEST"), errors.SchemeMismatch, "plain http"),
        (_ssl_error("RECORD_LAYER_FAILURE"), errors.SchemeMismatch, "plain http"),
        (_ssl_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), errors.CertificateUntrusted, "client_cert"),
        (_ssl_error("SSLV3_ALERT_HANDSHAKE_FAILURE"), errors.CertificateUntrusted, "client_cert"),
        (_ssl_error("SSLV3_ALERT_BAD_CERTIFICATE"), errors.CertificateUntrusted, "client_cert"),
        (_ssl_error("TLSV1_ALERT_PROTOCOL_VERSION"), errors.ConnectionFailed, "tlsv1 alert protocol version"),
        (NameUnknown(HOST), errors.ConnectionFailed, "resolved"),
        (ConnectTimeout("x"), errors.ConnectionFailed, "within 3 s"),
        (ReadTimeout("x"), errors.ConnectionFailed, "for 4 s"),
        (NoConnection("x"), errors.ConnectionFailed, "refused"),
        (ProxyRefused(403), errors.ConnectionFailed, "proxy"),
        (ProxyRefused(0), errors.ConnectionFailed, "proxy"),
        (ProxyRefused(407), errors.AuthenticationFailed, "user name"),
        (NotHTTP("x"), errors.ConnectionFailed, "not HTTP"),
        (ConnectionBroke("x"), errors.ConnectionFailed, "broke"),
        (ConnectionResetError(104, "reset"), errors.ConnectionFailed, "broke"),
    ],
)
def test_what_failures_are_called(failure, kind, words, clock, monkeypatch):
    made = transport(Script(failure), monkeypatch, connect_timeout=3, read_timeout=4, attempts=1)
    with pytest.raises(errors.MigrationError) as caught:
        made.request("GET", URL, {})
    assert caught.value.__class__ is kind
    assert words in str(caught.value)
    assert caught.value.subject in (HOST, "proxy")
    assert caught.value.hint


def test_a_tls_port_that_is_spoken_to_in_plain_http(clock, monkeypatch):
    failure = NotHTTP("x")
    with pytest.raises(errors.SchemeMismatch) as caught:
        transport(Script(failure), monkeypatch, f"http://{HOST}/", attempts=1).request("GET", f"http://{HOST}/", {})
    assert "plain_http: false" in str(caught.value)


@pytest.mark.parametrize(
    "failure",
    [
        ConnectionBroke("ConnectionResetError"),
        _verification_error("self-signed certificate"),
        ReadTimeout("nothing came"),
        NoConnection("refused"),
        ProxyRefused(0),
    ],
)
def test_no_secret_gets_into_an_error(failure, clock, monkeypatch):
    made = transport(Script(failure), monkeypatch, attempts=1)
    with pytest.raises(errors.MigrationError) as caught:
        made.request("GET", f"{URL}?signature={CANARY}", SECRET, b"refresh_token=" + CANARY.encode())
    error = caught.value
    texts = [str(error), repr(error), repr(error.as_row()), *traceback.format_exception_only(type(error), error)]
    texts += [repr(error.__cause__), str(error.__cause__)]
    assert not any(CANARY in text for text in texts)


# -- proxies -----------------------------------------------------------------------------------------------------------

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*PROXY_VARIABLES, "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def proxy_for(url: str, **options: t.Any) -> str:
    return Transport(origin_of(URL), HTTPOptions(**options))._proxy(origin_of(url))


@pytest.mark.parametrize(
    ("variables", "options", "url", "proxy"),
    [
        ({}, {}, URL, ""),
        ({}, {"proxy": "http://p:3128"}, URL, "http://p:3128"),
        ({}, {"proxy": "http://p:3128"}, f"http://{HOST}/", "http://p:3128"),
        ({}, {"proxy": "p:3128"}, URL, "http://p:3128"),
        ({"https_proxy": "http://s:1", "http_proxy": "http://h:1"}, {}, URL, "http://s:1"),
        ({"https_proxy": "http://s:1", "http_proxy": "http://h:1"}, {}, f"http://{HOST}/", "http://h:1"),
        ({"HTTPS_PROXY": "http://s:1"}, {}, URL, "http://s:1"),
        ({"all_proxy": "http://a:1"}, {}, URL, "http://a:1"),
        ({"https_proxy": "http://s:1"}, {"proxy": "http://p:1"}, URL, "http://p:1"),
        ({"https_proxy": "http://s:1", "no_proxy": HOST}, {}, URL, ""),
        ({"https_proxy": "http://s:1", "no_proxy": ".example.com"}, {}, URL, ""),
        ({"https_proxy": "http://s:1", "no_proxy": "example.com,other"}, {}, URL, ""),
        ({"https_proxy": "http://s:1", "no_proxy": f"{HOST}:443"}, {}, URL, ""),
        ({"https_proxy": "http://s:1", "no_proxy": f"{HOST}:5000"}, {}, URL, "http://s:1"),
        ({"https_proxy": "http://s:1", "no_proxy": "*"}, {}, URL, ""),
        ({"https_proxy": "http://s:1", "no_proxy": "ample.com"}, {}, URL, "http://s:1"),
        ({"no_proxy": HOST}, {"proxy": "http://p:1"}, URL, ""),
        ({"no_proxy": HOST}, {"proxy": "http://p:1", "no_proxy": "other"}, URL, "http://p:1"),
        ({"https_proxy": "http://s:1"}, {"no_proxy": HOST}, URL, ""),
        ({"https_proxy": "http://s:1"}, {"no_proxy": HOST}, "https://storage.example.com/", "http://s:1"),
        ({"https_proxy": "http://s:1"}, {"connect_to": "10.0.0.5"}, URL, ""),
        ({"https_proxy": "http://s:1"}, {"connect_to": "10.0.0.5"}, "https://storage.example.com/", "http://s:1"),
    ],
)
def test_which_proxy_is_used(variables, options, url, proxy, no_variables):
    for name, value in variables.items():
        no_variables.setenv(name, value)
    assert proxy_for(url, **options) == proxy


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://p:1080",
        "http://",
        "://p",
        "http://p:port",
        f"http://user:{CANARY}@p:port",
        f"http://user:{CANARY}/x@p:3128",
        f"ftp://user:{CANARY}@p",
        "http://[::1",
    ],
)
def test_what_is_no_proxy(proxy, no_variables):
    with pytest.raises(errors.InvalidOption) as caught:
        Transport(origin_of(URL), HTTPOptions(proxy=proxy)).request("GET", URL, {})
    assert caught.value.subject == "proxy"
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_proxys_credentials_are_sent_to_it_alone(no_variables):
    made = Transport(origin_of(URL), HTTPOptions(proxy=f"http://me%40home:{CANARY}%2F@p:3128"))
    proxy = made._route(origin_of(URL)).proxy
    assert proxy is not None
    assert proxy.host == "p"
    assert CANARY not in repr(proxy)
    # base64 of me@home:canary-8e1f/
    assert proxy.authorization == "Basic bWVAaG9tZTpjYW5hcnktOGUxZi8="


# -- another address ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connect_to", "host", "port"),
    [
        ("10.0.0.5", "10.0.0.5", 443),
        ("10.0.0.5:5000", "10.0.0.5", 5000),
        ("new-registry.internal:8443", "new-registry.internal", 8443),
        ("[fd00::1]", "fd00::1", 443),
        ("[fd00::1]:5000", "fd00::1", 5000),
    ],
)
def test_another_address_for_the_registry_alone(connect_to, host, port, no_variables):
    made = Transport(origin_of(URL), HTTPOptions(connect_to=connect_to))
    route = made._route(origin_of(URL))
    assert (route.host, route.port) == (host, port)
    assert route.server_name == HOST
    assert made._route(origin_of("https://storage.example.com/")).host == "storage.example.com"


@pytest.mark.parametrize("connect_to", ["", "https://x", "a b", "host:port", "host:0", "host:65536", "fd00::1", "user:pw@host", "host:٣"])
def test_what_is_no_other_address(connect_to, no_variables):
    if not connect_to:
        assert Transport(origin_of(URL), HTTPOptions(connect_to=""))._route(origin_of(URL)).host == HOST
        return
    with pytest.raises(errors.InvalidOption) as caught:
        Transport(origin_of(URL), HTTPOptions(connect_to=connect_to)).request("GET", URL, {})
    assert caught.value.subject == "connect_to"


def test_another_address_and_a_proxy_exclude_each_other():
    with pytest.raises(errors.InvalidOption):
        Transport(origin_of(URL), HTTPOptions(connect_to="10.0.0.5", proxy="http://p:3128"))

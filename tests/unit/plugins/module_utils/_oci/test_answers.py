# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What refusals mean. The bodies are those that registries and proxies really send."""

from __future__ import annotations

import json

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._oci import errors
from ansible_collections.registryops.migration.plugins.module_utils._oci.answers import Answer, failure_of, read_answer
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import Response
from ansible_collections.registryops.migration.tests.unit.plugins.module_utils._oci.made_answers import made_answer

DIGEST = "sha256:" + "a" * 64
OTHER = "sha512:" + "b" * 128
WHERE = "registry.example.com:5000"
SUBJECT = f"{WHERE}/team/app:1.0"
TOO_MANY_IMAGES = "The repository with name 'a' in registry with id '1' already has the maximum allowed number of images which is '9'"
TOO_MANY_TAGS = "Adding tag '1' to an image in the repository with name 'a' exceeds the maximum allowed number of tags per image"


def response(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Response:
    raw = made_answer(status, body, {"Content-Length": str(len(body)), **(headers or {})})
    return Response(raw, f"https://{WHERE}/v2/team/app/manifests/1.0", lambda: None)


def refusal(status: int, *codes: str, message: str = "", detail: object = None, **headers: str) -> Answer:
    """The answer with these error codes in the specification's form."""
    rows = [{"code": code, "message": message or code.lower().replace("_", " "), "detail": detail} for code in codes]
    return read_answer(response(status, json.dumps({"errors": rows}).encode(), headers))


def error_of(answer: Answer, plain_http: bool = False) -> errors.MigrationError:
    return failure_of(answer, SUBJECT, plain_http=plain_http, where=WHERE)


# -- reading -----------------------------------------------------------------------------------------------------------


def test_codes_messages_and_digests_are_read():
    answer = refusal(400, "MANIFEST_BLOB_UNKNOWN", "manifest_blob_unknown", detail={"Digest": DIGEST}, message="blob unknown")
    assert answer.status == 400
    assert answer.codes == {"MANIFEST_BLOB_UNKNOWN"}
    assert answer.text == "blob unknown; blob unknown"
    assert answer.digests == (DIGEST,)


@pytest.mark.parametrize("detail", [DIGEST, {"digest": DIGEST}, [{"name": DIGEST}], {"a": {"b": [DIGEST]}}, f"unknown blob {DIGEST}."])
def test_digests_are_found_wherever_they_stand(detail):
    assert refusal(400, "MANIFEST_BLOB_UNKNOWN", detail=detail).digests == (DIGEST,)


def test_several_digests_keep_their_order_and_come_once():
    rows = [{"code": "MANIFEST_BLOB_UNKNOWN", "detail": one} for one in (OTHER, DIGEST, OTHER)]
    assert read_answer(response(400, json.dumps({"errors": rows}).encode())).digests == (OTHER, DIGEST)


def test_a_digest_in_the_message_counts_too():
    assert refusal(400, "BLOB_UNKNOWN", message=f"blob {DIGEST} is not there").digests == (DIGEST,)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"404 page not found\n", "404 page not found"),
        (b"<html>\r\n<h1>413</h1>\r\n</html>", "<html> <h1>413</h1> </html>"),
        (b"\x1b[31mred\x07\x00", "[31mred"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"message": "from something else"}', "from something else"),
        (b'{"message": null}', ""),
        (b'{"errors": null}', ""),
        (b'{"errors": {"code": "X"}}', ""),
        (b'{"errors": [null, 7, "x"]}', ""),
        (b'{"errors": [{"code": null, "message": null}]}', ""),
        (b'{"errors": [{}]}', ""),
        (b"[]", ""),
        (b"7", ""),
        (b"null", ""),
    ],
)
def test_bodies_of_any_form_are_read(body, text):
    answer = read_answer(response(502, body))
    assert answer.text == text
    assert answer.status == 502
    assert answer.codes <= {""}


def test_a_body_that_nests_without_end_is_read_as_text():
    body = b'{"errors":[{"detail":' + b"[" * 50_000 + b"]" * 50_000 + b"}]}"
    assert read_answer(response(500, body)).text.startswith('{"errors"')


@pytest.mark.parametrize("depth", range(200, 1000, 37))
def test_a_body_that_nests_deep_is_no_crash(depth):
    body = b'{"errors":[{"code":"X","detail":' + b"[" * depth + b"]" * depth + b"}]}"
    assert read_answer(response(500, body)).status == 500


def test_a_long_text_is_cut():
    assert len(refusal(400, "X", message="much " * 1000).text) == 300


def test_a_body_that_is_too_large_is_left_alone():
    answer = read_answer(response(500, b"x" * (300 << 10)))
    assert (answer.status, answer.text) == (500, "")


def test_a_body_that_breaks_off_is_left_alone():
    answer = read_answer(response(500, b"half", {"Content-Length": "8"}))
    assert (answer.status, answer.text) == (500, "")


def test_secrets_are_taken_out_before_the_text_is_cut():
    canary = "canary-" + "k" * 400
    body = json.dumps({"errors": [{"code": "DENIED", "message": f"bad token {canary}!"}]}).encode()
    assert read_answer(response(403, body), lambda text: text.replace(canary, "***")).text == "bad token ***!"
    assert read_answer(response(403, canary.encode()), lambda text: text.replace(canary, "***")).text == "***"


@pytest.mark.parametrize(
    ("status", "allow", "writable"),
    [
        (405, "GET, HEAD", False),
        (405, "GET", False),
        (405, "GET, HEAD, PUT, DELETE", True),
        (405, "POST", True),
        (405, "", True),
        (404, "GET", True),
    ],
)
def test_allow_says_whether_anything_can_be_written(status, allow, writable):
    assert read_answer(response(status, b"", {"Allow": allow} if allow else {})).writable is writable


# -- what it means -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(429), errors.TooManyRequests),
        (refusal(403, "TOOMANYREQUESTS"), errors.TooManyRequests),
        (refusal(400, "MANIFEST_BLOB_UNKNOWN", detail=DIGEST), errors.ManifestBlobUnknown),
        (refusal(404, "MANIFEST_BLOB_UNKNOWN"), errors.ManifestBlobUnknown),
        (refusal(400, "BLOB_UNKNOWN", detail={"digest": DIGEST}), errors.ManifestBlobUnknown),
        (refusal(404, "BLOB_UNKNOWN", detail={"digest": DIGEST}), errors.BlobUnknown),
        (refusal(400, "TAG_INVALID", message="the tag is immutable"), errors.TagImmutable),
        (refusal(409, "TAG_INVALID"), errors.TagImmutable),
        (refusal(412, "PRECONDITION", message="configured as immutable"), errors.TagImmutable),
        (refusal(400, "TAG_IMMUTABLE", message="ImageTagAlreadyExists: the repository is immutable"), errors.TagImmutable),
        (refusal(405, "UNSUPPORTED", Allow="GET, HEAD"), errors.RegistryReadOnly),
        (refusal(503, "UNAVAILABLE", message="System is in read-only mode"), errors.RegistryReadOnly),
        (refusal(403, "DENIED", message="The system is in read only mode."), errors.RegistryReadOnly),
        (refusal(404, "NAME_UNKNOWN"), errors.RepositoryUnknown),
        (refusal(404, "MANIFEST_UNKNOWN"), errors.ManifestUnknown),
        (refusal(400, "NAME_INVALID"), errors.InvalidName),
        (refusal(400, "DIGEST_INVALID"), errors.DigestMismatch),
        (refusal(413), errors.ManifestTooLarge),
        (refusal(400, "SIZE_INVALID", message="manifest too large"), errors.ManifestTooLarge),
        (refusal(401, "UNAUTHORIZED"), errors.AuthenticationFailed),
        (refusal(403), errors.AccessDenied),
        (refusal(403, "DENIED"), errors.AccessDenied),
        (refusal(400, "DENIED"), errors.AccessDenied),
        (refusal(403, "DENIED", message="adding 1 GiB of storage will exceed the configured upper limit of 10 GiB"), errors.QuotaExceeded),
        (refusal(403, "DENIED", message="The image quota of the repository has been reached"), errors.QuotaExceeded),
        (refusal(405, "UNSUPPORTED", message="Limit on number of layers per image exceeded"), errors.QuotaExceeded),
        (refusal(403, "DENIED", message=TOO_MANY_IMAGES), errors.QuotaExceeded),
        (refusal(403, "DENIED", message=TOO_MANY_TAGS), errors.QuotaExceeded),
        (refusal(403, "DENIED", message="Your authorization token has expired. Reauthenticate."), errors.AuthenticationFailed),
        (read_answer(response(403, b"Your Authorization Token has expired. Please sign in.")), errors.AuthenticationFailed),
        (refusal(404, "NAME_UNKNOWN", message="The repository with name 'team/immutable' does not exist"), errors.RepositoryUnknown),
        (refusal(404, "NAME_UNKNOWN", message="The repository with name 'read-only' does not exist"), errors.RepositoryUnknown),
        (refusal(403, "DENIED", message="not authorized to perform ecr:PutImage on arn:aws:ecr:x:1:repository/quota"), errors.AccessDenied),
        (refusal(403, "DENIED", message="requested access to the resource is denied"), errors.AccessDenied),
        (refusal(407), errors.AuthenticationFailed),
        (refusal(404), errors.RegistryError),
        (refusal(404, "UNSUPPORTED"), errors.RegistryError),
        (refusal(404, "BLOB_UPLOAD_UNKNOWN"), errors.RegistryError),
        (refusal(400, "BLOB_UPLOAD_INVALID"), errors.RegistryError),
        (refusal(400, "MANIFEST_INVALID"), errors.UnsupportedManifest),
        (refusal(405, "UNSUPPORTED"), errors.UnsupportedManifest),
        (refusal(405, "REGISTRY_DISALLOWED_OPERATION"), errors.AccessDenied),
        (refusal(415), errors.UnsupportedManifest),
        (refusal(500), errors.ServerFailed),
        (refusal(599, "UNKNOWN"), errors.ServerFailed),
        (refusal(418), errors.RegistryError),
        (refusal(302), errors.RegistryError),
    ],
)
def test_each_refusal_has_its_error(answer, kind):
    error = error_of(answer)
    assert error.__class__ is kind
    assert error.subject in (SUBJECT, WHERE, "proxy")
    assert error.message
    assert str(error).startswith(error.subject)


def test_the_missing_blobs_are_named():
    error = error_of(refusal(400, "MANIFEST_BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", detail=[DIGEST, OTHER]))
    assert isinstance(error, errors.ManifestBlobUnknown)
    assert error.digests == (DIGEST, OTHER)


def test_status_and_codes_are_kept_for_those_who_decide():
    error = error_of(refusal(404, "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"))
    assert isinstance(error, errors.RegistryError)
    assert (error.status, error.codes) == (404, ("BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN"))
    other = error_of(refusal(418, "TEAPOT"))
    assert isinstance(other, errors.RegistryError)
    assert (other.status, other.codes) == (418, ("TEAPOT",))


@pytest.mark.parametrize(
    "body",
    [
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",
    ],
)
def test_tls_on_a_port_that_was_spoken_to_in_plain_http(body):
    answer = read_answer(response(400, body))
    error = error_of(answer, plain_http=True)
    assert isinstance(error, errors.SchemeMismatch)
    assert "plain_http" in error.hint
    # over TLS the same words are just a refusal
    assert error_of(answer).__class__ is errors.RegistryError


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_may_pass_is_said_to_be_transient(status):
    assert error_of(refusal(status)).transient
    assert error_of(refusal(429)).transient
    assert not error_of(refusal(403)).transient


def test_the_servers_words_are_quoted():
    assert "(the disk is full)" in str(error_of(refusal(507, "UNKNOWN", message="the disk is full.")))

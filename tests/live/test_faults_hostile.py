# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that mean harm, or have gone mad: what they send ends in a failure that is told, and goes nowhere else."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import re
import typing as t
import unicodedata
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour, Rule
from estate.images import OCI_INDEX, OCI_MANIFEST, Manifest
from runs.modules import ModuleRun, endpoint, run_module
from runs.scene import COPY, Scene, rich_set

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry
    from estate.certificates import CertificateAuthority
    from estate.counting import CountingRegistry

HOSTILE = "Hostile input"
USERS = {"mover": "credential-4711"}
PAIR = base64.b64encode(b"mover:credential-4711").decode()


@pytest.fixture
def held() -> images.ImageSet:
    return rich_set(repositories=2, size=3_000)


@pytest.fixture
def source(counting_registry: MakeCountingRegistry, held: images.ImageSet) -> CountingRegistry:
    registry = counting_registry(Behaviour(referrers=False))
    registry.load(held)
    return registry


@pytest.fixture
def destination(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    return counting_registry(Behaviour(referrers=False))


@pytest.fixture
def scene(source: CountingRegistry, destination: CountingRegistry, held: images.ImageSet, tmp_path: Path) -> t.Iterator[Scene]:
    with contextlib.closing(Scene(source, destination, held, tmp_path)) as scene:
        yield scene


def strings(value: t.Any) -> t.Iterator[str]:
    """All text in a result."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, t.Mapping):
        for key, one in value.items():
            yield from strings(key)
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def harmless(text: str) -> bool:
    """Nothing in it moves a cursor, changes a title or turns the direction of writing."""
    return not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in "\n\t" for character in text)


def check_shown(run: ModuleRun, folder: Path) -> None:
    """What Ansible prints of a run is harmless, and so is its report."""
    shown = dict(run.result)
    shown.pop("invocation", None)
    assert [text for text in strings(shown) if not harmless(text)] == []
    if "ledger" not in run.result:
        return
    report = run_module("registry_report", {"ledgers": {"worker": run.result["ledger"]}, "output_dir": str(folder / "report")}).result
    assert [text for text in strings({**report, "invocation": None}) if not harmless(text)] == []
    for name in ("html_file", "csv_file", "json_file"):
        text = Path(report[name]).read_text(encoding="utf-8")
        assert harmless(text.replace("\r\n", "\n")), name
    page = Path(report["html_file"]).read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page


# -- referrers -----------------------------------------------------------------------------------------------------------------


@pytest.mark.fault(HOSTILE, "referrers in a loop")
def test_referrers_loop(scene: Scene, source: CountingRegistry, destination: CountingRegistry, held: images.ImageSet) -> None:
    """Each manifest is followed once: the run ends, and has copied what there is; so does the next."""
    for registry in (source, destination):
        registry.behaviour.referrers = True
    app = held.repositories["team/app0"]
    image = app.manifests[app.tags["1"]]
    signature = images.add_referrer(app, image, "application/vnd.example.signature", b"signed", fallback=False)
    source.load(held)
    loop = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [signature.descriptor(), image.descriptor()]}
    for one in (signature, image):
        rule = Rule("GET", f"/referrers/{one.digest}", times=None, status=200, headers={"Content-Type": OCI_INDEX})
        rule.body = json.dumps(loop).encode()
        source.behaviour.rules.append(rule)
    scene.completed(scene.copy())
    assert signature.digest in destination.snapshot()["team/app0"].manifests
    assert source.count() < 200
    again = scene.copy()
    scene.completed(again)
    assert again.result["bytes_copied"] == 0


@pytest.mark.fault(HOSTILE, "a fall-back tag for referrers that is not an index, at the source")
def test_fallback_at_the_source(scene: Scene, source: CountingRegistry, held: images.ImageSet) -> None:
    """It is a tag like any other, and copied as it is."""
    app = held.repositories["team/app0"]
    images.add_image(app, "no index", [images.layer("no index", 2_000)], [images.fallback_tag(app.tags["1"])])
    source.load(held)
    scene.completed(scene.copy())


@pytest.mark.fault(HOSTILE, "a fall-back tag for referrers that is not an index, at the destination")
def test_fallback_at_the_destination(
    scene: Scene, source: CountingRegistry, destination: CountingRegistry, held: images.ImageSet, tmp_path: Path
) -> None:
    """It is left as it is, and that the referrer cannot be found is told as a failure; everything else arrives."""
    source.behaviour.referrers = True
    app = held.repositories["team/app0"]
    image = app.manifests[app.tags["1"]]
    before = held.tags()
    images.add_referrer(app, image, "application/vnd.example.signature", b"signed", fallback=False)
    source.load(held)
    theirs = images.ImageSet()
    tag = images.fallback_tag(image.digest)
    images.add_image(theirs.repository("team/app0"), "theirs", [images.layer("theirs", 2_000)], [tag])
    destination.load(theirs)
    scene.earlier = theirs.tags()
    run = scene.copy()
    (failure,) = scene.failed(run, "tag_conflict")
    assert failure["subject"].endswith(f"team/app0:{tag}")
    assert scene.visible() == {**before, **theirs.tags()}


# -- where credentials go ------------------------------------------------------------------------------------------------------


def _list_goes_on_elsewhere(thief: str) -> Rule:
    page = json.dumps({"repositories": ["team/app0"]}).encode()
    return Rule("GET", "/v2/_catalog", times=None, status=200, body=page, headers={"Link": f'<{thief}/v2/_catalog?last=a>; rel="next"'})


def _tags_go_on_elsewhere(thief: str) -> Rule:
    page = json.dumps({"name": "team/app0", "tags": ["1"]}).encode()
    link = {"Link": f'<{thief}/v2/team/app0/tags/list?last=1>; rel="next"'}
    return Rule("GET", "/v2/team/app0/tags/list", times=None, status=200, body=page, headers=link)


def _manifests_are_elsewhere(thief: str) -> Rule:
    return Rule("GET|HEAD", "/v2/team/app0/manifests/", times=None, status=307, headers={"Location": f"{thief}/v2/team/app0/manifests/1"})


def _blobs_are_elsewhere(thief: str) -> Rule:
    return Rule("GET", "/v2/team/app0/blobs/", times=None, status=307, headers={"Location": f"{thief}/v2/team/app0/blobs/x"})


def _tokens_are_elsewhere(thief: str) -> Rule:
    return Rule("GET|POST", "/token", times=None, status=307, headers={"Location": f"{thief}/token"})


@pytest.mark.fault(HOSTILE, "a Link, a redirect or a token service's redirect to another host")
@pytest.mark.parametrize(
    ("authentication", "elsewhere"),
    [
        *itertools.product(
            ["basic", "bearer"], [_list_goes_on_elsewhere, _tags_go_on_elsewhere, _manifests_are_elsewhere, _blobs_are_elsewhere]
        ),
        ("bearer", _tokens_are_elsewhere),
    ],
)
def test_led_elsewhere(
    scene: Scene,
    source: CountingRegistry,
    counting_registry: MakeCountingRegistry,
    elsewhere: t.Callable[[str], Rule],
    authentication: t.Literal["basic", "bearer"],
) -> None:
    """No credential and no token goes there, the failure is told; without the trick the next run completes."""
    thief = counting_registry()
    source.behaviour.users, source.behaviour.authentication = dict(USERS), authentication
    source.behaviour.rules.append(elsewhere(thief.url.replace("127.0.0.1", "localhost")))
    with_password = {**scene.options["source"], "username": "mover", "password": USERS["mover"]}
    run = scene.copy(source=with_password)
    scene.failed(
        run, "invalid_answer", "registry_error", "manifest_unknown", "blob_unknown", "repository_unknown", "authentication_failed",
        "digest_mismatch",
    )  # fmt: skip
    for one in thief.log:
        assert "authorization" not in one.headers
        assert "cookie" not in one.headers
        assert USERS["mover"] not in one.path
    assert PAIR not in run.text
    assert USERS["mover"] not in run.text

    source.behaviour.rules.clear()
    scene.completed(scene.copy(source=with_password))


@pytest.mark.fault(HOSTILE, "an https registry whose token service is on another host, in plain http")
def test_realm_in_plain_http(
    counting_registry: MakeCountingRegistry,
    certificate_authority: CertificateAuthority,
    destination: CountingRegistry,
    held: images.ImageSet,
    tmp_path: Path,
) -> None:
    """The credentials are not sent, the run is refused before a write, and says where they would have gone."""
    source = counting_registry(Behaviour(authentication="bearer", users=dict(USERS), referrers=False), authority=certificate_authority)
    source.load(held)
    thief = counting_registry(Behaviour(authentication="bearer", users=dict(USERS)))
    challenge = {"WWW-Authenticate": f'Bearer realm="{thief.url}/token",service="registry",scope="repository:team/app0:pull"'}
    source.behaviour.rules.append(Rule(times=None, status=401, headers=challenge))
    options = {"source": endpoint(source), "destination": endpoint(destination), "state_dir": str(tmp_path / "state")}
    run = run_module(COPY, options)
    assert run.error["kind"] == "authentication_failed"
    assert thief.host in run.error["message"]
    assert thief.log == []
    assert destination.snapshot() == {}

    source.behaviour.rules.clear()
    assert not run_module(COPY, options).result.get("failed")
    assert {name: one.tags for name, one in destination.snapshot().items()} == {name: one.tags for name, one in source.snapshot().items()}


# -- too large, too deep -------------------------------------------------------------------------------------------------------

DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.fault(HOSTILE, "a token answer of 10 MiB, a deep one, and one that is no token")
@pytest.mark.parametrize(
    "body", [b'{"token": "' + b"x" * (10 << 20) + b'"}', DEEP, b'{"token": "a\\r\\nHost: elsewhere"}', b'{"token": [1]}', b"{"]
)
def test_token_answer(scene: Scene, source: CountingRegistry, destination: CountingRegistry, body: bytes, tmp_path: Path) -> None:
    """The run is refused in a sentence, before a write; with a sound answer the next run completes."""
    source.behaviour.authentication, source.behaviour.users = "bearer", dict(USERS)
    source.behaviour.rules.append(Rule(path="/token", times=None, status=200, body=body))
    with_password = {**scene.options["source"], "username": "mover", "password": USERS["mover"]}
    run = scene.copy(source=with_password)
    scene.failed(run, "invalid_answer", "authentication_failed")
    assert len(run.text) < 20_000
    check_shown(run, tmp_path)
    assert destination.snapshot() == {}
    source.behaviour.rules.clear()
    scene.completed(scene.copy(source=with_password))


def nested(levels: int) -> bytes:
    """An image manifest with an annotation that is nested: legal JSON, and too deep for a parser that recurses."""
    opened, closed = b'{"a":' * levels, b"}" * levels
    return b'{"schemaVersion":2,"mediaType":"' + OCI_MANIFEST.encode() + b'","x":' + opened + b"1" + closed + b"}"


BAD_MANIFESTS = {
    "64 MiB": b'{"schemaVersion":2,"x":"' + b"y" * (64 << 20) + b'"}',
    "deep": nested(100_000),
    "no JSON": b"\xff\xfe{",
    "a list": b"[]",
    "a size below zero": b'{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:' + b"0" * 64 + b'","size":-5},"layers":[]}',
    "a digest that is a path": b'{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:../../../x","size":5},"layers":[]}',
    "a number that never ends": b'{"schemaVersion":2,"x":' + b"9" * 1_000_000 + b"}",
    "control characters": b'{"schemaVersion":2,"mediaType":"\\u001b[2J\\u202e<script>alert(1)</script>","config":5}',
}


@pytest.mark.fault(HOSTILE, "a manifest that is huge, deep, no JSON, or full of lies")
@pytest.mark.parametrize("what", BAD_MANIFESTS)
def test_manifest(scene: Scene, source: CountingRegistry, held: images.ImageSet, what: str, tmp_path: Path) -> None:
    """That tag alone fails, in a sentence; the others arrive."""
    data = BAD_MANIFESTS[what]
    bad = images.ImageSet()
    digest = images.digest_of(data)
    repository = bad.repository("team/app0")
    repository.manifests[digest] = Manifest(OCI_MANIFEST, data, digest)
    repository.tags["bad"] = digest
    source.load(bad)
    run = scene.copy()
    (failure,) = scene.failed(run, "manifest_too_large", "unsupported_manifest", "invalid_manifest", "invalid_answer")
    assert "team/app0:bad" in failure["subject"]
    assert len(run.text) < 20_000
    check_shown(run, tmp_path)
    assert scene.visible() == held.tags()
    source.forget_tag("team/app0", "bad")
    scene.completed(scene.copy())


@pytest.mark.fault(HOSTILE, "a list that is deep, or no list")
@pytest.mark.parametrize("path", ["/v2/_catalog", "/v2/team/app0/tags/list"])
@pytest.mark.parametrize("body", [DEEP, b'{"repositories": 5, "tags": 5}', b'{"repositories": [[]], "tags": [[]]}', b"<html>"])
def test_list(scene: Scene, source: CountingRegistry, path: str, body: bytes, tmp_path: Path) -> None:
    """The run fails in a sentence; with a sound answer the next run completes."""
    source.behaviour.rules.append(Rule("GET", path, times=None, status=200, body=body))
    run = scene.copy()
    scene.failed(run, "invalid_answer")
    check_shown(run, tmp_path)
    source.behaviour.rules.clear()
    scene.completed(scene.copy())


# -- names ---------------------------------------------------------------------------------------------------------------------

NASTY = [
    "..", "../../../../tmp/escaped", "team/../../escaped", "/etc/passwd", "team//app", "team/app0/", ".hidden", "Team/App",
    "team/app0?x=1", "team/app0#x", "team/app0%2f..%2f..", "team\\app", "a" * 5_000,
    "\x1b]0;owned\x07", "team/\x1b[2Japp", "line\nbreak", "\u202eppa/maet", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    "=1+1", "",
]  # fmt: skip


@pytest.mark.fault(HOSTILE, "repository names with .., control characters or markup")
@pytest.mark.parametrize("into", ["a registry", "a folder"])
def test_repository_names(
    scene: Scene, source: CountingRegistry, destination: CountingRegistry, held: images.ImageSet, tmp_path: Path, into: str
) -> None:
    """Nothing is asked for or written under such a name, and none of them reaches a terminal or the report as it is."""
    names = json.dumps({"repositories": [*NASTY, "team/app0", "team/app1"]}).encode()
    source.behaviour.rules.append(Rule("GET", "/v2/_catalog", times=None, status=200, body=names))
    folder = tmp_path / "within" / "images"
    more = {} if into == "a registry" else {"destination": endpoint(folder)}
    run = scene.copy(**more)
    check_shown(run, tmp_path)
    assert run.result["failed"]
    paths = {one.path.partition("?")[0] for one in (*source.log, *destination.log)} - {"/v2/", "/v2/_catalog"}
    assert {re.split("/(?:manifests|blobs|tags|referrers)/", path)[0] for path in paths} <= {"/v2/team/app0", "/v2/team/app1"}
    outside = {path.name for path in tmp_path.rglob("*escaped*")} | {path.name for path in Path("/tmp").glob("escaped*")}
    assert outside == set()
    if into == "a folder":
        assert {path.name for path in (tmp_path / "within").iterdir()} <= {"images"}
    else:
        assert scene.visible().items() <= held.tags().items()
    source.behaviour.rules.clear()
    if into == "a registry":
        scene.completed(scene.copy())


@pytest.mark.fault(HOSTILE, "tags with control characters or markup")
def test_tags(scene: Scene, source: CountingRegistry, destination: CountingRegistry, held: images.ImageSet, tmp_path: Path) -> None:
    """No such tag is asked for or written, and none reaches a terminal or the report as it is; the sound ones arrive."""
    tags = json.dumps({"name": "team/app0", "tags": [*NASTY, *held.repositories["team/app0"].tags]}).encode()
    source.behaviour.rules.append(Rule("GET", "/v2/team/app0/tags/list", times=None, status=200, body=tags))
    run = scene.copy()
    failures = scene.failed(run, "invalid_reference")
    assert len(failures) == len(NASTY)
    check_shown(run, tmp_path)
    sound = {"", *(tag for one in held.repositories.values() for tag in one.tags)}
    asked = {one.path.split("/manifests/")[1].split("?")[0] for one in (*source.log, *destination.log) if "/manifests/" in one.path}
    assert {reference for reference in asked if not reference.startswith("sha256:")} <= sound
    assert scene.visible() == held.tags()
    source.behaviour.rules.clear()
    scene.completed(scene.copy())


@pytest.mark.fault(HOSTILE, "error messages and warnings with control characters or markup")
def test_messages(scene: Scene, source: CountingRegistry, held: images.ImageSet, tmp_path: Path) -> None:
    """What the registry says is quoted without what moves a cursor, and the report's page shows it as text."""
    words = "\x1b[2J\x1b]0;owned\x07 \u202edeined <script>alert(1)</script><img src=x onerror=alert(1)> \r\n ok: [localhost]"
    body = json.dumps({"errors": [{"code": "DENIED\x1b[31m", "message": words, "detail": {words: words}}]}).encode()
    warning = {"Warning": '299 - "\x1b]0;owned <script>alert(1)</script>"'}
    source.behaviour.rules.append(Rule("GET|HEAD", "/v2/team/app0/manifests/", times=None, status=403, body=body, headers=warning))
    run = scene.copy()
    assert scene.failed(run, "access_denied")
    check_shown(run, tmp_path)
    assert scene.visible().items() <= held.tags().items()
    source.behaviour.rules.clear()
    scene.completed(scene.copy())

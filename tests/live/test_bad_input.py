# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people get wrong, and what registries do wrong: each is told clearly, and leaves nothing half-done at the destination.

Every test asks the modules. What they say must have the right kind, name the option or the object, and tell the way out.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

import pytest
from estate import images
from estate.behaviour import Behaviour
from estate.compare import tags_of
from estate.ports import free_port
from estate.push import push
from runs.modules import ModuleRun, Options, endpoint, run_module

if t.TYPE_CHECKING:
    from conftest import MakeCountingRegistry, MakeTokenServer
    from estate.certificates import CertificateAuthority
    from estate.counting import CountingRegistry
    from estate.registry import RegistryFactory

SECRET = "keep-me-to-yourself"
USERS = {"mover": SECRET}
WRITES = frozenset({"PUT", "POST", "PATCH", "DELETE"})


@pytest.fixture
def source(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    """Holds one image under the tags one and two, and an index of it."""
    registry = counting_registry()
    registry.load(images.small_set())
    return registry


@pytest.fixture
def destination(counting_registry: MakeCountingRegistry) -> CountingRegistry:
    return counting_registry()


class Copy:
    """Copies between two registries, with something wrong."""

    def __init__(self, source: CountingRegistry, destination: CountingRegistry, folder: Path) -> None:
        self.source = source
        self.destination = destination
        self.options: Options = {"source": endpoint(source), "destination": endpoint(destination), "state_dir": str(folder / "state")}

    def run(self, **options: t.Any) -> ModuleRun:
        return run_module("registry_image_copy", {**self.options, **options})

    def refused(self, kind: str, *words: str, **options: t.Any) -> ModuleRun:
        """The run as a whole is refused, before a write, in words that say what, where and what to do."""
        before = self.destination.snapshot()
        self.destination.reset_log()
        run = self.run(**options)
        check_told(run.error, kind, *words)
        assert run.result["failed"]
        assert run.error["message"] in run.result["msg"]
        assert self.destination.snapshot() == before
        assert not WRITES & {one.method for one in self.destination.log if one.kind != "token"}
        return run

    def failing(self, kind: str, *words: str, **options: t.Any) -> ModuleRun:
        """The run ends with one failure."""
        run = self.run(**options)
        assert run.result["failed"]
        assert run.result["counts"]["failed"] == len(run.result["failures"]) == 1
        (failure,) = run.result["failures"]
        check_told(failure, kind, *words)
        assert failure["message"] in run.result["msg"]
        return run


@pytest.fixture
def copy(source: CountingRegistry, destination: CountingRegistry, tmp_path: Path) -> Copy:
    return Copy(source, destination, tmp_path)


def check_told(error: t.Mapping[str, str], kind: str, *words: str) -> None:
    assert error["kind"] == kind, error
    assert error["subject"], error
    assert error["hint"], error
    told = f"{error['subject']}: {error['message']} {error['hint']}"
    missing = [word for word in words if word not in told]
    assert not missing, f"{missing} not in {told!r}"


# -- the way to the registry ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["source", "destination"])
def test_nobody_answers(copy: Copy, side: str) -> None:
    host = f"127.0.0.1:{free_port()}"
    copy.refused("connection_failed", host, "refused", "port", **{side: endpoint(copy.source, url=f"http://{host}")})


def test_unknown_host_name(copy: Copy) -> None:
    copy.refused("connection_failed", "nowhere.invalid", "resolved", "name", source=endpoint(copy.source, url="nowhere.invalid"))


@pytest.mark.parametrize("side", ["source", "destination"])
@pytest.mark.parametrize("authentication", ["basic", "bearer"])
def test_wrong_password(
    copy: Copy, counting_registry: MakeCountingRegistry, side: str, authentication: t.Literal["basic", "bearer"]
) -> None:
    registry = counting_registry(Behaviour(authentication=authentication, users=USERS))
    registry.load(images.small_set())
    wrong = dataclasses.replace(registry.access, password="not-the-password")
    run = copy.refused("authentication_failed", registry.host, "mover", "password", **{side: endpoint(wrong)})
    assert "not-the-password" not in run.text
    assert not WRITES & {one.method for one in registry.log if one.kind != "token"}


def test_wrong_password_at_a_real_registry(copy: Copy, registries: RegistryFactory, token_server: MakeTokenServer) -> None:
    for name, more in (("basic", {"users": USERS}), ("token", {"token_server": token_server(USERS)})):
        registry = registries.start(name, **more)
        wrong = dataclasses.replace(registry.access, password="not-the-password")
        run = copy.refused("authentication_failed", "mover", "password", source=endpoint(wrong))
        assert "not-the-password" not in run.text


def test_no_password_where_one_is_needed(copy: Copy, counting_registry: MakeCountingRegistry) -> None:
    registry = counting_registry(Behaviour(authentication="basic", users=USERS))
    copy.refused("authentication_failed", registry.host, "username", source=endpoint(registry, username=None, password=None))


def test_untrusted_certificate(
    copy: Copy,
    counting_registry: MakeCountingRegistry,
    untrusted_authority: CertificateAuthority,
    certificate_authority: CertificateAuthority,
) -> None:
    registry = counting_registry(authority=untrusted_authority)
    trusting_another = endpoint(registry, ca_path=str(certificate_authority.certificate))
    for side in ("source", "destination"):
        wrong = f"is not signed by the CA in {certificate_authority.certificate}: give the one that signed it as {side}.ca_path"
        copy.refused("certificate_untrusted", registry.host, wrong, **{side: trusting_another})
        missing = f"Give the CA that signed it as {side}.ca_path, or put it into certs.d."
        copy.refused("certificate_untrusted", registry.host, missing, **{side: endpoint(registry, ca_path=None)})
    assert registry.log == []


def test_plain_http_on_a_port_with_tls(copy: Copy, registries: RegistryFactory, counting_registry: MakeCountingRegistry) -> None:
    real = registries.start("tls", tls=True)
    copy.refused("scheme_mismatch", real.host, "TLS", "plain_http", source=endpoint(real, plain_http=True, ca_path=None))


def test_tls_on_a_port_with_plain_http(copy: Copy, registries: RegistryFactory) -> None:
    real = registries.start("plain")
    for side in ("source", "destination"):
        copy.refused("scheme_mismatch", real.host, "plain http", "plain_http", **{side: endpoint(real, url=real.host)})


def test_a_web_server_that_is_no_registry(copy: Copy, counting_registry: MakeCountingRegistry) -> None:
    from estate.behaviour import Rule

    page = Rule(times=None, status=404, headers={"Content-Type": "text/html"}, body=b"<html>nothing here</html>")
    registry = counting_registry(Behaviour(rules=[page]))
    copy.refused("registry_error", registry.host, "registry", source=endpoint(registry))


# -- options -------------------------------------------------------------------------------------------------------------------

RULES: tuple[tuple[str, dict[str, t.Any], tuple[str, ...]], ...] = (
    ("illegal repository", {"repositories": {"include": ["Team/App"]}}, ("rules[0].repositories.include", "Team/App")),
    ("whole reference", {"repositories": {"include": ["team/app:1.0"]}}, ("rules[0].repositories.include", "team/app:1.0")),
    ("illegal tag", {"tags": {"include": ["1.0 final"]}}, ("rules[0].tags.include", "1.0 final")),
    ("open glob", {"tags": {"exclude": ["v[1-"]}}, ("rules[0].tags.exclude", "v[1-", "not closed")),
    ("illegal regex", {"repositories": {"exclude": ["regex:("]}}, ("rules[0].repositories.exclude", "regular expression")),
    ("illegal range", {"tags": {"semver": ">=one"}}, ("rules[0].tags.semver", ">=one")),
    ("illegal date", {"tags": {"since": "last year"}}, ("rules[0].tags.since", "last year", "90d")),
    ("no tags at all", {"tags": {"newest": 0}}, ("rules[0].tags.newest", "0")),
    ("illegal prefix", {"mapping": {"prefix": "Mirror"}}, ("rules[0].mapping.prefix", "Mirror")),
    ("illegal pattern", {"mapping": {"regex": [{"pattern": "(a", "replacement": "b"}]}}, ("rules[0].mapping.regex[0].pattern", "(a")),
    ("unknown group", {"mapping": {"regex": [{"pattern": "a", "replacement": "\\1"}]}}, ("rules[0].mapping.regex[0].replacement",)),
)


@pytest.mark.parametrize(
    ("rule", "words"), [(rule, words) for _unused, rule, words in RULES], ids=[name for name, _unused, _unused in RULES]
)
def test_rules_that_cannot_be(copy: Copy, rule: dict[str, t.Any], words: tuple[str, ...]) -> None:
    copy.refused("invalid_option", *words, rules=[rule])


def test_other_options_that_cannot_be(copy: Copy) -> None:
    copy.refused("invalid_option", "platforms", "linux", "linux/amd64", platforms=["linux"])
    copy.refused("invalid_option", "workers", "0 means", workers=-1)
    copy.refused("invalid_option", "source.attempts", source=endpoint(copy.source, attempts=0))


@pytest.mark.parametrize("url", ["registry.example.com/team/app", "https://registry.example.com/v2/", "", "ftp://registry.example.com"])
def test_an_address_that_is_none(copy: Copy, url: str) -> None:
    copy.refused("invalid_option", "source.url", "host:port", source=endpoint(copy.source, url=url))


@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_password_in_the_address_is_refused_and_not_shown(copy: Copy, side: str) -> None:
    address = copy.source.host
    run = copy.refused("invalid_option", f"{side}.url", "password", **{side: {"url": f"https://mover:{SECRET}@{address}"}})
    assert SECRET not in run.text


def test_a_side_that_is_missing(copy: Copy) -> None:
    run = run_module("registry_image_copy", {"destination": copy.options["destination"]})
    assert run.result["failed"]
    assert "source" in run.result["msg"]
    run = run_module("registry_repo_info", {"destination": copy.options["destination"], "side": "source"})
    check_told(run.error, "invalid_option", "source", "url")
    run = run_module("registry_image_copy", {**copy.options, "source": {"type": "oci_layout"}})
    assert run.result["failed"]
    assert "path" in run.result["msg"]
    assert copy.destination.log == []


def test_references_that_cannot_be(copy: Copy) -> None:
    copy.destination.load(images.small_set())
    before = copy.destination.snapshot()
    for reference in ("one tag", "-one", "sha256:abc", "small/image:one"):
        options = {"destination": copy.options["destination"], "repository": "small/image", "references": ["two", reference]}
        run = run_module("registry_image_delete", options)
        check_told(run.error, "invalid_reference", reference)
    run = run_module("registry_image_delete", {**options, "repository": "Small/Image", "references": ["two"]})
    check_told(run.error, "invalid_reference", "Small/Image")
    assert copy.destination.snapshot() == before


def test_a_copy_onto_itself(copy: Copy) -> None:
    before = copy.source.snapshot()
    copy.refused("invalid_option", "destination", copy.source.host, "small/image", destination=endpoint(copy.source))
    assert copy.source.snapshot() == before


# -- names at the destination --------------------------------------------------------------------------------------------------


def test_a_name_that_the_product_does_not_take(copy: Copy) -> None:
    copy.source.load(named("one/two/three"))
    hub = endpoint(copy.destination, provider="docker_hub")
    copy.refused("invalid_name", "one/two/three", "Docker Hub", "mapping.flatten", destination=hub)
    copy.refused("invalid_name", "small/image -> image", "Harbor", "prefix", destination=endpoint(copy.destination, provider="harbor"),
                 rules=[{"mapping": {"flatten": -1}}])  # fmt: skip


def test_a_name_that_a_regex_spoils(copy: Copy) -> None:
    upper = {"mapping": {"regex": [{"pattern": "small/(.*)", "replacement": "Mirror/\\1"}]}}
    copy.refused("invalid_name", "small/image", "Mirror/image", "upper-case", "Write mirror", rules=[upper])


def test_every_bad_name_is_told(copy: Copy) -> None:
    copy.source.load(named("one/two/three"))
    copy.source.load(named("four"))
    copy.refused("invalid_name", "2 repositories", "one/two/three", "four", destination=endpoint(copy.destination, provider="docker_hub"))


def test_two_sources_for_one_tag(copy: Copy) -> None:
    copy.source.load(named("other/image"))
    copy.source.load(named("third/image", "another"))
    rules = [{"mapping": {"flatten": 1}}]
    copy.refused("name_collision", "image:one", "small/image:one", "other/image:one", "mapping.prefix", rules=rules)
    # two repositories become one where their tags differ: that is no collision
    run = copy.run(rules=[{**rules[0], "repositories": {"include": ["small/image", "third/image"]}}])
    assert run.result["counts"]["copied"] == 4
    assert set(copy.destination.snapshot()["image"].tags) == {"one", "two", "index", "another"}


def test_tags_that_differ_in_case_alone(copy: Copy) -> None:
    copy.source.load(named("small/image", "ONE"))
    folding = endpoint(copy.destination, provider="gitea")
    copy.refused("name_collision", "small/image:one", "small/image:ONE", "upper and lower case", destination=folding)


def named(repository: str, *tags: str) -> images.ImageSet:
    """One image of that name."""
    held = images.ImageSet()
    images.add_image(held.repository(repository), repository, [images.layer(repository, 3_000)], tags or ["one"])
    return held


# -- what the source holds -----------------------------------------------------------------------------------------------------


def test_unknown_repository(copy: Copy) -> None:
    rules = [{"repositories": {"include": ["small/image", "small/imagine"]}}]
    copy.failing("repository_unknown", "small/imagine", "name", rules=rules)
    assert list(copy.destination.snapshot()) == ["small/image"]


def test_unknown_tag(copy: Copy) -> None:
    copy.failing("manifest_unknown", "small/image:tow", "spelling", rules=[{"tags": {"include": ["one", "tow"]}}])
    assert set(copy.destination.snapshot()["small/image"].tags) == {"one"}


def test_the_catalogue_is_forbidden(copy: Copy) -> None:
    for status in (401, 403, 404):
        copy.source.behaviour.catalog = status
        copy.refused("catalog_forbidden", copy.source.host, "Name the repositories", "include")
    run = copy.run(rules=[{"repositories": {"include": ["small/image"]}}])
    assert run.result["counts"]["copied"] == 3


def test_a_blob_that_is_corrupt(copy: Copy) -> None:
    layer = images.layer("small", 5_000)
    copy.source.load(named("well/image"))
    copy.source.behaviour.corrupt.add(layer.digest)
    check_bad_blob(copy, "digest_mismatch", layer.digest)


def test_a_blob_that_is_missing(copy: Copy) -> None:
    layer = images.layer("small", 5_000)
    copy.source.load(named("well/image"))
    copy.source.behaviour.missing.add(layer.digest)
    check_bad_blob(copy, "blob_unknown", layer.digest)


def check_bad_blob(copy: Copy, kind: str, digest: str) -> None:
    """All three tags of the image fail, naming the blob; the other image arrives; nothing of the broken one can be seen."""
    run = copy.run()
    assert run.result["counts"]["failed"] == 3
    assert run.result["counts"]["copied"] == 1
    assert {failure["tag"] for failure in run.result["failures"]} == {"one", "two", "index"}
    for failure in run.result["failures"]:
        check_told(failure, kind, copy.source.host, "small/image", digest, "ush the image again")
    held = copy.destination.snapshot()
    assert held["well/image"].tags == copy.source.snapshot()["well/image"].tags
    assert "small/image" not in held or (not held["small/image"].manifests and digest not in held["small/image"].blobs)


def test_a_manifest_that_is_too_large(copy: Copy) -> None:
    held = named("large/image")
    note = {"note": "x" * (4 << 20)}
    images.add_image(held.repository("large/image"), "large", [images.layer("large", 3_000)], ["large"], annotations=note)
    copy.source.load(held)
    copy.failing("manifest_too_large", "large/image:large", "4 MiB", "Leave it out")
    assert set(copy.destination.snapshot()["large/image"].tags) == {"one"}


def test_a_manifest_of_an_unknown_type(copy: Copy) -> None:
    copy.source.load(images.unknown_type_set())
    copy.source.behaviour.accept = "any"
    copy.failing("unsupported_manifest", "odd/artifact:strange", images.UNKNOWN_MANIFEST, "Leave it out")
    assert set(copy.destination.snapshot()["odd/artifact"].tags) == {"ordinary"}


# -- what the destination does not take ----------------------------------------------------------------------------------------


def test_a_tag_that_is_immutable(copy: Copy) -> None:
    copy.destination.load(named("small/image", "one"))
    before = copy.destination.snapshot()["small/image"].tags["one"]
    copy.destination.behaviour.immutable_tags = True
    copy.failing("tag_immutable", copy.destination.host, "small/image:one", "keep")
    tags = copy.destination.snapshot()["small/image"].tags
    assert tags["one"] == before
    assert {"two", "index"} < set(tags)
    # with the policy that the hint names, nothing fails
    run = copy.run(existing_tags="keep")
    assert run.result["counts"] == {"copied": 0, "unchanged": 2, "kept": 1, "conflict": 0, "failed": 0, "not_attempted": 0}


def test_a_tag_that_must_not_change(copy: Copy) -> None:
    copy.destination.load(named("small/image", "one"))
    before = copy.destination.snapshot()["small/image"].tags["one"]
    run = copy.run(existing_tags="fail")
    assert run.result["counts"]["conflict"] == 1
    (failure,) = run.result["failures"]
    check_told(failure, "tag_conflict", "small/image:one", before, "existing_tags")
    assert copy.destination.snapshot()["small/image"].tags["one"] == before


def test_a_registry_that_is_read_only(copy: Copy, registries: RegistryFactory) -> None:
    real = registries.start("destination")
    push(real.url, named("well/image"))
    real.restart(read_only=True)
    before = tags_of(real)
    run = copy.run(destination=endpoint(real))
    assert run.result["failed"]
    assert run.result["counts"]["failed"] == 3
    for failure in run.result["failures"]:
        check_told(failure, "registry_read_only", real.host, "read-only")
    assert tags_of(real) == before
    assert not [one for one in real.requests() if one.method in WRITES and one.status < 300 and "well/image" not in one.path]


def test_a_counting_registry_that_is_read_only(copy: Copy) -> None:
    copy.destination.behaviour.read_only = True
    run = copy.run()
    assert {failure["kind"] for failure in run.result["failures"]} == {"registry_read_only"}
    assert copy.destination.snapshot() == {}


# -- files ---------------------------------------------------------------------------------------------------------------------


def test_a_state_folder_that_cannot_be(copy: Copy, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (str(tmp_path / "file" / "state"), "/proc/state"):
        copy.refused("state_error", folder, "state_dir", state_dir=folder)


def test_a_ledger_that_is_broken(copy: Copy, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    ledger = tmp_path / "state" / "ledger.sqlite3"
    ledger.write_bytes(b"this is no database, but long enough to be taken for a broken one. " * 100)
    copy.refused("state_error", str(ledger), "remove it")
    ledger.unlink()
    assert copy.run().result["counts"]["copied"] == 3


def test_a_plan_that_is_none(copy: Copy, tmp_path: Path) -> None:
    plan = tmp_path / "plan.jsonl"
    copy.refused("invalid_option", "plan_file", str(plan), "No such file", plan_file=str(plan))
    for content in ("", "no plan\n", '{"kind": "something else"}\n', "[]\n"):
        plan.write_text(content, encoding="utf-8")
        copy.refused("invalid_option", "plan_file", str(plan), "check mode", plan_file=str(plan))


def test_a_plan_that_was_spoilt(copy: Copy, tmp_path: Path) -> None:
    """One bad line, behind good ones: nothing at all is carried out."""
    plan = tmp_path / "plan.jsonl"
    assert run_module("registry_image_copy", {**copy.options, "plan_file": str(plan)}, check=True).result["counts"]["copied"] == 3
    lines = plan.read_text(encoding="utf-8").splitlines()
    spoilt = (
        {"tag": "no tag"},
        {"repository": "../elsewhere"},
        {"action": "delete"},
        {"digest": "sha256:0"},
        {"source_tag": "", "digest": ""},
    )
    for change in spoilt:
        row = json.dumps({**json.loads(lines[-2]), **change})
        plan.write_text("\n".join([*lines[:-2], row, lines[-1], ""]), encoding="utf-8")
        copy.refused("invalid_option", "plan_file", str(plan), f"line {len(lines) - 1}", plan_file=str(plan))
    plan.write_text("\n".join(lines[:-1])[:-20], encoding="utf-8")
    copy.refused("invalid_option", "plan_file", str(plan), f"line {len(lines) - 1}", plan_file=str(plan))
    for kept in (lines[:-1], lines[:-2], [*lines[:-2], lines[-1]]):
        plan.write_text("\n".join([*kept, ""]), encoding="utf-8")
        copy.refused("invalid_option", "plan_file", str(plan), "is cut off", plan_file=str(plan))


def test_a_plan_for_other_registries(copy: Copy, counting_registry: MakeCountingRegistry, tmp_path: Path) -> None:
    plan = tmp_path / "plan.jsonl"
    other = counting_registry()
    run_module("registry_image_copy", {**copy.options, "plan_file": str(plan), "destination": endpoint(other)}, check=True)
    copy.refused("invalid_option", "plan_file", str(plan), other.host, copy.destination.host, plan_file=str(plan))


def test_a_folder_that_is_no_layout(copy: Copy, tmp_path: Path) -> None:
    copy.refused("invalid_option", str(tmp_path / "nothing"), "OCI layout", source=endpoint(tmp_path / "nothing"))
    (tmp_path / "index.json").write_text("{}", encoding="utf-8")
    copy.refused("invalid_option", "index.json", source=endpoint(tmp_path))
    (tmp_path / "file").touch()
    copy.refused("state_error", str(tmp_path / "file"), "writable", destination=endpoint(tmp_path / "file"))


def test_a_file_of_certificates_that_is_none(
    copy: Copy, counting_registry: MakeCountingRegistry, certificate_authority: CertificateAuthority, tmp_path: Path
) -> None:
    registry = counting_registry(authority=certificate_authority)
    missing = str(tmp_path / "missing.pem")
    for side in ("source", "destination"):
        copy.refused("invalid_option", f"{side}.ca_path", missing, **{side: endpoint(registry, ca_path=missing)})
    copy.refused("invalid_option", "source.client_cert and client_key", source=endpoint(registry, client_cert=missing))
    copy.refused("invalid_option", "source.client_key", "client_cert is not", source=endpoint(registry, client_key=missing))
    empty = tmp_path / "empty.pem"
    empty.touch()
    copy.refused("invalid_option", "ca_path", str(empty), source=endpoint(registry, ca_path=str(empty)))


def test_a_file_for_the_list_that_cannot_be_written(copy: Copy, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wanted = str(tmp_path / "file" / "list.json")
    run = run_module("registry_repo_info", {"source": copy.options["source"], "output_file": wanted})
    check_told(run.error, "state_error", "output_file", wanted)


def test_a_ledger_for_the_report_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"no database at all, whatever its name may say. " * 100)
    for path in (tmp_path / "ledger.sqlite3", tmp_path / "missing.sqlite3"):
        run = run_module("registry_report", {"ledgers": {"worker": str(path)}, "output_dir": str(tmp_path / "report")})
        check_told(run.error, "invalid_option", "ledgers", str(path))
        assert not (tmp_path / "report" / "report.json").exists()

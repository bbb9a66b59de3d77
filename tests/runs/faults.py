# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration with fault proxies in front of both registries, and what has to hold after a fault: at the destination, in the module's
result, in the ledger and the report, and after another run without the fault."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import re
import sqlite3
import typing as t
from pathlib import Path

from estate import images
from estate.compare import Reachable, assert_complete, tags_of
from estate.fault_proxy import Fault, FaultProxy, PassedRequest

from runs.modules import ModuleRun, Options, endpoint, run_module

if t.TYPE_CHECKING:
    import ssl

#: bytes of the one layer that is too large to be held in memory on its way
LARGE = 1_500_000

Side = t.Literal["source", "destination"]


def fault_set() -> images.ImageSet:
    """Two repositories that share a layer; one large layer; an index; Docker's media types and OCI's. Five tags."""
    held = images.ImageSet()
    shared = images.layer("shared", 20_000)
    app, web = held.repository("team/app"), held.repository("team/web")
    images.add_image(app, "app", [shared, images.layer("large", LARGE)], ["1", "latest"], docker=True)
    images.add_image(app, "app two", [shared, images.layer("small", 3_000)], ["2"], docker=True)
    images.add_image(web, "web", [shared, images.layer("web", 5_000)], ["1"])
    platforms = [{"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"}]
    images.add_multi_platform(web, "multi", platforms, [shared], 2_000, ["multi"])
    return held


#: all tags of the set, and digests of some of its layers
TAGS = len(fault_set().tags())
LARGE_BLOB = images.layer("large", LARGE).digest
LARGE_SIZE = len(images.layer("large", LARGE).data)
SMALL_BLOB = images.layer("small", 3_000).digest
SHARED_BLOB = images.layer("shared", 20_000).digest


class Migration:
    """Copies from one registry to another through two fault proxies, which stay what they are from one run to the next."""

    def __init__(
        self,
        source: Reachable,
        destination: Reachable,
        folder: Path,
        *,
        source_tls: ssl.SSLContext | None = None,
        destination_tls: ssl.SSLContext | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """`source_tls`, `destination_tls`: that proxy speaks TLS; `ca_file`: the authority whose certificates it has."""
        self.source = source
        self.destination = destination
        self.folder = folder
        self.at_source = FaultProxy(source, ssl_context=source_tls)
        self.at_destination = FaultProxy(destination, ssl_context=destination_tls)
        #: all proxies whose faults are gone in the run after; a test may add others, which it stops itself
        self.proxies = [self.at_source, self.at_destination]
        self._ca_file = ca_file
        #: what came to the proxies in the run with the faults
        self._passed: dict[Side, list[PassedRequest]] = {}

    def stop(self) -> None:
        """End the proxies."""
        self.at_source.stop()
        self.at_destination.stop()

    def __enter__(self) -> Migration:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def requests(self, side: Side, pattern: str = "") -> list[PassedRequest]:
        """What came to a proxy in the run that `finishes`, `fails` or `ends` was about."""
        return [one for one in self._passed[side] if re.search(pattern, one.line)]

    def met(self, side: Side) -> list[PassedRequest]:
        """Those of `requests` that met a fault."""
        return [one for one in self._passed[side] if one.fault is not None]

    def copy(self, *, both: Options | None = None, variables: t.Mapping[str, str] | None = None, **more: t.Any) -> ModuleRun:
        """One run of the module. `both`: options of both sides; `variables`: of its environment; `more`: options of the module."""
        usual = {"read_timeout": 10, **(both or {})}
        source, destination = (
            endpoint(dataclasses.replace(proxy.access, ca_file=self._ca_file), **usual) for proxy in (self.at_source, self.at_destination)
        )
        options = {
            "source": source,
            "destination": destination,
            "state_dir": str(self.folder / "state"),
            **more,
        }
        return run_module("registry_image_copy", options, variables=variables)

    def set(self, side: Side, *faults: Fault) -> None:
        """From now on these faults happen on a side."""
        (self.at_source if side == "source" else self.at_destination).faults = list(faults)

    # -- what has to hold
    def finishes(self, **more: t.Any) -> Options:
        """The run copies everything in spite of the faults, and says so; a second one finds nothing to do. Returns the first's result."""
        result = self._run(**more).result
        assert not result.get("failed"), result.get("msg")
        assert result["failures"] == []
        assert result["counts"]["copied"] + result["counts"]["unchanged"] == sum(result["counts"].values())
        self._assert_nothing_half_visible()
        assert tags_of(self.destination) == tags_of(self.source)
        self._assert_ledger(result)
        again = self._heal(more)
        assert not again["changed"]
        assert _told(again["counts"]) == {"unchanged": len(tags_of(self.source))}
        return result

    def fails(self, *kinds: str, tags: t.Collection[str] | None = None, **more: t.Any) -> Options:
        """Some tags fail for one of these reasons, are not to be seen, and are told of in result, ledger and report; the next run
        without the faults copies them. `tags`: exactly these fail, as `repository:tag`. Returns the result."""
        result = self._run(**more).result
        assert result["failed"]
        assert "error" not in result, result
        failures = result["failures"]
        assert {failure["kind"] for failure in failures} == set(kinds), failures
        for failure in failures:
            assert failure["subject"], failure
            assert failure["message"], failure
            assert failure["hint"], failure
        assert len(failures) == result["counts"]["failed"]
        assert failures[0]["message"] in result["msg"]
        failed = {f"{failure['repository']}:{failure['tag']}".rstrip(":") for failure in failures}
        if tags is not None:
            assert failed == set(tags)
        self._assert_nothing_half_visible()
        there = {":".join(key) for key in tags_of(self.destination)}
        assert not failed & there
        assert len(there) == result["counts"]["copied"]
        self._assert_ledger(result)
        self._heal(more)
        return result

    def ends(self, kind: str, **more: t.Any) -> dict[str, str]:
        """The run ends as a whole for this reason, and nothing is to be seen of it; the next one copies everything. Returns the error."""
        result = self._run(**more).result
        assert result["failed"]
        assert "error" in result, result
        error: dict[str, str] = result["error"]
        assert error["kind"] == kind, error
        assert error["subject"]
        assert error["message"]
        assert error["hint"]
        self._assert_nothing_half_visible()
        self._heal(more)
        return error

    def _run(self, **more: t.Any) -> ModuleRun:
        for proxy in self.proxies:
            proxy.log.clear()
        run = self.copy(**more)
        self._passed = {"source": list(self.at_source.log), "destination": list(self.at_destination.log)}
        assert all(fault.met for proxy in self.proxies for fault in proxy.faults), "a fault that nothing met shows nothing"
        return run

    def _assert_nothing_half_visible(self) -> None:
        """Each tag of the destination is the source's, with all its manifests and blobs."""
        wanted = tags_of(self.source)
        for key, digest in tags_of(self.destination).items():
            assert wanted.get(key) == digest, key
        assert_complete(self.destination)

    def _assert_ledger(self, result: Options) -> None:
        """The ledger has the same counts and reasons as the result, and the report is made of them."""
        with contextlib.closing(sqlite3.connect(f"file:{result['ledger']}?mode=ro", uri=True)) as ledger:
            run, outcome, summary = ledger.execute("SELECT id, outcome, summary FROM runs ORDER BY id DESC LIMIT 1").fetchone()
            rows = ledger.execute("SELECT repository, tag, state, kind, message, hint FROM tags WHERE run = ?", (run,)).fetchall()
        assert outcome == ("failed" if result.get("failed") else "ok")
        assert {state: count for state, count in json.loads(summary)["counts"].items() if count} == _told(result["counts"])
        known = {(repository, tag, kind, message, hint) for repository, tag, state, kind, message, hint in rows if state == "failed"}
        names = ("repository", "tag", "kind", "message", "hint")
        assert known == {tuple(failure[name] for name in names) for failure in result["failures"]}
        folder = self.folder / "report"
        report = run_module("registry_report", {"ledgers": {"here": result["ledger"]}, "output_dir": str(folder)}).result
        with Path(report["csv_file"]).open(encoding="utf-8", newline="") as table:
            lines = list(csv.DictReader(table))
        states = [line["state"] for line in lines if line["state"] != "not_attempted"]
        assert {state: states.count(state) for state in set(states)} == _told(result["counts"], without="not_attempted")

    def _heal(self, more: Options) -> Options:
        """Without the faults a run makes everything complete; its result."""
        for proxy in self.proxies:
            proxy.faults = []
        result = self.copy(**more).result
        assert not result.get("failed"), result.get("msg")
        if result["changed"]:
            assert tags_of(self.destination) == tags_of(self.source)
            self._assert_nothing_half_visible()
        return result


def _told(counts: t.Mapping[str, int], without: str = "") -> dict[str, int]:
    return {state: count for state, count in counts.items() if count and state != without}

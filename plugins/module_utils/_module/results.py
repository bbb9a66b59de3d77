# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What modules return: small, whatever the size of the migration."""

from __future__ import annotations

import dataclasses
import json
import os
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import MOST_FAILURES
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import StateError

if t.TYPE_CHECKING:
    # no module needs them all, and what is imported is compiled in each task
    from ansible_collections.registryops.migration.plugins.module_utils._copying.creation import Creations
    from ansible_collections.registryops.migration.plugins.module_utils._copying.deletion import Deletion
    from ansible_collections.registryops.migration.plugins.module_utils._copying.fan_out import FanOut, Served
    from ansible_collections.registryops.migration.plugins.module_utils._copying.inventory import Inventory
    from ansible_collections.registryops.migration.plugins.module_utils._copying.report import Report
    from ansible_collections.registryops.migration.plugins.module_utils._copying.run import Outcome
    from ansible_collections.registryops.migration.plugins.module_utils._copying.verification import Verified
    from ansible_collections.registryops.migration.plugins.module_utils._providers.records import Creation

STATES = ("copied", "unchanged", "kept", "conflict", "failed", "not_attempted")
CREATION_STATES = ("existing", "created", "changed", "drift", "failed")
#: lines of a diff that tell of what was created
MOST_LINES = 500
_MARKS = {"drift": "!", "changed": "~", "created": "+"}

Result = dict[str, t.Any]


def copy_result(outcome: Outcome, diff: bool) -> Result:
    """The result of a copy or a plan."""
    result: Result = {
        "changed": outcome.changed,
        "counts": {state: outcome.counts[state] for state in STATES},
        "failures": outcome.failures,
        "repositories": outcome.repositories,
        "bytes_copied": outcome.bytes,
        "blobs": outcome.blobs,
        "requests": outcome.requests,
        "seconds": outcome.seconds,
        "ledger": outcome.ledger,
        "plan_file": outcome.plan_file,
    }
    if outcome.pulls:
        result["pulls"] = outcome.pulls
    if outcome.stopped:
        every = sum(outcome.counts.values())
        done = every - outcome.counts["not_attempted"]
        result["msg"] = f"The run was asked to stop: {done} of {every} tags are done. Run it again, and it goes on."
    elif outcome.failed:
        where = f" All failures are in {outcome.ledger}." if outcome.ledger and outcome.failed > len(outcome.failures) else ""
        first = _first(outcome.failures)
        result["msg"] = f"{outcome.failed} of {sum(outcome.counts.values())} could not be copied.{first}{where}"
    if diff:
        result["diff"] = _diff(outcome)
    return result


def fan_out_result(done: FanOut, diff: bool) -> Result:
    """The result of a copy to several destinations, or of their plans: the sum, and each of them."""
    result = {**copy_result(done.outcome, False), "read_again": done.read_again}
    shown = max(1, MOST_FAILURES // len(done.served))
    result["destinations"] = [_served_result(served, shown) for served in done.served]
    if done.outcome.failed:
        failed = [served.name for served in done.served if served.outcome.failed]
        result["msg"] = f"{result['msg']} Destinations with failures: {', '.join(failed)}."
    if all(served.error for served in done.served):
        result["error"] = next(served.error.as_row() for served in done.served if served.error)
    if diff:
        result["diff"] = [_diff(served.outcome, served.name) for served in done.served]
    return result


def _served_result(served: Served, most_failures: int) -> Result:
    outcome = served.outcome
    return {
        "name": served.name,
        "changed": outcome.changed,
        "counts": {state: outcome.counts[state] for state in STATES},
        "failures": outcome.failures[:most_failures],
        "repositories": outcome.repositories,
        "bytes_copied": outcome.bytes,
        "blobs": outcome.blobs,
        "requests": outcome.requests.get("destination", 0),
        "seconds": outcome.seconds,
        "ledger": outcome.ledger,
        "plan_file": outcome.plan_file,
    }


def _diff(outcome: Outcome, name: str = "") -> Result:
    """What was done, or would be; `name`: of one destination among several."""
    lines = [*outcome.text.lines(), *outcome.totals]
    # Ansible shows what is prepared as it is, and shows it where something changes
    return {"prepared": "".join(f"{line}\n" for line in ([f"-- {name} --", *lines] if name else lines))}


def _first(failures: list[dict[str, str]]) -> str:
    if not failures:
        return ""
    subject = failures[0].get("subject") or f"{failures[0]['repository']}:{failures[0]['tag']}"
    if "destination" in failures[0] and failures[0]["destination"] not in subject:
        subject = f"{failures[0]['destination']}: {subject}"
    return f" The first: {subject}: {failures[0]['message']} {failures[0].get('hint', '')}".rstrip()


def verify_result(verified: Verified) -> Result:
    """The result of a verification."""
    result: Result = {
        "changed": False,
        "checked": verified.checked,
        "equal": verified.equal,
        "different": verified.different,
        "differences": verified.differences,
        "manifests": verified.manifests,
        "blobs": verified.blobs,
        "repositories": verified.repositories,
        "requests": verified.requests,
        "seconds": verified.seconds,
    }
    if verified.different:
        first = verified.differences[0]
        name = f"{first['repository']}:{first['tag']}" if first["tag"] else first["repository"]
        result["msg"] = f"{verified.different} of {verified.checked} differ. The first: {name}: {first['message']}"
    return result


def delete_result(deletion: Deletion) -> Result:
    """The result of a deletion, with its diff."""
    gone = sorted({*deletion.deleted, *deletion.taken_along})
    return {
        "changed": bool(deletion.deleted),
        "deleted": deletion.deleted,
        "absent": deletion.absent,
        "taken_along": deletion.taken_along,
        "diff": {
            "before": "".join(f"{reference}\n" for reference in gone),
            "after": "".join(f"{tag} (its index is not whole any more)\n" for tag in sorted(deletion.incomplete)),
        },
    }


def inventory_result(registry: str, inventory: Inventory, output_file: str | None) -> Result:
    """The result of an inventory; with a file, the tags are only there."""
    rows = [{**repository, "tag_count": len(repository["tags"])} for repository in inventory.repositories]
    if output_file:
        _write(output_file, {"schema": 1, "registry": registry, "repositories": rows, "failures": inventory.failures})
        rows = [{key: value for key, value in row.items() if key != "tags"} for row in rows]
    return {
        "changed": False,
        "registry": registry,
        "repositories": rows,
        "tag_count": sum(row["tag_count"] for row in rows),
        "failures": inventory.failures[:MOST_FAILURES],
        "failure_count": len(inventory.failures),
        "unreadable": inventory.unreadable,
        "output_file": output_file or "",
    }


def _write(path: str, document: Result) -> None:
    """The option `output_file`: everything, as JSON."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file)
    except OSError as error:
        raise StateError(f"cannot be written: {error.strerror}.", subject=f"output_file {path}", hint="Choose another path.") from error


def nothing_to_create(registry: str, title: str) -> Result:
    """The result where a push makes everything that it needs."""
    return {
        "changed": False,
        "msg": f"{registry} ({title}) needs nothing to be created before a push.",
        "registry": registry,
        "kind": "",
        "counts": dict.fromkeys(CREATION_STATES, 0),
        "rows": [],
        "failures": [],
        "output_file": "",
    }


@dataclasses.dataclass(frozen=True)
class CreationForm:
    """How the result of a creation is to be: whether something was done at all, whether a drift is a failure, whether there is a diff."""

    apply: bool
    drift_fails: bool
    diff: bool


def creation_result(registry: str, kind: str, done: Creations, output_file: str | None, form: CreationForm) -> Result:
    """The result of having everything exist that a push needs. `kind`: the product's word for it. `failed` says whether it failed."""
    counts = {state: done.counts[state] for state in CREATION_STATES}
    rows = [row.as_row() for row in done.rows]
    failures = [{"name": name, **error.as_row()} for name, error in done.failures.items()]
    if output_file:
        _write(output_file, {"schema": 1, "registry": registry, "kind": kind, "counts": counts, "rows": rows, "failures": failures})
    result: Result = {
        "changed": done.changed,
        "msg": _creation_summary(registry, kind, counts, form.apply),
        "registry": registry,
        "kind": kind,
        "counts": counts,
        "rows": rows[:MOST_FAILURES],
        "failures": failures[:MOST_FAILURES],
        "output_file": output_file or "",
        "failed": bool(counts["failed"] or (form.drift_fails and counts["drift"])),
    }
    if result["failed"]:
        result["msg"] = _what_is_missing(done, kind)
    if form.diff:
        result["diff"] = {"prepared": "".join(f"{line}\n" for line in _creation_lines(done))}
    return result


def _creation_summary(registry: str, kind: str, counts: dict[str, int], apply: bool) -> str:
    words = {"existing": "as wanted", "drift": "different in what cannot be changed", "failed": "failed"}
    words.update({"created": "created", "changed": "changed"} if apply else {"created": "to create", "changed": "to change"})
    parts = [f"{counts[state]} {words[state]}" for state in ("created", "changed", "existing", "drift", "failed") if counts[state]]
    return f"{registry}, {kind}: {', '.join(parts) or 'none is needed'}."


def _what_is_missing(done: Creations, kind: str) -> str:
    texts = []
    if done.failures:
        name, error = next(iter(done.failures.items()))
        texts.append(f"{len(done.failures)} of {sum(done.counts.values())} could not be made ready. The first: {kind} {name}: {error}")
    drifted = [row for row in done.rows if row.state == "drift"]
    if drifted:
        differences = "; ".join(_difference(drifted[0]))
        texts.append(
            f"{len(drifted)} differ in what cannot be changed. The first: {kind} {drifted[0].name}: {differences}. Give the settings "
            "that it has, create it anew, or set drift to report."
        )
    return " ".join(texts)


def _creation_lines(done: Creations) -> list[str]:
    """What was created, changed or is wrong, one line each, in the words of a plan."""
    lines = [f"! {name}: {error.message}" for name, error in done.failures.items()]
    for row in done.rows:
        if row.state in _MARKS:
            differences = ", ".join(_difference(row))
            lines.append(f"{_MARKS[row.state]} {row.name}{': ' if differences else ''}{differences}")
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"and {more} more"] if more > 0 else lines


def _difference(row: Creation) -> list[str]:
    if row.state == "created":
        return [f"{name} {_shown(after)}" for name, (_before, after) in row.differences.items()]
    return [f"{name} {_shown(before)} -> {_shown(after)}" for name, (before, after) in row.differences.items()]


def _shown(value: t.Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= 200 else f"{text[:200]}..."


def report_result(report: Report) -> Result:
    """The result of writing a report."""
    return {
        "changed": False,
        "json_file": report.json_file,
        "csv_file": report.csv_file,
        "html_file": report.html_file,
        "counts": dict(report.counts),
        "repositories": report.repositories,
        "verified": report.verified,
        "workers": [_without_differences(worker) for worker in report.workers],
        **({} if report.people is None else {"people": report.people.summary()}),
        "failures": report.failures[:MOST_FAILURES],
    }


def _without_differences(worker: Result) -> Result:
    """A worker of a report; the list of what differs is in the report, and in the result of the verification."""
    verification = worker["verification"]
    if verification is None:
        return worker
    return {**worker, "verification": {key: value for key, value in verification.items() if key != "differences"}}

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What the modules about people share: options, both sides, and results."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import types
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import MOST_FAILURES
from ansible_collections.registryops.migration.plugins.module_utils._identity.access import KINDS as ACCESS_KINDS
from ansible_collections.registryops.migration.plugins.module_utils._identity.applying import Applied, apply, summed
from ansible_collections.registryops.migration.plugins.module_utils._identity.automation import AUTOMATION, allow_pauses, pause
from ansible_collections.registryops.migration.plugins.module_utils._identity.interface import (
    NOT_ATTEMPTED,
    PARTS,
    REFUSED,
    STATES,
    UNCHANGED,
    Change,
    People,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.matching import renamed, renaming
from ansible_collections.registryops.migration.plugins.module_utils._identity.model import (
    CLASSES,
    Account,
    Estate,
    Item,
    Policy,
    Repository,
    read_estate,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.plan_text import plan_lines
from ansible_collections.registryops.migration.plugins.module_utils._identity.planning import (
    REMOVABLE,
    PlanOptions,
    kinds_to_read,
    plan,
)
from ansible_collections.registryops.migration.plugins.module_utils._identity.report import note_import, note_verification, write_json
from ansible_collections.registryops.migration.plugins.module_utils._identity.selection import Selection, select
from ansible_collections.registryops.migration.plugins.module_utils._identity.verification import (
    OUTCOMES,
    Verified,
    VerifyOptions,
    ask_sample,
    compare,
    try_logins,
)
from ansible_collections.registryops.migration.plugins.module_utils._module.msr import MSR, MSR_EXCLUSIVE, people_of
from ansible_collections.registryops.migration.plugins.module_utils._module.options import REPOSITORIES, Options, fail, without_none
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, MigrationError

#: what cannot always be read or written, and can be gone on without
NOT_ALWAYS_READ = ("password_hash", *CLASSES)
#: warnings about patterns that match nothing, and notes of products, that a run shows
MOST_WARNINGS = 20

_SIDE: Options = {"type": "dict", "options": MSR, "mutually_exclusive": MSR_EXCLUSIVE}
SOURCE: Options = {"source": _SIDE}
DESTINATION: Options = {"destination": {**_SIDE, "required": True}}
SOURCE_FILE: Options = {"source_file": {"type": "path"}}

#: of a module that reads people: what, and of whom
READING: Options = {
    "parts": {"type": "list", "elements": "str", "choices": list(PARTS), "default": list(PARTS)},
    "organizations": REPOSITORIES,
    "repositories": REPOSITORIES,
    "users": REPOSITORIES,
    # which of them, and none itself
    "tokens": {"type": "dict", "options": {"newest": {"type": "int"}, "used_since": {"type": "str"}}, "no_log": False},
    "go_on_without": {"type": "list", "elements": "str", "choices": list(NOT_ALWAYS_READ), "default": []},
}

#: of a module that compares both sides: who is who
MATCHING: Options = {
    "rename": {"type": "dict", "default": {}},
    "match_directory": {"type": "bool", "default": True},
    "built_in": {"type": "str", "choices": ["keep", "replace"], "default": "keep"},
    "automation": {"type": "str", "choices": list(AUTOMATION), "default": "active"},
    "people_file": {"type": "path"},
}

#: of the module that writes
WRITING: Options = {
    "coming_parts": {"type": "list", "elements": "str", "choices": list(PARTS), "default": []},
    "existing_passwords": {"type": "str", "choices": ["replace", "keep"], "default": "replace"},
    "surplus": {"type": "str", "choices": ["keep", "report", "remove"], "default": "report"},
    "surplus_kinds": {"type": "list", "elements": "str", "choices": list(CLASSES), "default": list(REMOVABLE)},
    "on_refusal": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
    "on_error": {"type": "str", "choices": ["skip", "abort"], "default": "skip"},
    "workers": {"type": "int", "default": 0},
    "plan_file": {"type": "path"},
}

#: of the module that proves
PROVING: Options = {
    "surplus": {"type": "str", "choices": ["ignore", "report", "fail"], "default": "report"},
    "sample": {"type": "int", "default": 100},
    "logins": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"username": {"type": "str", "required": True}, "secret": {"type": "str", "required": True, "no_log": True}},
    },
}

Result = dict[str, t.Any]


class Sides:
    """The installations that a module works with, opened as they are needed, and closed in the end.

    As a context manager it ends the task when a MigrationError comes out of its block.
    """

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._stack = contextlib.ExitStack()
        self._opened: dict[str, People] = {}

    def open(self, side: str) -> People:
        """The people of an option (`source` or `destination`)."""
        if side not in self._opened:
            module = self._module
            people = people_of(module.params[side], f"{side}.", on_secret=module.no_log_values.add, warn=module.warn)
            self._stack.callback(people.close)
            self._opened[side] = people
        return self._opened[side]

    def source(self) -> People | None:
        """The source, where it is no file."""
        return self.open("source") if self._module.params["source"] else None

    def notes(self) -> list[str]:
        """What the installations have to say of what was done."""
        return [note for people in self._opened.values() for note in people.notes()]

    def __enter__(self) -> Sides:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: types.TracebackType | None) -> None:
        self._stack.close()
        if isinstance(error, MigrationError):
            fail(self._module, error)


def make_identity_module(spec: Options, **more: t.Any) -> AnsibleModule:
    """An AnsibleModule with check mode, for options that are put together from those above."""
    return AnsibleModule(argument_spec=spec, supports_check_mode=True, **more)


@dataclasses.dataclass
class Read:
    """Both sides, in the names of the destination.

    `wanted`: what is selected of the source. `existing`: what the destination has. `surplus`: what it has beyond the source, as far as
    the selection goes. `whole`: the source without the selection, as far as it is known. `names`: accounts that are called otherwise
    there. `not_migrated`: what is left out, each with the reason.
    """

    wanted: Estate
    existing: Estate
    surplus: list[Item]
    whole: Estate
    names: dict[str, str]
    not_migrated: list[dict[str, t.Any]]


def read_source(module: AnsibleModule, sides: Sides, selection: Selection, kinds: t.Collection[str]) -> Estate:
    """The source, of a connection or a file; warns of patterns that match nothing there."""
    params = module.params
    if params.get("source_file"):
        estate = read_estate(params["source_file"], "source_file")
    else:
        estate = sides.open("source").read(kinds, selection.namespaces)
    known = {"repositories"} if "repository" not in kinds else set()
    for warning in [one for one in selection.unmatched(estate) if one.partition(".")[0] not in known][:MOST_WARNINGS]:
        module.warn(warning)
    return estate


def read_both(module: AnsibleModule, sides: Sides, more_kinds: t.Collection[str] = ()) -> Read:
    """Read both sides, and find out who is who; raises MigrationErrors. `more_kinds`: beside those of the parts."""
    params = module.params
    selection = Selection.from_options(without_none({name: params[name] for name in ("organizations", "repositories", "users", "tokens")}))
    kinds = kinds_to_read(params["parts"]) | selection.kinds | set(more_kinds)
    destination = sides.open("destination")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        # what of the destination matters may depend on the source; else both are read at the same time
        reading = pool.submit(destination.read, kinds) if selection.namespaces is None else None
        source = read_source(module, sides, selection, kinds)
        chosen = select(source, selection)
        if reading is None:
            existing = destination.read(kinds, _namespaces(selection, chosen, params["rename"]))
        else:
            existing = reading.result()
    names = renaming(source, existing, params["rename"], params["match_directory"])
    wanted, whole = renamed(chosen, names), renamed(source, names)
    if params["match_directory"] and "directory_name" in existing.unread:
        every_installations = {*destination.built_in, destination.own_account}
        if any(
            one.name not in every_installations and not one.is_organization and existing.like(one) for one in wanted.of(Account).values()
        ):
            module.warn(f"Users who are at the destination already are known by their names alone: {existing.unread['directory_name']}")
    not_migrated = _not_migrated(module, wanted, existing)
    unread = {*source.unread, *existing.unread}
    if source.is_part and params["surplus"] in ("remove", "fail"):
        raise InvalidOption(
            f"cannot be {params['surplus']}: the file has a selection, and says nothing of what it leaves out.",
            subject="surplus",
            hint="Export everything, or give the source itself.",
        )
    scope = _as_selected(existing, dataclasses.replace(selection, newest_tokens=None, used_since=None), names)
    surplus = [item for item in scope if item.kind not in unread and whole.like(item) is None and not source.is_part]
    return Read(wanted, existing, surplus, whole, names, not_migrated)


def _namespaces(selection: Selection, chosen: Estate, wished: t.Mapping[str, str]) -> list[str] | None:
    """The namespaces of the destination that matter, where not all of them do: tags may be promoted to those of others."""
    if selection.namespaces is None:
        return None
    targets = {policy.target.partition("/")[0] for policy in chosen.of(Policy).values() if policy.does == "promotion"}
    names = {*selection.namespaces, *targets}
    return sorted({*names, *(wished[name] for name in names if name in wished)})


def _as_selected(existing: Estate, selection: Selection, names: t.Mapping[str, str]) -> Estate:
    """What of the destination is selected: a selection says the source's names. `names`: `{name there: name here}`."""
    old_names = {new: old for old, new in names.items()}
    # who has such a name here without being meant by it gets one that nobody can select, and nobody can have
    others = {old: f"{old} (only here)" for old in names if old not in old_names}
    known = renamed(existing, {**old_names, **others})
    return renamed(select(known, selection), {**names, **{new: old for old, new in others.items()}})


def _not_migrated(module: AnsibleModule, wanted: Estate, existing: Estate) -> list[dict[str, t.Any]]:
    """What one of the sides cannot tell, and is gone on without; InvalidOption where nobody has said that it may be."""
    params = module.params
    if params["match_directory"] and "directory_name" in wanted.unread:
        module.warn(f"Users of a directory are found by their names alone: {wanted.unread['directory_name']}")
    kinds = kinds_to_read(params["parts"])
    reasons = {what: f"the source: {reason}" for what, reason in wanted.unread.items()}
    reasons.update({what: f"the destination: {reason}" for what, reason in existing.unread.items() if what in CLASSES})
    missing = [
        what
        for what in NOT_ALWAYS_READ
        if what in reasons and (what in kinds or (what == "password_hash" and "accounts" in params["parts"]))
    ]
    _check_allowed({what: reasons[what] for what in missing}, params["go_on_without"], "migrated", "read")
    result = []
    for what in missing:
        count = len(wanted.of(CLASSES[what])) if what in CLASSES else sum(not one.is_organization for one in wanted.of(Account).values())
        result.append({"what": what, "count": count, "reason": reasons[what]})
        if what in CLASSES:
            wanted.of(CLASSES[what]).clear()
        else:
            for account in list(wanted.of(Account).values()):
                wanted.add(dataclasses.replace(account, password_hash=""))
    return result


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


# -- identity_import
def import_people(module: AnsibleModule, sides: Sides) -> Result:
    """Plan, and apply unless in check mode; the result, whose `failed` says how it went."""
    params = module.params
    both = read_both(module, sides)
    if params["automation"] == "paused":
        pause(both.wanted)
    destination = sides.open("destination")
    destination.match_directory = params["match_directory"]
    options = PlanOptions(
        parts=params["parts"],
        built_in=params["built_in"],
        passwords=params["existing_passwords"],
        match_directory=params["match_directory"],
        same=set(params["rename"].values()),
        surplus=params["surplus"],
        removed=params["surplus_kinds"],
        coming=params["coming_parts"] if module.check_mode else (),
    )
    planned = plan(both.wanted, both.existing, destination, options, both.surplus)
    refused_repositories = _refused_repositories(planned, both.names)
    changes = _without(planned, params["go_on_without"], both)
    kept = {*(destination.built_in if params["built_in"] == "keep" else ()), destination.own_account}
    _leave_out_what_cannot_be_written(changes, destination, params["go_on_without"], both, kept)
    stopped = params["on_refusal"] == "fail" and any(change.state == REFUSED for change in changes)
    if stopped and not module.check_mode:
        for change in changes:
            # nothing that says what was done may call it done
            change.state = NOT_ATTEMPTED if change.is_due else change.state
    done = summed(changes)
    if not module.check_mode and not stopped:
        done = apply(destination, changes, workers=params["workers"], on_error=params["on_error"])
    result = _import_result(module, both, done, stopped)
    result["refused_repositories"] = refused_repositories
    result["notes"] = sides.notes()
    for note in result["notes"][:MOST_WARNINGS]:
        module.warn(note)
    rows = [change.as_row() for change in changes]
    if params["plan_file"]:
        write_json(params["plan_file"], {"schema": 1, "source": both.wanted.where, "destination": both.existing.where, "rows": rows})
    if params["people_file"] and not module.check_mode:
        bad = {"failures": [one.as_row() for one in done.failures], "refused": [one.as_row() for one in done.refused]}
        entry = {**{name: result[name] for name in ("source", "destination", "counts", "not_migrated", "renamed", "notes")}, **bad}
        note_import(params["people_file"], params["parts"], entry, result["changed"])
    if module._diff:
        result["diff"] = {"prepared": "".join(f"{line}\n" for line in plan_lines(changes))}
    return result


def _refused_repositories(changes: t.Iterable[Change], names: t.Mapping[str, str]) -> list[str]:
    """The repositories that the destination would not have, by their names at the source: there is nothing to push their images to."""
    old_names = {new: old for old, new in names.items()}
    refused = [change.item for change in changes if change.state == REFUSED and isinstance(change.item, Repository)]
    return sorted(f"{old_names.get(item.namespace, item.namespace)}/{item.name}" for item in refused)


def _without(changes: list[Change], allowed: t.Collection[str], both: Read) -> list[Change]:
    """The changes without refused ones of kinds that may be missing: these are noted, once for each kind."""
    kept: list[Change] = []
    left_out: dict[str, tuple[int, str]] = {}
    for change in changes:
        if change.state == REFUSED and change.item.kind in allowed:
            count, reason = left_out.get(change.item.kind, (0, change.problem.message if change.problem else ""))
            left_out[change.item.kind] = (count + 1, reason)
        else:
            kept.append(change)
    for kind, (count, reason) in left_out.items():
        both.not_migrated.append({"what": kind, "count": count, "reason": f"the destination: {reason}"})
    return kept


def _leave_out_what_cannot_be_written(
    changes: list[Change], destination: People, allowed: t.Collection[str], both: Read, kept: t.Collection[str]
) -> None:
    """Take out of a plan what the destination cannot be given; InvalidOption where nobody has said that it may be missing.

    A password that cannot be compared is one of these: nobody knows whether it is to be written. `kept`: accounts whose own does not count.
    """
    due: dict[str, list[Change]] = {}
    unknown: list[Change] = []
    for change in changes:
        if change.is_due and change.wanted is not None:
            due.setdefault(change.item.kind, []).append(change)
        if isinstance(change.wanted, Account) and change.wanted.password_hash and (change.is_due or change.state == UNCHANGED):
            if change.existing is None or "password" in change.differences:
                due.setdefault("password_hash", []).append(change)
            elif "password_hash" in both.existing.unread and change.wanted.name not in kept:
                unknown.append(change)
    # nobody need be asked where nothing of it is due
    asked = due.keys() & {"password_hash", "token"}
    reasons = {what: f"the destination: {reason}" for what, reason in (destination.unwritable() if asked else {}).items() if what in due}
    if unknown:
        if "password_hash" not in reasons:
            due["password_hash"] = []
            reasons["password_hash"] = (
                f"the destination: {both.existing.unread['password_hash']} Passwords of users who are there already can then not be "
                "compared; existing_passwords: keep leaves them as they are."
            )
        due["password_hash"] += unknown
    _check_allowed(reasons, allowed, "migrated", "write")
    for what, reason in reasons.items():
        both.not_migrated.append({"what": what, "count": len(due[what]), "reason": reason})
        if what != "password_hash":
            left_out = set(map(id, due[what]))
            changes[:] = [change for change in changes if id(change) not in left_out]
            continue
        for change in due[what]:
            if isinstance(change.wanted, Account):
                change.wanted = dataclasses.replace(change.wanted, password_hash="")
                if change.differences.pop("password", None) and not change.differences:
                    change.state = UNCHANGED


def _check_allowed(reasons: t.Mapping[str, str], allowed: t.Collection[str], done: str, to_do: str) -> None:
    """InvalidOption where something is missing that may not be. `done`, `to_do`: what cannot be done with it."""
    denied = [what for what in reasons if what not in allowed]
    if denied:
        raise InvalidOption(
            f"does not name {', '.join(denied)}, which cannot be {done}. {' '.join(_sentence(reasons[what]) for what in denied)}",
            subject="go_on_without",
            hint=f"Give what it takes to {to_do} that, or name it there to go on without it.",
        )


def _import_result(module: AnsibleModule, both: Read, done: Applied, stopped: bool) -> Result:
    params = module.params
    result: Result = {
        "changed": done.changed and not stopped,
        "source": both.wanted.where,
        "destination": both.existing.where,
        "counts": {kind: {state: counts[state] for state in STATES} for kind, counts in done.counts.items()},
        "totals": done.totals,
        "failures": [one.as_row() for one in done.failures[:MOST_FAILURES]],
        "refused": [one.as_row() for one in done.refused[:MOST_FAILURES]],
        "not_migrated": both.not_migrated,
        "renamed": both.names,
        "plan_file": params["plan_file"] or "",
        "people_file": params["people_file"] or "",
    }
    result["failed"] = bool(done.failures or done.totals["not_attempted"] or (stopped and not module.check_mode))
    result["msg"] = _import_message(done, stopped, module.check_mode)
    return result


def _import_message(done: Applied, stopped: bool, check_mode: bool) -> str:
    refused = done.refused[0].problem if done.refused else None
    if stopped:
        what = "would be written" if check_mode else "was written"
        return f"The destination would refuse {len(done.refused)} items, so nothing {what}. The first: {refused}"
    totals = done.totals
    words = {"removed": "to remove", "changed": "to change", "created": "to create"} if check_mode else {}
    parts = [f"{totals[state]} {words.get(state, state.replace('_', ' '))}" for state in STATES if totals[state]]
    text = f"{', '.join(parts) or 'nothing was selected'}."
    if done.failures:
        text = f"{text} The first failure: {done.failures[0].problem}"
    elif refused is not None:
        text = f"{text} The first that was refused: {refused}"
    return _sentence(text)


# -- identity_verify
def verify_people(module: AnsibleModule, sides: Sides) -> Result:
    """Compare both sides; the result, whose `failed` says whether anything differs."""
    params = module.params
    both = read_both(module, sides, ACCESS_KINDS if "repositories" in params["parts"] else ())
    if params["automation"] == "paused":
        allow_pauses(both.wanted, both.existing)
    if both.whole.is_part and "repositories" in params["parts"]:
        module.warn("source_file has a part of the source: whether others than its users may do more than there is not compared.")
    destination, source = sides.open("destination"), sides.source()
    options = VerifyOptions(
        parts=params["parts"],
        kept=destination.built_in if params["built_in"] == "keep" else (),
        own_account=destination.own_account,
        match_directory=params["match_directory"],
        same=set(params["rename"].values()),
        without=params["go_on_without"],
        surplus=params["surplus"],
        sample=params["sample"],
    )
    found = compare(both.wanted, both.existing, options, both.surplus, both.whole)
    if found.access is not None and params["sample"]:
        ask_sample(found, both.wanted, source, destination, both.names, options)
    try_logins(found, [(one["username"], one["secret"]) for one in params["logins"]], source, destination, both.names)
    document = {"source": both.wanted.where, "destination": both.existing.where, "parts": params["parts"], **found.as_document()}
    if params["people_file"] and not module.check_mode:
        note_verification(params["people_file"], {**document, "not_migrated": both.not_migrated})
    return _verify_result(both, found, params["people_file"] or "")


def _verify_result(both: Read, found: Verified, people_file: str) -> Result:
    document = found.as_document()
    checked = sum(sum(counts[outcome] for outcome in OUTCOMES if outcome != "surplus") for counts in found.counts.values())
    result: Result = {
        "changed": False,
        "failed": bool(found.different),
        "source": both.wanted.where,
        "destination": both.existing.where,
        "checked": checked,
        "different": found.different,
        "counts": document["counts"],
        "access": {
            "compared": document["access"]["compared"],
            "kept": document["access"]["kept"][:MOST_FAILURES],
            "different": len(document["access"]["differences"]),
            "differences": document["access"]["differences"][:MOST_FAILURES],
        },
        "differences": document["items"][:MOST_FAILURES],
        "sample": {"asked": found.sampled, "differences": document["sample"]["differences"][:MOST_FAILURES]},
        "logins": document["logins"],
        "surplus": document["surplus"][:MOST_FAILURES],
        "uncompared": document["uncompared"],
        "not_migrated": both.not_migrated,
        "renamed": both.names,
        "people_file": people_file,
    }
    result["msg"] = _verify_message(found, checked)
    return result


def _verify_message(found: Verified, checked: int) -> str:
    compared = f"{checked} items" + (f" and {found.access.cells} pairs of a user and a repository" if found.access is not None else "")
    allowed = [what for what in found.uncompared if what not in found.unproven]
    without = f" Not compared: {', '.join(allowed)}." if allowed else ""
    if found.kept_access:
        names = ", ".join(sorted(found.kept_namespaces))
        without = f"{without} {len(found.kept_access)} rights to repositories of {names} stay as they are at the destination (built_in)."
    if not found.different:
        return f"{compared} were compared, and nothing differs.{without}"
    texts = []
    for what in found.unproven:
        texts.append(f"{what} could not be compared: {found.uncompared[what]}")
    if found.access is not None and found.access.differences:
        first = found.access.differences[0]
        texts.append(
            f"{len(found.access.differences)} rights differ. The first: {first.user} may {_right(first.after)} {first.repository} at the "
            f"destination, and {_right(first.before)} it at the source."
        )
    if found.items:
        first_item = found.items[0]
        texts.append(f"{len(found.items)} items differ. The first: {first_item.item.title} is {first_item.outcome}.")
    if found.sample:
        texts.append(f"Of {len(found.sample)} of {found.sampled} rights that were asked for, the products themselves say something else.")
    if found.logins:
        texts.append(f"{len(found.logins)} of {found.logins_tried} logins get in on one side only: {found.logins[0].user} is the first.")
    if found.surplus_fails and found.surplus:
        texts.append(f"{len(found.surplus)} items are only at the destination. The first: {found.surplus[0].item.title}.")
    return f"{' '.join(texts)} {compared} were compared.{without}"


def _right(level: str | None) -> str:
    return {None: "do nothing with", "read": "read", "write": "read and write", "admin": "administrate"}[level]


# -- identity_export
def export_people(module: AnsibleModule, sides: Sides) -> Result:
    """Read the source and write the file, unless in check mode or as it is already."""
    params = module.params
    selection = Selection.from_options(without_none({name: params[name] for name in ("organizations", "repositories", "users", "tokens")}))
    kinds = kinds_to_read(params["parts"]) | selection.kinds
    estate = select(read_source(module, sides, selection, kinds), selection)
    # whoever reads the file must not take it for "there is none"
    estate.unread.update({kind: "it was in none of the parts that were exported." for kind in CLASSES if kind not in kinds})
    needed = {*kinds_to_read(params["parts"]), *(("password_hash",) if "accounts" in params["parts"] else ())}
    unread = {what: reason for what, reason in estate.unread.items() if what in needed}
    _check_allowed(unread, params["go_on_without"], "read", "read")
    changed = _as_in(params["path"]) != estate.as_document()
    if changed and not module.check_mode:
        estate.write(params["path"])
    notes = sides.notes()
    for note in notes[:MOST_WARNINGS]:
        module.warn(note)
    return {
        "changed": changed,
        "path": params["path"],
        "source": estate.where,
        "counts": estate.counts(),
        "unread": dict(estate.unread),
        "notes": notes,
    }


def _as_in(path: str) -> dict[str, t.Any] | None:
    """What a file has, where it is an export."""
    with contextlib.suppress(InvalidOption):
        return read_estate(path, "path").as_document()
    return None

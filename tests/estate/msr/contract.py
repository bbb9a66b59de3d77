# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and answers held against the published API descriptions, more strictly than these ask for: no field that they do not name."""

from __future__ import annotations

import functools
import json
import re
import typing as t
import urllib.parse
from pathlib import Path

from estate.product import Answer, Asked

Check = t.Callable[[t.Any, str], t.Iterator[str]]

#: fields that products have by now, and the descriptions do not: `{definition: names}`
_NEWER = {"responses.Account": ("onDemand", "otpEnabled")}
#: fields that the descriptions ask for, and products no longer have
_GONE: t.Mapping[str, tuple[str, ...] | None] = {
    "responses.Repository": ("enableManifestLists",),
    "forms.CreateRepo": ("enableManifestLists",),
    # sent in parts, as the guide to read-only registries does
    "forms.Settings": None,
    # `string` is no field of anything: it is the type of the one before it
    "responses.Promotion": ("string",),
    # the old one is left out by administrators
    "forms.ChangePassword": ("oldPassword",),
}
#: what the descriptions name no address for
_UNDESCRIBED = re.compile(
    r"/v2/.*|/auth/token|/ca|/health|/_ping|/api/v0/admin/version|(?:/enzi/v0)?/(?:admin/importAccounts|id/login|config/auth(?:/ldap)?)"
)


class Contracts:
    """The descriptions of MSR's own API and of the accounts' API."""

    def __init__(self, registry: Path, accounts: Path) -> None:
        self._operations: list[tuple[str, re.Pattern[str], t.Mapping[str, t.Any], _Document]] = []
        for path in (registry, accounts):
            document = _Document(json.loads(path.read_text(encoding="utf-8")))
            for template, methods in document.data["paths"].items():
                parts = [re.escape(part) if not part.startswith("{") else "[^/]+" for part in template.rstrip("/").split("/")]
                pattern = re.compile("/".join(parts) + "/?")
                for method, operation in methods.items():
                    self._operations.append((method.upper(), pattern, operation, document))
        # what is named is found before what stands for anything
        self._operations.sort(key=lambda one: one[1].pattern.count("[^/]+"))

    @classmethod
    def at_hand(cls, folder: str, version: str = "") -> Contracts | None:
        """Those in a folder; None where they are not."""
        files = Path(folder) / "dtr-2.6-swagger.json", Path(folder) / "ucp-3.1-accounts-swagger.json"
        return cls(*files) if folder and all(file.is_file() for file in files) else None

    def violations(self, asked: Asked, found: Answer) -> list[str]:
        """Where an exchange is not as described; a request that was refused may be anything."""
        if _UNDESCRIBED.fullmatch(asked.path):
            return []
        path = asked.path.removeprefix("/enzi/v0")
        line = f"{asked.method} {path}"
        match = next((one for one in self._operations if one[0] == asked.method and one[1].fullmatch(path)), None)
        if match is None:
            return [] if found.status in (404, 405) else [f"{line}: nothing is described there"]
        _method, _pattern, operation, document = match
        problems: list[str] = []
        if found.status < 300:
            problems += self._request(asked, operation, document)
        problems += self._answer(asked, found, operation, document)
        return [f"{line}: {problem}" for problem in problems]

    @staticmethod
    def _request(asked: Asked, operation: t.Mapping[str, t.Any], document: _Document) -> t.Iterator[str]:
        parameters = operation.get("parameters", [])
        known = {one["name"]: one for one in parameters if one["in"] == "query"}
        for name, value in asked.parameters:
            if name not in known:
                yield f"the query has {name}"
            elif known[name].get("type") in ("integer", "int") and not value.isdecimal():
                yield f"{name} in the query is no number"
            elif known[name].get("type") == "boolean" and value not in ("true", "false"):
                yield f"{name} in the query is neither true nor false"
        for one in parameters:
            if one["in"] == "query" and one.get("required") and one["name"] not in asked.query:
                yield f"the query has no {one['name']}"
            if one["in"] == "body" and (asked.body or one.get("required")):
                try:
                    body = json.loads(asked.body)
                except ValueError:
                    yield "the body is no JSON"
                else:
                    yield from document.check(one["schema"])(body, "body")
        if asked.body and not any(one["in"] == "body" for one in parameters):
            yield "there is a body"

    @staticmethod
    def _answer(asked: Asked, found: Answer, operation: t.Mapping[str, t.Any], document: _Document) -> t.Iterator[str]:
        responses = operation["responses"]
        if found.status >= 400:
            errors = (found.document or {}).get("errors") if isinstance(found.document, dict) else None
            if not errors or not all(isinstance(one.get("code"), str) and isinstance(one.get("message"), str) for one in errors):
                yield f"{found.status} without a code and a message"
            return
        if str(found.status) not in responses and not (found.status == 204 and asked.method == "DELETE"):
            yield f"{found.status} is not described"
            return
        schema = responses.get(str(found.status), {}).get("schema")
        if schema is not None:
            yield from document.check(schema)(found.document, "answer")


class _Document:
    """One description; its schemas are made to functions, once each: that is fast enough for every request of a large run."""

    def __init__(self, data: t.Mapping[str, t.Any]) -> None:
        self.data = data
        self._checks: dict[str, Check] = {}

    def _checked_as(self, name: str, value: t.Any, at: str) -> t.Iterator[str]:
        return self._checks[name](value, at)

    def check(self, schema: t.Mapping[str, t.Any]) -> Check:
        """What a value has to be like, as a function of the value and its name."""
        reference = schema.get("$ref")
        if reference is None:
            return self._made(schema, "")
        name = urllib.parse.unquote(reference.rpartition("/")[2])
        if name not in self._checks:
            # for definitions that name themselves: what is made meanwhile finds it when it is asked
            self._checks[name] = functools.partial(self._checked_as, name)
            self._checks[name] = self._made(self.data["definitions"][name], name)
        return self._checks[name]

    def _made(self, schema: t.Mapping[str, t.Any], name: str) -> Check:
        kind = schema.get("type") or ("object" if "properties" in schema else "")
        if kind == "object" and "properties" in schema:
            return self._object(schema, name)
        if kind == "array":
            return self._array(self.check(schema.get("items", {})))
        return _scalar({"int": "integer"}.get(kind, kind), schema.get("enum"))

    def _object(self, schema: t.Mapping[str, t.Any], name: str) -> Check:
        fields = {field: self.check(one) for field, one in schema["properties"].items()}
        gone = _GONE.get(name, ())
        required = [] if gone is None else [field for field in schema.get("required", ()) if field not in gone]
        newer = frozenset(_NEWER.get(name, ()))

        def check(value: t.Any, at: str) -> t.Iterator[str]:
            if not isinstance(value, dict):
                yield f"{at} is no object"
                return
            for field in required:
                if field not in value:
                    yield f"{at} has no {field}"
            for field, one in value.items():
                if field in fields:
                    yield from fields[field](one, f"{at}.{field}")
                elif field not in newer:
                    yield f"{at} has {field}"

        return check

    @staticmethod
    def _array(item: Check) -> Check:
        def check(value: t.Any, at: str) -> t.Iterator[str]:
            if not isinstance(value, list):
                yield f"{at} is no array"
                return
            for one in value:
                yield from item(one, f"{at}[]")

        return check


_TYPES: t.Mapping[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "boolean": (bool,), "number": (int, float), "object": (dict,)
}  # fmt: skip


def _scalar(kind: str, choices: t.Collection[t.Any] | None) -> Check:
    types = _TYPES.get(kind)

    def check(value: t.Any, at: str) -> t.Iterator[str]:
        if types and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
            yield f"{at} is no {kind}"
        elif choices and value not in choices:
            yield f"{at} is none of {', '.join(map(str, choices))}"

    return check

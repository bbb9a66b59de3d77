# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""From a repository's name at the source to its name at the destination, and the collisions that follow from it.

All steps are optional. Their order is fixed, whatever the order of the options:

1. `strip_prefix`: these leading components are dropped where a name has them (`old` makes `app` of `old/app`, and leaves
   `older/app` alone);
2. `library: strip`: a leading component `library`, Docker Hub's namespace of official images, is dropped;
3. `regex`: each rule whose `pattern` matches the whole name replaces it by its `replacement` (`\\1` and `\\g<name>` stand for
   groups); rules follow one another, each on the result of the one before;
4. `flatten`: how many leading components are dropped, as Harbor's replication counts: 0 none, k the first k, -1 all but the
   last one; k has to leave at least one component;
5. `prefix`: components put in front;
6. `library: add`: a name of one component gets `library/` in front;
7. `join_deep`: where the name has more components than the destination accepts (or than `max_components`), the surplus ones
   are joined to the last one by this separator, as oc-mirror's --max-nested-paths does: with at most two components and `-`,
   `a/b/c` becomes `a/b-c`.

The result has to be a legal name (distribution-spec "Pulling manifests"), and one that the destination's product accepts.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.options import check_keys, choice, string, whole_number
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import (
    InvalidName,
    InvalidOption,
    InvalidReference,
    NameCollision,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_repository
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC, Profile, check_name

Library = t.Literal["keep", "strip", "add"]

_LIBRARY = "library"
#: what the distribution specification's grammar allows between letters and digits of one component
_JOINERS = ("-", "--", "_", "__", ".")
_KEYS = ("strip_prefix", "library", "regex", "flatten", "prefix", "join_deep", "max_components")
_COLLISIONS_NAMED = 10
_WAY_OUT = "Keep the names apart with mapping.prefix, mapping.regex or less mapping.flatten, or leave one out of the selection."


@dataclasses.dataclass(frozen=True)
class RegexRule:
    """A name that `pattern` matches as a whole becomes `replacement`."""

    pattern: re.Pattern[str]
    replacement: str

    def apply(self, name: str) -> str:
        match = self.pattern.fullmatch(name)
        return name if match is None else match.expand(self.replacement)


@dataclasses.dataclass(frozen=True)
class Mapping:
    """How names change on the way. The fields are the steps of this module's docstring; `option` is the name errors use."""

    strip_prefix: str = ""
    library: Library = "keep"
    regex: tuple[RegexRule, ...] = ()
    flatten: int = 0
    prefix: str = ""
    join_deep: str = ""
    max_components: int | None = None
    option: str = "mapping"

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any] | None, option: str = "mapping") -> Mapping:
        """Build from a dict of the steps, `regex` as `[{pattern, replacement}]`; InvalidOption names the key that is wrong."""
        options = check_keys(options, option, _KEYS)
        library = choice(options, "library", option, t.get_args(Library))
        return cls(
            strip_prefix=_components(options, "strip_prefix", option),
            library="strip" if library == "strip" else "add" if library == "add" else "keep",
            regex=_regex(options, option),
            flatten=whole_number(options, "flatten", option, -1) or 0,
            prefix=_components(options, "prefix", option),
            join_deep=choice(options, "join_deep", option, _JOINERS) or "",
            max_components=whole_number(options, "max_components", option, 1),
            option=option,
        )

    def map_repository(self, name: str, profile: Profile = GENERIC) -> str:
        """The destination's name of a source's repository.

        InvalidName (its subject has both names) where a step cannot be done, or where the result is no legal name, or none
        that the product of `profile` accepts.
        """
        destination = self._flatten(name, self._rewrite(self._strip(name)))
        if self.prefix:
            destination = f"{self.prefix}/{destination}"
        if self.library == "add" and "/" not in destination:
            destination = f"{_LIBRARY}/{destination}"
        destination = self._join(name, destination, profile)
        try:
            check_repository(destination)
            check_name(profile, destination)
        except InvalidReference as error:
            raise InvalidName(error.message, subject=_both(name, destination), hint=error.hint or f"Correct {self.option}.") from error
        except InvalidName as error:
            raise InvalidName(error.message, subject=_both(name, destination), hint=error.hint) from error
        return destination

    def _strip(self, name: str) -> str:
        for prefix in (self.strip_prefix, _LIBRARY if self.library == "strip" else ""):
            if not prefix:
                continue
            if name == prefix and prefix == self.strip_prefix:
                raise InvalidName(
                    f"{self.option}.strip_prefix leaves nothing of this name.",
                    subject=name,
                    hint="Strip fewer components, or rename this repository with a rule of its own.",
                )
            if name.startswith(f"{prefix}/"):
                name = name[len(prefix) + 1 :]
        return name

    def _rewrite(self, name: str) -> str:
        for rule in self.regex:
            name = rule.apply(name)
        return name

    def _flatten(self, source: str, name: str) -> str:
        components = name.split("/")
        if self.flatten < 0:
            return components[-1]
        if self.flatten > len(components) - 1:
            raise InvalidName(
                f"{self.option}.flatten {self.flatten} leaves nothing of {name}: at most {len(components) - 1} components can be dropped.",
                subject=source,
                hint=f"Set {self.option}.flatten to a smaller number, or to -1 to keep the last component of every name.",
            )
        return "/".join(components[self.flatten :])

    def _join(self, source: str, name: str, profile: Profile) -> str:
        limits = [limit for limit in (self.max_components, profile.names.max_components) if limit is not None]
        components = name.split("/")
        if not limits or len(components) <= min(limits):
            return name
        most = min(limits)
        if not self.join_deep:
            raise InvalidName(
                f"has {len(components)} components, and the destination ({profile.title}) takes at most {most}.",
                subject=_both(source, name),
                hint=f"Set {self.option}.flatten to drop leading components, or {self.option}.join_deep to '-' to join the last ones.",
            )
        return "/".join([*components[: most - 1], self.join_deep.join(components[most - 1 :])])


def _both(source: str, destination: str) -> str:
    return source if source == destination else f"{source} -> {destination[:300]}"


def _components(options: t.Mapping[str, t.Any], key: str, option: str) -> str:
    """Whole components of a name; one slash at the end is as good as none."""
    value = string(options, key, option)
    if value is None:
        return ""
    components = value[:-1] if value.endswith("/") else value
    try:
        check_repository(components)
    except InvalidReference as error:
        raise InvalidOption(
            f"{error.subject} {error.message}",
            subject=f"{option}.{key}",
            hint=error.hint or "Give whole components of a name, such as 'team/mirror'.",
        ) from error
    return components


def _regex(options: t.Mapping[str, t.Any], option: str) -> tuple[RegexRule, ...]:
    value = options.get("regex")
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise InvalidOption("has to be a list.", subject=f"{option}.regex", hint="Each item has the keys pattern and replacement.")
    return tuple(_regex_rule(rule, f"{option}.regex[{index}]") for index, rule in enumerate(value))


def _regex_rule(rule: t.Any, option: str) -> RegexRule:
    rule = check_keys(rule, option, ("pattern", "replacement"))
    pattern, replacement = rule.get("pattern"), rule.get("replacement")
    if not isinstance(pattern, str) or not isinstance(replacement, str):
        raise InvalidOption("has to have a pattern and a replacement, both strings.", subject=option, hint="Put them in quotes.")
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidOption(
            f"{pattern[:120]!r} is not a regular expression: {error}.",
            subject=f"{option}.pattern",
            hint="The syntax is that of Python's re module.",
        ) from error
    try:
        # a replacement is read before anything is searched, so nothing has to match
        compiled.sub(replacement, "")
    except (re.error, IndexError) as error:
        raise InvalidOption(
            f"{replacement[:120]!r} is not a replacement for {pattern[:120]!r}: {error}.",
            subject=f"{option}.replacement",
            hint=r"Groups of the pattern are written \1 or \g<name>.",
        ) from error
    return RegexRule(compiled, replacement)


def find_collisions(pairs: t.Iterable[tuple[str, str, str]]) -> dict[str, list[str]]:
    """The destination's repositories that more than one source repository is mapped to, with those sources, in the order given.

    Each pair is a source's label (its registry; may be empty), a repository there, and its repository at the destination.
    Such repositories may still share the destination, as long as `find_tag_collisions` finds none.
    """
    sources: dict[str, dict[str, None]] = {}
    for label, source, destination in pairs:
        sources.setdefault(destination, {})[_source(label, source)] = None
    return {destination: list(names) for destination, names in sources.items() if len(names) > 1}


def find_tag_collisions(tags: t.Iterable[tuple[str, str, str, str]], profile: Profile = GENERIC) -> list[NameCollision]:
    """The destination's tags that more than one tag of the sources would have, an error each, in the order given.

    Each item is a source's label (its registry; may be empty), a repository there, its repository at the destination, and the
    tag. Where the product folds the case of tags, `Tag` and `tag` are one. The same tag of the same source, given twice, is no
    collision; nor are digests, which have the same content everywhere.
    """
    sources: dict[tuple[str, str], dict[str, None]] = {}
    for label, source, destination, tag in tags:
        if not is_digest(tag):
            key = (destination, tag.lower() if profile.folds_tag_case else tag)
            sources.setdefault(key, {})[f"{_source(label, source)}:{tag}"] = None
    return [
        NameCollision(f"is the destination of {_listed(list(names))}.", subject=f"{destination}:{tag}", hint=_way_out(list(names), profile))
        for (destination, tag), names in sources.items()
        if len(names) > 1
    ]


def check_tag_collisions(tags: t.Iterable[tuple[str, str, str, str]], profile: Profile = GENERIC) -> None:
    """Raise NameCollision where `find_tag_collisions` finds any; one error names the first ones, and says how many there are."""
    collisions = find_tag_collisions(tags, profile)
    if not collisions:
        return
    if len(collisions) == 1:
        raise collisions[0]
    named = "; ".join(f"{collision.subject} {collision.message[:-1]}" for collision in collisions[:_COLLISIONS_NAMED])
    rest = len(collisions) - _COLLISIONS_NAMED
    more = f"; and {rest} more" if rest > 0 else ""
    raise NameCollision(
        f"{len(collisions)} tags of the destination have more than one source: {named}{more}.", subject="mapping", hint=collisions[0].hint
    )


def _source(label: str, repository: str) -> str:
    return f"{label}/{repository}" if label else repository


def _listed(names: list[str]) -> str:
    named = names[:_COLLISIONS_NAMED]
    if len(names) > len(named):
        return f"{', '.join(named)} and {len(names) - len(named)} more"
    return f"{', '.join(named[:-1])} and {named[-1]}"


def _way_out(names: list[str], profile: Profile) -> str:
    repositories = {name.rpartition(":")[0] for name in names}
    if len(repositories) == 1:
        return f"{profile.title} does not tell upper and lower case of tags apart: leave one of them out of the selection."
    return _WAY_OUT

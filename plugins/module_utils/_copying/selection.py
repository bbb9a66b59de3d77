# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""Which repositories, and which of their tags, take part.

Both selections are options of the same shape, two lists of patterns:

- no `include` (or an empty one) means everything, no `exclude` means nothing; what both name is excluded;
- a pattern without any of `* ? [ {` is a name, and matches that name only;
- otherwise it is a glob for the whole name: `*` any characters within one path component, `?` one such character, `**` any
  characters and components, `**/` also none (`**/app` matches `app` and `a/b/app`), `[a-z]` and `[!a-z]` one character of a
  set, `{a,b}` either (not nested);
- `regex:` in front makes the rest a regular expression of Python's `re` that has to match the whole name.

Tags know three more filters, and all of them have to agree. In this order: `include`, `exclude`, `semver` (a tag that is no
version is left out), `since`, and of what is left the `newest` N.

Tags that belong to a digest (`sha256-<hex>` of the referrers tag schema, cosign's `sha256-<hex>.sig` and the like) follow the
image of that digest, so no pattern, range or count selects them: a selection of everything has them, any other leaves them to
whoever copies the selected digests. They can still be named one by one.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._copying.options import (
    check_keys,
    choice,
    string,
    strings,
    whole_number,
)
from ansible_collections.registryops.migration.plugins.module_utils._copying.semver import Constraint, Version
from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import is_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, InvalidReference
from ansible_collections.registryops.migration.plugins.module_utils._oci.manifest import is_digest_tag
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import check_repository, check_tag

_REGEX_PREFIX = "regex:"
_GLOB_CHARACTERS = frozenset("*?[{")
_MATCHES_ANY_TAG = frozenset({"*", "**"})
_MOMENT_NUMBERS = ("year", "month", "day", "hour", "minute", "second")
_MOMENT = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,18}))?)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<zone_hours>[0-9]{2}):?(?P<zone_minutes>[0-9]{2}))?)?",
    re.ASCII,
)
_AGE = re.compile(r"(?P<count>[0-9]{1,5})(?P<unit>[hdw])", re.ASCII)
_AGE_UNITS = {"h": "hours", "d": "days", "w": "weeks"}

NewestBy = t.Literal["version", "date"]


@dataclasses.dataclass(frozen=True)
class Patterns:
    """A list of patterns, compiled; `text` are the patterns as they were given.

    `names` are the plain names among them, in the order given and each once; `expressions` are all others.
    """

    text: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    expressions: tuple[re.Pattern[str], ...] = ()
    _known: frozenset[str] = dataclasses.field(default=frozenset(), repr=False)

    @classmethod
    def parse(cls, items: t.Sequence[str], option: str, check_name: t.Callable[[str], object]) -> Patterns:
        """Compile patterns; InvalidOption, whose subject is `option`, names one that is wrong.

        `check_name` is asked about each plain name; it raises InvalidReference where no such name can exist.
        """
        names: dict[str, None] = {}
        globs: list[str] = []
        expressions: list[re.Pattern[str]] = []
        for item in items:
            if not item or item != item.strip():
                raise InvalidOption(f"{item[:120]!r} is empty or has spaces at an end.", subject=option, hint="Remove it or them.")
            if item.startswith(_REGEX_PREFIX):
                expressions.append(_compile_regex(item[len(_REGEX_PREFIX) :], option))
            elif _GLOB_CHARACTERS.isdisjoint(item):
                _check_plain_name(item, option, check_name)
                names[item] = None
            else:
                globs.append(_glob_to_regex(item, option))
        if globs:
            # one expression for all: each name is looked at once, however many globs there are
            expressions.insert(0, re.compile("|".join(f"(?:{glob})" for glob in globs)))
        return cls(tuple(items), tuple(names), tuple(expressions), frozenset(names))

    def __bool__(self) -> bool:
        return bool(self.text)

    def unmatched(self, names: t.Iterable[str]) -> list[str]:
        """Those of the patterns, plain names too, that match none of the names, as they were written."""
        names = list(names)
        listed = set(names)
        others = [item for item in self.text if item not in self._known]
        without = {item for item in others if not any(map(_compiled(item).fullmatch, names))}
        return [item for item in self.text if item in without or (item in self._known and item not in listed)]

    def within(self, namespace: str) -> Patterns:
        """The same where a plain name of one component stands for one in a namespace."""
        full = {name: name if "/" in name else f"{namespace}/{name}" for name in self.names}
        names = tuple(dict.fromkeys(full.values()))
        return Patterns(tuple(full.get(item, item) for item in self.text), names, self.expressions, frozenset(names))

    def match(self, name: str) -> bool:
        """Whether one of the patterns matches the whole name."""
        return name in self._known or any(expression.fullmatch(name) for expression in self.expressions)


@functools.lru_cache(maxsize=256)
def _compiled(item: str) -> re.Pattern[str]:
    """One glob or regular expression alone, which is known to be one."""
    return re.compile(item[len(_REGEX_PREFIX) :] if item.startswith(_REGEX_PREFIX) else _glob_to_regex(item, ""))


def _check_plain_name(item: str, option: str, check_name: t.Callable[[str], object]) -> None:
    try:
        check_name(item)
    except InvalidReference as error:
        raise InvalidOption(
            f"{error.subject} {error.message}",
            subject=option,
            hint=error.hint or "Correct it; for a regular expression write 'regex:' in front of it.",
        ) from error


def _compile_regex(expression: str, option: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidOption(
            f"{expression[:120]!r} is not a regular expression: {error}.", subject=option, hint="The syntax is that of Python's re module."
        ) from error


def _glob_to_regex(glob: str, option: str) -> str:
    """A glob as a regular expression for the whole name. The rules are those of this module's docstring."""
    result: list[str] = []
    position = 0
    in_braces = False
    while position < len(glob):
        character = glob[position]
        position += 1
        if character == "*":
            stars = position - 1
            while position < len(glob) and glob[position] == "*":
                position += 1
            if position - stars == 1:
                result.append("[^/]*")
            elif position < len(glob) and glob[position] == "/" and (stars == 0 or glob[stars - 1] == "/"):
                result.append("(?:.*/)?")
                position += 1
            else:
                result.append(".*")
        elif character == "?":
            result.append("[^/]")
        elif character == "[":
            end = glob.find("]", position + 1)
            if end < 0:
                raise _invalid_glob(glob, option, "a '[' is not closed")
            result.append(_glob_set(glob[position:end], glob, option))
            position = end + 1
        elif character == "{":
            if in_braces:
                raise _invalid_glob(glob, option, "a '{' stands inside another")
            in_braces = True
            result.append("(?:")
        elif character == "}":
            if not in_braces:
                raise _invalid_glob(glob, option, "a '}' has no '{'")
            in_braces = False
            result.append(")")
        elif character == "," and in_braces:
            result.append("|")
        else:
            result.append(re.escape(character))
    if in_braces:
        raise _invalid_glob(glob, option, "a '{' is not closed")
    return "".join(result)


def _glob_set(members: str, glob: str, option: str) -> str:
    """`a-z` or `!a-z`, as it stands between brackets, as a set of a regular expression."""
    negated = members.startswith("!")
    members = members[1:] if negated else members
    # letters, digits, '.', '_' and '-' are all that names are made of
    if not re.fullmatch(r"[A-Za-z0-9._-]+", members):
        raise _invalid_glob(glob, option, "between '[' and ']' may stand letters, digits, '.', '_' and '-', behind '!' for all others")
    # a range such as '.-_' would hold the slash
    expression = f"(?!/)[{'^' if negated else ''}{members}]"
    try:
        re.compile(expression)
    except re.error as error:
        raise _invalid_glob(glob, option, f"the range in '[{members}]' goes backwards") from error
    return expression


def _invalid_glob(glob: str, option: str, reason: str) -> InvalidOption:
    return InvalidOption(
        f"{glob[:120]!r} is not a glob: {reason}.", subject=option, hint="For a regular expression write 'regex:' in front of it."
    )


@dataclasses.dataclass(frozen=True)
class RepositorySelection:
    """Which repositories take part."""

    include: Patterns = Patterns()
    exclude: Patterns = Patterns()

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any] | None, option: str = "repositories") -> RepositorySelection:
        """Build from `{include: [pattern], exclude: [pattern]}`, each optional; InvalidOption names the key that is wrong."""
        options = check_keys(options, option, ("include", "exclude"))
        return cls(
            include=Patterns.parse(strings(options, "include", option), f"{option}.include", check_repository),
            exclude=Patterns.parse(strings(options, "exclude", option), f"{option}.exclude", check_repository),
        )

    def within(self, namespace: str) -> RepositorySelection:
        """The same where a name of one component stands for one in a namespace."""
        return RepositorySelection(self.include.within(namespace), self.exclude.within(namespace))

    def match(self, repository: str) -> bool:
        """Whether this one takes part."""
        return (not self.include or self.include.match(repository)) and not self.exclude.match(repository)


@dataclasses.dataclass(frozen=True)
class TagSelection:
    """Which tags of a repository take part; `since` is a point in time, or an age."""

    include: Patterns = Patterns()
    exclude: Patterns = Patterns()
    semver: Constraint | None = None
    since: datetime.datetime | datetime.timedelta | None = None
    newest: int | None = None
    newest_by: NewestBy = "version"

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any] | None, option: str = "tags") -> TagSelection:
        """Build from a dict with these keys, all optional; InvalidOption names the key that is wrong.

        `include`, `exclude`: patterns; a name may also be a digest, which is then selected as it is.
        `semver`: a version constraint.
        `since`: an ISO 8601 date or date-time (UTC where it names no zone), or an age such as `90d`, `12h` or `4w`.
        `newest`: how many of the newest to keep, at least 1; `newest_by`: `version` (default; prereleases count, unless
        `semver` leaves them out) or `date`.
        """
        options = check_keys(options, option, ("include", "exclude", "semver", "since", "newest", "newest_by"))
        semver = string(options, "semver", option)
        newest_by = choice(options, "newest_by", option, t.get_args(NewestBy))
        since = string(options, "since", option)
        return cls(
            include=Patterns.parse(strings(options, "include", option), f"{option}.include", _check_tag_or_digest),
            exclude=Patterns.parse(strings(options, "exclude", option), f"{option}.exclude", _check_tag_or_digest),
            semver=None if semver is None else Constraint.parse(semver, f"{option}.semver"),
            since=None if since is None else moment_or_age(since, f"{option}.since"),
            newest=whole_number(options, "newest", option, 1),
            newest_by="date" if newest_by == "date" else "version",
        )

    @property
    def is_everything(self) -> bool:
        """Whether no tag at all is left out."""
        everything = not self.include or not _MATCHES_ANY_TAG.isdisjoint(self.include.text)
        return everything and not self.exclude and self.semver is None and self.since is None and self.newest is None


def _check_tag_or_digest(name: str) -> None:
    if not is_digest(name):
        check_tag(name)


def moment_or_age(text: str, option: str) -> datetime.datetime | datetime.timedelta:
    """A moment, or a span of time before now; InvalidOption, whose subject is `option`, where it is neither."""
    age = _AGE.fullmatch(text.strip())
    if age is not None:
        return datetime.timedelta(**{_AGE_UNITS[age.group("unit")]: int(age.group("count"))})
    try:
        return parse_moment(text.strip())
    except ValueError as error:
        raise InvalidOption(
            f"{text[:60]!r} is neither a date nor an age.",
            subject=option,
            hint="Write 2026-01-31, 2026-01-31T12:00:00Z, or an age with at most 5 digits in hours, days or weeks: 12h, 90d, 4w.",
        ) from error


def parse_moment(text: str) -> datetime.datetime:
    """An ISO 8601 date or date-time (RFC 3339, section 5.6) as a time with a zone; ValueError if it is none.

    A date is its first moment; without a zone it is UTC; fractions of a second end at the microsecond.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError("neither YYYY-MM-DD nor YYYY-MM-DDThh:mm:ssZ")
    year, month, day, hour, minute, second = (int(number or 0) for number in match.group(*_MOMENT_NUMBERS))
    microsecond = int((match.group("fraction") or "")[:6].ljust(6, "0"))
    offset = datetime.timedelta(hours=int(match.group("zone_hours") or 0), minutes=int(match.group("zone_minutes") or 0))
    zone = datetime.timezone(-offset if match.group("sign") == "-" else offset)
    return datetime.datetime(year, month, day, hour, minute, second, microsecond, zone)


def _with_zone(moment: datetime.datetime) -> datetime.datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.timezone.utc)


class SelectedRepositories(t.NamedTuple):
    """`names` in the order of the listing, each once; `missing` are those asked for by name that the listing does not have."""

    names: list[str]
    missing: list[str]


def needs_catalog(selection: RepositorySelection) -> bool:
    """Whether the registry has to list its repositories; where not, `selection.include.names` is the list."""
    return not selection.include or bool(selection.include.expressions)


def needs_dates(selection: TagSelection) -> bool:
    """Whether `select_tags` wants to know when images were created."""
    return selection.since is not None or (selection.newest is not None and selection.newest_by == "date")


def select_repositories(names: t.Iterable[str], selection: RepositorySelection) -> SelectedRepositories:
    """Those of the listed names that take part, and the names that were asked for but are not there."""
    listed = dict.fromkeys(names)
    return SelectedRepositories(
        [name for name in listed if selection.match(name)],
        [name for name in selection.include.names if name not in listed and not selection.exclude.match(name)],
    )


def missing_tags(tags: t.Iterable[str], selection: TagSelection) -> list[str]:
    """The tags asked for by name that a repository's list does not have (digests are not in any list, so never here)."""
    listed = set(tags)
    return [name for name in selection.include.names if name not in listed and not is_digest(name) and not selection.exclude.match(name)]


def select_tags(
    tags: t.Iterable[str],
    selection: TagSelection,
    created: t.Mapping[str, datetime.datetime] | None,
    now: datetime.datetime,
) -> list[str]:
    """The tags that take part, in the order of the listing and each once, then the digests that were asked for.

    `created`: when the image of each tag was created; it may lack some, and may be None where `needs_dates` says no (a time
    without a zone is UTC). A tag without a date is kept by `since`, and by `newest` beside the N newest.
    Of equal versions (`1.2` and `1.2.0`) the one written in full counts as newer; of equal dates the first by name.
    """
    if created is None and needs_dates(selection):
        raise InvalidOption(
            "needs the dates of images, which are not known here.",
            subject="tags.since, tags.newest_by",
            hint="Select by name or by version.",
        )
    listed = dict.fromkeys(tags)
    digests = [name for name in selection.include.names if is_digest(name) and not selection.exclude.match(name)]
    if selection.is_everything:
        return [*listed, *digests]
    # a digest's tag is selected by its own name only, and then no filter counts it
    named = {name for name in selection.include.names if is_digest_tag(name) and not selection.exclude.match(name)}
    dates = {tag: _with_zone(moment) for tag, moment in (created or {}).items()}
    selected = _filter_tags([tag for tag in listed if not is_digest_tag(tag)], selection, dates, _with_zone(now))
    if selection.newest is not None:
        selected = _newest_tags(selected, selection.newest, selection.newest_by, dates)
    kept = named.union(selected)
    return [*(tag for tag in listed if tag in kept), *digests]


def _filter_tags(tags: list[str], selection: TagSelection, dates: t.Mapping[str, datetime.datetime], now: datetime.datetime) -> list[str]:
    if selection.include:
        tags = [tag for tag in tags if selection.include.match(tag)]
    if selection.exclude:
        tags = [tag for tag in tags if not selection.exclude.match(tag)]
    if selection.semver is not None:
        constraint = selection.semver
        tags = [tag for tag in tags if (version := Version.find(tag)) is not None and constraint.contains(version)]
    if selection.since is not None:
        since = now - selection.since if isinstance(selection.since, datetime.timedelta) else selection.since
        tags = [tag for tag in tags if tag not in dates or dates[tag] >= since]
    return tags


def _newest_tags(tags: list[str], count: int, newest_by: NewestBy, dates: t.Mapping[str, datetime.datetime]) -> list[str]:
    if newest_by == "date":
        dated = sorted((tag for tag in tags if tag in dates), key=lambda tag: (-dates[tag].timestamp(), tag))
        return dated[:count] + [tag for tag in tags if tag not in dates]
    versions = [(version, tag) for tag in sorted(tags) if (version := Version.find(tag)) is not None]
    # sorting is stable: what is equal in both stays in the order of names
    versions.sort(key=lambda item: (item[0].precedence, item[0].parts), reverse=True)
    return [tag for _version, tag in versions[:count]]

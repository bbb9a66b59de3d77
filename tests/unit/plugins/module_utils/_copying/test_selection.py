# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying import selection as module
from ansible_collections.registryops.migration.plugins.module_utils._copying.selection import (
    RepositorySelection,
    TagSelection,
    is_digest_tag,
    missing_tags,
    needs_catalog,
    needs_dates,
    parse_moment,
    select_repositories,
    select_tags,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption

UTC = datetime.timezone.utc  # noqa: UP017 - Python 3.9 has no datetime.UTC
NOW = datetime.datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha512:" + "b" * 128
FALLBACK_TAG = "sha256-" + "a" * 64
SIGNATURE_TAG = FALLBACK_TAG + ".sig"


def repositories(names, **options):
    return select_repositories(names, RepositorySelection.from_options(options))


def tags(listed, created=None, now=NOW, **options):
    return select_tags(listed, TagSelection.from_options(options), created, now)


# repositories


@pytest.mark.parametrize("options", [None, {}, {"include": None, "exclude": None}, {"include": [], "exclude": []}])
def test_without_patterns_every_repository_is_selected(options):
    selection = RepositorySelection.from_options(options)
    assert needs_catalog(selection)
    assert select_repositories(["b", "a/c", "b"], selection) == (["b", "a/c"], [])


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("app", "app", "apps my/app app/x"),
        ("team/app", "team/app", "app team/app2 team/app/x"),
        ("*", "app a-b", "team/app"),
        ("app*", "app apps app-x", "app/x my/app myapp"),
        ("team/*", "team/app team/web", "team team/a/b other/app"),
        ("*/app", "team/app", "app a/b/app"),
        ("t*m/*b", "team/web tm/b", "team/app team/x/web"),
        ("**", "app team/app a/b/c", ""),
        ("team/**", "team/app team/a/b", "team teams/app"),
        ("**/app", "app team/app a/b/app", "myapp team/myapp app/x"),
        ("team/**/app", "team/app team/a/app team/a/b/app", "team/myapp teamapp"),
        ("team/app**", "team/app team/apps team/app/x", "team/myapp"),
        ("team/***", "team/app team/a/b", "team"),
        ("a**b", "ab axb a/b a/x/b", "abc"),
        ("ap?", "app apt", "ap apps a/p"),
        ("a?b", "axb a-b", "a/b"),
        ("app[123]", "app1 app3", "app app4 app12"),
        ("app[1-3x]", "app1 app2 appx", "app4"),
        ("app[!1-3]", "app4 appx", "app1 app"),
        ("a[!x]b", "ayb", "axb a/b"),
        ("a[.-_]b", "a.b a_b a0b", "a/b"),
        ("app[-.]x", "app-x app.x", "app_x appx"),
        ("{app,web}", "app web", "apps api"),
        ("team/{app,web}*", "team/app team/web-2", "team/api team/app/x"),
        ("{a,b/**}/c", "a/c b/x/c", "c b/c/d"),
        ("app{,-dev}", "app app-dev", "app-"),
        ("a.b*", "a.b a.bc", "axb"),
        ("regex:app", "app", "apps my/app"),
        ("regex:.*", "app a/b", ""),
        ("regex:(team|group)/[a-z]+", "team/app group/web", "team/app2 other/app"),
        ("regex:app|web", "app web", "apps myweb"),
        ("regex:(?i)APP", "app", "apps"),
    ],
)
def test_a_pattern_matches_whole_names(pattern, matching, others):
    names = matching.split() + others.split()
    assert repositories(names, include=[pattern]).names == matching.split()
    # the same pattern leaves the others when it excludes
    assert repositories(names, exclude=[pattern]).names == others.split()


def test_several_patterns_are_alternatives_and_the_listing_keeps_its_order():
    names = ["z/1", "app", "b/2", "a/1", "web", "v9"]
    assert repositories(names, include=["web", "*/1", "{b,c}/*", "regex:v\\d"]).names == ["z/1", "b/2", "a/1", "web", "v9"]


def test_what_is_included_and_excluded_is_excluded():
    chosen = repositories(["team/app", "team/app-dev", "team/web"], include=["team/*"], exclude=["*/*-dev", "team/web"])
    assert chosen == (["team/app"], [])


def test_names_that_are_not_there_are_reported_in_the_order_of_the_option():
    chosen = repositories(["a", "b"], include=["typo", "a", "lost/*", "regex:gone", "another"])
    assert chosen.names == ["a"]
    assert chosen.missing == ["typo", "another"]


def test_a_name_that_is_excluded_is_not_missing():
    assert repositories(["a"], include=["a", "b"], exclude=["b*"]) == (["a"], [])


@pytest.mark.parametrize(
    ("include", "needed"),
    [(["a", "b/c"], False), (["a", "b/*"], True), (["regex:a"], True), (["a?"], True), (["{a,b}"], True), (["[ab]"], True)],
)
def test_the_catalogue_is_needed_unless_all_includes_are_names(include, needed):
    assert needs_catalog(RepositorySelection.from_options({"include": include, "exclude": ["x*"]})) is needed


def test_the_names_serve_as_the_list_where_no_catalogue_is_asked():
    selection = RepositorySelection.from_options({"include": ["b", "a", "b"], "exclude": ["a"]})
    assert selection.include.names == ("b", "a")
    assert select_repositories(selection.include.names, selection) == (["b"], [])


@pytest.mark.parametrize("key", ["include", "exclude"])
@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "is empty or has spaces"),
        (" app", "is empty or has spaces"),
        ("app ", "is empty or has spaces"),
        ("Team/App", "upper-case"),
        ("app:1.0", "'app:1.0'"),
        ("/app", "begins with a slash"),
        ("a//b", "empty"),
        ("app]", "'app]'"),
        ("app}", "'app}'"),
        ("regex:(", "'(' is not a regular expression"),
        ("regex:*", "'*' is not a regular expression"),
        ("regex:a{99999999999}", "is not a regular expression"),
        ("app[12", "a '[' is not closed"),
        ("app[]", "a '[' is not closed"),
        ("app[!]", "may stand letters"),
        ("app[^a]", "may stand letters"),
        ("app[a/b]", "may stand letters"),
        ("app[+--]", "may stand letters"),
        ("app[z-a]", "goes backwards"),
        ("{a,b", "a '{' is not closed"),
        ("{a,{b,c}}", "stands inside another"),
        ("a*}", "a '}' has no '{'"),
    ],
)
def test_a_wrong_pattern_is_named(key, pattern, reason):
    with pytest.raises(InvalidOption) as caught:
        RepositorySelection.from_options({key: ["fine", pattern]}, "rules[0].repositories")
    assert caught.value.subject == f"rules[0].repositories.{key}"
    assert reason in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        (["app"], "repositories"),
        ("app", "repositories"),
        ({"includes": ["app"]}, "repositories"),
        ({1: ["app"]}, "repositories"),
        ({"include": "app"}, "repositories.include"),
        ({"include": {"app": 1}}, "repositories.include"),
        ({"exclude": [1.10]}, "repositories.exclude"),
        ({"exclude": [None]}, "repositories.exclude"),
    ],
)
def test_a_wrong_shape_is_named(options, subject):
    with pytest.raises(InvalidOption) as caught:
        RepositorySelection.from_options(options)
    assert caught.value.subject == subject
    assert caught.value.hint


# tags


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (FALLBACK_TAG, True),
        (SIGNATURE_TAG, True),
        (FALLBACK_TAG + ".att", True),
        (FALLBACK_TAG + ".sbom.1", True),
        ("sha512-" + "0" * 128, False),
        ("sha512-" + "0" * 64, True),
        (FALLBACK_TAG + ".", False),
        (FALLBACK_TAG + "-sig", False),
        ("sha256-" + "a" * 63, False),
        ("sha512-" + "a" * 129, False),
        ("sha256-" + "A" * 64, False),
        ("sha384-" + "a" * 96, True),
        ("sha256-short.sig", False),
        ("v" + FALLBACK_TAG, False),
        (DIGEST, False),
        (FALLBACK_TAG + "\n", False),
    ],
)
def test_tags_of_digests_are_recognised(tag, expected):
    assert is_digest_tag(tag) is expected


@pytest.mark.parametrize("options", [{}, {"include": []}, {"include": ["*"]}, {"include": ["**"]}, {"include": ["latest", "*"]}])
def test_everything_has_the_tags_of_digests_too(options):
    selection = TagSelection.from_options(options)
    assert selection.is_everything
    assert select_tags(["b", SIGNATURE_TAG, "latest", "b"], selection, None, NOW) == ["b", SIGNATURE_TAG, "latest"]


@pytest.mark.parametrize(
    "options",
    [
        {"include": ["?*"]},
        {"include": ["sha256-*", "1*"]},
        {"include": ["regex:.*"]},
        {"exclude": ["2.0"]},
        {"semver": "1.x"},
        {"newest": 1},
        {"since": "1d", "exclude": ["2.0"]},
    ],
)
def test_any_other_selection_leaves_the_tags_of_digests_out(options):
    selection = TagSelection.from_options(options)
    assert not selection.is_everything
    selected = select_tags([SIGNATURE_TAG, "1.0", FALLBACK_TAG], selection, {"1.0": NOW}, NOW)
    assert selected == ["1.0"]


def test_a_tag_of_a_digest_is_selected_by_its_own_name():
    listed = ["1.0", SIGNATURE_TAG, FALLBACK_TAG, "2.0"]
    assert tags(listed, include=[SIGNATURE_TAG, "1.0"]) == ["1.0", SIGNATURE_TAG]
    assert tags(listed, include=[SIGNATURE_TAG, "?.?"], semver=">1", newest=1) == [SIGNATURE_TAG, "2.0"]
    assert tags(["1.0"], include=[SIGNATURE_TAG]) == []
    assert tags(listed, include=[SIGNATURE_TAG, "1.0"], exclude=["*.sig"]) == ["1.0"]


def test_tags_by_name_glob_and_regex():
    listed = ["1.0", "1.0-rc1", "latest", "v2", "nightly-20260101", "V2"]
    assert tags(listed, include=["latest", "nightly-*", "regex:v\\d"]) == ["latest", "v2", "nightly-20260101"]
    assert tags(listed, include=["latest"]) == ["latest"]
    assert tags(listed, exclude=["*-rc*", "latest", "regex:[vV]2"]) == ["1.0", "nightly-20260101"]
    assert tags(listed, include=["1.*"], exclude=["*-rc*"]) == ["1.0"]


def test_digests_are_selected_as_they_are_after_the_tags():
    listed = ["1.0", "2.0"]
    assert tags(listed, include=[OTHER_DIGEST, "2.0", DIGEST]) == ["2.0", OTHER_DIGEST, DIGEST]
    assert tags(listed, include=[DIGEST]) == [DIGEST]
    assert tags(listed, include=["*", DIGEST]) == ["1.0", "2.0", DIGEST]
    # no filter counts or compares them, only an exclusion does
    assert tags(listed, {}, include=["*.*", DIGEST], semver=">1", newest=1) == ["2.0", DIGEST]
    assert tags(listed, include=["1.0", DIGEST], exclude=["sha256:*"]) == ["1.0"]


def test_tags_that_are_not_there_are_reported():
    selection = TagSelection.from_options({"include": ["1.0", "typo", DIGEST, "v*", "gone"], "exclude": ["gone"]})
    assert missing_tags(["1.0", "2.0"], selection) == ["typo"]
    assert missing_tags([], TagSelection()) == []


def test_semver_leaves_out_what_is_no_version():
    listed = ["latest", "v1.2.0", "1.3", "1.4.0-rc1", "1.2.3.4", "2.0.0", "1.5-alpine"]
    assert tags(listed, semver=">=1.2 <2") == ["v1.2.0", "1.3"]
    assert tags(listed, semver=">=1.2-0 <2") == ["v1.2.0", "1.3", "1.4.0-rc1", "1.5-alpine"]


def test_include_semver_since_and_exclude_all_have_to_agree():
    listed = ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "v1.4.0", "2.0.0"]
    created = {tag: NOW - datetime.timedelta(days=10 * (len(listed) - index)) for index, tag in enumerate(listed)}
    selected = tags(listed, created, include=["[0-9]*"], semver="1.x", since="50d", exclude=["1.2.*"])
    assert selected == ["1.1.0", "1.3.0"]


def test_newest_comes_last():
    listed = ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "2.0.0"]
    assert tags(listed, semver="1.x", exclude=["1.3.0"], newest=2) == ["1.1.0", "1.2.0"]


@pytest.mark.parametrize(
    ("listed", "newest", "expected"),
    [
        ("1.9 1.10 1.2 latest", 1, "1.10"),
        ("1.9 1.10 1.2 latest", 2, "1.9 1.10"),
        ("1.9 1.10 1.2 latest", 99, "1.9 1.10 1.2"),
        ("2.0.0-rc.2 2.0.0-rc.10 1.9.9", 2, "2.0.0-rc.2 2.0.0-rc.10"),
        ("2.0.0 2.0.0-rc.1", 1, "2.0.0"),
        # the one written in full counts as newer, then the first by name
        ("1 1.0 1.0.0", 1, "1.0.0"),
        ("1 1.0 v1.0.0 1.0.0", 1, "1.0.0"),
        ("1 1.0 v1.0.0 1.0.0", 3, "1.0 v1.0.0 1.0.0"),
        ("v1.0.0 1.0.0", 1, "1.0.0"),
        ("latest stable", 5, ""),
        ("", 5, ""),
    ],
)
def test_newest_by_version(listed, newest, expected):
    assert tags(listed.split(), newest=newest) == expected.split()
    assert tags(listed.split(), newest=newest, newest_by="version") == expected.split()
    # the listing's order decides the order, never the choice
    assert sorted(tags(listed.split()[::-1], newest=newest)) == sorted(expected.split())


def test_newest_by_version_counts_prereleases_unless_semver_leaves_them_out():
    listed = ["1.0.0", "1.1.0-rc1"]
    assert tags(listed, newest=1) == ["1.1.0-rc1"]
    assert tags(listed, newest=1, semver="*") == ["1.0.0"]


def test_newest_by_date():
    created = {name: NOW - datetime.timedelta(hours=hours) for name, hours in [("a", 3), ("b", 1), ("c", 2), ("d", 1), ("e", 99)]}
    assert tags("abcde", created, newest=1, newest_by="date") == ["b"]
    assert tags("edcba", created, newest=1, newest_by="date") == ["b"]
    assert tags("abcde", created, newest=2, newest_by="date") == ["b", "d"]
    assert tags("abcde", created, newest=4, newest_by="date") == ["a", "b", "c", "d"]
    assert tags("abcde", created, newest=9, newest_by="date") == list("abcde")


def test_dates_of_the_far_past_and_of_other_zones_are_compared():
    east = datetime.timezone(datetime.timedelta(hours=14))
    created = {
        "first": datetime.datetime(1, 1, 1, tzinfo=UTC),
        "utc": datetime.datetime(2026, 1, 1, 1, 0, tzinfo=UTC),
        "east": datetime.datetime(2026, 1, 1, 14, 30, tzinfo=east),
        "naive": datetime.datetime(2026, 1, 1, 0, 45),  # noqa: DTZ001
    }
    assert tags(created, created, newest=1, newest_by="date") == ["utc"]
    assert tags(created, created, newest=2, newest_by="date") == ["utc", "naive"]
    assert tags(created, created, newest=3, newest_by="date") == ["utc", "east", "naive"]
    assert tags(created, created, since="2026-01-01T00:40") == ["utc", "naive"]


def test_a_tag_without_a_date_is_kept():
    created = {"old": NOW - datetime.timedelta(days=100), "new": NOW}
    listed = ["unknown", "old", "new"]
    assert tags(listed, created, since="7d") == ["unknown", "new"]
    assert tags(listed, created, newest=1, newest_by="date") == ["unknown", "new"]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2026-06-30T12:00:00Z", "c"),
        ("2026-06-30T12:00:00.000001Z", ""),
        ("2026-06-30T12:00:01Z", ""),
        ("2026-06-30", "b c"),
        ("2026-06-30T14:00:00+02:00", "c"),
        ("2026-06-30 00:00", "b c"),
        ("2026-06-29T23:59:59.5-0001", "c"),
        ("2026-06-30T00:00:59.5+0001", "b c"),
        ("0h", "c"),
        ("12h", "b c"),
        ("11h", "c"),
        ("1d", "b c"),
        ("4w", "b c"),
        ("5w", "a b c"),
        (" 31d ", "a b c"),
        ("99999w", "a b c"),
    ],
)
def test_since(since, expected):
    created = {
        "a": datetime.datetime(2026, 5, 31, 0, 0, tzinfo=UTC) + datetime.timedelta(hours=12),
        "b": datetime.datetime(2026, 6, 30, 0, 0, tzinfo=UTC),
        "c": NOW,
    }
    assert tags("abc", created, since=since) == expected.split()


def test_an_age_counts_from_the_time_that_is_passed_in():
    created = {"a": NOW}
    assert tags("a", created, now=NOW + datetime.timedelta(hours=12), since="12h") == ["a"]
    assert tags("a", created, now=NOW + datetime.timedelta(hours=12, microseconds=1), since="12h") == []
    assert tags("a", created, now=(NOW + datetime.timedelta(hours=12)).replace(tzinfo=None), since="12h") == ["a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", datetime.datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T01:02", datetime.datetime(2026, 1, 31, 1, 2, tzinfo=UTC)),
        ("2026-01-31t01:02:03z", datetime.datetime(2026, 1, 31, 1, 2, 3, tzinfo=UTC)),
        ("2026-01-31T01:02:03.123456789Z", datetime.datetime(2026, 1, 31, 1, 2, 3, 123456, tzinfo=UTC)),
        ("2026-01-31T01:02:03.1-05:30", datetime.datetime(2026, 1, 31, 6, 32, 3, 100000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime.datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_moments(text, expected):
    moment = parse_moment(text)
    assert moment == expected
    assert moment.tzinfo is not None


@pytest.mark.parametrize(
    "since",
    [
        "yesterday",
        "90",
        "90m",
        "90D",
        "-1d",
        "1.5d",
        "100000d",
        "2026",
        "2026-02-30",
        "20260131",
        "2026-01-31T25:00",
        "2026-01-31T01:02:03+99:00",
    ],
)
def test_a_wrong_date_is_named(since):
    with pytest.raises(InvalidOption) as caught:
        TagSelection.from_options({"since": since}, "rules[0].tags")
    assert caught.value.subject == "rules[0].tags.since"
    assert repr(since) in caught.value.message
    assert "90d" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({}, False),
        ({"newest": 3}, False),
        ({"newest": 3, "newest_by": "version"}, False),
        ({"newest_by": "date"}, False),
        ({"newest": 3, "newest_by": "date"}, True),
        ({"since": "1d"}, True),
        ({"include": ["a"], "exclude": ["b"], "semver": "1"}, False),
    ],
)
def test_dates_are_needed_only_by_filters_by_date(options, needed):
    selection = TagSelection.from_options(options)
    assert needs_dates(selection) is needed
    if needed:
        with pytest.raises(InvalidOption, match="needs the dates"):
            select_tags(["a"], selection, None, NOW)


@pytest.mark.parametrize(
    ("options", "subject", "reason"),
    [
        ({"glob": ["*"]}, "tags", "does not know glob"),
        ("latest", "tags", "has to be a dictionary"),
        ({"include": "latest"}, "tags.include", "list of strings"),
        ({"include": [1.1]}, "tags.include", "list of strings"),
        ({"include": ["a/b"]}, "tags.include", "'a/b' is no tag"),
        ({"include": ["sha256:abc"]}, "tags.include", "'sha256:abc' is no tag"),
        ({"include": [".hidden"]}, "tags.include", "is no tag"),
        ({"include": ["t" * 129]}, "tags.include", "is no tag"),
        ({"exclude": ["regex:["]}, "tags.exclude", "'[' is not a regular expression"),
        ({"exclude": ["v{1,2"]}, "tags.exclude", "'v{1,2' is not a glob"),
        ({"semver": ">>1"}, "tags.semver", "'>>1' is not a version constraint"),
        ({"semver": 1.2}, "tags.semver", "has to be a string"),
        ({"since": 20260101}, "tags.since", "has to be a string"),
        ({"newest": 0}, "tags.newest", "'0' cannot be"),
        ({"newest": -1}, "tags.newest", "'-1' cannot be"),
        ({"newest": "3"}, "tags.newest", "'3' cannot be"),
        ({"newest": True}, "tags.newest", "'True' cannot be"),
        ({"newest": 1.5}, "tags.newest", "'1.5' cannot be"),
        ({"newest_by": "size"}, "tags.newest_by", "'size' is not known"),
        ({"newest_by": 1}, "tags.newest_by", "has to be a string"),
    ],
)
def test_a_wrong_option_of_tags_is_named(options, subject, reason):
    with pytest.raises(InvalidOption) as caught:
        TagSelection.from_options(options)
    assert caught.value.subject == subject
    assert reason in caught.value.message
    assert caught.value.hint


def test_absent_none_and_empty_options_are_the_same():
    nothing = dict.fromkeys(("include", "exclude", "semver", "since", "newest", "newest_by"))
    assert TagSelection.from_options(nothing) == TagSelection.from_options(None) == TagSelection()
    assert TagSelection.from_options({"semver": "", "since": "", "include": []}) == TagSelection()


def test_twenty_thousand_tags_are_each_looked_at_once(monkeypatch):
    """Patterns and constraints are compiled beforehand, and no tag is parsed more often than twice."""
    listed = [f"1.{minor}.{patch}" for minor in range(100) for patch in range(200)]
    selection = TagSelection.from_options(
        {"include": ["1.[0-8]*", "1.9*", "x*", "y*"], "exclude": ["*.13", "1.7.*", "latest"], "semver": ">=1.10", "newest": 500}
    )
    assert [len(patterns.expressions) for patterns in (selection.include, selection.exclude)] == [1, 1]

    parsed = []
    find = module.Version.find
    with monkeypatch.context() as patch:
        patch.setattr(module.Version, "find", lambda text: parsed.append(text) or find(text))
        patch.setattr(module.re, "compile", None)
        selected = select_tags(listed, selection, None, NOW)
    assert selected == [tag for tag in listed if int(tag.split(".")[1]) >= 97 and not tag.endswith(".13")][-500:]
    assert len(parsed) <= 2 * len(listed)

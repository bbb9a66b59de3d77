# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import re

import pytest

from ansible_collections.registryops.migration.plugins.module_utils._copying.mapping import (
    Mapping,
    check_tag_collisions,
    find_collisions,
    find_tag_collisions,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidName, InvalidOption, NameCollision
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC, PROFILES


def mapped(name, profile=GENERIC, **options):
    return Mapping.from_options(options).map_repository(name, profile)


def refusal(name, profile=GENERIC, **options):
    with pytest.raises(InvalidName) as caught:
        Mapping.from_options(options, "rules[0].mapping").map_repository(name, profile)
    assert name in caught.value.subject
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("options", [None, {}, dict.fromkeys(("strip_prefix", "regex", "flatten", "prefix", "library", "join_deep"))])
@pytest.mark.parametrize("name", ["app", "library/app", "a/b/c/d/e"])
def test_without_options_names_stay(options, name):
    mapping = Mapping.from_options(options)
    assert mapping == Mapping()
    assert mapping.map_repository(name) == name


@pytest.mark.parametrize(
    ("prefix", "name", "expected"),
    [
        ("old", "old/app", "app"),
        ("old/", "old/app", "app"),
        ("old", "older/app", "older/app"),
        ("old", "app/old", "app/old"),
        ("old", "old/old/app", "old/app"),
        ("a/b", "a/b/c", "c"),
        ("a/b", "a/bc/d", "a/bc/d"),
        ("", "old/app", "old/app"),
    ],
)
def test_strip_prefix_drops_whole_components(prefix, name, expected):
    assert mapped(name, strip_prefix=prefix) == expected


def test_strip_prefix_that_leaves_nothing_is_an_error():
    error = refusal("a/b", strip_prefix="a/b/")
    assert error.subject == "a/b"
    assert "rules[0].mapping.strip_prefix leaves nothing" in error.message


@pytest.mark.parametrize(
    ("prefix", "name", "expected"),
    [("mirror", "app", "mirror/app"), ("mirror/", "a/b", "mirror/a/b"), ("x/y-z", "a", "x/y-z/a"), ("", "a", "a")],
)
def test_prefix_is_put_in_front(prefix, name, expected):
    assert mapped(name, prefix=prefix) == expected


@pytest.mark.parametrize(
    ("library", "name", "expected"),
    [
        ("keep", "library/app", "library/app"),
        ("keep", "app", "app"),
        ("strip", "library/app", "app"),
        ("strip", "library/app/x", "app/x"),
        ("strip", "app", "app"),
        ("strip", "library", "library"),
        ("strip", "team/library/app", "team/library/app"),
        ("strip", "librarys/app", "librarys/app"),
        ("add", "app", "library/app"),
        ("add", "library/app", "library/app"),
        ("add", "team/app", "team/app"),
    ],
)
def test_library_namespace(library, name, expected):
    assert mapped(name, library=library) == expected


@pytest.mark.parametrize(
    ("rules", "name", "expected"),
    [
        ([("old/(.*)", r"new/\1")], "old/app", "new/app"),
        ([("old/(.*)", r"new/\1")], "very/old/app", "very/old/app"),
        ([("old", "new")], "old/app", "old/app"),
        ([("app|web", "one")], "web", "one"),
        ([(r"(?P<team>[^/]+)/(?P<image>.+)", r"\g<image>/\g<team>")], "a/b/c", "b/c/a"),
        ([("(a)(b)?", r"x\2y")], "a", "xy"),
        # one after the other, each on what the one before made
        ([("a", "b"), ("b", "c")], "a", "c"),
        ([("b", "c"), ("a", "b")], "a", "b"),
        ([], "a", "a"),
    ],
)
def test_regex_rules_replace_whole_names(rules, name, expected):
    assert mapped(name, regex=[{"pattern": pattern, "replacement": replacement} for pattern, replacement in rules]) == expected


@pytest.mark.parametrize(
    ("name", "flatten", "expected"),
    [
        ("a/b/c/image", -1, "image"),
        ("a/b/c/image", 0, "a/b/c/image"),
        ("a/b/c/image", 1, "b/c/image"),
        ("a/b/c/image", 2, "c/image"),
        ("a/b/c/image", 3, "image"),
        ("a/b/c/image", 4, None),
        ("a/b/c/image", 5, None),
        ("a/image", -1, "image"),
        ("a/image", 1, "image"),
        ("a/image", 2, None),
        ("image", -1, "image"),
        ("image", 0, "image"),
        ("image", 1, None),
    ],
)
def test_flatten_counts_as_harbor_does(name, flatten, expected):
    if expected is not None:
        assert mapped(name, flatten=flatten) == expected
        assert mapped(name, flatten=flatten, prefix="ns") == f"ns/{expected}"
    else:
        error = refusal(name, flatten=flatten)
        assert error.subject == name
        assert f"flatten {flatten}" in error.message
        assert f"at most {name.count('/')} components" in error.message


def test_steps_have_one_order_whatever_the_order_of_the_options():
    options = {
        "prefix": "mirror",
        "flatten": 1,
        "regex": [{"pattern": "(.*)-old", "replacement": r"\1"}],
        "library": "strip",
        "strip_prefix": "hub",
    }
    for keys in itertools.permutations(options):
        mapping = Mapping.from_options({key: options[key] for key in keys})
        # hub/library/a/b-old -> library/a/b-old -> a/b-old -> a/b -> b -> mirror/b
        assert mapping.map_repository("hub/library/a/b-old") == "mirror/b"


def test_library_is_added_to_what_is_left_at_the_end():
    assert mapped("a/b/app", library="add", flatten=-1) == "library/app"
    assert mapped("a/b/app", library="add", flatten=-1, prefix="mirror") == "mirror/app"


@pytest.mark.parametrize(
    ("most", "joiner", "name", "expected"),
    [
        (2, "-", "ns/a/b/c", "ns/a-b-c"),
        (3, "-", "ns/a/b/c", "ns/a/b-c"),
        (4, "-", "ns/a/b/c", "ns/a/b/c"),
        (1, "-", "ns/a/b/c", "ns-a-b-c"),
        (2, "_", "a/b/c", "a/b_c"),
        (2, "__", "a/b/c", "a/b__c"),
        (2, "--", "a/b/c", "a/b--c"),
        (2, ".", "a/b/c", "a/b.c"),
        (2, "-", "a/b", "a/b"),
        (2, "-", "a", "a"),
        (2, "", "a/b", "a/b"),
    ],
)
def test_surplus_components_are_joined(most, joiner, name, expected):
    assert mapped(name, max_components=most, join_deep=joiner) == expected


def test_the_destinations_limit_joins_too_and_the_smaller_limit_counts():
    hub = PROFILES["docker_hub"]
    assert mapped("a/b/c", hub, join_deep="-") == "a/b-c"
    assert mapped("b/c/d", hub, join_deep="-", prefix="me") == "me/b-c-d"
    assert mapped("a/b/c", hub, join_deep="-", max_components=5) == "a/b-c"
    assert mapped("a/b/c", GENERIC, join_deep="-", max_components=2) == "a/b-c"
    assert mapped("a/b/c", GENERIC, join_deep="-") == "a/b/c"


def test_too_many_components_without_a_joiner_are_an_error_with_the_way_out():
    error = refusal("b/c", PROFILES["docker_hub"], prefix="me")
    assert error.subject == "b/c -> me/b/c"
    assert "3 components" in error.message
    assert "Docker Hub" in error.message
    assert "at most 2" in error.message
    assert "rules[0].mapping.flatten" in error.hint
    assert "rules[0].mapping.join_deep" in error.hint
    assert refusal("a/b/c", max_components=2).subject == "a/b/c"


def test_too_few_components_are_an_error_with_the_way_out():
    error = refusal("app", PROFILES["harbor"])
    assert "Harbor does not accept this name" in error.message
    assert "prefix" in error.hint
    assert mapped("app", PROFILES["harbor"], prefix="project") == "project/app"


@pytest.mark.parametrize("replacement", ["App", "a b", "/app", "app/", "a//b", "a..b", "", "-app", "app:1", "../app", "a@b"])
def test_an_illegal_result_is_an_error_that_has_both_names(replacement):
    error = refusal("old/app", regex=[{"pattern": "old/app", "replacement": replacement}])
    assert error.subject == f"old/app -> {replacement}"
    assert "is no repository name" in error.message


def test_a_name_that_only_the_product_refuses_has_both_names():
    error = refusal("a__b/c", PROFILES["harbor"], regex=[{"pattern": "x", "replacement": "y"}])
    assert error.subject == "a__b/c"
    assert "project 'a__b'" in error.message
    assert refusal("a/b", PROFILES["msr"], prefix="", regex=[{"pattern": "a/b", "replacement": "a/b__c"}]).subject == "a/b -> a/b__c"


def test_a_name_that_gets_too_long_is_an_error():
    error = refusal("a/" + "b" * 250, prefix="mirror")
    assert "259 characters" in error.message
    assert "at most 255" in error.message


@pytest.mark.parametrize(
    ("options", "subject", "reason"),
    [
        ({"rename": "x"}, "mapping", "does not know rename"),
        (["x"], "mapping", "has to be a dictionary"),
        ({"prefix": "Mirror"}, "mapping.prefix", "upper-case"),
        ({"prefix": "/mirror"}, "mapping.prefix", "begins with a slash"),
        ({"prefix": "mirror//"}, "mapping.prefix", "ends with a slash"),
        ({"prefix": "/"}, "mapping.prefix", "is empty"),
        ({"prefix": "registry.example:5000/mirror"}, "mapping.prefix", "is no repository name"),
        ({"prefix": 1}, "mapping.prefix", "has to be a string"),
        ({"strip_prefix": "a*"}, "mapping.strip_prefix", "is no repository name"),
        ({"library": "remove"}, "mapping.library", "'remove' is not known"),
        ({"library": True}, "mapping.library", "has to be a string"),
        ({"flatten": -2}, "mapping.flatten", "'-2' cannot be"),
        ({"flatten": "all"}, "mapping.flatten", "'all' cannot be"),
        ({"flatten": True}, "mapping.flatten", "'True' cannot be"),
        ({"max_components": 0}, "mapping.max_components", "'0' cannot be"),
        ({"join_deep": "/"}, "mapping.join_deep", "'/' is not known"),
        ({"join_deep": "---"}, "mapping.join_deep", "'---' is not known"),
        ({"regex": "a"}, "mapping.regex", "has to be a list"),
        ({"regex": {"pattern": "a", "replacement": "b"}}, "mapping.regex", "has to be a list"),
        ({"regex": ["a"]}, "mapping.regex[0]", "has to be a dictionary"),
        ({"regex": [{"pattern": "a", "with": "b"}]}, "mapping.regex[0]", "does not know with"),
        ({"regex": [{"pattern": "a"}]}, "mapping.regex[0]", "a pattern and a replacement"),
        ({"regex": [None]}, "mapping.regex[0]", "a pattern and a replacement"),
        ({"regex": [{"pattern": 1, "replacement": "b"}]}, "mapping.regex[0]", "both strings"),
        (
            {"regex": [{"pattern": "a", "replacement": "b"}, {"pattern": "(", "replacement": "b"}]},
            "mapping.regex[1].pattern",
            "'(' is not a regular expression",
        ),
        ({"regex": [{"pattern": "a", "replacement": r"\1"}]}, "mapping.regex[0].replacement", "not a replacement for 'a'"),
        ({"regex": [{"pattern": "(?P<x>a)", "replacement": r"\g<y>"}]}, "mapping.regex[0].replacement", "unknown group name 'y'"),
        ({"regex": [{"pattern": "a", "replacement": "b\\"}]}, "mapping.regex[0].replacement", "bad escape"),
    ],
)
def test_a_wrong_option_is_named(options, subject, reason):
    with pytest.raises(InvalidOption) as caught:
        Mapping.from_options(options)
    assert caught.value.subject == subject
    assert reason in caught.value.message
    assert caught.value.hint


# collisions


def test_repositories_that_share_a_destination_are_found():
    pairs = [
        ("one.example", "a/app", "app"),
        ("one.example", "b/app", "app"),
        ("one.example", "a/web", "web"),
        ("two.example", "a/app", "app"),
        ("one.example", "a/app", "app"),
        ("", "x", "api"),
        ("", "y", "api"),
    ]
    assert find_collisions(pairs) == {"app": ["one.example/a/app", "one.example/b/app", "two.example/a/app"], "api": ["x", "y"]}
    assert find_collisions(iter(pairs[2:4])) == {}
    assert find_collisions([]) == {}


def test_a_shared_destination_is_fine_as_long_as_no_tag_meets():
    apart = [("r", "a/app", "app", "1.0"), ("r", "b/app", "app", "2.0"), ("r", "b/web", "web", "1.0")]
    assert find_tag_collisions(apart) == []
    check_tag_collisions(apart)
    check_tag_collisions(iter(()))


def test_the_same_source_given_twice_is_no_collision():
    check_tag_collisions([("r", "a/app", "app", "1.0"), ("r", "a/app", "app", "1.0")])


def test_digests_never_meet():
    digest = "sha256:" + "a" * 64
    check_tag_collisions([("r", "a/app", "app", digest), ("r", "b/app", "app", digest)], PROFILES["gitea"])


def test_a_tag_with_two_sources_names_both_and_the_destination():
    with pytest.raises(NameCollision) as caught:
        check_tag_collisions([("one", "a/app", "app", "1.0"), ("two", "a/app", "app", "1.0"), ("one", "a/app", "app", "2.0")])
    assert str(caught.value).startswith("app:1.0: is the destination of one/a/app:1.0 and two/a/app:1.0. Keep the names apart with ")
    assert re.search("mapping.prefix.*mapping.regex.*mapping.flatten.*selection", caught.value.hint)


def test_tags_that_differ_in_case_meet_where_the_product_folds_case():
    tags = [("r", "a/app", "app", "RC1"), ("r", "b/app", "app", "rc1")]
    assert find_tag_collisions(tags) == []
    (collision,) = find_tag_collisions(tags, PROFILES["gitea"])
    assert collision.subject == "app:rc1"
    assert "r/a/app:RC1 and r/b/app:rc1" in collision.message
    assert "mapping.prefix" in collision.hint


def test_tags_of_one_repository_can_meet_by_case_alone():
    tags = [("r", "app", "app", "Latest"), ("r", "app", "app", "latest")]
    assert find_tag_collisions(tags) == []
    (collision,) = find_tag_collisions(tags, PROFILES["gitea"])
    assert "r/app:Latest and r/app:latest" in collision.message
    assert "does not tell upper and lower case" in collision.hint
    assert "mapping" not in collision.hint


def test_many_collisions_are_counted_and_the_first_named():
    tags = [("r", source, "app", f"1.{minor}") for minor in range(12) for source in ("a", "b")]
    assert [collision.subject for collision in find_tag_collisions(tags)] == [f"app:1.{minor}" for minor in range(12)]
    with pytest.raises(NameCollision) as caught:
        check_tag_collisions(tags)
    assert caught.value.message.startswith(
        "12 tags of the destination have more than one source: app:1.0 is the destination of r/a:1.0 and r/b:1.0;"
    )
    assert caught.value.message.endswith("and r/b:1.9; and 2 more.")
    assert "app:1.10" not in caught.value.message

    with pytest.raises(NameCollision) as caught:
        check_tag_collisions(tags[:4])
    assert caught.value.message.endswith("app:1.1 is the destination of r/a:1.1 and r/b:1.1.")


def test_many_sources_of_one_tag_are_counted_and_the_first_named():
    (collision,) = find_tag_collisions([("", f"s{number}", "app", "1") for number in range(12)])
    assert collision.message.endswith("s8:1, s9:1 and 2 more.")
    (collision,) = find_tag_collisions([("", f"s{number}", "app", "1") for number in range(3)])
    assert collision.message == "is the destination of s0:1, s1:1 and s2:1."

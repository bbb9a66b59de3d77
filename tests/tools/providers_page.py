# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write docs/providers.md, the page of products, from what the code knows of them.

usage: providers_page.py PAGE
"""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC, PROFILES, NameRules, Profile
from ansible_collections.registryops.migration.plugins.module_utils._providers.table import provider_class

_HEAD = """\
# Providers

What is known of each registry product; `make providers` writes this page from the code. The option `provider` of a connection names a
product. With `auto`, its default, the product is recognised by the host's name, or else by how the registry answers; what is not
recognised is `generic`, which keeps to the distribution specification.

- *Lists with*: what repositories and tags are read from.
- *Digests in bulk*: whether a list of tags tells their digests. A run with nothing to do then takes a request for each page of tags
  instead of one for each tag. The first digests of each repository are compared with those that the registry gives, and where they
  differ, or where this user may not read the list, each tag is asked for, with a warning.
- *Needs*: what has to exist before a push. `registry_repositories` and the role `repositories` create it where it says *created*.
- *Tested*: against what. No product was exercised as a hosted service unless it says so.

| product | `provider` | lists with | digests in bulk | needs | tested |
|---|---|---|---|---|---|
"""
_NEEDS = {"always": "nothing", "namespace_first": "an existing {namespace}", "never": "an existing repository"}
#: where a product has no provider of its own
_REAL = "docker-registry 2.8.2 itself: plain, with TLS, client certificates, passwords and tokens"
_TESTED = {"generic": _REAL, "distribution": f"{_REAL}; not release 3"}
_UNTESTED = "names by unit tests, everything else as `generic`; not exercised against the product"


def render() -> str:
    """The page."""
    rows = "".join(f"| {' | '.join(_cell(cell) for cell in _row(profile))} |\n" for profile in _sorted())
    return _HEAD + rows + "".join(map(_section, _sorted()))


def _sorted() -> list[Profile]:
    """By their titles; first what all others are compared with."""
    return sorted(PROFILES.values(), key=lambda profile: (profile.name != "generic", _title(profile).casefold()))


def _title(profile: Profile) -> str:
    # a product is called by its name, whatever its first letter
    return "A registry of the distribution specification" if profile is GENERIC else profile.title


def _provider(profile: Profile) -> type[Provider]:
    return provider_class(profile.name)


def _row(profile: Profile) -> tuple[str, ...]:
    provider = _provider(profile)
    return (
        f"[{_title(profile)}](#{_anchor(_title(profile))})",
        f"`{profile.name}`",
        provider.lists_with,
        "yes" if provider.lists_digests else "no",
        _needs(profile),
        provider.tested or _TESTED.get(profile.name, _UNTESTED),
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _anchor(title: str) -> str:
    """The name that a page gives to a heading."""
    kept = "".join(character for character in title.lower() if character.isalnum() or character in " -_")
    return kept.replace(" ", "-")


def _needs(profile: Profile) -> str:
    container = _provider(profile).container
    if container:
        return f"{_with_article(container)}, created"
    return _NEEDS[profile.creates_repositories].format(namespace=profile.namespace)


def _with_article(word: str) -> str:
    return f"{'an' if word[0].lower() in 'aeio' else 'a'} {word}"


def _section(profile: Profile) -> str:
    provider = _provider(profile)
    lines = [f"\n## {_title(profile)}\n", f"- Names: {_names(profile)}.", f"- Mounts: {_mounts(profile)}."]
    if profile.folds_tag_case:
        lines.append("- Tags: capital and small letters make no difference.")
    if profile.manifests_per_second:
        lines.append(f"- Manifests: at most {profile.manifests_per_second:g} a second, over all workers of a run.")
    lines += [f"- {note}" for note in profile.notes]
    if provider.settings:
        lines.append(f"\nSettings of {_with_article(provider.container)}:\n\n| setting | meaning |\n|---|---|")
        lines += [f"| `{name}` | {_cell(meaning)} |" for name, meaning in provider.settings.items()]
    return "\n".join(lines) + "\n"


def _names(profile: Profile) -> str:
    rules, usual = profile.names, NameRules()
    texts = []
    if rules.max_components is None:
        texts.append("any number of components" if rules.min_components == 1 else f"at least {rules.min_components} components")
    elif rules.min_components == rules.max_components:
        texts.append(f"exactly {rules.min_components} components")
    else:
        texts.append(f"{rules.min_components} to {rules.max_components} components")
    texts.append(f"{rules.min_length} to {rules.max_length} characters")
    if rules.component_pattern != usual.component_pattern:
        texts.append(f"each component matches `{rules.component_pattern}`")
    if rules.namespace_pattern:
        texts.append(f"the {profile.namespace} matches `{rules.namespace_pattern}`")
    if (rules.namespace_min_length, rules.namespace_max_length) != (usual.namespace_min_length, usual.namespace_max_length):
        texts.append(f"the {profile.namespace} has {_range(rules.namespace_min_length, rules.namespace_max_length)} characters")
    if rules.image_max_length is not None:
        texts.append(f"what follows the {profile.namespace} has at most {rules.image_max_length} characters")
    return "; ".join(texts)


def _range(lowest: int, highest: int | None) -> str:
    return f"at least {lowest}" if highest is None else f"{lowest} to {highest}"


def _mounts(profile: Profile) -> str:
    texts: list[str] = []
    if profile.mount_after_manifest:
        texts.append("of blobs whose manifest has been pushed")
    if profile.head_after_mount:
        texts.append("each followed by a HEAD that keeps the blob from a garbage collection")
    return "; ".join(texts) or "as the specification has them, where the registry grants them"


def main(arguments: t.Sequence[str]) -> None:
    """Write the page."""
    (page,) = arguments
    Path(page).write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""How registry products differ in what the copy engine has to know, as data.

A profile holds facts only. What a product does not document, or what depends on its version or settings, keeps the default of
the distribution specification; what a request can find out is left to that request.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidName, InvalidOption

CreatesRepositories = t.Literal["always", "namespace_first", "never"]

#: the distribution specification's grammar of one component ("Pulling manifests"): runs of letters and digits between single
#: dots, one or two underscores, or any number of dashes
_DISTRIBUTION_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
#: letters and digits between single separators, as Harbor, Quay and Mirantis Secure Registry have it
_SINGLE_SEPARATORS = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"


@dataclasses.dataclass(frozen=True)
class NameRules:
    """What a repository's path (without the registry's host) has to look like beside the distribution specification's grammar.

    The namespace is the first component (Harbor's project, Quay's organization); the image is all that follows it.
    Patterns have to match as a whole; lengths are in characters; None is no limit.
    """

    min_components: int = 1
    max_components: int | None = None
    min_length: int = 1
    max_length: int = 255
    component_pattern: str = _DISTRIBUTION_COMPONENT
    namespace_pattern: str | None = None
    namespace_min_length: int = 1
    namespace_max_length: int | None = None
    image_max_length: int | None = None


@dataclasses.dataclass(frozen=True)
class Profile:
    """One product.

    `name` is the value of the option `provider`, `title` how people call the product.
    `namespace` is the product's own word for the first component.
    `folds_tag_case`: `Tag` and `tag` are one tag.
    `creates_repositories` by a push: `always`; only in a namespace that exists (`namespace_first`); `never`.
    `deletes_by_tag`: whether DELETE of a manifest by tag removes that tag; None: depends, the request tells.
    `page_size_max`: the largest `n` to ask for in the catalogue and in lists of tags.
    `head_after_mount`: after a mount, ask for the blob with HEAD; 404 means that it has to be uploaded after all.
    `manifests_per_second`: how many manifests it takes over all workers of a run; 0: nothing is known.
    `implied_namespace`: what a name of one component stands below (`alpine` is `library/alpine`); empty: it is complete as it is.
    `counts_pulls`: each manifest that is read may count, and there may be a limit to them (see `_oci/pulls.py`).
    `mount_after_manifest`: only a blob of a manifest that has been pushed can be mounted elsewhere.
    `notes`: sentences for the person who plans a migration.
    """

    name: str
    title: str
    names: NameRules = NameRules()
    namespace: str = "namespace"
    folds_tag_case: bool = False
    creates_repositories: CreatesRepositories = "always"
    deletes_by_tag: bool | None = None
    page_size_max: int = 1000
    head_after_mount: bool = False
    mount_after_manifest: bool = False
    manifests_per_second: float = 0.0
    implied_namespace: str = ""
    counts_pulls: bool = False
    notes: tuple[str, ...] = ()


GENERIC = Profile("generic", "a registry of the distribution specification")

_TABLE = (
    GENERIC,
    Profile(
        "distribution",
        "CNCF Distribution",
        notes=(
            "Also known as docker-registry, or as the image registry:2 and registry:3.",
            "A catalogue and lists of tags without more, referrers only as fall-back tags. It deletes where it is told that it may.",
        ),
    ),
    Profile(
        "docker_hub",
        "Docker Hub",
        names=NameRules(min_components=2, max_components=2),
        creates_repositories="namespace_first",
        implied_namespace="library",
        counts_pulls=True,
        notes=(
            "It has no catalogue: give namespaces, or list the repositories. A name of one component is an official image.",
            "Each GET of a manifest counts as a pull, a HEAD does not; none is read twice. See [From Docker Hub](from-docker-hub.md).",
        ),
    ),
    Profile(
        "harbor",
        "Harbor",
        # the project's name: 1 to 255 characters
        names=NameRules(min_components=2, namespace_pattern=_SINGLE_SEPARATORS, namespace_max_length=255),
        namespace="project",
        creates_repositories="namespace_first",
        deletes_by_tag=False,
        # only a HEAD saves a blob from a garbage collection that is under way
        head_after_mount=True,
        notes=("Its catalogue is for system administrators only, and lists no empty repositories.",),
    ),
    Profile(
        "ecr",
        "Amazon Elastic Container Registry",
        names=NameRules(min_length=2, max_length=256),
        creates_repositories="never",
        mount_after_manifest=True,
        # the quota of PutImage, for an account and a region
        manifests_per_second=10.0,
        notes=(
            "A push creates a repository only where a repository creation template says so.",
            "Mounts need the account setting BLOB_MOUNTING.",
            "An immutable tag refuses even the digest that it already has.",
        ),
    ),
    Profile(
        "ecr_public",
        "Amazon ECR Public",
        # the first component is the registry's alias
        names=NameRules(min_components=2, image_max_length=205),
        namespace="registry alias",
        creates_repositories="never",
        manifests_per_second=10.0,
    ),
    Profile(
        "acr",
        "Azure Container Registry",
        notes=("Listing tags needs the right metadata/read, which a token for pulling alone does not have.",),
    ),
    Profile(
        "gar",
        "Google Artifact Registry",
        # project/repository/image; the project and the repository exist, the image may be deeper
        names=NameRules(min_components=3),
        namespace="project",
        creates_repositories="namespace_first",
        notes=("A digest cannot be deleted while it has tags.",),
    ),
    Profile(
        "gcr",
        "Google Artifact Registry under gcr.io",
        names=NameRules(min_components=2),
        namespace="project",
        creates_repositories="namespace_first",
        notes=("A digest cannot be deleted while it has tags.",),
    ),
    Profile(
        "ghcr",
        "GitHub Container Registry",
        names=NameRules(min_components=2),
        namespace="owner",
        creates_repositories="namespace_first",
        deletes_by_tag=False,
        notes=("It has no catalogue: give namespaces, or list the repositories.", "What a push creates is private."),
    ),
    Profile(
        "gitlab",
        "GitLab Container Registry",
        # below the project's path at most two more components; how deep the project lies is known to GitLab only
        names=NameRules(min_components=2),
        namespace="group",
        creates_repositories="namespace_first",
        notes=("The project has to exist; below its path at most two more components are accepted.",),
    ),
    Profile(
        "gitea",
        "Gitea or Forgejo",
        names=NameRules(min_components=2),
        namespace="owner",
        folds_tag_case=True,
        creates_repositories="namespace_first",
    ),
    Profile(
        "quay",
        "Quay",
        names=NameRules(min_components=2, namespace_pattern=_SINGLE_SEPARATORS, namespace_min_length=2),
        namespace="organization",
        creates_repositories="namespace_first",
        page_size_max=100,
        notes=("What a push creates is private.",),
    ),
    Profile(
        "artifactory",
        "JFrog Artifactory",
        # with the repository path method the first component is the key of an Artifactory repository; with sub-domains or
        # ports it is not, so one component is enough
        namespace="Artifactory repository",
        creates_repositories="namespace_first",
        notes=(
            "Where a sub-domain or a port belongs to one key, names have no key in front: give api_url, and namespaces with that key.",
            "Images of remote and virtual repositories are listed where namespaces names these.",
        ),
    ),
    Profile(
        "nexus",
        "Sonatype Nexus Repository",
        namespace="Nexus repository",
        creates_repositories="namespace_first",
        notes=(
            "The address of a connector has no API: give api_url, and namespaces with the name of the connector's repository.",
            "Images of proxies and groups are listed where namespaces names these.",
        ),
    ),
    Profile(
        "swr",
        "Huawei Cloud Software Repository for Container",
        names=NameRules(
            min_components=2,
            # starts with a letter; runs of letters and digits between one or two underscores or any number of dashes
            namespace_pattern=r"[a-z][a-z0-9]*(?:(?:__?|-+)[a-z0-9]+)*",
            namespace_max_length=64,
            image_max_length=128,
        ),
        namespace="organization",
        notes=(
            "A push creates an organization while the quota lasts and its name is free in the whole region.",
            "The basic edition takes no images of OCI's media types, only docker's.",
        ),
    ),
    Profile(
        "openshift",
        "OpenShift's image registry",
        names=NameRules(min_components=2, max_components=2),
        namespace="project",
        creates_repositories="namespace_first",
    ),
    Profile(
        "msr",
        "Mirantis Secure Registry",
        names=NameRules(min_components=2, max_components=2, component_pattern=_SINGLE_SEPARATORS),
        creates_repositories="never",
        notes=(
            "A push creates a repository only where the setting 'create repository on push' is on.",
            "Tokens are handed out at the domain that it is set up with: that one has to be reachable, by whatever name it is called here.",
        ),
    ),
    Profile(
        "zot",
        "zot",
        deletes_by_tag=True,
        notes=("Without http.compat docker2s2 it refuses manifests of docker's media types.",),
    ),
)

PROFILES: t.Mapping[str, Profile] = {profile.name: profile for profile in _TABLE}

#: whole host names, lower case, without the port
_HOSTS: t.Mapping[str, str] = {
    "docker.io": "docker_hub",
    "index.docker.io": "docker_hub",
    "registry-1.docker.io": "docker_hub",
    "public.ecr.aws": "ecr_public",
    "gcr.io": "gcr",
    "ghcr.io": "ghcr",
    "registry.gitlab.com": "gitlab",
    "quay.io": "quay",
    "image-registry.openshift-image-registry.svc": "openshift",
    "image-registry.openshift-image-registry.svc.cluster.local": "openshift",
}
_SUFFIXES: tuple[tuple[str, str], ...] = (
    (".azurecr.io", "acr"),
    (".azurecr.cn", "acr"),
    (".azurecr.us", "acr"),
    (".pkg.dev", "gar"),
    (".gcr.io", "gcr"),
    (".jfrog.io", "artifactory"),
)
_HOST_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # account, service, region, then a domain for each partition of AWS
    (re.compile(r"[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.[a-z0-9.-]+"), "ecr"),
    (re.compile(r"swr\.[a-z0-9-]+\.(?:myhuaweicloud|otc\.t-systems)\.com"), "swr"),
    (re.compile(r"default-route-openshift-image-registry\.[a-z0-9.-]+"), "openshift"),
)


def detect(host: str) -> Profile:
    """The profile for a registry's host (with or without a port), by its name alone; GENERIC where the name says nothing."""
    name = re.sub(r":[0-9]+$", "", host.lower()).rstrip(".")
    if name in _HOSTS:
        return PROFILES[_HOSTS[name]]
    for suffix, profile in _SUFFIXES:
        if name.endswith(suffix):
            return PROFILES[profile]
    for pattern, profile in _HOST_PATTERNS:
        if pattern.fullmatch(name):
            return PROFILES[profile]
    return GENERIC


def profile_for(host: str, provider: str | None = None, option: str = "provider") -> Profile:
    """The profile that `provider` names, or that the host tells where it is None; InvalidOption if there is none of that name."""
    if provider is None:
        return detect(host)
    if provider not in PROFILES:
        raise InvalidOption(f"{provider[:60]!r} is not known.", subject=option, hint=f"Give one of {', '.join(PROFILES)}, or leave it out.")
    return PROFILES[provider]


def check_name(profile: Profile, repository: str) -> str:
    """Return the repository's path if the product accepts it, else raise InvalidName with the reason and the way out."""
    rules = profile.names
    components = repository.split("/")
    namespace, image = components[0], "/".join(components[1:])

    def refuse(reason: str, hint: str) -> InvalidName:
        return InvalidName(f"{profile.title} does not accept this name: {reason}.", subject=repository[:300], hint=hint)

    if len(components) < rules.min_components:
        raise refuse(
            f"it has {_counted(len(components))}, and at least {rules.min_components} are needed",
            f"Set mapping.prefix to put a {profile.namespace} in front.",
        )
    if rules.max_components is not None and len(components) > rules.max_components:
        raise refuse(
            f"it has {_counted(len(components))}, and at most {rules.max_components} are possible",
            "Set mapping.flatten to drop leading components, or mapping.join_deep to join the last ones.",
        )
    for component in components:
        if not re.fullmatch(rules.component_pattern, component):
            raise refuse(f"{component[:120]!r} does not match {rules.component_pattern}", "Rewrite it with mapping.regex.")
    if rules.namespace_pattern is not None and not re.fullmatch(rules.namespace_pattern, namespace):
        raise refuse(
            f"its {profile.namespace} {namespace[:120]!r} does not match {rules.namespace_pattern}",
            "Rewrite it with mapping.regex, or choose another mapping.prefix.",
        )
    _check_length(refuse, f"its {profile.namespace}", namespace, rules.namespace_min_length, rules.namespace_max_length)
    _check_length(refuse, f"what follows its {profile.namespace}", image, 0, rules.image_max_length)
    _check_length(refuse, "it", repository, rules.min_length, rules.max_length)
    return repository


def _counted(components: int) -> str:
    return "1 component" if components == 1 else f"{components} components"


def _check_length(refuse: t.Callable[[str, str], InvalidName], what: str, text: str, lowest: int, highest: int | None) -> None:
    counted = f"{what} has {len(text)} character{'' if len(text) == 1 else 's'}"
    if len(text) < lowest:
        raise refuse(f"{counted}, and at least {lowest} are needed", "Lengthen it with mapping.regex or mapping.prefix.")
    if highest is not None and len(text) > highest:
        raise refuse(f"{counted}, and at most {highest} are possible", "Shorten it with mapping.regex or mapping.flatten.")

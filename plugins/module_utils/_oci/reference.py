# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.

"""References: `registry[:port]/repository[:tag][@digest]`.

The grammar of repositories and tags is the distribution specification's ("Pulling manifests"), that of hosts is RFC 1123's and
RFC 3986's. What a registry lists is hostile input: every name passes one of the `check_...` functions before it becomes part of
a URL, a path, a row or a message.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import re
import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._oci.digest import check_digest
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidReference

#: the canonical name of Docker Hub, and the names that mean the same registry
DOCKER_HUB = "docker.io"
DOCKER_HUB_ALIASES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
#: where Docker Hub answers the distribution API
DOCKER_HUB_HOST = "registry-1.docker.io"

#: no registry accepts a repository this long; more than this is an attack or an accident
REPOSITORY_LIMIT = 1024
TAG_LIMIT = 128

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LOOKS_LIKE_DIGEST = re.compile(r"sha[0-9]|[a-z0-9+._-]+:[A-Za-z0-9=_-]{32}")

#: a reason and a hint
_Fault = tuple[str, str]


def shown(text: str, limit: int = 160) -> str:
    """`text` for a message: quoted, control and non-ASCII characters escaped, at most about `limit` characters long."""
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    return ascii(cut)


def shown_without_credentials(text: str, limit: int = 160) -> str:
    """`shown`, but with `user:password@` replaced by `***@`: people paste such things where a reference belongs."""
    head, separator, digest = text.rpartition("@")
    # behind the @ of a reference stands a digest, which holds no slash; any other @ ends user information
    if separator and "/" not in digest and _LOOKS_LIKE_DIGEST.match(digest):
        digest = f"@{digest}"
    else:
        head, digest = text, ""
    user, separator, rest = head.rpartition("@")
    if separator and (digest or "/" in rest or ":" in user):
        text = f"***@{rest}{digest}"
    return shown(text, limit)


def _strange_character(text: str) -> str | None:
    """What is wrong with the first character that stands in no reference at all, or None."""
    for character in text:
        if character.isspace():
            return f"white space ({character!a})"
        if not character.isprintable():
            return f"the control character {character!a}"
        if not character.isascii():
            return f"the character {character!a}, which is not ASCII"
    return None


def _fault_of_component(component: str) -> _Fault | None:
    if component in (".", ".."):
        return f"the component {shown(component)} would leave the repository's path", ""
    if any("A" <= character <= "Z" for character in component):
        return f"the component {shown(component)} has upper-case letters", f"Write {component.lower()} if that is what is meant."
    illegal = re.search(r"[^a-z0-9._-]", component)
    if illegal:
        return f"the component {shown(component)} has the character {illegal.group()!a}", ""
    for end, where in ((component[0], "begins"), (component[-1], "ends")):
        if end in "._-":
            return f"the component {shown(component)} {where} with the separator {end!r}", ""
    separators = re.search(r"[._-]*\.[._-]+|[._-]+\.[._-]*|_{3,}|_+-[_-]*|-+_[_-]*", component)
    if separators:
        return (
            f"the component {shown(component)} has the separators {separators.group()!r} in a row",
            "Between letters and digits stands one dot, one or two underscores, or dashes.",
        )
    return None


def _fault_of_repository(name: str) -> _Fault | None:
    if len(name) > REPOSITORY_LIMIT:
        return f"it has {len(name)} characters, more than {REPOSITORY_LIMIT}", ""
    if _REPOSITORY.fullmatch(name):
        return None
    if not name:
        return "it is empty", ""
    strange = _strange_character(name)
    if strange:
        return f"it has {strange}", ""
    if "@" in name:
        # before any part is shown: it may be user information
        return "it has an @", ""
    if name.startswith("/"):
        return "it begins with a slash", ""
    if name.endswith("/"):
        return "it ends with a slash", ""
    components = name.split("/")
    if "" in components:
        return f"component {components.index('') + 1} is empty (two slashes in a row)", ""
    for component in components:
        fault = _fault_of_component(component)
        if fault:
            return fault
    return "it breaks the grammar of the distribution specification", ""


def _fault_of_tag(tag: str) -> _Fault | None:
    if _TAG.fullmatch(tag):
        return None
    if not tag:
        return "it is empty", ""
    if len(tag) > TAG_LIMIT:
        return f"it has {len(tag)} characters, more than {TAG_LIMIT}", ""
    strange = _strange_character(tag)
    if strange:
        return f"it has {strange}", ""
    if tag[0] in ".-":
        return f"it begins with {tag[0]!r}", "A tag begins with a letter, a digit or an underscore."
    illegal = re.search(r"[^a-zA-Z0-9._-]", tag)
    return f"it has the character {illegal.group() if illegal else tag!a}", "Letters, digits and . _ - may stand in a tag."


def check_repository(name: str) -> str:
    """Return `name` if it is a repository's name (without registry), else raise InvalidReference with the reason."""
    fault = _fault_of_repository(name)
    if fault:
        raise InvalidReference(f"is no repository name: {fault[0]}.", subject=shown_without_credentials(name), hint=fault[1])
    return name


def check_tag(tag: str) -> str:
    """Return `tag` if it is a tag, else raise InvalidReference with the reason."""
    fault = _fault_of_tag(tag)
    if fault:
        hint = fault[1] or f"A tag has 1 to {TAG_LIMIT} letters, digits and . _ -"
        raise InvalidReference(f"is no tag: {fault[0]}.", subject=shown(tag), hint=hint)
    return tag


def _normalised_port(port: str, text: str) -> str:
    # isdecimal alone would let other scripts' digits through
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise InvalidReference(f"has the port {shown(port, 40)}.", subject=text, hint="A port is a number from 1 to 65535.")
    return str(int(port))


def _normalised_name(host: str, text: str) -> str:
    """A host without port, not in brackets: lower-case name or IPv4 address."""
    labels = host.lower().split(".")
    if not host:
        raise InvalidReference("has no host name.", subject=text, hint="Write host or host:port.")
    if len(host) > 253:
        raise InvalidReference(f"has a host name of {len(host)} characters; DNS allows 253.", subject=text, hint="Use a shorter name.")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise InvalidReference(
                f"has the part {shown(label, 80)} in its host name.",
                subject=text,
                hint="Between dots stand 1 to 63 letters, digits and inner dashes.",
            )
    if labels[-1].isdecimal():
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            hint = "An IPv4 address has four numbers from 0 to 255; the last part of a name is no number."
            raise InvalidReference("is neither a host name nor an IPv4 address.", subject=text, hint=hint) from None
    return ".".join(labels)


@functools.lru_cache(maxsize=1024)
def check_registry_host(host: str) -> str:
    """Return `host[:port]` in its normal form: lower case, IPv6 addresses compressed in brackets, ports without leading zeros.

    The aliases of Docker Hub stay as they are (see `canonical_registry`); a port is kept even if it is the scheme's default,
    since clients key credentials and certificates by the text with the port.
    Raises InvalidReference with the reason: a scheme, a path, user information, a port out of range, an illegal name.
    """
    text = shown_without_credentials(host)
    if not host:
        raise InvalidReference("is empty.", subject="registry", hint="Write host or host:port.")
    scheme = _SCHEME.match(host)
    if scheme:
        raise InvalidReference("names a registry with a scheme.", subject=text, hint=f"Leave out {scheme.group()}.")
    if "/" in host:
        raise InvalidReference("names a registry with a path.", subject=text, hint="Leave out everything from the first slash on.")
    if "@" in host:
        raise InvalidReference(
            "has user information before the host name.", subject=text, hint="Give user name and password in their own options."
        )
    strange = _strange_character(host)
    if strange:
        hint = "Write an internationalised host name in its xn-- form." if "ASCII" in strange else ""
        raise InvalidReference(f"has {strange} in its host name.", subject=text, hint=hint)
    if host.startswith("["):
        return _normalised_ipv6(host, text)
    name, colon, port = host.partition(":")
    if ":" in port:
        raise InvalidReference("has more than one colon.", subject=text, hint="An IPv6 address stands in brackets, such as [::1]:5000.")
    normal = _normalised_name(name, text)
    return f"{normal}:{_normalised_port(port, text)}" if colon else normal


def _normalised_ipv6(host: str, text: str) -> str:
    address, bracket, rest = host[1:].partition("]")
    try:
        # a zone ("%eth0") has a meaning on one machine only
        if not bracket or "%" in address:
            raise ValueError
        normal = f"[{ipaddress.IPv6Address(address).compressed}]"
    except ValueError:
        raise InvalidReference("is no IPv6 address in brackets.", subject=text, hint="Write it as in [::1]:5000, without a zone.") from None
    if not rest:
        return normal
    if not rest.startswith(":"):
        raise InvalidReference(
            "has something other than a port after the brackets.", subject=text, hint="Write it as in [::1]:5000, or leave the port out."
        )
    return f"{normal}:{_normalised_port(rest[1:], text)}"


def canonical_registry(host: str) -> str:
    """`check_registry_host`, and Docker Hub's other names become docker.io: what registries are compared and keyed by."""
    normal = check_registry_host(host)
    return DOCKER_HUB if normal in DOCKER_HUB_ALIASES else normal


def api_host(registry: str) -> str:
    """The host[:port] that answers the distribution API of a registry: itself, but for Docker Hub."""
    canonical = canonical_registry(registry)
    return DOCKER_HUB_HOST if canonical == DOCKER_HUB else canonical


@dataclasses.dataclass(frozen=True)
class Reference:
    """What a reference says, checked and normalised at construction: InvalidReference is raised for anything else.

    `registry` is canonical (see `canonical_registry`), `repository` is the full path in it (Docker Hub's with `library/`),
    `tag` and `digest` may both be there, or neither.
    """

    __slots__ = ("digest", "registry", "repository", "tag")

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "registry", canonical_registry(self.registry))
        check_repository(self.repository)
        if self.registry == DOCKER_HUB and "/" not in self.repository:
            object.__setattr__(self, "repository", f"library/{self.repository}")
        if self.tag is not None:
            check_tag(self.tag)
        if self.digest is not None:
            check_digest(self.digest)

    @property
    def name(self) -> str:
        """`registry/repository`."""
        return f"{self.registry}/{self.repository}"

    @property
    def target(self) -> str:
        """What stands in a manifest's URL: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return tag + digest

    def __str__(self) -> str:
        """The full form; `parse_reference` reads it back."""
        return self.name + self._suffix()


def _split_registry(name: str) -> tuple[str | None, str]:
    """The registry that `name` begins with (None: it names none), and the rest.

    The rule is docker's: the part before the first slash is a registry if it has a dot or a colon, or is localhost.
    """
    if name.startswith("["):
        # the colons of an IPv6 address are no tag; a missing bracket is found when the host is checked
        host, _slash, rest = name.partition("/")
        return host, rest
    first, slash, rest = name.partition("/")
    # the last condition: "../x" is a bad repository rather than a host
    if slash and ("." in first or ":" in first or first.lower() == "localhost") and first.strip("."):
        return first, rest
    return None, name


def parse_reference(text: str, default_registry: str = DOCKER_HUB) -> Reference:
    """Read `registry[:port]/repository[:tag][@digest]`, with `docker://` before it or not.

    A name without a registry belongs to `default_registry`; on Docker Hub a name of one component gets `library/`.
    `host:5000` alone is the repository `host` with the tag `5000`, as for docker: write `host:5000/repository`.
    Raises InvalidReference with the reason and the whole text (credentials masked).
    """
    subject = shown_without_credentials(text, 400)
    scheme = _SCHEME.match(text)
    rest = text
    if scheme:
        if scheme.group(1).lower() in ("http", "https"):
            raise InvalidReference(
                "begins with a scheme; a reference has none.", subject=subject, hint=f"Leave out {scheme.group()} and begin with the host."
            )
        if scheme.group(1) != "docker":
            raise InvalidReference(f"has the unknown prefix {scheme.group()}.", subject=subject, hint="Write registry/repository:tag.")
        rest = text[scheme.end() :]
    if not rest:
        raise InvalidReference("is empty.", subject="reference", hint="Write registry/repository:tag.")
    strange = _strange_character(rest)
    if strange:
        raise InvalidReference(f"has {strange}.", subject=subject, hint="Write registry/repository:tag, without it.")
    name, at, digest = rest.partition("@")
    if at and "/" in digest:
        raise InvalidReference(
            "has user information before the host name.", subject=subject, hint="Give user name and password in their own options."
        )
    if at:
        # first of all, since what stands before an @ that brings no digest may be a password and must not be shown
        _check_part(check_digest, digest, subject)
    registry, remainder = _split_registry(name)
    if registry is None:
        registry = default_registry
    elif not remainder:
        raise InvalidReference("names a registry but no repository.", subject=subject, hint="Write registry/repository:tag.")
    return _reference(registry, remainder, digest if at else None, subject)


def _reference(registry: str, remainder: str, digest: str | None, subject: str) -> Reference:
    """Check the parts; the errors name the whole reference, not only the part."""
    repository, colon, tag = remainder.partition(":")
    if "/" in tag:
        raise InvalidReference(
            f"has a colon in the repository {shown_without_credentials(remainder)}.",
            subject=subject,
            hint="Only the tag, at the end, comes after a colon.",
        )
    for part, what, fault in (
        (repository, "repository", _fault_of_repository(repository)),
        (tag, "tag", _fault_of_tag(tag) if colon else None),
    ):
        if fault:
            raise InvalidReference(f"has a bad {what} {shown(part)}: {fault[0]}.", subject=subject, hint=fault[1])
    _check_part(check_registry_host, registry, subject)
    return Reference(registry, repository, tag if colon else None, digest)


def _check_part(check: t.Callable[[str], str], part: str, subject: str) -> None:
    """Run a check; its error names the whole reference as well as the part."""
    try:
        check(part)
    except InvalidReference as error:
        raise InvalidReference(f"is no reference: {error.subject} {error.message}", subject=subject, hint=error.hint) from None

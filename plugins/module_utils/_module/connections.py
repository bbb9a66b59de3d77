# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""The connections of a module: options to stores, which are closed in the end."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import types
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.registryops.migration.plugins.module_utils._copying.rules import CONVERSIONS
from ansible_collections.registryops.migration.plugins.module_utils._module.folders import state_home
from ansible_collections.registryops.migration.plugins.module_utils._module.options import (
    AUTO,
    LIMITED,
    REQUESTS,
    SIDES,
    Options,
    fail,
    http_options,
    passwords_in,
    split_url,
    without_none,
)
from ansible_collections.registryops.migration.plugins.module_utils._oci.client import RegistryClient
from ansible_collections.registryops.migration.plugins.module_utils._oci.credentials import Credential, CredentialFinder
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidOption, InvalidReference, MigrationError
from ansible_collections.registryops.migration.plugins.module_utils._oci.http import HTTPOptions, Transport, origin_of
from ansible_collections.registryops.migration.plugins.module_utils._oci.reference import canonical_registry, check_registry_host
from ansible_collections.registryops.migration.plugins.module_utils._oci.timetable import Figure, Timetable, make_rate, parse_window
from ansible_collections.registryops.migration.plugins.module_utils._providers.api import API
from ansible_collections.registryops.migration.plugins.module_utils._providers.interface import Provider, Site
from ansible_collections.registryops.migration.plugins.module_utils._providers.profiles import GENERIC, PROFILES, Profile, profile_for
from ansible_collections.registryops.migration.plugins.module_utils._providers.table import make_provider
from ansible_collections.registryops.migration.plugins.module_utils._stores.interface import Store
from ansible_collections.registryops.migration.plugins.module_utils._stores.oci_layout import OCILayoutStore
from ansible_collections.registryops.migration.plugins.module_utils._stores.registry import RegistryStore
from ansible_collections.registryops.migration.plugins.module_utils._v1.reader import V1Reader

if t.TYPE_CHECKING:
    from ansible_collections.registryops.migration.plugins.module_utils._v1.files import Files


class Connections:
    """Makes stores out of a module's options, and closes them in the end.

    As a context manager it ends the task when a MigrationError comes out of its block, or of the closing: what is written last may
    find the disk full.
    """

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._timetable = Timetable([])
        #: how many workers have one limit together
        self._shared_by = max(1, module.params.get("limits_shared_by") or 1)
        self._opened: list[Store] = []
        self._transports: list[Transport] = []
        #: is told the result of a task that fails as a whole, before it does
        self.on_failure: t.Callable[[dict[str, t.Any]], None] = lambda result: None
        self._further: list[Options] = module.params.get("further_destinations") or []
        # one for each direction, over all stores of that side: what several destinations get has come from the source once
        self._bandwidth = {side: make_rate(0.0) for side in SIDES}
        for endpoint in [*(module.params[side] or {} for side in SIDES), *self._further]:
            for option in ("url", "index_url", "proxy"):
                self._hide_password(endpoint.get(option) or "")

    def limit(self) -> None:
        """Have the options LIMITS hold for what is opened from now on."""
        params = self._module.params
        windows = []
        for number, given in enumerate(without_none(params["limits_by_time"])):
            mine = {name: value / self._shared_by if name in LIMITED else value for name, value in given.items()}
            windows.append(parse_window(mine, LIMITED, f"limits_by_time[{number}]"))
        self._timetable = Timetable(windows)
        self._bandwidth = {side: make_rate(self._figure("bytes_per_second", params["bytes_per_second"])) for side in SIDES}

    def _figure(self, name: str, otherwise: float) -> float | Figure:
        """A limit's share of this worker."""
        share = otherwise / self._shared_by
        return self._timetable.figure(name, share) if self._timetable.sets(name) else share

    def _hide_password(self, address: str) -> None:
        self._module.no_log_values.update(passwords_in(address))

    def open(self, side: str) -> Store:
        """The store of an option (`source` or `destination`); InvalidOption, naming the suboption, where it cannot work."""
        options = self._module.params[side]
        if options is None:
            raise InvalidOption("is missing.", subject=side, hint="Say where it is: a dict with url, or with type and path.")
        return self._open_as(side, options, side)

    def open_further(self) -> dict[str, Store]:
        """The stores of the option `further_destinations`, each under the name by which errors call it."""
        named = {f"further_destinations[{number}]": options for number, options in enumerate(self._further)}
        return {name: self._open_as(name, options, "destination") for name, options in named.items()}

    def _open_as(self, name: str, options: Options, side: str) -> Store:
        try:
            store = self._open(name, options, side)
            if side == "source":
                store = converted(store, self._module.params.get("convert") or {})
        except (InvalidOption, InvalidReference) as error:
            error.subject = f"{name}.{error.subject}" if error.subject else name
            raise
        self._opened.append(store)
        return store

    def _open(self, name: str, options: Options, side: str) -> Store:
        if options["type"] == "oci_layout":
            profile = PROFILES.get(options["provider"], GENERIC)
            return OCILayoutStore(options["path"], profile, self._bandwidth[side])
        if options["type"] == "docker_engine":
            return self._open_engine(name, options, side)
        if options["type"] == "v1_storage":
            return self._open_v1_storage(name, options, side)
        if options["type"] == "v1":
            return self._open_v1(name, options, side)
        host, plain_http = split_url(options["url"], options["plain_http"])
        self._warn_of_unchecked(options, host)
        credential_for, headers, search_again = self._credentials(options, host)
        http = http_options(options, name)
        provided: list[Provider] = []
        client = RegistryClient(
            canonical_registry(host),
            plain_http=plain_http,
            options=dataclasses.replace(http, requests_per_second=self._figure(REQUESTS[side], options["requests_per_second"])),
            credential_for=lambda repository: (provided[0].credential() if provided else None) or credential_for(repository),
            headers=headers,
            bandwidth=self._bandwidth[side],
            on_secret=self._module.no_log_values.add,
            renew=lambda refused: (provided[0].renew(refused) if provided else None) or search_again(),
        )
        site = self._site(name, options, client, lambda: credential_for(""), http)
        chosen = None if options["provider"] == AUTO else options["provider"]
        profile = profile_for(host, chosen)

        def provide(found: Profile) -> Provider:
            provided.append(make_provider(found, site))
            # who hands out credentials is known only now
            client.forget_credentials()
            return provided[0]

        by_answer = chosen is None and profile is GENERIC
        how: Options = {"recognise": by_answer, "shared_by": self._shared_by, "on_quota": options["on_quota"]}
        store = RegistryStore(client, profile, options["chunk_size"], provide, **how)
        store.connect_to = options["connect_to"] or ""
        return store

    def _open_engine(self, name: str, options: Options, side: str) -> Store:
        from ansible_collections.registryops.migration.plugins.module_utils._stores.blob_spool import BlobSpool
        from ansible_collections.registryops.migration.plugins.module_utils._stores.docker_engine import DockerEngineStore
        from ansible_collections.registryops.migration.plugins.module_utils._stores.engine_api import DEFAULT_URL, EngineAddress, EngineAPI

        address = EngineAddress(
            url=options["url"] or DEFAULT_URL,
            ca_file=options["ca_path"] or "",
            client_certificate=options["client_cert"] or "",
            client_key=options["client_key"] or "",
            verify=options["validate_certs"],
            timeout=options["timeout"],
            option=f"{name}.",
        )
        address.check()
        if address.scheme in ("tcp", "http") and not address.speaks_tls:
            self._module.warn(
                f"The engine at {address.name} is spoken to without TLS: whoever reaches it is root on its host. ca_path, client_cert and "
                "client_key, or ssh://, keep others out."
            )
        elif address.speaks_tls and not address.verify:
            self._module.warn(f"The certificate of {address.name} is not checked: whoever is on the way can read and change everything.")
        image_host = options["image_host"] or ""
        if image_host:
            try:
                check_registry_host(image_host)
            except InvalidReference as error:
                raise InvalidOption(error.message, subject="image_host", hint="Give a registry's host or host:port.") from error
        spool = BlobSpool(*self._spool_place())
        receives = side == "destination"
        return DockerEngineStore(EngineAPI(address), spool, image_host=image_host, receives=receives, bandwidth=self._bandwidth[side])

    def _open_v1(self, name: str, options: Options, side: str) -> Store:
        from ansible_collections.registryops.migration.plugins.module_utils._v1.protocol import V1Protocol

        if side == "destination":
            raise InvalidOption("v1 is only read from.", subject="type", hint="Give a registry of today, or an OCI layout.")
        for option in ("identity_token", "registry_token"):
            if options[option]:
                raise InvalidOption("is nothing that v1 knows.", subject=option, hint="Give username and password.")
        host, plain_http = split_url(options["url"], options["plain_http"])
        index, knows_users = "", host
        if options["index_url"]:
            knows_users, index_plain = _split_index_url(options["index_url"], plain_http)
            index = f"{'http' if index_plain else 'https'}://{knows_users}"
        self._warn_of_unchecked(options, host)
        credential_for, headers, _search_again = self._credentials(options, knows_users)
        reader = V1Protocol(
            host,
            plain_http=plain_http,
            options=dataclasses.replace(
                http_options(options, name), requests_per_second=self._figure(REQUESTS[side], options["requests_per_second"])
            ),
            credential=lambda: credential_for(""),
            headers=headers,
            bandwidth=self._bandwidth[side],
            on_secret=self._module.no_log_values.add,
            index=index,
        )
        return self._store_of_v1(reader)

    def _open_v1_storage(self, name: str, options: Options, side: str) -> Store:
        from ansible_collections.registryops.migration.plugins.module_utils._v1.storage import V1Storage

        if side == "destination":
            raise InvalidOption("v1_storage is only read from.", subject="type", hint="Give a registry of today, or an OCI layout.")
        return self._store_of_v1(V1Storage(_files(options, name), self._bandwidth[side]))

    def _store_of_v1(self, reader: V1Reader) -> Store:
        """A v1 source, however it is read, as a store."""
        from ansible_collections.registryops.migration.plugins.module_utils._stores.v1 import V1Store

        form = (self._module.params.get("convert") or {}).get("v1") or CONVERSIONS["v1"]
        return V1Store(reader, form, *self._spool_place())

    def _spool_place(self) -> tuple[str, int]:
        """The folder in which a store may keep blobs for a while, and how many bytes of them."""
        from ansible_collections.registryops.migration.plugins.module_utils._stores.spool import SPOOL_BYTES

        params = self._module.params
        # nothing is left there, but a check writes nothing into folders of ours at all
        kept = tempfile.gettempdir() if self._module.check_mode else params.get("state_dir") or state_home()
        spool_bytes = params.get("spool_bytes")
        return os.path.expanduser(params.get("spool_dir") or kept), SPOOL_BYTES if spool_bytes is None else spool_bytes

    def _warn_of_unchecked(self, options: Options, host: str) -> None:
        if not options["validate_certs"]:
            self._module.warn(f"The certificate of {host} is not checked: whoever is on the way can read and change everything.")

    def _site(
        self, name: str, options: Options, client: RegistryClient, credential: t.Callable[[], Credential | None], http: HTTPOptions
    ) -> Site:
        hide = self._module.no_log_values.add
        scheme = client.origin.scheme

        def make_api(base: str, headers: t.Callable[[], t.Mapping[str, str]]) -> API:
            origin = origin_of(base)
            if origin == client.origin:
                return API(client.transport, base, headers)
            transport = Transport(origin, dataclasses.replace(http, connect_to=""))
            self._transports.append(transport)
            return API(transport, base, headers)

        api_url = (options["api_url"] or "").rstrip("/")
        if api_url and not api_url.startswith(("http://", "https://")):
            api_url = f"{scheme}://{api_url}"
        if options["api_token"]:
            hide(options["api_token"])
        return Site(
            host=client.host,
            default_base=f"{scheme}://{client.origin}",
            client=client,
            credential=credential,
            make_api=make_api,
            on_secret=hide,
            option=name,
            api_url=api_url,
            api_token=options["api_token"] or "",
            namespaces=tuple(options["namespaces"]),
            aws=without_none(options["aws"] or {}),
            swr=without_none(options["swr"] or {}),
            proxy=client.transport.own_proxy,
        )

    def _credentials(
        self, options: Options, host: str
    ) -> tuple[t.Callable[[str], Credential | None], t.Mapping[str, str], t.Callable[[], Credential | None]]:
        """What finds the credential for a repository, the headers that docker's file wants to be sent along, and what asks all anew."""
        explicit = {name: options[name] for name in ("username", "password", "identity_token", "registry_token")}
        if not options["search_auth_files"] and not any(explicit.values()) and not options["auth_file"]:
            return lambda repository: None, {}, lambda: None
        finder = CredentialFinder(
            **explicit, authfile=options["auth_file"], environment=os.environ, home=os.path.expanduser("~"), run_helper=self._run_helper
        )

        def find(repository: str) -> Credential | None:
            credential = finder.find(host, repository)
            self._module.no_log_values.update(finder.secrets)
            return credential

        def search_again() -> Credential | None:
            # what a credential helper says may have run out in a long migration
            finder.forget()
            return find("")

        return find, {} if any(explicit.values()) else finder.http_headers, search_again

    def _run_helper(self, command: list[str], text: str) -> tuple[int, str, str]:
        status, out, err = self._module.run_command(command, data=text, binary_data=True, handle_exceptions=False)
        return status, out, err

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: types.TracebackType | None) -> None:
        failures = self._close()
        if isinstance(error, MigrationError):
            failures.insert(0, error)
        first = failures.pop(0) if failures else None
        for failure in failures:
            self._module.warn(str(failure))
        if first is not None and (kind is None or first is error):
            self.on_failure({"failed": True, "msg": str(first), "error": first.as_row()})
            fail(self._module, first)

    def _close(self) -> list[MigrationError]:
        """Close all that was opened, and pass on what registries asked to be told; returns what went wrong."""
        failures = []
        for transport in self._transports:
            transport.close()
        for store in self._opened:
            for warning in store.warnings:
                self._module.warn(warning)
            try:
                store.close()
            except MigrationError as error:
                failures.append(error)
        return failures


def _files(options: Options, side: str) -> Files:
    """Where the storage of a v1 registry is: in a folder of this host, on another host, or in a bucket."""
    from ansible_collections.registryops.migration.plugins.module_utils._oci.ssh import SSHOptions
    from ansible_collections.registryops.migration.plugins.module_utils._providers import aws
    from ansible_collections.registryops.migration.plugins.module_utils._v1.files import BucketFiles, LocalFiles, SSHFiles

    ssh, s3 = options["ssh"], options["s3"]
    if s3:
        # a bucket is found from anywhere
        return BucketFiles(
            aws.AWS(without_none(options["aws"] or {}), f"{side}.aws.", usual_region="us-east-1"), s3["bucket"], s3["prefix"]
        )
    if not ssh:
        return LocalFiles(options["path"])
    http_options(options, side)
    limits = {"timeout": options["connect_timeout"], "silence": options["read_timeout"], "prefix": f"{side}.ssh."}
    return SSHFiles(options["path"], SSHOptions(**without_none(ssh), **limits))


def converted(store: Store, convert: t.Mapping[str, str]) -> Store:
    """A source with the conversions that the option `convert` asks for; the store itself where it asks for none."""
    asked = {kind: convert.get(kind) or CONVERSIONS[kind] for kind in ("schema1", "oci")}
    if set(asked.values()) == {"none"}:
        return store
    from ansible_collections.registryops.migration.plugins.module_utils._stores.converting import ConvertingStore

    return ConvertingStore(store, **asked)


def _split_index_url(url: str, plain_http: bool) -> tuple[str, bool]:
    """`split_url` for the option `index_url`: in plain http where the registry is, unless it says otherwise."""
    try:
        return split_url(url, plain_http and not url.strip().startswith("https://"))
    except InvalidOption as error:
        error.subject = "index_url"
        raise

# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Private to this collection: no promise of stability for other code.
"""What is done with an MSR that no migration does: passwords in the clear, new tokens, settings."""

from __future__ import annotations

import typing as t

from ansible_collections.registryops.migration.plugins.module_utils._identity.model import Token
from ansible_collections.registryops.migration.plugins.module_utils._msr.api import MSRAPI, in_path
from ansible_collections.registryops.migration.plugins.module_utils._oci.errors import InvalidAnswer
from ansible_collections.registryops.migration.plugins.module_utils._providers.reading import field, text


class Singles:
    """Single requests to one MSR; all methods raise MigrationErrors."""

    def __init__(self, api: MSRAPI) -> None:
        self._api = api

    def set_password(self, user: str, password: str) -> None:
        """Give a user a password; who signs in has to be an administrator, for the old one is not said."""
        path = f"/accounts{in_path(user)}/changePassword"
        self._api.accounts.ask("POST", path, document={"newPassword": password}, what=f"the password of {user}")

    def tokens_of(self, owner: str) -> list[Token]:
        """The access tokens of a user; none of one who is not there."""
        rows = self._api.registry.pages("/api_tokens", "", what=f"the tokens of {owner}", query={"username": owner}, absent=("NO_SUCH_",))
        return [
            Token(
                owner,
                text(row, "hashedToken"),
                label=text(row, "tokenLabel"),
                is_active=field(row, "isActive"),
                created=text(row, "createdAt"),
                last_used=text(row, "lastUsed"),
                generated_by=text(row, "generatedBy"),
            )
            for row in rows
        ]

    def new_token(self, owner: str, label: str) -> tuple[str, str]:
        """A new access token of a user, which is shown this once, and what it is kept as."""
        what = f"a token of {owner}"
        # an answer that is lost must not leave a token behind that nobody knows
        reply = self._api.registry.ask("POST", "/api_tokens", {"username": owner}, {"tokenLabel": label}, what=what, attempts=1)
        document = None if reply is None else reply.document
        token, token_hash = text(document, "token"), text(document, "hashedToken")
        if not token or not token_hash:
            raise InvalidAnswer("was answered without a token.", subject=what, hint="Is this the address of an MSR?")
        return token, token_hash

    def settings(self) -> dict[str, t.Any]:
        """All settings of the registry, by its own names for them."""
        return self._api.settings()

    def change_settings(self, settings: t.Mapping[str, t.Any]) -> None:
        """Set some of them."""
        self._api.change_settings(settings)

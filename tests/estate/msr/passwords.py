# Copyright (c) 2026, registryops.migration contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hashes of passwords and of access tokens, in the forms that eNZi has."""

from __future__ import annotations

import base64
import functools
import hashlib
import os

import bcrypt


def bcrypt_hash(password: str, rounds: int = 4) -> str:
    """The usual form. Few rounds: it is checked at each request."""
    return "bcrypt$" + bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds, b"2a")).decode()


def pbkdf2_hash(password: str, iterations: int = 1000) -> str:
    """The older form; its salt is used as the text that it is."""
    salt = base64.b64encode(os.urandom(12)).decode()
    return f"pbkdf2_sha256${iterations}${salt}${_pbkdf2(password, salt, iterations)}"


@functools.lru_cache(10_000)
def fits(password: str, password_hash: str) -> bool:
    """Whether a password belongs to a hash; a hash of any other form fits nothing."""
    scheme, _dollar, rest = password_hash.partition("$")
    if scheme == "bcrypt":
        try:
            return bcrypt.checkpw(password.encode(), rest.encode())
        except ValueError:
            return False
    if scheme == "pbkdf2_sha256" and rest.count("$") == 2:
        iterations, salt, expected = rest.split("$")
        return iterations.isdecimal() and _pbkdf2(password, salt, int(iterations)) == expected
    return False


def token_hash(token: str) -> str:
    """What a product keeps of an access token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _pbkdf2(password: str, salt: str, iterations: int) -> str:
    return base64.b64encode(hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), iterations)).decode()

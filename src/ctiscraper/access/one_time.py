"""Secrets that are good for one thing, once and for a while."""

import secrets
from enum import StrEnum
from hashlib import sha256

SECRET_BYTES = 16


class Purpose(StrEnum):
    """What a secret is good for."""

    SETUP = "setup"
    PASSWORD = "password"  # noqa: S105 - a purpose's name
    SECOND_FACTOR = "second_factor"
    PASSKEY_NEW = "passkey_new"
    PASSKEY_LOGIN = "passkey_login"


def new_secret() -> str:
    """Return 128 bits of chance in 22 characters."""
    return secrets.token_urlsafe(SECRET_BYTES)


def key_of(secret: str | bytes) -> bytes:
    """Return what is kept of a secret."""
    return sha256(secret.encode() if isinstance(secret, str) else secret).digest()

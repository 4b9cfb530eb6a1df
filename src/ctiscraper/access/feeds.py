"""Tokens in the addresses of feeds: who has one may read what its feed gives, and nothing else."""

import re
import secrets
from hashlib import sha256

_BYTES = 32
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


def new_feed_token() -> str:
    """Return 256 bits of chance for an address."""
    return secrets.token_urlsafe(_BYTES)


def feed_key(token: str) -> bytes | None:
    """Return what is kept of a token, None for what is none."""
    return sha256(token.encode()).digest() if _FORM.fullmatch(token) else None

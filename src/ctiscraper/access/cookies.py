"""Sessions as a cookie holds them."""

import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256

_BYTES = 32


def new_session() -> str:
    """Return the secret of a new session: 256 bits of chance."""
    return secrets.token_urlsafe(_BYTES)


def session_key(secret: str) -> bytes:
    """Return what a session is kept by."""
    return sha256(secret.encode()).digest()


def csrf_token(secret: str) -> str:
    """Return what forms of a session carry; it does not give the session away."""
    return urlsafe_b64encode(sha256(b"csrf:" + secret.encode()).digest()).decode().rstrip("=")

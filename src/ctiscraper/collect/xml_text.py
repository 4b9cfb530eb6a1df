"""Bytes that should be XML: their text by its true encoding, and a tree that reads nothing else."""

import codecs
import html.entities
import re

from lxml import etree

from ctiscraper.errors import ParseError, Reason

MAX_BYTES = 16 * 1024 * 1024
_BLOCK = 64 * 1024

_UNICODE_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']\s*([\w.:\-]{1,40})", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:\-]{1,40})", re.IGNORECASE | re.ASCII)
# Only codecs of text: Python's registry also holds zlib, punycode, utf-7 and the like.
_SINGLE_BYTE = re.compile(
    r"(?:us-)?ascii|iso-?8859-?\d{1,2}|latin-?\d{1,2}|(?:windows|cp)-?125\d|koi8-[ru]"
    r"|cp(?:437|850|852|866)|mac-?(?:roman|intosh)|tis-620|windows-874"
)
_MULTI_BYTE = re.compile(
    r"utf-?(?:8|16|32)(?:-?[lb]e)?|gb2312|gbk|gb18030|hz|big5(?:-hkscs)?|shift[_-]?jis|sjis|cp93[26]"
    r"|windows-31j|euc[_-](?:jp|kr)|iso-2022-(?:jp|kr)|ks_c_5601-1987|cp949"
)
_NAMES = {"windows-31j": "cp932", "ks_c_5601-1987": "cp949", "windows-874": "cp874"}
_LATIN = re.compile(r"(?:us-)?ascii|iso-?8859-?1|latin-?1")
_ODD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_C1 = re.compile(rb"\xc2[\x80-\x9f]")
# Line and paragraph separator, byte order mark and what is no character.
_ODD_SIGNS = "\u2028\u2029\ufeff\ufffe\uffff"
_ASCII_CONTROLS = bytes({*range(32), 127} - {9, 10, 13})
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_DECLARATION = re.compile(r"<\?xml\b[^>]*>")
_JUNK = re.compile(
    r"[^<]|</?(?:br|b|i|p|pre|div|span|font|table|script|style|link|meta|strong)\b", re.IGNORECASE
)
_START = re.compile(
    r"<\?xml[\s?]|<!DOCTYPE\b|<(?:[\w.\-]{1,40}:)?"
    r"(?:rss|rdf|feed|channel|urlset|sitemapindex|opml)[\s>/]",
    re.IGNORECASE,
)
_JUNK_LIMIT = 65536
_MISC = re.compile(r"\s+|<\?(?:[^?]|\?(?!>))*\?>|<!--(?:[^-]|-(?!->))*-->")
_DOCTYPE = re.compile(r"<!DOCTYPE\b", re.IGNORECASE)
_SUBSET_TOKEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|\"[^\"]*\"|'[^']*'|[\[\]>]|<!ENTITY",
    re.IGNORECASE | re.DOTALL,
)
_REFERENCE = re.compile(r"&(?:#[0-9]{1,8};|#x[0-9a-fA-F]{1,7};|([A-Za-z][A-Za-z0-9]{1,31};))?")
_XML_NAMES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
_ODD_NUMBER = re.compile(
    r"(&(?:amp;)?#)(?:(1[2-5][0-9])|(?:X|x(?=[89][0-9a-fA-F];))([0-9a-fA-F]{1,6}));"
)
# What a C1 control was before windows-1252 was taken for Latin-1; its five gaps stay.
_CONTROLS_MEANT = {n: bytes([n]).decode("cp1252", "ignore") or chr(n) for n in range(0x80, 0xA0)}
_PREFIX = re.compile(r"(?:</?|\s(?=[\w.\-]+:[\w.\-]+\s*=\s*[\"']))([A-Za-z][\w.\-]{0,30}):[A-Za-z]")
_DECLARED_PREFIX = re.compile(r"xmlns:([\w.\-]{1,31})\s*=")
_ROOT_NAME = re.compile(r"<[A-Za-z][\w.\-:]*")
_PROLOG_LIMIT = 1_000_000
_MAX_PREFIXES = 32
_NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
}
# What is not closed runs to the end: to look for the end from every start would cost n squared.
_CDATA = re.compile(r"(<!\[CDATA\[.*?(?:\]\]>|\Z))", re.DOTALL)


def decode_text(body: bytes, content_type: str = "") -> str:
    """The text of a feed-like body, without byte order mark or characters XML forbids.

    Order: byte order mark, HTTP charset, XML declaration (RFC 7303), with two corrections
    for wrong labels: what is strict UTF-8 is UTF-8 whatever single-byte encoding was said,
    and what was said to be UTF-8 but is not is read as windows-1252 when that loses less.
    Raises ParseError TOO_LARGE.
    """
    check_size(body)
    text = _decode(body, content_type).removeprefix("\ufeff")
    if is_plain(text) or _ODD.search(text) is None:
        return text
    return _ILLEGAL.sub("", text).translate(_CONTROLS_MEANT)


def check_size(body: bytes) -> None:
    """Raise ParseError TOO_LARGE for a body past the cap."""
    if len(body) > MAX_BYTES:
        raise ParseError(Reason.TOO_LARGE, f"more than {MAX_BYTES // 1048576} MiB")


def ascii_based(body: bytes) -> bytes:
    """The body, in UTF-8 with its byte order mark when it was in UTF-16 or UTF-32."""
    encoding = next((name for mark, name in _UNICODE_MARKS if body.startswith(mark)), "utf-8")
    if encoding == "utf-8":
        return body
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    plain = bytearray(codecs.BOM_UTF8)
    for start in range(0, len(body), _BLOCK):
        text = decoder.decode(body[start : start + _BLOCK]).removeprefix("\ufeff")
        plain += text.encode("utf-8", "replace")
    return bytes(plain)


def is_plain(text: str) -> bool:
    """True when the text surely holds no sign that is odd in a text, found the quick way."""
    if len(text) <= _BLOCK:
        return _is_plain_block(text)
    return all(
        _is_plain_block(text[start : start + _BLOCK]) for start in range(0, len(text), _BLOCK)
    )


def _is_plain_block(text: str) -> bool:
    try:
        plain = text.encode()
    except UnicodeEncodeError:
        return False
    if len(plain.translate(None, _ASCII_CONTROLS)) != len(plain):
        return False
    if len(plain) == len(text):
        return True
    return not any(sign in text for sign in _ODD_SIGNS) and _C1.search(plain) is None


def _decode(body: bytes, content_type: str) -> str:
    for mark, encoding in _UNICODE_MARKS:
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    label = _label(body, content_type)
    if label is None or not _MULTI_BYTE.fullmatch(label):
        return _decode_single(body, label)
    if label.replace("-", "") == "utf8":
        return _decode_utf8(body)
    try:
        return body.decode(_NAMES.get(label, label), "strict")
    except (UnicodeDecodeError, LookupError):
        return _decode_utf8(body)


def _label(body: bytes, content_type: str) -> str | None:
    """The declared encoding; a server's default of Latin-1 yields to the document's own word."""
    http = _CHARSET.search(content_type)
    own = _DECLARED.search(body[:1024])
    said_http = http[1].lower() if http else None
    said_own = own[1].decode("ascii", "replace").lower() if own else None
    if said_http is None or (said_own is not None and _LATIN.fullmatch(said_http)):
        said = said_own
    else:
        said = said_http
    known = said is not None and (_SINGLE_BYTE.fullmatch(said) or _MULTI_BYTE.fullmatch(said))
    return said if known else None


def _decode_single(body: bytes, label: str | None) -> str:
    try:
        return body.decode("utf-8", "strict")
    except UnicodeDecodeError:
        if label is None or _LATIN.fullmatch(label):
            return _decode_utf8(body) if label is None else _decode_windows(body)
    try:
        return body.decode(_NAMES.get(label, label), "replace")
    except LookupError:
        return _decode_windows(body)


def _decode_windows(body: bytes) -> str:
    """Windows-1252 with its five gaps read as Latin-1, as browsers do."""
    return body.decode("latin-1").translate(_CONTROLS_MEANT)


def _decode_utf8(body: bytes) -> str:
    """UTF-8; what is not is windows-1252 when most of its high bytes make no UTF-8."""
    try:
        return body.decode("utf-8", "strict")
    except UnicodeDecodeError:
        text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    whole = sum(1 for char in text if char > "\x7f") - broken
    return _decode_windows(body) if broken > whole else text


def strip_prolog(text: str) -> str:
    """The document from its root on: no leading junk, XML declaration or DOCTYPE.

    Raises ParseError DTD_REFUSED when the DOCTYPE defines entities.
    """
    position, last = 0, -1
    while position > last:
        last = position
        position = _skip_misc(text, position)
        if (match := _DOCTYPE.match(text, position)) is not None:
            position = _doctype_end(text, match.end())
        elif (match := _DECLARATION.match(text, position)) is not None:
            position = match.end()
        elif _JUNK.match(text, position) is not None:
            found = _START.search(text, position, position + _JUNK_LIMIT)
            position = found.start() if found else max(text.find("<", position), position)
    return text[position:] if position else text


def _skip_misc(text: str, position: int) -> int:
    while (match := _MISC.match(text, position)) is not None:
        position = match.end()
    return position


def _doctype_end(text: str, position: int) -> int:
    """Where the DOCTYPE ends; raises ParseError DTD_REFUSED on an entity definition."""
    depth = 0
    for token in _SUBSET_TOKEN.finditer(text, position):
        word = token[0]
        if word[:8].upper() == "<!ENTITY":
            raise ParseError(Reason.DTD_REFUSED, "the document type defines entities")
        depth += {"[": 1, "]": -1}.get(word, 0)
        if word == ">" and depth <= 0:
            return token.end()
    return len(text)


def parse_xml(text: str, *, recover: bool = False) -> etree._Element:
    """The root of a document without prolog; no entity, DTD or address is ever followed.

    Raises ParseError PARSER_ERROR when it is not well formed, and then, when `recover`,
    only if nothing at all could be read.
    """
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        raise ParseError(Reason.PARSER_ERROR, str(error.msg)[:200]) from None
    if root is None:
        raise ParseError(Reason.PARSER_ERROR, "nothing that could be read as XML")
    return root


def read_references(text: str) -> str:
    """The text with numeric references as browsers read them.

    Those to C1 controls mean windows-1252, and `&#X` is `&#x`.
    """
    return _ODD_NUMBER.sub(_browser_reference, text) if "&" in text else text


def _browser_reference(match: re.Match[str]) -> str:
    number = int(match[2]) if match[2] else int(match[3], 16)
    meant = _CONTROLS_MEANT.get(number)
    return f"{match[1]}x{ord(meant) if meant else number:x};"


def repair_xml(text: str) -> str:
    """The text with the commonest faults of feeds mended.

    HTML's named characters are put in, bare ampersands escaped and undeclared prefixes
    declared.
    """
    parts = _CDATA.split(text)
    parts[::2] = [_REFERENCE.sub(_repaired, part) for part in parts[::2]]
    return _declare_prefixes("".join(parts))


def _declare_prefixes(text: str) -> str:
    root = _ROOT_NAME.match(text)
    if root is None:
        return text
    declared = {"xml", "xmlns", *_DECLARED_PREFIX.findall(text[:_PROLOG_LIMIT])}
    missing = sorted(set(_PREFIX.findall(text)) - declared)[:_MAX_PREFIXES]
    added = "".join(f' xmlns:{name}="{_NAMESPACES.get(name, "urn:" + name)}"' for name in missing)
    return f"{text[: root.end()]}{added}{text[root.end() :]}"


def _repaired(match: re.Match[str]) -> str:
    name = match[1]
    if name is None:
        return match[0] if len(match[0]) > 1 else "&amp;"
    if name in _XML_NAMES:
        return match[0]
    if (code := html.entities.name2codepoint.get(name[:-1])) is not None:
        return chr(code)
    char = html.entities.html5.get(name)
    return f"&amp;{name}" if char is None else char


def local_name(element: etree._Element) -> str:
    """The name of an element without its namespace, lower case; empty for what is none."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""

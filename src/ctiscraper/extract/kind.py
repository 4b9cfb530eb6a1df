"""What the bytes are before anybody parses them."""

import codecs
import re
from enum import StrEnum

from ctiscraper.errors import ParseError, Reason

_MAGIC = {
    b"%PDF-": "PDF", b"PK\x03\x04": "ZIP archive", b"\x1f\x8b": "gzip data",
    b"\x89PNG": "PNG image", b"GIF8": "GIF image", b"\xff\xd8\xff": "JPEG image",
    b"MZ\x90": "Windows program", b"\x7fELF": "ELF program", b"Rar!": "RAR archive",
    b"7z\xbc\xaf": "7z archive", b"\xd0\xcf\x11\xe0": "OLE document", b"{\\rtf": "RTF document",
    b"BZh": "bzip2 data", b"\x28\xb5\x2f\xfd": "zstd data", b"wOF": "font", b"ID3": "audio",
    b"OggS": "audio",
}  # fmt: skip
_FEED_ROOTS = frozenset({b"rss", b"feed", b"rdf", b"urlset", b"sitemapindex", b"opml"})
_FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/rdf+xml",
               "application/feed+json", "text/x-opml")  # fmt: skip
_XML_TYPES = ("application/xml", "text/xml")
_HTML_ROOTS = frozenset(
    b"""html head body div p article main title meta link script style span h1 h2 h3 h4 h5 h6
    table a br base noscript center font form header footer section aside nav ul ol dl pre b i
    strong em img iframe blockquote""".split()
)
_PROLOGUE = re.compile(
    rb"\s+|<\?.*?\?>|<!--.*?-->|(?P<doctype><!doctype\s+(?P<name>[^\s\[>]*)[^\[>]*(?:\[.*?\]\s*)?>)",
    re.DOTALL | re.IGNORECASE,
)
_OPEN_DOCTYPE = re.compile(rb"<!doctype\s+[^\[>]*\[", re.IGNORECASE)
_ROOT = re.compile(rb"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[\s/>]")
_JSON_FEED = re.compile(rb"^\s*\{.{0,400}?\"https?://jsonfeed\.org/version/", re.DOTALL)
_MARKUP = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|div|p|article|main|title|meta|span|h[1-6]|table|a|br)\b",
    re.IGNORECASE,
)
_TEXT_TYPES = ("text/plain", "text/markdown", "text/x-markdown")
_REFUSED_TYPES = ("image/", "audio/", "video/", "font/", "application/pdf", "application/zip",
                  "application/json", "application/javascript", "text/css", "text/csv")  # fmt: skip
_HEAD = 4096
_WIDE_HEAD = 65_536
_MAX_PROLOGUE = 200
_MAX_NULS = 0.3


class Kind(StrEnum):
    """How a body is to be read."""

    HTML = "html"
    PLAIN = "plain"


def page_kind(body: bytes, content_type: str = "") -> Kind:
    """HTML or plain text; ParseError (NOT_A_PAGE) for anything else."""
    head = body[:_HEAD]
    if not head.strip(b"\0 \t\r\n"):
        raise ParseError(Reason.NOT_A_PAGE, "the body is empty")
    for magic, name in _MAGIC.items():
        if body.startswith(magic):
            raise ParseError(Reason.NOT_A_PAGE, f"the body is a {name}")
    media = content_type.partition(";")[0].strip().lower()
    plain = _ascii_head(body[:_WIDE_HEAD])
    has_markup = _MARKUP.search(plain) is not None
    _refuse_data(plain, media, has_markup=has_markup)
    if media.startswith(_REFUSED_TYPES) and not has_markup:
        raise ParseError(Reason.NOT_A_PAGE, f"the host sent {media[:60]}")
    if not has_markup:
        return _without_markup(head, plain, media)
    return Kind.HTML if media not in _TEXT_TYPES or _is_document(plain) else Kind.PLAIN


def _ascii_head(head: bytes) -> bytes:
    """The head in an encoding whose ASCII letters are single bytes, its mark taken off."""
    for mark, encoding in (
        (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"),
    ):  # fmt: skip
        if head.startswith(mark):
            return head.decode(encoding, "ignore").removeprefix("\ufeff").encode()
    return head.removeprefix(codecs.BOM_UTF8)


def _root(head: bytes) -> tuple[bytes, bool]:
    """The name of the first element, lower case, and whether what precedes it says XML.

    The name is empty when no element opens the body.
    """
    place, xml = 0, False
    for _ in range(_MAX_PROLOGUE):
        match = _PROLOGUE.match(head, place)
        if match is None:
            break
        xml = xml or match[0][:5].lower() == b"<?xml"
        if match["doctype"]:
            xml = xml or not match["name"].lower().startswith(b"html")
        place = match.end()
    element = _ROOT.match(head, place)
    if element is None:
        return b"", xml or _OPEN_DOCTYPE.match(head, place) is not None
    return element[2].lower(), xml


def _refuse_data(head: bytes, media: str, *, has_markup: bool) -> None:
    """Raise for a feed, a sitemap, other XML, or JSON, by what it is or by what the host says."""
    name, xml = _root(head)
    if name in _FEED_ROOTS or (media in _FEED_TYPES and name not in _HTML_ROOTS):
        raise ParseError(Reason.NOT_A_PAGE, "the body is a feed or a sitemap")
    said_xml = media in _XML_TYPES and (name != b"" or not has_markup)
    if (xml or said_xml) and name not in _HTML_ROOTS and (name or not has_markup):
        raise ParseError(Reason.NOT_A_PAGE, "the body is XML")
    is_json = head.lstrip()[:1] in (b"{", b"[") and media.endswith("json")
    if is_json or _JSON_FEED.match(head):
        raise ParseError(Reason.NOT_A_PAGE, "the body is JSON")


def _is_document(head: bytes) -> bool:
    return re.match(rb"\s*<(?:!doctype\s+html|html)", head, re.IGNORECASE) is not None


def _without_markup(head: bytes, plain: bytes, media: str) -> Kind:
    marked = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not marked and head.count(b"\0") > _MAX_NULS * len(head):
        raise ParseError(Reason.NOT_A_PAGE, "the body is binary")
    if plain.lstrip()[:1] in (b"{", b"[") and media not in _TEXT_TYPES:
        raise ParseError(Reason.NOT_A_PAGE, "the body is JSON")
    if marked:
        return Kind.HTML
    return Kind.HTML if b"<" in plain[:_HEAD] and media not in _TEXT_TYPES else Kind.PLAIN

"""What the bytes are before anybody parses them."""

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
_FEED = re.compile(
    rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*|<\?[^>]*\?>\s*)*<(?:rss|feed|rdf:RDF|urlset|sitemapindex)[\s>]",
    re.DOTALL,
)
_MARKUP = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|div|p|article|main|title|meta|span|h[1-6]|table|a|br)\b",
    re.IGNORECASE,
)
_TEXT_TYPES = ("text/plain", "text/markdown", "text/x-markdown")
_REFUSED_TYPES = ("image/", "audio/", "video/", "font/", "application/pdf", "application/zip",
                  "application/json", "application/javascript", "text/css", "text/csv")  # fmt: skip
_HEAD = 4096
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
    if _FEED.match(head):
        raise ParseError(Reason.NOT_A_PAGE, "the body is a feed or a sitemap")
    media = content_type.partition(";")[0].strip().lower()
    has_markup = _MARKUP.search(head) is not None or _MARKUP.search(body[:65_536]) is not None
    if media.startswith(_REFUSED_TYPES) and not has_markup:
        raise ParseError(Reason.NOT_A_PAGE, f"the host sent {media[:60]}")
    if not has_markup:
        return _without_markup(head, media)
    return Kind.HTML if media not in _TEXT_TYPES or _is_document(head) else Kind.PLAIN


def _is_document(head: bytes) -> bool:
    return (
        re.match(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)", head, re.IGNORECASE) is not None
    )


def _without_markup(head: bytes, media: str) -> Kind:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Kind.HTML
    if head.count(b"\0") > _MAX_NULS * len(head):
        raise ParseError(Reason.NOT_A_PAGE, "the body is binary")
    if head.lstrip()[:1] in (b"{", b"[") and media not in _TEXT_TYPES:
        raise ParseError(Reason.NOT_A_PAGE, "the body is JSON")
    return Kind.HTML if b"<" in head and media not in _TEXT_TYPES else Kind.PLAIN

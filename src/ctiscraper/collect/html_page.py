"""An HTML page for finding links: its text by its true encoding, its base, its anchors."""

import re
from itertools import accumulate

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ctiscraper.collect.announced import judge_url, one_line
from ctiscraper.collect.xml_text import decode_text
from ctiscraper.errors import ParseError, Reason

_META = re.compile(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?\s*([\w.:\-]{1,40})", re.IGNORECASE)
_SECOND_LEVEL = frozenset(
    {"ac", "co", "com", "edu", "go", "gob", "gov", "gv", "mil", "ne", "net", "or", "org"}
)
_COUNTRY_LETTERS = 2


# The parser's time grows with the square of the depth.
MAX_NESTING = 5000
_NESTED = re.compile(
    r"<(/?)(?:a|abbr|article|aside|b|big|blockquote|center|code|dd|details|div|dl|em|figure|font|form|i"
    r"|label|li|main|nav|ol|p|pre|q|s|section|small|span|strong|table|td|th|tr|tt|u|ul)[\s>/]",
    re.IGNORECASE,
)


class HtmlPage:
    """A parsed page and the address its relative links start from."""

    def __init__(self, body: bytes, *, url: str, content_type: str = "") -> None:
        """Raises ParseError TOO_LARGE, or PARSER_ERROR for a page nested beyond reason."""
        meta = _META.search(body[:4096])
        if meta is not None and "charset" not in content_type.lower():
            content_type = f"text/html; charset={meta[1].decode('ascii', 'replace')}"
        text = decode_text(body, content_type)
        if nesting(text) > MAX_NESTING:
            raise ParseError(Reason.PARSER_ERROR, f"more than {MAX_NESTING} elements in each other")
        self.tree = LexborHTMLParser(text.encode("utf-8", "replace"))
        base = self.tree.css_first("base[href]")
        href = (base.attributes.get("href") or "") if base is not None else ""
        self.base = judge_url(href, url)[0] or url

    def link(self, node: LexborNode) -> str:
        """The http or https URL of a node's href, without its fragment, or empty."""
        href = (node.attributes.get("href") or "").strip()
        if not href or href.startswith("#"):
            return ""
        return judge_url(href, self.base)[0].partition("#")[0]


def nesting(text: str) -> int:
    """About how deep the elements of a page stand in each other."""
    if text.count("<") <= MAX_NESTING:
        return 0
    steps = (-1 if match[1] else 1 for match in _NESTED.finditer(text))
    return max(accumulate(steps), default=0)


def line_of(node: LexborNode, limit: int = 300) -> str:
    """The words of a node on one line."""
    return one_line(node.text(separator=" "), limit)


def site_of(host: str) -> str:
    """The registrable part of a host, by the common second levels of country domains."""
    labels = host.lower().rstrip(".").split(".")
    size = 2
    if len(labels) > size and len(labels[-1]) == _COUNTRY_LETTERS and labels[-2] in _SECOND_LEVEL:
        size = 3
    return ".".join(labels[-size:])

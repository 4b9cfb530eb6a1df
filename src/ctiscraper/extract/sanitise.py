"""The one policy by which foreign markup becomes markup we show."""

import re

import nh3

from ctiscraper.extract.clean import clean_text

_ALLOWED_TAGS = """
a abbr b blockquote br caption cite code dd del details div dl dt em figcaption figure h1 h2
h3 h4 h5 h6 hr i ins kbd li mark ol p pre q s samp small strong sub summary sup table tbody
td tfoot th thead tr u ul var wbr
"""
_TAGS = frozenset(_ALLOWED_TAGS.split())
_SILENCED = """
script style template noscript iframe object embed applet svg math head title textarea
select option frame frameset noframes noembed xmp plaintext audio video canvas map datalist
dialog
"""
_DROPPED = frozenset(_SILENCED.split())
_ATTRIBUTES = {
    "a": {"href"},
    "code": {"class"},
    "details": {"open"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_LANGUAGE = re.compile(r"language-[a-z0-9+#._-]{1,32}")
_NUMBER = re.compile(r"[0-9]{1,4}")
_SCHEME = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)


def _attribute(_tag: str, name: str, value: str) -> str | None:
    if name == "href":
        return value if _SCHEME.match(value) else None
    if name == "rel":
        return value
    if name == "class":
        return next((c for c in value.split() if _LANGUAGE.fullmatch(c)), None)
    if name == "open":
        return ""
    return value if _NUMBER.fullmatch(value) else None


_CLEANER = nh3.Cleaner(
    tags=set(_TAGS),
    clean_content_tags=set(_DROPPED),
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
)


# The cleaner's parser grows a text node with each reference: quadratic in their number.
_MAX_REFERENCES = 60_000


def sanitise(html: str) -> str:
    """The markup cut down to text structure and http, https and mailto links; idempotent.

    No image, style, script, form or foreign element is left, no attribute but link
    targets, spans of cells, list starts and `language-*` of code.
    """
    clean = clean_text(html)
    if clean.count("&") > _MAX_REFERENCES:
        clean = clean[: _nth_reference(clean)]
    return _CLEANER.clean(clean)


def _nth_reference(html: str) -> int:
    """The place of the last character reference that the cleaner reads in good time."""
    place = -1
    for _ in range(_MAX_REFERENCES):
        place = html.find("&", place + 1)
    return place

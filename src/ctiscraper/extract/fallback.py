"""The second extractor: text between tags, in linear time, for trees no parser can build."""

import re
from collections.abc import Iterator
from html import unescape

from ctiscraper.extract.render import INLINE

_MAX_BLOCKS = 20_000
_RAW = re.compile(
    r"<(script|style|noscript|svg|iframe|template|title|textarea|select|nav)\b", re.IGNORECASE
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)[^<>]*>|<![^<>]*>|<\?[^<>]*>")
_OPEN_TAG = re.compile(r"<[a-zA-Z/!][^<>]*\Z")
_SPACE = re.compile(r"\s+")


def _without_comments(markup: str) -> str:
    parts, place = [], 0
    while (start := markup.find("<!--", place)) >= 0:
        end = markup.find("-->", start + 4)
        if end < 0:
            break
        parts.append(markup[place:start])
        place = end + 3
    parts.append(markup[place:].replace("<!--", ""))
    return "".join(parts)


def _without_raw(markup: str) -> str:
    """The markup without elements that hold no prose; unclosed ones stay."""
    lowered = markup.lower()
    if len(lowered) != len(markup):
        return markup
    parts, place, unclosed = [], 0, set[str]()
    for match in _RAW.finditer(markup):
        name = match[1].lower()
        if match.start() < place or name in unclosed:
            continue
        end = lowered.find(f"</{name}", match.end())
        if end < 0:
            unclosed.add(name)
            continue
        parts.append(markup[place : match.start()])
        place = end
    parts.append(markup[place:])
    return "".join(parts)


def _pieces(markup: str) -> Iterator[str]:
    """Text as it stands, a line break for each tag that ends a block."""
    place = 0
    for match in _TAG.finditer(markup):
        yield markup[place : match.start()]
        place = match.end()
        if match[2] is not None and (match[2].lower() not in INLINE or match[2].lower() == "br"):
            yield "\0"
    yield markup[place:]


def body_blocks(markup: str) -> list[str]:
    """The page's text as paragraphs, without a tree: nesting and size do not matter."""
    body = re.search(r"<body\b", markup, re.IGNORECASE)
    prose = _without_raw(_without_comments(markup[body.start() if body else 0 :]))
    text = unescape("".join(_pieces(_OPEN_TAG.sub("", prose))))
    blocks = (_SPACE.sub(" ", line).strip() for line in text.split("\0"))
    return [b for b in blocks if b][:_MAX_BLOCKS]

"""What inside the content is furniture: shares, bylines, pointers to other pages."""

import re

from lxml import etree

from ctiscraper.extract.dom import Element, classes, drop, find_all, text_of
from ctiscraper.extract.names import FURNITURE
from ctiscraper.extract.render import INLINE
from ctiscraper.extract.weights import Weights

_NEVER = frozenset({"pre", "code", "table", "summary", "td", "th", "tr", "tbody", "thead"})
_SHORT_TAGS = frozenset({"p", "h2", "h3", "h4", "h5", "h6", "div", "li"})
_LISTS = frozenset({"div", "ul", "section", "ol"})
_MOST = 0.5
_DENSE = 0.6
_ALL = 0.95
_LITTLE = 0.05
_SHOUTED = 12
_MAX_POINTER = 250
_MAX_LABEL = 60
_BOXES = 3
_MIN_CAPTION = 20
_CAPTIONS = etree.XPath("descendant::figcaption | descendant::*/@class[contains(.,'caption')]/..")
_TALK = re.compile(r"comment|repl(?:y|ies)|respond|disqus|related|recommend|recirc|sidebar")
_CALLOUT = re.compile(r"callout|note|warning|alert|info|tip|highlight|summary|key|takeaway")
_REFERENCES = re.compile(
    r"reference|source|resource|further reading|indicator|ioc|appendix|detection|bibliograph"
    r"|citation|links|yara|sigma|mitre|advisor|patch|download",
    re.IGNORECASE,
)
_OWN_HEADING = re.compile(
    r"[\W\d]*(?:references|sources|citations|bibliography|further reading"
    r"|(?:ioc|indicator)s?(?: of compromise)?)(?:\W.{0,40})?",
    re.IGNORECASE,
)
_POINTER = re.compile(
    r"^\W*(?:related|read (?:more|also|next)|see also|also (?:read|see)|more:|recommended|watch:?|"
    r"don.?t miss|see more|click here|sign up|subscribe|follow us|you (?:may|might) also)\b",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"\W*(?:you (?:may|might) also (?:like|enjoy|be interested in)|don.?t miss|see also|also read"
    r"|read (?:more|next|also)"
    r"|related(?: (?:articles?|stories|posts?|content|news|coverage|topics))?"
    r"|recommended(?: (?:reading|for you|articles|stories))?|trending(?: now)?|most popular"
    r"|more (?:from|on|stories|articles|posts|news|great)\b.{0,40}|up next|editors?.? picks?)\W*",
    re.IGNORECASE,
)


def prune(weights: Weights) -> None:
    """Take the furniture out of the content that was weighed."""
    passed = 1
    for i in range(len(weights.elements)):
        if i < passed:
            continue
        if _is_announced_list(weights, i):
            passed = weights.ends[i]
            continue
        doomed = [i] if _is_furniture(weights, i) else _labelled(weights, i)
        for place in doomed:
            passed = weights.ends[place]
            drop(weights.elements[place])


def drop_repeated_captions(main: Element) -> None:
    """Leave a caption once where players say theirs again; a picture of its own keeps its own."""
    said: dict[str, Element | None] = {}
    outer: Element | None = None
    for element in find_all(_CAPTIONS, main):
        if outer is not None and outer in element.iterancestors():
            continue
        outer = element
        text = text_of(element)
        figure = next(element.iterancestors("figure"), None)
        if len(text) >= _MIN_CAPTION and text in said:
            pictured = figure is not None and next(figure.iter("img"), None) is not None
            if not pictured or said[text] is figure:
                drop(element)
        said.setdefault(text, figure)


def _is_furniture(weights: Weights, i: int) -> bool:
    tag = weights.tags[i]
    if tag in _NEVER or (tag in INLINE and tag not in {"span", "a"}):
        return False
    if weights.total[i] > _MOST * weights.total[0]:
        return False
    element = weights.elements[i]
    if tag in {"aside", "footer"}:
        return not (_CALLOUT.search(classes(element)) or _holds_data(element))
    sign = weights.sign[i]
    if sign == FURNITURE:
        return tag != "blockquote" and (
            _TALK.search(classes(element)) is not None or not _holds_data(element)
        )
    if sign < 0:
        return weights.good[i] < _LITTLE * weights.good[0]
    return _is_links(weights, i) or _is_pointer(weights, i)


def _holds_data(element: Element) -> bool:
    return next(element.iter("pre", "th"), None) is not None


def _is_links(weights: Weights, i: int) -> bool:
    """A list, or a box, of hardly anything but links."""
    total = weights.total[i]
    if weights.tags[i] not in _LISTS or not total or weights.good[i]:
        return False
    if weights.links[i] <= _DENSE * total:
        return False
    parent = weights.elements[i].getparent()
    return parent is None or parent.tag != "li"


def _is_announced_list(weights: Weights, i: int) -> bool:
    """A list of links that a heading or a sentence announces as part of the article."""
    if weights.sign[i] < 0 or not _is_links(weights, i):
        return False
    element = weights.elements[i]
    said = _said_before(element)
    if said.endswith(":") or _REFERENCES.search(said):
        return True
    heading = next(element.iter("h2", "h3", "h4", "h5", "h6"), None)
    return heading is not None and _OWN_HEADING.fullmatch(text_of(heading)) is not None


def _said_before(element: Element) -> str:
    """The end of what stands before an element, or before the box it opens."""
    place: Element | None = element
    for _ in range(_BOXES):
        if place is None:
            break
        before = place.getprevious()
        if before is not None:
            return text_of(before)[-_MAX_LABEL:]
        place = place.getparent()
    return ""


def _is_pointer(weights: Weights, i: int) -> bool:
    """A short block of links that only sends the reader to another page."""
    tag, total = weights.tags[i], weights.total[i]
    if tag not in _SHORT_TAGS or not 0 < total <= _MAX_POINTER:
        return False
    if weights.links[i] < _MOST * total:
        return False
    text = text_of(weights.elements[i])
    if _POINTER.match(text):
        return True
    shouted = text.isupper() and len(text) > _SHOUTED
    return shouted and tag == "p" and weights.links[i] >= _ALL * total


def _labelled(weights: Weights, i: int) -> list[int]:
    """A label such as "You may also like" and the links that follow it, or nothing."""
    if weights.tags[i] not in _SHORT_TAGS or not 0 < weights.total[i] <= _MAX_LABEL:
        return []
    element = weights.elements[i]
    if not _LABEL.fullmatch(text_of(element)):
        return []
    doomed = [i]
    for part in element.itersiblings():
        j = weights.place(part)
        if j is None or (weights.total[j] and weights.links[j] < _MOST * weights.total[j]):
            break
        doomed.append(j)
    return doomed if len(doomed) > 1 or element.getnext() is None else []

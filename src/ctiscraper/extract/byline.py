"""Author and date as a page shows them to its readers, where nothing declares them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

from lxml import etree

from ctiscraper.dates import find_date, parse_date
from ctiscraper.extract.clean import clean_line
from ctiscraper.extract.dom import Element, classes, find_all

# The clock of the reader is not known here: who ranks the dates bounds them.
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_MAX_LINE = 120
_MAX_NAME = 60
_MAX_WORDS = 6
_MAX_AUTHORS = 5
_NEAR = 800
# By attribute and back, which is cheaper than a condition asked of every element.
_SIGNED = etree.XPath(
    "//@class[contains(.,'uthor') or contains(.,'yline')]/.. | //@rel[contains(.,'author')]/.."
)
_DATED = etree.XPath(
    "//@class[contains(.,'date') or contains(.,'Date') or contains(.,'ublish')"
    " or contains(.,'osted')]/.. | //@name[contains(.,'publish')]/.."
)
_BESIDE = re.compile(
    r"comment|repl(?:y|ies)|related|recommend|sidebar|widget|footer|teaser|\bcard|popular|promo"
    r"|latest|trending|more-|\bbio\b|(?:^|[\s_-])(?:prev|next)(?:$|[\s_-])"
)
_BESIDE_TAGS = frozenset({"aside", "nav", "footer", "li", "blockquote", "td", "form"})
_NAMED = re.compile(
    r"(?:^|\s)(?:(?:[a-z]+-){0,2}|[a-z]+__)(?:author|byline)(?:-?_{0,2}name|-link|-post)?(?=\s|$)"
    r"|(?:^|\s)[\w-]*author-?name(?=\s|$)"
)
_DAY_NAMED = re.compile(
    r"(?:^|[\s_-])(?:publish(?:ed)?|posted|post|pub|entry|article|story|submitted|release)"
    r"[\s_-]?(?:on|date|day)(?=$|[\s_-])|(?:^|[\s_-])date[\s_-]?(?:published|posted)(?=$|[\s_-])"
    r"|(?:^|[\s_-])published(?=$|\s)"
)
_DAY_LOOSE = re.compile(r"(?:^|\s)(?:[\w-]+__)?date(?=$|\s)")
_CHANGED = re.compile(r"updat|modif|revis|event|expir|copyright")
_LABEL = re.compile(
    r"\W*(?:original(?:ly)? (?:release(?:d)?|publish(?:ed)?|publication|post(?:ed)?)(?: date| on)?"
    r"|(?:first )?(?:published|posted)(?: date| on| at)?|publi(?:cation|sh(?:ed|ing)?) date"
    r"|date (?:published|posted|of publication)|posted|issued on|ver\u00f6ffentlicht(?: am)?"
    r"|publi\u00e9 le|publicado (?:el|em)|pubblicato il|opublikowano)\s*(?::|-|(?=\d|\s))\s*",
    re.IGNORECASE,
)
_AT_ONCE = re.compile(r"(?:[^\W\d_]{2,12}[.,]*\s+){0,2}\d")
_BY = re.compile(
    r"^\W*(?:(?:written |posted |reported |published |story )?by|author|von|par|por|autor|di)\b"
    r"(?:[:\s]+|$)",
    re.IGNORECASE,
)
_PARTICLES = frozenset("af al bin da de del den der di do dos du el la le ten van von y".split())  # noqa: SIM905
_SPLIT_WORD = re.compile(r"(?<=[^\W\d_])\n(?=[^\W\d_A-Z])")
_AFTER_NAME = re.compile(
    r"\s*(?:[|\u2022\u00b7/@(,]|\s[-\u2013\u2014]\s|\b(?:on|updated|published|posted|last)\b|\d"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b"
    r"|\b(?:january|february|march|april|june|july|august|september|october|november|december)\b"
    r").*$",
    re.IGNORECASE | re.DOTALL,
)
_NAME = re.compile(r"[^\W\d_][^\d_@<>{}|:;!?/\\\u2026]{1,60}")
_NO_NAME = re.compile(
    r"\b(?:admin|administrator|author|authors|biography|editors?|share|follow|more|about|staff"
    r"|contact|profile|posts?|view|all|articles?|guest|byline|subscribe|sign|anonymous|unknown"
    r"|written|posted|updated|published|comments?|the|and|sobre|read)\b",
    re.IGNORECASE,
)


class _Places:
    """Which elements stand beside the article: asked of each ancestor once."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: dict[Element, bool] = {}

    def is_beside(self, element: Element) -> bool:
        """True in a list, a comment, a sidebar or a box about another article."""
        chain: list[Element] = []
        place: Element | None = element
        found = False
        while place is not None and place.tag not in {"body", "html", "main"}:
            if place in self._known:
                found = self._known[place]
                break
            chain.append(place)
            if place.tag in _BESIDE_TAGS or _BESIDE.search(classes(place)):
                found = True
                break
            place = place.getparent()
        self._known.update(dict.fromkeys(chain, found))
        return found


def _short_texts(element: Element) -> list[str]:
    """The runs of text inside, or nothing when they are longer than a byline or a date."""
    runs, size = [], 0
    for text in cast("Iterator[str]", element.itertext()):
        runs.append(text)
        size += len(text)
        if size > 4 * _MAX_LINE or len(runs) > _MAX_LINE:
            return []
    return runs


def shown_authors(root: Element) -> list[str]:
    """The names that a byline shows; those of elements made like the first that reads."""
    found: list[str] = []
    make: tuple[object, str | None] | None = None
    places = _Places()
    for element in find_all(_SIGNED, root)[:100]:
        own = (element.tag, element.get("class"))
        if make not in (None, own) or not _signs(element) or places.is_beside(element):
            continue
        if name := _name_in(element):
            make = own
            if name not in found:
                found.append(name)
    return found[:_MAX_AUTHORS]


def _signs(element: Element) -> bool:
    if "author" in (element.get("rel") or "").split():
        return True
    return _NAMED.search((element.get("class") or "").lower()) is not None


def _name_in(element: Element) -> str:
    """The name in the first run of text that is more than the word "by"."""
    runs = _SPLIT_WORD.sub("", "\n".join(_short_texts(element))).split("\n")
    lines = (line for run in runs if (line := " ".join(run.split())))
    return next((author_name(line) for line in lines if _BY.sub("", line)), "")


def author_name(line: str) -> str:
    """The person's name in a byline such as `By Ada Example | 4 March`, or nothing."""
    if len(line) > _MAX_LINE:
        return ""
    name = _AFTER_NAME.sub("", _BY.sub("", line)).strip(" .,-\u2013\u2014")
    words = name.split()
    plausible = (
        1 < len(name) <= _MAX_NAME
        and 1 < len(words) <= _MAX_WORDS
        and not name[0].islower()
        and all(w in _PARTICLES or not w[0].islower() for w in words)
        and _NAME.fullmatch(name) is not None
        and _NO_NAME.search(name) is None
    )
    return clean_line(name) if plausible else ""


def shown_dates(root: Element) -> list[tuple[str, str]]:
    """Dates that a label or a class name says are of publication, with `label` or `class`.

    Only what is beyond doubt: a label near the heading, or one and the same day in all
    elements of such a class outside lists, comments and boxes about other articles.
    """
    found = [("label", raw) for raw in _labelled(root)]
    named: dict[str, str] = {}
    loose: dict[str, str] = {}
    places = _Places()
    for element in find_all(_DATED, root)[:200]:
        name = f"{classes(element)} {(element.get('name') or '').lower()}"
        kept = named if _DAY_NAMED.search(name) else loose if _DAY_LOOSE.search(name) else None
        if kept is None or _CHANGED.search(name) or places.is_beside(element):
            continue
        if read := _readable(_words_of(element)):
            kept.setdefault(*read)
    days = list((named or loose).values())
    return [*found, ("class", days[0])] if len(days) == 1 else found


def any_reads(dates: list[tuple[str, str]]) -> bool:
    """True when one of the dates, each with its place, is a date."""
    return any(parse_date(raw, now=_LATEST) for _, raw in dates)


def _words_of(element: Element) -> str:
    if element.tag == "input":
        return clean_line(element.get("value") or "", _MAX_LINE)
    return " ".join("".join(_short_texts(element)).split())


def _readable(line: str) -> tuple[str, str] | None:
    """The day that a line names and the words that name it; None when it names none."""
    if not line or len(line) > _MAX_LINE:
        return None
    words = _LABEL.sub("", line, count=1).partition("|")[0].strip()
    if (moment := parse_date(words, now=_LATEST)) is not None:
        return moment.date().isoformat(), words
    found = find_date(words, now=_LATEST)
    return (found[0].date().isoformat(), found[1]) if found else None


def _labelled(root: Element) -> list[str]:
    """The words of a date after a label near a main heading, when there is one such day."""
    days: dict[str, str] = {}
    for line in _lines_near_heading(root):
        match = _LABEL.match(line)
        if match is None or not _AT_ONCE.match(line, match.end()):
            continue
        if read := _readable(line[match.end() :]):
            days.setdefault(*read)
    return list(days.values()) if len(days) == 1 else []


def _lines_near_heading(root: Element) -> Iterator[str]:
    """Runs of text that follow an h1 closely; a label alone is joined with the run after it."""
    for heading in list(root.iter("h1"))[:3]:
        passed, label = 0, ""
        for text in _texts_after(heading):
            line = " ".join(text.split())
            if not line:
                continue
            passed += len(line)
            if passed > _NEAR:
                break
            if len(line) <= _MAX_LINE:
                yield f"{label} {line}" if label else line
            label = line if len(line) <= _MAX_LINE and _LABEL.fullmatch(f"{line} ") else ""


def _texts_after(element: Element) -> Iterator[str]:
    """The text nodes after an element in document order, scripts and styles left out."""
    node: Element | None = element
    while node is not None:
        yield node.tail or ""
        for sibling in node.itersiblings():
            for part in sibling.iter(etree.Element):
                if part.tag not in {"script", "style", "noscript"}:
                    yield part.text or ""
                if part is not sibling:
                    yield part.tail or ""
            yield sibling.tail or ""
        node = node.getparent()

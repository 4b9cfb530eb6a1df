"""Pages that hold a notice in the article's place: not found, pay, log in, wait."""

import re
from collections.abc import Sequence
from itertools import product

from ctiscraper.extract.clean import clean_line

_MAX_NOT_FOUND = 800
_MAX_NOTICE = 300
_MAX_LINE = 160
_SUBJECTS = (
    "page", "this page", "that page", "the page", "your page", "requested page", "article",
    "the requested page", "the page requested", "the page you requested", "this article", "post",
    "the page you are looking for", "the page you were looking for", "the article", "this post",
    "the page you're looking for", "webpage", "content", "this content", "file", "document",
)  # fmt: skip
_VERDICTS = (
    "not found", "was not found", "could not be found", "cannot be found", "can't be found",
    "couldn't be found", "does not exist", "doesn't exist", "no longer exists", "not available",
    "is not available", "isn't available", "no longer available", "is no longer available",
    "unavailable", "is unavailable", "has been removed", "is missing", "isn't here",
)  # fmt: skip
_OTHERS = (
    "not found", "nothing found", "gone", "we can't find that page", "we couldn't find that page",
    "seite nicht gefunden", "seite wurde nicht gefunden", "page introuvable", "page non trouvée",
    "página no encontrada", "página não encontrada", "pagina non trovata", "pagina niet gevonden",
    "nie znaleziono strony", "strona nie istnieje", "strona nie została znaleziona",
    "stránka nenalezena", "stránka nebyla nalezena", "stránka sa nenašla", "sayfa bulunamad\u0131",
    "страница не найдена", "сторінку не знайдено", "ページが見つかりません", "页面不存在",
    "页面未找到",
)  # fmt: skip
_PHRASES = frozenset(f"{s} {v}" for s, v in product(_SUBJECTS, _VERDICTS)) | frozenset(_OTHERS)
_FILLERS = frozenset("oops sorry whoops hmm error http code status 404 410".split())  # noqa: SIM905 - a list of words reads better
_NUMBERS = frozenset({"404", "410"})
_PARTS = re.compile(r"\s+(?:[|\u2013\u2014\u00bb\u00b7:]|-{1,2}|::)\s+")
_NO_WORD = re.compile(r"[^\w']+")
_LOG_IN = r"(?:subscribe|sign in|log in|sign up|register)"
_WALL = re.compile(
    rf"\W*(?:(?:please )?{_LOG_IN}(?: or {_LOG_IN})?(?: now| today| here)?"
    r" (?:to|and) (?:continue|keep|read|view|unlock|access)\b"
    r"|(?:this|the rest of this) (?:article|story|content|page|post) is (?:only )?"
    r"(?:for|available to) (?:\w+ )?(?:subscribers|members)\b"
    r"|(?:please |you need to )?enable (?:java ?script|cookies)\b"
    r"|java ?script is (?:required|disabled|not (?:enabled|available))\b"
    r"|checking (?:if the site connection is secure|your browser)\b"
    r"|just a moment\W*$|verify(?:ing)? (?:that )?you are (?:a )?human\b"
    r"|access (?:to this (?:page|site) has been )?denied(?:\.|$))",
    re.IGNORECASE,
)


def notice_of(text: str, titles: Sequence[str], announced: str = "") -> str:
    """The words by which a page says that it is not the article, or an empty string.

    `announced` is the feed's title: an article may be called "Page not found".
    """
    if len(text) > _MAX_NOT_FOUND or (announced and announced in titles):
        return ""
    opening = text.split("\n", 1)[0]
    told = [_not_found(title, _PARTS.split(title)) for title in titles]
    if said := next(filter(None, told), "") or _not_found(opening, [opening]):
        return said
    if len(text) <= _MAX_NOTICE and _WALL.match(text):
        return clean_line(opening, _MAX_LINE)
    return ""


def _not_found(line: str, parts: list[str]) -> str:
    """The part of a line that says "not found"; a bare number counts as the first part only."""
    if len(line) > _MAX_LINE:
        return ""
    for place, part in enumerate([line, *parts]):
        words = _NO_WORD.sub(" ", part.casefold().replace("\u2019", "'")).split()
        told = " ".join(w for w in words if w not in _FILLERS)
        if told in _PHRASES or (not told and place <= 1 and _NUMBERS.intersection(words)):
            return clean_line(part)
    return ""

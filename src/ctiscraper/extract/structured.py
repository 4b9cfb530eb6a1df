"""What a page says of itself: JSON-LD, Open Graph, microdata and meta elements."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import unescape

from lxml import etree

from ctiscraper.extract import jsonld
from ctiscraper.extract.byline import any_reads, shown_authors, shown_dates
from ctiscraper.extract.clean import clean_line
from ctiscraper.extract.dom import Element, find_all, text_of

_MAX_META = 400
_MAX_NAME = 80
_MAX_TAG = 80
_MAX_TAGS = 30
_META_TITLE = ("og:title", "twitter:title", "dc.title", "dcterms.title", "headline")
_META_SUMMARY = ("og:description", "description", "twitter:description", "dc.description")
_META_AUTHOR = ("author", "article:author", "dc.creator", "dcterms.creator", "parsely-author",
                "sailthru.author", "citation_author", "byl")  # fmt: skip
_META_TAGS = ("article:tag", "keywords", "news_keywords", "parsely-tags", "sailthru.tags")
_META_PUBLISHED = (
    "article:published_time", "og:article:published_time", "article:published",
    "datepublished", "publish_date", "publishdate", "publish-date", "pubdate", "date",
    "dc.date", "dc.date.issued", "dcterms.date", "dcterms.created", "dcterms.issued",
    "parsely-pub-date", "sailthru.date", "citation_publication_date", "publication_date",
    "article.published", "cxenseparse:recs:publishtime", "article:create",
    "originalpublicationdate",
)  # fmt: skip
_META_MODIFIED = (
    "article:modified_time", "og:updated_time", "datemodified", "last-modified",
    "dcterms.modified", "dc.date.modified", "article:modified", "lastmod",
)  # fmt: skip
_META_LANGUAGE = ("og:locale", "language", "dc.language")
_META_URL = ("og:url",)
_META_READ = frozenset(
    (*_META_TITLE, *_META_SUMMARY, *_META_AUTHOR, *_META_TAGS, *_META_PUBLISHED, *_META_MODIFIED,
     *_META_LANGUAGE, *_META_URL)
)  # fmt: skip
# By attribute and back, which is cheaper than a condition asked of every element.
_DATED = etree.XPath(
    "descendant-or-self::time[@datetime or @pubdate]"
    " | descendant-or-self::*/@itemprop[.='datePublished' or .='dateModified']/.."
)
_AUTHORS = etree.XPath(
    "descendant-or-self::*/@itemprop[.='author']/.. | descendant-or-self::*/@rel[.='author']/.."
)
_TITLE_TAIL = re.compile(r"\s+(?:[|\u2013\u2014\u00bb\u00b7]|-{1,2}|::)\s+")
_LANGUAGE = re.compile(r"^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*$")


@dataclass(slots=True)
class Structured:
    """What the page declares; dates raw, each with the place it stood in, best first."""

    title: str = ""
    authors: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    published: list[tuple[str, str]] = field(default_factory=list)
    modified: list[tuple[str, str]] = field(default_factory=list)
    canonical: str = ""
    language: str = ""
    summary: str = ""
    body: str = ""


def _metas(elements: list[Element]) -> dict[str, list[str]]:
    """Values of the meta elements that are read, by lower-case name, property or itemprop."""
    found: dict[str, list[str]] = {}
    for meta in elements[:_MAX_META]:
        name = meta.get("property") or meta.get("name") or meta.get("itemprop")
        key = name.strip().lower() if name else ""
        value = meta.get("content") if key in _META_READ else None
        if value and (value := clean_line(unescape(value), 4096)):
            found.setdefault(key, []).append(value)
    return found


def _first(metas: dict[str, list[str]], names: tuple[str, ...]) -> str:
    return next((metas[n][0] for n in names if n in metas), "")


def _unique(values: list[str], limit: int) -> list[str]:
    kept: dict[str, str] = {}
    for value in values:
        text = clean_line(value, 200)
        if text and not text.endswith(".txt"):
            kept.setdefault(text.casefold(), text)
    return list(kept.values())[:limit]


def clean_tags(values: Iterable[str]) -> list[str]:
    """Tags as they may be kept: no handles, paths, addresses or sentences, each once."""
    tags = [v.strip().removeprefix("#") for v in values]
    return _unique([t for t in tags if _is_tag(t)], _MAX_TAGS)


def _is_tag(text: str) -> bool:
    return (
        0 < len(text) <= _MAX_TAG
        and not text.startswith(("@", "/"))
        and "://" not in text
        and any(map(str.isalnum, text))
    )


def _script_texts(scripts: list[Element]) -> list[str]:
    return [s.text for s in scripts if "ld+json" in (s.get("type") or "").lower() and s.text]


def _from_jsonld(found: Structured, all_nodes: list[jsonld.Node]) -> None:
    known = jsonld.names_by_id(all_nodes)
    for node in jsonld.article_nodes(all_nodes):
        found.title = found.title or jsonld.text_value(node.get("headline") or node.get("name"))
        found.authors += jsonld.names(node.get("author") or node.get("creator"), known)
        found.tags += jsonld.words(node.get("keywords"))
        found.language = found.language or jsonld.text_value(node.get("inLanguage"))
        found.summary = found.summary or jsonld.text_value(node.get("description"))
        for key, kept in (("datePublished", found.published), ("dateModified", found.modified)):
            if raw := jsonld.text_value(node.get(key)):
                kept.append(("json-ld", raw))
        if not found.published and (raw := jsonld.text_value(node.get("dateCreated"))):
            found.published.append(("json-ld", raw))
        body = node.get("articleBody")
        if isinstance(body, str) and len(body) > len(found.body):
            found.body = body


def _from_metas(found: Structured, metas: dict[str, list[str]]) -> None:
    found.published += [("meta", v) for n in _META_PUBLISHED for v in metas.get(n, ())[:1]]
    found.modified += [("meta", v) for n in _META_MODIFIED for v in metas.get(n, ())[:1]]
    if not found.authors:
        found.authors += [v for n in _META_AUTHOR for v in metas.get(n, ()) if "://" not in v]
    for name in _META_TAGS:
        for value in metas.get(name, ()):
            found.tags += value.split(",")
    found.summary = _first(metas, _META_SUMMARY) or found.summary
    found.language = found.language or _first(metas, _META_LANGUAGE)


def _from_elements(found: Structured, root: Element) -> None:
    """Microdata and time elements."""
    for element in find_all(_DATED, root)[:20]:
        if _is_beside(element):
            continue
        raw = element.get("datetime") or element.get("content") or text_of(element)
        if not (raw := clean_line(raw, 200)):
            continue
        kind = element.get("itemprop")
        if kind == "dateModified":
            found.modified.append(("microdata", raw))
        else:
            found.published.append(("microdata" if kind == "datePublished" else "time", raw))
    if not found.authors:
        names = [_author_name(e) for e in find_all(_AUTHORS, root)[:10]]
        found.authors += [n for n in names if 1 < len(n) < _MAX_NAME]


def _is_beside(element: Element) -> bool:
    """True for a time element that dates another article: in a list, a sidebar or a footer."""
    if element.tag != "time" or element.get("itemprop"):
        return False
    for ancestor in element.iterancestors("article", "main", "aside", "nav", "footer", "li"):
        return ancestor.tag not in {"article", "main"}
    return False


def _author_name(element: Element) -> str:
    """The name inside an author's element, or all its text."""
    named = next((e for e in element.iterdescendants() if e.get("itemprop") == "name"), element)
    return named.get("content") or text_of(named)


def _links(found: Structured, root: Element) -> None:
    for link in root.iter("link"):
        if "canonical" in (link.get("rel") or "").lower().split():
            found.canonical = clean_line(link.get("href") or "")
            return


def page_title(root: Element, declared: str) -> str:
    """The article's title: as declared, else the lone h1, else the title element's part."""
    headings = [t for e in root.iter("h1") if (t := text_of(e))]
    element = root.find(".//title")
    whole = text_of(element) if element is not None else ""
    if declared:
        return _without_site(declared, headings, whole)
    parts = _TITLE_TAIL.split(whole)
    if headings and (headings[0] in whole or len(headings) == 1):
        named = next((t for e in root.iter("h2") if (t := text_of(e)) in parts), "")
        return headings[0] if headings[0] in whole else named or headings[0]
    return max(parts, key=len)


def _without_site(declared: str, headings: list[str], whole: str) -> str:
    """The declared title; where it carries the site's name, the heading that it starts with."""
    for heading in headings:
        if len(heading) >= 10 and declared != heading and declared.startswith(heading):  # noqa: PLR2004
            return heading
    parts = _TITLE_TAIL.split(declared)
    if len(parts) > 1 and declared == whole and len(parts[0]) > 2 * len(parts[-1]):
        return declared[: declared.rindex(parts[-1])].rstrip(" |\u2013\u2014\u00bb\u00b7-:")
    return declared


def read_structured(root: Element) -> Structured:
    """All declarations of the page; call before anything is taken out of the tree."""
    found = Structured()
    told = list(root.iter("meta", "script"))
    _from_jsonld(found, jsonld.nodes(_script_texts([e for e in told if e.tag == "script"])))
    metas = _metas([e for e in told if e.tag == "meta"])
    _from_metas(found, metas)
    _from_elements(found, root)
    _links(found, root)
    if not found.authors:
        found.authors = shown_authors(root)
    if not any_reads(found.published):
        found.published += shown_dates(root)
    found.title = clean_line(page_title(root, found.title or _first(metas, _META_TITLE)), 500)
    declared = found.language or (root.get("lang") or "")
    found.language = declared if _LANGUAGE.match(declared) else ""
    found.authors = _unique(
        [re.sub(r"^by\s+", "", a, flags=re.IGNORECASE) for a in found.authors], 20
    )
    found.tags = clean_tags(found.tags)
    found.canonical = found.canonical or _first(metas, _META_URL)
    return found

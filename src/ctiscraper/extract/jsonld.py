"""JSON-LD as it is found in pages: often broken, always hostile."""

import json
import re
from collections.abc import Iterator, Mapping
from html import unescape
from types import MappingProxyType
from typing import Any

from ctiscraper.extract.clean import clean_line

Node = dict[str, Any]

_MAX_BYTES = 1_000_000
_MAX_NODES = 2_000
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_WRAPPING = re.compile(r"^\s*(?:<!--|//\s*<!\[CDATA\[|/\*\s*<!\[CDATA\[\s*\*/|<!\[CDATA\[)")
_CLOSING = re.compile(r"(?:-->|//\s*\]\]>|/\*\s*\]\]>\s*\*/|\]\]>|;)\s*$")
_ARTICLE = re.compile(
    r"(?:News|Blog|Tech|Scholarly|Report|Analysis|Review|Satirical|Advertiser)?\w*"
    r"(?:Article|BlogPosting|Posting|Report)$"
)
_PAGE_TYPES = frozenset({"WebPage", "ItemPage", "CreativeWork", "AboutPage"})


def _loads(raw: str) -> object:
    """The value, with the usual faults mended, or None."""
    for mend in (False, True):
        text = raw
        if mend:
            text = _CLOSING.sub("", _WRAPPING.sub("", raw)).strip()
            text = _TRAILING_COMMA.sub(r"\1", text)
        try:
            return json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def nodes(scripts: list[str]) -> list[Node]:
    """Every object of all scripts, outermost first, @graph and lists flattened."""
    found: list[Node] = []
    for raw in scripts:
        if len(raw) <= _MAX_BYTES:
            found += _flatten(_loads(raw))
    return found[:_MAX_NODES]


def _flatten(value: object) -> Iterator[Node]:
    queue: list[object] = [value]
    seen = 0
    while queue and seen < _MAX_NODES:
        item = queue.pop(0)
        seen += 1
        if isinstance(item, list):
            queue += item
        elif isinstance(item, dict):
            yield item
            queue += [item[k] for k in ("@graph", "mainEntity", "mainEntityOfPage") if k in item]


def types_of(node: Node) -> set[str]:
    """The node's types without their vocabulary's address."""
    kinds = node.get("@type")
    names = kinds if isinstance(kinds, list) else [kinds]
    return {n.rsplit("/", 1)[-1].rsplit(":", 1)[-1] for n in names if isinstance(n, str)}


def article_nodes(all_nodes: list[Node]) -> list[Node]:
    """The nodes that describe the page's article, best first."""
    articles = [n for n in all_nodes if any(_ARTICLE.match(t) for t in types_of(n))]
    pages = [n for n in all_nodes if types_of(n) & _PAGE_TYPES]
    return articles + pages


def text_value(value: object) -> str:
    """A plain string out of what JSON-LD allows for one."""
    for _ in range(4):
        if isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, dict):
            value = value.get("name") or value.get("@value") or value.get("@id") or value.get("url")
        else:
            break
    return clean_line(unescape(value), 4096) if isinstance(value, str) else ""


def names_by_id(all_nodes: list[Node]) -> dict[str, str]:
    """Names of the nodes that others refer to by their `@id`."""
    found: dict[str, str] = {}
    for node in all_nodes:
        key = node.get("@id")
        if isinstance(key, str) and node.get("name") and (name := text_value(node["name"])):
            found.setdefault(key, name)
    return found


def names(value: object, known: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Names of persons or organisations: strings, objects, references, or lists of these.

    `known` has the names that references (`{"@id": …}`) stand for.
    """
    items = value if isinstance(value, list) else [value]
    found = []
    for item in items[:20]:
        name = (item.get("name") or item.get("@id")) if isinstance(item, dict) else item
        if isinstance(name, list):
            found += names(name, known)
        else:
            text = text_value(name)
            found.append(known.get(text, "" if _is_reference(text) else text))
    return [n for n in found if n]


def _is_reference(text: str) -> bool:
    return text.startswith(("http://", "https://", "#", "_:", "/"))


def words(value: object) -> list[str]:
    """Keywords: a list, or one string with commas."""
    items = value if isinstance(value, list) else [value]
    found: list[str] = []
    for item in items[:100]:
        text = text_value(item)
        found += text.split(",") if isinstance(item, str) else [text]
    return [w.strip() for w in found if w.strip()]

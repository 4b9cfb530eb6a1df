"""Writing a search: a tree as the text that gives it."""

import re

from ctiscraper.errors import SearchSyntaxError
from ctiscraper.query.parse import parse
from ctiscraper.query.tree import And, FieldName, Node, Not, Or, Phrase, Word

_BARE = re.compile(r"[\w.,@/+-]+")
# What takes a space beside it along, as brackets that hide a dot have one.
_HIDES = r"(?:\.|dot|@|at)?"
_REACHES = re.compile(rf"^{_HIDES}\s?[\[\](){{}}]|[\[\](){{}}]\s?{_HIDES}$", re.IGNORECASE)


def write(node: Node) -> str:
    """Return the text that `parse` makes this tree of."""
    if isinstance(node, And):
        return " ".join(_inside(part) for part in node.parts)
    if isinstance(node, Or):
        return " OR ".join(_inside(part) for part in node.parts)
    if isinstance(node, Not):
        return f"NOT {_inside(node.part)}"
    if isinstance(node, Phrase):
        return f'"{node.text}"'
    if isinstance(node, Word):
        return f"{node.text}*" if node.prefix else node.text
    return written_term(node.name, node.sign, node.value)


def written_term(name: FieldName, sign: str, value: str) -> str:
    """Return a field with its value; quotes that no value can have are left out."""
    value = value.replace('"', "")
    return f"{name}{sign}{value}" if _BARE.fullmatch(value) else f'{name}{sign}"{value}"'


def narrowed(text: str, term: str) -> str:
    """Return a search narrowed by one more field; one with OR stands in parentheses then."""
    if not text.strip():
        return term
    return f"({text}) {term}" if _has_or(text) else f"{text} {term}"


def _has_or(text: str) -> bool:
    """Whether a search is one thing or another as a whole, or may be when it is not valid yet."""
    try:
        return isinstance(parse(text), Or)
    except SearchSyntaxError:
        return "OR" in text


def _inside(node: Node) -> str:
    text = write(node)
    if isinstance(node, And | Or):
        return f"({text})"
    # One space is taken along, two are not.
    return f"  {text}  " if isinstance(node, Word) and _REACHES.search(text) else text

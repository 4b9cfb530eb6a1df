"""Markup inside feeds: inline elements written out, base64 read, relative links resolved."""

import base64
import binascii
import html
import re
from functools import lru_cache
from html.entities import html5
from itertools import islice
from urllib.parse import urljoin, urlsplit

from lxml import etree

from ctiscraper.collect.feed_names import split_tag

_XHTML = "http://www.w3.org/1999/xhtml"
_MAX_ATTRIBUTES = 64
_XLINK = "http://www.w3.org/1999/xlink"
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param"}
    | {"source", "track", "wbr"}
)
_LINKED_NAMES = ("href", "src", "action", "cite", "data", "poster", "longdesc", "background")
_LINKED = f"(?:{'|'.join(_LINKED_NAMES)})"
# Begins with a plain sign and looks back, so that text without it is passed over at once.
_RELATIVE = re.compile(
    rf"=(?<=[{''.join(sorted({name[-1] for name in _LINKED_NAMES}))}]=)(?!\"https?:)"
    rf"(?:{'|'.join(f'(?<=[^a-z-]{name}=)' for name in _LINKED_NAMES)})"
    r"(?:([\"'])\s*(?![a-z][a-z0-9+.\-]*:|#|\1)|(?![a-z][a-z0-9+.\-]*:|[#\"'\s>]))",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[a-zA-Z][^<>=]*=[^<>]*>")
_ATTRIBUTE = re.compile(
    rf"(\s{_LINKED}\s*=\s*)(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE
)
# A reference whose meaning needs no more than the origin of its base.
_ROOTED = re.compile(
    r"/(?![/.])(?:[\w%~!$&'()*+,=:@\-.]|/(?![/.]))*(?:\?[\w%~!$&'()*+,=:@\-./]+)?", re.ASCII
)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*:")
# Signs that open nothing: a parser of HTML would guess, or drop the words up to the next ">".
_AMPERSAND = re.compile(r"&(?!#|[a-zA-Z][a-zA-Z0-9]*;)")
_LEGACY = re.compile("|".join(sorted(name for name in html5 if not name.endswith(";"))))
_ANGLE = re.compile(r"<(?![a-zA-Z/])(?![!?])|<!(?!--|\[CDATA\[|[dD][oO][cC][tT][yY][pP][eE]\b)")
# A link or words that a quick reader of tags would misread: without quotes, or with a tag inside.
_ODD_VALUE = re.compile(
    r"=(?:(?<=\shref=)|(?<=\ssrc=)|(?<=\salt=)|(?<=\stitle=))"
    r"(?:[^\s\"'<>]|\"[^\"<>]*<|'[^'<>]*<)"
)
_VALUED = r"\s+([a-zA-Z_][\w.:\-]*)=(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>][^\s<>]*))"
_VALUED_TAG = re.compile(rf"<([a-zA-Z][a-zA-Z0-9]*)((?:{_VALUED})++)\s*/?>")
_EACH_VALUE = re.compile(_VALUED)
_CLOSING = re.compile(r"/>(?<=[a-zA-Z0-9]/>)")
_CLOSED = re.compile(r"<([a-zA-Z][a-zA-Z0-9]*)/>")


def resolve_link(base: str, reference: str) -> str:
    """The address a reference means; one that has a scheme stays to the letter."""
    reference = reference.strip()
    if not reference or not base or _SCHEME.match(reference) is not None:
        return reference
    try:
        if _ROOTED.fullmatch(reference) is not None and (origin := _origin(base)):
            return origin + reference
        return urljoin(base, reference)
    except ValueError:
        return reference


@lru_cache(maxsize=16)
def _origin(base: str) -> str:
    """Scheme and authority of an http or https address, else empty; raises ValueError."""
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else ""


def resolve_markup(markup: str, base: str) -> str:
    """The markup with the relative links of its tags resolved; text is left alone."""
    if not base or _RELATIVE.search(markup) is None:
        return markup

    def attribute(match: re.Match[str]) -> str:
        value = match[2] or match[3] or match[4] or ""
        plain = html.unescape(value).strip()
        if not plain or plain.startswith("#") or _SCHEME.match(plain) is not None:
            return match[0]
        return f'{match[1]}"{html.escape(resolve_link(base, plain))}"'

    return _TAG.sub(lambda tag: _ATTRIBUTE.sub(attribute, tag[0]), markup)


def tidy_markup(markup: str) -> str:
    """The markup with signs that open nothing escaped and `<br/>` as `<br />`."""
    if "&" in markup:
        markup = _AMPERSAND.sub(_ampersand, markup)
    if _ODD_VALUE.search(markup) is not None:
        markup = _VALUED_TAG.sub(_quoted, markup)
    markup = _ANGLE.sub(lambda match: html.escape(match[0]), markup)
    return _CLOSED.sub(r"<\1 />", markup) if _CLOSING.search(markup) is not None else markup


def _ampersand(match: re.Match[str]) -> str:
    """The sign, escaped unless it starts one of the names that need no semicolon."""
    return "&" if _LEGACY.match(match.string, match.end()) is not None else "&amp;"


def _quoted(tag: re.Match[str]) -> str:
    """A tag that could be misread, written as elements inside a feed are."""
    if _ODD_VALUE.search(tag[0]) is None:
        return tag[0]
    values = (
        (match[1], html.unescape(match[2] or match[3] or match[4] or ""))
        for match in _EACH_VALUE.finditer(tag[2])
    )
    written = "".join(f' {name}="{html.escape(value)}"' for name, value in sorted(values))
    return f"<{tag[1]}{written}{' /' if tag[1].lower() in _VOID else ''}>"


def decode_base64(value: str) -> str:
    """The text that base64 holds, or the value itself when it is none."""
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return value


def inner_markup(element: etree._Element, *, escape: bool = True) -> str:
    """What stands inside an element, as HTML; `escape` False for markup escaped once more."""
    parts = [_text(element.text, escape)]
    for child in element:
        _write(child, parts, namespace=split_tag(str(element.tag))[0], escape=escape)
        parts.append(_text(child.tail, escape))
    return "".join(parts)


def is_wrapper(element: etree._Element) -> bool:
    """True when the element holds one XHTML div and nothing beside it (RFC 4287, 3.1.1.3)."""
    children = list(element)
    return (
        len(children) == 1
        and isinstance(children[0].tag, str)
        and split_tag(children[0].tag)[1] == "div"
        and not (element.text or "").strip()
        and not (children[0].tail or "").strip()
    )


def _text(text: str | None, escape: bool) -> str:
    return html.escape(text or "", quote=False) if escape else text or ""


def _write(element: etree._Element, parts: list[str], *, namespace: str, escape: bool) -> None:
    if not isinstance(element.tag, str):
        return
    own, name = element.tag[1:].rpartition("}")[::2] if element.tag[0] == "{" else ("", element.tag)
    attributes = sorted(_attributes(element, own, namespace))
    written = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes)
    if name.lower() in _VOID:
        parts.append(f"<{name}{written} />")
        return
    parts.append(f"<{name}{written}>{_text(element.text, escape)}")
    for child in element:
        _write(child, parts, namespace=own, escape=escape)
        parts.append(_text(child.tail, escape))
    parts.append(f"</{name}>")


def _attributes(element: etree._Element, own: str, outer: str) -> list[tuple[str, str]]:
    """Attributes as HTML has them, with the namespaces of SVG and MathML kept."""
    kept: list[tuple[str, str]] = []
    if own not in {"", _XHTML, outer}:
        kept.append(("xmlns", own))
    linked = False
    # libxml2 looks an attribute's value up by name: all of n attributes cost n squared
    for key in islice(element.attrib, _MAX_ATTRIBUTES):
        name, value = str(key), element.get(key, "")
        if name[0] != "{":
            kept.append((name, value))
        elif name.startswith(f"{{{_XLINK}}}"):
            kept.append((f"xlink:{name.rpartition('}')[2]}", value))
            linked = True
    return [*kept, ("xmlns:xlink", _XLINK)] if linked else kept

"""What a feed announces, judged: an entry that can be followed, or a bad one with its reason."""

import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import ada_url

from ctiscraper.collect.markup import resolve_link
from ctiscraper.collect.raw_feed import RawEntry, Text
from ctiscraper.collect.xml_text import is_plain
from ctiscraper.dates import parse_date
from ctiscraper.errors import Reason
from ctiscraper.types import BadEntry, FeedEntry

MAX_URL_BYTES = 4096
MAX_WORDS = 1000
MAX_LIST = 64

_ODD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]")
_NEWLINES = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_SURROGATES = range(0xD800, 0xE000)
# Titles speak of <script> and <iframe>: only tags that format words are taken for markup.
_FORMATTING = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|big|br|cite|code|del|div|em|font|h[1-6]|i|img|ins|kbd|li|mark|p|q|s|samp"
    r"|small|span|strike|strong|sub|sup|time|tt|u|ul|var|wbr)(?:\s[^<>]*|/)?>",
    re.IGNORECASE,
)
_MAIL = r"[^\s@<>()\"]+@[^\s@<>()\"]+"
_MAIL_THEN_NAME = re.compile(rf"(?:mailto:)?{_MAIL}\s*\((?P<name>[^()]+)\)")
_NAME_THEN_MAIL = re.compile(rf"(?P<name>[^<>()]+?)\s*[(<]\s*(?:mailto:)?{_MAIL}\s*[)>]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,3}")


def scrub(text: str) -> str:
    """The text that a store can take: no NUL or control but tab and newline, no lone surrogate."""
    if text.isprintable() or ("\r" not in text and is_plain(text)) or _ODD.search(text) is None:
        return text
    return _ODD.sub(_harmless, _NEWLINES.sub("\n", text))


def _harmless(match: re.Match[str]) -> str:
    return "\ufffd" if ord(match[0]) in _SURROGATES else ""


def one_line(text: str, limit: int = MAX_WORDS) -> str:
    """The text on one line, at most `limit` characters."""
    line = " ".join(scrub(text[: limit * 16]).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "\u2026"


def to_line(text: Text) -> str:
    """A title or name as plain text."""
    if text.plain or not ("<" in text.value or "&" in text.value):
        return one_line(text.value)
    return one_line(html.unescape(_FORMATTING.sub("", text.value[: MAX_WORDS * 16])))


def to_markup(text: Text) -> str:
    """A summary or content as markup."""
    value = scrub(text.value)
    return html.escape(value, quote=False) if text.plain else value


def to_author(words: str) -> str:
    """The name in `mail (Name)`, `Name (mail)` or `Name <mail>`; else the words."""
    line = one_line(words, 200)
    if "@" not in line:
        return line
    match = _MAIL_THEN_NAME.fullmatch(line) or _NAME_THEN_MAIL.fullmatch(line)
    return match["name"].strip(" \"'") if match else line


def to_language(words: str) -> str | None:
    """A language tag (BCP 47) in lower case, or None."""
    return words.strip().replace("_", "-").lower() if _LANGUAGE.fullmatch(words.strip()) else None


def judge_url(reference: str, base: str = "") -> tuple[str, Reason | None]:
    """The http or https URL a reference means, or why there is none."""
    if not reference:
        return "", Reason.NO_URL
    reference = scrub(resolve_link(base, reference))
    if not reference:
        return "", Reason.NO_URL
    if len(reference.encode()) > MAX_URL_BYTES:
        return "", Reason.URL_TOO_LONG
    try:
        parsed = ada_url.URL(reference)
    except ValueError:
        return "", Reason.URL_INVALID
    if parsed.protocol not in {"http:", "https:"}:
        return "", Reason.SCHEME_REFUSED
    return (parsed.href, None) if len(parsed.href) <= MAX_URL_BYTES else ("", Reason.URL_TOO_LONG)


def judge_entry(
    raw: RawEntry, *, base: str, authors: Sequence[str], language: str | None, now: datetime
) -> FeedEntry | BadEntry:
    """The entry in neutral form, or a bad one; `authors` and `language` are the feed's.

    The URL is where the entry was first published when a feed proxy says so, else its link,
    else a guid that is an address. The guid is the URL when the feed gives none.
    """
    guid = _guid(raw.guid)
    original, fault = judge_url(raw.original_link)
    url, link_fault = (original, None) if fault is None else judge_url(raw.link, base)
    if link_fault is Reason.NO_URL and guid.lower().startswith(("http://", "https://")):
        url, link_fault = judge_url(guid)
    if link_fault is not None:
        title = to_line(raw.title)
        return BadEntry(
            guid=guid or title, reason=link_fault, detail=one_line(raw.link, 200) or title
        )
    words = one_line(raw.published or raw.updated, 200)
    updated = parse_date(raw.updated, now=now)
    return FeedEntry(
        guid=guid or url,
        url=url,
        title=to_line(raw.title),
        authors=_unique(to_author(name) for name in raw.authors or authors),
        summary=to_markup(raw.summary),
        content=to_markup(raw.content),
        published=(parse_date(words, now=now) if raw.published else None) or updated,
        updated=updated,
        published_raw=words,
        tags=_unique(to_line(Text(tag)) for tag in raw.tags) if raw.tags else (),
        language=to_language(raw.language) or language,
    )


def _guid(words: str) -> str:
    """The guid on one line; one too long to be kept is named by its hash."""
    line = " ".join(scrub(words).split())
    if len(line) <= MAX_WORDS:
        return line
    return f"sha256:{hashlib.sha256(line.encode()).hexdigest()}"


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word))[:MAX_LIST]

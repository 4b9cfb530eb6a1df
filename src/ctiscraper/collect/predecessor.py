"""What the predecessor's rows say, in this program's words."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ctiscraper.collect.source_fields import settings_from_mapping
from ctiscraper.errors import CatalogError
from ctiscraper.types import FeedEntry, SourceSettings

Row = Mapping[str, object]

_TIERS = {1: "premium", 2: "standard", 3: "basic"}
_MARKUP = re.compile(
    r"<(?:p|div|br|h[1-6]|ul|ol|table|article|section|span|a)\b[^>]*>", re.IGNORECASE
)
_LEAST_MINUTES, _MOST_MINUTES = 5, 1440
_LONGEST_NAME = 200
# What the other program counted of its own work, or made of the rest.
_ITS_OWN = frozenset(
    {
        "active",
        "average_response_time",
        "check_frequency",
        "config",
        "consecutive_failures",
        "created_at",
        "id",
        "identifier",
        "last_check",
        "last_success",
        "name",
        "rss_url",
        "success_rate",
        "tier",
        "total_articles",
        "updated_at",
        "url",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmapped:
    """Something that has no place here: of what, its name, and its value as JSON."""

    kind: str
    of: str
    name: str
    value: str


def guid_of(number: int) -> str:
    """Return what an imported article is known by, whatever feed announces it later."""
    return f"ctiscraper-predecessor:{number}"


def read_source(row: Row) -> tuple[SourceSettings, list[Unmapped]]:
    """Return a source as it is collected here, and what of it has no place.

    Raises CatalogError with everything that is wrong in it.
    """
    name = str(row.get("identifier") or row.get("name") or row["id"])
    config = _mapping(row.get("config"))
    left = _Left(name, config)
    mapping: dict[str, object] = {
        "key": _key(name),
        "name": (str(row.get("name") or name).strip() or name)[:_LONGEST_NAME],
        "url": str(row.get("url") or "").strip(),
        "active": bool(row.get("active", True)),
        "tier": _tier(row.get("tier")),
    }
    if feed := str(row.get("rss_url") or "").strip():
        mapping["feed_url"] = feed
    seconds = row.get("check_frequency")
    if isinstance(seconds, int):
        mapping["interval_minutes"] = min(max(seconds // 60, _LEAST_MINUTES), _MOST_MINUTES)
    mapping |= _from_config(left)
    unmapped = left.rest()
    unmapped += [
        Unmapped(kind="source", of=name, name=column, value=_shown(value))
        for column, value in sorted(row.items())
        if column not in _ITS_OWN and value is not None
    ]
    settings = _accepted(mapping, name, unmapped)
    return settings, unmapped


def read_article(row: Row) -> FeedEntry:
    """Return an article as if a feed had announced all of it."""
    text = str(row.get("content") or "")
    return FeedEntry(
        guid=guid_of(_number(row["id"])),
        url=str(row.get("canonical_url") or "").strip(),
        title=str(row.get("title") or ""),
        authors=_words(row.get("authors")),
        tags=_words(row.get("tags")),
        summary=str(row.get("summary") or ""),
        content=text if _MARKUP.search(text) else _paragraphs(text),
        published=_moment(row.get("published_at")),
        published_raw=str(row.get("published_at") or ""),
        updated=_moment(row.get("modified_at")),
    )


class _Left:
    """A configuration of which what is read is taken out."""

    def __init__(self, source: str, config: Mapping[str, object]) -> None:
        self._source = source
        self._config = dict(config)

    def take(self, *path: str) -> object:
        """Return the value at a path, None when there is none."""
        at: dict[str, object] = self._config
        for name in path[:-1]:
            inner = at.get(name)
            if not isinstance(inner, dict):
                return None
            at = inner
        return at.pop(path[-1], None)

    def rest(self) -> list[Unmapped]:
        """Return what nobody took."""
        return [
            Unmapped(kind="source", of=self._source, name=f"config.{name}", value=_shown(value))
            for name, value in sorted(_flat(self._config))
        ]


def _from_config(left: _Left) -> dict[str, object]:
    """Return the settings that a configuration holds; what it does not say is left out."""
    found: dict[str, object] = {}
    for name in ("title", "body", "author", "date"):
        selectors = _words(left.take("extract", f"{name}_selectors"))
        if selectors:
            # All of them in one list of selectors, as CSS has it.
            place = "content" if name == "body" else name
            found[f"selectors.{place}"] = ", ".join(selectors)
    for ours, theirs in (
        ("min_length", ("min_content_length",)),
        ("crawl_delay", ("robots", "crawl_delay")),
        ("requests_per_minute", ("robots", "max_requests_per_minute")),
    ):
        value = left.take(*theirs)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[ours] = value
    words = _words(left.take("title_filter_keywords"))
    if words:
        found["exclude_words"] = list(words)
    if left.take("rss_only") is True:
        found["fetch_pages"] = False
    return found


def _accepted(mapping: dict[str, object], name: str, unmapped: list[Unmapped]) -> SourceSettings:
    """Return settings without the values that may not stand in them.

    Raises CatalogError when those that must be there are wrong.
    """
    kept: dict[str, object] = {
        field: mapping[field] for field in ("key", "name", "url", "active", "tier")
    }
    settings = settings_from_mapping(kept)
    for field, value in mapping.items():
        if field in kept:
            continue
        tried = _with(kept, field, value)
        try:
            settings = settings_from_mapping(tried)
        except CatalogError:
            unmapped.append(Unmapped(kind="source", of=name, name=field, value=_shown(value)))
        else:
            kept = tried
    return settings


def _with(mapping: Mapping[str, object], field: str, value: object) -> dict[str, object]:
    outer, _, inner = field.partition(".")
    if not inner:
        return {**mapping, outer: value}
    held = mapping.get(outer)
    return {**mapping, outer: {**(held if isinstance(held, dict) else {}), inner: value}}


def _key(name: str) -> str:
    """Return the key that is nearest to a name; nothing is left of some."""
    kept = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:64]
    return kept or "imported"


def _tier(value: object) -> str:
    if isinstance(value, str) and value.lower() in _TIERS.values():
        return value.lower()
    return _TIERS.get(value, "standard") if isinstance(value, int) else "standard"


def _words(value: object) -> tuple[str, ...]:
    """Return the texts of a list; some versions keep a list as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return (value,) if isinstance(value, str) and value.strip() else ()
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(word.strip() for word in value if isinstance(word, str) and word.strip())


def _mapping(value: object) -> Mapping[str, object]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {"": value}
    return value if isinstance(value, dict) else {}


def _flat(value: Mapping[str, object], before: str = "") -> list[tuple[str, object]]:
    """Return the leaves of nested mappings that say something."""
    leaves: list[tuple[str, object]] = []
    for name, inner in value.items():
        if isinstance(inner, dict):
            leaves += _flat(inner, f"{before}{name}.")
        elif inner not in (None, "", [], False):
            leaves.append((f"{before}{name}", inner))
    return leaves


def _moment(value: object) -> datetime | None:
    """Return a time; the other program keeps them without a zone and means UTC."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _number(value: object) -> int:
    assert isinstance(value, int), "numbers of rows are whole"
    return value


def _paragraphs(text: str) -> str:
    """Return the markup of a text in which blank lines, or all line ends, part paragraphs."""
    parts = re.split(r"\n\s*\n" if re.search(r"\n\s*\n", text) else r"\n", text)
    return "".join(
        f"<p>{html.escape(part.strip()).replace(chr(10), '<br>')}</p>"
        for part in parts
        if part.strip()
    )


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:500]

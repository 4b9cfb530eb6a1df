"""What a source announced, made ready for the queue: one item for each address."""

import hashlib
from collections.abc import Callable, Sequence

from ctiscraper.collect.allow import is_allowed
from ctiscraper.errors import ParseError, Reason
from ctiscraper.types import Announced, BadEntry, FeedEntry, SourceSettings, host_of

# A feed may hold whole articles; what is kept of one entry is bounded.
MOST_MARKUP = 500_000


def announce(
    settings: SourceSettings,
    entries: Sequence[FeedEntry],
    bad: Sequence[BadEntry],
    url_key: Callable[[str], bytes],
) -> tuple[Announced, ...]:
    """Return every announced item, those that cannot or may not be followed with their reason.

    `url_key` gives equal keys for addresses of one article and raises ParseError for
    addresses that cannot be followed.
    """
    items = [_announced(settings, entry, url_key) for entry in entries]
    items.extend(_refused(settings, item) for item in bad)
    return tuple(items)


def _announced(
    settings: SourceSettings, entry: FeedEntry, url_key: Callable[[str], bytes]
) -> Announced:
    try:
        key = url_key(entry.url)
    except ParseError as error:
        return _refused(
            settings, BadEntry(guid=entry.guid, reason=error.reason, detail=error.detail)
        )
    allowed = not settings.allow or is_allowed(entry.url, settings.allow)
    return Announced(
        url_hash=key,
        guid_hash=_hash(entry.guid or entry.url),
        entry_hash=_hash(*_what_changes(entry)),
        url=entry.url,
        host=host_of(entry.url),
        entry=_bounded(entry),
        state="pending" if allowed else "filtered",
        reason=None if allowed else Reason.URL_NOT_ALLOWED,
        detail="" if allowed else "the address matches none of the source's allow patterns",
    )


def _refused(settings: SourceSettings, item: BadEntry) -> Announced:
    return Announced(
        url_hash=_hash("refused", settings.key, item.guid, item.reason),
        guid_hash=_hash(item.guid),
        entry_hash=_hash(item.guid, item.reason, item.detail),
        url="",
        host="",
        entry=FeedEntry(guid=item.guid, url=""),
        state="failed",
        reason=item.reason,
        detail=item.detail,
    )


def _what_changes(entry: FeedEntry) -> tuple[str, ...]:
    """Return what tells an edited entry from the same one seen again."""
    identity = (entry.guid, entry.url, entry.title)
    if entry.updated is not None:
        return (*identity, entry.updated.isoformat())
    return (*identity, entry.published_raw, entry.summary, entry.content)


def _bounded(entry: FeedEntry) -> FeedEntry:
    if len(entry.content) + len(entry.summary) <= MOST_MARKUP:
        return entry
    return FeedEntry(
        guid=entry.guid,
        url=entry.url,
        title=entry.title,
        authors=entry.authors,
        summary=entry.summary[: MOST_MARKUP // 2],
        content=entry.content[: MOST_MARKUP // 2],
        published=entry.published,
        updated=entry.updated,
        published_raw=entry.published_raw,
        tags=entry.tags,
        language=entry.language,
    )


def _hash(*parts: str) -> bytes:
    """Return a hash that no two different lists of words share."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.digest()

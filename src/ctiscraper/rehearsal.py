"""What other settings of a source would make of its last articles, read from their kept pages."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime

from ctiscraper.collect.allow import is_allowed
from ctiscraper.collect.gates import held_back
from ctiscraper.db.raw import RawStore
from ctiscraper.db.source_past import RecentItem, SourcePast
from ctiscraper.errors import ParseError, Reason, StorageError
from ctiscraper.messages import PageMessage
from ctiscraper.sandbox import Sandbox
from ctiscraper.types import (
    ArticleContent,
    ExtractionHints,
    Page,
    RobotsPolicy,
    Selectors,
    SourceSettings,
)

ITEMS = 10

# What decides where articles are found: no kept page can tell of it, only the site.
AT_THE_SITE = frozenset({"url", "feed_url", "discovery", "selectors.listing"})
# What decides what becomes of a page; all else changes no article.
OF_ARTICLES = frozenset(
    {
        "allow",
        "include_words",
        "exclude_words",
        "min_length",
        "language",
        "fetch_pages",
        "selectors.title",
        "selectors.content",
        "selectors.author",
        "selectors.date",
        "selectors.remove",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An article as settings make it; `reason` says why it would not be kept."""

    title: str = ""
    published: datetime | None = None
    authors: tuple[str, ...] = ()
    language: str | None = None
    text: str = ""
    word_count: int = 0
    method: str = ""
    reason: str | None = None
    detail: str = ""

    @property
    def kept(self) -> bool:
        """Whether it would be kept."""
        return self.reason is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One of the last items, by the settings of now and by those that are tried.

    `state` is how it ended when it was collected; `from_feed` says that no page of it is kept,
    so that the words of its feed were read.
    """

    url: str
    title: str
    state: str
    from_feed: bool
    article_id: int | None
    before: Reading
    after: Reading

    @property
    def same(self) -> bool:
        """Whether nothing about it would change."""
        return self.before == self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What an edit would do, newest item first; nothing was written and no site was asked.

    `at_the_site` are changed settings that only the site can tell of, `elsewhere` those that
    change no article but how it is collected.
    """

    changed: tuple[str, ...]
    at_the_site: tuple[str, ...]
    elsewhere: tuple[str, ...]
    trials: tuple[Trial, ...]

    def count(self, outcome: str) -> int:
        """Return how many items would be newly kept, newly held back, or read otherwise."""
        return sum(_outcome(trial) == outcome for trial in self.trials)


_Cache = dict[tuple[object, ...], Reading]


class Rehearsals:
    """Reads kept pages again under other settings, in the sandbox; writes nothing."""

    def __init__(
        self,
        past: SourcePast,
        raw: RawStore,
        sandbox: Sandbox,
        clock: Callable[[], datetime],
    ) -> None:
        self._past = past
        self._raw = raw
        self._sandbox = sandbox
        self._clock = clock

    async def rehearse(
        self, before: SourceSettings, after: SourceSettings, *, items: int = ITEMS
    ) -> Rehearsal:
        """Return what `after` would make of the last items of a source that has `before`.

        Raises NotFoundError.
        """
        changed = changed_settings(before, after)
        recent = await self._past.recent(before.key, items)
        return Rehearsal(
            changed=changed,
            at_the_site=tuple(name for name in changed if name in AT_THE_SITE),
            elsewhere=tuple(name for name in changed if name not in AT_THE_SITE | OF_ARTICLES),
            trials=tuple([await self._try(item, before, after) for item in recent]),
        )

    async def _try(self, item: RecentItem, before: SourceSettings, after: SourceSettings) -> Trial:
        page = await self._page(item)
        known: _Cache = {}
        was = await self._read(item, page, before, known)
        now = await self._read(item, page, after, known)
        return Trial(
            url=item.url,
            title=was.title or now.title or item.entry.title,
            state=item.state,
            from_feed=page is None,
            article_id=item.article_id,
            before=was,
            after=now,
        )

    async def _page(self, item: RecentItem) -> Page | None:
        """Return the kept page of an item, None when there is none or its bytes are away."""
        if item.page is None:
            return None
        try:
            body = await asyncio.to_thread(self._raw.get, item.page.sha256)
        except StorageError:
            body = None
        if body is None:
            return None
        return Page(
            url=item.url,
            final_url=item.page.url,
            status=200,
            headers={"content-type": item.page.content_type},
            body=body,
            fetched_at=item.page.fetched_at,
        )

    async def _read(
        self, item: RecentItem, page: Page | None, settings: SourceSettings, known: _Cache
    ) -> Reading:
        """Return an item as settings make it; what two settings read alike is read once."""
        if not is_allowed(item.url, settings.allow):
            return Reading(
                title=item.entry.title,
                reason=Reason.URL_NOT_ALLOWED,
                detail="the address matches none of the source's allow patterns",
            )
        used = page if settings.fetch_pages else None
        selectors = replace(settings.selectors, listing="")
        alike = (used is None, selectors, settings.language)
        if alike not in known:
            known[alike] = await self._extract(item, used, selectors, settings.language)
        read = known[alike]
        return read if read.reason is not None else _gated(settings, read)

    async def _extract(
        self, item: RecentItem, page: Page | None, selectors: Selectors, language: str | None
    ) -> Reading:
        message = PageMessage(
            body=page.body if page else None,
            url=page.final_url if page else item.url,
            hints=ExtractionHints(
                content_type=page.headers["content-type"] if page else "",
                selectors=selectors,
                language=language,
                entry=item.entry,
                fetched_at=page.fetched_at if page else self._clock(),
            ),
        )
        try:
            content = await self._sandbox.ask("article", message, ArticleContent)
        except ParseError as error:
            return Reading(title=item.entry.title, reason=error.reason, detail=error.detail)
        return Reading(
            title=content.title,
            published=content.published,
            authors=content.authors,
            language=content.language,
            text=content.text,
            word_count=content.word_count,
            method=content.method,
        )


def changed_settings(before: SourceSettings, after: SourceSettings) -> tuple[str, ...]:
    """Return the names of the settings that differ, those inside others as `selectors.title`."""
    was, now = _flat(before), _flat(after)
    return tuple(name for name in was if was[name] != now[name])


def _flat(settings: SourceSettings) -> Mapping[str, object]:
    flat: dict[str, object] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, RobotsPolicy | Selectors):
            inner = {name.name: getattr(value, name.name) for name in fields(value)}
            flat |= {f"{field.name}.{name}": part for name, part in inner.items()}
        else:
            flat[field.name] = value
    return flat


def _gated(settings: SourceSettings, read: Reading) -> Reading:
    """Return a reading with what the gates of these settings say of it."""
    content = ArticleContent(title=read.title, text=read.text, html="", url="", canonical_url="")
    held = held_back(settings, content)
    return read if held is None else replace(read, reason=held[0], detail=held[1])


def _outcome(trial: Trial) -> str:
    if trial.before.kept != trial.after.kept:
        return "kept" if trial.after.kept else "held"
    return "same" if trial.same else "changed"

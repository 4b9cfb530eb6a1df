"""A look at a source before it is one: its feed, its newest articles, its manners and its like."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from ctiscraper.collect.allow import is_allowed
from ctiscraper.collect.candidates import FeedCandidate
from ctiscraper.collect.catalog import default_catalog
from ctiscraper.collect.fetch import Fetcher
from ctiscraper.collect.find import Finder, Found
from ctiscraper.collect.gates import held_back
from ctiscraper.collect.html_page import site_of
from ctiscraper.collect.manners import Manners
from ctiscraper.collect.standing import items_per_day
from ctiscraper.db.source_past import SourcePast
from ctiscraper.errors import FetchError, ParseError, Reason, Scope
from ctiscraper.extract.urls import url_key
from ctiscraper.messages import PageMessage
from ctiscraper.sandbox import Sandbox
from ctiscraper.types import (
    ArticleContent,
    Discovery,
    ExtractionHints,
    FeedEntry,
    Page,
    ParsedFeed,
    Source,
    SourceSettings,
    Tier,
    host_of,
)

SAMPLES = 5
EXCERPT = 400

# A source that publishes more a day than this tells of everything, as news sites do.
_MUCH_A_DAY = 15.0
_LONG_SILENT = timedelta(days=180)
# Of so many of its newest addresses it is asked who has them already.
_COMPARED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One article as it would be kept; `reason` says why it would not be, or not from its page."""

    url: str
    title: str
    published: datetime | None = None
    method: str = ""
    word_count: int = 0
    excerpt: str = ""
    reason: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """A source that there is already and that is much like the one looked at.

    `shared` of the addresses that this one announces are announced by that one too;
    `same_site` says that both are of one site.
    """

    key: str
    name: str
    shared: int
    same_site: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TierProposal:
    """A tier that fits, and why."""

    tier: Tier
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a source would bring, asked for now and kept nowhere.

    `settings` are as they would be saved. `announced` counts its entries, `passed` those that its
    URL patterns let through, `bad` those that cannot be followed.
    `others` are further feeds that the site names, `alike` sources that are collected already.
    """

    settings: SourceSettings
    title: str
    kind: str
    announced: int
    passed: int
    bad: int
    requests: int
    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()
    items_per_day: float | None = None
    newest_at: datetime | None = None
    tier: TierProposal | None = None
    robots: Manners | None = None
    others: tuple[FeedCandidate, ...] = ()
    alike: tuple[Alike, ...] = ()


class Scout:
    """Looks at sources as politely as a check does, and keeps nothing of what it sees."""

    def __init__(
        self,
        *,
        finder: Finder,
        fetcher: Fetcher,
        sandbox: Sandbox,
        past: SourcePast,
        clock: Callable[[], datetime],
    ) -> None:
        self._finder = finder
        self._fetcher = fetcher
        self._sandbox = sandbox
        self._past = past
        self._clock = clock

    async def look(
        self, settings: SourceSettings, others: Sequence[SourceSettings], *, samples: int = SAMPLES
    ) -> AsyncIterator[str | Preview]:
        """Yield what is being done, in words, and at last what was seen.

        Raises FetchError and ParseError when the source itself does not answer.
        """
        yield f"Asking {host_of(settings.feed_url or settings.url)}, by its robots.txt."
        found = await self._find(settings)
        settings = _settled(settings, found)
        feed = found.feed or ParsedFeed(kind="")
        passed = [entry for entry in feed.entries if is_allowed(entry.url, settings.allow)]
        chosen = _newest(passed)[:samples]
        yield (
            f"Found {len(feed.entries):,} entries by its {settings.discovery}, "
            f"with {found.requests} {'request' if found.requests == 1 else 'requests'}."
        )
        shown = []
        for number, entry in enumerate(chosen, 1):
            yield f"Reading article {number} of {len(chosen)}: {entry.title or entry.url}"
            shown.append(await self._sample(settings, entry))
        now = self._clock()
        dates = [entry.published for entry in feed.entries if entry.published]
        rate, newest = items_per_day(dates, now), max(dates, default=None)
        yield Preview(
            settings=settings,
            title=feed.title,
            kind=feed.kind,
            announced=len(feed.entries),
            passed=len(passed),
            bad=len(feed.bad),
            requests=found.requests,
            samples=tuple(shown),
            warnings=feed.warnings,
            items_per_day=rate,
            newest_at=newest,
            tier=propose_tier(settings, rate, newest, now),
            robots=await self._fetcher.manners(settings, settings.feed_url or settings.url),
            others=found.others,
            alike=await self._alike(settings, passed, others),
        )

    async def _alike(
        self,
        settings: SourceSettings,
        entries: Sequence[FeedEntry],
        others: Sequence[SourceSettings],
    ) -> tuple[Alike, ...]:
        """Return the sources that announce the same, or are of the same site."""
        shared = await self._past.collected(_url_keys(entries[:_COMPARED]))
        site = site_of(host_of(settings.url))
        found = [
            Alike(
                key=other.key,
                name=other.name,
                shared=shared.get(other.key, 0),
                same_site=site_of(host_of(other.url)) == site,
            )
            for other in others
            if other.key != settings.key
        ]
        like = [one for one in found if one.shared or one.same_site]
        return tuple(sorted(like, key=lambda one: (-one.shared, one.key))[:10])

    async def _find(self, settings: SourceSettings) -> Found:
        """Ask a source what it has; a site that names no feed is tried as a listing."""
        source = Source(id=0, settings=settings)
        try:
            return await self._finder.find(source)
        except (FetchError, ParseError) as error:
            if settings.feed_url is not None or not _has_no_feed(settings, error):
                raise
            first = error
        try:
            listing = replace(source, settings=replace(settings, discovery=Discovery.LISTING))
            return replace(await self._finder.find(listing), discovery=Discovery.LISTING)
        except (FetchError, ParseError) as error:
            raise first from error

    async def _sample(self, settings: SourceSettings, entry: FeedEntry) -> Sample:
        """Return one article as it would be kept, or why it would not."""
        try:
            page = await self._fetcher.fetch_page(settings, entry.url)
            content = await self._read(settings, entry, page)
        except (FetchError, ParseError) as error:
            return _from_feed(entry, error)
        held = held_back(settings, content)
        return Sample(
            url=content.canonical_url or content.url,
            title=content.title,
            published=content.published,
            method=content.method,
            word_count=content.word_count,
            excerpt=content.text[:EXCERPT],
            reason=held[0] if held else None,
            detail=held[1] if held else "",
        )

    async def _read(self, settings: SourceSettings, entry: FeedEntry, page: Page) -> ArticleContent:
        hints = ExtractionHints(
            content_type=page.headers.get("content-type", ""),
            selectors=settings.selectors,
            language=settings.language,
            entry=entry,
            fetched_at=page.fetched_at,
        )
        message = PageMessage(body=page.body, url=page.final_url, hints=hints)
        return await self._sandbox.ask("article", message, ArticleContent)


def _has_no_feed(settings: SourceSettings, error: FetchError | ParseError) -> bool:
    """Return whether a site names no feed that works, be it that another host has failed."""
    if isinstance(error, ParseError):
        return error.reason is Reason.NOT_A_FEED
    elsewhere = host_of(error.url) not in {"", host_of(settings.url)}
    return error.scope is Scope.HOST and elsewhere and not error.answered


def propose_tier(
    settings: SourceSettings, rate: float | None, newest: datetime | None, now: datetime
) -> TierProposal:
    """Return the tier that fits a source: that of the bundled catalogue, else by its rhythm."""
    known = _catalogue_tiers().get(bare_host(settings.url))
    if known is not None:
        return TierProposal(tier=known, words="as the bundled catalogue has it")
    if newest is None or now - newest > _LONG_SILENT:
        return TierProposal(tier=Tier.BASIC, words="it has not published in half a year")
    if rate is not None and rate > _MUCH_A_DAY:
        return TierProposal(tier=Tier.BASIC, words="it publishes much, as news sites do")
    return TierProposal(tier=Tier.STANDARD, words="it publishes at a usual pace")


@cache
def _catalogue_tiers() -> Mapping[str, Tier]:
    return {bare_host(source.url): source.tier for source in default_catalog()}


def bare_host(url: str) -> str:
    """Return the host of a URL without its www, empty for what has none."""
    try:
        host = host_of(url)
    except ValueError:
        return ""
    return host.removeprefix("www.")


def _url_keys(entries: Sequence[FeedEntry]) -> list[bytes]:
    keys = []
    for entry in entries:
        try:
            keys.append(url_key(entry.url))
        except ParseError:
            continue
    return keys


def _settled(settings: SourceSettings, found: Found) -> SourceSettings:
    """Return the settings with what was found out: where the feed is, and its own name."""
    title = found.feed.title.strip()[:200] if found.feed else ""
    if title and settings.name == bare_host(settings.url):
        settings = replace(settings, name=title)
    if settings.discovery is Discovery.FEED and settings.feed_url is None:
        return replace(settings, discovery=found.discovery, feed_url=found.feed_url)
    return settings


def _newest(entries: Sequence[FeedEntry]) -> list[FeedEntry]:
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(entries, key=lambda entry: entry.published or oldest, reverse=True)


def _from_feed(entry: FeedEntry, error: FetchError | ParseError) -> Sample:
    has_text = bool(entry.content or entry.summary)
    return Sample(
        url=entry.url,
        title=entry.title,
        published=entry.published,
        method="feed" if has_text else "",
        reason=error.reason,
        detail=f"{error.detail}; the feed's own text would be kept" if has_text else error.detail,
    )

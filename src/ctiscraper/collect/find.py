"""What is new at a source: its feed, its sitemap or its listing page, asked once."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urljoin

from ctiscraper.collect.candidates import FeedCandidate
from ctiscraper.collect.feed_search import FeedSearch, no_announcements
from ctiscraper.collect.fetch import Fetcher
from ctiscraper.collect.sitemap_types import Sitemap
from ctiscraper.errors import FetchError, ParseError, Reason, Scope
from ctiscraper.messages import FeedMessage, ListingMessage, SitemapMessage
from ctiscraper.sandbox import Sandbox, Value
from ctiscraper.types import (
    BadEntry,
    Discovery,
    FeedEntry,
    Page,
    ParsedFeed,
    Source,
    SourceSettings,
    Validators,
    host_of,
)

# Newest first: an index of a large site may name hundreds of sitemaps.
MOST_SITEMAPS = 5
MOST_NOTES = 5
# How many places a feed is looked for before a site is said to have none.
MOST_CANDIDATES = 8
# What a site says of itself; all else is a guess.
_NAMED = frozenset({"link", "anchor", "robots"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a source said: `feed` is None when nothing changed since the last look.

    `sha` is the hash of the body that was judged; `feed_url` the feed or sitemap that a site's
    page named, `discovery` which of the two it is, `others` the further ones that it named. `fault`
    is what a host failed with that gave nothing of this, or no more.
    """

    page: Page
    feed: ParsedFeed | None
    sha: bytes | None
    requests: int
    feed_url: str | None = None
    discovery: Discovery = Discovery.FEED
    others: tuple[FeedCandidate, ...] = ()
    fault: FetchError | None = None


class Finder:
    """Asks a source what is new, in the way its settings say."""

    def __init__(self, fetcher: Fetcher, sandbox: Sandbox) -> None:
        self._fetcher = fetcher
        self._sandbox = sandbox

    async def find(self, source: Source) -> Found:
        """Return what a source announces. Raises FetchError and ParseError."""
        settings = source.settings
        if settings.discovery is Discovery.SITEMAP:
            return await self._sitemap(source)
        if settings.discovery is Discovery.LISTING:
            return await self._listing(source)
        if settings.feed_url is None:
            return await self.discover(settings)
        page = await self._fetcher.fetch_feed(settings, settings.feed_url, source.validators)
        unchanged = _unchanged(page, source.validators)
        return unchanged or await self._read_feed(page)

    async def discover(self, settings: SourceSettings) -> Found:
        """Return the feed of an address: the address itself, or one that its page names.

        Raises ParseError with what was tried when there is none.
        """
        page = await self._fetcher.fetch_feed(settings, settings.url, Validators())
        try:
            found = await self._read_feed(page)
        except ParseError as error:
            if error.reason is not Reason.NOT_A_FEED:
                raise
        else:
            return replace(found, feed_url=page.final_url)
        message = FeedMessage(
            body=page.body, url=page.final_url, content_type=page.headers.get("content-type", "")
        )
        candidates = await self._read(page, "candidates", message, list[FeedCandidate])
        return await self._first_that_works(settings, page, _likeliest(candidates))

    async def _first_that_works(
        self, settings: SourceSettings, page: Page, candidates: Sequence[FeedCandidate]
    ) -> Found:
        search = FeedSearch(page)
        for candidate in candidates:
            if search.passes_over(candidate):
                continue
            try:
                found = await self._read_candidate(settings, candidate)
            except (FetchError, ParseError) as error:
                search.miss(candidate, error)
                continue
            others = tuple(
                other
                for other in candidates
                if other.found in _NAMED and other.url not in {candidate.url, found.feed_url}
            )
            return replace(
                found,
                requests=search.requests + found.requests,
                others=others,
                fault=found.fault or search.fault_beside(found.page),
            )
        raise search.failure()

    async def _read_candidate(self, settings: SourceSettings, candidate: FeedCandidate) -> Found:
        """Return what a candidate holds. Raises for one that is no feed and no list of pages."""
        page = await self._fetcher.fetch_site(settings, candidate.url, Validators())
        if candidate.discovery is Discovery.FEED:
            found = await self._read_feed(page)
        else:
            found = await self._read_sitemap(settings, page)
            if found.feed is not None and not found.feed.entries:
                raise no_announcements(Reason.FEED_EMPTY, "names no pages", found.requests)
        return replace(found, feed_url=page.final_url, discovery=candidate.discovery)

    async def _read_feed(self, page: Page) -> Found:
        message = FeedMessage(
            body=page.body,
            url=page.final_url,
            content_type=page.headers.get("content-type", ""),
            now=page.fetched_at,
        )
        feed = await self._read(page, "feed", message, ParsedFeed)
        return Found(page=page, feed=feed, sha=_sha(page), requests=page.requests)

    async def _read(self, page: Page, step: str, message: object, kind: type[Value]) -> Value:
        """Return what an answer holds. Raises ParseError with the requests that it took."""
        try:
            return await self._sandbox.ask(step, message, kind)
        except ParseError as error:
            error.requests = page.requests
            raise

    async def _sitemap(self, source: Source) -> Found:
        settings = source.settings
        url = settings.feed_url or urljoin(settings.url, "/sitemap.xml")
        page = await self._fetcher.fetch_site(settings, url, source.validators)
        if (unchanged := _unchanged(page, source.validators)) is not None:
            return unchanged
        return await self._read_sitemap(settings, page)

    async def _read_sitemap(self, settings: SourceSettings, page: Page) -> Found:
        """Return the pages a sitemap names, with those of the newest sitemaps it names."""
        sitemap = await self._read(page, "sitemap", _sitemap_message(page), Sitemap)
        read = _ReadSitemaps(page, sitemap)
        while read.left and read.asked < MOST_SITEMAPS:
            await self._read_part(settings, read)
        if read.faults and not read.entries:
            worst = read.worst()
            worst.requests = read.requests
            raise worst
        feed = ParsedFeed(
            kind="sitemap",
            entries=tuple(read.entries),
            bad=tuple(read.bad),
            truncated=read.truncated,
            warnings=tuple(read.notes()),
        )
        if not read.asked and not sitemap.broken_off:
            return Found(page=page, feed=feed, sha=_sha(page), requests=read.requests)
        # An index may stand still while what it names changes, and what broke off may be whole the
        # next time: both are read in full each time.
        page = replace(page, headers=_without_validators(page))
        return Found(page=page, feed=feed, sha=None, requests=read.requests, fault=read.host_fault)

    async def _read_part(self, settings: SourceSettings, read: "_ReadSitemaps") -> None:
        """Read the next sitemap that an index names; one that cannot be had costs itself alone.

        A host that fails is asked for no further one. Raises FetchError where we ourselves are
        away.
        """
        url = read.next()
        try:
            answer = await self._fetcher.fetch_site(settings, url, Validators())
            read.requests += answer.requests
            read.answered.add(host_of(answer.final_url))
            part = await self._sandbox.ask("sitemap", _sitemap_message(answer), Sitemap)
        except FetchError as error:
            read.requests += error.requests
            if error.scope is Scope.OURS:
                error.requests = read.requests
                raise
            read.miss(url, error)
        except ParseError as error:
            read.miss(url, error)
        else:
            read.take(url, part)

    async def _listing(self, source: Source) -> Found:
        settings = source.settings
        page = await self._fetcher.fetch_site(settings, settings.url, source.validators)
        if (unchanged := _unchanged(page, source.validators)) is not None:
            return unchanged
        message = ListingMessage(
            body=page.body,
            url=page.final_url,
            selector=settings.selectors.listing,
            content_type=page.headers.get("content-type", ""),
            now=page.fetched_at,
        )
        entries = await self._read(page, "listing", message, list[FeedEntry])
        if not entries:
            by = f" by {settings.selectors.listing!r}" if settings.selectors.listing else ""
            told = f"no article links on {page.final_url}{by}"
            raise no_announcements(Reason.FEED_EMPTY, told, page.requests)
        return Found(
            page=page,
            feed=ParsedFeed(kind="listing", entries=tuple(entries)),
            sha=_sha(page),
            requests=page.requests,
        )


def _sitemap_message(page: Page) -> SitemapMessage:
    return SitemapMessage(body=page.body, url=page.final_url, now=page.fetched_at)


class _ReadSitemaps:
    """What was read of an index so far, and which of the sitemaps that it names are left."""

    def __init__(self, page: Page, first: Sitemap) -> None:
        self.entries, self.bad = list(first.entries), list(first.bad)
        self.left = list(first.children)
        self.shortened = first.truncated
        self._passed: list[str] = []
        self.requests, self.asked = page.requests, 0
        # Hosts that gave what was asked for, or said that they have it no more.
        self.answered = {host_of(page.final_url)}
        self.faults: list[FetchError | ParseError] = []
        self.host_fault: FetchError | None = None
        self._known = set(first.children)
        self._note_end(page.final_url, first)

    def next(self) -> str:
        """Return the address of the sitemap that comes next."""
        self.asked += 1
        return self.left.pop(0)

    def take(self, url: str, part: Sitemap) -> None:
        """Add a sitemap; those that it names itself come next."""
        self.entries.extend(part.entries)
        self.bad.extend(part.bad)
        self.shortened = self.shortened or part.truncated
        self._note_end(url, part)
        more = [url for url in part.children if url not in self._known]
        self._known.update(more)
        self.left[:0] = more

    def _note_end(self, url: str, part: Sitemap) -> None:
        if part.broken_off:
            self._passed.append(f"{url} breaks off: what it names after that is not known")

    @property
    def truncated(self) -> bool:
        """Whether more is named than was read."""
        return bool(self.shortened or self.left or self._passed)

    def notes(self) -> Iterator[str]:
        """Yield what was passed over, in words."""
        if not self.entries:
            yield "the sitemap names nothing"
        if self.shortened:
            yield f"only the newest pages of a sitemap are read, {len(self.entries)} in all"
        if self.left:
            yield f"{MOST_SITEMAPS} sitemaps are read at a time, {len(self.left)} were left out"
        yield from self._passed[:MOST_NOTES]

    def worst(self) -> FetchError | ParseError:
        """Return what says most of why nothing could be read: a host, then what may pass."""
        passing = (fault for fault in self.faults if fault.transient)
        return self.host_fault or next(passing, self.faults[0])

    def miss(self, url: str, error: FetchError | ParseError) -> None:
        """Account for a sitemap that could not be read."""
        self.faults.append(error)
        if isinstance(error, FetchError):
            self._account(host_of(error.url or url), error)
        if error.transient:
            # The next look may have it: that is no fault of what is announced.
            self._passed.append(f"{url} could not be read this time: {error.detail[:200]}")
            return
        self.bad.append(BadEntry(guid=url, reason=error.reason, detail=error.detail[:200]))

    def _account(self, host: str, error: FetchError) -> None:
        """Hold what a host failed with, or that it answered, be it that it has no such sitemap."""
        if error.scope is Scope.HOST:
            error.answered = host in self.answered
            self.host_fault = error
            self.left.clear()
        elif error.status is not None:
            self.answered.add(host)


def _unchanged(page: Page, held: Validators) -> Found | None:
    if page.not_modified:
        return Found(page=page, feed=None, sha=held.body_sha256, requests=page.requests)
    sha = _sha(page)
    if sha == held.body_sha256:
        return Found(page=page, feed=None, sha=sha, requests=page.requests)
    return None


def _sha(page: Page) -> bytes:
    return hashlib.sha256(page.body).digest()


def _likeliest(candidates: Sequence[FeedCandidate]) -> list[FeedCandidate]:
    """Return the feeds to ask for, the best first, then the sitemaps."""
    feeds = [one for one in candidates if one.discovery is Discovery.FEED]
    sitemaps = [one for one in candidates if one.discovery is Discovery.SITEMAP]
    return feeds[:MOST_CANDIDATES] + sitemaps[:MOST_SITEMAPS]


def _without_validators(page: Page) -> dict[str, str]:
    return {
        name: value for name, value in page.headers.items() if name not in {"etag", "last-modified"}
    }

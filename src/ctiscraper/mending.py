"""Fixes for a source in trouble: only those that were tried at its site, and work."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ctiscraper.collect.find import Finder, Found
from ctiscraper.db.source_past import RecentItem, SourcePast
from ctiscraper.errors import CatalogError, FetchError, ParseError, Reason, Scope
from ctiscraper.sourcing import edited
from ctiscraper.types import Discovery, FeedEntry, Health, Source, SourceSettings

_CHANGEABLE = frozenset({"url", "feed_url", "discovery", "fetch_pages"})
# Of so many of the last items the pages were looked at, and so many refused ones are a pattern.
_LOOKED_AT, _REFUSED = 10, 3
_REFUSALS = frozenset({Reason.FORBIDDEN, Reason.UNAUTHORIZED, Reason.ROBOTS_DISALLOWED})
_OF_THE_NAME = frozenset(
    {Reason.DNS, Reason.CONNECT, Reason.TLS_WRONG_HOST, Reason.TLS_EXPIRED, Reason.TLS}
)

_WORDS = {
    "moved": "The feed has moved for good: its host redirects to another address.",
    "announced": "The site announces another feed.",
    "sitemap": "The site has a sitemap; say by allow patterns which of its pages are articles.",
    "listing": "The site's page lists its articles as links.",
    "name": "The site answers under a sister name, with a certificate that is for it.",
    "https": "The site answers over https.",
    "feed text": "The site refuses its pages to this program; its feed carries text of its own.",
}

_TRYING = {
    "moved": "Trying the address that its feed has moved to.",
    "announced": "Looking for another feed or sitemap that the site announces.",
    "sitemap": "Trying its sitemap.",
    "listing": "Trying the links on its page.",
    "name": "Trying a sister name of the site.",
    "https": "Trying the site over https.",
    "feed text": "Looking whether its feed carries text of its own.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change of settings that was tried and works, with what it would bring."""

    kind: str
    words: str
    changes: Mapping[str, object]
    entries: int
    newest_at: datetime | None
    newest: tuple[str, ...]
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A change that was tried and does not work, with what stood in its way."""

    kind: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was tried for a source: what works, the likeliest first, and what does not."""

    proposals: tuple[Proposal, ...]
    tried: tuple[Tried, ...]


@dataclass(frozen=True, slots=True)
class _Idea:
    kind: str
    changes: Mapping[str, object]


class Mending:
    """Tries fixes at the sites of sources, as politely as a check, and writes nothing."""

    def __init__(self, finder: Finder, past: SourcePast) -> None:
        self._finder = finder
        self._past = past

    async def diagnose(self, source: Source) -> Diagnosis:
        """Return what would mend a source. Raises FetchError when we ourselves are offline."""
        found = Diagnosis(proposals=(), tried=())
        async for step in self.diagnosing(source):
            if isinstance(step, Diagnosis):
                found = step
        return found

    async def diagnosing(self, source: Source) -> AsyncIterator[str | Diagnosis]:
        """Yield what is tried, in words, and at last what would mend a source.

        Raises FetchError when we ourselves are offline.
        """
        recent = await self._past.recent(source.settings.key, _LOOKED_AT)
        proposals: dict[tuple[str, str], Proposal] = {}
        tried: list[Tried] = []
        for idea in _ideas(source, recent):
            yield _TRYING[idea.kind]
            try:
                place, proposal = await self._try(source.settings, idea)
            except (CatalogError, FetchError, ParseError) as error:
                if isinstance(error, FetchError) and error.scope is Scope.OURS:
                    raise
                tried.append(_tried(idea.kind, error))
            else:
                proposals.setdefault(place, proposal)
        yield Diagnosis(proposals=tuple(proposals.values()), tried=tuple(tried))

    async def confirm(self, source: Source, changes: Mapping[str, object]) -> SourceSettings:
        """Return the settings with a fix, tried once more.

        Raises CatalogError for what is no fix, FetchError and ParseError when it works no more.
        """
        if wrong := sorted(changes.keys() - _CHANGEABLE):
            raise CatalogError([f"{', '.join(wrong)}: no fix changes this; edit the source"])
        settings = edited(source.settings, changes)
        await self._try(source.settings, _Idea("announced", changes))
        return settings

    async def _try(self, settings: SourceSettings, idea: _Idea) -> tuple[tuple[str, str], Proposal]:
        """Return what a change leads to, and what it would bring. Raises when it does not work."""
        changed = edited(settings, idea.changes)
        found = await self._finder.find(Source(id=0, settings=changed))
        entries = _entries(found)
        if not entries:
            raise ParseError(Reason.FEED_EMPTY, "it announces nothing")
        if not changed.fetch_pages and not any(e.content or e.summary for e in entries):
            raise ParseError(Reason.FEED_EMPTY, "its entries carry no text")
        changes = dict(idea.changes)
        kind = idea.kind
        if found.feed_url is not None and changed.feed_url is None:
            changes |= {"feed_url": found.feed_url, "discovery": found.discovery.value}
            kind = "sitemap" if found.discovery is Discovery.SITEMAP else kind
        if not _differs(settings, changes):
            raise ParseError(Reason.FEED_EMPTY, "it leads to the address that is asked already")
        newest = sorted(entries, key=_when, reverse=True)
        way = edited(settings, changes)
        place = (found.page.final_url, f"{way.discovery} {way.fetch_pages}")
        return place, Proposal(
            kind=kind,
            words=_WORDS[kind],
            changes=changes,
            entries=len(entries),
            newest_at=newest[0].published,
            newest=tuple(entry.title or entry.url for entry in newest[:3]),
            requests=found.requests,
        )


def _tried(kind: str, error: CatalogError | FetchError | ParseError) -> Tried:
    if isinstance(error, CatalogError):
        return Tried(kind=kind, reason=Reason.URL_INVALID, detail="; ".join(error.problems))
    return Tried(kind=kind, reason=error.reason, detail=error.detail)


def _ideas(source: Source, recent: tuple[RecentItem, ...]) -> Iterator[_Idea]:
    """What may mend a source, the likeliest first; none for what is our own fault."""
    settings = source.settings
    if source.moved_to is not None and source.moved_to != settings.feed_url:
        yield _Idea("moved", {"feed_url": source.moved_to})
    refused = sum(item.reason in _REFUSALS for item in recent)
    if settings.fetch_pages and refused >= _REFUSED:
        yield _Idea("feed text", {"fetch_pages": False})
    if source.health in {Health.OK, Health.OFFLINE}:
        return
    if source.reason in _OF_THE_NAME:
        yield from _under_another_name(settings)
    yield _Idea("announced", {"feed_url": None, "discovery": None})
    if settings.discovery is not Discovery.SITEMAP:
        yield _Idea("sitemap", {"feed_url": None, "discovery": Discovery.SITEMAP.value})
    if settings.discovery is not Discovery.LISTING:
        yield _Idea("listing", {"feed_url": None, "discovery": Discovery.LISTING.value})


def _under_another_name(settings: SourceSettings) -> Iterator[_Idea]:
    """The site with or without www, and over https; never with less protection than before."""
    addresses = {"url": settings.url}
    if settings.feed_url is not None:
        addresses["feed_url"] = settings.feed_url
    if settings.url.startswith("http:"):
        yield _Idea("https", {name: _secured(url) for name, url in addresses.items()})
    yield _Idea("name", {name: _sister(url) for name, url in addresses.items()})


def _secured(url: str) -> str:
    return f"https:{url.removeprefix('http:')}" if url.startswith("http:") else url


def _sister(url: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc
    sister = place.removeprefix("www.") if place.startswith("www.") else f"www.{place}"
    return parts._replace(netloc=sister).geturl()


def _entries(found: Found) -> tuple[FeedEntry, ...]:
    return found.feed.entries if found.feed is not None else ()


def _differs(settings: SourceSettings, changes: Mapping[str, object]) -> bool:
    """Whether a fix leaves the source anything but as it is."""
    return edited(settings, changes) != settings


def _when(entry: FeedEntry) -> datetime:
    return entry.published or datetime.min.replace(tzinfo=UTC)

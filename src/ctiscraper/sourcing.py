"""How sources come, are looked at before they do, and leave in files: for every door alike."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import yaml

from ctiscraper.collect.allow import is_allowed
from ctiscraper.collect.catalog import (
    dump_catalog,
    load_catalog,
    settings_from_mapping,
    settings_to_mapping,
)
from ctiscraper.collect.fetch import Fetcher
from ctiscraper.collect.find import Finder, Found
from ctiscraper.collect.gates import held_back
from ctiscraper.collect.opml import BadRow, OpmlFeed, make_key, parse_opml, write_opml
from ctiscraper.db.sources import Sources, checked_url
from ctiscraper.errors import CatalogError, ConflictError, FetchError, ParseError, Reason
from ctiscraper.messages import PageMessage
from ctiscraper.sandbox import Sandbox
from ctiscraper.types import (
    ArticleContent,
    Discovery,
    ExtractionHints,
    FeedEntry,
    Page,
    Source,
    SourceSettings,
    host_of,
)

SAMPLES = 5
EXCERPT = 400

_MANY_KEYS = 1000


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
class Preview:
    """What a source would bring, asked for now and kept nowhere.

    `settings` are as they would be saved. `announced` counts its entries, `passed` those that its
    URL patterns let through, `bad` those that cannot be followed.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """What became, or would become, of one row: added, known or bad."""

    row: int
    key: str
    name: str
    url: str
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of an import file, row by row; a dry run changes nothing."""

    dry_run: bool
    rows: tuple[ImportRow, ...] = field(default=())

    def count(self, outcome: str) -> int:
        """Return how many rows ended so."""
        return sum(row.outcome == outcome for row in self.rows)


Row = tuple[int, SourceSettings] | ImportRow


class Sourcing:
    """The use cases around sources."""

    def __init__(
        self, *, finder: Finder, fetcher: Fetcher, sandbox: Sandbox, sources: Sources
    ) -> None:
        self._finder = finder
        self._fetcher = fetcher
        self._sandbox = sandbox
        self._sources = sources

    async def preview(self, settings: SourceSettings, *, samples: int = SAMPLES) -> Preview:
        """Return what a source with these settings would bring, with its newest articles.

        Raises FetchError and ParseError when the source itself does not answer.
        """
        found = await self._find(settings)
        settings = _settled(settings, found)
        feed = found.feed
        entries = feed.entries if feed else ()
        passed = [entry for entry in entries if is_allowed(entry.url, settings.allow)]
        shown = [await self._sample(settings, entry) for entry in _newest(passed)[:samples]]
        return Preview(
            settings=settings,
            title=feed.title if feed else "",
            kind=feed.kind if feed else "",
            announced=len(entries),
            passed=len(passed),
            bad=len(feed.bad) if feed else 0,
            requests=found.requests,
            samples=tuple(shown),
            warnings=feed.warnings if feed else (),
        )

    async def propose(self, url: str, **given: object) -> SourceSettings:
        """Return settings for any address, with a key that is free; `given` values win.

        Raises CatalogError with everything that is wrong in them.
        """
        mapping = {"key": make_key(_host(url)), "name": _host(url) or url, "url": url, **given}
        settings = settings_from_mapping(mapping)
        if "key" in given:
            return settings
        return replace(settings, key=free_key(settings.key, await self._keys()))

    async def add(self, settings: SourceSettings, *, actor: str, reason: str = "") -> Source:
        """Return a new source, due at once.

        Raises ConflictError when its key is taken, or its address is collected already.
        """
        for source in await self._sources.all():
            if _same_place(source.settings, settings):
                raise ConflictError(
                    f"the source '{source.settings.key}' collects {checked_url(settings)} already; "
                    "edit that one, or remove it first"
                )
        return await self._sources.add(settings, actor=actor, reason=reason)

    async def import_file(
        self, body: bytes, *, name: str, actor: str, dry_run: bool = False
    ) -> ImportReport:
        """Return what became of the sources of an OPML or catalogue file.

        Raises ParseError for an OPML file, CatalogError for a catalogue, that cannot be read.
        """
        if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            document = parse_opml(body)
            rows: list[Row] = [_opml_row(feed) for feed in document.feeds]
            bad = [_bad_row(row) for row in document.bad]
        else:
            catalog = load_catalog(_text(body, name), name=name)
            rows = list(enumerate(catalog, 1))
            bad = []
        taken = {source.settings.key: source.settings for source in await self._sources.all()}
        done = [await self._import_row(row, taken, actor, dry_run=dry_run) for row in rows]
        return ImportReport(
            dry_run=dry_run, rows=tuple(sorted((*done, *bad), key=lambda row: row.row))
        )

    async def export_opml(self) -> bytes:
        """Return every source as OPML that other readers can take, our settings in a namespace."""
        return write_opml([source.settings for source in await self._sources.all()])

    async def export_catalog(self) -> str:
        """Return every source as a catalogue file."""
        return dump_catalog([source.settings for source in await self._sources.all()])

    async def _import_row(
        self,
        row: Row,
        taken: dict[str, SourceSettings],
        actor: str,
        *,
        dry_run: bool,
    ) -> ImportRow:
        if isinstance(row, ImportRow):
            return row
        number, settings = row
        for held in taken.values():
            if _same_place(held, settings):
                return _row(number, settings, "known", f"collected already as '{held.key}'")
        settings = replace(settings, key=free_key(settings.key, taken))
        taken[settings.key] = settings
        if not dry_run:
            await self._sources.add(settings, actor=actor, reason="imported")
        return _row(number, settings, "added", "")

    async def _find(self, settings: SourceSettings) -> Found:
        """Ask a source what it has; a site that names no feed is tried as a listing."""
        source = Source(id=0, settings=settings)
        try:
            return await self._finder.find(source)
        except ParseError as error:
            if error.reason is not Reason.NOT_A_FEED or settings.feed_url is not None:
                raise
            first = error
        try:
            listing = replace(source, settings=replace(settings, discovery=Discovery.LISTING))
            return replace(await self._finder.find(listing), discovery=Discovery.LISTING)
        except ParseError as error:
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

    async def _keys(self) -> set[str]:
        return {source.settings.key for source in await self._sources.all()}


def edited(settings: SourceSettings, changes: Mapping[str, object]) -> SourceSettings:
    """Return settings with some values changed; None takes a value back to its default.

    Raises CatalogError with everything that is wrong.
    """
    mapping = {**settings_to_mapping(settings), **changes}
    kept = {name: value for name, value in mapping.items() if value is not None}
    changed = settings_from_mapping(kept)
    if changed.key != settings.key:
        raise CatalogError([f"source '{settings.key}': its key stays what it is; leave it out"])
    return changed


def free_key(key: str, taken: Container[str]) -> str:
    """Return the key, or with a number behind it when it is taken."""
    if key not in taken:
        return key
    numbered = (f"{key[:60]}-{number}" for number in range(2, _MANY_KEYS))
    return next(candidate for candidate in numbered if candidate not in taken)


def _settled(settings: SourceSettings, found: Found) -> SourceSettings:
    """Return the settings with what was found out: where the feed is, and its own name."""
    title = found.feed.title.strip()[:200] if found.feed else ""
    if title and settings.name == _host(settings.url):
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


def _same_place(one: SourceSettings, other: SourceSettings) -> bool:
    return checked_url(one).rstrip("/") == checked_url(other).rstrip("/")


def _host(url: str) -> str:
    try:
        host = host_of(url)
    except ValueError:
        return ""
    return host.removeprefix("www.")


def _opml_row(feed: OpmlFeed) -> Row:
    try:
        return feed.row, settings_from_mapping(feed.to_mapping())
    except CatalogError as error:
        url = feed.feed_url or feed.site_url or ""
        return ImportRow(
            row=feed.row,
            key="",
            name=feed.title,
            url=url,
            outcome="bad",
            detail="; ".join(error.problems),
        )


def _bad_row(row: BadRow) -> ImportRow:
    return ImportRow(
        row=row.row,
        key="",
        name=row.title,
        url="",
        outcome="bad",
        detail=f"{row.reason}: {row.detail}" if row.detail else row.reason,
    )


def _row(number: int, settings: SourceSettings, outcome: str, detail: str) -> ImportRow:
    return ImportRow(
        row=number,
        key=settings.key,
        name=settings.name,
        url=checked_url(settings),
        outcome=outcome,
        detail=detail,
    )


def _text(body: bytes, name: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogError(
            [f"{name}: is not UTF-8 text; save it as UTF-8, or give OPML"]
        ) from error


def read_changes(assignments: Sequence[str]) -> dict[str, object]:
    """Return settings written as `name=value`, each value as a catalogue would hold it.

    An empty value takes a setting back to its default. Raises CatalogError.
    """
    changes: dict[str, object] = {}
    problems = []
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        if not sign or not name.strip():
            problems.append(f"{assignment!r}: write it as name=value")
            continue
        try:
            changes[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            problems.append(f"{assignment!r}: the value cannot be read; put it in quotes")
    if problems:
        raise CatalogError(problems)
    return changes

"""The life of an article, in order: read this first."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from ctiscraper.collect.announce import announce
from ctiscraper.collect.failing import Failure, retry_of
from ctiscraper.collect.fetch import Fetcher
from ctiscraper.collect.find import Finder, Found
from ctiscraper.collect.gates import held_back
from ctiscraper.collect.standing import (
    GONE_AFTER,
    Chance,
    after_answer,
    after_failure,
    items_per_day,
    move_of,
)
from ctiscraper.db.checks import Checks, SourceLease
from ctiscraper.db.enrichments import MOST_ATTEMPTS, Enrichments, Finding, StoredText, pause_after
from ctiscraper.db.links import Links
from ctiscraper.db.queue import Queue
from ctiscraper.db.raw import RawStore
from ctiscraper.db.session import Conn
from ctiscraper.db.sources import Sources
from ctiscraper.db.store import SnapshotRecord, Store
from ctiscraper.db.stories import Stories
from ctiscraper.enrich.stories import Stories as StoryTeller
from ctiscraper.errors import (
    FetchError,
    NotFoundError,
    ParseError,
    Reason,
    Scope,
    StaleError,
    StorageError,
)
from ctiscraper.extract.fingerprint import is_near_duplicate, similarity
from ctiscraper.extract.urls import url_key
from ctiscraper.intelligence import Enrichment
from ctiscraper.loop import Threads, alongside, to_its_end
from ctiscraper.messages import EnrichMessage, PageMessage
from ctiscraper.sandbox import Sandbox
from ctiscraper.scoring import ScoredText, Scoring
from ctiscraper.tracing import describe, span
from ctiscraper.types import (
    ArticleContent,
    CheckSummary,
    Extraction,
    ExtractionHints,
    FetchJob,
    Fingerprint,
    Outcome,
    Page,
    Source,
    SourceSettings,
    SourceStanding,
)

log = structlog.get_logger()

ENRICH_BATCH = 10
"""How many texts are looked through before what was found in them is written."""

ENRICH_SECONDS = 30.0
"""After so long what was found is written, and the texts not begun yet are left to the next turn.

Where a machine has too much to do each text may take many times as long, and a claim is not for
ever: a text whose claim ended while others had their turn would pay for having ended its worker.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one item; `error` names what stood in the way, if anything did."""

    outcome: Outcome | None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The steps, each over the room that knows how."""

    fetcher: Fetcher
    finder: Finder
    sandbox: Sandbox
    sources: Sources
    checks: Checks
    queue: Queue
    store: Store
    links: Links
    enrichments: Enrichments
    scoring: Scoring
    stories: Stories
    raw: RawStore
    clock: Callable[[], datetime]
    chance: Callable[[], float] = random.random
    threads: Threads = field(default_factory=Threads)

    # 1. A source is due: ask it what is new.

    async def check(self, lease: SourceLease) -> tuple[CheckSummary | None, FetchError | None]:
        """Return what a check found, and the error when its host failed, be it midway.

        The summary is None when another worker took the check over meanwhile.
        """
        key = lease.source.settings.key
        with bound_contextvars(source=key), span("check", source=key) as at:
            kept, error = await self._check(lease)
            if kept is not None:
                at.set(announced=kept.announced, discovered=kept.discovered, reason=kept.reason)
            return kept, error

    async def _check(self, lease: SourceLease) -> tuple[CheckSummary | None, FetchError | None]:
        try:
            found = await self.finder.find(lease.source)
        except (FetchError, ParseError) as error:
            kept = await self.fail_check(lease, error)
            return kept, error if isinstance(error, FetchError) else None
        kept = await self._announce(lease, found)
        return kept, found.fault

    async def fail_check(
        self, lease: SourceLease, error: FetchError | ParseError
    ) -> CheckSummary | None:
        """Keep what a check failed with; None when another worker took it over meanwhile."""
        source = lease.source
        summary = CheckSummary(
            source_key=source.settings.key,
            status=error.status if isinstance(error, FetchError) else None,
            reason=error.reason,
            detail=error.detail,
            requests=error.requests,
        )
        in_a_row = 0
        if error.reason in GONE_AFTER:
            # What an address answered that the source no longer has is no failure of this one.
            in_a_row = min(source.failures, await self.checks.in_a_row(source.id, error.reason))
        standing = after_failure(source, error, self._chance(), in_a_row=in_a_row)
        return await self.checks.record(lease, summary, standing)

    # 2. What it announced becomes rows that any worker may claim.

    async def _announce(self, lease: SourceLease, found: Found) -> CheckSummary | None:
        source = lease.source
        feed = found.feed
        rhythm = None
        if feed is not None:
            dates = [entry.published for entry in feed.entries if entry.published]
            rhythm = items_per_day(dates, found.page.fetched_at)
        standing = after_answer(source, found.page, feed, rhythm, self._chance())
        rest = found.fault.retry_after if found.fault else None
        standing = replace(
            standing,
            validators=replace(standing.validators, body_sha256=found.sha),
            next_check_seconds=max(standing.next_check_seconds, rest or 0.0),
        )
        items = (
            announce(source.settings, feed.entries, feed.bad, url_key) if feed is not None else ()
        )
        summary = CheckSummary(
            source_key=source.settings.key,
            status=found.page.status,
            announced=len(items),
            unchanged=feed is None,
            requests=found.requests,
            wire_bytes=found.page.wire_bytes,
        )
        kept = await self.checks.record(lease, summary, standing, items)
        if kept is not None:
            await self._follow_move(source, found, standing)
        return kept

    async def _follow_move(self, source: Source, found: Found, standing: SourceStanding) -> None:
        """Write a feed's own address down: found on its site, or moved for good."""
        move = move_of(source, found, standing)
        if move is None:
            return
        # Who edited or removed it meanwhile knows better.
        with contextlib.suppress(StaleError, NotFoundError):
            await self.sources.update(
                source.settings.key,
                move.settings,
                actor=move.actor,
                reason=move.reason,
                same_feed=True,
                expected=source.settings,
            )

    # 3. An item is claimed: fetch its page, keep the bytes, read them, keep the article.

    async def process(self, job: FetchJob, settings: SourceSettings) -> Result:
        """Return what became of an item; our own outages leave it to be claimed again."""
        key, attempt = settings.key, job.attempts
        with (
            bound_contextvars(source=key, job=job.id, attempt=attempt, article=job.article_id),
            span("process", link=job.trace, source=key, job=job.id, attempt=attempt) as at,
        ):
            result = await self._process(job, settings)
            became = result.outcome or ("given_back" if result.error else "lost")
            reason = result.error.reason if result.error else None
            at.set(outcome=became, reason=reason)
            log.info("processed", outcome=became, reason=reason)
            return result

    async def _process(self, job: FetchJob, settings: SourceSettings) -> Result:
        snapshot = None
        try:
            page, snapshot = await self._page(job, settings)
            content = await self._read(job, settings, page)
        except (FetchError, ParseError) as error:
            return await self._without_page(job, settings, error, snapshot)
        return Result(await self._keep(job, settings, content, snapshot))

    async def _page(
        self, job: FetchJob, settings: SourceSettings
    ) -> tuple[Page | None, SnapshotRecord | None]:
        """Return the page and its record in the raw store; both None when only feeds are read."""
        if job.snapshot_id is not None:
            page = await self._page_again(job)
            if page is not None:
                return page, None
        if not settings.fetch_pages:
            return None, None
        page = await self.fetcher.fetch_page(settings, job.url)
        _refuse_front_page(job.url, page)
        return page, SnapshotRecord(
            sha256=await self.threads.call(partial(self.raw.put, page.body)),
            url=page.final_url,
            status=page.status,
            content_type=page.headers.get("content-type", ""),
            size=len(page.body),
        )

    async def _page_again(self, job: FetchJob) -> Page | None:
        """Return a page from the raw store, None when it is gone and may be fetched anew.

        Raises ParseError for an article: reading it again asks no site.
        """
        assert job.snapshot_id is not None, "asked only with a snapshot"
        record = await self.store.snapshot(job.snapshot_id)
        body = None
        if record is not None:
            body = await self.threads.call(partial(self.raw.get, record.sha256))
        if record is None or body is None:
            log.warning("kept_page_gone", job=job.id, url=job.url, article=job.article_id)
            if job.article_id is None:
                return None
            raise ParseError(
                Reason.STORAGE,
                "the page is no longer kept (CTISCRAPER_KEEP_RAW_DAYS) or damaged: "
                "the article stays as it is",
            )
        return Page(
            url=job.url,
            final_url=record.url,
            status=record.status,
            headers={"content-type": record.content_type},
            body=body,
            fetched_at=self.clock(),
        )

    async def _read(
        self, job: FetchJob, settings: SourceSettings, page: Page | None
    ) -> ArticleContent:
        """Return the article of a page, or of the feed's own text, read in the sandbox."""
        message = PageMessage(
            body=page.body if page else None,
            url=page.final_url if page else job.url,
            hints=ExtractionHints(
                content_type=page.headers.get("content-type", "") if page else "",
                selectors=settings.selectors,
                language=settings.language,
                entry=job.entry,
                fetched_at=page.fetched_at if page else self.clock(),
            ),
        )
        return await self.sandbox.ask("article", message, ArticleContent)

    async def _keep(
        self,
        job: FetchJob,
        settings: SourceSettings,
        content: ArticleContent,
        snapshot: SnapshotRecord | None,
    ) -> Outcome | None:
        """Store the article, or quarantine what a gate holds back; None: the lease was lost."""
        held = None if job.released or job.article_id else held_back(settings, content)
        if held is not None:
            number = await self.store.keep_snapshot(job, snapshot) if snapshot else None
            ended = await self.queue.refuse(job, settings, *held, number)
            return Outcome.FILTERED if ended else None
        kept = await self.store.keep(job, settings, content, url_key(content.url), snapshot)
        if kept is None:
            return None
        bind_contextvars(article=kept.article_id)
        describe(article=kept.article_id, revision=kept.revision, changed=kept.changed)
        return Outcome.STORED if kept.created else Outcome.DUPLICATE

    async def _without_page(
        self,
        job: FetchJob,
        settings: SourceSettings,
        error: FetchError | ParseError,
        snapshot: SnapshotRecord | None,
    ) -> Result:
        """Put an item back, or keep the feed's text and say so, or end it with its reason."""
        retry = retry_of(job, error, self.chance())
        if retry is not None:
            await self.queue.give_back(job, retry)
            return Result(None, error)
        if job.article_id is not None:
            kept = await self.store.keep_as_it_is(job)
            return Result(Outcome.STORED if kept else None, error)
        if settings.fetch_pages and (job.entry.content or job.entry.summary):
            try:
                content = await self._read(job, settings, None)
            except ParseError as unreadable:
                log.info("feed_text_unreadable", reason=unreadable.reason)
            else:
                note = f"feed text: the page was refused ({error})"
                content = replace(content, notes=(*content.notes, note))
                return Result(await self._keep(job, settings, content, snapshot), error)
        dead = isinstance(error, ParseError) and error.transient
        number = await self.store.keep_snapshot(job, snapshot) if snapshot else None
        ended = await self.queue.finish(
            job, "dead" if dead else "failed", error.reason, error.detail, number
        )
        return Result((Outcome.DEAD if dead else Outcome.FAILED) if ended else None, error)

    async def take_over(self, job: FetchJob, settings: SourceSettings, note: str) -> Result:
        """Return what became of an item whose text another program had read; no site is asked."""
        try:
            content = await self._read(job, settings, None)
        except ParseError as error:
            ended = await self.queue.finish(job, "failed", error.reason, error.detail, None)
            return Result(Outcome.FAILED if ended else None, error)
        content = replace(content, method=Extraction.IMPORTED, notes=(*content.notes, note))
        return Result(await self._keep(job, settings, content, None))

    async def put_back(self, job: FetchJob, error: StorageError) -> None:
        """Give an item back unharmed after our own database or disk failed."""
        retry = retry_of(job, error, self.chance())
        assert retry is not None, "our own faults are always tried again"
        await self.queue.give_back(job, retry)

    # 4. What was stored is compared with all before it, once.

    async def link(self) -> int:
        """Return how many stored texts were compared; near-duplicates are linked."""
        return await self.links.link_next(_near)

    async def unlinked(self) -> int:
        """Return how many stored texts are still to be compared."""
        return await self.links.waiting()

    # 5. What it names is found, counted and scored; a new revision or extractor does that anew.

    async def enrich(self) -> int:
        """Return how many stored texts were looked through for what they name."""
        texts = await self.enrichments.claim(uuid4(), limit=ENRICH_BATCH)
        if not texts:
            return 0
        async with alongside(self.enrichments.renew(texts)):
            try:
                looked = await self._look_through_all(texts)
                await self._leave(texts, looked)
            except (StorageError, asyncio.CancelledError):
                await self._give_back(texts)
                raise
            await self._keep_findings([finding for finding in looked if finding is not None])
        return len(looked)

    async def _leave(self, texts: Sequence[StoredText], looked: Sequence[Finding | None]) -> None:
        """Leave what there was no time for to its next turn, and for later what was not read."""
        await self.enrichments.give_back(texts[len(looked) :])
        unread = [text for text, one in zip(texts, looked, strict=False) if one is None]
        await self.enrichments.hold(unread)

    async def _keep_findings(self, found: Sequence[Finding]) -> None:
        if not found:
            return
        texts = [one.text for one in found]
        try:
            with span("enrich", articles=len(found)):
                await self.enrichments.keep(found, self._score)
        except StorageError as error:
            await self._give_back(texts, seconds=pause_after(error))
            raise
        except asyncio.CancelledError:
            await self._give_back(texts)
            raise

    async def _give_back(self, texts: Sequence[StoredText], *, seconds: float = 0.0) -> None:
        """Leave texts for their next turn; where the database is away that is owed."""
        with contextlib.suppress(StorageError):
            await to_its_end(self.enrichments.give_back(texts, seconds=seconds))

    async def _look_through_all(self, texts: Sequence[StoredText]) -> list[Finding | None]:
        """Return what these texts name, or the first of them when that takes long."""
        until = self.clock() + timedelta(seconds=ENRICH_SECONDS)
        looked: list[Finding | None] = []
        for text in texts:
            if looked and self.clock() >= until:
                break
            looked.append(await self._look_through(text))
        return looked

    async def _score(self, conn: Conn, found: Sequence[Finding]) -> None:
        """Score texts by what was found in them, with what else is known."""
        await self.scoring.join(
            conn,
            [
                ScoredText(
                    article_id=one.text.article_id,
                    title=one.text.title,
                    text=one.text.text,
                    mentions=one.enrichment.mentions,
                    parts=one.enrichment.parts,
                )
                for one in found
                if one.enrichment is not None
            ],
        )

    async def _look_through(self, text: StoredText) -> Finding | None:
        """Return what a text names, or why that cannot be told; None leaves it for later."""
        if text.attempts > MOST_ATTEMPTS:
            why = "its worker ended, or the database failed at it, each time"
            return Finding(text=text, failure=f"{Reason.WORKER_LOST}: {why}")
        message = EnrichMessage(
            title=text.title,
            text=text.text,
            html=text.html,
            url=text.url,
            source_url=text.source_url,
            extractors=text.extractors,
        )
        try:
            enrichment = await self.sandbox.ask("enrich", message, Enrichment)
            return Finding(text=text, enrichment=enrichment)
        except ParseError as error:
            log.warning("enrichment_failed", article=text.article_id, reason=error.reason)
            if error.transient and text.attempts < MOST_ATTEMPTS:
                return None
            return Finding(text=text, failure=str(error))

    async def unenriched(self) -> int:
        """Return how many new texts are still to be looked through."""
        return await self.enrichments.waiting(new=True)

    # 6. Articles on one event become a story.

    async def tell_stories(self) -> int:
        """Return how many articles were put into the stories that they belong to."""
        return await self.stories.assign_next(_TELLER)

    async def untold(self) -> int:
        """Return how many articles are still to be put into stories."""
        return await self.stories.waiting()

    def _chance(self) -> Chance:
        return Chance(self.chance())


def _near(one: Fingerprint, other: Fingerprint) -> float | None:
    return similarity(one, other) if is_near_duplicate(one, other) else None


def _alike(one: Fingerprint, other: Fingerprint) -> tuple[float, bool]:
    return similarity(one, other), is_near_duplicate(one, other)


_TELLER = StoryTeller(_alike)


def _refuse_front_page(url: str, page: Page) -> None:
    """Raise when a site sends a reader of an article to its front page: the article is gone."""
    if not page.redirects:
        return
    asked, answered = urlsplit(url), urlsplit(page.final_url)
    if asked.path.strip("/") and not answered.path.strip("/") and not answered.query:
        raise FetchError(
            Reason.NOT_FOUND,
            f"the page was answered with the front page {page.final_url}",
            scope=Scope.ITEM,
            transient=False,
            status=page.status,
        )

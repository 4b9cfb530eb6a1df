"""What is done again and again beside collecting: metrics, retention, looks for what is amiss."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import structlog

from ctiscraper.bootstrap import open_raw_store
from ctiscraper.config import Settings
from ctiscraper.db.enrichments import Enrichments
from ctiscraper.db.identities import Identities
from ctiscraper.db.known_words import KnownWords
from ctiscraper.db.overview import Overview
from ctiscraper.db.rollups import Rollups
from ctiscraper.db.session import Database
from ctiscraper.emf import MetricPlace
from ctiscraper.errors import CTIScraperError
from ctiscraper.loop import alongside, until_one_ends
from ctiscraper.tasks.embedding import keep_embedding
from ctiscraper.tasks.publish import publish
from ctiscraper.tasks.upkeep import remove_outlived

log = structlog.get_logger()

HOUR = 3600.0
WORDS_EVERY = 600.0
# The words of so many articles as can be counted in one round's time; the next goes on.
WORDS_SECONDS = 20.0
ROLLUP_SECONDS = 60.0
# Between two steps of counting what was stored before, others have their turn.
_FILL_PAUSE = 0.05
# After a failure, for instance of the database, a round is not put off for an hour.
AGAIN_SECONDS = 60.0


async def go_round(settings: Settings, conninfo: str, *, metrics: bool) -> None:
    """Do each round when it is due, until cancelled; any number of processes may do the same.

    With `metrics` queue depth and its like go to standard output. Raises SettingsError.
    """
    opened = partial(Database, conninfo, size=1, password_file=settings.database_password_file)
    place = MetricPlace(namespace=settings.metrics_namespace, environment=settings.environment)
    async with AsyncExitStack() as stack:
        raw = stack.enter_context(open_raw_store(settings))

        async def retention(database: Database) -> None:
            await remove_outlived(database, raw, settings.keep())

        rounds = [
            _every(HOUR, opened, retention),
            _every(HOUR, opened, check_accounts),
            _every(HOUR, opened, queue_missed),
            _every(WORDS_EVERY, opened, count_words),
            _every(ROLLUP_SECONDS, opened, roll_up),
            _on("embedding", lambda: keep_embedding(settings, conninfo)),
        ]
        if metrics:
            every, alive = settings.metrics_seconds, settings.lease_seconds
            file = settings.database_password_file
            told = partial(
                publish, conninfo, place, every=every, alive_seconds=alive, password_file=file
            )
            rounds.append(_on("metrics", told))
        tasks = [await stack.enter_async_context(alongside(work)) for work in rounds]
        await until_one_ends(*tasks)


async def watch_access(settings: Settings, conninfo: str) -> None:
    """Shut out whoever stays away from his provider, until cancelled; where people are let in.

    Workers may not know who people are, so that this is no round of theirs.
    """

    async def shut_out(database: Database) -> None:
        await shut_out_unseen(database, settings.oidc_unseen_days)

    opened = partial(Database, conninfo, size=1, password_file=settings.database_password_file)
    await _every(HOUR, opened, shut_out)


async def check_accounts(database: Database) -> None:
    """Log every source whose items do not add up: nothing may be lost without a word."""
    report = await Overview(database).accounting()
    for source in report.sources:
        if not source.accounting.balanced:
            log.error("accounts_unbalanced", source=source.source.key)
    log.info("accounts_checked", sources=len(report.sources), balanced=report.total.balanced)


async def queue_missed(database: Database) -> None:
    """Queue what was stored but never looked through: nothing may be missing without a word."""
    if missed := await Enrichments(database).queue_missed():
        log.warning("texts_were_missed", queued=missed)


async def shut_out_unseen(database: Database, days: int) -> None:
    """Let whom his provider may have removed in no more, until he comes by it again."""
    out = await Identities(database).shut_out_unseen(days) if days else ()
    if out:
        log.warning("users_were_shut_out", users=len(out), unseen_days=days)


async def count_words(database: Database) -> None:
    """Count the words of new articles, so that a search for a misspelt one has an answer."""
    words, deadline = KnownWords(database), time.monotonic() + WORDS_SECONDS
    articles = 0
    while time.monotonic() < deadline:
        counted = await words.count_next()
        articles += counted.articles
        if counted.over:
            break
    dropped = await words.drop_rarest()
    if articles:
        log.info("words_counted", articles=articles, dropped=dropped)


async def roll_up(database: Database) -> None:
    """Count what was stored before there were counts, and sum up what connections counted."""
    rollups = Rollups(database)
    while True:
        if await rollups.fill() is False:
            break
        await asyncio.sleep(_FILL_PAUSE)
    await rollups.fold()


async def _every(
    seconds: float, opened: Callable[[], Database], step: Callable[[Database], Awaitable[None]]
) -> None:
    while True:
        pause = seconds
        try:
            async with opened() as database:
                await step(database)
        except CTIScraperError as error:
            log.warning("round_failed", round=step.__name__, detail=str(error))
            pause = AGAIN_SECONDS
        except Exception:
            # The boundary of this task: one round that breaks ends no other, nor the process.
            log.exception("round_broke", round=step.__name__)
            pause = AGAIN_SECONDS
        await asyncio.sleep(pause)


async def _on(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Begin work that never ends anew, after a while, whenever it breaks; until cancelled."""
    while True:
        try:
            await work()
        except Exception:
            # The boundary of this task, as above.
            log.exception("round_broke", round=name)
        await asyncio.sleep(AGAIN_SECONDS)

"""`status`: what waits, who works, how it goes, and what is amiss."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from ctiscraper.cli.engine import open_engine, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import console, made_table, plain, print_json, print_lines, print_parts
from ctiscraper.cli.stopping import until_signal
from ctiscraper.config import Settings
from ctiscraper.db.operations import OperationsBoard
from ctiscraper.db.session import Database
from ctiscraper.errors import SettingsError, StorageError
from ctiscraper.loop import alongside, run_async, until_one_ends
from ctiscraper.operations import COUNTED_MOST, OURS_AWAY, HostsState, Vectors, Work
from ctiscraper.tasks.bell import Bell, bell_of
from ctiscraper.tasks.findings import Finding, Verdict
from ctiscraper.tasks.watch import OperationsReport, report, report_away, size, span

STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}
HOSTS_SHOWN = 5
NONE = "-"

Watching = Annotated[bool, typer.Option("--watch", help="Go on and show it anew, until Ctrl-C.")]
Every = Annotated[
    float, typer.Option("--every", min=0.5, max=3600, help="Seconds between looks of --watch.")
]


def status(
    watch: Watching = False, every: Every = 2.0, data: Data = None, json: Json = False
) -> None:
    """What waits, who works, how it goes, and what is amiss; ends with 9 when something is."""
    settings = settings_for(data)
    if watch:
        run_async(until_signal(_watch(settings, every, as_json=json)))
        return
    seen = run_async(_once(settings))
    if json:
        print_json(seen)
    else:
        print_parts(_screen(seen))
    if seen.degraded:
        raise typer.Exit(Exit.DEGRADED)


async def _once(settings: Settings) -> OperationsReport:
    try:
        async with _board(settings) as (board, bell):
            return await report(board, bell)
    except StorageError as error:
        return report_away(error.detail)
    except SettingsError as error:
        return report_away(str(error))


async def _watch(settings: Settings, every: float, *, as_json: bool) -> int:
    """Show the state again and again; a database that is away is shown as such."""
    async with (
        _board(settings) as (board, bell),
        # Waiting for a connection may lose a cancellation, waiting for a task does not.
        alongside(_show(board, bell, every, as_json=as_json)) as shown,
    ):
        await until_one_ends(shown)
    return 0


async def _show(board: OperationsBoard, bell: Bell, every: float, *, as_json: bool) -> None:
    if as_json or not console().is_terminal:
        while True:
            seen = await report(board, bell)
            if as_json:
                print_json(seen)
            else:
                print_lines([_one_line(seen)])
            await asyncio.sleep(every)
    with Live(console=console(), auto_refresh=False, screen=False) as live:
        while True:
            live.update(Group(*_screen(await report(board, bell))), refresh=True)
            await asyncio.sleep(every)


@asynccontextmanager
async def _board(settings: Settings) -> AsyncIterator[tuple[OperationsBoard, Bell]]:
    """Yield what tells the state, whatever schema the database has, and the bell."""
    bell = bell_of(settings)
    try:
        async with open_engine(settings) as engine, Database(engine.conninfo, size=1) as database:
            yield OperationsBoard(database, alive_seconds=settings.lease_seconds), bell
    finally:
        await bell.aclose()


def _one_line(seen: OperationsReport) -> str:
    amiss = "; ".join(f"{f.part}: {f.words}" for f in seen.findings if f.verdict is not Verdict.OK)
    if seen.work is None:
        return amiss
    work = seen.work
    line = (
        f"{_count(work.waiting)} waiting, {_count(work.in_flight)} in flight, "
        f"{work.flow.per_minute:.1f} ended a minute, {work.worker_count:,} at work, "
        f"{_dead(work)}"
    )
    return f"{line}; {amiss}" if amiss else line


def _dead(work: Work) -> str:
    known = work.summed_seconds is not None
    return f"{_count(work.standing.dead)} dead" if known else "how many are dead is not known"


def _screen(seen: OperationsReport) -> Iterable[RenderableType]:
    """Yield the parts of the whole picture, the findings first."""
    yield made_table(["", "part", "found", "what to do"], map(_finding, seen.findings))
    if seen.work is None:
        return
    yield Text()
    yield _tiers(seen.work)
    yield Text()
    for words in _facts(seen.work):
        yield Text(plain(words))
    if seen.work.workers:
        yield Text()
        yield _workers(seen.work)
        more = seen.work.worker_count - len(seen.work.workers)
        if more:
            yield Text(f"and {more:,} more, who ended an item before these did")
    if seen.work.hosts.rests or seen.work.hosts.paces:
        yield Text()
        yield _hosts(seen.work.hosts)


def _finding(finding: Finding) -> tuple[object, ...]:
    mark = Text(finding.verdict, style=STYLES[finding.verdict])
    return (mark, finding.part, finding.words, finding.advice)


def _tiers(work: Work) -> RenderableType:
    heads = ["tier", "due", "in flight", "sources due", "hosts due", "later", "resting", "oldest"]
    return made_table(
        heads,
        (
            (
                tier.tier,
                _cell(tier.due),
                _cell(tier.in_flight),
                _cell(tier.sources_due),
                _cell(tier.hosts_due),
                _cell(tier.later),
                _cell(tier.resting),
                span(tier.oldest_seconds) if tier.waiting else NONE,
            )
            for tier in work.tiers
        ),
    )


def _facts(work: Work) -> Iterable[str]:
    flow, ended, standing, traffic = work.flow, work.flow.ended, work.standing, work.traffic
    yield f"Ended     {flow.per_minute:.1f} a minute, {flow.ended_hour:,} in the last hour"
    yield (
        f"So far    {ended.stored:,} stored, {ended.duplicate:,} duplicate, "
        f"{ended.filtered:,} filtered, {ended.failed:,} failed, {ended.dead:,} dead; "
        "what is looked at again counts again"
    )
    is_summed = work.summed_seconds is not None
    if is_summed:
        yield (
            f"Standing  {_count(standing.dead)} dead, {_count(standing.failed)} failed, "
            f"{_count(standing.filtered)} quarantined"
        )
    texts = work.enriching
    waits = f", the oldest new one for {span(texts.oldest_seconds)}" if texts.oldest_seconds else ""
    yield (
        f"Texts     {_count(texts.waiting)} to be looked through{waits}; "
        f"{_count(texts.failed)} could not be ('ctiscraper enrichment failed' lists them)"
    )
    if is_summed:
        yield f"Vectors   {_vectors(work.vectors)}"
    yield f"Attempts  {flow.refunds:,} given back, {flow.burnt:,} burnt"
    checks = "checks not known"
    if is_summed:
        checks = (
            f"{traffic.checks:,} checks, {traffic.unchanged:,} unchanged, "
            f"{size(traffic.check_bytes)} received, {size(traffic.saved_bytes)} saved"
        )
    yield (
        f"24 hours  {traffic.requests_day:,} requests; {checks}; "
        f"{traffic.pages:,} pages, {size(traffic.page_bytes)}"
    )


def _vectors(vectors: Vectors) -> str:
    if not vectors.model:
        return "no text has any yet"
    way = "by index" if vectors.indexed else "by comparing all, exactly"
    kept = f", {_count(vectors.withheld)} may not leave this network" if vectors.withheld else ""
    return (
        f"of {_count(vectors.texts)} texts by {vectors.model}, {_count(vectors.waiting)} wait, "
        f"{_count(vectors.failed)} could not be given any{kept}; searched {way}"
    )


def _workers(work: Work) -> RenderableType:
    return made_table(
        ["worker", "last sign", "last item", "items"],
        (
            (
                w.pid,
                f"{span(w.silent_seconds)} ago",
                f"{span(w.idle_seconds)} ago" if w.done else NONE,
                w.done,
            )
            for w in work.workers
        ),
    )


def _hosts(hosts: HostsState) -> RenderableType:
    rests = [(h, f"rests {span(h.seconds)}: {h.reason or OURS_AWAY}") for h in hosts.rests]
    paces = [(h, f"next request in {span(h.seconds)}") for h in hosts.paces]
    return made_table(
        ["host", "state", "failures", "robots.txt"],
        (
            (
                h.host,
                state,
                h.failures,
                NONE if h.robots_delay is None else f"{span(h.robots_delay)} apart",
            )
            for h, state in (*rests[:HOSTS_SHOWN], *paces[:HOSTS_SHOWN])
        ),
    )


def _count(number: int) -> str:
    return f"{number:,}+" if number >= COUNTED_MOST else f"{number:,}"


def _cell(number: int) -> int | str:
    return _count(number) if number >= COUNTED_MOST else number

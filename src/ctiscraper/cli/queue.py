"""`dead`, `quarantine` and `reprocess`: items that ended without an article, and a second go."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Cursor, Data, Json, Limit, Of
from ctiscraper.cli.output import counted, moment, print_json, print_lines, print_table
from ctiscraper.db.enrichments import Enrichments
from ctiscraper.db.items import Items
from ctiscraper.db.queue import Queue
from ctiscraper.db.sources import Sources
from ctiscraper.intelligence import Extractor
from ctiscraper.loop import run_async
from ctiscraper.reasons import words_of
from ctiscraper.views import QueuePage

dead = typer.Typer(no_args_is_help=True, help="Items that failed, each with its cause.")
quarantine = typer.Typer(no_args_is_help=True, help="Articles that a source's gates hold back.")

Cause = Annotated[
    str | None,
    typer.Option("--cause", metavar="REASON", help="Such as timeout.", show_default=False),
]
State = Annotated[
    Literal["dead", "failed"],
    typer.Option("--state", help="dead: given up after 5 tries; failed: refused for good."),
]
Numbers = Annotated[list[int] | None, typer.Argument(metavar="ID...", show_default=False)]
Every = Annotated[bool, typer.Option("--all", help="All that --source and --cause leave.")]
NO_PAGE = "no page was fetched, or it is no longer kept (CTISCRAPER_KEEP_RAW_DAYS)"
Action = Literal["retry", "discard", "release"]


@dead.command("list")
def list_dead(  # noqa: PLR0913 - one parameter for each option
    *,
    state: State = "dead",
    source: Of = None,
    cause: Cause = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Dead letters, newest first, with cause and a sample of what was announced."""
    _list(state, source, cause, (limit, cursor), data=data, json=json)


@dead.command()
def retry(  # noqa: PLR0913 - one parameter for each option
    *,
    ids: Numbers = None,
    every: Every = False,
    state: State = "dead",
    source: Of = None,
    cause: Cause = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Put items back in the queue with all their tries."""
    _act("retry", ids, every=every, narrow=(state, source, cause), data=data, json=json)


@dead.command()
def discard(  # noqa: PLR0913 - one parameter for each option
    *,
    ids: Numbers = None,
    every: Every = False,
    state: State = "dead",
    source: Of = None,
    cause: Cause = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Set items aside for good; they stay counted, as filtered."""
    _act("discard", ids, every=every, narrow=(state, source, cause), data=data, json=json)


@quarantine.command("list")
def list_quarantine(
    source: Of = None,
    cause: Cause = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """What is held back, newest first, with its reason."""
    _list("filtered", source, cause, (limit, cursor), data=data, json=json)


@quarantine.command()
def release(
    ids: Numbers = None,
    every: Every = False,
    source: Of = None,
    cause: Cause = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Let items through their gates."""
    _act("release", ids, every=every, narrow=("filtered", source, cause), data=data, json=json)


def reprocess(  # noqa: PLR0913 - one parameter for each option
    *,
    source: Of = None,
    article: Annotated[
        list[int] | None, typer.Option("--article", metavar="ID", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that is kept.")] = False,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="NAMES",
            help=f"Keep the texts and find anew what they name, by these: {', '.join(Extractor)}.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", help="With --only: listed since (UTC).", show_default=False),
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Read articles again from their kept pages, or with --only look through their texts again.

    No site is asked.
    """
    if only is not None:
        _look_again(_extractors(only), (source, article, since), data=data, json=json)
        return
    if since is not None:
        raise typer.BadParameter("--since goes with --only: pages are read again by source or all")
    if source is None and not article and not every:
        raise typer.BadParameter("say what to read again: --source KEY, --article ID or --all")

    async def queue() -> tuple[int, int]:
        async with open_database(settings_for(data)) as database:
            if source is not None:
                await Sources(database).get(source)
            items = Queue(database)
            gone = await items.without_page(source_key=source, article_ids=article or None)
            count = await items.reprocess(source_key=source, article_ids=article or None)
            chosen = {"source": source, "articles": article, "count": count}
            await note_deed(database, "article.reprocess", detail=chosen)
            return count, gone

    queued, gone = run_async(queue())
    if json:
        print_json({"count": queued, "without_page": gone})
        return
    print_lines([f"{counted(queued, 'item')} queued to be read again."])
    if gone:
        print_lines([f"{counted(gone, 'article')} cannot be read again: {NO_PAGE}."])


def _extractors(only: str) -> list[Extractor]:
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in names if name not in set(Extractor)]
    if unknown or not names:
        known = ", ".join(Extractor)
        raise typer.BadParameter(f"--only has {', '.join(unknown) or 'nothing'}: name of {known}")
    return [Extractor(name) for name in names]


def _look_again(
    only: list[Extractor],
    narrow: tuple[str | None, list[int] | None, datetime | None],
    *,
    data: Data,
    json: bool,
) -> None:
    """Queue stored texts; what was found in each stays until its turn, then is replaced whole."""
    source, articles, since = narrow

    async def queue() -> tuple[int, int]:
        async with open_database(settings_for(data)) as database:
            if source is not None:
                await Sources(database).get(source)
            enrichments = Enrichments(database)
            queued = await enrichments.queue(
                only,
                since=since.replace(tzinfo=UTC) if since else None,
                source_key=source,
                article_ids=articles or None,
            )
            chosen = {"only": only, "since": since, "source": source, "articles": articles}
            await note_deed(database, "article.reprocess", detail={**chosen, "count": queued})
            return queued, await enrichments.waiting()

    queued, waiting = run_async(queue())
    if json:
        print_json({"count": queued, "waiting": waiting})
        return
    print_lines(
        [
            f"{counted(queued, 'article')} queued to be looked through by {', '.join(only)}.",
            f"{waiting:,} wait in all; workers do it in the background, after what is new.",
            "How many are left: ctiscraper status --watch",
            "What could not be: ctiscraper enrichment failed",
        ]
    )


def _list(
    state: str,
    source: str | None,
    cause: str | None,
    paging: tuple[int, str | None],
    *,
    data: Data,
    json: bool,
) -> None:
    async def read() -> QueuePage:
        limit, cursor = paging
        async with open_database(settings_for(data)) as database:
            return await Items(database).page(
                state, source=source, reason=cause, limit=limit, cursor=cursor
            )

    page = run_async(read())
    if json:
        print_json(page)
        return
    if not page.items:
        print_lines(["Nothing here."])
        return
    print_table(
        ["id", "ended", "source", "title or address", "tries", "cause", "detail"],
        [
            (
                item.id,
                moment(item.finished_at),
                item.source.key,
                item.title or item.url,
                item.attempts,
                words.cause if (words := words_of(item.reason)) else "",
                item.detail,
            )
            for item in page.items
        ],
    )
    if page.next is not None:
        print_lines(["", f"More: --cursor {page.next}"])


def _act(
    action: Action,
    ids: list[int] | None,
    *,
    every: bool,
    narrow: tuple[str, str | None, str | None],
    data: Data,
    json: bool,
) -> None:
    if bool(ids) == every:
        raise typer.BadParameter("give the numbers of the items, or --all")

    async def act() -> int:
        async with open_database(settings_for(data)) as database:
            numbers = ids or await Items(database).numbers(*narrow)
            queue = Queue(database)
            actions = {"retry": queue.retry, "discard": queue.discard, "release": queue.release}
            done = await actions[action](numbers)
            state, source, cause = narrow
            chosen = {"state": state, "source": source, "cause": cause}
            told: dict[str, object] = {"items": ids} if ids else {**chosen}
            await note_deed(database, f"queue.{action}", detail={**told, "count": done})
            return done

    done = run_async(act())
    words = {"retry": "back in the queue", "discard": "set aside", "release": "let through"}
    _report(done, words[action], json=json)
    if ids and done < len(set(ids)):
        raise typer.Exit(Exit.NOT_FOUND)


def _report(count: int, words: str, *, json: bool) -> None:
    if json:
        print_json({"count": count})
    else:
        print_lines([f"{counted(count, 'item')} {words}."])

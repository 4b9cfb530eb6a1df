"""`stories` and `scoreboard`: which articles tell of one event, and which source is worth what."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar

import typer

from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Because, Cursor, Data, Json, Limit, utc
from ctiscraper.cli.output import (
    counted,
    moment,
    print_facts,
    print_json,
    print_lines,
    print_table,
)
from ctiscraper.db.scoreboard import SourceScores
from ctiscraper.db.session import Database
from ctiscraper.db.stories import Stories
from ctiscraper.db.story_pages import StoryPages
from ctiscraper.loop import run_async
from ctiscraper.story_views import (
    EntityRef,
    Scoreboard,
    SourceScore,
    StoryArticle,
    StoryDecision,
    StoryDetail,
    StoryPage,
)

app = typer.Typer(no_args_is_help=True, help="Articles that tell of one event.")

Story = Annotated[int, typer.Argument(metavar="STORY", min=1, show_default=False)]
Articles = Annotated[list[int], typer.Argument(metavar="ARTICLE...", show_default=False)]
Since = Annotated[
    datetime | None,
    typer.Option("--since", help="From this moment on (UTC).", show_default=False),
]
Until = Annotated[
    datetime | None, typer.Option("--until", help="Before this moment (UTC).", show_default=False)
]

ACTOR = "command line"
Made = TypeVar("Made")


@app.command("list")
def list_stories(
    limit: Limit = 20, cursor: Cursor = None, data: Data = None, json: Json = False
) -> None:
    """Stories of more than one article, the newest first."""

    async def read(database: Database) -> StoryPage:
        return await StoryPages(database).page(cursor=cursor, limit=limit)

    page = _with_database(read, data)
    if json:
        print_json(page)
        return
    if not page.stories:
        print_lines(["No two articles tell of one event yet."])
        return
    print_table(
        ["id", "last", "articles", "sources", "first reporter", "title"],
        [
            (
                one.id,
                moment(one.last_at),
                one.articles,
                len(one.sources),
                one.sources[0].key,
                one.title,
            )
            for one in page.stories
        ],
    )
    if page.next is not None:
        print_lines(["", f"More: --cursor {page.next}"])


@app.command()
def show(story: Story, data: Data = None, json: Json = False) -> None:
    """One story: who told it first, when the others came, and what each of them added."""

    async def read(database: Database) -> StoryDetail:
        return await StoryPages(database).story(story)

    found = _with_database(read, data)
    if json:
        print_json(found)
    else:
        _print_story(found)


@app.command()
def split(articles: Articles, reason: Because = "", data: Data = None, json: Json = False) -> None:
    """Give articles of a story one of their own; no later run joins them with the rest."""

    async def act(database: Database) -> int:
        made = await Stories(database).split(articles, actor=ACTOR, reason=reason)
        detail = {"articles": articles, "made": made, "reason": reason}
        await note_deed(database, "story.split", detail=detail)
        return made

    _report(_with_database(act, data), "now has these articles", json=json)


@app.command()
def merge(
    story: Story,
    other: Annotated[int, typer.Argument(metavar="OTHER", min=1, show_default=False)],
    reason: Because = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Make two stories one; the number of the second leads to the first from now on."""

    async def act(database: Database) -> int:
        kept = await Stories(database).merge(story, other, actor=ACTOR, reason=reason)
        await note_deed(database, "story.merge", story, detail={"other": other, "reason": reason})
        return kept

    _report(_with_database(act, data), "now has the articles of both", json=json)


@app.command()
def move(
    article: Annotated[int, typer.Argument(metavar="ARTICLE", min=1, show_default=False)],
    story: Story,
    reason: Because = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Put an article into another story; no later run moves it."""

    async def act(database: Database) -> int:
        kept = await Stories(database).move(article, story, actor=ACTOR, reason=reason)
        await note_deed(
            database, "story.move", story, detail={"article": article, "reason": reason}
        )
        return kept

    _report(_with_database(act, data), "now has this article", json=json)


@app.command()
def undo(
    decision: Annotated[int, typer.Argument(metavar="DECISION", min=1, show_default=False)],
    data: Data = None,
    json: Json = False,
) -> None:
    """Take back a split, merge or move by its number, which `stories show` tells."""

    async def act(database: Database) -> None:
        await Stories(database).undo(decision, actor=ACTOR)
        await note_deed(database, "story.undo", detail={"decision": decision})

    _with_database(act, data)
    if json:
        print_json({"undone": decision})
    else:
        print_lines([f"Decision {decision} is undone."])


def scoreboard(
    since: Since = None, until: Until = None, data: Data = None, json: Json = False
) -> None:
    """How sources compare, by default over 30 days: who is first, adds what is new, repeats."""

    async def read(database: Database) -> Scoreboard:
        return await SourceScores(database).scoreboard(since=utc(since), until=utc(until))

    found = _with_database(read, data)
    if json:
        print_json(found)
        return
    print_lines([f"{moment(found.since)} to {moment(found.until)}", ""])
    print_table(
        [
            "source",
            "articles",
            "repeated",
            "stories",
            "told first",
            "lead (h)",
            "unique",
            "named per article",
            "flagged",
        ],
        [_score_row(one) for one in found.sources],
    )


def _score_row(one: SourceScore) -> tuple[object, ...]:
    return (
        one.source.key,
        one.articles,
        f"{one.duplicate_share:.0%}",
        one.stories,
        one.first,
        "" if one.lead_hours is None else f"{one.lead_hours:.1f}",
        one.unique,
        f"{one.entities_per_article:.1f}",
        one.flagged,
    )


def _print_story(story: StoryDetail) -> None:
    lead = "" if story.next_hours is None else f", {story.next_hours:.1f} h before the next source"
    print_facts(
        [
            ("story", story.id),
            ("title", story.title),
            ("first told by", f"{story.sources[0].name}{lead}"),
            ("sources", ", ".join(one.key for one in story.sources)),
            ("in common", "; ".join(map(_entity, story.entities[:10]))),
            ("also in", "; ".join(f"{one.id} {one.title}" for one in story.also)),
        ]
    )
    print_lines([""])
    print_table(
        ["article", "after (h)", "source", "title", "adds", "because"],
        [_timeline_row(one) for one in story.timeline],
    )
    if story.decisions:
        print_lines(["", *map(_decision, story.decisions)])


def _timeline_row(one: StoryArticle) -> tuple[object, ...]:
    added = "; ".join(map(_entity, one.added[:3]))
    more = one.added_count - len(one.added[:3])
    because = (
        "by hand"
        if one.by_hand
        else "; ".join(f"{reason.name} {reason.detail}".strip() for reason in one.reasons[:3])
    )
    return (
        one.id,
        f"{one.hours:.1f}",
        one.source.key,
        one.title,
        f"{added} and {more} more" if more > 0 else added,
        because,
    )


def _entity(one: EntityRef) -> str:
    return f"{one.kind} {one.name or one.value}"


def _decision(one: StoryDecision) -> str:
    undone = f", undone by {one.undone_by}" if one.undone_at else ""
    why = f": {one.reason}" if one.reason else ""
    said = f"Decision {one.id}, {moment(one.made_at)}: {one.action} by {one.actor}{why}{undone}"
    return f"{said} ({counted(len(one.articles), 'article')})"


def _report(story: int, words: str, *, json: bool) -> None:
    if json:
        print_json({"story": story})
    else:
        print_lines([f"Story {story} {words}."])


def _with_database(act: Callable[[Database], Awaitable[Made]], data: Data) -> Made:
    async def run() -> Made:
        async with open_database(settings_for(data)) as database:
            return await act(database)

    return run_async(run())

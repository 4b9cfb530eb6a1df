"""`articles`: reading on the terminal."""

from typing import Annotated, Literal

import typer

from ctiscraper.asking import understand
from ctiscraper.bootstrap import open_meaning
from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.found import print_found
from ctiscraper.cli.options import Csv, Cursor, Data, Defanged, Json, Limit, Of, Since, Until, utc
from ctiscraper.cli.output import (
    moment,
    print_csv,
    print_facts,
    print_json,
    print_lines,
    print_table,
    print_text,
)
from ctiscraper.cli.texts import on_a_line
from ctiscraper.db.articles import Articles
from ctiscraper.db.entities import Entities
from ctiscraper.db.meaning import Mode
from ctiscraper.db.searched import Shown
from ctiscraper.db.similar import MOST
from ctiscraper.defang import defang
from ctiscraper.entity_views import ArticleEvidence, EntitySummary, Neighbour, SimilarArticle
from ctiscraper.errors import InputError
from ctiscraper.evidence import evidence_of
from ctiscraper.loop import run_async
from ctiscraper.share.tabular import EVIDENCE
from ctiscraper.types import Tier
from ctiscraper.views import ArticleDetail, ArticlePage, ArticleQuery, RevisionText, ScoredPart

app = typer.Typer(no_args_is_help=True, help="Reading on the terminal.")

OfTier = Annotated[Tier | None, typer.Option("--tier", show_default=False)]
Language = Annotated[
    str | None, typer.Option("--language", metavar="TAG", help="Such as en.", show_default=False)
]
Tag = Annotated[str | None, typer.Option("--tag", show_default=False)]
Best = Annotated[
    Literal["1", "7", "30"] | None,
    typer.Option("--best", metavar="DAYS", help="The best of 1, 7 or 30 days.", show_default=False),
]
MinScore = Annotated[
    float | None,
    typer.Option("--min-score", min=0, max=1, help="Scored at least so high.", show_default=False),
]
Watched = Annotated[
    int | None,
    typer.Option("--watch", metavar="ID", help="Having this entry of the watchlist."),
]


@app.command("list")
def list_articles(  # noqa: PLR0913 - one parameter for each option
    *,
    source: Of = None,
    tier: OfTier = None,
    language: Language = None,
    tag: Tag = None,
    since: Since = None,
    until: Until = None,
    best: Best = None,
    min_score: MinScore = None,
    watch: Watched = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Articles, newest or best first; near-duplicates are folded unless one source is asked for."""
    query = ArticleQuery(
        source=source,
        tier=tier,
        language=language,
        tag=tag,
        since=utc(since),
        until=utc(until),
        days=int(best) if best else None,
        min_score=min_score,
        watch=watch,
    )
    _page(query, cursor=cursor, limit=limit, data=data, json=json)


@app.command()
def search(  # noqa: PLR0913 - one parameter for each option
    *,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY...", help='Words, "phrases", AND OR NOT, prefix*, field:value.'
        ),
    ],
    source: Of = None,
    tier: OfTier = None,
    since: Since = None,
    until: Until = None,
    relevance: Annotated[
        bool, typer.Option("--relevance", help="The most relevant of the newest 1,000 first.")
    ] = False,
    meaning: Annotated[
        bool, typer.Option("--meaning", help="What means the same, whatever its words.")
    ] = False,
    both: Annotated[bool, typer.Option("--both", help="By words and by meaning together.")] = False,
    facets: Annotated[
        bool, typer.Option("--facets", help="And what the matches have in common.")
    ] = False,
    limit: Limit = 20,
    cursor: Cursor = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Articles that a search finds, with the piece of text that it found."""
    query = ArticleQuery(
        q=understand(" ".join(words)),
        ranked=relevance,
        source=source,
        tier=tier,
        since=utc(since),
        until=utc(until),
    )

    if (meaning or both) and (relevance or facets):
        raise InputError("--meaning and --both have an order of their own, and no facets")
    settings = settings_for(data)

    async def read() -> ArticlePage:
        async with open_database(settings) as database:
            if meaning or both:
                mode = Mode.BOTH if both else Mode.MEANING
                async with open_meaning(settings, database) as found:
                    return await found.page(query, mode, cursor=cursor, limit=limit)
            shown = Shown(facets=facets, snippets=True)
            return await Articles(database).page(query, cursor=cursor, limit=limit, shown=shown)

    page = run_async(read())
    if json:
        print_json(page)
        return
    print_found(page)


@app.command()
def show(
    number: Annotated[int, typer.Argument(metavar="ID", help="The article's number.")],
    revision: Annotated[
        int | None, typer.Option("--revision", help="An earlier text of it.", show_default=False)
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """One article with its text and where it comes from."""

    async def read() -> ArticleDetail | RevisionText:
        async with open_database(settings_for(data)) as database:
            if revision is not None:
                return await Articles(database).revision(number, revision)
            return await Articles(database).get(number)

    found = run_async(read())
    if json:
        print_json(found)
        return
    if isinstance(found, ArticleDetail):
        _print_origin(found)
    else:
        print_facts([("Title", found.title), ("Revision", found.number)])
    print_text(f"\n{found.text}")


@app.command()
def entities(  # noqa: PLR0913 - one parameter for each option
    *,
    number: Annotated[int, typer.Argument(metavar="ID", help="The article's number.")],
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Such as domain.", show_default=False)
    ] = None,
    places: Annotated[
        int, typer.Option("--places", min=1, max=50, help="Of each, with sentences in --json.")
    ] = 3,
    csv: Csv = False,
    defanged: Defanged = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """What an article names, each with the sentence that says so, and the articles beside it."""

    async def read() -> tuple[ArticleEvidence, tuple[Neighbour, ...]]:
        async with open_database(settings_for(data)) as database:
            found = await evidence_of(database, number, kinds=kind or (), places=places)
            if csv:
                detail = {"format": "csv", "article": number}
                await note_deed(database, "entity.export", detail=detail)
            return found, await Entities(database).neighbours(number)

    found, near = run_async(read())
    if csv:
        print_csv(EVIDENCE, found.entities, defanged=defanged)
        return
    if json:
        print_json({"evidence": found, "neighbours": near})
        return
    _print_evidence(found, near, defanged=defanged)


@app.command()
def similar(
    *,
    number: Annotated[int, typer.Argument(metavar="ID", help="The article's number.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=20, help="How many at most.")] = MOST,
    defanged: Defanged = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Articles that have to do with one, and the rare things and words that both have."""
    settings = settings_for(data)

    async def read() -> tuple[SimilarArticle, ...]:
        async with (
            open_database(settings) as database,
            open_meaning(settings, database) as meaning,
        ):
            return await meaning.similar(number, limit=limit)

    found = run_async(read())
    if json:
        print_json(found)
        return
    if not found:
        print_lines(["No other article shares what is rare in this one."])
        return
    print_table(
        ["id", "listed", "source", "title", "shared"],
        [
            (
                one.article.id,
                moment(one.article.listed_at),
                one.article.source.name,
                on_a_line(one.article.title) or "(no title)",
                on_a_line(
                    ", ".join([*(_called(e, defanged=defanged) for e in one.things), *one.words])
                ),
            )
            for one in found
        ],
    )


def _print_evidence(found: ArticleEvidence, near: tuple[Neighbour, ...], *, defanged: bool) -> None:
    record = found.record
    if record is None:
        print_lines(["This article waits to be looked through."])
        return
    notes = [f"It could not be looked through: {record.failure}."] if record.failure else []
    print_lines([*notes, *record.notes])
    print_table(
        ["id", "kind", "value", "verdict", "times", "why", "section", "sentence"],
        [
            (
                one.mention.entity.id,
                one.mention.entity.kind,
                _called(one.mention.entity, defanged=defanged),
                one.mention.verdict or "",
                one.mention.count,
                ", ".join(one.mention.reasons) or one.mention.rule or one.mention.alias,
                on_a_line(one.places[0].section, 30) if one.places else "",
                on_a_line(one.places[0].sentence) if one.places else "",
            )
            for one in found.entities
        ],
    )
    if near:
        print_lines(["", "Articles that name the same rare things:"])
        print_table(
            ["id", "source", "title", "shared"],
            [
                (
                    one.article.id,
                    one.article.source.name,
                    one.article.title,
                    on_a_line(", ".join(_called(e, defanged=defanged) for e in one.shared)),
                )
                for one in near
            ],
        )


def _called(entity: EntitySummary, *, defanged: bool) -> str:
    if entity.name:
        return entity.name
    return on_a_line(defang(entity.kind, entity.value) if defanged else entity.value)


def _page(query: ArticleQuery, *, cursor: str | None, limit: int, data: Data, json: bool) -> None:
    async def read() -> ArticlePage:
        async with open_database(settings_for(data)) as database:
            return await Articles(database).page(query, cursor=cursor, limit=limit)

    page = run_async(read())
    if json:
        print_json(page)
        return
    if not page.articles:
        print_lines(["No article matches."])
        return
    print_table(
        ["id", "listed", "score", "source", "title", "words", "also"],
        [
            (
                article.id,
                moment(article.listed_at),
                _score(article.score),
                article.source.name,
                article.title or "(no title)",
                article.word_count,
                f"+{article.folded}" if article.folded else "",
            )
            for article in page.articles
        ],
    )
    if page.next is not None:
        print_lines(["", f"More: --cursor {page.next}"])


def _print_origin(article: ArticleDetail) -> None:
    same = article.duplicate_of
    print_facts(
        [
            ("Title", article.title),
            ("Source", f"{article.source.name} ({article.source.key})"),
            ("Authors", ", ".join(article.authors)),
            ("Published", moment(article.published_at) or "no date was given"),
            ("Collected", moment(article.collected_at)),
            ("Address", article.url),
            ("Tags", ", ".join(article.tags)),
            ("Language", article.language),
            ("Read by", article.method),
            *(("Note", note) for note in article.notes),
            ("Revision", article.revision if article.revision > 1 else ""),
            ("Repeats", f"{same.id} {same.title} ({same.source.name})" if same else ""),
            *(("Repeated by", f"{d.id} {d.title} ({d.source.name})") for d in article.duplicates),
            ("Length", f"{article.word_count} words, {article.reading_minutes} min"),
            ("Score", _score(article.score)),
            *((f"  {part.name}", _of_part(part)) for part in article.parts),
        ]
    )


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _of_part(part: ScoredPart) -> str:
    """Return a part of a score with the words that gave it."""
    counted = f"{part.value:.2f}" if part.weight else f"({part.value:.2f})"
    words = ", ".join(part.evidence)
    return "  ".join(one for one in (counted, words, part.note) if one)

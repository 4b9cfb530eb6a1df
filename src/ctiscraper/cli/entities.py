"""`indicators` and `indicator`: what articles name, in lists and one by one."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import typer

from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Csv, Cursor, Data, Defanged, Json, Most
from ctiscraper.cli.output import (
    counted,
    moment,
    print_csv,
    print_facts,
    print_json,
    print_lines,
    print_table,
)
from ctiscraper.cli.texts import on_a_line
from ctiscraper.db.entities import Entities, EntityQuery
from ctiscraper.db.session import Database
from ctiscraper.defang import defang
from ctiscraper.enrich.kinds import Kind
from ctiscraper.entity_views import EntityDetail, EntityPage, EntitySummary, SightingPage
from ctiscraper.errors import NotFoundError
from ctiscraper.intelligence import Name, Verdict
from ctiscraper.lookup import look_up_values
from ctiscraper.loop import run_async
from ctiscraper.share.tabular import ENTITIES, SIGHTINGS

KINDS = (*(kind.value for kind in Kind if kind is not Kind.ATTACK), *(name.value for name in Name))
_PAGE = 200
_SHOWN = 50


def _known_kinds(kinds: list[str] | None) -> list[str] | None:
    unknown = [kind for kind in kinds or () if kind not in KINDS]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: the kinds are {', '.join(KINDS)}")
    return kinds


def indicators(  # noqa: PLR0913 - one parameter for each option
    *,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            callback=_known_kinds,
            help="Such as domain, sha256, cve, technique, actor; may be repeated.",
            show_default=False,
        ),
    ] = None,
    verdict: Annotated[
        list[Verdict] | None,
        typer.Option("--verdict", help="May be repeated.", show_default=False),
    ] = None,
    q: Annotated[
        str | None,
        typer.Option("--beginning", metavar="TEXT", help="Of value or name.", show_default=False),
    ] = None,
    under: Annotated[
        str | None,
        typer.Option("--under", metavar="DOMAIN", help="It and all below.", show_default=False),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="KEY", help="Named by it.", show_default=False)
    ] = None,
    limit: Most = None,
    cursor: Cursor = None,
    csv: Csv = False,
    defanged: Defanged = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """What articles name, the newest known first: indicators, techniques and names."""
    query = EntityQuery(
        kinds=kind or (),
        verdicts=[one.value for one in verdict or ()],
        q=q,
        under=under,
        source=source,
    )
    if csv:
        run_async(_print_all(query, data, cursor=cursor, most=limit, defanged=defanged))
        return

    async def read() -> EntityPage:
        async with open_database(settings_for(data)) as database:
            return await Entities(database).page(query, cursor=cursor, limit=limit or _SHOWN)

    page = run_async(read())
    if json:
        print_json(page)
        return
    if not page.entities:
        print_lines(["Nothing here."])
        return
    _print_entities(page.entities, defanged=defanged)
    if page.next is not None:
        print_lines(["", f"More: --cursor {page.next}"])


async def _print_all(
    query: EntityQuery, data: Data, *, cursor: str | None, most: int | None, defanged: bool
) -> None:
    async with open_database(settings_for(data)) as database:
        await note_deed(database, "entity.export", detail={"format": "csv"})
        heads = True
        async for rows in _pages(Entities(database), query, cursor, most):
            print_csv(ENTITIES, rows, defanged=defanged, heads=heads)
            heads = False


async def _pages(
    entities: Entities, query: EntityQuery, cursor: str | None, most: int | None
) -> AsyncIterator[Sequence[EntitySummary]]:
    """Yield the pages of a list, of all of it unless `most` is given, which one page holds."""
    while True:
        page = await entities.page(query, cursor=cursor, limit=most or _PAGE)
        yield page.entities
        cursor = page.next
        if cursor is None or most is not None:
            return


def indicator(  # noqa: PLR0913 - one parameter for each option
    *,
    value: Annotated[
        str, typer.Argument(help="A value, defanged or not, a name, or the number of one.")
    ],
    kind: Annotated[
        str | None,
        typer.Option("--kind", metavar="KIND", help="Of the value.", show_default=False),
    ] = None,
    limit: Most = None,
    cursor: Cursor = None,
    csv: Csv = False,
    defanged: Defanged = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """One thing that articles name: who named it and when, what stands beside it, the articles."""

    async def read() -> tuple[EntityDetail, SightingPage]:
        async with open_database(settings_for(data)) as database:
            number = await _number_of(database, value, kind)
            entities = Entities(database)
            return (
                await entities.get(number),
                await entities.sightings(number, cursor=cursor, limit=limit or _SHOWN),
            )

    if csv:
        run_async(_print_sightings(value, kind, data, cursor=cursor, most=limit))
        return
    detail, page = run_async(read())
    if json:
        print_json({"entity": detail, "sightings": page})
        return
    _print_detail(detail, page, defanged=defanged)


async def _number_of(database: Database, value: str, kind: str | None) -> int:
    """Return the number of what is meant. Raises NotFoundError."""
    if kind is None and value.isdecimal():
        return int(value)
    if kind is not None:
        return (await Entities(database).find(kind, value)).id
    report = await look_up_values(Entities(database), [value])
    known = [one.entity for one in report.answers if one.entity is not None]
    if not known:
        raise NotFoundError(f"no article names {value!r}")
    return known[0].id


async def _print_sightings(
    value: str, kind: str | None, data: Data, *, cursor: str | None, most: int | None
) -> None:
    async with open_database(settings_for(data)) as database:
        number = await _number_of(database, value, kind)
        await note_deed(database, "article.export", detail={"format": "csv", "entity": number})
        heads = True
        while heads or cursor is not None:
            page = await Entities(database).sightings(number, cursor=cursor, limit=most or _PAGE)
            print_csv(SIGHTINGS, page.sightings, defanged=False, heads=heads)
            heads = False
            cursor = page.next if most is None else None


def _print_entities(entities: Sequence[EntitySummary], *, defanged: bool) -> None:
    print_table(
        ["id", "kind", "value", "verdict", "articles", "sources", "first seen", "last seen"],
        [
            (
                one.id,
                one.kind,
                shown(one, defanged=defanged),
                f"{one.verdict or ''}{' (team)' if one.team else ''}",
                one.articles,
                one.sources,
                moment(one.first_seen),
                moment(one.last_seen),
            )
            for one in entities
        ],
    )


def _print_detail(detail: EntityDetail, page: SightingPage, *, defanged: bool) -> None:
    one = detail.summary
    print_facts(
        [
            ("Number", one.id),
            ("Kind", one.kind),
            ("Value", shown(one, defanged=defanged)),
            ("Name", one.name),
            ("Verdict", f"{one.verdict} (the team's)" if one.team else one.verdict),
            ("Named by", f"{counted(one.articles, 'article')} of {counted(one.sources, 'source')}"),
            ("First seen", moment(one.first_seen)),
            ("Last seen", moment(one.last_seen)),
            ("Freshness", f"{one.freshness:.2f}"),
            *(("Source", _in_source(s.source.key, s.articles)) for s in detail.by_source[:10]),
            ("Beside it", on_a_line(", ".join(shown(b, defanged=defanged) for b in detail.beside))),
        ]
    )
    if detail.verdicts:
        print_lines([""])
        print_table(
            ["verdict", "decided", "scope", "of", "by", "reason", "undone"],
            [
                (v.id, v.verdict, v.scope, v.value, v.actor, v.reason, moment(v.undone_at))
                for v in detail.verdicts
            ],
        )
    print_lines([""])
    print_table(
        ["article", "listed", "source", "title", "words"],
        [
            (
                s.article.id,
                moment(s.article.listed_at),
                s.article.source.name,
                s.article.title,
                on_a_line(s.excerpt),
            )
            for s in page.sightings
        ],
    )
    if page.next is not None:
        print_lines(["", f"More: --cursor {page.next}"])


def _in_source(key: str, articles: int) -> str:
    return f"{key}, {counted(articles, 'article')}"


def shown(one: EntitySummary, *, defanged: bool) -> str:
    """Return a thing on one line: its name where it has one, else its value."""
    value = defang(one.kind, one.value) if defanged else one.value
    return on_a_line(f"{value} {one.name}" if one.name and one.name != value else value)

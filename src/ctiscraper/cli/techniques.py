"""`techniques` and `technique`: how many articles name each, and the words that say so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from ctiscraper.asking import asked
from ctiscraper.cli.actor import note_deed
from ctiscraper.cli.drafts import write_whole
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Csv, Cursor, Data, Json, Limit, Of, Since, Until, utc
from ctiscraper.cli.output import (
    counted,
    moment,
    print_csv,
    print_facts,
    print_json,
    print_lines,
    print_note,
    print_table,
)
from ctiscraper.cli.texts import on_a_line
from ctiscraper.db.articles import Articles
from ctiscraper.db.entities import Entities
from ctiscraper.db.session import Database
from ctiscraper.db.techniques import NamedTechniques, TechniqueCount, Techniques
from ctiscraper.entity_views import EntitySummary, Evidence, Place
from ctiscraper.errors import NotFoundError
from ctiscraper.evidence import evidence_of
from ctiscraper.intelligence import Name
from ctiscraper.loop import run_async
from ctiscraper.share.tabular import Table
from ctiscraper.views import ArticleQuery, ArticleSummary
from ctiscraper.web.attack import AttackShelf
from ctiscraper.web.matrix import Matrix, layer_name
from ctiscraper.web.verdict_words import rule_words

_COUNTED: Table[TechniqueCount] = Table(
    ("technique", "name", "articles", "first_seen", "last_seen"),
    lambda one, _: (
        *(one.technique.value, one.technique.name, one.articles),
        *(one.technique.first_seen, one.technique.last_seen),
    ),
)
_WORDS = 3
_BEFORE, _WIDEST = 50, 120

Q = Annotated[
    str | None,
    typer.Option("--words", metavar="TEXT", help="In articles with these.", show_default=False),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedIn:
    """An article that names a technique, with the words that say so."""

    article: ArticleSummary
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class TechniqueShown:
    """A technique with a page of the articles that name it; `next` is where that goes on."""

    technique: EntitySummary
    tactics: tuple[str, ...]
    articles: tuple[NamedIn, ...]
    next: str | None


def techniques(  # noqa: PLR0913 - one parameter for each option
    *,
    words: Q = None,
    source: Of = None,
    since: Since = None,
    until: Until = None,
    matrix: Annotated[
        Literal["enterprise", "mobile", "ics"], typer.Option("--matrix", help="Of the layer.")
    ] = "enterprise",
    layer: Annotated[
        Path | None,
        typer.Option(
            "--layer", metavar="FILE", help="Write a Navigator layer of them.", show_default=False
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="How many to show.", show_default=False)
    ] = None,
    csv: Csv = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """The techniques of ATT&CK that articles name, those of the most articles first."""
    query = ArticleQuery(q=asked(words), source=source, since=utc(since), until=utc(until))

    async def read() -> tuple[NamedTechniques, Matrix]:
        async with open_database(settings_for(data)) as database:
            named = await Techniques(database).named(query)
            if layer is not None:
                detail = {"matrix": matrix, "file": layer.name}
                await note_deed(database, "technique.export", detail=detail)
            known = await AttackShelf().matrix(database) if layer else Matrix()
        return named, known

    named, known = run_async(read())
    if layer is not None:
        name = layer_name(named.articles, of=_sought(query))
        write_whole(layer, known.layer(named.counts, f"{matrix}-attack", name))
        print_note(f"{layer} is a layer for the ATT&CK Navigator")
    shown = named.counts[:limit]
    if csv:
        print_csv(_COUNTED, shown, defanged=False)
    elif json:
        print_json(shown)
    else:
        _print_counts(shown, named)


def technique(  # noqa: PLR0913 - one parameter for each option
    *,
    number: Annotated[str, typer.Argument(metavar="ID", help="Such as T1059.001.")],
    words: Q = None,
    source: Of = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """One technique of ATT&CK: the articles that name it, and the words that say so."""
    sought = asked(words)

    async def read() -> TechniqueShown:
        async with open_database(settings_for(data)) as database:
            found = await Entities(database).find(Name.TECHNIQUE.value, number.upper())
            query = ArticleQuery(
                q=sought, source=source, since=utc(since), until=utc(until), entity=found.id
            )
            page = await Articles(database).page(query, cursor=cursor, limit=limit)
            return TechniqueShown(
                technique=found,
                tactics=(await AttackShelf().matrix(database)).tactics_of(found.value),
                articles=tuple([await _named_in(database, one, found.id) for one in page.articles]),
                next=page.next,
            )

    found = run_async(read())
    if json:
        print_json(found)
    else:
        _print_technique(found)


async def _named_in(database: Database, article: ArticleSummary, technique_id: int) -> NamedIn:
    """Return the words of an article that name a technique. Raises NotFoundError."""
    all_named = await evidence_of(
        database, article.id, kinds=(Name.TECHNIQUE.value,), places=_WORDS
    )
    for one in all_named.entities:
        if one.mention.entity.id == technique_id:
            return NamedIn(article=article, evidence=one)
    raise NotFoundError(f"article {article.id} was read anew just now: ask again")


def _sought(query: ArticleQuery) -> str:
    """Return what articles were sought by, as the name of a layer tells it."""
    words = query.q.text if query.q else None
    return ", ".join(
        str(one.date()) if isinstance(one, datetime) else one
        for one in (words, query.source, query.since, query.until)
        if one is not None
    )


def _print_counts(counts: Sequence[TechniqueCount], named: NamedTechniques) -> None:
    of = counted(named.articles, "article")
    if not counts:
        print_lines([f"None of {of} names a technique."])
        return
    print_table(
        ["technique", "name", "articles"],
        [(one.technique.value, one.technique.name, one.articles) for one in counts],
    )
    copies = ", near-duplicates counted" if named.copies else ""
    most = ", more are not counted" if named.capped else ""
    print_lines(["", f"Of {of}{copies}{most}."])


def _print_technique(found: TechniqueShown) -> None:
    one = found.technique
    print_facts(
        [
            ("Technique", f"{one.value} {one.name}"),
            ("Tactics", ", ".join(found.tactics)),
            ("Named by", f"{counted(one.articles, 'article')} of {counted(one.sources, 'source')}"),
            ("First seen", moment(one.first_seen)),
            ("Last seen", moment(one.last_seen)),
        ]
    )
    for named in found.articles:
        article, said = named.article, named.evidence.mention
        how = rule_words(said.rule) if said.rule else f"as “{said.alias}”"
        print_lines(
            [
                "",
                f"{article.id}  {moment(article.listed_at)}  {article.source.key}  {article.title}",
                *(
                    f"    “{on_a_line(place.words, 60)}” ({how}): {_around(place)}"
                    for place in named.evidence.places
                ),
            ]
        )
    if found.next is not None:
        print_lines(["", f"More: --cursor {found.next}"])


def _around(place: Place) -> str:
    """Return what stands around the words of a place in their sentence."""
    start = place.start - place.sentence_start
    first = max(0, start - _BEFORE)
    lead = "\N{HORIZONTAL ELLIPSIS}" if first else ""
    return lead + on_a_line(place.sentence[first:], _WIDEST)

"""What lists of articles are narrowed to, whatever their order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import sql
from psycopg.errors import QueryCanceled

from ctiscraper.db.article_rows import SUMMARY, to_summary
from ctiscraper.db.search import CONFIG, search_variants
from ctiscraper.db.session import Conn, Database
from ctiscraper.errors import QueryError
from ctiscraper.views import ArticleQuery, ArticleSummary

FOUND_MOST = 15_000
LIMIT_MOST = 200
SEARCH_SECONDS = 5.0

Sql = sql.SQL | sql.Composed

_NARROW: dict[str, Sql] = {
    "source": sql.SQL("a.source_id = (SELECT id FROM source WHERE key = %(source)s)"),
    "tier": sql.SQL("a.tier = %(tier)s"),
    "language": sql.SQL("a.language = %(language)s"),
    "method": sql.SQL("a.method = %(method)s"),
    "tag": sql.SQL("a.tags @> ARRAY[%(tag)s]"),
    "since": sql.SQL("a.sort_at >= %(since)s"),
    "until": sql.SQL("a.sort_at < %(until)s"),
    "entity": sql.SQL("a.id IN (SELECT article_id FROM mention WHERE entity_id = %(entity)s)"),
    "watch": sql.SQL(
        "EXISTS (SELECT 1 FROM watch_hit h WHERE h.article_id = a.id AND h.entry_id = %(watch)s)"
    ),
    "min_score": sql.SQL(
        "EXISTS (SELECT 1 FROM article_score r"
        " WHERE r.article_id = a.id AND r.score >= %(min_score)s::real)"
    ),
    "q": sql.SQL("a.search @@ ({})").format(
        sql.SQL(" || ").join(
            sql.SQL("websearch_to_tsquery(%(config)s::regconfig, {})").format(sql.Placeholder(name))
            for name in ("q0", "q1", "q2")
        )
    ),
}
_FOLDED = sql.SQL("a.duplicate_of IS NULL")
AND = sql.SQL(" AND ")


def conditions_of(query: ArticleQuery) -> tuple[list[Sql], dict[str, object]]:
    """Return what a list of articles is narrowed to, as SQL over `a`, with its values."""
    given = {name: getattr(query, name) for name in _NARROW}
    conditions: list[Sql] = [_NARROW[name] for name, value in given.items() if value is not None]
    if query.source is None:
        conditions.append(_FOLDED)
    values: dict[str, object] = {k: v for k, v in given.items() if v is not None}
    if query.q is not None:
        variants = dict(zip(("q0", "q1", "q2"), search_variants(query.q), strict=False))
        values |= {"config": CONFIG, "q0": "", "q1": "", "q2": "", **variants}
    return conditions, values


@asynccontextmanager
async def bounded(database: Database) -> AsyncIterator[Conn]:
    """Yield a transaction whose statements end in time. Raises QueryError."""
    async with database.transaction() as conn:
        limit = str(int(SEARCH_SECONDS * 1000))
        await conn.execute("SELECT set_config('statement_timeout', %s, true)", (limit,))
        try:
            yield conn
        except QueryCanceled as error:
            raise QueryError(
                f"this question took longer than {SEARCH_SECONDS:g} seconds; "
                "narrow it by source, tier or time, or use rarer words"
            ) from error


async def articles_by_ids(conn: Conn, ids: list[int]) -> list[ArticleSummary]:
    """Return articles in the order of their numbers as given."""
    if not ids:
        return []
    await conn.execute("SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = on")
    inner = sql.SQL("SELECT a.* FROM article a WHERE a.id = ANY(%(ids)s)")
    cursor = await conn.execute(SUMMARY.format(inner, sql.SQL("a.id")), {"ids": ids})
    found = {row[0]: to_summary(row) for row in await cursor.fetchall()}
    return [found[number] for number in ids if number in found]

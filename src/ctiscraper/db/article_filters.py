"""What lists of articles are narrowed to, whatever their order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import sql
from psycopg.errors import DataError, QueryCanceled

from ctiscraper.db.article_rows import SUMMARY, to_summary
from ctiscraper.db.reals import real
from ctiscraper.db.resolving import Resolved, resolve
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.wanted import Driver, Sql, Wanted, add_search, of_source
from ctiscraper.errors import QueryError
from ctiscraper.views import ArticleQuery, ArticleSummary

FOUND_MOST = 15_000
LIMIT_MOST = 200
SEARCH_SECONDS = 2.0

# What the indexes by date are narrowed by.
_WALKED: dict[str, Sql] = {
    "source": sql.SQL("a.source_id = (SELECT id FROM source WHERE key = %(source)s)"),
    "tier": sql.SQL("a.tier = %(tier)s"),
    "language": sql.SQL("a.language = %(language)s"),
    "since": sql.SQL("a.sort_at >= %(since)s"),
    "until": sql.SQL("a.sort_at < %(until)s"),
}
_FILTERS: dict[str, Sql] = {
    "method": sql.SQL("a.method = %(method)s"),
    "tag": sql.SQL("a.tags @> ARRAY[%(tag)s]"),
    "entity": sql.SQL("a.id IN (SELECT article_id FROM mention WHERE entity_id = %(entity)s)"),
    "watch": sql.SQL(
        "EXISTS (SELECT 1 FROM watch_hit h WHERE h.article_id = a.id AND h.entry_id = %(watch)s)"
    ),
    "min_score": sql.SQL(
        "EXISTS (SELECT 1 FROM article_score r"
        " WHERE r.article_id = a.id AND r.score >= %(min_score)s::real)"
    ),
}
FOLDED = sql.SQL("a.duplicate_of IS NULL")
AND = sql.SQL(" AND ")


async def wanted_of(conn: Conn, query: ArticleQuery) -> tuple[Wanted, Resolved | None]:
    """Return what a list of articles is narrowed to, with its search as it was resolved."""
    resolved = await resolve(conn, query.q, query.reader)
    return to_wanted(query, resolved), resolved


def to_wanted(
    query: ArticleQuery,
    resolved: Resolved | None = None,
    *,
    values: dict[str, object] | None = None,
) -> Wanted:
    """Return what a list of articles is narrowed to, its search resolved before.

    Those who share `values` may stand in one statement, if they are narrowed by searches alone:
    nothing is looked for that one of them could begin with.
    """
    wanted = Wanted() if values is None else Wanted(values=values, driven=False)
    for names, conditions in ((_WALKED, wanted.walked), (_FILTERS, wanted.filters)):
        for name, condition in names.items():
            value = getattr(query, name)
            if value is not None:
                conditions.append(condition)
                wanted.values[name] = real(value) if isinstance(value, float) else value
    if query.source is None and not of_source(resolved):
        wanted.walked.append(FOLDED)
    if query.tag is not None:
        tagged = _FILTERS["tag"]
        wanted.drivers.append(Driver(condition=tagged, estimated=(tagged,), answers=tagged))
    if resolved is not None:
        add_search(wanted, resolved)
    return wanted


@asynccontextmanager
async def bounded(database: Database, *, seconds: float | None = None) -> AsyncIterator[Conn]:
    """Yield a transaction whose statements end in time. Raises QueryError."""
    seconds = SEARCH_SECONDS if seconds is None else seconds
    async with database.transaction() as conn:
        # None at all would be no bound.
        limit = str(max(1, int(seconds * 1000)))
        await conn.execute("SELECT set_config('statement_timeout', %s, true)", (limit,))
        try:
            yield conn
        except QueryCanceled as error:
            raise QueryError(
                f"this question took longer than {seconds:g} seconds; "
                "narrow it by source, tier or time, or use rarer words"
            ) from error
        except DataError as error:
            said = error.diag.message_primary or "a value in it is none"
            raise QueryError(f"this question cannot be answered: {said}") from error


async def articles_by_ids(conn: Conn, ids: list[int]) -> list[ArticleSummary]:
    """Return articles in the order of their numbers as given."""
    if not ids:
        return []
    await conn.execute("SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = on")
    inner = sql.SQL("SELECT a.* FROM article a WHERE a.id = ANY(%(ids)s)")
    cursor = await conn.execute(SUMMARY.format(inner, sql.SQL("a.id")), {"ids": ids})
    found = {row[0]: to_summary(row) for row in await cursor.fetchall()}
    return [found[number] for number in ids if number in found]

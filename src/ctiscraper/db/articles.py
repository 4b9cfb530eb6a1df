"""Articles as they are read: lists by keyset, search within bounds, one in full."""

from dataclasses import replace
from functools import lru_cache

import msgspec
from psycopg import sql

from ctiscraper.db.article_filters import (
    AND,
    FOUND_MOST,
    LIMIT_MOST,
    articles_by_ids,
    bounded,
    to_wanted,
    wanted_of,
)
from ctiscraper.db.article_rows import DETAIL, LISTED_AT, SUMMARY, Row, to_detail, to_summary
from ctiscraper.db.best import best_neighbours, best_page
from ctiscraper.db.finding import NEWER, OLDER, Size, Way, find
from ctiscraper.db.listed import encoded_page
from ctiscraper.db.paging import Position, from_cursor, to_cursor
from ctiscraper.db.searched import PLAIN, Shown, searched_page
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.wanted import Sql, Wanted
from ctiscraper.errors import NotFoundError
from ctiscraper.views import (
    ArticleDetail,
    ArticlePage,
    ArticleQuery,
    ArticleSummary,
    DuplicateRef,
    RevisionRef,
    RevisionText,
    SightingRef,
    SourceRef,
)


class Articles:
    """The articles of this installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        query: ArticleQuery,
        *,
        cursor: str | None = None,
        limit: int = 50,
        shown: Shown = PLAIN,
    ) -> ArticlePage:
        """Return articles newest or best first, `limit` (1 to 200) from `cursor` on.

        Raises CursorError, and QueryError when the question cannot be answered in time.
        """
        if query.days is not None:
            return await best_page(self._database, query, cursor=cursor, limit=limit)
        limit = max(1, min(limit, LIMIT_MOST))
        if not _is_plain(query, shown):
            return await searched_page(self._database, query, cursor, limit, shown)
        rows, following = await self._walked(query, cursor, limit)
        return ArticlePage(articles=tuple(map(to_summary, rows)), next=following)

    async def encoded_page(
        self,
        query: ArticleQuery,
        *,
        cursor: str | None = None,
        limit: int = 50,
        shown: Shown = PLAIN,
    ) -> bytes:
        """Return what `page` does as JSON, a plain list in half the time.

        Raises as `page`.
        """
        if query.days is not None or not _is_plain(query, shown):
            found = await self.page(query, cursor=cursor, limit=limit, shown=shown)
            return msgspec.json.encode(found)
        return encoded_page(*await self._walked(query, cursor, max(1, min(limit, LIMIT_MOST))))

    async def neighbours(
        self, query: ArticleQuery, article: ArticleDetail
    ) -> tuple[ArticleSummary | None, ArticleSummary | None]:
        """Return the articles just before and just after one in a list."""
        if query.days is not None:
            return await best_neighbours(self._database, query, article)
        position = Position(article.listed_at, article.id)
        newer = await self._beside(query, position, NEWER)
        older = await self._beside(query, position, OLDER)
        return (newer[0] if newer else None, older[0] if older else None)

    async def matching(self, query: ArticleQuery) -> tuple[int, ...]:
        """Return the numbers of the articles of a list, 15,000 at most.

        Without words or a tag these are the newest. Raises QueryError.
        """
        async with bounded(self._database) as conn:
            wanted, _ = await wanted_of(conn, query)
            # What people made of articles is looked up in its own tables, without a cap here.
            listed = [
                sql.SQL("a.id IN ({})").format(one.listed)
                for one in wanted.drivers
                if one.listed is not None and one.articles is None
            ]
            conditions = [*wanted.conditions, *listed]
            statement = sql.SQL("SELECT a.id FROM article a WHERE {} {} LIMIT %(most)s").format(
                AND.join(conditions) if conditions else sql.SQL("true"),
                # A walk by date would pass over a million rows for a miss.
                sql.SQL("") if wanted.drivers else sql.SQL("ORDER BY {}").format(OLDER[1]),
            )
            cursor = await conn.execute(
                statement, {**wanted.values, "most": FOUND_MOST, "cap": None}, prepare=False
            )
            return tuple(row[0] for row in await cursor.fetchall())

    async def get(self, article_id: int) -> ArticleDetail:
        """Return one article with all that is known of it. Raises NotFoundError."""
        async with self._database.transaction() as conn:
            cursor = await conn.execute(DETAIL, {"id": article_id})
            row = await cursor.fetchone()
            if row is None:
                raise NotFoundError(f"there is no article number {article_id}")
            article = to_detail(row)
            return replace(
                article,
                revisions=await _revisions(conn, article),
                sightings=await _sightings(conn, article_id),
                duplicates=await _duplicates(conn, article_id),
            )

    async def revision(self, article_id: int, number: int) -> RevisionText:
        """Return the words of one revision, the current one included. Raises NotFoundError."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT number, title, text, stored_at FROM article_revision
                WHERE article_id = %(id)s AND number = %(number)s
                UNION ALL
                SELECT revision, title, text, coalesce(updated_at, collected_at) FROM article
                WHERE id = %(id)s AND revision = %(number)s
                LIMIT 1
                """,
                {"id": article_id, "number": number},
            )
            row = await cursor.fetchone()
        if row is None:
            raise NotFoundError(f"article {article_id} has no revision {number}")
        return RevisionText(number=row[0], title=row[1], text=row[2], stored_at=row[3])

    async def languages(self) -> tuple[str, ...]:
        """Return the languages that articles are in, by a loose walk of their index."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                WITH RECURSIVE each AS (
                    (SELECT language FROM article
                        WHERE duplicate_of IS NULL AND language IS NOT NULL
                        ORDER BY language LIMIT 1)
                    UNION ALL
                    SELECT (SELECT a.language FROM article a
                        WHERE a.duplicate_of IS NULL AND a.language > each.language
                        ORDER BY a.language LIMIT 1)
                    FROM each WHERE each.language IS NOT NULL
                )
                SELECT language FROM each WHERE language IS NOT NULL LIMIT 100
                """
            )
            return tuple(row[0] for row in await cursor.fetchall())

    async def _beside(self, query: ArticleQuery, place: Position, way: Way) -> list[ArticleSummary]:
        if query.q is None and query.tag is None:
            return [to_summary(row) for row in await self._rows(query, place, 1, way=way)]
        async with bounded(self._database) as conn:
            wanted, _ = await wanted_of(conn, query)
            found = await find(conn, wanted, place, Size(1, 1), way=way)
            return await articles_by_ids(conn, found.ids)

    async def _walked(
        self, query: ArticleQuery, cursor: str | None, limit: int
    ) -> tuple[list[Row], str | None]:
        """The rows of a page of a plain list, and the cursor of the next."""
        after = None if cursor is None else from_cursor(cursor)
        rows = await self._rows(query, after, limit + 1)
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], to_cursor(Position(last[LISTED_AT], last[0]))

    async def _rows(
        self, query: ArticleQuery, after: Position | None, limit: int, *, way: Way = OLDER
    ) -> list[Row]:
        """Articles along an index; what has none of its own is a bounded walk."""
        wanted = to_wanted(query)
        if after is not None:
            wanted.walked.append(way[0])
            wanted.values |= {"at": after.at, "id": after.id}
        narrow = (query.method, query.min_score, query.watch, query.entity)
        if all(one is None for one in narrow):
            async with self._database.connection() as conn:
                return await _walk(conn, wanted, way[1], limit)
        async with bounded(self._database) as conn:
            return await _walk(conn, wanted, way[1], limit)


def _is_plain(query: ArticleQuery, shown: Shown) -> bool:
    """Whether a list is walked along an index, without a search."""
    return query.q is None and query.tag is None and not shown.facets


async def _walk(conn: Conn, wanted: Wanted, order: Sql, limit: int) -> list[Row]:
    """The articles along an index in list order."""
    conditions = tuple(one.as_string() for one in wanted.conditions)
    statement = _walk_statement(conditions, order.as_string(), limit)
    cursor = await conn.execute(statement, wanted.values, binary=True)
    return list(await cursor.fetchall())


@lru_cache(maxsize=256)
def _walk_statement(conditions: tuple[str, ...], order: str, limit: int) -> bytes:
    """Put the statement of a list together, of which there are few.

    Were the limit a value, the server would plan each time anew: it could be anything.
    """
    condition = " AND ".join(conditions) or "true"
    inner = f"SELECT a.* FROM article a WHERE {condition} ORDER BY {order} LIMIT {limit}"  # noqa: S608 - of constants
    return SUMMARY.format(sql.SQL(inner), sql.SQL(order)).as_bytes()


async def _revisions(conn: Conn, article: ArticleDetail) -> tuple[RevisionRef, ...]:
    cursor = await conn.execute(
        """
        SELECT number, title, stored_at, replaced_at, cause FROM article_revision
        WHERE article_id = %s ORDER BY number DESC LIMIT 100
        """,
        (article.id,),
    )
    current = RevisionRef(
        number=article.revision,
        title=article.title,
        stored_at=article.updated_at or article.collected_at,
        replaced_at=None,
        cause=None,
    )
    return (
        current,
        *(
            RevisionRef(
                number=row[0], title=row[1], stored_at=row[2], replaced_at=row[3], cause=row[4]
            )
            for row in await cursor.fetchall()
        ),
    )


async def _sightings(conn: Conn, article_id: int) -> tuple[SightingRef, ...]:
    cursor = await conn.execute(
        """
        SELECT s.key, s.name, j.url, g.seen_at, g.first
        FROM fetch_job j
        JOIN sighting g ON g.job_id = j.id
        JOIN source s ON s.id = g.source_id
        WHERE j.article_id = %s ORDER BY g.seen_at, g.first DESC LIMIT 100
        """,
        (article_id,),
    )
    return tuple(
        SightingRef(
            source=SourceRef(key=row[0], name=row[1]), url=row[2], seen_at=row[3], first=row[4]
        )
        for row in await cursor.fetchall()
    )


async def _duplicates(conn: Conn, article_id: int) -> tuple[DuplicateRef, ...]:
    cursor = await conn.execute(
        """
        SELECT d.id, d.title, s.key, s.name, d.sort_at, d.similarity
        FROM article d JOIN source s ON s.id = d.source_id
        WHERE d.duplicate_of = %s ORDER BY d.sort_at, d.id LIMIT 100
        """,
        (article_id,),
    )
    return tuple(
        DuplicateRef(
            id=row[0],
            title=row[1],
            source=SourceRef(key=row[2], name=row[3]),
            listed_at=row[4],
            similarity=row[5],
        )
        for row in await cursor.fetchall()
    )

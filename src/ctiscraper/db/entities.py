"""The things that articles name: lists, one in full, its articles, and many values at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import sql

from ctiscraper.db.article_rows import SUMMARY, to_summary
from ctiscraper.db.entity_rows import (
    COLUMNS,
    MENTION,
    VERDICT,
    WIDTH,
    to_entity,
    to_mention,
    to_verdict,
)
from ctiscraper.db.mentions import LEVELS, backwards, key_of
from ctiscraper.db.paging import Position, from_cursor, to_cursor
from ctiscraper.db.session import Conn, Database
from ctiscraper.entity_views import (
    Answered,
    EntityDetail,
    EntityInSource,
    EntityPage,
    EntitySighting,
    EntitySummary,
    MentionView,
    Neighbour,
    SightingPage,
    TeamVerdict,
)
from ctiscraper.errors import NotFoundError
from ctiscraper.intelligence import Verdict
from ctiscraper.views import ArticleSummary, SourceRef

LIMIT_MOST = 200
LOOKUP_MOST = 10_000
# Things in more articles than this say nothing of what two articles have in common.
RARE = 50
_BESIDE_ARTICLES = 100
_EXCERPT = 300
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityQuery:
    """What a list of things is narrowed to; None or nothing leaves that side open.

    `q` begins the name, or the value where there is none; `under` is a domain, itself and all
    below it; `source` names the things that this source named.
    """

    kinds: Sequence[str] = ()
    verdicts: Sequence[str] = ()
    q: str | None = None
    under: str | None = None
    source: str | None = None


class Entities:
    """The things that the articles of this installation name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, query: EntityQuery, *, cursor: str | None = None, limit: int = 50
    ) -> EntityPage:
        """Return things, the newest known first, `limit` (1 to 200) from `cursor` on.

        Raises CursorError.
        """
        limit = max(1, min(limit, LIMIT_MOST))
        conditions, values = _conditions(query)
        if cursor is not None:
            conditions.append(sql.SQL("e.id < %(after)s"))
            values["after"] = from_cursor(cursor).id
        statement = sql.SQL(
            "SELECT {} FROM entity e WHERE {} ORDER BY e.id DESC LIMIT %(limit)s"
        ).format(COLUMNS, sql.SQL(" AND ").join(conditions))
        async with self._database.connection() as conn:
            found = await conn.execute(statement, {**values, "limit": limit + 1})
            entities = [to_entity(row) for row in await found.fetchall()]
        more = len(entities) > limit
        entities = entities[:limit]
        return EntityPage(
            entities=tuple(entities),
            next=to_cursor(Position(_EPOCH, entities[-1].id)) if more else None,
        )

    async def get(self, entity_id: int) -> EntityDetail:
        """Return one thing with all that is known of it. Raises NotFoundError."""
        async with self._database.transaction() as conn:
            entity = await _one(conn, entity_id)
            return EntityDetail(
                summary=entity,
                by_source=await _by_source(conn, entity_id),
                beside=await _beside(conn, entity_id),
                verdicts=await verdicts_of(conn, entity_id),
            )

    async def find(self, kind: str, value: str) -> EntitySummary:
        """Return the thing of a kind with this value, as texts have it. Raises NotFoundError."""
        statement = sql.SQL("SELECT {} FROM entity e WHERE e.key = %s").format(COLUMNS)
        async with self._database.connection() as conn:
            cursor = await conn.execute(statement, (key_of(kind, value),))
            row = await cursor.fetchone()
        if row is None:
            raise NotFoundError(f"no article names the {kind} {value}")
        return to_entity(row)

    async def sightings(
        self, entity_id: int, *, cursor: str | None = None, limit: int = 50
    ) -> SightingPage:
        """Return the articles that name a thing, newest first.

        Raises NotFoundError and CursorError.
        """
        limit = max(1, min(limit, LIMIT_MOST))
        after = None if cursor is None else from_cursor(cursor)
        async with self._database.transaction() as conn:
            await _one(conn, entity_id)
            found = await _sightings(conn, entity_id, after, limit + 1)
        more = len(found) > limit
        found = found[:limit]
        last = found[-1].article if more else None
        return SightingPage(
            sightings=tuple(found),
            next=to_cursor(Position(last.listed_at, last.id)) if last else None,
        )

    async def of_article(self, article_id: int) -> tuple[MentionView, ...]:
        """Return what an article names, in the order of its text."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(MENTION, {"article": article_id})
            return tuple(to_mention(row) for row in await cursor.fetchall())

    async def neighbours(self, article_id: int, *, limit: int = 10) -> tuple[Neighbour, ...]:
        """Return the articles that share most of the rare things that an article names."""
        async with self._database.transaction() as conn:
            cursor = await conn.execute(
                _NEIGHBOURS, {"article": article_id, "rare": RARE, "limit": limit}
            )
            shared = {row[0]: row[1] for row in await cursor.fetchall()}
            articles = await _articles(conn, list(shared))
            things = await _by_ids(conn, sorted({one for ids in shared.values() for one in ids}))
        return tuple(
            Neighbour(
                article=articles[number],
                shared=tuple(things[one] for one in ids if one in things),
            )
            for number, ids in shared.items()
            if number in articles
        )

    async def lookup(self, values: Sequence[tuple[str, str]]) -> tuple[Answered, ...]:
        """Return what is known of up to 10,000 pairs of kind and value, in their order."""
        keys = [key_of(kind, value) for kind, value in values[:LOOKUP_MOST]]
        statement = sql.SQL("SELECT {}, e.key FROM entity e WHERE e.key = ANY(%s)").format(COLUMNS)
        async with self._database.connection() as conn:
            cursor = await conn.execute(statement, (keys,), binary=True)
            known = {bytes(row[WIDTH]): to_entity(row) for row in await cursor.fetchall()}
        return tuple(
            _answer(kind, value, known.get(key))
            for (kind, value), key in zip(values, keys, strict=False)
        )


def _answer(kind: str, value: str, entity: EntitySummary | None) -> Answered:
    if entity is None or not entity.articles:
        return Answered(kind=kind, value=value, state="unknown", entity=None)
    state = "benign" if entity.verdict == Verdict.BENIGN else "known"
    return Answered(kind=kind, value=value, state=state, entity=entity)


def _conditions(query: EntityQuery) -> tuple[list[sql.Composable], dict[str, object]]:
    conditions: list[sql.Composable] = [sql.SQL("e.articles > 0")]
    values: dict[str, object] = {}
    if query.kinds:
        conditions.append(sql.SQL("e.kind = ANY(%(kinds)s)"))
        values["kinds"] = list(query.kinds)
    if query.verdicts:
        conditions.append(
            sql.SQL("(e.team = ANY(%(verdicts)s) OR e.team IS NULL AND e.level = ANY(%(levels)s))")
        )
        values["verdicts"] = list(query.verdicts)
        values["levels"] = [LEVELS[Verdict(name)] for name in query.verdicts]
    if query.q:
        conditions.append(
            sql.SQL(
                "lower(left(coalesce(nullif(e.name, ''), e.value), 100)) LIKE lower(%(q)s) || '%%'"
            )
        )
        values["q"] = query.q[:100].replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    if query.under:
        conditions.append(sql.SQL("(e.host = %(under)s OR e.host LIKE %(below)s)"))
        host = backwards(query.under.lower())
        values["under"] = host
        values["below"] = host.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + ".%"
    if query.source:
        conditions.append(
            sql.SQL(
                "EXISTS (SELECT 1 FROM entity_source es JOIN source s ON s.id = es.source_id "
                "WHERE es.entity_id = e.id AND s.key = %(source)s)"
            )
        )
        values["source"] = query.source
    return conditions, values


async def _one(conn: Conn, entity_id: int) -> EntitySummary:
    statement = sql.SQL("SELECT {} FROM entity e WHERE e.id = %s").format(COLUMNS)
    cursor = await conn.execute(statement, (entity_id,))
    row = await cursor.fetchone()
    if row is None:
        raise NotFoundError(f"there is no indicator or name number {entity_id}")
    return to_entity(row)


async def _by_ids(conn: Conn, ids: list[int]) -> dict[int, EntitySummary]:
    statement = sql.SQL("SELECT {} FROM entity e WHERE e.id = ANY(%s)").format(COLUMNS)
    cursor = await conn.execute(statement, (ids,))
    return {row[0]: to_entity(row) for row in await cursor.fetchall()}


async def _by_source(conn: Conn, entity_id: int) -> tuple[EntityInSource, ...]:
    cursor = await conn.execute(
        """
        SELECT s.key, s.name, es.articles, es.first_seen, es.last_seen
        FROM entity_source es JOIN source s ON s.id = es.source_id
        WHERE es.entity_id = %s ORDER BY es.first_seen, s.key LIMIT 200
        """,
        (entity_id,),
    )
    return tuple(
        EntityInSource(
            source=SourceRef(key=row[0], name=row[1]),
            articles=row[2],
            first_seen=row[3],
            last_seen=row[4],
        )
        for row in await cursor.fetchall()
    )


async def _beside(conn: Conn, entity_id: int) -> tuple[EntitySummary, ...]:
    """What stands in the same recent articles and in few others."""
    statement = sql.SQL(
        """
        WITH recent AS (
            SELECT article_id FROM mention WHERE entity_id = %(id)s
            ORDER BY seen_at DESC, article_id DESC LIMIT %(articles)s
        ),
        beside AS (
            SELECT m.entity_id, count(*) AS together
            FROM recent r JOIN mention m USING (article_id)
            WHERE m.entity_id <> %(id)s GROUP BY m.entity_id
        )
        SELECT {} FROM beside b JOIN entity e ON e.id = b.entity_id
        ORDER BY b.together::real / greatest(e.articles, 1) * sqrt(b.together) DESC, e.id
        LIMIT 20
        """
    ).format(COLUMNS)
    cursor = await conn.execute(statement, {"id": entity_id, "articles": _BESIDE_ARTICLES})
    return tuple(to_entity(row) for row in await cursor.fetchall())


async def verdicts_of(conn: Conn, entity_id: int) -> tuple[TeamVerdict, ...]:
    """Return what the team decided of a thing or of a domain above it, undone ones too."""
    statement = VERDICT + sql.SQL(
        """
        JOIN entity e ON e.id = %s AND (v.key = e.key
            OR (v.scope = 'domain' AND (e.host = v.value OR starts_with(e.host, v.value || '.'))))
        ORDER BY v.id DESC LIMIT 100
        """
    )
    cursor = await conn.execute(statement, (entity_id,))
    return tuple(to_verdict(row) for row in await cursor.fetchall())


async def _sightings(
    conn: Conn, entity_id: int, after: Position | None, limit: int
) -> list[EntitySighting]:
    place = "AND (m.seen_at, m.article_id) < (%(at)s, %(after)s)" if after else ""
    cursor = await conn.execute(
        f"""
        SELECT m.article_id, m.count, coalesce(e.team, m.verdict), m.reasons, m.alias, m.rule,
            m.starts[1], m.ends[1],
            substr(a.text, greatest(m.starts[1] - {_EXCERPT}, 0) + 1,
                least(m.ends[1] - m.starts[1], {_EXCERPT}) + 2 * {_EXCERPT})
        FROM mention m JOIN entity e ON e.id = m.entity_id JOIN article a ON a.id = m.article_id
        WHERE m.entity_id = %(id)s {place}
        ORDER BY m.seen_at DESC, m.article_id DESC LIMIT %(limit)s
        """,  # noqa: S608 - constants of this module
        {
            "id": entity_id,
            "limit": limit,
            "at": after.at if after else None,
            "after": after.id if after else None,
        },
    )
    rows = await cursor.fetchall()
    articles = await _articles(conn, [row[0] for row in rows])
    return [
        EntitySighting(
            article=articles[row[0]],
            count=row[1],
            verdict=row[2],
            reasons=tuple(row[3]),
            alias=row[4],
            rule=row[5],
            excerpt=row[8],
            start=min(row[6], _EXCERPT),
            end=min(row[6], _EXCERPT) + row[7] - row[6],
        )
        for row in rows
        if row[0] in articles
    ]


async def _articles(conn: Conn, ids: list[int]) -> dict[int, ArticleSummary]:
    inner = sql.SQL("SELECT a.* FROM article a WHERE a.id = ANY(%(ids)s)")
    cursor = await conn.execute(SUMMARY.format(inner, sql.SQL("a.id")), {"ids": ids})
    return {row[0]: to_summary(row) for row in await cursor.fetchall()}


_NEIGHBOURS = """
SELECT o.article_id, array_agg(o.entity_id ORDER BY e.articles, o.entity_id)
FROM mention m
JOIN entity e ON e.id = m.entity_id AND e.articles BETWEEN 2 AND %(rare)s
JOIN mention o ON o.entity_id = m.entity_id AND o.article_id <> m.article_id
WHERE m.article_id = %(article)s AND coalesce(e.team, m.verdict, '') <> 'benign'
GROUP BY o.article_id
ORDER BY sum(1.0 / e.articles) DESC, o.article_id DESC LIMIT %(limit)s
"""

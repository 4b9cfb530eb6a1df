"""The things that articles name: lists, one in full, its articles, and many values at once."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import sql
from psycopg.errors import QueryCanceled

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
from ctiscraper.db.mentions import backwards, key_of
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
from ctiscraper.errors import NotFoundError, QueryError
from ctiscraper.intelligence import Name, Verdict
from ctiscraper.views import ArticleSummary, SourceRef

LIMIT_MOST = 200
LOOKUP_MOST = 10_000
# Things in more articles than this say nothing of what two articles have in common.
RARE = 50
_BESIDE_ARTICLES = 100
# Of an article that is a long list no more are looked at.
_BESIDE_MOST = 200
LIST_SECONDS = 5.0
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
        statement, values = _list(query, None if cursor is None else from_cursor(cursor).id)
        async with self._bounded() as conn:
            # Planned for these values each time: how many there are of them decides how.
            found = await conn.execute(statement, {**values, "limit": limit + 1}, prepare=False)
            entities = [to_entity(row) for row in await found.fetchall()]
        more = len(entities) > limit
        entities = entities[:limit]
        return EntityPage(
            entities=tuple(entities),
            next=to_cursor(Position(_EPOCH, entities[-1].id)) if more else None,
        )

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[Conn]:
        """Yield a transaction whose statements end in time. Raises QueryError."""
        async with self._database.transaction() as conn:
            limit = str(int(LIST_SECONDS * 1000))
            await conn.execute("SELECT set_config('statement_timeout', %s, true)", (limit,))
            try:
                yield conn
            except QueryCanceled as error:
                raise QueryError(
                    f"this list took longer than {LIST_SECONDS:g} seconds; narrow it by kind, "
                    "or give more of the beginning"
                ) from error

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
                _NEIGHBOURS,
                {"article": article_id, "rare": RARE, "most": _BESIDE_MOST, "limit": limit},
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
        # In binary: as text ten thousand of them cost more than all the rest.
        statement = sql.SQL("SELECT {}, e.key FROM entity e WHERE e.key = ANY(%b)").format(COLUMNS)
        async with self._database.connection() as conn:
            cursor = await conn.execute(statement, (keys,), binary=True)
            known = {bytes(row[WIDTH]): to_entity(row) for row in await cursor.fetchall()}
        return tuple(
            _answer(kind, value, known.get(key))
            for (kind, value), key in zip(values, keys, strict=False)
        )

    async def named(self, labels: Sequence[str]) -> dict[str, EntitySummary]:
        """Return the names, such as of actors or malware, among up to 10,000 words in lower case.

        Of several kinds with one name it is the one that more articles have.
        """
        statement = sql.SQL(
            """
            SELECT {}, {} FROM entity e WHERE {} = ANY(%(labels)b) AND e.kind = ANY(%(names)s)
                AND e.articles > 0 ORDER BY e.articles, e.id
            """
        ).format(COLUMNS, _LABEL, _LABEL)
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                statement, {"labels": list(labels[:LOOKUP_MOST]), "names": _NAMES}
            )
            return {row[WIDTH]: to_entity(row) for row in await cursor.fetchall()}


def _answer(kind: str, value: str, entity: EntitySummary | None) -> Answered:
    if entity is None or not entity.articles:
        return Answered(kind=kind, value=value, state="unknown", entity=None)
    state = "benign" if entity.verdict == Verdict.BENIGN else "known"
    return Answered(kind=kind, value=value, state=state, entity=entity)


_NAMES = [name.value for name in Name]
# These as the indexes have them.
_LABEL = sql.SQL("lower(left(coalesce(nullif(e.name, ''), e.value), 100))")
_HELD = sql.SQL(
    """coalesce(e.team, CASE e.level WHEN 3 THEN 'malicious' WHEN 2 THEN 'suspicious'
    WHEN 1 THEN 'mentioned' ELSE 'benign' END)"""
)
# The kinds that there are, by a loose walk of their index.
_KINDS = sql.SQL(
    """
    WITH RECURSIVE each AS (
        (SELECT kind FROM entity ORDER BY kind LIMIT 1)
        UNION ALL
        SELECT (SELECT n.kind FROM entity n WHERE n.kind > each.kind ORDER BY n.kind LIMIT 1)
        FROM each WHERE each.kind IS NOT NULL
    ),
    kinds AS (SELECT kind FROM each WHERE kind IS NOT NULL)
    """
)
_GIVEN_KINDS = sql.SQL("WITH kinds AS (SELECT DISTINCT unnest(%(kinds)s::text[]) AS kind)")


def _list(query: EntityQuery, after: int | None) -> tuple[sql.Composed, dict[str, object]]:
    """Return the statement of a list, which walks indexes in its order wherever they allow it."""
    conditions, values = _conditions(query)
    if after is not None:
        conditions.append(sql.SQL("e.id < %(after)s"))
        values["after"] = after
    if query.source or not (query.kinds or query.verdicts):
        return _walk(query, conditions, values), values
    return _merge(query, conditions, values), values


def _walk(
    query: EntityQuery, conditions: list[sql.Composable], values: dict[str, object]
) -> sql.Composed:
    """All things, or those of a source, in their order."""
    joined = sql.SQL("")
    if query.source:
        joined = sql.SQL(
            "JOIN entity_source es ON es.entity_id = e.id "
            "AND es.source_id = (SELECT id FROM source WHERE key = %(source)s)"
        )
        values["source"] = query.source
    if query.kinds:
        conditions.append(sql.SQL("e.kind = ANY(%(kinds)s)"))
        values["kinds"] = list(query.kinds)
    if query.verdicts:
        conditions.append(sql.SQL("{} = ANY(%(verdicts)s)").format(_HELD))
        conditions.append(sql.SQL("e.kind <> ALL(%(names)s)"))
        values |= {"verdicts": list(query.verdicts), "names": _NAMES}
    return sql.SQL("SELECT {} FROM entity e {} WHERE {} ORDER BY e.id DESC LIMIT %(limit)s").format(
        COLUMNS, joined, sql.SQL(" AND ").join(conditions)
    )


def _merge(
    query: EntityQuery, conditions: list[sql.Composable], values: dict[str, object]
) -> sql.Composed:
    """The things of each kind and verdict in their order, and the newest of all these."""
    conditions += [sql.SQL("e.kind = k.kind"), sql.SQL("{} = v.held").format(_HELD)]
    values |= {
        "kinds": list(query.kinds),
        "verdicts": sorted(set(query.verdicts) or set(Verdict)),
        "names": _NAMES,
    }
    # Nobody judges a name: none is benign for that.
    judged = sql.SQL("k.kind <> ALL(%(names)s)" if query.verdicts else "true")
    return sql.SQL(
        """
        {} SELECT {} FROM kinds k CROSS JOIN unnest(%(verdicts)s::text[]) AS v (held)
        CROSS JOIN LATERAL (
            SELECT e.* FROM entity e WHERE {} ORDER BY e.id DESC LIMIT %(limit)s
        ) e WHERE {} ORDER BY e.id DESC LIMIT %(limit)s
        """
    ).format(
        _GIVEN_KINDS if query.kinds else _KINDS,
        COLUMNS,
        sql.SQL(" AND ").join(conditions),
        judged,
    )


def _conditions(query: EntityQuery) -> tuple[list[sql.Composable], dict[str, object]]:
    conditions: list[sql.Composable] = [sql.SQL("e.articles > 0")]
    values: dict[str, object] = {}
    if query.q:
        conditions.append(sql.SQL("{} LIKE lower(%(q)s) || '%%'").format(_LABEL))
        values["q"] = _escaped(query.q[:100])
    if query.under:
        conditions.append(sql.SQL("(e.host = %(under)s OR e.host LIKE %(below)s)"))
        host = backwards(query.under.lower().strip("."))
        values |= {"under": host, "below": f"{_escaped(host)}.%"}
    return conditions, values


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


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
            FROM recent r CROSS JOIN LATERAL (SELECT m.entity_id FROM mention m
                WHERE m.article_id = r.article_id AND m.entity_id <> %(id)s LIMIT %(most)s) m
            GROUP BY m.entity_id
        )
        SELECT {} FROM beside b JOIN entity e ON e.id = b.entity_id
        ORDER BY b.together::real / greatest(e.articles, 1) * sqrt(b.together) DESC, e.id
        LIMIT 20
        """
    ).format(COLUMNS)
    cursor = await conn.execute(
        statement, {"id": entity_id, "articles": _BESIDE_ARTICLES, "most": _BESIDE_MOST}
    )
    return tuple(to_entity(row) for row in await cursor.fetchall())


async def verdicts_of(conn: Conn, entity_id: int) -> tuple[TeamVerdict, ...]:
    """Return what the team decided of a thing or of a domain above it, undone ones too."""
    statement = VERDICT + sql.SQL(
        """
        WHERE v.id IN (
            SELECT o.id FROM entity e JOIN verdict o ON o.key = e.key WHERE e.id = %(id)s
            UNION ALL
            SELECT o.id FROM entity e CROSS JOIN LATERAL
                generate_series(1, cardinality(string_to_array(e.host, '.'))) AS n
            JOIN verdict o ON o.scope = 'domain'
                AND o.value = array_to_string((string_to_array(e.host, '.'))[:n], '.')
            WHERE e.id = %(id)s)
        ORDER BY v.id DESC LIMIT 100
        """
    )
    cursor = await conn.execute(statement, {"id": entity_id})
    return tuple(to_verdict(row) for row in await cursor.fetchall())


# The first place; of what was recognised by its id the first that has it, among a few.
_TELLING = """
    SELECT o.start, o.stop
    FROM unnest(m.starts[1:8], m.ends[1:8]) WITH ORDINALITY AS o (start, stop, number)
    ORDER BY m.rule = 'id'
        AND strpos(substr(a.text, o.start + 1, o.stop - o.start), e.value) = 0, o.number
    LIMIT 1
"""


async def _sightings(
    conn: Conn, entity_id: int, after: Position | None, limit: int
) -> list[EntitySighting]:
    place = "AND (m.seen_at, m.article_id) < (%(at)s, %(after)s)" if after else ""
    cursor = await conn.execute(
        f"""
        SELECT m.article_id, m.count, coalesce(e.team, m.verdict), m.reasons, m.alias, m.rule,
            p.start, p.stop,
            substr(a.text, greatest(p.start - {_EXCERPT}, 0) + 1,
                least(p.stop - p.start, {_EXCERPT}) + 2 * {_EXCERPT})
        FROM mention m JOIN entity e ON e.id = m.entity_id JOIN article a ON a.id = m.article_id
        CROSS JOIN LATERAL ({_TELLING}) p
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
SELECT o.article_id, array_agg(e.id ORDER BY e.articles, e.id)
FROM (
    SELECT e.id, e.articles FROM mention m
    JOIN entity e ON e.id = m.entity_id AND e.articles BETWEEN 2 AND %(rare)s
    WHERE m.article_id = %(article)s AND coalesce(e.team, m.verdict, '') <> 'benign'
    ORDER BY e.articles, e.id LIMIT %(most)s
) e
JOIN mention o ON o.entity_id = e.id AND o.article_id <> %(article)s
GROUP BY o.article_id
ORDER BY sum(1.0 / e.articles) DESC, o.article_id DESC LIMIT %(limit)s
"""

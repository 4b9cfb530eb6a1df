"""How many articles of a search or a time name each technique."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.errors import QueryCanceled

from ctiscraper.db.entity_rows import COLUMNS, WIDTH, to_entity
from ctiscraper.db.session import Database
from ctiscraper.entity_views import EntitySummary
from ctiscraper.errors import QueryError
from ctiscraper.intelligence import Name

COUNT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TechniqueCount:
    """A technique, and how many of the asked articles name it."""

    technique: EntitySummary
    articles: int


class Techniques:
    """The techniques that articles name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self, article_ids: Sequence[int]) -> tuple[TechniqueCount, ...]:
        """Return the techniques that these articles name, those of the most articles first.

        Raises QueryError when that takes too long.
        """
        statement = sql.SQL(
            """
            WITH techniques AS MATERIALIZED (SELECT id FROM entity WHERE kind = %(kind)s),
            counted AS (
                SELECT m.entity_id, count(*) AS articles
                FROM mention m JOIN techniques t ON t.id = m.entity_id
                WHERE m.article_id = ANY(%(ids)s) GROUP BY m.entity_id
            )
            SELECT {}, c.articles FROM counted c JOIN entity e ON e.id = c.entity_id
            ORDER BY c.articles DESC, e.value
            """
        ).format(COLUMNS)
        values = {"kind": Name.TECHNIQUE.value, "ids": list(article_ids)}
        async with self._database.transaction() as conn:
            limit = str(int(COUNT_SECONDS * 1000))
            await conn.execute("SELECT set_config('statement_timeout', %s, true)", (limit,))
            try:
                rows = await (await conn.execute(statement, values)).fetchall()
            except QueryCanceled as error:
                raise QueryError(
                    f"counting techniques took longer than {COUNT_SECONDS:g} seconds; "
                    "narrow it by source, words or time"
                ) from error
        return tuple(TechniqueCount(technique=to_entity(row), articles=row[WIDTH]) for row in rows)

"""What an article's page shows beside its mentions: what was decided on what it names."""

from dataclasses import dataclass

from psycopg import sql

from ctiscraper.db.entity_rows import VERDICT, to_verdict
from ctiscraper.db.mentions import backwards
from ctiscraper.db.session import Database
from ctiscraper.entity_views import TeamVerdict
from ctiscraper.errors import NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a decision on a thing is made of: its whole value, and the host that it is on."""

    kind: str
    value: str
    host: str


class Evidence:
    """What is known of claims beside what they say."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def decisions(self, article_id: int) -> dict[int, tuple[TeamVerdict, ...]]:
        """Return the decisions that hold for what an article names, by the number of the thing.

        Those that hold for the article's source alone come first.
        """
        statement = sql.SQL(
            """
            SELECT v.*, t.entity FROM (
                SELECT e.id AS entity, v.id AS verdict
                FROM mention m JOIN entity e ON e.id = m.entity_id
                JOIN verdict v ON v.undone_at IS NULL AND (v.id = e.team_verdict
                    OR (v.key = e.key AND v.scope = 'source' AND v.source_id = m.source_id))
                WHERE m.article_id = %s
            ) t JOIN ({}) v ON v.id = t.verdict ORDER BY v.scope = 'source' DESC, v.id DESC
            """
        ).format(VERDICT)
        found: dict[int, list[TeamVerdict]] = {}
        async with self._database.connection() as conn:
            cursor = await conn.execute(statement, (article_id,))
            for row in await cursor.fetchall():
                found.setdefault(row[-1], []).append(to_verdict(row))
        return {entity: tuple(verdicts) for entity, verdicts in found.items()}

    async def judged(self, entity_id: int) -> Judged:
        """Return a thing as decisions name it. Raises NotFoundError."""
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                "SELECT kind, value, coalesce(host, '') FROM entity WHERE id = %s", (entity_id,)
            )
            row = await cursor.fetchone()
        if row is None:
            raise NotFoundError(f"there is no indicator or name number {entity_id}")
        return Judged(kind=row[0], value=row[1], host=backwards(row[2]))

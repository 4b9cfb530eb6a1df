"""What an article's page shows beside its mentions: how it was looked through, what was decided."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from ctiscraper.db.enrichments import STAGE
from ctiscraper.db.entity_rows import COLUMNS, VERDICT, to_entity, to_verdict
from ctiscraper.db.mentions import backwards
from ctiscraper.db.session import Database
from ctiscraper.entity_views import EntitySummary, TeamVerdict
from ctiscraper.errors import NotFoundError

_MOST_NAMED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedThrough:
    """How a revision of an article was looked through.

    `added` and `removed` are the first of the things that it names unlike what was known of the
    article before; their counts are of all. `failure` says why nothing could be found.
    """

    failure: str
    notes: tuple[str, ...]
    versions: Mapping[str, str]
    added: tuple[EntitySummary, ...]
    added_count: int
    removed: tuple[EntitySummary, ...]
    removed_count: int


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

    async def looked_through(self, article_id: int, revision: int) -> LookedThrough | None:
        """Return how a revision was looked through, None while it still waits for it."""
        async with self._database.transaction() as conn:
            cursor = await conn.execute(
                """
                SELECT result FROM analysis
                WHERE article_id = %s AND revision = %s AND stage = %s
                ORDER BY version DESC LIMIT 1
                """,
                (article_id, revision, STAGE),
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            result = row[0]
            added, removed = result.get("added", []), result.get("removed", [])
            shown = [*added[:_MOST_NAMED], *removed[:_MOST_NAMED]]
            statement = sql.SQL("SELECT {} FROM entity e WHERE e.id = ANY(%s)").format(COLUMNS)
            cursor = await conn.execute(statement, (shown,))
            things = {one[0]: to_entity(one) for one in await cursor.fetchall()}
        return LookedThrough(
            failure=result.get("failure", ""),
            notes=tuple(result.get("notes", ())),
            versions=result.get("versions", {}),
            added=tuple(things[one] for one in added[:_MOST_NAMED] if one in things),
            added_count=len(added),
            removed=tuple(things[one] for one in removed[:_MOST_NAMED] if one in things),
            removed_count=len(removed),
        )

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

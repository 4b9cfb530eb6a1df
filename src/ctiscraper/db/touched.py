"""Which articles a change of a data pack touches."""

from collections.abc import Sequence

from ctiscraper.db.enrichments import Enrichments
from ctiscraper.db.search import CONFIG
from ctiscraper.db.session import Database
from ctiscraper.packs.changes import PackChange

_TIMEOUT = "5min"

# An article that has one of the names already, or whose words have it now.
_BY_NAME = """
    a.id IN (
        SELECT m.article_id FROM mention m JOIN entity e ON e.id = m.entity_id
        WHERE m.extractor = ANY(%(extractors)s)
            AND (lower(e.value) = ANY(%(lowered)s) OR lower(e.name) = ANY(%(lowered)s)
                OR lower(m.alias) = ANY(%(lowered)s))
    )
    OR a.search @@ (
        SELECT string_agg(query::text, ' | ')::tsquery
        FROM unnest(%(names)s::text[]) AS name,
            phraseto_tsquery(%(config)s::regconfig, name) AS query
        WHERE numnode(query) > 0
    )
"""


class Touched:
    """The articles that are to be read again after a change of packs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, change: PackChange) -> int:
        """Return how many articles a change touches."""
        if not change.extractors:
            return 0
        where = "true" if change.names is None else _BY_NAME
        async with self._database.transaction() as conn:
            await conn.execute(f"SET LOCAL statement_timeout = '{_TIMEOUT}'")
            cursor = await conn.execute(
                f"SELECT count(*) FROM article a WHERE {where}",  # noqa: S608 - constants
                _values(change),
            )
            row = await cursor.fetchone()
        assert row is not None, "a count is one row"
        return int(row[0])

    async def queue(self, change: PackChange) -> int:
        """Have the articles that a change touches looked through again; return how many."""
        enrichments = Enrichments(self._database)
        if change.names is None:
            return await enrichments.queue(change.extractors)
        queued = after = 0
        while touched := await self.page(change, after=after):
            queued += await enrichments.queue(change.extractors, article_ids=touched)
            after = touched[-1]
        return queued

    async def page(self, change: PackChange, *, after: int = 0, limit: int = 1000) -> Sequence[int]:
        """Return the next numbers of articles that a change touches, in rising order."""
        if not change.extractors:
            return []
        where = "true" if change.names is None else _BY_NAME
        async with self._database.transaction() as conn:
            await conn.execute(f"SET LOCAL statement_timeout = '{_TIMEOUT}'")
            cursor = await conn.execute(
                f"""
                SELECT a.id FROM article a WHERE a.id > %(after)s AND ({where})
                ORDER BY a.id LIMIT %(limit)s
                """,  # noqa: S608 - constants
                {**_values(change), "after": after, "limit": limit},
            )
            return [int(row[0]) for row in await cursor.fetchall()]


def _values(change: PackChange) -> dict[str, object]:
    names = sorted(change.names or ())
    return {
        "names": names,
        "lowered": [name.lower() for name in names],
        "extractors": [str(one) for one in change.extractors],
        "config": CONFIG,
    }

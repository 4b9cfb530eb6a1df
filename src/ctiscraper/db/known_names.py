"""The names of the pack in use as rows, so that a search knows one thing by all its names."""

import asyncio
from collections.abc import Iterator, Mapping

from ctiscraper.db.session import Database
from ctiscraper.packs.records import Entry, NamesPack
from ctiscraper.packs.registry import KNOWN, KnownPack, read_known
from ctiscraper.packs.spelling import joined

_PACK = "names"
_LOCK_KEY = 0x6E616D65
_LONGEST = 200


class KnownNames:
    """Who and what is known by which names."""

    def __init__(self, database: Database, known: Mapping[str, KnownPack] = KNOWN) -> None:
        self._database = database
        self._known = known

    async def renew(self) -> int | None:
        """Write the names of the pack in use, if they are not there yet; return how many.

        None where nothing was to be done, which costs one look at an index. Raises PackError.
        """
        pack = await self._unwritten()
        if pack is None:
            return None
        sha256, body = pack
        _, records = await asyncio.to_thread(read_known, body, self._known)
        assert isinstance(records, NamesPack), "the registry says what a pack holds"
        rows = await asyncio.to_thread(lambda: list(_rows(records.entries)))
        async with self._database.transaction() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
            await conn.execute("DELETE FROM known_name")
            columns = [[row[n] for row in rows] for n in range(4)]
            await conn.execute(
                """
                INSERT INTO known_name (label, kind, value, name)
                SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
                ON CONFLICT DO NOTHING
                """,
                columns,
            )
            await conn.execute(
                """
                INSERT INTO known_name_pack (sha256) VALUES (%s)
                ON CONFLICT (single) DO UPDATE SET sha256 = excluded.sha256
                """,
                (sha256,),
            )
        return len(rows)

    async def _unwritten(self) -> tuple[bytes, bytes] | None:
        async with self._database.connection() as conn:
            cursor = await conn.execute(
                """
                SELECT sha256, body FROM pack WHERE name = %s AND active
                    AND sha256 IS DISTINCT FROM (SELECT sha256 FROM known_name_pack)
                """,
                (_PACK,),
                binary=True,
            )
            row = await cursor.fetchone()
        return (bytes(row[0]), bytes(row[1])) if row else None


def _rows(entries: tuple[Entry, ...]) -> Iterator[tuple[str, str, str, str]]:
    for entry in entries:
        labels = dict.fromkeys(joined(name)[:_LONGEST] for name in (entry.name, *entry.aliases))
        for label in filter(None, labels):
            yield label, str(entry.kind), entry.value, entry.name

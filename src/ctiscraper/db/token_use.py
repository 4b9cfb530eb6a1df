"""How often tokens ask, told by each web process to the others."""

from contextlib import suppress
from dataclasses import dataclass

from psycopg.errors import ReadOnlySqlTransaction

from ctiscraper.db.session import Database

SLOT_SECONDS = 5
# A minute, and the slot in which it begins.
SLOTS = 60 // SLOT_SECONDS + 1

_SLOT = f"floor(extract(epoch FROM now()) / {SLOT_SECONDS})::bigint"
# What is added stands not yet in what is read beside it.
_SHARE = f"""
    WITH added AS (
        INSERT INTO token_use AS t (token_id, slot, asked) VALUES (%(id)s, {_SLOT}, %(asked)s)
        ON CONFLICT (token_id, slot) DO UPDATE SET asked = t.asked + excluded.asked
    )
    SELECT {_SLOT}, coalesce(sum(asked), 0) FROM token_use
    WHERE token_id = %(id)s AND slot > {_SLOT} - {SLOTS}
"""  # noqa: S608 - constants
_FORGET = f"DELETE FROM token_use WHERE slot <= {_SLOT} - {SLOTS}"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Shared:
    """What was known before something was added: how often all asked in the last minute."""

    slot: int
    asked: int


class TokenUse:
    """What all web processes together know of how often a token asks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def share(self, token_id: str, asked: int) -> Shared | None:
        """Add so many requests; return what there was before, None where nothing can be added.

        A database that only reads, as a standby does, takes none.
        """
        async with self._database.connection() as conn:
            with suppress(ReadOnlySqlTransaction):
                cursor = await conn.execute(_SHARE, {"id": token_id, "asked": asked})
                row = await cursor.fetchone()
                assert row is not None, "a sum has one row"
                await conn.execute(_FORGET)
                return Shared(slot=int(row[0]), asked=int(row[1]))
        return None

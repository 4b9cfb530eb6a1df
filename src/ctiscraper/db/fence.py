"""What a move leaves on the database that it closed: a function, and words in its comment."""

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

FENCE = "ctiscraper_moved"
_WITHOUT_WORDS = (
    "this database was moved: name the new one in DATABASE_URL, "
    "or run 'ctiscraper db move --undo' to go on with this one"
)


async def words_of_move(connection: AsyncConnection[TupleRow]) -> str | None:
    """Return where a database was moved to and what to do, None for one that was not."""
    cursor = await connection.execute(
        "SELECT obj_description(p.oid, 'pg_proc') FROM pg_proc p "
        "JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE p.proname = %s AND n.nspname = current_schema()",
        (FENCE,),
    )
    row = await cursor.fetchone()
    return None if row is None else str(row[0] or _WITHOUT_WORDS)

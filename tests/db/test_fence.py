"""The mark of a move is read with and without its words."""

import psycopg

from ctiscraper.db.fence import FENCE, words_of_move
from ctiscraper.db.move.source import close, is_closed, reopen


async def test_a_database_that_nobody_moved_has_no_words(database: str) -> None:
    async with await psycopg.AsyncConnection.connect(database) as connection:
        assert await words_of_move(connection) is None
        assert not await is_closed(connection)


async def test_the_words_are_those_that_refuse_a_write(database: str) -> None:
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await close(connection, ["article"], "moved to 'there'")
        assert await words_of_move(connection) == "moved to 'there'"
        assert await is_closed(connection)
        await reopen(connection)
        assert await words_of_move(connection) is None


async def test_a_mark_without_words_is_one_all_the_same(database: str) -> None:
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await close(connection, ["article"], "moved")
        await connection.execute(f"COMMENT ON FUNCTION {FENCE}() IS NULL".encode())
        assert "db move --undo" in str(await words_of_move(connection))

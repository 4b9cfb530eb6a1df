"""The process that makes vectors: there while texts wait, gone when none does."""

import asyncio
from pathlib import Path

import psycopg

from ctiscraper.config import load_settings
from ctiscraper.tasks.embedding import keep_embedding
from web.shelf import Shelf


async def test_texts_get_vectors_in_a_process_of_their_own(database: str, tmp_path: Path) -> None:
    Shelf(database).article("one", text="Thieves steal session cookies.")
    settings = load_settings(data_dir=tmp_path)
    work = asyncio.create_task(keep_embedding(settings, database, look_seconds=0.2))
    try:
        async with asyncio.timeout(100):
            while not await asyncio.to_thread(_passages, database):
                await asyncio.sleep(0.2)
                assert not work.done()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def _passages(database: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM passage").fetchone()
    return int(row[0]) if row else 0

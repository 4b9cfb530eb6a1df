"""The process that makes vectors: there while texts wait, gone when none does."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from ctiscraper.config import load_settings
from ctiscraper.loop import alongside
from ctiscraper.tasks.embedding import keep_embedding
from patience import until
from web.shelf import Shelf

# One at a time writes passages: who holds this keeps a process in the midst of its text.
WRITING = 0x70617373
HELD = "SELECT count(*) FROM embedded_text WHERE owner IS NOT NULL"

PARENT = """
import asyncio, sys
from pathlib import Path
from ctiscraper.config import load_settings
from ctiscraper.tasks.embedding import keep_embedding
asyncio.run(keep_embedding(load_settings(data_dir=Path(sys.argv[2])), sys.argv[1]))
"""


def _value(database: str, query: str) -> object:
    with psycopg.connect(database) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


async def _comes(database: str, query: str, holds: Callable[[object], bool]) -> None:
    async def asked() -> bool:
        return holds(await asyncio.to_thread(_value, database, query))

    await until(asked, seconds=100)


def _parent(process: int) -> int:
    """Return the parent of a process that makes vectors, 0 where it does not or is no more."""
    folder = Path(f"/proc/{process}")
    try:
        state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        is_it = b"tasks.embedding" in (folder / "cmdline").read_bytes()
    except OSError:
        return 0
    return int(parent) if is_it and state != "Z" else 0


def _children(parent: int) -> list[int]:
    """Return the processes of a parent that make vectors."""
    numbers = [int(one.name) for one in Path("/proc").glob("[0-9]*")]
    return [one for one in numbers if _parent(one) == parent]


@asynccontextmanager
async def _in_midst_of_a_text(database: str) -> AsyncIterator[None]:
    """Let a text wait, and whoever makes its vectors wait to write them."""
    await asyncio.to_thread(
        lambda: Shelf(database).article("one", text="Thieves steal session cookies.")
    )
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as held:
        await held.execute("SELECT pg_advisory_lock(%s)", (WRITING,))
        yield


async def test_texts_get_vectors_in_a_process_of_their_own(database: str, tmp_path: Path) -> None:
    Shelf(database).article("one", text="Thieves steal session cookies.")
    settings = load_settings(data_dir=tmp_path)
    async with alongside(keep_embedding(settings, database, look_seconds=0.2)) as work:
        await _comes(database, "SELECT count(*) FROM passage", bool)
        assert not work.done()


async def test_a_stop_in_the_midst_of_a_text_costs_it_no_attempt(
    database: str, tmp_path: Path
) -> None:
    settings = load_settings(data_dir=tmp_path)
    async with _in_midst_of_a_text(database):
        async with alongside(keep_embedding(settings, database)):
            await _comes(database, HELD, lambda held: held == 1)
            assert len(_children(os.getpid())) == 1
        assert _children(os.getpid()) == []
        left = "SELECT (attempts, owner, leased_until)::text FROM embedded_text"
        assert await asyncio.to_thread(_value, database, left) == "(0,,-infinity)"


@pytest.mark.timeout(240)
async def test_one_that_is_frozen_is_ended_and_another_comes(database: str, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    keeping = keep_embedding(settings, database, look_seconds=0.2, pulse_seconds=5.0)
    async with _in_midst_of_a_text(database), alongside(keeping):
        await _comes(database, HELD, lambda held: held == 1)
        [frozen] = _children(os.getpid())
        os.kill(frozen, signal.SIGSTOP)

        async def replaced() -> bool:
            return frozen not in _children(os.getpid())

        await until(replaced)
        # As the time passes that its lease has.
        await asyncio.to_thread(_lapse, database)
        await _comes(database, "SELECT max(attempts) FROM embedded_text", lambda tries: tries == 2)
        assert _children(os.getpid()) != [frozen]


def _lapse(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE embedded_text SET leased_until = now()")


async def test_it_ends_with_a_parent_that_was_killed(database: str, tmp_path: Path) -> None:
    async with _in_midst_of_a_text(database):
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PARENT, database, str(tmp_path)
        )
        try:
            await _comes(database, HELD, lambda held: held == 1)
            [child] = _children(parent.pid)
        finally:
            parent.kill()
            await parent.wait()

        async def gone() -> bool:
            return not _parent(child)

        await until(gone)

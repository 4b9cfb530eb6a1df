"""Vectors of texts are made in a process of its own, which stands behind all others.

It is there only while texts wait: the model costs 120 MB, and nobody else is to carry it.
"""

import asyncio
import os
import sys
import time
from io import FileIO

import structlog

from ctiscraper.bootstrap import open_meaning
from ctiscraper.config import Settings, with_passwords
from ctiscraper.db.session import Database
from ctiscraper.embedding import Embedding
from ctiscraper.errors import CTIScraperError, ModelError, ModelFault
from ctiscraper.loop import alongside, run_async, until_one_ends
from ctiscraper.tasks.crew import PULSE_SECONDS, Crew
from ctiscraper.tasks.run import (
    PULSE,
    STOP_SIGNALS,
    end_with_parent,
    read_order,
    show_parent_life,
    write_order,
)
from ctiscraper.telemetry import configure_logs

COMMAND = (sys.executable, "-m", "ctiscraper.tasks.embedding")
NICE = 15
SHARE = 0.5
"""Which part of the time it works, at most."""

LOOK_SECONDS = 60.0

log = structlog.get_logger()


async def keep_embedding(
    settings: Settings,
    conninfo: str,
    *,
    look_seconds: float = LOOK_SECONDS,
    pulse_seconds: float = PULSE_SECONDS,
) -> None:
    """Have vectors made of the texts that have none, whenever there are any, until cancelled.

    A process that shows no life for `pulse_seconds` is ended, and another made at the next look.
    """
    if settings.embedding == "none":
        await asyncio.Event().wait()
    while True:
        try:
            if await _is_needed(settings, conninfo):
                await _run_child(write_order(conninfo, settings), pulse_seconds)
        except CTIScraperError as error:
            log.warning("embedding_put_off", detail=str(error))
        await asyncio.sleep(look_seconds)


async def _is_needed(settings: Settings, conninfo: str) -> bool:
    """Whether a text waits, or the index; a model that is not known here yet has all to do."""
    async with (
        Database(conninfo, size=1, password_file=settings.database_password_file) as database,
        open_meaning(settings, database) as meaning,
    ):
        assert meaning.embedding is not None, "none was seen to above"
        model = await meaning.embedding.known()
        passages = meaning.embedding.passages
        if model is not None:
            await passages.note_wanted(model)
        if await passages.is_waited_for(model):
            return True
        # A server may get pgvector when all texts have their vectors.
        return model is not None and await passages.lacks_index(model)


async def _run_child(order: bytes, pulse_seconds: float) -> None:
    async with Crew(COMMAND, order, 0, None, pulse_seconds=pulse_seconds) as crew:
        if code := await crew.run_one():
            log.warning("embedding_ended", code=code)


async def embed_waiting(embedding: Embedding, *, share: float = SHARE) -> int:
    """Give all texts their passages, working a part of the time; return how many got them.

    Raises ModelError, SettingsError and StorageError.
    """
    done = 0
    while True:
        begun = time.monotonic()
        found = await embedding.embed_some()
        done += found
        if not found and embedding.is_over:
            break
        await asyncio.sleep((time.monotonic() - begun) * (1 / share - 1))
    while await embedding.passages.tidy(await embedding.model()):
        pass
    return done


async def _work(settings: Settings, conninfo: str) -> None:
    """Make vectors until a signal says stop: what is held then goes back to others at once."""
    stopping = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with (
        alongside(_show_life()),
        alongside(stopping.wait()) as told,
        alongside(_make(settings, conninfo)) as made,
    ):
        await until_one_ends(made, told)


async def _show_life() -> None:
    while True:
        show_parent_life()
        await asyncio.sleep(1.0)


async def _make(settings: Settings, conninfo: str) -> None:
    async with (
        Database(conninfo, size=2, password_file=settings.database_password_file) as database,
        open_meaning(settings, database) as meaning,
    ):
        assert meaning.embedding is not None, "nobody starts this without a model"
        try:
            log.info("texts_embedded", texts=await embed_waiting(meaning.embedding))
        except ModelError as error:
            if error.fault is not ModelFault.OVER_BUDGET:
                raise
            # Tomorrow it goes on where it was.
            log.info("embedding_rests", detail=str(error))


def main() -> None:
    """Be the process that makes vectors, as the parent's order says."""
    configure_logs()
    try:
        stream = FileIO(0, closefd=False)
        order = read_order(stream)
        settings = with_passwords(Settings.model_validate(order.settings))
        configure_logs(json=settings.json_logs, level=settings.log_level or "info")
        end_with_parent(stream)
        os.set_blocking(PULSE, False)
        os.nice(NICE)
        run_async(_work(settings, order.conninfo))
    except CTIScraperError as error:
        log.error("embedding_failed", error=str(error))  # noqa: TRY400 - the message names cause and way out
        sys.exit(1)


if __name__ == "__main__":
    main()

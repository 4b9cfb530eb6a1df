"""`embed`: vectors of all texts, made now."""

import os
from typing import Annotated

import typer

from ctiscraper.bootstrap import open_meaning
from ctiscraper.cli.engine import open_database, settings_for
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import print_facts, print_json, print_lines
from ctiscraper.config import Settings
from ctiscraper.db.passages import EmbeddingProgress
from ctiscraper.errors import SettingsError
from ctiscraper.loop import run_async
from ctiscraper.tasks.findings import said_of_index

NICE = 10
"""How far behind all other work on this machine it stands."""


def embed(
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="So many texts at most.", show_default=False),
    ] = None,
    status: Annotated[
        bool, typer.Option("--status", help="Only tell how far it is; make nothing.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make the vectors that searches by meaning need, of the newest texts first."""
    if not status:
        os.nice(NICE)
    progress = run_async(_embed(settings_for(data), limit, make=not status, quiet=json))
    if json:
        print_json(progress)
        return
    if progress is None:
        print_lines(["No text has vectors yet: 'ctiscraper embed' makes them."])
        return
    how, advice = said_of_index(progress.index)
    print_facts(
        [
            ("Model", progress.model),
            ("Texts", f"{progress.texts:,} of {progress.articles:,}"),
            ("Passages", f"{progress.passages:,}"),
            ("Failed", progress.failed),
            *([("Withheld", _withheld(progress))] if progress.withheld else []),
            ("Searched", how),
            *([("To do", advice)] if advice else []),
        ]
    )


def _withheld(progress: EmbeddingProgress) -> str:
    return f"{progress.withheld:,}, marked above CTISCRAPER_MODEL_TLP; found by words alone"


async def _embed(
    settings: Settings, limit: int | None, *, make: bool, quiet: bool
) -> EmbeddingProgress | None:
    if settings.embedding == "none":
        raise SettingsError("CTISCRAPER_EMBEDDING is none: name a model there, or builtin")
    async with (
        open_database(settings) as database,
        open_meaning(settings, database, threads=os.cpu_count() or 1) as meaning,
    ):
        embedding = meaning.embedding
        assert embedding is not None, "none was refused above"

        def told(done: int) -> None:
            if not quiet:
                print_lines([f"{done:,} texts"])

        if make:
            await embedding.embed_all(most=limit, told=told)
        return await embedding.progress()

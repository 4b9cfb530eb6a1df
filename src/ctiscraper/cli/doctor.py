"""`doctor`: what is well, what is not, and what to do."""

import asyncio
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.text import Text

from ctiscraper.cli.engine import open_engine, settings_for
from ctiscraper.cli.exits import Exit
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import print_json, print_table
from ctiscraper.config import Settings
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources, checked_url
from ctiscraper.errors import SettingsError, StorageError
from ctiscraper.loop import run_async
from ctiscraper.tasks.diagnosis import (
    examine_database,
    examine_machine,
    examine_meaning,
    examine_model,
    examine_network,
    examine_raw_store,
    examine_redis,
)
from ctiscraper.tasks.findings import Finding, Verdict

LOCK = Path(__file__).parents[3] / "requirements.lock"
STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}

NoNetwork = Annotated[bool, typer.Option("--no-network", help="Ask no site whether it answers.")]


def doctor(no_network: NoNetwork = False, data: Data = None, json: Json = False) -> None:
    """Look at every part of the installation and say what to do about it."""
    settings = settings_for(data)
    findings = run_async(_examine(settings, network=not no_network))
    if json:
        print_json(findings)
    else:
        print_table(
            ["", "part", "found", "what to do"],
            [
                (Text(f.verdict, style=STYLES[f.verdict]), f.part, f.words, f.advice)
                for f in findings
            ],
        )
    if any(finding.verdict is Verdict.FAIL for finding in findings):
        raise typer.Exit(Exit.FAILED)


async def _examine(settings: Settings, *, network: bool) -> list[Finding]:
    findings = examine_machine(settings, LOCK)
    findings.append(await asyncio.to_thread(examine_raw_store, settings))
    findings.append(await examine_redis(settings))
    origins: list[str] = []
    try:
        async with open_engine(settings) as engine:
            if engine.facts.has_schema:
                async with Database(engine.conninfo, size=2) as database:
                    findings += await examine_database(settings, engine.facts, database)
                    findings.append(await examine_meaning(settings, database))
                    origins = await _origins(database)
            else:
                findings += await examine_database(settings, engine.facts, None)
    except (SettingsError, StorageError) as error:
        findings.append(
            Finding(part="postgresql", verdict=Verdict.FAIL, words=str(error), advice="as it says")
        )
    if network:
        findings.append(await examine_network(settings, origins))
        findings.append(await examine_model(settings))
    return findings


async def _origins(database: Database) -> list[str]:
    """The sites of the first sources, as scheme and host."""
    urls = [checked_url(s.settings) for s in await Sources(database).all() if s.settings.active]
    parts = map(urlsplit, urls)
    return list(dict.fromkeys(f"{part.scheme}://{part.netloc}" for part in parts))

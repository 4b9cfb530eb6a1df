"""`stack`: the services of production as processes of this machine, each by its own command."""

import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper import __version__
from ctiscraper.bootstrap import check_worker_settings
from ctiscraper.cli.display import Display
from ctiscraper.cli.engine import Engine, open_ready_engine, settings_for
from ctiscraper.cli.options import Data, Json, Workers
from ctiscraper.cli.output import print_facts, print_json, print_lines
from ctiscraper.cli.setting_up import print_setup, setup_address
from ctiscraper.cli.stopping import until_signal
from ctiscraper.collect.catalog import default_catalog
from ctiscraper.config import Settings, environment_of
from ctiscraper.db.progress import ProgressBoard
from ctiscraper.db.session import Database
from ctiscraper.db.sources import Sources
from ctiscraper.loop import run_async
from ctiscraper.tasks.crew import Crew
from ctiscraper.tasks.valkey import EmbeddedValkey

HOST = "127.0.0.1"
Port = Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port of the pages.")]
Beats = Annotated[int, typer.Option("--beats", min=1, max=5, help="Beat processes.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How many of which process there are, and where the pages are served."""

    port: int
    beats: int = 1


def stack(
    port: Port = 8000,
    data: Data = None,
    workers: Workers = None,
    beats: Beats = 1,
    json: Json = False,
) -> None:
    """Run database, Redis, web, workers and beat as production does, on this machine alone."""
    settings = settings_for(data, workers=workers)
    check_worker_settings(settings)
    layout = Layout(port=port, beats=beats)
    done = run_async(until_signal(_run(settings, layout, as_json=json)))
    if done is None and not json:
        print_lines(["Stopped. Everything collected is kept; the next start goes on from here."])


async def _run(settings: Settings, layout: Layout, *, as_json: bool) -> int:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_ready_engine(settings, migrate=True))
        if settings.redis_url is None:
            valkey = await stack.enter_async_context(EmbeddedValkey(settings.data_dir / "valkey"))
            settings = settings.model_copy(update={"redis_url": valkey.url})
        settings = settings.model_copy(update={"database_url": engine.conninfo})
        database = await stack.enter_async_context(Database(engine.conninfo, size=2))
        sources = Sources(database)
        added = await sources.seed(default_catalog())
        for crew in _services(settings, layout):
            await stack.enter_async_context(crew)
        board = ProgressBoard(database)
        setup = await setup_address(database, _url(layout))
        _announce(settings, layout, engine, added=added, setup=setup, as_json=as_json)
        display = Display(
            board,
            await board.now(),
            lambda: settings.workers,
            as_json=as_json,
            heading=f"Reading at {_url(layout)}  (Ctrl-C stops)",
        )
        await display.run()
    return 0


def _services(settings: Settings, layout: Layout) -> list[Crew]:
    """Return the services, each a process that is started again when it ends."""
    environment = environment_of(settings)

    def service(name: str, *arguments: str, size: int = 1) -> Crew:
        return Crew(
            (sys.executable, "-m", "ctiscraper.cli", *arguments),
            b"",
            size,
            _log_of(settings, name),
            pulse_seconds=None,
            environment=environment,
        )

    services = [
        service("web", "web", "--host", HOST, "--port", str(layout.port)),
        service("workers", "worker", "--workers", str(settings.workers)),
        service("beat", "beat", size=layout.beats),
    ]
    return [*services, service("models", "model-worker")] if settings.has_model else services


def _named(settings: Settings, layout: Layout) -> str:
    models = f", models ({settings.model})" if settings.has_model else ""
    return f"web, {settings.workers} workers, {layout.beats} beat{models}"


def _log_of(settings: Settings, name: str) -> Path:
    return settings.data_dir / f"{name}.log"


def _url(layout: Layout) -> str:
    return f"http://{HOST}:{layout.port}/"


def _announce(
    settings: Settings,
    layout: Layout,
    engine: Engine,
    *,
    added: int,
    setup: str | None,
    as_json: bool,
) -> None:
    if as_json:
        ready = {"event": "ready", "url": _url(layout), "setup": setup, "workers": settings.workers}
        print_json({**ready, "postgresql": engine.facts.version, "added": added})
        return
    names = ("web", "workers", "beat", *(["models"] if settings.has_model else []))
    logs = ", ".join(f"{name}.log" for name in names)
    print_facts(
        [
            ("CTIScraper", __version__),
            ("Data", f"{settings.data_dir} (PostgreSQL {engine.facts.version})"),
            ("Services", _named(settings, layout)),
            ("Logs", f"{logs} in {settings.data_dir}"),
            ("Reading", _url(layout)),
        ]
    )
    if setup is not None:
        print_setup(setup)

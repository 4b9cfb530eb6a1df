"""`up` and `demo`: everything in one command."""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ctiscraper import __version__
from ctiscraper.bootstrap import open_services
from ctiscraper.cli.display import Display
from ctiscraper.cli.engine import Engine, open_ready_engine, settings_for
from ctiscraper.cli.options import BehindProxy, Data, Json, TlsCert, TlsKey, Workers
from ctiscraper.cli.output import counted, print_facts, print_json, print_lines
from ctiscraper.cli.setting_up import print_setup, setup_address
from ctiscraper.cli.stopping import until_signal
from ctiscraper.cli.web import Host, entrance_of, url_of, web_services, with_meaning
from ctiscraper.collect.catalog import default_catalog, load_catalog
from ctiscraper.config import Settings
from ctiscraper.db.progress import ProgressBoard
from ctiscraper.demo import DemoSite
from ctiscraper.errors import SettingsError
from ctiscraper.garbage import leave_out_what_stays
from ctiscraper.loop import alongside, run_async, until_one_ends
from ctiscraper.tasks.bell import SilentBell
from ctiscraper.tasks.crew import Crew
from ctiscraper.tasks.model_run import model_crew
from ctiscraper.tasks.rounds import go_round, watch_access
from ctiscraper.tasks.run import COMMAND, write_order
from ctiscraper.types import SourceSettings
from ctiscraper.web.app import create_app
from ctiscraper.web.serve import listen, serve

HOST = "127.0.0.1"
DEMO_GAP = 0.02
_EVERY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - compared with
# Nothing of the operator's is used by the demo.
_DEMO_HAS_NO = {
    "database_url": None,
    "model_url": "",
    "proxy": None,
    "raw_store": "",
    "tls_cert": None,
    "tls_key": None,
    "behind_proxy": (),
    "secret_key_file": None,
}

Port = Annotated[
    int, typer.Option("--port", min=0, max=65_535, help="Port of the pages; 0 takes a free one.")
]
NoCollect = Annotated[
    bool,
    typer.Option(
        "--no-collect", "--offline", help="Serve what is stored; ask no site for anything."
    ),
]


Catalogue = Annotated[
    Path | None,
    typer.Option(
        "--catalogue",
        metavar="FILE",
        help="Catalogue to take new sources from, instead of the one that comes along.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What one start of everything is told."""

    settings: Settings
    catalog: Sequence[SourceSettings]
    catalog_name: str
    port: int
    host: str = HOST
    collect: bool = True
    as_json: bool = False


def up(  # noqa: PLR0913 - one parameter for each option
    port: Port = 8000,
    *,
    host: Host = HOST,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    behind_proxy: BehindProxy = None,
    data: Data = None,
    workers: Workers = None,
    catalogue: Catalogue = None,
    no_collect: NoCollect = False,
    json: Json = False,
) -> None:
    """Start everything: database, collection and the pages on this machine. Ctrl-C stops it."""
    settings = settings_for(
        data, workers=workers, tls_cert=tls_cert, tls_key=tls_key, behind_proxy=behind_proxy
    )
    start = Start(
        settings=settings,
        catalog=default_catalog() if catalogue is None else _read_catalogue(catalogue),
        catalog_name=str(catalogue or "the catalogue that comes with the program"),
        port=port,
        host=host,
        collect=not no_collect,
        as_json=json,
    )
    run_async(_stoppable(start))


def _read_catalogue(file: Path) -> tuple[SourceSettings, ...]:
    """Return the sources of a catalogue file. Raises CatalogError and SettingsError."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the catalogue {file} cannot be read: {error}") from error
    return load_catalog(text, name=file.name)


def demo(port: Port = 8000, data: Data = None, workers: Workers = None, json: Json = False) -> None:
    """Start everything on a sample site of invented researchers, without any internet."""
    folder = data or Path(tempfile.mkdtemp(prefix="ctiscraper-demo-"))
    try:
        run_async(_demo(folder, port=port, workers=workers, as_json=json))
    finally:
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


async def _demo(folder: Path, *, port: int, workers: int | None, as_json: bool) -> None:
    async with DemoSite() as site:
        settings = settings_for(
            folder,
            workers=workers or 1,
            min_gap=DEMO_GAP,
            egress_allow_cidrs=f"{HOST}/32",
            egress_allow_ports=f"80,{site.port}",
            egress_host_map=",".join(f"{name}={at}" for name, at in site.host_map.items()),
        ).model_copy(update=_DEMO_HAS_NO)
        start = Start(
            settings=settings,
            catalog=site.sources,
            catalog_name="the sample site, served on this machine; everything in it is invented",
            port=port,
            as_json=as_json,
        )
        await _stoppable(start)


async def _stoppable(start: Start) -> None:
    done = await until_signal(_everything(start))
    if start.as_json:
        print_json({"event": "stopped"})
    elif done is None:
        print_lines(["Stopped. Everything collected is kept; the next start goes on from here."])


async def _everything(start: Start) -> int:
    """Run all parts until cancelled, or until the pages cannot be served any more."""
    settings = start.settings
    async with AsyncExitStack() as stack:
        # The port comes first: it is the commonest thing to be wrong, and the cheapest to try.
        entrance = entrance_of(settings)
        listener = stack.enter_context(listen(start.host, start.port, entrance))
        engine = await stack.enter_async_context(open_ready_engine(settings, migrate=True))
        services = await stack.enter_async_context(
            open_services(settings, engine.conninfo, warm=False, service="ctiscraper-web")
        )
        added = await services.sources.seed(tuple(start.catalog))
        since = await ProgressBoard(services.database).now()
        served = web_services(services, SilentBell())
        app = create_app(await with_meaning(stack, served, settings))
        leave_out_what_stays()
        serving = await stack.enter_async_context(alongside(serve(app, listener, entrance)))
        size = settings.workers if start.collect else 0
        crew = Crew(
            COMMAND,
            write_order(engine.conninfo, settings),
            size,
            settings.data_dir / "worker.log",
        )
        await stack.enter_async_context(crew)
        if settings.has_model and start.collect:
            await stack.enter_async_context(model_crew(settings, engine.conninfo))
        address, bound = listener.getsockname()[:2]
        url = url_of(entrance, HOST if address in _EVERY_ADDRESS else address, bound)
        setup = await setup_address(services.database, url)
        total = len(await services.sources.all())
        _announce(start, engine, url=url, setup=setup, added=added, total=total)
        display = Display(
            ProgressBoard(services.database),
            since,
            lambda: len(crew.pids),
            as_json=start.as_json,
            heading=f"Reading at {url}  (Ctrl-C stops)",
        )
        shown = await stack.enter_async_context(alongside(display.run()))
        upkeep = await stack.enter_async_context(
            alongside(go_round(settings, engine.conninfo, metrics=False))
        )
        access = await stack.enter_async_context(alongside(watch_access(settings, engine.conninfo)))
        await until_one_ends(serving, shown, upkeep, access)
    return 0


def _asking(start: Start) -> str:
    model = start.settings.model
    return model if start.collect else f"{model}, asked nothing here: ctiscraper model-worker asks"


def _announce(
    start: Start, engine: Engine, *, url: str, setup: str | None, added: int, total: int
) -> None:
    settings = start.settings
    if start.as_json:
        print_json(
            {
                "event": "ready",
                "url": url,
                "setup": setup,
                "data": str(settings.data_dir),
                "postgresql": engine.facts.version,
                "embedded": engine.embedded,
                "sources": total,
                "added": added,
                "contact": settings.contact,
                "workers": settings.workers if start.collect else 0,
            }
        )
        return
    kind = "embedded" if engine.embedded else "of DATABASE_URL"
    contact = settings.contact or (
        "none given: set CTISCRAPER_CONTACT=you@your.organisation so that sites can write to you"
    )
    doing = (
        counted(settings.workers, "worker")
        if start.collect
        else "none; only what is stored is shown"
    )
    print_facts(
        [
            ("CTIScraper", __version__),
            ("Data", f"{settings.data_dir} (PostgreSQL {engine.facts.version}, {kind})"),
            ("Sources", f"{total}, {added} of them new from {start.catalog_name}"),
            ("Contact", contact),
            ("Collecting", doing),
            *([("Models", _asking(start))] if settings.has_model else []),
            ("Reading", url),
        ]
    )
    if setup is not None:
        print_setup(setup)

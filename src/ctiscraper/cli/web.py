"""`web`: the pages and the API alone, for a machine where others collect."""

from contextlib import AsyncExitStack
from typing import Annotated

import typer

from ctiscraper import __version__
from ctiscraper.bootstrap import Services, open_services
from ctiscraper.cli.engine import open_ready_engine, settings_for
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import print_facts, print_json
from ctiscraper.cli.stopping import until_signal
from ctiscraper.config import Settings
from ctiscraper.loop import run_async
from ctiscraper.shown_settings import shown_settings
from ctiscraper.tasks.bell import Bell, bell_of
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.serve import listen, serve

SERVICE = "ctiscraper-web"

Host = Annotated[
    str,
    typer.Option(
        "--host", help="Address to serve on, of this machine; a proxy beside it serves others."
    ),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port; 0 takes a free one.")]


def web(host: Host = "127.0.0.1", port: Port = 8000, data: Data = None, json: Json = False) -> None:
    """Serve the pages and the API until told to stop; workers collect in other processes."""
    run_async(until_signal(_serve(settings_for(data), host, port, as_json=json)))


async def _serve(settings: Settings, host: str, port: int, *, as_json: bool) -> int:
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listen(host, port))
        engine = await stack.enter_async_context(open_ready_engine(settings))
        services = await stack.enter_async_context(
            open_services(settings, engine.conninfo, warm=False, service=SERVICE)
        )
        bell = bell_of(settings)
        stack.push_async_callback(bell.aclose)
        address, bound = listener.getsockname()[:2]
        url = f"http://{address}:{bound}/"
        if as_json:
            print_json({"event": "ready", "url": url, "postgresql": engine.facts.version})
        else:
            print_facts([("CTIScraper", __version__), ("Reading", url)])
        await serve(create_app(web_services(services, bell)), listener)
    return 0


def web_services(services: Services, bell: Bell) -> WebServices:
    """Return what the pages and the API work with."""
    return WebServices(
        database=services.database,
        version=__version__,
        contact=services.settings.contact,
        sourcing=services.sourcing,
        rehearsals=services.rehearsals,
        mending=services.mending,
        min_gap=services.settings.min_gap,
        keep=services.settings.keep(),
        shown_settings=shown_settings(services.settings),
        bell=bell,
        lease_seconds=services.settings.lease_seconds,
        weights=services.settings.score_weights,
    )

"""`web`: the pages and the API alone, for a machine where others collect."""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Annotated

import typer

from ctiscraper import __version__
from ctiscraper.access.load_balancer import LoadBalancer
from ctiscraper.access.oidc import Provider
from ctiscraper.access.sealing import Sealer, read_keys
from ctiscraper.bootstrap import Services, open_meaning, open_questions, open_services
from ctiscraper.cli.engine import open_ready_engine, settings_for
from ctiscraper.cli.options import BehindProxy, Data, Json, TlsCert, TlsKey
from ctiscraper.cli.output import print_facts, print_json
from ctiscraper.cli.stopping import until_signal
from ctiscraper.config import Settings
from ctiscraper.garbage import leave_out_what_stays
from ctiscraper.loop import alongside, run_async, until_one_ends
from ctiscraper.model_use import model_use
from ctiscraper.shown_settings import shown_settings
from ctiscraper.tasks.bell import Bell, bell_of
from ctiscraper.tasks.rounds import watch_access
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import LOOPBACK_HOSTS, WebServices
from ctiscraper.web.serve import Entrance, listen, serve

SERVICE = "ctiscraper-web"

Host = Annotated[
    str,
    typer.Option(
        "--host",
        help="Address to serve on; one that others reach needs --tls-cert or --behind-proxy.",
    ),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port; 0 takes a free one.")]


def web(  # noqa: PLR0913 - one parameter for each option
    host: Host = "127.0.0.1",
    *,
    port: Port = 8000,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    behind_proxy: BehindProxy = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Serve the pages and the API until told to stop; workers collect in other processes."""
    settings = settings_for(data, tls_cert=tls_cert, tls_key=tls_key, behind_proxy=behind_proxy)
    run_async(until_signal(_serve(settings, host, port, as_json=json)))


async def _serve(settings: Settings, host: str, port: int, *, as_json: bool) -> int:
    async with AsyncExitStack() as stack:
        entrance = entrance_of(settings)
        listener = stack.enter_context(listen(host, port, entrance))
        engine = await stack.enter_async_context(open_ready_engine(settings))
        services = await stack.enter_async_context(
            open_services(settings, engine.conninfo, warm=False, service=SERVICE)
        )
        bell = bell_of(settings)
        stack.push_async_callback(bell.aclose)
        address, bound = listener.getsockname()[:2]
        url = url_of(entrance, address, bound)
        if as_json:
            print_json({"event": "ready", "url": url, "postgresql": engine.facts.version})
        else:
            print_facts([("CTIScraper", __version__), ("Reading", url)])
        served = await with_meaning(stack, web_services(services, bell), settings)
        app = create_app(served)
        leave_out_what_stays()
        serving = await stack.enter_async_context(alongside(serve(app, listener, entrance)))
        access = await stack.enter_async_context(alongside(watch_access(settings, engine.conninfo)))
        await until_one_ends(serving, access)
    return 0


async def with_meaning(
    stack: AsyncExitStack, served: WebServices, settings: Settings
) -> WebServices:
    """Return the same with what searches by meaning and answers. Raises SettingsError."""
    meaning = await stack.enter_async_context(open_meaning(settings, served.database))
    questions = await stack.enter_async_context(open_questions(settings, meaning))
    return replace(served, meaning=meaning, questions=questions)


def entrance_of(settings: Settings) -> Entrance:
    """Return how the pages are reached."""
    return Entrance(cert=settings.tls_cert, key=settings.tls_key, hops=settings.behind_proxy)


def url_of(entrance: Entrance, address: str, port: int) -> str:
    """Return where the pages are read."""
    host = f"[{address}]" if ":" in address else address
    return f"{entrance.scheme}://{host}:{port}/"


def web_services(services: Services, bell: Bell) -> WebServices:
    """Return what the pages and the API work with. Raises SettingsError."""
    settings, database = services.settings, services.database
    sign_on = settings.sign_on()
    provider = balancer = None
    if sign_on is not None and sign_on.balancer_arn:
        balancer = LoadBalancer(sign_on, services.client, now=database.clock)
    elif sign_on is not None:
        provider = Provider(sign_on, services.client, now=database.clock)
    return WebServices(
        database=database,
        version=__version__,
        contact=settings.contact,
        sourcing=services.sourcing,
        rehearsals=services.rehearsals,
        mending=services.mending,
        detections=services.detections,
        min_gap=services.settings.min_gap,
        keep=services.settings.keep(),
        shown_settings=shown_settings(services.settings),
        bell=bell,
        allowed_hosts=LOOPBACK_HOSTS | settings.allowed_hosts,
        require_second_factor=settings.require_second_factor,
        sealer=Sealer(*read_keys(settings.key_file)),
        hops=settings.behind_proxy,
        lease_seconds=settings.lease_seconds,
        weights=settings.score_weights,
        provider=provider,
        balancer=balancer,
        models=model_use(settings),
    )

"""`model`: the server of language models: whether it answers, what it has, and more of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Annotated

import typer
from rich.live import Live
from rich.text import Text

from ctiscraper.bootstrap import model_server
from ctiscraper.cli.engine import settings_for
from ctiscraper.cli.options import Data, Json
from ctiscraper.cli.output import (
    console,
    plain,
    print_facts,
    print_json,
    print_lines,
    print_table,
)
from ctiscraper.config import Settings
from ctiscraper.errors import ModelError, ModelFault
from ctiscraper.loop import run_async
from ctiscraper.models.probe import probed
from ctiscraper.models.server import Model, ModelServer, Pulled

app = typer.Typer(no_args_is_help=True, help="The server of language models, if one is set.")

Named = Annotated[
    str | None,
    typer.Argument(metavar="MODEL", help="By default CTISCRAPER_MODEL.", show_default=False),
]
_MEGABYTE = 1_000_000


@app.command()
def check(model: Named = None, data: Data = None, json: Json = False) -> None:
    """Ask the server what it is and one small question, and say what that took."""
    settings = settings_for(data)

    async def ask() -> None:
        async with _opened(settings) as server:
            found = await probed(server, model or settings.model, seconds=settings.model_seconds)
        if json:
            print_json(found)
            return
        print_facts(
            [
                ("server", found.server),
                ("network", "another: articles leave yours" if found.remote else "yours"),
                ("version", found.version),
                ("model", found.model),
                ("context", found.context_tokens),
                ("asked", f"{found.prompt_tokens} tokens"),
                ("answered", f"{found.answer_tokens} tokens, as the schema wants them"),
                ("took", f"{found.seconds:.1f} s"),
            ]
        )

    run_async(ask())


@app.command("list")
def list_models(data: Data = None, json: Json = False) -> None:
    """The models that the server has."""
    settings = settings_for(data)

    async def ask() -> tuple[Model, ...]:
        async with _opened(settings) as server:
            return await server.models()

    models = run_async(ask())
    if json:
        print_json(models)
        return
    if not models:
        print_lines(["It has none: ctiscraper model pull MODEL"])
        return
    print_table(
        ["model", "MB", "context", "digest"],
        [(m.name, m.size // _MEGABYTE, m.context_tokens or "", m.digest[:12]) for m in models],
    )


@app.command()
def pull(model: Named = None, data: Data = None, json: Json = False) -> None:
    """Have the server fetch a model from its own registry."""
    settings = settings_for(data)
    wanted = model or settings.model
    if not wanted:
        raise typer.BadParameter("name a model, or set CTISCRAPER_MODEL")

    async def fetch(show: Callable[[Pulled], None]) -> None:
        async with _opened(settings) as server, aclosing(server.pull(wanted)) as steps:  # type: ignore[type-var]  # generators, all of them
            async for step in steps:
                show(step)

    if json:
        run_async(fetch(print_json))
        return
    screen = console()
    if screen.is_terminal:
        with Live(console=screen, refresh_per_second=4) as live:
            run_async(fetch(lambda step: live.update(Text(_line(step)))))
        return
    run_async(fetch(_Lines().show))


class _Lines:
    """Progress where nothing can move: a line when the step or its tenth changes."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def show(self, step: Pulled) -> None:
        """Print the step unless it says nothing new."""
        now = (step.state, step.done * 10 // step.total if step.total else 0)
        if now != self._last:
            self._last = now
            print_lines([_line(step)])


def _line(step: Pulled) -> str:
    if not step.total:
        return plain(step.state)
    share = min(step.done / step.total, 1)
    return plain(
        f"{step.state}: {step.done // _MEGABYTE:,} of {step.total // _MEGABYTE:,} MB, {share:.0%}"
    )


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[ModelServer]:
    """Yield the server, and let go of it. Raises ModelError where there is none."""
    server = model_server(settings)
    if server is None:
        raise ModelError(
            ModelFault.OFF,
            "no server of language models is set: set CTISCRAPER_MODEL_URL, for instance "
            "http://127.0.0.1:11434, and CTISCRAPER_MODEL",
            transient=False,
        )
    try:
        yield server
    finally:
        await server.close()

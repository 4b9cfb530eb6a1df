"""An app that a browser can ask."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ctiscraper.web.serve import listen, serve


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Yield the address of an app that is served."""
    with listen("127.0.0.1", 0) as listening:
        served = asyncio.create_task(serve(app, listening))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        served.cancel()
        await asyncio.wait({served})

"""The app beside an installation that collects from a fake internet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx2
from fastapi import FastAPI

from ctiscraper.cli.web import web_services
from ctiscraper.tasks.bell import SilentBell
from ctiscraper.web.app import create_app
from internet.world import FakeInternet
from people import person, token_of
from walk.walker import Walk, walking

FORM = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Desk:
    """Somebody who works on sources, by pages and by API."""

    walk: Walk
    client: httpx2.AsyncClient
    app: FastAPI

    async def post(self, path: str, **fields: object) -> httpx2.Response:
        """Send a form, as a browser does."""
        return await self.client.post(path, content=urlencode(fields), headers=FORM)

    async def collected(self, **changes: object) -> str:
        """The key of a source of the first site, all of it collected."""
        [source] = self.walk.net.sources()[:1]
        given = {"url": source.url, "settings": {"key": "one", **changes}}
        answer = await self.client.post("/api/v1/sources", json=given)
        assert answer.status_code == 201, answer.text
        await self.walk.collect()
        return "one"

    async def version(self, key: str = "one") -> int:
        """The version of a source's settings."""
        return int((await self.client.get(f"/api/v1/sources/{key}/settings")).json()["version"])


@asynccontextmanager
async def working(
    database: str, folder: Path, net: FakeInternet, **changes: object
) -> AsyncIterator[Desk]:
    async with walking(database, net, folder, **changes) as walk:
        app = create_app(web_services(walk.services, SilentBell()))
        token = await token_of(walk.database, await person(walk.database))
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app),
            base_url="http://127.0.0.1",
            headers={"authorization": f"Bearer {token}"},
        ) as client:
            yield Desk(walk, client, app)

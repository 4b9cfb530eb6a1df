"""The API's description as a file: python -m ctiscraper.web.openapi FILE."""

import asyncio
import json
import sys
from pathlib import Path

from fastapi import FastAPI

from ctiscraper.db.session import Database
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices


def description(app: FastAPI) -> str:
    """Return the OpenAPI description of an app as it is committed."""
    return json.dumps(app.openapi(), indent=2) + "\n"


async def _described() -> str:
    return description(create_app(WebServices(database=Database(""))))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(asyncio.run(_described()), "utf-8")

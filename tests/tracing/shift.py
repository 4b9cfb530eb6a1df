"""A worker process that is rung by a message: python -m tracing.shift, the message on its input."""

import asyncio
import json
import sys
from typing import Any

from ctiscraper.bootstrap import open_services
from ctiscraper.config import Settings
from ctiscraper.tasks.work import Worker
from ctiscraper.telemetry import configure_logs
from ctiscraper.tracing import resume, span


async def work(message: dict[str, Any]) -> None:
    settings = Settings.model_validate(message["settings"])
    async with open_services(
        settings, message["conninfo"], service="ctiscraper-worker"
    ) as services:
        with resume(message["headers"]), span("shift", kind="consumer"):
            await Worker(services, once=True).run()


if __name__ == "__main__":
    configure_logs(json=True)
    asyncio.run(work(json.loads(sys.stdin.read())))

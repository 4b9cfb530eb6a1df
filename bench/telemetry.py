"""What a log line and a span cost: processor time for each, traces off and on."""

import argparse
import asyncio
import os
import time
from collections.abc import Callable

from structlog.contextvars import bound_contextvars, merge_contextvars

from ctiscraper import telemetry
from ctiscraper.redaction import redact_text
from ctiscraper.tracing import Collector, exporting, span

IDS = {
    "worker": "5f0c3a5e-3d43-4f0e-9a3c-8f1a4d1c7b11",
    "host": "blog.example",
    "source": "example-blog",
    "job": 4711,
    "attempt": 1,
    "article": 812,
}
PROSE = "The loader waits for a minute before it asks its server for the second stage. " * 50


def cost(work: Callable[[], object], times: int) -> float:
    """The seconds that one call takes, the least of seven rounds."""
    rounds = []
    for _ in range(7):
        began = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - began) / times)
    return min(rounds)


def line() -> str:
    event = merge_contextvars(None, "", {"event": "processed", "outcome": "stored"})
    return telemetry._line(event, "info", json=True)  # noqa: SLF001 - what each line passes


def kept() -> None:
    with span("process", source="example-blog", job=4711) as at:
        at.set(outcome="stored")


def bare() -> None:
    with span("process"):
        pass


async def main(endpoint: str) -> None:
    with bound_contextvars(**IDS):
        print(f"a log line of an item            {cost(line, 5_000) * 1e6:8.1f} µs")
    print(f"a text of 4,000 characters       {cost(lambda: redact_text(PROSE), 500) * 1e6:8.1f} µs")
    print(f"a span, traces off               {cost(bare, 100_000) * 1e9:8.0f} ns")
    print(f"with attributes, traces off      {cost(kept, 100_000) * 1e9:8.0f} ns")
    async with exporting(Collector(endpoint=endpoint)):
        print(f"with attributes, traces on       {cost(kept, 2_000) * 1e6:8.1f} µs")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", default="http://127.0.0.1:9", help="collector of the spans")
    print(f"{os.cpu_count()} cores")
    asyncio.run(main(parser.parse_args().endpoint))

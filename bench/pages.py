"""Every page over a million articles: time at the server, bytes, and what Chromium sees of it.

Run: .venv/bin/python bench/pages.py [--rows 1000000] [--rounds 12] [--data FOLDER]

The server is one process as in production; pages are asked for one at a time, each at other places
every time. Chromium opens the pages with its processor slowed to a fourth and nothing kept, and
tells when it first painted and how far anything moved afterwards.
"""

import argparse
import asyncio
import gzip
import random
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import async_playwright

import search
from ctiscraper.access.cookies import new_session, session_key
from ctiscraper.db.paging import Position, to_cursor
from ctiscraper.db.session import Database
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.users import Users
from ctiscraper.identity import Role
from ctiscraper.web.rules import RULES
from furniture import furnish

SERVERS = Path(__file__).with_name("endpoint_servers.py")
COOKIE = "ctiscraper"
BAR_MS = 100.0
FIRST_PAGE_BYTES = 60_000
FIRST_PAINT_MS = 1000.0
# What a header that arrives in two pieces moves by is less than can be seen.
NO_SHIFT = 0.0005
SLOWED = 4
# Files, forms of a step in between, and what only a stranger sees.
LEFT_OUT = frozenset({"/metrics", "/techniques/layer.json", "/login", "/logout", "/setup"})
_OBSERVE = """
new Promise(done => {
  let moved = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) moved += entry.value;
  }).observe({type: 'layout-shift', buffered: true});
  setTimeout(() => {
    const paint = performance.getEntriesByName('first-contentful-paint')[0];
    done([paint ? paint.startTime : -1, moved]);
  }, 300);
})
"""


@dataclass
class Page:
    """What one page cost: milliseconds of each request, and bytes as they are and packed."""

    name: str
    spent: list[float] = field(default_factory=list)
    size: int = 0
    packed: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Site:
    """A server, and the cookie of somebody who may see everything."""

    port: int
    cookie: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def shown() -> list[str]:
    """Return the pages that there are."""
    paths = (name.removeprefix("GET ") for name in RULES if name.startswith("GET "))
    return sorted(
        path
        for path in paths
        if not path.startswith(("/api/", "/health", "/feeds/", "/oidc/"))
        and path not in LEFT_OUT
        and "." not in path.rpartition("/")[2]
        and not path.endswith(("/export", "/events"))
    )


async def places(database: Database, rounds: int) -> dict[str, list[Any]]:
    """Return what the parts of addresses may be."""
    found: dict[str, list[Any]] = {}
    async with database.connection() as conn:
        for name, statement in {
            "article_id": "SELECT id FROM article ORDER BY random() LIMIT %s",
            "entity_id": "SELECT id FROM entity ORDER BY articles DESC LIMIT %s",
            "story_id": "SELECT id FROM story ORDER BY random() LIMIT %s",
            "detection_id": "SELECT id FROM detection ORDER BY random() LIMIT %s",
            "search_id": "SELECT id FROM saved_search ORDER BY id DESC LIMIT %s",
            "key": "SELECT key FROM source ORDER BY random() LIMIT %s",
            "place": "SELECT sort_at, id FROM article ORDER BY random() LIMIT %s",
        }.items():
            cursor = await conn.execute(statement, (rounds,))
            rows = await cursor.fetchall()
            found[name] = [row if len(row) > 1 else row[0] for row in rows]
    return found


def addresses(path: str, given: dict[str, list[Any]], rounds: int) -> list[str]:
    """Return addresses of a page; of one whose thing is not there none."""
    if "{" not in path:
        if path != "/":
            return [path] * rounds
        cursors = [to_cursor(Position(*place)) for place in given["place"]]
        words = [{"q": text} for text in random.Random(1).sample(_searches(), rounds)]
        return ["/", *(f"/?{urlencode(v)}" for v in [*({"cursor": c} for c in cursors), *words])]
    name = path.partition("{")[2].partition("}")[0]
    return [path.replace(f"{{{name}}}", str(value)) for value in given.get(name, ())]


def _searches() -> list[str]:
    return [text for name, texts in search.mix().items() if name != "phrase" for text in texts]


async def ask(site: Site, path: str) -> tuple[int, bytes, float]:
    """Return status, body and milliseconds of one page."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    began = time.perf_counter()
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nConnection: close\r\n"
        f"Cookie: {COOKIE}={site.cookie}\r\n\r\n".encode()
    )
    answer = await reader.read(-1)
    spent = (time.perf_counter() - began) * 1e3
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body, spent


async def measured(site: Site, database: Database, rounds: int) -> list[Page]:
    """Return what each page cost."""
    given = await places(database, rounds)
    pages = []
    for path in shown():
        page = Page(path)
        for address in addresses(path, given, rounds):
            status, body, spent = await ask(site, address)
            # A saved search leads on to its list.
            page.failed += status not in (200, 303)
            page.spent.append(spent)
            page.size, page.packed = len(body), len(gzip.compress(body, 5))
        pages.append(page)
    return pages


async def seen(site: Site, paths: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return when Chromium first painted each page (ms), and how far things moved."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    found = {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        # The browser's own start is not the page's: one that nobody times is opened before.
        for path in ("/login", *paths):
            context = await browser.new_context(base_url=site.url)
            await context.add_cookies([{"name": COOKIE, "value": site.cookie, "url": site.url}])
            page = await context.new_page()
            session = await context.new_cdp_session(page)
            await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
            await page.goto(path, wait_until="load")
            paint, moved = await page.evaluate(_OBSERVE)
            found[path] = (paint, moved)
            await context.close()
        await browser.close()
    del found["/login"]
    return found


@asynccontextmanager
async def served(database: Database, rounds: int) -> AsyncIterator[Site]:
    """Yield the server, in a process of its own."""
    user = await Users(database).add(f"bench-{secrets.token_hex(4)}", name="Bench", role=Role.ADMIN)
    await furnish(database, user, random.Random(2).sample(_searches(), rounds), rounds)
    secret = new_session()
    await Sessions(database).add(session_key(secret), user)
    process = subprocess.Popen(
        [sys.executable, str(SERVERS), "ours", database.conninfo],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(await asyncio.to_thread(process.stdout.readline))
        yield Site(port, secret)
    finally:
        process.kill()
        process.wait()


async def first_load(site: Site) -> int:
    """Return how many bytes the first page takes with all that it names, packed as by a proxy."""
    _, body, _ = await ask(site, "/")
    total = len(gzip.compress(body, 5))
    text = body.decode()
    for part in text.split('"'):
        if part.startswith("/static/"):
            _, content, _ = await ask(site, part)
            total += len(gzip.compress(content, 5))
    return total


def tell(pages: Sequence[Page], painted: dict[str, tuple[float, float]], first: int) -> bool:
    """Print a line for each page; return whether all bars are held."""
    held = True
    for page in pages:
        if not page.spent:
            print(f"{page.name}: there is none")
            continue
        late = search.p95(page.spent)
        faults = [f"{page.failed} FAILED"] if page.failed else []
        if late > BAR_MS:
            faults.append("SLOW")
        seen_of = painted.get(page.name)
        told = ""
        if seen_of is not None:
            told = f", painted after {seen_of[0]:.0f} ms, moved {seen_of[1]:.3f}"
            if not 0 <= seen_of[0] <= FIRST_PAINT_MS or seen_of[1] >= NO_SHIFT:
                faults.append("PAINT")
        held = held and not faults
        print(
            f"{page.name}: p50 {sorted(page.spent)[len(page.spent) // 2]:.1f}, p95 {late:.1f} ms, "
            f"{page.size:,} bytes, {page.packed:,} packed{told} {' '.join(faults)}"
        )
    everything = [one for page in pages for one in page.spent]
    print(f"all: p95 {search.p95(everything):.1f} ms of {BAR_MS:.0f}")
    print(f"the first page with its files: {first:,} bytes packed of {FIRST_PAGE_BYTES:,}")
    return held and first <= FIRST_PAGE_BYTES


async def main(rows: int, rounds: int, data: Path | None) -> bool:
    """Build, serve, ask and look."""
    async with search.filled(rows, data) as database, served(database, rounds) as site:
        await measured(site, database, 2)
        pages = await measured(site, database, rounds)
        one = {page.name: page.name for page in pages if "{" not in page.name}
        painted = await seen(site, list(one))
        return tell(pages, painted, await first_load(site))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--data", type=Path, help="a folder that keeps what is filled")
    options = parser.parse_args()
    sys.exit(0 if asyncio.run(main(options.rows, options.rounds, options.data)) else 1)

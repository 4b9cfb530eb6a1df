"""The list of articles over HTTP against the barest program and one by a mapper, on one database.

Run: .venv/bin/python bench/endpoints.py [--rows 1000000] [--rounds 5] [--requests 1000]

Three servers of one process each take turns: ours with its guard, its session and its log; one of
nothing but ASGI, asyncpg and orjson with the same statement; one of FastAPI, SQLAlchemy's mapper
and response models of pydantic. Each is asked for pages of 50 at places all over the list, no
place twice in a round, by 16 connections. CPU is that of the server's process; its reciprocal is
how many requests a core answers. That of PostgreSQL stands beside it.
"""

import argparse
import asyncio
import random
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import million
import rig
from ctiscraper.access.cookies import new_session, session_key
from ctiscraper.db.paging import Position, to_cursor
from ctiscraper.db.session import Conn, Database
from ctiscraper.db.sessions import Sessions
from ctiscraper.db.users import Users
from ctiscraper.identity import Role

SERVERS = Path(__file__).with_name("endpoint_servers.py")
NAMES = ("ours", "raw", "orm")
CONNECTIONS = 16
LEAST_OF_RAW = 0.6
LEAST_OF_ORM = 4.0
SCORES = """
    INSERT INTO article_score (article_id, score, parts, text_parts, version, listed_at)
    SELECT id, s, parts, parts, '1', sort_at
    FROM (SELECT id, sort_at, random()::real AS s FROM article) made,
        LATERAL (SELECT jsonb_build_array(
            jsonb_build_object('name', 'urgency', 'value', s, 'weight', 1))) built (parts)
"""


@dataclass
class Server:
    """One of the programs, and what answering took it."""

    name: str
    port: int
    pid: int
    cookie: str
    own: list[float] = field(default_factory=list)
    postgres: list[float] = field(default_factory=list)
    bytes: int = 0

    def path(self, place: Position) -> str:
        """Return the address of the page that begins at a place."""
        if self.name == "ours":
            return f"/api/v1/articles?{urlencode({'limit': 50, 'cursor': to_cursor(place)})}"
        where = urlencode({"at": place.at.isoformat(), "id": place.id})
        return f"/articles?{where}"


async def filled(conn: Conn, rows: int) -> None:
    """Add articles with scores."""
    await million.fill(conn, rows)
    await conn.execute(SCORES)
    await conn.execute("VACUUM ANALYZE")


async def places(database: Database, count: int) -> list[Position]:
    """Return places all over the list."""
    async with database.connection() as conn:
        cursor = await conn.execute(
            "SELECT sort_at, id FROM article WHERE duplicate_of IS NULL ORDER BY random() LIMIT %s",
            (count,),
        )
        rows = await cursor.fetchall()
    return [Position(at, number) for at, number in rows]


async def ask(server: Server, paths: Sequence[str]) -> None:
    """Ask for these over one connection, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for path in paths:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            f"Cookie: ctiscraper={server.cookie}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise SystemExit(f"{server.name} answered {head.decode()}")
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        server.bytes = len(await reader.readexactly(length))
    writer.close()
    await writer.wait_closed()


async def round_of(made: rig.Installation, server: Server, chosen: Sequence[Position]) -> None:
    """Ask for the pages of all places, and keep what each took."""
    paths = [server.path(place) for place in chosen]
    own, postgres = rig.cpu_of_tree(server.pid), made.postgres_cpu()
    parts = [paths[first::CONNECTIONS] for first in range(CONNECTIONS)]
    await asyncio.gather(*(ask(server, part) for part in parts))
    server.own.append((rig.cpu_of_tree(server.pid) - own) / len(paths) * 1e6)
    server.postgres.append((made.postgres_cpu() - postgres) / len(paths) * 1e6)


@asynccontextmanager
async def served(conninfo: str, cookie: str) -> AsyncIterator[list[Server]]:
    """Yield the three, each in a process of its own."""
    processes: list[subprocess.Popen[str]] = []
    try:
        servers = []
        for name in NAMES:
            process = subprocess.Popen(
                [sys.executable, str(SERVERS), name, conninfo],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            processes.append(process)
            assert process.stdout is not None
            line = await asyncio.to_thread(process.stdout.readline)
            servers.append(Server(name, int(line), process.pid, cookie))
        yield servers
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def main() -> None:
    """Print the three side by side; end with 1 when ours is not within its bounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1000)
    given = parser.parse_args()
    async with (
        rig.installation(options=rig.SMALL_SERVER) as made,
        rig.filled(made, [given.rows], filled) as databases,
    ):
        database = databases[given.rows]
        # A session: a token may not ask so often.
        user = await Users(database).add("bench", name="Bench", role=Role.VIEWER)
        cookie = new_session()
        await Sessions(database).add(session_key(cookie), user)
        chosen = await places(database, given.requests)
        async with served(database.conninfo, cookie) as servers:
            for server in servers:
                await round_of(made, server, chosen)
                server.own.clear()
                server.postgres.clear()
            for _ in range(given.rounds):
                random.shuffle(servers)
                for server in servers:
                    random.shuffle(chosen)
                    await round_of(made, server, chosen)
            tell(servers)


def tell(servers: Sequence[Server]) -> None:
    """Print what each took, and how ours stands."""
    by_name = {server.name: server for server in servers}
    for name in NAMES:
        server = by_name[name]
        own, postgres = statistics.median(server.own), statistics.median(server.postgres)
        print(
            f"{name:>5}: {own:5.0f} us of the server, {postgres:4.0f} us of PostgreSQL a request, "
            f"{1e6 / own:5.0f} a second and core, {server.bytes:,} bytes"
        )
    ours, raw, orm = (statistics.median(by_name[name].own) for name in NAMES)
    print(f"ours answers {raw / ours:.0%} of what raw does, {orm / ours:.1f} times what orm does")
    if raw / ours < LEAST_OF_RAW or orm / ours < LEAST_OF_ORM:
        raise SystemExit(f"should be {LEAST_OF_RAW:.0%} and {LEAST_OF_ORM:.0f} times at least")


if __name__ == "__main__":
    asyncio.run(main())

"""Whether the program can do its work, as a load balancer asks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import psycopg
import pytest
from fastapi import FastAPI
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from redis.asyncio import Redis
from structlog.testing import capture_logs

from ctiscraper.config import load_settings
from ctiscraper.db.move.source import close, reopen
from ctiscraper.db.session import Database
from ctiscraper.tasks.redis_bell import RedisBell
from ctiscraper.tasks.valkey import EmbeddedValkey
from ctiscraper.web import health
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from evil_model import evil_server, hang
from patience import until
from web.shelf import Shelf

# How many connections the app of these tests has at most.
POOL = 4


@pytest.fixture
def placed(database: str, postgres: str) -> tuple[str, sql.Identifier]:
    """Whom to ask for changes to the database, and its name."""
    name = str(conninfo_to_dict(database)["dbname"])
    return postgres, sql.Identifier(name)


async def not_ready(client: httpx2.AsyncClient, part: str = "database") -> str:
    """Why the database is not ready, as the log says; strangers are told a word."""
    with capture_logs() as logs:
        answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (
        503,
        {"status": "unavailable", "degraded": [part]},
    )
    [entry] = [entry for entry in logs if entry["event"] == "web.not_ready"]
    return str(entry["cause"])


async def ready(client: httpx2.AsyncClient) -> bool:
    return (await client.get("/health/ready")).status_code == 200


async def test_a_read_only_database_is_not_ready_and_read_all_the_same(
    client: httpx2.AsyncClient, placed: tuple[str, sql.Identifier]
) -> None:
    server, name = placed
    assert await ready(client)
    _set(server, name, "on")
    # A connection that was ended costs an answer of its own.
    causes = {await not_ready(client) for _ in range(POOL + 1)}
    assert "the database is read-only" in causes
    assert (await client.get("/api/v1/articles")).status_code == 200
    _set(server, name, "off")
    assert True in [await ready(client) for _ in range(POOL + 1)]


def _set(server: str, name: sql.Identifier, value: str) -> None:
    """Set it for those that come, and end those that are there."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(
                name, sql.Literal(value)
            )
        )
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            (name.as_string().strip('"'),),
        )


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE alembic_version SET version_num = '20200101_0000'", "20200101_0000, 2"),
        ("DELETE FROM alembic_version", "empty, 2"),
        ("DROP TABLE alembic_version", "empty, 2"),
    ],
)
async def test_an_older_schema_is_not_ready(
    client: httpx2.AsyncClient, database: str, statement: str, said: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(statement.encode())
    assert said in await not_ready(client, "migrations")


async def test_a_database_that_was_moved_is_not_ready_and_says_where_it_went(
    client: httpx2.AsyncClient, database: str
) -> None:
    words = "this database was moved to new.example:5432/cti: name that one in DATABASE_URL"
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await close(connection, ["article"], words)
    assert await not_ready(client) == words
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await reopen(connection)
    assert await ready(client)


async def test_a_newer_schema_is_ready(client: httpx2.AsyncClient, database: str) -> None:
    with psycopg.connect(make_conninfo(database), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '29991231_2359'")
    assert await ready(client)


async def test_it_is_ready_whatever_the_language_model_does(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with evil_server() as evil:
        evil.answer = hang
        monkeypatch.setenv("CTISCRAPER_MODEL_URL", evil.url)
        assert load_settings().model_url == evil.url
        assert await ready(client)
        assert evil.asked == []


async def told(app: FastAPI) -> object:
    """What a stranger is told, looked at now."""
    app.state.degraded.clear()
    app.state.operations.clear()
    app.state.board.forget()
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
        answer = await asking.get("/health/ready")
    assert answer.status_code == 200
    return answer.json()


async def test_items_that_wait_for_our_disk_are_told_by_a_word(app: FastAPI, shelf: Shelf) -> None:
    assert await told(app) == {"status": "ok"}
    shelf.source("acme")
    shelf.job("acme", "https://acme.example/1", "pending")
    cause = "No space left on device"
    shelf.run("UPDATE fetch_job SET reason = 'storage', detail = %s", (cause,))
    assert await told(app) == {"status": "degraded", "degraded": ["storage"]}
    shelf.run("UPDATE fetch_job SET reason = NULL, detail = ''")
    assert await told(app) == {"status": "ok"}


@asynccontextmanager
async def with_redis(opened: Database, url: str) -> AsyncIterator[FastAPI]:
    bell = RedisBell(load_settings(redis_url=url))
    yield create_app(WebServices(database=opened, bell=bell))
    await bell.aclose()


async def test_a_redis_that_takes_nothing_is_told_by_a_word_while_pages_are_served(
    opened: Database, valkey: EmbeddedValkey
) -> None:
    degraded = {"status": "degraded", "degraded": ["redis"]}
    async with with_redis(opened, valkey.url) as app, Redis.from_url(valkey.url) as client:
        assert await told(app) == {"status": "ok"}
        await client.config_set("maxmemory", "1")
        assert await told(app) == degraded
        await client.config_set("maxmemory", "64mb")
        assert await told(app) == {"status": "ok"}
    async with with_redis(opened, "redis://:s3cret@127.0.0.1:1/0") as app:
        assert await told(app) == degraded


async def test_a_look_that_takes_long_keeps_nobody_waiting(
    opened: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next is told what it saw."""
    monkeypatch.setattr(health, "READY_SECONDS", 0.5)
    async with evil_server() as evil:
        evil.answer = hang
        place = evil.url.removeprefix("http://").rstrip("/")
        async with with_redis(opened, f"redis://{place}/0") as app:
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://127.0.0.1"
            ) as asking:
                assert (await asking.get("/health/ready")).json() == {"status": "ok"}

                async def degraded() -> bool:
                    answer = await asking.get("/health/ready")
                    return bool(answer.json() == {"status": "degraded", "degraded": ["redis"]})

                await until(degraded)

"""The list of articles as three programs serve it: ours, the barest, and one by a mapper.

Run by bench/endpoints.py: endpoint_servers.py ours|raw|orm CONNINFO
"""

import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import asyncpg
import orjson
import uvicorn
from fastapi import FastAPI
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)
from sqlalchemy.types import Text

from ctiscraper.config import Settings
from ctiscraper.db.article_rows import SUMMARY
from ctiscraper.db.session import Database
from ctiscraper.garbage import leave_out_what_stays
from ctiscraper.loop import run_async
from ctiscraper.telemetry import configure_logs
from ctiscraper.web.app import create_app
from ctiscraper.web.deps import WebServices
from ctiscraper.web.serve import serve

POOL = 8
LIMIT = 50
App = Callable[..., Awaitable[None]]

COLUMNS = (
    *("id", "title", "url", "source_key", "source_name", "tier", "summary", "language"),
    *("published_at", "collected_at", "listed_at", "reading_minutes", "word_count", "tags"),
    *("method", "revision", "duplicate_of", "folded", "folded_sources", "score", "parts"),
)
# The statement of the product, less its way of passing values.
INNER = sql.SQL(
    "SELECT a.* FROM article a WHERE a.duplicate_of IS NULL AND (a.sort_at, a.id) < ($1, $2) "
    f"ORDER BY a.sort_at DESC, a.id DESC LIMIT {LIMIT}"
)
QUERY = SUMMARY.format(INNER, sql.SQL("a.sort_at DESC, a.id DESC")).as_string()


def asked(query_string: bytes) -> tuple[datetime, int]:
    """Return where the page begins."""
    given = parse_qs(query_string.decode())
    return datetime.fromisoformat(given["at"][0]), int(given["id"][0])


async def raw(conninfo: str) -> App:
    """Return a program of nothing but a driver, a statement and an encoder."""
    given = conninfo_to_dict(conninfo)
    pool = await asyncpg.create_pool(
        host=str(given["host"]),
        port=int(str(given.get("port", 5432))),
        user=str(given["user"]),
        database=str(given["dbname"]),
        min_size=POOL,
        max_size=POOL,
    )

    async def app(scope: dict[str, Any], _receive: object, send: Callable[..., Any]) -> None:
        if scope["type"] != "http":
            return
        async with pool.acquire() as conn:
            rows = await conn.fetch(QUERY, *asked(scope["query_string"]))
        articles = [dict(zip(COLUMNS, row.values(), strict=True)) for row in rows]
        for article in articles:
            source = {"key": article.pop("source_key"), "name": article.pop("source_name")}
            article["source"] = source
            article["parts"] = orjson.loads(article["parts"] or "[]")
        body = orjson.dumps({"articles": articles})
        headers = [(b"content-type", b"application/json")]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


class Base(DeclarativeBase):
    """The tables that a page of the list reads."""


class SourceRow(Base):
    """A source."""

    __tablename__ = "source"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    name: Mapped[str]


class ScoreRow(Base):
    """The score of an article."""

    __tablename__ = "article_score"
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id"), primary_key=True)
    score: Mapped[float]
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)


class ArticleRow(Base):
    """An article, less its texts."""

    __tablename__ = "article"
    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"))
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("article.id"))
    title: Mapped[str]
    url: Mapped[str]
    tier: Mapped[str]
    summary: Mapped[str | None]
    language: Mapped[str | None]
    published_at: Mapped[datetime | None]
    collected_at: Mapped[datetime]
    sort_at: Mapped[datetime]
    reading_minutes: Mapped[int]
    word_count: Mapped[int]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    method: Mapped[str]
    revision: Mapped[int]
    source: Mapped[SourceRow] = relationship()
    scored: Mapped[ScoreRow | None] = relationship()
    duplicates: Mapped[list["ArticleRow"]] = relationship()


class SourceOut(BaseModel):
    """A source, as it is answered."""

    model_config = ConfigDict(from_attributes=True)
    key: str
    name: str


class ScoreOut(BaseModel):
    """A score, as it is answered."""

    model_config = ConfigDict(from_attributes=True)
    score: float
    parts: list[dict[str, Any]]


class CopyOut(BaseModel):
    """A near-duplicate, as it is answered."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    source: SourceOut


class ArticleOut(BaseModel):
    """An article, as it is answered."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    url: str
    tier: str
    summary: str | None
    language: str | None
    published_at: datetime | None
    collected_at: datetime
    sort_at: datetime
    reading_minutes: int
    word_count: int
    tags: list[str]
    method: str
    revision: int
    duplicate_of: int | None
    source: SourceOut
    scored: ScoreOut | None
    duplicates: list[CopyOut]


def orm(conninfo: str) -> FastAPI:
    """Return a program as many are written: a mapper, and models that check the answer."""
    given = conninfo_to_dict(conninfo)
    engine = create_async_engine(
        f"postgresql+psycopg://{given['user']}@/{given['dbname']}?host={given['host']}",
        pool_size=POOL,
    )
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    app = FastAPI()

    @app.get("/articles", response_model=list[ArticleOut])
    async def articles(at: datetime, id: int) -> list[ArticleRow]:  # noqa: A002 - the parameter
        statement = (
            select(ArticleRow)
            .where(ArticleRow.duplicate_of.is_(None))
            .where(tuple_(ArticleRow.sort_at, ArticleRow.id) < (at, id))
            .order_by(ArticleRow.sort_at.desc(), ArticleRow.id.desc())
            .limit(LIMIT)
            .options(
                joinedload(ArticleRow.source),
                joinedload(ArticleRow.scored),
                selectinload(ArticleRow.duplicates).joinedload(ArticleRow.source),
            )
        )
        async with sessions() as session:
            return list((await session.scalars(statement)).all())

    return app


async def run(name: str, conninfo: str) -> None:
    """Serve one of them and print the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        if name == "ours":
            configure_logs(json=True)
            async with Database(conninfo, size=POOL) as database:
                app = create_app(WebServices(database=database, keep=Settings().keep()))
                leave_out_what_stays()
                await serve(app, listening)
            return
        other = await raw(conninfo) if name == "raw" else orm(conninfo)
        logging.disable()
        config = uvicorn.Config(other, lifespan="off", access_log=False, log_config=None)
        await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    run_async(run(sys.argv[1], sys.argv[2]))

"""The sample site: four fictional blogs behind one loopback port, told apart by Host."""

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self

from ctiscraper.demo.library import BLOGS, Blog, DemoArticle, load_articles
from ctiscraper.demo.pages import feed, front_page, page, revised, sitemap
from ctiscraper.types import SourceSettings

ADDRESS: Final = "127.0.0.1"

_HTML: Final = "text/html; charset=utf-8"
_IDLE_SECONDS: Final = 30
_ROBOTS: Final = "User-agent: *\nDisallow: /search\n"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    kind: str
    body: bytes

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:20]}"'


class DemoSite:
    """Serves the sample blogs on loopback while its async context is open.

    Their addresses are names under `.example`: the client that collects them needs
    `host_map` and must be allowed to reach `127.0.0.1/32`. One article is edited as
    soon as its first version was read: the next check of its blog finds the edit.
    """

    def __init__(self, port: int = 0) -> None:
        """Listen on `port`, or on a free one."""
        self._port = port
        self._articles = load_articles()
        self._revised = False
        self._server: asyncio.Server | None = None
        self._talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, ADDRESS, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None, "closed without having been opened"
        self._server.close()
        for writer in self._talks.values():
            writer.transport.abort()  # ends its task; a cancelled one would be logged as a fault
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def sources(self) -> tuple[SourceSettings, ...]:
        """The settings that collect the blogs."""
        return tuple(blog.settings() for blog in BLOGS)

    @property
    def host_map(self) -> dict[str, str]:
        """Where each blog's name really is, as `address:port`."""
        return {blog.host: f"{ADDRESS}:{self._port}" for blog in BLOGS}

    @property
    def articles(self) -> tuple[DemoArticle, ...]:
        """The articles as they are served now, newest first."""
        return tuple(map(revised, self._articles)) if self._revised else self._articles

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a stream callback runs in a task"
        self._talks[task] = writer
        task.add_done_callback(self._talks.pop)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, TimeoutError):
            pass  # the client left, was silent for long, or does not speak HTTP
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; false when the connection ends with it."""
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _IDLE_SECONDS)
        method, path, headers = _read_head(head)
        answer = self._answer(headers.get("host", "").partition(":")[0], path)
        if headers.get("if-none-match") == answer.etag and answer.status == HTTPStatus.OK:
            writer.write(f"HTTP/1.1 304 Not Modified\r\nETag: {answer.etag}\r\n\r\n".encode())
        else:
            writer.write(_message(answer, with_body=method != "HEAD"))
        await writer.drain()
        return headers.get("connection", "").lower() != "close"

    def _answer(self, host: str, path: str) -> _Answer:
        blog = next((blog for blog in BLOGS if blog.host == host), None)
        if blog is None:
            return _page(HTTPStatus.NOT_FOUND, "<h1>No such site</h1>")
        articles = tuple(article for article in self.articles if article.blog is blog)
        answer = _document(blog, articles, path) or _article(articles, path)
        if any(article.revision and article.path == path for article in articles):
            self._revised = True
        return answer


def _read_head(head: bytes) -> tuple[str, str, Mapping[str, str]]:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return method, target.partition("?")[0], headers


def _message(answer: _Answer, *, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.kind}\r\nContent-Length: {len(answer.body)}\r\n"
        f"ETag: {answer.etag}\r\nCache-Control: no-cache\r\n\r\n"
    )
    return head.encode() + (answer.body if with_body else b"")


def _document(blog: Blog, articles: tuple[DemoArticle, ...], path: str) -> _Answer | None:
    """Return what stands at one of the blog's fixed paths."""
    if path == "/":
        return _page(HTTPStatus.OK, front_page(blog, articles))
    if path == "/robots.txt":
        return _Answer(HTTPStatus.OK, "text/plain; charset=utf-8", _ROBOTS.encode())
    if path == "/sitemap.xml":
        return _Answer(HTTPStatus.OK, "application/xml", sitemap(blog, articles).encode())
    if blog.feed and path == blog.feed:
        text, kind = feed(blog, articles)
        return _Answer(HTTPStatus.OK, kind, text.encode())
    return None


def _article(articles: tuple[DemoArticle, ...], path: str) -> _Answer:
    article = next((article for article in articles if article.path == path), None)
    if article is None:
        return _page(HTTPStatus.NOT_FOUND, "<h1>Page not found</h1>")
    if article.refused:
        return _page(HTTPStatus.FORBIDDEN, "<h1>Automatic readers are not admitted here</h1>")
    return _page(HTTPStatus.OK, page(article))


def _page(status: HTTPStatus, body: str) -> _Answer:
    return _Answer(status, _HTML, body.encode())

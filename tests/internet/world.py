"""The fake internet: many sites on loopback, each on an address of its own, with their faults."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final, Self

import trustme

from ctiscraper.types import SourceSettings
from internet.content_faults import CONTENT_FAULTS
from internet.exchange import HTML, PLAIN, RSS, Exchange, Request, limit_buffer
from internet.site import Site
from internet.wire_faults import WIRE_FAULTS, Fault

FAULTS: Final[Mapping[str, Fault]] = {**WIRE_FAULTS, **CONTENT_FAULTS}

CERTIFICATES: Final = ("good", "expired", "wrong_host", "unknown_authority")

_KINDS: Final = {
    "/robots.txt": "robots",
    "/feed.xml": "feed",
    "/atom.xml": "feed",
    "/feed.json": "feed",
    "/sitemap.xml": "sitemap",
    "/": "index",
    "/index.html": "index",
}


class FakeInternet:
    """Sites on 127.20.0.0/16, or on ports of 127.0.0.1 where that range is not there.

    Use as an async context manager. With `named`, a site's URLs are
    `http://site-0.example/…` and `host_map` says where that is; else they hold
    address and port. With `tls` they are https, signed by `authority`. Any fault also
    answers at `/x/NAME` of any site.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each thing that a test may set
        self,
        *,
        hosts: int = 1,
        items: int = 5,
        seed: int = 1,
        tls: bool = False,
        named: bool = False,
        certificates: Mapping[int, str] | None = None,
        drip: float = 0.05,
        latency: float = 0.0,
    ) -> None:
        self.sites: list[Site] = []
        self.requests: list[Request] = []
        self.canary_hits = 0
        self.drip = drip
        self.latency = latency
        self.tls = tls
        self.authority = trustme.CA() if tls else None
        self._hosts, self._items, self._seed, self._named = hosts, items, seed, named
        self._certificates = dict(certificates or {})
        self._servers: list[asyncio.Server] = []
        self._talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._seen: Counter[tuple[int, str]] = Counter()
        self._canary_url = ""

    async def __aenter__(self) -> Self:
        canary = await asyncio.start_server(self._canary, "127.0.0.1", 0)
        self._servers.append(canary)
        self._canary_url = f"http://127.0.0.1:{canary.sockets[0].getsockname()[1]}/canary"
        for index in range(self._hosts):
            await self._open(index)
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for writer in self._talks.values():
            writer.transport.abort()  # ends its task; a cancelled one would be logged as a fault
        await asyncio.gather(*self._talks, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()

    @property
    def ports(self) -> frozenset[int]:
        """Every port in use."""
        return frozenset(site.port for site in self.sites)

    @property
    def networks(self) -> tuple[ipaddress.IPv4Network, ...]:
        """What an operator must allow so that the sites, but not the canary, can be fetched.

        Where all share 127.0.0.1 the canary's port is not in `ports`.
        """
        return tuple({ipaddress.IPv4Network(f"{site.address}/32") for site in self.sites})

    @property
    def host_map(self) -> dict[str, str]:
        """Names and the `address:port` where each is."""
        return {site.name: f"{site.address}:{site.port}" for site in self.sites}

    @property
    def authority_pem(self) -> bytes:
        """The certificate of the authority that signs the sites."""
        if self.authority is None:
            raise ValueError("the fake internet was made without tls")
        return self.authority.cert_pem.bytes()

    def sources(self) -> tuple[SourceSettings, ...]:
        """The sites as settings to collect by, each through its RSS feed."""
        return tuple(
            SourceSettings(
                key=f"site-{site.index}",
                name=f"Site {site.index}",
                url=site.url(),
                feed_url=site.url("/feed.xml"),
                crawl_delay=0.0,
            )
            for site in self.sites
        )

    def asked(self, *, path: str | None = None, site: Site | None = None) -> list[Request]:
        """The requests seen so far, of one path or one site when given."""
        return [
            request
            for request in self.requests
            if (path is None or request.path.partition("?")[0] == path)
            and (site is None or request.host == site.name)
        ]

    async def _open(self, index: int) -> None:
        context = self._context(index)

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._talk(self.sites[index], reader, writer)

        address = f"127.20.{index // 250}.{index % 250 + 1}"
        try:
            server = await asyncio.start_server(talk, address, 0, ssl=context)
        except OSError:
            address = "127.0.0.1"
            server = await asyncio.start_server(talk, address, 0, ssl=context)
        self._servers.append(server)
        port = server.sockets[0].getsockname()[1]
        name = f"site-{index}.example" if self._named else address
        place = name if self._named else f"{address}:{port}"
        site = Site(
            index=index,
            name=name,
            address=address,
            port=port,
            origin=f"{'https' if self.tls else 'http'}://{place}",
            seed=self._seed,
        )
        site.bump(self._items)
        self.sites.append(site)

    def _context(self, index: int) -> ssl.SSLContext | None:
        if self.authority is None:
            return None
        sort = self._certificates.get(index, "good")
        names = [f"site-{index}.example", f"127.20.{index // 250}.{index % 250 + 1}", "127.0.0.1"]
        past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) if sort == "expired" else None
        issuer = trustme.CA() if sort == "unknown_authority" else self.authority
        certificate = issuer.issue_cert(
            *(["elsewhere.example"] if sort == "wrong_host" else names), not_after=past
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

    async def _canary(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.canary_hits += 1
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _talk(
        self, site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks[task] = writer
        task.add_done_callback(self._talks.pop)
        limit_buffer(writer)
        try:
            while await self._answer_one(site, reader, writer):
                pass
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer_one(
        self, site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; false when the connection is over."""
        request = _read_head(await reader.readuntil(b"\r\n\r\n"), site, tls=self.tls)
        path = request.path.partition("?")[0]
        exchange = Exchange(
            site=site,
            request=request,
            reader=reader,
            writer=writer,
            earlier=self._seen[site.index, path],
            canary_url=self._canary_url,
            drip=self.drip,
        )
        self._seen[site.index, path] += 1
        self.requests.append(request)
        if self.latency:
            await asyncio.sleep(self.latency)
        fault = _fault(site, path)
        await (fault(exchange) if fault else _answer(exchange, path))
        return exchange.keep_open and request.headers.get("connection") != "close"


def _read_head(head: bytes, site: Site, *, tls: bool) -> Request:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    now = time.monotonic()
    return Request(at=now, host=site.name, method=method, path=path, headers=headers, tls=tls)


def _fault(site: Site, path: str) -> Fault | None:
    if path.startswith("/x/"):
        return FAULTS.get(path.removeprefix("/x/"))
    kind = "page" if path.startswith("/a/") else _KINDS.get(path, "")
    name = site.faults.get(path) or site.faults.get(kind)
    return FAULTS[name] if name else None


async def _answer(x: Exchange, path: str) -> None:
    """Answer as a site in good health does."""
    site = x.site
    documents = {
        "/feed.xml": (site.rss, RSS),
        "/atom.xml": (site.atom, "application/atom+xml; charset=utf-8"),
        "/feed.json": (site.json_feed, "application/feed+json"),
        "/sitemap.xml": (site.sitemap, "application/xml"),
        "/": (site.front_page, HTML),
        "/index.html": (site.front_page, HTML),
        "/robots.txt": (lambda: site.robots, PLAIN),
    }
    if path in documents:
        make, kind = documents[path]
        await x.offer(make(), kind)
        return
    number = path.removeprefix("/a/")
    try:
        item = site.item(int(number))
    except (KeyError, ValueError):
        await x.send("<h1>Not found</h1>", status=404)
    else:
        await x.offer(site.page(item), HTML)

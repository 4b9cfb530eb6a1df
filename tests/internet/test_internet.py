"""The fake internet itself: deterministic, polite by default, and faulty on demand."""

import asyncio
import gzip
import json
import ssl
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator

import pytest

from internet import FAULTS, FakeInternet, Site
from internet.wire_faults import STATUSES


@pytest.fixture
async def net() -> AsyncIterator[FakeInternet]:
    async with FakeInternet(hosts=2, items=3, drip=0.001) as internet:
        yield internet


async def ask(site: Site, path: str, *lines: str, limit: int = 1 << 20) -> tuple[bytes, bytes]:
    """Head and body (at most `limit` bytes) of the raw answer to a GET."""
    reader, writer = await asyncio.open_connection(site.address, site.port)
    more = "".join(f"{line}\r\n" for line in lines)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: {site.name}\r\nConnection: close\r\n{more}\r\n".encode()
    )
    data = b""
    try:
        while len(data) < limit and (chunk := await reader.read(1 << 16)):
            data += chunk
    except ConnectionResetError:
        data += b"[reset]"
    finally:
        writer.close()
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


async def test_every_site_has_feeds_pages_and_a_map_of_the_same_articles(net: FakeInternet) -> None:
    for site in net.sites:
        rss = ET.fromstring((await ask(site, "/feed.xml"))[1])
        links = [link.text for link in rss.findall("./channel/item/link")]
        atom = ET.fromstring((await ask(site, "/atom.xml"))[1])
        hrefs = [e.attrib["href"] for e in atom.findall("{*}entry/{*}link")]
        feed = json.loads((await ask(site, "/feed.json"))[1])
        sitemap = ET.fromstring((await ask(site, "/sitemap.xml"))[1])
        urls = [loc.text for loc in sitemap.findall("{*}url/{*}loc")]
        front = (await ask(site, "/"))[1].decode()

        assert links == hrefs == [item["url"] for item in feed["items"]] == urls
        assert all(site.item(n).path in front for n in range(3))
        for number in range(3):
            item = site.item(number)
            page = (await ask(site, item.path))[1].decode()
            prose = site.prose(item)
            assert prose.marker in page
            assert prose.sections[0].heading in page
            assert "<details>" in page
            assert "<table>" in page


async def test_the_same_seed_gives_the_same_internet() -> None:
    pages = []
    for seed in (7, 7, 8):
        async with FakeInternet(items=1, seed=seed, named=True) as internet:
            pages.append(internet.sites[0].page(internet.sites[0].items[0]))

    assert pages[0] == pages[1] != pages[2]


async def test_no_two_articles_are_alike() -> None:
    async with FakeInternet(hosts=4, items=8) as internet:
        texts = [
            " ".join(p for s in site.prose(item).sections for p in s.paragraphs).split()
            for site in internet.sites
            for item in site.items
        ]
    shingles = [set(zip(t, t[1:], t[2:], strict=False)) for t in texts]
    worst = max(len(a & b) / len(a | b) for i, a in enumerate(shingles) for b in shingles[i + 1 :])

    assert worst < 0.3


async def test_what_has_not_changed_is_not_sent_again(net: FakeInternet) -> None:
    site = net.sites[0]
    head, body = await ask(site, "/feed.xml", "Accept-Encoding: gzip")
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    etag, modified = headers[b"ETag"].decode(), headers[b"Last-Modified"].decode()

    assert gzip.decompress(body).decode() == site.rss()
    for line in (f"If-None-Match: {etag}", f"If-Modified-Since: {modified}"):
        assert (await ask(site, "/feed.xml", line))[0].startswith(b"HTTP/1.1 304")
    site.bump(2)
    head, body = await ask(site, "/feed.xml", f"If-None-Match: {etag}")
    assert head.startswith(b"HTTP/1.1 200")
    assert body.count(b"<item>") == 5
    assert body.index(b"/a/4<") < body.index(b"/a/0<")


async def test_an_edit_adds_to_the_article(net: FakeInternet) -> None:
    site = net.sites[0]
    before = site.prose(site.item(1))
    site.edit(1)
    after = site.prose(site.item(1))

    assert after.sections[:-1] == before.sections
    assert len(after.indicators) == len(before.indicators) + 1
    assert after.indicators[-1][1] in (await ask(site, "/a/1"))[1].decode()


async def test_every_request_is_remembered_with_its_moment(net: FakeInternet) -> None:
    site = net.sites[1]
    await ask(site, "/robots.txt", "User-Agent: me/1")
    await ask(site, "/a/0?utm=1")

    first, second = net.asked(site=site)
    assert (first.path, first.headers["user-agent"]) == ("/robots.txt", "me/1")
    assert second.at > first.at
    assert net.asked(path="/a/0") == [second]
    assert net.asked(site=net.sites[0]) == []


async def test_a_connection_carries_many_requests(net: FakeInternet) -> None:
    site = net.sites[0]
    reader, writer = await asyncio.open_connection(site.address, site.port)
    for _ in range(3):
        writer.write(b"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await reader.readexactly(len(site.robots))
    writer.close()

    assert len(net.requests) == 3


def test_there_are_enough_faults() -> None:
    assert len(FAULTS) >= 80


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_a_fault_answers_differently_from_good_health(name: str) -> None:
    path = "/robots.txt" if name.startswith("robots_") else "/feed.xml"
    async with FakeInternet(hosts=1, items=2, drip=0.0001) as internet:
        site = internet.sites[0]
        good = await ask(site, path)
        site.faults[path] = name
        if name in {"hang", "robots_hang"}:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ask(site, path), 0.05)
            return
        assert await ask(site, path) != good
        assert internet.canary_hits == 0


@pytest.mark.parametrize("status", STATUSES)
async def test_a_fault_stands_on_every_site_under_its_name(net: FakeInternet, status: int) -> None:
    head, _ = await ask(net.sites[1], f"/x/status_{status}")

    assert head.startswith(f"HTTP/1.1 {status} ".encode())


async def test_a_fault_of_a_kind_reaches_all_its_paths(net: FakeInternet) -> None:
    net.sites[0].faults["page"] = "status_503"

    assert [(await ask(net.sites[0], f"/a/{n}"))[0][9:12] for n in range(2)] == [b"503", b"503"]
    assert (await ask(net.sites[1], "/a/0"))[0][9:12] == b"200"


async def test_a_refusal_with_retry_after_ends(net: FakeInternet) -> None:
    answers = [(await ask(net.sites[0], "/x/retry_after_seconds"))[0] for _ in range(3)]

    assert [head[9:12] for head in answers] == [b"429", b"429", b"200"]
    assert b"Retry-After: 2" in answers[0]


async def test_a_flood_stops_when_its_reader_leaves(net: FakeInternet) -> None:
    _, body = await ask(net.sites[0], "/x/endless_chunks", limit=1 << 18)

    assert len(body) < 1 << 20


async def test_the_canary_counts_who_follows_the_redirect(net: FakeInternet) -> None:
    head, _ = await ask(net.sites[0], "/x/redirect_canary")
    location = head.partition(b"Location: http://")[2].partition(b"/")[0].decode()
    address, port = location.split(":")
    _, writer = await asyncio.open_connection(address, int(port))
    writer.close()
    reader, writer = await asyncio.open_connection(address, int(port))
    await reader.read()
    writer.close()

    assert net.canary_hits == 2
    assert int(port) not in net.ports


@pytest.mark.parametrize(
    ("sort", "said"),
    [
        ("good", None),
        ("expired", "expired"),
        ("wrong_host", "mismatch"),
        ("unknown_authority", "unable to get local issuer"),
    ],
)
async def test_a_certificate_is_as_good_as_asked_for(sort: str, said: str | None) -> None:
    async with FakeInternet(items=1, tls=True, named=True, certificates={0: sort}) as internet:
        site = internet.sites[0]
        context = ssl.create_default_context(cadata=internet.authority_pem.decode())
        try:
            _, writer = await asyncio.open_connection(
                site.address, site.port, ssl=context, server_hostname=site.name
            )
        except ssl.SSLCertVerificationError as error:
            told: str | None = str(error)
        else:
            told = None
            writer.close()
            await writer.wait_closed()

        assert site.url("/x") == "https://site-0.example/x"
        assert internet.host_map == {"site-0.example": f"{site.address}:{site.port}"}
        assert (told is None) if said is None else (said in (told or ""))


async def test_its_sources_say_where_to_read(net: FakeInternet) -> None:
    sources = net.sources()

    assert [source.key for source in sources] == ["site-0", "site-1"]
    assert sources[1].feed_url == net.sites[1].url("/feed.xml")


@pytest.mark.parametrize("path", ["/", "/x/hang", "/x/endless_chunks", "/x/slow_body"])
async def test_it_closes_quietly_while_clients_are_connected(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeInternet() as internet:
        site = internet.sites[0]
        reader, writer = await asyncio.open_connection(site.address, site.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        if path != "/x/hang":
            await reader.readuntil(b"\r\n\r\n")

    writer.close()
    assert caplog.records == []

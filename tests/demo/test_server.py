"""The sample site as a collector meets it: feeds, pages, one refusal, one edit, no feed at all."""

import asyncio
import json
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from ctiscraper.demo import DemoSite
from ctiscraper.types import Discovery, Tier


@pytest.fixture
async def site() -> AsyncIterator[DemoSite]:
    async with DemoSite() as demo:
        yield demo


async def ask(site: DemoSite, url: str, *lines: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, head and body of an answer, asked where the host map says."""
    parts = urlsplit(url)
    address, port = site.host_map.get(parts.netloc, f"127.0.0.1:{site.port}").split(":")
    reader, writer = await asyncio.open_connection(address, int(port))
    more = "".join(f"{line}\r\n" for line in lines)
    first = f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    writer.write(f"{first}Connection: close\r\n{more}\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split(" ")[1]), head, body


def addresses(document: str) -> list[str]:
    """The article addresses of a feed or sitemap."""
    root = ET.fromstring(document)
    found = [link.text or "" for link in root.findall("./channel/item/link")]
    found += [link.attrib["href"] for link in root.findall("{*}entry/{*}link")]
    return found + [loc.text or "" for loc in root.findall("{*}url/{*}loc")]


async def test_every_article_is_announced_and_can_be_read(site: DemoSite) -> None:
    announced: list[str] = []
    for source in site.sources:
        status, _, body = await ask(site, source.feed_url or "")
        assert status == 200
        announced += [url for url in addresses(body) if urlsplit(url).path != "/"]

    assert sorted(announced) == sorted(article.url for article in site.articles)
    assert len(announced) >= 20
    for article in site.articles:
        status, _, body = await ask(site, article.url)
        assert status == (403 if article.refused else 200)
        assert (article.html in body) is not article.refused


def test_the_sources_show_the_ways_of_discovery_and_the_tiers() -> None:
    sources = DemoSite().sources

    assert {source.discovery for source in sources} == {Discovery.FEED, Discovery.SITEMAP}
    assert {source.tier for source in sources} == set(Tier)
    assert all(urlsplit(source.url).hostname.endswith(".example") for source in sources)  # type: ignore[union-attr]  # each has one


async def test_the_text_of_a_refused_page_is_in_the_feed(site: DemoSite) -> None:
    (article,) = [article for article in site.articles if article.refused]
    _, _, body = await ask(site, article.blog.url(article.blog.feed))

    encoded = ET.fromstring(body).findtext(
        "./channel/item/{http://purl.org/rss/1.0/modules/content/}encoded"
    )

    assert encoded == article.html


async def test_an_article_is_edited_once_it_was_read(site: DemoSite) -> None:
    (before,) = [article for article in site.articles if article.revision]
    feed = before.blog.url(before.blog.feed)
    old_feed = (await ask(site, feed))[2]
    old_page = (await ask(site, before.url))[2]
    new_feed = (await ask(site, feed))[2]
    new_page = (await ask(site, before.url))[2]

    (after,) = [article for article in site.articles if article.url == before.url]
    assert before.revision not in old_page
    assert before.revision in new_page
    assert after.html.startswith(before.html)
    assert new_feed != old_feed
    changed = [a.url for a, b in zip(DemoSite().articles, site.articles, strict=True) if a != b]
    assert changed == [before.url]


async def test_what_has_not_changed_is_not_sent_again(site: DemoSite) -> None:
    url = site.sources[0].feed_url or ""
    _, head, _ = await ask(site, url)
    etag = head.partition("ETag: ")[2].partition("\r\n")[0]

    status, _, body = await ask(site, url, f"If-None-Match: {etag}")

    assert (status, body) == (304, "")


async def test_robots_front_page_and_the_unknown(site: DemoSite) -> None:
    home = site.sources[0].url

    assert "Disallow: /search" in (await ask(site, f"{home}robots.txt"))[2]
    assert 'rel="alternate"' in (await ask(site, home))[2]
    assert (await ask(site, f"{home}nothing"))[0] == 404
    assert (await ask(site, "http://elsewhere.example/"))[0] == 404
    assert (await ask(site, home, method="HEAD"))[2] == ""


async def test_a_client_that_speaks_no_http_is_let_go(site: DemoSite) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"hello\r\n\r\n")

    assert await reader.read() == b""
    writer.close()


async def test_vendor_pages_carry_structured_data(site: DemoSite) -> None:
    article = next(a for a in site.articles if a.blog.layout == "vendor")
    body = (await ask(site, article.url))[2]
    data = json.loads(body.partition('ld+json">')[2].partition("</script>")[0])

    assert data["headline"] == article.title
    assert data["datePublished"] == article.published.isoformat()


async def test_it_closes_quietly_while_clients_are_connected(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with DemoSite() as demo:
        reader, writer = await asyncio.open_connection("127.0.0.1", demo.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: northlight.example\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")

    writer.close()
    assert caplog.records == []

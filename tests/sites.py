"""A site on the loopback server, and sources that announce what it has."""

import make
from ctiscraper.collect.find import Found
from ctiscraper.types import Source, Validators
from loopback import reply

SITE = "http://site.test/"
FEED = "http://site.test/feed.xml"
ITEMS = "".join(
    f"<item><title>Item {n}</title><link>{SITE}a/{n}</link><guid>{n}</guid></item>" for n in (1, 2)
)
RSS = f'<rss version="2.0"><channel><title>t</title>{ITEMS}</channel></rss>'.encode()
PAGE = b"<html><body><p>No feed is named here.</p></body></html>"
SITEMAP = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{}</urlset>'


def source(validators: Validators | None = None, **changes: object) -> Source:
    values: dict[str, object] = {"url": SITE, "feed_url": FEED}
    settings = make.settings(**{**values, **changes})  # type: ignore[arg-type]  # a builder
    return Source(id=1, settings=settings, validators=validators or Validators())


def urls(found: Found) -> list[str]:
    assert found.feed is not None
    return [entry.url for entry in found.feed.entries]


def sitemap(*paths: str) -> bytes:
    rows = "".join(f"<url><loc>{SITE}{path}</loc></url>" for path in paths)
    return reply(SITEMAP.format(rows).encode())

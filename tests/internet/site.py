"""One site of the fake internet: its articles, feeds, sitemap, front page and robots.txt."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape

from internet.layouts import LAYOUTS, Article
from internet.prose import Prose, write

EPOCH = datetime(2026, 6, 1, 12, tzinfo=UTC)

ROBOTS = "User-agent: *\nDisallow: /private/\nCrawl-delay: 0\n"


@dataclass(slots=True)
class Item:
    """One article of a site; an edit raises its revision."""

    number: int
    revision: int = 0

    @property
    def path(self) -> str:
        """Where its page is."""
        return f"/a/{self.number}"


@dataclass(slots=True)
class Site:
    """What one host publishes. `items` are newest first.

    `faults` maps a path, or `feed`, `page`, `robots`, `sitemap` or `index`, to the
    name of the fault that answers there instead.
    """

    index: int
    name: str
    address: str
    port: int
    origin: str
    seed: int
    items: list[Item] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    robots: str = ROBOTS
    summaries_only: bool = True
    epoch: datetime = EPOCH

    def url(self, path: str = "/") -> str:
        """The address of a path on this site."""
        return self.origin + path

    def bump(self, count: int = 1) -> list[Item]:
        """Publish new articles at the top of every feed."""
        first = self.items[0].number + 1 if self.items else 0
        new = [Item(number) for number in range(first, first + count)]
        self.items[:0] = reversed(new)
        return new

    def edit(self, number: int) -> None:
        """Revise an article: one more paragraph, one indicator more."""
        self.item(number).revision += 1

    def item(self, number: int) -> Item:
        """The article of a number; raises KeyError when there is none."""
        for item in self.items:
            if item.number == number:
                return item
        raise KeyError(number)

    def article(self, item: Item) -> Article:
        """Everything that is said about one article."""
        published = self.epoch + timedelta(hours=item.number, minutes=self.index)
        return Article(
            prose=self.prose(item),
            url=self.url(item.path),
            home=self.url(),
            site=f"Site {self.index}",
            published=published,
            modified=published + timedelta(minutes=item.revision),
        )

    def prose(self, item: Item) -> Prose:
        """The words of one article as they stand now."""
        prose = write(self.seed, self.index, item.number)
        if not item.revision:
            return prose
        more = write(self.seed, self.index, item.number, "revision", item.revision)
        sections = (*prose.sections, more.sections[0])
        indicators = (*prose.indicators, more.indicators[0])
        return Prose(
            title=prose.title,
            author=prose.author,
            summary=prose.summary,
            sections=sections,
            indicators=indicators,
            commands=prose.commands,
            note=prose.note,
        )

    def page(self, item: Item) -> str:
        """The page of an article, in this site's own layout."""
        return LAYOUTS[self.index % len(LAYOUTS)](self.article(item))

    def rss(self) -> str:
        """The RSS 2.0 feed."""
        parts = []
        for article, number in self._articles():
            date = format_datetime(article.published, usegmt=True)
            parts.append(
                f"<item><title>{escape(article.prose.title)}</title><link>{article.url}</link>"
                f'<guid isPermaLink="false">{self.name}:{number}</guid><pubDate>{date}</pubDate>'
                f"<dc:creator>{article.prose.author}</dc:creator><category>threats</category>"
                f"<description>{escape(self._summary(article))}</description></item>"
            )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
            f"<title>Site {self.index}</title><link>{self.url()}</link>"
            f"<description>Articles</description><language>en</language>{''.join(parts)}"
            "</channel></rss>"
        )

    def atom(self) -> str:
        """The Atom feed."""
        parts = [
            f'<entry><title>{escape(article.prose.title)}</title><link href="{article.url}"/>'
            f"<id>tag:{self.name},2026:{number}</id><updated>{article.modified.isoformat()}</updated>"
            f"<published>{article.published.isoformat()}</published>"
            f"<author><name>{article.prose.author}</name></author>"
            f'<summary type="html">{escape(self._summary(article))}</summary></entry>'
            for article, number in self._articles()
        ]
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
            f"<title>Site {self.index}</title><id>tag:{self.name},2026:</id>"
            f'<link href="{self.url()}"/><updated>{EPOCH.isoformat()}</updated>'
            f"{''.join(parts)}</feed>"
        )

    def json_feed(self) -> str:
        """The JSON Feed."""
        items = [
            {
                "id": f"{self.name}:{number}",
                "url": article.url,
                "title": article.prose.title,
                "content_html": self._summary(article),
                "date_published": article.published.isoformat(),
                "authors": [{"name": article.prose.author}],
            }
            for article, number in self._articles()
        ]
        version = "https://jsonfeed.org/version/1.1"
        return json.dumps({"version": version, "title": f"Site {self.index}", "items": items})

    def sitemap(self) -> str:
        """The sitemap: every article with its last change."""
        rows = "".join(
            f"<url><loc>{article.url}</loc><lastmod>{article.modified.isoformat()}</lastmod></url>"
            for article, _ in self._articles()
        )
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{space}">{rows}</urlset>'

    def front_page(self) -> str:
        """The front page: links to the feeds and to every article."""
        cards = "".join(
            f'<div class="card"><h2><a href="/a/{number}">{escape(article.prose.title)}</a></h2>'
            f"<time>{article.published:%Y-%m-%d}</time></div>"
            for article, number in self._articles()
        )
        links = "".join(
            f'<link rel="alternate" type="application/{kind}" href="{path}">'
            for kind, path in (
                ("rss+xml", "/feed.xml"),
                ("atom+xml", "/atom.xml"),
                ("feed+json", "/feed.json"),
            )
        )
        return (
            f"<!DOCTYPE html><html><head><title>Site {self.index}</title>{links}</head><body>"
            f'<nav><a href="/about">About</a></nav><main>{cards}</main></body></html>'
        )

    def _articles(self) -> list[tuple[Article, int]]:
        return [(self.article(item), item.number) for item in self.items]

    def _summary(self, article: Article) -> str:
        if self.summaries_only:
            return f"<p>{escape(article.prose.summary)}</p>"
        paragraphs = [text for section in article.prose.sections for text in section.paragraphs]
        return "".join(f"<p>{escape(text)}</p>" for text in paragraphs)

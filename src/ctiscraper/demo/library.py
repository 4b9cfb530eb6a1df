"""The sample blogs and their articles, read from the files beside this module."""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Final

import yaml

from ctiscraper.demo.markup import to_html
from ctiscraper.types import Discovery, SourceSettings, Tier

REVISION_MARK: Final = "<!-- revision -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blog:
    """One fictional publisher. `feed` is the path of its feed, empty when it has none."""

    key: str
    name: str
    tagline: str
    tier: Tier
    layout: str
    feed: str = ""

    @property
    def host(self) -> str:
        """The name its addresses have; `.example` is reserved (RFC 2606)."""
        return f"{self.key}.example"

    def url(self, path: str = "/") -> str:
        """Return the address of a path on this blog."""
        return f"http://{self.host}{path}"

    def settings(self) -> SourceSettings:
        """Return the settings that collect this blog."""
        return SourceSettings(
            key=f"demo-{self.key}",
            name=self.name,
            url=self.url(),
            feed_url=self.url(self.feed or "/sitemap.xml"),
            discovery=Discovery.FEED if self.feed else Discovery.SITEMAP,
            tier=self.tier,
            crawl_delay=0.0,
            allow=() if self.feed else ("/notes/*",),
            language="en",
            verified=True,
            notes="Sample content: every name, victim and indicator is invented.",
        )


BLOGS: Final = (
    Blog(
        key="northlight",
        name="Northlight Threat Research",
        tagline="Research from the Northlight telemetry team",
        tier=Tier.PREMIUM,
        layout="vendor",
        feed="/feed.xml",
    ),
    Blog(
        key="harborpine",
        name="Harbor & Pine Incident Response",
        tagline="Case notes from real engagements, retold with care",
        tier=Tier.PREMIUM,
        layout="blog",
        feed="/atom.xml",
    ),
    Blog(
        key="quietpacket",
        name="The Quiet Packet",
        tagline="One person, one packet capture at a time",
        tier=Tier.STANDARD,
        layout="bare",
    ),
    Blog(
        key="wirewarrant",
        name="Wire & Warrant",
        tagline="Security news, read twice before it is printed",
        tier=Tier.BASIC,
        layout="news",
        feed="/rss",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoArticle:
    """One sample article. `refused` pages answer 403; `revision` is what an edit adds."""

    blog: Blog
    slug: str
    title: str
    author: str
    published: datetime
    summary: str
    tags: tuple[str, ...]
    html: str
    revision: str = ""
    revised: datetime | None = None
    refused: bool = False

    @property
    def path(self) -> str:
        """Where its page is."""
        return f"/notes/{self.slug}" if self.blog.layout == "bare" else f"/{self.slug}/"

    @property
    def url(self) -> str:
        """Its address."""
        return self.blog.url(self.path)


def load_articles() -> tuple[DemoArticle, ...]:
    """Return every sample article, newest first."""
    folder = resources.files(__package__).joinpath("articles")
    articles = [
        _article(file.name.removesuffix(".md"), file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".md")
    ]
    return tuple(sorted(articles, key=lambda article: article.published, reverse=True))


def _article(name: str, text: str) -> DemoArticle:
    """Return the article of a file: YAML between two lines `---`, then the words."""
    _, head, body = text.split("---\n", 2)
    facts = yaml.safe_load(head)
    key, _, slug = name.partition("_")
    words, _, revision = body.partition(REVISION_MARK)
    revised = facts.get("revised")
    return DemoArticle(
        blog=next(blog for blog in BLOGS if blog.key == key),
        slug=slug,
        title=facts["title"],
        author=facts["author"],
        published=_moment(facts["published"]),
        summary=" ".join(facts["summary"].split()),
        tags=tuple(facts["tags"]),
        html=to_html(words),
        revision=to_html(revision),
        revised=_moment(revised) if revised else None,
        refused=facts.get("refused", False),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

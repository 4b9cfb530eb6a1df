"""What a sample blog serves: pages in its own layout, its feed, sitemap and front page."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from html import escape
from typing import Final

from ctiscraper.demo.library import Blog, DemoArticle

_STYLE: Final = (
    "body{font:16px/1.55 Georgia,serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f4f4f4;padding:.8rem;overflow:auto}table{border-collapse:collapse;width:100%}"
    "td,th{border:1px solid #ccc;padding:.3rem .5rem;text-align:left;word-break:break-all}"
    "aside,footer,nav{font-size:.85rem;color:#666}"
)


def revised(article: DemoArticle) -> DemoArticle:
    """Return the article as it stands after its edit; one without an edit stays as it is."""
    if not article.revision or article.revised is None:
        return article
    return replace(
        article,
        html=f"{article.html}\n{article.revision}",
        revision="",
        summary=f"Updated on {article.revised:%d %B}: {article.summary}",
    )


def page(article: DemoArticle) -> str:
    """Return the page of an article."""
    return _LAYOUTS[article.blog.layout](article)


def feed(blog: Blog, articles: Sequence[DemoArticle]) -> tuple[str, str]:
    """Return the blog's feed and its media type."""
    if blog.feed == "/atom.xml":
        return _atom(blog, articles), "application/atom+xml; charset=utf-8"
    return _rss(blog, articles), "application/rss+xml; charset=utf-8"


def sitemap(blog: Blog, articles: Sequence[DemoArticle]) -> str:
    """Return the blog's sitemap, its front page and its articles."""
    rows = "".join(
        f"<url><loc>{a.url}</loc><lastmod>{_changed(a).isoformat()}</lastmod></url>"
        for a in articles
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        f"<url><loc>{blog.url()}</loc></url>{rows}</urlset>"
    )


def front_page(blog: Blog, articles: Sequence[DemoArticle]) -> str:
    """Return the blog's front page."""
    rows = "".join(
        f'<li><a href="{a.path}">{escape(a.title)}</a> <small>{a.published:%d %B %Y}</small>'
        f"<p>{escape(a.summary)}</p></li>"
        for a in articles
    )
    kind = "application/atom+xml" if blog.feed == "/atom.xml" else "application/rss+xml"
    link = f'<link rel="alternate" type="{kind}" href="{blog.feed}">' if blog.feed else ""
    body = f"<h1>{escape(blog.name)}</h1><p>{escape(blog.tagline)}</p><ul>{rows}</ul>"
    return _document(blog, escape(blog.name), link, body)


def _changed(article: DemoArticle) -> datetime:
    """Return when the article as given was last changed."""
    if article.revised is not None and not article.revision:
        return article.revised
    return article.published


def _document(blog: Blog, title: str, head: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{_STYLE}</style>{head}</head>\n<body>"
        f'<nav><a href="/">{escape(blog.name)}</a> · <a href="/about/">About</a> · '
        f'<a href="/contact/">Contact</a></nav>\n{body}\n<footer><p>{escape(blog.name)} is '
        "fictional, and so is every victim, actor and indicator named here.</p></footer>"
        "</body></html>"
    )


def _vendor(article: DemoArticle) -> str:
    data = {
        "@context": "https://schema.org",
        "@type": "TechArticle",
        "headline": article.title,
        "author": {"@type": "Person", "name": article.author},
        "datePublished": article.published.isoformat(),
        "dateModified": _changed(article).isoformat(),
        "keywords": list(article.tags),
        "publisher": {"@type": "Organization", "name": article.blog.name},
    }
    head = (
        f'<link rel="canonical" href="{article.url}">'
        f'<meta property="og:title" content="{escape(article.title)}">'
        f'<meta property="og:description" content="{escape(article.summary)}">'
        '<meta property="og:type" content="article">'
        f'<script type="application/ld+json">{json.dumps(data)}</script>'
    )
    body = (
        f'<div class="hero"><h1>{escape(article.title)}</h1><p>{escape(article.author)}</p></div>'
        f'<div class="layout"><div class="rich-text">{article.html}</div>'
        '<aside class="cta"><h3>See Northlight in action</h3><p>Book a demonstration with one of '
        "our specialists today.</p></aside></div>"
    )
    return _document(article.blog, f"{escape(article.title)} | Northlight", head, body)


def _blog(article: DemoArticle) -> str:
    tags = "".join(f'<a rel="tag" href="/tag/{tag}/">{tag}</a> ' for tag in article.tags)
    body = (
        f'<main><article><header><h1>{escape(article.title)}</h1><p class="byline">by '
        f'<a rel="author" href="/team/">{escape(article.author)}</a>, '
        f'<time datetime="{article.published.isoformat()}">{article.published:%d %B %Y}</time>'
        f'</p></header><div class="entry-content">{article.html}</div><p class="tags">{tags}</p>'
        "</article></main><aside><h3>Need help right now?</h3><p>Our hotline is staffed at all "
        "hours.</p></aside>"
    )
    return _document(article.blog, f"{escape(article.title)} | Harbor &amp; Pine", "", body)


def _bare(article: DemoArticle) -> str:
    body = (
        f"<h1>{escape(article.title)}</h1><p><small>{article.published:%Y-%m-%d}, "
        f"{escape(article.author)}</small></p>{article.html}<hr>"
    )
    head = f'<meta name="date" content="{article.published:%Y-%m-%d}">'
    return _document(article.blog, escape(article.title), head, body)


def _news(article: DemoArticle) -> str:
    body = (
        '<div class="ticker"><p>Today: markets, weather and the weekly letter</p></div>'
        '<div itemscope itemtype="https://schema.org/NewsArticle">'
        f'<h1 itemprop="headline">{escape(article.title)}</h1>'
        f'<p>By <span itemprop="author">{escape(article.author)}</span></p>'
        f'<meta itemprop="datePublished" content="{article.published.isoformat()}">'
        f'<div itemprop="articleBody">{article.html}</div></div>'
        "<aside><h3>Most read</h3><ul><li>Council approves new tram line</li>"
        "<li>Ten quiet cafes to work from</li></ul></aside>"
    )
    return _document(article.blog, f"{escape(article.title)} - Wire &amp; Warrant", "", body)


def _rss(blog: Blog, articles: Sequence[DemoArticle]) -> str:
    items = "".join(
        f"<item><title>{escape(a.title)}</title><link>{a.url}</link><guid>{a.url}</guid>"
        f"<pubDate>{format_datetime(a.published, usegmt=True)}</pubDate>"
        f"<dc:creator>{escape(a.author)}</dc:creator>"
        + "".join(f"<category>{tag}</category>" for tag in a.tags)
        + f"<description>{escape(a.summary)}</description>"
        + (f"<content:encoded>{escape(a.html)}</content:encoded>" if a.refused else "")
        + "</item>"
        for a in articles
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
        f"<title>{escape(blog.name)}</title><link>{blog.url()}</link>"
        f"<description>{escape(blog.tagline)}</description><language>en</language>"
        f"<ttl>60</ttl>{items}</channel></rss>"
    )


def _atom(blog: Blog, articles: Sequence[DemoArticle]) -> str:
    entries = "".join(
        f'<entry><title>{escape(a.title)}</title><link rel="alternate" href="{a.url}"/>'
        f"<id>{a.url}</id><published>{a.published.isoformat()}</published>"
        f"<updated>{_changed(a).isoformat()}</updated>"
        f"<author><name>{escape(a.author)}</name></author>"
        + "".join(f'<category term="{tag}"/>' for tag in a.tags)
        + f"<summary>{escape(a.summary)}</summary></entry>"
        for a in articles
    )
    newest = max((_changed(a) for a in articles), default=None)
    updated = newest.isoformat() if newest else "2026-01-01T00:00:00+00:00"
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f'<title>{escape(blog.name)}</title><id>{blog.url()}</id><link href="{blog.url()}"/>'
        f'<link rel="self" href="{blog.url(blog.feed)}"/><updated>{updated}</updated>{entries}'
        "</feed>"
    )


_LAYOUTS: Final[dict[str, Callable[[DemoArticle], str]]] = {
    "vendor": _vendor,
    "blog": _blog,
    "bare": _bare,
    "news": _news,
}

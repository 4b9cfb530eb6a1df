"""Page layouts: the same prose as different sites would mark it up, with their boilerplate."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from html import escape

from internet.prose import Prose


@dataclass(frozen=True, slots=True)
class Article:
    """What a layout needs to know of one article."""

    prose: Prose
    url: str
    home: str
    site: str
    published: datetime
    modified: datetime


Layout = Callable[[Article], str]

NAV = """<nav class="menu"><ul><li><a href="/">Home</a></li><li><a href="/about">About us</a></li>
<li><a href="/services">Services</a></li><li><a href="/contact">Contact sales</a></li></ul></nav>"""
FOOTER = """<footer><p>All rights reserved. We use cookies to improve your experience.</p>
<form action="/subscribe"><label>Subscribe to our newsletter <input name="email"></label></form>
<ul><li><a href="/privacy">Privacy policy</a></li><li><a href="/careers">Careers</a></li></ul>
</footer>"""
RELATED = """<aside class="related"><h3>Related posts</h3><ul><li><a href="/r/1">Ten tips for
safer passwords</a></li><li><a href="/r/2">Our product wins an award</a></li></ul></aside>"""


def table(article: Article) -> str:
    """The indicators as a table."""
    rows = "".join(
        f"<tr><td>{kind}</td><td><code>{escape(value)}</code></td><td>{escape(note)}</td></tr>"
        for kind, value, note in article.prose.indicators
    )
    head = "<thead><tr><th>Type</th><th>Indicator</th><th>Note</th></tr></thead>"
    return f"<table>{head}<tbody>{rows}</tbody></table>"


def body(article: Article, *, level: int = 2) -> str:
    """The article's own words: sections, lists, commands, a folded note and the indicators."""
    prose = article.prose
    parts = []
    for section in prose.sections:
        parts.append(f"<h{level}>{escape(section.heading)}</h{level}>")
        parts += [f"<p>{escape(text)}</p>" for text in section.paragraphs]
        if section.points:
            points = "".join(f"<li>{escape(point)}</li>" for point in section.points)
            parts.append(f"<ul>{points}</ul>")
    parts.append(f"<pre><code>{escape(chr(10).join(prose.commands))}</code></pre>")
    parts.append(f"<details><summary>Analyst note</summary><p>{escape(prose.note)}</p></details>")
    parts.append(f"<h{level}>Indicators</h{level}>{table(article)}")
    return "\n".join(parts)


def _page(article: Article, head: str, content: str) -> str:
    title = escape(article.prose.title)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title} | '
        f"{escape(article.site)}</title>{head}</head>\n<body>{content}</body></html>"
    )


def blog(article: Article) -> str:
    """A classic blog: header, article element with a time, sidebar, comments."""
    head = (
        f'<link rel="canonical" href="{article.url}">'
        f'<meta name="author" content="{article.prose.author}">'
    )
    content = f"""<header><a href="/">{article.site}</a>{NAV}</header><div class="wrap"><main>
<article class="post"><h1>{escape(article.prose.title)}</h1>
<p class="byline">By <a rel="author" href="/by">{article.prose.author}</a>
<time datetime="{article.published.isoformat()}">{article.published:%d %B %Y}</time></p>
<div class="entry-content">{body(article)}</div>
<div class="share"><a href="#x">Share on X</a><a href="#m">Share by mail</a></div></article>
<section id="comments"><h3>2 comments</h3><p>Great post, thanks!</p><p>First!</p></section></main>
{RELATED}</div>{FOOTER}"""
    return _page(article, head, content)


def structured(article: Article) -> str:
    """A vendor site: JSON-LD and Open Graph in the head, the text in deep divs."""
    data = {
        "@context": "https://schema.org",
        "@type": "BlogPosting",
        "headline": article.prose.title,
        "author": [{"@type": "Person", "name": article.prose.author}],
        "datePublished": article.published.isoformat(),
        "dateModified": article.modified.isoformat(),
        "mainEntityOfPage": article.url,
    }
    head = (
        f'<meta property="og:title" content="{escape(article.prose.title)}">'
        f'<meta property="og:url" content="{article.url}">'
        '<meta property="og:type" content="article">'
        f'<script type="application/ld+json">{json.dumps(data).replace("<", "&lt;")}</script>'
    )
    content = f"""<div id="app"><div class="hdr">{NAV}</div><div class="hero"><h1>
{escape(article.prose.title)}</h1></div><div class="grid"><div class="col"><div class="rich-text">
<div class="inner">{body(article, level=3)}</div></div></div><div class="col">{RELATED}</div></div>
<div class="cta"><h2>Request a demo</h2><p>See our platform stop threats in real time.</p></div>
{FOOTER}</div>"""
    return _page(article, head, content)


def microdata(article: Article) -> str:
    """A news site: microdata on the elements, a teaser list before the text."""
    prose = article.prose
    content = f"""{NAV}<div class="ticker"><ul><li>Breaking: markets open</li><li>Weather</li></ul>
</div><div itemscope itemtype="https://schema.org/NewsArticle"><h1 itemprop="headline">
{escape(prose.title)}</h1><span itemprop="author">{prose.author}</span>
<meta itemprop="datePublished" content="{article.published.isoformat()}">
<p class="lead" itemprop="description">{escape(prose.summary)}</p>
<div itemprop="articleBody">{body(article)}</div></div>{RELATED}{FOOTER}"""
    return _page(article, "", content)


def bare(article: Article) -> str:
    """A researcher's static page: hardly any markup around the text, code in a toolbar div."""
    text = body(article).replace("<pre>", '<div class="code-toolbar"><pre class="language-shell">')
    text = text.replace("</pre>", '</pre><div class="toolbar">Copy</div></div>')
    content = f"""<p><a href="/">back</a></p><h1>{escape(article.prose.title)}</h1>
<p><small>{article.published:%Y-%m-%d}</small></p>{text}<hr><p><a href="/feed.xml">rss</a></p>"""
    return _page(article, "", content)


LAYOUTS: tuple[Layout, ...] = (blog, structured, microdata, bare)

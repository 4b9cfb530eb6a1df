"""The sample articles: all readable, all invented, one pair alike."""

import ipaddress
import re

from ctiscraper.demo.library import BLOGS, DemoArticle, load_articles

RESERVED = [
    ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
]


def shingles(article: DemoArticle) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", re.sub(r"<[^>]+>", " ", article.html).lower())
    return set(zip(*(words[n:] for n in range(5)), strict=False))


def test_every_blog_has_articles_of_some_length() -> None:
    articles = load_articles()

    assert {article.blog for article in articles} == set(BLOGS)
    assert len({article.url for article in articles}) == len(articles)
    assert all(len(article.html) > 2000 for article in articles)
    assert articles == tuple(sorted(articles, key=lambda a: a.published, reverse=True))


def test_what_analysts_need_is_there() -> None:
    text = "".join(article.html for article in load_articles())

    for element in ("<table>", "<pre><code", "<details>", "<blockquote>", "<ul>", "<h2>"):
        assert text.count(element) >= 3, element


def test_indicators_are_reserved_ones() -> None:
    for article in load_articles():
        plain = (article.html + article.revision).replace("[.]", ".")
        for found in re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", plain):
            address = ipaddress.ip_address(found)
            assert address.is_private or any(address in net for net in RESERVED), found
        for host in re.findall(r"(?:https?|hxxps?)://([\w.-]+)", plain):
            assert host.endswith((".example", ".test")) or host[0].isdigit(), host


def test_one_pair_is_alike_and_no_other() -> None:
    sets = [(article, shingles(article)) for article in load_articles()]
    alike = [
        {a.blog.key, b.blog.key}
        for n, (a, one) in enumerate(sets)
        for b, other in sets[n + 1 :]
        if len(one & other) / min(len(one), len(other)) > 0.2
    ]

    assert alike == [{"northlight", "wirewarrant"}]

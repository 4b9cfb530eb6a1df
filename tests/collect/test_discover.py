from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiscraper.collect.candidates import FeedCandidate
from ctiscraper.collect.discover import feed_candidates, sitemap_candidates
from ctiscraper.types import Discovery

HOME = "https://lab.example/research/"
PAGE = b"""<!doctype html><html><head>
<link rel="alternate" type="application/rss+xml" title="Lab: comments" href="/comments/feed/">
<link rel="alternate" type="application/json+oembed" href="/oembed?url=x">
<link rel="alternate" hreflang="de" href="/de/">
<link rel="stylesheet" href="/feed.css">
<link rel="ALTERNATE" type="application/atom+xml; charset=utf-8"
  href="/atom.xml" title="Everything">
<link rel="alternate" type="application/rss+xml" href="feed/" title="Research">
<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
</head><body>
<a href="https://feeds.lab.example/podcast">Podcast feed</a>
<a href="/subscribe/rss" class="icon-rss">RSS</a>
<a href="https://else.example/feed/">A friend's feed</a>
<a href="/feedback">Feedback</a>
</body></html>"""


def test_what_the_page_names_comes_first_and_comments_last() -> None:
    found = feed_candidates(PAGE, url=HOME)
    feeds = [c for c in found if c.discovery is Discovery.FEED]
    assert [(c.url, c.title, c.found) for c in feeds[:3]] == [
        ("https://lab.example/research/feed/", "Research", "link"),
        ("https://lab.example/atom.xml", "Everything", "link"),
        ("https://lab.example/subscribe/rss", "RSS", "anchor"),
    ]
    assert feeds[-1].url == "https://lab.example/comments/feed/"
    assert not {"https://else.example/feed/", "https://lab.example/feedback"} & {
        c.url for c in found
    }
    assert all(c.url.startswith("https://") for c in found)
    assert len({c.url for c in found}) == len(found)


def test_usual_paths_are_tried_below_the_section_and_the_site() -> None:
    urls = [c.url for c in feed_candidates(b"<p>nothing</p>", url=HOME)]
    assert urls[0] == "https://lab.example/research/feed/"
    assert {"https://lab.example/feed/", "https://lab.example/rss.xml"} < set(urls)
    assert urls[-4:] == [
        f"https://lab.example/{name}"
        for name in ("sitemap.xml", "sitemap_index.xml", "wp-sitemap.xml", "sitemap-news.xml")
    ]


def test_an_address_that_is_a_feed_is_its_own_candidate() -> None:
    body = b"<rss version='2.0'><channel><title>Lab</title></channel></rss>"
    assert feed_candidates(body, url=HOME) == (
        FeedCandidate(url=HOME, title="Lab", found="document"),
    )


def test_sitemaps_of_robots_come_before_the_usual_ones() -> None:
    robots = "User-agent: *\r\nsitemap : /news-map.xml\nSITEMAP:https://cdn.example/all.xml\n"
    robots += "Sitemap: ftp://x/"
    found = sitemap_candidates(robots, url=HOME)
    assert [c.url for c in found][:3] == [
        "https://lab.example/news-map.xml",
        "https://cdn.example/all.xml",
        "https://lab.example/sitemap.xml",
    ]
    assert {c.discovery for c in found} == {Discovery.SITEMAP}
    assert found[0] in feed_candidates(b"<p>", url=HOME, robots=robots)


def test_result_survives_the_way_out_of_the_sandbox() -> None:
    found = feed_candidates(PAGE, url=HOME)
    assert msgspec.msgpack.decode(
        msgspec.msgpack.encode(found), type=tuple[FeedCandidate, ...]
    ) == found  # fmt: skip


@settings(deadline=timedelta(seconds=2))
@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(st.integers(0, len(PAGE)), st.binary(max_size=12)).map(
            lambda t: PAGE[: t[0]] + t[1] + PAGE[t[0] :]
        ),
    ),
    st.text(max_size=60),
)
def test_any_page_gives_addresses_that_can_be_asked(body: bytes, robots: str) -> None:
    for candidate in feed_candidates(body, url=HOME, robots=f"sitemap: {robots}"):
        assert candidate.url.startswith(("http://", "https://"))

import pytest

from ctiscraper.extract.content import find_content
from ctiscraper.extract.dom import drop_hidden, parse_html
from ctiscraper.extract.render import render
from extract.vendor_pages import CLOSE, LEAD, MIDDLE

BODY = f"<p>{LEAD}</p><p>{MIDDLE}</p><p>{CLOSE}</p>"
CARD = "<div class='card'><h3><a href='/x'>Another story</a></h3><p>{}</p></div>"
OTHER = "A teaser of a different story that has nothing to do with this one but is long enough."


def text_of_page(body: str) -> str:
    root = parse_html(f"<html><body>{body}</body></html>")
    assert root is not None
    drop_hidden(root)
    return render(find_content(root), "https://b.example/p")[0]


@pytest.mark.parametrize(
    "page",
    [
        f"<div class='wrap has-sidebar'><div class='x'>{BODY}</div></div>",
        f"<div id='comments-open'><main>{BODY}</main></div><aside><p>{OTHER}</p></aside>",
        f"<article>{BODY}</article><div class='comments'><p>{OTHER}</p><p>{OTHER}</p></div>",
        f"<section>{CARD.format(OTHER) * 9}</section><div class='entry-content'>{BODY}</div>",
        f"<div>{BODY}<div class='related-posts'><p>{OTHER}</p></div></div>",
        f"<div>{BODY}<p>You may also like</p><ul><li><a href='/x'>{OTHER}</a></li></ul></div>",
        f"<div>{BODY}<p>Read more: <a href='/x'>{OTHER}</a></p></div>",
        f"<div>{BODY}<p class='cookie-consent'>{OTHER}</p></div>",
        f"<div>{BODY}<ul class='tags'><li>tag</li></ul><footer>{OTHER}</footer></div>",
        f"<div class='gdpr'><p>{OTHER}</p></div><div>{BODY}</div>",
        f"<table><tr><td><a href='/'>Home</a><td>{BODY}</table>",
    ],
)
def test_the_article_is_found_and_its_furniture_is_not(page: str) -> None:
    text = text_of_page(page)
    assert text.split("\n\n")[:3] == [LEAD, MIDDLE, CLOSE]
    assert OTHER not in text


@pytest.mark.parametrize(
    "extra",
    [
        "<h2>References</h2><ul><li><a href='/a'>First source</a></li></ul>",
        "<h2>References</h2><div><ul><li><a href='/a'>First source</a></li></ul></div>",
        "<p>The samples are here:</p><ul><li><a href='/a'>First source</a></li></ul>",
        "<ul><li>What others wrote<ul><li><a href='/a'>First source</a></li></ul></li></ul>",
        "<aside class='callout'><p>First source</p></aside>",
        "<div class='promo'><table><tr><th>First source</th></tr></table></div>",
        "<div class='accordion' hidden><p>First source</p></div>",
        "<div aria-hidden='true'><pre>First source</pre></div>",
        "<div class='social-media-embed'><blockquote>First source</blockquote></div>",
    ],
)
def test_what_analysts_need_is_kept(extra: str) -> None:
    assert "First source" in text_of_page(f"<div>{BODY}{extra}<p>{LEAD}</p></div>")


def test_parts_of_one_make_belong_together() -> None:
    text = text_of_page(
        f"<div><div class='copy'><p>{LEAD}</p><p>{MIDDLE}</p><p>{MIDDLE}</p></div>"
        f"<div class='copy'><p>{CLOSE}</p></div></div>"
    )
    assert CLOSE in text


def test_a_page_without_sentences_has_no_content() -> None:
    assert text_of_page("<ul><li><a href='/'>Home</a></li></ul><p>Short.</p>") == ""

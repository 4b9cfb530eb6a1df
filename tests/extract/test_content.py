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
        f"<div><div class='breaking-news'><b>Breaking:</b> <p>{OTHER}</p></div>{BODY}</div>",
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


LINKS = "".join(
    f"<div class='field--item'><a href='/{n}'>Source number {n}</a></div>" for n in range(4)
)


@pytest.mark.parametrize(
    "extra",
    [
        f"<h3>References</h3><div class='field--items'>{LINKS}</div>",
        f"<div><a id='r'></a><h3>References</h3></div><div><div>{LINKS}</div></div>",
        f"<section><h2>Indicators of compromise</h2><div>{LINKS}</div></section>",
        f"<section><h2>5. References</h2>{LINKS}</section>",
    ],
)
def test_every_entry_of_an_announced_list_is_kept(extra: str) -> None:
    text = text_of_page(f"<div>{BODY}{extra}<p>{LEAD}</p></div>")
    assert [n for n in range(4) if f"Source number {n}" in text] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "extra",
    [
        f"<div class='share-links'>{LINKS}</div>",
        f"<h3>More from us</h3><div>{LINKS}</div>",
        f"<p>Indicators</p><div class='social-share'>{LINKS}</div>",
    ],
)
def test_lists_of_links_that_nothing_announces_go(extra: str) -> None:
    assert "Source number" not in text_of_page(f"<div>{BODY}{extra}<p>{LEAD}</p></div>")


def test_a_box_that_opens_under_the_pointer_is_no_part_of_the_sentence() -> None:
    box = (
        "<span class='hover-card'><span>Ada Example</span><span>Other stories of hers</span></span>"
    )
    text = text_of_page(
        f"<div>{BODY}<p>It was <a href='/a'>Ada Example</a>{box} who {LEAD}</p></div>"
    )
    assert f"It was Ada Example who {LEAD}" in text


CAPTION = "A screen that shows the loader at work."
IN_A_BOX = f"<div class='caption'><p class='caption-text'>{CAPTION}</p></div>"
OF_A_PLAYER = f"<figure><div class='player'></div><figcaption>{CAPTION}</figcaption></figure>"
OF_A_PICTURE = f"<figure><img src='/a.png'><figcaption>{CAPTION}</figcaption></figure>"
TWICE = OF_A_PICTURE.replace("</figure>", f"<p class='caption'>{CAPTION}</p></figure>")


@pytest.mark.parametrize(
    ("boxes", "times"),
    [
        (IN_A_BOX, 1),
        (IN_A_BOX + OF_A_PLAYER, 1),
        (TWICE, 1),
        (OF_A_PICTURE + OF_A_PICTURE, 2),
    ],
)
def test_a_caption_is_said_once_for_each_picture(boxes: str, times: int) -> None:
    text = text_of_page(f"<div><p>{LEAD}</p>{boxes}<p>{MIDDLE}</p><p>{CLOSE}</p></div>")
    assert text.count(CAPTION) == times

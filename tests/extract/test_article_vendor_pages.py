import html
import re

import pytest

from ctiscraper.extract.article import extract_article
from ctiscraper.types import ArticleContent, ExtractionHints
from extract.vendor_pages import CLOSE, LEAD, MIDDLE, VendorPage, vendor_pages

PAGES = vendor_pages()


def _extract(page: VendorPage) -> ArticleContent:
    hints = ExtractionHints(content_type="text/html; charset=utf-8")
    return extract_article(page.html.encode(), "https://labs.example/blog/loader", hints)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_text_keeps_prose_indicators_and_structure(page: VendorPage) -> None:
    text = _extract(page).text
    for wanted in (LEAD, MIDDLE, CLOSE, *page.wanted):
        assert wanted in text


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_code_is_verbatim_in_text_and_markup(page: VendorPage) -> None:
    article = _extract(page)
    shown = [
        html.unescape(c)
        for c in re.findall(r"<pre><code[^>]*>(.*?)</code></pre>", article.html, re.DOTALL)
    ]
    for code in page.code:
        assert code in article.text
        assert code in shown


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_furniture_is_left_out(page: VendorPage) -> None:
    text = _extract(page).text
    for refused in page.refused:
        assert refused not in text


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_markup_has_the_same_words_and_structure(page: VendorPage) -> None:
    article = _extract(page)
    assert article.html.count("<table>") == page.tables
    assert article.html.count("<details") == page.details
    plain = html.unescape(re.sub(r"<[^>]+>", " ", article.html))
    listed = re.sub(r"^ *\d+\. ", "", article.text, flags=re.MULTILINE)
    assert _words(plain) == _words(listed)

"""Pages made to hurt: each must end in good time, as an article or a typed refusal."""

import time

import pytest

from ctiscraper.errors import ParseError
from ctiscraper.extract.article import extract_article
from ctiscraper.types import ExtractionHints

P = b"<p>" + b"words " * 40 + b"</p>"
LIMIT_SECONDS = 5.0
PAGES = {
    "deep div": b"<html><body>" + b"<div>" * 60_000 + P,
    "deep inline": b"<html><body>" + b"<b>" * 60_000 + P,
    "deep lists": b"<html><body>" + b"<ul><li>" * 900 + P,
    "deep tables": b"<html><body>" + b"<table><tr><td>" * 5_000 + P,
    "many paragraphs": b"<html><body><article>" + b"<p>some words in here, many.</p>" * 60_000,
    "many links": b"<html><body><article>" + b"<a href='/x'>l</a> " * 60_000 + P,
    "huge text": b"<html><body><p>" + b"word " * 1_000_000,
    "huge attribute": b"<html><body><article class='" + b"a " * 500_000 + b"'>" + P,
    "open comments": b"<html><body>" + b"<!--" * 220_000 + P,
    "ampersands": b"<html><body><p>" + b"&" * 1_000_000,
    "angle brackets": b"<html><body><p>" + b"<" * 1_000_000,
    "quotes": b"<html><body><p>" + b"\"'" * 200_000,
    "one word": b"<html><body><p>" + b"a" * 1_000_000,
    "digits": b"<html><body><p>" + b"1." * 500_000,
    "deep json": b"<html><script type='application/ld+json'>" + b"[" * 200_000 + b"</script>" + P,
    "many metas": b"<html><head>" + b"<meta name=keywords content='a,b,c'>" * 20_000 + P,
    "many classes": b"".join(b"<div class='c%d'>x</div>" % i for i in range(20_000)) + P,
    "wide table": b"<html><body><table><tr>" + b"<td>x" * 20_000,
    "open scripts": b"<html><body>" + b"<script>" * 100_000 + P,
    "hidden everywhere": b"<html><body>" + b"<p hidden>x</p>" * 20_000 + P,
}


@pytest.mark.parametrize("name", PAGES)
def test_a_hostile_page_ends_in_good_time(name: str) -> None:
    start = time.process_time()
    try:
        article = extract_article(PAGES[name], "https://b.example/p", ExtractionHints())
    except ParseError as error:
        size = len(str(error))
    else:
        size = len(article.text)
    assert 0 < size <= 1_100_000
    assert time.process_time() - start < LIMIT_SECONDS

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.byline import any_reads, author_name, shown_authors, shown_dates
from ctiscraper.extract.dom import Element, parse_html


def page(body: str) -> Element:
    root = parse_html(f"<html><body>{body}</body></html>")
    assert root is not None
    return root


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("<span class='author'>Ada Example</span>", ["Ada Example"]),
        ("<p class='byline'>By Ada Example | 4 March 2026</p>", ["Ada Example"]),
        ("<div class='byline'>By <a href='/a'>Ada Example</a> on Monday</div>", ["Ada Example"]),
        ("<a rel='author external' href='/a'>Ada Example</a>", ["Ada Example"]),
        (
            "<i class='post-author'>Ada Example</i>, <i class='post-author'>Grace Sample</i>",
            ["Ada Example", "Grace Sample"],
        ),
        (
            "<p class='c-byline__author-name'>Ada <b>x</b></p><b class='author'>Al B</b>",
            ["Al B"],
        ),
        (
            "<p class='author'><span>Ada Ex<span>ample</span></span><span>Chief</span></p>",
            ["Ada Example"],
        ),
        ("<span class='author'>admin</span><span class='author'>Staff Writer</span>", []),
        ("<div class='author-bio'><p>Ada Example hunts for loaders.</p></div>", []),
        ("<div class='comment'><span class='author'>Ada Example</span></div>", []),
        ("<aside><a rel='author'>Ada Example</a></aside>", []),
        ("<li><span class='author'>Ada Example</span></li>", []),
    ],
)
def test_names_in_bylines(body: str, names: list[str]) -> None:
    assert shown_authors(page(body)) == names


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("By Ada Example", "Ada Example"),
        ("Written by: Ada M. Example-Smith", "Ada M. Example-Smith"),
        ("Ada Example Monday November 18, 2026", "Ada Example"),
        ("Ada Example - March 4", "Ada Example"),
        ("Microsoft Threat Intelligence", "Microsoft Threat Intelligence"),
        ("@ada", ""),
        ("Read more about the author", ""),
        ("ada example", ""),
        ("4 March 2026", ""),
        ("A sentence that goes on for far too long to be a name of anybody", ""),
    ],
)
def test_what_is_a_name(line: str, name: str) -> None:
    assert author_name(line) == name


DAY = "October 28, 2020"


@pytest.mark.parametrize(
    ("body", "dates"),
    [
        (
            f"<h1>Alert</h1><p>Original release date: {DAY} | Last <a>revised</a>: May 2, 2021",
            [("label", DAY)],
        ),
        (f"<h1>Alert</h1><p><b>Published:</b> {DAY}</p>", [("label", DAY)]),
        (f"<h1>Alert</h1><p>Posted on {DAY}</p><p>Posted on {DAY}</p>", [("label", DAY)]),
        (f"<h1>Alert</h1><p>Posted on {DAY}</p><p>Posted on May 2, 2021</p>", []),
        (f"<h1>Alert</h1><p>The flaw was published on {DAY}.</p>", []),
        (f"<h1>Alert</h1><p>Posted by a friend who was there in {DAY}</p>", []),
        (f"<h1>Alert</h1><p>{'Words of a long story. ' * 60}</p><p>Posted on {DAY}</p>", []),
        (f"<p>Published: {DAY}</p>", []),
        ("<h1>Alert</h1><p>Published: 04/05/2020</p>", []),
        (f"<span class='post-date'>{DAY}</span>", [("class", DAY)]),
        (f"<span class='publishedDate'>Posted: {DAY}</span>", [("class", DAY)]),
        (f"<div class='dateline__published'>{DAY}</div>", [("class", DAY)]),
        (f"<div class='article__date'>{DAY}</div>", [("class", DAY)]),
        (
            "<input type='hidden' class='published_date' value='2020-10-28 11:12:13'>",
            [("class", "2020-10-28 11:12:13")],
        ),
        ("<span class='post-date'>32M ago</span>", []),
        (f"<span class='updated-date'>{DAY}</span>", []),
        (f"<span class='event__date'>{DAY}</span>", []),
        (f"<span class='date'>{DAY}</span><span class='date'>May 2, 2021</span>", []),
        (
            f"<span class='date'>May 2, 2021</span><span class='post-date'>{DAY}</span>",
            [("class", DAY)],
        ),
        (
            f"<p class='related'><b class='date'>May 2, 2021</b></p><b class='date'>{DAY}</b>",
            [("class", DAY)],
        ),
        (f"<li><span class='post-date'>{DAY}</span></li>", []),
    ],
)
def test_dates_that_are_beyond_doubt(body: str, dates: list[tuple[str, str]]) -> None:
    assert shown_dates(page(body)) == dates


def test_wide_names_and_long_texts_cost_little() -> None:
    inner = "<i class='post-date'>x</i><i class='author'>x</i>" * 500
    wide = page(f"<div class='{'a ' * 1_000_000}'><div class='author date'>{inner}{'y' * 999_999}")
    started = time.process_time()
    assert (shown_authors(wide), shown_dates(wide)) == ([], [])
    assert time.process_time() - started < 2


def test_whether_any_date_reads() -> None:
    assert any_reads([("meta", "nonsense"), ("meta", "2026-01-02")])
    assert not any_reads([("json-ld", "0001-01-01T00:00:00Z")])
    assert not any_reads([])


@given(st.text(max_size=80), st.sampled_from(["author", "byline", "post-date", "date", ""]))
def test_any_words_are_read_without_complaint(words: str, name: str) -> None:
    root = page(f"<h1>T</h1><div class='{name}'>Posted: {words}</div>")
    assert isinstance(shown_authors(root), list)
    assert isinstance(shown_dates(root), list)
    assert isinstance(author_name(words), str)

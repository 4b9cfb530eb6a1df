import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiscraper.extract.notice import notice_of


@pytest.mark.parametrize(
    "title",
    [
        "404",
        "Error 404",
        "404 Not Found",
        "Page not found",
        "Page not found | Labs",
        "Labs \u2013 404 - Page Not Found",
        "Oops! That page can\u2019t be found.",
        "Page Not Found (404)",
        "Sorry, this page isn't available",
        "Seite nicht gefunden - Labs",
        "\u9875\u9762\u4e0d\u5b58\u5728",
    ],
)
def test_a_title_that_says_not_found_is_a_notice(title: str) -> None:
    assert notice_of("Some words about it.", [title])
    assert notice_of(f"{title}\n\nHome", [""]) or "|" in title or "Labs" in title


@pytest.mark.parametrize(
    "title",
    [
        "",
        "404 Media has a scoop",
        "How to answer with page not found",
        "Not Found: how a loader hides",
        "A loader - 404",
        "Content not available: what we know",
        "Access denied",
    ],
)
def test_other_titles_are_none(title: str) -> None:
    assert notice_of("Some words about it.", [title]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "Subscribe to continue reading this story.",
        "Please enable JavaScript to view this page.",
        "Log in or subscribe to read the rest.",
        "Just a moment...",
        "This article is for paid subscribers.",
    ],
)
def test_a_wall_is_a_notice_while_it_is_all_there_is(text: str) -> None:
    assert notice_of(text, ["A loader"]) == text
    assert notice_of(text + " More words of the article itself." * 20, ["A loader"]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "Just a moment of inattention was enough for the thief.",
        "Access denied by the new rule: how we block the loader.",
        "Subscribe to our list.",
        "ok",
    ],
)
def test_short_posts_are_no_notices(text: str) -> None:
    assert notice_of(text, ["A note"]) == ""


def test_an_article_may_be_called_so_by_its_feed_or_by_its_length() -> None:
    assert notice_of("Words.", ["Page not found"], "Page not found") == ""
    assert notice_of("Words. " * 200, ["Page not found"]) == ""


@given(st.text(max_size=300), st.text(max_size=100))
def test_it_is_total(text: str, title: str) -> None:
    assert isinstance(notice_of(text, [title]), str)

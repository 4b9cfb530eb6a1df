"""The markup of an article as it is shown."""

import re

import pytest

from ctiscraper.web.article_html import present, without_links


def test_link_says_its_host() -> None:
    shown = present('<p><a href="https://www.Evil.example/x?a=1&amp;b=2">a word</a></p>')
    assert 'data-host="evil.example"' in shown
    assert 'href="https://www.Evil.example/x?a=1&amp;b=2"' in shown


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("https://good.example/path", True),
        ("good.example", True),
        ("https://other.example/good.example", False),
        ("https://good.example@other.example/", False),
        ("good.example is fine", False),
    ],
)
def test_host_is_left_out_only_where_the_words_are_the_address(text: str, named: bool) -> None:
    shown = present(f'<a href="https://good.example/path">{text}</a>')
    assert ("data-host" not in shown) is named


def test_host_in_another_script_is_shown_as_it_is_asked() -> None:
    assert "xn--" in present('<a href="https://p\u0430ypal.example/">log in</a>')


def test_tables_and_code_scroll_by_keyboard_and_details_stay() -> None:
    shown = present(
        "<table><tr><td>1</td></tr></table><pre><code>x</code></pre>"
        "<details><summary>s</summary><p>t</p></details><h1>Top</h1>"
    )
    assert '<div class="wide" tabindex="0"><table>' in shown
    assert "</table></div>" in shown
    assert '<pre tabindex="0">' in shown
    assert "<details>" in shown
    assert "<h2>Top</h2>" in shown


def test_defanged_addresses_do_not_become_links() -> None:
    text = "hxxps://evil[.]example/x and 10.0.0[.]1 and evil.example"
    assert present(f"<p>{text}</p>") == f"<p>{text}</p>"


def test_what_leads_to_something_bad_is_no_link() -> None:
    shown = present(
        '<a href="http://evil.com/a?b=1&amp;c=2">one</a> <a href="https://www.evil.com/">two</a> '
        '<a href="https://shared.com/bad/">three</a> <a href="https://shared.com/good">four</a> '
        '<a href="https://evil.com">evil.com</a>'
    )
    found = without_links(shown, {"evil.com"}, {"https://shared.com/bad"})
    assert re.findall(r'<a [^>]*href="([^"]*)', found) == [
        "https://www.evil.com/", "https://shared.com/good",
    ]  # fmt: skip
    assert found.count('<a class="disarmed" title="Not a link here: evil[.]com is held') == 2
    assert re.sub("<[^>]*>", "", found) == "one two three four evil.com"
    assert without_links(shown, (), ()) == shown

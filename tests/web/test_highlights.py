"""Places of a text as marks in its markup: exact, whole, and never more than marks."""

import re
import time
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiscraper.extract.article import clean_fragment
from ctiscraper.extract.sanitise import sanitise
from ctiscraper.web.article_html import present
from ctiscraper.web.highlights import MOST_MARKS, Highlighted, Place, highlight

PAGE = """
<h2>Files &amp; hosts</h2>
<p>The loader asks <b>evil<i>.exa</i>mple</b> for <a href="https://safe.example/x?a=1&amp;b=2">a
second <code>stage.exe</code></a>, then 10.0.0.1.</p>
<ol start="3"><li>3.3.3.3</li><li>- dash<ul><li>-c2.example</li><li><pre>- raw
  two</pre></li></ul></li><li></li><li>5. five</li></ol>
<table><caption>Hashes</caption><tr><th>a</th><th></th><th>| b</th></tr>
<tr><td></td><td>one | two</td><td></td></tr>
<tr><td><ul><li>x1</li><li>x2</li></ul></td><td>y</td></tr></table>
<blockquote><p>Quoted &lt;script&gt;alert(1)&lt;/script&gt; words</p></blockquote>
<p>last<br>line &amp;amp; &quot;end&quot;</p>
"""
_MARK = re.compile(r"</?mark[^>]*>")


def words_of(markup: str) -> str:
    return "".join(unescape(re.sub(r"<[^>]*>", "", markup)).split())


def marked(markup: str, number: int) -> str:
    """What stands in the marks of a number, spaces and inner marks left out."""
    found = []
    depth = 0
    inside: list[bool] = []
    for part in re.split(r"(</?[a-z][^>]*>)", markup):
        if part.startswith("<mark"):
            inside.append(f'data-e="{number}"' in part)
            depth += inside[-1]
        elif part == "</mark>":
            depth -= inside.pop()
        elif depth and not part.startswith("<"):
            found.append(unescape(part))
    return "".join("".join(found).split())


def mark(html: str, text: str, *places: Place) -> Highlighted:
    attributes = {place.number: f'data-e="{place.number}"' for place in places}
    return highlight(html, text, places, attributes)


def place(text: str, words: str, number: int = 1) -> Place:
    start = text.index(words)
    return Place(start, start + len(words), number)


@pytest.mark.parametrize(
    "words",
    [
        "Files & hosts", "evil.example", "stage.exe", "example for a second stage.exe", "10.0.0.1",
        "3.3.3.3", "-c2.example", "- raw\n", "five", "| b", "one | two", "x2 | y", "Hashes",
        "<script>alert(1)</script>", 'last\nline &amp; "end"', "safe",
    ],
)  # fmt: skip
def test_the_words_of_a_place_are_marked_and_no_others(words: str) -> None:
    text, html = clean_fragment(PAGE, "https://acme.example/")
    if words == "safe":
        assert words not in text
        return
    asked = place(text, words)
    found = mark(html, text, asked)
    assert found.unmarked == 0
    # What only the text has between cells stands in no cell.
    expected = words.replace("x2 | y", "x2 y")
    assert marked(found.markup, 1) == "".join(expected.split())
    assert _MARK.sub("", found.markup) == html


def test_the_mark_of_a_list_is_not_taken_for_its_words() -> None:
    text, html = clean_fragment("<ol><li>1.1.1.1</li><li>2. two</li></ol>")
    assert text == "1. 1.1.1.1\n2. 2. two"
    first = mark(html, text, Place(3, 10, 1))
    assert marked(first.markup, 1) == "1.1.1.1"
    second = mark(html, text, Place(14, 16, 1))
    assert '<mark class="m" id="p-1" tabindex="0" data-e="1">2.</mark> two' in second.markup


def test_marks_lie_in_each_other_and_are_cut_where_they_cross() -> None:
    text = "run http://evil.example/x now"
    found = mark(
        f"<p>{text}</p>", text, Place(0, 29, 1), Place(4, 25, 2), Place(11, 23, 3), Place(20, 29, 4)
    )
    assert found.unmarked == 0
    opened = re.findall(r"</?mark", found.markup)
    assert opened.count("<mark") == opened.count("</mark")
    for number, words in ((1, text), (2, text[4:25]), (3, text[11:23]), (4, text[20:29])):
        assert marked(found.markup, number) == "".join(words.split())
    assert found.markup.count("tabindex") == 4
    assert found.markup.count('id="p-4"') == 1


def test_a_link_keeps_the_focus_to_itself() -> None:
    html = '<p><a href="https://evil.example/" rel="nofollow">evil.example</a></p>'
    found = mark(html, "evil.example", Place(0, 12, 1))
    assert "tabindex" not in found.markup
    assert '<mark class="m" id="p-1" data-e="1">evil.example</mark></a>' in found.markup


def test_an_attribute_that_looks_like_an_end_of_a_tag_is_left_alone() -> None:
    html = sanitise('<a href="https://x.example/?a=>b<c">b&lt;c</a> b&lt;c')
    found = mark(html, "b<c b<c", Place(4, 7, 1))
    assert _MARK.sub("", found.markup) == html
    assert found.markup.endswith("b&lt;c</mark>")


def test_words_that_the_markup_lacks_are_counted() -> None:
    found = mark("<p>one</p>", "one two", Place(4, 7, 1))
    assert (found.markup, found.unmarked) == ("<p>one</p>", 1)


def test_places_outside_of_the_text_and_empty_ones_are_counted() -> None:
    found = mark("<p>one</p>", "one", Place(90, 99, 1), Place(-4, -1, 2), Place(1, 1, 3))
    assert (found.markup, found.unmarked) == ("<p>one</p>", 3)


def test_no_more_is_marked_than_a_browser_bears() -> None:
    text = " ".join(str(number) for number in range(MOST_MARKS + 10))
    places = [Place(m.start(), m.end(), 1) for m in re.finditer(r"\d+", text)]
    found = mark(f"<p>{text}</p>", text, *places)
    assert found.unmarked == 10
    assert found.markup.count("<mark") == MOST_MARKS


def test_cut_text_leaves_the_rest_unmarked() -> None:
    text, html = clean_fragment(PAGE)
    short = text[: len(text) // 2]
    found = mark(html, short, place(short, "10.0.0.1"))
    assert marked(found.markup, 1) == "10.0.0.1"


@pytest.mark.parametrize(
    "html",
    [
        "<p>" + "&amp; &lt;b&gt; " * 30_000 + "</p>",
        "<ul>" + "<li>.</li>" * 50_000 + "</ul>",
        "<p>" + "<b>a</b>" * 50_000 + "</p>",
        "<p>[.]" * 50_000,
    ],
    ids=["references", "items", "elements", "paragraphs"],
)
def test_long_hostile_markup_takes_time_in_proportion(html: str) -> None:
    clean = sanitise(html)
    text = unescape(re.sub(r"<[^>]*>", " ", clean))
    places = [Place(at, at + 40, at % 50) for at in range(0, len(text) - 40, len(text) // 4000)]
    began = time.process_time()
    mark(clean, text, *places)
    mark(clean, text[::-1], *places)
    assert time.process_time() - began < 10


_FRAGMENTS = st.recursive(
    st.text(st.sampled_from("ab.1-|&<>\"' \n\u00a0\u202e\u00e9\u6587"), max_size=8).map(
        lambda words: words.replace("&", "&amp;").replace("<", "&lt;")
    ),
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag.split()[0]}>",
        st.sampled_from(
            ["p", "b", "i", "ul", "ol", 'ol start="7"', "li", "table", "tr", "td", "th", "pre",
             "code", "blockquote", "h2", "div", 'a href="https://x.example/"', "dl", "dd"]
        ),
        st.lists(inner, max_size=4),
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300)
@given(_FRAGMENTS, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=6))
def test_marks_change_no_word_and_no_element(html: str, spans: list[tuple[int, int]]) -> None:
    text, clean = clean_fragment(html)
    shown = str(present(clean))
    places = [Place(start, start + size, n) for n, (start, size) in enumerate(spans)]
    found = mark(shown, text, *places)
    assert _MARK.sub("", found.markup) == shown
    assert words_of(found.markup) == words_of(shown)
    assert found.markup.count("<mark") == found.markup.count("</mark>")
    for one in places:
        inside = "".join(text[one.start : one.end].split())
        if marked(found.markup, one.number):
            # Bars and marks of lists are the text's alone, and stand in no element.
            assert marked(found.markup, one.number) in inside or set(inside) - set(
                marked(found.markup, one.number)
            ) <= set("-|.0123456789")


def test_anchors_stand_around_the_same_words_and_say_which_there_are() -> None:
    text = "It drops evil.exe and beacons to c2.example."
    found = highlight(
        "<p>It drops <code>evil.exe</code> and beacons to c2.example.</p>",
        text,
        [place(text, "evil.exe", 7)],
        {7: 'data-e="7"'},
        [place(text, "evil.exe", 1), place(text, "beacons", 2), Place(200, 210, 3)],
    )
    assert found.markup == (
        '<p>It drops <code><mark class="e" id="s-1"><mark class="m" id="p-7" tabindex="0"'
        ' data-e="7">evil.exe</mark></mark></code> and <mark class="e" id="s-2">beacons</mark>'
        " to c2.example.</p>"
    )
    assert (set(found.anchored), found.unmarked) == ({1, 2}, 0)


def test_anchors_have_room_where_places_are_too_many() -> None:
    words = " ".join(f"w{number}" for number in range(MOST_MARKS + 10))
    places = [place(words, f"w{number}", number + 1) for number in range(MOST_MARKS + 10)]
    attributes = {one.number: "" for one in places}
    last = place(words, f"w{MOST_MARKS + 9}", 1)
    found = highlight(f"<p>{words}</p>", words, places, attributes, [last])
    assert (set(found.anchored), found.unmarked) == ({1}, 10)
